//! Expressions and declarations of the wrong shape.

use crate::diag::{Code, Diagnostic, Help};
use crate::source::Span;
use crate::syntax::ast::{BinaryOp, Expr, ExprKind, Ident, UnaryOp};
use crate::syntax::lex::Kind;
use crate::syntax::parse::{Fail, Parse, Parser};

impl Parser<'_, '_> {
    /// `x |> f + 1`: an operator after a pipe. The parser goes on.
    pub(in crate::syntax::parse) fn pipe_meets_operator(&mut self, pipe: Span) {
        let sign = self.word(self.at);
        let mut error = Diagnostic::error(Code::H0141, self.here(), format!("`{sign}` cannot follow a pipe"))
            .label(pipe, "`|>` binds loosest, so this would be ambiguous");
        let edits =
            vec![(Span { end: pipe.start, ..pipe }, "(".to_string()), (Span { start: pipe.end, ..pipe }, ")".to_string())];
        error.help = Some(Help { text: "put the pipe in parentheses".to_string(), edits });
        self.say(error);
    }

    /// `a < b < c`. The parser goes on.
    pub(in crate::syntax::parse) fn comparison_chain(&mut self, middle: Span, op: Span) {
        let text = self.lexed.text.get(middle.start as usize..middle.end as usize).unwrap_or("b");
        let error = Diagnostic::error(Code::H0140, op, "comparisons do not chain").label(middle, "this is compared twice");
        let before = Span { end: op.start, ..op };
        // What stands before both, `not` for one, would be of the first alone.
        let begin = self.lexed.text[..middle.start as usize].rfind('\n').map_or(0, |at| at + 1);
        let negated = self.lexed.text[begin..middle.start as usize].split(|c: char| !c.is_alphanumeric()).any(|w| w == "not");
        self.say(match negated {
            true => error.help(format!("compare twice, with `and` between: `not (a < {text} and {text} < c)`")),
            false => error.fix("compare twice, with `and` between", before, format!("and {text} ")),
        });
    }

    /// `if c{ .. }`, `net{theta}`. The parser reads a block.
    pub(in crate::syntax::parse) fn brace_touches(&mut self) {
        let error = Diagnostic::error(Code::H0146, self.here(), "this `{` touches what stands before it, but sets no parameters");
        let error = error.fix("before a block stands a space; parameters are set by `net{* = theta}`", self.gap(), " ");
        self.say(error);
        self.brace = Some(self.at);
    }

    /// `()` as a value.
    pub(in crate::syntax::parse) fn empty_parens<T>(&mut self) -> Parse<T> {
        let span = self.here().to(self.lexed.span(&self.tokens[self.at + 1]));
        let error = Diagnostic::error(Code::H0133, span, "expected an expression in these parentheses");
        self.fail(error.help("a call touches what it calls: `f()`"))
    }

    /// `(a, c)` outside index lists.
    pub(in crate::syntax::parse) fn not_a_tuple<T>(&mut self, opener: usize) -> Parse<T> {
        let close = self.tokens[self.tokens[opener].mate as usize];
        let span = self.lexed.span(&self.tokens[opener]).to(self.lexed.span(&close));
        let error = Diagnostic::error(Code::H0143, span, "several values in parentheses have names")
            .note("without names, `(a, c)` is a merged index, which stands directly in an index list");
        if let Some(says) = opener.checked_sub(1).and_then(|call| self.joined(call)) {
            return self.fail(error.help(says));
        }
        self.fail(error.help("write `(first: a, second: c)`, or `[a, c]` for a list"))
    }

    /// `if a = b`. The parser goes on as if `==` stood there.
    pub(in crate::syntax::parse) fn single_equals(&mut self) {
        let error = Diagnostic::error(Code::H0142, self.here(), "`=` gives a value; a condition compares with `==`");
        self.say(error.fix("write `==`", self.here(), "=="));
    }

    /// Gives up: a range was expected.
    pub(in crate::syntax::parse) fn no_range<T>(&mut self, from: Span) -> Parse<T> {
        let error = self.expectation(Code::H0132, "`..`", "and the end of a range");
        let before = Span { end: from.start, ..from };
        let help = "a range has both ends, the second not in it; what a value has at each place is `e[i]`";
        self.fail(if self.sees(Kind::LBrace) { error.fix(help, before, "0..") } else { error.help(help) })
    }

