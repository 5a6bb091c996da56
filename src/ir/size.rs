//! Symbolic sizes in normal form.
//!
//! A [`Size`] is a sum of terms; a term is a rational number times powers of atoms (negative powers are quotients). Two sizes
//! that are equal for algebraic reasons are equal values, so `heads * (d / heads)` *is* `d`. What the form cannot open
//! (`ceil`, `div`, `2 ^ l`) is an atom of its own.
//!
//! Promised: a size is exact or [lost](Size::is_lost). It is lost where a number in it does not fit 128 bits, or where the form
//! becomes too long to be worked with (a sum of two unknowns that is squared ten times has a thousand terms); what is made of a lost
//! size is lost, and whoever lets a user build sizes says so. Nothing saturates.

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
        match (self.num.checked_mul(other.den), other.num.checked_mul(self.den)) {
            (Some(a), Some(b)) => a.cmp(&b),
            // Both sides are far beyond what 53 bits tell apart only where they are nearly equal.
            _ => self.to_f64().total_cmp(&other.to_f64()).then(self.num.cmp(&other.num)).then(self.den.cmp(&other.den)),
        }
    }
}

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a.saturating_abs() } else { gcd(b, a.checked_rem(b).unwrap_or(0)) }
}

impl Ratio {
    const ZERO: Ratio = Ratio { num: 0, den: 1 };
    const ONE: Ratio = Ratio { num: 1, den: 1 };

    /// In lowest terms; `None` where that needs more than 128 bits. `den` is not zero.
    fn new(num: i128, den: i128) -> Option<Ratio> {
        let g = gcd(num, den).max(1);
        let s: i128 = if den < 0 { -1 } else { 1 };
        let fits = |n: i128| (n.unsigned_abs() < 1 << 126).then_some(n);
        Some(Ratio { num: fits(num)?.checked_div(g)?.checked_mul(s)?, den: fits(den)?.checked_div(g)?.checked_mul(s)? })
    }

    fn whole(n: i64) -> Ratio {
        Ratio { num: n.into(), den: 1 }
    }

    fn plus(self, o: Ratio) -> Option<Ratio> {
        let num = self.num.checked_mul(o.den)?.checked_add(o.num.checked_mul(self.den)?)?;
        Ratio::new(num, self.den.checked_mul(o.den)?)
    }

    fn times(self, o: Ratio) -> Option<Ratio> {
        // Crosswise first, so that what cancels does not overflow.
        let (a, b) = (gcd(self.num, o.den).max(1), gcd(o.num, self.den).max(1));
        let num = (self.num / a).checked_mul(o.num / b)?;
        Ratio::new(num, (self.den / b).checked_mul(o.den / a)?)
    }

    /// `1 / self`; of zero nothing.
    fn inverse(self) -> Option<Ratio> {
        if self.num == 0 { None } else { Ratio::new(self.den, self.num) }
    }

    /// By repeated squaring.
    fn power(self, mut n: u32) -> Option<Ratio> {
        let (mut out, mut square) = (Ratio::ONE, self);
        loop {
            if n & 1 == 1 {
                out = out.times(square)?;
            }
            n >>= 1;
            if n == 0 {
                return Some(out);
            }
            square = square.times(square)?;
        }
    }

    fn floor(self) -> Ratio {
        Ratio { num: self.num.div_euclid(self.den), den: 1 }
    }

