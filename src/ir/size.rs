//! Symbolic sizes in normal form.
//!
//! A [`Size`] is a sum of terms; a term is a rational number times powers of atoms (negative powers are quotients). Two sizes
//! that are equal for algebraic reasons are equal values, so `heads * (d / heads)` *is* `d`. What the form cannot open
//! (`ceil`, `div`, `2 ^ l`) is an atom of its own.
//!
//! Promised: a size is exact or [lost](Size::is_lost). It is lost where a number in it does not fit 128 bits, or where the form
//! becomes too long to be worked with (a sum of two unknowns that is squared ten times has a thousand terms); what is made of a lost
//! size is lost, and whoever lets a user build sizes says so. Nothing saturates.

mod bounds;
mod ratio;
#[cfg(test)]
mod tests;
mod text;
mod unknown;
mod value;

pub use bounds::Bounds;
use ratio::Ratio;
use std::sync::Arc;
pub use value::Fault;

/// The name of an unknown size: a free dim, a net's argument, or a number that a condition decides.
pub type Sym = Arc<str>;

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
    /// Sorted by factors, no two equal, no coefficient zero. Shared: sizes are copied with every loop of every node.
    terms: Arc<[Term]>,
    /// Terms and atoms in it, at any depth; [`LOST`] for what could not be kept.
    weight: u32,
}

/// Weight of a size that could not be kept.
const LOST: u32 = u32::MAX;
/// Terms and atoms that a size may have.
const MOST: u32 = 4096;
/// Powers that an atom may have.
const MOST_POWER: u32 = 4096;

impl From<i64> for Size {
    fn from(n: i64) -> Size {
        Size::ratio(Ratio::whole(n))
    }
}

impl From<usize> for Size {
    fn from(n: usize) -> Size {
        Size::from(n as i64)
    }
}

impl Size {
    fn ratio(coef: Ratio) -> Size {
        if coef.num == 0 {
            Size { terms: Arc::new([]), weight: 0 }
        } else {
            Size { terms: Arc::new([Term { factors: vec![], coef }]), weight: 1 }
        }
    }

    fn of_ratio(coef: Option<Ratio>) -> Size {
        coef.map_or_else(Size::lost, Size::ratio)
    }

    /// What stands for a size that could not be kept.
    fn lost() -> Size {
        Size { terms: Arc::new([Term { factors: vec![(Atom::Sym("!".into()), 1)], coef: Ratio::ONE }]), weight: LOST }
    }

    /// Whether this size could not be kept: it has no value and means nothing.
    pub fn is_lost(&self) -> bool {
        self.weight == LOST
    }

    /// `num / den`; `den` is not zero.
    pub fn fraction(num: i64, den: i64) -> Size {
        Size::of_ratio(Ratio::new(num.into(), den.into()))
    }

    /// A whole number of any length; lost where it does not fit.
    pub fn digits(text: &str) -> Size {
        Size::of_ratio(text.parse().ok().and_then(|n| Ratio::new(n, 1)))
    }

    /// An unknown.
    pub fn sym(name: impl Into<Sym>) -> Size {
        Size::atom(Atom::Sym(name.into()), 1)
    }

    fn atom(atom: Atom, power: i32) -> Size {
        Size::kept(vec![Term { factors: vec![(atom, power)], coef: Ratio::ONE }])
    }

    /// Terms in normal form, unless they are too many.
    fn kept(terms: Vec<Term>) -> Size {
        let of_atom = |a: &Atom| match a {
            Atom::Sym(_) => 1,
            Atom::Apply(_, args) => args.iter().fold(1u32, |n, s| n.saturating_add(s.weight)),
        };
        let of_term = |t: &Term| t.factors.iter().fold(1u32, |n, (a, _)| n.saturating_add(of_atom(a)));
        let weight = terms.iter().fold(0u32, |n, t| n.saturating_add(of_term(t)));
        let steep = terms.iter().any(|t| t.factors.iter().any(|(_, p)| p.unsigned_abs() > MOST_POWER));
        if weight > MOST || steep { Size::lost() } else { Size { terms: terms.into(), weight } }
    }

    fn from_terms(mut terms: Vec<Term>) -> Size {
        terms.sort();
        let mut out: Vec<Term> = Vec::with_capacity(terms.len());
        for t in terms {
            match out.last_mut() {
                Some(last) if last.factors == t.factors => match last.coef.plus(t.coef) {
                    Some(sum) => last.coef = sum,
                    None => return Size::lost(),
                },
                _ => out.push(t),
            }
        }
        out.retain(|t| t.coef != Ratio::ZERO);
        Size::kept(out)
    }

    /// The number, when nothing is unknown and it is whole.
    pub fn constant(&self) -> Option<i64> {
        match &*self.terms {
            [] => Some(0),
            [t] if t.factors.is_empty() && t.coef.den == 1 => i64::try_from(t.coef.num).ok(),
            _ => None,
        }
    }

