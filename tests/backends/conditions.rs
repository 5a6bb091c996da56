//! Conditions in turn: what was prepared for one is there when it comes back, and no number differs from what an engine gives that sees nothing
//! else.

use crate::common;
use hnet::bind::init;
use hnet::bind::inputs::{Request, gather};
use hnet::check::model::Model;
use hnet::exec::{Engine, session};
use hnet::ir::{Bindings, Data, NodeId, Tensor};
use hnet::{cpu, fuzz, gpu};

/// A network that a condition writes.
const WRITTEN: &str = "
import std.mlp { Mlp }
import std.hyper { Hyper }
dim b
model M {
    condition z: [6]
    input x: [b, 5]
    sub hyper = Hyper(6, 12, size(target.*))
    sub target = Mlp(5, 7, 3)
    generate target.* from hyper(z)
    output y: [b, 3] = target(x)
}
";

fn model(text: &str) -> Model {
    fuzz::check::model(text).unwrap_or_else(|f| panic!("{}\n{text}", f.detail))
}

fn floats(values: &[f32]) -> Tensor {
    Tensor::new(vec![values.len()], Data::F32(values.to_vec()))
}

/// Parameters drawn with a seed, inputs drawn, and these conditions.
fn given(model: &Model, dims: &[(&str, i64)], params: i32, conditions: &[(&str, Tensor)]) -> Bindings {
    let dims = dims.iter().map(|(n, v)| (n.to_string(), *v)).collect();
    let mut given = gather(model, &Request { random: true, dims, ..Request::default() }).unwrap();
    given.tensors.extend(conditions.iter().map(|(name, t)| (name.to_string(), t.clone())));
    session::bindings(init::initialise_all(model, &given.sizes, params).unwrap(), given, params)
}

fn written(z: f32, b: i64, params: i32) -> Bindings {
    let z: Vec<f32> = (0..6).map(|i| z + i as f32 / 4.0).collect();
    given(&model(WRITTEN), &[("b", b)], params, &[("z", floats(&z))])
}

/// Native code in three ways, and shaders where there is a device.
fn engines(model: &Model) -> Vec<Engine> {
    let (graph, roots) = (&model.graph, roots(model));
    let options = cpu::Options { threads: 2, ..cpu::Options::default() };
    let mut out = vec![Engine::cpu(graph, &roots, 1).unwrap(), Engine::cpu(graph, &roots, 2).unwrap()];
    out.push(Engine::cpu_unoptimized(graph, &roots, &options).unwrap());
    out.extend(common::device("conditions").map(|device| Engine::gpu(&device, graph, &roots, gpu::Options::default())));
    out
}

fn roots(model: &Model) -> Vec<NodeId> {
    model.graph.outputs.iter().map(|o| o.node).collect()
}

/// What `prepare` takes, and what a run takes.
fn halves(model: &Model, all: &Bindings) -> (Bindings, Bindings) {
    let late = |path: &str| path == "seed" || model.inputs.iter().any(|i| i.name == path && !i.condition);
    let (mut before, mut after) = (all.clone(), all.clone());
    before.sources.retain(|path, _| !late(path));
    after.sources.retain(|path, _| late(path));
    (before, after)
}

/// Whether both have the same bits.
fn same(a: &[Tensor], b: &[Tensor]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.same_bits(b))
}

fn agrees(got: &[Tensor], oracle: &[Tensor]) {
    for (got, want) in got.iter().zip(oracle) {
        assert_eq!(got.shape, want.shape);
        let scale = want.to_f64().iter().filter(|x| x.is_finite()).fold(0.0, |m: f64, x| m.max(x.abs()));
        for (g, w) in got.to_f64().into_iter().zip(want.to_f64()) {
            assert!(g == w || (g - w).abs() <= 1e-5 * scale || g.is_nan() && w.is_nan(), "{g}, not {w}");
        }
    }
}

