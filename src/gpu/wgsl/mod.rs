//! Plan → WGSL that naga (natively, through wgpu) and Tint (in browsers) both take: what only one of them knows is not used, so
//! there is one dialect.
//!
//! One work becomes one shader; several that share their rows become one together (`rows`). Texts depend on nothing but the
//! plan: the same bytes on every machine.

mod cancel;
mod draft;
mod helpers;
mod kernel;
mod merge;
pub(super) mod module;
mod parts;
pub(super) mod product;
mod roles;
mod rows;
mod scalar;
mod scan;
mod scatter;
mod segments;
mod shape;
mod sharing;
mod sort;
mod special;
mod tile;
mod wide;
mod words;
mod work;

pub(super) use roles::tiling;
pub(super) use segments::pays as segments_pay;
pub(super) use special::{row_major, share};

use super::arena;
use super::choose::{Chooser, Tiling};
use super::flatten::{Work, flatten};
use super::program::{BINDINGS, Buffer, Grid, Item, Kind, Program};
use super::reach::Reach;
use super::stage::{self, Part, Placed, Stage};
use crate::ir::{DType, Size};
use crate::plan::{Expr, Grouped, Kernel, Plan, Sizes, Step, Window};
use crate::source::Span;
use draft::Drafts;
use kernel::Nest;
use module::Module;
use scatter::Scatter;
use segments::Segmented;
use sort::Sorted;
use std::collections::BTreeMap;
use tile::Form;
pub(super) use work::nests;
use work::{flops, rounds};

/// Says which lines a place is: `models/inr.hnet:19: image(xy)`.
pub type Locate<'a> = &'a dyn Fn(Span) -> Option<String>;

/// Makes the program of a plan at certain sizes; they choose between strategies, and the texts hold for other sizes as long as
/// the same strategies are chosen.
pub fn emit(plan: &Plan, sizes: &Sizes, locate: Locate) -> Program {
    emit_with(plan, sizes, locate, Choice::default())
}

/// What a program may rely on.
#[derive(Clone, Copy, Debug)]
pub struct Choice {
    /// Parameters are kept as f16, half as long.
    pub half: bool,
    /// Bytes that one binding takes. What is longer is reached through windows on the arena.
    pub binding: u64,
    /// How many windows the arena needs, once that is known.
    pub windows: u32,
    /// How products reach their factors.
    pub reach: Reach,
}

impl Choice {
    fn window(&self) -> Option<(u32, u64)> {
        (self.windows > 1).then(|| (self.windows, self.binding / arena::ALIGN * arena::ALIGN))
    }
}

impl Default for Choice {
    fn default() -> Choice {
        Choice { half: false, binding: u64::MAX, windows: 1, reach: Reach::Staged }
    }
}

/// As [`emit`], for a certain device.
pub fn emit_with(plan: &Plan, sizes: &Sizes, locate: Locate, choice: Choice) -> Program {
    let size = |s: &Size| crate::ir::sizes::known(s, sizes);
    let mut flat = flatten(plan, choice.half);
    let chooser = Chooser::new(plan, &size, choice.reach);
    let (prepare, run) = stage::parts(&mut flat, &chooser);
    let mut counts = BTreeMap::new();
    stage::readers(&prepare, &mut counts);
    stage::readers(&run, &mut counts);
    let mut writers = BTreeMap::new();
    stage::writers(&prepare, &mut writers);
    stage::writers(&run, &mut writers);
    let mut e = Emitter {
        buffers: flat.buffers,
        drafts: Drafts::default(),
        size: &size,
        chooser,
        counts,
        writers,
        sorted: BTreeMap::new(),
        segmented: BTreeMap::new(),
        choice,
    };
    let prepared = e.parts(&prepare);
    let rest = e.parts(&run);
    let count = prepared.len();
    let mut items: Vec<Item> = prepared.into_iter().chain(rest).collect();
    let shaders = e.drafts.finish(&mut items, locate);
    let windows = choice.window();
    let demands = plan.demands.clone();
    let (decisions, fates) = e.chooser.into_decisions();
    let outputs = flat.outputs;
    Program { buffers: e.buffers, shaders, items, prepared: count, outputs, demands, windows, decisions, fates }
}

