//! A checked model as JSON: what `hnet build --emit model` writes, for programs.
//!
//! In: a model, and how places are named. Out: its interface and its parts, keys in this order, lists in the order of the declarations.
//! A size that is known is a number; one that data decide is a text, `t` or `2 * t`.

use super::scene::{Scene, plain};
use crate::check::model::{Allowed, Columns, Init, Input, InputKind, Instance, Model, Param, RouteInfo};
use crate::ir::{NodeId, Op, Origin, OutputKind, Rate, Size};
use crate::source::Span;
use serde_json::{Value, json};

/// The number of this layout: it grows where a key gets another meaning.
pub const LAYOUT: u32 = 1;

/// Names the place of a declaration.
pub type Locate<'a> = &'a dyn Fn(Span) -> Option<String>;

/// The word for a rate.
pub fn rate(rate: Rate) -> &'static str {
    match rate {
        Rate::Constant => "constant",
        Rate::Parameter => "parameter",
        Rate::Condition => "condition",
        Rate::Input => "input",
    }
}

/// The whole model.
pub fn model(m: &Model, at: Locate) -> Value {
    let rates = m.graph.rates();
    let scene = Scene::of(m);
    let net = |i: &Instance| {
        // As the picture colours it: the rate of the fastest of its parameters.
        let own = plain(&i.path);
        let shown = scene.items.iter().find(|item| item.is_net() && item.path == own);
        json!({
            "path": i.path,
            "net": i.net,
            "form": i.form,
            "count": i.count.as_ref().map(size),
            "rate": shown.map(|item| rate(item.rate)),
            "at": at(i.span),
        })
    };
    let relation = |r: &crate::check::model::RelationInfo| {
        json!({
            "kind": r.kind.word(),
            "target": r.target,
            "parameters": r.params,
            "sources": r.sources,
            "at": at(r.span),
        })
    };
    json!({
        "layout": LAYOUT,
        "model": m.name,
        "doc": m.doc,
        "dims": m.dims.iter().map(|d| json!({ "name": &*d.name, "size": d.size })).collect::<Vec<_>>(),
        "inputs": m.inputs.iter().map(|i| input(i, at)).collect::<Vec<_>>(),
        "parameters": m.params.iter().map(|p| param(m, p, &rates, at)).collect::<Vec<_>>(),
        "outputs": outputs(m, &rates),
        "nets": m.instances.iter().map(net).collect::<Vec<_>>(),
        "relations": m.relations.iter().map(relation).collect::<Vec<_>>(),
        "routes": m.routes.iter().map(|r| route(r, at)).collect::<Vec<_>>(),
        "evals": m.evals.iter().map(|e| json!({ "name": e.phase, "report": e.report })).collect::<Vec<_>>(),
        "trains": m.trains.iter().map(|t| json!({ "name": t.phase, "after": t.after, "steps": t.steps })).collect::<Vec<_>>(),
        "nodes": m.graph.len(),
    })
}

fn size(s: &Size) -> Value {
    s.constant().map_or_else(|| json!(s.to_string()), |n| json!(n))
}

fn input(i: &Input, at: Locate) -> Value {
    let (kind, allowed) = match &i.kind {
        InputKind::Tensor => ("tensor", Value::Null),
        InputKind::Seed => ("seed", Value::Null),
        InputKind::Size(Allowed::Any) => ("size", Value::Null),
        InputKind::Size(Allowed::Range(from, to)) => ("size", json!({ "from": from, "below": to })),
        InputKind::Size(Allowed::List(list)) => ("size", json!(list)),
    };
    json!({
        "name": i.name,
        "kind": kind,
        "condition": i.condition,
        "dtype": i.dtype.word(),
        "shape": i.shape.iter().map(|(_, s)| size(s)).collect::<Vec<_>>(),
        "axes": i.shape.iter().map(|(name, _)| name.as_deref()).collect::<Vec<_>>(),
        "below": i.below.as_ref().map(size),
        "allowed": allowed,
        "default": i.default.as_ref().map(init),
        "at": at(i.span),
    })
}

fn param(m: &Model, p: &Param, rates: &[Rate], at: Locate) -> Value {
    let source = |id: &NodeId| matches!(&m.graph.node(*id).op, Op::Source { path, .. } if **path == *p.path);
    let own = m.graph.ids().find(source).map_or(Rate::Parameter, |id| rates[id.index()]);
    let numbers = p.shape.iter().map(Size::constant).try_fold(1i64, |n, s| n.checked_mul(s?));
    json!({
        "path": p.path,
        "kind": match p.origin {
            Origin::State => "state",
            Origin::Load => "load",
            Origin::Param | Origin::Input | Origin::Condition | Origin::Seed => "param",
        },
        "dtype": p.dtype.word(),
        "shape": p.shape.iter().map(size).collect::<Vec<_>>(),
        "numbers": numbers,
        "rate": rate(own),
        "frozen": p.is_frozen(),
        "init": p.init.as_ref().map(init),
        "provided": p.provided,
        "at": at(p.span),
    })
}

fn outputs(m: &Model, rates: &[Rate]) -> Vec<Value> {
    let dim = |name: &str| m.dims.iter().find(|d| &*d.name == name).map(|d| d.name.to_string());
    let one = |o: &crate::ir::Output| {
        let node = m.graph.node(o.node);
        json!({
            "name": &*o.name,
            "kind": match o.kind {
                OutputKind::Output => "output",
                OutputKind::Loss => "loss",
                OutputKind::Update => "update",
            },
            "dtype": node.dtype.word(),
            "shape": node.shape.iter().map(|a| size(&a.size)).collect::<Vec<_>>(),
            "axes": node.shape.iter().map(|a| dim(&a.name)).collect::<Vec<_>>(),
            "rate": rate(rates[o.node.index()]),
        })
    };
    m.graph.outputs.iter().map(one).collect()
}

fn route(r: &RouteInfo, at: Locate) -> Value {
    json!({
        "over": r.over,
        "experts": size(&r.experts),
        "slots": r.slots.as_ref().map(size),
        "capacity": r.capacity,
        "at": at(r.span),
    })
}

fn columns(list: &[Columns]) -> String {
    let one = |c: &Columns| match c {
        Columns::Alike { count, std } => format!("{count} of std {std}"),
        Columns::Times { count, each } => format!("{count} times ({})", columns(each)),
    };
    list.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// An initialiser as it is written.
fn init(i: &Init) -> String {
    match i {
        Init::Fill(v) => format!("{v}"),
        Init::Normal { mean, std } => format!("normal(mean: {mean}, std: {std})"),
        Init::TruncatedNormal { mean, std } => format!("truncated_normal(mean: {mean}, std: {std})"),
        Init::Uniform { from, to } => format!("uniform({from}, {to})"),
        Init::Bernoulli { p } => format!("bernoulli({p})"),
        Init::RandInt { n } => format!("randint({n})"),
        Init::Orthogonal { gain } => format!("orthogonal(gain: {gain})"),
        Init::Eye { gain } => format!("eye(gain: {gain})"),
        Init::Columns { parts, uniform } => {
            format!("{} columns ({})", if *uniform { "uniform" } else { "normal" }, columns(parts))
        }
        Init::Node(_) => "computed".to_string(),
    }
}
