//! The shipped models: they check, agree with independent references, and mean the same in the interpreter, after all passes, in
//! compiled code and on a device, at several sizes. The layout of every `.hnet` file here is the canonical one.

use crate::common::{beside, device, drawn, files, models, name, root, weights};
use crate::suite::Case;
use crate::suite::Way::{self, Interpreter, Optimized, OptimizedDevice, Passes};
use hnet::bind::inputs::{Request, gather};
use hnet::bind::params;
use hnet::check::model::Model;
use hnet::exec::eval::{self, Setting};
use hnet::exec::session::{self, Backend, Options};
use hnet::files::archive::Archive;
use hnet::gpu::{Device, DeviceOptions};
use hnet::ir::{Bindings, Target, Tensor};
use hnet::pipeline;
use hnet::plan::{Decision, Pins};
use hnet::source::Sources;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

#[test]
fn references_are_met() {
    let mut met = 0;
    for path in files("models").into_iter().chain(files("tests/backends/derivatives")).chain(files("tests/library")) {
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
        let dtype = |k: usize| model.graph.node(model.graph.outputs[k].node).dtype;
        let load = |(name, k): (&str, &usize)| expected.get(name).unwrap().load(dtype(*k)).unwrap();
        let wants: Vec<Tensor> = expected.names().zip(&outputs).map(load).collect();
        Case::of(&name(&path), model, &outputs, bound).judged(&wants);
        met += 1;
    }
    assert!(met >= 29, "{met} models with references");
}

/// A model with drawn values where every free dim has this size.
fn at_size(who: &str, model: &Model, size: i64, conditions: &[(&str, &str)]) -> Case {
    let free = model.dims.iter().filter(|d| d.size.is_none());
    let dims = free.map(|d| (d.name.to_string(), size)).collect();
    let conditions = conditions.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
    let request = Request { random: true, seed: 3, dims, conditions, ..Request::default() };
    let given = gather(model, &request).unwrap_or_else(|d| panic!("{who}: {d:#?}"));
    let (can, left) = session::computable(model, &given);
    assert!(left.is_empty(), "{who}: {left:?}");
    let bound: Bindings = session::bindings(drawn(model, &given), given, 3);
    Case::of(&format!("{who}, {}, size {size}", model.name), model, &can, bound)
}

#[test]
fn a_mixture_cut_out_of_a_net_begins_as_that_net() {
    let model = &models(&root().join("models/dynamic_dino.hnet"))[0];
    at_size("dynamic_dino", model, 3, &[]).only(&["moved"]).each(|way, got| {
        let moved = got[0].to_f64()[0];
        assert!((0.0..1e-5).contains(&moved), "{way:?}: {moved}");
    });
}

/// Long samplers: the interpreter takes seconds for the largest size, a device for the shaders of each.
const LONG: [&str; 4] = ["steel", "deep_weight_flow", "hypino", "weight_diffusion"];

/// Transformers for whose largest size the interpreter takes half a minute and more.
const DEAR: [&str; 3] = ["doc_to_lora", "hyperformer", "hypertuning"];

/// Every second model from `first` on: two tests, so that they run side by side.
fn all_ways(first: usize) {
    for path in files("models").iter().skip(first).step_by(2) {
        let start = std::time::Instant::now();
        for model in models(path) {
            let long = LONG.contains(&name(path).as_str());
            let usual = if long { &[Optimized(2)][..] } else { &[Passes, Optimized(1), Optimized(2)] };
            for (size, ways) in [(0, &[Passes, Optimized(1)][..]), (1, &[Optimized(1)]), (3, usual)] {
                at_size(&name(path), &model, size, &[]).on(ways).agrees();
            }
            if !long && !DEAR.contains(&name(path).as_str()) {
                at_size(&name(path), &model, 17, &[]).on(&[Passes, Optimized(2)]).agrees();
            }
        }
        println!("{}: {:.1} s", name(path), start.elapsed().as_secs_f64());
    }
}

#[test]
fn all_ways_agree_at_all_sizes() {
    all_ways(0);
}

#[test]
fn all_ways_agree_at_all_sizes_too() {
    all_ways(1);
}

/// Each thing that the planner may do instead of what it does, in turn, and any mixture of them.
#[test]
fn every_other_way_agrees() {
    every_other_way(Optimized(1), None);
}

/// As above on a device, which compiles shaders for each way.
#[test]
#[ignore = "takes a software device most of an hour"]
fn every_other_way_agrees_on_the_device() {
    if device("every_other_way_agrees_on_the_device").is_some() {
        every_other_way(OptimizedDevice, Some(&Device::open(&DeviceOptions::default()).unwrap()));
    }
}

