//! The loops of one node, what is computed over them, and how a product over them becomes the adjoint of an operand.

use super::Reverse;
use super::adjoint::Adjoint;
use crate::ir::{Axis, DType, Fold, Map, Node, NodeId, Op, Operand};

/// Loops: the free kept axes of a node's adjoint, then the node's own, those that it closes last.
#[derive(Clone, Debug)]
pub struct Nest {
    pub axes: Vec<Axis>,
    /// How many loops stand before the node's own.
    pub first: usize,
}

impl Nest {
    /// The node's own loop `k`.
    pub fn own(&self, k: usize) -> usize {
        self.first + k
    }

    /// An operand of the node, over these loops.
    pub fn operand(&self, o: &Operand) -> Operand {
        Operand::new(o.node, o.subscripts.iter().map(|k| self.own(*k)).collect())
    }
}

/// The adjoint of an operand, before loops are closed.
pub struct Part {
    /// What is multiplied.
    pub factors: Vec<Operand>,
    /// Where it counts; elsewhere it is 0, whatever the factors are.
    pub conditions: Vec<Operand>,
    /// Bools that go along: where one is false the part is 0.
    pub guards: Vec<Operand>,
}

impl Part {
    /// What is 0 by itself wherever the guards are false.
    pub fn plain(value: Operand, guards: &[Operand]) -> Part {
        Part { factors: vec![value], conditions: vec![], guards: guards.to_vec() }
    }

    /// Factors that may be anything where the guards are false.
    pub fn guarded(factors: Vec<Operand>, guards: Vec<Operand>) -> Part {
        Part { factors, conditions: guards.clone(), guards }
    }
}

