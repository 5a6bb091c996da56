//! Which bracket belongs to which.
//!
//! In: the tokens of a file. Out: the same tokens with depth and mate of every bracket. Promised: afterwards brackets are
//! balanced, so the parser never sees a missing one. Where the text is not balanced, lines and indentation decide which
//! bracket was forgotten; it is reported once, and an empty token takes its place (or a stray one is dropped).

use super::lex::{Kind, Lexed, Token};
use super::report::{MOST_ERRORS, MOST_NESTING, Report};
use crate::diag::{Code, Diagnostic};
use crate::source::Span;
use std::collections::BTreeSet;

/// What could not be matched; the parser decides whether stray closers are worth a message of their own.
#[derive(Debug, Default)]
pub(super) struct Unmatched {
    /// Closing brackets that were dropped.
    pub stray: Vec<Diagnostic>,
    /// Nesting is too deep: the tokens must not be parsed.
    pub too_deep: bool,
    /// Lines with a bracket that was put in, left out or changed: what else is wrong there may come from that.
    pub lines: BTreeSet<u32>,
}

/// Balances the brackets of `lexed`.
pub(super) fn balance(lexed: &mut Lexed, report: &mut Report) -> Unmatched {
    let mut found = Unmatched::default();
    if let Some(opener) = too_deep(&lexed.tokens) {
        let span = lexed.span(&opener);
        report.error(
            Diagnostic::limit(Code::H0190, span, "brackets are nested too deeply")
                .here(format!("more than {MOST_NESTING} brackets are open here"))
                .help("give the inner parts names with `let`, or make them nets of their own"),
        );
        found.too_deep = true;
        return found;
    }
    if !is_balanced(&lexed.tokens) {
        let mut matcher = Matcher::new(lexed);
        matcher.run();
        let Matcher { out, faults, .. } = matcher;
        lexed.tokens = out;
        for fault in faults {
            // One message for each line: the others follow from the first.
            let known = fault.lines.iter().any(|line| found.lines.contains(line));
            found.lines.extend(fault.lines);
            match fault.stray {
                _ if known => {}
                true => found.stray.push(fault.error),
                false => report.error(fault.error),
            }
        }
    }
    link(&mut lexed.tokens);
    found
}

/// The first opener that has too many around it.
fn too_deep(tokens: &[Token]) -> Option<Token> {
    let mut depth = 0u32;
    for token in tokens {
        if token.kind.is_opener() {
            depth += 1;
            if depth > MOST_NESTING {
                return Some(*token);
            }
        } else if token.kind.is_closer() {
            depth = depth.saturating_sub(1);
        }
    }
    None
}

/// Whether every bracket has its mate.
fn is_balanced(tokens: &[Token]) -> bool {
    let mut open = Vec::new();
    for token in tokens {
        if token.kind.is_opener() {
            open.push(token.kind);
        } else if token.kind.is_closer() && open.pop() != Some(token.kind.mate()) {
            return false;
        }
    }
    open.is_empty()
}

/// Writes depth, mate and comma into balanced tokens.
fn link(tokens: &mut [Token]) {
    let mut open: Vec<usize> = Vec::new();
    for i in 0..tokens.len() {
        let kind = tokens[i].kind;
        tokens[i].mate = i as u32;
        tokens[i].depth = open.len() as u32;
        if kind.is_opener() {
            open.push(i);
        } else if kind.is_closer()
            && let Some(opener) = open.pop()
        {
            tokens[i].depth -= 1;
            tokens[i].mate = opener as u32;
            tokens[opener].mate = i as u32;
        } else if kind == Kind::Comma
            && let Some(&opener) = open.last()
        {
            tokens[opener].comma = true;
        }
    }
}

/// An opener that waits for its closer.
#[derive(Clone, Copy)]
struct Open {
    token: Token,
    /// Indentation of its line.
    indent: usize,
}

/// A bracket without its mate.
struct Fault {
    error: Diagnostic,
    /// Whether a closer was left out.
    stray: bool,
    /// Lines that are in disorder for it.
    lines: Vec<u32>,
}

/// Guesses what is missing.
struct Matcher<'l, 't> {
    lexed: &'l Lexed<'t>,
    out: Vec<Token>,
    open: Vec<Open>,
    faults: Vec<Fault>,
    /// Closing braces that are too many, at least.
    surplus: isize,
}

impl<'l, 't> Matcher<'l, 't> {
    fn new(lexed: &'l Lexed<'t>) -> Self {
        let count = |kind| lexed.tokens.iter().filter(|t| t.kind == kind).count() as isize;
        let surplus = count(Kind::RBrace) - count(Kind::LBrace);
        let (out, open) = (Vec::with_capacity(lexed.tokens.len() + 8), Vec::new());
        Matcher { lexed, out, open, faults: Vec::new(), surplus }
    }

