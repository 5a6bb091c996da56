//! What people write who come from Python, and what stands for it here.
//!
//! In: the tokens around a place where something else was expected. Out: the message with the right word, and an edit where one line is
//! all that has to change: an edit that only leads to the next mistake is none.

use crate::diag::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind};
use crate::syntax::lex::Kind;
use crate::syntax::parse::{Parse, Parser};

/// Modules whose names stand before functions and layers elsewhere.
pub(super) const MODULES: [&str; 12] = ["torch", "nn", "F", "np", "numpy", "jnp", "jax", "math", "tf", "keras", "flax", "einops"];
/// Functions that are written without parentheses at times.
const FUNCTIONS: [&str; 16] = [
    "relu", "exp", "log", "sqrt", "sin", "cos", "tanh", "sigmoid", "softplus", "gelu", "silu", "abs", "floor", "round", "number",
    "norm",
];
/// What stands for `where(c, a, b)`.
const CHOICE: &str = "a choice is `if c { a } else { b }`, of each element `let y[i] = if c[i] { a[i] } else { b[i] }`; `where` leaves terms out of a sum";
/// Arguments that say along which axis.
const ALONG: [&str; 5] = ["dim", "axis", "dims", "keepdim", "keepdims"];

impl Parser<'_, '_> {
    /// The message, with better advice where a habit explains the mistake.
    pub(in crate::syntax::parse) fn advised(&self, error: Diagnostic) -> Diagnostic {
        let at = error.primary.as_ref().map_or(0, |p| p.span.start);
        let i = self.tokens.partition_point(|t| t.start < at);
        if self.tokens.get(i).is_none_or(|t| t.start != at) {
            return self.at_the_end(error);
        }
        let before = i.checked_sub(1).map_or(Kind::End, |k| self.tokens[k].kind);
        let last = i.checked_sub(1).map_or("", |k| self.word(k));
        match (error.code, self.tokens[i].kind) {
            (Code::H0133 | Code::H0121 | Code::H0134, Kind::Colon | Kind::Number) => self.slice(i, error),
            (Code::H0134, Kind::Assign) if ALONG.contains(&last) => self.along(i - 1, error),
            (Code::H0134, Kind::Name) if self.word(i) == "as" => {
                error.help("what is imported is used under its own name: leave `as` and the new name out")
            }
            (Code::H0133, Kind::Where) => error.help(CHOICE),
            (Code::H0133, Kind::Assign) if before == Kind::EqEq && self.touches_at(i) => {
                let both = self.span(i - 1, i + 1);
                error.fix("equal is `==`", both, "==")
            }
            (Code::H0133, Kind::Assign) if matches!(before, Kind::Plus | Kind::Minus | Kind::Star | Kind::Slash) => {
                self.assigned(i, error)
            }
            (Code::H0132, Kind::LBrace) if self.range_call(i).is_some() => self.counted(i, error),
            (Code::H0132, Kind::LBrace) if i >= 2 && self.tokens[i - 2].kind == Kind::In => self.over_nets(i, error),
            (Code::H0132, _) if self.word(self.line_start(i)) == "import" => self.foreign_import(self.line_start(i), error),
            // Kernel, then channels: the numbers of others would be taken for something else.
            (Code::H0132, Kind::Dot) if MODULES.contains(&last) && self.word(i + 1).starts_with("Conv") => error.help(
                "a net of the library is imported and has no prefix, and a convolution's arguments come in another order: `import std.conv { Conv2d }`, \
                 `Conv2d(k, c, o)`: its kernel, then channels in and out",
            ),
            (Code::H0132, Kind::Dot) if MODULES.contains(&last) => {
                let both = self.span(i - 1, i + 1);
                error.fix("a net of the library is imported, `import std.linear { Linear }`, and has no prefix", both, "")
            }
            (Code::H0132, Kind::LParen) if i >= 2 && self.word(i - 2) == "model" => error.help(
                "a model has no arguments: its sizes are dims and constants of the file, `dim d` or `const d = 64`; a `net` has arguments",
            ),
            (Code::H0144, Kind::Comma) => error.help("a `let` names one value: write one for each; several results have names, `r.first`"),
            (Code::H0131, Kind::Name) if self.word(i) == "elif" => {
                error.fix("write `else if`", self.span(i, i + 1), "else if")
            }
            (Code::H0131, Kind::If) => self.ternary(i, error),
            (Code::H0131, _) if last == "return" => {
                let word = Span { end: self.tokens[i].start, ..self.span(i - 1, i) };
                error.fix("the value of a block is the expression that stands last", word, "")
            }
            (Code::H0131, _) if last == "lambda" => {
                error.help("a function is an item of the file: `fn f(v: f32) -> f32 { v + 1 }`")
            }
            (Code::H0131, _) if before == Kind::Name && i >= 2 => self.applied(i, error),
            (Code::H0130, Kind::Name) => self.foreign_item(i, error),
            _ => error,
        }
    }

