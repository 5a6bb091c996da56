//! Some rows times one panel of a matrix, where rows lie in stretches here and there: as [`super::panel`], without packing the rows.
//!
//! Written once, compiled for each kind of vector.

use super::panel::{LINE, Out, VECTORS, finish, shares};
use super::places::groups;
use super::vector::{Vector, bring};

/// Rows times a part of a panel. What a row has are stretches of one length: `rows` has, group by group, the first of each row, then the second.
pub(super) struct Stretches<'a> {
    pub rows: &'a [&'a [f32]],
    pub panel: &'a [f32],
    pub out: &'a Out<'a>,
    pub add: bool,
    /// Added to each row in the end, where it is not empty.
    pub bias: &'a [f32],
    /// What will be read soon: it comes from memory meanwhile, a cache line with each step, or two.
    pub next: &'a [f32],
}

#[inline(always)]
fn tile<V: Vector, const R: usize, const C: usize>(s: &Stretches, (first, each): (usize, usize), next: &[f32]) {
    let (mut sums, wide) = ([[V::zero(); C]; R], VECTORS * V::LANES);
    let rows = &s.rows[first * each..][..R * each];
    let len = rows[0].len();
    let mut next = next.chunks(if next.len() > LINE * each * len { 2 * LINE } else { LINE });
    for (rows, panel) in rows.chunks_exact(R).zip(s.panel.chunks_exact(len * wide)) {
        let rows: [&[f32]; R] = std::array::from_fn(|r| &rows[r][..len]);
        for (k, words) in (0..len).zip(panel.chunks_exact(wide)) {
            if let Some(lines) = next.next() {
                bring(lines);
                if let Some(second) = lines.get(LINE..) {
                    bring(second);
                }
            }
            let row: [V; C] = std::array::from_fn(|c| V::load(&words[c * V::LANES..]));
            for r in 0..R {
                let x = V::splat(rows[r][k]);
                for c in 0..C {
                    sums[r][c] = sums[r][c].fused(x, row[c]);
                }
            }
        }
    }
    finish(sums, s.out, first, (s.add, s.bias));
}

/// All rows, group by group.
#[inline(always)]
pub(super) fn group<V: Vector, const MOST: usize>(s: &mut Stretches) {
    let rows = s.out.of.len();
    let each = s.rows.len() / rows.max(1);
    macro_rules! of {
        ($rows:literal, $first:expr, $next:expr) => {
            if $rows > MOST {
            } else if s.out.columns <= V::LANES {
                tile::<V, $rows, 1>(s, ($first, each), $next);
            } else {
                tile::<V, $rows, VECTORS>(s, ($first, each), $next);
            }
        };
    }
    let mut next = shares(s.next, rows.div_ceil(MOST));
    for (first, count) in groups(rows, MOST) {
        let next = next.next().unwrap_or_default();
        super::panel::by_rows!(count, of, first, next);
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl,fma")]
pub(super) fn group_avx512(s: &mut Stretches) {
    group::<super::vector::Avx512, 12>(s);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
pub(super) fn group_avx2(s: &mut Stretches) {
    group::<super::vector::Avx2, 6>(s);
}
