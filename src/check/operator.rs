//! Operators.

use super::value::{Label, Num, Tens, Tree, Value};
use super::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::{DType, Map};
use crate::source::Span;
use crate::syntax::ast::{BinaryOp, UnaryOp};
use std::rc::Rc;

impl<'a> Checker<'a> {
    pub fn unary(&mut self, op: UnaryOp, value: Value<'a>, span: Span) -> Res<Value<'a>> {
        match (op, value) {
            (UnaryOp::Neg, Value::Num(Num::Exact(s))) => Ok(Value::Num(Num::Exact(s.neg()))),
            (UnaryOp::Neg, Value::Num(Num::Real(v))) => Ok(Value::Num(Num::Real(-v))),
            (UnaryOp::Not, Value::Bool(b)) => Ok(Value::Bool(!b)),
            (UnaryOp::Neg, Value::Tree(t)) => {
                let tree = self.tree_map(&t, &mut |c, leaf| c.pointwise(Map::Neg, &[leaf]))?;
                Ok(Value::Tree(Rc::new(tree)))
            }
            (UnaryOp::Neg, v) => {
                let t = self.as_tens(v, span)?;
                self.arithmetic(&t, span)?;
                Ok(Value::Tensor(self.pointwise(Map::Neg, &[&t])?))
            }
            (UnaryOp::Not, v) => {
                let t = self.as_tens(v, span)?;
                self.truth(&t, span)?;
                Ok(Value::Tensor(self.pointwise(Map::Not, &[&t])?))
            }
        }
    }

    /// An infix operator on any two values.
    pub fn binary(&mut self, op: BinaryOp, a: Value<'a>, b: Value<'a>, span: Span, left: Span, right: Span) -> Res<Value<'a>> {
        match (a, b) {
            (Value::Num(x), Value::Num(y)) => self.num_binary(op, &x, &y, span),
            (Value::Bool(x), Value::Bool(y)) if matches!(op, BinaryOp::And | BinaryOp::Or | BinaryOp::Eq | BinaryOp::Ne) => {
                Ok(Value::Bool(match op {
                    BinaryOp::And => x && y,
                    BinaryOp::Or => x || y,
                    BinaryOp::Eq => x == y,
                    _ => x != y,
                }))
            }
            (Value::LeafName(x, _), Value::LeafName(y, _)) if matches!(op, BinaryOp::Eq | BinaryOp::Ne) => {
                Ok(Value::Bool((x == y) == (op == BinaryOp::Eq)))
            }
            (Value::Tree(x), Value::Tree(y)) => {
                let tree = self.tree_zip(&x, &y, span, &mut |c, p, q| {
                    let v = c.tens_binary(op, p, q, span, left, right)?;
                    c.as_tens(v, span)
                })?;
                Ok(Value::Tree(Rc::new(tree)))
            }
            (Value::Tree(x), y) => self.tree_scalar(op, &x, y, span, left, right, true),
            (x, Value::Tree(y)) => self.tree_scalar(op, &y, x, span, right, left, false),
            (a, b) => {
                // A number takes the kind of the tensor that it meets.
                let float = |v: &Value<'_>| matches!(v, Value::Tensor(t) if t.dtype == DType::F32);
                let (fa, fb) = (float(&a), float(&b));
                let p = self.meet(a, fb || op == BinaryOp::Div, left)?;
                let q = self.meet(b, fa || op == BinaryOp::Div, right)?;
                self.tens_binary(op, &p, &q, span, left, right)
            }
        }
    }

    fn meet(&mut self, v: Value<'a>, float: bool, span: Span) -> Res<Tens> {
        match v {
            Value::Num(n) if float => Ok(self.num_f32(&n)),
            other => self.as_tens(other, span),
        }
    }

