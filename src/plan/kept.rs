//! Runs of steps whose rows only some are needed, because a choice throws away what the others have.
//!
//! In: the steps in order, and of each the conditions under which its rows are needed. Steps one after the other with the same
//! conditions are a run as long as each makes its result row by row, reads what the run made row by row, and reads anything else
//! either row by row or the same for all rows. The executor lets the needed rows alone go through it.

use super::decide::{By, Decision, Way, What};
use super::measured::plan::{CHOSEN_HELD, CHOSEN_MOVED, CHOSEN_ROWS};
use super::tile::Finder;
use super::{Access, Expr, Kept, Span, Step, Tile, View};
use crate::ir::Size;
use crate::ir::pin::{ALL_ROWS, KEPT_ROWS};
use std::collections::BTreeMap;
use std::ops::Range;

/// How a run reads a buffer: whether row by row, or the same for all rows.
type Reads = BTreeMap<usize, bool>;

impl Finder<'_> {
    /// The runs of those steps that gain by it, or for which somebody asks.
    pub(super) fn kept_runs(&self, steps: Range<usize>, rows: &[Vec<(View, bool)>]) -> Vec<Tile> {
        let (mut found, mut k, mut told) = (Vec::new(), steps.start, steps.start);
        while k < steps.end {
            let run = (!rows[k].is_empty()).then(|| self.kept_run(k, steps.end, rows)).flatten();
            let Some((tile, gains)) = run else {
                k += 1;
                continue;
            };
            // What is left of a run that does not gain is no decision of its own.
            if !gains && k < told {
                k += 1;
                continue;
            }
            let decision = self.decided(&tile, gains);
            let (kept, ruled) = (decision.ways[decision.taken].text == KEPT_ROWS, decision.by == By::Planner);
            self.choices.note([decision]);
            told = tile.last;
            k = if kept || !ruled { tile.last } else { k + 1 };
            found.extend(Some(tile).filter(|_| kept));
        }
        found
    }

    /// Whether a run is for its rows alone. There is no price: how many rows a choice keeps is not known before it runs.
    fn decided(&self, tile: &Tile, gains: bool) -> Decision {
        let mut ways = [KEPT_ROWS, ALL_ROWS].map(Way::unpriced);
        if !gains {
            ways.reverse();
        }
        let is_product = |k: &usize| matches!(self.plan.steps[*k], Step::Product(_));
        let about = (tile.first..tile.last).find(is_product).unwrap_or(tile.first);
        let made = self.plan.steps[about].writes();
        let name = made.first().map_or("", |b| &self.plan.buffers[*b].name);
        self.choices.choose(What::Rows, self.made[about].clone(), name, ways.to_vec())
    }

    /// A run that could be for its rows alone, and whether it gains by that.
    fn kept_run(&self, first: usize, to: usize, rows: &[Vec<(View, bool)>]) -> Option<(Tile, bool)> {
        let count = self.rows(&self.plan.steps[first])?;
        let (mut made, mut reads, mut last) = (Vec::new(), Reads::new(), first);
        while last < to && rows[last] == rows[first] && self.rows(&self.plan.steps[last]) == Some(count) {
            let Some(more) = self.row_reads(&self.plan.steps[last], &made, &reads) else { break };
            reads = more;
            made.extend(self.plan.steps[last].writes());
            last += 1;
        }
        made.sort();
        made.dedup();
        let asked = |b: usize| rows[first].iter().any(|(view, _)| view.buffer == b);
        let known = |b: usize| !self.plan.steps[first..].iter().any(|s| s.writes().contains(&b));
        if last == first || made.iter().any(|b| asked(*b)) || !rows[first].iter().all(|(view, _)| known(view.buffer)) {
            return None;
        }
        let per = |b: &usize| (*b, self.plan.buffers[*b].shape.iter().skip(1).fold(Size::from(1i64), |n, s| n.mul(s)));
        let (private, written): (Vec<usize>, Vec<usize>) = made.iter().partition(|b| self.is_private(**b, first, last));
        let read: Vec<usize> = reads.iter().filter(|(_, by_row)| **by_row).map(|(b, _)| *b).collect();
        let moved: i64 = read.iter().chain(&written).map(|b| self.width(*b)).sum();
        let work: i64 = self.plan.steps[first..last].iter().map(|s| self.row_work(s)).sum();
        let held: i64 = moved + private.iter().map(|b| self.width(*b)).sum::<i64>();
        if count < 2 || work == 0 {
            return None;
        }
        let gains = work >= moved.saturating_mul(CHOSEN_MOVED);
        let kept = Kept {
            conditions: rows[first].clone(),
            read: read.iter().map(per).collect(),
            written: written.iter().map(per).collect(),
        };
        let extent = self.plan.buffers[made[0]].shape[0].clone();
        let rows = CHOSEN_ROWS.min(CHOSEN_HELD / held.max(1)).clamp(1, count);
        let private = private.iter().map(per).collect();
        Some((Tile { first, last, extent, rows, private, flat: false, kept: Some(kept) }, gains))
    }

    /// Multiply-adds of a product for each row.
    fn row_work(&self, step: &Step) -> i64 {
        let Step::Product(p) = step else { return 0 };
        let spans = p.spans.iter().enumerate().filter(|(k, _)| p.lead != Some(*k));
        spans.fold(1i64, |n, (_, s)| n.saturating_mul(self.n(&s.size)))
    }

    /// What a run reads that goes on with this step. `None`: the step may look at other rows.
    fn row_reads(&self, step: &Step, made: &[usize], reads: &Reads) -> Option<Reads> {
        let mut reads = reads.clone();
        let mut note = |buffer: usize, by_row: bool, still: bool| {
            if made.contains(&buffer) {
                return by_row;
            }
            let by_row = by_row && !still;
            (by_row || still) && *reads.entry(buffer).or_insert(by_row) == by_row
        };
        let fits = match step {
            Step::Kernel(k) => k.body.iter().all(|e| match e {
                Expr::Counter(l) => *l != 0,
                Expr::Load(a) => note(a.buffer, self.by_row(k, a, &[], self.by_rows(k, a.buffer)), still(a)),
                Expr::Pick { access: a, at, .. } => {
                    let more: Vec<(i64, i64)> = at.iter().map(|i| (self.n(&i.extent), self.n(&i.stride))).collect();
                    note(a.buffer, self.by_row(k, a, &more, self.by_rows(k, a.buffer)), still(a))
                }
                Expr::Const(_) | Expr::Size(_) | Expr::Map(..) | Expr::Reduce { .. } | Expr::Mend { .. } => true,
            }),
            Step::Product(p) => {
                let lead = p.lead.map(|l| &p.spans[l]);
                let mut side = |o: &(usize, Size), pick: &dyn Fn(&Span) -> Option<Size>| {
                    let still = lead.and_then(pick).is_none_or(|s| self.n(&s) == 0);
                    note(o.0, self.product_by_row(p, o, pick), still)
                };
                side(&p.a, &|s| s.a.clone()) && side(&p.b, &|s| s.b.clone()) && self.product_by_row(p, &p.out, &|s| s.out.clone())
            }
            Step::Grouped(_) | Step::Segments(_) | Step::Order { .. } | Step::Scan { .. } | Step::Assign { .. } => false,
            Step::Scatter { .. } | Step::Random { .. } | Step::Rounds(_) => false,
        };
        fits.then_some(reads)
    }
}

/// Whether an access is the same for all rows.
fn still(a: &Access) -> bool {
    a.terms.iter().all(|t| t.0 != 0)
}
