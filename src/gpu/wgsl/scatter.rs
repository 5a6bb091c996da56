//! Sums and extremes of values where their index says, in a fixed order and without atomics.
//!
//! Three ways, by the sizes: one thread an element of the result that goes over all values; a workgroup an element that shares
//! them; or the values in the order of their indices, and each element sums its own stretch. That order is cut into blocks, and what
//! a block has for the element that it begins with is summed up beforehand: so an element that takes them all waits for none of them.
//! f32 sums keep what they round away.

use super::super::program::{Buffer, Grid, Item, Kind};
use super::Emitter;
use super::kernel::{join, neutral};
use super::merge::{Key, Rows, half};
use super::module::Module;
use super::special::{LANES, WIDE, at, loops, product, share};
use crate::ir::{DType, Fold, Size};
use crate::plan::Window;
use crate::plan::measured::gpu::{self, SCATTER_BLOCK as BLOCK};
use crate::source::Span;

/// Windows over the loops of the result, then those of the values; the index decides along `axis`.
pub(super) struct Scatter<'s> {
    pub index: &'s Window,
    pub value: &'s Window,
    pub out: &'s Window,
    pub axis: usize,
    /// `Sum`, `Max` or `Min`.
    pub fold: Fold,
    pub dtype: DType,
}

impl Emitter<'_> {
    pub(super) fn scatter(&mut self, s: &Scatter, places: &[Span], out: &mut Vec<Item>) {
        let name = self.buffers[s.out.view.buffer].name.clone();
        let none = Size::from(0i64);
        let values = (self.size)(&product(s.values()));
        let work = (self.size)(&product(&s.out.shape)).saturating_mul(values);
        if values <= gpu::SCATTER_WALKED {
            return out.push(self.shader(&name, LANES, places, none, &|m| s.walk(m)));
        }
        if work <= gpu::SCATTER_CHEAP {
            return out.push(self.shader(&name, WIDE, places, none, &|m| s.share(m)));
        }
        let dims = s.rows();
        let shape: Vec<Size> = dims.iter().map(|d| s.out.shape[*d].clone()).collect();
        let key: Key = &|m, row, j| {
            let mut counters = vec!["0u".to_string(); s.out.shape.len()];
            dims.iter().zip(row).for_each(|(d, c)| counters[*d] = c.clone());
            let i = s.place(m, &counters, j);
            format!("(bitcast<u32>({i}) ^ 0x80000000u)")
        };
        let early = self.buffers[s.out.view.buffer].early;
        let rows = Rows { shape, along: product(s.values()), key, early, places };
        let sorted = self.sort_rows(&name, &rows, out);
        let mut shape: Vec<Size> = s.others().iter().map(|d| s.out.shape[*d].clone()).collect();
        shape.push(share(&rows.along, BLOCK));
        self.buffers.push(Buffer { name: format!("{name}_heads"), dtype: s.dtype, shape, kind: Kind::Temp, early, half: false });
        let heads = self.buffers.len() - 1;
        out.push(
            self.shader(&format!("{name}_heads"), LANES, places, none.clone(), &|m| s.heads(m, &dims, &rows, (sorted, heads))),
        );
        out.push(self.shader(&name, LANES, places, none, &|m| s.stretch(m, &dims, &rows, (sorted, heads))));
    }
}

