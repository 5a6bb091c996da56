//! Large products, block by block in registers.
//!
//! In: a product that has rows (loops of one factor and the result) and columns (of the other factor), both enough of them. Out: a function that
//! goes through it in panels of columns, and through each panel in blocks of rows.

use super::block::{Block, COLUMNS, Sides};
use super::code::Code;
use crate::ir::Size;
use crate::ir::sizes::known;
use crate::plan::measured::cpu::OBJECT_LEAST;
use crate::plan::{Product, Sizes, Span};
use cranelift_codegen::ir::{InstBuilder, Value};

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
        list.iter().copied().filter(|k| n(k) >= OBJECT_LEAST).max_by_key(|k| (fit(k), n(k))).map(|k| (fit(&k), k))
    };
    let (rows, columns) = (only(true), only(false));
    // Columns are those of the two that lie along memory better.
    let turned = best(&rows, &|s| s.a.clone()) > best(&columns, &|s| s.b.clone());
    let (rows, columns) = if turned { (columns, rows) } else { (rows, columns) };
    let column = best(&columns, &|s| if turned { s.a.clone() } else { s.b.clone() })?.1;
    let row = rows.iter().copied().max_by_key(|k| n(k)).filter(|k| n(k) >= OBJECT_LEAST)?;
    let mut sums: Vec<usize> = all.clone().filter(|k| p.spans[*k].out.is_none()).collect();
    // The longest one goes innermost.
    let longest = sums.iter().copied().max_by_key(|k| n(k))?;
    sums.retain(|k| *k != longest);
    sums.push(longest);
    if sums.iter().map(n).product::<i64>() < OBJECT_LEAST {
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
    for k in &blocks.sums {
        let s = &p.spans[*k];
        sums.push((c.size(&s.size), stride(c, a_of(s)), stride(c, b_of(s))));
    }
    let sides = Sides { b_column: stride(c, b_of(column)), out_column: stride(c, &column.out) };
    let block = Block::new(c, &sums, sides, panel, fma);
    let (a_row, out_row) = (stride(c, a_of(row)), stride(c, &row.out));
    let mut others = Vec::new();
    for k in &blocks.others {
        let s = &p.spans[*k];
        others.push((c.size(&s.size), vec![stride(c, &s.out), stride(c, a_of(s)), stride(c, b_of(s))]));
    }
    let starts = [c.size(&p.out.1), c.size(a.1), c.size(b.1)];
    c.walk(&others, &starts, &mut |c, at| {
        let (out, a, b) = (c.place(out, at[0], 4), c.place(a.0, at[1], 4), c.place(b.0, at[2], 4));
        let row = |c: &mut Code, i: Value| {
            let (x, y) = (c.b.ins().imul(i, a_row), c.b.ins().imul(i, out_row));
            (c.place(a, x, 4), c.place(out, y, 4))
        };
        block.columns(c, n, (zero, m), b, &row);
    });
}
