//! Runs a graph on a device.
//!
//! [`Engine::prepare`] takes parameters and conditions, puts them on the device and computes there whatever depends on nothing else;
//! it stays. [`Engine::run_prepared`] then uploads inputs, submits once, and reads the results.

use super::arena;
use super::device::Device;
use super::placed::{Placed, Timed};
use super::program::{BINDINGS, Program};
use super::{Choice, emit_with};
use crate::cpu;
use crate::diag::Diagnostic;
use crate::ir::{DType, Graph, NodeId, Sym};
use crate::plan::{self, Sizes};
use crate::run::{Bindings, Data, Tensor};
use crate::source::Span;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How an engine runs.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes that one plan may hold on the device.
    pub memory: u64,
    /// Bytes of one binding; never more than the device takes.
    pub binding: u64,
    /// Parameters are kept as f16 on the device; sums stay in f32.
    pub half: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { memory: 64 << 30, binding: u64::MAX, half: false }
    }
}

struct Given {
    path: Arc<str>,
    buffer: usize,
    shape: Vec<usize>,
    dtype: DType,
    early: bool,
    half: bool,
}

/// A program at certain sizes.
struct Fixed {
    sizes: Sizes,
    program: Program,
    placed: Placed,
    given: Vec<Given>,
    /// Counts up with each `prepare`; what is prepared for an older one is stale.
    prepared: u64,
}

/// Runs a graph.
pub struct Engine {
    graph: Graph,
    wanted: Vec<NodeId>,
    device: Arc<Device>,
    options: Options,
    /// Runs at all sizes, where it is given.
    program: Option<Program>,
    fixed: Vec<Fixed>,
    current: usize,
    stored: BTreeMap<String, Tensor>,
    sizes: Sizes,
    generation: u64,
    /// Sizes that values decide are computed on the CPU: they are few numbers, and the host needs them.
    measures: Vec<(Sym, cpu::Engine)>,
}

/// How many size bindings are kept ready.
const KEPT: usize = 8;

impl Engine {
    /// Makes an engine for `wanted`.
    pub fn new(device: &Arc<Device>, graph: &Graph, wanted: &[NodeId], options: Options) -> Result<Engine, Diagnostic> {
        let reach = graph.reachable(wanted.iter().copied());
        let mut measures = Vec::new();
        for (sym, node) in graph.measured.iter().filter(|(_, n)| reach[n.index()]) {
            measures.push((sym.clone(), cpu::Engine::new(graph, &[*node], &cpu::Options::default())?));
        }
        Ok(Engine {
            graph: graph.clone(),
            wanted: wanted.to_vec(),
            device: device.clone(),
            options,
            program: None,
            fixed: Vec::new(),
            current: 0,
            stored: BTreeMap::new(),
            sizes: Sizes::new(),
            generation: 0,
            measures,
        })
    }

    /// Runs this program at all sizes, instead of making one for each: as a page does within a range of sizes.
    pub fn with_program(mut self, program: Program) -> Engine {
        self.program = Some(program);
        self
    }

    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Takes parameters, conditions and sizes, and computes what depends on nothing else once all sizes are known.
    pub fn prepare(&mut self, bindings: &Bindings) -> Result<(), Diagnostic> {
        self.stored = bindings.sources.clone();
        self.sizes = bindings.sizes.clone();
        self.generation += 1;
        cpu::measure(&mut self.measures, bindings, &mut self.sizes)?;
        if let Ok(sizes) = self.all_sizes(&Bindings::default()) {
            self.settle(sizes)?;
        }
        Ok(())
    }

    /// Runs on inputs after `prepare`; a source that is missing here is taken from there.
    pub fn run_prepared(&mut self, inputs: &Bindings) -> Result<Vec<Tensor>, Diagnostic> {
        self.upload(inputs)?;
        self.fixed[self.current].placed.run()
    }

    /// Uploads inputs and makes everything ready for [`Engine::again`] and [`Engine::profile`].
    pub fn upload(&mut self, inputs: &Bindings) -> Result<(), Diagnostic> {
        let sizes = self.all_sizes(inputs)?;
        self.settle(sizes)?;
        let fixed = &self.fixed[self.current];
        for g in fixed.given.iter().filter(|g| !g.early) {
            g.upload(&fixed.placed, inputs.sources.get(&*g.path).or_else(|| self.stored.get(&*g.path)))?;
        }
        Ok(())
    }

    /// Runs on what was uploaded last, reads nothing and waits.
    pub fn again(&mut self) -> Result<(), Diagnostic> {
        self.fixed[self.current].placed.run_only()
    }

    /// Runs once on what was uploaded last, with the time of each dispatch.
    pub fn profile(&mut self) -> Result<Vec<Timed>, Diagnostic> {
        self.fixed[self.current].placed.profile()
    }

