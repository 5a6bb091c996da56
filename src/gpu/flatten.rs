//! One list of work on one list of buffers: loop bodies are opened, what they carry gets memory.
//!
//! A loop's body stays in place; its arguments become the buffers that they stand for. The round's number lies in a buffer of
//! one word, so that no round needs anything from the host. A loop that may stop early goes on for all its rounds, but after
//! it has stopped nothing that leaves it changes.

use super::program::{Buffer, Kind};
use crate::ir::{DType, Rate, Size};
use crate::plan::{self, Access, Expr, Fresh, Plan, Step};
use crate::source::Span;

/// Something to do.
#[derive(Clone, Debug)]
pub(super) enum Work {
    Step {
        step: Box<Step>,
        places: Vec<Span>,
        /// What it is made for.
        about: plan::Place,
    },
    /// Words from one place to another.
    Move(Vec<Move>),
    /// Writes a constant word.
    Fill {
        buffer: usize,
        value: Word,
    },
    /// The end of a round: the next number, and whether the loop has stopped.
    Turn {
        round: usize,
        reverse: bool,
        /// The flag of this round, and the word that remembers it.
        stop: Option<(usize, usize)>,
    },
    Repeat {
        trips: Size,
        body: Vec<Work>,
    },
}

/// What a fill writes.
#[derive(Clone, Debug)]
pub(super) enum Word {
    Size(Size),
    Zero,
}

/// A copy of `len` words.
#[derive(Clone, Debug)]
pub(super) struct Move {
    pub from: (usize, Size),
    pub to: usize,
    pub len: Size,
    /// The buffer with the round's number: the copy goes to that many times `len`.
    pub round: Option<usize>,
    /// Nothing happens where this word is not zero.
    pub unless: Option<usize>,
}

/// A plan with its loops opened.
#[derive(Debug, Default)]
pub(super) struct Flat {
    pub buffers: Vec<Buffer>,
    pub works: Vec<Work>,
    pub prepared: usize,
    pub outputs: Vec<usize>,
    names: Fresh,
}

/// Where a plan's buffer lies: a buffer and an offset.
type Place = (usize, Size);

/// `half`: parameters are kept as f16.
pub(super) fn flatten(plan: &Plan, half: bool) -> Flat {
    let mut flat = Flat::default();
    let places: Vec<Place> = plan
        .buffers
        .iter()
        .map(|b| {
            let kind = match &b.kind {
                plan::Kind::Source(path) => Kind::Source(path.clone()),
                plan::Kind::Arg(_) | plan::Kind::Temp => Kind::Temp,
                plan::Kind::Output => Kind::Output,
            };
            flat.add(b.name.clone(), b.dtype, b.shape.clone(), kind, b.rate < Rate::Input)
        })
        .map(|b| (b, Size::from(0i64)))
        .collect();
    if half {
        for (place, b) in places.iter().zip(&plan.buffers) {
            let param = matches!(b.kind, plan::Kind::Source(_)) && b.rate == Rate::Parameter;
            flat.buffers[place.0].half = param && b.dtype == DType::F32;
        }
    }
    let mut early = Vec::new();
    flat.steps(plan, 0..plan.prepared, &places, &mut early);
    flat.prepared = early.len();
    flat.steps(plan, plan.prepared..plan.steps.len(), &places, &mut early);
    flat.works = early;
    flat.outputs = plan.outputs.iter().map(|b| places[*b].0).collect();
    flat
}

impl Flat {
    fn add(&mut self, base: String, dtype: DType, shape: Vec<Size>, kind: Kind, early: bool) -> usize {
        let name = self.names.fresh(base);
        self.buffers.push(Buffer { name, dtype, shape, kind, early, half: false });
        self.buffers.len() - 1
    }

    fn word(&mut self, name: String, early: bool) -> usize {
        self.add(name, DType::I32, vec![Size::from(1i64)], Kind::Temp, early)
    }

    fn steps(&mut self, plan: &Plan, range: std::ops::Range<usize>, places: &[Place], out: &mut Vec<Work>) {
        for k in range {
            match &plan.steps[k] {
                Step::Rounds(r) => self.rounds(r, places, out, k < plan.prepared),
                step => {
                    let step = Box::new(moved(step, places));
                    let places = plan.places.get(k).cloned().unwrap_or_default();
                    out.push(Work::Step { step, places, about: plan.about.get(k).cloned().unwrap_or_default() });
                }
            }
        }
    }

