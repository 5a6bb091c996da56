//! What a model is given: inputs and conditions.

use crate::check::model::{Allowed, Input, InputKind};
use crate::check::value::{Label, Tens, Value};
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::{DType, Node, Op, Origin, Size};
use crate::source::Span;
use crate::syntax::ast::{self};

impl<'a> Checker<'a> {
    fn source(&mut self, name: &ast::Ident, origin: Origin, dtype: DType, shape: &[(Label, Size)]) -> Tens {
        let axes = shape.iter().enumerate().map(|(i, (l, s))| self.axes.axis(*l, &format!("d{i}"), s.clone())).collect();
        let mut node = Node::new(Op::Source { origin, path: name.name.clone() }, dtype, axes);
        node.name = Some(name.name.clone());
        self.emit(node, shape.iter().map(|(l, _)| *l).collect(), vec![])
    }

    fn named_shape(&self, shape: &[(Label, Size)]) -> Vec<(Option<ast::Name>, Size)> {
        shape
            .iter()
            .map(|(l, s)| match l {
                Label::Named(n) => (Some(self.axes.name_text(*n).into()), s.clone()),
                Label::Sized => (None, s.clone()),
            })
            .collect()
    }

    pub(super) fn input(&mut self, name: &'a ast::Ident, ty: &'a ast::Type, span: Span) -> Res<Value<'a>> {
        if matches!(&ty.kind, ast::TypeKind::Tensor { scalar: Some(ast::Scalar::Size), .. } | ast::TypeKind::Seed) {
            return self.fail(
                Diagnostic::error(Code::H0223, ty.span, "a size or a seed is decided by a condition, not by an input").fix(
                    "make it a condition",
                    Span { end: span.start + 5, ..span },
                    "condition",
                ),
            );
        }
        let (dtype, shape) = self.tensor_type(ty)?;
        let shape_names = self.named_shape(&shape);
        self.out.add_input(Input {
            name: name.name.to_string(),
            condition: false,
            lifted: false,
            kind: InputKind::Tensor,
            dtype,
            shape: shape_names,
            default: None,
            below: None,
            span: name.span,
        });
        Ok(Value::Tensor(self.source(name, Origin::Input, dtype, &shape)))
    }

    pub(super) fn condition(
        &mut self,
        name: &'a ast::Ident,
        ty: &'a ast::Type,
        within: Option<&'a ast::Within>,
        default: Option<&'a ast::Expr>,
    ) -> Res<Value<'a>> {
        let (dtype, shape, kind) = match &ty.kind {
            ast::TypeKind::Seed => (DType::I32, vec![], InputKind::Seed),
            ast::TypeKind::Tensor { scalar: Some(ast::Scalar::Size), .. } => {
                let (_, shape) = self.tensor_type(ty)?;
                (DType::I32, shape, InputKind::Size(self.allowed(within)?))
            }
            _ => {
                let (dtype, shape) = self.tensor_type(ty)?;
                if within.is_some() {
                    return self.error(Code::H0224, name.span, "`in` lists the values of a size: declare it `size`");
                }
                (dtype, shape, InputKind::Tensor)
            }
        };
        let value = default;
        let lifted = self.options.lift.iter().find(|(n, _)| **n == *name.name).and_then(|(_, dim)| self.axis_word(dim));
        let mut shape = shape;
        if let Some(n) = lifted {
            shape.insert(0, (Label::Named(n), self.axes.size_of(n)));
        }
        let default = match default {
            None => None,
            Some(e) => {
                let init = self.initialiser(e, &shape)?;
                self.init_fits(&init, e, ty)?;
                Some(init)
            }
        };
        if let (InputKind::Size(allowed), Some(e)) = (&kind, value)
            && let Ok(n) = self.size_of_expr(e)
            && let Some(n) = n.constant()
        {
            let (fine, shown) = match allowed {
                Allowed::Any => (true, String::new()),
                Allowed::Range(a, b) => ((*a..*b).contains(&n), format!("{a}..{b}, the end left out")),
                Allowed::List(list) => (list.contains(&n), list.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")),
            };
            if !fine {
                return self.fail(
                    Diagnostic::error(Code::H0225, e.span, format!("{n} is none of the values that `{}` may have", name.name))
                        .help(format!("it may be {shown}")),
                );
            }
        }
        let shape_names = self.named_shape(&shape);
        self.out.add_input(Input {
            name: name.name.to_string(),
            condition: lifted.is_none(),
            lifted: lifted.is_some(),
            kind,
            dtype,
            shape: shape_names,
            default,
            below: None,
            span: name.span,
        });
        Ok(Value::Tensor(self.source(name, if lifted.is_some() { Origin::Input } else { Origin::Condition }, dtype, &shape)))
    }

    fn allowed(&mut self, within: Option<&'a ast::Within>) -> Res<Allowed> {
        let known = |c: &mut Self, e: &'a ast::Expr| match c.size_of_expr(e)?.constant() {
            Some(n) => Ok(n),
            None => c.unknown(e.span, "this"),
        };
        Ok(match within {
            None => Allowed::Any,
            Some(ast::Within::Range(a, b)) => Allowed::Range(known(self, a)?, known(self, b)?),
            Some(ast::Within::List(items, _)) => {
                let mut out = vec![];
                for e in items {
                    out.push(known(self, e)?);
                }
                Allowed::List(out)
            }
        })
    }
}
