//! Scalar functions on one f32 or on four at a time, as polynomials after range reduction; about 1 to 2 ulp.
//!
//! Sources: Cephes (Moshier) for exp, log, tanh; N. Juffa's published minimax polynomials for erf.

use super::r#gen::Gen;
use super::poly::{ERF, EXP, LOG, MAGIC, TANH};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32, F32X4, I32, I32X4};
use cranelift_codegen::ir::{FuncRef, InstBuilder, MemFlagsData, Type, Value};

impl Gen<'_> {
    fn is_vector(&self, x: Value) -> bool {
        self.b.func.dfg.value_type(x).is_vector()
    }

    /// A constant of the same shape as `like`.
    pub(super) fn float(&mut self, c: f32, like: Value) -> Value {
        let v = self.b.ins().f32const(c);
        if self.is_vector(like) { self.b.ins().splat(F32X4, v) } else { v }
    }

    pub(super) fn int(&mut self, c: i32, like: Value) -> Value {
        let v = self.b.ins().iconst(I32, i64::from(c));
        if self.is_vector(like) { self.b.ins().splat(I32X4, v) } else { v }
    }

    fn cast(&mut self, x: Value, one: Type, four: Type) -> Value {
        let (ty, flags) = if self.is_vector(x) {
            (four, MemFlagsData::new().with_endianness(cranelift_codegen::ir::Endianness::Little))
        } else {
            (one, MemFlagsData::new())
        };
        self.b.ins().bitcast(ty, flags, x)
    }

    pub(super) fn bits(&mut self, x: Value) -> Value {
        self.cast(x, I32, I32X4)
    }

    #[expect(clippy::wrong_self_convention, reason = "it converts a value, not the generator")]
    pub(super) fn from_bits(&mut self, x: Value) -> Value {
        self.cast(x, F32, F32X4)
    }

    /// `a * b + c`.
    pub(super) fn fma(&mut self, a: Value, b: Value, c: Value) -> Value {
        if self.has_fma {
            return self.b.ins().fma(a, b, c);
        }
        let p = self.b.ins().fmul(a, b);
        self.b.ins().fadd(p, c)
    }

    /// A mask, all bits of a lane set where it holds.
    pub(super) fn fcmp(&mut self, cc: FloatCC, a: Value, b: Value) -> Value {
        let c = self.b.ins().fcmp(cc, a, b);
        if self.is_vector(a) { c } else { self.b.ins().bmask(I32, c) }
    }

    pub(super) fn icmp(&mut self, cc: IntCC, a: Value, b: Value) -> Value {
        let c = self.b.ins().icmp(cc, a, b);
        if self.is_vector(a) { c } else { self.b.ins().bmask(I32, c) }
    }

    /// `mask ? a : b`, on floats or on whole numbers.
    pub(super) fn choose(&mut self, mask: Value, a: Value, b: Value) -> Value {
        if !self.is_vector(a) {
            let c = self.b.ins().icmp_imm_s(IntCC::NotEqual, mask, 0);
            return self.b.ins().select(c, a, b);
        }
        let is_float = self.b.func.dfg.value_type(a) == F32X4;
        let mask = if is_float { self.from_bits(mask) } else { mask };
        self.b.ins().bitselect(mask, a, b)
    }

    /// `Σ c[k] x^k`, highest first.
    pub(super) fn poly(&mut self, x: Value, c: &[f32]) -> Value {
        let mut sum = self.float(c[0], x);
        for k in &c[1..] {
            let k = self.float(*k, x);
            sum = self.fma(sum, x, k);
        }
        sum
    }

    pub(super) fn fabs(&mut self, x: Value) -> Value {
        self.b.ins().fabs(x)
    }

    /// The magnitude of `x` with the sign of `sign`.
    pub(super) fn signed(&mut self, x: Value, sign: Value) -> Value {
        let (x, s) = (self.bits(x), self.bits(sign));
        let top = self.int(i32::MIN, x);
        let s = self.b.ins().band(s, top);
        let rest = self.int(i32::MAX, x);
        let x = self.b.ins().band(x, rest);
        let r = self.b.ins().bor(x, s);
        self.from_bits(r)
    }

    /// 2^k for whole k in -126..=127.
    fn power_of_two(&mut self, k: Value) -> Value {
        let bias = self.int(127, k);
        let k = self.b.ins().iadd(k, bias);
        let k = self.b.ins().ishl_imm_s(k, 23);
        self.from_bits(k)
    }

    /// What is left of a number in powers of two, as an exponential of it, and that power in the lowest bits.
    fn exp_parts(&mut self, x: Value) -> (Value, Value) {
        let (log2e, magic) = (self.float(std::f32::consts::LOG2_E, x), self.float(MAGIC, x));
        let t = self.fma(x, log2e, magic);
        let n = self.b.ins().fsub(t, magic);
        let (hi, lo) = (self.float(-0.693_359_4, x), self.float(2.121_944_4e-4, x));
        let r = self.fma(n, hi, x);
        let r = self.fma(n, lo, r);
        let p = self.poly(r, &EXP);
        let rr = self.b.ins().fmul(r, r);
        let p = self.fma(p, rr, r);
        let one = self.float(1.0, x);
        (self.b.ins().fadd(p, one), self.bits(t))
    }

    /// [`Gen::exp`] where neither it nor 1 over it overflows: between -87 and 88.
    fn near_exp(&mut self, x: Value) -> Value {
        let (p, t) = self.exp_parts(x);
        // What the power's bits have above its own is shifted out: `MAGIC` ends with nine zeros.
        let power = self.b.ins().ishl_imm_s(t, 23);
        let p = self.bits(p);
        let r = self.b.ins().iadd(p, power);
        self.from_bits(r)
    }

    pub(super) fn exp(&mut self, x: Value) -> Value {
        let (high, low, zero) = (self.float(89.0, x), self.float(-104.0, x), self.float(0.0, x));
        let over = self.fcmp(FloatCC::GreaterThan, x, high);
        let x = self.choose(over, high, x);
        // Below, it is 0; to compute that would take a hundred times as long, as all that is too small for an f32 does.
        let under = self.fcmp(FloatCC::LessThan, x, low);
        let x = self.choose(under, zero, x);
        let (p, t) = self.exp_parts(x);
        let magic = self.float(MAGIC, x);
        let m = self.bits(magic);
        let k = self.b.ins().isub(t, m);
        let k1 = self.b.ins().sshr_imm_s(k, 1);
        let k2 = self.b.ins().isub(k, k1);
        let (s1, s2) = (self.power_of_two(k1), self.power_of_two(k2));
        let p = self.b.ins().fmul(p, s1);
        let p = self.b.ins().fmul(p, s2);
        self.choose(under, zero, p)
    }

    pub(super) fn log(&mut self, x: Value) -> Value {
        let (tiny, scale) = (self.float(f32::MIN_POSITIVE, x), self.float(8_388_608.0, x));
        let small = self.fcmp(FloatCC::LessThan, x, tiny);
        let scaled = self.b.ins().fmul(x, scale);
        let y = self.choose(small, scaled, x);
        let b = self.bits(y);
        let root = self.int(0x3f35_04f3, b);
        let e = self.b.ins().isub(b, root);
        let e = self.b.ins().sshr_imm_s(e, 23);
        let shifted = self.b.ins().ishl_imm_s(e, 23);
        let m = self.b.ins().isub(b, shifted);
        let m = self.from_bits(m);
        let ty = self.b.func.dfg.value_type(x);
        let ef = self.b.ins().fcvt_from_sint(ty, e);
        let (shift, zero, one) = (self.float(23.0, x), self.float(0.0, x), self.float(1.0, x));
        let less = self.choose(small, shift, zero);
        let ef = self.b.ins().fsub(ef, less);
        let f = self.b.ins().fsub(m, one);
        let z = self.b.ins().fmul(f, f);
        let p = self.poly(f, &LOG);
        let p = self.b.ins().fmul(p, f);
        let p = self.b.ins().fmul(p, z);
        let (lo, hi, half) = (self.float(-2.121_944_4e-4, x), self.float(0.693_359_4, x), self.float(-0.5, x));
        let p = self.fma(ef, lo, p);
        let p = self.fma(half, z, p);
        let r = self.b.ins().fadd(f, p);
        let r = self.fma(ef, hi, r);
        let (inf, ninf, nan) = (self.float(f32::INFINITY, x), self.float(f32::NEG_INFINITY, x), self.float(f32::NAN, x));
        let top = self.fcmp(FloatCC::Equal, x, inf);
        let r = self.choose(top, inf, r);
        let none = self.fcmp(FloatCC::Equal, x, zero);
        let wrong = self.choose(none, ninf, nan);
        let fine = self.fcmp(FloatCC::GreaterThan, x, zero);
        self.choose(fine, r, wrong)
    }

    pub(super) fn tanh(&mut self, x: Value) -> Value {
        let z = self.b.ins().fmul(x, x);
        let p = self.poly(z, &TANH);
        let zx = self.b.ins().fmul(z, x);
        let near = self.fma(p, zx, x);
        let a = self.fabs(x);
        // From 9.02 on it is 1.
        let most = self.float(10.0, x);
        let beyond = self.fcmp(FloatCC::GreaterThan, a, most);
        let b = self.choose(beyond, most, a);
        let two = self.b.ins().fadd(b, b);
        let e = self.near_exp(two);
        let one = self.float(1.0, x);
        let d = self.b.ins().fadd(e, one);
        let minus = self.float(-2.0, x);
        let q = self.b.ins().fdiv(minus, d);
        let far = self.b.ins().fadd(q, one);
        let limit = self.float(0.625, x);
        // NaN goes through the polynomial, -0 loses its sign there.
        let large = self.fcmp(FloatCC::GreaterThan, a, limit);
        let r = self.choose(large, far, near);
        self.signed(r, x)
    }

    pub(super) fn sigmoid(&mut self, x: Value) -> Value {
        let a = self.fabs(x);
        let a = self.b.ins().fneg(a);
        let e = self.exp(a);
        let (one, zero) = (self.float(1.0, x), self.float(0.0, x));
        let d = self.b.ins().fadd(one, e);
        let minus = self.fcmp(FloatCC::LessThan, x, zero);
        let top = self.choose(minus, e, one);
        self.b.ins().fdiv(top, d)
    }

    pub(super) fn softplus(&mut self, x: Value) -> Value {
        let a = self.fabs(x);
        let a = self.b.ins().fneg(a);
        let e = self.exp(a);
        let (one, zero) = (self.float(1.0, x), self.float(0.0, x));
        // log(1 + e), with what the sum rounds away given back.
        let u = self.b.ins().fadd(one, e);
        let kept = self.b.ins().fsub(u, one);
        let lost = self.b.ins().fsub(e, kept);
        let back = self.b.ins().fdiv(lost, u);
        let l = self.log(u);
        let l = self.b.ins().fadd(l, back);
        let more = self.fcmp(FloatCC::GreaterThan, x, zero);
        let m = self.choose(more, x, zero);
        self.b.ins().fadd(m, l)
    }

    pub(super) fn erf(&mut self, x: Value) -> Value {
        // From 3.92 on it is 1, and beyond 4 the polynomials are not meant.
        let (t, four) = (self.fabs(x), self.float(4.0, x));
        let beyond = self.fcmp(FloatCC::GreaterThan, t, four);
        let t = self.choose(beyond, four, t);
        let s = self.b.ins().fmul(t, t);
        let near = self.poly(s, &ERF);
        let near = self.fma(near, x, x);
        let r = self.poly(t, &[-1.728_534_7e-5, 3.831_972e-4]);
        let u = self.poly(t, &[-3.883_964_4e-3, 2.425_462_2e-2]);
        let mut r = self.fma(r, s, u);
        for c in [-1.067_778_8e-1, -6.348_468_7e-1, -1.287_175_1e-1] {
            let c = self.float(c, x);
            r = self.fma(r, t, c);
        }
        let minus = self.b.ins().fneg(t);
        let r = self.fma(r, t, minus);
        let e = self.near_exp(r);
        let (one, limit) = (self.float(1.0, x), self.float(0.927_734_4, x));
        let far = self.b.ins().fsub(one, e);
        let far = self.signed(far, x);
        let large = self.fcmp(FloatCC::GreaterThan, t, limit);
        self.choose(large, far, near)
    }

    pub(super) fn call(&mut self, f: FuncRef, args: &[Value]) -> Value {
        let inst = self.b.ins().call(f, args);
        self.b.inst_results(inst)[0]
    }

    /// Applies a scalar function to each lane.
    pub(super) fn each_lane(&mut self, x: Value, f: impl Fn(&mut Self, Value) -> Value) -> Value {
        if !self.is_vector(x) {
            return f(self, x);
        }
        let mut out = None;
        for lane in 0..4u8 {
            let v = self.b.ins().extractlane(x, lane);
            let r = f(self, v);
            out = Some(match out {
                None => {
                    let ty = self.b.func.dfg.value_type(r).by(4).unwrap_or(F32X4);
                    self.b.ins().splat(ty, r)
                }
                Some(o) => self.b.ins().insertlane(o, r, lane),
            });
        }
        out.unwrap_or(x)
    }

    /// Applies a scalar function of two to each lane.
    pub(super) fn each_pair(&mut self, x: Value, y: Value, f: impl Fn(&mut Self, Value, Value) -> Value) -> Value {
        if !self.is_vector(x) {
            return f(self, x, y);
        }
        let mut out = x;
        for lane in 0..4u8 {
            let (a, b) = (self.b.ins().extractlane(x, lane), self.b.ins().extractlane(y, lane));
            let r = f(self, a, b);
            out = self.b.ins().insertlane(out, r, lane);
        }
        out
    }
}
