//! Products whose matrix an index chooses: rows are sorted by index (a stable counting sort), each group is one product in place of
//! the matrices, and its rows go back to where they belong. No copy of a matrix is made.

use super::call::{self, Matrix, Ptr, slice};
use super::laid::{Laid, Stored};
use super::multiply::summed;
use super::pack::Panels;
use super::places::{Places, Rows};
use super::rows::{Inner, Sorted, gather, join, split, spread};
use crate::ir::Size;
use crate::plan;
use std::ops::Range;
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
    /// All matrices, where they are laid out.
    panels: Option<Panels>,
    scratch: Mutex<Scratch>,
}

#[derive(Debug, Default)]
struct Scratch {
    /// Where each row starts: in `a`, in the result; and its group.
    places: Vec<(i64, i64, i64)>,
    sorted: Sorted,
    /// Where rows start, in the order of their groups.
    from: Vec<i64>,
    to: Vec<i64>,
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
            panels: None,
            scratch: Mutex::default(),
        }
    }

    /// Decides whether matrices that stay from run to run will be laid out in panels of at most so many elements; as many as they will have.
    pub fn lay_out(&mut self, stays: bool, room: usize) -> usize {
        let (width, depth, count) = (self.width(), self.depth(), self.count.max(0) as usize);
        let rows = self.rows.iter().map(|r| r.n as usize).product::<usize>().div_ceil(count.max(1));
        let one = self.columns.len() == 1 && self.sums.len() == 1;
        let panels = Panels::new(depth, width);
        let length = panels.length().saturating_mul(count);
        if !stays || !one || length > room || !panels.pay(rows, count) {
            return 0;
        }
        self.panels = Some(panels);
        length
    }

    /// They are read as they lie.
    pub fn leave(&mut self) {
        self.panels = None;
    }

    /// Lays them out as they are now; `laid` as [`Panels::fill`] takes it.
    pub fn pack(&mut self, ptrs: &[Ptr], laid: Option<(&Laid, u64)>) {
        let Some(panels) = &mut self.panels else { return };
        let at = ptrs[self.buffers[2]].moved(self.offsets[2]);
        let (row, col) = (self.sums[0].b, self.columns[0].b);
        panels.fill(&Stored { at, count: self.count as usize, apart: self.stride, row, col }, laid);
    }

    /// The buffer of the matrices.
    pub fn matrices(&self) -> usize {
        self.buffers[2]
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
        if let Some(panels) = &self.panels {
            return self.with_panels(panels, s, (at(0), at(1)), threads);
        }
        let (width, depth) = (self.width(), self.depth());
        for g in 0..self.count as usize {
            let rows = s.sorted.group(g);
            if rows.is_empty() {
                continue;
            }
            let (m, own) = (rows.len(), &s.sorted.order[rows]);
            let some = depth > 0;
            // Rows that lie side by side, as those of a document do, are read and written where they are.
            let from = even(&self.sums, own.iter().map(|k| s.places[*k].0));
            let to = even(&self.columns, own.iter().map(|k| s.places[*k].1)).filter(|_| some);
            if to.is_none() {
                s.output.clear();
                s.output.resize(m * width, 0.0);
            }
            if some {
                let x = match from {
                    Some((first, row)) => Matrix { at: at(1).moved(first), row, col: 1 },
                    None => {
                        s.input.clear();
                        s.input.resize(m * depth, 0.0);
                        for (row, k) in s.input.chunks_exact_mut(depth).zip(own) {
                            gather(&self.sums, at(1).moved(s.places[*k].0), row);
                        }
                        Matrix { at: Ptr::of_f32_mut(&mut s.input), row: depth as i64, col: 1 }
                    }
                };
                let out = match to {
                    Some((first, row)) => Matrix { at: at(0).moved(first), row, col: 1 },
                    None => Matrix { at: Ptr::of_f32_mut(&mut s.output), row: width as i64, col: 1 },
                };
                self.multiply(out, x, at(2).moved(g as i64 * self.stride), m, threads);
            }
            if to.is_none() {
                for (row, k) in s.output.chunks_exact(width).zip(own) {
                    spread(&self.columns, row, at(0).moved(s.places[*k].1));
                }
            }
        }
        self.without(s, (at(0), at(1)));
    }

    /// Rows that no matrix belongs to, which are the last group, meet one of zeros: what is not finite in them shows.
    fn without(&self, s: &mut Scratch, (out, a): (Ptr, Ptr)) {
        s.input.clear();
        s.input.resize(self.depth(), 0.0);
        for k in &s.sorted.order[s.sorted.group(self.count as usize)] {
            if !s.input.is_empty() {
                gather(&self.sums, a.moved(s.places[*k].0), &mut s.input);
            }
            let sum = s.input.iter().fold(0.0f32, |sum, x| sum + 0.0 * x);
            s.output.clear();
            s.output.resize(self.width(), sum);
            spread(&self.columns, &s.output, out.moved(s.places[*k].1));
        }
    }

    /// As `run`, of matrices in panels: rows are read and written where they are. Threads take columns of all groups.
    fn with_panels(&self, panels: &Panels, s: &mut Scratch, (out, a): (Ptr, Ptr), threads: usize) {
        s.from.clear();
        s.from.extend(s.sorted.order.iter().map(|k| s.places[*k].0));
        s.to.clear();
        s.to.extend(s.sorted.order.iter().map(|k| s.places[*k].1));
        let (column, sum, count) = (&self.columns[0], &self.sums[0], self.count as usize);
        let shared = &*s;
        let part = |panels_of: Range<usize>| {
            for g in 0..count {
                let rows = shared.sorted.group(g);
                let x = Rows { at: a, places: Places::Listed(&shared.from[rows.clone()]), step: sum.x };
                let to = Rows { at: out, places: Places::Listed(&shared.to[rows.clone()]), step: column.x };
                panels.part(g, panels_of.clone(), 0..rows.len(), (&x, &to, None));
            }
        };
        if threads == 1 {
            part(0..panels.count());
        } else {
            rayon::scope(|scope| {
                for t in 0..threads {
                    let own = panels.count() * t / threads..panels.count() * (t + 1) / threads;
                    let part = &part;
                    scope.spawn(move |_| {
                        // A library's worker may have left this thread's registers dirty.
                        call::clean();
                        part(own);
                    });
                }
            });
        }
        self.without(s, (out, a));
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

    /// Rows `x` of one group times its matrix at `b`.
    fn multiply(&self, out: Matrix, x: Matrix, b: Ptr, m: usize, threads: usize) {
        // Loops that strides cannot join are taken apart.
        let (column, columns) = split(&self.columns);
        let (sum, sums) = split(&self.sums);
        for (jo, jb) in columns {
            let o = Matrix { at: out.at.moved(jo), ..out };
            let y = Matrix { at: b.moved(jb), row: sum.b, col: column.b };
            summed(o, x, y, (m, column.n as usize, sum.n as usize), &sums, threads.into());
        }
    }
}

/// Where rows of neighbours begin and how far they are apart, where that is the same for all of them.
fn even(inner: &[Inner], mut rows: impl Iterator<Item = i64>) -> Option<(i64, i64)> {
    if !matches!(inner, [one] if one.x == 1) {
        return None;
    }
    let first = rows.next()?;
    let Some(second) = rows.next() else { return Some((first, inner[0].n.max(1))) };
    let (step, mut last) = (second - first, second);
    let alike = rows.all(|row| row - std::mem::replace(&mut last, row) == step);
    (alike && step >= inner[0].n.max(1)).then_some((first, step))
}
