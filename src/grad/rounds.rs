//! Loops: the adjoint of a loop is a loop the other way round.
//!
//! A round of it computes the round of the loop again from what was carried into it, then the adjoints of what the round took. So the
//! loop keeps what it carried, a value for each round, and no more. An adjoint is carried for what the loop carries; what is captured
//! gets a sum over the rounds (`captured`). Rounds that an early end left out hand on what they get.
//!
//! Which kept axes an adjoint is tied to may change on the way through a round; rounds are built until they agree.

use super::adjoint::Adjoint;
use super::captured::{Sum, sums};
use super::nest::Nest;
use super::{Reverse, active};
use crate::ir::{Axis, Body, DType, Graph, Map, Node, NodeId, Op, Operand, Output, OutputKind, Pick};
use std::collections::BTreeMap;

/// For each carry that has an adjoint, the kept axes that it is tied to.
type Ties = BTreeMap<usize, Vec<Option<usize>>>;

/// The loop and what it is handed, as its adjoint sees them from outside.
pub struct Outer {
    pub body: Body,
    /// What its operands are read from.
    pub operands: Vec<NodeId>,
    /// For each carry that a round reads, its value before every round.
    before: BTreeMap<usize, NodeId>,
    /// Whether each round ran; `None` where all do.
    pub ran: Option<NodeId>,
    /// The adjoints of final carries.
    carries: BTreeMap<usize, Adjoint>,
    /// Those of stacked yields, with the loops [round, free kept axes, own].
    yields: BTreeMap<usize, (NodeId, Vec<Option<usize>>)>,
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
    /// For each carry with an adjoint, the argument that holds it.
    adjoints: BTreeMap<usize, NodeId>,
    /// Arguments that are captured, with the nodes outside that they are.
    pub captures: Vec<(NodeId, NodeId)>,
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
        let mut ties: Ties = outer.carries.iter().map(|(k, a)| (*k, a.tied.clone())).collect();
        loop {
            let mut graph = Graph::default();
            let mut round = self.round(&outer, &ties, &mut graph);
            round.r.run();
            let next = round.ties(&outer, &ties);
            if next == ties {
                let (shell, sums) = round.finish(&outer, &ties);
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
        let (before, ran) = self.kept_rounds(id, &body);
        let operands = self.graph.operands(id).iter().map(|o| o.node).collect();
        Outer { body, operands, before, ran, carries, yields, wanted }
    }

    /// The adjoint of a stacked yield with the rounds in front.
    fn stacked(&mut self, result: NodeId, adjoint: Adjoint) -> (NodeId, Vec<Option<usize>>) {
        let adjoint = self.loosened(result, adjoint, 0);
        let axes = self.loops(result, &adjoint.tied);
        let free = adjoint.free();
        let front = |k: &usize| match *k {
            k if k == free => 0,
            k if k < free => k + 1,
            k => k,
        };
        let subscripts = adjoint.view.subscripts.iter().map(front).collect();
        let mut turned = axes.clone();
        let round = turned.remove(free);
        turned.insert(0, round);
        let node = self.built(&turned, &Operand::new(adjoint.view.node, subscripts));
        (node, adjoint.tied.iter().map(|t| t.map(|d| d - 1)).collect())
    }

    /// Further yields of a loop: what it carries into each round, and whether the round ran.
    fn kept_rounds(&mut self, id: NodeId, old: &Body) -> (BTreeMap<usize, NodeId>, Option<NodeId>) {
        let mut body = old.clone();
        let mut kept = Vec::new();
        for node in old.graph.ids() {
            if let Op::Arg(k @ 1..) = old.graph.node(node).op
                && k <= old.carries
            {
                kept.push((k - 1, node));
            }
        }
        let mut made = |graph: &mut Graph, node: NodeId| {
            graph.outputs.push(Output { name: "kept".into(), kind: OutputKind::Output, node });
            body.yields += 1;
            old.carries + body.yields - 1
        };
        let mut graph = old.graph.clone();
        let mut results: Vec<(Option<usize>, NodeId, usize)> = Vec::new();
        for (k, node) in kept {
            results.push((Some(k), node, made(&mut graph, node)));
        }
        if old.stop {
            let yes = graph.add(Node::new(Op::Const(1.0), DType::Bool, vec![]), vec![]);
            results.push((None, yes, made(&mut graph, yes)));
        }
        body.graph = graph;
        let (mut before, mut ran) = (BTreeMap::new(), None);
        let shapes: Vec<Node> = results.iter().map(|(_, node, _)| body.graph.node(*node).clone()).collect();
        self.graph.node_mut(id).op = Op::Loop(Box::new(body));
        for ((k, _, number), node) in results.into_iter().zip(shapes) {
            let shape = std::iter::once(round_axis(old)).chain(node.shape).collect();
            let result = self.add(Op::Result(number), node.dtype, shape, vec![], vec![Operand::new(id, vec![])]);
            match k {
                Some(k) => {
                    before.insert(k, result);
                }
                None => ran = Some(result),
            }
        }
        (before, ran)
    }

    /// The body again with what it is handed at its end.
    fn round<'b>(&self, outer: &Outer, ties: &Ties, graph: &'b mut Graph) -> Round<'b> {
        let counter = graph.add(Node::new(Op::Arg(0), DType::I32, vec![]), vec![]);
        let mut round = Copy { outside: self.graph, graph, counter, captures: Vec::new(), moved: Vec::new() };
        round.body(outer);
        let ran = outer.ran.map(|ran| round.at_round(ran, 0));
        let yields: BTreeMap<usize, NodeId> = outer.yields.iter().map(|(y, (node, _))| (*y, round.at_round(*node, 0))).collect();
        let Copy { graph, captures, moved, .. } = round;
        let body = &outer.body;
        let output = |n: usize| moved[body.graph.outputs[n].node.index()];
        let mut adjoints = BTreeMap::new();
        for (k, tied) in ties {
            let node = Node { name: None, ..body.graph.node(body.graph.outputs[*k].node).clone() };
            let free = self.kept.iter().zip(tied).filter(|(_, t)| t.is_none()).map(|(axis, _)| axis.clone());
            let shape = free.chain(node.shape.clone()).collect();
            adjoints.insert(*k, graph.add(Node { op: Op::Arg(0), dtype: DType::F32, shape, inner: vec![], ..node }, vec![]));
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
        for (k, node) in &adjoints {
            let view = all(&r, *node);
            r.hand(output(*k), Adjoint { view, tied: ties[k].clone(), guards: vec![] });
        }
        for (y, node) in yields {
            let view = all(&r, node);
            let tied = outer.yields[&y].1.clone();
            r.hand(output(body.carries + usize::from(body.stop) + y), Adjoint { view, tied, guards: vec![] });
        }
        let ran = ran.map(|node| Operand::new(node, vec![]));
        Round { r, moved, counter, ran, adjoints, captures }
    }

