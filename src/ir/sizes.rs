//! What sizes come to when data is there.
//!
//! In: a size and the lengths that are known. Out: a number. By the time that code is made, placed or run every size of the graph
//! has been found to have a value (`plan` says so before it plans): an unknown one here is a bug of the compiler, and never 0.

use super::{Size, Sym};
use std::collections::BTreeMap;

/// The lengths of free axes, and the numbers that conditions decide.
pub type Sizes = BTreeMap<Sym, i64>;

/// The value of a size that is known to have one.
pub fn known(size: &Size, sizes: &Sizes) -> i64 {
    match size.value(&|name| sizes.get(name).copied()) {
        Ok(n) => n,
        Err(fault) => panic!("the size `{size}` has no value where it is needed: {fault}"),
    }
}

/// The same as a number of places; a negative length is a bug, too.
pub fn places(size: &Size, sizes: &Sizes) -> usize {
    let n = known(size, sizes);
    usize::try_from(n).unwrap_or_else(|_| panic!("the size `{size}` is {n} where it counts places"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_their_values() {
        let sizes = Sizes::from([("b".into(), 70_000)]);
        assert_eq!(known(&Size::sym("b").mul(&Size::sym("b")), &sizes), 4_900_000_000);
        assert_eq!(places(&Size::from(0i64), &sizes), 0);
    }

    #[test]
    #[should_panic(expected = "`t` is not known")]
    fn an_unknown_size_is_no_zero() {
        known(&Size::sym("t"), &Sizes::new());
    }
}
