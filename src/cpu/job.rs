//! A plan with its sizes known: memory, and steps ready to run.

use super::apply::Apply;
use super::arena::{Line, lines, words};
use super::attend::Attend;
use super::call::{Code, Ptr};
use super::changing::{self, Changing};
use super::compile::{Entry, Functions};
use super::exec::Exec;
use super::grouped::Grouped;
use super::instead::instead;
use super::laid::Laid;
use super::product::{At, Product};
use super::runtime::{Pane, Rounds};
use super::segments::Segments;
use super::tiles::{TileJob, tiles};
use super::windows::Windows;
use super::written::Written;
use super::{order, parameters, runtime};
use crate::diag::{self, Diagnostic};
use crate::files::memory;
use crate::ir::sizes::{known, places};
use crate::ir::{DType, Dist, Fold, Size};
use crate::ir::{Data, Tensor};
use crate::plan::{self, Expr, Kernel, Plan, Sizes, Step, measured::cpu};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// A step with its sizes known.
pub(super) enum Job {
    Kernel {
        code: Code,
        params: Vec<usize>,
        sizes: Vec<i64>,
        extent: i64,
        unit: i64,
        work: f64,
    },
    Apply(Box<Apply>),
    Product {
        product: Product,
        buffers: [usize; 3],
    },
    Grouped(Box<Grouped>),
    Segments(Box<Segments>),
    Windows(Box<Windows>),
    Attend(Box<Attend>),
    Written(Box<Written>),
    /// Another step does it.
    Done,
    Order {
        input: Pane,
        out: Pane,
        axis: usize,
        descending: bool,
        dtype: DType,
    },
    Scan {
        input: Pane,
        out: usize,
        axis: usize,
        dtype: DType,
    },
    Assign {
        input: Pane,
        out: usize,
    },
    Scatter {
        index: Pane,
        value: Pane,
        out: Pane,
        axis: usize,
        fold: Fold,
        dtype: DType,
    },
    Random {
        dist: Dist,
        key: u32,
        seed: Pane,
        round: Pane,
        out: usize,
    },
    Rounds(Box<Rounds>),
}

/// A plan in memory.
pub(super) struct Instance {
    pub ptrs: Vec<Ptr>,
    pub(super) jobs: Vec<Job>,
    tiles: Vec<TileJob>,
    pub(super) scratch: Vec<Line>,
    pub prepared: usize,
    /// Nanoseconds spent in each step, where they are counted.
    pub spent: Vec<AtomicU64>,
    /// Wanted tensors; bools are staged as i32.
    pub outputs: Vec<Tensor>,
    pub(super) staged: Vec<Vec<i32>>,
    /// For each output the first one with the same buffer.
    first: Vec<usize>,
    arena: Vec<Line>,
    pub(super) changing: Changing,
    /// Work of the steps that may be split, of those that are prepared and of the others.
    divided: [f64; 2],
}

/// Work of steps that threads share.
fn divided(jobs: &[Job], tiles: &[TileJob], steps: Range<usize>) -> f64 {
    let tiled = |k: usize| tiles.iter().any(|t| t.steps.contains(&k) && t.splits());
    let one = |k: usize| match &jobs[k] {
        Job::Rounds(r) => r.divided(),
        job if job.work() >= cpu::SPLITS_FROM || tiled(k) => job.work(),
        _ => 0.0,
    };
    steps.map(one).sum()
}

fn too_large(bytes: f64, limit: usize) -> Diagnostic {
    Diagnostic::plain(
        diag::Code::H0801,
        format!("the plan does not fit in memory: {bytes:.0} bytes are needed, {limit} are allowed"),
    )
}

