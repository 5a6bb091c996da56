//! Sums of outer products that an index sorts: rows in the order of their groups (`sort`), then each group's result tile by tile, the
//! sum going over its own rows only. An element has its rows in their order, so the bytes are the same in every run.

use super::super::program::{Buffer, Grid, Item, Kind};
use super::super::stage::Placed;
use super::Emitter;
use super::module::Module;
use super::product;
use super::roles;
use super::sort::{self, Sorted};
use super::tile::{self, Form};
use crate::ir::{DType, Size};
use crate::plan::{Segments, measured::gpu};

/// Where a group's rows are found.
#[derive(Clone, Debug)]
pub(super) struct Segmented {
    /// Row numbers, group after group.
    pub order: usize,
    /// Where each group starts in the order, after a word for each thread and group.
    pub starts: usize,
    /// Groups without that of rows that belong to none, and how far apart their results lie.
    pub count: Size,
    pub stride: Size,
}

impl Segmented {
    /// The word in which the first group's start stands.
    pub fn first(&self, m: &mut Module) -> String {
        let all = self.count.add(&Size::from(1i64)).mul(&Size::from(i64::from(sort::THREADS)));
        m.size(&all)
    }
}

/// Whether tiles pay; else the sum goes over all rows for every group.
pub(in crate::gpu) fn pays(s: &Segments, size: &dyn Fn(&Size) -> i64) -> bool {
    let (kernel, sum) = product::nest(&s.product);
    let Some(sum) = sum else { return false };
    let r = roles::roles(&kernel, sum, false);
    let n = |loops: &[usize]| loops.iter().map(|l| size(&kernel.loops[*l].size)).fold(1, i64::saturating_mul);
    let (rows, columns, sums) = (n(&r.rows), n(&r.columns), n(&r.sums));
    let work = rows.saturating_mul(columns).saturating_mul(sums).saturating_mul(size(&s.count));
    let moved = |k: &usize| s.index.terms.iter().any(|t| t.0 == *k);
    let by_rows = (0..s.product.spans.len()).filter(moved).all(|k| s.product.spans[k].out.is_none());
    let large = rows * columns >= gpu::SEGMENT_ELEMENTS || work >= gpu::SEGMENT_WORK;
    by_rows && r.batch.is_empty() && !r.rows.is_empty() && !r.columns.is_empty() && large
}

impl Emitter<'_> {
    pub(super) fn segments(&mut self, s: &Segments, placed: &Placed, out: &mut Vec<Item>) {
        let (kernel, Some(sum)) = product::nest(&s.product) else { unreachable!("what pays has a sum") };
        let index = product::moved(&s.product, &s.index);
        let r = roles::roles(&kernel, sum, false);
        let key = format!("{index:?} {:?} {}", r.sums.iter().map(|l| &kernel.loops[*l].size).collect::<Vec<_>>(), s.count);
        let known = self.segmented.get(&key).cloned();
        let found = known.unwrap_or_else(|| {
            let rows = roles::extent(&kernel, &r.sums);
            let groups = s.count.add(&Size::from(1i64));
            let early = self.buffers[kernel.store.buffer].early;
            let name = self.buffers[index.buffer].name.clone();
            let mut word = |what: &str, n: Size| {
                let name = format!("{name}_{what}");
                self.buffers.push(Buffer { name, dtype: DType::I32, shape: vec![n], kind: Kind::Temp, early, half: false });
                self.buffers.len() - 1
            };
            let order = word("rows", rows.clone());
            let side = roles::height(i64::MAX);
            let table = word("row_tiles", tile::tiles(&rows, side).add(&groups).mul(&Size::from(3i64)));
            let grids = word("row_grids", Size::from(3i64));
            let counts = word("row_counts", groups.mul(&Size::from(i64::from(sort::THREADS) + 1)));
            let (count, stride) = (s.count.clone(), s.stride.clone());
            let sorted = Sorted { order, table, grids, number: 0, side, count, stride, clamp: false };
            let across = [Size::from(1i64)];
            let given = sort::Sort { kernel: &kernel, rows: &r.sums, index: &index, sorted: &sorted, counts, across: &across };
            let item = self.shader(&format!("{name}_rows"), sort::THREADS, &placed.places, Size::from(0i64), &|m| {
                sort::emit(m, &given);
                Grid::Work { count: Size::from(1i64), per: 1 }
            });
            out.push(item);
            Segmented { order, starts: counts, count: s.count.clone(), stride: s.stride.clone() }
        });
        self.segmented.insert(key, found.clone());
        let found = Segmented { stride: s.stride.clone(), ..found };
        let side = roles::height((self.size)(&roles::extent(&kernel, &r.rows)));
        let item = self.tiled(&kernel, placed, &|m| tile::emit(m, &kernel, sum, side, Form::Sums(&found)));
        out.push(item);
    }
}
