//! Plan → WGSL: one emitter for both dialects, native (naga) and browser (Tint).
//!
//! One work becomes one shader; several that share their rows become one together (`rows`). Texts depend on nothing but the
//! plan: the same bytes on every machine.

mod helpers;
mod kernel;
pub(super) mod module;
mod product;
mod scalar;
mod special;

use super::flatten::{Work, flatten};
use super::program::{BINDINGS, Buffer, Grid, Item, Kind, Program, Shader};
use crate::ir::{DType, Size};
use crate::plan::{Expr, Kernel, Plan, Sizes, Step};
use crate::source::Span;
use kernel::Nest;
use module::Module;

/// Whose WGSL it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// naga, through wgpu
    #[default]
    Native,
    /// Tint, in Chrome and Edge
    Browser,
}

/// Says which lines a place is: `models/inr.hnet:19: image(xy)`.
pub type Locate<'a> = &'a dyn Fn(Span) -> Option<String>;

/// Makes the program of a plan.
pub fn emit(plan: &Plan, _sizes: &Sizes, locate: Locate) -> Program {
    let flat = flatten(plan);
    let mut e = Emitter { buffers: flat.buffers, shaders: Vec::new(), locate };
    let prepared = e.works(&flat.works[..flat.prepared]);
    let rest = e.works(&flat.works[flat.prepared..]);
    let count = prepared.len();
    let items = prepared.into_iter().chain(rest).collect();
    Program { buffers: e.buffers, shaders: e.shaders, items, prepared: count, outputs: flat.outputs }
}

struct Emitter<'a> {
    buffers: Vec<Buffer>,
    shaders: Vec<Shader>,
    locate: Locate<'a>,
}

impl Emitter<'_> {
    fn works(&mut self, works: &[Work]) -> Vec<Item> {
        works.iter().flat_map(|w| self.work(w)).collect()
    }

    fn work(&mut self, work: &Work) -> Vec<Item> {
        match work {
            Work::Repeat { trips, body } => vec![Item::Repeat { trips: trips.clone(), body: self.works(body) }],
            Work::Step { step, places } => vec![self.step(step, places)],
            Work::Move(moves) => self.single("carry", &[], &|m| special::moves(m, moves)),
            Work::Fill { buffer, value } => {
                let name = format!("{}_start", self.buffers[*buffer].name);
                self.single(&name, &[], &|m| special::fill(m, *buffer, value))
            }
            Work::Turn { round, reverse, stop } => self.single("turn", &[], &|m| special::turn(m, *round, *reverse, *stop)),
        }
    }

    fn single(&mut self, name: &str, places: &[Span], body: &dyn Fn(&mut Module) -> Grid) -> Vec<Item> {
        vec![self.shader(name, special::LANES, places, Size::from(0i64), body)]
    }

    fn shader(&mut self, name: &str, workgroup: u32, places: &[Span], flops: Size, body: &dyn Fn(&mut Module) -> Grid) -> Item {
        let mut m = Module::new(&self.buffers, false);
        let mut grid = body(&mut m);
        if m.bindings() > BINDINGS {
            m = Module::new(&self.buffers, true);
            grid = body(&mut m);
        }
        let mut comment = vec![name.to_string()];
        comment.extend(places.iter().filter_map(|p| (self.locate)(*p)));
        comment.dedup();
        let (shader, mut dispatch) = m.finish(name, &comment, workgroup, grid, places, flops);
        dispatch.shader = self.shaders.iter().position(|s| *s == shader).unwrap_or_else(|| {
            self.shaders.push(shader);
            self.shaders.len() - 1
        });
        Item::Dispatch(dispatch)
    }

    fn step(&mut self, step: &Step, places: &[Span]) -> Item {
        let out = step.writes()[0];
        let name = self.buffers[out].name.clone();
        match step {
            Step::Kernel(k) => self.kernel(k, places),
            Step::Product(p) => self.kernel(&product::nest(p), places),
            Step::Grouped(g) => self.kernel(&product::grouped_nest(g), places),
            Step::Order { input, out, axis, descending, dtype } => {
                self.shader(&name, special::LANES, places, Size::from(0i64), &|m| {
                    special::order(m, input, out, *axis, *descending, *dtype)
                })
            }
            Step::Scan { input, out, axis, dtype } => {
                self.shader(&name, special::WIDE, places, Size::from(0i64), &|m| special::scan(m, input, *out, *axis, *dtype))
            }
            Step::Assign { input, out } => {
                let rank = input.shape.len();
                let n = input.shape[rank - 1].add(&Size::from(1i64)).mul(&Size::from(7i64));
                let count = input.shape[..rank - 2].iter().fold(n, |n, s| n.mul(s));
                let name = format!("{name}_scratch");
                let early = self.buffers[*out].early;
                self.buffers.push(Buffer { name, dtype: DType::F32, shape: vec![count], kind: Kind::Temp, early });
                let scratch = self.buffers.len() - 1;
                let name = self.buffers[*out].name.clone();
                self.shader(&name, special::LANES, places, Size::from(0i64), &|m| special::assign(m, input, *out, scratch))
            }
            Step::Scatter { index, value, out, axis, dtype } => {
                self.shader(&name, special::LANES, places, Size::from(0i64), &|m| {
                    special::scatter(m, index, value, out, *axis, *dtype)
                })
            }
            Step::Random { dist, key, seed, round, out } => self
                .shader(&name, special::LANES, places, Size::from(0i64), &|m| special::random(m, *dist, *key, seed, round, *out)),
            Step::Rounds(_) => unreachable!("loops are opened before"),
        }
    }

    fn kernel(&mut self, k: &Kernel, places: &[Span]) -> Item {
        self.shader(&k.name, special::LANES, places, flops(k), &|m| {
            let count = k.loops[..k.outer].iter().fold(Size::from(1i64), |n, l| n.mul(&l.size));
            let item = m.threads(&count, special::LANES);
            let loops: Vec<(String, Size)> =
                k.loops[..k.outer].iter().enumerate().map(|(n, l)| (format!("{}_{n}", l.name), l.size.clone())).collect();
            let counters = m.split(&item, &loops);
            let mut nest = Nest::new(m, k, counters);
            let value = nest.result();
            let place = nest.place();
            m.store(k.store.buffer, &place, &value);
            Grid::Work { count, per: special::LANES }
        })
    }
}

/// Floating-point operations of a kernel.
fn flops(k: &Kernel) -> Size {
    let deps = kernel::dependencies(k);
    let mut total = Size::from(0i64);
    for (e, d) in k.body.iter().zip(&deps) {
        let points =
            |mask: u128| (0..k.loops.len()).filter(|l| mask >> l & 1 == 1).fold(Size::from(1i64), |n, l| n.mul(&k.loops[l].size));
        match e {
            Expr::Map(..) => total = total.add(&points(*d)),
            Expr::Reduce { loops, .. } => total = total.add(&points(loops.iter().fold(*d, |m, l| m | 1 << l))),
            Expr::Const(_) | Expr::Counter(_) | Expr::Size(_) | Expr::Load(_) | Expr::Pick { .. } => {}
        }
    }
    total
}
