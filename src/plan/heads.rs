//! graph → graph: a row that a head writes is taken apart into the tensors that it holds, where products can then do without them.
//!
//! The last layer of a hypernetwork gives a row for each sample, `z @ h + c`, of which each generated tensor is a stretch, folded into its shape. So
//! no product that reads such a tensor can have `z` and `h` among its factors: the row is written first. Where the stretches and shapes are taken
//! of `h` and `c` instead, which stay as they lie, each tensor is a sum of its own, and `x @ w` may be `(x @ h) @ z + x @ c`: for a sample with
//! one row it takes as many multiplications, and writes none of the weights. With more rows they may be written where they are read.
//!
//! In: a graph, what is wanted of it, its rates, all sizes. Out: a graph of the same meaning, to within the order of sums, in which at least one such
//! tensor need not be written down; none where all stays as it is.

use super::build::{Rates, reachable};
use super::decide::{Choices, Place};
use super::expand::unmade;
use super::measured::plan::{PANEL_BYTES, WRITTEN_CODES, WRITTEN_COLUMNS, WRITTEN_ROWS, WRITTEN_SUMS};
use super::names::called;
use super::{Sizes, view};
use crate::ir::pin::What;
use crate::ir::{Axis, DType, Fold, Graph, Map, Node, NodeId, Op, Operand, Output, OutputKind, Pick, Rate};
use crate::opt::{Product, Rebuild, compose, rebuild};
use std::collections::{BTreeMap, BTreeSet};

/// Nodes that are looked through at most between a head's row and what stays.
const DEEP: usize = 24;

/// Some elements of a row: where their index says, which has loops of these axes.
#[derive(Clone)]
struct Stretch {
    index: NodeId,
    subscripts: Vec<usize>,
    axes: Vec<Axis>,
}

/// A tensor that a row holds.
struct Part {
    row: NodeId,
    /// Which elements of the row, each stretch within the one before.
    stretches: Vec<Stretch>,
    /// What the row's axis becomes.
    columns: Vec<Axis>,
    folded: bool,
}

/// Rows, and all that reads them.
struct Heads<'g> {
    graph: &'g Graph,
    rates: &'g [Rate],
    users: Vec<Vec<NodeId>>,
    parts: BTreeMap<NodeId, Part>,
}

pub(super) fn apart(
    graph: &Graph,
    wanted: &[NodeId],
    rates: Rates,
    sizes: &Sizes,
    choices: &Choices,
) -> Option<(Graph, Vec<NodeId>)> {
    let changes = rates(graph);
    let mut heads = Heads::of(graph, wanted, &changes);
    if heads.parts.is_empty() {
        return None;
    }
    // Which of them nobody would make is seen when all are taken apart.
    let (tried, places, made) = heads.taken_apart(wanted);
    let silent = choices.silent();
    let tensors: Vec<NodeId> = made.values().copied().collect();
    let gone = unmade(&tried, &places, &rates(&tried), sizes, &silent, &tensors);
    let near = |at: &NodeId| written_where_read(&tried, *at, sizes);
    let gains = made.iter().zip(&gone).filter(|((_, at), gone)| **gone || near(at));
    let gains: BTreeSet<NodeId> = gains.map(|((id, _), _)| heads.parts[id].row).collect();
    heads.parts.retain(|_, part| gains.contains(&part.row));
    // What was decided of the others is decided here.
    let stay: Vec<_> = made.iter().filter(|(id, _)| !heads.parts.contains_key(id)).map(|(_, at)| site(&tried, *at)).collect();
    choices.take_over(silent, &|d| d.site.what == What::Sum && stay.contains(&(d.place.clone(), d.name.clone())));
    if heads.parts.is_empty() {
        return None;
    }
    let (mut new, _, _) = heads.taken_apart(wanted);
    new = crate::opt::settle(&new);
    let places = std::mem::take(&mut new.outputs).into_iter().map(|o| o.node).collect();
    Some((new, places))
}

/// Whether the matrices that a tensor is may be written where one product reads them, some columns at a time ([`super::written`]).
fn written_where_read(graph: &Graph, id: NodeId, sizes: &Sizes) -> bool {
    let extent = |axis: &Axis| view::value(&axis.size, sizes).max(0);
    let [user] = graph.users(id)[..] else { return false };
    let Some(p) = Product::of_sum(graph, user).filter(|p| p.factors.len() == 2) else { return false };
    let Some(own) = p.factors.iter().position(|f| f.node == id) else { return false };
    let (tensor, x) = (&p.factors[own].subscripts, &p.factors[1 - own].subscripts);
    let Some((both, matrices)) = tensor.split_last_chunk::<2>().map(|(matrices, both)| (both, matrices)) else { return false };
    let many = |loops: &mut dyn Iterator<Item = usize>| loops.map(|l| extent(&p.loops[l])).fold(1i64, i64::saturating_mul);
    let (mut sums, mut columns) = (0, 0);
    for l in both {
        match (*l < p.rank, x.contains(l)) {
            (false, true) => sums = extent(&p.loops[*l]),
            (true, false) => columns = extent(&p.loops[*l]),
            (true, true) | (false, false) => return false,
        }
    }
    let rows = many(&mut x.iter().copied().filter(|l| !tensor.contains(l)));
    let apart = matrices.iter().all(|l| *l < p.rank && x.contains(l)) && many(&mut matrices.iter().copied()) > 1;
    let sum = match &graph.node(id).op {
        Op::Map(Map::Add) => graph.operands(id).iter().map(|o| o.node).find(|o| matches!(graph.node(*o).op, Op::Contract)),
        _sum => Some(id),
    };
    let numbers = sum.map_or(0, |sum| graph.node(sum).inner.iter().map(extent).product::<i64>());
    let fits = WRITTEN_ROWS.contains(&rows) && WRITTEN_SUMS.contains(&sums) && WRITTEN_CODES.contains(&numbers);
    let room = numbers.saturating_mul(sums).saturating_mul(columns) <= PANEL_BYTES as i64 / 4;
    apart && fits && room && columns >= WRITTEN_COLUMNS && p.loops.len() == p.rank + 1
}

