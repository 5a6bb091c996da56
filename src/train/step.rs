//! A training step as one graph.
//!
//! In: an arm of a `train` block: a model, its losses, who learns from them by which rule. Out: [`Step`]: a graph whose results are the losses, the
//! norm of the gradients, the learning rates, and the next value of everything that changes: parameters, what their rules
//! remember, states, averages. What changes is a source of the rate of inputs, so that all that is frozen is prepared once and kept.
//!
//! All losses of an arm teach from what the parameters were before the step. What is fed is put in the place of the inputs that it feeds, and no
//! gradient flows through it.

use super::fed::fed;
use super::make::Maker;
use super::rule::{self, Number, Update};
use crate::check::model::{Arm, Clip, Group, InputKind, Learner};
use crate::diag::Diagnostic;
use crate::grad;
use crate::ir::{Axis, DType, Fold, Graph, Map, Node, NodeId, Op, Operand, Origin, OutputKind};
use std::collections::{BTreeMap, BTreeSet};

/// What a step does with its gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// It changes the parameters by them.
    Whole,
    /// It adds them to those of earlier batches.
    Gather,
    /// It changes the parameters by the mean of those that were gathered and its own.
    Last,
}

/// Something that a step tells, and what kind it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// What is made small: the number of the objective.
    Objective(usize),
    /// A loss of the model, by name.
    Loss(String),
    /// The norm of all gradients of an objective.
    Norm(usize),
    /// A learning rate: objective, group.
    Rate(usize, usize),
    /// How often each expert of a route was chosen (the number of the route), and how often he was and had a seat.
    Chosen(usize),
    Seated(usize),
}

/// A value that a step hands to the next.
#[derive(Clone, Debug)]
pub struct Carried {
    pub path: String,
    /// Its next value.
    pub node: NodeId,
    pub start: Start,
}

/// What a carried value is before the first step.
#[derive(Clone, Debug, PartialEq)]
pub enum Start {
    /// A parameter or state of the model, which is stored under this path.
    Stored,
    /// All elements are this number; as many as the parameter of that path has.
    Filled(f64, String),
    /// What the parameter of that path is.
    Copy(String),
}

/// A step.
#[derive(Clone, Debug)]
pub struct Step {
    pub graph: Graph,
    pub told: Vec<(Told, NodeId)>,
    pub carried: Vec<Carried>,
    /// Numbers that change with the updates, by the path of their source.
    pub numbers: Vec<(String, Number)>,
    /// Feeds that decide sizes or seeds: they are computed before the step. Nodes of the arm's model.
    pub early: Vec<(String, NodeId)>,
    /// The gradients of each objective by the paths of parameters, before they are clipped.
    pub slopes: Vec<Vec<(String, NodeId)>>,
}

impl Step {
    /// All nodes that are wanted: what is told, then what is carried.
    pub fn wanted(&self) -> Vec<NodeId> {
        self.told.iter().map(|(_, n)| *n).chain(self.carried.iter().map(|c| c.node)).collect()
    }
}

/// Paths of what training adds begin so; no word of a program does.
fn own(what: &str, path: &str) -> String {
    format!("#{what}.{path}")
}

/// Whether a path is that of a gradient that a step gathers.
pub fn is_gathered(path: &str) -> bool {
    path.starts_with("#gathered.")
}

