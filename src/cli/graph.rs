//! `hnet graph`: a picture of a model.

use super::open::{self, Which};
use super::talk::{self, Exit, Talk};
use crate::draw;
use crate::run::atomic;
use std::path::PathBuf;

/// Draw a model: nets, who writes whose parameters, routing, rates
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  hnet graph tasks.hnet -o tasks.svg\n  hnet graph tasks.hnet --format dot | dot -Tpdf > tasks.pdf"
)]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// The file; stdout unless said
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
    let by_name = || args.out.as_ref().is_some_and(|p| p.extension().is_some_and(|e| e == "dot" || e == "gv"));
    let format = args.format.unwrap_or_else(|| if by_name() { Format::Dot } else { Format::Svg });
    let text = match format {
        Format::Svg => draw::to_svg(&opened.model),
        Format::Dot => draw::to_dot(&opened.model),
    };
    match &args.out {
        None => talk::print(&text),
        Some(path) => {
            atomic::write(path, text.as_bytes()).map_err(|d| opened.fail(talk, &[d]))?;
            talk.note(&format!("{} drawn to {}", opened.model.name, path.display()));
        }
    }
    Ok(())
}
