//! What can be said to a user.
//!
//! A [`Diagnostic`] has a code (`hnet explain CODE` has a page for each), a message, a place, labels on every side of a
//! mismatch, notes, and at most one help that an editor can apply. Stages collect them in a [`Sink`] and go on, so that one
//! run reports several mistakes; one mistake gives one message.

mod code;
pub mod explain;
pub mod render;

pub use code::Code;

use crate::source::Span;
use std::collections::HashSet;

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

impl Label {
    /// A place, with nothing to say about it yet.
    pub fn at(span: Span) -> Label {
        Label { span, text: String::new() }
    }
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
    pub code: Code,
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
    pub fn error(code: Code, span: Span, message: impl Into<String>) -> Self {
        Diagnostic {
            code,
            severity: Severity::Error,
            message: message.into(),
            primary: Some(Label::at(span)),
            labels: Vec::new(),
            notes: Vec::new(),
            help: None,
        }
    }

    /// A limit of the compiler at `span`.
    pub fn limit(code: Code, span: Span, message: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Limit, ..Diagnostic::error(code, span, message) }
    }

    /// A warning at `span`.
    pub fn warning(code: Code, span: Span, message: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, span, message) }
    }

    /// An error with no place in a text.
    pub fn plain(code: Code, message: impl Into<String>) -> Self {
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

    /// The known name that is near to a wrong one: an edit where it may be the same name with a mistake in it.
    pub fn meant(self, wrong: &str, span: Span, near: &str) -> Self {
        let text = format!("`{near}` is near");
        if is_slip(wrong, near) { self.fix(text, span, near) } else { self.help(text) }
    }

    /// Cuts texts that nobody would read to their end: a name may have a million letters.
    fn shorten(&mut self) {
        cut(&mut self.message);
        self.primary.iter_mut().chain(&mut self.labels).for_each(|l| cut(&mut l.text));
        self.notes.iter_mut().for_each(cut);
        self.help.iter_mut().for_each(|h| cut(&mut h.text));
    }

    /// Whether the program cannot be used.
    pub fn is_fatal(&self) -> bool {
        self.severity != Severity::Warning
    }
}

/// Bytes of a text in a message.
const LONG: usize = 2000;

/// Leaves the middle of a long text out.
fn cut(text: &mut String) {
    if text.len() > LONG {
        let fits = |at: &usize| text.is_char_boundary(*at);
        let head = (0..=LONG / 2).rev().find(fits).unwrap_or(0);
        let tail = (text.len() - LONG / 4..text.len()).find(fits).unwrap_or(text.len());
        text.replace_range(head..tail, " .. ");
    }
}

/// Mistakes that are shown, and as many warnings; the others are counted.
pub const MOST: usize = 100;

/// Collects diagnostics.
#[derive(Clone, Debug, Default)]
pub struct Sink {
    list: Vec<Diagnostic>,
    /// What was said: the code and the place, or the text where there is no place.
    known: HashSet<(Code, Result<Span, String>)>,
    errors: usize,
    warnings: usize,
}

impl Sink {
    /// Adds one, unless the same code already stands at the same place. Beyond [`MOST`] it is only counted.
    pub fn push(&mut self, mut diagnostic: Diagnostic) {
        let place = diagnostic.primary.as_ref().map(|l| l.span).ok_or_else(|| diagnostic.message.clone());
        if !self.known.insert((diagnostic.code, place)) {
            return;
        }
        let count = if diagnostic.is_fatal() { &mut self.errors } else { &mut self.warnings };
        *count += 1;
        if *count <= MOST {
            diagnostic.shorten();
            self.list.push(diagnostic);
        }
    }

    /// Whether no further mistake will be shown: what makes its message need not look far.
    pub fn is_full(&self) -> bool {
        self.errors >= MOST
    }

    /// Of those that were said from place `from` on and have the same key, the first stands for all: `more` says of the others what it notes
    /// besides, and its edits are those of all.
    pub fn fold(&mut self, from: usize, key: impl Fn(&Diagnostic) -> Option<String>, more: impl Fn(&[Diagnostic]) -> String) {
        let from = from.min(self.list.len());
        let mut groups: Vec<(Option<String>, Diagnostic, Vec<Diagnostic>)> = vec![];
        for d in self.list.split_off(from) {
            let key = key(&d);
            match groups.iter_mut().find(|(k, _, _)| key.is_some() && *k == key) {
                Some((_, _, rest)) => rest.push(d),
                None => groups.push((key, d, vec![])),
            }
        }
        for (_, mut first, rest) in groups {
            if !rest.is_empty() {
                first.notes.push(more(&rest));
                self.errors -= rest.iter().filter(|d| d.is_fatal()).count();
                self.warnings -= rest.iter().filter(|d| !d.is_fatal()).count();
            }
            if let Some(help) = first.help.as_mut().filter(|h| !h.edits.is_empty()) {
                help.edits.extend(rest.into_iter().filter_map(|d| d.help).flat_map(|h| h.edits));
            }
            first.shorten();
            self.list.push(first);
        }
    }

