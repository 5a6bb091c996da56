//! Whether what a source or the command line pins is decided anywhere.
//!
//! What is decided depends on lengths, so nobody knows of a pin that it fits before something is planned. So some lengths are planned for, as soon
//! as a text is checked: a pin that fits nothing at any of them is warned of, on every command alike. One that fits at some of them has nothing to
//! do at the others, where nothing is decided; `hnet explain` says so.

use super::{nearest, sizes_near, unknowns};
use crate::check::model::{Arm, Model};
use crate::diag::{Code, Diagnostic, Sink, listed};
use crate::grad::derivatives;
use crate::ir::{DType, Graph, NodeId, Op, Origin, Pin, Sym, Target};
use crate::opt;
use crate::plan::{self, Decision, Fate, Plan, Sizes, Terms};
use crate::source::Span;
use std::collections::BTreeMap;

/// Lengths that are tried for all free axes at once, and for one of them where the others are of the first.
const ALL: [i64; 6] = [64, 1, 2, 8, 512, 4096];
const ALONE: [i64; 2] = [1, 1 << 16];

/// What is known of a pin: the best that became of it, and what is decided where it stands.
struct Known<'a> {
    pin: &'a Pin,
    fate: Fate,
    there: Vec<Decision>,
}

/// Warns of pins that fit no decision in any model that has them.
pub(super) fn fit(models: &[Model], sink: &mut Sink) {
    let mut known: BTreeMap<Span, Known> = BTreeMap::new();
    for model in models {
        for graph in model_graphs(model) {
            for pin in graph.pins.iter().filter(|p| is_decided(p)) {
                known.entry(pin.span).or_insert_with(|| Known { pin, fate: Fate::Idle, there: vec![] });
            }
        }
    }
    if known.is_empty() {
        return;
    }
    for model in models {
        runs(model, &mut |of, graph, roots| {
            plans(of, graph, roots, &Terms::default(), &mut |plan, sizes| learn(&mut known, &of.graph.pins, plan, sizes))
        });
    }
    known.values().filter(|k| k.fate != Fate::Holds).for_each(|k| sink.push(said(k)));
}

/// Hands on what is decided of a model and the blocks about it, for a processor and for devices, at one binding of sizes after the other, until
/// `done` is.
pub fn decisions(model: &Model, terms: &Terms, done: &mut dyn FnMut(Vec<Decision>) -> bool) {
    let targets = [Target::Cpu, Target::Gpu];
    runs(model, &mut |of, graph, roots| {
        plans(of, graph, roots, terms, &mut |plan, sizes| {
            let beyond = targets.into_iter().flat_map(|target| beyond(target, plan, sizes)).flat_map(|(more, _)| more);
            done(plan.decisions.iter().cloned().chain(beyond).collect())
        })
    });
}

/// What a model and the blocks about it compute: all of it, what is measured, and steps of training; until `done` is.
fn runs(model: &Model, done: &mut dyn FnMut(&Model, &Graph, &[NodeId]) -> bool) {
    let whole = |m: &Model| m.graph.outputs.iter().map(|o| o.node).collect::<Vec<_>>();
    let lifted = model.evals.iter().filter_map(|e| e.lifted.as_deref());
    let forward = [model].into_iter().chain(lifted).map(|m| (m, m.graph.clone(), whole(m)));
    let arms = model.trains.iter().flat_map(|t| &t.arms).map(|arm| {
        let (graph, roots) = step(arm);
        (&*arm.model, graph, roots)
    });
    for (of, graph, roots) in forward.chain(arms) {
        if done(of, &graph, &roots) {
            break;
        }
    }
}

/// The graphs that a model and the blocks about it run.
fn model_graphs(model: &Model) -> impl Iterator<Item = &Graph> {
    let lifted = model.evals.iter().filter_map(|e| e.lifted.as_deref());
    let arms = model.trains.iter().flat_map(|t| &t.arms).map(|arm| &*arm.model);
    [model].into_iter().chain(lifted).chain(arms).map(|m| &m.graph)
}

/// Takes note of what became of pins in a plan; whether all of them hold.
fn learn(known: &mut BTreeMap<Span, Known>, pins: &[Pin], plan: &Plan, sizes: &Sizes) -> bool {
    let (decisions, fates) = decided(plan, sizes);
    for (pin, fate) in pins.iter().zip(&fates) {
        let Some(k) = known.get_mut(&pin.span) else { continue };
        k.fate = k.fate.max(*fate);
        for d in decisions.iter().filter(|d| d.place.is_of(pin.statement)) {
            if !k.there.iter().any(|t| ways(&[t]) == ways(&[d])) {
                k.there.push(d.clone());
            }
        }
    }
    // Others may have pins that this graph does not.
    known.values().all(|k| k.fate == Fate::Holds)
}

/// Decisions, and what became of the pins.
type Decided = (Vec<Decision>, Vec<Fate>);

