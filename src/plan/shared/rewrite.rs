//! Writes shared parts down: each is a node of its own before its first user.

use super::{Part, Whole};
use crate::ir::{Axis, Graph, Node, NodeId, Operand, Output, Rate};
use std::collections::BTreeMap;

/// The graph with shared parts as nodes before their first users.
pub(super) fn rewrite(
    graph: &Graph,
    wanted: &[NodeId],
    rates: &[Rate],
    wholes: &[Whole],
    users: &BTreeMap<Part, Vec<(usize, usize)>>,
    chosen: &[usize],
) -> (Graph, Vec<NodeId>, Vec<Rate>) {
    let parts: Vec<&Part> = users.keys().collect();
    let by_node: BTreeMap<NodeId, &Whole> = wholes.iter().filter(|w| !w.free.is_empty()).map(|w| (w.id, w)).collect();
    let mut work =
        Work { new: Graph::with_room(graph.len() + chosen.len()), rates: vec![], places: vec![], made: BTreeMap::new() };
    for id in graph.ids() {
        let place = match by_node.get(&id) {
            Some(whole) => work.whole(graph, whole, rates[id.index()], &chosen.iter().map(|k| parts[*k]).collect::<Vec<_>>()),
            None => {
                let read = |o: &Operand| Operand::new(work.places[o.node.index()], o.subscripts.clone());
                let operands = graph.operands(id).iter().map(read).collect();
                work.add(graph.node(id).clone(), operands, rates[id.index()])
            }
        };
        work.places.push(place);
    }
    let Work { mut new, rates, places, .. } = work;
    new.outputs.extend(graph.outputs.iter().cloned().map(|o| Output { node: places[o.node.index()], ..o }));
    new.measured.extend(graph.measured.iter().map(|(sym, n)| (sym.clone(), places[n.index()])));
    (new, wanted.iter().map(|w| places[w.index()]).collect(), rates)
}

struct Work {
    new: Graph,
    rates: Vec<Rate>,
    places: Vec<NodeId>,
    made: BTreeMap<Part, NodeId>,
}

impl Work {
    fn add(&mut self, node: Node, operands: Vec<Operand>, rate: Rate) -> NodeId {
        self.rates.push(rate);
        self.new.add(node, operands)
    }

    /// A contraction of shared parts and the factors that are in none. Parts that were chosen first are made first: a later one may read them.
    fn whole(&mut self, graph: &Graph, whole: &Whole, rate: Rate, chosen: &[&Part]) -> NodeId {
        let sets: Vec<usize> = chosen
            .iter()
            .filter_map(|part| whole.free.iter().copied().find(|set| whole.part(*set).as_ref() == Some(*part)))
            .collect();
        // The largest that are in no other.
        let outer: Vec<usize> = sets.iter().copied().filter(|s| !sets.iter().any(|t| t != s && t & s == *s)).collect();
        let mut operands: Vec<Operand> = outer.iter().map(|set| self.part(graph, whole, *set, &sets)).collect();
        let within = |f: usize| outer.iter().any(|set| set >> f & 1 == 1);
        let rest = whole.factors.iter().enumerate().filter(|(f, _)| !within(*f));
        operands.extend(rest.map(|(_, o)| Operand::new(self.places[o.node.index()], o.subscripts.clone())));
        let node = graph.node(whole.id);
        let result: Vec<usize> = (0..node.shape.len()).collect();
        self.contraction(node, &result, operands, rate)
    }

    /// A shared part of a contraction, read over its loops.
    fn part(&mut self, graph: &Graph, whole: &Whole, set: usize, sets: &[usize]) -> Operand {
        let part = whole.part(set).expect("it was one when it was chosen");
        let (_, loops) = whole.met(set);
        let kept: Vec<usize> = part.1.iter().map(|k| loops[*k]).collect();
        if let Some(known) = self.made.get(&part) {
            return Operand::new(*known, kept);
        }
        let inner: Vec<usize> = sets.iter().copied().filter(|s| *s != set && s & set == *s).collect();
        let outer: Vec<usize> = inner.iter().copied().filter(|s| !inner.iter().any(|t| t != s && t & s == *s)).collect();
        let mut operands: Vec<Operand> = outer.iter().map(|s| self.part(graph, whole, *s, &inner)).collect();
        let within = |f: usize| outer.iter().any(|s| s >> f & 1 == 1);
        let own = whole.factors.iter().enumerate().filter(|(f, _)| set >> f & 1 == 1 && !within(*f));
        operands.extend(own.map(|(_, o)| Operand::new(self.places[o.node.index()], o.subscripts.clone())));
        let rate = operands.iter().map(|o| self.rates[o.node.index()]).fold(Rate::Constant, Rate::max);
        let made = self.contraction(graph.node(whole.id), &kept, operands, rate);
        self.new.node_mut(made).name = None;
        self.made.insert(part, made);
        Operand::new(made, kept)
    }

    /// A contraction of these over loops of an old node, of which it keeps some, in this order.
    fn contraction(&mut self, old: &Node, keep: &[usize], operands: Vec<Operand>, rate: Rate) -> NodeId {
        let mut loops = keep.to_vec();
        for l in operands.iter().flat_map(|o| &o.subscripts) {
            if !loops.contains(l) {
                loops.push(*l);
            }
        }
        let axes: Vec<Axis> = loops.iter().map(|l| old.axis(*l).clone()).collect();
        let at = |l: &usize| loops.iter().position(|k| k == l).expect("it is one of them");
        let operands = operands.iter().map(|o| Operand::new(o.node, o.subscripts.iter().map(at).collect())).collect();
        let (shape, inner) = axes.split_at(keep.len());
        let node = Node { shape: shape.to_vec(), inner: inner.to_vec(), ..old.clone() };
        self.add(node, operands, rate)
    }
}
