//! Walking a loop nest: the offset of every operand at every point, in row-major order.

/// How far each loop moves in an operand of this shape that is read through these subscripts.
pub fn strides(shape: &[usize], subscripts: &[usize], loops: usize) -> Vec<usize> {
    let mut out = vec![0; loops];
    let mut step = 1;
    for (extent, k) in shape.iter().zip(subscripts).rev() {
        out[*k] += step;
        step *= extent;
    }
    out
}

/// A walk over some loops. `at` holds the offsets, `counter` the loops' counters.
pub struct Walk {
    extents: Vec<usize>,
    /// For each operand, one stride for each of the loops.
    strides: Vec<Vec<usize>>,
    pub counter: Vec<usize>,
    pub at: Vec<usize>,
}

impl Walk {
    pub fn new(extents: &[usize], strides: Vec<Vec<usize>>) -> Walk {
        Walk { extents: extents.to_vec(), counter: vec![0; extents.len()], at: vec![0; strides.len()], strides }
    }

    /// Goes to the first point, with these offsets there; `false` where there is none.
    pub fn start(&mut self, base: &[usize]) -> bool {
        self.counter.fill(0);
        self.at.copy_from_slice(base);
        !self.extents.contains(&0)
    }

    /// Goes to the next point; `false` after the last.
    pub fn step(&mut self) -> bool {
        for k in (0..self.extents.len()).rev() {
            self.counter[k] += 1;
            let done = self.counter[k] == self.extents[k];
            let back = if done { self.extents[k] } else { 0 };
            for (at, s) in self.at.iter_mut().zip(&self.strides) {
                *at = *at + s[k] - s[k] * back;
            }
            if !done {
                return true;
            }
            self.counter[k] = 0;
        }
        false
    }

    /// Calls `body` at every point from offset zero.
    pub fn each(mut self, mut body: impl FnMut(&Walk)) {
        let base = vec![0; self.at.len()];
        let mut more = self.start(&base);
        while more {
            body(&self);
            more = self.step();
        }
    }
}

/// Rows of a nest: every loop but the last is walked, the last one is given as (extent, step of each operand).
pub struct Rows {
    pub outer: Walk,
    pub extent: usize,
    pub steps: Vec<usize>,
}

impl Rows {
    pub fn new(extents: &[usize], strides: Vec<Vec<usize>>) -> Rows {
        let Some((extent, outer)) = extents.split_last() else {
            let steps = vec![0; strides.len()];
            return Rows { outer: Walk::new(&[], strides), extent: 1, steps };
        };
        let steps = strides.iter().map(|s| s[extents.len() - 1]).collect();
        Rows { outer: Walk::new(outer, strides), extent: *extent, steps }
    }
}
