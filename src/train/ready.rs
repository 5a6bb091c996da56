//! A step made ready to run: its engine, what it reads, and what its values are before the first step.

use super::course;
use super::options::How;
use super::side::Side;
use super::step::{Carried, Part, Start, Step, Within};
use crate::diag::{Code, Diagnostic};
use crate::exec::Engine;
use crate::exec::session;
use crate::grad::levels::Kept;
use crate::ir::{Data, Op, Tensor};
use std::collections::{BTreeMap, BTreeSet};

/// A step made ready.
pub(super) struct Ready {
    pub step: Step,
    pub engine: Engine,
    /// Numbers of results with the paths that they are handed on to.
    pub handed: Vec<(usize, String)>,
    /// Conditions that decide sizes, as the engine was prepared with.
    pub early: BTreeMap<String, Tensor>,
}

/// Paths that a step reads.
pub(super) fn sources_of(step: &Step) -> BTreeSet<String> {
    let reach = step.graph.reachable(step.wanted());
    let all = step.graph.ids().filter(|id| reach[id.index()]);
    all.filter_map(|id| match &step.graph.node(id).op {
        Op::Source { path, .. } => Some(path.to_string()),
        _ => None,
    })
    .collect()
}

/// What a carried value is before the first step.
pub(super) fn start(
    c: &Carried,
    sources: &BTreeMap<String, Tensor>,
    aside: &BTreeMap<String, Tensor>,
) -> Result<Tensor, Diagnostic> {
    let known = |path: &str| sources.get(path).or_else(|| aside.get(path));
    let missing = || Diagnostic::plain(Code::H0899, format!("`{}` has no value", c.path)).note("this is a bug in hnet");
    match &c.start {
        Start::Stored => known(&c.path).cloned().ok_or_else(missing),
        Start::Copy(path) => known(path).cloned().ok_or_else(missing),
        Start::Filled(v, path) => {
            let like = known(path).ok_or_else(missing)?;
            Ok(Tensor::new(like.shape.clone(), Data::F32(vec![*v as f32; like.len()])))
        }
    }
}

pub(super) fn make(side: &Side, part: Part, how: &How, warnings: &mut Vec<Diagnostic>) -> Result<Ready, Diagnostic> {
    let within = Within { extents: &side.lengths, memory: how.memory, mixed: how.mixed };
    let step = course::step(&side.arm, part, &within)?;
    warnings.extend(too_much(&step.kept, how.memory));
    let engine = session::engine(&step.graph, &step.wanted(), &how.run, warnings)?;
    let first = step.told.len();
    let handed = step.carried.iter().enumerate().map(|(n, c)| (first + n, c.path.clone())).collect();
    Ok(Ready { step, engine, handed, early: BTreeMap::new() })
}

/// A warning where loops keep more than they may, even in two levels.
fn too_much(kept: &Kept, memory: u64) -> Option<Diagnostic> {
    let (span, bytes) = kept.most.filter(|_| kept.bytes > memory)?;
    let size = |n: u64| bytesize::ByteSize::b(n).display().si().to_string();
    let message = format!("this loop keeps {} for its derivative, however its rounds are cut", size(bytes));
    let d = Diagnostic::warning(Code::H0634, span, message);
    Some(d.note(format!("the loops of a step may keep {} in all (`--memory`)", size(memory))))
}
