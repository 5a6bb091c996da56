//! Sums of products become flat, and are multiplied out where that pays.
//!
//! - A factor that is itself a sum of products joins the sum around it, its inner loops renamed: `sum(o) (sum(i) x w) v` becomes
//!   `sum(o, i) x w v`. So does the sum of a product that nobody else reads. The planner then has every order to choose from.
//! - `sum(i) x[b, i] * (w[i, o] + sum(r) a[b, i, r] * u[b, r, o])` becomes `sum(i) x w + sum(i, r) x a u` when the sum in the
//!   parentheses would be larger than what it is made of, and the count of multiplications says so.
//!
//! A factor that changes less often than its user is prepared once; it is left alone unless joining it makes the user cheaper.

mod cost;
mod product;

use super::rebuild::{Rebuild, rebuild};
use crate::ir::{Graph, Map, Node, NodeId, Op, Operand, Rate};
use cost::{cost, points};
pub use product::Product;

/// How deep sums in products are multiplied out.
const DEPTH: usize = 4;

pub fn run(graph: &Graph) -> Graph {
    let facts = Facts::new(graph);
    rebuild(graph, run, |r, id| {
        let Some(product) = Product::of_sum(graph, id) else { return r.keep(id) };
        let plan = facts.plan(id, product.clone(), DEPTH);
        let same = matches!(&plan, Plan::One(p) if *p == product);
        if same { r.keep(id) } else { emit(r, id, &plan) }
    })
}

/// What a sum of products becomes.
enum Plan {
    One(Product),
    Two(Map, Box<[Plan; 2]>),
}

/// What is known of the old graph.
struct Facts<'g> {
    graph: &'g Graph,
    /// How often each value is read by what an output needs; an output is a read.
    uses: Vec<usize>,
    rates: Vec<Rate>,
}

