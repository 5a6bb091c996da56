//! Derivatives of random graphs against differences, in f64; elements beside a kink or a jump are passed over.

use super::grads::{sources, weighed};
use super::make::{self, Rng};
use super::suite::{Case, Way};
use hnet::grad::derivatives;
use hnet::ir::interp::evaluate;
use hnet::ir::verify::verify;
use hnet::ir::{Bindings, DType, Data, Graph, NodeId, Op, Output, OutputKind, Tensor};
use hnet::opt;

/// What was compared, and what was passed over.
#[derive(Default)]
struct Count {
    compared: usize,
    passed: usize,
    compiled: usize,
}

/// So many graphs are also compiled, and so many of them on a device.
const COMPILED: usize = 200;
const ON_DEVICES: usize = 20;

/// All backends say what the interpreter says, the device where `device` is set.
fn compiled(seed: u64, graph: &Graph, bound: &Bindings, ids: &[NodeId], device: bool) {
    let mut part = graph.clone();
    let output = |(k, id): (usize, &NodeId)| Output { name: format!("d{k}").into(), kind: OutputKind::Output, node: *id };
    part.outputs = ids.iter().enumerate().map(output).collect();
    let ways = [Way::Interpreter, Way::Passes, Way::Native(1), Way::Optimized(2), Way::OptimizedDevice];
    Case::graph(&format!("derivatives of seed {seed}"), &part, bound).on(&ways[..if device { 5 } else { 4 }]).agrees();
}

/// Real inputs as numbers of many digits, none of them at an edge.
fn jitter(bindings: &mut Bindings, seed: u64) {
    let mut n = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for (path, t) in &mut bindings.sources {
        let Data::F64(data) = &mut t.data else { continue };
        // A size hangs on this one.
        if path == "n" {
            continue;
        }
        for x in data {
            n = n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let off = (n >> 33) as f64 / f64::from(1u32 << 31) - 0.5;
            *x = if x.is_finite() { *x + 0.1 * off } else { off };
        }
    }
}

fn is_plain_real(graph: &Graph, id: NodeId) -> bool {
    graph.node(id).dtype == DType::F32 && !matches!(graph.node(id).op, Op::Loop(_))
}

fn number(graph: &Graph, bound: &Bindings, id: NodeId) -> Option<f64> {
    evaluate(graph, bound, &[id]).ok().map(|t| t[0].get(0)).filter(|x| x.is_finite())
}

/// The slope by one element, where there is one.
fn slope(graph: &Graph, bound: &mut Bindings, of: NodeId, path: &str, i: usize) -> Option<f64> {
    let before = bound.sources[path].clone();
    let Data::F64(data) = before.data.clone() else { panic!("inputs are real") };
    let h = 1e-5;
    let mut at = |x: f64| {
        let mut moved = data.clone();
        moved[i] = x;
        bound.sources.insert(path.to_string(), Tensor::new(before.shape.clone(), Data::F64(moved)));
        number(graph, bound, of)
    };
    let (low, here, high) = (at(data[i] - h), at(data[i]), at(data[i] + h));
    // Steep stairs look smooth to one distance.
    let near = (at(data[i] - h / 7.0), at(data[i] + h / 7.0));
    bound.sources.insert(path.to_string(), before);
    let (low, here, high) = (low?, here?, high?);
    let (left, right) = ((here - low) / h, (high - here) / h);
    let nearer = (near.1? - near.0?) / (2.0 * h / 7.0);
    let slope = (left + right) / 2.0;
    let off = (left - right).abs().max((slope - nearer).abs());
    (off <= 1e-2 * (left.abs() + right.abs()) + 1e-6 * here.abs().max(1.0)).then_some(slope)
}

