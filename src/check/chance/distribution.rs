//! Calls of distributions: which there are, and their arguments by name.

use crate::check::builtin::{self, Distribution, Function};
use crate::check::value::{Num, Value};
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{self, Expr, ExprKind};

/// A distribution with its arguments by name.
pub(super) struct Chosen<'a> {
    pub word: &'a str,
    pub what: Distribution,
    pub args: Given<'a>,
}

/// The argument that says what a layer writes.
pub(super) const OF: &str = "of";

pub(super) type Given<'a> = Vec<(&'static str, Value<'a>, Span)>;

impl<'a> Checker<'a> {
    /// A call of a distribution: its word and its arguments by name.
    pub(super) fn distribution(&mut self, e: &'a Expr) -> Res<Option<Chosen<'a>>> {
        let ExprKind::Call { callee, args } = &*e.kind else { return Ok(None) };
        let ExprKind::Name(word) = &*callee.kind else { return Ok(None) };
        let Some((what, Function { args: formals, .. })) = builtin::distribution(word) else { return Ok(None) };
        self.named_enough(word, what, formals, args)?;
        let mut out: Given<'a> = vec![];
        for arg in args {
            let given = |f: &str| out.iter().any(|(n, _, _)| *n == f);
            let named = |f: &str| args.iter().any(|a| a.name.as_ref().is_some_and(|n| &*n.name == f));
            let formal = match &arg.name {
                None => formals.iter().copied().find(|f| !given(f) && !named(f)),
                Some(name) => formals.iter().copied().find(|f| *f == &*name.name),
            };
            let Some(formal) = formal else {
                let at = arg.name.as_ref().map_or(arg.value.span, |n| n.span);
                let what = arg.name.as_ref().map_or("so many arguments".into(), |n| format!("argument `{}`", n.name));
                let takes =
                    if formals.is_empty() { "it takes none".to_string() } else { format!("it takes {}", formals.join(", ")) };
                let has = if arg.name.is_some() { "has no" } else { "does not take" };
                return self.fail(Diagnostic::error(Code::H0509, at, format!("`{word}` {has} {what}")).help(takes));
            };
            if given(formal) {
                return self.error(Code::H0509, arg.value.span, format!("`{formal}` is given twice"));
            }
            // What a layer writes is asked for its shapes: its values may hang on what is just being started.
            let value = match formal {
                OF => Value::Tree(self.written(&arg.value)?.into()),
                _ => self.expr(&arg.value)?,
            };
            out.push((formal, value, arg.value.span));
        }
        Ok(Some(Chosen { word, what, args: out }))
    }

    /// Refuses arguments without a name where more than one can be meant. The only one of a distribution needs none, and all
    /// of one that has an order which everybody knows: `uniform(from, to)`, `normal(mean, std)`.
    fn named_enough(&mut self, word: &str, what: Distribution, formals: &[&'static str], args: &'a [ast::Arg]) -> Res<()> {
        let known =
            matches!(what, Distribution::Uniform | Distribution::Normal | Distribution::TruncatedNormal | Distribution::Beta);
        // The one that a gamma distribution cannot do without.
        let ordered = known && args.len() == formals.len() || what == Distribution::Gamma && args.len() == 1;
        let Some(nameless) = args.iter().find(|a| a.name.is_none()) else { return Ok(()) };
        // What is written is no number, and comes first.
        let written = formals.first() == Some(&OF) && args.iter().skip(1).all(|a| a.name.is_some());
        if ordered || written || formals.len() < 2 || args.len() > formals.len() {
            return Ok(());
        }
        let value = crate::syntax::print_expr(&nameless.value);
        let ways: Vec<String> = formals.iter().map(|f| format!("`{word}({f}: {value})`")).collect();
        let which: Vec<String> = formals.iter().map(|f| format!("`{f}`")).collect();
        let message = format!("is this the {} of `{word}`?", which.join(" or the "));
        self.fail(Diagnostic::error(Code::H0514, nameless.value.span, message).help(format!("name it: {}", ways.join(" or "))))
    }

    pub(super) fn number_arg(
        &mut self,
        args: &[(&'static str, Value<'a>, Span)],
        name: &str,
        default: Option<f64>,
        span: Span,
    ) -> Res<f64> {
        match args.iter().find(|(n, _, _)| *n == name) {
            None => match default {
                Some(d) => Ok(d),
                None => self.error(Code::H0509, span, format!("`{name}` is missing")),
            },
            Some((_, Value::Num(n), at)) => {
                let n = match n {
                    Num::Exact(s) => Num::Exact(self.axes.resolve(s)),
                    Num::Real(v) => Num::Real(*v),
                };
                match n.known() {
                    Some(v) => Ok(v),
                    None => self.unknown(*at, "this"),
                }
            }
            Some((_, _, at)) => self.error(Code::H0509, *at, "an initialiser takes plain numbers"),
        }
    }
}
