//! The pointwise functions in Cranelift, on one value or four.
//!
//! In registers a bool is a mask (0 or -1), in memory the i32 0 or 1.

use super::r#gen::Gen;
use crate::ir::{DType, Map};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32, F32X4, I32, I32X4, I64};
use cranelift_codegen::ir::{InstBuilder, Value};

impl Gen<'_> {
    /// Another element type for the same value; to I32 it truncates.
    pub(super) fn convert(&mut self, x: Value, from: DType, to: DType) -> Value {
        let vector = self.b.func.dfg.value_type(x).is_vector();
        match (from, to) {
            (DType::F32, DType::F32) | (DType::I32, DType::I32) | (DType::Bool, DType::Bool) => x,
            (DType::Bool, DType::I32) => self.b.ins().ineg(x),
            (DType::I32, DType::F32) => self.b.ins().fcvt_from_sint(if vector { F32X4 } else { F32 }, x),
            (DType::Bool, DType::F32) => {
                let one = self.float(1.0, x);
                let one = self.bits(one);
                let r = self.b.ins().band(x, one);
                self.from_bits(r)
            }
            (DType::F32, DType::I32) => {
                let whole = self.b.ins().fcvt_to_sint_sat(if vector { I32X4 } else { I32 }, x);
                let (none, least) = (self.fcmp(FloatCC::NotEqual, x, x), self.int(i32::MIN, whole));
                self.choose(none, least, whole)
            }
            (DType::F32, DType::Bool) => {
                let zero = self.float(0.0, x);
                self.fcmp(FloatCC::NotEqual, x, zero)
            }
            (DType::I32, DType::Bool) => {
                let zero = self.int(0, x);
                self.icmp(IntCC::NotEqual, x, zero)
            }
        }
    }

    /// `map` of operands of element type `of` (the operands of a select: of the result's); the result is of type `to`.
    pub(super) fn map(&mut self, map: Map, v: &[Value], of: DType, to: DType) -> Value {
        let on = map.works_in(of);
        let v: Vec<Value> = v.iter().map(|x| self.convert(*x, of, on)).collect();
        let r = self.spelled(map, &v, on);
        self.convert(r, map.gives(on), to)
    }

    /// Every function, of operands of the type `on` that it works in.
    fn spelled(&mut self, map: Map, v: &[Value], on: DType) -> Value {
        let (x, real) = (v[0], on == DType::F32);
        match map {
            Map::Copy | Map::Cut | Map::Surrogate => x,
            Map::ToF32 => self.convert(x, on, DType::F32),
            Map::ToI32 => self.convert(x, on, DType::I32),
            Map::Neg if real => self.b.ins().fneg(x),
            Map::Neg => self.b.ins().ineg(x),
            Map::Not => self.b.ins().bnot(x),
            Map::Exp => self.exp(x),
            Map::Log => self.log(x),
            Map::Sqrt => self.b.ins().sqrt(x),
            Map::Abs if real => self.b.ins().fabs(x),
            Map::Abs => self.whole_abs(x),
            Map::Sin => self.angle(x, false),
            Map::Cos => self.angle(x, true),
            Map::Tan => {
                let f = self.calls.tan;
                self.each_lane(x, |g, v| g.call(f, &[v]))
            }
            Map::Tanh => self.tanh(x),
            Map::Sigmoid => self.sigmoid(x),
            Map::Softplus => self.softplus(x),
            Map::Erf => self.erf(x),
            Map::Floor => self.b.ins().floor(x),
            Map::Ceil => self.b.ins().ceil(x),
            Map::Round => self.b.ins().nearest(x),
            Map::Half => self.half(x),
            Map::Sign if real => self.sign(x),
            Map::Sign => self.whole_sign(x),
            Map::Add if real => self.b.ins().fadd(x, v[1]),
            Map::Add => self.b.ins().iadd(x, v[1]),
            Map::Sub if real => self.b.ins().fsub(x, v[1]),
            Map::Sub => self.b.ins().isub(x, v[1]),
            Map::Mul if real => self.b.ins().fmul(x, v[1]),
            Map::Mul => self.b.ins().imul(x, v[1]),
            Map::Div => self.b.ins().fdiv(x, v[1]),
            Map::Pow => {
                let f = if real { self.calls.pow } else { self.calls.whole };
                self.each_pair(x, v[1], |g, a, b| g.call(f, &[a, b]))
            }
            Map::Atan2 => self.atan2(x, v[1]),
            Map::Min | Map::Max if real => self.extreme(map, x, v[1]),
            Map::Min => self.whole_extreme(IntCC::SignedLessThan, x, v[1]),
            Map::Max => self.whole_extreme(IntCC::SignedGreaterThan, x, v[1]),
            Map::IntDiv if real => self.float_floor_div(x, v[1], false),
            Map::IntDiv => self.each_pair(x, v[1], |g, a, b| g.floor_div(a, b).0),
            Map::Mod if real => self.float_floor_div(x, v[1], true),
            Map::Mod => self.each_pair(x, v[1], |g, a, b| g.floor_div(a, b).1),
            Map::Eq => self.compare((FloatCC::Equal, IntCC::Equal), v, on),
            Map::Ne => self.compare((FloatCC::NotEqual, IntCC::NotEqual), v, on),
            Map::Lt => self.compare((FloatCC::LessThan, IntCC::SignedLessThan), v, on),
            Map::Le => self.compare((FloatCC::LessThanOrEqual, IntCC::SignedLessThanOrEqual), v, on),
            Map::And => self.b.ins().band(x, v[1]),
            Map::Or => self.b.ins().bor(x, v[1]),
            Map::Select => self.choose(x, v[1], v[2]),
        }
    }

    fn compare(&mut self, (float, int): (FloatCC, IntCC), v: &[Value], on: DType) -> Value {
        let (a, b) = (v[0], v[1]);
        match on {
            DType::F32 => self.fcmp(float, a, b),
            DType::I32 => self.icmp(int, a, b),
            DType::Bool => {
                let (a, b) = (self.convert(a, on, DType::I32), self.convert(b, on, DType::I32));
                self.icmp(int, a, b)
            }
        }
    }

    /// The larger or smaller one of two floats; NaN if either is.
    fn extreme(&mut self, map: Map, a: Value, b: Value) -> Value {
        let cc = if map == Map::Max { FloatCC::GreaterThan } else { FloatCC::LessThan };
        let (beats, none) = (self.fcmp(cc, a, b), self.fcmp(FloatCC::NotEqual, a, a));
        let first = self.b.ins().bor(beats, none);
        self.choose(first, a, b)
    }

    /// As [`Gen::extreme`] where `b` is a number for sure: one comparison, so that a rectifier stays as cheap as it can be.
    pub(super) fn bounded(&mut self, map: Map, a: Value, b: Value) -> Value {
        let cc = if map == Map::Max { FloatCC::GreaterThan } else { FloatCC::LessThan };
        let beats = self.fcmp(cc, b, a);
        self.choose(beats, b, a)
    }

    /// The nearest number of 16 bits: 13 bits fewer; below 2^-14 a multiple of 2^-24; from 65520 on infinite.
    fn half(&mut self, x: Value) -> Value {
        let bits = self.bits(x);
        let (top, rest) = (self.int(i32::MIN, bits), self.int(i32::MAX, bits));
        let sign = self.b.ins().band(bits, top);
        let size = self.b.ins().band(bits, rest);
        let odd = self.b.ins().ushr_imm_u(size, 13);
        let one = self.int(1, bits);
        let odd = self.b.ins().band(odd, one);
        let almost = self.int(0xfff, bits);
        let up = self.b.ins().iadd(size, almost);
        let up = self.b.ins().iadd(up, odd);
        let kept = self.int(!0x1fff, bits);
        let normal = self.b.ins().band(up, kept);
        let (large, small) = (self.float(16_777_216.0, x), self.float(1.0 / 16_777_216.0, x));
        let whole = self.from_bits(size);
        let whole = self.b.ins().fmul(whole, large);
        let whole = self.b.ins().nearest(whole);
        let tiny = self.b.ins().fmul(whole, small);
        let (normal, magnitude) = (self.from_bits(normal), self.from_bits(size));
        let (least, most) = (self.float(1.0 / 16_384.0, x), self.float(65_520.0, x));
        let is_tiny = self.fcmp(FloatCC::LessThan, magnitude, least);
        let r = self.choose(is_tiny, tiny, normal);
        let is_large = self.fcmp(FloatCC::GreaterThanOrEqual, magnitude, most);
        let infinite = self.float(f32::INFINITY, x);
        let r = self.choose(is_large, infinite, r);
        let r = self.bits(r);
        let r = self.b.ins().bor(r, sign);
        let r = self.from_bits(r);
        let none = self.fcmp(FloatCC::NotEqual, x, x);
        self.choose(none, x, r)
    }

    /// -1, 0, 1 or NaN.
    fn sign(&mut self, x: Value) -> Value {
        let (zero, one, minus) = (self.float(0.0, x), self.float(1.0, x), self.float(-1.0, x));
        let (more, less) = (self.fcmp(FloatCC::GreaterThan, x, zero), self.fcmp(FloatCC::LessThan, x, zero));
        let r = self.choose(more, one, zero);
        let r = self.choose(less, minus, r);
        let none = self.fcmp(FloatCC::NotEqual, x, x);
        self.choose(none, x, r)
    }

    /// Quotient of floats rounded down, or its remainder; by zero 0.
    fn float_floor_div(&mut self, a: Value, b: Value, rest: bool) -> Value {
        let q = self.b.ins().fdiv(a, b);
        let mut r = self.b.ins().floor(q);
        if rest {
            let p = self.b.ins().fmul(b, r);
            r = self.b.ins().fsub(a, p);
        }
        let zero = self.float(0.0, a);
        let none = self.fcmp(FloatCC::Equal, b, zero);
        self.choose(none, zero, r)
    }

    fn whole_abs(&mut self, x: Value) -> Value {
        let zero = self.int(0, x);
        let less = self.icmp(IntCC::SignedLessThan, x, zero);
        let minus = self.b.ins().ineg(x);
        self.choose(less, minus, x)
    }

    fn whole_sign(&mut self, x: Value) -> Value {
        let zero = self.int(0, x);
        let less = self.icmp(IntCC::SignedLessThan, x, zero);
        let more = self.icmp(IntCC::SignedGreaterThan, x, zero);
        self.b.ins().isub(less, more)
    }

    fn whole_extreme(&mut self, beats: IntCC, a: Value, b: Value) -> Value {
        let first = self.icmp(beats, a, b);
        self.choose(first, a, b)
    }

    /// Quotient rounded down and its remainder; by zero both are 0.
    fn floor_div(&mut self, a: Value, b: Value) -> (Value, Value) {
        let (a, b) = (self.b.ins().sextend(I64, a), self.b.ins().sextend(I64, b));
        let none = self.b.ins().icmp_imm_s(IntCC::Equal, b, 0);
        let one = self.b.ins().iconst(I64, 1);
        let zero = self.b.ins().iconst(I64, 0);
        let d = self.b.ins().select(none, one, b);
        let q = self.b.ins().sdiv(a, d);
        let p = self.b.ins().imul(q, d);
        let r = self.b.ins().isub(a, p);
        let rest = self.b.ins().icmp_imm_s(IntCC::NotEqual, r, 0);
        let mixed = self.b.ins().bxor(r, d);
        let mixed = self.b.ins().icmp_imm_s(IntCC::SignedLessThan, mixed, 0);
        let down = self.b.ins().band(rest, mixed);
        let q1 = self.b.ins().iadd_imm_s(q, -1);
        let r1 = self.b.ins().iadd(r, d);
        let (q, r) = (self.b.ins().select(down, q1, q), self.b.ins().select(down, r1, r));
        let (q, r) = (self.b.ins().select(none, zero, q), self.b.ins().select(none, zero, r));
        (self.b.ins().ireduce(I32, q), self.b.ins().ireduce(I32, r))
    }
}
