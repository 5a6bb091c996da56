//! What one shader, or a part of one, computes. Every stage that sums or maps is a [`Kernel`]; a product knows besides which of
//! its values is the sum, so that it can be computed tile by tile, and what its only reader does to it is computed on the spot.

use super::absorb::drawn;
use super::choose::Chooser;
use super::flatten::{Flat, Work};
use super::long::{self, Parts};
use super::program::Buffer;
use super::split::split;
use super::wgsl::{product, segments_pay};
use crate::ir::Size;
use crate::plan::{Expr, Grouped, Kernel, Place, Step};
use crate::source::Span;
use std::collections::{BTreeMap, VecDeque};

/// One thing to compute.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    Kernel(Kernel),
    /// A kernel whose value number `sum` is a product summed over its loops: values 0 and 1 are its factors.
    Product {
        kernel: Kernel,
        sum: usize,
    },
    /// Likewise; an index, value 1, picks the second factor, value 2.
    Grouped {
        grouped: Box<Grouped>,
        kernel: Kernel,
        sum: usize,
    },
    /// Parts of a long fold, each element by some threads or by tiles.
    Parts(Parts),
    /// An order, a running sum, an assignment, a scatter, random values.
    Other(Box<Step>),
}

impl Stage {
    /// The loop nest, where it is one.
    pub fn kernel(&self) -> Option<&Kernel> {
        match self {
            Stage::Kernel(k) | Stage::Product { kernel: k, .. } | Stage::Grouped { kernel: k, .. } => Some(k),
            Stage::Parts(_) | Stage::Other(_) => None,
        }
    }

    /// Buffers that it reads.
    pub fn reads(&self) -> Vec<usize> {
        match self {
            Stage::Other(step) => step.reads(),
            Stage::Parts(p) => reads(&p.kernel),
            Stage::Kernel(k) | Stage::Product { kernel: k, .. } | Stage::Grouped { kernel: k, .. } => reads(k),
        }
    }

    /// The buffer that it writes.
    pub fn target(&self) -> usize {
        match self {
            Stage::Other(step) => step.writes()[0],
            Stage::Parts(p) => p.kernel.store.buffer,
            Stage::Kernel(k) | Stage::Product { kernel: k, .. } | Stage::Grouped { kernel: k, .. } => k.store.buffer,
        }
    }
}

pub(super) fn reads(k: &Kernel) -> Vec<usize> {
    let of = |e: &Expr| match e {
        Expr::Load(a) | Expr::Pick { access: a, .. } => Some(a.buffer),
        Expr::Const(_) | Expr::Counter(_) | Expr::Size(_) | Expr::Map(..) | Expr::Reduce { .. } | Expr::Mend { .. } => None,
    };
    k.body.iter().filter_map(of).collect()
}

/// A stage and the places in the source that it computes.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub stage: Stage,
    pub places: Vec<Span>,
    /// What it is made for.
    pub about: Place,
}

/// Work whose steps are stages: neighbours stand together.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Stages(Vec<Placed>),
    Work(Work),
    Repeat { trips: Size, body: Vec<Part> },
}

pub(super) type Counts = BTreeMap<usize, usize>;

fn count(buffers: Vec<usize>, counts: &mut Counts) {
    let mut all = buffers;
    all.sort();
    all.dedup();
    all.into_iter().for_each(|b| *counts.entry(b).or_default() += 1);
}

fn work_reads(w: &Work) -> Vec<usize> {
    match w {
        Work::Step { step, .. } => step.reads(),
        Work::Move(moves) => moves.iter().flat_map(|m| [Some(m.from.0), m.round, m.unless]).flatten().collect(),
        Work::Turn { round, stop, .. } => stop.iter().flat_map(|s| [s.0, s.1]).chain([*round]).collect(),
        Work::Fill { .. } | Work::Repeat { .. } => Vec::new(),
    }
}

