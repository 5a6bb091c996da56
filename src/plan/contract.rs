//! In which order a product of several factors is summed, and which of its steps are matrix products.
//!
//! The order is searched in `order`; here its steps are written down. Of a product of many factors some have met before (`narrow`).

use super::Sizes;
use super::decide::{Choices, Place, Way, What};
use super::granted::Relied;
use super::measured::plan::{GROUPED_WORK, PRODUCT_TERMS, PRODUCT_WORK};
use super::names::called;
use super::narrow::MOST;
use super::order::{Best, Search, bits};
use super::tree;
use super::view::{self, window};
use crate::ir::pin::{GATHERED_FIRST, IN_PLACE};
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

/// Index loops of a factor that is a gather by one operand from a source, when it can be read in place.
fn grouped_loops(graph: &Graph, factor: &Operand, sizes: &Sizes, relied: &Relied) -> Option<Vec<usize>> {
    let Op::Gather { picks, fill } = &graph.node(factor.node).op else { return None };
    if !(fill.is_none() || *fill == Some(0.0)) || window(graph, factor.node, sizes, relied).is_some() {
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
                let (extent, places) = (&graph.node(factor.node).shape[*l].size, &source.shape[d].size);
                if direct.contains(l) || view::value(extent, sizes) > view::value(places, sizes) {
                    return None;
                }
                relied.at_most(extent, places);
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
pub(super) fn order(graph: &Graph, id: NodeId, rates: &[Rate], sizes: &Sizes, choices: &Choices) -> Order {
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
    let lengths: Vec<f64> = extents.iter().map(|n| *n as f64).collect();
    let search = Search { prices: choices.prices(), extents: &lengths, result: bits(&result), masks, early: &early };
    if (0..count).any(|l| !search.masks.iter().any(|m| m >> l & 1 == 1)) {
        return Order::Nest;
    }
    let mut best = search.run(&[]);
    let full = search.full();
    if factors.len() > 2 {
        let Some(decided) = decided(graph, id, &search, &best, choices) else { return Order::Nest };
        best = decided;
    }
    let mut pairs = Vec::new();
    let groups: Vec<_> = factors.iter().map(|f| grouped_loops(graph, f, sizes, &choices.relied)).collect();
    let mut w = Writer { graph, id, choices, s: &search, best: &best, factors, groups: &groups, pairs };
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

/// Ways that are looked at besides the cheapest.
const WAYS: usize = 3;

/// The order of three factors or more, by what is taken for each set of them; none where all is one loop nest.
fn decided(graph: &Graph, id: NodeId, search: &Search, best: &[Best], choices: &Choices) -> Option<Vec<Best>> {
    let node = graph.node(id);
    let (name, place) = (called(graph, id), Place::of(node));
    let names = tree::told_apart(graph.factors(id).0.iter().map(|f| called(graph, f.node)).collect());
    let mut ways = vec![(format!("{} in one loop nest", names.join(" · ")), search.nest(), None)];
    for way in search.ways(best).into_iter().take(WAYS) {
        let mut best = best.to_vec();
        best[search.full()] = way;
        ways.push((tree::text(&names, &best, search.full()), way.ns, Some(best)));
    }
    // Whoever asks for an order by its words gets it at all lengths, also where it is none of the cheapest.
    for asked in choices.asked(What::Order, &place, &name) {
        let read = || tree::read(asked, &names).and_then(|steps| search.along(best, &steps));
        let Some(best) = ways.iter().all(|w| w.0 != asked).then(read).flatten() else { continue };
        let text = tree::text(&names, &best, search.full());
        match ways.iter_mut().find(|w| w.0 == text) {
            // The same from the other side: it is shown as the source writes it.
            Some(way) => way.0 = asked.to_string(),
            None => ways.push((asked.to_string(), best[search.full()].ns, Some(best))),
        }
    }
    ways.sort_by(|a, b| a.1.total_cmp(&b.1));
    let held = |best: &Option<Vec<Best>>| best.as_ref().map_or(0.0, |best| search.largest(best, search.full()));
    let texts = ways.iter().map(|(text, ns, best)| Way::priced(text.clone(), *ns).holding(held(best))).collect();
    let decision = choices.choose(What::Order, place, &name, texts);
    let taken = ways.swap_remove(decision.taken).2;
    choices.note([decision]);
    taken
}

struct Writer<'a> {
    graph: &'a Graph,
    id: NodeId,
    choices: &'a Choices<'a>,
    s: &'a Search<'a>,
    best: &'a [Best],
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
        let rest = self.best[set].rest;
        let mut a = self.emit(set & !rest);
        let mut b = self.emit(rest);
        if a.groups.is_some() && b.groups.is_none() || b.parts[0] < a.parts[0] && b.groups.is_none() {
            std::mem::swap(&mut a, &mut b);
        }
        self.multiply(a, b, keep)
    }

    /// Whether matrices that an index chooses are read where they lie. Where it is summed over who asks, so many elements are `written` for
    /// each of them; else so many are `copied`.
    fn in_place(&self, factor: usize, written: f64, copied: f64) -> bool {
        let prices = self.choices.prices();
        let mut ways = [(IN_PLACE, prices.touch(written), written), (GATHERED_FIRST, prices.touch(copied), copied)];
        if written > copied {
            ways.reverse();
        }
        let (name, place) = (called(self.graph, self.factors[factor].node), Place::of(self.graph.node(self.id)));
        let priced = ways.map(|(text, ns, held)| Way::priced(text, ns).holding(held)).to_vec();
        let decision = self.choices.choose(What::Gathered, place, &name, priced);
        let taken = ways[decision.taken].0;
        self.choices.note([decision]);
        taken == IN_PLACE
    }

    fn multiply(&mut self, a: Item, b: Item, keep: u64) -> Item {
        let s = self.s;
        let all: Vec<usize> = a.loops.iter().chain(b.loops.iter().filter(|l| !a.loops.contains(l))).copied().collect();
        let kept = |mask: u64| all.iter().copied().filter(|l| mask >> l & 1 == 1).collect::<Vec<_>>();
        let (ma, mb) = (bits(&a.loops), bits(&b.loops));
        let early = a.early && b.early;
        let summed = s.points(ma & mb & !keep);
        let free = s.points((ma ^ mb) & keep);
        let work = summed * free * s.points(ma & mb & keep);
        let product = ma & mb & !keep != 0 && free > 1.0 && summed > PRODUCT_TERMS && work >= PRODUCT_WORK;
        let index = b.groups.as_ref().filter(|_| a.groups.is_none()).map_or(0, |g| bits(g));
        let wide = keep | (index & (ma | mb));
        let grouped = index != 0
            && ma & mb & !wide != 0
            && ma & mb & wide & !index == 0
            && mb & wide & !index != 0
            && s.points(ma | mb) >= GROUPED_WORK
            && self.in_place(b.parts[0], if wide == keep { 0.0 } else { s.points(wide & (ma | mb)) }, s.points(mb));
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

#[cfg(test)]
mod tests {
    use crate::ir::read::read;
    use crate::plan::{Sizes, Step, plan};

    /// How many products of a text's plan find their matrices by an index.
    fn grouped(text: &str, sizes: &[(&str, i64)]) -> usize {
        let graph = read(text).unwrap_or_else(|e| panic!("{text}{e:?}"));
        let wanted: Vec<_> = graph.outputs.iter().map(|o| o.node).collect();
        let sizes: Sizes = sizes.iter().map(|(name, n)| ((*name).into(), *n)).collect();
        plan(&graph, &wanted, &sizes).unwrap().steps.iter().filter(|s| matches!(s, Step::Grouped(_))).count()
    }

    #[test]
    fn matrices_are_found_by_an_index_where_they_are_larger_than_what_is_made_of_each() {
        // Experts: each pair of a row and a seat has a matrix, and their results are summed over the seats.
        let experts = "%0: f32[e=8, i=32, o=32] = param \"w\"
             %1: i32[t, k=2] = input \"at\"
             %2: f32[t, k=2, i=32, o=32] = gather %0[%1[t, k], i, o]
             %3: f32[t, k=2, i=32] = input \"x\"
             %4: f32[t, o=32] = sum(k=2, i=32) %3[t, k, i] * %2[t, k, i, o]
             output y = %4";
        assert_eq!(grouped(experts, &[("t", 64)]), 1);
        // Attention: each query sums over all keys, whose values a word decides.
        let words = "%0: f32[w=4000, h=2, o=16] = input \"table\"
             %1: i32[b, s] = input \"text\"
             %2: f32[b, s, h=2, o=16] = gather %0[%1[b, s], h, o]
             %3: f32[b, t, h=2, s] = input \"p\"
             %4: f32[b, t, o=16] = sum(h=2, s) %3[b, t, h, s] * %2[b, s, h, o]
             output y = %4";
        assert_eq!(grouped(words, &[("b", 4), ("t", 8), ("s", 8)]), 0);
        assert_eq!(grouped(words, &[("b", 4), ("t", 2), ("s", 8)]), 1);
    }
}
