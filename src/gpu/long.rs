//! Folds of very many elements, in stages: one thread each would be slow, and software devices end a thread's loops after some
//! ten thousand rounds without a word.
//!
//! In: the stages of a run. Out: the same with each long fold as two or more: [`Parts`] of it side by side, which a fold of few
//! elements joins. What is folded and how often depends on the sizes alone, so the order of a sum is the same in every run.

use super::choose::Chooser;
use super::program::{Buffer, Kind};
use super::split::{hoist, sweep};
use super::stage::{Placed, Stage};
use super::wgsl::{nests, row_major, share};
use crate::ir::{DType, Fold, Map, Size};
use crate::plan::measured::gpu::{self, LONG_FOLD, PART, PART_LONGER, TILED_PART};
use crate::plan::{Access, Expr, Kernel, Loop, Place};
use crate::source::Span;

/// Part `p` of a fold for each element: the kernel's value is the fold, and goes to its store, `p * stride` further.
#[derive(Clone, Debug)]
pub(super) struct Parts {
    pub kernel: Kernel,
    pub count: Size,
    pub stride: Size,
    pub how: How,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum How {
    /// One thread a part and element: it takes every `count`-th step of this loop. `along`: neighbours take neighbouring steps.
    Steps { looped: usize, along: bool },
    /// Tile by tile, each of so many rows: so many steps one after the other. The value is a product's sum.
    Tiles { deep: i64, side: i64 },
}

struct Cutter<'a> {
    buffers: &'a mut Vec<Buffer>,
    size: &'a dyn Fn(&Size) -> i64,
    chooser: &'a Chooser<'a>,
    places: Vec<Span>,
    about: Place,
    out: Vec<Placed>,
}

/// Cuts what is long.
pub(super) fn cut(stages: Vec<Placed>, buffers: &mut Vec<Buffer>, chooser: &Chooser) -> Vec<Placed> {
    let mut c = Cutter { buffers, size: chooser.size, chooser, places: Vec::new(), about: Place::default(), out: Vec::new() };
    for placed in stages {
        (c.places, c.about) = (placed.places, placed.about);
        match placed.stage {
            Stage::Kernel(k) => c.kernel(k),
            Stage::Product { kernel, sum } => c.product(kernel, sum),
            stage @ (Stage::Grouped { .. } | Stage::Parts(_) | Stage::Other(_)) => c.push(stage),
        }
    }
    c.out
}

