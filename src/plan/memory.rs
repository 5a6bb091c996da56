//! Where buffers lie: liveness over the steps, then first fit in one arena.
//!
//! A buffer that a prepared step writes and a later run reads stays for good. Buffers of prepare and of run share memory only
//! where no run needs what prepare left.

use super::view::value;
use super::{Kind, Plan, Sizes, Tile};
use crate::ir::{Rate, Size};
use std::collections::{BTreeMap, BTreeSet};

/// Offsets of the temporary buffers in an arena, in elements.
#[derive(Clone, Debug)]
pub struct Layout {
    /// `None` for sources, arguments and outputs, which have memory of their own, for what lives inside one tile, and for what was to lie apart.
    pub offsets: Vec<Option<usize>>,
    /// Elements of every buffer.
    pub lengths: Vec<usize>,
    /// Elements of the arena.
    pub total: usize,
}

/// Elements between neighbours, so that vector loads past an end stay inside (a cache line).
const ALIGN: usize = 16;

/// Elements of a page of memory, at whose start every buffer of `PAGED` elements or more begins. A processor tells a load from the stores before it
/// by the low bits of their addresses. Where a result begins a little later in its page than what it is made of, each load looks like
/// an earlier store of the same loop and waits for it: a long chain of operations (a tanh in vectors of 512 bits) then took 2.8 times as long.
pub const PAGE: usize = 1024;
/// Elements from which on a buffer begins with a page: what rounding adds is a quarter of it at most.
pub const PAGED: usize = 4 * PAGE;

/// Elements that a buffer of so many takes.
pub fn room(length: usize) -> Option<usize> {
    let room = length.checked_add(2 * ALIGN)? / ALIGN * ALIGN;
    if length < PAGED { Some(room) } else { room.checked_next_multiple_of(PAGE) }
}

/// Places all temporary buffers but those `apart`. `None` where a size does not fit the machine.
pub fn place(plan: &Plan, sizes: &Sizes, apart: &[usize]) -> Option<Layout> {
    let mut lengths = Vec::new();
    for b in &plan.buffers {
        let n = b.shape.iter().try_fold(1usize, |n, s| n.checked_mul(usize::try_from(value(s, sizes)).ok()?))?;
        lengths.push(n);
    }
    // What lives inside one tile lies in the executor's scratch memory.
    let private = plan.tiles.iter().flat_map(|t| t.private.iter().map(|p| p.0));
    // Windows that a product reads where they come from lie nowhere.
    let private = private.chain(plan.taps.iter().map(|t| t.buffer));
    // Neither do scores, nor products to which a row is added.
    let private = private.chain(plan.attends.iter().flat_map(|a| a.buffers.iter().copied()));
    let private = private.chain(plan.biased.iter().map(|b| b.buffer));
    let private = private.chain(plan.finished.iter().map(|f| f.buffer));
    // Nor matrices that are written where they are read.
    let private = private.chain(plan.written.iter().flat_map(|w| w.buffers()));
    let private: Vec<usize> = private.chain(apart.iter().copied()).collect();
    let spans = lifetimes(plan);
    let placed = |b: &usize| plan.buffers[*b].kind == Kind::Temp && !private.contains(b);
    let order: Vec<usize> = (0..plan.buffers.len()).filter(|b| spans[*b].is_some() && placed(b)).collect();
    let mut offsets = vec![None; plan.buffers.len()];
    let (found, total) = fit(&order.iter().filter_map(|b| Some((lengths[*b], spans[*b]?))).collect::<Vec<_>>())?;
    order.iter().zip(found).for_each(|(b, at)| offsets[*b] = Some(at));
    Some(Layout { offsets, lengths, total: total.max(ALIGN) })
}

/// Places what lives inside one tile, of which each buffer has so many elements; gives how many there are in all.
pub fn place_in(plan: &Plan, tile: &Tile, length: &dyn Fn(&Size) -> Option<usize>) -> Option<(Vec<usize>, usize)> {
    let mut lives: BTreeMap<usize, Span> = BTreeMap::new();
    for k in tile.first..tile.last {
        let last = done(plan, k, k);
        for b in plan.steps[k].reads().into_iter().chain(plan.steps[k].writes()) {
            let span = lives.entry(b).or_insert((k, last));
            span.1 = span.1.max(last);
        }
    }
    let of = |(b, per): &(usize, Size)| Some((length(per)?, lives.get(b).copied().unwrap_or((tile.first, tile.last))));
    fit(&tile.private.iter().map(of).collect::<Option<Vec<_>>>()?)
}

