//! Tensors, weights, and running a model.
pub mod archive;
pub mod atomic;
mod map;
pub mod npy;
pub mod stored;
pub mod tensor;
pub use tensor::{Bindings, Data, Tensor};
