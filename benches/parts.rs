//! How long hnet's own parts take: the stages from a text to code, on shipped models, and what runs, on one thread.
//!
//! `cargo bench` measures all, `cargo bench -- plan` what has `plan` in its name. A line has the shortest and the middle time of many. Nothing is
//! compared here; `benches/peers.py` does that.

use hnet::bind::init;
use hnet::bind::inputs::{Request, gather};
use hnet::check::model::Model;
use hnet::exec::session::{self, Backend, Options, Session};
use hnet::fuzz::check::model;
use hnet::ir::Bindings;
use hnet::plan::Sizes;
use hnet::source::Sources;
use hnet::{cpu, opt, pipeline};
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

/// Models whose stages are measured, from small to large.
const MODELS: [&str; 4] = ["film", "moe", "lora_hyper", "decoder"];
/// What free dims are long.
const ROWS: i64 = 64;
/// How long one part is measured, and how often at most.
const TIME: Duration = Duration::from_millis(400);
const MOST: usize = 2000;

/// What is asked for on the command line.
struct Bench {
    asked: Vec<String>,
}

impl Bench {
    fn measure<T>(&self, name: &str, mut part: impl FnMut() -> T) {
        if !self.asked.is_empty() && !self.asked.iter().any(|a| name.contains(a.as_str())) {
            return;
        }
        black_box(part());
        let (begin, mut times) = (Instant::now(), Vec::new());
        while times.len() < 3 || (begin.elapsed() < TIME && times.len() < MOST) {
            let start = Instant::now();
            black_box(part());
            times.push(start.elapsed());
        }
        times.sort();
        let micros = |t: Duration| t.as_secs_f64() * 1e6;
        println!("{name:32} {:>12.1} µs  {:>12.1} µs  {:>5} runs", micros(times[0]), micros(times[times.len() / 2]), times.len());
    }
}

fn shipped(name: &str) -> Model {
    let mut sources = Sources::default();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(format!("{name}.hnet"));
    let file = pipeline::read(&mut sources, &path).expect("a shipped model");
    let checked = pipeline::check(&mut sources, file, &[]);
    checked.models.into_iter().next().expect("it is well-formed")
}

fn stages(bench: &Bench, name: &str) {
    bench.measure(&format!("check {name}"), || shipped(name));
    let model = shipped(name);
    let roots: Vec<_> = model.graph.outputs.iter().map(|o| o.node).collect();
    bench.measure(&format!("optimize {name}"), || opt::optimize_for(&model.graph, &roots));
    let (forward, sizes) = (pipeline::forward(&model), pipeline::sizes_near(&model, ROWS));
    let plan = |sizes: &Sizes| forward.plan_on(sizes, &Default::default()).expect("a plan");
    bench.measure(&format!("plan {name}"), || plan(&sizes));
    let made = plan(&sizes);
    bench.measure(&format!("compile {name}"), || cpu::emit_clif(&made, &sizes).expect("code"));
}

/// Everything that a model reads, drawn.
fn drawn(model: &Model, rows: i64) -> Bindings {
    let dims = model.dims.iter().filter(|d| d.size.is_none()).map(|d| (d.name.to_string(), rows)).collect();
    let given = gather(model, &Request { random: true, dims, ..Request::default() }).expect("inputs");
    let params = init::initialise_all(model, &given.sizes, 0).expect("parameters");
    session::bindings(params, given, 0)
}

fn session(model: &Model, backend: Backend) -> Session {
    let options = Options { backend, threads: 1, ..Options::default() };
    Session::new(model, &[0], &options).expect("a session")
}

/// One call of what is ready; what depends on no input stays as it is.
fn call(bench: &Bench, name: &str, model: &Model, rows: i64) {
    let (bound, mut session) = (drawn(model, rows), session(model, Backend::Cpu));
    session.prepare(&bound).expect("it is prepared");
    bench.measure(name, || session.run_prepared(&bound, &Bindings::default()).expect("it runs"));
}

fn main() {
    let asked = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let bench = Bench { asked };
    println!("{:32} {:>15}  {:>15}", "", "shortest", "middle");
    MODELS.iter().for_each(|name| stages(&bench, name));
    let product = "dim b\nmodel M {\n    input x: [b, 256]\n    param w: [256, 256] = normal(std: 0.1)\n    output y: [b, 256] = x @ w\n}\n";
    let each =
        "dim b\nmodel M {\n    input x: [b, 256]\n    input y: [b, 256]\n    output z: [b, 256] = tanh(x) * y + exp(0 - y)\n}\n";
    let staged = "dim b\nmodel M {\n    input x: [b, 64]\n    condition z: [16]\n    param g: [16, 64, 64] = normal(std: 0.1)\n    \
                  output y: [b, 64] = x @ tanh(z @ g)\n}\n";
    for (name, text) in [("product", product), ("elementwise", each), ("staged call", staged)] {
        let model = model(text).unwrap_or_else(|e| panic!("{name}: {}", e.detail));
        call(&bench, &format!("run: {name}, 64 rows"), &model, 64);
        call(&bench, &format!("run: {name}, 1 row"), &model, 1);
    }
    for name in MODELS {
        let model = shipped(name);
        call(&bench, &format!("run: {name}"), &model, ROWS);
        let (bound, mut oracle) = (drawn(&model, 4), session(&model, Backend::Interp));
        bench.measure(&format!("interpreter: {name}, 4 rows"), || oracle.run(&bound).expect("it runs"));
    }
}
