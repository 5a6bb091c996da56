//! Blocks as Python writes them: `for i in range(3): ..`, `if c: ..`, `else: ..`, and lists that are made by loops.

use crate::diag::Diagnostic;
use crate::source::Span;
use crate::syntax::lex::Kind;
use crate::syntax::parse::Parser;

const BRACES: &str = "a block stands in braces: `for i in 0..n { .. }`, `if c { .. } else { .. }`";

impl Parser<'_, '_> {
    /// The message about a colon where a block was to begin: an edit where the whole block stands on the line.
    pub(super) fn indented(&self, colon: usize, error: Diagnostic) -> Diagnostic {
        let (start, depth) = (self.statement_start(colon), self.tokens[colon].depth);
        let heads = |k: &usize| {
            let t = &self.tokens[*k];
            t.depth == depth && matches!(t.kind, Kind::For | Kind::If | Kind::Else)
        };
        let Some(head) = (start..colon).rev().find(heads) else { return error };
        let plain = Diagnostic { help: None, ..error };
        let range = match self.tokens[head].kind {
            Kind::For => self.python_range(head, colon),
            _ => Some(vec![]),
        };
        let (Some(mut edits), Some(block)) = (range, self.block_on_line(colon)) else { return plain.help(BRACES) };
        edits.push(block);
        plain.fixes(BRACES, edits)
    }

    /// What turns the range of a loop into one of this language; nothing: it is none.
    fn python_range(&self, head: usize, colon: usize) -> Option<Vec<(Span, String)>> {
        if let Some(name) = self.range_call(colon) {
            return Some(vec![(self.span(name, colon), self.range_of(name)?)]);
        }
        let ends = (head..colon).any(|k| self.tokens[k].kind == Kind::DotDot);
        ends.then(Vec::new)
    }

    /// The braces for what stands behind a colon on its line.
    fn block_on_line(&self, colon: usize) -> Option<(Span, String)> {
        let (depth, end) = (self.tokens[colon].depth, self.line_end(colon));
        let to = (colon + 1..end).find(|k| self.tokens[*k].depth < depth).unwrap_or(end);
        let inside = |k: usize| !self.tokens[k].kind.is_opener() || (self.tokens[k].mate as usize) < to;
        if to == colon + 1 || !(colon + 1..to).all(inside) {
            return None;
        }
        let body = match self.text(colon + 1, to).trim_end_matches(';') {
            "pass" => " { }".to_string(),
            body => format!(" {{ {body} }}"),
        };
        Some((self.span(colon, to), body))
    }

    /// `[f(x) for x in xs]`
    pub(super) fn comprehension(&self, i: usize, error: Diagnostic) -> Diagnostic {
        if self.tokens[self.statement_start(i)].kind == Kind::Sub {
            return error.help(
                "equal nets are an array, `sub layer[4] = Linear(8, 8)`, of which `layer[0]` is the first; unequal ones a family, \
                 `sub layer[l < 4] = Linear(8, 8 + l)`",
            );
        }
        error.help("a value for each place of an index is `let y[i < 4] = ..`, a sum over them `sum[i < 4] ..`, and what rounds collect `for i in 0..4 { yield .. }`")
    }
}