/// How many steps read each buffer in the whole program.
fn step_readers(works: &[Work], counts: &mut Counts) {
    for w in works {
        match w {
            Work::Repeat { body, .. } => step_readers(body, counts),
            w => count(work_reads(w), counts),
        }
    }
}

/// How many stages read each buffer.
pub(super) fn readers(parts: &[Part], counts: &mut Counts) {
    for p in parts {
        match p {
            Part::Stages(stages) => stages.iter().for_each(|s| count(s.stage.reads(), counts)),
            Part::Work(w) => count(work_reads(w), counts),
            Part::Repeat { body, .. } => readers(body, counts),
        }
    }
}

/// How many stages write each buffer.
pub(super) fn writers(parts: &[Part], counts: &mut Counts) {
    for p in parts {
        match p {
            Part::Stages(stages) => stages.iter().for_each(|s| *counts.entry(s.stage.target()).or_default() += 1),
            Part::Work(_) => {}
            Part::Repeat { body, .. } => writers(body, counts),
        }
    }
}

/// Steps become stages, in what is prepared and in what is run.
pub(super) fn parts(flat: &mut Flat, chooser: &Chooser) -> (Vec<Part>, Vec<Part>) {
    let works = std::mem::take(&mut flat.works);
    let mut counts = Counts::new();
    step_readers(&works, &mut counts);
    let mut works = works;
    let run = works.split_off(flat.prepared);
    (parts_of(works, &mut flat.buffers, &counts, chooser), parts_of(run, &mut flat.buffers, &counts, chooser))
}

fn parts_of(works: Vec<Work>, buffers: &mut Vec<Buffer>, counts: &Counts, chooser: &Chooser) -> Vec<Part> {
    let mut out = Vec::new();
    let mut steps = Vec::new();
    for w in works {
        if let Work::Step { step, places, about } = w {
            steps.push((*step, places, about));
            continue;
        }
        if !steps.is_empty() {
            out.push(Part::Stages(stages(std::mem::take(&mut steps), buffers, counts, chooser)));
        }
        out.push(match w {
            Work::Repeat { trips, body } => Part::Repeat { trips, body: parts_of(body, buffers, counts, chooser) },
            w => Part::Work(w),
        });
    }
    if !steps.is_empty() {
        out.push(Part::Stages(stages(steps, buffers, counts, chooser)));
    }
    out
}

/// The stages of a run of steps: folds taken out, what follows a product drawn into it, long folds cut.
fn stages(steps: Vec<(Step, Vec<Span>, Place)>, buffers: &mut Vec<Buffer>, counts: &Counts, chooser: &Chooser) -> Vec<Placed> {
    let mut out: Vec<Placed> = Vec::new();
    let mut steps = VecDeque::from(steps);
    while let Some((step, places, about)) = steps.pop_front() {
        match step {
            Step::Kernel(k) => {
                let early = buffers[k.store.buffer].early;
                for k in split(k, &about, buffers, early, chooser) {
                    let (stage, moved) = drawn(k, &about, &mut out, buffers, counts, chooser);
                    out.push(Placed { stage, places: [moved, places.clone()].concat(), about: about.clone() });
                }
            }
            Step::Product(p) => {
                let (kernel, sum) = product::nest(&p);
                let stage = match sum {
                    Some(sum) => Stage::Product { kernel, sum },
                    None => Stage::Kernel(kernel),
                };
                out.push(Placed { stage, places, about });
            }
            Step::Grouped(g) => {
                let (kernel, sum) = product::grouped_nest(&g);
                let stage = match sum {
                    Some(sum) => Stage::Grouped { grouped: Box::new(g), kernel, sum },
                    None => Stage::Kernel(kernel),
                };
                out.push(Placed { stage, places, about });
            }
            Step::Segments(s) if !segments_pay(&s, chooser.size) => {
                steps.push_front((Step::Kernel(product::segments_nest(&s)), places, about));
            }
            other => out.push(Placed { stage: Stage::Other(Box::new(other)), places, about }),
        }
    }
    long::cut(out, buffers, chooser)
}
