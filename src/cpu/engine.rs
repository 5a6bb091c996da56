//! Runs a graph on the CPU.
//!
//! [`Engine::prepare`] takes parameters and conditions and computes whatever depends on nothing else; [`Engine::run_prepared`] then
//! takes inputs only, allocates nothing and gives the results in place. [`Engine::run`] does both, and skips what did not change.

use super::call::{Code, Jit, Ptr};
use super::compile::{Functions, compile};
use super::job::{Exec, Instance};
use crate::diag::Diagnostic;
use crate::ir::{DType, Graph, NodeId, Size, Sym};
use crate::plan::{self, Kind, Plan, Sizes};
use crate::run::{Bindings, Data, Tensor};
use rayon::ThreadPool;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// How an engine runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Threads; 1 means exactly one. 0: as many as the machine has.
    pub threads: usize,
    /// Bytes that one plan may hold.
    pub memory: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options { threads: 1, memory: 8 << 30 }
    }
}

/// A plan and its code, shared by all sizes for which the plan reads the same.
struct Program {
    text: String,
    plan: Plan,
    functions: Functions<Code>,
    _jit: Jit,
}

/// A source that an instance reads.
struct Given {
    path: Arc<str>,
    buffer: usize,
    shape: Vec<usize>,
    dtype: DType,
    /// Set by `prepare`, else by each run.
    early: bool,
    /// For values that are converted.
    words: Vec<u32>,
}

/// A program at certain sizes.
struct Placed {
    sizes: Sizes,
    program: Rc<Program>,
    instance: Instance,
    given: Vec<Given>,
    /// Counts up with each `prepare`; what is prepared for an older one is stale.
    prepared: u64,
}

/// A stored source, as words.
struct Stored {
    shape: Vec<usize>,
    dtype: DType,
    words: Vec<u32>,
}

/// Runs a graph.
pub struct Engine {
    graph: Graph,
    wanted: Vec<NodeId>,
    options: Options,
    pool: Option<ThreadPool>,
    programs: Vec<Rc<Program>>,
    placed: Vec<Placed>,
    current: usize,
    stored: BTreeMap<String, Stored>,
    /// Sizes given to `prepare`.
    sizes: Sizes,
    generation: u64,
    measures: Vec<(Sym, Engine)>,
}

/// How many size bindings are kept ready.
const KEPT: usize = 16;

fn same(data: &Data, words: &[u32]) -> bool {
    match data {
        Data::F32(v) => v.len() == words.len() && v.iter().zip(words).all(|(x, w)| x.to_bits() == *w),
        Data::I32(v) => v.len() == words.len() && v.iter().zip(words).all(|(x, w)| *x as u32 == *w),
        Data::F64(_) | Data::Bool(_) => data.words() == words,
    }
}

/// Runs the graphs that decide sizes, each with the sizes before it.
pub(crate) fn measure(measures: &mut [(Sym, Engine)], bindings: &Bindings, sizes: &mut Sizes) -> Result<(), Diagnostic> {
    for (sym, engine) in measures {
        let known = Bindings { sources: bindings.sources.clone(), sizes: sizes.clone() };
        let n = engine.run(&known)?[0].get(0);
        sizes.insert(sym.clone(), (libm::rint(n) as i64).max(0));
    }
    Ok(())
}

impl Engine {
    /// Makes an engine for `wanted`. Compiles when the sizes are known. Errors: threads cannot be started.
    pub fn new(graph: &Graph, wanted: &[NodeId], options: &Options) -> Result<Engine, Diagnostic> {
        let mut options = options.clone();
        if options.threads == 0 {
            options.threads = std::thread::available_parallelism().map_or(1, usize::from);
        }
        let pool = if options.threads > 1 {
            let made = rayon::ThreadPoolBuilder::new().num_threads(options.threads).build();
            Some(made.map_err(|e| Diagnostic::plain("H0818", format!("{} threads cannot be started: {e}", options.threads)))?)
        } else {
            None
        };
        let mut reach = graph.reachable(wanted.iter().copied());
        let mut measures = Vec::new();
        let one = Options { threads: 1, ..options.clone() };
        for (sym, node) in graph.measured.iter().filter(|(_, n)| reach[n.index()]) {
            if !wanted.contains(node) {
                measures.push((sym.clone(), Engine::new(graph, &[*node], &one)?));
            }
        }
        reach.clear();
        Ok(Engine {
            graph: graph.clone(),
            wanted: wanted.to_vec(),
            options,
            pool,
            programs: Vec::new(),
            placed: Vec::new(),
            current: 0,
            stored: BTreeMap::new(),
            sizes: Sizes::new(),
            generation: 0,
            measures,
        })
    }

