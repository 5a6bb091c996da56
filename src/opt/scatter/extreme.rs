//! Largest, least and any: `max(q) (idx[q] == t ? v[q] : -inf)` goes over every `q` once, as a scatter of the largest.

use super::super::contract::Product;
use super::moved::{Place, moved, moves};
use crate::ir::{DType, Fold, Graph, Map, Node, NodeId, Op, Operand};
use crate::opt::rebuild::{Rebuild, compose};

/// A fold over what one comparison lets through.
pub(super) struct Found {
    /// The loops of the result, then the inner ones.
    over: Product,
    /// What is folded; none where rows are counted, which says whether there is any.
    value: Option<Operand>,
    fold: Fold,
    index: Operand,
    /// The loop of the result that the index names.
    axis: usize,
}

pub(super) fn recognise(graph: &Graph, id: NodeId) -> Option<Found> {
    let node = graph.node(id);
    let Op::Fold(fold) = node.op else { return None };
    let over = Product { loops: node.shape.iter().chain(&node.inner).cloned().collect(), rank: node.rank(), factors: Vec::new() };
    let folded = graph.operands(id).first()?;
    let (test, value) = match fold {
        Fold::Any => (folded.clone(), None),
        Fold::Max | Fold::Min => {
            let [test, value, none] = parts(graph, folded, Map::Select)?.try_into().ok()?;
            (test, Some(value).filter(|_| is_neutral(graph, fold, &none))?.into())
        }
        Fold::Sum | Fold::Prod | Fold::All | Fold::Argmax | Fold::Argmin => return None,
    };
    let sides = parts(graph, &test, Map::Eq)?;
    let counts = |s: &Operand| matches!(graph.node(s.node).op, Op::Iota) && s.subscripts[0] < over.rank;
    let counter = sides.iter().position(counts)?;
    let (axis, index) = (sides[counter].subscripts[0], sides[1 - counter].clone());
    let sums = index.subscripts.iter().any(|k| *k >= over.rank);
    let apart = !index.subscripts.contains(&axis);
    let stays = value.as_ref().is_none_or(|v| !v.subscripts.contains(&axis) || moves(graph, v, Place { index: &index, axis }));
    let whole = graph.node(index.node).dtype == DType::I32;
    (whole && sums && apart && stays).then_some(Found { over, value, fold, index, axis })
}

/// The operands of a function, as they are read through an operand.
fn parts(graph: &Graph, of: &Operand, map: Map) -> Option<Vec<Operand>> {
    let found = matches!(graph.node(of.node).op, Op::Map(m) if m == map);
    found.then(|| graph.operands(of.node).iter().map(|p| compose(p, &of.subscripts)).collect())
}

/// Whether this is what a fold of nothing is.
fn is_neutral(graph: &Graph, fold: Fold, o: &Operand) -> bool {
    let node = graph.node(o.node);
    let Op::Const(x) = node.op else { return false };
    let (least, most) = match node.dtype {
        DType::F32 => (f64::NEG_INFINITY, f64::INFINITY),
        DType::I32 | DType::Bool => (f64::from(i32::MIN), f64::from(i32::MAX)),
    };
    x == if fold == Fold::Max { least } else { most }
}

pub(super) fn emit(r: &mut Rebuild, id: NodeId, found: &Found) -> Operand {
    let Found { over, value, fold, index, axis } = found;
    let node = r.old.node(id).clone();
    let scatter = |fold| Op::Scatter { axis: *axis, fold };
    if let Some(value) = value {
        let value = moved(r, &over.loops, value, Place { index, axis: *axis });
        let operands = vec![r.operand(index), value];
        return r.add(Node { op: scatter(*fold), ..node }, operands);
    }
    let number =
        |x: f64| Node { op: Op::Const(x), dtype: DType::I32, shape: Vec::new(), inner: Vec::new(), name: None, ..node.clone() };
    let (one, none) = (r.add(number(1.0), vec![]), r.add(number(0.0), vec![]));
    let operands = vec![r.operand(index), one];
    let count = r.add(Node { op: scatter(Fold::Sum), dtype: DType::I32, name: None, ..node.clone() }, operands);
    r.add(Node { op: Op::Map(Map::Lt), inner: Vec::new(), ..node }, vec![none, count])
}
