//! The dear functions on a row of values, in vectors as wide as the machine has them, which Cranelift's four lanes are not.
//!
//! Each does what `math` generates, the same operations in the same order: which of the two computes a value depends on where a row ends,
//! and shows in no bit of it. Plain Rust, compiled once for each vector width.

use std::f32::consts::{FRAC_1_PI, FRAC_2_PI, LOG2_E};

use super::apply::{Function, Stretch};
use super::poly::{COSINE, ERF, EXP, HALF, LOG, MAGIC, QUARTER, SINE, SINE_QUARTER, TANH, TURNS};
use super::symbols::{slow_cos, slow_sin};
use crate::ir::Map;
use crate::plan::measured::cpu::ANGLES;

#[inline(always)]
fn poly<const N: usize>(x: f32, c: &[f32; N]) -> f32 {
    let mut sum = c[0];
    for c in &c[1..] {
        sum = sum.mul_add(x, *c);
    }
    sum
}

#[inline(always)]
fn choose(mask: bool, a: f32, b: f32) -> f32 {
    if mask { a } else { b }
}

#[inline(always)]
fn signed(x: f32, sign: f32) -> f32 {
    f32::from_bits(x.to_bits() & 0x7fff_ffff | sign.to_bits() & 0x8000_0000)
}

#[inline(always)]
fn power_of_two(k: i32) -> f32 {
    f32::from_bits((k.wrapping_add(127) << 23) as u32)
}

#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    let x = choose(x > 89.0, 89.0, x);
    let under = x < -104.0;
    let x = choose(under, 0.0, x);
    let (p, power) = exp_parts(x);
    let k = (power as i32).wrapping_sub(MAGIC.to_bits() as i32);
    let first = k >> 1;
    let p = p * power_of_two(first) * power_of_two(k.wrapping_sub(first));
    choose(under, 0.0, p)
}

/// What is left of a number in powers of two, as an exponential of it, and that power in the lowest bits.
#[inline(always)]
fn exp_parts(x: f32) -> (f32, u32) {
    let t = x.mul_add(LOG2_E, MAGIC);
    let n = t - MAGIC;
    let r = n.mul_add(-0.693_359_4, x);
    let r = n.mul_add(2.121_944_4e-4, r);
    (poly(r, &EXP).mul_add(r * r, r) + 1.0, t.to_bits())
}

/// [`exp`] where neither it nor 1 over it overflows: between -87 and 88.
#[inline(always)]
fn near_exp(x: f32) -> f32 {
    let (p, power) = exp_parts(x);
    // What the power's bits have above its own is shifted out: `MAGIC` ends with nine zeros.
    f32::from_bits(p.to_bits().wrapping_add(power << 23))
}

#[inline(always)]
fn log(x: f32) -> f32 {
    let small = x < f32::MIN_POSITIVE;
    let y = choose(small, x * 8_388_608.0, x);
    let b = y.to_bits() as i32;
    let e = b.wrapping_sub(0x3f35_04f3) >> 23;
    let m = f32::from_bits(b.wrapping_sub(e << 23) as u32);
    let ef = e as f32 - choose(small, 23.0, 0.0);
    let f = m - 1.0;
    let z = f * f;
    let p = poly(f, &LOG) * f * z;
    let p = ef.mul_add(-2.121_944_4e-4, p);
    let p = (-0.5f32).mul_add(z, p);
    let r = ef.mul_add(0.693_359_4, f + p);
    let r = choose(x == f32::INFINITY, f32::INFINITY, r);
    let wrong = choose(x == 0.0, f32::NEG_INFINITY, f32::NAN);
    choose(x > 0.0, r, wrong)
}

#[inline(always)]
fn tanh(x: f32) -> f32 {
    let z = x * x;
    let near = poly(z, &TANH).mul_add(z * x, x);
    let a = x.abs();
    // From 9.02 on it is 1. NaN goes through the polynomial.
    let b = choose(a > 10.0, 10.0, a);
    let far = -2.0 / (near_exp(b + b) + 1.0) + 1.0;
    signed(choose(a > 0.625, far, near), x)
}

