//! Runs of steps that go through their first axis tile by tile, so that what they hand over stays in cache.

use super::arena::first;
use super::call::{self, Ptr, slice, slice_mut};
use super::exec::Exec;
use super::job::{Instance, Job, timed};
use crate::ir::Size;
use crate::plan::measured::cpu;
use crate::plan::{self, Plan};
use std::ops::Range;

/// A run of steps that goes tile by tile.
pub(super) struct TileJob {
    pub steps: Range<usize>,
    extent: i64,
    rows: i64,
    /// Rows are elements.
    flat: bool,
    /// Buffers private to a tile: elements per row, and the first place in a thread's scratch memory.
    private: Vec<(usize, i64, usize)>,
    scratch: usize,
    work: f64,
    kept: Option<Kept>,
}

impl TileJob {
    /// Whether it is worth more than one thread.
    pub fn splits(&self) -> bool {
        self.work >= cpu::SPLITS_FROM
    }
}

/// Rows that are brought together, and where each buffer of them lies meanwhile: elements per row, place in the scratch memory.
struct Kept {
    /// A bool for each row: buffer, offset, stride, and which it has to be.
    conditions: Vec<(usize, i64, i64, bool)>,
    read: Vec<(usize, i64, usize)>,
    written: Vec<(usize, i64, usize)>,
}

impl Kept {
    /// The rows in which all conditions are as they have to be.
    fn rows(&self, ptrs: &[Ptr], extent: i64) -> Vec<i64> {
        let holds = |r: &i64| {
            let is = |(b, offset, stride, holds): &(usize, i64, i64, bool)| {
                (slice::<i32>(ptrs[*b].moved(offset + r * stride), 1)[0] != 0) == *holds
            };
            self.conditions.iter().all(is)
        };
        (0..extent).filter(holds).collect()
    }
}

/// Copies rows of so many elements: row `k` of `from` is row `place(k)` of `to`, or the other way round.
fn bring(rows: &[i64], per: i64, at: Ptr, together: Ptr, back: bool) {
    for (k, r) in rows.iter().enumerate() {
        let (apart, here) = (at.moved(r * per), together.moved(k as i64 * per));
        let (to, from) = if back { (apart, here) } else { (here, apart) };
        slice_mut::<u32>(to, per as usize).copy_from_slice(slice(from, per as usize));
    }
}

impl Instance {
    pub(super) fn tile(&self, t: &TileJob, exec: Exec) {
        let kept = t.kept.as_ref().map(|kept| (kept, kept.rows(&self.ptrs, t.extent)));
        let extent = kept.as_ref().map_or(t.extent, |(_, rows)| rows.len() as i64);
        let count = (extent + t.rows - 1) / t.rows;
        // Tiles of one size, however many threads take them, and of about as many rows as the last one, so that no thread has much less to do.
        let even = (extent + count - 1) / count.max(1);
        let each = match kept {
            Some(_) => even,
            None if t.flat => t.rows,
            None => (even + cpu::TILE_STEP - 1).div_euclid(cpu::TILE_STEP).saturating_mul(cpu::TILE_STEP).min(t.rows),
        };
        // A few tiles, of rows that were brought together: each of their steps is split, not they.
        let few = kept.is_some() && t.splits() && count < cpu::TILES_EACH * exec.threads as i64;
        let parts = if t.splits() && !few { (exec.threads as i64).min(count).max(1) } else { 1 };
        let inside = if few { exec } else { Exec { pool: None, threads: 1 } };
        let scratch = self.scratch.get(first(&self.scratch)).map_or(Ptr::null(), |l| Ptr::of_scratch(&l.0));
        let part = |p: i64| {
            call::clean();
            let mut ptrs = self.ptrs.clone();
            let own = scratch.moved(p * t.scratch as i64);
            for tile in count * p / parts..count * (p + 1) / parts {
                let (start, end) = (tile * each, ((tile + 1) * each).min(extent));
                // Rows that were brought together begin where their memory begins.
                let from = if kept.is_some() { 0 } else { start };
                for (b, per, at) in &t.private {
                    ptrs[*b] = own.moved(*at as i64 - from * per);
                }
                let rows = kept.as_ref().map(|(kept, rows)| (*kept, &rows[start as usize..end as usize]));
                if let Some((kept, rows)) = rows {
                    for (b, per, at) in &kept.read {
                        ptrs[*b] = own.moved(*at as i64);
                        bring(rows, *per, self.ptrs[*b], ptrs[*b], false);
                    }
                    kept.written.iter().for_each(|(b, _, at)| ptrs[*b] = own.moved(*at as i64));
                }
                for k in t.steps.clone() {
                    timed(self.spent.get(k), || self.jobs[k].run(&ptrs, Some((from, from + end - start)), inside));
                }
                if let Some((kept, rows)) = rows {
                    kept.written.iter().for_each(|(b, per, _)| bring(rows, *per, self.ptrs[*b], ptrs[*b], true));
                }
            }
        };
        match exec.pool.filter(|_| parts > 1) {
            Some(pool) => pool.scope(|s| {
                let part = &part;
                (0..parts).for_each(|p| s.spawn(move |_| part(p)));
            }),
            None => match exec.pool.filter(|_| few) {
                Some(pool) => pool.install(|| part(0)),
                None => part(0),
            },
        }
    }
}

/// The runs of a plan with their sizes known, and the scratch memory that each thread needs. In a flat run every element is a row.
pub(super) fn tiles(plan: &Plan, jobs: &mut [Job], size: &dyn Fn(&Size) -> i64) -> (Vec<TileJob>, usize) {
    for k in plan.tiles.iter().filter(|t| t.flat).flat_map(|t| t.first..t.last) {
        if let Job::Kernel { unit, .. } = &mut jobs[k] {
            *unit = 1;
        } else if let Job::Apply(a) = &mut jobs[k] {
            a.unit = 1;
        }
    }
    let (mut out, mut most) = (Vec::new(), 0);
    for t in &plan.tiles {
        let length = |per: &Size| usize::try_from(size(per)).ok()?.checked_mul(usize::try_from(t.rows).ok()?);
        // What lives in the same steps of a tile lies apart; other buffers share memory.
        let (found, mut scratch) = plan::place_in(plan, t, &length).unwrap_or_else(|| (vec![0; t.private.len()], usize::MAX));
        let private = t.private.iter().zip(found).map(|((b, per), at)| (*b, size(per), at)).collect();
        let mut places = |buffers: &[(usize, Size)]| {
            let mut out = Vec::new();
            for (b, per) in buffers {
                let length = length(per).unwrap_or(usize::MAX);
                let at = if length < plan::PAGED { scratch } else { scratch.next_multiple_of(plan::PAGE) };
                out.push((*b, size(per), at));
                scratch = at.saturating_add(plan::room(length).unwrap_or(usize::MAX));
            }
            out
        };
        let kept = t.kept.as_ref().map(|kept| Kept {
            conditions: kept
                .conditions
                .iter()
                .map(|(v, holds)| (v.buffer, size(&v.offset), v.strides.first().map_or(0, size), *holds))
                .collect(),
            read: places(&kept.read),
            written: places(&kept.written),
        });
        let work = jobs[t.first..t.last].iter().map(Job::work).sum();
        most = most.max(if scratch < plan::PAGED { scratch } else { scratch.next_multiple_of(plan::PAGE) });
        out.push(TileJob {
            steps: t.first..t.last,
            extent: size(&t.extent),
            rows: t.rows,
            flat: t.flat,
            private,
            scratch,
            work,
            kept,
        });
    }
    out.iter_mut().for_each(|t| t.scratch = most);
    (out, most)
}
