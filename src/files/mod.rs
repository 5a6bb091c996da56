//! Files of tensors, and writing files at all.
//!
//! In: paths. Out: tensors as they lie in a file ([`archive`], of safetensors, `.npz` or `.npy`), or a file that is whole or as it was before
//! ([`atomic`]). Promised: a damaged or hostile file is a message, never a panic, and nothing takes memory that is not there ([`memory`]).
//! Not known here: what a model wants of a file, which [`crate::bind`] knows.

pub mod archive;
pub mod atomic;
mod header;
mod inflate;
pub mod memory;
pub mod npy;
mod npz;
pub mod shards;
pub mod stored;
