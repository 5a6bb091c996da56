//! A run that is kept: its checkpoints, its metrics and event files in a folder, and how it begins there or goes on.
//!
//! In: a trainer, a folder, who the run is. Out: all its steps taken, each told to whoever asks. Promised: a run that is cut off at any moment
//! goes on from its last checkpoint to the same bits, and nobody's run is written over by chance.

use super::board::Board;
use super::checkpoint::{self, Checkpoint};
use super::identity::Identity;
use super::metrics::{self, Metrics};
use super::report::{Head, html};
use super::{Place, Record, State, Trainer};
use crate::diag::{Code, Diagnostic};
use crate::exec::eval;
use crate::files::atomic;
use crate::ir::Tensor;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// How a run stands to what is in its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// In a folder without a run.
    New,
    /// Anew: checkpoints and metrics that are there go.
    Fresh,
    /// From the last checkpoint. `force`: though the model, its data or the settings have changed.
    Resume { force: bool },
}

/// What is kept, and where.
#[derive(Clone, Debug)]
pub struct Keep {
    pub folder: PathBuf,
    pub begin: Begin,
    /// Updates from one checkpoint to the next, at least 1.
    pub every: u64,
    /// Checkpoints that are kept, besides the best.
    pub last: usize,
    pub identity: Identity,
}

/// Why a run does not begin.
#[derive(Debug)]
pub enum Refused {
    /// The folder has a run that got to this step.
    There(u64),
    /// The folder has nothing to go on from.
    Nothing,
    /// A file cannot be read or written, or is of another run.
    Fault(Diagnostic),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::There(step) => write!(f, "the folder has a run that got to step {step}"),
            Refused::Nothing => write!(f, "the folder has no checkpoint to go on from"),
            Refused::Fault(d) => write!(f, "{}", d.message),
        }
    }
}

impl std::error::Error for Refused {}

impl From<Diagnostic> for Refused {
    fn from(d: Diagnostic) -> Refused {
        Refused::Fault(d)
    }
}

/// What a checkpoint says besides values.
#[derive(Serialize, Deserialize)]
struct About {
    place: Place,
    /// Bytes of the file of metrics.
    metrics: u64,
    seconds: f64,
    identity: Identity,
}

/// A run and its files.
pub struct Kept {
    keep: Keep,
    metrics: Metrics,
    board: Board,
    /// Seconds of earlier runs.
    before: f64,
    begun: Instant,
    /// The step after which it goes on; `None`: it is new.
    after: Option<u64>,
}

impl Kept {
    /// Begins a run's folder, or goes on in it: then the trainer is put where the run was.
    pub fn open(keep: Keep, trainer: &mut Trainer) -> Result<Kept, Refused> {
        let folder = &keep.folder;
        let there = checkpoint::steps(folder);
        let path = folder.join("metrics.jsonl");
        std::fs::create_dir_all(folder).map_err(|e| atomic::cannot(folder, &e))?;
        let begun = Instant::now();
        let force = match (keep.begin, there.last()) {
            (Begin::New, Some((step, _))) => return Err(Refused::There(*step)),
            (Begin::New | Begin::Fresh, _) => {
                let older = there.iter().map(|(_, path)| path.clone()).chain([checkpoint::best(folder)]);
                for file in older.chain(super::board::files(folder)?) {
                    match std::fs::remove_file(&file) {
                        Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(atomic::cannot(&file, &e).into()),
                        Ok(()) | Err(_) => {}
                    }
                }
                let (metrics, board) = (Metrics::create(&path)?, Board::start(folder, None)?);
                return Ok(Kept { keep, metrics, board, before: 0.0, begun, after: None });
            }
            (Begin::Resume { force }, _) => force,
        };
        let Some((step, file)) = there.last() else { return Err(Refused::Nothing) };
        let saved = Checkpoint::load(file).map_err(|d| match there.iter().rev().nth(1) {
            Some((before, _)) => d.help(format!("without `{}` the run goes on from step {before}: delete it", file.display())),
            None => d,
        })?;
        let about: About = serde_json::from_value(saved.meta).map_err(|e| {
            Diagnostic::plain(Code::H0632, format!("`{}` is no checkpoint of a run", file.display())).note(e.to_string())
        })?;
        if !force {
            about.identity.agree(&keep.identity, file)?;
        }
        let (metrics, board) = (Metrics::resume(&path, about.metrics)?, Board::start(folder, Some(*step + 1))?);
        trainer.resume(State { place: about.place, values: saved.tensors });
        Ok(Kept { metrics, board, before: about.seconds, begun, after: Some(*step), keep })
    }

