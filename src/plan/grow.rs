//! Grows the expression of a kernel from a node down to loads.

use super::build::Planner;
use super::contract::Pair;
use super::fuse::How;
use super::granted::Relied;
use super::view::value;
use super::{Access, Expr, Index, Kernel, Kind, Loop, Sizes, Step, View};
use crate::ir::{DType, Fold, Map, NodeId, Op, Pick, Size};
use std::collections::HashMap;

type Spot = Vec<Option<usize>>;

/// A kernel under construction.
pub(super) struct Grow<'p, 'a> {
    planner: &'p Planner<'a>,
    loops: Vec<Loop>,
    body: Vec<Expr>,
    types: Vec<DType>,
    memo: HashMap<(NodeId, Spot), usize>,
}

impl Planner<'_> {
    /// A node as one kernel that writes row-major memory.
    pub(super) fn kernel(&mut self, id: NodeId) {
        let target = self.own(id);
        let axes: Vec<Loop> = self.axes(id);
        let layout = self.fusion.layouts[id.index()].clone().filter(|_| self.buffers[target.buffer].kind == Kind::Temp);
        let order = layout.unwrap_or((0..axes.len()).collect());
        let axes = order.iter().map(|d| axes[*d].clone()).collect();
        let target = View { strides: order.iter().map(|d| target.strides[*d].clone()).collect(), ..target };
        let step = self.finish(id, axes, target, &|g, spot| {
            let spot: Spot = (0..order.len()).map(|d| order.iter().position(|x| *x == d).and_then(|k| spot[k])).collect();
            g.compute(id, &spot)
        });
        self.push(self.early(id), step);
    }

    /// A kernel that copies (or computes) a node into `target`.
    pub(super) fn kernel_copy(&mut self, id: NodeId, target: View) {
        let axes = self.axes(id);
        let step = self.finish(id, axes, target, &|g, spot| g.value(id, spot));
        self.push(self.early(id), step);
    }

    pub(super) fn axes(&self, id: NodeId) -> Vec<Loop> {
        self.graph.node(id).shape.iter().map(|a| Loop { name: Self::loop_name(&a.name), size: a.size.clone() }).collect()
    }

    fn finish(&self, id: NodeId, axes: Vec<Loop>, target: View, root: &dyn Fn(&mut Grow, &Spot) -> usize) -> Step {
        let outer = axes.len();
        let mut g = Grow { planner: self, loops: axes, body: Vec::new(), types: Vec::new(), memo: HashMap::new() };
        let spot: Spot = (0..outer).map(Some).collect();
        let value = root(&mut g, &spot);
        let store = target.access(&spot);
        let name = self.buffers[target.buffer].name.clone();
        let mut kernel =
            Kernel { name, loops: g.loops, outer, body: g.body, types: g.types, store, value, unit: Size::from(1i64) };
        let want = self.graph.node(id).dtype;
        if kernel.types[value] != want {
            let cast = if want == DType::F32 { Map::ToF32 } else { Map::ToI32 };
            kernel.body.push(Expr::Map(cast, vec![value]));
            kernel.types.push(want);
            kernel.value = kernel.body.len() - 1;
        }
        kernel.join(self.sizes, &self.choices.relied);
        Step::Kernel(kernel)
    }

    /// A kernel that multiplies the parts of a pair element by element and sums over what is not kept.
    pub(super) fn pair_kernel(&mut self, id: NodeId, pair: &Pair, items: &[Option<(View, Vec<usize>)>], target: View) {
        let node = self.graph.node(id);
        let order = pair.loops();
        let loops = order.iter().map(|l| Loop { name: node.axis(*l).name.clone(), size: node.axis(*l).size.clone() }).collect();
        let mut g = Grow { planner: self, loops, body: Vec::new(), types: Vec::new(), memo: HashMap::new() };
        let (factors, _) = self.graph.factors(id);
        let mut value = None;
        for part in &pair.parts {
            let spot = |dims: &[usize]| dims.iter().map(|l| order.iter().position(|x| x == l)).collect::<Spot>();
            let next = match (factors.get(*part), items.get(*part).and_then(Option::as_ref)) {
                (Some(f), _) => g.value(f.node, &spot(&f.subscripts)),
                (None, Some((view, dims))) => g.add(Expr::Load(view.access(&spot(dims))), DType::F32),
                (None, None) => unreachable!("a part is a factor, or was made before"),
            };
            value = Some(value.map_or(next, |v| g.add(Expr::Map(Map::Mul, vec![v, next]), DType::F32)));
        }
        let keep = pair.keep.len();
        let value = value.unwrap_or_else(|| unreachable!("a pair has factors"));
        let summed: Vec<usize> = (keep..order.len()).collect();
        let value =
            if summed.is_empty() { value } else { g.add(Expr::Reduce { fold: Fold::Sum, loops: summed, value }, DType::F32) };
        let store = target.access(&(0..keep).map(Some).collect::<Spot>());
        let name = self.buffers[target.buffer].name.clone();
        let mut kernel =
            Kernel { name, loops: g.loops, outer: keep, body: g.body, types: g.types, store, value, unit: Size::from(1i64) };
        kernel.join(self.sizes, &self.choices.relied);
        self.push(pair.early, Step::Kernel(kernel));
    }

    /// A sum of products to which what is left out was taken as 0: where it is NaN, it is taken once more without that.
    pub(super) fn mend(&mut self, id: NodeId, made: &View) {
        let target = self.own(id);
        let axes = self.axes(id);
        let step = self.finish(id, axes, target, &|g, spot| {
            let of = g.add(Expr::Load(made.access(spot)), DType::F32);
            let (loops, value) = g.terms(id, spot);
            if loops.is_empty() {
                return value;
            }
            g.add(Expr::Mend { of, loops, value }, DType::F32)
        });
        self.push(self.early(id), step);
    }

    /// Every operand in turn, each at its offset.
    pub(super) fn concat(&mut self, id: NodeId, axis: usize) {
        let target = self.own(id);
        let mut at = Size::from(0i64);
        for o in self.graph.operands(id) {
            let mut axes = self.axes(id);
            let dim = o.subscripts.iter().position(|l| *l == axis);
            let dim = dim.unwrap_or_else(|| unreachable!("every operand has the axis along which they are joined"));
            axes[axis].size = self.graph.node(o.node).shape[dim].size.clone();
            let extent = axes[axis].size.clone();
            let part = View { offset: at.mul(&target.strides[axis]), ..target.clone() };
            let subscripts = o.subscripts.clone();
            let step = self.finish(o.node, axes, part, &|g, spot| {
                let spot: Spot = subscripts.iter().map(|l| spot[*l]).collect();
                g.value(o.node, &spot)
            });
            self.push(self.early(id), step);
            at = at.add(&extent);
        }
    }
}

