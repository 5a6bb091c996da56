//! Runs of steps that go through their first axis tile by tile, so that what they hand over stays in cache.

use super::call::{self, Ptr};
use super::job::{Exec, Instance, Job, WORTHWHILE, timed};
use crate::ir::Size;
use crate::plan::Plan;
use std::ops::Range;

/// A run of steps that goes tile by tile.
pub(super) struct TileJob {
    pub steps: Range<usize>,
    extent: i64,
    rows: i64,
    /// Buffers private to a tile: elements per row, and the first place in a thread's scratch memory.
    private: Vec<(usize, i64, usize)>,
    scratch: usize,
    work: f64,
}

impl Instance {
    pub(super) fn tile(&self, t: &TileJob, exec: Exec) {
        let count = (t.extent + t.rows - 1) / t.rows;
        let parts = if t.work >= WORTHWHILE { (exec.threads as i64).min(count).max(1) } else { 1 };
        let scratch = self.scratch.first().map_or(Ptr::null(), |l| Ptr::of_scratch(&l.0));
        let part = |p: i64| {
            call::clean();
            let mut ptrs = self.ptrs.clone();
            let alone = Exec { pool: None, threads: 1 };
            for tile in count * p / parts..count * (p + 1) / parts {
                let (start, end) = (tile * t.rows, ((tile + 1) * t.rows).min(t.extent));
                for (b, per, at) in &t.private {
                    ptrs[*b] = scratch.moved((p as usize * t.scratch + at) as i64 - start * per);
                }
                for k in t.steps.clone() {
                    timed(self.spent.get(k), || self.jobs[k].run(&ptrs, Some((start, end)), alone));
                }
            }
        };
        match exec.pool.filter(|_| parts > 1) {
            Some(pool) => pool.scope(|s| {
                let part = &part;
                (0..parts).for_each(|p| s.spawn(move |_| part(p)));
            }),
            None => part(0),
        }
    }
}

/// The runs of a plan with their sizes known, and the scratch memory that each thread needs. In a flat run every element is a row.
pub(super) fn tiles(plan: &Plan, jobs: &mut [Job], size: &dyn Fn(&Size) -> i64) -> (Vec<TileJob>, usize) {
    for k in plan.tiles.iter().filter(|t| t.flat).flat_map(|t| t.first..t.last) {
        if let Job::Kernel { unit, .. } = &mut jobs[k] {
            *unit = 1;
        }
    }
    let (mut out, mut most) = (Vec::new(), 0);
    for t in &plan.tiles {
        let mut scratch = 0usize;
        let mut private = Vec::new();
        for (b, per) in &t.private {
            let per = size(per);
            private.push((*b, per, scratch));
            scratch += ((per * t.rows) as usize).next_multiple_of(16) + 16;
        }
        let work = jobs[t.first..t.last].iter().map(Job::work).sum();
        most = most.max(scratch);
        out.push(TileJob { steps: t.first..t.last, extent: size(&t.extent), rows: t.rows, private, scratch, work });
    }
    out.iter_mut().for_each(|t| t.scratch = most);
    (out, most)
}
