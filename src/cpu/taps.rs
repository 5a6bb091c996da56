//! Products over windows without the windows: each image is copied once with a border of zeros, and every tap of a window is that copy,
//! moved. Many columns meet places that lie in panels ([`super::spread`]). Of few columns what a strip of places sums stays in registers; places
//! between two lines of windows are computed, too, and left out.

use super::call::{self, Ptr, slice, slice_mut};
use super::exec::Exec;
use super::laid::Laid;
use super::panel::{self, Form};
use super::spread::Spread;
use super::strip::{HIGH, Strip, WIDE};
use crate::plan::{Along, Finish, Geometry};
use std::ops::Range;

/// Columns that one thread takes at a time.
const COLUMNS: usize = 32;

/// Places, channels or columns that are turned at once.
const SQUARE: usize = 4;

/// Sums that go side by side into the result: where they begin in both, and how many.
pub(super) struct Run {
    pub from: usize,
    pub to: i64,
    pub len: usize,
}

/// As few runs as there can be for these places in sums and result, in this order.
pub(super) fn runs(places: impl Iterator<Item = (usize, i64)>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (from, to) in places {
        match runs.last_mut() {
            Some(run) if run.from + run.len == from && run.to + run.len as i64 == to => run.len += 1,
            _ => runs.push(Run { from, to, len: 1 }),
        }
    }
    runs
}

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
    /// The taps' places in the weights, and in the copy.
    pub weights: Vec<usize>,
    pub taps: Vec<usize>,
    /// Elements of a channel in the copy.
    channel: usize,
}

/// What is done to sums before they are stored: numbers that are added to columns, and what no result is less than.
#[derive(Default)]
pub(super) struct Finished {
    bias: Vec<f32>,
    least: Option<f32>,
}

/// A product over windows ready to run.
pub(super) struct Taps {
    shape: Shape,
    /// For each strip of places of the copy the runs that go into the result.
    strips: Vec<Vec<Run>>,
    /// Where that is faster.
    spread: Option<Spread>,
    /// What is added to each column, and what no result is less than.
    bias: Option<(usize, Vec<i64>)>,
    least: Option<f32>,
}

impl Shape {
    fn images(&self) -> i64 {
        self.g.batch.iter().map(|b| b.n).product()
    }

    /// Elements of an image in the copy.
    pub fn image(&self) -> usize {
        self.channel * self.g.channels.len()
    }

    /// A copy of so many images, of which so much is read beyond their end.
    pub fn room(&self, images: usize, beyond: usize) -> Vec<f32> {
        vec![0.0; images * self.image() + beyond]
    }

    /// Where the first image, its weights and its result start.
    pub fn start(&self) -> (i64, i64, i64) {
        (self.g.x.1, self.g.w.1, self.g.out.1)
    }

    fn at(&self, image: i64) -> (i64, i64, i64) {
        let (mut left, mut at) = (image, self.start());
        for b in self.g.batch.iter().rev() {
            let i = left % b.n;
            left /= b.n;
            at = (at.0 + b.x * i, at.1 + b.w * i, at.2 + b.out * i);
        }
        at
    }

    /// Copies what lies inside; the border is 0 from the start.
    pub fn copy(&self, image: Ptr, to: &mut [f32]) {
        let channels = self.g.channels.len();
        let side_by_side = self.g.channels.windows(2).all(|c| c[1] == c[0] + 1);
        if side_by_side && channels >= SQUARE && self.g.along.last().is_some_and(|a| a.stride > 1) {
            return all_lines(&self.g.along, image.moved(self.g.channels[0]), (self.channel, channels), to);
        }
        for (to, from) in to.chunks_exact_mut(self.channel).zip(&self.g.channels) {
            lines(&self.g.along, image.moved(*from), to);
        }
    }
}

impl Taps {
    pub fn new(g: Geometry) -> Taps {
        Taps::with(g, call::forms()[0])
    }

    pub(super) fn with(mut g: Geometry, form: Form) -> Taps {
        g.pixels.sort_unstable();
        let strips = strips(&g.pixels);
        let channel = g.along.iter().map(|a| a.size as usize).product::<usize>();
        let spread = Spread::of(form, &g, channel * g.channels.len(), strips.len() * WIDE);
        let (weights, taps) = g.taps.iter().copied().unzip();
        Taps { shape: Shape { g, weights, taps, channel }, strips, spread, bias: None, least: None }
    }

    /// With results in another buffer, and finished; NaN stays what it is.
    pub fn finished(mut self, finish: Finish) -> Taps {
        self.shape.g.out.0 = finish.out;
        (self.bias, self.least) = (finish.bias, finish.least);
        self
    }