/// Makes the step of an arm. Errors: what is fed is computed from what it feeds.
pub fn step(arm: &Arm, part: Part) -> Result<Step, Diagnostic> {
    let model = &*arm.model;
    let decides = |name: &str| model.inputs.iter().any(|i| i.name == name && i.kind != InputKind::Tensor);
    let (early, late): (Vec<_>, Vec<_>) = arm.rows.feeds.iter().cloned().partition(|(name, _)| decides(name));
    let mut roots: Vec<NodeId> = model.graph.outputs.iter().filter(|o| o.kind != OutputKind::Output).map(|o| o.node).collect();
    roots.extend(arm.objectives.iter().flat_map(|o| {
        let rates = o.groups.iter().map(|g| g.optimizer.rate);
        [o.loss].into_iter().chain(rates)
    }));
    roots.extend(model.routes.iter().filter_map(|r| r.chosen).flat_map(|(n, s)| [Some(n), s].into_iter().flatten()));
    let (graph, moved) = fed(&model.graph, &late, &roots, arm.rows.span)?;
    // Before anything is differentiated, so that gradients have their part in it.
    let rows = |name: &str| arm.rows.batch.iter().find(|b| *b.0 == *name).and_then(|b| b.1).map(|n| n as i64);
    let (graph, places) = crate::opt::apiece(&graph, &|size| size.eval(&rows));
    let moved = moved.into_iter().map(|n| n.map(|n| places[n.index()])).collect();
    let mut work = Work { arm, part, graph, moved, told: vec![], carried: vec![], numbers: vec![], slopes: vec![] };
    work.losses();
    for k in 0..arm.objectives.len() {
        work.learn(k);
    }
    if part != Part::Gather {
        work.averages();
    }
    work.updates();
    work.loads();
    let changing: BTreeSet<String> = work.carried.iter().map(|c| c.path.clone()).collect();
    let mut graph = work.graph;
    for id in graph.ids().collect::<Vec<_>>() {
        if let Op::Source { path, origin } = &mut graph.node_mut(id).op
            && changing.contains(&**path)
        {
            *origin = Origin::Input;
        }
    }
    graph.outputs.clear();
    Ok(Step { graph, told: work.told, carried: work.carried, numbers: work.numbers, early, slopes: work.slopes })
}

/// A step under construction.
struct Work<'a> {
    arm: &'a Arm,
    part: Part,
    graph: Graph,
    /// Where the nodes of the model's graph are.
    moved: Vec<Option<NodeId>>,
    told: Vec<(Told, NodeId)>,
    carried: Vec<Carried>,
    numbers: Vec<(String, Number)>,
    slopes: Vec<Vec<(String, NodeId)>>,
}

