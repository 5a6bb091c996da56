//! All sizes that a graph needs: those given, and those that a source's shape tells.

use super::Sizes;
use crate::diag::{Code, Diagnostic};
use crate::ir::{Graph, NodeId, Op, Size};

/// `shape` gives the shape of the value that stands for a source. Errors: a size that nothing tells.
pub fn complete(
    graph: &Graph,
    wanted: &[NodeId],
    mut sizes: Sizes,
    shape: &dyn Fn(&str) -> Option<Vec<usize>>,
) -> Result<Sizes, Diagnostic> {
    let reach = graph.reachable(wanted.iter().copied());
    let mut needed = Vec::new();
    for id in graph.ids().filter(|id| reach[id.index()]) {
        needed.extend(graph.symbols_of(id));
        let Op::Source { path, .. } = &graph.node(id).op else { continue };
        for (axis, n) in graph.node(id).shape.iter().zip(shape(path).into_iter().flatten()) {
            if let [s] = axis.size.symbols().as_slice()
                && axis.size == Size::sym(s.clone())
            {
                sizes.entry(s.clone()).or_insert(n as i64);
            }
        }
    }
    match needed.into_iter().find(|s| !sizes.contains_key(s)) {
        Some(s) => Err(Diagnostic::plain(Code::H0603, format!("the size `{s}` is not known"))),
        None => Ok(sizes),
    }
}
