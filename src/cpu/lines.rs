//! Sums over windows that are read where they lie. A row of the product is a window: a stretch of channels for each of its places, named by where
//! it begins; the weights of all columns lie in panels. Channels that lie side by side are read from the image; others are packed, a block of
//! windows at a time. What a sum's steps are depends on its length alone.

use super::call::{Ptr, slice};
use super::exec::Exec;
use super::finished::{Finished, side_by_side};
use super::held::Held;
use super::laid::{Laid, Lie, Words};
use super::panel::{Form, Out, Part};
use super::places::{Places, Rows};
use super::stretches::Stretches;
use crate::plan::measured::cpu::{self, PANEL_STEPS};
use crate::plan::{self, Batch, Geometry};
use std::ops::Range;

/// Steps of a sum that are taken in registers: some stretches, and of each some elements.
struct Steps {
    stretches: Range<usize>,
    inside: Range<usize>,
    /// The first of them, of all.
    first: usize,
}

impl Steps {
    fn count(&self) -> usize {
        self.stretches.len() * self.inside.len()
    }
}

/// A product over windows that lie where they lie.
pub(super) struct Lines {
    form: Form,
    g: Geometry,
    lines: plan::Lines,
    /// Images that have the same weights: their windows are one list.
    along: Batch,
    /// The others.
    batch: Vec<Batch>,
    /// Whether stretches are read where they lie, and columns of the result lie side by side.
    near: bool,
    flat: bool,
    /// Places that make a stretch.
    joined: usize,
    steps: Vec<Steps>,
    weights: Held,
    /// What lies outside.
    zeros: Vec<f32>,
}

/// Where the image, the weights and the result of a step of the batch begin.
struct At<'a> {
    x: Ptr,
    weights: &'a [f32],
    out: Ptr,
}

/// How many places of a window follow one another in the source, with all their channels side by side, and are no more than are taken in registers.
fn joined(lines: &plan::Lines) -> usize {
    let channels = lines.channels.len();
    let follows = |t: &[(usize, i64)]| t[1].1 == t[0].1 + channels as i64;
    let run = 1 + lines.taps.windows(2).take_while(|t| follows(t)).count();
    let all = lines.taps.len().is_multiple_of(run) && lines.taps.chunks(run).all(|taps| taps.windows(2).all(follows));
    let fits = (cpu::LINES_NEAR..=PANEL_STEPS).contains(&(run * channels)) && side_by_side(lines.channels.iter().map(|c| c.1));
    if all && fits { run } else { 1 }
}

impl Lines {
    /// Whether this is faster than a copy of the image.
    pub fn are_faster(g: &Geometry, lines: &plan::Lines) -> bool {
        let near = side_by_side(lines.channels.iter().map(|c| c.1)) && side_by_side(g.columns.iter().map(|c| c.1));
        near && lines.channels.len() >= cpu::LINES_NEAR
    }

    pub fn new(form: Form, g: Geometry, lines: plan::Lines) -> Lines {
        let joined = joined(&lines);
        let (length, count) = (joined * lines.channels.len(), lines.taps.len() / joined);
        let mut steps = Vec::new();
        // As many stretches together as fit, or pieces of one.
        let (pieces, together) = (length.div_ceil(PANEL_STEPS), (PANEL_STEPS / length).max(1));
        let parts = count.div_ceil(together);
        for (part, piece) in (0..parts).flat_map(|part| (0..pieces).map(move |piece| (part, piece))) {
            let stretches = count * part / parts..count * (part + 1) / parts;
            let inside = length * piece / pieces..length * (piece + 1) / pieces;
            let first = steps.last().map_or(0, |s: &Steps| s.first + s.count());
            steps.push(Steps { stretches, inside, first });
        }
        let mut batch = g.batch.clone();
        let along = match batch.iter().rposition(|b| b.w == 0) {
            Some(l) => batch.remove(l),
            None => Batch { n: 1, x: 0, w: 0, out: 0 },
        };
        let near = length >= cpu::LINES_NEAR && side_by_side(lines.channels.iter().map(|c| c.1));
        let flat = side_by_side(g.columns.iter().map(|c| c.1));
        let zeros = vec![0.0; if near { length } else { 0 }];
        Lines { form, g, lines, along, batch, near, flat, joined, steps, weights: Held::default(), zeros }
    }

    pub fn move_to(&mut self, out: usize) {
        self.g.out.0 = out;
    }

    fn terms(&self) -> usize {
        self.lines.taps.len() * self.lines.channels.len()
    }

    fn windows(&self) -> usize {
        self.along.n as usize * self.lines.windows.len()
    }

    fn panels(&self) -> usize {
        self.g.columns.len().div_ceil(self.form.wide)
    }

