//! What can be read in place: strided views, and indices that are affine in the loop counters.

use super::granted::Relied;
use super::{Access, Sizes, View};
use crate::ir::scalar::Law;
use crate::ir::{Graph, NodeId, Op, Pick, Size};
use std::collections::BTreeMap;

pub(super) use crate::ir::sizes::known as value;

/// Row-major strides.
pub(super) fn row_major(shape: &[Size]) -> Vec<Size> {
    let mut strides = vec![Size::from(1i64); shape.len()];
    for k in (0..shape.len().saturating_sub(1)).rev() {
        strides[k] = strides[k + 1].mul(&shape[k + 1]);
    }
    strides
}

impl View {
    /// The address under a map from dimensions to loops (`None`: index 0).
    pub(super) fn access(&self, map: &[Option<usize>]) -> Access {
        let mut terms: BTreeMap<usize, Size> = BTreeMap::new();
        for (stride, l) in self.strides.iter().zip(map) {
            if let Some(l) = l {
                let sum = terms.get(l).map_or_else(|| stride.clone(), |s| s.add(stride));
                terms.insert(*l, sum);
            }
        }
        let terms = terms.into_iter().filter(|(_, s)| !s.is(0)).collect();
        Access { buffer: self.buffer, offset: self.offset.clone(), terms }
    }

    /// The view that another shape's subscripts give: dimension `k` of the result moves along what `subscripts` say.
    pub(super) fn permuted(&self, subscripts: &[usize], rank: usize) -> View {
        let mut strides = vec![Size::from(0i64); rank];
        for (d, &l) in subscripts.iter().enumerate() {
            strides[l] = strides[l].add(&self.strides[d]);
        }
        View { buffer: self.buffer, offset: self.offset.clone(), strides }
    }

    /// Whether elements lie row-major without gaps (axes of extent 1 do not count).
    pub(super) fn contiguous(&self, shape: &[Size], sizes: &Sizes, relied: &Relied) -> bool {
        let mut expect = 1;
        for (s, stride) in shape.iter().zip(&self.strides).rev() {
            let n = value(s, sizes);
            if n > 1 && value(stride, sizes) != expect {
                return false;
            }
            expect *= n;
        }
        for ((s, stride), expect) in shape.iter().zip(&self.strides).zip(row_major(shape)) {
            match value(s, sizes) > 1 {
                true => relied.equal(stride, &expect),
                false if *stride != expect => relied.single(s),
                false => {}
            }
        }
        true
    }

    /// The same elements under another shape, when strides can say it.
    pub(super) fn reshaped(&self, from: &[Size], to: &[Size], sizes: &Sizes, relied: &Relied) -> Option<View> {
        let n = |s: &Size| value(s, sizes);
        if let Some(empty) = from.iter().find(|s| n(s) == 0) {
            relied.equal(empty, &Size::from(0i64));
            return Some(View { buffer: self.buffer, offset: self.offset.clone(), strides: row_major(to) });
        }
        // Axes of extent 1 carry no stride; then group both shapes into blocks of equal extent.
        let old: Vec<usize> = (0..from.len()).filter(|&k| n(&from[k]) != 1).collect();
        let new: Vec<usize> = (0..to.len()).filter(|&k| n(&to[k]) != 1).collect();
        let mut strides = vec![Size::from(0i64); to.len()];
        let mut equal: Vec<(Size, Size)> = Vec::new();
        let product = |axes: &[Size], of: &[usize]| of.iter().fold(Size::from(1i64), |n, k| n.mul(&axes[*k]));
        let (mut i, mut j) = (0, 0);
        while i < old.len() && j < new.len() {
            let (i0, j0) = (i, j);
            let (mut p, mut q) = (n(&from[old[i]]), n(&to[new[j]]));
            while p != q {
                if p < q {
                    i += 1;
                    p *= n(&from[*old.get(i)?]);
                } else {
                    j += 1;
                    q *= n(&to[*new.get(j)?]);
                }
            }
            for k in i0..i {
                let joined = self.strides[old[k + 1]].mul(&from[old[k + 1]]);
                if n(&self.strides[old[k]]) != n(&joined) {
                    return None;
                }
                equal.push((self.strides[old[k]].clone(), joined));
            }
            equal.push((product(from, &old[i0..=i]), product(to, &new[j0..=j])));
            strides[new[j]] = self.strides[old[i]].clone();
            for k in (j0..j).rev() {
                strides[new[k]] = strides[new[k + 1]].mul(&to[new[k + 1]]);
            }
            i += 1;
            j += 1;
        }
        if i < old.len() || j < new.len() {
            return None;
        }
        equal.iter().for_each(|(a, b)| relied.equal(a, b));
        from.iter().chain(to).filter(|s| n(s) == 1).for_each(|s| relied.single(s));
        Some(View { buffer: self.buffer, offset: self.offset.clone(), strides })
    }
}

/// `offset + Σ terms[d] * counter of dimension d`.
#[derive(Clone, Debug)]
pub(super) struct Affine {
    pub offset: Size,
    pub terms: BTreeMap<usize, Size>,
}

impl Affine {
    fn constant(offset: Size) -> Affine {
        Affine { offset, terms: BTreeMap::new() }
    }

    fn plus(&self, other: &Affine) -> Affine {
        let mut terms = self.terms.clone();
        for (k, s) in &other.terms {
            let sum = terms.get(k).map_or_else(|| s.clone(), |t| t.add(s));
            terms.insert(*k, sum);
        }
        terms.retain(|_, s| !s.is(0));
        Affine { offset: self.offset.add(&other.offset), terms }
    }

