//! Runs of steps that can go tile by tile along a shared first axis.
//!
//! Steps `s..e` qualify when each makes its result row by row (a row is one step of the result's first axis), all have equally many
//! rows, and whoever reads what an earlier one of them wrote reads row `r` for row `r`. Then a tile of rows can go through all steps
//! while it is in cache, tiles can go to different threads, and what nobody else reads needs room for one tile only.

use super::decide::{Choices, Place, Way, What};
use super::measured::plan::{STEP_NS, TILE_CACHE, TILE_FLAT, TILE_HELD, TILE_LARGE, TILE_ROWS};
use super::view::value;
use super::{Access, Expr, Kernel, Kind, Plan, Product, Sizes, Step, Tile, View};
use super::{added, attend, finished, taps, written};
use crate::ir::Size;
use std::collections::BTreeMap;
use std::ops::Range;

pub(super) struct Finder<'a> {
    pub plan: &'a Plan,
    pub sizes: &'a Sizes,
    pub choices: &'a Choices<'a>,
    /// For each step the place of what it is made for.
    pub made: &'a [Place],
    /// For each buffer the first and the last step that read it.
    readers: Vec<Option<(usize, usize)>>,
}

/// For each buffer the first and the last step that read it.
fn readers(plan: &Plan) -> Vec<Option<(usize, usize)>> {
    let mut out: Vec<Option<(usize, usize)>> = vec![None; plan.buffers.len()];
    for (k, step) in plan.steps.iter().enumerate() {
        for b in step.reads() {
            out[b] = Some((out[b].map_or(k, |r| r.0), k));
        }
    }
    out
}

/// Finds the runs, and windows that need no memory, and notes them in the plan; `rows` says of each step where its rows are needed, `made` what
/// it computes.
pub(super) fn tile(plan: &mut Plan, sizes: &Sizes, rows: &[Vec<(View, bool)>], made: &[Place], choices: &Choices) {
    let f = Finder { plan, sizes, choices, made, readers: readers(plan) };
    let halves = [0..plan.prepared, plan.prepared..plan.steps.len()];
    let kept: Vec<Tile> = halves.iter().flat_map(|h| f.kept_runs(h.clone(), rows)).collect();
    let taps = taps::find(&f, &|k| kept.iter().any(|t| t.first <= k && k < t.last));
    let taken =
        |k: usize| kept.iter().any(|t| t.first <= k && k < t.last) || taps.iter().any(|t| t.gather == k || t.product == k);
    let mut attends = attend::find(plan, sizes, &taken);
    attends.retain(|a| f.stays_near(What::Scores, a.result, &a.buffers));
    let mut written = written::find(plan, sizes, &|k| !taken(k) && !attends.iter().any(|a| a.has(k)));
    written.retain(|w| f.stays_near(What::Matrices, w.product, &[w.buffer]));
    let other = |k: usize| written.iter().any(|w| w.has(k)) || attends.iter().any(|a| a.has(k));
    let mut finished = finished::find(plan, sizes, &taps, &|k| !taken(k) && !other(k));
    finished.retain(|e| f.stays_near(What::Epilogue, e.kernel, &[e.buffer]));
    let alone = |k: &usize| {
        let windows = finished.iter().any(|f| f.kernel == *k) || taps.iter().any(|t| t.gather == *k || t.product == *k);
        windows || other(*k)
    };
    let mut tiles = Vec::new();
    for Range { start: from, end: to } in halves {
        let mut k = from;
        while k < to {
            if let Some(tile) = kept.iter().find(|t| t.first == k) {
                k = tile.last;
                tiles.push(tile.clone());
                continue;
            }
            if alone(&k) {
                k += 1;
                continue;
            }
            let to = (k + 1..to).find(|k| alone(k) || kept.iter().any(|t| t.first == *k)).unwrap_or(to);
            if let Some(tile) = f.flat_run(k, to) {
                k = tile.last;
                tiles.push(tile);
                continue;
            }
            let end = f.extend(k, to);
            if end > k + 1 {
                tiles.extend(f.settle(k, end));
            }
            k = end.max(k + 1);
        }
    }
    let tile = |k: usize| tiles.iter().position(|t| t.first <= k && k < t.last);
    let may = |a: usize, b: usize| ![a, b].iter().any(alone) && tile(a) == tile(b);
    let mut biased = added::find(plan, sizes, &may);
    biased.retain(|e| f.stays_near(What::Epilogue, e.kernel, &[e.buffer]));
    plan.biased = biased;
    plan.written = written;
    plan.finished = finished;
    plan.tiles = tiles;
    plan.taps = taps;
    plan.attends = attends;
}