/// `1 / (1 + exp(x))`, which is half of `1 + tanh(-x / 2)`: where an f64 has that tangent at -1, it is 0.
#[inline(always)]
fn one_over(x: f32) -> f32 {
    let y = choose(x < -87.0, -87.0, choose(x > 38.0, 38.0, x));
    choose(x > 38.0, 0.0, 1.0 / (1.0 + near_exp(y)))
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    let e = exp(-x.abs());
    choose(x < 0.0, e, 1.0) / (1.0 + e)
}

#[inline(always)]
fn softplus(x: f32) -> f32 {
    let e = exp(-x.abs());
    let u = 1.0 + e;
    let back = (e - (u - 1.0)) / u;
    choose(x > 0.0, x, 0.0) + (log(u) + back)
}

#[inline(always)]
fn erf(x: f32) -> f32 {
    // From 3.92 on it is 1, and beyond 4 the polynomials are not meant.
    let t = choose(x.abs() > 4.0, 4.0, x.abs());
    let s = t * t;
    let near = poly(s, &ERF).mul_add(x, x);
    let r = poly(t, &[-1.728_534_7e-5, 3.831_972e-4]);
    let u = poly(t, &[-3.883_964_4e-3, 2.425_462_2e-2]);
    let mut r = r.mul_add(s, u);
    for c in [-1.067_778_8e-1, -6.348_468_7e-1, -1.287_175_1e-1] {
        r = r.mul_add(t, c);
    }
    let r = r.mul_add(t, -t);
    let far = signed(1.0 - near_exp(r), x);
    choose(t > 0.927_734_4, far, near)
}

/// An angle in turns of `1 / per`: the bits that tell how many there are, and what is left.
#[inline(always)]
fn reduced(x: f32, per: f32, turn: [f32; 3]) -> (u32, f32) {
    let t = x.mul_add(per, MAGIC);
    let n = t - MAGIC;
    let mut r = x;
    for part in turn {
        r = n.mul_add(part, r);
    }
    (t.to_bits(), r)
}

/// Half a turn changes the sign and nothing else: one polynomial will do. It is right to 2 ulp, as the cosine's two are to 1.
#[inline(always)]
fn sin(x: f32) -> f32 {
    let (n, r) = reduced(x, FRAC_1_PI, HALF);
    let s = r * r;
    let size = (r * s).mul_add(poly(s, &SINE), r);
    // A sum of two zeros has lost the sign of -0.
    signed(size, f32::from_bits(r.to_bits() ^ n << 31))
}

/// By quarters of a turn: the cosine of 0 is 1, and not nearly so.
#[inline(always)]
fn cos(x: f32) -> f32 {
    let (n, r) = reduced(x, FRAC_2_PI, QUARTER);
    let s = r * r;
    let (cosine, sine) = (poly(s, &COSINE), r * poly(s, &SINE_QUARTER));
    let q = n.wrapping_add(1);
    let r = choose(q & 1 == 1, cosine, sine);
    f32::from_bits(r.to_bits() ^ (q << 30) & 0x8000_0000)
}

/// The sine, or the cosine. What their reduction cannot take goes through `slow`, one by one.
#[inline(always)]
fn turns<const COS: bool>(row: &mut [f32], slow: fn(f32) -> f32) {
    let mut far = false;
    for x in row.iter() {
        far |= x.abs() > TURNS;
    }
    if far {
        for x in row {
            let near = if COS { cos(*x) } else { sin(*x) };
            *x = if x.abs() > TURNS { slow(*x) } else { near };
        }
    } else {
        for x in row {
            *x = if COS { cos(*x) } else { sin(*x) };
        }
    }
}

/// `out = f(from + row) · gate`, where `$f` says what `f` is of `$x`. Written out where it stands: a closure that is handed to an iterator is
/// a function of its own where the compiler likes, and that one has none of the vectors of the function around it.
macro_rules! stretch {
    ($s:expr, |$x:ident| $f:expr) => {{
        let s = $s;
        match (s.row, s.gate) {
            ([], []) => {
                for (o, x) in s.out.iter_mut().zip(s.from) {
                    let $x = *x;
                    *o = $f;
                }
            }
            ([], gate) => {
                for ((o, x), g) in s.out.iter_mut().zip(s.from).zip(gate) {
                    let $x = *x;
                    *o = $f * g;
                }
            }
            (row, []) => {
                for (out, from) in s.out.chunks_mut(row.len()).zip(s.from.chunks(row.len())) {
                    for ((o, x), r) in out.iter_mut().zip(from).zip(row) {
                        let $x = x + r;
                        *o = $f;
                    }
                }
            }
            (row, gate) => {
                let gates = gate.chunks(row.len());
                for ((out, from), gate) in s.out.chunks_mut(row.len()).zip(s.from.chunks(row.len())).zip(gates) {
                    for (((o, x), r), g) in out.iter_mut().zip(from).zip(row).zip(gate) {
                        let $x = x + r;
                        *o = $f * g;
                    }
                }
            }
        }
    }};
}

