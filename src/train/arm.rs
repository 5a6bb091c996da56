//! A phase that runs: its arms with their data, their steps made ready, and who of them has the values at the moment.

use super::check::{self, Checked};
use super::course;
use super::fault;
use super::options::How;
use super::ready::{make, sources_of, start};
use super::side::Side;
use super::step::{self, Part, SCALE, Told, Within};
use super::taken::{Taken, read};
use super::trainer::Place;
use crate::bind::init::{cast, scalar};
use crate::bind::inputs::{Given, allowed, assemble};
use crate::check::model::{InputKind, Model, Train};
use crate::diag::Diagnostic;
use crate::exec::session::{self, Options, bindings, rebind};
use crate::exec::table::{self, Table};
use crate::ir::random::philox;
use crate::ir::{Bindings, Data, NodeId, Op, Origin, OutputKind, Tensor};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A phase that runs.
pub(super) struct Running {
    sides: Vec<Side>,
    seed: i32,
    how: How,
    /// The condition that the rounds go through, and its value in this one.
    each: Option<(String, i64, i64)>,
    round: i64,
    /// Who has the values; else they are here.
    holder: Option<(usize, Part)>,
    values: BTreeMap<String, Tensor>,
    pub warnings: Vec<Diagnostic>,
}

impl Running {
    /// Opens the data of a phase. Errors: they are not there or do not fit.
    pub fn new(train: &Train, name: &str, seed: i32, how: How, folder: &Path) -> Result<Running, Diagnostic> {
        let (mut sides, mut warnings) = (vec![], vec![]);
        for (k, arm) in train.arms.iter().enumerate() {
            let rows = course::rows(train, arm);
            let files = table::open(folder, &rows)?;
            let table = Table::new(&arm.model, &rows, &files)?;
            warnings.extend(table.repeats(&rows));
            let key = course::key(name, k);
            let lengths = table.lengths();
            sides.push(Side { arm: arm.clone(), rows, table, lengths, ready: BTreeMap::new(), key });
        }
        Ok(Running { sides, seed, how, each: train.each.clone(), round: 0, holder: None, values: BTreeMap::new(), warnings })
    }

    /// Chooses the round.
    pub fn round(&mut self, round: u64) {
        self.round = self.each.as_ref().map_or(0, |(_, from, _)| from + round as i64);
    }

    /// Takes all values.
    pub fn hold(&mut self, values: BTreeMap<String, Tensor>) -> Result<(), Diagnostic> {
        self.values = values;
        self.holder = None;
        Ok(())
    }

    /// Gives all values.
    pub fn release(&mut self) -> Result<BTreeMap<String, Tensor>, Diagnostic> {
        if let Some((k, part)) = self.holder.take() {
            let ready = self.sides[k].ready.get_mut(&part).expect("it was made ready");
            let stored = ready.engine.take_stored()?;
            self.values.extend(stored.into_iter().filter(|(path, _)| !ready.early.contains_key(path)));
        }
        Ok(std::mem::take(&mut self.values))
    }

    /// All values, which stay where they are.
    pub fn peek(&mut self) -> Result<&BTreeMap<String, Tensor>, Diagnostic> {
        if let Some((k, part)) = self.holder {
            let ready = self.sides[k].ready.get_mut(&part).expect("it was made ready");
            let stored = ready.engine.stored()?;
            let own = stored.iter().filter(|(path, _)| !ready.early.contains_key(*path));
            for (path, t) in own {
                self.values.insert(path.clone(), t.clone());
            }
        }
        Ok(&self.values)
    }

    /// Which arm takes a step, and how many steps it took before.
    fn turn(&self, step: u64) -> (usize, u64) {
        let cycle: u64 = self.sides.iter().map(|s| s.arm.turns).sum();
        let (whole, mut rest) = (step / cycle, step % cycle);
        for (k, side) in self.sides.iter().enumerate() {
            if rest < side.arm.turns {
                return (k, whole * side.arm.turns + rest);
            }
            rest -= side.arm.turns;
        }
        (0, step)
    }

