//! Products of few rows: each vector of the matrix is used for up to eight rows, sums stay in registers. A long sum goes in stretches,
//! whose sums come together in f64.
//!
//! Written once, compiled for each kind of vector.

use super::vector::{Base, Vector};
use crate::plan::measured::cpu::SUMS_FEW;

/// A product of `m` rows of length `k` with a `k` by `n` matrix. What a row holds lies side by side.
pub(super) struct Shape {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub a_row: usize,
    pub b_row: usize,
    pub out_row: usize,
    pub add: bool,
}

#[inline(always)]
pub(super) fn fused<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// So many products are summed in f32, one after the other.
const STRETCH: usize = 64;
/// Up to here a product is short.
pub(super) const SHORT: usize = 1024;
/// Columns of the widest block: eight vectors of 16.
const COLUMNS: usize = 128;

/// `R` rows with `N` vectors of columns: a row of the matrix for each element of the rows, `step` apart, from column `j`. Few sums would wait for
/// themselves: those of even and of odd steps are taken apart.
#[inline(always)]
pub(super) fn tile<V: Vector, const R: usize, const N: usize>(rows: &[&[f32]; R], b: &[f32], at: (usize, usize)) -> [[V; N]; R] {
    if R * N > SUMS_FEW { tile_in::<V, R, N, 1>(rows, b, at) } else { tile_in::<V, R, N, 2>(rows, b, at) }
}

/// Steps of a sum in `S` sums, one after the other. What comes out depends on `S`, and on none of the others.
#[inline(always)]
pub(super) fn tile_in<V: Vector, const R: usize, const N: usize, const S: usize>(
    rows: &[&[f32]; R],
    b: &[f32],
    at: (usize, usize),
) -> [[V; N]; R] {
    let (len, mut k) = (rows[0].len(), 0);
    // A closure would not be compiled with the features that vectors need.
    if S == 1 {
        let mut sums = [[V::zero(); N]; R];
        for k in 0..len {
            step_of(&mut sums, rows, b, at, k);
        }
        return sums;
    }
    let mut sums = [[[V::zero(); N]; R]; S];
    while k + S <= len {
        for (s, sums) in sums.iter_mut().enumerate() {
            step_of(sums, rows, b, at, k + s);
        }
        k += S;
    }
    while k < len {
        step_of(&mut sums[0], rows, b, at, k);
        k += 1;
    }
    let (first, others) = sums.split_at_mut(1);
    for other in others {
        for r in 0..R {
            for c in 0..N {
                first[0][r][c] = first[0][r][c].plus(other[r][c]);
            }
        }
    }
    sums[0]
}

/// Step `k` of the sums.
#[inline(always)]
fn step_of<V: Vector, const R: usize, const N: usize>(
    sums: &mut [[V; N]; R],
    rows: &[&[f32]; R],
    b: &[f32],
    (j, step): (usize, usize),
    k: usize,
) {
    let words = &b[k * step + j..][..N * V::LANES];
    let row: [V; N] = std::array::from_fn(|c| V::load(&words[c * V::LANES..]));
    for r in 0..R {
        let x = V::splat(rows[r][k]);
        for c in 0..N {
            sums[r][c] = sums[r][c].fused(x, row[c]);
        }
    }
}

/// As [`tile`], for columns that are fewer than a vector has lanes.
#[inline(always)]
pub(super) fn narrow<V: Vector, const R: usize>(rows: &[&[f32]; R], b: &[f32], at: (usize, usize), columns: usize) -> [V; R] {
    if R > NARROW_FEW {
        return apart::<V, R, 2>(rows, b, at, columns);
    }
    apart::<V, R, 4>(rows, b, at, columns)
}

/// Rows up to which four sums of each go side by side where columns are few: one alone would wait for itself.
const NARROW_FEW: usize = 2;

