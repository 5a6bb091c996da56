//! How many times a run asks the device for something: dispatches dominate small models, so their number is promised.

use hnet::gpu::{self, Program};
use hnet::{pipeline, plan, source::Sources};
use std::path::Path;

/// The program of a model in `models/`, its constants set to full size, at a size of its free dims.
fn program(name: &str, set: &[(&str, f64)], free: i64) -> (Program, plan::Sizes) {
    let mut sources = Sources::default();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(format!("{name}.hnet"));
    let file = pipeline::read(&mut sources, &path).unwrap();
    let set: Vec<(String, f64)> = set.iter().map(|(n, v)| (n.to_string(), *v)).collect();
    let checked = pipeline::check(&mut sources, file, &set);
    assert!(checked.is_fine(), "{name}");
    let model = &checked.models[0];
    let sizes = pipeline::sizes_near(model, free);
    let roots: Vec<_> = model.graph.outputs.iter().map(|o| o.node).collect();
    let (graph, roots) = hnet::opt::optimize_for(&model.graph, &roots);
    let plan = plan::plan(&graph, &roots, &sizes).unwrap();
    (gpu::emit(&plan, &sizes, &|_| None), sizes)
}

fn dispatches(name: &str, set: &[(&str, f64)], free: i64) -> usize {
    let (program, sizes) = program(name, set, free);
    program.dispatches(&|s| s.eval(&|n| sizes.get(n).copied()).unwrap())
}

#[test]
fn a_run_takes_few_dispatches() {
    let full: [(&str, &[(&str, f64)], usize); 5] = [
        ("inr", &[("width", 64.0), ("code", 128.0)], 3),
        ("per_sample", &[], 3),
        ("moe", &[("d", 512.0), ("h", 1024.0)], 8),
        ("film", &[("d", 256.0), ("c", 64.0), ("blocks", 4.0)], 3 * 4),
        ("decoder", &[("d", 256.0), ("heads", 8.0), ("layers", 4.0), ("experts", 8.0), ("h", 512.0), ("vocab", 1000.0)], 16 * 4),
    ];
    for (name, set, most) in full {
        for free in [1, 17, 64, 256, 4096] {
            let n = dispatches(name, set, free);
            assert!(n <= most, "{name} at {free}: {n} dispatches, {most} are promised");
        }
    }
    let small: [(&str, usize); 5] = [("inr", 3), ("per_sample", 3), ("moe", 8), ("film", 6), ("decoder", 32)];
    for (name, most) in small {
        for free in [1, 17, 64, 256, 4096] {
            let n = dispatches(name, &[], free);
            assert!(n <= most, "{name} at {free}: {n} dispatches, {most} are promised");
        }
    }
}

#[test]
fn nothing_is_dispatched_for_no_rows() {
    let (program, _) = program("film", &[], 64);
    let none = program.items[program.prepared..].iter().all(|i| match i {
        gpu::Item::Dispatch(d) => matches!(&d.grid, gpu::Grid::Work { count, .. } if count.eval(&|_| Some(0)) == Some(0)),
        gpu::Item::Repeat { .. } => false,
    });
    assert!(none);
}
