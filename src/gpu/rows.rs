//! Which stages can share a workgroup: those that go through the same rows, each needing of the others only its own row.
//!
//! A row is one step of a loop that all of them have. Whoever wrote row `r` of a buffer is in the workgroup that reads row `r` of
//! it, so a barrier is all that stands between two stages, and what nobody else reads may stay in workgroup memory. A net of a
//! few layers becomes one dispatch this way, as does a softmax between two products. Stages that are small as a whole share one
//! workgroup without rows.

use super::program::{Buffer, Kind};
use super::reach::Reach;
use super::stage::{Placed, Stage};
use super::wgsl::nests;
use crate::ir::{DType, Size};
use crate::plan::{Expr, Kernel, Step, Window, measured::gpu};
use std::collections::BTreeMap;

/// Rows of a product that one thread computes.
pub(super) const BLOCK: i64 = 4;
/// Buffers that one shader binds; a group that would need more ends.
const BOUND: usize = super::program::BINDINGS;

/// How many stages one shader has at most.
pub(super) fn most(reach: Reach) -> usize {
    match reach {
        Reach::Staged => gpu::STAGES,
        Reach::Direct => gpu::STAGES_PLAYED,
    }
}

/// The row loop of a stage: its number, and how many of its steps make a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Lead {
    pub dim: usize,
    pub unit: i64,
}

/// A run of stages that share rows.
#[derive(Clone, Debug)]
pub(super) struct Group {
    /// Number of rows; 1: no rows.
    pub rows: Size,
    /// For each stage its row loop; `None` where there are no rows.
    pub leads: Vec<Option<Lead>>,
    /// Buffers whose rows lie one after the other, with the elements of a row.
    pub even: BTreeMap<usize, i64>,
}

/// An access in numbers.
struct Touch {
    buffer: usize,
    write: bool,
    offset: i64,
    terms: Vec<(usize, i64)>,
    /// Extents and strides that values decide.
    extra: Vec<(i64, i64)>,
}

/// A stage in numbers.
pub(super) struct Form {
    dims: Vec<(Size, i64)>,
    outer: usize,
    touches: Vec<Touch>,
    /// Work of all its elements.
    work: i64,
    /// Elements of its result.
    count: i64,
    /// Elements of the larger factor that does not depend on a loop, by loop.
    product: bool,
    order: Option<i64>,
}

type Measure<'a> = &'a dyn Fn(&Size) -> i64;

fn kernel_form(k: &Kernel, product: bool, size: Measure) -> Form {
    let dims: Vec<(Size, i64)> = k.loops.iter().map(|l| (l.size.clone(), size(&l.size))).collect();
    let touch = |a: &crate::plan::Access, write: bool, extra: Vec<(i64, i64)>| Touch {
        buffer: a.buffer,
        write,
        offset: size(&a.offset),
        terms: a.terms.iter().map(|(l, s)| (*l, size(s))).collect(),
        extra,
    };
    let mut touches = vec![touch(&k.store, true, Vec::new())];
    for e in &k.body {
        match e {
            Expr::Load(a) => touches.push(touch(a, false, Vec::new())),
            Expr::Pick { access, at, .. } => {
                let extra = at.iter().map(|i| (size(&i.extent), size(&i.stride))).collect();
                touches.push(touch(access, false, extra));
            }
            Expr::Const(_) | Expr::Counter(_) | Expr::Size(_) | Expr::Map(..) | Expr::Reduce { .. } | Expr::Mend { .. } => {}
        }
    }
    let points = |from: usize, to: usize| dims[from..to].iter().map(|d| d.1).fold(1i64, i64::saturating_mul);
    let count = points(0, k.outer);
    let rounds = |loops: &[usize]| loops.iter().map(|l| dims[*l].1).fold(1i64, i64::saturating_mul);
    let folds = nests(k).into_iter().filter(|(e, _)| !k.body[*e].folded().is_empty());
    let inner = folds.map(|(_, loops)| rounds(&loops)).fold(0, i64::saturating_add);
    let work = count.saturating_mul(inner.max(1));
    Form { dims, outer: k.outer, touches, work, count, product, order: None }
}

