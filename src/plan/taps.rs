//! Products over windows that need no windows in memory: a gather writes every window down, and only a product reads them.
//!
//! In: a plan. Out: the pairs of a gather and its product that can go without, and how ([`Geometry`]): windows are read where they lie
//! ([`Lines`]), or the source is copied once with what lies outside of it, and each term of the sum (a *tap*) is then that copy, moved
//! ([`Copied`]). The latter are convolutions of a stride of 1.

use super::decide::What;
use super::lines::{Lines, lines};
use super::measured::plan::{WINDOW_COLUMNS, WINDOW_GAPS, WINDOW_PLACES, WINDOW_TERMS};
use super::tile::Finder;
use super::uses::Uses;
use super::view::value;
use super::{Access, Expr, Kernel, Kind, Plan, Product, Sizes, Step, Taps};
use crate::ir::scalar::Law;
use crate::ir::{DType, Size};
use std::collections::BTreeMap;

/// One loop of all images: how often it runs, and how far it moves in the source, in the weights and in the result.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    pub n: i64,
    pub x: i64,
    pub w: i64,
    pub out: i64,
}

/// An axis of the source that windows move along, as it lies in the copy: it begins at index `low`, which may be outside.
#[derive(Clone, Copy, Debug)]
pub struct Along {
    pub extent: i64,
    pub stride: i64,
    pub low: i64,
    pub size: i64,
}

/// How a product over windows is computed. Places are in elements, from where the image, its weights and its result start.
#[derive(Clone, Debug)]
pub struct Geometry {
    /// Buffers of the source, the weights and the result, each with its first place.
    pub x: (usize, i64),
    pub w: (usize, i64),
    pub out: (usize, i64),
    pub batch: Vec<Batch>,
    /// Every column: its places in the weights and in the result.
    pub columns: Vec<(usize, i64)>,
    /// Each of them, where there is one; one at least.
    pub copied: Option<Copied>,
    pub lines: Option<Lines>,
}

/// Windows as places of a copy of their source.
#[derive(Clone, Debug)]
pub struct Copied {
    /// Where each channel starts in the source; the copy has them one after the other.
    pub channels: Vec<i64>,
    /// The axes of each channel, the last one lies along memory in the copy. Behind its end comes the border before the next line.
    pub along: Vec<Along>,
    /// Every term of a sum: its places in the weights and in the copy.
    pub taps: Vec<(usize, usize)>,
    /// Every window: its places in the copy and in the result.
    pub pixels: Vec<(usize, i64)>,
}

impl Geometry {
    pub fn images(&self) -> i64 {
        self.batch.iter().map(|b| b.n).product()
    }

    /// Where step `image` of all these loops, its weights and its result start.
    pub fn at(&self, batch: &[Batch], image: i64) -> (i64, i64, i64) {
        let (mut left, mut at) = (image, (self.x.1, self.w.1, self.out.1));
        for b in batch.iter().rev() {
            let i = left % b.n;
            left /= b.n;
            at = (at.0 + b.x * i, at.1 + b.w * i, at.2 + b.out * i);
        }
        at
    }
}

/// Lists are no longer than this.
const LONGEST: i64 = 1 << 20;

/// An index: a number, and how far each loop moves it.
type Affine = (i64, BTreeMap<usize, i64>);

/// All pairs, for a plan that knows its tiles not yet; steps that `taken` says are not looked at. Windows that may be left out are, unless
/// somebody pins that they are written down.
pub(super) fn find(f: &Finder, taken: &dyn Fn(usize) -> bool) -> Vec<Taps> {
    let (plan, sizes) = (f.plan, f.sizes);
    let mut found = Vec::new();
    let uses = Uses::of(plan);
    for (product, step) in plan.steps.iter().enumerate().filter(|(k, _)| !taken(*k)) {
        let Step::Product(p) = step else { continue };
        for buffer in [p.a.0, p.b.0] {
            let Some(gather) = uses.writers[buffer].first().copied().filter(|g| *g < product && !taken(*g)) else { continue };
            let same = (gather < plan.prepared) == (product < plan.prepared);
            let alone = uses.readers[buffer].iter().all(|r| *r == product);
            let taps = Taps { gather, product, buffer };
            if same && alone && plan.buffers[buffer].kind == Kind::Temp && geometry(plan, &taps, sizes).is_some() {
                if f.stays_near(What::Windows, product, &[buffer]) {
                    found.push(taps);
                }
                break;
            }
        }
    }
    found
}

/// How a pair is computed at these sizes. `None`: as a gather and a product.
pub fn geometry(plan: &Plan, taps: &Taps, sizes: &Sizes) -> Option<Geometry> {
    let (Step::Kernel(k), Step::Product(p)) = (&plan.steps[taps.gather], &plan.steps[taps.product]) else { return None };
    if p.a.0 == p.b.0 {
        return None;
    }
    Reader { plan, sizes }.geometry(k, p, p.a.0 == taps.buffer)
}

