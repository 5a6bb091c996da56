//! What is 0 where a comparison fails becomes a choice against 0, as sums know it: `exp((idx[q] == t ? x : -inf) - y)`, if `y` is finite, and
//! `number(idx[q] == t and x == y)`, where `x` may be NaN, too.

use crate::ir::{DType, Graph, Map, Node, NodeId, Op, Operand};
use crate::opt::rebuild::{Rebuild, compose, rebuild};

pub(super) fn run(graph: &Graph) -> Graph {
    rebuild(graph, run, |r, id| {
        if let Some([test, rest]) = both(graph, id) {
            let rest = r.operand(&rest);
            let node = Node { name: None, ..graph.node(id).clone() };
            let number = r.add(node, vec![rest]);
            return chosen(r, id, &test, number);
        }
        match recognise(graph, id) {
            Some(found) => emit(r, id, found),
            None => r.keep(id),
        }
    })
}

/// A comparison with a counter and another of real numbers, of which a node says as a number whether both hold.
fn both(graph: &Graph, id: NodeId) -> Option<[Operand; 2]> {
    let is = |o: &Operand, map: Map| matches!(graph.node(o.node).op, Op::Map(m) if m == map);
    if !matches!(graph.node(id).op, Op::Map(Map::ToF32)) {
        return None;
    }
    let sides: [Operand; 2] = parts(graph, graph.operands(id).first()?, Map::And)?;
    let of = |o: &Operand, test: &dyn Fn(&Node) -> bool| graph.operands(o.node).iter().any(|p| test(graph.node(p.node)));
    let counted = sides.iter().position(|o| is(o, Map::Eq) && of(o, &|n| matches!(n.op, Op::Iota)))?;
    let (test, rest) = (sides[counted].clone(), sides[1 - counted].clone());
    let compares = |o: &Operand| is(o, Map::Eq) && of(o, &|n| n.dtype == DType::F32);
    // It is the extreme one where it is equal, or no number.
    let either = is(&rest, Map::Or) && graph.operands(rest.node).first().is_some_and(compares);
    (compares(&rest) || either).then_some([test, rest])
}

/// The operands of a function, as they are read through an operand of this kind.
fn parts<const N: usize>(graph: &Graph, of: &Operand, map: Map) -> Option<[Operand; N]> {
    let found = matches!(graph.node(of.node).op, Op::Map(m) if m == map);
    let all: Vec<Operand> =
        if found { graph.operands(of.node).iter().map(|p| compose(p, &of.subscripts)).collect() } else { vec![] };
    all.try_into().ok()
}

/// `test ? value : 0` in the place of a node.
fn chosen(r: &mut Rebuild, id: NodeId, test: &Operand, value: Operand) -> Operand {
    let node = r.old.node(id).clone();
    let zero = r.add(Node { op: Op::Const(0.0), shape: Vec::new(), inner: Vec::new(), name: None, ..node.clone() }, vec![]);
    let operands = vec![r.operand(test), value, zero];
    r.add(Node { op: Op::Map(Map::Select), ..node }, operands)
}

/// Operands as the exponential reads them.
struct Found {
    test: Operand,
    /// The value where it holds, and what is subtracted.
    sides: [Operand; 2],
}

fn recognise(graph: &Graph, id: NodeId) -> Option<Found> {
    let number = |o: &Operand, test: &dyn Fn(f64) -> bool| matches!(graph.node(o.node).op, Op::Const(x) if test(x));
    if !matches!(graph.node(id).op, Op::Map(Map::Exp)) {
        return None;
    }
    let [chosen, less] = parts(graph, graph.operands(id).first()?, Map::Sub)?;
    let [test, value, none] = parts(graph, &chosen, Map::Select)?;
    let counts = |o: &Operand| matches!(graph.node(o.node).op, Op::Iota);
    let counted = parts::<2>(graph, &test, Map::Eq)?.iter().any(counts);
    if !counted || !number(&none, &|x| x == f64::NEG_INFINITY) {
        return None;
    }
    // `|m| < inf ? m : 0` is finite, whatever m is.
    let [asked, same, other] = parts(graph, &less, Map::Select)?;
    let [size, bound] = parts(graph, &asked, Map::Lt)?;
    let [of] = parts(graph, &size, Map::Abs)?;
    let finite = of == same && number(&bound, &|x| x == f64::INFINITY);
    (finite && number(&other, &f64::is_finite)).then_some(Found { test, sides: [value, less] })
}

fn emit(r: &mut Rebuild, id: NodeId, found: Found) -> Operand {
    let node = Node { inner: Vec::new(), name: None, ..r.old.node(id).clone() };
    let sides = found.sides.iter().map(|o| r.operand(o)).collect();
    let difference = r.add(Node { op: Op::Map(Map::Sub), ..node.clone() }, sides);
    let power = r.add(Node { op: Op::Map(Map::Exp), ..node.clone() }, vec![difference]);
    chosen(r, id, &found.test, power)
}
