//! A verdict about one program: every stage, compared with the one before.

use super::judge::{F32, F64, Moved, SHADERS};
use super::meant::Meant;
use super::slopes::{Slopes, slopes};
use super::turns::Turns;
use super::values::{self, Lengths};
use crate::check::model::Model;
use crate::cpu;
use crate::diag::{Code, Diagnostic, Sink};
use crate::exec::Engine;
use crate::gpu;
use crate::ir::interp::{all_outside, evaluate};
use crate::ir::read::read;
use crate::ir::verify::verify;
use crate::ir::{Bindings, Data, Tensor};
use crate::ir::{Graph, NodeId, Op, Size};
use crate::opt;
use crate::pipeline;
use crate::plan::{self, Pins, Plan, Sizes, Step, Terms};
use crate::program::NoFiles;
use crate::source::Sources;
use crate::syntax;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What is wrong.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// The stage, and what kind of thing is wrong: equal for failures that have one cause.
    pub class: String,
    pub detail: String,
}

impl Failure {
    pub(super) fn new(class: impl Into<String>, detail: impl Into<String>) -> Failure {
        Failure { class: class.into(), detail: detail.into() }
    }
}

/// What a program that passed showed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Passed {
    /// Runs that were compared.
    pub runs: usize,
    /// Runs whose values hang on a tie, which f32 may decide otherwise.
    pub ties: usize,
    pub nodes: usize,
    /// Derivatives that were compared with differences, and those that have a corner there.
    pub slopes: usize,
    pub corners: usize,
    /// Runs in which one decision of the planner was taken otherwise.
    pub turns: usize,
}

/// How a program is checked.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// Its derivatives of this order, 1 or 2, in the place of its outputs: that differences say the same, and that all ways to compute them do.
    pub order: usize,
    /// Also with every other way that the planner might have taken, in turn.
    pub turns: bool,
}

impl std::ops::AddAssign for Passed {
    fn add_assign(&mut self, other: Passed) {
        self.runs += other.runs;
        self.ties += other.ties;
        self.nodes += other.nodes;
        self.slopes += other.slopes;
        self.corners += other.corners;
        self.turns += other.turns;
    }
}

/// Lengths that free axes take.
const LENGTHS: [&[i64]; 4] = [&[2, 3], &[1, 5], &[0, 1, 3], &[17, 4]];
/// The length of one of them in a last run: longer than what is added up at a time anywhere. Of some programs only, for the interpreter
/// takes its time.
const LONG: i64 = 1300;
/// One program of so many; and its loops have no more points then.
const LONG_EVERY: u64 = 4;
const POINTS: i64 = 1 << 22;

thread_local! {
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
    static DEVICE: RefCell<Option<Arc<gpu::Device>>> = const { RefCell::new(None) };
}

/// From here on programs that this thread checks run on this device, too, or no longer do.
pub fn also_on(device: Option<Arc<gpu::Device>>) {
    DEVICE.with(|d| *d.borrow_mut() = device);
}

/// From here on a panic is kept for the failure that it becomes; it is also said as before where `loud`.
pub fn keep_panics(loud: bool) {
    let said = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let text = info.payload().downcast_ref::<&str>().map(|s| s.to_string());
        let text = text.or_else(|| info.payload().downcast_ref::<String>().cloned()).unwrap_or_default();
        let place = info.location().map(|l| format!("{}:{}", l.file(), l.line())).unwrap_or_default();
        LAST.lock().map(|mut l| *l = Some(format!("{place}: {text}"))).ok();
        PANIC.with(|p| *p.borrow_mut() = Some(format!("{place}: {text}")));
        if loud {
            said(info);
        }
    }));
}

/// The last panic of any thread: the checker has one of its own.
static LAST: std::sync::Mutex<Option<String>> = std::sync::Mutex::new(None);

/// Checks a program; a panic anywhere is a failure. `seed` decides the values.
pub fn check(text: &str, seed: u64) -> Result<Passed, Failure> {
    check_how(text, seed, How::default())
}

/// Checks a program in the way that is asked for.
pub fn check_how(text: &str, seed: u64, how: How) -> Result<Passed, Failure> {
    PANIC.with(|p| *p.borrow_mut() = None);
    match catch_unwind(AssertUnwindSafe(|| stages(text, seed, how))) {
        Ok(verdict) => verdict,
        Err(payload) => {
            let said =
                payload.downcast_ref::<&str>().map(|s| s.to_string()).or_else(|| payload.downcast_ref::<String>().cloned());
            let text = PANIC
                .with(|p| p.borrow().clone())
                .or_else(|| LAST.lock().ok().and_then(|l| l.clone()))
                .or(said)
                .unwrap_or_default();
            let short: String = text.lines().next().unwrap_or("").chars().take(80).filter(|c| !c.is_ascii_digit()).collect();
            Err(Failure::new(format!("panic {short}"), text))
        }
    }
}

