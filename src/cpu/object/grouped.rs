//! Products whose matrix an index chooses, with the rows of each matrix together.
//!
//! In: a grouped product. Out: a function that counts the rows of every group, lists them in the order of their groups (and of their numbers
//! within each), and takes the rows of each group times its matrix. A row that chooses none meets one of zeros.

use super::block::{Block, COLUMNS, Sides};
use super::code::Code;
use crate::ir::Size;
use crate::ir::sizes::known;
use crate::plan::measured::cpu::OBJECT_LEAST;
use crate::plan::{Grouped, Sizes};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{F32, I32, I64};
use cranelift_codegen::ir::{InstBuilder, Value};

/// Which loop is what.
pub(super) struct Groups {
    rows: Vec<usize>,
    /// The column that goes along memory, if one does, is the last.
    columns: Vec<usize>,
    sums: Vec<usize>,
}

/// How a grouped product is taken group by group, if that is worth it at likely sizes.
pub(super) fn groups(g: &Grouped, hints: &Sizes) -> Option<Groups> {
    let p = &g.product;
    let n = |k: &usize| known(&p.spans[*k].size, hints);
    let moved = |k: &usize| g.index.terms.iter().any(|t| t.0 == *k);
    let (own, mut sums): (Vec<usize>, Vec<usize>) = (0..p.spans.len()).partition(|k| p.spans[*k].out.is_some());
    // An index that goes along a sum chooses for every term.
    if sums.iter().any(moved) {
        return None;
    }
    let (mut columns, rows): (Vec<usize>, Vec<usize>) = own.into_iter().partition(|k| p.spans[*k].b.is_some() && !moved(k));
    let along = |k: &usize| p.spans[*k].b.as_ref().is_some_and(|s| s.is(1));
    columns.sort_by_key(|k| (along(k), n(k), *k));
    sums.sort_by_key(|k| (n(k), *k));
    let product = |list: &[usize]| list.iter().map(n).fold(1i64, i64::saturating_mul);
    let enough =
        product(&rows) >= OBJECT_LEAST && columns.last().is_some_and(|k| n(k) >= OBJECT_LEAST) && product(&sums) >= OBJECT_LEAST;
    (enough && !sums.is_empty()).then_some(Groups { rows, columns, sums })
}

impl Groups {
    /// Elements of 64 bits to work in: where groups begin, where rows lie, and half as many as a panel has.
    pub fn scratch(&self, g: &Grouped) -> Size {
        let of = |list: &[usize]| list.iter().fold(Size::from(1i64), |n, k| n.mul(&g.product.spans[*k].size));
        let panel = of(&self.sums).mul(&Size::from(COLUMNS / 2));
        of(&self.rows).mul(&Size::from(2i64)).add(&g.count).add(&Size::from(2i64)).add(&panel)
    }
}

/// Where rows are listed.
struct Lists {
    /// For each group where its rows end; before the first one stands 0.
    ends: Value,
    /// For each row where it begins in its factor and in the result.
    places: Value,
    count: Value,
    clamp: bool,
}