    /// Takes parameters, conditions and sizes, and computes what depends on nothing else once all sizes are known.
    pub fn prepare(&mut self, bindings: &Bindings) -> Result<(), Diagnostic> {
        self.stored.clear();
        for (path, t) in &bindings.sources {
            self.stored.insert(path.clone(), Stored { shape: t.shape.clone(), dtype: t.dtype(), words: t.data.words() });
        }
        self.sizes = bindings.sizes.clone();
        self.generation += 1;
        measure(&mut self.measures, bindings, &mut self.sizes)?;
        if let Ok(sizes) = self.all_sizes(&Bindings::default()) {
            self.settle(sizes)?;
        }
        Ok(())
    }

    /// Runs on inputs after `prepare`; a source that is missing here is taken from there. The results stay valid until the next run.
    pub fn run_prepared(&mut self, inputs: &Bindings) -> Result<&[Tensor], Diagnostic> {
        if !self.fits(inputs) {
            let sizes = self.all_sizes(inputs)?;
            self.settle(sizes)?;
        }
        let placed = &mut self.placed[self.current];
        for g in placed.given.iter_mut().filter(|g| !g.early) {
            g.bind(&mut placed.instance, inputs, &self.stored)?;
        }
        placed.instance.run(Exec { pool: self.pool.as_ref(), threads: self.options.threads });
        placed.instance.finish();
        Ok(&placed.instance.outputs)
    }

    /// Runs on everything. What depends on parameters and conditions is computed again only when one of them differs.
    pub fn run(&mut self, bindings: &Bindings) -> Result<Vec<Tensor>, Diagnostic> {
        let still = self.generation > 0
            && self
                .stored
                .iter()
                .all(|(p, s)| bindings.sources.get(p).is_some_and(|t| t.shape == s.shape && same(&t.data, &s.words)))
            && self.graph.early_paths().iter().all(|p| self.stored.contains_key(&**p) == bindings.sources.contains_key(&**p))
            && self.sizes == bindings.sizes;
        if !still {
            let early = self.graph.early_paths();
            let sources = bindings.sources.iter().filter(|(p, _)| early.iter().any(|e| **e == **p));
            let part =
                Bindings { sources: sources.map(|(p, t)| (p.clone(), t.clone())).collect(), sizes: bindings.sizes.clone() };
            self.prepare(&part)?;
        }
        Ok(self.run_prepared(bindings)?.to_vec())
    }

    /// The plan for these sizes.
    pub fn plan(&self, sizes: &Sizes) -> Result<Plan, Diagnostic> {
        plan::plan(&self.graph, &self.wanted, sizes)
    }

    /// All sizes: those given, and those that a source's shape tells.
    fn all_sizes(&self, inputs: &Bindings) -> Result<Sizes, Diagnostic> {
        let mut sizes = self.sizes.clone();
        sizes.extend(inputs.sizes.iter().map(|(s, n)| (s.clone(), *n)));
        let shape = |path: &str| {
            let given = inputs.sources.get(path).map(|t| t.shape.clone());
            given.or_else(|| self.stored.get(path).map(|s| s.shape.clone()))
        };
        plan::complete(&self.graph, &self.wanted, sizes, &shape)
    }

    /// Whether the current placement takes these inputs as they are.
    fn fits(&self, inputs: &Bindings) -> bool {
        let Some(p) = self.placed.get(self.current).filter(|p| p.prepared == self.generation && self.generation > 0) else {
            return false;
        };
        inputs.sizes.iter().all(|(s, n)| p.sizes.get(s) == Some(n))
            && p.given.iter().filter(|g| !g.early).all(|g| inputs.sources.get(&*g.path).is_none_or(|t| t.shape == g.shape))
    }

    /// Makes the placement for these sizes the current one, with everything prepared.
    fn settle(&mut self, sizes: Sizes) -> Result<(), Diagnostic> {
        let found = self.placed.iter().position(|p| p.sizes == sizes);
        self.current = match found {
            Some(k) => k,
            None => {
                let placed = self.place(sizes)?;
                if self.placed.len() >= KEPT {
                    self.placed.remove(0);
                }
                self.placed.push(placed);
                self.placed.len() - 1
            }
        };
        let placed = &mut self.placed[self.current];
        if placed.prepared != self.generation || self.generation == 0 {
            for g in placed.given.iter_mut().filter(|g| g.early) {
                g.bind(&mut placed.instance, &Bindings::default(), &self.stored)?;
            }
            placed.instance.prepare(Exec { pool: self.pool.as_ref(), threads: self.options.threads });
            placed.prepared = self.generation;
        }
        Ok(())
    }

