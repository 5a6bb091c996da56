//! Products with matrices that stay what they are from run to run: they are laid out once, in panels of columns, each read from its first
//! element to its last. In a matrix as it is stored every step of a sum is a row further, on another page of memory.
//!
//! Rows are named by their places, so that those that an index chose need no copy; a result goes where its row says. What a sum's steps
//! are and in which order they are taken depends on its length alone: no number of threads or rows changes a bit.

use super::call::{self, Ptr, slice, slice_mut};
use super::laid::{Laid, Lie, Stored, Words};
use super::panel::{self, Form, HIGH, Out, Part, WIDE};
use super::part::Bias;
use super::places::{Places, Rows, groups};
use super::stretches::Stretches;
use crate::plan::measured::cpu::{self, FEW_AHEAD, PANEL_ROWS, PANEL_STEPS};
use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;

thread_local! {
    static PACKED: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Matrices of one shape in panels.
#[derive(Debug)]
pub(super) struct Panels {
    form: Form,
    k: usize,
    n: usize,
    words: Arc<Words>,
}

impl Bias {
    /// Some of its elements from `first`.
    fn some<'r>(&self, first: usize, row: &'r mut [f32]) -> &'r [f32] {
        let at = self.at.moved(first as i64 * self.step);
        row.iter_mut().enumerate().for_each(|(c, x)| *x = slice::<f32>(at.moved(c as i64 * self.step), 1)[0]);
        row
    }
}

impl Panels {
    /// Of `k` by `n` matrices; nothing is in them yet.
    pub fn new(k: usize, n: usize) -> Panels {
        Panels::of(call::forms()[0], k, n)
    }

    pub(super) fn of(form: Form, k: usize, n: usize) -> Panels {
        Panels { form, k, n, words: Arc::default() }
    }

    /// Elements that one such matrix takes.
    pub fn length(&self) -> usize {
        self.form.length((self.k, self.n))
    }

    /// Whether panels of so many matrices make up for the memory that they take, where so many rows are multiplied with each.
    pub fn pay(&self, rows: usize, count: usize) -> bool {
        let elements = self.k.saturating_mul(self.n).saturating_mul(count);
        let single = if count > 1 { 1 } else { cpu::PANEL_SINGLE };
        let large = rows > cpu::PANEL_FEW || (rows > single && elements >= cpu::PANEL_FEW_FROM);
        large && rows <= cpu::PANEL_FOR_ROWS && cpu::PANEL_FOR_TERMS.contains(&self.k) && self.n >= self.form.wide
    }

    /// How many panels a matrix has.
    pub fn count(&self) -> usize {
        self.n.div_ceil(self.form.wide)
    }

    /// Takes these matrices in the place of what was there. `laid`: what is laid out already, and the age of what memory holds.
    pub fn fill(&mut self, of: &Stored, laid: Option<(&Laid, u64)>) {
        // What was there goes first: both together may be too much.
        self.words = Arc::default();
        self.words = match laid {
            Some((laid, age)) => laid.words(age, of, [self.k, self.n], Lie::Apart, || self.laid_out(of)),
            None => Arc::new(self.laid_out(of)),
        };
    }

    fn laid_out(&self, of: &Stored) -> Words {
        let each = self.length();
        let mut out = Words::zero(of.count * each);
        for (which, words) in out.get_mut().chunks_exact_mut(each).take(of.count).enumerate() {
            self.form.lay_out(&Stored { at: of.at.moved(which as i64 * of.apart), ..*of }, (self.k, self.n), words);
        }
        out
    }

    /// The rows of `a` times matrix `which` with `bias` added to each, into the rows of `out`; threads take panels, or rows where there
    /// are few panels.
    pub fn multiply(&self, which: usize, a: &Rows, out: &Rows, bias: Option<Bias>, threads: usize) {
        let (rows, count) = (a.places.len(), self.count());
        if threads == 1 {
            return self.part(which, 0..count, 0..rows, (a, out, bias));
        }
        let by_panels = count >= cpu::PANELS_EACH * threads;
        let all = if by_panels { count } else { rows };
        rayon::scope(|s| {
            for t in 0..threads {
                s.spawn(move |_| {
                    // A library's worker may have left this thread's registers dirty.
                    call::clean();
                    let own = all * t / threads..all * (t + 1) / threads;
                    let (panels, rows) = if by_panels { (own, 0..rows) } else { (0..count, own) };
                    self.part(which, panels, rows, (a, out, bias));
                });
            }
        });
    }