    fn ceil(self) -> Ratio {
        Ratio { num: -(-self.num).div_euclid(self.den), den: 1 }
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
    /// Terms and atoms in it, at any depth; [`LOST`] for what could not be kept.
    weight: u32,
}

/// Weight of a size that could not be kept.
const LOST: u32 = u32::MAX;
/// Terms and atoms that a size may have.
const MOST: u32 = 4096;
/// Powers that an atom may have.
const MOST_POWER: u32 = 4096;

/// Why a size has no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is known of this unknown.
    Unknown(Sym),
    /// It comes to a fraction.
    Fraction,
    /// It does not fit 64 bits.
    TooLarge,
}

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
            Size { terms: vec![], weight: 0 }
        } else {
            Size { terms: vec![Term { factors: vec![], coef }], weight: 1 }
        }
    }

    fn of_ratio(coef: Option<Ratio>) -> Size {
        coef.map_or_else(Size::lost, Size::ratio)
    }

    /// What stands for a size that could not be kept.
    fn lost() -> Size {
        Size { terms: vec![Term { factors: vec![(Atom::Sym("!".into()), 1)], coef: Ratio::ONE }], weight: LOST }
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
        if weight > MOST || steep { Size::lost() } else { Size { terms, weight } }
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
        if self.is_lost() || other.is_lost() {
            return Size::lost();
        }
        Size::from_terms(self.terms.iter().chain(&other.terms).cloned().collect())
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
        for a in &self.terms {
            for b in &other.terms {
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
        match self.terms.as_slice() {
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
        let single = |s: &Size| match s.terms.as_slice() {
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

    /// All unknowns in it, in order, each once.
    pub fn symbols(&self) -> Vec<Sym> {
        let mut out = Vec::new();
        self.collect(&mut out);
        out.sort();
        out.dedup();
        out
    }

    /// Whether some unknown in it is one of these.
    pub fn mentions(&self, is: &dyn Fn(&str) -> bool) -> bool {
        self.terms.iter().any(|t| {
            t.factors.iter().any(|(a, _)| match a {
                Atom::Sym(s) => is(s),
                Atom::Apply(_, args) => args.iter().any(|s| s.mentions(is)),
            })
        })
    }

    /// The unknown that it is, when it is nothing else.
    pub fn single(&self) -> Option<&Sym> {
        match self.terms.as_slice() {
            [Term { factors, coef }] if *coef == Ratio::ONE && !self.is_lost() => match factors.as_slice() {
                [(Atom::Sym(s), 1)] => Some(s),
                _ => None,
            },
            _ => None,
        }
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
        if self.is_lost() {
            return Size::lost();
        }
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
                product = product.mul(&base.power(p.unsigned_abs()));
            }
            sum = sum.add(&product);
        }
        sum
    }

    /// Its value where every unknown has one; `None` where one has none or the result is not whole.
    pub fn eval(&self, of: &dyn Fn(&str) -> Option<i64>) -> Option<i64> {
        self.value(of).ok()
    }

    /// Its value, or why it has none. A quotient by zero is 0.
    pub fn value(&self, of: &dyn Fn(&str) -> Option<i64>) -> Result<i64, Fault> {
        if self.is_lost() {
            return Err(Fault::TooLarge);
        }
        if let Some(s) = self.single() {
            return of(s).ok_or_else(|| Fault::Unknown(s.clone()));
        }
        let exact = self.exact(of)?;
        if exact.den != 1 {
            return Err(Fault::Fraction);
        }
        i64::try_from(exact.num).map_err(|_| Fault::TooLarge)
    }

    /// The value, possibly a fraction.
    fn exact(&self, of: &dyn Fn(&str) -> Option<i64>) -> Result<Ratio, Fault> {
        let fits = |r: Option<Ratio>| r.ok_or(Fault::TooLarge);
        let mut sum = Ratio::ZERO;
        for t in &self.terms {
            let mut product = t.coef;
            for (atom, p) in &t.factors {
                let base = match atom {
                    Atom::Sym(s) => Ratio::whole(of(s).ok_or_else(|| Fault::Unknown(s.clone()))?),
                    Atom::Apply(f, args) => {
                        let args = args.iter().map(|a| a.exact(of)).collect::<Result<Vec<_>, _>>()?;
                        applied(*f, &args)?
                    }
                };
                let base = if *p < 0 { base.inverse().unwrap_or(Ratio::ZERO) } else { base };
                product = fits(fits(base.power(p.unsigned_abs()))?.times(product))?;
            }
            sum = fits(sum.plus(product))?;
        }
        Ok(sum)
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

/// A closed function of numbers.
fn applied(f: SizeFn, args: &[Ratio]) -> Result<Ratio, Fault> {
    match (f, args) {
        (SizeFn::Floor, [a]) => Ok(a.floor()),
        (SizeFn::Ceil, [a]) => Ok(a.ceil()),
        (SizeFn::Group, [a]) => Ok(*a),
        (SizeFn::Max, [a, b]) => Ok(*a.max(b)),
        (SizeFn::Min, [a, b]) => Ok(*a.min(b)),
        (SizeFn::Pow, [a, n]) if n.den == 1 => {
            let power = u32::try_from(n.num.unsigned_abs()).map_err(|_| Fault::TooLarge)?;
            let base = if n.num < 0 { a.inverse().unwrap_or(Ratio::ZERO) } else { *a };
            base.power(power).ok_or(Fault::TooLarge)
        }
        (SizeFn::Log2, [a]) if a.den == 1 && a.num > 0 && a.num.count_ones() == 1 => {
            Ok(Ratio::whole(i64::from(a.num.trailing_zeros())))
        }
        (SizeFn::Pow | SizeFn::Log2, _) => Err(Fault::Fraction),
        // Each has as many arguments as it is made with.
        (SizeFn::Floor | SizeFn::Ceil | SizeFn::Group | SizeFn::Max | SizeFn::Min, _) => Err(Fault::Fraction),
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

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Unknown(s) => write!(f, "`{s}` is not known"),
            Fault::Fraction => write!(f, "it is not a whole number"),
            Fault::TooLarge => write!(f, "it does not fit 64 bits"),
        }
    }
}

/// Highest power first, the constant last: `2*b*t + b - 1`, `d/heads`.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_lost() {
            return write!(f, "a size that is too large");
        }
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
    fn what_grows_is_lost_and_stays_so() {
        let mut c = Size::sym("a").add(&Size::sym("b"));
        let mut steps = 0;
        while !c.is_lost() {
            c = c.mul(&c);
            steps += 1;
        }
        assert!((6..12).contains(&steps), "{steps}");
        let more = c.add(&Size::from(1i64)).sub(&c);
        assert!(more.is_lost() && more.constant().is_none() && more.value(&|_| Some(1)).is_err());
        assert!(Size::apply(SizeFn::Max, vec![c, Size::from(1i64)]).is_lost());
        let mut nested = Size::sym("a");
        for _ in 0..40 {
            nested = Size::apply(SizeFn::Max, vec![nested.add(&Size::from(1i64)), nested.mul(&Size::from(2i64))]);
        }
        assert!(nested.is_lost());
        let mut n = Size::from(3i64);
        for _ in 0..40 {
            n = n.mul(&n);
        }
        assert!(n.is_lost(), "no number saturates");
    }

    #[test]
    fn values_are_exact_or_say_why_there_is_none() {
        let n = Size::sym("n");
        let of = |k: i64| move |s: &str| (s == "n").then_some(k);
        let square = n.mul(&n);
        assert_eq!(square.value(&of(70_000)), Ok(4_900_000_000));
        assert_eq!(square.value(&of(1 << 32)), Err(Fault::TooLarge));
        assert_eq!(square.mul(&square).div(&square).unwrap().value(&of(1 << 31)), Ok(1 << 62));
        assert_eq!(Size::sym("m").value(&of(1)), Err(Fault::Unknown("m".into())));
        assert_eq!(n.div(&Size::from(2i64)).unwrap().value(&of(3)), Err(Fault::Fraction));
        assert_eq!(Size::from(1i64).div(&n).unwrap().value(&of(0)), Ok(0));
        assert_eq!(Size::digits("9007199254740993").value(&of(0)), Ok(9_007_199_254_740_993));
        assert!(Size::digits(&"9".repeat(50)).is_lost());
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
