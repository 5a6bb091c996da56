//! The graph with loops in the place of rounds.

use super::find::Sequence;
use super::numbers::{Count, number, picked, table};
use super::rounds::{Reading, Run};
use super::uses::{Read, Stack, run_at};
use crate::ir::{Axis, Body, DType, Graph, Node, NodeId, Op, Operand, Output, OutputKind, Size};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A loop that is made.
struct Made {
    node: NodeId,
    /// The results that values of the last round are, and those that are stacks.
    last: BTreeMap<usize, usize>,
    each: BTreeMap<usize, usize>,
}

struct Make<'s> {
    s: &'s Sequence<'s>,
    runs: &'s [Run],
    read: &'s Read,
    new: Graph,
    /// Where the old nodes are.
    moved: Vec<Option<NodeId>>,
    made: Vec<Option<Made>>,
    /// The stacks of values, by run and number in the round.
    stacks: HashMap<(usize, usize), NodeId>,
    large: usize,
}

/// The graph with loops for these runs; `None`: none of them makes it smaller.
pub fn loops(s: &Sequence, runs: Vec<Run>, large: usize) -> Option<Graph> {
    let read = Read::of(s, &runs);
    let smaller = |(n, run): (usize, &Run)| {
        let nodes = run.rounds * run.period;
        4 * read.uses[n].single.len() <= nodes && 4 * run.rounds * tables(s, run) <= nodes
    };
    let keep: Vec<bool> = runs.iter().enumerate().map(smaller).collect();
    if !keep.contains(&true) {
        return None;
    }
    let mut kept = keep.iter();
    let runs: Vec<Run> = runs.into_iter().filter(|_| *kept.next().unwrap_or(&false)).collect();
    let read = if keep.contains(&false) { Read::of(s, &runs) } else { read };
    let make = Make {
        s,
        runs: &runs,
        read: &read,
        new: s.graph.successor(),
        moved: vec![None; s.graph.len()],
        made: runs.iter().map(|_| None).collect(),
        stacks: HashMap::new(),
        large,
    };
    Some(make.all())
}

/// How many rows of numbers the rounds look up.
fn tables(s: &Sequence, run: &Run) -> usize {
    let mut rows = HashSet::new();
    for offset in 0..run.period {
        let readings = run.readings(s, offset);
        for k in (0..readings.len()).filter(|k| readings[*k] == Reading::Number) {
            let (values, dtype) = numbers(s, run, offset, k);
            if values.iter().any(|v| v.to_bits() != values[0].to_bits()) && Count::of(&values, dtype).is_none() {
                rows.insert((values.iter().map(|v| v.to_bits()).collect::<Vec<_>>(), dtype));
            }
        }
    }
    rows.len()
}

/// The numbers that operand `k` of a node is, round for round.
fn numbers(s: &Sequence, run: &Run, offset: usize, k: usize) -> (Vec<f64>, DType) {
    let of = |round: usize| s.graph.node(s.operands(run.at(round, offset))[k].node);
    let value = |round: usize| if let Op::Const(x) = of(round).op { x } else { f64::NAN };
    ((0..run.rounds).map(value).collect(), of(0).dtype)
}

