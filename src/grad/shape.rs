//! Joining, another shape, running sums.

use super::Reverse;
use super::adjoint::Adjoint;
use super::nest::{Nest, Part};
use crate::ir::{Axis, DType, Map, NodeId, Op, Operand, Pick, Size};

impl Reverse<'_> {
    /// Every part gets its slice.
    pub(super) fn concat(&mut self, id: NodeId, axis: usize, adjoint: Adjoint) {
        let adjoint = self.loosened(id, adjoint, axis);
        let nest = self.nest(id, &adjoint);
        let along = nest.own(axis);
        let whole = self.whole(id, &adjoint);
        let guards = self.all_of(&nest, &adjoint.guards).map(|g| self.built(&nest.axes, &g));
        let mut start = Size::from(0i64);
        for operand in self.graph.operands(id).to_vec() {
            let joined = operand.subscripts.iter().position(|k| *k == axis).expect("every part has the joined axis");
            let axis = self.graph.node(operand.node).shape[joined].clone();
            let length = axis.size.clone();
            let mut part = nest.clone();
            part.axes[along] = axis;
            if self.is_active(operand.node) {
                let view = self.slice(&part, along, whole, &start, DType::F32);
                let guards: Vec<Operand> = guards.iter().map(|g| self.slice(&part, along, *g, &start, DType::Bool)).collect();
                self.pull(&part, &adjoint, Part::plain(view, &guards), &operand);
            }
            start = start.add(&length);
        }
    }

    /// What a value has along one loop from a place on; elsewhere it has all loops of the nest.
    fn slice(&mut self, nest: &Nest, along: usize, whole: NodeId, start: &Size, dtype: DType) -> Operand {
        let place = self.counter(nest, along);
        let start = self.size(start);
        let place = self.pointwise_of(nest, Map::Add, DType::I32, vec![place, start]);
        self.picked(nest, along, whole, place, None, dtype)
    }

    /// A value with all loops of a nest, read at another place of one of them.
    pub fn picked(
        &mut self,
        nest: &Nest,
        along: usize,
        whole: NodeId,
        place: Operand,
        fill: Option<f64>,
        dtype: DType,
    ) -> Operand {
        let loops = nest.axes.len();
        let picks = (0..loops).map(|k| if k == along { Pick::Operand(1) } else { Pick::Loop(k) }).collect();
        let operands = vec![Operand::new(whole, vec![]), place];
        let id = self.add(Op::Gather { picks, fill }, dtype, nest.axes.clone(), vec![], operands);
        Operand::new(id, (0..loops).collect())
    }

    /// A size as a whole number.
    pub fn size(&mut self, size: &Size) -> Operand {
        match size.constant() {
            Some(n) => self.whole_number(n),
            None => Operand::new(self.add(Op::Extent(size.clone()), DType::I32, vec![], vec![], vec![]), vec![]),
        }
    }

    /// The same elements in the shape that they had. Dimensions that stay as they are in front or at the end stay tied.
    pub(super) fn reshape(&mut self, id: NodeId, adjoint: Adjoint) {
        let operand = self.graph.operands(id)[0].clone();
        let (to, from) = (self.graph.node(id).shape.clone(), self.graph.node(operand.node).shape.clone());
        let same = |a: &Axis, b: &Axis| a.size == b.size;
        let front = to.iter().zip(&from).take_while(|(a, b)| same(a, b)).count();
        let most = to.len().min(from.len()) - front;
        let back = to.iter().rev().zip(from.iter().rev()).take(most).take_while(|(a, b)| same(a, b)).count();
        let before = |d: usize| {
            if d < front { Some(d) } else { (d >= to.len() - back).then(|| d + from.len() - to.len()) }
        };
        let tied: Vec<Option<usize>> = adjoint.tied.iter().map(|t| t.and_then(before)).collect();
        let adjoint = self.untie(id, adjoint, &tied);
        let axes = self.loops(operand.node, &tied);
        let nest = self.nest(id, &adjoint);
        let reshaped = |r: &mut Self, view: &Operand, dtype| {
            let whole = r.built(&nest.axes, view);
            let made = r.add(Op::Reshape, dtype, axes.clone(), vec![], vec![Operand::new(whole, vec![])]);
            Operand::new(made, (0..axes.len()).collect())
        };
        let view = reshaped(self, &adjoint.view, DType::F32);
        let guards = self.all_of(&nest, &adjoint.guards).map(|g| reshaped(self, &g, DType::Bool));
        self.hand(operand.node, Adjoint { view, tied, guards: guards.into_iter().collect() });
    }

    /// A running sum from the other end: nothing cancels, and what is infinite at one place stays there. A place counts where one from it on does.
    pub(super) fn scan(&mut self, id: NodeId, axis: usize, adjoint: Adjoint) {
        let adjoint = self.loosened(id, adjoint, axis);
        let nest = self.nest(id, &adjoint);
        let along = nest.own(axis);
        let whole = self.whole(id, &adjoint);
        let view = self.sums_from_the_end(&nest, along, whole);
        let mut guards = Vec::new();
        if let Some(guard) = self.all_of(&nest, &adjoint.guards) {
            let real = self.pointwise(&nest, Map::ToF32, vec![guard]);
            let real = self.built(&nest.axes, &real);
            let (count, zero) = (self.sums_from_the_end(&nest, along, real), self.number(0.0));
            guards.push(self.pointwise_of(&nest, Map::Lt, DType::Bool, vec![zero, count]));
        }
        let operand = self.graph.operands(id)[0].clone();
        self.pull(&nest, &adjoint, Part::plain(view, &guards), &operand);
    }

    fn sums_from_the_end(&mut self, nest: &Nest, along: usize, whole: NodeId) -> Operand {
        let turned = self.turned(nest, along, whole);
        let loops: Vec<usize> = (0..nest.axes.len()).collect();
        let operands = vec![Operand::new(turned, loops.clone())];
        let sums = self.add(Op::Scan { axis: along }, DType::F32, nest.axes.clone(), vec![], operands);
        Operand::new(self.turned(nest, along, sums), loops)
    }

    /// A value with one loop the other way round.
    fn turned(&mut self, nest: &Nest, along: usize, whole: NodeId) -> NodeId {
        let (count, last) = (self.counter(nest, along), nest.axes[along].size.sub(&Size::from(1i64)));
        let last = self.size(&last);
        let place = self.pointwise_of(nest, Map::Sub, DType::I32, vec![last, count]);
        self.picked(nest, along, whole, place, Some(0.0), DType::F32).node
    }

    /// The adjoint without a tie to one dimension, whose places meet in this node.
    pub fn loosened(&mut self, id: NodeId, adjoint: Adjoint, dimension: usize) -> Adjoint {
        let tied: Vec<Option<usize>> = adjoint.tied.iter().map(|t| t.filter(|d| *d != dimension)).collect();
        self.untie(id, adjoint, &tied)
    }
}
