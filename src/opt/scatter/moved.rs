//! What is computed at the place that an index names: `f(x[q], y[t])` becomes `f(x[q], y[idx[q]])`, where only rows with `idx[q] == t` count.

use crate::ir::{Axis, Graph, Map, Node, Op, Operand, Pick};
use crate::opt::rebuild::{Rebuild, compose};
use std::collections::BTreeSet;

/// Functions that are computed anew.
pub(super) const MOST: usize = 24;

/// The index that takes a loop's place.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub index: &'a Operand,
    pub axis: usize,
}

impl Place<'_> {
    /// Whether a value has to be computed anew: it is a function that reads the loop beside one of the index's own. Any other is picked as it is.
    fn anew(&self, graph: &Graph, o: &Operand) -> bool {
        let own = |k: &usize| self.index.subscripts.contains(k);
        matches!(graph.node(o.node).op, Op::Map(_)) && o.subscripts.contains(&self.axis) && o.subscripts.iter().any(own)
    }
}

/// Whether a factor may be computed at the index. A value without a function stays: it is a factor of the whole sum.
pub(super) fn moves(graph: &Graph, factor: &Operand, place: Place) -> bool {
    place.anew(graph, factor)
        && !matches!(graph.node(factor.node).op, Op::Map(Map::Mul | Map::Copy))
        && small(graph, factor, place)
}

/// Whether few functions have to be computed anew for it.
pub(super) fn small(graph: &Graph, factor: &Operand, place: Place) -> bool {
    fn count(graph: &Graph, o: &Operand, place: Place, left: &mut usize) -> bool {
        if !place.anew(graph, o) {
            return true;
        }
        let enough = *left > 0;
        *left = left.saturating_sub(1);
        enough && graph.operands(o.node).iter().all(|p| count(graph, &compose(p, &o.subscripts), place, left))
    }
    count(graph, factor, place, &mut MOST.clone())
}

/// An operand of the old graph over `loops`, in the new one: with the index in the place of its loop, where it reads that.
pub(super) fn moved(r: &mut Rebuild, loops: &[Axis], factor: &Operand, place: Place) -> Operand {
    if !factor.subscripts.contains(&place.axis) {
        return r.operand(factor);
    }
    let old = r.old;
    let node = old.node(factor.node);
    if matches!(node.op, Op::Iota) {
        return r.operand(place.index);
    }
    let over = |used: &BTreeSet<usize>| used.iter().map(|k| loops[*k].clone()).collect();
    let at = |used: &BTreeSet<usize>, k: usize| {
        used.iter().position(|u| *u == k).unwrap_or_else(|| unreachable!("a loop that is used"))
    };
    let within = |used: &BTreeSet<usize>, o: &Operand| Operand::new(o.node, o.subscripts.iter().map(|k| at(used, *k)).collect());
    if place.anew(old, factor) {
        let each = old.operands(factor.node).iter().map(|o| compose(o, &factor.subscripts));
        let parts: Vec<Operand> = each.map(|o| moved(r, loops, &o, place)).collect();
        let used: BTreeSet<usize> = parts.iter().flat_map(|o| o.subscripts.iter().copied()).collect();
        let operands = parts.iter().map(|o| within(&used, o)).collect();
        let made = r.add(Node { shape: over(&used), inner: Vec::new(), name: None, ..node.clone() }, operands);
        return Operand::new(made.node, used.into_iter().collect());
    }
    let (whole, index) = (r.whole(factor.node), r.operand(place.index));
    let own = factor.subscripts.iter().filter(|k| **k != place.axis);
    let used: BTreeSet<usize> = own.chain(&index.subscripts).copied().collect();
    let pick = |k: &usize| if *k == place.axis { Pick::Operand(1) } else { Pick::Loop(at(&used, *k)) };
    let op = Op::Gather { picks: factor.subscripts.iter().map(pick).collect(), fill: Some(0.0) };
    let operands = vec![Operand::new(whole, vec![]), within(&used, &index)];
    let made = r.add(Node { op, shape: over(&used), inner: Vec::new(), name: None, ..node.clone() }, operands);
    Operand::new(made.node, used.into_iter().collect())
}
