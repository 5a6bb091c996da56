//! What the decisions are for: code for this processor, or shaders for a device.

use crate::cli::doctor::processor;
use crate::cpu;
use crate::diag::Diagnostic;
use crate::exec::session::Backend;
use crate::gpu::{self, Device, Reach};
use crate::ir::{Target, What};
use crate::pipeline::Forward;
use crate::plan::{Decision, Fate, Sizes, Terms};
use std::sync::Arc;

/// As the command line names it.
#[derive(Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Backends {
    /// Code compiled for this machine
    #[default]
    Cpu,
    /// Shaders for the graphics device
    Gpu,
}

/// What the decisions are for.
pub enum On {
    Cpu,
    /// No device: for a graphics card, as the shaders that are snapshot and those of a page are.
    Gpu(Option<Arc<Device>>),
}

impl On {
    /// Errors: there is no device, and one is `needed`.
    pub fn new(on: Backends, needed: bool) -> Result<On, Diagnostic> {
        match on {
            Backends::Cpu => Ok(On::Cpu),
            Backends::Gpu if needed => Ok(On::Gpu(Some(Device::shared()?))),
            Backends::Gpu => Ok(On::Gpu(Device::shared().ok())),
        }
    }

    pub fn backend(&self) -> Backend {
        match self {
            On::Cpu => Backend::Cpu,
            On::Gpu(_) => Backend::Gpu,
        }
    }

    /// Whether it decides that.
    pub fn decides(&self, what: What) -> bool {
        match (what.target(), self) {
            (Target::Both, _) | (Target::Cpu, On::Cpu) | (Target::Gpu, On::Gpu(_)) => true,
            (Target::Cpu, On::Gpu(_)) | (Target::Gpu, On::Cpu) => false,
        }
    }

    /// What is decided, and what became of each pin of the source.
    pub fn decided(&self, forward: &Forward, sizes: &Sizes, terms: &Terms) -> Result<(Vec<Decision>, Vec<Fate>), Diagnostic> {
        let plan = forward.plan_on(sizes, terms)?;
        let (mut decisions, fates) = match self {
            On::Cpu => cpu::decided(&plan, sizes),
            On::Gpu(device) => gpu::decided(&plan, sizes, device.as_deref().map_or(Reach::default(), Reach::of)),
        };
        decisions.retain(|d| self.decides(d.site.what));
        Ok((decisions, fates))
    }

    /// What runs it, and the version of what drives that: `NVIDIA H200, driver 570.1`.
    pub fn machine(&self) -> (String, String) {
        match self {
            On::Cpu => (processor(), format!("hnet {}", env!("CARGO_PKG_VERSION"))),
            On::Gpu(Some(d)) => (d.info.name.clone(), format!("{} {}", d.info.driver, d.info.driver_info)),
            On::Gpu(None) => ("a graphics card".into(), String::new()),
        }
    }
}
