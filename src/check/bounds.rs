//! That an index stays inside its axis.
//!
//! In: i32 nodes used as indices, the extents of the axes, the conditions that held. An index made of counters is a linear
//! form; its bounds follow from the counters' ranges, or from a condition such as `t + 1 < count[t]`. An index that comes
//! from data cannot be proved: where it is an input itself, its values are checked when they arrive.

use super::value::Tens;
use super::{Checker, Res};
use crate::diag::Diagnostic;
use crate::ir::{DType, Graph, Map, NodeId, Op, Origin, Size};
use crate::source::Span;
use std::collections::BTreeMap;

/// An index to be proved inside.
pub struct Check {
    level: usize,
    node: NodeId,
    extent: Size,
    guards: Vec<(usize, NodeId)>,
    span: Span,
}

impl Check {
    /// Whether it is about a node of this level.
    pub fn is_at(&self, level: usize) -> bool {
        self.level == level
    }
}

/// A sum of nodes times sizes.
#[derive(Clone)]
struct Linear {
    rest: Size,
    terms: BTreeMap<NodeId, Size>,
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

impl<'a> Checker<'a> {
    /// Notes that an index must stay inside; proved when all ranges are known.
    pub fn check_inside(&mut self, index: &Tens, extent: &Size, span: Span) {
        let node = self.node(index);
        let guards = self.guards.iter().map(|g| (g.level, g.node)).collect();
        self.checks.push(Check { level: self.level, node, extent: extent.clone(), guards, span });
    }

    /// Proves the checks of a level (a loop's body, before it is closed).
    pub fn prove(&mut self, level: usize) {
        let (mine, rest): (Vec<Check>, Vec<Check>) = std::mem::take(&mut self.checks).into_iter().partition(|c| c.level == level);
        self.checks = rest;
        for check in mine {
            // One message is enough for one index.
            let _ = self.prove_one(&check);
        }
    }

    fn prove_one(&mut self, check: &Check) -> Res<()> {
        let extent = self.resolve(&check.extent);
        let form = self.linear(check.level, check.node);
        if let Some(path) = self.input_of(check.level, &form) {
            self.note_below(&path, &extent);
            return Ok(());
        }
        let Some((low, high)) = self.range(check.level, &form) else { return Ok(()) };
        let one = Size::from(1i64);
        let room = extent.sub(&one).sub(&high);
        let guarded = |c: &Self, upper: bool| c.guarded(check, &form, &extent, upper);
        let low_ok = low.at_least(0, 1) || guarded(self, false);
        let high_ok = room.at_least(0, 1) || guarded(self, true);
        if low_ok && high_ok {
            return Ok(());
        }
        if self.generic {
            return Ok(());
        }
        let message = format!(
            "this index runs from {} to {}, and the axis has {} places",
            self.show_size(&low),
            self.show_size(&high),
            self.show_size(&extent)
        );
        self.fail(
            Diagnostic::error("H0323", check.span, message)
                .help("say what lies outside, `v[..] else 0`, or keep the index inside with `where` or `mod`"),
        )
    }

    /// The linear form of an i32 node.
    fn linear(&self, level: usize, node: NodeId) -> Linear {
        let graph = &self.levels[level].graph;
        let one = Size::from(1i64);
        let leaf = || Linear { rest: Size::from(0i64), terms: BTreeMap::from([(node, Size::from(1i64))]) };
        let n = graph.node(node);
        if n.dtype == DType::Bool {
            return leaf();
        }
        match &n.op {
            Op::Const(v) if v.fract() == 0.0 => Linear::of(Size::from(*v as i64)),
            Op::Extent(s) => Linear::of(self.resolve(s)),
            Op::Map(f) => {
                let args: Vec<Linear> = graph.operands(node).iter().map(|o| self.linear(level, o.node)).collect();
                match f {
                    Map::Add => args[0].clone().add(&args[1], &one),
                    Map::Sub => args[0].clone().add(&args[1], &Size::from(-1i64)),
                    Map::Neg => Linear::of(Size::from(0i64)).add(&args[0], &Size::from(-1i64)),
                    Map::Copy | Map::ToF32 => args[0].clone(),
                    Map::Mul if args[1].terms.is_empty() => Linear::of(Size::from(0i64)).add(&args[0], &args[1].rest),
                    Map::Mul if args[0].terms.is_empty() => Linear::of(Size::from(0i64)).add(&args[1], &args[0].rest),
                    _ => leaf(),
                }
            }
            _ => leaf(),
        }
    }

    /// Arithmetic on sizes that conditions decide: `2 * width + 1`, also in a loop.
    pub fn size_form(&self, t: &Tens) -> Option<Size> {
        let form = self.linear(t.level, t.node);
        form.terms.iter().try_fold(form.rest.clone(), |sum, (node, factor)| {
            let (mut level, mut node) = (t.level, *node);
            while level > 0 {
                let (outer, _) = self.levels[level].captured.iter().find(|(_, a)| *a == node)?;
                (level, node) = (outer.level.min(level - 1), outer.node);
            }
            let (name, _) = self.levels[0].graph.measured.iter().find(|(_, n)| *n == node)?;
            Some(sum.add(&Size::sym(name.clone()).mul(factor)))
        })
    }

    /// Bounds of a linear form, both ends included; `None` where data is in it.
    fn range(&self, level: usize, form: &Linear) -> Option<(Size, Size)> {
        let (mut low, mut high) = (form.rest.clone(), form.rest.clone());
        for (n, c) in &form.terms {
            let (a, b) = self.node_range(level, *n)?;
            let (p, q) = (a.mul(c), b.mul(c));
            let positive = c.at_least(0, 1);
            if !positive && !c.neg().at_least(0, 1) {
                return None;
            }
            low = low.add(if positive { &p } else { &q });
            high = high.add(if positive { &q } else { &p });
        }
        Some((self.resolve(&low), self.resolve(&high)))
    }