/// As [`tile_in`], for columns that are fewer than a vector has lanes.
#[inline(always)]
pub(super) fn apart<V: Vector, const R: usize, const S: usize>(
    rows: &[&[f32]; R],
    b: &[f32],
    (j, step): (usize, usize),
    columns: usize,
) -> [V; R] {
    let mut sums = [[V::zero(); R]; S];
    let len = rows[0].len();
    // What lies behind the columns of a row is read with them where there is so much: a whole vector takes no mask.
    let whole = b.len().checked_sub(j + V::LANES).map_or(0, |beyond| beyond / step.max(1) + 1).min(len);
    let mut k = 0;
    while k + S <= whole {
        for s in 0..S {
            let words = V::load(&b[(k + s) * step + j..]);
            for r in 0..R {
                sums[s][r] = sums[s][r].fused(V::splat(rows[r][k + s]), words);
            }
        }
        k += S;
    }
    let row = |k: usize| &b[k * step + j..][..columns];
    while k + S <= len {
        for s in 0..S {
            let words = V::load_part(row(k + s));
            for r in 0..R {
                sums[s][r] = sums[s][r].fused(V::splat(rows[r][k + s]), words);
            }
        }
        k += S;
    }
    while k < len {
        let words = V::load_part(row(k));
        for r in 0..R {
            sums[0][r] = sums[0][r].fused(V::splat(rows[r][k]), words);
        }
        k += 1;
    }
    let mut half = S / 2;
    while half > 0 {
        let (low, high) = sums.split_at_mut(half);
        for (low, high) in low.iter_mut().zip(high) {
            for (sum, other) in low.iter_mut().zip(high) {
                *sum = sum.plus(*other);
            }
        }
        half /= 2;
    }
    sums[0]
}

/// `R` rows from row `i`, the elements `from` on.
#[inline(always)]
pub(super) fn rows_of<const R: usize>(a: &[f32], (i, step): (usize, usize), from: usize, len: usize) -> [&[f32]; R] {
    std::array::from_fn(|r| &a[(i + r) * step + from..][..len])
}

/// Vectors into a row of at most as many elements.
#[inline(always)]
pub(super) fn put<V: Vector, const N: usize>(sums: [V; N], to: &mut [f32], add: bool) {
    for (sum, to) in sums.into_iter().zip(to.chunks_mut(V::LANES)) {
        match to.len() == V::LANES {
            true if add => V::load(to).plus(sum).store(to),
            true => sum.store(to),
            false if add => V::load_part(to).plus(sum).store_part(to),
            false => sum.store_part(to),
        }
    }
}

/// `R` rows and `N` vectors of columns from (`i`, `j`), of a part of the sum; one vector where `columns` do not fill it.
#[inline(always)]
fn part<V: Vector, const R: usize, const N: usize>(
    s: &Shape,
    a: &[f32],
    b: &[f32],
    (i, j, columns): (usize, usize, usize),
    (from, len): (usize, usize),
) -> [[V; N]; R] {
    let (rows, b) = (rows_of::<R>(a, (i, s.a_row), from, len), &b[from * s.b_row..]);
    if columns == N * V::LANES {
        return tile::<V, R, N>(&rows, b, (j, s.b_row));
    }
    let narrow = narrow::<V, R>(&rows, b, (j, s.b_row), columns);
    let mut sums = [[V::zero(); N]; R];
    for r in 0..R {
        sums[r][0] = narrow[r];
    }
    sums
}

/// As [`part`], of the whole sum, into the result.
#[inline(always)]
fn block<V: Vector, const R: usize, const N: usize>(
    s: &Shape,
    a: &[f32],
    b: &[f32],
    out: &mut [f32],
    (i, j, columns): (usize, usize, usize),
) {
    if s.k <= SHORT {
        let sums = part::<V, R, N>(s, a, b, (i, j, columns), (0, s.k));
        for r in 0..R {
            put(sums[r], &mut out[(i + r) * s.out_row + j..][..columns], s.add);
        }
        return;
    }
    let mut wide = [[0.0f64; COLUMNS]; R];
    let mut lanes = [0.0f32; COLUMNS];
    for from in (0..s.k).step_by(STRETCH) {
        let sums = part::<V, R, N>(s, a, b, (i, j, columns), (from, STRETCH.min(s.k - from)));
        for r in 0..R {
            put(sums[r], &mut lanes[..columns], false);
            for c in 0..columns {
                wide[r][c] += f64::from(lanes[c]);
            }
        }
    }
    for r in 0..R {
        let to = &mut out[(i + r) * s.out_row + j..][..columns];
        for c in 0..columns {
            to[c] = if s.add { to[c] + wide[r][c] as f32 } else { wide[r][c] as f32 };
        }
    }
}

