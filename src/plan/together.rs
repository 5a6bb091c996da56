//! Steps that an executor may compute together, without writing down what one of them makes for the next.

use super::View;
use crate::ir::Size;

/// Step `gather` writes windows into `buffer`, which step `product` alone reads; it may read the windows where they come from.
#[derive(Clone, Copy, Debug)]
pub struct Taps {
    pub gather: usize,
    pub product: usize,
    pub buffer: usize,
}

/// Step `kernel` finishes each result of a product over windows by itself; nobody else reads `buffer`, where those lie.
#[derive(Clone, Copy, Debug)]
pub struct Finished {
    pub taps: Taps,
    pub kernel: usize,
    pub buffer: usize,
}

/// Step `kernel` adds the same row to each row of what step `product` makes; nobody else reads `buffer`, where that lies.
#[derive(Clone, Copy, Debug)]
pub struct Biased {
    pub product: usize,
    pub kernel: usize,
    pub buffer: usize,
}

/// Step `maker` writes matrices into `buffer`, which step `product` alone reads, as its matrices.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    pub maker: usize,
    /// Where something is added to all of them alike: the step that does so, and what `maker` writes instead of `buffer`.
    pub added: Option<(usize, usize)>,
    pub product: usize,
    pub buffer: usize,
}

impl Written {
    /// The steps that `product` does, too.
    pub fn makers(&self) -> impl Iterator<Item = usize> {
        std::iter::once(self.maker).chain(self.added.map(|a| a.0))
    }

    /// What lies nowhere.
    pub fn buffers(&self) -> impl Iterator<Item = usize> {
        self.added.map(|a| a.1).into_iter().chain([self.buffer])
    }

    pub fn has(&self, step: usize) -> bool {
        step == self.product || self.makers().any(|s| s == step)
    }
}

/// Step `scores` multiplies queries with keys, the steps `between` make weights of that, and step `result` multiplies them with values.
#[derive(Clone, Debug)]
pub struct Attend {
    pub scores: usize,
    pub between: Vec<usize>,
    pub result: usize,
    /// What nobody else reads: the weights, and whatever they are made of.
    pub buffers: Vec<usize>,
}

impl Attend {
    /// Whether a step is one of these.
    pub fn has(&self, step: usize) -> bool {
        step == self.scores || step == self.result || self.between.contains(&step)
    }
}

/// Steps `first..last` share an independent first axis and run tile by tile, so that what they hand over stays in cache.
#[derive(Clone, Debug)]
pub struct Tile {
    pub first: usize,
    pub last: usize,
    /// Extent of the shared axis, and how much of it makes a tile.
    pub extent: Size,
    pub rows: i64,
    /// Its rows are single elements, whatever the first axis is.
    pub flat: bool,
    /// Buffers that live inside one tile only, each with its elements per step of the axis.
    pub private: Vec<(usize, Size)>,
    /// Which rows there are, where not all of them are.
    pub kept: Option<Kept>,
}

/// The rows that a run of steps is for. They are brought together, go through the steps as if there were no others, and what is read
/// afterwards goes back to its rows; the other rows of that hold anything.
#[derive(Clone, Debug)]
pub struct Kept {
    /// All of them hold in such a row, the first one asked first: a bool for each row, and which it has to be.
    pub conditions: Vec<(View, bool)>,
    /// What the steps read of the rows, and what others read of them afterwards: buffers with their elements per row.
    pub read: Vec<(usize, Size)>,
    pub written: Vec<(usize, Size)>,
}