fn every_other_way(on: Way, device: Option<&Arc<Device>>) {
    let (mut sites, mut others) = (0, 0);
    let only = std::env::var("HNET_ONLY").ok();
    for path in files("models").into_iter().filter(|p| only.as_ref().is_none_or(|o| *o == name(p))) {
        for model in models(&path) {
            let case = at_size(&name(&path), &model, 3, &[]).on(&[on]);
            let case = if let Some(device) = device { case.with(device) } else { case };
            let mut known = BTreeSet::new();
            let here = if device.is_some() { Target::Gpu } else { Target::Cpu };
            let decides = |d: &Decision| [Target::Both, here].contains(&d.site.what.target());
            for decision in case.decisions().into_iter().filter(|d| decides(d) && known.insert(d.site)) {
                sites += 1;
                for way in (0..decision.ways.len()).filter(|way| *way != decision.taken) {
                    others += 1;
                    case.pinned(Pins::At([(decision.site, way)].into())).agrees();
                }
            }
            if !known.is_empty() {
                case.pinned(Pins::Any(1)).agrees();
            }
        }
    }
    println!("{sites} sites, {others} other ways");
    assert!(only.is_some() || sites > 40 && others > sites, "{sites} sites, {others} other ways");
}

/// The cases of the library with one place along every axis, and with an odd number: nothing that they are compared with has that.
#[test]
fn the_library_at_other_sizes() {
    for name in ["attention", "recurrent", "relax", "linalg", "adapters", "images", "functions"] {
        let path = root().join(format!("tests/library/{name}.hnet"));
        for size in [1, 7] {
            at_size(name, &models(&path)[0], size, &[]).on(&[Passes, Optimized(1), Optimized(2)]).agrees();
        }
    }
}

/// Every second model from `first` on: two tests, so that they run side by side. Mesa's software device takes seconds for a long
/// shader with many barriers, and each size has its own: so each model takes two sizes in turn, and all of them with
/// `HNET_ALL_SIZES=1`. `HNET_ONLY=moe` takes one model.
fn on_the_device(test: &str, first: usize) {
    if device(test).is_none() {
        return;
    }
    // A device of its own compiles on a thread of its own.
    let device = Device::open(&DeviceOptions::default()).unwrap();
    let all = std::env::var_os("HNET_ALL_SIZES").is_some_and(|v| v == "1");
    let only = std::env::var("HNET_ONLY").ok();
    let chosen = |path: &Path| only.as_ref().is_none_or(|o| *o == name(path));
    for (k, path) in files("models").iter().enumerate().skip(first).step_by(2).filter(|(_, p)| chosen(p)) {
        for model in models(path) {
            let sizes: &[i64] = match k / 2 % 2 {
                _ if all => &[0, 1, 3, 17],
                _ if LONG.contains(&name(path).as_str()) => &[1],
                0 => &[3, 0],
                _ => &[1, 17],
            };
            for size in sizes {
                let start = std::time::Instant::now();
                at_size(&name(path), &model, *size, &[]).on(&[OptimizedDevice]).with(&device).agrees();
                println!("{}, size {size}: {:.1} s", name(path), start.elapsed().as_secs_f64());
            }
        }
    }
}

#[test]
fn models_agree_on_the_device() {
    on_the_device("models_agree_on_the_device", 0);
}

#[test]
fn more_models_agree_on_the_device() {
    on_the_device("more_models_agree_on_the_device", 1);
}

#[test]
fn conditions_decide() {
    let agree = |name: &str, size, conditions: &[(&str, &str)]| {
        let model = models(&root().join(format!("models/{name}.hnet"))).remove(0);
        at_size(name, &model, size, conditions).on(&[Passes, Optimized(1), Optimized(2), OptimizedDevice]).agrees();
    };
    // Sizes that a condition decides: how many tokens a branch takes, in each layer another number.
    agree("gateskip", 9, &[("budget", "0.2,0.5,0.9,1")]);
    agree("doh", 9, &[("coarse", "1")]);
    agree("palora", 9, &[("lam", "0,1")]);
    agree("continual", 4, &[("task", "4")]);
}

#[test]
fn the_trained_tasks() {
    let path = root().join("models/task_digits.hnet");
    let model = &models(&path)[0];
    let archive = Archive::open(&beside(&path, "params").unwrap()).unwrap();
    let params = params::load(model, &[archive], &BTreeMap::new(), 0).unwrap().tensors;
    let folder = path.parent().unwrap();
    for backend in [Backend::Interp, Backend::Cpu] {
        let setting = Setting {
            model,
            params: &params,
            folder,
            options: Options { backend, threads: 1, half: false, ..Options::default() },
            seed: 0,
        };
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
    for task in 0..5 {
        let request = Request { conditions: vec![("task".into(), task.to_string())], ..Request::default() };
        let given = gather(model, &request).unwrap();
        let case = Case::of(&format!("task {task}"), model, &[output], session::bindings(params.clone(), given, 0));
        let shape = case.run(Interpreter).unwrap().unwrap()[0].shape.clone();
        let node = model.graph.outputs[output].node;
        let want = generated.rows(model.graph.node(node).dtype, &[task]).unwrap();
        case.judged(&[Tensor::new(shape, want.data)]);
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
    let options = Options { backend: Backend::Cpu, threads: 1, half: false, ..Options::default() };
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
