//! Tensors, weights, and running a model.
pub mod tensor;
pub use tensor::{Bindings, Data, Tensor};
