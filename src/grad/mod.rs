//! graph → graph: derivatives.
//!
//! In: a graph, adjoints of some of its nodes (the *seeds*), and the nodes with respect to which a derivative is asked for. Out: the
//! same graph with nodes added behind the old ones, and where among them the adjoints are. What is added is made of ordinary
//! primitives, so a derivative can be derived again, optimized and planned like everything else.
//!
//! # How
//!
//! Reverse mode (Griewank and Walther, "Evaluating Derivatives", 2008): nodes are visited from the last to the first, and each hands
//! what it got to its operands. One rule for each primitive says how ([`map`], [`reduce`], [`index`], [`shape`], [`rounds`]). Only
//! nodes between the targets and what is asked for are visited ([`active`]): what is frozen is only what nobody asks for.
//!
//! A rule describes the adjoint of an operand as a product of factors over the loops of the node, one of which is the adjoint of the
//! node. [`nest`] closes the loops that the operand does not have. So the adjoint of a product is a product, and the planner sees
//! all of them as it sees others.
//!
//! # One derivative for each example
//!
//! The target may be an array: then a derivative is taken of each of its elements, and the axes of the target are *kept*. As most
//! values belong to one example alone, an adjoint says for every kept axis which dimension of its node it is *tied* to, or that
//! it is *free*, an axis in front of the others (`adjoint`). Elements where two tied places differ are 0 and never built.
//!
//! # What is left out makes no NaN
//!
//! `if` and `where` must not let the side that is not taken into a derivative, however infinite its slope is. Multiplying by 0 does
//! not do that, and calling `0 * inf` 0 loses second derivatives. So an adjoint that comes out of a choice carries the
//! condition along, as a *guard*: where it is false the adjoint is 0, and what is multiplied with it is not looked at. A value that
//! is used twice is guarded only where both uses are. Sums and loops hand guards on: what no place or round of theirs lets through is left out.
//!
//! # At the edges
//!
//! Where a function has no slope: `Max` and `Min` of two values share at a tie, and a constant takes the whole tie (so `relu` has
//! slope 0 at 0); folds by them share among all that are equal; `Abs` has 0 at 0; `x^0` has 0 everywhere and `0^y` slope 0 by y.
//! Rounding, comparisons, whole numbers and orders have none. Where a value is NaN its adjoint goes on to what is NaN by it, and is never 0
//! by a comparison that fails.

mod active;
mod adjoint;
mod affine;
mod body;
mod captured;
mod cut;
pub mod differences;
mod index;
pub mod levels;
mod map;
mod nest;
mod parts;
mod reduce;
mod rounds;
mod shape;
mod stored;

use crate::ir::{Axis, DType, Graph, Node, NodeId, Op, Operand};
use adjoint::Adjoint;
use std::collections::{BTreeMap, BTreeSet};
pub use stored::Room;

/// The adjoint of a node: `d target / d node`.
#[derive(Clone, Debug)]
pub struct Derivative {
    /// Its value: the axes that stayed free, in order, then the node's own.
    pub node: NodeId,
    /// For each axis of the target: the dimension of the node in which it is found; `None` where it is an axis of its own in front.
    pub tied: Vec<Option<usize>>,
}

/// Derivatives of the elements of `target` by every node in `by`; `None` where the target does not depend on it. Nodes of
/// `by` are f32, and none of them is looked through: where one is computed from another, that is left aside.
pub fn derivatives(graph: &mut Graph, target: NodeId, by: &[NodeId]) -> Vec<Option<Derivative>> {
    derivatives_tied(graph, target, by, &|_, _, _| true)
}

/// As [`derivatives`]; axis `q` of the target may stay tied to dimension `d` of `by[n]` only where `may_tie(n, q, d)`.
pub fn derivatives_tied(
    graph: &mut Graph,
    target: NodeId,
    by: &[NodeId],
    may_tie: &dyn Fn(usize, usize, usize) -> bool,
) -> Vec<Option<Derivative>> {
    let kept = graph.node(target).shape.clone();
    let one = graph.add(Node::new(Op::Const(1.0), DType::F32, vec![]), vec![]);
    let seed = Adjoint { view: Operand::new(one, vec![]), tied: (0..kept.len()).map(Some).collect(), guards: vec![] };
    let mut reverse = Reverse::new(graph, &kept, by);
    reverse.hand(target, seed);
    reverse.run();
    by.iter().enumerate().map(|(n, id)| reverse.derivative(*id, &|q, d| may_tie(n, q, d))).collect()
}

/// For each node, whether it is a real number that changes smoothly with one of `by`.
pub fn depends(graph: &Graph, by: &[NodeId]) -> Vec<bool> {
    active::from(graph, by)
}

/// The operands (node, number) through which a number changes smoothly with what they read.
pub fn edges(graph: &Graph, number: NodeId) -> Vec<(NodeId, usize)> {
    active::edges(graph, number)
}

/// The adjoints of `by`, of their own shapes, given those of `seeds` (each of its node's shape).
pub fn pull_back(graph: &mut Graph, seeds: &[(NodeId, NodeId)], by: &[NodeId]) -> Vec<Option<NodeId>> {
    pull_back_within(graph, seeds, by, None)
}

