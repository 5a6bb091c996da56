//! `hnet check --fix`: makes the edits that messages offer, for as long as there is one.
//!
//! Edits of errors alone: a warning's edit is a matter of taste. Files of the library are not ours to change.

use crate::cli::open::Outside;
use crate::diag::Diagnostic;
use crate::files::atomic;
use crate::pipeline;
use crate::source::{FileId, Sources, Span};
use crate::syntax::edits;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Rounds of checking and mending: one mistake may hide another.
const ROUNDS: usize = 32;

/// What was done to a file.
pub struct Mended {
    pub file: PathBuf,
    pub edits: usize,
}

/// Mends a program and the files beside it that it imports. Errors: a file cannot be read or written.
pub fn mend(file: &Path, set: &[(String, f64)], outside: Outside) -> Result<Vec<Mended>, Diagnostic> {
    let mut made: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for _ in 0..ROUNDS {
        let mut sources = Sources::default();
        let root = pipeline::read(&mut sources, file)?;
        let found = pipeline::check_with(&mut sources, &*outside.loader(file), root, set).diagnostics;
        let changes = changes(&sources, &found);
        if changes.is_empty() {
            break;
        }
        for (path, text, count) in changes {
            atomic::write(&path, text.as_bytes())?;
            *made.entry(path).or_default() += count;
        }
    }
    Ok(made.into_iter().map(|(file, edits)| Mended { file, edits }).collect())
}

/// Files with their new texts, and how many messages were followed in each.
fn changes(sources: &Sources, found: &[Diagnostic]) -> Vec<(PathBuf, String, usize)> {
    let mut by_file: BTreeMap<FileId, Vec<&[(Span, String)]>> = BTreeMap::new();
    for d in found.iter().filter(|d| d.is_fatal()) {
        let Some(help) = d.help.as_ref().filter(|h| !h.edits.is_empty()) else { continue };
        let place = help.edits[0].0.file;
        if help.edits.iter().all(|(span, _)| span.file == place) {
            by_file.entry(place).or_default().push(&help.edits);
        }
    }
    let mut out = Vec::new();
    for (id, groups) in by_file {
        let source = sources.get(id);
        let Some(path) = source.path.clone() else { continue };
        let (mut taken, mut count): (Vec<(Span, String)>, usize) = (Vec::new(), 0);
        for group in &groups {
            // What two messages want at one place, the next round sees again.
            let free = |s: &Span| taken.iter().all(|(t, _)| s.end < t.start || t.end < s.start);
            if group.iter().all(|(span, _)| free(span)) {
                taken.extend(group.iter().cloned());
                count += 1;
            }
        }
        let before = edits::mistakes(id, &source.text);
        let reads = |text: &String| edits::mistakes(id, text) <= before;
        // Each leaves what can be read; together they might not, and then the first goes alone.
        let all = edits::made(&source.text, &taken).filter(reads).map(|text| (text, count));
        let made = all.or_else(|| Some((edits::made(&source.text, groups.first()?)?, 1)));
        if let Some((text, count)) = made.filter(|(text, _)| **text != *source.text) {
            out.push((path, text, count));
        }
    }
    out
}
