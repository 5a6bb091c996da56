//! Products whose matrices are written just before they are read: some columns of each, for some matrices at a time, stay in cache.
//!
//! The head is laid out once, so that codes times head gives the columns as panels: for each row of a panel the rows of all numbers of the code
//! lie one below the other. What a sum's steps are depends on its length alone.

use super::call::{self, Matrix, Ptr};
use super::exec::Exec;
use super::laid::{Laid, Lie, Stored, Words};
use super::panel::{Form, Sheets};
use super::places::{Places, Rows};
use crate::plan::Writing;
use crate::plan::measured::cpu::{self, PANEL_ROWS, PANEL_STEPS};
use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

thread_local! {
    /// Panels of some matrices, a part of the head, and codes.
    static PANELS: RefCell<[Words; 3]> = RefCell::default();
    /// The rows of all matrices.
    static PACKED: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Such a product with its sizes known.
pub(super) struct Written {
    of: Writing,
    form: Form,
    /// Whether the head is kept laid out, and that.
    kept: bool,
    head: Option<Arc<Words>>,
}

fn count(n: i64) -> usize {
    n as usize
}

impl Written {
    pub fn new(of: Writing) -> Written {
        Written::with(of, call::forms()[0])
    }

    pub(super) fn with(of: Writing, form: Form) -> Written {
        Written { of, form, kept: false, head: None }
    }

    /// Numbers of a code, and 1 for what is added to all matrices.
    fn numbers(&self) -> usize {
        count(self.of.codes.0) + usize::from(self.of.added.is_some())
    }

    /// Elements that the head takes as it is read.
    fn length(&self) -> usize {
        self.numbers() * self.form.length((count(self.of.sums.0), count(self.of.columns.0)))
    }

    /// Decides whether the head is laid out once, in at most so many elements; as many as that takes.
    pub fn lay_out(&mut self, room: usize) -> usize {
        self.kept = self.length() <= room;
        if self.kept { self.length() } else { 0 }
    }

    /// Lays the head out as it is now.
    pub fn pack(&mut self, ptrs: &[Ptr], laid: Option<(&Laid, u64)>) {
        if !self.kept {
            return;
        }
        self.head = None;
        let (of, added) = (self.stored(ptrs), self.added(ptrs));
        let shape = [count(self.of.sums.0), count(self.of.columns.0)];
        let make = || {
            let mut words = Words::zero(self.length());
            let each = self.numbers() * shape[0] * self.form.wide;
            for (p, panel) in words.get_mut().chunks_exact_mut(each).take(self.panels()).enumerate() {
                self.lay((&of, added), p, 0..shape[0], panel);
            }
            words
        };
        self.head = Some(match laid {
            Some((laid, age)) => laid.words(age, &of, shape, Lie::Among(added.map(|a| (a.at.address(), [a.row, a.col]))), make),
            None => Arc::new(make()),
        });
    }

    fn stored(&self, ptrs: &[Ptr]) -> Stored {
        let of = &self.of;
        Stored {
            at: ptrs[of.head.0].moved(of.head.1),
            count: count(of.codes.0),
            apart: of.codes.1[1],
            row: of.sums.1[1],
            col: of.columns.1[0],
        }
    }

    /// What is added to all matrices.
    fn added(&self, ptrs: &[Ptr]) -> Option<Matrix> {
        self.of.added.map(|(buffer, offset, [row, col])| Matrix { at: ptrs[buffer].moved(offset), row, col })
    }

    /// Lays some rows of a panel out: for each the rows of all numbers of the code, and of what is added.
    fn lay(&self, (of, added): (&Stored, Option<Matrix>), panel: usize, rows: Range<usize>, to: &mut [f32]) {
        let wide = self.form.wide;
        let columns = self.columns(panel);
        for (row, to) in rows.zip(to.chunks_exact_mut(self.numbers() * wide)) {
            for (code, to) in to.chunks_exact_mut(wide).enumerate() {
                let head = Matrix { at: of.at.moved(code as i64 * of.apart), row: of.row, col: of.col };
                let from = added.filter(|_| code == of.count).unwrap_or(head);
                let at = from.at.moved(row as i64 * from.row + (panel * wide) as i64 * from.col);
                if from.col == 1 {
                    to[..columns].copy_from_slice(call::slice(at, columns));
                } else {
                    let one = |c: usize| call::slice::<f32>(at.moved(c as i64 * from.col), 1)[0];
                    to[..columns].iter_mut().enumerate().for_each(|(c, x)| *x = one(c));
                }
                to[columns..].fill(0.0);
            }
        }
    }

    fn panels(&self) -> usize {
        count(self.of.columns.0).div_ceil(self.form.wide)
    }

    /// Columns of a panel.
    fn columns(&self, panel: usize) -> usize {
        self.form.wide.min(count(self.of.columns.0) - panel * self.form.wide)
    }

    /// Multiply-adds.
    pub fn work(&self) -> f64 {
        let of = &self.of;
        of.matrices.0 as f64 * of.sums.0 as f64 * of.columns.0 as f64 * (self.numbers() as i64 + of.rows.0) as f64
    }

    /// The rows of one matrix, on the side that is multiplied and in the result.
    fn rows(&self, ptrs: &[Ptr], matrix: usize) -> [Rows<'static>; 2] {
        let of = &self.of;
        let rows = |(buffer, at): (usize, i64), which: usize, step: i64| Rows {
            at: ptrs[buffer].moved(at + matrix as i64 * of.matrices.1[1 + which]),
            places: Places::Even { stride: of.rows.1[which], count: count(of.rows.0) },
            step,
        };
        [rows(of.x, 0, of.sums.1[0]), rows(of.y, 1, of.columns.1[1])]
    }

    /// Packs the rows of some matrices, block by block, and in each stretch by stretch.
    fn pack_rows(&self, ptrs: &[Ptr], matrices: Range<usize>, to: &mut [f32]) {
        let (rows, sums) = (count(self.of.rows.0), count(self.of.sums.0));
        for (matrix, to) in matrices.zip(to.chunks_exact_mut(rows * sums)) {
            let [x, _] = self.rows(ptrs, matrix);
            for block in blocks(rows) {
                for from in (0..sums).step_by(PANEL_STEPS) {
                    let steps = PANEL_STEPS.min(sums - from);
                    let to = &mut to[block.start * sums + block.len() * from..][..block.len() * steps];
                    self.form.pack(&x, &block, (from, steps), to);
                }
            }
        }
    }

    /// Runs it all; threads take panels, or matrices where there are few panels.
    pub fn run(&self, ptrs: &[Ptr], exec: Exec) {
        let (matrices, panels) = (count(self.of.matrices.0), self.panels());
        let each = count(self.of.rows.0 * self.of.sums.0);
        PACKED.with_borrow_mut(|packed| {
            packed.resize((matrices * each).max(packed.len()), 0.0);
            let at = Ptr::of_f32_mut(packed);
            exec.split(matrices as i64, 1, self.work(), &|from, to| {
                let (from, to) = (from as usize, to as usize);
                let own = call::slice_mut(at.moved((from * each) as i64), (to - from) * each);
                self.pack_rows(ptrs, from..to, own);
            });
            let packed = &packed[..matrices * each];
            let by_panels = panels >= cpu::PANELS_EACH * exec.threads;
            let all = if by_panels { panels } else { matrices };
            exec.split(all as i64, 1, self.work(), &|from, to| {
                let own = from as usize..to as usize;
                let (panels, matrices) = if by_panels { (own, 0..matrices) } else { (0..panels, own) };
                self.part(ptrs, packed, panels, matrices);
            });
        });
    }

    /// How many matrices at a time, and whether all panels of some come before other matrices: then their rows stay in cache, and the head
    /// is read again for the others. Else the head stays, if it is small, and rows are read again.
    fn order(&self, matrices: usize) -> (usize, bool) {
        let (rows, sums, numbers) = (count(self.of.rows.0), count(self.of.sums.0), self.numbers());
        let (wide, high) = (self.form.wide, self.form.high);
        let panel = PANEL_STEPS.min(sums) * wide;
        let some = |each: usize| (cpu::WRITTEN_CACHE / each / high).clamp(1, cpu::WRITTEN_GROUPS) * high;
        let (by_rows, by_panels) = (some(rows * sums + panel), some(panel));
        let head = numbers * sums * self.panels() * wide;
        let again = |some: usize| head * matrices.div_ceil(some);
        let first = matrices * rows * sums + again(by_rows);
        let head = if numbers * panel <= cpu::WRITTEN_CACHE { head } else { again(by_panels) };
        if first <= self.panels() * matrices * rows * sums + head { (by_rows, true) } else { (by_panels, false) }
    }

    /// Some panels of some matrices.
    fn part(&self, ptrs: &[Ptr], packed: &[f32], panels: Range<usize>, matrices: Range<usize>) {
        let (some, by_rows) = self.order(matrices.len());
        let chunks = matrices.len().div_ceil(some);
        let chunk = |n: usize| matrices.start + n * some..matrices.end.min(matrices.start + (n + 1) * some);
        PANELS.with_borrow_mut(|scratch| {
            if by_rows {
                for n in 0..chunks {
                    panels.clone().for_each(|panel| self.some(ptrs, packed, panel, chunk(n), scratch));
                }
            } else {
                for panel in panels {
                    (0..chunks).for_each(|n| self.some(ptrs, packed, panel, chunk(n), scratch));
                }
            }
        });
    }

    /// A panel of some matrices.
    fn some(&self, ptrs: &[Ptr], packed: &[f32], panel: usize, matrices: Range<usize>, scratch: &mut [Words; 3]) {
        let (sums, numbers) = (count(self.of.sums.0), self.numbers());
        let [written, head, codes] = scratch;
        let codes = codes.at_least(matrices.len() * numbers);
        let z = ptrs[self.of.z.0].moved(self.of.z.1);
        let (down, along) = (self.of.matrices.1[0], self.of.codes.1[0]);
        for (q, codes) in codes.chunks_exact_mut(matrices.len()).enumerate() {
            if q as i64 == self.of.codes.0 {
                codes.fill(1.0);
                continue;
            }
            let one = |matrix: usize| call::slice::<f32>(z.moved(matrix as i64 * down + q as i64 * along), 1)[0];
            codes.iter_mut().zip(matrices.clone()).for_each(|(x, matrix)| *x = one(matrix));
        }
        for from in (0..sums).step_by(PANEL_STEPS) {
            let steps = from..sums.min(from + PANEL_STEPS);
            let written = written.at_least(matrices.len() * steps.len() * self.form.wide);
            self.write(ptrs, panel, codes, steps.clone(), (head, written));
            self.multiply(ptrs, panel, matrices.clone(), steps, (packed, written));
        }
    }

    /// Writes some rows of a panel of some matrices.
    fn write(&self, ptrs: &[Ptr], panel: usize, codes: &[f32], rows: Range<usize>, (part, out): (&mut Words, &mut [f32])) {
        let (wide, numbers) = (self.form.wide, self.numbers());
        if let Some(head) = &self.head {
            let begin = (panel * count(self.of.sums.0) + rows.start) * numbers * wide;
            let head = &head.get()[begin..][..rows.len() * numbers * wide];
            return (self.form.write)(&mut Sheets { codes, numbers, head, out });
        }
        let head = part.at_least(rows.len() * numbers * wide);
        self.lay((&self.stored(ptrs), self.added(ptrs)), panel, rows, head);
        (self.form.write)(&mut Sheets { codes, numbers, head, out });
    }

    /// Multiplies some steps of the rows of some matrices with what was written.
    fn multiply(
        &self,
        ptrs: &[Ptr],
        panel: usize,
        matrices: Range<usize>,
        steps: Range<usize>,
        (packed, written): (&[f32], &[f32]),
    ) {
        let (rows, sums, wide) = (count(self.of.rows.0), count(self.of.sums.0), self.form.wide);
        for (n, matrix) in matrices.enumerate() {
            let [_, y] = self.rows(ptrs, matrix);
            let y = Rows { at: y.at.moved((panel * wide) as i64 * y.step), ..y };
            let each = steps.len() * wide;
            let (written, next) = written[n * each..].split_at(each);
            let next = &next[..next.len().min(each)];
            for block in blocks(rows) {
                let packed = &packed[matrix * rows * sums + block.start * sums + block.len() * steps.start..];
                let columns = self.columns(panel);
                self.form.panel((packed, written, next, &[]), (steps.len(), columns), &y, &block, steps.start > 0);
            }
        }
    }
}

/// Rows that are packed together.
fn blocks(rows: usize) -> impl Iterator<Item = Range<usize>> {
    (0..rows).step_by(PANEL_ROWS).map(move |first| first..rows.min(first + PANEL_ROWS))
}
