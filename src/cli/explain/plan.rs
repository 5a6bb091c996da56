//! What the planner decided for a model: what was taken at each place, what else there was, and what it would have cost.

use super::measure::{Measured, measured};
use super::on::On;
use super::short;
use crate::bind::inputs;
use crate::check::model::Model;
use crate::cli::bench::{self, Ready};
use crate::cli::choices;
use crate::cli::given::Values;
use crate::cli::open::{self, Opened, Which};
use crate::cli::picture;
use crate::cli::talk::{self, BOLD, DIM, Exit, Talk};
use crate::diag::Diagnostic;
use crate::draw::bars::time;
use crate::ir::{Pin, Sym};
use crate::pipeline::{self, Forward};
use crate::plan::{By, Decision, Fate, Prices, Site, Sizes, Terms, Way};
use crate::source::{Sources, Span};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// How far sizes are looked at, in powers of two.
const FAR: u32 = 20;
/// Bytes of stack for a thread that plans.
const STACK: usize = 8 << 20;

/// A decision, and the range of each free size in which it is taken, the others as they are.
pub(super) struct Held<'a> {
    pub decision: &'a Decision,
    pub ranges: Vec<(Sym, i64, Option<i64>)>,
    /// What came of a run in each of the ways, where they were measured.
    pub measured: Vec<Measured>,
}

/// What is asked for.
pub struct Asked<'a> {
    pub which: &'a Which,
    pub values: &'a Values,
    pub terms: &'a Terms,
    /// `--pin`
    pub pins: &'a [String],
    pub measure: bool,
    pub on: &'a On,
    /// `--keep`
    pub keep: Option<&'a Path>,
    pub json: bool,
    /// `--out`
    pub out: Option<&'a Path>,
}

pub fn main(asked: &Asked) -> Result<(), Exit> {
    let Asked { which, values, terms, pins, measure, on, keep, json, out } = *asked;
    let talk = Talk::json(json);
    let opened = open::model(which, talk)?;
    if let Some(out) = out {
        picture::may(&opened, out)?;
    }
    if let Some(file) = keep {
        choices::may(&opened, file, values)?;
    }
    let fail = |d: Diagnostic| opened.fail(talk, &[d]);
    let model = &opened.model;
    let ready = match measure {
        true => Some(bench::ready(&opened, values, &[], talk)?),
        false => None,
    };
    let (sizes, assumed) = sizes(&opened, values, ready.as_ref(), talk)?;
    let look = super::Look { opened: &opened, sizes: Some(&sizes), terms, on: Some(on) };
    let pinned = super::pins(&look, pins, talk)?;
    pinned.warn(Some(on), talk);
    let terms = Terms { pins: pinned.pins(), ..terms.clone() };
    let forward = pipeline::forward(model);
    let (decisions, fates) = on.decided(&forward, &sizes, &terms).map_err(fail)?;
    let free: Vec<Sym> = pipeline::unknowns(model);
    let bar = talk::spinner(&format!("{} at other sizes", model.name));
    let looked = Looked { forward: &forward, sizes: &sizes, terms: &terms, on };
    let ranges: Vec<BTreeMap<usize, (i64, Option<i64>)>> = free.iter().map(|name| looked.held(name, &decisions)).collect();
    bar.finish_and_clear();
    let mut held: Vec<Held> = decisions
        .iter()
        .enumerate()
        .map(|(k, decision)| {
            let ranges =
                free.iter().zip(&ranges).filter_map(|(name, r)| r.get(&k).map(|(low, high)| (name.clone(), *low, *high)));
            Held { decision, ranges: ranges.collect(), measured: vec![] }
        })
        .collect();
    if let Some(ready) = &ready {
        let kept = measured(&opened, ready, &mut held, &terms, on, keep.is_some(), talk)?;
        if let Some(file) = keep {
            choices::keep(&opened, file, on, &sizes, &kept, talk)?;
        }
    }
    if let Some(out) = out {
        let svg = super::picture::drawn(&model.name, &opened.sources, &sizes, &held);
        picture::write(&opened, talk, out, &svg)?;
        talk.note(&format!("what was decided for {} drawn to {}", model.name, out.display()));
    }
    let idle: Vec<(&Pin, Fate)> =
        model.graph.pins.iter().zip(fates).filter(|(p, f)| *f != Fate::Holds && on.decides(p.what)).collect();
    if json {
        talk::print(&format!("{}\n", as_json(model, &opened.sources, &sizes, &held, &idle)));
        return Ok(());
    }
    if *terms.prices != Prices::generic() {
        talk.note(&format!("for {} ({})", terms.prices.machine, terms.prices.mark()));
    }
    talk::print(&shown(&opened, &sizes, &assumed, &held));
    idle.iter().for_each(|(pin, fate)| talk::print(&format!("\n{DIM}{}{DIM:#}\n", idles(&opened.sources, pin, *fate))));
    Ok(())
}

