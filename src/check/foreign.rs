//! Calls as Python writes them: what stands before functions (`torch.relu(x)`, `self.fc(x)`) and after values (`x.relu()`).
//!
//! In: a call or a part that means nothing here. Out: the message with the function that is meant, and an edit where both languages mean the same
//! by it: at every point they do; of what goes along an axis only where it says the last one, or where the value has no axis that a function
//! does not see, and is the model's own (a net's values are lifted over axes that its text does not name).

use super::value::{Tens, Value};
use super::word::Meaning;
use super::{Checker, Res, builtin, habit};
use crate::diag::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{Arg, Expr, ExprKind, Ident, Reduction, UnaryOp};

/// What a function that is written without an axis takes together elsewhere.
enum Reach {
    /// Nothing: it acts on each number.
    Point,
    /// The places of the last axis.
    Last,
    /// All numbers.
    All,
}

fn reach(word: &str) -> Reach {
    match word {
        "sort" | "argsort" => Reach::Last,
        "norm" | "flatten" | "cumsum" | "concat" => Reach::All,
        _ => Reach::Point,
    }
}

/// What the arguments behind the value say.
enum Extra {
    None,
    /// `-1`, `dim: -1`
    LastAxis,
    /// Arguments of the function here.
    Own,
    Other,
}

fn extra(function: &builtin::Function, rest: &[Arg]) -> Extra {
    let known = |a: &Arg| a.name.as_ref().is_none_or(|n| function.args.contains(&&*n.name));
    match rest {
        [] => Extra::None,
        [one] if function.args.len() == 1 && is_last(one) => Extra::LastAxis,
        _ if rest.len() < function.args.len() && !function.takes_many() && rest.iter().all(known) => Extra::Own,
        _ => Extra::Other,
    }
}

/// A call of a function that is written as elsewhere.
struct Called<'a> {
    function: builtin::Function,
    value: &'a Expr,
    /// Its arguments behind the value.
    rest: &'a [Arg],
    /// Where it ends.
    end: u32,
}

/// Whether an argument is the last axis, as it is counted elsewhere.
fn is_last(arg: &Arg) -> bool {
    let named = arg.name.as_ref().is_none_or(|n| matches!(&*n.name, "dim" | "axis"));
    let one = |e: &Expr| matches!(&*e.kind, ExprKind::Number { value, .. } if *value == 1.0);
    named && matches!(&*arg.value.kind, ExprKind::Unary { op: UnaryOp::Neg, arg } if one(arg))
}

/// How a function is written whose axis is not certain.
fn readings(word: &str) -> String {
    match word {
        "norm" => {
            "`norm(x)` is the length along the sized axes, one for each example; of everything it is `sqrt(sum[b, i] x[b, i]^2)`"
                .into()
        }
        "flatten" => "`flatten(x)` joins the sized axes, and a named one stays".into(),
        "cumsum" => "`cumsum(x)` runs along the sized axis, `cumsum[t](x)` along one with a name".into(),
        "stack" => "`stack(a, b)` puts equal values along a new first size".into(),
        "concat" => "`concat(a, b)` joins along the first size, `concat[t](a, b)` along a named axis".into(),
        _ => format!("`{word}(x)` goes along the sized axis, `{word}[t](x)` along one with a name"),
    }
}

impl<'a> Checker<'a> {
    /// Whether no axis of a value is hidden: it is of the model itself, and has no named ones.
    pub(super) fn has_sizes_alone(&self, t: &Tens) -> bool {
        self.scopes.frame().sees_dims && t.names().next().is_none()
    }

