//! The largest or least of the values that an index places.

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
    let (places, step) = out.dims[axis];
    let (zero, one) = (c.int(0), c.int(1));
    let most = fold == Fold::Max;
    let kind = if dtype == DType::F32 { F32 } else { I32 };
    let start = match dtype {
        DType::F32 => c.b.ins().f32const(if most { f32::NEG_INFINITY } else { f32::INFINITY }),
        DType::I32 | DType::Bool => c.b.ins().iconst(I32, i64::from(if most { i32::MIN } else { i32::MAX })),
    };
    let (indices, from, to) = (index.base, value.base, out.base);
    c.walk(&[(length, vec![one])], &[zero], &mut |c, at| c.store(start, to, at[0]));
    let strides = |k: usize| if k == axis { zero } else { out.dims.get(k).map_or(zero, |d| d.1) };
    let each = index.dims.iter().zip(&value.dims).enumerate();
    let dims: Vec<_> = each.filter(|(k, _)| *k != axis).map(|(k, ((n, i), (_, v)))| (*n, vec![*i, *v, strides(k)])).collect();
    c.walk(&dims, &[zero, zero, zero], &mut |c, at| {
        let i = c.load(I32, indices, at[0]);
        let (fine, i) = c.inside(i, places);
        let v = at[1];
        let by = c.b.ins().imul(i, step);
        let o = c.b.ins().iadd(at[2], by);
        c.when(fine, &mut |c| {
            let (x, old) = (c.load(kind, from, v), c.load(kind, to, o));
            let better = better(c, most, dtype, x, old);
            let now = c.b.ins().select(better, x, old);
            c.store(now, to, o);
        });
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
