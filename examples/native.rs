//! Times a model on the native backend, on random values: `native FILE [--plan] [--threads N] [dim=size ...]`.

use hnet::cpu::Options;
use hnet::exec::Engine;
use hnet::ir::{Bindings, Data, Tensor};
use hnet::ir::{DType, NodeId, Op, Origin, Rate};
use hnet::opt::optimize;
use hnet::pipeline;
use hnet::source::Sources;
use std::path::Path;
use std::time::Instant;

fn tensor(shape: Vec<usize>, dtype: DType, seed: u32) -> Tensor {
    let n: usize = shape.iter().product();
    let fan = if shape.len() > 1 { shape[shape.len() - 2] } else { 1 } as f32;
    let word = |i: usize| hnet::ir::random::philox([i as u32, seed, 0, 0], [3, 4])[0] >> 8;
    let data = match dtype {
        DType::F32 => Data::F32((0..n).map(|i| (word(i) as f32 / (1 << 22) as f32 - 2.0) / fan.sqrt()).collect()),
        DType::I32 => Data::I32((0..n).map(|i| (word(i) % 5) as i32).collect()),
        DType::Bool => Data::Bool((0..n).map(|i| (word(i) % 2) as u8).collect()),
    };
    Tensor::new(shape, data)
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let value =
        |name: &str| args.iter().position(|a| a == name).and_then(|k| args.get(k + 1)).and_then(|v| v.parse::<usize>().ok());
    let threads = value("--threads").unwrap_or(1);
    let mut sources = Sources::default();
    let root = pipeline::read(&mut sources, Path::new(&args[0])).expect("a file");
    let checked = pipeline::check(&mut sources, root, &[]);
    assert!(checked.is_fine(), "{:?}", checked.diagnostics);
    let start = Instant::now();
    let graph = optimize(&checked.models[0].graph, &mut |_, _| {});
    let passes = start.elapsed();
    let wanted: Vec<NodeId> = graph.outputs.iter().filter(|o| o.kind == hnet::ir::OutputKind::Output).map(|o| o.node).collect();
    let mut all = Bindings::default();
    for a in &args[1..] {
        if let Some((name, n)) = a.split_once('=') {
            all.sizes.insert(name.into(), n.parse().expect("a size"));
        }
    }
    let rates = graph.rates();
    let (mut inputs, mut others) = (Bindings::default(), Vec::new());
    for id in graph.ids() {
        if let Op::Source { path, origin } = &graph.node(id).op {
            let shape: Vec<usize> = graph
                .node(id)
                .shape
                .iter()
                .map(|a| a.size.eval(&|s| all.sizes.get(s).copied()).expect("a size") as usize)
                .collect();
            if *origin == Origin::Condition {
                others.push((path.to_string(), tensor(shape.clone(), graph.node(id).dtype, id.index() as u32 + 1)));
            }
            let t = tensor(shape, graph.node(id).dtype, id.index() as u32);
            let to = if rates[id.index()] == Rate::Input { &mut inputs } else { &mut all };
            to.sources.insert(path.to_string(), t);
        }
    }
    let mut engine = Engine::cpu_unoptimized(&graph, &wanted, &Options { threads, ..Options::default() }).expect("an engine");
    let start = Instant::now();
    engine.prepare(&all).unwrap_or_else(|e| panic!("{}", e.message));
    let prepare = start.elapsed();
    let start = Instant::now();
    engine.run_prepared(&inputs).unwrap_or_else(|e| panic!("{}", e.message));
    let first = start.elapsed();
    if !others.is_empty() {
        let mut other = all.clone();
        other.sources.extend(others);
        let mut timed = |bindings: &Bindings| {
            let start = Instant::now();
            engine.prepare(bindings).unwrap_or_else(|e| panic!("{}", e.message));
            start.elapsed()
        };
        // What was prepared for the first condition is kept for when it comes back.
        let (there, back) = (timed(&other), timed(&all));
        println!("  prepared for another condition in {there:?}, for the first again in {back:?}");
    }
    if args.iter().any(|a| a == "--plan") {
        println!("{}", engine.plan_text().unwrap_or(""));
    }
    if args.iter().any(|a| a == "--steps") {
        let mut everything = all.clone();
        everything.sources.extend(inputs.sources);
        let profile = engine.profile(&everything).unwrap_or_else(|e| panic!("{}", e.message));
        for k in profile.kernels.iter().filter(|k| k.seconds > 2e-7) {
            println!("  {:9.1} us {}", k.seconds * 1e6, k.name);
        }
        return;
    }
    // Time on the processor, where the system tells it: other programs do not count.
    let clock = || {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        text.split(' ').next()?.parse::<f64>().ok()
    };
    let before = clock();
    let mut times = Vec::new();
    let begin = Instant::now();
    while begin.elapsed().as_secs_f64() < 1.0 || times.len() < 5 {
        let start = Instant::now();
        engine.run_prepared(&inputs).expect("runs");
        times.push(start.elapsed().as_secs_f64());
    }
    if let (Some(a), Some(b)) = (before, clock()) {
        println!("  {:.1} us of processor time in the first thread", (b - a) * 1e-3 / times.len() as f64);
    }
    times.sort_by(f64::total_cmp);
    let (low, mid) = (times[0] * 1e6, times[times.len() / 2] * 1e6);
    println!("{}: median {mid:.1} us, least {low:.1} us ({} runs, {threads} threads)", args[0], times.len());
    println!("  passes {passes:?}, prepare with planning and compiling {prepare:?}, first run {first:?}");
}
