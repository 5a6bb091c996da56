//! `weights` blocks: what goes between a file and a model, line by line.

use super::{Mark, Parse, Parser, Scope};
use crate::syntax::ast::{Dropped, ExprKind, Layout, SetItem, Stored, WeightLine, WeightLineKind, Weights};
use crate::syntax::lex::Kind;

impl Parser<'_, '_> {
    /// `weights from "f" { .. }`, `weights to "f" { .. }`, `weights from Small { .. }`
    pub(super) fn weights(&mut self) -> Parse<Weights> {
        self.advance();
        if self.eat_word("to") {
            let (file, span) = self.string("after `weights to`")?;
            self.expect_brace("after the file that the weights go to")?;
            return Ok(Weights::To { file, span, lines: self.braces(Scope::Map, Self::line_to) });
        }
        self.expect_word("from", "after `weights`")?;
        if self.sees(Kind::Str) {
            let (file, span) = self.string("")?;
            let lines = if self.sees(Kind::LBrace) { Some(self.braces(Scope::Map, Self::line_from)) } else { None };
            return Ok(Weights::From { file, span, lines });
        }
        let model = self.name("a model, or a file in quotes")?;
        self.expect_brace("after the model that the weights come from")?;
        Ok(Weights::Model { model, sets: self.braces(Scope::Map, Self::set_from) })
    }

    /// A line of `weights from "f"`.
    fn line_from(&mut self) -> Parse<WeightLine> {
        let start = self.at;
        let kind = if self.points_back() {
            let place = self.place("a parameter")?;
            self.left_arrow()?;
            let value = self.expr()?;
            WeightLineKind::Read { value, place, back: true, layout: self.layout(), optional: self.eat_word("optional") }
        } else if let Some(kind) = self.prefix_or_drop()? {
            kind
        } else {
            let value = self.expr()?;
            self.expect(Kind::Arrow, "after what is read from the file")?;
            let place = self.place("a parameter")?;
            WeightLineKind::Read { value, place, back: false, layout: self.layout(), optional: self.eat_word("optional") }
        };
        Ok(WeightLine { kind, span: self.since(start) })
    }

    /// A line of `weights to "f"`.
    fn line_to(&mut self) -> Parse<WeightLine> {
        let start = self.at;
        let kind = if self.sees(Kind::Str) {
            let name = self.stored()?;
            self.left_arrow()?;
            let value = self.expr()?;
            WeightLineKind::Write { value, name, back: true, layout: self.layout() }
        } else if let Some(kind) = self.prefix_or_drop()? {
            kind
        } else {
            let value = self.expr()?;
            self.expect(Kind::Arrow, "after what is written")?;
            let name = self.stored()?;
            WeightLineKind::Write { value, name, back: false, layout: self.layout() }
        };
        Ok(WeightLine { kind, span: self.since(start) })
    }

    /// `prefix "model."`, `drop "lm_head.weight", hyper.* optional`; elsewhere these words are names.
    fn prefix_or_drop(&mut self) -> Parse<Option<WeightLineKind>> {
        let follows = |kind| self.peek(1) == kind && !self.is_first(self.at + 1);
        if self.sees_word("prefix") && follows(Kind::Str) {
            self.advance_as(Mark::Keyword);
            let (text, span) = self.string("")?;
            return Ok(Some(WeightLineKind::Prefix(text, span)));
        }
        if self.sees_word("drop") && (follows(Kind::Str) || follows(Kind::Name)) {
            self.advance_as(Mark::Keyword);
            let list = self.series(Self::dropped)?;
            return Ok(Some(WeightLineKind::Drop { list, optional: self.eat_word("optional") }));
        }
        Ok(None)
    }

    fn dropped(&mut self) -> Parse<Dropped> {
        if self.sees(Kind::Str) {
            let (text, span) = self.string("")?;
            return Ok(Dropped::Stored(text, span));
        }
        Ok(Dropped::Params(self.path("a tensor of the file in quotes, or a parameter")?))
    }

    /// `"layers.{l}.w"[o, i]`
    fn stored(&mut self) -> Parse<Stored> {
        let (pattern, span) = self.string("with the name of the tensor that is written")?;
        let slots = if self.sees_tight(Kind::LBracket) { Some(self.slots()?) } else { None };
        Ok(Stored { pattern, span, slots })
    }

    /// `transposed`, `not transposed`
    fn layout(&mut self) -> Layout {
        if self.sees(Kind::Not) && self.word(self.at + 1) == "transposed" {
            self.advance();
            self.advance_as(Mark::Keyword);
            return Layout::Straight;
        }
        if self.eat_word("transposed") { Layout::Transposed } else { Layout::Unsaid }
    }

    /// Whether a place and `<-` come next.
    fn points_back(&self) -> bool {
        if self.kind() != Kind::Name {
            return false;
        }
        let mut at = self.at + 1;
        loop {
            match self.tokens.get(at).map(|t| t.kind) {
                Some(Kind::LBracket) if self.touches_at(at) => at = self.tokens[at].mate as usize + 1,
                Some(Kind::Dot | Kind::DotStar | Kind::Name) if self.touches_at(at) => at += 1,
                Some(Kind::Less) => {
                    return self.tokens.get(at + 1).is_some_and(|t| t.kind == Kind::Minus) && self.touches_at(at + 1);
                }
                _ => return false,
            }
        }
    }

    /// `<-`
    fn left_arrow(&mut self) -> Parse<()> {
        let arrow = self.sees(Kind::Less) && self.peek(1) == Kind::Minus && self.touches_at(self.at + 1);
        if !arrow {
            return self.no_left_arrow();
        }
        self.advance_as(Mark::Arrow);
        self.advance_as(Mark::Arrow);
        Ok(())
    }

    /// `alpha[l, 0] <- 2 * alpha[l]`
    fn set_from(&mut self) -> Parse<SetItem> {
        let place = self.place("a parameter")?;
        self.left_arrow()?;
        Ok(SetItem { place, value: self.expr()? })
    }

    /// A tensor of a file, where texts name such: in a `weights` block.
    pub(super) fn stored_tensor(&mut self) -> Parse<ExprKind> {
        if self.scope != Scope::Map {
            return self.no_operand();
        }
        let (pattern, _) = self.string("")?;
        Ok(ExprKind::Stored(pattern))
    }
}
