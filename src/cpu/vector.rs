//! Vectors of this machine, under one face: what kernels are written in. A kernel is compiled once for each of them, in a function that
//! has the features.
#![allow(unsafe_code)]

#[cfg(target_arch = "aarch64")]
mod neon;

/// Some f32 side by side.
pub(super) trait Vector: Copy {
    const LANES: usize;
    /// Which lanes come from elsewhere.
    type Mask: Copy;
    /// The lanes from this one on.
    fn from_lane(lane: usize) -> Self::Mask;
    fn zero() -> Self;
    fn splat(x: f32) -> Self;
    /// The first lanes of a slice.
    fn load(from: &[f32]) -> Self;
    /// As many of the first lanes as there are elements, fewer than a vector has; the others are 0.
    fn load_part(from: &[f32]) -> Self;
    /// With some lanes as they lie in a slice, of whose elements the first lane would have the first.
    fn behind(self, from: &[f32], mask: Self::Mask) -> Self;
    fn store(self, to: &mut [f32]);
    /// As many of the first lanes as there are elements, fewer than a vector has.
    fn store_part(self, to: &mut [f32]);
    /// `self + x · y`, rounded once where the machine can.
    fn fused(self, x: Self, y: Self) -> Self;
    fn plus(self, x: Self) -> Self;
    /// The sum of all lanes, neighbours first far apart.
    fn total(self) -> f32;
    /// The sum of all lanes of each, in one order for all.
    #[inline(always)]
    fn totals(of: [Self; 4]) -> [f32; 4] {
        of.map(Self::total)
    }
}

/// Begins to bring the cache line of the first element near, where the machine can be told.
#[inline(always)]
pub(super) fn bring(from: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: it reads nothing that the program could see.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(from.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = from;
}

/// What every machine of a kind has: kernels for it are called without asking.
#[cfg(not(target_arch = "aarch64"))]
pub(super) type Base = Plain;
#[cfg(target_arch = "aarch64")]
pub(super) type Base = neon::Neon;

/// Whether the base rounds a product and its sum once, quickly.
pub(super) const BASE_FUSED: bool = cfg!(target_arch = "aarch64");

/// Of machines that have nothing better.
#[cfg_attr(target_arch = "aarch64", allow(dead_code, reason = "of other machines"))]
#[derive(Clone, Copy)]
pub(super) struct Plain([f32; 8]);

impl Vector for Plain {
    const LANES: usize = 8;
    type Mask = usize;
    #[inline(always)]
    fn from_lane(lane: usize) -> usize {
        lane
    }
    #[inline(always)]
    fn zero() -> Plain {
        Plain([0.0; 8])
    }
    #[inline(always)]
    fn splat(x: f32) -> Plain {
        Plain([x; 8])
    }
    #[inline(always)]
    fn load(from: &[f32]) -> Plain {
        Plain(std::array::from_fn(|k| from[k]))
    }
    #[inline(always)]
    fn load_part(from: &[f32]) -> Plain {
        Plain(std::array::from_fn(|k| from.get(k).copied().unwrap_or(0.0)))
    }
    #[inline(always)]
    fn behind(self, from: &[f32], mask: usize) -> Plain {
        Plain(std::array::from_fn(|k| if k < mask { self.0[k] } else { from[k] }))
    }
    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        to[..8].copy_from_slice(&self.0);
    }
    #[inline(always)]
    fn store_part(self, to: &mut [f32]) {
        for (t, x) in to.iter_mut().zip(self.0) {
            *t = x;
        }
    }
    #[inline(always)]
    fn fused(self, x: Plain, y: Plain) -> Plain {
        Plain(std::array::from_fn(|k| self.0[k] + x.0[k] * y.0[k]))
    }
    #[inline(always)]
    fn plus(self, x: Plain) -> Plain {
        Plain(std::array::from_fn(|k| self.0[k] + x.0[k]))
    }
    #[inline(always)]
    fn total(self) -> f32 {
        let half: [f32; 4] = std::array::from_fn(|k| self.0[k] + self.0[k + 4]);
        (half[0] + half[2]) + (half[1] + half[3])
    }
}

