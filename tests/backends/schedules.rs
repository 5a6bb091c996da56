//! The schedules of the library: their first and last factors are those that `docs/training.md` says.

use hnet::ir::{Bindings, Data, Tensor, interp};
use hnet::pipeline;
use hnet::program::NoFiles;
use hnet::source::Sources;

/// The factors of a phase of `steps` steps at some of them.
fn factors(text: &str, steps: i32, at: &[i32]) -> Vec<f64> {
    let text = format!(
        "import std.schedule {{ cosine, linear, warmup, staircase, exponential }}\ndim b\nconst steps = {steps}\nmodel M {{\n\
         input step: i32[b]\noutput y: [b] = {text}\noutput used: [b] = linear(step) + cosine(step) + warmup(step) + staircase(step, 1.0) + exponential(step, 1.0)\n}}\n"
    );
    let mut sources = Sources::default();
    let root = sources.add("m.hnet", None, text.clone());
    let checked = pipeline::check_with(&mut sources, &NoFiles, root, &[]);
    assert!(checked.is_fine(), "{text}{:#?}", checked.diagnostics);
    let graph = &checked.models[0].graph;
    let mut bound = Bindings::default();
    bound.sources.insert("step".into(), Tensor::new(vec![at.len()], Data::I32(at.to_vec())));
    bound.sizes = checked.models[0].dims.iter().map(|d| (d.name.clone(), at.len() as i64)).collect();
    interp::evaluate(graph, &bound, &[graph.outputs[0].node]).unwrap()[0].to_f64()
}

fn near(text: &str, steps: i32, wanted: &[(i32, f64)]) {
    let at: Vec<i32> = wanted.iter().map(|w| w.0).collect();
    for (got, (step, want)) in factors(text, steps, &at).iter().zip(wanted) {
        // The fraction is one of 32 bits where a product of it is.
        assert!((got - want).abs() <= 1e-6 * want.abs() + 1e-12, "{text} at {step}: {got}, and {want} is wanted");
    }
}

#[test]
fn first_and_last_factors_are_those_that_are_documented() {
    let n = 3000;
    let wave = |f: f64| 0.5 * (1.0 + (std::f64::consts::PI * f).cos());
    near("linear(step / steps)", n, &[(0, 1.0), (1500, 0.5), (2999, 1.0 / 3000.0), (3000, 0.0), (9000, 0.0)]);
    near("linear(step / (steps - 1))", n, &[(0, 1.0), (2999, 0.0)]);
    near("cosine(step / steps)", n, &[(0, 1.0), (1500, 0.5), (2900, wave(2900.0 / 3000.0)), (3000, 0.0), (9000, 0.0)]);
    near("warmup(step / 100)", n, &[(0, 0.0), (1, 0.01), (99, 0.99), (100, 1.0), (2999, 1.0)]);
    near("warmup((step + 1) / 100)", n, &[(0, 0.01), (98, 0.99), (99, 1.0)]);
    near("staircase(step / 1000, 0.1)", n, &[(0, 1.0), (999, 1.0), (1000, 0.1), (1999, 0.1), (2000, 0.01), (2999, 0.01)]);
    near("exponential(step / steps, 0.01)", n, &[(0, 1.0), (1500, 0.1), (2999, 0.01f64.powf(2999.0 / 3000.0))]);
    near("warmup((step + 1) / 100) * cosine(step / steps)", n, &[(0, 0.01), (99, wave(0.033)), (1500, 0.5)]);
    // Of the last step of a wave: about 2.5 / n².
    let last = factors("cosine(step / steps)", n, &[2999])[0];
    assert!((last * 9e6 / 2.467 - 1.0).abs() < 1e-3, "{last}");
    // A phase of one step has the first factor alone.
    near("cosine(step / steps)", 1, &[(0, 1.0)]);
}
