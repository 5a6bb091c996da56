//! Expressions: which rule applies.

use super::value::{Num, Tens, Tree, Value};
use super::{Checker, Res};
use crate::diag::{Code, Diagnostic, listed, suggest};
use crate::ir::{DType, Map, Size};
use crate::source::Span;
use crate::syntax::ast::{self, BinaryOp, Expr, ExprKind};
use std::rc::Rc;

impl<'a> Checker<'a> {
    /// The value of an expression.
    pub fn expr(&mut self, e: &'a Expr) -> Res<Value<'a>> {
        if let Some(v) = self.written_out(e)? {
            return Ok(v);
        }
        match self.nested(e.span, |c| c.expr_kind(e))? {
            Value::Poison(said) => Err(said),
            Value::Num(Num::Exact(size)) if size.is_lost() => self.fail(super::too_long(e.span)),
            other => Ok(other),
        }
    }

    fn expr_kind(&mut self, e: &'a Expr) -> Res<Value<'a>> {
        match &*e.kind {
            ExprKind::Number { value, whole, text } => Ok(Value::Num(match (whole, super::word::exact(*value)) {
                (false, _) => Num::Real(*value),
                (true, Num::Real(_)) => Num::Exact(Size::digits(text)),
                (true, exact) => exact,
            })),
            ExprKind::Name(word) => self.word(word, e.span),
            ExprKind::Stored(pattern) => self.stored_tensor(pattern, e.span),
            ExprKind::ReductionName(op) => self.fail(
                Diagnostic::error(Code::H0313, e.span, format!("`{}` is a function here and has no value of its own", op.word()))
                    .help(format!("call it, `{0}(v)`, or bind an index, `{0}[i] v[i]`", op.word())),
            ),
            ExprKind::Unary { op, arg } => {
                let value = self.expr(arg)?;
                self.unary(*op, value, arg.span)
            }
            ExprKind::Binary { op, left, right, .. } => {
                let a = self.expr(left);
                let used = self.other_side(*op, &a)?;
                let b = self.assuming(used, |c| c.expr(right));
                self.binary(*op, a?, b?, e.span, left.span, right.span)
            }
            ExprKind::Pipe { value, stage } => self.pipe(value, stage, e.span),
            ExprKind::Reduce { op, op_span, binders, body } => self.reduce(*op, *op_span, binders, body, e.span),
            ExprKind::Call { callee, args } => self.call_expr(callee, None, args, e.span),
            ExprKind::Index { base, indices, list_span, otherwise } => {
                self.index_expr(base, indices, *list_span, otherwise.as_ref(), e.span)
            }
            ExprKind::With { base, settings } => self.with_expr(base, settings, e.span),
            ExprKind::Field { base, name } => {
                if let Some(said) = self.foreign_prefix(base, name) {
                    return said;
                }
                let value = self.expr(base)?;
                if let (ExprKind::Tree { .. }, Value::Tree(tree)) = (&*base.kind, &value)
                    && let Some(parts) = starred(tree, &name.name)
                {
                    return Ok(Value::Tree(Rc::new(parts)));
                }
                self.field(value, name)
            }
            ExprKind::Tree { base } => {
                let value = self.expr(base)?;
                self.tree_of(value, e.span).map(|t| Value::Tree(Rc::new(t)))
            }
            ExprKind::Paren(inner) => self.expr(inner),
            ExprKind::Record(fields) => {
                let mut out = Vec::new();
                for (name, value) in fields {
                    out.push((name.name.clone(), self.expr(value)?));
                }
                Ok(Value::Record(out.into()))
            }
            ExprKind::List(items) => {
                let mut values = Vec::new();
                for item in items {
                    values.push((self.expr(item)?, item.span));
                }
                self.list_value(values, e.span)
            }
            ExprKind::If { cond, then, otherwise } => self.if_expr(cond, then, otherwise.as_ref(), e.span),
            ExprKind::For(f) => self.for_expr(f, None, e.span),
            ExprKind::Route(r) => self.route_expr(r, e.span),
        }
    }

    /// Where `and` is false on its left already, and `or` true, what stands on the right is not used.
    fn other_side(&mut self, op: BinaryOp, left: &Res<Value<'a>>) -> Res<Option<Tens>> {
        let Ok(Value::Tensor(t)) = left else { return Ok(None) };
        if t.dtype != DType::Bool || !matches!(op, BinaryOp::And | BinaryOp::Or) {
            return Ok(None);
        }
        Ok(Some(if op == BinaryOp::And { t.clone() } else { self.pointwise(Map::Not, &[t])? }))
    }

    /// A tensor from an expression.
    pub fn tens(&mut self, e: &'a Expr) -> Res<Tens> {
        let value = self.expr(e)?;
        self.as_tens(value, e.span)
    }

    fn pipe(&mut self, value: &'a Expr, stage: &'a Expr, span: Span) -> Res<Value<'a>> {
        let first = self.expr(value)?;
        match &*stage.kind {
            ExprKind::Call { callee, args } => self.call_expr(callee, Some((first, value.span)), args, span),
            _ => self.call_expr(stage, Some((first, value.span)), &[], span),
        }
    }

    /// Refuses truth values where numbers are wanted.
    pub fn arithmetic(&mut self, t: &Tens, span: Span) -> Res<()> {
        if t.dtype != DType::Bool {
            return Ok(());
        }
        self.fail(
            Diagnostic::error(Code::H0307, span, "a truth value is no number")
                .help("`number(..)` makes 1 of true and 0 of false"),
        )
    }

    /// Refuses numbers where truth values are wanted.
    pub fn truth(&mut self, t: &Tens, span: Span) -> Res<()> {
        if t.dtype == DType::Bool {
            return Ok(());
        }
        self.fail(Diagnostic::error(Code::H0307, span, "a number is no truth value").help("compare it: `> 0.5`, `!= 0`"))
    }

    /// `value.name`
    pub fn field(&mut self, value: Value<'a>, name: &'a ast::Ident) -> Res<Value<'a>> {
        match value {
            Value::Record(fields) => match fields.iter().find(|(n, _)| *n == name.name) {
                Some((_, v)) => Ok(v.clone()),
                None => {
                    let known: Vec<&str> = fields.iter().map(|f| &*f.0).collect();
                    let mut d = Diagnostic::error(Code::H0205, name.span, format!("there is no result `{}`", name.name));
                    d = match suggest(&name.name, known.iter().copied()) {
                        Some(near) => d.meant(&name.name, name.span, near),
                        None => d.help(format!("there are {}", listed(&known))),
                    };
                    self.fail(d)
                }
            },
            Value::Net(net) => {
                let Some(member) = self.nets[net.inst].members.get(&name.name).copied() else {
                    if let Some(loss) = self.loss_value(&net, &name.name, name.span)? {
                        return Ok(loss);
                    }
                    return self.no_member(net.inst, name);
                };
                self.member(net, member, name.span)
            }
            Value::Tree(tree) => {
                let part = match &*tree {
                    Tree::Node(parts) => parts.iter().find(|(n, _)| *n == name.name).map(|(_, t)| t.clone()),
                    Tree::Array { axis, item } => match &**item {
                        Tree::Node(parts) => parts
                            .iter()
                            .find(|(n, _)| *n == name.name)
                            .map(|(_, t)| Tree::Array { axis: *axis, item: Box::new(t.clone()) }),
                        Tree::Leaf(_) | Tree::Array { .. } => None,
                    },
                    Tree::Leaf(_) => None,
                };
                match part {
                    Some(t) => Ok(self.tree_value(t)),
                    None => {
                        let paths: Vec<String> = tree.leaves().into_iter().map(|l| l.0).collect();
                        self.fail(
                            Diagnostic::error(Code::H0205, name.span, format!("this tree has no `{}`", name.name))
                                .help(format!("its leaves are {}", listed(&paths))),
                        )
                    }
                }
            }
            Value::Poison(said) => Err(said),
            other => {
                let message = format!("this is {}, which has no parts", other.kind());
                let d = Diagnostic::error(Code::H0205, name.span, message);
                let tensor = matches!(other, Value::Tensor(_) | Value::Num(_));
                self.fail(match super::habit::of_part(&name.name).filter(|_| tensor) {
                    Some(says) => d.help(says),
                    None => d,
                })
            }
        }
    }