/// Runs these in this order, at once and in halves, on all engines. Each gives the bits that an engine gives which sees nothing else, and what the
/// interpreter says. Gives how often each engine prepared, the device last.
fn in_turn(model: &Model, all: &[Bindings], order: &[usize]) -> Vec<u64> {
    let roots = roots(model);
    let oracle = |b: &Bindings| Engine::interpreter(&model.graph, &roots).run(b).unwrap();
    let oracle: Vec<Vec<Tensor>> = all.iter().map(oracle).collect();
    let count = engines(model).len();
    let mut out = Vec::new();
    for k in 0..count {
        let alone: Vec<Vec<Tensor>> = all.iter().map(|b| engines(model).swap_remove(k).run(b).unwrap()).collect();
        alone.iter().zip(&oracle).for_each(|(got, want)| agrees(got, want));
        let mut engine = engines(model).swap_remove(k);
        for n in order {
            assert!(same(&engine.run(&all[*n]).unwrap(), &alone[*n]), "{} {k}: {n}", engine.name());
        }
        let prepared = engine.preparations();
        let mut engine = engines(model).swap_remove(k);
        for n in order {
            let (before, after) = halves(model, &all[*n]);
            engine.prepare(&before).unwrap();
            // Twice: a run leaves what is prepared as it is.
            for _ in 0..2 {
                assert!(same(engine.run_prepared(&after).unwrap(), &alone[*n]), "{} {k}: {n}, prepared", engine.name());
            }
        }
        assert_eq!(engine.preparations(), prepared, "{} {k}", engine.name());
        out.push(prepared);
    }
    out
}

/// As many for native code, whatever it is for a device.
fn native(counts: &[u64], expected: u64) {
    assert_eq!(counts[..3], [expected; 3]);
}

#[test]
fn nothing_is_prepared_twice() {
    let model = model(WRITTEN);
    let all = [written(0.0, 3, 0), written(1.0, 3, 0), written(-2.0, 3, 0)];
    native(&in_turn(&model, &all, &[0, 1, 0, 1, 1, 2, 0, 1, 2, 2, 0]), 3);
}

/// For each number of rows by itself, as a plan may prepare other things.
#[test]
fn runs_of_several_sizes() {
    let model = model(WRITTEN);
    let all = [written(0.0, 1, 0), written(1.0, 1, 0), written(0.0, 40, 0), written(1.0, 40, 0)];
    native(&in_turn(&model, &all, &[0, 1, 2, 3, 0, 2, 1, 3, 3, 1, 0]), 4);
}

#[test]
fn other_parameters_leave_nothing() {
    let model = model(WRITTEN);
    let all = [written(0.0, 2, 0), written(1.0, 2, 0), written(0.0, 2, 7), written(1.0, 2, 7)];
    native(&in_turn(&model, &all, &[0, 1, 0, 2, 3, 2, 3, 0, 3, 2]), 7);
    let mut engine = engines(&model).swap_remove(0);
    engine.run(&all[0]).unwrap();
    engine.run(&all[1]).unwrap();
    assert!(engine.kept() > 0);
    engine.prepare(&all[3]).unwrap();
    assert_eq!(engine.kept(), 0);
}

/// One condition, however often it is said, is no reason to keep anything; nor are parameters.
#[test]
fn what_never_changes_is_there_once() {
    let model = model(WRITTEN);
    for mut engine in engines(&model) {
        for params in [0, 0, 1, 1] {
            engine.run(&written(0.0, 3, params)).unwrap();
            engine.run(&written(0.0, 4, params)).unwrap();
            assert_eq!(engine.kept(), 0);
        }
    }
    let plain =
        self::model("dim b\nmodel M {\n    input x: [b, 4]\n    param w: [4] = normal()\n    output y: [b, 4] = x * exp(w)\n}\n");
    let all: Vec<Bindings> = [1, 5].iter().map(|b| given(&plain, &[("b", *b)], 0, &[])).collect();
    native(&in_turn(&plain, &all, &[0, 1, 0, 1, 1]), 2);
}

