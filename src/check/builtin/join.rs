//! Functions that act on sizes: joining, stacking, flattening, turning round.

use super::table::{Arg, Call};
use crate::check::value::{Label, NameId, Tens, Value};
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::{Axis, Node, Op, Operand, Size, Written};
use crate::source::Span;
use crate::syntax::ast::ExprKind;

impl<'a> Checker<'a> {
    /// `concat(a, c, ..)`
    pub(super) fn concat_call(&mut self, call: Call<'a>) -> Res<Value<'a>> {
        let parts = self.parts(call.args)?;
        self.concat(parts, call.span).map(Value::Tensor)
    }

    /// `stack(a, c, ..)`
    pub(super) fn stack_call(&mut self, call: Call<'a>) -> Res<Value<'a>> {
        let parts = self.parts(call.args)?;
        self.stack(parts, call.span).map(Value::Tensor)
    }

    fn parts(&mut self, args: Vec<Arg<'a>>) -> Res<Vec<(Tens, Span)>> {
        let mut parts = vec![];
        for (v, at) in self.list(args)? {
            parts.push((self.as_tens(v, at)?, at));
        }
        Ok(parts)
    }

    /// `size(x)`: the size of a tree is known before its values are.
    pub(super) fn size_call(&mut self, call: Call<'a>) -> Res<Value<'a>> {
        if let [Arg::Written(e)] = call.args.as_slice() {
            if let ExprKind::Tree { base } = &*e.kind {
                return match self.for_shapes(|c| c.expr(base))? {
                    Value::Net(net) => Ok(Value::from(self.tree_size(&net)?)),
                    v => {
                        let tree = self.shape_tree(v, e.span)?;
                        Ok(Value::from(self.tree_len(&tree)))
                    }
                };
            }
            let v = self.for_shapes(|c| c.expr(e))?;
            return self.for_shapes(|c| c.size_function(v, e.span));
        }
        let [(v, at)] = self.values(call.args)?;
        self.size_function(v, at)
    }

    /// `leaves(target.*)`: how many parameters a tree has, by its declarations alone.
    pub(super) fn leaves_call(&mut self, mut call: Call<'a>) -> Res<Value<'a>> {
        let tree = call.args.pop().expect("the table says one");
        let tree = self.for_shapes(|c| {
            let (v, at) = c.value(tree)?;
            c.tree_of(v, at)
        })?;
        Ok(Value::from(Size::from(tree.leaves().len())))
    }

    /// `stored(fc.w)`: parameters as they are stored, before their relations.
    pub(super) fn stored_call(&mut self, mut call: Call<'a>) -> Res<Value<'a>> {
        let what = call.args.pop().expect("the table says one");
        let (v, at) = self.storing(|c| c.value(what))?;
        match v {
            Value::Net(net) => Ok(Value::Tree(self.storing(|c| c.tree_of(Value::Net(net), at))?.into())),
            v @ (Value::Tensor(_) | Value::Tree(_)) => Ok(v),
            v => {
                let message = format!("a parameter is stored, or a tree of them, and this is {}", v.kind());
                self.error(Code::H0406, at, message)
            }
        }
    }

    /// `count(t)`: with brackets it is no call.
    pub(super) fn count_call(&mut self, call: Call<'a>) -> Res<Value<'a>> {
        self.error(Code::H0318, call.at, "`count` wants an axis in brackets: `count[t]`")
    }

    /// `flatten(x)`: the leaves of a tree, or all places of a value, one after the other.
    pub(super) fn flatten_call(&mut self, call: Call<'a>) -> Res<Value<'a>> {
        let [(v, at)] = self.values(call.args)?;
        match v {
            Value::Tree(tree) => self.flatten(&tree).map(Value::Tensor),
            Value::Net(net) => {
                let tree = self.tree_of(Value::Net(net), at)?;
                self.flatten(&tree).map(Value::Tensor)
            }
            v => {
                let t = self.as_tens(v, at)?;
                Ok(Value::Tensor(self.in_a_row(&t)))
            }
        }
    }

    /// All places of a value along one size.
    pub(super) fn in_a_row(&mut self, t: &Tens) -> Tens {
        let total = self.sized_extents(t).iter().fold(Size::from(1i64), |p, n| p.mul(n));
        self.reshape(t, vec![total])
    }

    /// `unflatten(v, like)`: of `like` only the shapes are asked for.
    pub(super) fn unflatten_call(&mut self, mut call: Call<'a>) -> Res<Value<'a>> {
        let like = call.args.pop().expect("the table says two");
        let tree = self.for_shapes(|c| {
            let (v, at) = c.value(like)?;
            c.tree_of(v, at)
        })?;
        let [(flat, at)] = self.values(call.args)?;
        let flat = self.as_tens(flat, at)?;
        let filled = self.unflatten(&flat, &tree, at)?;
        // Whose parameters these are, where the layout is one that others fill.
        let (into, made) = (tree.leaves(), filled.leaves());
        for ((_, into), (_, made)) in into.into_iter().zip(made).filter(|(_, (_, made))| made.node != flat.node) {
            if let Op::Source { path, .. } = &self.build.at(into).op {
                let path = path.to_string();
                self.build.at_mut(made).writes = Some(Written { by: "value", path }.into());
            }
        }
        Ok(Value::Tree(filled.into()))
    }

    /// `transpose(x)`
    pub(super) fn transpose_call(&mut self, call: Call<'a>) -> Res<Value<'a>> {
        let [(v, at)] = self.values(call.args)?;
        let t = self.as_tens(v, at)?;
        let [row, column] = t.sized()[..] else {
            let message = format!("`transpose` turns a matrix round, and this is {}", self.show(&t));
            return self.fail(
                Diagnostic::error(Code::H0347, at, message).help("indices say it for more axes: `let w[k, j, i] = v[i, j, k]`"),
            );
        };
        let mut order: Vec<usize> = (0..t.labels.len()).collect();
        order.swap(row, column);
        Ok(Value::Tensor(self.permute(&t, &order)))
    }

    /// One kind of element for all parts.
    fn common(&mut self, parts: Vec<(Tens, Span)>) -> Res<Vec<(Tens, Span)>> {
        let first = parts.first().map(|p| p.0.dtype);
        if parts.iter().all(|(t, _)| Some(t.dtype) == first) {
            return Ok(parts);
        }
        let mut out = vec![];
        for (t, s) in parts {
            self.arithmetic(&t, s)?;
            out.push((self.to_f32(&t), s));
        }
        Ok(out)
    }

    /// Joins values along their first size.
    pub fn concat(&mut self, parts: Vec<(Tens, Span)>, span: Span) -> Res<Tens> {
        let parts = self.common(parts)?;
        let Some((first, first_at)) = parts.first().cloned() else {
            return self.error(Code::H0333, span, "`concat` takes at least one value");
        };
        let rest: Vec<Size> = match self.sized_extents(&first).split_first() {
            Some((_, rest)) => rest.to_vec(),
            None => {
                let message = format!("`concat` joins along the first size, and this is {}", self.show(&first));
                return self
                    .fail(Diagnostic::error(Code::H0348, first_at, message).help("a list makes a vector of numbers: `[a, b]`"));
            }
        };
        let mut length = Size::from(0i64);
        let mut names: Vec<(NameId, Axis)> = vec![];
        for (t, s) in &parts {
            let own = self.sized_extents(t);
            let fits = own.len() == rest.len() + 1 && own[1..].iter().zip(&rest).all(|(a, b)| self.axes.same(a, b));
            if !fits {
                let message =
                    format!("`concat` joins along the first size; the others must be equal, and this is {}", self.show(t));
                return self
                    .fail(Diagnostic::error(Code::H0348, *s, message).label(first_at, format!("this is {}", self.show(&first))));
            }
            length = length.add(&own[0]);
            for (i, l) in t.labels.iter().enumerate() {
                if let Label::Named(n) = l
                    && !names.iter().any(|(m, _)| m == n)
                {
                    names.push((*n, self.build.at(t).shape[i].clone()));
                }
            }
        }
        let k = names.len();
        let mut labels: Vec<Label> = names.iter().map(|(n, _)| Label::Named(*n)).collect();
        let mut axes: Vec<Axis> = names.iter().map(|(_, a)| a.clone()).collect();
        axes.push(Axis::new("i", length));
        labels.push(Label::Sized);
        let tail = first.sized();
        for d in &tail[1..] {
            axes.push(self.build.at(&first).shape[*d].clone());
            labels.push(Label::Sized);
        }
        let dtype = first.dtype;
        let mut uses = vec![];
        for (t, _) in &parts {
            let mut next = k;
            let subscripts = t
                .labels
                .iter()
                .map(|l| match l {
                    Label::Named(n) => names.iter().position(|(m, _)| m == n).expect("joined"),
                    Label::Sized => {
                        next += 1;
                        next - 1
                    }
                })
                .collect();
            uses.push(Operand::new(self.build.node(t), subscripts));
        }
        Ok(self.emit(Node::new(Op::Concat { axis: k }, dtype, axes), labels, uses))
    }

    /// Puts values below each other along a new leading size.
    pub fn stack(&mut self, parts: Vec<(Tens, Span)>, span: Span) -> Res<Tens> {
        let parts = self.common(parts)?;
        let rows: Vec<(Tens, Span)> = {
            let refs: Vec<(&Tens, Span)> = parts.iter().map(|(t, s)| (t, *s)).collect();
            self.align(&refs, "a list", span)?;
            let widest = parts.iter().map(|(t, _)| t.sized().len()).max().unwrap_or(0);
            let model = parts.iter().find(|(t, _)| t.sized().len() == widest).map(|(t, _)| t.clone());
            let mut rows = vec![];
            for (t, s) in &parts {
                let mut t = t.clone();
                // One number stands for all places of the others.
                if let Some(m) = &model
                    && t.sized().len() < widest
                {
                    for d in m.sized() {
                        let axis = self.build.at(m).shape[d].clone();
                        let mut axes = self.build.at(&t).shape.clone();
                        let mut labels = t.labels.clone();
                        let subscripts = (0..axes.len()).collect();
                        axes.push(axis);
                        labels.push(Label::Sized);
                        t = self.copy(&t, labels, axes, subscripts);
                    }
                }
                let names: Vec<usize> = (0..t.labels.len()).filter(|i| t.labels[*i] != Label::Sized).collect();
                let order: Vec<usize> = names.iter().copied().chain(t.sized()).collect();
                let t = self.permute(&t, &order);
                let mut axes = self.build.at(&t).shape.clone();
                let mut labels = t.labels.clone();
                axes.insert(names.len(), Axis::new("i", 1i64));
                labels.insert(names.len(), Label::Sized);
                let subscripts = (0..t.labels.len()).map(|i| if i < names.len() { i } else { i + 1 }).collect();
                rows.push((self.copy(&t, labels, axes, subscripts), *s));
            }
            rows
        };
        self.concat(rows, span)
    }
}
