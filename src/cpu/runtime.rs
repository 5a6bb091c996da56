//! Steps in plain Rust: running sums, assignment, scatter, random bits, loops.

use super::call::{Code, Ptr, Word, slice, slice_mut};
use super::compile::Functions;
use super::exec::Exec;
use super::job::Instance;
use crate::diag::Diagnostic;
use crate::ir::Data;
use crate::ir::{DType, Dist, Fold, Size, interp, random as bits};
use crate::plan::{self, Kind, Plan, Sizes, Window};

/// A strided window with its numbers known.
#[derive(Clone, Debug)]
pub(super) struct Pane {
    pub buffer: usize,
    pub offset: i64,
    pub shape: Vec<i64>,
    pub strides: Vec<i64>,
}

impl Pane {
    pub fn new(w: &Window, size: &dyn Fn(&Size) -> i64) -> Pane {
        Pane {
            buffer: w.view.buffer,
            offset: size(&w.view.offset),
            shape: w.shape.iter().map(size).collect(),
            strides: w.view.strides.iter().map(size).collect(),
        }
    }

    /// Its memory, indexed from its first element; an axis that is read backwards lies before that.
    pub fn read<'a, T: Word>(&self, ptrs: &[Ptr]) -> Elements<'a, T> {
        let before: i64 = match self.shape.contains(&0) {
            true => 0,
            false => self.shape.iter().zip(&self.strides).map(|(n, s)| ((n - 1) * s).min(0)).sum(),
        };
        Elements { all: slice(ptrs[self.buffer].moved(self.offset + before), self.reach()), base: before.unsigned_abs() as usize }
    }

    pub fn write<'a, T: Word>(&self, ptrs: &[Ptr]) -> &'a mut [T] {
        slice_mut(ptrs[self.buffer].moved(self.offset), self.reach())
    }

    fn reach(&self) -> usize {
        if self.shape.contains(&0) {
            return 0;
        }
        1 + self.shape.iter().zip(&self.strides).map(|(n, s)| ((n - 1) * s).unsigned_abs() as usize).sum::<usize>()
    }
}

/// Elements before and after a place.
#[derive(Clone, Copy)]
pub(super) struct Elements<'a, T> {
    all: &'a [T],
    base: usize,
}

impl<T> std::ops::Index<usize> for Elements<'_, T> {
    type Output = T;

    /// A negative number of steps comes wrapped.
    fn index(&self, i: usize) -> &T {
        &self.all[self.base.wrapping_add(i)]
    }
}

/// Goes through all points of `shape`, row-major, with the offset in each stride list.
pub(super) fn walk<const N: usize>(shape: &[i64], strides: [&[i64]; N], f: &mut dyn FnMut(&[i64], [usize; N])) {
    if shape.contains(&0) {
        return;
    }
    let mut counter = vec![0i64; shape.len()];
    let mut at = [0i64; N];
    loop {
        f(&counter, at.map(|x| x as usize));
        let mut d = shape.len();
        loop {
            if d == 0 {
                return;
            }
            d -= 1;
            counter[d] += 1;
            for (x, s) in at.iter_mut().zip(strides) {
                *x += s[d];
            }
            if counter[d] < shape[d] {
                break;
            }
            for (x, s) in at.iter_mut().zip(strides) {
                *x -= s[d] * shape[d];
            }
            counter[d] = 0;
        }
    }
}

pub(super) fn row_major(shape: &[i64]) -> Vec<i64> {
    let mut strides = vec![1; shape.len()];
    for k in (0..shape.len().saturating_sub(1)).rev() {
        strides[k] = strides[k + 1] * shape[k + 1];
    }
    strides
}

/// Running sums along `axis` into row-major memory; what runs is f64.
pub(super) fn scan(ptrs: &[Ptr], input: &Pane, out: usize, axis: usize, dtype: DType) {
    let home = row_major(&input.shape);
    let n: i64 = input.shape.iter().product();
    let back = home[axis] as usize;
    if dtype == DType::F32 {
        let (from, to) = (input.read::<f32>(ptrs), slice_mut::<f32>(ptrs[out], n as usize));
        let mut sums = vec![0.0f64; if n > 0 { back } else { 0 }];
        walk(&input.shape, [&input.strides, &home], &mut |c, [i, o]| {
            let sum = &mut sums[o % back];
            *sum = f64::from(from[i]) + if c[axis] > 0 { *sum } else { 0.0 };
            to[o] = *sum as f32;
        });
    } else {
        let (from, to) = (input.read::<i32>(ptrs), slice_mut::<i32>(ptrs[out], n as usize));
        walk(&input.shape, [&input.strides, &home], &mut |c, [i, o]| {
            to[o] = from[i].wrapping_add(if c[axis] > 0 { to[o - back] } else { 0 });
        });
    }
}

