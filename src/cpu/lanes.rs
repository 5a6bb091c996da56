//! Which loop of a kernel runs in lanes, and how many vectors at a time.

use super::r#gen::{Gen, Val, flags, four};
use crate::ir::{DType, Fold, Map, Size};
use crate::plan::{Access, Expr, Sizes, measured::cpu};
use cranelift_codegen::ir::types::{F32X4, I64};
use cranelift_codegen::ir::{FuncRef, InstBuilder, StackSlotData, StackSlotKind, Value};

impl Gen<'_> {
    /// The function that computes this for a row at once.
    pub(super) fn row_of(&self, map: Map) -> Option<FuncRef> {
        self.calls.rows.iter().find(|r| r.0 == map).map(|r| r.1)
    }

    /// A function of a row: it is written down, computed in place and read again.
    pub(super) fn in_row(&mut self, f: FuncRef, parts: &[Value]) -> Vec<Value> {
        let slot = self.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, 16 * parts.len() as u32, 4));
        let at = self.b.ins().stack_addr(I64, slot, 0);
        for (n, part) in parts.iter().enumerate() {
            self.b.ins().store(flags(), *part, at, 16 * n as i32);
        }
        let count = self.b.ins().iconst(I64, 4 * parts.len() as i64);
        self.b.ins().call(f, &[at, count]);
        (0..parts.len()).map(|n| self.b.ins().load(F32X4, flags(), at, 16 * n as i32)).collect()
    }

    /// A value as `u` vectors.
    pub(super) fn many(&mut self, v: &Val, dtype: DType, u: usize) -> Vec<Value> {
        match v {
            Val::One(v) => {
                let s = self.b.ins().splat(four(dtype), *v);
                vec![s; u]
            }
            Val::Many(v) => v.clone(),
        }
    }

    /// Whether a value differs between lanes.
    pub(super) fn varies(&self, e: usize) -> Option<usize> {
        self.wide.filter(|(l, _)| self.deps[e] >> l & 1 == 1).map(|(_, u)| u)
    }

    /// How many vectors at a time suit what depends on loop `l`, which has `extent` steps.
    pub(super) fn unroll(&self, l: usize, extent: i64) -> usize {
        let (mut weight, mut rows) = (0, 0);
        // A fold inside has a sum for each vector, and no more of them than there are registers, unless it is soon over.
        let steps = |loops: &[usize]| loops.iter().try_fold(1, |n, l| Some(n * self.k.loops[*l].size.constant()?));
        let folds = |e: &Expr| match e {
            Expr::Reduce { loops, .. } | Expr::Mend { loops, .. } => steps(loops).is_none_or(|n| n > cpu::FOLD_SOON),
            Expr::Const(_) | Expr::Counter(_) | Expr::Size(_) | Expr::Load(_) | Expr::Pick { .. } | Expr::Map(..) => false,
        };
        let folded = self.k.body.iter().zip(&self.deps).any(|(e, deps)| deps >> l & 1 == 1 && folds(e));
        for (e, x) in self.k.body.iter().enumerate() {
            if self.deps[e] >> l & 1 == 1 {
                weight += match x {
                    Expr::Map(Map::Pow, v) if matches!(self.k.body[v[1]], Expr::Const(_)) => cpu::POWER_WEIGHT,
                    Expr::Map(m, _) if !folded && self.passes.is_none() && self.row_of(*m).is_some() => {
                        rows += 1;
                        0
                    }
                    Expr::Map(m, _) if self.passes.is_some() && self.row_of(*m).is_some() => 1,
                    Expr::Map(m, _) if crate::plan::heavy(*m) => cpu::DEAR_WEIGHT,
                    Expr::Pick { .. } => cpu::PICK_WEIGHT,
                    Expr::Map(..) | Expr::Const(_) | Expr::Counter(_) | Expr::Size(_) | Expr::Load(_) => 1,
                    Expr::Reduce { .. } | Expr::Mend { .. } => 1,
                };
            }
        }
        if rows > 0 {
            let most = (extent / 4).clamp(1, cpu::ROW_MOST as i64) as usize;
            let longest = if weight <= cpu::ROW_BESIDES { cpu::ROW_MOST } else { cpu::ROW_MOST / 2 };
            return if weight <= cpu::ROW_CROWDED && most >= cpu::ROW_FEWEST { longest.min(1 << most.ilog2()) } else { 1 };
        }
        if weight <= cpu::FOUR_VECTORS {
            4
        } else if weight <= cpu::TWO_VECTORS {
            2
        } else {
            1
        }
    }

    /// Which outer loop runs in lanes: the innermost, unless the folds inside it read better along their own loops.
    pub(super) fn choose_lanes(&self, hints: &Sizes) -> Option<(usize, usize)> {
        let v = self.k.outer.checked_sub(1)?;
        let extent = |l: usize| self.k.loops[l].size.eval(&|s| hints.get(s).copied()).unwrap_or(64);
        let vectors = (v, self.unroll(v, extent(v)));
        if self.k.loops[v].size.constant().is_some_and(|n| n < 4) {
            return None;
        }
        let mut worst = 0;
        for (e, x) in self.k.body.iter().enumerate() {
            let Expr::Reduce { fold, loops, value } = x else { continue };
            let (Some(last), true) = (loops.last(), self.deps[e] >> v & 1 == 1) else { continue };
            if matches!(fold, Fold::Argmax | Fold::Argmin) || extent(*last) < 4 {
                continue;
            }
            let (mut by_v, mut by_last) = (0, 0);
            for (n, y) in self.k.body.iter().enumerate().take(*value + 1) {
                if let (Expr::Load(a) | Expr::Pick { access: a, .. }, true) = (y, self.deps[n] >> last & 1 == 1) {
                    by_v += i32::from(!matches!(stride_of(a, v).constant(), Some(0 | 1)));
                    by_last += i32::from(!matches!(stride_of(a, *last).constant(), Some(0 | 1)));
                }
            }
            let long = extent(*last) >= cpu::FOLD_LONG && extent(v) < cpu::LINE_SHORT;
            worst = worst.max(if long && by_last <= by_v { 1 } else { by_v - by_last });
        }
        (worst <= 0 && extent(v) >= 4).then_some(vectors)
    }
}

/// The stride of an access along a loop.
pub(super) fn stride_of(a: &Access, l: usize) -> Size {
    a.terms.iter().find(|t| t.0 == l).map_or(Size::from(0i64), |t| t.1.clone())
}
