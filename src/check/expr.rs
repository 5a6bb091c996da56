//! Expressions: which rule applies, and the operators.

use super::value::{Label, Num, Pick, Tens, Tree, Value};
use super::{Checker, Res};
use crate::diag::{Diagnostic, listed, suggest};
use crate::ir::{DType, Map, Op, Size};
use crate::source::Span;
use crate::syntax::ast::{self, BinaryOp, Expr, ExprKind, UnaryOp};
use std::rc::Rc;

impl<'a> Checker<'a> {
    /// The value of an expression.
    pub fn expr(&mut self, e: &'a Expr) -> Res<Value<'a>> {
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
            ExprKind::ReductionName(op) => self.fail(
                Diagnostic::error("H0313", e.span, format!("`{}` is a function here and has no value of its own", op.word()))
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
                let value = self.expr(base)?;
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
                let mut parts = Vec::new();
                for item in items {
                    let value = self.expr(item)?;
                    parts.push((self.as_tens(value, item.span)?, item.span));
                }
                Ok(Value::Tensor(self.stack(parts, e.span)?))
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

    fn unary(&mut self, op: UnaryOp, value: Value<'a>, span: Span) -> Res<Value<'a>> {
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

    /// Refuses truth values where numbers are wanted.
    pub fn arithmetic(&mut self, t: &Tens, span: Span) -> Res<()> {
        if t.dtype != DType::Bool {
            return Ok(());
        }
        self.fail(
            Diagnostic::error("H0307", span, "a truth value is no number").help("`number(..)` makes 1 of true and 0 of false"),
        )
    }

    /// Refuses numbers where truth values are wanted.
    pub fn truth(&mut self, t: &Tens, span: Span) -> Res<()> {
        if t.dtype == DType::Bool {
            return Ok(());
        }
        self.fail(Diagnostic::error("H0307", span, "a number is no truth value").help("compare it: `> 0.5`, `!= 0`"))
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
            return self.error("H0302", span, message);
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
            return self.error("H0308", at, message);
        };
        let (x, y) = (self.extent(a, last), self.extent(b, first));
        if !self.axes.same(&x, &y) {
            let message = format!(
                "`@` joins the last size of its left side with the first of its right side; these are {} and {}",
                self.axes.show_size(&x),
                self.axes.show_size(&y)
            );
            let mut d = Diagnostic::error("H0301", span, message)
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

    /// `value.name`
    pub fn field(&mut self, value: Value<'a>, name: &'a ast::Ident) -> Res<Value<'a>> {
        match value {
            Value::Record(fields) => match fields.iter().find(|(n, _)| *n == name.name) {
                Some((_, v)) => Ok(v.clone()),
                None => {
                    let known: Vec<&str> = fields.iter().map(|f| &*f.0).collect();
                    let mut d = Diagnostic::error("H0205", name.span, format!("there is no result `{}`", name.name));
                    d = match suggest(&name.name, known.iter().copied()) {
                        Some(near) => d.fix(format!("`{near}` is near"), name.span, near),
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
                            Diagnostic::error("H0205", name.span, format!("this tree has no `{}`", name.name))
                                .help(format!("its leaves are {}", listed(&paths))),
                        )
                    }
                }
            }
            Value::Poison(said) => Err(said),
            other => {
                let message = format!("this is {}, which has no parts", other.kind());
                self.error("H0205", name.span, message)
            }
        }
    }

    /// Says that a net has no such member.
    pub fn no_member<T>(&mut self, inst: super::instance::InstId, name: &ast::Ident) -> Res<T> {
        if self.report.is_full() {
            return self.error("H0205", name.span, "");
        }
        let net = self.nets[inst].net.map_or("this", |n| &n.name.name).to_string();
        let mut known: Vec<ast::Name> = self.nets[inst].members.keys().cloned().collect();
        known.sort();
        let mut d = Diagnostic::error("H0205", name.span, format!("`{net}` has no member `{}`", name.name));
        d = match suggest(&name.name, known.iter().map(|n| &**n)) {
            Some(near) => d.fix(format!("`{near}` is near"), name.span, near),
            None => d.help(format!("it has {}", listed(&known))),
        };
        self.fail(d)
    }

    /// A net out of an array or family, or a renaming of axes for a call.
    pub fn index_net(
        &mut self,
        mut net: super::value::NetVal,
        indices: &'a [ast::Index],
        span: Span,
    ) -> Res<super::value::NetVal> {
        for index in indices {
            let (value, at) = match index {
                ast::Index::At(e) => (self.index_value(e)?, e.span),
                ast::Index::Rename { axis, .. } => {
                    return self.error("H0314", axis.span, "an axis is given where a net is called: `net[t = patch](x)`");
                }
                ast::Index::Along { axis, .. } => {
                    return self.error("H0314", axis.span, "an array of nets has no named axes");
                }
                ast::Index::Lifted(s) | ast::Index::Merged(_, s) => {
                    return self.error("H0314", *s, "this does not index an array of nets");
                }
                ast::Index::Range { from, .. } => {
                    return self.error("H0314", from.span, "a range of nets is no net; call them with an index, `net[i](x)`");
                }
            };
            let arrays = &self.nets[net.inst].arrays;
            let Some(&array) = arrays.iter().find(|a| !net.picks.iter().any(|(n, _)| n == *a)) else {
                return self.error("H0315", span, "this is one net and no array");
            };
            let n = self.axes.size_of(array);
            let pick = match value {
                IndexValue::Name(name) => {
                    let own = self.axes.size_of(name);
                    if !self.axes.same(&n, &own) {
                        return self.range_error(name, &n, at, "nets");
                    }
                    self.axes.note_range(name, at);
                    Pick::Name(name)
                }
                IndexValue::Tens(t) => match self.build.at(&t).op {
                    Op::Const(v) => {
                        let k = v as i64;
                        if k < 0 || n.constant().is_some_and(|n| k >= n) {
                            let message = format!(
                                "there are {} nets here, numbered from 0, and this is number {k}",
                                self.axes.show_size(&n)
                            );
                            return self.error("H0316", at, message);
                        }
                        Pick::Number(Size::from(k))
                    }
                    _ => Pick::Data(self.inside(&t, Some(array), &n, at)?),
                },
            };
            net.picks.push((array, pick));
        }
        Ok(net)
    }
}

/// What an index is.
pub enum IndexValue {
    /// An axis or an index, bare.
    Name(super::value::NameId),
    Tens(Tens),
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
