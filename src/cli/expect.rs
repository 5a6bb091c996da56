//! `hnet run --expect F`: whether outputs are those of a file.

use super::table::{short, table};
use crate::diag::Diagnostic;
use crate::files::archive::Archive;
use crate::files::stored::position;
use crate::ir::{Tensor, type_text};
use serde_json::{Value, json};
use std::path::Path;

/// How one output compares.
struct Row {
    name: String,
    /// Why nothing can be compared, or the worst element: its error, its place, what came, what was wanted.
    found: Result<(f64, String, f64, f64), String>,
    fine: bool,
}

/// The comparison of all outputs that the file has.
pub struct Compared {
    rows: Vec<Row>,
    tolerance: f64,
}

/// Compares. Errors: the file cannot be read.
pub fn compare(file: &Path, named: &[(String, Tensor)], tolerance: f64) -> Result<Compared, Diagnostic> {
    let archive = Archive::open(file)?;
    let mut rows = Vec::new();
    let names: Vec<String> = archive.names().map(String::from).collect();
    for name in names {
        let Some(stored) = archive.get(&name) else { continue };
        // A file of one tensor without a name is the only output.
        let only = archive.is_single() && named.len() == 1;
        let Some((name, got)) = named.iter().find(|(n, _)| *n == name || only) else {
            rows.push(Row { name, found: Err("no such output was computed".into()), fine: false });
            continue;
        };
        let want = stored.load(got.dtype())?;
        if got.shape != want.shape {
            let types = (type_text(got.dtype().word(), &got.shape), type_text(want.dtype().word(), &want.shape));
            rows.push(Row { name: name.clone(), found: Err(format!("{}, and {} is wanted", types.0, types.1)), fine: false });
            continue;
        }
        let (error, at, is, wanted) = worst(&got.to_f64(), &want.to_f64());
        let found = Ok((error, position(&got.shape, at), is, wanted));
        rows.push(Row { name: name.clone(), found, fine: error <= tolerance });
    }
    Ok(Compared { rows, tolerance })
}

/// The largest error: relative to the element, or to the root of the mean square of all where that is larger. NaN is NaN, and an infinity
/// itself.
fn worst(got: &[f64], want: &[f64]) -> (f64, usize, f64, f64) {
    let finite = || want.iter().filter(|w| w.is_finite());
    let scale = (finite().map(|w| w * w).sum::<f64>() / finite().count().max(1) as f64).sqrt();
    let mut out = (0.0, 0, f64::NAN, f64::NAN);
    for (k, (g, w)) in got.iter().zip(want).enumerate() {
        let error = match g == w || g.is_nan() && w.is_nan() {
            true => 0.0,
            false if !g.is_finite() || !w.is_finite() => f64::INFINITY,
            false => (g - w).abs() / w.abs().max(scale),
        };
        if error > out.0 || k == 0 {
            out = (error, k, *g, *w);
        }
    }
    out
}

/// How far the farthest number of a tensor is from what it should be, as a part of the largest that is finite: 0 where all are the same (NaN is
/// NaN, and an infinity itself), infinite where one alone is finite, or the shapes differ.
pub fn far(right: &Tensor, made: &Tensor) -> f64 {
    if right.shape != made.shape {
        return f64::INFINITY;
    }
    let numbers = || (0..right.len()).map(|i| (right.get(i), made.get(i)));
    let largest = numbers().map(|(a, _)| a.abs()).filter(|a| a.is_finite()).fold(f64::MIN_POSITIVE, f64::max);
    let apart = |(a, b): (f64, f64)| match a == b || a.is_nan() && b.is_nan() {
        true => 0.0,
        false if a.is_finite() && b.is_finite() => (a - b).abs() / largest,
        false => f64::INFINITY,
    };
    numbers().map(apart).fold(0.0, f64::max)
}

impl Compared {
    pub fn is_fine(&self) -> bool {
        self.rows.iter().all(|r| r.fine)
    }

    pub fn shown(&self) -> String {
        let rows: Vec<Vec<String>> = self.rows.iter().map(Row::cells).collect();
        let head = ["output", &format!("within {}", self.tolerance), "error", "at", "is", "wanted"];
        table(&head, &rows, 2)
    }

    pub fn as_json(&self) -> Value {
        let one = |r: &Row| match &r.found {
            Ok((error, at, got, want)) => {
                let number = |v: f64| if v.is_finite() { json!(v) } else { json!(v.to_string()) };
                json!({ "name": r.name, "fine": r.fine, "error": number(*error), "at": at, "is": number(*got), "wanted": number(*want) })
            }
            Err(why) => json!({ "name": r.name, "fine": false, "why": why }),
        };
        json!({ "fine": self.is_fine(), "tolerance": self.tolerance, "outputs": self.rows.iter().map(one).collect::<Vec<_>>() })
    }
}

impl Row {
    fn cells(&self) -> Vec<String> {
        let word = if self.fine { "yes" } else { "no" }.to_string();
        match &self.found {
            Ok((error, at, got, want)) => {
                vec![self.name.clone(), word, format!("{error:.2e}"), at.clone(), short(*got), short(*want)]
            }
            Err(why) => vec![self.name.clone(), word, why.clone(), String::new(), String::new(), String::new()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_far_is_seen_beside_numbers_that_are_not_finite() {
        let tensor = |x: [f32; 3]| Tensor::new(vec![3], crate::ir::Data::F32(x.to_vec()));
        assert!((far(&tensor([1.0, 2.0, 4.0]), &tensor([1.0, 2.4, 4.0])) - 0.1).abs() < 1e-6);
        assert_eq!(far(&tensor([1.0, f32::NAN, 4.0]), &tensor([1.0, f32::NAN, 4.0])), 0.0);
        assert_eq!(far(&tensor([1.0, f32::NAN, 4.0]), &tensor([1.0, 0.0, 4.0])), f64::INFINITY);
        assert_eq!(far(&tensor([f32::INFINITY, 2.0, 4.0]), &tensor([f32::INFINITY, 2.0, 4.0])), 0.0);
        assert!((far(&tensor([f32::INFINITY, 2.0, 4.0]), &tensor([f32::INFINITY, 2.4, 4.0])) - 0.1).abs() < 1e-6);
        assert_eq!(
            far(&tensor([1.0, 2.0, 4.0]), &Tensor::new(vec![1, 3], crate::ir::Data::F32(vec![1.0, 2.0, 4.0]))),
            f64::INFINITY
        );
    }
}
