//! The cheapest permutation of each square matrix: the Hungarian method, step by step as the interpreter does it.

use crate::cpu::object::code::{Code, Pane};
use crate::ir::Size;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32, F64, I32, I64};
use cranelift_codegen::ir::{InstBuilder, Value};

/// Elements of 64 bits that a matrix of this many rows needs beside it: its costs, and six lists.
pub(in crate::cpu::object) fn scratch(n: &Size) -> Size {
    n.mul(n).add(&n.add(&Size::from(1i64)).mul(&Size::from(6i64)))
}

/// Where the parts of the scratch memory begin; each list has a place for row or column 0, which is outside of the matrix.
struct Lists {
    n: Value,
    costs: Value,
    of_row: Value,
    of_column: Value,
    reach: Value,
    row_of: Value,
    from: Value,
    done: Value,
}

/// Writes the column of each row of every matrix to `to`.
pub(in crate::cpu::object) fn assign(c: &mut Code, input: &Pane, to: Value, scratch: Value) {
    let rank = input.dims.len();
    let (n, down) = input.dims[rank - 2];
    let along = input.dims[rank - 1].1;
    let dims: Vec<_> = input.dims[..rank - 2].iter().map(|(n, s)| (*n, vec![*s])).collect();
    let zero = c.int(0);
    let one_more = c.b.ins().iadd_imm_s(n, 1);
    let squares = c.b.ins().imul(n, n);
    let list = |c: &mut Code, k: i64| {
        let by = c.b.ins().imul_imm_s(one_more, k);
        let at = c.b.ins().iadd(squares, by);
        c.place(scratch, at, 8)
    };
    let l = Lists {
        n,
        costs: scratch,
        of_row: list(c, 0),
        of_column: list(c, 1),
        reach: list(c, 2),
        row_of: list(c, 3),
        from: list(c, 4),
        done: list(c, 5),
    };
    let next = c.var(to);
    let base = input.base;
    c.walk(&dims, &[zero], &mut |c, at| {
        l.read(c, base, at[0], (down, along));
        l.solve(c);
        let out = c.get(next);
        c.each(n, &mut |c, k| {
            let column = c.b.ins().iadd_imm_s(k, 1);
            let row = c.load(I64, l.row_of, column);
            let row = c.b.ins().iadd_imm_s(row, -1);
            let k = c.b.ins().ireduce(I32, k);
            c.store(k, out, row);
        });
        let after = c.place(out, n, 4);
        c.set(next, after);
    });
}

impl Lists {
    /// Brings the costs together, what is infinite put beyond every sum of what is finite.
    fn read(&self, c: &mut Code, base: Value, at: Value, (down, along): (Value, Value)) {
        let n = self.n;
        let nothing = c.b.ins().f64const(0.0);
        let largest = c.var(nothing);
        let cost = |c: &mut Code, i: Value, j: Value| {
            let (x, y) = (c.b.ins().imul(i, down), c.b.ins().imul(j, along));
            let here = c.b.ins().iadd(at, x);
            let here = c.b.ins().iadd(here, y);
            let x = c.load(F32, base, here);
            c.b.ins().fpromote(F64, x)
        };
        c.each(n, &mut |c, i| {
            c.each(n, &mut |c, j| {
                let x = cost(c, i, j);
                let size = c.b.ins().fabs(x);
                let infinite = c.b.ins().f64const(f64::INFINITY);
                let finite = c.b.ins().fcmp(FloatCC::LessThan, size, infinite);
                let old = c.get(largest);
                let more = c.b.ins().fcmp(FloatCC::GreaterThan, size, old);
                let both = c.b.ins().band(finite, more);
                let now = c.b.ins().select(both, size, old);
                c.set(largest, now);
            });
        });
        let count = c.b.ins().fcvt_from_sint(F64, n);
        let (one, four, most) = (c.b.ins().f64const(1.0), c.b.ins().f64const(4.0), c.b.ins().f64const(1e300));
        let count = c.b.ins().fadd(count, one);
        let largest = c.get(largest);
        let above = c.b.ins().fadd(largest, one);
        let beyond = c.b.ins().fmul(four, count);
        let beyond = c.b.ins().fmul(beyond, above);
        let beyond = c.b.ins().fmin(beyond, most);
        let below = c.b.ins().fneg(beyond);
        c.each(n, &mut |c, i| {
            c.each(n, &mut |c, j| {
                let x = cost(c, i, j);
                let none = c.b.ins().fcmp(FloatCC::NotEqual, x, x);
                let held = c.b.ins().fmin(x, beyond);
                let held = c.b.ins().fmax(held, below);
                let x = c.b.ins().select(none, beyond, held);
                let row = c.b.ins().imul(i, n);
                let to = c.b.ins().iadd(row, j);
                c.store(x, self.costs, to);
            });
        });
    }

