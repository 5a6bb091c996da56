//! How long each step of a plan should take on one thread, for people who look whether a machine does what it can.
//!
//! In: a plan, all sizes; the machine's prices come with the plan. Out: nanoseconds for each step, by what it computes, and by what it reads and
//! how much else was touched since that was. Computing and waiting for memory go on side by side, but not all of the time. Promised: nothing of a plan hangs on it.

mod kernel;
mod memory;
mod product;
#[cfg(test)]
mod tests;

use super::measured::plan::{MEANWHILE, NEAR_BYTES, ORDER_NS, STEP_NS};
use super::prices::Prices;
use super::view::value;
use super::{Plan, Sizes, Step, Window};
use crate::ir::Size;
use memory::{Far, Memory};
use std::collections::{BTreeMap, BTreeSet};

/// What a step does.
#[derive(Default)]
struct Work {
    /// What it computes, in nanoseconds, where all lies near.
    ns: f64,
    touched: Vec<Touched>,
}

/// Elements of a buffer that a step reads or writes, each counted once.
struct Touched {
    buffer: usize,
    elements: f64,
    how: How,
}

/// How it goes through them.
#[derive(Clone, Copy)]
enum How {
    /// One after the other.
    Read,
    /// Likewise, in steps that have little to do until more is there.
    Few,
    /// Some rows side by side, of which each is short.
    Rows,
    /// Apart, with many steps between neighbours.
    Apart,
    /// Where a value says, in so many lines of memory.
    Chosen(f64),
    Written,
}

impl Work {
    fn touches(&mut self, buffer: usize, elements: f64, how: How) {
        self.touched.push(Touched { buffer, elements, how });
    }

    fn bytes(&self) -> f64 {
        self.touched.iter().map(|t| BYTES * t.elements).sum()
    }
}

/// Bytes of an element.
const BYTES: f64 = 4.0;

/// Who counts.
struct Counter<'a> {
    sizes: &'a Sizes,
    prices: &'a Prices,
}

impl Counter<'_> {
    fn n(&self, s: &Size) -> f64 {
        value(s, self.sizes).max(0) as f64
    }

    fn points(&self, shape: &[Size]) -> f64 {
        shape.iter().map(|s| self.n(s)).product()
    }

    /// Of what is moved from one place to others, so long for each element.
    fn moved(&self, from: &Window, to: usize, each: f64) -> Work {
        let n = self.points(&from.shape);
        let mut work = Work { ns: each * n, ..Work::default() };
        work.touches(from.view.buffer, n, How::Read);
        work.touches(to, n, How::Written);
        work
    }

    /// None: how much it does is known by a run alone, or by no rule.
    fn work(&self, step: &Step) -> Option<Work> {
        Some(match step {
            Step::Kernel(k) => self.kernel(k),
            Step::Product(p) => self.product(p, None),
            Step::Grouped(g) => self.product(&g.product, Some((&g.count, &g.index))),
            Step::Segments(s) => self.product(&s.product, Some((&s.count, &s.index))),
            Step::Order { input, out, .. } => self.moved(input, out.view.buffer, ORDER_NS),
            Step::Scan { input, out, .. } => self.moved(input, *out, 2.0 * self.prices.touch_ns),
            Step::Scatter { value, out, .. } => self.moved(value, out.view.buffer, 2.0 * self.prices.touch_ns),
            Step::Assign { .. } | Step::Random { .. } | Step::Rounds(_) => return None,
        })
    }
}

/// All rounds of a loop, where it is known how many there are.
fn rounds(step: &Step, counter: &Counter) -> Option<f64> {
    let Step::Rounds(r) = step else { return None };
    let each = foreseen(&r.body, counter.sizes);
    let of = |steps: &[Option<f64>]| steps.iter().copied().sum::<Option<f64>>();
    let (once, each) = (of(&each[..r.body.prepared])?, of(&each[r.body.prepared..])?);
    (!r.stop).then_some(once + counter.n(&r.trips) * each)
}

/// Of each step, in their order, by itself.
pub(super) fn foreseen(plan: &Plan, sizes: &Sizes) -> Vec<Option<f64>> {
    let counter = Counter { sizes, prices: &plan.terms.prices };
    let mut works: Vec<Option<Work>> = plan.steps.iter().map(|s| counter.work(s)).collect();
    // What is added to matrices that lie nowhere is one more number of the code that writes them.
    for (kernel, buffer) in plan.written.iter().filter_map(|w| w.added) {
        let ns = plan.terms.prices.multiply(counter.points(&plan.buffers[buffer].shape));
        works[kernel] = Some(Work { ns, ..Work::default() });
    }
    let nowhere: BTreeSet<usize> = plan.written.iter().flat_map(|w| w.buffers()).collect();
    let within = |k: usize| plan.tiles.iter().find(|t| t.first <= k && k < t.last);
    let memory = Memory::of(&plan.terms.prices);
    let made: BTreeSet<usize> = plan.steps.iter().flat_map(Step::writes).collect();
    // Where in all that a run touches the middle of each buffer was touched last; the run before this one did the same.
    let mut at: BTreeMap<usize, f64> = BTreeMap::new();
    let mut now = 0.0;
    let mut out = vec![None; works.len()];
    for _ in 0..2 {
        for (k, work) in works.iter().enumerate() {
            let Some(work) = work else {
                out[k] = rounds(&plan.steps[k], &counter);
                continue;
            };
            let (tile, middle) = (within(k), now + work.bytes() / 2.0);
            let far = |t: &Touched| {
                let since = at.get(&t.buffer).map_or(f64::INFINITY, |at| middle - at);
                // Of a tile all that steps hand over stays near.
                let held = nowhere.contains(&t.buffer) || tile.is_some_and(|tile| tile.private.iter().any(|p| p.0 == t.buffer));
                memory.far(t, if held { NEAR_BYTES } else { since }, made.contains(&t.buffer) && !held)
            };
            let far: Vec<Far> = work.touched.iter().map(far).collect();
            let (meanwhile, alone) = (far.iter().map(|f| f.meanwhile).sum::<f64>(), far.iter().map(|f| f.alone).sum::<f64>());
            let both = (work.ns.powf(MEANWHILE) + meanwhile.powf(MEANWHILE)).powf(1.0 / MEANWHILE);
            // How many rows a condition keeps is not known.
            out[k] = tile.is_none_or(|t| t.kept.is_none()).then_some(STEP_NS / 2.0 + both + alone);
            now += work.bytes();
            at.extend(work.touched.iter().map(|t| (t.buffer, middle)));
        }
    }
    out
}
