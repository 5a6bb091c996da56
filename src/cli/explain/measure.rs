//! `hnet explain --measure`: how long a run takes in each of the ways, and whether its numbers are those of the way that is taken.

use super::on::On;
use super::plan::Held;
use crate::cli::bench::Ready;
use crate::cli::open::Opened;
use crate::cli::talk::{Exit, Talk, spinner};
use crate::diag::{Code, Diagnostic, Severity};
use crate::exec::bench::measure;
use crate::exec::session::{Options, Session};
use crate::ir::{DType, Tensor};
use crate::plan::{Asked, Pins, Site, Terms};
use std::collections::{BTreeMap, BTreeSet};

/// Runs that are timed in each way, and before them; one alone where it takes longer than that, in seconds.
const RUNS: (usize, usize) = (2, 15);
const LONG: f64 = 0.1;

/// What is so much dearer than what is taken, and takes so long, in nanoseconds, is not run.
const DEAR: (f64, f64) = (100.0, 1e8);

/// How far a number may lie from that of another way, as a part of the largest of its output: ways differ by rounding alone.
const NEAR: f64 = 1e-3;

/// A way has to be so much faster to be kept: less is chance.
const FASTER: f64 = 0.97;

/// How often two ways are run in turn.
const TURNS: usize = 5;

/// What came of a way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Measured {
    /// The median of its seconds.
    Took(f64),
    /// Its numbers are others, by this part of the largest: nobody may take it.
    Differs(f64),
    /// Nobody can run it here: it takes more than the device has.
    Refused,
    NotRun,
}

impl Measured {
    pub fn seconds(&self) -> Option<f64> {
        if let Measured::Took(s) = self { Some(*s) } else { None }
    }

    /// Whether its numbers are those of what is taken, where that is known.
    pub fn agrees(&self) -> Option<bool> {
        match self {
            Measured::Took(_) => Some(true),
            Measured::Differs(_) => Some(false),
            Measured::Refused | Measured::NotRun => None,
        }
    }
}

/// A model ready to be run in several ways.
struct Runs<'a> {
    opened: &'a Opened,
    ready: &'a Ready,
    options: Options,
}

impl Runs<'_> {
    /// A run with these pins: its seconds, its numbers, and what ran.
    fn run(&self, pins: &Asked) -> Result<(f64, Vec<Tensor>, Session), Diagnostic> {
        let session = Session::new(&self.opened.model, &self.ready.outputs, &self.options)?;
        let mut session = session.pinned(Pins::At(pins.clone()));
        let took = seconds(&mut session, self.ready)?;
        let mut all = self.ready.early.clone();
        all.sources.extend(self.ready.late.sources.iter().map(|(k, v)| (k.clone(), v.clone())));
        let made = session.run(&all)?;
        Ok((took, made, session))
    }

    /// What comes of a way: it has to give the numbers that are wanted. Errors: what is `taken` anyway does not run.
    fn way(&self, pins: &Asked, wanted: &[Tensor], taken: bool) -> Result<(Measured, Option<Session>), Diagnostic> {
        match self.run(pins) {
            Ok((took, made, session)) => Ok(match apart(wanted, &made) {
                far if far <= NEAR => (Measured::Took(took), Some(session)),
                far => (Measured::Differs(far), None),
            }),
            Err(d) if taken => Err(d),
            Err(_) => Ok((Measured::Refused, None)),
        }
    }
}

/// That a way gives other numbers.
fn differs(opened: &Opened, words: &str, far: f64, talk: Talk) -> Result<(), Exit> {
    let message = format!("\"{words}\" gives numbers that are off by {far:.1e} of the largest, and is not taken");
    let d = Diagnostic { severity: Severity::Warning, ..Diagnostic::plain(Code::H0899, message) };
    talk.say(&opened.sources, &[d.note("this is a bug in hnet or in the driver")])
}

