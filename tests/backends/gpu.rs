//! What is the graphics backend's alone: shaders that naga accepts, programs of pages, options of the device, what does not fit.
//!
//! Without a device the tests that need one say so on stderr and pass; with `HNET_REQUIRE_GPU=1` they fail.

use crate::common::{self, beside, bits, device, drawn, files, models, weights};
use crate::suite::Case;
use hnet::bind::inputs::{Request, gather};
use hnet::exec::{Engine, session};
use hnet::fuzz::judge::SHADERS;
use hnet::gpu::{self, check::validate};
use hnet::ir::{Bindings, Data, NodeId, Tensor};
use hnet::pipeline;
use hnet::train::course;
use hnet::web;
use std::collections::BTreeSet;

/// No device needed: what is emitted is valid, is the same each time, and does not name one binding twice.
#[test]
fn every_emitted_shader_of_every_shipped_model_passes_naga() {
    let mut seen = BTreeSet::new();
    for path in files("models") {
        for model in models(&path) {
            for size in [1, 64, 5000] {
                let sizes = pipeline::sizes_near(&model, size);
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

/// Steps of training as well: a page makes its own of them.
#[test]
fn every_emitted_shader_of_every_step_passes_naga() {
    let (mut seen, mut steps) = (BTreeSet::new(), 0);
    for path in files("models") {
        for model in models(&path) {
            for arm in model.trains.iter().flat_map(|t| &t.arms) {
                let within = hnet::train::Within { extents: &[], memory: 1 << 30, mixed: false };
                let Ok(step) = course::step(arm, course::parts(arm)[0], &within) else { continue };
                let (graph, roots) = hnet::opt::optimize_for(&step.graph, &step.wanted());
                for size in [8, 1000] {
                    let sizes = pipeline::sizes_near(&model, size);
                    let Ok(plan) = hnet::plan::plan_anywhere(&graph, &roots, &sizes) else { continue };
                    steps += 1;
                    for shader in gpu::emit(&plan, &sizes, &|_| None).shaders {
                        if seen.insert(shader.code.clone())
                            && let Err(why) = validate(&shader.code)
                        {
                            panic!("{}, {}, size {size}: {why}\n{}", path.display(), shader.name, shader.code);
                        }
                    }
                }
            }
        }
    }
    assert!(steps > 20 && seen.len() > 300, "{steps} steps, {} shaders", seen.len());
}

/// How far from its beginning a range is tried that has no end near by: past a tile, and no further than the interpreter is soon done with.
const FAR: i64 = 19;

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
        for cell in (0..family.cells.len()).filter(|cell| !family.cells[*cell].is_empty()) {
            let mut rest = cell;
            let mut ends = [Vec::new(), Vec::new()];
            for (dim, cuts) in family.dims.iter().zip(&family.cuts).rev() {
                let (k, from) = (rest % cuts.len(), cuts[rest % cuts.len()]);
                rest /= cuts.len();
                let to = cuts.get(k + 1).map_or(from + FAR, |next| next - 1);
                ends[0].push((dim.to_string(), from));
                ends[1].push((dim.to_string(), to.min(from + FAR)));
            }
            for dims in ends.into_iter().filter(|dims| dims.iter().all(|d| d.1 <= 400)) {
                let who = format!("{name} at {dims:?}");
                let sizes = dims.iter().map(|(n, v)| (n.as_str().into(), *v)).collect();
                let program = family.program(&sizes).unwrap_or_else(|| panic!("{who}: no program is right there"));
                let request = Request { random: true, seed: 3, dims, ..Request::default() };
                let Ok(given) = gather(&model, &request) else { continue };
                let bound = session::bindings(drawn(&model, &given), given, 0);
                let got = match Engine::gpu_program(&device, &graph, &roots, program.clone()).run(&bound) {
                    Ok(got) => got,
                    // Too long for one binding, and a page has one only.
                    Err(d) if d.code == "H0902" => continue,
                    Err(d) => panic!("{who}: {d:#?}"),
                };
                let all: Vec<usize> = (0..wanted.len()).collect();
                Case::of(&who, &model, &all, bound).is_right("a page's program", &got, SHADERS);
                points += 1;
            }
        }
    }
    assert!(points > 40, "{points} points");
}

/// Values may be called like anything that shaders use themselves.
#[test]
fn no_name_of_a_value_is_a_name_of_the_emitter() {
    let mut words = BTreeSet::new();
    let mut plans = Vec::new();
    for model in files("models").iter().flat_map(|path| models(path)) {
        for size in [3, 5000] {
            let sizes = pipeline::sizes_near(&model, size);
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

/// Parameters as 16 bits hold them.
fn halved(bound: &Bindings, params: impl Iterator<Item = String>) -> Bindings {
    let mut out = bound.clone();
    for path in params {
        if let Some(Tensor { data: Data::F32(values), .. }) = out.sources.get_mut(&path) {
            values.iter_mut().for_each(|v| *v = half::f16::from_f32(*v).to_f32());
        }
    }
    out
}

/// Models under other options of the device: the results are as right as with others.
fn under(options: gpu::Options) {
    let Some(device) = device("options of the device") else { return };
    for file in ["film", "moe", "task_digits", "decoder", "hyperlstm"] {
        let path = common::root().join("models").join(format!("{file}.hnet"));
        let all = models(&path);
        let (model, inputs) = (&all[0], beside(&path, "inputs").unwrap());
        let given = gather(model, &Request { files: vec![inputs], ..Request::default() }).unwrap();
        let (can, _) = session::computable(model, &given);
        let roots: Vec<NodeId> = can.iter().map(|k| model.graph.outputs[*k].node).collect();
        let bound = session::bindings(weights(&path, model, &given), given, 0);
        let run = |options| Engine::gpu(&device, &model.graph, &roots, options).run(&bound);
        let got = run(options).unwrap_or_else(|d| panic!("{file}: {d:#?}"));
        let paths = model.params.iter().map(|p| p.path.clone()).filter(|_| options.half);
        Case::of(file, model, &can, halved(&bound, paths)).is_right("other options", &got, SHADERS);
        if options.half {
            let full = run(gpu::Options::default()).unwrap();
            assert!(full.iter().zip(&got).any(|(a, b)| bits(a) != bits(b)), "{file}: 16 bits change nothing");
        }
    }
}

#[test]
fn what_is_longer_than_a_binding_is_reached_in_windows() {
    // Less than the arenas of most of these, so that buffers cross windows.
    under(gpu::Options { binding: 96 << 10, ..gpu::Options::default() });
}

/// A software device takes the other way by itself.
#[test]
fn factors_that_come_through_workgroup_memory_are_the_same() {
    under(gpu::Options { reach: Some(gpu::Reach::Staged), ..gpu::Options::default() });
}

#[test]
fn parameters_in_16_bits_are_all_that_is_lost() {
    under(gpu::Options { half: true, ..gpu::Options::default() });
}

#[test]
fn what_does_not_fit_is_refused_with_what_is_missing() {
    let Some(device) = device("what_does_not_fit") else { return };
    let path = common::root().join("models/inr.hnet");
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
