//! Which placement a run needs, and its sources bound.

use super::{Engine, Rows};
use crate::diag::Diagnostic;
use crate::exec::backend::{Placed, Values};
use crate::exec::equal::{Found, Look};
use crate::exec::ready::Ready;
use crate::ir::Bindings;
use crate::plan::{self, Sizes};
use std::sync::Arc;

impl Engine {
    /// All sizes: those given, and those that a source's shape tells.
    fn all_sizes(&self, inputs: &Bindings) -> Result<Sizes, Diagnostic> {
        let mut sizes = self.sizes.clone();
        sizes.extend(inputs.sizes.iter().map(|(s, n)| (s.clone(), *n)));
        let values = Values { inputs, stored: &self.stored, found: None };
        plan::complete(&self.task.graph, &self.task.wanted, sizes, &|path| values.get(path).map(|t| t.shape.clone()))
    }

    /// After `prepare`: where all sizes are known, the placement for them is made and prepared; else the inputs will tell.
    pub(super) fn settle_early(&mut self) -> Result<(), Diagnostic> {
        let nothing = Bindings::default();
        let Ok(sizes) = self.all_sizes(&nothing) else { return Ok(()) };
        let looks = self.looks(&sizes);
        // Rows of inputs are not there yet, those of conditions are.
        match looks.iter().flat_map(|look| &look.equal.paths).any(|path| self.stored.get(path).is_none()) {
            true => Ok(()),
            false => self.settle_on(sizes, looks, &nothing),
        }
    }

    /// Where equal rows are looked for at these sizes.
    fn looks(&mut self, sizes: &Sizes) -> Arc<[Look]> {
        match self.backend.takes_tables() {
            true => self.looks.at(&self.task, sizes),
            false => Arc::new([]),
        }
    }

    /// Equal rows among these inputs and what is stored.
    fn find(&self, looks: &[Look], inputs: &Bindings) -> Option<Arc<Found>> {
        let values = Values { inputs, stored: &self.stored, found: None };
        looks.iter().enumerate().find_map(|(k, look)| {
            let paths = &look.equal.paths;
            // What comes with a run is looked at in each, and what is stored once.
            let late = paths.iter().any(|path| inputs.sources.contains_key(&**path));
            let since = if late { 0 } else { self.stored.newest(paths.iter().map(|path| &**path)) };
            let known = self.found.as_ref().filter(|f| since > 0 && f.look == k && f.since == since);
            let found = || {
                let values: Vec<_> = paths.iter().map(|path| values.get(path)).collect::<Option<_>>()?;
                Found::among(&values, (k, look), since).map(Arc::new)
            };
            known.cloned().or_else(found)
        })
    }

    /// Binds these inputs to the current placement; not where they need another one.
    fn binds(&mut self, inputs: &Bindings, rows: Rows) -> bool {
        let generation = self.generation;
        let Some(at) = self.current.filter(|at| self.ready[*at].settled == generation && generation > 0) else { return false };
        if inputs.sizes.iter().any(|(s, n)| self.ready[at].sizes.get(s) != Some(n)) {
            return false;
        }
        // Most models have no place to look: they pay nothing for it.
        self.found = match rows {
            Rows::Distinct if !self.ready[at].looks.is_empty() => self.find(&self.ready[at].looks, inputs),
            Rows::Distinct | Rows::All => None,
        };
        let ready = &mut self.ready[at];
        // What is wrong with them is said when the right placement is there.
        ready.by == self.found.as_deref().map(Found::key)
            && ready.bind(&Values { inputs, stored: &self.stored, found: self.found.as_ref() }, false).is_ok()
    }

    /// Makes the placement for these sizes and inputs the current one, where rows are equal the one for as many as differ.
    fn settle_on(&mut self, sizes: Sizes, looks: Arc<[Look]>, inputs: &Bindings) -> Result<(), Diagnostic> {
        self.found = self.find(&looks, inputs);
        if self.found.is_some() && self.settle(&sizes, &looks).is_ok() {
            return Ok(());
        }
        self.found = None;
        self.settle(&sizes, &looks)
    }

    /// Makes the placement for these sizes the current one, with everything prepared.
    fn settle(&mut self, sizes: &Sizes, looks: &Arc<[Look]>) -> Result<(), Diagnostic> {
        let by = self.found.as_deref().map(Found::key);
        let (task, own) = match by {
            Some((k, rows)) => (&looks[k].task, looks[k].sizes(rows)),
            None => (&self.task, sizes.clone()),
        };
        let at = match self.ready.iter().position(|r| r.own == own) {
            Some(k) => k,
            None => {
                self.current = None;
                if self.ready.len() >= self.backend.kept() {
                    let gone = self.ready.remove(0);
                    self.kept.gone(&self.ready, &gone);
                }
                let placed = self.backend.place(task, &own)?;
                self.ready.push(Ready::new(sizes.clone(), own, placed, by, looks.clone()));
                self.ready.len() - 1
            }
        };
        let ready = &mut self.ready[at];
        if self.current.replace(at) != Some(at) {
            // What was handed on meanwhile went to another placement.
            ready.unbind();
        }
        if ready.settled != self.generation || self.generation == 0 {
            let nothing = Bindings::default();
            ready.bind(&Values { inputs: &nothing, stored: &self.stored, found: self.found.as_ref() }, true)?;
            self.kept.of_parameters(&mut self.ready, self.stored.newest(self.parameters.iter().map(|p| &**p)));
            self.kept.prepare(&mut self.ready, at)?;
            self.ready[at].settled = self.generation;
        }
        Ok(())
    }

    /// The placement for these inputs, with every source bound.
    pub(super) fn bind<'s: 'v, 'i: 'v, 'v>(
        &'s mut self,
        inputs: &'i Bindings,
        rows: Rows,
    ) -> Result<(&'s mut dyn Placed, Values<'v>), Diagnostic> {
        let bound = self.binds(inputs, rows);
        if !bound {
            // Another placement takes what was handed on from where it is.
            self.fetch()?;
            let sizes = self.all_sizes(inputs)?;
            if rows == Rows::Distinct {
                let looks = self.looks(&sizes);
                self.settle_on(sizes, looks, inputs)?;
            } else {
                self.found = None;
                let looks = self.looks.known(&sizes);
                self.settle(&sizes, &looks)?;
            }
        }
        let ready = &mut self.ready[self.current.expect("settled before")];
        let values = Values { inputs, stored: &self.stored, found: self.found.as_ref() };
        if !bound {
            ready.bind(&values, false)?;
        }
        Ok((&mut *ready.placed, values))
    }

    /// Runs on inputs. What goes wrong with the rows that differ is told of all rows.
    pub(super) fn run_bound(
        &mut self,
        inputs: &Bindings,
        run: &mut dyn FnMut(&mut dyn Placed, &Values) -> Result<(), Diagnostic>,
    ) -> Result<(), Diagnostic> {
        let (placed, values) = self.bind(inputs, Rows::Distinct)?;
        let done = run(placed, &values);
        if done.is_ok() || self.found.is_none() {
            return done;
        }
        let (placed, values) = self.bind(inputs, Rows::All)?;
        run(placed, &values)
    }
}
