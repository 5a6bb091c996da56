//! Arguments against the types of a signature: which axes are its own, and over which the call is lifted.

use super::{Matching, Renamed, Taken, with::push, with::tree_axes};
use crate::check::scope::{Binding, Meaning};
use crate::check::value::{Label, NameId, Tens, Value};
use crate::check::{Checker, Res};
use crate::diag::Diagnostic;
use crate::ir::{DType, Size};
use crate::source::Span;
use crate::syntax::ast::{self, Expr, ExprKind, Name, TypeKind};

impl<'a> Checker<'a> {
    /// Matches one argument with its declared type.
    pub(super) fn take(
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
}
