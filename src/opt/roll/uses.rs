//! What is read of rounds behind them: what the last one leaves, what all of them yield, and what a single one has.

use super::find::Sequence;
use super::rounds::Run;
use crate::ir::{Graph, Map, NodeId, Op};
use std::collections::{BTreeMap, BTreeSet};

/// What is read of a loop.
#[derive(Clone, Default)]
pub struct Uses {
    /// Values of the last round.
    pub last: BTreeSet<usize>,
    /// Values of each round, in a stack.
    pub each: BTreeSet<usize>,
    /// Values of some round, by their places.
    pub single: BTreeSet<usize>,
    /// The stacks have the last round first.
    pub reverse: bool,
}

/// The parts of a `Concat` that are the rounds of a loop in order.
#[derive(Clone)]
pub struct Stack {
    /// The first of them.
    pub from: usize,
    pub run: usize,
    pub offset: usize,
    /// The dimension of a part along which they are joined.
    pub along: usize,
}

/// One part of a `Concat` that is a value of a round.
#[derive(Clone, PartialEq)]
struct Part {
    run: usize,
    offset: usize,
    round: usize,
    along: usize,
    /// How the part is read, and how it reads.
    read: Vec<usize>,
    reads: Vec<usize>,
}

/// Which run a place is in.
pub fn run_at(runs: &[Run], place: Option<usize>) -> Option<usize> {
    let place = place?;
    let after = runs.partition_point(|r| r.start <= place);
    let run = after.checked_sub(1)?;
    (place < runs[run].end()).then_some(run)
}

/// What is read of all runs.
pub struct Read {
    pub uses: Vec<Uses>,
    pub stacks: BTreeMap<NodeId, Vec<Stack>>,
    /// Copies that stood for the rounds in stacks.
    pub gone: BTreeSet<NodeId>,
}

impl Read {
    pub fn of(s: &Sequence, runs: &[Run]) -> Read {
        let mut read = Read { uses: vec![Uses::default(); runs.len()], stacks: BTreeMap::new(), gone: BTreeSet::new() };
        for id in &s.ids {
            if matches!(s.graph.node(*id).op, Op::Concat { .. }) && run_at(runs, s.place(*id)).is_none() {
                read.stacked(s, runs, *id);
            }
        }
        let readers = s.ids.iter().filter(|id| !read.gone.contains(id));
        let mut found: Vec<(usize, usize)> = vec![];
        for id in readers {
            let own = run_at(runs, s.place(*id));
            for o in s.graph.operands(*id) {
                found.extend(run_at(runs, s.place(o.node)).filter(|r| own != Some(*r)).zip(s.place(o.node)));
            }
        }
        let named = s.graph.outputs.iter().map(|o| o.node).chain(s.graph.measured.iter().map(|(_, n)| *n));
        found.extend(named.filter_map(|n| run_at(runs, s.place(n)).zip(s.place(n))));
        for (run, place) in found {
            read.note(s, &runs[run], run, place);
        }
        // What a loop starts from may be of one before it.
        for (n, run) in runs.iter().enumerate().rev() {
            for (offset, ago) in run.slots(s, &read.uses[n].last) {
                let place = s.first(run, offset, ago).and_then(|id| s.place(id));
                if let Some((before, place)) = run_at(runs, place).zip(place) {
                    read.note(s, &runs[before], before, place);
                }
            }
        }
        read
    }

    fn note(&mut self, s: &Sequence, run: &Run, n: usize, place: usize) {
        let (round, offset) = run.round_of(place).expect("a place in the run");
        if round + 1 == run.rounds && s.first(run, offset, 1).is_some() {
            self.uses[n].last.insert(offset);
        } else {
            self.uses[n].each.insert(offset);
            self.uses[n].single.insert(place);
        }
    }

    /// Finds the rounds among the parts of a `Concat`.
    fn stacked(&mut self, s: &Sequence, runs: &[Run], id: NodeId) {
        let Op::Concat { axis } = s.graph.node(id).op else { return };
        let parts: Vec<Option<Part>> = (0..s.graph.operands(id).len()).map(|k| part(s, runs, id, axis, k)).collect();
        let mut from = 0;
        while from < parts.len() {
            let Some(first) = &parts[from] else {
                from += 1;
                continue;
            };
            let rounds = runs[first.run].rounds;
            let reverse = first.round != 0;
            let is = |k: usize| {
                let round = if reverse { rounds - 1 - k } else { k };
                parts.get(from + k).is_some_and(|p| p.as_ref() == Some(&Part { round, ..first.clone() }))
            };
            let uses = &mut self.uses[first.run];
            // A loop counts one way.
            let fits = uses.each.is_empty() || uses.reverse == reverse;
            if !fits || !(0..rounds).all(is) {
                from += 1;
                continue;
            }
            uses.reverse = reverse;
            uses.each.insert(first.offset);
            self.gone.extend(s.graph.operands(id)[from..from + rounds].iter().map(|o| o.node));
            let stack = Stack { from, run: first.run, offset: first.offset, along: first.along };
            self.stacks.entry(id).or_default().push(stack);
            from += rounds;
        }
    }
}

/// What part `k` of a `Concat` is, if it is a copy of a value of a round that nobody else reads.
fn part(s: &Sequence, runs: &[Run], id: NodeId, axis: usize, k: usize) -> Option<Part> {
    let graph: &Graph = s.graph;
    let operand = &graph.operands(id)[k];
    let copy = graph.node(operand.node);
    let others = graph.users(operand.node).len() > 1 || graph.outputs.iter().any(|o| o.node == operand.node);
    if !matches!(copy.op, Op::Map(Map::Copy)) || others || run_at(runs, s.place(operand.node)).is_some() {
        return None;
    }
    let source = &graph.operands(operand.node)[0];
    let run = run_at(runs, s.place(source.node))?;
    let (round, offset) = runs[run].round_of(s.place(source.node)?)?;
    let along = operand.subscripts.iter().position(|l| *l == axis)?;
    let one = copy.shape[along].size.is(1) && !source.subscripts.contains(&along);
    one.then(|| Part { run, offset, round, along, read: operand.subscripts.clone(), reads: source.subscripts.clone() })
}
