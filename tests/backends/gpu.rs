//! The graphics backend: shipped models against references and against the CPU, every kind of step at awkward sizes, routing that
//! agrees exactly, and shaders that naga accepts.
//!
//! Without a device the tests that need one say so on stderr and pass; with `HNET_REQUIRE_GPU=1` they fail.

mod exact;
mod numbers;
mod steps;

use crate::common::{self, beside, bits, close, device, drawn, files, models, name, right, weights};
use crate::make;
use hnet::bind::inputs::{Request, gather};
use hnet::check::model::Model;
use hnet::exec::{Engine, session};
use hnet::files::archive::Archive;
use hnet::gpu::{self, Device, DeviceOptions, check::validate};
use hnet::ir::Bindings;
use hnet::ir::NodeId;
use hnet::pipeline;
use hnet::web;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

#[test]
fn references_are_met_on_the_device() {
    let Some(device) = device("references_are_met_on_the_device") else { return };
    let mut met = 0;
    for path in files("models").into_iter().chain(files("tests/backends/derivatives")) {
        let all = models(&path);
        let (Some(inputs), Some(expected)) = (beside(&path, "inputs"), beside(&path, "expected")) else { continue };
        let model = &all[0];
        let given = gather(model, &Request { files: vec![inputs], ..Request::default() }).unwrap();
        let bound = session::bindings(weights(&path, model, &given), given, 0);
        let expected = Archive::open(&expected).unwrap();
        let at = |name: &str| model.graph.outputs.iter().find(|o| *o.name == *name).unwrap().node;
        let roots: Vec<NodeId> = expected.names().map(at).collect();
        let mut engine = Engine::gpu(&device, &model.graph, &roots, gpu::Options::default());
        let got = engine.run(&bound).unwrap_or_else(|d| panic!("{}: {d:#?}", path.display()));
        for ((got, name), node) in got.iter().zip(expected.names()).zip(&roots) {
            let want = expected.get(name).unwrap().load(got.dtype()).unwrap();
            right(&format!("{}, {name}", path.display()), &model.graph, *node, &bound, (got, &want), 2e-4);
        }
        met += 1;
    }
    assert!(met >= 27, "{met} models with references");
}

/// Runs a model with drawn values where every free dim has this size, on the device and on the CPU.
fn agree(who: &str, device: &Arc<Device>, model: &Model, size: i64, conditions: &[(&str, &str)]) {
    let free = model.dims.iter().filter(|d| d.size.is_none());
    let dims = free.map(|d| (d.name.to_string(), size)).collect();
    let conditions = conditions.iter().map(|(n, v)| (n.to_string(), v.to_string())).collect();
    let request = Request { random: true, seed: 3, dims, conditions, ..Request::default() };
    let given = gather(model, &request).unwrap_or_else(|d| panic!("{who}: {d:#?}"));
    let (can, _) = session::computable(model, &given);
    let roots: Vec<NodeId> = can.iter().map(|k| model.graph.outputs[*k].node).collect();
    let bound: Bindings = session::bindings(drawn(model, &given), given, 3);
    let cpu = Engine::cpu(&model.graph, &roots, 1).and_then(|mut e| e.run(&bound));
    let mut engine = Engine::gpu(device, &model.graph, &roots, gpu::Options::default());
    // Of nothing there is no last element: a model that takes it says so, whoever computes.
    if let (0, Err(d)) = (size, &cpu)
        && d.code == "H0618"
    {
        return assert_eq!(engine.run(&bound).map_err(|d| d.code).err(), Some("H0618"), "{who}");
    }
    let cpu = cpu.unwrap_or_else(|d| panic!("{who}, cpu: {d:#?}"));
    let got = engine.run(&bound).unwrap_or_else(|d| panic!("{who}, gpu: {d:#?}"));
    for (k, output) in can.iter().enumerate() {
        let who = format!("{who}, {}", model.graph.outputs[*output].name);
        right(&who, &model.graph, roots[k], &bound, (&got[k], &cpu[k]), 2e-4);
    }
    let again = engine.run(&bound).unwrap();
    for (k, (first, second)) in got.iter().zip(&again).enumerate() {
        let differ = bits(first).iter().zip(bits(second)).filter(|(a, b)| **a != *b).count();
        let name = &model.graph.outputs[can[k]].name;
        assert!(differ == 0, "{who}, {name}: {differ} of {} elements differ the second time", first.len());
    }
}

