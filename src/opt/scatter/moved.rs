//! What is computed at the place that an index names: `f(x[q], y[t])` becomes `f(x[q], y[idx[q]])`, where only rows with `idx[q] == t` count.

use crate::ir::{Axis, Graph, Map, Node, Op, Operand, Pick};
use crate::opt::rebuild::{Rebuild, compose};
use std::collections::BTreeSet;

/// Functions that are computed anew.
const MOST: usize = 16;

/// Whether a factor may be computed at the index in place of loop `axis`. A plain value stays: it is a factor of the whole sum.
pub(super) fn moves(graph: &Graph, factor: &Operand, axis: usize) -> bool {
    let mut left = MOST;
    let plain = !matches!(graph.node(factor.node).op, Op::Map(m) if !matches!(m, Map::Mul | Map::Copy));
    !plain && small(graph, factor, axis, &mut left)
}

fn small(graph: &Graph, factor: &Operand, axis: usize, left: &mut usize) -> bool {
    if !factor.subscripts.contains(&axis) || !matches!(graph.node(factor.node).op, Op::Map(_)) {
        return true;
    }
    if *left == 0 {
        return false;
    }
    *left -= 1;
    graph.operands(factor.node).iter().all(|o| small(graph, &compose(o, &factor.subscripts), axis, left))
}

/// An operand of the old graph over `loops`, in the new one: with the index in the place of loop `axis`, where it reads that.
pub(super) fn moved(r: &mut Rebuild, loops: &[Axis], factor: &Operand, (index, axis): (&Operand, usize)) -> Operand {
    if !factor.subscripts.contains(&axis) {
        return r.operand(factor);
    }
    let old = r.old;
    let node = old.node(factor.node);
    let over = |used: &BTreeSet<usize>| used.iter().map(|k| loops[*k].clone()).collect();
    let place = |used: &BTreeSet<usize>, k: usize| {
        used.iter().position(|u| *u == k).unwrap_or_else(|| unreachable!("a loop that is used"))
    };
    let within =
        |used: &BTreeSet<usize>, o: &Operand| Operand::new(o.node, o.subscripts.iter().map(|k| place(used, *k)).collect());
    if let Op::Map(_) = node.op {
        let each = old.operands(factor.node).iter().map(|o| compose(o, &factor.subscripts));
        let parts: Vec<Operand> = each.map(|o| moved(r, loops, &o, (index, axis))).collect();
        let used: BTreeSet<usize> = parts.iter().flat_map(|o| o.subscripts.iter().copied()).collect();
        let operands = parts.iter().map(|o| within(&used, o)).collect();
        let made = r.add(Node { shape: over(&used), inner: Vec::new(), name: None, ..node.clone() }, operands);
        return Operand::new(made.node, used.into_iter().collect());
    }
    let (whole, index) = (r.whole(factor.node), r.operand(index));
    let used: BTreeSet<usize> = factor.subscripts.iter().filter(|k| **k != axis).chain(&index.subscripts).copied().collect();
    let pick = |k: &usize| if *k == axis { Pick::Operand(1) } else { Pick::Loop(place(&used, *k)) };
    let op = Op::Gather { picks: factor.subscripts.iter().map(pick).collect(), fill: Some(0.0) };
    let operands = vec![Operand::new(whole, vec![]), within(&used, &index)];
    let made = r.add(Node { op, shape: over(&used), inner: Vec::new(), name: None, ..node.clone() }, operands);
    Operand::new(made.node, used.into_iter().collect())
}
