//! Gathers and scatters: what was read at a place is added up there.

use super::Reverse;
use super::adjoint::Adjoint;
use super::affine::{Affine, affine};
use super::nest::{Nest, Part};
use crate::ir::{Axis, DType, Fold, Map, NodeId, Op, Operand, Pick, Size};

/// How the adjoint finds the place in one dimension of a gather's source.
enum Way {
    /// The place is the counter of this loop of the node.
    Loop(usize),
    /// The place solves for the counter of this loop of the node.
    Solve(usize, i64, Affine),
    /// The place is searched: an index over the nest.
    Search(Operand),
}

impl Reverse<'_> {
    pub(super) fn gather(&mut self, id: NodeId, picks: &[Pick], fill: Option<f64>, adjoint: Adjoint) {
        let operands = self.graph.operands(id).to_vec();
        let source = operands[0].node;
        let mut ways = self.ways(id, picks, fill, &operands);
        let mut tied = adjoint.tied.clone();
        for way in &ways {
            if let Way::Solve(k, ..) = way {
                tied.iter_mut().filter(|t| **t == Some(*k)).for_each(|t| *t = None);
            }
        }
        let adjoint = self.untie(id, adjoint, &tied);
        let mut nest = self.nest(id, &adjoint);
        self.to_nest(&nest, &mut ways);
        let value = self.whole(id, &adjoint);
        let guard = self.all_of(&nest, &adjoint.guards).map(|g| {
            let real = self.pointwise(&nest, Map::ToF32, vec![g]);
            self.built(&nest.axes, &real)
        });
        let (mut value, mut guard) = (value, guard);
        for (d, way) in ways.iter().enumerate() {
            let Way::Solve(k, times, index) = way else { continue };
            let along = nest.own(*k);
            nest.axes[along] = self.graph.node(source).shape[d].clone();
            let place = self.solve(&nest, along, *times, index);
            let moved = |r: &mut Self, whole| r.picked(&nest, along, whole, place.clone(), Some(0.0), DType::F32).node;
            value = moved(self, value);
            guard = guard.map(|g| moved(self, g));
        }
        let loops: Vec<usize> = (0..nest.axes.len()).collect();
        let part = self.gathered(&nest, &adjoint, Operand::new(value, loops.clone()), &ways, source);
        let guards = guard.map(|g| self.gathered(&nest, &adjoint, Operand::new(g, loops), &ways, source));
        let wide = Nest { axes: self.loops(source, &part.tied), first: part.free() };
        let guards = guards.map(|g| {
            let zero = self.number(0.0);
            self.pointwise_of(&wide, Map::Lt, DType::Bool, vec![zero, g.view])
        });
        self.hand(source, Adjoint { guards: guards.into_iter().collect(), ..part });
    }

    /// How each dimension of the source is found again. A loop serves one dimension.
    fn ways(&mut self, id: NodeId, picks: &[Pick], fill: Option<f64>, operands: &[Operand]) -> Vec<Way> {
        let shape = self.graph.node(id).shape.clone();
        let source = self.graph.node(operands[0].node).shape.clone();
        let extent = |k: usize| shape[k].size.clone();
        let mut taken: Vec<usize> = Vec::new();
        let mut ways: Vec<Option<Way>> = Vec::new();
        for pick in picks {
            ways.push(match pick {
                Pick::Loop(k) if !taken.contains(k) => {
                    taken.push(*k);
                    Some(Way::Loop(*k))
                }
                Pick::Loop(_) | Pick::Operand(_) => None,
            });
        }
        for (d, pick) in picks.iter().enumerate().filter(|(d, _)| ways[*d].is_none()).collect::<Vec<_>>() {
            let index = match pick {
                Pick::Loop(k) => {
                    let counter = self.add(Op::Iota, DType::I32, vec![shape[*k].clone()], vec![], vec![]);
                    Operand::new(counter, vec![*k])
                }
                Pick::Operand(n) => operands[*n].clone(),
            };
            let others = |k: usize| {
                let read =
                    |(e, p): (usize, &Pick)| matches!(p, Pick::Operand(n) if e != d && operands[*n].subscripts.contains(&k));
                picks.iter().enumerate().any(read)
            };
            let terms = affine(self.graph, &index);
            let inside = terms.as_ref().is_some_and(|t| t.demanded || t.is_inside(self.graph, &source[d].size, &extent));
            let solved = terms.filter(|_| inside || fill.is_some()).and_then(|terms| {
                let (times, k) = terms.solved(&extent, &|k| !taken.contains(&k) && !others(k))?;
                Some(Way::Solve(k, times, terms))
            });
            ways[d] = Some(match solved {
                Some(way) => {
                    if let Way::Solve(k, ..) = &way {
                        taken.push(*k);
                    }
                    way
                }
                None => Way::Search(if inside || fill.is_some() { index } else { self.nearest(&shape, index, &source[d].size) }),
            });
        }
        ways.into_iter().flatten().collect()
    }

    /// An index moved to the nearest place of an axis.
    fn nearest(&mut self, shape: &[Axis], index: Operand, axis: &Size) -> Operand {
        let nest = Nest { axes: shape.to_vec(), first: 0 };
        let (zero, last) = (self.whole_number(0), self.size(&axis.sub(&Size::from(1i64))));
        let low = self.pointwise_of(&nest, Map::Min, DType::I32, vec![index, last]);
        self.pointwise_of(&nest, Map::Max, DType::I32, vec![low, zero])
    }

    /// Indices over the loops of the node become indices over its nest.
    fn to_nest(&self, nest: &Nest, ways: &mut [Way]) {
        for way in ways {
            match way {
                Way::Loop(_) => {}
                Way::Solve(_, _, terms) => terms.rest.iter_mut().for_each(|(_, o)| *o = nest.operand(o)),
                Way::Search(index) => *index = nest.operand(index),
            }
        }
        // The counters of `Solve` stay loops of the node.
    }

    /// Where on the loop a place of the source was read: the loop is now the source's dimension. Outside of the loop where it was not.
    fn solve(&mut self, nest: &Nest, along: usize, times: i64, index: &Affine) -> Operand {
        let whole = |r: &mut Self, map, a, b| r.pointwise_of(nest, map, DType::I32, vec![a, b]);
        let mut left = self.counter(nest, along);
        let counters = index.counters.iter().filter(|(_, k)| nest.own(*k) != along).copied().collect::<Vec<_>>();
        let mut terms = index.rest.clone();
        for (n, k) in counters {
            terms.push((n, self.counter(nest, nest.own(k))));
        }
        for (n, o) in terms {
            let o = match n {
                1 | -1 => o,
                n => {
                    let n = self.whole_number(n.abs());
                    whole(self, Map::Mul, n, o)
                }
            };
            left = whole(self, if n > 0 { Map::Sub } else { Map::Add }, left, o);
        }
        if times < 0 {
            left = self.pointwise_of(nest, Map::Neg, DType::I32, vec![left]);
        }
        if times.abs() == 1 {
            return left;
        }
        let (step, zero, nowhere) = (self.whole_number(times.abs()), self.whole_number(0), self.whole_number(-1));
        let over = whole(self, Map::Mod, left.clone(), step.clone());
        let hits = self.pointwise_of(nest, Map::Eq, DType::Bool, vec![over, zero]);
        let at = whole(self, Map::IntDiv, left, step);
        self.pointwise_of(nest, Map::Select, DType::I32, vec![hits, at, nowhere])
    }

    /// A value over the nest added up over the source.
    fn gathered(&mut self, nest: &Nest, from: &Adjoint, value: Operand, ways: &[Way], source: NodeId) -> Adjoint {
        let reads: Vec<Option<usize>> = ways
            .iter()
            .map(|way| match way {
                Way::Loop(k) | Way::Solve(k, ..) => Some(nest.own(*k)),
                Way::Search(_) => None,
            })
            .collect();
        if let Some(reads) = reads.iter().copied().collect::<Option<Vec<usize>>>() {
            return self.close(nest, from, Part::plain(value, &[]), &reads, source);
        }
        let tied: Vec<Option<usize>> =
            (0..self.kept.len()).map(|q| reads.iter().position(|k| *k == Some(from.loop_of(q, nest)))).collect();
        let free = (0..self.kept.len()).filter(|q| tied[*q].is_none()).map(|q| from.loop_of(q, nest));
        let outer: Vec<usize> = free.chain(reads.iter().flatten().copied()).collect();
        let inner: Vec<usize> = (0..nest.axes.len()).filter(|k| !outer.contains(k)).collect();
        let shape = self.graph.node(source).shape.clone();
        let searched: Vec<usize> = (0..ways.len()).filter(|d| reads[*d].is_none()).collect();
        let index = self.flat(nest, ways, &searched, &shape);
        let size = searched.iter().fold(Size::from(1i64), |n, d| n.mul(&shape[*d].size));
        let line = if let [d] = searched.as_slice() { shape[*d].clone() } else { Axis::new("place", size) };
        let place = |k: &usize| match outer.iter().position(|l| l == k) {
            Some(at) => at,
            None => outer.len() + 1 + inner.iter().position(|l| l == k).expect("a loop of the nest"),
        };
        let moved = |o: &Operand| Operand::new(o.node, o.subscripts.iter().map(place).collect());
        let axes = |loops: &[usize]| loops.iter().map(|k| nest.axes[*k].clone()).collect::<Vec<Axis>>();
        let mut made: Vec<Axis> = axes(&outer);
        made.push(line);
        let operands = vec![moved(&index), moved(&value)];
        let op = Op::Scatter { axis: outer.len(), fold: Fold::Sum };
        let mut node = self.add(op, DType::F32, made.clone(), axes(&inner), operands);
        if searched.len() > 1 {
            made.pop();
            made.extend(searched.iter().map(|d| shape[*d].clone()));
            node = self.add(Op::Reshape, DType::F32, made, vec![], vec![Operand::new(node, vec![])]);
        }
        // The node has the free axes, the dimensions that are loops, and those that were searched.
        let free = tied.iter().filter(|t| t.is_none()).count();
        let direct = (0..ways.len()).filter(|d| reads[*d].is_some());
        let subscripts = (0..free).chain(direct.chain(searched.iter().copied()).map(|d| free + d)).collect();
        Adjoint { view: Operand::new(node, subscripts), tied, guards: vec![] }
    }

    /// The searched dimensions as one: the place in row-major order, -1 where one of them is outside.
    fn flat(&mut self, nest: &Nest, ways: &[Way], searched: &[usize], shape: &[Axis]) -> Operand {
        let index = |d: usize| match &ways[d] {
            Way::Search(index) => index.clone(),
            Way::Loop(_) | Way::Solve(..) => unreachable!("only what is searched is asked"),
        };
        let (first, rest) = searched.split_first().expect("something is searched");
        if rest.is_empty() {
            return index(*first);
        }
        let whole = |r: &mut Self, map, a, b| r.pointwise_of(nest, map, DType::I32, vec![a, b]);
        let (zero, nowhere) = (self.whole_number(0), self.whole_number(-1));
        let mut place = index(*first);
        let mut inside = Vec::new();
        for d in searched {
            let size = self.size(&shape[*d].size);
            inside.push(self.pointwise_of(nest, Map::Le, DType::Bool, vec![zero.clone(), index(*d)]));
            inside.push(self.pointwise_of(nest, Map::Lt, DType::Bool, vec![index(*d), size.clone()]));
            if d != first {
                let row = whole(self, Map::Mul, place, size);
                place = whole(self, Map::Add, row, index(*d));
            }
        }
        let inside = self.all_of(nest, &inside).expect("two tests for each");
        self.pointwise_of(nest, Map::Select, DType::I32, vec![inside, place, nowhere])
    }

    /// Every value gets what was made of the place that it was added to; of extremes those do that are the extreme one, each its share.
    pub(super) fn scatter(&mut self, id: NodeId, axis: usize, fold: Fold, adjoint: Adjoint) {
        let adjoint = self.loosened(id, adjoint, axis);
        let full = self.nest(id, &adjoint);
        let along = full.own(axis);
        let [index, value] = self.graph.operands(id) else { return };
        let without = |k: usize| if k > along { k - 1 } else { k };
        let inside = |o: &Operand| Operand::new(o.node, o.subscripts.iter().map(|k| without(full.own(*k))).collect());
        let (index, target) = (inside(index), value.clone());
        let reads: Vec<usize> = value.subscripts.iter().map(|k| without(full.own(*k))).collect();
        let mut nest = full.clone();
        nest.axes.remove(along);
        let tied = adjoint.tied.iter().map(|t| t.map(|d| if d > axis { d - 1 } else { d })).collect();
        let from = Adjoint { tied, ..adjoint.clone() };
        let axes = self.loops(id, &adjoint.tied);
        let best = (fold != Fold::Sum).then(|| self.best(id, axis));
        let handed = match &best {
            Some((_, count)) => {
                let own = Nest { axes: axes.clone(), first: adjoint.free() };
                let count = own.operand(count);
                self.pointwise(&own, Map::Div, vec![adjoint.view.clone(), count])
            }
            None => adjoint.view.clone(),
        };
        let whole = self.built(&axes, &handed);
        let guard = self.all_of(&full, &adjoint.guards).map(|g| self.built(&axes, &g));
        let mut view = self.read_at(&nest, along, whole, &index, DType::F32);
        if let Some((is_best, _)) = &best {
            view = self.chosen(&nest, vec![nest.operand(is_best)], view);
        }
        let guards: Vec<Operand> = guard.map(|g| self.read_at(&nest, along, g, &index, DType::Bool)).into_iter().collect();
        if self.is_active(target.node) {
            let part = self.close(&nest, &from, Part::plain(view, &guards), &reads, target.node);
            self.hand(target.node, part);
        }
    }

    /// Of a scatter of extremes: which values are the one of their place, over its loops but `axis`; and how many a place has, at least 1.
    fn best(&mut self, id: NodeId, axis: usize) -> (Operand, Operand) {
        let (node, operands) = (self.graph.node(id).clone(), self.graph.operands(id).to_vec());
        let mut nest = Nest { axes: node.shape.iter().chain(&node.inner).cloned().collect(), first: 0 };
        nest.axes.remove(axis);
        let within =
            |o: &Operand| Operand::new(o.node, o.subscripts.iter().map(|k| if *k > axis { k - 1 } else { *k }).collect());
        let here = self.read_at(&nest, axis, id, &within(&operands[0]), DType::F32);
        let is_best = self.is_extreme(&nest, within(&operands[1]), here);
        let one_each = self.pointwise(&nest, Map::ToF32, vec![is_best.clone()]);
        let back = one_each.subscripts.iter().map(|k| if *k >= axis { k + 1 } else { *k }).collect();
        let given = vec![operands[0].clone(), Operand::new(one_each.node, back)];
        let sum = Op::Scatter { axis, fold: Fold::Sum };
        let all: Vec<usize> = (0..node.shape.len()).collect();
        let own = Nest { axes: node.shape.clone(), first: 0 };
        let count = Operand::new(self.add(sum, DType::F32, node.shape, node.inner, given), all);
        // A place may have none.
        let one = self.number(1.0);
        let count = self.pointwise(&own, Map::Max, vec![count, one]);
        (is_best, count)
    }

    /// A value one of whose dimensions is picked by an index: over those loops of the nest that either has.
    fn read_at(&mut self, nest: &Nest, along: usize, whole: NodeId, index: &Operand, dtype: DType) -> Operand {
        let rank = self.graph.node(whole).rank();
        let direct = |d: usize| if d > along { d - 1 } else { d };
        let used: Vec<usize> = (0..nest.axes.len())
            .filter(|k| index.subscripts.contains(k) || (0..rank).any(|d| d != along && direct(d) == *k))
            .collect();
        let place = |k: usize| used.iter().position(|u| *u == k).expect("a loop that is used");
        let picks = (0..rank).map(|d| if d == along { Pick::Operand(1) } else { Pick::Loop(place(direct(d))) }).collect();
        let index = Operand::new(index.node, index.subscripts.iter().map(|k| place(*k)).collect());
        let shape = used.iter().map(|k| nest.axes[*k].clone()).collect();
        let operands = vec![Operand::new(whole, vec![]), index];
        Operand::new(self.add(Op::Gather { picks, fill: Some(0.0) }, dtype, shape, vec![], operands), used)
    }
}
