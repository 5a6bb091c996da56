//! The axes of an argument against those that a signature declares: which are the net's own, and over which the call is lifted.
//!
//! A word that is a `dim` of the file in which the signature stands means the axis of that name. Every other word is the
//! net's own: it takes the axis that the call gives, `net[t = patch](x)`, or the next sized one, and never a name of the caller.

use super::{Matching, Renamed, Taken, with::push};
use crate::check::scope::Binding;
use crate::check::value::{Label, NameId, Tens};
use crate::check::word::{FileItem, Meaning};
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::Size;
use crate::source::Span;
use crate::syntax::ast::{self, Expr, ExprKind, Name};

/// One entry of a declared list of axes.
struct Entry<'a> {
    expr: &'a Expr,
    /// The word, where it is an axis of the signature and no size.
    word: Option<Name>,
    /// The argument's named axis that the word takes: a dimension and what the caller calls it.
    home: Option<(usize, NameId)>,
}

/// Where an argument stands, and where its type is declared.
#[derive(Clone, Copy)]
struct Places {
    at: Span,
    declared: Span,
}

impl<'a> Checker<'a> {
    pub(super) fn take_axes(
        &mut self,
        t: Tens,
        axes: &'a [ast::AxisExpr],
        declared: Span,
        at: Span,
        renamed: &mut [Renamed],
        m: &mut Matching,
    ) -> Res<Tens> {
        let places = Places { at, declared };
        let mut entries = vec![];
        for axis in axes {
            match axis {
                ast::AxisExpr::Lifted(span) => return self.error(Code::H0219, *span, "`*` stands in the type of a draw only"),
                ast::AxisExpr::Expr(expr) => {
                    let word = self.signature_word(expr);
                    let home = word.as_ref().and_then(|w| self.home(w, &t, renamed));
                    entries.push(Entry { expr, word, home });
                }
            }
        }
        self.enough(&t, &entries, places, m)?;
        let wanting = entries.iter().filter(|e| e.home.is_none()).count();
        let mut labels = t.labels.clone();
        let mut sized = t.sized().into_iter();
        let mut taken: Vec<usize> = vec![];
        for entry in entries {
            let dim = match (&entry.word, entry.home) {
                (Some(_), Some((dim, _))) => Some(dim),
                (Some(_), None) | (None, _) => sized.next(),
            };
            match (entry.word, dim) {
                (Some(word), Some(dim)) => {
                    let size = self.extent(&t, dim);
                    labels[dim] = Label::Named(self.take_word(word, entry.home.map(|h| h.1), size, at, m)?);
                    taken.push(dim);
                }
                (_, dim) => taken.push(self.take_size(&t, entry.expr, dim, wanting, places)?),
            }
        }
        if sized.next().is_some() {
            return self.left_over(&t, wanting, places);
        }
        for (i, l) in t.labels.iter().enumerate() {
            if let Label::Named(n) = l
                && !taken.contains(&i)
            {
                push(&mut m.lifted, *n);
            }
        }
        Ok(Tens { labels, ..t })
    }

    /// A free word of a signature is an axis of its own.
    fn signature_word(&self, e: &Expr) -> Option<Name> {
        let ExprKind::Name(word) = &*e.kind else { return None };
        match self.meaning(word) {
            Meaning::Nothing => Some(word.clone()),
            _ => None,
        }
    }

    /// The argument's named axis that a word of the signature takes: the one that the call gives, else, for a `dim` of the
    /// signature's own file, the one of that name.
    fn home(&mut self, word: &Name, t: &Tens, renamed: &mut [Renamed]) -> Option<(usize, NameId)> {
        let outer = match renamed.iter_mut().find(|r| r.axis == *word) {
            Some(given) => {
                given.used = true;
                Some(given.to)
            }
            None if self.own_dim(word.trim_end_matches('\'')).is_some() => self.caller_axis(word),
            None => None,
        }?;
        t.find(outer).map(|dim| (dim, outer))
    }

    /// The `dim` of this name in the file of the body under way.
    fn own_dim(&self, word: &str) -> Option<NameId> {
        match self.files[self.scopes.frame().file].items.get(word) {
            Some(FileItem::Dim(n)) => Some(*n),
            _ => None,
        }
    }

    /// The axis that a word is where the call stands. What the caller itself is lifted over is hidden from it, whatever its name.
    fn caller_axis(&mut self, word: &str) -> Option<NameId> {
        self.at_caller(|c| match c.meaning(word) {
            Meaning::Axis(n) | Meaning::Local(Binding::Index(n) | Binding::Round(_, n)) => Some(n),
            _ => None,
        })
        .flatten()
    }

