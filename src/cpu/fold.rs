//! Folds inside a kernel: accumulators, several vectors of them, and how they come together.
//!
//! A long sum goes in blocks: a few terms are added in f32, then their sum is added to a pair of f32 that holds what the first of them
//! rounds away (Knuth's two-sum), so that it keeps its digits whatever its length. A product is f64 with a power of two of its own, which
//! no part of it leaves. The order of all this follows from the loops alone.

use super::r#gen::{Gen, Val, four, single};
use crate::ir::{DType, Fold, Map};
use crate::plan::Expr;
use crate::plan::measured::cpu;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32, F64, I8, I32, I32X4, I64};
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, Type, Value};
use cranelift_frontend::Variable;

/// So many terms are added, one after the other, before their sum goes to the pair.
const BLOCK: i64 = 32;

/// Accumulators: the value, and for argmax the counter of the best.
#[derive(Clone)]
struct Acc {
    best: Vec<Variable>,
    at: Vec<Variable>,
    /// Of a long sum: the sum of the blocks before.
    high: Vec<Variable>,
    /// What rounding took away from `high`.
    low: Vec<Variable>,
    /// Of a product: for each lane an f64 of 1 to 2, and the power of two that it is to be multiplied with.
    wide: Vec<(Variable, Variable)>,
}

/// Where a long fold pauses: after so many steps of this one of its loops.
#[derive(Clone, Copy)]
struct Pause {
    level: usize,
    span: i64,
}

