//! The value of one relation, laid out as its targets want it.

use super::{find::slot_span, print_place};
use crate::check::binders::BoundNames;
use crate::check::instance::{ParamId, Target, fixed_slots};
use crate::check::model::RelationKind;
use crate::check::scope::Binding;
use crate::check::value::{Label, NameId, Tens, Tree, Value};
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::{Map, Node, Op, Operand, Size, Written};
use crate::source::Span;
use crate::syntax::ast::{self, Expr, Slot};

/// What [`Checker::place_values`] promises.
pub(super) const EACH: &str = "a relation has a value for each of its targets";

/// A part of a parameter that a left side names.
struct Part {
    /// Names for all its sizes.
    names: Vec<NameId>,
    /// Where the part is.
    masks: Vec<Tens>,
    /// Of a range: the name of the whole size, the name of the part's, where that begins.
    moves: Vec<(NameId, NameId, Size)>,
}

impl<'a> Checker<'a> {
    /// The value that a relation gives target `k`.
    pub(super) fn relation_value(&mut self, r: usize, k: usize, own: Option<Tens>) -> Res<Tens> {
        let alone = !self.nets.relations[r].with_self && !fixed_slots(self.nets.relations[r].slots);
        if alone && let Some(known) = &self.nets.relations[r].values {
            let value = known.as_ref().map_err(|said| *said)?.get(k).cloned().expect(EACH);
            return self.combine(
                self.nets.relations[r].kind,
                own,
                value,
                self.nets.relations[r].value.span,
                self.nets.relations[r].targets[k].param,
            );
        }
        let rel = &self.nets.relations[r];
        let (kind, value, slots) = (rel.kind, rel.value, rel.slots);
        let one = rel.targets[k].clone();
        let mut frame = self.nets.relation_frame(r);
        frame.span = rel.place.span;
        frame.member = Some(print_place(rel.place).trim_end_matches(".*").into());
        if alone {
            let (targets, tree) = (self.nets.relations[r].targets.clone(), self.nets.relations[r].tree.clone());
            let values = self.outside(frame, |c| c.own_values(kind, |c| c.place_values(value, slots, &targets, tree)));
            let v = values.as_ref().map(|all| all.get(k).cloned().expect(EACH)).map_err(|said| *said);
            self.nets.relations[r].values = Some(values);
            return self.combine(kind, own, v?, value.span, one.param);
        }
        frame.own = own.clone().map(Value::Tensor);
        let one = [one];
        let mut values = self.outside(frame, |c| {
            c.own_values(kind, |c| match fixed_slots(slots) {
                true => c.partial_value(value, slots.unwrap_or(&[]), &one[0], own.clone()).map(|t| vec![t]),
                false => c.place_values(value, slots, &one, None),
            })
        })?;
        let v = values.pop().expect(EACH);
        self.combine(if fixed_slots(slots) { RelationKind::Generate } else { kind }, own, v, value.span, one[0].param)
    }

    pub(super) fn combine(&mut self, kind: RelationKind, own: Option<Tens>, value: Tens, span: Span, p: ParamId) -> Res<Tens> {
        let shape = self.param_shape(p)?;
        let out = self.at_level(value.level, |c| match (kind, own) {
            (RelationKind::Adapt, Some(own)) => c.changed(Map::Add, &own, &value, "`adapt`", span),
            (RelationKind::Scale, Some(own)) => c.changed(Map::Mul, &own, &value, "`scale`", span),
            _ => Ok(c.everywhere(value, &shape)),
        })?;
        let path = self.nets[p].path.clone();
        // A tie has no value of its own: what it names is another parameter as it is.
        if kind == RelationKind::Tie {
            return Ok(out);
        }
        let taken = self.build.at(&out).writes.as_ref().is_some_and(|w| w.path != path);
        let out = if taken { self.at_level(out.level, |c| c.own_value(&out)) } else { out };
        self.build.at_mut(&out).writes = Some(Written { by: kind.word(), path }.into());
        Ok(out)
    }

