//! What can be said to a user.
//!
//! A [`Diagnostic`] has a code (`hnet explain CODE` has a page for each), a message, a place, labels on every side of a
//! mismatch, notes, and at most one help that an editor can apply. Stages collect them in a [`Sink`] and go on, so that one
//! run reports several mistakes; one mistake gives one message.

pub mod explain;
pub mod render;

use crate::source::Span;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The program means something, but perhaps not what was meant.
    Warning,
    /// The program is wrong.
    Error,
    /// The program may be right, but the compiler cannot do it (yet); the message says so.
    Limit,
}

/// A place with a remark.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    pub span: Span,
    pub text: String,
}

/// Advice; with `edits` it can be applied by a program.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Help {
    pub text: String,
    /// Replace the text under each span.
    pub edits: Vec<(Span, String)>,
}

/// One message to the user.
#[derive(Clone, Debug, PartialEq)]
pub struct Diagnostic {
    /// `H0301`; the first two digits name the stage: 00 files, 01 syntax, 02 names, 03 axes and sizes, 04 parameters and
    /// relations, 05 control and chance, 06 data and weights, 07 blocks (`train`, `eval`, `weights`), 08 limits, 09 devices.
    pub code: &'static str,
    pub severity: Severity,
    pub message: String,
    /// Where; `None` where no file is at fault (a missing device, say).
    pub primary: Option<Label>,
    pub labels: Vec<Label>,
    pub notes: Vec<String>,
    pub help: Option<Help>,
}

impl Diagnostic {
    /// An error at `span`.
    pub fn error(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Diagnostic {
            code,
            severity: Severity::Error,
            message: message.into(),
            primary: Some(Label { span, text: String::new() }),
            labels: Vec::new(),
            notes: Vec::new(),
            help: None,
        }
    }

    /// A limit of the compiler at `span`.
    pub fn limit(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Limit, ..Diagnostic::error(code, span, message) }
    }

    /// A warning at `span`.
    pub fn warning(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, span, message) }
    }

    /// An error with no place in a text.
    pub fn plain(code: &'static str, message: impl Into<String>) -> Self {
        Diagnostic { primary: None, ..Diagnostic::error(code, Span::default(), message) }
    }

    /// Says something at the primary place.
    pub fn here(mut self, text: impl Into<String>) -> Self {
        if let Some(primary) = &mut self.primary {
            primary.text = text.into();
        }
        self
    }

    /// Adds a label at another place.
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Adds a note.
    pub fn note(mut self, text: impl Into<String>) -> Self {
        self.notes.push(text.into());
        self
    }

    /// Advice in words.
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(Help { text: text.into(), edits: Vec::new() });
        self
    }

    /// Advice that can be applied: put `replacement` in the place of `span`.
    pub fn fix(self, text: impl Into<String>, span: Span, replacement: impl Into<String>) -> Self {
        self.fixes(text, vec![(span, replacement.into())])
    }

    /// Advice that can be applied at several places.
    pub fn fixes(mut self, text: impl Into<String>, edits: Vec<(Span, String)>) -> Self {
        self.help = Some(Help { text: text.into(), edits });
        self
    }

    /// Whether the program cannot be used.
    pub fn is_fatal(&self) -> bool {
        self.severity != Severity::Warning
    }
}

/// Collects diagnostics.
#[derive(Clone, Debug, Default)]
pub struct Sink {
    list: Vec<Diagnostic>,
}

impl Sink {
    /// Adds one, unless the same code already stands at the same place.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        let place = |d: &Diagnostic| d.primary.as_ref().map(|l| l.span);
        let known = self.list.iter().any(|d| {
            d.code == diagnostic.code && place(d) == place(&diagnostic) && (place(d).is_some() || d.message == diagnostic.message)
        });
        if !known {
            self.list.push(diagnostic);
        }
    }

    /// Whether anything fatal was said.
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(Diagnostic::is_fatal)
    }

    /// All, ordered by place.
    pub fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|d| d.primary.as_ref().map(|l| l.span));
        self.list
    }

    /// All so far, in the order in which they were said.
    pub fn list(&self) -> &[Diagnostic] {
        &self.list
    }
}

/// The known name nearest to a misspelt one, if one is near enough to be meant.
pub fn suggest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A word of one or two letters is near to every other: only its case can be mended.
    let length = wrong.chars().count();
    let limit = if length < 3 { 0 } else { length / 3 };
    let apart = |k: &str| if wrong.eq_ignore_ascii_case(k) { 0 } else { distance(wrong, k) };
    known.into_iter().map(|k| (apart(k), k)).filter(|&(d, k)| d <= limit && k != wrong).min().map(|(_, k)| k)
}

/// Edit distance with adjacent swaps (optimal string alignment).
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = change.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(rows[i - 2][j - 2] + 1);
            }
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}
