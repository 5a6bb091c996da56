//! The graph placed at certain sizes: what is bound, and for which values it is prepared.

use super::backend::{Aside, Placed, Values};
use super::equal::{Found, Look};
use crate::diag::Diagnostic;
use crate::ir::Tensor;
use crate::plan::Sizes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A placement, and what it holds.
pub(super) struct Ready {
    pub sizes: Sizes,
    /// These, and how many rows a table has.
    pub own: Sizes,
    pub placed: Box<dyn Placed>,
    /// The generation that it was settled for; what is prepared for an older one may be stale.
    pub settled: u64,
    /// For what it is prepared.
    pub prepared: Option<Prepared>,
    /// What was prepared of other conditions for the same parameters, by their numbers.
    pub aside: BTreeMap<u64, Aside>,
    /// Where equal rows are looked for at these sizes, and of which of these looks it takes so many rows; none where it takes whole batches.
    pub looks: Arc<[Look]>,
    pub by: Option<(usize, usize)>,
    /// Rows that early sources are bound to: they are read where they lie.
    held: Option<Arc<Found>>,
    /// For each source the age of the stored value that is bound to it.
    pub bound: Vec<u64>,
    /// Which sources are bound when it is prepared, and which with every run.
    early: Vec<usize>,
    late: Vec<usize>,
}

/// What decides all that is prepared at certain sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prepared {
    /// The age of the youngest parameter.
    pub parameters: u64,
    /// The condition's number.
    pub condition: u64,
}

impl Ready {
    pub fn new(sizes: Sizes, own: Sizes, placed: Box<dyn Placed>, by: Option<(usize, usize)>, looks: Arc<[Look]>) -> Ready {
        let bound = vec![0; placed.sources().len()];
        let (early, late) = (0..bound.len()).partition(|k| placed.sources()[*k].early);
        Ready {
            sizes,
            own,
            placed,
            settled: 0,
            prepared: None,
            aside: BTreeMap::new(),
            looks,
            by,
            held: None,
            bound,
            early,
            late,
        }
    }

    /// Binds the early sources, or the others. A stored value that is bound already is left.
    pub fn bind(&mut self, values: &Values, early: bool) -> Result<(), Diagnostic> {
        if early {
            self.held = values.found.cloned();
        }
        for &k in if early { &self.early } else { &self.late } {
            let source = &self.placed.sources()[k];
            let age = values.age(&source.path);
            if self.bound[k] == age && age > 0 {
                continue;
            }
            let value = Tensor::given(&source.path, values.get(&source.path), source.dtype, &source.shape)?;
            self.placed.bind(k, value);
            self.bound[k] = age;
        }
        Ok(())
    }

    /// All sources but the early ones are to be bound again.
    pub fn unbind(&mut self) {
        self.late.iter().for_each(|k| self.bound[*k] = 0);
    }

    /// Whether it is prepared for this condition, or can be without computing.
    pub fn holds(&self, condition: u64) -> bool {
        self.prepared.is_some_and(|p| p.condition == condition) || self.aside.contains_key(&condition)
    }

    /// Bytes of what was laid aside.
    pub fn bytes(&self) -> usize {
        self.aside.len() * self.placed.changing().unwrap_or(0)
    }
}