    fn place(&mut self, sizes: Sizes) -> Result<Placed, Diagnostic> {
        let plan = plan::plan(&self.graph, &self.wanted, &sizes)?;
        let text = plan.to_string();
        let known = self.programs.iter().find(|p| p.text == text).cloned();
        // What does not fit is refused before anything is compiled.
        let program = match known {
            Some(program) => program,
            None => {
                let (jit, functions) = compile(&plan, &sizes)?;
                let program = Rc::new(Program { text, plan, functions, _jit: jit });
                self.programs.push(program.clone());
                program
            }
        };
        let instance = Instance::new(&program.plan, &program.functions, &sizes, self.options.memory, self.options.threads)?;
        let size = |s: &Size| s.eval(&|n| sizes.get(n).copied()).unwrap_or(0) as usize;
        let mut given = Vec::new();
        for (n, b) in program.plan.buffers.iter().enumerate() {
            if let Kind::Source(path) = &b.kind {
                let early = b.rate < crate::ir::Rate::Input;
                let shape = b.shape.iter().map(size).collect();
                given.push(Given { path: path.clone(), buffer: n, shape, dtype: b.dtype, early, words: Vec::new() });
            }
        }
        Ok(Placed { sizes, program, instance, given, prepared: 0 })
    }

    /// Counts the time of every step from now on, for the present sizes.
    pub fn count_time(&mut self) {
        if let Some(p) = self.placed.get_mut(self.current) {
            p.instance.spent = (0..p.program.plan.steps.len()).map(|_| Default::default()).collect();
        }
    }

    /// Seconds spent in each step since [`Engine::count_time`], by the name of what it makes.
    pub fn times(&self) -> Vec<(String, f64)> {
        let Some(p) = self.placed.get(self.current) else { return Vec::new() };
        let plan = &p.program.plan;
        let kind = |s: &plan::Step| match s {
            plan::Step::Kernel(_) => "kernel",
            plan::Step::Product(_) => "product",
            plan::Step::Grouped(_) => "grouped",
            plan::Step::Order { .. } => "order",
            plan::Step::Scan { .. } => "scan",
            plan::Step::Assign { .. } => "assign",
            plan::Step::Scatter { .. } => "scatter",
            plan::Step::Random { .. } => "random",
            plan::Step::Rounds(_) => "loop",
        };
        let name = |s: &plan::Step| s.writes().first().map_or("", |b| plan.buffers[*b].name.as_str()).to_string();
        let of = |(s, t): (&plan::Step, &std::sync::atomic::AtomicU64)| {
            (format!("{} {}", kind(s), name(s)), t.load(std::sync::atomic::Ordering::Relaxed) as f64 * 1e-9)
        };
        plan.steps.iter().zip(&p.instance.spent).map(of).collect()
    }

    /// The text of the plan that ran last.
    pub fn plan_text(&self) -> Option<&str> {
        self.placed.get(self.current).map(|p| p.program.text.as_str())
    }
}

impl Given {
    /// Points the buffer at the source's elements, converted where they are stored otherwise.
    fn bind(&mut self, instance: &mut Instance, inputs: &Bindings, stored: &BTreeMap<String, Stored>) -> Result<(), Diagnostic> {
        let ptr = match inputs.sources.get(&*self.path) {
            Some(t) => {
                self.check(&t.shape, t.dtype())?;
                match &t.data {
                    Data::F32(v) => Ptr::of_f32(v),
                    Data::I32(v) => Ptr::of_i32(v),
                    Data::F64(_) | Data::Bool(_) => {
                        self.words = t.data.words();
                        Ptr::of_words(&mut self.words)
                    }
                }
            }
            None => {
                let Some(s) = stored.get(&*self.path) else {
                    return Err(Diagnostic::plain("H0601", format!("no value is given for `{}`", self.path)));
                };
                self.check(&s.shape, s.dtype)?;
                Ptr::of_stored(&s.words)
            }
        };
        // An empty tensor has no address; nobody reads it.
        instance.ptrs[self.buffer] = if self.shape.contains(&0) { instance.spare() } else { ptr };
        Ok(())
    }

    fn check(&self, shape: &[usize], dtype: DType) -> Result<(), Diagnostic> {
        if dtype != self.dtype {
            let message = format!("`{}` is {}, but the value given is {}", self.path, self.dtype.word(), dtype.word());
            return Err(Diagnostic::plain("H0602", message));
        }
        if shape != self.shape {
            let message = format!("`{}` has the shape {:?}, but the value given has {shape:?}", self.path, self.shape);
            return Err(Diagnostic::plain("H0602", message));
        }
        Ok(())
    }
}
