//! What the demo page starts from: `demo.json`.
//!
//! Examples come from the model's first `eval` block: a few rows, so that what the page shows at first is what the model was made
//! for. Where the block goes group by group (`batch b = all by task`) and every group has the same rows with the columns in an
//! order of its own, these orders are found, so that a drawing can be handed to each group as its model expects it.

use super::{Request, module};
use crate::check::model::{Eval, InputKind};
use crate::diag::Diagnostic;
use crate::files::archive::Archive;
use crate::ir::{DType, Tensor};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Rows of examples.
const ROWS: usize = 12;
/// Most elements of an input that the page starts from.
const LONGEST: usize = 4096;

/// The file.
pub fn demo(request: &Request) -> Result<Value, Diagnostic> {
    let model = request.model;
    let mut out = json!({
        "doc": model.doc.as_deref().unwrap_or(&request.about),
        "params": model.params.len(),
        "numbers": request.params.values().map(Tensor::len).sum::<usize>(),
    });
    if let Some(eval) = model.evals.first() {
        from_eval(request, eval, &mut out)?;
    }
    if out.get("examples").is_none()
        && let Some(file) = request.inputs
    {
        let mut examples = json!({});
        for i in &model.inputs {
            let Some(stored) = file.get(&i.name) else { continue };
            let tensor = stored.load(i.dtype)?;
            if tensor.len() <= LONGEST {
                examples[&i.name] = json!({ "shape": tensor.shape, "data": numbers(&tensor) });
            }
        }
        out["examples"] = examples;
    }
    Ok(out)
}

pub(super) fn numbers(t: &Tensor) -> Vec<Value> {
    // JSON has no word for what is not finite: there it is the text that JavaScript reads as a number.
    let real = |v: f32| if v.is_finite() { json!(v) } else { json!(module::number(f64::from(v))) };
    let one = |i: usize| if t.dtype() == DType::F32 { real(t.get(i) as f32) } else { json!(t.get(i) as i64) };
    (0..t.len()).map(one).collect()
}

/// The columns of one data file.
fn from_eval(request: &Request, eval: &Eval, out: &mut Value) -> Result<(), Diagnostic> {
    let Some(data) = eval.rows.data.first() else { return Ok(()) };
    // A page can do without its examples.
    let Ok(file) = Archive::open(&request.folder.join(&data.file)) else { return Ok(()) };
    let group = eval.rows.batch.iter().find_map(|(_, _, by)| by.as_deref());
    let mut columns: BTreeMap<&str, Tensor> = BTreeMap::new();
    for (name, column) in &data.columns {
        let Some(i) = request.model.inputs.iter().find(|i| i.name == *name && i.kind == InputKind::Tensor) else { continue };
        let Some(stored) = file.get(column) else { continue };
        columns.insert(&i.name, stored.load(i.dtype)?);
    }
    let groups = group.and_then(|g| columns.get(g)).filter(|t| t.shape.len() == 1);
    let mut rows: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    if let Some(t) = groups {
        (0..t.len()).for_each(|r| rows.entry(t.get(r) as i64).or_default().push(r));
    }
    let count = columns.values().filter_map(|t| t.shape.first().copied()).min().unwrap_or(0);
    let first = rows.values().next().cloned().unwrap_or_else(|| (0..count).collect());
    let first = picked(&columns, group, &first);
    let mut examples = json!({});
    for (name, t) in columns.iter().filter(|(n, t)| Some(**n) != group && !t.shape.is_empty()) {
        let width: usize = t.shape[1..].iter().product();
        if width * first.len() > LONGEST || first.iter().any(|r| *r >= t.shape[0]) {
            continue;
        }
        let mut shape = t.shape.clone();
        shape[0] = first.len();
        let data: Vec<usize> = first.iter().flat_map(|r| r * width..(r + 1) * width).collect();
        let data: Vec<Value> =
            data.into_iter().map(|i| numbers(&Tensor { shape: vec![1], data: t.data.slice(i..i + 1) })[0].clone()).collect();
        examples[name] = json!({ "shape": shape, "data": data });
        if let Some(orders) = orders(t, &rows, width) {
            out["orders"] = json!({ "condition": group, "input": name, "of": orders });
        }
    }
    if examples.as_object().is_some_and(|e| !e.is_empty()) {
        out["examples"] = examples;
    }
    Ok(())
}

/// A few of these rows: where a column of whole numbers says their kinds, one of each kind in order.
fn picked(columns: &BTreeMap<&str, Tensor>, group: Option<&str>, rows: &[usize]) -> Vec<usize> {
    let kinds = columns.iter().find(|(n, t)| Some(**n) != group && t.dtype() == DType::I32 && t.shape.len() == 1);
    let Some((_, kinds)) = kinds else { return rows.iter().copied().take(ROWS).collect() };
    let mut seen: BTreeMap<i64, usize> = BTreeMap::new();
    for r in rows.iter().filter(|r| **r < kinds.len()) {
        seen.entry(kinds.get(*r) as i64).or_insert(*r);
    }
    seen.into_values().take(ROWS).collect()
}

/// For each group the column of the first group that each of its columns is; none unless all rows agree.
fn orders(t: &Tensor, rows: &BTreeMap<i64, Vec<usize>>, width: usize) -> Option<Vec<(i64, Vec<usize>)>> {
    if rows.len() < 2 || !(2..=LONGEST).contains(&width) {
        return None;
    }
    let mut first: BTreeMap<Vec<u64>, Vec<usize>> = BTreeMap::new();
    let mut out = Vec::new();
    let reference = rows.values().next()?;
    let column = |rows: &[usize], c: usize| rows.iter().map(|r| t.get(r * width + c).to_bits()).collect::<Vec<u64>>();
    (0..width).for_each(|c| first.entry(column(reference, c)).or_default().push(c));
    for (group, rows) in rows {
        if rows.len() != reference.len() {
            return None;
        }
        // Columns that are equal, such as corners that nobody draws in, are taken in order.
        let mut left = first.clone();
        let mut order = Vec::new();
        for c in 0..width {
            let equal = left.get_mut(&column(rows, c)).filter(|l| !l.is_empty())?;
            order.push(equal.remove(0));
        }
        out.push((*group, order));
    }
    let plain: Vec<usize> = (0..width).collect();
    out.iter().any(|(_, o)| *o != plain).then_some(out)
}
