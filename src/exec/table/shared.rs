//! A condition that varies over the batch, and of which the data have one value: it is that of all rows.
//!
//! In: a column that has no axis for the rows, or one of length 1. Out: as many copies as there are rows. The block says that its
//! data bind the condition; how many values they have is known only here.

use super::column::Column;
use super::{Batch, Table, along, select};
use crate::diag::Diagnostic;
use crate::ir::{DType, Sym, Tensor};

impl Column {
    /// Whether the file has one value for all rows.
    pub(super) fn is_shared(&self) -> bool {
        let shape = self.stored().shape;
        let rank = self.input.shape.len();
        self.input.lifted && (shape.len() + 1 == rank || shape.len() == rank && shape[0] == 1)
    }

    /// Lengths of the axes of one row.
    pub(super) fn inner(&self) -> &[usize] {
        let shape = self.stored().shape;
        let own = self.input.shape.len() - usize::from(self.input.lifted);
        &shape[shape.len().saturating_sub(own)..]
    }

    /// The one value, as the input has it apart from its rows.
    pub(super) fn one(&self, dtype: DType) -> Result<Tensor, Diagnostic> {
        let t = self.stored().load(dtype)?;
        Ok(Tensor::new(self.inner().to_vec(), t.data))
    }
}

/// So many of a value along a new first axis.
fn repeated(one: Tensor, times: usize) -> Tensor {
    let shape = [&[times], &one.shape[..]].concat();
    let mut data = one.data.slice(0..0);
    for _ in 0..times {
        data.append(one.data.clone());
    }
    Tensor::new(shape, data)
}

impl Table {
    /// The value of a shared column for one batch.
    pub(super) fn shared(&self, c: &Column, batch: &Batch) -> Result<Tensor, Diagnostic> {
        let mut one = c.one(c.input.dtype)?;
        let mut times = self.extent(c.input.shape[0].0.as_ref());
        for (dim, rows) in &batch.parts {
            match along(&c.input, dim) {
                Some(0) => times = rows.len(),
                Some(axis) => one = select(&one, axis - 1, rows),
                None => {}
            }
        }
        Ok(repeated(one, times))
    }

    /// All rows of a column that has one value for them; none of another.
    #[cfg(feature = "gpu")]
    pub fn all_of_shared(&self, name: &str) -> Result<Option<Tensor>, Diagnostic> {
        let Some(c) = self.columns.iter().find(|c| c.input.name == name && c.is_shared()) else { return Ok(None) };
        Ok(Some(repeated(c.one(c.input.dtype)?, self.extent(c.input.shape[0].0.as_ref()))))
    }

    /// How long a dim is that the block speaks of.
    fn extent(&self, dim: Option<&Sym>) -> usize {
        let known = self.dims.iter().find(|(d, _, _)| Some(d) == dim).map(|(_, n, _)| *n);
        known.or_else(|| self.extents.iter().find(|(d, _)| Some(d) == dim).map(|(_, n)| *n as usize)).unwrap_or(1)
    }
}
