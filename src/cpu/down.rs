//! Folds down the columns of a matrix whose rows lie along memory, row by row as memory likes it, in vectors as wide as the machine has them. Plain
//! Rust, compiled once for each vector width; what comes out is the same for all of them, since each column is folded by itself.

use super::call::{Ptr, slice};
use super::softmax::{TERMS, more};
use super::whole::less;
use crate::plan::measured::cpu::{PASS_BLOCK, ROWS_BLOCK};

/// Rows that go through all columns before others do: memory is read in its order, and what columns come to is written once for all of them.
const TOGETHER: usize = 8;
/// Columns that stay in registers, where there are so many, and where there are fewer.
const WIDE: usize = 64;
const NARROW: usize = 16;
/// Elements of a block.
const BLOCK: usize = PASS_BLOCK as usize;
/// Elements of one whose rows are computed.
const TAKEN: usize = ROWS_BLOCK as usize;

/// The rows of one or of two matrices: where they begin, and how far they are apart.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    pub at: [Ptr; 2],
    pub step: [i64; 2],
    pub count: usize,
}

impl Rows {
    /// Those from row `from` to `to`.
    #[inline(always)]
    fn part(&self, from: usize, to: usize) -> Rows {
        let moved = |k: usize| self.at[k].moved(from as i64 * self.step[k]);
        Rows { at: [moved(0), moved(1)], count: to - from, ..*self }
    }
}

/// What `N` columns from `j`, of which `columns` are there, come to with these rows.
#[inline(always)]
fn folded<const N: usize>(
    rows: &Rows,
    (j, columns): (usize, usize),
    mut sums: [f32; N],
    join: impl Fn(f32, f32, f32) -> f32,
) -> [f32; N] {
    let [mut x, mut y] = rows.at.map(|at| at.moved(j as i64));
    for _ in 0..rows.count {
        let (xs, ys) = (slice::<f32>(x, columns), slice::<f32>(y, columns));
        if columns == N {
            let (xs, ys) = (&xs[..N], &ys[..N]);
            for c in 0..N {
                sums[c] = join(sums[c], xs[c], ys[c]);
            }
        } else {
            for ((sum, x), y) in sums.iter_mut().zip(xs).zip(ys) {
                *sum = join(*sum, *x, *y);
            }
        }
        (x, y) = (x.moved(rows.step[0]), y.moved(rows.step[1]));
    }
    sums
}

/// As [`folded`], of all columns, some rows after the other.
#[inline(always)]
fn block(rows: &Rows, out: &mut [f32], start: f32, join: impl Fn(f32, f32, f32) -> f32) {
    out.fill(start);
    let columns = out.len();
    let mut from = 0;
    while from < rows.count {
        let to = rows.count.min(from + TOGETHER);
        let some = rows.part(from, to);
        let mut j = 0;
        while j + WIDE <= columns {
            let mut sums = [0.0; WIDE];
            sums.copy_from_slice(&out[j..j + WIDE]);
            out[j..j + WIDE].copy_from_slice(&folded(&some, (j, WIDE), sums, &join));
            j += WIDE;
        }
        // The last columns go with some before them, where there are enough: those are left as they were.
        if j < columns && columns >= WIDE {
            let first = columns - WIDE;
            let mut sums = [0.0; WIDE];
            sums.copy_from_slice(&out[first..]);
            let sums = folded(&some, (first, WIDE), sums, &join);
            out[j..].copy_from_slice(&sums[j - first..]);
        } else {
            while j < columns {
                let wide = NARROW.min(columns - j);
                let mut sums = [0.0; NARROW];
                sums[..wide].copy_from_slice(&out[j..j + wide]);
                out[j..j + wide].copy_from_slice(&folded(&some, (j, wide), sums, &join)[..wide]);
                j += wide;
            }
        }
        from = to;
    }
}

/// Terms of each column are added in f32, one after the other, and what they come to in f64.
#[inline(always)]
fn sums(rows: &Rows, out: &mut [f32], add: impl Fn(f32, f32, f32) -> f32) {
    if rows.count <= TERMS {
        return block(rows, out, 0.0, add);
    }
    let mut totals = [0.0f64; BLOCK];
    let totals = &mut totals[..out.len()];
    let mut from = 0;
    while from < rows.count {
        let to = rows.count.min(from + TERMS);
        block(&rows.part(from, to), out, 0.0, &add);
        for (t, x) in totals.iter_mut().zip(&*out) {
            *t += f64::from(*x);
        }
        from = to;
    }
    for (x, t) in out.iter_mut().zip(&*totals) {
        *x = *t as f32;
    }
}

/// What rows that are computed one after the other have come to: so far as there was no time to add it in f64, and before.
#[repr(C)]
pub(super) struct Taken {
    out: [f32; TAKEN],
    totals: [f64; TAKEN],
    /// Of a product: the power of two that its total, of 1 to 2, is to be multiplied with.
    powers: [i64; TAKEN],
}

