//! Loops: the adjoint of a loop is a loop the other way round.
//!
//! A round of it computes the round of the loop again from what was carried into it, then the adjoints of what the round took. So the
//! loop keeps what it carried, a value for each round, and no more. An adjoint is carried for what the loop carries; what is captured
//! gets a sum over the rounds (`captured`). Rounds that an early end left out hand on what they get.
//!
//! Which kept axes an adjoint is tied to may change on the way through a round, and whether it has a guard; rounds are built until they agree.
//! A guard is carried beside its adjoint: what a round leaves out is left out of what stands before the loop, too.

use super::adjoint::Adjoint;
use super::body::Copy;
use super::captured::{Sum, sums};
use super::nest::Nest;
use super::{Reverse, active, stored};
use crate::ir::{Axis, Body, DType, Graph, Map, Node, NodeId, Op, Operand, Output, OutputKind};
use std::collections::BTreeMap;

/// For each carry that has an adjoint, what is known of it in every round.
type Ties = BTreeMap<usize, Tie>;

#[derive(Clone, PartialEq)]
struct Tie {
    /// The kept axes that it is tied to.
    tied: Vec<Option<usize>>,
    /// Whether it has a guard.
    guarded: bool,
}

/// The adjoint of a stacked yield, with the loops [round, free kept axes, own].
struct Stacked {
    node: NodeId,
    tied: Vec<Option<usize>>,
    guard: Option<NodeId>,
}

/// The loop and what it is handed, as its adjoint sees them from outside.
pub struct Outer {
    pub body: Body,
    /// What its operands are read from.
    pub operands: Vec<NodeId>,
    /// For each carry that a round reads, its value before every round.
    pub before: BTreeMap<usize, NodeId>,
    /// Whether each round ran; `None` where all do.
    pub ran: Option<NodeId>,
    /// Values of a round that the loop keeps, for they are dear to compute again.
    pub stored: BTreeMap<NodeId, NodeId>,
    /// The adjoints of final carries.
    carries: BTreeMap<usize, Adjoint>,
    /// Those of stacked yields.
    yields: BTreeMap<usize, Stacked>,
    /// Which operands want an adjoint.
    pub wanted: Vec<bool>,
}

/// One round of the adjoint under construction.
pub struct Round<'g> {
    pub r: Reverse<'g>,
    /// Where the nodes of the old body are.
    pub moved: Vec<NodeId>,
    pub counter: NodeId,
    /// Whether this round ran.
    pub ran: Option<Operand>,
    /// For each carry with an adjoint, the argument that holds it, and the one that holds its guard.
    adjoints: BTreeMap<usize, (NodeId, Option<NodeId>)>,
    /// Arguments that are captured, with the nodes outside that they are.
    pub captures: Vec<(NodeId, NodeId)>,
    /// What is read from what the loop keeps, instead of being computed again.
    pub instead: BTreeMap<NodeId, NodeId>,
}

/// What a round carries and yields, and what it captures.
#[derive(Default)]
pub struct Shell {
    /// The argument, its first value outside, its next value.
    pub carries: Vec<(NodeId, NodeId, NodeId)>,
    pub captures: Vec<(NodeId, NodeId)>,
    pub yields: Vec<NodeId>,
}

