//! Products whose matrix an index chooses: rows are sorted by index (a stable counting sort), each group is one product in place of
//! the matrices, and its rows go back to where they belong. No copy of a matrix is made.

use super::call::{Matrix, Ptr, slice};
use super::multiply::summed;
use super::rows::{Inner, Sorted, gather, join, split, spread};
use crate::ir::Size;
use crate::plan;
use std::sync::Mutex;

/// A loop over rows.
#[derive(Clone, Copy, Debug)]
struct Row {
    n: i64,
    a: i64,
    o: i64,
    index: i64,
}

/// A grouped product ready to run.
#[derive(Debug)]
pub(super) struct Grouped {
    rows: Vec<Row>,
    /// Columns: stride in the result and in the matrix.
    columns: Vec<Inner>,
    /// Sums: stride in `a` and in the matrix.
    sums: Vec<Inner>,
    buffers: [usize; 4],
    offsets: [i64; 4],
    count: i64,
    stride: i64,
    clamp: bool,
    scratch: Mutex<Scratch>,
}

#[derive(Debug, Default)]
struct Scratch {
    /// Where each row starts: in `a`, in the result; and its group.
    places: Vec<(i64, i64, i64)>,
    sorted: Sorted,
    input: Vec<f32>,
    output: Vec<f32>,
}

impl Grouped {
    pub fn new(g: &plan::Grouped, size: &dyn Fn(&Size) -> i64) -> Grouped {
        let of = |x: &Option<Size>| x.as_ref().map_or(0, size);
        let (mut rows, mut columns, mut sums) = (Vec::new(), Vec::new(), Vec::new());
        for (k, s) in g.product.spans.iter().enumerate() {
            let index = g.index.terms.iter().find(|t| t.0 == k).map(|t| size(&t.1));
            let n = size(&s.size);
            if s.out.is_none() {
                sums.push(Inner { n, x: of(&s.a), b: of(&s.b) });
            } else if s.b.is_some() && index.is_none() {
                columns.push(Inner { n, x: of(&s.out), b: of(&s.b) });
            } else {
                rows.push(Row { n, a: of(&s.a), o: of(&s.out), index: index.unwrap_or(0) });
            }
        }
        let p = &g.product;
        Grouped {
            rows,
            columns: join(columns),
            sums: join(sums),
            buffers: [p.out.0, p.a.0, p.b.0, g.index.buffer],
            offsets: [size(&p.out.1), size(&p.a.1), size(&p.b.1), size(&g.index.offset)],
            count: size(&g.count),
            stride: size(&g.stride),
            clamp: g.clamp,
            scratch: Mutex::default(),
        }
    }

    /// Multiply-adds.
    pub fn work(&self) -> f64 {
        self.rows.iter().map(|r| r.n as f64).product::<f64>() * self.width() as f64 * self.depth() as f64
    }

    fn width(&self) -> usize {
        self.columns.iter().map(|d| d.n as usize).product()
    }

    fn depth(&self) -> usize {
        self.sums.iter().map(|d| d.n as usize).product()
    }

    /// Runs it all.
    pub fn run(&self, ptrs: &[Ptr], threads: usize) {
        let Ok(mut scratch) = self.scratch.lock() else { return };
        let s = &mut *scratch;
        let at = |k: usize| ptrs[self.buffers[k]].moved(self.offsets[k]);
        s.places.clear();
        self.place(0, (0, 0, 0), at(3), &mut s.places);
        s.sorted.sort(s.places.iter().map(|p| p.2 as usize), self.count as usize + 1);
        let (width, depth) = (self.width(), self.depth());
        // Rows that no matrix belongs to are the last group.
        for g in 0..=self.count as usize {
            let rows = s.sorted.group(g);
            if rows.is_empty() {
                continue;
            }
            let m = rows.len();
            s.output.clear();
            s.output.resize(m * width, 0.0);
            if g < self.count as usize && depth > 0 {
                s.input.clear();
                s.input.resize(m * depth, 0.0);
                for (row, k) in s.input.chunks_exact_mut(depth).zip(&s.sorted.order[rows.clone()]) {
                    gather(&self.sums, at(1).moved(s.places[*k].0), row);
                }
                let b = at(2).moved(g as i64 * self.stride);
                self.multiply(&mut s.output, &mut s.input, b, m, threads);
            }
            for (row, k) in s.output.chunks_exact(width).zip(&s.sorted.order[rows]) {
                spread(&self.columns, row, at(0).moved(s.places[*k].1));
            }
        }
    }

    /// Notes every row and its group.
    fn place(&self, level: usize, (a, o, i): (i64, i64, i64), index: Ptr, out: &mut Vec<(i64, i64, i64)>) {
        let Some(r) = self.rows.get(level) else {
            let value = i64::from(slice::<i32>(index.moved(i), 1)[0]);
            let inside = (0..self.count).contains(&value);
            let group = if self.clamp {
                value.clamp(0, self.count - 1)
            } else if inside {
                value
            } else {
                self.count
            };
            return out.push((a, o, group));
        };
        for k in 0..r.n {
            self.place(level + 1, (a + k * r.a, o + k * r.o, i + k * r.index), index, out);
        }
    }

    fn multiply(&self, output: &mut [f32], input: &mut [f32], b: Ptr, m: usize, threads: usize) {
        let (width, depth) = (self.width(), self.depth());
        let (out, a) = (Ptr::of_f32_mut(output), Ptr::of_f32_mut(input));
        // Loops that strides cannot join are taken apart.
        let (column, columns) = split(&self.columns);
        let (sum, sums) = split(&self.sums);
        for (jo, jb) in columns {
            let o = Matrix { at: out.moved(jo), row: width as i64, col: 1 };
            let x = Matrix { at: a, row: depth as i64, col: 1 };
            let y = Matrix { at: b.moved(jb), row: sum.b, col: column.b };
            summed(o, x, y, (m, column.n as usize, sum.n as usize), &sums, threads);
        }
    }
}
