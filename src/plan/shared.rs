//! graph → graph: sums of products that several contractions have in common are nodes of their own.
//!
//! The gradients of a product of `n` factors are `n` products of the adjoint and the other factors, and each of them may begin as the product
//! itself or another gradient does. Planned one by one they cost about `n + 1` times the product; where parts are shared, three times: every
//! tree over the factors and the adjoint gives all of them with three messages at each inner node. Here the parts are chosen one after the
//! other, what saves most first, with sizes known; the order of the product itself may become another one by that.
//!
//! In: a graph, what is wanted of it, its rates, all sizes. Out: a graph of the same meaning to within rounding, where the wanted nodes are,
//! and its rates.

use super::Sizes;
use super::contract::Search;
use super::view;
use crate::ir::{Axis, DType, Graph, Node, NodeId, Op, Operand, Output, Rate};
use std::collections::{BTreeMap, BinaryHeap};

/// Factors of a contraction that is looked at: fewer have no parts, more have too many.
const FACTORS: std::ops::RangeInclusive<usize> = 3..=6;
/// A part is shared where that saves at least this share of what the contractions cost that have it,
const WORTH: f64 = 0.05;
/// and so much in all.
const LEAST: f64 = 16_384.0;

/// A part of contractions: its factors by node, each with the loops that index it, and the loops that are kept. Loops are numbered as they
/// are met.
type Part = (Vec<(NodeId, Vec<usize>)>, Vec<usize>);

/// A contraction that may share.
struct Whole {
    id: NodeId,
    factors: Vec<Operand>,
    masks: Vec<u64>,
    extents: Vec<i64>,
    result: Vec<usize>,
    early: Vec<bool>,
    /// Sets of factors that are shared, which cost nothing here.
    free: Vec<usize>,
    /// What it costs as things are.
    cost: f64,
}

/// Shares what is worth it.
pub(super) fn shared(graph: &Graph, wanted: &[NodeId], rates: &[Rate], sizes: &Sizes) -> Option<(Graph, Vec<NodeId>, Vec<Rate>)> {
    let reach = super::build::reachable(graph, wanted);
    let mut wholes: Vec<Whole> =
        graph.ids().filter(|id| reach[id.index()]).filter_map(|id| Whole::new(graph, id, rates, sizes)).collect();
    let mut users: BTreeMap<Part, Vec<(usize, usize)>> = BTreeMap::new();
    for (n, whole) in wholes.iter().enumerate() {
        for set in 1..(1usize << whole.factors.len()) - 1 {
            if set.count_ones() > 1
                && let Some(part) = whole.part(set)
            {
                users.entry(part).or_default().push((n, set));
            }
        }
    }
    users.retain(|_, list| list.len() > 1);
    let chosen = choose(&mut wholes, &users);
    (!chosen.is_empty()).then(|| rewrite(graph, wanted, rates, &wholes, &users, &chosen))
}

impl Whole {
    fn new(graph: &Graph, id: NodeId, rates: &[Rate], sizes: &Sizes) -> Option<Whole> {
        let node = graph.node(id);
        if !matches!(node.op, Op::Contract) || node.dtype != DType::F32 || node.inner.is_empty() {
            return None;
        }
        let (factors, guards) = graph.factors(id);
        let floats = factors.iter().all(|f| graph.node(f.node).dtype == DType::F32);
        let count = node.shape.len() + node.inner.len();
        if !guards.is_empty() || !floats || !FACTORS.contains(&factors.len()) || count > 60 {
            return None;
        }
        let mut nodes: Vec<NodeId> = factors.iter().map(|f| f.node).collect();
        nodes.sort();
        nodes.dedup();
        let extents: Vec<i64> = (0..count).map(|l| view::value(&node.axis(l).size, sizes)).collect();
        let masks: Vec<u64> = factors.iter().map(|f| f.subscripts.iter().fold(0, |m, l| m | 1 << l)).collect();
        let every = masks.iter().fold(0, |a, b| a | b);
        if nodes.len() < factors.len() || extents.contains(&0) || every.count_ones() as usize != count {
            return None;
        }
        let early = factors.iter().map(|f| rates[f.node.index()] < Rate::Input).collect();
        let factors = factors.to_vec();
        let result = (0..node.shape.len()).collect();
        let mut out = Whole { id, factors, masks, extents, result, early, free: vec![], cost: 0.0 };
        out.cost = out.costs(None).1;
        Some(out)
    }

