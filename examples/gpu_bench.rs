//! Times the ten workloads at full size on the graphics device, and on the CPU where asked.
//!
//! `cargo run --release --example gpu_bench -- [--only moe,film] [--seconds 1] [--cpu] [--json F]`
//!
//! Weights and inputs are drawn. Parameters and conditions are prepared once; what is timed is a run on inputs that are on the
//! device already, from submission until it is done; `--with-transfers` also uploads the inputs and reads the results each time.
//! Prints a line for each workload and writes JSON: milliseconds (median and minimum), dispatches of a run, bytes, the device.

use clap::Parser;
use hnet::bind::init;
use hnet::bind::inputs::{self, Request};
use hnet::check::model::Model;
use hnet::diag::Diagnostic;
use hnet::exec::Engine;
use hnet::files::atomic;
use hnet::gpu::{self, Device};
use hnet::ir::Bindings;
use hnet::{pipeline, source::Sources};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A model, its full sizes, and the lengths of its free dims.
type Workload = (&'static str, &'static [(&'static str, f64)], &'static [(&'static str, i64)]);

const WORKLOADS: [Workload; 10] = [
    ("inr", &[("width", 64.0), ("code", 128.0)], &[("n", 65_536)]),
    ("per_sample", &[], &[("b", 512)]),
    ("lora_hyper", &[("d", 1024.0), ("rank", 8.0)], &[("b", 64)]),
    ("condconv", &[("c", 64.0), ("experts", 8.0)], &[("b", 8), ("row", 28), ("col", 28)]),
    ("moe", &[("d", 512.0), ("h", 1024.0)], &[("t", 512)]),
    ("smear", &[("d", 256.0), ("h", 512.0), ("experts", 8.0)], &[("b", 32), ("t", 64)]),
    ("film", &[("d", 256.0), ("c", 64.0), ("blocks", 4.0)], &[("b", 1024)]),
    ("staged", &[], &[("b", 1)]),
    ("skip", &[("d", 512.0), ("h", 2048.0)], &[("t", 1024)]),
    (
        "decoder",
        &[("d", 256.0), ("heads", 8.0), ("layers", 4.0), ("experts", 8.0), ("h", 512.0), ("vocab", 1000.0)],
        &[("t", 256)],
    ),
];

#[derive(Parser)]
struct Args {
    /// Only these, with commas
    #[arg(long, default_value = "")]
    only: String,
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// Uploads and reads each time
    #[arg(long)]
    with_transfers: bool,
    /// Also on the CPU, with all threads
    #[arg(long)]
    cpu: bool,
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() {
    if let Err(problems) = run(&Args::parse()) {
        for p in problems {
            eprintln!("{}: {}", p.code, p.message);
        }
        std::process::exit(1);
    }
}

fn one(d: Diagnostic) -> Vec<Diagnostic> {
    vec![d]
}

fn run(args: &Args) -> Result<(), Vec<Diagnostic>> {
    let device = Device::shared().map_err(one)?;
    println!("{}", device.describe());
    let mut rows = Vec::new();
    for (name, set, dims) in WORKLOADS {
        if args.only.is_empty() || args.only.split(',').any(|o| o == name) {
            let row = workload(args, &device, name, set, dims)?;
            let cpu = row["cpu_ms"].as_f64().map_or(String::new(), |ms| format!("   cpu {ms:9.3} ms"));
            let (ms, dispatches) = (row["median_ms"].as_f64().unwrap_or(0.0), &row["dispatches"]);
            println!("{name:12} {ms:9.3} ms   {dispatches:>3} dispatches{cpu}");
            rows.push(row);
        }
    }
    let report = json!({ "device": device.describe(), "with_transfers": args.with_transfers, "workloads": rows });
    if let Some(path) = &args.json {
        atomic::write(path, format!("{report:#}\n").as_bytes()).map_err(one)?;
    }
    Ok(())
}

/// What changes rarely, and what comes with each run.
fn given(model: &Model, dims: &[(&str, i64)]) -> Result<(Bindings, Bindings), Vec<Diagnostic>> {
    let dims = dims.iter().map(|(n, v)| (n.to_string(), *v)).collect();
    let given = inputs::gather(model, &Request { random: true, seed: 1, dims, ..Request::default() })?;
    let (mut early, mut late) = (Bindings::default(), Bindings::default());
    early.sources = init::initialise_all(model, &given.sizes, 0)?;
    early.sources.insert("seed".to_string(), init::scalar(0));
    early.sizes = given.sizes.clone();
    late.sizes = given.sizes;
    for (name, tensor) in given.tensors {
        let condition = model.inputs.iter().any(|i| i.name == name && i.condition);
        if condition { &mut early } else { &mut late }.sources.insert(name, tensor);
    }
    Ok((early, late))
}

fn workload(
    args: &Args,
    device: &Arc<Device>,
    name: &str,
    set: &[(&str, f64)],
    dims: &[(&str, i64)],
) -> Result<Value, Vec<Diagnostic>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("models/{name}.hnet"));
    let set: Vec<(String, f64)> = set.iter().map(|(n, v)| (n.to_string(), *v)).collect();
    let mut sources = Sources::default();
    let file = pipeline::read(&mut sources, &path).map_err(one)?;
    let checked = pipeline::check(&mut sources, file, &set);
    let Some(model) = checked.models.first() else { return Err(checked.diagnostics) };
    let (early, late) = given(model, dims)?;
    let roots = [model.graph.outputs[0].node];
    let mut engine = Engine::gpu(device, &model.graph, &roots, gpu::Options::default());
    let start = Instant::now();
    engine.prepare(&early).map_err(one)?;
    let got = engine.run_prepared(&late).map_err(one)?[0].to_f64();
    let first = start.elapsed().as_secs_f64() * 1e3;
    let (median, least, calls) = if args.with_transfers {
        timed(args.seconds, || engine.run_prepared(&late).map(|_| ()))?
    } else {
        // With the inputs there already.
        let (mut all, sizes) = (early.clone(), Bindings { sizes: late.sizes.clone(), ..Bindings::default() });
        all.sources.extend(late.sources.clone());
        engine.prepare(&all).map_err(one)?;
        timed(args.seconds, || engine.run_unread(&sizes))?
    };
    let dispatches = engine.program().map_or(0, |(p, sizes)| p.dispatches(&|s| s.eval(&|n| sizes.get(n).copied()).unwrap_or(0)));

    let mut cpu = Engine::cpu(&model.graph, &roots, 0).map_err(one)?;
    cpu.prepare(&early).map_err(one)?;
    let want = cpu.run_prepared(&late).map_err(one)?[0].clone();
    let largest = want.to_f64().iter().fold(1e-30f64, |m, v| m.max(v.abs()));
    let apart = got.iter().zip(want.to_f64()).fold(0.0f64, |m, (a, b)| m.max((a - b).abs())) / largest;
    if apart.is_nan() || apart > 2e-3 {
        return Err(one(Diagnostic::plain(hnet::diag::Code::H0899, format!("{name}: device and CPU are {apart:.1e} apart"))));
    }
    let cpu_ms = match args.cpu {
        true => Some(timed(args.seconds, || cpu.run_prepared(&late).map(|_| ()))?.0),
        false => None,
    };
    Ok(json!({
        "workload": name,
        "median_ms": median,
        "min_ms": least,
        "calls": calls,
        "first_ms": first,
        "dispatches": dispatches,
        "bytes": engine.bytes(),
        "apart_from_cpu": apart,
        "cpu_ms": cpu_ms,
    }))
}

/// Median and minimum in milliseconds, and how many calls.
fn timed(seconds: f64, mut call: impl FnMut() -> Result<(), Diagnostic>) -> Result<(f64, f64, usize), Vec<Diagnostic>> {
    let mut times = Vec::new();
    let end = Instant::now() + Duration::from_secs_f64(seconds);
    while times.len() < 5 || Instant::now() < end {
        let start = Instant::now();
        call().map_err(one)?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok((times[times.len() / 2], times[0], times.len()))
}