/// Runs the model in each way at each site. `keep`: the ways that pay stay while the next site is looked at; they are what is returned.
pub(super) fn measured(
    opened: &Opened,
    ready: &Ready,
    held: &mut [Held],
    terms: &Terms,
    on: &On,
    keep: bool,
    talk: Talk,
) -> Result<Asked, Exit> {
    let fail = |d: Diagnostic| opened.fail(talk, &[d]);
    let options = Options { backend: on.backend(), threads: 1, half: false, prices: terms.prices.clone() };
    let runs = Runs { opened, ready, options };
    let asked = if let Pins::At(pins) = &terms.pins { pins.clone() } else { Asked::default() };
    let mut kept = asked.clone();
    let (mut best, wanted, mut fastest) = runs.run(&asked).map_err(fail)?;
    // Where several values have one place each is asked for by its name.
    let mut names: BTreeMap<Site, BTreeSet<String>> = BTreeMap::new();
    for h in held.iter() {
        names.entry(h.decision.site).or_default().insert(h.decision.name.clone());
    }
    let mut known: BTreeMap<(Site, String, usize), Measured> = BTreeMap::new();
    let mut moved: BTreeSet<(Site, String)> = BTreeSet::new();
    let bar = spinner(&format!("measuring {}", opened.model.name));
    for h in held {
        bar.set_message(format!("measuring {} of {}", h.decision.site.what.word(), h.decision.name));
        let (site, taken, name) = (h.decision.site, h.decision.taken, &h.decision.name);
        let of = Some(name.as_str()).filter(|_| names[&site].len() > 1);
        let least = h.decision.ways[taken].ns;
        for (way, priced) in h.decision.ways.iter().enumerate() {
            let key = (site, name.clone(), way);
            let dear = priced.ns.zip(least).is_some_and(|(ns, least)| ns > DEAR.0 * least && ns > DEAR.1);
            if let Some(m) = if dear { Some(&Measured::NotRun) } else { known.get(&key) } {
                h.measured.push(*m);
                continue;
            }
            let mut pins = if keep { kept.clone() } else { asked.clone() };
            pins.insert(site, of, way);
            let (came, other) = runs.way(&pins, &wanted, way == taken).map_err(fail)?;
            if let Measured::Differs(far) = came {
                differs(opened, &priced.text, far, talk)?;
            }
            known.insert(key, came);
            h.measured.push(came);
            // What is taken anyway need not be kept, unless another way is by now.
            let other_way = way != taken || moved.contains(&(site, name.clone()));
            let seems = keep && other_way && came.seconds().is_some_and(|took| took < FASTER * best);
            if let Some(mut other) = other.filter(|_| seems)
                && let Some(took) = is_faster(&mut other, &mut fastest, ready).map_err(fail)?
            {
                (best, fastest) = (took, other);
                kept.insert(site, of, way);
                moved.insert((site, name.clone()));
            }
        }
    }
    bar.finish_and_clear();
    Ok(kept)
}

/// Whether a way is faster than another where both are run in turn, and its seconds: on a machine that does something else, too, one measurement
/// alone says little.
fn is_faster(way: &mut Session, other: &mut Session, ready: &Ready) -> Result<Option<f64>, Diagnostic> {
    let mut least = [f64::INFINITY; 2];
    for _ in 0..TURNS {
        for (least, session) in least.iter_mut().zip([&mut *way, &mut *other]) {
            *least = least.min(seconds(session, ready)?);
        }
    }
    Ok((least[0] < FASTER * least[1]).then_some(least[0]))
}

/// The median time of a run.
fn seconds(session: &mut Session, ready: &Ready) -> Result<f64, Diagnostic> {
    let mut runs = |count| measure(session, &ready.early, &ready.late, count, &mut || {}).map(|times| times.quantile(0.5));
    let first = runs((0, 1))?;
    if first > LONG { Ok(first) } else { runs(RUNS) }
}

/// How far the farthest number lies from what is wanted, as a part of the largest that is finite of its output; infinity where what is not finite
/// differs. Of whole numbers and truth values, which a rounding may tip, the part that differs.
fn apart(wanted: &[Tensor], made: &[Tensor]) -> f64 {
    let of = |(w, m): (&Tensor, &Tensor)| {
        let (floats, w, m) = (w.dtype() == DType::F32, w.to_f64(), m.to_f64());
        if w.len() != m.len() {
            return f64::INFINITY;
        }
        if !floats {
            return w.iter().zip(&m).filter(|(w, m)| w != m).count() as f64 / w.len().max(1) as f64;
        }
        let largest = w.iter().filter(|x| x.is_finite()).fold(f64::MIN_POSITIVE, |a, x| a.max(x.abs()));
        let one = |(w, m): (&f64, &f64)| match (w.is_finite(), m.is_finite()) {
            (true, true) => (w - m).abs() / largest,
            _ if w == m || w.is_nan() && m.is_nan() => 0.0,
            _ => f64::INFINITY,
        };
        w.iter().zip(&m).map(one).fold(0.0, f64::max)
    };
    wanted.iter().zip(made).map(of).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_apart_by_a_part_of_the_largest() {
        let t = |v: &[f32]| vec![Tensor::new(vec![v.len()], crate::ir::Data::F32(v.to_vec()))];
        assert_eq!(apart(&t(&[1.0, -4.0]), &t(&[1.0, -4.0])), 0.0);
        assert_eq!(apart(&t(&[1.0, -4.0]), &t(&[2.0, -4.0])), 0.25);
        assert_eq!(apart(&t(&[f32::NAN, 1.0]), &t(&[f32::NAN, 1.0])), 0.0);
        assert_eq!(apart(&t(&[f32::NAN, 1.0]), &t(&[0.0, 1.0])), f64::INFINITY);
        assert_eq!(apart(&t(&[1.0, 1.0]), &t(&[f32::INFINITY, 1.0])), f64::INFINITY);
        assert_eq!(apart(&t(&[1.0]), &t(&[1.0, 1.0])), f64::INFINITY);
        assert_eq!(apart(&t(&[]), &t(&[])), 0.0);
        let whole = |v: &[i32]| vec![Tensor::new(vec![v.len()], crate::ir::Data::I32(v.to_vec()))];
        assert_eq!(apart(&whole(&[1, 2, 3, 4]), &whole(&[1, 2, 7, 4])), 0.25);
    }
}
