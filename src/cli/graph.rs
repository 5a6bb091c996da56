//! `hnet graph`: a picture of a model.

use super::open::{self, Which};
use super::picture::raster;
use super::talk::{self, Exit, Talk, usage};
use crate::draw;
use crate::files::atomic;
use std::path::{Path, PathBuf};

/// Draw a model: nets, who writes whose parameters, routing, rates
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  hnet graph tasks.hnet -o tasks.svg\n  hnet graph tasks.hnet -o tasks.png\n  hnet graph tasks.hnet --format dot | dot -Tpdf > tasks.pdf"
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
    Png,
    Pdf,
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
    if out.is_none() && matches!(format, Format::Png | Format::Pdf) {
        return Err(usage("a picture in pixels or pages is no text: say where it goes, `-o F.png` or `-o F.pdf`"));
    }
    let svg = || draw::to_svg(&opened.model);
    let made = match format {
        Format::Svg => svg().into_bytes(),
        Format::Png => raster::png(&svg()).map_err(|e| usage(&e))?,
        Format::Pdf => raster::pdf(&svg()).map_err(|e| usage(&e))?,
        Format::Dot => draw::to_dot(&opened.model).into_bytes(),
    };
    match out {
        None => talk::print(&String::from_utf8_lossy(&made)),
        Some(path) => {
            atomic::write(path, &made).map_err(|d| opened.fail(talk, &[d]))?;
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
        Some("png") => Some(Format::Png),
        Some("pdf") => Some(Format::Pdf),
        Some("dot" | "gv") => Some(Format::Dot),
        Some(_) | None => None,
    };
    match (asked, named, out) {
        (Some(asked), Some(named), Some(out)) if asked != named => {
            Err(usage(&format!("`{}` is called like another format than `--format` asks for", out.display())))
        }
        (Some(asked), _, _) => Ok(asked),
        (None, Some(named), _) => Ok(named),
        (None, None, Some(out)) => open::ends(out, &["svg", "png", "pdf", "dot", "gv"]).map(|()| Format::Svg),
        (None, None, None) => Ok(Format::Svg),
    }
}
