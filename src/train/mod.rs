//! Training: what steps a model takes on its data, and what is kept and shown of them.
//!
//! In: a model with `train` blocks, its data, a seed. Out: parameters that were trained, a checkpoint that holds all that going on needs,
//! and a record of each step ([`record`]). Promised: a step is a function of its number and of what was kept, so that a run that was cut off
//! and goes on has the bits of one that was left alone. Not known here: how a graph is run, which [`crate::exec`] knows.

mod arm;
pub mod board;
mod check;
pub mod checkpoint;
pub mod course;
mod fault;
mod fed;
pub mod folder;
pub mod identity;
mod learn;
mod make;
pub mod metrics;
mod mixed;
mod options;
pub mod order;
mod ready;
pub mod record;
pub mod report;
mod rule;
mod scaling;
mod side;
mod step;
mod taken;
pub mod trainer;
mod values;

pub use options::Options;
pub use record::Record;
pub use rule::Number;
pub use scaling::Scaling;
pub use step::{Carried, MEMORY, Part, Start, Step, Told, Within};
pub use taken::{List, named};
pub use trainer::{Place, State, Trainer};