    /// The values of a relation as nodes that nothing else is: so a node says which parameter it is the value of.
    pub(super) fn own_values(&mut self, kind: RelationKind, work: impl FnOnce(&mut Self) -> Res<Vec<Tens>>) -> Res<Vec<Tens>> {
        let (level, since) = (self.build.level(), self.build.len());
        let mut values = work(self)?;
        for t in values.iter_mut().filter(|_| kind == RelationKind::Generate) {
            if t.level < level || t.node.index() < since {
                *t = self.own_value(t);
            }
        }
        Ok(values)
    }

    fn own_value(&mut self, t: &Tens) -> Tens {
        let node = self.build.node(t);
        let axes = self.build.at(t).shape.clone();
        let subscripts = (0..axes.len()).collect();
        self.emit(Node::new(Op::Map(Map::Copy), t.dtype, axes), t.labels.clone(), vec![Operand::new(node, subscripts)])
    }

    fn changed(&mut self, by: Map, own: &Tens, value: &Tens, word: &str, span: Span) -> Res<Tens> {
        self.arithmetic(value, span)?;
        self.map(by, own.dtype, &[(own, span), (value, span)], word, span)
    }

    /// One number for all places of a parameter.
    fn everywhere(&mut self, t: Tens, shape: &[(Label, Size)]) -> Tens {
        let sizes: Vec<Size> = shape.iter().filter(|(l, _)| *l == Label::Sized).map(|(_, s)| s.clone()).collect();
        if sizes.is_empty() || !t.sized().is_empty() {
            return t;
        }
        let mut axes = self.build.at(&t).shape.clone();
        let mut labels = t.labels.clone();
        let subscripts = (0..axes.len()).collect();
        for (i, s) in sizes.into_iter().enumerate() {
            axes.push(crate::ir::Axis::new(format!("d{i}"), s));
            labels.push(Label::Sized);
        }
        self.copy(&t, labels, axes, subscripts)
    }

    /// The right side of a relation as one value for each target.
    pub(super) fn place_values(
        &mut self,
        value: &'a Expr,
        slots: Option<&'a [Slot]>,
        targets: &[Target],
        tree: Option<Tree>,
    ) -> Res<Vec<Tens>> {
        if let Some(slots) = slots {
            let mut out = vec![];
            for t in targets {
                out.push(self.slot_value(value, slots, t)?);
            }
            return Ok(out);
        }
        let v = self.expr(value)?;
        if matches!(&v, Value::Num(_) | Value::Bool(_)) || matches!(&v, Value::Tensor(t) if t.sized().is_empty()) {
            // One number is for every value of every target.
            return targets.iter().map(|t| self.for_param(v.clone(), t.param, value.span)).collect();
        }
        if let Some(like) = tree {
            let tree = self.tree_or_flat(v, &like, value.span)?;
            let mut leaves = vec![];
            self.tree_zip(&like, &tree, value.span, &mut |_, _, got| {
                leaves.push(got.clone());
                Ok(got.clone())
            })?;
            let mut out = vec![];
            for (t, leaf) in targets.iter().zip(leaves) {
                out.push(self.fit(Value::Tensor(leaf), t.param, value.span)?);
            }
            return Ok(out);
        }
        targets.iter().map(|t| self.fit(v.clone(), t.param, value.span)).collect()
    }

    /// A value for a parameter: its sizes and its kind of element are the declared ones.
    pub fn fit(&mut self, value: Value<'a>, p: ParamId, span: Span) -> Res<Tens> {
        let shape = self.param_shape(p)?;
        let t = self.for_param(value, p, span)?;
        let own = self.sized_extents(&t);
        let want: Vec<Size> = shape.iter().filter(|(l, _)| *l == Label::Sized).map(|(_, s)| s.clone()).collect();
        if own.is_empty() {
            return Ok(t);
        }
        let fits = own.len() == want.len() && own.iter().zip(&want).all(|(a, b)| self.axes.same(a, b));
        if fits {
            return Ok(t);
        }
        let total = want.iter().fold(Size::from(1i64), |p, s| p.mul(s));
        let declared: Vec<String> = want.iter().map(|s| self.axes.show_size(s)).collect();
        let message = format!("the parameter is [{}], and this is {}", declared.join(", "), self.show(&t));
        let mut d = Diagnostic::error(Code::H0401, span, message).here(format!("this is {}", self.show(&t)));
        if own.len() == 1 && self.axes.same(&own[0].clone(), &total) {
            d = d.help("cut the vector up with a merged index: `generate p[i, o] from v[(i, o)]`");
        }
        self.fail(d)
    }

