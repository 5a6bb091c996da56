//! Runs of steps that can go tile by tile along a shared first axis.

use super::{Plan, Sizes};

/// Finds the runs and notes them in the plan.
pub(super) fn tile(_plan: &mut Plan, _sizes: &Sizes) {}
