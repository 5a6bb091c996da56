//! graph → graph: sums of products that several contractions have in common are nodes of their own.
//!
//! The gradients of a product of `n` factors are `n` products of the adjoint and the other factors, and each of them may begin as the product
//! itself or another gradient does. Planned one by one they cost about `n + 1` times the product; where parts are shared, three times: every
//! tree over the factors and the adjoint gives all of them with three messages at each inner node. Here the parts are chosen one after the
//! other, what saves most first, with sizes known; the order of the product itself may become another one by that.
//!
//! In: a graph, what is wanted of it, its rates, all sizes. Out: a graph of the same meaning to within rounding, where the wanted nodes are,
//! and its rates.

mod rewrite;

use super::Sizes;
use super::decide::{Choices, Place, Way, What};
use super::measured::plan::{SHARED_GAIN, SHARED_NS};
use super::names::called;
use super::order::{Search, bits};
use super::prices::Prices;
use super::view;
use crate::ir::pin::{BY_EACH, COMPUTED_ONCE};
use crate::ir::{DType, Graph, NodeId, Op, Operand, Rate};
use rewrite::rewrite;
use std::collections::{BTreeMap, BinaryHeap};

/// Factors of a contraction that is looked at: fewer have no parts, more have too many.
const FACTORS: std::ops::RangeInclusive<usize> = 3..=6;

/// A part of contractions: its factors by node, each with the loops that index it, and the loops that are kept. Loops are numbered as they
/// are met.
type Part = (Vec<(NodeId, Vec<usize>)>, Vec<usize>);

/// A contraction that may share.
struct Whole<'a> {
    prices: &'a Prices,
    id: NodeId,
    factors: Vec<Operand>,
    masks: Vec<u64>,
    extents: Vec<f64>,
    result: u64,
    early: Vec<bool>,
    /// Sets of factors that are shared, which cost nothing here.
    free: Vec<usize>,
    /// What it costs as things are.
    cost: f64,
}

/// Shares what is worth it.
pub(super) fn shared(
    graph: &Graph,
    wanted: &[NodeId],
    rates: &[Rate],
    sizes: &Sizes,
    choices: &Choices,
) -> Option<(Graph, Vec<NodeId>, Vec<Rate>)> {
    let reach = super::build::reachable(graph, wanted);
    let mut wholes: Vec<Whole> = graph
        .ids()
        .filter(|id| reach[id.index()])
        .filter_map(|id| Whole::new(graph, id, rates, sizes, choices.prices()))
        .collect();
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
    let chosen = choose(&mut wholes, &users, &|k, ways| taken(graph, users.keys().nth(k).expect("one of them"), ways, choices));
    (!chosen.is_empty()).then(|| rewrite(graph, wanted, rates, &wholes, &users, &chosen))
}

impl<'a> Whole<'a> {
    fn new(graph: &Graph, id: NodeId, rates: &[Rate], sizes: &Sizes, prices: &'a Prices) -> Option<Whole<'a>> {
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
        let extents: Vec<f64> = (0..count).map(|l| view::value(&node.axis(l).size, sizes) as f64).collect();
        let masks: Vec<u64> = factors.iter().map(|f| bits(&f.subscripts)).collect();
        let every = masks.iter().fold(0, |a, b| a | b);
        if nodes.len() < factors.len() || extents.contains(&0.0) || every.count_ones() as usize != count {
            return None;
        }
        let early = factors.iter().map(|f| rates[f.node.index()] < Rate::Input).collect();
        let factors = factors.to_vec();
        let result = (1 << node.shape.len()) - 1;
        let mut out = Whole { prices, id, factors, masks, extents, result, early, free: vec![], cost: 0.0 };
        out.cost = out.costs(None).1;
        Some(out)
    }

    /// What a set of factors costs, and what all do where that set is there already.
    fn costs(&self, set: Option<usize>) -> (f64, f64) {
        let search = self.search();
        let own = set.map_or(0.0, |set| search.run(&self.free)[set].ns + search.writing(set));
        let mut free = self.free.clone();
        free.extend(set);
        (own, search.least(&free))
    }

    /// The loops of a set of factors that are left when all others are summed.
    fn kept(&self, set: usize) -> u64 {
        self.search().keep(set)
    }

    fn search(&self) -> Search<'_> {
        Search { prices: self.prices, extents: &self.extents, result: self.result, masks: self.masks.clone(), early: &self.early }
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
fn choose(
    wholes: &mut [Whole],
    users: &BTreeMap<Part, Vec<(usize, usize)>>,
    takes: &dyn Fn(usize, (f64, f64)) -> bool,
) -> Vec<usize> {
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
        (if gain.len() > 1 && saved >= SHARED_NS && saved >= SHARED_GAIN * before { saved } else { 0.0 }, gain)
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
        let apart: f64 = gain.iter().map(|(n, _, _)| wholes[*n].cost).sum();
        if !takes(k, (apart - now, apart)) {
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

/// Whether a part is shared that makes this of what its users cost.
fn taken(graph: &Graph, part: &Part, (shared, apart): (f64, f64), choices: &Choices) -> bool {
    let names: Vec<String> = part.0.iter().map(|(id, _)| called(graph, *id)).collect();
    let name = names.join(" · ");
    let ways = vec![Way::priced(COMPUTED_ONCE, shared), Way::priced(BY_EACH, apart)];
    let last = part.0.iter().map(|(id, _)| graph.node(*id)).max_by_key(|n| n.span.start);
    let decision = choices.choose(What::Shared, last.map(Place::of).unwrap_or_default(), &name, ways);
    let taken = decision.taken == 0;
    choices.note([decision]);
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grad::pull_back;
    use crate::ir::Node;
    use crate::ir::interp::evaluate;
    use crate::ir::read::read;
    use crate::ir::verify::verify;
    use crate::ir::{Bindings, Data, Tensor};
    use crate::opt::optimize_for;
    use crate::plan::decide::Terms;

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
            let extents: Vec<f64> =
                (0..node.shape.len() + node.inner.len()).map(|l| view::value(&node.axis(l).size, &sizes) as f64).collect();
            let masks = factors.iter().map(|f| bits(&f.subscripts)).collect();
            let early = vec![false; factors.len()];
            Search {
                prices: &Prices::generic(),
                extents: &extents,
                result: bits(&(0..node.shape.len()).collect::<Vec<_>>()),
                masks,
                early: &early,
            }
            .least(&[])
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
            let (new, places, new_rates) =
                shared(&graph, &wanted, &rates, &Sizes::new(), &Choices::new(&Terms::default(), &graph))
                    .expect("there is something to share");
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
            assert!(shared(&new, &places, &new_rates, &Sizes::new(), &Choices::new(&Terms::default(), &graph)).is_none());
        }
    }

    #[test]
    fn what_is_alone_or_small_stays_as_it_is() {
        let (graph, wanted, _) = gradients(&[("h", &["b", "z"]), ("g", &["z", "i", "o"]), ("x", &["b", "i"])], "bo");
        assert!(shared(&graph, &wanted[..1], &graph.rates(), &Sizes::new(), &Choices::new(&Terms::default(), &graph)).is_none());
        let (graph, wanted, _) = gradients(&[("h", &["z", "r"]), ("g", &["r"]), ("x", &["z"])], "z");
        assert!(shared(&graph, &wanted, &graph.rates(), &Sizes::new(), &Choices::new(&Terms::default(), &graph)).is_none());
    }
}