/// Writes the function of a grouped product; bases are of the result, both factors and the index.
pub(super) fn product(c: &mut Code, g: &Grouped, groups: &Groups, bases: [Value; 4], scratch: Value, fma: bool) {
    let p = &g.product;
    let [out, a, b, index] = bases;
    let zero = c.int(0);
    let stride = |c: &mut Code, s: &Option<Size>| s.as_ref().map_or(zero, |s| c.size(s));
    let (count, matrix) = (c.size(&g.count), c.size(&g.stride));
    let mut rows = Vec::new();
    let mut height = c.int(1);
    for k in &groups.rows {
        let s = &p.spans[*k];
        let moves = g.index.terms.iter().find(|t| t.0 == *k).map(|t| t.1.clone());
        let n = c.size(&s.size);
        rows.push((n, vec![stride(c, &moves), stride(c, &s.a), stride(c, &s.out)]));
        height = c.b.ins().imul(height, n);
    }
    let more = c.b.ins().iadd_imm_s(count, 2);
    let places = c.place(scratch, more, 8);
    let both = c.b.ins().ishl_imm_u(height, 1);
    let panel = c.place(places, both, 8);
    let lists = Lists { ends: scratch, places, count, clamp: g.clamp };
    let starts = [c.size(&g.index.offset), c.size(&p.a.1), c.size(&p.out.1)];
    lists.fill(c, &rows, starts, index);
    let mut sums = Vec::new();
    for k in &groups.sums {
        let s = &p.spans[*k];
        sums.push((c.size(&s.size), stride(c, &s.a), stride(c, &s.b)));
    }
    let (last, others) = groups.columns.split_last().unwrap_or_else(|| unreachable!("it has columns"));
    let last = &p.spans[*last];
    let sides = Sides { b_column: stride(c, &last.b), out_column: stride(c, &last.out) };
    let width = c.size(&last.size);
    let mut columns = Vec::new();
    for k in others {
        let s = &p.spans[*k];
        columns.push((c.size(&s.size), vec![stride(c, &s.b), stride(c, &s.out)]));
    }
    let across: Vec<(Value, Vec<Value>)> = sums.iter().map(|(n, a, _)| (*n, vec![*a])).collect();
    let block = Block::new(c, &sums, sides, panel, fma);
    let start = c.size(&p.b.1);
    c.each(count, &mut |c, group| {
        let next = c.b.ins().iadd_imm_s(group, 1);
        let (from, to) = (c.load(I64, lists.ends, group), c.load(I64, lists.ends, next));
        let some = c.b.ins().icmp(IntCC::SignedLessThan, from, to);
        c.when(some, &mut |c| {
            let by = c.b.ins().imul(group, matrix);
            let first = c.b.ins().iadd(start, by);
            c.walk(&columns, &[first, zero], &mut |c, at| {
                let b = c.place(b, at[0], 4);
                let row = |c: &mut Code, i: Value| {
                    let (x, y) = lists.row(c, i);
                    let y = c.b.ins().iadd(y, at[1]);
                    (c.place(a, x, 4), c.place(out, y, 4))
                };
                block.columns(c, width, (from, to), b, &row);
            });
        });
    });
    columns.push((width, vec![zero, sides.out_column]));
    let (from, to) = (c.load(I64, lists.ends, count), height);
    let left = c.b.ins().isub(to, from);
    // Rows that no matrix belongs to meet one of zeros: what is not finite in them shows.
    c.each(left, &mut |c, k| {
        let i = c.b.ins().iadd(from, k);
        let (x, y) = lists.row(c, i);
        let nothing = c.b.ins().f32const(0.0);
        let sum = c.var(nothing);
        c.walk(&across, &[x], &mut |c, at| {
            let (value, before) = (c.load(F32, a, at[0]), c.get(sum));
            let none = c.b.ins().fmul(value, nothing);
            let next = c.b.ins().fadd(before, none);
            c.set(sum, next);
        });
        c.walk(&columns, &[zero, y], &mut |c, at| {
            let value = c.get(sum);
            c.store(value, out, at[1]);
        });
    });
}

impl Lists {
    /// The group of a row whose index lies here; the one after the last, where it chooses none.
    fn group(&self, c: &mut Code, index: Value, at: Value) -> Value {
        let i = c.load(I32, index, at);
        let (fine, wide) = c.inside(i, self.count);
        if !self.clamp {
            return c.b.ins().select(fine, wide, self.count);
        }
        let last = c.b.ins().iadd_imm_s(self.count, -1);
        let (low, zero) = (c.b.ins().smin(wide, last), c.int(0));
        c.b.ins().smax(low, zero)
    }

    /// A stable counting sort: afterwards `ends[k]` is where group `k` begins, and group `k - 1` ends.
    fn fill(&self, c: &mut Code, rows: &[(Value, Vec<Value>)], starts: [Value; 3], index: Value) {
        let more = c.b.ins().iadd_imm_s(self.count, 2);
        let bytes = c.b.ins().ishl_imm_u(more, 3);
        c.clear(self.ends, bytes);
        // First each group's rows are counted two places on, then summed up: one place on stands where it begins, and moves as it fills.
        c.walk(rows, &starts, &mut |c, at| {
            let group = self.group(c, index, at[0]);
            let place = c.b.ins().iadd_imm_s(group, 2);
            let fits = c.b.ins().icmp(IntCC::SignedLessThan, place, more);
            c.when(fits, &mut |c| {
                let old = c.load(I64, self.ends, place);
                let now = c.b.ins().iadd_imm_s(old, 1);
                c.store(now, self.ends, place);
            });
        });
        c.each(self.count, &mut |c, k| {
            let (before, here) = (c.b.ins().iadd_imm_s(k, 1), c.b.ins().iadd_imm_s(k, 2));
            let (x, y) = (c.load(I64, self.ends, before), c.load(I64, self.ends, here));
            let sum = c.b.ins().iadd(x, y);
            c.store(sum, self.ends, here);
        });
        c.walk(rows, &starts, &mut |c, at| {
            let group = self.group(c, index, at[0]);
            let place = c.b.ins().iadd_imm_s(group, 1);
            let k = c.load(I64, self.ends, place);
            let next = c.b.ins().iadd_imm_s(k, 1);
            c.store(next, self.ends, place);
            let twice = c.b.ins().ishl_imm_u(k, 1);
            c.store(at[1], self.places, twice);
            let other = c.b.ins().iadd_imm_s(twice, 1);
            c.store(at[2], self.places, other);
        });
    }

    /// Where row `i` of the list begins in its factor and in the result.
    fn row(&self, c: &mut Code, i: Value) -> (Value, Value) {
        let twice = c.b.ins().ishl_imm_u(i, 1);
        let other = c.b.ins().iadd_imm_s(twice, 1);
        (c.load(I64, self.places, twice), c.load(I64, self.places, other))
    }
}
