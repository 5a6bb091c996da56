//! Room for tensors: sizes that no memory holds are a message, not a crash.

use crate::diag::Diagnostic;
use crate::ir::DType;
use crate::ir::{Data, Tensor};

/// Zeros of this type and shape; `name` is what the message calls it.
pub fn zeros(name: &str, dtype: DType, shape: Vec<usize>) -> Result<Tensor, Diagnostic> {
    let n = shape.iter().try_fold(1usize, |n, s| n.checked_mul(*s));
    let data = n.and_then(|n| match dtype {
        DType::F32 => filled(n, 0.0).map(Data::F32),
        DType::I32 => filled(n, 0).map(Data::I32),
        DType::Bool => filled(n, 0).map(Data::Bool),
    });
    match data {
        Some(data) => Ok(Tensor::new(shape, data)),
        None => {
            Err(Diagnostic::plain("H0801", format!("there is no memory for `{name}`")).note(format!("its shape is {shape:?}")))
        }
    }
}

fn filled<T: Clone>(n: usize, value: T) -> Option<Vec<T>> {
    let mut out = Vec::new();
    out.try_reserve_exact(n).ok()?;
    out.resize(n, value);
    Some(out)
}
