//! Shaders on a device as a backend. Values are copied to the device when they are bound, and stay there.

use super::backend::{Backend, Placed, Source, Task, Values};
use super::profile::{self, Profile};
use crate::diag::Diagnostic;
use crate::gpu::{self, Device, Options, Program};
use crate::ir::{Data, Tensor};
use crate::plan::{self, Sizes, measured::exec};
use std::sync::Arc;

pub(super) struct OnDevice {
    pub device: Arc<Device>,
    pub options: Options,
    /// Runs at all sizes, where it is given; else there is one for each.
    pub program: Option<Program>,
}

struct Ready {
    device: Arc<Device>,
    sizes: Sizes,
    program: Program,
    placed: gpu::Placed,
    sources: Vec<Source>,
    /// The buffer of each source.
    buffers: Vec<usize>,
    results: Vec<Tensor>,
    /// Where results lie that are handed on: buffer of the result, buffer of the source.
    handed: Vec<(usize, usize)>,
}

impl Backend for OnDevice {
    fn name(&self) -> &'static str {
        "gpu"
    }

    fn kept(&self) -> usize {
        exec::PLACED_ON_DEVICE
    }

    /// A program that is given knows no tables.
    fn takes_tables(&self) -> bool {
        self.program.is_none()
    }

    fn place(&mut self, task: &Arc<Task>, sizes: &Sizes) -> Result<Box<dyn Placed>, Diagnostic> {
        let device = self.device.clone();
        let program = match &self.program {
            Some(program) => program.clone(),
            None => gpu::fit(&plan::plan_on(&task.graph, &task.wanted, sizes, &task.terms)?, sizes, &device, &self.options),
        };
        let placed = gpu::Placed::new(&device, &program, sizes, self.options.memory)?;
        let (mut sources, mut buffers) = (Vec::new(), Vec::new());
        for (path, buffer, early) in program.sources() {
            let b = &program.buffers[buffer];
            sources.push(Source::new(&path, b.dtype, b.shape.iter().cloned(), early, sizes));
            buffers.push(buffer);
        }
        Ok(Box::new(Ready {
            device,
            sizes: sizes.clone(),
            program,
            placed,
            sources,
            buffers,
            results: Vec::new(),
            handed: Vec::new(),
        }))
    }
}

impl Placed for Ready {
    fn sources(&self) -> &[Source] {
        &self.sources
    }

    fn bind(&mut self, k: usize, value: &Tensor) {
        let buffer = self.buffers[k];
        match (&value.data, self.program.buffers[buffer].half) {
            (Data::F32(v), true) => {
                let half = |x: &f32| u32::from(half::f16::from_f32(*x).to_bits());
                let words: Vec<u32> = v.chunks(2).map(|c| half(&c[0]) | c.get(1).map_or(0, half) << 16).collect();
                self.placed.upload(buffer, &words);
            }
            (data, _) => self.placed.upload(buffer, &data.words()),
        }
    }

    fn prepare(&mut self, _: u64) -> Result<(), Diagnostic> {
        self.placed.prepare()
    }

    fn run(&mut self, values: &Values) -> Result<(), Diagnostic> {
        self.results = self.placed.run()?;
        let demands = &self.program.demands;
        let words = self.results.split_off(self.results.len() - demands.computed.len());
        demands.report(&words, &|path| values.get(path), &self.sizes)
    }

    fn run_unread(&mut self, _: &Values) -> Result<(), Diagnostic> {
        self.placed.run_only()
    }

    fn run_handing(&mut self, values: &Values, handed: &[usize], told: bool) -> Result<(), Diagnostic> {
        self.results = self.placed.run_telling(&|k| told && !handed.contains(&k))?;
        if !told {
            return Ok(());
        }
        let demands = &self.program.demands;
        let words = self.results.split_off(self.results.len() - demands.computed.len());
        demands.report(&words, &|path| values.get(path), &self.sizes)
    }

    fn hand(&mut self, k: usize, n: usize, _: &mut Tensor) -> bool {
        self.handed.push((self.program.outputs[k], self.buffers[n]));
        false
    }

    fn handed(&mut self) -> Result<(), Diagnostic> {
        self.placed.copy(&std::mem::take(&mut self.handed))
    }

    fn fetch(&mut self, n: usize, value: &mut Tensor) -> Result<(), Diagnostic> {
        let words = self.placed.download(self.buffers[n])?;
        value.data = match &value.data {
            Data::F32(_) | Data::F64(_) => Data::F32(words.into_iter().map(f32::from_bits).collect()),
            Data::I32(_) => Data::I32(words.into_iter().map(|w| w as i32).collect()),
            Data::Bool(_) => Data::Bool(words.into_iter().map(|w| u8::from(w != 0)).collect()),
        };
        Ok(())
    }

    fn results(&self) -> &[Tensor] {
        &self.results
    }

    fn take(&mut self) -> Vec<Tensor> {
        std::mem::take(&mut self.results)
    }

    fn profile(&mut self, _: &Values) -> Result<Profile, Diagnostic> {
        let times = self.placed.profile()?;
        profile::of_dispatches(&self.device, &self.program, &self.sizes, &times)
    }

    fn program(&self) -> Option<&Program> {
        Some(&self.program)
    }

    fn bytes(&self) -> u64 {
        self.placed.bytes
    }
}