    fn times(&self, by: &Size) -> Affine {
        let terms = self.terms.iter().map(|(k, s)| (*k, s.mul(by))).filter(|(_, s)| !s.is(0)).collect();
        Affine { offset: self.offset.mul(by), terms }
    }

    /// Least and greatest value over loops of these extents; `None` where a loop is empty.
    pub(super) fn range(&self, extent: &dyn Fn(usize) -> i64, sizes: &Sizes) -> Option<(i64, i64)> {
        let (mut low, mut high) = (value(&self.offset, sizes), value(&self.offset, sizes));
        for (l, s) in &self.terms {
            let reach = value(s, sizes) * (extent(*l) - 1);
            if extent(*l) == 0 {
                return None;
            }
            low += reach.min(0);
            high += reach.max(0);
        }
        Some((low, high))
    }

    /// Notes that it stays inside of an axis over loops of these extents, as it does at these sizes.
    pub(super) fn stays(&self, extent: &dyn Fn(usize) -> Size, axis: &Size, sizes: &Sizes, relied: &Relied) {
        let one = Size::from(1i64);
        if let Some(empty) = self.terms.keys().map(|l| extent(*l)).find(|n| value(n, sizes) == 0) {
            return relied.equal(&empty, &Size::from(0i64));
        }
        let (mut low, mut end) = (self.offset.clone(), self.offset.add(&one));
        for (l, s) in &self.terms {
            let reach = s.mul(&extent(*l).sub(&one));
            let side = if relied.sign(s, sizes) { &mut low } else { &mut end };
            *side = side.add(&reach);
        }
        relied.at_most(&Size::from(0i64), &low);
        relied.at_most(&end, axis);
    }

    /// Under a map from dimensions to loops.
    pub(super) fn through(&self, map: &[usize]) -> Affine {
        let mut out = Affine::constant(self.offset.clone());
        for (d, s) in &self.terms {
            out = out.plus(&Affine { offset: Size::from(0i64), terms: BTreeMap::from([(map[*d], s.clone())]) });
        }
        out
    }
}

/// A whole-number value as an affine function of its own dimensions.
pub(super) fn affine(graph: &Graph, id: NodeId) -> Option<Affine> {
    let node = graph.node(id);
    let operand = |k: usize| {
        let o = &graph.operands(id)[k];
        affine(graph, o.node).map(|a| a.through(&o.subscripts))
    };
    match &node.op {
        Op::Iota => Some(Affine { offset: Size::from(0i64), terms: BTreeMap::from([(0, Size::from(1i64))]) }),
        Op::Const(c) if c.fract() == 0.0 && c.abs() < 1e9 => Some(Affine::constant(Size::from(*c as i64))),
        Op::Extent(s) => Some(Affine::constant(s.clone())),
        Op::Map(m) if node.dtype == crate::ir::DType::I32 => match m.law() {
            Law::Identity => operand(0),
            Law::Cast => {
                let o = graph.operands(id)[0].node;
                (graph.node(o).dtype == crate::ir::DType::I32).then(|| operand(0)).flatten()
            }
            Law::Undoes => Some(operand(0)?.times(&Size::from(-1i64))),
            Law::Sum => Some(operand(0)?.plus(&operand(1)?)),
            Law::Difference => Some(operand(0)?.plus(&operand(1)?.times(&Size::from(-1i64)))),
            Law::Product => {
                let (a, b) = (operand(0)?, operand(1)?);
                if b.terms.is_empty() { Some(a.times(&b.offset)) } else { a.terms.is_empty().then(|| b.times(&a.offset)) }
            }
            Law::None | Law::Settles | Law::Extreme | Law::Commutes | Law::Quotient | Law::Power => None,
            Law::Both | Law::Either | Law::Choice => None,
        },
        Op::Const(_) | Op::Map(_) | Op::Source { .. } | Op::Random { .. } | Op::Fold(_) | Op::Contract | Op::Gather { .. } => {
            None
        }
        Op::Scatter { .. } | Op::Inside(_) | Op::Concat { .. } | Op::Reshape | Op::Order { .. } | Op::Scan { .. } => None,
        Op::Assign | Op::Loop(_) | Op::Result(_) | Op::Arg(_) => None,
    }
}

/// The affine index of each dimension of a gather, where all of them lie inside the source for certain.
pub(super) fn window(graph: &Graph, id: NodeId, sizes: &Sizes, relied: &Relied) -> Option<Vec<Affine>> {
    let node = graph.node(id);
    let Op::Gather { picks, .. } = &node.op else { return None };
    let operands = graph.operands(id);
    let source = graph.node(operands[0].node);
    let extent = |l: usize| value(&node.shape[l].size, sizes);
    let mut out = Vec::new();
    for (d, pick) in picks.iter().enumerate() {
        let index = match pick {
            Pick::Loop(l) => Affine { offset: Size::from(0i64), terms: BTreeMap::from([(*l, Size::from(1i64))]) },
            Pick::Operand(k) => affine(graph, operands[*k].node)?.through(&operands[*k].subscripts),
        };
        let dim = value(&source.shape[d].size, sizes);
        if let Some((low, high)) = index.range(&extent, sizes) {
            if low < 0 || high >= dim {
                return None;
            }
        } else if dim == 0 {
            return None;
        }
        out.push(index);
    }
    for (index, axis) in out.iter().zip(&source.shape) {
        index.stays(&|l| node.shape[l].size.clone(), &axis.size, sizes, relied);
    }
    Some(out)
}
