//! What was decided where, what else there was, and what that would have cost.
//!
//! A place of the source at which a planner may do one thing or another is a [`Site`]; what it may do there are [`Way`]s, each with its
//! price in nanoseconds of a run where one is known. The cheapest is taken, unless somebody has pinned another: on the command line, or in the
//! source, whose pins come with the graph.

mod wish;

use super::granted::Relied;
use super::prices::Prices;
use super::{Plan, Step};
pub use crate::ir::What;
use crate::ir::{Graph, Node, Pin, Under};
use crate::source::Span;
use std::cell::RefCell;
use std::sync::Arc;
pub use wish::{Asked, Wish};

/// Bytes of an element.
const BYTES: f64 = 4.0;

/// Where something is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Site {
    pub what: What,
    pub span: Span,
}

/// Where something is computed: the place, and the pinned statements in the course of which it is made.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub span: Span,
    pub under: Under,
}

impl Place {
    pub fn of(node: &Node) -> Place {
        Place { span: node.span, under: node.under.clone() }
    }

    /// Whether a pin of this statement concerns it.
    pub fn is_of(&self, statement: Span) -> bool {
        statement.holds(self.span) || self.under.iter().flat_map(|u| u.iter()).any(|s| *s == statement)
    }
}

/// One of the things that may be done.
#[derive(Clone, Debug, PartialEq)]
pub struct Way {
    pub text: String,
    /// In nanoseconds of a run, of what differs between the ways; none where the planner goes by a rule and knows no price.
    pub ns: Option<f64>,
    /// Bytes that it writes down on the way, or keeps, and another way may not; 0 where it does not, or nobody knows.
    pub bytes: f64,
}

impl Way {
    pub fn priced(text: impl Into<String>, ns: f64) -> Way {
        Way { text: text.into(), ns: Some(ns), bytes: 0.0 }
    }

    pub fn unpriced(text: &str) -> Way {
        Way { text: text.into(), ns: None, bytes: 0.0 }
    }

    /// Likewise, with so many elements that it writes down or keeps.
    pub fn holding(self, elements: f64) -> Way {
        Way { bytes: BYTES * elements, ..self }
    }
}

/// Who decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The planner: the cheapest, or the first by its rule.
    Planner,
    /// The source, in these words.
    Source(Span),
    /// Whoever runs it.
    Asked,
    /// The planner: what it would take else holds more than it may ([`Terms::at_most`]).
    Memory,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    pub site: Site,
    pub place: Place,
    /// The value that it is about, as the source calls it.
    pub name: String,
    /// At least two; the cheapest first, where there are prices.
    pub ways: Vec<Way>,
    pub taken: usize,
    pub by: By,
}

/// What is taken whatever it costs, and whatever the source says.
#[derive(Clone, Debug, Default)]
pub enum Pins {
    /// Nothing: as the source says, and the cheapest everywhere else.
    #[default]
    None,
    /// What is asked for; a site that has no such way is left to the source and the prices.
    At(Asked),
    /// Any way at each site, as this number draws it: for tests.
    Any(u64),
}

/// On what terms plans are made.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    pub pins: Pins,
    pub prices: Arc<Prices>,
    /// Bytes that no way may hold where there is another that holds less.
    pub at_most: Option<f64>,
}

impl Terms {
    /// Gives these to a plan and to the bodies of its loops, with what the source pins: for what is decided beyond it.
    pub(super) fn carried(&self, plan: &mut Plan, pins: &[Pin]) {
        (plan.terms, plan.pins) = (self.clone(), pins.to_vec());
        for step in &mut plan.steps {
            if let Step::Rounds(r) = step {
                self.carried(&mut r.body, pins);
            }
        }
    }
}

/// What became of a pin of the source in a plan; the best comes last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// Nothing of its kind is decided where it stands.
    #[default]
    Idle,
    /// Something is, and none of the ways there is called like that.
    NoWay,
    /// Another pin of the source counts more wherever it fits.
    Outdone,
    /// It decides, or would if nobody asked for something else.
    Holds,
}

/// Decisions under way.
pub(crate) struct Choices<'a> {
    terms: &'a Terms,
    /// What the source pins.
    pins: &'a [Pin],
    made: RefCell<Vec<Decision>>,
    fates: RefCell<Vec<Fate>>,
    /// What the plan relies on.
    pub(super) relied: Relied,
}

