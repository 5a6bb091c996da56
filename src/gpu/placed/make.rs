//! Dispatches with everything bound, made once.

use super::limits::refuse;
use super::{Ready, ReadyGrid, Step};
use crate::diag::Diagnostic;
use crate::gpu::arena::{Layout, visit};
use crate::gpu::device::Device;
use crate::gpu::program::{Dispatch, Grid, Item, Program, WIDEST, Word};
use crate::ir::Size;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

pub(super) struct Maker<'a> {
    pub device: &'a Arc<Device>,
    pub program: &'a Program,
    pub layout: &'a Layout,
    pub arena: &'a wgpu::Buffer,
    pub grids: &'a BTreeMap<usize, wgpu::Buffer>,
    pub uniforms: wgpu::Buffer,
    pub words: Vec<u32>,
    pub size: &'a dyn Fn(&Size) -> i64,
    pub number: usize,
    /// For each shader, once something that is to be done asks for it.
    pub pipelines: Vec<Option<Arc<wgpu::ComputePipeline>>>,
}

/// Words of one uniform block: what offsets are aligned to.
pub(super) const BLOCK: usize = 64;

pub(super) fn blocks(items: &[Item]) -> usize {
    items
        .iter()
        .map(|i| match i {
            Item::Dispatch(d) => d.words.len().div_ceil(BLOCK),
            Item::Repeat { body, .. } => blocks(body),
        })
        .sum()
}

/// Bindings of a dispatch besides the uniform block.
fn bindings(program: &Program, d: &Dispatch) -> usize {
    if d.packed { program.windows.map_or(1, |w| w.0 as usize) } else { d.bindings.len() }
}

/// Bytes of stack for a thread that compiles, as a program's first thread has them.
const STACK: usize = 8 << 20;

impl Maker<'_> {
    /// Makes the pipelines of all that is to be done, as many at a time as there are processors: a driver takes its time for each.
    pub fn compile(&mut self) {
        let mut wanted: BTreeMap<usize, (usize, bool)> = BTreeMap::new();
        for item in &self.program.items {
            visit(item, &mut |d| {
                let idle = matches!(&d.grid, Grid::Work { count, .. } if (self.size)(count) <= 0);
                if !idle && self.pipelines[d.shader].is_none() {
                    wanted.entry(d.shader).or_insert_with(|| (bindings(self.program, d), !d.words.is_empty()));
                }
            });
        }
        let (device, shaders, next) = (self.device, &self.program.shaders, AtomicUsize::new(0));
        let all: Vec<_> = wanted.into_iter().map(|(shader, how)| (shader, how, OnceLock::new())).collect();
        let some = || {
            while let Some((shader, (bindings, uniform), made)) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                made.get_or_init(|| device.pipeline(&shaders[*shader], *bindings, *uniform));
            }
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(all.len());
        std::thread::scope(|s| {
            // Where no more threads can be started, those that there are do all of it.
            let others = (1..threads).map(|_| std::thread::Builder::new().stack_size(STACK).spawn_scoped(s, some));
            let _running: Vec<_> = others.collect();
            some();
        });
        for (shader, _, made) in all {
            self.pipelines[shader] = made.into_inner();
        }
    }

    pub fn steps(&mut self, items: &[Item]) -> Result<Vec<Step>, Diagnostic> {
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
                    let name = &d.name;
                    return Err(refuse(format!("`{name}` has {n} elements, more than a GPU counts in 32 bits")));
                }
                ReadyGrid::Work(x as u32, y as u32)
            }
        };
        let bindings = bindings(self.program, d);
        let shader = &self.program.shaders[d.shader];
        let make = || self.device.pipeline(shader, bindings, !d.words.is_empty());
        let pipeline = self.pipelines[d.shader].get_or_insert_with(make).clone();
        let layout = self.device.layout(bindings, !d.words.is_empty());
        let mut entries = Vec::new();
        if !d.words.is_empty() {
            let at = self.words.len();
            for w in &d.words {
                self.words.push(match w {
                    Word::Size(s) if (self.size)(s) > u32::MAX.into() => {
                        let name = &d.name;
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
            for n in 0..bindings as u64 {
                entries.push((n as u32 + 1, self.arena, n * one, one.min(self.layout.total - n * one)));
            }
        } else {
            for (n, b) in d.bindings.iter().enumerate() {
                let length = self.layout.lengths[*b];
                // A buffer may be bound as vectors of four, and one without elements has room for a vector all the same.
                let (buffer, at, length) =
                    self.grids.get(b).map_or((self.arena, self.layout.offsets[*b], length.max(16)), |g| (g, 0, length));
                entries.push((n as u32 + 1, buffer, at, length));
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
