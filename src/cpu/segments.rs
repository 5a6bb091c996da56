//! Sums of outer products that an index sorts: rows are sorted by index, and each group is one product over its rows, which are brought
//! side by side first. A group without rows is 0. The order of each sum is that of the rows, whatever the number of threads.

use super::call::{Matrix, Ptr, slice, slice_mut};
use super::multiply::summed;
use super::rows::{Inner, Sorted, gather, join, split};
use crate::ir::Size;
use crate::plan;
use std::sync::Mutex;

/// A loop over rows, or one that all but the groups have: strides in both factors, the result and the index.
#[derive(Clone, Copy, Debug)]
struct Dim {
    n: i64,
    a: i64,
    b: i64,
    o: i64,
    index: i64,
}

/// A sum of outer products ready to run.
#[derive(Debug)]
pub(super) struct Segments {
    batch: Vec<Dim>,
    rows: Vec<Dim>,
    /// What a row has in either factor: stride there and in the result.
    left: Vec<Inner>,
    right: Vec<Inner>,
    buffers: [usize; 4],
    offsets: [i64; 4],
    count: i64,
    stride: i64,
    scratch: Mutex<Scratch>,
}

#[derive(Debug, Default)]
struct Scratch {
    /// Where each row starts in `a` and in `b`, and its group.
    places: Vec<(i64, i64, usize)>,
    sorted: Sorted,
    left: Vec<f32>,
    right: Vec<f32>,
}

/// The result, both factors, the index: of one point of the batch.
type At = [Ptr; 4];

impl Segments {
    pub fn new(s: &plan::Segments, size: &dyn Fn(&Size) -> i64) -> Segments {
        let of = |x: &Option<Size>| x.as_ref().map_or(0, size);
        let (mut batch, mut rows, mut left, mut right) = (vec![], vec![], vec![], vec![]);
        for (k, span) in s.product.spans.iter().enumerate() {
            let index = s.index.terms.iter().find(|t| t.0 == k).map_or(0, |t| size(&t.1));
            let d = Dim { n: size(&span.size), a: of(&span.a), b: of(&span.b), o: of(&span.out), index };
            match (span.out.is_none(), d.a != 0, d.b != 0) {
                (true, _, _) => rows.push(d),
                (false, true, false) if index == 0 => left.push(Inner { n: d.n, x: d.a, b: d.o }),
                (false, false, true) if index == 0 => right.push(Inner { n: d.n, x: d.b, b: d.o }),
                (false, _, _) => batch.push(d),
            }
        }
        let p = &s.product;
        Segments {
            batch,
            rows,
            left: join(left),
            right: join(right),
            buffers: [p.out.0, p.a.0, p.b.0, s.index.buffer],
            offsets: [size(&p.out.1), size(&p.a.1), size(&p.b.1), size(&s.index.offset)],
            count: size(&s.count),
            stride: size(&s.stride),
            scratch: Mutex::default(),
        }
    }

    /// Multiply-adds.
    pub fn work(&self) -> f64 {
        let all = |dims: &[Dim]| dims.iter().map(|d| d.n as f64).product::<f64>();
        all(&self.batch) * all(&self.rows) * width(&self.left) as f64 * width(&self.right) as f64
    }

    /// Runs it all.
    pub fn run(&self, ptrs: &[Ptr], threads: usize) {
        let Ok(mut scratch) = self.scratch.lock() else { return };
        let at = [0, 1, 2, 3].map(|k| ptrs[self.buffers[k]].moved(self.offsets[k]));
        self.batches(0, at, &mut scratch, threads);
    }

    fn batches(&self, level: usize, at: At, s: &mut Scratch, threads: usize) {
        let Some(d) = self.batch.get(level) else { return self.groups(at, s, threads) };
        for k in 0..d.n {
            let [o, a, b, i] = at;
            self.batches(level + 1, [o.moved(k * d.o), a.moved(k * d.a), b.moved(k * d.b), i.moved(k * d.index)], s, threads);
        }
    }

    fn groups(&self, at: At, s: &mut Scratch, threads: usize) {
        s.places.clear();
        self.place(0, (0, 0, 0), at[3], &mut s.places);
        // Rows that belong to no group are the last one.
        s.sorted.sort(s.places.iter().map(|p| p.2), self.count as usize + 1);
        let (high, wide) = (width(&self.left), width(&self.right));
        if high == 0 || wide == 0 {
            return;
        }
        for g in 0..self.count as usize {
            let rows = s.sorted.group(g);
            let out = at[0].moved(g as i64 * self.stride);
            s.left.resize(rows.len() * high, 0.0);
            s.right.resize(rows.len() * wide, 0.0);
            let sides = s.left.chunks_exact_mut(high).zip(s.right.chunks_exact_mut(wide));
            for ((left, right), k) in sides.zip(&s.sorted.order[rows.clone()]) {
                gather(&self.left, at[1].moved(s.places[*k].0), left);
                gather(&self.right, at[2].moved(s.places[*k].1), right);
            }
            self.multiply(out, (&mut s.left, &mut s.right), rows.len(), threads);
        }
    }

    /// Notes every row and its group.
    fn place(&self, level: usize, (a, b, i): (i64, i64, i64), index: Ptr, out: &mut Vec<(i64, i64, usize)>) {
        let Some(r) = self.rows.get(level) else {
            let value = i64::from(slice::<i32>(index.moved(i), 1)[0]);
            let group = if (0..self.count).contains(&value) { value } else { self.count };
            return out.push((a, b, group as usize));
        };
        for k in 0..r.n {
            self.place(level + 1, (a + k * r.a, b + k * r.b, i + k * r.index), index, out);
        }
    }

    /// `out = leftᵀ right` over so many rows.
    fn multiply(&self, out: Ptr, (left, right): (&mut [f32], &mut [f32]), rows: usize, threads: usize) {
        let (high, wide) = (width(&self.left) as i64, width(&self.right) as i64);
        // Loops that strides cannot join are taken apart.
        let (row, up) = split(&self.left);
        let (column, across) = split(&self.right);
        let (a, b) = (Ptr::of_f32_mut(left), Ptr::of_f32_mut(right));
        for (from, to) in &up {
            for (start, end) in &across {
                let o = Matrix { at: out.moved(to + end), row: row.b, col: column.b };
                if rows == 0 {
                    zero(o, row.n, column.n);
                    continue;
                }
                let x = Matrix { at: a.moved(*from), row: 1, col: high };
                let y = Matrix { at: b.moved(*start), row: wide, col: 1 };
                summed(o, x, y, (row.n as usize, column.n as usize, rows), &[(0, 0)], threads.into());
            }
        }
    }
}

fn width(dims: &[Inner]) -> usize {
    dims.iter().map(|d| d.n as usize).product()
}

fn zero(o: Matrix, rows: i64, columns: i64) {
    for i in 0..rows {
        if o.col == 1 {
            slice_mut::<f32>(o.at.moved(i * o.row), columns as usize).fill(0.0);
            continue;
        }
        for j in 0..columns {
            slice_mut::<f32>(o.at.moved(i * o.row + j * o.col), 1)[0] = 0.0;
        }
    }
}
