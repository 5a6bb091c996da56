//! Which stages of a run share a shader, and what each of the others gets.

use super::super::program::Item;
use super::super::repeats;
use super::super::rows::{Group, group as rows_of, most};
use super::super::stage::Placed;
use super::work::flops;
use super::{Emitter, rows, shape};
use crate::ir::Size;
use crate::plan::{Expr, measured::gpu};
use crate::source::Span;

impl Emitter<'_> {
    pub(super) fn stages(&mut self, stages: &[Placed], out: &mut Vec<Item>) {
        self.sorted.clear();
        self.segmented.clear();
        let next = &mut |k: usize, end: usize| self.sharing(stages, k, end).map_or(k, |g| g.1);
        let ends = repeats::ends(stages, &self.buffers, most(self.choice.reach), next);
        let mut k = 0;
        let mut told = 0;
        while k < stages.len() {
            told = self.note_sharing(stages, k, ends[k], told);
            match self.sharing(stages, k, ends[k]) {
                Some((group, end)) if end > k + 1 || self.pays(&stages[k], &group) => {
                    out.push(self.group(&group, &stages[k..end]));
                    k = end;
                }
                _ => {
                    self.alone(stages, k, out);
                    k += 1;
                }
            }
        }
    }

    /// The longest group that starts at a stage and ends before another, none of whose stages is to have a shader of its own; and where it ends.
    fn sharing(&self, stages: &[Placed], first: usize, last: usize) -> Option<(Group, usize)> {
        let measure = (self.size, self.choice.reach);
        let found = rows_of(stages, (first, last), &self.buffers, measure)?;
        let shared = first..found.1;
        match shared.clone().find(|k| shared.len() > 1 && self.is_alone(&stages[*k])) {
            None => Some(found),
            Some(k) if k == first => None,
            Some(k) => rows_of(stages, (first, k), &self.buffers, measure),
        }
    }

    fn is_alone(&self, placed: &Placed) -> bool {
        self.chooser.is_alone(&placed.about, &self.buffers[placed.stage.target()].name)
    }

    /// Notes what is decided where some stages can share a shader: each once, and no further than they do. `told`: where the last note ended.
    fn note_sharing(&self, stages: &[Placed], first: usize, last: usize, told: usize) -> usize {
        let measure = (self.size, self.choice.reach);
        let Some((_, end)) = rows_of(stages, (first, last), &self.buffers, measure) else { return told };
        if end == first + 1 {
            return told;
        }
        let end = (first..end).find(|k| self.is_alone(&stages[*k])).map_or(end, |k| k + 1);
        for s in &stages[told.max(first)..end.max(told)] {
            self.chooser.note_shader(&s.about, &self.buffers[s.stage.target()].name);
        }
        end.max(told)
    }

    /// Whether one stage alone is better off with threads that share its folds.
    fn pays(&self, placed: &Placed, group: &Group) -> bool {
        let Some(k) = placed.stage.kernel() else { return false };
        let longest = k.body.iter().flat_map(Expr::folded).map(|l| (self.size)(&k.loops[*l].size));
        let count = k.loops[..k.outer].iter().map(|l| (self.size)(&l.size)).product::<i64>();
        let rows = (self.size)(&group.rows).max(1);
        longest.max().unwrap_or(0) >= gpu::ALONE_FOLD && count / rows < gpu::ALONE_WIDTH && count < gpu::ALONE_COUNT
    }

    fn group(&mut self, group: &Group, stages: &[Placed]) -> Item {
        let shape = shape::shape(group, stages, &self.buffers, (&self.counts, &self.writers), self.size);
        let last = stages[stages.len() - 1].stage.target();
        let name = self.buffers[last].name.clone();
        let mut places: Vec<Span> = stages.iter().flat_map(|s| s.places.iter().copied()).collect();
        places.sort();
        places.dedup();
        let work = stages.iter().filter_map(|s| s.stage.kernel()).fold(Size::from(0i64), |n, k| n.add(&flops(k)));
        self.shader(&name, rows::THREADS, &places, work, &|m| rows::emit(m, group, stages, &shape))
    }
}
