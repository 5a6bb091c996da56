//! Large products, block by block in registers: four rows by eight columns at a time.
//!
//! In: a product that has rows (loops of one factor and the result) and columns (of the other factor). Out: a function that goes through it
//! in panels of eight columns. Where these do not lie side by side in memory, or are the last ones, they are brought together first, filled up with
//! 0. A long sum goes in stretches, whose sums come together in 64 bits.

use super::code::Code;
use crate::cpu::r#gen::flags;
use crate::ir::Size;
use crate::ir::sizes::known;
use crate::plan::{Product, Sizes, Span};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{F32, F32X4, F64, I64};
use cranelift_codegen::ir::{InstBuilder, StackSlot, StackSlotData, StackSlotKind, Value};
use cranelift_frontend::Variable;

/// Rows and vectors of columns in a block.
const HIGH: usize = 4;
const WIDE: usize = 2;
const COLUMNS: i64 = 4 * WIDE as i64;
/// With fewer rows or columns, or shorter sums, a loop nest is as good.
const LEAST: i64 = 8;
/// Sums that are longer are cut, after about so many terms each.
const LONG: i64 = 1024;
const STRETCH: i64 = 256;

/// Which loop is what.
pub(super) struct Blocks {
    row: usize,
    column: usize,
    /// The matrix that has the columns is the first factor.
    turned: bool,
    sums: Vec<usize>,
    others: Vec<usize>,
}

/// How a product is taken in blocks, if that is worth it at likely sizes.
pub(super) fn blocks(p: &Product, hints: &Sizes) -> Option<Blocks> {
    let n = |k: &usize| known(&p.spans[*k].size, hints);
    let all = 0..p.spans.len();
    let only = |first: bool| {
        let of = move |s: &Span| match first {
            true => s.a.is_some() && s.b.is_none(),
            false => s.b.is_some() && s.a.is_none(),
        };
        let mine: Vec<usize> = all.clone().filter(|k| p.spans[*k].out.is_some() && of(&p.spans[*k])).collect();
        mine
    };
    let along = |k: &usize, stride: &dyn Fn(&Span) -> Option<Size>| usize::from(stride(&p.spans[*k]).is_some_and(|s| s.is(1)));
    let best = |list: &[usize], stride: &dyn Fn(&Span) -> Option<Size>| {
        let fit = |k: &usize| along(k, &|s| s.out.clone()) + along(k, stride);
        list.iter().copied().filter(|k| n(k) >= LEAST).max_by_key(|k| (fit(k), n(k))).map(|k| (fit(&k), k))
    };
    let (rows, columns) = (only(true), only(false));
    // Columns are those of the two that lie along memory better.
    let turned = best(&rows, &|s| s.a.clone()) > best(&columns, &|s| s.b.clone());
    let (rows, columns) = if turned { (columns, rows) } else { (rows, columns) };
    let column = best(&columns, &|s| if turned { s.a.clone() } else { s.b.clone() })?.1;
    let row = rows.iter().copied().max_by_key(|k| n(k)).filter(|k| n(k) >= LEAST)?;
    let mut sums: Vec<usize> = all.clone().filter(|k| p.spans[*k].out.is_none()).collect();
    // The longest one goes innermost.
    let longest = sums.iter().copied().max_by_key(|k| n(k))?;
    sums.retain(|k| *k != longest);
    sums.push(longest);
    if sums.iter().map(n).product::<i64>() < LEAST {
        return None;
    }
    let others = all.filter(|k| p.spans[*k].out.is_some() && *k != row && *k != column).collect();
    Some(Blocks { row, column, turned, sums, others })
}

impl Blocks {
    /// How many rows there are.
    pub fn rows(&self, p: &Product) -> Size {
        p.spans[self.row].size.clone()
    }

    /// Elements of a panel.
    pub fn panel(&self, p: &Product) -> Size {
        self.sums.iter().fold(Size::from(COLUMNS), |n, k| n.mul(&p.spans[*k].size))
    }
}

/// What all blocks share. `a` has the rows and `b` the columns.
struct Block<'p> {
    sums: &'p [Sum],
    a_row: Value,
    b_column: Value,
    out_row: Value,
    out_column: Value,
    fma: bool,
    /// Whether the sum is long, and where its stretches come together: eight numbers of 64 bits for each row.
    long: Value,
    wide: StackSlot,
    /// Eight elements on their way to places apart.
    apart: StackSlot,
}