/// As [`pull_back`]; where there is room, loops keep what is dear to compute again.
pub fn pull_back_within(
    graph: &mut Graph,
    seeds: &[(NodeId, NodeId)],
    by: &[NodeId],
    room: Option<&Room>,
) -> Vec<Option<NodeId>> {
    let mut reverse = Reverse::new(graph, &[], by);
    reverse.room = room;
    for (node, seed) in seeds {
        let rank = reverse.graph.node(*node).rank();
        let view = Operand::new(*seed, (0..rank).collect());
        reverse.hand(*node, Adjoint { view, tied: vec![], guards: vec![] });
    }
    reverse.run();
    by.iter().map(|id| reverse.derivative(*id, &|_, _| true).map(|d| d.node)).collect()
}

/// A walk from the last node to the first.
struct Reverse<'g> {
    graph: &'g mut Graph,
    /// The axes of the target.
    kept: Vec<Axis>,
    /// Which nodes depend on what is asked for.
    active: Vec<bool>,
    /// What is asked for.
    by: BTreeSet<NodeId>,
    /// What has been handed to each node that was not visited yet.
    handed: BTreeMap<NodeId, Vec<Adjoint>>,
    /// What has been handed to each result of a loop.
    results: BTreeMap<NodeId, BTreeMap<usize, Vec<(NodeId, Adjoint)>>>,
    /// What was handed to that which is asked for.
    found: BTreeMap<NodeId, Vec<Adjoint>>,
    /// The node that is visited: what is added belongs to its place in the source.
    at: NodeId,
    /// What loops may keep beyond what they carry; none: nothing.
    room: Option<&'g Room<'g>>,
}

impl<'g> Reverse<'g> {
    fn new(graph: &'g mut Graph, kept: &[Axis], by: &[NodeId]) -> Reverse<'g> {
        let active = active::from(graph, by);
        Reverse {
            active,
            graph,
            kept: kept.to_vec(),
            by: by.iter().copied().collect(),
            handed: BTreeMap::new(),
            results: BTreeMap::new(),
            found: BTreeMap::new(),
            at: NodeId::new(0),
            room: None,
        }
    }

    /// Whether a derivative flows through an old node.
    fn is_active(&self, id: NodeId) -> bool {
        self.active.get(id.index()).copied().unwrap_or(false)
    }

    /// Gives a part of its adjoint to a node.
    fn hand(&mut self, id: NodeId, adjoint: Adjoint) {
        if self.is_active(id) {
            self.handed.entry(id).or_default().push(adjoint);
        }
    }

    /// Visits all nodes that are handed something.
    fn run(&mut self) {
        while let Some((id, parts)) = self.handed.pop_last() {
            self.at = id;
            if let Op::Loop(body) = self.graph.node(id).op.clone() {
                self.rounds(id, *body);
                continue;
            }
            if self.by.contains(&id) {
                self.found.insert(id, parts);
            } else {
                let adjoint = self.total(id, parts);
                self.visit(id, adjoint);
            }
        }
    }

    fn visit(&mut self, id: NodeId, adjoint: Adjoint) {
        match self.graph.node(id).op.clone() {
            Op::Map(map) => self.map(id, map, adjoint),
            Op::Fold(fold) => self.fold(id, fold, adjoint),
            Op::Contract => self.contract(id, adjoint),
            Op::Gather { picks, fill } => self.gather(id, &picks, fill, adjoint),
            Op::Scatter { axis, fold } => self.scatter(id, axis, fold, adjoint),
            Op::Concat { axis } => self.concat(id, axis, adjoint),
            Op::Reshape => self.reshape(id, adjoint),
            Op::Scan { axis } => self.scan(id, axis, adjoint),
            Op::Result(k) => self.result(id, k, adjoint),
            // A value from outside, a place, or a whole number: there is nobody to hand it to.
            Op::Source { .. } | Op::Const(_) | Op::Iota | Op::Extent(_) | Op::Random { .. } | Op::Arg(_) => {}
            Op::Inside(_) | Op::Order { .. } | Op::Assign | Op::Loop(_) => {}
        }
    }

    /// What a node that is asked for was handed.
    fn parts(&self, id: NodeId) -> Vec<Adjoint> {
        self.found.get(&id).cloned().unwrap_or_default()
    }

    /// The adjoint of a node that is asked for.
    fn found(&mut self, id: NodeId) -> Option<Adjoint> {
        self.at = id;
        let parts = self.parts(id);
        (!parts.is_empty()).then(|| self.total(id, parts))
    }

    fn derivative(&mut self, id: NodeId, may_tie: &dyn Fn(usize, usize) -> bool) -> Option<Derivative> {
        let adjoint = self.found(id)?;
        let tied: Vec<Option<usize>> = adjoint.tied.iter().enumerate().map(|(q, t)| t.filter(|d| may_tie(q, *d))).collect();
        let adjoint = self.untie(id, adjoint, &tied);
        let node = self.whole(id, &adjoint);
        Some(Derivative { node, tied: adjoint.tied })
    }
}
