//! In which order a product of several factors is summed, and which of its steps are matrix products.
//!
//! Exact search over subsets (at most eight factors; beyond, from left to right). The cost is multiply-adds, plus four for each
//! element of an intermediate result, which has to be written and read again.

use super::view::{self, window};
use super::Sizes;
use crate::ir::{DType, Graph, NodeId, Op, Operand, Pick};

/// How a contraction is computed.
#[derive(Clone, Debug)]
pub(super) enum Order {
    /// As one loop nest over everything.
    Nest,
    /// Pair by pair. Items 0.. are the factors; pair `k` makes item `factors + k`, the last one the result.
    Pairs(Vec<Pair>),
}

/// One step of a contraction.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub a: usize,
    /// `None`: `a` alone is summed over loops that nothing else has.
    pub b: Option<usize>,
    /// Loops of the result.
    pub keep: Vec<usize>,
    /// Whether a matrix product does it; else a loop nest.
    pub product: bool,
    /// Whether `b` is a gather that is read in place.
    pub grouped: bool,
}

struct Item {
    id: usize,
    /// In the order of its dimensions.
    loops: Vec<usize>,
    groups: Option<Vec<usize>>,
}

struct Search<'a> {
    extents: &'a [i64],
    result: &'a [usize],
    masks: Vec<u64>,
}

fn bits(loops: &[usize]) -> u64 {
    loops.iter().fold(0, |m, l| m | 1 << l)
}

impl Search<'_> {
    fn points(&self, mask: u64) -> f64 {
        self.extents.iter().enumerate().filter(|(l, _)| mask >> l & 1 == 1).map(|(_, n)| *n as f64).product()
    }

    /// Loops that the product of a set of factors still needs.
    fn keep(&self, set: usize) -> u64 {
        let (mut inside, mut outside) = (0, bits(self.result));
        for (f, m) in self.masks.iter().enumerate() {
            if set >> f & 1 == 1 { inside |= m } else { outside |= m }
        }
        inside & outside
    }

    /// Cheapest way to make each set of factors: its cost and the part that is split off.
    fn run(&self) -> Vec<(f64, usize)> {
        let full = (1usize << self.masks.len()) - 1;
        let mut best = vec![(f64::INFINITY, 0); full + 1];
        for set in 1..=full {
            if set.count_ones() == 1 {
                let f = set.trailing_zeros() as usize;
                let lost = self.keep(set) != self.masks[f];
                best[set] = (if lost { self.points(self.masks[f]) + 4.0 * self.points(self.keep(set)) } else { 0.0 }, 0);
                continue;
            }
            let mut part = (set - 1) & set;
            while part > 0 {
                let rest = set & !part;
                if part > rest {
                    let own = self.points(self.keep(part) | self.keep(rest));
                    let write = if set == full { 0.0 } else { 4.0 * self.points(self.keep(set)) };
                    let cost = best[part].0 + best[rest].0 + own + write;
                    if cost < best[set].0 {
                        best[set] = (cost, rest);
                    }
                }
                part = (part - 1) & set;
            }
        }
        best
    }
}

/// Index loops of a factor that is a gather by one operand from a source, when it can be read in place.
fn grouped_loops(graph: &Graph, factor: &Operand, sizes: &Sizes) -> Option<Vec<usize>> {
    let Op::Gather { picks, fill } = &graph.node(factor.node).op else { return None };
    if !(fill.is_none() || *fill == Some(0.0)) || window(graph, factor.node, sizes).is_some() {
        return None;
    }
    let operands = graph.operands(factor.node);
    let source = graph.node(operands[0].node);
    let (mut index, mut direct) = (None, Vec::new());
    for (d, p) in picks.iter().enumerate() {
        match p {
            Pick::Operand(k) if index.is_none() => index = Some(*k),
            Pick::Operand(_) => return None,
            Pick::Loop(l) => {
                let extent = view::value(&graph.node(factor.node).shape[*l].size, sizes);
                if direct.contains(l) || extent > view::value(&source.shape[d].size, sizes) {
                    return None;
                }
                direct.push(*l);
            }
        }
    }
    let loops = &operands[index?].subscripts;
    let plain = loops.iter().all(|l| !direct.contains(l)) && source.shape.iter().all(|a| view::value(&a.size, sizes) > 0);
    plain.then(|| loops.iter().map(|l| factor.subscripts[*l]).collect())
}

