//! Where stages that share a workgroup must part, so that layers that are alike become shaders that are alike.
//!
//! A shader takes so many stages and no more. Cut by their number alone, the layers of a deep net would each be cut elsewhere, and
//! hardly two shaders were the same. So stages that repeat are found, and where their groups do not fall into step by themselves, a
//! group ends with its layer.
//!
//! In: stages, and the longest group that starts at one of them. Out: for each stage the first one that is not of its group. Nothing
//! here decides what may share a workgroup, so nothing here can be wrong: it can but be slow.

use super::program::{Buffer, Kind};
use super::stage::{Placed, Stage};
use crate::plan::{Access, Expr, Kernel};
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write;

/// Stages of a layer at most.
const LONGEST: usize = 512;

/// Stages that repeat: from here to there, and how many until they are the same again.
#[derive(Debug, PartialEq)]
struct Run {
    from: usize,
    to: usize,
    period: usize,
}

/// For each stage where a group that starts there ends at the latest. `limit`: how many stages a group has at most; `next`: where the longest
/// group ends, if it must before a stage.
pub(super) fn ends(
    stages: &[Placed],
    buffers: &[Buffer],
    limit: usize,
    next: &mut dyn FnMut(usize, usize) -> usize,
) -> Vec<usize> {
    let n = stages.len();
    let mut out: Vec<usize> = (0..n).map(|k| (k + limit).min(n)).collect();
    let runs = if n > limit { runs(&numbers(stages, buffers), limit) } else { Vec::new() };
    if runs.is_empty() {
        return out;
    }
    let mut starts = BTreeSet::new();
    let mut at = 0;
    while at < n {
        starts.insert(at);
        at = next(at, out[at]).max(at + 1);
    }
    for run in runs {
        // Short layers share a workgroup.
        let layers = (limit / run.period).max(1);
        let steady = |s: &usize| (1..=layers).any(|k| s + k * run.period < run.to && starts.contains(&(s + k * run.period)));
        // Later it would be by chance, after many shaders that no other layer has.
        if starts.range(run.from..run.to.min(run.from + 2 * layers * run.period)).any(steady) {
            continue;
        }
        let unit = layers * run.period;
        out[run.from.saturating_sub(limit)..run.from].iter_mut().for_each(|end| *end = (*end).min(run.from));
        let whole = run.from + (run.to - run.from) / run.period * run.period;
        for first in (run.from..whole).step_by(unit) {
            let last = (first + unit).min(whole);
            // Groups of about the same length.
            let most = unit.div_ceil(unit.div_ceil(limit));
            (first..last).for_each(|k| out[k] = (k + most).min(last));
        }
    }
    out
}

/// Numbers for stages: the same for those that are alike but for which buffers they are of.
fn numbers(stages: &[Placed], buffers: &[Buffer]) -> Vec<usize> {
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut number = |s: &Placed| {
        let next = known.len();
        *known.entry(likeness(&s.stage, buffers)).or_insert(next)
    };
    stages.iter().map(&mut number).collect()
}

/// What repeats at least once and is longer than one shader, the longest first, none over another.
fn runs(numbers: &[usize], limit: usize) -> Vec<Run> {
    let n = numbers.len();
    let mut found: Vec<Run> = Vec::new();
    for period in 1..=LONGEST.min(n / 2) {
        let mut from = 0;
        for k in 0..=n - period {
            if k < n - period && numbers[k] == numbers[k + period] {
                continue;
            }
            if k - from >= period && k + period - from > limit {
                found.push(Run { from, to: k + period, period });
            }
            from = k + 1;
        }
    }
    // Of two that reach as far, that of which the other is a multiple.
    found.sort_by_key(|r| (std::cmp::Reverse(r.to - r.from), r.period, r.from));
    let mut out: Vec<Run> = Vec::new();
    for r in found {
        if out.iter().all(|o| r.to <= o.from || o.to <= r.from) {
            out.push(r);
        }
    }
    out
}

fn likeness(stage: &Stage, buffers: &[Buffer]) -> String {
    let mut out = String::new();
    match stage {
        Stage::Kernel(k) => nest(&mut out, "k", k, buffers),
        Stage::Product { kernel, .. } => nest(&mut out, "p", kernel, buffers),
        Stage::Grouped { kernel, .. } => nest(&mut out, "g", kernel, buffers),
        Stage::Parts(p) => nest(&mut out, "parts", &p.kernel, buffers),
        Stage::Other(step) => {
            let made = &buffers[stage.target()];
            let _ = write!(out, "{:?} {:?} {:?}", std::mem::discriminant(&**step), made.dtype, made.shape);
        }
    }
    out
}

fn nest(out: &mut String, what: &str, k: &Kernel, buffers: &[Buffer]) {
    let access = |out: &mut String, a: &Access| {
        let b = &buffers[a.buffer];
        let given = matches!(b.kind, Kind::Source(_));
        let _ = write!(out, " {:?}{}{given}{:?}", b.dtype, b.half, a.terms);
    };
    let _ = write!(out, "{what}{}", k.outer);
    k.loops.iter().for_each(|l| {
        let _ = write!(out, " {}", l.size);
    });
    for e in &k.body {
        match e {
            Expr::Load(a) => access(out, a),
            Expr::Pick { access: a, at, fill } => {
                access(out, a);
                let _ = write!(out, "{at:?}{fill:?}");
            }
            Expr::Const(_) | Expr::Counter(_) | Expr::Size(_) | Expr::Map(..) | Expr::Reduce { .. } | Expr::Mend { .. } => {
                let _ = write!(out, " {e:?}");
            }
        }
    }
    access(out, &k.store);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(stages: &str) -> Vec<usize> {
        stages.bytes().map(usize::from).collect()
    }

    #[test]
    fn what_repeats_is_found_with_the_shortest_period() {
        let found = runs(&text(&format!("xy{}z", "abcdefghijk".repeat(4))), 16);
        assert_eq!(found, [Run { from: 2, to: 46, period: 11 }]);
        // A part of another time belongs to it, and so does what comes before by chance.
        let found = runs(&text(&format!("k{}abcz", "abcdefghijk".repeat(3))), 16);
        assert_eq!(found, [Run { from: 0, to: 37, period: 11 }]);
    }

    #[test]
    fn what_is_short_or_does_not_repeat_is_left() {
        assert_eq!(runs(&text("abcabcabc"), 16), []);
        assert_eq!(runs(&text("abcdefghijklmnopqrstuvwxyz"), 16), []);
        assert_eq!(runs(&text(""), 16), []);
    }

    #[test]
    fn two_kinds_of_layers_are_two_runs() {
        let found = runs(&text(&format!("{}{}", "abcdefghij".repeat(3), "klmnopqrst".repeat(2))), 16);
        assert_eq!(found, [Run { from: 0, to: 30, period: 10 }, Run { from: 30, to: 50, period: 10 }]);
    }
}
