//! Products of more factors than are searched exactly: pairs of them meet first, until few are left.
//!
//! In: a graph, and how long its loops are. Out: a graph whose products have at most [`MOST`] factors. Which pairs meet is chosen greedily, by
//! what their product has more elements than both have, and in some trials with noise (Gray and Kourtis 2021); the trial is kept that takes
//! the fewest multiplications. The noise has a fixed seed: the same product always gives the same pairs.

use super::order::bits;
use super::{Sizes, view};
use crate::ir::{DType, Graph, Node, NodeId, Op, Operand, Output, OutputKind};
use crate::opt::{Rebuild, rebuild};
use std::collections::BTreeMap;

/// Factors of which all orders are tried.
pub(super) const MOST: usize = 12;

/// Orders that are tried: the greedy one, and some beside it.
const TRIALS: u64 = 32;

/// A product of many factors as bits: what loops each has, and the result.
struct Wide {
    masks: Vec<u64>,
    result: u64,
    extents: Vec<f64>,
}

impl Wide {
    fn points(&self, mask: u64) -> f64 {
        self.extents.iter().enumerate().filter(|(l, _)| mask >> l & 1 == 1).map(|(_, n)| *n).product()
    }

    /// The loops that the product of two items still needs.
    fn keep(&self, items: &[u64], a: usize, b: usize) -> u64 {
        let others = items.iter().enumerate().filter(|(k, _)| *k != a && *k != b).fold(self.result, |m, (_, x)| m | x);
        (items[a] | items[b]) & others
    }

    /// Pairs of items, the later one taken out and its place taken by the last; and how many multiplications they take.
    fn trial(&self, seed: u64) -> (f64, Vec<(usize, usize)>) {
        let (mut items, mut pairs, mut cost, mut state) = (self.masks.clone(), Vec::new(), 0.0, seed);
        while items.len() > MOST {
            let mut best = (f64::INFINITY, 0, 1);
            for b in 1..items.len() {
                for a in 0..b {
                    let more = self.points(self.keep(&items, a, b)) - self.points(items[a]) - self.points(items[b]);
                    let work = self.points(items[a] | items[b]);
                    // Between pairs that write as much, the one of less work; noise moves what is of one size.
                    let noise = if seed == 0 { 0.0 } else { 0.5 * next(&mut state) * work.abs() };
                    let score = more + 1e-3 * work + noise;
                    if score < best.0 {
                        best = (score, a, b);
                    }
                }
            }
            let (_, a, b) = best;
            cost += self.points(items[a] | items[b]);
            items[a] = self.keep(&items, a, b);
            items.swap_remove(b);
            pairs.push((a, b));
        }
        // What is left is ordered exactly; here its least possible end stands for it.
        cost += items.iter().map(|m| self.points(*m)).sum::<f64>();
        (cost, pairs)
    }
}