#[test]
fn values_are_told_apart_by_their_bits() {
    let model = model(
        "dim b\nmodel M {\n    condition z: [2]\n    input x: [b]\n    let w[i] = exp(1 / z[i])\n    output y: [b] = x * w[0] + w[1]\n}\n",
    );
    let other = f32::from_bits(0x7fc0_0001);
    let conditions = [[0.0, 1.0], [-0.0, 1.0], [f32::NAN, 1.0], [other, 1.0], [1.0, 0.0], [f32::INFINITY, -0.0]];
    let all: Vec<Bindings> = conditions.iter().map(|z| given(&model, &[("b", 3)], 0, &[("z", floats(z))])).collect();
    native(&in_turn(&model, &all, &[0, 1, 2, 3, 4, 5, 0, 1, 2, 3, 4, 5, 1, 0]), 6);
}

/// Lengths that conditions have and sizes that their values say: each such size is a placement, which stays prepared on a device, too.
#[test]
fn conditions_of_several_sizes() {
    let long =
        model("dim b\ndim n\nmodel M {\n    condition z: [n]\n    input x: [b]\n    output y: [b] = x * sum[n] exp(z[n])\n}\n");
    let z = [vec![1.0; 40], vec![0.5, -1.0], vec![], vec![2.0; 40]];
    let all: Vec<Bindings> = z.iter().map(|z| given(&long, &[("b", 2), ("n", z.len() as i64)], 0, &[("z", floats(z))])).collect();
    let counts = in_turn(&long, &all[..3], &[0, 1, 2, 0, 1, 2, 2, 1, 0]);
    assert!(counts.iter().all(|c| *c == 3), "{counts:?}");
    // What has a free length changes with each run, and is not prepared.
    native(&in_turn(&long, &all, &[0, 1, 3, 2, 0, 1, 3, 3, 1, 0]), 3);
    let measured = model(
        "dim b\nmodel M {\n    condition width: size in [1, 2, 4] = 2\n    condition z: [4]\n    input x: [b, 3]\n    \
         param w: [3, 4] = normal()\n    let h = x @ w[0..3, 0..width]\n    let g = exp(z[0..width])\n    output y: [b] = sum[j] h[j] * g[j]\n}\n",
    );
    let with = |width: i32, z: f32| {
        let width = ("width", Tensor::new(vec![], Data::I32(vec![width])));
        given(&measured, &[("b", 3)], 0, &[width, ("z", floats(&[z, 0.5, z, 1.0]))])
    };
    let all = [with(1, 0.0), with(2, 0.0), with(4, 1.0), with(2, 1.0)];
    native(&in_turn(&measured, &all, &[0, 1, 2, 3, 0, 1, 2, 3, 3, 1, 0]), 4);
}

/// Results of all types that conditions alone decide, one of them twice.
#[test]
fn results_that_are_prepared() {
    let model = model(
        "dim b\nmodel M {\n    condition z: [5]\n    input x: [b, 5]\n    let e = exp(z)\n    output a: [5] = e\n    output again: [5] = e\n    \
         output large: bool[5] = e > 2\n    output place: i32 = argmax(z)\n    output y: [b, 5] = x * e\n    output both: bool[b, 5] = x > e\n}\n",
    );
    let z = |k: usize| floats(&(0..5).map(|i| ((i + k) % 5) as f32 / 2.0).collect::<Vec<_>>());
    let all: Vec<Bindings> = (0..3).map(|k| given(&model, &[("b", 2)], 0, &[("z", z(k))])).collect();
    native(&in_turn(&model, &all, &[0, 1, 2, 0, 2, 1, 1, 0]), 3);
}

/// Draws by a seed that is a condition are prepared; those of a run follow its seed.
#[test]
fn draws_follow_their_seeds() {
    let model = model(
        "dim b\nmodel M {\n    condition key: seed\n    input x: [b, 4]\n    draw fixed: [4] = normal() by key\n    draw free: [4] = normal()\n    \
         output y: [b, 4] = x * exp(fixed) + free\n}\n",
    );
    let with = |key: i32, seed: i32| {
        let key = ("key", Tensor::new(vec![], Data::I32(vec![key])));
        let mut all = given(&model, &[("b", 2)], 0, &[key]);
        all.sources.insert("seed".into(), init::scalar(seed));
        all
    };
    let all = [with(1, 0), with(2, 0), with(1, 5), with(2, 5)];
    native(&in_turn(&model, &all, &[0, 1, 2, 3, 0, 3, 1, 2, 2]), 2);
}

