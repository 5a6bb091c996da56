//! Runs a graph.
//!
//! [`Engine::prepare`] takes parameters and conditions and computes whatever depends on nothing else; it stays.
//! [`Engine::run_prepared`] then takes inputs only; on the CPU it allocates nothing and gives the results in place. [`Engine::run`]
//! does both, and skips what did not change. What was prepared for conditions of before is kept for when they come back ([`Engine::keep`]).

mod bind;
mod turn;

use super::backend::{Backend, Task};
#[cfg(feature = "gpu")]
use super::device::OnDevice;
use super::equal::{Found, Looks};
use super::kept::Kept;
#[cfg(feature = "cpu")]
use super::native::Native;
use super::oracle::Oracle;
use super::profile::Profile;
use super::ready::Ready;
use super::stored::Stored;
#[cfg(feature = "cpu")]
use crate::cpu;
use crate::diag::Diagnostic;
#[cfg(feature = "gpu")]
use crate::gpu;
use crate::ir::{Bindings, Tensor};
use crate::ir::{Graph, NodeId, Rate, Sym, interp};
#[cfg(any(feature = "cpu", feature = "gpu"))]
use crate::opt;
use crate::plan::measured::exec::CONDITION_BYTES;
use crate::plan::{Pins, Sizes, Terms};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Which rows of a batch are computed with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rows {
    /// All of them, equal or not.
    All,
    /// Where it is worth it, those that differ.
    Distinct,
}

/// A graph made ready for some of its nodes.
pub struct Engine {
    task: Arc<Task>,
    backend: Box<dyn Backend>,
    /// Paths of what `prepare` takes, and of those among them that no condition changes.
    early: Vec<Arc<str>>,
    parameters: Vec<Arc<str>>,
    /// Sizes that values decide, and the nodes that say them.
    measured: Vec<(Sym, NodeId)>,
    ready: Vec<Ready>,
    current: Option<usize>,
    /// What `prepare` was given.
    stored: Stored,
    asked: Sizes,
    /// As asked, and as measured.
    sizes: Sizes,
    /// Counts up with each `prepare`.
    generation: u64,
    /// Paths of stored values whose newest state a backend has.
    far: BTreeSet<String>,
    /// What is prepared for other conditions than the last.
    kept: Kept,
    /// Where equal rows are looked for, and those that were found for the last run.
    looks: Looks,
    found: Option<Arc<Found>>,
}

impl Engine {
    /// The reference interpreter, in f64, on the graph as it is.
    pub fn interpreter(graph: &Graph, roots: &[NodeId]) -> Engine {
        Engine::new(Box::new(Oracle), graph, roots)
    }

    /// Code for this machine after all passes; 0 threads are as many as it has. Errors: threads cannot be started.
    #[cfg(feature = "cpu")]
    pub fn cpu(graph: &Graph, roots: &[NodeId], threads: usize) -> Result<Engine, Diagnostic> {
        let (graph, roots) = opt::optimize_for(graph, roots);
        Engine::cpu_unoptimized(&graph, &roots, &cpu::Options { threads, ..cpu::Options::default() })
    }

    /// Code for this machine, of the graph as it is. Errors: threads cannot be started.
    #[cfg(feature = "cpu")]
    pub fn cpu_unoptimized(graph: &Graph, roots: &[NodeId], options: &cpu::Options) -> Result<Engine, Diagnostic> {
        Ok(Engine::new(Box::new(Native::new(options)?), graph, roots))
    }

    /// Shaders for a device, after all passes.
    #[cfg(feature = "gpu")]
    pub fn gpu(device: &Arc<gpu::Device>, graph: &Graph, roots: &[NodeId], options: gpu::Options) -> Engine {
        let (graph, roots) = opt::optimize_for(graph, roots);
        Engine::gpu_unoptimized(device, &graph, &roots, options)
    }

    /// Shaders for a device, of the graph as it is.
    #[cfg(feature = "gpu")]
    pub fn gpu_unoptimized(device: &Arc<gpu::Device>, graph: &Graph, roots: &[NodeId], options: gpu::Options) -> Engine {
        Engine::new(Box::new(OnDevice { device: device.clone(), options, program: None }), graph, roots)
    }

    /// This program of the graph at all sizes, instead of one for each: as a page does within a range of sizes.
    #[cfg(feature = "gpu")]
    pub fn gpu_program(device: &Arc<gpu::Device>, graph: &Graph, roots: &[NodeId], program: gpu::Program) -> Engine {
        let options = gpu::Options::default();
        Engine::new(Box::new(OnDevice { device: device.clone(), options, program: Some(program) }), graph, roots)
    }

    /// With some decisions of the planner taken already. To be said before anything is placed.
    pub fn pinned(self, pins: Pins) -> Engine {
        let terms = self.task.terms.clone();
        self.on(Terms { pins, ..terms })
    }