/// As many columns from `j` as there are whole blocks of `N` vectors; gives where it stopped.
#[inline(always)]
fn columns<V: Vector, const R: usize, const N: usize>(
    s: &Shape,
    (a, b): (&[f32], &[f32]),
    out: &mut [f32],
    (i, mut j): (usize, usize),
) -> usize {
    while j + N * V::LANES <= s.n {
        block::<V, R, N>(s, a, b, out, (i, j, N * V::LANES));
        j += N * V::LANES;
    }
    j
}

/// The columns from `j`, a vector at a time.
#[inline(always)]
fn others<V: Vector, const R: usize>(s: &Shape, (a, b): (&[f32], &[f32]), out: &mut [f32], (i, mut j): (usize, usize)) {
    while j < s.n {
        let columns = V::LANES.min(s.n - j);
        block::<V, R, 1>(s, a, b, out, (i, j, columns));
        j += columns;
    }
}

/// Rows `R` at a time, the others by fewer: with fewer rows, more columns keep as many sums on their way.
#[inline(always)]
fn rows<V: Vector, const R: usize>(s: &Shape, a: &[f32], b: &[f32], out: &mut [f32]) {
    let (mut i, ab) = (0, (a, b));
    while i + R <= s.m {
        let j = columns::<V, R, 2>(s, ab, out, (i, 0));
        others::<V, R>(s, ab, out, (i, j));
        i += R;
    }
    if R > 4 && i + 4 <= s.m {
        let j = columns::<V, 4, 2>(s, ab, out, (i, 0));
        others::<V, 4>(s, ab, out, (i, j));
        i += 4;
    }
    if i + 2 <= s.m {
        let j = columns::<V, 2, 4>(s, ab, out, (i, 0));
        let j = columns::<V, 2, 2>(s, ab, out, (i, j));
        others::<V, 2>(s, ab, out, (i, j));
        i += 2;
    }
    if i < s.m {
        let j = columns::<V, 1, 8>(s, ab, out, (i, 0));
        let j = columns::<V, 1, 4>(s, ab, out, (i, j));
        let j = columns::<V, 1, 2>(s, ab, out, (i, j));
        others::<V, 1>(s, ab, out, (i, j));
    }
}

/// One row and a sum that is short, as [`rows`] would.
#[inline(always)]
fn row<V: Vector>(s: &Shape, a: &[f32], b: &[f32], out: &mut [f32]) {
    let j = across::<V, 8>(s, (a, b), out, 0);
    let j = across::<V, 4>(s, (a, b), out, j);
    let j = across::<V, 2>(s, (a, b), out, j);
    let j = across::<V, 1>(s, (a, b), out, j);
    if j < s.n {
        let [sums] = narrow::<V, 1>(&[&a[..s.k]], b, (j, s.b_row), s.n - j);
        put([sums], &mut out[j..s.n], s.add);
    }
}

/// As many columns of one row from `j` as there are whole blocks of `N` vectors; gives where it stopped.
#[inline(always)]
fn across<V: Vector, const N: usize>(s: &Shape, (a, b): (&[f32], &[f32]), out: &mut [f32], mut j: usize) -> usize {
    while j + N * V::LANES <= s.n {
        let [sums] = tile::<V, 1, N>(&[&a[..s.k]], b, (j, s.b_row));
        put(sums, &mut out[j..][..N * V::LANES], s.add);
        j += N * V::LANES;
    }
    j
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,fma")]
pub(super) fn row_avx512(s: &Shape, a: &[f32], b: &[f32], out: &mut [f32]) {
    row::<super::vector::Avx512>(s, a, b, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
pub(super) fn row_avx2(s: &Shape, a: &[f32], b: &[f32], out: &mut [f32]) {
    row::<super::vector::Avx2>(s, a, b, out);
}

pub(super) fn row_plain(s: &Shape, a: &[f32], b: &[f32], out: &mut [f32]) {
    row::<Base>(s, a, b, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,fma")]
pub(super) fn rows_avx512(s: &Shape, a: &[f32], b: &[f32], out: &mut [f32]) {
    rows::<super::vector::Avx512, 8>(s, a, b, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
pub(super) fn rows_avx2(s: &Shape, a: &[f32], b: &[f32], out: &mut [f32]) {
    rows::<super::vector::Avx2, 4>(s, a, b, out);
}

pub(super) fn rows_plain(s: &Shape, a: &[f32], b: &[f32], out: &mut [f32]) {
    rows::<Base, 4>(s, a, b, out);
}
