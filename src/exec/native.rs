//! Compiled code as a backend. A program serves all sizes at which the plan reads the same.

use super::backend::{Aside, Backend, Placed, Source, Task, Values};
use super::profile::{self, Profile};
use crate::cpu::{Machine, Options, Program, Running};
use crate::diag::Diagnostic;
use crate::ir::Rate;
use crate::ir::Tensor;
use crate::plan::{self, Kind, Sizes, measured::exec};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Runs of a profile, how long they take at least (short steps need many), and after how long no further one begins: a step's time is the middle
/// one of its times.
const TIMES: usize = 9;
const SHORT: Duration = Duration::from_millis(200);
const LONG: Duration = Duration::from_millis(500);
/// So many times are kept of each step.
const MOST: usize = 20_000;

pub(super) struct Native {
    machine: Arc<Machine>,
    programs: Vec<Arc<Program>>,
}

struct Ready {
    running: Running,
    sources: Vec<Source>,
    /// The buffer of each source.
    buffers: Vec<usize>,
    sizes: Sizes,
    /// How many results are wanted; the words of demands follow.
    wanted: usize,
}

impl Native {
    /// Errors: threads cannot be started.
    pub fn new(options: &Options) -> Result<Native, Diagnostic> {
        Ok(Native { machine: Arc::new(Machine::new(options)?), programs: Vec::new() })
    }
}

impl Backend for Native {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn kept(&self) -> usize {
        exec::PLACED_NATIVE
    }

    fn place(&mut self, task: &Arc<Task>, sizes: &Sizes) -> Result<Box<dyn Placed>, Diagnostic> {
        let plan = plan::plan_on(&task.graph, &task.wanted, sizes, &task.terms)?;
        let text = plan.to_string();
        let program = match self.programs.iter().find(|p| p.text == text) {
            Some(program) => program.clone(),
            None => {
                let program = Arc::new(Program::compile(plan, text, sizes)?);
                self.programs.push(program.clone());
                program
            }
        };
        let (mut sources, mut buffers) = (Vec::new(), Vec::new());
        let running = Running::new(&self.machine, &program, sizes)?;
        for (n, b) in program.plan.buffers.iter().enumerate() {
            if let Kind::Source(path) = &b.kind {
                sources.push(Source::new(path, b.dtype, b.shape.iter().cloned(), b.rate < Rate::Input, sizes));
                buffers.push(n);
            }
        }
        Ok(Box::new(Ready { running, sources, buffers, sizes: sizes.clone(), wanted: task.wanted.len() }))
    }
}

impl Placed for Ready {
    fn sources(&self) -> &[Source] {
        &self.sources
    }

    fn bind(&mut self, k: usize, value: &Tensor) {
        self.running.bind(self.buffers[k], value);
    }

    fn prepare(&mut self, age: u64) -> Result<(), Diagnostic> {
        self.running.prepare(age);
        Ok(())
    }

    fn changing(&self) -> Option<usize> {
        Some(self.running.changing())
    }

    fn exchange(&mut self, other: Option<Aside>) -> Option<Aside> {
        Some(Aside(self.running.exchange_made(other.map(|aside| aside.0))))
    }

    fn run(&mut self, values: &Values) -> Result<(), Diagnostic> {
        self.running.run();
        let words = &self.running.results()[self.wanted..];
        let demands = &self.running.program().plan.demands;
        demands.report(words, &|path| values.get(path), &self.sizes)
    }

    fn results(&self) -> &[Tensor] {
        &self.running.results()[..self.wanted]
    }

    fn hand(&mut self, k: usize, _: usize, value: &mut Tensor) -> bool {
        self.running.exchange(k, value);
        true
    }

    fn profile(&mut self, _: &Values) -> Result<Profile, Diagnostic> {
        let begin = Instant::now();
        let mut runs = vec![self.running.timed()];
        while (runs.len() < TIMES && begin.elapsed() < LONG) || (begin.elapsed() < SHORT && runs.len() < MOST) {
            runs.push(self.running.timed());
        }
        let middle = |k: usize| {
            let mut times: Vec<f64> = runs.iter().map(|run| run[k]).collect();
            times.sort_by(f64::total_cmp);
            times[times.len() / 2]
        };
        let steps = self.running.names().into_iter().enumerate().map(|(k, name)| (name, middle(k))).collect();
        Ok(profile::of_steps(steps, plan::told(&self.running.program().plan, &self.sizes)))
    }

    fn plan_text(&self) -> Option<&str> {
        Some(&self.running.program().text)
    }
}
