//! Indices that are written out: unequal things are told apart by numbers that are known, so an index over them is one number after the
//! other, and what comes out is put together along the index.
//!
//! A net of a family, or of those over a tree's leaves, is picked out by an index where it is called or a part of it is read; an index that
//! ranges over `leaves(tree)` is written out where it is bound.

use super::binders::BoundNames;
use super::scope::Binding;
use super::value::{NameId, Value};
use super::word::Meaning;
use super::{Checker, Res};
use crate::diag::Code;
use crate::ir::Size;
use crate::source::Span;
use crate::syntax::ast::{Bound, Expr, ExprKind, Ident, Index, Name};
use crate::syntax::walk::{self, Visit, What};

/// An index, and how many things it picks of.
struct Over {
    word: Name,
    name: NameId,
    count: usize,
    at: Span,
}

/// What is picked of by an index.
struct Picks<'w> {
    word: &'w Name,
    bases: Vec<Expr>,
    bound_again: bool,
}

impl Visit for Picks<'_> {
    fn declare(&mut self, name: &Ident, _: What) {
        self.bound_again |= name.name == *self.word;
    }

    fn mention(&mut self, _: &Name, _: Span) {}

    fn indexed(&mut self, base: &Expr, indices: &[Index]) {
        let by = |i: &Index| matches!(i, Index::At(e) if matches!(&*e.kind, ExprKind::Name(w) if w == self.word));
        if indices.first().is_some_and(by) && matches!(&*base.kind, ExprKind::Name(_) | ExprKind::Field { .. }) {
            self.bases.push(base.clone());
        }
    }
}

impl<'a> Checker<'a> {
    /// An expression that reads one of a family by an index: one value for each; `None`: it does not.
    pub fn written_out(&mut self, e: &'a Expr) -> Res<Option<Value<'a>>> {
        if !self.nets.has_families {
            return Ok(None);
        }
        let picked = match &*e.kind {
            ExprKind::Call { callee, .. } => self.picks_by_index(callee),
            ExprKind::Field { base, .. } => self.picks_by_index(base),
            ExprKind::Index { .. } => self.picks_by_index(e).filter(|(_, leaves)| *leaves),
            _ => None,
        };
        let Some((over, _)) = picked else { return Ok(None) };
        self.one_by_one(&over, e.span, |c| c.expr(e)).map(Some)
    }

    /// The index by which an expression picks of a family, and whether that is of values, not of nets.
    fn picks_by_index(&mut self, e: &'a Expr) -> Option<(Over, bool)> {
        match &*e.kind {
            ExprKind::Paren(inner) | ExprKind::With { base: inner, .. } | ExprKind::Field { base: inner, .. } => {
                self.picks_by_index(inner)
            }
            ExprKind::Index { base, indices, .. } => {
                let Some(Index::At(first)) = indices.first() else { return None };
                let ExprKind::Name(word) = &*first.kind else { return None };
                let Some(Binding::Index(name)) = self.scopes.local(word) else { return None };
                let name = *name;
                let (count, leaves) = self.family(base)?;
                Some((Over { word: word.clone(), name, count, at: first.span }, leaves))
            }
            _ => None,
        }
    }

    /// How many nets or values a family has, if an expression is one.
    fn family(&mut self, e: &Expr) -> Option<(usize, bool)> {
        match self.at_path(e)? {
            Value::Family(nets) => Some((nets.len(), false)),
            Value::Leaves(all) => Some((all.len(), true)),
            _ => None,
        }
    }

    /// The net or the family that a dotted path names.
    fn at_path(&mut self, e: &Expr) -> Option<Value<'a>> {
        match &*e.kind {
            ExprKind::Name(word) => match self.meaning(word) {
                Meaning::Local(Binding::Value(v)) => Some(v),
                Meaning::Member(id, member) if self.is_made(id, member) => self.member_value(id, member, e.span).ok(),
                _ => None,
            },
            ExprKind::Field { base, name } => {
                let Value::Net(net) = self.at_path(base)? else { return None };
                let member = self.nets[net.inst].members.get(&name.name).copied()?;
                self.is_made(net.inst, member).then_some(())?;
                self.member(net, member, e.span).ok()
            }
            _ => None,
        }
    }

    /// Of the indices that are bound around an expression those that are written out for all of it: those that range over leaves, and those
    /// that pick of a family in it. One that a softmax keeps is written out where it picks.
    pub fn written_out_in(&mut self, bound: &BoundNames, e: &'a Expr) -> Res<Vec<(NameId, Span)>> {
        let mut out = bound.leaves.clone();
        if !self.nets.has_families {
            return Ok(out);
        }
        for (name, at) in &bound.fresh {
            if out.iter().any(|(n, _)| n == name) {
                continue;
            }
            let word: Name = self.axes.name_text(*name).into();
            let mut picks = Picks { word: &word, bases: vec![], bound_again: false };
            walk::expr(e, &mut picks);
            let Picks { bases, bound_again, .. } = picks;
            let Some((count, _)) = bases.iter().find_map(|b| self.family(b)).filter(|_| !bound_again) else { continue };
            let (own, count) = (self.axes.size_of(*name), Size::from(count));
            if !self.axes.same(&own, &count) {
                return self.range_error(*name, &count, *at, "nets");
            }
            out.push((*name, *at));
        }
        Ok(out)
    }

    /// The tree whose leaves an index ranges over: `p < leaves(target.*)`.
    pub fn over_leaves(&mut self, b: &'a Bound) -> bool {
        let Some(range) = &b.range else { return false };
        let ExprKind::Call { callee, .. } = &*range.kind else { return false };
        matches!(&*callee.kind, ExprKind::Name(word) if &**word == "leaves" && matches!(self.meaning(word), Meaning::Nothing))
    }

    /// A value under indices that range over leaves: one for each leaf.
    pub fn leaf_by_leaf(&mut self, over: &[(NameId, Span)], e: &'a Expr) -> Res<Value<'a>> {
        let Some(((name, at), rest)) = over.split_first() else { return self.expr(e) };
        let count = self.axes.size_of(*name).constant().and_then(|n| usize::try_from(n).ok());
        let Some(count) = count else { return self.unknown(*at, "the number of leaves") };
        let over = Over { word: self.axes.name_text(*name).into(), name: *name, count, at: *at };
        let rest = rest.to_vec();
        self.one_by_one(&over, e.span, |c| c.leaf_by_leaf(&rest, e))
    }

    /// The values for each number of an index, put together along it.
    fn one_by_one(&mut self, over: &Over, span: Span, mut work: impl FnMut(&mut Self) -> Res<Value<'a>>) -> Res<Value<'a>> {
        let (own, count) = (self.axes.size_of(over.name), Size::from(over.count));
        if !self.axes.same(&own, &count) {
            return self.range_error(over.name, &count, over.at, "nets");
        }
        self.axes.note_range(over.name, over.at);
        let mut all = vec![];
        for k in 0..over.count {
            self.nested(span, |_| Ok(()))?;
            all.push(self.in_scope(|c| {
                c.scopes.name(&over.word, Binding::Value(Value::from(Size::from(k))));
                work(c)
            })?);
        }
        if all.is_empty() {
            return self.error(Code::H0317, over.at, "there is none to pick: the family is empty");
        }
        self.stack_values(all, Some(over.name), span)
    }
}
