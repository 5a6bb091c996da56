//! Sums of values where their index says, in a fixed order and without atomics.
//!
//! Three ways, by the sizes: one thread an element of the result that goes over all values; a workgroup an element that shares
//! them; or the values in the order of their indices, and each element sums its own stretch.

use super::super::program::{Grid, Item};
use super::Emitter;
use super::merge::{Key, Rows, half};
use super::module::Module;
use super::special::{LANES, WIDE, at, loops, product, share};
use crate::ir::{DType, Size};
use crate::plan::Window;
use crate::source::Span;

/// Windows over the loops of the result, then those of the values; the index decides along `axis`.
pub(super) struct Scatter<'s> {
    pub index: &'s Window,
    pub value: &'s Window,
    pub out: &'s Window,
    pub axis: usize,
    pub dtype: DType,
}

/// So many values are walked by one thread.
const FEW: i64 = 256;
/// So many comparisons are cheaper than sorting.
const CHEAP: i64 = 1 << 22;

impl Emitter<'_> {
    pub(super) fn scatter(&mut self, s: &Scatter, places: &[Span], out: &mut Vec<Item>) {
        let name = self.buffers[s.out.view.buffer].name.clone();
        let none = Size::from(0i64);
        let values = (self.size)(&product(s.values()));
        let work = (self.size)(&product(&s.out.shape)).saturating_mul(values);
        if values <= FEW {
            return out.push(self.shader(&name, LANES, places, none, &|m| s.walk(m)));
        }
        if work <= CHEAP {
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
        out.push(self.shader(&name, LANES, places, none, &|m| s.stretch(m, &dims, &rows, sorted)));
    }
}

impl Scatter<'_> {
    /// Extents of the loops over values.
    fn values(&self) -> &[Size] {
        &self.index.shape[self.out.shape.len()..]
    }

    /// Dims of the result that the index depends on.
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

    fn zero(&self) -> &'static str {
        if self.dtype == DType::F32 { "0.0" } else { "0" }
    }

    /// Adds value `j` to `sum`.
    fn add(&self, m: &mut Module, all: &[String]) {
        let from = at(m, &self.value.view, all);
        let x = m.load(self.value.view.buffer, &from);
        let x = super::scalar::convert(m, x, m.buffers[self.value.view.buffer].dtype, self.dtype);
        m.line(format!("sum += {x};"));
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
        m.line(format!("var sum = {};", self.zero()));
        m.open(format!("for (var j = 0u; j < {n}; j++)"));
        self.take(m, &of, "j");
        m.close();
        let to = at(m, &self.out.view, &of);
        m.store(self.out.view.buffer, &to, "sum");
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
        m.line(format!("var sum = {};", self.zero()));
        m.open(format!("for (var j = lane; j < {n}; j += {WIDE}u)"));
        self.take(m, &of, "j");
        m.close();
        m.line(format!("{sums}[lane] = sum;"));
        m.line("workgroupBarrier();");
        m.open(format!("for (var half = {}u; half > 0u; half /= 2u)", WIDE / 2));
        m.line(format!("if (lane < half) {{ {sums}[lane] += {sums}[lane + half]; }}"));
        m.line("workgroupBarrier();");
        m.close();
        m.open("if (lane == 0u)");
        let to = at(m, &self.out.view, &of);
        m.store(self.out.view.buffer, &to, &format!("{sums}[0]"));
        m.close();
        Grid::Work { count, per: 1 }
    }

    /// One thread an element: the values for it stand together in their sorted order.
    fn stretch(&self, m: &mut Module, dims: &[usize], rows: &Rows, sorted: usize) -> Grid {
        m.reserve("sum j k low high between here wanted before");
        let count = product(&self.out.shape);
        let item = m.threads(&count, LANES);
        let of = m.split(&item, &loops(&self.out.shape, "o"));
        let row: Vec<String> = dims.iter().map(|d| of[*d].clone()).collect();
        let from = half(m, &rows.shape, &rows.along, &row);
        let n = m.size(&rows.along);
        // All values may be for one element.
        m.rounds(&rows.along);
        m.line(format!("let wanted = {} ^ 0x80000000u;", of[self.axis]));
        m.line("var low = 0u;");
        m.line(format!("var high = {n};"));
        m.open("while (low < high)");
        m.line("let between = (low + high) / 2u;");
        let j = m.element(sorted, &format!("{from} + between"));
        m.line(format!("let here = u32({j});"));
        let key = (rows.key)(m, &row, "here");
        m.line(format!("let before = {key} < wanted;"));
        m.line("low = select(low, between + 1u, before);");
        m.line("high = select(between, high, before);");
        m.close();
        m.line(format!("var sum = {};", self.zero()));
        m.open(format!("for (var k = low; k < {n}; k++)"));
        let j = m.element(sorted, &format!("{from} + k"));
        m.line(format!("let j = u32({j});"));
        let all = self.counters(m, &of, "j");
        let at_index = at(m, &self.index.view, &all);
        let i = m.load(self.index.view.buffer, &at_index);
        m.line(format!("if ({i} != i32({})) {{ break; }}", of[self.axis]));
        self.add(m, &all);
        m.close();
        let to = at(m, &self.out.view, &of);
        m.store(self.out.view.buffer, &to, "sum");
        Grid::Work { count, per: LANES }
    }
}
