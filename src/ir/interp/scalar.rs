//! The scalar functions, in f64 for real numbers and exactly (wrapping at 32 bits) for whole ones.

use crate::ir::{DType, Map};

/// A scalar function with its arity.
pub enum Scalar {
    One(fn(f64) -> f64),
    Two(fn(f64, f64) -> f64),
    Select,
}

fn truth(b: bool) -> f64 {
    f64::from(u8::from(b))
}

/// A whole number cut to 32 bits.
fn wrap(n: i64) -> f64 {
    f64::from(n as i32)
}

/// The larger one; NaN if either is.
pub fn larger(a: f64, b: f64) -> f64 {
    if a > b || a.is_nan() { a } else { b }
}

/// The smaller one; NaN if either is.
pub fn smaller(a: f64, b: f64) -> f64 {
    if a < b || a.is_nan() { a } else { b }
}

fn sign(x: f64) -> f64 {
    if x.is_nan() { x } else { truth(x > 0.0) - truth(x < 0.0) }
}

/// Cut towards zero, kept inside i32; the least i32 for NaN.
fn to_i32(x: f64) -> f64 {
    if x.is_nan() { f64::from(i32::MIN) } else { f64::from(x as i32) }
}

fn softplus(x: f64) -> f64 {
    libm::fmax(x, 0.0) + libm::log1p(libm::exp(-libm::fabs(x)))
}

fn int_div(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { libm::floor(a / b) }
}

fn modulo(a: f64, b: f64) -> f64 {
    if b == 0.0 { 0.0 } else { a - b * libm::floor(a / b) }
}

/// Whole powers; a negative exponent gives the truncated quotient.
fn whole_pow(base: f64, exponent: f64) -> f64 {
    let (b, n) = (base as i64, exponent as i64);
    match (b, n) {
        (_, 0..) => f64::from((b as i32).wrapping_pow(n as u32)),
        (1, _) => 1.0,
        (-1, _) => {
            if n % 2 == 0 {
                1.0
            } else {
                -1.0
            }
        }
        (_, _) => 0.0,
    }
}

/// Of the operands' element type `dtype` (for `Select`, any).
pub fn scalar(map: Map, dtype: DType) -> Scalar {
    use Scalar::{One, Select, Two};
    let whole = dtype == DType::I32;
    match map {
        Map::Copy | Map::ToF32 => One(|x| x),
        Map::Neg if whole => One(|x| wrap(-(x as i64))),
        Map::Neg => One(|x| -x),
        Map::Not => One(|x| truth(x == 0.0)),
        Map::Exp => One(libm::exp),
        Map::Log => One(libm::log),
        Map::Sqrt => One(libm::sqrt),
        Map::Abs if whole => One(|x| wrap((x as i64).abs())),
        Map::Abs => One(libm::fabs),
        Map::Sin => One(libm::sin),
        Map::Cos => One(libm::cos),
        Map::Tan => One(libm::tan),
        Map::Tanh => One(libm::tanh),
        Map::Sigmoid => One(|x| 1.0 / (1.0 + libm::exp(-x))),
        Map::Softplus => One(softplus),
        Map::Erf => One(libm::erf),
        Map::Floor => One(libm::floor),
        Map::Ceil => One(libm::ceil),
        Map::Round => One(libm::rint),
        Map::Sign => One(sign),
        Map::ToI32 => One(to_i32),
        Map::Add if whole => Two(|a, b| wrap(a as i64 + b as i64)),
        Map::Add => Two(|a, b| a + b),
        Map::Sub if whole => Two(|a, b| wrap(a as i64 - b as i64)),
        Map::Sub => Two(|a, b| a - b),
        Map::Mul if whole => Two(|a, b| wrap(a as i64 * b as i64)),
        Map::Mul => Two(|a, b| a * b),
        Map::Div => Two(|a, b| a / b),
        Map::Pow if whole => Two(whole_pow),
        Map::Pow => Two(libm::pow),
        Map::Min => Two(smaller),
        Map::Max => Two(larger),
        Map::IntDiv if whole => Two(|a, b| wrap(int_div(a, b) as i64)),
        Map::IntDiv => Two(int_div),
        Map::Mod => Two(modulo),
        Map::Eq => Two(|a, b| truth(a == b)),
        // NaN is unequal to all, itself too.
        Map::Ne => Two(|a, b| truth(a != b)),
        Map::Lt => Two(|a, b| truth(a < b)),
        Map::Le => Two(|a, b| truth(a <= b)),
        Map::And => Two(|a, b| truth(a != 0.0 && b != 0.0)),
        Map::Or => Two(|a, b| truth(a != 0.0 || b != 0.0)),
        Map::Select => Select,
    }
}

/// The function of two that a map is; maps that folds are made of.
pub fn binary(map: Map, dtype: DType) -> fn(f64, f64) -> f64 {
    match scalar(map, dtype) {
        Scalar::Two(f) => f,
        Scalar::One(_) | Scalar::Select => |a, _| a,
    }
}
