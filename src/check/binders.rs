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

/// The range of an index by its word, and where it was found.
type Found = (ast::Name, Size, Span);

/// What a binder list says.
#[derive(Default)]
pub struct BoundNames {
    /// In order: names of one binder (several for a merged one).
    pub groups: Vec<Vec<NameId>>,
    /// Names that were made here, and where.
    pub fresh: Vec<(NameId, Span)>,
    /// Names that range over the leaves of a tree.
    pub leaves: Vec<(NameId, Span)>,
    /// Groups that make up an axis with a name, `t: (g, s)`.
    pub along: Vec<(Vec<NameId>, NameId, Span)>,
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
        mut work: impl FnMut(&mut Self, &BoundNames) -> Res<T>,
    ) -> Res<(T, BoundNames)> {
        let mut ranges = vec![];
        loop {
            let (draws, losses) = (self.draws.mark(), self.out.losses.len());
            let mut opened = BoundNames::default();
            let tried = self.in_scope(|c| {
                c.open_binders(binders, keeps, &ranges, &mut opened)?;
                work(c, &opened)
            });
            // An index has another range than was taken for it: that is known from here on.
            let fresh = |n: NameId| opened.fresh.iter().any(|(f, _)| *f == n);
            match self.axes.take_overruled(fresh) {
                Some((n, size, span)) if tried.is_err() => {
                    self.draws.back_to(draws);
                    self.out.losses.truncate(losses);
                    ranges.push((self.axes.name_text(n).into(), size, span));
                }
                _ => return tried.map(|out| (out, opened)),
            }
        }
    }

    /// Gives the binders' names their meaning; some have a range that was found before.
    fn open_binders(&mut self, binders: &'a ast::Binders, keeps: bool, ranges: &[Found], out: &mut BoundNames) -> Res<()> {
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
                    let n = self.open_ranged(b, keeps, ranges, out)?;
                    out.groups.push(vec![n]);
                }
                ast::Binder::Merged(parts, _) => {
                    let mut group = vec![];
                    for b in parts {
                        group.push(self.open_ranged(b, keeps, ranges, out)?);
                    }
                    out.groups.push(group);
                }
                ast::Binder::Along { axis, parts, span } => {
                    if !keeps {
                        let help = "a reduction binds its indices one by one: `sum[i, j] x[t: (i, j)]`";
                        return self.fail(
                            Diagnostic::error(Code::H0324, *span, "an axis is made up of indices on the left of a `let` only")
                                .help(help),
                        );
                    }
                    self.open_along(axis, parts, ranges, *span, out)?;
                }
            }
        }
        Ok(())
    }

    /// `t: (g, s)`: indices that make up an axis.
    fn open_along(
        &mut self,
        axis: &'a ast::Ident,
        parts: &'a [Bound],
        ranges: &[Found],
        span: Span,
        out: &mut BoundNames,
    ) -> Res<()> {
        let Some(whole) = self.axis_word(&axis.name) else {
            return self.error(Code::H0318, axis.span, format!("`{}` is no axis here", axis.name));
        };
        let mut names = vec![];
        for b in parts {
            names.push(self.open_ranged(b, true, ranges, out)?);
        }
        out.groups.push(names.clone());
        out.along.push((names, whole, span));
        Ok(())
    }

    fn open_ranged(&mut self, b: &'a Bound, keeps: bool, ranges: &[Found], out: &mut BoundNames) -> Res<NameId> {
        let n = self.open_bound(b, keeps, out)?;
        if let Some((_, size, span)) = ranges.iter().rev().find(|(w, _, _)| *w == b.name.name)
            && self.axes.is_open(n)
        {
            self.axes.same(&self.axes.size_of(n), size);
            self.axes.note_range(n, *span);
        }
        Ok(n)
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
        if self.over_leaves(b) {
            out.leaves.push((n, b.name.span));
        }
        out.fresh.push((n, b.name.span));
        Ok(n)
    }

    /// Behind a scope of binders every index has a range.
    pub fn ranges_known(&mut self, bound: &BoundNames) -> Res<()> {
        for (names, axis, at) in &bound.along {
            let extent = self.axes.size_of(*axis);
            self.divide(names, &extent, *at)?;
        }
        self.settle_merged()?;
        for (n, span) in &bound.fresh {
            if self.axes.is_open(*n) {
                if let Some(merged) = self.axes.merged_with(*n).cloned() {
                    return self.no_ranges(&merged);
                }
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
                let help = format!("give it one, as in `{text} < {}`", self.range_like(&text));
                return self.fail(
                    Diagnostic::error(Code::H0312, *span, format!("the index `{text}` has no range"))
                        .here("it indexes no axis bare")
                        .help(help),
                );
            }
        }
        Ok(())
    }

    /// A range that an index may have: of `t'` that of `t`, where this is an axis here.
    pub fn range_like(&self, index: &str) -> String {
        let base = index.trim_end_matches('\'');
        let axis = base.len() < index.len() && self.axis_word(base).is_some();
        if axis { format!("count[{base}]") } else { "4".to_string() }
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

    pub fn bound_inner(&mut self, bound: &BoundNames, value: &'a Expr) -> Res<Value<'a>> {
        let over = self.written_out_in(bound, value)?;
        if over.is_empty() {
            let given: Vec<NameId> = bound.groups.iter().filter(|g| g.len() == 1).flatten().copied().collect();
            return self.rounds_along(&given, value);
        }
        self.leaf_by_leaf(&over, value)
    }

    /// A value in which loops give axes back: `let out[t] = for t in ..`, also as the value of an `if`.
    pub fn rounds_along(&mut self, given: &[NameId], value: &'a Expr) -> Res<Value<'a>> {
        match &*value.kind {
            ExprKind::For(f) => {
                let named = given.iter().copied().find(|n| *self.axes.name_text(*n) == *f.var.name);
                self.for_expr(f, named, value.span)
            }
            ExprKind::If { cond, then, otherwise } => self.if_along(given, cond, then, otherwise.as_ref(), value.span),
            _ => self.expr(value),
        }
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
                let t = self.as_tens(v, span)?;
                // Axes that were bound under their own names stay names.
                let temporary = |n: &NameId| bound.fresh.iter().any(|(f, _)| f == n) || !self.is_axis(*n);
                let groups: Vec<Vec<_>> =
                    bound.groups.iter().filter(|g| g.len() > 1 || g.iter().all(temporary)).cloned().collect();
                let kept: Vec<_> =
                    bound.groups.iter().filter(|g| g.len() == 1 && !g.iter().all(temporary)).flatten().copied().collect();
                let t = self.spread(&t, &kept);
                let part = BoundNames { groups, along: bound.along.clone(), ..BoundNames::default() };
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
        // Those that make up an axis are it from here on.
        let dims = t.sized();
        for (k, group) in bound.groups.iter().enumerate().rev() {
            if let Some((_, axis, _)) = bound.along.iter().find(|(names, _, _)| names == group) {
                t = self.dim_to_name(&t, dims[k], *axis);
            }
        }
        t
    }
}