impl<'a> Choices<'a> {
    pub fn new(terms: &'a Terms, graph: &'a Graph) -> Choices<'a> {
        Choices::of(terms, &graph.pins)
    }

    /// On given terms, with what a source pins.
    pub fn of(terms: &'a Terms, pins: &'a [Pin]) -> Choices<'a> {
        let fates = RefCell::new(vec![Fate::Idle; pins.len()]);
        Choices { terms, pins, made: RefCell::default(), fates, relied: Relied::default() }
    }

    /// On the same terms, for somebody who only asks what something would cost.
    pub fn silent(&self) -> Choices<'a> {
        Choices::of(self.terms, self.pins)
    }

    /// Takes over what another one noted, of its decisions those that are `wanted`.
    pub(super) fn take_over(&self, other: Choices, wanted: &dyn Fn(&Decision) -> bool) {
        let (made, _, relied) = other.into_made();
        self.note(made.into_iter().filter(|d| wanted(d)));
        self.relied.take_over(relied);
    }

    /// What the machine charges.
    pub fn prices(&self) -> &'a Prices {
        &self.terms.prices
    }

    /// So many elements, or as many as something may hold.
    pub(super) fn at_most(&self, elements: i64) -> i64 {
        self.terms.at_most.map_or(elements, |bytes| elements.min((bytes / BYTES) as i64))
    }

    /// The ways that the source asks for at a place, what counts most first.
    pub fn asked(&self, what: What, place: &Place, name: &str) -> Vec<&'a str> {
        self.concerning(what, place, name).into_iter().map(|k| self.pins[k].way.as_str()).collect()
    }

    /// The pins that concern a decision, by their numbers. What is said of a value by its name counts more than what is said of all.
    fn concerning(&self, what: What, place: &Place, name: &str) -> Vec<usize> {
        let under = place.under.as_deref().unwrap_or(&[]);
        let fits = |p: &Pin| p.what == what && p.of.as_ref().is_none_or(|of| of == name);
        let fitting = self.pins.iter().enumerate().filter(|(_, p)| fits(p));
        let mut out: Vec<_> = fitting.filter_map(|(k, p)| Some((p.rank(place.span, under)?, p.of.is_none(), k))).collect();
        // Of statements around a place that was made under none of them the smallest.
        let wide = |k: usize| self.pins[k].statement.end - self.pins[k].statement.start;
        out.sort_by_key(|(rank, all, k)| (*rank, if *rank == usize::MAX { wide(*k) } else { 0 }, *all, *k));
        out.into_iter().map(|(_, _, k)| k).collect()
    }

    /// The way that is taken at a place: the first of these, which are in the order of their prices, unless one is pinned.
    pub fn choose(&self, what: What, place: Place, name: &str, ways: Vec<Way>) -> Decision {
        self.choose_or(0, what, place, name, ways)
    }

    /// Likewise; `usual` is taken where nobody pins another.
    pub fn choose_or(&self, usual: usize, what: What, place: Place, name: &str, ways: Vec<Way>) -> Decision {
        let site = Site { what, span: place.span };
        let asked = match &self.terms.pins {
            Pins::None => None,
            Pins::At(asked) => asked.of(site, name).and_then(|wish| wish.among(&ways)),
            Pins::Any(seed) => Some(drawn(*seed, &site, ways.len())),
        };
        let told = || {
            let pins = self.concerning(what, &place, name).into_iter().map(|k| &self.pins[k]);
            pins.filter_map(|p| Some((ways.iter().position(|w| w.text == p.way)?, By::Source(p.span)))).next()
        };
        let (taken, by) = asked.map(|n| (n, By::Asked)).or_else(told).unwrap_or_else(|| self.within(usual, &ways));
        Decision { site, place, name: name.to_string(), ways, taken, by }
    }

    /// What is taken instead of the usual way where that holds too much: the first that does not, or the one that holds least.
    fn within(&self, usual: usize, ways: &[Way]) -> (usize, By) {
        let Some(most) = self.terms.at_most.filter(|most| ways[usual].bytes > *most) else { return (usual, By::Planner) };
        let fits = |n: &usize| ways[*n].bytes <= most;
        let least = || (0..ways.len()).min_by(|a, b| ways[*a].bytes.total_cmp(&ways[*b].bytes)).unwrap_or(usual);
        match (0..ways.len()).find(fits).unwrap_or_else(least) {
            other if other == usual => (usual, By::Planner),
            other => (other, By::Memory),
        }
    }

    /// Notes decisions that were made, and what becomes of the source's pins by them. One that another decision made idle is not noted.
    pub fn note(&self, decisions: impl IntoIterator<Item = Decision>) {
        for d in decisions {
            let mut held = false;
            for k in self.concerning(d.site.what, &d.place, &d.name) {
                let fits = d.ways.iter().any(|w| w.text == self.pins[k].way);
                let fate = match (fits, held) {
                    (false, _) => Fate::NoWay,
                    (true, true) => Fate::Outdone,
                    (true, false) => Fate::Holds,
                };
                held |= fits;
                let known = &mut self.fates.borrow_mut()[k];
                *known = fate.max(*known);
            }
            self.made.borrow_mut().push(d);
        }
    }

    /// The decisions and what became of the source's pins.
    #[cfg(any(feature = "cpu", feature = "gpu"))]
    pub fn into_decisions(self) -> (Vec<Decision>, Vec<Fate>) {
        (self.made.into_inner(), self.fates.into_inner())
    }

    /// The decisions, what became of the source's pins, and what the plan relies on.
    pub(super) fn into_made(self) -> (Vec<Decision>, Vec<Fate>, Relied) {
        (self.made.into_inner(), self.fates.into_inner(), self.relied)
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
    use crate::source::FileId;

    fn ways() -> Vec<Way> {
        ["a", "b", "c"].map(|w| Way::priced(w, 1.0)).to_vec()
    }

    #[test]
    fn the_cheapest_is_taken_unless_another_is_pinned() {
        let site = Site { what: What::Order, span: Span::default() };
        let taken = |pins: &Pins| {
            let terms = Terms { pins: pins.clone(), ..Terms::default() };
            Choices::new(&terms, &Graph::default()).choose(What::Order, Place::default(), "y", ways()).taken
        };
        assert_eq!(taken(&Pins::None), 0);
        assert_eq!(taken(&Pins::At([(site, 2)].into())), 2);
        assert_eq!(taken(&Pins::At([(site, 3)].into())), 0);
        assert_eq!(taken(&Pins::At([(Site { what: What::Sum, ..site }, 2)].into())), 0);
        let mut asked = Asked::from([(site, 2)]);
        assert_eq!(asked.insert(site, Some("z"), 0), None);
        assert_eq!(taken(&Pins::At(asked.clone())), 2);
        assert_eq!((asked.insert(site, Some("y"), 1), asked.insert(site, Some("y"), 1)), (None, Some(Wish::Number(1))));
        assert_eq!(taken(&Pins::At(asked.clone())), 1);
        asked.insert(site, Some("y"), "c");
        assert_eq!(taken(&Pins::At(asked.clone())), 2);
        asked.insert(site, Some("y"), "none of them");
        assert_eq!(taken(&Pins::At(asked)), 0);
        // What holds too much gives way to the next that does not, or to what holds least.
        let held = |at_most: f64, bytes: [f64; 3]| {
            let terms = Terms { at_most: Some(at_most), ..Terms::default() };
            let ways = ways().into_iter().zip(bytes).map(|(w, bytes)| Way { bytes, ..w }).collect();
            let d = Choices::new(&terms, &Graph::default()).choose(What::Order, Place::default(), "y", ways);
            (d.taken, d.by)
        };
        assert_eq!(held(10.0, [10.0, 0.0, 0.0]), (0, By::Planner));
        assert_eq!(held(9.0, [10.0, 12.0, 9.0]), (2, By::Memory));
        assert_eq!(held(9.0, [30.0, 20.0, 25.0]), (1, By::Memory));
        assert_eq!(held(9.0, [30.0, 30.0, 30.0]), (0, By::Planner));
        let drawn: std::collections::BTreeSet<usize> = (0..40).map(|seed| taken(&Pins::Any(seed))).collect();
        assert_eq!(drawn.len(), 3);
    }

    #[test]
    fn of_several_pins_the_caller_s_counts_most_then_the_name_s_then_the_inner_statement_s() {
        let span = |start, end| Span::new(FileId(0), start, end);
        let (call, outer, inner) = (span(0, 9), span(20, 90), span(30, 40));
        let pin = |statement: Span, of: Option<&str>, way: &str| Pin {
            what: What::Order,
            of: of.map(str::to_string),
            way: way.into(),
            statement,
            span: statement,
        };
        let taken = |pins: &[Pin], under: &[Span], asked: Pins| {
            let mut graph = Graph::with_room(0);
            graph.pins = pins.to_vec();
            let terms = Terms { pins: asked, ..Terms::default() };
            let choices = Choices::new(&terms, &graph);
            let place = Place { span: span(32, 35), under: (!under.is_empty()).then(|| under.into()) };
            let decision = choices.choose(What::Order, place, "y", ways());
            let taken = decision.taken;
            choices.note([decision]);
            (taken, choices.into_made().1)
        };
        use Fate::{Holds, Idle, NoWay, Outdone};
        let all = [pin(call, None, "b"), pin(outer, None, "a"), pin(inner, None, "c")];
        assert_eq!(taken(&all, &[call, inner, outer], Pins::None), (1, vec![Holds, Outdone, Outdone]));
        assert_eq!(taken(&all, &[], Pins::None), (2, vec![Idle, Outdone, Holds]));
        let named = [pin(inner, None, "c"), pin(inner, Some("y"), "b"), pin(inner, Some("z"), "b"), pin(inner, None, "d")];
        assert_eq!(taken(&named, &[inner], Pins::None), (1, vec![Outdone, Holds, Idle, NoWay]));
        let site = Site { what: What::Order, span: span(32, 35) };
        assert_eq!(taken(&all, &[call], Pins::At([(site, 2)].into())), (2, vec![Holds, Outdone, Outdone]));
    }
}
