//! The shipped models: they check, agree with independent references, and mean the same in the interpreter, after all passes and
//! in compiled code, at several sizes. The layout of every `.hnet` file here is the canonical one.

use crate::common::{beside, close, drawn, files, models, name, right, root, weights};
use hnet::bind::inputs::{Request, gather};
use hnet::bind::params;
use hnet::check::model::Model;
use hnet::exec::Engine;
use hnet::exec::eval::{self, Setting};
use hnet::exec::session::{self, Backend, Options, Session};
use hnet::files::archive::Archive;
use hnet::ir::NodeId;
use hnet::ir::{Bindings, Tensor};
use hnet::opt;
use hnet::pipeline;
use hnet::source::Sources;
use std::collections::BTreeMap;
use std::path::Path;

const INTERP: Options = Options { backend: Backend::Interp, threads: 1, half: false };

#[test]
fn references_are_met() {
    let mut met = 0;
    for path in files("models").into_iter().chain(files("tests/backends/derivatives")) {
        let all = models(&path);
        // A file's tensors belong to its first model.
        let (Some(inputs), Some(expected)) = (beside(&path, "inputs"), beside(&path, "expected")) else { continue };
        let model = &all[0];
        let given = gather(model, &Request { files: vec![inputs], ..Request::default() }).unwrap();
        assert!(given.warnings.is_empty(), "{}: {:#?}", path.display(), given.warnings);
        let bound = session::bindings(weights(&path, model, &given), given, 0);
        let expected = Archive::open(&expected).unwrap();
        let at = |name: &str| model.graph.outputs.iter().position(|o| *o.name == *name);
        let outputs: Vec<usize> =
            expected.names().map(|n| at(n).unwrap_or_else(|| panic!("{}: no {n}", path.display()))).collect();
        // The reference of the decoder was itself computed in single precision.
        let exact = if name(&path) == "decoder" { 2e-4 } else { 1e-5 };
        for (options, limit) in [(INTERP, exact), (Options { backend: Backend::Cpu, threads: 1, half: false }, 2e-4)] {
            let mut session = Session::new(model, &outputs, &options).unwrap();
            let got = session.run(&bound).unwrap();
            for ((got, name), output) in got.iter().zip(expected.names()).zip(&outputs) {
                let want = expected.get(name).unwrap().load(got.dtype()).unwrap();
                let who = format!("{}, {name}, {}", path.display(), session.backend());
                right(&who, &model.graph, model.graph.outputs[*output].node, &bound, (got, &want), limit);
            }
        }
        met += 1;
    }
    assert!(met >= 28, "{met} models with references");
}

/// Runs a model with drawn values where every free dim has this size, in all ways.
fn agree(who: &str, model: &Model, size: i64, conditions: &[(&str, &str)], threads: &[usize]) {
    let free = model.dims.iter().filter(|d| d.size.is_none());
    let dims = free.map(|d| (d.name.to_string(), size)).collect();
    let conditions = conditions.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
    let request = Request { random: true, seed: 3, dims, conditions, ..Request::default() };
    let given = gather(model, &request).unwrap_or_else(|d| panic!("{who}: {d:#?}"));
    let (can, left) = session::computable(model, &given);
    assert!(left.is_empty(), "{who}: {left:?}");
    let roots: Vec<NodeId> = can.iter().map(|k| model.graph.outputs[*k].node).collect();
    let bound: Bindings = session::bindings(drawn(model, &given), given, 3);
    let raw = match hnet::ir::interp::evaluate(&model.graph, &bound, &roots) {
        // Of nothing there is no last element: a model that takes it says so, whoever computes.
        Err(d) if size == 0 && d.code == "H0618" => {
            let refused = Engine::cpu(&model.graph, &roots, 1).and_then(|mut engine| engine.run(&bound));
            return assert_eq!(refused.map_err(|d| d.code).err(), Some("H0618"), "{who}");
        }
        done => done.unwrap_or_else(|d| panic!("{who}: {d:#?}")),
    };
    let mut part = model.graph.clone();
    part.outputs.clear();
    let (after, places) = opt::optimize_keeping(&part, &roots, &mut |_, _| {});
    let passed = hnet::ir::interp::evaluate(&after, &bound, &places).unwrap_or_else(|d| panic!("{who}, optimized: {d:#?}"));
    let names: Vec<&str> = can.iter().map(|k| &*model.graph.outputs[*k].name).collect();
    for (k, name) in names.iter().enumerate() {
        right(&format!("{who}, {name}, optimized"), &model.graph, roots[k], &bound, (&passed[k], &raw[k]), 1e-9);
    }
    for threads in threads {
        let options = Options { backend: Backend::Cpu, threads: *threads, half: false };
        let mut session = Session::new(model, &can, &options).unwrap_or_else(|d| panic!("{who}: {d:#?}"));
        let got = session.run(&bound).unwrap_or_else(|d| panic!("{who}, cpu: {d:#?}"));
        for (k, name) in names.iter().enumerate() {
            let who = format!("{who}, {name}, cpu with {threads} threads");
            right(&who, &model.graph, roots[k], &bound, (&got[k], &raw[k]), 2e-4);
        }
    }
}

