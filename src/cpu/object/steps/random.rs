//! Random bits: Philox4x32-10, as `ir::random` has it.

use crate::cpu::object::code::{Code, Pane};
use crate::ir::Dist;
use cranelift_codegen::ir::types::{F32, F64, I32, I64};
use cranelift_codegen::ir::{FuncRef, InstBuilder, Value};

/// Functions of one number of 64 bits.
#[derive(Clone, Copy)]
pub(in crate::cpu::object) struct Functions {
    pub log: FuncRef,
    pub cos: FuncRef,
}

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// Random values at `to`, one for each place of the seeds, row-major.
pub(in crate::cpu::object) fn random(
    c: &mut Code,
    (dist, key): (Dist, u32),
    (seed, round): (&Pane, &Pane),
    to: Value,
    f: Option<Functions>,
) {
    let dims: Vec<_> = seed.dims.iter().zip(&round.dims).map(|((n, s), (_, r))| (*n, vec![*s, *r])).collect();
    let zero = c.int(0);
    let position = c.var(zero);
    let (seeds, rounds) = (seed.base, round.base);
    c.walk(&dims, &[zero, zero], &mut |c, at| {
        let (seed, round) = (c.load(I32, seeds, at[0]), c.load(I32, rounds, at[1]));
        let here = c.get(position);
        let low = c.b.ins().ireduce(I32, here);
        let high = c.b.ins().ushr_imm_u(here, 32);
        let high = c.b.ins().ireduce(I32, high);
        let none = c.b.ins().iconst(I32, 0);
        let own = c.b.ins().iconst(I32, i64::from(key as i32));
        let words = philox(c, [low, round, high, none], [seed, own]);
        let x = match dist {
            Dist::Uniform => uniform(c, words[0]),
            Dist::Normal => normal(c, words[0], words[1], f.unwrap_or_else(|| unreachable!("they were declared"))),
        };
        c.store(x, to, here);
        let next = c.b.ins().iadd_imm_s(here, 1);
        c.set(position, next);
    });
}

fn philox(c: &mut Code, counter: [Value; 4], key: [Value; 2]) -> [Value; 4] {
    let (mut x, mut k) = (counter, key);
    for _ in 0..10 {
        let wide = |c: &mut Code, v: Value, by: u32| {
            let v = c.b.ins().uextend(I64, v);
            let by = c.int(i64::from(by));
            let all = c.b.ins().imul(v, by);
            let high = c.b.ins().ushr_imm_u(all, 32);
            (c.b.ins().ireduce(I32, high), c.b.ins().ireduce(I32, all))
        };
        let (high0, low0) = wide(c, x[0], MULTIPLIERS[0]);
        let (high1, low1) = wide(c, x[2], MULTIPLIERS[1]);
        let mixed = |c: &mut Code, a: Value, b: Value, k: Value| {
            let both = c.b.ins().bxor(a, b);
            c.b.ins().bxor(both, k)
        };
        x = [mixed(c, high1, x[1], k[0]), low1, mixed(c, high0, x[3], k[1]), low0];
        for (k, by) in k.iter_mut().zip(WEYL) {
            let by = c.b.ins().iconst(I32, i64::from(by as i32));
            *k = c.b.ins().iadd(*k, by);
        }
    }
    x
}

const STEP: f64 = 1.0 / (1u32 << 24) as f64;

fn uniform(c: &mut Code, word: Value) -> Value {
    let whole = c.b.ins().ushr_imm_u(word, 8);
    let x = c.b.ins().fcvt_from_uint(F32, whole);
    let step = c.b.ins().f32const(STEP as f32);
    c.b.ins().fmul(x, step)
}

/// Box and Muller, in 64 bits.
fn normal(c: &mut Code, first: Value, second: Value, f: Functions) -> Value {
    let unit = |c: &mut Code, word: Value, more: f64| {
        let whole = c.b.ins().ushr_imm_u(word, 8);
        let x = c.b.ins().fcvt_from_uint(F64, whole);
        let more = c.b.ins().f64const(more);
        let x = c.b.ins().fadd(x, more);
        let step = c.b.ins().f64const(STEP);
        c.b.ins().fmul(x, step)
    };
    let (u1, u2) = (unit(c, first, 1.0), unit(c, second, 0.0));
    let call = c.b.ins().call(f.log, &[u1]);
    let log = c.b.inst_results(call)[0];
    let minus = c.b.ins().f64const(-2.0);
    let square = c.b.ins().fmul(minus, log);
    let radius = c.b.ins().sqrt(square);
    let turn = c.b.ins().f64const(2.0 * std::f64::consts::PI);
    let angle = c.b.ins().fmul(turn, u2);
    let call = c.b.ins().call(f.cos, &[angle]);
    let cos = c.b.inst_results(call)[0];
    let x = c.b.ins().fmul(radius, cos);
    c.b.ins().fdemote(F32, x)
}
