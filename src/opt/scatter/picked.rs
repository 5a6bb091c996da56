//! Sums over a counter that one index is equal to: `sum(v) (idx[q] == v ? f(q, v) : 0)` is `f(q, idx[q])`, and 0 where the index is outside.
//!
//! That is what the gradient of a scatter is, once what is handed on hangs on the place.

use super::moved::{Place, moved, small};
use super::{Product, is_exact, sides_of, without};
use crate::ir::{DType, Graph, Map, Node, NodeId, Op, Operand, Size};
use crate::opt::rebuild::Rebuild;

/// A product one of whose factors says which step of one inner loop there is.
pub(super) struct Found {
    /// Without the comparison.
    rest: Product,
    index: Operand,
    /// The inner loop that the index names.
    axis: usize,
}

/// In a product that was opened.
pub(super) fn recognise(graph: &Graph, p: &Product) -> Option<Found> {
    (0..p.factors.len()).find_map(|at| {
        let (test, counter, index) = sides_of(graph, p, at)?;
        let axis = counter.subscripts[0];
        let rest = without(graph, p, &test);
        let apart = axis >= p.rank && !index.subscripts.contains(&axis) && !rest.factors.is_empty();
        let alone = p.loops.len() == p.rank + 1;
        let moves = rest.factors.iter().all(|f| small(graph, f, Place { index: &index, axis }));
        let guards = rest.factors.iter().any(|f| graph.node(f.node).dtype == DType::Bool);
        let whole = graph.node(index.node).dtype == DType::I32;
        (apart && alone && moves && !guards && whole && is_exact(graph, p, &test)).then_some(Found { rest, index, axis })
    })
}

pub(super) fn emit(r: &mut Rebuild, id: NodeId, found: &Found) -> Operand {
    let Found { rest, index, axis } = found;
    let factors: Vec<Operand> = rest.factors.iter().map(|f| moved(r, &rest.loops, f, Place { index, axis: *axis })).collect();
    let node = Node { inner: Vec::new(), name: None, ..r.old.node(id).clone() };
    let value = r.product(node.clone(), factors);
    let index = r.operand(index);
    let inside = inside(r, &node, &index, &rest.loops[*axis].size);
    let none = r.add(Node { op: Op::Const(0.0), shape: Vec::new(), ..node.clone() }, vec![]);
    r.add(Node { op: Op::Map(Map::Select), name: r.old.node(id).name.clone(), ..node }, vec![inside, value, none])
}

/// Whether an index names one of so many places.
fn inside(r: &mut Rebuild, node: &Node, index: &Operand, size: &Size) -> Operand {
    let loops = index.subscripts.clone();
    let axes = loops.iter().map(|k| node.shape[*k].clone()).collect::<Vec<_>>();
    let number = |op: Op| Node { op, dtype: DType::I32, shape: Vec::new(), ..node.clone() };
    let (first, end) = (r.add(number(Op::Const(0.0)), vec![]), r.add(number(Op::Extent(size.clone())), vec![]));
    let index = Operand::new(index.node, (0..loops.len()).collect());
    let mut test = |map: Map, operands: Vec<Operand>| {
        let op = Op::Map(map);
        r.add(Node { op, dtype: DType::Bool, shape: axes.clone(), ..node.clone() }, operands)
    };
    let (low, high) = (test(Map::Le, vec![first, index.clone()]), test(Map::Lt, vec![index, end]));
    let both = test(Map::And, vec![low, high]);
    Operand::new(both.node, loops)
}