/// A loop of the sum.
struct Sum {
    n: Value,
    a: Value,
    b: Value,
    /// In a panel.
    packed: Value,
}

/// Where a block lies, and how `b` moves along the sums.
#[derive(Clone, Copy)]
struct At<'s> {
    a: Value,
    b: Value,
    strides: &'s [Value],
    out: Value,
    /// Columns that there are, and whether all eight are written side by side.
    width: Value,
    whole: Value,
}

/// Writes the function of a product; bases are of the result and both factors.
pub(super) fn product(c: &mut Code, p: &Product, blocks: &Blocks, bases: [Value; 3], panel: Value, fma: bool) {
    let [out, first, second] = bases;
    let (a, b, a_of, b_of): (_, _, fn(&Span) -> &Option<Size>, fn(&Span) -> &Option<Size>) = match blocks.turned {
        false => ((first, &p.a.1), (second, &p.b.1), |s| &s.a, |s| &s.b),
        true => ((second, &p.b.1), (first, &p.a.1), |s| &s.b, |s| &s.a),
    };
    let zero = c.int(0);
    let stride = |c: &mut Code, s: &Option<Size>| s.as_ref().map_or(zero, |s| c.size(s));
    let (row, column) = (&p.spans[blocks.row], &p.spans[blocks.column]);
    let (m, n) = (c.size(&row.size), c.size(&column.size));
    let mut sums = Vec::new();
    let mut packed = c.int(COLUMNS);
    let mut terms = c.int(1);
    for k in blocks.sums.iter().rev() {
        let s = &p.spans[*k];
        let n = c.size(&s.size);
        sums.insert(0, Sum { n, a: stride(c, a_of(s)), b: stride(c, b_of(s)), packed });
        packed = c.b.ins().imul(packed, n);
        terms = c.b.ins().imul(terms, n);
    }
    let slot =
        |c: &mut Code, bytes: i64| c.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, bytes as u32, 4));
    let block = Block {
        sums: &sums,
        a_row: stride(c, a_of(row)),
        b_column: stride(c, b_of(column)),
        out_row: stride(c, &row.out),
        out_column: stride(c, &column.out),
        fma,
        long: c.b.ins().icmp_imm_s(IntCC::SignedGreaterThan, terms, LONG),
        wide: slot(c, 8 * COLUMNS * HIGH as i64),
        apart: slot(c, 4 * COLUMNS),
    };
    let mut others = Vec::new();
    for k in &blocks.others {
        let s = &p.spans[*k];
        others.push((c.size(&s.size), vec![stride(c, &s.out), stride(c, a_of(s)), stride(c, b_of(s))]));
    }
    let starts = [c.size(&p.out.1), c.size(a.1), c.size(b.1)];
    c.walk(&others, &starts, &mut |c, at| {
        let (out, a, b) = (c.place(out, at[0], 4), c.place(a.0, at[1], 4), c.place(b.0, at[2], 4));
        block.columns(c, (m, n), (out, a, b), panel);
    });
}