/// First and last step at which something lives.
type Span = (usize, usize);

/// Where these go, by their lengths and lives: the largest first, each where the first gap is; and where they end.
fn fit(all: &[(usize, Span)]) -> Option<(Vec<usize>, usize)> {
    let mut order: Vec<usize> = (0..all.len()).collect();
    order.sort_by_key(|k| (std::cmp::Reverse(all[*k].0), *k));
    let mut out = vec![0usize; all.len()];
    let mut total = 0usize;
    for (n, k) in order.iter().enumerate() {
        let need = room(all[*k].0)?;
        let lives = |o: &&usize| overlap(all[**o].1, all[*k].1);
        let mut taken: Vec<(usize, usize)> =
            order[..n].iter().filter(lives).map(|o| Some((out[*o], out[*o] + room(all[*o].0)?))).collect::<Option<_>>()?;
        taken.sort();
        let mut at = 0usize;
        for (from, to) in taken {
            if at.checked_add(need)? <= from {
                break;
            }
            at = at.max(to);
        }
        out[*k] = at;
        total = total.max(at.checked_add(need)?);
    }
    Some((out, total))
}

fn overlap(a: Span, b: Span) -> bool {
    a.0 <= b.1 && b.0 <= a.1
}

/// First and last step of every buffer; a tiled run of steps counts as one.
fn lifetimes(plan: &Plan) -> Vec<Option<Span>> {
    let mut spans: Vec<Option<Span>> = vec![None; plan.buffers.len()];
    for (k, step) in plan.steps.iter().enumerate() {
        let tile = plan.tiles.iter().find(|t| t.first <= k && k < t.last);
        let (first, last) = tile.map_or((k, k), |t| (t.first, t.last - 1));
        let last = done(plan, k, last);
        for b in step.reads().into_iter().chain(step.writes()).chain(asked(plan, k)) {
            let span = spans[b].get_or_insert((first, last));
            span.1 = span.1.max(last);
            span.0 = span.0.min(first);
            if span.0 < plan.prepared && last >= plan.prepared {
                span.1 = usize::MAX;
            }
        }
    }
    spans
}

/// The step at which step `k` is done: `last`, unless another one does it.
fn done(plan: &Plan, k: usize, last: usize) -> usize {
    // What windows are taken from is read when their product is computed.
    let last = plan.taps.iter().find(|t| t.gather == k).map_or(last, |t| t.product);
    let last = plan.finished.iter().find(|f| f.taps.product == last).map_or(last, |f| f.kernel);
    // Queries and keys are read when the result is computed.
    let last = plan.attends.iter().find(|a| a.scores == k).map_or(last, |a| a.result);
    let last = plan.biased.iter().find(|b| b.product == k).map_or(last, |b| b.kernel);
    plan.written.iter().find(|w| w.makers().any(|maker| maker == k)).map_or(last, |w| w.product)
}

/// What a tile asks that brings together some rows of a step.
fn asked(plan: &Plan, step: usize) -> impl Iterator<Item = usize> {
    let tile = plan.tiles.iter().find(|t| t.first <= step && step < t.last);
    let asked = tile.and_then(|t| t.kept.as_ref()).map_or(&[][..], |kept| kept.conditions.as_slice());
    asked.iter().map(|(view, _)| view.buffer)
}

/// Buffers that prepared steps make of conditions and that stay: all that is another one when a condition is another one, and parameters and
/// sizes are the same. What they read decides it, step by step.
pub fn of_conditions(plan: &Plan) -> Vec<usize> {
    let given = |b: usize| matches!(plan.buffers[b].kind, Kind::Source(_)) && plan.buffers[b].rate > Rate::Parameter;
    let mut made = BTreeSet::new();
    for (k, step) in plan.steps[..plan.prepared].iter().enumerate() {
        if step.reads().into_iter().chain(asked(plan, k)).any(|b| given(b) || made.contains(&b)) {
            made.extend(step.writes());
        }
    }
    let spans = lifetimes(plan);
    let stays = |b: &usize| plan.buffers[*b].kind == Kind::Output || spans[*b].is_some_and(|s| s.1 == usize::MAX);
    made.into_iter().filter(stays).collect()
}
