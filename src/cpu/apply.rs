//! Kernels that do to each element what networks do most often: a rectifier, a sigmoid, a GELU, a sine, perhaps after a bias, perhaps times what
//! a gate lets through. They are computed in vectors as wide as the machine has, which Cranelift's four lanes are not, and in one pass.
//!
//! Which kernels these are is seen when their sizes are known; on machines without wide vectors there are none. What such a function is of
//! an element is what generated code makes of it, the same operations in the same order, but for the approximated GELU.

mod seen;

use super::call::{self, Ptr, slice, slice_mut};
use super::exec::Exec;
use crate::ir::{DType, Map, Size};
use crate::plan::{Kernel, measured::cpu};
use seen::{Lies, read};

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Function {
    /// `max(x, c)`
    Least(f32),
    One(Map),
    /// `x · sigmoid(x)`
    Silu,
    /// `(times · x) · (1 + erf(scale · x))`: a GELU where it is half of x.
    Gelu {
        times: f32,
        scale: f32,
    },
    /// `(times · x) · (1 + erf(x / root))`, as many write it.
    GeluOfQuotient {
        times: f32,
        root: f32,
    },
    /// `(times · x) · (1 + tanh(scale · (x + cube · x³)))`: its approximation. `1 + tanh(u)` is `2 / (1 + exp(-2 u))`, which takes less, and keeps
    /// the digits of what is left where the hyperbolic tangent comes near -1.
    GeluTanh {
        times: f32,
        scale: f32,
        cube: f32,
    },
}

/// What is computed for a stretch of elements: `out = f(from + row) · gate`, where `row`, repeated, and `gate` may be empty.
pub(super) struct Stretch<'a> {
    pub function: Function,
    pub from: &'a [f32],
    pub row: &'a [f32],
    pub gate: &'a [f32],
    pub out: &'a mut [f32],
}

/// A buffer, and where in it the first element lies.
type Place = (usize, i64);

/// What a function is computed of.
#[derive(Clone, Copy)]
enum From {
    /// Elements as they lie.
    Stored(Place),
    /// Rows times a matrix of few rows, whose sums have few terms: they are made where they are read.
    Made(Terms),
}

/// Sums of few terms: `a` has a row for each row of the result, `b` a row for each term. A place and the distance of rows, and of terms, in each.
#[derive(Clone, Copy)]
struct Terms {
    many: usize,
    a: (Place, i64, i64),
    b: (Place, i64),
}

/// A kernel of this kind with its sizes known.
pub(super) struct Apply {
    function: Function,
    from: From,
    /// Added to each row: as long as one.
    row: Option<Place>,
    gate: Option<Place>,
    out: Place,
    columns: i64,
    /// Elements for each step of the first loop, and its steps.
    inside: i64,
    extent: i64,
    /// Steps of the first loop for each step of the result's first axis.
    pub unit: i64,
    work: f64,
}

impl Apply {
    /// `None`: the kernel does something else.
    pub fn of(k: &Kernel, size: &dyn Fn(&Size) -> i64, work: f64) -> Option<Apply> {
        if !call::has_rows() || k.types.iter().any(|t| *t != DType::F32) {
            return None;
        }
        let sizes: Vec<i64> = k.loops.iter().map(|l| size(&l.size)).collect();
        let lies = Lies { sizes: &sizes, outer: k.outer, size };
        let (function, x, gate) = read(k, &lies)?;
        let (from, row) = lies.summed(k, x)?;
        let out = lies.along(&k.store)?;
        let outer = &sizes[..k.outer];
        let inside = outer.iter().skip(1).product();
        let columns = outer.last().copied()?;
        Some(Apply { function, from, row, gate, out, columns, inside, extent: outer[0], unit: size(&k.unit), work })
    }

    pub fn work(&self) -> f64 {
        self.work
    }

    /// Runs it, or the steps of the result's first axis that `range` says.
    pub fn run(&self, ptrs: &[Ptr], range: Option<(i64, i64)>, exec: Exec) {
        match range {
            Some((start, end)) => {
                let part = self.work * ((end - start) * self.unit) as f64 / self.extent.max(1) as f64;
                exec.split(end - start, 1, part, &|from, to| {
                    self.part(ptrs, (start + from) * self.unit, (start + to) * self.unit)
                });
            }
            None => exec.split(self.extent, 1, self.work, &|start, end| self.part(ptrs, start, end)),
        }
    }

    fn part(&self, ptrs: &[Ptr], start: i64, end: i64) {
        let n = (end - start).max(0) * self.inside;
        if n == 0 {
            return;
        }
        let whole = |(buffer, offset): Place| slice::<f32>(ptrs[buffer].moved(offset + start * self.inside), n as usize);
        let (buffer, offset) = self.out;
        let mut stretch = Stretch {
            function: self.function,
            from: &[],
            row: self.row.map_or(&[], |(buffer, offset)| slice(ptrs[buffer].moved(offset), self.columns as usize)),
            gate: self.gate.map_or(&[], whole),
            out: slice_mut(ptrs[buffer].moved(offset + start * self.inside), n as usize),
        };
        match &self.from {
            From::Stored(place) => {
                stretch.from = whole(*place);
                self.stored(&mut stretch);
            }
            From::Made(terms) => self.made(ptrs, terms, start * self.inside / self.columns, &mut stretch),
        }
    }

    /// A stretch of rows. What is added to short ones comes several times over: the last vector of each would not be whole.
    fn stored(&self, all: &mut Stretch) {
        let times = cpu::APPLY_REPEATED / all.row.len().max(1);
        if all.row.is_empty() || times < 2 || all.out.len() < cpu::APPLY_REPEATED {
            return call::apply(all);
        }
        let mut repeated = [0.0f32; cpu::APPLY_REPEATED];
        for to in repeated.chunks_exact_mut(all.row.len()) {
            to.copy_from_slice(all.row);
        }
        let Stretch { function, from, gate, .. } = *all;
        let row = &repeated[..times * all.row.len()];
        call::apply(&mut Stretch { function, from, row, gate, out: all.out });
    }

    /// A stretch of whole rows from row `first` on, as many at a time as stay in the first cache.
    fn made(&self, ptrs: &[Ptr], terms: &Terms, first: i64, all: &mut Stretch) {
        let columns = self.columns as usize;
        let some = (cpu::SHALLOW_ROOM / columns).max(1);
        let ((a, offset), row, term) = terms.a;
        let a = ptrs[a].moved(offset + first * row);
        let ((b, offset), apart) = terms.b;
        let b = ptrs[b].moved(offset);
        let mut room = vec![0.0f32; some.min(all.out.len() / columns) * columns];
        for (n, out) in all.out.chunks_mut(some * columns).enumerate() {
            let rows = out.len() / columns;
            let a = call::Matrix { at: a.moved((n * some) as i64 * row), row, col: term };
            let b = call::Matrix { at: b, row: apart, col: 1 };
            let from = &mut room[..out.len()];
            call::shallow(a, b, (rows, columns, terms.many), from);
            let gate = if all.gate.is_empty() { &[] } else { &all.gate[n * some * columns..][..out.len()] };
            self.stored(&mut Stretch { function: all.function, from, row: all.row, gate, out });
        }
    }
}