fn stages(text: &str, seed: u64, how: How) -> Result<Passed, Failure> {
    written(text)?;
    let model = model(text)?;
    match (how.order, slopes(&model, how.order)) {
        (0, _) => ways(&model, seed, None, how.turns),
        (_, Some(slopes)) => ways(&slopes.model, seed, Some(&slopes), how.turns),
        (_, None) => Ok(Passed::default()),
    }
}

/// Compares all ways to compute a model; its outputs are derivatives where `slopes` are given.
fn ways(model: &Model, seed: u64, slopes: Option<&Slopes>, turns: bool) -> Result<Passed, Failure> {
    let graph = &model.graph;
    verify(graph).map_err(|why| Failure::new("verify", why))?;
    let ir = graph.to_string();
    let again = read(&ir).map_err(|why| Failure::new("ir text", why.to_string()))?;
    if again.to_string() != ir {
        return Err(Failure::new("ir text", "the graph's text reads back as another graph"));
    }
    let (passes, all) = passed_through(graph)?;
    let mut passed = Passed { nodes: graph.len(), ..Passed::default() };
    let wanted: Vec<NodeId> = all.outputs.iter().map(|o| o.node).collect();
    let threads = if seed.is_multiple_of(8) { 2 } else { 1 };
    let options = cpu::Options { threads, ..cpu::Options::default() };
    // Every other program has any of the ways that the planner knows, whatever they cost.
    let pins = || if seed % 2 == 1 { Pins::Any(seed) } else { Pins::None };
    let engine = Engine::cpu_unoptimized(&all, &wanted, &options).map_err(|d| Failure::new("cpu refuses", d.message))?;
    let mut engine = engine.pinned(pins());
    let device = DEVICE.with(|d| d.borrow().clone());
    // Once, at the first sizes that have values.
    let mut turns = turns.then(|| Turns { graph: &all, wanted: &wanted, options: &options, device: device.clone() });
    let mut device = device.map(|d| Engine::gpu_unoptimized(&d, &all, &wanted, gpu::Options::default()).pinned(pins()));
    let fixed = model.dims.iter().all(|d| d.size.is_some());
    let rounds = match slopes {
        _ if fixed => 1,
        None => LENGTHS.len() + usize::from(seed.is_multiple_of(LONG_EVERY)),
        Some(_) => 2,
    };
    for round in 0..rounds {
        let lengths = LENGTHS.get(round).map_or(Lengths { of: &[1, 2, 3], long: Some(LONG) }, |of| Lengths { of, long: None });
        // Special values every other time.
        let special = slopes.is_none() && (seed + round as u64) % 2 == 1;
        let bindings =
            values::bindings(model, &lengths, special, seed + round as u64).map_err(|why| Failure::new("values", why))?;
        let bindings = if slopes.is_some() { values::apart(&bindings, seed) } else { bindings };
        if lengths.long.is_some() && points(graph, &bindings.sizes) > POINTS {
            break;
        }
        let values = match outcome(graph, &bindings) {
            Err(d) if d.code == Code::H0617 => {
                let wanted: Vec<NodeId> = graph.outputs.iter().map(|o| o.node).collect();
                let said: Vec<String> = all_outside(graph, &bindings, &wanted).into_iter().map(|d| d.message).collect();
                if said.first() != Some(&d.message) {
                    return Err(Failure::new("interp outside", format!("`{}` is not the first of {said:?}", d.message)));
                }
                passed.runs += outside(&said, &passes, (&all, &bindings), &mut engine, device.as_mut())?;
                continue;
            }
            values => values.map_err(|d| Failure::new("interp", d.message))?,
        };
        if let Some(slopes) = slopes {
            let compared = slopes.compare(&bindings, &values, seed)?;
            passed.slopes += compared.alike;
            passed.corners += compared.corners;
        }
        let meant = Meant { graphs: [graph, &all], bindings: &bindings, values: &values, moved: Moved::default() };
        meant.compare("ir text", &outputs(&again, &bindings), F64)?;
        for (name, after) in &passes {
            meant.compare(name, &outputs(after, &bindings), F64)?;
        }
        meant.compare("optimize", &outputs(&all, &bindings), F64)?;
        let run = |engine: &mut Engine| engine.run(&bindings).map_err(|d| d.message);
        planned((&all, &wanted), &bindings, pins())?;
        let first = run(&mut engine);
        passed.runs += 1;
        passed.ties += usize::from(meant.compare_planned("cpu", &first, F32, pins())?);
        let second = run(&mut engine);
        if !same_bits(&first, &second) {
            return Err(Failure::new("cpu twice", "two runs differ"));
        }
        if let Some(device) = &mut device {
            passed.ties += usize::from(on_device(device, &meant, pins())?);
            passed.runs += 1;
        }
        if let Some(turns) = turns.take() {
            passed.turns += turns.take(&meant)?;
        }
    }
    Ok(passed)
}