/// In [0, 1): SplitMix64 (Steele, Lea and Flood 2014).
fn next(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

/// The graph with all wide products narrowed, and where what is wanted is found in it; none where there are none.
pub(super) fn narrow(graph: &Graph, wanted: &[NodeId], sizes: &Sizes) -> Option<(Graph, Vec<NodeId>)> {
    let reach = super::build::reachable(graph, wanted);
    let wide: BTreeMap<NodeId, Vec<(usize, usize)>> =
        graph.ids().filter(|id| reach[id.index()]).filter_map(|id| Some((id, pairs(graph, id, sizes)?))).collect();
    if wide.is_empty() {
        return None;
    }
    let mut kept = graph.clone();
    kept.outputs = wanted.iter().map(|node| Output { name: "wanted".into(), kind: OutputKind::Output, node: *node }).collect();
    let mut new = rebuild(&kept, Graph::clone, |r, id| match wide.get(&id) {
        Some(pairs) => emit(r, id, pairs),
        None => r.keep(id),
    });
    let places = std::mem::take(&mut new.outputs).into_iter().map(|o| o.node).collect();
    Some((new, places))
}

fn pairs(graph: &Graph, id: NodeId, sizes: &Sizes) -> Option<Vec<(usize, usize)>> {
    let node = graph.node(id);
    let (factors, guards) = graph.factors(id);
    let count = node.shape.len() + node.inner.len();
    let float = |n: &Node| n.dtype == DType::F32;
    let plain = matches!(node.op, Op::Contract) && guards.is_empty() && float(node) && count < 64;
    if !plain || factors.len() <= MOST || !factors.iter().all(|f| float(graph.node(f.node))) {
        return None;
    }
    let extents = (0..count).map(|l| view::value(&node.axis(l).size, sizes).max(0) as f64).collect();
    let result = bits(&(0..node.shape.len()).collect::<Vec<_>>());
    let wide = Wide { masks: factors.iter().map(|f| bits(&f.subscripts)).collect(), result, extents };
    let trials = (0..TRIALS).map(|seed| wide.trial(seed));
    trials.min_by(|a, b| a.0.total_cmp(&b.0)).map(|t| t.1)
}

fn emit(r: &mut Rebuild, id: NodeId, pairs: &[(usize, usize)]) -> Operand {
    let node = r.old.node(id).clone();
    let rank = node.rank();
    let mut items: Vec<Operand> = r.old.operands(id).iter().map(|o| r.operand(o)).collect();
    for (a, b) in pairs {
        let reads = |k: &usize| items[*a].subscripts.contains(k) || items[*b].subscripts.contains(k);
        let others: Vec<usize> =
            items.iter().enumerate().filter(|(k, _)| k != a && k != b).flat_map(|(_, o)| o.subscripts.clone()).collect();
        let all = 0..rank + node.inner.len();
        let (keep, over): (Vec<usize>, Vec<usize>) = all.filter(reads).partition(|k| *k < rank || others.contains(k));
        let order = [keep.as_slice(), &over].concat();
        let place = |k: &usize| order.iter().position(|l| l == k).unwrap_or_else(|| unreachable!("a loop that is read"));
        let within = |o: &Operand| Operand::new(o.node, o.subscripts.iter().map(place).collect());
        let axes = |loops: &[usize]| loops.iter().map(|k| node.axis(*k).clone()).collect();
        let factors = vec![within(&items[*a]), within(&items[*b])];
        let made = r.product(Node { shape: axes(&keep), inner: axes(&over), name: None, ..node.clone() }, factors);
        items[*a] = Operand::new(made.node, made.subscripts.iter().map(|k| keep[*k]).collect());
        items.swap_remove(*b);
    }
    // Loops that were summed with a pair are gone.
    let read = |k: &usize| *k < rank || items.iter().any(|o| o.subscripts.contains(k));
    let left: Vec<usize> = (0..rank + node.inner.len()).filter(read).collect();
    let place = |k: &usize| left.iter().position(|l| l == k).unwrap_or_else(|| unreachable!("a loop that is left"));
    let factors = items.iter().map(|o| Operand::new(o.node, o.subscripts.iter().map(place).collect())).collect();
    let inner = left[rank..].iter().map(|k| node.axis(*k).clone()).collect();
    r.product(Node { inner, ..node }, factors)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::interp::evaluate;
    use crate::ir::read::read;
    use crate::ir::verify::verify;
    use crate::ir::{Bindings, Data, Tensor};

    /// A product of factors with these loops, each loop of two steps, summed over all but the first `rank`.
    fn product(factors: &[Vec<usize>], loops: usize, rank: usize) -> (Graph, Bindings) {
        let (mut text, mut bindings) = (String::new(), Bindings::default());
        let axes = |of: &[usize], sized: bool| {
            of.iter().map(|l| if sized { format!("l{l}=2") } else { format!("l{l}") }).collect::<Vec<_>>().join(", ")
        };
        let within = |of: &[usize], sized: bool| if of.is_empty() { String::new() } else { format!("[{}]", axes(of, sized)) };
        for (k, of) in factors.iter().enumerate() {
            text.push_str(&format!("%{k}: f32{} = input \"x{k}\"\n", within(of, true)));
            let data = (0..1 << of.len()).map(|n| ((n * 5 + k * 3) % 7) as f64 / 4.0 - 0.7).collect();
            bindings.sources.insert(format!("x{k}"), Tensor::new(vec![2; of.len()], Data::F64(data)));
        }
        let reads: Vec<String> = factors.iter().enumerate().map(|(k, of)| format!("%{k}{}", within(of, false))).collect();
        let all: Vec<usize> = (0..loops).collect();
        let (result, inner) = (within(&all[..rank], true), axes(&all[rank..], true));
        let n = factors.len();
        text.push_str(&format!("%{n} y: f32{result} = sum({inner}) {}\noutput y = %{n}\n", reads.join(" * ")));
        (read(&text).unwrap_or_else(|e| panic!("{e:?}\n{text}")), bindings)
    }

    fn check(what: &str, (graph, bindings): (Graph, Bindings)) {
        let wanted = [graph.outputs[0].node];
        let (new, places) = narrow(&graph, &wanted, &Sizes::new()).unwrap_or_else(|| panic!("{what} stays"));
        verify(&new).unwrap_or_else(|e| panic!("{what}: {e}\n{new}"));
        assert!(new.ids().all(|id| new.operands(id).len() <= MOST), "{what}\n{new}");
        let (before, after) = (evaluate(&graph, &bindings, &wanted).unwrap(), evaluate(&new, &bindings, &places).unwrap());
        assert_eq!(before[0].shape, after[0].shape);
        let pairs = before[0].to_f64().into_iter().zip(after[0].to_f64());
        let largest = before[0].to_f64().iter().fold(0.0f64, |m, x| m.max(x.abs()));
        assert!(largest > 0.0, "{what} says nothing");
        pairs.for_each(|(x, y)| assert!((x - y).abs() <= 1e-12 * largest, "{what}: {x} {y}\n{new}"));
    }

    #[test]
    fn chains_stars_and_nets_of_many_factors_keep_what_they_mean() {
        for n in [13, 14, 16] {
            // The ends of a chain are the result.
            let place = |k: usize| {
                if k == 0 {
                    0
                } else if k == n {
                    1
                } else {
                    k + 1
                }
            };
            let chain: Vec<Vec<usize>> = (0..n).map(|k| vec![place(k), place(k + 1)]).collect();
            check(&format!("a chain of {n}"), product(&chain, n + 1, 2));
            let star: Vec<Vec<usize>> = (0..n).map(|k| vec![0, 1 + k % 9]).collect();
            check(&format!("a star of {n}"), product(&star, 10, 1));
            let ring: Vec<Vec<usize>> = (0..n).map(|k| vec![k % 12, (k * 5 + 1) % 12, (k * 7 + 2) % 12]).collect();
            check(&format!("a net of {n}"), product(&ring, 12, 3));
            let all: Vec<Vec<usize>> =
                (0..n).map(|k| if k % 4 == 0 { vec![k % 5] } else { vec![] }).chain([(0..5).collect()]).collect();
            check(&format!("{n} numbers and rows"), product(&all, 5, 0));
        }
    }

    #[test]
    fn few_factors_stay() {
        let chain: Vec<Vec<usize>> = (0..MOST).map(|k| vec![k, k + 1]).collect();
        let (graph, _) = product(&chain, MOST + 1, 1);
        assert!(narrow(&graph, &[graph.outputs[0].node], &Sizes::new()).is_none());
    }

    /// A chain of forty matrices is planned at once, and costs as many small products.
    #[test]
    fn a_long_chain_takes_small_steps() {
        let chain: Vec<Vec<usize>> = (0..40).map(|k| vec![k, k + 1]).collect();
        let (graph, _) = product(&chain, 41, 1);
        let (new, _) = narrow(&graph, &[graph.outputs[0].node], &Sizes::new()).expect("it is long");
        assert!(new.ids().all(|id| new.node(id).rank() + new.node(id).inner.len() <= MOST + 1), "{new}");
    }
}
