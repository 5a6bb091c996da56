//! Which rounds are alike, where one begins, and whether a loop of them pays.
//!
//! A round reads at a distance: so many nodes back, in all rounds alike. How many rounds that is hangs on where a round is said to begin, which
//! is free; it is where the fewest values go from one to the next.

use super::find::{Candidate, FEW, Sequence};
use crate::ir::{Node, NodeId, Op, Operand, Rate};
use std::collections::{BTreeMap, BTreeSet};

/// As many rounds back a round may read.
const BACK: usize = 8;

/// Rounds that are alike: so many nodes each, from a place on.
#[derive(Clone, Debug)]
pub struct Run {
    pub start: usize,
    pub period: usize,
    pub rounds: usize,
}

/// What an operand of a round is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reading {
    /// A number, which may be another one in each round.
    Number,
    /// What is there before all rounds.
    Before(NodeId),
    /// A node of a round, so many rounds ago.
    Round { offset: usize, ago: usize },
}

impl Run {
    pub fn end(&self) -> usize {
        self.start + self.period * self.rounds
    }

    /// The round and the number in it of a place.
    pub fn round_of(&self, at: usize) -> Option<(usize, usize)> {
        let from = at.checked_sub(self.start)?;
        (at < self.end()).then_some((from / self.period, from % self.period))
    }

    /// The place of a node of a round.
    pub fn at(&self, round: usize, offset: usize) -> usize {
        self.start + round * self.period + offset
    }

    /// What the loop carries: values by their numbers in the round, for each of so many rounds back. Those that are read of the `last`
    /// round are carried, too.
    pub fn slots(&self, s: &Sequence, last: &BTreeSet<usize>) -> Vec<(usize, usize)> {
        let mut carried: BTreeMap<usize, usize> = last.iter().map(|offset| (*offset, 1)).collect();
        for reading in (0..self.period).flat_map(|offset| self.readings(s, offset)) {
            if let Reading::Round { offset, ago: ago @ 1.. } = reading {
                let longest = carried.entry(offset).or_insert(0);
                *longest = ago.max(*longest);
            }
        }
        carried.iter().flat_map(|(offset, most)| (1..=*most).map(|ago| (*offset, ago))).collect()
    }

    /// The operands of a node of all rounds.
    pub fn readings(&self, s: &Sequence, offset: usize) -> Vec<Reading> {
        let last = self.rounds - 1;
        let one = |node: NodeId| {
            if matches!(s.graph.node(node).op, Op::Const(_)) {
                return Reading::Number;
            }
            match s.place(node).and_then(|at| self.round_of(at)) {
                Some((round, offset)) => Reading::Round { offset, ago: last - round },
                None => Reading::Before(node),
            }
        };
        s.operands(self.at(last, offset)).iter().map(|o| one(o.node)).collect()
    }
}

