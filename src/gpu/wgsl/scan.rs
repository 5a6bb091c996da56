//! Running sums. A short row is one thread's; a longer one is shared by a workgroup; a long one is cut into blocks, whose sums are
//! summed up first. f32 sums keep what they round away.

use super::super::program::{Buffer, Grid, Item, Kind};
use super::Emitter;
use super::module::Module;
use super::special::{LANES, WIDE, at, loops, product, row_major, share};
use crate::ir::{DType, Size};
use crate::plan::measured::gpu::{SCAN_BLOCK as BLOCK, SCAN_LONG, SCAN_SHORT};
use crate::plan::{View, Window};
use crate::source::Span;

/// A running sum of a window along one of its dims, into a buffer of its shape.
struct Scan<'s> {
    input: &'s Window,
    out: usize,
    axis: usize,
    dtype: DType,
}

/// What the blocks of a row are for.
#[derive(Clone, Copy)]
enum Blocks {
    /// There is one, the row.
    One,
    /// Their sums go to this buffer, a row's one after the other.
    Sum(usize),
    /// The sums up to and with each of them are in this buffer.
    Add(usize),
}

impl Emitter<'_> {
    pub(super) fn scan(
        &mut self,
        (input, to, axis): (&Window, usize, usize),
        dtype: DType,
        places: &[Span],
        out: &mut Vec<Item>,
    ) {
        let name = self.buffers[to].name.clone();
        let none = Size::from(0i64);
        let s = Scan { input, out: to, axis, dtype };
        let n = (self.size)(&input.shape[axis]);
        if n <= SCAN_SHORT {
            return out.push(self.shader(&name, LANES, places, none, &|m| s.alone(m)));
        }
        if n <= SCAN_LONG {
            return out.push(self.shader(&name, WIDE, places, none, &|m| s.shared(m, Blocks::One)));
        }
        let mut shape = s.rows();
        shape.push(s.blocks());
        let early = self.buffers[to].early;
        let mut make = |what: &str| {
            let name = format!("{name}_{what}");
            self.buffers.push(Buffer { name, dtype, shape: shape.clone(), kind: Kind::Temp, early, half: false });
            self.buffers.len() - 1
        };
        let (sums, before) = (make("blocks"), make("before"));
        out.push(self.shader(&format!("{name}_blocks"), WIDE, places, none.clone(), &|m| s.shared(m, Blocks::Sum(sums))));
        let view = View { buffer: sums, offset: none.clone(), strides: row_major(&shape) };
        let axis = shape.len() - 1;
        self.scan((&Window { view, shape }, before, axis), dtype, places, out);
        out.push(self.shader(&name, WIDE, places, none, &|m| s.shared(m, Blocks::Add(before))));
    }
}

