//! Operators: everything between an expression and its primaries.
//!
//! One loop climbs the infix levels; prefixes, powers and postfixes are rules of their own.

use super::{Mark, Parse, Parser};
use crate::source::Span;
use crate::syntax::ast::{Arg, BinaryOp, Expr, ExprKind, Ident, Reduction, Setting, UnaryOp};
use crate::syntax::lex::Kind;
use std::mem::take;

/// Levels of the infix operators, from the loosest.
pub(super) const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const COMPARE: u8 = 4;
/// Where sizes and bounds begin: `+` and `-`.
pub(super) const SUM: u8 = 5;
const PRODUCT: u8 = 6;

/// The infix operator of a token and its level; `^` is not among them.
fn infix(kind: Kind) -> Option<(BinaryOp, u8)> {
    Some(match kind {
        Kind::Or => (BinaryOp::Or, OR),
        Kind::And => (BinaryOp::And, AND),
        Kind::EqEq => (BinaryOp::Eq, COMPARE),
        Kind::NotEq => (BinaryOp::Ne, COMPARE),
        Kind::Less => (BinaryOp::Lt, COMPARE),
        Kind::Greater => (BinaryOp::Gt, COMPARE),
        Kind::LessEq => (BinaryOp::Le, COMPARE),
        Kind::GreaterEq => (BinaryOp::Ge, COMPARE),
        Kind::Plus => (BinaryOp::Add, SUM),
        Kind::Minus => (BinaryOp::Sub, SUM),
        Kind::Star => (BinaryOp::Mul, PRODUCT),
        Kind::Slash => (BinaryOp::Div, PRODUCT),
        Kind::At => (BinaryOp::Matmul, PRODUCT),
        Kind::Div => (BinaryOp::IntDiv, PRODUCT),
        Kind::Mod => (BinaryOp::Mod, PRODUCT),
        _ => return None,
    })
}

/// A node of the tree.
pub(super) fn node(kind: ExprKind, span: Span) -> Expr {
    Expr { kind: Box::new(kind), span }
}

impl Parser<'_, '_> {
    /// `expr`: pipes, the loosest of all.
    pub(super) fn expr(&mut self) -> Parse<Expr> {
        let outer = take(&mut self.height);
        let mut value = self.infix_from(OR)?;
        while self.eat(Kind::Pipe) {
            let stage = self.postfix()?;
            self.grow()?;
            let span = value.span.to(stage.span);
            value = node(ExprKind::Pipe { value, stage }, span);
            if self.kind().is_binary() && !self.breaks() {
                self.pipe_meets_operator(value.span);
                self.advance();
                self.expr()?;
            }
        }
        self.height = self.height.max(outer);
        Ok(value)
    }

    /// `sum`: the level of sizes, bounds and the ends of ranges.
    pub(super) fn sum(&mut self) -> Parse<Expr> {
        self.infix_from(SUM)
    }

    /// Operators of level `floor` and tighter.
    pub(super) fn infix_from(&mut self, floor: u8) -> Parse<Expr> {
        let outer = take(&mut self.height);
        let mut left = if self.kind() == Kind::Not && floor <= NOT { self.not()? } else { self.unary()? };
        let mut compared: Option<Span> = None;
        while let Some((mut op, level)) = infix(self.kind()) {
            if level < floor || self.breaks() {
                break;
            }
            let op_span = self.here();
            if level == COMPARE
                && let Some(middle) = compared
            {
                // Go on as if `and` stood there.
                self.comparison_chain(middle, op_span);
                op = BinaryOp::And;
            }
            self.advance();
            let right = self.infix_from(level + 1)?;
            if level == COMPARE {
                compared = Some(right.span);
            } else if level < COMPARE {
                compared = None;
            }
            self.grow()?;
            let span = left.span.to(right.span);
            left = node(ExprKind::Binary { op, op_span, left, right }, span);
        }
        self.height = self.height.max(outer);
        Ok(left)
    }

    /// `not c`
    fn not(&mut self) -> Parse<Expr> {
        let start = self.advance();
        self.enter()?;
        let arg = self.infix_from(NOT)?;
        self.nesting -= 1;
        self.grow()?;
        Ok(node(ExprKind::Unary { op: UnaryOp::Not, arg }, self.since(start)))
    }