impl Scatter<'_> {
    /// Extents of the loops over values.
    fn values(&self) -> &[Size] {
        &self.index.shape[self.out.shape.len()..]
    }

    /// Dims of the result that no index decides.
    fn others(&self) -> Vec<usize> {
        (0..self.out.shape.len()).filter(|d| *d != self.axis).collect()
    }

    /// Those of them that the index depends on.
    fn rows(&self) -> Vec<usize> {
        (0..self.out.shape.len()).filter(|d| *d != self.axis && !self.index.view.strides[*d].is(0)).collect()
    }

    /// Counters of all loops for value `j`; the index does not depend on the place that it decides.
    fn counters(&self, m: &mut Module, of: &[String], j: &str) -> Vec<String> {
        let mut all = of.to_vec();
        all[self.axis] = "0u".to_string();
        all.extend(m.split(j, &loops(self.values(), "i")));
        all
    }

    /// Where value `j` goes.
    fn place(&self, m: &mut Module, of: &[String], j: &str) -> String {
        let all = self.counters(m, of, j);
        let from = at(m, &self.index.view, &all);
        m.load(self.index.view.buffer, &from)
    }

    fn begin(&self, m: &mut Module) {
        if self.keeps() {
            return m.line("var sum = vec2<f32>(0.0);");
        }
        m.reserve("taken");
        let start = neutral(m, self.fold, self.dtype);
        m.line(format!("var sum = {start};"));
    }

    fn sum(&self) -> &'static str {
        if self.keeps() { "sum.x" } else { "sum" }
    }

    /// Whether what a sum rounds away is kept beside it.
    fn keeps(&self) -> bool {
        self.dtype == DType::F32 && self.fold == Fold::Sum
    }

    /// Adds the value at some counters to `sum`.
    fn add(&self, m: &mut Module, all: &[String]) {
        let from = at(m, &self.value.view, all);
        let x = m.load(self.value.view.buffer, &from);
        let x = super::scalar::convert(m, x, m.buffers[self.value.view.buffer].dtype, self.dtype);
        self.more(m, &x);
    }

    fn more(&self, m: &mut Module, x: &str) {
        if self.keeps() {
            let (kept, zero) = (m.function("kept"), m.number(0, "zero"));
            m.line(format!("sum = {kept}(sum, {x}, {zero});"));
        } else {
            // A comparison and what follows it both name the value.
            m.line(format!("let taken = {x};"));
            let more = join(m, self.fold, self.dtype, "sum", "taken");
            m.line(format!("sum = {more};"));
        }
    }

    /// Adds value `j` to `sum` where it goes to the element at `of`.
    fn take(&self, m: &mut Module, of: &[String], j: &str) {
        let all = self.counters(m, of, j);
        let from = at(m, &self.index.view, &all);
        let i = m.load(self.index.view.buffer, &from);
        m.open(format!("if ({i} == i32({}))", of[self.axis]));
        self.add(m, &all);
        m.close();
    }

    /// One thread an element: it goes over all values in order and takes those that are for it.
    fn walk(&self, m: &mut Module) -> Grid {
        m.reserve("sum j");
        let count = product(&self.out.shape);
        let item = m.threads(&count, LANES);
        let of = m.split(&item, &loops(&self.out.shape, "o"));
        let values = product(self.values());
        m.rounds(&values);
        let n = m.size(&values);
        self.begin(m);
        m.open(format!("for (var j = 0u; j < {n}; j++)"));
        self.take(m, &of, "j");
        m.close();
        let to = at(m, &self.out.view, &of);
        m.store(self.out.view.buffer, &to, self.sum());
        Grid::Work { count, per: LANES }
    }

    /// One workgroup an element: each thread takes every so many values, then the threads' sums are added.
    fn share(&self, m: &mut Module) -> Grid {
        m.reserve("element sum j half");
        let count = product(&self.out.shape);
        let all = m.size(&count);
        let values = product(self.values());
        m.rounds(&share(&values, WIDE));
        let n = m.size(&values);
        let kind = if self.dtype == DType::F32 { "f32" } else { "i32" };
        let sums = m.shared("sums", &format!("array<{kind}, {WIDE}>"));
        m.line("let element = wg.y * 65535u + wg.x;");
        m.line(format!("if (element >= {all}) {{ return; }}"));
        let of = m.split("element", &loops(&self.out.shape, "o"));
        self.begin(m);
        m.open(format!("for (var j = lane; j < {n}; j += {WIDE}u)"));
        self.take(m, &of, "j");
        m.close();
        m.line(format!("{sums}[lane] = {};", self.sum()));
        m.line("workgroupBarrier();");
        m.open(format!("for (var half = {}u; half > 0u; half /= 2u)", WIDE / 2));
        let both = join(m, self.fold, self.dtype, &format!("{sums}[lane]"), &format!("{sums}[lane + half]"));
        m.line(format!("if (lane < half) {{ {sums}[lane] = {both}; }}"));
        m.line("workgroupBarrier();");
        m.close();
        m.open("if (lane == 0u)");
        let to = at(m, &self.out.view, &of);
        m.store(self.out.view.buffer, &to, &format!("{sums}[0]"));
        m.close();
        Grid::Work { count, per: 1 }
    }

    /// One thread a block of the sorted order: the sum of what is for the same element as its first.
    fn heads(&self, m: &mut Module, dims: &[usize], rows: &Rows, (sorted, heads): (usize, usize)) -> Grid {
        m.reserve("sum j k first last key");
        let others = self.others();
        let mut shape: Vec<(String, Size)> = others.iter().map(|d| (format!("o{d}_"), self.out.shape[*d].clone())).collect();
        shape.push(("block".to_string(), share(&rows.along, BLOCK)));
        let count = shape.iter().fold(Size::from(1i64), |n, l| n.mul(&l.1));
        let item = m.threads(&count, LANES);
        let mut places = m.split(&item, &shape);
        let block = places.pop().unwrap_or_default();
        let mut of = vec!["0u".to_string(); self.out.shape.len()];
        others.iter().zip(places).for_each(|(d, c)| of[*d] = c);
        let row: Vec<String> = dims.iter().map(|d| of[*d].clone()).collect();
        let from = half(m, &rows.shape, &rows.along, &row);
        let n = m.size(&rows.along);
        m.rounds(&Size::from(i64::from(BLOCK)));
        m.line(format!("let first = {block} * {BLOCK}u;"));
        m.line(format!("let last = min(first + {BLOCK}u, {n});"));
        let j = m.element(sorted, &format!("{from} + first"));
        let key = (rows.key)(m, &row, &format!("u32({j})"));
        m.line(format!("let key = {key};"));
        self.begin(m);
        m.open("for (var k = first; k < last; k++)");
        let j = m.element(sorted, &format!("{from} + k"));
        m.line(format!("let j = u32({j});"));
        let own = (rows.key)(m, &row, "j");
        m.line(format!("if ({own} != key) {{ break; }}"));
        let all = self.counters(m, &of, "j");
        self.add(m, &all);
        m.close();
        m.store(heads, &item, self.sum());
        Grid::Work { count, per: LANES }
    }

    /// One thread an element: the values for it stand together in their sorted order.
    fn stretch(&self, m: &mut Module, dims: &[usize], rows: &Rows, (sorted, heads): (usize, usize)) -> Grid {
        m.reserve("sum j k begin end limit low high between here wanted before own block");
        let count = product(&self.out.shape);
        let item = m.threads(&count, LANES);
        let of = m.split(&item, &loops(&self.out.shape, "o"));
        let row: Vec<String> = dims.iter().map(|d| of[*d].clone()).collect();
        let from = half(m, &rows.shape, &rows.along, &row);
        let n = m.size(&rows.along);
        let blocks = share(&rows.along, BLOCK);
        // All values may be for one element.
        m.rounds(&blocks.add(&Size::from(i64::from(BLOCK) + 64)));
        m.line(format!("let wanted = {} ^ 0x80000000u;", of[self.axis]));
        for (bound, before) in [("begin", "<"), ("end", "<=")] {
            m.line(format!("var {bound} = 0u;"));
            m.open("");
            m.line(format!("var high = {n};"));
            m.open(format!("while ({bound} < high)"));
            m.line(format!("let between = ({bound} + high) / 2u;"));
            let j = m.element(sorted, &format!("{from} + between"));
            m.line(format!("let here = u32({j});"));
            let key = (rows.key)(m, &row, "here");
            m.line(format!("let before = {key} {before} wanted;"));
            m.line(format!("{bound} = select({bound}, between + 1u, before);"));
            m.line("high = select(between, high, before);");
            m.close();
            m.close();
        }
        self.begin(m);
        m.line(format!("let limit = min(end, (begin + {}u) / {BLOCK}u * {BLOCK}u);", BLOCK - 1));
        m.open("for (var k = begin; k < limit; k++)");
        let j = m.element(sorted, &format!("{from} + k"));
        m.line(format!("let j = u32({j});"));
        let all = self.counters(m, &of, "j");
        self.add(m, &all);
        m.close();
        m.open(format!("for (var block = (limit + {}u) / {BLOCK}u; block * {BLOCK}u < end; block++)", BLOCK - 1));
        let mut terms: Vec<(String, Size)> = Vec::new();
        let mut stride = blocks;
        for d in self.others().into_iter().rev() {
            terms.insert(0, (of[d].clone(), stride.clone()));
            stride = stride.mul(&self.out.shape[d]);
        }
        terms.push(("block".to_string(), Size::from(1i64)));
        let place = m.address(&Size::from(0i64), &terms);
        let x = m.load(heads, &place);
        self.more(m, &x);
        m.close();
        let to = at(m, &self.out.view, &of);
        m.store(self.out.view.buffer, &to, self.sum());
        Grid::Work { count, per: LANES }
    }
}
