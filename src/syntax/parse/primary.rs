//! Primaries: numbers, names, brackets, `if`, `for`, `route`, and blocks.

use super::expr::{OR, SUM, node};
use super::{Mark, Parse, Parser, Scope};
use crate::source::Span;
use crate::syntax::ast::{Block, Else, Expr, ExprKind, ForExpr, Reduction, RouteExpr, RouteOption};
use crate::syntax::lex::Kind;

impl Parser<'_, '_> {
    /// A primary.
    pub(super) fn primary(&mut self) -> Parse<Expr> {
        if self.breaks() {
            return self.no_operand();
        }
        self.height = self.height.max(1);
        let start = self.at;
        let kind = match self.kind() {
            Kind::Number => self.number(),
            Kind::Name => ExprKind::Name(self.take_ident().name),
            Kind::Reduction => {
                let word = self.take_word();
                ExprKind::ReductionName(Reduction::from_word(word).unwrap_or(Reduction::Sum))
            }
            Kind::LParen => self.parens()?,
            Kind::LBracket => self.list_literal()?,
            Kind::If => self.if_else()?,
            Kind::For => self.loop_over()?,
            Kind::Route => self.route()?,
            Kind::Str => self.stored_tensor()?,
            _ => return self.no_operand(),
        };
        Ok(node(kind, self.since(start)))
    }

    /// A number.
    fn number(&mut self) -> ExprKind {
        let text = self.take_word();
        let whole = !text.contains(['.', 'e', 'E']);
        // The grammar lets only decimal numbers through.
        ExprKind::Number { value: text.parse().unwrap_or(f64::NAN), whole, text: text.to_string() }
    }

    /// `(x)`, `(a: x, b: y)`
    fn parens(&mut self) -> Parse<ExprKind> {
        let opener = self.at;
        if self.peek(1) == Kind::RParen {
            return self.empty_parens();
        }
        let kind = if self.peek(2) == Kind::Colon {
            ExprKind::Record(self.list(Self::entry)?)
        } else {
            let value = self.inside(false, |p| {
                let value = p.expr()?;
                if p.kind() == Kind::Comma { p.not_a_tuple(opener) } else { Ok(value) }
            })?;
            ExprKind::Paren(value)
        };
        self.grow()?;
        Ok(kind)
    }

    /// `[a, b]`
    fn list_literal(&mut self) -> Parse<ExprKind> {
        let opener = self.at;
        let items = self.list(Self::expr)?;
        if items.is_empty() {
            return self.empty(opener, "a list has at least one value");
        }
        self.grow()?;
        Ok(ExprKind::List(items))
    }

    /// `if c { .. } else { .. }`
    fn if_else(&mut self) -> Parse<ExprKind> {
        self.enter()?;
        self.advance();
        let cond = self.condition()?;
        let then = self.block("after the condition of `if`")?;
        let mut otherwise = None;
        if self.eat(Kind::Else) {
            let start = self.at;
            otherwise = Some(if self.sees(Kind::If) {
                let kind = self.if_else()?;
                Else::If(Box::new(node(kind, self.since(start))))
            } else {
                Else::Block(self.block("after `else`")?)
            });
        }
        self.nesting -= 1;
        self.grow()?;
        Ok(ExprKind::If { cond, then, otherwise })
    }

    /// A condition: an expression, and no `=` after it.
    pub(super) fn condition(&mut self) -> Parse<Expr> {
        let cond = self.expr()?;
        if self.sees(Kind::Assign) {
            self.single_equals();
            self.advance();
            self.infix_from(OR)?;
        }
        Ok(cond)
    }

    /// `for i in 0..n { .. }`
    fn loop_over(&mut self) -> Parse<ExprKind> {
        self.advance();
        let var = self.name("a loop variable")?;
        self.expect(Kind::In, "after the loop variable")?;
        let rev = self.eat(Kind::Rev);
        let (from, to) = self.range()?;
        let (mut until, mut at_most) = (None, None);
        loop {
            let word = self.here();
            if self.eat_word("until") {
                let known = until.replace(self.condition()?).is_some();
                self.once(known, word, "until");
            } else if self.sees_word("at") {
                self.advance_as(Mark::Keyword);
                self.expect_word("most", "after `at`")?;
                let known = at_most.replace(self.expr()?).is_some();
                self.once(known, word, "at most");
            } else {
                break;
            }
        }
        let body = self.block("after the range of `for`")?;
        self.grow()?;
        Ok(ExprKind::For(Box::new(ForExpr { var, rev, from, to, until, at_most, body })))
    }

    /// `a..b`
    pub(super) fn range(&mut self) -> Parse<(Expr, Expr)> {
        let from = self.infix_from(SUM)?;
        if !self.eat(Kind::DotDot) {
            return self.no_range(from.span);
        }
        Ok((from, self.infix_from(SUM)?))
    }

    /// `route x over expert at index by weight { .. }`
    fn route(&mut self) -> Parse<ExprKind> {
        self.enter()?;
        self.advance();
        let value = self.expr()?;
        self.expect_word("over", "after the value of `route`")?;
        let over = self.postfix()?;
        self.expect_word("at", "after the nets of `route`")?;
        let at = self.expr()?;
        self.expect_word("by", "after the index of `route`")?;
        let by = self.expr()?;
        let options = if self.sees(Kind::LBrace) { self.list(Self::option)? } else { Vec::new() };
        self.nesting -= 1;
        self.grow()?;
        Ok(ExprKind::Route(Box::new(RouteExpr { value, over, at, by, options })))
    }

    /// `capacity: 1.25 per [*]`
    fn option(&mut self) -> Parse<RouteOption> {
        if self.peek(1) != Kind::Colon {
            return self.no_option();
        }
        let name = self.name("an option of `route`")?;
        self.advance();
        let value = self.expr()?;
        let per = if self.eat_word("per") { Some(self.axes()?) } else { None };
        Ok(RouteOption { name, value, per })
    }

    /// `{ .. }`
    pub(super) fn block(&mut self, place: &str) -> Parse<Block> {
        self.expect_brace(place)?;
        let start = self.at;
        let stmts = self.braces(Scope::Block, Self::statement);
        Ok(Block { stmts, span: self.since(start) })
    }

    /// Complains about a second `word`.
    fn once(&mut self, known: bool, span: Span, word: &str) {
        if known {
            self.twice(span, word);
        }
    }
}