/// The cheapest permutation of each square matrix (the last two dimensions).
pub(super) fn assign(ptrs: &[Ptr], input: &Pane, out: usize) {
    let rank = input.shape.len();
    let n = input.shape[rank - 1] as usize;
    let outer = &input.shape[..rank - 2];
    let count: i64 = outer.iter().product();
    let to = slice_mut::<i32>(ptrs[out], count as usize * n);
    let from = input.read::<f32>(ptrs);
    let mut k = 0;
    if n == 0 {
        return;
    }
    walk(outer, [&input.strides[..rank - 2]], &mut |_, [at]| {
        let (down, along) = (input.strides[rank - 2] as usize, input.strides[rank - 1] as usize);
        let costs: Vec<f64> = (0..n * n)
            .map(|i| f64::from(from[at.wrapping_add((i / n).wrapping_mul(down)).wrapping_add((i % n).wrapping_mul(along))]))
            .collect();
        for (t, c) in to[k..k + n].iter_mut().zip(interp::assign(&costs, n)) {
            *t = c as i32;
        }
        k += n;
    });
}

/// So many values may come together in one place before they are summed in f64.
const FEW: i64 = 16;

/// Sums values where their index says along `axis`.
pub(super) fn scatter(ptrs: &[Ptr], (index, value, out): (&Pane, &Pane, &Pane), (axis, fold): (usize, Fold), dtype: DType) {
    let places = out.shape[axis];
    let mut shape = index.shape.clone();
    shape[axis] = 1;
    let mut home = out.strides.clone();
    let step = std::mem::take(&mut home[axis]) as usize;
    home.resize(shape.len(), 0);
    let at = index.read::<i32>(ptrs);
    let target = out.write::<u32>(ptrs);
    let (least, most) = match dtype {
        DType::F32 => (f32::NEG_INFINITY.to_bits(), f32::INFINITY.to_bits()),
        DType::I32 | DType::Bool => (i32::MIN as u32, i32::MAX as u32),
    };
    let start = if fold == Fold::Max { least } else { most };
    target.fill(if fold == Fold::Sum { 0 } else { start });
    if places == 0 {
        return;
    }
    let inside = |i: i32| i >= 0 && i64::from(i) < places;
    if fold != Fold::Sum {
        let most = fold == Fold::Max;
        if dtype == DType::F32 {
            let (from, to) = (value.read::<f32>(ptrs), out.write::<f32>(ptrs));
            // The first NaN stays.
            let better = |new: f32, old: f32| (if most { new > old } else { new < old }) || (new.is_nan() && !old.is_nan());
            walk(&shape, [&index.strides, &value.strides, &home], &mut |_, [i, v, o]| {
                let o = o + at[i].max(0) as usize * step;
                if inside(at[i]) && better(from[v], to[o]) {
                    to[o] = from[v];
                }
            });
        } else {
            let (from, to) = (value.read::<i32>(ptrs), out.write::<i32>(ptrs));
            let better = |new: i32, old: i32| if most { new > old } else { new < old };
            walk(&shape, [&index.strides, &value.strides, &home], &mut |_, [i, v, o]| {
                let o = o + at[i].max(0) as usize * step;
                if inside(at[i]) && better(from[v], to[o]) {
                    to[o] = from[v];
                }
            });
        }
        return;
    }
    if dtype == DType::F32 {
        let (from, to) = (value.read::<f32>(ptrs), out.write::<f32>(ptrs));
        let most: i64 = shape[out.shape.len()..].iter().product();
        if most <= FEW {
            walk(&shape, [&index.strides, &value.strides, &home], &mut |_, [i, v, o]| {
                if inside(at[i]) {
                    to[o + at[i] as usize * step] += from[v];
                }
            });
            return;
        }
        let mut sums = vec![0.0f64; to.len()];
        walk(&shape, [&index.strides, &value.strides, &home], &mut |_, [i, v, o]| {
            if inside(at[i]) {
                sums[o + at[i] as usize * step] += f64::from(from[v]);
            }
        });
        to.iter_mut().zip(&sums).for_each(|(t, s)| *t = *s as f32);
    } else {
        let (from, to) = (value.read::<i32>(ptrs), out.write::<i32>(ptrs));
        walk(&shape, [&index.strides, &value.strides, &home], &mut |_, [i, v, o]| {
            if inside(at[i]) {
                let t = &mut to[o + at[i] as usize * step];
                *t = t.wrapping_add(from[v]);
            }
        });
    }
}

