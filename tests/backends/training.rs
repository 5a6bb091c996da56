//! Training: rules against PyTorch's, steps against each other on all backends, and what a run that was cut off goes on to.

use crate::common;
use hnet::bind::init;
use hnet::check::model::Model;
use hnet::exec::session::{Backend, Options as Run};
use hnet::files::archive;
use hnet::ir::sizes::Sizes;
use hnet::ir::{Data, Tensor};
use hnet::pipeline;
use hnet::program::NoFiles;
use hnet::source::Sources;
use hnet::train::{Options, Record, Trainer};
use std::collections::BTreeMap;
use std::path::Path;

pub fn model(text: &str) -> Model {
    let mut sources = Sources::default();
    let root = sources.add("m.hnet", None, text.to_string());
    let checked = pipeline::check_with(&mut sources, &NoFiles, root, &[]);
    assert!(checked.is_fine(), "{text}{:#?}", checked.diagnostics);
    checked.models.into_iter().next().unwrap()
}

/// What is said of a program that is not right.
pub fn refused(text: &str) -> Vec<hnet::diag::Diagnostic> {
    let mut sources = Sources::default();
    let root = sources.add("m.hnet", None, text.to_string());
    pipeline::check_with(&mut sources, &NoFiles, root, &[]).diagnostics
}

pub fn floats(shape: &[usize], value: impl Fn(usize) -> f64) -> Tensor {
    Tensor::new(shape.to_vec(), Data::F32((0..shape.iter().product()).map(|k| value(k) as f32).collect()))
}

pub fn save(folder: &Path, name: &str, columns: Vec<(&str, Tensor)>) {
    let named: Vec<_> = columns.into_iter().map(|(n, t)| (n.to_string(), t)).collect();
    archive::save(&folder.join(name), &named).unwrap();
}

/// The backends that are here.
pub fn backends() -> Vec<Backend> {
    let mut out = vec![Backend::Interp, Backend::Cpu];
    if common::device("training").is_some() {
        out.push(Backend::Gpu);
    }
    out
}

pub fn options(backend: Backend, threads: usize) -> Options {
    Options { run: Run { backend, threads, half: false, ..Run::default() }, ..Options::default() }
}

pub fn start(model: &Model, seed: i32) -> BTreeMap<String, Tensor> {
    init::initialise_all(model, &Sizes::new(), seed).unwrap()
}

/// Trains to the end.
pub fn trained(
    model: &Model,
    params: BTreeMap<String, Tensor>,
    folder: &Path,
    options: Options,
) -> (Vec<Record>, BTreeMap<String, Tensor>) {
    let mut trainer = Trainer::new(model, params, folder, options).unwrap();
    let mut records = vec![];
    while let Some(record) = trainer.step().unwrap_or_else(|d| panic!("{}: {:?}", d.message, d.notes)) {
        records.push(record);
    }
    (records, trainer.params().unwrap())
}

#[derive(serde::Deserialize)]
struct Case {
    clauses: String,
    w: Vec<f64>,
    b: Vec<f64>,
}

