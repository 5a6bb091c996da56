//! Sizes as numbers: a table that one function fills from the free sizes, exactly or not at all.
//!
//! A size is a sum of products of whole numbers, quotients and closed functions; it is computed here as a quotient of two numbers of 64
//! bits, and each operation says whether its result fits. A size that does not, that is no whole number, or that has a sign or a length
//! that it may not have makes the sizes bad: nothing is ever computed from a number that wrapped.

use super::code::Code;
use crate::ir::Size;
use crate::ir::size::{Atom, SizeFn};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, Value};
use cranelift_frontend::Variable;
use std::collections::BTreeMap;

/// The sizes that code asks for, each with its place.
pub(super) struct Table {
    /// The first place, which is behind whatever else lies there.
    first: usize,
    sizes: Vec<Size>,
    places: BTreeMap<Size, usize>,
}

impl Table {
    pub fn new(first: usize) -> Table {
        Table { first, sizes: Vec::new(), places: BTreeMap::new() }
    }

    /// Where the value of a size lies.
    pub fn slot(&mut self, size: &Size) -> usize {
        let next = self.first + self.sizes.len();
        let slot = *self.places.entry(size.clone()).or_insert(next);
        if slot == next {
            self.sizes.push(size.clone());
        }
        slot
    }

    /// How many places there are in all.
    pub fn first(&self) -> usize {
        self.first
    }

    pub fn len(&self) -> usize {
        self.first + self.sizes.len()
    }

    pub fn all(&self) -> Vec<Size> {
        self.sizes.clone()
    }
}

/// `top / under`; what is under is positive, and 1 where it is not said.
#[derive(Clone, Copy)]
struct Quotient {
    top: Value,
    under: Option<Value>,
}

/// Computes sizes.
pub(super) struct Counter<'c, 'f, 't> {
    pub c: &'c mut Code<'f, 't>,
    /// The free sizes and their values.
    pub free: &'c BTreeMap<crate::ir::Sym, Value>,
    /// Not 0 once something did not fit.
    bad: Variable,
    known: BTreeMap<Size, Value>,
}

/// Notes that something is bad where this holds.
fn spoil(c: &mut Code, bad: Variable, holds: Value) {
    let wide = c.b.ins().uextend(I64, holds);
    let old = c.get(bad);
    let now = c.b.ins().bor(old, wide);
    c.set(bad, now);
}

fn times(c: &mut Code, bad: Variable, a: Value, b: Value) -> Value {
    let (x, wrapped) = c.b.ins().smul_overflow(a, b);
    spoil(c, bad, wrapped);
    x
}

