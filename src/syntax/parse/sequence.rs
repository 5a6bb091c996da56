//! Brackets, lists and statements in a row; where a statement ends, and how to go on after one that cannot be read.

use super::{DECLARING, EVAL_CLAUSES, Fail, Mark, Parse, Parser, Scope, TRAIN_CLAUSES, item};
use crate::diag::{Code, Diagnostic};
use crate::syntax::lex::Kind;
use crate::syntax::report::{MOST_HEIGHT, MOST_NESTING};
use std::mem::replace;

/// Bounds, lists and recovery.
impl Parser<'_, '_> {
    /// One operand deeper.
    pub(super) fn enter(&mut self) -> Parse<()> {
        self.nesting += 1;
        if self.nesting > 2 * MOST_NESTING {
            let limit = Diagnostic::limit(Code::H0190, self.here(), "this expression is nested too deeply")
                .help("give its inner parts names with `let`");
            return self.fail(limit);
        }
        Ok(())
    }

    /// One node more above what was read.
    pub(super) fn grow(&mut self) -> Parse<()> {
        self.height += 1;
        if self.height > MOST_HEIGHT {
            let limit = Diagnostic::limit(Code::H0190, self.gap(), "this expression is too long")
                .here(format!("more than {MOST_HEIGHT} operations hang on one another up to here"))
                .help("give its parts names with `let`");
            return self.fail(limit);
        }
        Ok(())
    }

    /// Reads the inside of the bracket that comes next, and its closer. `lines` says whether newlines count inside.
    pub(super) fn inside<T>(&mut self, lines: bool, read: impl FnOnce(&mut Self) -> Parse<T>) -> Parse<T> {
        let outer = replace(&mut self.lines, lines);
        let opener = self.advance();
        let value = read(self)?;
        let close = self.tokens[opener].mate as usize;
        if self.at != close {
            return self.not_closed(opener);
        }
        self.advance();
        self.lines = outer;
        Ok(value)
    }

    /// `x, y, ..` in the bracket that comes next; a last comma is allowed.
    pub(super) fn list<T>(&mut self, read: impl FnMut(&mut Self) -> Parse<T>) -> Parse<Vec<T>> {
        self.inside(false, |p| p.commas(read))
    }

    /// `x, y, ..` up to a closing bracket.
    pub(super) fn commas<T>(&mut self, mut read: impl FnMut(&mut Self) -> Parse<T>) -> Parse<Vec<T>> {
        let mut items = Vec::new();
        while !self.kind().is_closer() {
            items.push(read(self)?);
            if !self.eat(Kind::Comma) {
                break;
            }
        }
        Ok(items)
    }

    /// `x, y, ..` without brackets.
    pub(super) fn series<T>(&mut self, mut read: impl FnMut(&mut Self) -> Parse<T>) -> Parse<Vec<T>> {
        let mut items = vec![read(self)?];
        while self.eat(Kind::Comma) {
            items.push(read(self)?);
        }
        Ok(items)
    }

    /// Reads `{ .. }`, one statement after the other; those that cannot be read are left out.
    pub(super) fn braces<T>(&mut self, scope: Scope, mut read: impl FnMut(&mut Self) -> Parse<T>) -> Vec<T> {
        let (outer, outer_lines) = (replace(&mut self.scope, scope), replace(&mut self.lines, true));
        let opener = self.advance();
        let close = self.tokens[opener].mate as usize;
        let mut found = Vec::new();
        self.run(close, &mut found, &mut read);
        self.at = close;
        self.advance();
        (self.scope, self.lines) = (outer, outer_lines);
        found
    }

    /// Reads statements up to token `close`.
    pub(super) fn run<T>(&mut self, close: usize, found: &mut Vec<T>, read: &mut impl FnMut(&mut Self) -> Parse<T>) {
        let (scope, nesting, height) = (self.scope, self.nesting, self.height);
        loop {
            while self.kind() == Kind::Semi {
                self.advance();
            }
            if self.at >= close || self.report.is_full() {
                return;
            }
            let start = self.at;
            self.marks[start] = Mark::Start;
            let read_all = match read(self) {
                Ok(one) => {
                    found.push(one);
                    self.end().is_ok()
                }
                Err(Fail) => {
                    self.height = height;
                    false
                }
            };
            (self.scope, self.nesting, self.lines) = (scope, nesting, true);
            if !read_all {
                self.recover(start, close);
            }
        }
    }

    /// Goes on at the next statement of the block that ends at token `close`.
    pub(super) fn recover(&mut self, start: usize, close: usize) {
        let depth = self.tokens[start].depth;
        self.at = self.at.max(start + 1).min(close);
        while self.at < close {
            let token = &self.tokens[self.at];
            if token.depth == depth {
                let ended = token.kind == Kind::Semi || self.is_first(self.at) && !self.joins();
                let joined = self.tokens[self.at - 1].kind.joins_next_line();
                if ended && (!joined || self.begins_statement()) {
                    if self.scope != Scope::File || self.begins_item() && self.is_at_margin() {
                        return;
                    }
                } else if token.kind.is_opener() {
                    self.at = token.mate as usize;
                }
            }
            self.at += 1;
        }
    }

    /// The end of a statement.
    pub(super) fn end(&mut self) -> Parse<()> {
        match self.kind() {
            Kind::Semi | Kind::RBrace | Kind::End => Ok(()),
            _ if self.breaks() || self.begins_statement() => Ok(()),
            _ => self.not_ended(),
        }
    }

    /// Whether the next token begins a statement or clause.
    pub(super) fn begins_statement(&self) -> bool {
        let word = self.word(self.at);
        match (self.scope, self.kind()) {
            (Scope::Train, kind) => kind == Kind::Name && TRAIN_CLAUSES.contains(&word),
            (Scope::Eval, kind) => kind == Kind::Name && EVAL_CLAUSES.contains(&word),
            (_, Kind::Let | Kind::Var | Kind::For | Kind::Param | Kind::Sub) => true,
            (_, Kind::Name) => self.declares(word) || self.yields(word),
            (scope, Kind::At) => scope != Scope::File && self.begins_attribute(),
            _ => false,
        }
    }

    /// Whether the next word, a name perhaps, begins a declaration.
    pub(super) fn declares(&self, word: &str) -> bool {
        DECLARING.contains(&word) && !self.is_first(self.at + 1) && matches!(self.peek(1), Kind::Name | Kind::Reduction)
    }

    /// Whether the next word is the `yield` or `seed` of a statement.
    pub(super) fn yields(&self, word: &str) -> bool {
        if !matches!(word, "yield" | "seed") || self.is_first(self.at + 1) || self.touches_at(self.at + 1) {
            return false;
        }
        use Kind::{If, LBracket, LParen, Minus, Name, Not, Number, Reduction, Route};
        matches!(self.peek(1), Name | Number | LParen | LBracket | Minus | Reduction | If | Not | Route)
    }

    /// Whether the next token stands at the left margin, or is a word that only items begin with.
    pub(super) fn is_at_margin(&self) -> bool {
        let start = self.tokens[self.at].start as usize;
        let margin = start == 0 || matches!(self.lexed.text.as_bytes()[start - 1], b'\n' | b'\r');
        margin || !matches!(self.word(self.at), "const" | "form")
    }

    /// Whether the next token begins an item of a file.
    pub(super) fn begins_item(&self) -> bool {
        let named = matches!(self.peek(1), Kind::Name | Kind::Str);
        named && self.kind() == Kind::Name && item::WORDS.contains(&self.word(self.at))
    }
}