impl Instance {
    /// Takes memory and fixes all sizes. The buffers `apart` get memory that can be exchanged. Errors: more memory than `limit` bytes.
    pub fn new(
        plan: &Plan,
        functions: &Functions<Code>,
        sizes: &Sizes,
        apart: &[usize],
        limit: usize,
        threads: usize,
    ) -> Result<Instance, Diagnostic> {
        let layout = plan::place(plan, sizes, apart).ok_or_else(|| too_large(f64::INFINITY, limit))?;
        debug_assert_eq!(plan::verify::verify_placed(plan, &layout, apart, sizes), Ok(()), "the places are no good");
        let mut changing = Changing::new(plan, &layout, apart).ok_or_else(|| too_large(f64::INFINITY, limit))?;
        let total = layout.total as f64 + changing.words() as f64;
        let held: f64 = plan.outputs.iter().map(|b| layout.lengths[*b] as f64).sum::<f64>() + total;
        let largest = layout.lengths.iter().max().copied().unwrap_or(0) as f64;
        if held.max(largest) * 4.0 > limit as f64 {
            return Err(too_large(held.max(largest) * 4.0, limit));
        }
        memory::room_for("what the model computes", held * 4.0)?;
        let mut arena = lines(layout.total);
        changing.take_memory();
        let base = words(&mut arena);
        let mut ptrs: Vec<Ptr> = layout.offsets.iter().map(|o| o.map_or(Ptr::null(), |o| base.moved(o as i64))).collect();
        let size = |s: &Size| known(s, sizes);
        let mut outputs = Vec::new();
        let mut staged = Vec::new();
        let mut first = Vec::new();
        for (k, b) in plan.outputs.iter().enumerate() {
            let buffer = &plan.buffers[*b];
            let shape: Vec<usize> = buffer.shape.iter().map(|s| places(s, sizes)).collect();
            let (data, bools) = changing::blank(buffer.dtype, layout.lengths[*b]);
            staged.push(bools);
            first.push(plan.outputs.iter().position(|o| o == b).unwrap_or(k));
            outputs.push(Tensor { shape, data });
        }
        for k in 0..outputs.len() {
            if first[k] == k {
                ptrs[plan.outputs[k]] = changing::elements(&mut outputs[k].data, &mut staged[k]);
            }
        }
        let mut jobs = Vec::new();
        for (step, entry) in plan.steps.iter().zip(&functions.steps) {
            jobs.push(job(plan, step, entry, sizes, &size, limit, threads)?);
        }
        instead(plan, &mut jobs, sizes)?;
        parameters::settle(plan, &mut jobs, limit);
        let (tiles, scratch) = tiles(plan, &mut jobs, &size);
        let divided = [0..plan.prepared, plan.prepared..jobs.len()].map(|of| divided(&jobs, &tiles, of));
        let mut made = Instance {
            divided,
            ptrs,
            jobs,
            tiles,
            scratch: lines(scratch * threads.max(1)),
            prepared: plan.prepared,
            spent: Vec::new(),
            outputs,
            staged,
            first,
            arena,
            changing,
        };
        made.point();
        Ok(made)
    }

    /// Some mapped memory, for buffers without elements.
    pub fn spare(&mut self) -> Ptr {
        words(&mut self.arena)
    }

    /// Runs the steps that depend on no input, and lays out what products will read.
    /// `laid`: what is laid out already, and the age of what memory holds.
    pub fn prepare(&mut self, exec: Exec, laid: Option<(&Laid, u64)>) {
        exec.enter(self.divided[0], |exec| self.steps(0..self.prepared, exec));
        parameters::pack(&mut self.jobs[self.prepared..], &self.ptrs, laid);
    }

    /// Runs the other steps.
    pub fn run(&mut self, exec: Exec) {
        self.steps(self.prepared..self.jobs.len(), exec);
    }

    /// Work of the steps of a run that may be split.
    pub fn divided(&self) -> f64 {
        self.divided[1]
    }

    /// Puts bools and results that are wanted twice in their place.
    pub fn finish(&mut self) {
        for k in 0..self.outputs.len() {
            if self.first[k] != k {
                self.outputs[k].data = self.outputs[self.first[k]].data.clone();
            } else if let Data::Bool(v) = &mut self.outputs[k].data {
                v.iter_mut().zip(&self.staged[k]).for_each(|(b, i)| *b = u8::from(*i != 0));
            }
        }
    }