fn order_form(input: &Window, out: &Window, axis: usize, size: Measure) -> Form {
    let dims: Vec<(Size, i64)> = input.shape.iter().map(|s| (s.clone(), size(s))).collect();
    let rows = dims.len() - 1;
    let terms = |strides: &[Size]| strides.iter().map(&size).enumerate().collect::<Vec<_>>();
    let read = Touch {
        buffer: input.view.buffer,
        write: false,
        offset: size(&input.view.offset),
        terms: terms(&input.view.strides),
        extra: Vec::new(),
    };
    let mut home = out.view.strides.clone();
    let step = home.remove(axis);
    let write = Touch {
        buffer: out.view.buffer,
        write: true,
        offset: size(&out.view.offset),
        terms: terms(&home),
        extra: vec![(size(&out.shape[axis]), size(&step))],
    };
    let n = dims[rows].1;
    let count = dims.iter().map(|d| d.1).fold(1i64, i64::saturating_mul);
    Form { dims, outer: rows, touches: vec![write, read], work: count.saturating_mul(n), count, product: false, order: Some(n) }
}

/// The form of a stage that can share rows.
pub(super) fn form(stage: &Stage, size: Measure) -> Option<Form> {
    match stage {
        Stage::Kernel(k) => Some(kernel_form(k, false, size)),
        Stage::Product { kernel, .. } | Stage::Grouped { kernel, .. } => Some(kernel_form(kernel, true, size)),
        Stage::Parts(_) => None,
        Stage::Other(step) => {
            let Step::Order { input, out, axis, .. } = &**step else { return None };
            Some(order_form(input, out, *axis, size))
        }
    }
}

impl Form {
    /// The stride from row to row of an access that stays in its row, or `None`.
    fn stride(&self, t: &Touch, lead: Lead, rows: i64) -> Option<i64> {
        let step = t.terms.iter().find(|x| x.0 == lead.dim)?.1;
        let stride = step.checked_mul(lead.unit)?;
        // Without rows there is nothing to share.
        if stride <= 0 || rows <= 0 {
            return None;
        }
        let all = stride.checked_mul(rows)?;
        let (mut low, mut high) = (0i64, step * (lead.unit - 1));
        let others = t.terms.iter().filter(|x| x.0 != lead.dim).map(|(d, s)| (self.dims[*d].1, *s));
        for (n, s) in others.chain(t.extra.iter().copied()) {
            if n <= 1 || s % all == 0 {
                continue;
            }
            low += (s * (n - 1)).min(0);
            high += (s * (n - 1)).max(0);
        }
        let start = t.offset.rem_euclid(all);
        (start + low >= 0 && start + high < stride).then_some(stride)
    }

    /// Whether a buffer's access has steps over all rows besides (then its rows are not one after the other).
    fn even(&self, t: &Touch, lead: Lead, rows: i64, stride: i64) -> bool {
        let all = stride * rows;
        let others = t.terms.iter().filter(|x| x.0 != lead.dim).map(|(d, s)| (self.dims[*d].1, *s));
        t.offset < all && others.chain(t.extra.iter().copied()).all(|(n, s)| n <= 1 || s == 0 || s % all != 0)
    }

    fn fits(&self, rows: i64) -> bool {
        let per = self.work / rows.max(1);
        let still = self.work / self.count.max(1) * (self.count / rows.max(1));
        if self.order.is_some_and(|n| n > gpu::ORDERED) || per > gpu::ROW_HEAVY {
            return false;
        }
        // A product with few rows wants the whole device for its columns.
        let few = rows < gpu::ROWS_FEW && per > gpu::ROWS_FEW_HEAVY;
        !(self.product && (still > gpu::ROW_STILL && rows > 1 || few))
    }

    /// Whether it is a product that tiles would do well.
    fn large(&self, rows: i64) -> bool {
        self.product && self.work >= gpu::LARGE_WORK && rows >= gpu::LARGE_SIDE && self.width(rows) >= gpu::LARGE_SIDE
    }

    /// Elements of one row.
    pub fn width(&self, rows: i64) -> i64 {
        self.count / rows.max(1)
    }
}

/// A group under construction.
struct Growing<'a> {
    rows: (Size, i64),
    leads: Vec<Option<Lead>>,
    /// Stride of the rows of each buffer that a stage of the group writes.
    made: BTreeMap<usize, Option<i64>>,
    uneven: Vec<usize>,
    bound: Vec<usize>,
    work: i64,
    /// Elements of the widest row so far, and whether a large product is among the stages.
    widest: i64,
    large: bool,
    size: Measure<'a>,
    reach: Reach,
}