/// What each pass makes of a graph by itself, and what all of them make; all are well-formed.
fn passed_through(graph: &Graph) -> Result<(Vec<(&'static str, Graph)>, Graph), Failure> {
    let passes: Vec<(&str, Graph)> = opt::PASSES.iter().map(|p| (p.name, (p.run)(graph))).collect();
    let all = opt::optimize(graph, &mut |_, _| {});
    for (name, after) in passes.iter().map(|(n, g)| (*n, g)).chain([("optimize", &all)]) {
        verify(after).map_err(|why| Failure::new(format!("verify after {name}"), why))?;
    }
    Ok((passes, all))
}

/// The plan is well-formed, and so is where its buffers lie.
fn planned((graph, wanted): (&Graph, &[NodeId]), bindings: &Bindings, pins: Pins) -> Result<(), Failure> {
    let sizes = sizes_of(graph, bindings)?;
    let terms = Terms { pins, ..Terms::default() };
    // What the planner refuses is said when the plan is to run.
    let Ok(made) = plan::plan_on(graph, wanted, &sizes, &terms) else { return Ok(()) };
    plan::verify::verify(&made)
        .and_then(|()| placed(&made, &sizes))
        .map_err(|what| Failure::new("plan", format!("{what}\n{made}")))
}

/// All sizes of a run, those that values decide among them.
pub(super) fn sizes_of(graph: &Graph, bindings: &Bindings) -> Result<Sizes, Failure> {
    let nodes: Vec<NodeId> = graph.measured.iter().map(|(_, node)| *node).collect();
    let measured = evaluate(graph, bindings, &nodes).map_err(|d| Failure::new("interp sizes", d.message))?;
    let mut sizes = bindings.sizes.clone();
    let lengths = measured.iter().map(|t| (t.get(0).round_ties_even() as i64).max(0));
    sizes.extend(graph.measured.iter().map(|(s, _)| s.clone()).zip(lengths));
    Ok(sizes)
}

/// Bodies of loops have places of their own.
fn placed(plan: &Plan, sizes: &Sizes) -> Result<(), String> {
    for elsewhere in [vec![], plan::of_conditions(plan)] {
        let Some(layout) = plan::place(plan, sizes, &elsewhere) else { return Ok(()) };
        plan::verify::verify_placed(plan, &layout, &elsewhere, sizes)?;
    }
    plan.steps.iter().try_for_each(|step| if let Step::Rounds(r) = step { placed(&r.body, sizes) } else { Ok(()) })
}

/// About how many points the loops of all nodes have.
fn points(graph: &Graph, sizes: &Sizes) -> i64 {
    // What values decide is small.
    let size = |s: &Size| s.eval(&|n| Some(sizes.get(n).copied().unwrap_or(8))).unwrap_or(1).max(1);
    graph.ids().fold(0i64, |sum, id| {
        let node = graph.node(id);
        let own = node.shape.iter().chain(&node.inner).fold(1i64, |n, a| n.saturating_mul(size(&a.size)));
        let more = match &node.op {
            Op::Loop(body) => size(&body.trips).saturating_mul(points(&body.graph, sizes)),
            _one => own,
        };
        sum.saturating_add(more)
    })
}

/// Indices are outside of their axes: everybody says so of the first, in the same words. A pass may drop what would have read it, and then
/// it is another one.
fn outside(
    said: &[String],
    passes: &[(&str, Graph)],
    (all, bindings): (&Graph, &Bindings),
    engine: &mut Engine,
    device: Option<&mut Engine>,
) -> Result<usize, Failure> {
    for (name, after) in passes {
        same_words(name, said, outputs(after, bindings).err())?;
    }
    let left = outputs(all, bindings).err();
    same_words("optimize", said, left.clone())?;
    let engines: Vec<(&str, &mut Engine)> = [("cpu", engine)].into_iter().chain(device.map(|d| ("gpu", d))).collect();
    let runs = engines.len();
    for (name, engine) in engines {
        let got = engine.run(bindings).map(|_| ()).map_err(|d| d.message).err();
        if got != left {
            return Err(Failure::new(format!("{name} outside"), format!("{got:?}, not {left:?}, with {:?}", bindings.sizes)));
        }
    }
    Ok(runs)
}

fn same_words(name: &str, said: &[String], got: Option<String>) -> Result<(), Failure> {
    match got {
        Some(got) if !said.contains(&got) => Err(Failure::new(format!("{name} outside"), format!("`{got}`, not of {said:?}"))),
        None | Some(_) => Ok(()),
    }
}

/// Runs twice on a device; every shader is valid without any feature that a device need not have.
pub(super) fn on_device(engine: &mut Engine, meant: &Meant, pins: Pins) -> Result<bool, Failure> {
    let first = engine.run(meant.bindings).map_err(|d| d.message);
    for shader in engine.program().map_or(&[][..], |(p, _)| &p.shaders) {
        gpu::check::validate(&shader.code).map_err(|why| Failure::new("naga", format!("{why}\n{}", shader.code)))?;
    }
    let tie = meant.compare_planned("gpu", &first, SHADERS, pins)?;
    if !same_bits(&first, &engine.run(meant.bindings).map_err(|d| d.message)) {
        return Err(Failure::new("gpu twice", "two runs differ"));
    }
    Ok(tie)
}

/// Text to tree to text, and the layout.
fn written(text: &str) -> Result<(), Failure> {
    let parse = |text: &str, what: &str| {
        let mut sink = Sink::default();
        let mut tree = syntax::parse(crate::source::FileId::default(), text, &mut sink);
        match sink.list().first() {
            Some(d) => Err(Failure::new(format!("parse {what} {}", d.code), format!("{}\n{text}", d.message))),
            None => {
                syntax::strip(&mut tree);
                Ok(tree)
            }
        }
    };
    let tree = parse(text, "text")?;
    let printed = syntax::print(&tree);
    if parse(&printed, "printed")? != tree {
        return Err(Failure::new("print", format!("another tree:\n{printed}")));
    }
    let laid = syntax::format(text).map_err(|_| Failure::new("format", "refused"))?;
    if parse(&laid, "formatted")? != tree {
        return Err(Failure::new("format tree", format!("another tree:\n{laid}")));
    }
    let twice = syntax::format(&laid).map_err(|_| Failure::new("format", "refused"))?;
    if twice != laid {
        return Err(Failure::new("format twice", format!("{laid}\n--- then\n{twice}")));
    }
    Ok(())
}

/// The model of a text; any diagnostic is a failure.
pub fn model(text: &str) -> Result<Model, Failure> {
    let mut sources = Sources::default();
    let root = sources.add("random.hnet", None, text);
    let checked = pipeline::check_with(&mut sources, &NoFiles, root, &[]);
    // A net that nobody uses is no mistake.
    if let Some(d) = checked.diagnostics.iter().find(|d| d.is_fatal()) {
        let place = d.primary.as_ref().map_or(String::new(), |l| {
            let span = l.span;
            text.get(span.start as usize..span.end as usize).unwrap_or("").to_string()
        });
        let plain: String = d.message.split('`').step_by(2).collect();
        let plain: String = plain.chars().filter(|c| !c.is_ascii_digit()).take(50).collect();
        return Err(Failure::new(format!("rejected {} {plain}", d.code), format!("{} at `{place}`", d.message)));
    }
    checked.models.into_iter().next().ok_or_else(|| Failure::new("no model", ""))
}

/// What the interpreter says.
pub fn outputs(graph: &Graph, bindings: &Bindings) -> Result<Vec<Tensor>, String> {
    outcome(graph, bindings).map_err(|d| d.message)
}

fn outcome(graph: &Graph, bindings: &Bindings) -> Result<Vec<Tensor>, Diagnostic> {
    let wanted: Vec<NodeId> = graph.outputs.iter().map(|o| o.node).collect();
    evaluate(graph, bindings, &wanted)
}

fn same_bits(a: &Result<Vec<Tensor>, String>, b: &Result<Vec<Tensor>, String>) -> bool {
    let (Ok(a), Ok(b)) = (a, b) else { return a == b };
    let bits = |t: &Tensor| match &t.data {
        Data::F32(v) => v.iter().map(|x| x.to_bits()).collect::<Vec<_>>(),
        Data::F64(v) => v.iter().map(|x| (*x as f32).to_bits()).collect(),
        Data::I32(v) => v.iter().map(|x| *x as u32).collect(),
        Data::Bool(v) => v.iter().map(|x| u32::from(*x)).collect(),
    };
    a.len() == b.len() && a.iter().zip(b).all(|(x, y)| bits(x) == bits(y))
}
