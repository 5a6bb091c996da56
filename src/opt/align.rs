//! Values have their axes in the order in which they are read and written, as far as that is free: then a run through memory is a run
//! through memory everywhere, and who folds an axis that lay side by side finds it side by side.
//!
//! Where a value goes on, pointwise, to what is read as a whole (outputs, what is reshaped, gathered from, or handed to a loop), all on
//! the way has the order that is wanted there, a product too. Else a pointwise value has that of what it is made of. Who reads a value
//! through subscripts does not mind, and the order in which anything is summed stays.

use super::rebuild::{Rebuild, rebuild};
use crate::ir::{Axis, Graph, NodeId, Op, Operand};

pub fn run(graph: &Graph) -> Graph {
    let whole = wholes(graph);
    let wanted = wanted(graph, &whole);
    rebuild(graph, run, |r, id| {
        let operands = r.operands(id);
        let op = &graph.node(id).op;
        let pointwise = matches!(op, Op::Map(_));
        let order = match &wanted[id.index()] {
            Wanted::So(order) if pointwise || matches!(op, Op::Contract | Op::Fold(_)) => Some(order.clone()),
            Wanted::Open | Wanted::Any if pointwise => found(r, &operands, graph.node(id).rank()),
            Wanted::Open | Wanted::Any | Wanted::So(_) => None,
        };
        match order.filter(|order| !whole[id.index()] && !order.is_sorted()) {
            Some(order) => turned(r, id, operands, &order),
            None => r.keep_with(id, operands),
        }
    })
}

/// Which nodes somebody reads as a whole.
fn wholes(graph: &Graph) -> Vec<bool> {
    let mut whole = vec![false; graph.len()];
    graph.outputs.iter().for_each(|o| whole[o.node.index()] = true);
    graph.measured.iter().for_each(|(_, node)| whole[node.index()] = true);
    for id in graph.ids() {
        for (n, o) in graph.operands(id).iter().enumerate() {
            whole[o.node.index()] |= match graph.node(id).op {
                Op::Loop(_) | Op::Reshape | Op::Concat { .. } => true,
                Op::Gather { .. } => n == 0,
                Op::Source { .. } | Op::Const(_) | Op::Iota | Op::Extent(_) | Op::Random { .. } | Op::Map(_) => false,
                Op::Fold(_) | Op::Contract | Op::Scatter { .. } | Op::Inside(_) | Op::Order { .. } | Op::Scan { .. } => false,
                Op::Assign | Op::Result(_) | Op::Arg(_) => false,
            };
        }
    }
    whole
}

/// What the readers of a value want of its order.
#[derive(Clone, PartialEq)]
enum Wanted {
    /// Nobody has asked.
    Open,
    /// These loops, the outermost first.
    So(Vec<usize>),
    /// Not all want the same.
    Any,
}

/// What is wanted of each node, by pointwise readers whose own order is settled.
fn wanted(graph: &Graph, whole: &[bool]) -> Vec<Wanted> {
    let mut all = vec![Wanted::Open; graph.len()];
    for id in graph.ids().rev() {
        let rank = graph.node(id).rank();
        let own = match &all[id.index()] {
            _ if !matches!(graph.node(id).op, Op::Map(_)) => None,
            _ if whole[id.index()] => Some((0..rank).collect()),
            Wanted::So(order) => Some(order.clone()),
            Wanted::Open | Wanted::Any => None,
        };
        for o in graph.operands(id) {
            let place = |dim: &usize| own.as_ref().and_then(|own: &Vec<usize>| own.iter().position(|l| *l == o.subscripts[*dim]));
            let mut dims: Vec<usize> = (0..o.subscripts.len()).collect();
            dims.sort_by_key(place);
            let asked = if own.is_some() { Wanted::So(dims) } else { Wanted::Any };
            let slot = &mut all[o.node.index()];
            *slot = if *slot == Wanted::Open || *slot == asked { asked } else { Wanted::Any };
        }
    }
    all
}

/// The order of the first operand that has all loops, as they lie there. `None`: one has them as they are, or none has all.
fn found(r: &Rebuild, operands: &[Operand], rank: usize) -> Option<Vec<usize>> {
    let all = |o: &&Operand| o.subscripts.len() == rank && (0..rank).all(|k| o.subscripts.contains(&k));
    // An axis of one element lies anywhere.
    let as_is = |o: &Operand| {
        let shape = &r.new.node(o.node).shape;
        o.subscripts.iter().zip(shape).filter(|(_, axis)| !axis.size.is(1)).map(|(k, _)| *k).is_sorted()
    };
    let full: Vec<&Operand> = operands.iter().filter(all).collect();
    (!full.iter().any(|o| as_is(o))).then(|| full.first().map(|o| o.subscripts.clone())).flatten()
}

/// A node with its loops in this order; the view of it as it was.
fn turned(r: &mut Rebuild, id: NodeId, operands: Vec<Operand>, order: &[usize]) -> Operand {
    let mut node = r.old.node(id).clone();
    // Loops that are closed stay where they are.
    let place = |k: usize| order.iter().position(|o| *o == k).unwrap_or(k);
    node.shape = order.iter().map(|k| node.shape[*k].clone()).collect::<Vec<Axis>>();
    let operands = operands.into_iter().map(|o| Operand::new(o.node, o.subscripts.into_iter().map(place).collect())).collect();
    let made = r.new.add(node, operands);
    Operand::new(made, order.to_vec())
}
