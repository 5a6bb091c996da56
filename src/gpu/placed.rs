//! A program at certain sizes on a device: one arena, bind groups made once, and runs that read nothing back but the results.

mod clock;
mod limits;
mod make;

use super::arena::{self, Layout};
use super::device::Device;
use super::program::{Grid, Kind, Program};
use crate::diag::{Code, Diagnostic};
use crate::ir::sizes::known;
use crate::ir::{DType, Size};
use crate::ir::{Data, Tensor};
use crate::plan::Sizes;
use clock::Clock;
pub use clock::Timed;
use limits::{finishes, fits, refuse};
use make::{BLOCK, Maker, blocks};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A dispatch with everything bound.
struct Ready {
    pipeline: Arc<wgpu::ComputePipeline>,
    group: wgpu::BindGroup,
    grid: ReadyGrid,
    /// Its number among all dispatches of the program.
    number: usize,
}

enum ReadyGrid {
    Work(u32, u32),
    /// The buffer that says it, and the first byte.
    Indirect(usize, u64),
}

enum Step {
    Run(Ready),
    Repeat(u64, Vec<Step>),
}

/// A result: where it lies, and where it is read from.
struct Wanted {
    buffer: usize,
    shape: Vec<usize>,
    dtype: DType,
    staged: u64,
}

impl Wanted {
    /// The tensor of these bytes; without bytes one without elements.
    fn tensor(&self, bytes: &[u8]) -> Tensor {
        let words = bytes.chunks_exact(4).map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]]));
        let data = match self.dtype {
            DType::F32 => Data::F32(words.map(f32::from_bits).collect()),
            DType::I32 => Data::I32(words.map(|w| w as i32).collect()),
            DType::Bool => Data::Bool(words.map(|w| u8::from(w != 0)).collect()),
        };
        Tensor { shape: self.shape.clone(), data }
    }
}

pub(crate) struct Placed {
    device: Arc<Device>,
    arena: wgpu::Buffer,
    /// Buffers that grids are read from: no dispatch may write what it takes its grid from, so they lie apart.
    grids: BTreeMap<usize, wgpu::Buffer>,
    layout: Layout,
    prepare: Vec<Step>,
    run: Vec<Step>,
    results: Vec<Wanted>,
    staging: wgpu::Buffer,
    /// Where results go on their way to sources.
    between: Option<wgpu::Buffer>,
    /// Bytes in the arena.
    pub bytes: u64,
}

/// Dispatches that one command buffer takes.
const LONGEST: usize = 20_000;

impl Placed {
    /// Takes memory on the device, makes pipelines and bind groups. Errors: it does not fit, or the device refuses.
    pub fn new(device: &Arc<Device>, program: &Program, sizes: &Sizes, memory: u64) -> Result<Placed, Diagnostic> {
        let size = |s: &Size| known(s, sizes);
        let Some(layout) = arena::place(program, sizes) else {
            return Err(refuse("the model takes more bytes than can be counted".to_string()));
        };
        fits(program, &layout, device, memory)?;
        finishes(program, device, &size)?;
        arena::disjoint(program, &layout).map_err(|(a, b)| {
            Diagnostic::plain(Code::H0899, format!("the buffers `{a}` and `{b}` overlap")).note("this is a bug in hnet")
        })?;
        let buffer = |label: &str, size: u64, usage: wgpu::BufferUsages| {
            device.device.create_buffer(&wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false })
        };
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC;
        let arena = buffer("arena", layout.total, usage);
        let mut grids = BTreeMap::new();
        for item in &program.items {
            arena::visit(item, &mut |d| {
                if let Grid::Indirect { buffer: b, .. } = d.grid {
                    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::INDIRECT;
                    grids.entry(b).or_insert_with(|| buffer("grids", layout.lengths[b], usage));
                }
            });
        }
        device.fault()?;
        let words = blocks(&program.items).max(1) * BLOCK;
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
        let uniforms = buffer("sizes", words as u64 * 4, usage);
        let mut maker = Maker {
            device,
            program,
            layout: &layout,
            arena: &arena,
            grids: &grids,
            uniforms,
            words: Vec::new(),
            size: &size,
            number: 0,
            pipelines: vec![None; program.shaders.len()],
        };
        maker.compile();
        let prepare = maker.steps(&program.items[..program.prepared])?;
        let run = maker.steps(&program.items[program.prepared..])?;
        device.queue.write_buffer(&maker.uniforms, 0, bytemuck::cast_slice(&maker.words));
        let mut results: Vec<Wanted> = Vec::new();
        let mut staged = 0;
        for b in &program.outputs {
            let known = results.iter().find(|r| r.buffer == *b).map(|r| r.staged);
            let made = &program.buffers[*b];
            let shape = made.shape.iter().map(|s| size(s) as usize).collect();
            results.push(Wanted { buffer: *b, shape, dtype: made.dtype, staged: known.unwrap_or(staged) });
            if known.is_none() {
                staged += layout.lengths[*b];
            }
        }
        let staging = buffer("results", staged.max(4), wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
        device.fault()?;
        let bytes = layout.total;
        Ok(Placed { device: device.clone(), arena, grids, layout, prepare, run, results, staging, between: None, bytes })
    }

