//! What the engine asks of a backend.
//!
//! A [`Backend`] makes a graph ready at certain sizes: it plans, compiles and takes memory. The result is [`Placed`]: it takes values,
//! computes what depends on no input, and runs. The order is: `bind` the early sources, `prepare`; then `bind` the others and `run`, as
//! often as wanted. A backend may read a bound value where it lies, so whoever binds keeps it there until the run is over.

use super::equal::Found;
use super::profile::Profile;
use super::stored::Stored;
use crate::diag::Diagnostic;
use crate::ir::sizes::{Sizes, places};
use crate::ir::{Bindings, DType, Graph, NodeId, Size, Tensor};
use crate::plan::Terms;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A graph, and what is wanted of it.
pub(super) struct Task {
    pub graph: Graph,
    pub wanted: Vec<NodeId>,
    /// What planners take whatever it costs, and what they take the machine for.
    pub terms: Terms,
}

/// A source that a placed graph reads.
pub(super) struct Source {
    pub path: Arc<str>,
    pub dtype: DType,
    pub shape: Vec<usize>,
    /// Bound before `prepare`, and then left; else before each run.
    pub early: bool,
}

impl Source {
    pub fn new(path: &Arc<str>, dtype: DType, shape: impl Iterator<Item = Size>, early: bool, sizes: &Sizes) -> Source {
        let shape = shape.map(|s| places(&s, sizes)).collect();
        Source { path: path.clone(), dtype, shape, early }
    }
}

/// The values of a run by path: what was given for it, else what `prepare` was given.
pub(super) struct Values<'a> {
    pub inputs: &'a Bindings,
    pub stored: &'a Stored,
    /// Rows that are bound instead of a whole batch.
    pub found: Option<&'a Arc<Found>>,
}

impl<'a> Values<'a> {
    pub fn get(&self, path: &str) -> Option<&'a Tensor> {
        self.found.and_then(|f| f.get(path)).or_else(|| self.inputs.sources.get(path)).or_else(|| self.stored.get(path))
    }

    /// Since when it has been stored; 0 where it comes with the run.
    pub fn age(&self, path: &str) -> u64 {
        match self.found.filter(|f| f.get(path).is_some()) {
            Some(found) => found.age,
            None if self.inputs.sources.contains_key(path) => 0,
            None => self.stored.age(path),
        }
    }

    pub fn all(&self) -> BTreeMap<&'a str, &'a Tensor> {
        self.stored.values().iter().chain(&self.inputs.sources).map(|(path, t)| (path.as_str(), t)).collect()
    }
}

/// What was prepared of a condition, in memory that can be exchanged. Only compiled code has it.
pub(super) struct Aside(#[cfg(feature = "cpu")] pub crate::cpu::Made);

/// What computes.
pub(super) trait Backend: Send {
    /// Its word for users.
    fn name(&self) -> &'static str;

    /// For how many bindings of sizes an engine keeps placements.
    fn kept(&self) -> usize;

    /// Whether it may get the rows of a batch as a table of those that differ.
    fn takes_tables(&self) -> bool {
        true
    }

    /// Plans, compiles what no earlier placement compiled, and takes memory. `sizes` knows every size of the task.
    fn place(&mut self, task: &Arc<Task>, sizes: &Sizes) -> Result<Box<dyn Placed>, Diagnostic>;
}

/// A graph at certain sizes, in memory.
pub(super) trait Placed: Send {
    /// What it reads, in an order that stays.
    fn sources(&self) -> &[Source];

    /// Takes the value of source `k`, which has its type and its shape.
    fn bind(&mut self, k: usize, value: &Tensor);

    /// Computes what depends on no input. `age` is another one whenever parameters have other values than before; 0: nobody counts.
    fn prepare(&mut self, age: u64) -> Result<(), Diagnostic>;

    /// Bytes of what `prepare` makes of conditions, where it can be exchanged. All else that it makes is the same as long as parameters are.
    fn changing(&self) -> Option<usize> {
        None
    }

    /// Takes what was prepared of another condition for the same parameters, as if `prepare` had just made it, or memory to prepare it in; gives
    /// what it had.
    fn exchange(&mut self, other: Option<Aside>) -> Option<Aside> {
        let _ = other;
        None
    }

    /// Computes the rest. `values` are those that are bound.
    fn run(&mut self, values: &Values) -> Result<(), Diagnostic>;

    /// As `run`, and leaves the results where they are.
    fn run_unread(&mut self, values: &Values) -> Result<(), Diagnostic> {
        self.run(values)
    }

    /// The results of the last run, in the order of what was wanted.
    fn results(&self) -> &[Tensor];

    /// Makes result `k` of the last run the value of source `n` from the next run on. `value` is what the source is bound to. Gives
    /// whether `value` is now that result and is to be bound again; else it is where the backend keeps it, and `fetch` gets it.
    fn hand(&mut self, k: usize, n: usize, value: &mut Tensor) -> bool;

    /// All that was handed on is now in its place.
    fn handed(&mut self) -> Result<(), Diagnostic> {
        Ok(())
    }

    /// As `run`, where these results (all in ascending order) are handed on and read by nobody; none of the others either, unless `told`.
    fn run_handing(&mut self, values: &Values, handed: &[usize], told: bool) -> Result<(), Diagnostic> {
        let _ = (handed, told);
        self.run(values)
    }

    /// Reads the value of a source that was handed to it.
    fn fetch(&mut self, n: usize, value: &mut Tensor) -> Result<(), Diagnostic> {
        let _ = (n, value);
        Ok(())
    }

    /// As `results`, where nobody asks for them again.
    fn take(&mut self) -> Vec<Tensor> {
        self.results().to_vec()
    }

    /// As `run`, measured.
    fn profile(&mut self, values: &Values) -> Result<Profile, Diagnostic>;

    /// The text of the plan.
    fn plan_text(&self) -> Option<&str> {
        None
    }

    /// The shaders and dispatches.
    #[cfg(feature = "gpu")]
    fn program(&self) -> Option<&crate::gpu::Program> {
        None
    }

    /// Bytes that it holds.
    fn bytes(&self) -> u64 {
        0
    }
}
