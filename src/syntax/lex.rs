//! Text to tokens.
//!
//! In: the text of a file. Out: [`Lexed`]: its tokens without spaces and line ends (each token knows its line), and its
//! comments on the side. The cutting itself is done by pest and `grammar/hnet.pest`; no other module sees pest. Promised:
//! every byte outside comments and spaces belongs to a token, and the last token is [`Kind::End`].

use super::report::Report;
pub(super) use super::token::{Kind, Token};
use crate::diag::{Code, Diagnostic};
use crate::source::{FileId, Span};
use pest::Parser as _;
use pest::iterators::Pair;
use std::collections::HashMap;

/// The recogniser that pest makes from the grammar file.
#[derive(pest_derive::Parser)]
#[grammar = "../grammar/hnet.pest"]
struct Grammar;

/// A comment, documentation included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comment {
    pub start: u32,
    pub end: u32,
    pub line: u32,
}

/// A text cut into tokens.
#[derive(Debug)]
pub(super) struct Lexed<'t> {
    pub file: FileId,
    pub text: &'t str,
    pub tokens: Vec<Token>,
    pub comments: Vec<Comment>,
    /// The `//!` lines.
    pub file_doc: Option<String>,
    /// The `///` lines, by the first byte of the token that follows.
    pub docs: HashMap<u32, String>,
}

impl Lexed<'_> {
    /// The bytes of a token.
    pub(super) fn span(&self, token: &Token) -> Span {
        Span { file: self.file, start: token.start, end: token.end }
    }

    /// Whether a token was complained about: a sign of another language, an open text, or a bracket that was put in.
    pub(super) fn is_spoilt(&self, token: &Token) -> bool {
        let text = self.slice(token);
        match token.kind {
            Kind::Bad => true,
            Kind::Str => text.len() < 2 || !text.ends_with('"'),
            Kind::Name | Kind::Number | Kind::Reduction | Kind::End => false,
            kind => text != kind.text(),
        }
    }

    /// The text of a token; empty for one that was put in.
    pub(super) fn slice(&self, token: &Token) -> &str {
        self.text.get(token.start as usize..token.end as usize).unwrap_or("")
    }
}

/// Cuts `text` into tokens; what is no token is reported.
pub(super) fn lex<'t>(file: FileId, text: &'t str, report: &mut Report) -> Lexed<'t> {
    let mut cutter = Cutter {
        out: Lexed {
            file,
            text,
            tokens: Vec::with_capacity(text.len() / 3 + 1),
            comments: Vec::new(),
            file_doc: None,
            docs: HashMap::new(),
        },
        line: 0,
        fresh_line: true,
        doc: None,
        quoted: None,
        report,
    };
    match Grammar::parse(Rule::file, text) {
        Ok(mut pairs) => {
            for pair in pairs.next().into_iter().flat_map(Pair::into_inner) {
                cutter.take(&pair);
            }
        }
        Err(error) => {
            let at = match error.location {
                pest::error::InputLocation::Pos(at) | pest::error::InputLocation::Span((at, _)) => at,
            };
            cutter.report.error(Diagnostic::error(Code::H0101, Span::new(file, at, at), "this text cannot be cut into words"));
        }
    }
    cutter.push(Kind::End, text.len(), text.len());
    cutter.out
}

/// Collects what pest found.
struct Cutter<'t, 's, 'r> {
    out: Lexed<'t>,
    line: u32,
    /// No token yet on this line.
    fresh_line: bool,
    /// `///` lines that wait for what they document.
    doc: Option<String>,
    /// The last line with a typographic quote: the second one is no new mistake.
    quoted: Option<u32>,
    report: &'s mut Report<'r>,
}

