//! No size costs much more than the next smaller one: what the planner decides for neighbours may differ, what it costs may not.
//!
//! Costs are counted in the plan, not measured: multiply-adds of what runs, those of what is prepared as the planner weighs them, and bytes.

use crate::common::root;
use hnet::check::model::Model;
use hnet::fuzz::check::model;
use hnet::pipeline;
use hnet::plan::{self, Expr, Plan, Sizes, Step};
use hnet::source::Sources;

/// Runs that share what is prepared, as the planner has it.
const RUNS: f64 = 32.0;

/// Multiply-adds that a step is worth, however little it does, as the planner has it.
const STEP: f64 = 12_000.0;

/// What a plan costs.
#[derive(Clone, Copy, Debug)]
struct Cost {
    /// Multiply-adds of each run.
    run: f64,
    /// Multiply-adds of what is prepared.
    prepare: f64,
    /// Bytes beyond those of inputs, parameters and results.
    bytes: f64,
}

impl Cost {
    fn of(plan: &Plan, sizes: &Sizes) -> Cost {
        let layout = plan::place(plan, sizes, &[]).expect("it fits");
        let (early, late) = plan.steps.split_at(plan.prepared);
        let sum = |steps: &[Step]| steps.iter().map(|s| STEP + work(s, sizes)).sum();
        Cost { run: sum(late), prepare: sum(early), bytes: 4.0 * layout.total as f64 }
    }

    fn weighed(&self) -> f64 {
        self.run + self.prepare / RUNS
    }
}

fn n(size: &hnet::ir::Size, sizes: &Sizes) -> f64 {
    hnet::ir::sizes::known(size, sizes) as f64
}

/// Multiply-adds of a product, values of a kernel, elements of all else.
fn work(step: &Step, sizes: &Sizes) -> f64 {
    let all = |list: &[hnet::ir::Size]| list.iter().map(|s| n(s, sizes)).product::<f64>();
    match step {
        Step::Product(p) => p.spans.iter().map(|s| n(&s.size, sizes)).product(),
        Step::Grouped(g) => g.product.spans.iter().map(|s| n(&s.size, sizes)).product(),
        Step::Segments(s) => s.product.spans.iter().map(|s| n(&s.size, sizes)).product(),
        Step::Kernel(k) => {
            let points = |loops: u128| {
                let own = k.loops.iter().enumerate().filter(|(l, _)| loops >> l & 1 == 1);
                own.map(|(_, l)| n(&l.size, sizes)).product::<f64>()
            };
            let deps = k.dependencies();
            let of = |(at, e): (usize, &Expr)| match e {
                Expr::Map(..) => points(deps[at]),
                // A sum goes through the places of what it sums.
                Expr::Reduce { value, .. } | Expr::Mend { value, .. } => points(deps[*value]),
                Expr::Const(_) | Expr::Counter(_) | Expr::Size(_) | Expr::Load(_) | Expr::Pick { .. } => 0.0,
            };
            let stored: f64 = k.loops[..k.outer].iter().map(|l| n(&l.size, sizes)).product();
            stored + k.body.iter().enumerate().map(of).sum::<f64>()
        }
        Step::Order { input, .. } | Step::Scan { input, .. } | Step::Assign { input, .. } => all(&input.shape),
        Step::Scatter { value, .. } => all(&value.shape),
        Step::Random { seed, .. } => all(&seed.shape),
        Step::Rounds(r) => n(&r.trips, sizes) * r.body.steps.iter().map(|s| work(s, sizes)).sum::<f64>(),
    }
}

/// What a model's plan costs with all free dims of this size.
fn cost(model: &Model, size: i64) -> Cost {
    let sizes = pipeline::sizes_near(model, size);
    Cost::of(&pipeline::plan(model, &sizes).unwrap(), &sizes)
}

/// Goes through widths in their order, each with the work that it stands for: says which cost more than twice the ratio of that.
fn smooth(who: &str, costs: impl Iterator<Item = (i64, f64, Cost)>) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut last: Option<(i64, f64, Cost)> = None;
    for (width, work, cost) in costs {
        if let Some((before, less, old)) = last {
            let parts = [("run", old.run, cost.run), ("work", old.weighed(), cost.weighed()), ("bytes", old.bytes, cost.bytes)];
            let jumps = parts.iter().filter(|(_, old, new)| *new > 2.0 * (work / less) * old);
            wrong.extend(jumps.map(|(what, old, new)| format!("{who}: {what} of {before} is {old:.3e}, of {width} {new:.3e}")));
        }
        last = Some((width, work, cost));
    }
    wrong
}

/// A layer whose update is written from a code: a condition's, or an input's.
fn cliff(n: i64, rank: i64, code: i64, kind: &str) -> Model {
    let text = format!(
        "dim b\nmodel M {{\n    input x: [b, {n}]\n    {kind} z: [{code}]\n    param w: [{n}, {n}] = normal(std: 0.1)\n    param p: [{n}, {rank}] = normal(std: 0.1)\n    \
         param g: [{code}, {n}, {rank}] = normal(std: 0.1)\n    param u: [{rank}, {n}] = normal(std: 0.1)\n    let a = p * (z @ g)\n    \
         output y: [b, {n}] = x @ (w + a @ u)\n}}\n"
    );
    model(&text).unwrap_or_else(|e| panic!("{}\n{text}", e.detail))
}

