//! Whether an edit leaves a text that can be read.
//!
//! In: a text and what was said about it. Out: the same, without the edits after which a line that they touch has a mistake of syntax that it had
//! not before; their advice stays, in words. An edit may uncover a mistake that the first one hid: it stays where that one has an edit
//! too, and so on until the line can be read. Promised: the time for all of this is bounded, whatever the text.

use super::parse::parse;
use crate::diag::{Code, Diagnostic, Sink};
use crate::source::{FileId, Span};

/// Edits that may follow from one.
const ROUNDS: u32 = 8;
/// Bytes that are read again for all edits of a file.
const MOST_BYTES: usize = 8 << 20;

/// Takes edits away that would break the text of a file.
pub fn withhold(file: FileId, text: &str, found: &mut [Diagnostic]) {
    let mut edits = Edits { file, left: MOST_BYTES };
    let own = |d: &Diagnostic| d.primary.as_ref().is_some_and(|l| l.span.file == file) && d.is_fatal();
    let known: Vec<Mistake> = found.iter().filter(|d| own(d) && d.code.stage() == "01").filter_map(Mistake::of).collect();
    for d in found {
        let Some(help) = d.help.as_mut().filter(|h| !h.edits.is_empty()) else { continue };
        if help.edits.iter().any(|(span, _)| span.file != file) {
            continue;
        }
        let primary = d.primary.as_ref().map(|l| l.span.start);
        let others: Vec<Mistake> = known.iter().filter(|m| (m.code, Some(m.at)) != (d.code, primary)).copied().collect();
        if !edits.lead_on(text, &others, &help.edits, ROUNDS) {
            help.edits.clear();
        }
    }
}

/// The text with edits made; nothing where two of them meet.
pub fn made(text: &str, edits: &[(Span, String)]) -> Option<String> {
    let mut sorted: Vec<&(Span, String)> = edits.iter().collect();
    sorted.sort_by_key(|(span, _)| (span.start, span.end));
    let (mut out, mut at) = (String::new(), 0);
    for (span, new) in sorted {
        out.push_str(text.get(at..span.start as usize)?);
        out.push_str(new);
        at = span.end as usize;
    }
    out.push_str(text.get(at..)?);
    Some(out)
}

/// How many mistakes of syntax a text has.
pub fn mistakes(file: FileId, text: &str) -> usize {
    said(file, text).len()
}

fn said(file: FileId, text: &str) -> Vec<Diagnostic> {
    let mut sink = Sink::default();
    parse(file, text, &mut sink);
    sink.into_sorted().into_iter().filter(Diagnostic::is_fatal).collect()
}

/// A mistake and its place.
#[derive(Clone, Copy, PartialEq)]
struct Mistake {
    code: Code,
    at: u32,
}

impl Mistake {
    fn of(d: &Diagnostic) -> Option<Mistake> {
        Some(Mistake { code: d.code, at: d.primary.as_ref()?.span.start })
    }
}

struct Edits {
    file: FileId,
    /// Bytes that may still be read.
    left: usize,
}

impl Edits {
    /// Whether edits of a text, and those that then are offered, leave lines that can be read; `known` are mistakes that were there before.
    fn lead_on(&mut self, text: &str, known: &[Mistake], edits: &[(Span, String)], rounds: u32) -> bool {
        let Some(after) = made(text, edits).filter(|t| t.len() <= self.left) else { return false };
        self.left -= after.len();
        let known: Vec<Mistake> = known.iter().filter_map(|m| Some(Mistake { at: moved(m.at, edits)?, ..*m })).collect();
        let lines = touched(&after, edits);
        let found = said(self.file, &after);
        let fresh: Vec<&Diagnostic> = found
            .iter()
            .filter(|d| Mistake::of(d).is_none_or(|m| !known.contains(&m)))
            .filter(|d| {
                is_bracket(d) || Mistake::of(d).is_none_or(|m| lines.iter().any(|(from, to)| (*from..=*to).contains(&m.at)))
            })
            .collect();
        // No other mistake hides that of a bracket: it is the edit's own.
        if fresh.iter().any(|d| is_bracket(d)) {
            return false;
        }
        match fresh.into_iter().min_by_key(|d| Mistake::of(d).map(|m| m.at)) {
            None => true,
            Some(next) => match &next.help {
                Some(help) if rounds > 0 && !help.edits.is_empty() => self.lead_on(&after, &known, &help.edits, rounds - 1),
                Some(_) | None => false,
            },
        }
    }
}

