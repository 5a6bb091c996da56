//! The result of a call, with the axes that the caller knows.

use super::Taken;
use crate::check::kind::elements;
use crate::check::value::{Label, NameId, Tens, Value};
use crate::check::word::Meaning;
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::DType;
use crate::source::Span;
use crate::syntax::ast::{self, ExprKind, Name, TypeKind};

/// Second copies that no argument has: where they stand, and the caller's axis that they are.
type Copies = Vec<(usize, Option<NameId>)>;

impl<'a> Checker<'a> {
    /// Checks a result against its declared type, and gives names back what they took.
    pub(super) fn give(&mut self, ty: &'a ast::Type, value: Value<'a>, axes: &[(Name, Taken)], at: Span) -> Res<Value<'a>> {
        match &ty.kind {
            TypeKind::Record(fields) => {
                let Value::Record(values) = value else {
                    let names: Vec<&str> = fields.iter().map(|f| &*f.name.name).collect();
                    return self.error(
                        Code::H0341,
                        ty.span,
                        format!("the results {} are declared, and the body gives {}", names.join(", "), value.kind()),
                    );
                };
                let mut out = Vec::new();
                for f in fields {
                    let Some((_, v)) = values.iter().find(|(n, _)| *n == f.name.name) else {
                        return self.error(Code::H0341, f.name.span, format!("the body gives no result `{}`", f.name.name));
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
                v => self.error(Code::H0341, ty.span, format!("a parameter tree is declared, and the body gives {}", v.kind())),
            },
            TypeKind::Seed => Ok(value),
            TypeKind::Tensor { scalar, axes: declared } => {
                let t = match value {
                    Value::Num(n) => match self.number_kind(n, *scalar, at, ty.span)? {
                        n if declared.is_empty() => return Ok(Value::Num(n)),
                        n if elements(*scalar) == DType::F32 => self.num_f32(&n),
                        n => self.num_tens(&n),
                    },
                    Value::Unit => {
                        return self.fail(
                            Diagnostic::error(Code::H0342, at, "this body has no value")
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
        let (want, copies) = self.wanted_axes(&t, declared, ty, at, axes)?;
        for (word, taken) in axes {
            let named = declared
                .iter()
                .any(|a| matches!(a, ast::AxisExpr::Expr(e) if matches!(&*e.kind, ExprKind::Name(w) if w == word)));
            if t.find(taken.inner).is_some() && !named {
                return self.fail(
                    Diagnostic::error(Code::H0343, at, format!("the result still has the axis `{word}`, which is not declared"))
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
        let lifted = t.labels.len() - want.len();
        for (k, copy) in copies {
            if let Some(n) = copy {
                t.labels[lifted + k] = Label::Named(n);
            }
        }
        for (_, taken) in axes {
            t = self.relabel(&t, taken.inner, taken.outer.map_or(Label::Sized, Label::Named));
        }
        Ok(t)
    }

    /// The dimensions of a result in declared order; names that it lacks are spread.
    fn wanted_axes(
        &mut self,
        t: &Tens,
        declared: &'a [ast::AxisExpr],
        ty: Span,
        at: Span,
        axes: &[(Name, Taken)],
    ) -> Res<(Vec<Result<usize, NameId>>, Copies)> {
        let mut sized = t.sized().into_iter();
        let mut want: Vec<Result<usize, NameId>> = vec![];
        let mut copies: Copies = vec![];
        for axis in declared {
            let ast::AxisExpr::Expr(e) = axis else {
                return self.error(Code::H0219, at, "`*` stands in the type of a draw only");
            };
            let word = match &*e.kind {
                ExprKind::Name(w) => axes.iter().find(|(n, _)| n == w).map(|(_, t)| t),
                _ => None,
            };
            if let Some(taken) = word {
                want.push(t.find(taken.inner).ok_or(taken.inner));
                continue;
            }
            let size = match first_copy(e, axes) {
                Some((word, taken)) => {
                    copies.push((want.len(), taken.outer.and_then(|n| self.axes.copy_of(n, word))));
                    taken.size.clone()
                }
                None => self.size_of_expr(e)?,
            };
            let Some(dim) = sized.next() else {
                let message = format!("{} is declared, and the body gives {}", self.declared_text(declared), self.show(t));
                return self.fail(Diagnostic::error(Code::H0341, at, message).label(ty, "declared here"));
            };
            let own = self.extent(t, dim);
            if !self.axes.same(&own, &size) {
                let message = format!(
                    "a size of {} is declared, and the body gives {}",
                    self.axes.show_size(&size),
                    self.axes.show_size(&own)
                );
                let (shown, word) = (self.show(t), crate::syntax::print_expr(e));
                return self.fail(
                    Diagnostic::error(Code::H0341, at, message)
                        .here(format!("this is {shown}"))
                        .label(ty, format!("declared here: {word} is {}", self.axes.show_size(&size))),
                );
            }
            want.push(Ok(dim));
        }
        if sized.next().is_some() {
            let message = format!("{} is declared, and the body gives {}", self.declared_text(declared), self.show(t));
            return self.fail(Diagnostic::error(Code::H0341, at, message).label(ty, "declared here"));
        }
        Ok((want, copies))
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
}

/// A second copy, `n'`, that no argument has: its word, and the axis that it is a copy of.
fn first_copy<'e, 't>(e: &'e ast::Expr, axes: &'t [(Name, Taken)]) -> Option<(&'e Name, &'t Taken)> {
    let ExprKind::Name(word) = &*e.kind else { return None };
    let first = word.trim_end_matches('\'');
    let (_, taken) = axes.iter().find(|(n, _)| **n == *first && first.len() < word.len())?;
    Some((word, taken))
}
