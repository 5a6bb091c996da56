//! Whether a graph has a plan at these sizes: whether they are as its nodes ask, known, and not more than can be counted.

use super::Sizes;
use crate::diag::{Code, Diagnostic};
use crate::ir::needs::needs;
use crate::ir::{DType, Graph, Node, NodeId, Op, Size};
use std::collections::BTreeMap;

/// Whether sizes are as the nodes ask, those of loop bodies, too.
pub(super) fn asked(graph: &Graph, wanted: &[NodeId], sizes: &Sizes) -> Result<(), Diagnostic> {
    let reach = graph.reachable(wanted.iter().copied());
    graph.ids().filter(|id| reach[id.index()]).try_for_each(|id| {
        needs(graph, id).iter().try_for_each(|n| n.check(&|s| sizes.get(s).copied()))?;
        let Op::Loop(body) = &graph.node(id).op else { return Ok(()) };
        let outputs: Vec<NodeId> = body.graph.outputs.iter().map(|o| o.node).collect();
        asked(&body.graph, &outputs, sizes)
    })
}

pub(super) fn check_sizes(graph: &Graph, reach: &[bool], sizes: &Sizes) -> Result<(), Diagnostic> {
    let mut known: BTreeMap<Size, ()> = BTreeMap::new();
    let mut check = |size: &Size, span, what: &str| {
        if size.constant().is_some_and(|n| (0..=i64::from(i32::MAX)).contains(&n)) || known.contains_key(size) {
            return Ok(());
        }
        match size.value(&|s| sizes.get(s).copied()) {
            Ok(n) if n > i64::from(i32::MAX) => {
                Err(Diagnostic::limit(Code::H0822, span, format!("`{what}` has {n} places here"))
                    .here(format!("more than {} cannot be counted", i32::MAX))
                    .help("split the axis in two"))
            }
            Ok(n) if n >= 0 => {
                known.insert(size.clone(), ());
                Ok(())
            }
            Ok(n) => Err(Diagnostic::error(Code::H0604, span, format!("`{what}` has the size {size}, which is {n} here"))),
            Err(fault) => {
                Err(Diagnostic::error(Code::H0604, span, format!("the size {size} of `{what}` has no value here: {fault}")))
            }
        }
    };
    for id in graph.ids().filter(|id| reach[id.index()]) {
        let node = graph.node(id);
        for a in node.shape.iter().chain(&node.inner) {
            check(&a.size, node.span, &a.name)?;
        }
        match &node.op {
            Op::Loop(body) => check(&body.trips, node.span, "rounds")?,
            Op::Extent(size) => number(size, node, sizes)?,
            _not_a_size => {}
        }
    }
    Ok(())
}

/// A size that is computed with: as a whole number it has 32 bits.
fn number(size: &Size, node: &Node, sizes: &Sizes) -> Result<(), Diagnostic> {
    match size.value(&|s| sizes.get(s).copied()) {
        Ok(n) if node.dtype == DType::I32 && i32::try_from(n).is_err() => Err(crate::diag::beyond_i32(node.span, n)),
        Ok(_) => Ok(()),
        Err(fault) => Err(Diagnostic::error(Code::H0604, node.span, format!("the size {size} has no value here: {fault}"))),
    }
}
