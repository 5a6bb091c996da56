//! What a loop keeps of its rounds for its adjoint: what it carried into each, and, where there is room, what is dear to compute again.
//!
//! The adjoint of a round computes the round once more ([`super::rounds`]). Long sums of products are most of that work, and what they come to is
//! little: where there is room, the loop yields them, longest sums first. What is derived is the round as it was; only then are its sums read
//! from what was kept.

use super::Reverse;
use super::levels::{Kept as Known, Length};
use super::rounds::round_axis;
use crate::ir::{Axis, Body, DType, Graph, Node, NodeId, Op, Operand, Output, OutputKind, Size};
use std::cell::Cell;
use std::collections::BTreeMap;

/// Sums of fewer terms are computed again: reading them is as dear.
const LONG: i64 = 32;

/// How many bytes loops may keep beyond what they carry.
#[derive(Clone)]
pub struct Room<'a> {
    length: Length<'a>,
    /// For whatever it is.
    left: Cell<u64>,
    /// For parts of adjoints, which cost more where they cannot be yielded than sums of products that are computed again.
    parts: Cell<u64>,
}

impl<'a> Room<'a> {
    /// Room where loops may keep `memory` bytes, and keep so much as it is.
    pub fn new(length: Length<'a>, memory: u64, kept: &Known) -> Room<'a> {
        let left = memory.saturating_sub(kept.bytes);
        let parts = memory.saturating_sub(left).saturating_sub(kept.bytes - kept.parts);
        Room { length, left: Cell::new(left), parts: Cell::new(parts) }
    }

    /// What is left of a copy is left.
    pub fn become_like(&self, copy: &Room) {
        self.left.set(copy.left.get());
        self.parts.set(copy.parts.get());
    }

    /// Whether parts of these shapes may be yielded in every round; then the room is less by them. What has no known size may.
    pub fn holds<'s>(&self, trips: &Size, shapes: impl Iterator<Item = &'s [Axis]>) -> bool {
        let known = |size: &Size| (self.length)(size).and_then(|n| u64::try_from(n).ok());
        let of = |shape: &[Axis]| shape.iter().try_fold(4u64, |n, a| Some(n.saturating_mul(known(&a.size)?)));
        let round = shapes.map(of).try_fold(0u64, |n, bytes| Some(n.saturating_add(bytes?)));
        let Some(bytes) = known(trips).zip(round).map(|(rounds, round)| rounds.saturating_mul(round)) else { return true };
        let beyond = bytes.saturating_sub(self.parts.get());
        let fits = beyond <= self.left.get();
        if fits {
            self.parts.set(self.parts.get() - (bytes - beyond));
            self.left.set(self.left.get() - beyond);
        }
        fits
    }

    /// The values of a body that are kept; the room is less by them.
    pub fn take(&self, body: &Body) -> Vec<NodeId> {
        let graph = &body.graph;
        let Some(rounds) = (self.length)(&body.trips).and_then(|n| u64::try_from(n).ok()) else { return vec![] };
        let varies = varying(body);
        let product = |sizes: &mut dyn Iterator<Item = i64>| sizes.fold(1i64, i64::saturating_mul);
        let mut found: Vec<(i64, NodeId, u64)> = vec![];
        for id in graph.ids().filter(|id| varies[id.index()]) {
            let node = graph.node(id);
            let sizes = |axes: &[Axis]| axes.iter().map(|a| (self.length)(&a.size)).collect::<Option<Vec<i64>>>();
            let (Some(shape), Some(inner)) = (sizes(&node.shape), sizes(&node.inner)) else { continue };
            let terms = product(&mut inner.into_iter());
            if matches!(node.op, Op::Contract) && node.dtype == DType::F32 && terms >= LONG {
                let elements = product(&mut shape.into_iter()).max(0) as u64;
                found.push((terms, id, elements.saturating_mul(4).saturating_mul(rounds)));
            }
        }
        found.sort_by_key(|(terms, id, _)| (std::cmp::Reverse(*terms), *id));
        let mut out = vec![];
        for (_, id, bytes) in found {
            if bytes <= self.left.get() {
                self.left.set(self.left.get() - bytes);
                out.push(id);
            }
        }
        out
    }
}

