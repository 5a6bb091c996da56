//! Where buffers lie on a device: liveness over the dispatches, then first fit.
//!
//! In: a program and its sizes. Out: a range of the arena for each buffer, at offsets that every device can bind. What is given
//! and what is wanted stays where it is; so does what `prepare` leaves for the runs. A loop counts as one dispatch. Two ranges
//! that overlap are never alive together, so no two bindings of a dispatch share a word: [`disjoint`] proves it again.

use super::program::{Dispatch, Grid, Item, Kind, Program};
use crate::ir::Size;
use crate::ir::sizes::{Sizes, places};
use std::collections::BTreeMap;

/// Bytes to which every device can bind.
pub const ALIGN: u64 = 256;

/// Ranges in bytes.
#[derive(Clone, Debug)]
pub struct Layout {
    pub offsets: Vec<u64>,
    /// Bytes of each buffer, at least 4.
    pub lengths: Vec<u64>,
    pub total: u64,
}

/// Every dispatch of an item.
pub(super) fn visit(item: &Item, f: &mut dyn FnMut(&Dispatch)) {
    match item {
        Item::Dispatch(d) => f(d),
        Item::Repeat { body, .. } => body.iter().for_each(|i| visit(i, f)),
    }
}

/// First and last item that uses each buffer.
pub fn lifetimes(p: &Program) -> Vec<Option<(usize, usize)>> {
    let mut spans: Vec<Option<(usize, usize)>> = vec![None; p.buffers.len()];
    for (k, item) in p.items.iter().enumerate() {
        visit(item, &mut |d| {
            let indirect = match d.grid {
                Grid::Indirect { buffer, .. } => Some(buffer),
                Grid::Work { .. } => None,
            };
            for b in d.bindings.iter().copied().chain(indirect) {
                let span = spans[b].get_or_insert((k, k));
                span.1 = span.1.max(k);
                if span.0 < p.prepared && k >= p.prepared {
                    span.1 = usize::MAX;
                }
            }
        });
    }
    for (span, b) in spans.iter_mut().zip(&p.buffers) {
        match b.kind {
            Kind::Source(_) => *span = Some((0, usize::MAX)),
            Kind::Output => *span = Some((span.map_or(0, |s| s.0), usize::MAX)),
            Kind::Temp => {}
        }
    }
    spans
}

/// Places all buffers. `None` where their bytes do not fit 64 bits.
pub fn place(p: &Program, sizes: &Sizes) -> Option<Layout> {
    let mut seen: BTreeMap<Size, u64> = BTreeMap::new();
    let mut lengths = Vec::new();
    for b in &p.buffers {
        let mut n = 1u64;
        for s in &b.shape {
            if !seen.contains_key(s) {
                seen.insert(s.clone(), places(s, sizes) as u64);
            }
            n = n.checked_mul(seen[s])?;
        }
        lengths.push(if b.half { n.max(1).div_ceil(2) } else { n.max(1) }.checked_mul(4)?);
    }
    let spans = lifetimes(p);
    let mut order: Vec<usize> = (0..p.buffers.len()).filter(|b| spans[*b].is_some()).collect();
    // What stays lies first, in order; then the longest first.
    order.sort_by_key(|b| match spans[*b] {
        Some((_, usize::MAX)) => (0, 0, *b),
        _ => (1, u64::MAX - lengths[*b], *b),
    });
    let mut offsets = vec![0u64; p.buffers.len()];
    let mut placed: Vec<usize> = Vec::new();
    let mut total = ALIGN;
    for b in order {
        let need = lengths[b].checked_next_multiple_of(ALIGN)?;
        let alive = |o: &&usize| match (spans[**o], spans[b]) {
            (Some(x), Some(y)) => x.0 <= y.1 && y.0 <= x.1,
            _ => false,
        };
        let mut taken: Vec<(u64, u64)> =
            placed.iter().filter(alive).map(|o| (offsets[*o], offsets[*o] + lengths[*o].next_multiple_of(ALIGN))).collect();
        taken.sort();
        let mut at = 0u64;
        for (from, to) in taken {
            if at.checked_add(need)? <= from {
                break;
            }
            at = at.max(to);
        }
        offsets[b] = at;
        total = total.max(at.checked_add(need)?);
        placed.push(b);
    }
    Some(Layout { offsets, lengths, total })
}

/// Whether no dispatch binds one word twice. Gives the names of two buffers that do.
pub fn disjoint(p: &Program, layout: &Layout) -> Result<(), (String, String)> {
    let mut wrong = None;
    for item in &p.items {
        visit(item, &mut |d| {
            let mut ranges: Vec<(u64, u64, usize)> =
                d.bindings.iter().map(|b| (layout.offsets[*b], layout.offsets[*b] + layout.lengths[*b], *b)).collect();
            ranges.sort();
            for pair in ranges.windows(2) {
                if pair[0].1 > pair[1].0 {
                    wrong = Some((p.buffers[pair[0].2].name.clone(), p.buffers[pair[1].2].name.clone()));
                }
            }
        });
    }
    wrong.map_or(Ok(()), Err)
}
