//! Products over windows without the windows: each image is copied once with a border of zeros, and every tap of a window is that copy,
//! moved. Many columns meet places that lie in panels ([`super::spread`]). Of few columns what a strip of places sums stays in registers; places
//! between two lines of windows are computed, too, and left out.

use super::call::{self, Ptr, slice};
use super::exec::Exec;
use super::finished::{Finished, Run, runs};
use super::laid::Laid;
use super::panel::{self, Form};
use super::spread::Spread;
use super::strip::{HIGH, Strip, WIDE};
use crate::plan::measured::cpu::STRIP_COLUMNS;
use crate::plan::{Along, Copied, Geometry};
use std::ops::Range;

/// Places and channels that are turned at once.
const SQUARE: usize = 4;

/// Where the sums of each strip go; places that no window has go nowhere. `pixels` are sorted.
fn strips(pixels: &[(usize, i64)]) -> Vec<Vec<Run>> {
    let mut strips = Vec::new();
    for part in pixels.chunk_by(|a, b| a.0 / WIDE == b.0 / WIDE) {
        strips.resize_with(part[0].0 / WIDE, Vec::new);
        strips.push(runs(part.iter().map(|(at, to)| (at % WIDE, *to))));
    }
    strips
}

/// What is multiplied with what.
pub(super) struct Shape {
    pub g: Geometry,
    pub copied: Copied,
    /// The taps' places in the weights, and in the copy.
    pub weights: Vec<usize>,
    pub taps: Vec<usize>,
    /// Elements of a channel in the copy.
    channel: usize,
}

/// A product over windows ready to run.
pub(super) struct Taps {
    shape: Shape,
    /// For each strip of places of the copy the runs that go into the result.
    strips: Vec<Vec<Run>>,
    /// Where that is faster.
    spread: Option<Spread>,
}

impl Shape {
    /// Elements of an image in the copy.
    pub fn image(&self) -> usize {
        self.channel * self.copied.channels.len()
    }

    /// A copy of so many images, of which so much is read beyond their end.
    pub fn room(&self, images: usize, beyond: usize) -> Vec<f32> {
        vec![0.0; images * self.image() + beyond]
    }

    /// Copies what lies inside; the border is 0 from the start.
    pub fn copy(&self, image: Ptr, to: &mut [f32]) {
        let Copied { channels, along, .. } = &self.copied;
        let side_by_side = channels.windows(2).all(|c| c[1] == c[0] + 1);
        if side_by_side && channels.len() >= SQUARE && along.last().is_some_and(|a| a.stride > 1) {
            return all_lines(along, image.moved(channels[0]), (self.channel, channels.len()), to);
        }
        for (to, from) in to.chunks_exact_mut(self.channel).zip(channels) {
            lines(along, image.moved(*from), to);
        }
    }
}

impl Taps {
    pub fn new(form: Form, g: Geometry, mut copied: Copied) -> Taps {
        copied.pixels.sort_unstable();
        let strips = strips(&copied.pixels);
        let channel = copied.along.iter().map(|a| a.size as usize).product::<usize>();
        let spread = Spread::of(form, &g, &copied.pixels, channel * copied.channels.len(), strips.len() * WIDE);
        let (weights, taps) = copied.taps.iter().copied().unzip();
        Taps { shape: Shape { g, copied, weights, taps, channel }, strips, spread }
    }

    pub fn move_to(&mut self, out: usize) {
        self.shape.g.out.0 = out;
    }

    /// Decides whether weights that stay from run to run are laid out once, in at most so many elements; as many as that takes.
    pub fn lay_out(&mut self, stays: bool, room: usize) -> usize {
        self.spread.as_mut().map_or(0, |s| s.lay_out(&self.shape, stays, room))
    }

    /// Lays them out as they are now.
    pub fn pack(&mut self, ptrs: &[Ptr], laid: Option<(&Laid, u64)>) {
        if let Some(s) = &mut self.spread {
            s.pack(&self.shape, ptrs, laid);
        }
    }

    /// Multiply-adds.
    pub fn work(&self) -> f64 {
        let places = self.shape.g.images() as f64 * (self.strips.len() * WIDE) as f64;
        let strips = || places * (self.shape.g.columns.len() * self.shape.taps.len()) as f64;
        self.spread.as_ref().map_or_else(strips, |s| s.work(&self.shape))
    }

