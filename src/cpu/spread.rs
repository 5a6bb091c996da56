//! Sums over taps for many columns: some places of the result are a panel, with a row for each tap, and the columns' weights are what meets it.
//!
//! The copy of an image is read where a tap finds it, which is nearly never where a cache line begins; in a panel each vector is one. What laying
//! a panel out takes, all columns share. Where images have the same weights, a panel goes from one to the next. What a sum's steps are depends on
//! its length alone.

use super::call::Ptr;
use super::finished::{Finished, Run, runs};
use super::held::Held;
use super::laid::{Laid, Lie, Words};
use super::panel::{Form, VECTORS};
use super::places::{Places, Rows};
use super::taps::Shape;
use super::vector::Vector;
use crate::plan::measured::cpu::{self, PANEL_STEPS};
use crate::plan::{Batch, Geometry};
use std::cell::RefCell;
use std::ops::Range;

thread_local! {
    static PANEL: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Lanes of a vector, from this one to the last, that lie side by side in the copy: lane 0 would lie at `from`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    from: usize,
    lane: usize,
}

/// A panel: for each vector of a row where its lanes come from, and where sums go.
struct Panel {
    vectors: Vec<Vec<Piece>>,
    runs: Vec<Run>,
    wide: usize,
}

/// A panel to be laid out: a row for each tap, with the places of all vectors, moved by it.
pub(super) struct Fill<'a> {
    x: &'a [f32],
    taps: &'a [usize],
    vectors: &'a [Vec<Piece>],
    wide: usize,
    to: &'a mut [f32],
}

/// How images become panels.
pub(super) struct Spread {
    form: Form,
    /// So many images are taken at a time, along this loop of the batch.
    images: i64,
    along: Option<usize>,
    /// So many panels at a time meet the weights.
    together: usize,
    /// The batch, with the images that are taken together as one step.
    batch: Vec<Batch>,
    /// Panels of as many images, and of those that are left.
    whole: Vec<Panel>,
    rest: Vec<Panel>,
    weights: Held,
}

/// Panels for the windows of so many images, `copy` elements and `out` apart.
fn panels(form: Form, pixels: &[(usize, i64)], images: i64, copy: usize, out: i64) -> Vec<Panel> {
    let of = |i: i64| pixels.iter().map(move |(at, to)| (at + i as usize * copy, to + i * out));
    let pixels: Vec<(usize, i64)> = (0..images).flat_map(of).collect();
    let panel = |some: &[(usize, i64)]| {
        let vectors = some.chunks(form.wide / VECTORS).map(|some| {
            let mut pieces: Vec<Piece> = Vec::new();
            for (lane, (at, _)) in some.iter().enumerate() {
                // Places are sorted, each at least one further than the one before.
                let from = at - lane;
                if pieces.last().is_none_or(|p| p.from != from) {
                    pieces.push(Piece { from, lane });
                }
            }
            pieces
        });
        Panel { vectors: vectors.collect(), runs: runs(some.iter().enumerate().map(|(n, (_, to))| (n, *to))), wide: some.len() }
    };
    pixels.chunks(form.wide).map(panel).collect()
}

/// For each part of a sum the weights of all columns, as [`Form::pack`] lays rows out.
fn laid_out(form: Form, shape: &Shape, w: Ptr, to: &mut [f32]) {
    let (columns, taps) = (&shape.g.columns, &shape.weights);
    let step = taps.get(1).map_or(1, |t| *t as i64 - taps[0] as i64);
    let even = taps.windows(2).all(|t| t[1] as i64 - t[0] as i64 == step);
    let starts: Vec<i64> = columns.iter().map(|c| (c.0 + taps[0]) as i64).collect();
    for (n, taps) in taps.chunks(PANEL_STEPS).enumerate() {
        let part = &mut to[n * PANEL_STEPS * columns.len()..][..taps.len() * columns.len()];
        if even {
            let rows = Rows { at: w, places: Places::Listed(&starts), step };
            form.pack(&rows, &(0..columns.len()), (n * PANEL_STEPS, taps.len()), part);
        } else {
            form.gather(w, columns, taps, part);
        }
    }
}

