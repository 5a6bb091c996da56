//! A program at certain sizes on a device: one arena, bind groups made once, and runs that read nothing back but the results.

use super::arena::{self, Layout};
use super::device::Device;
use super::program::{Dispatch, Grid, Item, Kind, Program, WIDEST, Word};
use crate::diag::Diagnostic;
use crate::ir::sizes::known;
use crate::ir::{DType, Size};
use crate::ir::{Data, Tensor};
use crate::plan::Sizes;
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

/// Times of one dispatch, in nanoseconds since the device's own beginning.
#[derive(Clone, Copy, Debug)]
pub struct Timed {
    pub number: usize,
    pub start: f64,
    pub end: f64,
}

/// A result: where it lies, and where it is read from.
struct Result_ {
    buffer: usize,
    shape: Vec<usize>,
    dtype: DType,
    staged: u64,
}

pub(crate) struct Placed {
    device: Arc<Device>,
    arena: wgpu::Buffer,
    /// Buffers that grids are read from: no dispatch may write what it takes its grid from, so they lie apart.
    grids: BTreeMap<usize, wgpu::Buffer>,
    layout: Layout,
    prepare: Vec<Step>,
    run: Vec<Step>,
    results: Vec<Result_>,
    staging: wgpu::Buffer,
    /// Bytes in the arena.
    pub bytes: u64,
}

/// Dispatches that one command buffer takes.
const LONGEST: usize = 20_000;

fn refuse(what: String) -> Diagnostic {
    Diagnostic::plain("H0902", what).help("make a free dim smaller, or run on the CPU with `--backend cpu`")
}

fn fits(program: &Program, layout: &Layout, device: &Device, memory: u64) -> Result<(), Diagnostic> {
    let limit = device.limits.max_storage_buffer_binding_size;
    let reach = program.windows.map_or(limit, |(n, bytes)| bytes * u64::from(n));
    // Words are counted in 32 bits.
    let most = memory.min(device.limits.max_buffer_size).min(4 << 32);
    if layout.total > most {
        return Err(refuse(format!(
            "the model takes {} bytes at this size, {} more than the {most} that this device holds in one piece",
            layout.total,
            layout.total - most
        )));
    }
    let mut wrong = None;
    for item in &program.items {
        arena::visit(item, &mut |d| {
            if d.packed && layout.total > reach {
                wrong.get_or_insert_with(|| {
                    format!(
                        "the model takes {} bytes at this size, {} more than the {reach} that a shader of this device reaches",
                        layout.total,
                        layout.total - reach
                    )
                });
            }
            for b in d.bindings.iter().filter(|b| !d.packed && layout.lengths[**b] > limit) {
                let (name, n) = (&program.buffers[*b].name, layout.lengths[*b]);
                wrong.get_or_insert_with(|| {
                    format!("`{name}` takes {n} bytes, {} more than this device binds at once", n - limit)
                });
            }
        });
    }
    wrong.map_or(Ok(()), |w| Err(refuse(w)))
}

/// Rounds after which Mesa's software device ends the loops of a thread, without a word.
const SOFTWARE_ROUNDS: i64 = 65_535;

/// Whether a software device would give wrong numbers: some thread would go round too often.
fn patient(program: &Program, device: &Device, size: &dyn Fn(&Size) -> i64) -> Result<(), Diagnostic> {
    if !device.info.name.contains("llvmpipe") {
        return Ok(());
    }
    let mut wrong = None;
    for item in &program.items {
        arena::visit(item, &mut |d| {
            let known = size(&d.rounds);
            let rounds = match &d.grid {
                Grid::Work { count, per } if d.rounds.is(0) => {
                    let code = &program.shaders[d.shader].code;
                    let threads = code
                        .split("@workgroup_size(")
                        .nth(1)
                        .and_then(|t| t.split(')').next())
                        .and_then(|t| t.parse::<i64>().ok());
                    let groups = size(count).max(1) as u64;
                    let all = groups.div_ceil(u64::from(*per)) as i64 * threads.unwrap_or(64);
                    // A multiplication and an addition a round.
                    size(&d.flops) / 2 / all
                }
                Grid::Work { .. } | Grid::Indirect { .. } => known,
            };
            if rounds > SOFTWARE_ROUNDS {
                wrong = Some(program.shaders[d.shader].name.clone());
            }
        });
    }
    wrong.map_or(Ok(()), |name| {
        let name = format!("`{name}` has a longer loop than {} runs: it stops after {SOFTWARE_ROUNDS} rounds", device.info.name);
        Err(refuse(name))
    })
}

