//! A plan as code, and the code at certain sizes: what an engine runs.

use super::call::{Code, Jit, Ptr};
use super::changing::Made;
use super::compile::{Functions, compile};
use super::exec::Exec;
use super::job::Instance;
use super::laid::Laid;
use super::width;
use crate::diag::{self, Diagnostic};
use crate::ir::{Data, Tensor};
use crate::plan::{self, Plan, Sizes, Step};
use rayon::ThreadPool;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// How code runs.
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

/// Threads and memory, shared by all that one engine runs.
pub(crate) struct Machine {
    threads: usize,
    memory: usize,
    pool: Option<ThreadPool>,
    laid: Laid,
}

impl Machine {
    /// Errors: threads cannot be started, or there are no vectors as the environment asks for.
    pub fn new(options: &Options) -> Result<Machine, Diagnostic> {
        width::check()?;
        let threads = match options.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            n => n,
        };
        let pool = if threads > 1 {
            let made = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            Some(made.map_err(|e| Diagnostic::plain(diag::Code::H0818, format!("{threads} threads cannot be started: {e}")))?)
        } else {
            None
        };
        Ok(Machine { threads, memory: options.memory, pool, laid: Laid::default() })
    }
}

/// A plan and its code, shared by all sizes for which the plan reads the same.
pub(crate) struct Program {
    /// The plan's text.
    pub text: String,
    pub plan: Plan,
    functions: Functions<Code>,
    /// Keeps the code in memory. Nobody locks it: the module cannot be shared between threads by itself.
    _jit: Mutex<Jit>,
}

impl Program {
    /// `sizes` are those for which the code is chosen; it is right for others, too.
    pub fn compile(plan: Plan, text: String, sizes: &Sizes) -> Result<Program, Diagnostic> {
        let (jit, functions) = compile(&plan, sizes)?;
        Ok(Program { text, plan, functions, _jit: Mutex::new(jit) })
    }
}

/// A program at certain sizes, in memory.
pub(crate) struct Running {
    instance: Instance,
    machine: Arc<Machine>,
    /// Values that compiled code takes in another form than they are given in, by buffer.
    words: BTreeMap<usize, Vec<u32>>,
    program: Arc<Program>,
}

impl Running {
    /// Errors: it does not fit in memory.
    pub fn new(machine: &Arc<Machine>, program: &Arc<Program>, sizes: &Sizes) -> Result<Running, Diagnostic> {
        let apart = plan::of_conditions(&program.plan);
        let instance = Instance::new(&program.plan, &program.functions, sizes, &apart, machine.memory, machine.threads)?;
        Ok(Running { instance, machine: machine.clone(), words: BTreeMap::new(), program: program.clone() })
    }

    pub fn program(&self) -> &Program {
        &self.program
    }

    /// Points a buffer at a value's elements, which must stay where they are until another is bound or the last run is over.
    pub fn bind(&mut self, buffer: usize, value: &Tensor) {
        self.instance.ptrs[buffer] = match &value.data {
            // An empty tensor has no address; nobody reads it.
            _ if value.is_empty() => self.instance.spare(),
            Data::F32(v) => Ptr::of_f32(v),
            Data::I32(v) => Ptr::of_i32(v),
            Data::F64(_) | Data::Bool(_) => {
                let words = self.words.entry(buffer).or_default();
                *words = value.data.words();
                Ptr::of_words(words)
            }
        };
    }

    /// Runs the steps that depend on no input. `age` is another one whenever parameters have other values than before; 0: nobody counts.
    pub fn prepare(&mut self, age: u64) {
        let exec = Exec { pool: self.machine.pool.as_ref(), threads: self.machine.threads };
        self.instance.prepare(exec, Some((&self.machine.laid, age)));
    }

    /// Bytes of what is prepared of conditions.
    pub fn changing(&self) -> usize {
        self.instance.changing.bytes()
    }

    /// Takes what is prepared of other conditions, for the same parameters, or memory to prepare it in; gives what it had.
    pub fn exchange_made(&mut self, other: Option<Made>) -> Made {
        self.instance.exchange_made(other)
    }

    /// Runs the other steps.
    pub fn run(&mut self) {
        let (exec, instance) = (Exec { pool: self.machine.pool.as_ref(), threads: self.machine.threads }, &mut self.instance);
        exec.enter(instance.divided(), |exec| instance.run(exec));
        instance.finish();
    }

    /// Gives result `k`, and takes a value of the same type and shape into whose place the next one goes.
    pub fn exchange(&mut self, k: usize, value: &mut Tensor) {
        let shared = self.instance.first_of(k) != k;
        let buffer = self.program.plan.outputs[k];
        match (&mut self.instance.outputs[k].data, &mut value.data) {
            // What others share, or what is staged, stays where it is.
            (Data::F32(own), Data::F32(new)) if !shared && own.len() == new.len() => {
                std::mem::swap(own, new);
                self.instance.ptrs[buffer] = Ptr::of_f32_mut(own);
            }
            (Data::I32(own), Data::I32(new)) if !shared && own.len() == new.len() => {
                std::mem::swap(own, new);
                self.instance.ptrs[buffer] = Ptr::of_i32_mut(own);
            }
            (own, new) => new.clone_from(own),
        }
    }

    pub fn results(&self) -> &[Tensor] {
        &self.instance.outputs
    }

    /// As `run`: the seconds spent in each step.
    pub fn timed(&mut self) -> Vec<f64> {
        self.instance.spent = self.program.plan.steps.iter().map(|_| AtomicU64::new(0)).collect();
        self.run();
        let seconds = |ns: AtomicU64| ns.load(Ordering::Relaxed) as f64 * 1e-9;
        std::mem::take(&mut self.instance.spent).into_iter().map(seconds).collect()
    }

    /// What each step does, and to what it makes.
    pub fn names(&self) -> Vec<String> {
        let plan = &self.program.plan;
        let name = |s: &Step| s.writes().first().map_or("", |b| plan.buffers[*b].name.as_str()).to_string();
        plan.steps.iter().map(|s| format!("{} {}", s.word(), name(s))).collect()
    }
}
