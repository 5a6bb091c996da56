//! Rows to measure by: the data of an `eval` block, for the demo page.
//!
//! In: a model whose page trains. Out: a file of rows, and what the page must know to report on them as the block does, group by group.
//! A page does without where there is no such block, or its rows do not go with a page.

use super::super::Request;
use super::super::module::Output;
use super::shipped::Columns;
use crate::check::model::{Arm, Eval};
use crate::diag::Diagnostic;
use serde_json::{Value, json};
use std::sync::Arc;

/// The file's name in the folder.
pub const HELD: &str = "held.safetensors";

/// The rows of the first block that asks for nothing else, and what is reported of them.
pub fn held(request: &Request, outputs: &[Output]) -> Result<Option<(Value, Vec<u8>)>, Diagnostic> {
    let fits = |e: &&Eval| {
        e.lifted.is_none() && e.rows.feeds.is_empty() && e.report.iter().all(|name| outputs.iter().any(|o| o.name == *name))
    };
    let Some(eval) = request.model.evals.iter().find(fits) else { return Ok(None) };
    let mut columns = Columns::default();
    let Some(table) = columns.open(request, request.model, &eval.rows, &mut vec![])? else { return Ok(None) };
    let arm = Arm {
        turns: 1,
        model: Arc::new(request.model.clone()),
        rows: eval.rows.clone(),
        objectives: vec![],
        clip: None,
        accumulate: 1,
        average: None,
    };
    let shipped = columns.ship(&arm, &eval.rows, &table)?;
    let group = shipped.group.map(|(by, tensor, _)| json!([by, tensor]));
    let about = json!({ "columns": shipped.columns, "group": group, "report": eval.report });
    Ok(columns.file()?.map(|bytes| (about, bytes)))
}
