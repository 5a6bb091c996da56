//! `exp((idx[q] == t ? x : -inf) - y)` is 0 where the comparison fails, if `y` is finite: so it is a choice against 0, as sums know it.

use crate::ir::{DType, Graph, Map, Node, NodeId, Op, Operand};
use crate::opt::rebuild::{Rebuild, compose, rebuild};

pub(super) fn run(graph: &Graph) -> Graph {
    rebuild(graph, run, |r, id| match recognise(graph, id) {
        Some(found) => emit(r, id, found),
        None => r.keep(id),
    })
}

/// Operands as the exponential reads them.
struct Found {
    test: Operand,
    /// The value where it holds, and what is subtracted.
    sides: [Operand; 2],
}

fn recognise(graph: &Graph, id: NodeId) -> Option<Found> {
    let is = |o: &Operand, map: Map| matches!(graph.node(o.node).op, Op::Map(m) if m == map);
    let parts = |o: &Operand| graph.operands(o.node).iter().map(|p| compose(p, &o.subscripts)).collect::<Vec<_>>();
    let number = |o: &Operand, test: &dyn Fn(f64) -> bool| matches!(graph.node(o.node).op, Op::Const(x) if test(x));
    if !matches!(graph.node(id).op, Op::Map(Map::Exp)) {
        return None;
    }
    let difference = graph.operands(id).first().filter(|o| is(o, Map::Sub))?;
    let [chosen, less] = <[Operand; 2]>::try_from(parts(difference)).ok()?;
    let [test, value, none] = <[Operand; 3]>::try_from(parts(&chosen)).ok().filter(|_| is(&chosen, Map::Select))?;
    let counts = |o: &Operand| matches!(graph.node(o.node).op, Op::Iota);
    if !is(&test, Map::Eq) || !parts(&test).iter().any(counts) || !number(&none, &|x| x == f64::NEG_INFINITY) {
        return None;
    }
    // `|m| < inf ? m : 0` is finite, whatever m is.
    let [asked, same, other] = <[Operand; 3]>::try_from(parts(&less)).ok().filter(|_| is(&less, Map::Select))?;
    let [size, bound] = <[Operand; 2]>::try_from(parts(&asked)).ok().filter(|_| is(&asked, Map::Lt))?;
    let finite = is(&size, Map::Abs) && parts(&size) == [same] && number(&bound, &|x| x == f64::INFINITY);
    (finite && number(&other, &f64::is_finite)).then_some(Found { test, sides: [value, less] })
}

fn emit(r: &mut Rebuild, id: NodeId, found: Found) -> Operand {
    let node = Node { inner: Vec::new(), name: None, ..r.old.node(id).clone() };
    let sides = found.sides.iter().map(|o| r.operand(o)).collect();
    let difference = r.add(Node { op: Op::Map(Map::Sub), ..node.clone() }, sides);
    let power = r.add(Node { op: Op::Map(Map::Exp), ..node.clone() }, vec![difference]);
    let zero = r.add(Node { op: Op::Const(0.0), dtype: DType::F32, shape: Vec::new(), ..node.clone() }, vec![]);
    let operands = vec![r.operand(&found.test), power, zero];
    r.add(Node { op: Op::Map(Map::Select), ..r.old.node(id).clone() }, operands)
}
