//! Drops what no output needs: nodes, and measured sizes that nothing has.

use super::rebuild::rebuild_where;
use crate::ir::Graph;

pub fn run(graph: &Graph) -> Graph {
    let needed = graph.reachable(graph.outputs.iter().map(|o| o.node));
    rebuild_where(graph, &needed, run, |r, id| r.keep(id))
}
