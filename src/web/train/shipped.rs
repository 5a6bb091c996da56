//! The rows that go with a page: columns of a block's data files, in one file of the folder.
//!
//! In: a block. Out: a file of tensors, and for each arm which of them its inputs take, so that the page can take the rows that the trainer
//! would. Data that are not there or are too long to be fetched are left out with a remark: then the page gives its own.

use super::super::Request;
use crate::check::model::{Arm, Model, Rows};
use crate::diag::{Code, Diagnostic};
use crate::exec::table::{self, Table};
use crate::files::archive::{self, Archive};
use crate::ir::{DType, Data, Tensor};
use std::sync::Arc;

/// The file's name in the folder.
pub const FILE: &str = "rows.safetensors";

/// Most bytes of rows that a page fetches.
const MOST: usize = 16 << 20;

/// The rows of an arm.
pub struct Shipped {
    /// Inputs with the names of their tensors.
    pub columns: Vec<(String, String)>,
    /// Dims of which a batch has some: name, length in the file, rows of a batch; `None`: all.
    pub dims: Vec<(String, usize, Option<usize>)>,
    /// What groups the rows, the tensor that says their group, and whether the arm asks for it (else the round chooses a group).
    pub group: Option<(String, String, bool)>,
}

/// Tensors of all arms; a column that several take stands there once.
#[derive(Default)]
pub struct Columns {
    tensors: Vec<(String, Tensor)>,
    known: Vec<(String, String, DType, String)>,
    files: Vec<Arc<Archive>>,
    bytes: usize,
}

impl Columns {
    /// Opens the data of an arm; none where they do not go with the page.
    pub fn open(
        &mut self,
        request: &Request,
        model: &Model,
        rows: &Rows,
        notes: &mut Vec<String>,
    ) -> Result<Option<Table>, Diagnostic> {
        self.files = vec![];
        let mut left = |why: String| {
            notes.push(format!("{why}: the page gives step() its rows"));
            Ok(None)
        };
        if rows.data.is_empty() {
            return Ok(None);
        }
        if let Some(d) = rows.data.iter().find(|d| !request.folder.join(&d.file).is_file()) {
            return left(format!("`{}` is not there", d.file));
        }
        let files = table::open(request.folder, rows)?;
        let table = Table::new(model, rows, &files)?;
        let named = rows.data.iter().zip(&files).flat_map(|(d, f)| d.columns.iter().filter_map(|(_, c)| f.get(c)));
        let bytes: usize = named.map(|s| 4 * s.len()).sum();
        if self.bytes + bytes > MOST {
            return left(format!("the data have {} MB, and a page fetches {} MB at most", bytes >> 20, MOST >> 20));
        }
        self.bytes += bytes;
        self.files = files;
        Ok(Some(table))
    }

    /// Takes the columns of the arm that was opened last.
    pub fn ship(&mut self, arm: &Arm, rows: &Rows, table: &Table) -> Result<Shipped, Diagnostic> {
        let files = std::mem::take(&mut self.files);
        let model = &arm.model;
        let own = |by: &String| arm.rows.batch.iter().any(|b| b.2.as_ref() == Some(by));
        let by = table.group.as_ref().map(|(name, _)| name.clone());
        let (mut columns, mut group) = (vec![], None);
        for (data, file) in rows.data.iter().zip(&files) {
            for (name, column) in &data.columns {
                let input = model.inputs.iter().find(|i| i.name == *name);
                let is_group = by.as_ref() == Some(name);
                let Some(dtype) = input.map(|i| i.dtype).or(is_group.then_some(DType::I32)) else { continue };
                if let (Some(all), false) = (table.all_of_shared(name)?, is_group) {
                    columns.push((name.clone(), self.made(name, all)));
                    continue;
                }
                let tensor = self.tensor(file, &data.file, column, if is_group { DType::I32 } else { dtype })?;
                if is_group {
                    group = Some((name.clone(), tensor.clone(), own(name)));
                }
                if input.is_some() {
                    columns.push((name.clone(), tensor));
                }
            }
        }
        // A column that no input takes may group, too.
        if let (Some(by), None) = (&by, &group)
            && let Some((data, file)) = rows.data.iter().zip(&files).find(|(_, f)| f.get(by).is_some())
        {
            group = Some((by.clone(), self.tensor(file, &data.file, by, DType::I32)?, own(by)));
        }
        let whole = |dim: &str| rows.batch.iter().any(|(name, size, _)| **name == *dim && size.is_none());
        let dims = table.dims.iter().map(|(dim, all, size)| (dim.to_string(), *all, (!whole(dim)).then_some(*size)));
        Ok(Shipped { columns, dims: dims.collect(), group })
    }

    /// The name of a column's tensor.
    fn tensor(&mut self, file: &Archive, path: &str, column: &str, dtype: DType) -> Result<String, Diagnostic> {
        if let Some(known) = self.known.iter().find(|(f, c, d, _)| f == path && c == column && *d == dtype) {
            return Ok(known.3.clone());
        }
        let stored = file.get(column).expect("the table has looked it up");
        let name = self.made(column, stored.load(dtype)?);
        self.known.push((path.to_string(), column.to_string(), dtype, name.clone()));
        Ok(name)
    }

    /// Takes a tensor up; gives the name that it has.
    fn made(&mut self, column: &str, t: Tensor) -> String {
        let taken = |name: &str| self.tensors.iter().any(|(n, _)| n == name);
        let numbered = (2..).map(|n| format!("{column}.{n}"));
        let name = std::iter::once(column.to_string()).chain(numbered).find(|n| !taken(n)).expect("there is no last number");
        let number = |t: Tensor| match t.dtype() {
            DType::Bool => Tensor::new(t.shape.clone(), Data::I32((0..t.len()).map(|i| t.get(i) as i32).collect())),
            DType::F32 | DType::I32 => t,
        };
        self.tensors.push((name.clone(), number(t)));
        name
    }

    /// The file; none where nothing is shipped.
    pub fn file(self) -> Result<Option<Vec<u8>>, Diagnostic> {
        if self.tensors.is_empty() {
            return Ok(None);
        }
        let bytes = archive::bytes(&self.tensors);
        bytes.map(Some).map_err(|e| Diagnostic::plain(Code::H0003, format!("cannot write the rows: {e}")))
    }
}
