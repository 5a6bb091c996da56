//! What is left out is not computed with: filters, seats, sides of an `if` that are not taken. Every value is worked out by hand, and
//! every backend must give it, NaN for NaN and an infinity for an infinity.

use crate::common;
use crate::suite::{Case, floats, wholes};
use hnet::fuzz::check::model;
use hnet::ir::{Data, Tensor};

const INF: f32 = f32::INFINITY;
const NAN: f32 = f32::NAN;

/// Every output has these values in every way.
fn gives(text: &str, dims: &[(&str, i64)], inputs: &[(&str, Tensor)], wants: &[(&str, &[f32])]) {
    Case::new(text, dims, inputs).all(1e-5, wants);
}

/// A filter over rows of five, and what must come of rows of which some, all or none are left.
#[test]
fn no_reduction_looks_at_what_is_left_out() {
    let text = "
dim b
model M {
    input x: [b, 5]
    input k: i32[b, 5]
    input keep: i32[b, 5]
    output total: [b] = each(x, k, keep).total
    output product: [b] = each(x, k, keep).product
    output average: [b] = each(x, k, keep).average
    output most: [b] = each(x, k, keep).most
    output least: [b] = each(x, k, keep).least
    output log_sum: [b] = each(x, k, keep).log_sum
    output whole: i32[b] = each(x, k, keep).whole
    output most_whole: i32[b] = each(x, k, keep).most_whole
    output least_whole: i32[b] = each(x, k, keep).least_whole
    output first: i32[b] = each(x, k, keep).first
    output last: i32[b] = each(x, k, keep).last
    output some: bool[b] = each(x, k, keep).some
    output every: bool[b] = each(x, k, keep).every
}
fn each(x: [5], k: i32[5], keep: i32[5]) -> (
    total: f32, product: f32, average: f32, most: f32, least: f32, log_sum: f32,
    whole: i32, most_whole: i32, least_whole: i32, first: i32, last: i32, some: bool, every: bool
) {
    (
        total: sum[i where keep[i] > 0] x[i], product: prod[i where keep[i] > 0] x[i],
        average: mean[i where keep[i] > 0] x[i], most: max[i where keep[i] > 0] x[i],
        least: min[i where keep[i] > 0] x[i], log_sum: logsumexp[i where keep[i] > 0] x[i],
        whole: sum[i where keep[i] > 0] k[i], most_whole: max[i where keep[i] > 0] k[i],
        least_whole: min[i where keep[i] > 0] k[i], first: argmax[i where keep[i] > 0] x[i],
        last: argmin[i where keep[i] > 0] k[i], some: any[i where keep[i] > 0] (x[i] == 2),
        every: all[i where keep[i] > 0] (x[i] == 2)
    )
}
";
    let x = [NAN, 2.0, INF, 2.0, -INF, 3.0, NAN, 0.5, NAN, NAN, NAN, INF, 1.0, -INF, 0.0, 0.0, -INF, -INF, NAN, 1.0];
    let k = [9, 7, 9, 16_777_217, -9, 1, 2, 3, 4, 5, 1, 2, 3, 4, 5, i32::MIN, i32::MAX, i32::MIN, 0, i32::MAX];
    let keep = [0, 1, 0, 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0];
    let two = 2.0f32;
    let log = |a: f32, c: f32| (a.exp() + c.exp()).ln();
    gives(
        text,
        &[("b", 4)],
        &[("x", floats(&x)), ("k", wholes(&k)), ("keep", wholes(&keep))],
        &[
            ("total", &[4.0, 3.5, 0.0, -INF]),
            ("product", &[4.0, 1.5, 1.0, INF]),
            ("average", &[2.0, 1.75, NAN, -INF]),
            ("most", &[2.0, 3.0, -INF, -INF]),
            ("least", &[2.0, 0.5, INF, -INF]),
            ("log_sum", &[log(two, two), log(3.0, 0.5), -INF, -INF]),
            ("whole", &[16_777_224.0, 4.0, 0.0, -1.0]),
            ("most_whole", &[16_777_217.0, 3.0, i32::MIN as f32, i32::MAX as f32]),
            ("least_whole", &[7.0, 1.0, i32::MAX as f32, i32::MIN as f32]),
            ("first", &[1.0, 0.0, 0.0, 1.0]),
            ("last", &[1.0, 0.0, 0.0, 2.0]),
            ("some", &[1.0, 0.0, 0.0, 0.0]),
            ("every", &[1.0, 0.0, 1.0, 0.0]),
        ],
    );
}