#[test]
fn rules_are_those_of_pytorch() {
    let folder = tempfile::tempdir().unwrap();
    let (i, j) = (|k: usize| (k / 3) as f64, |k: usize| (k % 3) as f64);
    let x = Tensor::new(vec![7, 3], Data::F32((0..21).map(|k| (1.0 + 3.0 * i(k) + j(k)).sin() as f32).collect()));
    let y = floats(&[7, 2], |k| (2.0 * (k / 2) as f64 + (k % 2) as f64).cos());
    save(folder.path(), "rows.safetensors", vec![("x", x), ("y", y)]);
    let cases: Vec<Case> = serde_json::from_str(include_str!("training/optimizers.json")).unwrap();
    assert!(cases.len() >= 27);
    let mut wrong = vec![];
    for case in &cases {
        let model = model(&format!(
            "dim r\nmodel M {{\n    input x: [r, 3]\n    input y: [r, 2]\n    param w: [3, 2] = zeros()\n    param b: [2] = zeros()\n\
             \x20   loss fit = mean[r] mean[k] (sum[i] x[i] * w[i, k] + b[k] - y[k])^2\n}}\n\
             train M {{\n    data \"rows.safetensors\" {{ x, y }}\n    batch r = all\n    minimize fit\n    {}\n    steps 5\n}}\n",
            case.clauses
        ));
        let params = || {
            let w = floats(&[3, 2], |k| 0.1 * ((k / 2) as f64 - (k % 2) as f64) + 0.05);
            BTreeMap::from([("w".to_string(), w), ("b".to_string(), floats(&[2], |k| [0.2, -0.3][k]))])
        };
        for backend in backends() {
            let (_, got) = trained(&model, params(), folder.path(), options(backend, 1));
            // Inputs are in 32 bits; a device's root and quotient are less exact, and muon's iteration makes the difference larger.
            let tolerance = match backend {
                Backend::Interp => 2e-6,
                _ if case.clauses.contains("muon") => 1e-4,
                _ => 2e-5,
            };
            for (name, wanted) in [("w", &case.w), ("b", &case.b)] {
                for (k, (g, w)) in got[name].to_f64().iter().zip(wanted).enumerate() {
                    if (g - w).abs() > tolerance * w.abs().max(0.01) {
                        wrong.push(format!("{backend:?} `{}` {name}[{k}]: {g}, wanted {w}", case.clauses));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A small hypernetwork with experts, a draw, a state and a condition: all that a step may have.
pub const ALL: &str = "import std.linear { Linear }
import std.mlp { Mlp }
import std.math { cross_entropy }
dim b
model M {
    condition task: i32
    input x: [b, 6]
    input label: i32[b]
    param embed: [3, 4] = normal(std: 0.5)
    sub hyper = Linear(4, size(target.*))
    form target = Linear(6, 5)
    sub gate = Linear(5, 4)
    sub expert[4] = Mlp(5, 8, 3)
    generate target.* from 0.3 * hyper(embed[task])
    state mu: [6] = zeros()
    draw noise: [b, 6] = normal(std: 0.01)
    let h = tanh(target(x - 0.1 * mu + noise))
    let pick = top_k(gate(h), 2)
    let y = route h over expert at pick.index by softmax(pick.value) { capacity: 1.0 per [b] }
    update mu = 0.9 * mu + 0.1 * mean[b] x
    output logits: [b, 3] = y
    loss nll = mean[b] cross_entropy(y, label)
    loss small = mean[i, j] hyper.w[i, j]^2
}
train M {
    data \"rows.safetensors\" { x, label, task }
    batch b = 8 by task
    minimize nll + 0.01 * small
    over * except gate.*
    with adamw(lr: 1e-2 * warmup((step + 1) / 10))
    over gate.*
    with sgd(lr: 0.05, momentum: 0.9)
    clip 1.0
    average 0.9
    steps 40
    seed 5
}
";

pub fn rows(folder: &Path) {
    let n = 50;
    save(
        folder,
        "rows.safetensors",
        vec![
            ("x", floats(&[n, 6], |k| ((k * 37 + 11) % 29) as f64 / 10.0 - 1.4)),
            ("label", Tensor::new(vec![n], Data::I32((0..n).map(|r| (r * 7 % 3) as i32).collect()))),
            ("task", Tensor::new(vec![n], Data::I32((0..n).map(|r| (r * r % 3) as i32).collect()))),
        ],
    );
}

pub fn losses(records: &[Record]) -> Vec<f64> {
    records.iter().map(|r| r.losses[0].1).collect()
}

#[test]
fn all_backends_take_the_same_steps() {
    let folder = tempfile::tempdir().unwrap();
    rows(folder.path());
    let model = model(ALL);
    let (oracle, _) = trained(&model, start(&model, 5), folder.path(), options(Backend::Interp, 1));
    assert!(losses(&oracle)[39] < losses(&oracle)[0], "{:?}", losses(&oracle));
    assert!(oracle.iter().any(|r| !r.dropped.is_empty()) && oracle.iter().all(|r| r.loads[0].1.len() == 4));
    for backend in backends() {
        let (records, values) = trained(&model, start(&model, 5), folder.path(), options(backend, 2));
        for (a, b) in records.iter().zip(&oracle) {
            assert_eq!((&a.by, a.rows), (&b.by, b.rows));
            let (x, y) = (a.losses[0].1, b.losses[0].1);
            assert!((x - y).abs() <= 1e-3 * y.abs(), "{backend:?} step {}: {x} and {y}", a.step);
        }
        // Two runs give the same bits.
        let (again, same) = trained(&model, start(&model, 5), folder.path(), options(backend, 1));
        assert_eq!(losses(&again), losses(&records));
        for (path, t) in &values {
            assert!(t.same_bits(&same[path]), "{backend:?}: {path}");
        }
    }
}

#[test]
fn a_run_that_goes_on_has_the_bits_of_one_that_never_stopped() {
    let folder = tempfile::tempdir().unwrap();
    rows(folder.path());
    let model = model(ALL);
    for backend in backends() {
        let (_, whole) = trained(&model, start(&model, 5), folder.path(), options(backend, 1));
        for stop in [0, 1, 17, 39, 40] {
            let mut first = Trainer::new(&model, start(&model, 5), folder.path(), options(backend, 2)).unwrap();
            for _ in 0..stop {
                first.step().unwrap();
            }
            let state = first.state().unwrap();
            drop(first);
            let mut second = Trainer::new(&model, BTreeMap::new(), folder.path(), options(backend, 1)).unwrap();
            second.resume(state);
            while second.step().unwrap().is_some() {}
            let got = second.params().unwrap();
            for (path, t) in &whole {
                assert!(t.same_bits(&got[path]), "{backend:?} stopped at {stop}: {path}");
            }
        }
    }
}

#[test]
fn batches_that_are_gathered_are_one_large_batch() {
    let folder = tempfile::tempdir().unwrap();
    rows(folder.path());
    let text = |batch: &str| {
        format!(
            "dim b\nmodel M {{\n    input x: [b, 6]\n    param w: [6] = ones()\n    loss fit = mean[b] (x @ w - 1)^2\n}}\n\
             train M {{\n    data \"rows.safetensors\" {{ x }}\n    {batch}\n    minimize fit\n    with adam(lr: 0.01)\n    steps 6\n}}\n"
        )
    };
    let (whole, parts) = (model(&text("batch b = 20")), model(&text("batch b = 5\n    accumulate 4")));
    let (a, x) = trained(&whole, start(&whole, 0), folder.path(), options(Backend::Interp, 1));
    let (b, y) = trained(&parts, start(&parts, 0), folder.path(), options(Backend::Interp, 1));
    for (p, q) in x["w"].to_f64().iter().zip(y["w"].to_f64()) {
        assert!((p - q).abs() < 1e-9, "{x:?} {y:?}");
    }
    assert!(losses(&a).iter().zip(losses(&b)).all(|(p, q)| (p - q).abs() < 1e-9));
    assert_eq!(a[5].rows, b[5].rows);
}

#[test]
fn rounds_phases_and_what_is_set() {
    let folder = tempfile::tempdir().unwrap();
    rows(folder.path());
    // Each round learns the mean of its task's rows, and keeps what the round before came to.
    let model = model(
        "dim b\nmodel M {\n    condition task: i32\n    input x: [b, 6]\n    param w: [6] = zeros()\n    param old: [2, 6] = zeros()\n\
         \x20   freeze old\n    loss fit = mean[b] sum[i] (x[i] - w[i])^2\n    loss none = (sum[k, i] old[k, i]^2) + number(task) * sum(w)\n}\n\
         train M as second after first {\n    set w = 2 * w\n    data \"rows.safetensors\" { x }\n    batch b = all\n    minimize fit\n    with sgd(lr: 0.0)\n    steps 1\n}\n\
         train M as first for task in 0..2 {\n    set old[k, i] = if k == task { w[i] } else { old[k, i] }\n    data \"rows.safetensors\" { x, task }\n    batch b = all\n    minimize fit\n\
         \x20   with sgd(lr: 0.5)\n    every 2 when step > 1 set w = 10 * w\n    steps 3\n}\n",
    );
    let (records, got) = trained(&model, start(&model, 0), folder.path(), options(Backend::Interp, 1));
    let phases: Vec<(&str, Option<i64>)> = records.iter().map(|r| (&*r.phase, r.round)).collect();
    let first = |k| ("first", Some(k));
    let wanted: Vec<_> = (0..2).flat_map(|k| [first(k); 3]).chain([("second", None)]).collect();
    assert_eq!(phases, wanted);
    // With this rate a step of gradient descent lands on the mean; `every` makes it ten times that, and the next step mends it.
    let x: Vec<f64> = (0..300).map(|k| f64::from((((k * 37 + 11) % 29) as f64 / 10.0 - 1.4) as f32)).collect();
    let mean = |task: usize, i: usize| {
        let rows: Vec<usize> = (0..50).filter(|r| r * r % 3 == task).collect();
        rows.iter().map(|r| x[r * 6 + i]).sum::<f64>() / rows.len() as f64
    };
    let (old, w) = (got["old"].to_f64(), got["w"].to_f64());
    for i in 0..6 {
        assert!((old[6 + i] - mean(0, i)).abs() < 1e-6 && old[i] == 0.0, "{old:?}");
        assert!((w[i] - 2.0 * mean(1, i)).abs() < 1e-6, "{w:?}");
    }
}

#[test]
fn a_loss_that_is_not_finite_stops_the_run_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    rows(folder.path());
    let text = "dim b\nmodel M {\n    input x: [b, 6]\n    param w: [6] = ones()\n    let margin = 2.0 - 0.1 * sum(w * w)\n\
                \x20   loss fit = mean[b] (x @ w)^2 - 5 * log(margin)\n}\n\
                train M {\n    data \"rows.safetensors\" { x }\n    batch b = 10\n    minimize -1 * fit\n    with sgd(lr: 0.2)\n    steps 100\n}\n";
    let model = model(text);
    for backend in backends() {
        let mut trainer = Trainer::new(&model, start(&model, 0), folder.path(), options(backend, 1)).unwrap();
        let mut last = trainer.params().unwrap();
        let said = loop {
            match trainer.step() {
                Ok(Some(_)) => last = trainer.params().unwrap(),
                Ok(None) => panic!("all steps were taken"),
                Err(d) => break d,
            }
        };
        assert_eq!(said.code, "H0621");
        let place = said.primary.expect("a place").span;
        let at = &text[place.start as usize..place.end as usize];
        assert!(text[..place.start as usize].matches('\n').count() == 5, "{at}: {}", said.message);
        assert!(last["w"].same_bits(&trainer.params().unwrap()["w"]) && last["w"].to_f64().iter().all(|v| v.is_finite()));
    }
}

/// A batch whose length is known generates once for each row of the table; one of all rows, once for each sample.
#[test]
fn networks_that_samples_share_learn_as_those_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let task = Tensor::new(vec![20], Data::I32((0..20).map(|k| [0, 2, 2, 3][k % 4]).collect()));
    let x = floats(&[20, 3], |k| (k as f64 * 0.7).sin());
    save(folder.path(), "rows.safetensors", vec![("x", x), ("task", task)]);
    // Nobody asks for row 1, which holds no numbers.
    let text = |batch: &str| {
        format!(
            "import std.mlp {{ Mlp }}\nimport std.hyper {{ Hyper }}\ndim b\nmodel M {{\n    condition task: i32\n    input x: [b, 3]\n\
             \x20   param embed: [4, 2] = normal()\n    sub hyper  = Hyper(2, 5, size(target.*))\n    sub target = Mlp(3, 4, 2)\n\
             \x20   generate target.* from hyper(embed[task])\n    loss fit = mean[b] sum((target(x) - 1)^2)\n}}\n\
             train M {{\n    data \"rows.safetensors\" {{ x, task }}\n    batch b = {batch}\n    minimize fit\n    with adam(lr: 0.05)\n    steps 12\n}}\n"
        )
    };
    let (shared, own) = (model(&text("20")), model(&text("all")));
    let mut begun = start(&shared, 3);
    let Data::F32(embed) = &mut begun.get_mut("embed").unwrap().data else { panic!("reals") };
    embed[2..4].fill(f32::NAN);
    let (wanted, _) = trained(&own, begun.clone(), folder.path(), options(Backend::Interp, 1));
    for backend in backends() {
        let (records, params) = trained(&shared, begun.clone(), folder.path(), options(backend, 2));
        for (a, b) in losses(&records).into_iter().zip(losses(&wanted)) {
            assert!((a - b).abs() <= 1e-4 * b.abs(), "{backend:?}: {a} and {b}");
        }
        assert!(records.last().unwrap().losses[0].1 < 0.5 * records[0].losses[0].1, "{backend:?}");
        let embed = params["embed"].to_f64();
        assert!(embed.iter().enumerate().all(|(k, v)| v.is_nan() == (2..4).contains(&k)), "{backend:?}: {embed:?}");
    }
}

#[test]
fn a_batch_that_fails_takes_back_what_those_before_it_left() {
    let folder = tempfile::tempdir().unwrap();
    let x = |bad: usize| floats(&[4, 2], move |k| if k / 2 == bad { f64::NAN } else { k as f64 - 3.0 });
    let model = model(
        "dim b\nmodel M {\n    input x: [b, 2]\n    param w: [2] = ones()\n    state seen: i32 = zeros()\n    update seen = seen + count[b]\n\
         \x20   loss fit = mean[b] (x @ w - 1)^2\n}\n\
         train M {\n    data \"rows.safetensors\" { x }\n    batch b = 1\n    accumulate 4\n    minimize fit\n    with adam(lr: 0.1)\n    steps 8\n}\n",
    );
    for (backend, bad) in backends().into_iter().flat_map(|b| (0..4).map(move |bad| (b, bad))) {
        // Where the row is the first that a step takes, there is nothing to take back.
        save(folder.path(), "rows.safetensors", vec![("x", x(bad))]);
        let mut trainer = Trainer::new(&model, start(&model, 0), folder.path(), options(backend, 1)).unwrap();
        let before = trainer.state().unwrap();
        let said = trainer.step().unwrap_err();
        assert_eq!(said.code, "H0621", "{said:?}");
        let after = trainer.state().unwrap();
        assert_eq!(before.place, after.place);
        for (path, t) in &after.values {
            match before.values.get(path) {
                Some(was) => assert!(was.same_bits(t), "{backend:?}, {bad}: `{path}`"),
                None => assert!(t.to_f64().iter().all(|v| *v == 0.0), "{backend:?}, {bad}: `{path}`"),
            }
        }
    }
}

#[test]
fn who_is_measured_and_does_not_get_better_stops() {
    let folder = tempfile::tempdir().unwrap();
    rows(folder.path());
    let model = model(
        "dim b\nmodel M {\n    input x: [b, 6]\n    param w: [6] = zeros()\n    loss fit = mean[b] sum[i] (x[i] - w[i])^2\n}\n\
         train M {\n    data \"rows.safetensors\" { x }\n    batch b = all\n    minimize fit\n    with sgd(lr: 0.5)\n    validate held every 2 patience 3\n    steps 100\n}\n\
         eval M as held {\n    data \"rows.safetensors\" { x }\n    batch b = all\n    report fit\n}\n",
    );
    let (records, _) = trained(&model, start(&model, 0), folder.path(), options(Backend::Interp, 1));
    // The best is there after two steps; three measurements later it is over.
    assert!((8..=10).contains(&records.len()), "{}", records.len());
    assert_eq!(records[1].scores[0].0, "held.fit");
    assert!(records[0].scores.is_empty());
}

#[test]
fn the_load_of_the_busiest_expert() {
    let folder = tempfile::tempdir().unwrap();
    let (x, at) = (floats(&[6, 2], |k| k as f64 / 4.0), |chosen: &[i32]| Tensor::new(vec![6, 2], Data::I32(chosen.to_vec())));
    let text = "import std.linear { Matrix }\ndim t\nmodel M {\n    condition seen: f32 = 0.0\n    input x: [t, 2]\n    input at: i32[t, 2]\n\
                sub expert[4] = Matrix(2, 2)\n    let made = route x over expert at at by 0.5\n    loss fit = mean[t] mean(made) * 0 + seen\n}\n\
                train M {\n    data \"rows.safetensors\" { x, at }\n    minimize fit\n    with sgd(lr: 0.1)\n    every 1 set seen = max_load\n    steps 3\n}\n";
    let model = model(text);
    // All choose one pair; everybody another; an expert that is none counts for nobody.
    for (chosen, load) in [
        ([0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1], 2.0),
        ([0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3], 1.0),
        ([3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3], 4.0),
        ([2, 1, 2, 3, 2, 0, 2, 3, 2, 1, 2, 0], 2.0),
    ] {
        save(folder.path(), "rows.safetensors", vec![("x", x.clone()), ("at", at(&chosen))]);
        for backend in backends() {
            let (records, _) = trained(&model, start(&model, 1), folder.path(), options(backend, 1));
            let seen: Vec<f64> = losses(&records);
            assert_eq!(seen, [0.0, load, load], "{backend:?} {chosen:?}");
        }
    }
}

/// Counters and switches are states like others: on every backend they have the values that were counted by hand, and the loss heeds them.
#[test]
fn states_of_whole_numbers_and_truths() {
    let folder = tempfile::tempdir().unwrap();
    save(folder.path(), "counted.safetensors", vec![("x", floats(&[20, 2], |k| (k % 7) as f64 - 3.0))]);
    let model = model(
        "dim b\nmodel M {\n    input x: [b, 2]\n    param w: [2] = ones()\n    state seen: i32 = zeros()\n    state hits: i32[3] = zeros()\n\
         \x20   state late: bool = bernoulli(0)\n    state sum_: f32 = zeros()\n    let kind[b] = int(x[b, 0]) mod 3\n    let busy[k < 3] = sum[b where kind[b] == k] 1\n\
         \x20   update seen = seen + count[b]\n    update hits = hits + busy\n    update late = seen >= 10\n    update sum_ = sum_ + count[b]\n\
         \x20   loss fit = (if late { 2.0 } else { 1.0 }) * (mean[b] (x @ w - 1)^2) + 0 * hits[seen mod 3]\n}\n\
         train M {\n    data \"counted.safetensors\" { x }\n    batch b = 5\n    minimize fit\n    with sgd(lr: 0.01)\n    steps 8\n}\n",
    );
    let (oracle, values) = trained(&model, start(&model, 0), folder.path(), options(Backend::Interp, 1));
    // Twice all rows, and all of them alike: the first number of row r is 2 r mod 7 less 3.
    let kinds = (0..20).map(|r| (2 * r % 7 - 3i32).rem_euclid(3));
    let hits: Vec<i32> = (0..3).map(|k| 2 * kinds.clone().filter(|n| *n == k).count() as i32).collect();
    for backend in backends() {
        let (records, got) = trained(&model, start(&model, 0), folder.path(), options(backend, 2));
        assert_eq!(got["seen"].data, Data::I32(vec![40]), "{backend:?}");
        assert_eq!(got["hits"].data, Data::I32(hits.clone()), "{backend:?}");
        assert_eq!(got["late"].data, Data::Bool(vec![1]), "{backend:?}");
        assert_eq!(got["sum_"].to_f64(), [40.0], "{backend:?}");
        for (a, b) in losses(&records).into_iter().zip(losses(&oracle)) {
            assert!((a - b).abs() <= 1e-5 * b.abs(), "{backend:?}: {a} and {b}");
        }
        assert_eq!(got["w"].shape, values["w"].shape);
    }
}
