//! Indices that are bound: on the left of a value, and in a reduction.
//!
//! A bound name is an axis under its own name, an index that is in scope already, or a new index. Behind its scope every index has a
//! range; those on the left become sizes of the value.

use super::scope::Binding;
use super::value::{Label, NameId, Tens, Value};
use super::word::{FileItem, Meaning};
use super::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::Size;
use crate::source::Span;
use crate::syntax::ast::{self, Bound, Expr, ExprKind};

/// What a binder list says.
pub struct BoundNames {
    /// In order: names of one binder (several for a merged one).
    pub groups: Vec<Vec<NameId>>,
    /// Names that were made here, and where.
    pub fresh: Vec<(NameId, Span)>,
}

impl BoundNames {
    pub fn names(&self) -> Vec<NameId> {
        self.groups.iter().flatten().copied().collect()
    }
}

impl<'a> Checker<'a> {
    /// Runs something in a scope in which the binders' names are indices.
    pub fn under_binders<T>(
        &mut self,
        binders: &'a ast::Binders,
        keeps: bool,
        work: impl FnOnce(&mut Self, &BoundNames) -> Res<T>,
    ) -> Res<(T, BoundNames)> {
        self.in_scope(|c| {
            let bound = c.open_binders(binders, keeps)?;
            work(c, &bound).map(|out| (out, bound))
        })
    }

    fn open_binders(&mut self, binders: &'a ast::Binders, keeps: bool) -> Res<BoundNames> {
        let mut out = BoundNames { groups: vec![], fresh: vec![] };
        for item in &binders.items {
            match item {
                ast::Binder::Lifted(span) => {
                    let lifted = self.scopes.frame().lifted.clone();
                    if keeps {
                        return self.error(Code::H0324, *span, "`*` cannot be bound on the left");
                    }
                    out.groups.push(lifted);
                }
                ast::Binder::Bound(b) => {
                    let n = self.open_bound(b, keeps, &mut out)?;
                    out.groups.push(vec![n]);
                }
                ast::Binder::Merged(parts, _) => {
                    let mut group = vec![];
                    for b in parts {
                        group.push(self.open_bound(b, keeps, &mut out)?);
                    }
                    out.groups.push(group);
                }
            }
        }
        Ok(out)
    }

    /// One bound name: an axis under its own name, an index that is in scope already (softmax keeps it), or a new one.
    pub fn open_bound(&mut self, b: &'a Bound, keeps: bool, out: &mut BoundNames) -> Res<NameId> {
        let word = &b.name.name;
        let axis = match self.meaning(word) {
            Meaning::Axis(n) => Some(n),
            Meaning::Local(Binding::Index(n)) if keeps || self.axis_word(word) == Some(n) => Some(n),
            _ => None,
        };
        if let Some(n) = axis {
            if let Some(range) = &b.range {
                let given = self.size_of_expr(range)?;
                let own = self.axes.size_of(n);
                if !self.axes.same(&own, &given) {
                    return self.range_error(n, &given, range.span, "places");
                }
            }
            return Ok(n);
        }
        let n = match &b.range {
            Some(range) => {
                let size = self.size_of_expr(range)?;
                self.axes.new_name(word, size, Some(range.span))
            }
            None => self.axes.open_name(word),
        };
        self.define(&b.name, Binding::Index(n))?;
        out.fresh.push((n, b.name.span));
        Ok(n)
    }

    /// Behind a scope of binders every index has a range.
    pub fn ranges_known(&mut self, bound: &BoundNames) -> Res<()> {
        for (n, span) in &bound.fresh {
            if self.axes.is_open(*n) {
                let text = self.axes.name_text(*n).to_string();
                let frame = self.scopes.frame();
                let dim = matches!(self.files[frame.file].items.get(&*text), Some(FileItem::Dim(_)));
                if dim && !frame.sees_dims {
                    return self.fail(
                        Diagnostic::error(Code::H0202, *span, format!("a net cannot see the model's axis `{text}`"))
                            .here("nets are closed")
                            .help(format!(
                                "`[*]` reduces all that the net is lifted over; or name it in the signature, `(x: [{text}, ..])`"
                            )),
                    );
                }
                return self.fail(
                    Diagnostic::error(Code::H0312, *span, format!("the index `{text}` has no range"))
                        .here("it indexes no axis bare")
                        .help(format!("give it one: `{text} < n`")),
                );
            }
        }
        Ok(())
    }