/// Every second model from `first` on: two tests, so that they run side by side. Mesa's software device takes seconds for a long
/// shader with many barriers, and each size has its own: so each model takes two sizes in turn, and all of them with
/// `HNET_ALL_SIZES=1`. `HNET_ONLY=moe` takes one model.
fn all_sizes(test: &str, first: usize) {
    if device(test).is_none() {
        return;
    }
    // A device of its own compiles on a thread of its own.
    let device = Device::open(&DeviceOptions::default()).unwrap();
    let all = std::env::var_os("HNET_ALL_SIZES").is_some_and(|v| v == "1");
    // Long samplers, which one size tells enough about.
    let long = ["steel", "deep_weight_flow", "hypino"];
    let only = std::env::var("HNET_ONLY").ok();
    let chosen = |path: &Path| only.as_ref().is_none_or(|o| *o == name(path));
    for (k, path) in files("models").iter().enumerate().skip(first).step_by(2).filter(|(_, p)| chosen(p)) {
        for model in models(path) {
            let sizes: &[i64] = match k / 2 % 2 {
                _ if all => &[0, 1, 3, 17],
                0 => &[3, 0],
                _ => &[1, 17],
            };
            let few = !all && long.contains(&name(path).as_str());
            for size in if few { &[1] } else { sizes } {
                let start = std::time::Instant::now();
                agree(&format!("{}, {}, size {size}", name(path), model.name), &device, &model, *size, &[]);
                println!("{}, size {size}: {:.1} s", name(path), start.elapsed().as_secs_f64());
            }
        }
    }
}

#[test]
fn models_agree_with_the_cpu_at_all_sizes() {
    all_sizes("models_agree_with_the_cpu_at_all_sizes", 0);
}

#[test]
fn more_models_agree_with_the_cpu_at_all_sizes() {
    all_sizes("more_models_agree_with_the_cpu_at_all_sizes", 1);
}

#[test]
fn conditions_decide_on_the_device() {
    let Some(device) = device("conditions_decide_on_the_device") else { return };
    let of = |name: &str| models(&common::root().join(format!("models/{name}.hnet"))).remove(0);
    agree("gateskip, narrow", &device, &of("gateskip"), 9, &[("budget", "0.2,0.5,0.9,1")]);
    agree("doh, rounded", &device, &of("doh"), 9, &[("coarse", "1")]);
    agree("palora, one end", &device, &of("palora"), 9, &[("lam", "0,1")]);
    agree("continual, the last task", &device, &of("continual"), 4, &[("task", "4")]);
}

/// No device needed: what is emitted is valid, is the same each time, and does not name one binding twice.
#[test]
fn every_emitted_shader_of_every_shipped_model_passes_naga() {
    let mut seen = BTreeSet::new();
    for path in files("models") {
        for model in models(&path) {
            for size in [1, 64, 5000] {
                let sizes = pipeline::unknowns(&model).into_iter().map(|s| (s, size)).collect();
                let (_, program) = hnet::emit::shaders(&model, &sizes, &|_| None).unwrap();
                for shader in program.shaders {
                    if seen.insert(shader.code.clone())
                        && let Err(why) = validate(&shader.code)
                    {
                        panic!("{}, {}, size {size}: {why}\n{}", path.display(), shader.name, shader.code);
                    }
                }
            }
        }
    }
    assert!(seen.len() > 300, "{} shaders", seen.len());
}

