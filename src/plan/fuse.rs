//! Which values get memory, which are views, and which are computed inside the loops that use them.
//!
//! Goes from users to operands. A value is computed in place when that costs less than writing and reading it: every loop
//! nest that would compute it counts how often. A fold is computed in place only where it would run exactly once per element.

mod place;
mod weigh;

use super::Sizes;
use super::contract::{self, Order};
use super::decide::Choices;
use super::granted::Relied;
use super::measured::plan::EARLY_PRICE;
use super::needed::{Only, needed};
use super::segments;
use super::view;
use crate::ir::{Graph, NodeId, Op, Operand, Pick, Rate, Size};
pub(super) use weigh::squeeze;

/// Where a node's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    Unused,
    /// Computed where it is used.
    Inline,
    /// Read in place through another node's memory.
    View,
    /// In memory of its own.
    Memory,
}

/// The decisions.
pub(super) struct Fusion {
    pub how: Vec<How>,
    pub orders: Vec<Option<Order>>,
    /// Dimensions in the order in which they lie in memory, outermost first, where that is not their own order.
    pub layouts: Vec<Option<Vec<usize>>>,
    /// The conditions under which a row of a node is needed.
    pub needed: Vec<Vec<Only>>,
    /// Of scatters of outer products that are better not made, their two factors.
    pub apart: Vec<Option<[Operand; 2]>>,
}

/// A loop nest under construction, as a tree of loops.
#[derive(Default)]
struct Nest {
    /// For each loop: how often its body runs.
    runs: Vec<f64>,
    /// And how many folds it is part of, one inside the other.
    folds: Vec<usize>,
    values: usize,
}

impl Nest {
    fn push(&mut self, runs: f64, folds: usize) {
        self.runs.push(runs);
        self.folds.push(folds);
    }
}

struct Site {
    nest: usize,
    /// For each dimension the loop of the nest.
    map: Vec<Option<usize>>,
}

struct Fuser<'a> {
    graph: &'a Graph,
    sizes: &'a Sizes,
    choices: &'a Choices<'a>,
    relied: &'a Relied,
    rates: &'a [Rate],
    weights: Vec<f64>,
    forced: Vec<bool>,
    sites: Vec<Vec<Site>>,
    nests: Vec<Nest>,
    result: Fusion,
}

/// Decides for every node.
pub(super) fn fuse(graph: &Graph, wanted: &[NodeId], reach: &[bool], rates: &[Rate], sizes: &Sizes, choices: &Choices) -> Fusion {
    let n = graph.len();
    let needed = needed(graph, wanted, reach, sizes);
    let apart = vec![None; n];
    let mut f = Fuser {
        graph,
        sizes,
        choices,
        relied: &choices.relied,
        rates,
        weights: vec![0.0; n],
        forced: vec![false; n],
        sites: (0..n).map(|_| Vec::new()).collect(),
        nests: Vec::new(),
        result: Fusion {
            how: vec![How::Unused; n],
            orders: (0..n).map(|_| None).collect(),
            layouts: vec![None; n],
            needed,
            apart,
        },
    };
    for only in f.result.needed.iter().flatten() {
        f.forced[only.condition.index()] = true;
    }
    for id in graph.ids().filter(|id| reach[id.index()]) {
        f.weights[id.index()] = f.weigh(id);
        if matches!(graph.node(id).op, Op::Contract) {
            f.result.orders[id.index()] = Some(contract::order(graph, id, rates, sizes, choices));
        }
        f.result.apart[id.index()] = segments::apart(graph, id, sizes, choices);
    }
    wanted.iter().for_each(|w| f.forced[w.index()] = true);
    for id in graph.ids().rev().filter(|id| reach[id.index()]) {
        let how = f.place(id);
        f.result.how[id.index()] = how;
        f.result.layouts[id.index()] = f.result.layouts[id.index()].take().or_else(|| f.layout(id, how));
        f.spread(id, how);
    }
    f.result
}

