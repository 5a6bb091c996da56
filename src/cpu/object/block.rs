//! The inside of a product: four rows by eight columns in registers.
//!
//! In: rows, each with where it begins in one factor and in the result, and a matrix of the other factor. It is taken in panels of eight
//! columns. Where many rows meet a panel, or its columns do not lie side by side, or are fewer than eight, it is brought together first, filled up
//! with 0. A long sum goes in stretches, whose sums come together in 64 bits.

use super::code::Code;
use crate::cpu::r#gen::flags;
use crate::plan::measured::cpu::OBJECT_IN_PLACE;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{F32, F32X4, F64, I64};
use cranelift_codegen::ir::{InstBuilder, StackSlot, StackSlotData, StackSlotKind, Value};
use cranelift_frontend::Variable;

/// Rows and vectors of columns in a block.
const HIGH: usize = 4;
const WIDE: usize = 2;
pub(super) const COLUMNS: i64 = 4 * WIDE as i64;
/// Sums that are longer are cut, after about so many terms each.
const LONG: i64 = 1024;
const STRETCH: i64 = 256;

/// How far apart columns are, in the matrix and in the result.
#[derive(Clone, Copy)]
pub(super) struct Sides {
    pub b_column: Value,
    pub out_column: Value,
}

/// A loop of the sum, with its strides in the rows, in the matrix, and in a panel.
struct Sum {
    n: Value,
    a: Value,
    b: Value,
    packed: Value,
}

/// What all blocks of a product share.
pub(super) struct Block {
    sums: Vec<Sum>,
    sides: Sides,
    panel: Value,
    fma: bool,
    /// Whether the sum is long, and where its stretches come together: eight numbers of 64 bits for each row.
    long: Value,
    wide: StackSlot,
    /// Eight elements on their way to places apart.
    apart: StackSlot,
}

/// Where row `i` begins in its factor and in the result.
pub(super) type Row<'r> = &'r dyn Fn(&mut Code, Value) -> (Value, Value);

/// A panel: where it lies, how it moves along the sums, where its columns begin in a row of the result (in bytes), how many there are, and
/// whether all eight lie side by side there.
struct Panel {
    b: Value,
    strides: Vec<Value>,
    out: Value,
    width: Value,
    whole: Value,
}