    /// One step. Where it fails, all values are what they were before it.
    pub fn step(&mut self, place: &Place, told: bool) -> Result<Taken, Diagnostic> {
        let (k, before) = self.turn(place.step);
        let accumulate = self.sides[k].arm.accumulate;
        let states = if accumulate > 1 { self.states(k)? } else { BTreeMap::new() };
        let mut out = Taken::default();
        for j in 0..accumulate {
            let part = course::part_of(j, accumulate);
            let taken = match self.batch(k, part, before, before * accumulate + j, place, told) {
                Ok(taken) => taken,
                Err(d) if j > 0 => {
                    self.undo(states)?;
                    return Err(d);
                }
                Err(d) => return Err(d),
            };
            out.add(taken, j);
        }
        if out.skipped && accumulate > 1 {
            self.undo(states)?;
        }
        Ok(out)
    }

    /// States that every batch of an arm changes, as they are.
    fn states(&mut self, k: usize) -> Result<BTreeMap<String, Tensor>, Diagnostic> {
        let outputs = &self.sides[k].arm.model.graph.outputs;
        let names: Vec<_> = outputs.iter().filter(|o| o.kind == OutputKind::Update).map(|o| o.name.to_string()).collect();
        if names.is_empty() {
            return Ok(BTreeMap::new());
        }
        let values = self.peek()?;
        Ok(names.into_iter().filter_map(|n| values.get_key_value(&n)).map(|(n, t)| (n.clone(), t.clone())).collect())
    }

    /// Takes back what the first batches of a step left: gradients that they gathered, states that they changed.
    fn undo(&mut self, states: BTreeMap<String, Tensor>) -> Result<(), Diagnostic> {
        let mut values = self.release()?;
        values.retain(|path, _| !step::is_gathered(path));
        values.extend(states);
        self.hold(values)
    }

    /// The inputs of a batch, and the condition that its rows share.
    fn given(&self, k: usize, q: u64) -> Result<(Given, u64, Option<i32>), Diagnostic> {
        let side = &self.sides[k];
        let batch = side.batch(q, self.seed, self.each.as_ref().map(|_| self.round))?;
        let rows = match batch.parts.is_empty() {
            true => side.table.rows() as u64,
            false => batch.parts.iter().map(|(_, rows)| rows.len() as u64).product(),
        };
        let mut values = side.table.values(&batch, &|_| true)?;
        let model = &*side.arm.model;
        let mut fixed = |name: &str, t: Tensor, who: String| {
            if let Some(input) = model.inputs.iter().find(|i| i.name == name)
                && !values.iter().any(|(i, _, _)| i.name == name)
            {
                values.push((input, cast(&t, input.dtype), who));
            }
        };
        if let Some((name, _, _)) = &self.each {
            fixed(name, scalar(self.round as i32), format!("`for {name}`"));
        }
        for (path, t) in &self.values {
            if let Some(name) = path.strip_prefix("#set.") {
                fixed(name, t.clone(), format!("`set {name}`"));
            }
        }
        let group = batch.group;
        Ok((assemble(model, values, &side.table.extents, self.seed)?, rows, group))
    }

    /// What a step said, told of the data where a column of theirs is to blame.
    fn blamed(&self, k: usize, q: u64, inputs: &Bindings, d: Diagnostic) -> Diagnostic {
        let side = &self.sides[k];
        match side.batch(q, self.seed, self.each.as_ref().map(|_| self.round)) {
            Ok(batch) => side.table.blamed(&side.arm.model, &batch, &inputs.sizes, d),
            Err(_) => d,
        }
    }

