//! Values on the way: what a `let`, a body's variable or a parameter that something writes comes to.
//!
//! In: a model. Out: its named values by path, and the model with some of them as outputs. A value inside a loop over data has no place of
//! its own: each round has another.

use crate::check::model::Model;
use crate::ir::{Graph, NodeId, Op, Output, OutputKind};
use std::collections::{BTreeMap, BTreeSet};

/// The named values that are no inputs, parameters as they are stored, or outputs: by path, `hyper.trunk.h`; and parameters that relations
/// write, as they are after the last one: `target.fc.w`. Of a net that is called several times they are numbered: `block.h`, `block.h#2`.
pub fn places(model: &Model) -> BTreeMap<String, NodeId> {
    let graph = &model.graph;
    let mut out = BTreeMap::new();
    for id in graph.ids() {
        let node = graph.node(id);
        if let Some(written) = &node.writes {
            out.insert(written.path.clone(), id);
        }
        let (Some(name), false) = (&node.name, matches!(node.op, Op::Source { .. })) else { continue };
        let path = match &node.within {
            Some(within) if **within == **name || within.ends_with(&format!(".{name}")) => within.to_string(),
            Some(within) => format!("{within}.{name}"),
            None => name.to_string(),
        };
        let again = (2..).map(|n| format!("{path}#{n}")).find(|p| !out.contains_key(p));
        let free = !out.contains_key(&path);
        out.insert(if free { path } else { again.unwrap_or_default() }, id);
    }
    out
}

/// Names of values inside loops over data.
pub fn in_rounds(graph: &Graph) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for id in graph.ids() {
        let Op::Loop(body) = &graph.node(id).op else { continue };
        out.extend(body.graph.ids().filter_map(|n| body.graph.node(n).name.as_ref().map(|n| n.to_string())));
        out.extend(in_rounds(&body.graph));
    }
    out
}

/// The model with these values as its last outputs. Errors: the first path that there is not.
pub fn with(model: &Model, paths: &[String]) -> Result<Model, String> {
    let known = places(model);
    let mut out = model.clone();
    for path in paths {
        let node = *known.get(path).ok_or_else(|| path.clone())?;
        out.graph.outputs.push(Output { name: path.as_str().into(), kind: OutputKind::Output, node });
    }
    Ok(out)
}
