//! Sums over taps for places that lie side by side: all of them stay in registers while the taps go by.
//!
//! Plain Rust, compiled once for each vector width, as the products of few rows.

use super::micro::{SHORT, fused};
use super::vector::BASE_FUSED;

/// Places that lie side by side, and columns, of which a strip computes sums at a time.
pub(super) const WIDE: usize = 96;
pub(super) const HIGH: usize = 4;

/// Sums of `w · x` over taps, for up to `HIGH` columns of `w` and the `WIDE` places of `x` from `at`.
pub(super) struct Strip<'a> {
    /// `HIGH` weights for each tap.
    pub w: &'a [f32],
    /// How many of them count.
    pub columns: usize,
    /// How far each tap lies from a place.
    pub taps: &'a [usize],
    pub x: &'a [f32],
    pub at: usize,
    /// How many of the places count.
    pub wide: usize,
}

/// Taps that are summed in f32, one after the other, where there are more than `SHORT`.
const PART: usize = 512;

/// `R` columns from `first` and the `C` places from `at`, summed over these taps.
#[inline(always)]
fn part<const FMA: bool, const R: usize, const C: usize>(
    x: &[f32],
    at: usize,
    first: usize,
    taps: &[usize],
    w: &[f32],
) -> [[f32; C]; R] {
    let mut sums = [[0.0f32; C]; R];
    for (tap, w) in taps.iter().zip(w.chunks_exact(HIGH)) {
        let Some(row) = x.get(tap + at..tap + at + C).and_then(|r| <&[f32; C]>::try_from(r).ok()) else { break };
        let Some(w) = w[first..].first_chunk::<R>() else { break };
        for r in 0..R {
            for c in 0..C {
                sums[r][c] = fused::<FMA>(w[r], row[c], sums[r][c]);
            }
        }
    }
    sums
}

#[inline(always)]
fn taps<const FMA: bool, const R: usize, const C: usize>(s: &Strip, first: usize, out: &mut [[f32; WIDE]; HIGH]) {
    for at in (0..s.wide).step_by(C) {
        let mut sums = [[0.0f32; C]; R];
        if s.taps.len() <= SHORT {
            sums = part::<FMA, R, C>(s.x, s.at + at, first, s.taps, s.w);
        } else {
            let mut wide = [[0.0f64; C]; R];
            for (taps, w) in s.taps.chunks(PART).zip(s.w.chunks(PART * HIGH)) {
                let part = part::<FMA, R, C>(s.x, s.at + at, first, taps, w);
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
        }
        for r in 0..R {
            out[first + r][at..at + C].copy_from_slice(&sums[r]);
        }
    }
}

#[inline(always)]
fn strip<const FMA: bool, const C: usize>(s: &Strip, out: &mut [[f32; WIDE]; HIGH]) {
    if s.columns == HIGH {
        return taps::<FMA, HIGH, C>(s, 0, out);
    }
    for k in 0..s.columns {
        taps::<FMA, 1, C>(s, k, out);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,fma")]
pub(super) fn strip_avx512(s: &Strip, out: &mut [[f32; WIDE]; HIGH]) {
    match s.wide {
        0..=48 => strip::<true, 48>(s, out),
        49..=64 => strip::<true, 64>(s, out),
        65..=80 => strip::<true, 80>(s, out),
        _ => strip::<true, WIDE>(s, out),
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
pub(super) fn strip_avx2(s: &Strip, out: &mut [[f32; WIDE]; HIGH]) {
    // Twelve sums, three vectors of places and a weight are as many registers as there are.
    strip::<true, 24>(s, out);
}

pub(super) fn strip_plain(s: &Strip, out: &mut [[f32; WIDE]; HIGH]) {
    strip::<BASE_FUSED, 16>(s, out);
}
