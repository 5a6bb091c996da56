//! Plan → native code on the CPU, and its execution.
//!
//! In: a plan. Out: a program that runs at any sizes for which the plan reads the same, with the same results on every run and for any
//! number of threads. Loop nests are compiled
//! by Cranelift; matrix products go to a library or to own kernels; sorting, scans and loops are Rust.

mod angles;
mod apply;
mod arena;
mod attend;
mod call;
mod changing;
mod columns;
mod compile;
mod dots;
mod down;
mod exec;
mod finished;
mod fold;
mod r#gen;
mod grouped;
mod held;
mod instead;
mod job;
mod laid;
mod lanes;
mod lines;
mod load;
mod map;
mod math;
mod micro;
mod multiply;
mod object;
mod order;
mod pack;
mod panel;
mod parameters;
mod part;
mod passes;
mod places;
mod poly;
mod product;
mod program;
mod rows;
mod runtime;
mod segments;
mod settle;
mod shallow;
mod softmax;
mod spread;
mod store;
mod stretch;
mod stretches;
mod strip;
mod sweep;
mod symbols;
mod taps;
#[cfg(test)]
mod tests;
mod thin;
mod tiles;
mod vector;
mod whole;
mod wide;
mod width;
mod windows;
mod written;

pub(crate) use changing::Made;
pub use compile::{emit_asm, emit_clif};
pub use object::{Face, Free, emit_object};
pub use parameters::decided;
pub use program::Options;
pub(crate) use program::{Machine, Program, Running};
pub use width::called as vectors;
