//! A softmax of a row in place. Plain Rust, compiled once for each vector width; what comes out is the same for all of them.

use super::wide::exp;

/// Numbers side by side, each with a maximum and a sum of its own. A row has room for a multiple of so many.
pub(super) const LANES: usize = 32;
/// So many terms are added in f32, one after the other.
pub(super) const TERMS: usize = 32;

/// Whether `new` takes the place of `old`: NaN does, and nothing takes the place of NaN.
#[inline(always)]
pub(super) fn more(old: f32, new: f32) -> f32 {
    if new > old || new.is_nan() { new } else { old }
}

/// All lanes together, half of them at a time.
#[inline(always)]
pub(super) fn joined(mut lanes: [f32; LANES], join: impl Fn(f32, f32) -> f32) -> f32 {
    let mut half = LANES / 2;
    while half > 0 {
        for lane in 0..half {
            lanes[lane] = join(lanes[lane], lanes[lane + half]);
        }
        half /= 2;
    }
    lanes[0]
}

/// Shares of `scale · x` for the first `own` elements, of which there is one at least; those up to `all` become 0, the others anything.
/// Where the greatest is minus infinity or no number, shares are taken as if it were 0.
#[inline(always)]
fn softmax(row: &mut [f32], own: usize, all: usize, scale: f32) {
    // What fills up the last line has no share.
    let (lines, _) = row.as_chunks_mut::<LANES>();
    let lines = &mut lines[..own.div_ceil(LANES)];
    if scale != 1.0 {
        for x in lines.as_flattened_mut() {
            *x *= scale;
        }
    }
    if let (Some(last), 1..) = (lines.last_mut(), own % LANES) {
        last[own % LANES..].fill(f32::NEG_INFINITY);
    }
    let mut best = [f32::NEG_INFINITY; LANES];
    for line in &*lines {
        for lane in 0..LANES {
            best[lane] = more(best[lane], line[lane]);
        }
    }
    let best = joined(best, more);
    let top = if f32::NEG_INFINITY < best { best } else { 0.0 };
    let mut total = 0.0f64;
    for part in lines.chunks_mut(TERMS) {
        let mut sums = [0.0f32; LANES];
        for line in part {
            for lane in 0..LANES {
                line[lane] = exp(line[lane] - top);
                sums[lane] += line[lane];
            }
        }
        total += f64::from(joined(sums, |a, b| a + b));
    }
    let each = 1.0 / total as f32;
    for x in lines.as_flattened_mut() {
        *x *= each;
    }
    row[own..all].fill(0.0);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,fma")]
pub(super) fn softmax_avx512(row: &mut [f32], own: usize, all: usize, scale: f32) {
    softmax(row, own, all, scale);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
pub(super) fn softmax_avx2(row: &mut [f32], own: usize, all: usize, scale: f32) {
    softmax(row, own, all, scale);
}

pub(super) fn softmax_plain(row: &mut [f32], own: usize, all: usize, scale: f32) {
    softmax(row, own, all, scale);
}
