//! graph → graph: loops taken apart into stretches of rounds ([`super::levels`] says which).
//!
//! A loop of `T` rounds becomes a loop of `T / k` stretches, each a loop of `k` rounds, and one of the rounds that make no whole stretch. An
//! array of which a round reads its own place is handed on by stretches and rounds, so that its adjoint is found place by place as before. The
//! number of the round, on which draws hang, is what it was.

use super::captured::reads;
use super::levels::{Length, Stretches};
use crate::ir::size::SizeFn;
use crate::ir::{Axis, Body, DType, Graph, Map, Node, NodeId, Op, Operand, Output, OutputKind, Pick, Size};

/// Takes these loops apart into stretches of so many rounds; gives where the old nodes are, too.
pub fn cut(graph: &Graph, stretches: &Stretches, length: Length) -> (Graph, Vec<NodeId>) {
    let mut work = Work { old: graph, new: graph.successor(), places: vec![] };
    for id in graph.ids() {
        let place = match (&graph.node(id).op, stretches.get(&id)) {
            (Op::Loop(body), Some(stretch)) => {
                let body = Body { graph: cut(&body.graph, &stretch.within, length).0, ..(**body).clone() };
                match stretch.rounds {
                    Some(k) => work.apart(id, &body, k, length),
                    None => work.with(id, Op::Loop(Box::new(body))),
                }
            }
            _ => work.keep(id),
        };
        work.places.push(place);
    }
    let Work { mut new, places, .. } = work;
    let places: Vec<NodeId> = places.into_iter().map(|p| p[0]).collect();
    new.outputs.extend(graph.outputs.iter().cloned().map(|o| Output { node: places[o.node.index()], ..o }));
    new.measured.extend(graph.measured.iter().map(|(sym, n)| (sym.clone(), places[n.index()])));
    (new, places)
}

struct Work<'g> {
    old: &'g Graph,
    new: Graph,
    /// Where an old node is; a loop that was taken apart has its results there instead.
    places: Vec<Vec<NodeId>>,
}

/// Some rounds of a loop, one after the other: the first, and how many.
struct Rounds {
    first: Size,
    count: Size,
}

/// What is captured: as it is, or the part of an array that some rounds read, with the rounds in front.
struct Captured {
    node: NodeId,
    by_round: bool,
}

