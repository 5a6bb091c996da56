//! When each dispatch of a run begins and ends.

use super::{Placed, Ready, spread};
use crate::diag::{Code, Diagnostic};
use crate::gpu::device::Device;

/// Times of one dispatch, in nanoseconds since the device's own beginning.
#[derive(Clone, Copy, Debug)]
pub struct Timed {
    pub number: usize,
    pub start: f64,
    pub end: f64,
}

impl Placed {
    /// Runs the rest once and measures each dispatch. Errors: the device has no clock.
    pub fn profile(&self) -> Result<Vec<Timed>, Diagnostic> {
        let Some(tick) = self.device.tick else {
            return Err(Diagnostic::plain(Code::H0904, format!("{} cannot measure the time of a shader", self.device.info.name)));
        };
        let mut flat: Vec<&Ready> = Vec::new();
        spread(&self.run, &mut flat);
        // A query set is of limited length; longer runs are measured as far as it goes.
        let count = flat.len().min(wgpu::QUERY_SET_MAX_QUERIES as usize / 2);
        let clock = Clock::new(&self.device, count as u32 * 2);
        self.submit(&self.run, &|_| false, Some(&clock))?;
        let stamps = clock.read(self)?;
        let time = |n: usize| stamps[n].wrapping_sub(stamps[0]) as f64 * f64::from(tick);
        Ok((0..count).map(|k| Timed { number: flat[k].number, start: time(2 * k), end: time(2 * k + 1) }).collect())
    }
}

/// Time stamps of a run.
pub(super) struct Clock {
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

    pub fn stamp(&self, pass: &mut wgpu::ComputePass) {
        let n = self.next.get();
        if n < self.count {
            pass.write_timestamp(&self.set, n);
            self.next.set(n + 1);
        }
    }

    pub fn resolve(&self, encoder: &mut wgpu::CommandEncoder) {
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
            .map_err(|e| Diagnostic::plain(Code::H0903, format!("the device did not give its times: {e}")))?;
        Ok(view.chunks_exact(8).map(|c| u64::from_le_bytes([c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7]])).collect())
    }
}
