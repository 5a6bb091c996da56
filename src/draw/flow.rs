//! Which box hands values to which, read off the graph.
//!
//! A value belongs to the net whose parameters made it. So the walk follows, for every node, the boxes that its value comes
//! from straight away ([`Trace::from`]), or, where it is still nothing but parameters, the nets that own those ([`Trace::weights`]).
//! Where the two meet, a net is applied. Generated parameters are values of their generator; where such a value meets
//! another one, the generated net is applied. Parameters that a value picked (`expert[idx]`, `embed[token]`) are a value already, but
//! may still be applied to another one.

use super::scene::{Kind, Link, Scene, plain};
use crate::check::model::{Model, RelationInfo};
use crate::ir::{Map, Op, Origin, OutputKind, Rate};
use std::borrow::Borrow;
use std::collections::BTreeSet;

#[derive(Clone, Default)]
struct Trace {
    from: BTreeSet<usize>,
    weights: BTreeSet<usize>,
    /// Nets of `from` whose value is parameters that were picked.
    picked: BTreeSet<usize>,
}

/// Adds the edges of values, and finds the rate of every net.
pub fn trace(model: &Model, scene: &mut Scene) {
    let graph = &model.graph;
    let rates = graph.rates();
    let open = open_relations(model, scene);
    let mut traces: Vec<Trace> = Vec::with_capacity(graph.len());
    for id in graph.ids() {
        let trace = match &graph.node(id).op {
            Op::Source { origin, path } => source(scene, *origin, &plain(path)),
            _ => {
                let operands: Vec<&Trace> = graph.operands(id).iter().map(|o| &traces[o.node.index()]).collect();
                match &graph.node(id).op {
                    Op::Gather { .. } => pick(scene, &operands, &open),
                    Op::Map(Map::Add) => meet(scene, &without_shortcuts(scene, &operands), &open),
                    _ => meet(scene, &operands, &open),
                }
            }
        };
        for k in &trace.from {
            if scene.items[*k].is_net() {
                raise(scene, *k, rates[id.index()]);
            }
        }
        traces.push(trace);
    }
    for o in graph.outputs.iter().filter(|o| o.kind != OutputKind::Update) {
        let path = format!("output {}", o.name);
        let Some(to) = scene.items.iter().position(|t| t.path == path && matches!(t.kind, Kind::Output | Kind::Loss)) else {
            continue;
        };
        let t = traces[o.node.index()].clone();
        for from in t.from.iter().chain(&t.weights) {
            scene.link(*from, to, Link::Flow);
        }
    }
    // A net whose values are not seen one by one (its parameters are generated) is as fast as the one around it.
    for k in 0..scene.items.len() {
        if let (true, Some(p)) = (scene.items[k].is_net(), scene.items[k].parent)
            && !scene.edges.iter().any(|e| scene.within(e.to, k) && e.link == Link::Flow)
        {
            scene.items[k].rate = scene.items[k].rate.max(scene.items[p].rate);
        }
    }
}

/// Relations whose sources are read off the values: blends, and those that name no net (a `let` stands between).
fn open_relations(model: &Model, scene: &Scene) -> Vec<(usize, Link)> {
    let blends =
        model.routes.iter().filter(|r| r.slots.is_none()).filter_map(|r| Some((scene.net_of(&plain(&r.over))?, Link::Blend)));
    let unnamed = |r: &&RelationInfo| !r.sources.iter().any(|s| scene.find(&plain(s)).is_some_and(|k| scene.items[k].is_net()));
    let others = model.relations.iter().filter(unnamed).filter_map(|r| Some((scene.find(&plain(&r.target))?, Link::of(r.kind)?)));
    blends.chain(others).collect()
}

/// The operands of a sum without what only goes round a net that another operand comes through: `x + f(x)` is the value of `f`.
fn without_shortcuts(scene: &Scene, operands: &[&Trace]) -> Vec<Trace> {
    let all: BTreeSet<usize> = operands.iter().flat_map(|t| t.from.iter().copied()).collect();
    let later =
        |k: usize| all.iter().any(|o| *o != k && !scene.within(*o, k) && comes_from(scene, *o, k) && !comes_from(scene, k, *o));
    let kept = |t: &&Trace| Trace { from: t.from.iter().copied().filter(|k| !later(*k)).collect(), ..(*t).clone() };
    operands.iter().map(kept).collect()
}

/// A net is as fast as the fastest of its values, and so are the nets around it.
fn raise(scene: &mut Scene, net: usize, rate: Rate) {
    let mut at = Some(net);
    while let Some(k) = at {
        scene.items[k].rate = scene.items[k].rate.max(rate);
        at = scene.items[k].parent;
    }
}

fn source(scene: &Scene, origin: Origin, path: &str) -> Trace {
    let mut out = Trace::default();
    match origin {
        Origin::Seed => {}
        Origin::Input | Origin::Condition => out.from.extend(scene.find(path)),
        Origin::Param | Origin::State | Origin::Load => match scene.net_of(path) {
            Some(net) => drop(out.weights.insert(net)),
            None => out.from.extend(scene.find(path)),
        },
    }
    out
}

