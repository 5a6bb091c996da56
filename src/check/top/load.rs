//! `max_load`: how busy the busiest expert is, as a word of a `train` block.
//!
//! Each route counts how often the rows of the batch chose each expert, before anybody asks for a seat. The load of an expert is that
//! count beside what an even share would be: 1 where all are chosen alike, as many as there are experts where all choose one. It is
//! the largest over all routes that are computed outside of loops.

use crate::check::Checker;
use crate::check::value::{Label, Tens};
use crate::ir::size::SizeFn;
use crate::ir::{Axis, DType, Fold, Map, Node, NodeId, Op, Operand, Size};

impl Checker<'_> {
    /// The load of the busiest expert; `None`: nothing is routed.
    pub(super) fn max_load(&mut self) -> Option<Tens> {
        let routes: Vec<(NodeId, Size)> =
            self.out.model.routes.iter().filter_map(|r| Some((r.chosen?.0, r.experts.clone()))).collect();
        let loads: Vec<Tens> = routes.into_iter().map(|(index, experts)| self.load_of(index, experts)).collect();
        loads.into_iter().reduce(|a, b| self.one(Map::Max, &[a.node, b.node]))
    }

    fn load_of(&mut self, index: NodeId, experts: Size) -> Tens {
        let expert = Axis::new("expert", experts.clone());
        let places = self.build.graph(0).node(index).shape.clone();
        let loops: Vec<usize> = (1..=places.len()).collect();
        let all: Vec<Axis> = [expert.clone()].into_iter().chain(places.iter().cloned()).collect();
        let whole: Vec<usize> = (0..all.len()).collect();
        let iota = self.counted(Node::new(Op::Iota, DType::I32, vec![expert.clone()]), vec![]);
        let sides = vec![Operand::new(index, loops), Operand::new(iota, vec![0])];
        let same = self.counted(Node::new(Op::Map(Map::Eq), DType::Bool, all.clone()), sides);
        let ones = Node::new(Op::Map(Map::ToF32), DType::F32, all);
        let ones = self.counted(ones, vec![Operand::new(same, whole.clone())]);
        let count = Node { inner: places.clone(), ..Node::new(Op::Fold(Fold::Sum), DType::F32, vec![expert.clone()]) };
        let count = self.counted(count, vec![Operand::new(ones, whole)]);
        let most = Node { inner: vec![expert], ..Node::new(Op::Fold(Fold::Max), DType::F32, vec![]) };
        let most = self.counted(most, vec![Operand::new(count, vec![0])]);
        // Of no rows nobody has a load.
        let choices = places.iter().fold(Size::from(1i64), |n, a| n.mul(&a.size));
        let choices = self.extent_of(Size::apply(SizeFn::Max, vec![choices, Size::from(1i64)]));
        let experts = self.extent_of(experts);
        let share = self.one(Map::Div, &[most, choices]).node;
        self.one(Map::Mul, &[share, experts])
    }

    /// A node without names.
    fn counted(&mut self, node: Node, operands: Vec<Operand>) -> NodeId {
        let labels = vec![Label::Sized; node.shape.len()];
        self.emit(node, labels, operands).node
    }

    fn extent_of(&mut self, size: Size) -> NodeId {
        self.counted(Node::new(Op::Extent(size), DType::F32, vec![]), vec![])
    }

    fn one(&mut self, map: Map, operands: &[NodeId]) -> Tens {
        let read = operands.iter().map(|n| Operand::new(*n, vec![])).collect();
        self.emit(Node::new(Op::Map(map), DType::F32, vec![]), vec![], read)
    }
}
