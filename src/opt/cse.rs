//! Equal values once: nodes of the same op, type, loops and operands. What commutes is compared in any order.

use super::rebuild::rebuild;
use crate::ir::scalar::Law;
use crate::ir::{Axis, DType, Graph, Node, Op, Operand, Size};
use std::collections::HashMap;

/// All that makes a node what it is but its names.
#[derive(PartialEq, Eq, Hash)]
struct Key {
    op: String,
    dtype: DType,
    shape: Vec<Size>,
    inner: Vec<Size>,
    operands: Vec<(usize, Vec<usize>)>,
}

pub fn run(graph: &Graph) -> Graph {
    let mut known: HashMap<Key, Operand> = HashMap::with_capacity(graph.len());
    rebuild(graph, run, |r, id| {
        let operands = r.operands(id);
        // The body of a loop has been through this pass when its text is compared.
        let made = key(r.old.node(id), &operands);
        if let Some(same) = known.get(&made) {
            return same.clone();
        }
        let view = r.keep_with(id, operands);
        known.insert(made, view.clone());
        view
    })
}

fn key(node: &Node, operands: &[Operand]) -> Key {
    let mut operands: Vec<_> = operands.iter().map(|o| (o.node.index(), o.subscripts.clone())).collect();
    if commutes(&node.op) {
        operands.sort();
    }
    Key { op: spelled(&node.op), dtype: node.dtype, shape: sizes(&node.shape), inner: sizes(&node.inner), operands }
}

/// The lengths of loops.
pub(super) fn sizes(axes: &[Axis]) -> Vec<Size> {
    axes.iter().map(|a| a.size.clone()).collect()
}

/// The op with all that it carries.
pub(super) fn spelled(op: &Op) -> String {
    match op {
        Op::Const(x) => format!("const {:x}", x.to_bits()),
        Op::Gather { picks, fill } => format!("gather {picks:?} {:?}", fill.map(f64::to_bits)),
        Op::Loop(b) => {
            let head = format!("loop {} {} {} {} {}", b.trips, b.reverse, b.stop, b.carries, b.yields);
            format!("{head}\n{}", b.graph)
        }
        Op::Extent(size) => format!("extent {size}"),
        Op::Source { .. }
        | Op::Iota
        | Op::Random { .. }
        | Op::Map(_)
        | Op::Fold(_)
        | Op::Contract
        | Op::Inside(_)
        | Op::Scatter { .. }
        | Op::Concat { .. }
        | Op::Reshape
        | Op::Order { .. }
        | Op::Scan { .. }
        | Op::Assign
        | Op::Result(_)
        | Op::Arg(_) => {
            format!("{op:?}")
        }
    }
}

fn commutes(op: &Op) -> bool {
    match op {
        Op::Contract => true,
        Op::Map(map) => match map.law() {
            Law::Sum | Law::Product | Law::Commutes | Law::Both | Law::Either => true,
            // Where one side is NaN, the other order gives the other side.
            Law::Extreme => false,
            Law::None | Law::Identity | Law::Cast | Law::Undoes | Law::Settles => false,
            Law::Difference | Law::Quotient | Law::Power | Law::Choice => false,
        },
        Op::Source { .. } | Op::Const(_) | Op::Iota | Op::Extent(_) | Op::Random { .. } | Op::Fold(_) | Op::Gather { .. } => {
            false
        }
        Op::Inside(_) | Op::Scatter { .. } | Op::Concat { .. } | Op::Reshape => false,
        Op::Order { .. } | Op::Scan { .. } | Op::Assign => false,
        Op::Loop(_) | Op::Result(_) | Op::Arg(_) => false,
    }
}
