//! From places in the source to the words by which shaders, snapshots and profiles name them.

use crate::source::{Sources, Span};
use std::path::Path;

/// Gives texts such as `inr.hnet:19: image(xy)`: the file as it lies from `folder`, which is the model's, so that they are the
/// same on every machine; the line and what stands in it. A file of the library is `std/linear.hnet`. `None`: the place is
/// nowhere.
pub fn locator<'a>(sources: &'a Sources, folder: &'a Path) -> impl Fn(Span) -> Option<String> + 'a {
    move |span| {
        if span.start == span.end {
            return None;
        }
        let (line, _) = sources.line_col(span.file, span.start);
        let text = sources.get(span.file).text.lines().nth(line - 1)?;
        // A shader's comment ends where WGSL sees the end of a line, and that is at more characters than in a model.
        let ends = |c: char| c.is_control() || c == '\u{2028}' || c == '\u{2029}';
        let text: String = text.trim().chars().map(|c| if ends(c) { ' ' } else { c }).collect();
        Some(format!("{}:{line}: {text}", file(sources, span, folder)))
    }
}

/// The file of a place, with `/` between folders.
fn file(sources: &Sources, span: Span, folder: &Path) -> String {
    let source = sources.get(span.file);
    let Some(path) = &source.path else {
        return match source.name.strip_prefix("std.") {
            Some(module) => format!("std/{module}.hnet"),
            None => source.name.clone(),
        };
    };
    // A file without a folder lies in `.`.
    let folder = folder.strip_prefix(".").unwrap_or(folder);
    let inside = path.strip_prefix(folder).ok().or_else(|| path.file_name().map(Path::new)).unwrap_or(path);
    inside.components().map(|c| c.as_os_str().to_string_lossy()).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_named_from_the_folder_of_the_model() {
        let mut sources = Sources::default();
        let root = sources.add("models/m.hnet", Some(Path::new("models/m.hnet")), "a\n    b(\u{2028}c)\r\nd");
        let other = sources.add("models/nets/n.hnet", Some(Path::new("models/nets/n.hnet")), "x");
        let std = sources.add("std.linear", None, "\n\ny");
        let at = locator(&sources, Path::new("models"));
        assert_eq!(at(Span::new(root, 6, 7)).as_deref(), Some("m.hnet:2: b( c)"));
        assert_eq!(at(Span::new(other, 0, 1)).as_deref(), Some("nets/n.hnet:1: x"));
        assert_eq!(at(Span::new(std, 2, 3)).as_deref(), Some("std/linear.hnet:3: y"));
        assert_eq!(at(Span::default()), None);
    }
}