fn site(graph: &Graph, id: NodeId) -> (Place, String) {
    (Place::of(graph.node(id)), called(graph, id))
}

impl<'g> Heads<'g> {
    fn of(graph: &'g Graph, wanted: &[NodeId], rates: &'g [Rate]) -> Heads<'g> {
        let reach = reachable(graph, wanted);
        let mut users = vec![Vec::new(); graph.len()];
        for id in graph.ids().filter(|id| reach[id.index()]) {
            graph.operands(id).iter().for_each(|o| users[o.node.index()].push(id));
        }
        let mut heads = Heads { graph, rates, users, parts: BTreeMap::new() };
        let kept: BTreeSet<NodeId> = wanted.iter().copied().chain(graph.measured.iter().map(|m| m.1)).collect();
        for row in graph.ids().filter(|id| reach[id.index()] && !kept.contains(id)) {
            if let Some(parts) = heads.parts_of(row).filter(|_| heads.is_head(row)) {
                heads.parts.extend(parts);
            }
        }
        heads
    }

    fn is_early(&self, id: NodeId) -> bool {
        self.rates[id.index()] < Rate::Input
    }

    /// Whether it is a sum that is computed in each run, and can be taken apart.
    fn is_head(&self, row: NodeId) -> bool {
        let axis = self.graph.node(row).rank().checked_sub(1);
        axis.is_some_and(|axis| !self.is_early(row) && self.splits(row, axis, &mut { DEEP }))
    }

    /// Whether a value can be had with other axes in the place of this one.
    fn splits(&self, id: NodeId, axis: usize, left: &mut usize) -> bool {
        let node = self.graph.node(id);
        if *left == 0 || node.dtype != DType::F32 {
            return false;
        }
        *left -= 1;
        if self.is_early(id) {
            return axis + 1 == node.rank();
        }
        let fits = match &node.op {
            Op::Map(Map::Add | Map::Sub | Map::Mul | Map::Neg | Map::Copy) => true,
            Op::Contract | Op::Fold(Fold::Sum) => !self.graph.is_guarded(id),
            _other => false,
        };
        let along = |o: &Operand| o.subscripts.iter().filter(|s| **s == axis).count();
        fits && self.graph.operands(id).iter().all(|o| match along(o) {
            0 => true,
            1 => o.subscripts.iter().position(|s| *s == axis).is_some_and(|at| self.splits(o.node, at, left)),
            _several => false,
        })
    }

    /// All tensors that a row holds; none where anything else reads it.
    fn parts_of(&self, row: NodeId) -> Option<BTreeMap<NodeId, Part>> {
        let mut parts = BTreeMap::new();
        self.parts_in(row, row, &[], &mut parts).then_some(parts)
    }

    /// Finds those that a stretch of the row holds; gives whether nothing else reads it.
    fn parts_in(&self, row: NodeId, of: NodeId, within: &[Stretch], parts: &mut BTreeMap<NodeId, Part>) -> bool {
        let users = &self.users[of.index()];
        let known = |user: &NodeId| self.folds(of, *user).is_some() || self.stretch(of, *user).is_some();
        if users.is_empty() || !users.iter().all(known) || within.len() > DEEP {
            return false;
        }
        for user in users {
            let mut stretches = within.to_vec();
            if let Some(columns) = self.folds(of, *user) {
                parts.insert(*user, Part { row, stretches, columns, folded: true });
                continue;
            }
            let Some(stretch) = self.stretch(of, *user) else { continue };
            let columns = stretch.axes.clone();
            stretches.push(stretch);
            if columns.len() > 1 || !self.parts_in(row, *user, &stretches, parts) {
                parts.insert(*user, Part { row, stretches, columns, folded: false });
            }
        }
        true
    }

    /// Which elements of the last axis of a value a node has; none where it is something else.
    fn stretch(&self, of: NodeId, user: NodeId) -> Option<Stretch> {
        let node = self.graph.node(user);
        let Op::Gather { picks, fill: None } = &node.op else { return None };
        let (operands, last) = (self.graph.operands(user), picks.len().checked_sub(1)?);
        let still = picks[..last].iter().enumerate().all(|(d, p)| *p == Pick::Loop(d));
        let Pick::Operand(k) = picks[last] else { return None };
        let index = &operands[k];
        let mut loops = index.subscripts.clone();
        loops.sort();
        // An index that a run decides may lie anywhere.
        let fits = still && operands.len() == 2 && operands[0].node == of && loops.iter().copied().eq(last..node.rank());
        let subscripts = index.subscripts.iter().map(|l| l.wrapping_sub(last)).collect();
        let fits = fits && !loops.is_empty() && view::affine(self.graph, index.node).is_some();
        fits.then(|| Stretch { index: index.node, subscripts, axes: node.shape[last..].to_vec() })
    }

    /// What the last axis of a value becomes in a node that gives it another shape; none where other axes change, too.
    fn folds(&self, of: NodeId, by: NodeId) -> Option<Vec<Axis>> {
        let (from, to) = (&self.graph.node(of).shape, self.graph.node(by));
        let others = from.len().checked_sub(1)?;
        let same = |(a, b): (&Axis, &Axis)| a.size == b.size;
        let fits = matches!(to.op, Op::Reshape) && to.rank() > others && from[..others].iter().zip(&to.shape).all(same);
        fits.then(|| to.shape[others..].to_vec())
    }

    /// The graph with all parts taken apart, where what is wanted is found in it, and where each part is.
    fn taken_apart(&self, wanted: &[NodeId]) -> (Graph, Vec<NodeId>, BTreeMap<NodeId, NodeId>) {
        let mut kept = self.graph.clone();
        kept.outputs =
            wanted.iter().map(|node| Output { name: "wanted".into(), kind: OutputKind::Output, node: *node }).collect();
        let mut made = BTreeMap::new();
        let new = rebuild(&kept, Graph::clone, |r, id| match self.parts.get(&id) {
            Some(part) => {
                let axis = self.graph.node(part.row).rank() - 1;
                let at = self.split(r, part.row, axis, part);
                let (new, old) = (r.new.node(at.node).clone(), self.graph.node(id));
                if at.subscripts.iter().copied().eq(0..new.rank()) {
                    // It is called, and stands, as what it takes the place of.
                    *r.new.node_mut(at.node) = Node { op: new.op, inner: new.inner, ..old.clone() };
                }
                made.insert(id, at.node);
                at
            }
            None => r.keep(id),
        });
        let places = new.outputs.iter().map(|o| o.node).collect();
        (new, places, made)
    }

    /// A value with a part's columns, behind its other axes, in the place of this axis.
    fn split(&self, r: &mut Rebuild, id: NodeId, axis: usize, part: &Part) -> Operand {
        let (node, columns) = (self.graph.node(id), part.columns.len());
        if self.is_early(id) {
            return self.stays(r, id, part);
        }
        let rank = node.rank();
        // Where the loops are; that of the axis is in several places, the first of them is given.
        let place: Vec<usize> = (0..rank + node.inner.len())
            .map(|l| match l {
                l if l == axis => rank - 1,
                l if l < axis => l,
                l if l < rank => l - 1,
                l => l - 1 + columns,
            })
            .collect();
        let mut operands = Vec::new();
        for o in self.graph.operands(id) {
            let Some(at) = o.subscripts.iter().position(|s| *s == axis) else {
                operands.push(compose(&r.operand(o), &place));
                continue;
            };
            let made = self.split(r, o.node, at, part);
            let others = o.subscripts.iter().filter(|s| **s != axis).map(|s| place[*s]);
            let loops: Vec<usize> = others.chain(rank - 1..rank - 1 + columns).collect();
            operands.push(compose(&made, &loops));
        }
        let mut shape = node.shape.clone();
        shape.remove(axis);
        shape.extend(part.columns.iter().cloned());
        let made = Node { shape, name: None, ..node.clone() };
        if matches!(node.op, Op::Map(_)) { r.add(made, operands) } else { r.product(made, operands) }
    }

    /// The same of what stays as it lies: a stretch of it, in another shape.
    fn stays(&self, r: &mut Rebuild, id: NodeId, part: &Part) -> Operand {
        let node = self.graph.node(id);
        let others = node.rank() - 1;
        let like = |op: Op, last: &[Axis]| {
            let shape = node.shape[..others].iter().chain(last).cloned().collect();
            Node { op, shape, inner: Vec::new(), ..node.clone() }
        };
        let mut at = r.whole(id);
        for s in &part.stretches {
            let picks = (0..others).map(Pick::Loop).chain([Pick::Operand(1)]).collect();
            let index = r.operand(&Operand::new(s.index, s.subscripts.iter().map(|l| others + l).collect()));
            let gather = like(Op::Gather { picks, fill: None }, &s.axes);
            at = r.add(gather, vec![Operand::new(at, vec![]), index]).node;
        }
        if part.folded {
            at = r.add(like(Op::Reshape, &part.columns), vec![Operand::new(at, vec![])]).node;
        }
        Operand::new(at, (0..others + part.columns.len()).collect())
    }
}

#[cfg(test)]
mod tests;