    /// What a set of factors costs, and what all do where that set is there already.
    fn costs(&self, set: Option<usize>) -> (f64, f64) {
        let search = Search { extents: &self.extents, result: &self.result, masks: self.masks.clone(), early: &self.early };
        let own = set.map_or(0.0, |set| {
            let best = search.run(&self.free)[set].0;
            best + search.writing(set)
        });
        let mut free = self.free.clone();
        free.extend(set);
        (own, search.run(&free).last().map_or(0.0, |b| b.0))
    }

    /// The loops of a set of factors that are left when all others are summed.
    fn kept(&self, set: usize) -> u64 {
        Search { extents: &self.extents, result: &self.result, masks: self.masks.clone(), early: &self.early }.keep(set)
    }

    /// Factors of a set in the order of their nodes, and loops as they are met in it.
    fn met(&self, set: usize) -> (Vec<&Operand>, Vec<usize>) {
        let mut factors: Vec<&Operand> =
            self.factors.iter().enumerate().filter(|(f, _)| set >> f & 1 == 1).map(|(_, o)| o).collect();
        factors.sort_by_key(|o| o.node);
        let mut loops = vec![];
        for l in factors.iter().flat_map(|o| &o.subscripts) {
            if !loops.contains(l) {
                loops.push(*l);
            }
        }
        (factors, loops)
    }

    /// The part that a set of factors is; none where it is no more than they are side by side.
    fn part(&self, set: usize) -> Option<Part> {
        let (factors, loops) = self.met(set);
        let at = |l: &usize| loops.iter().position(|k| k == l).expect("it was met");
        let keep = self.kept(set);
        let kept: Vec<usize> = loops.iter().enumerate().filter(|(_, l)| keep >> **l & 1 == 1).map(|(k, _)| k).collect();
        let part = factors.iter().map(|o| (o.node, o.subscripts.iter().map(at).collect())).collect();
        (kept.len() < loops.len()).then_some((part, kept))
    }
}

/// A part that may be shared, and what was last known to be saved by it.
struct Saving(f64, usize);

impl PartialEq for Saving {
    fn eq(&self, other: &Saving) -> bool {
        self.cmp(other).is_eq()
    }
}
impl Eq for Saving {}
impl PartialOrd for Saving {
    fn partial_cmp(&self, other: &Saving) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Saving {
    fn cmp(&self, other: &Saving) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0).then(other.1.cmp(&self.1))
    }
}

/// The parts that are shared, by their places among all, in the order in which they were chosen.
fn choose(wholes: &mut [Whole], users: &BTreeMap<Part, Vec<(usize, usize)>>) -> Vec<usize> {
    let lists: Vec<&Vec<(usize, usize)>> = users.values().collect();
    // What is saved, and who gains by it.
    let saving = |wholes: &[Whole], k: usize| {
        let (mut once, mut before, mut after, mut gain) = (f64::INFINITY, 0.0, 0.0, vec![]);
        for (n, set) in lists[k] {
            let w = &wholes[*n];
            if w.free.iter().any(|f| f & set != 0 && f & set != *f) {
                continue;
            }
            let (own, with) = w.costs(Some(*set));
            once = once.min(own);
            if with < w.cost {
                gain.push((*n, *set, with));
                before += w.cost;
                after += with;
            }
        }
        let saved = before - after - once;
        (if gain.len() > 1 && saved >= LEAST && saved >= WORTH * before { saved } else { 0.0 }, gain)
    };
    let mut heap: BinaryHeap<Saving> = (0..lists.len()).map(|k| Saving(saving(wholes, k).0, k)).filter(|s| s.0 > 0.0).collect();
    let mut out = vec![];
    while let Some(Saving(_, k)) = heap.pop() {
        let (now, gain) = saving(wholes, k);
        if now <= 0.0 {
            continue;
        }
        if heap.peek().is_some_and(|next| next.0 > now) {
            heap.push(Saving(now, k));
            continue;
        }
        for (n, set, cost) in gain {
            wholes[n].free.push(set);
            wholes[n].cost = cost;
        }
        out.push(k);
    }
    out
}

