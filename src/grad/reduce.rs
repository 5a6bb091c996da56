//! Folds and products.

use super::Reverse;
use super::adjoint::Adjoint;
use super::nest::{Nest, Part};
use crate::ir::{Axis, Body, DType, Fold, Graph, Map, Node, NodeId, Op, Operand, Output, OutputKind, Pick, Size};

/// Up to so many factors, the product of all others is computed for each of them by itself.
const FEW: i64 = 32;

impl Reverse<'_> {
    pub(super) fn fold(&mut self, id: NodeId, fold: Fold, adjoint: Adjoint) {
        match fold {
            Fold::Sum => {
                let nest = self.nest(id, &adjoint);
                let operand = self.graph.operands(id)[0].clone();
                self.pull(&nest, &adjoint, Part::plain(adjoint.view.clone(), &adjoint.guards), &operand);
            }
            Fold::Max | Fold::Min => self.extreme(id, &adjoint),
            Fold::Prod => self.factors(id, &adjoint),
            // A place, or a bool.
            Fold::Any | Fold::All | Fold::Argmax | Fold::Argmin => {}
        }
    }

    /// All elements that are the extreme one share, so that the parts sum to the whole.
    fn extreme(&mut self, id: NodeId, adjoint: &Adjoint) {
        let nest = self.nest(id, adjoint);
        let operand = self.graph.operands(id)[0].clone();
        let best = self.own(id, &nest);
        let is_best = match self.chosen_of(id, &operand) {
            // What is left out is none of them, though it may be as extreme.
            Some([test, value]) => {
                let is_best = self.is_extreme(&nest, nest.operand(&value), best);
                self.pointwise_of(&nest, Map::And, DType::Bool, vec![nest.operand(&test), is_best])
            }
            None => self.is_extreme(&nest, nest.operand(&operand), best),
        };
        let one_each = self.pointwise(&nest, Map::ToF32, vec![is_best.clone()]);
        let first = nest.first + self.graph.node(id).rank();
        // Loops that the operand does not have repeat it.
        let count = self.folded_over(&nest, Fold::Sum, DType::F32, one_each, (first..nest.axes.len()).collect());
        // There may be none: what was left out.
        let one = self.number(1.0);
        let count = self.pointwise(&nest, Map::Max, vec![count, one]);
        let share = self.pointwise(&nest, Map::Div, vec![adjoint.view.clone(), count]);
        let share = self.chosen(&nest, vec![is_best], share);
        self.pull(&nest, adjoint, Part::plain(share, &adjoint.guards), &operand);
    }

    /// Whether a value is the extreme one of several: equal to it, or NaN, by which all of them are.
    pub(super) fn is_extreme(&mut self, nest: &Nest, value: Operand, best: Operand) -> Operand {
        let equal = self.pointwise_of(nest, Map::Eq, DType::Bool, vec![value.clone(), best]);
        let no_number = self.pointwise_of(nest, Map::Ne, DType::Bool, vec![value.clone(), value]);
        self.pointwise_of(nest, Map::Or, DType::Bool, vec![equal, no_number])
    }

    /// The condition and the value where a fold is over what a condition lets through: elsewhere it has what a fold of nothing is.
    fn chosen_of(&self, id: NodeId, operand: &Operand) -> Option<[Operand; 2]> {
        let Op::Fold(fold) = self.graph.node(id).op else { return None };
        let Op::Map(Map::Select) = self.graph.node(operand.node).op else { return None };
        let through = |o: &Operand| Operand::new(o.node, o.subscripts.iter().map(|k| operand.subscripts[*k]).collect());
        let [test, value, none] = self.graph.operands(operand.node) else { return None };
        let nothing = if fold == Fold::Max { f64::NEG_INFINITY } else { f64::INFINITY };
        let left_out = matches!(self.graph.node(none.node).op, Op::Const(x) if x == nothing);
        left_out.then(|| [through(test), through(value)])
    }

    /// The adjoint of a factor is that of the product times all others. It is not the product over the factor: that is no number at 0,
    /// and what one puts in its place there has no second derivative.
    fn factors(&mut self, id: NodeId, adjoint: &Adjoint) {
        let nest = self.nest(id, adjoint);
        let operand = self.graph.operands(id)[0].clone();
        let count = self.graph.node(id).inner.iter().fold(Size::from(1i64), |n, a| n.mul(&a.size));
        let others = match count.constant() {
            Some(n) if n <= FEW => vec![self.others(id, &nest, &operand)],
            _ => self.before_and_after(id, &nest, &operand, count),
        };
        let factors = std::iter::once(adjoint.view.clone()).chain(others).collect();
        self.pull(&nest, adjoint, Part::guarded(factors, adjoint.guards.clone()), &operand);
    }

    /// For every element, the product of all others.
    fn others(&mut self, id: NodeId, nest: &Nest, operand: &Operand) -> Operand {
        let closed = nest.first + self.graph.node(id).rank();
        let loops = nest.axes.len();
        let mut wide = nest.clone();
        wide.axes.extend(nest.axes[closed..].iter().cloned());
        let again = |k: usize| if k < closed { k } else { loops + k - closed };
        let mine = nest.operand(operand);
        let other = Operand::new(mine.node, mine.subscripts.iter().map(|k| again(*k)).collect());
        let mut same = Vec::new();
        for k in closed..loops {
            same.push(self.same_place(&wide, k, again(k)));
        }
        let one = self.number(1.0);
        let Some(itself) = self.all_of(&wide, &same) else { return one };
        let value = self.pointwise(&wide, Map::Select, vec![itself, one, other]);
        self.folded(&wide, Fold::Prod, DType::F32, value, &|k| k >= loops)
    }

    /// For every element, the product of those before it, and of those after it.
    fn before_and_after(&mut self, id: NodeId, nest: &Nest, operand: &Operand, count: Size) -> Vec<Operand> {
        let node = self.graph.node(id).clone();
        let (outer, rank) = (node.shape.clone(), node.rank());
        let all: Vec<Axis> = outer.iter().chain(&node.inner).cloned().collect();
        let whole = self.built(&all, operand);
        let line = Axis::new("factor", count.clone());
        let flat: Vec<Axis> = outer.iter().cloned().chain([line.clone()]).collect();
        let row = self.add(Op::Reshape, DType::F32, flat, vec![], vec![Operand::new(whole, vec![])]);
        let first = self.add(Op::Const(1.0), DType::F32, vec![], vec![], vec![]);
        let first = self.built(&outer, &Operand::new(first, vec![]));
        let identity = |rank: usize| (0..rank).collect::<Vec<_>>();
        let mut out = Vec::new();
        for reverse in [false, true] {
            let body = running_product(&outer, &line, reverse);
            let operands = vec![Operand::new(first, identity(rank)), Operand::new(row, identity(rank + 1))];
            let run = self.add(Op::Loop(Box::new(body)), DType::F32, vec![], vec![], operands);
            let stacked: Vec<Axis> = [line.clone()].into_iter().chain(outer.iter().cloned()).collect();
            let result = self.add(Op::Result(1), DType::F32, stacked, vec![], vec![Operand::new(run, vec![])]);
            // Back to the loops that were closed.
            let turned: Vec<usize> = [rank].into_iter().chain(0..rank).collect();
            let flat: Vec<Axis> = outer.iter().cloned().chain([line.clone()]).collect();
            let turned = self.built(&flat, &Operand::new(result, turned));
            let back = self.add(Op::Reshape, DType::F32, all.clone(), vec![], vec![Operand::new(turned, vec![])]);
            out.push(Operand::new(back, (0..all.len()).map(|k| nest.own(k)).collect()));
        }
        out
    }

    /// The adjoint of a factor is that of the sum times all other factors, summed over what the factor does not have, where nothing is left out.
    pub(super) fn contract(&mut self, id: NodeId, adjoint: Adjoint) {
        let nest = self.nest(id, &adjoint);
        let (factors, left) = self.graph.factors(id);
        let (factors, left) = (factors.to_vec(), left.to_vec());
        for (n, operand) in factors.iter().enumerate() {
            if !self.is_active(operand.node) {
                continue;
            }
            let others = factors.iter().enumerate().filter(|(k, _)| *k != n).map(|(_, o)| nest.operand(o));
            let product: Vec<Operand> = std::iter::once(adjoint.view.clone()).chain(others).collect();
            let own: Vec<Operand> = left.iter().map(|o| nest.operand(o)).collect();
            let guards: Vec<Operand> = own.iter().chain(&adjoint.guards).cloned().collect();
            let conditions = if product.len() == 1 { own } else { guards.clone() };
            self.pull(&nest, &adjoint, Part { factors: product, conditions, guards }, operand);
        }
    }
}

