//! What all of a small graph costs a run.
//!
//! In: a graph, what is wanted of it, all sizes. Out: nanoseconds. Products cost what the order search says of them, everything else what it
//! writes; a gather counts as a copy, though a product may read through its index. Promised: nothing is noted, and nothing relied on.

use super::Sizes;
use super::build::reachable;
use super::decide::Choices;
use super::measured::plan::STEP_NS;
use super::order::{Search, bits};
use super::prices::shared;
use super::rewrite::expanded;
use super::view::value;
use crate::ir::{Axis, Graph, NodeId, Op, Rate};
use crate::opt::Product;

/// In nanoseconds, once its sums are multiplied out where that pays.
pub(super) fn weigh(graph: &Graph, wanted: &[NodeId], sizes: &Sizes, choices: &Choices) -> f64 {
    let silent = choices.silent();
    match expanded(graph, wanted, &Graph::rates, sizes, &silent) {
        Some((graph, wanted)) => whole(&graph, &wanted, sizes, &silent),
        None => whole(graph, wanted, sizes, &silent),
    }
}

fn whole(graph: &Graph, wanted: &[NodeId], sizes: &Sizes, choices: &Choices) -> f64 {
    let (reach, rates) = (reachable(graph, wanted), graph.rates());
    let early = |id: NodeId| rates[id.index()] < Rate::Input;
    graph.ids().filter(|id| reach[id.index()]).map(|id| one(graph, id, early(id), &early, sizes, choices)).sum()
}

fn one(graph: &Graph, id: NodeId, ready: bool, early: &dyn Fn(NodeId) -> bool, sizes: &Sizes, choices: &Choices) -> f64 {
    let (node, prices) = (graph.node(id), choices.prices());
    let points = |axes: &[Axis]| axes.iter().map(|a| value(&a.size, sizes).max(0) as f64).product::<f64>();
    let once = |ns: f64| if ready { shared(ns) } else { ns };
    let written = once(prices.touch(points(&node.shape)));
    let over_all = points(&node.shape) * points(&node.inner);
    match &node.op {
        Op::Contract => {
            let product = Product::of_sum(graph, id).filter(|p| p.fits() && !graph.is_guarded(id));
            let Some(p) = product else { return once(prices.multiply(over_all)) + written };
            let extents: Vec<f64> = p.loops.iter().map(|a| value(&a.size, sizes).max(0) as f64).collect();
            let known: Vec<bool> = p.factors.iter().map(|f| early(f.node)).collect();
            let masks = p.factors.iter().map(|f| bits(&f.subscripts)).collect();
            let search = Search { prices, extents: &extents, result: (1 << p.rank) - 1, masks, early: &known };
            search.least(&[]).min(search.nest()) + written
        }
        Op::Fold(_) => once(prices.multiply(over_all)) + written,
        Op::Map(_)
        | Op::Concat { .. }
        | Op::Scan { .. }
        | Op::Order { .. }
        | Op::Assign
        | Op::Random { .. }
        | Op::Scatter { .. } => written,
        // A copy, and a step of its own: of what is small, the step is all.
        Op::Gather { .. } => written + once(STEP_NS),
        Op::Source { .. } | Op::Const(_) | Op::Iota | Op::Extent(_) | Op::Reshape | Op::Inside(_) => 0.0,
        Op::Loop(_) | Op::Result(_) | Op::Arg(_) => 0.0,
    }
}
