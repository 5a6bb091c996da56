//! Diagnostics as text for people and as JSON for programs.
//!
//! In: [`Diagnostic`]s and the [`Sources`] that their spans point into. Out: one text with ANSI colours (print it through
//! `anstream`, which drops them where they are not wanted), or one JSON object for each.
//! Promised: no diagnostic makes this panic; spans that do not fit their file are moved to the nearest place that does.

use super::{Diagnostic, Label, Severity};
use crate::source::{FileId, Sources, Span};
use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Patch, Renderer, Snippet};
use serde_json::{Value, json};
use std::ops::Range;

/// How wide a text is laid out where nothing better is known.
const WIDTH: usize = 120;

impl Severity {
    /// The word in messages.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Warning => "warning",
            Severity::Error => "error",
            Severity::Limit => "limit",
        }
    }
}

/// All diagnostics as one text with colours, each followed by an empty line.
pub fn render(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    text(&Renderer::styled().decor_style(DecorStyle::Unicode).term_width(WIDTH), sources, diagnostics)
}

/// The same without colours and with plain ASCII lines; what tests and files want.
pub fn render_plain(sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    text(&Renderer::plain().term_width(WIDTH), sources, diagnostics)
}

fn text(renderer: &Renderer, sources: &Sources, diagnostics: &[Diagnostic]) -> String {
    let shown = |d: &Diagnostic| renderer.render(&groups(sources, d)) + "\n\n";
    diagnostics.iter().map(shown).collect()
}

/// `2 errors, 1 warning`; `None` where nothing was said.
pub fn summary(diagnostics: &[Diagnostic]) -> Option<String> {
    let count = |s: Severity| {
        let n = diagnostics.iter().filter(|d| d.severity == s).count();
        (n > 0).then(|| format!("{n} {}{}", s.word(), if n == 1 { "" } else { "s" }))
    };
    let parts: Vec<String> = [Severity::Error, Severity::Limit, Severity::Warning].into_iter().filter_map(count).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn groups<'a>(sources: &'a Sources, d: &'a Diagnostic) -> Vec<Group<'a>> {
    let level = match d.severity {
        Severity::Warning => Level::WARNING,
        Severity::Error => Level::ERROR,
        Severity::Limit => Level::ERROR.with_name("limit"),
    };
    let mut group = Group::with_title(level.primary_title(d.message.as_str()).id(d.code.as_str()));
    for file in files(d) {
        let source = sources.get(file);
        let mut snippet = Snippet::source(&*source.text).path(source.name.as_str());
        let labels = d.primary.iter().map(|l| (AnnotationKind::Primary, l));
        let labels = labels.chain(d.labels.iter().map(|l| (AnnotationKind::Context, l)));
        for (kind, label) in labels.filter(|(_, l)| l.span.file == file) {
            let remark = (!label.text.is_empty()).then_some(label.text.as_str());
            snippet = snippet.annotation(kind.span(range(sources, label.span)).label(remark));
        }
        group = group.element(snippet);
    }
    for note in &d.notes {
        group = group.element(Level::NOTE.message(note.as_str()));
    }
    let mut out = Vec::new();
    match &d.help {
        Some(help) if !edits(sources, d).is_empty() => {
            out.push(group);
            let mut fix = Group::with_title(Level::HELP.secondary_title(help.text.as_str()));
            for (file, patches) in edits(sources, d) {
                let source = sources.get(file);
                let patches = patches.into_iter().map(|(at, new)| Patch::new(at, new));
                fix = fix.element(Snippet::source(&*source.text).path(source.name.as_str()).patches(patches));
            }
            out.push(fix);
        }
        Some(help) => out.push(group.element(Level::HELP.message(help.text.as_str()))),
        None => out.push(group),
    }
    out
}

/// Files that a diagnostic points into, the primary one first.
fn files(d: &Diagnostic) -> Vec<FileId> {
    let mut out: Vec<FileId> = Vec::new();
    for label in d.primary.iter().chain(&d.labels) {
        if !out.contains(&label.span.file) {
            out.push(label.span.file);
        }
    }
    out
}

/// Places and what comes there.
type Edits<'a> = Vec<(Range<usize>, &'a str)>;

/// The edits of a help by file: in order, none overlapping another, each changing something.
fn edits<'a>(sources: &'a Sources, d: &'a Diagnostic) -> Vec<(FileId, Edits<'a>)> {
    let Some(help) = &d.help else { return Vec::new() };
    let mut out: Vec<(FileId, Edits)> = Vec::new();
    let mut sorted: Vec<_> = help.edits.iter().collect();
    sorted.sort_by_key(|(span, _)| *span);
    for (span, new) in sorted {
        let at = range(sources, *span);
        if sources.get(span.file).text[at.clone()] == **new {
            continue;
        }
        match out.last_mut() {
            Some((file, list)) if *file == span.file => {
                if list.last().is_none_or(|(before, _)| before.end <= at.start) {
                    list.push((at, new));
                }
            }
            _ => out.push((span.file, vec![(at, new)])),
        }
    }
    out
}

