//! Running a model: which outputs can be computed from what is there, on which backend, and what they are.
//!
//! In: a [`Model`], parameters, what the user gave. Out: named tensors, and for each output that was left out the reason.

use super::profile::Profile;
use super::{Engine, half};
use crate::bind::{init, inputs::Given, known};
use crate::check::model::Model;
use crate::diag::{Code, Diagnostic, Label, Severity};
#[cfg(feature = "gpu")]
use crate::gpu;
use crate::ir::{Bindings, DType, Graph, NodeId, Op, Origin, OutputKind, Tensor, interp};
use crate::plan::Terms;
use std::collections::{BTreeMap, BTreeSet};

/// What computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// A graphics device that is more than a processor in disguise, else the CPU's compiled code.
    #[default]
    Auto,
    /// The reference interpreter, in f64.
    Interp,
    /// Code compiled for this machine.
    #[cfg(feature = "cpu")]
    Cpu,
    /// Shaders on a graphics device.
    #[cfg(feature = "gpu")]
    Gpu,
}

/// How to run.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub backend: Backend,
    /// 0: as many as the machine has.
    pub threads: usize,
    /// Parameters are kept as f16 on a graphics device.
    pub half: bool,
    /// For which machine plans are made, and which ways they take whatever these cost.
    pub terms: Terms,
}

/// An output that is not computed, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct LeftOut {
    pub name: String,
    /// Inputs that it needs and nobody gave.
    pub inputs: Vec<String>,
    /// Dims that it needs and nothing decides.
    pub dims: Vec<String>,
}

impl LeftOut {
    /// Inputs, then dims.
    pub fn needs(&self) -> Vec<String> {
        [self.inputs.as_slice(), &self.dims].concat()
    }
}

/// Sorts outputs and losses into those that can be computed (their numbers in the graph) and those that cannot.
pub fn computable(model: &Model, given: &Given) -> (Vec<usize>, Vec<LeftOut>) {
    let graph = &model.graph;
    // What the graph reads and the model does not declare: a derivative, which no backend computes yet.
    let declared: BTreeSet<&str> = model.inputs.iter().map(|i| i.name.as_str()).collect();
    let unknown = |path: &str, origin: &Origin| *origin == Origin::Input && !declared.contains(path);
    let mut can = Vec::new();
    let mut cannot = Vec::new();
    for (k, output) in graph.outputs.iter().enumerate().filter(|(_, o)| o.kind != OutputKind::Update) {
        let reached = graph.reachable([output.node]);
        let (mut inputs, mut dims) = (BTreeSet::new(), BTreeSet::new());
        for id in graph.ids().filter(|id| reached[id.index()]) {
            if let Op::Source { path, origin } = &graph.node(id).op
                && (given.absent.iter().any(|a| **a == **path) || unknown(path, origin))
            {
                inputs.insert(path.to_string());
            }
            let open = |s: &crate::ir::Sym| !given.sizes.contains_key(s) && !graph.measured.iter().any(|(m, _)| m == s);
            dims.extend(graph.symbols_of(id).iter().filter(|s| open(s)).map(ToString::to_string));
        }
        if inputs.is_empty() && dims.is_empty() {
            can.push(k);
        } else {
            cannot.push(LeftOut {
                name: output.name.to_string(),
                inputs: inputs.into_iter().collect(),
                dims: dims.into_iter().collect(),
            });
        }
    }
    (can, cannot)
}

/// The message when nothing can be computed.
pub fn nothing_to_run(model: &Model, left: &[LeftOut]) -> Diagnostic {
    let wanted: BTreeSet<&str> = left.iter().flat_map(|l| l.inputs.iter().map(String::as_str)).collect();
    if wanted.is_empty() && left.iter().all(|l| l.dims.is_empty()) {
        return Diagnostic::plain(Code::H0601, format!("`{}` has no outputs to compute", model.name));
    }
    if wanted.is_empty() {
        let dims: BTreeSet<&str> = left.iter().flat_map(|l| l.dims.iter().map(String::as_str)).collect();
        let ask: Vec<String> = dims.iter().map(|d| format!("--dim {d}=4")).collect();
        return Diagnostic::plain(
            Code::H0603,
            format!("nothing says how long {} is", dims.into_iter().collect::<Vec<_>>().join(", ")),
        )
        .help(format!("say it: {}", ask.join(" ")));
    }
    let message = match wanted.len() {
        1 => format!("`{}` needs an input that was not given", model.name),
        n => format!("`{}` needs {n} inputs that were not given", model.name),
    };
    let mut d = Diagnostic::plain(Code::H0601, message);
    for input in model.inputs.iter().filter(|i| wanted.contains(i.name.as_str())) {
        let word = if input.condition { "condition" } else { "input" };
        if d.primary.is_none() {
            d.primary = Some(Label { span: input.span, text: "this one".into() });
        } else {
            d = d.label(input.span, "and this one");
        }
        d = d.note(format!("{word} {}: {}", input.name, known::declared(input)));
    }
    d.help("give a file with `--inputs F`, a condition with `--condition name=value`, or draw all of them with `--random-inputs`")
}

