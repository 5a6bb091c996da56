//! Products of few rows: each loaded element of the matrix is used for up to eight rows, sums stay in registers. A long sum goes in
//! stretches, whose sums come together in f64.
//!
//! Plain Rust, compiled once for each vector width; the compiler turns the fixed-size inner loops into vector code.

use std::ops::Range;

/// A product of `m` rows of length `k` with a `k` by `n` matrix.
pub(super) struct Shape {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub a_row: usize,
    pub a_col: usize,
    pub b_row: usize,
    pub out_row: usize,
    pub add: bool,
}

/// `m` dot products of length `k`.
pub(super) struct Dots {
    pub m: usize,
    pub k: usize,
    pub a_row: usize,
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

/// `R` rows and `C` columns from (`i`, `j`), summed over a part of `k`.
#[inline(always)]
fn stretch<const FMA: bool, const R: usize, const C: usize>(
    s: &Shape,
    a: &[f32],
    b: &[f32],
    (i, j): (usize, usize),
    range: Range<usize>,
) -> [[f32; C]; R] {
    let mut sums = [[0.0f32; C]; R];
    for k in range {
        let at = k * s.b_row + j;
        let Some(row) = b.get(at..at + C).and_then(|r| <&[f32; C]>::try_from(r).ok()) else { break };
        for r in 0..R {
            let x = a[(i + r) * s.a_row + k * s.a_col];
            for c in 0..C {
                sums[r][c] = fused::<FMA>(x, row[c], sums[r][c]);
            }
        }
    }
    sums
}

/// `R` rows and `C` columns from (`i`, `j`), the sum long or not.
#[inline(always)]
fn block<const FMA: bool, const LONG: bool, const R: usize, const C: usize>(
    s: &Shape,
    a: &[f32],
    b: &[f32],
    out: &mut [f32],
    (i, j): (usize, usize),
) {
    let mut sums = [[0.0f32; C]; R];
    if LONG {
        let mut wide = [[0.0f64; C]; R];
        for from in (0..s.k).step_by(STRETCH) {
            let part = stretch::<FMA, R, C>(s, a, b, (i, j), from..(from + STRETCH).min(s.k));
            for r in 0..R {
                for c in 0..C {
                    wide[r][c] += f64::from(part[r][c]);
                }
            }
        }
        for r in 0..R {
            for c in 0..C {
                sums[r][c] = wide[r][c] as f32;
            }
        }
    } else {
        sums = stretch::<FMA, R, C>(s, a, b, (i, j), 0..s.k);
    }
    for (r, sum) in sums.iter().enumerate() {
        let to = &mut out[(i + r) * s.out_row + j..][..C];
        for (t, v) in to.iter_mut().zip(sum) {
            *t = if s.add { *t + v } else { *v };
        }
    }
}

#[inline(always)]
fn columns<const FMA: bool, const LONG: bool, const R: usize, const W: usize>(
    s: &Shape,
    a: &[f32],
    b: &[f32],
    out: &mut [f32],
    i: usize,
) {
    let mut j = 0;
    // As many sums side by side as there are columns left: each waits for its last product.
    macro_rules! blocks {
        ($($width:expr),*) => {$(
            while s.n - j >= $width {
                block::<FMA, LONG, R, { $width }>(s, a, b, out, (i, j));
                j += $width;
            }
        )*};
    }
    while j + W <= s.n {
        block::<FMA, LONG, R, W>(s, a, b, out, (i, j));
        j += W;
    }
    blocks!(64, 32, 16, 8, 4, 2, 1);
}

#[inline(always)]
fn all_rows<const FMA: bool, const LONG: bool>(s: &Shape, a: &[f32], b: &[f32], out: &mut [f32]) {
    let mut i = 0;
    while i + 4 <= s.m {
        columns::<FMA, LONG, 4, 64>(s, a, b, out, i);
        i += 4;
    }
    while i + 2 <= s.m {
        columns::<FMA, LONG, 2, 64>(s, a, b, out, i);
        i += 2;
    }
    if i < s.m {
        columns::<FMA, LONG, 1, 128>(s, a, b, out, i);
    }
}

/// What is short has a loop of its own that nothing else shares registers with.
#[inline(always)]
fn rows<const FMA: bool>(s: &Shape, a: &[f32], b: &[f32], out: &mut [f32]) {
    if s.k <= SHORT { all_rows::<FMA, false>(s, a, b, out) } else { all_rows::<FMA, true>(s, a, b, out) }
}

#[inline(always)]
fn dots<const FMA: bool>(s: &Dots, a: &[f32], b: &[f32], out: &mut [f32]) {
    /// 32 products for each of the 64 sums that run side by side.
    const PART: usize = 32 * W;
    for i in 0..s.m {
        let row = &a[i * s.a_row..][..s.k];
        let (mut x, mut y) = (row.chunks(PART), b[..s.k].chunks(PART));
        let mut sum = 0.0;
        if let (Some(x), Some(y)) = (x.next(), y.next()) {
            sum = dot::<FMA>(x, y);
        }
        if s.k > PART {
            let wide = x.zip(y).fold(f64::from(sum), |sum, (x, y)| sum + f64::from(dot::<FMA>(x, y)));
            sum = wide as f32;
        }
        let to = &mut out[i * s.out_row];
        *to = if s.add { *to + sum } else { sum };
    }
}

/// Sums that run side by side in a dot product.
const W: usize = 64;

#[inline(always)]
fn dot<const FMA: bool>(x: &[f32], y: &[f32]) -> f32 {
    let mut sums = [0.0f32; W];
    let (x, y) = (x.chunks_exact(W), y.chunks_exact(W));
    let mut rest = 0.0;
    for (x, y) in x.remainder().iter().zip(y.remainder()) {
        rest = fused::<FMA>(*x, *y, rest);
    }
    for (x, y) in x.zip(y) {
        for c in 0..W {
            sums[c] = fused::<FMA>(x[c], y[c], sums[c]);
        }
    }
    let mut width = W / 2;
    while width > 0 {
        for c in 0..width {
            sums[c] += sums[c + width];
        }
        width /= 2;
    }
    sums[0] + rest
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,fma")]
pub(super) fn rows_avx512(s: &Shape, a: &[f32], b: &[f32], out: &mut [f32]) {
    rows::<true>(s, a, b, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
pub(super) fn rows_avx2(s: &Shape, a: &[f32], b: &[f32], out: &mut [f32]) {
    rows::<true>(s, a, b, out);
}

pub(super) fn rows_plain(s: &Shape, a: &[f32], b: &[f32], out: &mut [f32]) {
    rows::<false>(s, a, b, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,fma")]
pub(super) fn dots_avx512(s: &Dots, a: &[f32], b: &[f32], out: &mut [f32]) {
    dots::<true>(s, a, b, out);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
pub(super) fn dots_avx2(s: &Dots, a: &[f32], b: &[f32], out: &mut [f32]) {
    dots::<true>(s, a, b, out);
}

pub(super) fn dots_plain(s: &Dots, a: &[f32], b: &[f32], out: &mut [f32]) {
    dots::<false>(s, a, b, out);
}