/// What parameters alone decide is not there for each condition, nor made anew where conditions decide nothing that is prepared.
#[test]
fn what_parameters_decide_is_shared() {
    let text = |y: &str| {
        format!(
            "dim b\nmodel M {{\n    condition z: [2]\n    input x: [b, 64]\n    param w: [64, 64] = normal(std: 0.1)\n    output y: [b, 64] = {y}\n}}\n"
        )
    };
    let shared = model(&text("(x @ exp(w)) * exp(z[0])"));
    let all: Vec<Bindings> = (0..6).map(|k| given(&shared, &[("b", 3)], 0, &[("z", floats(&[k as f32, 0.0]))])).collect();
    let order = [0, 1, 2, 3, 4, 5, 0, 5];
    native(&in_turn(&shared, &all, &order), 6);
    let mut engine = engines(&shared).swap_remove(0);
    order.iter().for_each(|n| drop(engine.run(&all[*n]).unwrap()));
    assert!(engine.kept() > 0 && engine.kept() < 6 * 1024, "{}", engine.kept());
    let late = model(&text("x @ exp(w) + z[0]"));
    let all: Vec<Bindings> = (0..3).map(|k| given(&late, &[("b", 3)], 0, &[("z", floats(&[k as f32, 0.0]))])).collect();
    native(&in_turn(&late, &all, &[0, 1, 2, 0, 1, 2]), 1);
}

#[test]
fn the_bound_holds_and_what_was_used_least_lately_goes() {
    let model = model(WRITTEN);
    let all: Vec<Bindings> = (0..5).map(|k| written(k as f32, 3, 0)).collect();
    let mut engine = engines(&model).swap_remove(0);
    let run = |engine: &mut Engine, n: usize| {
        let alone = engines(&model).swap_remove(0).run(&all[n]).unwrap();
        assert!(same(&engine.run(&all[n]).unwrap(), &alone), "{n}");
        assert!(engine.kept() <= engine.keeps());
        engine.preparations()
    };
    run(&mut engine, 0);
    assert_eq!(run(&mut engine, 1), 2);
    let one = engine.kept();
    assert!(one > 0);
    // Two besides the last.
    engine.keep(one * 5 / 2);
    assert_eq!([2, 0, 3, 2, 0].map(|n| run(&mut engine, n)), [3, 3, 4, 4, 4]);
    assert_eq!(run(&mut engine, 1), 5);
    assert!(engine.kept() > one);
    engine.keep(one - 1);
    assert_eq!(engine.kept(), 0);
    assert_eq!([2, 1, 2].map(|n| run(&mut engine, n)), [6, 7, 8]);
    engine.keep(0);
    assert_eq!([1, 1, 2, 1].map(|n| run(&mut engine, n)), [9, 9, 10, 11]);
    assert_eq!(engine.kept(), 0);
    engine.keep(one * 3 / 2);
    assert_eq!([2, 1, 2].map(|n| run(&mut engine, n)), [12, 12, 12]);
}

/// As many sizes as there are, so that placements go, and what they kept with them.
#[test]
fn placements_that_go_take_along_what_they_kept() {
    let model = model(WRITTEN);
    let mut engine = engines(&model).swap_remove(0);
    for b in 1..40 {
        for z in [0.0, 1.0] {
            let all = written(z, b, 0);
            assert!(same(&engine.run(&all).unwrap(), &engines(&model).swap_remove(0).run(&all).unwrap()), "{b}");
        }
    }
    let mut few = engines(&model).swap_remove(0);
    for z in [0.0, 1.0, 0.0] {
        (24..40).for_each(|b| drop(few.run(&written(z, b, 0)).unwrap()));
    }
    assert!(engine.kept() <= few.kept(), "{}, {}", engine.kept(), few.kept());
}

