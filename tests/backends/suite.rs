//! One list of cases, run on every backend.
//!
//! In: a graph (of a source text, of a model, or put together by hand), what it is run on, and what must come out: values that were worked
//! out by hand, what the interpreter says, or an error. A [`Case`] runs in all its [ways](Way), twice where code or shaders compute.
//! Promised: each number is compared for itself, relative to itself (or to what was added up to it), NaN with NaN and an infinity with an
//! infinity; no number is small enough to be wrong. What rounding may do is what it does in the interpreter when it is moved (`judge`).

use crate::common;
use crate::common::make::Make;
use hnet::bind::init;
use hnet::bind::inputs::{Request, gather};
use hnet::check::model::Model;
use hnet::diag::Diagnostic;
use hnet::exec::{Engine, session};
use hnet::fuzz::check::model;
use hnet::fuzz::judge::{Exact, F32, F64, Moved, SHADERS, judge_again};
use hnet::gpu::{self, Device};
use hnet::ir::{Bindings, Data, Graph, NodeId, Output, OutputKind, Tensor};
use hnet::plan::{self, Decision, Pins};
use hnet::{cpu, opt};
use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

/// What computes, and which graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The interpreter in f64, on the graph as it was made: the oracle.
    Interpreter,
    /// The interpreter after all passes.
    Passes,
    /// Native code of the graph as it was made, on so many threads.
    Native(usize),
    /// Native code after all passes.
    Optimized(usize),
    /// Shaders of the graph as it was made.
    Device,
    /// Shaders after all passes.
    OptimizedDevice,
}

use Way::*;

impl Way {
    pub fn is_device(self) -> bool {
        matches!(self, Device | OptimizedDevice)
    }

    fn optimizes(self) -> bool {
        matches!(self, Passes | Optimized(_) | OptimizedDevice)
    }

    /// How far a value may be from the oracle's.
    pub fn exact(self) -> Exact {
        match self {
            Interpreter | Passes => F64,
            Native(_) | Optimized(_) => F32,
            Device | OptimizedDevice => SHADERS,
        }
    }
}

/// A number that must come out, and what its error is measured by.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    pub value: f64,
    /// Its own magnitude, or that of all that was added up to it.
    pub scale: f64,
}

impl From<f64> for Target {
    fn from(value: f64) -> Target {
        Target { value, scale: value.abs() }
    }
}

/// Adds up, and remembers how much.
pub fn sum(terms: impl IntoIterator<Item = f64>) -> Target {
    terms.into_iter().fold(Target { value: 0.0, scale: 0.0 }, |s, x| Target { value: s.value + x, scale: s.scale + x.abs() })
}

pub fn targets<T: Copy + Into<f64>>(values: &[T]) -> Vec<Target> {
    values.iter().map(|v| Target::from((*v).into())).collect()
}

pub fn floats(values: &[f32]) -> Tensor {
    Tensor::new(vec![values.len()], Data::F32(values.to_vec()))
}

pub fn numbers(values: &[f64]) -> Tensor {
    Tensor::new(vec![values.len()], Data::F64(values.to_vec()))
}

pub fn wholes(values: &[i32]) -> Tensor {
    Tensor::new(vec![values.len()], Data::I32(values.to_vec()))
}

/// What is run, and on what.
pub struct Case {
    what: String,
    /// The source text, where there is one.
    text: String,
    /// Its outputs are what is looked at.
    graph: Graph,
    optimized: OnceCell<Graph>,
    bindings: Bindings,
    ways: Vec<Way>,
    device: Option<Arc<Device>>,
    /// What the planner takes whatever it costs.
    pins: Pins,
    oracle: OnceCell<Result<Vec<Tensor>, Diagnostic>>,
    /// What rounding may make of it.
    moved: Rc<Moved>,
}

/// Results of a graph that was put together by hand, in its order.
pub fn in_order(wants: Vec<Vec<Target>>) -> Vec<(String, Vec<Target>)> {
    wants.into_iter().enumerate().map(|(k, w)| (k.to_string(), w)).collect()
}

fn nodes(graph: &Graph) -> Vec<NodeId> {
    graph.outputs.iter().map(|o| o.node).collect()
}

impl Case {
    fn bare(what: String, text: &str, graph: Graph, bindings: Bindings, ways: &[Way]) -> Case {
        let (optimized, oracle, moved) = (OnceCell::new(), OnceCell::new(), Rc::default());
        let (text, ways) = (text.into(), ways.to_vec());
        Case { what, text, graph, optimized, bindings, ways, device: None, pins: Pins::None, oracle, moved }
    }