impl Spread {
    /// `pixels` are sorted, all of them in places of their own, and an image takes `copy` elements. `strips`: places that one image has as
    /// strips. `None`: strips are faster.
    pub fn of(form: Form, g: &Geometry, pixels: &[(usize, i64)], copy: usize, strips: usize) -> Option<Spread> {
        let many = pixels.len().next_multiple_of(form.wide) * (g.columns.len() + cpu::SPREAD_LAYING);
        let pays = many < strips * g.columns.len() || g.columns.windows(2).all(|c| c[1].1 == c[0].1 + 1);
        if g.columns.len() < cpu::SPREAD_LAYING || !pays || pixels.windows(2).any(|p| p[0].0 == p[1].0) {
            return None;
        }
        let along = g.batch.iter().rposition(|b| b.w == 0 && b.n > 1);
        let all = along.map_or(1, |l| g.batch[l].n);
        let together = (cpu::SPREAD_SUMS / (g.columns.len() * form.wide)).clamp(cpu::SPREAD_FEW, cpu::SPREAD_MOST);
        let images = ((together * form.wide).div_ceil(pixels.len()) as i64).clamp(1, all);
        let mut batch = g.batch.clone();
        let mut out = 0;
        if let Some(l) = along {
            out = batch[l].out;
            batch[l] = Batch {
                n: all.div_euclid(images) + i64::from(all % images > 0),
                x: batch[l].x * images,
                out: out * images,
                w: 0,
            };
        }
        let whole = panels(form, pixels, images, copy, out);
        let rest = panels(form, pixels, all % images, copy, out);
        Some(Spread { form, images, along, together, batch, whole, rest, weights: Held::default() })
    }

    /// Multiply-adds.
    pub fn work(&self, shape: &Shape) -> f64 {
        let steps = self.batch.iter().map(|b| b.n).product::<i64>();
        (steps as usize * self.whole.len() * self.form.wide) as f64 * (shape.g.columns.len() * shape.taps.len()) as f64
    }

    /// Parts that threads take.
    pub fn parts(&self) -> i64 {
        self.batch.iter().map(|b| b.n).product::<i64>() * self.stretches()
    }

    fn stretches(&self) -> i64 {
        self.whole.len().div_ceil(self.together) as i64
    }

    /// Decides whether weights that stay from run to run are laid out once, in at most so many elements; as many as that takes.
    pub fn lay_out(&mut self, shape: &Shape, stays: bool, room: usize) -> usize {
        self.weights.decide(&shape.g, shape.g.columns.len() * shape.taps.len(), stays, room)
    }

    /// Lays them out as they are now.
    pub fn pack(&mut self, shape: &Shape, ptrs: &[Ptr], laid: Option<(&Laid, u64)>) {
        let (g, taps) = (&shape.g, &shape.weights);
        let lie = || Lie::Taps { columns: g.columns.iter().map(|c| c.0).collect(), taps: taps.clone() };
        let form = self.form;
        self.weights.pack(g, ptrs, laid, (taps.len(), &lie), &|at| {
            let mut words = Words::zero(g.columns.len() * taps.len());
            laid_out(form, shape, at, words.get_mut());
            words
        });
    }

    /// Runs some of the parts.
    pub fn run(&self, shape: &Shape, ptrs: &[Ptr], finished: &Finished, parts: Range<i64>) {
        let (stretches, taps) = (self.stretches(), shape.taps.len());
        let (mut copy, mut own) = (shape.room(self.images as usize, self.form.wide), Words::default());
        let mut seen = (None, None);
        for part in parts {
            let at = shape.g.at(&self.batch, part / stretches);
            let last = !self.rest.is_empty() && self.is_last(part / stretches);
            let panels = if last { &self.rest } else { &self.whole };
            let first = (part % stretches) as usize * self.together;
            if first >= panels.len() {
                continue;
            }
            if seen.0.replace(at.0) != Some(at.0) {
                let apart = self.along.map_or(0, |l| self.batch[l].x / self.images);
                let images = if last { self.along.map_or(1, |l| shape.g.batch[l].n % self.images) } else { self.images };
                for i in 0..images {
                    shape.copy(ptrs[shape.g.x.0].moved(at.0 + i * apart), &mut copy[i as usize * shape.image()..]);
                }
            }
            let weights = match self.weights.get(at.1) {
                Some(words) => words,
                None => {
                    let to = own.at_least(shape.g.columns.len() * taps);
                    if seen.1.replace(at.1) != Some(at.1) {
                        laid_out(self.form, shape, ptrs[shape.g.w.0].moved(at.1), to);
                    }
                    to
                }
            };
            let panels = &panels[first..panels.len().min(first + self.together)];
            self.stretch(panels, shape, (&copy, weights), finished, ptrs[shape.g.out.0].moved(at.2));
        }
    }