struct Emitter<'a> {
    buffers: Vec<Buffer>,
    drafts: Drafts,
    size: &'a dyn Fn(&Size) -> i64,
    chooser: Chooser<'a>,
    /// How many stages read each buffer.
    counts: BTreeMap<usize, usize>,
    /// How many write it.
    writers: BTreeMap<usize, usize>,
    /// Orders of rows made in this run of stages, and by which stage.
    sorted: BTreeMap<String, (usize, Sorted)>,
    /// Orders of rows that are summed by groups, likewise.
    segmented: BTreeMap<String, Segmented>,
    choice: Choice,
}

impl Emitter<'_> {
    fn parts(&mut self, parts: &[Part]) -> Vec<Item> {
        let mut out = Vec::new();
        for part in parts {
            match part {
                Part::Stages(stages) => {
                    // What is empty at every size needs no shader; its addresses might be such that none is accepted.
                    let some: Vec<Placed> = stages.iter().filter(|s| !self.nothing(&s.stage)).cloned().collect();
                    self.stages(&some, &mut out);
                }
                Part::Work(work) => out.push(self.work(work)),
                Part::Repeat { trips, body } => {
                    let body = self.parts(body);
                    out.push(Item::Repeat { trips: trips.clone(), body });
                }
            }
        }
        out
    }

    fn nothing(&self, stage: &Stage) -> bool {
        match stage.kernel() {
            Some(k) => k.loops[..k.outer].iter().any(|l| l.size.is(0)),
            None => self.buffers[stage.target()].is_empty(),
        }
    }

    fn work(&mut self, work: &Work) -> Item {
        match work {
            Work::Move(moves) => self.single("carry", &|m| special::moves(m, moves)),
            Work::Fill { buffer, value } => {
                let name = format!("{}_start", self.buffers[*buffer].name);
                self.single(&name, &|m| special::fill(m, *buffer, value))
            }
            Work::Turn { round, reverse, stop } => self.single("turn", &|m| special::turn(m, *round, *reverse, *stop)),
            Work::Step { .. } | Work::Repeat { .. } => unreachable!("steps are stages, and loops are parts"),
        }
    }

    fn single(&mut self, name: &str, body: &dyn Fn(&mut Module) -> Grid) -> Item {
        self.shader(name, special::LANES, &[], Size::from(0i64), body)
    }

    fn shader(&mut self, name: &str, workgroup: u32, places: &[Span], flops: Size, body: &dyn Fn(&mut Module) -> Grid) -> Item {
        self.reaching(self.choice.reach, name, workgroup, places, flops, body)
    }

    /// A shader of a product in tiles.
    fn tiled(&mut self, k: &Kernel, placed: &Placed, body: &dyn Fn(&mut Module) -> Grid) -> Item {
        let reach = self.chooser.factors(&placed.about, &k.name);
        self.reaching(reach, &k.name, tile::THREADS, &placed.places, flops(k), body)
    }

    fn reaching(
        &mut self,
        reach: Reach,
        name: &str,
        workgroup: u32,
        places: &[Span],
        flops: Size,
        body: &dyn Fn(&mut Module) -> Grid,
    ) -> Item {
        let windows = self.choice.window().map(|(n, bytes)| (n, bytes / 4));
        let mut m = Module::new(&self.buffers, self.size, reach, None);
        let mut grid = body(&mut m);
        if m.bindings() > BINDINGS || m.exceeds(self.choice.binding, self.size) {
            m = Module::new(&self.buffers, self.size, reach, Some(windows));
            grid = body(&mut m);
        }
        let (draft, mut dispatch) = m.finish(name, workgroup, grid, places, flops);
        self.drafts.add(draft, &mut dispatch);
        Item::Dispatch(dispatch)
    }

    /// A stage with a shader of its own; a grouped product may need its rows sorted first.
    fn alone(&mut self, stages: &[Placed], at: usize, out: &mut Vec<Item>) {
        let placed = &stages[at];
        let item = match &placed.stage {
            Stage::Parts(p) => self.parts_of(p, placed),
            Stage::Product { kernel, sum } => {
                let tiling = self.chooser.tiling(&placed.about, kernel, *sum, None);
                let side = tiling.side;
                self.chooser.note(tiling);
                match side {
                    Some(side) => self.tiled(kernel, placed, &|m| tile::emit(m, kernel, *sum, side, Form::Plain)),
                    None => self.kernel(kernel, &placed.places),
                }
            }
            Stage::Grouped { grouped, kernel, sum } => {
                let tiling = self.chooser.tiling(&placed.about, kernel, *sum, Some(&grouped.count));
                let side = tiling.side;
                self.chooser.note(tiling);
                if side.is_some() {
                    let sorted = self.sort(stages, at, grouped, out);
                    self.tiled(kernel, placed, &|m| tile::emit(m, kernel, *sum, sorted.side, Form::Rows(&sorted)))
                } else {
                    self.kernel(kernel, &placed.places)
                }
            }
            Stage::Kernel(k) => match wide::lanes(k, self.size) {
                Some(lanes) => self.shader(&k.name, lanes, &placed.places, flops(k), &|m| {
                    m.rounds(&special::share(&rounds(k), lanes).add(&Size::from(i64::from(lanes))));
                    wide::emit(m, k, lanes)
                }),
                None => self.kernel(k, &placed.places),
            },
            Stage::Other(step) => match &**step {
                Step::Scatter { index, value, out: to, axis, fold, dtype } => {
                    let scatter = Scatter { index, value, out: to, axis: *axis, fold: *fold, dtype: *dtype };
                    return self.scatter(&scatter, &placed.places, out);
                }
                Step::Segments(s) => return self.segments(s, placed, out),
                Step::Order { input, out: to, axis, descending, dtype } if self.long(input) => {
                    return self.long_order((input, to, *axis), *descending, *dtype, &placed.places, out);
                }
                Step::Scan { input, out: to, axis, dtype } => {
                    return self.scan((input, *to, *axis), *dtype, &placed.places, out);
                }
                step => self.step(step, &placed.places),
            },
        };
        out.push(item);
    }

    /// The order of a grouped product's rows: made once for all products of this run of stages that share the index.
    fn sort(&mut self, stages: &[Placed], at: usize, own: &Grouped, out: &mut Vec<Item>) -> Sorted {
        let rows_of = |s: &Placed| match &s.stage {
            Stage::Grouped { grouped, kernel, sum } => {
                let Tiling { side: Some(side), .. } = self.chooser.tiling(&s.about, kernel, *sum, Some(&grouped.count)) else {
                    return None;
                };
                let r = roles::roles(kernel, *sum, true);
                let Expr::Load(index) = &kernel.body[1] else { return None };
                let shape: Vec<Size> = r.rows.iter().map(|l| kernel.loops[*l].size.clone()).collect();
                let strides: Vec<Size> = r
                    .rows
                    .iter()
                    .map(|l| index.terms.iter().find(|t| t.0 == *l).map_or(Size::from(0i64), |t| t.1.clone()))
                    .collect();
                let key =
                    format!("{side} {} {} {shape:?} {strides:?} {} {}", index.buffer, index.offset, grouped.count, grouped.clamp);
                Some((key, tile::across(&roles::extent(kernel, &r.columns)), side))
            }
            Stage::Kernel(_) | Stage::Product { .. } | Stage::Parts(_) | Stage::Other(_) => None,
        };
        let Some((key, _, side)) = rows_of(&stages[at]) else { unreachable!("a tiled grouped product has an index") };
        if let Some((first, sorted)) = self.sorted.get(&key).cloned() {
            let number = (first..at).filter(|k| rows_of(&stages[*k]).is_some_and(|r| r.0 == key)).count() as u32;
            return Sorted { number, stride: own.stride.clone(), ..sorted };
        }
        let across: Vec<Size> = stages[at..].iter().filter_map(rows_of).filter(|r| r.0 == key).map(|r| r.1).collect();
        let Stage::Grouped { kernel, sum, .. } = &stages[at].stage else { unreachable!("the stage is a grouped product") };
        let Expr::Load(index) = &kernel.body[1] else { unreachable!("the index is a load") };
        let r = roles::roles(kernel, *sum, true);
        let count = roles::extent(kernel, &r.rows);
        let groups = own.count.add(&Size::from(i64::from(!own.clamp)));
        let early = self.buffers[kernel.store.buffer].early;
        let mut word = |what: &str, n: Size| {
            let name = format!("{}_{what}", self.buffers[index.buffer].name);
            self.buffers.push(Buffer { name, dtype: DType::I32, shape: vec![n], kind: Kind::Temp, early, half: false });
            self.buffers.len() - 1
        };
        let order = word("order", count.clone());
        let table = word("tiles", tile::tiles(&count, side).add(&groups).mul(&Size::from(3i64)));
        let grids = word("grids", Size::from(3 * across.len()));
        let counts = word("counts", groups.mul(&Size::from(i64::from(sort::THREADS) + 1)));
        let (count, stride) = (own.count.clone(), own.stride.clone());
        let sorted = Sorted { order, table, grids, number: 0, side, count, stride, clamp: own.clamp };
        let name = format!("{}_sort", self.buffers[index.buffer].name);
        let s = sort::Sort { kernel, rows: &r.rows, index, sorted: &sorted, counts, across: &across };
        let item = self.shader(&name, sort::THREADS, &stages[at].places, Size::from(0i64), &|m| {
            sort::emit(m, &s);
            Grid::Work { count: Size::from(1i64), per: 1 }
        });
        out.push(item);
        self.sorted.insert(key, (at, sorted.clone()));
        sorted
    }

    /// Whether the rows of an order are better merged than counted.
    fn long(&self, input: &Window) -> bool {
        input.shape.last().is_some_and(|n| (self.size)(n) > i64::from(merge::BLOCK))
    }

    fn step(&mut self, step: &Step, places: &[Span]) -> Item {
        let none = Size::from(0i64);
        let name = self.buffers[step.writes()[0]].name.clone();
        match step {
            Step::Order { input, out, axis, descending, dtype } => {
                self.shader(&name, special::LANES, places, none, &|m| special::order(m, input, out, *axis, *descending, *dtype))
            }
            Step::Assign { input, out } => {
                let rank = input.shape.len();
                let n = input.shape[rank - 1].add(&Size::from(1i64)).mul(&Size::from(7i64));
                let count = input.shape[..rank - 2].iter().fold(n, |n, s| n.mul(s));
                let early = self.buffers[*out].early;
                let (own, shape) = (format!("{name}_scratch"), vec![count]);
                self.buffers.push(Buffer { name: own, dtype: DType::F32, shape, kind: Kind::Temp, early, half: false });
                let scratch = self.buffers.len() - 1;
                self.shader(&name, special::LANES, places, none, &|m| special::assign(m, input, *out, scratch))
            }
            Step::Random { dist, key, seed, round, out } => {
                self.shader(&name, special::LANES, places, none, &|m| special::random(m, *dist, *key, seed, round, *out))
            }
            Step::Scatter { .. } | Step::Scan { .. } => unreachable!("scatters and running sums may be several shaders"),
            Step::Kernel(_) | Step::Product(_) | Step::Grouped(_) | Step::Segments(_) | Step::Rounds(_) => {
                unreachable!("kernels are stages of their own kind, and loops are opened before")
            }
        }
    }

    fn kernel(&mut self, k: &Kernel, places: &[Span]) -> Item {
        self.shader(&k.name, special::LANES, places, flops(k), &|m| {
            let count = k.loops[..k.outer].iter().fold(Size::from(1i64), |n, l| n.mul(&l.size));
            let item = m.threads(&count, special::LANES);
            let loops: Vec<(String, Size)> =
                k.loops[..k.outer].iter().enumerate().map(|(n, l)| (format!("{}_{n}", l.name), l.size.clone())).collect();
            let counters = m.split(&item, &loops);
            m.rounds(&rounds(k));
            let mut nest = Nest::new(m, k, counters);
            let value = nest.result();
            let place = nest.place();
            m.store(k.store.buffer, &place, &value);
            Grid::Work { count, per: special::LANES }
        })
    }
}
