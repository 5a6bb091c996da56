//! Reductions.

use super::binders::BoundNames;
use super::value::{Label, NameId, Num, Tens, Tree, Value};
use super::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::{DType, Fold, Map, Size};
use crate::source::Span;
use crate::syntax::ast::{self, Expr, ExprKind, Reduction};

impl<'a> Checker<'a> {
    /// `op[binders] body`
    pub fn reduce(
        &mut self,
        op: Reduction,
        op_span: Span,
        binders: &'a ast::Binders,
        body: &'a Expr,
        span: Span,
    ) -> Res<Value<'a>> {
        let keeps = op == Reduction::Softmax;
        let (value, bound) =
            self.under_binders(binders, keeps, |c, bound| c.reduce_open(op, op_span, binders, bound, body, span))?;
        // The index of a softmax that nobody else binds must be an axis of the value's own.
        if keeps && let Some((n, span)) = bound.fresh.first() {
            let text = self.axes.name_text(*n).to_string();
            return self.fail(
                Diagnostic::error(Code::H0325, *span, format!("softmax keeps its index, and `{text}` is bound nowhere else"))
                    .help(format!(
                        "bind it on the left, `let p[{text}] = softmax[{text}] ..`, or write `softmax(v)` for a vector"
                    )),
            );
        }
        self.ranges_known(&bound).map(|()| value)
    }

    fn reduce_open(
        &mut self,
        op: Reduction,
        op_span: Span,
        binders: &'a ast::Binders,
        bound: &BoundNames,
        body: &'a Expr,
        span: Span,
    ) -> Res<Value<'a>> {
        // The body first: it gives ranges to the indices that the filter may mention.
        let filter = match &binders.filter {
            None => None,
            Some(f) => {
                let t = self.tens(f)?;
                self.truth(&t, f.span)?;
                Some((t, f.span))
            }
        };
        let holds = filter.as_ref().map(|(t, _)| t.clone());
        self.assuming(holds, |c| c.reduce_body(op, op_span, filter, bound, body, span))
    }

    fn reduce_body(
        &mut self,
        op: Reduction,
        op_span: Span,
        filter: Option<(Tens, Span)>,
        bound: &BoundNames,
        body: &'a Expr,
        span: Span,
    ) -> Res<Value<'a>> {
        let over = self.written_out_in(bound, body)?;
        if !over.is_empty() {
            let value = self.leaf_by_leaf(&over, body)?;
            return self.reduce_value(op, op_span, value, body.span, filter, bound, span);
        }
        if matches!(op, Reduction::Sum | Reduction::Mean) {
            let mut factors = vec![];
            self.factors(body, &mut factors)?;
            if op == Reduction::Sum
                && factors.len() > 1
                && let Some(product) = self.whole_product(&factors, span)?
            {
                return self.reduce_value(op, op_span, Value::Tensor(product), body.span, filter, bound, span);
            }
            if factors.len() > 1 && factors.iter().all(|(f, _)| matches!(f, Value::Num(_) | Value::Tensor(_) | Value::List(_))) {
                let total = self.sum_product(factors, filter.clone(), bound, span)?;
                if op == Reduction::Sum {
                    return Ok(Value::Tensor(total));
                }
                return self.divide_by_count(total, filter, bound);
            }
            let (value, at) = match factors.pop() {
                Some(one) if factors.is_empty() => one,
                _ => (self.expr(body)?, body.span),
            };
            return self.reduce_value(op, op_span, value, at, filter, bound, span);
        }
        let value = self.expr(body)?;
        self.reduce_value(op, op_span, value, body.span, filter, bound, span)
    }

    fn reduce_value(
        &mut self,
        op: Reduction,
        op_span: Span,
        value: Value<'a>,
        at: Span,
        filter: Option<(Tens, Span)>,
        bound: &BoundNames,
        span: Span,
    ) -> Res<Value<'a>> {
        match value {
            Value::Record(fields) => {
                let mut out = Vec::new();
                for (n, v) in fields.iter() {
                    out.push((n.clone(), self.reduce_value(op, op_span, v.clone(), at, filter.clone(), bound, span)?));
                }
                Ok(Value::Record(out.into()))
            }
            Value::Tree(tree) => {
                let out = self.tree_map(&tree, &mut |c, leaf| {
                    let v = c.reduce_value(op, op_span, Value::Tensor(leaf.clone()), at, filter.clone(), bound, span)?;
                    c.as_tens(v, at)
                })?;
                Ok(Value::Tree(out.into()))
            }
            v => {
                let t = self.as_tens(v, at)?;
                self.reduce_tens(op, op_span, t, at, filter, &bound.names(), span).map(Value::Tensor)
            }
        }
    }

    /// Reduces a tensor over names.
    pub fn reduce_tens(
        &mut self,
        op: Reduction,
        op_span: Span,
        t: Tens,
        at: Span,
        filter: Option<(Tens, Span)>,
        names: &[NameId],
        span: Span,
    ) -> Res<Tens> {
        let logical = matches!(op, Reduction::Any | Reduction::All);
        if logical && t.dtype != DType::Bool {
            let message = format!("`{}` takes truth values, and this is {}", op.word(), self.show(&t));
            let help = format!(
                "a reduction takes the product to its right: a comparison stands in parentheses, `{}[i] (v[i] > 0)`",
                op.word()
            );
            return self.fail(Diagnostic::error(Code::H0307, at, message).help(help));
        }
        if !logical {
            self.arithmetic(&t, at)?;
        }
        let float = matches!(op, Reduction::Mean | Reduction::Logsumexp | Reduction::Softmax);
        let mut t = if float { self.to_f32(&t) } else { t };
        if matches!(op, Reduction::Argmax | Reduction::Argmin) && names.len() != 1 {
            return self.fail(
                Diagnostic::error(
                    Code::H0326,
                    op_span,
                    format!("`{}` takes exactly one index, and {} are bound", op.word(), names.len()),
                )
                .help("for the place in several axes, merge them first: `let flat[(i, j)] = v[i, j]`, then `argmax(flat)`"),
            );
        }
        t = self.spread(&t, names);
        if let Some(filter) = &filter {
            t = self.left_out(op, &t, at, filter, span)?;
        }
        match op {
            Reduction::Sum => Ok(self.fold(Fold::Sum, &t, names)),
            Reduction::Prod => Ok(self.fold(Fold::Prod, &t, names)),
            Reduction::Max => Ok(self.fold(Fold::Max, &t, names)),
            Reduction::Min => Ok(self.fold(Fold::Min, &t, names)),
            Reduction::Any => Ok(self.fold(Fold::Any, &t, names)),
            Reduction::All => Ok(self.fold(Fold::All, &t, names)),
            Reduction::Argmax | Reduction::Argmin => {
                let fold = if op == Reduction::Argmax { Fold::Argmax } else { Fold::Argmin };
                let place = self.fold(fold, &t, names);
                match &filter {
                    Some((mask, _)) => self.kept_place(place, mask, names[0]),
                    None => Ok(place),
                }
            }
            Reduction::Mean => {
                let total = self.fold(Fold::Sum, &t, names);
                let bound = BoundNames { groups: vec![names.to_vec()], ..BoundNames::default() };
                let v = self.divide_by_count(total, filter, &bound)?;
                self.as_tens(v, span)
            }
            Reduction::Logsumexp => self.logsumexp(&t, names),
            Reduction::Softmax => {
                let p = self.softmax(&t, names)?;
                match &filter {
                    Some(filter) => self.zero_outside(&p, at, filter, span),
                    None => Ok(p),
                }
            }
        }
    }

    /// A sum over names divided by how many places they have (where the filter holds).
    fn divide_by_count(&mut self, total: Tens, filter: Option<(Tens, Span)>, bound: &BoundNames) -> Res<Value<'a>> {
        let names = bound.names();
        let count = match filter {
            None => {
                let n = names.iter().fold(Size::from(1i64), |p, n| p.mul(&self.axes.size_of(*n)));
                self.num_f32(&Num::Exact(n))
            }
            Some((mask, _)) => {
                let ones = self.to_f32(&mask);
                let ones = self.spread(&ones, &names);
                self.fold(Fold::Sum, &ones, &names)
            }
        };
        self.pointwise(Map::Div, &[&total, &count]).map(Value::Tensor)
    }

    /// The factors of a product, each evaluated; a quotient by something is a factor, too.
    fn factors(&mut self, e: &'a Expr, out: &mut Vec<(Value<'a>, Span)>) -> Res<()> {
        match &*e.kind {
            ExprKind::Paren(inner) => self.factors(inner, out),
            ExprKind::Binary { op: ast::BinaryOp::Mul, left, right, .. } => {
                self.factors(left, out)?;
                self.factors(right, out)
            }
            ExprKind::Binary { op: ast::BinaryOp::Div, left, right, .. } => {
                self.factors(left, out)?;
                let d = self.expr(right)?;
                let one = Value::Num(Num::Real(1.0));
                let inverse = self.binary(ast::BinaryOp::Div, one, d, right.span, right.span, right.span)?;
                out.push((inverse, right.span));
                Ok(())
            }
            _ => {
                let v = self.expr(e)?;
                out.push((v, e.span));
                Ok(())
            }
        }
    }

    /// A product of whole numbers, which is whole; `None`: some factor is real.
    fn whole_product(&mut self, factors: &[(Value<'a>, Span)], span: Span) -> Res<Option<Tens>> {
        let mut product: Option<(Tens, Span)> = None;
        for (value, at) in factors {
            let t = match value {
                Value::Tensor(t) if t.dtype == DType::I32 => t.clone(),
                Value::Num(n) => self.num_tens(n),
                Value::List(list) => self.list_tens(list)?,
                _ => return Ok(None),
            };
            if t.dtype != DType::I32 {
                return Ok(None);
            }
            product = Some(match product {
                None => (t, *at),
                Some((before, from)) => (self.map(Map::Mul, DType::I32, &[(&before, from), (&t, *at)], "a product", span)?, span),
            });
        }
        Ok(product.map(|(t, _)| t))
    }

    /// The sum of a product: one contraction, however many factors.
    fn sum_product(
        &mut self,
        factors: Vec<(Value<'a>, Span)>,
        filter: Option<(Tens, Span)>,
        bound: &BoundNames,
        span: Span,
    ) -> Res<Tens> {
        let names = bound.names();
        let mut tensors = vec![];
        for (value, at) in factors {
            let t = match value {
                Value::Num(n) => self.num_f32(&n),
                v => self.as_tens(v, at)?,
            };
            self.arithmetic(&t, at)?;
            tensors.push((self.to_f32(&t), at));
        }
        let guard = match &filter {
            Some(filter) => self.guard_product(&mut tensors, filter, span)?,
            None => None,
        };
        let covered = |n: &NameId| tensors.iter().any(|(t, _)| t.find(*n).is_some());
        let missing: Vec<NameId> = names.iter().copied().filter(|n| !covered(n)).collect();
        if !missing.is_empty() {
            let spread = self.spread(&tensors[0].0.clone(), &missing);
            tensors[0].0 = spread;
        }
        let with: Vec<(&Tens, Span)> = tensors.iter().map(|(t, s)| (t, *s)).collect();
        self.align(&with, "a product", span)?;
        let refs: Vec<&Tens> = tensors.iter().map(|(t, _)| t).chain(&guard).collect();
        self.contract(&refs, &names, span)
    }

    /// `softmax(v)`, `sum(v)`, `max(a, b)`: a reduction word as a function.
    pub fn reduction_call(&mut self, op: Reduction, args: Vec<(Value<'a>, Span)>, span: Span) -> Res<Value<'a>> {
        let args = match (op, <[(Value<'a>, Span); 2]>::try_from(args)) {
            (Reduction::Max, Ok(both)) => return self.extreme(Map::Max, both, span),
            (Reduction::Min, Ok(both)) => return self.extreme(Map::Min, both, span),
            (_, Ok(both)) => both.into(),
            (_, Err(args)) => args,
        };
        let [(value, at)] = match <[(Value<'a>, Span); 1]>::try_from(args) {
            Ok(one) => one,
            Err(args) => return self.fail(one_value(op, &args, span)),
        };
        match value {
            Value::Tree(tree) => self.reduce_tree(op, &tree, at, span),
            Value::Num(n) if !matches!(op, Reduction::Softmax) => Ok(Value::Num(n)),
            v => {
                let t = self.as_tens(v, at)?;
                self.reduce_sized(op, t, at, span).map(Value::Tensor)
            }
        }
    }

    /// Reduces a value with exactly one sized axis.
    fn reduce_sized(&mut self, op: Reduction, t: Tens, at: Span, span: Span) -> Res<Tens> {
        let sized = t.sized();
        let [dim] = sized.as_slice() else {
            let message = format!("`{}(..)` wants exactly one sized axis, and this is {}", op.word(), self.show(&t));
            let help = self.which(op, &t);
            return self.fail(Diagnostic::error(Code::H0328, at, message).help(help));
        };
        let extent = self.extent(&t, *dim);
        let n = self.axes.new_name("i", extent, Some(at));
        let named = self.dim_to_name(&t, *dim, n);
        let out = self.reduce_tens(op, at, named, at, None, &[n], span)?;
        if op != Reduction::Softmax {
            return Ok(out);
        }
        Ok(self.relabel(&out, n, Label::Sized))
    }

    /// How a reduction says along which of a value's axes it goes.
    fn which(&self, op: Reduction, t: &Tens) -> String {
        let word = op.word();
        let last_name = t.names().last().map(|n| self.axes.name_text(n).to_string());
        match (t.sized().len(), last_name) {
            (0, None) => "a single number has no axis".to_string(),
            (0, Some(name)) => format!("along an axis with a name, and without the parentheses: `{word}[{name}] v`"),
            (n, _) => {
                let names: Vec<String> = (0..n).map(index_word).collect();
                let (all, last) = (names.join(", "), &names[n - 1]);
                match op {
                    Reduction::Softmax => format!("say along which: `{word}[{last}] v[{all}]`"),
                    _ => format!("say along which: `{word}[{last}] v[{all}]` for the last, `{word}[{all}] v[{all}]` for all"),
                }
            }
        }
    }

    /// One number from all leaves of a tree (names that the leaves are lifted over stay).
    fn reduce_tree(&mut self, op: Reduction, tree: &Tree, at: Span, span: Span) -> Res<Value<'a>> {
        if !matches!(op, Reduction::Sum | Reduction::Mean | Reduction::Max | Reduction::Min) {
            return self.error(Code::H0328, at, format!("`{}` of a tree is not defined", op.word()));
        }
        let flat = self.flatten(tree)?;
        self.reduce_sized(op, flat, at, span).map(Value::Tensor)
    }
}

/// A word for the index of an axis: `i`, `j`, `k`, then with numbers.
fn index_word(k: usize) -> String {
    match ["i", "j", "k"].get(k) {
        Some(word) => word.to_string(),
        None => format!("i{k}"),
    }
}

/// What is said of a reduction with more than its value: elsewhere an axis is counted there.
fn one_value(op: Reduction, args: &[(Value<'_>, Span)], span: Span) -> Diagnostic {
    let word = op.word();
    let d = Diagnostic::error(Code::H0327, span, format!("`{word}` takes one value here"));
    let help =
        format!("axes are named, not counted: `{word}(x)` goes along the sized axis, `{word}[i] x[i]` along one that it names");
    match args {
        [(_, value), (Value::Num(n), axis)] if n.known() == Some(-1.0) => {
            d.fix(help, Span { start: value.end, end: axis.end, ..span }, "")
        }
        _ => d.help(help),
    }
}
