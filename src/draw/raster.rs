//! Pictures as PNG and PDF: what the SVG is, for programs that show none.
//!
//! In: the text of an SVG. Out: bytes, on a light ground. Letters come from the fonts that are installed; where there are none, nothing
//! is made rather than a picture without words.

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};
use std::sync::Arc;

/// Pixels for a unit of the SVG: text of 12 is read well on screens with small pixels.
const SCALE: f32 = 2.0;
/// Pixels of a side that a picture may have: beyond it is made smaller.
const LARGEST: f32 = 16384.0;

/// The picture, its text with letters. Errors: a line about what is missing.
fn tree(svg: &str) -> Result<Tree, String> {
    let mut options = Options::default();
    let fonts = Arc::make_mut(&mut options.fontdb);
    fonts.load_system_fonts();
    let mono = ["DejaVu Sans Mono", "Menlo", "Consolas", "Liberation Mono", "Noto Sans Mono", "Courier New"];
    let has = |name: &str| fonts.faces().any(|f| f.families.iter().any(|(n, _)| n == name));
    let found = mono.into_iter().find(|n| has(n)).map(str::to_string);
    let any = fonts.faces().find(|f| f.monospaced).or_else(|| fonts.faces().next());
    let name = found.or_else(|| any.and_then(|f| f.families.first().map(|(n, _)| n.clone())));
    let Some(name) = name else {
        return Err(
            "no font is installed here, and a picture has words: write .svg, or install one (DejaVu Sans Mono)".to_string()
        );
    };
    fonts.set_monospace_family(name.clone());
    options.font_family = name;
    Tree::from_str(svg, &options).map_err(|e| e.to_string())
}

/// A PNG of the picture.
pub fn png(svg: &str) -> Result<Vec<u8>, String> {
    let tree = tree(svg)?;
    let size = tree.size();
    let scale = SCALE.min(LARGEST / size.width().max(size.height()));
    let side = |n: f32| ((n * scale).ceil() as u32).max(1);
    let mut pixels = Pixmap::new(side(size.width()), side(size.height())).ok_or("the picture is too large")?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
    pixels.encode_png().map_err(|e| e.to_string())
}

/// A PDF of the picture, on a page of its size.
pub fn pdf(svg: &str) -> Result<Vec<u8>, String> {
    let tree = tree(svg)?;
    svg2pdf::to_pdf(&tree, svg2pdf::ConversionOptions::default(), svg2pdf::PageOptions::default()).map_err(|e| e.to_string())
}