    /// Says that a net has no such member.
    pub fn no_member<T>(&mut self, inst: super::instance::InstId, name: &ast::Ident) -> Res<T> {
        if self.report.is_full() {
            return self.error(Code::H0205, name.span, "");
        }
        if let Some(because) = self.nets[inst].absent.get(&name.name).copied() {
            return self.is_absent(&name.name, name.span, because);
        }
        let net = self.nets[inst].net.map_or("this", |n| &n.name.name).to_string();
        let mut known: Vec<ast::Name> = self.nets[inst].members.keys().cloned().collect();
        known.sort();
        let mut d = Diagnostic::error(Code::H0205, name.span, format!("`{net}` has no member `{}`", name.name));
        d = match suggest(&name.name, known.iter().map(|n| &**n)) {
            Some(near) => d.meant(&name.name, name.span, near),
            None => d.help(format!("it has {}", listed(&known))),
        };
        self.fail(d)
    }
}

/// `tree.*.name`: what the parts of a tree have under this name, where the tree itself has nothing of it.
fn starred(tree: &Tree, name: &str) -> Option<Tree> {
    let Tree::Node(parts) = tree else { return None };
    if parts.iter().any(|(n, _)| **n == *name) {
        return None;
    }
    let own = |t: &Tree| match t {
        Tree::Node(inner) => inner.iter().find(|(n, _)| **n == *name).map(|(_, t)| t.clone()),
        Tree::Array { axis, item } => match &**item {
            Tree::Node(inner) => {
                let found = inner.iter().find(|(n, _)| **n == *name)?;
                Some(Tree::Array { axis: *axis, item: Box::new(found.1.clone()) })
            }
            Tree::Leaf(_) | Tree::Array { .. } => None,
        },
        Tree::Leaf(_) => None,
    };
    let found: Vec<_> = parts.iter().filter_map(|(n, t)| Some((n.clone(), own(t)?))).collect();
    (!found.is_empty()).then_some(Tree::Node(found))
}
