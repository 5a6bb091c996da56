//! Steps that an executor may compute together: what lies between them is nobody else's, and nothing else needs it sooner.

use super::{at, ensure, name};
use crate::plan::{Kind, Plan, Step, Tile};
use std::collections::BTreeSet;
use std::ops::Range;

pub(super) fn check(plan: &Plan) -> Result<(), String> {
    let uses = super::super::uses::Uses::of(plan);
    let rule = Rule { plan, writers: uses.writers, readers: uses.readers };
    rule.tiles()?;
    let mut lies_nowhere = BTreeSet::new();
    for group in groups(plan) {
        rule.group(&group).map_err(|what| at(plan, group.last, &format!("{}: {what}", group.what)))?;
        for b in group.buffers {
            let first = lies_nowhere.insert(b);
            ensure(first, || at(plan, group.last, &format!("{} lies nowhere for two reasons", name(plan, b))))?;
        }
    }
    Ok(())
}

/// Steps of which the last one does it all, and what lies between them.
pub(super) struct Group {
    what: &'static str,
    pub steps: Vec<usize>,
    pub last: usize,
    pub buffers: Vec<usize>,
}

pub(super) fn groups(plan: &Plan) -> Vec<Group> {
    let pair = |what, first: usize, last: usize, b: usize| Group { what, steps: vec![first], last, buffers: vec![b] };
    let mut all: Vec<Group> = plan.taps.iter().map(|t| pair("windows", t.gather, t.product, t.buffer)).collect();
    all.extend(plan.finished.iter().map(|f| pair("a finish", f.taps.product, f.kernel, f.buffer)));
    all.extend(plan.biased.iter().map(|b| pair("a bias", b.product, b.kernel, b.buffer)));
    all.extend(plan.written.iter().map(|w| Group {
        what: "written matrices",
        steps: w.makers().collect(),
        last: w.product,
        buffers: w.buffers().collect(),
    }));
    all.extend(plan.attends.iter().map(|a| {
        let steps = std::iter::once(a.scores).chain(a.between.iter().copied()).collect();
        Group { what: "attention", steps, last: a.result, buffers: a.buffers.clone() }
    }));
    all
}

struct Rule<'a> {
    plan: &'a Plan,
    writers: Vec<Vec<usize>>,
    readers: Vec<Vec<usize>>,
}

impl Rule<'_> {
    /// Whether all of these steps are prepared, or none is.
    fn one_half(&self, steps: &Range<usize>) -> bool {
        (steps.start < self.plan.prepared) == (steps.end <= self.plan.prepared)
    }

    fn group(&self, g: &Group) -> Result<(), String> {
        ensure(g.last < self.plan.steps.len(), || format!("there is no step {}", g.last))?;
        let first = g.steps.iter().copied().min().unwrap_or(g.last);
        ensure(g.steps.iter().all(|s| *s < g.last), || "a part of it comes later".into())?;
        ensure(self.one_half(&(first..g.last + 1)), || format!("step {first} is prepared, and it is not"))?;
        let tile = |k: usize| self.plan.tiles.iter().position(|t| t.first <= k && k < t.last);
        let same = g.steps.iter().all(|s| tile(*s) == tile(g.last));
        ensure(same, || "a part of it goes through other tiles".into())?;
        for b in &g.buffers {
            let own = self.plan.buffers.get(*b).is_some_and(|o| o.kind == Kind::Temp);
            ensure(own, || format!("{} is not its own", name(self.plan, *b)))?;
            ensure(self.writers[*b].iter().all(|w| g.steps.contains(w)), || format!("others write {}", name(self.plan, *b)))?;
            let inside = |r: &usize| *r == g.last || g.steps.contains(r);
            ensure(self.readers[*b].iter().all(inside), || format!("others read {}", name(self.plan, *b)))?;
            ensure(!self.writers[*b].is_empty(), || format!("it does not write {}", name(self.plan, *b)))?;
        }
        let hands = |s: &usize| self.plan.steps[*s].writes().iter().all(|b| g.buffers.contains(b));
        ensure(g.steps.iter().all(hands), || "what a part of it writes is lost".into())
    }

    fn tiles(&self) -> Result<(), String> {
        let mut from = 0;
        for t in &self.plan.tiles {
            let what = |what: String| at(self.plan, t.first, &format!("tiles: {what}"));
            let fits = from <= t.first && t.first < t.last && t.last <= self.plan.steps.len();
            ensure(fits, || what(format!("the steps {}..{} are another one's, or none", t.first, t.last)))?;
            ensure(self.one_half(&(t.first..t.last)), || what("some of the steps are prepared".into()))?;
            ensure(t.rows > 0, || what(format!("a tile has {} rows", t.rows)))?;
            self.tile(t).map_err(what)?;
            from = t.last;
        }
        Ok(())
    }

    fn tile(&self, t: &Tile) -> Result<(), String> {
        for (n, step) in self.plan.steps[t.first..t.last].iter().enumerate() {
            let fits = match step {
                Step::Kernel(k) => k.outer > 0,
                Step::Product(p) => p.lead.is_some() && !t.flat,
                Step::Grouped(_) | Step::Segments(_) | Step::Order { .. } | Step::Scan { .. } | Step::Assign { .. } => false,
                Step::Scatter { .. } | Step::Random { .. } | Step::Rounds(_) => false,
            };
            ensure(fits, || format!("step {} has no rows", t.first + n))?;
        }
        let inside = |k: &usize| (t.first..t.last).contains(k);
        for (b, _) in &t.private {
            let own = self.plan.buffers.get(*b).is_some_and(|o| o.kind == Kind::Temp);
            ensure(own, || format!("{} lives in one tile, and is not its own", name(self.plan, *b)))?;
            let alone = self.writers[*b].iter().chain(&self.readers[*b]).all(inside);
            ensure(alone, || format!("{} lives in one tile, and others use it", name(self.plan, *b)))?;
        }
        let Some(kept) = &t.kept else { return Ok(()) };
        for (view, _) in &kept.conditions {
            ensure(view.strides.len() == 1, || {
                format!("{} has {} strides for rows", name(self.plan, view.buffer), view.strides.len())
            })?;
            super::steps::typed(self.plan, view.buffer, &[crate::ir::DType::Bool])?;
        }
        let made: BTreeSet<usize> = self.plan.steps[t.first..t.last].iter().flat_map(Step::writes).collect();
        let known: BTreeSet<usize> = t.private.iter().chain(&kept.written).map(|b| b.0).collect();
        ensure(made == known, || "what it makes is neither its own nor goes back to its rows".into())
    }
}