    /// A range whose start is looser than a sum. The parser goes on.
    pub(in crate::syntax::parse) fn range_end_is_sum(&mut self, from: &Expr) {
        let loose = match &*from.kind {
            ExprKind::Pipe { .. } | ExprKind::Unary { op: UnaryOp::Not, .. } => true,
            ExprKind::Binary { op, .. } => {
                use BinaryOp::{And, Eq, Ge, Gt, Le, Lt, Ne, Or};
                matches!(op, And | Or | Eq | Ne | Lt | Gt | Le | Ge)
            }
            _ => false,
        };
        if loose {
            let error = Diagnostic::error(Code::H0133, from.span, "a range begins with a whole number");
            self.say(error.help("a range is `from..to`, both of them sums"));
        }
    }

    /// Gives up: `route` options are missing or a block was meant.
    pub(in crate::syntax::parse) fn no_option<T>(&mut self) -> Parse<T> {
        let error = self.expectation(Code::H0132, "an option such as `capacity: 1.25`", "in the braces of `route`");
        self.fail(error.help("if this `{` begins a block, put the `route` before it in parentheses"))
    }

    /// An empty list.
    pub(in crate::syntax::parse) fn empty_list(&mut self, span: Span, why: &str) {
        self.say(Diagnostic::error(Code::H0150, span, format!("nothing stands in these brackets: {why}")));
    }

    /// `let x`, `let x: t = e`
    pub(in crate::syntax::parse) fn let_without_value<T>(&mut self, name: &Ident) -> Parse<T> {
        let error = self.expectation(Code::H0144, "`=` and a value", &format!("after `let {}`", name.name));
        let error = match self.kind() {
            _ if self.breaks() => error.help("`let` names a value; a value that changes is a `var`"),
            Kind::Colon if self.peek(1) == Kind::Assign => {
                let both = self.here().to(self.lexed.span(&self.tokens[self.at + 1]));
                error.fix("write `=`", both, "=")
            }
            Kind::Colon => error.help("a `let` has no type: it has that of its value"),
            Kind::EqEq => error.fix("`==` compares; a value is given with `=`", self.here(), "="),
            Kind::LBracket => error.fix("the indices of a `let` touch its name", self.gap().to(self.here()), "["),
            Kind::LParen => error.help("functions are items: `fn f(x: [n]) -> [n] { .. }`"),
            _ => error,
        };
        self.fail(error)
    }

    /// `sub a = Linear`
    pub(in crate::syntax::parse) fn no_arguments<T>(&mut self, net: &Ident) -> Parse<T> {
        if self.sees(Kind::LParen) {
            self.must_touch();
            return Err(Fail);
        }
        let error = self.expectation(Code::H0132, "`(`", &format!("and the sizes of `{}`", net.name));
        self.fail(error.help("a net without sizes is written with empty parentheses: `Linear()`"))
    }

    /// A parenthesis that stands off.
    pub(in crate::syntax::parse) fn must_touch(&mut self) {
        let here = self.here();
        let gap = Span { start: self.gap().start, end: here.start, ..here };
        let error = Diagnostic::error(Code::H0147, here, "this `(` must touch the name before it");
        self.say(error.fix("leave out the space", gap, ""));
    }

    /// Gives up: a type was expected.
    pub(in crate::syntax::parse) fn no_type<T>(&mut self) -> Parse<T> {
        let error = self.expectation(Code::H0136, "a type", "");
        self.fail(error.help("types are `f32`, `i32[b]`, `[b, 64]`, `bool`, `size`, `seed`, `net.*` and `(a: [n], c: f32)`"))
    }

    /// Gives up: axes were expected.
    pub(in crate::syntax::parse) fn no_axes<T>(&mut self) -> Parse<T> {
        let error = self.expectation(Code::H0136, "axes in brackets", "");
        self.fail(error.help("axes are written `[b, 64]`, and `[*]` for all that a net is lifted over"))
    }

    /// Gives up: an expression directly in a net.
    pub(in crate::syntax::parse) fn expression_in_net<T>(&mut self, span: Span) -> Parse<T> {
        let error = Diagnostic::error(Code::H0137, span, "nothing is computed directly in a net");
        let error = error.help("put it in the net's body: `(x: [n]) -> [n] { .. }`");
        if self.missing_brace || !self.unmatched.stray.is_empty() {
            // Most likely it stands in the body, and a brace is missing.
            self.hold(error);
        } else {
            self.say(error);
        }
        Err(Fail)
    }

    /// Gives up: the left side of an assignment is no variable.
    pub(in crate::syntax::parse) fn not_assignable<T>(&mut self) -> Parse<T> {
        let start = self.start();
        let span = self.since(start);
        let error = Diagnostic::error(Code::H0145, span, "only a variable can be given a value")
            .here("this is no `name` and no `name[..]`")
            .help("parameters are written by `generate`, `adapt` and `init`, states by `update`; `==` compares");
        self.fail(error)
    }
}
