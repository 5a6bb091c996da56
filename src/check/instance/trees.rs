//! The parameters of an instance as a tree.

use super::{InstId, MemberRef, ParamId, Parts};
use crate::check::value::{Label, NetVal, Pick, Tens, Tree, Value};
use crate::check::{Checker, Res};
use crate::ir::Size;
use crate::source::Span;
use crate::syntax::ast::{self};

impl<'a> Checker<'a> {
    /// The tree of an instance's parameters.
    pub fn inst_tree(&mut self, net: &NetVal, span: Span) -> Res<Tree> {
        let mut parts = Vec::new();
        for (name, member) in self.nets[net.inst].order.clone() {
            match member {
                MemberRef::Param(p) => {
                    let kind = self.nets[p].decl.kind;
                    if kind == ast::ParamKind::Param {
                        parts.push((name, Tree::Leaf(self.tree_leaf(net, p, span)?)));
                    }
                }
                MemberRef::LeafParams(n) => {
                    for (leaf, p) in self.nets[net.inst].leaf_params[n].clone() {
                        parts.push((format!("{name}.{leaf}").into(), Tree::Leaf(self.tree_leaf(net, p, span)?)));
                    }
                }
                MemberRef::Sub(n) => parts.push((name, self.sub_tree(net, n, span)?)),
                MemberRef::Thunk(_) | MemberRef::Match(_) => {}
            }
        }
        Ok(Tree::Node(parts))
    }

    fn sub_tree(&mut self, net: &NetVal, n: usize, span: Span) -> Res<Tree> {
        let part = |inst| NetVal { inst, picks: net.picks.clone(), with: net.with.clone() };
        match self.sub(net.inst, n)? {
            Parts::One(s) => self.inst_tree(&part(s), span),
            Parts::Array(s, axis) => {
                let mut inner = part(s);
                inner.picks.push((axis, Pick::Name(axis)));
                Ok(Tree::Array { axis, item: Box::new(self.inst_tree(&inner, span)?) })
            }
            Parts::Family(nets) => {
                let mut parts = Vec::new();
                for (name, s) in nets.iter().cloned() {
                    parts.push((name, self.inst_tree(&part(s), span)?));
                }
                Ok(Tree::Node(parts))
            }
        }
    }

    /// The tree of an instance's parameters by their shapes alone: no relation is asked for a value.
    pub fn shape_tree(&mut self, value: Value<'a>, span: Span) -> Res<Tree> {
        self.for_shapes(|c| c.tree_of(value, span))
    }

    fn tree_leaf(&mut self, net: &NetVal, p: ParamId, span: Span) -> Res<Tens> {
        if self.scopes.by_shapes() {
            let whole = self.param_source(p)?;
            return self.pick_all(whole, &net.picks, span);
        }
        let whole = match net.with.iter().rev().find(|(q, _)| *q == p) {
            Some((_, t)) => t.clone(),
            None => match self.single_element(p, &net.picks)? {
                Some(t) => t,
                None => self.param_value(p, span)?,
            },
        };
        self.pick_all(whole, &net.picks, span)
    }

    /// Number of values below a net (or in one parameter), from shapes alone: no parameter is read.
    pub fn tree_size(&mut self, net: &NetVal) -> Res<Size> {
        let mut total = Size::from(0i64);
        for p in self.leaf_params_of(net.inst)? {
            let mut size = Size::from(1i64);
            for (label, extent) in self.param_shape(p)? {
                let picked = matches!(label, Label::Named(n) if net.picks.iter().any(|(a, _)| *a == n));
                if !picked {
                    size = size.mul(&extent);
                }
            }
            total = total.add(&size);
        }
        Ok(self.axes.resolve(&total))
    }

    /// Parameters below an instance, in declaration order; states and loads are not among them.
    pub fn leaf_params_of(&mut self, id: InstId) -> Res<Vec<ParamId>> {
        let mut out = Vec::new();
        for (_, member) in self.nets[id].order.clone() {
            match member {
                MemberRef::Param(p) if self.nets[p].decl.kind == ast::ParamKind::Param => out.push(p),
                MemberRef::LeafParams(n) => out.extend(self.nets[id].leaf_params[n].iter().map(|(_, p)| *p)),
                MemberRef::Sub(n) => match self.sub(id, n)? {
                    Parts::One(s) | Parts::Array(s, _) => out.extend(self.leaf_params_of(s)?),
                    Parts::Family(nets) => {
                        for (_, s) in nets.iter() {
                            out.extend(self.leaf_params_of(*s)?);
                        }
                    }
                },
                MemberRef::Param(_) | MemberRef::Thunk(_) | MemberRef::Match(_) => {}
            }
        }
        Ok(out)
    }
}
