//! Kernels that do to each element what networks do most often: a rectifier, a sigmoid, a GELU, a sine, perhaps after a bias, perhaps times what
//! a gate lets through. They are computed in vectors as wide as the machine has, which Cranelift's four lanes are not, and in one pass.
//!
//! Which kernels these are is seen when their sizes are known; on machines without wide vectors there are none. What such a function is of
//! an element is what generated code makes of it, the same operations in the same order.

use super::call::{self, Ptr, slice, slice_mut};
use super::exec::Exec;
use crate::ir::{DType, Map, Size};
use crate::plan::{Access, Expr, Kernel};

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Function {
    /// `max(x, c)`
    Least(f32),
    One(Map),
    /// `x · sigmoid(x)`
    Silu,
    /// `x · (1 + erf(x / root))`: twice a GELU.
    Gelu {
        root: f32,
    },
    /// `x · (1 + tanh(scale · (x + cube · x³)))`: twice its approximation.
    GeluTanh {
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

/// A kernel of this kind with its sizes known.
pub(super) struct Apply {
    function: Function,
    from: Place,
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
        if !call::has_rows() || k.outer != k.loops.len() || k.types.iter().any(|t| *t != DType::F32) {
            return None;
        }
        let sizes: Vec<i64> = k.loops.iter().map(|l| size(&l.size)).collect();
        let lies = Lies { sizes: &sizes, size };
        let (function, x, gate) = read(k, &lies)?;
        let (from, row) = lies.summed(k, x)?;
        let out = lies.along(&k.store)?;
        let inside = sizes.iter().skip(1).product();
        let columns = sizes.last().copied()?;
        Some(Apply { function, from, row, gate, out, columns, inside, extent: sizes[0], unit: size(&k.unit), work })
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
        let at = |(buffer, offset): Place| ptrs[buffer].moved(offset + start * self.inside);
        let whole = |place: Place| slice::<f32>(at(place), n as usize);
        call::apply(&mut Stretch {
            function: self.function,
            from: whole(self.from),
            row: self.row.map_or(&[], |(buffer, offset)| slice(ptrs[buffer].moved(offset), self.columns as usize)),
            gate: self.gate.map_or(&[], whole),
            out: slice_mut(at(self.out), n as usize),
        });
    }
}

/// How what a kernel reads and writes lies under its loops.
struct Lies<'a> {
    sizes: &'a [i64],
    size: &'a dyn Fn(&Size) -> i64,
}

impl Lies<'_> {
    /// The loops that move a place, with their strides, the first one first.
    fn moving(&self, a: &Access) -> Vec<(usize, i64)> {
        let mut all: Vec<(usize, i64)> = a.terms.iter().map(|(l, s)| (*l, (self.size)(s))).filter(|t| t.1 != 0).collect();
        all.retain(|t| self.sizes[t.0] != 1);
        all.sort();
        all
    }

    /// Where it begins, where each step of the loops is the next element.
    fn along(&self, a: &Access) -> Option<Place> {
        let stride = |l: usize| self.sizes[l + 1..].iter().product::<i64>();
        let want: Vec<(usize, i64)> = (0..self.sizes.len()).filter(|l| self.sizes[*l] != 1).map(|l| (l, stride(l))).collect();
        (self.moving(a) == want).then(|| (a.buffer, (self.size)(&a.offset)))
    }

    /// Where what value `x` reads begins, and where the row that is added to it does.
    fn summed(&self, k: &Kernel, x: usize) -> Option<(Place, Option<Place>)> {
        let load = |e: usize| if let Expr::Load(a) = &k.body[e] { Some(a) } else { None };
        if let Some(a) = load(x) {
            return Some((self.along(a)?, None));
        }
        let Expr::Map(Map::Add, args) = &k.body[x] else { return None };
        [(args[0], args[1]), (args[1], args[0])]
            .into_iter()
            .find_map(|(a, row)| Some((self.along(load(a)?)?, Some(self.row(load(row)?)?))))
    }

    /// Where it begins, where it is the same for all steps but those of the last loop, whose next element it is; not where that is the first.
    fn row(&self, a: &Access) -> Option<Place> {
        let last = self.sizes.len().checked_sub(1).filter(|l| *l > 0)?;
        let fits = self.moving(a) == [(last, 1)] || self.sizes[last] == 1 && self.moving(a).is_empty();
        fits.then(|| (a.buffer, (self.size)(&a.offset)))
    }
}

/// The function that a kernel computes, of which value, and where the gate lies.
fn read(k: &Kernel, lies: &Lies) -> Option<(Function, usize, Option<Place>)> {
    if let Some((function, x)) = function(k, k.value) {
        return Some((function, x, None));
    }
    let Expr::Map(Map::Mul, args) = &k.body[k.value] else { return None };
    [(args[0], args[1]), (args[1], args[0])].into_iter().find_map(|(made, gate)| {
        let (function, x) = function(k, made)?;
        let Expr::Load(gate) = &k.body[gate] else { return None };
        Some((function, x, Some(lies.along(gate)?)))
    })
}

/// The function that value `e` is, and of which value.
fn function(k: &Kernel, e: usize) -> Option<(Function, usize)> {
    let Expr::Map(map, args) = &k.body[e] else { return None };
    let number = |e: usize| if let Expr::Const(c) = k.body[e] { Some(c as f32) } else { None };
    if *map == Map::Max {
        return number(args[1]).filter(|c| !c.is_nan()).map(|c| (Function::Least(c), args[0]));
    }
    if *map == Map::Mul {
        return [(args[0], args[1]), (args[1], args[0])].into_iter().find_map(|(x, f)| Some((bent(k, x, f)?, x)));
    }
    call::row_symbols().iter().any(|r| r.0 == *map).then(|| (Function::One(*map), args[0]))
}

/// The function that `x` is with the factor `f`.
fn bent(k: &Kernel, x: usize, f: usize) -> Option<Function> {
    let number = |e: usize| if let Expr::Const(c) = k.body[e] { Some(c as f32) } else { None };
    let of = |e: usize, map: Map| if let Expr::Map(m, args) = &k.body[e] { Some(&args[..]).filter(|_| *m == map) } else { None };
    // The other operand of what adds this, or multiplies with it.
    let beside = |e: usize, map: Map, is: &dyn Fn(usize) -> bool| {
        let args = of(e, map)?;
        if is(args[0]) { Some(args[1]) } else { is(args[1]).then(|| args[0]) }
    };
    if of(f, Map::Sigmoid) == Some(&[x]) {
        return Some(Function::Silu);
    }
    let inner = beside(f, Map::Add, &|e| number(e) == Some(1.0))?;
    if let Some(erf) = of(inner, Map::Erf) {
        let quotient = of(erf[0], Map::Div).filter(|q| q[0] == x)?;
        return Some(Function::Gelu { root: number(quotient[1])? });
    }
    let product = of(of(inner, Map::Tanh)?[0], Map::Mul)?;
    let (scale, sum) = [(0, 1), (1, 0)].into_iter().find_map(|(a, b)| Some((number(product[a])?, product[b])))?;
    let term = of(beside(sum, Map::Add, &|e| e == x)?, Map::Mul)?;
    let (cube, power) = [(0, 1), (1, 0)].into_iter().find_map(|(a, b)| Some((number(term[a])?, term[b])))?;
    let power = of(power, Map::Pow).filter(|p| p[0] == x)?;
    (k.whole_power(Map::Pow, power) == Some(3)).then_some(Function::GeluTanh { scale, cube })
}