    /// One batch of a step.
    fn batch(&mut self, k: usize, part: Part, before: u64, q: u64, place: &Place, told: bool) -> Result<Taken, Diagnostic> {
        let (given, rows, group) = self.given(k, q)?;
        let seed = mixed(self.seed, self.sides[k].key, self.round, q);
        if !self.sides[k].ready.contains_key(&part) {
            let ready = make(&self.sides[k], part, &self.how, &mut self.warnings)?;
            self.sides[k].ready.insert(part, ready);
        }
        let mut inputs = Bindings { sources: BTreeMap::new(), sizes: given.sizes.clone() };
        inputs.sources.extend(given.tensors);
        inputs.sources.insert("seed".into(), scalar(seed));
        inputs.sources.insert("step".into(), scalar(place.step.min(i32::MAX as u64) as i32));
        let model = self.sides[k].arm.model.clone();
        let early_nodes = self.sides[k].ready[&part].step.early.clone();
        if !early_nodes.is_empty() {
            let nodes: Vec<NodeId> = early_nodes.iter().map(|(_, n)| *n).collect();
            let values = self.peek()?.clone();
            let given = Given { tensors: inputs.sources.clone(), sizes: inputs.sizes.clone(), ..Given::default() };
            let got = evaluated(&model, &nodes, &values, given, seed, &Options::default())?;
            for ((name, _), t) in early_nodes.iter().zip(got) {
                let input = model.inputs.iter().find(|i| i.name == *name);
                let t = cast(&t, input.map_or(t.dtype(), |i| i.dtype));
                if let Some(input) = input {
                    allowed(input, &t).map_err(|d| d.note(format!("`feed {name}` gives it, in step {}", place.updates + 1)))?;
                }
                inputs.sources.insert(name.clone(), t);
            }
        }
        for (path, number) in &self.sides[k].ready[&part].step.numbers {
            let updates = before - place.scaling.as_ref().map_or(0, |s| s.skipped(k));
            inputs.sources.insert(path.clone(), number_of(number.value(updates + 1)));
        }
        let scale = place.scaling.as_ref().map(|s| s.scale);
        if let Some(scale) = scale {
            for (path, value) in SCALE.into_iter().zip([scale, 1.0 / scale]) {
                inputs.sources.insert(path.into(), number_of(value));
            }
        }
        self.settle(k, part, &mut inputs)?;
        let side = &mut self.sides[k];
        let ready = side.ready.get_mut(&part).expect("made before");
        let wanted = ready.step.told.clone();
        let fine = |results: &[Tensor]| {
            let must = wanted.iter().zip(results).filter(|((told, _), _)| told.must_be_finite());
            must.into_iter().all(|(_, t)| t.get(0).is_finite())
        };
        let results = ready.engine.step(&inputs, &ready.handed, told, &fine);
        let results = match results {
            Ok(results) => results,
            Err(d) => return Err(table::unbound(&self.sides[k].rows, self.blamed(k, q, &inputs, d))),
        };
        let results = if told { results[..wanted.len()].to_vec() } else { vec![] };
        let held = wanted
            .iter()
            .zip(&results)
            .filter(|((told, _), _)| matches!(told, Told::Objective(_) | Told::Rate(..)))
            .all(|(_, t)| t.get(0).is_finite());
        let skipped = told && held && scale.is_some_and(|s| s > 1.0) && !fine(&results);
        if told && !fine(&results) && !skipped {
            let values = self.peek()?.clone();
            let ready = &self.sides[k].ready[&part];
            return Err(fault::located(&self.sides[k].arm, &ready.step, &results, values, inputs, place.updates + 1));
        }
        let mut out = read(&self.sides[k].arm, &wanted, &results);
        (out.rows, out.arm, out.skipped) = (rows, k, skipped);
        let by = self.sides[k].table.group.as_ref().map(|(name, _)| name.clone());
        out.by = by.zip(group.map(i64::from));
        Ok(out)
    }

    /// Compares the gradients of all arms with differences, on their first batches.
    pub fn check(&mut self, values: &BTreeMap<String, Tensor>) -> Result<Checked, Diagnostic> {
        let mut out = Checked::default();
        for k in 0..self.sides.len() {
            let given = self.given(k, 0)?.0;
            let within = Within { extents: &self.sides[k].lengths, memory: self.how.memory, mixed: false };
            let step = step::step(&self.sides[k].arm, Part::Whole, &within)?;
            let mut inputs = Bindings { sources: given.tensors, sizes: given.sizes };
            inputs.sources.insert("seed".into(), scalar(mixed(self.seed, self.sides[k].key, self.round, 0)));
            inputs.sources.insert("step".into(), scalar(0));
            let bound = all_of(values.clone(), inputs);
            for (n, slopes) in step.slopes.iter().enumerate() {
                let loss = step.told.iter().find(|(t, _)| *t == Told::Objective(n)).expect("every objective is told").1;
                check::check(&step, loss, slopes, &bound, &mut out)?;
            }
        }
        Ok(out)
    }

