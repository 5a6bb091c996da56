//! Few rows times a large matrix, read as it lies: all columns take some steps of their sums before any takes the next ones, so that memory
//! is read along its rows. Column by column, each step would be on another page.

use super::micro::{Shape, apart, put, rows_of, tile_in};
use super::vector::{Base, Vector};
use crate::plan::measured::cpu::{SWEPT_SINGLE, SWEPT_STEPS, SWEPT_STEPS_OF_LINES};

/// Elements of a cache line.
const LINE: usize = 16;

/// As many columns from `j` as there are whole blocks of `N` vectors; gives where it stopped.
#[inline(always)]
fn blocks<V: Vector, const R: usize, const N: usize, const S: usize>(
    s: &Shape,
    (rows, b): (&[&[f32]; R], &[f32]),
    out: &mut [f32],
    (i, mut j): (usize, usize),
    add: bool,
) -> usize {
    while j + N * V::LANES <= s.n {
        let sums = tile_in::<V, R, N, S>(rows, b, (j, s.b_row));
        for r in 0..R {
            put(sums[r], &mut out[(i + r) * s.out_row + j..][..N * V::LANES], add);
        }
        j += N * V::LANES;
    }
    j
}

/// All columns of `R` rows. Each sum goes in `S` sums, however many columns are beside it: threads share columns as they like.
#[inline(always)]
fn columns<V: Vector, const R: usize, const N: usize, const S: usize>(
    s: &Shape,
    a: &[f32],
    b: &[f32],
    out: &mut [f32],
    (i, from, steps): (usize, usize, usize),
) {
    let rows = rows_of::<R>(a, (i, s.a_row), from, steps.min(s.k - from));
    let (of, add) = ((&rows, &b[from * s.b_row..]), from > 0 || s.add);
    let j = blocks::<V, R, N, S>(s, of, out, (i, 0), add);
    let j = blocks::<V, R, 2, S>(s, of, out, (i, j), add);
    let j = blocks::<V, R, 1, S>(s, of, out, (i, j), add);
    if j < s.n {
        let sums = apart::<V, R, S>(of.0, of.1, (j, s.b_row), s.n - j);
        for r in 0..R {
            put([sums[r]], &mut out[(i + r) * s.out_row + j..][..s.n - j], add);
        }
    }
}

/// Rows `R` at a time, the others by fewer.
#[inline(always)]
fn sweep<V: Vector, const R: usize>(s: &Shape, a: &[f32], b: &[f32], out: &mut [f32]) {
    // Rows of a matrix may meet in the first cache: what is read of a line again may be gone by then.
    let steps = if s.m > SWEPT_SINGLE && V::LANES >= LINE { SWEPT_STEPS_OF_LINES } else { SWEPT_STEPS };
    for from in (0..s.k).step_by(steps) {
        let mut i = 0;
        while i + R <= s.m {
            columns::<V, R, 3, 1>(s, a, b, out, (i, from, steps));
            i += R;
        }
        if R > 4 && i + 4 <= s.m {
            columns::<V, 4, 4, 1>(s, a, b, out, (i, from, steps));
            i += 4;
        }
        if i + 2 <= s.m {
            columns::<V, 2, 4, 1>(s, a, b, out, (i, from, steps));
            i += 2;
        }
        if i < s.m {
            columns::<V, 1, 4, 2>(s, a, b, out, (i, from, steps));
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,fma")]
pub(super) fn sweep_avx512(s: &Shape, a: &[f32], b: &[f32], out: &mut [f32]) {
    sweep::<super::vector::Avx512, 8>(s, a, b, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
pub(super) fn sweep_avx2(s: &Shape, a: &[f32], b: &[f32], out: &mut [f32]) {
    sweep::<super::vector::Avx2, 4>(s, a, b, out);
}

pub(super) fn sweep_plain(s: &Shape, a: &[f32], b: &[f32], out: &mut [f32]) {
    sweep::<Base, 4>(s, a, b, out);
}