impl Reverse<'_> {
    /// Keeps what a result of a loop is handed until the loop is visited.
    pub(super) fn result(&mut self, id: NodeId, k: usize, adjoint: Adjoint) {
        let of = self.graph.operands(id)[0].node;
        if self.is_active(of) {
            self.results.entry(of).or_default().entry(k).or_default().push((id, adjoint));
            self.handed.entry(of).or_default();
        }
    }

    pub(super) fn rounds(&mut self, id: NodeId, body: Body) {
        let outer = self.outer(id, body);
        let first = |a: &Adjoint| Tie { tied: a.tied.clone(), guarded: !a.guards.is_empty() };
        let mut ties: Ties = outer.carries.iter().map(|(k, a)| (*k, first(a))).collect();
        loop {
            let mut graph = Graph::default();
            // What this attempt takes of the room counts if it is the last.
            let room = self.room.cloned();
            let mut round = self.round(&outer, &ties, &mut graph);
            round.r.room = room.as_ref();
            round.r.run();
            let next = round.ties(&outer, &ties);
            if next == ties {
                let instead = std::mem::take(&mut round.instead);
                let (mut shell, sums) = round.finish(&outer, &ties);
                self.room.zip(room.as_ref()).into_iter().for_each(|(room, left)| room.become_like(left));
                if !instead.is_empty() {
                    graph = stored::read_instead(&graph, &instead);
                    shell.yields.iter_mut().for_each(|y| *y = *instead.get(y).unwrap_or(y));
                }
                self.looped(&outer, &ties, graph, shell, sums);
                return;
            }
            ties = next;
        }
    }

    /// Takes the loop apart, and makes it yield what it carries.
    fn outer(&mut self, id: NodeId, body: Body) -> Outer {
        let given: Vec<bool> = self.graph.operands(id).iter().map(|o| self.is_active(o.node)).collect();
        let wanted = active::results(&body, &given).1;
        let (mut carries, mut yields) = (BTreeMap::new(), BTreeMap::new());
        for (k, parts) in self.results.remove(&id).unwrap_or_default() {
            let result = parts[0].0;
            let adjoint = self.total(result, parts.into_iter().map(|(_, a)| a).collect());
            if k < body.carries {
                carries.insert(k, adjoint);
            } else {
                yields.insert(k - body.carries, self.stacked(result, adjoint));
            }
        }
        let operands = self.graph.operands(id).iter().map(|o| o.node).collect();
        let kept = self.kept_rounds(id, &body);
        Outer { body, operands, before: kept.before, ran: kept.ran, stored: kept.stored, carries, yields, wanted }
    }

    /// The adjoint of a stacked yield with the rounds in front.
    fn stacked(&mut self, result: NodeId, adjoint: Adjoint) -> Stacked {
        let adjoint = self.loosened(result, adjoint, 0);
        let axes = self.loops(result, &adjoint.tied);
        let free = adjoint.free();
        let front = |k: &usize| match *k {
            k if k == free => 0,
            k if k < free => k + 1,
            k => k,
        };
        let nest = Nest { axes: axes.clone(), first: free };
        let mut turned = axes;
        let round = turned.remove(free);
        turned.insert(0, round);
        let guard = self.all_of(&nest, &adjoint.guards);
        let mut front = |o: &Operand| {
            let subscripts = o.subscripts.iter().map(front).collect();
            self.built(&turned, &Operand::new(o.node, subscripts))
        };
        let (node, guard) = (front(&adjoint.view), guard.as_ref().map(&mut front));
        Stacked { node, tied: adjoint.tied.iter().map(|t| t.map(|d| d - 1)).collect(), guard }
    }

    /// The body again with what it is handed at its end.
    fn round<'b>(&self, outer: &Outer, ties: &Ties, graph: &'b mut Graph) -> Round<'b> {
        let counter = graph.add(Node::new(Op::Arg(0), DType::I32, vec![]), vec![]);
        let mut round =
            Copy { outside: self.graph, graph, counter, captures: Vec::new(), moved: Vec::new(), instead: BTreeMap::new() };
        round.body(outer);
        let ran = outer.ran.map(|ran| round.at_round(ran, 0));
        let read = |round: &mut Copy, s: &Stacked| (round.at_round(s.node, 0), s.guard.map(|g| round.at_round(g, 0)));
        let yields: Vec<(usize, NodeId, Option<NodeId>)> = outer
            .yields
            .iter()
            .map(|(y, s)| {
                let (node, guard) = read(&mut round, s);
                (*y, node, guard)
            })
            .collect();
        let Copy { graph, captures, moved, instead, .. } = round;
        let body = &outer.body;
        let output = |n: usize| moved[body.graph.outputs[n].node.index()];
        let mut adjoints = BTreeMap::new();
        for (k, Tie { tied, guarded }) in ties {
            let node = Node { name: None, ..body.graph.node(body.graph.outputs[*k].node).clone() };
            let free = self.kept.iter().zip(tied).filter(|(_, t)| t.is_none()).map(|(axis, _)| axis.clone());
            let shape: Vec<Axis> = free.chain(node.shape.clone()).collect();
            let mut arg = |dtype| {
                let node = Node { op: Op::Arg(0), dtype, shape: shape.clone(), inner: vec![], ..node.clone() };
                graph.add(node, vec![])
            };
            adjoints.insert(*k, (arg(DType::F32), guarded.then(|| arg(DType::Bool))));
        }
        let by: Vec<NodeId> = body
            .graph
            .ids()
            .filter(|id| matches!(body.graph.node(*id).op, Op::Arg(k @ 1..) if outer.wanted[k - 1]))
            .map(|id| moved[id.index()])
            .collect();
        let by = super::captured::leaves(graph, &by, counter);
        let mut r = Reverse::new(graph, &self.kept, &by);
        let all = |r: &Reverse, node: NodeId| Operand::new(node, (0..r.graph.node(node).rank()).collect());
        let handed = |r: &Reverse, node: NodeId, guard: Option<NodeId>, tied: &[Option<usize>]| Adjoint {
            view: all(r, node),
            tied: tied.to_vec(),
            guards: guard.map(|g| all(r, g)).into_iter().collect(),
        };
        for (k, (node, guard)) in &adjoints {
            let adjoint = handed(&r, *node, *guard, &ties[k].tied);
            r.hand(output(*k), adjoint);
        }
        for (y, node, guard) in yields {
            let adjoint = handed(&r, node, guard, &outer.yields[&y].tied);
            r.hand(output(body.carries + usize::from(body.stop) + y), adjoint);
        }
        let ran = ran.map(|node| Operand::new(node, vec![]));
        Round { r, moved, counter, ran, adjoints, captures, instead }
    }

    /// The loop that the rounds make, and what it hands on.
    fn looped(&mut self, outer: &Outer, ties: &Ties, mut graph: Graph, shell: Shell, sums: Vec<Sum>) {
        let mut operands = Vec::new();
        let inits: Vec<NodeId> = shell.carries.iter().map(|c| c.1).collect();
        let carried: Vec<Node> = shell.carries.iter().map(|c| graph.node(c.0).clone()).collect();
        let yielded: Vec<Node> = shell.yields.iter().map(|y| graph.node(*y).clone()).collect();
        let first = shell.carries.len();
        for (n, arg) in shell.carries.iter().map(|c| c.0).chain(shell.captures.iter().map(|c| c.0)).enumerate() {
            graph.node_mut(arg).op = Op::Arg(n + 1);
        }
        for (name, node) in shell.carries.iter().map(|c| ("next", c.2)).chain(shell.yields.iter().map(|y| ("part", *y))) {
            graph.outputs.push(Output { name: name.into(), kind: OutputKind::Output, node });
        }
        let starts = self.starts(outer, ties);
        for (n, node) in carried.iter().enumerate() {
            // Those of the carries and their guards come first; sums begin with nothing.
            let start = if n < starts.len() { starts[n] } else { self.nothing(node.dtype, &node.shape) };
            debug_assert!(n >= starts.len() || inits[n] == NodeId::end());
            operands.push(start);
        }
        operands.extend(shell.captures.iter().map(|c| c.1));
        let operands = operands.into_iter().map(|node| Operand::new(node, (0..self.graph.node(node).rank()).collect())).collect();
        let body = Body {
            graph,
            trips: outer.body.trips.clone(),
            reverse: !outer.body.reverse,
            carries: first,
            yields: yielded.len(),
            stop: false,
        };
        let run = self.add(Op::Loop(Box::new(body)), DType::F32, vec![], vec![], operands);
        let mut results = Vec::new();
        for (n, node) in carried.into_iter().enumerate() {
            results.push(self.add(Op::Result(n), node.dtype, node.shape, vec![], vec![Operand::new(run, vec![])]));
        }
        for (n, node) in yielded.into_iter().enumerate() {
            let shape = std::iter::once(round_axis(&outer.body)).chain(node.shape).collect();
            results.push(self.add(Op::Result(first + n), node.dtype, shape, vec![], vec![Operand::new(run, vec![])]));
        }
        let all = |r: &Self, node: NodeId| Operand::new(node, (0..r.graph.node(node).rank()).collect());
        let mut guards = results[ties.len()..].iter();
        for ((k, tie), result) in ties.iter().zip(&results) {
            let guards = guards.by_ref().take(usize::from(tie.guarded)).map(|g| all(self, *g)).collect();
            let view = all(self, *result);
            self.hand(outer.operands[*k], Adjoint { view, tied: tie.tied.clone(), guards });
        }
        for sum in sums {
            self.summed(outer, sum, &results);
        }
    }

    /// What adjoints of carries are before the first round of theirs, then what their guards are.
    fn starts(&mut self, outer: &Outer, ties: &Ties) -> Vec<NodeId> {
        let (mut values, mut guards) = (vec![], vec![]);
        for (k, tie) in ties {
            let result = outer.operands[*k];
            let axes = self.loops(result, &tie.tied);
            let adjoint = outer.carries.get(k).map(|adjoint| self.untie(result, adjoint.clone(), &tie.tied));
            values.push(match &adjoint {
                Some(adjoint) => self.whole(result, adjoint),
                None => self.nothing(DType::F32, &axes),
            });
            if tie.guarded {
                guards.push(self.guard(&axes, adjoint.as_ref()));
            }
        }
        values.into_iter().chain(guards).collect()
    }

    /// Zeros, or no truth, over some loops.
    pub fn nothing(&mut self, dtype: DType, axes: &[Axis]) -> NodeId {
        let zero = self.add(Op::Const(0.0), dtype, vec![], vec![], vec![]);
        self.built(axes, &Operand::new(zero, vec![]))
    }

    /// The guard of an adjoint over all of its loops, as a node; it never holds where there is no adjoint.
    fn guard(&mut self, axes: &[Axis], adjoint: Option<&Adjoint>) -> NodeId {
        let nest = Nest { axes: axes.to_vec(), first: 0 };
        match adjoint.and_then(|a| self.all_of(&nest, &a.guards)) {
            Some(guard) => self.built(axes, &guard),
            None => self.nothing(DType::Bool, axes),
        }
    }
}

