//! Tokens to a tree, by recursive descent.
//!
//! In: a text. Out: [`File`] with a span on everything, and diagnostics `H01xx`. Promised: no text makes it panic, hang or
//! use much stack; a mistake spoils its own statement only, and is reported once. The rules for line ends live here: a
//! newline ends a statement where [`Parser::lines`] is set by the innermost bracket, unless one side of it joins the lines.

mod expr;
mod index;
mod item;
mod mistake;
mod path;
mod pin;
mod primary;
mod sequence;
mod stmt;
mod train;
mod types;
mod weights;

use super::ast::{File, Ident, Name};
use super::bracket::{self, Unmatched};
use super::lex::{Kind, Lexed, Token, lex};
use super::report::{MOST_BYTES, Report};
use crate::diag::{Code, Diagnostic, Sink};
use crate::source::{FileId, Span};
use std::collections::HashMap;

/// Words that begin a statement when a name follows on their line.
pub(super) const DECLARING: [&str; 17] = [
    "const",
    "state",
    "form",
    "load",
    "generate",
    "adapt",
    "scale",
    "tie",
    "freeze",
    "each",
    "init",
    "input",
    "output",
    "condition",
    "loss",
    "update",
    "draw",
];
/// Words that begin a clause of a train block.
const TRAIN_CLAUSES: [&str; 15] = [
    "data",
    "batch",
    "minimize",
    "over",
    "with",
    "steps",
    "seed",
    "feed",
    "set",
    "every",
    "alternate",
    "clip",
    "accumulate",
    "average",
    "validate",
];
/// Words that begin a clause of an eval block.
const EVAL_CLAUSES: [&str; 4] = ["data", "batch", "feed", "report"];
/// Names that join a line to the one before.
pub(super) const JOINING: [&str; 5] = ["from", "by", "to", "over", "at"];

/// Parses one file. The tree holds everything that could be read; look at the sink before using it.
pub fn parse(file: FileId, text: &str, sink: &mut Sink) -> File {
    let mut report = Report::new(sink);
    let Parsed { file, lexed, .. } = parse_marked(file, text, &mut report);
    super::slashes::warn(&lexed, sink);
    file
}

/// A file with what the formatter wants to know about its tokens.
pub(super) struct Parsed<'t> {
    pub file: File,
    pub lexed: Lexed<'t>,
    pub marks: Vec<Mark>,
}

/// What a token turned out to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mark {
    /// As it looks.
    #[default]
    Plain,
    /// The first token of an item, statement or clause.
    Start,
    /// A word that is a keyword at its place.
    Keyword,
    /// A minus sign before its operand.
    Prefix,
    /// One of the two halves of `<-`.
    Arrow,
    /// A star that is no operator.
    Star,
    /// A bracket that touches what stands before it.
    Tight,
    /// A bracket that does not, even if it is written so.
    Loose,
}

/// Parses and keeps the tokens.
pub(super) fn parse_marked<'t>(file: FileId, text: &'t str, report: &mut Report) -> Parsed<'t> {
    if text.len() > MOST_BYTES {
        let span = Span::new(file, 0, 0);
        report.error(
            Diagnostic::limit(Code::H0191, span, format!("this file is longer than {} MiB", MOST_BYTES >> 20))
                .help("split it into several files and `import` the parts"),
        );
        let lexed = lex(file, "", report);
        return Parsed { file: File::default(), lexed, marks: vec![Mark::Plain] };
    }
    let mut lexed = lex(file, text, report);
    let unmatched = bracket::balance(&mut lexed, report);
    let mut tree = File::default();
    let mut marks = vec![Mark::Plain; lexed.tokens.len()];
    if !unmatched.too_deep {
        let mut parser = Parser {
            lexed: &lexed,
            tokens: &lexed.tokens,
            at: 0,
            names: HashMap::new(),
            lines: true,
            scope: Scope::File,
            nesting: 0,
            height: 0,
            missing_brace: false,
            brace: None,
            unmatched: &unmatched,
            held: None,
            marks: &mut marks,
            report,
        };
        tree = parser.file();
        let (spoilt, held) = (parser.missing_brace, parser.held);
        if !spoilt {
            unmatched.stray.into_iter().for_each(|stray| report.error(stray));
        }
        if let Some(held) = held.filter(|_| !report.any()) {
            report.error(held);
        }
    }
    Parsed { file: tree, lexed, marks }
}

/// The statement could not be read; the mistake is reported.
#[derive(Debug)]
struct Fail;

/// What a rule returns.
type Parse<T> = Result<T, Fail>;

/// Where a statement stands: it decides which words begin one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    File,
    /// Directly in a net: a parenthesis opens the signature.
    Net,
    Block,
    Train,
    Eval,
    /// In the braces of `weights`.
    Map,
}

/// The state of the descent.
struct Parser<'p, 's> {
    lexed: &'p Lexed<'p>,
    tokens: &'p [Token],
    /// The next token.
    at: usize,
    names: HashMap<&'p str, Name>,
    /// Whether a newline means something here.
    lines: bool,
    scope: Scope,
    /// Operands in operands.
    nesting: u32,
    /// Height of the highest tree in what was read of the present expression.
    height: u32,
    /// A `{` was missing somewhere: its `}` is then no mistake of its own.
    missing_brace: bool,
    /// A touching `{` that was complained about.
    brace: Option<usize>,
    /// Brackets that were complained about.
    unmatched: &'p Unmatched,
    /// A mistake that seemed to follow from another one.
    held: Option<Diagnostic>,
    marks: &'p mut [Mark],
    report: &'p mut Report<'s>,
}

