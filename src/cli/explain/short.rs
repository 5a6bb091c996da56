//! Decisions of which there are many, and most of which a rule takes that nobody pins: in few lines.

use super::plan::{Held, place};
use crate::cli::talk::{BOLD, DIM};
use crate::ir::{Sym, What};
use crate::plan::{By, Way};
use crate::source::Sources;

/// What is told of in few words, and what it is about.
const KINDS: [(What, &str); 3] = [
    (What::Values, "of values that are needed more than once"),
    (What::Panels, "of parameters that products read"),
    (What::Kernel, "of products of other matrices"),
];

/// Whether a decision is told of in few words.
pub(super) fn is_short(h: &Held) -> bool {
    let what = h.decision.site.what;
    KINDS.iter().any(|(kind, _)| *kind == what) && h.decision.by == By::Planner && h.measured.is_empty()
}

/// By what is done with them, each with its place and how often.
pub(super) fn listed(sources: &Sources, all: &[(&Held, usize)]) -> String {
    let mut out = String::new();
    for (what, about) in KINDS {
        let own: Vec<_> = all.iter().filter(|(h, _)| h.decision.site.what == what).collect();
        if !own.is_empty() {
            out.push_str(&format!("\n{BOLD}{}{BOLD:#} {about}\n", what.word()));
        }
        for way in what.ways().unwrap_or_default() {
            let lines = lines(sources, own.iter().filter(|(h, _)| h.decision.ways[h.decision.taken].text == *way));
            if !lines.is_empty() {
                out.push_str(&format!("  → {way}\n"));
            }
            for (line, times) in lines {
                let times = if times > 1 { format!(", {times} times") } else { String::new() };
                out.push_str(&format!("{line}{times}\n"));
            }
        }
    }
    out
}

/// A line for each value, and how often it is there: some layers may need theirs for other lengths than the rest.
fn lines<'a, 'b: 'a>(sources: &Sources, all: impl Iterator<Item = &'a &'a (&'a Held<'b>, usize)>) -> Vec<(String, usize)> {
    let mut lines: Vec<(String, usize)> = vec![];
    for (h, times) in all {
        let at = place(sources, h.decision.site.span).map_or(String::new(), |p| format!("  {DIM}{p}{DIM:#}"));
        let line = format!("    `{}`{at}", h.decision.name);
        match lines.iter_mut().find(|(l, _)| *l == line) {
            Some((_, known)) => *known += times,
            None => lines.push((line, *times)),
        }
    }
    lines
}

/// A way in words, with what it holds where that is much.
pub(super) fn words(way: &Way) -> String {
    const MUCH: f64 = 1e6;
    let held = Some(way.bytes).filter(|b| *b >= MUCH).map(|b| format!(", {}", bytesize::ByteSize(b as u64)));
    format!("{}{}", way.text, held.unwrap_or_default())
}

/// For which sizes it holds.
pub(super) fn range((name, low, high): &(Sym, i64, Option<i64>)) -> String {
    match high {
        Some(high) if low == high => format!("{name} = {low}"),
        Some(high) => format!("{name} from {low} to {high}"),
        None if *low <= 1 => format!("every {name}"),
        None => format!("{name} from {low} on"),
    }
}
