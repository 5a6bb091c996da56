//! Drops what no output needs: nodes, measured sizes that nothing has, and what a loop carries, yields or captures for nobody.

use super::rebuild::{Rebuild, rebuild_where};
use crate::ir::{Body, Graph, Node, NodeId, Op, Operand};

pub fn run(graph: &Graph) -> Graph {
    let needed = graph.reachable(graph.outputs.iter().map(|o| o.node));
    let trim = |id: NodeId| {
        let Op::Loop(body) = &graph.node(id).op else { return None };
        needed[id.index()].then(|| Trim::new(body, graph.operands(id).len(), &results(graph, id, &needed)))
    };
    let trims: Vec<Option<Trim>> = graph.ids().map(trim).collect();
    rebuild_where(graph, &needed, run, |r, id| {
        if let (Op::Loop(body), Some(trim)) = (&graph.node(id).op, &trims[id.index()]) {
            return trim.keep(r, id, body);
        }
        if let Op::Result(k) = graph.node(id).op
            && let Some(trim) = &trims[graph.operands(id)[0].node.index()]
        {
            let operands = r.operands(id);
            return r.replace(id, Op::Result(trim.result(k)), operands);
        }
        r.keep(id)
    })
}

/// Which results of a loop are read.
fn results(graph: &Graph, id: NodeId, needed: &[bool]) -> Vec<usize> {
    let number = |user: NodeId| if let Op::Result(k) = graph.node(user).op { Some(k) } else { None };
    graph.users(id).into_iter().filter(|u| needed[u.index()]).filter_map(number).collect()
}

/// Which operands (carries, then captures) and which yields of a loop are needed.
struct Trim {
    carries: usize,
    operands: Vec<bool>,
    yields: Vec<bool>,
}

impl Trim {
    /// A carry is needed when it is read afterwards, or in a round for something that is needed.
    fn new(body: &Body, operands: usize, results: &[usize]) -> Trim {
        let mut trim = Trim { carries: body.carries, operands: vec![false; operands], yields: vec![false; body.yields] };
        for k in results {
            if *k < body.carries { trim.operands[*k] = true } else { trim.yields[*k - body.carries] = true }
        }
        loop {
            let read = body.graph.reachable(trim.outputs(body).map(|n| body.graph.outputs[n].node));
            let mut found = false;
            for id in body.graph.ids().filter(|id| read[id.index()]) {
                if let Op::Arg(k @ 1..) = body.graph.node(id).op
                    && !std::mem::replace(&mut trim.operands[k - 1], true)
                {
                    found = true;
                }
            }
            if !found {
                return trim;
            }
        }
    }

    /// The body's outputs that are needed: carries, the stop, yields.
    fn outputs(&self, body: &Body) -> impl Iterator<Item = usize> {
        let stop = std::iter::repeat_n(true, usize::from(body.stop));
        let needed: Vec<bool> =
            self.operands[..self.carries].iter().copied().chain(stop).chain(self.yields.iter().copied()).collect();
        (0..needed.len()).filter(move |n| needed[*n])
    }

    /// The new number of a result.
    fn result(&self, k: usize) -> usize {
        let results = self.operands[..self.carries].iter().chain(&self.yields);
        results.take(k).filter(|needed| **needed).count()
    }

    /// The loop with what is needed.
    fn keep(&self, r: &mut Rebuild, id: NodeId, body: &Body) -> Operand {
        let mut graph = body.graph.clone();
        graph.outputs = self.outputs(body).map(|n| body.graph.outputs[n].clone()).collect();
        let before = |k: usize| self.operands[..k].iter().filter(|needed| **needed).count();
        for n in body.graph.ids() {
            if let Op::Arg(k @ 1..) = &mut graph.node_mut(n).op {
                *k = 1 + before(*k - 1);
            }
        }
        let carries = before(self.carries);
        let yields = self.yields.iter().filter(|needed| **needed).count();
        let body = Body { graph: run(&graph), carries, yields, ..body.clone() };
        let mut operands = r.operands(id);
        let mut needed = self.operands.iter();
        operands.retain(|_| needed.next().is_some_and(|n| *n));
        let node = Node { op: Op::Loop(Box::new(body)), ..r.old.node(id).clone() };
        r.add(node, operands)
    }
}
