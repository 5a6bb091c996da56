//! Products with few columns: dot products, of which the rows lie along memory as they are and the columns are laid out so. Four rows (two, where
//! there are fewer registers) meet four columns at a time.
//!
//! Written once, compiled for each kind of vector. A sum is taken in the same order whatever is computed beside it.

use super::vector::{Base, Vector};

/// `m` rows of length `k`, each times `n` columns, which lie one after the other, and zeros up to a whole number of [`TOGETHER`].
pub(super) struct Shape {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub a_row: usize,
    pub out_row: usize,
    pub out_col: usize,
    pub add: bool,
}

/// Columns that are taken together.
pub(super) const TOGETHER: usize = 4;

/// `R` rows from row `i` times `C` columns; the others of their group are 0.
#[inline(always)]
fn tile<V: Vector, const R: usize, const C: usize>(s: &Shape, a: &[f32], columns: &[f32], i: usize) -> [[f32; TOGETHER]; R] {
    let k = s.k;
    let rows: [&[f32]; R] = std::array::from_fn(|r| &a[(i + r) * s.a_row..][..k]);
    let columns: [&[f32]; C] = std::array::from_fn(|c| &columns[c * k..][..k]);
    let mut sums = [[V::zero(); TOGETHER]; R];
    let whole = k - k % V::LANES;
    let mut from = 0;
    while from < whole {
        let ys: [V; C] = std::array::from_fn(|c| V::load(&columns[c][from..from + V::LANES]));
        for r in 0..R {
            let x = V::load(&rows[r][from..from + V::LANES]);
            for c in 0..C {
                sums[r][c] = sums[r][c].fused(x, ys[c]);
            }
        }
        from += V::LANES;
    }
    if from < k {
        for r in 0..R {
            let x = V::load_part(&rows[r][from..]);
            for c in 0..C {
                sums[r][c] = sums[r][c].fused(x, V::load_part(&columns[c][from..]));
            }
        }
    }
    // A closure would not be compiled with the features that vectors need.
    let mut out = [[0.0; TOGETHER]; R];
    for r in 0..R {
        out[r] = V::totals(sums[r]);
    }
    out
}

/// As many rows from `i` as there are whole groups of `R`; gives where it stopped.
#[inline(always)]
fn rows<V: Vector, const R: usize>(s: &Shape, a: &[f32], columns: &[f32], out: &mut [f32], mut i: usize) -> usize {
    while i + R <= s.m {
        for (g, columns) in columns.chunks_exact(TOGETHER * s.k).enumerate() {
            let first = g * TOGETHER;
            let many = TOGETHER.min(s.n - first);
            let sums = match many {
                1 => tile::<V, R, 1>(s, a, columns, i),
                2 => tile::<V, R, 2>(s, a, columns, i),
                3 => tile::<V, R, 3>(s, a, columns, i),
                _ => tile::<V, R, TOGETHER>(s, a, columns, i),
            };
            for r in 0..R {
                for c in 0..many {
                    let to = &mut out[(i + r) * s.out_row + (first + c) * s.out_col];
                    *to = if s.add { *to + sums[r][c] } else { sums[r][c] };
                }
            }
        }
        i += R;
    }
    i
}

#[inline(always)]
fn all<V: Vector, const R: usize>(s: &Shape, a: &[f32], columns: &[f32], out: &mut [f32]) {
    let i = rows::<V, R>(s, a, columns, out, 0);
    rows::<V, 1>(s, a, columns, out, i);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,fma")]
pub(super) fn thin_avx512(s: &Shape, a: &[f32], columns: &[f32], out: &mut [f32]) {
    all::<super::vector::Avx512, 4>(s, a, columns, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
pub(super) fn thin_avx2(s: &Shape, a: &[f32], columns: &[f32], out: &mut [f32]) {
    all::<super::vector::Avx2, 2>(s, a, columns, out);
}

pub(super) fn thin_plain(s: &Shape, a: &[f32], columns: &[f32], out: &mut [f32]) {
    all::<Base, 2>(s, a, columns, out);
}
