//! The program for a device.
//!
//! In: a plan, its sizes, what the device binds. Out: a program. Where a buffer is longer than one binding, or a shader reaches all of a
//! long arena, the arena is bound in windows.

use super::device::Device;
use super::program::{BINDINGS, Program};
use super::{Choice, Reach, arena, emit_with};
use crate::plan::{Decision, Fate, Plan, Sizes};
use crate::source::Span;

/// How a graph runs on a device.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes that one plan may hold on the device.
    pub memory: u64,
    /// Bytes of one binding; never more than the device takes.
    pub binding: u64,
    /// Parameters are kept as f16 on the device; sums stay in f32.
    pub half: bool,
    /// How products reach their factors; none: as suits the device.
    pub reach: Option<Reach>,
}

impl Default for Options {
    fn default() -> Options {
        Options { memory: 64 << 30, binding: u64::MAX, half: false, reach: None }
    }
}

/// The shaders and dispatches of a plan for this device.
pub fn fit(plan: &Plan, sizes: &Sizes, device: &Device, options: &Options) -> Program {
    let binding = options.binding.min(device.limits.max_storage_buffer_binding_size);
    let choice = Choice { half: options.half, binding, windows: 1, reach: options.reach.unwrap_or_else(|| Reach::of(device)) };
    let program = emit_with(plan, sizes, &|_: Span| None, choice);
    let one = binding / arena::ALIGN * arena::ALIGN;
    // What fits nowhere is refused where it is placed.
    let Some(layout) = arena::place(&program, sizes).filter(|l| l.total > one && one > 0) else { return program };
    let windows = layout.total.div_ceil(one).min(BINDINGS as u64) as u32;
    emit_with(plan, sizes, &|_: Span| None, Choice { windows, ..choice })
}

/// All that is decided for a device on which products usually reach their factors so, in the plan and beyond it, and what becomes of each pin of the
/// graph.
pub fn decided(plan: &Plan, sizes: &Sizes, reach: Reach) -> (Vec<Decision>, Vec<Fate>) {
    let program = emit_with(plan, sizes, &|_: Span| None, Choice { reach, ..Choice::default() });
    let fates = plan.fates.iter().zip(program.fates).map(|(a, b)| (*a).max(b)).collect();
    (plan.decisions.iter().cloned().chain(program.decisions).collect(), fates)
}