/// Takes row number `number` of a sum.
#[inline(always)]
fn add(t: &mut Taken, row: &[f32], number: usize) {
    let (out, totals) = (&mut t.out[..row.len()], &mut t.totals[..row.len()]);
    if !number.is_multiple_of(TERMS) {
        for (o, x) in out.iter_mut().zip(row) {
            *o += x;
        }
        return;
    }
    if number == 0 {
        totals.fill(0.0);
    } else {
        for (t, o) in totals.iter_mut().zip(&*out) {
            *t += f64::from(*o);
        }
    }
    for (o, x) in out.iter_mut().zip(row) {
        *o = 0.0 + x;
    }
}

/// Ends the sum of so many rows.
#[inline(always)]
fn total(t: &mut Taken, columns: usize, count: usize) {
    if count == 0 {
        return t.out[..columns].fill(0.0);
    }
    for (o, t) in t.out[..columns].iter_mut().zip(&t.totals[..columns]) {
        *o = (t + f64::from(*o)) as f32;
    }
}

/// Takes row number `number` of a product. What is 0 or not finite stays as it is.
#[inline(always)]
fn multiply(t: &mut Taken, row: &[f32], number: usize) {
    let (totals, powers) = (&mut t.totals[..row.len()], &mut t.powers[..row.len()]);
    if number == 0 {
        totals.fill(1.0);
        powers.fill(0);
    }
    for ((total, power), x) in totals.iter_mut().zip(powers).zip(row) {
        let bits = (*total * f64::from(*x)).to_bits();
        let field = bits >> 52 & 0x7ff;
        // Neither the power of 0 nor that of what is not finite.
        let plain = field.wrapping_sub(1) < 0x7fe;
        *total = f64::from_bits(if plain { bits & !(0x7ff << 52) | 1023 << 52 } else { bits });
        *power += if plain { field as i64 - 1023 } else { 0 };
    }
}

/// Ends the product of so many rows: rounded once.
#[inline(always)]
fn product(t: &mut Taken, columns: usize, count: usize) {
    if count == 0 {
        return t.out[..columns].fill(1.0);
    }
    let parts = t.totals[..columns].iter().zip(&t.powers[..columns]);
    for (o, (total, power)) in t.out[..columns].iter_mut().zip(parts) {
        let scale = f64::from_bits((((*power).clamp(-400, 400) + 1023) as u64) << 52);
        *o = (total * scale) as f32;
    }
}

/// Takes a row where the best of each column is kept.
#[inline(always)]
fn keep(t: &mut Taken, row: &[f32], number: usize, start: f32, join: impl Fn(f32, f32) -> f32) {
    let out = &mut t.out[..row.len()];
    if number == 0 {
        out.fill(start);
    }
    for (o, x) in out.iter_mut().zip(row) {
        *o = join(*o, *x);
    }
}

/// The best of no rows.
#[inline(always)]
fn none(t: &mut Taken, columns: usize, count: usize, start: f32) {
    if count == 0 {
        t.out[..columns].fill(start);
    }
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! widths {
    ($($name:ident: |$($arg:ident: $of:ty),*| $body:expr;)*) => {$(
        pub(super) mod $name {
            #[allow(clippy::wildcard_imports, reason = "the module is a name for functions of the one around it")]
            use super::*;

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512vl,fma")]
            pub fn avx512($($arg: $of),*) {
                $body
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            pub fn avx2($($arg: $of),*) {
                $body
            }

            #[cfg(target_arch = "aarch64")]
            pub fn neon($($arg: $of),*) {
                $body
            }
        }
    )*};
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
widths! {
    sum_down: |rows: Rows, out: &mut [f32]| sums(&rows, out, |sum, x, _| sum + x);
    dot_down: |rows: Rows, out: &mut [f32]| sums(&rows, out, |sum, x, y| x.mul_add(y, sum));
    max_down: |rows: Rows, out: &mut [f32]| block(&rows, out, f32::NEG_INFINITY, |best, x, _| more(best, x));
    min_down: |rows: Rows, out: &mut [f32]| block(&rows, out, f32::INFINITY, |best, x, _| less(best, x));
    sum_taken: |t: &mut Taken, row: &[f32], number: usize| add(t, row, number);
    product_taken: |t: &mut Taken, row: &[f32], number: usize| multiply(t, row, number);
    max_taken: |t: &mut Taken, row: &[f32], number: usize| keep(t, row, number, f32::NEG_INFINITY, more);
    min_taken: |t: &mut Taken, row: &[f32], number: usize| keep(t, row, number, f32::INFINITY, less);
    sum_ended: |t: &mut Taken, columns: usize, count: usize| total(t, columns, count);
    product_ended: |t: &mut Taken, columns: usize, count: usize| product(t, columns, count);
    max_ended: |t: &mut Taken, columns: usize, count: usize| none(t, columns, count, f32::NEG_INFINITY);
    min_ended: |t: &mut Taken, columns: usize, count: usize| none(t, columns, count, f32::INFINITY);
}
