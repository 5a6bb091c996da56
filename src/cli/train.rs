//! `hnet train`: trains a model as its `train` blocks say.
//!
//! A run has a folder: checkpoints, the file of metrics, event files for TensorBoard, the report. What it trained goes to a file of weights,
//! which is found beside the model from then on.

use super::choices::Ways;
use super::open::{self, Opened, Which};
use super::run::Where;
use super::talk::{self, Exit, Talk, usage};
use crate::bind::params;
use crate::check::model::{DataFile, Eval, Model};
use crate::diag::Diagnostic;
use crate::exec::eval::{self, Setting};
use crate::exec::session::{Backend, Options as Run};
use crate::exec::table::{self, Table};
use crate::files::archive;
use crate::gpu;
use crate::ir::OutputKind;
use crate::ir::sizes::Sizes;
use crate::source::Sources;
use crate::train::folder::{Begin, Keep, Kept, Refused};
use crate::train::identity::Identity;
use crate::train::report::Head;
use crate::train::{MEMORY, Options, Record, Trainer, checkpoint};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};

/// Train a model, as its `train` blocks say
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hnet train tasks.hnet
  hnet train tasks.hnet --steps 200 --seed 1 --out small.safetensors
  hnet train tasks.hnet --resume

The run's folder, `tasks.train` beside the file, has checkpoints, metrics.jsonl, event files for TensorBoard and report.html.
Ctrl-C ends the step that is under way and writes a checkpoint; `--resume` goes on from the last one, to the same bits.")]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// Only this phase
    #[arg(long, value_name = "NAME")]
    phase: Option<String>,
    /// Steps of each phase, instead of the block's own
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
    /// Seed of all that is drawn, and of the order of the rows, instead of the block's own
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<i32>,
    /// The weights to begin with: safetensors; drawn where they are not given
    #[arg(long, value_name = "F")]
    params: Vec<PathBuf>,
    /// Where the trained weights go
    #[arg(long, short, value_name = "F")]
    out: Option<PathBuf>,
    /// The run's folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Goes on from the last checkpoint of the run's folder
    #[arg(long, conflicts_with_all = ["fresh", "params"])]
    resume: bool,
    /// Goes on though the model, its data or the settings have changed
    #[arg(long, requires = "resume")]
    force: bool,
    /// Begins anew in a folder that has a run: its checkpoints and metrics go
    #[arg(long)]
    fresh: bool,
    /// Steps from one checkpoint to the next
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..))]
    save_every: u64,
    /// Checkpoints that are kept, besides the best
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..))]
    keep: u64,
    /// Steps from one look at the losses to the next
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    log_every: u64,
    /// Compares gradients with differences before it starts
    #[arg(long)]
    check: bool,
    /// Products read their factors in 16 bits, losses are scaled; sums, weights and rules stay in 32
    #[arg(long)]
    mixed: bool,
    /// How much the rounds of loops may keep for their derivatives (512MB, 8GB); long loops are cut where they would keep more
    #[arg(long, value_name = "SIZE", default_value = "4GiB", value_parser = open::size)]
    memory: bytesize::ByteSize,
    #[command(flatten)]
    place: Where,
    #[command(flatten)]
    ways: Ways,
    /// A JSON object for each step on stdout
    #[arg(long)]
    json: bool,
}

/// 0: nobody trains; 1: somebody does; 2: and was asked to stop.
static TRAINING: AtomicU8 = AtomicU8::new(0);

/// Asks a training run to stop after its step. Gives whether there is one that was not asked before.
pub fn stop_soon() -> bool {
    TRAINING.compare_exchange(1, 2, Ordering::SeqCst, Ordering::SeqCst).is_ok()
}