    /// The loop that the rounds make, and what it hands on.
    fn looped(&mut self, outer: &Outer, ties: &Ties, mut graph: Graph, shell: Shell, sums: Vec<Sum>) {
        let mut operands = Vec::new();
        let inits: Vec<NodeId> = shell.carries.iter().map(|c| c.1).collect();
        let shapes: Vec<Vec<Axis>> = shell.carries.iter().map(|c| graph.node(c.0).shape.clone()).collect();
        let yielded: Vec<Node> = shell.yields.iter().map(|y| graph.node(*y).clone()).collect();
        let first = shell.carries.len();
        for (n, arg) in shell.carries.iter().map(|c| c.0).chain(shell.captures.iter().map(|c| c.0)).enumerate() {
            graph.node_mut(arg).op = Op::Arg(n + 1);
        }
        for (name, node) in shell.carries.iter().map(|c| ("next", c.2)).chain(shell.yields.iter().map(|y| ("part", *y))) {
            graph.outputs.push(Output { name: name.into(), kind: OutputKind::Output, node });
        }
        let starts: Vec<NodeId> = ties
            .iter()
            .map(|(k, tied)| match outer.carries.get(k) {
                Some(adjoint) => {
                    let result = outer.operands[*k];
                    let adjoint = self.untie(result, adjoint.clone(), tied);
                    self.whole(result, &adjoint)
                }
                None => {
                    let axes = self.loops(outer.operands[*k], tied);
                    self.zeros(&axes)
                }
            })
            .collect();
        for (n, shape) in shapes.iter().enumerate() {
            // Those of the carries come first; sums begin with nothing.
            let start = if n < starts.len() { starts[n] } else { self.zeros(shape) };
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
        for (n, shape) in shapes.into_iter().enumerate() {
            results.push(self.add(Op::Result(n), DType::F32, shape, vec![], vec![Operand::new(run, vec![])]));
        }
        for (n, node) in yielded.into_iter().enumerate() {
            let shape = std::iter::once(round_axis(&outer.body)).chain(node.shape).collect();
            results.push(self.add(Op::Result(first + n), node.dtype, shape, vec![], vec![Operand::new(run, vec![])]));
        }
        for ((k, tied), result) in ties.iter().zip(&results) {
            let view = Operand::new(*result, (0..self.graph.node(*result).rank()).collect());
            self.hand(outer.operands[*k], Adjoint { view, tied: tied.clone(), guards: vec![] });
        }
        for sum in sums {
            self.summed(outer, sum, &results);
        }
    }

    /// Zeros over some loops.
    pub fn zeros(&mut self, axes: &[Axis]) -> NodeId {
        let zero = self.number(0.0);
        self.built(axes, &zero)
    }
}

/// The rounds as an axis.
pub fn round_axis(body: &Body) -> Axis {
    Axis::new("round", body.trips.clone())
}

/// Copies a body into the graph of a round.
struct Copy<'a, 'b> {
    outside: &'a Graph,
    graph: &'b mut Graph,
    counter: NodeId,
    captures: Vec<(NodeId, NodeId)>,
    moved: Vec<NodeId>,
}

impl Copy<'_, '_> {
    /// The argument that is a node outside.
    fn capture(&mut self, node: NodeId) -> NodeId {
        if let Some((arg, _)) = self.captures.iter().find(|(_, n)| *n == node) {
            return *arg;
        }
        let (dtype, shape) = (self.outside.node(node).dtype, self.outside.node(node).shape.clone());
        let arg = self.graph.add(Node::new(Op::Arg(0), dtype, shape), vec![]);
        self.captures.push((arg, node));
        arg
    }

