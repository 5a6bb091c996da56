//! What a device does at best: multiply-adds that touch no memory, and a copy that does nothing else. Measured once a process.

use super::device::Device;
use super::program::{Shader, WIDEST};
use crate::diag::{Code, Diagnostic};
use std::time::Instant;

/// Per second.
#[derive(Clone, Copy, Debug)]
pub struct Peak {
    /// Floating-point operations; a multiply-add is two.
    pub flops: f64,
    /// Bytes read and written.
    pub bytes: f64,
}

/// A measurement that takes at least so many seconds counts: what it costs to start one is a small part of that.
const LONG_ENOUGH: f64 = 0.02;

/// Eight chains of vectors, so that no multiply-add waits for the last.
const ADDS: &str = "@group(0) @binding(1) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let item = (wg.y * 65535u + wg.x) * 64u + lane;
    let x = f32(item & 7u) * 0.125;
    let m = vec4<f32>(0.998, 0.997, 0.996, 0.995);
    let c = vec4<f32>(0.001, 0.002, 0.003, x);
    var a0 = vec4<f32>(x, x, x, 1.0);
    var a1 = a0 + 0.1;
    var a2 = a0 + 0.2;
    var a3 = a0 + 0.3;
    var a4 = a0 + 0.4;
    var a5 = a0 + 0.5;
    var a6 = a0 + 0.6;
    var a7 = a0 + 0.7;
    for (var i = 0u; i < 512u; i++) {
        a0 = fma(a0, m, c);
        a1 = fma(a1, m, c);
        a2 = fma(a2, m, c);
        a3 = fma(a3, m, c);
        a4 = fma(a4, m, c);
        a5 = fma(a5, m, c);
        a6 = fma(a6, m, c);
        a7 = fma(a7, m, c);
    }
    let s = a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7;
    y[item & 65535u] = s.x + s.y + s.z + s.w;
}
";
/// Operations of one thread of it.
const ADDS_OF_A_THREAD: f64 = 512.0 * 8.0 * 4.0 * 2.0;
/// Elements that it writes.
const ADDS_OUT: u64 = 65_536;

const COPY: &str = "@group(0) @binding(1) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let item = (wg.y * 65535u + wg.x) * 64u + lane;
    if (item >= arrayLength(&x)) { return; }
    y[item] = x[item];
}
";
/// Bytes that are copied: more than any cache holds, and little enough for a processor that plays a device.
const HARDWARE: u64 = 256 << 20;
const SOFTWARE: u64 = 32 << 20;

impl Device {
    /// Measured when it is first asked for. Errors: the device gives up.
    pub fn peak(&self) -> Result<Peak, Diagnostic> {
        self.peak.get_or_init(|| Ok(Peak { flops: self.adds()?, bytes: self.copies()? })).clone()
    }

    fn adds(&self) -> Result<f64, Diagnostic> {
        let y = self.scratch(ADDS_OUT * 4);
        let mut threads = 64 * 64;
        loop {
            let seconds = self.timed("peak of multiply-adds", ADDS, &[&y], threads, 1)?;
            if seconds >= LONG_ENOUGH || threads >= u64::from(WIDEST) * 64 {
                return Ok(threads as f64 * ADDS_OF_A_THREAD / seconds);
            }
            threads *= 4;
        }
    }

    fn copies(&self) -> Result<f64, Diagnostic> {
        let wanted = if self.is_software() { SOFTWARE } else { HARDWARE };
        let bytes = wanted.min(self.limits.max_storage_buffer_binding_size).min(self.limits.max_buffer_size) / 1024 * 1024;
        let (x, y) = (self.scratch(bytes), self.scratch(bytes));
        self.fault()?;
        let mut times = 1;
        loop {
            let seconds = self.timed("peak of a copy", COPY, &[&x, &y], bytes / 16, times)?;
            if seconds >= LONG_ENOUGH || times >= 4096 {
                return Ok(2.0 * bytes as f64 * times as f64 / seconds);
            }
            times *= 2;
        }
    }

    fn scratch(&self, size: u64) -> wgpu::Buffer {
        let usage = wgpu::BufferUsages::STORAGE;
        self.device.create_buffer(&wgpu::BufferDescriptor { label: Some("peak"), size, usage, mapped_at_creation: false })
    }

    /// Seconds of the better of two runs after one that warms up.
    fn timed(&self, name: &str, code: &str, buffers: &[&wgpu::Buffer], threads: u64, times: usize) -> Result<f64, Diagnostic> {
        let shader = Shader { name: name.to_string(), code: code.to_string() };
        let pipeline = self.pipeline(&shader, buffers.len(), false);
        let layout = self.layout(buffers.len(), false);
        let entries: Vec<_> =
            (1..).zip(buffers).map(|(binding, b)| wgpu::BindGroupEntry { binding, resource: b.as_entire_binding() }).collect();
        let descriptor = wgpu::BindGroupDescriptor { label: None, layout: &layout, entries: &entries };
        let group = self.device.create_bind_group(&descriptor);
        let groups = threads.div_ceil(64);
        let (x, y) = (groups.min(WIDEST.into()) as u32, groups.div_ceil(WIDEST.into()) as u32);
        let mut best = f64::INFINITY;
        for round in 0..3 {
            let start = Instant::now();
            let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            {
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                pass.set_pipeline(&pipeline);
                pass.set_bind_group(0, &group, &[]);
                (0..times).for_each(|_| pass.dispatch_workgroups(x, y, 1));
            }
            self.queue.submit([encoder.finish()]);
            let done = self.device.poll(wgpu::PollType::wait_indefinitely());
            self.fault()?;
            done.map_err(|e| Diagnostic::plain(Code::H0903, format!("{} gave up: {e}", self.info.name)))?;
            if round > 0 {
                best = best.min(start.elapsed().as_secs_f64());
            }
        }
        Ok(best.max(1e-9))
    }
}