/// The sizes that the model is planned for, and which of them nobody said: those of what it is measured on, or of inputs that are named.
fn sizes(opened: &Opened, values: &Values, ready: Option<&Ready>, talk: Talk) -> Result<(Sizes, Vec<(Sym, i64)>), Exit> {
    let named = !values.inputs.is_empty() || !values.condition.is_empty();
    let given = match ready {
        Some(ready) => ready.late.sizes.clone(),
        None if named => {
            let request = values.request(opened, false, false, talk);
            inputs::gather(&opened.model, &request).map_err(|list| opened.fail(talk, &list))?.sizes
        }
        None => Sizes::new(),
    };
    pipeline::sizes_beside(&opened.model, &values.dim, &given).map_err(|d| opened.fail(talk, &[d]))
}

/// What says that two decisions are about one thing: its site and its number among those of that site.
fn taken(decisions: &[Decision]) -> Taken {
    let mut counts = BTreeMap::new();
    let mut out = BTreeMap::new();
    for d in decisions {
        let n: &mut usize = counts.entry(d.site).or_default();
        out.insert((d.site, *n), d.ways[d.taken].text.clone());
        *n += 1;
    }
    out
}

/// What was decided at each place of these sites.
type Taken = BTreeMap<(Site, usize), String>;

/// What other sizes are looked at for.
struct Looked<'a> {
    forward: &'a Forward,
    sizes: &'a Sizes,
    terms: &'a Terms,
    on: &'a On,
}

impl Looked<'_> {
    /// What is decided where this size is `n`, the others as they are.
    fn at(&self, name: &Sym, n: i64) -> Taken {
        let at = self.sizes.iter().map(|(s, v)| (s.clone(), if s == name { n } else { *v })).collect();
        self.on.decided(self.forward, &at, self.terms).map(|(all, _)| taken(&all)).unwrap_or_default()
    }

    /// What is decided at powers of two, as many at a time as the machine has processors.
    fn at_powers(&self, name: &Sym, now: i64) -> BTreeMap<i64, Taken> {
        let all: Vec<i64> = powers().filter(|n| *n != now).collect();
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(all.len());
        let next = AtomicUsize::new(0);
        let some = || {
            let mine = std::iter::from_fn(|| all.get(next.fetch_add(1, Relaxed)));
            mine.map(|n| (*n, self.at(name, *n))).collect::<Vec<_>>()
        };
        std::thread::scope(|s| {
            // With a stack like that of a program's first thread; where none can be started, this one looks at all sizes.
            let other = |_| std::thread::Builder::new().stack_size(STACK).spawn_scoped(s, some).ok();
            let others: Vec<_> = (1..threads).filter_map(other).collect();
            let mut found: BTreeMap<i64, Taken> = some().into_iter().collect();
            // A thread that ended badly has nothing: who asks for its sizes looks again.
            found.extend(others.into_iter().filter_map(|o| o.join().ok()).flatten());
            found
        })
    }

    /// For each decision the range of one size in which it is taken: powers of two are tried, and the ends found between them.
    fn held(&self, name: &Sym, decisions: &[Decision]) -> BTreeMap<usize, (i64, Option<i64>)> {
        let now = self.sizes.get(name).copied().unwrap_or(1);
        let own = taken(decisions);
        let mut counts: BTreeMap<Site, usize> = BTreeMap::new();
        let mut tried = if decisions.is_empty() { BTreeMap::new() } else { self.at_powers(name, now) };
        let mut same = |n: i64, key: &(Site, usize)| {
            let there = tried.entry(n).or_insert_with(|| self.at(name, n));
            there.get(key) == own.get(key)
        };
        let number = |d: &Decision| {
            let n = counts.entry(d.site).or_default();
            *n += 1;
            (d.site, *n - 1)
        };
        let keys: Vec<_> = decisions.iter().map(number).collect();
        keys.iter().map(|key| around(now, &mut |n| same(n, key))).enumerate().collect()
    }
}

fn powers() -> impl DoubleEndedIterator<Item = i64> {
    (0..=FAR).map(|p| 1i64 << p)
}