struct Reader<'a> {
    plan: &'a Plan,
    sizes: &'a Sizes,
}

/// A loop of the product: how it moves the weights, the result, the source, and the index along each axis.
pub(super) struct Moves {
    pub n: i64,
    pub w: Option<i64>,
    pub out: Option<i64>,
    pub x: i64,
    pub along: Vec<i64>,
}

impl Moves {
    fn slides(&self) -> bool {
        self.along.iter().any(|m| *m != 0)
    }
}

/// The loops of a product over windows, by what they do; those of the batch are taken out.
pub(super) struct Roles<'a> {
    /// From window to window.
    pub places: Vec<&'a Moves>,
    /// Within a window, from channel to channel and along its axes.
    pub deep: Vec<&'a Moves>,
    pub near: Vec<&'a Moves>,
}

/// Adds one loop to a list of places: each of them once for every step.
pub(super) fn spread<const N: usize>(places: &mut Vec<[i64; N]>, n: i64, by: [i64; N]) {
    let step = |at: &[i64; N], i: i64| std::array::from_fn(|k| at[k] + by[k] * i);
    *places = places.iter().flat_map(|at| (0..n).map(move |i| step(at, i))).collect();
}

/// Which loop of what was written moves along with each of these: (who, stride, steps) against (loop, stride, size). `None`: no one does.
fn follow(moves: &[(usize, i64, i64)], written: &[(usize, i64, i64)]) -> Option<Vec<(usize, usize, i64)>> {
    let mut reach: BTreeMap<usize, i64> = BTreeMap::new();
    let mut out = Vec::new();
    for &(who, stride, n) in moves.iter().filter(|m| m.1 != 0 && m.2 > 1) {
        let fits = |w: &&(usize, i64, i64)| w.1 > 0 && stride % w.1 == 0 && stride >= w.1 && stride < w.1 * w.2;
        let (l, s, _) = written.iter().filter(fits).max_by_key(|w| w.1)?;
        *reach.entry(*l).or_default() += stride / s * (n - 1);
        out.push((who, *l, stride / s));
    }
    written.iter().all(|(l, _, size)| reach.get(l).is_none_or(|r| r < size)).then_some(out)
}