impl Work<'_> {
    fn place(&self, id: NodeId) -> NodeId {
        self.places[id.index()][0]
    }

    fn keep(&mut self, id: NodeId) -> Vec<NodeId> {
        if let Op::Result(k) = self.old.node(id).op {
            let run = &self.places[self.old.operands(id)[0].node.index()];
            if run.len() > 1 {
                return vec![run[k + 1]];
            }
        }
        self.with(id, self.old.node(id).op.clone())
    }

    /// A node with another operation.
    fn with(&mut self, id: NodeId, op: Op) -> Vec<NodeId> {
        let operands = self.old.operands(id).iter().map(|o| Operand::new(self.place(o.node), o.subscripts.clone())).collect();
        vec![self.new.add(Node { op, ..self.old.node(id).clone() }, operands)]
    }

    /// A loop as stretches and what is left over. Its places: something, then its results.
    fn apart(&mut self, id: NodeId, body: &Body, k: i64, length: Length) -> Vec<NodeId> {
        let stretches = Size::apply(SizeFn::Floor, vec![body.trips.mul(&Size::fraction(1, k))]);
        let whole = Rounds { first: Size::from(0i64), count: stretches.mul(&Size::from(k)) };
        let rest = Rounds { first: whole.count.clone(), count: body.trips.sub(&whole.count) };
        let is_rest = length(&rest.count) != Some(0) || rest.count.constant().is_none();
        let operands: Vec<NodeId> = self.old.operands(id).iter().map(|o| self.place(o.node)).collect();
        let (mut carries, captures) = (operands[..body.carries].to_vec(), &operands[body.carries..]);
        let like = self.old.node(id).clone();
        let mut parts: Vec<Vec<NodeId>> = vec![];
        // A loop that counts down begins with its last rounds.
        let mut order = vec![(&whole, true)];
        if is_rest {
            order.insert(if body.reverse { 0 } else { 1 }, (&rest, false));
        }
        for (rounds, stretched) in order {
            let results = match stretched {
                true => self.stretches(&like, body, k, &stretches, &carries, captures),
                false => self.rest(&like, body, rounds, &carries, captures),
            };
            carries = results[..body.carries].to_vec();
            parts.push(results[body.carries..].to_vec());
        }
        if body.reverse {
            parts.reverse();
        }
        let mut out = vec![carries[0]];
        out.extend(&carries);
        for y in 0..body.yields {
            let list: Vec<NodeId> = parts.iter().map(|p| p[y]).collect();
            out.push(self.joined(&like, &list, &body.trips));
        }
        out
    }

    /// Yields of one part after the other.
    fn joined(&mut self, like: &Node, parts: &[NodeId], trips: &Size) -> NodeId {
        let [first, _] = parts else { return parts[0] };
        let first = self.new.node(*first).clone();
        let mut shape = first.shape;
        shape[0] = Axis::new("round", trips.clone());
        let all: Vec<usize> = (0..shape.len()).collect();
        let operands = parts.iter().map(|p| Operand::new(*p, all.clone())).collect();
        self.add(like, Op::Concat { axis: 0 }, first.dtype, shape, operands)
    }

    fn add(&mut self, like: &Node, op: Op, dtype: DType, shape: Vec<Axis>, operands: Vec<Operand>) -> NodeId {
        self.new.add(Node { op, dtype, shape, inner: vec![], ..like.clone() }, operands)
    }

    /// The captured values for some rounds.
    fn captured(&mut self, like: &Node, body: &Body, captures: &[NodeId], rounds: &Rounds) -> Vec<Captured> {
        let mut out = vec![];
        for (n, node) in captures.iter().enumerate() {
            let Some((d, fill)) = read_at(body, body.carries + n + 1) else {
                out.push(Captured { node: *node, by_round: false });
                continue;
            };
            let source = self.new.node(*node).clone();
            let axis = Axis::new("round", rounds.count.clone());
            let mut number = self.add(like, Op::Iota, DType::I32, vec![axis.clone()], vec![]);
            if rounds.first.constant() != Some(0) {
                let first = self.add(like, Op::Extent(rounds.first.clone()), DType::I32, vec![], vec![]);
                let sum = vec![Operand::new(number, vec![0]), Operand::new(first, vec![])];
                number = self.add(like, Op::Map(Map::Add), DType::I32, vec![axis.clone()], sum);
            }
            let mut shape = source.shape.clone();
            shape.remove(d);
            shape.insert(0, axis);
            let pick = |k: usize| match k {
                k if k == d => Pick::Operand(1),
                k => Pick::Loop(if k < d { k + 1 } else { k }),
            };
            let picks = (0..shape.len()).map(pick).collect();
            let operands = vec![Operand::new(*node, vec![]), Operand::new(number, vec![0])];
            let node = self.add(like, Op::Gather { picks, fill }, source.dtype, shape, operands);
            out.push(Captured { node, by_round: true });
        }
        out
    }

    /// The rounds that make no whole stretch.
    fn rest(&mut self, like: &Node, body: &Body, rounds: &Rounds, carries: &[NodeId], captures: &[NodeId]) -> Vec<NodeId> {
        let captured = self.captured(like, body, captures, rounds);
        let graph = again(body, &rounds.count, &captured, 0, |graph, round| {
            let first = graph.add(Node::new(Op::Extent(rounds.first.clone()), DType::I32, vec![]), vec![]);
            sum(graph, round, first)
        });
        let nodes: Vec<NodeId> = carries.iter().copied().chain(captured.iter().map(|c| c.node)).collect();
        let made = Body { graph, trips: rounds.count.clone(), ..body.clone() };
        run(&mut self.new, like, made, &nodes)
    }

    /// The whole stretches; what they yield, with one axis of rounds.
    fn stretches(
        &mut self,
        like: &Node,
        body: &Body,
        k: i64,
        stretches: &Size,
        carries: &[NodeId],
        captures: &[NodeId],
    ) -> Vec<NodeId> {
        let rounds = Rounds { first: Size::from(0i64), count: stretches.mul(&Size::from(k)) };
        let mut captured = self.captured(like, body, captures, &rounds);
        for c in captured.iter_mut().filter(|c| c.by_round) {
            let node = self.new.node(c.node).clone();
            let mut shape = vec![Axis::new("stretch", stretches.clone()), Axis::new("round", Size::from(k))];
            shape.extend(node.shape[1..].iter().cloned());
            c.node = self.add(like, Op::Reshape, node.dtype, shape, vec![Operand::new(c.node, vec![])]);
        }
        let mut graph = Graph::default();
        let stretch = graph.add(Node::new(Op::Arg(0), DType::I32, vec![]), vec![]);
        let mut handed = vec![];
        for (n, node) in carries.iter().enumerate() {
            let node = self.new.node(*node);
            handed.push(graph.add(Node::new(Op::Arg(n + 1), node.dtype, node.shape.clone()), vec![]));
        }
        handed.push(stretch);
        for (n, c) in captured.iter().enumerate() {
            let node = self.new.node(c.node);
            let arg = graph.add(Node::new(Op::Arg(body.carries + n + 1), node.dtype, node.shape.clone()), vec![]);
            handed.push(if c.by_round { at(&mut graph, arg, stretch, None, like) } else { arg });
        }
        let rounds = again(body, &Size::from(k), &captured, 1, |graph, round| {
            let stretch = graph.add(Node::new(Op::Arg(body.carries + 1), DType::I32, vec![]), vec![]);
            let length = graph.add(Node::new(Op::Const(k as f64), DType::I32, vec![]), vec![]);
            let before = scalar(graph, Map::Mul, stretch, length);
            sum(graph, before, round)
        });
        let inner = Body { graph: rounds, trips: Size::from(k), ..body.clone() };
        for (name, node) in run(&mut graph, like, inner, &handed).into_iter().enumerate() {
            let name = if name < body.carries { "next" } else { "yield" };
            graph.outputs.push(Output { name: name.into(), kind: OutputKind::Output, node });
        }
        let nodes: Vec<NodeId> = carries.iter().copied().chain(captured.iter().map(|c| c.node)).collect();
        let outer = Body { graph, trips: stretches.clone(), ..body.clone() };
        let mut results = run(&mut self.new, like, outer, &nodes);
        for result in &mut results[body.carries..] {
            let node = self.new.node(*result).clone();
            let mut shape = vec![Axis::new("round", stretches.mul(&Size::from(k)))];
            shape.extend(node.shape[2..].iter().cloned());
            *result = self.add(like, Op::Reshape, node.dtype, shape, vec![Operand::new(*result, vec![])]);
        }
        results
    }
}