impl Block {
    /// `sums` are the loops of the sum, each with its strides in the rows and in the matrix; the last one is the innermost.
    pub fn new(c: &mut Code, sums: &[(Value, Value, Value)], sides: Sides, panel: Value, fma: bool) -> Block {
        let mut all = Vec::new();
        let (mut packed, mut terms) = (c.int(COLUMNS), c.int(1));
        for (n, a, b) in sums.iter().rev() {
            all.insert(0, Sum { n: *n, a: *a, b: *b, packed });
            packed = c.b.ins().imul(packed, *n);
            terms = c.b.ins().imul(terms, *n);
        }
        let slot = |c: &mut Code, bytes: i64| {
            c.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, bytes as u32, 4))
        };
        Block {
            sums: all,
            sides,
            panel,
            fma,
            long: c.b.ins().icmp_imm_s(IntCC::SignedGreaterThan, terms, LONG),
            wide: slot(c, 8 * COLUMNS * HIGH as i64),
            apart: slot(c, 4 * COLUMNS),
        }
    }

    /// Rows `from .. to` times the matrix at `b`, which has `n` columns, panel after panel.
    pub fn columns(&self, c: &mut Code, n: Value, (from, to): (Value, Value), b: Value, row: Row) {
        let more = c.b.ins().iadd_imm_s(n, COLUMNS - 1);
        let count = c.b.ins().sdiv_imm_s(more, COLUMNS);
        let rows = c.b.ins().isub(to, from);
        let few = c.b.ins().icmp_imm_s(IntCC::SignedLessThanOrEqual, rows, OBJECT_IN_PLACE);
        c.each(count, &mut |c, j| {
            let first = c.b.ins().imul_imm_s(j, COLUMNS);
            let left = c.b.ins().isub(n, first);
            let most = c.int(COLUMNS);
            let width = c.b.ins().smin(left, most);
            let full = c.b.ins().icmp(IntCC::Equal, width, most);
            let by = c.b.ins().imul(first, self.sides.b_column);
            let b = c.place(b, by, 4);
            let beside = c.b.ins().icmp_imm_s(IntCC::Equal, self.sides.b_column, 1);
            let beside = c.b.ins().band(full, beside);
            let ready = c.b.ins().band(beside, few);
            let apart = c.b.ins().bxor_imm_u(ready, 1);
            c.when(apart, &mut |c| self.bring(c, b, width, beside));
            let base = c.b.ins().select(ready, b, self.panel);
            let strides = self.sums.iter().map(|s| c.b.ins().select(ready, s.b, s.packed)).collect();
            let by = c.b.ins().imul(first, self.sides.out_column);
            let out = c.b.ins().ishl_imm_u(by, 2);
            let side = c.b.ins().icmp_imm_s(IntCC::Equal, self.sides.out_column, 1);
            let whole = c.b.ins().band(full, side);
            self.rows(c, (from, to), &Panel { b: base, strides, out, width, whole }, row);
        });
    }

    /// Copies columns into the panel, and 0 where there are none.
    fn bring(&self, c: &mut Code, b: Value, width: Value, beside: Value) {
        let dims: Vec<_> = self.sums.iter().map(|s| (s.n, vec![s.b, s.packed])).collect();
        let zero = c.int(0);
        let apart = c.b.ins().bxor_imm_u(beside, 1);
        c.when(beside, &mut |c| {
            c.walk(&dims, &[zero, zero], &mut |c, at| {
                let (from, to) = (c.place(b, at[0], 4), c.place(self.panel, at[1], 4));
                for v in 0..WIDE {
                    let x = c.b.ins().load(F32X4, flags(), from, 16 * v as i32);
                    c.b.ins().store(flags(), x, to, 16 * v as i32);
                }
            });
        });
        c.when(apart, &mut |c| {
            c.walk(&dims, &[zero, zero], &mut |c, at| {
                let (from, to) = (c.place(b, at[0], 4), c.place(self.panel, at[1], 4));
                let nothing = c.b.ins().f32const(0.0);
                let vector = c.b.ins().splat(F32X4, nothing);
                for v in 0..WIDE {
                    c.b.ins().store(flags(), vector, to, 16 * v as i32);
                }
                c.each(width, &mut |c, t| {
                    let by = c.b.ins().imul(t, self.sides.b_column);
                    let x = c.load(F32, from, by);
                    c.store(x, to, t);
                });
            });
        });
    }

    fn rows(&self, c: &mut Code, (from, to): (Value, Value), panel: &Panel, row: Row) {
        let next = c.var(from);
        for high in [HIGH, 1] {
            c.while_(
                &mut |c| {
                    let now = c.get(next);
                    let end = c.b.ins().iadd_imm_s(now, high as i64);
                    c.b.ins().icmp(IntCC::SignedLessThanOrEqual, end, to)
                },
                &mut |c| {
                    let now = c.get(next);
                    let mut rows = Vec::new();
                    for r in 0..high {
                        let i = c.b.ins().iadd_imm_s(now, r as i64);
                        let (a, out) = row(c, i);
                        rows.push((a, c.b.ins().iadd(out, panel.out)));
                    }
                    self.block(c, panel, &rows);
                    let after = c.b.ins().iadd_imm_s(now, high as i64);
                    c.set(next, after);
                },
            );
        }
    }

    /// Some rows of one panel.
    fn block(&self, c: &mut Code, panel: &Panel, rows: &[(Value, Value)]) {
        let nothing = c.b.ins().f32const(0.0);
        let nothing = c.b.ins().splat(F32X4, nothing);
        let sums: Vec<Variable> = (0..rows.len() * WIDE).map(|_| c.var(nothing)).collect();
        let wide = c.b.ins().stack_addr(I64, self.wide, 0);
        c.when(self.long, &mut |c| {
            let bytes = c.int(8 * COLUMNS * rows.len() as i64);
            c.clear(wide, bytes);
        });
        let none = c.int(0);
        let pending = c.var(none);
        let starts: Vec<Value> = rows.iter().map(|r| r.0).collect();
        self.nest(c, panel, 0, (none, panel.b), (&starts, &sums, pending));
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
        for ((_, to), sums) in rows.iter().zip(sums.chunks(WIDE)) {
            let row: Vec<Value> = sums.iter().map(|v| c.get(*v)).collect();
            self.put(c, &row, *to, panel);
        }
    }

    /// Writes a row of a block.
    fn put(&self, c: &mut Code, row: &[Value], to: Value, panel: &Panel) {
        c.when(panel.whole, &mut |c| {
            for (v, x) in row.iter().enumerate() {
                c.b.ins().store(flags(), *x, to, 16 * v as i32);
            }
        });
        let part = c.b.ins().bxor_imm_u(panel.whole, 1);
        c.when(part, &mut |c| {
            let apart = c.b.ins().stack_addr(I64, self.apart, 0);
            for (v, x) in row.iter().enumerate() {
                c.b.ins().store(flags(), *x, apart, 16 * v as i32);
            }
            c.each(panel.width, &mut |c, t| {
                let x = c.load(F32, apart, t);
                let by = c.b.ins().imul(t, self.sides.out_column);
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

    /// The loops of the sum, from how far the rows have gone and where the panel is; the last loop in stretches.
    fn nest(
        &self,
        c: &mut Code,
        panel: &Panel,
        level: usize,
        (gone, b): (Value, Value),
        (starts, sums, pending): (&[Value], &[Variable], Variable),
    ) {
        let sum = &self.sums[level];
        let (a_step, b_step) = (c.b.ins().ishl_imm_u(sum.a, 2), c.b.ins().ishl_imm_u(panel.strides[level], 2));
        if level + 1 < self.sums.len() {
            return c.each(sum.n, &mut |c, i| {
                let (x, y) = (c.b.ins().imul(i, a_step), c.b.ins().imul(i, b_step));
                let (gone, b) = (c.b.ins().iadd(gone, x), c.b.ins().iadd(b, y));
                self.nest(c, panel, level + 1, (gone, b), (starts, sums, pending));
            });
        }
        let (gone, b) = (c.var(gone), c.var(b));
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
                c.each(count, &mut |c, _| self.term(c, (gone, a_step), (b, b_step), (starts, sums)));
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
    fn term(
        &self,
        c: &mut Code,
        (gone, a_step): (Variable, Value),
        (b, b_step): (Variable, Value),
        (starts, sums): (&[Value], &[Variable]),
    ) {
        let (far, row) = (c.get(gone), c.get(b));
        let vectors: Vec<Value> = (0..WIDE).map(|v| c.b.ins().load(F32X4, flags(), row, 16 * v as i32)).collect();
        for (start, sums) in starts.iter().zip(sums.chunks(WIDE)) {
            let at = c.b.ins().iadd(*start, far);
            let x = c.b.ins().load(F32, flags(), at, 0);
            let x = c.b.ins().splat(F32X4, x);
            for (sum, y) in sums.iter().zip(&vectors) {
                let old = c.get(*sum);
                let now = match self.fma {
                    true => c.b.ins().fma(x, *y, old),
                    false => {
                        let more = c.b.ins().fmul(x, *y);
                        c.b.ins().fadd(old, more)
                    }
                };
                c.set(*sum, now);
            }
        }
        let (far, row) = (c.b.ins().iadd(far, a_step), c.b.ins().iadd(row, b_step));
        c.set(gone, far);
        c.set(b, row);
    }
}
