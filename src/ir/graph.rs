//! Nodes, and the graph that they make.
//!
//! Promised: operands exist before their users, so the order of numbers is an order of computing; whoever asks for a node, its operands or
//! its users gets the same answer in the same order.

use super::{DType, Op, Origin, Pin, Size, Sym, Under};
use crate::source::Span;
use petgraph::Direction;
use petgraph::graph::DiGraph;
pub use petgraph::graph::NodeIndex as NodeId;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One loop: its extent, and the name that people know it by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Axis {
    pub name: Arc<str>,
    pub size: Size,
}

impl Axis {
    pub fn new(name: impl Into<Arc<str>>, size: impl Into<Size>) -> Axis {
        Axis { name: name.into(), size: size.into() }
    }
}

/// How often a value changes. What depends on no more than the conditions is prepared once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rate {
    Constant,
    Parameter,
    Condition,
    Input,
}

/// What a relation makes of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The relation's word: `generate`.
    pub by: &'static str,
    /// The parameter's dotted path.
    pub path: String,
}

/// A node.
#[derive(Clone, Debug)]
pub struct Node {
    pub op: Op,
    pub dtype: DType,
    /// Loops of the result.
    pub shape: Vec<Axis>,
    /// Loops that are closed.
    pub inner: Vec<Axis>,
    /// What the source calls it.
    pub name: Option<Arc<str>>,
    /// The net's path and the statement's name that it is part of: `hyper.trunk`, `logits`.
    pub within: Option<Arc<str>>,
    /// The path of the net in whose body it is made; empty for the model's own.
    pub net: Option<Arc<str>>,
    /// The parameter that it is the value of, by a relation.
    pub writes: Option<Arc<Written>>,
    /// Where it comes from.
    pub span: Span,
    /// In the course of which pinned statements it is made.
    pub under: Under,
}

impl Node {
    pub fn new(op: Op, dtype: DType, shape: Vec<Axis>) -> Node {
        let (name, within, net, writes, span) = (None, None, None, None, Span::default());
        Node { op, dtype, shape, inner: Vec::new(), name, within, net, writes, span, under: None }
    }

    /// Number of dimensions of the result.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// Loop `k`.
    pub fn axis(&self, k: usize) -> &Axis {
        if k < self.shape.len() { &self.shape[k] } else { &self.inner[k - self.shape.len()] }
    }
}

/// An operand of a node.
#[derive(Clone, Debug, PartialEq)]
pub struct Operand {
    pub node: NodeId,
    /// For each dimension of `node`, the loop that indexes it.
    pub subscripts: Vec<usize>,
}

impl Operand {
    pub fn new(node: NodeId, subscripts: Vec<usize>) -> Operand {
        Operand { node, subscripts }
    }
}

/// What an output is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OutputKind {
    Output,
    Loss,
    /// The next value of a state, applied once per training step.
    Update,
}

/// A named result.
#[derive(Clone, Debug)]
pub struct Output {
    pub name: Arc<str>,
    pub kind: OutputKind,
    pub node: NodeId,
}

/// What the graph keeps at a node. Edges say who reads whom; in which order, and how, stands here, so that it can be lent.
#[derive(Clone, Debug)]
struct Place {
    node: Node,
    operands: Box<[Operand]>,
}

/// A directed graph without cycles; operands come before their users in node order.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    inner: DiGraph<Place, ()>,
    pub outputs: Vec<Output>,
    /// Sizes that a value decides: the scalar node (rate condition or lower) whose rounded value the unknown takes.
    pub measured: Vec<(Sym, NodeId)>,
    /// What the source says about how it is computed; of a loop's body its model's graph knows.
    pub pins: Vec<Pin>,
}

impl Graph {
    /// An empty graph with room for so many nodes.
    pub fn with_room(nodes: usize) -> Graph {
        Graph { inner: DiGraph::with_capacity(nodes, 2 * nodes), ..Graph::default() }
    }

    /// An empty graph that takes the place of this one: with room for as many nodes, and with what holds for the whole.
    pub fn successor(&self) -> Graph {
        Graph { pins: self.pins.clone(), ..Graph::with_room(self.len()) }
    }

    /// Adds a node; its operands exist already.
    pub fn add(&mut self, node: Node, operands: Vec<Operand>) -> NodeId {
        let sources: Vec<NodeId> = operands.iter().map(|o| o.node).collect();
        let id = self.inner.add_node(Place { node, operands: operands.into() });
        for source in sources {
            self.inner.add_edge(source, id, ());
        }
        id
    }

    pub fn node(&self, id: NodeId) -> &Node {
        &self.inner[id].node
    }

