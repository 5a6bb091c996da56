//! Who writes what, who reads it, and when: buffers, outputs, and what is prepared.

use super::{at, ensure, name};
use crate::ir::{DType, Rate};
use crate::plan::{Kind, Plan, Step};

/// What became of a buffer so far.
#[derive(Clone, Copy, Default)]
struct Seen {
    written: bool,
    read: bool,
}

/// `args`: as in [`super::check`].
pub(super) fn check(plan: &Plan, args: Option<&[DType]>) -> Result<(), String> {
    buffers(plan, args)?;
    let mut seen = vec![Seen::default(); plan.buffers.len()];
    for (n, step) in plan.steps.iter().enumerate() {
        one(plan, n, step, &mut seen).map_err(|what| at(plan, n, &what))?;
    }
    for b in &plan.outputs {
        let good = plan.buffers.get(*b).is_some_and(|o| o.kind == Kind::Output) && seen[*b].written;
        ensure(good, || format!("{} is an output, and nobody writes it", name(plan, *b)))?;
    }
    let words = plan.demands.computed.len();
    ensure(words <= plan.outputs.len(), || format!("{words} demands have {} outputs", plan.outputs.len()))?;
    for b in &plan.outputs[plan.outputs.len() - words..] {
        let word = &plan.buffers[*b];
        ensure(word.dtype == DType::I32 && word.shape.is_empty(), || format!("{} is no word of a demand", name(plan, *b)))?;
    }
    Ok(())
}

/// What comes from outside is there, and there once.
fn buffers(plan: &Plan, args: Option<&[DType]>) -> Result<(), String> {
    let mut paths = std::collections::BTreeSet::new();
    for (n, b) in plan.buffers.iter().enumerate() {
        match &b.kind {
            Kind::Source(path) => {
                ensure(args.is_none(), || format!("`{}` is a source within a loop", b.name))?;
                ensure(paths.insert((path.clone(), 0)), || format!("buffer {n} is the second one for the source `{path}`"))?;
            }
            Kind::Arg(k) => {
                let given = args.and_then(|a| a.get(*k)).copied();
                let dtype = given.ok_or_else(|| format!("buffer {n} is argument {k}, which is not given"))?;
                ensure(dtype == b.dtype, || format!("buffer {n} is {}, and argument {k} is {}", b.dtype.word(), dtype.word()))?;
                ensure(paths.insert(("".into(), 1 + k)), || format!("buffer {n} is the second one for argument {k}"))?;
            }
            Kind::Temp | Kind::Output => {}
        }
    }
    Ok(())
}

fn one(plan: &Plan, n: usize, step: &Step, seen: &mut [Seen]) -> Result<(), String> {
    let early = n < plan.prepared;
    let asked = plan.tiles.iter().filter(|t| t.first == n).filter_map(|t| t.kept.as_ref());
    let asked = asked.flat_map(|kept| kept.conditions.iter().map(|(view, _)| view.buffer));
    for b in step.reads().into_iter().chain(asked) {
        let buffer = plan.buffers.get(b).ok_or_else(|| format!("it reads buffer {b}, which is not there"))?;
        let given = matches!(buffer.kind, Kind::Source(_) | Kind::Arg(_));
        ensure(given || seen[b].written, || format!("it reads {}, which nobody has written", name(plan, b)))?;
        ensure(!early || buffer.rate < Rate::Input, || {
            format!("it is prepared and reads {}, which depends on an input", name(plan, b))
        })?;
        seen[b].read = true;
    }
    let reads = step.reads();
    for b in step.writes() {
        let buffer = plan.buffers.get(b).ok_or_else(|| format!("it writes buffer {b}, which is not there"))?;
        let own = matches!(buffer.kind, Kind::Temp | Kind::Output);
        ensure(own, || format!("it writes {}, which is given", name(plan, b)))?;
        ensure(!reads.contains(&b), || format!("it writes {}, which it reads", name(plan, b)))?;
        // What is joined is written part by part.
        let again = matches!(step, Step::Kernel(_)) && !seen[b].read;
        ensure(!seen[b].written || again, || format!("it writes {} once more", name(plan, b)))?;
        ensure(early == (buffer.rate < Rate::Input), || {
            let (when, rate) = (if early { "prepared" } else { "part of each run" }, buffer.rate);
            format!("it is {when} and writes {}, whose rate is {rate:?}", name(plan, b))
        })?;
        seen[b].written = true;
    }
    Ok(())
}