    fn solve(&self, c: &mut Code) {
        let lists = c.b.ins().iadd_imm_s(self.n, 1);
        let bytes = c.b.ins().imul_imm_s(lists, 8);
        for list in [self.of_row, self.of_column, self.row_of] {
            c.clear(list, bytes);
        }
        c.each(self.n, &mut |c, i| {
            let row = c.b.ins().iadd_imm_s(i, 1);
            let zero = c.int(0);
            c.store(row, self.row_of, zero);
            c.clear(self.from, bytes);
            c.clear(self.done, bytes);
            c.each(lists, &mut |c, k| {
                let infinite = c.b.ins().f64const(f64::INFINITY);
                c.store(infinite, self.reach, k);
            });
            let column = c.var(zero);
            c.while_(
                &mut |c| {
                    let k = c.get(column);
                    c.load(I64, self.row_of, k)
                },
                &mut |c| {
                    let k = c.get(column);
                    let next = self.extend(c, k, lists);
                    c.set(column, next);
                },
            );
            // Along the way that was found every row takes the next one's column.
            c.while_(&mut |c| c.get(column), &mut |c| {
                let k = c.get(column);
                let before = c.load(I64, self.from, k);
                let row = c.load(I64, self.row_of, before);
                c.store(row, self.row_of, k);
                c.set(column, before);
            });
        });
    }

    /// From a column to the nearest one that is not done.
    fn extend(&self, c: &mut Code, column: Value, lists: Value) -> Value {
        let one = c.int(1);
        c.store(one, self.done, column);
        let here = c.load(I64, self.row_of, column);
        let row = c.b.ins().iadd_imm_s(here, -1);
        let row = c.b.ins().imul(row, self.n);
        let own = c.load(F64, self.of_row, here);
        let infinite = c.b.ins().f64const(f64::INFINITY);
        let zero = c.int(0);
        let (step, next) = (c.var(infinite), c.var(zero));
        c.each(self.n, &mut |c, j| {
            let k = c.b.ins().iadd_imm_s(j, 1);
            let done = c.load(I64, self.done, k);
            let open = c.b.ins().icmp_imm_s(IntCC::Equal, done, 0);
            c.when(open, &mut |c| {
                let at = c.b.ins().iadd(row, j);
                let cost = c.load(F64, self.costs, at);
                let other = c.load(F64, self.of_column, k);
                let reduced = c.b.ins().fsub(cost, own);
                let reduced = c.b.ins().fsub(reduced, other);
                let old = c.load(F64, self.reach, k);
                let nearer = c.b.ins().fcmp(FloatCC::LessThan, reduced, old);
                c.when(nearer, &mut |c| {
                    c.store(reduced, self.reach, k);
                    c.store(column, self.from, k);
                });
                let reach = c.b.ins().select(nearer, reduced, old);
                let (best, place) = (c.get(step), c.get(next));
                let less = c.b.ins().fcmp(FloatCC::LessThan, reach, best);
                let (best, place) = (c.b.ins().select(less, reach, best), c.b.ins().select(less, k, place));
                c.set(step, best);
                c.set(next, place);
            });
        });
        let step = c.get(step);
        c.each(lists, &mut |c, k| {
            let done = c.load(I64, self.done, k);
            let is_done = c.b.ins().icmp_imm_s(IntCC::NotEqual, done, 0);
            let open = c.b.ins().icmp_imm_s(IntCC::Equal, done, 0);
            c.when(is_done, &mut |c| {
                let row = c.load(I64, self.row_of, k);
                let (x, y) = (c.load(F64, self.of_row, row), c.load(F64, self.of_column, k));
                let (x, y) = (c.b.ins().fadd(x, step), c.b.ins().fsub(y, step));
                c.store(x, self.of_row, row);
                c.store(y, self.of_column, k);
            });
            c.when(open, &mut |c| {
                let x = c.load(F64, self.reach, k);
                let x = c.b.ins().fsub(x, step);
                c.store(x, self.reach, k);
            });
        });
        c.get(next)
    }
}
