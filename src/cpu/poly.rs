//! The numbers of the functions that `math` generates for four values and `wide` has for rows of them.

/// Largest |x| for which sin and cos reduce by themselves.
pub(super) const TURNS: f32 = 1.0e5;
/// 1.5 * 2^23: adding it rounds to a whole number, whose bits it then shows.
pub(super) const MAGIC: f32 = 12_582_912.0;

/// Polynomials, highest power first.
pub(super) const EXP: [f32; 6] = [1.987_569_1e-4, 1.398_2e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];
pub(super) const LOG: [f32; 9] = [
    7.037_683_6e-2,
    -1.151_461e-1,
    1.167_699_9e-1,
    -1.242_014_1e-1,
    1.424_932_3e-1,
    -1.666_805_8e-1,
    2.000_071_5e-1,
    -2.499_999_4e-1,
    3.333_333e-1,
];
pub(super) const TANH: [f32; 5] = [-5.704_988_7e-3, 0.020_639_09, -5.373_971_5e-2, 1.333_144_2e-1, -3.333_328e-1];
pub(super) const ERF: [f32; 6] =
    [-5.967_617e-4, 4.991_194_2e-3, -2.676_813_5e-2, 1.128_199_25e-1, -3.761_253_4e-1, 1.283_791_7e-1];
pub(super) const COSINE: [f32; 5] = [2.446_770_7e-5, -1.388_773e-3, 4.166_665_7e-2, -0.5, 1.0];
/// `(sin(r) / r - 1) / r^2` for half a turn about 0: fitted to the least relative error, 2e-8, and so that no sine leaves [-1, 1].
pub(super) const SINE: [f32; 4] = [2.578_447_5e-6, -1.979_548_1e-4, 8.332_84e-3, -1.666_665e-1];
/// As [`SINE`], for a quarter of a turn, with the 1.
pub(super) const SINE_QUARTER: [f32; 5] = [2.865_679_6e-6, -1.985_599_2e-4, 8.333_386e-3, -1.666_666_7e-1, 1.0];
/// -pi/2 in three parts. All have one sign, and a product is last: so -0 stays -0.
pub(super) const QUARTER: [f32; 3] = [-f32::from_bits(0x3fc9_0fda), -7.549_789_4e-8, -5.390_302_5e-15];
/// -pi, likewise: twice as much is as exact.
pub(super) const HALF: [f32; 3] = [2.0 * QUARTER[0], 2.0 * QUARTER[1], 2.0 * QUARTER[2]];

/// `(atan(q) / q - 1) / z` for `z = q^2` in [0, 1], highest power first: fitted to the least relative error, 2.4e-9.
pub(super) const ATAN: [f32; 9] = [
    -1.753_928e-3,
    1.072_693_4e-2,
    -3.080_457_8e-2,
    5.755_208_4e-2,
    -8.377_314e-2,
    1.094_203e-1,
    -1.426_193_3e-1,
    1.999_826_6e-1,
    -3.333_328_4e-1,
];
