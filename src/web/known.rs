//! Known answers: what the interpreter says the model gives for a few drawn inputs, so that a page can test itself on the device that it finds.
//!
//! In: what a page is made of, and the programs that it chooses from. Out: `known.json`: cases of sizes, conditions, inputs and outputs, at least
//! one for each program as far as the interpreter is soon done and the numbers are few. *Not promised:* that every program has one; the file
//! says how many have.

use super::module::{Chosen, Output};
use super::{Request, examples, reached};
use crate::bind::inputs::{self, Given, gather};
use crate::check::model::InputKind;
use crate::exec::session::{bindings, evaluate};
use crate::ir::{Graph, Op, Size, Sym, Tensor};
use crate::plan::Sizes;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The file.
pub const FILE: &str = "known.json";
/// Elements that the interpreter goes through for one case, and for all.
const STEPS: f64 = 4e6;
const ALL_STEPS: f64 = 2e7;
/// Numbers of a case, inputs and outputs together.
const NUMBERS: usize = 8192;
/// What inputs are drawn with.
const SEED: i32 = 11;

/// One program, at sizes that the page chooses it for.
struct Case<'a> {
    chosen: &'a Chosen,
    program: usize,
    sizes: Sizes,
}

/// The known answers of these families.
pub fn known(request: &Request, outputs: &[Output], families: &[Chosen], fixed: &Sizes) -> Value {
    let (mut left, mut cases, mut covered) = (ALL_STEPS, vec![], BTreeSet::new());
    let all: BTreeSet<usize> = families.iter().flat_map(|c| &c.numbers).copied().collect();
    for case in families.iter().flat_map(|c| points(c, fixed)) {
        if !covered.contains(&case.program)
            && let Some(made) = answer(request, outputs, &case, left)
        {
            left -= made.steps;
            if covered.insert(made.program) {
                cases.push(made.json);
            }
        }
    }
    json!({ "programs": all.len(), "tested": covered.len(), "cases": cases })
}

/// A case with what the interpreter says.
struct Answer {
    json: Value,
    /// The program that the page runs: values may decide sizes, and so another one than that which was meant.
    program: usize,
    steps: f64,
}

/// The program that the page runs at these sizes.
fn program(chosen: &Chosen, sizes: &Sizes) -> Option<usize> {
    let program = chosen.family.program(sizes)?;
    let place = chosen.family.programs.iter().position(|p| std::ptr::eq(p, program))?;
    Some(chosen.numbers[place])
}

/// Sizes that may stand for each range of a family's dims, small ones first.
fn points<'a>(chosen: &'a Chosen, fixed: &Sizes) -> Vec<Case<'a>> {
    let family = &chosen.family;
    let mut all: Vec<Sizes> = vec![fixed.clone()];
    for (dim, cuts) in family.dims.iter().zip(&family.cuts) {
        let mut tried: BTreeSet<i64> = BTreeSet::new();
        for (k, from) in cuts.iter().enumerate() {
            let last = cuts.get(k + 1).map_or(i64::MAX, |next| next - 1);
            // No power of two, if the range has others; and the least, where it may have no more.
            tried.extend([from.max(&1) + 2, *from.max(&1)].map(|n| n.min(last)));
        }
        let with = |sizes: &Sizes| {
            let one = |n: &i64| sizes.iter().map(|(s, n)| (s.clone(), *n)).chain([(dim.clone(), *n)]).collect();
            tried.iter().map(one).collect::<Vec<Sizes>>()
        };
        all = all.iter().flat_map(with).collect();
    }
    all.into_iter().filter_map(|sizes| Some(Case { chosen, program: program(chosen, &sizes)?, sizes })).collect()
}

