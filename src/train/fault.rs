//! Where a number that is not finite comes from.

use super::arm::all_of;
use super::step::{Step, Told};
use crate::check::model::Arm;
use crate::diag::{Code, Diagnostic};
use crate::ir::{Bindings, DType, NodeId, Op, Origin, Tensor, interp};
use crate::source::Span;
use std::collections::BTreeMap;

/// The message for a step whose loss or gradient is not finite: the first value that is not, by the interpreter, with its place.
pub(super) fn located(
    arm: &Arm,
    step: &Step,
    results: &[Tensor],
    values: BTreeMap<String, Tensor>,
    inputs: Bindings,
    number: u64,
) -> Diagnostic {
    let bad = step.told.iter().zip(results).find(|((told, _), t)| told.must_be_finite() && !t.get(0).is_finite());
    let Some(((told, root), result)) = bad else {
        return Diagnostic::plain(Code::H0899, "a step was refused and nothing is wrong").note("this is a bug in hnet");
    };
    let (what, k) = match told {
        Told::Objective(k) => ("loss", *k),
        Told::Norm(k) => ("gradient", *k),
        Told::Rate(k, _) => ("learning rate", *k),
        Told::Loss(_) | Told::Chosen(_) | Told::Seated(_) => ("value", 0),
    };
    let objective = arm.objectives.get(k);
    if let Told::Rate(_, n) = told {
        let rule = objective.and_then(|o| o.groups.get(*n)).map_or(arm.rows.span, |g| g.optimizer.span);
        return Diagnostic::error(Code::H0621, rule, format!("the learning rate of step {number} is {}", word(result.get(0))))
            .here("by this rule")
            .note("nothing was changed by this step")
            .help("a schedule that is finite for every `step` from 0 to `steps - 1`");
    }
    let loss = objective.map_or(arm.rows.span, |o| o.span);
    let message = format!("the {what} of step {number} is {}", word(result.get(0)));
    let bound = all_of(values, inputs);
    let d = match first(arm, step, *root, &bound) {
        Some((span, Some(name), value, true)) if span != Span::default() => {
            let d = Diagnostic::error(Code::H0621, span, message)
                .here(format!("`{name}` has {} in the rows of this step: the data have it", word(value)));
            let d = if span == loss { d } else { d.label(loss, "what is made small") };
            return d.note("nothing was changed by this step").help("leave such rows out, or guard them where they are read");
        }
        Some((span, name, value, _)) if span != Span::default() => {
            let of = name.map_or(String::new(), |n| format!("`{n}` "));
            let d = Diagnostic::error(Code::H0621, span, message)
                .here(format!("{of}has {} here, from values that are finite", word(value)));
            if span == loss { d } else { d.label(loss, "what is made small") }
        }
        _ => Diagnostic::error(Code::H0621, loss, message)
            .note("in 64 bits all values are finite: 32 bits do not hold one of them"),
    };
    d.note("nothing was changed by this step")
        .help("a smaller learning rate, `clip 1.0`, or a guard (`if x > 0 { log(x) } else { .. }`) where the value is made")
}

fn word(v: f64) -> &'static str {
    match v {
        v if v.is_nan() => "NaN",
        f64::INFINITY => "infinite",
        f64::NEG_INFINITY => "minus infinity",
        _ => "not finite",
    }
}

/// The first node that is not finite where all that it reads is: its place, its name, what it is, and whether the data give it.
fn first(arm: &Arm, step: &Step, root: NodeId, bound: &Bindings) -> Option<(Span, Option<String>, f64, bool)> {
    let reach = step.graph.reachable([root]);
    let nodes: Vec<NodeId> =
        step.graph.ids().filter(|id| reach[id.index()] && step.graph.node(*id).dtype == DType::F32).collect();
    // One at a time would compute everything again and again; all at once may not fit: then nobody looks.
    let values = interp::evaluate(&step.graph, bound, &nodes).ok()?;
    let (at, value) = nodes.iter().zip(&values).find_map(|(id, t)| {
        let worst = t.to_f64().into_iter().find(|v| !v.is_finite())?;
        // An infinity may be meant, as what a mask adds; NaN never is.
        (worst.is_nan() || !is_constant(step, *id)).then_some((*id, worst))
    })?;
    let node = step.graph.node(at);
    let data = if let Op::Source { path, origin: Origin::Input } = &node.op { Some(path.to_string()) } else { None };
    let is_data = data.as_ref().is_some_and(|path| arm.model.inputs.iter().any(|i| i.name == *path));
    Some((node.span, data.or(node.name.as_ref().map(ToString::to_string)), value, is_data))
}

/// Whether a node is written down as a number.
fn is_constant(step: &Step, id: NodeId) -> bool {
    matches!(step.graph.node(id).op, Op::Const(_))
}