fn check(seed: u64, count: &mut Count) {
    let mut case = make::graph(&mut Rng::new(seed));
    jitter(&mut case.bindings, seed);
    // Marks are for derivatives, and differences know nothing of them.
    // One source is one node after this, too.
    let mut graph = case.graph.clone();
    for pass in ["simplify", "cse"] {
        graph = (opt::pass(pass).expect("a pass").run)(&graph);
    }
    let Some(y) = graph.outputs.iter().map(|o| o.node).rfind(|id| graph.node(*id).dtype == DType::F32) else { return };
    let Ok(value) = evaluate(&graph, &case.bindings, &[y]) else { return };
    let target = weighed(&mut graph, y, "weight");
    let weights = (0..value[0].len()).map(|k| 0.3 + ((k * 7 + 3) % 11) as f64 / 9.0).collect();
    case.bindings.sources.insert("weight".into(), Tensor::new(value[0].shape.clone(), Data::F64(weights)));
    // Where a value on the way is no number, 0 times its slope is none.
    let needed = graph.reachable([target]);
    let reals: Vec<NodeId> = graph.ids().filter(|id| needed[id.index()] && is_plain_real(&graph, *id)).collect();
    let Ok(values) = evaluate(&graph, &case.bindings, &reals) else { return };
    if values.iter().any(|t| (0..t.len()).any(|i| !t.get(i).is_finite())) {
        return;
    }
    let by: Vec<(String, NodeId)> =
        sources(&graph).into_iter().filter(|(p, id)| p != "weight" && p != "n" && graph.node(*id).dtype == DType::F32).collect();
    let ids: Vec<NodeId> = by.iter().map(|(_, id)| *id).collect();
    let plain = graph.clone();
    let found = derivatives(&mut graph, target, &ids);
    verify(&graph).unwrap_or_else(|why| panic!("seed {seed}: {why}\n{graph}"));
    let made: Vec<NodeId> = found.iter().flatten().map(|d| d.node).collect();
    if count.compiled < COMPILED && !made.is_empty() {
        count.compiled += 1;
        compiled(seed, &graph, &case.bindings, &made, count.compiled <= ON_DEVICES);
    }
    let size = number(&graph, &case.bindings, target).expect("as before");
    for ((path, _), found) in by.iter().zip(found) {
        let elements = case.bindings.sources[path].len();
        let got = found.map(|d| {
            let value =
                evaluate(&graph, &case.bindings, &[d.node]).unwrap_or_else(|e| panic!("seed {seed}: {}\n{graph}", e.message));
            (0..elements).map(|i| value[0].get(i)).collect::<Vec<f64>>()
        });
        let want: Vec<Option<f64>> = (0..elements).map(|i| slope(&plain, &mut case.bindings, target, path, i)).collect();
        let scale = want.iter().flatten().fold(0f64, |m, x| m.max(x.abs()));
        for (i, want) in want.iter().enumerate() {
            let have = got.as_ref().map_or(0.0, |g| g[i]);
            // In a round, too, 0 times the slope of what is no number is none.
            let hidden = have.is_nan() && graph.ids().any(|id| matches!(graph.node(id).op, Op::Loop(_)));
            let Some(want) = want.filter(|_| !hidden) else {
                count.passed += 1;
                continue;
            };
            count.compared += 1;
            let fits = (have - want).abs() <= 1e-4 * scale + 1e-6 * size.abs().max(1.0);
            assert!(fits, "seed {seed}, by `{path}` [{i}]: {have} and not {want}\n{plain}\nand with derivatives\n{graph}");
        }
    }
}

#[test]
fn random_graphs_have_the_slopes_that_differences_show() {
    // `HNET_SEEDS=17` or `HNET_SEEDS=0..5000`
    let asked = std::env::var("HNET_SEEDS").unwrap_or("0..300".into());
    let (from, to) = asked.split_once("..").unwrap_or((&asked, ""));
    let from: u64 = from.parse().expect("a seed");
    let mut count = Count::default();
    (from..to.parse().unwrap_or(from + 1)).for_each(|seed| check(seed, &mut count));
    eprintln!("{} elements compared, {} passed over", count.compared, count.passed);
    assert!(count.passed <= count.compared, "too much is passed over");
}