/// A page chooses among few programs, each for a range of sizes: it must give the right numbers at both ends of its range.
#[test]
fn programs_of_pages_hold_in_their_ranges() {
    let Some(device) = device("programs_of_pages_hold_in_their_ranges") else { return };
    let mut points = 0;
    for name in
        ["moe", "film", "per_sample", "lora_hyper", "smear", "skip", "condconv", "sparse_moe", "inr", "decoder", "task_digits"]
    {
        let model = models(&common::root().join(format!("models/{name}.hnet"))).remove(0);
        let wanted: Vec<NodeId> = model.graph.outputs.iter().map(|o| o.node).collect();
        let (graph, roots) = hnet::opt::optimize_for(&model.graph, &wanted);
        let family = web::family(&graph, &roots, &Default::default(), &Default::default()).unwrap();
        for (cell, program) in family.cells.iter().enumerate() {
            let Some(program) = program.map(|p| &family.programs[p]) else { continue };
            let mut rest = cell;
            let mut ends = [Vec::new(), Vec::new()];
            for (dim, cuts) in family.dims.iter().zip(&family.cuts).rev() {
                let (k, from) = (rest % cuts.len(), cuts[rest % cuts.len()]);
                rest /= cuts.len();
                let to = cuts.get(k + 1).map_or(from + 67, |next| next - 1);
                ends[0].push((dim.to_string(), from));
                ends[1].push((dim.to_string(), to.min(from + 67)));
            }
            for dims in ends.into_iter().filter(|dims| dims.iter().all(|d| d.1 <= 600)) {
                let who = format!("{name} at {dims:?}");
                let request = Request { random: true, seed: 3, dims, ..Request::default() };
                let Ok(given) = gather(&model, &request) else { continue };
                let bound = session::bindings(drawn(&model, &given), given, 0);
                let want = Engine::cpu(&graph, &roots, 1).unwrap().run(&bound).unwrap();
                let got = match Engine::gpu_program(&device, &graph, &roots, program.clone()).run(&bound) {
                    Ok(got) => got,
                    // Too long for one binding, and a page has one only.
                    Err(d) if d.code == "H0902" => continue,
                    Err(d) => panic!("{who}: {d:#?}"),
                };
                for (k, w) in want.iter().enumerate() {
                    close(&format!("{who}, {}", model.graph.outputs[k].name), &got[k], w, 2e-4);
                }
                points += 1;
            }
        }
    }
    assert!(points > 40, "{points} points");
}

/// Values may be called like anything that shaders use themselves.
#[test]
fn no_name_of_a_value_is_a_name_of_the_emitter() {
    let sizes_of = |model: &hnet::check::model::Model, n| pipeline::unknowns(model).into_iter().map(|s| (s, n)).collect();
    let mut words = BTreeSet::new();
    let mut plans = Vec::new();
    for model in files("models").iter().flat_map(|path| models(path)) {
        for size in [3, 5000] {
            let sizes: hnet::plan::Sizes = sizes_of(&model, size);
            let (plan, program) = hnet::emit::shaders(&model, &sizes, &|_| None).unwrap();
            for shader in &program.shaders {
                let text = shader.code.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
                words.extend(text.filter(|w| w.starts_with(|c: char| c.is_ascii_alphabetic())).map(str::to_string));
            }
            plans.push((plan, sizes));
        }
    }
    let words: Vec<String> = words.into_iter().collect();
    assert!(words.len() > 300, "{} words", words.len());
    // Far from one another, so that a shader's buffers have names of different kinds.
    let mut next = 0;
    for (mut plan, sizes) in plans {
        for buffer in &mut plan.buffers {
            next = (next + 101) % words.len();
            buffer.name = words[next].clone();
        }
        for shader in gpu::emit(&plan, &sizes, &|_| None).shaders {
            validate(&shader.code).unwrap_or_else(|why| panic!("{why}\n{}", shader.code));
        }
    }
}