/// A model made ready on a backend, for some of its outputs.
pub struct Session {
    engine: Engine,
    names: Vec<String>,
    pub warnings: Vec<Diagnostic>,
    /// Nobody asked for the device: what it cannot do the CPU does.
    spare: Option<Spare>,
    /// Parameters that a device keeps as f16, until it has been said what they lose.
    half: Vec<String>,
}

struct Spare {
    graph: Graph,
    roots: Vec<NodeId>,
    threads: usize,
    terms: Terms,
}

/// Compiled code; where the compiler has a limit, the interpreter and a warning.
#[cfg(feature = "cpu")]
fn processor(graph: &Graph, roots: &[NodeId], threads: usize, warnings: &mut Vec<Diagnostic>) -> Result<Engine, Diagnostic> {
    match Engine::cpu(graph, roots, threads) {
        Err(limit) if limit.severity == Severity::Limit => {
            let warning = Diagnostic { severity: Severity::Warning, ..limit };
            warnings.push(warning.note("the interpreter runs it instead, more slowly"));
            Ok(Engine::interpreter(graph, roots))
        }
        done => done,
    }
}

/// Without a compiler, the interpreter.
#[cfg(not(feature = "cpu"))]
fn processor(graph: &Graph, roots: &[NodeId], _: usize, _: &mut Vec<Diagnostic>) -> Result<Engine, Diagnostic> {
    Ok(Engine::interpreter(graph, roots))
}

#[cfg(feature = "gpu")]
fn on_device(device: &std::sync::Arc<gpu::Device>, graph: &Graph, roots: &[NodeId], options: &Options) -> Engine {
    Engine::gpu(device, graph, roots, gpu::Options { half: options.half, ..gpu::Options::default() })
}

/// A device that is more than a processor in disguise, if there is one.
#[cfg(feature = "gpu")]
fn hardware(graph: &Graph, roots: &[NodeId], options: &Options) -> Option<Engine> {
    gpu::Device::hardware().map(|device| on_device(&device, graph, roots, options))
}

#[cfg(not(feature = "gpu"))]
fn hardware(_: &Graph, _: &[NodeId], _: &Options) -> Option<Engine> {
    None
}

