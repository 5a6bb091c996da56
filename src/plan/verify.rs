//! Is a plan well-formed?
//!
//! In: a plan; for more also its sizes, and where its buffers lie. Out: nothing, or the first thing that is wrong, as text for whoever made the
//! plan (a user never sees it), with the step where it is. What holds afterwards: whoever reads a buffer comes after all who write it; what is
//! prepared depends on no input; values of kernels come before those that use them and stay in their loops; types fit; bodies of loops are like
//! this, too ([`verify`]). With sizes, no step reads or writes beyond a buffer, and every element is written once ([`verify_sized`]). With places, no
//! two buffers that are needed at one time share memory ([`verify_placed`]).
//!
//! Executors trust a plan, so this is what stands between a mistake of the planner and memory of somebody else. It runs in debug builds.

mod arena;
mod flow;
mod kernel;
mod places;
mod steps;
mod together;

#[cfg(test)]
mod tests;

use super::{Layout, Plan, Sizes, Step};
use crate::ir::DType;
pub use places::verify_sized;

/// Checks a plan, and the bodies in it, at whatever sizes.
pub fn verify(plan: &Plan) -> Result<(), String> {
    check(plan, None)
}

/// As [`verify_sized`], and that no two buffers which are needed at one time share memory. The buffers `elsewhere` have
/// memory of their own. It says nothing of where bodies of loops keep theirs.
pub fn verify_placed(plan: &Plan, layout: &Layout, elsewhere: &[usize], sizes: &Sizes) -> Result<(), String> {
    verify_sized(plan, sizes)?;
    arena::apart(plan, layout, elsewhere)?;
    arena::within(plan, sizes)
}

/// A planner that makes something else has a bug: in debug builds that is said here.
pub(super) fn insist(plan: &Plan, sizes: &Sizes) {
    if cfg!(debug_assertions)
        && let Err(what) = verify(plan).and_then(|()| verify_sized(plan, sizes))
    {
        panic!("the plan is not well-formed: {what}\n{plan}");
    }
}

/// `args`: element types of what a body is given; `None` for a plan that is no body.
fn check(plan: &Plan, args: Option<&[DType]>) -> Result<(), String> {
    let (steps, notes) = (plan.steps.len(), [plan.places.len(), plan.about.len()]);
    ensure(plan.prepared <= steps, || format!("{} of {steps} steps are prepared", plan.prepared))?;
    ensure(notes == [steps; 2], || format!("{notes:?} notes are about {steps} steps"))?;
    flow::check(plan, args)?;
    for (n, step) in plan.steps.iter().enumerate() {
        steps::check(plan, step).map_err(|what| at(plan, n, &what))?;
    }
    together::check(plan)
}

fn ensure(good: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if good { Ok(()) } else { Err(what()) }
}

/// What is wrong, and at which step.
fn at(plan: &Plan, step: usize, what: &str) -> String {
    let named = plan.steps.get(step).map(|s| format!(" ({} {})", s.word(), made(plan, s))).unwrap_or_default();
    format!("step {step}{named}: {what}")
}

/// The names of what a step writes.
fn made(plan: &Plan, step: &Step) -> String {
    step.writes().into_iter().map(|b| name(plan, b)).collect::<Vec<_>>().join(", ")
}

/// What a buffer is called.
fn name(plan: &Plan, buffer: usize) -> String {
    plan.buffers.get(buffer).map_or_else(|| format!("buffer {buffer}"), |b| format!("`{}`", b.name))
}
