//! What holds within a step: loops exist, views have a stride for each axis, types are those that the step takes. That its buffers exist is known.

use super::{ensure, kernel, name};
use crate::ir::{DType, Fold, Size};
use crate::plan::{Access, Grouped, Plan, Product, Rounds, Segments, Step, Window};

const REAL: &[DType] = &[DType::F32];
const WHOLE: &[DType] = &[DType::I32];
const NUMBERS: &[DType] = &[DType::F32, DType::I32];

pub(super) fn check(plan: &Plan, step: &Step) -> Result<(), String> {
    match step {
        Step::Kernel(k) => kernel::check(plan, k),
        Step::Product(p) => product(plan, p, None),
        Step::Grouped(Grouped { product: p, index, .. }) | Step::Segments(Segments { product: p, index, .. }) => {
            product(plan, p, Some(index))?;
            ensure(p.lead.is_none(), || "rows that an index sorts go through tiles".into())?;
            access(plan, index, p.spans.len())
                .and_then(|()| typed(plan, index.buffer, WHOLE))
                .map_err(|e| format!("its index: {e}"))
        }
        Step::Order { input, out, axis, dtype, .. } => {
            window(plan, input, &[*dtype]).and_then(|()| window(plan, out, WHOLE))?;
            ensure(NUMBERS.contains(dtype), || format!("it orders {}", dtype.word()))?;
            along(*axis, out)?;
            // The rows' own loops, then the one that is ordered.
            let rows = out.shape.iter().enumerate().filter(|(d, _)| d != axis).map(|(_, s)| s);
            let same = input.shape.len() == out.shape.len() && rows.eq(&input.shape[..out.shape.len() - 1]);
            ensure(same, || "it orders rows of another shape".into())
        }
        Step::Scan { input, out, axis, dtype } => {
            ensure(NUMBERS.contains(dtype), || format!("it adds up {}", dtype.word()))?;
            window(plan, input, &[*dtype]).and_then(|()| typed(plan, *out, &[*dtype])).and_then(|()| along(*axis, input))
        }
        Step::Assign { input, out } => {
            ensure(input.shape.len() >= 2, || "it assigns what is no matrix".into())?;
            window(plan, input, REAL).and_then(|()| typed(plan, *out, WHOLE))
        }
        Step::Scatter { index, value, out, axis, fold, dtype } => {
            let known = matches!(fold, Fold::Sum | Fold::Max | Fold::Min);
            ensure(known, || format!("it scatters by {}", fold.word()))?;
            ensure(NUMBERS.contains(dtype), || format!("it adds up {}", dtype.word()))?;
            window(plan, index, WHOLE)
                .and_then(|()| window(plan, value, &[*dtype]))
                .and_then(|()| window(plan, out, &[*dtype]))?;
            let same = index.shape == value.shape && value.shape.starts_with(&out.shape);
            along(*axis, out).and(ensure(same, || "index, value and result have other shapes".into()))
        }
        Step::Random { seed, round, out, .. } => {
            window(plan, seed, WHOLE).and_then(|()| window(plan, round, WHOLE)).and_then(|()| typed(plan, *out, REAL))?;
            ensure(seed.shape == round.shape, || "seed and round have other shapes".into())
        }
        Step::Rounds(r) => rounds(plan, r),
    }
}

/// The elements of a buffer are of one of these types.
pub(super) fn typed(plan: &Plan, buffer: usize, allowed: &[DType]) -> Result<(), String> {
    let b = plan.buffers.get(buffer).ok_or_else(|| format!("buffer {buffer} is not there"))?;
    ensure(allowed.contains(&b.dtype), || format!("`{}` is {}, not {}", b.name, b.dtype.word(), allowed[0].word()))
}

/// An address moves with loops that exist, with each of them once.
pub(super) fn access(plan: &Plan, a: &Access, loops: usize) -> Result<(), String> {
    for (n, (l, _)) in a.terms.iter().enumerate() {
        ensure(*l < loops, || format!("{} is indexed by loop {l}, which is not there", name(plan, a.buffer)))?;
        let once = a.terms[..n].iter().all(|t| t.0 != *l);
        ensure(once, || format!("{} is indexed by loop {l} twice", name(plan, a.buffer)))?;
    }
    Ok(())
}

fn window(plan: &Plan, w: &Window, allowed: &[DType]) -> Result<(), String> {
    let (strides, axes) = (w.view.strides.len(), w.shape.len());
    ensure(strides == axes, || format!("the view of {} has {strides} strides and {axes} axes", name(plan, w.view.buffer)))?;
    typed(plan, w.view.buffer, allowed)
}

fn along(axis: usize, w: &Window) -> Result<(), String> {
    ensure(axis < w.shape.len(), || format!("it goes along axis {axis} of {}", w.shape.len()))
}

/// `index`: what decides where a matrix lies, in the product's loops.
fn product(plan: &Plan, p: &Product, index: Option<&Access>) -> Result<(), String> {
    [p.a.0, p.b.0, p.out.0].into_iter().try_for_each(|b| typed(plan, b, REAL))?;
    let sorted = |l: usize| index.is_some_and(|i| i.terms.iter().any(|t| t.0 == l));
    let still = p.spans.iter().enumerate().find(|(l, s)| s.a.is_none() && s.b.is_none() && s.out.is_none() && !sorted(*l));
    ensure(still.is_none(), || format!("nothing moves along the loop `{}`", still.map_or("", |(_, s)| &s.name)))?;
    let Some(lead) = p.lead else { return Ok(()) };
    let moves = p.spans.get(lead).is_some_and(|s| s.out.is_some());
    ensure(moves, || format!("its rows are loop {lead}, which is none of the result's"))
}

fn rounds(plan: &Plan, r: &Rounds) -> Result<(), String> {
    let (operands, carries) = (r.operands.len(), r.carries);
    ensure(carries <= operands, || format!("it carries {carries} of {operands} operands"))?;
    let mut args = vec![DType::I32];
    args.extend(r.operands.iter().map(|o| plan.buffers[o.0].dtype));
    super::check(&r.body, Some(&args)).map_err(|what| format!("in its body: {what}"))?;
    let (given, wanted) = (r.body.outputs.len(), r.results.len() + usize::from(r.stop));
    ensure(given == wanted && carries <= r.results.len(), || format!("its body gives {given} values, not {wanted}"))?;
    for (n, result) in r.results.iter().enumerate() {
        ensure(!r.results[..n].contains(result), || format!("it writes {} once more", name(plan, *result)))?;
        let is_yield = n >= carries;
        let inner = &r.body.buffers[r.body.outputs[n + usize::from(r.stop && is_yield)]];
        typed(plan, *result, &[inner.dtype])?;
        let rows = is_yield.then(|| r.trips.clone());
        let shape: Vec<Size> = rows.into_iter().chain(inner.shape.iter().cloned()).collect();
        ensure(plan.buffers[*result].shape == shape, || format!("{} has another shape than what is made", name(plan, *result)))?;
        if !is_yield {
            let same = plan.buffers[r.operands[n].0].dtype == inner.dtype;
            ensure(same, || format!("what it carries in {} changes its type", name(plan, *result)))?;
        }
    }
    if r.stop {
        let stop = &r.body.buffers[r.body.outputs[carries]];
        ensure(stop.dtype == DType::Bool && stop.shape.is_empty(), || "its stop is not one bool".into())?;
    }
    Ok(())
}
