//! Folds inside a kernel: accumulators, several vectors of them, and how they come together.

use super::r#gen::{Gen, Val, four, single};
use crate::ir::{DType, Fold, Map};
use crate::plan::Expr;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{I32, I32X4};
use cranelift_codegen::ir::{InstBuilder, Type, Value};
use cranelift_frontend::Variable;

/// Accumulators: the value, and for argmax the counter of the best.
#[derive(Clone)]
struct Acc {
    best: Vec<Variable>,
    at: Vec<Variable>,
}

impl Gen<'_> {
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

    fn accumulators(&mut self, fold: Fold, of: DType, ty: Type, count: usize) -> Acc {
        let mut acc = Acc { best: Vec::new(), at: Vec::new() };
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
        acc
    }

    fn better(&mut self, fold: Fold, of: DType, new: Value, old: Value) -> Value {
        let more = matches!(fold, Fold::Max | Fold::Argmax);
        if of == DType::F32 {
            self.fcmp(if more { FloatCC::GreaterThan } else { FloatCC::LessThan }, new, old)
        } else {
            self.icmp(if more { IntCC::SignedGreaterThan } else { IntCC::SignedLessThan }, new, old)
        }
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
            _ if k.types[value] == DType::Bool => DType::I32,
            _ => k.types[value],
        };
        let result = |g: &mut Self, v: Value, is_at: bool| if is_at { v } else { g.convert(v, of, k.types[e]) };
        let counted = matches!(fold, Fold::Argmax | Fold::Argmin);
        if let Some(u) = self.varies(e) {
            let acc = self.accumulators(fold, of, four(of), u);
            self.loops(loops, None, &mut |g: &mut Self| g.take(fold, of, value, &acc, Some(u), loops[loops.len() - 1]));
            let from = if counted { &acc.at } else { &acc.best };
            let parts = from.iter().map(|v| {
                let x = self.b.use_var(*v);
                result(self, x, counted)
            });
            return Val::Many(parts.collect());
        }
        let last = loops.last().copied();
        let outer_lanes = self.lanes.is_some_and(|(l, _)| self.deps[e] >> l & 1 == 1);
        let inside_wide = self.wide.is_some();
        let short = last.is_none_or(|l| k.loops[l].size.constant().is_some_and(|n| n < 4));
        let lanes = (!counted && !outer_lanes && !inside_wide && !short).then(|| self.unroll(last.unwrap_or(0)));
        let single_acc = self.accumulators(fold, of, single(of), 1);
        let Some(u) = lanes else {
            self.loops(loops, None, &mut |g: &mut Self| g.take(fold, of, value, &single_acc, None, loops[loops.len() - 1]));
            let v = self.b.use_var(if counted { single_acc.at[0] } else { single_acc.best[0] });
            return Val::One(result(self, v, counted));
        };
        let acc = self.accumulators(fold, of, four(of), u);
        self.loops(loops, Some(u), &mut |g: &mut Self| match g.wide {
            Some((_, w)) => g.take(fold, of, value, &acc, Some(w), 0),
            None => g.take(fold, of, value, &single_acc, None, 0),
        });
        let mut sum = self.b.use_var(acc.best[0]);
        for v in &acc.best[1..] {
            let x = self.b.use_var(*v);
            sum = self.join(fold, of, sum, x);
        }
        let mut total = self.b.use_var(single_acc.best[0]);
        for lane in 0..4u8 {
            let x = self.b.ins().extractlane(sum, lane);
            total = self.join(fold, of, total, x);
        }
        Val::One(result(self, total, false))
    }

    /// The loops of a fold, the last one in lanes if `u` says so.
    fn loops(&mut self, loops: &[usize], u: Option<usize>, body: &mut dyn FnMut(&mut Self)) {
        let Some((first, rest)) = loops.split_first() else { return body(self) };
        let wide = if rest.is_empty() { u } else { None };
        let saved = self.wide;
        self.run(*first, wide, &mut |g: &mut Self| g.loops(rest, u, body));
        self.wide = saved;
    }
}
