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
        let read: BTreeSet<usize> = inside.iter().flat_map(|n| free(*n)).collect();
        let outside: BTreeSet<usize> =
            (0..operands.len()).filter(|n| !inside.contains(n)).flat_map(|n| operands[n].subscripts.clone()).collect();
        let (summed, kept): (Vec<usize>, Vec<usize>) = read.into_iter().partition(|l| *l >= node.rank() && !outside.contains(l));
        // What has no sum of its own is read as it is.
        if summed.is_empty() {
            return None;
        }
        let axis = |l: usize| node.shape.iter().chain(&node.inner).nth(l).cloned();
        // For each row, what is summed of it.
        let own: BTreeMap<usize, usize> = kept.iter().chain(&summed).enumerate().map(|(k, l)| (*l, 1 + k)).collect();
        let mut factors = vec![];
        for n in &inside {
            let subscripts = free(*n).iter().map(|l| own[l]).collect::<Vec<_>>();
            factors.push(match by(*n) {
                Some(known) => Operand::new(known.node, [0].into_iter().chain(subscripts).collect()),
                None => Operand::new(self.places[operands[*n].node.index()], subscripts),
            });
        }
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
        // And the rest of the product, over the loops that are left.
        let left: Vec<usize> = (0..node.rank() + node.inner.len()).filter(|l| !summed.contains(l)).collect();
        let place: BTreeMap<usize, usize> = left.iter().enumerate().map(|(k, l)| (*l, k)).collect();
        let through = |subscripts: &[usize]| subscripts.iter().map(|l| place[l]).collect::<Vec<_>>();
        let picked: Vec<usize> = at.iter().chain(&kept).copied().collect();
        let mut operands_left = vec![];
        for n in (0..operands.len()).filter(|n| !inside.contains(n)) {
            operands_left.push(Operand::new(self.read(operands[n].node), through(&operands[n].subscripts)));
        }
        operands_left.push(Operand::new(rows, through(&picked)));
        let inner = left.iter().filter(|l| **l >= node.rank()).map(|l| axis(*l)).collect::<Option<_>>()?;
        self.parted.push((id, self.asked[asked].gather));
        Some(self.new.add(Node { inner, ..node.clone() }, operands_left))
    }
}