/// What the interpreter says of a case; none where that takes more than what is left, has too many numbers, or where the model has no such
/// sizes.
fn answer(request: &Request, outputs: &[Output], case: &Case, left: f64) -> Option<Answer> {
    let model = request.model;
    let wanted: Vec<&Output> = case.chosen.outputs.iter().filter_map(|name| outputs.iter().find(|o| o.name == *name)).collect();
    let given = drawn(request, case)?;
    let nodes: Vec<_> =
        wanted.iter().filter_map(|o| model.graph.outputs.iter().find(|g| *g.name == *o.name).map(|g| g.node)).collect();
    // With what decides sizes.
    let around = reached(&model.graph, &nodes);
    // Sizes that values decide are as long as they may stand for.
    let known = |name: &str| given.sizes.get(name).or_else(|| case.sizes.get(name)).copied();
    let length = |size: &Size| size.eval(&known).map_or(f64::INFINITY, |n| n.max(0) as f64);
    let steps = steps(&model.graph, &|id| around[id], &length);
    if steps > STEPS.min(left) {
        return None;
    }
    let needed = |name: &str| wanted.iter().any(|o| o.needs.iter().any(|n| n == name));
    let part = |condition: bool| -> BTreeMap<&str, Value> {
        let these = model.inputs.iter().filter(|i| i.condition == condition && needed(&i.name));
        these.filter_map(|i| Some((i.name.as_str(), value(given.tensors.get(&i.name)?)))).collect()
    };
    let (conditions, inputs) = (part(true), part(false));
    let sizes: BTreeMap<&str, i64> = given.sizes.iter().map(|(name, n)| (&**name, *n)).collect();
    let (dims, dense) = (json!(sizes), given.tensors.values().map(Tensor::len).sum::<usize>());
    let measured: Vec<_> = model.graph.measured.iter().filter(|(_, n)| around[n.index()]).collect();
    let mut actual = given.sizes.clone();
    let asked: Vec<_> = nodes.iter().copied().chain(measured.iter().map(|m| m.1)).collect();
    let mut results = evaluate(model, &bindings(request.params.clone(), given, 0), &asked).ok()?;
    let lengths = results.split_off(nodes.len());
    actual.extend(measured.iter().zip(&lengths).map(|((name, _), t)| (name.clone(), (t.get(0).round() as i64).max(0))));
    let numbers = dense + results.iter().map(Tensor::len).sum::<usize>();
    let made: BTreeMap<&str, Value> = wanted.iter().zip(&results).map(|(o, t)| (o.name.as_str(), value(t))).collect();
    let json = json!({ "dims": dims, "conditions": conditions, "inputs": inputs, "outputs": made });
    (numbers <= NUMBERS).then_some(Answer { json, program: program(case.chosen, &actual)?, steps })
}

/// Drawn values for all inputs at the sizes of a case.
fn drawn(request: &Request, case: &Case) -> Option<Given> {
    let model = request.model;
    let decides = |name: &Sym| model.inputs.iter().any(|i| *i.name == **name && matches!(i.kind, InputKind::Size(_)));
    let (conditions, dims): (Vec<_>, Vec<_>) = case.sizes.iter().partition(|(name, _)| decides(name));
    let free = |name: &Sym| model.dims.iter().any(|d| d.name == *name && d.size.is_none());
    let asked = inputs::Request {
        conditions: conditions.into_iter().map(|(name, n)| (name.to_string(), n.to_string())).collect(),
        dims: dims.into_iter().filter(|(name, _)| free(name)).map(|(name, n)| (name.to_string(), *n)).collect(),
        random: true,
        seed: SEED,
        ..inputs::Request::default()
    };
    gather(model, &asked).ok()
}

/// Elements that the interpreter goes through.
fn steps(graph: &Graph, wanted: &dyn Fn(usize) -> bool, length: &dyn Fn(&Size) -> f64) -> f64 {
    let of = |id| {
        let node = graph.node(id);
        match &node.op {
            Op::Loop(body) => length(&body.trips) * steps(&body.graph, &|_| true, length),
            _ => node.shape.iter().chain(&node.inner).map(|a| length(&a.size)).product(),
        }
    };
    graph.ids().filter(|id| wanted(id.index())).map(of).sum()
}

fn value(t: &Tensor) -> Value {
    json!({ "shape": t.shape, "data": examples::numbers(t) })
}
