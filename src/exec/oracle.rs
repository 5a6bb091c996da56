//! The reference interpreter as a backend: nothing is compiled, nothing is prepared.

use super::backend::{Backend, Placed, Source, Task, Values};
use super::profile::Profile;
use crate::diag::{Code, Diagnostic};
use crate::files::memory;
use crate::ir::Tensor;
use crate::ir::{Op, Rate, interp};
use crate::plan::Sizes;
use std::sync::Arc;

pub(super) struct Oracle;

struct Ready {
    task: Arc<Task>,
    sizes: Sizes,
    sources: Vec<Source>,
    results: Vec<Tensor>,
}

impl Backend for Oracle {
    fn name(&self) -> &'static str {
        "interp"
    }

    fn kept(&self) -> usize {
        1
    }

    fn takes_tables(&self) -> bool {
        false
    }

    fn place(&mut self, task: &Arc<Task>, sizes: &Sizes) -> Result<Box<dyn Placed>, Diagnostic> {
        let (rates, needed) = (task.graph.rates(), task.graph.reachable(task.wanted.iter().copied()));
        let mut sources: Vec<Source> = Vec::new();
        for id in task.graph.ids().filter(|id| needed[id.index()]) {
            let node = task.graph.node(id);
            if let Op::Source { path, .. } = &node.op {
                let shape = node.shape.iter().map(|a| a.size.clone());
                sources.push(Source::new(path, node.dtype, shape, rates[id.index()] < Rate::Input, sizes));
            }
        }
        Ok(Box::new(Ready { task: task.clone(), sizes: sizes.clone(), sources, results: Vec::new() }))
    }
}

impl Placed for Ready {
    fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// Values are read where they lie, when it runs.
    fn bind(&mut self, _: usize, _: &Tensor) {}

    fn prepare(&mut self, _: u64) -> Result<(), Diagnostic> {
        Ok(())
    }

    fn run(&mut self, values: &Values) -> Result<(), Diagnostic> {
        let (task, sizes) = (&self.task, self.sizes.clone());
        self.results = interp::evaluate_on(&task.graph, values.all(), sizes, &task.wanted, memory::at_most(interp::MEMORY))?;
        Ok(())
    }

    fn results(&self) -> &[Tensor] {
        &self.results
    }

    fn hand(&mut self, k: usize, _: usize, value: &mut Tensor) -> bool {
        *value = self.results[k].clone();
        true
    }

    fn take(&mut self) -> Vec<Tensor> {
        std::mem::take(&mut self.results)
    }

    fn profile(&mut self, _: &Values) -> Result<Profile, Diagnostic> {
        Err(Diagnostic::plain(Code::H0921, "the interpreter does not measure where its time goes")
            .help("measure compiled code with `--backend cpu`, or shaders with `--backend gpu`"))
    }
}
