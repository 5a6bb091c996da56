//! Symbolic sizes in normal form.
//!
//! A [`Size`] is a sum of terms; a term is a rational number times powers of atoms (negative powers are quotients). Two sizes
//! that are equal for algebraic reasons are equal values, so `heads * (d / heads)` *is* `d`. What the form cannot open
//! (`ceil`, `div`, `2 ^ l`) is an atom of its own.

use std::fmt;
use std::sync::Arc;

/// The name of an unknown size: a free dim, a net's argument, or a number that a condition decides.
pub type Sym = Arc<str>;

/// A rational number in lowest terms, the denominator positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ratio {
    num: i128,
    den: i128,
}

impl PartialOrd for Ratio {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ratio {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.num.saturating_mul(other.den).cmp(&other.num.saturating_mul(self.den))
    }
}

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a.saturating_abs() } else { gcd(b, a.checked_rem(b).unwrap_or(0)) }
}

impl Ratio {
    const ZERO: Ratio = Ratio { num: 0, den: 1 };
    const ONE: Ratio = Ratio { num: 1, den: 1 };

    fn new(num: i128, den: i128) -> Ratio {
        let g = gcd(num, den).max(1);
        let s: i128 = if den < 0 { -1 } else { 1 };
        Ratio { num: s.saturating_mul(num / g), den: s.saturating_mul(den / g) }
    }

    fn plus(self, o: Ratio) -> Ratio {
        let num = self.num.saturating_mul(o.den).saturating_add(o.num.saturating_mul(self.den));
        Ratio::new(num, self.den.saturating_mul(o.den))
    }

    fn times(self, o: Ratio) -> Ratio {
        Ratio::new(self.num.saturating_mul(o.num), self.den.saturating_mul(o.den))
    }

    fn to_f64(self) -> f64 {
        self.num as f64 / self.den as f64
    }
}

/// Functions that the normal form keeps closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SizeFn {
    Floor,
    Ceil,
    Max,
    Min,
    /// `base ^ exponent`, the exponent unknown
    Pow,
    Log2,
    /// A sum that stands in a denominator.
    Group,
}

impl SizeFn {
    /// The word in texts.
    pub fn word(self) -> &'static str {
        match self {
            SizeFn::Floor => "floor",
            SizeFn::Ceil => "ceil",
            SizeFn::Max => "max",
            SizeFn::Min => "min",
            SizeFn::Pow => "pow",
            SizeFn::Log2 => "log2",
            SizeFn::Group => "group",
        }
    }
}

/// What the form treats as one unknown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Atom {
    Sym(Sym),
    Apply(SizeFn, Vec<Size>),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Term {
    /// Sorted, exponents not zero.
    factors: Vec<(Atom, i32)>,
    coef: Ratio,
}

/// A size: a whole number, possibly of unknowns.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size {
    /// Sorted by factors, no two equal, no coefficient zero.
    terms: Vec<Term>,
}

impl From<i64> for Size {
    fn from(n: i64) -> Size {
        Size::ratio(Ratio::new(n.into(), 1))
    }
}

impl From<usize> for Size {
    fn from(n: usize) -> Size {
        Size::from(n as i64)
    }
}

impl Size {
    fn ratio(coef: Ratio) -> Size {
        Size { terms: if coef.num == 0 { vec![] } else { vec![Term { factors: vec![], coef }] } }
    }

    /// `num / den`; `den` is not zero.
    pub fn fraction(num: i64, den: i64) -> Size {
        Size::ratio(Ratio::new(num.into(), den.into()))
    }

    /// An unknown.
    pub fn sym(name: impl Into<Sym>) -> Size {
        Size::atom(Atom::Sym(name.into()), 1)
    }

    fn atom(atom: Atom, power: i32) -> Size {
        Size { terms: vec![Term { factors: vec![(atom, power)], coef: Ratio::ONE }] }
    }