#[test]
fn softmax_is_zero_where_nothing_is_left() {
    let text = "
dim b
model M {
    input x: [b, 4]
    input keep: [b, 4]
    output p: [b, 4] = rows(x, keep)
    output q: [b, 4] = softmax(x)
}
fn rows(x: [4], keep: [4]) -> [4] {
    let p[i] = softmax[i where keep[i] > 0] x[i]
    p
}
";
    let x = [0.0, NAN, 0.0, INF, NAN, INF, -INF, 1.0, -INF, -INF, -INF, -INF, INF, 0.0, 0.0, 3.0, NAN, 1.0, 2.0, 2.0];
    let keep = [1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0];
    gives(
        text,
        &[("b", 5)],
        &[("x", floats(&x)), ("keep", floats(&keep))],
        &[("p", &[0.5, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, NAN, NAN, 0.0, 0.0, NAN, NAN, 0.0, 0.0, NAN, NAN, 0.0, 0.0])],
    );
}

#[test]
fn an_axis_of_nothing_has_the_documented_values() {
    let text = "
dim b
model M {
    input x: [b]
    input k: i32[b]
    output total: f32 = sum[b] x
    output product: f32 = prod[b] x
    output most: f32 = max[b] x
    output least: f32 = min[b] x
    output log_sum: f32 = logsumexp[b] x
    output whole: i32 = sum[b] k
    output most_whole: i32 = max[b] k
    output least_whole: i32 = min[b] k
    output first: i32 = argmax[b] x
    output last: i32 = argmin[b] k
    output some: bool = any[b] (x > 0)
    output every: bool = all[b] (x > 0)
    output weights: [b] = softmax[b] x
}
";
    gives(
        text,
        &[("b", 0)],
        &[],
        &[
            ("total", &[0.0]),
            ("product", &[1.0]),
            ("most", &[-INF]),
            ("least", &[INF]),
            ("log_sum", &[-INF]),
            ("whole", &[0.0]),
            ("most_whole", &[i32::MIN as f32]),
            ("least_whole", &[i32::MAX as f32]),
            ("first", &[0.0]),
            ("last", &[0.0]),
            ("some", &[0.0]),
            ("every", &[1.0]),
            ("weights", &[]),
        ],
    );
}

#[test]
fn logsumexp_takes_infinities() {
    let text = "
dim b
model M {
    input x: [b, 3]
    output y: [b] = logsumexp(x)
}
";
    let x = [-INF, -INF, -INF, INF, 0.0, -INF, INF, INF, INF, NAN, 0.0, 1.0, INF, NAN, 0.0, 1000.0, -INF, 0.0];
    gives(text, &[("b", 6)], &[("x", floats(&x))], &[("y", &[-INF, INF, INF, NAN, NAN, 1000.0])]);
}

