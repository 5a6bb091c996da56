//! Sorting rows: stable, NaN last, ties to the lower index. A key and its index are one number of 64 bits, so that any sort gives one order.

use crate::cpu::object::code::{Code, Pane};
use crate::ir::DType;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32, I32, I64};
use cranelift_codegen::ir::{InstBuilder, Value};
use cranelift_frontend::Variable;

/// The first indices that sort each row of `input`, along axis `axis` of `out`; `keys` is room for a row of 64 bits.
pub(in crate::cpu::object) fn order(
    c: &mut Code,
    (input, out): (&Pane, &Pane),
    axis: usize,
    descending: bool,
    dtype: DType,
    keys: Value,
) {
    let Some(((n, along), outer)) = input.dims.split_last() else { return };
    let (n, along) = (*n, *along);
    let (taken, step) = out.dims[axis];
    let taken = c.b.ins().smin(taken, n);
    let mut home: Vec<Value> = out.dims.iter().map(|d| d.1).collect();
    home.remove(axis);
    let dims: Vec<_> = outer.iter().zip(home).map(|((n, s), h)| (*n, vec![*s, h])).collect();
    let zero = c.int(0);
    let (from, to) = (input.base, out.base);
    c.walk(&dims, &[zero, zero], &mut |c, at| {
        let (row, home) = (at[0], at[1]);
        c.each(n, &mut |c, i| {
            let by = c.b.ins().imul(i, along);
            let at = c.b.ins().iadd(row, by);
            let word = c.load(I32, from, at);
            let key = sortable(c, word, dtype, descending);
            let top = c.b.ins().iconst(I32, i64::from(i32::MIN));
            let key = c.b.ins().bxor(key, top);
            let key = c.b.ins().uextend(I64, key);
            let key = c.b.ins().ishl_imm_u(key, 32);
            let both = c.b.ins().bor(key, i);
            c.store(both, keys, i);
        });
        let half = c.b.ins().sdiv_imm_s(n, 2);
        c.each(half, &mut |c, i| {
            let left = c.b.ins().isub(half, i);
            let root = c.b.ins().iadd_imm_s(left, -1);
            sift(c, keys, root, n);
        });
        let end = c.var(n);
        c.each(taken, &mut |c, k| {
            let least = c.b.ins().load(I64, crate::cpu::r#gen::flags(), keys, 0);
            let index = c.b.ins().ireduce(I32, least);
            let by = c.b.ins().imul(k, step);
            let at = c.b.ins().iadd(home, by);
            c.store(index, to, at);
            let count = c.get(end);
            let last = c.b.ins().iadd_imm_s(count, -1);
            let moved = c.load(I64, keys, last);
            c.b.ins().store(crate::cpu::r#gen::flags(), moved, keys, 0);
            c.set(end, last);
            let root = c.int(0);
            sift(c, keys, root, last);
        });
    });
}

/// A word as a whole number that sorts the same way.
fn sortable(c: &mut Code, word: Value, dtype: DType, descending: bool) -> Value {
    if dtype != DType::F32 {
        return if descending { c.b.ins().bnot(word) } else { word };
    }
    let x = c.bits(F32, word);
    let none = c.b.ins().fcmp(FloatCC::NotEqual, x, x);
    let x = if descending { c.b.ins().fneg(x) } else { x };
    let zero = c.b.ins().f32const(0.0);
    let x = c.b.ins().fadd(x, zero);
    let bits = c.bits(I32, x);
    let most = c.b.ins().iconst(I32, i64::from(i32::MAX));
    let turned = c.b.ins().bxor(bits, most);
    let none_below = c.b.ins().iconst(I32, 0);
    let negative = c.b.ins().icmp(IntCC::SignedLessThan, bits, none_below);
    let key = c.b.ins().select(negative, turned, bits);
    c.b.ins().select(none, most, key)
}

/// Moves the key at `root` down until none of its children is less; there are `end` keys.
fn sift(c: &mut Code, keys: Value, root: Value, end: Value) {
    let at: Variable = c.var(root);
    let left = |c: &mut Code| {
        let now = c.get(at);
        let twice = c.b.ins().ishl_imm_u(now, 1);
        c.b.ins().iadd_imm_s(twice, 1)
    };
    c.while_(
        &mut |c| {
            let child = left(c);
            c.b.ins().icmp(IntCC::SignedLessThan, child, end)
        },
        &mut |c| {
            let one = left(c);
            let other = c.b.ins().iadd_imm_s(one, 1);
            let there = c.b.ins().icmp(IntCC::SignedLessThan, other, end);
            let other = c.b.ins().select(there, other, one);
            let (a, b) = (c.load(I64, keys, one), c.load(I64, keys, other));
            let second = c.b.ins().icmp(IntCC::UnsignedLessThan, b, a);
            let (child, least) = (c.b.ins().select(second, other, one), c.b.ins().umin(a, b));
            let now = c.get(at);
            let own = c.load(I64, keys, now);
            let down = c.b.ins().icmp(IntCC::UnsignedLessThan, least, own);
            c.when(down, &mut |c| {
                c.store(least, keys, now);
                c.store(own, keys, child);
            });
            // What is in its place has no children to look at.
            let next = c.b.ins().select(down, child, end);
            c.set(at, next);
        },
    );
}
