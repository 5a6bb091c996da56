//! Calls: an argument's axes are matched with the signature's, what is left over is what the net is lifted over.

mod axes;
mod defaults;
mod give;
mod numbers;
mod take;
mod with;

use super::builtin;
use super::scope::{Binding, Frame};
use super::value::{FnVal, NameId, NetVal, Pick, Value};
use super::word::{FileItem, Meaning};
use super::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::Size;
use crate::source::Span;
use crate::syntax::ast::{self, Expr, ExprKind, Index, Name, TypeKind};
use std::collections::HashMap;
use with::push;

/// `t = patch`
pub struct Renamed {
    axis: Name,
    to: NameId,
    span: Span,
    used: bool,
}

/// What a name of the signature took.
struct Taken {
    inner: NameId,
    /// The caller's axis; `None` where it took a sized axis.
    outer: Option<NameId>,
    size: Size,
    span: Span,
}

/// A signature under way.
struct Matching {
    axes: Vec<(Name, Taken)>,
    lifted: Vec<NameId>,
    /// What messages call the net or function.
    callee: String,
}

impl<'a> Checker<'a> {
    /// A call; `first` is what `|>` puts in front.
    pub fn call_expr(
        &mut self,
        callee: &'a Expr,
        first: Option<(Value<'a>, Span)>,
        args: &'a [ast::Arg],
        span: Span,
    ) -> Res<Value<'a>> {
        let mut inner = callee;
        while let ExprKind::Paren(p) = &*inner.kind {
            inner = p;
        }
        if let ExprKind::ReductionName(op) = &*inner.kind {
            return self.called_reduction(*op, first, args, span);
        }
        let (word, axes): (Option<(&'a Name, Span)>, &'a [Index]) = match &*inner.kind {
            ExprKind::Name(word) => (Some((word, inner.span)), &[]),
            ExprKind::Index { base, indices, otherwise: None, .. } => match &*base.kind {
                ExprKind::Name(word) => (Some((word, base.span)), indices),
                _ => (None, &[]),
            },
            _ => (None, &[]),
        };
        if let Some((word, at)) = word
            && matches!(self.meaning(word), Meaning::Nothing)
            && let Some(function) = builtin::find(word)
        {
            return self.builtin(function, at, axes, first, args, span);
        }
        if let Some(said) = self.prefixed_call(inner, args, span) {
            return said;
        }
        if let Some(said) = self.method(inner, args, span) {
            return said;
        }
        let (value, mut renamed) = self.callable(inner)?;
        if let Value::Builtin(word) = value {
            return self.given_builtin(word, inner.span, first, args, span);
        }
        let alone = first.is_none() && args.len() == 1;
        let values = self.call_args(first, args, &value, span)?;
        let out = match value {
            Value::Net(net) => self.call_net(net, values, &mut renamed, span),
            Value::Fn(f) => self.call_fn(f, values, &mut renamed, span),
            Value::Poison(said) => Err(said),
            other => {
                let message = format!("this is {}, which cannot be called", other.kind());
                let d = Diagnostic::error(Code::H0332, inner.span, message);
                let (open, close) =
                    (Span { start: inner.span.end, end: inner.span.end + 1, ..span }, Span { start: span.end - 1, ..span });
                let read = matches!(&other, Value::Tensor(t) if !t.labels.is_empty()) && alone;
                self.fail(match read {
                    true => d.fixes("elements are read with brackets", vec![(open, "[".into()), (close, "]".into())]),
                    false => d,
                })
            }
        }?;
        if let Some(r) = renamed.iter().find(|r| !r.used) {
            return self.error(Code::H0318, r.span, format!("the signature has no axis `{}`", r.axis));
        }
        Ok(out)
    }

    /// `softmax(v)`
    fn called_reduction(
        &mut self,
        op: ast::Reduction,
        first: Option<(Value<'a>, Span)>,
        args: &'a [ast::Arg],
        span: Span,
    ) -> Res<Value<'a>> {
        if let Some(name) = args.iter().find_map(|a| a.name.as_ref()) {
            return self.error(Code::H0333, name.span, format!("`{}` has no argument `{}`", op.word(), name.name));
        }
        let values = self.plain_args(first, args)?;
        self.reduction_call(op, values, span)
    }

    /// Calls a function of the language that a net was given.
    fn given_builtin(
        &mut self,
        word: &str,
        at: Span,
        first: Option<(Value<'a>, Span)>,
        args: &'a [ast::Arg],
        span: Span,
    ) -> Res<Value<'a>> {
        match (ast::Reduction::from_word(word), builtin::find(word)) {
            (Some(op), _) => self.called_reduction(op, first, args, span),
            (None, Some(function)) => self.builtin(function, at, &[], first, args, span),
            (None, None) => self.report.bug(at, "a function has gone"),
        }
    }

    fn plain_args(&mut self, first: Option<(Value<'a>, Span)>, args: &'a [ast::Arg]) -> Res<Vec<(Value<'a>, Span)>> {
        let mut out: Vec<_> = first.into_iter().collect();
        for arg in args {
            out.push((self.expr(&arg.value)?, arg.value.span));
        }
        Ok(out)
    }

    /// Arguments in the order of the signature.
    fn call_args(
        &mut self,
        first: Option<(Value<'a>, Span)>,
        args: &'a [ast::Arg],
        callee: &Value<'a>,
        span: Span,
    ) -> Res<Vec<(Value<'a>, Span)>> {
        let mut values = self.plain_args(first, args)?;
        for (value, _) in &mut values {
            if let Value::List(list) = value {
                *value = Value::Tensor(self.list_tens(&list.clone())?);
            }
        }
        if args.iter().all(|a| a.name.is_none()) {
            return Ok(values);
        }
        let signature = match callee {
            Value::Net(net) => self.nets[net.inst].signature,
            Value::Fn(f) => Some(&f.def.signature),
            _ => None,
        };
        let Some(signature) = signature else { return Ok(values) };
        let offset = values.len() - args.len();
        let places: HashMap<&Name, usize> = signature.args.iter().enumerate().rev().map(|(k, a)| (&a.name.name, k)).collect();
        let mut slots: Vec<Option<(Value<'a>, Span)>> = vec![None; signature.args.len().max(values.len())];
        let mut next = 0;
        for (i, v) in values.into_iter().enumerate() {
            let name = if i < offset { None } else { args[i - offset].name.as_ref() };
            let at = match name {
                None => {
                    while slots.get(next).is_some_and(Option::is_some) {
                        next += 1;
                    }
                    next
                }
                Some(n) => match places.get(&n.name) {
                    Some(p) => *p,
                    None => return self.error(Code::H0333, n.span, format!("there is no argument `{}`", n.name)),
                },
            };
            if at >= slots.len() || slots[at].is_some() {
                return self.error(Code::H0333, v.1, "this argument is given twice");
            }
            slots[at] = Some(v);
        }
        let frame = match callee {
            Value::Net(net) => self.nets.inst_frame(net.inst),
            Value::Fn(f) => Frame::new(f.file, None),
            _ => return self.report.bug(span, "this has no signature"),
        };
        self.completed(signature, frame, slots, span)
    }

    /// What is called, and axes that are given for it.
    fn callable(&mut self, e: &'a Expr) -> Res<(Value<'a>, Vec<Renamed>)> {
        let ExprKind::Index { base, indices, otherwise: None, .. } = &*e.kind else { return Ok((self.expr(e)?, vec![])) };
        let mut renamed = vec![];
        for index in indices {
            if let Index::Rename { axis, to } = index {
                let outer = match self.meaning(&to.name) {
                    Meaning::Axis(n) | Meaning::Local(Binding::Index(n)) => n,
                    _ => return self.error(Code::H0318, to.span, format!("`{}` is no axis here", to.name)),
                };
                renamed.push(Renamed { axis: axis.name.clone(), to: outer, span: axis.span, used: false });
            }
        }
        if let ExprKind::Name(name) = &*base.kind
            && let Meaning::Item(FileItem::Fn(_)) = self.meaning(name)
            && renamed.len() < indices.len()
        {
            let message = format!("`{name}` is a function: it has nothing to index");
            let help = format!("an axis is given by the signature's name for it: `{name}[n = t](..)`");
            return self.fail(Diagnostic::error(Code::H0357, e.span, message).help(help));
        }
        if renamed.is_empty() {
            return Ok((self.expr(e)?, renamed));
        }
        let mut value = self.expr(base)?;
        for index in indices.iter().filter(|i| !matches!(i, Index::Rename { .. })) {
            value = self.index_of(value, base.span, std::slice::from_ref(index), e.span, None, e.span)?;
        }
        Ok((value, renamed))
    }

    /// Calls a net.
    pub fn call_net(&mut self, net: NetVal, args: Vec<(Value<'a>, Span)>, renamed: &mut [Renamed], span: Span) -> Res<Value<'a>> {
        let def = self.nets[net.inst].net;
        self.nets.used.extend(def.map(|n| n.name.span));
        let name = def.map_or("this", |n| &n.name.name).to_string();
        let inst = &self.nets[net.inst];
        let Some(signature) = inst.signature else {
            return self.fail(
                Diagnostic::error(Code::H0332, span, format!("`{name}` has no signature; it is only a layout"))
                    .help("give the net a signature, `(x: [d]) -> [d] { .. }`"),
            );
        };
        let open = inst.arrays.iter().any(|a| !net.picks.iter().any(|(n, _)| n == a));
        if open {
            return self.fail(
                Diagnostic::error(Code::H0334, span, "this is an array of nets; which of them is called?")
                    .help("index it, `net[i](x)`; mix it, `blend(net, p)(x)`; or choose by data, `route x over net at ..`"),
            );
        }
        let mut frame = Frame::new(inst.file, Some(net.inst));
        frame.picks = net.picks.clone();
        frame.path = inst.path.as_str().into();
        for (_, pick) in &net.picks {
            match pick {
                Pick::Name(n) => push(&mut frame.lifted, *n),
                Pick::Data(t) | Pick::Mix(t) => t.names().for_each(|n| push(&mut frame.lifted, n)),
                Pick::Number(_) => {}
            }
        }
        let args = self.with_defaults(signature, frame.clone(), args, span)?;
        self.replacing(&net.with, |c| c.call_signature(signature, frame, args, renamed, &name, span))
    }

    pub fn call_fn(&mut self, f: FnVal<'a>, args: Vec<(Value<'a>, Span)>, renamed: &mut [Renamed], span: Span) -> Res<Value<'a>> {
        let args = self.with_defaults(&f.def.signature, Frame::new(f.file, None), args, span)?;
        match self.call_of_numbers(f, &args, renamed, span)? {
            Some(v) => Ok(v),
            None => self.call_plain_fn(f, args, renamed, span),
        }
    }

    /// Calls a function: lifted over names alone.
    fn call_plain_fn(
        &mut self,
        f: FnVal<'a>,
        args: Vec<(Value<'a>, Span)>,
        renamed: &mut [Renamed],
        span: Span,
    ) -> Res<Value<'a>> {
        self.nets.used.insert(f.def.name.span);
        let mut frame = Frame::new(f.file, None);
        frame.path = f.def.name.name.clone();
        self.call_signature(&f.def.signature, frame, args, renamed, &f.def.name.name, span)
    }

    fn call_signature(
        &mut self,
        signature: &'a ast::Signature,
        mut frame: Frame<'a>,
        args: Vec<(Value<'a>, Span)>,
        renamed: &mut [Renamed],
        name: &str,
        span: Span,
    ) -> Res<Value<'a>> {
        if args.len() != signature.args.len() {
            let words: Vec<&str> = signature.args.iter().map(|a| &*a.name.name).collect();
            let needed = signature.args.iter().filter(|a| a.default.is_none()).count();
            let message = format!(
                "`{name}` takes {}{} ({}), and {} given",
                if needed < words.len() { format!("at least {needed} of ") } else { String::new() },
                super::instance::count(words.len(), "argument"),
                words.join(", "),
                if args.len() == 1 { "1 is".to_string() } else { format!("{} are", args.len()) }
            );
            return self.fail(Diagnostic::error(Code::H0333, span, message).label(signature.span, "its signature"));
        }
        (frame.span, frame.called) = (span, true);
        self.nested(span, |c| c.in_frame(frame, |c| c.run_signature(signature, args, renamed)))
    }

    /// What the net or function whose body is under way is called where it is called.
    fn callee(&self) -> String {
        let path = &self.scopes.frame().path;
        let named = |part: &&str| part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        path.rsplit('.').find(named).unwrap_or("net").to_string()
    }

    fn run_signature(
        &mut self,
        signature: &'a ast::Signature,
        args: Vec<(Value<'a>, Span)>,
        renamed: &mut [Renamed],
    ) -> Res<Value<'a>> {
        let mut m = Matching { axes: vec![], lifted: self.scopes.frame().lifted.clone(), callee: self.callee() };
        // Sizes first: they may stand in the types of the others.
        let mut bound: Vec<Option<Value<'a>>> = vec![None; args.len()];
        for (i, (arg, (value, at))) in signature.args.iter().zip(&args).enumerate() {
            if matches!(&arg.ty.kind, TypeKind::Tensor { scalar: Some(ast::Scalar::Size), axes } if axes.is_empty()) {
                let size = self.whole(value.clone(), *at)?;
                let v = Value::from(size);
                self.scopes.frame_mut().scopes[0].push((arg.name.name.clone(), Binding::Value(v.clone())));
                bound[i] = Some(v);
            }
        }
        for (i, (arg, (value, at))) in signature.args.iter().zip(args).enumerate() {
            if bound[i].is_none() {
                let v = self.take(&arg.ty, value, at, renamed, &mut m)?;
                bound[i] = Some(v);
            }
        }
        let frame = self.scopes.frame_mut();
        frame.lifted = m.lifted;
        for (word, taken) in &m.axes {
            frame.axes.push((word.clone(), taken.inner));
        }
        for arg in &signature.args {
            let TypeKind::Tensor { axes, .. } = &arg.ty.kind else { continue };
            let axis = |a: &ast::AxisExpr| match a {
                ast::AxisExpr::Expr(e) => match &*e.kind {
                    ExprKind::Name(word) => m.axes.iter().find(|(w, _)| w == word).map(|(_, t)| t.inner),
                    _ => None,
                },
                ast::AxisExpr::Lifted(_) => None,
            };
            if let Some(order) = axes.iter().map(axis).collect() {
                frame.declared.push((arg.name.name.clone(), order));
            }
        }
        for (arg, v) in signature.args.iter().zip(bound) {
            if !matches!(&arg.ty.kind, TypeKind::Tensor { scalar: Some(ast::Scalar::Size), axes } if axes.is_empty()) {
                let v = v.expect("each argument was taken");
                self.define(&arg.name, Binding::Value(v))?;
            }
        }
        let value = self.in_scope(|c| c.block(&signature.body))?;
        let body = signature.body.span;
        let close = Span { start: body.end.saturating_sub(1), ..body };
        let last = signature.body.stmts.last().map_or(close, |s| s.span);
        let at = if matches!(value, Value::Unit) { close } else { last };
        self.give(&signature.result, value, &m.axes, at)
    }
}