    /// A value under indices that are bound on the left.
    pub fn bound_value(&mut self, b: &'a ast::Binders, value: &'a Expr) -> Res<Value<'a>> {
        let (v, bound) = self.under_binders(b, true, |c, bound| {
            if let Some(filter) = &b.filter {
                return c.fail(
                    Diagnostic::error(Code::H0324, filter.span, "`where` filters a reduction; on the left nothing is left out")
                        .help("say what stands there otherwise: `if cond { .. } else { 0 }`"),
                );
            }
            c.bound_inner(bound, value)
        })?;
        self.ranges_known(&bound)?;
        self.bind_value(v, &bound, value.span)
    }

    /// As [`Checker::bound_value`], of a value that is laid out as `shape`: an index without a range has that of its size.
    pub fn bound_to(&mut self, b: &'a ast::Binders, shape: &[(Label, Size)], value: &'a Expr) -> Res<Value<'a>> {
        let (v, bound) = self.under_binders(b, true, |c, bound| {
            let mut sized = shape.iter().filter(|(l, _)| *l == Label::Sized);
            for group in &bound.groups {
                let [n] = group.as_slice() else { continue };
                if !shape.iter().any(|(l, _)| *l == Label::Named(*n))
                    && let Some((_, size)) = sized.next()
                {
                    let own = c.axes.size_of(*n);
                    c.axes.same(&own, size);
                }
            }
            c.bound_inner(bound, value)
        })?;
        self.ranges_known(&bound)?;
        self.bind_value(v, &bound, value.span)
    }

    fn bound_inner(&mut self, bound: &BoundNames, value: &'a Expr) -> Res<Value<'a>> {
        // `let out[t] = for t in ..` gives the axis back.
        if let ExprKind::For(f) = &*value.kind
            && let Some(&first) = bound.groups.first().and_then(|g| g.first())
            && *self.axes.name_text(first) == *f.var.name
        {
            return self.for_expr(f, Some(first), value.span);
        }
        self.expr(value)
    }

    /// Turns the bound names into leading sizes (an axis under its own name stays one).
    pub fn bind_value(&mut self, v: Value<'a>, bound: &BoundNames, span: Span) -> Res<Value<'a>> {
        match v {
            Value::Record(fields) => {
                let mut out = Vec::new();
                for (n, v) in fields.iter() {
                    out.push((n.clone(), self.bind_value(v.clone(), bound, span)?));
                }
                Ok(Value::Record(out.into()))
            }
            Value::Tree(tree) => {
                let out = self.tree_map(&tree, &mut |c, leaf| {
                    let v = c.bind_value(Value::Tensor(leaf.clone()), bound, span)?;
                    c.as_tens(v, span)
                })?;
                Ok(Value::Tree(out.into()))
            }
            v => {
                let t = match v {
                    Value::Num(n) => self.num_f32(&n),
                    v => self.as_tens(v, span)?,
                };
                // Axes that were bound under their own names stay names.
                let temporary = |n: &NameId| bound.fresh.iter().any(|(f, _)| f == n) || !self.is_axis(*n);
                let groups: Vec<Vec<_>> =
                    bound.groups.iter().filter(|g| g.len() > 1 || g.iter().all(temporary)).cloned().collect();
                let kept: Vec<_> =
                    bound.groups.iter().filter(|g| g.len() == 1 && !g.iter().all(temporary)).flatten().copied().collect();
                let t = self.spread(&t, &kept);
                let part = BoundNames { groups, fresh: vec![] };
                Ok(Value::Tensor(self.bind_groups(t, &part)))
            }
        }
    }

    /// Names of binders become sizes, merged ones one size.
    pub fn bind_groups(&mut self, t: Tens, bound: &BoundNames) -> Tens {
        let names = bound.names();
        let mut t = self.names_to_sizes(t, &names);
        if bound.groups.iter().any(|g| g.len() > 1) {
            let extents = self.sized_extents(&t);
            let mut sizes = vec![];
            let mut at = 0;
            for g in &bound.groups {
                sizes.push(extents[at..at + g.len()].iter().fold(Size::from(1i64), |p, s| p.mul(s)));
                at += g.len();
            }
            sizes.extend(extents[at..].iter().cloned());
            t = self.reshape(&t, sizes);
        }
        t
    }
}