    /// Nodes of a graph that was put together by hand.
    pub fn made(what: &str, m: &Make, wanted: &[NodeId]) -> Case {
        let name = |(k, node): (usize, &NodeId)| Output { name: k.to_string().into(), kind: OutputKind::Output, node: *node };
        let mut graph = m.graph.clone();
        graph.outputs = wanted.iter().enumerate().map(name).collect();
        let what = format!("{what}, size {}", m.free);
        Case::bare(what, "", graph, m.bindings.clone(), &[Interpreter, Native(1), Optimized(2), Device])
    }

    /// A whole graph.
    pub fn graph(what: &str, graph: &Graph, bindings: &Bindings) -> Case {
        Case::bare(
            what.into(),
            &graph.to_string(),
            graph.clone(),
            bindings.clone(),
            &[Interpreter, Native(1), Optimized(2), Device],
        )
    }

    /// All outputs of a text's first model, its dims so long. Inputs that are not given are drawn; of the others only
    /// the elements count, as the type that is declared.
    pub fn new(text: &str, dims: &[(&str, i64)], inputs: &[(&str, Tensor)]) -> Case {
        let model = model(text).unwrap_or_else(|f| panic!("{}\n{text}", f.detail));
        let dims = dims.iter().map(|(n, v)| (n.to_string(), *v)).collect();
        let mut given = gather(&model, &Request { random: true, dims, ..Request::default() }).unwrap();
        for (name, tensor) in inputs {
            let old = given.tensors.get_mut(*name).unwrap_or_else(|| panic!("no input `{name}`"));
            *old = Tensor::new(old.shape.clone(), init::cast(tensor, old.dtype()).data);
        }
        let params = init::initialise_all(&model, &given.sizes, 0).unwrap();
        let (can, left) = session::computable(&model, &given);
        assert!(left.is_empty(), "{left:?}");
        let bindings = session::bindings(params, given, 0);
        let case = Case::of(&model.name, &model, &can, bindings);
        Case { text: text.into(), ..case }
    }

    /// Some outputs of a model.
    pub fn of(what: &str, model: &Model, outputs: &[usize], bindings: Bindings) -> Case {
        let mut graph = model.graph.clone();
        graph.outputs = outputs.iter().map(|k| model.graph.outputs[*k].clone()).collect();
        Case::bare(what.into(), "", graph, bindings, &[Interpreter, Optimized(1), OptimizedDevice])
    }

    /// In these ways only.
    pub fn on(mut self, ways: &[Way]) -> Case {
        self.ways = ways.to_vec();
        self
    }

    /// With this graph where passes have run.
    pub fn becomes(self, graph: Graph) -> Case {
        Case { optimized: OnceCell::from(graph), moved: Rc::default(), ..self }
    }

    /// With some decisions of the planner taken already. What has to come out stays, and is computed once.
    pub fn pinned(&self, pins: Pins) -> Case {
        let _ = self.oracle();
        let case =
            Case::bare(format!("{}, {pins:?}", self.what), &self.text, self.graph.clone(), self.bindings.clone(), &self.ways);
        let (device, optimized, oracle) = (self.device.clone(), self.optimized.clone(), self.oracle.clone());
        Case { device, optimized, oracle, moved: self.moved.clone(), pins, ..case }
    }

    /// What the planner decides, and what a device decides besides; none where sizes are measured in the run.
    pub fn decisions(&self) -> Vec<Decision> {
        let (graph, sizes) = (self.optimized(), &self.bindings.sizes);
        let reach = gpu::Reach::default();
        let Ok(plan) = plan::plan(graph, &nodes(graph), sizes) else { return vec![] };
        let others = cpu::decided(&plan, sizes).0.into_iter().skip(plan.decisions.len());
        gpu::decided(&plan, sizes, reach).0.into_iter().chain(others).collect()
    }

    /// On a device of its own, which compiles on a thread of its own.
    pub fn with(mut self, device: &Arc<Device>) -> Case {
        self.device = Some(device.clone());
        self
    }

    /// These outputs only.
    pub fn only(&self, names: &[&str]) -> Case {
        let mut graph = self.graph.clone();
        graph.outputs.retain(|o| names.contains(&&*o.name));
        assert_eq!(graph.outputs.len(), names.len(), "outputs {names:?}");
        Case {
            device: self.device.clone(),
            ..Case::bare(self.what.clone(), &self.text, graph, self.bindings.clone(), &self.ways)
        }
    }

