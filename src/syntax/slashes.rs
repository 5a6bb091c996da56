//! `k // 2` is `k`: what whole division is elsewhere begins a comment here.
//!
//! In: tokens and comments of a file. Out: a warning at each comment that follows a value on its line, at most one space apart,
//! and reads as one operand (`2`, `n`, `(n + 1)`) or as arithmetic that begins with a number. A comment of words has none.

use super::lex::{Comment, Kind, Lexed, Token};
use crate::diag::{Code, Diagnostic, Sink};
use crate::source::Span;
use std::collections::HashSet;

/// Words that begin a statement which ends in a type or a name, unless it has a value.
const WITHOUT_VALUE: [&str; 8] = ["dim", "import", "input", "condition", "param", "state", "load", "freeze"];

/// Warns of comments that look like divisors.
pub(super) fn warn(lexed: &Lexed, sink: &mut Sink) {
    let mut names: Option<HashSet<&str>> = None;
    for comment in &lexed.comments {
        let Some(rest) = lexed.text.get(comment.start as usize..comment.end as usize).and_then(|t| t.strip_prefix("//")) else {
            continue;
        };
        let operand = rest.trim();
        let looks = operand.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_' || c == '(');
        if !looks || rest.len() - rest.trim_start().len() > 1 || !follows_a_value(lexed, comment) {
            continue;
        }
        let known =
            names.get_or_insert_with(|| lexed.tokens.iter().filter(|t| t.kind == Kind::Name).map(|t| lexed.slice(t)).collect());
        if !is_operand(operand, known) {
            continue;
        }
        let span = Span::new(lexed.file, comment.start as usize, comment.start as usize + 2);
        sink.push(
            Diagnostic::warning(Code::H0151, span, "`//` begins a comment: nothing is divided here")
                .here("the rest of this line is not read")
                .fix(format!("whole division is `div {operand}`"), span, "div"),
        );
    }
}

/// Whether a comment stands behind a value, at most one space apart.
fn follows_a_value(lexed: &Lexed, comment: &Comment) -> bool {
    let n = lexed.tokens.partition_point(|t| t.start < comment.start);
    let Some(last) = lexed.tokens[..n].last() else { return false };
    let near = last.line == comment.line && comment.start - last.end <= 1;
    if !near || !matches!(last.kind, Kind::Name | Kind::Number | Kind::RParen | Kind::RBracket) {
        return false;
    }
    let line: Vec<&Token> = lexed.tokens[..n].iter().rev().take_while(|t| t.line == comment.line).collect();
    let first = line.last().map_or("", |t| lexed.slice(t));
    first != "sub" && (!WITHOUT_VALUE.contains(&first) || line.iter().any(|t| t.kind == Kind::Assign))
}

/// `2`, `n`, `(n + 1)`, `2 + k`: words are names of the file.
fn is_operand(text: &str, known: &HashSet<&str>) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '\'' | '.');
    let mut rest = text;
    let mut wants = true;
    let (mut depth, mut count) = (0i32, 0);
    while let Some(c) = rest.chars().next() {
        if c == ' ' {
            rest = &rest[1..];
        } else if word(c) {
            let end = rest.find(|c: char| !word(c)).unwrap_or(rest.len());
            let (one, after) = rest.split_at(end);
            let number = one.parse::<f64>().is_ok() && one.starts_with(|c: char| c.is_ascii_digit());
            if !wants || !(number || known.contains(one)) {
                return false;
            }
            (wants, rest, count) = (false, after, count + 1);
        } else {
            match c {
                '(' if wants => depth += 1,
                ')' if !wants && depth > 0 => depth -= 1,
                '+' | '-' | '*' | '/' | '^' if !wants => wants = true,
                _ => return false,
            }
            rest = &rest[1..];
        }
    }
    // A word with an operator behind it is prose as often as not: `// b - a`.
    let bare = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    !wants && depth == 0 && (count == 1 || !bare)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FileId;

    fn warned(text: &str) -> usize {
        let mut sink = Sink::default();
        crate::syntax::parse(FileId(0), text, &mut sink);
        sink.list().iter().filter(|d| d.code == Code::H0151).count()
    }

    fn of(line: &str) -> usize {
        warned(&format!("const n = 4, half = 2\nfn f(k: i32) -> i32 {{\n    {line}\n}}\n"))
    }

    #[test]
    fn a_division_of_another_language_is_asked_about() {
        let lines = ["k // 2", "let h = k // 2\n h", "k // n", "k //n", "k // (n + 1)", "(k + 1) // 2", "k// 2", "k // 2 + 1"];
        for line in lines {
            assert_eq!(of(line), 1, "{line}");
        }
        assert_eq!(warned("const a = 7 // 2\n"), 1);
        assert_eq!(warned("dim t = 16 // 2\n"), 1);
    }

    #[test]
    fn comments_of_words_are_comments() {
        let lines = [
            "k // the half",
            "k // two",
            "k    // 2",
            "k //   2",
            "k // (see below)",
            "k // 2 rows",
            "k // half of n",
            "// 2\n k",
        ];
        for line in lines {
            assert_eq!(of(line), 0, "{line}");
        }
        let lines = ["dim b // batch\n", "dim n // n\n", "model M {\n input x: [4] // x\n output y: [4] = x\n}\n"];
        for text in lines {
            assert_eq!(warned(text), 0, "{text}");
        }
    }
}
