//! Where a graph repeats itself.
//!
//! The nodes that read others stand in a row, in the order in which they were made, so rounds of a loop follow each other. Nodes that would
//! be equal if they read the same are of one kind; where the kinds repeat, the period is the distance to the last place that looked
//! the same for a while. How long a while must be nobody knows, so several are tried, the longest first: it finds the outermost loop.
//! All of this is linear in the number of nodes.

use crate::ir::{DType, Graph, NodeId, Op, Operand, Size, Under};
use crate::opt::cse::{sizes, spelled};
use std::collections::HashMap;

/// How many nodes in a row are compared to find a period.
const WINDOWS: [usize; 4] = [4096, 512, 64, 8];

/// Rounds fewer than these stay written out.
pub const FEW: usize = 8;

/// The nodes that read others, in order.
pub struct Sequence<'g> {
    pub graph: &'g Graph,
    pub ids: Vec<NodeId>,
    places: Vec<Option<usize>>,
    /// Nodes of one kind do the same with what they read.
    kinds: Vec<usize>,
}

/// Places whose kinds repeat.
#[derive(Clone, Copy, PartialEq)]
pub struct Candidate {
    pub from: usize,
    pub to: usize,
    pub period: usize,
}

/// What an operand is for the kind of a node.
#[derive(PartialEq, Eq, Hash)]
enum Reads {
    /// A number: which, may change from round to round.
    Number(DType),
    /// What depends on no other node is the same in all rounds.
    Leaf(NodeId),
    Value,
}

#[derive(PartialEq, Eq, Hash)]
struct Kind {
    op: String,
    dtype: DType,
    shape: Vec<Size>,
    inner: Vec<Size>,
    operands: Vec<(Reads, Vec<usize>)>,
    /// What is pinned in one round is pinned in all.
    under: Under,
    /// A node that is like no other.
    only: Option<NodeId>,
}

impl<'g> Sequence<'g> {
    pub fn new(graph: &'g Graph) -> Sequence<'g> {
        let ids: Vec<NodeId> = graph.ids().filter(|id| !graph.operands(*id).is_empty()).collect();
        let mut places = vec![None; graph.len()];
        ids.iter().enumerate().for_each(|(at, id)| places[id.index()] = Some(at));
        let mut known: HashMap<Kind, usize> = HashMap::new();
        let mut kinds = Vec::with_capacity(ids.len());
        for id in &ids {
            let next = known.len();
            kinds.push(*known.entry(kind(graph, *id)).or_insert(next));
        }
        Sequence { graph, ids, places, kinds }
    }

    /// The place of a node that reads others.
    pub fn place(&self, id: NodeId) -> Option<usize> {
        self.places[id.index()]
    }

    pub fn operands(&self, at: usize) -> &[Operand] {
        self.graph.operands(self.ids[at])
    }

    /// Where kinds repeat for so many nodes, those of the outermost loops first.
    pub fn candidates(&self, large: usize) -> Vec<Candidate> {
        let mut out: Vec<Candidate> = vec![];
        for window in WINDOWS {
            // Places come in order: what was widened already is not widened again, so all of it is linear.
            let mut last = Candidate { from: 0, to: 0, period: 0 };
            for c in repeats(&self.kinds, window) {
                if c.to - c.from < 2 * c.period + window || c.period == last.period && c.to <= last.to {
                    continue;
                }
                let (from, to) = self.widened(c.from, c.to, c.period);
                last = Candidate { from, to, period: c.period };
                if to - from >= large.max(FEW * c.period) && !out.contains(&last) {
                    out.push(last);
                }
            }
        }
        out
    }

    /// As far as the kinds repeat with this period.
    fn widened(&self, mut from: usize, mut to: usize, period: usize) -> (usize, usize) {
        while from > 0 && self.kinds[from - 1] == self.kinds[from - 1 + period] {
            from -= 1;
        }
        while to < self.kinds.len() && self.kinds[to] == self.kinds[to - period] {
            to += 1;
        }
        (from, to)
    }
}

/// Places `from..to` that repeat with a period, as seen through a window.
fn repeats(kinds: &[usize], window: usize) -> Vec<Candidate> {
    let mut out = vec![];
    if kinds.len() < 2 * window {
        return out;
    }
    // A hash that rolls: any odd number with many bits. Two windows that share one are compared later, node by node.
    const BASE: u64 = 0x9e37_79b9_7f4a_7c15;
    let word = |k: usize| (k as u64 + 1).wrapping_mul(0xd6e8_feb8_6659_fd93);
    let top = (1..window).fold(1u64, |x, _| x.wrapping_mul(BASE));
    let mut hash = kinds[..window].iter().fold(0u64, |h, k| h.wrapping_mul(BASE).wrapping_add(word(*k)));
    let mut last: HashMap<u64, usize> = HashMap::with_capacity(kinds.len());
    let (mut since, mut period) = (0, None);
    for at in 0..=kinds.len() - window {
        if at > 0 {
            hash = hash.wrapping_sub(word(kinds[at - 1]).wrapping_mul(top));
            hash = hash.wrapping_mul(BASE).wrapping_add(word(kinds[at + window - 1]));
        }
        let distance = last.insert(hash, at).map(|before| at - before);
        if distance != period {
            out.extend(period.map(|period| Candidate { from: since - period, to: at - 1 + window, period }));
            (since, period) = (at, distance);
        }
    }
    out.extend(period.map(|period| Candidate { from: since - period, to: kinds.len(), period }));
    out
}

fn kind(graph: &Graph, id: NodeId) -> Kind {
    let node = graph.node(id);
    let reads = |o: &Operand| {
        let reads = if matches!(graph.node(o.node).op, Op::Const(_)) {
            Reads::Number(graph.node(o.node).dtype)
        } else if graph.operands(o.node).is_empty() {
            Reads::Leaf(o.node)
        } else {
            Reads::Value
        };
        (reads, o.subscripts.clone())
    };
    let only = is_only(&node.op) || node.writes.is_some();
    Kind {
        op: if only { String::new() } else { spelled(&node.op) },
        dtype: node.dtype,
        shape: sizes(&node.shape),
        inner: sizes(&node.inner),
        operands: graph.operands(id).iter().map(reads).collect(),
        under: node.under.clone(),
        only: only.then_some(id),
    }
}

/// What is like no other, besides what a relation makes of a parameter: draws, which have a key each; demands, which say of each round what is wrong with it; and loops, which are
/// no values that a round could hand on.
fn is_only(op: &Op) -> bool {
    match op {
        Op::Random { .. } | Op::Inside(_) | Op::Loop(_) | Op::Result(_) => true,
        Op::Source { .. } | Op::Const(_) | Op::Iota | Op::Extent(_) | Op::Map(_) | Op::Fold(_) | Op::Contract => false,
        Op::Gather { .. } | Op::Scatter { .. } | Op::Concat { .. } | Op::Reshape => false,
        Op::Order { .. } | Op::Scan { .. } | Op::Assign | Op::Arg(_) => false,
    }
}
