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
        let x = v[0];
        let logic = matches!(map, Map::Copy | Map::ToF32 | Map::ToI32 | Map::Select | Map::Not | Map::And | Map::Or);
        if of == DType::F32 && !logic && !matches!(map, Map::Eq | Map::Ne | Map::Lt | Map::Le) {
            return self.real(map, v);
        }
        match map {
            Map::Copy => x,
            Map::ToF32 => self.convert(x, of, DType::F32),
            Map::ToI32 => self.convert(x, of, DType::I32),
            Map::Select => self.choose(x, v[1], v[2]),
            Map::Not => {
                let b = self.convert(x, of, DType::Bool);
                let r = self.b.ins().bnot(b);
                self.convert(r, DType::Bool, to)
            }
            Map::And | Map::Or => {
                let (a, b) = (self.convert(x, of, DType::Bool), self.convert(v[1], of, DType::Bool));
                let r = if map == Map::And { self.b.ins().band(a, b) } else { self.b.ins().bor(a, b) };
                self.convert(r, DType::Bool, to)
            }
            Map::Eq | Map::Ne | Map::Lt | Map::Le => {
                let r = self.compare(map, x, v[1], of);
                self.convert(r, DType::Bool, to)
            }
            Map::Neg | Map::Abs | Map::Sign | Map::Add | Map::Sub | Map::Mul | Map::Min | Map::Max => self.whole(map, v, of, to),
            Map::IntDiv | Map::Mod | Map::Floor | Map::Ceil | Map::Round | Map::Pow => self.whole(map, v, of, to),
            Map::Exp
            | Map::Log
            | Map::Sqrt
            | Map::Sin
            | Map::Cos
            | Map::Tan
            | Map::Tanh
            | Map::Sigmoid
            | Map::Softplus
            | Map::Erf
            | Map::Div => {
                let v: Vec<Value> = v.iter().map(|x| self.convert(*x, of, DType::F32)).collect();
                self.real(map, &v)
            }
        }
    }

    fn compare(&mut self, map: Map, a: Value, b: Value, of: DType) -> Value {
        let (float, int) = match map {
            Map::Eq => (FloatCC::Equal, IntCC::Equal),
            Map::Ne => (FloatCC::NotEqual, IntCC::NotEqual),
            Map::Lt => (FloatCC::LessThan, IntCC::SignedLessThan),
            _ => (FloatCC::LessThanOrEqual, IntCC::SignedLessThanOrEqual),
        };
        match of {
            DType::F32 => self.fcmp(float, a, b),
            DType::I32 => self.icmp(int, a, b),
            DType::Bool => {
                let (a, b) = (self.convert(a, of, DType::I32), self.convert(b, of, DType::I32));
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

    /// Functions of reals.
    fn real(&mut self, map: Map, v: &[Value]) -> Value {
        let x = v[0];
        match map {
            Map::Neg => self.b.ins().fneg(x),
            Map::Exp => self.exp(x),
            Map::Log => self.log(x),
            Map::Sqrt => self.b.ins().sqrt(x),
            Map::Abs => self.b.ins().fabs(x),
            Map::Sin => self.turn(x, 0),
            Map::Cos => self.turn(x, 1),
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
            Map::Sign => {
                let (zero, one, minus) = (self.float(0.0, x), self.float(1.0, x), self.float(-1.0, x));
                let (more, less) = (self.fcmp(FloatCC::GreaterThan, x, zero), self.fcmp(FloatCC::LessThan, x, zero));
                let r = self.choose(more, one, zero);
                let r = self.choose(less, minus, r);
                let none = self.fcmp(FloatCC::NotEqual, x, x);
                self.choose(none, x, r)
            }
            Map::Add => self.b.ins().fadd(x, v[1]),
            Map::Sub => self.b.ins().fsub(x, v[1]),
            Map::Mul => self.b.ins().fmul(x, v[1]),
            Map::Div => self.b.ins().fdiv(x, v[1]),
            Map::Pow => {
                let f = self.calls.pow;
                self.each_pair(x, v[1], |g, a, b| g.call(f, &[a, b]))
            }
            Map::Min | Map::Max => self.extreme(map, x, v[1]),
            Map::IntDiv | Map::Mod => {
                let q = self.b.ins().fdiv(x, v[1]);
                let mut r = self.b.ins().floor(q);
                if map == Map::Mod {
                    let p = self.b.ins().fmul(v[1], r);
                    r = self.b.ins().fsub(x, p);
                }
                let zero = self.float(0.0, x);
                let none = self.fcmp(FloatCC::Equal, v[1], zero);
                self.choose(none, zero, r)
            }
            Map::Copy
            | Map::Not
            | Map::ToF32
            | Map::ToI32
            | Map::Eq
            | Map::Ne
            | Map::Lt
            | Map::Le
            | Map::And
            | Map::Or
            | Map::Select => x,
        }
    }

    /// Functions of whole numbers.
    fn whole(&mut self, map: Map, v: &[Value], of: DType, to: DType) -> Value {
        let v: Vec<Value> = v.iter().map(|x| self.convert(*x, of, DType::I32)).collect();
        let x = v[0];
        let r = match map {
            Map::Neg => self.b.ins().ineg(x),
            Map::Abs => {
                let zero = self.int(0, x);
                let less = self.icmp(IntCC::SignedLessThan, x, zero);
                let minus = self.b.ins().ineg(x);
                self.choose(less, minus, x)
            }
            Map::Sign => {
                let zero = self.int(0, x);
                let less = self.icmp(IntCC::SignedLessThan, x, zero);
                let more = self.icmp(IntCC::SignedGreaterThan, x, zero);
                self.b.ins().isub(less, more)
            }
            Map::Add => self.b.ins().iadd(x, v[1]),
            Map::Sub => self.b.ins().isub(x, v[1]),
            Map::Mul => self.b.ins().imul(x, v[1]),
            Map::Min | Map::Max => {
                let cc = if map == Map::Max { IntCC::SignedGreaterThan } else { IntCC::SignedLessThan };
                let m = self.icmp(cc, x, v[1]);
                self.choose(m, x, v[1])
            }
            Map::IntDiv => self.each_pair(x, v[1], |g, a, b| g.floor_div(a, b).0),
            Map::Mod => self.each_pair(x, v[1], |g, a, b| g.floor_div(a, b).1),
            Map::Pow => {
                let f = self.calls.whole;
                self.each_pair(x, v[1], |g, a, b| g.call(f, &[a, b]))
            }
            Map::Copy | Map::Floor | Map::Ceil | Map::Round | Map::ToF32 | Map::ToI32 => x,
            // Answered by `map` before it comes here.
            Map::Not | Map::Eq | Map::Ne | Map::Lt | Map::Le | Map::And | Map::Or | Map::Select => x,
            Map::Exp
            | Map::Log
            | Map::Sqrt
            | Map::Sin
            | Map::Cos
            | Map::Tan
            | Map::Tanh
            | Map::Sigmoid
            | Map::Softplus
            | Map::Erf
            | Map::Div => x,
        };
        self.convert(r, DType::I32, to)
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
