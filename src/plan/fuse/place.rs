//! Where a value comes from: whether it is computed where it is used, read through another's memory, or written down.

use super::{Fuser, How};
use crate::ir::pin::{WHERE_USED, WRITTEN_DOWN};
use crate::ir::{NodeId, Op};
use crate::plan::decide::{Place, Way, What};
use crate::plan::measured::plan::{DOUBTFUL_PRICE, DOUBTFUL_TIMES, FOLD_STEPS, FOLDS_DEEP, NEST_LOOPS, NEST_VALUES, STORE_PRICE};
use crate::plan::names::called;

impl Fuser<'_> {
    pub(super) fn place(&self, id: NodeId) -> How {
        if self.forced[id.index()] {
            return if self.viewable(id) { How::View } else { How::Memory };
        }
        let sites = &self.sites[id.index()];
        if sites.is_empty() {
            return How::Unused;
        }
        if matches!(self.graph.node(id).op, Op::Reshape) && !self.soft(id) {
            return How::View;
        }
        if !self.soft(id) {
            return How::Memory;
        }
        let full = |nest: usize| self.nests[nest].values > NEST_VALUES || self.nests[nest].runs.len() > NEST_LOOPS;
        let large = sites.iter().any(|s| full(s.nest)) && self.weights[id.index()] > 1.0;
        if self.nested(id) { self.place_of_fold(id, large) } else { self.place_of_elements(id, large) }
    }

    /// How often an element is computed where it is used, in all.
    fn times(&self, id: NodeId) -> f64 {
        self.sites[id.index()].iter().map(|s| self.evaluations(s)).sum()
    }

    fn place_of_fold(&self, id: NodeId, large: bool) -> How {
        let (sites, times) = (&self.sites[id.index()], self.times(id));
        let small = times * self.inner(id) <= FOLD_STEPS;
        // A kernel is run in parts, and each part would compute a scalar again.
        let scalar = sites.iter().any(|s| s.map.iter().all(Option::is_none) && !self.nests[s.nest].runs.is_empty());
        // Code for a fold is written for vectors and for what they leave, and so are the folds in it, for each.
        let deep = sites.iter().any(|s| self.folds(s) >= FOLDS_DEEP);
        if large || deep || sites.len() > 1 || scalar && !small {
            return How::Memory;
        }
        self.decided(id, times, times <= self.points(id) || small)
    }

    fn place_of_elements(&self, id: NodeId, large: bool) -> How {
        let (times, points, weight) = (self.times(id), self.points(id), self.weights[id.index()]);
        let used = !large && times * weight <= points * (weight + STORE_PRICE) + times;
        if !used && self.viewable(id) && matches!(self.graph.node(id).op, Op::Gather { .. }) {
            How::View
        } else if large {
            How::Memory
        } else {
            self.decided(id, times, used)
        }
    }

    /// What the rule says, unless somebody pins it otherwise. There is no price: what is computed together with it is not decided yet. Where
    /// nothing is computed twice there is nothing to decide.
    fn decided(&self, id: NodeId, times: f64, used: bool) -> How {
        let points = self.points(id);
        let plain = matches!(self.graph.node(id).op, Op::Const(_) | Op::Iota | Op::Extent(_));
        let doubtful = !plain && times > points && times <= DOUBTFUL_TIMES * points && self.weights[id.index()] <= DOUBTFUL_PRICE;
        let mut ways = [(WHERE_USED, How::Inline), (WRITTEN_DOWN, How::Memory)];
        if !used {
            ways.reverse();
        }
        if !doubtful {
            return ways[0].1;
        }
        let (name, place) = (called(self.graph, id), Place::of(self.graph.node(id)));
        let held = |text: &str| if text == WRITTEN_DOWN { points } else { 0.0 };
        let texts = ways.iter().map(|(text, _)| Way::unpriced(text).holding(held(text))).collect();
        let decision = self.choices.choose(What::Values, place, &name, texts);
        let taken = ways[decision.taken].1;
        self.choices.note([decision]);
        taken
    }
}