#[test]
fn a_written_update_that_is_a_little_wider_costs_a_little_more() {
    let mut wrong = Vec::new();
    for kind in ["condition", "input"] {
        for (wide, rank) in [(64, 4), (128, 16), (256, 64), (512, 256)] {
            for rows in [1, 64] {
                let who = format!("{kind} z, n {wide}, rank {rank}, {rows} rows");
                let codes = (8..=272).step_by(24).map(|c| (c, c as f64, cost(&cliff(wide, rank, c, kind), rows)));
                wrong.extend(smooth(&format!("{who}, by |z|"), codes));
            }
        }
        for (rank, code) in [(8, 16), (64, 264)] {
            for rows in [1, 64] {
                let wide = (64..=512).step_by(64).map(|n| (n, (n * n) as f64, cost(&cliff(n, rank, code, kind), rows)));
                wrong.extend(smooth(&format!("{kind} z, rank {rank}, |z| {code}, {rows} rows, by n"), wide));
            }
            let few = (0..9).map(|k| (1 << k, f64::from(1 << k), cost(&cliff(128, rank, code, kind), 1 << k)));
            wrong.extend(smooth(&format!("{kind} z, rank {rank}, |z| {code}, by rows"), few));
            let ranks = (0..9).map(|k| (1 << k, f64::from(1 << k), cost(&cliff(128, 1 << k, code, kind), 16)));
            wrong.extend(smooth(&format!("{kind} z, |z| {code}, by rank"), ranks));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A shipped model with one constant at another value.
fn shipped(name: &str, set: &[(&str, i64)]) -> Model {
    let mut sources = Sources::default();
    let file = pipeline::read(&mut sources, &root().join("models").join(format!("{name}.hnet"))).unwrap();
    let set: Vec<(String, f64)> = set.iter().map(|(n, v)| (n.to_string(), *v as f64)).collect();
    let checked = pipeline::check(&mut sources, file, &set);
    assert!(checked.is_fine(), "{name} {set:?}: {:#?}", checked.diagnostics);
    checked.models.into_iter().next().unwrap()
}

#[test]
fn shipped_models_that_are_a_little_wider_cost_a_little_more() {
    // A width, from where to where, and by which power of it the work grows.
    let widths: [(&str, &str, &[i64], i32); 7] = [
        ("moe", "d", &[16, 32, 64, 96, 128, 192, 256, 384, 512], 2),
        ("moe", "h", &[24, 48, 96, 144, 192, 256, 384, 512, 768, 1024], 1),
        ("moe", "experts", &[2, 4, 6, 8, 12, 16, 24, 32, 64], 1),
        ("film", "d", &[32, 48, 64, 96, 128, 192, 256], 2),
        ("film", "c", &[1, 2, 4, 8, 16, 32, 64, 96, 128], 1),
        ("lora_hyper", "d", &[48, 64, 96, 128, 256, 384, 512, 768, 1024], 2),
        ("lora_hyper", "rank", &[1, 2, 3, 4, 6, 8, 12, 16, 32, 48], 1),
    ];
    let mut wrong = Vec::new();
    for (name, constant, values, power) in widths {
        for rows in [1, 7, 64, 1024] {
            let all = values.iter().map(|v| (*v, (*v as f64).powi(power), cost(&shipped(name, &[(constant, *v)]), rows)));
            wrong.extend(smooth(&format!("{name} with {rows} rows, by {constant}"), all));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The thin factors of all samples are what is large: 1,024 times 2 · 1,024 · 8 numbers, and no matrix of a sample is among what is held.
#[test]
fn an_update_for_each_of_a_thousand_samples_takes_little_memory() {
    let model = shipped("lora_hyper", &[("d", 1024), ("rank", 8)]);
    let sizes = Sizes::from([("b".into(), 1024)]);
    let plan = pipeline::plan(&model, &sizes).unwrap();
    let layout = plan::place(&plan, &sizes, &[]).unwrap();
    let results: usize = plan.outputs.iter().map(|b| layout.lengths[*b]).sum();
    let mib = 4.0 * (layout.total + results) as f64 / f64::from(1 << 20);
    assert!(mib < 64.0, "{mib:.1} MiB\n{plan}");
}

/// Steps of a plan and of the bodies in it.
fn steps(plan: &Plan) -> usize {
    let inner = |s: &Step| if let Step::Rounds(r) = s { steps(&r.body) } else { 0 };
    plan.steps.len() + plan.steps.iter().map(inner).sum::<usize>()
}

#[test]
fn steps_of_a_decoder_are_few_and_grow_with_its_layers() {
    let at = |layers: i64| {
        let model = shipped("decoder", &[("layers", layers)]);
        steps(&pipeline::plan(&model, &pipeline::sizes_near(&model, 256)).unwrap())
    };
    let [one, two, four, eight] = [1, 2, 4, 8].map(at);
    let each = two - one;
    assert!(one <= 40 && each <= 32, "{one}, {two}");
    assert!(four - two <= 2 * each && eight - four <= 4 * each, "{one}, {two}, {four}, {eight}");
}
