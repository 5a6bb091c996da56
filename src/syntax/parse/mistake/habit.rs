//! What people write who come from Python, and what stands for it here.
//!
//! In: the tokens around a place where something else was expected. Out: the message with the right word, and an edit where one line is
//! all that has to change: an edit that only leads to the next mistake is none.

use crate::diag::{Code, Diagnostic};
use crate::source::Span;
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
            (Code::H0133, Kind::DotDot) if self.is_ellipsis(i) => self.slice(i, error),
            (Code::H0134, Kind::For) => self.comprehension(i, error),
            (Code::H0131 | Code::H0134, Kind::If) => self.ternary(i, error),
            (Code::H0133, Kind::Assign) if before == Kind::EqEq && self.touches_at(i) => {
                let both = self.span(i - 1, i + 1);
                error.fix("equal is `==`", both, "==")
            }
            (Code::H0133, Kind::Assign) if matches!(before, Kind::Plus | Kind::Minus | Kind::Star | Kind::Slash) => {
                self.assigned(i, error)
            }
            (Code::H0132, Kind::LBrace) if self.range_call(i).is_some() => self.counted(i, error),
            (Code::H0132, Kind::LBrace) if i >= 2 && self.tokens[i - 2].kind == Kind::In => self.over_nets(i, error),
            (Code::H0132, Kind::Colon) => self.indented(i, error),
            (Code::H0132, _) if self.word(self.line_start(i)) == "import" => self.foreign_import(self.line_start(i), error),
            (Code::H0132, Kind::Dot) if MODULES.contains(&last) => self.prefixed_net(i, error),
            (Code::H0132, Kind::LParen) if i >= 2 && self.word(i - 2) == "model" => error.help(
                "a model has no arguments: its sizes are dims and constants of the file, `dim d` or `const d = 64`; a `net` has arguments",
            ),
            (Code::H0144, Kind::Comma) => error.help("a `let` names one value: write one for each; several results have names, `r.first`"),
            (Code::H0131, Kind::Name) if self.word(i) == "elif" => {
                error.fix("write `else if`", self.span(i, i + 1), "else if")
            }
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

    /// `torch.where(c, a, b)`, `x.for(y)`: gives up. Nothing is called by a word that begins a statement.
    pub(in crate::syntax::parse) fn statement_as_part<T>(&mut self) -> Parse<T> {
        let (span, word) = (self.here(), self.word(self.at));
        let message = format!("`{word}` is a reserved word and cannot be the name of a field or part");
        let error = Diagnostic::error(Code::H0120, span, message);
        self.fail(if self.kind() == Kind::Where { error.help(CHOICE) } else { error })
    }

    /// `sub fc = nn.Linear(4, 2)`; the dot is token `i`.
    fn prefixed_net(&self, i: usize, error: Diagnostic) -> Diagnostic {
        let mut dot = i;
        while self.tokens.get(dot + 2).is_some_and(|t| t.kind == Kind::Dot) && MODULES.contains(&self.word(dot + 1)) {
            dot += 2;
        }
        // Kernel, then channels: the numbers of others would be taken for something else.
        if self.word(dot + 1).starts_with("Conv") {
            return error.help(
                "a net of the library is imported and has no prefix, and a convolution's arguments come in another order: `import std.conv { Conv2d }`, \
                 `Conv2d(k, c, o)`: its kernel, then channels in and out",
            );
        }
        let prefix = self.span(i - 1, dot + 1);
        error.fix("a net of the library is imported, `import std.linear { Linear }`, and has no prefix", prefix, "")
    }

    /// `softmax(x, dim=-1)`: all that says an axis, with the comma before it.
    fn along(&self, name: usize, error: Diagnostic) -> Diagnostic {
        let help = "axes are named, not counted: a function runs along the sized axis, and `sum[i] x[i]` or `softmax[t](x)` along one that it names";
        let open = (0..name).rev().find(|k| self.tokens[*k].mate as usize > name && self.tokens[*k].kind == Kind::LParen);
        let Some(open) = open else { return error.help(help) };
        if let Some(says) = self.joined(open) {
            return error.help(says);
        }
        let args = self.argument_tokens(open).unwrap_or_default();
        let first = args.iter().position(|(from, _)| *from == name).unwrap_or(args.len());
        let (mut counted, mut others) = (0, 0);
        for (from, to) in &args[first..] {
            match self.word(*from) {
                "keepdim" | "keepdims" => {}
                "dim" | "axis" if self.is_last_axis(*from, *to) => counted += 1,
                _ => others += 1,
            }
        }
        let prefixed = open >= 2 && self.tokens[open - 2].kind == Kind::Dot;
        if prefixed || first == 0 || (counted, others) != (1, 0) {
            return error.help(help);
        }
        let close = self.tokens[open].mate as usize;
        let (before, behind) = (self.span(name - 1, name), self.span(close, close + 1));
        error.fix(help, Span { end: behind.start, ..before }, "")
    }

    /// What is said of a call that joins values along an axis that it counts; its parenthesis is token `open`.
    pub(super) fn joined(&self, open: usize) -> Option<&'static str> {
        if self.tokens[open].kind != Kind::LParen {
            return None;
        }
        match open.checked_sub(1).map_or("", |k| self.word(k)) {
            "cat" | "concat" | "concatenate" => {
                Some("values are joined along their first size by `concat(a, b)`, along a named axis by `concat[t](a, b)`")
            }
            "stack" => {
                Some("equal values are put along a new first size by `stack(a, b)`; `let y[i, j] = ..` says another order")
            }
            _ => None,
        }
    }

    /// `h += 1`
    fn assigned(&self, i: usize, error: Diagnostic) -> Diagnostic {
        let (start, end) = (self.statement_start(i), self.statement_end(i));
        let operator = self.word(i - 1);
        let (place, value) = (self.text(start, i - 1), self.text(i + 1, end));
        if place.is_empty() || value.is_empty() || self.tokens[start].depth != self.tokens[i].depth {
            return error;
        }
        let depth = self.tokens[i].depth;
        let chosen = (i + 2..end).find(|k| self.tokens[*k].kind == Kind::If && self.tokens[*k].depth == depth);
        let value = match chosen.and_then(|at| self.choice(i + 1, at, end)) {
            Some(choice) => format!("({choice})"),
            None if end == i + 2 => value.to_string(),
            None => format!("({value})"),
        };
        let help = "there is no assignment with an operator; a value that changes is a `var`";
        error.fix(help, self.span(start, end), format!("{place} = {place} {operator} {value}"))
    }

    /// The call of `range` that stands before a token: its name's token.
    pub(super) fn range_call(&self, behind: usize) -> Option<usize> {
        let close = behind.checked_sub(1)?;
        let open = self.tokens[close].mate as usize;
        (self.tokens[close].kind == Kind::RParen && open > 0 && self.word(open - 1) == "range").then(|| open - 1)
    }

    /// What a call of `range` is here; `name` is its word.
    pub(super) fn range_of(&self, name: usize) -> Option<String> {
        match self.arguments(name + 1).as_deref() {
            Some([n]) => Some(format!("0..{n}")),
            Some([a, b]) => Some(format!("{a}..{b}")),
            _ => None,
        }
    }

    /// `for l in range(3) {`
    fn counted(&self, brace: usize, error: Diagnostic) -> Diagnostic {
        let Some(name) = self.range_call(brace) else { return error };
        match self.range_of(name) {
            Some(range) => error.fix("a loop's range is written `0..n`", self.span(name, brace), range),
            None => error.help("a loop's range is written `0..n` and goes up by one: take steps with `2 * i`"),
        }
    }

    /// `relu x`
    fn applied(&self, i: usize, error: Diagnostic) -> Diagnostic {
        let (start, end) = (self.statement_start(i), self.statement_end(i));
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
}