    /// With plans that are made on these terms. To be said before anything is placed.
    pub fn on(mut self, terms: Terms) -> Engine {
        self.task = Arc::new(Task { graph: self.task.graph.clone(), wanted: self.task.wanted.clone(), terms });
        self
    }

    fn new(backend: Box<dyn Backend>, graph: &Graph, wanted: &[NodeId]) -> Engine {
        let reach = graph.reachable(wanted.iter().copied());
        let measured = graph.measured.iter().filter(|(_, n)| reach[n.index()]).cloned().collect();
        let (early, parameters) = (graph.paths(Rate::Condition), graph.paths(Rate::Parameter));
        let conditions: BTreeSet<_> = early.iter().filter(|p| !parameters.contains(p)).cloned().collect();
        Engine {
            task: Arc::new(Task { graph: graph.clone(), wanted: wanted.to_vec(), terms: Terms::default() }),
            backend,
            early,
            parameters,
            measured,
            ready: Vec::new(),
            current: None,
            stored: Stored::default(),
            asked: Sizes::new(),
            sizes: Sizes::new(),
            generation: 0,
            far: BTreeSet::new(),
            kept: Kept::new(conditions.into_iter().collect(), CONDITION_BYTES),
            looks: Looks::default(),
            found: None,
        }
    }

