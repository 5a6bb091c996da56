//! Some rows times one panel of a matrix, both packed: what is read lies in the order in which it is read.
//!
//! Written once, compiled for each kind of vector. How a product is taken apart into such parts is said in [`super::pack`].

use super::call::slice_mut;
use super::micro::put;
use super::places::{Rows, groups};
use super::spread::{self, Fill};
use super::stretches::{self, Stretches};
use super::vector::{Base, Vector, bring};
use crate::plan::measured::cpu::WRITTEN_AHEAD;
use std::ops::Range;

/// Columns of the widest panel, and rows of the highest group.
pub(super) const WIDE: usize = 32;
pub(super) const HIGH: usize = 12;

/// Vectors in a row of a panel.
pub(super) const VECTORS: usize = 2;

/// What suits a kind of vector: columns of a panel, and how many rows are taken together at most.
#[derive(Clone, Copy, Debug)]
pub(super) struct Form {
    pub wide: usize,
    pub high: usize,
    /// Computes a part.
    pub kernel: fn(&mut Part),
    /// Writes panels.
    pub write: fn(&mut Sheets),
    /// Lays a panel of windows out.
    pub fill: fn(&mut Fill),
    /// Computes a part whose rows lie in stretches.
    pub stretches: fn(&mut Stretches),
}

/// With 32 registers of four, 24 hold sums.
const BASE_HIGH: usize = if cfg!(target_arch = "aarch64") { 6 } else { 4 };

/// Of the base that every machine of a kind has.
pub(super) const BASE: Form = Form {
    wide: 16,
    high: BASE_HIGH,
    kernel: group::<Base, BASE_HIGH>,
    write: sheets::<Base, BASE_HIGH>,
    fill: spread::fill::<Base>,
    stretches: stretches::group::<Base, BASE_HIGH>,
};

/// Rows of a result: some of these, and how many columns each has, which lie side by side.
pub(super) struct Out<'a> {
    pub rows: Rows<'a>,
    pub of: Range<usize>,
    pub columns: usize,
}

impl Out<'_> {
    #[inline(always)]
    pub fn row(&self, row: usize) -> &mut [f32] {
        slice_mut(self.rows.row(self.of.start + row), self.columns)
    }
}

/// Rows times a panel: `a` has them group by group, for each step of the sum an element of each row, and `panel` a row for each step. Each sum goes
/// into its row of `out`, which has as many columns as the panel or fewer, or is added to what is there.
pub(super) struct Part<'a> {
    pub a: &'a [f32],
    pub panel: &'a [f32],
    pub out: &'a Out<'a>,
    pub add: bool,
    /// Added to each row in the end, where it is not empty.
    pub bias: &'a [f32],
    /// What will be read soon: it comes from memory meanwhile, a cache line with each step, or two.
    pub next: &'a [f32],
}

/// Panels that are written, one for each code: for each row of a panel `head` has a row for each number of the code. For each number `codes` has
/// that of each code; panels lie one after the other.
pub(super) struct Sheets<'a> {
    pub codes: &'a [f32],
    /// Numbers of a code.
    pub numbers: usize,
    pub head: &'a [f32],
    pub out: &'a mut [f32],
}

/// Elements of a cache line.
pub(super) const LINE: usize = 16;

/// One step of the sums, in the first vectors of a row.
#[inline(always)]
fn step<V: Vector, const R: usize, const C: usize>(sums: &mut [[V; C]; R], xs: &[f32], words: &[f32]) {
    let row: [V; C] = std::array::from_fn(|c| V::load(&words[c * V::LANES..]));
    for r in 0..R {
        let x = V::splat(xs[r]);
        for c in 0..C {
            sums[r][c] = sums[r][c].fused(x, row[c]);
        }
    }
}

#[inline(always)]
fn tile<V: Vector, const R: usize, const C: usize>(part: &Part, first: usize, next: &[f32]) {
    let (mut sums, wide) = ([[V::zero(); C]; R], VECTORS * V::LANES);
    let steps = part.panel.len() / wide;
    let each = if next.len() > LINE * steps { 2 * LINE } else { LINE };
    let early = next.len().div_ceil(each).min(steps);
    let (a, panel) = (part.a[first * steps..][..R * steps].split_at(early * R), part.panel.split_at(early * wide));
    let near = a.0.chunks_exact(R).zip(panel.0.chunks_exact(wide)).zip(next.chunks(each));
    for ((xs, words), lines) in near {
        bring(lines);
        if let Some(second) = lines.get(LINE..) {
            bring(second);
        }
        step(&mut sums, xs, words);
    }
    for (xs, words) in a.1.chunks_exact(R).zip(panel.1.chunks_exact(wide)) {
        step(&mut sums, xs, words);
    }
    finish(sums, part.out, first, (part.add, part.bias));
}

/// Sums of some rows from `first` into the result.
#[inline(always)]
pub(super) fn finish<V: Vector, const R: usize, const C: usize>(
    sums: [[V; C]; R],
    out: &Out,
    first: usize,
    (add, bias): (bool, &[f32]),
) {
    let whole = out.columns == C * V::LANES;
    if whole && !add && bias.len() == out.columns {
        let bias: [V; C] = std::array::from_fn(|c| V::load(&bias[c * V::LANES..]));
        for (r, sums) in sums.into_iter().enumerate() {
            let sums: [V; C] = std::array::from_fn(|c| sums[c].plus(bias[c]));
            put(sums, out.row(first + r), false);
        }
        return;
    }
    for (r, sums) in sums.into_iter().enumerate() {
        let to = out.row(first + r);
        put(sums, to, add);
        if !bias.is_empty() {
            plus::<V>(bias, to);
        }
    }
}