/// An angle's function: of the sums first, since large ones take another way.
#[inline(always)]
fn angles<const COS: bool>(s: &mut Stretch, slow: fn(f32) -> f32) {
    let wide = if s.row.is_empty() { ANGLES } else { s.row.len() };
    for (out, from) in s.out.chunks_mut(wide).zip(s.from.chunks(wide)) {
        match s.row {
            [] => out.copy_from_slice(from),
            row => {
                for ((o, x), r) in out.iter_mut().zip(from).zip(row) {
                    *o = x + r;
                }
            }
        }
        turns::<COS>(out, slow);
    }
    if !s.gate.is_empty() {
        for (o, g) in s.out.iter_mut().zip(s.gate) {
            *o *= g;
        }
    }
}

#[inline(always)]
fn apply(s: &mut Stretch) {
    match s.function {
        Function::Least(c) => stretch!(s, |x| choose(c > x, c, x)),
        Function::Silu => stretch!(s, |x| x * sigmoid(x)),
        Function::Gelu { times, scale } => stretch!(s, |x| times * x * (1.0 + erf(scale * x))),
        Function::GeluOfQuotient { times, root } => stretch!(s, |x| times * x * (1.0 + erf(x / root))),
        Function::GeluTanh { times, scale, cube } => {
            let (times, scale) = (2.0 * times, -2.0 * scale);
            stretch!(s, |x| times * x * one_over(scale * (x + cube * (x * (x * x)))));
        }
        Function::One(Map::Exp) => stretch!(s, |x| exp(x)),
        Function::One(Map::Log) => stretch!(s, |x| log(x)),
        Function::One(Map::Tanh) => stretch!(s, |x| tanh(x)),
        Function::One(Map::Sigmoid) => stretch!(s, |x| sigmoid(x)),
        Function::One(Map::Softplus) => stretch!(s, |x| softplus(x)),
        Function::One(Map::Erf) => stretch!(s, |x| erf(x)),
        Function::One(Map::Sin) => angles::<false>(s, slow_sin),
        Function::One(Map::Cos) => angles::<true>(s, slow_cos),
        Function::One(other) => unreachable!("{other:?} is no function of rows"),
    }
}

/// A function of a row: for machines with vectors of eight, and of sixteen; of four where all have them.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! rows {
    ($($name:ident: |$row:ident| $body:expr;)*) => {$(
        pub(super) mod $name {
            #[allow(clippy::wildcard_imports, reason = "the module is a name for functions of the one around it")]
            use super::*;

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512vl,fma")]
            pub fn avx512($row: &mut [f32]) {
                $body
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            pub fn avx2($row: &mut [f32]) {
                $body
            }

            #[cfg(target_arch = "aarch64")]
            pub fn neon($row: &mut [f32]) {
                $body
            }
        }
    )*};
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
rows! {
    exp_row: |row| for x in row { *x = exp(*x) };
    log_row: |row| for x in row { *x = log(*x) };
    tanh_row: |row| for x in row { *x = tanh(*x) };
    sigmoid_row: |row| for x in row { *x = sigmoid(*x) };
    softplus_row: |row| for x in row { *x = softplus(*x) };
    erf_row: |row| for x in row { *x = erf(*x) };
    sin_row: |row| turns::<false>(row, slow_sin);
    cos_row: |row| turns::<true>(row, slow_cos);
}

/// [`apply`], compiled for each vector width.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub(super) mod applied {
    use super::{Stretch, apply};

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512vl,fma")]
    pub fn avx512(of: &mut Stretch) {
        apply(of);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    pub fn avx2(of: &mut Stretch) {
        apply(of);
    }

    #[cfg(target_arch = "aarch64")]
    pub fn neon(of: &mut Stretch) {
        apply(of);
    }
}
