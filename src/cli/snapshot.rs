//! `hnet snapshot`: the generated shaders beside the model, so that a review sees what a change of the model does to them.

use super::machine::Machine;
use super::open::{self, Which};
use super::talk::{self, Exit, Talk};
use crate::diag::Diagnostic;
use crate::gpu::locator;
use crate::snapshot::{self, Difference, Folder, State};
use clap::builder::styling::{AnsiColor, Style};
use similar::{ChangeTag, TextDiff};
use std::path::Path;

/// Keep the generated shaders beside the model, and show how they change
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hnet snapshot tasks.hnet            writes snapshots/tasks__*.snap; what changed waits for `cargo insta review`
  hnet snapshot tasks.hnet --check    only says what changed: exit code 1
  hnet snapshot tasks.hnet --accept   takes every change")]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// Writes nothing; exit code 1 when a snapshot would change
    #[arg(long, conflicts_with = "accept")]
    check: bool,
    /// Takes changes, and removes the snapshots of shaders that are no more
    #[arg(long)]
    accept: bool,
    /// The size of a free dim that the shaders are made for; may be repeated
    #[arg(long, value_name = "DIM=N", value_parser = open::whole)]
    dim: Vec<(String, i64)>,
    #[command(flatten)]
    machine: Machine,
}

pub fn main(args: &Args) -> Result<(), Exit> {
    let talk = Talk::Text;
    open::once("--dim", &args.dim)?;
    let opened = open::model(&args.which, talk)?;
    let fail = |d: Diagnostic| opened.fail(talk, &[d]);
    let sizes = opened.sizes(&args.dim, true, talk)?;
    let terms = args.machine.terms(talk).map_err(fail)?;
    let prefix = snapshot::prefix(&opened.file, &opened.model.name, opened.first);
    let locate = locator(&opened.sources, opened.folder());
    let shots = snapshot::shots(&opened.model, &prefix, &sizes, &terms, &locate).map_err(fail)?;
    let folder = Folder::of(&opened.file, &prefix);
    let (found, first) = folder.compare(&shots).map_err(fail)?;
    let place = folder.path.display();
    if !args.check && (args.accept || first) {
        folder.accept(&found).map_err(fail)?;
        talk.note(&format!("{}in {place}", counted(&found)));
        return Ok(());
    }
    if found.is_empty() {
        if !args.check {
            folder.settle().map_err(fail)?;
        }
        talk.note(&format!("{} snapshots in {place} are as they were", shots.len()));
        return Ok(());
    }
    talk::print(&found.iter().map(|d| shown(d, &folder, &opened.file)).collect::<String>());
    let file = opened.file.display();
    let how = format!("`hnet snapshot {file} --accept` takes them");
    if args.check {
        talk.note(&format!("{}in {place}: {how}", counted(&found)));
    } else {
        folder.propose(&found).map_err(fail)?;
        talk.note(&format!("{}in {place}: {how}, `cargo insta review` asks for each", counted(&found)));
    }
    Err(Exit::Program)
}

/// `1 new, 2 changed `
fn counted(found: &[Difference]) -> String {
    let count = |s: State| found.iter().filter(|d| d.state == s).count();
    let words = [State::New, State::Changed, State::Gone].map(|s| (count(s), s.word()));
    let words: Vec<String> = words.iter().filter(|w| w.0 > 0).map(|(n, w)| format!("{n} {w}")).collect();
    if words.is_empty() { "nothing changed ".into() } else { words.join(", ") + " " }
}

const HEAD: Style = Style::new().bold();
const PLACE: Style = AnsiColor::Cyan.on_default();
const OLD: Style = AnsiColor::Red.on_default();
const NEW: Style = AnsiColor::Green.on_default();

/// One difference: what it is, the lines of the model that it comes from, and the lines that changed.
fn shown(d: &Difference, folder: &Folder, model: &Path) -> String {
    let text = if d.state == State::Gone { &d.old } else { &d.new };
    let mut out = format!("{HEAD}{} {}{HEAD:#}\n", d.state.word(), d.name);
    for place in snapshot::places(text) {
        // The library has no folder here.
        let home = if place.starts_with("std/") { Path::new("") } else { model.parent().unwrap_or(Path::new("")) };
        out += &format!("  {PLACE}{}{PLACE:#}\n", home.join(place).display());
    }
    let file = folder.file(&d.name);
    if d.state == State::Gone {
        return out + &format!("  {} is of no shader that there is\n\n", file.display());
    }
    let diff = TextDiff::from_lines(d.old.as_str(), d.new.as_str());
    out += &format!(
        "{OLD}--- {}{OLD:#}\n{NEW}+++ now{NEW:#}\n",
        if d.state == State::New { "none".into() } else { file.display().to_string() }
    );
    for hunk in diff.unified_diff().context_radius(3).iter_hunks() {
        out += &format!("{PLACE}{}{PLACE:#}\n", hunk.header());
        for change in hunk.iter_changes() {
            let line = change.value().trim_end_matches(['\n', '\r']);
            out += &match change.tag() {
                ChangeTag::Delete => format!("{OLD}-{line}{OLD:#}\n"),
                ChangeTag::Insert => format!("{NEW}+{line}{NEW:#}\n"),
                ChangeTag::Equal => format!(" {line}\n"),
            };
        }
    }
    out + "\n"
}
