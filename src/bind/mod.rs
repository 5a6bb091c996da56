//! From names to tensors: what a model is run on.
//!
//! In: a model, open files, what the user wrote. Out: a tensor for each parameter ([`params`], or [`init`] where nothing is given) and each
//! input ([`inputs`]), and a number for each free dim ([`known`]). Promised: every tensor has the type and the shape that the model
//! declares, and whoever disagrees is named with both sides. Not checked: whether what was given suffices for an output, which
//! [`crate::exec::session`] says.

pub mod init;
pub mod inputs;
pub mod known;
mod literal;
pub mod params;
pub mod weights;
