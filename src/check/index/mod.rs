//! Index notation.
//!
//! An index is a temporary name. A bare one turns an axis into that name; a number or data reads along the axis. An index
//! that mentions an axis which the value has goes home to it; every other takes the next sized axis.

use crate::diag::Code;
mod merged;
mod nets;
mod place;
mod read;

pub use place::IndexValue;

use super::scope::Binding;
use super::value::{Tree, Value};
use super::word::Meaning;
use super::{Checker, Res};
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind, Index};
use std::rc::Rc;

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
        let value = match value {
            Value::Tensor(t) => Value::Tensor(self.in_declared_order(base, t, indices)),
            v => v,
        };
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
                    return self.error(Code::H0314, list, "a family is indexed by a compile-time number");
                };
                let picked = self.family_member(&nets, first)?;
                if rest.is_empty() { Ok(Value::Net(picked)) } else { Ok(Value::Net(self.index_net(picked, rest, span)?)) }
            }
            Value::Leaves(leaves) => {
                let [Index::At(first), rest @ ..] = indices else {
                    return self.error(Code::H0314, list, "this is indexed by a leaf of its tree");
                };
                let k = self.expr(first)?;
                let Some(k) = leaf_position(&k, leaves.iter().map(|(n, _)| &**n)) else {
                    return self.error(Code::H0314, first.span, "this is indexed by a leaf of its tree, or by a leaf's number");
                };
                let (_, v) = &leaves[k];
                if rest.is_empty() { Ok(v.clone()) } else { self.index_of(v.clone(), base, rest, list, otherwise, span) }
            }
            Value::Tree(tree) => self.index_tree(&tree, base, indices, list, otherwise, span),
            Value::List(of) if otherwise.is_none() => match self.of_list(&of, &indices[0])? {
                Some(v) if indices.len() == 1 => Ok(v),
                Some(v) => self.index_of(v, base, &indices[1..], list, otherwise, span),
                None => {
                    let t = self.list_tens(&of)?;
                    self.index_tens_by(t, base, indices, otherwise, span).map(Value::Tensor)
                }
            },
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
                return self.error(Code::H0314, e.span, format!("this tree has {} leaves, and none is called so", leaves.len()));
            };
            let v = Value::Tensor(leaves[k].1.clone());
            return if rest.is_empty() { Ok(v) } else { self.index_of(v, base, rest, list, otherwise, span) };
        }
        let out = self.tree_map(tree, &mut |c, leaf| c.index_tens_by(leaf.clone(), base, indices, otherwise, span))?;
        Ok(Value::Tree(Rc::new(out)))
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
            return self.error(Code::H0318, e.span, format!("`{word}` is no axis here"));
        }
        self.error(Code::H0318, list, "`count[t]` wants one axis")
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
        Index::Along { axis, value } => axis.span.to(index_span(value)),
        Index::Rename { axis, to } => axis.span.to(to.span),
        Index::Lifted(s) | Index::Merged(_, s) => *s,
        Index::Range { from, to } => from.span.to(to.span),
        Index::At(e) => e.span,
    }
}