    pub fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.inner[id].node
    }

    /// Operands in order.
    pub fn operands(&self, id: NodeId) -> &[Operand] {
        &self.inner[id].operands
    }

    /// Makes a node read only the first `count` of its operands.
    pub fn truncate_operands(&mut self, id: NodeId, count: usize) {
        let kept: Vec<Operand> = self.operands(id).iter().take(count).cloned().collect();
        while let Some(edge) = self.inner.first_edge(id, Direction::Incoming) {
            self.inner.remove_edge(edge);
        }
        for o in &kept {
            self.inner.add_edge(o.node, id, ());
        }
        self.inner[id].operands = kept.into();
    }

    /// The operands of a node; the guards of a contraction, which come last, apart.
    pub fn factors(&self, id: NodeId) -> (&[Operand], &[Operand]) {
        let operands = self.operands(id);
        let guard = |o: &&Operand| matches!(self.node(id).op, Op::Contract) && self.node(o.node).dtype == DType::Bool;
        operands.split_at(operands.len() - operands.iter().rev().take_while(guard).count())
    }

    /// Whether a node is a contraction that leaves terms out.
    pub fn is_guarded(&self, id: NodeId) -> bool {
        !self.factors(id).1.is_empty()
    }

    /// Nodes that read `id`, each once, in order.
    pub fn users(&self, id: NodeId) -> Vec<NodeId> {
        let mut users: Vec<_> = self.inner.neighbors_directed(id, Direction::Outgoing).collect();
        users.sort();
        users.dedup();
        users
    }

    /// All nodes, operands before users.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + use<> {
        (0..self.inner.node_count()).map(NodeId::new)
    }

    pub fn len(&self) -> usize {
        self.inner.node_count()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The output of this name.
    pub fn output(&self, name: &str) -> Option<&Output> {
        self.outputs.iter().find(|o| &*o.name == name)
    }

    /// Which nodes the given roots need, measured sizes of needed nodes included.
    pub fn reachable(&self, roots: impl IntoIterator<Item = NodeId>) -> Vec<bool> {
        let mut seen = vec![false; self.len()];
        let mut todo: Vec<NodeId> = roots.into_iter().collect();
        while let Some(id) = todo.pop() {
            if std::mem::replace(&mut seen[id.index()], true) {
                continue;
            }
            todo.extend(self.operands(id).iter().map(|o| o.node));
            for s in self.symbols_of(id) {
                todo.extend(self.measured.iter().filter(|(m, _)| *m == s).map(|(_, n)| *n));
            }
        }
        seen
    }

    /// A node and all that it is computed from, in order; measured sizes are not looked at.
    pub fn needs_of(&self, root: NodeId) -> BTreeSet<NodeId> {
        let mut seen = BTreeSet::new();
        let mut todo = vec![root];
        while let Some(id) = todo.pop() {
            if seen.insert(id) {
                todo.extend(self.operands(id).iter().map(|o| o.node));
            }
        }
        seen
    }

    /// A graph of nothing but a node and what it is computed from; where the node is in it.
    pub fn excerpt(&self, root: NodeId) -> (Graph, NodeId) {
        let mut out = Graph { pins: self.pins.clone(), ..Graph::default() };
        let mut places = BTreeMap::new();
        let mut last = root;
        for id in self.needs_of(root) {
            let moved = |o: &Operand| Operand { node: places[&o.node], subscripts: o.subscripts.clone() };
            let operands = self.operands(id).iter().map(moved).collect();
            last = out.add(self.node(id).clone(), operands);
            places.insert(id, last);
        }
        (out, last)
    }

    /// Unknown sizes that a node mentions itself.
    pub fn symbols_of(&self, id: NodeId) -> Vec<Sym> {
        let node = self.node(id);
        let mut out: Vec<Sym> = node.shape.iter().chain(&node.inner).flat_map(|a| a.size.symbols()).collect();
        match &node.op {
            Op::Extent(s) => out.extend(s.symbols()),
            Op::Inside(axis) => out.extend(axis.size.symbols()),
            Op::Loop(body) => {
                out.extend(body.trips.symbols());
                out.extend(body.graph.ids().flat_map(|n| body.graph.symbols_of(n)));
            }
            Op::Source { .. } | Op::Const(_) | Op::Iota | Op::Random { .. } | Op::Map(_) | Op::Fold(_) | Op::Contract => {}
            Op::Gather { .. } | Op::Scatter { .. } | Op::Concat { .. } | Op::Reshape | Op::Order { .. } | Op::Scan { .. } => {}
            Op::Assign | Op::Result(_) | Op::Arg(_) => {}
        }
        out.sort();
        out.dedup();
        out
    }

    /// Paths of the sources that change no more often than this.
    pub fn paths(&self, rate: Rate) -> Vec<Arc<str>> {
        let rates = self.rates();
        let path = |id: NodeId| {
            let Op::Source { path, .. } = &self.node(id).op else { return None };
            (rates[id.index()] <= rate).then(|| path.clone())
        };
        self.ids().filter_map(path).collect()
    }

    /// The rate of every node.
    pub fn rates(&self) -> Vec<Rate> {
        let mut rates: Vec<Rate> = Vec::with_capacity(self.len());
        for id in self.ids() {
            let own = match &self.node(id).op {
                Op::Source { origin, .. } => match origin {
                    Origin::Input | Origin::Seed => Rate::Input,
                    Origin::Condition => Rate::Condition,
                    Origin::Param | Origin::State | Origin::Load => Rate::Parameter,
                },
                Op::Arg(_) => Rate::Input,
                Op::Const(_) | Op::Iota | Op::Extent(_) | Op::Random { .. } | Op::Map(_) | Op::Fold(_) | Op::Contract => {
                    Rate::Constant
                }
                Op::Gather { .. } | Op::Scatter { .. } | Op::Inside(_) | Op::Concat { .. } | Op::Reshape => Rate::Constant,
                Op::Order { .. } | Op::Scan { .. } | Op::Assign | Op::Loop(_) | Op::Result(_) => Rate::Constant,
            };
            let sizes = self.symbols_of(id).into_iter().map(|s| {
                self.measured
                    .iter()
                    .find(|(m, _)| *m == s)
                    .map_or(Rate::Input, |(_, n)| rates.get(n.index()).copied().unwrap_or(Rate::Input))
            });
            let rate = sizes.chain(self.operands(id).iter().map(|o| rates[o.node.index()])).fold(own, Rate::max);
            rates.push(rate);
        }
        rates
    }
}
