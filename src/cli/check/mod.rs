//! `hnet check`: says what is wrong with a program.

mod fix;
mod watch;

use super::open;
use super::talk::{self, Exit, Talk, usage};
use crate::check::model::{Model, Param};
use crate::ir::{OutputKind, Size};
use crate::source::Sources;
use std::collections::BTreeSet;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use watch::Watch;

/// Check programs and say what is wrong with them
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  hnet check models/*.hnet\n  hnet check models --json\n  hnet check m.hnet --set d=48 --fix\n  hnet check m.hnet --watch\n  cat m.hnet | hnet check -"
)]
pub struct Args {
    /// The files; of a folder all programs in it and below; `-` is what comes in on stdin
    #[arg(required = true, value_name = "M.hnet")]
    files: Vec<PathBuf>,
    /// Makes the edits that errors offer, as long as there is one, then says what is left
    #[arg(long)]
    fix: bool,
    /// Checks again whenever a program changes, until it is interrupted
    #[arg(long)]
    watch: bool,
    /// One JSON object a line, on stdout
    #[arg(long)]
    json: bool,
    /// Replaces a constant; may be repeated
    #[arg(long, value_name = "CONST=NUMBER", value_parser = open::number)]
    set: Vec<(String, f64)>,
    #[command(flatten)]
    outside: open::Outside,
}

pub fn main(args: &Args) -> Result<(), Exit> {
    let talk = if args.json { Talk::JsonResult } else { Talk::Text };
    if !args.watch {
        return all(args, talk);
    }
    if args.files.iter().any(|f| open::is_stdout(f)) {
        return Err(usage("what comes in on stdin does not change: `--watch` wants files"));
    }
    let fail = |d| talk.fail(&Sources::default(), d);
    let mut watch = Watch::new().map_err(fail)?;
    loop {
        let mut found = vec![];
        for given in &args.files {
            found.extend(programs(given, talk)?);
        }
        watch.over(&args.files, &found, args.outside).map_err(fail)?;
        if io::stdout().is_terminal() && !args.json {
            // Clears the screen and what was scrolled away.
            talk::print("\x1b[H\x1b[2J\x1b[3J");
        }
        // What is wrong now may be mended in a moment.
        let _ = all(args, talk);
        talk.note("watching; Ctrl-C ends");
        watch.wait();
    }
}

/// Checks all programs once.
fn all(args: &Args, talk: Talk) -> Result<(), Exit> {
    let mut worst = Ok(());
    for given in &args.files {
        for file in programs(given, talk)? {
            if args.fix {
                mend(&file, args, talk)?;
            }
            match open::models(&file, &args.set, args.outside, talk) {
                Ok((_, _, models)) if !args.json => {
                    let what: Vec<String> = models.iter().map(summary).collect();
                    let what = if what.is_empty() { "no models".to_string() } else { what.join("; ") };
                    talk::print(&format!("{}: fine, {what}\n", file.display()));
                }
                Ok(_) => {}
                Err(exit) => worst = worst.and(Err(exit)),
            }
        }
    }
    worst
}

/// The programs that an argument names: itself, or all of a folder and below, in the order of their names.
fn programs(given: &Path, talk: Talk) -> Result<Vec<PathBuf>, Exit> {
    if !given.is_dir() {
        return Ok(vec![given.to_path_buf()]);
    }
    let (mut out, mut todo) = (vec![], vec![given.to_path_buf()]);
    while let Some(folder) = todo.pop() {
        let list = std::fs::read_dir(&folder)
            .map_err(|e| talk.fail(&Sources::default(), crate::disk::cannot_read(&folder.display().to_string(), &e)))?;
        for entry in list.flatten() {
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            // A link may lead back to where it came from.
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && !hidden => todo.push(entry.path()),
                Ok(kind) if !kind.is_dir() && entry.path().extension().is_some_and(|e| e == "hnet") => out.push(entry.path()),
                Ok(_) | Err(_) => {}
            }
        }
    }
    if out.is_empty() {
        return Err(usage(&format!("`{}` has no programs: they end in `.hnet`", given.display())));
    }
    out.sort();
    Ok(out)
}

/// Makes the edits that errors offer, and says how many.
fn mend(file: &Path, args: &Args, talk: Talk) -> Result<(), Exit> {
    if file.as_os_str() == "-" {
        return Err(usage("what comes in on stdin is not written back: `--fix` wants a file"));
    }
    let made = fix::mend(file, &args.set, args.outside).map_err(|d| talk.fail(&Sources::default(), d))?;
    for m in made {
        let word = if m.edits == 1 { "edit" } else { "edits" };
        talk.note(&format!("{}: {} {word} made", m.file.display(), m.edits));
    }
    Ok(())
}

/// `TaskDigits: 3 inputs, 5 parameters (168,426 numbers), 5 outputs`
fn summary(model: &Model) -> String {
    let count = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    let total = model.params.iter().try_fold(0i64, |sum, p| sum.checked_add(stored(p)?));
    let numbers = total.map_or(String::new(), |n| format!(" ({} numbers)", grouped(n)));
    let outputs = model.graph.outputs.iter().filter(|o| o.kind != OutputKind::Update).count();
    format!(
        "{}: {}, {}{numbers}, {}",
        model.name,
        count(model.inputs.len(), "input"),
        count(model.params.len(), "parameter"),
        count(outputs, "output"),
    )
}

/// How many numbers of a parameter are stored: those of nets that another net writes are not. `None`: nobody knows yet.
fn stored(p: &Param) -> Option<i64> {
    let sizes: Vec<i64> = p.shape.iter().map(Size::constant).collect::<Option<_>>()?;
    let (nets, own) = sizes.split_at(p.arrays().min(sizes.len()));
    let each = |list: &[i64]| list.iter().try_fold(1i64, |n, s| n.checked_mul(*s));
    // A list may name the first axes alone, and two lists the same net.
    let mut given = BTreeSet::new();
    for list in &p.provided {
        let mut all: Vec<Vec<usize>> = vec![vec![]];
        for (k, n) in nets.iter().enumerate() {
            let here = list.get(k).map_or(0..*n as usize, |i| *i..i + 1);
            all = all.into_iter().flat_map(|a| here.clone().map(move |i| [a.as_slice(), &[i]].concat())).collect();
        }
        given.extend(all);
    }
    (each(nets)? - given.len() as i64).checked_mul(each(own)?)
}

/// `168,426`
pub fn grouped(n: i64) -> String {
    let digits = n.to_string();
    let first = digits.len() % 3;
    let (head, tail) = digits.split_at(first);
    let mut parts: Vec<&str> = if head.is_empty() { vec![] } else { vec![head] };
    parts.extend((0..tail.len() / 3).map(|i| &tail[i * 3..i * 3 + 3]));
    parts.join(",")
}