    /// Says which word finds no axis, where there are too few sized ones for all that want one.
    fn enough(&mut self, t: &Tens, entries: &[Entry<'a>], places: Places, m: &Matching) -> Res<()> {
        let wanting = || entries.iter().filter(|e| e.home.is_none());
        let Some(word) = wanting().find_map(|e| e.word.clone()) else { return Ok(()) };
        if t.sized().len() >= wanting().count() {
            return Ok(());
        }
        let message = format!("no axis is left for `{word}`: this is {}", self.show(t));
        let own = format!("`{word}` is an axis of the signature");
        let free: Vec<String> = t
            .names()
            .filter(|n| !entries.iter().any(|e| e.home.is_some_and(|h| h.1 == *n)))
            .map(|n| self.axes.name_text(n).to_string())
            .collect();
        // Sized axes go to the last words; of the first ones each wants to be told.
        let words: Vec<&str> = entries.iter().filter(|e| e.home.is_none()).filter_map(|e| e.word.as_deref()).collect();
        let told = &words[..words.len().saturating_sub(t.sized().len()).max(1)];
        let help = match free.len() >= told.len() {
            true => {
                let own = told.iter().all(|w| free.iter().any(|f| f == w)) && told.len() > 1;
                let last = &free[free.len() - told.len()..];
                let pairs = told.iter().zip(last).map(|(w, f)| format!("{w} = {}", if own { w } else { f.as_str() }));
                format!("say along which it goes: `{}[{}](..)`", m.callee, pairs.collect::<Vec<_>>().join(", "))
            }
            false => {
                let pairs: Vec<String> = told.iter().map(|w| format!("{w} = axis")).collect();
                format!("it takes a sized axis, or one that is given: `{}[{}](..)`", m.callee, pairs.join(", "))
            }
        };
        self.fail(Diagnostic::error(Code::H0337, places.at, message).label(places.declared, own).help(help))
    }

    /// The inner name of a word that takes an axis of this size.
    fn take_word(&mut self, word: Name, outer: Option<NameId>, size: Size, at: Span, m: &mut Matching) -> Res<NameId> {
        if let Some((_, known)) = m.axes.iter().find(|(w, _)| *w == word) {
            let (inner, old, from) = (known.inner, known.size.clone(), known.span);
            if !self.axes.same(&old, &size) {
                let message = format!("`{word}` is {} here and {} before", self.axes.show_size(&size), self.axes.show_size(&old));
                let because = format!("`{word}` is {} because of this", self.axes.show_size(&old));
                return self.fail(Diagnostic::error(Code::H0338, at, message).label(from, because));
            }
            return Ok(inner);
        }
        // A second copy is as long as the first.
        let first = word.trim_end_matches('\'');
        if first.len() < word.len()
            && let Some((_, known)) = m.axes.iter().find(|(w, _)| **w == *first)
        {
            let (old, from) = (known.size.clone(), known.span);
            if !self.axes.same(&old, &size) {
                let (size, old) = (self.axes.show_size(&size), self.axes.show_size(&old));
                let message = format!("`{word}` is {size} here, and `{first}` is {old}");
                let because = format!("`{first}` is {old} because of this");
                return self.fail(Diagnostic::error(Code::H0338, at, message).label(from, because));
            }
        }
        // A dim of known length has this length everywhere.
        if let Some(dim) = self.own_dim(&word) {
            let (length, declared) = (self.axes.size_of(dim), self.axes.ranged(dim));
            if length.constant().is_some() && !self.axes.same(&length, &size) {
                let message =
                    format!("`{word}` is {} here, and {} is declared", self.axes.show_size(&size), self.axes.show_size(&length));
                let d = Diagnostic::error(Code::H0338, at, message);
                return self.fail(match declared {
                    Some(span) => d.label(span, format!("`{word}` is {} because of this", self.axes.show_size(&length))),
                    None => d,
                });
            }
        }
        let inner = self.axes.new_name(&word, size.clone(), Some(at));
        m.axes.push((word, Taken { inner, outer, size, span: at }));
        Ok(inner)
    }

    /// The dimension that a declared size takes: the next sized one.
    fn take_size(&mut self, t: &Tens, e: &'a Expr, dim: Option<usize>, wanting: usize, places: Places) -> Res<usize> {
        let want = self.size_of_expr(e)?;
        let Places { at, declared } = places;
        let Some(dim) = dim else {
            let message =
                format!("a size of {} is declared, and this has none left: it is {}", self.axes.show_size(&want), self.show(t));
            let mut d = Diagnostic::error(Code::H0339, at, message).label(declared, "declared here");
            if let Some(n) = t.names().next() {
                let n = self.axes.name_text(n);
                d = d.help(format!("`{n}` is a name; `let v[j < count[{n}]] = x[{n}: j]` turns it into a size"));
            }
            let d = self.with_order(d);
            return self.fail(d);
        };
        let own = self.extent(t, dim);
        if !self.axes.same(&own, &want) {
            if t.sized().len() > wanting {
                return self.left_over(t, wanting, places);
            }
            let message = format!("the size is {}, and {} is declared", self.axes.show_size(&own), self.axes.show_size(&want));
            let says = format!("declared here: {} is {}", crate::syntax::print_expr(e), self.axes.show_size(&want));
            let d = Diagnostic::error(Code::H0339, at, message).here(format!("this is {}", self.show(t))).label(declared, says);
            let d = self.with_order(d);
            return self.fail(d);
        }
        Ok(dim)
    }

    /// An argument has more sizes than its declaration takes.
    fn left_over<T>(&mut self, t: &Tens, want: usize, places: Places) -> Res<T> {
        let own = t.sized().len();
        let are = if own == 1 { "1 sized axis".to_string() } else { format!("{own} sized axes") };
        let takes = match want {
            0 => "none is declared".to_string(),
            1 => "1 is declared".to_string(),
            n => format!("{n} are declared"),
        };
        self.fail(
            Diagnostic::error(Code::H0340, places.at, format!("this has {are}, and {takes}"))
                .here(format!("this is {}", self.show(t)))
                .label(places.declared, "declared here")
                .help("a net is lifted over names, never over sizes: give the axis a name, `let y[i] = net(v[i])`"),
        )
    }
}