impl Block<'_> {
    /// Panel after panel.
    fn columns(&self, c: &mut Code, (m, n): (Value, Value), (out, a, b): (Value, Value, Value), panel: Value) {
        let more = c.b.ins().iadd_imm_s(n, COLUMNS - 1);
        let count = c.b.ins().sdiv_imm_s(more, COLUMNS);
        let direct: Vec<Value> = self.sums.iter().map(|s| s.b).collect();
        let packed: Vec<Value> = self.sums.iter().map(|s| s.packed).collect();
        c.each(count, &mut |c, j| {
            let from = c.b.ins().imul_imm_s(j, COLUMNS);
            let left = c.b.ins().isub(n, from);
            let most = c.int(COLUMNS);
            let width = c.b.ins().smin(left, most);
            let full = c.b.ins().icmp(IntCC::Equal, width, most);
            let by = c.b.ins().imul(from, self.b_column);
            let b = c.place(b, by, 4);
            let by = c.b.ins().imul(from, self.out_column);
            let out = c.place(out, by, 4);
            let beside = c.b.ins().icmp_imm_s(IntCC::Equal, self.b_column, 1);
            let ready = c.b.ins().band(full, beside);
            let apart = c.b.ins().bxor_imm_u(ready, 1);
            c.when(apart, &mut |c| self.bring(c, b, panel, width));
            let base = c.b.ins().select(ready, b, panel);
            let strides: Vec<Value> = direct.iter().zip(&packed).map(|(d, p)| c.b.ins().select(ready, *d, *p)).collect();
            let beside = c.b.ins().icmp_imm_s(IntCC::Equal, self.out_column, 1);
            let whole = c.b.ins().band(full, beside);
            let at = At { a, b: base, strides: &strides, out, width, whole };
            self.rows(c, m, &at);
        });
    }

    fn rows(&self, c: &mut Code, m: Value, at: &At) {
        let zero = c.int(0);
        let row = c.var(zero);
        for high in [HIGH, 1] {
            c.while_(
                &mut |c| {
                    let now = c.get(row);
                    let end = c.b.ins().iadd_imm_s(now, high as i64);
                    c.b.ins().icmp(IntCC::SignedLessThanOrEqual, end, m)
                },
                &mut |c| {
                    let now = c.get(row);
                    let (by, to) = (c.b.ins().imul(now, self.a_row), c.b.ins().imul(now, self.out_row));
                    let here = At { a: c.place(at.a, by, 4), out: c.place(at.out, to, 4), ..*at };
                    self.block(c, &here, high);
                    let next = c.b.ins().iadd_imm_s(now, high as i64);
                    c.set(row, next);
                },
            );
        }
    }

    /// Copies columns into the panel, and 0 where there are none.
    fn bring(&self, c: &mut Code, b: Value, panel: Value, width: Value) {
        let dims: Vec<_> = self.sums.iter().map(|s| (s.n, vec![s.b, s.packed])).collect();
        let zero = c.int(0);
        c.walk(&dims, &[zero, zero], &mut |c, at| {
            let (from, to) = (c.place(b, at[0], 4), c.place(panel, at[1], 4));
            let nothing = c.b.ins().f32const(0.0);
            let vector = c.b.ins().splat(F32X4, nothing);
            for v in 0..WIDE {
                c.b.ins().store(flags(), vector, to, 16 * v as i32);
            }
            c.each(width, &mut |c, t| {
                let by = c.b.ins().imul(t, self.b_column);
                let x = c.load(F32, from, by);
                c.store(x, to, t);
            });
        });
    }

    /// Some rows of one panel.
    fn block(&self, c: &mut Code, at: &At, high: usize) {
        let nothing = c.b.ins().f32const(0.0);
        let nothing = c.b.ins().splat(F32X4, nothing);
        let sums: Vec<Variable> = (0..high * WIDE).map(|_| c.var(nothing)).collect();
        let wide = c.b.ins().stack_addr(I64, self.wide, 0);
        c.when(self.long, &mut |c| {
            let bytes = c.int(8 * COLUMNS * high as i64);
            c.clear(wide, bytes);
        });
        let none = c.int(0);
        let pending = c.var(none);
        self.nest(c, at, 0, (at.a, at.b), &sums, pending);
        c.when(self.long, &mut |c| {
            self.flush(c, &sums, wide);
            for (k, v) in sums.iter().enumerate() {
                let mut out = nothing;
                for lane in 0..4 {
                    let x = c.b.ins().load(F64, flags(), wide, 8 * (4 * k + lane) as i32);
                    let x = c.b.ins().fdemote(F32, x);
                    out = c.b.ins().insertlane(out, x, lane as u8);
                }
                c.set(*v, out);
            }
        });
        for r in 0..high {
            let by = c.b.ins().imul_imm_s(self.out_row, r as i64);
            let to = c.place(at.out, by, 4);
            let row: Vec<Value> = (0..WIDE).map(|v| c.get(sums[r * WIDE + v])).collect();
            self.put(c, &row, to, at);
        }
    }

    /// Writes a row of a block.
    fn put(&self, c: &mut Code, row: &[Value], to: Value, at: &At) {
        c.when(at.whole, &mut |c| {
            for (v, x) in row.iter().enumerate() {
                c.b.ins().store(flags(), *x, to, 16 * v as i32);
            }
        });
        let part = c.b.ins().bxor_imm_u(at.whole, 1);
        c.when(part, &mut |c| {
            let apart = c.b.ins().stack_addr(I64, self.apart, 0);
            for (v, x) in row.iter().enumerate() {
                c.b.ins().store(flags(), *x, apart, 16 * v as i32);
            }
            c.each(at.width, &mut |c, t| {
                let x = c.load(F32, apart, t);
                let by = c.b.ins().imul(t, self.out_column);
                c.store(x, to, by);
            });
        });
    }

    /// Adds what registers hold to the sums of 64 bits, and begins anew.
    fn flush(&self, c: &mut Code, sums: &[Variable], wide: Value) {
        let nothing = c.b.ins().f32const(0.0);
        let nothing = c.b.ins().splat(F32X4, nothing);
        for (k, v) in sums.iter().enumerate() {
            let x = c.get(*v);
            for lane in 0..4 {
                let x = c.b.ins().extractlane(x, lane as u8);
                let x = c.b.ins().fpromote(F64, x);
                let at = 8 * (4 * k + lane) as i32;
                let old = c.b.ins().load(F64, flags(), wide, at);
                let now = c.b.ins().fadd(old, x);
                c.b.ins().store(flags(), now, wide, at);
            }
            c.set(*v, nothing);
        }
    }

    /// The loops of the sum; the last one in stretches.
    fn nest(&self, c: &mut Code, at: &At, level: usize, (a, b): (Value, Value), sums: &[Variable], pending: Variable) {
        let sum = &self.sums[level];
        let (a_step, b_step) = (c.b.ins().ishl_imm_u(sum.a, 2), c.b.ins().ishl_imm_u(at.strides[level], 2));
        if level + 1 < self.sums.len() {
            return c.each(sum.n, &mut |c, i| {
                let (x, y) = (c.b.ins().imul(i, a_step), c.b.ins().imul(i, b_step));
                let (a, b) = (c.b.ins().iadd(a, x), c.b.ins().iadd(b, y));
                self.nest(c, at, level + 1, (a, b), sums, pending);
            });
        }
        let (a, b) = (c.var(a), c.var(b));
        let zero = c.int(0);
        let done = c.var(zero);
        c.while_(
            &mut |c| {
                let done = c.get(done);
                c.b.ins().icmp(IntCC::SignedLessThan, done, sum.n)
            },
            &mut |c| {
                let before = c.get(done);
                let left = c.b.ins().isub(sum.n, before);
                let most = c.int(STRETCH);
                let count = c.b.ins().smin(left, most);
                c.each(count, &mut |c, _| self.term(c, (a, a_step), (b, b_step), sums));
                let after = c.b.ins().iadd(before, count);
                c.set(done, after);
                let waiting = c.get(pending);
                let waiting = c.b.ins().iadd(waiting, count);
                c.set(pending, waiting);
                let much = c.b.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, waiting, STRETCH);
                let much = c.b.ins().band(much, self.long);
                c.when(much, &mut |c| {
                    let wide = c.b.ins().stack_addr(I64, self.wide, 0);
                    self.flush(c, sums, wide);
                    let none = c.int(0);
                    c.set(pending, none);
                });
            },
        );
    }

    /// One term of all sums of a block.
    fn term(&self, c: &mut Code, (a, a_step): (Variable, Value), (b, b_step): (Variable, Value), sums: &[Variable]) {
        let (from, row) = (c.get(a), c.get(b));
        let vectors: Vec<Value> = (0..WIDE).map(|v| c.b.ins().load(F32X4, flags(), row, 16 * v as i32)).collect();
        for r in 0..sums.len() / WIDE {
            let by = c.b.ins().imul_imm_s(self.a_row, 4 * r as i64);
            let at = c.b.ins().iadd(from, by);
            let x = c.b.ins().load(F32, flags(), at, 0);
            let x = c.b.ins().splat(F32X4, x);
            for (v, y) in vectors.iter().enumerate() {
                let sum = sums[r * WIDE + v];
                let old = c.get(sum);
                let now = match self.fma {
                    true => c.b.ins().fma(x, *y, old),
                    false => {
                        let more = c.b.ins().fmul(x, *y);
                        c.b.ins().fadd(old, more)
                    }
                };
                c.set(sum, now);
            }
        }
        let (from, row) = (c.b.ins().iadd(from, a_step), c.b.ins().iadd(row, b_step));
        c.set(a, from);
        c.set(b, row);
    }
}