/// Results that are handed on to what is prepared: it is prepared for them, and for no condition of before.
#[test]
fn what_is_handed_on_is_prepared_anew() {
    let model = model(
        "dim b\nmodel M {\n    condition z: [3]\n    input x: [b, 3]\n    param p: [3] = zeros()\n    let e = exp(z * p)\n    \
         output y: [b, 3] = x * e\n    output next: [3] = p + 0.5\n}\n",
    );
    let all: Vec<Bindings> = [1.0, -1.0].iter().map(|z| given(&model, &[("b", 2)], 0, &[("z", floats(&[*z; 3]))])).collect();
    let handed = [(1, "p".to_string())];
    let mut made = engines(&model);
    made.push(Engine::interpreter(&model.graph, &roots(&model)));
    for mut engine in made {
        let mut p = 0.0f32;
        for n in [0, 1, 0, 1] {
            let (mut before, after) = halves(&model, &all[n]);
            before.sources.insert("p".into(), floats(&[p; 3]));
            engine.prepare(&before).unwrap();
            for _ in 0..3 {
                let mut alone = all[n].clone();
                alone.sources.insert("p".into(), floats(&[p; 3]));
                let want = Engine::interpreter(&model.graph, &roots(&model)).run(&alone).unwrap();
                agrees(&engine.step(&after, &handed, true, &|_| true).unwrap()[..1], &want[..1]);
                p += 0.5;
            }
            assert_eq!(engine.stored().unwrap()["p"].to_f64(), [f64::from(p); 3], "{}", engine.name());
            assert_eq!(engine.kept(), 0);
        }
    }
}

/// Only what is named takes other values: a condition that was there costs no preparation, a parameter drops what is kept, and what is not named stays.
#[test]
fn what_is_turned_to_is_the_only_change() {
    let model = model(WRITTEN);
    let all: Vec<Bindings> = [0.0, 1.5, -2.0].iter().map(|z| written(*z, 3, 0)).collect();
    let other = written(0.0, 3, 1);
    let roots = roots(&model);
    for k in 0..engines(&model).len() {
        let alone = |b: &Bindings| engines(&model).swap_remove(k).run(b).unwrap();
        let mut engine = engines(&model).swap_remove(k);
        let (before, after) = halves(&model, &all[0]);
        engine.prepare(&before).unwrap();
        let z = |b: &Bindings| Bindings { sources: [("z".to_string(), b.sources["z"].clone())].into(), ..Bindings::default() };
        let x: Bindings = after;
        let with = |z: &Bindings| {
            let mut all = z.clone();
            all.sources.insert("x".to_string(), x.sources["x"].clone());
            all
        };
        for n in [0, 1, 2, 1, 0, 2] {
            engine.turn_to(&z(&all[n])).unwrap();
            assert!(same(engine.run_prepared(&x).unwrap(), &alone(&with(&all[n]))), "{} {k}: {n}", engine.name());
        }
        let many = if engine.name() == "cpu" { 3 } else { 6 };
        assert!(engine.preparations() <= many, "{} prepared {} times", engine.name(), engine.preparations());
        // One parameter is another; the condition and all other parameters stay.
        let path =
            before.sources.keys().find(|p| p.contains("hyper") && p.ends_with(".w")).expect("the hypernetwork has weights");
        let mut expected = with(&all[2]);
        expected.sources.insert(path.clone(), other.sources[path].clone());
        let given = Bindings { sources: [(path.clone(), other.sources[path].clone())].into(), ..Bindings::default() };
        engine.turn_to(&given).unwrap();
        assert!(same(engine.run_prepared(&x).unwrap(), &alone(&expected)), "{} {k}: a parameter", engine.name());
        let want = Engine::interpreter(&model.graph, &roots).run(&expected).unwrap();
        agrees(engine.run_prepared(&x).unwrap(), &want);
    }
}
