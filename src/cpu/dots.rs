//! Products with one column: a dot product for each row, where rows and the column lie along memory.
//!
//! Written once, compiled for each kind of vector. A sum is taken in the same order whatever is computed beside it.

use super::vector::{Base, Vector};

/// `m` dot products of length `k`.
pub(super) struct Shape {
    pub m: usize,
    pub k: usize,
    pub a_row: usize,
    pub out_row: usize,
    pub add: bool,
}

/// Vectors of sums that run side by side in a dot product: one alone would wait for itself.
const BESIDE: usize = 4;
/// Terms whose sums are taken in f32; those of more come together in f64.
const PART: usize = 2048;
/// Terms from which on a row is read by itself, as memory likes it; of fewer several rows together, since what ends a sum is much beside it.
const ALONE: usize = 256;

/// The next vectors of `R` rows and of the column, as many as there are, `BESIDE` at most; each goes to a sum of its own.
#[allow(clippy::needless_range_loop, reason = "`c` names a sum of each row, in registers")]
#[inline(always)]
fn last<V: Vector, const R: usize>(sums: &mut [[V; BESIDE]; R], rows: &[&[f32]; R], column: &[f32], mut from: usize) {
    for c in 0..BESIDE {
        let left = column.len() - from;
        if left >= V::LANES {
            let y = V::load(&column[from..]);
            for r in 0..R {
                sums[r][c] = sums[r][c].fused(V::load(&rows[r][from..]), y);
            }
            from += V::LANES;
        } else if left > 0 {
            let y = V::load_part(&column[from..]);
            for r in 0..R {
                sums[r][c] = sums[r][c].fused(V::load_part(&rows[r][from..]), y);
            }
            return;
        }
    }
}

/// The sums of `R` rows, no longer than [`PART`].
#[inline(always)]
fn part<V: Vector, const R: usize>(rows: &[&[f32]; R], column: &[f32]) -> [f32; R] {
    let mut sums = [[V::zero(); BESIDE]; R];
    let (each, mut from) = (BESIDE * V::LANES, 0);
    while from + each <= column.len() {
        let ys: [V; BESIDE] = std::array::from_fn(|c| V::load(&column[from + c * V::LANES..]));
        for r in 0..R {
            let row = &rows[r][from..from + each];
            for c in 0..BESIDE {
                sums[r][c] = sums[r][c].fused(V::load(&row[c * V::LANES..]), ys[c]);
            }
        }
        from += each;
    }
    last(&mut sums, rows, column, from);
    let mut out = [0.0; R];
    for r in 0..R {
        let [first, second, third, fourth] = sums[r];
        out[r] = first.plus(second).plus(third.plus(fourth)).total();
    }
    out
}

/// As many rows from `i` as there are whole groups of `R`; gives where it stopped.
#[inline(always)]
fn rows<V: Vector, const R: usize>(s: &Shape, a: &[f32], column: &[f32], out: &mut [f32], mut i: usize) -> usize {
    let column = &column[..s.k];
    while i + R <= s.m {
        let rows: [&[f32]; R] = std::array::from_fn(|r| &a[(i + r) * s.a_row..][..s.k]);
        let mut sums = [0.0; R];
        if s.k <= PART {
            sums = part::<V, R>(&rows, column);
        } else {
            let mut wide = [0.0f64; R];
            let mut from = 0;
            while from < s.k {
                let to = s.k.min(from + PART);
                let parts: [&[f32]; R] = std::array::from_fn(|r| &rows[r][from..to]);
                let more = part::<V, R>(&parts, &column[from..to]);
                for r in 0..R {
                    wide[r] += f64::from(more[r]);
                }
                from = to;
            }
            for r in 0..R {
                sums[r] = wide[r] as f32;
            }
        }
        for r in 0..R {
            let to = &mut out[(i + r) * s.out_row];
            *to = if s.add { *to + sums[r] } else { sums[r] };
        }
        i += R;
    }
    i
}

#[inline(always)]
fn all<V: Vector, const R: usize>(s: &Shape, a: &[f32], column: &[f32], out: &mut [f32]) {
    let i = if s.k < ALONE { rows::<V, R>(s, a, column, out, 0) } else { 0 };
    rows::<V, 1>(s, a, column, out, i);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,fma")]
pub(super) fn dots_avx512(s: &Shape, a: &[f32], column: &[f32], out: &mut [f32]) {
    all::<super::vector::Avx512, 4>(s, a, column, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
pub(super) fn dots_avx2(s: &Shape, a: &[f32], column: &[f32], out: &mut [f32]) {
    all::<super::vector::Avx2, 2>(s, a, column, out);
}

pub(super) fn dots_plain(s: &Shape, a: &[f32], column: &[f32], out: &mut [f32]) {
    all::<Base, 2>(s, a, column, out);
}
