//! A column of a data file, and which of its rows are read when.
//!
//! Steps of training take rows from all over a file, each a read of its own. What is not too large is read once and kept as the model wants
//! it; of the rest, a batch reads its rows. What cannot be read whole, perhaps for a value that no batch takes, is read by rows, too.

use super::select;
use crate::check::model::Input;
use crate::diag::Diagnostic;
use crate::files::archive::Archive;
use crate::files::stored::Stored;
use crate::ir::{DType, Tensor};
use crate::plan::measured::exec::COLUMN_READS;
use crate::source::Span;
use std::sync::{Arc, OnceLock};

/// A column of a data file that an input takes.
pub(super) struct Column {
    pub input: Input,
    pub file: Arc<Archive>,
    pub name: String,
    pub span: Span,
    /// Whether all of it may be kept.
    keeps: bool,
    kept: OnceLock<Option<Tensor>>,
}

impl Column {
    /// `room`: bytes that may be kept, which are less afterwards where this column may be.
    pub fn new(input: &Input, file: &Arc<Archive>, name: &str, span: Span, room: &mut usize) -> Column {
        let mut column = Column {
            input: input.clone(),
            file: file.clone(),
            name: name.to_string(),
            span,
            keeps: false,
            kept: OnceLock::new(),
        };
        let bytes = column.stored().len().saturating_mul(4);
        if bytes <= *room {
            column.keeps = true;
            *room -= bytes;
        }
        column
    }

    pub fn stored(&self) -> Stored<'_> {
        self.file.get(&self.name).expect("looked up before")
    }

    /// All of it, where it is kept.
    fn whole(&self, dtype: DType) -> Option<&Tensor> {
        if !self.keeps {
            return None;
        }
        self.kept.get_or_init(|| self.stored().load(dtype).ok()).as_ref()
    }

    /// All rows.
    pub fn all(&self, dtype: DType) -> Result<Tensor, Diagnostic> {
        match self.whole(dtype) {
            Some(all) => Ok(all.clone()),
            None => self.stored().load(dtype),
        }
    }

    /// These rows, in this order. Neighbours are one read, so that a column that is gone through from its beginning is not kept.
    pub fn rows(&self, dtype: DType, rows: &[usize]) -> Result<Tensor, Diagnostic> {
        let reads = 1 + rows.windows(2).filter(|w| w[1] != w[0] + 1).count();
        let whole = if reads > COLUMN_READS { self.whole(dtype) } else { None };
        match whole {
            Some(all) => Ok(select(all, 0, rows)),
            None => self.stored().rows(dtype, rows),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::model::InputKind;
    use crate::files::npy;
    use crate::ir::{Data, Size};
    use crate::plan::measured::exec::COLUMN_BYTES;

    /// A column of an array of NumPy, with so much room.
    fn column(file: &Arc<Archive>, dtype: DType, mut room: usize) -> Column {
        let name = file.names().next().unwrap().to_string();
        let input = Input {
            name: "x".into(),
            condition: false,
            lifted: false,
            kind: InputKind::Tensor,
            dtype,
            shape: vec![(None, Size::from(5i64)), (None, Size::from(2i64))],
            default: None,
            below: None,
            span: Span::default(),
        };
        Column::new(&input, file, &name, Span::default(), &mut room)
    }

    #[test]
    fn what_is_kept_has_the_rows_that_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let tensor = Tensor::new(vec![5, 2], Data::I32((0..10).collect()));
        std::fs::write(&path, npy::write(&tensor)).unwrap();
        let file = Arc::new(Archive::open(&path).unwrap());
        for dtype in [DType::F32, DType::I32] {
            let (kept, read) = (column(&file, dtype, COLUMN_BYTES), column(&file, dtype, 39));
            assert!(kept.keeps && !read.keeps);
            for rows in [vec![], vec![3], vec![1, 2, 3], vec![4, 0, 2, 2, 1], vec![0, 2, 4, 0], (0..5).collect()] {
                let (a, b) = (kept.rows(dtype, &rows).unwrap(), read.rows(dtype, &rows).unwrap());
                assert_eq!(a.shape, [rows.len(), 2]);
                assert!(a.same_bits(&b), "{rows:?}: {a:?} {b:?}");
            }
            assert!(kept.all(dtype).unwrap().same_bits(&read.all(dtype).unwrap()));
        }
    }

    #[test]
    fn a_value_that_no_batch_takes_may_be_what_it_likes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.npy");
        let tensor = Tensor::new(vec![5, 2], Data::F32((0..10).map(|k| k as f32).collect()));
        // The same as f64, but for 1e300 in the last row.
        let written = npy::write(&tensor);
        let header = written.len() - 40;
        let values = (0..10).map(|k| if k == 9 { 1e300 } else { f64::from(k) });
        let mut bytes = written[..header].to_vec();
        let kind = bytes.windows(3).position(|w| w == b"<f4").unwrap();
        bytes[kind..kind + 3].copy_from_slice(b"<f8");
        bytes.extend(values.flat_map(f64::to_le_bytes));
        std::fs::write(&path, bytes).unwrap();
        let file = Arc::new(Archive::open(&path).unwrap());
        let kept = column(&file, DType::F32, COLUMN_BYTES);
        assert_eq!(kept.rows(DType::F32, &[3, 1, 0, 2]).unwrap().get(0), 6.0);
        assert_eq!(kept.rows(DType::F32, &[3, 1, 4, 2]).unwrap_err().code, crate::diag::Code::H0606);
    }
}
