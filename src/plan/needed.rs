//! Which values only some rows need: those that a choice throws away in the others.
//!
//! In: the graph. Out: for each node the conditions that must hold in a row of it (a row is one step of its first axis) for anybody
//! to read that row. Goes from users to operands. What is read across rows is needed in all of them, and so is what somebody wants.

use super::Sizes;
use super::measured::plan::{CHOSEN_WORK, CHOSEN_WORK_OF_ROW};
use super::view::value;
use crate::ir::{DType, Graph, Map, NodeId, Op, Operand, Pick};

/// A condition with one value for each row, and which of the two values it has where a row is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Only {
    pub condition: NodeId,
    pub holds: bool,
}

/// The conditions of each node, outermost first. Only those stay that save enough work.
pub(super) fn needed(graph: &Graph, wanted: &[NodeId], reach: &[bool], sizes: &Sizes) -> Vec<Vec<Only>> {
    let mut found: Vec<Option<Vec<Only>>> = vec![None; graph.len()];
    wanted.iter().for_each(|w| found[w.index()] = Some(Vec::new()));
    for id in graph.ids().rev().filter(|id| reach[id.index()]) {
        let own = found[id.index()].get_or_insert_default().clone();
        for k in 0..graph.operands(id).len() {
            let operand = graph.operands(id)[k].node.index();
            let asked = asked(graph, id, k, &own);
            match &mut found[operand] {
                Some(known) => known.truncate(known.iter().zip(&asked).take_while(|(a, b)| a == b).count()),
                none => *none = Some(asked),
            }
        }
    }
    let mut found: Vec<Vec<Only>> = found.into_iter().map(Option::unwrap_or_default).collect();
    let saved = saved(graph, &found, sizes);
    let worth = |o: &Only| saved[o.condition.index()] >= CHOSEN_WORK.max(CHOSEN_WORK_OF_ROW * rows(graph, o.condition, sizes));
    found.iter_mut().for_each(|f| f.truncate(f.iter().take_while(|o| worth(o)).count()));
    found
}

fn rows(graph: &Graph, id: NodeId, sizes: &Sizes) -> f64 {
    graph.node(id).shape.first().map_or(1.0, |a| value(&a.size, sizes) as f64)
}

/// Multiply-adds of the products under each condition.
fn saved(graph: &Graph, found: &[Vec<Only>], sizes: &Sizes) -> Vec<f64> {
    let mut saved = vec![0.0; graph.len()];
    // What nobody needs may have sizes that nobody knows.
    let under = |id: &NodeId| !found[id.index()].is_empty() && matches!(graph.node(*id).op, Op::Contract);
    for id in graph.ids().filter(under) {
        let node = graph.node(id);
        let work: f64 = node.shape.iter().chain(&node.inner).map(|a| value(&a.size, sizes) as f64).product();
        found[id.index()].iter().for_each(|o| saved[o.condition.index()] += work);
    }
    saved
}

/// Under which conditions the user `id`, whose own are `own`, reads a row of its operand `k`.
fn asked(graph: &Graph, id: NodeId, k: usize, own: &[Only]) -> Vec<Only> {
    if !by_row(graph, id, k) {
        return Vec::new();
    }
    let mut asked = own.to_vec();
    let operands = graph.operands(id);
    if matches!(graph.node(id).op, Op::Map(Map::Select)) && k > 0 && operands[0].subscripts == [0] {
        let only = Only { condition: operands[0].node, holds: k == 1 };
        // A choice by what was chosen by already asks nothing new.
        if graph.node(only.condition).dtype == DType::Bool && !asked.contains(&only) {
            asked.push(only);
        }
    }
    asked
}

/// Whether a node reads in its row `r` nothing but row `r` of its operand `k`.
fn by_row(graph: &Graph, id: NodeId, k: usize) -> bool {
    let node = graph.node(id);
    let operand = &graph.operands(id)[k];
    let along = |o: &Operand| o.subscripts.first() == Some(&0) && !o.subscripts[1..].contains(&0);
    if node.shape.is_empty() {
        return false;
    }
    match &node.op {
        Op::Map(_) | Op::Contract | Op::Fold(_) => along(operand),
        Op::Concat { axis } => *axis != 0 && along(operand),
        Op::Gather { picks, .. } if k == 0 => {
            matches!(picks.first(), Some(Pick::Loop(0))) && !picks[1..].iter().any(|p| matches!(p, Pick::Loop(0)))
        }
        Op::Gather { .. } => along(operand),
        Op::Reshape => graph.node(operand.node).shape.first().is_some_and(|a| a.size == node.shape[0].size),
        Op::Const(_) | Op::Iota | Op::Extent(_) | Op::Source { .. } | Op::Arg(_) | Op::Random { .. } => false,
        Op::Scatter { .. } | Op::Inside(_) | Op::Order { .. } | Op::Scan { .. } | Op::Assign | Op::Loop(_) | Op::Result(_) => {
            false
        }
    }
}
