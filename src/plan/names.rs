//! What buffers and steps are called: as the source calls the value, so that a change elsewhere renames little.

use crate::ir::{Graph, Node, NodeId, Op};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The names given so far in one graph.
#[derive(Default)]
pub(super) struct Names {
    given: BTreeMap<NodeId, String>,
    fresh: Fresh,
}

/// Names each of which is given once.
#[derive(Debug, Default)]
pub struct Fresh {
    taken: HashSet<String>,
    /// The number that comes next behind a name; all before it are taken.
    next: HashMap<String, usize>,
}

impl Fresh {
    /// The name itself, or with the first number behind it that nobody has.
    pub fn fresh(&mut self, base: String) -> String {
        if self.taken.insert(base.clone()) {
            return base;
        }
        let mut n = self.next.get(&base).copied().unwrap_or(2);
        let name = loop {
            let name = format!("{base}_{n}");
            n += 1;
            if self.taken.insert(name.clone()) {
                break name;
            }
        };
        self.next.insert(base, n);
        name
    }
}

impl Names {
    /// The name of a node, which no other node has.
    pub fn of(&mut self, graph: &Graph, id: NodeId) -> String {
        if let Some(known) = self.given.get(&id) {
            return known.clone();
        }
        let name = self.fresh.fresh(word(graph.node(id)));
        self.given.insert(id, name.clone());
        name
    }
}

/// What a value is called where people read of it, among others of its name.
pub(super) fn called(graph: &Graph, id: NodeId) -> String {
    match &graph.node(id).op {
        Op::Source { path, .. } => path.to_string(),
        Op::Const(x) => {
            let short = format!("{x:.4}");
            let plain = x.to_string();
            if plain.len() <= short.len() { plain } else { short }
        }
        _computed => word(graph.node(id)),
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
