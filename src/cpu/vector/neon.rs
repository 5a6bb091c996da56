//! NEON, which every 64-bit ARM processor has: eight lanes are two of its registers.
#![allow(unsafe_code)]

use super::Vector;
use core::arch::aarch64::{float32x4_t, vaddq_f32, vdupq_n_f32, vfmaq_f32, vgetq_lane_f32, vld1q_f32, vst1q_f32};

/// Two registers of four.
#[derive(Clone, Copy)]
pub(in crate::cpu) struct Neon(float32x4_t, float32x4_t);

impl Vector for Neon {
    const LANES: usize = 8;
    type Mask = usize;
    #[inline(always)]
    fn from_lane(lane: usize) -> usize {
        lane
    }
    #[inline(always)]
    fn zero() -> Neon {
        Neon::splat(0.0)
    }
    #[inline(always)]
    fn splat(x: f32) -> Neon {
        // SAFETY: the processor has the feature, here and below.
        let four = unsafe { vdupq_n_f32(x) };
        Neon(four, four)
    }
    #[inline(always)]
    fn load(from: &[f32]) -> Neon {
        let from = &from[..8];
        // SAFETY: as above; there are as many elements.
        unsafe { Neon(vld1q_f32(from.as_ptr()), vld1q_f32(from.as_ptr().add(4))) }
    }
    #[inline(always)]
    fn load_part(from: &[f32]) -> Neon {
        let mut lanes = [0.0; 8];
        let count = from.len().min(8);
        lanes[..count].copy_from_slice(&from[..count]);
        Neon::load(&lanes)
    }
    #[inline(always)]
    fn behind(self, from: &[f32], mask: usize) -> Neon {
        let (mut lanes, count) = ([0.0; 8], mask.min(8));
        self.store(&mut lanes);
        lanes[count..].copy_from_slice(&from[count..8]);
        Neon::load(&lanes)
    }
    #[inline(always)]
    fn store(self, to: &mut [f32]) {
        let to = &mut to[..8];
        // SAFETY: as above.
        unsafe {
            vst1q_f32(to.as_mut_ptr(), self.0);
            vst1q_f32(to.as_mut_ptr().add(4), self.1);
        }
    }
    #[inline(always)]
    fn store_part(self, to: &mut [f32]) {
        let mut lanes = [0.0; 8];
        self.store(&mut lanes);
        let count = to.len().min(8);
        to[..count].copy_from_slice(&lanes[..count]);
    }
    #[inline(always)]
    fn fused(self, x: Neon, y: Neon) -> Neon {
        // SAFETY: as above.
        unsafe { Neon(vfmaq_f32(self.0, x.0, y.0), vfmaq_f32(self.1, x.1, y.1)) }
    }
    #[inline(always)]
    fn plus(self, x: Neon) -> Neon {
        // SAFETY: as above.
        unsafe { Neon(vaddq_f32(self.0, x.0), vaddq_f32(self.1, x.1)) }
    }
    #[inline(always)]
    fn total(self) -> f32 {
        // SAFETY: as above.
        unsafe {
            let half = vaddq_f32(self.0, self.1);
            let (even, odd) =
                (vgetq_lane_f32::<0>(half) + vgetq_lane_f32::<2>(half), vgetq_lane_f32::<1>(half) + vgetq_lane_f32::<3>(half));
            even + odd
        }
    }
}
