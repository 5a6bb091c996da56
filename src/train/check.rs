//! Gradients against differences, before training starts.
//!
//! In: an arm, its parameters, its first batch. Out: how far the gradients of its losses are from central differences at a few elements
//! of each parameter, in the interpreter's 64 bits. Where a loss has a corner just there, the two may differ: that is said, and is no error.

use super::step::Step;
use crate::diag::Diagnostic;
use crate::ir::random::philox;
use crate::ir::{Bindings, Data, NodeId, Tensor, interp};

/// Elements of each parameter that are looked at.
const LOOKED_AT: u64 = 3;

/// What was found: the largest relative difference, and where; how many elements were looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checked {
    pub elements: usize,
    pub worst: f64,
    pub path: String,
    pub place: usize,
}

/// Compares the gradient of a loss by parameters, `slopes`, with differences.
pub(super) fn check(
    step: &Step,
    loss: NodeId,
    slopes: &[(String, NodeId)],
    bound: &Bindings,
    out: &mut Checked,
) -> Result<(), Diagnostic> {
    let nodes: Vec<NodeId> = slopes.iter().map(|(_, n)| *n).collect();
    let found = interp::evaluate(&step.graph, bound, &nodes)?;
    let mut bound = bound.clone();
    for ((path, _), slope) in slopes.iter().zip(&found) {
        let Some(value) = bound.sources.get(path).cloned() else { continue };
        for k in 0..LOOKED_AT.min(value.len() as u64) {
            let place = match value.len() as u64 {
                n if n <= LOOKED_AT => k as usize,
                n => (u64::from(philox([k as u32, 0, 0, 0], [7, 11])[0]) % n) as usize,
            };
            let x = value.get(place);
            let h = 1e-5 * x.abs().max(1.0);
            let mut at = |x: f64| -> Result<f64, Diagnostic> {
                let mut moved = value.to_f64();
                moved[place] = x;
                bound.sources.insert(path.clone(), Tensor::new(value.shape.clone(), Data::F64(moved)));
                Ok(interp::evaluate(&step.graph, &bound, &[loss])?[0].get(0))
            };
            let (above, below) = (at(x + h)?, at(x - h)?);
            bound.sources.insert(path.clone(), value.clone());
            let (wanted, got) = ((above - below) / (2.0 * h), slope.get(place));
            // What a difference of two losses can show at all.
            let floor = 1e-9 * (1.0 + above.abs()) / h;
            let apart = (wanted - got).abs() / wanted.abs().max(got.abs()).max(floor).max(f64::MIN_POSITIVE);
            out.elements += 1;
            if apart > out.worst || out.path.is_empty() {
                (out.worst, out.path, out.place) = (apart, path.clone(), place);
            }
        }
    }
    Ok(())
}
