//! Slices as Python has them: `x[:, 1:]`, `x[0:2]`.
//!
//! In: an index list with a colon where none belongs. Out: the message, with an edit of the whole list where the file says what `x` is:
//! elsewhere the first place of a list is the first axis, here named axes have no places, so the list alone does not say what is
//! meant. Without it ranges alone are rewritten, which count along the same places.

use crate::diag::Diagnostic;
use crate::syntax::lex::Kind;
use crate::syntax::parse::Parser;

const WHOLE: &str = "an axis that is taken whole is not written: the named ones stay, and the sized ones that follow";
const ENDS: &str = "a range has both ends, the second not in it: `x[2..n]`";

/// An entry of the list.
enum Entry<'t> {
    /// `:`
    Whole,
    /// `3`
    At(&'t str),
    /// `1:3`, `:3`, `1:`
    Range(&'t str, &'t str),
}

/// An axis as it is declared.
struct Axis<'t> {
    text: &'t str,
    named: bool,
}

impl Parser<'_, '_> {
    /// The message about what stands at token `i`, in an index list.
    pub(super) fn slice(&self, i: usize, error: Diagnostic) -> Diagnostic {
        let inside = |o: &usize| self.tokens[*o].kind == Kind::LBracket && self.tokens[*o].mate as usize > i;
        let Some(open) = (0..i).rev().find(inside) else { return error };
        let colon = if self.tokens[i].kind == Kind::Colon { i } else { i + 1 };
        if self.tokens.get(colon).is_none_or(|t| t.kind != Kind::Colon) {
            return error;
        }
        let close = self.tokens[open].mate as usize;
        let Some(entries) = self.entries(open, close) else {
            return error.help("a range is written `0..n`, and has no step");
        };
        let whole = entries.iter().any(|e| matches!(e, Entry::Whole));
        let ended = entries.iter().all(|e| !matches!(e, Entry::Range(a, b) if a.is_empty() || b.is_empty()));
        let says = match (whole, ended) {
            (true, true) => WHOLE.to_string(),
            (true, false) => format!("{WHOLE}; {ENDS}"),
            (false, false) => ENDS.to_string(),
            (false, true) => "a range is written `..`".to_string(),
        };
        let base = open.checked_sub(1).map_or("", |k| self.word(k));
        let list = match self.declared_axes(base) {
            Some(axes) => along(&entries, &axes),
            None => plain(&entries),
        };
        match list {
            Some(list) if list.is_empty() => error.help("all of it is the value itself"),
            Some(list) => error.fix(says, self.span(open + 1, close), list.join(", ")),
            None => error.help(says),
        }
    }

    /// The entries of an index list; none where one is neither a place nor a range with a colon.
    fn entries(&self, open: usize, close: usize) -> Option<Vec<Entry<'_>>> {
        let depth = self.tokens[open].depth + 1;
        let is = |k: usize, kind: Kind| self.tokens[k].kind == kind && self.tokens[k].depth == depth;
        let mut out = vec![];
        let mut from = open + 1;
        while from < close {
            let to = (from..close).find(|k| is(*k, Kind::Comma)).unwrap_or(close);
            let colons: Vec<usize> = (from..to).filter(|k| is(*k, Kind::Colon)).collect();
            out.push(match colons.as_slice() {
                [] => Entry::At(self.text(from, to)),
                [_] if to == from + 1 => Entry::Whole,
                [at] => Entry::Range(self.text(from, *at), self.text(at + 1, to)),
                _ => return None,
            });
            from = to + 1;
        }
        Some(out)
    }

    /// The axes of a value, where the file declares one of this name and all of its axes are dims or numbers.
    fn declared_axes(&self, word: &str) -> Option<Vec<Axis<'_>>> {
        let kind = |k: usize| self.tokens.get(k).map_or(Kind::End, |t| t.kind);
        let scalar = |k: usize| matches!(self.word(k), "f32" | "i32" | "bool");
        let bracket = |k: usize| if scalar(k + 2) { k + 3 } else { k + 2 };
        let declares = |k: &usize| {
            kind(*k) == Kind::Name && self.word(*k) == word && kind(k + 1) == Kind::Colon && kind(bracket(*k)) == Kind::LBracket
        };
        let mut places = (0..self.tokens.len()).filter(declares);
        let (Some(at), None) = (places.next(), places.next()) else { return None };
        let open = bracket(at);
        let close = self.tokens[open].mate as usize;
        let mut out = vec![];
        for k in (open + 1..close).step_by(2) {
            if k + 1 < close && kind(k + 1) != Kind::Comma {
                return None;
            }
            let named = match kind(k) {
                Kind::Number => false,
                Kind::Name if (1..self.tokens.len()).any(|n| self.word(n) == self.word(k) && self.word(n - 1) == "dim") => true,
                _ => return None,
            };
            out.push(Axis { text: self.word(k), named });
        }
        Some(out)
    }
}

/// The list for a value with these axes: it has a place for each, or for each sized one.
fn along(entries: &[Entry], axes: &[Axis]) -> Option<Vec<String>> {
    let sized: Vec<&Axis> = axes.iter().filter(|a| !a.named).collect();
    let axes: Vec<&Axis> = if entries.len() == axes.len() {
        axes.iter().collect()
    } else if entries.len() == sized.len() {
        sized
    } else {
        return plain(entries);
    };
    let mut out = vec![];
    for (k, (entry, axis)) in entries.iter().zip(&axes).enumerate() {
        let later = || entries.iter().zip(&axes).skip(k + 1).any(|(e, a)| !a.named && !matches!(e, Entry::Whole));
        match entry {
            Entry::Whole if axis.named || !later() => {}
            Entry::Whole => out.push(format!("0..{}", axis.text)),
            Entry::At(e) | Entry::Range(e, _) | Entry::Range(_, e) if e.starts_with('-') => return None,
            Entry::At(e) if axis.named => out.push(format!("{}: {e}", axis.text)),
            Entry::At(e) => out.push(e.to_string()),
            Entry::Range(..) if axis.named => return None,
            Entry::Range(a, b) => {
                let (a, b) = (if a.is_empty() { "0" } else { a }, if b.is_empty() { axis.text } else { b });
                out.push(format!("{a}..{b}"));
            }
        }
    }
    Some(out)
}

/// The list for a value of which nothing is known: ranges that have an end.
fn plain(entries: &[Entry]) -> Option<Vec<String>> {
    let one = |e: &Entry| match e {
        Entry::At(e) => Some(e.to_string()),
        Entry::Range(a, b) if !b.is_empty() && ![a, b].iter().any(|e| e.starts_with('-')) => {
            Some(format!("{}..{b}", if a.is_empty() { "0" } else { a }))
        }
        Entry::Range(..) | Entry::Whole => None,
    };
    entries.iter().map(one).collect()
}
