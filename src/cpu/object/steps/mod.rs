//! Steps that are no loop nests of one value, as functions of their own: each agrees with what the interpreter and the runtime do.

mod assign;
mod extremes;
mod order;
mod random;
mod sums;

pub(super) use assign::{assign, scratch as assign_scratch};
pub(super) use extremes::extremes;
pub(super) use order::order;
pub(super) use random::{Functions, random};
pub(super) use sums::{scan, scatter, segments};