/// Parameters indexed by values: the values decide which net is applied.
fn pick(scene: &mut Scene, operands: &[&Trace], open: &[(usize, Link)]) -> Trace {
    let Some(net) = operands.first().filter(|t| t.from.is_empty()).and_then(|t| common(scene, &t.weights)) else {
        return meet(scene, operands, open);
    };
    let from: Vec<usize> = operands[1..].iter().flat_map(|t| t.from.iter().copied()).collect();
    if from.is_empty() {
        return operands[0].clone();
    }
    Trace { picked: BTreeSet::from([net]), ..apply(scene, &from, net) }
}

/// Picked parameters meet a value that does not come from them: the net is applied to it.
fn apply_picked(scene: &mut Scene, all: &Trace) -> Option<Trace> {
    let net = common(scene, &all.picked).filter(|_| all.weights.is_empty())?;
    let others: Vec<usize> = all.from.iter().copied().filter(|f| !scene.within(*f, net)).collect();
    if others.is_empty() {
        return Some(all.clone());
    }
    let fresh = others.iter().any(|o| scene.items[*o].kind != Kind::Param) && !others.iter().any(|o| comes_from(scene, *o, net));
    fresh.then(|| apply(scene, &others, net))
}

/// Whether values reach `item` from `net`.
fn comes_from(scene: &Scene, item: usize, net: usize) -> bool {
    let mut seen = vec![false; scene.items.len()];
    let mut todo = vec![net];
    while let Some(k) = todo.pop() {
        if scene.within(item, k) {
            return true;
        }
        if !std::mem::replace(&mut seen[k], true) {
            let leaves = |e: &&super::scene::Edge| scene.within(e.from, k) || scene.within(k, e.from);
            todo.extend(scene.edges.iter().filter(leaves).map(|e| e.to));
        }
    }
    false
}

fn meet<T: Borrow<Trace>>(scene: &mut Scene, operands: &[T], open: &[(usize, Link)]) -> Trace {
    let operands: Vec<&Trace> = operands.iter().map(Borrow::borrow).collect();
    let mut all = Trace::default();
    for o in &operands {
        all.from.extend(&o.from);
        all.weights.extend(&o.weights);
        all.picked.extend(&o.picked);
    }
    if all.from.is_empty() {
        return all;
    }
    if let Some(done) = apply_picked(scene, &all) {
        return done;
    }
    all.picked.clear();
    if let Some(net) = generated(scene, &operands) {
        let others: Vec<usize> = all.from.iter().copied().filter(|f| !relates(scene, *f, net)).collect();
        return apply(scene, &others, net);
    }
    let Some(net) = common(scene, &all.weights) else { return all };
    if all.from.iter().all(|f| relates(scene, *f, net)) {
        // Adapted or scaled: still the net's own parameters.
        return Trace { weights: all.weights, ..Trace::default() };
    }
    let from: Vec<usize> = all.from.iter().copied().collect();
    if let Some((target, link)) = open.iter().copied().find(|(t, _)| scene.within(net, *t) || scene.within(*t, net)) {
        let outside = from.iter().all(|f| !scene.within(*f, target));
        let known = |f: &usize| scene.edges.iter().any(|e| e.from == *f && e.to == target && e.link == link);
        // The first value that meets the parameters changes them; what comes after it is what the net is applied to.
        if outside && (from.iter().all(known) || !scene.edges.iter().any(|e| e.to == target && e.link == link)) {
            from.iter().for_each(|f| scene.link(*f, target, link));
            return Trace { weights: all.weights, ..Trace::default() };
        }
    }
    apply(scene, &from, net)
}

fn apply(scene: &mut Scene, from: &[usize], net: usize) -> Trace {
    for f in from {
        // An edge back is the next round of an array or a loop; the array's count says as much.
        if !comes_from(scene, *f, net) {
            scene.link(*f, net, Link::Flow);
        }
    }
    Trace { from: BTreeSet::from([net]), ..Trace::default() }
}

/// The box around all of these.
fn common(scene: &Scene, nets: &BTreeSet<usize>) -> Option<usize> {
    let mut all = nets.iter().copied();
    let first = all.next()?;
    Some(all.try_fold(first, |a, b| scene.around(a, b)).unwrap_or(first))
}

/// Whether a relation leads from a box (or one around it) to a net (or one around or in it).
fn relates(scene: &Scene, from: usize, net: usize) -> bool {
    let relation = |e: &&super::scene::Edge| !matches!(e.link, Link::Flow | Link::Route | Link::Blend);
    let reaches = |e: &super::scene::Edge| scene.within(from, e.from) && (scene.within(net, e.to) || scene.within(e.to, net));
    scene.edges.iter().filter(relation).any(reaches)
}

/// The net that is applied where a generated parameter meets another value.
fn generated(scene: &Scene, operands: &[&Trace]) -> Option<usize> {
    let edges = scene.edges.iter().filter(|e| e.link == Link::Generate);
    edges.map(|e| (e.from, e.to)).find_map(|(generator, net)| {
        let written = |t: &&&Trace| t.from.iter().any(|f| scene.within(*f, generator));
        let value = |t: &&&Trace| t.from.iter().any(|f| !scene.within(*f, generator));
        let some = operands.iter().any(|t| written(&t) && !value(&t));
        let other = operands.iter().any(|t| value(&t) && !written(&t));
        (some && other).then_some(net)
    })
}
