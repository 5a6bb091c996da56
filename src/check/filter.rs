//! What is left out is not computed with.
//!
//! In: values, and the truth values that say which places are part of a reduction. Out: values in which the other places count for
//! nothing, whatever they are: NaN, infinite, or read from outside an axis. A value that has all axes of the filter is chosen against
//! what the reduction starts with. A factor that lacks one would have to be repeated along it; it stays as it is, and the product
//! takes the filter as a guard instead.

use super::value::{NameId, Tens};
use super::{Checker, Res};
use crate::ir::{DType, Fold, Map, Op};
use crate::source::Span;
use crate::syntax::ast::Reduction;

/// Truth values that leave places out, and where they are written.
pub type Filter = (Tens, Span);

impl Checker<'_> {
    /// A value that is what `op` starts with where the filter leaves it out.
    pub(super) fn left_out(&mut self, op: Reduction, t: &Tens, at: Span, filter: &Filter, span: Span) -> Res<Tens> {
        let (least, most) = match t.dtype {
            DType::I32 => (f64::from(i32::MIN), f64::from(i32::MAX)),
            DType::F32 | DType::Bool => (f64::NEG_INFINITY, f64::INFINITY),
        };
        let neutral = match op {
            Reduction::Sum | Reduction::Mean | Reduction::Any => 0.0,
            Reduction::Prod | Reduction::All => 1.0,
            Reduction::Max | Reduction::Argmax | Reduction::Logsumexp | Reduction::Softmax => least,
            Reduction::Min | Reduction::Argmin => most,
        };
        self.keep(t, at, filter, neutral, span)
    }

    /// The value where the filter holds, 0 elsewhere.
    pub(super) fn zero_outside(&mut self, t: &Tens, at: Span, filter: &Filter, span: Span) -> Res<Tens> {
        self.keep(t, at, filter, 0.0, span)
    }

    fn keep(&mut self, t: &Tens, at: Span, (mask, mask_span): &Filter, other: f64, span: Span) -> Res<Tens> {
        let other = self.constant(other, t.dtype);
        self.map(Map::Select, t.dtype, &[(mask, *mask_span), (t, at), (&other, at)], "`where`", span)
    }

    /// Makes the factors of a product 0 where the filter leaves them out. The guard that the product needs besides, where a factor
    /// that may be no finite number lacks an axis of the filter: there 0 times that factor would be NaN.
    pub(super) fn guard_product(&mut self, factors: &mut [(Tens, Span)], filter: &Filter, span: Span) -> Res<Option<Tens>> {
        let mask = &filter.0;
        let covers = |t: &Tens| mask.names().all(|n| t.find(n).is_some()) && (mask.sized().is_empty() || !t.sized().is_empty());
        let mut open = false;
        let mut chosen = false;
        for (t, at) in factors.iter_mut() {
            if covers(t) {
                *t = self.zero_outside(t, *at, filter, span)?;
                chosen = true;
            } else if !self.is_finite(t) {
                open = true;
            }
        }
        if !chosen {
            // One factor carries the filter: the one that has most of its axes already.
            let has = |t: &Tens| mask.names().filter(|n| t.find(*n).is_some()).count();
            let best = (0..factors.len()).rev().max_by_key(|k| has(&factors[*k].0)).unwrap_or(0);
            let (t, at) = factors[best].clone();
            factors[best].0 = self.zero_outside(&t, at, filter, span)?;
            open = (0..factors.len()).any(|k| k != best && !self.is_finite(&factors[k].0));
        }
        Ok(open.then(|| mask.clone()))
    }

    /// Whether a value is a finite number, whatever comes in.
    fn is_finite(&self, t: &Tens) -> bool {
        let graph = self.build.graph(t.level);
        let mut node = t.node;
        loop {
            let n = graph.node(node);
            if n.dtype != DType::F32 || matches!(n.op, Op::Random { .. }) {
                return true;
            }
            if let Op::Const(v) = n.op {
                return v.is_finite();
            }
            if !matches!(n.op, Op::Map(Map::Copy | Map::ToF32)) {
                return false;
            }
            node = graph.operands(node)[0].node;
        }
    }

    /// The place of the largest (or smallest) among those that are left. Where all that is left is as small as can be, the fold
    /// cannot tell it from what is left out: then it is the first place that is left. 0 where nothing is.
    pub(super) fn kept_place(&mut self, place: Tens, mask: &Tens, name: NameId) -> Res<Tens> {
        let Some(dim) = mask.find(name) else { return Ok(place) };
        let left = self.gather(mask, &[(dim, place.clone())], None)?;
        let ones = self.pointwise(Map::ToI32, &[mask])?;
        let first = self.fold(Fold::Argmax, &ones, &[name]);
        self.pointwise(Map::Select, &[&left, &place, &first])
    }

    /// The logarithm of a sum of powers. The largest is taken out, so that nothing overflows; where it is infinite it is the result.
    pub(super) fn logsumexp(&mut self, t: &Tens, names: &[NameId]) -> Res<Tens> {
        let peak = self.fold(Fold::Max, t, names);
        let (most, zero) = (self.constant(f64::INFINITY, DType::F32), self.constant(0.0, DType::F32));
        let size = self.pointwise(Map::Abs, &[&peak])?;
        let finite = self.pointwise(Map::Lt, &[&size, &most])?;
        // What is taken out and put back has no slope.
        let peak = self.without_slope(&peak)?;
        let shift = self.pointwise(Map::Select, &[&finite, &peak, &zero])?;
        let total = self.powers(t, &shift, names)?.1;
        let log = self.pointwise(Map::Log, &[&total])?;
        let sum = self.pointwise(Map::Add, &[&log, &shift])?;
        self.pointwise(Map::Select, &[&finite, &sum, &peak])
    }

    /// Powers, divided by their sum. NaN where the largest is infinite, and where all are minus infinity.
    pub fn softmax(&mut self, t: &Tens, names: &[NameId]) -> Res<Tens> {
        let peak = self.fold(Fold::Max, t, names);
        let peak = self.without_slope(&peak)?;
        let (least, zero) = (self.constant(f64::NEG_INFINITY, DType::F32), self.constant(0.0, DType::F32));
        let some = self.pointwise(Map::Lt, &[&least, &peak])?;
        let shift = self.pointwise(Map::Select, &[&some, &peak, &zero])?;
        let (powers, total) = self.powers(t, &shift, names)?;
        self.pointwise(Map::Div, &[&powers, &total])
    }

    /// `exp(t - shift)`, and its sum.
    fn powers(&mut self, t: &Tens, shift: &Tens, names: &[NameId]) -> Res<(Tens, Tens)> {
        let shifted = self.pointwise(Map::Sub, &[t, shift])?;
        let powers = self.pointwise(Map::Exp, &[&shifted])?;
        let total = self.fold(Fold::Sum, &powers, names);
        Ok((powers, total))
    }
}