impl Cutter<'_> {
    fn push(&mut self, stage: Stage) {
        self.out.push(Placed { stage, places: self.places.clone(), about: self.about.clone() });
    }

    fn points(&self, k: &Kernel, loops: impl IntoIterator<Item = usize>) -> i64 {
        loops.into_iter().map(|l| (self.size)(&k.loops[l].size)).fold(1, i64::saturating_mul)
    }

    /// How many elements a value folds.
    fn extent(&self, k: &Kernel, e: usize) -> i64 {
        match &k.body[e] {
            // A part of it might leave f32: the threads of one workgroup share it.
            Expr::Reduce { fold: Fold::Prod, .. } if k.types[e] == DType::F32 => 0,
            Expr::Reduce { loops, .. } => self.points(k, loops.iter().copied()),
            Expr::Const(_) | Expr::Counter(_) | Expr::Size(_) | Expr::Load(_) | Expr::Pick { .. } | Expr::Map(..) => 0,
            // It is rarely folded, and a thread that does is not waited for.
            Expr::Mend { .. } => 0,
        }
    }

    fn kernel(&mut self, mut k: Kernel) {
        while let Some(e) = self.together(&k) {
            let Expr::Reduce { fold, .. } = k.body[e] else { unreachable!("what is long together are folds") };
            let own = self.taken_out(&mut k, e, fold.word());
            self.kernel(own);
        }
        while let Some(e) = (0..k.body.len()).find(|e| self.extent(&k, *e) > LONG_FOLD) {
            let Expr::Reduce { fold, loops, value } = k.body[e].clone() else { unreachable!("what is long is a fold") };
            if matches!(fold, Fold::Argmax | Fold::Argmin) {
                k = self.place_of_the_best(k, e, fold, loops[0], value);
            } else if e == k.value {
                return self.whole(k, e, fold, &loops);
            } else {
                let own = self.taken_out(&mut k, e, fold.word());
                self.kernel(own);
            }
        }
        self.push(Stage::Kernel(k));
    }

    /// None of an element's folds is long, but all together are, or one for each step of another: the longest that is not the value itself.
    fn together(&self, k: &Kernel) -> Option<usize> {
        let nests = nests(k);
        let rounds = |loops: &Vec<usize>| self.points(k, loops.iter().copied());
        // The value itself is cut where it is long.
        let cut = |e: usize| e == k.value && self.extent(k, e) > LONG_FOLD;
        let all = nests.iter().filter(|(e, _)| !cut(*e)).map(|(_, loops)| rounds(loops));
        if all.fold(0, i64::saturating_add) <= gpu::LONG_TOGETHER {
            return None;
        }
        let fold = |e: usize| matches!(k.body[e], Expr::Reduce { .. }) && e != k.value;
        nests.iter().filter(|(e, _)| fold(*e)).max_by_key(|(e, loops)| (rounds(loops), std::cmp::Reverse(*e))).map(|(e, _)| *e)
    }

    fn taken_out(&mut self, k: &mut Kernel, e: usize, word: &str) -> Kernel {
        let early = self.buffers[k.store.buffer].early;
        hoist(k, e, word, self.buffers, early)
    }

    /// The place of the best is the least one where the value is the best, or no number where that is the best. The value is the
    /// same twice only where it is read.
    fn place_of_the_best(&mut self, mut k: Kernel, e: usize, fold: Fold, l: usize, value: usize) -> Kernel {
        if !matches!(k.body[value], Expr::Load(_)) {
            let made = self.taken_out(&mut k, value, "value");
            self.push(Stage::Kernel(made));
            return k;
        }
        let best = if fold == Fold::Argmax { Fold::Max } else { Fold::Min };
        let (of, n) = (k.types[value], k.loops[l].size.clone());
        let loops = vec![l];
        let new = [
            (Expr::Reduce { fold: best, loops: loops.clone(), value }, of),
            (Expr::Map(Map::Eq, vec![value, e]), DType::Bool),
            (Expr::Map(Map::Ne, vec![value, value]), DType::Bool),
            (Expr::Map(Map::Or, vec![e + 1, e + 2]), DType::Bool),
            (Expr::Counter(l), DType::I32),
            (Expr::Size(n.clone()), DType::I32),
            (Expr::Map(Map::Select, vec![e + 3, e + 4, e + 5]), DType::I32),
            (Expr::Reduce { fold: Fold::Min, loops, value: e + 6 }, DType::I32),
            // Of nothing it is 0.
            (Expr::Size(n.sub(&Size::from(1i64))), DType::I32),
            (Expr::Map(Map::Min, vec![e + 7, e + 8]), DType::I32),
            (Expr::Const(0.0), DType::I32),
            (Expr::Map(Map::Max, vec![e + 9, e + 10]), DType::I32),
        ];
        insert(&mut k, e, new);
        k
    }

    /// The fold that is a kernel's value: in parts, and joined.
    fn whole(&mut self, k: Kernel, e: usize, fold: Fold, loops: &[usize]) {
        let longest = loops.iter().copied().max_by_key(|l| (self.size)(&k.loops[*l].size)).unwrap_or(loops[0]);
        let all = self.extent(&k, e);
        let n = (self.size)(&k.loops[longest].size);
        let rest = all / n;
        let elements = self.points(&k, 0..k.outer);
        if rest > LONG_FOLD {
            let (inner, outer) = self.peeled(k, e, fold, longest);
            self.kernel(inner);
            return self.kernel(outer);
        }
        let wanted = elements.saturating_mul(all) / gpu::PART_THREADS;
        let usual = 1 << wanted.clamp(PART.0, PART.1).ilog2();
        let shortest = usual == PART.0;
        let ways = if shortest { [usual, PART_LONGER * usual] } else { [(usual / PART_LONGER).max(PART.0), usual] };
        let part = self.chooser.part(&self.about, &k.name, ways, shortest);
        let count = share(&k.loops[longest].size, (part / rest).max(1) as u32);
        let along = along(&k, longest);
        let mut shape: Vec<Size> = k.loops[..k.outer].iter().map(|l| l.size.clone()).collect();
        let at = if along { shape.len() } else { 0 };
        shape.insert(at, count.clone());
        let mut strides = row_major(&shape);
        let stride = strides.remove(at);
        let store = self.store(&k, shape, strides);
        let joined = joined(&k, e, fold, &store, &count, &stride);
        let kernel = Kernel { store, name: format!("{}_parts", k.name), ..k };
        self.push(Stage::Parts(Parts { kernel, count, stride, how: How::Steps { looped: longest, along } }));
        self.kernel(joined);
    }

    /// A buffer for partial results, and where a kernel's elements lie there.
    fn store(&mut self, k: &Kernel, shape: Vec<Size>, strides: Vec<Size>) -> Access {
        let early = self.buffers[k.store.buffer].early;
        let dtype = k.types[k.value];
        self.buffers.push(Buffer { name: format!("{}_parts", k.name), dtype, shape, kind: Kind::Temp, early, half: false });
        Access { buffer: self.buffers.len() - 1, offset: Size::from(0i64), terms: strides.into_iter().enumerate().collect() }
    }

    /// A fold over several loops as one over all but `l`, and one over `l`.
    fn peeled(&mut self, k: Kernel, e: usize, fold: Fold, l: usize) -> (Kernel, Kernel) {
        let mut shape: Vec<Size> = k.loops[..k.outer].iter().map(|x| x.size.clone()).collect();
        shape.push(k.loops[l].size.clone());
        let mut strides = row_major(&shape);
        let stride = strides.remove(k.outer);
        let mut store = self.store(&k, shape, strides);
        let outer = joined(&k, e, fold, &store, &k.loops[l].size, &stride);
        // The loop goes to the end of the outer ones.
        let to = |x: usize| match x {
            x if x == l => k.outer,
            x if x >= k.outer && x < l => x + 1,
            x => x,
        };
        let mut inner = k.clone();
        let moved = inner.loops.remove(l);
        inner.loops.insert(k.outer, moved);
        let access = |a: &Access| {
            let mut terms: Vec<(usize, Size)> = a.terms.iter().map(|(x, s)| (to(*x), s.clone())).collect();
            terms.sort_by_key(|t| t.0);
            Access { terms, ..a.clone() }
        };
        for (n, x) in inner.body.iter_mut().enumerate() {
            match x {
                Expr::Counter(c) => *c = to(*c),
                Expr::Load(a) | Expr::Pick { access: a, .. } => *a = access(a),
                Expr::Reduce { loops, .. } => {
                    loops.retain(|x| n != e || *x != l);
                    loops.iter_mut().for_each(|x| *x = to(*x));
                }
                Expr::Mend { loops, .. } => loops.iter_mut().for_each(|x| *x = to(*x)),
                Expr::Const(_) | Expr::Size(_) | Expr::Map(..) => {}
            }
        }
        inner.outer += 1;
        store.terms.push((k.outer, stride));
        (Kernel { store, name: format!("{}_parts", k.name), ..inner }, outer)
    }

    /// A product whose sum is long: tiles of each part where they pay.
    fn product(&mut self, k: Kernel, sum: usize) {
        let all = self.extent(&k, sum);
        let tiling = self.chooser.tiling(&self.about, &k, sum, None);
        let Some(side) = tiling.side.filter(|_| all > TILED_PART.1) else {
            if all <= LONG_FOLD {
                return self.push(Stage::Product { kernel: k, sum });
            }
            self.chooser.note(tiling);
            return self.kernel(k);
        };
        self.chooser.note(tiling);
        let elements = self.points(&k, 0..k.outer);
        let few = (elements >> 12).saturating_mul(all / TILED_PART.1) < gpu::TILED_FEW;
        let deep = self.chooser.part(&self.about, &k.name, [TILED_PART.0, TILED_PART.1], few);
        let Expr::Reduce { loops, .. } = &k.body[sum] else { unreachable!("a product's sum is a fold") };
        let depth = loops.iter().fold(Size::from(1i64), |n, l| n.mul(&k.loops[*l].size));
        let count = share(&depth, deep as u32);
        let mut shape = vec![count.clone()];
        shape.extend(k.loops[..k.outer].iter().map(|l| l.size.clone()));
        let mut strides = row_major(&shape);
        let stride = strides.remove(0);
        let store = self.store(&k, shape, strides);
        let joined = joined(&k, sum, Fold::Sum, &store, &count, &stride);
        let kernel = Kernel { value: sum, store, name: format!("{}_parts", k.name), ..k };
        self.push(Stage::Parts(Parts { kernel, count, stride, how: How::Tiles { deep, side } }));
        self.kernel(joined);
    }
}