    /// Copies the tokens, putting in and leaving out brackets.
    fn run(&mut self) {
        let lexed = self.lexed;
        let mut line_indent = 0;
        for (i, token) in lexed.tokens.iter().enumerate() {
            let first = i == 0 || lexed.tokens[i - 1].line != token.line;
            if first {
                line_indent = indent(lexed.text, token.start as usize);
                self.line_begins(i, line_indent);
            }
            match token.kind {
                kind if kind.is_opener() => {
                    self.open.push(Open { token: *token, indent: line_indent });
                    self.out.push(*token);
                }
                Kind::RBrace => self.close_brace(token, first, line_indent),
                kind if kind.is_closer() => self.close(token),
                Kind::End => {
                    self.close_down_to(0, token);
                    self.out.push(*token);
                }
                _ => self.out.push(*token),
            }
        }
    }

    /// At the first token of a line: what cannot stand in a bracket shows that it was to be closed.
    fn line_begins(&mut self, i: usize, indent: usize) {
        let tokens = &self.lexed.tokens;
        let (token, next) = (&tokens[i], tokens.get(i + 1));
        let same_line = next.filter(|n| n.line == token.line);
        let named = same_line.is_some_and(|n| matches!(n.kind, Kind::Name | Kind::Str));
        let word = self.lexed.slice(token);
        let item = matches!(word, "import" | "dim" | "fn" | "net" | "model" | "weights" | "train" | "eval");
        if item && named && self.open.first().is_some_and(|o| indent <= o.indent) {
            self.close_down_to(0, token);
            return;
        }
        let clause = same_line.is_some_and(|n| matches!(n.kind, Kind::Name | Kind::Number | Kind::Str))
            && token.kind == Kind::Name
            && matches!(word, "data" | "batch" | "minimize" | "with" | "steps" | "seed" | "feed" | "set" | "every" | "report");
        let statement = clause
            || matches!(token.kind, Kind::Let | Kind::Var | Kind::Param | Kind::Sub)
            || (named && token.kind == Kind::Name && super::parse::DECLARING.contains(&word));
        if statement {
            let keep = self.open.iter().rposition(|o| o.token.kind == Kind::LBrace).map_or(0, |p| p + 1);
            self.close_down_to(keep, token);
        }
    }

    /// A closing brace: the line of its opener should be indented like its own.
    fn close_brace(&mut self, token: &Token, first: bool, indent: usize) {
        let braces = |o: &Open| o.token.kind == Kind::LBrace;
        let Some(top) = self.open.iter().rposition(braces) else {
            self.drop_stray(token);
            return;
        };
        // A brace within a line closes one of the same line.
        if !first && self.surplus > 0 && self.open[top].token.line != token.line {
            self.drop_stray(token);
            return;
        }
        let mut target = top;
        if first && self.open[top].indent != indent {
            let same = self.open.iter().rposition(|o| braces(o) && o.indent == indent);
            match same {
                Some(deeper) => target = deeper,
                None if self.surplus > 0 && indent > self.open[top].indent => {
                    self.drop_stray(token);
                    return;
                }
                None => {}
            }
        }
        self.close_down_to(target + 1, token);
        self.open.pop();
        self.out.push(*token);
    }

    /// A closing parenthesis or bracket.
    fn close(&mut self, token: &Token) {
        let mate = token.kind.mate();
        let reach = self.open.iter().rposition(|o| o.token.kind == Kind::LBrace && o.token.line != token.line);
        let floor = reach.map_or(0, |p| p + 1);
        if let Some(found) = self.open[floor..].iter().rposition(|o| o.token.kind == mate) {
            self.close_down_to(floor + found + 1, token);
            self.open.pop();
            self.out.push(*token);
            return;
        }
        match self.open.last().copied().filter(|o| o.token.kind != Kind::LBrace) {
            Some(opener) => {
                let wanted = opener.token.kind.mate();
                let (open, close) = (opener.token.kind.text(), wanted.text());
                let span = self.lexed.span(token);
                let error = Diagnostic::error(Code::H0112, span, format!("expected `{close}` to close this `{open}`"))
                    .here(format!("this is a `{}`", token.kind.text()))
                    .label(self.lexed.span(&opener.token), "opened here")
                    .fix(format!("write `{close}`"), span, close);
                self.blame(error, false, vec![opener.token.line, token.line]);
                self.open.pop();
                self.out.push(Token { kind: wanted, ..*token });
            }
            None => self.drop_stray(token),
        }
    }

    /// Keeps a fault; nobody reads the hundredth.
    fn blame(&mut self, error: Diagnostic, stray: bool, lines: Vec<u32>) {
        if self.faults.len() < 2 * MOST_ERRORS {
            self.faults.push(Fault { error, stray, lines });
        }
    }

    /// Leaves out a closer that nothing opened.
    fn drop_stray(&mut self, token: &Token) {
        if token.kind == Kind::RBrace {
            self.surplus -= 1;
        }
        let span = self.lexed.span(token);
        let sign = token.kind.text();
        let error = Diagnostic::error(Code::H0111, span, format!("this `{sign}` closes nothing"))
            .help(format!("leave it out, or look for a `{}` that is missing above", token.kind.mate().text()));
        self.blame(error, true, vec![token.line]);
    }