/// The rounds as an axis.
pub fn round_axis(body: &Body) -> Axis {
    Axis::new("round", body.trips.clone())
}

impl Round<'_> {
    /// The argument `k` of the old body (from 1), where it is.
    pub fn argument(&self, body: &Body, k: usize) -> Option<NodeId> {
        let old = body.graph.ids().find(|id| matches!(body.graph.node(*id).op, Op::Arg(n) if n == k))?;
        Some(self.moved[old.index()])
    }

    /// What is known of the carries after this round.
    fn ties(&mut self, outer: &Outer, before: &Ties) -> Ties {
        let mut out = before.clone();
        for k in 0..outer.body.carries {
            let Some(arg) = self.argument(&outer.body, k + 1) else { continue };
            let Some(adjoint) = self.r.found(arg) else { continue };
            let guarded = !adjoint.guards.is_empty();
            let next = match out.get(&k) {
                Some(old) => Tie {
                    tied: old.tied.iter().zip(&adjoint.tied).map(|(a, b)| a.filter(|_| a == b)).collect(),
                    guarded: old.guarded && guarded,
                },
                None => Tie { tied: adjoint.tied, guarded },
            };
            out.insert(k, next);
        }
        out
    }

    /// What the round hands on.
    fn finish(mut self, outer: &Outer, ties: &Ties) -> (Shell, Vec<Sum>) {
        let mut shell = Shell { captures: std::mem::take(&mut self.captures), ..Shell::default() };
        let mut guards = vec![];
        for (k, tie) in ties {
            let (old, guard) = self.adjoints[k];
            let axes = self.r.graph.node(old).shape.clone();
            let found = self.argument(&outer.body, k + 1).and_then(|arg| Some((arg, self.r.found(arg)?)));
            let found = found.map(|(arg, adjoint)| (arg, self.r.untie(arg, adjoint, &tie.tied)));
            let next = match &found {
                Some((arg, adjoint)) => self.r.whole(*arg, adjoint),
                None => self.r.nothing(DType::F32, &axes),
            };
            shell.carries.push((old, NodeId::end(), self.or_kept(next, old)));
            if let Some(old) = guard {
                let next = self.r.guard(&axes, found.as_ref().map(|f| &f.1));
                guards.push((old, NodeId::end(), self.or_kept(next, old)));
            }
        }
        shell.carries.extend(guards);
        let sums = sums(&mut self, outer, &mut shell);
        (shell, sums)
    }

    /// The next value of a carry; the old one where the round did not run.
    fn or_kept(&mut self, next: NodeId, old: NodeId) -> NodeId {
        let Some(ran) = self.ran.clone() else { return next };
        let node = self.r.graph.node(old).clone();
        let nest = Nest { axes: node.shape.clone(), first: 0 };
        let all: Vec<usize> = (0..node.rank()).collect();
        let sides = vec![ran, Operand::new(next, all.clone()), Operand::new(old, all)];
        let view = self.r.pointwise_of(&nest, Map::Select, node.dtype, sides);
        self.r.built(&node.shape, &view)
    }
}
