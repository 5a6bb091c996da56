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
use std::time::{Duration, Instant};

/// Runs that are timed before anything else is, and before them; one alone where it takes longer than that, in seconds.
const RUNS: (usize, usize) = (2, 15);
const LONG: f64 = 0.1;

/// How often a way and the fastest so far are run in turn at least, how many runs of each that is, and for how long; of what takes long a turn is one
/// run.
const TURNS: usize = 5;
const OF_EACH: (usize, usize) = (0, 4);
const IN_TURN: Duration = Duration::from_millis(300);
const LONG_TURNS: usize = 2;

/// What is so much dearer than what is taken, and takes so long, in nanoseconds, is not run.
const DEAR: (f64, f64) = (100.0, 1e8);

/// How far a number may lie from that of another way, as a part of the largest of its output: ways differ by rounding alone.
const NEAR: f64 = 1e-3;

/// A way has to be so much faster to be kept: less is chance.
const FASTER: f64 = 0.97;

/// What came of a way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Measured {
    /// Its seconds: those of what is taken, times what it took beside that where the two were run in turn.
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
    /// What runs with these pins, and its numbers.
    fn run(&self, pins: &Asked) -> Result<(Session, Vec<Tensor>), Diagnostic> {
        let terms = Terms { pins: Pins::At(pins.clone()), ..self.options.terms.clone() };
        let options = Options { terms, ..self.options.clone() };
        let mut session = Session::new(&self.opened.model, &self.ready.outputs, &options)?;
        let mut all = self.ready.early.clone();
        all.sources.extend(self.ready.late.sources.iter().map(|(k, v)| (k.clone(), v.clone())));
        let made = session.run(&all)?;
        Ok((session, made))
    }

    /// What comes of a way beside the fastest: it has to give the numbers that are wanted.
    fn way(&self, pins: &Asked, fastest: &mut Fastest, wanted: &[Tensor]) -> Result<(Measured, Option<Session>), Diagnostic> {
        let Ok((mut session, made)) = self.run(pins) else { return Ok((Measured::Refused, None)) };
        let far = apart(wanted, &made);
        if far > NEAR {
            return Ok((Measured::Differs(far), None));
        }
        Ok((Measured::Took(fastest.beside(&mut session, self.ready)?), Some(session)))
    }
}

/// What is the fastest so far, and its seconds.
struct Fastest {
    session: Session,
    took: f64,
}

impl Fastest {
    /// The seconds of another way. The two are run in turn: on a machine that does something else, too, one measurement alone says little.
    fn beside(&mut self, way: &mut Session, ready: &Ready) -> Result<f64, Diagnostic> {
        let (turns, runs) = if self.took > LONG { (LONG_TURNS, (0, 1)) } else { (TURNS, OF_EACH) };
        let (begin, mut turn, mut least) = (Instant::now(), 0, [f64::INFINITY; 2]);
        while turn < turns || begin.elapsed() < IN_TURN {
            turn += 1;
            for (least, session) in least.iter_mut().zip([&mut *way, &mut self.session]) {
                *least = least.min(seconds(session, ready, runs)?);
            }
        }
        Ok(self.took * least[0] / least[1])
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
    let options = Options { backend: on.backend(), threads: 1, half: false, terms: terms.clone() };
    let runs = Runs { opened, ready, options };
    let asked = if let Pins::At(pins) = &terms.pins { pins.clone() } else { Asked::default() };
    let mut kept = asked.clone();
    let (mut session, wanted) = runs.run(&asked).map_err(fail)?;
    let took = median(&mut session, ready).map_err(fail)?;
    let mut fastest = Fastest { session, took };
    // Where several values have one place each is asked for by its name.
    let mut names: BTreeMap<Site, BTreeSet<String>> = BTreeMap::new();
    for h in held.iter() {
        names.entry(h.decision.site).or_default().insert(h.decision.name.clone());
    }
    let mut known: BTreeMap<(Site, String, String), Measured> = BTreeMap::new();
    let mut moved: BTreeSet<(Site, String)> = BTreeSet::new();
    let bar = spinner(&format!("measuring {}", opened.model.name));
    for h in held {
        bar.set_message(format!("measuring {} of {}", h.decision.site.what.word(), h.decision.name));
        let (site, taken, name) = (h.decision.site, h.decision.taken, &h.decision.name);
        let of = Some(name.as_str()).filter(|_| names[&site].len() > 1);
        let least = h.decision.ways[taken].ns;
        for (way, priced) in h.decision.ways.iter().enumerate() {
            let key = (site, name.clone(), priced.text.clone());
            let dear = priced.ns.zip(least).is_some_and(|(ns, least)| ns > DEAR.0 * least && ns > DEAR.1);
            if let Some(m) = if dear { Some(&Measured::NotRun) } else { known.get(&key) } {
                h.measured.push(*m);
                continue;
            }
            let mut pins = if keep { kept.clone() } else { asked.clone() };
            pins.insert(site, of, priced.text.as_str());
            // What is taken anyway need not be run again, unless another way is by now.
            let (came, other) = match way == taken && !moved.contains(&(site, name.clone())) {
                true => (Measured::Took(fastest.took), None),
                false => runs.way(&pins, &mut fastest, &wanted).map_err(fail)?,
            };
            if let Measured::Differs(far) = came {
                differs(opened, &priced.text, far, talk)?;
            }
            known.insert(key, came);
            h.measured.push(came);
            let pays = |took: &f64| keep && *took < FASTER * fastest.took;
            if let Some((session, took)) = other.zip(came.seconds().filter(pays)) {
                fastest = Fastest { session, took };
                kept.insert(site, of, priced.text.as_str());
                moved.insert((site, name.clone()));
            }
        }
    }
    bar.finish_and_clear();
    Ok(kept)
}

/// The median time of a run, of many unless it is long.
fn median(session: &mut Session, ready: &Ready) -> Result<f64, Diagnostic> {
    let first = seconds(session, ready, (0, 1))?;
    if first > LONG { Ok(first) } else { seconds(session, ready, RUNS) }
}

/// The median time of so many runs, after so many that are not timed.
fn seconds(session: &mut Session, ready: &Ready, runs: (usize, usize)) -> Result<f64, Diagnostic> {
    measure(session, &ready.early, &ready.late, runs, &mut || {}).map(|times| times.quantile(0.5))
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