    /// Whether this step of the batch has the last images of all that share their weights.
    fn is_last(&self, step: i64) -> bool {
        let Some(l) = self.along else { return false };
        let inner: i64 = self.batch[l + 1..].iter().map(|b| b.n).product();
        step / inner % self.batch[l].n == self.batch[l].n - 1
    }

    /// Some panels of the images whose copy `x` is.
    fn stretch(&self, panels: &[Panel], shape: &Shape, (x, w): (&[f32], &[f32]), finished: &Finished, out: Ptr) {
        let (wide, taps) = (self.form.wide, shape.taps.len());
        let tile = shape.g.columns.len() * wide;
        let mut sums = vec![0.0f32; panels.len() * tile];
        if taps <= cpu::F32_TERMS {
            self.sums(panels, shape, (x, w), 0..taps, &mut sums);
        } else {
            let mut all = vec![0.0f64; sums.len()];
            for from in (0..taps).step_by(cpu::F32_TERMS) {
                self.sums(panels, shape, (x, w), from..taps.min(from + cpu::F32_TERMS), &mut sums);
                for (all, s) in all.iter_mut().zip(&sums) {
                    *all += f64::from(*s);
                }
            }
            for (s, all) in sums.iter_mut().zip(&all) {
                *s = *all as f32;
            }
        }
        for (panel, sums) in panels.iter().zip(sums.chunks_exact(tile)) {
            finished.store((sums, wide), &panel.runs, &shape.g.columns, out);
        }
    }

    /// Sums over some taps, which are whole parts of the weights.
    fn sums(&self, panels: &[Panel], shape: &Shape, (x, w): (&[f32], &[f32]), some: Range<usize>, sums: &mut [f32]) {
        let (form, wide, columns) = (self.form, self.form.wide, shape.g.columns.len());
        PANEL.with_borrow_mut(|rows| {
            rows.resize(PANEL_STEPS * wide, 0.0);
            for from in some.clone().step_by(PANEL_STEPS) {
                let steps = PANEL_STEPS.min(some.end - from);
                let (weights, after) = w[from * columns..].split_at(steps * columns);
                // What comes after these is brought near meanwhile, some of it with each panel.
                let after = &after[..after.len().min(PANEL_STEPS * columns)];
                let next = |n: usize| &after[after.len() * n / panels.len()..after.len() * (n + 1) / panels.len()];
                for (n, (panel, sums)) in panels.iter().zip(sums.chunks_exact_mut(columns * wide)).enumerate() {
                    (form.fill)(&mut Fill { x, taps: &shape.taps[from..][..steps], vectors: &panel.vectors, wide, to: rows });
                    let places = Places::Even { stride: wide as i64, count: columns };
                    let out = Rows { at: Ptr::of_f32_mut(sums), places, step: 1 };
                    let part = (weights, &rows[..steps * wide], next(n), &[][..]);
                    form.panel(part, (steps, panel.wide), &out, &(0..columns), from > some.start);
                }
            }
        });
    }
}

