//! Arguments of nets: what a `sub` gives, brought together with what its net takes. All is known when the model is compiled.

use super::{InstId, SubFrom, Thunk, count};
use crate::check::builtin;
use crate::check::habit;
use crate::check::kind::real;
use crate::check::value::{List, Num, Plan, Value};
use crate::check::word::{FileItem, Meaning};
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic, suggest};
use crate::source::Span;
use crate::syntax::ast::{self, Expr, ExprKind, Formal, FormalKind, Name, Scalar};
use std::rc::Rc;

impl<'a> Checker<'a> {
    /// What a net is given, in the order of its arguments; what is left out has a default.
    pub(super) fn actuals(&mut self, net: &'a ast::NetDef, args: &'a [ast::Arg], span: Span) -> Res<Vec<(Name, Value<'a>)>> {
        let named = |f: &Formal| args.iter().any(|a| a.name.as_ref().is_some_and(|n| n.name == f.name.name));
        let mut free = net.formals.iter().enumerate().filter(|(_, f)| !named(f));
        let mut given: Vec<Option<&'a ast::Arg>> = vec![None; net.formals.len()];
        for arg in args {
            let place = match &arg.name {
                None => free.next().map(|(k, _)| k),
                Some(name) => match net.formals.iter().position(|f| f.name.name == name.name) {
                    Some(k) => Some(k),
                    None => return self.no_formal(net, name),
                },
            };
            let Some(place) = place else { return self.wrong_count(net, args.len(), span) };
            if given[place].is_some() {
                let name = &net.formals[place].name.name;
                return self.error(Code::H0212, arg.value.span, format!("`{name}` is given twice"));
            }
            given[place] = Some(arg);
        }
        if net.formals.iter().zip(&given).any(|(f, g)| g.is_none() && f.default.is_none()) {
            return self.wrong_count(net, args.len(), span);
        }
        let mut out = Vec::new();
        for (formal, arg) in net.formals.iter().zip(given) {
            if let Some(arg) = arg {
                let value = self.actual(formal, &arg.value)?;
                out.push((formal.name.name.clone(), value));
            }
        }
        Ok(out)
    }

    fn no_formal<T>(&mut self, net: &ast::NetDef, name: &ast::Ident) -> Res<T> {
        let known: Vec<&str> = net.formals.iter().map(|f| &*f.name.name).collect();
        let d = Diagnostic::error(Code::H0212, name.span, format!("`{}` has no argument `{}`", net.name.name, name.name));
        let here = habit::of_argument(&name.name).filter(|here| known.contains(here));
        let d = match suggest(&name.name, known.iter().copied()) {
            _ if here.is_some() => {
                let all = known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ");
                let here = here.unwrap_or_default();
                d.fix(format!("it is called `{here}`: the arguments are {all}"), name.span, here)
            }
            None if &*net.name.name == "Linear" && matches!(&*name.name, "bias" | "biased") => {
                d.help("`Dense(i, o, biased: false)` of `std.linear` has a bias or none; `Linear(i, o)` has one, `Matrix(i, o)` has none")
            }
            Some(near) => d.meant(&name.name, name.span, near),
            None => d.label(net.name.span, "declared here").help(match known.as_slice() {
                [] => "it takes none".to_string(),
                known => format!("it takes {}", known.iter().map(|k| format!("`{k}`")).collect::<Vec<_>>().join(", ")),
            }),
        };
        self.fail(d)
    }

    fn wrong_count<T>(&mut self, net: &ast::NetDef, given: usize, span: Span) -> Res<T> {
        let names: Vec<&str> = net.formals.iter().map(|f| &*f.name.name).collect();
        let plain = net.formals.iter().all(|f| f.kind == FormalKind::Size);
        let needed = net.formals.iter().filter(|f| f.default.is_none()).count();
        let takes = count(names.len(), if plain { "number" } else { "argument" });
        let least = if needed < names.len() { format!("at least {needed} of ") } else { String::new() };
        let are = if given == 1 { "1 is".to_string() } else { format!("{given} are") };
        let message = format!("`{}` takes {least}{takes} ({}), and {are} given", net.name.name, names.join(", "));
        self.fail(Diagnostic::error(Code::H0212, span, message).label(net.name.span, "declared here"))
    }

