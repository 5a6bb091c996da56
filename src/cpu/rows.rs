//! Rows that belong to groups: their order, and how one is brought into packed memory and back.

use super::call::{Ptr, slice, slice_mut};

/// Rows in the order of their groups, and of their numbers within each.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    pub order: Vec<usize>,
    starts: Vec<usize>,
}

impl Sorted {
    /// A stable counting sort: `rows` gives the group of each row.
    pub fn sort(&mut self, rows: impl Iterator<Item = usize> + Clone, groups: usize) {
        self.starts.clear();
        self.starts.resize(groups + 1, 0);
        let mut count = 0;
        for g in rows.clone() {
            self.starts[g + 1] += 1;
            count += 1;
        }
        for g in 0..groups {
            self.starts[g + 1] += self.starts[g];
        }
        self.order.clear();
        self.order.resize(count, 0);
        let mut next = self.starts.clone();
        for (k, g) in rows.enumerate() {
            self.order[next[g]] = k;
            next[g] += 1;
        }
    }

    /// Where the rows of a group stand in the order.
    pub fn group(&self, g: usize) -> std::ops::Range<usize> {
        self.starts[g]..self.starts[g + 1]
    }
}

/// A loop over what a row has, and its strides in two places (`x` is the one that rows are taken from or go to).
#[derive(Clone, Copy, Debug)]
pub(super) struct Inner {
    pub n: i64,
    pub x: i64,
    pub b: i64,
}

/// The innermost loop, and for the others all places: in packed memory and in the matrix.
pub(super) fn split(dims: &[Inner]) -> (Inner, Vec<(i64, i64)>) {
    let Some((last, rest)) = dims.split_last() else { return (Inner { n: 1, x: 0, b: 0 }, vec![(0, 0)]) };
    let mut places = vec![(0, 0)];
    let mut pack = last.n;
    for d in rest.iter().rev() {
        let mut next = Vec::new();
        for k in 0..d.n {
            next.extend(places.iter().map(|(p, b)| (p + k * pack, b + k * d.b)));
        }
        places = next;
        pack *= d.n;
    }
    (*last, places)
}

/// Joins neighbours whose strides allow it.
pub(super) fn join(dims: Vec<Inner>) -> Vec<Inner> {
    let mut out: Vec<Inner> = Vec::new();
    for d in dims {
        match out.last_mut() {
            Some(l) if l.x == d.x * d.n && l.b == d.b * d.n => *l = Inner { n: l.n * d.n, ..d },
            _ => out.push(d),
        }
    }
    out
}

pub(super) fn gather(dims: &[Inner], at: Ptr, to: &mut [f32]) {
    match dims {
        [] => to[0] = slice::<f32>(at, 1)[0],
        [d] if d.x == 1 => to.copy_from_slice(slice(at, d.n as usize)),
        [d, rest @ ..] => {
            let part = to.len() / d.n as usize;
            for (k, row) in to.chunks_exact_mut(part).enumerate() {
                gather(rest, at.moved(k as i64 * d.x), row);
            }
        }
    }
}

pub(super) fn spread(dims: &[Inner], from: &[f32], at: Ptr) {
    match dims {
        [] => slice_mut::<f32>(at, 1)[0] = from[0],
        [d] if d.x == 1 => slice_mut::<f32>(at, d.n as usize).copy_from_slice(from),
        [d, rest @ ..] => {
            let part = from.len() / d.n as usize;
            for (k, row) in from.chunks_exact(part).enumerate() {
                spread(rest, row, at.moved(k as i64 * d.x));
            }
        }
    }
}