impl<'c, 'f, 't> Counter<'c, 'f, 't> {
    pub fn new(c: &'c mut Code<'f, 't>, free: &'c BTreeMap<crate::ir::Sym, Value>) -> Counter<'c, 'f, 't> {
        let zero = c.int(0);
        let bad = c.var(zero);
        Counter { c, free, bad, known: BTreeMap::new() }
    }

    pub fn spoil(&mut self, holds: Value) {
        spoil(self.c, self.bad, holds);
    }

    fn checked(&mut self, (x, wrapped): (Value, Value)) -> Value {
        self.spoil(wrapped);
        x
    }

    pub fn times(&mut self, a: Value, b: Value) -> Value {
        times(self.c, self.bad, a, b)
    }

    /// Whether anything was bad so far.
    pub fn is_bad(&mut self) -> Value {
        self.c.get(self.bad)
    }

    pub fn plus(&mut self, a: Value, b: Value) -> Value {
        let made = self.c.b.ins().sadd_overflow(a, b);
        self.checked(made)
    }

    /// The value of a size.
    pub fn value(&mut self, size: &Size) -> Value {
        if let Some(known) = self.known.get(size) {
            return *known;
        }
        let value = self.counted(size);
        self.known.insert(size.clone(), value);
        value
    }

    fn counted(&mut self, size: &Size) -> Value {
        let Quotient { top, under } = self.quotient(size);
        let Some(under) = under else { return top };
        let under = self.divisor(under);
        let rest = self.c.b.ins().srem(top, under);
        let broken = self.c.b.ins().icmp_imm_s(IntCC::NotEqual, rest, 0);
        self.spoil(broken);
        self.c.b.ins().sdiv(top, under)
    }

    /// What may be divided by: where it is not positive something was bad before.
    fn divisor(&mut self, x: Value) -> Value {
        let fine = self.c.b.ins().icmp_imm_s(IntCC::SignedGreaterThan, x, 0);
        let one = self.c.int(1);
        let out = self.c.b.ins().select(fine, x, one);
        let broken = self.c.b.ins().icmp_imm_s(IntCC::SignedLessThanOrEqual, x, 0);
        self.spoil(broken);
        out
    }

    /// A number of compile time; one beyond 64 bits makes the sizes bad.
    fn number(&mut self, n: i128) -> Value {
        match i64::try_from(n) {
            Ok(n) => self.c.int(n),
            Err(_) => {
                let yes = self.c.b.ins().iconst(cranelift_codegen::ir::types::I8, 1);
                self.spoil(yes);
                self.c.int(0)
            }
        }
    }

    fn quotient(&mut self, size: &Size) -> Quotient {
        if size.is_lost() {
            let top = self.number(i128::MAX);
            return Quotient { top, under: None };
        }
        let mut sum = None;
        for ((num, den), factors) in size.parts() {
            let top = self.number(num);
            let mut product = Quotient { top, under: None };
            if den != 1 {
                product.under = Some(self.number(den));
            }
            for (atom, power) in factors {
                let base = self.atom(atom);
                let base = if *power < 0 { self.inverse(base) } else { base };
                for _ in 0..power.unsigned_abs() {
                    product = self.product(product, base);
                }
            }
            sum = Some(match sum {
                None => product,
                Some(sum) => self.sum(sum, product),
            });
        }
        sum.unwrap_or_else(|| Quotient { top: self.c.int(0), under: None })
    }

    fn product(&mut self, a: Quotient, b: Quotient) -> Quotient {
        let under = match (a.under, b.under) {
            (Some(x), Some(y)) => Some(self.times(x, y)),
            (x, y) => x.or(y),
        };
        Quotient { top: self.times(a.top, b.top), under }
    }

    fn sum(&mut self, a: Quotient, b: Quotient) -> Quotient {
        let (x, y) = self.brought(a, b);
        let under = match (a.under, b.under) {
            (Some(x), Some(y)) => Some(self.times(x, y)),
            (x, y) => x.or(y),
        };
        Quotient { top: self.plus(x, y), under }
    }

    /// Both over one denominator.
    fn brought(&mut self, a: Quotient, b: Quotient) -> (Value, Value) {
        let x = b.under.map_or(a.top, |u| self.times(a.top, u));
        let y = a.under.map_or(b.top, |u| self.times(b.top, u));
        (x, y)
    }

    /// 0 where it is 0.
    fn inverse(&mut self, x: Quotient) -> Quotient {
        let (zero, one) = (self.c.int(0), self.c.int(1));
        let top = x.under.unwrap_or(one);
        let negative = self.c.b.ins().icmp(IntCC::SignedLessThan, x.top, zero);
        let turned = self.times(top, zero);
        let minus = self.c.b.ins().isub(turned, top);
        let top = self.c.b.ins().select(negative, minus, top);
        let (under, wrapped) = self.c.b.ins().ssub_overflow(zero, x.top);
        let wrapped = self.c.b.ins().band(wrapped, negative);
        self.spoil(wrapped);
        let under = self.c.b.ins().select(negative, under, x.top);
        let none = self.c.b.ins().icmp(IntCC::Equal, x.top, zero);
        let (top, under) = (self.c.b.ins().select(none, zero, top), self.c.b.ins().select(none, one, under));
        Quotient { top, under: Some(under) }
    }

    fn atom(&mut self, atom: &Atom) -> Quotient {
        let whole = |top| Quotient { top, under: None };
        match atom {
            Atom::Sym(s) => match self.free.get(s) {
                Some(value) => whole(*value),
                None => whole(self.number(i128::MAX)),
            },
            Atom::Apply(f, args) => {
                let args: Vec<Quotient> = args.iter().map(|a| self.quotient(a)).collect();
                match (f, args.as_slice()) {
                    (SizeFn::Group, [a]) => *a,
                    (SizeFn::Floor, [a]) => whole(self.floor(*a)),
                    (SizeFn::Ceil, [a]) => {
                        // The other way round, rounded down.
                        let minus = self.negated(a.top);
                        let down = self.floor(Quotient { top: minus, under: a.under });
                        whole(self.negated(down))
                    }
                    (SizeFn::Max | SizeFn::Min, [a, b]) => self.extreme(*f == SizeFn::Max, *a, *b),
                    (SizeFn::Log2, [a]) => whole(self.log2(*a)),
                    (SizeFn::Pow, [a, n]) => self.power(*a, *n),
                    // Each has as many arguments as it is made with.
                    (SizeFn::Group | SizeFn::Floor | SizeFn::Ceil | SizeFn::Max | SizeFn::Min, _) => {
                        whole(self.number(i128::MAX))
                    }
                    (SizeFn::Log2 | SizeFn::Pow, _) => whole(self.number(i128::MAX)),
                }
            }
        }
    }

    fn negated(&mut self, x: Value) -> Value {
        let zero = self.c.int(0);
        let made = self.c.b.ins().ssub_overflow(zero, x);
        self.checked(made)
    }

    fn floor(&mut self, x: Quotient) -> Value {
        let Some(under) = x.under else { return x.top };
        let under = self.divisor(under);
        let (down, rest) = (self.c.b.ins().sdiv(x.top, under), self.c.b.ins().srem(x.top, under));
        let less = self.c.b.ins().icmp_imm_s(IntCC::SignedLessThan, rest, 0);
        let less = self.c.b.ins().uextend(I64, less);
        self.c.b.ins().isub(down, less)
    }

    fn extreme(&mut self, max: bool, a: Quotient, b: Quotient) -> Quotient {
        let (x, y) = self.brought(a, b);
        let cc = if max { IntCC::SignedGreaterThanOrEqual } else { IntCC::SignedLessThanOrEqual };
        let first = self.c.b.ins().icmp(cc, x, y);
        let under = match (a.under, b.under) {
            (None, None) => None,
            (x, y) => {
                let one = self.c.int(1);
                Some(self.c.b.ins().select(first, x.unwrap_or(one), y.unwrap_or(one)))
            }
        };
        Quotient { top: self.c.b.ins().select(first, a.top, b.top), under }
    }

    /// The power of two that a number is; bad if it is none.
    fn log2(&mut self, x: Quotient) -> Value {
        let n = match x.under {
            None => x.top,
            Some(under) => {
                let under = self.divisor(under);
                let rest = self.c.b.ins().srem(x.top, under);
                let broken = self.c.b.ins().icmp_imm_s(IntCC::NotEqual, rest, 0);
                self.spoil(broken);
                self.c.b.ins().sdiv(x.top, under)
            }
        };
        let less = self.c.b.ins().icmp_imm_s(IntCC::SignedLessThanOrEqual, n, 0);
        self.spoil(less);
        let below = self.c.b.ins().iadd_imm_s(n, -1);
        let both = self.c.b.ins().band(n, below);
        let more = self.c.b.ins().icmp_imm_s(IntCC::NotEqual, both, 0);
        self.spoil(more);
        self.c.b.ins().ctz(n)
    }

    /// By multiplying so often as it says; beyond 64 times all but -1, 0 and 1 have left the numbers long ago.
    fn power(&mut self, base: Quotient, n: Quotient) -> Quotient {
        if let Some(under) = n.under {
            let broken = self.c.b.ins().icmp_imm_s(IntCC::NotEqual, under, 1);
            self.spoil(broken);
        }
        let inverse = self.inverse(base);
        let one = self.c.int(1);
        let negative = self.c.b.ins().icmp_imm_s(IntCC::SignedLessThan, n.top, 0);
        let minus = self.negated(n.top);
        let count = self.c.b.ins().select(negative, minus, n.top);
        let top = self.c.b.ins().select(negative, inverse.top, base.top);
        let under = self.c.b.ins().select(negative, inverse.under.unwrap_or(one), base.under.unwrap_or(one));
        let odd = self.c.b.ins().band_imm_u(count, 1);
        let far = self.c.b.ins().iadd_imm_s(odd, 64);
        let near = self.c.b.ins().smin(count, far);
        let (tops, unders) = (self.c.var(one), self.c.var(one));
        let bad = self.bad;
        self.c.each(near, &mut |c, _| {
            let (x, y) = (c.get(tops), c.get(unders));
            let (x, y) = (times(c, bad, x, top), times(c, bad, y, under));
            c.set(tops, x);
            c.set(unders, y);
        });
        let (top, under) = (self.c.get(tops), self.c.get(unders));
        Quotient { top, under: Some(under) }
    }
}
