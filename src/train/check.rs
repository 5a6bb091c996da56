//! Gradients against differences, before training starts.
//!
//! In: an arm, its parameters, its first batch. Out: how far the gradients of its losses are from central differences, in the interpreter's
//! 64 bits. A parameter is moved along one direction that has a part in each of its elements, so an element that is off shows, and a large
//! parameter costs as much as a small one. When the time that may be taken is up, those that are left are moved together. Where a loss has a
//! corner on the way, there is nothing to compare with: that is counted.

use super::step::Step;
use crate::diag::Diagnostic;
use crate::grad::differences::{Verdict, compare};
use crate::ir::random::philox;
use crate::ir::{Bindings, Data, NodeId, Tensor, interp};
use std::time::{Duration, Instant};

/// How long parameters are moved one by one.
const PATIENCE: Duration = Duration::from_secs(20);

/// Gradients that are nearer to differences than this, relative to themselves, agree with them.
const CLOSE: f64 = 1e-4;

/// What was found: the largest relative difference, and whose; how many parameters were moved by themselves and how many together, and at how
/// many the loss has a corner.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checked {
    pub alone: usize,
    pub together: usize,
    pub corners: usize,
    pub worst: f64,
    pub path: String,
}

/// A parameter that is moved: its path, its value, its gradient, the direction.
struct Moved {
    path: String,
    value: Tensor,
    slope: f64,
    way: Vec<f64>,
}

/// Compares the gradient of a loss by parameters, `slopes`, with differences.
pub(super) fn check(
    step: &Step,
    loss: NodeId,
    slopes: &[(String, NodeId)],
    bound: &Bindings,
    out: &mut Checked,
) -> Result<(), Diagnostic> {
    let begun = Instant::now();
    let graph = &step.graph;
    let nodes: Vec<NodeId> = slopes.iter().map(|(_, n)| *n).collect();
    let found = interp::evaluate(graph, bound, &nodes)?;
    let mut bound = bound.clone();
    let mut all = vec![];
    for (k, ((path, _), gradient)) in slopes.iter().zip(&found).enumerate() {
        let Some(value) = bound.sources.get(path).filter(|v| !v.is_empty()).cloned() else { continue };
        let way = direction(&value, k as u32);
        let slope = way.iter().enumerate().map(|(n, w)| w * gradient.get(n)).sum();
        all.push(Moved { path: path.clone(), value, slope, way });
    }
    // The gradients that most hangs on come first.
    all.sort_by(|a, b| b.slope.abs().total_cmp(&a.slope.abs()));
    let mut left = all.as_slice();
    while let Some((one, rest)) = left.split_first() {
        if begun.elapsed() > PATIENCE && !rest.is_empty() {
            break;
        }
        compared(step, loss, std::slice::from_ref(one), &mut bound, out);
        left = rest;
    }
    if !left.is_empty() {
        compared(step, loss, left, &mut bound, out);
    }
    Ok(())
}

/// Moves these together.
fn compared(step: &Step, loss: NodeId, moved: &[Moved], bound: &mut Bindings, out: &mut Checked) {
    let slope: f64 = moved.iter().map(|m| m.slope).sum();
    let verdict = compare(slope, |t| {
        for m in moved {
            let to = m.way.iter().enumerate().map(|(n, w)| m.value.get(n) + t * w).collect();
            bound.sources.insert(m.path.clone(), Tensor::new(m.value.shape.clone(), Data::F64(to)));
        }
        Some(interp::evaluate(&step.graph, bound, &[loss]).ok()?[0].get(0))
    });
    for m in moved {
        bound.sources.insert(m.path.clone(), m.value.clone());
    }
    let apart = match verdict {
        Verdict::Corner => {
            out.corners += moved.len();
            return;
        }
        Verdict::Alike(off) => off,
        Verdict::Apart(wanted) => (wanted - slope).abs() / wanted.abs().max(slope.abs()),
    };
    match moved.len() {
        1 => out.alone += 1,
        n => out.together += n,
    }
    if apart > out.worst || out.path.is_empty() {
        (out.worst, out.path) = (apart, moved[0].path.clone());
    }
}

/// A direction for a parameter: a sign for each element; together as long as its elements are large, 1 at least.
fn direction(value: &Tensor, k: u32) -> Vec<f64> {
    let n = value.len();
    let squares: f64 = (0..n).map(|p| value.get(p) * value.get(p)).sum();
    let length = (squares / n as f64).sqrt().max(1.0) / (n as f64).sqrt();
    let sign = |p: usize| philox([(p / 128) as u32, k, 0, 0], [7, 11])[p / 32 % 4] >> (p % 32) & 1;
    (0..n).map(|p| if sign(p) == 0 { length } else { -length }).collect()
}

impl std::fmt::Display for Checked {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let (worst, path) = (self.worst, &self.path);
        match self.alone + self.together {
            0 => write!(f, "no gradient was compared with differences")?,
            // A loss over many rows has many small corners and jumps in reach: differences of it are no better than this.
            _ if worst > CLOSE => write!(
                f,
                "gradients differ from differences by {worst:.1e} (`{path}`): the loss jumps there, or this is a bug in hnet"
            )?,
            _ => write!(
                f,
                "gradients agree with differences to {worst:.1e} at {} parameters (the furthest is `{path}`)",
                self.alone
            )?,
        }
        if self.together > 0 {
            write!(f, "; {} more were moved together, for lack of time", self.together)?;
        }
        match self.corners {
            0 => Ok(()),
            n => write!(f, "; {n} more are not compared, for the loss has a corner just there"),
        }
    }
}