/// Reads whole vectors: who made the copy left room behind it.
#[inline(always)]
pub(super) fn fill<V: Vector>(f: &mut Fill) {
    for (n, pieces) in f.vectors.iter().enumerate() {
        let rows = f.to[n * V::LANES..].chunks_mut(f.wide).zip(f.taps);
        let [first, rest @ ..] = pieces.as_slice() else { continue };
        match rest {
            [] => {
                for (to, tap) in rows {
                    V::load(&f.x[first.from + tap..]).store(to);
                }
            }
            [next] => {
                let mask = V::from_lane(next.lane);
                for (to, tap) in rows {
                    V::load(&f.x[first.from + tap..]).behind(&f.x[next.from + tap..], mask).store(to);
                }
            }
            rest => {
                for (to, tap) in rows {
                    let mut all = V::load(&f.x[first.from + tap..]);
                    for p in rest {
                        all = all.behind(&f.x[p.from + tap..], V::from_lane(p.lane));
                    }
                    all.store(to);
                }
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,fma")]
pub(super) fn fill_avx512(f: &mut Fill) {
    fill::<super::vector::Avx512>(f);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
pub(super) fn fill_avx2(f: &mut Fill) {
    fill::<super::vector::Avx2>(f);
}

#[cfg(test)]
mod tests {
    use super::super::call;
    use super::super::exec::Exec;
    use super::super::windows::Windows;
    use super::*;
    use crate::plan::{Along, Copied};

    /// Windows of three of a line of a channel each, with a border of one at both ends: images of `length`.
    fn line(images: i64, channels: usize, length: i64, columns: usize, first: bool) -> Geometry {
        let (taps, border) = (3 * channels, length + 1);
        let out = if first { (1, length) } else { (columns as i64, 1) };
        let copied = Copied {
            channels: (0..channels as i64).map(|c| c * length).collect(),
            along: vec![Along { extent: length, stride: 1, low: -1, size: border }],
            taps: (0..taps).map(|t| (t * columns, t / 3 * border as usize + t % 3)).collect(),
            pixels: (0..length).map(|p| (p as usize, p * out.0)).collect(),
        };
        Geometry {
            x: (0, 0),
            w: (1, 0),
            out: (2, 0),
            batch: vec![Batch { n: images, x: channels as i64 * length, w: 0, out: columns as i64 * length }],
            columns: (0..columns).map(|c| (c, c as i64 * out.1)).collect(),
            copied: Some(copied),
            lines: None,
        }
    }

    #[test]
    fn all_forms_give_what_the_sums_are() {
        for (images, channels, length, columns) in
            [(1, 1, 48, 13), (3, 5, 50, 17), (9, 2, 7, 40), (2, 100, 33, 13), (2, 400, 16, 70)]
        {
            let number = |n: usize| ((n * 7919 % 101) as f32 - 50.0) / 32.0;
            let mut x: Vec<f32> = (0..images as usize * channels * length as usize).map(number).collect();
            let mut w: Vec<f32> = (0..3 * channels * columns).map(|n| number(n + 13)).collect();
            for (form, first) in call::forms().iter().flat_map(|f| [(*f, true), (*f, false)]) {
                let mut taps = Windows::with(line(images, channels, length, columns, first), form);
                let mut out = vec![f32::NAN; images as usize * columns * length as usize];
                let ptrs = [Ptr::of_f32_mut(&mut x), Ptr::of_f32_mut(&mut w), Ptr::of_f32_mut(&mut out)];
                for kept in [false, true] {
                    // Channels that lie line by line may be strips where there are few.
                    assert!(first || (taps.lay_out(kept, usize::MAX) > 0) == kept);
                    taps.pack(&ptrs, None);
                    taps.run(&ptrs, Exec { pool: None, threads: 1 });
                    for image in 0..images as usize {
                        for (p, c) in (0..length as usize).flat_map(|p| (0..columns).map(move |c| (p, c))) {
                            let term = |i: usize, k: usize| {
                                let at = (p + k).checked_sub(1).filter(|at| *at < length as usize);
                                at.map_or(0.0, |at| f64::from(x[(image * channels + i) * length as usize + at]))
                                    * f64::from(w[(3 * i + k) * columns + c])
                            };
                            let want: f64 =
                                (0..channels).flat_map(|i| (0..3).map(move |k| (i, k))).map(|(i, k)| term(i, k)).sum();
                            let at = if first { c * length as usize + p } else { p * columns + c };
                            let found = f64::from(out[image * columns * length as usize + at]);
                            assert!((found - want).abs() <= 1e-4 * want.abs().max(1.0), "{found} for {want}: {columns} {first}");
                        }
                    }
                }
            }
        }
    }
}
