//! Values that several elements need, in few lines: there are many of them, and a rule that nobody pinned decides most.

use super::plan::{Held, place};
use crate::cli::talk::{BOLD, DIM};
use crate::ir::What;
use crate::plan::By;
use crate::source::Sources;

/// Whether a decision is told of in few words.
pub(super) fn is_short(h: &Held) -> bool {
    h.decision.site.what == What::Values && h.decision.by == By::Planner && h.measured.is_empty()
}

/// By what is done with them, each with its place and how often.
pub(super) fn listed(sources: &Sources, all: &[(&Held, usize)]) -> String {
    let mut out = String::new();
    if !all.is_empty() {
        out.push_str(&format!("\n{BOLD}values{BOLD:#} that are needed more than once\n"));
    }
    for way in What::Values.ways().unwrap_or_default() {
        let of_it: Vec<_> = all.iter().filter(|(h, _)| h.decision.ways[h.decision.taken].text == *way).collect();
        if !of_it.is_empty() {
            out.push_str(&format!("  → {way}\n"));
        }
        // Some layers may need theirs for other lengths than the rest: one line tells of all.
        let mut lines: Vec<(String, usize)> = vec![];
        for (h, times) in of_it {
            let at = place(sources, h.decision.site.span).map_or(String::new(), |p| format!("  {DIM}{p}{DIM:#}"));
            let line = format!("    `{}`{at}", h.decision.name);
            match lines.iter_mut().find(|(l, _)| *l == line) {
                Some((_, known)) => *known += times,
                None => lines.push((line, *times)),
            }
        }
        for (line, times) in lines {
            let times = if times > 1 { format!(", {times} times") } else { String::new() };
            out.push_str(&format!("{line}{times}\n"));
        }
    }
    out
}
