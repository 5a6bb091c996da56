//! Names of axes and their sizes.
//!
//! In: names as they are met. Out: what each is called, how long it is, and where that came from. A range that is not known yet is
//! an unknown, `?n`, which is found where the name first indexes something.

use super::value::{Label, NameId};
use crate::ir::{Axis, Size, Sym};
use crate::source::Span;
use crate::syntax::ast::Name;
use std::collections::BTreeMap;

/// What is known about an axis name.
#[derive(Clone, Debug)]
struct AxisName {
    text: Name,
    size: Size,
    /// Where its range came from.
    ranged: Option<Span>,
    /// It came from where something else is said of what lies outside: another range that is said elsewhere counts more.
    soft: bool,
}

/// All names, and the sizes that were found.
#[derive(Clone, Default)]
pub struct Axes {
    names: Vec<AxisName>,
    /// Sizes that were found for `?n`.
    solved: BTreeMap<Sym, Size>,
    /// Second copies of axes that types declare, by the axis and the word: `n'`.
    copies: BTreeMap<(NameId, Name), NameId>,
    /// Merged indices of which more than one part has no range yet: the parts make up so many places.
    merged: Vec<Merged>,
    /// An index whose soft range is not the one that it has elsewhere.
    overruled: Option<(NameId, Size, Span)>,
}

/// Indices that make up an axis together.
#[derive(Clone, Debug)]
pub struct Merged {
    pub names: Vec<NameId>,
    pub extent: Size,
    pub at: Span,
}

impl Axes {
    pub fn new_name(&mut self, text: &str, size: Size, ranged: Option<Span>) -> NameId {
        self.names.push(AxisName { text: text.into(), size, ranged, soft: false });
        NameId(self.names.len() as u32 - 1)
    }

    /// A name whose range is to be found from what it indexes.
    pub fn open_name(&mut self, text: &str) -> NameId {
        let unknown = Size::sym(format!("?{}", self.names.len()));
        self.new_name(text, unknown, None)
    }

    /// A second copy of an axis.
    pub fn declare_copy(&mut self, of: NameId, word: &Name) {
        if !self.copies.contains_key(&(of, word.clone())) {
            let copy = self.new_name(word, self.size_of(of), self.ranged(of));
            self.copies.insert((of, word.clone()), copy);
        }
    }

    /// The second copy of an axis that has this name.
    pub fn copy_of(&self, of: NameId, word: &str) -> Option<NameId> {
        if !word.ends_with('\'') {
            return None;
        }
        self.copies.get(&(of, word.into())).copied()
    }

    pub fn name_text(&self, name: NameId) -> &str {
        &self.names[name.0 as usize].text
    }

    pub fn size_of(&self, name: NameId) -> Size {
        self.resolve(&self.names[name.0 as usize].size)
    }

    /// A size with all that was found put in.
    pub fn resolve(&self, size: &Size) -> Size {
        let mut size = size.clone();
        // What is found may hold unknowns that are found later; no chain of them is a circle.
        while size.mentions(&|s| s.starts_with('?') && self.solved.contains_key(s)) {
            size = size.substitute(&|s| self.solved.get(s).cloned());
        }
        size
    }

    /// Whether two sizes are the same, finding open ranges on the way.
    pub fn same(&mut self, a: &Size, b: &Size) -> bool {
        let (a, b) = (self.resolve(a), self.resolve(b));
        if a == b {
            return true;
        }
        for (x, y) in [(&a, &b), (&b, &a)] {
            if let Some(s) = x.single()
                && s.starts_with('?')
                && !y.mentions(&|t| t == &**s)
            {
                self.solved.insert(s.clone(), y.clone());
                return true;
            }
        }
        false
    }

    /// The text that a dimension is known by.
    pub fn axis_text(&self, label: Label, fallback: &str) -> Name {
        match label {
            Label::Named(n) => self.names[n.0 as usize].text.clone(),
            Label::Sized => fallback.into(),
        }
    }

    /// An axis for a label, named for people.
    pub fn axis(&self, label: Label, fallback: &str, size: Size) -> Axis {
        Axis { name: self.axis_text(label, fallback), size }
    }

    /// A size for people; a range that is still open is `?`.
    pub fn show_size(&self, size: &Size) -> String {
        // A size that a value decides is called by the value.
        let plain = |s: &Sym| s.find('#').map(|end| Size::sym(&s[..end]));
        let text = self.resolve(size).substitute(&|s| plain(&Sym::from(s))).to_string();
        if text.contains('?') { "?".into() } else { text }
    }

    /// Whether a name's range is still to be found.
    pub fn is_open(&self, n: NameId) -> bool {
        self.size_of(n).symbols().iter().any(|s| s.starts_with('?'))
    }

    /// Remembers where a range was found.
    pub fn note_range(&mut self, n: NameId, span: Span) {
        let name = &mut self.names[n.0 as usize];
        name.ranged.get_or_insert(span);
    }

    /// Remembers that a range is only what an index with `else` reaches.
    pub fn note_soft(&mut self, n: NameId) {
        self.names[n.0 as usize].soft = true;
    }

    /// Takes note of a range that an index has elsewhere, if the one that was found first gives way to it.
    pub fn overrule(&mut self, n: NameId, size: &Size, span: Span) -> bool {
        let name = &self.names[n.0 as usize];
        let known = !self.resolve(size).symbols().iter().any(|s| s.starts_with('?'));
        if !name.soft || !known {
            return false;
        }
        self.overruled = Some((n, self.resolve(size), span));
        true
    }

    /// The range that one of these indices has elsewhere.
    pub fn take_overruled(&mut self, among: impl Fn(NameId) -> bool) -> Option<(NameId, Size, Span)> {
        self.overruled.take_if(|(n, _, _)| among(*n))
    }

    /// Remembers indices that make up an axis; their ranges are found elsewhere.
    pub fn note_merged(&mut self, merged: Merged) {
        self.merged.push(merged);
    }

    /// Those of the merged indices of which at most `open` parts lack a range.
    pub fn take_merged(&mut self, open: usize) -> Vec<Merged> {
        let all = std::mem::take(&mut self.merged);
        let (ripe, rest) = all.into_iter().partition(|m| m.names.iter().filter(|n| self.is_open(**n)).count() <= open);
        self.merged = rest;
        ripe
    }

    /// A merged index that one of these names is a part of.
    pub fn merged_with(&self, n: NameId) -> Option<&Merged> {
        self.merged.iter().find(|m| m.names.contains(&n))
    }

    /// Where the range of a name came from.
    pub fn ranged(&self, name: NameId) -> Option<Span> {
        self.names[name.0 as usize].ranged
    }

    /// Gives a declared axis its length.
    pub fn set_size(&mut self, name: NameId, size: Size) {
        self.names[name.0 as usize].size = size;
    }
}
