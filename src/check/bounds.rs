//! That an index stays inside its axis.
//!
//! In: i32 nodes used as indices, the extents of the axes, the conditions that hold. An index made of counters is a linear form; its
//! bounds follow from the counters' ranges, from `min`, `max`, `mod`, `div` and places that a search gave, or from a condition such as
//! `t + 1 < count[t]`. Of counters alone it must be proved. An index that comes from data is proved where it can be; every other is a
//! demand of the graph (`Op::Inside`). Of an input that is an index as it is, and under no condition, it is noted besides, for those who
//! draw values and describe the model.
//!
//! Not looked at: whether arithmetic on data leaves 32 bits, where it wraps as everywhere.

mod range;
mod size;

use super::axes::Axes;
use super::build::{Build, Check};
use super::model::{Allowed, InputKind};
use super::value::{NameId, Tens};
use super::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::{Axis, DType, Fold, Map, Node, NodeId, Op, Operand, Origin, Size, Sym, needs, outside};
use crate::source::Span;
use range::Linear;
use std::cell::Cell;

/// Steps of one proof: what takes more is looked at when the model runs.
const PATIENCE: u32 = 4000;

/// What is known of an index.
enum Verdict {
    Inside,
    /// It is this input, and nothing else.
    Input(String),
    /// It is inside where an axis is long enough, which is looked at when sizes are known.
    Sized,
    /// It reaches from here to there.
    Outside(Size, Size),
    /// Data decide.
    Open,
}

/// What a proof looks at: the graphs as far as they are made, what sizes are known to be, and the steps that it may still take.
struct Proof<'c> {
    build: &'c Build,
    axes: &'c Axes,
    patience: Cell<u32>,
    /// Sizes that conditions decide, with the values that they may have.
    decided: Vec<(Sym, Allowed)>,
}