impl Make<'_> {
    fn all(mut self) -> Graph {
        for id in self.s.ids.clone() {
            match run_at(self.runs, self.s.place(id)) {
                Some(n) if self.made[n].is_none() => self.looped(n),
                Some(_) => {}
                None if self.read.gone.contains(&id) => {}
                None => self.keep(id),
            }
        }
        for o in &self.s.graph.outputs {
            let node = self.value(o.node);
            self.new.outputs.push(Output { name: o.name.clone(), kind: o.kind, node });
        }
        for (sym, node) in &self.s.graph.measured {
            let node = self.value(*node);
            self.new.measured.push((sym.clone(), node));
        }
        self.new
    }

    /// Takes a node over that is in no round.
    fn keep(&mut self, id: NodeId) {
        let node = self.s.graph.node(id).clone();
        let operands = self.s.graph.operands(id);
        let stacks = self.read.stacks.get(&id).map_or(&[][..], |s| s.as_slice());
        let (mut parts, mut k) = (vec![], 0);
        while k < operands.len() {
            match stacks.iter().find(|s| s.from == k) {
                Some(stack) => {
                    parts.push(self.stacked(&operands[k], stack));
                    k += self.runs[stack.run].rounds;
                }
                None => {
                    parts.push(Operand::new(self.value(operands[k].node), operands[k].subscripts.clone()));
                    k += 1;
                }
            }
        }
        self.moved[id.index()] = Some(self.new.add(node, parts));
    }

    /// What all rounds yield, as one part of a `Concat` whose first part of it was this.
    fn stacked(&mut self, first: &Operand, stack: &Stack) -> Operand {
        let copy = self.s.graph.node(first.node);
        let source = &self.s.graph.operands(first.node)[0];
        let mut node = copy.clone();
        node.shape[stack.along].size = Size::from(self.runs[stack.run].rounds);
        let subscripts = std::iter::once(stack.along).chain(source.subscripts.iter().copied()).collect();
        let all = self.stack(stack.run, stack.offset);
        Operand::new(self.new.add(node, vec![Operand::new(all, subscripts)]), first.subscripts.clone())
    }

    /// Where the value of an old node is.
    fn value(&mut self, old: NodeId) -> NodeId {
        if let Some(new) = self.moved[old.index()] {
            return new;
        }
        let place = self.s.place(old);
        let new = match run_at(self.runs, place).zip(place) {
            Some((n, place)) => self.of_round(n, place),
            None => self.new.add(self.s.graph.node(old).clone(), vec![]),
        };
        self.moved[old.index()] = Some(new);
        new
    }

    /// A value of some round, behind the loop.
    fn of_round(&mut self, n: usize, place: usize) -> NodeId {
        let (round, offset) = self.runs[n].round_of(place).expect("a place in the run");
        let made = self.made[n].as_ref().expect("a loop stands before what reads it");
        if let (true, Some(k)) = (round + 1 == self.runs[n].rounds, made.last.get(&offset)) {
            let node = Node { op: Op::Result(*k), inner: vec![], ..self.s.graph.node(self.s.ids[place]).clone() };
            return self.new.add(node, vec![Operand::new(made.node, vec![])]);
        }
        let stack = self.stack(n, offset);
        let counted = self.counted(n, round) as f64;
        let number = number(&mut self.new, counted, DType::I32);
        let picked = picked(&mut self.new, stack, number);
        let old = self.s.graph.node(self.s.ids[place]);
        let node = self.new.node_mut(picked);
        *node = Node { op: node.op.clone(), inner: vec![], ..old.clone() };
        picked
    }

    /// The number that a loop has for a round: the last one is 0 where it counts down.
    fn counted(&self, n: usize, round: usize) -> usize {
        if self.read.uses[n].reverse { self.runs[n].rounds - 1 - round } else { round }
    }

    /// What each round has, in a stack.
    fn stack(&mut self, n: usize, offset: usize) -> NodeId {
        if let Some(stack) = self.stacks.get(&(n, offset)) {
            return *stack;
        }
        let made = self.made[n].as_ref().expect("a loop stands before what reads it");
        let old = self.s.graph.node(self.s.ids[self.runs[n].at(0, offset)]);
        let mut shape = old.shape.clone();
        shape.insert(0, Axis::new("round", self.runs[n].rounds));
        let node = Node { op: Op::Result(made.each[&offset]), inner: vec![], shape, name: None, ..old.clone() };
        let stack = self.new.add(node, vec![Operand::new(made.node, vec![])]);
        self.stacks.insert((n, offset), stack);
        stack
    }

    /// Puts a loop in the place of rounds.
    fn looped(&mut self, n: usize) {
        let (run, uses) = (&self.runs[n], &self.read.uses[n]);
        let readings: Vec<Vec<Reading>> = (0..run.period).map(|offset| run.readings(self.s, offset)).collect();
        let slots = run.slots(self.s, &uses.last);
        let mut body = Round::new(self, n, &slots);
        for (offset, readings) in readings.iter().enumerate() {
            body.add(offset, readings);
        }
        let Round { mut graph, args, values, captures, .. } = body;
        let next = |(offset, ago): &(usize, usize)| if *ago == 1 { values[*offset] } else { args[&(*offset, ago - 1)] };
        let outputs = slots.iter().map(next).chain(uses.each.iter().map(|offset| values[*offset]));
        let outputs: Vec<NodeId> = outputs.collect();
        for (k, node) in outputs.into_iter().enumerate() {
            graph.outputs.push(Output { name: format!("r{k}").into(), kind: OutputKind::Output, node });
        }
        let whole = |graph: &Graph, id: NodeId| Operand::new(id, (0..graph.node(id).rank()).collect());
        let mut operands = vec![];
        for (offset, ago) in &slots {
            let first = self.s.first(run, *offset, *ago).expect("rounds begin with something");
            let first = self.value(first);
            operands.push(whole(&self.new, first));
        }
        operands.extend(captures.iter().map(|id| whole(&self.new, *id)));
        let graph = super::rolled(&graph, self.large);
        let (carries, yields) = (slots.len(), uses.each.len());
        let body = Body { graph, trips: Size::from(run.rounds), reverse: uses.reverse, carries, yields, stop: false };
        let first = self.s.graph.node(self.s.ids[run.start]);
        let node = Node { name: None, writes: None, ..first.clone() };
        let node = Node { op: Op::Loop(Box::new(body)), dtype: DType::F32, shape: vec![], inner: vec![], ..node };
        let node = self.new.add(node, operands);
        let last = slots.iter().enumerate().filter(|(_, (_, ago))| *ago == 1).map(|(k, (offset, _))| (*offset, k));
        let last = last.filter(|(offset, _)| uses.last.contains(offset)).collect();
        let each = uses.each.iter().enumerate().map(|(k, offset)| (*offset, carries + k)).collect();
        self.made[n] = Some(Made { node, last, each });
    }
}

