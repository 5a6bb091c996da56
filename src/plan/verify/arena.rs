//! Where places are known: buffers that are needed at one time do not share memory.

use super::together::groups;
use super::{ensure, name};
use crate::ir::Size;
use crate::plan::view::value;
use crate::plan::{Kind, Layout, Plan, Sizes, place_in};
use std::collections::{BTreeMap, BTreeSet};

/// Elements behind the end of a buffer that a vector load may touch.
const BEHIND: usize = 16;

pub(super) fn apart(plan: &Plan, layout: &Layout, elsewhere: &[usize]) -> Result<(), String> {
    let known = [layout.offsets.len(), layout.lengths.len()] == [plan.buffers.len(); 2];
    ensure(known, || "the layout is another plan's".into())?;
    let mut nowhere = nowhere(plan);
    nowhere.extend(elsewhere);
    let mut lying = Vec::new();
    for (b, span) in spans(plan, true).iter().enumerate() {
        let given = plan.buffers[b].kind != Kind::Temp || nowhere.contains(&b);
        match (span, layout.offsets[b]) {
            (Some(span), Some(offset)) => {
                ensure(!given, || format!("{} has memory of its own, and a place", name(plan, b)))?;
                lying.push(Lying { buffer: b, span: *span, offset, length: layout.lengths[b] });
            }
            (Some((step, _)), None) => {
                ensure(given, || super::at(plan, *step, &format!("{} has no place", name(plan, b))))?;
            }
            (None, _) => {}
        }
    }
    disjoint(plan, &lying, layout.total)
}

/// Likewise of what lives inside of each tile.
pub(super) fn within(plan: &Plan, sizes: &Sizes) -> Result<(), String> {
    let spans = spans(plan, false);
    for t in &plan.tiles {
        let length = |per: &Size| usize::try_from(value(per, sizes)).ok()?.checked_mul(usize::try_from(t.rows).ok()?);
        let placed = place_in(plan, t, &length).ok_or_else(|| super::at(plan, t.first, "the tile fits no memory"))?;
        let lies = |((b, per), offset): (&(usize, Size), &usize)| {
            Some(Lying { buffer: *b, span: spans[*b]?, offset: *offset, length: length(per)? })
        };
        let lying: Vec<Lying> = t.private.iter().zip(&placed.0).filter_map(lies).collect();
        disjoint(plan, &lying, placed.1)?;
    }
    Ok(())
}

/// A buffer that lies somewhere from one step to another.
struct Lying {
    buffer: usize,
    span: (usize, usize),
    offset: usize,
    length: usize,
}

/// What lives at one time lies apart, before the end.
fn disjoint(plan: &Plan, all: &[Lying], total: usize) -> Result<(), String> {
    // In the order of time; whoever needs it no more goes before others come.
    let mut events: Vec<(usize, bool, usize)> = Vec::new();
    for (n, l) in all.iter().enumerate() {
        let end = l.offset.checked_add(l.length).and_then(|end| end.checked_add(BEHIND));
        ensure(end.is_some_and(|end| end <= total), || format!("{} lies beyond the end", name(plan, l.buffer)))?;
        events.extend([(l.span.0, true, n), (l.span.1.saturating_add(1), false, n)]);
    }
    events.sort();
    let mut alive: BTreeMap<usize, usize> = BTreeMap::new();
    for (step, comes, n) in events {
        let offset = all[n].offset;
        if !comes {
            alive.remove(&offset);
            continue;
        }
        let ends = |n: usize| all[n].offset + all[n].length + BEHIND;
        let before = alive.range(..=offset).next_back().filter(|(_, o)| ends(**o) > offset);
        let behind = alive.range(offset..).next().filter(|(at, _)| **at < ends(n));
        if let Some((_, other)) = before.or(behind) {
            let [it, other] = [n, *other].map(|n| name(plan, all[n].buffer));
            return Err(super::at(plan, step, &format!("{it} lies where {other} is still needed")));
        }
        alive.insert(offset, n);
    }
    Ok(())
}

/// Buffers that need no memory, or that of one tile.
fn nowhere(plan: &Plan) -> BTreeSet<usize> {
    let private = plan.tiles.iter().flat_map(|t| t.private.iter().map(|p| p.0));
    private.chain(groups(plan).into_iter().flat_map(|g| g.buffers)).collect()
}

/// From which step to which one each buffer is needed, by when steps really run: where others do them, then, and with their tile, unless it is
/// asked for one tile.
fn spans(plan: &Plan, whole: bool) -> Vec<Option<(usize, usize)>> {
    let mut done: Vec<usize> = (0..plan.steps.len()).collect();
    for g in groups(plan) {
        g.steps.iter().for_each(|s| done[*s] = g.last);
    }
    let mut spans: Vec<Option<(usize, usize)>> = vec![None; plan.buffers.len()];
    for (k, step) in plan.steps.iter().enumerate() {
        let tile = |k: usize| plan.tiles.iter().find(|t| whole && t.first <= k && k < t.last);
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