    /// Closes all brackets from the innermost to number `keep`, before the token `at`: one message.
    fn close_down_to(&mut self, keep: usize, at: &Token) {
        if self.open.len() <= keep {
            return;
        }
        let before = self.out.last().copied().unwrap_or(*at);
        let mut error: Option<Diagnostic> = None;
        let mut lines = vec![before.line];
        while self.open.len() > keep {
            let Some(opener) = self.open.pop() else { break };
            let close = opener.token.kind.mate();
            lines.push(opener.token.line);
            let mate = 0;
            self.out.push(Token { kind: close, start: before.end, end: before.end, mate, comma: false, ..before });
            if close == Kind::RBrace {
                self.surplus += 1;
            }
            error = Some(match error {
                None => self.unclosed(&opener.token, &before, at),
                Some(e) if e.labels.len() < 4 => e.label(self.lexed.span(&opener.token), "not closed either"),
                Some(e) => e,
            });
        }
        if let Some(error) = error {
            self.blame(error, false, lines);
        }
    }

    /// The message for an opener without its closer.
    fn unclosed(&self, opener: &Token, before: &Token, at: &Token) -> Diagnostic {
        let (open, close) = (opener.kind.text(), opener.kind.mate().text());
        let span = self.lexed.span(opener);
        let gap = Span { file: self.lexed.file, start: before.end, end: before.end };
        let error =
            Diagnostic::error(Code::H0110, span, format!("expected `{close}` to close this `{open}`")).here("opened here");
        if opener.kind == Kind::LBrace || at.kind == Kind::End {
            let place = if at.kind == Kind::End { gap } else { self.lexed.span(at) };
            let what = if at.kind == Kind::End { "the file ends" } else { "this can only stand" };
            let here =
                if at.kind == Kind::End { format!("{what} before it is closed") } else { format!("{what} after a `{close}`") };
            return error.label(place, here);
        }
        let (gap, next) = self.end_of_value(opener, at).unwrap_or((gap, *at));
        error.label(self.lexed.span(&next), format!("a `{close}` is missing before this")).fix(
            format!("put a `{close}` where the value ends"),
            gap,
            close,
        )
    }

    /// The first line end behind an opener where a value ends and another thing begins: no operator and no comma goes on with it.
    fn end_of_value(&self, opener: &Token, at: &Token) -> Option<(Span, Token)> {
        let tokens = &self.lexed.tokens;
        let from = tokens.partition_point(|t| t.start <= opener.start);
        let mut depth = 0i32;
        for pair in tokens[from..].windows(2).take_while(|p| p[1].start <= at.start) {
            let (last, next) = (&pair[0], &pair[1]);
            depth += i32::from(last.kind.is_opener()) - i32::from(last.kind.is_closer());
            let ends = matches!(last.kind, Kind::Name | Kind::Number) || last.kind.is_closer();
            let begins = !(next.kind.is_binary() || next.kind.is_closer() || matches!(next.kind, Kind::Pipe | Kind::Comma));
            if depth == 0 && last.line != next.line && ends && begins {
                return Some((Span { file: self.lexed.file, start: last.end, end: last.end }, *next));
            }
        }
        None
    }
}

/// How far the line of a byte is indented, in characters.
fn indent(text: &str, at: usize) -> usize {
    let line = text[..at].rfind(['\n', '\r']).map_or(0, |p| p + 1);
    text[line..].chars().take_while(|c| matches!(c, ' ' | '\t' | '\u{FEFF}')).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::Sink;
    use crate::source::FileId;
    use crate::syntax::lex::lex;

    /// The text of the bracket that is blamed, with its code.
    fn blamed(text: &str) -> Vec<(Code, usize)> {
        let mut sink = Sink::default();
        let mut report = Report::new(&mut sink);
        let mut lexed = lex(FileId(0), text, &mut report);
        let unmatched = balance(&mut lexed, &mut report);
        assert!(is_balanced(&lexed.tokens));
        let mut said = sink.into_sorted();
        said.extend(unmatched.stray);
        said.iter().map(|d| (d.code, d.primary.as_ref().map_or(0, |p| p.span.start as usize))).collect()
    }

    #[test]
    fn indentation_counts_only_where_brackets_do_not_match() {
        assert_eq!(blamed("net A() {\nlet a = [\n1 ]\n    }\n"), []);
        let inner = "net A() {\n    fn {\n        x\n\n}\nnet B() {\n}\n";
        assert_eq!(blamed(inner), [(Code::H0110, inner.find("fn {").unwrap() + 3)]);
        let extra = "net A() {\n    x\n    }\n    y\n}\n";
        assert_eq!(blamed(extra), [(Code::H0111, extra.find('}').unwrap())]);
    }

    #[test]
    fn a_statement_closes_parentheses() {
        assert_eq!(blamed("net A() {\n    a = (1 +\n    let b = 2\n}\n"), [(Code::H0110, 18)]);
        assert_eq!(blamed("f(x[1)"), [(Code::H0110, 3)]);
        assert_eq!(blamed("x[1)"), [(Code::H0112, 3)]);
    }
}
