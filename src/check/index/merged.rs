//! Merged indices, `(i, j)`: an axis that is split, or a place in it.

use super::IndexValue;
use super::read::Action;
use crate::check::axes::Merged;
use crate::check::value::{Label, NameId, Tens};
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::{Map, Node, Op, Operand, Size};
use crate::source::Span;
use crate::syntax::ast::Expr;

impl<'a> Checker<'a> {
    /// `(a, b)`: a split where all parts are bare, a computed place else.
    pub(super) fn merged(&mut self, parts: &'a [Expr], extent: &Size, at: Span) -> Res<Action> {
        let mut values = Vec::new();
        for p in parts {
            values.push((self.index_value(p)?, p.span));
        }
        let names: Vec<NameId> = values
            .iter()
            .filter_map(|(v, _)| match v {
                IndexValue::Name(n) => Some(*n),
                IndexValue::Tens(_) => None,
            })
            .collect();
        let distinct = names.iter().enumerate().all(|(i, n)| !names[..i].contains(n));
        if names.len() == parts.len() && distinct {
            self.divide(&names, extent, at)?;
            for (n, p) in names.iter().zip(parts) {
                self.axes.note_range(*n, p.span);
            }
            return Ok(Action::Split(names));
        }
        let mut place: Option<Tens> = None;
        for (value, span) in values {
            let (index, size) = match value {
                IndexValue::Name(n) => (self.iota(n), Some(self.axes.size_of(n))),
                IndexValue::Tens(t) => (t, None),
            };
            place = Some(match place {
                None => index,
                Some(before) => {
                    let Some(size) = size else {
                        let d = Diagnostic::error(Code::H0322, span, "every part but the first needs a range here");
                        return self.fail(d.help(
                            "an index that is bound has one, `let v[i < 3, k < 4] = x[(i, k)]`; a number or data may stand first, or count the place: `x[4 * i + k]`",
                        ));
                    };
                    let size = self.size_value(&size);
                    let high = self.pointwise(Map::Mul, &[&before, &size])?;
                    self.pointwise(Map::Add, &[&high, &index])?
                }
            });
        }
        Ok(Action::Data(place.expect("a part"), at))
    }

    /// Ranges of merged names: their product is the extent; one may be found by division.
    pub fn divide(&mut self, names: &[NameId], extent: &Size, at: Span) -> Res<()> {
        if !self.cover(names, extent, at)?.is_empty() {
            // Perhaps they are known when all is read.
            self.axes.note_merged(Merged { names: names.to_vec(), extent: extent.clone(), at });
        }
        Ok(())
    }

    /// Finds what merged indices say of ranges, as far as it can be found by now.
    pub fn settle_merged(&mut self) -> Res<()> {
        loop {
            let ripe = self.axes.take_merged(1);
            if ripe.is_empty() {
                return Ok(());
            }
            for m in ripe {
                self.cover(&m.names, &m.extent, m.at)?;
            }
        }
    }

    /// Says that too many parts of a merged index have no range.
    pub fn no_ranges<T>(&mut self, m: &Merged) -> Res<T> {
        let open = m.names.iter().filter(|n| self.axes.is_open(**n));
        let words: Vec<&str> = open.map(|n| self.axes.name_text(*n)).collect();
        let texts: Vec<String> = words.iter().map(|w| format!("`{w}`")).collect();
        let first = words.first().copied().unwrap_or("i");
        let help = format!("give a range where the index is bound, as in `{first} < {}`", self.range_like(first));
        let message = format!("the ranges of {} are not known; at most one part may lack a range", texts.join(" and "));
        self.fail(Diagnostic::error(Code::H0312, m.at, message).help(help))
    }

    /// As [`Checker::divide`]; of more than one that has no range nothing is found: those.
    pub fn cover(&mut self, names: &[NameId], extent: &Size, at: Span) -> Res<Vec<NameId>> {
        let open: Vec<NameId> = names.iter().copied().filter(|n| self.axes.is_open(*n)).collect();
        let known = names.iter().filter(|n| !open.contains(n)).fold(Size::from(1i64), |p, n| p.mul(&self.axes.size_of(*n)));
        match open.as_slice() {
            [] if !self.axes.same(&known, extent) => {
                let cut = leading(&known, extent);
                let (known, extent) = (self.axes.show_size(&known), self.axes.show_size(extent));
                let message = format!("the parts cover {known} places, and the axis has {extent}");
                let d = Diagnostic::error(Code::H0311, at, message);
                self.fail(if cut.is_some() { d.help(format!("the first {known} places alone are `x[0..{known}]`")) } else { d })
            }
            [one] => {
                let whole = |q: &Size| q.is_whole() && (q.number().is_none() || q.constant().is_some());
                let Some(q) = extent.div(&known).filter(whole) else {
                    let cut = leading(&known, extent);
                    let (known, extent) = (self.axes.show_size(&known), self.axes.show_size(extent));
                    let message = format!("an axis of {extent} does not divide into parts of {known}");
                    let d = Diagnostic::error(Code::H0311, at, message);
                    return self.fail(match cut {
                        Some(n) => d.help(format!("the first {n} places do: `x[0..{n}]`")),
                        None => d,
                    });
                };
                let own = self.axes.size_of(*one);
                self.axes.same(&own, &q);
                Ok(vec![])
            }
            _ => Ok(open),
        }
    }

    /// A dimension becomes several names, row-major.
    pub(super) fn split(&mut self, t: &Tens, handle: NameId, parts: &[NameId]) -> Tens {
        let dim = t.find(handle).expect("a handle stays");
        let order: Vec<usize> = (0..t.labels.len()).filter(|&i| i != dim).chain([dim]).collect();
        let mut t = self.permute(t, &order);
        let mut axes = self.build.at(&t).shape.clone();
        axes.pop();
        t.labels.pop();
        let mut labels = t.labels.clone();
        // Names that the value has already are read on the diagonal afterwards.
        let fresh: Vec<NameId> = parts
            .iter()
            .map(|n| {
                let (text, size) = (self.axes.name_text(*n).to_string(), self.axes.size_of(*n));
                if t.find(*n).is_some() { self.axes.new_name(&text, size, None) } else { *n }
            })
            .collect();
        for n in &fresh {
            axes.push(self.axes.axis(Label::Named(*n), "", self.axes.size_of(*n)));
            labels.push(Label::Named(*n));
        }
        let node = self.build.node(&t);
        let mut out = self.emit(Node::new(Op::Reshape, t.dtype, axes), labels, vec![Operand::new(node, vec![])]);
        for (f, n) in fresh.iter().zip(parts) {
            if f != n {
                let dim = out.find(*f).expect("just made");
                out = self.dim_to_name(&out, dim, *n);
            }
        }
        out
    }
}

/// The largest number of places that divides into parts of `known` and is less than `extent`, where both are numbers.
fn leading(known: &Size, extent: &Size) -> Option<i64> {
    let (known, extent) = (known.constant()?, extent.constant()?);
    (known > 0 && known <= extent).then(|| extent / known * known)
}
