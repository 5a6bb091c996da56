//! Few rows times a large matrix, read as it lies: all columns take some steps of their sums before any takes the next ones, so that memory
//! is read along its rows. Column by column, each step would be on another page.

use super::micro::{Shape, narrow, put, rows_of, tile};
use super::vector::{Base, Vector};
use crate::plan::measured::cpu::{SWEPT_SINGLE, SWEPT_STEPS, SWEPT_STEPS_OF_LINES};

/// Elements of a cache line.
const LINE: usize = 16;

#[inline(always)]
fn columns<V: Vector, const R: usize, const N: usize>(
    s: &Shape,
    a: &[f32],
    b: &[f32],
    out: &mut [f32],
    (i, from, steps): (usize, usize, usize),
) {
    let rows = rows_of::<R>(a, (i, s.a_row), from, steps.min(s.k - from));
    let (b, add) = (&b[from * s.b_row..], from > 0 || s.add);
    let mut j = 0;
    while j + N * V::LANES <= s.n {
        let sums = tile::<V, R, N>(&rows, b, (j, s.b_row));
        for r in 0..R {
            put(sums[r], &mut out[(i + r) * s.out_row + j..][..N * V::LANES], add);
        }
        j += N * V::LANES;
    }
    while j < s.n {
        let columns = V::LANES.min(s.n - j);
        let sums = narrow::<V, R>(&rows, b, (j, s.b_row), columns);
        for r in 0..R {
            put([sums[r]], &mut out[(i + r) * s.out_row + j..][..columns], add);
        }
        j += columns;
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
            columns::<V, R, 3>(s, a, b, out, (i, from, steps));
            i += R;
        }
        if R > 4 && i + 4 <= s.m {
            columns::<V, 4, 4>(s, a, b, out, (i, from, steps));
            i += 4;
        }
        if i + 2 <= s.m {
            columns::<V, 2, 4>(s, a, b, out, (i, from, steps));
            i += 2;
        }
        if i < s.m {
            columns::<V, 1, 4>(s, a, b, out, (i, from, steps));
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
