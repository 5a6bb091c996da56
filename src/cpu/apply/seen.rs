//! Which kernels are of the kind that [`super::Apply`] computes: what they are a function of, and where that lies.

use super::super::call;
use super::{From, Function, Place, Terms};
use crate::ir::{Fold, Map, Size};
use crate::plan::{Access, Expr, Kernel, measured::cpu};

/// How what a kernel reads and writes lies under its loops.
pub(super) struct Lies<'a> {
    /// Of all loops; those of the result come first, so many.
    pub sizes: &'a [i64],
    pub outer: usize,
    pub size: &'a dyn Fn(&Size) -> i64,
}

impl Lies<'_> {
    /// The loops that move a place, with their strides, the first one first.
    fn moving(&self, a: &Access) -> Vec<(usize, i64)> {
        let mut all: Vec<(usize, i64)> = a.terms.iter().map(|(l, s)| (*l, (self.size)(s))).filter(|t| t.1 != 0).collect();
        all.retain(|t| self.sizes[t.0] != 1);
        all.sort();
        all
    }

    /// Where it begins, where each step of the result's loops is the next element.
    pub fn along(&self, a: &Access) -> Option<Place> {
        (self.moving(a) == self.strides(self.outer, 1)).then(|| (a.buffer, (self.size)(&a.offset)))
    }

    /// The first `loops` with their strides, where each step is `apart` from the one before.
    fn strides(&self, loops: usize, apart: i64) -> Vec<(usize, i64)> {
        let stride = |l: usize| apart * self.sizes[l + 1..loops].iter().product::<i64>();
        (0..loops).filter(|l| self.sizes[*l] != 1 && apart != 0).map(|l| (l, stride(l))).collect()
    }

    /// What value `x` is made of, and where the row that is added to it lies.
    pub fn summed(&self, k: &Kernel, x: usize) -> Option<(From, Option<Place>)> {
        let load = |e: usize| if let Expr::Load(a) = &k.body[e] { Some(a) } else { None };
        let from = |e: usize| match load(e) {
            Some(a) => self.sizes.len().eq(&self.outer).then(|| self.along(a).map(From::Stored))?,
            None => self.terms(k, e).map(From::Made),
        };
        if let Some(from) = from(x) {
            return Some((from, None));
        }
        let Expr::Map(Map::Add, args) = &k.body[x] else { return None };
        [(args[0], args[1]), (args[1], args[0])].into_iter().find_map(|(a, row)| Some((from(a)?, Some(self.row(load(row)?)?))))
    }

    /// A sum of few terms, each an element of a row times one of a matrix whose rows lie along the result's.
    fn terms(&self, k: &Kernel, x: usize) -> Option<Terms> {
        let Expr::Reduce { fold: Fold::Sum, loops, value } = &k.body[x] else { return None };
        let (last, term) = (self.outer.checked_sub(1)?, self.outer);
        let many = *self.sizes.get(term)?;
        let few = loops[..] == [term] && self.sizes.len() == term + 1 && (1..=cpu::SHALLOW_TERMS as i64).contains(&many);
        if !few || self.sizes[last] < cpu::SHALLOW_COLUMNS {
            return None;
        }
        let Expr::Map(Map::Mul, args) = &k.body[*value] else { return None };
        let place = |a: &Access| (a.buffer, (self.size)(&a.offset));
        let of = |moving: &[(usize, i64)], l: usize| moving.iter().find(|t| t.0 == l).map_or(0, |t| t.1);
        [(args[0], args[1]), (args[1], args[0])].into_iter().find_map(|(a, b)| {
            let (Expr::Load(a), Expr::Load(b)) = (&k.body[a], &k.body[b]) else { return None };
            let (mut down, mut along) = (self.moving(a), self.moving(b));
            let apart = [of(&down, term), of(&along, term)];
            down.retain(|t| t.0 != term);
            along.retain(|t| t.0 != term);
            let row = (0..last).rev().find(|l| self.sizes[*l] != 1).map_or(0, |l| of(&down, l));
            let fits = along == [(last, 1)] && down == self.strides(last, row) && row >= 0 && apart.iter().all(|x| *x >= 0);
            fits.then(|| Terms { many: many as usize, a: (place(a), row, apart[0]), b: (place(b), apart[1]) })
        })
    }

    /// Where it begins, where it is the same for all steps but those of the last loop, whose next element it is; not where that is the first.
    fn row(&self, a: &Access) -> Option<Place> {
        let last = self.outer.checked_sub(1).filter(|l| *l > 0)?;
        let fits = self.moving(a) == [(last, 1)] || self.sizes[last] == 1 && self.moving(a).is_empty();
        fits.then(|| (a.buffer, (self.size)(&a.offset)))
    }
}

/// The function that a kernel computes, of which value, and where the gate lies.
pub(super) fn read(k: &Kernel, lies: &Lies) -> Option<(Function, usize, Option<Place>)> {
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
        return [(args[0], args[1]), (args[1], args[0])].into_iter().find_map(|(x, f)| {
            let scaled = if let Expr::Map(Map::Mul, args) = &k.body[x] { &args[..] } else { &[] };
            let [a, b] = scaled else { return Some((bent(k, x, f, 1.0)?, x)) };
            let inner = [(*a, *b), (*b, *a)].into_iter().find_map(|(c, x)| Some((bent(k, x, f, number(c)?)?, x)));
            inner.or_else(|| Some((bent(k, x, f, 1.0)?, x)))
        });
    }
    call::row_symbols().iter().any(|r| r.0 == *map).then(|| (Function::One(*map), args[0]))
}

/// The function that `x`, so many times, is with the factor `f`.
fn bent(k: &Kernel, x: usize, f: usize, times: f32) -> Option<Function> {
    let number = |e: usize| if let Expr::Const(c) = k.body[e] { Some(c as f32) } else { None };
    let of = |e: usize, map: Map| if let Expr::Map(m, args) = &k.body[e] { Some(&args[..]).filter(|_| *m == map) } else { None };
    // The other operand of what adds this, or multiplies with it.
    let beside = |e: usize, map: Map, is: &dyn Fn(usize) -> bool| {
        let args = of(e, map)?;
        if is(args[0]) { Some(args[1]) } else { is(args[1]).then(|| args[0]) }
    };
    if times == 1.0 && of(f, Map::Sigmoid) == Some(&[x]) {
        return Some(Function::Silu);
    }
    let inner = beside(f, Map::Add, &|e| number(e) == Some(1.0))?;
    if let Some(erf) = of(inner, Map::Erf) {
        if let Some(scale) = beside(erf[0], Map::Mul, &|e| e == x) {
            return Some(Function::Gelu { times, scale: number(scale)? });
        }
        let quotient = of(erf[0], Map::Div).filter(|q| q[0] == x)?;
        return Some(Function::GeluOfQuotient { times, root: number(quotient[1])? });
    }
    let product = of(of(inner, Map::Tanh)?[0], Map::Mul)?;
    let (scale, sum) = [(0, 1), (1, 0)].into_iter().find_map(|(a, b)| Some((number(product[a])?, product[b])))?;
    let term = of(beside(sum, Map::Add, &|e| e == x)?, Map::Mul)?;
    let (cube, power) = [(0, 1), (1, 0)].into_iter().find_map(|(a, b)| Some((number(term[a])?, term[b])))?;
    let power = of(power, Map::Pow).filter(|p| p[0] == x)?;
    (k.whole_power(Map::Pow, power) == Some(3)).then_some(Function::GeluTanh { times, scale, cube })
}