/// Whether a bracket is missing, stray or another one: that shows where nobody wrote.
fn is_bracket(d: &Diagnostic) -> bool {
    matches!(d.code, Code::H0110 | Code::H0111 | Code::H0112)
}

/// Where a place of a text lies after edits; nothing where it was replaced.
fn moved(at: u32, edits: &[(Span, String)]) -> Option<u32> {
    if edits.iter().any(|(span, _)| (span.start..span.end).contains(&at)) {
        return None;
    }
    let before = edits.iter().filter(|(span, _)| span.end <= at);
    let by: i64 = before.map(|(span, new)| new.len() as i64 - i64::from(span.end - span.start)).sum();
    u32::try_from(i64::from(at) + by).ok()
}

/// The lines that edits leave behind, from the first byte to the end of each.
fn touched(after: &str, edits: &[(Span, String)]) -> Vec<(u32, u32)> {
    let lines = edits.iter().map(|(span, new)| {
        let earlier = edits.iter().filter(|(other, _)| (other.start, other.end) < (span.start, span.end));
        let by: i64 = earlier.map(|(span, new)| new.len() as i64 - i64::from(span.end - span.start)).sum();
        let from = usize::try_from(i64::from(span.start) + by).unwrap_or(0).min(after.len());
        let to = (from + new.len()).min(after.len());
        let begin = after.as_bytes()[..from].iter().rposition(|b| *b == b'\n').map_or(0, |p| p + 1);
        let end = after.as_bytes()[to..].iter().position(|b| *b == b'\n').map_or(after.len(), |p| to + p);
        (begin as u32, end as u32)
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: FileId = FileId(0);

    /// Whether an edit of a line in a body stays: what is replaced, and by what.
    fn stays(line: &str, old: &str, new: &str) -> bool {
        let text = format!("fn f(x: [n]) -> [n] {{\n    {line}\n    let z = 1 < 2 < 3\n    x\n}}\n");
        let mut found = said(FILE, &text);
        let at = text.find(old).unwrap();
        let first = &mut found[0];
        *first = first.clone().fix("try this", Span::new(FILE, at, at + old.len()), new);
        withhold(FILE, &text, &mut found);
        !found[0].help.as_ref().unwrap().edits.is_empty()
    }

    #[test]
    fn an_edit_that_breaks_its_line_is_withheld() {
        assert!(stays("let a = x ** 2", "**", "^"));
        assert!(!stays("let a = x ** 2", "**", "^ ^"));
        assert!(!stays("let a = x ** 2", "** 2", "^ (2"));
        assert!(!stays("let a = x ** 2", "** 2", "^ 2 if x"));
    }

    #[test]
    fn an_edit_that_uncovers_a_mistake_stays_where_that_one_has_an_edit() {
        assert!(stays("let a = x ** 2 ** x; let c = x", "**", "^"));
        assert!(!stays("let a = x ** 2 + [; let c = x", "**", "^"));
    }

    #[test]
    fn edits_are_made_from_the_first_to_the_last() {
        let edit = |a, b, new: &str| (Span::new(FILE, a, b), new.to_string());
        assert_eq!(made("abcd", &[edit(3, 4, "z"), edit(0, 1, "xy"), edit(2, 2, "-")]).as_deref(), Some("xyb-cz"));
        assert_eq!(made("abcd", &[edit(0, 3, ""), edit(2, 4, "")]), None);
    }
}
