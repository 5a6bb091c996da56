//! Tensors, weights, inputs, and `eval` blocks.
pub mod archive;
pub mod atomic;
pub mod bind;
pub mod eval;
mod header;
pub mod init;
pub mod inputs;
mod literal;
pub mod npy;
pub mod params;
mod room;
pub mod stored;
pub use crate::ir::{Bindings, Data, Tensor};
