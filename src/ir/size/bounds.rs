//! Between which numbers a size lies where its unknowns lie between some.
//!
//! What is said is certain, and may be too wide: two places of one unknown are taken as two unknowns.

use super::ratio::Ratio;
use super::{Atom, Size, SizeFn, Term};

/// The least and the most that something is; none where there is no end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    pub least: Option<i64>,
    pub most: Option<i64>,
}

/// The same in fractions.
type Ends = (Option<Ratio>, Option<Ratio>);

const OPEN: Ends = (None, None);

impl Size {
    /// The whole numbers between which it lies, where each unknown lies between those that `of` says.
    pub fn bounds(&self, of: &dyn Fn(&str) -> Bounds) -> Bounds {
        let (least, most) = self.ends(of);
        let whole = |r: Ratio| i64::try_from(r.num).ok();
        Bounds { least: least.and_then(|r| whole(r.floor())), most: most.and_then(|r| whole(r.ceil())) }
    }

    /// What is added in it, and what is taken away.
    pub fn sides(&self) -> (Size, Size) {
        let (less, more): (Vec<Term>, Vec<Term>) = self.terms.iter().cloned().partition(|t| t.coef < Ratio::ZERO);
        (Size::kept(more), Size::kept(less).neg())
    }

    fn ends(&self, of: &dyn Fn(&str) -> Bounds) -> Ends {
        if self.is_lost() {
            return OPEN;
        }
        let mut sum = (Some(Ratio::ZERO), Some(Ratio::ZERO));
        for t in &*self.terms {
            let mut product = (Some(t.coef), Some(t.coef));
            for (atom, power) in &t.factors {
                let base = match atom {
                    Atom::Sym(s) => {
                        let Bounds { least, most } = of(s);
                        (least.map(Ratio::whole), most.map(Ratio::whole))
                    }
                    Atom::Apply(f, args) => applied(*f, &args.iter().map(|a| a.ends(of)).collect::<Vec<_>>()),
                };
                let base = if *power < 0 { inverse(base) } else { base };
                if power.unsigned_abs() > 64 {
                    return OPEN;
                }
                product = (0..power.unsigned_abs()).fold(product, |p, _| times(p, base));
            }
            let plus = |a: Option<Ratio>, b: Option<Ratio>| a?.plus(b?);
            sum = (plus(sum.0, product.0), plus(sum.1, product.1));
        }
        sum
    }
}

/// Numbers that are not negative.
fn positive(e: Ends) -> bool {
    e.0.is_some_and(|least| least >= Ratio::ZERO)
}

fn times(a: Ends, b: Ends) -> Ends {
    let (zero, product) = (Some(Ratio::ZERO), |x: Option<Ratio>, y: Option<Ratio>| x?.times(y?));
    if a == (zero, zero) || b == (zero, zero) {
        return (zero, zero);
    }
    let negative = |e: Ends| e.1.is_some_and(|most| most <= Ratio::ZERO);
    match (a, b) {
        _ if positive(a) && positive(b) => (product(a.0, b.0), product(a.1, b.1)),
        _ if negative(a) && positive(b) => (product(a.0, b.1), product(a.1, b.0)),
        _ if positive(a) && negative(b) => (product(a.1, b.0), product(a.0, b.1)),
        ((Some(a), Some(b)), (Some(c), Some(d))) => {
            let all: Option<Vec<Ratio>> = [a.times(c), a.times(d), b.times(c), b.times(d)].into_iter().collect();
            all.map_or(OPEN, |all| (all.iter().min().copied(), all.iter().max().copied()))
        }
        _ => OPEN,
    }
}

/// One over such numbers; over zero it is zero.
fn inverse(e: Ends) -> Ends {
    match e {
        (Some(least), most) if least > Ratio::ZERO => (most.map_or(Some(Ratio::ZERO), |m| m.inverse()), least.inverse()),
        _ if positive(e) => (Some(Ratio::ZERO), None),
        _ => OPEN,
    }
}

