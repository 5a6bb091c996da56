//! Folds over what lies side by side in memory are calls: a function of this program has wider vectors than compiled code.

use super::r#gen::Gen;
use super::lanes::stride_of;
use super::whole::Whole;
use crate::ir::{DType, Fold, Map, Size};
use crate::plan::{Access, Expr, measured::cpu};
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, Value};

impl<'f> Gen<'f> {
    /// A fold of f32 over all of these loops, where they go through a stretch of memory from its first element to its last.
    pub(super) fn whole_row(&mut self, fold: Fold, loops: &[usize], value: usize) -> Option<Value> {
        let (whole, [a, b]) = self.lies(fold, value)?;
        if !self.is_stretch(a, loops) || !self.is_stretch(b, loops) {
            return None;
        }
        let f = self.calls.wholes.iter().find(|f| f.0 == whole)?.1;
        let k = self.k;
        let known = loops.iter().try_fold(1i64, |n, l| k.loops[*l].size.constant().map(|m| n.saturating_mul(m)));
        if known.is_some_and(|n| n < cpu::WHOLE_FROM) {
            return None;
        }
        let (a, b, count) = (self.start(a, loops), self.start(b, loops), self.steps(loops));
        let call = self.b.ins().call(f, &[a, b, count]);
        Some(self.b.inst_results(call)[0])
    }

    /// What folds this value, if it is read as it lies, and where it and what it is multiplied with lie (twice the same where it is not).
    pub(super) fn lies(&self, fold: Fold, value: usize) -> Option<(Whole, [&'f Access; 2])> {
        let k = self.k;
        let read = |e: usize| {
            let Expr::Load(a) = &k.body[e] else { return None };
            (k.types[e] == DType::F32).then_some(a)
        };
        Some(match (fold, &k.body[value]) {
            (Fold::Sum, Expr::Map(Map::Mul, args)) => (Whole::Dot, [read(args[0])?, read(args[1])?]),
            (Fold::Sum, _) => (Whole::Sum, [read(value)?; 2]),
            (Fold::Max, _) => (Whole::Max, [read(value)?; 2]),
            (Fold::Min, _) => (Whole::Min, [read(value)?; 2]),
            (Fold::Prod | Fold::Any | Fold::All | Fold::Argmax | Fold::Argmin, _) => return None,
        })
    }

    /// Steps of these loops together.
    pub(super) fn steps(&mut self, loops: &[usize]) -> Value {
        let k = self.k;
        let one = self.b.ins().iconst(I64, 1);
        loops.iter().fold(one, |n, l| {
            let size = self.size(&k.loops[*l].size);
            self.b.ins().imul(n, size)
        })
    }

    /// How far apart an access reads as these loops run, the last one innermost, if it is the same for all steps.
    pub(super) fn even(&self, a: &Access, loops: &[usize]) -> Option<Size> {
        let last = stride_of(a, *loops.last()?);
        let mut stride = last.clone();
        let even = loops.iter().rev().all(|l| {
            let fits = stride_of(a, *l) == stride;
            stride = stride.mul(&self.k.loops[*l].size);
            fits
        });
        even.then_some(last)
    }

    /// Whether an access goes through a stretch of memory as these loops run, the last one innermost.
    fn is_stretch(&self, a: &Access, loops: &[usize]) -> bool {
        self.even(a, loops).is_some_and(|stride| stride.is(1))
    }

    /// The address of an access where these loops begin.
    pub(super) fn start(&mut self, a: &Access, loops: &[usize]) -> Value {
        let zero = self.b.ins().iconst(I64, 0);
        let before: Vec<Option<Value>> = loops.iter().map(|l| self.counters[*l].replace(zero)).collect();
        let at = self.address(a);
        loops.iter().zip(before).for_each(|(l, c)| self.counters[*l] = c);
        at
    }
}
