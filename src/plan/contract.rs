//! In which order a product of several factors is summed, and which of its steps are matrix products.
//!
//! Exact search over subsets (at most eight factors; beyond, from left to right). The cost is multiply-adds, plus four for each
//! element of an intermediate result, which has to be written and read again.

use super::Sizes;
use super::view::{self, window};
use crate::ir::{DType, Graph, Map, NodeId, Op, Operand, Pick, Rate};

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
    /// The items that are multiplied; two where a matrix product does it.
    pub parts: Vec<usize>,
    /// Loops of the result.
    pub keep: Vec<usize>,
    /// Loops of the parts.
    pub over: Vec<usize>,
    /// Whether a matrix product does it; else a loop nest.
    pub product: bool,
    /// Whether the second part is a gather that is read in place.
    pub grouped: bool,
    /// Whether it depends on no input.
    pub early: bool,
}

impl Pair {
    /// The loops of its nest: those of the result, then those that are summed.
    pub fn loops(&self) -> Vec<usize> {
        self.keep.iter().chain(self.over.iter().filter(|l| !self.keep.contains(l))).copied().collect()
    }
}

/// Items that are multiplied element by element, and not yet written down.
struct Item {
    parts: Vec<usize>,
    /// In the order of its dimensions.
    loops: Vec<usize>,
    groups: Option<Vec<usize>>,
    early: bool,
}

pub(super) struct Search<'a> {
    pub extents: &'a [i64],
    pub result: &'a [usize],
    pub masks: Vec<u64>,
    /// Factors that depend on no input: what is made of them alone is made once.
    pub early: &'a [bool],
}

/// Factors that are searched exactly; beyond, all is one loop nest.
const MOST: usize = 10;

/// What a prepared step costs, compared with one of every run.
const ONCE: f64 = 0.01;

fn bits(loops: &[usize]) -> u64 {
    loops.iter().fold(0, |m, l| m | 1 << l)
}