impl Work<'_> {
    fn at(&self, id: NodeId) -> NodeId {
        self.moved[id.index()].expect("all that is wanted was taken over")
    }

    fn source(&mut self, path: &str, dtype: DType, shape: Vec<Axis>) -> NodeId {
        self.graph.add(Node::new(Op::Source { origin: Origin::Input, path: path.into() }, dtype, shape), vec![])
    }

    fn losses(&mut self) {
        for (k, o) in self.arm.objectives.iter().enumerate() {
            self.told.push((Told::Objective(k), self.at(o.loss)));
        }
        let graph = &self.arm.model.graph;
        for o in graph.outputs.iter().filter(|o| o.kind == OutputKind::Loss) {
            if graph.node(o.node).rank() == 0 && graph.node(o.node).dtype == DType::F32 && self.is_given(o.node) {
                self.told.push((Told::Loss(o.name.to_string()), self.at(o.node)));
            }
        }
    }

    /// Whether the block gives all that a value is computed from.
    fn is_given(&self, id: NodeId) -> bool {
        let (model, rows) = (&self.arm.model, &self.arm.rows);
        let bound: BTreeSet<&str> = rows.data.iter().flat_map(|d| &d.columns).map(|(name, _)| name.as_str()).collect();
        let reach = model.graph.reachable([id]);
        model.graph.ids().filter(|n| reach[n.index()]).all(|n| match &model.graph.node(n).op {
            Op::Source { path, .. } => model.inputs.iter().find(|i| *i.name == **path).is_none_or(|i| {
                bound.contains(&*i.name) || i.default.is_some() || rows.feeds.iter().any(|(name, _)| *name == i.name)
            }),
            _ => true,
        })
    }

    /// The gradients of an objective, and what its rules make of them.
    fn learn(&mut self, k: usize) {
        let objective = &self.arm.objectives[k];
        let model = self.arm.model.clone();
        let learners: Vec<&Learner> = objective.groups.iter().flat_map(|g| &g.learners).collect();
        let params: BTreeSet<usize> = learners.iter().map(|l| l.param).collect();
        let params: Vec<usize> = params.into_iter().collect();
        let mut gradients = self.gradients(self.at(objective.loss), &params);
        self.slopes.push(gradients.iter().map(|(p, n)| (model.params[*p].path.clone(), *n)).collect());
        self.only_learners(&learners, &mut gradients);
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
    fn gradients(&mut self, loss: NodeId, params: &[usize]) -> BTreeMap<usize, NodeId> {
        let model = self.arm.model.clone();
        let mut sources: Vec<(usize, NodeId)> = vec![];
        for id in self.graph.ids() {
            if let Op::Source { path, .. } = &self.graph.node(id).op {
                sources.extend(params.iter().filter(|p| *model.params[**p].path == **path).map(|p| (*p, id)));
            }
        }
        let nodes: Vec<NodeId> = sources.iter().map(|(_, id)| *id).collect();
        let one = Maker { graph: &mut self.graph }.number(1.0);
        let found = grad::pull_back(&mut self.graph, &[(loss, one)], &nodes);
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
        let optimizer = &crate::check::model::Optimizer { rate: self.at(group.optimizer.rate), ..group.optimizer.clone() };
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
    fn current(&mut self, path: &str, shape: &[Axis]) -> NodeId {
        if let Some(known) = self.carried.iter().find(|c| c.path == path) {
            return known.node;
        }
        let mut there = self.graph.ids();
        let found = there.find(|id| matches!(&self.graph.node(*id).op, Op::Source { path: p, .. } if **p == *path));
        found.unwrap_or_else(|| self.source(path, DType::F32, shape.to_vec()))
    }

    fn carry(&mut self, path: &str, node: NodeId, start: Start) {
        self.carried.retain(|c| c.path != path);
        self.carried.push(Carried { path: path.to_string(), node, start });
    }

    /// Running averages of what is learned.
    fn averages(&mut self) {
        let Some(factor) = self.arm.average else { return };
        let learned: Vec<Carried> = self.carried.iter().filter(|c| c.start == Start::Stored).cloned().collect();
        for c in learned {
            let path = own("average", &c.path);
            let shape = self.graph.node(c.node).shape.clone();
            let before = self.source(&path, DType::F32, shape);
            let node = Maker { graph: &mut self.graph }.between(before, c.node, 1.0 - factor);
            self.carry(&path, node, Start::Copy(c.path));
        }
    }

    /// States whose `update` is computed from what the block gives.
    fn updates(&mut self) {
        let model = self.arm.model.clone();
        for o in model.graph.outputs.iter().filter(|o| o.kind == OutputKind::Update) {
            if self.is_given(o.node) {
                self.carry(&o.name, self.at(o.node), Start::Stored);
            }
        }
    }

    /// How often each expert was chosen, and had a seat.
    fn loads(&mut self) {
        let model = self.arm.model.clone();
        for (k, route) in model.routes.iter().enumerate() {
            let Some((index, seated)) = route.chosen.filter(|(n, _)| self.is_given(*n)) else { continue };
            let chosen = self.count(self.at(index), None, &route.experts);
            self.told.push((Told::Chosen(k), chosen));
            if let Some(seated) = seated.filter(|s| self.is_given(*s)) {
                let had = self.count(self.at(index), Some(self.at(seated)), &route.experts);
                self.told.push((Told::Seated(k), had));
            }
        }
    }

    /// `n[e] = sum[..] number(index[..] == e and seated[..])`
    fn count(&mut self, index: NodeId, seated: Option<NodeId>, experts: &crate::ir::Size) -> NodeId {
        let expert = Axis::new("expert", experts.clone());
        let iota = self.graph.add(Node::new(Op::Iota, DType::I32, vec![expert.clone()]), vec![]);
        let places = self.graph.node(index).shape.clone();
        let loops: Vec<usize> = (1..=places.len()).collect();
        let all: Vec<Axis> = [expert.clone()].into_iter().chain(places.iter().cloned()).collect();
        let eq = vec![Operand::new(index, loops.clone()), Operand::new(iota, vec![0])];
        let mut mine = self.graph.add(Node::new(Op::Map(Map::Eq), DType::Bool, all.clone()), eq);
        let whole: Vec<usize> = (0..all.len()).collect();
        if let Some(seated) = seated {
            let both = vec![Operand::new(mine, whole.clone()), Operand::new(seated, loops)];
            mine = self.graph.add(Node::new(Op::Map(Map::And), DType::Bool, all.clone()), both);
        }
        let ones = self.graph.add(Node::new(Op::Map(Map::ToF32), DType::F32, all), vec![Operand::new(mine, whole.clone())]);
        let mut fold = Node::new(Op::Fold(Fold::Sum), DType::F32, vec![expert]);
        fold.inner = places;
        self.graph.add(fold, vec![Operand::new(ones, whole)])
    }
}
