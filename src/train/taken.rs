//! What a step came to, read from its results.

use super::step::Told;
use crate::check::model::Arm;
use crate::ir::{NodeId, Tensor};

/// What a step came to.
#[derive(Default)]
pub(super) struct Taken {
    pub losses: Vec<(String, f64)>,
    pub rates: Vec<(String, f64)>,
    pub norm: f64,
    pub loads: Vec<(String, Vec<f64>)>,
    pub dropped: Vec<(String, f64)>,
    pub rows: u64,
    pub by: Option<(String, i64)>,
    /// Which arm took the step.
    pub arm: usize,
    /// Its gradients were not finite in 16 bits: it changed nothing.
    pub skipped: bool,
}

impl Taken {
    /// Takes in batch `j` of a step: its loss is the mean of theirs.
    pub fn add(&mut self, batch: Taken, j: u64) {
        let (rows, mut losses) = (self.rows + batch.rows, std::mem::take(&mut self.losses));
        let share = 1.0 / (j + 1) as f64;
        losses.iter_mut().zip(&batch.losses).for_each(|(a, b)| a.1 += (b.1 - a.1) * share);
        let losses = if j == 0 { batch.losses } else { losses };
        *self = Taken { rows, losses, ..batch };
    }
}

/// The list of a record in which something that is told stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    Losses,
    Rates,
    /// Norms of the objectives: that of all gradients is the root of the sum of their squares.
    Norms,
    /// How often each expert was chosen: shares are told.
    Loads,
    /// How often each expert was chosen and had a seat: the share of those who had none is told.
    Dropped,
}

/// Where something that is told stands in a record, and under which name.
pub fn named(arm: &Arm, told: &Told) -> (List, String) {
    match told {
        Told::Objective(0) if arm.objectives.len() == 1 => (List::Losses, "loss".into()),
        Told::Objective(k) => (List::Losses, format!("loss.{k}")),
        Told::Loss(name) => (List::Losses, name.clone()),
        Told::Norm(k) => (List::Norms, k.to_string()),
        Told::Rate(0, 0) => (List::Rates, "rate".into()),
        Told::Rate(k, n) => (List::Rates, format!("rate.{k}.{n}")),
        Told::Chosen(k) => (List::Loads, arm.model.routes[*k].over.clone()),
        Told::Seated(k) => (List::Dropped, arm.model.routes[*k].over.clone()),
    }
}

/// What the results of a step say.
pub(super) fn read(arm: &Arm, told: &[(Told, NodeId)], results: &[Tensor]) -> Taken {
    let mut out = Taken::default();
    // How often experts were chosen in the route that was told last: its seats come next.
    let mut chosen = 0.0;
    let mut squares = 0.0;
    for ((what, _), t) in told.iter().zip(results) {
        let one = || t.get(0);
        let sum = || t.to_f64().iter().sum::<f64>();
        let (list, name) = named(arm, what);
        match list {
            List::Losses => out.losses.push((name, one())),
            List::Norms => squares += one() * one(),
            List::Rates => out.rates.push((name, one())),
            List::Loads => {
                chosen = sum().max(1.0);
                out.loads.push((name, t.to_f64().iter().map(|n| n / chosen).collect()));
            }
            List::Dropped => out.dropped.push((name, 1.0 - sum() / chosen)),
        }
    }
    out.norm = squares.sqrt();
    out
}