    /// Some rows times some panels.
    pub fn part(&self, which: usize, panels: Range<usize>, rows: Range<usize>, sides: (&Rows, &Rows, Option<Bias>)) {
        let each = self.length();
        let matrix = &self.words.get()[which * each..][..each];
        self.form.part(&Laying { matrix, k: self.k, n: self.n }, self.k, panels, rows, sides);
    }
}

/// A matrix in panels.
pub(super) struct Laying<'a> {
    pub matrix: &'a [f32],
    pub k: usize,
    pub n: usize,
}

impl Form {
    /// Elements that a `k` by `n` matrix takes in panels.
    pub fn length(self, (k, n): (usize, usize)) -> usize {
        k * n.next_multiple_of(self.wide)
    }

    /// Lays the first of these matrices out, `k` by `n`. What fills up the last panel is 0.
    pub fn lay_out(self, of: &Stored, (k, n): (usize, usize), words: &mut [f32]) {
        let wide = self.wide;
        for (p, panel) in words.chunks_exact_mut((k * wide).max(1)).enumerate() {
            let columns = wide.min(n - p * wide);
            let at = of.at.moved((p * wide) as i64 * of.col);
            if columns < wide {
                panel.fill(0.0);
            }
            if of.col == 1 {
                for (row, to) in panel.chunks_exact_mut(wide).enumerate() {
                    to[..columns].copy_from_slice(slice(at.moved(row as i64 * of.row), columns));
                }
            } else {
                for c in 0..columns {
                    let element = |row: usize| slice::<f32>(at.moved(c as i64 * of.col + row as i64 * of.row), 1)[0];
                    (0..k).for_each(|row| panel[row * wide + c] = element(row));
                }
            }
        }
    }

    /// Some rows of `a` times some panels of a matrix, into rows of `out`, with `bias` added to each. Of each sum the first `all` steps are
    /// taken.
    pub fn part(
        self,
        of: &Laying,
        all: usize,
        panels: Range<usize>,
        rows: Range<usize>,
        (a, out, bias): (&Rows, &Rows, Option<Bias>),
    ) {
        let wide = self.wide;
        let mut row = [0.0f32; WIDE];
        // What packing takes, all panels share.
        let mut lying = Vec::new();
        let few = if self.high > cpu::WAYS && a.places.meet() { cpu::PANELS_FEW_MEETING } else { cpu::PANELS_FEW };
        let near = a.step == 1 && out.step == 1 && panels.len() <= few;
        PACKED.with_borrow_mut(|packed| {
            packed.resize(PANEL_ROWS * PANEL_STEPS, 0.0);
            for first in rows.clone().step_by(PANEL_ROWS) {
                let rows = first..rows.end.min(first + PANEL_ROWS);
                for from in (0..all).step_by(PANEL_STEPS) {
                    let steps = PANEL_STEPS.min(all - from);
                    if near {
                        lying.clear();
                        lying.extend(rows.clone().map(|r| slice::<f32>(a.row(r).moved(from as i64), steps)));
                    } else {
                        self.pack(a, &rows, (from, steps), packed);
                    }
                    for p in panels.clone() {
                        let panel = |p: usize| &of.matrix[(p * of.k + from) * wide..][..steps * wide];
                        let next = if rows.len() <= self.high {
                            // A panel is read once, in less time than all of the next one takes to arrive.
                            let words = &of.matrix[(p * of.k + from) * wide..];
                            let ahead = words.get(FEW_AHEAD..).unwrap_or_default();
                            &ahead[..ahead.len().min(steps * wide)]
                        } else if p + 1 < panels.end {
                            panel(p + 1)
                        } else {
                            &[]
                        };
                        let columns = wide.min(of.n - p * wide);
                        let out = Rows { at: out.at.moved((p * wide) as i64 * out.step), ..*out };
                        // The whole sum comes first.
                        let bias =
                            bias.filter(|_| from + steps == all).map_or(&[][..], |b| b.some(p * wide, &mut row[..columns]));
                        if near {
                            let out = &Out { rows: out, of: rows.clone(), columns };
                            (self.stretches)(&mut Stretches { rows: &lying, panel: panel(p), out, add: from > 0, bias, next });
                        } else {
                            self.panel((packed, panel(p), next, bias), (steps, columns), &out, &rows, from > 0);
                        }
                    }
                }
            }
        });
    }