    /// As [`Self::advised`], where the line ended too soon.
    fn at_the_end(&self, error: Diagnostic) -> Diagnostic {
        let start = (0..self.at).rev().find(|k| self.is_first(*k)).unwrap_or(0);
        if error.code == Code::H0132 && self.word(start) == "import" {
            return self.foreign_import(start, error);
        }
        error
    }

    /// `x.mean()`, `x.mean(dim=1)`: gives up.
    pub(in crate::syntax::parse) fn reduction_as_part<T>(&mut self, base: &Expr) -> Parse<T> {
        let (span, word) = (self.here(), self.word(self.at));
        let error = Diagnostic::error(
            Code::H0120,
            span,
            format!("`{word}` is a reserved word and cannot be the name of a field or part"),
        );
        if let ExprKind::Name(module) = &*base.kind
            && MODULES.contains(&&**module)
        {
            return self.fail(error.fix("functions have no prefix", Span { end: span.start, ..base.span }, ""));
        }
        let help = format!(
            "it stands before what it is taken of: `{word}(x)` along the sized axis, `{word}[i] x[i]` along one with a name"
        );
        let open = self.at + 1;
        let called = self.peek(1) == Kind::LParen && self.touches_at(open);
        // An axis that is counted may be another one: what is meant is for the writer to say.
        if !called || !self.is_last_axis(open + 1, self.tokens[open].mate as usize) {
            return self.fail(error.help(help));
        }
        let close = self.tokens[self.tokens[open].mate as usize];
        let rest = Span { start: base.span.end, end: close.end, ..span };
        let first = Span { end: base.span.start, ..base.span };
        self.fail(error.fixes(help, vec![(first, format!("{word}(")), (rest, ")".to_string())]))
    }

    /// `torch.where(c, a, b)`, `x.for(y)`: gives up. Nothing is called by a word that begins a statement.
    pub(in crate::syntax::parse) fn statement_as_part<T>(&mut self) -> Parse<T> {
        let (span, word) = (self.here(), self.word(self.at));
        let message = format!("`{word}` is a reserved word and cannot be the name of a field or part");
        let error = Diagnostic::error(Code::H0120, span, message);
        self.fail(if self.kind() == Kind::Where { error.help(CHOICE) } else { error })
    }

    /// Whether the arguments of a function name no axis, or the last one, which is the sized axis.
    fn is_last_axis(&self, from: usize, to: usize) -> bool {
        let said: String = self.text(from, to).split_whitespace().collect();
        matches!(said.as_str(), "" | "-1" | "dim=-1" | "axis=-1")
    }

    /// `softmax(x, dim=-1)`: from the comma before it to the next one, or to the closing parenthesis.
    fn along(&self, name: usize, error: Diagnostic) -> Diagnostic {
        let depth = self.tokens[name].depth;
        let end = (name..self.tokens.len()).find(|k| {
            let t = &self.tokens[*k];
            t.kind == Kind::End || t.kind == Kind::Comma && t.depth == depth || t.kind == Kind::RParen && t.depth < depth
        });
        let first = if self.tokens[name - 1].kind == Kind::Comma { name - 1 } else { name };
        let help = "axes are named, not counted: a function runs along the sized axis, and `sum[i] x[i]` or `softmax[t](x)` along one that it names";
        let open = (0..name).rev().find(|k| self.tokens[*k].mate as usize > name && self.tokens[*k].kind == Kind::LParen);
        let prefixed = open.is_some_and(|o| o >= 2 && self.tokens[o - 2].kind == Kind::Dot);
        let sure = |end: usize| self.word(name).starts_with("keep") || self.is_last_axis(name, end);
        match end.filter(|end| !prefixed && sure(*end)) {
            Some(end) => error.fix(help, self.span(first, end), ""),
            None => error.help(help),
        }
    }

