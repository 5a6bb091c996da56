//! What shipped models minimise, with the gradients of it.
//!
//! In: a model. Out: every objective of its `train` blocks as they are in training (dropout and noise on, conditions lifted where the
//! data bind them); for a model that has none its losses, and where there are none the sum of its outputs, each number times a weight.

use super::grads::weighed;
use hnet::check::model::Model;
use hnet::grad::pull_back;
use hnet::ir::{DType, Graph, Map, Node, NodeId, Op, Operand, Origin, Output, OutputKind};
use hnet::opt::rebuild;
use std::sync::Arc;

/// A number that depends on parameters.
pub struct Taught {
    /// Its place in the model: block, arm and objective; the name of a loss; or `outputs`.
    pub which: String,
    pub model: Arc<Model>,
    pub graph: Graph,
    pub loss: NodeId,
}

/// All that a model minimises.
pub fn taught(model: &Model) -> Vec<Taught> {
    let mut out = vec![];
    for (t, train) in model.trains.iter().enumerate() {
        for (a, arm) in train.arms.iter().enumerate() {
            for (o, objective) in arm.objectives.iter().enumerate() {
                out.push(Taught::new(format!("{t}.{a}.{o}"), &arm.model, objective.loss));
            }
        }
    }
    if out.is_empty() {
        let losses: Vec<&Output> = model.graph.outputs.iter().filter(|o| o.kind == OutputKind::Loss).collect();
        let one = Arc::new(model.clone());
        out = losses.iter().map(|l| Taught::new(l.name.to_string(), &one, l.node)).collect();
    }
    if out.is_empty() { vec![outputs(model)] } else { out }
}

/// The sum of the real outputs, weighed.
fn outputs(model: &Model) -> Taught {
    let mut graph = model.graph.clone();
    let is_real = |o: &&Output| o.kind == OutputKind::Output && model.graph.node(o.node).dtype == DType::F32;
    let of: Vec<Output> = model.graph.outputs.iter().filter(is_real).cloned().collect();
    let parts: Vec<NodeId> = of.iter().map(|o| weighed(&mut graph, o.node, &format!("weight.{}", o.name))).collect();
    let loss = parts[1..].iter().fold(parts[0], |a, b| {
        let operands = vec![Operand::new(a, vec![]), Operand::new(*b, vec![])];
        graph.add(Node::new(Op::Map(Map::Add), DType::F32, vec![]), operands)
    });
    Taught { which: "outputs".into(), model: Arc::new(model.clone()), graph, loss }
}

impl Taught {
    fn new(which: String, model: &Arc<Model>, loss: NodeId) -> Taught {
        Taught { which, model: model.clone(), graph: model.graph.clone(), loss }
    }

    /// The same with all that is drawn given instead: `draw.0`, `draw.1` and so on, in the order of the graph.
    pub fn with_draws_given(self) -> Taught {
        let mut graph = self.graph;
        graph.outputs = vec![Output { name: "loss".into(), kind: OutputKind::Loss, node: self.loss }];
        let reach = graph.reachable([self.loss]);
        let mut count = 0;
        let graph = rebuild(&graph, Graph::clone, |r, id| {
            if !reach[id.index()] || !matches!(r.old.node(id).op, Op::Random { .. }) {
                return r.keep(id);
            }
            let path = format!("draw.{count}").as_str().into();
            count += 1;
            r.replace(id, Op::Source { origin: Origin::Input, path }, vec![])
        });
        Taught { loss: graph.outputs[0].node, graph, ..self }
    }

    /// The real values that are stored and that the loss is computed from, by path, one of its sources each.
    pub fn stored(&self) -> Vec<(String, NodeId)> {
        let reach = self.graph.reachable([self.loss]);
        let one = |id: NodeId| match &self.graph.node(id).op {
            Op::Source { path, .. } if reach[id.index()] && self.graph.node(id).dtype == DType::F32 => {
                self.model.params.iter().any(|p| *p.path == **path).then(|| (path.to_string(), id))
            }
            _ => None,
        };
        self.graph.ids().filter_map(one).collect()
    }

    /// Adds the gradients of the loss by what is stored, in that order; a source on which it does not depend smoothly has none.
    pub fn slopes(&mut self) -> Vec<(String, Option<NodeId>)> {
        let stored = self.stored();
        let one = self.graph.add(Node::new(Op::Const(1.0), DType::F32, vec![]), vec![]);
        let ids: Vec<NodeId> = stored.iter().map(|(_, id)| *id).collect();
        let found = pull_back(&mut self.graph, &[(self.loss, one)], &ids);
        stored.into_iter().map(|(path, _)| path).zip(found).collect()
    }
}
