//! `hnet check`: says what is wrong with a program.

use super::open;
use super::talk::{self, Exit, Talk};
use crate::check::model::Model;
use crate::ir::{OutputKind, Size};
use std::path::PathBuf;

/// Check programs and say what is wrong with them
#[derive(clap::Args)]
#[command(after_help = "Example:\n  hnet check models/*.hnet\n  hnet check m.hnet --set d=48 --json")]
pub struct Args {
    /// The files
    #[arg(required = true, value_name = "M.hnet")]
    files: Vec<PathBuf>,
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
    let mut worst = Ok(());
    for file in &args.files {
        match open::models(file, &args.set, args.outside, talk) {
            Ok((_, models)) if !args.json => {
                let what: Vec<String> = models.iter().map(summary).collect();
                let what = if what.is_empty() { "no models".to_string() } else { what.join("; ") };
                talk::print(&format!("{}: fine, {what}\n", file.display()));
            }
            Ok(_) => {}
            Err(exit) => worst = worst.and(Err(exit)),
        }
    }
    worst
}

/// `TaskDigits: 3 inputs, 5 parameters (168,426 numbers), 5 outputs`
fn summary(model: &Model) -> String {
    let count = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    let total = model.params.iter().try_fold(Size::from(0i64), |sum, p| {
        let own = p.shape.iter().fold(Size::from(1i64), |n, s| n.mul(s));
        own.constant().map(|n| sum.add(&Size::from(n)))
    });
    let numbers = total.and_then(|n| n.constant()).map_or(String::new(), |n| format!(" ({} numbers)", grouped(n)));
    let outputs = model.graph.outputs.iter().filter(|o| o.kind != OutputKind::Update).count();
    format!(
        "{}: {}, {}{numbers}, {}",
        model.name,
        count(model.inputs.len(), "input"),
        count(model.params.len(), "parameter"),
        count(outputs, "output"),
    )
}

/// `168,426`
fn grouped(n: i64) -> String {
    let digits = n.to_string();
    let first = digits.len() % 3;
    let (head, tail) = digits.split_at(first);
    let mut parts: Vec<&str> = if head.is_empty() { vec![] } else { vec![head] };
    parts.extend((0..tail.len() / 3).map(|i| &tail[i * 3..i * 3 + 3]));
    parts.join(",")
}