/// What is decided in a plan, and beyond it for compiled code or a device, where somebody pins something there; and what became of the pins.
fn decided(plan: &Plan, sizes: &Sizes) -> Decided {
    let is_pinned = |target: Target| plan.pins.iter().any(|p| p.what.target() == target);
    let (mut decisions, mut fates) = (plan.decisions.clone(), plan.fates.clone());
    for target in [Target::Cpu, Target::Gpu].into_iter().filter(|target| is_pinned(*target)) {
        for (more, others) in beyond(target, plan, sizes) {
            decisions.extend(more);
            fates = fates.into_iter().zip(others).map(|(a, b)| a.max(b)).collect();
        }
    }
    (decisions, fates)
}

/// What is decided for a target, where it is built in.
fn beyond(target: Target, plan: &Plan, sizes: &Sizes) -> Vec<Decided> {
    match target {
        #[cfg(feature = "cpu")]
        Target::Cpu => vec![crate::cpu::decided(plan, sizes)],
        // A card decides some things that a processor which plays one does not, and the other way round.
        #[cfg(feature = "gpu")]
        Target::Gpu => {
            use crate::gpu::{Reach, decided};
            [Reach::Staged, Reach::Direct].map(|reach| decided(plan, sizes, reach)).to_vec()
        }
        _not_built_in => {
            let _ = (plan, sizes);
            vec![]
        }
    }
}

/// Whether somebody here decides that.
fn is_decided(pin: &Pin) -> bool {
    match pin.what.target() {
        Target::Both => true,
        Target::Cpu => cfg!(feature = "cpu"),
        Target::Gpu => cfg!(feature = "gpu"),
    }
}

/// Plans a graph for one binding of sizes after the other, until nobody wants another plan; whether nobody does.
fn plans(model: &Model, graph: &Graph, roots: &[NodeId], terms: &Terms, done: &mut dyn FnMut(&Plan, &Sizes) -> bool) -> bool {
    let (graph, roots) = opt::optimize_for(graph, roots);
    let all = ALL.iter().map(|n| sizes_near(model, *n));
    let alone = |name: &Sym| {
        ALONE.map(|n| {
            let mut sizes: Sizes = sizes_near(model, ALL[0]);
            sizes.insert(name.clone(), nearest(model, name, n));
            sizes
        })
    };
    let free = unknowns(model);
    let every: Vec<Sizes> = all.chain(free.iter().flat_map(alone)).collect();
    every.iter().enumerate().any(|(k, sizes)| {
        // Lengths that the model refuses say nothing.
        !every[..k].contains(sizes) && plan::plan_on(&graph, &roots, sizes, terms).is_ok_and(|p| done(&p, sizes))
    })
}

/// What a step of training computes: losses, and their gradients by all parameters.
fn step(arm: &Arm) -> (Graph, Vec<NodeId>) {
    let mut graph = arm.model.graph.clone();
    let learned = |id: &NodeId| {
        let node = graph.node(*id);
        node.dtype == DType::F32 && matches!(&node.op, Op::Source { origin: Origin::Param, .. })
    };
    let by: Vec<NodeId> = graph.ids().filter(learned).collect();
    let mut roots: Vec<NodeId> = arm.objectives.iter().map(|o| o.loss).collect();
    for loss in roots.clone() {
        roots.extend(derivatives(&mut graph, loss, &by).into_iter().flatten().map(|d| d.node));
    }
    (graph, roots)
}

/// That a pin fits nothing, and what there is.
fn said(k: &Known) -> Diagnostic {
    let what = k.pin.what.word();
    let of = k.pin.of.as_ref().map_or(String::new(), |of| format!(" of `{of}`"));
    let d = Diagnostic::warning(Code::H0932, k.pin.span, format!("this pin fits nothing that is decided: `{what}`{of}"));
    let (own, others): (Vec<&Decision>, Vec<&Decision>) = k.there.iter().partition(|d| d.site.what == k.pin.what);
    let d = match k.fate {
        Fate::Outdone => d.here("wherever it would hold, another pin counts more"),
        _ if own.is_empty() => d.here(format!("no `{what}` is decided in this statement, at any length that was tried")),
        _ => d.here("no decision of this statement has that name and that way"),
    };
    let there = ways(if own.is_empty() { &others } else { &own });
    match there.is_empty() {
        false => d.note(format!("there is {}", listed(&there))),
        true => {
            d.help("`hnet explain M.hnet` says what is decided where; a pin at a `sub` concerns all that is computed in that net")
        }
    }
}

/// `sum of "base_add": "made" or "multiplied out"`, each value with all its ways at all lengths: rounds of a loop and equal layers have the same.
fn ways(decisions: &[&Decision]) -> Vec<String> {
    let mut all: Vec<((&str, &str), Vec<String>)> = Vec::new();
    for d in decisions {
        let value = (d.site.what.word(), d.name.as_str());
        let at = all.iter().position(|(v, _)| *v == value).unwrap_or_else(|| {
            all.push((value, Vec::new()));
            all.len() - 1
        });
        for way in d.ways.iter().map(|w| format!("\"{}\"", w.text)) {
            if !all[at].1.contains(&way) {
                all[at].1.push(way);
            }
        }
    }
    all.iter().map(|((what, name), ways)| format!("{what} of \"{name}\": {}", ways.join(" or "))).collect()
}
