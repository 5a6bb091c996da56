//! Computes what depends on nothing, with the interpreter.
//!
//! There are no constant tensors, so a constant value is replaced where it is one number everywhere or counts along one loop;
//! every other stays as it is. Infinite and missing values stay too: a device may not write them down.

use super::rebuild::{Rebuild, rebuild};
use crate::ir::interp::evaluate;
use crate::ir::{Bindings, Tensor};
use crate::ir::{DType, Graph, Node, NodeId, Op, Operand};

/// How many points the loops of a node may have.
const POINTS: i64 = 64 << 10;
/// How many points all of them may have.
const TOTAL: i64 = 4 << 20;

pub fn run(graph: &Graph) -> Graph {
    let constant = constants(graph);
    let wanted: Vec<NodeId> = graph.ids().filter(|id| constant[id.index()] && is_computed(&graph.node(*id).op)).collect();
    let mut values: Vec<Option<Tensor>> = vec![None; graph.len()];
    for (id, value) in wanted.iter().zip(evaluate(graph, &Bindings::default(), &wanted).unwrap_or_default()) {
        values[id.index()] = Some(value);
    }
    rebuild(graph, run, |r, id| {
        let known = values[id.index()].as_ref().and_then(|value| replaced(r, id, value));
        known.or_else(|| scalar(r, id)).unwrap_or_else(|| r.keep(id))
    })
}

/// Whether there is anything to compute.
fn is_computed(op: &Op) -> bool {
    match op {
        Op::Const(_) | Op::Iota | Op::Source { .. } | Op::Arg(_) | Op::Loop(_) | Op::Result(_) => false,
        // Whether it holds is for those to hear who want the value.
        Op::Inside(_) => false,
        Op::Extent(_) | Op::Random { .. } | Op::Map(_) | Op::Fold(_) | Op::Contract | Op::Gather { .. } | Op::Scatter { .. } => {
            true
        }
        Op::Concat { .. } | Op::Reshape | Op::Order { .. } | Op::Scan { .. } | Op::Assign => true,
    }
}

/// The nodes that depend on nothing and are small.
fn constants(graph: &Graph) -> Vec<bool> {
    let mut constant: Vec<bool> = Vec::with_capacity(graph.len());
    let mut left = TOTAL;
    for id in graph.ids() {
        let node = graph.node(id);
        let points = node.shape.iter().chain(&node.inner).try_fold(1i64, |n, a| n.checked_mul(a.size.constant()?));
        let small = points.is_some_and(|n| (1..=POINTS.min(left)).contains(&n));
        let own = is_computed(&node.op) || matches!(node.op, Op::Const(_) | Op::Iota);
        let known =
            own && small && graph.symbols_of(id).is_empty() && graph.operands(id).iter().all(|o| constant[o.node.index()]);
        if let Some(n) = points.filter(|_| known) {
            left -= n;
        }
        constant.push(known);
    }
    constant
}

/// A number, or a counter, in the place of a value.
fn replaced(r: &mut Rebuild, id: NodeId, value: &Tensor) -> Option<Operand> {
    let first = if value.is_empty() { return None } else { value.get(0) };
    if !first.is_finite() {
        return None;
    }
    if (0..value.len()).all(|i| value.get(i).to_bits() == first.to_bits()) {
        return Some(r.constant(id, first));
    }
    let node = r.old.node(id);
    let axis = (0..node.rank()).find(|k| counts(value, *k)).filter(|_| node.dtype == DType::I32)?;
    let iota = Node { op: Op::Iota, shape: vec![node.shape[axis].clone()], inner: Vec::new(), ..node.clone() };
    let name = if node.rank() == 1 { node.name.clone() } else { None };
    let made = r.add(Node { name, ..iota }, Vec::new());
    Some(Operand::new(made.node, vec![axis]))
}

/// Whether every element is the counter of one loop.
fn counts(value: &Tensor, axis: usize) -> bool {
    let step: usize = value.shape[axis + 1..].iter().product();
    (0..value.len()).all(|i| value.get(i) == (i / step % value.shape[axis]) as f64)
}

/// A function of numbers, whatever the loops are.
fn scalar(r: &mut Rebuild, id: NodeId) -> Option<Operand> {
    let node = r.old.node(id);
    let Op::Map(map) = node.op else { return None };
    let operands: Vec<Operand> = r.old.operands(id).iter().map(|o| r.operand(o)).collect();
    let mut one = Graph::default();
    let mut reads = Vec::new();
    for o in &operands {
        let x = r.number(o)?;
        let constant = Node::new(Op::Const(x), r.new.node(o.node).dtype, Vec::new());
        reads.push(Operand::new(one.add(constant, Vec::new()), Vec::new()));
    }
    let result = one.add(Node::new(Op::Map(map), node.dtype, Vec::new()), reads);
    let value = evaluate(&one, &Bindings::default(), &[result]).ok()?.remove(0).get(0);
    value.is_finite().then(|| r.constant(id, value))
}
