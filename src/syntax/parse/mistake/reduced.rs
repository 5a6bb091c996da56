//! Reductions as Python writes them: `x.mean()`, `torch.sum(x, dim=-1)`, `x.max(-1).values`.
//!
//! In: a reduction word behind a dot. Out: the message, with an edit where both languages certainly mean the same: along the last axis, which is
//! the sized one here, or where the value has no other. Without an axis everything becomes one number there, and here a number for each
//! example: then both are said, and the writer chooses.

use super::habit::MODULES;
use crate::diag::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind};
use crate::syntax::lex::Kind;
use crate::syntax::parse::{Parse, Parser};

/// What a reduction goes along.
#[derive(Clone, Copy, PartialEq)]
enum Along {
    /// The last axis, or the only one.
    Last,
    /// Everything.
    All,
    /// None of these; an axis that is counted, say.
    Other,
    /// `torch.max(a, b)`: nothing is reduced.
    Pair,
}

impl Parser<'_, '_> {
    /// `x.mean()`, `torch.sum(x)`: gives up.
    pub(in crate::syntax::parse) fn reduction_as_part<T>(&mut self, base: &Expr) -> Parse<T> {
        let (span, word) = (self.here(), self.word(self.at));
        let error = Diagnostic::error(
            Code::H0120,
            span,
            format!("`{word}` is a reserved word and cannot be the name of a field or part"),
        );
        let (module, open) = (module_of(base), self.at + 1);
        let called = self.peek(1) == Kind::LParen && self.touches_at(open);
        let args = if called { self.argument_tokens(open).unwrap_or_default() } else { vec![] };
        let lead = if module.is_some() { "functions have no prefix; " } else { "" };
        let (value, rest) = match module {
            None => (None, &args[..]),
            Some(_) if args.is_empty() => return self.fail(error.help(format!("{lead}{}", both(word)))),
            Some(_) => (Some(args[0]), &args[1..]),
        };
        let name = match value {
            Some((from, to)) if to == from + 1 => self.word(from),
            Some(_) => "",
            None => match &*base.kind {
                ExprKind::Name(name) => &**name,
                _ => "",
            },
        };
        let along = if called { self.along_of(module, word, name, rest) } else { Along::Other };
        let end = self.tokens[open].mate as usize;
        match along {
            Along::Pair => self.fail(error.fix("functions have no prefix", Span { end: span.start, ..base.span }, "")),
            Along::All => self.fail(error.help(format!("{lead}{}", both(word)))),
            Along::Other => self.fail(error.help(format!("{lead}{}", named(word)))),
            Along::Last => match self.picked_of_pair(word, module, end) {
                None => self.fail(error.help(format!("{lead}`{word}(x)` is the value alone, and `arg{word}(x)` its place"))),
                Some((word, end)) => {
                    let (first, last) = match value {
                        Some((from, to)) => (self.span(from, to).start, self.span(from, to).end),
                        None => (base.span.start, base.span.end),
                    };
                    let before = Span { end: first, ..base.span };
                    let after = Span { start: last, ..self.span(end, end + 1) };
                    self.fail(
                        error.fixes(format!("{lead}{}", named(word)), vec![(before, format!("{word}(")), (after, ")".into())]),
                    )
                }
            },
        }
    }

    /// What the arguments besides the value say.
    fn along_of(&self, module: Option<&str>, word: &str, value: &str, rest: &[(usize, usize)]) -> Along {
        let texts = rest.iter().map(|(a, b)| self.text(*a, *b).split_whitespace().collect::<String>());
        // An axis of length 1 that is kept meets others as none does here.
        let texts: Vec<String> = texts.filter(|t| !t.starts_with("keepdim")).collect();
        let declared = self.declared_axes(value);
        let only = declared.as_ref().is_some_and(|d| d.sure && matches!(d.axes.as_slice(), [one] if !one.named));
        match texts.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
            [] if rest.is_empty() && only => Along::Last,
            // JAX takes the last axis, PyTorch the second of two, and the first of three.
            [] if rest.is_empty() && word == "softmax" => match (module, &declared) {
                (Some("jax" | "jnp"), _) => Along::Last,
                (_, Some(d)) if d.sure && matches!(d.axes.as_slice(), [_, last] if !last.named) => Along::Last,
                _ => Along::All,
            },
            [] => Along::All,
            ["-1" | "dim=-1" | "axis=-1"] if declared.as_ref().is_none_or(|d| d.axes.last().is_some_and(|a| !a.named)) => {
                Along::Last
            }
            [other] if matches!(word, "max" | "min") && module == Some("torch") && !self.is_axis(other) => Along::Pair,
            _ => Along::Other,
        }
    }

    /// What is taken of the pair that PyTorch gives for the greatest along an axis, and the last token of the expression. Nothing where it
    /// is an element perhaps.
    fn picked_of_pair<'w>(&self, word: &'w str, module: Option<&str>, end: usize) -> Option<(&'w str, usize)> {
        let plain = Some((word, end));
        let place = match word {
            "max" => "argmax",
            "min" => "argmin",
            _ => return plain,
        };
        let arrays = module.is_some_and(|m| m != "torch");
        match self.tokens.get(end + 1).filter(|_| self.touches_at(end + 1)).map(|t| t.kind) {
            Some(Kind::Dot) if self.word(end + 2) == "values" => Some((word, end + 2)),
            Some(Kind::Dot) if self.word(end + 2) == "indices" => Some((place, end + 2)),
            Some(Kind::LBracket) if !arrays => None,
            _ => plain,
        }
    }

    /// Whether an argument says an axis: a number or its name, or a keyword.
    fn is_axis(&self, text: &str) -> bool {
        let number = |k: usize| matches!(self.tokens.get(k).map(|t| t.kind), Some(Kind::Number | Kind::Minus));
        let counts = |k: usize| self.word(k) == text && self.tokens[k + 1].kind == Kind::Assign && number(k + 2);
        text.contains(['=', ':'])
            || text.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit() || c == '(')
            || (0..self.tokens.len() - 1).any(counts)
    }

    /// Whether the arguments of a function name no axis, or the last one, which is the sized axis.
    pub(super) fn is_last_axis(&self, from: usize, to: usize) -> bool {
        let said: String = self.text(from, to).split_whitespace().collect();
        matches!(said.as_str(), "" | "-1" | "dim=-1" | "axis=-1")
    }
}

/// The module of another language that an expression names: `torch`, `torch.nn.functional`.
fn module_of(e: &Expr) -> Option<&str> {
    match &*e.kind {
        ExprKind::Name(word) => MODULES.contains(&&**word).then_some(&**word),
        ExprKind::Field { base, .. } => module_of(base),
        _ => None,
    }
}

/// How a reduction is written along an axis.
fn named(word: &str) -> String {
    format!("it stands before what it is taken of: `{word}(x)` along the sized axis, `{word}[i] x[i]` along one with a name")
}

/// How both readings of a reduction without an axis are written.
fn both(word: &str) -> String {
    let one = format!("`{word}(x)` goes along the sized axis, one number for each example");
    match word {
        "argmax" | "argmin" => format!("{one}; the place among all is `let flat[(b, i)] = x[b, i]`, then `{word}(flat)`"),
        "softmax" => one,
        _ => format!("{one}; everything together is `{word}[b, i] x[b, i]`"),
    }
}
