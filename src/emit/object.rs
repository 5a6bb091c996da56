//! A model as an object file and its header.
//!
//! In: a model, a number for every size. Out: both texts. The code is right for other sizes too, so it is made where little is taken for
//! granted: at the sizes that are asked for, or at primes near them, where no two are equal by chance.

use crate::check::model::{Allowed, Input, InputKind, Model};
use crate::cpu::{self, Face, Free};
use crate::diag::{Code, Diagnostic, suggest};
use crate::gpu;
use crate::ir::outside::axis_words;
use crate::ir::{NodeId, Op, Output, OutputKind, Size, Sym};
use crate::plan::{self, Granted, Plan, Sizes, Terms};
use crate::{opt, pipeline};

/// The object of these outputs and losses, all where none is named, and its header. Errors: there is no such output; a size that the
/// caller cannot know.
pub fn object(
    model: &Model,
    sizes: &Sizes,
    terms: &Terms,
    outputs: &[String],
    locate: gpu::Locate,
) -> Result<(Vec<u8>, String), Diagnostic> {
    let outputs = chosen(model, outputs)?;
    let mut face = face(model, &outputs)?;
    let plan = plan(model, &outputs, sizes, terms, &face.sizes)?;
    let demands = plan.demands.computed.iter().chain(plan.demands.arriving.iter().map(|a| &a.demand));
    let say = |d: &crate::plan::Demand| {
        let place = locate(d.span).map_or(String::new(), |p| format!(" at {p}"));
        format!("an index is outside of {}{place}", axis_words(&d.axis.name))
    };
    face.demands = demands.map(say).collect();
    cpu::emit_object(&plan, sizes, &face)
}

/// Outputs and losses by name, in the order of the model.
fn chosen<'m>(model: &'m Model, names: &[String]) -> Result<Vec<&'m Output>, Diagnostic> {
    let all: Vec<&Output> = model.graph.outputs.iter().filter(|o| o.kind != OutputKind::Update).collect();
    if let Some(name) = names.iter().find(|n| !all.iter().any(|o| *o.name == ***n)) {
        let d = Diagnostic::plain(Code::H0612, format!("`{}` has no output `{name}`", model.name));
        let words: Vec<&str> = all.iter().map(|o| &*o.name).collect();
        return Err(match suggest(name, words.iter().copied()) {
            Some(near) => d.help(format!("there is `{near}`")),
            None => d.help(format!("it has {}", words.join(", "))),
        });
    }
    Ok(all.into_iter().filter(|o| names.is_empty() || names.iter().any(|n| **n == *o.name)).collect())
}

/// The plan that holds at most sizes: the one for those that are asked for, if it is as good as any.
fn plan(model: &Model, outputs: &[&Output], sizes: &Sizes, terms: &Terms, free: &[Free]) -> Result<Plan, Diagnostic> {
    let wanted: Vec<NodeId> = outputs.iter().map(|o| o.node).collect();
    let (graph, roots) = opt::optimize_for(&model.graph, &wanted);
    let plan_at = |sizes: &Sizes| {
        let mut plan = plan::plan_on(&graph, &roots, sizes, terms)?;
        plan.granted.retain(|g| !is_certain(g, free));
        Ok::<Plan, Diagnostic>(plan)
    };
    let base = apart(model, sizes, &|n| n.max(5));
    // Short axes let a plan rely on little, if only by making it look everywhere.
    let short = apart(model, sizes, &|_| 2);
    let samples = samples(&base, free);
    let broken = |plan: &Plan| samples.iter().map(|at| plan.granted.iter().filter(|g| !holds(g, at)).count()).sum::<usize>();
    let asked = plan_at(sizes)?;
    let mut best = (broken(&asked), asked);
    for at in [base.clone()].into_iter().chain(others(&base, free)).chain([short]) {
        if best.0 == 0 {
            break;
        }
        // What a condition allows may not go together with all else.
        let Ok(plan) = plan_at(&at) else { continue };
        let count = broken(&plan);
        if count < best.0 {
            best = (count, plan);
        }
    }
    Ok(best.1)
}

fn holds(g: &Granted, at: &Sizes) -> bool {
    let value = |s: &Size| s.value(&|name| at.get(name).copied()).ok();
    value(&g.least).zip(value(&g.most)).is_some_and(|(least, most)| least <= most)
}

/// The values that a condition allows a size, where it does not allow all.
fn values(free: &Free) -> Vec<i64> {
    free.allowed.iter().flat_map(|(from, to)| *from..=(*to).min(from + 63)).take(64).collect()
}

