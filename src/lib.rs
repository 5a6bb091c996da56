//! hnet: a declarative compiler for networks that write, choose or steer other networks.
#![allow(missing_docs)]
pub mod source;
pub mod diag;
pub mod syntax;
pub mod program;
pub mod check;
pub mod ir;
pub mod opt;
pub mod run;
pub mod plan;
pub mod cpu;
pub mod pipeline;
pub mod cli;
pub mod draw;
pub mod fuzz;
