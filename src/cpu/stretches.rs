//! Some rows times one panel of a matrix, where rows lie in stretches here and there: as [`super::panel`], without packing the rows.
//!
//! Written once, compiled for each kind of vector.

use super::micro::put;
use super::panel::{LINE, VECTORS};
use super::vector::Vector;

/// A group of rows times a part of a panel. What a row has are stretches of one length: `rows` has the first of each row, then the second.
pub(super) struct Stretches<'a, 'b> {
    pub rows: &'a [&'a [f32]],
    pub panel: &'a [f32],
    pub out: &'a mut [&'b mut [f32]],
    pub add: bool,
    /// What will be read soon: it comes from memory meanwhile, a cache line with each step.
    pub next: &'a [f32],
}

#[inline(always)]
fn tile<V: Vector, const R: usize>(s: &mut Stretches) {
    let (mut sums, wide) = ([[V::zero(); VECTORS]; R], VECTORS * V::LANES);
    let len = s.rows[0].len();
    let mut next = s.next.chunks(LINE);
    for (rows, panel) in s.rows.chunks_exact(R).zip(s.panel.chunks_exact(len * wide)) {
        let rows: [&[f32]; R] = std::array::from_fn(|r| &rows[r][..len]);
        for (k, words) in (0..len).zip(panel.chunks_exact(wide)) {
            if let Some(line) = next.next() {
                V::bring(line);
            }
            let row: [V; VECTORS] = std::array::from_fn(|c| V::load(&words[c * V::LANES..]));
            for r in 0..R {
                let x = V::splat(rows[r][k]);
                for c in 0..VECTORS {
                    sums[r][c] = sums[r][c].fused(x, row[c]);
                }
            }
        }
    }
    for (sums, to) in sums.into_iter().zip(s.out.iter_mut()) {
        put(sums, to, s.add);
    }
}

/// As many rows as there are in `out`; no more than a form for such vectors has.
#[inline(always)]
pub(super) fn group<V: Vector, const MOST: usize>(s: &mut Stretches) {
    macro_rules! of {
        ($rows:literal, $s:expr) => {
            if $rows <= MOST {
                tile::<V, $rows>($s);
            }
        };
    }
    super::panel::by_rows!(s.out.len(), of, s);
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