/// Adds a row to another that is as long.
#[inline(always)]
fn plus<V: Vector>(row: &[f32], to: &mut [f32]) {
    for (row, to) in row.chunks(V::LANES).zip(to.chunks_mut(V::LANES)) {
        if row.len() == V::LANES {
            V::load(to).plus(V::load(row)).store(to);
        } else {
            V::load_part(to).plus(V::load_part(row)).store_part(to);
        }
    }
}

/// For each number of rows a function of its own.
macro_rules! by_rows {
    ($rows:expr, $f:ident, $($given:expr),*) => {
        match $rows {
            12 => $f!(12, $($given),*),
            11 => $f!(11, $($given),*),
            10 => $f!(10, $($given),*),
            9 => $f!(9, $($given),*),
            8 => $f!(8, $($given),*),
            7 => $f!(7, $($given),*),
            6 => $f!(6, $($given),*),
            5 => $f!(5, $($given),*),
            4 => $f!(4, $($given),*),
            3 => $f!(3, $($given),*),
            2 => $f!(2, $($given),*),
            _ => $f!(1, $($given),*),
        }
    };
}

pub(super) use by_rows;

/// `R` panels from panel `at`.
#[inline(always)]
fn sheet<V: Vector, const R: usize>(of: &mut Sheets, at: usize) {
    let (wide, many) = (VECTORS * V::LANES, of.codes.len() / of.numbers);
    let length = of.head.len() / of.numbers;
    for (k, rows) in of.head.chunks_exact(of.numbers * wide).enumerate() {
        let mut sums = [[V::zero(); VECTORS]; R];
        // A head is read once, from far away, in less time than it takes to arrive.
        let ahead = of.head.get(k * of.numbers * wide + WRITTEN_AHEAD..).unwrap_or_default();
        for line in ahead[..ahead.len().min(of.numbers * wide)].chunks(LINE) {
            bring(line);
        }
        for (words, xs) in rows.chunks_exact(wide).zip(of.codes.chunks_exact(many)) {
            step(&mut sums, &xs[at..at + R], words);
        }
        for (r, sums) in sums.into_iter().enumerate() {
            put(sums, &mut of.out[(at + r) * length + k * wide..][..wide], false);
        }
    }
}

#[inline(always)]
fn sheets<V: Vector, const MOST: usize>(of: &mut Sheets) {
    macro_rules! of {
        ($rows:literal, $first:expr) => {
            if $rows <= MOST {
                sheet::<V, $rows>(of, $first);
            }
        };
    }
    for (first, count) in groups(of.codes.len() / of.numbers, MOST) {
        by_rows!(count, of, first);
    }
}

/// All rows, group by group; what comes next is divided among the groups.
#[inline(always)]
fn group<V: Vector, const MOST: usize>(part: &mut Part) {
    macro_rules! of {
        ($rows:literal, $first:expr, $next:expr) => {
            if $rows > MOST {
            } else if part.out.columns <= V::LANES {
                tile::<V, $rows, 1>(part, $first, $next);
            } else {
                tile::<V, $rows, VECTORS>(part, $first, $next);
            }
        };
    }
    let rows = part.out.of.len();
    let mut next = shares(part.next, rows.div_ceil(MOST));
    for (first, count) in groups(rows, MOST) {
        let next = next.next().unwrap_or_default();
        by_rows!(count, of, first, next);
    }
}

/// Whole cache lines in so many parts, as equal as they can be.
#[inline(always)]
pub(super) fn shares(words: &[f32], parts: usize) -> std::slice::Chunks<'_, f32> {
    let lines = words.len() / LINE;
    words[..lines * LINE].chunks(lines.div_ceil(parts.max(1)).max(1) * LINE)
}

/// Rows and steps of a square that is turned at once.
const SQUARE: usize = 4;

/// Rows of equal length, step by step: an element of each. Squares are turned in registers.
#[inline(always)]
fn turned<const R: usize>(rows: &[&[f32]; HIGH], to: &mut [f32]) {
    let len = to.len() / R;
    let rows: [&[f32]; R] = std::array::from_fn(|r| &rows[r][..len]);
    let (squares, whole) = (R / SQUARE, len - len % SQUARE);
    for (k, to) in to.chunks_exact_mut(SQUARE * R).enumerate() {
        let k = k * SQUARE;
        for s in 0..squares {
            let square: [[f32; SQUARE]; SQUARE] = std::array::from_fn(|r| {
                let row = &rows[s * SQUARE + r][k..k + SQUARE];
                [row[0], row[1], row[2], row[3]]
            });
            for c in 0..SQUARE {
                let column = [square[0][c], square[1][c], square[2][c], square[3][c]];
                to[c * R + s * SQUARE..][..SQUARE].copy_from_slice(&column);
            }
        }
        for r in squares * SQUARE..R {
            for c in 0..SQUARE {
                to[c * R + r] = rows[r][k + c];
            }
        }
    }
    for k in whole..len {
        for r in 0..R {
            to[k * R + r] = rows[r][k];
        }
    }
}

/// Packs the first `count` rows.
pub(super) fn pack(count: usize, rows: &[&[f32]; HIGH], to: &mut [f32]) {
    macro_rules! of {
        ($rows:literal, $all:expr, $to:expr) => {
            turned::<$rows>($all, $to)
        };
    }
    by_rows!(count, of, rows, to);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,fma")]
pub(super) fn group_avx512(part: &mut Part) {
    group::<super::vector::Avx512, 12>(part);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
pub(super) fn group_avx2(part: &mut Part) {
    group::<super::vector::Avx2, 6>(part);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,fma")]
pub(super) fn sheets_avx512(of: &mut Sheets) {
    sheets::<super::vector::Avx512, 12>(of);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
pub(super) fn sheets_avx2(of: &mut Sheets) {
    sheets::<super::vector::Avx2, 6>(of);
}
