//! Index notation.
//!
//! An index is a temporary name. A bare one turns an axis into that name; a number or data reads along the axis. An index
//! that mentions an axis which the value has goes home to it; every other takes the next sized axis.

use super::expr::IndexValue;
use super::model::{Allowed, InputKind};
use super::scope::Binding;
use super::value::{Label, NameId, Tens, Tree, Value};
use super::word::Meaning;
use super::{Checker, Res};
use crate::diag::Diagnostic;
use crate::ir::needs;
use crate::ir::{Axis, DType, Map, Node, Op, Operand, Size, outside};
use crate::source::Span;
use crate::syntax::ast::{self, Expr, ExprKind, Index};
use std::rc::Rc;

/// What is done to one dimension.
enum Action {
    Name(NameId),
    Data(Tens, Span),
    /// from, length
    Range(Size, Size, Span),
    Split(Vec<NameId>),
}

impl<'a> Checker<'a> {
    /// `base[indices] else otherwise`
    pub fn index_expr(
        &mut self,
        base: &'a Expr,
        indices: &'a [Index],
        list: Span,
        otherwise: Option<&'a Expr>,
        span: Span,
    ) -> Res<Value<'a>> {
        if let ExprKind::Name(word) = &*base.kind
            && &**word == "count"
            && matches!(self.meaning(word), Meaning::Nothing)
        {
            return self.count(indices, list);
        }
        let value = self.expr(base)?;
        self.index_of(value, base.span, indices, list, otherwise, span)
    }

    pub fn index_of(
        &mut self,
        value: Value<'a>,
        base: Span,
        indices: &'a [Index],
        list: Span,
        otherwise: Option<&'a Expr>,
        span: Span,
    ) -> Res<Value<'a>> {
        match value {
            Value::Net(net) => Ok(Value::Net(self.index_net(net, indices, span)?)),
            Value::Family(nets) => {
                let [Index::At(first), rest @ ..] = indices else {
                    return self.error("H0314", list, "a family is indexed by a compile-time number");
                };
                let picked = self.family_member(&nets, first)?;
                if rest.is_empty() { Ok(Value::Net(picked)) } else { Ok(Value::Net(self.index_net(picked, rest, span)?)) }
            }
            Value::Leaves(leaves) => {
                let [Index::At(first), rest @ ..] = indices else {
                    return self.error("H0314", list, "this is indexed by a leaf of its tree");
                };
                let k = self.expr(first)?;
                let Some(k) = leaf_position(&k, leaves.iter().map(|(n, _)| &**n)) else {
                    return self.error("H0314", first.span, "this is indexed by a leaf of its tree, or by a leaf's number");
                };
                let (_, v) = &leaves[k];
                if rest.is_empty() { Ok(v.clone()) } else { self.index_of(v.clone(), base, rest, list, otherwise, span) }
            }
            Value::Tree(tree) => self.index_tree(&tree, base, indices, list, otherwise, span),
            Value::Record(fields) => {
                let mut out = Vec::new();
                for (n, v) in fields.iter() {
                    out.push((n.clone(), self.index_of(v.clone(), base, indices, list, otherwise, span)?));
                }
                Ok(Value::Record(out.into()))
            }
            v => {
                let t = self.as_tens(v, base)?;
                self.index_tens_by(t, base, indices, otherwise, span).map(Value::Tensor)
            }
        }
    }

    fn index_tree(
        &mut self,
        tree: &Rc<Tree>,
        base: Span,
        indices: &'a [Index],
        list: Span,
        otherwise: Option<&'a Expr>,
        span: Span,
    ) -> Res<Value<'a>> {
        if let [Index::At(e), rest @ ..] = indices
            && let k @ (Value::LeafName(..) | Value::Num(_)) = self.expr(e)?
        {
            let leaves = tree.leaves();
            let Some(k) = leaf_position(&k, leaves.iter().map(|(p, _)| p.as_str())) else {
                return self.error("H0314", e.span, format!("this tree has {} leaves, and none is called so", leaves.len()));
            };
            let v = Value::Tensor(leaves[k].1.clone());
            return if rest.is_empty() { Ok(v) } else { self.index_of(v, base, rest, list, otherwise, span) };
        }
        let out = self.tree_map(tree, &mut |c, leaf| c.index_tens_by(leaf.clone(), base, indices, otherwise, span))?;
        Ok(Value::Tree(Rc::new(out)))
    }

    fn family_member(&mut self, nets: &[(ast::Name, super::value::NetVal)], index: &'a Expr) -> Res<super::value::NetVal> {
        let value = self.expr(index)?;
        if let Value::LeafName(leaf, _) = &value {
            return match nets.iter().find(|(n, _)| n == leaf) {
                Some((_, net)) => Ok(net.clone()),
                None => self.error("H0314", index.span, format!("there is no net for the leaf `{leaf}`")),
            };
        }
        let known = match &value {
            Value::Num(n) => n.known(),
            _ => None,
        };
        let Some(k) = known else {
            if self.report.is_generic()
                && let Some((_, first)) = nets.first()
            {
                return Ok(first.clone());
            }
            return self.fail(
                Diagnostic::error(
                    "H0317",
                    index.span,
                    "a family of nets is indexed by a number that is known when the model is compiled",
                )
                .help("its nets differ in their sizes; equal nets are an array, `sub net[n] = ..`, and take any index"),
            );
        };
        match nets.get(k as usize).filter(|_| k >= 0.0 && k.fract() == 0.0) {
            Some((_, net)) => Ok(net.clone()),
            None => {
                let message = format!("there are {} nets here, numbered from 0, and this is number {k}", nets.len());
                self.error("H0316", index.span, message)
            }
        }
    }

    /// `count[t]`
    fn count(&mut self, indices: &'a [Index], list: Span) -> Res<Value<'a>> {
        if let [Index::At(e)] = indices
            && let ExprKind::Name(word) = &*e.kind
        {
            let name = match self.meaning(word) {
                Meaning::Axis(n) | Meaning::Local(Binding::Index(n) | Binding::Round(_, n)) => Some(n),
                _ => self.axis_word(word),
            };
            if let Some(n) = name {
                return Ok(Value::from(self.axes.size_of(n)));
            }
            return self.error("H0318", e.span, format!("`{word}` is no axis here"));
        }
        self.error("H0318", list, "`count[t]` wants one axis")
    }

    /// What one index expression is.
    pub fn index_value(&mut self, e: &'a Expr) -> Res<IndexValue> {
        let mut inner = e;
        while let ExprKind::Paren(p) = &*inner.kind {
            inner = p;
        }
        if let ExprKind::Name(word) = &*inner.kind {
            match self.meaning(word) {
                Meaning::Local(Binding::Index(n)) => return Ok(IndexValue::Name(n)),
                Meaning::Axis(n) => return Ok(IndexValue::Name(n)),
                Meaning::Nothing if !matches!(&**word, "self" | "true" | "false" | "training") => {
                    return self.unbound(word, inner.span);
                }
                _ => {}
            }
        }
        let value = self.expr(e)?;
        Ok(IndexValue::Tens(self.index_tens(value, e.span)?))
    }

    fn unbound<T>(&mut self, word: &ast::Name, span: Span) -> Res<T> {
        let known = self.visible_words();
        let mut d = Diagnostic::error("H0206", span, format!("the index `{word}` is not bound here"));
        d = match crate::diag::suggest(word, known.iter().map(|n| &**n)) {
            Some(near) => d.fix(format!("`{near}` is near"), span, near),
            None => d.help(format!("bind it on the left, `let v[{word}] = ..`, or in a reduction, `sum[{word}] ..`")),
        };
        self.fail(d)
    }

    /// Axes of a value that an index expression mentions by their names (not as indices of their own).
    fn homes(&self, e: &Expr, t: &Tens, out: &mut Vec<NameId>) {
        match &*e.kind {
            ExprKind::Name(word) => {
                let home = match self.scopes.local(word) {
                    Some(Binding::Round(_, axis)) => Some(*axis),
                    _ => self.axis_word(word.trim_end_matches('\'')),
                };
                if let Some(n) = home
                    && t.find(n).is_some()
                    && !out.contains(&n)
                {
                    out.push(n);
                }
            }
            ExprKind::Unary { arg, .. } => self.homes(arg, t, out),
            ExprKind::Binary { left, right, .. } => {
                self.homes(left, t, out);
                self.homes(right, t, out);
            }
            ExprKind::Paren(inner) => self.homes(inner, t, out),
            _ => {}
        }
    }

    /// Which dimension each index is for.
    fn assign(&mut self, t: &Tens, indices: &'a [Index], span: Span) -> Res<Vec<usize>> {
        let mut dims: Vec<Option<usize>> = vec![None; indices.len()];
        let mut used: Vec<usize> = vec![];
        for (k, index) in indices.iter().enumerate() {
            let dim = match index {
                Index::Along { axis, .. } => Some(self.along(t, axis)?),
                Index::At(e) => match &*e.kind {
                    ExprKind::Name(word) => match self.meaning(word) {
                        Meaning::Local(Binding::Index(n)) | Meaning::Axis(n) if self.axis_word(word) == Some(n) => t.find(n),
                        _ => None,
                    },
                    _ => None,
                },
                _ => None,
            };
            if let Some(d) = dim
                && !used.contains(&d)
            {
                dims[k] = Some(d);
                used.push(d);
            }
        }
        let mut sized = t.sized().into_iter();
        for (k, index) in indices.iter().enumerate() {
            if dims[k].is_some() {
                continue;
            }
            let mut homes = vec![];
            if let Index::At(e) = index {
                self.homes(e, t, &mut homes);
                homes.retain(|n| !used.contains(&t.find(*n).expect("a home")));
            }
            if homes.len() > 1 {
                let names: Vec<String> = homes.iter().map(|n| format!("`{}`", self.axes.name_text(*n))).collect();
                let message = format!("this index mentions the axes {}; which of them does it index?", names.join(" and "));
                return self.fail(Diagnostic::error("H0319", index_span(index), message).help("say it: `axis: index`"));
            }
            let dim = match homes.first() {
                Some(n) => t.find(*n),
                None => sized.next(),
            };
            let Some(dim) = dim else {
                let n = t.sized().len();
                let message = format!("there are more indices than axes: this is {}", self.show(t));
                let d = Diagnostic::error("H0321", index_span(index), message);
                let d = if n == 0 { d.help("names need no index; what is left here is one number") } else { d };
                return self.fail(d.label(span, "indexed here"));
            };
            dims[k] = Some(dim);
            used.push(dim);
        }
        Ok(dims.into_iter().map(|d| d.expect("assigned")).collect())
    }

    /// The dimension of a named axis.
    pub fn along(&mut self, t: &Tens, axis: &ast::Ident) -> Res<usize> {
        let visible = match self.meaning(&axis.name) {
            Meaning::Local(Binding::Index(n) | Binding::Round(_, n)) | Meaning::Axis(n) => Some(n),
            _ => None,
        };
        let named = visible.and_then(|n| t.find(n));
        match named {
            Some(d) => Ok(d),
            None => {
                let message = format!("there is no axis `{}` here: this is {}", axis.name, self.show(t));
                self.error("H0318", axis.span, message)
            }
        }
    }

    fn index_tens_by(&mut self, t: Tens, base: Span, indices: &'a [Index], otherwise: Option<&'a Expr>, span: Span) -> Res<Tens> {
        let dims = self.assign(&t, indices, base)?;
        // Each indexed dimension gets a handle, so that it can be found again when dimensions move.
        let mut labels = t.labels.clone();
        let mut plan = Vec::new();
        for (index, &dim) in indices.iter().zip(&dims) {
            let extent = self.extent(&t, dim);
            let own = t.labels[dim];
            let handle = self.axes.new_name(&self.axes.axis_text(own, outside::UNNAMED), extent.clone(), None);
            let action = self.action(index, own, &extent, otherwise.is_some())?;
            if let Action::Name(n) = &action
                && own == Label::Named(*n)
            {
                continue;
            }
            labels[dim] = Label::Named(handle);
            plan.push((handle, action));
        }
        let mut t = Tens { labels, ..t };
        for (handle, action) in &plan {
            if let Action::Split(parts) = action {
                t = self.split(&t, *handle, parts);
            }
        }
        for (handle, action) in &plan {
            if let Action::Name(n) = action {
                let dim = t.find(*handle).expect("a handle stays");
                t = self.dim_to_name(&t, dim, *n);
            }
        }
        self.read_all(t, plan, otherwise, span)
    }

    /// The reads along dimensions: one gather for all of them.
    fn read_all(&mut self, t: Tens, plan: Vec<(NameId, Action)>, otherwise: Option<&'a Expr>, span: Span) -> Res<Tens> {
        let mut picks = Vec::new();
        let mut inside: Option<Tens> = None;
        let mut stretches = Vec::new();
        for (handle, action) in plan {
            let dim = match action {
                Action::Data(..) | Action::Range(..) => t.find(handle).expect("a handle stays"),
                Action::Name(..) | Action::Split(..) => continue,
            };
            let extent = self.extent(&t, dim);
            match action {
                Action::Data(index, at) => {
                    let mut index = index;
                    if otherwise.is_none() {
                        index = self.inside(&index, Some(handle), &extent, at)?;
                    } else {
                        let mask = self.within(&index, &extent)?;
                        inside = Some(match inside {
                            Some(m) => self.pointwise(Map::And, &[&m, &mask])?,
                            None => mask,
                        });
                    }
                    picks.push((dim, index));
                }
                Action::Range(from, length, at) => {
                    if !extent.sub(&from.add(&length)).at_least(0, 0) {
                        stretches.push(at);
                    }
                    let mut index = self.range_index(&from, length)?;
                    // Where nothing keeps it from being read, an axis that is too short is found when sizes are known.
                    if otherwise.is_none() && !self.scopes.guards().is_empty() {
                        index = self.inside(&index, Some(handle), &extent, at)?;
                    }
                    picks.push((dim, index));
                }
                Action::Name(..) | Action::Split(..) => {}
            }
        }
        if picks.is_empty() {
            return Ok(t);
        }
        let Some(otherwise) = otherwise else {
            // Places side by side that a condition keeps inside are no slice: nobody asks for all of them.
            let side_by_side = |c: &Self, t: &Tens| needs::stretch(c.build.graph(t.level), t.node).is_some();
            let kept = !self.scopes.guards().is_empty() && picks.iter().any(|(_, index)| side_by_side(self, index));
            let read = self.gather(&t, &picks, kept.then_some(0.0))?;
            if let Some(at) = stretches.first() {
                self.build.at_mut(&read).span = *at;
            }
            return Ok(read);
        };
        let value = self.expr(otherwise)?;
        let constant = matches!(&value, Value::Num(n) if n.known().is_some());
        if let Some(at) = stretches.first().filter(|_| !constant) {
            return self.fail(
                Diagnostic::error("H0316", *at, "this range may reach outside, where only a number can be said to lie")
                    .help("read place by place: `let w[i < 4] = (v[i] else ..)`"),
            );
        }
        if let Value::Num(n) = &value
            && let Some(v) = n.known()
            && t.dtype != DType::Bool
        {
            return self.gather(&t, &picks, Some(v));
        }
        let fill = match value {
            Value::Num(n) if t.dtype == DType::F32 => self.num_f32(&n),
            v => self.as_tens(v, otherwise.span)?,
        };
        let Some(mask) = inside else { return self.gather(&t, &picks, None) };
        let read = self.gather(&t, &picks, Some(0.0))?;
        let spans = [(&mask, span), (&read, span), (&fill, otherwise.span)];
        self.map(Map::Select, read.dtype, &spans, "`else`", span)
    }

    /// 0 <= index < extent
    fn within(&mut self, index: &Tens, extent: &Size) -> Res<Tens> {
        let zero = self.constant(0.0, DType::I32);
        let end = self.size_value(extent);
        let low = self.pointwise(Map::Le, &[&zero, index])?;
        let high = self.pointwise(Map::Lt, &[index, &end])?;
        self.pointwise(Map::And, &[&low, &high])
    }

    /// from, from + 1, .. as a vector.
    fn range_index(&mut self, from: &Size, length: Size) -> Res<Tens> {
        let axis = Axis::new("i", length);
        let counter = self.emit(Node::new(Op::Iota, DType::I32, vec![axis]), vec![Label::Sized], vec![]);
        if from.is(0) {
            return Ok(counter);
        }
        let start = self.size_value(from);
        self.pointwise(Map::Add, &[&counter, &start])
    }

    /// `filled`: what lies outside has a value.
    fn action(&mut self, index: &'a Index, own: Label, extent: &Size, filled: bool) -> Res<Action> {
        match index {
            Index::At(e) | Index::Along { value: e, .. } => {
                if let ExprKind::Record(_) = &*e.kind {
                    return self.error("H0314", e.span, "this is no index");
                }
                match self.index_value(e)? {
                    IndexValue::Name(n) => {
                        if own == Label::Named(n) {
                            return Ok(Action::Name(n));
                        }
                        let size = self.axes.size_of(n);
                        if !self.axes.same(&size, extent) {
                            return self.range_error(n, extent, e.span, "places");
                        }
                        self.axes.note_range(n, e.span);
                        Ok(Action::Name(n))
                    }
                    IndexValue::Tens(t) => {
                        if let Op::Const(v) = self.build.at(&t).op
                            && t.labels.is_empty()
                            && !filled
                            && extent.constant().is_some_and(|n| v < 0.0 || v >= n as f64)
                        {
                            let message = format!(
                                "this is index {v}, and the axis has {} places, numbered from 0",
                                self.axes.show_size(extent)
                            );
                            return self.error("H0316", e.span, message);
                        }
                        Ok(Action::Data(t, e.span))
                    }
                }
            }
            Index::Range { from, to } => {
                let (a, b) = (self.size_of_expr(from)?, self.size_of_expr(to)?);
                let length = b.sub(&a);
                let bad = length.constant().is_some_and(|n| n < 0) || extent.sub(&b).constant().is_some_and(|n| n < 0);
                if bad {
                    let message = format!(
                        "`{}..{}` does not fit an axis of {}",
                        self.axes.show_size(&a),
                        self.axes.show_size(&b),
                        self.axes.show_size(extent)
                    );
                    return self.error("H0316", from.span.to(to.span), message);
                }
                if let Some((name, n)) = self.outgrown(&extent.sub(&b)) {
                    let message = format!("this does not fit an axis of {} where `{name}` is {n}", self.axes.show_size(extent));
                    return self.error("H0316", from.span.to(to.span), message);
                }
                Ok(Action::Range(a, length, from.span.to(to.span)))
            }
            Index::Merged(parts, at) => self.merged(parts, extent, *at),
            Index::Lifted(at) => {
                self.error("H0314", *at, "`*` indexes nothing; it stands for lifted axes in reductions and draws")
            }
            Index::Rename { axis, .. } => {
                self.error("H0314", axis.span, "an axis is renamed where a net is called: `net[t = patch](x)`")
            }
        }
    }

    /// A size condition, and a value which it may have, for which there would be less than no `room`.
    fn outgrown(&self, room: &Size) -> Option<(String, i64)> {
        let (room, graph) = (self.axes.resolve(room), self.build.graph(0));
        self.out.model.inputs.iter().find_map(|input| {
            let values = match &input.kind {
                InputKind::Size(Allowed::List(list)) => list.clone(),
                InputKind::Size(Allowed::Range(a, b)) if a < b => vec![*a, b - 1],
                _ => return None,
            };
            let is = |s: &str| {
                graph
                    .measured
                    .iter()
                    .any(|(m, n)| **m == *s && matches!(&graph.node(*n).op, Op::Source { path, .. } if **path == *input.name))
            };
            let at = |n: i64| room.eval(&|s| is(s).then_some(n));
            let n = values.into_iter().find(|n| at(*n).is_some_and(|left| left < 0))?;
            Some((input.name.clone(), n))
        })
    }

    /// `(a, b)`: a split where all parts are bare, a computed place else.
    fn merged(&mut self, parts: &'a [Expr], extent: &Size, at: Span) -> Res<Action> {
        let mut values = Vec::new();
        for p in parts {
            values.push((self.index_value(p)?, p.span));
        }
        let names: Vec<NameId> = values
            .iter()
            .filter_map(|(v, _)| match v {
                IndexValue::Name(n) => Some(*n),
                IndexValue::Tens(_) => None,
            })
            .collect();
        let distinct = names.iter().enumerate().all(|(i, n)| !names[..i].contains(n));
        if names.len() == parts.len() && distinct {
            self.divide(&names, extent, at)?;
            for (n, p) in names.iter().zip(parts) {
                self.axes.note_range(*n, p.span);
            }
            return Ok(Action::Split(names));
        }
        let mut place: Option<Tens> = None;
        for (value, span) in values {
            let (index, size) = match value {
                IndexValue::Name(n) => (self.iota(n), Some(self.axes.size_of(n))),
                IndexValue::Tens(t) => (t, None),
            };
            place = Some(match place {
                None => index,
                Some(before) => {
                    let Some(size) = size else {
                        return self.error("H0322", span, "every part but the first needs a range here: use a bare index");
                    };
                    let size = self.size_value(&size);
                    let high = self.pointwise(Map::Mul, &[&before, &size])?;
                    self.pointwise(Map::Add, &[&high, &index])?
                }
            });
        }
        Ok(Action::Data(place.expect("a part"), at))
    }

    /// Ranges of merged names: their product is the extent; one may be found by division.
    fn divide(&mut self, names: &[NameId], extent: &Size, at: Span) -> Res<()> {
        let open: Vec<NameId> = names.iter().copied().filter(|n| self.axes.is_open(*n)).collect();
        let known = names.iter().filter(|n| !open.contains(n)).fold(Size::from(1i64), |p, n| p.mul(&self.axes.size_of(*n)));
        match open.as_slice() {
            [] => {
                if !self.axes.same(&known, extent) {
                    let message = format!(
                        "the parts cover {} places, and the axis has {}",
                        self.axes.show_size(&known),
                        self.axes.show_size(extent)
                    );
                    return self.error("H0311", at, message);
                }
            }
            [one] => {
                let q = extent.div(&known);
                let whole = q.clone().filter(|q| q.is_whole() && (q.number().is_none() || q.constant().is_some()));
                let Some(q) = whole else {
                    let message = format!(
                        "an axis of {} does not divide into parts of {}",
                        self.axes.show_size(extent),
                        self.axes.show_size(&known)
                    );
                    return self.error("H0311", at, message);
                };
                let own = self.axes.size_of(*one);
                self.axes.same(&own, &q);
            }
            [..] => {
                let texts: Vec<String> = open.iter().map(|n| format!("`{}`", self.axes.name_text(*n))).collect();
                let message = format!("the ranges of {} are not known; at most one part may lack a range", texts.join(" and "));
                return self.fail(Diagnostic::error("H0312", at, message).help("give a range where the index is bound: `i < n`"));
            }
        }
        Ok(())
    }

    /// A dimension becomes several names, row-major.
    fn split(&mut self, t: &Tens, handle: NameId, parts: &[NameId]) -> Tens {
        let dim = t.find(handle).expect("a handle stays");
        let order: Vec<usize> = (0..t.labels.len()).filter(|&i| i != dim).chain([dim]).collect();
        let mut t = self.permute(t, &order);
        let mut axes = self.build.at(&t).shape.clone();
        axes.pop();
        t.labels.pop();
        let mut labels = t.labels.clone();
        // Names that the value has already are read on the diagonal afterwards.
        let fresh: Vec<NameId> = parts
            .iter()
            .map(|n| {
                let (text, size) = (self.axes.name_text(*n).to_string(), self.axes.size_of(*n));
                if t.find(*n).is_some() { self.axes.new_name(&text, size, None) } else { *n }
            })
            .collect();
        for n in &fresh {
            axes.push(self.axes.axis(Label::Named(*n), "", self.axes.size_of(*n)));
            labels.push(Label::Named(*n));
        }
        let node = self.build.node(&t);
        let mut out = self.emit(Node::new(Op::Reshape, t.dtype, axes), labels, vec![Operand::new(node, vec![])]);
        for (f, n) in fresh.iter().zip(parts) {
            if f != n {
                let dim = out.find(*f).expect("just made");
                out = self.dim_to_name(&out, dim, *n);
            }
        }
        out
    }

    /// Two ranges of one index.
    pub fn range_error<T>(&mut self, n: NameId, extent: &Size, span: Span, what: &str) -> Res<T> {
        let own = self.axes.size_of(n);
        let text = self.axes.name_text(n).to_string();
        let message =
            format!("`{text}` ranges over {} and indexes {} {what} here", self.axes.show_size(&own), self.axes.show_size(extent));
        let mut d = Diagnostic::error("H0305", span, message).here(format!("{} {what}", self.axes.show_size(extent)));
        if let Some(at) = self.axes.ranged(n) {
            d = d.label(at, format!("its range is {} because of this", self.axes.show_size(&own)));
        }
        self.fail(d)
    }
}

/// Which leaf a value names, by its path or its number.
fn leaf_position<'n>(value: &Value<'_>, mut names: impl ExactSizeIterator<Item = &'n str>) -> Option<usize> {
    match value {
        Value::LeafName(leaf, _) => names.position(|n| n == &**leaf),
        Value::Num(n) => {
            let k = n.known().filter(|k| *k >= 0.0 && k.fract() == 0.0)? as usize;
            (k < names.len()).then_some(k)
        }
        _ => None,
    }
}

/// Where an index stands.
pub fn index_span(index: &Index) -> Span {
    match index {
        Index::Along { axis, value } => axis.span.to(value.span),
        Index::Rename { axis, to } => axis.span.to(to.span),
        Index::Lifted(s) | Index::Merged(_, s) => *s,
        Index::Range { from, to } => from.span.to(to.span),
        Index::At(e) => e.span,
    }
}
