//! The largest or least of the values that an index places.

use super::sums::placed;
use crate::cpu::object::code::{Code, Pane};
use crate::ir::{DType, Fold};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32, I32};
use cranelift_codegen::ir::{InstBuilder, Value};

/// Values go where their index says along `axis` of `out`, a whole buffer of `length` elements, and stay where nothing beats them: the first NaN does.
pub(in crate::cpu::object) fn extremes(
    c: &mut Code,
    (index, value, out): (&Pane, &Pane, &Pane),
    (axis, fold): (usize, Fold),
    dtype: DType,
    length: Value,
) {
    let (zero, one) = (c.int(0), c.int(1));
    let most = fold == Fold::Max;
    let kind = if dtype == DType::F32 { F32 } else { I32 };
    let start = match dtype {
        DType::F32 => c.b.ins().f32const(if most { f32::NEG_INFINITY } else { f32::INFINITY }),
        DType::I32 | DType::Bool => c.b.ins().iconst(I32, i64::from(if most { i32::MIN } else { i32::MAX })),
    };
    let (from, to) = (value.base, out.base);
    c.walk(&[(length, vec![one])], &[zero], &mut |c, at| c.store(start, to, at[0]));
    placed(c, (index, value, out), axis, &mut |c, v, o| {
        let (x, old) = (c.load(kind, from, v), c.load(kind, to, o));
        let better = better(c, most, dtype, x, old);
        let now = c.b.ins().select(better, x, old);
        c.store(now, to, o);
    });
}

fn better(c: &mut Code, most: bool, dtype: DType, new: Value, old: Value) -> Value {
    if dtype != DType::F32 {
        return c.b.ins().icmp(if most { IntCC::SignedGreaterThan } else { IntCC::SignedLessThan }, new, old);
    }
    let beats = c.b.ins().fcmp(if most { FloatCC::GreaterThan } else { FloatCC::LessThan }, new, old);
    let (none, some) = (c.b.ins().fcmp(FloatCC::Unordered, new, new), c.b.ins().fcmp(FloatCC::Ordered, old, old));
    let first = c.b.ins().band(none, some);
    c.b.ins().bor(beats, first)
}
