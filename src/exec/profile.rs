//! Where the time of a run goes: one row for each kernel, and when each of them ran.

#[cfg(feature = "gpu")]
use crate::diag::Diagnostic;
#[cfg(feature = "gpu")]
use crate::gpu::{self, Dispatch, Item};
#[cfg(feature = "cpu")]
use crate::plan::Told;
#[cfg(feature = "gpu")]
use crate::{ir::Size, plan::Sizes};

/// What a device does at best, a second.
#[derive(Clone, Copy, Debug)]
pub struct Peak {
    /// Floating-point operations; a multiply-add is two.
    pub flops: f64,
    /// Bytes read and written.
    pub bytes: f64,
}

/// A kernel, with all its rounds.
#[derive(Clone, Debug)]
pub struct Spent {
    pub name: String,
    /// What a step of the CPU is, with its lengths; empty on a device.
    pub what: String,
    pub count: usize,
    pub seconds: f64,
    /// Bytes of all that it reads and writes, each once a round; not counted on the CPU.
    pub bytes: Option<f64>,
    /// Floating-point operations; on the CPU those of products alone.
    pub flops: Option<f64>,
    /// Seconds that a step of the CPU should take on one thread, where that can be said.
    pub foreseen: Option<f64>,
}

/// One run of a kernel, in seconds since the beginning.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// Its place in [`Profile::kernels`].
    pub kernel: usize,
    pub start: f64,
    pub end: f64,
}

/// A measured run; what was prepared before is not part of it.
#[derive(Clone, Debug)]
pub struct Profile {
    pub backend: &'static str,
    pub device: String,
    pub kernels: Vec<Spent>,
    pub events: Vec<Event>,
    /// Dispatches of the run; more than there are events where the device's clock stops earlier. None on the CPU.
    pub dispatches: Option<usize>,
    pub peak: Option<Peak>,
}

impl Spent {
    /// Share of the device's peak, and of which one: that which it comes closer to.
    pub fn share(&self, peak: &Peak) -> Option<(f64, &'static str)> {
        let (flops, bytes) = (self.flops? / self.seconds / peak.flops, self.bytes? / self.seconds / peak.bytes);
        let best = if flops > bytes { (flops, "arithmetic") } else { (bytes, "memory") };
        best.0.is_finite().then_some(best)
    }
}

#[cfg(feature = "gpu")]
fn dispatches<'a>(items: &'a [Item], out: &mut Vec<&'a Dispatch>) {
    for item in items {
        match item {
            Item::Dispatch(d) => out.push(d),
            Item::Repeat { body, .. } => dispatches(body, out),
        }
    }
}

/// Of the dispatches of one run on a device.
#[cfg(feature = "gpu")]
pub(super) fn of_dispatches(
    device: &gpu::Device,
    program: &gpu::Program,
    sizes: &Sizes,
    times: &[gpu::Timed],
) -> Result<Profile, Diagnostic> {
    let (gpu::Peak { flops, bytes }, device) = (device.peak()?, device.describe());
    let peak = Peak { flops, bytes };
    let mut out = Profile { backend: "gpu", device, kernels: Vec::new(), events: Vec::new(), dispatches: None, peak: Some(peak) };
    let size = |s: &Size| crate::ir::sizes::known(s, sizes);
    let mut all = Vec::new();
    dispatches(&program.items, &mut all);
    let mut rows = std::collections::BTreeMap::new();
    for t in times {
        let d = all[t.number];
        let kernel = *rows.entry(t.number).or_insert_with(|| {
            let name = d.name.clone();
            let (bytes, flops) = (Some(0.0), Some(0.0));
            out.kernels.push(Spent { name, what: String::new(), count: 0, seconds: 0.0, bytes, flops, foreseen: None });
            out.kernels.len() - 1
        });
        let bytes: f64 = d.bindings.iter().map(|b| 4.0 * size(&program.buffers[*b].len()) as f64).sum();
        let row = &mut out.kernels[kernel];
        row.count += 1;
        row.seconds += (t.end - t.start) * 1e-9;
        row.bytes = row.bytes.map(|n| n + bytes);
        row.flops = row.flops.map(|n| n + size(&d.flops) as f64);
        out.events.push(Event { kernel, start: t.start * 1e-9, end: t.end * 1e-9 });
    }
    out.dispatches = Some(program.dispatches(&size));
    Ok(out)
}

/// Of the steps of one run on the CPU, laid end to end: those that run tile by tile take turns in truth.
#[cfg(feature = "cpu")]
pub(super) fn of_steps(steps: Vec<(String, f64)>, told: Vec<Told>) -> Profile {
    let mut out = Profile {
        backend: "cpu",
        device: "the CPU".into(),
        kernels: Vec::new(),
        events: Vec::new(),
        dispatches: None,
        peak: None,
    };
    let mut now = 0.0;
    for ((name, seconds), Told { what, flops, seconds: foreseen, .. }) in
        steps.into_iter().zip(told).filter(|t| t.0.1 > 0.0 && !t.1.elsewhere)
    {
        out.events.push(Event { kernel: out.kernels.len(), start: now, end: now + seconds });
        out.kernels.push(Spent { name, what, count: 1, seconds, bytes: None, flops, foreseen });
        now += seconds;
    }
    out
}
