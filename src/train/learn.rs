//! What an objective teaches in a step: gradients, their limits, and what rules make of them.

use super::make::Maker;
use super::mixed::in_16_bits;
use super::rule::{self, Update};
use super::step::{Carried, Part, SCALE, Start, Told, Work, own};
use crate::check::model::{Clip, Group, Learner, Optimizer};
use crate::grad;
use crate::ir::{Axis, DType, Map, NodeId, Op};
use std::collections::{BTreeMap, BTreeSet};

impl Work<'_> {
    /// The gradients of an objective, by the places of parameters; those of its scaled loss where it is `scaled`.
    pub(super) fn differentiated(&mut self, k: usize, scaled: bool) -> BTreeMap<usize, NodeId> {
        let objective = &self.arm.objectives[k];
        let learners: Vec<&Learner> = objective.groups.iter().flat_map(|g| &g.learners).collect();
        let params: BTreeSet<usize> = learners.iter().map(|l| l.param).collect();
        let seed = match scaled {
            true => self.source(SCALE[0], DType::F32, vec![]),
            false => Maker { graph: &mut self.graph }.number(1.0),
        };
        let mut gradients = self.gradients(self.at(objective.loss), seed, &params.into_iter().collect::<Vec<_>>());
        self.slopes.push(gradients.iter().map(|(p, n)| (self.arm.model.params[*p].path.clone(), *n)).collect());
        self.only_learners(&learners, &mut gradients);
        gradients
    }

    /// Has all products that are there read 16 bits; the gradients, which have the scale, are those of the loss itself then.
    pub(super) fn in_16_bits(&mut self, gradients: &mut [BTreeMap<usize, NodeId>]) {
        let (graph, places) = in_16_bits(&self.graph);
        self.graph = graph;
        let at = |n: &mut NodeId| *n = places[n.index()];
        self.moved.iter_mut().flatten().for_each(at);
        self.told.iter_mut().for_each(|(_, n)| at(n));
        self.slopes.iter_mut().flatten().for_each(|(_, n)| at(n));
        let unscale = self.source(SCALE[1], DType::F32, vec![]);
        for gradient in gradients.iter_mut().flat_map(|g| g.values_mut()) {
            at(gradient);
            *gradient = Maker { graph: &mut self.graph }.mul(*gradient, unscale);
        }
    }

    /// What the rules of an objective make of its gradients.
    pub(super) fn learn(&mut self, k: usize, mut gradients: BTreeMap<usize, NodeId>) {
        let objective = &self.arm.objectives[k];
        let model = self.arm.model.clone();
        let params: Vec<usize> = gradients.keys().copied().collect();
        if self.part != Part::Whole {
            let count = self.arm.accumulate as f64;
            for p in &params {
                let path = own(&format!("gathered.{k}"), &model.params[*p].path);
                let gradient = gradients[p];
                let shape = self.graph.node(gradient).shape.clone();
                let before = self.source(&path, DType::F32, shape);
                let mut m = Maker { graph: &mut self.graph };
                let sum = m.add(before, gradient);
                let next = if self.part == Part::Last { m.filled(0.0, m.shape(sum)) } else { sum };
                gradients.insert(*p, m.scale(sum, 1.0 / count));
                self.carried.push(Carried { path, node: next, start: Start::Filled(0.0, model.params[*p].path.clone()) });
            }
        }
        if self.part == Part::Gather {
            return;
        }
        self.clipped(k, &params, &mut gradients);
        for (n, group) in objective.groups.iter().enumerate() {
            self.told.push((Told::Rate(k, n), self.at(group.optimizer.rate)));
            self.apply(k, n, group, &gradients);
        }
    }

    /// The gradient of a loss by each of these parameters. Several sources may have one path.
    fn gradients(&mut self, loss: NodeId, seed: NodeId, params: &[usize]) -> BTreeMap<usize, NodeId> {
        let model = self.arm.model.clone();
        let mut sources: Vec<(usize, NodeId)> = vec![];
        for id in self.graph.ids() {
            if let Op::Source { path, .. } = &self.graph.node(id).op {
                sources.extend(params.iter().filter(|p| *model.params[**p].path == **path).map(|p| (*p, id)));
            }
        }
        let nodes: Vec<NodeId> = sources.iter().map(|(_, id)| *id).collect();
        let found = grad::pull_back_within(&mut self.graph, &[(loss, seed)], &nodes, Some(self.room));
        let mut out: BTreeMap<usize, NodeId> = BTreeMap::new();
        for ((p, source), gradient) in sources.iter().zip(found) {
            let mut m = Maker { graph: &mut self.graph };
            let gradient = match gradient {
                Some(g) => g,
                None => m.filled(0.0, m.shape(*source)),
            };
            let sum = match out.get(p) {
                Some(known) => m.add(*known, gradient),
                None => gradient,
            };
            out.insert(*p, sum);
        }
        out
    }

    /// What no group changes has no part in norms and limits: 0 in the nets of an array that do not learn.
    fn only_learners(&mut self, learners: &[&Learner], gradients: &mut BTreeMap<usize, NodeId>) {
        let mut nets: BTreeMap<usize, Vec<bool>> = BTreeMap::new();
        for l in learners {
            let Some(own) = &l.nets else { continue };
            let any = nets.entry(l.param).or_insert_with(|| vec![false; own.len()]);
            any.iter_mut().zip(own).for_each(|(a, b)| *a |= b);
        }
        for (p, nets) in nets.into_iter().filter(|(_, nets)| nets.contains(&false)) {
            let mut m = Maker { graph: &mut self.graph };
            let zero = m.number(0.0);
            let only = m.of_nets(&nets, gradients[&p], self.arm.model.params[p].arrays());
            gradients.insert(p, m.map(Map::Select, &[only, gradients[&p], zero]));
        }
    }

    /// Tells the norm of all gradients together, and keeps it below a limit where there is one.
    fn clipped(&mut self, k: usize, params: &[usize], gradients: &mut BTreeMap<usize, NodeId>) {
        let mut m = Maker { graph: &mut self.graph };
        let mut total = m.number(0.0);
        for p in params {
            let rank = m.graph.node(gradients[p]).rank();
            let squares = m.squares(gradients[p], rank);
            total = m.add(total, squares);
        }
        let norm = m.sqrt(total);
        let factor = match self.arm.clip {
            Some(Clip::Norm(limit)) => {
                let (limit, little, one) = (m.number(limit), m.number(1e-6), m.number(1.0));
                let below = m.add(norm, little);
                let ratio = m.div(limit, below);
                Some(m.map(Map::Min, &[ratio, one]))
            }
            Some(Clip::Value(_)) | None => None,
        };
        for p in params {
            let g = gradients[p];
            let made = match (self.arm.clip, factor) {
                (Some(Clip::Value(limit)), _) => {
                    let (low, high) = (m.number(-limit), m.number(limit));
                    let above = m.map(Map::Max, &[g, low]);
                    m.map(Map::Min, &[above, high])
                }
                (_, Some(factor)) => m.mul(g, factor),
                (_, None) => g,
            };
            gradients.insert(*p, made);
        }
        self.told.push((Told::Norm(k), norm));
    }

    /// Changes the parameters of a group.
    fn apply(&mut self, k: usize, n: usize, group: &Group, gradients: &BTreeMap<usize, NodeId>) {
        let model = self.arm.model.clone();
        let optimizer = &Optimizer { rate: self.at(group.optimizer.rate), ..group.optimizer.clone() };
        let mut numbers = vec![];
        for (j, number) in rule::numbers(optimizer).into_iter().enumerate() {
            let path = format!("#number.{k}.{n}.{j}");
            numbers.push(self.source(&path, DType::F32, vec![]));
            self.numbers.push((path, number));
        }
        for learner in &group.learners {
            let param = &model.params[learner.param];
            let gradient = gradients[&learner.param];
            let shape = self.graph.node(gradient).shape.clone();
            // Groups that share an array remember apart from each other.
            let whose = if learner.nets.is_some() { format!("{k}.{n}") } else { k.to_string() };
            let mut memories = vec![];
            for (word, start) in rule::memories(optimizer) {
                let path = own(&format!("{word}.{whose}"), &param.path);
                let node = self.source(&path, DType::F32, shape.clone());
                memories.push((path, node, start));
            }
            let value = self.current(&param.path, &shape);
            let nodes: Vec<NodeId> = memories.iter().map(|m| m.1).collect();
            let nets = param.arrays();
            let update = Update { optimizer, value, gradient, memories: &nodes, numbers: &numbers, nets };
            let mut m = Maker { graph: &mut self.graph };
            let (mut new, mut remembered) = rule::apply(&mut m, &update);
            if let Some(learn) = &learner.nets {
                let learn = m.of_nets(learn, value, nets);
                let mut only = |new: NodeId, old: NodeId| m.map(Map::Select, &[learn, new, old]);
                new = only(new, value);
                remembered = remembered.into_iter().zip(&nodes).map(|(new, old)| only(new, *old)).collect();
            }
            self.carry(&param.path, new, Start::Stored);
            for ((path, _, start), node) in memories.into_iter().zip(remembered) {
                self.carry(&path, node, Start::Filled(start, param.path.clone()));
            }
        }
    }

    /// The next value that a path has so far in this step, else what it is before the step.
    pub(super) fn current(&mut self, path: &str, shape: &[Axis]) -> NodeId {
        if let Some(known) = self.carried.iter().find(|c| c.path == path) {
            return known.node;
        }
        let mut there = self.graph.ids();
        let found = there.find(|id| matches!(&self.graph.node(*id).op, Op::Source { path: p, .. } if **p == *path));
        found.unwrap_or_else(|| self.source(path, DType::F32, shape.to_vec()))
    }

    pub(super) fn carry(&mut self, path: &str, node: NodeId, start: Start) {
        self.carried.retain(|c| c.path != path);
        self.carried.push(Carried { path: path.to_string(), node, start });
    }
}
