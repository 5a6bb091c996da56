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
use super::rule::Number;
use crate::check::model::{Arm, InputKind};
use crate::diag::Diagnostic;
use crate::grad;
use crate::ir::{Axis, DType, Fold, Graph, Map, Node, NodeId, Op, Operand, Origin, OutputKind, Size, Sym};
use crate::opt::{Apiece, Request, Rows, apiece};
use std::collections::BTreeSet;

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

impl Told {
    /// Whether a step is refused where it is not finite.
    pub fn must_be_finite(&self) -> bool {
        match self {
            Told::Objective(_) | Told::Norm(_) | Told::Rate(..) => true,
            Told::Loss(_) | Told::Chosen(_) | Told::Seated(_) => false,
        }
    }
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
    /// What its loops must keep for their derivatives.
    pub kept: grad::levels::Kept,
}

impl Step {
    /// All nodes that are wanted: what is told, then what is carried.
    pub fn wanted(&self) -> Vec<NodeId> {
        self.told.iter().map(|(_, n)| *n).chain(self.carried.iter().map(|c| c.node)).collect()
    }
}

/// Paths of what training adds begin so; no word of a program does.
pub(super) fn own(what: &str, path: &str) -> String {
    format!("#{what}.{path}")
}

/// Whether a path is that of a gradient that a step gathers.
pub fn is_gathered(path: &str) -> bool {
    path.starts_with("#gathered.")
}

/// Bytes that the loops of a step keep for their derivatives without a word.
pub const MEMORY: u64 = 4 << 30;

/// What is known of the sizes of a step before it runs, and how much its loops may keep.
#[derive(Clone, Copy, Debug)]
pub struct Within<'a> {
    /// Axes whose lengths the data decide.
    pub extents: &'a [(Sym, i64)],
    /// In bytes.
    pub memory: u64,
    /// Whether products read 16 bits, and losses are scaled.
    pub mixed: bool,
}

/// The source of the scale of losses in mixed precision, and of what undoes it.
pub const SCALE: [&str; 2] = ["#scale", "#unscale"];

/// Makes the step of an arm. Errors: what is fed is computed from what it feeds.
pub fn step(arm: &Arm, part: Part, within: &Within) -> Result<Step, Diagnostic> {
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
    let extent = |name: &str| within.extents.iter().find(|e| *e.0 == *name).map(|e| e.1);
    let length = |size: &Size| size.eval(&|name| rows(name).or_else(|| extent(name)));
    let more_ask = |r: &Request| {
        let asking = graph.node(r.index).shape.iter().map(|a| length(&a.size)).product::<Option<i64>>();
        asking.is_some_and(|asking| r.axis.size.constant().is_some_and(|n| (1..asking).contains(&n)))
    };
    let Apiece { graph, places, .. } = apiece(&graph, Rows::Asked, &more_ask);
    let (graph, levels, kept) = grad::levels::in_two_levels(&graph, &length, within.memory);
    let moved = moved.into_iter().map(|n| n.map(|n| levels[places[n.index()].index()])).collect();
    // What loops need not keep, they may.
    let room = grad::Room::new(&length, within.memory, &kept);
    let mut work = Work { arm, part, graph, moved, told: vec![], carried: vec![], numbers: vec![], slopes: vec![], room: &room };
    work.losses();
    let mut gradients: Vec<_> = (0..arm.objectives.len()).map(|k| work.differentiated(k, within.mixed)).collect();
    if within.mixed {
        work.in_16_bits(&mut gradients);
    }
    for (k, gradients) in gradients.into_iter().enumerate() {
        work.learn(k, gradients);
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
    Ok(Step { graph, told: work.told, carried: work.carried, numbers: work.numbers, early, slopes: work.slopes, kept })
}

/// A step under construction.
pub(super) struct Work<'a> {
    pub(super) arm: &'a Arm,
    pub(super) part: Part,
    pub(super) graph: Graph,
    /// Where the nodes of the model's graph are.
    pub(super) moved: Vec<Option<NodeId>>,
    pub(super) told: Vec<(Told, NodeId)>,
    pub(super) carried: Vec<Carried>,
    pub(super) numbers: Vec<(String, Number)>,
    pub(super) slopes: Vec<Vec<(String, NodeId)>>,
    pub(super) room: &'a grad::Room<'a>,
}

impl Work<'_> {
    pub(super) fn at(&self, id: NodeId) -> NodeId {
        self.moved[id.index()].expect("all that is wanted was taken over")
    }

    pub(super) fn source(&mut self, path: &str, dtype: DType, shape: Vec<Axis>) -> NodeId {
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

    /// Running averages of what the block teaches, also of what this arm does not.
    fn averages(&mut self) {
        let Some(average) = &self.arm.average else { return };
        let model = self.arm.model.clone();
        for param in model.params.iter().filter(|p| average.of.contains(&p.path)) {
            let axes: Vec<Axis> = param.shape.iter().map(|size| Axis::new("d", size.clone())).collect();
            let now = self.current(&param.path, &axes);
            let shape = self.graph.node(now).shape.clone();
            let path = own("average", &param.path);
            let before = self.source(&path, DType::F32, shape);
            let node = Maker { graph: &mut self.graph }.between(before, now, 1.0 - average.factor);
            self.carry(&path, node, Start::Copy(param.path.clone()));
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