/// Whether it holds for all values of the one condition that it speaks of.
fn is_certain(g: &Granted, free: &[Free]) -> bool {
    let unknown = g.most.sub(&g.least).symbols();
    let [size] = unknown.as_slice() else { return false };
    let few = |f: &&Free| f.size == *size && f.allowed.iter().map(|(from, to)| to - from + 1).sum::<i64>() <= 64;
    let Some(free) = free.iter().find(few).filter(|f| !f.allowed.is_empty()) else { return false };
    values(free).iter().all(|n| holds(g, &[(size.clone(), *n)].into()))
}

/// Sizes that a program may call the model with: one at a time is short, long, or another one that is allowed.
fn samples(base: &Sizes, free: &[Free]) -> Vec<Sizes> {
    let mut out = vec![base.clone()];
    for f in free {
        let listed = values(f);
        let all = if listed.is_empty() { vec![0, 1, 2, 3, 64, 257, 1000] } else { listed };
        out.extend(all.iter().map(|n| base.iter().map(|(s, old)| (s.clone(), if *s == f.size { *n } else { *old })).collect()));
    }
    out
}

/// The same sizes with another value of one condition.
fn others(base: &Sizes, free: &[Free]) -> Vec<Sizes> {
    let mut out = Vec::new();
    for f in free {
        let other = values(f).into_iter().rev().filter(|n| base.get(&f.size) != Some(n)).take(3);
        out.extend(other.map(|n| {
            let mut at = base.clone();
            at.insert(f.size.clone(), n);
            at
        }));
    }
    out
}

/// Sizes near these that are prime, and no two alike, where they may be; `from` says where to look from.
fn apart(model: &Model, sizes: &Sizes, from: &dyn Fn(i64) -> i64) -> Sizes {
    let prime = |n: i64| n > 1 && (2..).take_while(|d| d * d <= n).all(|d| n % d != 0);
    let mut taken = Vec::new();
    let mut out = Sizes::new();
    for (size, n) in sizes {
        let mut near = from(*n);
        while !prime(near) || taken.contains(&near) {
            near += 1;
        }
        let near = pipeline::nearest(model, size, near);
        taken.push(near);
        out.insert(size.clone(), near);
    }
    out
}

/// What is to be said of a model besides its plan.
fn face(model: &Model, outputs: &[&Output]) -> Result<Face, Diagnostic> {
    let graph = &model.graph;
    let wanted = graph.reachable(outputs.iter().map(|o| o.node));
    let mut open: Vec<Sym> = graph.ids().filter(|id| wanted[id.index()]).flat_map(|id| graph.symbols_of(id)).collect();
    open.sort();
    open.dedup();
    let mut sizes = Vec::new();
    for size in open {
        sizes.push(free(model, size)?);
    }
    let mut inputs: Vec<(String, String)> = model.inputs.iter().map(|i| (i.name.clone(), about(i))).collect();
    if !model.inputs.iter().any(|i| i.name == "seed") {
        inputs.push(("seed".into(), "the seed of what is drawn".into()));
    }
    let outputs = outputs.iter().map(|o| o.name.to_string()).collect();
    Ok(Face { model: model.name.clone(), sizes, inputs, outputs, demands: Vec::new() })
}

fn about(input: &Input) -> String {
    let word = if input.condition { "condition" } else { "input" };
    match input.kind {
        InputKind::Tensor | InputKind::Size(_) => word.to_string(),
        InputKind::Seed => format!("{word}, a seed"),
    }
}

/// A free size: of an axis, or what a condition says. Errors: one that has to be computed first.
fn free(model: &Model, size: Sym) -> Result<Free, Diagnostic> {
    let Some((_, node)) = model.graph.measured.iter().find(|(s, _)| *s == size) else {
        return Ok(Free { size, condition: None, allowed: Vec::new() });
    };
    let condition = match &model.graph.node(*node).op {
        Op::Source { path, .. } => model.inputs.iter().find(|i| *i.name == **path),
        _other => None,
    };
    let Some(input) = condition else {
        let span = model.graph.node(*node).span;
        return Err(Diagnostic::error(Code::H0913, span, "this size is computed from values, and an object is given its sizes")
            .here("so long is an axis")
            .help("let a condition say it: `condition few: size`"));
    };
    let allowed = match &input.kind {
        InputKind::Size(Allowed::List(list)) => list.iter().map(|n| (*n, *n)).collect(),
        InputKind::Size(Allowed::Range(from, to)) => vec![(*from, to - 1)],
        InputKind::Size(Allowed::Any) | InputKind::Tensor | InputKind::Seed => Vec::new(),
    };
    Ok(Free { size, condition: Some(input.name.clone()), allowed })
}