impl Reverse<'_> {
    /// The loops of a node, where its adjoint is tied like this.
    pub fn nest(&self, id: NodeId, adjoint: &Adjoint) -> Nest {
        let mut axes = self.loops(id, &adjoint.tied);
        axes.extend(self.graph.node(id).inner.iter().cloned());
        Nest { axes, first: adjoint.free() }
    }

    /// The node's own value, over its nest.
    pub fn own(&self, id: NodeId, nest: &Nest) -> Operand {
        Operand::new(id, (0..self.graph.node(id).rank()).map(|k| nest.own(k)).collect())
    }

    /// Adds a node that belongs to the place in the source that is visited.
    pub fn add(&mut self, op: Op, dtype: DType, shape: Vec<Axis>, inner: Vec<Axis>, operands: Vec<Operand>) -> NodeId {
        let at = self.graph.node(self.at);
        let (within, span, under) = (at.within.clone(), at.span, at.under.clone());
        self.graph.add(Node { inner, within, span, under, ..Node::new(op, dtype, shape) }, operands)
    }

    /// A number.
    pub fn number(&mut self, x: f64) -> Operand {
        Operand::new(self.add(Op::Const(x), DType::F32, vec![], vec![], vec![]), vec![])
    }

    /// A whole number.
    pub fn whole_number(&mut self, x: i64) -> Operand {
        Operand::new(self.add(Op::Const(x as f64), DType::I32, vec![], vec![], vec![]), vec![])
    }

    /// The counter of a loop.
    pub fn counter(&mut self, nest: &Nest, k: usize) -> Operand {
        let axis = nest.axes[k].clone();
        Operand::new(self.add(Op::Iota, DType::I32, vec![axis], vec![], vec![]), vec![k])
    }

    /// A scalar function of real numbers, over those loops that its operands have.
    pub fn pointwise(&mut self, nest: &Nest, map: Map, operands: Vec<Operand>) -> Operand {
        self.pointwise_of(nest, map, DType::F32, operands)
    }

    /// As [`Reverse::pointwise`], its loops in the order of `outer`, which has all of them.
    fn pointwise_as(&mut self, outer: &[usize], nest: &Nest, map: Map, operands: Vec<Operand>) -> Operand {
        let used = used(nest, &operands, &|_| false);
        let shape = outer.iter().copied().filter(|k| used.contains(k)).collect();
        self.over(nest, Op::Map(map), DType::F32, shape, vec![], operands)
    }

    /// A scalar function, over those loops that its operands have.
    pub fn pointwise_of(&mut self, nest: &Nest, map: Map, dtype: DType, operands: Vec<Operand>) -> Operand {
        let used = used(nest, &operands, &|_| false);
        self.over(nest, Op::Map(map), dtype, used, vec![], operands)
    }

    /// A fold of a value over the loops that are `closed`, over the others that it has.
    pub fn folded(&mut self, nest: &Nest, fold: Fold, dtype: DType, value: Operand, closed: &dyn Fn(usize) -> bool) -> Operand {
        let inner = value_loops(&value, closed);
        self.folded_over(nest, fold, dtype, value, inner)
    }

    /// A fold of a value over these loops, whether it has them or not, over the others that it has.
    pub fn folded_over(&mut self, nest: &Nest, fold: Fold, dtype: DType, value: Operand, inner: Vec<usize>) -> Operand {
        let shape = used(nest, std::slice::from_ref(&value), &|k| inner.contains(&k));
        self.over(nest, Op::Fold(fold), dtype, shape, inner, vec![value])
    }

    /// A value where all of these hold, 0 elsewhere.
    pub fn chosen(&mut self, nest: &Nest, guards: Vec<Operand>, value: Operand) -> Operand {
        match self.all_of(nest, &guards) {
            None => value,
            Some(all) => {
                let zero = self.number(0.0);
                self.pointwise(nest, Map::Select, vec![all, value, zero])
            }
        }
    }

    /// A node over these loops of a nest.
    fn over(
        &mut self,
        nest: &Nest,
        op: Op,
        dtype: DType,
        shape: Vec<usize>,
        inner: Vec<usize>,
        operands: Vec<Operand>,
    ) -> Operand {
        let place = |k: &usize| shape.iter().chain(&inner).position(|l| l == k).expect("a loop of the node");
        let operands = operands.iter().map(|o| Operand::new(o.node, o.subscripts.iter().map(place).collect())).collect();
        let axes = |loops: &[usize]| loops.iter().map(|k| nest.axes[*k].clone()).collect();
        let id = self.add(op, dtype, axes(&shape), axes(&inner), operands);
        Operand::new(id, shape)
    }

    /// Hands an operand its part: the product of the factors over the loops of the nest. Loops that the operand does not have are summed
    /// over, but those of kept axes stay.
    pub fn pull(&mut self, nest: &Nest, from: &Adjoint, part: Part, operand: &Operand) {
        if self.is_active(operand.node) {
            let reads: Vec<usize> = operand.subscripts.iter().map(|k| nest.own(*k)).collect();
            let adjoint = self.close(nest, from, part, &reads, operand.node);
            self.hand(operand.node, adjoint);
        }
    }

    /// As [`Reverse::pull`], for a node each of whose dimensions is a loop of the nest.
    pub fn close(&mut self, nest: &Nest, from: &Adjoint, part: Part, reads: &[usize], to: NodeId) -> Adjoint {
        let Part { factors, mut conditions, mut guards } = part;
        let loop_of = |q: usize| from.loop_of(q, nest);
        let tied: Vec<Option<usize>> = (0..self.kept.len()).map(|q| reads.iter().position(|k| *k == loop_of(q))).collect();
        let free: Vec<usize> = (0..self.kept.len()).filter(|q| tied[*q].is_none()).map(loop_of).collect();
        let axes = self.loops(to, &tied);
        // A second dimension over the same loop is a loop of its own, and counts on the diagonal alone.
        let again: Vec<usize> = (0..reads.len()).filter(|d| reads[..*d].contains(&reads[*d])).collect();
        let mut wide = nest.clone();
        let mut outer = free.clone();
        let mut diagonal = Vec::new();
        for (d, k) in reads.iter().enumerate() {
            if again.contains(&d) {
                wide.axes.push(axes[free.len() + d].clone());
                outer.push(wide.axes.len() - 1);
                diagonal.push((*k, wide.axes.len() - 1));
            } else {
                outer.push(*k);
            }
        }
        for (a, b) in diagonal {
            // Off the diagonal nothing was read.
            let same = self.same_place(&wide, a, b);
            conditions.push(same.clone());
            guards.push(same);
        }
        let inner: Vec<usize> = (0..nest.axes.len()).filter(|k| !outer.contains(k)).collect();
        let place = |k: usize| outer.iter().position(|l| *l == k);
        let view = self.product(&wide, factors, conditions, &outer, &inner, &axes);
        let guards = self.guards_over(&wide, &guards, &place);
        Adjoint { view, tied, guards }
    }

    /// The product of the factors where the conditions hold, summed over the inner loops; its subscripts count the outer loops.
    fn product(
        &mut self,
        nest: &Nest,
        factors: Vec<Operand>,
        conditions: Vec<Operand>,
        outer: &[usize],
        inner: &[usize],
        axes: &[Axis],
    ) -> Operand {
        let place = |k: usize| outer.iter().chain(inner).position(|l| *l == k).expect("a loop of the nest");
        let moved = |o: &Operand| Operand::new(o.node, o.subscripts.iter().map(|k| place(*k)).collect());
        if inner.is_empty() {
            // Loops that nothing reads need not be built; those that are lie as in the operand, beside which whoever uses it goes.
            let mut factors = factors.into_iter();
            let first = factors.next().expect("an adjoint is a factor");
            let value = factors.fold(first, |a, b| self.pointwise_as(outer, nest, Map::Mul, vec![a, b]));
            let Some(all) = self.all_of(nest, &conditions) else { return moved(&value) };
            let zero = self.number(0.0);
            return moved(&self.pointwise_as(outer, nest, Map::Select, vec![all, value, zero]));
        }
        let (factors, conditions) = self.left_out(nest, factors, conditions);
        let closed: Vec<Axis> = inner.iter().map(|k| nest.axes[*k].clone()).collect();
        let operands: Vec<Operand> = factors.iter().chain(&conditions).map(moved).collect();
        let used: Vec<usize> = (0..outer.len()).filter(|k| operands.iter().any(|o| o.subscripts.contains(k))).collect();
        let shape: Vec<Axis> = used.iter().map(|k| axes[*k].clone()).collect();
        let packed = |o: &Operand| {
            let at = |k: &usize| used.iter().position(|u| u == k).unwrap_or_else(|| used.len() + k - outer.len());
            Operand::new(o.node, o.subscripts.iter().map(at).collect())
        };
        let operands: Vec<Operand> = operands.iter().map(packed).collect();
        let op = if operands.len() == 1 { Op::Fold(Fold::Sum) } else { Op::Contract };
        Operand::new(self.add(op, DType::F32, shape, closed, operands), used)
    }

    /// One guard for all, and a factor that is 0 where it is false: so only what is no number is put right afterwards.
    fn left_out(&mut self, nest: &Nest, mut factors: Vec<Operand>, conditions: Vec<Operand>) -> (Vec<Operand>, Vec<Operand>) {
        let Some(guard) = self.all_of(nest, &conditions) else { return (factors, conditions) };
        let shared = |f: &Operand| guard.subscripts.iter().filter(|k| f.subscripts.contains(k)).count();
        let best = (0..factors.len()).rev().max_by_key(|k| shared(&factors[*k])).unwrap_or(0);
        factors[best] = self.chosen(nest, vec![guard.clone()], factors[best].clone());
        let guards = if factors.len() > 1 { vec![guard] } else { vec![] };
        (factors, guards)
    }

    /// An adjoint as a node of exactly its loops.
    pub fn whole(&mut self, id: NodeId, adjoint: &Adjoint) -> NodeId {
        let axes = self.loops(id, &adjoint.tied);
        self.built(&axes, &adjoint.view)
    }

    /// A view over some loops as a node that has exactly these.
    pub fn built(&mut self, axes: &[Axis], view: &Operand) -> NodeId {
        let same = self.graph.node(view.node).rank() == axes.len() && view.subscripts.iter().copied().eq(0..axes.len());
        if same {
            return view.node;
        }
        let dtype = self.graph.node(view.node).dtype;
        self.add(Op::Map(Map::Copy), dtype, axes.to_vec(), vec![], vec![view.clone()])
    }
}

/// The loops that some of the operands have, in order, but not those that are `closed`.
fn used(nest: &Nest, operands: &[Operand], closed: &dyn Fn(usize) -> bool) -> Vec<usize> {
    (0..nest.axes.len()).filter(|k| !closed(*k) && operands.iter().any(|o| o.subscripts.contains(k))).collect()
}

/// The closed loops that a value has, in order, each once.
fn value_loops(value: &Operand, closed: &dyn Fn(usize) -> bool) -> Vec<usize> {
    let mut out: Vec<usize> = value.subscripts.iter().copied().filter(|k| closed(*k)).collect();
    out.sort();
    out.dedup();
    out
}
