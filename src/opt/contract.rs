//! Sums of products become flat: a factor that is itself a sum of products joins the sum around it, its inner loops renamed.
//! `sum(o) (sum(i) x w) v` becomes `sum(o, i) x w v`. So does the sum of a product that nobody else reads. The planner then has every
//! order to choose from, the one that was written among them.
//!
//! What changes less often than its user is computed once and stays as it is here: whether it is worth it depends on sizes, which the
//! planner knows, as is whether a sum in a product is multiplied out.

mod facts;
mod product;

use super::rebuild::{Rebuild, rebuild};
use crate::ir::{Graph, Node, NodeId, Operand};
pub use facts::Facts;
pub use product::Product;

pub fn run(graph: &Graph) -> Graph {
    let facts = Facts::new(graph, graph.outputs.iter().map(|o| o.node), graph.rates());
    rebuild(graph, run, |r, id| {
        let Some(product) = Product::of_sum(graph, id) else { return r.keep(id) };
        let flat = facts.flatten(id, product.clone());
        if flat == product { r.keep(id) } else { flat.emit(r, id) }
    })
}

impl Product {
    /// Builds the product in the place of node `id`, which has its shape.
    pub fn emit(&self, r: &mut Rebuild, id: NodeId) -> Operand {
        let operands: Vec<Operand> = self.factors.iter().map(|f| r.operand(f)).collect();
        let (shape, inner) = self.loops.split_at(self.rank);
        let node = Node { shape: shape.to_vec(), inner: inner.to_vec(), name: None, ..r.old.node(id).clone() };
        r.product(node, operands)
    }
}
