//! What is said about a text that cannot be read.
//!
//! The rules of the grammar call these where something else was expected. Each looks at the tokens around the place for the
//! mistake that was most likely made. Silent where the tokens themselves were complained about already.

mod block;
mod bounds;
mod choice;
mod ending;
mod habit;
mod number;
mod python;
mod reduced;
mod shape;
mod slice;

use super::{Fail, Mark, Parse, Parser};
use crate::diag::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::Ident;
use crate::syntax::lex::Kind;

/// Expectations, and what is said when they fail.
impl Parser<'_, '_> {
    /// Reports, unless the next token is a mistake already reported, and gives up the statement.
    pub(super) fn fail<T>(&mut self, error: Diagnostic) -> Parse<T> {
        let error = self.advised(error);
        if self.is_silent() {
            self.hold(error);
        } else {
            self.say(error);
        }
        Err(Fail)
    }

    /// Reports, unless a bracket of the same line was complained about. Says whether it did.
    pub(super) fn say(&mut self, error: Diagnostic) -> bool {
        if self.is_of_a_reserved_name(&error) {
            self.hold(error);
            return false;
        }
        self.say_first(error)
    }

    /// The token that an error is about.
    fn token_of(&self, error: &Diagnostic) -> usize {
        let start = error.primary.as_ref().map_or(0, |p| p.span.start);
        self.tokens.partition_point(|t| t.start <= start).saturating_sub(1)
    }

    /// Whether an error stands where a reserved word is used that was complained about as a name.
    fn is_of_a_reserved_name(&self, error: &Diagnostic) -> bool {
        let line = self.tokens[self.token_of(error)].line;
        let from = self.tokens.partition_point(|t| t.line < line);
        let on_line = (from..self.tokens.len()).take_while(|i| self.tokens[*i].line == line);
        on_line.into_iter().any(|i| self.tokens[i].kind.is_reserved() && self.names.contains_key(self.word(i)))
    }

    /// As [`Self::say`], of what follows from no reserved name.
    fn say_first(&mut self, error: Diagnostic) -> bool {
        let token = self.token_of(&error);
        if self.unmatched.lines.contains(&self.tokens[token].line) {
            self.hold(error);
            return false;
        }
        self.report.error(error);
        true
    }

    /// Keeps an error for the case that no other is reported.
    pub(super) fn hold(&mut self, error: Diagnostic) {
        self.held.get_or_insert(error);
    }

    /// Whether the next token was complained about.
    fn is_silent(&self) -> bool {
        self.lexed.is_spoilt(&self.tokens[self.at]) || self.brace == Some(self.at)
    }

    /// What comes next, for a message.
    fn found(&self) -> String {
        if self.kind() == Kind::End {
            return "the end of the file".to_string();
        }
        if self.is_past_line() {
            return "the end of the line".to_string();
        }
        match self.kind() {
            Kind::Str => "a text in quotes".to_string(),
            _ => format!("`{}`", self.word(self.at)),
        }
    }

    /// Where something is missing: the next token, or the end of the line.
    fn missing_at(&self) -> Span {
        if self.kind() == Kind::End || self.is_past_line() { self.gap() } else { self.here() }
    }

    /// Whether the line ended before the next token: it must have, or another statement begins there.
    fn is_past_line(&self) -> bool {
        let statement = matches!(self.kind(), Kind::Let | Kind::Var | Kind::Param | Kind::Sub);
        self.breaks() || statement && self.is_first(self.at) && self.lines
    }

    /// An error that something else was expected.
    fn expectation(&self, code: Code, what: &str, place: &str) -> Diagnostic {
        let place = if place.is_empty() { String::new() } else { format!(" {place}") };
        Diagnostic::error(code, self.missing_at(), format!("expected {what}{place}, found {}", self.found()))
    }

    /// Gives up: `what` was expected.
    pub(super) fn expected<T>(&mut self, what: &str, place: &str) -> Parse<T> {
        let error = self.expectation(Code::H0132, what, place);
        self.fail(error)
    }

    /// Gives up: `<-` was expected.
    pub(super) fn no_left_arrow<T>(&mut self) -> Parse<T> {
        let quoted = self.at.checked_sub(1).filter(|k| self.tokens[*k].kind == Kind::Str);
        let place = if quoted.is_some() { "after the name of a tensor" } else { "after a parameter of this model" };
        let error = self.expectation(Code::H0132, "`<-`", place);
        let here = self.here();
        self.fail(match (self.kind(), quoted) {
            (Kind::Arrow, Some(text)) => self.unquoted(text, error),
            (Kind::Assign, _) if !self.breaks() => error.fix("a parameter is read from another model with `<-`", here, "<-"),
            _ => error,
        })
    }

