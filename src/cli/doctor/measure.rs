//! What this machine charges: each number is the least time of many runs of a small program.

use super::given::{Task, tasks};
use crate::cpu::{self, Options};
use crate::diag::{Code, Diagnostic};
use crate::exec::Engine;
use crate::gpu;
use crate::ir::Bindings;
use crate::plan::{Level, Prices};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long one number is measured, and how often at least.
const LONG: Duration = Duration::from_millis(40);
const TIMES: usize = 5;

/// Elements of the values that are touched: from what every first cache holds to what hardly any last one does.
const ELEMENTS: [i64; 8] = [6 << 10, 24 << 10, 96 << 10, 384 << 10, 1536 << 10, 6 << 20, 24 << 20, 48 << 20];
/// Bytes of the values that are read alone.
const REACHES: [i64; 6] = [48 << 10, 8 << 20, 16 << 20, 32 << 20, 64 << 20, 96 << 20];
/// A level counts where it makes an element this much dearer.
const DEARER: f64 = 1.3;
/// Rows, sums and columns of the product.
const SIDE: i64 = 256;
/// Elements that functions are measured on.
const POINTS: i64 = 16 << 10;
const FUNCTIONS: [(&str, &str); 9] = [
    ("exp", "exp(x)"),
    ("log", "log(x)"),
    ("tanh", "tanh(x)"),
    ("sigmoid", "sigmoid(x)"),
    ("erf", "erf(x)"),
    ("sin", "sin(x)"),
    ("sqrt", "sqrt(x)"),
    ("divide", "1.5 / x"),
    ("power", "x ^ 1.7"),
];

/// The least of some runs, in nanoseconds.
fn least(mut run: impl FnMut() -> Result<(), Diagnostic>) -> Result<f64, Diagnostic> {
    let (begin, mut best, mut count) = (Instant::now(), f64::INFINITY, 0);
    run()?;
    while count < TIMES || begin.elapsed() < LONG {
        let start = Instant::now();
        run()?;
        best = best.min(start.elapsed().as_nanos() as f64);
        count += 1;
    }
    Ok(best)
}

/// A text's only model at these sizes.
fn only(text: &str, sizes: &[(&str, i64)]) -> Result<Task, Diagnostic> {
    let lost = || Diagnostic::plain(Code::H0899, "the doctor's program has no model").note("this is a bug in hnet");
    tasks(text, sizes)?.pop().ok_or_else(lost)
}

/// What a run of a text takes on one thread.
fn timed(text: &str, sizes: &[(&str, i64)]) -> Result<f64, Diagnostic> {
    let task = only(text, sizes)?;
    let mut engine = Engine::cpu_unoptimized(&task.graph, &task.wanted(), &Options::default())?;
    engine.prepare(&Bindings { sizes: task.values.sizes.clone(), ..Bindings::default() })?;
    least(|| engine.run_prepared(&task.values).map(drop))
}

/// `y` of each `x`.
fn pointwise(of: &str) -> String {
    format!("dim n\nmodel M {{\n    input x: [n]\n    output y: [n] = {of}\n}}\n")
}

/// All elements are read.
const READS: &str = "dim n\nmodel R {\n    input x: [n]\n    output y: f32 = sum[n] x\n}\n";

/// A product of square matrices.
fn product() -> String {
    format!(
        "model M {{\n    input x: [{SIDE}, {SIDE}]\n    input w: [{SIDE}, {SIDE}]\n    output y: [{SIDE}, {SIDE}] = x @ w\n}}\n"
    )
}

/// This processor's prices. `step` is told of each number.
pub(super) fn processor(threads: usize, step: &dyn Fn()) -> Result<Prices, Diagnostic> {
    let call = timed(&pointwise("x + 1"), &[("n", 1)])?;
    let own = |ns: f64| (ns - call).max(1.0);
    let macs = (SIDE * SIDE * SIDE) as f64;
    let multiply_ns = own(timed(&product(), &[])?) / macs;
    step();
    let mut touched = Vec::new();
    for n in ELEMENTS {
        touched.push((n as f64, own(timed(&pointwise("x + 1"), &[("n", n)])?)));
        step();
    }
    let (touch_ns, levels) = levels(&touched);
    let plain = own(timed(&pointwise("x + 1"), &[("n", POINTS)])?);
    let mut functions = Map::new();
    for (name, of) in FUNCTIONS {
        let ns = (own(timed(&pointwise(of), &[("n", POINTS)])?) - plain).max(0.0) / POINTS as f64;
        functions.insert(name.into(), json!(rounded(ns)));
        step();
    }
    let mut reads = Vec::new();
    for bytes in REACHES {
        let n = bytes / 4;
        reads.push(json!([bytes, rounded(own(timed(READS, &[("n", n)])?) / n as f64)]));
        step();
    }
    let also = json!({
        "call_ns": rounded(call),
        "reads_ns": reads,
        "functions_ns": functions,
        "threads": threads,
        "fork_and_join_ns": rounded(fork(threads)?),
        "gflops": rounded(2.0 / multiply_ns),
    });
    step();
    Ok(Prices { machine: name(), multiply_ns: rounded(multiply_ns), touch_ns, levels, also: Some(also) })
}

