//! Training a model, step by step.
//!
//! In: a checked model, its parameters, the folder of its data. Out: after each step a [`Record`], and whenever wanted the parameters and the state. A step is
//! a function of its number, of the seed and of the values that it was handed: nothing else is kept, so a run that goes on from a
//! [`State`] has the bits of one that never stopped.

use super::arm::Running;
use super::course;
use super::options::Options;
use super::record::Record;
use super::scaling::Scaling;
use super::taken::Taken;
use super::values::{self, averaged, lost, put};
use crate::check::model::{Model, Train};
use crate::diag::{Code, Diagnostic};
use crate::exec::eval::{self, Setting};
use crate::ir::{NodeId, OutputKind, Tensor};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Where training stands.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Place {
    /// Phases that are done.
    pub phase: usize,
    /// Rounds of this phase that are done.
    pub round: u64,
    /// Steps of this round that are done.
    pub step: u64,
    /// Updates in all.
    pub updates: u64,
    /// Rows in all.
    pub rows: u64,
    /// This round ended before all its steps were taken: there was no progress for too long.
    #[serde(default)]
    pub ended: bool,
    /// The best score of this round, and the updates there were then. It is finite.
    pub best: Option<(f64, u64)>,
    /// Measurements since then.
    pub since: u64,
    /// What the last round left is what measured best in it: the score, and the updates there were then.
    #[serde(default)]
    pub chosen: Option<(f64, u64)>,
    /// The scale of losses, in mixed precision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
}

/// All that going on needs: parameters, states, what the rules remember, conditions that were set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    pub place: Place,
    /// By path; what is no parameter begins with `#`.
    pub values: BTreeMap<String, Tensor>,
}

/// Training under way.
pub struct Trainer<'m> {
    model: &'m Model,
    folder: PathBuf,
    options: Options,
    phases: Vec<&'m Train>,
    place: Place,
    values: BTreeMap<String, Tensor>,
    /// What measured best in this round, where it ends with that.
    best: BTreeMap<String, Tensor>,
    running: Option<Running>,
    seconds: f64,
    /// Elements of each parameter that were no finite numbers in the beginning.
    lost: BTreeMap<String, usize>,
    /// What was said and is no error.
    pub warnings: Vec<Diagnostic>,
    /// Whether the next step is looked at in any case.
    looks: bool,
}