    /// A parameter of the model that stands in quotes, as names in files do: `"lora.0.down"`.
    fn unquoted(&self, text: usize, error: Diagnostic) -> Diagnostic {
        let help = "a parameter of the model has no quotes, and a net of an array its number in brackets: `lora[0].down`";
        let mut path = String::new();
        for (k, part) in self.word(text).trim_matches('"').split('.').enumerate() {
            let number = !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
            let name = part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && !Kind::of_word(part).is_reserved();
            path.push_str(&match (k, number, name) {
                (0, false, true) => part.to_string(),
                (1.., true, _) => format!("[{part}]"),
                (1.., _, true) => format!(".{part}"),
                _ => return error.help(help),
            });
        }
        error.fix(help, self.lexed.span(&self.tokens[text]), path)
    }

    /// Takes `kind`, or gives up.
    pub(super) fn expect(&mut self, kind: Kind, place: &str) -> Parse<()> {
        if self.eat(kind) {
            return Ok(());
        }
        let mut error = self.expectation(Code::H0132, &format!("`{}`", kind.text()), place);
        if kind == Kind::Assign && self.sees(Kind::EqEq) {
            error = error.fix("`==` compares; a value is given with `=`", self.here(), "=");
        } else if kind == Kind::Assign && self.sees(Kind::Colon) && self.peek(1) == Kind::Assign {
            let both = self.here().to(self.lexed.span(&self.tokens[self.at + 1]));
            error = error.fix("write `=`", both, "=");
        } else if kind == Kind::Colon && self.sees(Kind::Assign) {
            error = error.help("a type follows a `:`, as in `x: [b, 64]`");
        } else if kind == Kind::Arrow && self.sees(Kind::Assign) && self.peek(1) == Kind::Greater {
            let both = self.here().to(self.lexed.span(&self.tokens[self.at + 1]));
            error = error.fix("write `->`", both, "->");
        } else if kind == Kind::In && self.sees(Kind::Assign) {
            error = error.fix("a loop is written `for i in 0..n { .. }`", self.here(), "in");
        }
        self.fail(error)
    }

    /// Takes a keyword that may be a name elsewhere, or gives up.
    pub(super) fn expect_word(&mut self, word: &str, place: &str) -> Parse<()> {
        if self.eat_word(word) {
            return Ok(());
        }
        self.expected(&format!("`{word}`"), place)
    }

    /// Makes sure that a `{` comes next.
    pub(super) fn expect_brace(&mut self, place: &str) -> Parse<()> {
        if self.sees(Kind::LBrace) {
            return Ok(());
        }
        let mut error = self.expectation(Code::H0132, "`{`", place);
        if self.kind() == Kind::LBrace {
            // Only the line end is wrong: say so, and go on.
            let between = self.gap().to(self.here());
            self.say(error.fix("put the `{` on this line", between, " {"));
            return Ok(());
        }
        if self.before().is_some_and(|t| t.kind == Kind::RBrace) {
            error = error.help("a `{` that touches a value sets its parameters; before a block stands a space");
        } else if self.sees(Kind::Assign) {
            error = error.fix("`=` gives a value; `==` compares", self.here(), "==");
        } else {
            error = error.help("a block stands in braces: `{ .. }`");
        }
        let error = self.advised(error);
        let said = !self.is_silent() && self.say(error);
        self.missing_brace |= said;
        Err(Fail)
    }

    /// Takes a name. A reserved word is reported and taken.
    pub(super) fn name(&mut self, what: &str) -> Parse<Ident> {
        if self.breaks() || !(self.kind() == Kind::Name || self.kind().is_reserved()) {
            let mut error = self.expectation(Code::H0121, &format!("the name of {what}"), "");
            if what == "a part of the path"
                && self.kind() == Kind::Number
                && let Some(dot) = self.before()
            {
                let number = format!("[{}]", self.word(self.at));
                let both = Span { start: dot.start, ..self.here() };
                error = error.fix("one net of an array, or of a family, is picked in brackets", both, number);
            }
            if what == "a parameter" && self.sees(Kind::Str) {
                error = self.unquoted(self.at, error);
            }
            return self.fail(error);
        }
        if self.kind() != Kind::Name {
            let (span, word) = (self.here(), self.word(self.at));
            let error =
                Diagnostic::error(Code::H0120, span, format!("`{word}` is a reserved word and cannot be the name of {what}"))
                    .fix(format!("call it something else, `{word}_` perhaps"), span, format!("{word}_"));
            // An index or a field only uses what was complained about where it was declared.
            if matches!(what, "an index" | "a field or part") {
                self.say(error)
            } else {
                self.say_first(error)
            };
        }
        Ok(self.take_ident())
    }

