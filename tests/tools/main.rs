//! The command line and the pages that it builds.

mod checkpoints;
mod choices;
mod cli;
#[path = "../common/mod.rs"]
mod common;
mod documents;
mod given;
mod growth;
mod hostile;
mod hour;
mod machine;
mod object;
mod pictures;
mod training;
mod vectors;
mod web;
mod weights;
