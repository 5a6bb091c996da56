//! Running a graph: one engine, three backends.
//!
//! In: a graph, the wanted nodes, tensors by path. Out: their tensors. [`Engine`] decides once, for all backends, what sizes a run
//! has, what may stay from the last one, and what is wrong with the values given; a backend ([`backend`]) computes.
//! [`session`] runs a model and says which outputs can be computed from what is there; [`eval`] runs a model's `eval` blocks through
//! sessions, batch by batch; [`profile`] says where the time goes.

mod backend;
pub mod bench;
mod conditions;
#[cfg(feature = "gpu")]
mod device;
mod engine;
mod equal;
pub mod eval;
mod half;
mod kept;
#[cfg(feature = "cpu")]
mod native;
mod oracle;
pub mod probe;
pub mod profile;
mod ready;
pub mod session;
mod stored;
pub(crate) mod table;
#[cfg(all(test, feature = "cpu"))]
mod tests;

pub use engine::Engine;
