//! Every way that the planner might have taken, one after the other: all of them compute the same.

use super::check::{Failure, on_device, sizes_of};
use super::judge::F32;
use super::meant::Meant;
use crate::cpu;
use crate::exec::Engine;
use crate::gpu;
use crate::ir::{Graph, NodeId, Target};
use crate::plan::{self, Asked, Decision, Pins};
use std::sync::Arc;

/// Where programs run whose ways are taken in turn.
pub(super) struct Turns<'a> {
    /// The graph as the passes left it.
    pub graph: &'a Graph,
    pub wanted: &'a [NodeId],
    pub options: &'a cpu::Options,
    pub device: Option<Arc<gpu::Device>>,
}

impl Turns<'_> {
    /// Runs the graph once for each way that no run takes by itself; how many there are.
    pub fn take(&self, meant: &Meant) -> Result<usize, Failure> {
        let sizes = sizes_of(self.graph, meant.bindings)?;
        // What the planner refuses is said when the plan is to run.
        let Ok(plan) = plan::plan(self.graph, self.wanted, &sizes) else { return Ok(0) };
        let reach = self.device.as_ref().map_or_else(gpu::Reach::default, |d| gpu::Reach::of(d));
        let mut taken = 0;
        let others = cpu::decided(&plan, &sizes).0.into_iter().skip(plan.decisions.len());
        for decision in gpu::decided(&plan, &sizes, reach).0.into_iter().chain(others) {
            for way in (0..decision.ways.len()).filter(|way| *way != decision.taken) {
                taken += self.turn(meant, &decision, way)?;
            }
        }
        Ok(taken)
    }

    /// Runs with one decision taken otherwise, wherever it is one.
    fn turn(&self, meant: &Meant, decision: &Decision, way: usize) -> Result<usize, Failure> {
        let mut asked = Asked::default();
        asked.insert(decision.site, Some(&decision.name), way);
        let pins = || Pins::At(asked.clone());
        let here = |f: Failure| {
            let text = &decision.ways[way].text;
            Failure::new(
                format!("way {}", f.class),
                format!("{:?} of `{}`: {text}: {}", decision.site.what, decision.name, f.detail),
            )
        };
        let mut runs = 0;
        if decision.site.what.target() != Target::Gpu {
            let engine = Engine::cpu_unoptimized(self.graph, self.wanted, self.options);
            let mut engine = engine.map_err(|d| here(Failure::new("cpu refuses", d.message)))?.pinned(pins());
            let found = engine.run(meant.bindings).map_err(|d| d.message);
            meant.compare_planned("cpu", &found, F32, pins()).map_err(here)?;
            runs += 1;
        }
        if let Some(device) = self.device.as_ref().filter(|_| decision.site.what.target() != Target::Cpu) {
            let mut engine = Engine::gpu_unoptimized(device, self.graph, self.wanted, gpu::Options::default()).pinned(pins());
            on_device(&mut engine, meant, pins()).map_err(here)?;
            runs += 1;
        }
        Ok(runs)
    }
}
