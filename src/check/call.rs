//! Calls: an argument's axes are matched with the signature's, what is left over is what the net is lifted over.

use super::builtin;
use super::expr::IndexValue;
use super::instance::InstId;
use super::scope::{Binding, Frame, Meaning};
use super::value::{FnVal, Label, NameId, NetVal, Pick, Tens, Tree, Value};
use super::{Checker, Res, Said};
use crate::diag::Diagnostic;
use crate::ir::{DType, Size};
use crate::source::Span;
use crate::syntax::ast::{self, Expr, ExprKind, Index, Name, TypeKind};

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
            let values = self.plain_args(first, args)?;
            return self.reduction_call(*op, values, span);
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
            && builtin::WORDS.contains(&&**word)
        {
            return self.builtin(word, at, axes, first, args, span);
        }
        let (value, mut renamed) = self.callable(inner)?;
        let values = self.call_args(first, args, &value, span)?;
        let out = match value {
            Value::Net(net) => self.call_net(net, values, &mut renamed, span),
            Value::Fn(f) => self.call_fn(f, values, &mut renamed, span),
            Value::Poison => Err(Said),
            other => {
                let message = format!("this is {}, which cannot be called", other.kind());
                self.error("H0332", inner.span, message)
            }
        }?;
        if let Some(r) = renamed.iter().find(|r| !r.used) {
            return self.error("H0318", r.span, format!("the signature has no axis `{}`", r.axis));
        }
        Ok(out)
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
        let values = self.plain_args(first, args)?;
        if args.iter().all(|a| a.name.is_none()) {
            return Ok(values);
        }
        let signature = match callee {
            Value::Net(net) => self.insts[net.inst.0].signature,
            Value::Fn(f) => Some(&f.def.signature),
            _ => None,
        };
        let Some(signature) = signature else { return Ok(values) };
        let offset = values.len() - args.len();
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
                Some(n) => match signature.args.iter().position(|a| a.name.name == n.name) {
                    Some(p) => p,
                    None => return self.error("H0333", n.span, format!("there is no argument `{}`", n.name)),
                },
            };
            if at >= slots.len() || slots[at].is_some() {
                return self.error("H0333", v.1, "this argument is given twice");
            }
            slots[at] = Some(v);
        }
        slots
            .into_iter()
            .map(|s| s.ok_or(Said))
            .collect::<Res<Vec<_>>>()
            .or_else(|_| self.error("H0333", span, "an argument is missing"))
    }

    /// What is called, and axes that are given for it.
    fn callable(&mut self, e: &'a Expr) -> Res<(Value<'a>, Vec<Renamed>)> {
        let ExprKind::Index { base, indices, otherwise: None, .. } = &*e.kind else { return Ok((self.expr(e)?, vec![])) };
        let mut renamed = vec![];
        for index in indices {
            if let Index::Rename { axis, to } = index {
                let outer = match self.meaning(&to.name) {
                    Meaning::Axis(n) | Meaning::Local(Binding::Index(n)) => n,
                    _ => return self.error("H0318", to.span, format!("`{}` is no axis here", to.name)),
                };
                renamed.push(Renamed { axis: axis.name.clone(), to: outer, span: axis.span, used: false });
            }
        }
        if renamed.is_empty() {
            return Ok((self.expr(e)?, renamed));
        }
        let mut value = self.expr(base)?;
        for index in indices.iter().filter(|i| !matches!(i, Index::Rename { .. })) {
            value = match value {
                Value::Net(net) => Value::Net(self.index_net(net, std::slice::from_ref(index), e.span)?),
                other => other,
            };
        }
        Ok((value, renamed))
    }

    /// Calls a net.
    pub fn call_net(&mut self, net: NetVal, args: Vec<(Value<'a>, Span)>, renamed: &mut [Renamed], span: Span) -> Res<Value<'a>> {
        let inst = &self.insts[net.inst.0];
        let name = inst.net.map_or("this", |n| &n.name.name).to_string();
        self.used.extend(inst.net.map(|n| n.name.span));
        let Some(signature) = inst.signature else {
            return self.fail(
                Diagnostic::error("H0332", span, format!("`{name}` has no signature; it is only a layout"))
                    .help("give the net a signature, `(x: [d]) -> [d] { .. }`"),
            );
        };
        let open = inst.arrays.iter().any(|a| !net.picks.iter().any(|(n, _)| n == a));
        if open {
            return self.fail(
                Diagnostic::error("H0334", span, "this is an array of nets; which of them is called?")
                    .help("index it, `net[i](x)`; mix it, `blend(net, p)(x)`; or choose by data, `route x over net at ..`"),
            );
        }
        let mut frame = Frame::new(inst.file, Some(net.inst));
        frame.picks = net.picks.clone();
        frame.path = inst.path.clone();
        for (_, pick) in &net.picks {
            match pick {
                Pick::Name(n) => push(&mut frame.lifted, *n),
                Pick::Data(t) | Pick::Mix(t) => t.names().for_each(|n| push(&mut frame.lifted, n)),
                Pick::Number(_) => {}
            }
        }
        let overrides = self.overrides.len();
        self.overrides.extend(net.with.iter().cloned());
        let out = self.call_signature(signature, frame, args, renamed, &name, span);
        self.overrides.truncate(overrides);
        out
    }

    pub fn call_fn(&mut self, f: FnVal<'a>, args: Vec<(Value<'a>, Span)>, renamed: &mut [Renamed], span: Span) -> Res<Value<'a>> {
        self.used.insert(f.def.name.span);
        let mut frame = Frame::new(f.file, None);
        frame.path = f.def.name.name.to_string();
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
            let message = format!(
                "`{name}` takes {} ({}), and {} given",
                super::instance::count(words.len(), "argument"),
                words.join(", "),
                if args.len() == 1 { "1 is".to_string() } else { format!("{} are", args.len()) }
            );
            return self.fail(Diagnostic::error("H0333", span, message).label(signature.span, "its signature"));
        }
        self.enter(span)?;
        frame.span = span;
        self.frames.push(frame);
        let out = self.run_signature(signature, args, renamed);
        self.frames.pop();
        self.depth -= 1;
        out
    }

    fn run_signature(
        &mut self,
        signature: &'a ast::Signature,
        args: Vec<(Value<'a>, Span)>,
        renamed: &mut [Renamed],
    ) -> Res<Value<'a>> {
        let mut m = Matching { axes: vec![], lifted: self.frame_ref().lifted.clone() };
        // Sizes first: they may stand in the types of the others.
        let mut bound: Vec<Option<Value<'a>>> = vec![None; args.len()];
        for (i, (arg, (value, at))) in signature.args.iter().zip(&args).enumerate() {
            if matches!(&arg.ty.kind, TypeKind::Tensor { scalar: Some(ast::Scalar::Size), axes } if axes.is_empty()) {
                let size = self.whole(value.clone(), *at)?;
                let v = Value::from(size);
                self.frame().scopes[0].push((arg.name.name.clone(), Binding::Value(v.clone())));
                bound[i] = Some(v);
            }
        }
        for (i, (arg, (value, at))) in signature.args.iter().zip(args).enumerate() {
            if bound[i].is_none() {
                let v = self.take(&arg.ty, value, at, renamed, &mut m)?;
                bound[i] = Some(v);
            }
        }
        let frame = self.frame();
        frame.lifted = m.lifted;
        for (word, taken) in &m.axes {
            frame.axes.push((word.clone(), taken.inner));
        }
        for (arg, v) in signature.args.iter().zip(bound) {
            if !matches!(&arg.ty.kind, TypeKind::Tensor { scalar: Some(ast::Scalar::Size), axes } if axes.is_empty()) {
                let v = v.expect("each argument was taken");
                self.define(&arg.name, Binding::Value(v))?;
            }
        }
        self.frame().scopes.push(vec![]);
        let value = self.block(&signature.body)?;
        let body = signature.body.span;
        let close = Span { start: body.end.saturating_sub(1), ..body };
        let last = signature.body.stmts.last().map_or(close, |s| s.span);
        let at = if matches!(value, Value::Unit) { close } else { last };
        self.give(&signature.result, value, &m.axes, at)
    }

    /// Matches one argument with its declared type.
    fn take(
        &mut self,
        ty: &'a ast::Type,
        value: Value<'a>,
        at: Span,
        renamed: &mut [Renamed],
        m: &mut Matching,
    ) -> Res<Value<'a>> {
        match &ty.kind {
            TypeKind::Tensor { scalar, axes } => {
                let t = match (scalar, value) {
                    (None | Some(ast::Scalar::F32), Value::Num(n)) => {
                        if axes.is_empty() {
                            // A number known at compile time stays one.
                            return Ok(Value::Num(n));
                        }
                        self.num_f32(&n)
                    }
                    (Some(ast::Scalar::I32), Value::Num(n)) if axes.is_empty() => {
                        self.whole(Value::Num(n.clone()), at)?;
                        return Ok(Value::Num(n));
                    }
                    (_, Value::Record(fields)) => {
                        let names: Vec<&str> = fields.iter().map(|f| &*f.0).collect();
                        return self.error(
                            "H0302",
                            at,
                            format!("this has several results ({}); one value is wanted", names.join(", ")),
                        );
                    }
                    (_, v) => self.as_tens(v, at)?,
                };
                let t = self.scalar_kind(t, *scalar, at, ty.span)?;
                self.take_axes(t, axes, ty.span, at, renamed, m).map(Value::Tensor)
            }
            TypeKind::Seed => match value {
                Value::Num(n) => Ok(Value::Num(n)),
                v => {
                    let t = self.index_tens(v, at)?;
                    t.names().for_each(|n| push(&mut m.lifted, n));
                    Ok(Value::Tensor(t))
                }
            },
            TypeKind::Tree(path) => {
                if path.parts.is_empty() || matches!(self.meaning(&path.root.name), Meaning::Nothing) {
                    return self.no_type(ty);
                }
                let like = self.shape_path(path)?;
                let tree = match value {
                    Value::Tree(t) => (*t).clone(),
                    Value::Net(net) => self.tree_of(Value::Net(net), at)?,
                    v => {
                        let message = format!("a parameter tree is wanted here, and this is {}", v.kind());
                        return self.fail(
                            Diagnostic::error("H0335", at, message)
                                .help("`unflatten(v, target.*)` makes a tree of a flat vector"),
                        );
                    }
                };
                // The same leaves with the same sizes, under the argument's own arrays.
                self.tree_zip(&tree, &like, at, &mut |c, own, want| {
                    let (a, b) = (c.sized_extents(own), c.sized_extents(want));
                    let fits = a.len() == b.len() && a.iter().zip(&b).all(|(x, y)| c.same(x, y));
                    if !fits {
                        let message = format!("a leaf is {}, and {} is wanted", c.show(own), c.show(want));
                        return c.error("H0335", at, message);
                    }
                    Ok(own.clone())
                })?;
                for (_, leaf) in tree.leaves() {
                    let inside = tree_axes(&tree);
                    leaf.names().filter(|n| !inside.contains(n)).for_each(|n| push(&mut m.lifted, n));
                }
                Ok(Value::Tree(tree.into()))
            }
            TypeKind::Record(fields) => {
                let Value::Record(values) = value else {
                    return self.error("H0302", at, format!("several results are wanted here, and this is {}", value.kind()));
                };
                let mut out = Vec::new();
                for f in fields {
                    let Some((_, v)) = values.iter().find(|(n, _)| *n == f.name.name) else {
                        return self.error("H0205", at, format!("`{}` is missing", f.name.name));
                    };
                    out.push((f.name.name.clone(), self.take(&f.ty, v.clone(), at, renamed, m)?));
                }
                Ok(Value::Record(out.into()))
            }
        }
    }

    /// Extents of the sized dimensions.
    pub fn sized_extents(&self, t: &Tens) -> Vec<Size> {
        let all = self.extents(t);
        t.sized().into_iter().map(|i| all[i].clone()).collect()
    }

    /// The declared kind of element.
    pub fn scalar_kind(&mut self, t: Tens, scalar: Option<ast::Scalar>, at: Span, declared: Span) -> Res<Tens> {
        let want = match scalar {
            None | Some(ast::Scalar::F32) => DType::F32,
            Some(ast::Scalar::I32 | ast::Scalar::Size) => DType::I32,
            Some(ast::Scalar::Bool) => DType::Bool,
        };
        if t.dtype == want {
            return Ok(t);
        }
        if want == DType::F32 && t.dtype == DType::I32 {
            return Ok(self.to_f32(&t));
        }
        let message = format!("this is {}, and {} is declared", self.show_kind(&t), want.word());
        let help = match want {
            DType::F32 => "`number(..)` makes 1 of true and 0 of false",
            DType::I32 => "`int(..)` casts to whole numbers",
            DType::Bool => "compare: `> 0.5`, `!= 0`",
        };
        self.fail(Diagnostic::error("H0336", at, message).label(declared, "declared here").help(help))
    }

    /// The axis that a word is where the call stands. What the caller itself is lifted over is hidden from it, whatever its name.
    fn caller_axis(&mut self, word: &str) -> Option<NameId> {
        let callee = self.frames.pop()?;
        let found = match self.meaning(word) {
            Meaning::Axis(n) | Meaning::Local(Binding::Index(n) | Binding::Round(_, n)) => Some(n),
            _ => None,
        };
        self.frames.push(callee);
        found
    }

    fn take_axes(
        &mut self,
        t: Tens,
        axes: &'a [ast::AxisExpr],
        declared: Span,
        at: Span,
        renamed: &mut [Renamed],
        m: &mut Matching,
    ) -> Res<Tens> {
        let mut labels = t.labels.clone();
        let mut sized = t.sized().into_iter();
        let mut taken_dims: Vec<usize> = vec![];
        for axis in axes {
            let e = match axis {
                ast::AxisExpr::Lifted(span) => return self.error("H0219", *span, "`*` stands in the type of a draw only"),
                ast::AxisExpr::Expr(e) => e,
            };
            if let Some(word) = self.signature_word(e) {
                let given = renamed.iter_mut().find(|r| r.axis == word);
                let named = match given {
                    Some(r) => {
                        r.used = true;
                        t.find(r.to).map(|d| (d, Some(r.to)))
                    }
                    None => self.caller_axis(&word).and_then(|n| t.find(n).map(|d| (d, Some(n)))),
                };
                let place = match named {
                    Some(p) => Some(p),
                    None => sized.next().map(|d| (d, None)),
                };
                let Some((dim, outer)) = place else {
                    let message = format!("no axis is left for `{word}`: this is {}", self.show(&t));
                    return self.fail(
                        Diagnostic::error("H0337", at, message)
                            .label(declared, format!("`{word}` is an axis of the signature"))
                            .help(format!("give one: `net[{word} = axis](..)`")),
                    );
                };
                let size = self.extent(&t, dim);
                let inner = match m.axes.iter().find(|(w, _)| *w == word) {
                    Some((_, known)) => {
                        let (inner, old, from) = (known.inner, known.size.clone(), known.span);
                        if !self.same(&old, &size) {
                            let message =
                                format!("`{word}` is {} here and {} before", self.show_size(&size), self.show_size(&old));
                            return self.fail(
                                Diagnostic::error("H0338", at, message)
                                    .label(from, format!("`{word}` is {} because of this", self.show_size(&old))),
                            );
                        }
                        inner
                    }
                    None => {
                        let inner = self.new_name(&word, size.clone(), Some(at));
                        m.axes.push((word, Taken { inner, outer, size, span: at }));
                        inner
                    }
                };
                labels[dim] = Label::Named(inner);
                taken_dims.push(dim);
                continue;
            }
            let want = self.size_of_expr(e)?;
            let Some(dim) = sized.next() else {
                let message =
                    format!("a size of {} is declared, and this has none left: it is {}", self.show_size(&want), self.show(&t));
                let mut d = Diagnostic::error("H0339", at, message).label(declared, "declared here");
                if let Some(n) = t.names().next() {
                    let n = self.name_text(n);
                    d = d.help(format!("`{n}` is a name; `let v[j < count[{n}]] = x[{n}: j]` turns it into a size"));
                }
                return self.fail(d);
            };
            let own = self.extent(&t, dim);
            if !self.same(&own, &want) {
                if t.sized().len() > axes.len() {
                    return self.left_over(&t, axes, at, declared);
                }
                let message = format!("the size is {}, and {} is declared", self.show_size(&own), self.show_size(&want));
                return self.fail(
                    Diagnostic::error("H0339", at, message)
                        .here(format!("this is {}", self.show(&t)))
                        .label(declared, format!("declared here: {} is {}", crate::syntax::print_expr(e), self.show_size(&want))),
                );
            }
            taken_dims.push(dim);
        }
        if sized.next().is_some() {
            return self.left_over(&t, axes, at, declared);
        }
        for (i, l) in t.labels.iter().enumerate() {
            if let Label::Named(n) = l
                && !taken_dims.contains(&i)
            {
                push(&mut m.lifted, *n);
            }
        }
        // Two axes of the value may not take one name; else the second is read on the diagonal, which nobody means.
        let out = Tens { labels, ..t };
        Ok(out)
    }

    /// An argument has more sizes than its declaration.
    fn left_over<T>(&mut self, t: &Tens, axes: &[ast::AxisExpr], at: Span, declared: Span) -> Res<T> {
        let (own, want) = (t.sized().len(), axes.len());
        let are = if own == 1 { "1 sized axis".to_string() } else { format!("{own} sized axes") };
        let takes = match want {
            0 => "none is declared".to_string(),
            1 => "1 is declared".to_string(),
            n => format!("{n} are declared"),
        };
        self.fail(
            Diagnostic::error("H0340", at, format!("this has {are}, and {takes}"))
                .here(format!("this is {}", self.show(t)))
                .label(declared, "declared here")
                .help("a net is lifted over names, never over sizes: give the axis a name, `let y[i] = net(v[i])`"),
        )
    }

    /// A free word of a signature is an axis of its own.
    fn signature_word(&self, e: &Expr) -> Option<Name> {
        let ExprKind::Name(word) = &*e.kind else { return None };
        match self.meaning(word) {
            Meaning::Nothing => Some(word.clone()),
            _ => None,
        }
    }

    /// Checks a result against its declared type, and gives names back what they took.
    fn give(&mut self, ty: &'a ast::Type, value: Value<'a>, axes: &[(Name, Taken)], at: Span) -> Res<Value<'a>> {
        match &ty.kind {
            TypeKind::Record(fields) => {
                let Value::Record(values) = value else {
                    let names: Vec<&str> = fields.iter().map(|f| &*f.name.name).collect();
                    return self.error(
                        "H0341",
                        ty.span,
                        format!("the results {} are declared, and the body gives {}", names.join(", "), value.kind()),
                    );
                };
                let mut out = Vec::new();
                for f in fields {
                    let Some((_, v)) = values.iter().find(|(n, _)| *n == f.name.name) else {
                        return self.error("H0341", f.name.span, format!("the body gives no result `{}`", f.name.name));
                    };
                    out.push((f.name.name.clone(), self.give(&f.ty, v.clone(), axes, at)?));
                }
                Ok(Value::Record(out.into()))
            }
            TypeKind::Tree(path) if path.parts.is_empty() || matches!(self.meaning(&path.root.name), Meaning::Nothing) => {
                self.no_type(ty)
            }
            TypeKind::Tree(_) => match value {
                Value::Tree(t) => Ok(Value::Tree(t)),
                Value::Net(net) => Ok(Value::Tree(self.tree_of(Value::Net(net), at)?.into())),
                v => self.error("H0341", ty.span, format!("a parameter tree is declared, and the body gives {}", v.kind())),
            },
            TypeKind::Seed => Ok(value),
            TypeKind::Tensor { scalar, axes: declared } => {
                if let (Value::Num(_), true) = (&value, declared.is_empty()) {
                    return Ok(value);
                }
                let t = match value {
                    Value::Num(n) => self.num_f32(&n),
                    Value::Unit => {
                        return self.fail(
                            Diagnostic::error("H0342", at, "this body has no value")
                                .here("it ends here")
                                .label(ty.span, "a result is declared")
                                .help("a body's value is an expression that stands last"),
                        );
                    }
                    v => self.as_tens(v, at)?,
                };
                let t = self.scalar_kind(t, *scalar, at, ty.span)?;
                self.give_axes(t, declared, ty.span, at, axes).map(Value::Tensor)
            }
        }
    }

    fn give_axes(&mut self, t: Tens, declared: &'a [ast::AxisExpr], ty: Span, at: Span, axes: &[(Name, Taken)]) -> Res<Tens> {
        let mut sized = t.sized().into_iter();
        // The dimensions in declared order; names that the value lacks are spread.
        let mut want: Vec<Result<usize, NameId>> = vec![];
        for axis in declared {
            let ast::AxisExpr::Expr(e) = axis else {
                return self.error("H0219", at, "`*` stands in the type of a draw only");
            };
            let word = match &*e.kind {
                ExprKind::Name(w) => axes.iter().find(|(n, _)| n == w).map(|(_, t)| t),
                _ => None,
            };
            if let Some(taken) = word {
                want.push(t.find(taken.inner).ok_or(taken.inner));
                continue;
            }
            let size = self.size_of_expr(e)?;
            let Some(dim) = sized.next() else {
                let message = format!("{} is declared, and the body gives {}", self.declared_text(declared), self.show(&t));
                return self.fail(Diagnostic::error("H0341", at, message).label(ty, "declared here"));
            };
            let own = self.extent(&t, dim);
            if !self.same(&own, &size) {
                let message =
                    format!("a size of {} is declared, and the body gives {}", self.show_size(&size), self.show_size(&own));
                let (shown, word) = (self.show(&t), crate::syntax::print_expr(e));
                return self.fail(
                    Diagnostic::error("H0341", at, message)
                        .here(format!("this is {shown}"))
                        .label(ty, format!("declared here: {word} is {}", self.show_size(&size))),
                );
            }
            want.push(Ok(dim));
        }
        if sized.next().is_some() {
            let message = format!("{} is declared, and the body gives {}", self.declared_text(declared), self.show(&t));
            return self.fail(Diagnostic::error("H0341", at, message).label(ty, "declared here"));
        }
        for (word, taken) in axes {
            let named = declared
                .iter()
                .any(|a| matches!(a, ast::AxisExpr::Expr(e) if matches!(&*e.kind, ExprKind::Name(w) if w == word)));
            if t.find(taken.inner).is_some() && !named {
                return self.fail(
                    Diagnostic::error("H0343", at, format!("the result still has the axis `{word}`, which is not declared"))
                        .label(ty, "declared here")
                        .help(format!("reduce it, `mean[{word}] ..`, or declare it")),
                );
            }
        }
        let missing: Vec<NameId> = want.iter().filter_map(|w| w.err()).collect();
        let mut t = self.spread(&t, &missing);
        let shift = missing.len();
        let order: Vec<usize> = (0..t.labels.len())
            .filter(|&i| {
                let l = t.labels[i];
                matches!(l, Label::Named(n) if !axes.iter().any(|(_, k)| k.inner == n))
            })
            .chain(want.iter().map(|w| match w {
                Ok(d) => d + shift,
                Err(n) => missing.iter().position(|m| m == n).expect("listed"),
            }))
            .collect();
        if order.iter().enumerate().any(|(i, k)| i != *k) {
            t = self.permute(&t, &order);
        }
        for (_, taken) in axes {
            t = self.relabel(&t, taken.inner, taken.outer.map_or(Label::Sized, Label::Named));
        }
        Ok(t)
    }

    fn declared_text(&self, declared: &[ast::AxisExpr]) -> String {
        let words: Vec<String> = declared
            .iter()
            .map(|a| match a {
                ast::AxisExpr::Lifted(_) => "*".to_string(),
                ast::AxisExpr::Expr(e) => crate::syntax::print_expr(e),
            })
            .collect();
        format!("[{}]", words.join(", "))
    }

    /// `net{* = tree}`
    pub fn with_expr(&mut self, base: &'a Expr, settings: &'a [ast::Setting], span: Span) -> Res<Value<'a>> {
        match self.expr(base)? {
            Value::Net(net) => self.with_net(net, settings, span).map(Value::Net),
            Value::Tree(tree) => {
                let mut tree = (*tree).clone();
                for s in settings {
                    let value = self.expr(&s.value)?;
                    match &s.path {
                        None => tree = self.tree_of(value, s.value.span)?,
                        Some(path) => {
                            let t = self.as_tens(value, s.value.span)?;
                            self.set_leaf(&mut tree, path, t)?;
                        }
                    }
                }
                Ok(Value::Tree(tree.into()))
            }
            Value::Poison => Err(Said),
            other => {
                let message = format!("`{{..}}` sets parameters of a net or a tree, and this is {}", other.kind());
                self.error("H0344", span, message)
            }
        }
    }

    fn set_leaf(&mut self, tree: &mut Tree, path: &'a ast::Path, value: Tens) -> Res<()> {
        let mut words = vec![path.root.name.clone()];
        for p in &path.parts {
            match p {
                ast::PathPart::Field(f) => words.push(f.name.clone()),
                ast::PathPart::Star(s) | ast::PathPart::Index(_, s) => {
                    return self.error("H0344", *s, "a leaf of a tree is named by its dotted path");
                }
            }
        }
        let mut at = tree;
        for w in &words {
            at = match at {
                Tree::Node(parts) => match parts.iter_mut().find(|(n, _)| n == w) {
                    Some((_, t)) => t,
                    None => return self.error("H0205", path.span, format!("this tree has no `{w}`")),
                },
                Tree::Leaf(_) | Tree::Array { .. } => {
                    return self.error("H0205", path.span, format!("this tree has no `{w}` here"));
                }
            };
        }
        let Tree::Leaf(old) = at else { return self.error("H0344", path.span, "this is no leaf") };
        let (a, b) = (self.sized_extents(old), self.sized_extents(&value));
        if a.len() != b.len() || !a.iter().zip(&b).all(|(x, y)| self.same(x, y)) {
            let message = format!("the leaf is {}, and this is {}", self.show(old), self.show(&value));
            return self.error("H0335", path.span, message);
        }
        *old = value;
        Ok(())
    }

    fn with_net(&mut self, mut net: NetVal, settings: &'a [ast::Setting], span: Span) -> Res<NetVal> {
        for s in settings {
            let value = self.expr(&s.value)?;
            match &s.path {
                None => {
                    let like = self.shape_tree(Value::Net(net.clone()), span)?;
                    let tree = self.tree_or_flat(value, &like, s.value.span)?;
                    let inst = net.inst;
                    self.set_all(&mut net, inst, &tree, s.value.span)?;
                }
                Some(path) => {
                    let targets = self.find_targets(Value::Net(net.clone()), path)?;
                    for target in targets {
                        let t = self.as_tens(value.clone(), s.value.span)?;
                        let shape = self.param_shape(target.param)?;
                        let t = self.fit(t, &shape, &target.elems, s.value.span)?;
                        net.with.push((target.param, t));
                    }
                }
            }
        }
        Ok(net)
    }

    /// A tree as it is, or a flat vector cut up.
    pub fn tree_or_flat(&mut self, value: Value<'a>, like: &Tree, at: Span) -> Res<Tree> {
        match value {
            Value::Tree(t) => Ok((*t).clone()),
            Value::Net(net) => self.tree_of(Value::Net(net), at),
            v => {
                let t = self.as_tens(v, at)?;
                self.unflatten(&t, like, at)
            }
        }
    }

    /// Puts the leaves of a tree in the place of an instance's parameters.
    fn set_all(&mut self, net: &mut NetVal, inst: InstId, tree: &Tree, at: Span) -> Res<()> {
        let params = self.leaf_params_of(inst)?;
        let own = self.shape_tree(Value::Net(NetVal { inst, picks: net.picks.clone(), with: vec![] }), at)?;
        let mut leaves = vec![];
        self.tree_zip(&own, tree, at, &mut |c, want, got| {
            let (a, b) = (c.sized_extents(want), c.sized_extents(got));
            if a.len() != b.len() || !a.iter().zip(&b).all(|(x, y)| c.same(x, y)) {
                let message = format!("a leaf is {}, and {} is wanted", c.show(got), c.show(want));
                return c.error("H0335", at, message);
            }
            leaves.push(got.clone());
            Ok(got.clone())
        })?;
        for (p, t) in params.into_iter().zip(leaves) {
            net.with.push((p, t));
        }
        Ok(())
    }

    /// An index as a pick, for routes.
    pub fn as_pick(value: IndexValue) -> Pick {
        match value {
            IndexValue::Name(n) => Pick::Name(n),
            IndexValue::Tens(t) => Pick::Data(t),
        }
    }
}

/// Array axes inside a tree.
fn tree_axes(tree: &Tree) -> Vec<NameId> {
    match tree {
        Tree::Leaf(_) => vec![],
        Tree::Node(parts) => parts.iter().flat_map(|(_, t)| tree_axes(t)).collect(),
        Tree::Array { axis, item } => [vec![*axis], tree_axes(item)].concat(),
    }
}

fn push(list: &mut Vec<NameId>, n: NameId) {
    if !list.contains(&n) {
        list.push(n);
    }
}
