//! Slices as Python has them: `x[:, 1:]`, `x[0:2]`.
//!
//! In: an index list with a colon or `...` where none belongs. Out: the message, with an edit of the whole list where the file says what `x`
//! is: elsewhere the first place of a list is the first axis, here named axes have no places, so the list alone does not say what is
//! meant. Where nobody knows which axis it is, both are said, and the writer chooses.

use crate::diag::Diagnostic;
use crate::syntax::lex::Kind;
use crate::syntax::parse::Parser;

const WHOLE: &str = "an axis that is taken whole is not written: the named ones stay, and the sized ones that follow";
const ENDS: &str = "a range has both ends, the second not in it: `x[2..n]`";
const REST: &str = "axes that are not written stay: `x[i]` is a place of the sized axis, `x[b: i]` one of a named axis";
/// What is said besides where there is no edit.
const WHICH: &str =
    "brackets read the sized axes, where Python begins with the first: `x[0..2]`, and `x[b: i]` along one with a name";

/// An entry of the list.
enum Entry<'t> {
    /// `:`
    Whole,
    /// `3`
    At(&'t str),
    /// `1:3`, `:3`, `1:`
    Range(&'t str, &'t str),
    /// `...`
    Rest,
}

/// An axis as it is declared.
pub(super) struct Axis<'t> {
    text: &'t str,
    pub named: bool,
}

/// A value as it is declared.
pub(super) struct Declared<'t> {
    pub axes: Vec<Axis<'t>>,
    /// It has no other axes: an argument may be lifted over some.
    pub sure: bool,
}

impl Parser<'_, '_> {
    /// The message about what stands at token `i`, in an index list.
    pub(super) fn slice(&self, i: usize, error: Diagnostic) -> Diagnostic {
        let inside = |o: &usize| self.tokens[*o].kind == Kind::LBracket && self.tokens[*o].mate as usize > i;
        let Some(open) = (0..i).rev().find(inside) else { return error };
        let colon = if self.tokens[i].kind == Kind::Colon { i } else { i + 1 };
        if !self.is_ellipsis(i) && self.tokens.get(colon).is_none_or(|t| t.kind != Kind::Colon) {
            return error;
        }
        let close = self.tokens[open].mate as usize;
        let Some(entries) = self.entries(open, close) else {
            return error.help("a range is written `0..n`, and has no step");
        };
        let has = |one: fn(&Entry) -> bool| entries.iter().any(one);
        if has(|e| matches!(e, Entry::At("None" | "np.newaxis" | "jnp.newaxis"))) {
            return error.help("axes meet by their names, and numbers with all of them: no axis of length 1 is needed");
        }
        let mut says = vec![];
        if has(|e| matches!(e, Entry::Rest)) {
            says.push(REST);
        }
        if has(|e| matches!(e, Entry::Whole)) {
            says.push(WHOLE);
        }
        if has(|e| matches!(e, Entry::Range(a, b) if a.is_empty() || b.is_empty())) {
            says.push(ENDS);
        }
        if says.is_empty() {
            says.push("a range is written `..`");
        }
        let base = open.checked_sub(1).map_or("", |k| self.word(k));
        let list = self.declared_axes(base).and_then(|d| along(&spread(entries, d.axes.len())?, &d));
        match list {
            Some(list) if list.is_empty() => error.help("all of it is the value itself"),
            Some(list) => error.fix(says.join("; "), self.span(open + 1, close), list.join(", ")),
            None if says[0] == REST => error.help(says.join("; ")),
            None => {
                says.push(WHICH);
                error.help(says.join("; "))
            }
        }
    }

    /// Whether `...` begins at token `i`.
    pub(super) fn is_ellipsis(&self, i: usize) -> bool {
        let kind = |k: usize| self.tokens.get(k).map(|t| t.kind);
        kind(i) == Some(Kind::DotDot) && kind(i + 1) == Some(Kind::Dot) && self.touches_at(i + 1)
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
                [] if self.is_ellipsis(from) && to == from + 2 => Entry::Rest,
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
    pub(super) fn declared_axes(&self, word: &str) -> Option<Declared<'_>> {
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
        let said = at.checked_sub(1).map_or("", |k| self.word(k));
        let sure = matches!(said, "input" | "condition" | "param" | "state" | "load");
        Some(Declared { axes: out, sure })
    }
}

/// The entries with a place for each axis that `...` stands for.
fn spread(entries: Vec<Entry>, axes: usize) -> Option<Vec<Entry>> {
    let places = entries.iter().filter(|e| matches!(e, Entry::Rest)).count();
    let missing = (axes + places).checked_sub(entries.len())?;
    let mut out = vec![];
    for entry in entries {
        match entry {
            Entry::Rest if places == 1 => out.extend((0..missing).map(|_| Entry::Whole)),
            Entry::Rest => return None,
            entry => out.push(entry),
        }
    }
    Some(out)
}

/// The list for a value with these axes, of which the first have a place in the entries, as in Python.
fn along(entries: &[Entry], declared: &Declared) -> Option<Vec<String>> {
    let axes = &declared.axes;
    // What is lifted over axes that nobody sees here has them in front elsewhere.
    if !declared.sure || entries.len() > axes.len() {
        return None;
    }
    let mut out = vec![];
    for (k, (entry, axis)) in entries.iter().zip(axes).enumerate() {
        let later = || entries.iter().zip(axes).skip(k + 1).any(|(e, a)| !a.named && !matches!(e, Entry::Whole));
        match entry {
            Entry::Rest => return None,
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
