//! Functions that the language has and no file declares.
//!
//! In: a call. Its word finds a row of the [`table`], its arguments their places, and the row's rule makes the value. Whoever adds a function adds
//! a row, and its rule beside its kin; messages, suggestions and the reference follow.

mod join;
mod order;
mod point;
mod reference;
mod slope;
mod table;
mod whole;

pub use reference::{described, reference, words};
pub use table::{Call, Distribution, Function, all, distribution, find};

use super::top::blocks::Near;
use super::value::Value;
use super::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{self, Index};
use table::{Arg, Bracket, Rule};

impl<'a> Checker<'a> {
    /// Calls a function of the table; `axes` is what stands in brackets after its name, `first` what `|>` puts in front.
    pub fn builtin(
        &mut self,
        function: Function,
        at: Span,
        axes: &'a [Index],
        first: Option<(Value<'a>, Span)>,
        args: &'a [ast::Arg],
        span: Span,
    ) -> Res<Value<'a>> {
        let word = function.word;
        if let (Bracket::None(help), false) = (function.bracket, axes.is_empty()) {
            return self.fail(Diagnostic::error(Code::H0357, at, format!("`{word}` takes no axis in brackets")).help(help));
        }
        match function.rule {
            Rule::Drawn(_) => self.fail(
                Diagnostic::error(Code::H0511, at, format!("`{word}(..)` needs a declared type"))
                    .help("`var h: [d] = zeros()`, `draw eps: [*, d] = normal()`, `param w: [i, o] = normal()`"),
            ),
            Rule::Point(map) => {
                let args = self.in_their_places(function, first, args, span)?;
                self.point(map, Call { function, at, axes, args, span })
            }
            Rule::Own(rule) if function.bracket == Bracket::Alone => rule(self, Call { function, at, axes, args: vec![], span }),
            Rule::Own(rule) => {
                let args = self.in_their_places(function, first, args, span)?;
                rule(self, Call { function, at, axes, args, span })
            }
        }
    }

    /// The arguments in the order of the table: those with a name at their places, the others where there is room, from the left.
    fn in_their_places(
        &mut self,
        function: Function,
        first: Option<(Value<'a>, Span)>,
        args: &'a [ast::Arg],
        span: Span,
    ) -> Res<Vec<Arg<'a>>> {
        let named = |formal: &str| args.iter().any(|a| a.name.as_ref().is_some_and(|n| &*n.name == formal));
        let formals = if function.takes_many() { &[] } else { function.args };
        let given = usize::from(first.is_some()) + args.len();
        let mut places: Vec<Option<Arg<'a>>> = formals.iter().map(|_| None).collect();
        let mut rest = first.map(|(v, at)| Arg::Piped(v, at)).into_iter().collect::<Vec<_>>();
        for arg in args {
            let Some(name) = &arg.name else {
                rest.push(Arg::Written(&arg.value));
                continue;
            };
            let Some(place) = formals.iter().position(|f| *f == &*name.name) else {
                let message = format!("`{}` has no argument `{}`", function.word, name.name);
                let d = Diagnostic::error(Code::H0333, name.span, message);
                return self.fail(match otherwise(&function) {
                    Some(help) => d.help(help),
                    None => d.near(name, formals, ""),
                });
            };
            if places[place].is_some() {
                return self.error(Code::H0333, name.span, format!("`{}` is given twice", name.name));
            }
            places[place] = Some(Arg::Written(&arg.value));
        }
        if function.takes_many() {
            return Ok(rest);
        }
        let free = (0..formals.len()).filter(|k| !named(formals[*k])).collect::<Vec<_>>();
        if given != formals.len() || rest.len() != free.len() {
            let message = format!(
                "`{}` takes {}, and {} given",
                function.word,
                super::instance::count(formals.len(), "argument"),
                if given == 1 { "1 is".into() } else { format!("{given} are") }
            );
            let help = otherwise(&function).map_or_else(|| format!("`{}`", function.signature()), String::from);
            return self.fail(Diagnostic::error(Code::H0333, span, message).help(help));
        }
        free.into_iter().zip(rest).for_each(|(k, arg)| places[k] = Some(arg));
        Ok(places.into_iter().flatten().collect())
    }

    /// The value of an argument.
    fn value(&mut self, arg: Arg<'a>) -> Res<(Value<'a>, Span)> {
        match arg {
            Arg::Written(e) => Ok((self.expr(e)?, e.span)),
            Arg::Piped(v, at) => Ok((v, at)),
        }
    }

    /// The values of all arguments.
    fn list(&mut self, args: Vec<Arg<'a>>) -> Res<Vec<(Value<'a>, Span)>> {
        args.into_iter().map(|arg| self.value(arg)).collect()
    }

    /// The values of all arguments: as many as the table says.
    pub fn values<const N: usize>(&mut self, args: Vec<Arg<'a>>) -> Res<[(Value<'a>, Span); N]> {
        let values = self.list(args)?;
        Ok(values.try_into().unwrap_or_else(|_| unreachable!("a rule that takes other arguments than its row has")))
    }
}

/// What stands for an argument that other languages have.
fn otherwise(function: &Function) -> Option<&'static str> {
    match function.word {
        "sort" => Some("values go up; down they go in `-sort(-x)`"),
        "argsort" => Some("values go up; where they go down is `argsort(-x)`"),
        _ => None,
    }
}
