//! Folds that pick by comparing an index with a counter become scatters.
//!
//! `out[t] = sum(q) (idx[q] == t ? v[q] : 0)` and `sum(q) number(idx[q] == t) * v[q]` visit every `t` for every `q`; a scatter visits
//! every `q` once. Factors that do not read `t` make the value; what of them the index does not need is summed before.
//!
//! A factor that is computed at `t` (what a softmax subtracts) is computed at `idx[q]` instead ([`moved`]). Largest and least ones that choose
//! between a value and the fold's neutral, and `any(q) idx[q] == t`, are likewise scatters.
//!
//! A comparison that is a factor multiplies the others by 0 where it fails, which is NaN where they are not finite: so there they
//! have to be whole numbers or constants.

mod extreme;
mod masked;
mod moved;
mod picked;

use super::contract::Product;
use super::rebuild::{Rebuild, compose, rebuild};
use crate::ir::{DType, Fold, Graph, Map, Node, NodeId, Op, Operand};
use moved::{Place, moved, moves};
use std::collections::BTreeSet;

pub fn run(graph: &Graph) -> Graph {
    let graph = &masked::run(graph);
    rebuild(graph, run, |r, id| {
        if let Some(p) = Product::of_sum(graph, id).map(|p| opened(graph, p)) {
            if let Some(found) = (0..p.factors.len()).find_map(|at| compared(graph, &p, at)) {
                return emit(r, id, &found);
            }
            if let Some(found) = picked::recognise(graph, &p) {
                return picked::emit(r, id, &found);
            }
        }
        match extreme::recognise(graph, id) {
            Some(found) => extreme::emit(r, id, &found),
            None => r.keep(id),
        }
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

/// With products without sums opened, so that a comparison among their factors is seen.
fn opened(graph: &Graph, mut p: Product) -> Product {
    let mut at = 0;
    while at < p.factors.len() {
        let node = p.factors[at].node;
        let inner = Product::of(graph, node).filter(|i| i.loops.len() == i.rank && !graph.is_guarded(node));
        match inner {
            Some(inner) if p.factors.len() < 16 => p = p.open(at, &inner),
            _ => at += 1,
        }
    }
    p
}

/// Operand `n` of factor `at`, as the product reads it.
fn operand(graph: &Graph, p: &Product, at: usize, n: usize) -> Operand {
    let operands = graph.operands(p.factors[at].node);
    p.put(at, &operands[n]).factors.swap_remove(at)
}

/// What factor `at` asks, if it compares something with a counter: the question, the counter, the other side.
fn sides_of(graph: &Graph, p: &Product, at: usize) -> Option<(Operand, Operand, Operand)> {
    let test = test(graph, p, at)?;
    if !matches!(graph.node(test.node).op, Op::Map(Map::Eq)) {
        return None;
    }
    let sides: Vec<Operand> = graph.operands(test.node).iter().map(|o| compose(o, &test.subscripts)).collect();
    let counter = sides.iter().position(|s| matches!(graph.node(s.node).op, Op::Iota))?;
    Some((test, sides[counter].clone(), sides[1 - counter].clone()))
}

fn compared(graph: &Graph, p: &Product, at: usize) -> Option<Found> {
    let (test, counter, index) = sides_of(graph, p, at)?;
    let axis = counter.subscripts[0];
    let rest = without(graph, p, &test);
    let reads = |o: &Operand| o.subscripts.contains(&axis);
    let sums = index.subscripts.iter().any(|k| *k >= p.rank);
    let whole = graph.node(index.node).dtype == DType::I32;
    let plain = !rest.factors.iter().any(|f| reads(f) && !moves(graph, f, Place { index: &index, axis }) || is_guard(graph, f));
    (whole && axis < p.rank && sums && !reads(&index) && plain && is_exact(graph, p, &test)).then_some(Found {
        rest,
        index,
        axis,
    })
}

/// What decides whether there is a term, as factor `at` has it: a guard, a choice against 0, a truth value as a number.
fn test(graph: &Graph, p: &Product, at: usize) -> Option<Operand> {
    if is_guard(graph, &p.factors[at]) {
        return Some(p.factors[at].clone());
    }
    let Op::Map(map) = graph.node(p.factors[at].node).op else { return None };
    let chooses = map == Map::Select && is_zero(graph, &operand(graph, p, at, 2));
    (chooses || matches!(map, Map::ToF32 | Map::ToI32)).then(|| operand(graph, p, at, 0))
}

fn is_guard(graph: &Graph, factor: &Operand) -> bool {
    graph.node(factor.node).dtype == DType::Bool
}

fn is_zero(graph: &Graph, o: &Operand) -> bool {
    matches!(graph.node(o.node).op, Op::Const(x) if x == 0.0)
}

/// Whether all terms where the test fails are 0: a guard says so, or every factor that does not ask is finite.
fn is_exact(graph: &Graph, p: &Product, asked: &Operand) -> bool {
    let asks = |at: usize| test(graph, p, at).as_ref() == Some(asked);
    let guarded = p.factors.iter().any(|f| is_guard(graph, f) && f == asked);
    guarded || (0..p.factors.len()).all(|at| asks(at) || is_finite(graph, p.factors[at].node))
}

/// The product where the test holds: without the factors that only ask for it.
fn without(graph: &Graph, p: &Product, asked: &Operand) -> Product {
    let mut rest = p.clone();
    for at in (0..p.factors.len()).rev().filter(|at| test(graph, p, *at).as_ref() == Some(asked)) {
        if matches!(graph.node(p.factors[at].node).op, Op::Map(Map::Select)) && !is_guard(graph, &p.factors[at]) {
            rest.factors[at] = operand(graph, p, at, 1);
        } else {
            rest.factors.remove(at);
        }
    }
    rest
}

/// Whether all elements are finite, whatever the inputs are.
fn is_finite(graph: &Graph, id: NodeId) -> bool {
    let node = graph.node(id);
    let number = |x: f64| (x as f32).is_finite();
    let counted = |m: Map| matches!(m, Map::ToF32) && graph.operands(id).iter().all(|o| graph.node(o.node).dtype != DType::F32);
    node.dtype != DType::F32 || matches!(node.op, Op::Const(x) if number(x)) || matches!(node.op, Op::Map(m) if counted(m))
}

fn emit(r: &mut Rebuild, id: NodeId, found: &Found) -> Operand {
    let Found { rest, index, axis } = found;
    // Factors are nodes of the new graph from here on.
    let factors = rest.factors.iter().map(|f| moved(r, &rest.loops, f, Place { index, axis: *axis })).collect();
    let p = &Product { factors, ..rest.clone() };
    let read = |k: usize| p.factors.iter().any(|f| f.subscripts.contains(&k));
    let sides = sides(p, index);
    // Inner loops that only the value has are summed in it; in an outer product they are rows like the others.
    let summed = |k: usize| sides.is_none() && k >= p.rank && read(k) && !index.subscripts.contains(&k);
    let value = match &sides {
        Some(sides) => outer(r, id, p, sides, &read),
        None => value(r, id, p, &summed),
    };
    let left: Vec<usize> = (0..p.loops.len()).filter(|k| *k < p.rank || !summed(*k)).collect();
    let place = |k: &usize| left.iter().position(|l| l == k).unwrap_or_else(|| unreachable!("a loop that is left"));
    let renamed = |o: &Operand| Operand::new(o.node, o.subscripts.iter().map(place).collect());
    let inner = left[p.rank..].iter().map(|k| p.loops[*k].clone()).collect();
    let node = Node { op: Op::Scatter { axis: *axis, fold: Fold::Sum }, inner, ..r.old.node(id).clone() };
    let operands = vec![renamed(&r.operand(index)), renamed(&value)];
    r.add(node, operands)
}

/// The factors of an outer product on either side; `None` where the value is none. Sides share no loop of the result but those that
/// the index reads, too; such a value is larger than what it is made of, so the planner has to see both.
fn sides(p: &Product, index: &Operand) -> Option<[Vec<usize>; 2]> {
    let own = |at: &usize| {
        let loops = p.factors[*at].subscripts.iter();
        loops.copied().filter(|k| *k < p.rank && !index.subscripts.contains(k)).collect::<BTreeSet<_>>()
    };
    let (with, without): (Vec<usize>, Vec<usize>) = (0..p.factors.len()).partition(|at| !own(at).is_empty());
    // Factors that share a loop stand together.
    let mut parts: Vec<(BTreeSet<usize>, Vec<usize>)> = Vec::new();
    for at in with {
        let (mut loops, mut factors) = (own(&at), vec![at]);
        for (others, mut more) in std::mem::take(&mut parts) {
            if others.is_disjoint(&loops) {
                parts.push((others, more));
            } else {
                loops.extend(others);
                more.append(&mut factors);
                factors = more;
            }
        }
        parts.push((loops, factors));
    }
    if parts.len() < 2 {
        return None;
    }
    let mut sides = [parts.swap_remove(0).1, parts.into_iter().flat_map(|p| p.1).collect()];
    // What has none of these loops makes the side larger that lacks its other loops.
    for at in without {
        let has = |side: &[usize], k: &usize| side.iter().any(|f| p.factors[*f].subscripts.contains(k));
        let covered = |side: &[usize]| p.factors[at].subscripts.iter().filter(|k| has(side, k)).count();
        let first = covered(&sides[0]) > covered(&sides[1]);
        sides[usize::from(!first)].push(at);
    }
    sides.iter_mut().for_each(|s| s.sort());
    Some(sides)
}

/// The product of two sides over all loops that it has; its subscripts name the loops of `p`.
fn outer(r: &mut Rebuild, id: NodeId, p: &Product, sides: &[Vec<usize>; 2], read: &dyn Fn(usize) -> bool) -> Operand {
    let made = sides.each_ref().map(|side| {
        let factors = side.iter().map(|at| p.factors[*at].clone()).collect();
        value(r, id, &Product { factors, ..p.clone() }, &|_| false)
    });
    let loops: Vec<usize> = (0..p.loops.len()).filter(|k| read(*k)).collect();
    let place = |k: &usize| loops.iter().position(|l| l == k).unwrap_or_else(|| unreachable!("a loop that is read"));
    let operands = made.iter().map(|o| Operand::new(o.node, o.subscripts.iter().map(place).collect())).collect();
    let shape = loops.iter().map(|k| p.loops[*k].clone()).collect();
    let node = Node { op: Op::Map(Map::Mul), shape, inner: vec![], name: None, ..r.old.node(id).clone() };
    Operand::new(r.add(node, operands).node, loops)
}

/// The product of the other factors, over the loops that it has and that are not summed in it; its subscripts name the loops of `p`.
fn value(r: &mut Rebuild, id: NodeId, p: &Product, summed: &dyn Fn(usize) -> bool) -> Operand {
    let old = r.old.node(id);
    let read = |k: usize| p.factors.iter().any(|f| f.subscripts.contains(&k));
    let (mut shape, mut inner): (Vec<usize>, Vec<usize>) = (Vec::new(), Vec::new());
    for k in (0..p.loops.len()).filter(|k| read(*k)) {
        if summed(k) { inner.push(k) } else { shape.push(k) }
    }
    let order = [shape.as_slice(), &inner].concat();
    let place = |k: &usize| order.iter().position(|l| l == k).unwrap_or_else(|| unreachable!("a loop that is read"));
    if let [one] = p.factors.as_slice()
        && inner.is_empty()
    {
        return one.clone();
    }
    let renamed: Vec<Operand> =
        p.factors.iter().map(|o| Operand::new(o.node, o.subscripts.iter().map(place).collect())).collect();
    let axes = |loops: &[usize]| loops.iter().map(|k| p.loops[*k].clone()).collect();
    let node = Node { op: Op::Const(1.0), shape: axes(&shape), inner: axes(&inner), name: None, ..old.clone() };
    let made = if renamed.is_empty() { r.add(node, renamed) } else { r.product(node, renamed) };
    Operand::new(made.node, shape)
}
