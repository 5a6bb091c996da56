//! Building one graph while reading another.
//!
//! For every node of the old graph, in order, a rule says where its value is found in the new one: a *view*, that is a new node and
//! how the loops of the old node index it. So a copy costs nothing: users read its source through composed subscripts. A view
//! becomes a node of its own only where somebody needs the value as a whole. Names, spans, outputs, measured sizes and loop bodies
//! are taken along.

use crate::ir::{DType, Fold, Graph, Map, Node, NodeId, Op, Operand, Output};

/// The graph that is read and the one that is built.
pub struct Rebuild<'g> {
    pub old: &'g Graph,
    pub new: Graph,
    views: Vec<Option<Operand>>,
    pass: fn(&Graph) -> Graph,
}

/// Rebuilds all nodes; `pass` is what bodies of loops go through.
pub fn rebuild(old: &Graph, pass: fn(&Graph) -> Graph, rule: impl FnMut(&mut Rebuild, NodeId) -> Operand) -> Graph {
    rebuild_where(old, &vec![true; old.len()], pass, rule)
}

/// Rebuilds the nodes that are `needed`, all operands, outputs and the measured sizes in use among them.
pub fn rebuild_where(
    old: &Graph,
    needed: &[bool],
    pass: fn(&Graph) -> Graph,
    mut rule: impl FnMut(&mut Rebuild, NodeId) -> Operand,
) -> Graph {
    let mut r = Rebuild { old, new: old.successor(), views: vec![None; old.len()], pass };
    for id in old.ids().filter(|id| needed[id.index()]) {
        let view = rule(&mut r, id);
        let name = &old.node(id).name;
        if name.is_some() && r.is_whole(&view, old.node(id).rank()) && r.new.node(view.node).name.is_none() {
            r.new.node_mut(view.node).name = name.clone();
        }
        r.views[id.index()] = Some(view);
    }
    for o in &old.outputs {
        let node = r.whole(o.node);
        r.new.outputs.push(Output { name: o.name.clone(), kind: o.kind, node });
    }
    for (sym, node) in old.measured.iter().filter(|(_, n)| needed[n.index()]) {
        let node = r.whole(*node);
        r.new.measured.push((sym.clone(), node));
    }
    r.new
}

/// `view` with other loops: what it calls loop `k` is loop `loops[k]`.
pub fn compose(view: &Operand, loops: &[usize]) -> Operand {
    Operand::new(view.node, view.subscripts.iter().map(|k| loops[*k]).collect())
}

impl Rebuild<'_> {
    fn is_whole(&self, view: &Operand, rank: usize) -> bool {
        self.new.node(view.node).rank() == rank && view.subscripts.iter().copied().eq(0..rank)
    }

    /// Where the value of an old node is.
    pub fn view(&self, old: NodeId) -> &Operand {
        self.views[old.index()].as_ref().expect("operands are rebuilt before their users")
    }

    /// An old operand in the new graph, read through subscripts.
    pub fn operand(&self, o: &Operand) -> Operand {
        compose(self.view(o.node), &o.subscripts)
    }

    /// The new node that has exactly the value of an old one; made where there is none.
    pub fn whole(&mut self, old: NodeId) -> NodeId {
        let (node, view) = (self.old.node(old), self.view(old).clone());
        if self.is_whole(&view, node.rank()) {
            return view.node;
        }
        let copy = Node { op: Op::Map(Map::Copy), inner: Vec::new(), ..node.clone() };
        let made = self.add(copy, vec![view]);
        let id = made.node;
        self.views[old.index()] = Some(made);
        id
    }

    /// The operands of an old node in the new graph.
    pub fn operands(&mut self, id: NodeId) -> Vec<Operand> {
        let operands = self.old.operands(id);
        let mut out = Vec::with_capacity(operands.len());
        for (n, o) in operands.iter().enumerate() {
            let along = |axis: &usize| self.operand(o).subscripts.iter().filter(|k| *k == axis).count();
            let whole = match &self.old.node(id).op {
                Op::Loop(_) | Op::Reshape => true,
                Op::Gather { .. } => n == 0,
                Op::Concat { axis } => along(axis) != 1,
                Op::Source { .. } | Op::Const(_) | Op::Iota | Op::Extent(_) | Op::Random { .. } | Op::Map(_) | Op::Fold(_) => {
                    false
                }
                Op::Contract
                | Op::Inside(_)
                | Op::Scatter { .. }
                | Op::Order { .. }
                | Op::Scan { .. }
                | Op::Assign
                | Op::Result(_)
                | Op::Arg(_) => false,
            };
            out.push(if whole { Operand::new(self.whole(o.node), o.subscripts.clone()) } else { self.operand(o) });
        }
        out
    }

    /// Adds a node; the view of it as it is.
    pub fn add(&mut self, node: Node, operands: Vec<Operand>) -> Operand {
        let rank = node.rank();
        Operand::new(self.new.add(node, operands), (0..rank).collect())
    }

    /// Takes an old node over as it is, its body through the pass.
    pub fn keep(&mut self, id: NodeId) -> Operand {
        let operands = self.operands(id);
        self.keep_with(id, operands)
    }

    /// Takes an old node over with these operands.
    pub fn keep_with(&mut self, id: NodeId, operands: Vec<Operand>) -> Operand {
        let mut node = self.old.node(id).clone();
        if let Op::Loop(body) = &mut node.op {
            body.graph = (self.pass)(&body.graph);
        }
        self.add(node, operands)
    }

    /// Puts a node with another op, without inner loops, in the place of an old one.
    pub fn replace(&mut self, id: NodeId, op: Op, operands: Vec<Operand>) -> Operand {
        let node = Node { op, inner: Vec::new(), ..self.old.node(id).clone() };
        self.add(node, operands)
    }

    /// Whether an operand of a product in the new graph is a guard.
    pub fn is_guard(&self, o: &Operand) -> bool {
        self.new.node(o.node).dtype == DType::Bool
    }

    /// The sum, over the inner loops of `node`, of the product of these; a copy, a fold or a `mul` where it is one.
    pub fn product(&mut self, node: Node, factors: Vec<Operand>) -> Operand {
        if factors.iter().any(|f| self.is_guard(f)) {
            return self.add(Node { op: Op::Contract, ..node }, factors);
        }
        let op = match (factors.as_slice(), node.inner.is_empty()) {
            ([one], true) => return one.clone(),
            ([_], false) => Op::Fold(Fold::Sum),
            ([_, _], true) => Op::Map(Map::Mul),
            ([] | [_, _], false) | ([], true) | ([_, _, _, ..], _) => Op::Contract,
        };
        self.add(Node { op, ..node }, factors)
    }

    /// A number in the place of an old node.
    pub fn constant(&mut self, id: NodeId, x: f64) -> Operand {
        let old = self.old.node(id);
        let name = if old.rank() == 0 { old.name.clone() } else { None };
        self.add(Node { op: Op::Const(x), shape: Vec::new(), inner: Vec::new(), name, ..old.clone() }, Vec::new())
    }

    /// The number that a new operand is.
    pub fn number(&self, o: &Operand) -> Option<f64> {
        if let Op::Const(x) = self.new.node(o.node).op { Some(x) } else { None }
    }

    /// The function that a new operand is the result of.
    pub fn map(&self, o: &Operand) -> Option<Map> {
        if let Op::Map(map) = self.new.node(o.node).op { Some(map) } else { None }
    }

    /// Operand `n` of the pointwise function that `o` reads.
    pub fn through(&self, o: &Operand, n: usize) -> Operand {
        compose(&self.new.operands(o.node)[n], &o.subscripts)
    }
}
