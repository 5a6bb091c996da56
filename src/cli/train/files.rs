//! The files that a run writes, and how it begins in its folder or goes on in it.

use super::{Args, backend};
use crate::cli::open::Opened;
use crate::cli::talk::{Exit, Talk, usage};
use crate::diag::{Code, Diagnostic};
use crate::exec::session::Options as Run;
use crate::files::atomic;
use crate::train::board::Board;
use crate::train::checkpoint::{self, Checkpoint};
use crate::train::identity::Identity;
use crate::train::metrics::Metrics;
use crate::train::{Place, Record, State, Trainer};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What a checkpoint says besides values.
#[derive(Serialize, Deserialize)]
struct About {
    place: Place,
    /// Bytes of the file of metrics.
    metrics: u64,
    seconds: f64,
    identity: Identity,
}

/// The files that a run writes.
pub struct Files {
    pub folder: PathBuf,
    metrics: Metrics,
    board: Board,
    identity: Identity,
    /// Seconds of earlier runs.
    before: f64,
    begun: Instant,
}

impl Files {
    /// Begins a run's folder, or goes on in it.
    pub fn open(
        args: &Args,
        opened: &Opened,
        folder: &Path,
        read: &[PathBuf],
        run: Run,
        trainer: &mut Trainer,
        talk: Talk,
    ) -> Result<Files, Result<Exit, Diagnostic>> {
        let data: Vec<&Path> = read.iter().map(PathBuf::as_path).collect();
        let mut settings: Vec<String> = args.which.set.iter().map(|(n, v)| format!("--set {n}={v}")).collect();
        settings.extend(args.phase.iter().map(|p| format!("--phase {p}")));
        settings.extend(args.seed.iter().map(|s| format!("--seed {s}")));
        settings.extend(args.steps.iter().map(|s| format!("--steps {s}")));
        let identity = Identity::new(&opened.sources, &data, backend(run), settings).map_err(Err)?;
        let there = checkpoint::steps(folder);
        let path = folder.join("metrics.jsonl");
        std::fs::create_dir_all(folder).map_err(|e| Err(atomic::cannot(folder, &e)))?;
        let begun = Instant::now();
        if !args.resume {
            if !there.is_empty() && !args.fresh {
                return Err(Ok(usage(&format!(
                    "`{}` has a run that got to step {}: `--resume` goes on with it, `--fresh` begins anew, `--dir` takes another folder",
                    folder.display(),
                    there.last().map_or(0, |(step, _)| *step)
                ))));
            }
            for (_, file) in there.iter().map(|(s, p)| (*s, p.clone())).chain([(0, checkpoint::best(folder))]) {
                match std::fs::remove_file(&file) {
                    Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(Err(atomic::cannot(&file, &e))),
                    Ok(()) | Err(_) => {}
                }
            }
            let metrics = Metrics::create(&path).map_err(Err)?;
            let board = Board::start(folder, None).map_err(Err)?;
            return Ok(Files { folder: folder.to_path_buf(), metrics, board, identity, before: 0.0, begun });
        }
        let Some((step, file)) = there.last() else {
            return Err(Ok(usage(&format!("`{}` has no checkpoint to go on from: leave `--resume` out", folder.display()))));
        };
        let saved = Checkpoint::load(file).map_err(Err)?;
        let about: About = serde_json::from_value(saved.meta).map_err(|e| {
            Err(Diagnostic::plain(Code::H0632, format!("`{}` is no checkpoint of a run", file.display())).note(e.to_string()))
        })?;
        if !args.force {
            about.identity.agree(&identity, file).map_err(Err)?;
        }
        let metrics = Metrics::resume(&path, about.metrics).map_err(Err)?;
        let board = Board::start(folder, Some(*step + 1)).map_err(Err)?;
        trainer.resume(State { place: about.place, values: saved.tensors });
        talk.note(&format!("goes on after step {step}"));
        Ok(Files { folder: folder.to_path_buf(), metrics, board, identity, before: about.seconds, begun })
    }

    pub fn seconds(&self) -> f64 {
        self.before + self.begun.elapsed().as_secs_f64()
    }

    pub fn tell(&mut self, record: &Record) -> Result<(), Diagnostic> {
        self.metrics.append(record)?;
        self.board.append(record)
    }

    /// Writes where the run is.
    pub fn save(&self, trainer: &mut Trainer, path: &Path) -> Result<(), Diagnostic> {
        self.metrics.sync()?;
        let state = trainer.state()?;
        let about = About {
            place: state.place,
            metrics: self.metrics.length(),
            seconds: self.seconds(),
            identity: self.identity.clone(),
        };
        let meta = serde_json::to_value(about).expect("it is what JSON can say");
        Checkpoint { tensors: state.values, meta }.save(path)
    }
}
