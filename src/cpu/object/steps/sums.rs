//! Sums whose order is part of what they are: running ones, those that values place, those of outer products that an index sorts.
//! Real ones are made in 64 bits and rounded once.

use crate::cpu::object::code::{Code, Pane};
use crate::ir::{DType, Size};
use crate::plan;
use cranelift_codegen::ir::types::{F32, F64, I32};
use cranelift_codegen::ir::{InstBuilder, Value};

/// Running sums along `axis` into row-major memory at `to`.
pub(in crate::cpu::object) fn scan(c: &mut Code, input: &Pane, to: Value, axis: usize, dtype: DType) {
    let shape: Vec<Value> = input.dims.iter().map(|d| d.0).collect();
    let home = c.row_major(&shape);
    let mut dims: Vec<_> = input.dims.iter().zip(&home).map(|((n, s), h)| (*n, vec![*s, *h])).collect();
    let (n, along) = dims.remove(axis);
    let zero = c.int(0);
    let from = input.base;
    c.walk(&dims, &[zero, zero], &mut |c, at| {
        let (i, o) = (at[0], at[1]);
        let nothing = if dtype == DType::F32 { c.b.ins().f64const(0.0) } else { c.b.ins().iconst(I32, 0) };
        let sum = c.var(nothing);
        c.walk(&[(n, along.clone())], &[i, o], &mut |c, at| {
            let old = c.get(sum);
            if dtype == DType::F32 {
                let x = c.load(F32, from, at[0]);
                let x = c.b.ins().fpromote(F64, x);
                let now = c.b.ins().fadd(old, x);
                c.set(sum, now);
                let x = c.b.ins().fdemote(F32, now);
                c.store(x, to, at[1]);
            } else {
                let x = c.load(I32, from, at[0]);
                let now = c.b.ins().iadd(old, x);
                c.set(sum, now);
                c.store(now, to, at[1]);
            }
        });
    });
}

/// Sums values where their index says along `axis` of `out`, a whole buffer of `length` elements. Real ones go through `sums`.
pub(in crate::cpu::object) fn scatter(
    c: &mut Code,
    (index, value, out): (&Pane, &Pane, &Pane),
    axis: usize,
    length: Value,
    sums: Option<Value>,
) {
    let bytes = c.b.ins().imul_imm_s(length, if sums.is_some() { 8 } else { 4 });
    c.clear(sums.unwrap_or(out.base), bytes);
    let (from, to) = (value.base, out.base);
    placed(c, (index, value, out), axis, &mut |c, v, o| match sums {
        Some(sums) => {
            let x = c.load(F32, from, v);
            let x = c.b.ins().fpromote(F64, x);
            add_wide(c, sums, o, x);
        }
        None => {
            let (x, old) = (c.load(I32, from, v), c.load(I32, to, o));
            let now = c.b.ins().iadd(old, x);
            c.store(now, to, o);
        }
    });
    if let Some(sums) = sums {
        c.narrow(sums, to, length);
    }
}

/// Visits each value whose index is one of the places along `axis` of `out`: where the value lies, and where it goes.
pub(super) fn placed(
    c: &mut Code,
    (index, value, out): (&Pane, &Pane, &Pane),
    axis: usize,
    each: &mut dyn FnMut(&mut Code, Value, Value),
) {
    let (places, step) = out.dims[axis];
    let zero = c.int(0);
    let strides = |k: usize| if k == axis { zero } else { out.dims.get(k).map_or(zero, |d| d.1) };
    let all = index.dims.iter().zip(&value.dims).enumerate();
    let dims: Vec<_> = all.filter(|(k, _)| *k != axis).map(|(k, ((n, i), (_, v)))| (*n, vec![*i, *v, strides(k)])).collect();
    let indices = index.base;
    c.walk(&dims, &[zero, zero, zero], &mut |c, at| {
        let i = c.load(I32, indices, at[0]);
        let (fine, i) = c.inside(i, places);
        let v = at[1];
        let by = c.b.ins().imul(i, step);
        let o = c.b.ins().iadd(at[2], by);
        c.when(fine, &mut |c| each(c, v, o));
    });
}

fn add_wide(c: &mut Code, sums: Value, at: Value, x: Value) {
    let old = c.load(F64, sums, at);
    let now = c.b.ins().fadd(old, x);
    c.store(now, sums, at);
}

/// Sums of outer products by group, through `sums`; bases are of the result (a whole buffer of `length` elements), of both factors and the index.
pub(in crate::cpu::object) fn segments(
    c: &mut Code,
    s: &plan::Segments,
    [out, a, b, index]: [Value; 4],
    length: Value,
    sums: Value,
) {
    let zero = c.int(0);
    let of = |c: &mut Code, x: &Option<Size>| x.as_ref().map_or(zero, |x| c.size(x));
    let (mut rows, mut own) = (Vec::new(), Vec::new());
    for (k, span) in s.product.spans.iter().enumerate() {
        let moves = s.index.terms.iter().find(|t| t.0 == k).map(|t| t.1.clone());
        let n = c.size(&span.size);
        let (x, y, o) = (of(c, &span.a), of(c, &span.b), of(c, &span.out));
        // What neither the index nor a sum goes along is inside.
        match span.out.is_none() || moves.is_some() {
            true => rows.push((n, vec![x, y, o, of(c, &moves)])),
            false => own.push((n, vec![x, y, o])),
        }
    }
    let bytes = c.b.ins().imul_imm_s(length, 8);
    c.clear(sums, bytes);
    let starts = [&s.product.a.1, &s.product.b.1, &s.product.out.1, &s.index.offset].map(|x| c.size(x));
    let (count, stride) = (c.size(&s.count), c.size(&s.stride));
    c.walk(&rows, &starts, &mut |c, at| {
        let i = c.load(I32, index, at[3]);
        let (fine, i) = c.inside(i, count);
        let by = c.b.ins().imul(i, stride);
        let o = c.b.ins().iadd(at[2], by);
        let here = [at[0], at[1], o];
        c.when(fine, &mut |c| {
            c.walk(&own, &here, &mut |c, at| {
                let (x, y) = (c.load(F32, a, at[0]), c.load(F32, b, at[1]));
                let (x, y) = (c.b.ins().fpromote(F64, x), c.b.ins().fpromote(F64, y));
                let x = c.b.ins().fmul(x, y);
                add_wide(c, sums, at[2], x);
            });
        });
    });
    c.narrow(sums, out, length);
}