impl Scan<'_> {
    fn rows(&self) -> Vec<Size> {
        let mut rows = self.input.shape.clone();
        rows.remove(self.axis);
        rows
    }

    fn blocks(&self) -> Size {
        share(&self.input.shape[self.axis], BLOCK)
    }

    fn real(&self) -> bool {
        self.dtype == DType::F32
    }

    /// A variable for a running sum; what it takes in; the sum.
    fn begin(&self, m: &mut Module, name: &str) {
        m.line(if self.real() { format!("var {name} = vec2<f32>(0.0);") } else { format!("var {name} = 0;") });
    }

    fn add(&self, m: &mut Module, name: &str, x: &str) {
        if self.real() {
            let (kept, zero) = (m.function("kept"), m.number(0, "zero"));
            m.line(format!("{name} = {kept}({name}, {x}, {zero});"));
        } else {
            m.line(format!("{name} += {x};"));
        }
    }

    fn got(&self, name: &str) -> String {
        if self.real() { format!("{name}.x") } else { name.to_string() }
    }

    /// The element at some counters.
    fn element(&self, m: &mut Module, counters: &[String]) -> String {
        let from = at(m, &self.input.view, counters);
        let x = m.load(self.input.view.buffer, &from);
        super::scalar::convert(m, x, m.buffers[self.input.view.buffer].dtype, self.dtype)
    }

    fn store(&self, m: &mut Module, counters: &[String], value: &str) {
        let home = View { buffer: self.out, offset: Size::from(0i64), strides: row_major(&self.input.shape) };
        let to = at(m, &home, counters);
        m.store(self.out, &to, value);
    }

    /// One thread a row.
    fn alone(&self, m: &mut Module) -> Grid {
        m.reserve("sum i");
        let rows = self.rows();
        let count = product(&rows);
        let item = m.threads(&count, LANES);
        let mut counters = m.split(&item, &loops(&rows, "row"));
        counters.insert(self.axis, "i".to_string());
        m.rounds(&self.input.shape[self.axis]);
        let n = m.size(&self.input.shape[self.axis]);
        self.begin(m, "sum");
        m.open(format!("for (var i = 0u; i < {n}; i++)"));
        let x = self.element(m, &counters);
        self.add(m, "sum", &x);
        self.store(m, &counters, &self.got("sum"));
        m.close();
        Grid::Work { count, per: LANES }
    }

    /// One workgroup a row, or a block of one: every thread sums a stretch, the stretches are summed up, and every thread goes over its
    /// own again.
    fn shared(&self, m: &mut Module, blocks: Blocks) -> Grid {
        m.reserve("group row block start stop stretch first last sum before i k");
        let rows = self.rows();
        let along = &self.input.shape[self.axis];
        let whole = matches!(blocks, Blocks::One);
        let across = if whole { Size::from(1i64) } else { self.blocks() };
        let count = product(&rows).mul(&across);
        m.line("let group = wg.y * 65535u + wg.x;");
        let (all, n) = (m.size(&count), m.size(along));
        let sums = m.shared("sums", &format!("array<{}, {WIDE}>", if self.real() { "f32" } else { "i32" }));
        // The whole workgroup works on one block, so all of it leaves.
        m.line(format!("if (group >= {all}) {{ return; }}"));
        let per = if whole { along.clone() } else { Size::from(i64::from(BLOCK)) };
        m.rounds(&share(&per, WIDE).mul(&Size::from(2i64)).add(&Size::from(i64::from(WIDE))));
        let mut counters = if whole {
            m.line(format!("let stretch = ({n} + {}u) / {WIDE}u;", WIDE - 1));
            m.line("let first = lane * stretch;");
            m.line(format!("let last = min(first + stretch, {n});"));
            m.split("group", &loops(&rows, "row"))
        } else {
            let a = m.size(&across);
            m.line(format!("let row = group / {a};"));
            m.line(format!("let block = group % {a};"));
            m.line(format!("let first = block * {BLOCK}u + lane * {}u;", BLOCK / WIDE));
            m.line(format!("let last = min(first + {}u, {n});", BLOCK / WIDE));
            m.split("row", &loops(&rows, "row"))
        };
        counters.insert(self.axis, "i".to_string());
        self.begin(m, "sum");
        m.open("for (var i = first; i < last; i++)");
        let x = self.element(m, &counters);
        self.add(m, "sum", &x);
        m.close();
        m.line(format!("{sums}[lane] = {};", self.got("sum")));
        m.line("workgroupBarrier();");
        self.begin(m, "before");
        if let Blocks::Sum(to) = blocks {
            m.open("if (lane == 0u)");
            m.open(format!("for (var k = 0u; k < {WIDE}u; k++)"));
            self.add(m, "before", &format!("{sums}[k]"));
            m.close();
            m.store(to, "group", &self.got("before"));
            m.close();
            return Grid::Work { count, per: 1 };
        }
        if let Blocks::Add(from) = blocks {
            m.open("if (block > 0u)");
            let x = m.load(from, "group - 1u");
            self.add(m, "before", &x);
            m.close();
        }
        m.open("for (var k = 0u; k < lane; k++)");
        self.add(m, "before", &format!("{sums}[k]"));
        m.close();
        m.open("for (var i = first; i < last; i++)");
        self.add(m, "before", &x);
        self.store(m, &counters, &self.got("before"));
        m.close();
        Grid::Work { count, per: 1 }
    }
}
