//! Makes random graphs, node by node; a node that has a large finite value is taken back. Some sources hold what is no number, and
//! infinities.

use hnet::ir::interp::evaluate;
use hnet::ir::verify::verify;
use hnet::ir::{Axis, Body, DType, Graph, Map, Node, NodeId, Op, Operand, Origin, Output, OutputKind, Size};
use hnet::ir::{Bindings, Data, Tensor};

mod steps;

/// Splitmix64 (Steele et al. 2014).
pub struct Rng(u64);

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng(seed.wrapping_mul(0x2545_F491_4F6C_DD1D).wrapping_add(99))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Below `n`.
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// A graph and what it is run on.
pub struct Case {
    pub graph: Graph,
    pub bindings: Bindings,
}

/// A node that others may read.
#[derive(Clone)]
struct Known {
    id: NodeId,
    /// No rounding in any order of evaluation.
    exact: bool,
}

struct Maker<'a> {
    rng: &'a mut Rng,
    case: Case,
    pool: Vec<Known>,
    axes: Vec<Axis>,
    /// In a body values are not known.
    inside: bool,
}

/// A random graph with its bindings.
pub fn graph(rng: &mut Rng) -> Case {
    let mut bindings = Bindings::default();
    let mut axes = Vec::new();
    for name in ["b", "t"] {
        bindings.sizes.insert(name.into(), *rng.pick(&[0, 1, 2, 3, 3, 5]));
        axes.push(Axis::new(name, Size::sym(name)));
    }
    axes.push(Axis::new("i", *rng.pick(&[1usize, 2, 3])));
    axes.push(Axis::new("o", *rng.pick(&[2usize, 4, 4, 5])));
    axes.push(Axis::new("e", if rng.one_in(6) { 0usize } else { 1 }));
    let mut m = Maker { rng, case: Case { graph: Graph::default(), bindings }, pool: Vec::new(), axes, inside: false };
    m.measured();
    for dtype in [DType::F32, DType::F32, DType::I32, DType::Bool] {
        m.source(dtype);
    }
    let steps = 14 + m.rng.below(16);
    (0..steps).for_each(|_| m.step());
    m.outputs()
}

