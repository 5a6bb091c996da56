//! A sum of products over some loops, taken apart.

use crate::ir::{Axis, Fold, Graph, Map, NodeId, Op, Operand};

/// No product is made with more factors, so that a planner can try all orders.
pub const FACTORS: usize = 8;
/// No product is made with more loops.
pub const LOOPS: usize = 16;

/// `sum(inner) factor * factor * ..`; the factors read nodes of the old graph.
#[derive(Clone, Debug, PartialEq)]
pub struct Product {
    /// The loops of the result, then the inner ones.
    pub loops: Vec<Axis>,
    /// How many loops make the result.
    pub rank: usize,
    pub factors: Vec<Operand>,
}

impl Product {
    /// The product that a node is, a sum or not.
    pub fn of(graph: &Graph, id: NodeId) -> Option<Product> {
        let plain = matches!(graph.node(id).op, Op::Map(Map::Mul | Map::Copy));
        if plain { Some(Product::take(graph, id)) } else { Product::of_sum(graph, id) }
    }

    /// The product that a node sums.
    pub fn of_sum(graph: &Graph, id: NodeId) -> Option<Product> {
        matches!(graph.node(id).op, Op::Contract | Op::Fold(Fold::Sum)).then(|| Product::take(graph, id))
    }

    fn take(graph: &Graph, id: NodeId) -> Product {
        let node = graph.node(id);
        let loops = node.shape.iter().chain(&node.inner).cloned().collect();
        Product { loops, rank: node.rank(), factors: graph.operands(id).to_vec() }
    }

    /// Whether a planner can try all its orders.
    pub fn fits(&self) -> bool {
        self.factors.len() <= FACTORS && self.loops.len() <= LOOPS
    }

    /// Puts the factors of `inner` in the place of factor `at`, which is its value.
    pub fn open(&self, at: usize, inner: &Product) -> Product {
        let mut out = self.clone();
        let mut renamed = self.factors[at].subscripts.clone();
        for axis in &inner.loops[inner.rank..] {
            renamed.push(out.loops.len());
            out.loops.push(axis.clone());
        }
        let read = |f: &Operand| Operand::new(f.node, f.subscripts.iter().map(|k| renamed[*k]).collect());
        out.factors.splice(at..=at, inner.factors.iter().map(read));
        out
    }

    /// Puts `operand`, as factor `at` reads it, in the place of factor `at`.
    pub fn put(&self, at: usize, operand: &Operand) -> Product {
        let mut out = self.clone();
        let through = &self.factors[at].subscripts;
        out.factors[at] = Operand::new(operand.node, operand.subscripts.iter().map(|k| through[*k]).collect());
        out
    }
}
