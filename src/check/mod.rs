//! ast → model: names, dims, axes, sizes, rates, who owns or generates each parameter.
pub mod model;
pub use model::Model;