impl Gen<'_> {
    /// Whether a fold over these loops has so few steps that they are written out, and it is computed wherever it is read.
    pub(super) fn is_brief(&self, loops: &[usize]) -> bool {
        let steps = loops.iter().try_fold(1i64, |n, l| n.checked_mul(self.k.loops[*l].size.constant()?));
        steps.is_some_and(|n| n <= cpu::FOLD_BRIEF)
    }

    fn neutral(&mut self, fold: Fold, of: DType) -> Value {
        let real = of == DType::F32;
        let (least, most) = (self.b.ins().f32const(f32::NEG_INFINITY), self.b.ins().f32const(f32::INFINITY));
        let mut whole = |n: i64| self.b.ins().iconst(I32, n);
        match fold {
            Fold::Sum if real => self.b.ins().f32const(0.0),
            Fold::Prod if real => self.b.ins().f32const(1.0),
            Fold::Max | Fold::Argmax if real => least,
            Fold::Min | Fold::Argmin if real => most,
            Fold::Sum | Fold::Any => whole(0),
            Fold::Prod => whole(1),
            Fold::Max | Fold::Argmax => whole(i64::from(i32::MIN)),
            Fold::Min | Fold::Argmin => whole(i64::from(i32::MAX)),
            Fold::All => whole(-1),
        }
    }

    fn accumulators(&mut self, fold: Fold, of: DType, ty: Type, count: usize, long: bool) -> Acc {
        let mut acc = Acc { best: Vec::new(), at: Vec::new(), high: Vec::new(), low: Vec::new(), wide: Vec::new() };
        let start = self.neutral(fold, of);
        let vector = ty.is_vector();
        let start = if vector { self.b.ins().splat(ty, start) } else { start };
        let zero = self.b.ins().iconst(I32, 0);
        let zero = if vector { self.b.ins().splat(I32X4, zero) } else { zero };
        for _ in 0..count {
            let v = self.b.declare_var(ty);
            self.b.def_var(v, start);
            acc.best.push(v);
            if matches!(fold, Fold::Argmax | Fold::Argmin) {
                let v = self.b.declare_var(if vector { I32X4 } else { I32 });
                self.b.def_var(v, zero);
                acc.at.push(v);
            }
        }
        let more = |g: &mut Self, list: &mut Vec<Variable>| {
            let zero = g.b.ins().f32const(0.0);
            let zero = if vector { g.b.ins().splat(ty, zero) } else { zero };
            for _ in 0..count {
                let v = g.b.declare_var(ty);
                g.b.def_var(v, zero);
                list.push(v);
            }
        };
        match fold {
            Fold::Sum if long && of == DType::F32 => {
                more(self, &mut acc.high);
                more(self, &mut acc.low);
            }
            Fold::Prod if of == DType::F32 => {
                for _ in 0..if vector { 4 * count } else { count } {
                    acc.wide.push(self.nothing());
                }
            }
            Fold::Sum | Fold::Prod | Fold::Max | Fold::Min | Fold::Any | Fold::All | Fold::Argmax | Fold::Argmin => {}
        }
        acc
    }

    /// Where a fold over these loops, the last one in `u` vectors at a time, pauses; nowhere if it is short.
    fn pause(&self, loops: &[usize], u: Option<usize>) -> Option<Pause> {
        let mut steps = 1;
        for (level, l) in loops.iter().enumerate().rev() {
            let lanes = if level + 1 == loops.len() { u.map_or(1, |u| 4 * u as i64) } else { 1 };
            match self.k.loops[*l].size.constant().map(|n| (n / lanes).max(1)) {
                Some(n) if n <= BLOCK / steps => steps *= n,
                _ => return Some(Pause { level, span: BLOCK / steps * lanes }),
            }
        }
        None
    }

    /// Adds `x` to number `n` of the pairs.
    fn carry(&mut self, acc: &Acc, n: usize, x: Value) {
        let (high, low) = (self.b.use_var(acc.high[n]), self.b.use_var(acc.low[n]));
        let sum = self.b.ins().fadd(high, x);
        let own = self.b.ins().fsub(sum, high);
        let rest = self.b.ins().fsub(sum, own);
        let lost = self.b.ins().fsub(high, rest);
        let more = self.b.ins().fsub(x, own);
        let lost = self.b.ins().fadd(lost, more);
        let low = self.b.ins().fadd(low, lost);
        self.settle(acc.high[n], acc.low[n], sum, low);
    }

    /// Sets a pair: all digits that fit go to the first, so that neither drifts.
    fn settle(&mut self, high: Variable, low: Variable, x: Value, rest: Value) {
        // What an infinity rounds away is no number.
        let rest = self.number(rest);
        let sum = self.b.ins().fadd(x, rest);
        let taken = self.b.ins().fsub(sum, x);
        let left = self.b.ins().fsub(rest, taken);
        self.b.def_var(high, sum);
        self.b.def_var(low, left);
    }

    /// `x`, or 0 where it is no number.
    fn number(&mut self, x: Value) -> Value {
        let fine = self.fcmp(FloatCC::Equal, x, x);
        let bits = self.bits(x);
        let bits = self.b.ins().band(bits, fine);
        self.from_bits(bits)
    }

    /// Ends a block: what accumulators number `from` hold, all together, goes to pair `n`.
    fn flush(&mut self, acc: &Acc, n: usize, from: std::ops::Range<usize>) {
        let mut sum = self.b.use_var(acc.best[from.start]);
        let zero = self.float(0.0, sum);
        for v in &acc.best[from.start + 1..from.end] {
            let x = self.b.use_var(*v);
            sum = self.b.ins().fadd(sum, x);
        }
        for v in &acc.best[from] {
            self.b.def_var(*v, zero);
        }
        self.carry(acc, n, sum);
    }

    /// A product of nothing.
    fn nothing(&mut self) -> (Variable, Variable) {
        let (part, power) = (self.b.declare_var(F64), self.b.declare_var(I64));
        let (one, zero) = (self.b.ins().f64const(1.0), self.b.ins().iconst(I64, 0));
        self.b.def_var(part, one);
        self.b.def_var(power, zero);
        (part, power)
    }

    /// One more factor, `x` times 2 to the `more`. What is 0 or not finite stays as it is.
    fn multiply(&mut self, (part, power): (Variable, Variable), x: Value, more: Option<Value>) {
        let (old, count) = (self.b.use_var(part), self.b.use_var(power));
        let all = self.b.ins().fmul(old, x);
        let bits = self.b.ins().bitcast(I64, MemFlagsData::new(), all);
        let field = self.b.ins().ushr_imm_u(bits, 52);
        let field = self.b.ins().band_imm_u(field, 0x7ff);
        // Neither the power of 0 (and of what is below all f32 by far) nor that of what is not finite.
        let low = self.b.ins().iadd_imm_s(field, -1);
        let plain = self.b.ins().icmp_imm_u(IntCC::UnsignedLessThan, low, 0x7fe);
        let rest = self.b.ins().band_imm_u(bits, !(0x7ff << 52));
        let near = self.b.ins().bor_imm_u(rest, 1023 << 52);
        let bits = self.b.ins().select(plain, near, bits);
        let zero = self.b.ins().iconst(I64, 0);
        let own = self.b.ins().iadd_imm_s(field, -1023);
        let own = self.b.ins().select(plain, own, zero);
        let mut count = self.b.ins().iadd(count, own);
        if let Some(more) = more {
            count = self.b.ins().iadd(count, more);
        }
        let all = self.b.ins().bitcast(F64, MemFlagsData::new(), bits);
        self.b.def_var(part, all);
        self.b.def_var(power, count);
    }

    /// Each lane of `x` as f64.
    fn lanes_of_product(&mut self, x: Value) -> Vec<Value> {
        let vector = self.b.func.dfg.value_type(x).is_vector();
        let lanes: Vec<Value> = if vector { (0..4u8).map(|l| self.b.ins().extractlane(x, l)).collect() } else { vec![x] };
        lanes.into_iter().map(|x| self.b.ins().fpromote(F64, x)).collect()
    }

    /// `last`, the last block of a fold, with what was carried up to it.
    fn whole_of(&mut self, acc: &Acc, n: usize, last: Value) -> Value {
        if !acc.wide.is_empty() {
            if !self.b.func.dfg.value_type(last).is_vector() {
                return self.narrow(acc.wide[n]);
            }
            return (0..4u8).fold(last, |vector, lane| {
                let x = self.narrow(acc.wide[4 * n + usize::from(lane)]);
                self.b.ins().insertlane(vector, x, lane)
            });
        }
        let Some(low) = acc.low.get(n) else { return last };
        let low = self.b.use_var(*low);
        let low = self.number(low);
        let sum = self.b.ins().fadd(last, low);
        match acc.high.get(n) {
            Some(high) => {
                let high = self.b.use_var(*high);
                self.b.ins().fadd(high, sum)
            }
            None => sum,
        }
    }

    /// Whether `new` takes the place of `old`. NaN does, and nothing takes the place of NaN but another, where no place is asked for.
    fn better(&mut self, fold: Fold, of: DType, new: Value, old: Value) -> Value {
        let more = matches!(fold, Fold::Max | Fold::Argmax);
        if of != DType::F32 {
            return self.icmp(if more { IntCC::SignedGreaterThan } else { IntCC::SignedLessThan }, new, old);
        }
        let beats = self.fcmp(if more { FloatCC::GreaterThan } else { FloatCC::LessThan }, new, old);
        let mut none = self.fcmp(FloatCC::NotEqual, new, new);
        if matches!(fold, Fold::Argmax | Fold::Argmin) {
            let was = self.fcmp(FloatCC::Equal, old, old);
            none = self.b.ins().band(none, was);
        }
        self.b.ins().bor(beats, none)
    }

    /// Two partial results become one.
    fn join(&mut self, fold: Fold, of: DType, old: Value, new: Value) -> Value {
        let real = of == DType::F32;
        match fold {
            Fold::Sum if real => self.b.ins().fadd(old, new),
            Fold::Prod if real => self.b.ins().fmul(old, new),
            Fold::Sum => self.b.ins().iadd(old, new),
            Fold::Prod => self.b.ins().imul(old, new),
            Fold::Any => self.b.ins().bor(old, new),
            Fold::All => self.b.ins().band(old, new),
            Fold::Max | Fold::Min | Fold::Argmax | Fold::Argmin => {
                let m = self.better(fold, of, new, old);
                self.choose(m, new, old)
            }
        }
    }

    /// Takes the present value of `value` into accumulators `acc`, `u` of them (scalar where `u` is `None`).
    fn take(&mut self, fold: Fold, of: DType, value: usize, acc: &Acc, u: Option<usize>, counter: usize) {
        let source = if matches!(fold, Fold::Any | Fold::All) { DType::Bool } else { of };
        if fold == Fold::Sum
            && of == DType::F32
            && self.has_fma
            && let Expr::Map(Map::Mul, args) = &self.k.body[value]
            && args.iter().all(|a| self.k.types[*a] == DType::F32)
        {
            return self.take_product(args, acc, u);
        }
        let v = self.vals[value].clone().unwrap_or_else(|| unreachable!("the value is computed"));
        let parts = match (&v, u) {
            (Val::One(v), None) => vec![*v],
            (v, u) => self.many(v, self.k.types[value], u.unwrap_or(1)),
        };
        for (n, x) in parts.into_iter().enumerate() {
            let x = self.convert(x, self.k.types[value], source);
            let old = self.b.use_var(acc.best[n]);
            if let Some(at) = acc.at.get(n) {
                let m = self.better(fold, of, x, old);
                let c = self.counters[counter].unwrap_or_else(|| unreachable!("the loop runs"));
                let c = self.b.ins().ireduce(I32, c);
                let c = if u.is_some() { self.b.ins().splat(I32X4, c) } else { c };
                let before = self.b.use_var(*at);
                let now = self.choose(m, c, before);
                self.b.def_var(*at, now);
            }
            if !acc.wide.is_empty() {
                let lanes = self.lanes_of_product(x);
                for (lane, v) in acc.wide[lanes.len() * n..].iter().zip(lanes) {
                    self.multiply(*lane, v, None);
                }
                continue;
            }
            let now = self.join(fold, of, old, x);
            self.b.def_var(acc.best[n], now);
        }
    }

    fn take_product(&mut self, args: &[usize], acc: &Acc, u: Option<usize>) {
        let parts: Vec<Vec<Value>> = args
            .iter()
            .map(|a| match (self.vals[*a].clone(), u) {
                (Some(Val::One(v)), None) => vec![v],
                (Some(v), u) => self.many(&v, DType::F32, u.unwrap_or(1)),
                (None, _) => unreachable!("operands come first"),
            })
            .collect();
        for ((left, right), best) in parts[0].iter().zip(&parts[1]).zip(&acc.best).take(u.unwrap_or(1)) {
            let old = self.b.use_var(*best);
            let now = self.fma(*left, *right, old);
            self.b.def_var(*best, now);
        }
    }

    /// Emits a fold. Where lanes run side by side outside it, the accumulators are vectors; else its innermost loop is vectorised.
    pub(super) fn reduce(&mut self, e: usize, fold: Fold, loops: &[usize], value: usize) -> Val {
        let k = self.k;
        let of = match fold {
            Fold::Any | Fold::All => DType::Bool,
            Fold::Sum | Fold::Prod | Fold::Max | Fold::Min | Fold::Argmax | Fold::Argmin => match k.types[value] {
                DType::Bool => DType::I32,
                number => number,
            },
        };
        let result = |g: &mut Self, v: Value, is_at: bool| if is_at { v } else { g.convert(v, of, k.types[e]) };
        let counted = matches!(fold, Fold::Argmax | Fold::Argmin);
        let sums = fold == Fold::Sum && of == DType::F32;
        if let Some(u) = self.varies(e) {
            let pause = self.pause(loops, None);
            let acc = self.accumulators(fold, of, four(of), u, pause.is_some());
            let mut take = |g: &mut Self| g.take(fold, of, value, &acc, Some(u), loops[loops.len() - 1]);
            let mut flush = |g: &mut Self| (0..u).for_each(|n| g.flush(&acc, n, n..n + 1));
            self.loops(loops, None, pause.filter(|_| sums).map(|p| (p, p.level > 0)), &mut flush, &mut take);
            let from = if counted { &acc.at } else { &acc.best };
            let parts = from.iter().enumerate().map(|(n, v)| {
                let x = self.b.use_var(*v);
                let x = self.whole_of(&acc, n, x);
                result(self, x, counted)
            });
            return Val::Many(parts.collect());
        }
        let last = loops.last().copied();
        let outer_lanes = self.lanes.is_some_and(|(l, _)| self.deps[e] >> l & 1 == 1);
        let inside_wide = self.wide.is_some();
        let short = last.is_none_or(|l| k.loops[l].size.constant().is_some_and(|n| n < 4));
        let lanes = (!counted && !outer_lanes && !inside_wide && !short).then(|| {
            let l = last.unwrap_or(0);
            self.unroll(l, k.loops[l].size.constant().unwrap_or(64))
        });
        if lanes.is_some()
            && of == DType::F32
            && let Some(v) = self.whole_row(fold, loops, value)
        {
            return Val::One(v);
        }
        let pause = self.pause(loops, lanes);
        let single_acc = self.accumulators(fold, of, single(of), 1, pause.is_some());
        let pause_of = pause.filter(|_| sums).map(|p| (p, p.level > 0));
        let Some(u) = lanes else {
            let mut take = |g: &mut Self| g.take(fold, of, value, &single_acc, None, loops[loops.len() - 1]);
            let mut flush = |g: &mut Self| g.flush(&single_acc, 0, 0..1);
            self.loops(loops, None, pause_of, &mut flush, &mut take);
            let v = self.b.use_var(if counted { single_acc.at[0] } else { single_acc.best[0] });
            let v = self.whole_of(&single_acc, 0, v);
            return Val::One(result(self, v, counted));
        };
        let acc = self.accumulators(fold, of, four(of), u, pause.is_some());
        let mut take = |g: &mut Self| match g.wide {
            Some((_, w)) => g.take(fold, of, value, &acc, Some(w), 0),
            None => g.take(fold, of, value, &single_acc, None, 0),
        };
        let again = pause_of.is_some_and(|p| p.1);
        let mut flush = |g: &mut Self| {
            g.flush(&acc, 0, 0..u);
            if again {
                g.flush(&single_acc, 0, 0..1);
            }
        };
        self.loops(loops, Some(u), pause_of, &mut flush, &mut take);
        let total = self.gathered(fold, of, &acc, &single_acc);
        Val::One(result(self, total, false))
    }

    /// Value `of`; its lanes that are NaN are a sum instead, whose loops run only where there is one.
    pub(super) fn mend(&mut self, e: usize, of: usize, loops: &[usize], value: usize) -> Val {
        let old = self.vals[of].clone().unwrap_or_else(|| unreachable!("operands come first"));
        let (parts, wide) = match (&old, self.varies(e)) {
            (Val::One(v), None) => (vec![*v], false),
            (v, u) => (self.many(v, DType::F32, u.unwrap_or(1)), true),
        };
        let ty = if wide { four(DType::F32) } else { single(DType::F32) };
        let vars: Vec<Variable> = parts.iter().map(|_| self.b.declare_var(ty)).collect();
        let (run, after) = (self.b.create_block(), self.b.create_block());
        let mut any = self.b.ins().iconst(I8, 0);
        for (v, x) in vars.iter().zip(&parts) {
            self.b.def_var(*v, *x);
            let bad = self.fcmp(FloatCC::Unordered, *x, *x);
            let one = if wide { self.b.ins().vany_true(bad) } else { self.b.ins().icmp_imm_s(IntCC::NotEqual, bad, 0) };
            any = self.b.ins().bor(any, one);
        }
        self.b.ins().brif(any, run, &[], after, &[]);
        self.b.switch_to_block(run);
        let again = self.reduce(e, Fold::Sum, loops, value);
        let again = match again {
            Val::One(y) if !wide => vec![y],
            again => self.many(&again, DType::F32, parts.len()),
        };
        for ((v, x), y) in vars.iter().zip(&parts).zip(again) {
            let bad = self.fcmp(FloatCC::Unordered, *x, *x);
            let now = self.choose(bad, y, *x);
            self.b.def_var(*v, now);
        }
        self.b.ins().jump(after, &[]);
        self.b.switch_to_block(after);
        let got: Vec<Value> = vars.iter().map(|v| self.b.use_var(*v)).collect();
        if wide { Val::Many(got) } else { Val::One(got[0]) }
    }

    /// The product as an f32, rounded once.
    fn narrow(&mut self, (part, power): (Variable, Variable)) -> Value {
        let (x, count) = (self.b.use_var(part), self.b.use_var(power));
        let (least, most) = (self.b.ins().iconst(I64, -400), self.b.ins().iconst(I64, 400));
        let count = self.b.ins().smax(count, least);
        let count = self.b.ins().smin(count, most);
        let count = self.b.ins().iadd_imm_s(count, 1023);
        let bits = self.b.ins().ishl_imm_u(count, 52);
        let scale = self.b.ins().bitcast(F64, MemFlagsData::new(), bits);
        let x = self.b.ins().fmul(x, scale);
        self.b.ins().fdemote(F32, x)
    }

    /// What all vectors, all their lanes and the rest hold together.
    fn gathered(&mut self, fold: Fold, of: DType, acc: &Acc, single: &Acc) -> Value {
        if let Some(all) = single.wide.first() {
            for (part, power) in &acc.wide {
                let (x, count) = (self.b.use_var(*part), self.b.use_var(*power));
                self.multiply(*all, x, Some(count));
            }
            return self.narrow(*all);
        }
        let mut all = self.b.use_var(acc.best[0]);
        for v in &acc.best[1..] {
            let x = self.b.use_var(*v);
            all = self.join(fold, of, all, x);
        }
        let all = self.whole_of(acc, 0, all);
        let total = self.b.use_var(single.best[0]);
        let mut total = self.whole_of(single, 0, total);
        for lane in 0..4u8 {
            let x = self.b.ins().extractlane(all, lane);
            total = self.join(fold, of, total, x);
        }
        total
    }

    /// The loops of a fold, the last one in lanes if `u` says so; `flush` where it pauses, also at a loop's end if that is asked for.
    fn loops(
        &mut self,
        loops: &[usize],
        u: Option<usize>,
        pause: Option<(Pause, bool)>,
        flush: &mut dyn FnMut(&mut Self),
        body: &mut dyn FnMut(&mut Self),
    ) {
        let Some((first, rest)) = loops.split_first() else { return body(self) };
        let wide = if rest.is_empty() { u } else { None };
        let saved = self.wide;
        match pause {
            Some((Pause { level: 0, span }, always)) => {
                self.run_blocks(*first, wide, (span, always), flush, &mut |g: &mut Self| {
                    g.loops(rest, u, None, &mut |_: &mut Self| {}, body)
                });
            }
            _ if wide.is_none() && self.is_brief(loops) => {
                let steps = self.k.loops[*first].size.constant().unwrap_or(0);
                self.run_through(*first, steps, &mut |g: &mut Self| g.loops(rest, u, None, &mut |_: &mut Self| {}, body));
            }
            _ => {
                let deeper = pause.map(|(p, always)| (Pause { level: p.level - 1, ..p }, always));
                self.run(*first, wide, &mut |g: &mut Self| g.loops(rest, u, deeper, flush, body));
            }
        }
        self.wide = saved;
    }
}
