//! Which row stands at each place.

use super::{Asked, Rows, Work};
use crate::ir::{Axis, DType, Fold, Map, Node, NodeId, Op, Operand};

impl Work<'_> {
    /// The rows of a table that are asked for by an index.
    pub(super) fn asked(&mut self, gather: NodeId, index: NodeId, axis: &Axis) -> usize {
        if let Some(known) = self.asked.iter().position(|a| a.index == index && a.axis.size == axis.size) {
            return known;
        }
        let counter = self.new.add(Node::new(Op::Iota, DType::I32, vec![axis.clone()]), vec![]);
        let rows = match self.rows {
            Rows::All | Rows::Apart => counter,
            Rows::Asked => self.those(index, axis, counter),
        };
        self.asked.push(Asked { gather, index, axis: axis.clone(), rows });
        self.asked.len() - 1
    }

    /// Each row itself where anybody asks for it, and else one that somebody asks for.
    fn those(&mut self, index: NodeId, axis: &Axis, counter: NodeId) -> NodeId {
        let shape = self.old.node(index).shape.clone();
        let own: Vec<usize> = (0..shape.len()).collect();
        let whole = |op: Op, shape: Vec<Axis>| Node::new(op, DType::I32, shape);
        let last = axis.size.constant().map_or(0.0, |n| (n - 1) as f64);
        let (zero, last) =
            (self.new.add(whole(Op::Const(0.0), vec![]), vec![]), self.new.add(whole(Op::Const(last), vec![]), vec![]));
        let given = Operand::new(self.places[index.index()], own.clone());
        let above = self.new.add(whole(Op::Map(Map::Max), shape.clone()), vec![given, Operand::new(zero, vec![])]);
        let between = vec![Operand::new(above, own.clone()), Operand::new(last, vec![])];
        let place = self.new.add(whole(Op::Map(Map::Min), shape.clone()), between);
        let mut most = whole(Op::Fold(Fold::Max), vec![]);
        most.inner = shape.clone();
        let someone = self.new.add(most, vec![Operand::new(place, own.clone())]);
        let all: Vec<Axis> = [axis.clone()].into_iter().chain(shape.iter().cloned()).collect();
        let behind: Vec<usize> = own.iter().map(|k| k + 1).collect();
        let compared = vec![Operand::new(place, behind), Operand::new(counter, vec![0])];
        let loops: Vec<usize> = (0..all.len()).collect();
        let mine = self.new.add(Node::new(Op::Map(Map::Eq), DType::Bool, all), compared);
        let mut any = Node::new(Op::Fold(Fold::Any), DType::Bool, vec![axis.clone()]);
        any.inner = shape;
        let present = self.new.add(any, vec![Operand::new(mine, loops)]);
        let chosen = vec![Operand::new(present, vec![0]), Operand::new(counter, vec![0]), Operand::new(someone, vec![])];
        self.new.add(whole(Op::Map(Map::Select), vec![axis.clone()]), chosen)
    }
}
