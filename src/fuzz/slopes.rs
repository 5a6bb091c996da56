//! Derivatives in the place of a program's outputs.
//!
//! In: a model. Out: the same model, whose outputs are the derivatives of one number, all its real outputs added up with weights, by each real value that
//! is given or stored; of order 2, of those derivatives added up, by all of them again. What is compared of outputs is so compared of derivatives.
//! [`Slopes::compare`] holds them against differences of that number, in f64.

use super::check::Failure;
use super::rng::Rng;
use crate::check::model::Model;
use crate::grad::differences::{Verdict, compare};
use crate::grad::pull_back;
use crate::ir::interp::evaluate;
use crate::ir::{Axis, Bindings, DType, Data, Graph, Map, Node, NodeId, Op, Operand, Output, OutputKind, Tensor};
use std::collections::BTreeMap;

/// Elements of each value along which a slope is taken, besides one direction of all.
const ELEMENTS: usize = 2;

/// A model of derivatives.
pub struct Slopes {
    pub model: Model,
    /// What they are derivatives of.
    number: NodeId,
    /// Of each output, what it is a derivative by.
    by: Vec<String>,
}

/// What was compared with differences.
#[derive(Clone, Copy, Debug, Default)]
pub struct Compared {
    pub alike: usize,
    /// Directions along which there is a corner just there, or no number.
    pub corners: usize,
}

/// The derivatives of this order; none where nothing real depends on anything real.
pub fn slopes(model: &Model, order: usize) -> Option<Slopes> {
    let mut model = model.clone();
    let real = |o: &&Output| o.kind != OutputKind::Update && model.graph.node(o.node).dtype == DType::F32;
    let mut parts: Vec<NodeId> = model.graph.outputs.iter().filter(real).map(|o| o.node).collect();
    let graph = &mut model.graph;
    graph.outputs.clear();
    let (mut number, mut found) = (None, vec![]);
    for k in 0..order {
        let total = sum(graph, &parts, k)?;
        found = derivatives(graph, total);
        parts = found.iter().map(|(_, node)| *node).collect();
        number = Some(total);
    }
    let output = |(k, node): (usize, NodeId)| Output { name: format!("by_{k}").into(), kind: OutputKind::Output, node };
    graph.outputs = parts.into_iter().enumerate().map(output).collect();
    let by: Vec<String> = found.into_iter().map(|(path, _)| path).collect();
    (!by.is_empty()).then_some(Slopes { model, number: number?, by })
}

/// The derivatives of a number by all real sources that it is computed from.
fn derivatives(graph: &mut Graph, number: NodeId) -> Vec<(String, NodeId)> {
    let reach = graph.reachable([number]);
    let source = |id: NodeId| match &graph.node(id).op {
        Op::Source { path, .. } if reach[id.index()] && graph.node(id).dtype == DType::F32 => Some((path.to_string(), id)),
        _ => None,
    };
    let by: Vec<(String, NodeId)> = graph.ids().filter_map(source).collect();
    let ids: Vec<NodeId> = by.iter().map(|(_, id)| *id).collect();
    let one = constant(graph, 1.0);
    let found = pull_back(graph, &[(number, one)], &ids);
    by.into_iter().zip(found).filter_map(|((path, _), node)| Some((path, node?))).collect()
}

/// The sum of all elements of some values, each times a weight of its own.
fn sum(graph: &mut Graph, parts: &[NodeId], key: usize) -> Option<NodeId> {
    let one = |graph: &mut Graph, (k, part): (usize, &NodeId)| {
        let axes = graph.node(*part).shape.clone();
        let weight = weights(graph, &axes, (k + 3 * key) as f64);
        let all: Vec<usize> = (0..axes.len()).collect();
        let operands = vec![Operand::new(*part, all.clone()), Operand::new(weight, all)];
        match axes.is_empty() {
            true => graph.add(Node::new(Op::Map(Map::Mul), DType::F32, vec![]), operands),
            false => graph.add(Node { inner: axes, ..Node::new(Op::Contract, DType::F32, vec![]) }, operands),
        }
    };
    let terms: Vec<NodeId> = parts.iter().enumerate().map(|p| one(graph, p)).collect();
    terms.into_iter().reduce(|a, b| map(graph, Map::Add, &[], vec![Operand::new(a, vec![]), Operand::new(b, vec![])]))
}

