//! What a model means, on the interpreter, in native code and on a device.

mod arguments;
mod brothers;
mod chances;
#[path = "../common/mod.rs"]
mod common;
mod dispatches;
mod edges;
mod evals;
mod filters;
mod folds;
mod gpu;
mod grads;
mod graphs;
mod learns;
mod library;
mod make;
mod models;
mod outside;
mod places;
mod points;
mod products;
mod programs;
mod routes;
mod runs;
mod schedules;
mod shaders;
mod slopes;
mod starts;
mod steps;
mod suite;
mod sums;
mod training;
mod trees;
mod wholes;
mod widths;
