//! Arguments against the types of a signature.

use super::{Matching, Renamed, with::push, with::tree_axes};
use crate::check::value::Value;
use crate::check::word::Meaning;
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{self, TypeKind};

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
                // A number known at compile time stays one.
                let t = match value {
                    Value::Num(n) if axes.is_empty() => {
                        return self.number_kind(n, *scalar, at, ty.span).map(Value::Num);
                    }
                    Value::Bool(b) if axes.is_empty() && *scalar == Some(ast::Scalar::Bool) => return Ok(Value::Bool(b)),
                    Value::Num(n) if matches!(scalar, None | Some(ast::Scalar::F32)) => self.num_f32(&n),
                    Value::Record(fields) => {
                        let names: Vec<&str> = fields.iter().map(|f| &*f.0).collect();
                        let message = format!("this has several results ({}); one value is wanted", names.join(", "));
                        return self.error(Code::H0302, at, message);
                    }
                    v => self.as_tens(v, at)?,
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
                self.take_tree(path, value, at, m)
            }
            TypeKind::Record(fields) => {
                let Value::Record(values) = value else {
                    return self.error(Code::H0302, at, format!("several results are wanted here, and this is {}", value.kind()));
                };
                let mut out = Vec::new();
                for f in fields {
                    let Some((_, v)) = values.iter().find(|(n, _)| *n == f.name.name) else {
                        return self.error(Code::H0205, at, format!("`{}` is missing", f.name.name));
                    };
                    out.push((f.name.name.clone(), self.take(&f.ty, v.clone(), at, renamed, m)?));
                }
                Ok(Value::Record(out.into()))
            }
        }
    }

    /// A parameter tree with the leaves of the one that is declared, with the same sizes, under its own arrays.
    fn take_tree(&mut self, path: &'a ast::Path, value: Value<'a>, at: Span, m: &mut Matching) -> Res<Value<'a>> {
        let like = self.shape_path(path)?;
        let tree = match value {
            Value::Tree(t) => (*t).clone(),
            Value::Net(net) => self.tree_of(Value::Net(net), at)?,
            v => {
                let message = format!("a parameter tree is wanted here, and this is {}", v.kind());
                return self.fail(
                    Diagnostic::error(Code::H0335, at, message).help("`unflatten(v, target.*)` makes a tree of a flat vector"),
                );
            }
        };
        self.tree_zip(&tree, &like, at, &mut |c, own, want| {
            let (a, b) = (c.sized_extents(own), c.sized_extents(want));
            let fits = a.len() == b.len() && a.iter().zip(&b).all(|(x, y)| c.axes.same(x, y));
            if !fits {
                let message = format!("a leaf is {}, and {} is wanted", c.show(own), c.show(want));
                return c.error(Code::H0335, at, message);
            }
            Ok(own.clone())
        })?;
        for (_, leaf) in tree.leaves() {
            let inside = tree_axes(&tree);
            leaf.names().filter(|n| !inside.contains(n)).for_each(|n| push(&mut m.lifted, n));
        }
        Ok(Value::Tree(tree.into()))
    }
}