impl Grow<'_, '_> {
    fn add(&mut self, expr: Expr, dtype: DType) -> usize {
        if let Some(k) = (0..self.body.len()).find(|k| self.types[*k] == dtype && self.body[*k] == expr) {
            return k;
        }
        self.body.push(expr);
        self.types.push(dtype);
        self.body.len() - 1
    }

    /// The value of a node at a spot: a load where it has memory, else computed here.
    fn value(&mut self, id: NodeId, spot: &Spot) -> usize {
        if let Some(k) = self.memo.get(&(id, spot.clone())) {
            return *k;
        }
        let p = self.planner;
        let made = match p.fusion.how[id.index()] {
            How::Memory | How::View => {
                let access = p.at(id).access(spot);
                self.add(Expr::Load(access), p.graph.node(id).dtype)
            }
            How::Inline | How::Unused => self.compute(id, spot),
        };
        self.memo.insert((id, spot.clone()), made);
        made
    }

    fn operand(&mut self, id: NodeId, k: usize, spot: &Spot) -> usize {
        let o = &self.planner.graph.operands(id)[k];
        let sub: Spot = o.subscripts.iter().map(|l| spot[*l]).collect();
        self.value(o.node, &sub)
    }

    fn compute(&mut self, id: NodeId, spot: &Spot) -> usize {
        let graph = self.planner.graph;
        let node = graph.node(id);
        self.planner.touch(id);
        match &node.op {
            Op::Const(c) => self.add(Expr::Const(*c), node.dtype),
            Op::Extent(s) => self.add(Expr::Size(s.clone()), node.dtype),
            Op::Iota => match spot[0] {
                Some(l) => self.add(Expr::Counter(l), DType::I32),
                None => self.add(Expr::Const(0.0), DType::I32),
            },
            Op::Map(Map::Copy) | Op::Inside(_) => self.operand(id, 0, spot),
            Op::Map(m) => {
                let args = (0..graph.operands(id).len()).map(|k| self.operand(id, k, spot)).collect();
                self.add(Expr::Map(*m, args), node.dtype)
            }
            Op::Gather { picks, fill } => self.pick(id, picks, *fill, spot),
            Op::Reshape => {
                let map = self.planner.squeezed(id).unwrap_or_default();
                let sub: Spot = map.iter().map(|d| d.and_then(|d| spot[d])).collect();
                self.value(graph.operands(id)[0].node, &sub)
            }
            Op::Fold(f) => self.reduce(id, *f, spot),
            Op::Contract => self.reduce(id, Fold::Sum, spot),
            Op::Source { .. } | Op::Arg(_) | Op::Concat { .. } | Op::Random { .. } | Op::Scatter { .. } => self.load(id, spot),
            Op::Order { .. } | Op::Scan { .. } | Op::Assign | Op::Loop(_) | Op::Result(_) => self.load(id, spot),
        }
    }