/// The sizes around this one that are the `same`; none where all greater ones are.
fn around(now: i64, same: &mut dyn FnMut(i64) -> bool) -> (i64, Option<i64>) {
    // The nearest on either side where it is another.
    let (mut low, mut high) = (now, now);
    let mut end = None;
    for n in powers().filter(|n| *n > now) {
        if !same(n) {
            end = Some(n);
            break;
        }
        high = n;
    }
    let mut start = None;
    for n in powers().rev().filter(|n| *n < now) {
        if !same(n) {
            start = Some(n);
            break;
        }
        low = n;
    }
    if let Some(mut other) = end {
        while other - high > 1 {
            let middle = high + (other - high) / 2;
            if same(middle) { high = middle } else { other = middle }
        }
    }
    if let Some(mut other) = start {
        while low - other > 1 {
            let middle = other + (low - other) / 2;
            if same(middle) { low = middle } else { other = middle }
        }
    }
    (low, end.map(|_| high))
}

/// `lora.hnet:12:36`
pub(super) fn place(sources: &Sources, span: Span) -> Option<String> {
    (span.start < span.end).then(|| at(sources, span))
}

fn at(sources: &Sources, span: Span) -> String {
    let (line, column) = sources.line_col(span.file, span.start);
    format!("{}:{line}:{column}", sources.get(span.file).name)
}

/// The line where it begins, as it is written there, as far as a screen is wide.
fn line(sources: &Sources, span: Span) -> Option<String> {
    const WIDE: usize = 100;
    let number = sources.line_col(span.file, span.start).0;
    let line = sources.get(span.file).text.lines().nth(number.checked_sub(1)?)?.trim();
    let cut = line.char_indices().nth(WIDE).map(|(at, _)| &line[..at]);
    Some(cut.map_or(line.to_string(), |cut| format!("{cut} …"))).filter(|l| span.start < span.end && !l.is_empty())
}

/// By how many nanoseconds of a run what was taken is cheaper than the best of what else there was; less than nothing where it is dearer.
fn saves(d: &Decision) -> Option<f64> {
    let others = d.ways.iter().enumerate().filter(|(n, _)| *n != d.taken).filter_map(|(_, w)| w.ns);
    Some(others.min_by(f64::total_cmp)? - d.ways[d.taken].ns?).filter(|ns| ns.is_finite())
}

/// Who pinned it.
pub(super) fn pinned(sources: &Sources, d: &Decision) -> Option<String> {
    match d.by {
        By::Planner => None,
        By::Source(span) => Some(at(sources, span)),
        By::Asked => Some("the command line".into()),
        By::Memory => Some("`--at-most`".into()),
    }
}

/// Why a pin of the source does nothing here.
fn why(pin: &Pin, fate: Fate) -> String {
    let (what, of) = (pin.what.word(), pin.of.as_ref().map_or(String::new(), |of| format!(" of `{of}`")));
    match fate {
        Fate::Idle => format!("no `{what}`{of} is decided there at these lengths"),
        Fate::NoWay => format!("no `{what}`{of} that is decided there has the way \"{}\" at these lengths", pin.way),
        Fate::Outdone => "another pin counts more".into(),
        Fate::Holds => "it holds".into(),
    }
}

fn idles(sources: &Sources, pin: &Pin, fate: Fate) -> String {
    format!("the pin {} does nothing: {}", at(sources, pin.span), why(pin, fate))
}

fn as_json(model: &Model, sources: &Sources, sizes: &Sizes, held: &[Held], idle: &[(&Pin, Fate)]) -> serde_json::Value {
    let one = |h: &Held| {
        let d = h.decision;
        let one = |(n, w): (usize, &Way)| match h.measured.get(n) {
            Some(m) => json!({ "way": w.text, "ns": w.ns, "bytes": w.bytes, "measured": m.seconds(), "agrees": m.agrees() }),
            None => json!({ "way": w.text, "ns": w.ns, "bytes": w.bytes }),
        };
        let ways: Vec<_> = d.ways.iter().enumerate().map(one).collect();
        let ranges: serde_json::Map<_, _> =
            h.ranges.iter().map(|(name, low, high)| (name.to_string(), json!({ "from": low, "to": high }))).collect();
        json!({
            "what": d.site.what.word(),
            "value": d.name,
            "at": place(sources, d.site.span),
            "line": line(sources, d.site.span),
            "ways": ways,
            "taken": d.taken,
            "saves_ns": saves(d),
            "pinned": pinned(sources, d),
            "holds": ranges,
        })
    };
    let sizes: serde_json::Map<_, _> = sizes.iter().map(|(name, n)| (name.to_string(), json!(n))).collect();
    let unused =
        |(pin, fate): &(&Pin, Fate)| json!({ "what": pin.what.word(), "at": at(sources, pin.span), "why": why(pin, *fate) });
    json!({
        "model": model.name,
        "sizes": sizes,
        "decisions": held.iter().map(one).collect::<Vec<_>>(),
        "idle": idle.iter().map(unused).collect::<Vec<_>>(),
    })
}