impl Fuser<'_> {
    fn evaluations(&self, site: &Site) -> f64 {
        site.map.iter().flatten().max().map_or(1.0, |l| self.nests[site.nest].runs[*l])
    }

    /// How many folds a site lies in, one inside the other.
    fn folds(&self, site: &Site) -> usize {
        site.map.iter().flatten().max().map_or(0, |l| self.nests[site.nest].folds[*l])
    }

    /// Steps of a loop. None at all count as one: what costs nothing at these sizes is code all the same, and would grow without end.
    fn steps(&self, size: &Size) -> f64 {
        view::value(size, self.sizes).max(1) as f64
    }

    fn open(&mut self, id: NodeId, inner: bool) -> usize {
        let node = self.graph.node(id);
        let axes = node.shape.iter().chain(if inner { node.inner.as_slice() } else { &[] });
        let mut nest = Nest::default();
        let mut total = 1.0;
        for (n, a) in axes.enumerate() {
            total *= self.steps(&a.size);
            nest.push(total, usize::from(n >= node.rank()));
        }
        self.nests.push(nest);
        self.nests.len() - 1
    }

    /// Tells the operands how they are used.
    fn spread(&mut self, id: NodeId, how: How) {
        let operands = self.graph.operands(id);
        match how {
            How::Unused => {}
            How::View => {
                self.forced[operands[0].node.index()] = true;
            }
            How::Memory => self.spread_memory(id),
            How::Inline => {
                for s in std::mem::take(&mut self.sites[id.index()]) {
                    let map = self.extend(id, &s);
                    self.spread_map(id, s.nest, &map);
                }
            }
        }
    }

    /// The site's map, with fresh loops for a fold.
    fn extend(&mut self, id: NodeId, site: &Site) -> Vec<Option<usize>> {
        let mut map = site.map.clone();
        let (mut total, folds) = (self.evaluations(site), self.folds(site) + 1);
        for a in &self.graph.node(id).inner {
            total *= self.steps(&a.size);
            let nest = &mut self.nests[site.nest];
            nest.push(total, folds);
            map.push(Some(nest.runs.len() - 1));
        }
        map
    }

    fn spread_memory(&mut self, id: NodeId) {
        let operands = self.graph.operands(id);
        let node = self.graph.node(id);
        match &node.op {
            Op::Map(_) | Op::Gather { .. } | Op::Inside(_) | Op::Const(_) | Op::Iota | Op::Extent(_) | Op::Fold(_) => {
                let nest = self.open(id, true);
                let map: Vec<_> = (0..self.nests[nest].runs.len()).map(Some).collect();
                self.spread_map(id, nest, &map);
            }
            Op::Contract if self.nested(id) => {
                let nest = self.open(id, true);
                let map: Vec<_> = (0..self.nests[nest].runs.len()).map(Some).collect();
                self.spread_map(id, nest, &map);
            }
            Op::Contract => self.spread_factors(id),
            Op::Concat { .. } => {
                for o in operands {
                    let nest = self.open(o.node, false);
                    let map = (0..o.subscripts.len()).map(Some).collect();
                    self.site(o.node, nest, map, self.rates[id.index()]);
                }
            }
            Op::Scatter { .. } => {
                self.forced[operands[0].node.index()] = true;
                let factors = self.result.apart[id.index()].as_ref();
                let read: Vec<NodeId> = factors.map_or(vec![operands[1].node], |f| f.each_ref().map(|o| o.node).to_vec());
                read.into_iter().for_each(|n| self.forced[n.index()] = true);
            }
            Op::Source { .. }
            | Op::Arg(_)
            | Op::Reshape
            | Op::Random { .. }
            | Op::Order { .. }
            | Op::Scan { .. }
            | Op::Assign
            | Op::Loop(_)
            | Op::Result(_) => {
                operands.iter().for_each(|o| self.forced[o.node.index()] = true);
            }
        }
    }

    fn spread_factors(&mut self, id: NodeId) {
        let (operands, guards) = self.graph.factors(id);
        let Some(Order::Pairs(pairs)) = self.result.orders[id.index()].clone() else { return };
        if !guards.is_empty() {
            self.spread_mend(id);
        }
        for p in &pairs {
            if !p.product {
                self.spread_elements(id, p, operands);
                continue;
            }
            for (n, k) in p.parts.iter().enumerate().filter(|(_, k)| **k < operands.len()) {
                let o = &operands[*k];
                if p.grouped && n == 1 {
                    self.graph.operands(o.node).iter().for_each(|g| self.forced[g.node.index()] = true);
                } else {
                    self.forced[o.node.index()] = true;
                    let other = p.parts[1 - n.min(1)];
                    let loops = operands
                        .get(other)
                        .map(|o| &o.subscripts)
                        .or_else(|| pairs.get(other.wrapping_sub(operands.len())).map(|p| &p.keep));
                    let layout = loops.and_then(|l| self.layout_of_gather(o, l, &p.keep));
                    self.result.layouts[o.node.index()] = layout;
                }
            }
        }
    }

    /// How a value lies in memory, where that is not in the order of its dimensions.
    fn layout(&self, id: NodeId, how: How) -> Option<Vec<usize>> {
        if let Op::Scatter { axis, .. } = self.graph.node(id).op {
            let apart = !self.forced[id.index()] && axis > 0 && self.result.apart[id.index()].is_some();
            return apart.then(|| segments::layout(self.graph.node(id).rank(), axis));
        }
        self.layout_for_user(id, how)
    }

    /// The order in which the only user goes through a product's result.
    fn layout_for_user(&self, id: NodeId, how: How) -> Option<Vec<usize>> {
        let [site] = self.sites[id.index()].as_slice() else { return None };
        let product =
            matches!(&self.result.orders[id.index()], Some(Order::Pairs(p)) if p.last().is_some_and(|p| p.product && !p.grouped));
        if how != How::Memory || !product || self.forced[id.index()] {
            return None;
        }
        let loops: Vec<usize> = site.map.iter().copied().collect::<Option<_>>()?;
        let mut order: Vec<usize> = (0..loops.len()).collect();
        order.sort_by_key(|d| loops[*d]);
        let sorted = order.windows(2).all(|w| w[0] < w[1]);
        (!sorted && order[0] == 0).then_some(order)
    }

    /// How a gather lies in memory that a product reads: sums in the order of the other factor, and innermost what the source has
    /// innermost.
    fn layout_of_gather(&self, o: &Operand, other: &[usize], keep: &[usize]) -> Option<Vec<usize>> {
        let node = self.graph.node(o.node);
        let Op::Gather { picks, .. } = &node.op else { return None };
        let near: Vec<usize> = match *picks.last()? {
            Pick::Loop(l) => vec![l],
            Pick::Operand(k) => self.graph.operands(o.node)[k].subscripts.clone(),
        };
        let dims: Vec<usize> = (0..node.rank()).collect();
        let kept = |d: &usize| keep.contains(&o.subscripts[*d]);
        let shared = |d: &usize| other.contains(&o.subscripts[*d]);
        let batch: Vec<usize> = dims.iter().copied().filter(|d| kept(d) && shared(d)).collect();
        let rows: Vec<usize> = dims.iter().copied().filter(|d| kept(d) && !shared(d)).collect();
        let mut sums: Vec<usize> = dims.iter().copied().filter(|d| !kept(d)).collect();
        sums.sort_by_key(|d| other.iter().position(|l| *l == o.subscripts[*d]));
        // The longest of the loops that walk along the source's memory is the one that shall be innermost.
        let inner = near.iter().copied().max_by_key(|d| view::value(&node.shape[*d].size, self.sizes))?;
        let parts = if rows.contains(&inner) { [batch, sums, rows] } else { [batch, rows, sums] };
        let order = parts.concat();
        order.windows(2).any(|w| w[0] > w[1]).then_some(order)
    }

    /// What a sum that came out as NaN is taken from once more. That is rare: it shall not decide what lies in memory.
    fn spread_mend(&mut self, id: NodeId) {
        let nest = self.open(id, true);
        self.nests[nest].runs.fill(0.0);
        let rate = self.rates[id.index()];
        for o in self.graph.operands(id) {
            let map = o.subscripts.iter().map(|l| Some(*l)).collect();
            self.site(o.node, nest, map, rate);
        }
    }

    /// Factors that one loop nest multiplies are computed in it.
    fn spread_elements(&mut self, id: NodeId, p: &contract::Pair, operands: &[Operand]) {
        let node = self.graph.node(id);
        let loops = p.loops();
        let mut nest = Nest::default();
        let mut total = 1.0;
        for l in &loops {
            total *= self.steps(&node.axis(*l).size);
            nest.push(total, usize::from(!p.keep.contains(l)));
        }
        self.nests.push(nest);
        let nest = self.nests.len() - 1;
        let rate = if p.early { Rate::Condition } else { Rate::Input };
        for k in p.parts.iter().filter(|k| **k < operands.len()) {
            let map = operands[*k].subscripts.iter().map(|l| loops.iter().position(|x| x == l)).collect();
            self.site(operands[*k].node, nest, map, rate);
        }
    }

    fn spread_map(&mut self, id: NodeId, nest: usize, map: &[Option<usize>]) {
        let node = self.graph.node(id);
        let operands = self.graph.operands(id);
        let rate = self.rates[id.index()];
        self.nests[nest].values += 1;
        let squeezed = matches!(node.op, Op::Reshape).then(|| squeeze(self.graph, id, self.sizes, self.relied)).flatten();
        for (k, o) in operands.iter().enumerate() {
            if matches!(node.op, Op::Gather { .. }) && k == 0 {
                self.forced[o.node.index()] = true;
                continue;
            }
            let sub = match &squeezed {
                Some(s) => s.iter().map(|d| d.and_then(|d| map[d])).collect(),
                None => o.subscripts.iter().map(|l| map[*l]).collect(),
            };
            self.site(o.node, nest, sub, rate);
        }
    }

    fn site(&mut self, id: NodeId, nest: usize, map: Vec<Option<usize>>, rate: Rate) {
        let heavy = self.weights[id.index()] > EARLY_PRICE;
        if rate == Rate::Input && self.rates[id.index()] < Rate::Input && heavy {
            self.forced[id.index()] = true;
        }
        let sites = &mut self.sites[id.index()];
        if !sites.iter().any(|s| s.nest == nest && s.map == map) {
            sites.push(Site { nest, map });
        }
    }
}