    /// What an array outside has at the round, along its dimension `d`.
    fn at_round(&mut self, node: NodeId, d: usize) -> NodeId {
        let arg = self.capture(node);
        let (dtype, mut shape) = (self.graph.node(arg).dtype, self.graph.node(arg).shape.clone());
        shape.remove(d);
        let pick = |k: usize| match k {
            k if k == d => Pick::Operand(1),
            k => Pick::Loop(if k > d { k - 1 } else { k }),
        };
        let picks = (0..=shape.len()).map(pick).collect();
        let operands = vec![Operand::new(arg, vec![]), Operand::new(self.counter, vec![])];
        self.graph.add(Node::new(Op::Gather { picks, fill: None }, dtype, shape), operands)
    }

    fn body(&mut self, outer: &Outer) {
        let old = &outer.body.graph;
        for id in old.ids() {
            let node = if let Op::Arg(k) = old.node(id).op {
                match k {
                    0 => self.counter,
                    k if k <= outer.body.carries => self.at_round(outer.before[&(k - 1)], 0),
                    k => self.capture(outer.operands[k - 1]),
                }
            } else {
                let moved = |o: &Operand| Operand::new(self.moved[o.node.index()], o.subscripts.clone());
                let operands = old.operands(id).iter().map(moved).collect();
                self.graph.add(Node { name: None, ..old.node(id).clone() }, operands)
            };
            self.moved.push(node);
        }
    }
}

impl Round<'_> {
    /// The argument `k` of the old body (from 1), where it is.
    pub fn argument(&self, body: &Body, k: usize) -> Option<NodeId> {
        let old = body.graph.ids().find(|id| matches!(body.graph.node(*id).op, Op::Arg(n) if n == k))?;
        Some(self.moved[old.index()])
    }

    /// What the carries are tied to after this round.
    fn ties(&mut self, outer: &Outer, before: &Ties) -> Ties {
        let mut out = before.clone();
        for k in 0..outer.body.carries {
            let Some(arg) = self.argument(&outer.body, k + 1) else { continue };
            let Some(adjoint) = self.r.found(arg) else { continue };
            let meet = match out.get(&k) {
                Some(old) => old.iter().zip(&adjoint.tied).map(|(a, b)| a.filter(|_| a == b)).collect(),
                None => adjoint.tied,
            };
            out.insert(k, meet);
        }
        out
    }

    /// What the round hands on.
    fn finish(mut self, outer: &Outer, ties: &Ties) -> (Shell, Vec<Sum>) {
        let mut shell = Shell { captures: std::mem::take(&mut self.captures), ..Shell::default() };
        for (k, tied) in ties {
            let old = self.adjoints[k];
            let axes = self.r.graph.node(old).shape.clone();
            let found = self.argument(&outer.body, k + 1).and_then(|arg| Some((arg, self.r.found(arg)?)));
            let mut next = match found {
                Some((arg, adjoint)) => {
                    let adjoint = self.r.untie(arg, adjoint, tied);
                    self.r.whole(arg, &adjoint)
                }
                None => self.r.zeros(&axes),
            };
            if let Some(ran) = self.ran.clone() {
                let nest = Nest { axes: axes.clone(), first: 0 };
                let all: Vec<usize> = (0..axes.len()).collect();
                let sides = vec![ran, Operand::new(next, all.clone()), Operand::new(old, all)];
                let view = self.r.pointwise(&nest, Map::Select, sides);
                next = self.r.built(&axes, &view);
            }
            shell.carries.push((old, NodeId::end(), next));
        }
        let sums = sums(&mut self, outer, &mut shell);
        (shell, sums)
    }
}
