//! Sums of squares of sums of products: `sum(i, o) (sum(r) a[i, r] * u[r, o])^2` is `sum(r, s) (sum(i) a a) * (sum(o) u u)`, which makes no matrix.
//!
//! It is the norm of a low-rank update, or of what a hypernetwork writes. The products of factors with themselves have the square of the factors'
//! condition: where the sums nearly vanish, and their factors do not, digits are lost that making the sums keeps. So they are made unless
//! somebody who knows the factors pins the other way.

use super::Known;
use crate::ir::pin::{MADE, MULTIPLIED_OUT};
use crate::ir::{NodeId, Op};
use crate::opt::Product;
use crate::plan::decide::{Decision, Place, Way, What};
use crate::plan::names::called;

impl Known<'_> {
    /// The product as it is, or with what it squares multiplied out.
    pub(super) fn squares(&self, p: Product, notes: &mut Vec<Decision>) -> Product {
        let squared = (0..p.factors.len()).find_map(|at| self.opened_twice(&p, at));
        let Some((sum, opened)) = squared else { return p };
        let made = Way::priced(MADE, self.price(&p) + self.price_of_sum(sum));
        let out = Way::priced(MULTIPLIED_OUT, self.price(&opened));
        if !out.ns.is_some_and(f64::is_finite) {
            return p;
        }
        let mut ways = vec![made, out];
        ways.sort_by(|a, b| a.ns.unwrap_or(0.0).total_cmp(&b.ns.unwrap_or(0.0)));
        let usual = ways.iter().position(|w| w.text == MADE).unwrap_or(0);
        let place = Place::of(self.facts.graph.node(sum));
        let decision = self.choices.choose_or(usual, What::Squares, place, &called(self.facts.graph, sum), ways);
        let taken = decision.ways[decision.taken].text == MULTIPLIED_OUT;
        notes.push(decision);
        if taken { opened } else { p }
    }

    /// The sum of products that is factor `at` and another one, where nobody else reads it, and the product of what it is made of.
    fn opened_twice(&self, p: &Product, at: usize) -> Option<(NodeId, Product)> {
        let (graph, sum) = (self.facts.graph, p.factors[at].node);
        let twice = p.factors.iter().filter(|f| f.node == sum).count() == 2 && self.facts.reads(sum) == 2;
        if !twice || !matches!(graph.node(sum).op, Op::Contract) || graph.is_guarded(sum) {
            return None;
        }
        let inner = Product::of(graph, sum)?;
        let once = p.open(at, &inner);
        let other = once.factors.iter().position(|f| f.node == sum)?;
        Some((sum, once.open(other, &inner))).filter(|(_, opened)| opened.fits())
    }

    /// What making a sum of products costs.
    fn price_of_sum(&self, sum: NodeId) -> f64 {
        let inner = Product::of(self.facts.graph, sum);
        inner.map_or(0.0, |p| self.price(&p) + self.choices.prices().touch(self.shape(sum)))
    }
}
