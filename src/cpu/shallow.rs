//! Rows times a matrix of very few rows, of which some columns stay in registers while all rows go by: each sum is there as soon as it begins.
//!
//! Written once, compiled for each kind of vector.

use super::micro::put;
use super::vector::{Base, Vector};

/// Rows, `a_row` apart, whose elements are `a_term` apart, times a matrix whose rows are `b_row` apart. The result's rows lie one after the other.
pub(super) struct Shape {
    pub columns: usize,
    pub terms: usize,
    pub a_row: usize,
    pub a_term: usize,
    pub b_row: usize,
}

/// All rows of `N` vectors of columns from `j`, the last of which may not be whole.
#[inline(always)]
fn block<V: Vector, const K: usize, const N: usize>(s: &Shape, (a, b): (&[f32], &[f32]), out: &mut [f32], j: usize) {
    let columns = (N * V::LANES).min(s.columns - j);
    let mut matrix = [[V::zero(); N]; K];
    for k in 0..K {
        for (c, words) in b[k * s.b_row + j..][..columns].chunks(V::LANES).enumerate() {
            matrix[k][c] = if words.len() == V::LANES { V::load(words) } else { V::load_part(words) };
        }
    }
    for (row, out) in out.chunks_exact_mut(s.columns).enumerate() {
        let mut sums = [V::zero(); N];
        for k in 0..K {
            let x = V::splat(a[row * s.a_row + k * s.a_term]);
            for c in 0..N {
                sums[c] = sums[c].fused(x, matrix[k][c]);
            }
        }
        put(sums, &mut out[j..j + columns], false);
    }
}

#[inline(always)]
fn all<V: Vector, const K: usize, const MOST: usize>(s: &Shape, ab: (&[f32], &[f32]), out: &mut [f32]) {
    let mut j = 0;
    while j + MOST * V::LANES <= s.columns {
        block::<V, K, MOST>(s, ab, out, j);
        j += MOST * V::LANES;
    }
    while j < s.columns {
        block::<V, K, 1>(s, ab, out, j);
        j += V::LANES;
    }
}

/// With `MOST` vectors of columns at a time, each of which takes a register for each term and one for its sum.
#[inline(always)]
fn shallow<V: Vector, const MOST: usize>(s: &Shape, a: &[f32], b: &[f32], out: &mut [f32]) {
    match s.terms {
        1 => all::<V, 1, MOST>(s, (a, b), out),
        2 => all::<V, 2, MOST>(s, (a, b), out),
        3 => all::<V, 3, MOST>(s, (a, b), out),
        4 => all::<V, 4, MOST>(s, (a, b), out),
        other => unreachable!("{other} terms are no few"),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,fma")]
pub(super) fn shallow_avx512(s: &Shape, a: &[f32], b: &[f32], out: &mut [f32]) {
    shallow::<super::vector::Avx512, 4>(s, a, b, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
pub(super) fn shallow_avx2(s: &Shape, a: &[f32], b: &[f32], out: &mut [f32]) {
    shallow::<super::vector::Avx2, 2>(s, a, b, out);
}

pub(super) fn shallow_plain(s: &Shape, a: &[f32], b: &[f32], out: &mut [f32]) {
    shallow::<Base, 2>(s, a, b, out);
}