    fn from_terms(mut terms: Vec<Term>) -> Size {
        terms.sort();
        let mut out: Vec<Term> = Vec::with_capacity(terms.len());
        for t in terms {
            match out.last_mut() {
                Some(last) if last.factors == t.factors => last.coef = last.coef.plus(t.coef),
                _ => out.push(t),
            }
        }
        out.retain(|t| t.coef != Ratio::ZERO);
        Size { terms: out }
    }

    /// The number, when nothing is unknown and it is whole.
    pub fn constant(&self) -> Option<i64> {
        match self.terms.as_slice() {
            [] => Some(0),
            [t] if t.factors.is_empty() && t.coef.den == 1 => i64::try_from(t.coef.num).ok(),
            _ => None,
        }
    }

    /// The number, when nothing is unknown; possibly a fraction.
    pub fn number(&self) -> Option<f64> {
        match self.terms.as_slice() {
            [] => Some(0.0),
            [t] if t.factors.is_empty() => Some(t.coef.to_f64()),
            _ => None,
        }
    }

    /// Whether it is exactly `n`.
    pub fn is(&self, n: i64) -> bool {
        self.constant() == Some(n)
    }

    pub fn add(&self, other: &Size) -> Size {
        Size::from_terms(self.terms.iter().chain(&other.terms).cloned().collect())
    }

    pub fn neg(&self) -> Size {
        self.mul(&Size::from(-1i64))
    }

    pub fn sub(&self, other: &Size) -> Size {
        self.add(&other.neg())
    }

    pub fn mul(&self, other: &Size) -> Size {
        let mut terms = Vec::new();
        for a in &self.terms {
            for b in &other.terms {
                terms.push(Term { factors: merge(&a.factors, &b.factors), coef: a.coef.times(b.coef) });
            }
        }
        Size::from_terms(terms)
    }

    /// `1 / self`; `None` for zero.
    fn recip(&self) -> Option<Size> {
        match self.terms.as_slice() {
            [] => None,
            [t] => {
                let mut product = Size::ratio(Ratio::new(t.coef.den, t.coef.num));
                for (a, p) in &t.factors {
                    match a {
                        // Out of the denominator it is a sum again.
                        Atom::Apply(SizeFn::Group, args) if *p < 0 => {
                            for _ in 0..-p {
                                product = product.mul(&args[0]);
                            }
                        }
                        Atom::Sym(_) | Atom::Apply(..) => product = product.mul(&Size::atom(a.clone(), -p)),
                    }
                }
                Some(product)
            }
            _ => Some(Size::atom(Atom::Apply(SizeFn::Group, vec![self.clone()]), -1)),
        }
    }

    /// Exact quotient; `None` where `other` is zero. The result may be a fraction: see [`Size::is_whole`].
    pub fn div(&self, other: &Size) -> Option<Size> {
        if let Some(q) = self.divide_terms(other) {
            return Some(q);
        }
        Some(self.mul(&other.recip()?))
    }

    /// `self / other` where `other` has several terms and is a factor of `self` by a number or one term.
    fn divide_terms(&self, other: &Size) -> Option<Size> {
        if other.terms.len() < 2 || self.terms.len() != other.terms.len() {
            return None;
        }
        let first = Size { terms: vec![self.terms[0].clone()] };
        for t in &other.terms {
            let q = first.mul(&Size { terms: vec![t.clone()] }.recip()?);
            if q.mul(other) == *self {
                return Some(q);
            }
        }
        None
    }

    /// `false` where it is a fraction for certain: a constant, or a term with a fractional coefficient and no quotient of unknowns.
    pub fn is_whole(&self) -> bool {
        self.terms.iter().all(|t| t.coef.den == 1 || !t.factors.is_empty())
    }

    /// Applies one of the closed functions; constants and trivial cases are computed.
    pub fn apply(f: SizeFn, args: Vec<Size>) -> Size {
        if let Some(n) = Size::fold(f, &args) {
            return n;
        }
        Size::atom(Atom::Apply(f, args), 1)
    }