    /// `h += 1`
    fn assigned(&self, i: usize, error: Diagnostic) -> Diagnostic {
        let (start, end) = (self.line_start(i), self.line_end(i));
        let operator = self.word(i - 1);
        let (place, value) = (self.text(start, i - 1), self.text(i + 1, end));
        if place.is_empty() || value.is_empty() || self.tokens[start].depth != self.tokens[i].depth {
            return error;
        }
        let alone = end == i + 2;
        let value = if alone { value.to_string() } else { format!("({value})") };
        let help = "there is no assignment with an operator; a value that changes is a `var`";
        error.fix(help, self.span(start, end), format!("{place} = {place} {operator} {value}"))
    }

    /// The call of `range` that stands before `{` in a loop: its name's token.
    fn range_call(&self, brace: usize) -> Option<usize> {
        let close = brace.checked_sub(1)?;
        let open = self.tokens[close].mate as usize;
        (self.tokens[close].kind == Kind::RParen && open > 0 && self.word(open - 1) == "range").then(|| open - 1)
    }

    /// `for l in range(3) {`
    fn counted(&self, brace: usize, error: Diagnostic) -> Diagnostic {
        let Some(name) = self.range_call(brace) else { return error };
        let help = "a loop's range is written `0..n`";
        let range = match self.arguments(name + 1).as_deref() {
            Some([n]) => format!("0..{n}"),
            Some([a, b]) => format!("{a}..{b}"),
            _ => return error.help("a loop's range is written `0..n` and goes up by one: take steps with `2 * i`"),
        };
        error.fix(help, self.span(name, brace), range)
    }

    /// `a if c else b`
    fn ternary(&self, i: usize, error: Diagnostic) -> Diagnostic {
        let (start, end) = (self.line_start(i), self.line_end(i));
        let depth = self.tokens[i].depth;
        let from = (start..i).rev().find(|k| self.tokens[*k].kind == Kind::Assign && self.tokens[*k].depth == depth);
        let other = (i..end).find(|k| self.tokens[*k].kind == Kind::Else && self.tokens[*k].depth == depth);
        let help = "a choice is `if c { a } else { b }`";
        match (from, other) {
            (Some(from), Some(other)) if other > i + 1 && end > other + 1 => {
                let (a, c, b) = (self.text(from + 1, i), self.text(i + 1, other), self.text(other + 1, end));
                error.fix(help, self.span(from + 1, end), format!("if {c} {{ {a} }} else {{ {b} }}"))
            }
            _ => error,
        }
    }

    /// `relu x`
    fn applied(&self, i: usize, error: Diagnostic) -> Diagnostic {
        let (start, end) = (self.line_start(i), self.line_end(i));
        let value = matches!(self.tokens[i].kind, Kind::Name | Kind::Number);
        let after = matches!(self.tokens[i - 2].kind, Kind::Assign | Kind::Plus | Kind::Star | Kind::LParen | Kind::Comma);
        if !value || !after || start == i - 1 || end != i + 1 {
            return error;
        }
        let (f, x) = (self.word(i - 1), self.word(i));
        if !FUNCTIONS.contains(&f) {
            return error;
        }
        error.fix("what a function is called with stands in parentheses", self.span(i - 1, i + 1), format!("{f}({x})"))
    }

    /// `def f(x):`, `class Net(nn.Module):`
    fn foreign_item(&self, i: usize, error: Diagnostic) -> Diagnostic {
        match self.word(i) {
            "from" => self.foreign_import(i, error),
            "def" => error.help("a function is `fn f(x: f32) -> f32 { .. }`, and its value is the expression that stands last"),
            "class" => error.help(
                "a part that is used several times is `net Name(sizes) { .. }`, what runs and is trained is `model Name { .. }`",
            ),
            _ => error,
        }
    }

    /// The texts of a call's arguments; `open` is its parenthesis.
    fn arguments(&self, open: usize) -> Option<Vec<&str>> {
        let t = self.tokens.get(open).filter(|t| t.kind == Kind::LParen)?;
        let (close, inside) = (t.mate as usize, t.depth + 1);
        let mut out = Vec::new();
        let mut from = open + 1;
        for k in open + 1..=close {
            let comma = self.tokens[k].kind == Kind::Comma && self.tokens[k].depth == inside;
            if (comma || k == close) && k > from {
                out.push(self.text(from, k));
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