impl<'m> Trainer<'m> {
    /// Begins. Errors: the model has no such phase, or phases wait for each other.
    pub fn new(
        model: &'m Model,
        params: BTreeMap<String, Tensor>,
        folder: &Path,
        options: Options,
    ) -> Result<Trainer<'m>, Diagnostic> {
        let phases = phases(model, options.phase.as_deref())?;
        let lost = lost(model, &params);
        Ok(Trainer {
            model,
            folder: folder.to_path_buf(),
            options,
            phases,
            place: Place::default(),
            values: params,
            best: BTreeMap::new(),
            running: None,
            seconds: 0.0,
            lost,
            warnings: vec![],
            looks: false,
        })
    }

    /// Goes on from what another run left.
    pub fn resume(&mut self, state: State) {
        self.place = state.place;
        (self.values, self.best) = values::apart(state.values);
        self.lost = lost(self.model, &self.values);
        self.running = None;
    }

    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The phase under way; none when all are done.
    pub fn phase(&self) -> Option<&'m Train> {
        self.phases.get(self.place.phase).copied()
    }

    /// Phases in the order in which they are trained.
    pub fn phases(&self) -> &[&'m Train] {
        &self.phases
    }

    /// Steps that are left, as far as it is known (training may stop early), and in all.
    pub fn steps(&self) -> (u64, u64) {
        let of = |t: &Train| rounds(t) * self.steps_of(t);
        let all = self.phases.iter().map(|t| of(t)).sum();
        let done: u64 = self.phases.iter().take(self.place.phase).map(|t| of(t)).sum();
        let here = self.phase().map_or(0, |t| {
            self.place.round * self.steps_of(t) + if self.place.ended { self.steps_of(t) } else { self.place.step }
        });
        (all - (done + here).min(all), all)
    }

    fn steps_of(&self, t: &Train) -> u64 {
        self.options.steps.unwrap_or(t.steps)
    }

    fn seed_of(&self, t: &Train) -> i32 {
        self.options.seed.unwrap_or(t.seed)
    }

    /// Compares the gradients of the first phase with central differences, each parameter along one direction; says how far they are apart.
    pub fn check(&mut self) -> Result<String, Diagnostic> {
        let Some(train) = self.phase() else { return Ok("there is nothing to train".into()) };
        let name = train.phase.clone().unwrap_or_default();
        let mut running = Running::new(train, &name, self.seed_of(train), self.options.how(), &self.folder)?;
        running.round(0);
        Ok(running.check(&self.values)?.to_string())
    }

    /// The next step is looked at, whatever [`Options::told`] says: what a checkpoint keeps is finite.
    pub fn look(&mut self) {
        self.looks = true;
    }

    /// Takes one step. `None`: all is done. Errors: data that cannot be read or does not fit; H0621, a loss or a gradient is not finite, and
    /// then all values are what they were before the step.
    pub fn step(&mut self) -> Result<Option<Record>, Diagnostic> {
        let begun = Instant::now();
        loop {
            let Some(train) = self.phase() else { return Ok(None) };
            if self.place.step < self.steps_of(train) && !self.place.ended && self.place.round < rounds(train) {
                break;
            }
            self.next_round()?;
        }
        let train = self.phase().expect("there is one");
        if self.running.is_none() {
            self.begin(train)?;
        }
        let running = self.running.as_mut().expect("it was begun");
        let last = self.place.step + 1 == self.options.steps.unwrap_or(train.steps);
        // A step that may be skipped is looked at.
        let told = last
            || self.options.mixed
            || std::mem::take(&mut self.looks)
            || self.place.step.is_multiple_of(self.options.told.max(1));
        let taken = running.step(&self.place, told)?;
        self.place.step += 1;
        match &mut self.place.scaling {
            Some(scaling) if taken.skipped => {
                scaling.bad(taken.arm);
            }
            Some(scaling) => {
                scaling.good();
                self.place.updates += 1;
            }
            None => self.place.updates += 1,
        }
        self.place.rows += taken.rows;
        self.now_and_then(train)?;
        let scores = self.measured(train)?;
        self.seconds += begun.elapsed().as_secs_f64();
        Ok(Some(self.record(train, taken, scores)))
    }

    fn record(&self, train: &Train, taken: Taken, scores: Vec<(String, f64)>) -> Record {
        Record {
            phase: train.phase.clone().unwrap_or_else(|| self.model.name.clone()),
            round: train.each.as_ref().map(|(_, from, _)| from + self.place.round as i64),
            step: self.place.updates,
            at: self.place.step,
            losses: taken.losses,
            rates: taken.rates,
            norm: taken.norm,
            rows: self.place.rows,
            seconds: self.seconds,
            loads: taken.loads,
            dropped: taken.dropped,
            scores,
            by: taken.by,
            scale: self.place.scaling.as_ref().map(|s| s.scale),
            skipped: taken.skipped,
        }
    }

    /// Begins a round, or goes on in it.
    fn begin(&mut self, train: &'m Train) -> Result<(), Diagnostic> {
        let seed = self.seed_of(train);
        let name = train.phase.clone().unwrap_or_default();
        let mut running = Running::new(train, &name, seed, self.options.how(), &self.folder)?;
        running.round(self.place.round);
        let mut values = std::mem::take(&mut self.values);
        if self.place.step == 0 {
            // What the rules of an earlier round remembered is over.
            values.retain(|path, _| !path.starts_with('#') || path.starts_with("#set."));
            let nodes: Vec<NodeId> = train.sets.iter().map(|s| s.node).collect();
            let got = running.values(0, &nodes, &values, &self.place)?;
            for (set, t) in train.sets.iter().zip(got) {
                put(&mut values, &train.arms[0].model, &set.path, t);
            }
        }
        running.hold(values)?;
        if self.options.mixed {
            let scaling = self.place.scaling.get_or_insert_default();
            if self.place.step == 0 {
                scaling.skipped.clear();
            }
        }
        self.warnings.append(&mut running.warnings);
        self.running = Some(running);
        Ok(())
    }

    /// Ends a round, and a phase where it was the last. What it leaves is what is measured: running averages, and what measured best where
    /// somebody waits for that.
    fn next_round(&mut self) -> Result<(), Diagnostic> {
        self.values = averaged(self.taken()?);
        let best = std::mem::take(&mut self.best);
        let is_chosen = !best.is_empty();
        self.values.extend(best);
        self.running = None;
        let Place { phase, round, updates, rows, scaling, best, .. } = std::mem::take(&mut self.place);
        let chosen = best.filter(|_| is_chosen);
        let over = self.phases.get(phase).is_none_or(|t| round + 1 >= rounds(t));
        let (phase, round) = if over { (phase + 1, 0) } else { (phase, round + 1) };
        self.place = Place { phase, round, updates, rows, scaling, chosen, ..Place::default() };
        Ok(())
    }

    /// All values, from whoever has them.
    fn taken(&mut self) -> Result<BTreeMap<String, Tensor>, Diagnostic> {
        match &mut self.running {
            Some(running) => running.release(),
            None => Ok(std::mem::take(&mut self.values)),
        }
    }

    /// What is set every so many steps.
    fn now_and_then(&mut self, train: &'m Train) -> Result<(), Diagnostic> {
        for e in train.every.iter().filter(|e| self.place.step.is_multiple_of(e.interval)) {
            let running = self.running.as_mut().expect("a step was taken");
            let values = running.release()?;
            let mut nodes: Vec<NodeId> = e.when.into_iter().collect();
            nodes.extend(e.sets.iter().map(|s| s.node));
            let got = running.values(0, &nodes, &values, &self.place);
            let mut values = values;
            let got = match got {
                Ok(got) => got,
                Err(d) => {
                    running.hold(values)?;
                    return Err(d);
                }
            };
            let (when, got) = got.split_at(usize::from(e.when.is_some()));
            if when.first().is_none_or(|t| t.get(0) != 0.0) {
                for (set, t) in e.sets.iter().zip(got) {
                    put(&mut values, &train.arms[0].model, &set.path, t.clone());
                }
            }
            running.hold(values)?;
        }
        Ok(())
    }

    /// What is measured every so many steps; where there was no progress for too long, the phase ends.
    fn measured(&mut self, train: &'m Train) -> Result<Vec<(String, f64)>, Diagnostic> {
        let Some(watch) = &train.watch else { return Ok(vec![]) };
        if !self.place.step.is_multiple_of(watch.interval) {
            return Ok(vec![]);
        }
        let Some(block) = self.model.evals.iter().find(|e| e.phase.as_deref() == Some(&*watch.block)) else { return Ok(vec![]) };
        let params = self.params()?;
        let setting = Setting {
            model: self.model,
            params: &params,
            folder: &self.folder,
            options: self.options.run.clone(),
            seed: self.seed_of(train),
        };
        let report = eval::run(&setting, block, &mut |_, _| {})?;
        let all = report.rows.last().map_or(vec![], |r| r.values.clone());
        let scores: Vec<(String, f64)> = report.columns.iter().map(|c| format!("{}.{c}", watch.block)).zip(all).collect();
        if let (Some((_, score)), Some(name)) = (scores.first(), report.columns.first()) {
            let loss = self.model.graph.output(name).is_some_and(|o| o.kind == OutputKind::Loss);
            let better = |best: f64| if loss { *score < best } else { *score > best };
            // What is not finite is better than nothing that there is, and nothing is better than it.
            if score.is_finite() && self.place.best.is_none_or(|(best, _)| better(best)) {
                self.place.best = Some((*score, self.place.updates));
                self.place.since = 0;
                if watch.patience.is_some() {
                    self.best = params;
                }
            } else {
                self.place.since += 1;
            }
            self.place.ended = watch.patience.is_some_and(|p| self.place.since >= p);
        }
        Ok(scores)
    }

    /// Whether the last step was measured as the best so far.
    pub fn is_best(&self) -> bool {
        self.place.best.is_some_and(|(_, at)| at == self.place.updates) && self.place.updates > 0
    }

    /// The parameters and states of the model as they are now; the running averages where a block asks for them.
    pub fn params(&mut self) -> Result<BTreeMap<String, Tensor>, Diagnostic> {
        let values = match &mut self.running {
            Some(running) => running.peek()?.clone(),
            None => self.values.clone(),
        };
        Ok(averaged(values).into_iter().filter(|(path, _)| !path.starts_with('#')).collect())
    }

    /// All that going on needs.
    pub fn state(&mut self) -> Result<State, Diagnostic> {
        let mut values = match &mut self.running {
            Some(running) => running.peek()?.clone(),
            None => self.values.clone(),
        };
        values::join(&mut values, &self.best);
        Ok(State { place: self.place.clone(), values })
    }

    /// Whether all parameters are finite numbers, but for those that were none in the beginning. A gradient that is finite may be too large for
    /// its step. Errors: H0621, with the parameter that is not.
    pub fn whole(&mut self) -> Result<(), Diagnostic> {
        let params = self.params()?;
        let more = |(path, n): &(String, usize)| *n > self.lost.get(path).copied().unwrap_or(0);
        let Some((path, _)) = lost(self.model, &params).into_iter().find(more) else { return Ok(()) };
        let span = self.model.params.iter().find(|p| p.path == path).map(|p| p.span);
        let message = format!("`{path}` is not finite after step {}", self.place.updates);
        Err(Diagnostic::error(Code::H0621, span.unwrap_or_default(), message)
            .note("no loss and no gradient told: an update made it so, since the last checkpoint; that one is whole")
            .help("a smaller learning rate, or one that is bounded where it is computed"))
    }
}

/// Rounds of a phase.
fn rounds(t: &Train) -> u64 {
    t.each.as_ref().map_or(1, |(_, from, to)| (to - from).max(0) as u64)
}

/// The phases in order: those that come after others behind them, else as in the file.
fn phases<'m>(model: &'m Model, only: Option<&str>) -> Result<Vec<&'m Train>, Diagnostic> {
    if model.trains.is_empty() {
        return Err(Diagnostic::plain(Code::H0006, format!("`{}` has no train block", model.name))
            .help(format!("add `train {} {{ data .. batch .. minimize .. steps .. }}`", model.name)));
    }
    if let Some(name) = only {
        return Ok(vec![course::phase(model, name)?]);
    }
    let mut left: Vec<&Train> = model.trains.iter().collect();
    let mut out: Vec<&Train> = vec![];
    while !left.is_empty() {
        let ready = |t: &&Train| t.after.as_ref().is_none_or(|a| !left.iter().any(|o| o.phase.as_ref() == Some(a)));
        match left.iter().position(ready) {
            Some(k) => out.push(left.remove(k)),
            // The checker has refused circles.
            None => out.append(&mut left),
        }
    }
    Ok(out)
}
