//! An index of the data that lies outside of its axis. A run says where it was used, which may be a line of the library; here it is said of the
//! input that has it, with the row of the data.

use super::{Batch, Table, along};
use crate::bind::inputs::out_of_range;
use crate::check::model::Model;
use crate::diag::{Code, Diagnostic};
use crate::files::stored::{coordinates, place};
use crate::ir::Data;
use crate::ir::outside::arriving;
use crate::ir::sizes::Sizes;

impl Table {
    /// What a run of a batch said, told of the data where a column of theirs is to blame.
    pub fn blamed(&self, model: &Model, batch: &Batch, sizes: &Sizes, d: Diagnostic) -> Diagnostic {
        self.outside(model, batch, sizes, &d).unwrap_or(d)
    }

    fn outside(&self, model: &Model, batch: &Batch, sizes: &Sizes, d: &Diagnostic) -> Option<Diagnostic> {
        let at = d.primary.as_ref().filter(|_| d.code == Code::H0617)?.span;
        let graph = &model.graph;
        graph.ids().filter(|id| graph.node(*id).span == at).find_map(|id| {
            let (path, axis) = arriving(graph, id)?;
            let column = self.columns.iter().find(|c| *c.input.name == **path)?;
            let below = axis.size.eval(&|s| sizes.get(s).copied())?;
            let t = self.value(column, batch).ok()?;
            let Data::I32(values) = &t.data else { return None };
            let bad = values.iter().position(|v| !(0..below).contains(&i64::from(*v)))?;
            // Numbers of rows as the files have them, not of the batch.
            let mut at = coordinates(&t.shape, bad);
            let parts = batch.parts.iter().filter_map(|(dim, rows)| Some((along(&column.input, dim)?, rows)));
            for (axis, rows) in parts {
                if let Some(row) = at.get_mut(axis) {
                    *row = *rows.get(*row)?;
                }
            }
            // A condition that all rows of a group share has no row of its own.
            let row = if at.is_empty() { String::new() } else { format!(" at {}", place(&at)) };
            let value = format!("{}{row} of `{}` in `{}`", values[bad], column.name, column.file.name());
            Some(out_of_range(&column.input, below, &value))
        })
    }
}