    /// The number, when nothing is unknown; possibly a fraction.
    pub fn number(&self) -> Option<f64> {
        match &*self.terms {
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
        if self.is_lost() || other.is_lost() {
            return Size::lost();
        }
        Size::from_terms(self.terms.iter().chain(&*other.terms).cloned().collect())
    }

    pub fn neg(&self) -> Size {
        self.mul(&Size::from(-1i64))
    }

    pub fn sub(&self, other: &Size) -> Size {
        self.add(&other.neg())
    }

    pub fn mul(&self, other: &Size) -> Size {
        if self.is_lost() || other.is_lost() || self.terms.len() * other.terms.len() > 16 * MOST as usize {
            return Size::lost();
        }
        let mut terms = Vec::new();
        for a in &*self.terms {
            for b in &*other.terms {
                let (Some(coef), Some(factors)) = (a.coef.times(b.coef), merge(&a.factors, &b.factors)) else {
                    return Size::lost();
                };
                terms.push(Term { factors, coef });
            }
        }
        Size::from_terms(terms)
    }

    /// By repeated squaring.
    fn power(&self, mut n: u32) -> Size {
        let (mut out, mut square) = (Size::from(1i64), self.clone());
        while n > 0 && !out.is_lost() {
            if n & 1 == 1 {
                out = out.mul(&square);
            }
            n >>= 1;
            if n > 0 {
                square = square.mul(&square);
            }
        }
        out
    }

    /// `1 / self`; `None` for zero.
    fn recip(&self) -> Option<Size> {
        match &*self.terms {
            _ if self.is_lost() => Some(Size::lost()),
            [] => None,
            [t] => {
                let mut product = Size::of_ratio(t.coef.inverse());
                for (a, p) in &t.factors {
                    match a {
                        // Out of the denominator it is a sum again.
                        Atom::Apply(SizeFn::Group, args) if *p < 0 => product = product.mul(&args[0].power(p.unsigned_abs())),
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
        let first = Size::kept(vec![self.terms[0].clone()]);
        // Terms are sorted, and a factor of one sign keeps their order mostly: few need to be tried.
        for t in other.terms.iter().take(16) {
            let q = first.mul(&Size::kept(vec![t.clone()]).recip()?);
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

    /// Whether it is a multiple of `n` whatever its names are: `false` where that is not plain to see.
    pub fn is_multiple_of(&self, n: i64) -> bool {
        let counts = |a: &Atom| matches!(a, Atom::Sym(_) | Atom::Apply(SizeFn::Floor | SizeFn::Ceil, _));
        let whole = |f: &[(Atom, i32)]| f.iter().all(|(a, p)| *p > 0 && counts(a));
        !self.is_lost() && self.parts().all(|((num, den), factors)| den == 1 && num % i128::from(n) == 0 && whole(factors))
    }

    /// Applies one of the closed functions; constants and trivial cases are computed.
    pub fn apply(f: SizeFn, args: Vec<Size>) -> Size {
        if args.iter().any(Size::is_lost) {
            return Size::lost();
        }
        if let Some(n) = Size::fold(f, &args) {
            return n;
        }
        Size::atom(Atom::Apply(f, args), 1)
    }

    fn fold(f: SizeFn, args: &[Size]) -> Option<Size> {
        let single = |s: &Size| match &*s.terms {
            [] => Some(Ratio::ZERO),
            [t] if t.factors.is_empty() => Some(t.coef),
            _ => None,
        };
        let integral = |s: &Size| s.terms.iter().all(|t| t.coef.den == 1 && t.factors.iter().all(|(_, p)| *p > 0));
        match (f, args) {
            (SizeFn::Floor, [a]) => match single(a) {
                Some(r) => Some(Size::ratio(r.floor())),
                None => integral(a).then(|| a.clone()),
            },
            (SizeFn::Ceil, [a]) => match single(a) {
                Some(r) => Some(Size::ratio(r.ceil())),
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
                let out = a.power(n.unsigned_abs() as u32);
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

    /// Terms for code generation: coefficient (numerator, denominator) and factors with their powers.
    pub fn parts(&self) -> impl Iterator<Item = ((i128, i128), &[(Atom, i32)])> {
        self.terms.iter().map(|t| ((t.coef.num, t.coef.den), t.factors.as_slice()))
    }
}

/// The factors of a product, sorted as those of its sides are; `None` where a power is too high.
fn merge(a: &[(Atom, i32)], b: &[(Atom, i32)]) -> Option<Vec<(Atom, i32)>> {
    let mut out: Vec<(Atom, i32)> = Vec::with_capacity(a.len() + b.len());
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    while let (Some((x, p)), Some((y, q))) = (a.peek(), b.peek()) {
        match x.cmp(y) {
            std::cmp::Ordering::Less => out.extend(a.next().cloned()),
            std::cmp::Ordering::Greater => out.extend(b.next().cloned()),
            std::cmp::Ordering::Equal => {
                let sum = p.checked_add(*q)?;
                if sum != 0 {
                    out.push((x.clone(), sum));
                }
                a.next();
                b.next();
            }
        }
    }
    out.extend(a.chain(b).cloned());
    Some(out)
}