/// Random values; position counts row-major.
pub(super) fn random(ptrs: &[Ptr], dist: Dist, key: u32, (seed, round): (&Pane, &Pane), out: usize) {
    let n: i64 = seed.shape.iter().product();
    let to = slice_mut::<f32>(ptrs[out], n as usize);
    let (seeds, rounds) = (seed.read::<i32>(ptrs), round.read::<i32>(ptrs));
    let mut position = 0usize;
    walk(&seed.shape, [&seed.strides, &round.strides], &mut |_, [s, r]| {
        let words = bits::philox(bits::counter(position as u64, rounds[r]), [seeds[s] as u32, key]);
        to[position] = match dist {
            Dist::Uniform => bits::uniform(words[0]) as f32,
            Dist::Normal => bits::normal(words) as f32,
        };
        position += 1;
    });
}

/// The buffers of a plan that are arguments, with their numbers.
fn arguments(plan: &Plan) -> Vec<(usize, usize)> {
    let of = |b: &plan::Buffer| if let Kind::Arg(k) = b.kind { Some(k) } else { None };
    plan.buffers.iter().enumerate().filter_map(|(n, b)| of(b).map(|k| (n, k))).collect()
}

/// A loop ready to run.
pub(super) struct Rounds {
    body: Instance,
    trips: i64,
    reverse: bool,
    stop: bool,
    operands: Vec<(usize, i64)>,
    /// The carries' memory, and the round's number before them.
    carries: Vec<Vec<u32>>,
    results: Vec<(usize, usize)>,
    /// Buffers of the body that are arguments: buffer, number.
    arguments: Vec<(usize, usize)>,
}

impl Rounds {
    /// Work of the steps of all rounds that may be split.
    pub fn divided(&self) -> f64 {
        self.trips as f64 * self.body.divided()
    }

    pub fn new(
        plan: &Plan,
        r: &plan::Rounds,
        f: &Functions<Code>,
        sizes: &Sizes,
        size: &dyn Fn(&Size) -> i64,
        limit: usize,
        threads: usize,
    ) -> Result<Rounds, Diagnostic> {
        let body = Instance::new(&r.body, f, sizes, &[], limit, threads)?;
        let mut carries = vec![vec![0u32; 16]];
        for k in 0..r.carries {
            carries.push(vec![0; body.outputs[k].len().max(1)]);
        }
        let length = |b: usize| plan.buffers[b].shape.iter().map(size).product::<i64>() as usize;
        Ok(Rounds {
            trips: size(&r.trips),
            reverse: r.reverse,
            stop: r.stop,
            operands: r.operands.iter().map(|(b, o)| (*b, size(o))).collect(),
            carries,
            results: r.results.iter().map(|b| (*b, length(*b))).collect(),
            arguments: arguments(&r.body),
            body,
        })
    }

    /// Runs all rounds.
    pub fn run(&mut self, ptrs: &[Ptr], exec: Exec) {
        let count = self.carries.len() - 1;
        for (k, (b, o)) in self.operands.iter().enumerate().take(count) {
            let n = self.body.outputs[k].len();
            self.carries[k + 1][..n].copy_from_slice(slice(ptrs[*b].moved(*o), n));
        }
        for (b, k) in &self.arguments {
            self.body.ptrs[*b] = match self.carries.get_mut(*k) {
                Some(words) => Ptr::of_words(words),
                None => {
                    let (b, o) = self.operands[k - 1];
                    ptrs[b].moved(o)
                }
            };
        }
        for (b, n) in &self.results[count..] {
            slice_mut::<u32>(ptrs[*b], *n).fill(0);
        }
        if self.trips > 0 {
            self.body.prepare(exec, None);
        }
        for turn in 0..self.trips {
            let round = if self.reverse { self.trips - 1 - turn } else { turn };
            self.carries[0][0] = round as u32;
            self.body.run(exec);
            for k in 0..count {
                let n = self.body.outputs[k].len();
                self.body.words(k, &mut self.carries[k + 1][..n]);
            }
            for (y, (b, _)) in self.results[count..].iter().enumerate() {
                let k = count + usize::from(self.stop) + y;
                let n = self.body.outputs[k].len();
                self.body.words(k, slice_mut(ptrs[*b].moved(round * n as i64), n));
            }
            if self.stop && self.body.flag(count) {
                break;
            }
        }
        for (k, (b, n)) in self.results[..count].iter().enumerate() {
            slice_mut::<u32>(ptrs[*b], *n).copy_from_slice(&self.carries[k + 1][..*n]);
        }
    }
}

impl Instance {
    /// Copies output `k` as it lies in memory.
    fn words(&self, k: usize, to: &mut [u32]) {
        let k = self.first_of(k);
        match &self.outputs[k].data {
            Data::F32(v) => to.iter_mut().zip(v).for_each(|(t, x)| *t = x.to_bits()),
            Data::I32(v) => to.iter_mut().zip(v).for_each(|(t, x)| *t = *x as u32),
            Data::Bool(_) | Data::F64(_) => to.iter_mut().zip(self.staging(k)).for_each(|(t, x)| *t = *x as u32),
        }
    }
}