/// The graph with shared parts as nodes before their first users.
fn rewrite(
    graph: &Graph,
    wanted: &[NodeId],
    rates: &[Rate],
    wholes: &[Whole],
    users: &BTreeMap<Part, Vec<(usize, usize)>>,
    chosen: &[usize],
) -> (Graph, Vec<NodeId>, Vec<Rate>) {
    let parts: Vec<&Part> = users.keys().collect();
    let by_node: BTreeMap<NodeId, &Whole> = wholes.iter().filter(|w| !w.free.is_empty()).map(|w| (w.id, w)).collect();
    let mut work =
        Work { new: Graph::with_room(graph.len() + chosen.len()), rates: vec![], places: vec![], made: BTreeMap::new() };
    for id in graph.ids() {
        let place = match by_node.get(&id) {
            Some(whole) => work.whole(graph, whole, rates[id.index()], &chosen.iter().map(|k| parts[*k]).collect::<Vec<_>>()),
            None => {
                let read = |o: &Operand| Operand::new(work.places[o.node.index()], o.subscripts.clone());
                let operands = graph.operands(id).iter().map(read).collect();
                work.add(graph.node(id).clone(), operands, rates[id.index()])
            }
        };
        work.places.push(place);
    }
    let Work { mut new, rates, places, .. } = work;
    new.outputs.extend(graph.outputs.iter().cloned().map(|o| Output { node: places[o.node.index()], ..o }));
    new.measured.extend(graph.measured.iter().map(|(sym, n)| (sym.clone(), places[n.index()])));
    (new, wanted.iter().map(|w| places[w.index()]).collect(), rates)
}

struct Work {
    new: Graph,
    rates: Vec<Rate>,
    places: Vec<NodeId>,
    made: BTreeMap<Part, NodeId>,
}

impl Work {
    fn add(&mut self, node: Node, operands: Vec<Operand>, rate: Rate) -> NodeId {
        self.rates.push(rate);
        self.new.add(node, operands)
    }

    /// A contraction of shared parts and the factors that are in none. Parts that were chosen first are made first: a later one may read them.
    fn whole(&mut self, graph: &Graph, whole: &Whole, rate: Rate, chosen: &[&Part]) -> NodeId {
        let sets: Vec<usize> = chosen
            .iter()
            .filter_map(|part| whole.free.iter().copied().find(|set| whole.part(*set).as_ref() == Some(*part)))
            .collect();
        // The largest that are in no other.
        let outer: Vec<usize> = sets.iter().copied().filter(|s| !sets.iter().any(|t| t != s && t & s == *s)).collect();
        let mut operands: Vec<Operand> = outer.iter().map(|set| self.part(graph, whole, *set, &sets)).collect();
        let within = |f: usize| outer.iter().any(|set| set >> f & 1 == 1);
        let rest = whole.factors.iter().enumerate().filter(|(f, _)| !within(*f));
        operands.extend(rest.map(|(_, o)| Operand::new(self.places[o.node.index()], o.subscripts.clone())));
        let node = graph.node(whole.id);
        self.contraction(node, &whole.result, operands, rate)
    }

