//! A product some of whose factors are rows of a table: what can be summed of these alone is.
//!
//! `sum(i, z) x[b, i] * code[task[b], z] * head[z, i, o]` is `sum(i) x[b, i] * w[task[b], i, o]` with `w[k, i, o] = sum(z) code[k, z] * head[z, i, o]`.
//! What needs no more than the rows, and no index of those who ask, goes with the rows where it shares a sum with them.

use super::{Loops, Rows, Work, distinct};
use crate::ir::{Node, NodeId, Op, Operand, Pick};
use std::collections::{BTreeMap, BTreeSet};

impl Work<'_> {
    /// The node of a product a part of which is computed by rows; none where no part has a sum of its own.
    pub(super) fn parted(&mut self, id: NodeId) -> Option<NodeId> {
        let (node, operands) = (self.old.node(id), self.old.operands(id));
        // Whether it is worth it a price says, and who asks for the rows that are asked for knows none.
        if self.rows == Rows::Asked || !matches!(node.op, Op::Contract) || self.old.is_guarded(id) {
            return None;
        }
        // The rows that the first factor of this kind reads, and all factors that read them at the same loops. What was summed already stays whole.
        let by = |n: usize| self.by[operands[n].node.index()].as_ref();
        let at_of = |n: usize| by(n).map(|k| k.at.iter().map(|d| operands[n].subscripts[*d]).collect::<Vec<_>>());
        let first = (0..operands.len()).find(|n| by(*n).is_some_and(|k| !k.summed))?;
        let (asked, at) = (by(first)?.asked, at_of(first)?);
        let free = |n: usize| -> Vec<usize> {
            let whole = operands[n].subscripts.iter().enumerate();
            whole.filter(|(d, _)| !by(n).is_some_and(|k| k.at.contains(d))).map(|(_, l)| *l).collect()
        };
        let loops = Loops { gone: at.clone() };
        let same = |n: usize| {
            by(n).is_some_and(|k| !k.summed && k.asked == asked) && at_of(n).as_ref() == Some(&at) && !loops.has(&free(n))
        };
        if !distinct(&at) || !same(first) {
            return None;
        }
        let mut inside: BTreeSet<usize> = (0..operands.len()).filter(|n| same(*n)).collect();
        loop {
            let sums: BTreeSet<usize> = inside.iter().flat_map(|n| free(*n)).filter(|l| *l >= node.rank()).collect();
            let joins =
                |n: &usize| by(*n).is_none() && !loops.has(&operands[*n].subscripts) && free(*n).iter().any(|l| sums.contains(l));
            let more: Vec<usize> = (0..operands.len()).filter(|n| !inside.contains(n)).filter(joins).collect();
            if more.is_empty() {
                break;
            }
            inside.extend(more);
        }
        let parts =
            if self.rows == Rows::Apart { components(&inside, node.rank(), &|n| by(n).is_some(), &free) } else { vec![inside] };
        let mut own = vec![];
        for part in parts {
            let read: BTreeSet<usize> = part.iter().flat_map(|n| free(*n)).collect();
            let outside: BTreeSet<usize> =
                (0..operands.len()).filter(|n| !part.contains(n)).flat_map(|n| operands[n].subscripts.clone()).collect();
            let (summed, kept): (Vec<usize>, Vec<usize>) =
                read.into_iter().partition(|l| *l >= node.rank() && !outside.contains(l));
            // For each row, what is summed of it.
            let place: BTreeMap<usize, usize> = kept.iter().chain(&summed).enumerate().map(|(k, l)| (*l, 1 + k)).collect();
            let factor = |n: &usize| {
                let subscripts = free(*n).iter().map(|l| place[l]).collect::<Vec<_>>();
                match by(*n) {
                    Some(known) => Operand::new(known.node, [0].into_iter().chain(subscripts).collect()),
                    None => Operand::new(self.places[operands[*n].node.index()], subscripts),
                }
            };
            let factors: Vec<Operand> = part.iter().map(factor).collect();
            // What has no sum of its own is read as it is.
            if !summed.is_empty() {
                own.push(Part { members: part, summed, kept, factors });
            }
        }
        if own.is_empty() { None } else { self.product_of(id, asked, &at, own) }
    }

    /// The product, where these parts of it are known by rows, which are asked for at loops `at`.
    fn product_of(&mut self, id: NodeId, asked: usize, at: &[usize], parts: Vec<Part>) -> Option<NodeId> {
        let (node, operands) = (self.old.node(id), self.old.operands(id));
        let axis = |l: usize| node.shape.iter().chain(&node.inner).nth(l).cloned();
        // The loops that are left.
        let summed: BTreeSet<usize> = parts.iter().flat_map(|p| p.summed.iter().copied()).collect();
        let left: Vec<usize> = (0..node.rank() + node.inner.len()).filter(|l| !summed.contains(l)).collect();
        let place: BTreeMap<usize, usize> = left.iter().enumerate().map(|(k, l)| (*l, k)).collect();
        let through = |subscripts: &[usize]| subscripts.iter().map(|l| place[l]).collect::<Vec<_>>();
        let mut operands_left = vec![];
        for n in (0..operands.len()).filter(|n| !parts.iter().any(|p| p.members.contains(n))) {
            operands_left.push(Operand::new(self.read(operands[n].node), through(&operands[n].subscripts)));
        }
        for Part { summed, kept, factors, .. } in parts {
            let table = self.asked[asked].axis.clone();
            let kept_axes: Vec<_> = kept.iter().map(|l| axis(*l)).collect::<Option<_>>()?;
            let shape = [table].into_iter().chain(kept_axes.iter().cloned()).collect();
            let inner = summed.iter().map(|l| axis(*l)).collect::<Option<_>>()?;
            let made = self.new.add(Node { shape, inner, name: None, ..node.clone() }, factors);
            // For each who asks, its row.
            let asking: Vec<_> = at.iter().map(|l| axis(*l)).collect::<Option<_>>()?;
            let picks = [Pick::Operand(1)].into_iter().chain((0..kept.len()).map(|k| Pick::Loop(at.len() + k))).collect();
            let shape = asking.into_iter().chain(kept_axes).collect();
            let gather = Node { op: Op::Gather { picks, fill: None }, shape, inner: vec![], name: None, ..node.clone() };
            let rows = self.picked(gather, asked, made, (0..at.len()).collect());
            let picked: Vec<usize> = at.iter().chain(&kept).copied().collect();
            operands_left.push(Operand::new(rows, through(&picked)));
        }
        let inner = left.iter().filter(|l| **l >= node.rank()).map(|l| axis(*l)).collect::<Option<_>>()?;
        self.parted.push((id, self.asked[asked].gather));
        Some(self.new.add(Node { inner, ..node.clone() }, operands_left))
    }
}

