//! What parameters lose as f16: what is beyond 65,504 becomes infinite, what is very small becomes 0. NaN stays, and so do infinities.

use crate::diag::{Code, Diagnostic, Severity};
use crate::ir::{Bindings, Data};

/// Tensors that are named.
const NAMED: usize = 10;

/// A warning for each of these tensors (at most a few) that has such values.
pub(super) fn lost(paths: &[String], bindings: &Bindings) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    for path in paths {
        let Some(Data::F32(values)) = bindings.sources.get(path).map(|t| &t.data) else { continue };
        let half = |x: &&f32| half::f16::from_f32(**x);
        let large = values.iter().filter(|x| x.is_finite() && !half(x).is_finite()).count();
        let small = values.iter().filter(|x| **x != 0.0 && half(x).to_f32() == 0.0).count();
        let most = values.iter().filter(|x| x.is_finite()).fold(0.0f32, |m, x| m.max(x.abs()));
        let what = match (large, small) {
            (0, 0) => continue,
            (0, n) => format!("{n} of its {} values become 0", values.len()),
            (n, _) => format!("{n} of its {} values are beyond 65504 (up to {most:e}) and become infinite", values.len()),
        };
        let d = Diagnostic::plain(Code::H0905, format!("`{path}` does not fit 16 bits: {what}"));
        let d = d.help("run it without `--f16`, or scale the parameter");
        out.push(Diagnostic { severity: Severity::Warning, ..d });
        if out.len() == NAMED {
            break;
        }
    }
    out
}
