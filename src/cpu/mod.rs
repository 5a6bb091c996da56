//! Plan → native code on the CPU, and its execution.
//!
//! In: a graph and the wanted nodes. Out: their tensors, the same on every run and for any number of threads. Loop nests are compiled
//! by Cranelift; matrix products go to a library or to own kernels; sorting, scans and loops are Rust.

mod call;
mod compile;
mod engine;
mod fold;
mod r#gen;
mod grouped;
mod job;
mod load;
mod map;
mod math;
mod micro;
mod order;
mod product;
mod runtime;
#[cfg(test)]
mod tests;

pub use compile::{emit_asm, emit_clif, emit_object};
pub(crate) use engine::measure;
pub use engine::{Engine, Options};
