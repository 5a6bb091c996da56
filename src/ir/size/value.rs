//! What a size comes to.
//!
//! In: a size, numbers for its unknowns. Out: a whole number, or why there is none. By the time that code is made every size has one:
//! see [`super::super::sizes`].

use super::ratio::Ratio;
use super::{Atom, Size, SizeFn, Sym};
use std::fmt;

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

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Unknown(s) => write!(f, "`{s}` is not known"),
            Fault::Fraction => write!(f, "it is not a whole number"),
            Fault::TooLarge => write!(f, "it does not fit 64 bits"),
        }
    }
}

impl Size {
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
    pub(super) fn exact(&self, of: &dyn Fn(&str) -> Option<i64>) -> Result<Ratio, Fault> {
        let fits = |r: Option<Ratio>| r.ok_or(Fault::TooLarge);
        let mut sum = Ratio::ZERO;
        for t in &*self.terms {
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

    /// Whether it is at least `n` for every choice of unknowns that are at least `least` (sums of positive terms only).
    pub fn at_least(&self, n: i64, least: i64) -> bool {
        if let Some(c) = self.number() {
            return c >= n as f64;
        }
        let mut bound = 0.0;
        for t in &*self.terms {
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
