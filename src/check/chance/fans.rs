//! What a layer starts from that writes another net (Chang, Flokas and Lipson, "Principled weight initialization for hypernetworks", ICLR 2020).
//!
//! In: the parameters that the layer writes, in the order in which it writes them. Out: a standard deviation for each of its columns.
//! Promised: where the layer's inputs have mean 0 and the variance that is said, what the written net makes of its own inputs has their
//! variance (by fan-in), or its gradients keep theirs (by fan-out), on the average of all layers that are drawn.
//!
//! With g the gain, k the layer's width, v the variance of its inputs, i and o the fans of a written weight:
//!
//! | | a weight | a bias |
//! |---|---|---|
//! | fan-in | g² / (k v i), half of it where a bias is written, too | g² / (2 k v) |
//! | fan-out | g² / (k v o) | g² (1 − i / o) / (k v), or 0 |

use crate::check::model::Columns;
use crate::check::value::{Tree, Value};
use crate::check::{Checker, Res};
use crate::ir::Size;
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind, Name};

/// Which of the two is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keeps {
    /// The variance of what goes forward.
    In,
    /// The variance of gradients.
    Out,
}

/// The fans of a weight and how long the bias beside it would be.
#[derive(Clone, Copy)]
struct Fans {
    into: f64,
    out: f64,
    width: f64,
}

impl<'a> Checker<'a> {
    /// What is written, by its shapes alone: `target.*`, or a single parameter.
    pub(super) fn written(&mut self, e: &'a Expr) -> Res<Tree> {
        match &*e.kind {
            ExprKind::Tree { base } => {
                let net = self.for_shapes(|c| c.expr(base))?;
                self.shape_tree(net, e.span)
            }
            _ => match self.for_shapes(|c| c.expr(e))? {
                Value::Tree(tree) => Ok((*tree).clone()),
                v => Ok(Tree::Leaf(self.as_tens(v, e.span)?)),
            },
        }
    }

    /// Columns for each parameter; `unit` is g² / (k v).
    pub(super) fn columns(&mut self, tree: &Tree, keeps: Keeps, unit: f64, at: Span) -> Res<Vec<Columns>> {
        match tree {
            Tree::Leaf(_) => Ok(vec![self.leaf_columns(tree, &[], keeps, unit, at)?]),
            Tree::Array { axis, item } => {
                let n = self.axes.size_of(*axis);
                let count = self.known_size(&n, at)?;
                Ok(vec![Columns::Times { count: count as u64, each: self.columns(item, keeps, unit, at)? }])
            }
            Tree::Node(parts) => {
                let mut out = Vec::new();
                for (_, part) in parts {
                    match part {
                        Tree::Leaf(_) => out.push(self.leaf_columns(part, parts, keeps, unit, at)?),
                        Tree::Node(_) | Tree::Array { .. } => out.extend(self.columns(part, keeps, unit, at)?),
                    }
                }
                Ok(out)
            }
        }
    }

    /// The columns of one parameter among those of its net.
    fn leaf_columns(&mut self, leaf: &Tree, net: &[(Name, Tree)], keeps: Keeps, unit: f64, at: Span) -> Res<Columns> {
        let sizes = self.leaf_sizes(leaf, at)?;
        let mut others = Vec::new();
        for (_, part) in net.iter().filter(|(_, t)| matches!(t, Tree::Leaf(_))) {
            others.push(self.leaf_sizes(part, at)?);
        }
        let variance = match (fans(&sizes), keeps) {
            (Some(own), Keeps::In) => {
                let biased = others.iter().any(|o| o.len() == 1 && o[0] == own.width);
                unit / own.into / if biased { 2.0 } else { 1.0 }
            }
            (Some(own), Keeps::Out) => unit / own.out,
            (None, Keeps::In) => unit / 2.0,
            (None, Keeps::Out) => {
                let weight = others.iter().filter_map(|o| fans(o)).find(|f| sizes.first() == Some(&f.width));
                unit * weight.map_or(0.0, |f| (1.0 - f.into / f.out).max(0.0))
            }
        };
        Ok(Columns::Alike { count: sizes.iter().product::<f64>() as u64, std: variance.sqrt() })
    }

    fn leaf_sizes(&mut self, leaf: &Tree, at: Span) -> Res<Vec<f64>> {
        let Tree::Leaf(t) = leaf else { return Ok(vec![]) };
        let sizes = self.sized_extents(t);
        sizes.iter().map(|s| self.known_size(s, at)).collect()
    }

    fn known_size(&mut self, size: &Size, at: Span) -> Res<f64> {
        match self.axes.resolve(size).number() {
            Some(n) => Ok(n),
            None => self.unknown(at, "the size of what is written"),
        }
    }
}

/// The fans of a matrix over its last two sizes; those before them (of a kernel) count for both. A net of width 0 has no weights to start.
fn fans(sizes: &[f64]) -> Option<Fans> {
    let [before @ .., i, o] = sizes else { return None };
    let reach: f64 = before.iter().product();
    Some(Fans { into: (reach * i).max(1.0), out: (reach * o).max(1.0), width: *o })
}
