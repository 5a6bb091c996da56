//! Which nodes a derivative can flow through: real numbers that depend on what is asked for.

use super::map::has_slope;
use crate::ir::{Body, DType, Graph, NodeId, Op};
use std::collections::BTreeMap;

/// For each node, whether it is a real number that depends on one of `by`.
pub fn from(graph: &Graph, by: &[NodeId]) -> Vec<bool> {
    let mut active = vec![false; graph.len()];
    by.iter().for_each(|id| active[id.index()] = true);
    let mut loops = BTreeMap::new();
    for id in graph.ids() {
        if let Op::Loop(body) = &graph.node(id).op {
            let given: Vec<bool> = graph.operands(id).iter().map(|o| active[o.node.index()]).collect();
            loops.insert(id, results(body, &given).0);
        }
        active[id.index()] = active[id.index()] || flows(graph, id, &active, &loops);
    }
    active
}

fn flows(graph: &Graph, id: NodeId, active: &[bool], loops: &BTreeMap<NodeId, Vec<bool>>) -> bool {
    let node = graph.node(id);
    let operand = |n: usize| graph.operands(id).get(n).is_some_and(|o| active[o.node.index()]);
    match &node.op {
        Op::Loop(_) => loops[&id].contains(&true),
        Op::Result(k) => node.dtype == DType::F32 && loops.get(&graph.operands(id)[0].node).is_some_and(|r| r[*k]),
        Op::Source { .. } | Op::Const(_) | Op::Iota | Op::Extent(_) | Op::Random { .. } | Op::Arg(_) => false,
        Op::Inside(_) | Op::Order { .. } | Op::Assign => false,
        Op::Map(map) => node.dtype == DType::F32 && (0..map.arity()).any(|n| operand(n) && has_slope(*map, n)),
        Op::Fold(_) | Op::Contract | Op::Concat { .. } | Op::Reshape | Op::Scan { .. } => {
            node.dtype == DType::F32 && (0..graph.operands(id).len()).any(operand)
        }
        Op::Gather { .. } => node.dtype == DType::F32 && operand(0),
        Op::Scatter { .. } => node.dtype == DType::F32 && operand(1),
    }
}

/// The operands (node, number) through which a number changes smoothly with what they read; those of loops all.
pub fn edges(graph: &Graph, number: NodeId) -> Vec<(NodeId, usize)> {
    let mut marked = vec![false; graph.len()];
    marked[number.index()] = true;
    let mut out = vec![];
    for id in graph.ids().rev().filter(|id| graph.node(*id).dtype == DType::F32 || matches!(graph.node(*id).op, Op::Loop(_))) {
        if !marked[id.index()] {
            continue;
        }
        for (n, o) in graph.operands(id).iter().enumerate() {
            let smooth = match &graph.node(id).op {
                Op::Source { .. } | Op::Const(_) | Op::Iota | Op::Extent(_) | Op::Random { .. } | Op::Arg(_) => false,
                Op::Inside(_) | Op::Order { .. } | Op::Assign => false,
                Op::Map(map) => has_slope(*map, n),
                Op::Fold(_) | Op::Contract | Op::Concat { .. } | Op::Reshape | Op::Scan { .. } => true,
                Op::Loop(_) | Op::Result(_) => true,
                Op::Gather { .. } => n == 0,
                Op::Scatter { .. } => n == 1,
            };
            if smooth {
                marked[o.node.index()] = true;
                out.push((id, n));
            }
        }
    }
    out
}

/// Which results of a loop are active, and which of its arguments (carries and captures), when these of its operands are.
pub fn results(body: &Body, given: &[bool]) -> (Vec<bool>, Vec<bool>) {
    let mut given = given.to_vec();
    let graph = &body.graph;
    loop {
        let by: Vec<NodeId> = graph
            .ids()
            .filter(|id| {
                let is_real = graph.node(*id).dtype == DType::F32;
                matches!(graph.node(*id).op, Op::Arg(k @ 1..) if is_real && given.get(k - 1).copied().unwrap_or(false))
            })
            .collect();
        let active = from(graph, &by);
        let outputs: Vec<bool> = graph.outputs.iter().map(|o| active[o.node.index()]).collect();
        let mut found = false;
        for k in 0..body.carries {
            if outputs[k] && !given[k] {
                given[k] = true;
                found = true;
            }
        }
        if !found {
            let yields = &outputs[body.carries + usize::from(body.stop)..];
            let results = given[..body.carries].iter().chain(yields).copied().collect();
            return (results, given);
        }
    }
}