    /// The first output with the same memory as output `k`.
    pub fn first_of(&self, k: usize) -> usize {
        self.first[k]
    }

    /// Where output `k`, a bool, lies as i32.
    pub fn staging(&self, k: usize) -> &[i32] {
        &self.staged[k]
    }

    /// The first element of output `k` as a truth value, before `finish`.
    pub fn flag(&self, k: usize) -> bool {
        self.staged[self.first[k]].first().is_some_and(|x| *x != 0)
    }

    fn steps(&mut self, range: Range<usize>, exec: Exec) {
        let mut k = range.start;
        while k < range.end {
            if let Some(t) = self.tiles.iter().find(|t| t.steps.start == k) {
                self.tile(t, exec);
                k = self.tiles.iter().find(|t| t.steps.start == k).map_or(k + 1, |t| t.steps.end);
                continue;
            }
            match &mut self.jobs[k] {
                Job::Rounds(r) => timed(self.spent.get(k), || r.run(&self.ptrs, exec)),
                job => timed(self.spent.get(k), || job.run(&self.ptrs, None, exec)),
            }
            k += 1;
        }
    }
}

/// Runs it, and counts its time where somebody asks.
pub(super) fn timed(spent: Option<&AtomicU64>, f: impl FnOnce()) {
    let Some(spent) = spent else { return f() };
    let start = std::time::Instant::now();
    f();
    spent.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
}

fn kernel_work(k: &Kernel, size: &dyn Fn(&Size) -> i64) -> f64 {
    let points = |l: &[usize]| l.iter().map(|l| size(&k.loops[*l].size) as f64).product::<f64>();
    let outer: Vec<usize> = (0..k.outer).collect();
    let inner: f64 = k.body.iter().map(|e| if let Expr::Reduce { loops, .. } = e { points(loops) } else { 0.0 }).sum();
    let dear = |e: &Expr| matches!(e, Expr::Map(m, _) if plan::heavy(*m));
    let weight: f64 = k.body.iter().map(|e| if dear(e) { cpu::DEAR_WORK } else { cpu::PLAIN_WORK }).sum();
    points(&outer) * inner.max(1.0) * weight.max(1.0)
}

fn job(
    plan: &Plan,
    step: &Step,
    entry: &Entry<Code>,
    sizes: &Sizes,
    size: &dyn Fn(&Size) -> i64,
    limit: usize,
    threads: usize,
) -> Result<Job, Diagnostic> {
    let pane = |w: &plan::Window| Pane::new(w, size);
    Ok(match (step, entry) {
        (Step::Kernel(k), Entry::Kernel(code, made)) => {
            let work = kernel_work(k, size);
            if let Some(apply) = Apply::of(k, size, work) {
                return Ok(Job::Apply(Box::new(apply)));
            }
            Job::Kernel {
                code: *code,
                params: made.params.clone(),
                sizes: made.sizes.iter().map(size).collect(),
                extent: if k.outer > 0 { size(&k.loops[0].size) } else { 1 },
                unit: size(&k.unit),
                work,
            }
        }
        (Step::Rounds(r), Entry::Body(f)) => Job::Rounds(Box::new(Rounds::new(plan, r, f, sizes, size, limit, threads)?)),
        (Step::Product(p), _) => Job::Product { product: Product::new(p, size), buffers: [p.out.0, p.a.0, p.b.0] },
        (Step::Grouped(g), _) => Job::Grouped(Box::new(Grouped::new(g, size))),
        (Step::Segments(s), _) => Job::Segments(Box::new(Segments::new(s, size))),
        (Step::Order { input, out, axis, descending, dtype }, _) => {
            Job::Order { input: pane(input), out: pane(out), axis: *axis, descending: *descending, dtype: *dtype }
        }
        (Step::Scan { input, out, axis, dtype }, _) => Job::Scan { input: pane(input), out: *out, axis: *axis, dtype: *dtype },
        (Step::Assign { input, out }, _) => Job::Assign { input: pane(input), out: *out },
        (Step::Scatter { index, value, out, axis, fold, dtype }, _) => {
            Job::Scatter { index: pane(index), value: pane(value), out: pane(out), axis: *axis, fold: *fold, dtype: *dtype }
        }
        (Step::Random { dist, key, seed, round, out }, _) => {
            Job::Random { dist: *dist, key: *key, seed: pane(seed), round: pane(round), out: *out }
        }
        (Step::Kernel(_) | Step::Rounds(_), _) => {
            return Err(Diagnostic::plain(diag::Code::H0899, "a step of the plan has no code").note("this is a bug in hnet"));
        }
    })
}