impl Cutter<'_, '_, '_> {
    /// Takes one token of the grammar.
    fn take(&mut self, pair: &Pair<'_, Rule>) {
        let span = pair.as_span();
        let (start, end, text) = (span.start(), span.end(), span.as_str());
        match pair.as_rule() {
            Rule::newline => {
                self.line += 1;
                self.fresh_line = true;
            }
            Rule::comment => self.comment(start, end),
            Rule::item_doc | Rule::file_doc => self.doc_comment(pair.as_rule(), start, end, text),
            Rule::block_comment => self.block_comment(start, end, text),
            Rule::open_string => self.open_string(start, end, text),
            Rule::foreign => self.foreign(start, end, text),
            Rule::unknown => self.unknown(start, end, text),
            Rule::EOI => {}
            Rule::name => self.push(Kind::of_word(text), start, end),
            rule => self.push(kind_of(rule), start, end),
        }
    }

    /// Adds a token.
    fn push(&mut self, kind: Kind, start: usize, end: usize) {
        if let Some(doc) = self.doc.take() {
            self.out.docs.insert(start as u32, doc);
        }
        self.fresh_line = false;
        let mate = self.out.tokens.len() as u32;
        let (start, end) = (start as u32, end as u32);
        self.out.tokens.push(Token { kind, start, end, line: self.line, depth: 0, mate, comma: false });
    }

    /// Keeps a comment.
    fn comment(&mut self, start: usize, end: usize) {
        let (start, end) = (start as u32, end as u32);
        self.out.comments.push(Comment { start, end, line: self.line });
    }

    /// A `///` or `//!` line; behind a token it is a plain comment.
    fn doc_comment(&mut self, rule: Rule, start: usize, end: usize, text: &str) {
        self.comment(start, end);
        if !self.fresh_line {
            return;
        }
        let line = text[3..].trim_end();
        let line = line.strip_prefix(' ').unwrap_or(line);
        let doc = if rule == Rule::file_doc { &mut self.out.file_doc } else { &mut self.doc };
        match doc {
            Some(doc) => {
                doc.push('\n');
                doc.push_str(line);
            }
            None => *doc = Some(line.to_string()),
        }
    }

    /// `/* .. */` of other languages.
    fn block_comment(&mut self, start: usize, end: usize, text: &str) {
        let span = Span::new(self.out.file, start, start + 2);
        self.report.error(
            Diagnostic::error(Code::H0104, span, "there are no block comments")
                .here("`//` begins a comment, which ends with its line")
                .help("put `//` before each line of the comment"),
        );
        self.comment(start, end);
        let lines = text.matches('\n').count() as u32;
        self.line += lines;
        self.fresh_line |= lines > 0;
    }

    /// A text without its closing quote.
    fn open_string(&mut self, start: usize, end: usize, text: &str) {
        let end = start + text.trim_end().len().min(end - start);
        let span = Span::new(self.out.file, start, end);
        self.report.error(
            Diagnostic::error(Code::H0102, span, "this text has no closing `\"`")
                .here("a text ends on the line on which it begins")
                .fix("close it", Span::new(self.out.file, end, end), "\""),
        );
        self.push(Kind::Str, start, end);
    }

    /// A sign of another language: say what it is here, and go on as if that stood there.
    fn foreign(&mut self, start: usize, end: usize, text: &str) {
        let (kind, word) = match text {
            "&&" => (Some(Kind::And), "and"),
            "||" => (Some(Kind::Or), "or"),
            "!" => (Some(Kind::Not), "not"),
            "%" => (Some(Kind::Mod), "mod"),
            "\u{2212}" => (Some(Kind::Minus), "-"),
            "\u{00D7}" | "\u{00B7}" => (Some(Kind::Star), "*"),
            "\u{2192}" => (Some(Kind::Arrow), "->"),
            "\u{2264}" => (Some(Kind::LessEq), "<="),
            "\u{2265}" => (Some(Kind::GreaterEq), ">="),
            "\u{2260}" => (Some(Kind::NotEq), "!="),
            _ => (None, " "),
        };
        let span = Span::new(self.out.file, start, end);
        // A word needs spaces around it that a sign does not need.
        let letters = word.starts_with(|c: char| c.is_ascii_lowercase());
        let before = letters && self.out.text[..start].ends_with(|c: char| !c.is_whitespace() && c != '(');
        let after = letters && self.out.text[end..].starts_with(|c: char| !c.is_whitespace());
        let here = format!("{}{word}{}", if before { " " } else { "" }, if after { " " } else { "" });
        let (what, advice) = match text {
            "\u{00A0}" => ("this is a no-break space".to_string(), "write a plain space".to_string()),
            _ => (format!("`{text}` is no operator here"), format!("write `{word}`")),
        };
        let error = Diagnostic::error(Code::H0101, span, what);
        self.report.error(match text {
            // `not` is looser: `!a == b` is `not a == b` for nobody who wrote it.
            "!" if !stands_alone(&self.out.text[end..]) => error.help(NOT),
            _ => error.fix(advice, span, here),
        });
        if let Some(kind) = kind {
            self.push(kind, start, end);
        }
    }

    /// Straight quotes for all curly ones from here to the end of the line.
    fn quotes(&self, start: usize) -> Vec<(Span, String)> {
        let line = self.out.text[start..].lines().next().unwrap_or_default();
        let curly = line.match_indices(['\u{201C}', '\u{201D}', '\u{201E}']);
        curly.map(|(at, sign)| (Span::new(self.out.file, start + at, start + at + sign.len()), "\"".to_string())).collect()
    }

    /// Signs that mean nothing; a run of them is one mistake.
    fn unknown(&mut self, start: usize, end: usize, text: &str) {
        if let Some(last) = self.out.tokens.last_mut()
            && last.kind == Kind::Bad
            && last.end as usize == start
        {
            last.end = end as u32;
            return;
        }
        if matches!(text, "\u{201C}" | "\u{201D}" | "\u{201E}") && self.quoted.replace(self.line) == Some(self.line) {
            return self.push(Kind::Bad, start, end);
        }
        let span = Span::new(self.out.file, start, end);
        let sign = if text == "'" { text.to_string() } else { text.escape_debug().to_string() };
        let error = Diagnostic::error(Code::H0101, span, format!("`{sign}` has no meaning here"));
        self.report.error(match text {
            "#" => error.fix("a comment begins with `//`", span, "//"),
            "'" => error.help("a text stands in double quotes, and the prime of a name (`t'`) touches it"),
            "\u{201C}" | "\u{201D}" | "\u{201E}" => error.fixes("write straight quotes", self.quotes(start)),
            "?" => error.help("a choice is written `if c { a } else { b }`"),
            "|" => error.help("a pipe is `|>`, the logical operator is `or`"),
            "&" => error.help("the logical operator is `and`"),
            "~" if stands_alone(&self.out.text[end..]) => error.fix(NOT, span, "not "),
            "~" => error.help(NOT),
            _ => error.help("names are made of the letters a to z, A to Z, digits, `_` and primes"),
        });
        self.push(Kind::Bad, start, end);
    }
}