/// Random graphs over all primitives, as made and after all passes.
#[test]
fn random_graphs_mean_the_same_on_the_device() {
    let Some(device) = device("random_graphs_mean_the_same_on_the_device") else { return };
    // `HNET_SEEDS=17` or `HNET_SEEDS=0..5000`
    let asked = std::env::var("HNET_SEEDS").unwrap_or("0..40".into());
    let (from, to) = asked.split_once("..").unwrap_or((&asked, ""));
    let from: u64 = from.parse().expect("a seed");
    for seed in from..to.parse().unwrap_or(from + 1) {
        let case = make::graph(&mut make::Rng::new(seed));
        let wanted: Vec<NodeId> = case.graph.outputs.iter().map(|o| o.node).collect();
        let expect = hnet::ir::interp::evaluate(&case.graph, &case.bindings, &wanted).unwrap();
        let mut engine = Engine::gpu_unoptimized(&device, &case.graph, &wanted, gpu::Options::default());
        let got = engine.run(&case.bindings).unwrap_or_else(|d| panic!("seed {seed}: {}\n{}", d.message, case.graph));
        for (k, ((got, want), node)) in got.iter().zip(&expect).zip(&wanted).enumerate() {
            right(&format!("seed {seed}: output {k}"), &case.graph, *node, &case.bindings, (got, want), 2e-4);
        }
    }
}

/// Models under other options of the device: the results stay what they were.
fn under(options: gpu::Options, limit: f64) {
    let Some(device) = device("options of the device") else { return };
    for file in ["film", "moe", "task_digits", "decoder", "hyperlstm"] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(format!("{file}.hnet"));
        let all = models(&path);
        let (model, inputs) = (&all[0], beside(&path, "inputs").unwrap());
        let given = gather(model, &Request { files: vec![inputs], ..Request::default() }).unwrap();
        let (can, _) = session::computable(model, &given);
        let roots: Vec<NodeId> = can.iter().map(|k| model.graph.outputs[*k].node).collect();
        let bound = session::bindings(weights(&path, model, &given), given, 0);
        let cpu = Engine::cpu(&model.graph, &roots, 1).and_then(|mut e| e.run(&bound)).unwrap();
        let mut engine = Engine::gpu(&device, &model.graph, &roots, options);
        let got = engine.run(&bound).unwrap_or_else(|d| panic!("{file}: {d:#?}"));
        for (k, (got, want)) in got.iter().zip(&cpu).enumerate() {
            close(&format!("{file}, output {k}"), got, want, limit);
        }
        if options.half {
            let full = Engine::gpu(&device, &model.graph, &roots, gpu::Options::default()).run(&bound).unwrap();
            assert!(full.iter().zip(&got).any(|(a, b)| bits(a) != bits(b)), "{file}: 16 bits change nothing");
        }
    }
}

#[test]
fn what_is_longer_than_a_binding_is_reached_in_windows() {
    // Less than the arenas of most of these, so that buffers cross windows.
    under(gpu::Options { binding: 96 << 10, ..gpu::Options::default() }, 2e-4);
}

#[test]
fn parameters_in_16_bits_give_nearly_the_same() {
    under(gpu::Options { half: true, ..gpu::Options::default() }, 2e-2);
}

#[test]
fn what_does_not_fit_is_refused_with_what_is_missing() {
    let Some(device) = device("what_does_not_fit") else { return };
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("models/inr.hnet");
    let all = models(&path);
    let roots = [all[0].graph.outputs[0].node];
    let given =
        gather(&all[0], &Request { random: true, seed: 1, dims: vec![("n".into(), 1000)], ..Request::default() }).unwrap();
    let bound = session::bindings(drawn(&all[0], &given), given, 0);
    let options = gpu::Options { memory: 10_000, ..gpu::Options::default() };
    let refused = Engine::gpu(&device, &all[0].graph, &roots, options).run(&bound).unwrap_err();
    assert_eq!(refused.code, "H0902");
    assert!(refused.message.contains("more than the 10000"), "{}", refused.message);
}
