//! `net{..}`: a net with other parameters.

use crate::check::index::IndexValue;
use crate::check::instance::InstId;
use crate::check::value::{NameId, NetVal, Pick, Tens, Tree, Value};
use crate::check::{Checker, Res};
use crate::diag::Code;
use crate::source::Span;
use crate::syntax::ast::{self, Expr};

impl<'a> Checker<'a> {
    /// `net{* = tree}`
    pub fn with_expr(&mut self, base: &'a Expr, settings: &'a [ast::Setting], span: Span) -> Res<Value<'a>> {
        match self.expr(base)? {
            Value::Net(net) => self.with_net(net, settings, span).map(Value::Net),
            Value::Tree(tree) => {
                let mut tree = (*tree).clone();
                for s in settings {
                    let value = self.expr(&s.value)?;
                    match &s.path {
                        None => tree = self.tree_of(value, s.value.span)?,
                        Some(path) => {
                            let t = self.as_tens(value, s.value.span)?;
                            self.set_leaf(&mut tree, path, t)?;
                        }
                    }
                }
                Ok(Value::Tree(tree.into()))
            }
            Value::Poison(said) => Err(said),
            other => {
                let message = format!("`{{..}}` sets parameters of a net or a tree, and this is {}", other.kind());
                self.error(Code::H0344, span, message)
            }
        }
    }

    fn set_leaf(&mut self, tree: &mut Tree, path: &'a ast::Path, value: Tens) -> Res<()> {
        let mut words = vec![path.root.name.clone()];
        for p in &path.parts {
            match p {
                ast::PathPart::Field(f) => words.push(f.name.clone()),
                ast::PathPart::Star(s) | ast::PathPart::Index(_, s) => {
                    return self.error(Code::H0344, *s, "a leaf of a tree is named by its dotted path");
                }
            }
        }
        let mut at = tree;
        for w in &words {
            at = match at {
                Tree::Node(parts) => match parts.iter_mut().find(|(n, _)| n == w) {
                    Some((_, t)) => t,
                    None => return self.error(Code::H0205, path.span, format!("this tree has no `{w}`")),
                },
                Tree::Leaf(_) | Tree::Array { .. } => {
                    return self.error(Code::H0205, path.span, format!("this tree has no `{w}` here"));
                }
            };
        }
        let Tree::Leaf(old) = at else { return self.error(Code::H0344, path.span, "this is no leaf") };
        let (a, b) = (self.sized_extents(old), self.sized_extents(&value));
        if a.len() != b.len() || !a.iter().zip(&b).all(|(x, y)| self.axes.same(x, y)) {
            let message = format!("the leaf is {}, and this is {}", self.show(old), self.show(&value));
            return self.error(Code::H0335, path.span, message);
        }
        *old = value;
        Ok(())
    }

    fn with_net(&mut self, mut net: NetVal, settings: &'a [ast::Setting], span: Span) -> Res<NetVal> {
        for s in settings {
            let value = self.expr(&s.value)?;
            match &s.path {
                None => {
                    let like = self.shape_tree(Value::Net(net.clone()), span)?;
                    let tree = self.tree_or_flat(value, &like, s.value.span)?;
                    let inst = net.inst;
                    self.set_all(&mut net, inst, &tree, s.value.span)?;
                }
                Some(path) => {
                    let targets = self.find_targets(net.clone(), path)?;
                    for target in targets {
                        let t = self.fit(value.clone(), target.param, s.value.span)?;
                        net.with.push((target.param, t));
                    }
                }
            }
        }
        Ok(net)
    }

    /// A tree as it is, or a flat vector cut up.
    pub fn tree_or_flat(&mut self, value: Value<'a>, like: &Tree, at: Span) -> Res<Tree> {
        match value {
            Value::Tree(t) => Ok((*t).clone()),
            Value::Net(net) => self.tree_of(Value::Net(net), at),
            v => {
                let t = self.as_tens(v, at)?;
                self.unflatten(&t, like, at)
            }
        }
    }

    /// Puts the leaves of a tree in the place of an instance's parameters.
    fn set_all(&mut self, net: &mut NetVal, inst: InstId, tree: &Tree, at: Span) -> Res<()> {
        let params = self.leaf_params_of(inst)?;
        let own = self.shape_tree(Value::Net(NetVal { inst, picks: net.picks.clone(), with: vec![] }), at)?;
        let mut leaves = vec![];
        self.tree_zip(&own, tree, at, &mut |c, want, got| {
            let (a, b) = (c.sized_extents(want), c.sized_extents(got));
            if a.len() != b.len() || !a.iter().zip(&b).all(|(x, y)| c.axes.same(x, y)) {
                let message = format!("a leaf is {}, and {} is wanted", c.show(got), c.show(want));
                return c.error(Code::H0335, at, message);
            }
            leaves.push(got.clone());
            Ok(got.clone())
        })?;
        for (p, t) in params.into_iter().zip(leaves) {
            let t = self.for_param(Value::Tensor(t), p, at)?;
            net.with.push((p, t));
        }
        Ok(())
    }

    /// An index as a pick, for routes.
    pub fn as_pick(value: IndexValue) -> Pick {
        match value {
            IndexValue::Name(n) => Pick::Name(n),
            IndexValue::Tens(t) => Pick::Data(t),
        }
    }
}

/// Array axes inside a tree.
pub(super) fn tree_axes(tree: &Tree) -> Vec<NameId> {
    match tree {
        Tree::Leaf(_) => vec![],
        Tree::Node(parts) => parts.iter().flat_map(|(_, t)| tree_axes(t)).collect(),
        Tree::Array { axis, item } => [vec![*axis], tree_axes(item)].concat(),
    }
}

pub(super) fn push(list: &mut Vec<NameId>, n: NameId) {
    if !list.contains(&n) {
        list.push(n);
    }
}