pub fn main(args: &Args) -> Result<(), Exit> {
    let talk = Talk::json(args.json);
    let mut run = args.place.options(talk).map_err(|d| talk.fail(&Sources::default(), d))?;
    let opened = open::model(&args.which, talk)?;
    let trains: Vec<&DataFile> =
        opened.model.trains.iter().flat_map(|t| &t.arms).flat_map(|a| &a.rows.data).chain(measured(&opened)).collect();
    opened.allow_files(&trains, talk)?;
    let folder = args.dir.clone().unwrap_or_else(|| beside(&opened, "train"));
    let out = args.out.clone().unwrap_or_else(|| beside(&opened, "params.safetensors"));
    open::ends(&out, &["safetensors"])?;
    let mut read: Vec<PathBuf> = trains.iter().map(|d| opened.folder().join(&d.file)).collect();
    read.sort();
    read.dedup();
    opened.spare(&out, &read)?;
    // Weights that somebody has are not written over by chance; those of this run's own folder are.
    if args.out.is_none() && !args.resume && out.is_file() && checkpoint::steps(&folder).is_empty() {
        let there = out.display();
        return Err(usage(&format!("`{there}` has weights already: `--out F` keeps them, `--out {there}` writes over them")));
    }
    let seed = args.seed.unwrap_or_else(|| opened.model.trains.first().map_or(0, |t| t.seed));
    let fixed: Sizes = opened.model.dims.iter().filter_map(|d| Some((d.name.clone(), d.size?))).collect();
    let params = opened.begin(&args.params, &fixed, seed, talk)?;
    run.terms.pins = args.ways.pins(&opened, None, &run, talk)?;
    let options = Options {
        run: run.clone(),
        seed: args.seed,
        steps: args.steps,
        phase: args.phase.clone(),
        told: args.log_every,
        memory: Some(args.memory.0),
        mixed: args.mixed,
    };
    let mut trainer = Trainer::new(&opened.model, params, opened.folder(), options).map_err(|d| opened.fail(talk, &[d]))?;
    if args.check {
        let checked = trainer.check().map_err(|d| opened.fail(talk, &[d]))?;
        talk.note(&checked);
    }
    for block in &opened.model.evals {
        let fits = table::open(opened.folder(), &block.rows).and_then(|files| {
            let lifted = block.lifted.as_deref();
            Table::new(lifted.unwrap_or(&opened.model), &block.rows, &files)
        });
        fits.map_err(|d| opened.fail(talk, &[d]))?;
    }
    let mut kept = keep(args, &opened, folder.clone(), &read, run.clone(), &mut trainer, talk)?;
    TRAINING.store(1, Ordering::SeqCst);
    let done = steps(args, &mut trainer, &mut kept);
    TRAINING.store(0, Ordering::SeqCst);
    talk.say(&opened.sources, &trainer.warnings)?;
    match done {
        Err(d) => {
            let exit = opened.fail(talk, &[d]);
            if let Some((step, _)) = checkpoint::steps(&folder).last() {
                talk.note(&format!("the checkpoint of step {step} is whole: `{} --resume` goes on from it", again(args)));
            }
            return Err(exit);
        }
        Ok(false) => {
            let step = trainer.place().updates;
            let page = kept.report(&head(&opened, run.clone(), seed, None), &[]).map_err(|d| opened.fail(talk, &[d]))?;
            talk.note(&format!("the curves so far are in `{}`", page.display()));
            talk::tell(&format!("stopped after step {step}, which is kept: `{} --resume` goes on\n", again(args)));
            return Err(Exit::Interrupted);
        }
        Ok(true) => {}
    }
    finish(args, &opened, &mut trainer, &out, run, seed, &kept, talk)
}

/// The data of the blocks that are measured.
fn measured(opened: &Opened) -> impl Iterator<Item = &DataFile> {
    opened.model.evals.iter().flat_map(|e| &e.rows.data)
}

/// `tasks.params.safetensors` beside `tasks.hnet`.
fn beside(opened: &Opened, what: &str) -> PathBuf {
    let stem = opened.file.file_stem().map_or("model".into(), |s| s.to_string_lossy().into_owned());
    opened.folder().join(format!("{stem}.{what}"))
}