    fn fold(f: SizeFn, args: &[Size]) -> Option<Size> {
        let single = |s: &Size| match s.terms.as_slice() {
            [] => Some(Ratio::ZERO),
            [t] if t.factors.is_empty() => Some(t.coef),
            _ => None,
        };
        let integral = |s: &Size| s.terms.iter().all(|t| t.coef.den == 1 && t.factors.iter().all(|(_, p)| *p > 0));
        match (f, args) {
            (SizeFn::Floor, [a]) => match single(a) {
                Some(r) => Some(Size::ratio(Ratio::new(r.num.div_euclid(r.den), 1))),
                None => integral(a).then(|| a.clone()),
            },
            (SizeFn::Ceil, [a]) => match single(a) {
                Some(r) => Some(Size::ratio(Ratio::new(r.num.saturating_neg().div_euclid(r.den).saturating_neg(), 1))),
                None => integral(a).then(|| a.clone()),
            },
            (SizeFn::Max | SizeFn::Min, [a, b]) => {
                if a == b {
                    return Some(a.clone());
                }
                let (x, y) = (single(a)?, single(b)?);
                Some(Size::ratio(if f == SizeFn::Max { x.max(y) } else { x.min(y) }))
            }
            (SizeFn::Pow, [a, b]) => {
                let n = b.constant()?;
                if n.unsigned_abs() > 64 {
                    return None;
                }
                let mut out = Size::from(1i64);
                for _ in 0..n.unsigned_abs() {
                    out = out.mul(a);
                }
                if n < 0 { out.recip() } else { Some(out) }
            }
            (SizeFn::Log2, [a]) => {
                let n = a.constant().filter(|n| *n > 0)?;
                (n.count_ones() == 1).then(|| Size::from(i64::from(n.trailing_zeros())))
            }
            _ => None,
        }
    }

    /// Whole quotient, rounded down.
    pub fn int_div(&self, other: &Size) -> Option<Size> {
        Some(Size::apply(SizeFn::Floor, vec![self.div(other)?]))
    }

    /// Remainder, never negative for a positive divisor.
    pub fn modulo(&self, other: &Size) -> Option<Size> {
        Some(self.sub(&other.mul(&self.int_div(other)?)))
    }

    /// All unknowns in it, in order, each once.
    pub fn symbols(&self) -> Vec<Sym> {
        let mut out = Vec::new();
        self.collect(&mut out);
        out.sort();
        out.dedup();
        out
    }

    fn collect(&self, out: &mut Vec<Sym>) {
        for t in &self.terms {
            for (a, _) in &t.factors {
                match a {
                    Atom::Sym(s) => out.push(s.clone()),
                    Atom::Apply(_, args) => args.iter().for_each(|s| s.collect(out)),
                }
            }
        }
    }

    /// Puts sizes in the place of unknowns.
    pub fn substitute(&self, of: &dyn Fn(&str) -> Option<Size>) -> Size {
        let mut sum = Size::from(0i64);
        for t in &self.terms {
            let mut product = Size::ratio(t.coef);
            for (a, p) in &t.factors {
                let base = match a {
                    Atom::Sym(s) => of(s).unwrap_or_else(|| Size::sym(s.clone())),
                    Atom::Apply(SizeFn::Group, args) => args[0].substitute(of),
                    Atom::Apply(f, args) => Size::apply(*f, args.iter().map(|s| s.substitute(of)).collect()),
                };
                let base = if *p < 0 { base.recip().unwrap_or_else(|| Size::from(0i64)) } else { base };
                for _ in 0..p.unsigned_abs() {
                    product = product.mul(&base);
                }
            }
            sum = sum.add(&product);
        }
        sum
    }

    /// Its value where every unknown has one; `None` where one has none or the result is not whole.
    pub fn eval(&self, of: &dyn Fn(&str) -> Option<i64>) -> Option<i64> {
        self.substitute(&|s| of(s).map(Size::from)).constant()
    }

    /// Terms for code generation: coefficient (numerator, denominator) and factors with their powers.
    pub fn parts(&self) -> impl Iterator<Item = ((i128, i128), &[(Atom, i32)])> {
        self.terms.iter().map(|t| ((t.coef.num, t.coef.den), t.factors.as_slice()))
    }

