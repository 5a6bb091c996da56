//! How many rows a workgroup takes, and what of a group stays in workgroup memory.

use super::super::program::{Buffer, Kind};
use super::super::rows::{BLOCK, Group, form};
use super::super::stage::{Placed, Stage};
use super::rows::Shape;
use crate::ir::{DType, Size};
use crate::plan::Step;
use crate::plan::measured::gpu::{GROUP_ELEMENTS, GROUPS};
use std::collections::BTreeMap;

/// Bytes of workgroup memory for rows; 2 KiB of the 16 KiB that every device has are left for partial results.
const MEMORY: i64 = 14 << 10;

/// How many stages of the whole program read each buffer, and how many write it.
type Counts<'a> = (&'a BTreeMap<usize, usize>, &'a BTreeMap<usize, usize>);

pub(super) fn shape(group: &Group, stages: &[Placed], buffers: &[Buffer], counts: Counts, size: &dyn Fn(&Size) -> i64) -> Shape {
    let n = size(&group.rows);
    let widths: Vec<i64> = stages.iter().map(|s| form(&s.stage, size).map_or(1, |f| f.width(n))).collect();
    let extents = stages
        .iter()
        .map(|s| match &s.stage {
            Stage::Kernel(k) | Stage::Product { kernel: k, .. } | Stage::Grouped { kernel: k, .. } => {
                k.loops.iter().map(|l| size(&l.size)).collect()
            }
            Stage::Parts(_) => Vec::new(),
            Stage::Other(step) => {
                if let Step::Order { input, .. } = &**step {
                    input.shape.iter().map(size).collect()
                } else {
                    Vec::new()
                }
            }
        })
        .collect();
    let widest = widths.iter().copied().max().unwrap_or(1).max(1);
    let mut most = 1;
    while n > 1 && 2 * most * widest <= GROUP_ELEMENTS && 2 * most <= (n / GROUPS).max(1) {
        most *= 2;
    }
    // Rows share what a product reads of its matrix: that is worth some memory in the arena.
    let products = stages.iter().any(|s| matches!(s.stage, Stage::Product { .. }));
    let least = if products { most.min(BLOCK) } else { 1 };
    let mut candidates = private(group, stages, buffers, counts);
    loop {
        let (slots, map) = slots(&candidates, buffers);
        let bytes: i64 = slots.iter().map(|s| s.2 * 4).sum();
        if bytes * least <= MEMORY || candidates.is_empty() {
            let mut rows = least;
            while 2 * rows <= most && 2 * rows * bytes <= MEMORY {
                rows *= 2;
            }
            return Shape { rows, slots, private: map, widths, extents };
        }
        // What is largest goes to the arena.
        let largest = (0..candidates.len()).max_by_key(|k| candidates[*k].width).unwrap_or(0);
        candidates.remove(largest);
    }
}

/// A buffer that lives in this group only, from its first writer to its last reader.
struct Candidate {
    buffer: usize,
    width: i64,
    first: usize,
    last: usize,
}

fn private(group: &Group, stages: &[Placed], buffers: &[Buffer], (counts, writers): Counts) -> Vec<Candidate> {
    let mut out: Vec<Candidate> = Vec::new();
    for (k, s) in stages.iter().enumerate() {
        let b = s.stage.target();
        if out.iter().any(|c| c.buffer == b) {
            continue;
        }
        let readers: Vec<usize> = (0..stages.len()).filter(|r| stages[*r].stage.reads().contains(&b)).collect();
        // A joined tensor may be written in part by the group before.
        let own = stages.iter().filter(|s| s.stage.target() == b).count();
        let of = |n: &BTreeMap<usize, usize>| n.get(&b).copied().unwrap_or(0);
        let alone = buffers[b].kind == Kind::Temp && of(counts) == readers.len() && of(writers) == own;
        // The width is the same for every choice of the unknowns.
        let width = buffers[b].len().div(&group.rows).and_then(|w| w.constant());
        if let (true, Some(width), Some(_), Some(last)) = (alone, width, group.even.get(&b), readers.last()) {
            out.push(Candidate { buffer: b, width, first: k, last: *last });
        }
    }
    out
}

/// Variables for the candidates; two that do not live together share one.
fn slots(candidates: &[Candidate], buffers: &[Buffer]) -> (Vec<(String, DType, i64)>, BTreeMap<usize, usize>) {
    let kind = |b: usize| if buffers[b].dtype == DType::F32 { DType::F32 } else { DType::I32 };
    let mut slots: Vec<(String, DType, i64)> = Vec::new();
    let mut until: Vec<usize> = Vec::new();
    let mut map = BTreeMap::new();
    for c in candidates {
        let free = (0..slots.len())
            .filter(|s| until[*s] < c.first && slots[*s].1 == kind(c.buffer))
            .min_by_key(|s| (slots[*s].2 - c.width).abs());
        let slot = match free {
            Some(s) => {
                slots[s].2 = slots[s].2.max(c.width);
                s
            }
            None => {
                let word = if kind(c.buffer) == DType::F32 { "rows" } else { "whole" };
                slots.push((format!("{word}_{}", slots.len()), kind(c.buffer), c.width));
                until.push(0);
                slots.len() - 1
            }
        };
        until[slot] = c.last;
        map.insert(c.buffer, slot);
    }
    (slots, map)
}
