//! Folds over what lies side by side in memory are calls: a function of this program has wider vectors than compiled code.

use super::r#gen::Gen;
use super::lanes::stride_of;
use super::whole::Whole;
use crate::ir::{DType, Fold, Map, Size};
use crate::plan::{Access, Expr, measured::cpu};
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, Value};

impl Gen<'_> {
    /// A fold of f32 over all of these loops, where they go through a stretch of memory from its first element to its last.
    pub(super) fn whole_row(&mut self, fold: Fold, loops: &[usize], value: usize) -> Option<Value> {
        let k = self.k;
        let row = |e: usize| {
            let Expr::Load(a) = &k.body[e] else { return None };
            (k.types[e] == DType::F32 && self.is_stretch(a, loops)).then_some(a)
        };
        let (whole, a, b) = match (fold, &k.body[value]) {
            (Fold::Sum, Expr::Map(Map::Mul, args)) => (Whole::Dot, row(args[0])?, row(args[1])?),
            (Fold::Sum, _) => (Whole::Sum, row(value)?, row(value)?),
            (Fold::Max, _) => (Whole::Max, row(value)?, row(value)?),
            (Fold::Min, _) => (Whole::Min, row(value)?, row(value)?),
            (Fold::Prod | Fold::Any | Fold::All | Fold::Argmax | Fold::Argmin, _) => return None,
        };
        let f = self.calls.wholes.iter().find(|f| f.0 == whole)?.1;
        let known = loops.iter().try_fold(1i64, |n, l| k.loops[*l].size.constant().map(|m| n.saturating_mul(m)));
        if known.is_some_and(|n| n < cpu::WHOLE_FROM) {
            return None;
        }
        let (a, b) = (self.start(a, loops), self.start(b, loops));
        let one = self.b.ins().iconst(I64, 1);
        let count = loops.iter().fold(one, |n, l| {
            let size = self.size(&k.loops[*l].size);
            self.b.ins().imul(n, size)
        });
        let call = self.b.ins().call(f, &[a, b, count]);
        Some(self.b.inst_results(call)[0])
    }

    /// Whether an access goes through a stretch of memory as these loops run, the last one innermost.
    fn is_stretch(&self, a: &Access, loops: &[usize]) -> bool {
        let mut stride = Size::from(1i64);
        loops.iter().rev().all(|l| {
            let fits = stride_of(a, *l) == stride;
            stride = stride.mul(&self.k.loops[*l].size);
            fits
        })
    }

    /// The address of an access where these loops begin.
    fn start(&mut self, a: &Access, loops: &[usize]) -> Value {
        let zero = self.b.ins().iconst(I64, 0);
        let before: Vec<Option<Value>> = loops.iter().map(|l| self.counters[*l].replace(zero)).collect();
        let at = self.address(a);
        loops.iter().zip(before).for_each(|(l, c)| self.counters[*l] = c);
        at
    }
}
