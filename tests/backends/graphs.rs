//! Random graphs over all primitives: they verify, their text reads back, and every pass keeps what they mean.
//!
//! Finite values stay moderate, and what is discontinuous reads only values that are exact in any order of evaluation, so that
//! equal means equal to within rounding.

use crate::make::{self, Case, Rng};
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

#[test]
fn passes_keep_what_random_graphs_mean() {
    // `HNET_SEEDS=17` or `HNET_SEEDS=0..5000`
    let asked = std::env::var("HNET_SEEDS").unwrap_or("0..300".into());
    let (from, to) = asked.split_once("..").unwrap_or((&asked, ""));
    let from: u64 = from.parse().expect("a seed");
    let seeds = from..to.parse().unwrap_or(from + 1);
    let nodes: usize = seeds.map(check).sum();
    eprintln!("{nodes} nodes");
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