/// Three digits: more are noise.
fn rounded(x: f64) -> f64 {
    format!("{x:.2e}").parse().unwrap_or(x)
}

/// From elements and nanoseconds: the price of an element that is near, and where elements become dearer.
fn levels(touched: &[(f64, f64)]) -> (f64, Vec<Level>) {
    let touch = touched.first().map_or(0.1, |(n, ns)| rounded(ns / n));
    let (mut now, mut out) = (touch, Vec::new());
    for pair in touched.windows(2) {
        let [(before, less), (n, ns)] = pair else { continue };
        let each = (ns - less) / (n - before);
        if each > DEARER * now {
            out.push(Level { beyond_bytes: 4.0 * before, more_ns: rounded(each - now) });
            now = each;
        }
    }
    (touch, out)
}

/// Handing nothing to all threads and waiting for them.
fn fork(threads: usize) -> Result<f64, Diagnostic> {
    if threads < 2 {
        return Ok(0.0);
    }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|e| Diagnostic::plain(Code::H0818, format!("{threads} threads cannot be started: {e}")))?;
    least(|| {
        pool.scope(|s| (0..threads).for_each(|_| s.spawn(|_| ())));
        Ok(())
    })
}

/// What the processor calls itself.
pub fn name() -> String {
    let told = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = told.lines().find_map(|l| l.strip_prefix("model name")?.split_once(':').map(|(_, n)| n.trim().to_string()));
    let vectors = cpu::vectors();
    format!("{}{}", name.unwrap_or_else(|| std::env::consts::ARCH.into()), vectors)
}

/// What a device takes: a run with nothing to do in it, moving values, and its peaks.
pub(super) fn device(device: &Arc<gpu::Device>, step: &dyn Fn()) -> Result<Value, Diagnostic> {
    const MOVED: i64 = 4 << 20;
    let time = |text: &str, sizes: &[(&str, i64)]| -> Result<f64, Diagnostic> {
        let task = only(text, sizes)?;
        let mut engine = Engine::gpu_unoptimized(device, &task.graph, &task.wanted(), gpu::Options::default());
        engine.prepare(&Bindings { sizes: task.values.sizes.clone(), ..Bindings::default() })?;
        least(|| engine.run_prepared(&task.values).map(drop))
    };
    let call = time(&pointwise("x + 1"), &[("n", 1)])?;
    step();
    let moved = (time(&pointwise("x + 1"), &[("n", MOVED)])? - call).max(1.0);
    step();
    let product = (time(&product(), &[])? - call).max(1.0);
    step();
    let peak = device.peak()?;
    step();
    Ok(json!({
        "device": device.describe(),
        "call_ns": rounded(call),
        "there_and_back_gb_per_s": rounded(8.0 * MOVED as f64 / moved),
        "product_gflops": rounded(2.0 * (SIDE * SIDE * SIDE) as f64 / product),
        "peak_gflops": rounded(peak.flops / 1e9),
        "memory_gb_per_s": rounded(peak.bytes / 1e9),
    }))
}

/// Numbers that are measured, for a bar.
pub(super) const PROCESSOR: usize = 1 + ELEMENTS.len() + FUNCTIONS.len() + REACHES.len() + 1;
pub(super) const DEVICE: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_found_where_elements_become_dearer() {
        // 0.1 each up to 1000, 0.3 beyond, and noise.
        let cost = |n: f64| 0.1 * n + 0.2 * (n - 1000.0).max(0.0);
        let touched: Vec<(f64, f64)> = [250.0, 500.0, 1000.0, 4000.0, 16000.0].map(|n| (n, cost(n) * 1.01)).to_vec();
        let (touch, found) = levels(&touched);
        assert!((touch - 0.101).abs() < 1e-3);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!((found[0].more_ns - 0.2).abs() < 0.01 && found[0].beyond_bytes == 4000.0, "{found:?}");
        let prices = Prices { touch_ns: touch, levels: found, ..Prices::generic() };
        assert_eq!(prices.wrong(), None);
    }
}
