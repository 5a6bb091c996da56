//! Weights of products over windows, laid out for what reads them: those that stay from run to run are, once, where there is room.

use super::call::Ptr;
use super::laid::{Laid, Lie, Stored, Words};
use crate::plan::Geometry;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The layouts of a product's weights: one where all images share them, one for each that has its own.
#[derive(Default)]
pub(super) struct Held {
    kept: bool,
    /// By where they begin.
    words: BTreeMap<i64, Arc<Words>>,
}

impl Held {
    /// Decides whether weights, `each` elements for an image, are kept, in at most so many; as many as that takes. `stays`: they stay.
    pub fn decide(&mut self, g: &Geometry, each: usize, stays: bool, room: usize) -> usize {
        let different = g.batch.iter().filter(|b| b.w != 0).map(|b| b.n as usize).product::<usize>();
        let length = different.saturating_mul(each);
        self.kept = stays && length <= room;
        if self.kept { length } else { 0 }
    }

    /// Takes them as they are now: `make` lays out those that begin there, as `lie` says.
    pub fn pack(
        &mut self,
        g: &Geometry,
        ptrs: &[Ptr],
        laid: Option<(&Laid, u64)>,
        (terms, lie): (usize, &dyn Fn() -> Lie),
        make: &dyn Fn(Ptr) -> Words,
    ) {
        self.words.clear();
        if !self.kept {
            return;
        }
        let mut starts = vec![g.w.1];
        for b in g.batch.iter().filter(|b| b.w != 0) {
            starts = starts.iter().flat_map(|at| (0..b.n).map(move |i| at + b.w * i)).collect();
        }
        for start in starts {
            let at = ptrs[g.w.0].moved(start);
            let of = Stored { at, count: 1, apart: 0, row: 0, col: 0 };
            let words = match laid {
                Some((laid, age)) => laid.words(age, &of, [terms, g.columns.len()], lie(), || make(at)),
                None => Arc::new(make(at)),
            };
            self.words.insert(start, words);
        }
    }

    /// Those that begin there, where they are kept.
    pub fn get(&self, start: i64) -> Option<&[f32]> {
        self.words.get(&start).map(|words| words.get())
    }
}