    /// `self.fc`, `torch.relu`: what stands before the dot has no place here.
    pub(super) fn foreign_prefix(&mut self, base: &'a Expr, name: &'a Ident) -> Option<Res<Value<'a>>> {
        let before = Span { end: name.span.start, ..base.span };
        let own = matches!(&*base.kind, ExprKind::Name(word) if &**word == "self");
        if own && self.scopes.frame().own.is_none() {
            let d = Diagnostic::error(Code::H0411, base.span, "`self` is the value before a relation; there is no relation here");
            return Some(self.fail(d.fix("members are called by their names alone", before, "")));
        }
        let (word, at) = self.module_of(base).filter(|_| !self.report.is_full())?;
        let d = Diagnostic::error(Code::H0201, at, format!("nothing here is called `{word}`"));
        let reduction = Reduction::ALL.iter().any(|r| r.word() == &*name.name);
        let d = if builtin::find(&name.name).is_some() || reduction {
            d.fix("functions have no prefix", before, "")
        } else {
            match habit::of_word(d.clone(), &name.name, base.span.to(name.span)) {
                Some(d) => d,
                None => match (habit::of_net(&name.name), self.exported(&name.name, self.scopes.frame().file)) {
                    (Some(says), _) => d.help(says),
                    (None, Some((says, import))) => d.fixes(
                        format!("functions have no prefix, and {says}"),
                        import.into_iter().chain([(before, String::new())]).collect(),
                    ),
                    (None, None) => {
                        d.help("functions have no prefix, and the library's are imported: `import std.math { gelu }`")
                    }
                },
            }
        };
        Some(self.fail(d))
    }

    /// The module of elsewhere that an expression names, `torch` of `torch.nn.functional`, and where.
    fn module_of<'e>(&self, base: &'e Expr) -> Option<(&'e str, Span)> {
        match &*base.kind {
            ExprKind::Name(word) => {
                let is = habit::MODULES.contains(&&**word) && matches!(self.meaning(word), Meaning::Nothing);
                is.then_some((&**word, base.span))
            }
            ExprKind::Field { base, .. } => self.module_of(base),
            _ => None,
        }
    }

    /// `torch.norm(x)`, `jnp.sort(x)`: a function of the language behind a module's name.
    pub(super) fn prefixed_call(&mut self, callee: &'a Expr, args: &'a [Arg], span: Span) -> Option<Res<Value<'a>>> {
        let ExprKind::Field { base, name } = &*callee.kind else { return None };
        let function = builtin::find(&name.name)?;
        let (module, at) = self.module_of(base).filter(|_| !self.report.is_full())?;
        let d = Diagnostic::error(Code::H0201, at, format!("nothing here is called `{module}`"));
        let before = Span { end: name.span.start, ..base.span };
        let (value, rest) = match args {
            [first, rest @ ..] if first.name.is_none() && !function.takes_many() => (&first.value, rest),
            [first] if first.name.is_none() && matches!(reach(&name.name), Reach::Point) => (&first.value, &args[1..]),
            _ => return Some(self.fail(d.help(format!("functions have no prefix; {}", readings(function.word))))),
        };
        let gap = rest.last().map(|l| Span { start: value.span.end, end: l.value.span.end, ..value.span });
        let called = Called { function, value, rest, end: span.end };
        Some(self.told(d, "functions have no prefix", &called, vec![(before, String::new())], gap))
    }

    /// `x.relu()`: a function of the value before the dot.
    pub(super) fn method(&mut self, callee: &'a Expr, args: &'a [Arg], span: Span) -> Option<Res<Value<'a>>> {
        let ExprKind::Field { base, name } = &*callee.kind else { return None };
        let function = builtin::find(&name.name)?;
        if matches!(&*base.kind, ExprKind::Name(word) if matches!(self.meaning(word), Meaning::Nothing)) {
            return None;
        }
        let value = self.expr(base).ok().filter(|v| matches!(v, Value::Tensor(_) | Value::Num(_)))?;
        let message = format!("this is {}, which has no parts", value.kind());
        let d = Diagnostic::error(Code::H0205, name.span, message);
        if let Some(says) = habit::of_part(&name.name) {
            return Some(self.fail(d.help(says)));
        }
        let first = Span { end: base.span.start, ..base.span };
        let (rest, with) = match args.first() {
            Some(arg) => {
                let at = arg.name.as_ref().map_or(arg.value.span, |n| n.span);
                (Span { start: base.span.end, end: at.start, ..span }, ", ".to_string())
            }
            None => (Span { start: base.span.end, end: span.end, ..span }, ")".to_string()),
        };
        let help = format!("functions stand before what they are called with: `{}(x)`", name.name);
        let edits = vec![(first, format!("{}(", name.name)), (rest, with)];
        let called = Called { function, value: base, rest: args, end: span.end };
        if let (Extra::LastAxis, Reach::Last | Reach::All) = (extra(&function, args), reach(function.word)) {
            let all = Span { start: base.span.end, end: span.end, ..span };
            return Some(self.told(d, &help, &called, vec![(first, format!("{}(", name.name)), (all, ")".into())], None));
        }
        Some(self.told(d, &help, &called, edits, None))
    }

    /// Says what a function is called with, with the edits where it means the same; `gap` is what an axis that is said is to leave.
    fn told<T>(
        &mut self,
        d: Diagnostic,
        help: &str,
        called: &Called<'a>,
        mut edits: Vec<(Span, String)>,
        gap: Option<Span>,
    ) -> Res<T> {
        let function = &called.function;
        let sure = match (reach(function.word), extra(function, called.rest)) {
            (Reach::Point, Extra::None | Extra::Own) => true,
            // A pair in PyTorch, of which an index takes one.
            (Reach::Last, Extra::None | Extra::LastAxis) if self.is_taken_apart(called) => false,
            (Reach::Last, Extra::None) => true,
            (Reach::Last | Reach::All, Extra::LastAxis) => {
                edits.extend(gap.map(|g| (g, String::new())));
                matches!(self.expr(called.value)?, Value::Tensor(t) if t.sized().len() == 1)
            }
            (Reach::All, Extra::None) => match self.expr(called.value)? {
                Value::Tensor(t) => self.has_sizes_alone(&t),
                _ => false,
            },
            (Reach::Last | Reach::All, Extra::Own | Extra::Other) => false,
            (Reach::Point, Extra::LastAxis | Extra::Other) => {
                let d = d.help(format!("{help}; its arguments are `{}`", function.signature()));
                return self.fail(d);
            }
        };
        self.fail(match sure {
            true => d.fixes(help, edits),
            false => d.help(readings(function.word)),
        })
    }

    /// Whether an index or a part follows a call.
    fn is_taken_apart(&self, called: &Called) -> bool {
        let file = self.program.files.iter().find(|f| f.id == called.value.span.file);
        file.and_then(|f| f.text.get(called.end as usize..)).is_some_and(|rest| rest.starts_with(['[', '.']))
    }
}
