//! What is done to the sums of a product over windows on their way into the result.

use super::call::{Ptr, slice_mut};
use crate::plan::measured::cpu::APART_ROWS;

/// Places and columns that are turned at once.
const SQUARE: usize = 4;

/// Sums that go side by side into the result: where they begin in both, and how many.
pub(super) struct Run {
    pub from: usize,
    pub to: i64,
    pub len: usize,
}

/// As few runs as there can be for these places in sums and result, in this order.
pub(super) fn runs(places: impl Iterator<Item = (usize, i64)>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (from, to) in places {
        match runs.last_mut() {
            Some(run) if run.from + run.len == from && run.to + run.len as i64 == to => run.len += 1,
            _ => runs.push(Run { from, to, len: 1 }),
        }
    }
    runs
}

/// What is done to sums before they are stored: numbers that are added to columns, and what no result is less than.
#[derive(Default)]
pub(super) struct Finished {
    pub bias: Vec<f32>,
    pub least: Option<f32>,
}

/// Whether each of these places is the next one.
pub(super) fn side_by_side(mut places: impl Iterator<Item = i64>) -> bool {
    let Some(mut last) = places.next() else { return true };
    places.all(|at| std::mem::replace(&mut last, at) + 1 == at)
}

impl Finished {
    /// Takes sums of columns, `apart`, to where the runs say, and each column.
    pub fn store(&self, (sums, apart): (&[f32], usize), runs: &[Run], columns: &[(usize, i64)], out: Ptr) {
        let single = runs.len() > 1 && runs.iter().all(|r| r.len == 1);
        if single && side_by_side(columns.iter().map(|c| c.1)) {
            let first = columns[0].1;
            return runs.chunks(SQUARE).for_each(|runs| self.turn((sums, apart), columns.len(), runs, out.moved(first)));
        }
        for (n, (sums, (_, column))) in sums.chunks_exact(apart).zip(columns).enumerate() {
            let bias = self.bias.get(n).copied();
            for run in runs {
                let (to, from) = (slice_mut::<f32>(out.moved(run.to + column), run.len), &sums[run.from..][..run.len]);
                if bias.is_none() && self.least.is_none() {
                    to.copy_from_slice(from);
                    continue;
                }
                let (bias, least) = (bias.unwrap_or(-0.0), self.least.unwrap_or(f32::NEG_INFINITY));
                to.iter_mut().zip(from).for_each(|(to, x)| *to = at_least(x + bias, least));
            }
        }
    }

    /// Sums that are in the result already: a row of columns side by side at each of these places.
    pub fn rows(&self, rows: impl Iterator<Item = Ptr>, columns: usize) {
        if self.bias.is_empty() && self.least.is_none() {
            return;
        }
        let least = self.least.unwrap_or(f32::NEG_INFINITY);
        for at in rows {
            let row = slice_mut::<f32>(at, columns);
            if self.bias.is_empty() {
                row.iter_mut().for_each(|x| *x = at_least(*x, least));
            } else {
                row.iter_mut().zip(&self.bias).for_each(|(x, bias)| *x = at_least(*x + bias, least));
            }
        }
    }

    /// Takes a row of sums for each of these places to where the columns are.
    pub fn apart(&self, sums: &[f32], places: &[i64], columns: &[(usize, i64)], out: Ptr) {
        let least = self.least.unwrap_or(f32::NEG_INFINITY);
        for (sums, places) in sums.chunks(APART_ROWS * columns.len()).zip(places.chunks(APART_ROWS)) {
            for (c, (_, column)) in columns.iter().enumerate() {
                let bias = self.bias.get(c).copied().unwrap_or(-0.0);
                for (row, place) in sums.chunks_exact(columns.len()).zip(places) {
                    slice_mut::<f32>(out.moved(place + column), 1)[0] = at_least(row[c] + bias, least);
                }
            }
        }
    }

    /// Up to four places, each of which has its columns side by side.
    fn turn(&self, (sums, apart): (&[f32], usize), columns: usize, places: &[Run], out: Ptr) {
        let least = self.least.unwrap_or(f32::NEG_INFINITY);
        let bias = |c: usize| self.bias.get(c).copied().unwrap_or(-0.0);
        let first = places[0].from;
        let even = places.len() == SQUARE && places[SQUARE - 1].from == first + SQUARE - 1;
        let whole = if even { columns - columns % SQUARE } else { 0 };
        for c in (0..whole).step_by(SQUARE) {
            let square: [[f32; SQUARE]; SQUARE] = std::array::from_fn(|r| {
                let row = &sums[(c + r) * apart + first..][..SQUARE];
                [row[0], row[1], row[2], row[3]]
            });
            let bias: [f32; SQUARE] = std::array::from_fn(|r| bias(c + r));
            for (p, place) in places.iter().enumerate() {
                let row: [f32; SQUARE] = std::array::from_fn(|r| at_least(square[r][p] + bias[r], least));
                if let Some(to) = slice_mut::<f32>(out.moved(place.to + c as i64), SQUARE).first_chunk_mut::<SQUARE>() {
                    *to = row;
                }
            }
        }
        for place in places {
            for (c, to) in slice_mut::<f32>(out.moved(place.to + whole as i64), columns - whole).iter_mut().enumerate() {
                let c = whole + c;
                *to = at_least(sums[c * apart + place.from] + bias(c), least);
            }
        }
    }
}

/// What is less than `least` is that; NaN stays what it is.
#[inline(always)]
fn at_least(x: f32, least: f32) -> f32 {
    if x < least { least } else { x }
}
