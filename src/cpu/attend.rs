//! Attention without its scores in memory: some queries at a time meet the keys, their weights stay in cache until the values are summed.
//!
//! Keys and values are laid out in panels once for all queries that read them. Where a query looks at nothing behind its own place, keys that
//! none of a block's queries looks at are left out, unless a value among them is no finite number: 0 times that is none either. How queries
//! are cut into blocks depends on the sizes alone, and so does each bit of a result.

use super::call::{self, Ptr, slice_mut};
use super::exec::Exec;
use super::laid::{Stored, Words};
use super::pack::Laying;
use super::panel::Form;
use super::places::{Places, Rows};
use super::softmax::LANES;
use crate::plan::{Attention, Pair, measured::cpu};
use std::cell::RefCell;

/// What a thread works with: keys and values in panels, scores, and sums.
#[derive(Default)]
struct Scratch {
    keys: Words,
    values: Words,
    scores: Words,
    sums: Words,
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Where q, k, v and the result of one pass around start.
type Start = [i64; 4];

/// Attention with its sizes known.
pub(super) struct Attend {
    of: Attention,
    form: Form,
    /// Queries of a block, and blocks.
    rows: i64,
    blocks: i64,
    /// Elements of a row of scores.
    line: usize,
}

impl Attend {
    pub fn new(of: Attention) -> Attend {
        Attend::with(of, call::forms()[0])
    }

    pub(super) fn with(of: Attention, form: Form) -> Attend {
        let fewest = cpu::ATTEND_FEWEST;
        let rows = (cpu::ATTEND_SCORES / of.keys.0).clamp(fewest, cpu::ATTEND_MOST) / fewest * fewest;
        let blocks = (of.queries.0 + rows - 1) / rows;
        let line = (of.keys.0 as usize).next_multiple_of(LANES);
        Attend { of, form, rows, blocks, line }
    }

    fn units(&self) -> i64 {
        self.of.around.iter().map(|a| a.n).product::<i64>() * self.blocks
    }

    /// Multiply-adds.
    pub fn work(&self) -> f64 {
        let pairs = self.of.around.iter().map(|a| a.n as f64).product::<f64>() * (self.of.queries.0 * self.of.keys.0) as f64;
        pairs * (self.of.inner.0 + self.of.width.0) as f64
    }

    /// Runs it all; threads take blocks of queries.
    pub fn run(&self, ptrs: &[Ptr], exec: Exec) {
        exec.split(self.units(), 1, self.work(), &|from, to| {
            SCRATCH.with_borrow_mut(|scratch| {
                let (mut laid, mut finite) = (None, false);
                for unit in from..to {
                    let start = self.start(unit / self.blocks);
                    if laid.replace([start[1], start[2]]) != Some([start[1], start[2]]) {
                        finite = self.lay_out(ptrs, start, scratch);
                    }
                    self.block(ptrs, start, unit % self.blocks * self.rows, finite, scratch);
                }
            });
        });
    }

    fn start(&self, pass: i64) -> Start {
        let of = &self.of;
        let (mut left, mut at) = (pass, [of.q.1, of.k.1, of.v.1, of.out.1]);
        for a in of.around.iter().rev() {
            let i = left % a.n;
            left /= a.n;
            at = [at[0] + a.q * i, at[1] + a.k * i, at[2] + a.v * i, at[3] + a.out * i];
        }
        at
    }

    /// The sizes of the keys as the matrix that scores are taken with, and of the values.
    fn shapes(&self) -> [(usize, usize); 2] {
        let keys = self.of.keys.0 as usize;
        [(self.of.inner.0 as usize, keys), (keys, self.of.width.0 as usize)]
    }

    /// Lays keys and values out. Gives whether all values are finite numbers.
    fn lay_out(&self, ptrs: &[Ptr], [_, k, v, _]: Start, scratch: &mut Scratch) -> bool {
        let [keys, values] = self.shapes();
        let Pair(_, key, value) = self.of.keys;
        let matrix = |at: Ptr, row, col| Stored { at, count: 1, apart: 0, row, col };
        let words = scratch.keys.at_least(self.form.length(keys));
        self.form.lay_out(&matrix(ptrs[self.of.k.0].moved(k), self.of.inner.2, key), keys, words);
        let words = scratch.values.at_least(self.form.length(values));
        self.form.lay_out(&matrix(ptrs[self.of.v.0].moved(v), value, self.of.width.1), values, words);
        words.iter().fold(true, |all, x| all & x.is_finite())
    }

    /// Some queries from `first`.
    fn block(&self, ptrs: &[Ptr], [q, _, _, out]: Start, first: i64, finite: bool, scratch: &mut Scratch) {
        let of = &self.of;
        let rows = self.rows.min(of.queries.0 - first);
        let [keys, values] = self.shapes();
        let causal = of.softmax.causal.is_some();
        // A query at place `n` looks at `n + 1` keys.
        let seen = |row: i64| if causal { (row + 1).min(of.keys.0) as usize } else { keys.1 };
        let last = if finite { seen(first + rows - 1) } else { keys.1 };
        let count = rows as usize;
        let at = scratch.scores.at_least(count * self.line);
        let even = |at: Ptr, stride: i64, step: i64| Rows { at, places: Places::Even { stride, count }, step };
        let scores = even(Ptr::of_f32_mut(at), self.line as i64, 1);
        let queries = even(ptrs[of.q.0].moved(q + first * of.queries.1), of.queries.1, of.inner.1);
        let (wide, every) = (self.form.wide, 0..count);
        let laying = Laying { matrix: scratch.keys.get(), k: keys.0, n: keys.1 };
        self.form.part(&laying, keys.0, 0..last.div_ceil(wide), every.clone(), (&queries, &scores, None));
        for (r, row) in at.chunks_exact_mut(self.line).enumerate() {
            call::softmax(row, seen(first + r as i64), last, of.softmax.scale);
        }
        let results = even(ptrs[of.out.0].moved(out + first * of.queries.2), of.queries.2, of.width.2);
        let panels = 0..values.1.div_ceil(wide);
        // A part of the keys begins equally late in every panel.
        let laying = |from: usize| Laying { matrix: &scratch.values.get()[from * wide..], k: values.0, n: values.1 };
        if last <= cpu::F32_TERMS {
            return self.form.part(&laying(0), last, panels, every, (&scores, &results, None));
        }
        let sums = scratch.sums.at_least(count * values.1);
        let mut total = vec![0.0f64; sums.len()];
        for from in (0..last).step_by(cpu::F32_TERMS) {
            let part = even(Ptr::of_f32_mut(sums), values.1 as i64, 1);
            let scores = Rows { at: scores.at.moved(from as i64), ..scores };
            self.form.part(&laying(from), cpu::F32_TERMS.min(last - from), panels.clone(), every.clone(), (&scores, &part, None));
            total.iter_mut().zip(sums.iter()).for_each(|(t, x)| *t += f64::from(*x));
        }
        for (r, row) in total.chunks_exact(values.1).enumerate() {
            for (c, x) in row.iter().enumerate() {
                slice_mut::<f32>(results.row(r).moved(c as i64 * results.step), 1)[0] = *x as f32;
            }
        }
    }
}
