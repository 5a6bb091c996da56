//! What lies where while a model runs.
//!
//! In: a plan. Out: a list of things in memory, those of loop bodies too, each with when it lives, and slots of the workspace, in each of which
//! one thing lies after another. A slot is as large as the largest of them at the sizes of the run; which share one is decided here, once.

use super::blocked::blocks;
use super::grouped::groups;
use super::steps;
use crate::ir::Size;
use crate::ir::sizes::known;
use crate::plan::{Kind, Plan, Sizes, Step};
use std::sync::Arc;

/// Whose memory it is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum From {
    /// The caller's, under a path.
    Source(Arc<str>),
    /// The caller's, for this result.
    Result(usize),
    /// What a loop points it at.
    Arg,
    /// A slot of the workspace.
    Slot(usize),
    /// Nobody's: no step uses it.
    Nothing,
}

/// Something in memory.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub from: From,
    pub elements: Size,
    pub bytes: i64,
    life: Option<(usize, usize)>,
}

/// The things of a plan: its buffers begin at number `first`, and its steps have more.
#[derive(Clone, Debug, Default)]
pub(super) struct Own {
    pub first: usize,
    pub steps: Vec<More>,
}

/// What a step has besides the buffers of its plan.
#[derive(Clone, Debug, Default)]
pub(super) struct More {
    /// Room to work in.
    pub scratch: Option<usize>,
    /// Of a loop: its body's, the number of the round, and what it carries.
    pub body: Option<Box<Own>>,
    pub carries: Vec<usize>,
}

/// All of it.
pub(super) struct Memory {
    pub items: Vec<Item>,
    /// The things that lie in each slot, one after the other.
    pub slots: Vec<Vec<usize>>,
    pub own: Own,
}

/// It lives until nobody runs any more.
const FOREVER: usize = usize::MAX;

/// Lays a plan out whose first `wanted` results are the caller's; `hints` are likely sizes.
pub(super) fn lay(plan: &Plan, wanted: usize, hints: &Sizes) -> Memory {
    let mut layer = Layer { items: Vec::new(), now: 0, hints };
    let own = layer.plan(plan, Some(wanted));
    let mut memory = Memory { items: layer.items, slots: Vec::new(), own };
    memory.share(hints);
    memory
}

struct Layer<'a> {
    items: Vec<Item>,
    now: usize,
    hints: &'a Sizes,
}

impl Layer<'_> {
    fn item(&mut self, elements: Size, bytes: i64, life: (usize, usize)) -> usize {
        self.items.push(Item { from: From::Slot(0), elements, bytes, life: Some(life) });
        self.items.len() - 1
    }

    /// The things of a plan: of the whole model, or of a body in the loop that begins now.
    fn plan(&mut self, plan: &Plan, wanted: Option<usize>) -> Own {
        let top = wanted.is_some();
        let first = self.items.len();
        let start = self.now;
        for b in &plan.buffers {
            let from = match &b.kind {
                Kind::Source(path) => From::Source(path.clone()),
                Kind::Arg(_) => From::Arg,
                Kind::Temp | Kind::Output => From::Slot(0),
            };
            self.items.push(Item { from, elements: b.len(), bytes: 4, life: None });
        }
        let mut own = Own { first, steps: Vec::new() };
        let mut early = vec![false; plan.buffers.len()];
        for (k, step) in plan.steps.iter().enumerate() {
            let from = self.now;
            let more = self.step(plan, step);
            own.steps.push(more);
            let to = self.now;
            self.now += 1;
            for b in step.reads().into_iter().chain(step.writes()) {
                let life = self.items[first + b].life.get_or_insert((from, to));
                life.1 = life.1.max(to);
                early[b] |= k < plan.prepared;
                // What is prepared stays for all runs, and for all rounds.
                if early[b] && k >= plan.prepared {
                    *life = (if top { life.0 } else { start }, FOREVER);
                }
            }
        }
        for (n, b) in plan.outputs.iter().enumerate() {
            let item = &mut self.items[first + b];
            if wanted.is_some_and(|w| n < w) && !early[*b] && item.from == From::Slot(0) {
                item.from = From::Result(n);
            }
            // Results are looked at after the last step, and in a body after each round.
            item.life = Some((if top { item.life.map_or(start, |l| l.0) } else { start }, FOREVER));
        }
        own
    }

    fn step(&mut self, plan: &Plan, step: &Step) -> More {
        let now = (self.now, self.now);
        let mut more = More::default();
        match step {
            Step::Rounds(r) => {
                let begin = self.now;
                self.now += 1;
                let body = self.plan(&r.body, None);
                let end = self.now;
                more.carries.push(self.item(Size::from(1i64), 4, (begin, end)));
                for k in 0..r.carries {
                    more.carries.push(self.item(r.body.buffers[r.body.outputs[k]].len(), 4, (begin, end)));
                }
                // Inside of a loop nothing lives beyond it.
                for item in &mut self.items[body.first..] {
                    item.life = item.life.map(|(from, to)| (from, to.min(end)));
                }
                more.body = Some(Box::new(body));
            }
            Step::Order { input, .. } => {
                let row = input.shape.last().cloned().unwrap_or(Size::from(1i64));
                more.scratch = Some(self.item(row, 8, now));
            }
            Step::Scatter { out, fold: crate::ir::Fold::Sum, dtype: crate::ir::DType::F32, .. } => {
                more.scratch = Some(self.item(plan.buffers[out.view.buffer].len(), 8, now));
            }
            Step::Segments(s) => more.scratch = Some(self.item(plan.buffers[s.product.out.0].len(), 8, now)),
            Step::Assign { input, .. } => {
                let n = input.shape.last().cloned().unwrap_or(Size::from(1i64));
                more.scratch = Some(self.item(steps::assign_scratch(&n), 8, now));
            }
            Step::Product(p) => {
                more.scratch = blocks(p, self.hints).map(|b| self.item(b.panel(p), 4, now));
            }
            Step::Grouped(g) => more.scratch = groups(g, self.hints).map(|own| self.item(own.scratch(g), 8, now)),
            Step::Kernel(_) => {}
            Step::Scatter { .. } | Step::Scan { .. } | Step::Random { .. } => {}
        }
        more
    }
}

impl Memory {
    /// Gives every thing of the workspace a slot that nobody else has while it lives.
    fn share(&mut self, hints: &Sizes) {
        let bytes = |item: &Item| known(&item.elements, hints).saturating_mul(item.bytes);
        let mut order: Vec<usize> = (0..self.items.len()).filter(|k| matches!(self.items[*k].from, From::Slot(_))).collect();
        order.sort_by_key(|k| (self.items[*k].life.map_or(0, |l| l.0), *k));
        // For each slot: until when it is taken, and how large it is as far as is known.
        let mut taken: Vec<(usize, i64)> = Vec::new();
        for k in order {
            let Some((from, to)) = self.items[k].life else {
                self.items[k].from = From::Nothing;
                continue;
            };
            let need = bytes(&self.items[k]);
            let free = (0..taken.len()).filter(|s| taken[*s].0 < from);
            // The one that is nearest in size, sooner one that is too large.
            let slot = free.min_by_key(|s| (taken[*s].1 < need, taken[*s].1.abs_diff(need), *s)).unwrap_or_else(|| {
                taken.push((0, 0));
                self.slots.push(Vec::new());
                taken.len() - 1
            });
            taken[slot] = (to, taken[slot].1.max(need));
            self.slots[slot].push(k);
            self.items[k].from = From::Slot(slot);
        }
    }
}