    /// Takes a text in quotes and gives what stands between them.
    pub(super) fn string(&mut self, place: &str) -> Parse<(String, Span)> {
        if !self.sees(Kind::Str) {
            return self.expected("a text in quotes", place);
        }
        let span = self.here();
        let text = self.take_word();
        let text = text.strip_prefix('"').unwrap_or(text);
        Ok((text.strip_suffix('"').unwrap_or(text).to_string(), span))
    }

    /// Gives up: a value was expected.
    pub(super) fn no_operand<T>(&mut self) -> Parse<T> {
        let error = self.operand_error();
        self.fail(error)
    }

    /// What is wrong where a value was expected.
    fn operand_error(&self) -> Diagnostic {
        let before = self.before().map_or(Kind::End, |t| t.kind);
        let (here, touches) = (self.here(), self.touches());
        let both = self.before().map_or(here, |t| self.lexed.span(t).to(here));
        let plain = self.expectation(Code::H0133, "an expression", "");
        if self.is_past_line() || self.kind() == Kind::End {
            return if before.is_binary() { plain.help("an operator at the end has nothing to its right") } else { plain };
        }
        match (before, self.kind()) {
            (_, Kind::Dot) if self.peek(1) == Kind::Number && self.touches_at(self.at + 1) => {
                let number = here.to(self.lexed.span(&self.tokens[self.at + 1]));
                Diagnostic::error(Code::H0103, number, "a number has a digit on both sides of its dot").fix(
                    "put a zero before it",
                    Span { end: here.start, ..here },
                    "0",
                )
            }
            (Kind::Star, Kind::Star) if touches => plain.fix("a power is written `^`", both, "^"),
            (Kind::Assign, Kind::Assign) => plain.fix("to compare, write `==`; to give a value, one `=`", both, "="),
            (Kind::Assign, Kind::Greater) if touches => plain.help("write `->` before a result type, `>=` to compare"),
            (Kind::Plus, Kind::Plus) | (Kind::Plus | Kind::Minus | Kind::Star | Kind::Slash, Kind::Assign) if touches => {
                plain.help("there is no assignment with an operator: write `h = h + ..` in full")
            }
            (_, kind) if kind.is_binary() && self.is_first(self.at) => self.went_on(plain),
            (_, Kind::Plus) => plain.fix("a number needs no `+` before it", here, ""),
            (_, Kind::Not) => plain.help("`not` binds looser than what stands before it: put it in parentheses"),
            (_, Kind::Str) => plain.help("texts in quotes name files and stored parameters only; they are no values"),
            (_, Kind::LBrace) => plain.help("a block is no value of its own; several values are written `(a: x, b: y)`"),
            (_, Kind::DotDot) => plain.help("a range has both ends, as in `x[0..n]`"),
            (_, kind) if kind.is_reserved() => {
                let word = self.word(self.at);
                Diagnostic::error(Code::H0133, here, format!("expected an expression, found the reserved word `{word}`"))
            }
            _ => plain,
        }
    }

    /// A line that begins with an operator was to go on with the one before: the operator moves there.
    fn went_on(&self, error: Diagnostic) -> Diagnostic {
        let word = self.word(self.at);
        let help = format!("a line goes on if it ends in an operator: `{word}` belongs at the end of the line before");
        let next = self.tokens.get(self.at + 1).filter(|_| !self.is_first(self.at + 1));
        let value = self.before().is_some_and(|t| {
            matches!(t.kind, Kind::Name | Kind::Number | Kind::RParen | Kind::RBracket | Kind::DotStar) || t.kind.is_reserved()
        });
        match next {
            Some(next) if value => {
                let operator = Span { end: next.start, ..self.here() };
                error.fixes(help, vec![(self.gap(), format!(" {word}")), (operator, String::new())])
            }
            Some(_) | None => error.help(help),
        }
    }

    /// A second clause of the same kind.
    pub(super) fn twice(&mut self, span: Span, word: &str) {
        self.say(Diagnostic::error(Code::H0149, span, format!("`{word}` stands here twice")).help("leave one of them out"));
    }

    /// The first token of the present statement.
    fn start(&self) -> usize {
        self.marks[..=self.at].iter().rposition(|&m| m == Mark::Start).unwrap_or(0)
    }
}
