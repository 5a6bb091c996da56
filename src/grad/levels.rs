//! graph → graph: long loops in two levels, so that a derivative fits into memory.
//!
//! The adjoint of a loop wants what every round was handed ([`super::rounds`]): `T` values of what the loop carries. It yields parts of the
//! adjoints of what the loop captures ([`super::parts`]), too: `T` of those. As a loop of stretches of `k` rounds each it wants what every
//! *stretch* was handed, and the rounds of one stretch at a time, `T / k + k` values; for that the rounds run once more. With `k` near the root
//! of `T` this is the least (Griewank and Walther, "Evaluating Derivatives", 2008, ch. 12: checkpoints in two levels). Rounds that make no whole
//! stretch are a loop of their own behind the others. A loop in the rounds of another keeps what one of its runs wants.
//!
//! In: a graph that nothing was derived from, how long axes are as far as it is known, and how many bytes the loops may keep. Out: a graph of the
//! same meaning to the bit, where the old nodes are, and what the loops keep. Loops that may end early (`until`) count with all their rounds,
//! and are not taken apart. *Not looked at:* loops whose length or carries have a size that is not known.

use super::{active, cut::cut, parts};
use crate::ir::{Body, Graph, NodeId, Op, Origin, Size};
use crate::source::Span;
use std::collections::BTreeMap;

/// How long an axis is, where it is known.
pub type Length<'a> = &'a dyn Fn(&Size) -> Option<i64>;

/// What the loops of a graph keep for their derivatives.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// In bytes.
    pub bytes: u64,
    /// Bytes of these that are parts of adjoints, so that whoever makes them may take so much room.
    pub parts: u64,
    /// Where the loop stands that keeps most, and how much.
    pub most: Option<(Span, u64)>,
}

/// Which loops of a graph are taken apart.
pub type Stretches = BTreeMap<NodeId, Stretch>;

/// What becomes of a loop.
#[derive(Clone, Debug, Default)]
pub struct Stretch {
    /// Rounds of a stretch; none: it is one loop.
    pub rounds: Option<i64>,
    /// The loops in its rounds that are taken apart.
    pub within: Stretches,
}

/// A loop, and what its adjoint wants kept.
struct Long {
    id: NodeId,
    span: Span,
    /// The loop in whose rounds it is.
    parent: Option<usize>,
    rounds: u64,
    /// Bytes that it carries into a round.
    round: u64,
    /// Bytes of parts of adjoints that a round yields.
    parts: u64,
    /// Rounds of a stretch; 0: it is one loop.
    stretch: u64,
    /// Whether it may be taken apart.
    divides: bool,
}

impl Long {
    fn parts(&self) -> u64 {
        let near = if self.stretch == 0 { self.rounds } else { self.stretch };
        near.saturating_mul(self.parts)
    }

    fn bytes(&self) -> u64 {
        let values = match self.stretch {
            0 => self.rounds,
            k => self.rounds / k + k,
        };
        values.saturating_mul(self.round).saturating_add(self.parts())
    }
}

/// Takes loops apart, those first that keep most, until all of them keep no more than `memory` bytes or none is left.
pub fn in_two_levels(graph: &Graph, length: Length, memory: u64) -> (Graph, Vec<NodeId>, Kept) {
    let learned = |id: &NodeId| matches!(graph.node(*id).op, Op::Source { origin, .. } if origin != Origin::Input);
    let by: Vec<NodeId> = graph.ids().filter(learned).collect();
    let mut loops = vec![];
    found(graph, &active::from(graph, &by), length, None, &mut loops);
    let sum = |loops: &[Long], f: fn(&Long) -> u64| loops.iter().map(f).fold(0, u64::saturating_add);
    let mut order: Vec<usize> = (0..loops.len()).filter(|n| loops[*n].divides && loops[*n].rounds >= 4).collect();
    order.sort_by_key(|n| std::cmp::Reverse(loops[*n].bytes()));
    let mut bytes = sum(&loops, Long::bytes);
    for n in order {
        if bytes <= memory {
            break;
        }
        loops[n].stretch = stretch(loops[n].rounds);
        bytes = sum(&loops, Long::bytes);
    }
    let most = loops.iter().max_by_key(|l| l.bytes()).map(|l| (l.span, l.bytes()));
    let kept = Kept { bytes, parts: sum(&loops, Long::parts), most };
    let (new, places) = cut(graph, &stretches(&loops, None), length);
    (new, places, kept)
}

