//! Spaces between the words of a line.

use super::Layout;
use crate::syntax::lex::Kind;
use crate::syntax::parse::Mark;

impl Layout<'_> {
    /// Finds the spaces in every line, before columns are aligned.
    pub(super) fn space(&mut self) {
        for i in 0..self.lines.len() {
            let (first, end) = (self.lines[i].first, self.lines[i].end);
            self.lines[i].gaps = (first..end).map(|at| usize::from(at > first && self.is_spaced(at))).collect();
        }
    }

    /// Whether a space stands before token `at`, which is not the first of its line.
    pub(super) fn is_spaced(&self, at: usize) -> bool {
        use Kind::{
            At, Caret, Colon, Comma, Dot, DotDot, DotStar, LBrace, LBracket, LParen, Minus, RBrace, RBracket, RParen, Semi,
        };
        let tokens = &self.lexed.tokens;
        let (before, this) = (tokens[at - 1].kind, tokens[at].kind);
        match (before, this) {
            (_, Comma | Semi | Dot | DotStar | DotDot | Colon | RParen | RBracket) => false,
            (Dot | DotDot | LParen | LBracket, _) => false,
            (LBrace, RBrace) => false,
            (LBrace, _) => self.marks[at - 1] != Mark::Tight,
            (_, RBrace) => self.marks[tokens[at].mate as usize] != Mark::Tight,
            (Minus, _) if self.marks[at - 1] == Mark::Prefix => false,
            (_, Minus) if self.marks[at] == Mark::Arrow => false,
            // `@pin`: the sign that begins a statement is no operator.
            (At, _) => self.marks[at - 1] != Mark::Start,
            // `seed - x` would be a statement, `seed-x` is a difference.
            (_, Minus) if self.is_word_and_minus(at) => false,
            (_, Caret) => !self.is_tight_power(at),
            (Caret, _) => !self.is_tight_power(at - 1),
            (_, LBrace) => self.marks[at] != Mark::Tight,
            (_, LParen | LBracket) => self.is_bracket_spaced(at),
            _ => true,
        }
    }

    /// Whether a space stands before an opening bracket: it may mean something, then it is the author's.
    fn is_bracket_spaced(&self, at: usize) -> bool {
        use Kind::{DotStar, Name, Number, RBrace, RBracket, RParen, Reduction, Str};
        let value =
            matches!(self.lexed.tokens[at - 1].kind, Name | Reduction | Number | Str | RParen | RBracket | RBrace | DotStar);
        let keyword = self.marks[at - 1] == Mark::Keyword && !self.is_scalar(at - 1);
        match self.marks[at] {
            Mark::Tight => false,
            Mark::Loose => true,
            _ => !value || keyword || !self.touches(at),
        }
    }

    /// Whether token `at` is a type word before its axes.
    fn is_scalar(&self, at: usize) -> bool {
        matches!(self.lexed.slice(&self.lexed.tokens[at]), "f32" | "i32" | "bool" | "size")
    }

    /// Whether a `^` has no space around it in the source; both ways are good style.
    fn is_tight_power(&self, at: usize) -> bool {
        self.touches(at) && self.touches(at + 1)
    }

    /// Whether `yield` or `seed`, here a name, begins a statement before this minus sign.
    fn is_word_and_minus(&self, at: usize) -> bool {
        let begins = self.marks[at - 1] == Mark::Start && self.marks[at] == Mark::Plain && self.touches(at);
        begins && matches!(self.lexed.slice(&self.lexed.tokens[at - 1]), "yield" | "seed")
    }

    /// Whether token `at` touches the one before in the source.
    fn touches(&self, at: usize) -> bool {
        let tokens = &self.lexed.tokens;
        at > 0 && at < tokens.len() && tokens[at - 1].end == tokens[at].start
    }
}