impl<'a> Checker<'a> {
    fn proof(&self) -> Proof<'_> {
        let of = |(name, node): &(Sym, NodeId)| match &self.build.graph(0).node(*node).op {
            Op::Source { path, .. } => match &self.out.input(path)?.kind {
                InputKind::Size(allowed @ (Allowed::List(_) | Allowed::Range(..))) => Some((name.clone(), allowed.clone())),
                InputKind::Size(Allowed::Any) | InputKind::Tensor | InputKind::Seed => None,
            },
            _ => None,
        };
        let decided = self.build.graph(0).measured.iter().filter_map(of).collect();
        Proof { build: &self.build, axes: &self.axes, patience: Cell::new(PATIENCE), decided }
    }

    /// The index of which is known that it lies inside, when the model runs. What cannot be proved is a demand of the graph.
    pub fn inside(&mut self, index: &Tens, axis: Option<NameId>, extent: &Size, span: Span) -> Res<Tens> {
        let here = self.build.here(index);
        let (level, node) = (here.level, here.node);
        let guards: Vec<(usize, NodeId)> = self.scopes.guards().iter().map(|g| (g.level, g.node)).collect();
        let open = |s: &Size| s.symbols().iter().any(|s| s.starts_with('?'));
        let unknown = open(&self.axes.resolve(extent)) || self.proof().mentions_open(level, node);
        let free = guards.is_empty();
        if !unknown {
            let verdict = self.proof().verdict(level, node, extent, &guards);
            match verdict {
                Verdict::Inside => return Ok(here),
                Verdict::Sized if free => return Ok(here),
                Verdict::Input(path) if free => self.note_below(&path, extent),
                Verdict::Outside(low, high) if free || misses(&low, &high, extent) => {
                    return self.leaves(&low, &high, extent, span).map(|()| here);
                }
                Verdict::Sized | Verdict::Input(_) | Verdict::Outside(..) | Verdict::Open => {}
            }
        }
        if self.report.is_generic() {
            return Ok(here);
        }
        let name = axis.map_or(outside::UNNAMED, |n| self.axes.name_text(n)).to_string();
        let needed = self.needed(index)?;
        let identity = (0..here.labels.len()).collect();
        let mut operands = vec![Operand::new(node, identity)];
        if let Some(needed) = &needed {
            let subscripts = needed.labels.iter().map(|l| here.labels.iter().position(|x| x == l).expect("folded over others"));
            operands.push(Operand::new(self.build.node(needed), subscripts.collect()));
        }
        let axes = self.build.at(&here).shape.clone();
        let demand = Node::new(Op::Inside(Axis::new(name, extent.clone())), DType::I32, axes);
        let t = self.emit(demand, here.labels.clone(), operands);
        self.build.at_mut(&t).span = span;
        if unknown {
            self.build.note_check(Check { node: t.node, guards, free });
        }
        Ok(t)
    }

    /// Where an index is used: the conditions that hold here, for any place that the index does not tell apart.
    fn needed(&mut self, index: &Tens) -> Res<Option<Tens>> {
        let mut all: Option<Tens> = None;
        for guard in self.scopes.guards().to_vec() {
            let mut guard = self.build.here(&guard);
            for d in guard.sized() {
                let n = self.axes.new_name("i", self.extent(&guard, d), None);
                guard = self.dim_to_name(&guard, d, n);
            }
            all = Some(match all {
                Some(a) => self.pointwise(Map::And, &[&a, &guard])?,
                None => guard,
            });
        }
        let Some(all) = all else { return Ok(None) };
        let others: Vec<NameId> = all.names().filter(|n| index.find(*n).is_none()).collect();
        Ok(Some(if others.is_empty() { all } else { self.fold(Fold::Any, &all, &others) }))
    }

    /// Proves the demands of a level (a loop's body, before it is closed) whose ranges were not known: they go.
    pub fn prove(&mut self, level: usize) {
        for check in self.build.take_checks(level) {
            let node = self.build.graph(level).node(check.node);
            let (Op::Inside(axis), span) = (&node.op, node.span) else { continue };
            let extent = self.axes.resolve(&axis.size);
            let index = self.build.graph(level).operands(check.node)[0].node;
            let verdict = self.proof().verdict(level, index, &extent, &check.guards);
            let proved = match verdict {
                Verdict::Inside => true,
                Verdict::Sized => check.free,
                Verdict::Input(path) => {
                    if check.free {
                        self.note_below(&path, &extent);
                    }
                    false
                }
                Verdict::Outside(low, high) if check.free || misses(&low, &high, &extent) => {
                    // One message is enough for one index.
                    let _ = self.leaves(&low, &high, &extent, span);
                    true
                }
                Verdict::Outside(..) | Verdict::Open => false,
            };
            let graph = self.build.graph_mut(level);
            if proved {
                graph.node_mut(check.node).op = Op::Map(Map::Copy);
                graph.truncate_operands(check.node, 1);
            } else if let Op::Inside(axis) = &mut graph.node_mut(check.node).op {
                axis.size = extent;
            }
        }
    }

    fn leaves(&mut self, low: &Size, high: &Size, extent: &Size, span: Span) -> Res<()> {
        if self.report.is_generic() {
            return Ok(());
        }
        let message = format!(
            "this index runs from {} to {}, and the axis has {} places",
            self.axes.show_size(low),
            self.axes.show_size(high),
            self.axes.show_size(extent)
        );
        self.fail(
            Diagnostic::error(Code::H0323, span, message)
                .help("say what lies outside, `v[..] else 0`, or keep the index inside with `where` or `mod`"),
        )
    }

    /// Notes that the values of an input lie below `extent`: the least of what is said of it, where that can be compared.
    fn note_below(&mut self, path: &str, extent: &Size) {
        let extent = self.axes.resolve(extent);
        let Some(input) = self.out.input_mut(path) else { return };
        if input.below.as_ref().is_none_or(|old| old.sub(&extent).at_least(0, 0)) {
            input.below = Some(extent);
        }
    }

    /// Whether an index is known to lie inside, whatever comes in and whatever holds here.
    pub fn lies_inside(&self, index: &Tens, extent: &Size) -> bool {
        matches!(self.proof().verdict(index.level, index.node, extent, &[]), Verdict::Inside)
    }

    /// The size that a value is, where it is made of sizes that conditions decide.
    pub fn size_form(&self, t: &Tens) -> Option<Size> {
        self.proof().size_form(t)
    }
}

