//! Nodes that all rules of training are made of: functions at every point, sums over everything, products of matrices.

use crate::ir::{Axis, DType, Graph, Map, Node, NodeId, Op, Operand};

/// A graph that grows.
pub struct Maker<'g> {
    pub graph: &'g mut Graph,
}

impl Maker<'_> {
    /// A number.
    pub fn number(&mut self, value: f64) -> NodeId {
        self.graph.add(Node::new(Op::Const(value), DType::F32, vec![]), vec![])
    }

    /// The same number everywhere.
    pub fn filled(&mut self, value: f64, shape: Vec<Axis>) -> NodeId {
        let number = self.number(value);
        self.graph.add(Node::new(Op::Map(Map::Copy), DType::F32, shape), vec![Operand::new(number, vec![])])
    }

    pub fn shape(&self, id: NodeId) -> Vec<Axis> {
        self.graph.node(id).shape.clone()
    }

    /// A function at every point of the operand with most dimensions; the others have its shape, or are numbers.
    pub fn map(&mut self, map: Map, operands: &[NodeId]) -> NodeId {
        let largest = operands.iter().max_by_key(|id| self.graph.node(**id).rank()).expect("a function has operands");
        let shape = self.shape(*largest);
        let dtype = if matches!(map, Map::Lt | Map::Le | Map::Eq | Map::Ne) { DType::Bool } else { DType::F32 };
        let read = operands.iter().map(|id| Operand::new(*id, (0..self.graph.node(*id).rank()).collect()));
        let read = read.collect();
        self.graph.add(Node::new(Op::Map(map), dtype, shape), read)
    }

    pub fn add(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.map(Map::Add, &[a, b])
    }

    pub fn sub(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.map(Map::Sub, &[a, b])
    }

    pub fn mul(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.map(Map::Mul, &[a, b])
    }

    pub fn div(&mut self, a: NodeId, b: NodeId) -> NodeId {
        self.map(Map::Div, &[a, b])
    }

    pub fn sqrt(&mut self, a: NodeId) -> NodeId {
        self.map(Map::Sqrt, &[a])
    }

    /// `a` times a number that is known.
    pub fn scale(&mut self, a: NodeId, by: f64) -> NodeId {
        let by = self.number(by);
        self.mul(a, by)
    }

    /// `a + (b - a) * t`
    pub fn between(&mut self, a: NodeId, b: NodeId, t: f64) -> NodeId {
        let way = self.sub(b, a);
        let part = self.scale(way, t);
        self.add(a, part)
    }

    /// Which nets are meant, over the first `arrays` dimensions of a value: row-major.
    pub fn of_nets(&mut self, nets: &[bool], like: NodeId, arrays: usize) -> NodeId {
        let axes = self.shape(like)[..arrays].to_vec();
        let whole = |m: &mut Self, v: i64| m.graph.add(Node::new(Op::Const(v as f64), DType::I32, vec![]), vec![]);
        let read = |m: &Self, id: NodeId| Operand::new(id, (0..m.graph.node(id).rank()).collect());
        let both = |m: &mut Self, map: Map, dtype: DType, a: NodeId, b: NodeId| {
            let operands = vec![read(m, a), read(m, b)];
            m.graph.add(Node::new(Op::Map(map), dtype, axes.clone()), operands)
        };
        let mut number = whole(self, 0);
        for (k, axis) in axes.iter().enumerate() {
            let own = self.graph.add(Node::new(Op::Iota, DType::I32, vec![axis.clone()]), vec![]);
            let length = self.graph.add(Node::new(Op::Extent(axis.size.clone()), DType::I32, vec![]), vec![]);
            let before = both(self, Map::Mul, DType::I32, number, length);
            let operands = vec![read(self, before), Operand::new(own, vec![k])];
            number = self.graph.add(Node::new(Op::Map(Map::Add), DType::I32, axes.clone()), operands);
        }
        let mut out = self.graph.add(Node::new(Op::Const(0.0), DType::Bool, vec![]), vec![]);
        let ends = |k: usize| k == 0 || k == nets.len() || nets[k] != nets[k - 1];
        let runs: Vec<usize> = (0..=nets.len()).filter(|k| ends(*k)).collect();
        for run in runs.windows(2).filter(|run| nets[run[0]]) {
            let (from, to) = (whole(self, run[0] as i64), whole(self, run[1] as i64));
            let above = both(self, Map::Le, DType::Bool, from, number);
            let below = both(self, Map::Lt, DType::Bool, number, to);
            let inside = both(self, Map::And, DType::Bool, above, below);
            out = both(self, Map::Or, DType::Bool, out, inside);
        }
        out
    }

    /// The sum of the squares over the last `closed` dimensions.
    pub fn squares(&mut self, a: NodeId, closed: usize) -> NodeId {
        let axes = self.shape(a);
        let (kept, inner) = axes.split_at(axes.len() - closed);
        let mut node = Node::new(Op::Contract, DType::F32, kept.to_vec());
        node.inner = inner.to_vec();
        let read = || Operand::new(a, (0..axes.len()).collect());
        self.graph.add(node, vec![read(), read()])
    }

    /// `a` of all but its last two dimensions, times the matrices in them.
    pub fn per_matrix(&mut self, map: Map, matrices: NodeId, numbers: NodeId) -> NodeId {
        let shape = self.shape(matrices);
        let all = (0..shape.len()).collect();
        let outer = (0..shape.len() - 2).collect();
        self.graph
            .add(Node::new(Op::Map(map), DType::F32, shape), vec![Operand::new(matrices, all), Operand::new(numbers, outer)])
    }

    /// Products of matrices, which lie in the last two dimensions: `a` times `b`; a turned one is read by its columns.
    pub fn product(&mut self, (a, a_turned): (NodeId, bool), (b, b_turned): (NodeId, bool)) -> NodeId {
        let (left, right) = (self.shape(a), self.shape(b));
        let outer = left.len() - 2;
        let side = |shape: &[Axis], turned: bool, first: bool| shape[outer + usize::from(turned == first)].clone();
        let mut shape = left[..outer].to_vec();
        shape.push(side(&left, a_turned, true));
        shape.push(side(&right, b_turned, false));
        let mut node = Node::new(Op::Contract, DType::F32, shape);
        node.inner = vec![side(&left, a_turned, false)];
        let read = |id, pair: [usize; 2], turned: bool| {
            let pair = if turned { [pair[1], pair[0]] } else { pair };
            Operand::new(id, (0..outer).chain(pair).collect())
        };
        let operands = vec![read(a, [outer, outer + 2], a_turned), read(b, [outer + 2, outer + 1], b_turned)];
        self.graph.add(node, operands)
    }
}
