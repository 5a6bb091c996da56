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
    /// For each of the loops how far it moves in each operand: it is stepped more often than anything else is done.
    strides: Vec<usize>,
    pub counter: Vec<usize>,
    pub at: Vec<usize>,
}

impl Walk {
    /// `strides`: for each operand, one for each of the loops.
    pub fn new(extents: &[usize], strides: Vec<Vec<usize>>) -> Walk {
        let by_loop = (0..extents.len()).flat_map(|k| strides.iter().map(move |s| s[k])).collect();
        Walk { extents: extents.to_vec(), counter: vec![0; extents.len()], at: vec![0; strides.len()], strides: by_loop }
    }

    /// Goes to the first point, with these offsets there; `false` where there is none.
    pub fn start(&mut self, base: &[usize]) -> bool {
        self.counter.fill(0);
        self.at.copy_from_slice(base);
        !self.extents.contains(&0)
    }

    /// Goes to the next point; `false` after the last.
    pub fn step(&mut self) -> bool {
        let operands = self.at.len();
        for (k, (counter, extent)) in self.counter.iter_mut().zip(&self.extents).enumerate().rev() {
            let strides = &self.strides[k * operands..(k + 1) * operands];
            *counter += 1;
            if *counter < *extent {
                self.at.iter_mut().zip(strides).for_each(|(at, s)| *at += s);
                return true;
            }
            *counter = 0;
            self.at.iter_mut().zip(strides).for_each(|(at, s)| *at -= s * (extent - 1));
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
