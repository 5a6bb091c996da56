//! What is laid out already. A model that runs at several sizes reads the same parameters at all of them: they are laid out once.

use super::call::Ptr;
use super::panel::LINE;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};

/// Matrices of one shape, as they are stored: where the first begins, how far one lies behind the other, and the strides of each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stored {
    pub at: Ptr,
    pub count: usize,
    pub apart: i64,
    pub row: i64,
    pub col: i64,
}

/// Panels in memory.
#[derive(Debug, Default)]
pub(super) struct Words {
    all: Vec<f32>,
    /// The first of them that begins a cache line: each row of a panel does.
    begin: usize,
}

impl Words {
    /// So many, all 0.
    pub fn zero(count: usize) -> Words {
        let all = vec![0.0f32; count + LINE];
        let begin = all.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
        Words { all, begin }
    }

    /// The first of them, made more where there are fewer; they hold anything.
    pub fn at_least(&mut self, count: usize) -> &mut [f32] {
        if self.all.len() < count + LINE {
            *self = Words::zero(count);
        }
        &mut self.get_mut()[..count]
    }

    pub fn get(&self) -> &[f32] {
        &self.all[self.begin..]
    }

    pub fn get_mut(&mut self) -> &mut [f32] {
        &mut self.all[self.begin..]
    }
}

/// How matrices lie in panels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lie {
    /// One after the other.
    Apart,
    /// For each row of a panel those of all matrices: what a sum of matrices reads; and of one more, which begins there, with strides for rows and
    /// columns.
    Among(Option<(usize, [i64; 2])>),
    /// Columns that begin and steps that lie anywhere.
    Taps { columns: Vec<usize>, taps: Vec<usize> },
    /// As panels of such columns; a step is a channel of a place.
    Lines { columns: Vec<usize>, taps: Vec<usize>, channels: Vec<usize> },
}

/// The layout of some matrices: the age of what they hold, what they are, their rows and columns, and how they lie.
type Key = (u64, usize, usize, [i64; 3], [usize; 2], Lie);

/// Layouts that somebody uses, shared by all that one engine runs.
#[derive(Debug, Default)]
pub(super) struct Laid(Mutex<BTreeMap<Key, Weak<Words>>>);

impl Laid {
    /// Those of these matrices, of as many rows and columns, made now or before. `age` says since when memory holds what it does; 0: nobody knows.
    pub fn words(&self, age: u64, of: &Stored, shape: [usize; 2], lie: Lie, make: impl FnOnce() -> Words) -> Arc<Words> {
        let Some(mut known) = self.0.lock().ok().filter(|_| age > 0) else { return Arc::new(make()) };
        let key = (age, of.at.address(), of.count, [of.apart, of.row, of.col], shape, lie);
        if let Some(words) = known.get(&key).and_then(Weak::upgrade) {
            return words;
        }
        known.retain(|_, words| words.strong_count() > 0);
        let words = Arc::new(make());
        known.insert(key, Arc::downgrade(&words));
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_laid_out_once_as_long_as_somebody_uses_it() {
        let laid = Laid::default();
        let numbers = [1.0f32; 8];
        let of = Stored { at: Ptr::of_f32(&numbers), count: 1, apart: 0, row: 4, col: 1 };
        let made = |age: u64, of: &Stored| {
            let mut fresh = false;
            let words = laid.words(age, of, [2, 4], Lie::Apart, || {
                fresh = true;
                Words::zero(8)
            });
            (words, fresh)
        };
        let (first, fresh) = made(1, &of);
        assert!(fresh && first.get().len() >= 8 && first.get().as_ptr().addr() % 64 == 0);
        assert!(!made(1, &of).1);
        // Another layout, a newer value, and what nobody knows the age of.
        assert!(made(1, &Stored { row: 1, col: 2, ..of }).1 && made(2, &of).1 && made(0, &of).1 && made(0, &of).1);
        drop(first);
        assert!(made(1, &of).1);
    }
}
