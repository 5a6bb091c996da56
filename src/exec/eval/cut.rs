//! A graph cut in two: what is computed batch by batch, and what follows from all of it.
//!
//! In: a graph, the values that are wanted, the dim that is cut into batches. Out: [`Cut`]: the nodes nearest to the wanted ones that close
//! the rows (sums, extremes, counts) or do not depend on them, and a graph that takes these as sources. Promised: running the
//! second on what the first came to is running the whole on all rows, whatever the batches.

use super::rows::{Combine, Kind, Mixed, closes, kinds};
use crate::ir::{Graph, Node, NodeId, Op, Operand, Origin, Sym};
use std::collections::BTreeMap;

/// How the values of a part come together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    By(Combine),
    /// It is the same in all batches.
    Same,
    /// It needs all rows at once: there is a value only where one batch has them all.
    Once,
}

/// A value that each batch gives.
#[derive(Clone, Debug)]
pub struct Part {
    pub node: NodeId,
    pub join: Join,
    /// What the second graph calls it.
    pub path: String,
}

/// A graph cut in two.
#[derive(Clone, Debug, Default)]
pub struct Cut {
    pub parts: Vec<Part>,
    /// What is computed from the parts.
    pub rest: Graph,
    /// The wanted values in `rest`.
    pub roots: Vec<NodeId>,
}

/// Cuts a graph. Where a wanted value needs all rows at once, it is taken whole if `whole` allows it, else that is the error.
pub fn cut(graph: &Graph, dim: &Sym, wanted: &[NodeId], whole: bool) -> Result<Cut, Mixed> {
    let kinds = kinds(graph, dim);
    let place = |id: NodeId| match (&kinds[id.index()], &graph.node(id).op) {
        // A graph that is run has something to compute.
        (_, Op::Const(_)) if !wanted.contains(&id) => Ok(None),
        (Kind::Fixed, _) => Ok(Some(Join::Same)),
        (Kind::Total, _) => Ok(closes(graph, id, dim).map(Join::By)),
        (Kind::Mixed(_) | Kind::Rows(_), _) if whole => Ok(Some(Join::Once)),
        (Kind::Mixed(mixed), _) => Err(mixed.clone()),
        (Kind::Rows(_), _) => Err(Mixed { span: graph.node(id).span, what: "this has a value for each row" }),
    };
    let mut taken: BTreeMap<NodeId, Option<Join>> = BTreeMap::new();
    let mut open: Vec<NodeId> = wanted.to_vec();
    while let Some(id) = open.pop() {
        if taken.contains_key(&id) {
            continue;
        }
        let join = place(id)?;
        taken.insert(id, join);
        if join.is_none() {
            open.extend(graph.operands(id).iter().map(|o| o.node));
            let symbols = graph.symbols_of(id);
            open.extend(graph.measured.iter().filter(|(s, _)| symbols.contains(s)).map(|(_, n)| *n));
        }
    }
    let mut out = Cut::default();
    let mut new: BTreeMap<NodeId, NodeId> = BTreeMap::new();
    for (id, join) in taken {
        let old = graph.node(id);
        let made = match join {
            None => {
                let operands = graph.operands(id).iter().map(|o| Operand::new(new[&o.node], o.subscripts.clone()));
                out.rest.add(old.clone(), operands.collect())
            }
            Some(join) => {
                // No word of a program begins so.
                let path = format!("#{}", id.index());
                let op = Op::Source { origin: Origin::Input, path: path.as_str().into() };
                out.parts.push(Part { node: id, join, path });
                out.rest.add(Node { op, inner: Vec::new(), ..old.clone() }, Vec::new())
            }
        };
        new.insert(id, made);
    }
    out.rest.pins.clone_from(&graph.pins);
    out.rest.measured = graph.measured.iter().filter_map(|(s, n)| Some((s.clone(), *new.get(n)?))).collect();
    out.roots = wanted.iter().map(|id| new[id]).collect();
    Ok(out)
}