/// Decides for contraction `id`.
pub(super) fn order(graph: &Graph, id: NodeId, sizes: &Sizes) -> Order {
    let node = graph.node(id);
    let factors = graph.operands(id);
    let count = node.shape.len() + node.inner.len();
    let extents: Vec<i64> = (0..count).map(|l| view::value(&node.axis(l).size, sizes)).collect();
    let floats = factors.iter().all(|f| graph.node(f.node).dtype == DType::F32) && node.dtype == DType::F32;
    if !floats || factors.len() < 2 || factors.len() > 8 || count > 60 || extents.contains(&0) {
        return Order::Nest;
    }
    let result: Vec<usize> = (0..node.shape.len()).collect();
    let search = Search { extents: &extents, result: &result, masks: factors.iter().map(|f| bits(&f.subscripts)).collect() };
    if (0..count).any(|l| !search.masks.iter().any(|m| m >> l & 1 == 1)) {
        return Order::Nest;
    }
    let best = search.run();
    let everything = search.points(search.masks.iter().fold(0, |a, b| a | b));
    let full = (1usize << factors.len()) - 1;
    if everything * (factors.len() - 1) as f64 <= best[full].0 && factors.len() > 2 {
        return Order::Nest;
    }
    let mut pairs = Vec::new();
    let groups: Vec<_> = factors.iter().map(|f| grouped_loops(graph, f, sizes)).collect();
    emit(&search, &best, full, &factors, &groups, &mut pairs);
    let last = pairs.last_mut().map(|p: &mut Pair| {
        p.keep = result.clone();
        p.product
    });
    if factors.len() == 2 && pairs.len() == 1 && last == Some(false) { Order::Nest } else { Order::Pairs(pairs) }
}

fn emit(s: &Search, best: &[(f64, usize)], set: usize, factors: &[Operand], groups: &[Option<Vec<usize>>], out: &mut Vec<Pair>) -> Item {
    let keep = s.keep(set);
    if set.count_ones() == 1 {
        let f = set.trailing_zeros() as usize;
        let mut loops: Vec<usize> = Vec::new();
        factors[f].subscripts.iter().for_each(|l| if !loops.contains(l) { loops.push(*l) });
        if keep == s.masks[f] {
            return Item { id: f, loops, groups: groups[f].clone() };
        }
        loops.retain(|l| keep >> l & 1 == 1);
        out.push(Pair { a: f, b: None, keep: loops.clone(), product: false, grouped: false });
        return Item { id: factors.len() + out.len() - 1, loops, groups: None };
    }
    let rest = best[set].1;
    let mut a = emit(s, best, set & !rest, factors, groups, out);
    let mut b = emit(s, best, rest, factors, groups, out);
    if a.groups.is_some() && b.groups.is_none() || b.id < a.id && b.groups.is_none() {
        std::mem::swap(&mut a, &mut b);
    }
    let mut loops: Vec<usize> = a.loops.iter().chain(b.loops.iter().filter(|l| !a.loops.contains(l))).copied().collect();
    loops.retain(|l| keep >> l & 1 == 1);
    let (ma, mb) = (bits(&a.loops), bits(&b.loops));
    let summed = s.points(ma & mb & !keep);
    let free = s.points((ma ^ mb) & keep);
    let product = ma & mb & !keep != 0 && free > 1.0 && summed > 1.0 && summed * free * s.points(ma & mb & keep) >= 64.0;
    let grouped = product && a.groups.is_none() && b.groups.as_ref().is_some_and(|g| {
        let index = bits(g);
        index & !keep == 0 && ma & mb & keep & !index == 0 && mb & keep & !index != 0 && index != 0
    });
    out.push(Pair { a: a.id, b: Some(b.id), keep: loops.clone(), product, grouped });
    Item { id: factors.len() + out.len() - 1, loops, groups: None }
}
