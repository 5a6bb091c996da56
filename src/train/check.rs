//! Gradients against differences, before training starts.
//!
//! In: an arm, its parameters, its first batch. Out: how far the gradients of its losses are from central differences at a few elements
//! of each parameter, in the interpreter's 64 bits. Where a loss has a corner just there, there is nothing to compare with: that is counted.

use super::step::Step;
use crate::diag::Diagnostic;
use crate::grad::differences::{Verdict, compare};
use crate::ir::random::philox;
use crate::ir::{Bindings, Data, NodeId, Tensor, interp};

/// Elements of each parameter that are looked at.
const LOOKED_AT: u64 = 3;

/// What was found: the largest relative difference, and where; how many elements were compared, and how many have a corner.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checked {
    pub elements: usize,
    pub corners: usize,
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
    let graph = &step.graph;
    let nodes: Vec<NodeId> = slopes.iter().map(|(_, n)| *n).collect();
    let found = interp::evaluate(graph, bound, &nodes)?;
    let mut bound = bound.clone();
    for ((path, _), slope) in slopes.iter().zip(&found) {
        let Some(value) = bound.sources.get(path).cloned() else { continue };
        for k in 0..LOOKED_AT.min(value.len() as u64) {
            let place = match value.len() as u64 {
                n if n <= LOOKED_AT => k as usize,
                n => (u64::from(philox([k as u32, 0, 0, 0], [7, 11])[0]) % n) as usize,
            };
            let x = value.get(place);
            let step = x.abs().max(1.0);
            let verdict = compare(slope.get(place) * step, |t| {
                let mut moved = value.to_f64();
                moved[place] = x + t * step;
                bound.sources.insert(path.clone(), Tensor::new(value.shape.clone(), Data::F64(moved)));
                Some(interp::evaluate(graph, &bound, &[loss]).ok()?[0].get(0))
            });
            bound.sources.insert(path.clone(), value.clone());
            let apart = match verdict {
                Verdict::Corner => {
                    out.corners += 1;
                    continue;
                }
                Verdict::Alike(off) => off,
                Verdict::Apart(wanted) => {
                    let got = slope.get(place) * step;
                    (wanted - got).abs() / wanted.abs().max(got.abs())
                }
            };
            out.elements += 1;
            if apart > out.worst || out.path.is_empty() {
                (out.worst, out.path, out.place) = (apart, path.clone(), place);
            }
        }
    }
    Ok(())
}
