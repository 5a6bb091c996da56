//! Times the first output of a model on the CPU backend; `benches/peers.py` drives it beside PyTorch.
//!
//! `time MODEL --params F --inputs F [--set k=v].. [--threads N] [--seconds S] [--out F]`
//!
//! Parameters and conditions are prepared once; what is timed is a run on the inputs, as a server would call it. Short runs are timed
//! some at once. Prints one JSON line: median and minimum in milliseconds, number of calls.

use clap::Parser;
use hnet::bind::inputs::{self, Request};
use hnet::bind::{init, params};
use hnet::diag::Diagnostic;
use hnet::exec::Engine;
use hnet::files::archive::{self, Archive};
use hnet::ir::Bindings;
use hnet::{pipeline, source::Sources};
use std::path::PathBuf;
use std::time::{Duration, Instant};

#[derive(Parser)]
struct Args {
    model: PathBuf,
    #[arg(long)]
    params: PathBuf,
    #[arg(long)]
    inputs: PathBuf,
    #[arg(long)]
    set: Vec<String>,
    #[arg(long, default_value_t = 1)]
    threads: usize,
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    #[arg(long)]
    out: Option<PathBuf>,
}

/// Seconds that a sample takes at least: reading the clock takes as long as a call of the smallest models.
const SAMPLE: f64 = 20e-6;

fn main() {
    if let Err(problems) = run(&Args::parse()) {
        for p in problems {
            eprintln!("{}: {}", p.code, p.message);
        }
        std::process::exit(1);
    }
}

fn run(args: &Args) -> Result<(), Vec<Diagnostic>> {
    let one = |d: Diagnostic| vec![d];
    let set: Vec<(String, f64)> =
        args.set.iter().filter_map(|s| s.split_once('=')).filter_map(|(k, v)| Some((k.to_string(), v.parse().ok()?))).collect();
    let mut sources = Sources::default();
    let file = pipeline::read(&mut sources, &args.model).map_err(one)?;
    let checked = pipeline::check(&mut sources, file, &set);
    let Some(model) = checked.models.first() else { return Err(checked.diagnostics) };
    let given = inputs::gather(model, &Request { files: vec![args.inputs.clone()], ..Request::default() })?;
    let weights = Archive::open(&args.params).map_err(one)?;
    let loaded = params::load(model, &[weights], &given.sizes, 0)?;

    let output = &model.graph.outputs[0];
    let mut engine = Engine::cpu(&model.graph, &[output.node], args.threads).map_err(one)?;

    let (mut early, mut late) = (Bindings::default(), Bindings::default());
    early.sources = loaded.tensors;
    early.sources.insert("seed".to_string(), init::scalar(0));
    early.sizes = given.sizes.clone();
    late.sizes = given.sizes;
    for (name, tensor) in given.tensors {
        let condition = model.inputs.iter().any(|i| i.name == name && i.condition);
        if condition { &mut early } else { &mut late }.sources.insert(name, tensor);
    }
    engine.prepare(&early).map_err(one)?;
    let result = engine.run_prepared(&late).map_err(one)?;
    if let Some(path) = &args.out {
        archive::save(path, &[(output.name.to_string(), result[0].clone())]).map_err(one)?;
    }
    let start = Instant::now();
    engine.run_prepared(&late).map_err(one)?;
    let calls = (SAMPLE / start.elapsed().as_secs_f64()).clamp(1.0, 1000.0) as usize;
    let mut times = Vec::new();
    let end = Instant::now() + Duration::from_secs_f64(args.seconds);
    while times.len() < 5 || Instant::now() < end {
        let start = Instant::now();
        for _ in 0..calls {
            engine.run_prepared(&late).map_err(one)?;
        }
        times.push(start.elapsed().as_secs_f64() * 1e3 / calls as f64);
    }
    times.sort_by(f64::total_cmp);
    println!("{{\"median_ms\": {:.5}, \"min_ms\": {:.5}, \"calls\": {}}}", times[times.len() / 2], times[0], calls * times.len());
    Ok(())
}