    /// Puts the words of a source in their place.
    pub fn upload(&self, buffer: usize, words: &[u32]) {
        if !words.is_empty() {
            self.device.queue.write_buffer(&self.arena, self.layout.offsets[buffer], bytemuck::cast_slice(words));
        }
    }

    /// Runs what depends on no input.
    pub fn prepare(&self) -> Result<(), Diagnostic> {
        self.submit(&self.prepare, &|_| false, None)
    }

    /// Runs the rest and reads the results.
    pub fn run(&self) -> Result<Vec<Tensor>, Diagnostic> {
        self.run_telling(&|_| true)
    }

    /// Runs the rest and reads the results with these numbers; the others come without elements.
    pub fn run_telling(&self, told: &dyn Fn(usize) -> bool) -> Result<Vec<Tensor>, Diagnostic> {
        self.submit(&self.run, told, None)?;
        if !(0..self.results.len()).any(told) {
            return Ok(self.results.iter().map(|r| r.tensor(&[])).collect());
        }
        self.read(told)
    }

    /// Copies buffers to others of the same length, all at once: each reads what was there before.
    pub fn copy(&mut self, pairs: &[(usize, usize)]) -> Result<(), Diagnostic> {
        let total: u64 = pairs.iter().map(|(from, _)| self.layout.lengths[*from]).sum();
        if total == 0 {
            return Ok(());
        }
        let device = &self.device.device;
        // A copy within one buffer is not allowed.
        if self.between.as_ref().is_none_or(|b| b.size() < total) {
            let usage = wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
            let made = wgpu::BufferDescriptor { label: Some("handed on"), size: total, usage, mapped_at_creation: false };
            self.between = Some(device.create_buffer(&made));
        }
        let between = self.between.as_ref().expect("made before");
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("handed on") });
        let mut at = 0;
        for (from, _) in pairs {
            let n = self.layout.lengths[*from];
            encoder.copy_buffer_to_buffer(&self.arena, self.layout.offsets[*from], between, at, n);
            at += n;
        }
        at = 0;
        for (from, to) in pairs {
            let n = self.layout.lengths[*from];
            encoder.copy_buffer_to_buffer(between, at, &self.arena, self.layout.offsets[*to], n);
            at += n;
        }
        self.device.queue.submit([encoder.finish()]);
        self.device.fault()
    }

    /// Reads the words of a buffer.
    pub fn download(&self, buffer: usize) -> Result<Vec<u32>, Diagnostic> {
        let n = self.layout.lengths[buffer];
        if n == 0 {
            return Ok(vec![]);
        }
        let device = &self.device.device;
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let made = wgpu::BufferDescriptor { label: Some("read"), size: n, usage, mapped_at_creation: false };
        let staging = device.create_buffer(&made);
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("read") });
        encoder.copy_buffer_to_buffer(&self.arena, self.layout.offsets[buffer], &staging, 0, n);
        self.device.queue.submit([encoder.finish()]);
        let view = self.mapped(&staging)?;
        Ok(view.chunks_exact(4).map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]])).collect())
    }

    /// What a buffer for reading holds, once all that was asked for is done.
    fn mapped(&self, staging: &wgpu::Buffer) -> Result<wgpu::BufferView, Diagnostic> {
        staging.map_async(wgpu::MapMode::Read, .., |_| {});
        self.wait()?;
        staging
            .get_mapped_range(..)
            .map_err(|e| Diagnostic::plain(Code::H0903, format!("{} did not give the results: {e}", self.device.info.name)))
    }

    /// Runs the rest without reading anything, and waits for it.
    pub fn run_only(&self) -> Result<(), Diagnostic> {
        self.submit(&self.run, &|_| false, None)?;
        self.wait()
    }

    fn wait(&self) -> Result<(), Diagnostic> {
        let poll = self.device.device.poll(wgpu::PollType::wait_indefinitely());
        self.device.fault()?;
        poll.map(|_| ()).map_err(|e| Diagnostic::plain(Code::H0903, format!("{} gave up: {e}", self.device.info.name)))
    }

    /// One encoder, one pass.
    fn submit(&self, steps: &[Step], told: &dyn Fn(usize) -> bool, clock: Option<&Clock>) -> Result<(), Diagnostic> {
        let device = &self.device.device;
        let mut flat: Vec<&Ready> = Vec::new();
        spread(steps, &mut flat);
        let chunks: Vec<&[&Ready]> = flat.chunks(LONGEST).collect();
        let mut commands = Vec::new();
        for chunk in &chunks {
            let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("hnet") });
            {
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                for ready in *chunk {
                    if let Some(c) = clock {
                        c.stamp(&mut pass);
                    }
                    pass.set_pipeline(&ready.pipeline);
                    pass.set_bind_group(0, &ready.group, &[]);
                    match ready.grid {
                        ReadyGrid::Work(x, y) => pass.dispatch_workgroups(x, y, 1),
                        ReadyGrid::Indirect(b, at) => pass.dispatch_workgroups_indirect(&self.grids[&b], at),
                    }
                    if let Some(c) = clock {
                        c.stamp(&mut pass);
                    }
                }
            }
            commands.push(encoder.finish());
        }
        if clock.is_some() || (0..self.results.len()).any(told) {
            let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("results") });
            for (_, r) in self.results.iter().enumerate().filter(|(k, _)| told(*k)) {
                let (at, n) = (self.layout.offsets[r.buffer], self.layout.lengths[r.buffer]);
                encoder.copy_buffer_to_buffer(&self.arena, at, &self.staging, r.staged, n);
            }
            if let Some(c) = clock {
                c.resolve(&mut encoder);
            }
            commands.push(encoder.finish());
        }
        self.device.queue.submit(commands);
        self.device.fault()
    }

    fn read(&self, told: &dyn Fn(usize) -> bool) -> Result<Vec<Tensor>, Diagnostic> {
        let view = self.mapped(&self.staging)?;
        let mut out = Vec::new();
        for (k, r) in self.results.iter().enumerate() {
            let n: usize = r.shape.iter().product();
            out.push(r.tensor(if told(k) { &view[r.staged as usize..r.staged as usize + 4 * n] } else { &[] }));
        }
        drop(view);
        self.staging.unmap();
        Ok(out)
    }
}

fn spread<'a>(steps: &'a [Step], out: &mut Vec<&'a Ready>) {
    for s in steps {
        match s {
            Step::Run(r) => out.push(r),
            Step::Repeat(n, body) => (0..*n).for_each(|_| spread(body, out)),
        }
    }
}

impl Program {
    /// The sources: path, buffer, whether `prepare` takes it.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (Arc<str>, usize, bool)> {
        self.buffers.iter().enumerate().filter_map(|(n, b)| match &b.kind {
            Kind::Source(path) => Some((path.clone(), n, b.early)),
            Kind::Temp | Kind::Output => None,
        })
    }
}