/// An engine for some nodes, without a spare: what cannot be done is an error, but for what the compiler cannot, which the interpreter does.
pub(crate) fn engine(
    graph: &Graph,
    roots: &[NodeId],
    options: &Options,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Engine, Diagnostic> {
    let engine = match options.backend {
        Backend::Interp => Engine::interpreter(graph, roots),
        #[cfg(feature = "cpu")]
        Backend::Cpu => processor(graph, roots, options.threads, warnings)?,
        #[cfg(feature = "gpu")]
        Backend::Gpu => on_device(&gpu::Device::shared()?, graph, roots, options),
        Backend::Auto => match hardware(graph, roots, options) {
            Some(engine) => engine,
            None => processor(graph, roots, options.threads, warnings)?,
        },
    };
    Ok(engine.on(options.terms.clone()))
}

impl Session {
    /// Prepares the outputs with these numbers.
    pub fn new(model: &Model, outputs: &[usize], options: &Options) -> Result<Session, Diagnostic> {
        let roots: Vec<NodeId> = outputs.iter().map(|k| model.graph.outputs[*k].node).collect();
        let names = outputs.iter().map(|k| model.graph.outputs[*k].name.to_string()).collect();
        let (mut warnings, mut spare) = (Vec::new(), None);
        let graph = &model.graph;
        let engine = match options.backend {
            Backend::Interp => Engine::interpreter(graph, &roots),
            #[cfg(feature = "cpu")]
            Backend::Cpu => Engine::cpu(graph, &roots, options.threads)?,
            #[cfg(feature = "gpu")]
            Backend::Gpu => on_device(&gpu::Device::shared()?, graph, &roots, options),
            Backend::Auto => match hardware(graph, &roots, options) {
                Some(engine) => {
                    spare = Some(Spare {
                        graph: graph.clone(),
                        roots: roots.clone(),
                        threads: options.threads,
                        terms: options.terms.clone(),
                    });
                    engine
                }
                None => processor(graph, &roots, options.threads, &mut warnings)?,
            },
        };
        let on_device = options.half && engine.name() == "gpu";
        let half = model.params.iter().filter(|p| on_device && p.dtype == DType::F32).map(|p| p.path.clone()).collect();
        Ok(Session { engine: engine.on(options.terms.clone()), names, warnings, spare, half })
    }

    /// The names of the outputs, in the order in which [`Session::run`] gives them.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// `gpu`, `cpu` or `interp`.
    pub fn backend(&self) -> &'static str {
        self.engine.name()
    }

    /// Runs. Where nobody asked for the device and it fails, the CPU runs instead, and [`Session::warnings`] say so.
    pub fn run(&mut self, bindings: &Bindings) -> Result<Vec<Tensor>, Diagnostic> {
        // Said once: parameters stay what they are.
        self.warnings.extend(half::lost(&std::mem::take(&mut self.half), bindings));
        match (self.engine.run(bindings), self.spare.take()) {
            (Err(limit), Some(spare)) if limit.code.stage() == "09" => {
                self.step_in(spare, limit)?;
                self.engine.run(bindings)
            }
            (done, spare) => {
                self.spare = spare;
                done
            }
        }
    }

    /// The CPU runs it from now on, for what the device cannot.
    fn step_in(&mut self, spare: Spare, limit: Diagnostic) -> Result<(), Diagnostic> {
        let keeps = self.engine.keeps();
        self.engine = processor(&spare.graph, &spare.roots, spare.threads, &mut self.warnings)?.on(spare.terms);
        self.engine.keep(keeps);
        let warning = Diagnostic { severity: Severity::Warning, help: None, ..limit };
        self.warnings.push(warning.note("the CPU runs it instead"));
        Ok(())
    }

    /// Takes what stays: parameters, conditions, sizes.
    pub fn prepare(&mut self, early: &Bindings) -> Result<(), Diagnostic> {
        self.warnings.extend(half::lost(&std::mem::take(&mut self.half), early));
        self.engine.prepare(early)
    }

    /// Runs on inputs after [`Session::prepare`]; as in [`Session::run`] the CPU steps in for a device that nobody asked for.
    pub fn run_prepared(&mut self, early: &Bindings, late: &Bindings) -> Result<(), Diagnostic> {
        match (self.engine.run_prepared(late).map(|_| ()), self.spare.take()) {
            (Err(limit), Some(spare)) if limit.code.stage() == "09" => {
                self.step_in(spare, limit)?;
                self.engine.prepare(early)?;
                self.engine.run_prepared(late).map(|_| ())
            }
            (done, spare) => {
                self.spare = spare;
                done
            }
        }
    }

    /// Keeps what was prepared for conditions of before in at most so many bytes, as [`Engine::keep`] does.
    pub fn keep(&mut self, bytes: usize) {
        self.engine.keep(bytes);
    }

    /// Measures a run. Errors: as [`Engine::profile`].
    pub fn profile(&mut self, bindings: &Bindings) -> Result<Profile, Diagnostic> {
        self.engine.profile(bindings)
    }
}

/// Parameters, inputs, the seed and the sizes as a graph wants them.
pub fn bindings(params: BTreeMap<String, Tensor>, given: Given, seed: i32) -> Bindings {
    let mut out = Bindings { sources: params, sizes: BTreeMap::new() };
    out.sources.entry("seed".to_string()).or_insert_with(|| init::scalar(seed));
    rebind(&mut out, given);
    out
}

/// Puts new inputs in the place of the last ones; parameters stay.
pub fn rebind(bindings: &mut Bindings, given: Given) {
    bindings.sources.extend(given.tensors);
    bindings.sizes = given.sizes;
}

/// Evaluates single nodes in the interpreter.
pub fn evaluate(model: &Model, bindings: &Bindings, nodes: &[NodeId]) -> Result<Vec<Tensor>, Diagnostic> {
    interp::evaluate(&model.graph, bindings, nodes)
}
