//! What buffers and steps are called: as the source calls the value, so that a change elsewhere renames little.

use crate::ir::{Graph, Node, NodeId, Op};
use std::collections::{BTreeMap, HashSet};

/// The names given so far in one graph.
#[derive(Default)]
pub(super) struct Names {
    given: BTreeMap<NodeId, String>,
    taken: HashSet<String>,
}

impl Names {
    /// The name of a node, which no other node has.
    pub fn of(&mut self, graph: &Graph, id: NodeId) -> String {
        if let Some(known) = self.given.get(&id) {
            return known.clone();
        }
        let base = word(graph.node(id));
        let mut name = base.clone();
        let mut n = 2;
        while !self.taken.insert(name.clone()) {
            name = format!("{base}_{n}");
            n += 1;
        }
        self.given.insert(id, name.clone());
        name
    }
}

/// `hyper_trunk_h` for what a net calls `h`, `logits_sum` for an intermediate value of the statement that gives `logits`.
fn word(node: &Node) -> String {
    let text = match (&node.within, &node.name) {
        (Some(within), Some(name)) if within.rsplit('.').next() == Some(name) => within.to_string(),
        (Some(within), Some(name)) => format!("{within}.{name}"),
        (None, Some(name)) => name.to_string(),
        (Some(within), None) => format!("{within}.{}", op(&node.op)),
        (None, None) => op(&node.op).to_string(),
    };
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_ascii_alphanumeric() {
            true => plain.push(c),
            false if plain.ends_with('_') => {}
            false => plain.push('_'),
        }
    }
    plain.trim_end_matches('_').to_string()
}

fn op(op: &Op) -> &'static str {
    match op {
        Op::Map(map) => map.word(),
        Op::Fold(fold) => fold.word(),
        Op::Random { dist, .. } => dist.word(),
        Op::Contract => "product",
        Op::Gather { .. } => "gather",
        Op::Inside(_) => "index",
        Op::Scatter { .. } => "scatter",
        Op::Order { .. } => "order",
        Op::Scan { .. } => "scan",
        Op::Assign => "assign",
        Op::Loop(_) => "loop",
        Op::Result(_) => "result",
        Op::Reshape => "reshape",
        Op::Concat { .. } => "join",
        Op::Source { .. } | Op::Const(_) | Op::Iota | Op::Extent(_) | Op::Arg(_) => "value",
    }
}