/// The loops of a graph whose lengths are known, each before those in its rounds.
fn found(graph: &Graph, active: &[bool], length: Length, parent: Option<usize>, out: &mut Vec<Long>) {
    for id in graph.ids() {
        let Op::Loop(body) = &graph.node(id).op else { continue };
        let Some((rounds, round)) = carried(graph, id, body, length) else { continue };
        let given: Vec<bool> = graph.operands(id).iter().map(|o| active[o.node.index()]).collect();
        let wanted = active::results(body, &given).1;
        let parts = parts::of_round(body, &wanted, length).into_iter().fold(0, u64::saturating_add).saturating_mul(4);
        let divides = !body.stop && body.carries > 0;
        let place = out.len();
        out.push(Long { id, span: graph.node(id).span, parent, rounds, round, parts, stretch: 0, divides });
        let by: Vec<NodeId> = parts::arguments(body, &wanted).map(|(id, _)| id).collect();
        found(&body.graph, &active::from(&body.graph, &by), length, Some(place), out);
    }
}

/// The rounds of a loop, and the bytes that it carries into each.
fn carried(graph: &Graph, id: NodeId, body: &Body, length: Length) -> Option<(u64, u64)> {
    let rounds = u64::try_from(length(&body.trips)?).ok()?;
    let mut carried = graph.operands(id)[..body.carries].iter().map(|o| {
        let mut sizes = graph.node(o.node).shape.iter().map(|a| length(&a.size).and_then(|n| u64::try_from(n).ok()));
        sizes.try_fold(4u64, |n, size| Some(n.saturating_mul(size?)))
    });
    Some((rounds, carried.try_fold(0u64, |n, bytes| Some(n.saturating_add(bytes?)))?))
}

/// The loops that are taken apart in the rounds of one, or in the graph.
fn stretches(loops: &[Long], parent: Option<usize>) -> Stretches {
    let of = |(n, l): (usize, &Long)| {
        let within = stretches(loops, Some(n));
        let rounds = (l.stretch > 0).then_some(l.stretch as i64);
        (rounds.is_some() || !within.is_empty()).then_some((l.id, Stretch { rounds, within }))
    };
    loops.iter().enumerate().filter(|(_, l)| l.parent == parent).filter_map(of).collect()
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

    /// Three rounds of a thousand, with a weight whose gradient has two factors of 8 numbers in a round.
    #[test]
    fn loops_in_rounds_and_parts_of_adjoints_count() {
        let text = "\
%0 x: f32[i=8] = input \"x\"
%1 w: f32[i=8, j=8] = param \"w\"
%2: f32 = loop 3 carry 1 yield 0 %0, %1 {
  %0 h: f32[i=8] = arg 1
  %1 w: f32[i=8, j=8] = arg 2
  %2: f32 = loop 1000 carry 1 yield 0 %0, %1 {
    %0 h: f32[i=8] = arg 1
    %1 w: f32[i=8, j=8] = arg 2
    %2: f32[j=8] = sum(i=8) %0[i] * %1[i, j]
    output r0 = %2
  }
  %3: f32[i=8] = result 0 %2
  output r0 = %3
}
%3: f32[i=8] = result 0 %2
output y = %3
";
        let Ok(graph) = read(text) else { panic!("{:?}", read(text).err()) };
        let length = |size: &Size| size.eval(&|_| None);
        // The outer loop: what it carries, and the sum of a weight's gradient.
        let outer = 3 * (32 + 256);
        let (_, _, kept) = in_two_levels(&graph, &length, 1 << 30);
        assert_eq!((kept.bytes, kept.parts), (outer + 1000 * (32 + 64), 3 * 256 + 1000 * 64));
        let (cut, _, kept) = in_two_levels(&graph, &length, 1 << 14);
        verify(&cut).unwrap();
        assert_eq!(kept.bytes, outer + 65 * 32 + 25 * 64);
        let loops = |g: &Graph| g.ids().filter(|id| matches!(g.node(*id).op, Op::Loop(_))).count();
        let Op::Loop(body) = &cut.node(cut.ids().nth(2).unwrap()).op else { panic!("{cut:?}") };
        assert_eq!((loops(&cut), loops(&body.graph)), (1, 1));
        let inner = body.graph.ids().find_map(|id| if let Op::Loop(b) = &body.graph.node(id).op { Some(b) } else { None });
        assert_eq!(inner.map(|b| (b.trips.constant(), loops(&b.graph))), Some((Some(40), 1)));
    }
}
