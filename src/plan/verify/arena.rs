//! Where places are known: buffers that are needed at one time do not share memory.

use super::together::groups;
use super::{ensure, name};
use crate::plan::{Kind, Layout, Plan};
use std::collections::{BTreeMap, BTreeSet};

/// Elements behind the end of a buffer that a vector load may touch.
const BEHIND: usize = 16;

pub(super) fn apart(plan: &Plan, layout: &Layout, elsewhere: &[usize]) -> Result<(), String> {
    let known = [layout.offsets.len(), layout.lengths.len()] == [plan.buffers.len(); 2];
    ensure(known, || "the layout is another plan's".into())?;
    let mut nowhere = nowhere(plan);
    nowhere.extend(elsewhere);
    let spans = spans(plan);
    // In the order of time; whoever needs it no more goes before others come.
    let mut events: Vec<(usize, bool, usize)> = Vec::new();
    for (b, span) in spans.iter().enumerate() {
        let given = plan.buffers[b].kind != Kind::Temp || nowhere.contains(&b);
        match (span, layout.offsets[b]) {
            (Some((from, to)), Some(offset)) => {
                ensure(!given, || format!("{} has memory of its own, and a place", name(plan, b)))?;
                let end = offset.checked_add(layout.lengths[b]).and_then(|end| end.checked_add(BEHIND));
                let fits = end.is_some_and(|end| end <= layout.total);
                ensure(fits, || format!("{} lies beyond the end", name(plan, b)))?;
                events.extend([(*from, true, b), (to.saturating_add(1), false, b)]);
            }
            (Some((step, _)), None) => {
                ensure(given, || super::at(plan, *step, &format!("{} has no place", name(plan, b))))?;
            }
            (None, _) => {}
        }
    }
    events.sort();
    let mut alive: BTreeMap<usize, usize> = BTreeMap::new();
    for (step, comes, b) in events {
        let Some(offset) = layout.offsets[b] else { continue };
        if !comes {
            alive.remove(&offset);
            continue;
        }
        let ends = |b: usize| layout.offsets[b].unwrap_or(0) + layout.lengths[b] + BEHIND;
        let before = alive.range(..=offset).next_back().filter(|(_, o)| ends(**o) > offset);
        let behind = alive.range(offset..).next().filter(|(at, _)| **at < ends(b));
        if let Some((_, other)) = before.or(behind) {
            return Err(super::at(plan, step, &format!("{} lies where {} is still needed", name(plan, b), name(plan, *other))));
        }
        alive.insert(offset, b);
    }
    Ok(())
}

/// Buffers that need no memory, or that of one tile.
fn nowhere(plan: &Plan) -> BTreeSet<usize> {
    let private = plan.tiles.iter().flat_map(|t| t.private.iter().map(|p| p.0));
    private.chain(groups(plan).into_iter().flat_map(|g| g.buffers)).collect()
}

/// From which step to which one each buffer is needed, by when steps really run: with their tile, and where others do them, then.
fn spans(plan: &Plan) -> Vec<Option<(usize, usize)>> {
    let mut done: Vec<usize> = (0..plan.steps.len()).collect();
    for g in groups(plan) {
        g.steps.iter().for_each(|s| done[*s] = g.last);
    }
    let mut spans: Vec<Option<(usize, usize)>> = vec![None; plan.buffers.len()];
    for (k, step) in plan.steps.iter().enumerate() {
        let tile = |k: usize| plan.tiles.iter().find(|t| t.first <= k && k < t.last);
        let mut end = k;
        while done[end] > end {
            end = done[end];
        }
        let (first, last) = (tile(k).map_or(k, |t| t.first), tile(end).map_or(end, |t| t.last - 1));
        let asked = tile(k).and_then(|t| t.kept.as_ref()).into_iter().flat_map(|kept| &kept.conditions);
        for b in step.reads().into_iter().chain(step.writes()).chain(asked.map(|(view, _)| view.buffer)) {
            let span = spans[b].get_or_insert((first, last));
            *span = (span.0.min(first), span.1.max(last));
        }
    }
    // What is prepared stays for all runs that read it.
    for (from, to) in spans.iter_mut().flatten() {
        if *from < plan.prepared && *to >= plan.prepared {
            *to = usize::MAX;
        }
    }
    spans
}
