//! `hnet fmt`: lays programs out the one way.

use super::bug;
use super::talk::{self, Exit, Talk};
use crate::disk;
use crate::disk::cannot_read;
use crate::files::atomic;
use crate::pipeline;
use crate::program::MAX_SOURCE;
use crate::source::{FileId, Sources};
use std::io;
use std::path::{Path, PathBuf};

/// Lay programs out the one way
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  hnet fmt models/*.hnet\n  hnet fmt --check m.hnet\n  hnet fmt - < m.hnet")]
pub struct Args {
    /// The files; `-` reads stdin and writes stdout
    #[arg(required = true, value_name = "M.hnet")]
    files: Vec<PathBuf>,
    /// Changes nothing; lists the files that are laid out otherwise, and exits with 1 if there are any
    #[arg(long)]
    check: bool,
}

pub fn main(args: &Args) -> Result<(), Exit> {
    let mut worst = Ok(());
    for file in &args.files {
        if let Err(exit) = one(args, file) {
            worst = worst.and(Err(exit));
        }
    }
    worst
}

fn one(args: &Args, path: &Path) -> Result<(), Exit> {
    let talk = Talk::Text;
    let mut sources = Sources::default();
    let stdin = path.as_os_str() == "-";
    let file = if stdin {
        read_stdin(&mut sources, talk)?
    } else {
        pipeline::read(&mut sources, path).map_err(|d| talk.fail(&sources, d))?
    };
    let old = sources.get(file).text.clone();
    bug::remember(&sources.get(file).name, &old);
    let new = pipeline::format(&sources, file).map_err(|list| talk.say(&sources, &list).err().unwrap_or(Exit::Program))?;
    let same = *new == *old;
    if args.check {
        if same {
            return Ok(());
        }
        talk::print(&format!("{}\n", sources.get(file).name));
        return Err(Exit::Program);
    }
    if stdin {
        talk::print(&new);
    } else if !same {
        atomic::write(path, new.as_bytes()).map_err(|d| talk.fail(&sources, d))?;
    }
    Ok(())
}

fn read_stdin(sources: &mut Sources, talk: Talk) -> Result<FileId, Exit> {
    match disk::limited(io::stdin().lock(), MAX_SOURCE) {
        Ok(text) => Ok(sources.add("stdin", None, text)),
        Err(e) => Err(talk.fail(sources, cannot_read("stdin", &e))),
    }
}
