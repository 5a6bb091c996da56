//! Pictures as files: vectors, pixels, pages, by the name of the file.

use super::open::{self, Opened};
use super::talk::{Exit, Talk, usage};
use crate::files::atomic;
use std::path::Path;

#[cfg(feature = "pictures")]
pub(super) use crate::draw::raster;

/// Names that a picture's file may end with.
const ENDS: [&str; 3] = ["svg", "png", "pdf"];

/// Says now what would be wrong with such a file.
pub(super) fn may(opened: &Opened, out: &Path) -> Result<(), Exit> {
    open::ends(out, &ENDS)?;
    if !cfg!(feature = "pictures") && out.extension().is_none_or(|e| e != "svg") {
        raster::png("").map_err(|e| usage(&e))?;
    }
    opened.spare(out, &[])
}

/// Writes a picture that is given as SVG.
pub(super) fn write(opened: &Opened, talk: Talk, out: &Path, svg: &str) -> Result<(), Exit> {
    let made = match out.extension().and_then(|e| e.to_str()) {
        Some("png") => raster::png(svg).map_err(|e| usage(&e))?,
        Some("pdf") => raster::pdf(svg).map_err(|e| usage(&e))?,
        Some(_) | None => svg.as_bytes().to_vec(),
    };
    atomic::write(out, &made).map_err(|d| opened.fail(talk, &[d]))
}

/// Without the feature there is no program that draws letters.
#[cfg(not(feature = "pictures"))]
pub(super) mod raster {
    const MISSING: &str =
        "this hnet was built without pictures in pixels and pages: write .svg, or install with `--features pictures`";

    pub fn png(_: &str) -> Result<Vec<u8>, String> {
        Err(MISSING.to_string())
    }

    pub fn pdf(_: &str) -> Result<Vec<u8>, String> {
        Err(MISSING.to_string())
    }
}