    /// Runs on everything. What depends on parameters and conditions is computed again only when one of them differs.
    pub fn run(&mut self, bindings: &Bindings) -> Result<Vec<Tensor>, Diagnostic> {
        let early = self.graph.early_paths();
        let now: Vec<(&String, &Tensor)> = bindings.sources.iter().filter(|(p, _)| early.iter().any(|e| **e == ***p)).collect();
        let same = now.len() == self.stored.len() && now.iter().all(|(p, t)| self.stored.get(*p) == Some(*t));
        if self.generation == 0 || !same || self.given_sizes(&bindings.sizes) {
            let sources = now.into_iter().map(|(p, t)| (p.clone(), t.clone())).collect();
            self.prepare(&Bindings { sources, sizes: bindings.sizes.clone() })?;
        }
        self.run_prepared(bindings)
    }

    fn given_sizes(&self, sizes: &Sizes) -> bool {
        sizes.iter().any(|(s, n)| self.sizes.get(s) != Some(n))
    }

    /// The program of the current sizes, and the sizes.
    pub fn program(&self) -> Option<(&Program, &Sizes)> {
        self.fixed.get(self.current).map(|f| (&f.program, &f.sizes))
    }

    /// Bytes of the arena.
    pub fn bytes(&self) -> u64 {
        self.fixed.get(self.current).map_or(0, |f| f.placed.bytes)
    }

    fn all_sizes(&self, inputs: &Bindings) -> Result<Sizes, Diagnostic> {
        let mut sizes = self.sizes.clone();
        sizes.extend(inputs.sizes.iter().map(|(s, n)| (s.clone(), *n)));
        let shape = |path: &str| inputs.sources.get(path).or_else(|| self.stored.get(path)).map(|t| t.shape.clone());
        plan::complete(&self.graph, &self.wanted, sizes, &shape)
    }

    /// Makes the placement for these sizes the current one, with everything prepared.
    fn settle(&mut self, sizes: Sizes) -> Result<(), Diagnostic> {
        let found = self.fixed.iter().position(|p| p.sizes == sizes);
        self.current = match found {
            Some(k) => k,
            None => {
                if self.fixed.len() >= KEPT {
                    self.fixed.remove(0);
                }
                let fixed = self.fix(sizes)?;
                self.fixed.push(fixed);
                self.fixed.len() - 1
            }
        };
        let fixed = &mut self.fixed[self.current];
        if fixed.prepared != self.generation || self.generation == 0 {
            for g in fixed.given.iter().filter(|g| g.early) {
                g.upload(&fixed.placed, self.stored.get(&*g.path))?;
            }
            fixed.placed.prepare()?;
            fixed.prepared = self.generation;
        }
        Ok(())
    }

    fn fix(&mut self, sizes: Sizes) -> Result<Fixed, Diagnostic> {
        let program = match &self.program {
            Some(program) => program.clone(),
            None => self.program_of(&plan::plan(&self.graph, &self.wanted, &sizes)?, &sizes),
        };
        let placed = Placed::new(&self.device, &program, &sizes, self.options.memory)?;
        let mut given = Vec::new();
        for (path, buffer, early) in program.sources() {
            let b = &program.buffers[buffer];
            let size = |s: &crate::ir::Size| s.eval(&|n| sizes.get(n).copied()).unwrap_or(0) as usize;
            given.push(Given { path, buffer, shape: b.shape.iter().map(size).collect(), dtype: b.dtype, early, half: b.half });
        }
        Ok(Fixed { sizes, program, placed, given, prepared: 0 })
    }
}

impl Engine {
    /// The program for this device: where a buffer is longer than one binding, or a shader reaches all of a long arena, the arena is
    /// bound in windows.
    fn program_of(&self, plan: &plan::Plan, sizes: &Sizes) -> Program {
        let binding = self.options.binding.min(self.device.limits.max_storage_buffer_binding_size);
        let choice = Choice { half: self.options.half, binding, windows: 1 };
        let program = emit_with(plan, sizes, &|_: Span| None, choice);
        let size = |s: &crate::ir::Size| s.eval(&|n| sizes.get(n).copied());
        let total = arena::place(&program, &size).map_or(0, |l| l.total);
        let one = binding / arena::ALIGN * arena::ALIGN;
        if total <= one || one == 0 {
            return program;
        }
        let windows = total.div_ceil(one).min(BINDINGS as u64) as u32;
        emit_with(plan, sizes, &|_: Span| None, Choice { windows, ..choice })
    }
}

impl Given {
    fn upload(&self, placed: &Placed, value: Option<&Tensor>) -> Result<(), Diagnostic> {
        let Some(t) = value else {
            return Err(Diagnostic::plain("H0601", format!("no value is given for `{}`", self.path)));
        };
        if t.dtype() != self.dtype || t.shape != self.shape {
            let message = format!(
                "`{}` is {}{:?}, but the value given is {}{:?}",
                self.path,
                self.dtype.word(),
                self.shape,
                t.dtype().word(),
                t.shape
            );
            return Err(Diagnostic::plain("H0602", message));
        }
        match (&t.data, self.half) {
            (Data::F32(v), true) => {
                let half = |x: &f32| u32::from(half::f16::from_f32(*x).to_bits());
                let words: Vec<u32> = v.chunks(2).map(|c| half(&c[0]) | c.get(1).map_or(0, half) << 16).collect();
                placed.upload(self.buffer, &words);
            }
            (data, _) => placed.upload(self.buffer, &data.words()),
        }
        Ok(())
    }
}