impl Maker<'_> {
    /// A size that a value decides.
    fn measured(&mut self) {
        let n = *self.rng.pick(&[0.0, 1.4, 3.0, -2.0]);
        let id = self
            .case
            .graph
            .add(Node::new(Op::Source { origin: Origin::Condition, path: "n".into() }, DType::F32, vec![]), vec![]);
        self.case.bindings.sources.insert("n".into(), Tensor::new(vec![], Data::F64(vec![n])));
        self.case.graph.measured.push(("n".into(), id));
        self.axes.push(Axis::new("n", Size::sym("n")));
    }

    fn size(&self, size: &Size) -> usize {
        let n = self.case.bindings.sources.get("n").map_or(0.0, |t| t.get(0)).round().max(0.0) as i64;
        let of = |s: &str| if s == "n" { Some(n) } else { self.case.bindings.sizes.get(s).copied() };
        size.eval(&of).and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
    }

    /// Up to `most` axes, some of them twice.
    fn some_axes(&mut self, most: usize) -> Vec<Axis> {
        let n = self.rng.below(most + 1);
        (0..n).map(|_| self.rng.pick(&self.axes).clone()).collect()
    }

    fn data(&mut self, dtype: DType, n: usize) -> Data {
        match dtype {
            // Multiples of 1/8: sums and products are exact.
            DType::F32 => {
                let special = self.rng.one_in(5);
                let mut one = || match special && self.rng.one_in(6) {
                    true => *self.rng.pick(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0]),
                    false => self.rng.below(33) as f64 / 8.0 - 2.0,
                };
                Data::F64((0..n).map(|_| one()).collect())
            }
            DType::I32 => Data::I32((0..n).map(|_| self.rng.below(8) as i32 - 1).collect()),
            DType::Bool => Data::Bool((0..n).map(|_| self.rng.below(2) as u8).collect()),
        }
    }

    fn source(&mut self, dtype: DType) {
        let axes = self.some_axes(3);
        let path = format!("x.{}", self.case.graph.len());
        let shape: Vec<usize> = axes.iter().map(|a| self.size(&a.size)).collect();
        let data = self.data(dtype, shape.iter().product());
        let origin = *self.rng.pick(&[Origin::Input, Origin::Condition, Origin::Param]);
        self.case.bindings.sources.insert(path.clone(), Tensor::new(shape, data));
        self.put(Node::new(Op::Source { origin, path: path.into() }, dtype, axes), vec![], true);
    }

    /// Adds a node if its value is moderate. `exact`: the op itself does not round.
    fn put(&mut self, mut node: Node, operands: Vec<Operand>, exact: bool) -> Option<NodeId> {
        if self.rng.one_in(4) {
            node.name = Some(format!("v{}", self.case.graph.len()).into());
        }
        let before = self.case.graph.clone();
        let exact = exact && operands.iter().all(|o| self.pool.iter().any(|k| k.id == o.node && k.exact));
        let id = self.case.graph.add(node, operands);
        if self.inside {
            let whole = exact && self.case.graph.node(id).dtype != DType::F32;
            self.pool.push(Known { id, exact: whole });
            return Some(id);
        }
        verify(&self.case.graph).unwrap_or_else(|e| panic!("{e}\n{}", self.case.graph));
        match evaluate(&self.case.graph, &self.case.bindings, &[id]) {
            Ok(values) if values[0].to_f64().iter().all(|x| x.abs() <= 1000.0 || !x.is_finite()) && values[0].len() <= 4000 => {
                let dyadic = values[0].to_f64().iter().all(|x| (x * 65536.0).fract() == 0.0);
                self.pool.push(Known { id, exact: exact && dyadic });
                Some(id)
            }
            _ => {
                self.case.graph = before;
                None
            }
        }
    }

    /// A node of this type; `exact` ones only where asked.
    fn some(&mut self, dtype: DType, exact: bool) -> Option<NodeId> {
        let fit: Vec<NodeId> =
            self.pool.iter().filter(|k| self.case.graph.node(k.id).dtype == dtype && (k.exact || !exact)).map(|k| k.id).collect();
        // Later ones rather than earlier ones, so that graphs get deep.
        let n = fit.len();
        (n > 0).then(|| fit[n - 1 - self.rng.below(n).min(self.rng.below(n))])
    }

    /// Loops for these operands, and how each is read.
    fn nest(&mut self, nodes: &[NodeId], mut loops: Vec<Axis>, closed: &[usize]) -> (Vec<Axis>, Vec<Operand>) {
        let mut operands = Vec::new();
        for node in nodes {
            let mut subscripts = Vec::new();
            for axis in self.case.graph.node(*node).shape.clone() {
                let fit: Vec<usize> = (0..loops.len()).filter(|k| loops[*k].size == axis.size && !closed.contains(k)).collect();
                if fit.is_empty() || (loops.len() < 4 && self.rng.one_in(4)) {
                    loops.push(axis);
                    subscripts.push(loops.len() - 1);
                } else {
                    subscripts.push(*self.rng.pick(&fit));
                }
            }
            operands.push(Operand::new(*node, subscripts));
        }
        if self.rng.one_in(5) && loops.len() < 4 {
            loops.push(self.rng.pick(&self.axes).clone());
        }
        (loops, operands)
    }

    /// Splits loops into those of the result and `inner` closed ones at the end (any number where `None`); the subscripts follow.
    fn close(
        &mut self,
        loops: Vec<Axis>,
        operands: &mut [Operand],
        kept: usize,
        inner: Option<usize>,
    ) -> Option<(Vec<Axis>, Vec<Axis>)> {
        let n = loops.len();
        let free = n.checked_sub(kept)?;
        let wanted = inner.unwrap_or_else(|| self.rng.below(free + 1));
        if wanted > free {
            return None;
        }
        let mut order: Vec<usize> = (kept..n).collect();
        (0..order.len()).for_each(|i| {
            let j = self.rng.below(order.len());
            order.swap(i, j);
        });
        let order: Vec<usize> = (0..kept).chain(order).collect();
        for o in operands.iter_mut() {
            o.subscripts.iter_mut().for_each(|k| *k = order.iter().position(|x| x == k).unwrap_or(0));
        }
        let mut axes: Vec<Axis> = order.iter().map(|k| loops[*k].clone()).collect();
        let inner = axes.split_off(n - wanted);
        Some((axes, inner))
    }

    /// A loop whose body is random too: one carry, one yield, sometimes a stop.
    fn looped(&mut self) {
        let (Some(first), Some(capture)) = (self.some(DType::F32, false), self.some(DType::F32, false)) else { return };
        let (carried, captured) = (self.case.graph.node(first).shape.clone(), self.case.graph.node(capture).shape.clone());
        let trips = if self.rng.one_in(2) { Size::sym("t") } else { Size::from(self.rng.below(4)) };
        let case = Case { graph: Graph::default(), bindings: self.case.bindings.clone() };
        let mut m = Maker { rng: self.rng, case, pool: Vec::new(), axes: self.axes.clone(), inside: true };
        let args = [(DType::I32, vec![]), (DType::F32, carried.clone()), (DType::F32, captured)];
        let ids: Vec<NodeId> = args
            .into_iter()
            .enumerate()
            .filter_map(|(k, (dtype, shape))| m.put(Node::new(Op::Arg(k), dtype, shape), vec![], true))
            .collect();
        (0..5).for_each(|_| m.step());
        let Some(body) = m.body(&ids, &carried) else { return };
        let graph = body.0;
        let (stop, reverse) = (body.1, self.rng.one_in(2));
        let yielded = graph.node(graph.outputs[1 + usize::from(stop)].node).clone();
        let loop_ = Op::Loop(Box::new(Body { graph, trips: trips.clone(), reverse, carries: 1, yields: 1, stop }));
        let before = (self.case.graph.clone(), self.pool.clone());
        let whole = |m: &Self, id: NodeId| Operand::new(id, (0..m.case.graph.node(id).rank()).collect());
        let operands = vec![whole(self, first), whole(self, capture)];
        let node = self.case.graph.add(Node::new(loop_, DType::F32, vec![]), operands);
        let read = || vec![Operand::new(node, vec![])];
        let last = self.put(Node::new(Op::Result(0), DType::F32, carried), read(), false);
        let mut shape = vec![Axis::new("round", trips)];
        shape.extend(yielded.shape);
        let all = self.put(Node::new(Op::Result(1), yielded.dtype, shape), read(), false);
        if last.is_none() || all.is_none() {
            (self.case.graph, self.pool) = before;
        }
    }

    /// Ends a body: the next carry is bounded and has the carry's shape.
    fn body(mut self, args: &[NodeId], carried: &[Axis]) -> Option<(Graph, bool)> {
        let sizes: Vec<Size> = carried.iter().map(|a| a.size.clone()).collect();
        let reads = |m: &Self, id: NodeId| {
            let shape = &m.case.graph.node(id).shape;
            let subscripts: Option<Vec<usize>> = shape.iter().map(|a| sizes.iter().position(|s| *s == a.size)).collect();
            subscripts.map(|s| Operand::new(id, s))
        };
        let whole: Vec<usize> = (0..carried.len()).collect();
        let mut next = Operand::new(args[1], whole.clone());
        for _ in 0..2 {
            if let Some(other) = self.some(DType::F32, false).and_then(|id| reads(&self, id)) {
                let map = *self.rng.pick(&[Map::Add, Map::Mul, Map::Sub]);
                let sum = self.put(Node::new(Op::Map(map), DType::F32, carried.to_vec()), vec![next, other], false)?;
                next = Operand::new(sum, whole.clone());
            }
        }
        let bounded = self.put(Node::new(Op::Map(Map::Tanh), DType::F32, carried.to_vec()), vec![next], false)?;
        let mut outputs = vec![bounded];
        let stop = self.rng.one_in(2);
        if stop {
            let limit = self.put(Node::new(Op::Const(1.0), DType::I32, vec![]), vec![], true)?;
            let test = vec![Operand::new(limit, vec![]), Operand::new(args[0], vec![])];
            outputs.push(self.put(Node::new(Op::Map(Map::Eq), DType::Bool, vec![]), test, true)?);
        }
        outputs.push(self.some(DType::F32, false)?);
        self.case.graph.outputs = outputs
            .iter()
            .enumerate()
            .map(|(n, node)| Output { name: format!("o{n}").into(), kind: OutputKind::Output, node: *node })
            .collect();
        Some((self.case.graph, stop))
    }

    /// Most values that nobody reads are outputs, and a few others.
    fn outputs(mut self) -> Case {
        let ids: Vec<NodeId> = self.pool.iter().map(|k| k.id).collect();
        for id in ids {
            let unread = self.case.graph.users(id).is_empty();
            if (unread && !self.rng.one_in(4)) || self.rng.one_in(8) {
                let name = format!("y{}", id.index());
                let kind = *self.rng.pick(OutputKind::ALL);
                self.case.graph.outputs.push(Output { name: name.into(), kind, node: id });
            }
        }
        self.case
    }
}
