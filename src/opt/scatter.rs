//! Sums that pick by comparing an index with a counter become scatters.
//!
//! `out[t] = sum(q) (idx[q] == t ? v[q] : 0)` and `sum(q) number(idx[q] == t) * v[q]` visit every `t` for every `q`; a scatter visits
//! every `q` once. Factors that do not read `t` make the value; what of them the index does not need is summed before.
//!
//! A comparison that is a factor multiplies the others by 0 where it fails, which is NaN where they are not finite: so there they
//! have to be whole numbers or constants.

use super::contract::Product;
use super::rebuild::{Rebuild, rebuild};
use crate::ir::{DType, Graph, Map, Node, NodeId, Op, Operand};

pub fn run(graph: &Graph) -> Graph {
    rebuild(graph, run, |r, id| match Product::of_sum(graph, id).and_then(|p| recognise(graph, &p)) {
        Some(found) => emit(r, id, &found),
        None => r.keep(id),
    })
}

/// A product one of whose factors compares.
struct Found {
    /// Without the comparison.
    rest: Product,
    index: Operand,
    /// The loop of the result that the index names.
    axis: usize,
}

/// Opens products without sums, then looks for a comparison.
fn recognise(graph: &Graph, p: &Product) -> Option<Found> {
    let mut p = p.clone();
    let mut at = 0;
    while at < p.factors.len() {
        let inner = Product::of(graph, p.factors[at].node).filter(|i| i.loops.len() == i.rank);
        match inner {
            Some(inner) if p.factors.len() < 16 => p = p.open(at, &inner),
            _ => at += 1,
        }
    }
    (0..p.factors.len()).find_map(|at| compared(graph, &p, at))
}

/// Operand `n` of factor `at`, as the product reads it.
fn operand(graph: &Graph, p: &Product, at: usize, n: usize) -> Operand {
    let operands = graph.operands(p.factors[at].node);
    p.put(at, &operands[n]).factors.swap_remove(at)
}

fn compared(graph: &Graph, p: &Product, at: usize) -> Option<Found> {
    let mut rest = p.clone();
    let Op::Map(map) = graph.node(p.factors[at].node).op else { return None };
    let zero = |o: Operand| matches!(graph.node(o.node).op, Op::Const(x) if x == 0.0);
    if matches!(map, Map::ToF32 | Map::ToI32) {
        rest.factors.remove(at);
        if !rest.factors.iter().all(|f| is_finite(graph, f.node)) {
            return None;
        }
    } else if map == Map::Select && zero(operand(graph, p, at, 2)) {
        rest.factors[at] = operand(graph, p, at, 1);
    } else {
        return None;
    }
    let test = p.put(at, &graph.operands(p.factors[at].node)[0]);
    if !matches!(graph.node(test.factors[at].node).op, Op::Map(Map::Eq)) {
        return None;
    }
    let sides = [operand(graph, &test, at, 0), operand(graph, &test, at, 1)];
    let counts = |s: &Operand| matches!(graph.node(s.node).op, Op::Iota) && s.subscripts[0] < p.rank;
    let counter = sides.iter().position(counts)?;
    let (axis, index) = (sides[counter].subscripts[0], sides[1 - counter].clone());
    let reads = |o: &Operand| o.subscripts.contains(&axis);
    let sums = index.subscripts.iter().any(|k| *k >= p.rank);
    let whole = graph.node(index.node).dtype == DType::I32;
    (whole && sums && !reads(&index) && !rest.factors.iter().any(reads)).then_some(Found { rest, index, axis })
}

/// Whether all elements are finite, whatever the inputs are.
fn is_finite(graph: &Graph, id: NodeId) -> bool {
    let node = graph.node(id);
    let number = |x: f64| (x as f32).is_finite();
    let counted = |m: Map| matches!(m, Map::ToF32) && graph.operands(id).iter().all(|o| graph.node(o.node).dtype != DType::F32);
    node.dtype != DType::F32 || matches!(node.op, Op::Const(x) if number(x)) || matches!(node.op, Op::Map(m) if counted(m))
}

fn emit(r: &mut Rebuild, id: NodeId, found: &Found) -> Operand {
    let Found { rest: p, index, axis } = found;
    let read = |k: usize| p.factors.iter().any(|f| f.subscripts.contains(&k));
    // Inner loops that only the value has are summed in it.
    let summed = |k: usize| k >= p.rank && read(k) && !index.subscripts.contains(&k);
    let value = value(r, id, p, &summed, &read);
    let left: Vec<usize> = (0..p.loops.len()).filter(|k| *k < p.rank || !summed(*k)).collect();
    let place = |k: &usize| left.iter().position(|l| l == k).unwrap_or(0);
    let renamed = |o: &Operand| Operand::new(o.node, o.subscripts.iter().map(place).collect());
    let inner = left[p.rank..].iter().map(|k| p.loops[*k].clone()).collect();
    let node = Node { op: Op::Scatter { axis: *axis }, inner, ..r.old.node(id).clone() };
    let operands = vec![renamed(&r.operand(index)), renamed(&value)];
    r.add(node, operands)
}

/// The product of the other factors, over the loops that it has and that are not summed in it; its subscripts name the loops of `p`.
fn value(r: &mut Rebuild, id: NodeId, p: &Product, summed: &dyn Fn(usize) -> bool, read: &dyn Fn(usize) -> bool) -> Operand {
    let old = r.old.node(id);
    let (mut shape, mut inner): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    for k in (0..p.loops.len()).filter(|k| read(*k)) {
        if summed(k) { inner.push(k) } else { shape.push(k) }
    }
    let order = [shape.as_slice(), &inner].concat();
    let place = |k: &usize| order.iter().position(|l| l == k).unwrap_or(0);
    let operands: Vec<Operand> = p.factors.iter().map(|f| r.operand(f)).collect();
    if let [one] = operands.as_slice()
        && inner.is_empty()
    {
        return one.clone();
    }
    let renamed: Vec<Operand> = operands.iter().map(|o| Operand::new(o.node, o.subscripts.iter().map(place).collect())).collect();
    let axes = |loops: &[usize]| loops.iter().map(|k| p.loops[*k].clone()).collect();
    let node = Node { op: Op::Const(1.0), shape: axes(&shape), inner: axes(&inner), name: None, ..old.clone() };
    let made = if renamed.is_empty() { r.add(node, renamed) } else { r.product(node, renamed) };
    Operand::new(made.node, shape)
}