    /// The step after which it goes on; `None`: it is new.
    pub fn after(&self) -> Option<u64> {
        self.after
    }

    pub fn folder(&self) -> &Path {
        &self.keep.folder
    }

    /// Time that the run took so far, in seconds.
    pub fn seconds(&self) -> f64 {
        self.before + self.begun.elapsed().as_secs_f64()
    }

    /// Takes all steps that are left. `each` is told of every step, with how many are left and how many there are in all; where it gives
    /// `false`, the run is kept where it is and stops. Gives whether it came to its end.
    /// Errors: a loss that is not finite, a file that cannot be written; the last checkpoint is whole.
    pub fn run(&mut self, trainer: &mut Trainer, each: &mut dyn FnMut(&Record, (u64, u64)) -> bool) -> Result<bool, Diagnostic> {
        let every = self.keep.every.max(1);
        loop {
            if (trainer.place().updates + 1).is_multiple_of(every) {
                trainer.look();
            }
            let Some(mut record) = trainer.step()? else { return Ok(true) };
            record.seconds = self.seconds();
            if !record.losses.is_empty() {
                self.metrics.append(&record)?;
                self.board.append(&record)?;
            }
            let left = trainer.steps();
            let last = left.0 == 0;
            let goes_on = each(&record, left);
            if record.step.is_multiple_of(every) || last || !goes_on {
                self.save(trainer, &checkpoint::place(&self.keep.folder, record.step))?;
                checkpoint::keep(&self.keep.folder, self.keep.last)?;
            }
            if trainer.is_best() {
                self.save_best(trainer)?;
            }
            if !goes_on && !last {
                return Ok(false);
            }
        }
    }

    /// Writes where the run is. Errors: it is not worth to go on from there.
    fn save(&self, trainer: &mut Trainer, path: &Path) -> Result<(), Diagnostic> {
        trainer.whole()?;
        self.metrics.sync()?;
        let state = trainer.state()?;
        Checkpoint { tensors: state.values, meta: self.about(state.place) }.save(path)
    }

    /// Writes what was measured as the best so far: the weights alone, as they were measured.
    fn save_best(&self, trainer: &mut Trainer) -> Result<(), Diagnostic> {
        let (tensors, meta) = (trainer.params()?, self.about(trainer.place().clone()));
        Checkpoint { tensors, meta }.save(&checkpoint::best(&self.keep.folder))
    }

    fn about(&self, place: Place) -> serde_json::Value {
        let (metrics, identity) = (self.metrics.length(), self.keep.identity.clone());
        serde_json::to_value(About { place, metrics, seconds: self.seconds(), identity }).expect("it is what JSON can say")
    }

    /// What was trained, by path; where that is what measured best and not what came last, its score and the updates there were then.
    pub fn trained(&self, trainer: &mut Trainer) -> Result<(BTreeMap<String, Tensor>, Option<(f64, u64)>), Diagnostic> {
        Ok((trainer.params()?, trainer.place().chosen))
    }

    /// Writes the page with the run's curves, and gives its path.
    pub fn report(&self, head: &Head, evals: &[eval::Report]) -> Result<PathBuf, Diagnostic> {
        let records = metrics::read(&self.keep.folder.join("metrics.jsonl"))?;
        let page = self.keep.folder.join("report.html");
        atomic::write(&page, html(head, &records, evals).as_bytes())?;
        Ok(page)
    }
}