    /// Whether it is at least `n` for every choice of unknowns that are at least `least` (sums of positive terms only).
    pub fn at_least(&self, n: i64, least: i64) -> bool {
        if let Some(c) = self.number() {
            return c >= n as f64;
        }
        let mut bound = 0.0;
        for t in &self.terms {
            if t.factors.is_empty() {
                bound += t.coef.to_f64();
            } else if t.coef.num < 0 || t.factors.iter().any(|(_, p)| *p < 0) {
                return false;
            } else if t.factors.iter().all(|(a, _)| matches!(a, Atom::Sym(_))) {
                bound += t.coef.to_f64() * (least as f64).powi(t.factors.iter().map(|f| f.1).sum());
            }
        }
        bound >= n as f64
    }
}

fn merge(a: &[(Atom, i32)], b: &[(Atom, i32)]) -> Vec<(Atom, i32)> {
    let mut out: Vec<(Atom, i32)> = a.to_vec();
    for (atom, p) in b {
        match out.iter_mut().find(|(x, _)| x == atom) {
            Some((_, q)) => *q += p,
            None => out.push((atom.clone(), *p)),
        }
    }
    out.retain(|(_, p)| *p != 0);
    out.sort();
    out
}

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Atom::Sym(s) => f.write_str(&super::text::quoted(s)),
            Atom::Apply(SizeFn::Group, args) => write!(f, "({})", args[0]),
            Atom::Apply(g, args) => {
                write!(f, "{}(", g.word())?;
                for (i, a) in args.iter().enumerate() {
                    write!(f, "{}{a}", if i > 0 { ", " } else { "" })?;
                }
                write!(f, ")")
            }
        }
    }
}

/// Highest power first, the constant last: `2*b*t + b - 1`, `d/heads`.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.terms.is_empty() {
            return write!(f, "0");
        }
        for (i, t) in self.terms.iter().rev().enumerate() {
            let minus = t.coef.num < 0;
            match (i, minus) {
                (0, true) => write!(f, "-")?,
                (0, false) => {}
                (_, true) => write!(f, " - ")?,
                (_, false) => write!(f, " + ")?,
            }
            let mut first = true;
            if t.coef.num.abs() != 1 || !t.factors.iter().any(|x| x.1 > 0) {
                write!(f, "{}", t.coef.num.abs())?;
                first = false;
            }
            for (a, p) in t.factors.iter().filter(|x| x.1 > 0) {
                for _ in 0..*p {
                    write!(f, "{}{a}", if first { "" } else { "*" })?;
                    first = false;
                }
            }
            if t.coef.den != 1 {
                write!(f, "/{}", t.coef.den)?;
            }
            for (a, p) in t.factors.iter().filter(|x| x.1 < 0) {
                for _ in 0..-p {
                    write!(f, "/{a}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotients_cancel_and_sums_collect() {
        let (d, h) = (Size::sym("d"), Size::sym("heads"));
        let width = d.div(&h).unwrap();
        assert_eq!(h.mul(&width), d);
        assert_eq!(d.add(&d).sub(&d), d);
        assert_eq!(d.mul(&Size::from(2i64)).add(&Size::from(1i64)).to_string(), "2*d + 1");
        assert_eq!(width.to_string(), "d/heads");
        assert_eq!(d.add(&h).mul(&Size::from(3i64)).div(&d.add(&h)).unwrap(), Size::from(3i64));
    }

    #[test]
    fn closed_functions_fold_when_they_can() {
        assert!(Size::apply(SizeFn::Ceil, vec![Size::fraction(7, 2)]).is(4));
        assert!(Size::fraction(7, 2).int_div(&Size::from(1i64)).unwrap().is(3));
        let c = Size::apply(SizeFn::Ceil, vec![Size::sym("b").mul(&Size::fraction(5, 4))]);
        assert_eq!(c.eval(&|_| Some(3)), Some(4));
        assert_eq!(c.to_string(), "ceil(5*b/4)");
        assert!(Size::from(-7i64).modulo(&Size::from(3i64)).unwrap().is(2));
    }
}
