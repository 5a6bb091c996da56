//! Random bits that are a function of a counter and a key: Philox4x32-10.
//!
//! In: four counter words, two key words. Out: four words. The same on every backend, in any order of evaluation. Published by
//! Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.

const ROUNDS: usize = 10;
const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const STEP: f64 = 1.0 / (1u32 << 24) as f64;

/// Four random words.
pub fn philox(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let mut c = counter;
    let mut k = key;
    for _ in 0..ROUNDS {
        let p0 = u64::from(MULTIPLIERS[0]) * u64::from(c[0]);
        let p1 = u64::from(MULTIPLIERS[1]) * u64::from(c[2]);
        c = [(p1 >> 32) as u32 ^ c[1] ^ k[0], p1 as u32, (p0 >> 32) as u32 ^ c[3] ^ k[1], p0 as u32];
        k = [k[0].wrapping_add(WEYL[0]), k[1].wrapping_add(WEYL[1])];
    }
    c
}

/// The counter of the value at a position, row-major, in a round. Positions beyond 32 bits go on in the third word.
pub fn counter(position: u64, round: i32) -> [u32; 4] {
    [position as u32, round as u32, (position >> 32) as u32, 0]
}

/// A number in [0, 1), a multiple of 2^-24, from one word.
pub fn uniform(word: u32) -> f64 {
    f64::from(word >> 8) * STEP
}

/// A number of mean 0 and variance 1 from the first two words (Box and Muller 1958); the first is moved off zero.
pub fn normal(words: [u32; 4]) -> f64 {
    let u1 = (f64::from(words[0] >> 8) + 1.0) * STEP;
    let u2 = f64::from(words[1] >> 8) * STEP;
    libm::sqrt(-2.0 * libm::log(u1)) * libm::cos(2.0 * std::f64::consts::PI * u2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_vectors_hold() {
        assert_eq!(philox([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        let pi = philox([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]);
        assert_eq!(pi, [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]);
    }

    #[test]
    fn no_two_positions_have_one_counter() {
        assert_eq!(counter(5, -1), [5, u32::MAX, 0, 0]);
        let beyond = u64::from(u32::MAX) + 1;
        assert_eq!(counter(beyond + 5, 0), [5, 0, 1, 0]);
        assert_ne!(philox(counter(5, 0), [1, 2]), philox(counter(beyond + 5, 0), [1, 2]));
    }

    #[test]
    fn draws_stay_in_their_range() {
        assert_eq!(uniform(0), 0.0);
        assert_eq!(uniform(u32::MAX), 1.0 - STEP);
        assert!(normal([0, 0, 0, 0]).is_finite() && normal([u32::MAX; 4]).is_finite());
        let draws: Vec<f64> = (0..4000).map(|i| normal(philox([i, 0, 0, 0], [1, 2]))).collect();
        let mean = draws.iter().sum::<f64>() / 4000.0;
        let var = draws.iter().map(|x| x * x).sum::<f64>() / 4000.0;
        assert!(mean.abs() < 0.06 && (var - 1.0).abs() < 0.1, "{mean} {var}");
    }
}
