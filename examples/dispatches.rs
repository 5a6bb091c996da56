//! Prints what a model's plan becomes on a graphics device: `cargo run --example dispatches -- models/moe.hnet [t=1024] [d:=512]`
//! (`name=N` a free dim, `name:=N` a constant).
use hnet::{gpu, pipeline, plan, source::Sources};
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut sources = Sources::default();
    let file = pipeline::read(&mut sources, std::path::Path::new(&args[0])).expect("the file opens");
    let set: Vec<(String, f64)> =
        args.iter().filter_map(|a| a.split_once(":=")).map(|(n, v)| (n.into(), v.parse().expect("a number"))).collect();
    let checked = pipeline::check(&mut sources, file, &set);
    let model = &checked.models[0];
    let mut sizes: plan::Sizes = pipeline::unknowns(model).into_iter().map(|s| (s, 257)).collect();
    for (n, v) in args.iter().filter(|a| !a.contains(":=")).filter_map(|a| a.split_once('=')) {
        sizes.insert(n.into(), v.parse().expect("a number"));
    }
    let (graph, roots) = pipeline::optimized(&model.graph, &model.graph.outputs.iter().map(|o| o.node).collect::<Vec<_>>());
    let plan = plan::plan(&graph, &roots, &sizes).expect("it plans");
    let program = gpu::emit(&plan, &sizes, &|_| None);
    fn show(p: &gpu::Program, items: &[gpu::Item], pad: usize) {
        for i in items {
            match i {
                gpu::Item::Dispatch(d) => {
                    println!(
                        "{:pad$}{} {:?} packed {} bindings {}",
                        "",
                        p.shaders[d.shader].name,
                        d.grid,
                        d.packed,
                        d.bindings.len()
                    )
                }
                gpu::Item::Repeat { trips, body } => {
                    println!("{:pad$}repeat {trips}", "");
                    show(p, body, pad + 2);
                }
            }
        }
    }
    println!("prepare");
    show(&program, &program.items[..program.prepared], 2);
    println!("run");
    show(&program, &program.items[program.prepared..], 2);
    if std::env::var("CODE").is_ok() {
        program.shaders.iter().for_each(|s| println!("{}", s.code));
    }
}
