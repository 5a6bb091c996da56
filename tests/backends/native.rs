//! Random graphs over all primitives on the native backend, before and after all passes, against the interpreter.

use crate::common::bits;
use crate::make::{self, Rng};
use hnet::cpu::Options;
use hnet::exec::Engine;
use hnet::fuzz::judge::{F32, judge};
use hnet::ir::interp::evaluate;
use hnet::ir::{Bindings, Tensor};
use hnet::ir::{Graph, NodeId};
use hnet::opt::optimize;

fn compare(seed: u64, what: &str, graph: &Graph, bindings: &Bindings, expect: &[Tensor], threads: usize) {
    let wanted: Vec<NodeId> = graph.outputs.iter().map(|o| o.node).collect();
    let mut engine = Engine::cpu_unoptimized(graph, &wanted, &Options { threads, ..Options::default() }).unwrap();
    let got = engine.run(bindings).unwrap_or_else(|d| panic!("seed {seed}, {what}: {}\n{graph}", d.message));
    let plan = engine.plan_text().unwrap_or("").to_string();
    let words = |list: &[Tensor]| list.iter().map(bits).collect::<Vec<_>>();
    assert!(
        words(&got) == words(&engine.run(bindings).unwrap()),
        "seed {seed}, {what}: another result the second time\n{graph}\n{plan}"
    );
    for (k, (g, e)) in got.iter().zip(expect).enumerate() {
        assert_eq!((&g.shape, g.dtype()), (&e.shape, e.dtype()), "seed {seed}, {what}: output {k}\n{graph}\n{plan}");
    }
    let verdict = judge(&[graph], bindings, expect, &got, F32);
    verdict.unwrap_or_else(|wrong| panic!("seed {seed}, {what}: {wrong}\n{graph}\n{plan}"));
}

fn check(seed: u64) {
    let case = make::graph(&mut Rng::new(seed));
    let wanted: Vec<NodeId> = case.graph.outputs.iter().map(|o| o.node).collect();
    let expect = evaluate(&case.graph, &case.bindings, &wanted).unwrap_or_else(|d| panic!("seed {seed}: {}", d.message));
    compare(seed, "as made", &case.graph, &case.bindings, &expect, 1);
    if seed.is_multiple_of(3) {
        let after = optimize(&case.graph, &mut |_, _| {});
        compare(seed, "optimized", &after, &case.bindings, &expect, 2);
    }
}

#[test]
fn random_graphs_mean_the_same_in_native_code() {
    // `HNET_SEEDS=17` or `HNET_SEEDS=0..5000`
    let asked = std::env::var("HNET_SEEDS").unwrap_or("0..150".into());
    let (from, to) = asked.split_once("..").unwrap_or((&asked, ""));
    let from: u64 = from.parse().expect("a seed");
    (from..to.parse().unwrap_or(from + 1)).for_each(check);
}
