//! Who writes each buffer of a plan, and who reads it: what decides whether it needs memory.

use super::{Kind, Plan, Step};

/// For each buffer the steps that write it and those that read it, in their order; a step that reads it twice stands twice.
pub(super) struct Uses {
    pub writers: Vec<Vec<usize>>,
    pub readers: Vec<Vec<usize>>,
}

impl Uses {
    pub fn of(plan: &Plan) -> Uses {
        let none = || vec![Vec::new(); plan.buffers.len()];
        let mut out = Uses { writers: none(), readers: none() };
        for (n, step) in plan.steps.iter().enumerate() {
            step.writes().into_iter().for_each(|b| out.writers[b].push(n));
            step.reads().into_iter().for_each(|b| out.readers[b].push(n));
        }
        out
    }

    /// The step that alone reads what `step` alone writes into a buffer, once; both are prepared, or none is.
    pub fn only_reader(&self, plan: &Plan, step: usize, buffer: usize) -> Option<usize> {
        let ([_], [reader]) = (&self.writers[buffer][..], &self.readers[buffer][..]) else { return None };
        let fits = plan.buffers[buffer].kind == Kind::Temp && (*reader < plan.prepared) == (step < plan.prepared);
        fits.then_some(*reader)
    }

    /// Products with the step that alone reads what each writes.
    pub fn pairs<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = (usize, usize, usize)> + 'a {
        plan.steps.iter().enumerate().filter_map(|(n, step)| {
            let Step::Product(p) = step else { return None };
            Some((n, self.only_reader(plan, n, p.out.0)?, p.out.0))
        })
    }
}