impl Finder<'_> {
    pub(super) fn n(&self, s: &Size) -> i64 {
        value(s, self.sizes)
    }

    /// Whether what lies in these buffers stays near while a step uses it, and has no memory: it does, for that costs less, unless somebody
    /// pins that it is written down.
    pub(super) fn stays_near(&self, what: What, step: usize, buffers: &[usize]) -> bool {
        let elements = |b: &usize| self.plan.buffers[*b].shape.iter().map(|s| self.n(s) as f64).product::<f64>();
        let (count, prices) = (buffers.iter().map(elements).sum(), self.choices.prices());
        let Some(&[near, far]) = what.ways() else { return false };
        // What is done afterwards is a step of its own.
        let more = if what == What::Epilogue { STEP_NS } else { 0.0 };
        let ways = vec![Way::priced(near, prices.near(count)), Way::priced(far, prices.touch(count) + more).holding(count)];
        let made = self.plan.steps[step].writes();
        let name = made.first().map_or("", |b| &self.plan.buffers[*b].name);
        let decision = self.choices.choose(what, self.made[step].clone(), name, ways);
        let taken = decision.taken == 0;
        self.choices.note([decision]);
        taken
    }

    /// Rows of a step's result, if it makes them one by one.
    pub(super) fn rows(&self, step: &Step) -> Option<i64> {
        match step {
            Step::Kernel(k) if k.outer > 0 => {
                let unit = self.n(&k.unit);
                let rows = self.plan.buffers[k.store.buffer].shape.first()?;
                let rows = self.n(rows);
                (self.n(&k.loops[0].size) == rows * unit && self.own_rows(k)).then_some(rows)
            }
            Step::Product(p) => p.lead.map(|l| self.n(&p.spans[l].size)),
            Step::Kernel(_) | Step::Grouped(_) | Step::Segments(_) | Step::Order { .. } | Step::Scan { .. } => None,
            Step::Assign { .. } => None,
            Step::Scatter { .. } | Step::Random { .. } | Step::Rounds(_) => None,
        }
    }

    fn own_rows(&self, k: &Kernel) -> bool {
        self.by_row(k, &k.store, &[], self.by_rows(k, k.store.buffer))
    }

    /// Elements of a row of a buffer.
    pub(super) fn width(&self, buffer: usize) -> i64 {
        self.plan.buffers[buffer].shape.iter().skip(1).map(|s| self.n(s)).product()
    }

    /// Steps of a kernel's first loop for each row, and the elements of a row of a buffer.
    pub(super) fn by_rows(&self, k: &Kernel, buffer: usize) -> (i64, i64) {
        (self.n(&k.unit), self.width(buffer))
    }

    /// Whether an access of a kernel stays in row `r` of the buffer in step `r` of the first axis.
    pub(super) fn by_row(&self, k: &Kernel, a: &Access, more: &[(i64, i64)], (unit, width): (i64, i64)) -> bool {
        let mut step = 0;
        let mut reach = self.n(&a.offset);
        for (l, s) in &a.terms {
            let s = self.n(s);
            if *l == 0 {
                step = s * unit;
                reach += s * (unit - 1);
            } else {
                reach += s * (self.n(&k.loops[*l].size) - 1).max(0);
            }
        }
        reach += more.iter().map(|(n, s)| (n - 1) * s).sum::<i64>();
        step == width && (0..width.max(1)).contains(&reach)
    }

    /// Whether a step reads each of the buffers in `made` row by row.
    fn reads_by_row(&self, step: &Step, made: &BTreeMap<usize, ()>) -> bool {
        match step {
            Step::Kernel(k) => k.body.iter().all(|e| match e {
                Expr::Load(a) => !made.contains_key(&a.buffer) || self.by_row(k, a, &[], self.by_rows(k, a.buffer)),
                Expr::Pick { access: a, at, .. } => {
                    let more: Vec<(i64, i64)> = at.iter().map(|i| (self.n(&i.extent), self.n(&i.stride))).collect();
                    !made.contains_key(&a.buffer) || self.by_row(k, a, &more, self.by_rows(k, a.buffer))
                }
                Expr::Const(_) | Expr::Counter(_) | Expr::Size(_) | Expr::Map(..) => true,
                Expr::Reduce { .. } | Expr::Mend { .. } => true,
            }),
            Step::Product(p) => {
                let fits = |o: &(usize, Size), pick: &dyn Fn(&super::Span) -> Option<Size>| {
                    !made.contains_key(&o.0) || self.product_by_row(p, o, pick)
                };
                fits(&p.a, &|s| s.a.clone()) && fits(&p.b, &|s| s.b.clone())
            }
            Step::Grouped(_) | Step::Segments(_) | Step::Order { .. } | Step::Scan { .. } | Step::Assign { .. } => false,
            Step::Scatter { .. } | Step::Random { .. } | Step::Rounds(_) => false,
        }
    }

    pub(super) fn product_by_row(&self, p: &Product, o: &(usize, Size), pick: &dyn Fn(&super::Span) -> Option<Size>) -> bool {
        let width = self.width(o.0);
        let (mut step, mut reach) = (0, self.n(&o.1));
        for (k, span) in p.spans.iter().enumerate() {
            let s = pick(span).map_or(0, |s| self.n(&s));
            if p.lead == Some(k) {
                step = s;
            } else {
                reach += s * (self.n(&span.size) - 1).max(0);
            }
        }
        step == width && (0..width.max(1)).contains(&reach)
    }

    /// The elements of a kernel that goes through them one after the other, in memory, too.
    fn flat<'s>(&self, step: &'s Step) -> Option<(&'s Kernel, i64)> {
        let Step::Kernel(k) = step else { return None };
        let plain = k.outer == 1 && k.loops.len() == 1 && self.by_row(k, &k.store, &[], (1, 1));
        plain.then(|| (k, self.n(&k.loops[0].size)))
    }

    /// A run of kernels that go through the same elements, from step `k`, where single rows are too long for the cache. So the rule by
    /// which a large parameter is trained reads each of its numbers once.
    fn flat_run(&self, k: usize, to: usize) -> Option<Tile> {
        let (first, n) = self.flat(&self.plan.steps[k])?;
        if self.width(first.store.buffer) < TILE_CACHE {
            return None;
        }
        let (mut made, mut read, mut last) = (Vec::new(), Vec::new(), k);
        let mut shared = false;
        while last < to
            && let Some((kernel, _)) = self.flat(&self.plan.steps[last]).filter(|f| f.1 == n)
        {
            let each = |e: &Expr| match e {
                Expr::Pick { access, .. } => !made.contains(&access.buffer),
                Expr::Load(a) => !made.contains(&a.buffer) || self.by_row(kernel, a, &[], (1, 1)),
                Expr::Const(_) | Expr::Counter(_) | Expr::Size(_) | Expr::Map(..) => true,
                Expr::Reduce { .. } | Expr::Mend { .. } => false,
            };
            if !kernel.body.iter().all(each) {
                break;
            }
            let moving = |a: &&Access| !a.terms.is_empty();
            for a in kernel.body.iter().filter_map(Expr::access).filter(moving) {
                shared |= last > k && (made.contains(&a.buffer) || read.contains(&a.buffer));
                read.push(a.buffer);
            }
            made.push(kernel.store.buffer);
            last += 1;
        }
        if last < k + 2 || !shared {
            return None;
        }
        let mut all = [made.as_slice(), &read].concat();
        all.sort();
        all.dedup();
        if !self.chained(last, &made) {
            return None;
        }
        let rows = (TILE_CACHE / 2 / all.len() as i64).max(TILE_FLAT) / 16 * 16;
        let private = made.iter().filter(|b| self.is_private(**b, k, last)).map(|b| (*b, Size::from(1i64))).collect();
        Some(Tile { first: k, last, extent: first.loops[0].size.clone(), rows, private, flat: true, kept: None })
    }

    /// Whether the steps of a run go through its rows tile by tile: what they make for one another stays near.
    fn chained(&self, last: usize, made: &[usize]) -> bool {
        let results = self.plan.steps[last - 1].writes();
        let handed: Vec<usize> = made.iter().copied().filter(|b| !results.contains(b)).collect();
        self.stays_near(What::Chains, last - 1, &handed)
    }

    /// Whether nobody else reads what a run makes.
    pub(super) fn is_private(&self, buffer: usize, first: usize, last: usize) -> bool {
        let outside = self.readers[buffer].is_some_and(|(from, to)| from < first || to >= last);
        self.plan.buffers[buffer].kind == Kind::Temp && !outside
    }

    /// The end of the run that starts at step `k`.
    fn extend(&self, k: usize, to: usize) -> usize {
        let Some(rows) = self.rows(&self.plan.steps[k]).filter(|r| *r > 1) else { return k };
        let mut made = BTreeMap::new();
        let mut end = k;
        while end < to {
            let step = &self.plan.steps[end];
            if self.rows(step) != Some(rows) || !self.reads_by_row(step, &made) {
                break;
            }
            step.writes().into_iter().for_each(|b| {
                made.insert(b, ());
            });
            end += 1;
        }
        end
    }

    /// Elements of a row of what these steps make, as many as live at the same time.
    fn held(&self, steps: Range<usize>, made: &[usize]) -> i64 {
        let mut lives: BTreeMap<usize, (usize, usize)> = made.iter().map(|b| (*b, (steps.end, steps.end))).collect();
        for k in steps.clone() {
            for b in self.plan.steps[k].writes().into_iter().chain(self.plan.steps[k].reads()) {
                lives.entry(b).and_modify(|life| *life = (life.0.min(k), k));
            }
        }
        // What begins with each step, and what ended with the one before.
        let mut change = vec![0i64; steps.len() + 2];
        for (b, (first, last)) in lives {
            let (from, to) = (first - steps.start, last - steps.start + 1);
            change[from] = change[from].saturating_add(self.width(b));
            change[to] = change[to].saturating_sub(self.width(b));
        }
        let mut now = 0i64;
        change
            .into_iter()
            .map(|c| {
                now = now.saturating_add(c);
                now
            })
            .max()
            .unwrap_or(0)
    }

    /// The tile of a run, where tiles pay.
    fn settle(&self, first: usize, last: usize) -> Option<Tile> {
        let steps = &self.plan.steps[first..last];
        let rows = self.rows(&steps[0])?;
        let mut made: Vec<usize> = steps.iter().flat_map(Step::writes).collect();
        made.sort();
        made.dedup();
        let row = self.held(first..last, &made);
        // A product whose matrix stays the same for all rows.
        let free = |p: &Product| p.lead.is_some_and(|l| p.spans[l].a.is_none() || p.spans[l].b.is_none());
        let still = |s: &Step| matches!(s, Step::Product(p) if free(p));
        let least = if steps.iter().any(still) { TILE_ROWS } else { 1 };
        let tile = (TILE_CACHE / row.max(1)).max(least) / 16 * 16;
        let tile = if tile == 0 { (TILE_CACHE / row.max(1)).max(least) } else { tile };
        let tile = tile.min((self.choices.at_most(TILE_HELD) / row.max(1)).max(1));
        let all = made.iter().fold(0i64, |n, b| n.saturating_add(self.width(*b)));
        if all.saturating_mul(rows) < TILE_LARGE || rows < tile.saturating_mul(2) || !self.chained(last, &made) {
            return None;
        }
        let of = |b: &usize| (*b, self.plan.buffers[*b].shape.iter().skip(1).fold(Size::from(1i64), |n, s| n.mul(s)));
        let private = made.iter().filter(|b| self.is_private(**b, first, last)).map(of).collect();
        let extent = self.plan.buffers[made[0]].shape[0].clone();
        Some(Tile { first, last, extent, rows: tile, private, flat: false, kept: None })
    }
}