    /// The buffer of the weights.
    pub fn weights(&self) -> usize {
        self.shape.g.w.0
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
        let places = self.shape.images() as f64 * (self.strips.len() * WIDE) as f64;
        let strips = || places * (self.shape.g.columns.len() * self.shape.taps.len()) as f64;
        self.spread.as_ref().map_or_else(strips, |s| s.work(&self.shape))
    }

    /// Runs it all; threads take images, and of one some places or columns.
    pub fn run(&self, ptrs: &[Ptr], exec: Exec) {
        let finish = |columns: Range<usize>| Finished {
            bias: self.bias.as_ref().map_or(Vec::new(), |(b, places)| {
                places[columns].iter().map(|at| slice::<f32>(ptrs[*b].moved(*at), 1)[0]).collect()
            }),
            least: self.least,
        };
        let count = self.shape.g.columns.len();
        if let Some(s) = &self.spread {
            let finished = finish(0..count);
            return exec.split(s.parts(), 1, self.work(), &|start, end| s.run(&self.shape, ptrs, &finished, start..end));
        }
        let (g, chunks) = (&self.shape.g, count.div_ceil(COLUMNS) as i64);
        exec.split(self.shape.images() * chunks, 1, self.work(), &|start, end| {
            let border = g.along.last().map_or(0, |a| a.size as usize);
            let mut copy = self.shape.room(1, (self.strips.len() + 1) * WIDE + border);
            let mut copied = None;
            for unit in start..end {
                let (image, chunk) = (unit / chunks, (unit % chunks) as usize * COLUMNS);
                let (x, w, out) = self.shape.at(image);
                if copied.replace(image) != Some(image) {
                    self.shape.copy(ptrs[g.x.0].moved(x), &mut copy);
                }
                let columns = chunk..(chunk + COLUMNS).min(count);
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

impl Finished {
    /// Takes sums of columns, `apart`, to where the runs say, and each column.
    pub fn store(&self, (sums, apart): (&[f32], usize), runs: &[Run], columns: &[(usize, i64)], out: Ptr) {
        let single = runs.len() > 1 && runs.iter().all(|r| r.len == 1);
        if single && columns.windows(2).all(|c| c[1].1 == c[0].1 + 1) {
            let first = columns[0].1;
            return runs.chunks(SQUARE).for_each(|runs| self.turn((sums, apart), columns.len(), runs, out.moved(first)));
        }
        for (n, (sums, (_, column))) in sums.chunks_exact(apart).zip(columns).enumerate() {
            let bias = self.bias.get(n).copied();
            for run in runs {
                let (to, from) = (slice_mut::<f32>(out.moved(run.to + column), run.len), &sums[run.from..][..run.len]);
                if bias.is_none() && self.least.is_none() {
                    to.copy_from_slice(from);
                    continue;
                }
                let (bias, least) = (bias.unwrap_or(-0.0), self.least.unwrap_or(f32::NEG_INFINITY));
                to.iter_mut().zip(from).for_each(|(to, x)| *to = at_least(x + bias, least));
            }
        }
    }

    /// Up to four places, each of which has its columns side by side.
    fn turn(&self, (sums, apart): (&[f32], usize), columns: usize, places: &[Run], out: Ptr) {
        let least = self.least.unwrap_or(f32::NEG_INFINITY);
        let bias = |c: usize| self.bias.get(c).copied().unwrap_or(-0.0);
        let first = places[0].from;
        let even = places.len() == SQUARE && places[SQUARE - 1].from == first + SQUARE - 1;
        let whole = if even { columns - columns % SQUARE } else { 0 };
        for c in (0..whole).step_by(SQUARE) {
            let square: [[f32; SQUARE]; SQUARE] = std::array::from_fn(|r| {
                let row = &sums[(c + r) * apart + first..][..SQUARE];
                [row[0], row[1], row[2], row[3]]
            });
            let bias: [f32; SQUARE] = std::array::from_fn(|r| bias(c + r));
            for (p, place) in places.iter().enumerate() {
                let row: [f32; SQUARE] = std::array::from_fn(|r| at_least(square[r][p] + bias[r], least));
                if let Some(to) = slice_mut::<f32>(out.moved(place.to + c as i64), SQUARE).first_chunk_mut::<SQUARE>() {
                    *to = row;
                }
            }
        }
        for place in places {
            for (c, to) in slice_mut::<f32>(out.moved(place.to + whole as i64), columns - whole).iter_mut().enumerate() {
                let c = whole + c;
                *to = at_least(sums[c * apart + place.from] + bias(c), least);
            }
        }
    }
}

/// What is less than `least` is that; NaN stays what it is.
#[inline(always)]
fn at_least(x: f32, least: f32) -> f32 {
    if x < least { least } else { x }
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