    fn node_range(&self, level: usize, node: NodeId) -> Option<(Size, Size)> {
        let graph: &Graph = &self.levels[level].graph;
        let n = graph.node(node);
        let zero = Size::from(0i64);
        let last = |s: &Size| self.resolve(s).sub(&Size::from(1i64));
        let arg = |k: usize| {
            let o = graph.operands(node).get(k)?.node;
            Some(self.linear(level, o))
        };
        match &n.op {
            Op::Iota => Some((zero, last(&n.shape[0].size))),
            Op::Order { .. } => Some((zero, last(&n.inner[0].size))),
            Op::Fold(crate::ir::Fold::Argmax | crate::ir::Fold::Argmin) | Op::Assign => Some((zero, last(&n.inner[0].size))),
            Op::Map(Map::Mod) => {
                let d = arg(1)?;
                (d.terms.is_empty() && d.rest.at_least(1, 1)).then(|| (zero, last(&d.rest)))
            }
            Op::Map(Map::IntDiv) => {
                let d = arg(1)?;
                if !d.terms.is_empty() || !d.rest.at_least(1, 1) {
                    return None;
                }
                let (a, b) = self.range(level, &arg(0)?)?;
                Some((a.int_div(&d.rest)?, b.int_div(&d.rest)?))
            }
            Op::Map(Map::Min | Map::Max) => {
                let (a, b) = (self.range(level, &arg(0)?)?, self.range(level, &arg(1)?)?);
                let pick = |f, x: &Size, y: &Size| Size::apply(f, vec![x.clone(), y.clone()]);
                let f =
                    if matches!(n.op, Op::Map(Map::Min)) { crate::ir::size::SizeFn::Min } else { crate::ir::size::SizeFn::Max };
                Some((pick(f, &a.0, &b.0), pick(f, &a.1, &b.1)))
            }
            Op::Gather { .. } => {
                let source = graph.operands(node).first()?.node;
                self.range(level, &self.linear(level, source))
            }
            Op::Arg(_) if Some(node) == self.levels[level].round => Some((zero, last(self.levels[level].trips.as_ref()?))),
            Op::Arg(_) => {
                let (outer, _) = self.levels[level].captured.iter().find(|(_, a)| *a == node)?;
                self.range(outer.level, &self.linear(outer.level, outer.node))
            }
            _ => None,
        }
    }

    /// The input that an index is, when it is nothing else.
    fn input_of(&self, level: usize, form: &Linear) -> Option<String> {
        let mut entries = form.terms.iter();
        let (Some((n, c)), None) = (entries.next(), entries.next()) else { return None };
        if !form.rest.is(0) || !c.is(1) {
            return None;
        }
        let graph = &self.levels[level].graph;
        match &graph.node(*n).op {
            Op::Source { origin: Origin::Input | Origin::Condition, path } => Some(path.to_string()),
            Op::Arg(_) => {
                let (outer, _) = self.levels[level].captured.iter().find(|(_, a)| a == n)?;
                self.input_of(outer.level, &self.linear(outer.level, outer.node))
            }
            Op::Gather { .. } => {
                let source = graph.operands(*n).first()?.node;
                self.input_of(level, &self.linear(level, source))
            }
            _ => None,
        }
    }

    fn note_below(&mut self, path: &str, extent: &Size) {
        let Some(input) = self.out.inputs.iter_mut().find(|i| i.name == path) else { return };
        let smaller = match &input.below {
            None => true,
            Some(old) => matches!((old.constant(), extent.constant()), (Some(a), Some(b)) if b < a),
        };
        if smaller {
            input.below = Some(extent.clone());
        }
    }

    /// Whether a condition that holds keeps the index inside.
    fn guarded(&self, check: &Check, form: &Linear, extent: &Size, upper: bool) -> bool {
        let one = Size::from(1i64);
        let minus = Size::from(-1i64);
        // What must be at least 0.
        let need = if upper { Linear::of(extent.sub(&one)).add(form, &minus) } else { form.clone() };
        let mut facts = vec![];
        for (level, node) in &check.guards {
            if *level == check.level {
                self.facts(*level, *node, &mut facts);
            }
        }
        facts.iter().any(|fact| {
            let left = need.clone().add(fact, &minus);
            match self.range(check.level, &left) {
                Some((low, _)) => self.resolve(&low).at_least(0, 1),
                None => left.terms.is_empty() && self.resolve(&left.rest).at_least(0, 1),
            }
        })
    }

    /// Forms that are at least 0 where a truth value holds.
    fn facts(&self, level: usize, node: NodeId, out: &mut Vec<Linear>) {
        let graph = &self.levels[level].graph;
        let Op::Map(f) = graph.node(node).op else { return };
        let operands = graph.operands(node);
        let minus = Size::from(-1i64);
        let form = |k: usize| self.linear(level, operands[k].node);
        match f {
            Map::And => operands.iter().for_each(|o| self.facts(level, o.node, out)),
            Map::Lt => out.push(form(1).add(&form(0), &minus).add(&Linear::of(minus.clone()), &Size::from(1i64))),
            Map::Le => out.push(form(1).add(&form(0), &minus)),
            Map::Eq => {
                out.push(form(1).add(&form(0), &minus));
                out.push(form(0).add(&form(1), &minus));
            }
            _ => {}
        }
    }
}
