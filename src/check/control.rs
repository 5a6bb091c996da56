//! `if`.

use super::relation::{assigned_in, assigned_in_block};
use super::value::{NameId, Num, Tens, Value};
use super::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::{DType, Map};
use crate::source::Span;
use crate::syntax::ast::{Block, Else, Expr};
use std::collections::BTreeSet;

impl<'a> Checker<'a> {
    /// `if cond { .. } else { .. }`
    pub fn if_expr(&mut self, cond: &'a Expr, then: &'a Block, otherwise: Option<&'a Else>, span: Span) -> Res<Value<'a>> {
        self.if_along(&[], cond, then, otherwise, span)
    }

    /// As [`Checker::if_expr`]; a loop that is the value of a side gives the axis back that it is called like, if it is `given`.
    pub fn if_along(
        &mut self,
        given: &[NameId],
        cond: &'a Expr,
        then: &'a Block,
        otherwise: Option<&'a Else>,
        span: Span,
    ) -> Res<Value<'a>> {
        let c = match self.expr(cond)? {
            Value::Bool(b) => {
                return match (b, otherwise) {
                    (true, _) => self.block_along(given, then),
                    (false, Some(e)) => self.else_value(given, e),
                    (false, None) => Ok(Value::Unit),
                };
            }
            v => self.as_tens(v, cond.span)?,
        };
        self.truth(&c, cond.span)?;
        if !c.sized().is_empty() {
            let message = format!("`if` takes one truth value per example, and this is {}", self.show(&c));
            return self.fail(
                Diagnostic::error(Code::H0505, cond.span, message).help("index it: `let y[i] = if c[i] { .. } else { .. }`"),
            );
        }
        let mut assigned = BTreeSet::new();
        assigned_in_block(then, &mut assigned);
        match otherwise {
            Some(Else::Block(b)) => assigned_in_block(b, &mut assigned),
            Some(Else::If(e)) => assigned_in(e, &mut assigned),
            None => {}
        }
        let before = self.variables(&assigned);
        let a = self.assuming([c.clone()], |s| s.block_along(given, then));
        let after_then = self.variables(&assigned);
        for (n, v) in &before {
            self.set_var(n, v.clone());
        }
        let b = match otherwise {
            Some(e) => {
                let not = self.pointwise(Map::Not, &[&c])?;
                self.assuming([not], |s| s.else_value(given, e))
            }
            None => Ok(Value::Unit),
        };
        let (a, b) = (a?, b?);
        if otherwise.is_some() && self.report.is_generic() && self.of_sizes_alone(&c) {
            // Both sides were looked at; which of them is meant, and so what it gives, numbers decide that are unknown here.
            return self.report.again();
        }
        let after_else = self.variables(&assigned);
        for ((n, x), (_, y)) in after_then.into_iter().zip(after_else) {
            if !same_value(&x, &y) {
                let merged = self.choose(&c, x, y, cond.span, span)?;
                self.set_var(&n, merged);
            }
        }
        if otherwise.is_none() {
            if !matches!(a, Value::Unit) {
                return self.fail(
                    Diagnostic::error(Code::H0506, span, "this `if` has a value on one side only").help("add `else { .. }`"),
                );
            }
            return Ok(Value::Unit);
        }
        self.choose(&c, a, b, cond.span, span)
    }

    fn else_value(&mut self, given: &[NameId], e: &'a Else) -> Res<Value<'a>> {
        match e {
            Else::Block(b) => self.block_along(given, b),
            Else::If(e) => self.rounds_along(given, e),
        }
    }

    /// One of two values per example.
    pub fn choose(&mut self, c: &Tens, a: Value<'a>, b: Value<'a>, at: Span, span: Span) -> Res<Value<'a>> {
        match (a, b) {
            (Value::Unit, Value::Unit) => Ok(Value::Unit),
            (Value::Record(x), Value::Record(y)) => {
                let mut out = Vec::new();
                for (n, v) in x.iter() {
                    let Some((_, w)) = y.iter().find(|(m, _)| m == n) else {
                        return self.error(Code::H0506, span, format!("only one side gives `{n}`"));
                    };
                    out.push((n.clone(), self.choose(c, v.clone(), w.clone(), at, span)?));
                }
                Ok(Value::Record(out.into()))
            }
            (Value::Tree(x), Value::Tree(y)) => {
                let tree = self.tree_zip(&x, &y, span, &mut |s, p, q| {
                    s.map(Map::Select, p.dtype, &[(c, at), (p, span), (q, span)], "`if`", span)
                })?;
                Ok(Value::Tree(tree.into()))
            }
            (Value::Unit, _) | (_, Value::Unit) => self.error(Code::H0506, span, "only one side of this `if` has a value"),
            (a, b) => {
                let float = |v: &Value<'_>| {
                    matches!(v, Value::Tensor(t) if t.dtype == DType::F32) || matches!(v, Value::Num(Num::Real(_)))
                };
                let any = float(&a) || float(&b);
                let side = |s: &mut Self, v: Value<'a>| match v {
                    Value::Num(n) if any => Ok(s.num_f32(&n)),
                    v => s.as_tens(v, span),
                };
                let x = side(self, a)?;
                let y = side(self, b)?;
                let (x, y) = if x.dtype == y.dtype {
                    (x, y)
                } else if x.dtype != DType::Bool && y.dtype != DType::Bool {
                    (self.to_f32(&x), self.to_f32(&y))
                } else {
                    let message = format!("one side is {}, the other {}", self.show(&x), self.show(&y));
                    return self.error(Code::H0506, span, message);
                };
                self.map(Map::Select, x.dtype, &[(c, at), (&x, span), (&y, span)], "`if`", span).map(Value::Tensor)
            }
        }
    }
}

/// Whether two values are one.
fn same_value(a: &Value<'_>, b: &Value<'_>) -> bool {
    match (a, b) {
        (Value::Tensor(x), Value::Tensor(y)) => x.node == y.node && x.level == y.level && x.labels == y.labels,
        (Value::Num(x), Value::Num(y)) => x == y,
        (Value::Bool(x), Value::Bool(y)) => x == y,
        (Value::Record(x), Value::Record(y)) => std::rc::Rc::ptr_eq(x, y),
        (Value::Tree(x), Value::Tree(y)) => std::rc::Rc::ptr_eq(x, y),
        (Value::List(x), Value::List(y)) => std::rc::Rc::ptr_eq(x, y),
        (Value::Unit, Value::Unit) | (Value::Poison(_), Value::Poison(_)) => true,
        _ => false,
    }
}