struct Maker<'a> {
    device: &'a Arc<Device>,
    program: &'a Program,
    layout: &'a Layout,
    arena: &'a wgpu::Buffer,
    grids: &'a BTreeMap<usize, wgpu::Buffer>,
    uniforms: wgpu::Buffer,
    words: Vec<u32>,
    size: &'a dyn Fn(&Size) -> i64,
    number: usize,
}

/// Words of one uniform block: what offsets are aligned to.
const BLOCK: usize = 64;

fn blocks(items: &[Item]) -> usize {
    items
        .iter()
        .map(|i| match i {
            Item::Dispatch(d) => d.words.len().div_ceil(BLOCK),
            Item::Repeat { body, .. } => blocks(body),
        })
        .sum()
}

impl Maker<'_> {
    fn steps(&mut self, items: &[Item]) -> Result<Vec<Step>, Diagnostic> {
        let mut out = Vec::new();
        for item in items {
            match item {
                Item::Dispatch(d) => {
                    let number = self.number;
                    self.number += 1;
                    if let Some(ready) = self.dispatch(d, number)? {
                        out.push(Step::Run(ready));
                    }
                }
                Item::Repeat { trips, body } => {
                    let n = (self.size)(trips).max(0) as u64;
                    let body = self.steps(body)?;
                    if n > 0 {
                        out.push(Step::Repeat(n, body));
                    }
                }
            }
        }
        Ok(out)
    }

    fn dispatch(&mut self, d: &Dispatch, number: usize) -> Result<Option<Ready>, Diagnostic> {
        let shader = &self.program.shaders[d.shader];
        let grid = match &d.grid {
            Grid::Indirect { buffer, at } => ReadyGrid::Indirect(*buffer, u64::from(*at) * 4),
            Grid::Work { count, per } => {
                let n = (self.size)(count).max(0) as u64;
                if n == 0 {
                    return Ok(None);
                }
                let groups = n.div_ceil(u64::from(*per));
                let threads = groups.saturating_mul(u64::from(*per));
                let (x, y) = (groups.min(WIDEST.into()), groups.div_ceil(WIDEST.into()));
                if y > WIDEST.into() || threads.saturating_add(u64::from(WIDEST) * u64::from(*per)) > u64::from(u32::MAX) {
                    let name = &shader.name;
                    return Err(refuse(format!("`{name}` has {n} elements, more than a GPU counts in 32 bits")));
                }
                ReadyGrid::Work(x as u32, y as u32)
            }
        };
        let windows = self.program.windows.map_or(1, |w| w.0 as usize);
        let bindings = if d.packed { windows } else { d.bindings.len() };
        let pipeline = self.device.pipeline(&shader.name, &shader.code, bindings, !d.words.is_empty());
        let layout = self.device.layout(bindings, !d.words.is_empty());
        let mut entries = Vec::new();
        if !d.words.is_empty() {
            let at = self.words.len();
            for w in &d.words {
                self.words.push(match w {
                    Word::Size(s) if (self.size)(s) > u32::MAX.into() => {
                        let name = &shader.name;
                        return Err(refuse(format!("`{name}` needs the size {s}, more than a GPU counts in 32 bits")));
                    }
                    // What is below zero is added modulo 2^32.
                    Word::Size(s) => (self.size)(s) as u32,
                    Word::Real(s) => ((self.size)(s) as f32).to_bits(),
                    Word::At(b) => (self.layout.offsets[*b] / 4) as u32,
                });
            }
            self.words.resize(self.words.len().next_multiple_of(BLOCK), 0);
            entries.push((0, &self.uniforms, at as u64 * 4, (d.words.len() as u64 * 4).next_multiple_of(16)));
        }
        if d.packed {
            let one = self.program.windows.map_or(self.layout.total, |w| w.1);
            for n in 0..windows as u64 {
                entries.push((n as u32 + 1, self.arena, n * one, one.min(self.layout.total - n * one)));
            }
        } else {
            for (n, b) in d.bindings.iter().enumerate() {
                let (buffer, at) = self.grids.get(b).map_or((self.arena, self.layout.offsets[*b]), |g| (g, 0));
                entries.push((n as u32 + 1, buffer, at, self.layout.lengths[*b]));
            }
        }
        let entries: Vec<wgpu::BindGroupEntry> = entries
            .into_iter()
            .map(|(binding, buffer, offset, size)| wgpu::BindGroupEntry {
                binding,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer,
                    offset,
                    size: wgpu::BufferSize::new(size),
                }),
            })
            .collect();
        let group =
            self.device.device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout: &layout, entries: &entries });
        Ok(Some(Ready { pipeline, group, grid, number }))
    }
}