/// Factors that are summed by rows, as factors of the sum.
struct Part {
    members: BTreeSet<usize>,
    summed: Vec<usize>,
    /// Loops that it still has besides the rows.
    kept: Vec<usize>,
    factors: Vec<Operand>,
}

/// The factors taken apart: those stay together that share a sum which one that is known by rows has. So two factors of low rank, each of them
/// written from the row, meet in the product, and not as the matrix that both make.
fn components(
    inside: &BTreeSet<usize>,
    rank: usize,
    by_row: &dyn Fn(usize) -> bool,
    free: &dyn Fn(usize) -> Vec<usize>,
) -> Vec<BTreeSet<usize>> {
    let sums = |n: usize| free(n).into_iter().filter(|l| *l >= rank).collect::<BTreeSet<_>>();
    let own: BTreeSet<usize> = inside.iter().filter(|n| by_row(**n)).flat_map(|n| sums(*n)).collect();
    let mut out: Vec<(BTreeSet<usize>, BTreeSet<usize>)> = vec![];
    // First those that have such a sum; what only meets others goes where it meets one first.
    let (first, later): (Vec<usize>, Vec<usize>) = inside.iter().partition(|n| !sums(**n).is_disjoint(&own));
    for n in first {
        let mut loops: BTreeSet<usize> = sums(n).intersection(&own).copied().collect();
        let mut members = BTreeSet::from([n]);
        let (joined, rest): (Vec<_>, Vec<_>) = out.into_iter().partition(|(_, known)| !known.is_disjoint(&loops));
        for (more, known) in joined {
            members.extend(more);
            loops.extend(known);
        }
        out = rest;
        out.push((members, loops));
    }
    let mut parts: Vec<BTreeSet<usize>> = out.into_iter().map(|(members, _)| members).collect();
    for n in later {
        let meets = |part: &BTreeSet<usize>| part.iter().any(|m| !sums(*m).is_disjoint(&sums(n)));
        match parts.iter().position(meets) {
            Some(k) => drop(parts[k].insert(n)),
            None => parts.push(BTreeSet::from([n])),
        }
    }
    parts
}