    /// `place[i, (p, c)] .. value`: the indices are bound on the left.
    pub(super) fn slot_value(&mut self, value: &'a Expr, slots: &'a [Slot], target: &Target) -> Res<Tens> {
        let shape = self.param_shape(target.param)?;
        let axes: Vec<(Label, Size)> = shape
            .into_iter()
            .filter(|(l, _)| !matches!(l, Label::Named(n) if self.nets[self.nets[target.param].inst].arrays.contains(n)))
            .collect();
        if slots.len() != axes.len() {
            let span = slot_span(&slots[0]);
            let message = format!(
                "`{}` has {}, and {} bound here",
                self.nets[target.param].path,
                crate::check::instance::count(axes.len(), "axis").replace("axiss", "axes"),
                crate::check::instance::count(slots.len(), "index")
                    .replace("indexs", "indices are")
                    .replace("1 index", "1 index is")
            );
            return self.error(Code::H0410, span, message);
        }
        let (v, bound) = self.in_scope(|c| {
            let (bound, spans) = c.slot_names(slots, &axes)?;
            let v = c.expr(value)?;
            for ((group, (_, size)), span) in bound.groups.iter().zip(&axes).zip(&spans) {
                if group.len() > 1 {
                    // What is still open behind the scope is said there.
                    let _ = c.cover(group, size, *span)?;
                }
            }
            Ok((v, bound))
        })?;
        let t = self.for_param(v, target.param, value.span)?;
        self.ranges_known(&bound)?;
        if !t.sized().is_empty() {
            let message = format!("the indices on the left name all axes, and this still has sizes: it is {}", self.show(&t));
            return self.error(Code::H0401, value.span, message);
        }
        Ok(self.bind_groups(t, &bound))
    }

    /// The names that a left side binds, and where it does.
    fn slot_names(&mut self, slots: &'a [Slot], axes: &[(Label, Size)]) -> Res<(BoundNames, Vec<Span>)> {
        let mut bound = BoundNames::default();
        let mut spans = vec![];
        for (slot, (_, size)) in slots.iter().zip(axes) {
            spans.push(slot_span(slot));
            match slot {
                Slot::Bound(b) => {
                    let n = self.axes.new_name(&b.name.name, size.clone(), Some(b.name.span));
                    self.define(&b.name, Binding::Index(n))?;
                    if let Some(range) = &b.range {
                        let given = self.size_of_expr(range)?;
                        if !self.axes.same(&given, size) {
                            return self.range_error(n, &given, range.span, "places");
                        }
                    }
                    bound.groups.push(vec![n]);
                }
                Slot::Merged(parts, _) => {
                    let mut group = vec![];
                    for b in parts {
                        group.push(self.open_bound(b, false, &mut bound)?);
                    }
                    bound.groups.push(group);
                }
                Slot::Index(i) => {
                    let at = crate::check::index::index_span(i);
                    return self.error(Code::H0407, at, "a number cannot stand on this left side");
                }
            }
        }
        Ok((bound, spans))
    }

