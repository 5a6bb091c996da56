//! Folds of a whole row that lies side by side in memory, in vectors as wide as the machine has them. Plain Rust, compiled once for each vector
//! width; what comes out is the same for all of them, since the lanes are.

use super::softmax::{LANES, TERMS, joined, more};

/// Which fold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whole {
    Sum,
    /// The sum of the products of two rows.
    Dot,
    /// Of rows that come one after the other.
    Product,
    Max,
    Min,
}

/// Terms of each lane are added in f32, some after the other, and what they come to in f64.
#[inline(always)]
fn sum(row: &[f32]) -> f32 {
    let mut total = 0.0f64;
    for part in row.chunks(LANES * TERMS) {
        let mut sums = [0.0f32; LANES];
        let (lines, last) = part.as_chunks::<LANES>();
        for line in lines {
            for lane in 0..LANES {
                sums[lane] += line[lane];
            }
        }
        for (s, x) in sums.iter_mut().zip(last) {
            *s += x;
        }
        total += f64::from(joined(sums, |a, b| a + b));
    }
    total as f32
}

/// As [`sum`], of products: each is added with one rounding.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut total = 0.0f64;
    for (a, b) in a.chunks(LANES * TERMS).zip(b.chunks(LANES * TERMS)) {
        let mut sums = [0.0f32; LANES];
        let ((xs, x), (ys, y)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
        for (xs, ys) in xs.iter().zip(ys) {
            for lane in 0..LANES {
                sums[lane] = xs[lane].mul_add(ys[lane], sums[lane]);
            }
        }
        for (k, (x, y)) in x.iter().zip(y).enumerate() {
            sums[k] = x.mul_add(*y, sums[k]);
        }
        total += f64::from(joined(sums, |a, b| a + b));
    }
    total as f32
}

#[inline(always)]
fn best(row: &[f32], start: f32, join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut best = [start; LANES];
    let (lines, last) = row.as_chunks::<LANES>();
    for line in lines {
        for lane in 0..LANES {
            best[lane] = join(best[lane], line[lane]);
        }
    }
    for (best, x) in best.iter_mut().zip(last) {
        *best = join(*best, *x);
    }
    joined(best, join)
}

/// As [`more`], for what is less.
#[inline(always)]
pub(super) fn less(old: f32, new: f32) -> f32 {
    if new < old || new.is_nan() { new } else { old }
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! widths {
    ($($name:ident: |$a:ident, $b:ident| $body:expr;)*) => {$(
        pub(super) mod $name {
            #[allow(clippy::wildcard_imports, reason = "the module is a name for functions of the one around it")]
            use super::*;

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512vl,fma")]
            pub fn avx512($a: &[f32], $b: &[f32]) -> f32 {
                $body
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            pub fn avx2($a: &[f32], $b: &[f32]) -> f32 {
                $body
            }

            #[cfg(target_arch = "aarch64")]
            pub fn neon($a: &[f32], $b: &[f32]) -> f32 {
                $body
            }
        }
    )*};
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
widths! {
    whole_sum: |a, _b| sum(a);
    whole_dot: |a, b| dot(a, b);
    whole_max: |a, _b| best(a, f32::NEG_INFINITY, more);
    whole_min: |a, _b| best(a, f32::INFINITY, less);
}