fn constant(graph: &mut Graph, x: f64) -> NodeId {
    graph.add(Node::new(Op::Const(x), DType::F32, vec![]), vec![])
}

fn map(graph: &mut Graph, what: Map, axes: &[Axis], operands: Vec<Operand>) -> NodeId {
    graph.add(Node::new(Op::Map(what), DType::F32, axes.to_vec()), operands)
}

/// A sine that is neither constant nor alike along two axes; over no axes a number.
fn weights(graph: &mut Graph, axes: &[Axis], key: f64) -> NodeId {
    let mut angle = Operand::new(constant(graph, 1.0 + 0.7 * key), vec![]);
    let all: Vec<usize> = (0..axes.len()).collect();
    for (d, axis) in axes.iter().enumerate() {
        let line = std::slice::from_ref(axis);
        let place = graph.add(Node::new(Op::Iota, DType::I32, line.to_vec()), vec![]);
        let place = map(graph, Map::ToF32, line, vec![Operand::new(place, vec![0])]);
        let speed = constant(graph, 1.3 + 0.9 * d as f64);
        let turned = map(graph, Map::Mul, line, vec![Operand::new(place, vec![0]), Operand::new(speed, vec![])]);
        angle = Operand::new(map(graph, Map::Add, axes, vec![angle, Operand::new(turned, vec![d])]), all.clone());
    }
    map(graph, Map::Sin, axes, vec![angle])
}

impl Slopes {
    /// Compares the derivatives, `values` of the outputs, with differences.
    pub fn compare(&self, bindings: &Bindings, values: &[Tensor], seed: u64) -> Result<Compared, Failure> {
        // Several sources may have one path: they are one value.
        let mut by: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for (path, value) in self.by.iter().zip(values) {
            let value = value.to_f64();
            let sum = by.entry(path).or_insert_with(|| vec![0.0; value.len()]);
            sum.iter_mut().zip(value).for_each(|(s, v)| *s += v);
        }
        let mut out = Compared::default();
        let mut rng = Rng::new(seed);
        for (path, slope) in by {
            let count = slope.len();
            let mut directions: Vec<Vec<f64>> = vec![(0..count).map(|_| 2.0 * rng.unit() - 1.0).collect()];
            for _ in 0..ELEMENTS.min(count) {
                let place = rng.below(count);
                directions.push((0..count).map(|k| f64::from(u8::from(k == place))).collect());
            }
            for along in directions {
                let total: f64 = slope.iter().zip(&along).map(|(s, d)| s * d).sum();
                match compare(total, |by| self.moved(bindings, path, &along, by)) {
                    Verdict::Alike(_) => out.alike += 1,
                    Verdict::Corner => out.corners += 1,
                    Verdict::Apart(wanted) => {
                        let sizes = &bindings.sizes;
                        let detail =
                            format!("the slope by `{path}` along {along:?} is {total:e} and not {wanted:e} with {sizes:?}");
                        return Err(Failure::new("slope", detail));
                    }
                }
            }
        }
        Ok(out)
    }

    /// The number where a source is moved.
    fn moved(&self, bindings: &Bindings, path: &str, along: &[f64], by: f64) -> Option<f64> {
        let mut bound = bindings.clone();
        let old = bound.sources.get(path)?;
        let data = old.to_f64().iter().zip(along).map(|(x, d)| x + by * d).collect();
        let new = Tensor::new(old.shape.clone(), Data::F64(data));
        bound.sources.insert(path.to_string(), new);
        Some(evaluate(&self.model.graph, &bound, &[self.number]).ok()?[0].get(0))
    }
}
