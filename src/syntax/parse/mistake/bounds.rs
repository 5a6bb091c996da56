//! What an edit may take hold of: where the statement of a token begins and ends, and the text between two tokens.
//!
//! A line may have several statements, and a statement several lines: an edit of a whole statement asks here for its ends.

use crate::source::Span;
use crate::syntax::lex::Kind;
use crate::syntax::parse::{Mark, Parser};

impl Parser<'_, '_> {
    /// The first token of the statement that token `i` stands in.
    pub(super) fn statement_start(&self, i: usize) -> usize {
        let mut k = i;
        while k > 0 && self.marks[k] != Mark::Start {
            k -= 1;
            // What stands in closed brackets has statements of its own.
            if self.tokens[k].kind.is_closer() {
                k = self.tokens[k].mate as usize;
            }
        }
        k
    }

    /// The token behind the last one of that statement.
    pub(super) fn statement_end(&self, i: usize) -> usize {
        let depth = self.tokens[self.statement_start(i)].depth;
        let ends = |k: &usize| {
            let t = &self.tokens[*k];
            let same = t.depth == depth && !t.kind.is_closer();
            t.kind == Kind::End || t.depth < depth || same && (t.kind == Kind::Semi || *k > i && self.is_past(*k))
        };
        (i..self.tokens.len()).find(ends).unwrap_or(i)
    }

    /// Whether a line ended before token `k`, and the statement with it.
    fn is_past(&self, k: usize) -> bool {
        self.is_first(k) && !self.joins_at(k) && !self.tokens[k - 1].kind.joins_next_line()
    }

    /// Where an operand looser than every operator begins: behind the sign that opens it, or with its statement. Nothing where the
    /// statement begins with a word of its own.
    pub(super) fn operand_start(&self, i: usize) -> Option<usize> {
        let (start, depth) = (self.statement_start(i), self.tokens[i].depth);
        for k in (start..i).rev() {
            let t = &self.tokens[k];
            let opens = matches!(t.kind, Kind::Assign | Kind::Comma | Kind::Colon | Kind::Semi | Kind::Arrow | Kind::In);
            if t.depth < depth || t.depth == depth && opens {
                return Some(k + 1);
            }
        }
        let words = matches!(self.tokens[start].kind, Kind::Let | Kind::Var | Kind::For | Kind::Param | Kind::Sub | Kind::If);
        (start < i && !words && self.tokens[start + 1].kind != Kind::Name).then_some(start)
    }

    /// The token behind the last one of such an operand.
    pub(super) fn operand_end(&self, i: usize) -> usize {
        let (end, depth) = (self.statement_end(i), self.tokens[i].depth);
        let ends = |k: &usize| {
            let t = &self.tokens[*k];
            t.depth < depth || t.depth == depth && matches!(t.kind, Kind::Comma | Kind::Semi | Kind::Colon)
        };
        (i..end).find(ends).unwrap_or(end)
    }

    /// The texts of a call's arguments; `open` is its parenthesis.
    pub(super) fn arguments(&self, open: usize) -> Option<Vec<&str>> {
        let all = self.argument_tokens(open)?;
        Some(all.into_iter().map(|(from, to)| self.text(from, to)).collect())
    }

    /// The tokens of each argument of a call, from the first to the one behind the last.
    pub(super) fn argument_tokens(&self, open: usize) -> Option<Vec<(usize, usize)>> {
        let t = self.tokens.get(open).filter(|t| t.kind == Kind::LParen)?;
        let (close, inside) = (t.mate as usize, t.depth + 1);
        let mut out = Vec::new();
        let mut from = open + 1;
        for k in open + 1..=close {
            let comma = self.tokens[k].kind == Kind::Comma && self.tokens[k].depth == inside;
            if (comma || k == close) && k > from {
                out.push((from, k));
                from = k + 1;
            }
        }
        Some(out)
    }

    /// The first token of the line of token `i`.
    pub(super) fn line_start(&self, i: usize) -> usize {
        (0..=i).rev().find(|k| self.is_first(*k)).unwrap_or(0)
    }

    /// The token after the last one of the line of token `i`.
    pub(super) fn line_end(&self, i: usize) -> usize {
        let line = self.tokens[i].line;
        (i..self.tokens.len()).find(|k| self.tokens[*k].line != line || self.tokens[*k].kind == Kind::End).unwrap_or(i)
    }

    pub(super) fn span(&self, from: usize, to: usize) -> Span {
        self.lexed.span(&self.tokens[from]).to(self.lexed.span(&self.tokens[to - 1]))
    }

    pub(super) fn text(&self, from: usize, to: usize) -> &str {
        if from >= to {
            return "";
        }
        let (a, b) = (self.tokens[from].start as usize, self.tokens[to - 1].end as usize);
        self.lexed.text.get(a..b).unwrap_or("")
    }
}