    fn rounds(&mut self, r: &plan::Rounds, places: &[Place], out: &mut Vec<Work>, early: bool) {
        let round = self.word(format!("{}_round", r.name), early);
        let stopped = r.stop.then(|| self.word(format!("{}_stopped", r.name), early));
        let results: Vec<usize> = r.results.iter().map(|b| places[*b].0).collect();
        let operand = |k: usize| {
            let (b, o) = &r.operands[k];
            (places[*b].0, places[*b].1.add(o))
        };
        let inner: Vec<Place> = r
            .body
            .buffers
            .iter()
            .map(|b| match b.kind {
                plan::Kind::Arg(0) => (round, Size::from(0i64)),
                // A result is the memory of its carry.
                plan::Kind::Arg(k) if k <= r.carries => (results[k - 1], Size::from(0i64)),
                plan::Kind::Arg(k) => operand(k - 1),
                plan::Kind::Source(_) | plan::Kind::Temp | plan::Kind::Output => {
                    (self.add(b.name.clone(), b.dtype, b.shape.clone(), Kind::Temp, early), Size::from(0i64))
                }
            })
            .collect();
        let len = |f: &Flat, b: usize| f.buffers[b].len();
        for (k, b) in results.iter().enumerate() {
            if k < r.carries {
                let copy = Move { from: operand(k), to: *b, len: len(self, *b), round: None, unless: None };
                out.push(Work::Move(vec![copy]));
            } else {
                out.push(Work::Fill { buffer: *b, value: Word::Zero });
            }
        }
        let first = if r.reverse { Word::Size(r.trips.sub(&Size::from(1i64))) } else { Word::Zero };
        out.push(Work::Fill { buffer: round, value: first });
        if let Some(s) = stopped {
            out.push(Work::Fill { buffer: s, value: Word::Zero });
        }
        self.steps(&r.body, 0..r.body.prepared, &inner, out);
        let mut body = Vec::new();
        self.steps(&r.body, r.body.prepared..r.body.steps.len(), &inner, &mut body);
        let mut moves = Vec::new();
        for (k, b) in results.iter().enumerate() {
            let output = r.body.outputs[if k < r.carries { k } else { k + usize::from(r.stop) }];
            let from = inner[output].clone();
            let len = len(self, from.0);
            let round = (k >= r.carries).then_some(round);
            moves.push(Move { from, to: *b, len, round, unless: stopped });
        }
        if !moves.is_empty() {
            body.push(Work::Move(moves));
        }
        let stop = stopped.map(|s| (inner[r.body.outputs[r.carries]].0, s));
        body.push(Work::Turn { round, reverse: r.reverse, stop });
        out.push(Work::Repeat { trips: r.trips.clone(), body });
    }
}

/// A step on the program's buffers.
fn moved(step: &Step, places: &[Place]) -> Step {
    let access = |a: &Access| {
        let (buffer, offset) = &places[a.buffer];
        Access { buffer: *buffer, offset: a.offset.add(offset), terms: a.terms.clone() }
    };
    let view = |w: &plan::Window| {
        let (buffer, offset) = &places[w.view.buffer];
        let view = plan::View { buffer: *buffer, offset: w.view.offset.add(offset), strides: w.view.strides.clone() };
        plan::Window { view, shape: w.shape.clone() }
    };
    let pair = |p: &(usize, Size)| (places[p.0].0, places[p.0].1.add(&p.1));
    let product = |p: &plan::Product| plan::Product { a: pair(&p.a), b: pair(&p.b), out: pair(&p.out), ..p.clone() };
    match step {
        Step::Kernel(k) => {
            let expr = |e: &Expr| match e {
                Expr::Load(a) => Expr::Load(access(a)),
                Expr::Pick { access: a, at, fill } => Expr::Pick { access: access(a), at: at.clone(), fill: *fill },
                Expr::Const(_) | Expr::Counter(_) | Expr::Size(_) | Expr::Map(..) => e.clone(),
                Expr::Reduce { .. } | Expr::Mend { .. } => e.clone(),
            };
            Step::Kernel(plan::Kernel { body: k.body.iter().map(expr).collect(), store: access(&k.store), ..k.clone() })
        }
        Step::Product(p) => Step::Product(product(p)),
        Step::Grouped(g) => Step::Grouped(plan::Grouped { product: product(&g.product), index: access(&g.index), ..g.clone() }),
        Step::Segments(s) => {
            Step::Segments(plan::Segments { product: product(&s.product), index: access(&s.index), ..s.clone() })
        }
        Step::Order { input, out, axis, descending, dtype } => {
            Step::Order { input: view(input), out: view(out), axis: *axis, descending: *descending, dtype: *dtype }
        }
        Step::Scan { input, out, axis, dtype } => {
            Step::Scan { input: view(input), out: places[*out].0, axis: *axis, dtype: *dtype }
        }
        Step::Assign { input, out } => Step::Assign { input: view(input), out: places[*out].0 },
        Step::Scatter { index, value, out, axis, fold, dtype } => {
            Step::Scatter { index: view(index), value: view(value), out: view(out), axis: *axis, fold: *fold, dtype: *dtype }
        }
        Step::Random { dist, key, seed, round, out } => {
            Step::Random { dist: *dist, key: *key, seed: view(seed), round: view(round), out: places[*out].0 }
        }
        Step::Rounds(_) => unreachable!("loops are opened before"),
    }
}
