//! What stands in square brackets: indices, binders, and the left sides that bind them.

use super::{Fail, Mark, Parse, Parser};
use crate::source::Span;
use crate::syntax::ast::{BinaryOp, Binder, Binders, Bound, Expr, ExprKind, Ident, Index, Slot};
use crate::syntax::lex::Kind;

impl Parser<'_, '_> {
    /// `[i, axis: j, *, a..b, (c, d)]`
    pub(super) fn indices(&mut self) -> Parse<Vec<Index>> {
        let opener = self.at;
        let indices = self.list(Self::index)?;
        if indices.is_empty() {
            return self.empty(opener, "an index list has at least one index");
        }
        Ok(indices)
    }

    /// One index.
    fn index(&mut self) -> Parse<Index> {
        match (self.kind(), self.peek(1)) {
            (_, Kind::Colon) => {
                let axis = self.name("an axis")?;
                self.advance();
                return Ok(Index::Along { axis, value: Box::new(self.place_along()?) });
            }
            (Kind::Name, Kind::Assign) => {
                let axis = self.take_ident();
                self.advance();
                return Ok(Index::Rename { axis, to: self.name("an axis")? });
            }
            (Kind::Star, _) => return Ok(Index::Lifted(self.star())),
            _ => {}
        }
        self.place_along()
    }

    /// `i`, `a..b`, `(i, j)`: a place along an axis.
    fn place_along(&mut self) -> Parse<Index> {
        if self.kind() == Kind::LParen && self.tokens[self.at].comma && self.peek(2) != Kind::Colon {
            let start = self.at;
            let parts = self.list(Self::expr)?;
            if parts.len() < 2 {
                return self.empty(start, "a merged index has at least two parts");
            }
            return Ok(Index::Merged(parts, self.since(start)));
        }
        let value = self.expr()?;
        if self.kind() != Kind::DotDot {
            return Ok(Index::At(value));
        }
        self.range_end_is_sum(&value);
        self.advance();
        Ok(Index::Range { from: value, to: self.sum()? })
    }

    /// A star that is no operator.
    pub(super) fn star(&mut self) -> Span {
        let span = self.here();
        self.advance_as(Mark::Star);
        span
    }

    /// `[i, j < n, (a < 2, e), * where c]`
    pub(super) fn binders(&mut self) -> Parse<Binders> {
        let start = self.at;
        let (items, filter) = self.inside(false, |p| {
            let mut items = Vec::new();
            while !p.kind().is_closer() && p.kind() != Kind::Where {
                items.push(p.binder()?);
                if !p.eat(Kind::Comma) {
                    break;
                }
            }
            let filter = if p.eat(Kind::Where) { Some(p.condition()?) } else { None };
            Ok((items, filter))
        })?;
        if items.is_empty() {
            return self.empty(start, "at least one index or `*` is bound here");
        }
        Ok(Binders { items, filter, span: self.since(start) })
    }

    /// `i`, `j < n`, `(a, b < 2)`, `t: (a, b)`, `*`
    fn binder(&mut self) -> Parse<Binder> {
        match (self.kind(), self.peek(1)) {
            (Kind::Star, _) => Ok(Binder::Lifted(self.star())),
            (Kind::LParen, _) => {
                let (parts, span) = self.merged_bounds()?;
                Ok(Binder::Merged(parts, span))
            }
            (Kind::Name, Kind::Colon) => {
                let start = self.at;
                let axis = self.name("an axis")?;
                self.advance();
                let parts = if self.kind() == Kind::LParen { self.merged_bounds()?.0 } else { vec![self.bound()?] };
                Ok(Binder::Along { axis, parts, span: self.since(start) })
            }
            _ => Ok(Binder::Bound(self.bound()?)),
        }
    }

    /// `(a, b < 2)`
    fn merged_bounds(&mut self) -> Parse<(Vec<Bound>, Span)> {
        let start = self.at;
        let parts = self.list(Self::bound)?;
        if parts.len() < 2 {
            return self.empty(start, "a merged index has at least two parts");
        }
        Ok((parts, self.since(start)))
    }

    /// `i`, `j < n`
    fn bound(&mut self) -> Parse<Bound> {
        let name = self.name("an index")?;
        let range = if self.eat(Kind::Less) { Some(self.sum()?) } else { None };
        Ok(Bound { name, range })
    }

    /// `[i, j < n, (a, b), 3, axis: k]` of a left side.
    pub(super) fn slots(&mut self) -> Parse<(Vec<Slot>, Span)> {
        let start = self.at;
        let indices = self.indices()?;
        Ok((to_slots(indices), self.since(start)))
    }

    /// `[sum]`, `[l < n]`, `[p in path]` after the name of a declaration, without the brackets.
    pub(super) fn leaf_of(&mut self) -> Parse<Option<(Ident, crate::syntax::ast::Path)>> {
        if self.peek(1) != Kind::In {
            return Ok(None);
        }
        let index = self.name("an index")?;
        self.advance();
        Ok(Some((index, self.path("a tree")?)))
    }

    /// Gives up on a list that is empty.
    pub(super) fn empty<T>(&mut self, opener: usize, why: &str) -> Parse<T> {
        self.empty_list(self.since(opener), why);
        Err(Fail)
    }
}

/// Whether an expression can be read as a bound: `i`, `i < n`.
fn is_bound(value: &Expr) -> bool {
    match &*value.kind {
        ExprKind::Name(_) => true,
        ExprKind::Binary { op: BinaryOp::Lt, left, .. } => matches!(*left.kind, ExprKind::Name(_)),
        _ => false,
    }
}

/// An index list, read as a left side.
pub(super) fn to_slots(indices: Vec<Index>) -> Vec<Slot> {
    indices.into_iter().map(to_slot).collect()
}

/// An index, read as one of a left side.
fn to_slot(index: Index) -> Slot {
    match index {
        Index::At(value) => match to_bound(value) {
            Ok(bound) => Slot::Bound(bound),
            Err(value) => Slot::Index(Index::At(value)),
        },
        Index::Merged(parts, span) => {
            if !parts.iter().all(is_bound) {
                return Slot::Index(Index::Merged(parts, span));
            }
            Slot::Merged(parts.into_iter().filter_map(|p| to_bound(p).ok()).collect(), span)
        }
        other => Slot::Index(other),
    }
}

/// `i` and `i < n` as bounds.
fn to_bound(value: Expr) -> Result<Bound, Expr> {
    if !is_bound(&value) {
        return Err(value);
    }
    match *value.kind {
        ExprKind::Name(name) => Ok(Bound { name: Ident { name, span: value.span }, range: None }),
        ExprKind::Binary { op: BinaryOp::Lt, op_span, left, right } => match *left.kind {
            ExprKind::Name(name) => Ok(Bound { name: Ident { name, span: left.span }, range: Some(right) }),
            other => {
                let left = Expr { kind: Box::new(other), span: left.span };
                let kind = ExprKind::Binary { op: BinaryOp::Lt, op_span, left, right };
                Err(Expr { kind: Box::new(kind), span: value.span })
            }
        },
        other => Err(Expr { kind: Box::new(other), span: value.span }),
    }
}
