//! What a plan takes for granted about its sizes.
//!
//! A plan is made for certain sizes and written for all of them. Most decisions are about speed, and right at any sizes; some read a number: that
//! an index stays inside, that two strides are equal, that an axis has one place. Each of these notes here what it relies on, unless that holds for
//! all sizes. Where all that is noted holds, the plan computes what the graph means; where something does not, nobody may run it.

use super::Sizes;
use super::view::value;
use crate::ir::Size;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

/// The first size is no greater than the second.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Granted {
    pub least: Size,
    pub most: Size,
}

impl Granted {
    /// Whether it holds whatever the sizes are.
    pub fn always(&self) -> bool {
        self.most.sub(&self.least).at_least(0, 0)
    }
}

impl fmt::Display for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <= {}", self.least, self.most)
    }
}

/// What was taken for granted so far.
#[derive(Debug, Default)]
pub(super) struct Relied(RefCell<BTreeSet<Granted>>);

impl Relied {
    pub fn at_most(&self, least: &Size, most: &Size) {
        let granted = Granted { least: least.clone(), most: most.clone() };
        if !granted.always() {
            self.0.borrow_mut().insert(granted);
        }
    }

    pub fn equal(&self, a: &Size, b: &Size) {
        if a != b {
            self.at_most(a, b);
            self.at_most(b, a);
        }
    }

    /// An axis has no more than one place here.
    pub fn single(&self, size: &Size) {
        self.at_most(size, &Size::from(1i64));
    }

    /// That a size has this sign here; says whether it is negative.
    pub fn sign(&self, size: &Size, sizes: &Sizes) -> bool {
        let zero = Size::from(0i64);
        let negative = value(size, sizes) < 0;
        if negative {
            self.at_most(size, &zero)
        } else {
            self.at_most(&zero, size)
        }
        negative
    }

    pub fn take_over(&self, other: Relied) {
        self.0.borrow_mut().extend(other.0.into_inner());
    }

    pub fn into_all(self) -> Vec<Granted> {
        self.0.into_inner().into_iter().collect()
    }
}