    pub fn source(&self) -> &Graph {
        &self.graph
    }

    pub fn bindings(&self) -> &Bindings {
        &self.bindings
    }

    fn optimized(&self) -> &Graph {
        self.optimized.get_or_init(|| opt::optimize(&self.graph, &mut |_, _| {}))
    }

    fn engine(&self, way: Way) -> Option<Engine> {
        let graph = if way.optimizes() { self.optimized() } else { &self.graph };
        let roots = nodes(graph);
        let native = |threads| {
            let options = cpu::Options { threads, ..cpu::Options::default() };
            let engine = Engine::cpu_unoptimized(graph, &roots, &options).unwrap_or_else(|d| self.fail(way, &d.message));
            engine.pinned(self.pins.clone())
        };
        Some(match way {
            Interpreter | Passes => Engine::interpreter(graph, &roots),
            Native(threads) | Optimized(threads) => native(threads),
            Device | OptimizedDevice => {
                let device = self.device.clone().or_else(|| common::device(&self.what))?;
                Engine::gpu_unoptimized(&device, graph, &roots, gpu::Options::default()).pinned(self.pins.clone())
            }
        })
    }

    fn fail(&self, way: Way, why: &str) -> ! {
        panic!("{}, {way:?}: {why}\n{}", self.what, self.text)
    }

    /// What comes out in one way; nothing where there is no device. A second run gives the same bits, or says the same.
    pub fn run(&self, way: Way) -> Option<Result<Vec<Tensor>, Diagnostic>> {
        if way == Interpreter {
            return Some(self.oracle().clone());
        }
        let mut engine = self.engine(way)?;
        let first = engine.run(&self.bindings);
        if way != Passes {
            match (&first, &engine.run(&self.bindings)) {
                (Ok(a), Ok(b)) if a.iter().zip(b).all(|(a, b)| a.same_bits(b)) => {}
                (Err(a), Err(b)) if (a.code, &a.message) == (b.code, &b.message) => {}
                (a, b) => self.fail(way, &format!("the second run differs: {a:?}, then {b:?}")),
            }
        }
        Some(first)
    }

    fn oracle(&self) -> &Result<Vec<Tensor>, Diagnostic> {
        self.oracle.get_or_init(|| self.engine(Interpreter).expect("needs nothing").run(&self.bindings))
    }

    /// The results in every way, for whoever looks at them himself.
    pub fn each(&self, mut look: impl FnMut(Way, &[Tensor])) {
        for way in &self.ways {
            match self.run(*way) {
                Some(Ok(got)) => look(*way, &got),
                Some(Err(d)) => self.fail(*way, &format!("{d:#?}")),
                None => {}
            }
        }
    }

    /// These outputs are these numbers, to `near` of each.
    pub fn all<T: Copy + Into<f64>>(&self, near: f64, wants: &[(&str, &[T])]) {
        let wants: Vec<(String, Vec<Target>)> = wants.iter().map(|(name, v)| (name.to_string(), targets(v))).collect();
        self.meets(near, &wants);
    }

    /// One output alone is these numbers.
    pub fn gives(&self, name: &str, values: &[f64]) {
        self.only(&[name]).all(1e-6, &[(name, values)]);
    }

    /// As [`Case::all`], with errors measured by what is said.
    pub fn meets(&self, near: f64, wants: &[(String, Vec<Target>)]) {
        self.each(|way, got| {
            for (name, wants) in wants {
                let at = self.graph.outputs.iter().position(|o| *o.name == *name.as_str());
                let got = &got[at.unwrap_or_else(|| self.fail(way, &format!("no output `{name}`")))];
                if got.len() != wants.len() {
                    self.fail(way, &format!("`{name}` has {} numbers, not {}", got.len(), wants.len()));
                }
                for (k, want) in wants.iter().enumerate() {
                    let found = got.get(k);
                    if !is_met(way, found, *want, near) {
                        self.fail(
                            way,
                            &format!("`{name}` is {found:?} at {k}, not {:?} (to {near:e} of {:e})", want.value, want.scale),
                        );
                    }
                }
            }
        });
    }