    /// Multiply-adds.
    pub fn work(&self) -> f64 {
        let different: i64 = self.batch.iter().map(|b| b.n).product();
        different as f64 * self.windows() as f64 * (self.panels() * self.form.wide * self.terms()) as f64
    }

    /// Elements that the weights of an image take in panels.
    fn length(&self) -> usize {
        self.form.length((self.terms(), self.g.columns.len()))
    }

    pub fn lay_out(&mut self, stays: bool, room: usize) -> usize {
        let each = self.length();
        self.weights.decide(&self.g, each, stays, room)
    }

    pub fn pack(&mut self, ptrs: &[Ptr], laid: Option<(&Laid, u64)>) {
        let mut weights = std::mem::take(&mut self.weights);
        let lie = || Lie::Lines {
            columns: self.g.columns.iter().map(|c| c.0).collect(),
            taps: self.lines.taps.iter().map(|t| t.0).collect(),
            channels: self.lines.channels.iter().map(|c| c.0).collect(),
        };
        weights.pack(&self.g, ptrs, laid, (self.terms(), &lie), &|at| {
            let mut words = Words::zero(self.length());
            self.laid_out(at, words.get_mut());
            words
        });
        self.weights = weights;
    }

    /// Panels of columns: a row for each channel of each place. What fills up the last one is 0.
    fn laid_out(&self, w: Ptr, to: &mut [f32]) {
        let (wide, all) = (self.form.wide, &self.g.columns);
        for (columns, panel) in all.chunks(wide).zip(to.chunks_exact_mut(self.terms() * wide)) {
            let flat = side_by_side(columns.iter().map(|c| c.0 as i64));
            let places = self.lines.taps.iter().flat_map(|t| self.lines.channels.iter().map(move |c| t.0 + c.0));
            for (at, row) in places.zip(panel.chunks_exact_mut(wide)) {
                if flat {
                    row[..columns.len()].copy_from_slice(slice(w.moved((at + columns[0].0) as i64), columns.len()));
                } else {
                    let from = columns.iter().map(|c| slice::<f32>(w.moved((at + c.0) as i64), 1)[0]);
                    row.iter_mut().zip(from).for_each(|(t, w)| *t = w);
                }
                row[columns.len()..].fill(0.0);
            }
        }
    }

    /// Runs it all; threads take blocks of windows.
    pub fn run(&self, ptrs: &[Ptr], finish: &dyn Fn(Range<usize>) -> Finished, exec: Exec) {
        let finished = finish(0..self.g.columns.len());
        let different: i64 = self.batch.iter().map(|b| b.n).product();
        let windows = self.windows();
        let (most, high) = ((cpu::LINES_SUMS / self.g.columns.len()).clamp(cpu::LINES_FEW, cpu::LINES_MOST), self.form.high);
        let share = (windows * different as usize).div_ceil(exec.threads).next_multiple_of(high);
        let block = share.clamp(high, most.next_multiple_of(high));
        let blocks = windows.div_ceil(block) as i64;
        exec.split(different * blocks, 1, self.work(), &|start, end| {
            let (mut own, mut seen) = (Words::default(), None);
            for unit in start..end {
                let (x, w, out) = self.g.at(&self.batch, unit / blocks);
                let weights = match self.weights.get(w) {
                    Some(words) => words,
                    None => {
                        let to = own.at_least(self.length());
                        if seen.replace(w) != Some(w) {
                            self.laid_out(ptrs[self.g.w.0].moved(w), to);
                        }
                        to
                    }
                };
                let first = (unit % blocks) as usize * block;
                let at = At { x: ptrs[self.g.x.0].moved(x), weights, out: ptrs[self.g.out.0].moved(out) };
                self.block(&at, first..windows.min(first + block), &finished);
            }
        });
    }

    /// The image and the result of a window, and the window.
    fn window(&self, row: usize) -> (i64, i64, u64) {
        let (image, w) = ((row / self.lines.windows.len()) as i64, &self.lines.windows[row % self.lines.windows.len()]);
        (image * self.along.x + w.from, image * self.along.out + w.to, w.outside)
    }

