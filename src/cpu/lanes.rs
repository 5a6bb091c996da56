//! Which loop of a kernel runs in lanes, and how many vectors at a time.

use super::r#gen::{Gen, Val, four};
use crate::ir::{DType, Fold, Map, Size};
use crate::plan::{Access, Expr, Sizes};
use cranelift_codegen::ir::{InstBuilder, Value};

impl Gen<'_> {
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

    /// How many vectors at a time suit what depends on loop `l`.
    pub(super) fn unroll(&self, l: usize) -> usize {
        let mut weight = 0;
        for (e, x) in self.k.body.iter().enumerate() {
            if self.deps[e] >> l & 1 == 1 {
                weight += match x {
                    Expr::Map(Map::Pow, v) if matches!(self.k.body[v[1]], Expr::Const(_)) => 4,
                    Expr::Map(m, _) if crate::plan::heavy(*m) => 40,
                    Expr::Pick { .. } => 8,
                    Expr::Map(..) | Expr::Const(_) | Expr::Counter(_) | Expr::Size(_) | Expr::Load(_) => 1,
                    Expr::Reduce { .. } | Expr::Mend { .. } => 1,
                };
            }
        }
        if weight <= 12 {
            4
        } else if weight <= 30 {
            2
        } else {
            1
        }
    }

    /// Which outer loop runs in lanes: the innermost, unless the folds inside it read better along their own loops.
    pub(super) fn choose_lanes(&self, hints: &Sizes) -> Option<(usize, usize)> {
        let v = self.k.outer.checked_sub(1)?;
        let extent = |l: usize| self.k.loops[l].size.eval(&|s| hints.get(s).copied()).unwrap_or(64);
        let vectors = (v, self.unroll(v));
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
            let long = extent(*last) >= 64 && extent(v) < 8;
            worst = worst.max(if long && by_last <= by_v { 1 } else { by_v - by_last });
        }
        (worst <= 0 && extent(v) >= 4).then_some(vectors)
    }
}

/// The stride of an access along a loop.
pub(super) fn stride_of(a: &Access, l: usize) -> Size {
    a.terms.iter().find(|t| t.0 == l).map_or(Size::from(0i64), |t| t.1.clone())
}