/// The command as it was given, but for what says how to begin.
fn again(args: &Args) -> String {
    let mut out = format!("hnet train {}", args.which.file.display());
    let mut option = |word: &str, value: Option<String>| {
        if let Some(value) = value {
            out.push_str(&format!(" --{word} {value}"));
        }
    };
    option("model", args.which.model.clone());
    for (name, value) in &args.which.set {
        option("set", Some(format!("{name}={value}")));
    }
    option("phase", args.phase.clone());
    option("steps", args.steps.map(|n| n.to_string()));
    option("seed", args.seed.map(|n| n.to_string()));
    option("dir", args.dir.as_ref().map(|d| d.display().to_string()));
    option("out", args.out.as_ref().map(|d| d.display().to_string()));
    out
}

fn backend(run: Run) -> &'static str {
    match run.backend {
        Backend::Interp => "interp",
        Backend::Cpu => "cpu",
        Backend::Gpu => "gpu",
        Backend::Auto => {
            if gpu::Device::hardware().is_some() {
                "gpu"
            } else {
                "cpu"
            }
        }
    }
}

/// Begins the run's folder, or goes on in it.
fn keep(
    args: &Args,
    opened: &Opened,
    folder: PathBuf,
    read: &[PathBuf],
    run: Run,
    trainer: &mut Trainer,
    talk: Talk,
) -> Result<Kept, Exit> {
    let data: Vec<&Path> = read.iter().map(PathBuf::as_path).collect();
    let mut settings: Vec<String> = args.which.set.iter().map(|(n, v)| format!("--set {n}={v}")).collect();
    settings.extend(args.phase.iter().map(|p| format!("--phase {p}")));
    settings.extend(args.seed.iter().map(|s| format!("--seed {s}")));
    settings.extend(args.steps.iter().map(|s| format!("--steps {s}")));
    settings.extend(args.mixed.then(|| "--mixed".to_string()));
    if args.memory.0 != MEMORY {
        settings.push(format!("--memory {}", args.memory.0));
    }
    let identity = Identity::new(&opened.sources, &data, backend(run), settings).map_err(|d| opened.fail(talk, &[d]))?;
    let begin = match (args.resume, args.fresh) {
        (true, _) => Begin::Resume { force: args.force },
        (false, true) => Begin::Fresh,
        (false, false) => Begin::New,
    };
    let there = folder.display().to_string();
    let kept = Kept::open(Keep { folder, begin, every: args.save_every, last: args.keep as usize, identity }, trainer);
    let kept = kept.map_err(|refused| match refused {
        Refused::There(step) => usage(&format!(
            "`{there}` has a run that got to step {step}: `--resume` goes on with it, `--fresh` begins anew, `--dir` takes another folder"
        )),
        Refused::Nothing => usage(&format!("`{there}` has no checkpoint to go on from: leave `--resume` out")),
        Refused::Fault(d) => opened.fail(talk, &[d]),
    })?;
    if let Some(step) = kept.after() {
        talk.note(&format!("goes on after step {step}"));
    }
    Ok(kept)
}

/// Takes all steps; `false`: somebody asked to stop.
fn steps(args: &Args, trainer: &mut Trainer, kept: &mut Kept) -> Result<bool, Diagnostic> {
    let (left, all) = trainer.steps();
    let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {msg} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = if args.json { ProgressBar::hidden() } else { ProgressBar::new(all) };
    bar.set_style(style);
    bar.set_position(all - left);
    bar.reset_eta();
    let mut heard = true;
    // How many of the steps that are told of had a rate, and for how many it was 0.
    let (mut rated, mut still) = (0u64, 0u64);
    let done = kept.run(trainer, &mut |record, (left, all)| {
        if !record.losses.is_empty() {
            rated += u64::from(!record.rates.is_empty());
            still += u64::from(!record.rates.is_empty() && record.rates.iter().all(|r| r.1 == 0.0));
            if args.json {
                heard = talk::prints(&format!("{}\n", json!(record)));
            }
            bar.set_prefix(record.phase.clone());
            bar.set_message(message(record));
        }
        bar.set_position(all - left);
        heard && TRAINING.load(Ordering::SeqCst) != 2
    })?;
    if 2 * still > rated {
        talk::tell(&format!(
            "the learning rate was 0 in {still} of {rated} steps: a schedule is of a fraction, `cosine(step / steps)`\n"
        ));
    }
    if !heard {
        talk::tell("nobody reads what is printed any more\n");
    }
    if done {
        bar.finish_and_clear()
    } else {
        bar.abandon()
    }
    Ok(done)
}