    /// `gpu`, `cpu` or `interp`.
    pub fn name(&self) -> &'static str {
        self.backend.name()
    }

    /// Takes parameters, conditions and sizes, and computes what depends on nothing else once all sizes are known, unless it is kept.
    pub fn prepare(&mut self, bindings: &Bindings) -> Result<(), Diagnostic> {
        self.store(bindings.sources.iter(), bindings)
    }

    /// Keeps what was prepared for conditions of before in at most so many bytes, 256 MiB unless it is said; 0: nothing. They come on top of what
    /// one condition needs. It is there as long as parameters are what they were, and no longer than others that were used since. Compiled code
    /// keeps several conditions for the same sizes; a device and the interpreter keep one for each of some sizes.
    pub fn keep(&mut self, bytes: usize) {
        self.kept.keep(&mut self.ready, bytes);
    }

    /// Bytes that are kept so: what was prepared, and the values of the conditions.
    pub fn kept(&self) -> usize {
        self.kept.bytes(&self.ready)
    }

    /// How many bytes may be.
    pub fn keeps(&self) -> usize {
        self.kept.bound
    }

    /// How often what depends on parameters and conditions alone was computed, since what is kept did not serve.
    pub fn preparations(&self) -> u64 {
        self.kept.preparations
    }

    /// The values of these sources, which `given` has, too, replace all that was stored.
    fn store<'a>(&mut self, sources: impl Iterator<Item = (&'a String, &'a Tensor)>, given: &Bindings) -> Result<(), Diagnostic> {
        // Old placements may point at old values until they are bound anew, which ages and a new generation make sure of.
        self.generation += 1;
        let far = std::mem::take(&mut self.far);
        self.kept.turn(&mut self.ready, &self.stored, &far, &given.sources);
        self.stored.replace(sources, &far);
        self.kept.of_parameters(&mut self.ready, self.stored.newest(self.parameters.iter().map(|p| &**p)));
        self.asked = given.sizes.clone();
        self.measure()?;
        self.settle_early()
    }

    /// Computes the sizes that values decide. They are few numbers that depend on no input, and what they are must not depend on
    /// the backend: the interpreter says it.
    fn measure(&mut self) -> Result<(), Diagnostic> {
        self.sizes = self.asked.clone();
        if self.measured.is_empty() {
            return Ok(());
        }
        let nodes: Vec<NodeId> = self.measured.iter().map(|(_, n)| *n).collect();
        let stored = self.stored.values().iter().map(|(path, t)| (path.as_str(), t)).collect();
        let values = interp::evaluate_on(&self.task.graph, stored, self.asked.clone(), &nodes, interp::MEMORY)?;
        let lengths = values.iter().map(|t| (libm::rint(t.get(0)) as i64).max(0));
        self.sizes.extend(self.measured.iter().map(|(s, _)| s.clone()).zip(lengths));
        Ok(())
    }

    /// Runs on inputs after `prepare`; a source that is missing here is taken from there. The results stay valid until the next run.
    pub fn run_prepared(&mut self, inputs: &Bindings) -> Result<&[Tensor], Diagnostic> {
        self.run_bound(inputs, &mut |placed, values| placed.run(values))?;
        Ok(self.ready[self.current.expect("settled before")].placed.results())
    }

    /// As [`Engine::run_prepared`], but leaves the results on the device. It waits until they are there.
    pub fn run_unread(&mut self, inputs: &Bindings) -> Result<(), Diagnostic> {
        self.run_bound(inputs, &mut |placed, values| placed.run_unread(values))
    }

    /// Runs on everything. What depends on parameters and conditions is computed again only when one of them differs.
    pub fn run(&mut self, bindings: &Bindings) -> Result<Vec<Tensor>, Diagnostic> {
        if !self.still(bindings) {
            let paths = self.early.clone();
            self.store(paths.iter().filter_map(|p| bindings.sources.get_key_value(&**p)), bindings)?;
        }
        self.run_bound(bindings, &mut |placed, values| placed.run(values))?;
        Ok(self.ready[self.current.expect("settled before")].placed.take())
    }

    /// Runs on inputs after `prepare`, and hands results on: each becomes the value of a source from the next run on. `handed` are numbers of
    /// results with paths, the numbers in ascending order. The other results are given where they are `told`; a backend far away saves the way.
    /// Where `told` results are not `accepted` nothing is handed on, and all is as it was before.
    pub fn step(
        &mut self,
        inputs: &Bindings,
        handed: &[(usize, String)],
        told: bool,
        accepted: &dyn Fn(&[Tensor]) -> bool,
    ) -> Result<&[Tensor], Diagnostic> {
        let (placed, values) = self.bind(inputs, Rows::All)?;
        let numbers: Vec<usize> = handed.iter().map(|(k, _)| *k).collect();
        placed.run_handing(&values, &numbers, told)?;
        let at = self.current.expect("settled before");
        if told && !accepted(self.ready[at].placed.results()) {
            return Ok(self.ready[at].placed.results());
        }
        let (ready, mut early) = (&mut self.ready[at], false);
        for (k, path) in handed {
            let Some(n) = ready.placed.sources().iter().position(|s| *s.path == **path) else { continue };
            let value = self.stored.get_mut(path).expect("it was bound");
            early |= ready.placed.sources()[n].early;
            let here = ready.placed.hand(*k, n, value);
            let age = self.stored.touch(path);
            if here {
                ready.bound[n] = 0;
            } else {
                ready.bound[n] = age;
                self.far.insert(path.clone());
            }
        }
        // What was prepared of it is not what it would be now.
        self.generation += u64::from(early);
        if !handed.is_empty() {
            self.kept.changed(&mut self.ready);
        }
        let ready = &mut self.ready[at];
        ready.placed.handed()?;
        Ok(ready.placed.results())
    }

    /// The values that `prepare` was given, those that were handed on as they are now.
    pub fn stored(&mut self) -> Result<&BTreeMap<String, Tensor>, Diagnostic> {
        self.fetch()?;
        Ok(self.stored.values())
    }

    /// As [`Engine::stored`], where the engine needs them no more until it is prepared again.
    pub fn take_stored(&mut self) -> Result<BTreeMap<String, Tensor>, Diagnostic> {
        self.fetch()?;
        self.generation += 1;
        self.kept.changed(&mut self.ready);
        Ok(self.stored.take_values())
    }

    /// Brings what was handed on back from where the backend keeps it.
    fn fetch(&mut self) -> Result<(), Diagnostic> {
        let Some(ready) = self.current.map(|k| &mut self.ready[k]) else { return Ok(()) };
        for path in std::mem::take(&mut self.far) {
            let Some(n) = ready.placed.sources().iter().position(|s| *s.path == *path) else { continue };
            if let Some(value) = self.stored.get_mut(&path) {
                ready.placed.fetch(n, value)?;
            }
        }
        Ok(())
    }

    /// Measures a run, after one that warmed up. Errors: the interpreter has nothing to measure, the device has no clock.
    pub fn profile(&mut self, bindings: &Bindings) -> Result<Profile, Diagnostic> {
        self.run(bindings)?;
        let (placed, values) = self.bind(bindings, Rows::Distinct)?;
        placed.profile(&values)
    }

    /// Whether parameters, conditions and sizes are what they were in the last `prepare`.
    fn still(&self, bindings: &Bindings) -> bool {
        let now = |path: &str| bindings.sources.get(path);
        self.generation > 0
            && self.asked == bindings.sizes
            && self.stored.values().iter().all(|(p, t)| now(p).is_some_and(|n| n.same_bits(t)))
            && self.early.iter().all(|p| self.stored.get(p).is_some() == now(p).is_some())
    }

    /// How often other values were stored.
    #[cfg(test)]
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// The text of the plan that ran last.
    pub fn plan_text(&self) -> Option<&str> {
        self.current.and_then(|k| self.ready[k].placed.plan_text())
    }

    /// The shaders that ran last, and the sizes.
    #[cfg(feature = "gpu")]
    pub fn program(&self) -> Option<(&gpu::Program, &Sizes)> {
        let ready = &self.ready[self.current?];
        ready.placed.program().map(|p| (p, &ready.own))
    }

    /// Bytes that the placement holds which ran last.
    pub fn bytes(&self) -> u64 {
        self.current.map_or(0, |k| self.ready[k].placed.bytes())
    }
}