/// What a loop yields for its adjoint, as [`super::rounds::Outer`] has it.
#[derive(Default)]
pub struct Kept {
    pub before: BTreeMap<usize, NodeId>,
    pub ran: Option<NodeId>,
    pub stored: BTreeMap<NodeId, NodeId>,
}

/// One of these.
enum What {
    Carry(usize),
    Value(NodeId),
    Ran,
}

impl Reverse<'_> {
    /// Further yields of a loop: what it carries into each round, and whether the round ran.
    pub(super) fn kept_rounds(&mut self, id: NodeId, old: &Body) -> Kept {
        let mut body = old.clone();
        let mut kept = Vec::new();
        for node in old.graph.ids() {
            if let Op::Arg(k @ 1..) = old.graph.node(node).op
                && k <= old.carries
            {
                kept.push((k - 1, node));
            }
        }
        let mut made = |graph: &mut Graph, node: NodeId| {
            graph.outputs.push(Output { name: "kept".into(), kind: OutputKind::Output, node });
            body.yields += 1;
            old.carries + body.yields - 1
        };
        let mut graph = old.graph.clone();
        let mut results: Vec<(What, NodeId, usize)> = Vec::new();
        for (k, node) in kept {
            results.push((What::Carry(k), node, made(&mut graph, node)));
        }
        for node in self.room.map_or(vec![], |room| room.take(old)) {
            results.push((What::Value(node), node, made(&mut graph, node)));
        }
        if old.stop {
            let yes = graph.add(Node::new(Op::Const(1.0), DType::Bool, vec![]), vec![]);
            results.push((What::Ran, yes, made(&mut graph, yes)));
        }
        body.graph = graph;
        let mut out = Kept::default();
        let shapes: Vec<Node> = results.iter().map(|(_, node, _)| body.graph.node(*node).clone()).collect();
        self.graph.node_mut(id).op = Op::Loop(Box::new(body));
        for ((what, _, number), node) in results.into_iter().zip(shapes) {
            let shape = std::iter::once(round_axis(old)).chain(node.shape).collect();
            let result = self.add(Op::Result(number), node.dtype, shape, vec![], vec![Operand::new(id, vec![])]);
            match what {
                What::Carry(k) => {
                    out.before.insert(k, result);
                }
                What::Value(node) => {
                    out.stored.insert(node, result);
                }
                What::Ran => out.ran = Some(result),
            }
        }
        out
    }
}

/// For each node of a body, whether it differs from round to round.
fn varying(body: &Body) -> Vec<bool> {
    let graph = &body.graph;
    let mut out: Vec<bool> = vec![];
    for id in graph.ids() {
        let own = matches!(graph.node(id).op, Op::Arg(k) if k <= body.carries);
        out.push(own || graph.operands(id).iter().any(|o| out[o.node.index()]));
    }
    out
}

/// The same graph, some of whose nodes are read in the place of others. All have the numbers that they had.
pub fn read_instead(graph: &Graph, instead: &BTreeMap<NodeId, NodeId>) -> Graph {
    let at = |id: NodeId| *instead.get(&id).unwrap_or(&id);
    let mut out = graph.successor();
    for id in graph.ids() {
        let operands = graph.operands(id).iter().map(|o| Operand::new(at(o.node), o.subscripts.clone())).collect();
        out.add(graph.node(id).clone(), operands);
    }
    out.outputs.extend(graph.outputs.iter().cloned().map(|o| Output { node: at(o.node), ..o }));
    out.measured.extend(graph.measured.iter().map(|(sym, n)| (sym.clone(), at(*n))));
    out
}
