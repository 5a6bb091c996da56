//! What was decided where, what else there was, and what that would have cost.
//!
//! A place of the source at which a planner may do one thing or another is a [`Site`]; what it may do there are [`Way`]s, each with its
//! price in nanoseconds of a run. The cheapest is taken, unless somebody has pinned another.

use super::granted::Relied;
use super::prices::Prices;
use crate::source::Span;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// In which order the factors of a sum of products meet.
    Order,
    /// Whether a sum in a product is made, or multiplied out.
    Sum,
    /// Whether what is prepared stays by itself, or joins the product that reads it.
    Prepared,
    /// Whether products that have a part in common compute it once.
    Shared,
}

impl What {
    /// All that may be decided, with its word.
    pub const ALL: [(What, &'static str); 4] =
        [(What::Order, "order"), (What::Sum, "sum"), (What::Prepared, "prepared"), (What::Shared, "shared")];

    pub fn word(self) -> &'static str {
        What::ALL.iter().find(|(what, _)| *what == self).map_or("", |(_, word)| word)
    }
}

/// Where something is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Site {
    pub what: What,
    pub span: Span,
}

/// One of the things that may be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Way {
    pub text: String,
    /// In nanoseconds of a run, of what differs between the ways.
    pub ns: f64,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    pub site: Site,
    /// The value that it is about, as the source calls it.
    pub name: String,
    /// At least two; the cheapest first.
    pub ways: Vec<Way>,
    pub taken: usize,
}

/// What is taken whatever it costs.
#[derive(Clone, Debug, Default)]
pub enum Pins {
    /// Nothing: the cheapest everywhere.
    #[default]
    None,
    /// By site the number of a way; a site that has fewer takes the cheapest.
    At(BTreeMap<Site, usize>),
    /// Any way at each site, as this number draws it: for tests.
    Any(u64),
}

/// On what terms plans are made.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    pub pins: Pins,
    pub prices: Arc<Prices>,
}

/// Decisions under way.
pub(super) struct Choices<'a> {
    terms: &'a Terms,
    made: RefCell<Vec<Decision>>,
    /// What the plan relies on.
    pub relied: Relied,
}

impl<'a> Choices<'a> {
    pub fn new(terms: &'a Terms) -> Choices<'a> {
        Choices { terms, made: RefCell::default(), relied: Relied::default() }
    }

    /// What the machine charges.
    pub fn prices(&self) -> &'a Prices {
        &self.terms.prices
    }

    /// The way that is taken at a site: the first of these, which are in the order of their prices, unless one is pinned.
    pub fn choose(&self, site: Site, name: &str, ways: Vec<Way>) -> Decision {
        let taken = match &self.terms.pins {
            Pins::None => 0,
            Pins::At(pins) => pins.get(&site).copied().filter(|n| *n < ways.len()).unwrap_or(0),
            Pins::Any(seed) => drawn(*seed, &site, ways.len()),
        };
        Decision { site, name: name.to_string(), ways, taken }
    }

    pub fn note(&self, decisions: impl IntoIterator<Item = Decision>) {
        self.made.borrow_mut().extend(decisions);
    }

    /// The decisions, and what the plan relies on.
    pub fn into_made(self) -> (Vec<Decision>, Relied) {
        (self.made.into_inner(), self.relied)
    }
}

/// A number below `count`, other ones at other sites.
fn drawn(seed: u64, site: &Site, count: usize) -> usize {
    let parts = [seed, site.what as u64, site.span.start.into(), site.span.end.into()];
    let mixed = parts.iter().fold(0xcbf2_9ce4_8422_2325u64, |h, p| (h ^ p).wrapping_mul(0x0100_0000_01b3).rotate_left(23));
    (mixed >> 32) as usize % count.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheapest_is_taken_unless_another_is_pinned() {
        let ways = || ["a", "b", "c"].map(|w| Way { text: w.into(), ns: 1.0 }).to_vec();
        let site = Site { what: What::Order, span: Span::default() };
        let taken = |pins: &Pins| {
            let terms = Terms { pins: pins.clone(), ..Terms::default() };
            Choices::new(&terms).choose(site, "y", ways()).taken
        };
        assert_eq!(taken(&Pins::None), 0);
        assert_eq!(taken(&Pins::At([(site, 2)].into())), 2);
        assert_eq!(taken(&Pins::At([(site, 3)].into())), 0);
        assert_eq!(taken(&Pins::At([(Site { what: What::Sum, ..site }, 2)].into())), 0);
        let drawn: std::collections::BTreeSet<usize> = (0..40).map(|seed| taken(&Pins::Any(seed))).collect();
        assert_eq!(drawn.len(), 3);
    }
}
