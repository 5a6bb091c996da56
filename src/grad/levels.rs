//! graph → graph: long loops in two levels, so that a derivative fits into memory.
//!
//! The adjoint of a loop wants what every round was handed ([`super::rounds`]): `T` values of what the loop carries. As a loop of stretches of
//! `k` rounds each it wants what every *stretch* was handed, and the rounds of one stretch at a time, `T / k + k` values; for that the rounds run
//! once more. With `k` near the root of `T` this is the least (Griewank and Walther, "Evaluating Derivatives", 2008, ch. 12: checkpoints in two
//! levels). Rounds that make no whole stretch are a loop of their own behind the others.
//!
//! In: a graph that nothing was derived from, how long axes are as far as it is known, and how many bytes the loops may keep. Out: a graph of the
//! same meaning to the bit, where the old nodes are, and what the loops keep. *Not looked at:* loops that may end early (`until`), and those
//! whose length or carries have a size that is not known.

use super::cut::cut;
use crate::ir::{Graph, NodeId, Op, Size};
use crate::source::Span;

/// How long an axis is, where it is known.
pub type Length<'a> = &'a dyn Fn(&Size) -> Option<i64>;

/// What the loops of a graph keep for their derivatives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// In bytes.
    pub bytes: u64,
    /// Where the loop stands that keeps most, and how much.
    pub most: Option<(Span, u64)>,
}

/// A loop, and what its adjoint wants kept.
struct Long {
    id: NodeId,
    rounds: u64,
    /// Bytes that it carries into a round.
    round: u64,
    /// Rounds of a stretch; 0: it is one loop.
    stretch: u64,
}

impl Long {
    fn bytes(&self) -> u64 {
        let values = match self.stretch {
            0 => self.rounds,
            k => self.rounds / k + k,
        };
        values.saturating_mul(self.round)
    }
}

/// Takes loops apart, those first that keep most, until all of them keep no more than `memory` bytes or none is left.
pub fn in_two_levels(graph: &Graph, length: Length, memory: u64) -> (Graph, Vec<NodeId>, Kept) {
    let mut loops: Vec<Long> = graph.ids().filter_map(|id| long(graph, id, length)).collect();
    let total = |loops: &[Long]| loops.iter().map(Long::bytes).fold(0, u64::saturating_add);
    loops.sort_by_key(|l| std::cmp::Reverse(l.bytes()));
    for n in 0..loops.len() {
        if total(&loops) <= memory {
            break;
        }
        if loops[n].rounds >= 4 {
            loops[n].stretch = stretch(loops[n].rounds);
        }
    }
    let most = loops.iter().max_by_key(|l| l.bytes()).map(|l| (graph.node(l.id).span, l.bytes()));
    let kept = Kept { bytes: total(&loops), most };
    let stretches = loops.iter().filter(|l| l.stretch > 0).map(|l| (l.id, l.stretch as i64)).collect();
    let (new, places) = cut(graph, &stretches, length);
    (new, places, kept)
}

/// What is known of a loop, where it can be taken apart.
fn long(graph: &Graph, id: NodeId, length: Length) -> Option<Long> {
    let Op::Loop(body) = &graph.node(id).op else { return None };
    if body.stop || body.carries == 0 {
        return None;
    }
    let rounds = u64::try_from(length(&body.trips)?).ok()?;
    let mut carried = graph.operands(id)[..body.carries].iter().map(|o| {
        let mut sizes = graph.node(o.node).shape.iter().map(|a| length(&a.size).and_then(|n| u64::try_from(n).ok()));
        sizes.try_fold(4u64, |n, size| Some(n.saturating_mul(size?)))
    });
    let round = carried.try_fold(0u64, |n, bytes| Some(n.saturating_add(bytes?)))?;
    Some(Long { id, rounds, round, stretch: 0 })
}

/// About the root of a number of rounds; one that divides it, where there is one near.
fn stretch(rounds: u64) -> u64 {
    let root = rounds.isqrt().max(2);
    let near = (root * 2 / 3).max(2)..=root * 3 / 2;
    near.filter(|k| rounds.is_multiple_of(*k)).min_by_key(|k| k.abs_diff(root)).unwrap_or(root)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::read::read;
    use crate::ir::verify::verify;

    #[test]
    fn stretches_are_about_the_root() {
        for (rounds, k) in [(4, 2), (5, 2), (9, 3), (12, 3), (13, 3), (100, 10), (1000, 25), (997, 31), (512, 16)] {
            assert_eq!(stretch(rounds), k, "{rounds}");
        }
    }

    #[test]
    fn only_what_does_not_fit_is_cut() {
        let text = "\
%0 x: f32[i=8] = input \"x\"
%1: f32 = loop n carry 1 yield 0 %0 {
  %0 h: f32[i=8] = arg 1
  %1: f32[i=8] = tanh %0[i]
  output r0 = %1
}
%2: f32[i=8] = result 0 %1
output y = %2
";
        let Ok(graph) = read(text) else { panic!("{:?}", read(text).err()) };
        let length = |size: &Size| size.eval(&|_| Some(1000));
        let (same, _, kept) = in_two_levels(&graph, &length, 32_000);
        assert_eq!((kept.bytes, same.len()), (32_000, graph.len()));
        let (cut, places, kept) = in_two_levels(&graph, &length, 31_999);
        verify(&cut).unwrap();
        assert_eq!(kept.bytes, 32 * (40 + 25));
        assert_eq!(cut.outputs[0].node, places[graph.outputs[0].node.index()]);
    }
}