#[test]
fn all_ways_agree_at_all_sizes() {
    // Long samplers: the interpreter takes seconds for the largest size.
    let long = ["steel", "deep_weight_flow", "hypino"];
    for path in files("models") {
        for model in models(&path) {
            for (size, threads) in [(0, &[1usize][..]), (1, &[1]), (3, &[1, 2]), (17, &[2])] {
                if size < 17 || !long.contains(&name(&path).as_str()) {
                    agree(&format!("{}, {}, size {size}", name(&path), model.name), &model, size, &[], threads);
                }
            }
        }
    }
}

#[test]
fn conditions_decide() {
    let of = |name: &str| models(&root().join(format!("models/{name}.hnet"))).remove(0);
    // Sizes that a condition decides: how many tokens a branch takes, in each layer another number.
    agree("gateskip, narrow", &of("gateskip"), 9, &[("budget", "0.2,0.5,0.9,1")], &[1, 2]);
    agree("doh, rounded", &of("doh"), 9, &[("coarse", "1")], &[1]);
    agree("palora, one end", &of("palora"), 9, &[("lam", "0,1")], &[1]);
    agree("continual, the last task", &of("continual"), 4, &[("task", "4")], &[1]);
}

#[test]
fn the_trained_tasks() {
    let path = root().join("models/task_digits.hnet");
    let model = &models(&path)[0];
    let archive = Archive::open(&beside(&path, "params").unwrap()).unwrap();
    let params = params::load(model, &[archive], &BTreeMap::new(), 0).unwrap().tensors;
    let folder = path.parent().unwrap();
    for backend in [Backend::Interp, Backend::Cpu] {
        let setting = Setting { model, params: &params, folder, options: Options { backend, threads: 1, half: false }, seed: 0 };
        let report = eval::run(&setting, &model.evals[0], &mut |_, _| {}).unwrap();
        let accuracy = report.columns.iter().position(|c| c == "accuracy").unwrap();
        let rows: Vec<(Option<i32>, usize, f64)> = report.rows.iter().map(|r| (r.group, r.rows, r.values[accuracy])).collect();
        for (task, want) in [0.98333, 0.98889, 0.98333, 0.97778, 0.99167].into_iter().enumerate() {
            let (group, n, got) = rows[task];
            assert_eq!((group, n), (Some(task as i32), 360));
            assert!((got - want).abs() < 1e-5, "task {task}: {got}");
        }
        assert_eq!((rows[5].0, rows[5].1), (None, 1800));
    }
    // The networks that are written, for every task.
    let all = Archive::open(&folder.join("data/task_digits_all.safetensors")).unwrap();
    let generated = all.get("generated").unwrap();
    let output = model.graph.outputs.iter().position(|o| &*o.name == "generated").unwrap();
    for (backend, limit) in [(Backend::Interp, 1e-5), (Backend::Cpu, 2e-4)] {
        let mut session = Session::new(model, &[output], &Options { backend, threads: 1, half: false }).unwrap();
        for task in 0..5 {
            let request = Request { conditions: vec![("task".into(), task.to_string())], ..Request::default() };
            let given = gather(model, &request).unwrap();
            let got = session.run(&session::bindings(params.clone(), given, 0)).unwrap();
            let want = generated.rows(got[0].dtype(), &[task]).unwrap();
            let want = Tensor::new(got[0].shape.clone(), want.data);
            close(&format!("task {task}"), &got[0], &want, limit);
        }
    }
}

/// A condition that a column carries row by row is lifted over the batch: every row has the network of its own task.
#[test]
fn a_condition_may_vary_over_the_batch() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let path = folder.join("task_digits.hnet");
    let text = std::fs::read_to_string(&path).unwrap().replace("batch b = all by task", "batch b = 100");
    let mut sources = Sources::default();
    let root = sources.add("task_digits.hnet", Some(&path), text);
    let checked = pipeline::check(&mut sources, root, &[]);
    let model = &checked.models[0];
    let weights = Archive::open(&folder.join("task_digits.params.safetensors")).unwrap();
    let params = params::load(model, &[weights], &Default::default(), 0).unwrap().tensors;
    let options = Options { backend: Backend::Cpu, threads: 1, half: false };
    let setting = eval::Setting { model, params: &params, folder: &folder, options, seed: 0 };
    let report = eval::run(&setting, &model.evals[0], &mut |_, _| {}).unwrap();
    let accuracy = report.columns.iter().position(|c| c == "accuracy").unwrap();
    assert_eq!(report.rows.len(), 1);
    assert!((report.rows[0].values[accuracy] - 0.985).abs() < 1e-5, "{:?}", report.rows[0].values);
}

#[test]
fn every_file_has_the_canonical_layout() {
    let mut seen = 0;
    for path in ["std", "models", "examples", "docs", "tests/library"].into_iter().flat_map(files) {
        let mut sources = Sources::default();
        let file = pipeline::read(&mut sources, &path).unwrap();
        let text = sources.get(file).text.to_string();
        let formatted = pipeline::format(&sources, file).unwrap_or_else(|d| panic!("{}: {d:#?}", path.display()));
        assert_eq!(text, formatted, "{}: run `hnet fmt`", path.display());
        seen += 1;
    }
    assert!(seen > 50, "{seen} files");
}