    /// A part of a parameter (`place[0, j]`, `place[0..n]`) in the place of what was there.
    pub(super) fn partial_value(&mut self, value: &'a Expr, slots: &'a [Slot], target: &Target, own: Option<Tens>) -> Res<Tens> {
        let own = match own {
            Some(t) => t,
            None => self.param_source(target.param)?,
        };
        let extents = self.sized_extents(&own);
        if slots.len() > extents.len() {
            return self.error(Code::H0410, slot_span(&slots[extents.len()]), "there are more indices than axes");
        }
        let (part, v) = self.in_scope(|c| {
            let part = c.part_of(slots, &extents)?;
            Ok((part, c.expr(value)?))
        })?;
        let Part { names, masks, moves } = part;
        let t = self.for_param(v, target.param, value.span)?;
        let t = self.in_part(t, slots, &names, &moves, value.span)?;
        let mut old = own.clone();
        for (d, n) in own.sized().into_iter().zip(&names) {
            old.labels[d] = Label::Named(*n);
        }
        let mut out = t;
        if let Some(first) = masks.first().cloned() {
            let mut mask = first;
            for m in &masks[1..] {
                mask = self.pointwise(Map::And, &[&mask, m])?;
            }
            out = self.pointwise(Map::Select, &[&mask, &out, &old])?;
        }
        Ok(self.names_to_sizes(out, &names))
    }

    /// Where on a left side a part is.
    fn part_of(&mut self, slots: &'a [Slot], extents: &[Size]) -> Res<Part> {
        let mut names = vec![];
        let mut masks = vec![];
        let mut moves: Vec<(NameId, NameId, Size)> = vec![];
        for (i, extent) in extents.iter().enumerate() {
            let n = self.axes.new_name(&format!("d{i}"), extent.clone(), None);
            names.push(n);
            match slots.get(i) {
                None => {}
                Some(Slot::Bound(b)) => self.scopes.name(&b.name.name, Binding::Index(n)),
                Some(Slot::Index(ast::Index::At(e))) => {
                    let v = self.expr(e)?;
                    let index = self.index_tens(v, e.span)?;
                    let counter = self.iota(n);
                    masks.push(self.pointwise(Map::Eq, &[&counter, &index])?);
                }
                Some(Slot::Index(ast::Index::Range { from, to })) => {
                    let (a, b) = (self.size_of_expr(from)?, self.size_of_expr(to)?);
                    let (low, high) = (self.size_value(&a), self.size_value(&b));
                    let counter = self.iota(n);
                    masks.push(self.pointwise(Map::Le, &[&low, &counter])?);
                    masks.push(self.pointwise(Map::Lt, &[&counter, &high])?);
                    let inner = self.axes.new_name(&format!("r{i}"), b.sub(&a), None);
                    moves.push((n, inner, a));
                }
                Some(other) => return self.error(Code::H0407, slot_span(other), "this cannot stand on this left side"),
            }
        }
        Ok(Part { names, masks, moves })
    }

    /// A value for a part, with the names of the whole: ranges are moved to where they stand in it.
    fn in_part(&mut self, t: Tens, slots: &[Slot], names: &[NameId], moves: &[(NameId, NameId, Size)], span: Span) -> Res<Tens> {
        let mut t = t;
        // Sizes that the value still has are those of ranges and of axes that are not mentioned, in order.
        let free: Vec<usize> = (0..names.len())
            .filter(|i| !matches!(slots.get(*i), Some(Slot::Bound(_) | Slot::Index(ast::Index::At(_)))))
            .collect();
        let dims = t.sized();
        if !dims.is_empty() {
            if dims.len() != free.len() {
                let message = format!("{} sizes are open on the left, and this is {}", free.len(), self.show(&t));
                return self.error(Code::H0401, span, message);
            }
            for (d, i) in dims.into_iter().zip(free) {
                let name = names[i];
                match moves.iter().find(|(n, _, _)| *n == name).cloned() {
                    None => t = self.dim_to_name(&t, d, name),
                    Some((_, inner, from)) => {
                        t = self.dim_to_name(&t, d, inner);
                        let counter = self.iota(name);
                        let start = self.size_value(&from);
                        let index = self.pointwise(Map::Sub, &[&counter, &start])?;
                        let dim = t.find(inner).expect("named");
                        t = self.gather(&t, &[(dim, index)], Some(0.0))?;
                    }
                }
            }
        }
        Ok(t)
    }
}