    /// A shared part of a contraction, read over its loops.
    fn part(&mut self, graph: &Graph, whole: &Whole, set: usize, sets: &[usize]) -> Operand {
        let part = whole.part(set).expect("it was one when it was chosen");
        let (_, loops) = whole.met(set);
        let kept: Vec<usize> = part.1.iter().map(|k| loops[*k]).collect();
        if let Some(known) = self.made.get(&part) {
            return Operand::new(*known, kept);
        }
        let inner: Vec<usize> = sets.iter().copied().filter(|s| *s != set && s & set == *s).collect();
        let outer: Vec<usize> = inner.iter().copied().filter(|s| !inner.iter().any(|t| t != s && t & s == *s)).collect();
        let mut operands: Vec<Operand> = outer.iter().map(|s| self.part(graph, whole, *s, &inner)).collect();
        let within = |f: usize| outer.iter().any(|s| s >> f & 1 == 1);
        let own = whole.factors.iter().enumerate().filter(|(f, _)| set >> f & 1 == 1 && !within(*f));
        operands.extend(own.map(|(_, o)| Operand::new(self.places[o.node.index()], o.subscripts.clone())));
        let rate = operands.iter().map(|o| self.rates[o.node.index()]).fold(Rate::Constant, Rate::max);
        let made = self.contraction(graph.node(whole.id), &kept, operands, rate);
        self.new.node_mut(made).name = None;
        self.made.insert(part, made);
        Operand::new(made, kept)
    }