impl Reader<'_> {
    fn n(&self, s: &Size) -> i64 {
        value(s, self.sizes)
    }

    /// The loops of a kernel's result, as it writes them: loop, stride, size. `None`: two points may share a place.
    fn written(&self, k: &Kernel) -> Option<Vec<(usize, i64, i64)>> {
        let all: Vec<_> = k.store.terms.iter().map(|(l, s)| (*l, self.n(s), self.n(&k.loops[*l].size))).collect();
        let mut sorted: Vec<_> = all.iter().filter(|w| w.2 > 1).collect();
        sorted.sort_by_key(|w| w.1);
        let apart = sorted.windows(2).all(|w| w[0].1 > 0 && w[1].1 >= w[0].1 * w[0].2);
        let moved = |l: usize| self.n(&k.loops[l].size) <= 1 || all.iter().any(|w| w.0 == l && w.1 > 0);
        (apart && (0..k.outer).all(moved) && self.n(&k.store.offset) == 0).then_some(all)
    }

    /// A value of a kernel as an affine function of its loops; an index that was written down is read where it was made.
    fn affine(&self, k: &Kernel, value: usize) -> Option<Affine> {
        let joined = |a: Affine, b: Affine, sign: i64| {
            let mut terms = a.1;
            b.1.iter().for_each(|(l, s)| *terms.entry(*l).or_default() += sign * s);
            (a.0 + sign * b.0, terms)
        };
        match &k.body[value] {
            Expr::Counter(l) => Some((0, BTreeMap::from([(*l, 1)]))),
            Expr::Const(c) if c.fract() == 0.0 && c.abs() < 1e9 => Some((*c as i64, BTreeMap::new())),
            Expr::Size(s) => Some((self.n(s), BTreeMap::new())),
            Expr::Load(a) => self.loaded(k, a),
            Expr::Map(m, args) if k.types[value] == DType::I32 && args.iter().all(|a| k.types[*a] == DType::I32) => {
                let operand = |n: usize| self.affine(k, args[n]);
                match m.law() {
                    Law::Identity | Law::Cast => operand(0),
                    Law::Undoes => Some(joined((0, BTreeMap::new()), operand(0)?, -1)),
                    Law::Sum => Some(joined(operand(0)?, operand(1)?, 1)),
                    Law::Difference => Some(joined(operand(0)?, operand(1)?, -1)),
                    Law::Product => {
                        let (a, b) = (operand(0)?, operand(1)?);
                        let (a, by) = if b.1.is_empty() { (a, b.0) } else { (b, a.1.is_empty().then_some(a.0)?) };
                        Some((a.0 * by, a.1.into_iter().map(|(l, s)| (l, s * by)).collect()))
                    }
                    Law::None | Law::Settles | Law::Extreme | Law::Commutes | Law::Quotient | Law::Power => None,
                    Law::Both | Law::Either | Law::Choice => None,
                }
            }
            Expr::Const(_) | Expr::Pick { .. } | Expr::Map(..) | Expr::Reduce { .. } | Expr::Mend { .. } => None,
        }
    }

    fn loaded(&self, k: &Kernel, a: &Access) -> Option<Affine> {
        let mut writers = self.plan.steps.iter().filter(|s| s.writes().contains(&a.buffer));
        let (Some(Step::Kernel(by)), None) = (writers.next(), writers.next()) else { return None };
        if self.plan.buffers[a.buffer].dtype != DType::I32 || self.n(&a.offset) != 0 {
            return None;
        }
        let (from, made) = self.affine(by, by.value)?;
        let moves: Vec<_> = a.terms.iter().map(|(l, s)| (*l, self.n(s), self.n(&k.loops[*l].size))).collect();
        let mut terms: BTreeMap<usize, i64> = BTreeMap::new();
        for (own, theirs, by) in follow(&moves, &self.written(by)?)? {
            *terms.entry(own).or_default() += made.get(&theirs).copied().unwrap_or(0) * by;
        }
        Some((from, terms))
    }

    fn geometry(&self, k: &Kernel, p: &Product, first: bool) -> Option<Geometry> {
        let Expr::Pick { access, at, fill: Some(fill) } = &k.body[k.value] else { return None };
        if *fill != 0.0 || at.is_empty() || k.outer != k.loops.len() || self.plan.buffers[access.buffer].dtype != DType::F32 {
            return None;
        }
        let indices: Vec<Affine> = at.iter().map(|i| self.affine(k, i.value)).collect::<Option<_>>()?;
        let (windows, weights) = if first { (&p.a, &p.b) } else { (&p.b, &p.a) };
        let moves = self.moves(k, p, first, access, &indices)?;
        let mut roles = Roles { places: Vec::new(), deep: Vec::new(), near: Vec::new() };
        let (mut batch, mut columns) = (Vec::new(), vec![[0, 0]]);
        for m in &moves {
            match (m.out, m.w, m.slides(), m.x != 0) {
                (Some(out), Some(w), false, true) => batch.push(Batch { n: m.n, x: m.x, w, out }),
                (Some(out), None, false, true) => batch.push(Batch { n: m.n, x: m.x, w: 0, out }),
                (Some(out), Some(w), false, false) => spread(&mut columns, m.n, [w, out]),
                (Some(_), None, true, false) => roles.places.push(m),
                (None, Some(_), false, true) => roles.deep.push(m),
                (None, Some(_), true, false) => roles.near.push(m),
                _other => return None,
            }
        }
        if columns.len() < WINDOW_COLUMNS || columns.iter().any(|c| c[0] < 0) || self.n(&windows.1) != 0 {
            return None;
        }
        let axes: Vec<(i64, i64)> = at.iter().map(|i| (self.n(&i.extent), self.n(&i.stride))).collect();
        let copied = copied(self.along(&axes, &indices, &moves), &indices, &roles);
        let start: Vec<i64> = indices.iter().map(|i| i.0).collect();
        let lines = lines(&axes, &start, &roles, columns.len(), batch.iter().filter(|b| b.w == 0).map(|b| b.n).product());
        (copied.is_some() || lines.is_some()).then(|| Geometry {
            x: (access.buffer, self.n(&access.offset)),
            w: (weights.0, self.n(&weights.1)),
            out: (p.out.0, self.n(&p.out.1)),
            batch,
            columns: columns.iter().map(|c| (c[0] as usize, c[1])).collect(),
            copied,
            lines,
        })
    }

    /// What each loop of the product moves.
    fn moves(&self, k: &Kernel, p: &Product, first: bool, access: &Access, indices: &[Affine]) -> Option<Vec<Moves>> {
        let of = |s: &Option<Size>| s.as_ref().map(|s| self.n(s));
        let sides = |s: &super::Span| if first { (of(&s.a), of(&s.b)) } else { (of(&s.b), of(&s.a)) };
        let through: Vec<_> = p.spans.iter().enumerate().map(|(l, s)| (l, sides(s).0.unwrap_or(0), self.n(&s.size))).collect();
        let follows = follow(&through, &self.written(k)?)?;
        let mut out = Vec::new();
        for (l, span) in p.spans.iter().enumerate() {
            let n = self.n(&span.size);
            if n == 0 || through.iter().map(|t| t.2).try_fold(1i64, |a, n| a.checked_mul(n)).is_none() {
                return None;
            }
            let mut m = Moves { n, w: sides(span).1, out: of(&span.out), x: 0, along: vec![0; indices.len()] };
            for (_, theirs, by) in follows.iter().filter(|f| f.0 == l) {
                m.x += access.terms.iter().find(|t| t.0 == *theirs).map_or(0, |t| self.n(&t.1)) * by;
                m.along.iter_mut().zip(indices).for_each(|(a, i)| *a += i.1.get(theirs).copied().unwrap_or(0) * by);
            }
            if n > 1 {
                out.push(m);
            }
        }
        let many = |f: &dyn Fn(&Moves) -> bool| out.iter().filter(|m| f(m)).map(|m| m.n).product::<i64>() > LONGEST;
        let lists = [
            many(&|m| m.out.is_none()),
            many(&|m| m.out.is_some() && m.w.is_none()),
            many(&|m| m.w.is_some() && m.out.is_some()),
        ];
        (!lists.contains(&true)).then_some(out)
    }

    /// The axes that are picked along, each from the least to the greatest index that any loop asks for.
    fn along(&self, axes: &[(i64, i64)], indices: &[Affine], moves: &[Moves]) -> Vec<Along> {
        let axis = |(d, (extent, stride)): (usize, &(i64, i64))| {
            let ends = moves.iter().map(|m| m.along[d] * (m.n - 1));
            let (low, high) = ends.fold((indices[d].0, indices[d].0), |(l, h), e| (l + e.min(0), h + e.max(0)));
            Along { extent: *extent, stride: *stride, low, size: high - low + 1 }
        };
        let mut along: Vec<Along> = axes.iter().enumerate().map(axis).collect();
        if let Some(last) = along.last_mut() {
            // What lies behind a line and what lies before the next one is the same border.
            let (before, behind) = (-last.low, last.low + last.size - last.extent);
            last.size -= before.min(behind).max(0);
        }
        along
    }
}