impl<'g> Facts<'g> {
    fn new(graph: &'g Graph) -> Facts<'g> {
        let live = graph.reachable(graph.outputs.iter().map(|o| o.node));
        let mut uses = vec![0; graph.len()];
        for id in graph.ids().filter(|id| live[id.index()]) {
            graph.operands(id).iter().for_each(|o| uses[o.node.index()] += 1);
        }
        graph.outputs.iter().map(|o| o.node).chain(graph.measured.iter().map(|m| m.1)).for_each(|n| uses[n.index()] += 1);
        // What opens into each of its users has its operands read by all of them.
        for id in graph.ids().rev().filter(|id| live[id.index()]) {
            let opens = matches!(graph.node(id).op, Op::Map(Map::Mul | Map::Copy));
            if opens && uses[id.index()] > 1 {
                let more = uses[id.index()] - 1;
                graph.operands(id).iter().for_each(|o| uses[o.node.index()] += more);
            }
        }
        Facts { graph, uses, rates: graph.rates() }
    }

    /// Whether a value is ready before the node that reads it runs.
    fn is_prepared(&self, id: NodeId, user: NodeId) -> bool {
        self.rates[id.index()] < self.rates[user.index()]
    }

    /// Multiplications that computing a product takes each time its user `id` is computed.
    fn work(&self, id: NodeId, p: &Product) -> f64 {
        let prepared: Vec<bool> = p.factors.iter().map(|f| self.is_prepared(f.node, id)).collect();
        cost(p, &prepared)
    }

    fn plan(&self, id: NodeId, product: Product, depth: usize) -> Plan {
        let flat = self.flatten(id, product);
        let split = (0..flat.factors.len()).filter(|_| depth > 0).find_map(|at| self.multiply_out(id, &flat, at, depth));
        split.unwrap_or(Plan::One(flat))
    }

    fn price(&self, id: NodeId, plan: &Plan) -> f64 {
        match plan {
            Plan::One(p) => self.work(id, p),
            Plan::Two(_, parts) => parts.iter().map(|p| self.price(id, p)).sum::<f64>() + points(&self.graph.node(id).shape),
        }
    }

    /// Opens factors as long as that is allowed and not worse.
    fn flatten(&self, id: NodeId, mut p: Product) -> Product {
        let mut at = 0;
        while at < p.factors.len() {
            match self.open(id, &p, at) {
                Some(opened) => p = opened,
                None => at += 1,
            }
        }
        p
    }

    fn open(&self, id: NodeId, p: &Product, at: usize) -> Option<Product> {
        let factor = p.factors[at].node;
        // What a guard leaves out there is no part of that sum alone.
        let inner = Product::of(self.graph, factor).filter(|_| !self.graph.is_guarded(factor))?;
        let opened = p.open(at, &inner);
        if !opened.fits() {
            return None;
        }
        // Without a sum, a product that is larger than its factors is better not made, whoever else reads it.
        let spreads = inner.loops.len() == inner.rank && inner.factors.iter().all(|f| f.subscripts.len() < inner.rank);
        let free = inner.factors.len() == 1 && inner.loops.len() == inner.rank;
        if !free && !spreads && self.uses[factor.index()] > 1 {
            return None;
        }
        if self.is_prepared(factor, id) && self.work(id, &opened) >= self.work(id, p) {
            return None;
        }
        Some(opened)
    }

    /// The two products that stand for one whose factor `at` is a sum of two, when that is cheaper.
    fn multiply_out(&self, id: NodeId, p: &Product, at: usize, depth: usize) -> Option<Plan> {
        let factor = p.factors[at].node;
        let Op::Map(map @ (Map::Add | Map::Sub)) = self.graph.node(factor).op else { return None };
        if !p.fits() || self.uses[factor.index()] > 1 || self.is_prepared(factor, id) {
            return None;
        }
        let whole = self.work(id, p) + self.avoided(id, factor, points(&self.graph.node(factor).shape))?;
        let addends = self.graph.operands(factor);
        let parts = [0, 1].map(|n| self.plan(id, p.put(at, &addends[n]), depth - 1));
        let plan = Plan::Two(map, Box::new(parts));
        (self.price(id, &plan) < whole).then_some(plan)
    }

    /// What making the value of a node costs that multiplying out would not make; `None` where a value as large as `size`
    /// would still be there.
    fn avoided(&self, id: NodeId, made: NodeId, size: f64) -> Option<f64> {
        let node = self.graph.node(made);
        let own = points(&node.shape);
        let once = self.uses[made.index()] == 1;
        if once && matches!(node.op, Op::Map(Map::Add | Map::Sub)) {
            return self.graph.operands(made).iter().try_fold(own, |sum, o| Some(sum + self.avoided(id, o.node, size)?));
        }
        match Product::of(self.graph, made).filter(|p| once && p.fits()) {
            Some(p) => {
                let small = p.factors.iter().all(|f| points(&self.graph.node(f.node).shape) <= size);
                small.then(|| self.work(id, &p))
            }
            None => (own < size).then_some(0.0),
        }
    }
}

/// Builds a plan in the place of node `id`.
fn emit(r: &mut Rebuild, id: NodeId, plan: &Plan) -> Operand {
    match plan {
        Plan::One(p) => p.emit(r, id),
        Plan::Two(map, parts) => {
            let operands = parts.iter().map(|p| emit(r, id, p)).collect();
            let node = Node { op: Op::Map(*map), inner: Vec::new(), name: None, ..r.old.node(id).clone() };
            r.add(node, operands)
        }
    }
}

impl Product {
    /// Builds the product in the place of node `id`, which has its shape.
    fn emit(&self, r: &mut Rebuild, id: NodeId) -> Operand {
        let operands: Vec<Operand> = self.factors.iter().map(|f| r.operand(f)).collect();
        let (shape, inner) = self.loops.split_at(self.rank);
        let node = Node { shape: shape.to_vec(), inner: inner.to_vec(), name: None, ..r.old.node(id).clone() };
        r.product(node, operands)
    }
}
