//! Tensors, weights, and running a model.
pub mod archive;
pub mod atomic;
pub mod bind;
pub mod eval;
pub mod init;
pub mod inputs;
mod literal;
mod map;
pub mod npy;
pub mod params;
pub mod profile;
mod room;
pub mod session;
pub mod stored;
pub mod tensor;
pub use tensor::{Bindings, Data, Tensor};
