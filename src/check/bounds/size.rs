//! Whether a size is never negative.
//!
//! In: a symbolic size, and sizes that are at least 1. Out: `true` only where it is proved.

use super::Proof;
use crate::check::model::Allowed;
use crate::ir::size::{Atom, SizeFn};
use crate::ir::{Size, Sym};

/// Values of a size that are tried one by one.
const FEW: i64 = 64;

impl Proof<'_> {
    /// Whether a size is at least 0, whatever its unknowns are, as far as conditions may decide them.
    pub(super) fn nonnegative(&self, size: &Size, some: &[Size]) -> bool {
        match self.decided_in(size) {
            Some(cases) => self.goes_on() && cases.iter().all(|size| self.nonnegative(size, some)),
            None => nonnegative(size, some),
        }
    }

    /// Whether a size is below 0 where conditions have some of the values that they may have, and all is known then.
    pub(super) fn negative_for_some(&self, size: &Size) -> bool {
        match self.decided_in(size) {
            Some(cases) => self.goes_on() && cases.iter().any(|size| self.negative_for_some(size)),
            None => size.number().is_some_and(|n| n < 0.0),
        }
    }

    /// What a size is for each value (or the least and the greatest) of a size in it that a condition decides.
    fn decided_in(&self, size: &Size) -> Option<Vec<Size>> {
        let (name, allowed) = self.decided.iter().find(|(s, _)| size.mentions(&|t| t == &**s))?;
        let values = match allowed {
            Allowed::List(list) => list.clone(),
            Allowed::Range(a, b) if b - a <= FEW => (*a..*b).collect(),
            // Between its ends a size that grows evenly is between its values there.
            Allowed::Range(a, b) if evenly(size, name) => vec![*a, b - 1],
            Allowed::Range(..) | Allowed::Any => return None,
        };
        let with = |n: i64| size.substitute(&|s| (*s == **name).then(|| Size::from(n)));
        Some(values.into_iter().map(with).collect())
    }
}

/// Whether a size has an unknown in its first power only.
fn evenly(size: &Size, name: &Sym) -> bool {
    size.parts().all(|(_, factors)| {
        factors.iter().all(|(atom, power)| match atom {
            Atom::Sym(s) => s != name || *power == 1,
            Atom::Apply(_, args) => !args.iter().any(|a| a.mentions(&|t| t == &**name)),
        })
    })
}

/// Whether a size is at least 0 whatever its unknowns are; the sizes in `some` are at least 1.
fn nonnegative(size: &Size, some: &[Size]) -> bool {
    proves(size, some, 6)
}

/// Takes minima, maxima and rounded quotients apart, one at a time: each is at least, or at most, something simpler.
fn proves(size: &Size, some: &[Size], depth: usize) -> bool {
    let found = size.parts().find_map(|((num, _), factors)| match factors {
        [(atom @ Atom::Apply(f, args), 1)] => match f {
            SizeFn::Min | SizeFn::Max | SizeFn::Floor | SizeFn::Ceil => Some((num > 0, atom.clone(), *f, args.clone())),
            SizeFn::Pow | SizeFn::Log2 | SizeFn::Group => None,
        },
        _ => None,
    });
    let Some((adds, atom, f, args)) = found.filter(|_| depth > 0) else { return plainly(size, some) };
    let whole = Size::apply(f, args.clone());
    let Some(factor) = size.parts().find_map(|((num, den), factors)| match factors {
        [(a, 1)] if *a == atom => Some(Size::fraction(i64::try_from(num).ok()?, i64::try_from(den).ok()?)),
        _ => None,
    }) else {
        return false;
    };
    let rest = size.sub(&whole.mul(&factor));
    let with = |other: &Size| proves(&rest.add(&other.mul(&factor)), some, depth - 1);
    match (f, adds) {
        (SizeFn::Max, true) | (SizeFn::Min, false) => args.iter().any(with),
        (SizeFn::Min, true) | (SizeFn::Max, false) => args.iter().all(with),
        (SizeFn::Floor, false) | (SizeFn::Ceil, true) => with(&args[0]),
        // Rounded down it may be 1 less; but not below 0 where it was not.
        (SizeFn::Floor, true) => {
            with(&args[0].sub(&Size::from(1i64))) || (proves(&args[0], some, depth - 1) && proves(&rest, some, depth - 1))
        }
        (SizeFn::Ceil, false) => with(&args[0].add(&Size::from(1i64))),
        (SizeFn::Pow | SizeFn::Log2 | SizeFn::Group, _) => false,
    }
}

/// The same without anything to take apart.
fn plainly(size: &Size, some: &[Size]) -> bool {
    // One of the axes that have places may be the only one that takes away.
    let least = |s: &str| i64::from(some.iter().any(|x| *x == Size::sym(s)));
    let shifted = size.substitute(&|s| (least(s) == 1).then(|| Size::sym(s).add(&Size::from(1i64))));
    shifted.at_least(0, 0)
}