impl Proof<'_> {
    fn verdict(&self, level: usize, node: NodeId, extent: &Size, guards: &[(usize, NodeId)]) -> Verdict {
        let extent = self.axes.resolve(extent);
        let form = self.linear(level, node);
        let (low, high) = self.range(level, &form);
        let room = |high: &Size| extent.sub(&Size::from(1i64)).sub(high);
        // Where the index is looked up, the axes that it varies over have places.
        let some: Vec<Size> = self.build.graph(level).node(node).shape.iter().map(|a| self.axes.resolve(&a.size)).collect();
        let low_ok =
            low.as_ref().is_some_and(|l| self.nonnegative(l, &some)) || self.guarded(level, guards, &form, &extent, false, &some);
        let high_ok = high.as_ref().is_some_and(|h| self.nonnegative(&room(h), &some))
            || self.guarded(level, guards, &form, &extent, true, &some);
        if low_ok && high_ok {
            return Verdict::Inside;
        }
        if let Some(path) = self.input_of(level, &form) {
            return Verdict::Input(path);
        }
        let (Some(low), Some(high)) = (low, high) else { return Verdict::Open };
        if misses(&low, &high, &extent) {
            return Verdict::Outside(low, high);
        }
        if self.depends_on_data(level, node) {
            return Verdict::Open;
        }
        let graph = self.build.graph(level);
        let long = low.at_least(0, 1) && room(&high).at_least(0, 1);
        match (needs::stretch(graph, node), form.terms.is_empty()) {
            // One place, or places side by side: data give the axis, and perhaps enough of it.
            (Some(_), true) => Verdict::Sized,
            (Some(_), false) if long => Verdict::Sized,
            // Lengths decide, which are known when data arrive.
            _ if !room(&high).symbols().is_empty() && !self.negative_for_some(&room(&high)) => Verdict::Open,
            _ => Verdict::Outside(low, high),
        }
    }

    /// Whether the value of a node is more than counters, sizes and numbers.
    fn depends_on_data(&self, level: usize, node: NodeId) -> bool {
        if !self.goes_on() {
            return true;
        }
        let graph = self.build.graph(level);
        match &graph.node(node).op {
            Op::Const(_) | Op::Iota | Op::Extent(_) => false,
            Op::Map(_) | Op::Gather { .. } | Op::Reshape | Op::Concat { .. } | Op::Inside(_) => {
                graph.operands(node).iter().any(|o| self.depends_on_data(level, o.node))
            }
            Op::Arg(_) if self.build.is_round(level, node) => false,
            Op::Arg(_) => match self.build.outer(level, node) {
                Some(outer) => self.depends_on_data(outer.level, outer.node),
                None => true,
            },
            Op::Source { .. } | Op::Random { .. } | Op::Fold(_) | Op::Contract | Op::Scatter { .. } => true,
            Op::Order { .. } | Op::Scan { .. } | Op::Assign | Op::Loop(_) | Op::Result(_) => true,
        }
    }

    /// Whether the range of an index in a node is still to be found.
    fn mentions_open(&self, level: usize, node: NodeId) -> bool {
        if !self.goes_on() {
            return false;
        }
        let graph = self.build.graph(level);
        let n = graph.node(node);
        let open = |a: &Axis| self.axes.resolve(&a.size).symbols().iter().any(|s| s.starts_with('?'));
        n.shape.iter().chain(&n.inner).any(open)
            || match &n.op {
                Op::Extent(s) => self.axes.resolve(s).symbols().iter().any(|s| s.starts_with('?')),
                Op::Map(_) => graph.operands(node).iter().any(|o| self.mentions_open(level, o.node)),
                _value => false,
            }
    }

    /// One step of a proof; there are only so many.
    pub(super) fn goes_on(&self) -> bool {
        let left = self.patience.get();
        self.patience.set(left.saturating_sub(1));
        left > 0
    }

    /// The input that an index is, when it is nothing else.
    fn input_of(&self, level: usize, form: &Linear) -> Option<String> {
        let mut entries = form.terms.iter();
        let (Some((n, c)), None) = (entries.next(), entries.next()) else { return None };
        if !form.rest.is(0) || !c.is(1) {
            return None;
        }
        let graph = self.build.graph(level);
        match &graph.node(*n).op {
            Op::Source { origin: Origin::Input | Origin::Condition, path } => Some(path.to_string()),
            Op::Arg(_) => {
                let outer = self.build.outer(level, *n)?;
                self.input_of(outer.level, &self.linear(outer.level, outer.node))
            }
            // With a word on what lies outside it has other values, too.
            Op::Gather { fill: None, .. } => {
                let source = graph.operands(*n).first()?.node;
                self.input_of(level, &self.linear(level, source))
            }
            _ => None,
        }
    }
}

/// Whether a range reaches outside of an axis at all sizes.
fn misses(low: &Size, high: &Size, extent: &Size) -> bool {
    let one = Size::from(1i64);
    low.neg().sub(&one).at_least(0, 1) || high.sub(extent).at_least(0, 1)
}
