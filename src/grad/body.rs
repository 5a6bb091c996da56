//! The body of a loop again, in the graph of a round of its adjoint: what was carried into a round is read from what the loop kept.

use super::rounds::Outer;
use crate::ir::{Graph, Node, NodeId, Op, Operand, Pick};
use std::collections::BTreeMap;

/// Copies a body into the graph of a round.
pub struct Copy<'a, 'b> {
    pub outside: &'a Graph,
    pub graph: &'b mut Graph,
    pub counter: NodeId,
    /// Arguments that are captured, with the nodes outside that they are.
    pub captures: Vec<(NodeId, NodeId)>,
    /// Where the nodes of the old body are.
    pub moved: Vec<NodeId>,
    /// What is read from what the loop kept, once everything is derived.
    pub instead: BTreeMap<NodeId, NodeId>,
}

impl Copy<'_, '_> {
    /// The argument that is a node outside.
    fn capture(&mut self, node: NodeId) -> NodeId {
        if let Some((arg, _)) = self.captures.iter().find(|(_, n)| *n == node) {
            return *arg;
        }
        let (dtype, shape) = (self.outside.node(node).dtype, self.outside.node(node).shape.clone());
        let arg = self.graph.add(Node::new(Op::Arg(0), dtype, shape), vec![]);
        self.captures.push((arg, node));
        arg
    }

    /// What an array outside has at the round, along its dimension `d`.
    pub fn at_round(&mut self, node: NodeId, d: usize) -> NodeId {
        let arg = self.capture(node);
        let (dtype, mut shape) = (self.graph.node(arg).dtype, self.graph.node(arg).shape.clone());
        shape.remove(d);
        let pick = |k: usize| match k {
            k if k == d => Pick::Operand(1),
            k => Pick::Loop(if k > d { k - 1 } else { k }),
        };
        let picks = (0..=shape.len()).map(pick).collect();
        let operands = vec![Operand::new(arg, vec![]), Operand::new(self.counter, vec![])];
        self.graph.add(Node::new(Op::Gather { picks, fill: None }, dtype, shape), operands)
    }

    /// The whole body.
    pub fn body(&mut self, outer: &Outer) {
        let old = &outer.body.graph;
        for id in old.ids() {
            let node = if let Op::Arg(k) = old.node(id).op {
                match k {
                    0 => self.counter,
                    k if k <= outer.body.carries => self.at_round(outer.before[&(k - 1)], 0),
                    k => self.capture(outer.operands[k - 1]),
                }
            } else {
                let moved = |o: &Operand| Operand::new(self.moved[o.node.index()], o.subscripts.clone());
                let operands = old.operands(id).iter().map(moved).collect();
                self.graph.add(Node { name: None, ..old.node(id).clone() }, operands)
            };
            if let Some(stored) = outer.stored.get(&id) {
                let read = self.at_round(*stored, 0);
                self.instead.insert(node, read);
            }
            self.moved.push(node);
        }
    }
}