/// What is said of the signs that negate elsewhere.
const NOT: &str = "the logical operator is `not`, which is looser than a comparison: `not (a > b)`, `(not a) == b`";

/// Whether nothing but the end of the condition, or another, follows an operand: `a`, `f(a)[0]`, `(a > b)`.
fn stands_alone(rest: &str) -> bool {
    let (mut depth, mut at) = (0, rest.len());
    for (k, c) in rest.char_indices() {
        match c {
            '(' | '[' => depth += 1,
            ')' | ']' if depth > 0 => depth -= 1,
            _ if depth > 0 || c.is_alphanumeric() || matches!(c, '_' | '.' | '\'') => {}
            _ => {
                at = k;
                break;
            }
        }
    }
    let next = rest[at..].trim_start_matches(' ');
    let word = |w: &str| next.strip_prefix(w).is_some_and(|r| !r.starts_with(|c: char| c.is_alphanumeric() || c == '_'));
    next.is_empty()
        || next.starts_with([')', ']', ',', '{', '}', ';', '&', '|', '\n', '\r'])
        || ["and", "or", "else"].into_iter().any(word)
}

/// The token that a rule of the grammar stands for.
fn kind_of(rule: Rule) -> Kind {
    match rule {
        Rule::number => Kind::Number,
        Rule::string => Kind::Str,
        Rule::pipe => Kind::Pipe,
        Rule::arrow => Kind::Arrow,
        Rule::equal => Kind::EqEq,
        Rule::not_equal => Kind::NotEq,
        Rule::less_equal => Kind::LessEq,
        Rule::greater_equal => Kind::GreaterEq,
        Rule::dot_dot => Kind::DotDot,
        Rule::dot_star => Kind::DotStar,
        Rule::plus => Kind::Plus,
        Rule::minus => Kind::Minus,
        Rule::star => Kind::Star,
        Rule::slash => Kind::Slash,
        Rule::caret => Kind::Caret,
        Rule::at => Kind::At,
        Rule::assign => Kind::Assign,
        Rule::less => Kind::Less,
        Rule::greater => Kind::Greater,
        Rule::open_paren => Kind::LParen,
        Rule::close_paren => Kind::RParen,
        Rule::open_brace => Kind::LBrace,
        Rule::close_brace => Kind::RBrace,
        Rule::open_bracket => Kind::LBracket,
        Rule::close_bracket => Kind::RBracket,
        Rule::comma => Kind::Comma,
        Rule::colon => Kind::Colon,
        Rule::dot => Kind::Dot,
        Rule::semicolon => Kind::Semi,
        _ => Kind::Bad,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Sink;

    fn kinds(text: &str) -> Vec<Kind> {
        let mut sink = Sink::default();
        lex(FileId(0), text, &mut Report::new(&mut sink)).tokens.iter().map(|t| t.kind).collect()
    }

    #[test]
    fn longer_tokens_win() {
        use Kind::*;
        assert_eq!(kinds("a.*.w[0..n]"), [Name, DotStar, Dot, Name, LBracket, Number, DotDot, Name, RBracket, End]);
        assert_eq!(kinds("x <-1 |> y''"), [Name, Less, Minus, Number, Pipe, Name, End]);
        assert_eq!(kinds("1.5e-3 1.e 2 .. 3"), [Number, Number, Dot, Name, Number, DotDot, Number, End]);
        assert_eq!(kinds("summer sum div divide"), [Name, Reduction, Div, Name, End]);
    }

    #[test]
    fn comments_stand_aside() {
        let mut sink = Sink::default();
        let text = "//! file\n/// item\n//// none\na // tail\n";
        let lexed = lex(FileId(0), text, &mut Report::new(&mut sink));
        assert_eq!(lexed.file_doc.as_deref(), Some("file"));
        assert_eq!(lexed.docs.values().collect::<Vec<_>>(), ["item"]);
        assert_eq!((lexed.tokens.len(), lexed.comments.len()), (2, 4));
        assert_eq!(lexed.tokens[0].line, 3);
    }
}