/// The span as a range of its text, on character boundaries.
fn range(sources: &Sources, span: Span) -> Range<usize> {
    let text = &sources.get(span.file).text;
    let fit = |at: u32| {
        let mut at = (at as usize).min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = fit(span.start);
    start..fit(span.end).max(start)
}

/// One diagnostic as a JSON object: `code`, `severity`, `message`, the place (`file`, `line`, `col` from 1, `end`), `labels`, `notes`, `help` with `edits`.
pub fn to_json(sources: &Sources, d: &Diagnostic) -> Value {
    let mut out = json!({ "code": d.code.as_str(), "severity": d.severity.word(), "message": d.message });
    if let Some(primary) = &d.primary {
        let mut at = place(sources, primary.span);
        at["label"] = json!(primary.text);
        out.as_object_mut().expect("made as an object").extend(at.as_object().cloned().unwrap_or_default());
    }
    let label = |l: &Label| {
        let mut at = place(sources, l.span);
        at["label"] = json!(l.text);
        at
    };
    out["labels"] = d.labels.iter().map(label).collect();
    out["notes"] = json!(d.notes);
    out["help"] = match &d.help {
        None => Value::Null,
        Some(help) => {
            let edit = |(span, new): &(Span, String)| {
                let mut at = place(sources, *span);
                at["replacement"] = json!(new);
                at
            };
            json!({ "text": help.text, "edits": help.edits.iter().map(edit).collect::<Vec<_>>() })
        }
    };
    out
}

fn place(sources: &Sources, span: Span) -> Value {
    let at = range(sources, span);
    let (line, col) = sources.line_col(span.file, at.start as u32);
    let (end_line, end_col) = sources.line_col(span.file, at.end as u32);
    json!({
        "file": sources.get(span.file).name, "line": line, "col": col,
        "end": { "line": end_line, "col": end_col }, "bytes": [at.start, at.end],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Code;

    fn two_files() -> (Sources, FileId, FileId) {
        let mut sources = Sources::default();
        let a = sources.add("a.hnet", None, "model M {\n\tinput x: [b, 8]\n    output y = x @ wörter // 漢字 wide\n}");
        let b = sources.add("b.hnet", None, format!("{}w\n", "x".repeat(5000)));
        (sources, a, b)
    }

    #[test]
    fn a_message_shows_both_sides_and_its_fix() {
        let (sources, a, b) = two_files();
        let d = Diagnostic::error(Code::H0301, Span::new(a, 11, 16), "sizes differ")
            .here("8 here")
            .label(Span::new(b, 5000, 5001), "9 there")
            .note("a note\nof two lines")
            .fix("say `y`", Span::new(a, 17, 18), "y");
        let shown = render_plain(&sources, std::slice::from_ref(&d));
        for part in ["error[H0301]: sizes differ", "8 here", "9 there", "b.hnet", "a note", "help: say `y`"] {
            assert!(shown.contains(part), "{part} is missing in\n{shown}");
        }
        let json = to_json(&sources, &d);
        assert_eq!((&json["line"], &json["col"], &json["help"]["edits"][0]["replacement"]), (&json!(2), &json!(2), &json!("y")));
    }

    #[test]
    fn no_span_makes_it_panic() {
        let (mut sources, ..) = two_files();
        sources.add("empty", None, "");
        sources.add("newlines", None, "\r\n\n\t\r");
        for (file, source) in sources.clone().iter() {
            let n = source.text.len() + 3;
            let step = (n / 40).max(1);
            for start in (0..n).step_by(step).chain([n - 3, u32::MAX as usize]) {
                for end in (0..n).step_by(step).chain([n - 3, start, u32::MAX as usize]) {
                    let span = Span::new(file, start, end);
                    let d = Diagnostic::error(Code::H0001, span, "m\tm\n\nm").here("l\nl").label(span, "k");
                    let d = d.label(Span::new(FileId(0), end, start), "far").fix("f", span, "new\n\ttext");
                    render_plain(&sources, std::slice::from_ref(&d));
                    render(&sources, std::slice::from_ref(&d));
                    to_json(&sources, &d);
                }
            }
        }
    }

    #[test]
    fn the_summary_counts_kinds() {
        let (_, a, _) = two_files();
        let at = Span::new(a, 0, 1);
        let list = [
            Diagnostic::error(Code::H0201, at, ""),
            Diagnostic::warning(Code::H0816, at, ""),
            Diagnostic::error(Code::H0301, at, ""),
        ];
        assert_eq!(summary(&list).as_deref(), Some("2 errors, 1 warning"));
        assert_eq!(summary(&[]), None);
    }
}