/// Along which dimension a captured array is read at the round, where it is read in no other way, and what is outside of it.
fn read_at(body: &Body, k: usize) -> Option<(usize, Option<f64>)> {
    let graph = &body.graph;
    let mut args = graph.ids().filter(|id| matches!(graph.node(*id).op, Op::Arg(n) if n == k));
    let (arg, None) = (args.next()?, args.next()) else { return None };
    let round = graph.ids().find(|id| matches!(graph.node(*id).op, Op::Arg(0)))?;
    let reads = reads(graph, arg, round)?;
    let fill = |id: &NodeId| if let Op::Gather { fill, .. } = &graph.node(*id).op { Some(*fill) } else { None };
    let first = fill(reads.nodes.first()?)?;
    let same = |f: Option<f64>| f.map(f64::to_bits) == first.map(f64::to_bits);
    let all = reads.nodes.iter().all(|id| fill(id).is_some_and(same)) && !graph.outputs.iter().any(|o| o.node == arg);
    all.then_some((reads.dimension, first))
}

fn scalar(graph: &mut Graph, map: Map, a: NodeId, b: NodeId) -> NodeId {
    graph.add(Node::new(Op::Map(map), DType::I32, vec![]), vec![Operand::new(a, vec![]), Operand::new(b, vec![])])
}

