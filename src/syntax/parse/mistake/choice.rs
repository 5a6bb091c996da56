//! `a if c else b`: a choice as Python writes it.

use crate::diag::Diagnostic;
use crate::syntax::lex::Kind;
use crate::syntax::parse::Parser;

const CHOICE: &str = "a choice is `if c { a } else { b }`";

impl Parser<'_, '_> {
    /// The message about the `if` at token `i`, behind a value.
    pub(super) fn ternary(&self, i: usize, mut error: Diagnostic) -> Diagnostic {
        // What was offered without knowing of this habit, a comma perhaps.
        error.help = None;
        let to = self.operand_end(i);
        let choice = self.operand_start(i).and_then(|from| Some((from, self.choice(from, i, to)?)));
        match choice {
            Some((from, text)) => error.fix(CHOICE, self.span(from, to), text),
            None => error.help(CHOICE),
        }
    }

    /// The choice that these tokens are, `at` being the first `if` among them that has a value before it. A chain is one here too.
    pub(super) fn choice(&self, from: usize, at: usize, to: usize) -> Option<String> {
        let depth = self.tokens[at].depth;
        let next = |kind: Kind, from: usize| (from..to).find(|k| self.tokens[*k].kind == kind && self.tokens[*k].depth == depth);
        let other = next(Kind::Else, at)?;
        let (a, c) = (self.text(from, at), self.text(at + 1, other));
        // Braces are of this language: then something else is wrong.
        let braces = self.tokens[other - 1].kind == Kind::RBrace || self.tokens.get(other + 1)?.kind == Kind::LBrace;
        // In braces a line end would end a statement.
        let lines = self.text(from, to).contains(['\n', '\r']);
        if braces || lines || a.is_empty() || c.is_empty() || other + 1 >= to || next(Kind::For, from).is_some() {
            return None;
        }
        let rest = match next(Kind::If, other + 1) {
            None => format!("{{ {} }}", self.text(other + 1, to)),
            Some(again) if again > other + 1 => self.choice(other + 1, again, to)?,
            Some(_) => return None,
        };
        Some(format!("if {c} {{ {a} }} else {rest}"))
    }
}
