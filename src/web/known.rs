//! Known answers: what the interpreter says the model gives for a few drawn inputs, so that a page can test itself on the device that it finds.
//!
//! In: what a page is made of, and the programs that it chooses from. Out: `known.json`: cases of sizes, conditions, inputs and outputs, at least
//! one for each program as far as the interpreter is soon done and the numbers are few. *Not promised:* that every program has one; the file
//! says how many have.

use super::module::{Chosen, Output};
use super::{Request, examples, reached};
use crate::bind::inputs::{self, Given, gather};
use crate::check::model::InputKind;
use crate::exec::session::{bindings, evaluate, rebind};
use crate::ir::{Bindings, Graph, Op, Size, Sym, Tensor};
use crate::plan::Sizes;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The file.
pub const FILE: &str = "known.json";
/// Elements that the interpreter goes through for one case, and for all.
const STEPS: f64 = 4e6;
const ALL_STEPS: f64 = 1.6e7;
/// Numbers of a case, inputs and outputs together.
const NUMBERS: f64 = 8192.0;
/// How long an axis is that nothing says anything of.
const FREE: i64 = 4;
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
    let mut bound = bindings(request.params.clone(), Given::default(), 0);
    let all: BTreeSet<usize> = families.iter().flat_map(|c| &c.numbers).copied().collect();
    for case in families.iter().flat_map(|c| points(c, fixed)) {
        if !covered.contains(&case.program)
            && let Some(made) = answer(request, outputs, &case, &mut bound, &mut left)
            && covered.insert(made.program)
        {
            cases.push(made.json);
        }
    }
    json!({ "programs": all.len(), "tested": covered.len(), "cases": cases })
}

/// A case with what the interpreter says.
struct Answer {
    json: Value,
    /// The program that the page runs: values may decide sizes, and so another one than that which was meant.
    program: usize,
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

/// What the interpreter says of a case; none where that takes more than what is `left` (which is less by it), has too many numbers, or where the
/// model has no such sizes.
fn answer(request: &Request, outputs: &[Output], case: &Case, bound: &mut Bindings, left: &mut f64) -> Option<Answer> {
    let (model, graph) = (request.model, &request.model.graph);
    let wanted: Vec<&Output> = case.chosen.outputs.iter().filter_map(|name| outputs.iter().find(|o| o.name == *name)).collect();
    let node = |o: &&Output| graph.outputs.iter().find(|g| *g.name == *o.name).map(|g| g.node);
    let mut nodes: Vec<_> = wanted.iter().filter_map(node).collect();
    // With what decides sizes, which are as long as they may stand for.
    let around = reached(graph, &nodes);
    let length = |size: &Size| size.eval(&|name| Some(case.sizes.get(name).copied().unwrap_or(FREE))).unwrap_or(0).max(0) as f64;
    let needed = |name: &str| wanted.iter().any(|o| o.needs.iter().any(|n| n == name));
    let given = model.inputs.iter().filter(|i| needed(&i.name)).map(|i| i.shape.iter().map(|a| length(&a.1)).product::<f64>());
    let made = wanted.iter().map(|o| o.shape.iter().map(length).product::<f64>());
    let steps = steps(graph, &|id| around[id], &length);
    if given.chain(made).sum::<f64>() > NUMBERS || steps > STEPS.min(*left) {
        return None;
    }
    *left -= steps;
    let given = drawn(request, case)?;
    let part = |condition: bool| -> BTreeMap<&str, Value> {
        let these = model.inputs.iter().filter(|i| i.condition == condition && needed(&i.name));
        these.filter_map(|i| Some((i.name.as_str(), value(given.tensors.get(&i.name)?)))).collect()
    };
    let (conditions, inputs) = (part(true), part(false));
    let mut sizes = given.sizes.clone();
    let dims: BTreeMap<String, i64> = sizes.iter().map(|(name, n)| (name.to_string(), *n)).collect();
    let measured: Vec<_> = graph.measured.iter().filter(|(_, n)| around[n.index()]).collect();
    nodes.extend(measured.iter().map(|m| m.1));
    rebind(bound, given);
    let mut results = evaluate(model, bound, &nodes).ok()?;
    let lengths = results.split_off(wanted.len());
    sizes.extend(measured.iter().zip(&lengths).map(|((name, _), t)| (name.clone(), (t.get(0).round() as i64).max(0))));
    let made: BTreeMap<&str, Value> = wanted.iter().zip(&results).map(|(o, t)| (o.name.as_str(), value(t))).collect();
    let json = json!({ "dims": dims, "conditions": conditions, "inputs": inputs, "outputs": made });
    Some(Answer { json, program: program(case.chosen, &sizes)? })
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