/// `loss 0.0123 rate 0.001 norm 0.42 51200 rows/s`
fn message(r: &Record) -> String {
    let one = |list: &[(String, f64)]| list.first().map_or(f64::NAN, |l| l.1);
    let speed = r.rows as f64 / r.seconds.max(1e-9);
    format!("loss {:.4} rate {:.2e} norm {:.3} {speed:.0} rows/s", one(&r.losses), one(&r.rates), r.norm)
}

/// What the report says of the run.
fn head(opened: &Opened, run: Run, seed: i32, parameters: Option<u64>) -> Head {
    let known =
        || opened.model.params.iter().filter_map(|p| p.shape.iter().try_fold(1u64, |n, s| Some(n * s.constant()?.max(0) as u64)));
    Head {
        model: opened.model.name.clone(),
        seed: seed.into(),
        backend: backend(run).into(),
        parameters: parameters.unwrap_or_else(|| known().sum()),
        ended: None,
    }
}

/// Which weights are kept, and by what they were judged.
fn chosen(model: &Model, trainer: &Trainer, score: f64, step: u64) -> String {
    let block = trainer.phases().last().and_then(|t| t.watch.as_ref()).map_or("", |w| &*w.block);
    let eval = model.evals.iter().find(|e| e.phase.as_deref() == Some(block));
    let name = eval.and_then(|e| e.report.first()).map_or("", |n| &**n);
    let loss = model.graph.output(name).is_some_and(|o| o.kind == OutputKind::Loss);
    let better = if loss { "a loss: less is better" } else { "no loss: more is better" };
    format!("the weights are those of step {step}, the best that was measured: `{block}.{name}` was {score:.4} ({better})")
}

/// Writes what was trained, measures it, and says so.
fn finish(
    args: &Args,
    opened: &Opened,
    trainer: &mut Trainer,
    out: &Path,
    run: Run,
    seed: i32,
    kept: &Kept,
    talk: Talk,
) -> Result<(), Exit> {
    let fail = |d: Diagnostic| opened.fail(talk, &[d]);
    let (values, best) = kept.trained(trainer).map_err(fail)?;
    if let Some((score, step)) = best {
        talk.note(&chosen(&opened.model, trainer, score, step));
    }
    let stored = params::split(&opened.model, &values);
    archive::save_params(out, &stored).map_err(fail)?;
    talk.note(&format!("{} updates in {:.1} s; the weights are in `{}`", trainer.place().updates, kept.seconds(), out.display()));
    let parameters = stored.iter().map(|(_, t)| t.len() as u64).sum();
    // What is measured may fail: the curves are there all the same.
    kept.report(&head(opened, run.clone(), seed, Some(parameters)), &[]).map_err(fail)?;
    let setting = Setting { model: &opened.model, params: &values, folder: opened.folder(), options: run.clone(), seed };
    let blocks: Vec<&Eval> = opened.model.evals.iter().collect();
    let mut reports = vec![];
    for block in blocks {
        let report = eval::run(&setting, block, &mut |_, _| {}).map_err(fail)?;
        if args.json {
            talk::print(&format!("{}\n", super::eval::as_json(&report)));
        } else {
            talk::print(&super::eval::as_table(&report));
        }
        reports.push(report);
    }
    let page = kept.report(&head(opened, run, seed, Some(parameters)), &reports).map_err(fail)?;
    talk.note(&format!("the curves are in `{}`", page.display()));
    Ok(())
}