impl Placed {
    /// Takes memory on the device, makes pipelines and bind groups. Errors: it does not fit, or the device refuses.
    pub fn new(device: &Arc<Device>, program: &Program, sizes: &Sizes, memory: u64) -> Result<Placed, Diagnostic> {
        let size = |s: &Size| known(s, sizes);
        let Some(layout) = arena::place(program, &|s| Some(size(s))) else {
            return Err(refuse("the model takes more bytes than can be counted".to_string()));
        };
        fits(program, &layout, device, memory)?;
        patient(program, device, &size)?;
        arena::disjoint(program, &layout).map_err(|(a, b)| {
            Diagnostic::plain("H0899", format!("the buffers `{a}` and `{b}` overlap")).note("this is a bug in hnet")
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
        let uniforms = buffer("sizes", words as u64 * 4, wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST);
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
        };
        let prepare = maker.steps(&program.items[..program.prepared])?;
        let run = maker.steps(&program.items[program.prepared..])?;
        device.queue.write_buffer(&maker.uniforms, 0, bytemuck::cast_slice(&maker.words));
        let mut results: Vec<Result_> = Vec::new();
        let mut staged = 0;
        for b in &program.outputs {
            let known = results.iter().find(|r| r.buffer == *b).map(|r| r.staged);
            let made = &program.buffers[*b];
            let shape = made.shape.iter().map(|s| size(s) as usize).collect();
            results.push(Result_ { buffer: *b, shape, dtype: made.dtype, staged: known.unwrap_or(staged) });
            if known.is_none() {
                staged += layout.lengths[*b];
            }
        }
        let staging = buffer("results", staged.max(4), wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST);
        device.fault()?;
        let bytes = layout.total;
        Ok(Placed { device: device.clone(), arena, grids, layout, prepare, run, results, staging, bytes })
    }

    /// Puts the words of a source in their place.
    pub fn upload(&self, buffer: usize, words: &[u32]) {
        if !words.is_empty() {
            self.device.queue.write_buffer(&self.arena, self.layout.offsets[buffer], bytemuck::cast_slice(words));
        }
    }

    /// Runs what depends on no input.
    pub fn prepare(&self) -> Result<(), Diagnostic> {
        self.submit(&self.prepare, false, None)
    }

    /// Runs the rest and reads the results.
    pub fn run(&self) -> Result<Vec<Tensor>, Diagnostic> {
        self.submit(&self.run, true, None)?;
        self.read()
    }

    /// Runs the rest without reading anything, and waits for it.
    pub fn run_only(&self) -> Result<(), Diagnostic> {
        self.submit(&self.run, false, None)?;
        self.wait()
    }

    fn wait(&self) -> Result<(), Diagnostic> {
        let poll = self.device.device.poll(wgpu::PollType::wait_indefinitely());
        self.device.fault()?;
        poll.map(|_| ()).map_err(|e| Diagnostic::plain("H0903", format!("{} gave up: {e}", self.device.info.name)))
    }

    /// One encoder, one pass.
    fn submit(&self, steps: &[Step], results: bool, clock: Option<&Clock>) -> Result<(), Diagnostic> {
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
        if results || clock.is_some() {
            let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("results") });
            for r in self.results.iter().filter(|_| results) {
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

    fn read(&self) -> Result<Vec<Tensor>, Diagnostic> {
        self.staging.map_async(wgpu::MapMode::Read, .., |_| {});
        self.wait()?;
        let view = self
            .staging
            .get_mapped_range(..)
            .map_err(|e| Diagnostic::plain("H0903", format!("{} did not give the results: {e}", self.device.info.name)))?;
        let mut out = Vec::new();
        for r in &self.results {
            let n: usize = r.shape.iter().product();
            let bytes = &view[r.staged as usize..r.staged as usize + 4 * n];
            let words = bytes.chunks_exact(4).map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]]));
            let data = match r.dtype {
                DType::F32 => Data::F32(words.map(f32::from_bits).collect()),
                DType::I32 => Data::I32(words.map(|w| w as i32).collect()),
                DType::Bool => Data::Bool(words.map(|w| u8::from(w != 0)).collect()),
            };
            out.push(Tensor { shape: r.shape.clone(), data });
        }
        drop(view);
        self.staging.unmap();
        Ok(out)
    }

    /// Runs the rest once and measures each dispatch. Errors: the device has no clock.
    pub fn profile(&self) -> Result<Vec<Timed>, Diagnostic> {
        let Some(tick) = self.device.tick else {
            return Err(Diagnostic::plain("H0904", format!("{} cannot measure the time of a shader", self.device.info.name)));
        };
        let mut flat: Vec<&Ready> = Vec::new();
        spread(&self.run, &mut flat);
        // A query set is of limited length; longer runs are measured as far as it goes.
        let count = flat.len().min(wgpu::QUERY_SET_MAX_QUERIES as usize / 2);
        let clock = Clock::new(&self.device, count as u32 * 2);
        self.submit(&self.run, false, Some(&clock))?;
        let stamps = clock.read(self)?;
        let time = |n: usize| stamps[n].wrapping_sub(stamps[0]) as f64 * f64::from(tick);
        Ok((0..count).map(|k| Timed { number: flat[k].number, start: time(2 * k), end: time(2 * k + 1) }).collect())
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

/// Time stamps of a run.
struct Clock {
    set: wgpu::QuerySet,
    next: std::cell::Cell<u32>,
    count: u32,
    ticks: wgpu::Buffer,
    staging: wgpu::Buffer,
}

impl Clock {
    fn new(device: &Device, count: u32) -> Clock {
        let bytes = u64::from(count.max(2)) * 8;
        let make = |usage| {
            device.device.create_buffer(&wgpu::BufferDescriptor { label: None, size: bytes, usage, mapped_at_creation: false })
        };
        let descriptor = wgpu::QuerySetDescriptor { label: None, ty: wgpu::QueryType::Timestamp, count: count.max(2) };
        Clock {
            set: device.device.create_query_set(&descriptor),
            next: std::cell::Cell::new(0),
            count,
            ticks: make(wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC),
            staging: make(wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST),
        }
    }

    fn stamp(&self, pass: &mut wgpu::ComputePass) {
        let n = self.next.get();
        if n < self.count {
            pass.write_timestamp(&self.set, n);
            self.next.set(n + 1);
        }
    }

    fn resolve(&self, encoder: &mut wgpu::CommandEncoder) {
        if self.count > 0 {
            encoder.resolve_query_set(&self.set, 0..self.count, &self.ticks, 0);
            encoder.copy_buffer_to_buffer(&self.ticks, 0, &self.staging, 0, u64::from(self.count) * 8);
        }
    }

    fn read(&self, placed: &Placed) -> Result<Vec<u64>, Diagnostic> {
        self.staging.map_async(wgpu::MapMode::Read, .., |_| {});
        placed.wait()?;
        let view = self
            .staging
            .get_mapped_range(..)
            .map_err(|e| Diagnostic::plain("H0903", format!("the device did not give its times: {e}")))?;
        Ok(view.chunks_exact(8).map(|c| u64::from_le_bytes([c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]])).collect())
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
