//! Sums of outer products that an index sorts: `out[g, i, o] = Σ a[q, i] b[q, o]` over the rows `q` whose index is `g`.
//!
//! That is the gradient of matrices that an index chooses. As a scatter it would write a whole matrix for every row; the two factors
//! stay apart instead, and each group is one product over its own rows.

use super::build::Planner;
use super::decide::{Choices, Place, Way, What};
use super::hard::Item;
use super::measured::plan::SEGMENT_WORK;
use super::names::called;
use super::view::value;
use super::{Access, Segments, Sizes, Step, View};
use crate::ir::pin::{BY_GROUPS, BY_ROWS};
use crate::ir::{DType, Fold, Graph, Map, NodeId, Op, Operand};

/// The two factors of a scatter's value, in the loops of the scatter, where their outer product is better not made, and nobody pins that it is.
pub(super) fn apart(graph: &Graph, id: NodeId, sizes: &Sizes, choices: &Choices) -> Option<[Operand; 2]> {
    let (factors, elements) = outer(graph, id, sizes)?;
    let prices = choices.prices();
    let product = prices.multiply(elements);
    let ways = vec![Way::priced(BY_GROUPS, product), Way::priced(BY_ROWS, product + prices.touch(elements)).holding(elements)];
    let decision = choices.choose(What::Segments, Place::of(graph.node(id)), &called(graph, id), ways);
    let taken = decision.taken == 0;
    choices.note([decision]);
    taken.then_some(factors)
}

/// The two factors, and how many elements their outer product has.
fn outer(graph: &Graph, id: NodeId, sizes: &Sizes) -> Option<([Operand; 2], f64)> {
    let node = graph.node(id);
    let Op::Scatter { axis, fold: Fold::Sum } = node.op else { return None };
    let [index, made] = graph.operands(id) else { return None };
    let float = |n: NodeId| graph.node(n).dtype == DType::F32;
    let [a, b] = graph.operands(made.node) else { return None };
    if !matches!(graph.node(made.node).op, Op::Map(Map::Mul)) || ![id, a.node, b.node].into_iter().all(float) {
        return None;
    }
    let through = |o: &Operand| Operand::new(o.node, o.subscripts.iter().map(|k| made.subscripts[*k]).collect());
    let [a, b] = [through(a), through(b)];
    let once = |o: &Operand| o.subscripts.iter().enumerate().all(|(k, l)| !o.subscripts[..k].contains(l));
    let own = |x: &Operand, y: &Operand| {
        let mine =
            |l: &usize| *l != axis && x.subscripts.contains(l) && !y.subscripts.contains(l) && !index.subscripts.contains(l);
        (0..node.rank()).filter(mine).map(|l| value(&node.axis(l).size, sizes) as f64).product::<f64>()
    };
    let rows: f64 = node.inner.iter().map(|x| value(&x.size, sizes) as f64).product();
    let (high, wide) = (own(&a, &b), own(&b, &a));
    let elements = rows * high * wide;
    (once(&a) && once(&b) && high > 1.0 && wide > 1.0 && elements >= SEGMENT_WORK).then_some(([a, b], elements))
}

impl Planner<'_> {
    /// A scatter of an outer product.
    pub(super) fn segments(&mut self, id: NodeId, axis: usize, factors: &[Operand; 2]) {
        let node = self.graph.node(id);
        let index = &self.graph.operands(id)[0];
        let to = self.own(id);
        let loops: Vec<usize> = (0..node.rank() + node.inner.len()).filter(|l| *l != axis).collect();
        let kept: Vec<usize> = (0..node.rank()).filter(|l| *l != axis).collect();
        let strides = kept.iter().map(|l| to.strides[*l].clone()).collect();
        let out: Item = (View { strides, ..to.clone() }, kept);
        let [a, b] = factors.each_ref().map(|f| (self.at(f.node), f.subscripts.clone()));
        let mut product = self.product_over(id, &loops, &a, &b, &out);
        product.lead = None;
        let at = self.at(index.node).access(&index.subscripts.iter().map(|l| Some(*l)).collect::<Vec<_>>());
        let terms = at.terms.iter().filter_map(|(l, s)| Some((loops.iter().position(|x| x == l)?, s.clone()))).collect();
        let index = Access { terms, ..at };
        let (count, stride) = (node.shape[axis].size.clone(), to.strides[axis].clone());
        self.push(self.early(id), Step::Segments(Segments { product, index, count, stride }));
    }
}

/// Groups lie one after the other in memory, each as a matrix.
pub(super) fn layout(rank: usize, axis: usize) -> Vec<usize> {
    std::iter::once(axis).chain((0..rank).filter(|d| *d != axis)).collect()
}