/// The kernel with fold `e` taken over its partial results.
fn joined(k: &Kernel, e: usize, fold: Fold, store: &Access, count: &Size, stride: &Size) -> Kernel {
    let mut k = k.clone();
    let l = k.loops.len();
    k.loops.push(Loop { name: "part".into(), size: count.clone() });
    let mut terms = store.terms.clone();
    terms.push((l, stride.clone()));
    let dtype = k.types[e];
    let load = Expr::Load(Access { terms, ..store.clone() });
    insert(&mut k, e, [(load, dtype), (Expr::Reduce { fold, loops: vec![l], value: e }, dtype)]);
    sweep(&mut k);
    k
}

/// Puts values in the place of value `e`; the last one takes its role.
fn insert<const N: usize>(k: &mut Kernel, e: usize, new: [(Expr, DType); N]) {
    let number = |v: usize| if v >= e { v + N - 1 } else { v };
    for x in &mut k.body[e + 1..] {
        match x {
            Expr::Map(_, args) => args.iter_mut().for_each(|a| *a = number(*a)),
            Expr::Pick { at, .. } => at.iter_mut().for_each(|i| i.value = number(i.value)),
            Expr::Reduce { value, .. } => *value = number(*value),
            Expr::Mend { of, value, .. } => (*of, *value) = (number(*of), number(*value)),
            Expr::Const(_) | Expr::Counter(_) | Expr::Size(_) | Expr::Load(_) => {}
        }
    }
    k.value = number(k.value);
    let (body, types): (Vec<Expr>, Vec<DType>) = new.into_iter().unzip();
    k.body.splice(e..=e, body);
    k.types.splice(e..=e, types);
}

/// Whether all that a loop moves walks along memory.
fn along(k: &Kernel, l: usize) -> bool {
    let terms = k.body.iter().filter_map(|x| match x {
        Expr::Load(a) | Expr::Pick { access: a, .. } => a.terms.iter().find(|t| t.0 == l),
        Expr::Const(_) | Expr::Counter(_) | Expr::Size(_) | Expr::Map(..) | Expr::Reduce { .. } | Expr::Mend { .. } => None,
    });
    let mut terms = terms;
    terms.all(|t| t.1.is(1))
}
