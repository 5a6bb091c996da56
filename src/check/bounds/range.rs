//! Linear forms of indices, their ranges, and what conditions say of them.

use super::Proof;
use crate::check::value::Tens;
use crate::ir::scalar::Law;
use crate::ir::size::SizeFn;
use crate::ir::{DType, Fold, Graph, Map, NodeId, Op, Size, Sym};
use std::collections::BTreeMap;

/// A sum of nodes times sizes.
#[derive(Clone)]
pub(super) struct Linear {
    pub rest: Size,
    pub terms: BTreeMap<NodeId, Size>,
}

impl Linear {
    fn of(rest: Size) -> Linear {
        Linear { rest, terms: BTreeMap::new() }
    }

    fn add(mut self, other: &Linear, factor: &Size) -> Linear {
        self.rest = self.rest.add(&other.rest.mul(factor));
        for (n, c) in &other.terms {
            let sum = self.terms.get(n).map_or(c.mul(factor), |own| own.add(&c.mul(factor)));
            if sum.is(0) {
                self.terms.remove(n);
            } else {
                self.terms.insert(*n, sum);
            }
        }
        self
    }
}

/// Least and greatest value, where they are known.
pub(super) type Range = (Option<Size>, Option<Size>);

impl Proof<'_> {
    /// The linear form of an i32 node.
    pub(super) fn linear(&self, level: usize, node: NodeId) -> Linear {
        let graph = self.build.graph(level);
        let one = Size::from(1i64);
        let leaf = || Linear { rest: Size::from(0i64), terms: BTreeMap::from([(node, Size::from(1i64))]) };
        let n = graph.node(node);
        if n.dtype == DType::Bool || !self.goes_on() {
            return leaf();
        }
        match &n.op {
            Op::Inside(_) => self.linear(level, graph.operands(node)[0].node),
            Op::Const(v) if v.fract() == 0.0 => Linear::of(Size::from(*v as i64)),
            Op::Extent(s) => Linear::of(self.axes.resolve(s)),
            Op::Map(f) => {
                let args: Vec<Linear> = graph.operands(node).iter().map(|o| self.linear(level, o.node)).collect();
                match f.law() {
                    Law::Sum => args[0].clone().add(&args[1], &one),
                    Law::Difference => args[0].clone().add(&args[1], &Size::from(-1i64)),
                    Law::Undoes => Linear::of(Size::from(0i64)).add(&args[0], &Size::from(-1i64)),
                    Law::Identity => args[0].clone(),
                    Law::Cast if n.dtype == DType::F32 => args[0].clone(),
                    Law::Product if args[1].terms.is_empty() => Linear::of(Size::from(0i64)).add(&args[0], &args[1].rest),
                    Law::Product if args[0].terms.is_empty() => Linear::of(Size::from(0i64)).add(&args[1], &args[0].rest),
                    Law::None | Law::Cast | Law::Settles | Law::Extreme | Law::Commutes | Law::Product | Law::Quotient => leaf(),
                    Law::Power | Law::Both | Law::Either | Law::Choice => leaf(),
                }
            }
            _ => leaf(),
        }
    }

    /// Arithmetic on sizes that conditions decide: `2 * width + 1`, also in a loop.
    pub(super) fn size_form(&self, t: &Tens) -> Option<Size> {
        let form = self.linear(t.level, t.node);
        form.terms.iter().try_fold(form.rest.clone(), |sum, (node, factor)| {
            let (mut level, mut node) = (t.level, *node);
            while level > 0 {
                let outer = self.build.outer(level, node)?;
                (level, node) = (outer.level.min(level - 1), outer.node);
            }
            let (name, _) = self.build.graph(0).measured.iter().find(|(_, n)| *n == node)?;
            Some(sum.add(&Size::sym(name.clone()).mul(factor)))
        })
    }

    /// Bounds of a linear form, both ends included.
    pub(super) fn range(&self, level: usize, form: &Linear) -> Range {
        let (mut low, mut high) = (Some(form.rest.clone()), Some(form.rest.clone()));
        for (n, c) in &form.terms {
            let (a, b) = self.node_range(level, *n);
            let positive = c.at_least(0, 1);
            if !positive && !c.neg().at_least(0, 1) {
                return (None, None);
            }
            let (a, b) = if positive { (a, b) } else { (b, a) };
            let plus = |sum: Option<Size>, end: Option<Size>| Some(sum?.add(&end?.mul(c)));
            low = plus(low, a);
            high = plus(high, b);
        }
        // Beyond 32 bits the value is another one.
        let fits = |s: &Size| s.constant().is_none_or(|n| i32::try_from(n).is_ok());
        let end = |s: Option<Size>| s.map(|s| self.axes.resolve(&s)).filter(fits);
        (end(low), end(high))
    }

    /// As [`Self::range`], for what does not go on modulo 2^32: nothing is known where the value may leave 32 bits on the way.
    fn exact_range(&self, level: usize, form: &Linear) -> Range {
        let (low, high) = self.range(level, form);
        let alone = form.rest.is(0) && form.terms.len() == 1 && form.terms.values().all(|c| c.is(1));
        if alone || form.terms.is_empty() {
            return (low, high);
        }
        // An axis has fewer places than 2^31; one that is nearly as long would fill a memory by itself.
        let near = |s: &Size, axis: Sym| Size::sym(axis).add(&Size::from(1i64 << 20)).sub(s).at_least(0, 0);
        let fits = |s: &Size| s.constant().is_some() || matches!(s.symbols().as_slice(), [one] if near(s, one.clone()));
        let inside = |s: &Option<Size>, sign: i64| s.as_ref().is_some_and(|s| fits(&s.mul(&Size::from(sign))));
        if inside(&low, -1) && inside(&high, 1) { (low, high) } else { (None, None) }
    }

    fn node_range(&self, level: usize, node: NodeId) -> Range {
        let graph: &Graph = self.build.graph(level);
        let n = graph.node(node);
        let zero = || Some(Size::from(0i64));
        let last = |s: &Size| self.axes.resolve(s).sub(&Size::from(1i64));
        let none = (None, None);
        if !self.goes_on() {
            return none;
        }
        let of = |k: usize| match graph.operands(node).get(k) {
            Some(o) => self.range(level, &self.linear(level, o.node)),
            None => (None, None),
        };
        // The value itself, not what it is modulo 2^32.
        let exact = |k: usize| match graph.operands(node).get(k) {
            Some(o) => self.exact_range(level, &self.linear(level, o.node)),
            None => (None, None),
        };
        let both = |f, a: Option<Size>, b: Option<Size>| Some(Size::apply(f, vec![a?, b?]));
        let join = |a: Range, b: Range| (both(SizeFn::Min, a.0, b.0), both(SizeFn::Max, a.1, b.1));
        match &n.op {
            Op::Iota => (zero(), Some(last(&n.shape[0].size))),
            // Of nothing it is the first place, which is not there.
            Op::Fold(Fold::Argmax | Fold::Argmin) => (zero(), both(SizeFn::Max, Some(last(&n.inner[0].size)), zero())),
            Op::Order { .. } | Op::Assign => (zero(), Some(last(&n.inner[0].size))),
            Op::Map(Map::Mod) => {
                let Some(d) = graph.operands(node).get(1).map(|o| self.linear(level, o.node)) else { return none };
                if d.terms.is_empty() && self.axes.resolve(&d.rest).at_least(1, 1) { (zero(), Some(last(&d.rest))) } else { none }
            }
            Op::Map(Map::IntDiv) => {
                let Some(d) = graph.operands(node).get(1).map(|o| self.linear(level, o.node)) else { return none };
                if !d.terms.is_empty() || !d.rest.at_least(1, 1) {
                    return none;
                }
                let (a, b) = exact(0);
                (a.and_then(|a| a.int_div(&d.rest)), b.and_then(|b| b.int_div(&d.rest)))
            }
            Op::Map(Map::Min) => {
                let (a, b) = (exact(0), exact(1));
                let high = match (a.1, b.1) {
                    (Some(x), Some(y)) => Some(Size::apply(SizeFn::Min, vec![x, y])),
                    (x, y) => x.or(y),
                };
                (both(SizeFn::Min, a.0, b.0), high)
            }
            Op::Map(Map::Max) => {
                let (a, b) = (exact(0), exact(1));
                let low = match (a.0, b.0) {
                    (Some(x), Some(y)) => Some(Size::apply(SizeFn::Max, vec![x, y])),
                    (x, y) => x.or(y),
                };
                (low, both(SizeFn::Max, a.1, b.1))
            }
            Op::Map(Map::Select) => join(of(1), of(2)),
            // A truth value.
            Op::Map(Map::ToI32) if graph.operands(node).iter().all(|o| graph.node(o.node).dtype == DType::Bool) => {
                (zero(), Some(Size::from(1i64)))
            }
            Op::Map(Map::ToI32) if graph.operands(node).iter().all(|o| graph.node(o.node).dtype == DType::I32) => of(0),
            Op::Gather { fill, .. } => match fill {
                None => of(0),
                Some(x) if x.fract() == 0.0 => join(of(0), (Some(Size::from(*x as i64)), Some(Size::from(*x as i64)))),
                Some(_) => none,
            },
            Op::Reshape => of(0),
            Op::Concat { .. } => (1..graph.operands(node).len()).fold(of(0), |all, k| join(all, of(k))),
            Op::Arg(_) => match self.build.rounds(level) {
                Some(r) if r.round == node => (zero(), Some(last(&r.trips))),
                _ => match self.build.outer(level, node) {
                    Some(outer) => self.range(outer.level, &self.linear(outer.level, outer.node)),
                    None => none,
                },
            },
            Op::Inside(_) | Op::Source { .. } | Op::Const(_) | Op::Extent(_) | Op::Random { .. } | Op::Map(_) | Op::Fold(_) => {
                none
            }
            Op::Contract | Op::Scatter { .. } | Op::Scan { .. } | Op::Loop(_) | Op::Result(_) => none,
        }
    }

    /// Whether a condition that holds keeps the index inside.
    pub(super) fn guarded(
        &self,
        level: usize,
        guards: &[(usize, NodeId)],
        form: &Linear,
        extent: &Size,
        upper: bool,
        some: &[Size],
    ) -> bool {
        let one = Size::from(1i64);
        let minus = Size::from(-1i64);
        // What must be at least 0.
        let need = if upper { Linear::of(extent.sub(&one)).add(form, &minus) } else { form.clone() };
        let mut facts = vec![];
        for (at, node) in guards.iter().filter(|(at, _)| *at == level) {
            self.facts(*at, *node, true, &mut facts);
        }
        facts.iter().any(|fact| {
            let left = need.clone().add(fact, &minus);
            self.range(level, &left).0.is_some_and(|low| self.nonnegative(&low, some))
        })
    }

    /// Forms that are at least 0 where a truth value holds (or does not).
    fn facts(&self, level: usize, node: NodeId, holds: bool, out: &mut Vec<Linear>) {
        let graph = self.build.graph(level);
        let Op::Map(f) = graph.node(node).op else { return };
        let operands = graph.operands(node);
        let minus = Size::from(-1i64);
        // `more` is at least `less`, or greater.
        let mut note = |more: usize, less: usize, strictly: bool| {
            let Some((a, b)) = self.plain(level, operands[more].node).zip(self.plain(level, operands[less].node)) else { return };
            let room = if strictly { minus.clone() } else { Size::from(0i64) };
            out.push(a.add(&b, &minus).add(&Linear::of(room), &Size::from(1i64)));
        };
        match (f, holds) {
            (Map::Copy, _) => self.facts(level, operands[0].node, holds, out),
            (Map::Not, _) => self.facts(level, operands[0].node, !holds, out),
            (Map::And, true) | (Map::Or, false) => operands.iter().for_each(|o| self.facts(level, o.node, holds, out)),
            (Map::Lt, true) => note(1, 0, true),
            (Map::Le, true) => note(1, 0, false),
            (Map::Lt, false) => note(0, 1, false),
            (Map::Le, false) => note(0, 1, true),
            (Map::Eq, true) | (Map::Ne, false) => {
                note(1, 0, false);
                note(0, 1, false);
            }
            _other => {}
        }
    }

    /// The linear form of one side of a comparison of whole numbers, where it cannot be another number in 32 bits: of counters and sizes,
    /// or a value by itself.
    fn plain(&self, level: usize, node: NodeId) -> Option<Linear> {
        let graph = self.build.graph(level);
        if graph.node(node).dtype != DType::I32 {
            return None;
        }
        let form = self.linear(level, node);
        let (low, high) = self.range(level, &form);
        let alone = form.rest.is(0) && form.terms.len() == 1 && form.terms.values().all(|c| c.is(1));
        (alone || low.is_some() && high.is_some()).then_some(form)
    }
}
