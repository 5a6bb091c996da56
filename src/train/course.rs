//! A phase as it is run: what its arms are keyed by, which rows they have, and their steps as graphs.
//!
//! In: a `train` block. Out: for each arm the rows that it asks for and its steps, which whoever runs them hands on from one to the
//! next: the trainer here, or a page ([`crate::web`]) elsewhere. *Not looked at:* data.

use super::step::{self, Part, Step, Within};
use crate::bind::init::fnv1a;
use crate::check::model::{Arm, InputKind, Model, Rows, Train};
use crate::diag::{Code, Diagnostic};
use crate::ir::{Graph, Op, Origin};

/// What the draws of an arm and its order of rows are keyed by.
pub fn key(phase: &str, arm: usize) -> u32 {
    fnv1a(&format!("{phase}/{arm}"))
}

/// What the draws of `set` are keyed by.
pub fn set_key() -> u32 {
    fnv1a("set")
}

/// The rows that an arm asks for, without what is fed, which is a part of its step. A round has the rows of its task.
pub fn rows(train: &Train, arm: &Arm) -> Rows {
    let mut rows = Rows { feeds: vec![], ..arm.rows.clone() };
    if let (Some((word, _, _)), Some(first)) = (&train.each, rows.batch.first_mut())
        && rows.data.iter().flat_map(|d| &d.columns).any(|(name, _)| name == word)
    {
        first.2 = Some(word.clone());
    }
    rows
}

/// The parts of which a step of an arm is made, in turn.
pub fn parts(arm: &Arm) -> &'static [Part] {
    if arm.accumulate == 1 { &[Part::Whole] } else { &[Part::Gather, Part::Last] }
}

/// The part that batch `j` of a step takes.
pub fn part_of(j: u64, accumulate: u64) -> Part {
    match (accumulate, j + 1 == accumulate) {
        (1, _) => Part::Whole,
        (_, true) => Part::Last,
        (_, false) => Part::Gather,
    }
}

/// The step of an arm as it is run.
pub fn step(arm: &Arm, part: Part, within: &Within) -> Result<Step, Diagnostic> {
    let mut step = step::step(arm, part, within)?;
    moving(&mut step.graph, &arm.model);
    Ok(step)
}

/// What a batch decides changes with every step, conditions, too, but for those that are sizes.
pub fn moving(graph: &mut Graph, model: &Model) {
    for id in graph.ids().collect::<Vec<_>>() {
        if let Op::Source { path, origin } = &mut graph.node_mut(id).op
            && *origin == Origin::Condition
            && model.inputs.iter().any(|i| *i.name == **path && !matches!(i.kind, InputKind::Size(_)))
        {
            *origin = Origin::Input;
        }
    }
}

/// The block of this name; one without a name is called as its model.
pub fn phase<'m>(model: &'m Model, name: &str) -> Result<&'m Train, Diagnostic> {
    let called = |t: &'m Train| t.phase.as_deref().unwrap_or(&model.name);
    if let Some(found) = model.trains.iter().find(|t| called(t) == name) {
        return Ok(found);
    }
    let d = Diagnostic::plain(Code::H0006, format!("`{}` has no train block `{name}`", model.name));
    Err(match model.trains.as_slice() {
        [] => d.help(format!("add `train {} {{ data .. batch .. minimize .. steps .. }}`", model.name)),
        some => d.help(format!("there is {}", some.iter().map(called).collect::<Vec<_>>().join(", "))),
    })
}
