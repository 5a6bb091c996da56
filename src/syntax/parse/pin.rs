//! What may stand in front of a statement: `@pin(sum = "made")`, which way of computing it is taken.
//!
//! An `@` that begins a statement, with a name that touches it and a parenthesis that touches the name. No line goes on with an `@` in
//! front, so nothing else is written like that.

use super::{Mark, Parse, Parser};
use crate::diag::{Code, Diagnostic, suggest};
use crate::syntax::ast::{Ident, Pin, Quoted};
use crate::syntax::lex::Kind;

impl Parser<'_, '_> {
    /// Whether `@name(` comes next.
    pub(super) fn begins_attribute(&self) -> bool {
        let touching = self.touches_at(self.at + 1) && self.touches_at(self.at + 2);
        self.kind() == Kind::At && touching && self.peek(1) == Kind::Name && self.peek(2) == Kind::LParen
    }

    /// All pins in front of a statement.
    pub(super) fn pins(&mut self) -> Parse<Vec<Pin>> {
        let mut pins = vec![];
        while self.begins_attribute() {
            self.advance_as(Mark::Start);
            if self.word(self.at) != "pin" {
                let (word, here) = (self.word(self.at), self.here());
                let error = Diagnostic::error(Code::H0152, here, format!("there is no `@{word}`"));
                return self.fail(match suggest(word, ["pin"]) {
                    Some(near) => error.meant(word, here, near),
                    None => error.help("what may stand in front of a statement is `@pin(..)`"),
                });
            }
            self.advance_as(Mark::Keyword);
            self.marks[self.at] = Mark::Tight;
            let opener = self.at;
            let found = self.list(Self::pin)?;
            if found.is_empty() {
                return self.empty(opener, "a pin says what is pinned, as in `@pin(sum = \"made\")`");
            }
            pins.extend(found);
            if matches!(self.kind(), Kind::RBrace | Kind::Semi | Kind::End) {
                return self.expected("a statement", "after what is pinned about it");
            }
            self.marks[self.at] = Mark::Start;
        }
        Ok(pins)
    }

    /// `sum of "base_add" = "made"`
    fn pin(&mut self) -> Parse<Pin> {
        let start = self.at;
        // `sum` is a reduction elsewhere.
        if !matches!(self.kind(), Kind::Name | Kind::Reduction) {
            return self.expected("what is decided", "in a pin, as in `sum = \"made\"`");
        }
        let what: Ident = self.take_ident();
        self.marks[start] = Mark::Keyword;
        let of = if self.eat_word("of") { Some(self.quoted("after `of`: what the value is called")?) } else { None };
        self.expect(Kind::Assign, "after what is pinned")?;
        let way = self.quoted("after the `=`: the way, as `hnet explain` writes it")?;
        Ok(Pin { what, of, way, span: self.since(start) })
    }

    fn quoted(&mut self, place: &str) -> Parse<Quoted> {
        let (text, span) = self.string(place)?;
        Ok(Quoted { text, span })
    }
}