/// Looking at tokens and taking them.
impl<'p> Parser<'p, '_> {
    /// The kind of the next token.
    fn kind(&self) -> Kind {
        self.tokens[self.at].kind
    }

    /// The kind of a later token.
    fn peek(&self, ahead: usize) -> Kind {
        self.tokens.get(self.at + ahead).map_or(Kind::End, |t| t.kind)
    }

    /// The token before the next one.
    fn before(&self) -> Option<&'p Token> {
        self.at.checked_sub(1).map(|i| &self.tokens[i])
    }

    /// The text of a token.
    fn word(&self, i: usize) -> &'p str {
        self.tokens.get(i).map_or("", |t| self.lexed.slice(t))
    }

    /// The bytes of the next token.
    fn here(&self) -> Span {
        self.lexed.span(&self.tokens[self.at])
    }

    /// The empty place behind the last token.
    fn gap(&self) -> Span {
        let end = self.before().map_or(0, |t| t.end);
        Span { file: self.lexed.file, start: end, end }
    }

    /// From token `start` to the last one taken.
    fn since(&self, start: usize) -> Span {
        let first = self.tokens[start].start;
        let end = self.before().map_or(first, |t| t.end).max(first);
        Span { file: self.lexed.file, start: first, end }
    }

    /// Whether token `i` is the first of its line.
    fn is_first(&self, i: usize) -> bool {
        i == 0 || i >= self.tokens.len() || self.tokens[i - 1].line != self.tokens[i].line
    }

    /// Whether token `i` stands right behind the one before it.
    fn touches_at(&self, i: usize) -> bool {
        i > 0 && i < self.tokens.len() && self.tokens[i - 1].end == self.tokens[i].start
    }

    /// Whether the next token touches the last one.
    fn touches(&self) -> bool {
        self.touches_at(self.at)
    }

    /// Whether a newline ends the statement before the next token.
    fn breaks(&self) -> bool {
        if !self.lines || !self.is_first(self.at) || self.marks[self.at] == Mark::Start || self.joins() {
            return false;
        }
        match self.at.checked_sub(1) {
            Some(i) => !self.tokens[i].kind.joins_next_line() || self.marks[i] == Mark::Star,
            None => true,
        }
    }

    /// Whether a line that begins with the next token goes on with the one before.
    fn joins(&self) -> bool {
        self.joins_at(self.at)
    }

    /// The same of token `i`.
    fn joins_at(&self, i: usize) -> bool {
        match self.tokens[i].kind {
            Kind::Pipe | Kind::Else => true,
            Kind::Name => {
                let word = self.word(i);
                // Python's import is an item of its own, and answered as such.
                let name = self.tokens.get(i + 1).is_some_and(|t| t.kind == Kind::Name);
                let import = word == "from" && self.scope == Scope::File && name;
                JOINING.contains(&word) && !(word == "over" && self.scope == Scope::Train) && !import
            }
            _ => false,
        }
    }

    /// Whether `kind` comes next, in this statement.
    fn sees(&self, kind: Kind) -> bool {
        self.kind() == kind && !self.breaks()
    }

    /// Whether `kind` comes next and touches.
    fn sees_tight(&self, kind: Kind) -> bool {
        self.kind() == kind && self.touches()
    }

    /// Whether this name comes next, in this statement.
    fn sees_word(&self, word: &str) -> bool {
        self.kind() == Kind::Name && self.word(self.at) == word && !self.breaks()
    }

    /// Takes the next token.
    fn advance(&mut self) -> usize {
        let i = self.at;
        if self.at + 1 < self.tokens.len() {
            self.at += 1;
        }
        i
    }

    /// Takes the next token and gives its text.
    fn take_word(&mut self) -> &'p str {
        let word = self.word(self.at);
        self.advance();
        word
    }

    /// Takes the next token and says what it is.
    fn advance_as(&mut self, mark: Mark) -> usize {
        self.marks[self.at] = mark;
        self.advance()
    }

    /// Takes `kind` if it comes next.
    fn eat(&mut self, kind: Kind) -> bool {
        let seen = self.sees(kind);
        if seen {
            self.advance();
        }
        seen
    }

    /// Takes a keyword that may be a name elsewhere, if it comes next.
    fn eat_word(&mut self, word: &str) -> bool {
        let seen = self.sees_word(word);
        if seen {
            self.advance_as(Mark::Keyword);
        }
        seen
    }

    /// The shared text of a name.
    fn intern(&mut self, word: &'p str) -> Name {
        self.names.entry(word).or_insert_with(|| Name::from(word)).clone()
    }

    /// The next token as a name, whatever it is.
    fn take_ident(&mut self) -> Ident {
        let (span, word) = (self.here(), self.word(self.at));
        self.advance();
        Ident { name: self.intern(word), span }
    }

    /// The documentation of what begins here.
    fn doc(&self) -> Option<String> {
        self.lexed.docs.get(&self.tokens[self.at].start).cloned()
    }
}
