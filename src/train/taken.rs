//! What a step came to, read from its results.

use super::step::Told;
use crate::check::model::Arm;
use crate::ir::{NodeId, Tensor};
use std::collections::BTreeMap;

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
}

/// What the results of a step say.
pub(super) fn read(arm: &Arm, told: &[(Told, NodeId)], results: &[Tensor]) -> Taken {
    let mut out = Taken::default();
    let mut chosen: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    let mut squares = 0.0;
    for ((what, _), t) in told.iter().zip(results) {
        let one = || t.get(0);
        match what {
            Told::Objective(0) if arm.objectives.len() == 1 => out.losses.push(("loss".into(), one())),
            Told::Objective(k) => out.losses.push((format!("loss.{k}"), one())),
            Told::Loss(name) => out.losses.push((name.clone(), one())),
            Told::Norm(_) => squares += one() * one(),
            Told::Rate(0, 0) => out.rates.push(("rate".into(), one())),
            Told::Rate(k, n) => out.rates.push((format!("rate.{k}.{n}"), one())),
            Told::Chosen(k) => {
                let all: Vec<f64> = t.to_f64();
                let sum = all.iter().sum::<f64>().max(1.0);
                out.loads.push((arm.model.routes[*k].over.clone(), all.iter().map(|n| n / sum).collect()));
                chosen.insert(*k, all);
            }
            Told::Seated(k) => {
                let (all, had): (f64, f64) = (chosen.get(k).map_or(0.0, |c| c.iter().sum()), t.to_f64().iter().sum());
                out.dropped.push((arm.model.routes[*k].over.clone(), 1.0 - had / all.max(1.0)));
            }
        }
    }
    out.norm = squares.sqrt();
    out
}