    /// Whether anything fatal was said.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// How many mistakes were said, those that are not shown among them.
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// All that are shown, ordered by place; the last one says how many are not.
    pub fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|d| d.primary.as_ref().map(|l| l.span));
        for (all, fatal, what) in [(self.errors, true, "mistake"), (self.warnings, false, "warning")] {
            let more = all.saturating_sub(MOST);
            if let Some(last) = self.list.iter_mut().rfind(|d| more > 0 && d.is_fatal() == fatal) {
                let s = if more == 1 { " is" } else { "s are" };
                last.notes.push(format!("{more} more {what}{s} not shown"));
            }
        }
        self.list
    }

    /// All so far, in the order in which they were said.
    pub fn list(&self) -> &[Diagnostic] {
        &self.list
    }
}

/// A whole number that an `i32` does not hold.
pub fn beyond_i32(span: Span, number: impl std::fmt::Display) -> Diagnostic {
    Diagnostic::error(Code::H0358, span, format!("{number} is no whole number of 32 bits"))
        .here(format!("an `i32` reaches from {} to {}", i32::MIN, i32::MAX))
        .help("an `f32` may be larger: write the number with a dot, or declare the value `f32`")
}

/// Letters up to which a word is compared with others: nobody wants a longer one guessed, and comparing takes their product.
const LONGEST: usize = 80;

/// Whether a near name may be the same with a mistake in it. Letters are misspelt; digits say which of several is meant, so `Conv2d` is
/// no slip for `Conv`, nor `fc3` for `fc2`.
pub fn is_slip(wrong: &str, near: &str) -> bool {
    let digits = |s: &str| s.chars().filter(char::is_ascii_digit).collect::<String>();
    digits(wrong) == digits(near)
}

/// The known name nearest to a misspelt one, if one is near enough to be meant.
pub fn suggest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nearest(wrong, known).map(|(_, k)| k)
}

/// The same, and how far it is.
pub fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<(usize, &'a str)> {
    // A word of one or two letters is near to every other: only its case can be mended.
    let letters: Vec<char> = wrong.chars().take(LONGEST + 1).collect();
    if letters.len() > LONGEST {
        return None;
    }
    let limit = if letters.len() < 3 { 0 } else { letters.len() / 3 };
    // A letter has at most four bytes.
    let alike = |k: &str| k.len() + limit >= letters.len() && k.len() <= 4 * (letters.len() + limit);
    let apart = |k: &str| if wrong.eq_ignore_ascii_case(k) { 0 } else { distance(&letters, &k.chars().collect::<Vec<_>>()) };
    let near = known.into_iter().filter(|k| *k != wrong && alike(k)).map(|k| (apart(k), k));
    near.filter(|&(d, _)| d <= limit).min()
}

/// Edit distance with adjacent swaps (optimal string alignment).
fn distance(a: &[char], b: &[char]) -> usize {
    // The last two rows of the table, and the one under way.
    let (mut older, mut old): (Vec<usize>, Vec<usize>) = (Vec::new(), (0..=b.len()).collect());
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let change = old[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = change.min(old[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(older[j - 2] + 1);
            }
        }
        older = std::mem::replace(&mut old, row);
    }
    old[b.len()]
}

/// Names that a message lists.
const LISTED: usize = 24;

/// `a, b, c`; of very many the first, and how many more there are.
pub fn listed<T: AsRef<str>>(names: &[T]) -> String {
    let shown: Vec<&str> = names.iter().take(LISTED).map(AsRef::as_ref).collect();
    let more = names.len() - shown.len();
    if more == 0 { shown.join(", ") } else { format!("{}, and {more} more", shown.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FileId;

    #[test]
    fn a_misspelt_name_is_near_to_the_one_that_is_meant() {
        assert_eq!(suggest("wieght", ["height", "weight", "w"]), Some("weight"));
        assert_eq!(suggest("Linear", ["linear"]), Some("linear"));
        assert_eq!(suggest("q", ["x"]), None);
        assert_eq!(suggest(&"a".repeat(20_000), [format!("{}b", "a".repeat(19_999)).as_str()]), None);
        assert_eq!(distance(&['a', 'b'], &[]), 2);
        assert_eq!(distance(&['a', 'b', 'c'], &['b', 'a', 'c']), 1);
    }

    #[test]
    fn a_hundred_mistakes_are_shown_and_the_others_counted() {
        let mut sink = Sink::default();
        for at in 0..250 {
            sink.push(Diagnostic::error(Code::H0201, Span::new(FileId(0), at, at + 1), "x"));
            sink.push(Diagnostic::error(Code::H0201, Span::new(FileId(0), at, at + 1), "x"));
        }
        sink.push(Diagnostic::warning(Code::H0816, Span::new(FileId(0), 300, 301), "w"));
        assert_eq!((sink.errors(), sink.list().len(), sink.is_full()), (250, MOST + 1, true));
        let shown = sink.into_sorted();
        assert_eq!(shown[MOST - 1].notes, ["150 more mistakes are not shown"]);
        assert!(shown[MOST].notes.is_empty());
    }
}