/// ` at b = 64, t = 3`
pub fn at_sizes(sizes: &Sizes) -> String {
    let at: Vec<String> = sizes.iter().map(|(name, n)| format!("{name} = {n}")).collect();
    format!("{}{}", if at.is_empty() { "" } else { " at " }, at.join(", "))
}

/// Each decision with how often it is taken: equal layers are told of once.
pub(super) fn each<'a, 'b>(held: &'a [Held<'b>]) -> Vec<(&'a Held<'b>, usize)> {
    let mut out: Vec<(&Held, usize)> = vec![];
    for h in held {
        match out.iter_mut().find(|(t, _)| t.decision == h.decision && t.ranges == h.ranges) {
            Some((_, times)) => *times += 1,
            None => out.push((h, 1)),
        }
    }
    out
}

fn shown(opened: &Opened, sizes: &Sizes, assumed: &[(Sym, i64)], held: &[Held]) -> String {
    let (model, sources) = (&opened.model, &opened.sources);
    let mut out = format!("{BOLD}{}{BOLD:#}{}\n", model.name, at_sizes(sizes));
    for (name, n) in assumed {
        out.push_str(&format!("{DIM}{name} = {n} was assumed: --dim {name}=N{DIM:#}\n"));
    }
    if held.is_empty() {
        out.push_str("nothing was to be decided: there is one way to compute this\n");
    }
    let (few, long): (Vec<_>, Vec<_>) = each(held).into_iter().partition(|(h, _)| short::is_short(h));
    if long.iter().any(|(h, _)| h.decision.ways.iter().any(|w| w.ns.is_some())) {
        out.push_str(&format!("{DIM}times are of what the ways do differently{DIM:#}\n"));
    }
    for (h, times) in long {
        let d = h.decision;
        let times = if times > 1 { format!(", {times} times") } else { String::new() };
        out.push_str(&format!("\n{BOLD}{}{BOLD:#} of `{}`{times}", d.site.what.word(), d.name));
        out.push_str(&place(sources, d.site.span).map_or("\n".into(), |p| format!("  {DIM}{p}{DIM:#}\n")));
        if let Some(line) = line(sources, d.site.span) {
            out.push_str(&format!("    {DIM}{line}{DIM:#}\n"));
        }
        for (n, way) in d.ways.iter().enumerate() {
            let mark = if n == d.taken { "→" } else { " " };
            let took = match h.measured.get(n) {
                Some(Measured::Took(seconds)) => format!("  a run took {:>9}", time(1e9 * seconds)),
                Some(Measured::Refused) => format!("  {:>20}", "is refused"),
                Some(Measured::Differs(_)) => format!("  {:>20}", "gives other numbers"),
                Some(Measured::NotRun) => format!("  {:>20}", "not run"),
                None => String::new(),
            };
            out.push_str(&format!(
                "  {mark} {}  {:>9}{took}  {}\n",
                n + 1,
                way.ns.map_or("no price".into(), time),
                short::words(way)
            ));
        }
        if let Some(by) = pinned(sources, d) {
            out.push_str(&format!("    {DIM}pinned by {by}{DIM:#}\n"));
        }
        let less = saves(d).filter(|ns| *ns != 0.0).map(|ns| match ns > 0.0 {
            true => format!("saves {} of a run beside the next best", time(ns).trim()),
            false => format!("costs {} of a run more than the cheapest", time(-ns).trim()),
        });
        if let Some(less) = less {
            out.push_str(&format!("    {DIM}{less}{DIM:#}\n"));
        }
        let ranges: Vec<String> = h.ranges.iter().map(short::range).collect();
        if !ranges.is_empty() {
            out.push_str(&format!("    {DIM}holds for {}{DIM:#}\n", ranges.join(", and for ")));
        }
    }
    out.push_str(&short::listed(sources, &few));
    out
}
