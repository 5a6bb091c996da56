//! How to train: what is not said by the `train` blocks.

use super::step::MEMORY;
use crate::exec::session::Options as Run;

/// How to train.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub run: Run,
    /// Instead of the blocks' own.
    pub seed: Option<i32>,
    /// Steps of each phase (of each of its rounds), instead of the blocks' own.
    pub steps: Option<u64>,
    /// Only this phase.
    pub phase: Option<String>,
    /// Steps after which losses are looked at; 0 is as 1. Between them a device is not waited for.
    pub told: u64,
    /// Bytes that the loops of a step may keep for their derivatives; `None`: [`MEMORY`]. Long loops are cut into stretches where they would
    /// keep more, which changes the last digits.
    pub memory: Option<u64>,
    /// Products read 16 bits, and losses are scaled (docs/training.md, mixed precision).
    pub mixed: bool,
}

impl Options {
    pub(super) fn how(&self) -> How {
        How { run: self.run.clone(), memory: self.memory.unwrap_or(MEMORY), mixed: self.mixed }
    }
}

/// How steps are made and run.
#[derive(Clone, Debug)]
pub(super) struct How {
    pub run: Run,
    pub memory: u64,
    pub mixed: bool,
}
