//! Sizes cancel, grow, have values, and read as they are written.

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

#[test]
fn multiples_are_plain_to_see_or_none() {
    let (n, d) = (Size::sym("n"), Size::sym("d"));
    let four = Size::from(4i64);
    assert!(Size::from(0i64).is_multiple_of(4) && Size::from(-8i64).is_multiple_of(4) && !Size::from(6i64).is_multiple_of(4));
    assert!(n.mul(&four).add(&Size::from(8i64)).is_multiple_of(4) && !n.is_multiple_of(4) && n.is_multiple_of(1));
    assert!(!n.mul(&four).add(&Size::from(2i64)).is_multiple_of(4));
    // Four of a fraction may be an odd number, and so may a logarithm be anything.
    assert!(!n.mul(&four).div(&d).unwrap().is_multiple_of(4) && !n.mul(&Size::fraction(4, 3)).is_multiple_of(4));
    assert!(!Size::apply(SizeFn::Log2, vec![n.clone()]).mul(&four).is_multiple_of(4));
    assert!(Size::apply(SizeFn::Ceil, vec![n.mul(&Size::fraction(1, 3))]).mul(&four).is_multiple_of(4));
    assert!(!Size::lost().is_multiple_of(1));
}