    /// Makes an arm's step the holder of the values, with all that decides sizes as the inputs say.
    fn settle(&mut self, k: usize, part: Part, inputs: &mut Bindings) -> Result<(), Diagnostic> {
        let model = self.sides[k].arm.model.clone();
        let decides = |name: &str| model.inputs.iter().any(|i| i.name == name && matches!(i.kind, InputKind::Size(_)));
        let early: BTreeMap<String, Tensor> =
            inputs.sources.iter().filter(|(name, _)| decides(name)).map(|(n, t)| (n.clone(), t.clone())).collect();
        inputs.sources.retain(|name, _| !early.contains_key(name));
        let ready = &self.sides[k].ready[&part];
        if self.holder == Some((k, part)) && ready.early == early {
            return Ok(());
        }
        let values = self.release()?;
        let ready = self.sides[k].ready.get_mut(&part).expect("made before");
        let (mut sources, mut aside) = (BTreeMap::new(), BTreeMap::new());
        let read: BTreeSet<String> = sources_of(&ready.step);
        for (path, t) in values {
            if read.contains(&path) {
                sources.insert(path, t)
            } else {
                aside.insert(path, t)
            };
        }
        for c in &ready.step.carried {
            if !sources.contains_key(&c.path) {
                let t = start(c, &sources, &aside)?;
                sources.insert(c.path.clone(), t);
            }
        }
        sources.extend(early.clone());
        self.values = aside;
        self.holder = Some((k, part));
        ready.early = early;
        ready.engine.prepare(&Bindings { sources, sizes: inputs.sizes.clone() })
    }

    /// Nodes of an arm's model, for values and the batch of the step that was taken last (or comes first).
    pub fn values(
        &mut self,
        k: usize,
        nodes: &[NodeId],
        values: &BTreeMap<String, Tensor>,
        place: &Place,
    ) -> Result<Vec<Tensor>, Diagnostic> {
        if nodes.is_empty() {
            return Ok(vec![]);
        }
        let model = self.sides[k].arm.model.clone();
        let mut given = Given::default();
        let reach = model.graph.reachable(nodes.iter().copied());
        let of_batch = |i: &crate::check::model::Input| !i.condition || i.default.is_none();
        let reads_rows = model.graph.ids().filter(|id| reach[id.index()]).any(|id| match &model.graph.node(id).op {
            Op::Source { path, origin: Origin::Input | Origin::Condition } => {
                model.inputs.iter().any(|i| *i.name == **path && of_batch(i))
            }
            _ => false,
        });
        if reads_rows {
            let accumulate = self.sides[k].arm.accumulate;
            let (_, before) = self.turn(place.step.saturating_sub(1));
            given = self.given(k, before * accumulate)?.0;
        }
        given.tensors.insert("step".into(), scalar(place.step.min(i32::MAX as u64) as i32));
        let seed = mixed(self.seed, course::set_key(), self.round, place.step);
        let mut bound = values.clone();
        bound.retain(|path, _| !path.starts_with('#'));
        for (path, t) in values {
            if let Some(name) = path.strip_prefix("#set.") {
                given.tensors.entry(name.to_string()).or_insert_with(|| t.clone());
            }
        }
        if let Some((name, _, _)) = &self.each {
            given.tensors.entry(name.clone()).or_insert_with(|| scalar(self.round as i32));
        }
        for d in &model.dims {
            if let Some(n) = d.size {
                given.sizes.entry(d.name.clone()).or_insert(n);
            }
        }
        evaluated(&model, nodes, &bound, given, seed, &self.how.run)
    }
}

fn number_of(value: f64) -> Tensor {
    Tensor::new(vec![], Data::F32(vec![value as f32]))
}

/// The seed of one batch.
fn mixed(seed: i32, key: u32, round: i64, q: u64) -> i32 {
    philox([q as u32, (q >> 32) as u32, round as u32, key], [seed as u32, 0x7472_6169])[0] as i32
}

/// Inputs with parameters: what the interpreter wants.
pub(super) fn all_of(values: BTreeMap<String, Tensor>, inputs: Bindings) -> Bindings {
    let mut out = Bindings { sources: values, sizes: BTreeMap::new() };
    rebind(&mut out, Given { tensors: inputs.sources, sizes: inputs.sizes, ..Given::default() });
    out
}

/// Nodes of a model's graph for values and inputs.
fn evaluated(
    model: &Model,
    nodes: &[NodeId],
    values: &BTreeMap<String, Tensor>,
    given: Given,
    seed: i32,
    options: &Options,
) -> Result<Vec<Tensor>, Diagnostic> {
    let bound = bindings(values.clone(), given, seed);
    let mut engine = session::engine(&model.graph, nodes, options, &mut vec![])?;
    engine.run(&bound)
}