/// Windows as places of a copy. `None`: it has too many that no window has, or sums are too short to make up for it.
fn copied(along: Vec<Along>, indices: &[Affine], roles: &Roles) -> Option<Copied> {
    let mut strides = vec![1i64; along.len()];
    (0..along.len() - 1).rev().for_each(|d| strides[d] = strides[d + 1].saturating_mul(along[d + 1].size));
    let channel = strides[0].checked_mul(along[0].size).filter(|c| *c <= LONGEST * LONGEST)?;
    let slide = |m: &Moves| m.along.iter().zip(&strides).map(|(a, s)| a * s).sum::<i64>();
    let (mut pixels, mut taps, mut channels) = (vec![[0, 0]], vec![[0, 0]], vec![[0]]);
    roles.places.iter().for_each(|m| spread(&mut pixels, m.n, [slide(m), m.out.unwrap_or(0)]));
    // Channels outermost: what they move in the copy is known once all are counted.
    let mut apart: i64 = roles.deep.iter().map(|m| m.n).product();
    for m in &roles.deep {
        apart /= m.n;
        spread(&mut taps, m.n, [m.w.unwrap_or(0), apart * channel]);
        spread(&mut channels, m.n, [m.x]);
    }
    roles.near.iter().for_each(|m| spread(&mut taps, m.n, [m.w.unwrap_or(0), slide(m)]));
    // The copy begins at the least index of each axis, so nothing in it lies before its start.
    let start: i64 = indices.iter().zip(&along).zip(&strides).map(|((i, a), s)| (i.0 - a.low) * s).sum();
    let reach = pixels.iter().map(|p| p[0]).max()? + 1;
    let small = channel.checked_mul(channels.len() as i64)? <= (pixels.len() * taps.len()) as i64;
    let fits = small && pixels.len() >= WINDOW_PLACES && taps.len() >= WINDOW_TERMS;
    let dense = pixels.iter().all(|p| p[0] >= 0) && reach <= pixels.len() as i64 * WINDOW_GAPS.0 / WINDOW_GAPS.1;
    let forward = taps.iter().all(|t| t[0] >= 0 && t[1] + start >= 0);
    (fits && dense && forward && start >= 0).then(|| Copied {
        channels: channels.iter().map(|c| c[0]).collect(),
        along,
        taps: taps.iter().map(|t| (t[0] as usize, (t[1] + start) as usize)).collect(),
        pixels: pixels.iter().map(|p| (p[0] as usize, p[1])).collect(),
    })
}
