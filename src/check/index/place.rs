//! What an index is, and which axis of a value it is for.

use super::index_span;
use crate::check::scope::Binding;
use crate::check::value::{Label, NameId, Tens};
use crate::check::word::Meaning;
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::Size;
use crate::source::Span;
use crate::syntax::ast::{self, Expr, ExprKind, Index};

/// What an index is.
pub enum IndexValue {
    /// An axis or an index, bare.
    Name(NameId),
    Tens(Tens),
}

impl<'a> Checker<'a> {
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

    /// Whether an expression is nothing but an axis or an index (or a word that is none, which is said where it is read).
    pub fn is_bare_index(&self, e: &Expr) -> bool {
        match &*e.kind {
            ExprKind::Paren(inner) => self.is_bare_index(inner),
            ExprKind::Name(word) => {
                matches!(self.meaning(word), Meaning::Local(Binding::Index(_)) | Meaning::Axis(_) | Meaning::Nothing)
            }
            _ => false,
        }
    }

    fn unbound<T>(&mut self, word: &ast::Name, span: Span) -> Res<T> {
        if let Some(because) = self.nets.absent_from(self.scopes.frame().inst, word) {
            return self.is_absent(word, span, because);
        }
        let known = self.visible_words();
        let mut d = Diagnostic::error(Code::H0206, span, format!("the index `{word}` is not bound here"));
        d = match crate::diag::suggest(word, known.iter().map(|n| &**n)) {
            _ if &**word == "None" => {
                d.help("axes meet by their names, and numbers with all of them: no axis of length 1 is needed")
            }
            Some(near) => d.meant(word, span, near),
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
                    // A second copy that the value has itself, or else the axis of which there is another copy.
                    _ => {
                        let own = self.axis_word(word).filter(|n| t.find(*n).is_some());
                        own.or_else(|| self.axis_word(word.trim_end_matches('\'')))
                    }
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

    /// Of square data, which has copies of one axis, under an index for each copy: the copies in order, as sizes are. So `a[n', n]` is turned
    /// round, and `a[n, n]` the diagonal.
    fn square(&self, t: &Tens, indices: &[Index], k: usize) -> Option<usize> {
        fn first(index: &Index) -> Option<&str> {
            match index {
                Index::At(e) => match &*e.kind {
                    ExprKind::Name(word) => Some(word.trim_end_matches('\'')),
                    _ => None,
                },
                _ => None,
            }
        }
        let axis = first(&indices[k])?;
        let text = |d: &usize| match t.labels[*d] {
            Label::Named(n) if self.is_axis(n) => self.axes.name_text(n),
            Label::Named(_) | Label::Sized => "",
        };
        let mut dims: Vec<usize> = (0..t.labels.len()).filter(|d| text(d).trim_end_matches('\'') == axis).collect();
        dims.sort_by_key(|d| text(d).len());
        let among: Vec<usize> = (0..indices.len()).filter(|i| first(&indices[*i]) == Some(axis)).collect();
        if dims.len() < 2 || among.len() != dims.len() {
            return None;
        }
        among.iter().position(|i| *i == k).map(|at| dims[at])
    }

    /// An argument or an input whose axes all have names, under an index for each of which none says its axis: they are read in the order in
    /// which the axes are declared, like sizes.
    pub(super) fn in_declared_order(&mut self, base: &Expr, t: Tens, indices: &[Index]) -> Tens {
        let ExprKind::Name(word) = &*base.kind else { return t };
        if !t.sized().is_empty() || t.labels.len() != indices.len() {
            return t;
        }
        let Some(order) = self.declared_axes(word) else { return t };
        let homeless = |index: &Index| match index {
            Index::At(e) => {
                let mut homes = vec![];
                self.homes(e, &t, &mut homes);
                homes.is_empty() && !self.is_bare_index(e)
            }
            Index::Range { .. } => true,
            Index::Along { .. } | Index::Rename { .. } | Index::Lifted(_) | Index::Merged(..) => false,
        };
        if !indices.iter().all(homeless) || order.len() != indices.len() || order.iter().any(|n| t.find(*n).is_none()) {
            return t;
        }
        self.names_to_sizes(t, &order)
    }

    /// The axes of an argument or an input in the order of its type, where they all have names.
    fn declared_axes(&self, word: &str) -> Option<Vec<NameId>> {
        let frame = self.scopes.frame();
        if let Some((_, axes)) = frame.declared.iter().find(|(n, _)| **n == *word) {
            return Some(axes.clone());
        }
        if !frame.sees_dims {
            return None;
        }
        self.out.input(word)?.shape.iter().map(|(name, _)| self.axis_word(name.as_deref()?)).collect()
    }

    /// Which dimension each index is for.
    pub(super) fn assign(&mut self, t: &Tens, indices: &'a [Index], span: Span) -> Res<Vec<usize>> {
        let mut dims: Vec<Option<usize>> = vec![None; indices.len()];
        let mut used: Vec<usize> = vec![];
        for (k, index) in indices.iter().enumerate() {
            let dim = match index {
                Index::Along { axis, .. } => Some(self.along(t, axis)?),
                Index::At(e) => match &*e.kind {
                    ExprKind::Name(word) => match self.meaning(word) {
                        Meaning::Local(Binding::Index(n)) | Meaning::Axis(n) if self.axis_word(word) == Some(n) => {
                            self.square(t, indices, k).or_else(|| t.find(n))
                        }
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
                return self.fail(Diagnostic::error(Code::H0319, index_span(index), message).help("say it: `axis: index`"));
            }
            let dim = match homes.first() {
                Some(n) => t.find(*n),
                None => sized.next(),
            };
            let Some(dim) = dim else {
                let n = t.sized().len();
                let message = format!("there are more indices than axes: this is {}", self.show(t));
                let d = Diagnostic::error(Code::H0321, index_span(index), message);
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
                self.error(Code::H0318, axis.span, message)
            }
        }
    }

    /// Two ranges of one index.
    pub fn range_error<T>(&mut self, n: NameId, extent: &Size, span: Span, what: &str) -> Res<T> {
        if self.axes.overrule(n, extent, span) {
            return self.report.again();
        }
        let own = self.axes.size_of(n);
        let text = self.axes.name_text(n).to_string();
        let message =
            format!("`{text}` ranges over {} and indexes {} {what} here", self.axes.show_size(&own), self.axes.show_size(extent));
        let mut d = Diagnostic::error(Code::H0305, span, message).here(format!("{} {what}", self.axes.show_size(extent)));
        if let Some(at) = self.axes.ranged(n) {
            d = d.label(at, format!("its range is {} because of this", self.axes.show_size(&own)));
        }
        // An index goes over a whole axis: of a longer one its leading part can be meant.
        let (a, b) = (own.constant(), extent.constant());
        if what == "places" {
            d = match a.zip(b).map(|(a, b)| a.min(b)) {
                Some(0) => d,
                Some(n) => {
                    d.help(format!("an index runs over a whole axis; the first {n} places of the longer one are `x[0..{n}]`"))
                }
                None => d.help("an index runs over a whole axis; the leading part of one is `x[0..n]`"),
            };
        }
        self.fail(d)
    }
}