impl Search<'_> {
    fn points(&self, mask: u64) -> f64 {
        self.extents.iter().enumerate().filter(|(l, _)| mask >> l & 1 == 1).map(|(_, n)| *n as f64).product()
    }

    /// Loops that the product of a set of factors still needs.
    pub fn keep(&self, set: usize) -> u64 {
        let (mut inside, mut outside) = (0, bits(self.result));
        for (f, m) in self.masks.iter().enumerate() {
            if set >> f & 1 == 1 { inside |= m } else { outside |= m }
        }
        inside & outside
    }

    /// What it costs to write down the product of a set of factors and to read it again.
    pub fn writing(&self, set: usize) -> f64 {
        self.rate(set) * 4.0 * self.points(self.keep(set))
    }

    fn rate(&self, set: usize) -> f64 {
        if (0..self.masks.len()).all(|f| set >> f & 1 == 0 || self.early[f]) { ONCE } else { 1.0 }
    }

    /// Cheapest way to make each set of factors: its cost and the part that is split off. Those sets are there already that are `free`.
    pub fn run(&self, free: &[usize]) -> Vec<(f64, usize)> {
        let full = (1usize << self.masks.len()) - 1;
        let mut best = vec![(f64::INFINITY, 0); full + 1];
        for set in 1..=full {
            if free.contains(&set) {
                best[set].0 = 0.0;
                continue;
            }
            if set.count_ones() == 1 {
                let f = set.trailing_zeros() as usize;
                let lost = self.keep(set) != self.masks[f];
                let rate = if self.early[f] { ONCE } else { 1.0 };
                best[set] = (if lost { rate * (self.points(self.masks[f]) + 4.0 * self.points(self.keep(set))) } else { 0.0 }, 0);
                continue;
            }
            let rate = self.rate(set);
            let mut part = (set - 1) & set;
            while part > 0 {
                let rest = set & !part;
                if part > rest {
                    let own = self.points(self.keep(part) | self.keep(rest));
                    let write = if set == full { 0.0 } else { 4.0 * self.points(self.keep(set)) };
                    let cost = best[part].0 + best[rest].0 + rate * (own + write);
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

/// Whether a factor is a choice of something where the guard holds, and of 0 elsewhere.
fn is_zero_without(graph: &Graph, factor: &Operand, guard: &Operand) -> bool {
    let through = |n: usize| {
        let o = &graph.operands(factor.node)[n];
        Operand::new(o.node, o.subscripts.iter().map(|k| factor.subscripts[*k]).collect())
    };
    match &graph.node(factor.node).op {
        Op::Map(Map::Copy) => is_zero_without(graph, &through(0), guard),
        Op::Map(Map::Select) => through(0) == *guard && matches!(&graph.node(through(2).node).op, Op::Const(x) if *x == 0.0),
        Op::Map(Map::ToF32) => through(0) == *guard,
        _other => false,
    }
}

/// Decides for contraction `id`.
pub(super) fn order(graph: &Graph, id: NodeId, rates: &[Rate], sizes: &Sizes) -> Order {
    let node = graph.node(id);
    let (factors, guards) = graph.factors(id);
    // Pairs know nothing of guards: they are right where a factor is 0 already where a guard is false.
    if !guards.iter().all(|g| factors.iter().any(|f| is_zero_without(graph, f, g))) {
        return Order::Nest;
    }
    let count = node.shape.len() + node.inner.len();
    let extents: Vec<i64> = (0..count).map(|l| view::value(&node.axis(l).size, sizes)).collect();
    let floats = factors.iter().all(|f| graph.node(f.node).dtype == DType::F32) && node.dtype == DType::F32;
    if !floats || factors.len() < 2 || factors.len() > MOST || count > 60 || extents.contains(&0) {
        return Order::Nest;
    }
    let result: Vec<usize> = (0..node.shape.len()).collect();
    let early: Vec<bool> = factors.iter().map(|f| rates[f.node.index()] < Rate::Input).collect();
    let masks = factors.iter().map(|f| bits(&f.subscripts)).collect();
    let search = Search { extents: &extents, result: &result, masks, early: &early };
    if (0..count).any(|l| !search.masks.iter().any(|m| m >> l & 1 == 1)) {
        return Order::Nest;
    }
    let best = search.run(&[]);
    let everything = search.points(search.masks.iter().fold(0, |a, b| a | b));
    let full = (1usize << factors.len()) - 1;
    if everything * (factors.len() - 1) as f64 <= best[full].0 && factors.len() > 2 {
        return Order::Nest;
    }
    let mut pairs = Vec::new();
    let groups: Vec<_> = factors.iter().map(|f| grouped_loops(graph, f, sizes)).collect();
    let mut w = Writer { s: &search, best: &best, factors, groups: &groups, pairs };
    let last = w.emit(full);
    if last.parts.len() > 1 || last.parts[0] < factors.len() {
        w.write(last, &result);
    }
    pairs = w.pairs;
    if let Some(p) = pairs.last_mut() {
        p.keep.clone_from(&result);
    }
    if matches!(pairs.as_slice(), [p] if !p.product) { Order::Nest } else { Order::Pairs(pairs) }
}

struct Writer<'a> {
    s: &'a Search<'a>,
    best: &'a [(f64, usize)],
    factors: &'a [Operand],
    groups: &'a [Option<Vec<usize>>],
    pairs: Vec<Pair>,
}

impl Writer<'_> {
    fn push(&mut self, pair: Pair, groups: Option<Vec<usize>>) -> Item {
        let (loops, early) = (pair.keep.clone(), pair.early);
        self.pairs.push(pair);
        Item { parts: vec![self.factors.len() + self.pairs.len() - 1], loops, groups, early }
    }

    /// Writes an element by element product down.
    fn write(&mut self, item: Item, keep: &[usize]) -> Item {
        let pair =
            Pair { parts: item.parts, over: item.loops, keep: keep.to_vec(), product: false, grouped: false, early: item.early };
        self.push(pair, None)
    }

    fn settled(&mut self, item: Item) -> Item {
        if item.parts.len() == 1 {
            return item;
        }
        let keep = item.loops.clone();
        self.write(item, &keep)
    }

    fn emit(&mut self, set: usize) -> Item {
        let keep = self.s.keep(set);
        if set.count_ones() == 1 {
            let f = set.trailing_zeros() as usize;
            let mut loops: Vec<usize> = Vec::new();
            self.factors[f].subscripts.iter().for_each(|l| {
                if !loops.contains(l) {
                    loops.push(*l)
                }
            });
            let item = Item { parts: vec![f], loops, groups: self.groups[f].clone(), early: self.s.early[f] };
            if keep == self.s.masks[f] {
                return item;
            }
            let kept: Vec<usize> = item.loops.iter().copied().filter(|l| keep >> l & 1 == 1).collect();
            return self.write(item, &kept);
        }
        let rest = self.best[set].1;
        let mut a = self.emit(set & !rest);
        let mut b = self.emit(rest);
        if a.groups.is_some() && b.groups.is_none() || b.parts[0] < a.parts[0] && b.groups.is_none() {
            std::mem::swap(&mut a, &mut b);
        }
        self.multiply(a, b, keep)
    }

    fn multiply(&mut self, a: Item, b: Item, keep: u64) -> Item {
        let s = self.s;
        let all: Vec<usize> = a.loops.iter().chain(b.loops.iter().filter(|l| !a.loops.contains(l))).copied().collect();
        let kept = |mask: u64| all.iter().copied().filter(|l| mask >> l & 1 == 1).collect::<Vec<_>>();
        let (ma, mb) = (bits(&a.loops), bits(&b.loops));
        let early = a.early && b.early;
        let summed = s.points(ma & mb & !keep);
        let free = s.points((ma ^ mb) & keep);
        let product = ma & mb & !keep != 0 && free > 1.0 && summed > 4.0 && summed * free * s.points(ma & mb & keep) >= 64.0;
        let index = b.groups.as_ref().filter(|_| a.groups.is_none()).map_or(0, |g| bits(g));
        let wide = keep | (index & (ma | mb));
        let grouped = index != 0
            && ma & mb & !wide != 0
            && ma & mb & wide & !index == 0
            && mb & wide & !index != 0
            && s.points(ma | mb) >= 64.0;
        if !product && !grouped {
            let item = Item { parts: a.parts.into_iter().chain(b.parts).collect(), loops: all.clone(), groups: None, early };
            return if (ma | mb) & !keep == 0 { item } else { self.write(item, &kept(keep)) };
        }
        let (a, b) = (self.settled(a), self.settled(b));
        let parts = vec![a.parts[0], b.parts[0]];
        let keeps = kept(if grouped { wide } else { keep });
        let made = self.push(Pair { parts, over: all.clone(), keep: keeps, product: true, grouped, early }, None);
        // Rows that an index tells apart are summed afterwards.
        if grouped && wide != keep { self.write(made, &kept(keep)) } else { made }
    }
}