impl Growing<'_> {
    /// Takes a stage in, if it can share the rows.
    fn take(&mut self, f: &Form, buffers: &[Buffer]) -> bool {
        let (rows, n) = (self.rows.0.clone(), self.rows.1);
        let mut bound = self.bound.clone();
        bound.extend(f.touches.iter().map(|t| t.buffer));
        bound.sort();
        bound.dedup();
        // What stays in workgroup memory needs no binding; that is decided later, so this counts what certainly needs one.
        let need = bound.iter().filter(|b| buffers[**b].kind != Kind::Temp || !self.made.contains_key(b)).count();
        if need > 4 * BOUND {
            return false;
        }
        if rows.is(1) {
            let small = f.work <= gpu::GROUP_STAGE && self.work + f.work <= gpu::GROUP_ALL;
            if !small || f.order.is_some_and(|n| n > gpu::ORDERED) {
                return false;
            }
            self.work += f.work;
            self.leads.push(None);
            f.touches.iter().filter(|t| t.write).for_each(|t| {
                self.made.insert(t.buffer, Some(0));
            });
            self.bound = bound;
            return true;
        }
        let (widest, large) = (self.widest.max(f.width(n)), self.large || f.large(n));
        if !f.fits(n) || large && (self.reach == Reach::Direct || BLOCK * widest > gpu::GROUP_ELEMENTS) {
            return false;
        }
        for dim in 0..f.outer {
            let Some(unit) = unit(&f.dims[dim].0, &rows) else { continue };
            let lead = Lead { dim, unit };
            if self.consistent(f, lead, n) {
                for t in &f.touches {
                    let stride = f.stride(t, lead, n);
                    if t.write {
                        self.made.insert(t.buffer, stride);
                    }
                    if let Some(s) = stride
                        && !f.even(t, lead, n, s)
                    {
                        self.uneven.push(t.buffer);
                    }
                }
                self.leads.push(Some(lead));
                (self.bound, self.widest, self.large) = (bound, widest, large);
                return true;
            }
        }
        false
    }

    fn consistent(&self, f: &Form, lead: Lead, rows: i64) -> bool {
        f.touches.iter().all(|t| match self.made.get(&t.buffer) {
            None => !t.write || f.stride(t, lead, rows).is_some(),
            Some(None) => false,
            Some(Some(s)) => f.stride(t, lead, rows) == Some(*s),
        })
    }
}

/// `dim = rows * unit`, for every choice of the unknowns.
fn unit(dim: &Size, rows: &Size) -> Option<i64> {
    if dim == rows {
        return Some(1);
    }
    let unit = dim.div(rows)?.constant()?;
    (unit >= 1 && rows.mul(&Size::from(unit)) == *dim).then_some(unit)
}

/// The longest group that starts at `first` and ends before stage `last`, and where it ends.
pub(super) fn group(
    stages: &[Placed],
    (first, last): (usize, usize),
    buffers: &[Buffer],
    (size, reach): (Measure, Reach),
) -> Option<(Group, usize)> {
    let start = form(&stages[first].stage, size)?;
    let mut candidates: Vec<Size> = Vec::new();
    let whole = stages[first].stage.kernel().map_or(Size::from(1i64), |k| k.unit.clone());
    for (d, (s, _)) in start.dims.iter().enumerate().take(start.outer) {
        let joined = (d == 0).then(|| s.div(&whole)).flatten();
        for c in [Some(s.clone()), joined].into_iter().flatten() {
            if !candidates.contains(&c) {
                candidates.push(c);
            }
        }
    }
    // Without rows there is one workgroup: only where that takes more stages in.
    candidates.retain(|c| !c.is(1));
    candidates.push(Size::from(1i64));
    let mut best: Option<(Group, usize)> = None;
    for rows in candidates {
        let n = size(&rows);
        let mut g = Growing {
            rows: (rows.clone(), n),
            leads: Vec::new(),
            made: BTreeMap::new(),
            uneven: Vec::new(),
            bound: Vec::new(),
            work: 0,
            widest: 1,
            large: false,
            size,
            reach,
        };
        let mut end = first;
        while end < last {
            let Some(f) = form(&stages[end].stage, g.size) else { break };
            if !g.take(&f, buffers) {
                break;
            }
            end += 1;
        }
        if end > first && best.as_ref().is_none_or(|b| end > b.1) {
            let even = g
                .made
                .iter()
                .filter(|(b, _)| !g.uneven.contains(b))
                .filter_map(|(b, s)| {
                    let len = size(&buffers[*b].len());
                    let s = if n == 1 { len } else { (*s)? };
                    (s > 0 && s * n == len).then_some((*b, s))
                })
                .collect();
            best = Some((Group { rows, leads: g.leads, even }, end));
        }
    }
    best
}

/// How many of each kind of element a word takes: all are four bytes.
pub(super) fn element(dtype: DType) -> &'static str {
    if dtype == DType::F32 { "f32" } else { "i32" }
}