    /// `-x`, `sum[i] x`, `x^y`
    pub(super) fn unary(&mut self) -> Parse<Expr> {
        self.enter()?;
        let start = self.at;
        let kind = if self.sees(Kind::Minus) {
            self.advance_as(Mark::Prefix);
            let arg = self.unary()?;
            self.grow()?;
            ExprKind::Unary { op: UnaryOp::Neg, arg }
        } else if self.kind() == Kind::Reduction && self.peek(1) == Kind::LBracket && self.touches_at(self.at + 1) {
            self.reduce()?
        } else {
            let base = self.postfix()?;
            if !self.sees(Kind::Caret) {
                self.nesting -= 1;
                return Ok(base);
            }
            let op_span = self.here();
            self.advance();
            let outer = take(&mut self.height);
            let right = self.unary()?;
            self.height = self.height.max(outer);
            self.grow()?;
            ExprKind::Binary { op: BinaryOp::Pow, op_span, left: base, right }
        };
        self.nesting -= 1;
        Ok(node(kind, self.since(start)))
    }

    /// `sum[k < n where c] product`
    fn reduce(&mut self) -> Parse<ExprKind> {
        let op_span = self.here();
        let word = self.take_word();
        let op = Reduction::from_word(word).unwrap_or(Reduction::Sum);
        let binders = self.binders()?;
        if self.kind().is_opener() {
            self.marks[self.at] = Mark::Loose;
        }
        let body = self.infix_from(PRODUCT)?;
        self.grow()?;
        Ok(ExprKind::Reduce { op, op_span, binders, body })
    }

    /// A primary and what touches it.
    pub(super) fn postfix(&mut self) -> Parse<Expr> {
        let outer = take(&mut self.height);
        let start = self.at;
        let mut base = self.primary()?;
        loop {
            let kind = match self.kind() {
                Kind::LParen if self.touches() => ExprKind::Call { callee: base, args: self.list(Self::actual)? },
                Kind::LBracket if self.touches() => self.indexed(base)?,
                Kind::LBrace if self.touches() && !self.is_block() => ExprKind::With { base, settings: self.settings()? },
                Kind::Dot | Kind::DotStar if !self.breaks() => self.member(base)?,
                _ => break,
            };
            self.grow()?;
            base = node(kind, self.since(start));
        }
        self.height = self.height.max(outer);
        Ok(base)
    }

    /// `v[..]`, `v[..] else u`
    fn indexed(&mut self, base: Expr) -> Parse<ExprKind> {
        let list = self.at;
        let indices = self.indices()?;
        let list_span = self.since(list);
        let otherwise = if self.eat(Kind::Else) { Some(self.unary()?) } else { None };
        Ok(ExprKind::Index { base, indices, list_span, otherwise })
    }

    /// `.name`, `.*`
    fn member(&mut self, base: Expr) -> Parse<ExprKind> {
        if matches!(*base.kind, ExprKind::Number { .. }) {
            return self.half_number(base.span);
        }
        if self.eat(Kind::DotStar) {
            return Ok(ExprKind::Tree { base });
        }
        self.advance();
        if self.kind() == Kind::Reduction {
            return self.reduction_as_part(&base);
        }
        if self.kind().is_reserved() && self.peek(1) == Kind::LParen && self.touches_at(self.at + 1) {
            return self.statement_as_part();
        }
        let name = self.name("a field or part")?;
        Ok(ExprKind::Field { base, name })
    }

    /// An argument of a call.
    pub(super) fn actual(&mut self) -> Parse<Arg> {
        if self.peek(1) != Kind::Colon {
            return Ok(Arg { name: None, value: self.expr()? });
        }
        let name = if self.kind() == Kind::Reduction { self.take_ident() } else { self.name("an argument")? };
        self.advance();
        Ok(Arg { name: Some(name), value: self.expr()? })
    }

    /// `{* = theta, fc1.w = w}`
    fn settings(&mut self) -> Parse<Vec<Setting>> {
        self.marks[self.at] = Mark::Tight;
        self.list(|p| {
            let start = p.at;
            let path = if p.kind() == Kind::Star {
                p.advance_as(Mark::Star);
                None
            } else {
                Some(p.path("a parameter")?)
            };
            p.expect(Kind::Assign, "between a parameter and its value")?;
            let value = p.expr()?;
            Ok(Setting { path, value, span: p.since(start) })
        })
    }

    /// Whether the touching brace that comes next is rather a block; reports the missing space then.
    fn is_block(&mut self) -> bool {
        let setting = match self.peek(1) {
            Kind::Star => self.peek(2) == Kind::Assign,
            Kind::Name => matches!(self.peek(2), Kind::Assign | Kind::Dot | Kind::DotStar | Kind::LBracket),
            _ => false,
        };
        if !setting {
            self.brace_touches();
        }
        !setting
    }

    /// `name: value` of a record.
    pub(super) fn entry(&mut self) -> Parse<(Ident, Expr)> {
        let name = self.name("an entry of the record")?;
        self.expect(Kind::Colon, "between a name of the record and its value")?;
        Ok((name, self.expr()?))
    }
}
