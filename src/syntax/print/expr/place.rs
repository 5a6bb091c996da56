//! Left sides, paths and binders.

use super::{FREE, SUM, is_bound};
use crate::syntax::ast::{Binder, Binders, Bound, Index, Path, PathPart, Place, PlacePart, Slot};
use crate::syntax::print::Printer;

impl Printer {
    /// `[i, j < n, (a, b)]` of a left side.
    pub(in crate::syntax::print) fn slots(&mut self, slots: &[Slot]) {
        self.put("[");
        self.commas(slots, |p, slot| match slot {
            Slot::Bound(bound) => p.bound(bound),
            Slot::Merged(parts, _) => p.merged(parts),
            // In parentheses a name is an index, not a bound one.
            Slot::Index(Index::At(value)) if is_bound(value) => p.parens(value),
            Slot::Index(Index::Merged(parts, _)) if parts.iter().all(is_bound) => {
                p.put("(");
                p.commas(parts, Printer::parens);
                p.put(")");
            }
            Slot::Index(index) => p.index(index),
        });
        self.put("]");
    }

    /// `[i, j < n, * where c]`
    pub(in crate::syntax::print) fn binders(&mut self, binders: &Binders) {
        self.put("[");
        self.commas(&binders.items, |p, binder| match binder {
            Binder::Lifted(_) => p.put("*"),
            Binder::Bound(bound) => p.bound(bound),
            Binder::Merged(parts, _) => p.merged(parts),
            Binder::Along { axis, parts, .. } => {
                p.put(&axis.name);
                p.put(": ");
                match parts.as_slice() {
                    [one] => p.bound(one),
                    _ => p.merged(parts),
                }
            }
        });
        if let Some(filter) = &binders.filter {
            self.put(" where ");
            self.expr(filter, FREE);
        }
        self.put("]");
    }

    /// `(a < 2, b)`
    fn merged(&mut self, parts: &[Bound]) {
        self.put("(");
        self.commas(parts, Printer::bound);
        self.put(")");
    }

    /// `j < n`
    fn bound(&mut self, bound: &Bound) {
        self.put(&bound.name.name);
        if let Some(range) = &bound.range {
            self.put(" < ");
            self.expr(range, SUM);
        }
    }

    /// `a.*.b[i]`
    pub(in crate::syntax::print) fn path(&mut self, path: &Path) {
        self.put(&path.root.name);
        for part in &path.parts {
            match part {
                PathPart::Field(name) => {
                    self.put(".");
                    self.put(&name.name);
                }
                PathPart::Star(_) => self.put(".*"),
                PathPart::Index(indices, _) => self.indices(indices),
            }
        }
    }

    /// `a.*.b[i < n]`
    pub(in crate::syntax::print) fn place(&mut self, place: &Place) {
        self.put(&place.root.name);
        for part in &place.parts {
            match part {
                PlacePart::Field(name) => {
                    self.put(".");
                    self.put(&name.name);
                }
                PlacePart::Star(_) => self.put(".*"),
                PlacePart::Slots(slots, _) => self.slots(slots),
            }
        }
    }
}