    fn load(&mut self, id: NodeId, spot: &Spot) -> usize {
        let access = self.planner.at(id).access(spot);
        self.add(Expr::Load(access), self.planner.graph.node(id).dtype)
    }

    fn reduce(&mut self, id: NodeId, fold: Fold, spot: &Spot) -> usize {
        let dtype = self.planner.graph.node(id).dtype;
        let (loops, value) = self.terms(id, spot);
        if loops.is_empty() && !matches!(fold, Fold::Argmax | Fold::Argmin) {
            return value;
        }
        self.add(Expr::Reduce { fold, loops, value }, dtype)
    }

    /// Loops for what a node folds, and the value that it folds in them: a product without the terms that a guard leaves out.
    fn terms(&mut self, id: NodeId, spot: &Spot) -> (Vec<usize>, usize) {
        let node = self.planner.graph.node(id);
        let first = self.loops.len();
        self.loops.extend(node.inner.iter().map(|a| Loop { name: a.name.clone(), size: a.size.clone() }));
        let loops: Vec<usize> = (first..self.loops.len()).collect();
        let full: Spot = spot.iter().copied().chain(loops.iter().map(|l| Some(*l))).collect();
        let (factors, guards) = self.planner.graph.factors(id);
        let (factors, count) = (factors.len(), factors.len() + guards.len());
        let mut value = self.operand(id, 0, &full);
        for k in 1..factors {
            let next = self.operand(id, k, &full);
            value = self.add(Expr::Map(Map::Mul, vec![value, next]), node.dtype);
        }
        for k in factors..count {
            let (guard, zero) = (self.operand(id, k, &full), self.add(Expr::Const(0.0), node.dtype));
            value = self.add(Expr::Map(Map::Select, vec![guard, value, zero]), node.dtype);
        }
        (loops, value)
    }

