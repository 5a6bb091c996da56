//! Rows in the order of their groups, without asking the host: a stable counting sort by one workgroup, a table of tiles, and the
//! sizes of the grids that the grouped products are dispatched with.

use super::module::Module;
use super::special::share;
use crate::ir::Size;
use crate::plan::{Access, Kernel};

/// Threads of the sorting workgroup.
pub(super) const THREADS: u32 = 256;

/// Where a grouped product finds its rows.
#[derive(Clone, Debug)]
pub(super) struct Sorted {
    /// Row numbers, group after group.
    pub order: usize,
    /// Three words a tile: its group, its first row in `order`, and the row after its last.
    pub table: usize,
    /// Three words a product: the grid of its dispatch.
    pub grids: usize,
    /// Which product of those that share the order.
    pub number: u32,
    /// Rows of a tile.
    pub side: i64,
    /// Number of groups, the distance of their matrices, and whether an index outside takes the nearest (else the result is 0).
    pub count: Size,
    pub stride: Size,
    pub clamp: bool,
}

/// What is sorted: rows are the points of some loops of a kernel, `index` gives the group of each.
pub(super) struct Sort<'k> {
    pub kernel: &'k Kernel,
    pub rows: &'k [usize],
    pub index: &'k Access,
    pub sorted: &'k Sorted,
    /// A word for each thread and group.
    pub counts: usize,
    /// Columns of tiles of each product.
    pub across: &'k [Size],
}

pub(super) fn emit(m: &mut Module, s: &Sort) {
    m.reserve("stretch begin end k row t sum own first tile last r place");
    let total = super::roles::extent(s.kernel, s.rows);
    let n = m.size(&total);
    let side = s.sorted.side;
    let groups = s.sorted.count.add(&Size::from(i64::from(!s.sorted.clamp)));
    let g = m.size(&groups);
    let real = m.size(&s.sorted.count);
    // Counting and placing, sums, and the table of tiles, which one thread writes.
    let tiles = super::tile::tiles(&total, s.sorted.side).add(&groups.mul(&Size::from(i64::from(THREADS))));
    m.rounds(&share(&total, THREADS).mul(&Size::from(2i64)).add(&tiles));
    m.line(format!("let stretch = ({n} + {}u) / {THREADS}u;", THREADS - 1));
    m.line(format!("let begin = min(lane * stretch, {n});"));
    m.line(format!("let end = min(begin + stretch, {n});"));
    // How many rows of each group this thread has.
    m.open(format!("for (var k = 0u; k < {g}; k++)"));
    m.put(s.counts, &format!("lane * {g} + k"), "0");
    m.close();
    let group = |m: &mut Module| {
        let dims: Vec<(String, Size)> =
            s.rows.iter().map(|l| (format!("{}_{l}", s.kernel.loops[*l].name), s.kernel.loops[*l].size.clone())).collect();
        let names = m.split("row", &dims);
        let terms: Vec<(String, Size)> = s
            .rows
            .iter()
            .zip(&names)
            .filter_map(|(l, c)| s.index.terms.iter().find(|t| t.0 == *l).map(|t| (c.clone(), t.1.clone())))
            .collect();
        let at = m.address(&s.index.offset, &terms);
        let i = m.load(s.index.buffer, &at);
        match s.sorted.clamp {
            true => m.line(format!("let group = u32(clamp({i}, 0, i32({real}) - 1));")),
            false => m.line(format!("let group = select({real}, u32({i}), {i} >= 0 && {i} < i32({real}));")),
        }
    };
    m.open("for (var row = begin; row < end; row++)");
    group(m);
    let at = format!("lane * {g} + group");
    let now = m.element(s.counts, &at);
    m.put(s.counts, &at, &format!("{now} + 1"));
    m.close();
    m.line("storageBarrier();");
    m.line("workgroupBarrier();");
    // Within a group, where each thread's rows start; the group's total stands in the word after the last thread's.
    m.open(format!("for (var k = lane; k < {g}; k += {THREADS}u)"));
    m.line("var sum = 0;");
    m.open(format!("for (var t = 0u; t < {THREADS}u; t++)"));
    let at = format!("t * {g} + k");
    let now = m.element(s.counts, &at);
    m.line(format!("let own = {now};"));
    m.put(s.counts, &at, "sum");
    m.line("sum += own;");
    m.close();
    m.put(s.counts, &format!("{THREADS}u * {g} + k"), "sum");
    m.close();
    m.line("storageBarrier();");
    m.line("workgroupBarrier();");
    // One thread lays the groups one after the other and cuts them into tiles.
    m.open("if (lane == 0u)");
    m.line("var first = 0;");
    m.line("var tile = 0u;");
    m.open(format!("for (var k = 0u; k < {g}; k++)"));
    let at = format!("{THREADS}u * {g} + k");
    let total = m.element(s.counts, &at);
    m.line(format!("let last = first + {total};"));
    m.put(s.counts, &at, "first");
    m.open(format!("for (var r = first; r < last; r += {side})"));
    m.put(s.sorted.table, "tile * 3u", "i32(k)");
    m.put(s.sorted.table, "tile * 3u + 1u", "r");
    m.put(s.sorted.table, "tile * 3u + 2u", &format!("min(r + {side}, last)"));
    m.line("tile++;");
    m.close();
    m.line("first = last;");
    m.close();
    for (p, across) in s.across.iter().enumerate() {
        let x = m.size(across);
        m.put(s.sorted.grids, &format!("{}u", 3 * p), "i32(min(tile, 65535u))");
        m.put(s.sorted.grids, &format!("{}u", 3 * p + 1), &format!("i32({x})"));
        m.put(s.sorted.grids, &format!("{}u", 3 * p + 2), "i32((tile + 65534u) / 65535u)");
    }
    m.close();
    m.line("storageBarrier();");
    m.line("workgroupBarrier();");
    m.open("for (var row = begin; row < end; row++)");
    group(m);
    let at = format!("lane * {g} + group");
    let place = m.element(s.counts, &at);
    m.line(format!("let place = {place};"));
    m.put(s.counts, &at, "place + 1");
    let start = m.element(s.counts, &format!("{THREADS}u * {g} + group"));
    m.put(s.sorted.order, &format!("u32({start} + place)"), "i32(row)");
    m.close();
}
