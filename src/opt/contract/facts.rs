//! What is known of a graph whose products are opened: who reads a value, and how often it changes.

use super::Product;
use crate::ir::{Graph, Map, NodeId, Op, Rate};

pub struct Facts<'g> {
    pub graph: &'g Graph,
    /// How often each value is read by what is wanted; being wanted is a read.
    uses: Vec<usize>,
    rates: Vec<Rate>,
}

impl<'g> Facts<'g> {
    pub fn new(graph: &'g Graph, wanted: impl Iterator<Item = NodeId> + Clone, rates: Vec<Rate>) -> Facts<'g> {
        let live = graph.reachable(wanted.clone());
        let mut uses = vec![0; graph.len()];
        for id in graph.ids().filter(|id| live[id.index()]) {
            graph.operands(id).iter().for_each(|o| uses[o.node.index()] += 1);
        }
        wanted.chain(graph.measured.iter().map(|m| m.1)).for_each(|n| uses[n.index()] += 1);
        // What opens into each of its users has its operands read by all of them.
        for id in graph.ids().rev().filter(|id| live[id.index()]) {
            let opens = matches!(graph.node(id).op, Op::Map(Map::Mul | Map::Copy));
            if opens && uses[id.index()] > 1 {
                let more = uses[id.index()] - 1;
                graph.operands(id).iter().for_each(|o| uses[o.node.index()] += more);
            }
        }
        Facts { graph, uses, rates }
    }

    /// How often a value is read.
    pub fn reads(&self, id: NodeId) -> usize {
        self.uses[id.index()]
    }

    pub fn is_read_once(&self, id: NodeId) -> bool {
        self.uses[id.index()] <= 1
    }

    /// Whether a value is ready before the node that reads it runs.
    pub fn is_prepared(&self, id: NodeId, user: NodeId) -> bool {
        self.rates[id.index()] < self.rates[user.index()]
    }

    /// Whether a value depends on no input.
    pub fn is_early(&self, id: NodeId) -> bool {
        self.rates[id.index()] < Rate::Input
    }

    /// Opens all factors that are computed whenever the product is.
    pub fn flatten(&self, id: NodeId, mut p: Product) -> Product {
        let mut at = 0;
        while at < p.factors.len() {
            match self.open(&p, at).filter(|_| !self.is_prepared(p.factors[at].node, id)) {
                Some(opened) => p = opened,
                None => at += 1,
            }
        }
        p
    }

    /// The product with factor `at` opened, where nothing is computed twice by that.
    pub fn open(&self, p: &Product, at: usize) -> Option<Product> {
        let factor = p.factors[at].node;
        // What a guard leaves out there is no part of that sum alone.
        let inner = Product::of(self.graph, factor).filter(|_| !self.graph.is_guarded(factor))?;
        let opened = p.open(at, &inner);
        // Without a sum, a product that is larger than its factors is better not made, whoever else reads it.
        let spreads = inner.loops.len() == inner.rank && inner.factors.iter().all(|f| f.subscripts.len() < inner.rank);
        let free = inner.factors.len() == 1 && inner.loops.len() == inner.rank;
        (opened.fits() && (free || spreads || self.is_read_once(factor))).then_some(opened)
    }
}