    /// A contraction of these over loops of an old node, of which it keeps some, in this order.
    fn contraction(&mut self, old: &Node, keep: &[usize], operands: Vec<Operand>, rate: Rate) -> NodeId {
        let mut loops = keep.to_vec();
        for l in operands.iter().flat_map(|o| &o.subscripts) {
            if !loops.contains(l) {
                loops.push(*l);
            }
        }
        let axes: Vec<Axis> = loops.iter().map(|l| old.axis(*l).clone()).collect();
        let at = |l: &usize| loops.iter().position(|k| k == l).expect("it is one of them");
        let operands = operands.iter().map(|o| Operand::new(o.node, o.subscripts.iter().map(at).collect())).collect();
        let (shape, inner) = axes.split_at(keep.len());
        let node = Node { shape: shape.to_vec(), inner: inner.to_vec(), ..old.clone() };
        self.add(node, operands, rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grad::pull_back;
    use crate::ir::interp::evaluate;
    use crate::ir::read::read;
    use crate::ir::verify::verify;
    use crate::ir::{Bindings, Data, Tensor};
    use crate::opt::optimize_for;

    /// A product of several factors, squared and summed, with its gradients: the graph, what is wanted of it, what it is computed from.
    fn gradients(factors: &[(&str, &[&str])], kept: &str) -> (Graph, Vec<NodeId>, Bindings) {
        let size = |l: &str| match l {
            "b" => 24,
            "z" => 12,
            "r" => 3,
            _ => 20,
        };
        let (mut text, mut sources) = (String::new(), Bindings::default());
        for (k, (name, loops)) in factors.iter().enumerate() {
            let axes: Vec<String> = loops.iter().map(|l| format!("{l}={}", size(l))).collect();
            text += &format!("%{k}: f32[{}] = input \"{name}\"\n", axes.join(", "));
            let shape: Vec<usize> = loops.iter().map(|l| size(l)).collect();
            let values = (0..shape.iter().product()).map(|n: usize| ((n * 37 + k * 11) % 101) as f64 / 50.0 - 1.0).collect();
            sources.sources.insert((*name).into(), Tensor::new(shape, Data::F64(values)));
        }
        let n = factors.len();
        let all: std::collections::BTreeSet<&str> = factors.iter().flat_map(|(_, l)| l.iter().copied()).collect();
        let axes = |keep: bool| {
            all.iter().filter(|l| kept.contains(**l) == keep).map(|l| format!("{l}={}", size(l))).collect::<Vec<_>>().join(", ")
        };
        let read_all: Vec<String> = factors.iter().enumerate().map(|(k, (_, l))| format!("%{k}[{}]", l.join(", "))).collect();
        let outer: Vec<&str> = all.iter().copied().filter(|l| kept.contains(*l)).collect();
        text += &format!("%{n}: f32[{}] = sum({}) {}\n", axes(true), axes(false), read_all.join(" * "));
        text += &format!(
            "%{}: f32 = sum({}) %{n}[{o}] * %{n}[{o}]\noutput y = %{}\n",
            n + 1,
            axes(true),
            n + 1,
            o = outer.join(", ")
        );
        let mut graph = read(&text).unwrap_or_else(|e| panic!("{text}{e:?}"));
        let y = graph.outputs[0].node;
        let by: Vec<NodeId> = graph.ids().filter(|id| matches!(graph.node(*id).op, Op::Source { .. })).collect();
        let one = graph.add(Node::new(Op::Const(1.0), DType::F32, vec![]), vec![]);
        let slopes = pull_back(&mut graph, &[(y, one)], &by);
        let wanted: Vec<NodeId> = [y].into_iter().chain(slopes.into_iter().flatten()).collect();
        let (graph, wanted) = optimize_for(&graph, &wanted);
        (graph, wanted, sources)
    }

    /// What all contractions of a graph cost, each by itself.
    fn cost(graph: &Graph, wanted: &[NodeId]) -> f64 {
        let (reach, sizes) = (super::super::build::reachable(graph, wanted), Sizes::new());
        let contraction = |id: &NodeId| reach[id.index()] && matches!(graph.node(*id).op, Op::Contract);
        let one = |id: NodeId| {
            let node = graph.node(id);
            let factors = graph.operands(id);
            let extents: Vec<i64> =
                (0..node.shape.len() + node.inner.len()).map(|l| view::value(&node.axis(l).size, &sizes)).collect();
            let result: Vec<usize> = (0..node.shape.len()).collect();
            let masks = factors.iter().map(|f| f.subscripts.iter().fold(0, |m, l| m | 1 << l)).collect();
            let early = vec![false; factors.len()];
            Search { extents: &extents, result: &result, masks, early: &early }.run(&[]).last().unwrap().0
        };
        graph.ids().filter(contraction).map(one).sum()
    }

    #[test]
    fn gradients_of_a_product_cost_no_more_than_three_times_what_it_does() {
        let generated: &[(&str, &[&str])] = &[("h", &["b", "z"]), ("g", &["z", "i", "o"]), ("x", &["b", "i"])];
        let low_rank: &[(&str, &[&str])] = &[("h", &["b", "z"]), ("u", &["z", "i", "r"]), ("v", &["r", "o"]), ("x", &["b", "i"])];
        for (factors, most) in [(generated, 3.3), (low_rank, 3.6)] {
            let (graph, wanted, bound) = gradients(factors, "bo");
            let rates = graph.rates();
            let (new, places, new_rates) = shared(&graph, &wanted, &rates, &Sizes::new()).expect("there is something to share");
            verify(&new).unwrap();
            assert_eq!(new_rates, new.rates());
            let forward = cost(&graph, &wanted[..1]);
            let (before, after) = (cost(&graph, &wanted) / forward, cost(&new, &places) / forward);
            assert!(after <= most && after < 0.9 * before, "{before} {after}");
            let (a, b) = (evaluate(&graph, &bound, &wanted).unwrap(), evaluate(&new, &bound, &places).unwrap());
            for (a, b) in a.iter().zip(&b) {
                assert_eq!(a.shape, b.shape);
                let largest = a.to_f64().iter().fold(0.0f64, |m, x| m.max(x.abs()));
                assert!(a.to_f64().iter().zip(b.to_f64()).all(|(x, y)| (x - y).abs() <= 1e-12 * largest));
            }
            // What is shared already has nothing left to share.
            assert!(shared(&new, &places, &new_rates, &Sizes::new()).is_none());
        }
    }

    #[test]
    fn what_is_alone_or_small_stays_as_it_is() {
        let (graph, wanted, _) = gradients(&[("h", &["b", "z"]), ("g", &["z", "i", "o"]), ("x", &["b", "i"])], "bo");
        assert!(shared(&graph, &wanted[..1], &graph.rates(), &Sizes::new()).is_none());
        let (graph, wanted, _) = gradients(&[("h", &["z", "r"]), ("g", &["r"]), ("x", &["z"])], "z");
        assert!(shared(&graph, &wanted, &graph.rates(), &Sizes::new()).is_none());
    }
}