fn sum(graph: &mut Graph, a: NodeId, b: NodeId) -> NodeId {
    scalar(graph, Map::Add, a, b)
}

/// What an array has at a round, which is its first dimension.
fn at(graph: &mut Graph, array: NodeId, round: NodeId, fill: Option<f64>, like: &Node) -> NodeId {
    let node = graph.node(array).clone();
    let shape = node.shape[1..].to_vec();
    let picks = std::iter::once(Pick::Operand(1)).chain((0..shape.len()).map(Pick::Loop)).collect();
    let operands = vec![Operand::new(array, vec![]), Operand::new(round, vec![])];
    graph.add(Node { op: Op::Gather { picks, fill }, dtype: node.dtype, shape, inner: vec![], ..like.clone() }, operands)
}

/// The body of a loop again, for other rounds: its number is made of this loop's, and what was cut into rounds is read at this loop's. Captured
/// values come `more` places later.
fn again(
    body: &Body,
    rounds: &Size,
    captured: &[Captured],
    more: usize,
    number: impl FnOnce(&mut Graph, NodeId) -> NodeId,
) -> Graph {
    let old = &body.graph;
    let mut graph = Graph::with_room(old.len() + 4);
    let round = graph.add(Node::new(Op::Arg(0), DType::I32, vec![]), vec![]);
    let number = number(&mut graph, round);
    let mut moved: Vec<NodeId> = vec![];
    for id in old.ids() {
        let node = old.node(id);
        let place = match node.op {
            Op::Arg(0) => number,
            Op::Arg(k) if k > body.carries => {
                let c = &captured[k - body.carries - 1];
                let mut shape = node.shape.clone();
                if let Some((d, _)) = read_at(body, k).filter(|_| c.by_round) {
                    shape.remove(d);
                    shape.insert(0, Axis::new("round", rounds.clone()));
                }
                graph.add(Node { op: Op::Arg(k + more), shape, ..node.clone() }, vec![])
            }
            _ => {
                let cut = old.operands(id).first().filter(|_| matches!(node.op, Op::Gather { .. })).and_then(|o| {
                    match old.node(o.node).op {
                        Op::Arg(k) if k > body.carries && captured[k - body.carries - 1].by_round => Some(moved[o.node.index()]),
                        _ => None,
                    }
                });
                match cut {
                    Some(arg) => at(&mut graph, arg, round, None, node),
                    None => {
                        let read = |o: &Operand| Operand::new(moved[o.node.index()], o.subscripts.clone());
                        graph.add(node.clone(), old.operands(id).iter().map(read).collect())
                    }
                }
            }
        };
        moved.push(place);
    }
    graph.outputs.extend(old.outputs.iter().cloned().map(|o| Output { node: moved[o.node.index()], ..o }));
    graph.measured.extend(old.measured.iter().map(|(sym, n)| (sym.clone(), moved[n.index()])));
    graph
}

/// Runs a loop in a graph; gives its results.
fn run(graph: &mut Graph, like: &Node, body: Body, operands: &[NodeId]) -> Vec<NodeId> {
    let axis = Axis::new("round", body.trips.clone());
    let made: Vec<(DType, Vec<Axis>)> = body
        .graph
        .outputs
        .iter()
        .map(|o| {
            let node = body.graph.node(o.node);
            (node.dtype, node.shape.clone())
        })
        .collect();
    let carries = body.carries;
    let read = operands.iter().map(|n| Operand::new(*n, (0..graph.node(*n).rank()).collect())).collect();
    let own = |op, dtype, shape| Node { op, dtype, shape, inner: vec![], ..like.clone() };
    let id = graph.add(own(Op::Loop(Box::new(body)), DType::F32, vec![]), read);
    let results = made.into_iter().enumerate().map(|(n, (dtype, mut shape))| {
        if n >= carries {
            shape.insert(0, axis.clone());
        }
        graph.add(own(Op::Result(n), dtype, shape), vec![Operand::new(id, vec![])])
    });
    results.collect()
}
