//! All stages in a row; the only file that knows every one of them.

use crate::diag::Diagnostic;
use crate::ir::{Graph, NodeId};
use crate::run::{Bindings, Tensor};

/// The reference interpreter, in f64.
pub fn evaluate(_: &Graph, _: &Bindings, _: &[NodeId]) -> Result<Vec<Tensor>, Diagnostic> {
    Err(Diagnostic::plain("H0801", "the interpreter is not in this build"))
}