    /// One argument, as its declaration wants it.
    fn actual(&mut self, formal: &'a Formal, e: &'a Expr) -> Res<Value<'a>> {
        if formal.kind == FormalKind::Net {
            if let Some(word) = self.own_function(e) {
                return Ok(Value::Builtin(word));
            }
            if let Some(plan) = self.plan(e)? {
                return Ok(Value::Plan(plan));
            }
        }
        let value = self.expr(e)?;
        self.fit_formal(formal, value, e.span)
    }

    /// `relu`, `softmax`: a function of the language.
    fn own_function(&self, e: &Expr) -> Option<&'static str> {
        match &*e.kind {
            ExprKind::Paren(inner) => self.own_function(inner),
            ExprKind::ReductionName(op) => Some(op.word()),
            ExprKind::Name(word) if matches!(self.meaning(word), Meaning::Nothing) => {
                builtin::find(word).map(|f| f.word).filter(|w| builtin::distribution(w).is_none())
            }
            _ => None,
        }
    }

    /// `Mlp(64, 256, 64)`: a net that whoever takes it will have.
    fn plan(&mut self, e: &'a Expr) -> Res<Option<Rc<Plan<'a>>>> {
        let mut inner = e;
        while let ExprKind::Paren(p) = &*inner.kind {
            inner = p;
        }
        let (callee, args): (&'a Expr, &'a [ast::Arg]) = match &*inner.kind {
            ExprKind::Call { callee, args } => (callee, args),
            ExprKind::Name(_) => (inner, &[]),
            _ => return Ok(None),
        };
        let ExprKind::Name(word) = &*callee.kind else { return Ok(None) };
        let Meaning::Item(FileItem::Net(file, net)) = self.meaning(word) else { return Ok(None) };
        if let ExprKind::Name(_) = &*inner.kind {
            let message = format!("`{word}` is a net that is not made yet");
            let help = format!("give it its numbers, `{word}(..)`; or name a net that is made, `sub f = {word}(..)`");
            return self.fail(Diagnostic::error(Code::H0213, inner.span, message).help(help));
        }
        let args = self.actuals(net, args, inner.span)?;
        Ok(Some(Rc::new(Plan { file, net, args, span: inner.span })))
    }

    /// A value, where it is what an argument wants.
    fn fit_formal(&mut self, formal: &'a Formal, value: Value<'a>, at: Span) -> Res<Value<'a>> {
        let want = match (&formal.kind, value) {
            (_, Value::Poison(said)) => return Err(said),
            (FormalKind::Size, v) => return Ok(Value::from(self.whole(v, at)?)),
            (FormalKind::Whole, Value::Num(n)) => return Ok(Value::from(self.whole(Value::Num(n), at)?)),
            (FormalKind::Real, Value::Num(n)) => return Ok(Value::Num(real(n))),
            (FormalKind::Truth, v @ Value::Bool(_)) => return Ok(v),
            (FormalKind::List { scalar, .. }, Value::List(list)) => return self.fit_list(formal, *scalar, list, at),
            (FormalKind::Form, v @ Value::Net(_)) => return Ok(v),
            (FormalKind::Net, v @ (Value::Net(_) | Value::Plan(_) | Value::Fn(_) | Value::Builtin(_))) => return Ok(v),
            (FormalKind::Whole | FormalKind::Real, v) => ("a number that is known when the model is compiled", v),
            (FormalKind::Truth, v) => ("`true` or `false`, known when the model is compiled", v),
            (FormalKind::List { .. }, v) => ("a list, `[16, 32]`, known when the model is compiled", v),
            (FormalKind::Form, v) => ("a layout (a net or form)", v),
            (FormalKind::Net, v) => ("a net", v),
        };
        let message = format!("`{}` wants {}, and this is {}", formal.name.name, want.0, want.1.kind());
        self.fail(Diagnostic::error(Code::H0213, at, message).label(formal.name.span, "declared here"))
    }

    /// A list with elements of the declared kind.
    fn fit_list(&mut self, formal: &'a Formal, scalar: Option<Scalar>, list: Rc<List<'a>>, at: Span) -> Res<Value<'a>> {
        for item in &list.items {
            let fits = match (scalar, item) {
                (None, _) | (Some(Scalar::Bool), Value::Bool(_)) | (Some(Scalar::F32), Value::Num(_)) => true,
                (Some(Scalar::Size | Scalar::I32), Value::Num(n)) => {
                    self.whole(Value::Num(n.clone()), at)?;
                    true
                }
                (Some(_), _) => false,
            };
            if !fits {
                let what = if scalar == Some(Scalar::Bool) { "truth values" } else { "numbers" };
                let message = format!("`{}` wants a list of {what}, and this has {}", formal.name.name, item.kind());
                return self.fail(Diagnostic::error(Code::H0213, at, message).label(formal.name.span, "declared here"));
            }
        }
        if scalar != Some(Scalar::F32) {
            return Ok(Value::List(list));
        }
        let item = |v: &Value<'a>| if let Value::Num(n) = v { Value::Num(real(n.clone())) } else { v.clone() };
        let items = list.items.iter().map(item).collect();
        Ok(Value::List(Rc::new(List { items, span: list.span, made: Default::default() })))
    }

    /// Arguments under their names; those that are not given have their defaults, in which the ones before are known.
    pub(super) fn bind_formals(&mut self, id: InstId, net: &'a ast::NetDef, args: Vec<(Name, Value<'a>)>) -> Res<()> {
        let mut args = args.into_iter().peekable();
        for formal in &net.formals {
            let (value, at) = match (args.next_if(|(n, _)| *n == formal.name.name), &formal.default) {
                (Some((_, value)), _) => (value, self.nets[id].span),
                (None, Some(default)) => {
                    let frame = self.nets.inst_frame(id);
                    (self.outside(frame, |c| c.actual(formal, default))?, default.span)
                }
                (None, None) => return self.report.bug(formal.name.span, "an argument has gone"),
            };
            if let (FormalKind::List { length: Some(length), .. }, Value::List(list)) = (&formal.kind, &value) {
                self.bind_length(id, formal, length, list.items.len(), at)?;
            }
            match value {
                Value::Plan(plan) => self.nets.add_sub(id, &formal.name, SubFrom::Given(plan)),
                value => self.nets.add_thunk(id, &formal.name, Thunk::Done(value)),
            }
        }
        Ok(())
    }

    /// The length of a list: a word that means nothing yet is called by it.
    fn bind_length(&mut self, id: InstId, formal: &'a Formal, length: &'a Expr, own: usize, at: Span) -> Res<()> {
        let frame = self.nets.inst_frame(id);
        if let ExprKind::Name(word) = &*length.kind
            && self.in_frame(frame.clone(), |c| matches!(c.meaning(word), Meaning::Nothing))
        {
            self.nets.add_named_thunk(id, word, Thunk::Done(Value::from(crate::ir::Size::from(own))));
            return Ok(());
        }
        let want = self.outside(frame, |c| c.size_of_expr(length))?;
        if self.axes.same(&want, &crate::ir::Size::from(own)) {
            return Ok(());
        }
        let message = format!("`{}` wants a list of {}, and this has {own}", formal.name.name, self.axes.show_size(&want));
        self.fail(Diagnostic::error(Code::H0213, at, message).label(length.span, "declared here"))
    }
}

impl<'a> Value<'a> {
    /// A number for an argument of which nothing is known; `None`: nothing can be said without it.
    pub fn of_unknown(formal: &Formal) -> Option<Value<'a>> {
        match formal.kind {
            FormalKind::Size | FormalKind::Whole | FormalKind::Real => {
                Some(Value::Num(Num::Exact(crate::ir::Size::sym(formal.name.name.clone()))))
            }
            FormalKind::Truth | FormalKind::List { .. } | FormalKind::Form | FormalKind::Net => None,
        }
    }
}