/// A closed function of such numbers.
fn applied(f: SizeFn, args: &[Ends]) -> Ends {
    let both = |of: fn(Ratio, Ratio) -> Ratio, a: Option<Ratio>, b: Option<Ratio>| Some(of(a?, b?));
    let one = |of: fn(Ratio, Ratio) -> Ratio, a: Option<Ratio>, b: Option<Ratio>| both(of, a, b).or(a).or(b);
    match (f, args) {
        (SizeFn::Floor, [a]) => (a.0.map(Ratio::floor), a.1.map(Ratio::floor)),
        (SizeFn::Ceil, [a]) => (a.0.map(Ratio::ceil), a.1.map(Ratio::ceil)),
        (SizeFn::Group, [a]) => *a,
        (SizeFn::Max, [a, b]) => (one(Ratio::max, a.0, b.0), both(Ratio::max, a.1, b.1)),
        (SizeFn::Min, [a, b]) => (both(Ratio::min, a.0, b.0), one(Ratio::min, a.1, b.1)),
        // Each has as many arguments as it is made with.
        (SizeFn::Pow | SizeFn::Log2, _) => OPEN,
        (SizeFn::Floor | SizeFn::Ceil | SizeFn::Group | SizeFn::Max | SizeFn::Min, _) => OPEN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(least: i64, most: Option<i64>) -> Bounds {
        Bounds { least: Some(least), most }
    }

    /// With `n` from 2 to 9, and `m` from 1 without an end.
    fn of(size: &Size) -> Bounds {
        size.bounds(&|name| if name == "n" { between(2, Some(9)) } else { between(1, None) })
    }

    #[test]
    fn a_size_lies_where_its_unknowns_say() {
        let (n, m, whole) = (Size::sym("n"), Size::sym("m"), |k: i64| Size::from(k));
        assert_eq!(of(&whole(5)), between(5, Some(5)));
        assert_eq!(of(&n.mul(&whole(3)).sub(&whole(7))), between(-1, Some(20)));
        assert_eq!(of(&n.mul(&m)), between(2, None));
        assert_eq!(of(&n.sub(&m)), Bounds { least: None, most: Some(8) });
        assert_eq!(of(&n.mul(&n).sub(&n)), between(-5, Some(79)));
        // A quotient without an end comes near to nothing.
        assert_eq!(of(&n.div(&m).unwrap()), between(0, Some(9)));
        assert_eq!(of(&m.div(&n).unwrap()), between(0, None));
        assert_eq!(of(&Size::apply(SizeFn::Floor, vec![n.div(&whole(4)).unwrap()])), between(0, Some(2)));
        assert_eq!(of(&Size::apply(SizeFn::Max, vec![n.clone(), m.clone()])), between(2, None));
        assert_eq!(of(&Size::apply(SizeFn::Min, vec![n.clone(), m.clone()])), between(1, Some(9)));
        assert_eq!(of(&Size::apply(SizeFn::Pow, vec![n.clone(), m.clone()])), Bounds { least: None, most: None });
        // Half a place is not a whole one.
        assert_eq!(of(&n.div(&whole(2)).unwrap().sub(&Size::fraction(3, 2))), between(-1, Some(3)));
        let difference = whole(4).add(&n.mul(&m)).sub(&m.mul(&whole(2))).sub(&whole(9));
        assert_eq!(difference.sides(), (n.mul(&m), m.mul(&whole(2)).add(&whole(5))));
    }

    #[test]
    fn what_is_said_holds_for_every_value() {
        let (n, m, whole) = (Size::sym("n"), Size::sym("m"), |k: i64| Size::from(k));
        let floor = |s: Size| Size::apply(SizeFn::Floor, vec![s]);
        let negative = n.sub(&whole(5));
        let all = [
            negative.mul(&m.sub(&whole(3))),
            floor(negative.div(&whole(3)).unwrap()).mul(&m),
            Size::apply(SizeFn::Ceil, vec![m.sub(&n).div(&whole(2)).unwrap()]),
            Size::apply(SizeFn::Max, vec![negative.clone(), whole(1)]).sub(&Size::apply(SizeFn::Min, vec![m.clone(), n.clone()])),
            whole(100).div(&n.add(&m)).unwrap(),
        ];
        for size in &all {
            let (span, to) = (size.bounds(&|name| between(if name == "n" { 2 } else { 1 }, Some(9))), |n, m| {
                size.exact(&|name| Some(if name == "n" { n } else { m })).unwrap()
            });
            for (n, m) in (2..=9).flat_map(|n| (1..=9).map(move |m| (n, m))) {
                let value = to(n, m);
                assert!(span.least.is_none_or(|l| Ratio::whole(l) <= value), "{size} at {n}, {m}: {span:?}");
                assert!(span.most.is_none_or(|l| value <= Ratio::whole(l)), "{size} at {n}, {m}: {span:?}");
            }
        }
    }
}