#[cfg(target_arch = "x86_64")]
macro_rules! vector {
    ($(#[$of:meta])* $name:ident, $inner:ty, $bits:ty, $lanes:literal, $zero:path, $splat:path, $load:path, $store:path, $fused:path, $plus:path,
     $total:path, $totals:path, $mask:path, $load_part:path, $store_part:path, $behind:path) => {
        $(#[$of])*
        #[derive(Clone, Copy)]
        pub(in crate::cpu) struct $name($inner);

        impl Vector for $name {
            const LANES: usize = $lanes;
            type Mask = $bits;
            #[inline(always)]
            fn from_lane(lane: usize) -> $bits {
                // SAFETY: this type is used in functions alone that have its features, here and below.
                unsafe { $mask(lane.min($lanes)) }
            }
            #[inline(always)]
            fn zero() -> $name {
                // SAFETY: as above.
                $name(unsafe { $zero() })
            }
            #[inline(always)]
            fn splat(x: f32) -> $name {
                // SAFETY: as above.
                $name(unsafe { $splat(x) })
            }
            #[inline(always)]
            fn load(from: &[f32]) -> $name {
                let from = &from[..$lanes];
                // SAFETY: as above; there are as many elements.
                $name(unsafe { $load(from.as_ptr()) })
            }
            #[inline(always)]
            fn load_part(from: &[f32]) -> $name {
                // SAFETY: as above; lanes beyond the elements are not read.
                $name(unsafe { $load_part(from, $mask(from.len().min($lanes))) })
            }
            #[inline(always)]
            fn behind(self, from: &[f32], mask: $bits) -> $name {
                let from = &from[..$lanes];
                // SAFETY: as above; there are as many elements.
                $name(unsafe { $behind(self.0, mask, from.as_ptr()) })
            }
            #[inline(always)]
            fn store_part(self, to: &mut [f32]) {
                // SAFETY: as above; lanes beyond the elements are not written.
                unsafe { $store_part(to, $mask(to.len().min($lanes)), self.0) };
            }
            #[inline(always)]
            fn store(self, to: &mut [f32]) {
                let to = &mut to[..$lanes];
                // SAFETY: as above.
                unsafe { $store(to.as_mut_ptr(), self.0) };
            }
            #[inline(always)]
            fn fused(self, x: $name, y: $name) -> $name {
                // SAFETY: as above.
                $name(unsafe { $fused(x.0, y.0, self.0) })
            }
            #[inline(always)]
            fn plus(self, x: $name) -> $name {
                // SAFETY: as above.
                $name(unsafe { $plus(self.0, x.0) })
            }
            #[inline(always)]
            fn total(self) -> f32 {
                // SAFETY: as above.
                unsafe { $total(self.0) }
            }
            #[inline(always)]
            fn totals([a, b, c, d]: [$name; 4]) -> [f32; 4] {
                let mut out = [0.0; 4];
                // SAFETY: as above; there are four elements.
                unsafe { _mm_storeu_ps(out.as_mut_ptr(), $totals(a.0, b.0, c.0, d.0)) };
                out
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Vector;
    use core::arch::x86_64::*;

    #[inline]
    #[target_feature(enable = "avx2")]
    fn total_8(x: __m256) -> f32 {
        let half = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
        let pair = _mm_add_ps(half, _mm_movehl_ps(half, half));
        _mm_cvtss_f32(_mm_add_ss(pair, _mm_shuffle_ps::<1>(pair, pair)))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn totals_8(a: __m256, b: __m256, c: __m256, d: __m256) -> __m128 {
        let all = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
        _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps::<1>(all))
    }

    /// Half as many lanes of twice as many vectors, until there are four of each.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn totals_16(a: __m512, b: __m512, c: __m512, d: __m512) -> __m128 {
        let ab = _mm512_add_ps(_mm512_shuffle_f32x4::<0x44>(a, b), _mm512_shuffle_f32x4::<0xee>(a, b));
        let cd = _mm512_add_ps(_mm512_shuffle_f32x4::<0x44>(c, d), _mm512_shuffle_f32x4::<0xee>(c, d));
        let all = _mm512_add_ps(_mm512_shuffle_f32x4::<0x88>(ab, cd), _mm512_shuffle_f32x4::<0xdd>(ab, cd));
        let all = _mm512_add_ps(all, _mm512_permute_ps::<0x4e>(all));
        let all = _mm512_add_ps(all, _mm512_permute_ps::<0xb1>(all));
        let first = _mm512_setr_epi32(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
        _mm512_castps512_ps128(_mm512_permutexvar_ps(first, all))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn mask_8(lanes: usize) -> __m256i {
        _mm256_cmpgt_epi32(_mm256_set1_epi32(lanes as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7))
    }

    /// The mask names elements of the slice alone.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn load_8(from: &[f32], mask: __m256i) -> __m256 {
        // SAFETY: as said above.
        unsafe { _mm256_maskload_ps(from.as_ptr(), mask) }
    }

    /// The mask names elements of the slice alone.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn store_8(to: &mut [f32], mask: __m256i, x: __m256) {
        // SAFETY: as said above.
        unsafe { _mm256_maskstore_ps(to.as_mut_ptr(), mask, x) };
    }

    /// What the mask does not name comes from memory, where there is a whole vector.
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn behind_8(x: __m256, mask: __m256i, from: *const f32) -> __m256 {
        // SAFETY: as said above.
        _mm256_blendv_ps(unsafe { _mm256_loadu_ps(from) }, x, _mm256_castsi256_ps(mask))
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn mask_16(lanes: usize) -> u16 {
        ((1u32 << lanes) - 1) as u16
    }

    /// The mask names elements of the slice alone.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn load_16(from: &[f32], mask: u16) -> __m512 {
        // SAFETY: as said above.
        unsafe { _mm512_maskz_loadu_ps(mask, from.as_ptr()) }
    }

    /// The mask names elements of the slice alone.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn store_16(to: &mut [f32], mask: u16, x: __m512) {
        // SAFETY: as said above.
        unsafe { _mm512_mask_storeu_ps(to.as_mut_ptr(), mask, x) };
    }

    /// What the mask does not name comes from memory, where there is a whole vector.
    #[inline]
    #[target_feature(enable = "avx512f")]
    unsafe fn behind_16(x: __m512, mask: u16, from: *const f32) -> __m512 {
        // SAFETY: as said above.
        unsafe { _mm512_mask_loadu_ps(x, !mask, from) }
    }

    vector!(
        /// AVX2 with fused products.
        Avx2, __m256, __m256i, 8, _mm256_setzero_ps, _mm256_set1_ps, _mm256_loadu_ps, _mm256_storeu_ps, _mm256_fmadd_ps, _mm256_add_ps,
        total_8, totals_8, mask_8, load_8, store_8, behind_8
    );
    vector!(
        /// AVX-512.
        Avx512, __m512, u16, 16, _mm512_setzero_ps, _mm512_set1_ps, _mm512_loadu_ps, _mm512_storeu_ps, _mm512_fmadd_ps, _mm512_add_ps,
        _mm512_reduce_add_ps, totals_16, mask_16, load_16, store_16, behind_16
    );
}
#[cfg(target_arch = "x86_64")]
pub(super) use x86::{Avx2, Avx512};
