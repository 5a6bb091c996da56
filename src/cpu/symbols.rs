//! The functions that compiled kernels call by name: those of the platform, one number at a time, and whole powers.

pub(super) fn slow_sin(x: f32) -> f32 {
    libm::sin(f64::from(x)) as f32
}

pub(super) fn slow_cos(x: f32) -> f32 {
    libm::cos(f64::from(x)) as f32
}

extern "C" fn sin(x: f32) -> f32 {
    slow_sin(x)
}

extern "C" fn cos(x: f32) -> f32 {
    slow_cos(x)
}

extern "C" fn tan(x: f32) -> f32 {
    libm::tan(f64::from(x)) as f32
}

extern "C" fn pow(x: f32, y: f32) -> f32 {
    libm::powf(x, y)
}

/// Whole powers; a negative exponent gives the truncated quotient.
extern "C" fn whole_pow(b: i32, n: i32) -> i32 {
    match (b, n) {
        (_, 0..) => b.wrapping_pow(n as u32),
        (1, _) => 1,
        (-1, _) => 1 - 2 * (n & 1),
        (_, _) => 0,
    }
}

/// What whole powers are called; in an object they are part of it.
pub(super) const WHOLE_POWER: &str = "hnet_whole_pow";

/// The functions that kernels call, by name.
pub(super) fn symbols() -> [(&'static str, *const u8); 5] {
    [
        ("sinf", sin as *const u8),
        ("cosf", cos as *const u8),
        ("tanf", tan as *const u8),
        ("powf", pow as *const u8),
        (WHOLE_POWER, whole_pow as *const u8),
    ]
}
