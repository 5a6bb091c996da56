//! Rows of one side of a product, by where they begin, and how they are taken together.

use super::call::Ptr;
use crate::plan::measured::cpu;

/// Where rows begin.
#[derive(Clone, Copy)]
pub(super) enum Places<'a> {
    /// One after the other, this far apart.
    Even {
        stride: i64,
        count: usize,
    },
    Listed(&'a [i64]),
}

impl Places<'_> {
    #[inline(always)]
    pub fn len(&self) -> usize {
        match self {
            Places::Even { count, .. } => *count,
            Places::Listed(list) => list.len(),
        }
    }

    #[inline(always)]
    fn at(&self, row: usize) -> i64 {
        match self {
            Places::Even { stride, .. } => row as i64 * stride,
            Places::Listed(list) => list[row],
        }
    }

    /// Whether rows meet in the first cache: all of them begin at the same place of a page, and drive each other out.
    pub fn meet(&self) -> bool {
        match self {
            Places::Even { stride, .. } => stride % cpu::PAGE == 0,
            Places::Listed(list) => list.windows(2).all(|w| (w[1] - w[0]) % cpu::PAGE == 0),
        }
    }
}

/// Rows of one side of a product: where they begin, and how far the elements of one lie apart.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub at: Ptr,
    pub places: Places<'a>,
    pub step: i64,
}

impl Rows<'_> {
    #[inline(always)]
    pub fn row(&self, row: usize) -> Ptr {
        self.at.moved(self.places.at(row))
    }
}

/// As few groups of at most `high` as there can be, as equal as they can be: where each begins, and how many rows it has. A row alone takes as
/// long as several together.
#[inline(always)]
pub(super) fn groups(rows: usize, high: usize) -> impl Iterator<Item = (usize, usize)> {
    let count = rows.div_ceil(high).max(1);
    let (each, longer) = (rows / count, rows % count);
    (0..rows.div_ceil(high)).map(move |g| (g * each + g.min(longer), each + usize::from(g < longer)))
}
