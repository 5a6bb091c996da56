//! What a value costs where it is computed, and what it may be.

use super::Fuser;
use crate::ir::{Graph, Map, NodeId, Op};
use crate::plan::Sizes;
use crate::plan::contract::Order;
use crate::plan::granted::Relied;
use crate::plan::measured::plan::{LOAD_PRICE, NUMBER_PRICE, PICK_PRICE, POWER_PRICE};
use crate::plan::view::{self, window};

/// A reshape that only drops or adds axes of extent 1: for each dimension of the operand, the result's dimension.
pub(in crate::plan) fn squeeze(graph: &Graph, id: NodeId, sizes: &Sizes, relied: &Relied) -> Option<Vec<Option<usize>>> {
    let from = &graph.node(graph.operands(id)[0].node).shape;
    let to = &graph.node(id).shape;
    let n = |a: &crate::ir::Axis| view::value(&a.size, sizes);
    let mut next = (0..to.len()).filter(|&k| n(&to[k]) != 1);
    let mut map = Vec::new();
    for a in from {
        if n(a) == 1 {
            map.push(None);
        } else {
            let k = next.next()?;
            if n(&to[k]) != n(a) {
                return None;
            }
            map.push(Some(k));
        }
    }
    if next.next().is_some() {
        return None;
    }
    for (a, k) in from.iter().zip(&map) {
        match k {
            Some(k) => relied.equal(&a.size, &to[*k].size),
            None => relied.single(&a.size),
        }
    }
    to.iter().enumerate().filter(|(k, _)| !map.contains(&Some(*k))).for_each(|(_, a)| relied.single(&a.size));
    Some(map)
}

/// No element costs more: beyond any real cost, and far from where numbers end and every cost is equal.
const DEAR: f64 = 1e12;

impl Fuser<'_> {
    pub(super) fn points(&self, id: NodeId) -> f64 {
        self.graph.node(id).shape.iter().map(|a| self.steps(&a.size)).product()
    }

    pub(super) fn inner(&self, id: NodeId) -> f64 {
        self.graph.node(id).inner.iter().map(|a| self.steps(&a.size)).product()
    }

    /// Cost of one element, with everything that might be computed in place; it doubles with each layer that reads the one before twice.
    pub(super) fn weigh(&self, id: NodeId) -> f64 {
        let node = self.graph.node(id);
        let own = match &node.op {
            Op::Const(_) | Op::Iota | Op::Extent(_) => return NUMBER_PRICE,
            Op::Map(Map::Pow) if matches!(self.graph.node(self.graph.operands(id)[1].node).op, Op::Const(_)) => POWER_PRICE,
            Op::Map(m) => m.price(),
            Op::Gather { .. } => PICK_PRICE,
            Op::Inside(_) => 0.0,
            Op::Reshape if squeeze(self.graph, id, self.sizes, self.relied).is_some() => 0.0,
            Op::Fold(_) | Op::Contract => self.inner(id),
            Op::Source { .. } | Op::Arg(_) | Op::Reshape | Op::Concat { .. } | Op::Random { .. } | Op::Scatter { .. } => {
                return LOAD_PRICE;
            }
            Op::Order { .. } | Op::Scan { .. } | Op::Assign | Op::Loop(_) | Op::Result(_) => return LOAD_PRICE,
        };
        let points = self.points(id);
        let reads: f64 = self
            .graph
            .operands(id)
            .iter()
            .map(|o| self.weights[o.node.index()] * (self.points(o.node) / points).min(self.inner(id)))
            .sum();
        (own + reads).min(DEAR)
    }

    pub(super) fn soft(&self, id: NodeId) -> bool {
        match &self.graph.node(id).op {
            Op::Const(_) | Op::Iota | Op::Extent(_) | Op::Map(_) | Op::Gather { .. } | Op::Inside(_) => true,
            Op::Reshape => squeeze(self.graph, id, self.sizes, self.relied).is_some(),
            Op::Fold(_) | Op::Contract => self.nested(id),
            Op::Source { .. } | Op::Arg(_) | Op::Concat { .. } | Op::Random { .. } | Op::Scatter { .. } => false,
            Op::Order { .. } | Op::Scan { .. } | Op::Assign | Op::Loop(_) | Op::Result(_) => false,
        }
    }

    /// Whether a fold or contraction is one loop nest.
    pub(super) fn nested(&self, id: NodeId) -> bool {
        let op = &self.graph.node(id).op;
        matches!(op, Op::Fold(_)) || matches!(op, Op::Contract) && matches!(self.result.orders[id.index()], Some(Order::Nest))
    }

    pub(super) fn viewable(&self, id: NodeId) -> bool {
        let op = &self.graph.node(id).op;
        matches!(op, Op::Map(Map::Copy) | Op::Reshape)
            || matches!(op, Op::Gather { .. }) && window(self.graph, id, self.sizes, self.relied).is_some()
    }
}
