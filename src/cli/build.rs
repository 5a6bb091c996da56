//! `hnet build`: what every stage makes of a model.

use super::open::{self, Which};
use super::talk::{self, Exit, Talk};
use crate::diag::Diagnostic;
use crate::gpu::locator;
use crate::pipeline::{self, Artifact, Stage};
use crate::run::atomic;
use std::path::PathBuf;

/// Compile a model and write what the stages make of it
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hnet build tasks.hnet -o out                      what is needed to run it elsewhere: obj
  hnet build tasks.hnet --emit ir,opt,plan -o out
  hnet build tasks.hnet --emit opt --print-after fold")]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// What to write
    #[arg(long, value_enum, value_delimiter = ',', default_value = "obj")]
    emit: Vec<Stage>,
    /// The size of a free dim that code is tuned for; may be repeated
    #[arg(long, value_name = "DIM=N", value_parser = open::whole)]
    dim: Vec<(String, i64)>,
    /// The folder; it is made. Without it, texts go to stdout and objects to the present folder
    #[arg(long, short, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Also prints the graph after this pass; `all` prints it after each
    #[arg(long, value_name = "PASS")]
    print_after: Option<String>,
}

pub fn main(args: &Args) -> Result<(), Exit> {
    let talk = Talk::Text;
    let opened = open::model(&args.which, talk)?;
    let fail = |d: Diagnostic| opened.fail(talk, &[d]);
    let file = args.which.file.as_path();
    if let Some(pass) = &args.print_after {
        talk::print(&pipeline::print_after(&opened.model, pass).map_err(fail)?);
    }
    if let Some(folder) = &args.out {
        std::fs::create_dir_all(folder)
            .map_err(|e| fail(Diagnostic::plain("H0003", format!("cannot make the folder `{}`: {e}", folder.display()))))?;
    }
    let late = |s: &Stage| !matches!(s, Stage::Ast | Stage::Model | Stage::Ir | Stage::Opt);
    let sizes = opened.sizes(&args.dim, args.emit.iter().any(late), talk)?;
    let locate = locator(&opened.sources, opened.folder());
    for stage in &args.emit {
        for (end, artifact) in pipeline::emit(&opened.model, file, *stage, &sizes, &locate).map_err(fail)? {
            match (&args.out, artifact) {
                (None, Artifact::Text(text)) if *stage != Stage::Obj => talk::print(&text),
                (folder, artifact) => {
                    let path = folder.clone().unwrap_or_default().join(format!("{}.{end}", opened.model.name));
                    atomic::write(&path, artifact.bytes()).map_err(fail)?;
                    talk.note(&format!("wrote {}", path.display()));
                }
            }
        }
    }
    Ok(())
}