    /// Runs it all; threads take images, and of one some places or columns.
    pub fn run(&self, ptrs: &[Ptr], finish: &(dyn Fn(Range<usize>) -> Finished + Sync), exec: Exec) {
        let g = &self.shape.g;
        let count = g.columns.len();
        if let Some(s) = &self.spread {
            let finished = finish(0..count);
            return exec.split(s.parts(), 1, self.work(), &|start, end| s.run(&self.shape, ptrs, &finished, start..end));
        }
        let chunks = count.div_ceil(STRIP_COLUMNS) as i64;
        exec.split(g.images() * chunks, 1, self.work(), &|start, end| {
            let border = self.shape.copied.along.last().map_or(0, |a| a.size as usize);
            let mut copy = self.shape.room(1, (self.strips.len() + 1) * WIDE + border);
            let mut copied = None;
            for unit in start..end {
                let (image, chunk) = (unit / chunks, (unit % chunks) as usize * STRIP_COLUMNS);
                let (x, w, out) = g.at(&g.batch, image);
                if copied.replace(image) != Some(image) {
                    self.shape.copy(ptrs[g.x.0].moved(x), &mut copy);
                }
                let columns = chunk..(chunk + STRIP_COLUMNS).min(count);
                self.image(&copy, columns.clone(), &finish(columns), ptrs[g.w.0].moved(w), ptrs[g.out.0].moved(out));
            }
        });
    }

    /// For each tap the weights of these columns.
    fn pack_group(&self, w: Ptr, columns: &[(usize, i64)], packed: &mut [f32]) {
        let weights = &self.shape.weights;
        if columns.len() == HIGH && weights.windows(2).all(|w| w[1] == w[0] + 1) {
            let rows = std::array::from_fn(|r| slice(w.moved((columns[r.min(HIGH - 1)].0 + weights[0]) as i64), weights.len()));
            return panel::pack(HIGH, &rows, packed);
        }
        for (packed, tap) in packed.chunks_exact_mut(HIGH).zip(weights) {
            for (p, (column, _)) in packed.iter_mut().zip(columns) {
                *p = slice::<f32>(w.moved((column + tap) as i64), 1)[0];
            }
        }
    }

    fn image(&self, copy: &[f32], columns: Range<usize>, finished: &Finished, w: Ptr, out: Ptr) {
        let (taps, columns) = (&self.shape.taps, &self.shape.g.columns[columns]);
        let group = taps.len() * HIGH;
        let mut packed = vec![0.0; columns.len().div_ceil(HIGH) * group];
        for (columns, packed) in columns.chunks(HIGH).zip(packed.chunks_exact_mut(group)) {
            self.pack_group(w, columns, packed);
        }
        let mut sums = vec![[0.0f32; WIDE]; columns.len().next_multiple_of(HIGH)];
        // A strip of the image stays in the first cache while all weights go by.
        for (n, runs) in self.strips.iter().enumerate() {
            let wide = runs.iter().map(|r| r.from + r.len).max().unwrap_or(0);
            let (groups, _) = sums.as_chunks_mut::<HIGH>();
            for ((columns, w), sums) in columns.chunks(HIGH).zip(packed.chunks_exact(group)).zip(groups) {
                call::strip(&Strip { w, columns: columns.len(), taps, x: copy, at: n * WIDE, wide }, sums);
            }
            finished.store((sums.as_flattened(), WIDE), runs, columns, out);
        }
    }
}

/// Copies channels that lie side by side at each place, line by line: `apart` in the copy.
fn all_lines(along: &[Along], from: Ptr, (apart, channels): (usize, usize), to: &mut [f32]) {
    let Some((a, rest)) = along.split_first() else { return };
    let inside = a.low.max(0)..(a.low + a.size).min(a.extent);
    if !rest.is_empty() {
        let each = rest.iter().map(|a| a.size as usize).product::<usize>();
        for i in inside {
            let lines = &mut to[(i - a.low) as usize * each..];
            all_lines(rest, from.moved(i * a.stride), (apart, channels), lines);
        }
        return;
    }
    for i in inside.clone().step_by(SQUARE) {
        let places = SQUARE.min((inside.end - i) as usize);
        let place = |p: usize| slice::<f32>(from.moved((i + p.min(places - 1) as i64) * a.stride), channels);
        let (rows, first) = ([place(0), place(1), place(2), place(3)], (i - a.low) as usize);
        let whole = if places == SQUARE { channels - channels % SQUARE } else { 0 };
        let mut planes = to.chunks_mut(apart);
        for c in (0..whole).step_by(SQUARE) {
            let square: [[f32; SQUARE]; SQUARE] = rows.map(|row| *row[c..].first_chunk().unwrap_or(&[0.0; SQUARE]));
            for (k, plane) in planes.by_ref().take(SQUARE).enumerate() {
                if let Some(to) = plane[first..].first_chunk_mut() {
                    *to = [square[0][k], square[1][k], square[2][k], square[3][k]];
                }
            }
        }
        for (c, plane) in (whole..channels).zip(planes) {
            plane[first..][..places].iter_mut().zip(&rows).for_each(|(to, row)| *to = row[c]);
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