    fn tree_scalar(
        &mut self,
        op: BinaryOp,
        tree: &Rc<Tree>,
        other: Value<'a>,
        span: Span,
        tree_span: Span,
        other_span: Span,
        tree_first: bool,
    ) -> Res<Value<'a>> {
        let t = match other {
            Value::Num(n) => self.num_f32(&n),
            v => self.as_tens(v, other_span)?,
        };
        if !t.sized().is_empty() {
            let message = format!("a parameter tree meets {}; one number (possibly with names) is wanted", self.show(&t));
            return self.error(Code::H0302, span, message);
        }
        let out = self.tree_map(tree, &mut |c, leaf| {
            let (a, b) = if tree_first { (leaf, &t) } else { (&t, leaf) };
            let v = c.tens_binary(op, a, b, span, tree_span, other_span)?;
            c.as_tens(v, span)
        })?;
        Ok(Value::Tree(Rc::new(out)))
    }

    /// An infix operator on two tensors.
    pub fn tens_binary(&mut self, op: BinaryOp, a: &Tens, b: &Tens, span: Span, left: Span, right: Span) -> Res<Value<'a>> {
        if op == BinaryOp::Matmul {
            return self.matmul(a, b, span, left, right).map(Value::Tensor);
        }
        if matches!(op, BinaryOp::And | BinaryOp::Or) {
            self.truth(a, left)?;
            self.truth(b, right)?;
            let f = if op == BinaryOp::And { Map::And } else { Map::Or };
            return self.map(f, DType::Bool, &[(a, left), (b, right)], op_word(op), span).map(Value::Tensor);
        }
        let equality = matches!(op, BinaryOp::Eq | BinaryOp::Ne);
        if !(equality && a.dtype == DType::Bool && b.dtype == DType::Bool) {
            self.arithmetic(a, left)?;
            self.arithmetic(b, right)?;
        }
        let whole = a.dtype == DType::I32 && b.dtype == DType::I32;
        let float = matches!(op, BinaryOp::Div | BinaryOp::Pow);
        let (a, b) =
            if a.dtype == b.dtype && !(float && whole) { (a.clone(), b.clone()) } else { (self.to_f32(a), self.to_f32(b)) };
        let (f, swap) = match op {
            BinaryOp::Add => (Map::Add, false),
            BinaryOp::Sub => (Map::Sub, false),
            BinaryOp::Mul => (Map::Mul, false),
            BinaryOp::Div => (Map::Div, false),
            BinaryOp::IntDiv => (Map::IntDiv, false),
            BinaryOp::Mod => (Map::Mod, false),
            BinaryOp::Pow => (Map::Pow, false),
            BinaryOp::Eq => (Map::Eq, false),
            BinaryOp::Ne => (Map::Ne, false),
            BinaryOp::Lt => (Map::Lt, false),
            BinaryOp::Gt => (Map::Lt, true),
            BinaryOp::Le => (Map::Le, false),
            BinaryOp::Ge => (Map::Le, true),
            BinaryOp::Or | BinaryOp::And | BinaryOp::Matmul => {
                return self.report.bug(span, "an operator that was treated before");
            }
        };
        let operands = if swap { [(&b, right), (&a, left)] } else { [(&a, left), (&b, right)] };
        self.map(f, f.gives(a.dtype), &operands, op_word(op), span).map(Value::Tensor)
    }

    fn matmul(&mut self, a: &Tens, b: &Tens, span: Span, left: Span, right: Span) -> Res<Tens> {
        let (p, q) = (a.sized(), b.sized());
        let (Some(&last), Some(&first)) = (p.last(), q.first()) else {
            let (bad, at) = if p.is_empty() { (a, left) } else { (b, right) };
            let message = format!("`@` multiplies vectors and matrices, and this is {}", self.show(bad));
            return self.error(Code::H0308, at, message);
        };
        let (x, y) = (self.extent(a, last), self.extent(b, first));
        if !self.axes.same(&x, &y) {
            let message = format!(
                "`@` joins the last size of its left side with the first of its right side; these are {} and {}",
                self.axes.show_size(&x),
                self.axes.show_size(&y)
            );
            let mut d = Diagnostic::error(Code::H0301, span, message)
                .label(left, format!("this is {}: its last size is {}", self.show(a), self.axes.show_size(&x)))
                .label(right, format!("this is {}: its first size is {}", self.show(b), self.axes.show_size(&y)));
            if q.len() == 2 && self.axes.resolve(&x) == self.extent(b, q[1]) {
                let text = "the right side is transposed: turn it round".to_string();
                let before = Span { end: right.start, ..right };
                let after = Span { start: right.end, ..right };
                d.help = Some(crate::diag::Help { text, edits: vec![(before, "transpose(".into()), (after, ")".into())] });
            }
            return self.fail(d);
        }
        let (a, b) = (self.to_f32(a), self.to_f32(b));
        let over = self.axes.new_name("k", x, Some(span));
        let mut fresh = vec![];
        let mut name_all = |c: &mut Self, t: &Tens, dim: usize| {
            let mut labels = t.labels.clone();
            for i in t.sized() {
                labels[i] = Label::Named(if i == dim {
                    over
                } else {
                    let n = c.axes.new_name(&format!("d{}", fresh.len()), c.extent(t, i), Some(span));
                    fresh.push(n);
                    n
                });
            }
            Tens { labels, ..t.clone() }
        };
        let a = name_all(self, &a, last);
        let b = name_all(self, &b, first);
        let mut t = self.contract(&[&a, &b], &[over], span)?;
        let names: Vec<usize> =
            (0..t.labels.len()).filter(|&i| !matches!(t.labels[i], Label::Named(n) if fresh.contains(&n))).collect();
        let order: Vec<usize> = names.iter().copied().chain(fresh.iter().map(|n| t.find(*n).expect("kept"))).collect();
        if order.iter().enumerate().any(|(i, k)| i != *k) {
            t = self.permute(&t, &order);
        }
        for l in &mut t.labels[names.len()..] {
            *l = Label::Sized;
        }
        Ok(t)
    }
}

/// What messages call an operator.
pub fn op_word(op: BinaryOp) -> &'static str {
    match op {
        BinaryOp::Or => "`or`",
        BinaryOp::And => "`and`",
        BinaryOp::Eq => "`==`",
        BinaryOp::Ne => "`!=`",
        BinaryOp::Lt => "`<`",
        BinaryOp::Gt => "`>`",
        BinaryOp::Le => "`<=`",
        BinaryOp::Ge => "`>=`",
        BinaryOp::Add => "`+`",
        BinaryOp::Sub => "`-`",
        BinaryOp::Mul => "`*`",
        BinaryOp::Div => "`/`",
        BinaryOp::Matmul => "`@`",
        BinaryOp::IntDiv => "`div`",
        BinaryOp::Mod => "`mod`",
        BinaryOp::Pow => "`^`",
    }
}