    /// Every number is the oracle's, to `near` of it.
    pub fn within(&self, near: f64) {
        let values = self.oracle().as_ref().unwrap_or_else(|d| self.fail(Interpreter, &format!("{d:#?}")));
        let named = |(o, t): (&Output, &Tensor)| (o.name.to_string(), targets(&t.to_f64()));
        let wants: Vec<(String, Vec<Target>)> = self.graph.outputs.iter().zip(values).map(named).collect();
        self.meets(near, &wants);
    }

    /// What every way gives is as right as its arithmetic can be, as the oracle has it; where the oracle refuses, all refuse alike.
    pub fn agrees(&self) {
        match self.oracle() {
            Err(d) if d.code == "H0801" => self.fail(Interpreter, &format!("too much for the oracle: {}", d.message)),
            Err(d) => self.says(d.code.as_str(), &d.message.clone(), ""),
            Ok(values) => self.each(|way, got| self.compare(&format!("{way:?}"), values, got, way.optimizes(), way.exact())),
        }
    }

    /// As [`Case::agrees`], with values from elsewhere, which are right to f32, in the oracle's place.
    pub fn judged(&self, values: &[Tensor]) {
        let exact = |way: Way| if way.is_device() { SHADERS } else { F32 };
        self.each(|way, got| self.compare(&format!("{way:?}"), values, got, way.optimizes(), exact(way)));
    }

    /// Whether `got`, however it was found, is as right as can be.
    pub fn is_right(&self, who: &str, got: &[Tensor], exact: Exact) {
        let values = self.oracle().as_ref().unwrap_or_else(|d| panic!("{}: {d:#?}", self.what));
        self.compare(who, values, got, true, exact);
    }

    fn compare(&self, who: &str, values: &[Tensor], got: &[Tensor], optimized: bool, exact: Exact) {
        for ((g, w), o) in got.iter().zip(values).zip(&self.graph.outputs) {
            let (found, wanted) = ((&g.shape, g.dtype()), (&w.shape, w.dtype()));
            assert!(found == wanted, "{}, {who}: `{}` is {found:?}, not {wanted:?}\n{}", self.what, o.name, self.text);
        }
        let graphs = [Some(&self.graph), optimized.then(|| self.optimized())];
        let graphs: Vec<&Graph> = graphs.into_iter().flatten().collect();
        let verdict = judge_again(&self.moved, &graphs, &self.bindings, values, got, exact);
        verdict.unwrap_or_else(|wrong| {
            let name = &self.graph.outputs[wrong.output].name;
            panic!("{}, {who}: `{name}`: {wrong}\n{}", self.what, self.text)
        });
    }

    /// What all ways say of these outputs, which is one thing.
    pub fn on_all(&self, names: &[&str]) -> Result<Vec<Tensor>, Diagnostic> {
        let case = self.only(names);
        case.agrees();
        case.oracle().clone()
    }

    /// These outputs are refused.
    pub fn says_of(&self, names: &[&str], code: &str, message: &str, at: &str) {
        self.only(names).says(code, message, at);
    }

    /// Every way says this, of this place of the text (any, where it is empty, but all of the same).
    pub fn says(&self, code: &str, message: &str, at: &str) {
        let mut first = None;
        for way in &self.ways {
            let Some(done) = self.run(*way) else { continue };
            let Err(d) = done else { self.fail(*way, &format!("{done:?}, and an error is wanted: {message}")) };
            let words =
                d.primary.as_ref().map_or("", |l| self.text.get(l.span.start as usize..l.span.end as usize).unwrap_or(""));
            let fine = d.code == code && (message.is_empty() || d.message == message) && (at.is_empty() || words == at);
            let place = d.primary.as_ref().map(|l| l.span);
            if !fine || place != *first.get_or_insert(place) {
                self.fail(*way, &format!("{}: {} at `{words}`, not {code}: {message} at `{at}`", d.code, d.message));
            }
        }
    }
}

/// What f32 cannot hold is infinite, and a driver may take numbers below the normal ones for 0.
fn is_met(way: Way, found: f64, want: Target, near: f64) -> bool {
    let Target { value, scale } = want;
    let beyond = value.abs() > f64::from(f32::MAX) && !matches!(way, Interpreter | Passes);
    let value = if beyond { value * f64::INFINITY } else { value };
    let least = if way.is_device() { f64::from(f32::MIN_POSITIVE) } else { 0.0 };
    let near = value.is_finite() && (found - value).abs() <= (near * scale).max(least);
    // The interpreter has numbers beyond f32's.
    found == value || f64::from(found as f32) == value || (found.is_nan() && value.is_nan()) || near
}
