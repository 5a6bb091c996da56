//! Random graphs over all primitives: they verify, their text reads back, every pass keeps what they mean, and so do native code and
//! shaders.
//!
//! Finite values stay moderate, and what is discontinuous reads only values that are exact in any order of evaluation, so that
//! equal means equal to within rounding.

use crate::make::{self, Case, Rng};
use crate::suite::Case as Run;
use crate::suite::Way::{Device, Native, Optimized};
use hnet::fuzz::judge::{F64, judge};
use hnet::ir::interp::evaluate;
use hnet::ir::read::read;
use hnet::ir::verify::verify;
use hnet::ir::{Bindings, Tensor};
use hnet::ir::{Graph, NodeId};
use hnet::opt::{PASSES, optimize};

fn outputs(graph: &Graph, bindings: &Bindings) -> Result<Vec<Tensor>, String> {
    let wanted: Vec<NodeId> = graph.outputs.iter().map(|o| o.node).collect();
    evaluate(graph, bindings, &wanted).map_err(|d| d.message)
}

/// Compares a graph with one made from it.
fn same(seed: u64, what: &str, before: &Graph, after: &Graph, case: &Case, values: &[Tensor]) {
    let alike = |found: Vec<Tensor>| {
        let shapes = |list: &[Tensor]| list.iter().map(|t| (t.shape.clone(), t.dtype())).collect::<Vec<_>>();
        if shapes(&found) != shapes(values) {
            return Err(format!("the outputs are {:?}, then {:?}", shapes(values), shapes(&found)));
        }
        judge(&[before, after], &case.bindings, values, &found, F64).map(|_| ()).map_err(|wrong| wrong.to_string())
    };
    let compared = verify(after).and_then(|()| outputs(after, &case.bindings)).and_then(alike);
    if let Err(why) = compared {
        panic!("seed {seed}, {what}: {why}\nbefore:\n{before}\nafter:\n{after}");
    }
}

fn check(seed: u64) -> usize {
    let case = make::graph(&mut Rng::new(seed));
    let graph = &case.graph;
    verify(graph).unwrap_or_else(|why| panic!("seed {seed}: {why}\n{graph}"));
    let values = outputs(graph, &case.bindings).unwrap_or_else(|why| panic!("seed {seed}: {why}\n{graph}"));
    let text = graph.to_string();
    let again = read(&text).unwrap_or_else(|why| panic!("seed {seed}: {why}\n{text}"));
    assert_eq!(again.to_string(), text, "seed {seed}");
    same(seed, "text", graph, &again, &case, &values);
    for pass in PASSES {
        let after = (pass.run)(graph);
        same(seed, pass.name, graph, &after, &case, &values);
        assert_eq!((pass.run)(graph).to_string(), after.to_string(), "seed {seed}: {} is not deterministic", pass.name);
    }
    let mut last = graph.clone();
    let all = optimize(graph, &mut |name, after| {
        same(seed, name, &last, after, &case, &values);
        last = after.clone();
    });
    same(seed, "optimize", graph, &all, &case, &values);
    graph.len()
}

/// `HNET_SEEDS=17` or `HNET_SEEDS=0..5000` in the place of some.
fn seeds(some: &str) -> std::ops::Range<u64> {
    let asked = std::env::var("HNET_SEEDS").unwrap_or(some.into());
    let (from, to) = asked.split_once("..").unwrap_or((&asked, ""));
    let from: u64 = from.parse().expect("a seed");
    from..to.parse().unwrap_or(from + 1)
}

#[test]
fn passes_keep_what_random_graphs_mean() {
    let nodes: usize = seeds("0..300").map(check).sum();
    eprintln!("{nodes} nodes");
}

#[test]
fn random_graphs_mean_the_same_in_native_code() {
    for seed in seeds("0..150") {
        let case = make::graph(&mut Rng::new(seed));
        let ways = if seed.is_multiple_of(3) { &[Native(1), Optimized(2)][..] } else { &[Native(1)] };
        Run::graph(&format!("seed {seed}"), &case.graph, &case.bindings).on(ways).agrees();
    }
}

#[test]
fn random_graphs_mean_the_same_on_the_device() {
    for seed in seeds("0..40") {
        let case = make::graph(&mut Rng::new(seed));
        Run::graph(&format!("seed {seed}"), &case.graph, &case.bindings).on(&[Device]).agrees();
    }
}

#[test]
fn random_graphs_have_every_primitive() {
    let mut words = std::collections::BTreeSet::new();
    for seed in 0..300 {
        let case = make::graph(&mut Rng::new(seed));
        for id in case.graph.ids() {
            words.insert(hnet::ir::text::word(&case.graph.node(id).op));
            if let hnet::ir::Op::Fold(f) = case.graph.node(id).op {
                words.insert(f.word());
            }
        }
    }
    let all = [
        "input", "param", "const", "iota", "extent", "random", "fold", "sum", "prod", "max", "min", "any", "all", "argmax",
        "argmin",
    ]
    .into_iter()
    .chain(["gather", "scatter", "concat", "reshape", "order", "scan", "assign", "loop", "result"])
    .chain(hnet::ir::Map::ALL.iter().map(|m| m.word()));
    let missing: Vec<&str> = all.filter(|w| !words.contains(w)).collect();
    assert!(missing.is_empty(), "never made: {missing:?}");
}
