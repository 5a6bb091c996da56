//! hnet: a declarative compiler for networks that write, choose or steer other networks.
//!
//! ```text
//! text ─parse→ ast ─check→ model (with its graph) ─optimize→ graph ─plan→ plan ─emit→ native code
//!                                    └───────────────────────────────────────→ interpreter
//! ```
//!
//! From the ground up: [`source`] and [`diag`] (texts, places, messages), [`disk`], [`syntax`], [`program`] (a file with all that it
//! imports), [`ir`] (the graph, tensors, the interpreter), [`grad`] (derivatives), [`files`] (tensors in files), [`check`], [`opt`],
//! [`plan`], `cpu` and `gpu` (code and shaders), [`bind`] (weights and inputs by name), [`pipeline`] (from a text to a plan; the file to
//! read first), [`exec`] (the engine, and `eval` blocks), [`train`], then what shows and keeps what was made: `web`, [`draw`], `emit`, `snapshot`,
//! `testing`, `fuzz`, `cli`. A module uses only those before it, which a test sees to. The features `cpu`, `gpu` and `cli` (all by
//! default) bring the modules of these names, and what needs them.
//!
//! From Rust:
//!
//! ```no_run
//! use hnet::{pipeline, source::Sources};
//! use std::path::Path;
//!
//! let mut sources = Sources::default();
//! let file = pipeline::read(&mut sources, Path::new("model.hnet")).unwrap();
//! let checked = pipeline::check(&mut sources, file, &[]);
//! for model in &checked.models {
//!     println!("{}: {} parameters", model.name, model.params.len());
//! }
//! ```

pub mod bind;
pub mod check;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cpu")]
pub mod cpu;
pub mod diag;
pub mod disk;
pub mod draw;
#[cfg(all(feature = "cpu", feature = "gpu"))]
pub mod emit;
pub mod exec;
pub mod files;
#[cfg(all(feature = "cpu", feature = "gpu"))]
pub mod fuzz;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod grad;
pub mod ir;
pub mod opt;
pub mod pipeline;
pub mod plan;
pub mod program;
#[cfg(all(feature = "cpu", feature = "gpu"))]
pub mod snapshot;
pub mod source;
pub mod syntax;
#[cfg(all(feature = "cpu", feature = "gpu"))]
pub mod testing;
pub mod train;
#[cfg(feature = "gpu")]
pub mod web;