impl Job {
    pub(super) fn work(&self) -> f64 {
        match self {
            Job::Kernel { work, .. } => *work,
            Job::Apply(a) => a.work(),
            Job::Product { product, .. } => product.work(),
            Job::Grouped(g) => g.work(),
            Job::Segments(s) => s.work(),
            Job::Windows(t) => t.work(),
            Job::Attend(a) => a.work(),
            Job::Written(w) => w.work(),
            Job::Done
            | Job::Order { .. }
            | Job::Scan { .. }
            | Job::Assign { .. }
            | Job::Scatter { .. }
            | Job::Random { .. }
            | Job::Rounds(_) => 0.0,
        }
    }

    /// Runs it, or the part of its first axis that `range` says.
    pub(super) fn run(&self, ptrs: &[Ptr], range: Option<(i64, i64)>, exec: Exec) {
        match self {
            Job::Kernel { code, params, sizes, extent, unit, work } => {
                let mut few = [Ptr::null(); 16];
                let many: Vec<Ptr>;
                let table: &[Ptr] = if params.len() <= few.len() {
                    few.iter_mut().zip(params).for_each(|(t, p)| *t = ptrs[*p]);
                    &few
                } else {
                    many = params.iter().map(|p| ptrs[*p]).collect();
                    &many
                };
                match range {
                    Some((start, end)) => {
                        let part = work * ((end - start) * unit) as f64 / (*extent).max(1) as f64;
                        exec.split(end - start, 1, part, &|from, to| {
                            code.call(table, sizes, (start + from) * unit, (start + to) * unit)
                        });
                    }
                    None => exec.split(*extent, 1, *work, &|start, end| code.call(table, sizes, start, end)),
                }
            }
            Job::Apply(a) => a.run(ptrs, range, exec),
            Job::Product { product, buffers: [o, a, b] } => {
                let at = &At { out: ptrs[*o], a: ptrs[*a], b: ptrs[*b], bias: product.bias().map_or(Ptr::null(), |b| ptrs[b]) };
                let unit = product.unit();
                match range {
                    Some((start, end)) => product.run(at, start * unit, end * unit, exec.threads),
                    None if product.is_few() => product.run(at, 0, product.extent(), 1),
                    None if product.splits() => exec.split(product.extent(), 1, product.work(), &|s, e| product.run(at, s, e, 1)),
                    None => exec.whole(product.work(), &|threads| product.run(at, 0, product.extent(), threads)),
                }
            }
            Job::Grouped(g) => exec.whole(g.work(), &|threads| g.run(ptrs, threads)),
            Job::Segments(s) => exec.whole(s.work(), &|threads| s.run(ptrs, threads)),
            Job::Windows(t) => t.run(ptrs, exec),
            Job::Attend(a) => a.run(ptrs, exec),
            Job::Written(w) => w.run(ptrs, exec),
            Job::Order { input, out, axis, descending, dtype } => order::order(ptrs, input, out, *axis, *descending, *dtype),
            Job::Scan { input, out, axis, dtype } => runtime::scan(ptrs, input, *out, *axis, *dtype),
            Job::Assign { input, out } => runtime::assign(ptrs, input, *out),
            Job::Scatter { index, value, out, axis, fold, dtype } => {
                runtime::scatter(ptrs, (index, value, out), (*axis, *fold), *dtype);
            }
            Job::Random { dist, key, seed, round, out } => runtime::random(ptrs, *dist, *key, (seed, round), *out),
            Job::Done | Job::Rounds(_) => {}
        }
    }
}