/// A loop that yields, before every element of a row, the product so far.
fn running_product(outer: &[Axis], line: &Axis, reverse: bool) -> Body {
    let mut graph = Graph::default();
    let identity: Vec<usize> = (0..outer.len()).collect();
    let mut arg = |k: usize, dtype: DType, shape: Vec<Axis>| graph.add(Node::new(Op::Arg(k), dtype, shape), vec![]);
    let round = arg(0, DType::I32, vec![]);
    let so_far = arg(1, DType::F32, outer.to_vec());
    let row = arg(2, DType::F32, outer.iter().cloned().chain([line.clone()]).collect());
    let mut picks: Vec<Pick> = identity.iter().map(|k| Pick::Loop(*k)).collect();
    picks.push(Pick::Operand(1));
    let gather = Node::new(Op::Gather { picks, fill: Some(1.0) }, DType::F32, outer.to_vec());
    let element = graph.add(gather, vec![Operand::new(row, vec![]), Operand::new(round, vec![])]);
    let operands = vec![Operand::new(so_far, identity.clone()), Operand::new(element, identity)];
    let next = graph.add(Node::new(Op::Map(Map::Mul), DType::F32, outer.to_vec()), operands);
    for (name, node) in [("next", next), ("before", so_far)] {
        graph.outputs.push(Output { name: name.into(), kind: OutputKind::Output, node });
    }
    Body { graph, trips: line.size.clone(), reverse, carries: 1, yields: 1, stop: false }
}