/// One round as the body of a loop.
struct Round<'m, 's> {
    make: &'m mut Make<'s>,
    n: usize,
    graph: Graph,
    counter: NodeId,
    carries: usize,
    /// What rounds before have left, by the number in the round and how many rounds ago.
    args: HashMap<(usize, usize), NodeId>,
    /// The nodes of the round.
    values: Vec<NodeId>,
    /// Nodes around the loop that are read, and the arguments for them.
    captures: Vec<NodeId>,
    captured: HashMap<NodeId, NodeId>,
    leaves: HashMap<NodeId, NodeId>,
    /// What counts, and what is looked up, by its values.
    numbers: HashMap<(Vec<u64>, DType), NodeId>,
}

impl<'m, 's> Round<'m, 's> {
    fn new(make: &'m mut Make<'s>, n: usize, slots: &[(usize, usize)]) -> Round<'m, 's> {
        let mut graph = Graph::default();
        let counter = graph.add(Node::new(Op::Arg(0), DType::I32, vec![]), vec![]);
        let mut args = HashMap::new();
        for (k, (offset, ago)) in slots.iter().enumerate() {
            let old = make.s.graph.node(make.s.ids[make.runs[n].at(0, *offset)]).clone();
            let arg = graph.add(Node { op: Op::Arg(1 + k), inner: vec![], writes: None, ..old }, vec![]);
            args.insert((*offset, *ago), arg);
        }
        let (values, captures, captured) = (vec![], vec![], HashMap::new());
        let (leaves, numbers) = (HashMap::new(), HashMap::new());
        Round { make, n, graph, counter, carries: slots.len(), args, values, captures, captured, leaves, numbers }
    }

    /// Adds the next node of the round.
    fn add(&mut self, offset: usize, readings: &[Reading]) {
        let (s, run) = (self.make.s, &self.make.runs[self.n]);
        let at = run.at(0, offset);
        let mut operands = vec![];
        for (k, (reading, o)) in readings.iter().zip(s.operands(at)).enumerate() {
            let node = match reading {
                Reading::Number => self.number(offset, k),
                Reading::Before(old) => self.before(*old),
                Reading::Round { offset, ago: 0 } => self.values[*offset],
                Reading::Round { offset, ago } => self.args[&(*offset, *ago)],
            };
            operands.push(Operand::new(node, o.subscripts.clone()));
        }
        self.values.push(self.graph.add(s.graph.node(s.ids[at]).clone(), operands));
    }

    /// What is there before all rounds.
    fn before(&mut self, old: NodeId) -> NodeId {
        let node = self.make.s.graph.node(old);
        if matches!(node.op, Op::Iota | Op::Extent(_)) {
            return *self.leaves.entry(old).or_insert_with(|| self.graph.add(node.clone(), vec![]));
        }
        let outer = self.make.value(old);
        self.capture(outer)
    }

    fn capture(&mut self, outer: NodeId) -> NodeId {
        if let Some(arg) = self.captured.get(&outer) {
            return *arg;
        }
        let number = 1 + self.carries + self.captures.len();
        let node = Node { op: Op::Arg(number), inner: vec![], writes: None, ..self.make.new.node(outer).clone() };
        let arg = self.graph.add(node, vec![]);
        self.captures.push(outer);
        self.captured.insert(outer, arg);
        arg
    }

    /// A number, which may be another one in each round.
    fn number(&mut self, offset: usize, k: usize) -> NodeId {
        let run = &self.make.runs[self.n];
        let (mut values, dtype) = numbers(self.make.s, run, offset, k);
        let bits = (values.iter().map(|v| v.to_bits()).collect::<Vec<_>>(), dtype);
        if let Some(known) = self.numbers.get(&bits) {
            return *known;
        }
        let reverse = self.make.read.uses[self.n].reverse;
        let made = if bits.0.iter().all(|b| *b == bits.0[0]) {
            number(&mut self.graph, values[0], dtype)
        } else if let Some(count) = Count::of(&values, dtype) {
            let count = if reverse { count.reversed(values.len()) } else { count };
            count.add(&mut self.graph, self.counter, dtype)
        } else {
            if reverse {
                values.reverse();
            }
            let all = table(&mut self.make.new, &values, dtype);
            let all = self.capture(all);
            picked(&mut self.graph, all, self.counter)
        };
        self.numbers.insert(bits, made);
        made
    }
}