impl Sequence<'_> {
    /// The rounds among these places that are alike, if they are many.
    pub fn aligned(&self, c: &Candidate, large: usize) -> Option<Run> {
        let (from, to) = self.steady(c)?;
        // What all rounds share lies before them.
        let mut start = from;
        for at in from + c.period..to {
            for (o, before) in self.operands(at).iter().zip(self.operands(at - c.period)) {
                if let (Some(place), true) = (self.place(o.node), o.node == before.node) {
                    start = start.max(place + 1);
                }
            }
        }
        let run = |start: usize| Run { start, period: c.period, rounds: to.saturating_sub(start) / c.period };
        let enough = |r: &Run| r.rounds >= FEW && r.rounds * r.period >= large;
        if !enough(&run(start)) {
            return None;
        }
        let carried = self.carried(to, c.period);
        let best = (0..c.period).filter(|x| enough(&run(start + x))).min_by_key(|x| carried[(start + x) % c.period]);
        let mut best = run(start + best?);
        // What a round reads of the ones before it has one type, from the first on.
        while enough(&best) {
            if self.starts(&best) {
                return Some(best);
            }
            best = run(best.start + c.period);
        }
        None
    }

    /// The longest part of a candidate in which each node reads as the one a period before it does.
    fn steady(&self, c: &Candidate) -> Option<(usize, usize)> {
        let mut best = (0, 0);
        let mut since = c.from + c.period;
        let mut moves: Vec<u128> = vec![0; c.to - c.from];
        for at in c.from + c.period..c.to {
            let found = self.step(at, c.period);
            let before = (at >= since + c.period).then(|| moves[at - c.from - c.period]);
            if found.is_none() || before.is_some() && before != found {
                since = at + 1;
            }
            moves[at - c.from] = found.unwrap_or(0);
            if at + 1 - since > best.1 - best.0 {
                best = (since, at + 1);
            }
        }
        (best.1 > best.0).then(|| (best.0 - c.period, best.1))
    }

    /// Which operands of a node move on with it, if the others stay.
    fn step(&self, at: usize, period: usize) -> Option<u128> {
        let (now, before) = (self.operands(at), self.operands(at - period));
        if now.len() > 128 {
            return None;
        }
        let mut moves = 0;
        for (k, (a, b)) in now.iter().zip(before).enumerate() {
            match (self.place(a.node), self.place(b.node)) {
                (Some(x), Some(y)) if x == y + period => moves |= 1 << k,
                (Some(x), Some(y)) if x == y => {}
                (None, None) => {}
                _ => return None,
            }
        }
        Some(moves)
    }

    /// For each place where a round may begin, how many values go over it.
    fn carried(&self, to: usize, period: usize) -> Vec<usize> {
        let mut reach = vec![0; period];
        for at in to - period..to {
            for (o, before) in self.operands(at).iter().zip(self.operands(at - period)) {
                if let Some(place) = self.place(o.node).filter(|_| o.node != before.node) {
                    let longest = &mut reach[place % period];
                    *longest = (at - place).max(*longest);
                }
            }
        }
        let mut out = vec![0; period];
        let mut more = vec![0isize; 2 * period + 1];
        for (place, reach) in reach.iter().enumerate() {
            out.iter_mut().for_each(|n| *n += reach / period);
            more[place + 1] += 1;
            more[place + 1 + reach % period] -= 1;
        }
        let mut open = 0;
        for (place, n) in more.iter().enumerate() {
            open += n;
            out[place % period] += open.unsigned_abs();
        }
        out
    }

    /// Whether what the first rounds read of rounds before them is there, and of one type.
    fn starts(&self, run: &Run) -> bool {
        (0..run.period).all(|offset| {
            // What moves on from round to round moves within the rounds.
            let at = run.at(run.rounds - 1, offset);
            let within = |o: &Operand| self.place(o.node).is_some_and(|place| place >= run.start);
            let mut pairs = self.operands(at).iter().zip(self.operands(at - run.period));
            let moved = pairs.all(|(o, before)| o.node == before.node || self.place(o.node).is_none() || within(o));
            moved
                && run.readings(self, offset).into_iter().all(|r| match r {
                    Reading::Round { offset, ago } => ago <= BACK && (1..=ago).all(|k| self.first(run, offset, k).is_some()),
                    Reading::Number | Reading::Before(_) => true,
                })
        })
    }

    /// What a value was so many rounds before the first one, if it is of its type.
    pub fn first(&self, run: &Run, offset: usize, ago: usize) -> Option<NodeId> {
        let at = run.at(0, offset).checked_sub(ago * run.period)?;
        let (node, like) = (self.graph.node(self.ids[at]), self.graph.node(self.ids[run.at(0, offset)]));
        same_type(node, like).then(|| self.ids[at])
    }
}

fn same_type(a: &Node, b: &Node) -> bool {
    a.dtype == b.dtype && a.rank() == b.rank() && a.shape.iter().zip(&b.shape).all(|(a, b)| a.size == b.size)
}

/// Whether a run of the loop costs no more than one of what is written out: what is prepared before there are inputs, the parameters
/// of a layer among it, would be made again in every run.
pub fn pays(s: &Sequence, rates: &[Rate], run: &Run) -> bool {
    let rate = |offset: usize| rates[s.ids[run.at(1, offset)].index()];
    let all = (0..run.period).map(rate).max().unwrap_or(Rate::Constant);
    (0..run.period).all(|offset| {
        let node = s.graph.node(s.ids[run.at(1, offset)]);
        rate(offset) == all || node.inner.is_empty() && (node.rank() == 0 || is_light(&node.op))
    })
}

/// What costs little for each element.
fn is_light(op: &Op) -> bool {
    match op {
        Op::Map(_) | Op::Concat { .. } | Op::Reshape => true,
        Op::Source { .. } | Op::Const(_) | Op::Iota | Op::Extent(_) | Op::Random { .. } | Op::Fold(_) | Op::Contract => false,
        Op::Gather { .. } | Op::Scatter { .. } | Op::Inside(_) | Op::Order { .. } | Op::Scan { .. } => false,
        Op::Assign | Op::Loop(_) | Op::Result(_) | Op::Arg(_) => false,
    }
}
