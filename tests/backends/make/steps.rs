//! One random node of each kind.

use super::Maker;
use hnet::ir::Tensor;
use hnet::ir::scalar::Types;
use hnet::ir::{Axis, DType, Dist, Fold, Map, Node, NodeId, Op, Operand, Origin, Pick, Size};

impl Maker<'_> {
    /// Adds a node, or not.
    pub fn step(&mut self) {
        match self.rng.below(if self.inside { 14 } else { 23 }) {
            0..6 => self.map(),
            6..8 => self.fold(),
            8..11 => self.contract(),
            11 => self.leaf(),
            12 => self.compose(),
            13 if self.rng.one_in(3) => self.demand(),
            13 => self.gather(),
            14 => self.scatter(),
            15 => self.concat(),
            16 => self.reshape(),
            17 => self.order(),
            18 => self.one_hot(),
            19 => self.update(),
            20 => self.looped(),
            21 => self.twin(),
            _ => {
                let dtype = *self.rng.pick(&[DType::F32, DType::I32]);
                self.source(dtype);
            }
        };
    }

    /// A node once more, its operands perhaps in another order.
    fn twin(&mut self) {
        let known = self.rng.pick(&self.pool).clone();
        let mut node = self.case.graph.node(known.id).clone();
        node.name = None;
        let mut operands = self.case.graph.operands(known.id).to_vec();
        let swaps = matches!(node.op, Op::Map(_) | Op::Contract) && operands.len() == 2;
        if swaps && known.exact {
            operands.reverse();
        }
        if !matches!(node.op, Op::Result(_)) {
            self.put(node, operands, known.exact);
        }
    }

    fn leaf(&mut self) {
        let axis = self.rng.pick(&self.axes).clone();
        let x = *self.rng.pick(&[0.0, 1.0, 1.0, 2.0, -1.0, 0.5]);
        match self.rng.below(5) {
            0 => self.put(Node::new(Op::Const(x), DType::F32, vec![]), vec![], true),
            1 => self.put(Node::new(Op::Const(f64::from(x as i32)), DType::I32, vec![]), vec![], true),
            2 => self.put(Node::new(Op::Iota, DType::I32, vec![axis]), vec![], true),
            3 => {
                let size = axis.size.mul(&Size::from(3i64)).add(&Size::from(1i64));
                self.put(Node::new(Op::Extent(size), DType::I32, vec![]), vec![], true)
            }
            _ => {
                let Some(seed) = self.some(DType::I32, true) else { return };
                let (loops, mut operands) = self.nest(&[seed], Vec::new(), &[]);
                operands.push(operands[0].clone());
                let dist = *self.rng.pick(Dist::ALL);
                let key = self.rng.below(3) as u32;
                self.put(Node::new(Op::Random { dist, key }, DType::F32, loops), operands, false)
            }
        };
    }

    fn map(&mut self) {
        let map = *self.rng.pick(Map::ALL);
        let number = *self.rng.pick(&[DType::F32, DType::F32, DType::I32]);
        let (f, i, b) = (DType::F32, DType::I32, DType::Bool);
        let any = *self.rng.pick(&[f, f, i, b]);
        let (jumps, exact) = (map.nature().jumps(), map.nature().is_exact());
        let from = match map.types() {
            Types::Same(&[only]) | Types::Test(&[only]) => only,
            Types::Same(of) | Types::Test(of) => {
                if of.contains(&b) {
                    any
                } else {
                    number
                }
            }
            Types::Cast(_) | Types::Choice => any,
        };
        let to = map.gives(from);
        let mut nodes = Vec::new();
        for n in 0..map.arity() {
            let dtype = if map == Map::Select && n == 0 { b } else { from };
            let Some(node) = self.some(dtype, jumps && from == f) else { return };
            nodes.push(node);
        }
        let (loops, mut operands) = self.nest(&nodes, Vec::new(), &[]);
        let Some((shape, _)) = self.close(loops, &mut operands, 0, Some(0)) else { return };
        self.put(Node::new(Op::Map(map), to, shape), operands, exact);
    }

    fn fold(&mut self) {
        let fold = *self.rng.pick(Fold::ALL);
        let number = *self.rng.pick(&[DType::F32, DType::I32]);
        let (from, to, inner, jumps) = match fold {
            Fold::Sum | Fold::Prod | Fold::Max | Fold::Min => (number, number, None, false),
            Fold::Any | Fold::All => (DType::Bool, DType::Bool, None, false),
            Fold::Argmax | Fold::Argmin => (number, DType::I32, Some(1), true),
        };
        let Some(node) = self.some(from, jumps && number == DType::F32) else { return };
        let (loops, mut operands) = self.nest(&[node], Vec::new(), &[]);
        let Some((shape, inner)) = self.close(loops, &mut operands, 0, inner) else { return };
        let node = Node { inner, ..Node::new(Op::Fold(fold), to, shape) };
        self.put(node, operands, true);
    }

    fn contract(&mut self) {
        let dtype = if self.rng.one_in(6) { DType::I32 } else { DType::F32 };
        let n = 1 + self.rng.below(3);
        let nodes: Option<Vec<NodeId>> = (0..n).map(|_| self.some(dtype, false)).collect();
        let Some(nodes) = nodes else { return };
        let (loops, mut operands) = self.nest(&nodes, Vec::new(), &[]);
        let Some((shape, inner)) = self.close(loops, &mut operands, 0, None) else { return };
        self.put(Node { inner, ..Node::new(Op::Contract, dtype, shape) }, operands, true);
    }

    /// Running sums and assignments.
    fn compose(&mut self) {
        if self.rng.one_in(2) {
            let dtype = *self.rng.pick(&[DType::F32, DType::I32]);
            let Some(node) = self.some(dtype, false) else { return };
            let (loops, mut operands) = self.nest(&[node], Vec::new(), &[]);
            let Some((shape, _)) = self.close(loops, &mut operands, 0, Some(0)) else { return };
            if shape.is_empty() {
                return;
            }
            let axis = self.rng.below(shape.len());
            self.put(Node::new(Op::Scan { axis }, dtype, shape), operands, true);
            return;
        }
        let Some(node) = self.some(DType::F32, true) else { return };
        let (mut loops, operands) = self.nest(&[node], Vec::new(), &[]);
        if loops.is_empty() || self.inside {
            return;
        }
        let column = Axis::new("col", loops[loops.len() - 1].size.clone());
        let rank = loops.len();
        loops.push(column);
        // A cost that depends on row and column, without ties: noise on top.
        let Some(seed) = self.some(DType::I32, true).filter(|s| self.case.graph.node(*s).rank() == 0) else { return };
        let read = |id| Operand::new(id, vec![]);
        let random = Node::new(Op::Random { dist: Dist::Uniform, key: 9 }, DType::F32, loops.clone());
        let Some(noise) = self.put(random, vec![read(seed), read(seed)], false) else { return };
        let all: Vec<usize> = (0..=rank).collect();
        let sum = Node::new(Op::Map(Map::Add), DType::F32, loops.clone());
        let Some(cost) = self.put(sum, vec![operands[0].clone(), Operand::new(noise, all.clone())], false) else { return };
        let inner = vec![loops.pop().expect("a column")];
        self.put(Node { inner, ..Node::new(Op::Assign, DType::I32, loops) }, vec![Operand::new(cost, all)], false);
    }

    fn gather(&mut self) {
        let dtype = *self.rng.pick(&[DType::F32, DType::F32, DType::I32, DType::Bool]);
        let Some(source) = self.some(dtype, false) else { return };
        let of = self.case.graph.node(source).shape.clone();
        let mut indices = Vec::new();
        let by: Vec<bool> = of.iter().map(|_| self.rng.one_in(2)).collect();
        for by in &by {
            if *by {
                let Some(index) = self.some(DType::I32, true) else { return };
                indices.push(index);
            }
        }
        let (mut loops, mut reads) = self.nest(&indices, Vec::new(), &[]);
        let mut operands = vec![Operand::new(source, vec![])];
        operands.append(&mut reads);
        let (mut picks, mut next) = (Vec::new(), 1);
        for (axis, by) in of.iter().zip(by) {
            if by {
                picks.push(Pick::Operand(next));
                next += 1;
            } else {
                let k = loops.iter().position(|l| l.size == axis.size).unwrap_or_else(|| {
                    loops.push(axis.clone());
                    loops.len() - 1
                });
                picks.push(Pick::Loop(k));
            }
        }
        // Without a word on what lies outside, sizes are held to it where a counter or a number is the index.
        let given = |id: &NodeId| matches!(self.case.graph.node(*id).op, Op::Source { .. });
        let fills: &[Option<f64>] =
            if indices.iter().all(given) { &[None, Some(0.0), Some(1.0)] } else { &[Some(0.0), Some(1.0)] };
        let fill = *self.rng.pick(fills);
        self.put(Node::new(Op::Gather { picks, fill }, dtype, loops), operands, true);
    }

    /// An index that must be inside where it is.
    fn demand(&mut self) {
        let Some(index) = self.some(DType::I32, true) else { return };
        let axis = self.rng.pick(&self.axes).clone();
        let loops = self.case.graph.node(index).shape.clone();
        let own = |id| Operand::new(id, (0..loops.len()).collect());
        let one = |id| Operand::new(id, vec![]);
        let Some(zero) = self.put(Node::new(Op::Const(0.0), DType::I32, vec![]), vec![], true) else { return };
        let Some(end) = self.put(Node::new(Op::Extent(axis.size.clone()), DType::I32, vec![]), vec![], true) else { return };
        let truth = |map| Node::new(Op::Map(map), DType::Bool, loops.clone());
        let Some(low) = self.put(truth(Map::Le), vec![one(zero), own(index)], true) else { return };
        let Some(high) = self.put(truth(Map::Lt), vec![own(index), one(end)], true) else { return };
        let Some(both) = self.put(truth(Map::And), vec![own(low), own(high)], true) else { return };
        self.put(Node::new(Op::Inside(axis), DType::I32, loops.clone()), vec![own(index), own(both)], true);
    }

    fn scatter(&mut self) {
        let dtype = *self.rng.pick(&[DType::F32, DType::I32]);
        let (Some(index), Some(value)) = (self.some(DType::I32, true), self.some(dtype, false)) else { return };
        let axis = self.rng.pick(&self.axes).clone();
        let (loops, mut operands) = self.nest(&[index, value], vec![axis], &[0]);
        let Some((shape, inner)) = self.close(loops, &mut operands, 1, None) else { return };
        let fold = *self.rng.pick(&[Fold::Sum, Fold::Sum, Fold::Max, Fold::Min]);
        self.put(Node { inner, ..Node::new(Op::Scatter { axis: 0, fold }, dtype, shape) }, operands, true);
    }

    fn concat(&mut self) {
        let dtype = *self.rng.pick(&[DType::F32, DType::I32, DType::Bool]);
        let Some(first) = self.some(dtype, false) else { return };
        let shape = self.case.graph.node(first).shape.clone();
        if shape.is_empty() {
            return;
        }
        let axis = self.rng.below(shape.len());
        let mut loops = shape.clone();
        let whole: Vec<usize> = (0..shape.len()).collect();
        let mut operands = vec![Operand::new(first, whole)];
        let Some(second) = self.some(dtype, false) else { return };
        let part = self.case.graph.node(second).shape.clone();
        // The second part is read along the joined loop with its first dimension, through others where sizes agree.
        let Some((own, others)) = part.split_first() else { return };
        let mut subscripts = vec![axis];
        for other in others {
            let Some(k) = (0..shape.len()).find(|k| *k != axis && shape[*k].size == other.size) else { return };
            subscripts.push(k);
        }
        operands.push(Operand::new(second, subscripts));
        loops[axis] = Axis::new("joined", shape[axis].size.add(&own.size));
        self.put(Node::new(Op::Concat { axis }, dtype, loops), operands, true);
    }

    fn reshape(&mut self) {
        let dtype = *self.rng.pick(&[DType::F32, DType::I32, DType::Bool]);
        let Some(from) = self.some(dtype, false) else { return };
        let old = self.case.graph.node(from).shape.clone();
        let mut shape = match self.rng.below(3) {
            0 => vec![Axis::new("flat", old.iter().fold(Size::from(1i64), |p, a| p.mul(&a.size)))],
            1 => old.iter().rev().cloned().collect(),
            _ => old,
        };
        if self.rng.one_in(2) {
            let at = self.rng.below(shape.len() + 1);
            shape.insert(at, Axis::new("one", 1usize));
        }
        self.put(Node::new(Op::Reshape, dtype, shape), vec![Operand::new(from, vec![])], true);
    }

    fn order(&mut self) {
        let dtype = *self.rng.pick(&[DType::F32, DType::I32]);
        let Some(node) = self.some(dtype, dtype == DType::F32) else { return };
        let (loops, mut operands) = self.nest(&[node], Vec::new(), &[]);
        let Some((mut shape, inner)) = self.close(loops, &mut operands, 0, Some(1)) else { return };
        let taken = if self.rng.one_in(2) { inner[0].size.clone() } else { Size::from(2i64) };
        // A loop before the inner one moves it.
        let rank = shape.len();
        operands[0].subscripts.iter_mut().filter(|k| **k >= rank).for_each(|k| *k += 1);
        shape.push(Axis::new("top", taken));
        let descending = self.rng.one_in(2);
        self.put(Node { inner, ..Node::new(Op::Order { axis: rank, descending }, DType::I32, shape) }, operands, true);
    }

    /// A sum over a comparison with a counter, as `where` makes it.
    fn one_hot(&mut self) {
        let (Some(index), Some(value)) = (self.some(DType::I32, true), self.some(DType::F32, false)) else { return };
        let axis = self.rng.pick(&self.axes).clone();
        let Some(iota) = self.put(Node::new(Op::Iota, DType::I32, vec![axis.clone()]), vec![], true) else { return };
        let (loops, operands) = self.nest(&[index], vec![axis], &[0]);
        let sides = vec![operands[0].clone(), Operand::new(iota, vec![0])];
        let Some(test) = self.put(Node::new(Op::Map(Map::Eq), DType::Bool, loops.clone()), sides, true) else { return };
        let (loops, values) = self.nest(&[value], loops, &[0]);
        let asked = Operand::new(test, (0..self.case.graph.node(test).rank()).collect());
        let picked = if self.rng.one_in(2) {
            let Some(zero) = self.put(Node::new(Op::Const(0.0), DType::F32, vec![]), vec![], true) else { return };
            let operands = vec![asked, values[0].clone(), Operand::new(zero, vec![])];
            self.put(Node::new(Op::Map(Map::Select), DType::F32, loops.clone()), operands, true)
        } else {
            let number = Node::new(Op::Map(Map::ToF32), DType::F32, self.case.graph.node(test).shape.clone());
            let whole = asked.subscripts.clone();
            let Some(number) = self.put(number, vec![asked], true) else { return };
            let operands = vec![Operand::new(number, whole), values[0].clone()];
            self.put(Node::new(Op::Map(Map::Mul), DType::F32, loops.clone()), operands, true)
        };
        let Some(picked) = picked else { return };
        let mut operands = vec![Operand::new(picked, (0..loops.len()).collect())];
        let Some((shape, inner)) = self.close(loops, &mut operands, 1, None) else { return };
        self.put(Node { inner, ..Node::new(Op::Fold(Fold::Sum), DType::F32, shape) }, operands, true);
    }

    /// `sum(i) x[b, i] * (w[i, o] + sum(r) a[b, i, r] * u[b, r, o])`, sometimes with parts missing.
    fn update(&mut self) {
        let sizes: Vec<Axis> = [("b", 3usize), ("i", 4), ("r", 1), ("o", 5)].map(|(n, s)| Axis::new(n, s)).to_vec();
        let leaf = |m: &mut Self, loops: &[usize]| {
            let axes: Vec<Axis> = loops.iter().map(|k| sizes[*k].clone()).collect();
            let shape: Vec<usize> = axes.iter().map(|a| m.size(&a.size)).collect();
            let path = format!("x.{}", m.case.graph.len());
            let data = m.data(DType::F32, shape.iter().product());
            m.case.bindings.sources.insert(path.clone(), Tensor::new(shape, data));
            m.put(Node::new(Op::Source { origin: Origin::Input, path: path.into() }, DType::F32, axes), vec![], true)
        };
        let (Some(x), Some(w), Some(a), Some(u)) =
            (leaf(self, &[0, 1]), leaf(self, &[1, 3]), leaf(self, &[0, 1, 2]), leaf(self, &[0, 2, 3]))
        else {
            return;
        };
        let axes = |loops: &[usize]| loops.iter().map(|k| sizes[*k].clone()).collect::<Vec<_>>();
        let read = |id: NodeId, loops: &[usize]| Operand::new(id, loops.to_vec());
        let low = Node { inner: axes(&[2]), ..Node::new(Op::Contract, DType::F32, axes(&[0, 1, 3])) };
        let Some(low) = self.put(low, vec![read(a, &[0, 1, 3]), read(u, &[0, 3, 2])], true) else { return };
        let map = *self.rng.pick(&[Map::Add, Map::Sub]);
        let sum = Node::new(Op::Map(map), DType::F32, axes(&[0, 1, 3]));
        let Some(sum) = self.put(sum, vec![read(w, &[1, 2]), read(low, &[0, 1, 2])], true) else { return };
        let out = Node { inner: axes(&[1]), ..Node::new(Op::Contract, DType::F32, axes(&[0, 3])) };
        self.put(out, vec![read(x, &[0, 2]), read(sum, &[0, 2, 1])], true);
    }
}