    /// Some windows, with all columns.
    fn block(&self, at: &At, rows: Range<usize>, finished: &Finished) {
        let (columns, terms) = (self.g.columns.len(), self.terms());
        let places: Vec<(i64, i64, u64)> = rows.map(|r| self.window(r)).collect();
        let direct = self.flat && terms <= cpu::F32_TERMS;
        let mut tile = vec![0.0f32; if direct { 0 } else { places.len() * columns }];
        let mut wide = vec![0.0f64; if terms <= cpu::F32_TERMS { 0 } else { tile.len() }];
        let mut begun = 0;
        for steps in &self.steps {
            if steps.first + steps.count() > begun + cpu::F32_TERMS {
                gather(&tile, &mut wide);
                begun = steps.first;
            }
            let to = if direct { None } else { Some(&mut tile[..]) };
            self.sums(at, steps, &places, to, steps.first > begun);
        }
        if !wide.is_empty() {
            gather(&tile, &mut wide);
            tile.iter_mut().zip(&wide).for_each(|(t, w)| *t = *w as f32);
        }
        if direct {
            return finished.rows(places.iter().map(|p| at.out.moved(p.1 + self.g.columns[0].1)), columns);
        }
        finished.apart(&tile, &places.iter().map(|p| p.1).collect::<Vec<_>>(), &self.g.columns, at.out);
    }

    /// Some steps of all sums of these windows, into the result, or into `tile`, a row for each window.
    fn sums(&self, at: &At, steps: &Steps, places: &[(i64, i64, u64)], mut tile: Option<&mut [f32]>, add: bool) {
        let (form, wide, columns, terms) = (self.form, self.form.wide, self.g.columns.len(), self.terms());
        let mut own = Vec::new();
        let near: Vec<&[f32]> = if self.near { self.near(at, steps, places, &mut own) } else { Vec::new() };
        let packed: Vec<f32> = if self.near { Vec::new() } else { self.packed(at, steps, places) };
        let to: Vec<i64> = if tile.is_some() { Vec::new() } else { places.iter().map(|p| p.1).collect() };
        for p in 0..self.panels() {
            let panel = |p: usize| &at.weights[(p * terms + steps.first) * wide..][..steps.count() * wide];
            let (panel, after) = (panel(p), if p + 1 < self.panels() { panel(p + 1) } else { &[] });
            let (first, some) = (p * wide, wide.min(columns - p * wide));
            // The next panel comes near meanwhile.
            let next = after;
            let rows = match &mut tile {
                Some(tile) => {
                    let places = Places::Even { stride: columns as i64, count: places.len() };
                    Rows { at: Ptr::of_f32_mut(&mut tile[first..]), places, step: 1 }
                }
                None => Rows { at: at.out.moved(self.g.columns[first].1), places: Places::Listed(&to), step: 1 },
            };
            let out = &Out { rows, of: 0..places.len(), columns: some };
            if self.near {
                (form.stretches)(&mut Stretches { rows: &near, panel, out, add, bias: &[], next });
            } else {
                (form.kernel)(&mut Part { a: &packed, panel, out, add, bias: &[], next });
            }
        }
    }

    /// The stretches of these windows, group by group, the first of each window, then the second. Those that are partly outside are made, in `own`.
    fn near<'a>(&'a self, at: &At, steps: &Steps, places: &[(i64, i64, u64)], own: &'a mut Vec<f32>) -> Vec<&'a [f32]> {
        let (len, channels) = (steps.inside.len(), self.lines.channels.len());
        let first = self.lines.channels[0].1 + steps.inside.start as i64;
        let all = u64::MAX >> (u64::BITS as usize - self.joined);
        let mut list = Vec::with_capacity(places.len() * steps.stretches.len());
        for (row, count) in self.form.groups(places.len()) {
            for tap in steps.stretches.clone().map(|s| s * self.joined) {
                let from = self.lines.taps[tap].1 + first;
                for place in &places[row..row + count] {
                    list.push((place.0 + from, place.2 >> tap & all));
                }
            }
        }
        for (from, outside) in list.iter().filter(|l| l.1 != 0 && l.1 != all) {
            for j in 0..self.joined {
                let from = at.x.moved(from + (j * channels) as i64);
                let is_outside = outside >> j & 1 == 1;
                own.extend_from_slice(if is_outside { &self.zeros[..channels] } else { slice::<f32>(from, channels) });
            }
        }
        let mut made = own.chunks_exact(len);
        let stretch = |(from, outside): &(i64, u64)| match *outside {
            0 => slice::<f32>(at.x.moved(*from), len),
            outside if outside == all => &self.zeros[..len],
            _ => made.next().unwrap_or_default(),
        };
        list.iter().map(stretch).collect()
    }

