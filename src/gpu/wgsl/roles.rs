//! What each loop of a product is: rows, columns, sums, or of a batch.

use crate::ir::Size;
use crate::plan::{Access, Expr, Kernel, measured::gpu};

/// Rows of a tile where there are so many in all, or in a group on average: low tiles waste less on few.
pub(super) fn height(rows: i64) -> i64 {
    if rows <= gpu::TILE_LOW { 32 } else { 64 }
}

/// A product's loops by what they index.
pub(super) struct Roles {
    /// Of both factors and the result.
    pub batch: Vec<usize>,
    /// Of the first factor (or of the index) and the result.
    pub rows: Vec<usize>,
    /// Of the second factor and the result.
    pub columns: Vec<usize>,
    /// Summed.
    pub sums: Vec<usize>,
}

fn moves(k: &Kernel, e: usize, l: usize) -> bool {
    k.body[e].access().is_some_and(|a| a.terms.iter().any(|t| t.0 == l))
}

pub(super) fn load(k: &Kernel, e: usize) -> &Access {
    k.body[e].access().unwrap_or_else(|| unreachable!("the factors of a product are loads"))
}

/// `grouped`: value 1 is an index, value 2 the second factor.
pub(super) fn roles(k: &Kernel, sum: usize, grouped: bool) -> Roles {
    let second = if grouped { 2 } else { 1 };
    let mut r = Roles { batch: Vec::new(), rows: Vec::new(), columns: Vec::new(), sums: Vec::new() };
    for l in 0..k.outer {
        let first = moves(k, 0, l) || grouped && moves(k, 1, l);
        match (first, moves(k, second, l)) {
            (true, true) => r.batch.push(l),
            (true, false) => r.rows.push(l),
            (false, _) => r.columns.push(l),
        }
    }
    if let Expr::Reduce { loops, .. } = &k.body[sum] {
        r.sums.clone_from(loops);
    }
    r
}

pub(super) fn extent(k: &Kernel, loops: &[usize]) -> Size {
    loops.iter().fold(Size::from(1i64), |n, l| n.mul(&k.loops[*l].size))
}

/// Whether tiles usually pay, and how many rows they have then; none where a product has no tiles. `groups`: how many matrices there are, of which
/// an index picks one for each row.
pub(in crate::gpu) fn tiling(k: &Kernel, sum: usize, groups: Option<&Size>, size: &dyn Fn(&Size) -> i64) -> Option<(bool, i64)> {
    let grouped = groups.is_some();
    let r = roles(k, sum, grouped);
    let n = |loops: &[usize]| loops.iter().map(|l| size(&k.loops[*l].size)).fold(1, i64::saturating_mul);
    let (rows, columns, sums) = (n(&r.rows), n(&r.columns), n(&r.sums));
    if r.rows.is_empty() || r.columns.is_empty() || grouped && !r.batch.is_empty() {
        return None;
    }
    let work = rows.saturating_mul(columns).saturating_mul(sums);
    let large = rows >= gpu::TILE_SIDE && columns >= gpu::TILE_SIDE && sums >= gpu::TILE_TERMS;
    let pays = large && (!grouped || work >= gpu::TILE_GROUPED);
    // Of a group's rows on average.
    Some((pays, height(rows / groups.map_or(1, |g| size(g).max(1)))))
}