    fn pick(&mut self, id: NodeId, picks: &[Pick], fill: Option<f64>, spot: &Spot) -> usize {
        let p = self.planner;
        let operands = p.graph.operands(id);
        let dtype = p.graph.node(id).dtype;
        let source = p.graph.node(operands[0].node);
        let view = p.at(operands[0].node);
        if source.shape.iter().any(|a| p.n(&a.size) == 0) {
            return self.add(Expr::Const(fill.unwrap_or(0.0)), dtype);
        }
        let mut access = Access { buffer: view.buffer, offset: view.offset.clone(), terms: Vec::new() };
        let mut at = Vec::new();
        for (d, pick) in picks.iter().enumerate() {
            let stride = view.strides[d].clone();
            if let Some((offset, terms)) = p.inside(id, d, *pick) {
                access.offset = access.offset.add(&offset.mul(&stride));
                for (l, s) in terms {
                    if let Some(l) = spot[l] {
                        add_term(&mut access.terms, l, s.mul(&stride));
                    }
                }
                continue;
            }
            let value = match pick {
                Pick::Loop(l) => match spot[*l] {
                    Some(l) => self.add(Expr::Counter(l), DType::I32),
                    None => self.add(Expr::Const(0.0), DType::I32),
                },
                Pick::Operand(k) => self.operand(id, *k, spot),
            };
            at.push(Index { value, extent: source.shape[d].size.clone(), stride });
        }
        access.terms.retain(|(_, s)| !s.is(0));
        access.terms.sort_by_key(|t| t.0);
        if at.is_empty() {
            return self.add(Expr::Load(access), dtype);
        }
        self.add(Expr::Pick { access, at, fill }, dtype)
    }
}

fn add_term(terms: &mut Vec<(usize, Size)>, l: usize, stride: Size) {
    match terms.iter_mut().find(|t| t.0 == l) {
        Some(t) => t.1 = t.1.add(&stride),
        None => terms.push((l, stride)),
    }
}

impl Kernel {
    /// Joins neighbouring outer loops that every access crosses alike, so that the innermost loop is long.
    pub(super) fn join(&mut self, sizes: &Sizes, relied: &Relied) {
        let mut k = self.outer;
        while k >= 2 {
            k -= 1;
            if self.joinable(k - 1, &|stride, expected| value(stride, sizes) == value(expected, sizes)) {
                self.joinable(k - 1, &|stride, expected| {
                    relied.equal(stride, expected);
                    true
                });
                self.merge(k - 1);
            }
        }
    }

    /// `same` says of the stride of loop `p` whether it is what it has to be.
    fn joinable(&self, p: usize, same: &dyn Fn(&Size, &Size) -> bool) -> bool {
        let n = &self.loops[p + 1].size;
        let fits = |a: &Access| {
            let stride = |l: usize| a.terms.iter().find(|t| t.0 == l).map_or(Size::from(0i64), |t| t.1.clone());
            same(&stride(p), &stride(p + 1).mul(n))
        };
        self.body.iter().all(|e| match e {
            Expr::Counter(l) => *l != p && *l != p + 1,
            Expr::Load(a) => fits(a),
            Expr::Pick { access, .. } => fits(access),
            Expr::Const(_) | Expr::Size(_) | Expr::Map(..) | Expr::Reduce { .. } | Expr::Mend { .. } => true,
        }) && fits(&self.store)
    }

    /// Loops `p` and `p + 1` become one.
    fn merge(&mut self, p: usize) {
        let inner = self.loops.remove(p + 1);
        if p == 0 {
            self.unit = self.unit.mul(&inner.size);
        }
        self.loops[p].size = self.loops[p].size.mul(&inner.size);
        self.loops[p].name = format!("{}*{}", self.loops[p].name, inner.name).into();
        self.outer -= 1;
        let fix = |a: &mut Access| {
            a.terms.retain(|t| t.0 != p);
            a.terms.iter_mut().for_each(|t| t.0 -= usize::from(t.0 > p));
        };
        fix(&mut self.store);
        for e in &mut self.body {
            match e {
                Expr::Counter(l) => *l -= usize::from(*l > p),
                Expr::Load(a) | Expr::Pick { access: a, .. } => fix(a),
                Expr::Reduce { loops, .. } | Expr::Mend { loops, .. } => loops.iter_mut().for_each(|l| *l -= 1),
                Expr::Const(_) | Expr::Size(_) | Expr::Map(..) => {}
            }
        }
    }
}
