//! `hnet graph`: a picture of a model.

use super::open::{self, Which};
use super::talk::{self, Exit, Talk, usage};
use crate::draw;
use crate::files::atomic;
use std::path::{Path, PathBuf};

/// Draw a model: nets, who writes whose parameters, routing, rates
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  hnet graph tasks.hnet -o tasks.svg\n  hnet graph tasks.hnet --format dot | dot -Tpdf > tasks.pdf"
)]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// The file; stdout unless said, and for `-`
    #[arg(long, short, value_name = "F")]
    out: Option<PathBuf>,
    /// The format; by the name of the file, else SVG
    #[arg(long, value_enum)]
    format: Option<Format>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Svg,
    Dot,
}

pub fn main(args: &Args) -> Result<(), Exit> {
    let talk = Talk::Text;
    let opened = open::model(&args.which, talk)?;
    let out = args.out.as_deref().filter(|out| !open::is_stdout(out));
    if let Some(out) = out {
        opened.spare(out, &[])?;
    }
    let format = format(args.format, out)?;
    let text = match format {
        Format::Svg => draw::to_svg(&opened.model),
        Format::Dot => draw::to_dot(&opened.model),
    };
    match out {
        None => talk::print(&text),
        Some(path) => {
            atomic::write(path, text.as_bytes()).map_err(|d| opened.fail(talk, &[d]))?;
            talk.note(&format!("{} drawn to {}", opened.model.name, path.display()));
        }
    }
    Ok(())
}

/// The format that was asked for, or that the name of the file says.
fn format(asked: Option<Format>, out: Option<&Path>) -> Result<Format, Exit> {
    let end = out.and_then(|p| p.extension()).map(|e| e.to_string_lossy().into_owned());
    let named = match end.as_deref() {
        Some("svg") => Some(Format::Svg),
        Some("dot" | "gv") => Some(Format::Dot),
        Some(_) | None => None,
    };
    match (asked, named, out) {
        (Some(asked), Some(named), Some(out)) if asked != named => {
            Err(usage(&format!("`{}` is called like another format than `--format` asks for", out.display())))
        }
        (Some(asked), _, _) => Ok(asked),
        (None, Some(named), _) => Ok(named),
        (None, None, Some(out)) => open::ends(out, &["svg", "dot", "gv"]).map(|()| Format::Svg),
        (None, None, None) => Ok(Format::Svg),
    }
}
