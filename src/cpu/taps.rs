//! Products over windows without the windows: each image is copied once with a border of zeros, and every tap of a window is that copy,
//! moved. What a strip of places sums stays in registers. Places between two lines of windows are computed, too, and left out.

use super::call::{self, Ptr, slice, slice_mut};
use super::exec::Exec;
use super::strip::{HIGH, Strip, WIDE};
use crate::plan::{Along, Finish, Geometry};

/// Columns that one thread takes at a time.
const COLUMNS: usize = 32;

/// Sums of a strip that go side by side into the result: where they begin in both, and how many.
struct Run {
    from: usize,
    to: i64,
    len: usize,
}

/// Where the sums of each strip go; places that no window has go nowhere.
fn strips(pixels: &[(usize, i64)]) -> Vec<Vec<Run>> {
    let mut sorted = pixels.to_vec();
    sorted.sort_unstable();
    let mut strips: Vec<Vec<Run>> = Vec::new();
    for (at, to) in sorted {
        let from = at % WIDE;
        strips.resize_with(strips.len().max(at / WIDE + 1), Vec::new);
        match strips[at / WIDE].last_mut() {
            Some(run) if run.from + run.len == from && run.to + run.len as i64 == to => run.len += 1,
            _ => strips[at / WIDE].push(Run { from, to, len: 1 }),
        }
    }
    strips
}

/// A product over windows ready to run.
pub(super) struct Taps {
    g: Geometry,
    /// The taps' places in the weights, and in the copy.
    weights: Vec<usize>,
    taps: Vec<usize>,
    /// For each strip of places of the copy the runs that go into the result.
    strips: Vec<Vec<Run>>,
    /// Elements of a channel, and of the copy with what strips read beyond its end.
    channel: usize,
    copy: usize,
    /// What is added to each column, and what no result is less than.
    bias: Option<(usize, Vec<i64>)>,
    least: Option<f32>,
}

impl Taps {
    pub fn new(g: Geometry) -> Taps {
        let strips = strips(&g.pixels);
        let channel = g.along.iter().map(|a| a.size as usize).product::<usize>();
        let border = g.along.last().map_or(0, |a| a.size as usize);
        let copy = channel * g.channels.len() + strips.len() * WIDE + border;
        let (weights, taps) = g.taps.iter().copied().unzip();
        Taps { weights, taps, strips, channel, copy, g, bias: None, least: None }
    }

    /// With results in another buffer, and finished; NaN stays what it is.
    pub fn finished(mut self, finish: Finish) -> Taps {
        self.g.out.0 = finish.out;
        (self.bias, self.least) = (finish.bias, finish.least);
        self
    }

    fn images(&self) -> i64 {
        self.g.batch.iter().map(|b| b.n).product()
    }

    /// Multiply-adds.
    pub fn work(&self) -> f64 {
        self.images() as f64 * (self.strips.len() * WIDE * self.g.columns.len() * self.taps.len()) as f64
    }

    /// Runs it all; threads take images, and columns of one.
    pub fn run(&self, ptrs: &[Ptr], exec: Exec) {
        let chunks = self.g.columns.len().div_ceil(COLUMNS) as i64;
        exec.split(self.images() * chunks, 1, self.work(), &|start, end| {
            let mut copy = vec![0.0; self.copy];
            let mut copied = None;
            for unit in start..end {
                let (image, chunk) = (unit / chunks, (unit % chunks) as usize * COLUMNS);
                let (x, w, out) = self.at(image);
                if copied.replace(image) != Some(image) {
                    self.copy(ptrs[self.g.x.0].moved(x), &mut copy);
                }
                let columns = chunk..(chunk + COLUMNS).min(self.g.columns.len());
                let bias: Vec<f32> = match &self.bias {
                    Some((b, places)) => columns.clone().map(|c| slice::<f32>(ptrs[*b].moved(places[c]), 1)[0]).collect(),
                    None => Vec::new(),
                };
                self.image(&copy, (&self.g.columns[columns], &bias), ptrs[self.g.w.0].moved(w), ptrs[self.g.out.0].moved(out));
            }
        });
    }

    /// Where an image, its weights and its result start.
    fn at(&self, image: i64) -> (i64, i64, i64) {
        let (mut left, mut at) = (image, (self.g.x.1, self.g.w.1, self.g.out.1));
        for b in self.g.batch.iter().rev() {
            let i = left % b.n;
            left /= b.n;
            at = (at.0 + b.x * i, at.1 + b.w * i, at.2 + b.out * i);
        }
        at
    }

    /// Copies what lies inside; the border is 0 from the start.
    fn copy(&self, image: Ptr, to: &mut [f32]) {
        for (to, from) in to.chunks_exact_mut(self.channel).zip(&self.g.channels) {
            lines(&self.g.along, image.moved(*from), to);
        }
    }

    fn image(&self, copy: &[f32], (columns, bias): (&[(usize, i64)], &[f32]), w: Ptr, out: Ptr) {
        let reach = self.weights.iter().max().unwrap_or(&0) + columns.iter().map(|c| c.0).max().unwrap_or(0) + 1;
        let w = slice::<f32>(w, reach);
        let group = self.taps.len() * HIGH;
        let mut packed = vec![0.0; columns.len().div_ceil(HIGH) * group];
        for (columns, packed) in columns.chunks(HIGH).zip(packed.chunks_exact_mut(group)) {
            for (packed, tap) in packed.chunks_exact_mut(HIGH).zip(&self.weights) {
                packed.iter_mut().zip(columns).for_each(|(p, (column, _))| *p = w[column + tap]);
            }
        }
        let mut sums = [[0.0f32; WIDE]; HIGH];
        // A strip of the image stays in the first cache while all weights go by.
        for (n, runs) in self.strips.iter().enumerate() {
            let wide = runs.iter().map(|r| r.from + r.len).max().unwrap_or(0);
            for (some, (columns, w)) in columns.chunks(HIGH).zip(packed.chunks_exact(group)).enumerate() {
                call::strip(&Strip { w, columns: columns.len(), taps: &self.taps, x: copy, at: n * WIDE, wide }, &mut sums);
                for (sums, bias) in sums.iter_mut().zip(bias.iter().skip(some * HIGH)) {
                    sums.iter_mut().for_each(|x| *x += bias);
                }
                if let Some(least) = self.least {
                    sums.as_flattened_mut().iter_mut().for_each(|x| *x = if *x < least { least } else { *x });
                }
                for (sums, (_, column)) in sums.iter().zip(columns) {
                    for run in runs {
                        slice_mut(out.moved(run.to + column), run.len).copy_from_slice(&sums[run.from..][..run.len]);
                    }
                }
            }
        }
    }
}

/// Copies a channel, line by line.
fn lines(along: &[Along], from: Ptr, to: &mut [f32]) {
    let Some((a, rest)) = along.split_first() else {
        to[0] = slice::<f32>(from, 1)[0];
        return;
    };
    let inside = a.low.max(0)..(a.low + a.size).min(a.extent);
    let each = to.len() / a.size as usize;
    if rest.is_empty() && a.stride == 1 && !inside.is_empty() {
        let n = (inside.end - inside.start) as usize;
        to[(inside.start - a.low) as usize..][..n].copy_from_slice(slice(from.moved(inside.start), n));
        return;
    }
    for i in inside {
        lines(rest, from.moved(i * a.stride), &mut to[(i - a.low) as usize * each..][..each]);
    }
}