    /// As [`groups`], of rows that this form takes together.
    pub(super) fn groups(self, rows: usize) -> impl Iterator<Item = (usize, usize)> {
        groups(rows, self.high)
    }

    /// Some steps of rows, group by group: for each step an element of each row.
    pub(super) fn pack(self, a: &Rows, rows: &Range<usize>, (from, steps): (usize, usize), packed: &mut [f32]) {
        for (first, count) in self.groups(rows.len()) {
            let to = &mut packed[first * steps..][..count * steps];
            let row = |r: usize| a.row(rows.start + first + r).moved(from as i64 * a.step);
            if a.step == 1 {
                let rows: [&[f32]; HIGH] = std::array::from_fn(|r| slice(row(r.min(count - 1)), steps));
                panel::pack(count, &rows, to);
            } else {
                for (k, to) in to.chunks_exact_mut(count).enumerate() {
                    to.iter_mut().enumerate().for_each(|(r, t)| *t = slice::<f32>(row(r).moved(k as i64 * a.step), 1)[0]);
                }
            }
        }
    }

    /// For each step, at these places, an element of each column of some that begin anywhere, group by group.
    pub(super) fn gather(self, at: Ptr, columns: &[(usize, i64)], steps: &[usize], packed: &mut [f32]) {
        for (first, count) in self.groups(columns.len()) {
            let (to, columns) = (&mut packed[first * steps.len()..][..count * steps.len()], &columns[first..][..count]);
            for (to, step) in to.chunks_exact_mut(count).zip(steps) {
                to.iter_mut().zip(columns).for_each(|(t, (c, _))| *t = slice::<f32>(at.moved((c + step) as i64), 1)[0]);
            }
        }
    }

    /// Packed rows times a part of a panel; the `next` one comes near meanwhile, some of it with each row.
    pub(super) fn panel(
        self,
        (a, panel, next, bias): (&[f32], &[f32], &[f32], &[f32]),
        (steps, columns): (usize, usize),
        out: &Rows,
        rows: &Range<usize>,
        add: bool,
    ) {
        if out.step == 1 {
            return (self.kernel)(&mut Part { a, panel, out: &Out { rows: *out, of: rows.clone(), columns }, add, next, bias });
        }
        for (first, count) in self.groups(rows.len()) {
            let row = |r: usize| out.row(rows.start + first + r);
            let a = &a[first * steps..][..count * steps];
            self.apart((a, panel, add, bias), (count, columns), &|r, c| row(r).moved(c as i64 * out.step));
        }
    }

    /// Rows whose elements do not lie side by side.
    #[inline(never)]
    fn apart(
        self,
        (a, panel, add, bias): (&[f32], &[f32], bool, &[f32]),
        (count, columns): (usize, usize),
        place: &dyn Fn(usize, usize) -> Ptr,
    ) {
        let mut sums = [[0.0f32; WIDE]; HIGH];
        let places = Places::Even { stride: WIDE as i64, count };
        let rows = Rows { at: Ptr::of_f32_mut(sums.as_flattened_mut()), places, step: 1 };
        (self.kernel)(&mut Part { a, panel, out: &Out { rows, of: 0..count, columns }, add: false, next: &[], bias: &[] });
        for (r, sums) in sums[..count].iter().enumerate() {
            for (c, sum) in sums[..columns].iter().enumerate() {
                let to = &mut slice_mut::<f32>(place(r, c), 1)[0];
                *to = if add { *to + sum } else { *sum };
                if let Some(bias) = bias.get(c) {
                    *to += bias;
                }
            }
        }
    }
}
