//! Values in the place of inputs: what is fed is a part of the step.

use crate::diag::{Code, Diagnostic};
use crate::ir::{DType, Graph, Map, Node, NodeId, Op, Operand};
use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet};

/// The part of a graph that some nodes need, with values in the place of sources. Also gives where its nodes are.
pub(super) fn fed(
    graph: &Graph,
    feeds: &[(String, NodeId)],
    roots: &[NodeId],
    span: Span,
) -> Result<(Graph, Vec<Option<NodeId>>), Diagnostic> {
    let fed: BTreeMap<&str, NodeId> = feeds.iter().map(|(name, n)| (name.as_str(), *n)).collect();
    let source = |id: NodeId| match &graph.node(id).op {
        Op::Source { path, .. } => fed.get(&**path).copied(),
        _ => None,
    };
    let before = |id: NodeId| -> Vec<NodeId> {
        let mut out: Vec<NodeId> = graph.operands(id).iter().map(|o| o.node).collect();
        out.extend(source(id));
        let symbols = graph.symbols_of(id);
        out.extend(graph.measured.iter().filter(|(s, _)| symbols.contains(s)).map(|(_, n)| *n));
        out
    };
    let mut new = graph.successor();
    let mut places: Vec<Option<NodeId>> = vec![None; graph.len()];
    let mut open: BTreeSet<NodeId> = BTreeSet::new();
    let mut todo: Vec<NodeId> = roots.iter().rev().copied().collect();
    while let Some(&id) = todo.last() {
        if places[id.index()].is_some() {
            todo.pop();
            continue;
        }
        let missing: Vec<NodeId> = before(id).into_iter().filter(|n| places[n.index()].is_none()).collect();
        if !missing.is_empty() {
            if !open.insert(id) {
                return Err(Diagnostic::error(Code::H0899, span, "a circle of feeds").note("this is a bug in hnet"));
            }
            todo.extend(missing.into_iter().rev());
            continue;
        }
        todo.pop();
        let place = |n: NodeId| places[n.index()].expect("operands come first");
        let node = graph.node(id).clone();
        let made = match source(id) {
            Some(value) => {
                let map = if node.dtype == DType::F32 { Map::Cut } else { Map::Copy };
                let rank = node.rank();
                new.add(Node { op: Op::Map(map), ..node }, vec![Operand::new(place(value), (0..rank).collect())])
            }
            None => {
                let operands = graph.operands(id).iter().map(|o| Operand::new(place(o.node), o.subscripts.clone()));
                let operands = operands.collect();
                new.add(node, operands)
            }
        };
        places[id.index()] = Some(made);
    }
    new.measured = graph.measured.iter().filter_map(|(s, n)| Some((s.clone(), places[n.index()]?))).collect();
    Ok((new, places))
}