    /// The windows, group by group: for each step an element of each.
    fn packed(&self, at: &At, steps: &Steps, places: &[(i64, i64, u64)]) -> Vec<f32> {
        let mut out = vec![0.0f32; places.len() * steps.count()];
        let channels = &self.lines.channels[steps.inside.clone()];
        for (row, count) in self.form.groups(places.len()) {
            let group = &mut out[row * steps.count()..][..count * steps.count()];
            for (tap, group) in steps.stretches.clone().zip(group.chunks_exact_mut(channels.len() * count)) {
                let from = self.lines.taps[tap].1;
                for (r, (place, _, outside)) in places[row..row + count].iter().enumerate() {
                    if outside >> tap & 1 == 0 {
                        let from = at.x.moved(place + from);
                        let own = channels.iter().map(|c| slice::<f32>(from.moved(c.1), 1)[0]);
                        group[r..].iter_mut().step_by(count).zip(own).for_each(|(to, x)| *to = x);
                    }
                }
            }
        }
        out
    }
}

/// Adds what was summed to what the sums come to.
fn gather(part: &[f32], all: &mut [f64]) {
    all.iter_mut().zip(part).for_each(|(all, part)| *all += f64::from(*part));
}

#[cfg(test)]
mod tests {
    use super::super::call;
    use super::super::windows::Windows;
    use super::*;
    use crate::plan::Pane;

    /// Every second place of a line with a border of one, three places a window: `last` says that channels and columns lie side by side.
    fn line(images: i64, channels: usize, length: i64, columns: usize, last: bool) -> Geometry {
        let apart = |along: i64, across: usize| if last { (across as i64, 1) } else { (1, along) };
        let windows = (length + 1) / 2;
        let (x, out) = (apart(length, channels), apart(windows, columns));
        let outside = |i: i64, tap: i64| u64::from(!(0..length).contains(&(2 * i + tap - 1))) << tap;
        let lines = plan::Lines {
            taps: (0..3).map(|t| (t * columns, t as i64 * x.0)).collect(),
            channels: (0..channels).map(|c| (3 * columns * c, c as i64 * x.1)).collect(),
            windows: (0..windows)
                .map(|i| Pane { from: (2 * i - 1) * x.0, to: i * out.0, outside: (0..3).map(|t| outside(i, t)).sum() })
                .collect(),
        };
        Geometry {
            x: (0, 0),
            w: (1, 0),
            out: (2, 0),
            batch: vec![Batch { n: images, x: channels as i64 * length, w: 0, out: columns as i64 * windows }],
            columns: (0..columns).map(|c| (c, c as i64 * out.1)).collect(),
            copied: None,
            lines: Some(lines),
        }
    }

    #[test]
    fn all_forms_give_what_the_sums_are() {
        for (images, channels, length, columns) in
            [(1, 8, 31, 12), (3, 5, 50, 33), (40, 9, 7, 70), (2, 300, 9, 40), (1, 1500, 6, 13)]
        {
            let number = |n: usize| ((n * 7919 % 101) as f32 - 50.0) / 32.0;
            let mut x: Vec<f32> = (0..images as usize * channels * length as usize).map(number).collect();
            let mut w: Vec<f32> = (0..3 * channels * columns).map(|n| number(n + 13)).collect();
            for (form, last) in call::forms().iter().flat_map(|f| [(*f, true), (*f, false)]) {
                let mut product = Windows::with(line(images, channels, length, columns, last), form);
                let windows = (length as usize).div_ceil(2);
                let mut out = vec![f32::NAN; images as usize * columns * windows];
                let ptrs = [Ptr::of_f32_mut(&mut x), Ptr::of_f32_mut(&mut w), Ptr::of_f32_mut(&mut out)];
                for kept in [false, true] {
                    assert_eq!(product.lay_out(kept, usize::MAX) > 0, kept);
                    product.pack(&ptrs, None);
                    product.run(&ptrs, Exec { pool: None, threads: 1 });
                    let place = |image: usize, along: (usize, usize), across: (usize, usize)| {
                        let (i, j) = if last { (along.0 * across.1, across.0) } else { (along.0, across.0 * along.1) };
                        image * along.1 * across.1 + i + j
                    };
                    for image in 0..images as usize {
                        for (p, c) in (0..windows).flat_map(|p| (0..columns).map(move |c| (p, c))) {
                            let term = |i: usize, k: usize| {
                                let at = (2 * p + k).checked_sub(1).filter(|at| *at < length as usize);
                                at.map_or(0.0, |at| f64::from(x[place(image, (at, length as usize), (i, channels))]))
                                    * f64::from(w[(3 * i + k) * columns + c])
                            };
                            let want: f64 =
                                (0..channels).flat_map(|i| (0..3).map(move |k| (i, k))).map(|(i, k)| term(i, k)).sum();
                            let found = f64::from(out[place(image, (p, windows), (c, columns))]);
                            assert!(
                                (found - want).abs() <= 1e-4 * want.abs().max(1.0),
                                "{found} for {want}: {channels} {columns} {last}"
                            );
                        }
                    }
                }
            }
        }
    }
}