/// Factors that have the filter's axes, that lack one, that lack all; at sizes 0, 1, odd and large.
#[test]
fn no_factor_of_a_product_is_looked_at_where_it_is_left_out() {
    let text = "
dim b
model M {
    input p: [b, 4]
    output entropy: [b] = -sum[i where p[i] > 0] p[i] * log(p[i])
    output inverse: [b] = sum[i where p[i] > 0] 0.5 / p[i]
    output average: [b] = mean[i where p[i] > 0] log(p[i]) * p[i]
    output scaled: [b] = sum[i where p[i] > 0] log(p[0]) * p[i]
}
";
    let p = [0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let e = std::f32::consts::LN_2;
    gives(
        text,
        &[("b", 2)],
        &[("p", floats(&p))],
        &[("entropy", &[e, 0.0]), ("inverse", &[2.0, 0.0]), ("average", &[-e / 2.0, NAN]), ("scaled", &[-e, 0.0])],
    );
    for n in [0, 1, 5, 70] {
        before(n);
    }
}

/// A product of matrices of which what stands behind a row is left out, at rows of which some are NaN and infinite.
fn before(n: usize) {
    let text = "
dim t
model M {
    input p: [t]
    input v: [t, 9]
    output y: [t, 9] = mix(p, v)
}
fn mix(p: [t], v: [t, 9]) -> [t, 9] {
    let y[t, e] = sum[t' where t' < t] (p[t] + p[t']) * v[t', e]
    y
}
";
    let p: Vec<f32> = (0..n).map(|t| (t % 3) as f32).collect();
    let bad = |t: usize, e: usize| match (t, e) {
        (t, 1) if t + 1 == n => NAN,
        (t, 2) if t + 2 == n => INF,
        (t, 3) if t == n / 2 => -INF,
        (t, e) => (t % 5) as f32 - e as f32,
    };
    let v: Vec<f32> = (0..n * 9).map(|k| bad(k / 9, k % 9)).collect();
    let mut want = vec![];
    for t in 0..n {
        for e in 0..9 {
            want.push((0..t).fold(0.0, |s, u| s + (p[t] + p[u]) * v[u * 9 + e]));
        }
    }
    gives(text, &[("t", n as i64)], &[("p", floats(&p)), ("v", floats(&v))], &[("y", &want)]);
}

#[test]
fn filters_hold_in_nets_loops_mixtures_and_each_other() {
    let text = "
dim b
net Sums() {
    (x: [4]) -> f32 {
        var total = 0.0
        for l in 0..2 { total = total + sum[i where x[i] > l] log(x[i] - l) * (sum[j where x[j] > 0] x[i] / x[j]) }
        total
    }
}
net Pick(n) {
    param w: [n] = ones()
    (x: [n]) -> f32 { sum[i where x[i] > 0] w[i] / x[i] }
}
model M {
    input x: [b, 4]
    input label: i32[b]
    sub sums = Sums()
    sub pick[2] = Pick(4)
    output looped: [b] = sums(x)
    output mixed: [b] = blend(pick, [0.25, 0.75])(x)
    output nested: f32 = mean[b where label >= 0] (sum[i where x[i] > 0] 1 / x[i])
    output marked: f32 = sum[b where label >= 0] number(label) * label
}
";
    let x = [0.0, 1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0];
    let e = std::f32::consts::LN_2;
    // l = 0: log 1 * .. + log 2 * (2 + 1); l = 1: log 1 * ..
    gives(
        text,
        &[("b", 2)],
        &[("x", floats(&x)), ("label", wholes(&[3, -100]))],
        &[("looped", &[3.0 * e, 0.0]), ("mixed", &[1.5, 0.0]), ("nested", &[1.5]), ("marked", &[9.0])],
    );
}

#[test]
fn the_side_that_is_not_taken_does_not_matter() {
    let text = "
dim b
model M {
    input x: [b]
    output y: [b] = if x > 50 { exp(x * 10) } else { 2 * x }
    output z: [b] = 3 * (if x > 0 { 1 / x } else { 0 }) + (if x > 0 { log(x) } else { 0 })
    output u: f32 = sum[b] (if x > 0 { log(x) } else { 0 }) * (if x > 0 { 1 } else { 0 })
}
";
    let e = std::f32::consts::LN_2;
    gives(
        text,
        &[("b", 3)],
        &[("x", floats(&[2.0, 0.0, -1.0]))],
        &[("y", &[4.0, 0.0, -2.0]), ("z", &[1.5 + e, 0.0, 0.0]), ("u", &[e])],
    );
}

#[test]
fn a_slot_without_a_seat_is_nobodys() {
    let text = "
dim b
net Steep() {
    (x: [1]) -> [1] {
        let y[i] = if x[i] > 50 { exp(x[i] * 10) } else { 2 * x[i] }
        y
    }
}
model M {
    input x: [b, 1]
    sub expert[1] = Steep()
    input zero: i32[b]
    let one[s < 1] = zero
    let two[s < 2] = zero
    output one_slot: [b, 1] = route x over expert at one by 1.0 { capacity: 0.5 per [b] }
    output two_slots: [b, 1] = route x over expert at two by [1.0, 1 / (x[0] - 2)] { capacity: 0.5 per [b] }
    output no_slot: [b, 1] = route x over expert at zero by 1.0 { capacity: 0.5 per [b] }
    output everybody: [b, 1] = route x over expert at one by 1.0 { capacity: 1e30 per [b] }
    output none: [b, 1] = route x over expert at one by 1 / (x[0] - 2) { capacity: 0 per [b] }
}
";
    gives(
        text,
        &[("b", 2)],
        &[("x", floats(&[1.0, 100.0])), ("zero", wholes(&[0, 0]))],
        &[
            ("one_slot", &[2.0, 0.0]),
            ("two_slots", &[2.0, INF]),
            ("no_slot", &[2.0, 0.0]),
            ("everybody", &[2.0, INF]),
            ("none", &[0.0, 0.0]),
        ],
    );
}

#[test]
fn seats_are_as_many_as_said_for_each_expert() {
    let text = "
dim b
model M {
    input who: i32[b]
    input seats: i32[3]
    input own: i32[b]
    output by_expert: [b] = number(admitted[b](who mod 3, seats))
    output by_example: [b] = number(admitted[b](who, own))
    output equal: [b] = number(admitted[b](who, 2))
    output everybody: [b] = number(admitted[b](who, 3000000000))
    output in_slots: [b, 2] = number(admitted[b]([who mod 3, 0 * who + 1], seats))
}
";
    gives(
        text,
        &[("b", 6)],
        &[("who", wholes(&[0, 0, 0, 1, 1, 2])), ("seats", wholes(&[2, 1, 0])), ("own", wholes(&[0, 2, 3, 0, 5, -1]))],
        &[
            ("by_expert", &[1.0, 1.0, 0.0, 1.0, 0.0, 0.0]),
            ("by_example", &[0.0, 1.0, 1.0, 0.0, 1.0, 0.0]),
            ("equal", &[1.0, 1.0, 0.0, 1.0, 1.0, 1.0]),
            ("everybody", &[1.0; 6]),
            // Slot 0 of all comes first: it has taken the only seat of expert 1.
            ("in_slots", &[1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        ],
    );
}

/// What the verifier costs beside the passes: it runs on every model and before every plan.
#[test]
fn a_graph_is_verified_in_little_time() {
    let deep = "
dim b
net Layer() {
    param w: [8, 8] = normal()
    (x: [8]) -> [8] { relu(x @ w) + x }
}
model M {
    input x: [b, 8]
    sub layer[200] = Layer()
    var h = x
    for l in 0..200 { h = layer[l](h) }
    output y: [b, 8] = h
}
";
    let decoder = common::models(&common::root().join("models/decoder.hnet")).remove(0);
    for (name, model) in [("decoder", decoder), ("200 layers", model(deep).unwrap_or_else(|f| panic!("{}", f.detail)))] {
        let time = |work: &dyn Fn()| {
            let start = std::time::Instant::now();
            work();
            start.elapsed().as_secs_f64()
        };
        let best = |work: &dyn Fn()| (0..5).map(|_| time(work)).fold(f64::INFINITY, f64::min);
        let verified = best(&|| hnet::ir::verify::verify(&model.graph).unwrap());
        let optimized = best(&|| drop(hnet::opt::optimize(&model.graph, &mut |_, _| {})));
        println!(
            "{name}: {} nodes, verified in {:.2} ms, optimized in {:.2} ms",
            model.graph.len(),
            verified * 1e3,
            optimized * 1e3
        );
        assert!(verified < optimized, "{name}: {verified} s");
    }
}

#[test]
fn a_malformed_graph_never_runs() {
    let text = "%0: f32[i=3] = input \"x\"\n%1: f32[i=4] = exp %0[i]\noutput y = %1\n";
    let graph = hnet::ir::read::read(text).unwrap();
    let roots = [graph.outputs[0].node];
    let mut bound = hnet::ir::Bindings::default();
    bound.sources.insert("x".into(), Tensor::new(vec![3], Data::F32(vec![1.0; 3])));
    let engines = [
        hnet::exec::Engine::interpreter(&graph, &roots),
        hnet::exec::Engine::cpu_unoptimized(&graph, &roots, &hnet::cpu::Options::default()).unwrap(),
    ];
    for mut engine in engines {
        assert_eq!(engine.run(&bound).unwrap_err().code, "H0899", "{}", engine.name());
    }
}

/// A product of matrices under a filter stays one, and what it leaves out is still no part of it.
#[test]
fn a_filter_leaves_a_product_of_matrices_one() {
    let text = "
model M {
    input p: [90, 90]
    input v: [90, 40]
    let y[t, e] = sum[u where u <= t] p[t, u] * v[u, e]
    output z: [90, 40] = y
}
";
    let n = 90;
    let p: Vec<f32> = (0..n * n).map(|k| ((k * 7) % 5) as f32 - 2.0).collect();
    let bad = |u: usize, e: usize| match e {
        1 if u == 60 => NAN,
        2 if u == 30 => INF,
        3 if u == 89 => -INF,
        _ => ((u * 3 + e) % 7) as f32 - 3.0,
    };
    let v: Vec<f32> = (0..n * 40).map(|k| bad(k / 40, k % 40)).collect();
    let mut want = vec![];
    for t in 0..n {
        for e in 0..40 {
            want.push((0..=t).fold(0.0, |s, u| s + p[t * n + u] * v[u * 40 + e]));
        }
    }
    gives(text, &[], &[("p", floats(&p)), ("v", floats(&v))], &[("z", &want)]);
    let model = model(text).unwrap_or_else(|f| panic!("{}", f.detail));
    let roots = [model.graph.outputs[0].node];
    let (graph, roots) = hnet::opt::optimize_for(&model.graph, &roots);
    let plan = hnet::plan::plan(&graph, &roots, &Default::default()).unwrap();
    assert!(plan.steps.iter().any(|s| matches!(s, hnet::plan::Step::Product(_))), "{plan}");
}
