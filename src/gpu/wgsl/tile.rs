//! Products tile by tile: a workgroup computes 64 rows by 64 columns (32 rows where there are few), each thread 8 by 8 of them (4 by
//! 8) in registers. Both factors come through workgroup memory ([`staged`]), or every thread reads its own ([`direct`]); the steps of a sum
//! are added in the same order.
//!
//! A grouped product takes its rows in the order of their groups (`sort`), so that a tile needs one matrix only.

mod direct;
mod staged;

use super::super::program::Grid;
use super::super::reach::Reach;
use super::kernel::Nest;
use super::module::Module;
use super::roles::{Roles, extent, load, roles};
use super::segments::Segmented;
use super::sort::Sorted;
use super::special::share;
use crate::ir::{Size, size::SizeFn};
use crate::plan::{Access, Kernel, measured::gpu};
use direct::Direct;
use staged::Staged;

/// Threads of a workgroup: 8 by 8.
pub(super) const THREADS: u32 = 64;
/// Columns of a tile.
const WIDTH: i64 = 64;
/// Vectors of columns that a thread has.
const VECTORS: i64 = WIDTH / 8 / 4;
/// An element is picked from two.
const _: () = assert!(VECTORS == 2);
/// Steps of a sum that are added up before they go to the sum of all (in f32 every addition rounds); a multiple of those that are taken at
/// once.
const CHAIN: i64 = 64;
/// Steps from which on what the sum of all rounds away is kept, too, where the sum is not cut in stretches.
const KEPT: i64 = 2048;
/// Components of a vector.
const PARTS: [&str; 4] = ["x", "y", "z", "w"];

/// `ceil(n / side)`
pub(super) fn tiles(n: &Size, side: i64) -> Size {
    Size::apply(SizeFn::Ceil, vec![n.mul(&Size::fraction(1, side))])
}

/// Tiles across so many columns.
pub(super) fn across(columns: &Size) -> Size {
    tiles(columns, WIDTH)
}

fn named(k: &Kernel, loops: &[usize]) -> Vec<(String, Size)> {
    loops.iter().map(|l| (format!("{}_{l}", k.loops[*l].name), k.loops[*l].size.clone())).collect()
}

/// The part of an address that some loops make.
fn part(m: &mut Module, a: &Access, loops: &[usize], counters: &[String]) -> String {
    let zero = Size::from(0i64);
    let terms: Vec<(String, Size)> = loops
        .iter()
        .zip(counters)
        .filter_map(|(l, c)| a.terms.iter().find(|t| t.0 == *l).map(|t| (c.clone(), t.1.clone())))
        .collect();
    m.address(&zero, &terms)
}

/// A product that is computed tile by tile, while its text is written.
struct Tile<'k> {
    kernel: &'k Kernel,
    roles: &'k Roles,
    factors: [&'k Access; 2],
    /// How many rows and columns there are.
    counts: [String; 2],
    /// Rows of a tile.
    side: i64,
    /// The step of the sum at which it ends.
    end: &'k str,
    /// Where steps of the sum are places in an order.
    order: Option<usize>,
    sorted: Option<&'k Sorted>,
    /// For grouped rows in workgroup memory: where they start.
    listed: Option<String>,
    /// Where a tile's group may have no matrix: whether it has one.
    none: Option<String>,
}

/// The stretches into which a long sum is cut: how many, of how many steps, and how far apart their results are.
pub(super) struct Stretches<'p> {
    pub count: &'p Size,
    pub deep: i64,
    pub stride: &'p Size,
}

/// What a tile's rows and sums are.
#[derive(Clone, Copy)]
pub(super) enum Form<'a> {
    /// All of them, in order.
    Plain,
    /// A stretch of the sum.
    Cut(&'a Stretches<'a>),
    /// Rows of one group, which has a matrix of its own.
    Rows(&'a Sorted),
    /// The sum goes over the rows of one group, which has a result of its own.
    Sums(&'a Segmented),
}

/// How the factors come to the threads.
enum Way<'k> {
    Staged(Staged),
    Direct(Direct<'k>),
}

/// Workgroup memory with where each row of a tile starts in the first factor.
fn list(m: &mut Module, k: &Kernel, r: &Roles, s: &Sorted, side: i64) -> String {
    let list = m.shared("starts", &format!("array<u32, {side}>"));
    m.open(format!("if (lane < {side}u)"));
    let place = m.element(s.order, "top_row + min(lane, count - 1u)");
    m.line(format!("let row = u32({place});"));
    let names = m.split("row", &named(k, &r.rows));
    let at = part(m, load(k, 0), &r.rows, &names);
    m.line(format!("{list}[lane] = {at};"));
    m.close();
    m.line("workgroupBarrier();");
    list
}

/// `side`: rows of a tile.
pub(super) fn emit(m: &mut Module, k: &Kernel, sum: usize, side: i64, form: Form) -> Grid {
    let sorted = if let Form::Rows(s) = form { Some(s) } else { None };
    let cut = if let Form::Cut(c) = form { Some(c) } else { None };
    let segmented = if let Form::Sums(s) = form { Some(s) } else { None };
    m.reserve("part begin end chunk group place");
    m.reserve(
        "tile left_column top_row count starts row base_left base_right x y at i j e line value source row_in column own total",
    );
    let r = roles(k, sum, sorted.is_some());
    let (a, b) = (load(k, 0), load(k, if sorted.is_some() { 2 } else { 1 }));
    let (row_count, column_count, depth) = (extent(k, &r.rows), extent(k, &r.columns), extent(k, &r.sums));
    let (rows, columns, deep) = (m.size(&row_count), m.size(&column_count), m.size(&depth));
    let (mut begin, mut end) = ("0u".to_string(), deep.clone());
    let steps = cut.map_or(depth.clone(), |c| Size::from(c.deep));
    let staged = (m.reach == Reach::Staged).then(|| Staged::new(m, side));
    let grid;
    let mut counters = vec![String::new(); k.loops.len()];
    let mut listed = None;
    let mut base = [m.start(&a.offset), m.start(&b.offset)];
    match sorted {
        None => {
            let across = across(&column_count);
            let down = tiles(&row_count, side);
            let batch = extent(k, &r.batch);
            let one = Size::from(1i64);
            let more = segmented.map(|s| &s.count).or(cut.map(|c| c.count)).unwrap_or(&one);
            let count = across.mul(&down).mul(&batch).mul(more);
            m.line("let tile = wg.y * 65535u + wg.x;");
            let all = m.size(&count);
            m.line(format!("if (tile >= {all}) {{ return; }}"));
            let (x, y) = (m.size(&across), m.size(&down));
            m.line(format!("let left_column = tile % {x} * {WIDTH}u;"));
            m.line(format!("let top_row = tile / {x} % {y} * {side}u;"));
            let mut place = format!("(tile / ({x} * {y}))");
            if let Some(c) = cut {
                let all = m.size(&batch);
                m.line(format!("let part = {place} / {all};"));
                m.line(format!("let begin = part * {}u;", c.deep));
                m.line(format!("let end = min(begin + {}u, {deep});", c.deep));
                (begin, end) = ("begin".to_string(), "end".to_string());
                place = format!("({place} % {all})");
            }
            if let Some(s) = segmented {
                let all = m.size(&batch);
                m.line(format!("let group = {place} / {all};"));
                let first = s.first(m);
                // Barriers stand between them, so all threads have to know that they have the same.
                let store = staged.is_some().then(|| m.shared("bounds", "array<u32, 2>"));
                for (n, (word, next)) in [("begin", ""), ("end", " + 1u")].into_iter().enumerate() {
                    let row = m.element(s.starts, &format!("{first} + group{next}"));
                    let Some(store) = &store else {
                        m.line(format!("let {word} = u32({row});"));
                        continue;
                    };
                    m.line(format!("if (lane == 0u) {{ {store}[{n}] = u32({row}); }}"));
                    m.line(format!("let {word} = workgroupUniformLoad(&{store}[{n}]);"));
                }
                (begin, end) = ("begin".to_string(), "end".to_string());
                place = format!("({place} % {all})");
            }
            let names = m.split(&place, &named(k, &r.batch));
            for (n, x) in [a, b].into_iter().enumerate() {
                let more = part(m, x, &r.batch, &names);
                base[n] = format!("{} + {more}", base[n]);
            }
            r.batch.iter().zip(names).for_each(|(l, c)| counters[*l] = c);
            grid = Grid::Work { count, per: 1 };
        }
        Some(s) => {
            m.line("let tile = wg.z * 65535u + wg.x;");
            m.line(format!("let left_column = wg.y * {WIDTH}u;"));
            let mut word = |n: u32| m.element(s.table, &format!("tile * 3u + {n}u"));
            let (group, from, to) = (word(0), word(1), word(2));
            m.line(format!("let group = u32({group});"));
            m.line(format!("let top_row = u32({from});"));
            m.line(format!("let count = u32({to}) - top_row;"));
            let stride = m.size(&s.stride);
            let matrix = match s.clamp {
                true => "group".to_string(),
                false => format!("min(group, {} - 1u)", m.size(&s.count)),
            };
            base[1] = format!("{} + {matrix} * {stride}", base[1]);
            grid = Grid::Indirect { buffer: s.grids, at: s.number * 3 };
            listed = staged.is_some().then(|| list(m, k, &r, s, side));
        }
    }
    let [base_a, base_b] = base;
    m.line(format!("let base_left = {base_a};"));
    m.line(format!("let base_right = {base_b};"));
    m.line("let x = lane % 8u;");
    m.line("let y = lane / 8u;");
    // So many rows and vectors of columns a thread has.
    let (high, wide) = (side / 8, VECTORS);
    let none = sorted.filter(|s| !s.clamp).map(|s| {
        let n = m.size(&s.count);
        format!("group < {n}")
    });
    let order = segmented.map(|s| s.order);
    let counts = [rows.clone(), columns.clone()];
    let t = Tile { kernel: k, roles: &r, factors: [a, b], counts, side, end: &end, order, sorted, listed, none };
    let way = match staged {
        Some(s) => Way::Staged(s),
        None => Way::Direct(Direct::new(m, &t)),
    };
    let (deep, each) = match &way {
        Way::Staged(s) => (gpu::TILE_STEPS, s.rounds()),
        Way::Direct(d) => (d.depth(), 2),
    };
    // The products of each stretch of the sum, then the elements.
    m.rounds(&share(&steps, deep as u32).mul(&Size::from(each)).add(&Size::from(side * WIDTH / i64::from(THREADS))));
    let all: Vec<String> = (0..high).flat_map(|i| (0..wide).map(move |j| format!("c{i}_{j}_"))).collect();
    let chained = m.measure(&steps) > CHAIN;
    let kept = m.measure(&steps) > KEPT;
    if chained {
        let kind = if kept { "mat2x4<f32>" } else { "vec4<f32>" };
        all.iter().for_each(|c| m.line(format!("var sum_{c} = {kind}();")));
        m.open(format!("for (var chunk = {begin}; chunk < {end}; chunk += {CHAIN}u)"));
    }
    for c in &all {
        m.line(format!("var {c} = vec4<f32>(0.0);"));
    }
    match chained {
        true => m.open(format!("for (var at = chunk; at < min(chunk + {CHAIN}u, {end}); at += {deep}u)")),
        false => m.open(format!("for (var at = {begin}; at < {end}; at += {deep}u)")),
    }
    match &way {
        Way::Staged(s) => s.steps(m, &t),
        Way::Direct(d) => d.steps(m, &t),
    }
    m.close();
    if chained {
        for c in &all {
            if kept {
                let (whole, zero) = (m.function("kept_four"), m.number(0, "zero"));
                m.line(format!("sum_{c} = {whole}(sum_{c}, {c}, {zero});"));
            } else {
                m.line(format!("sum_{c} += {c};"));
            }
        }
        m.close();
    }
    // A row's sums are picked, not found in an array: what is found by a number that changes lies in memory on many devices.
    let sum_of = |i: i64, j: i64| format!("{}c{i}_{j}_{}", if chained { "sum_" } else { "" }, if kept { "[0]" } else { "" });
    let own = wide * 4;
    m.open(format!("for (var i = 0u; i < {high}u; i++)"));
    (0..wide).for_each(|j| m.line(format!("var sum{j}_ = {};", sum_of(0, j))));
    for i in 1..high {
        let picked: Vec<String> = (0..wide).map(|j| format!("sum{j}_ = {};", sum_of(i, j))).collect();
        m.line(format!("if (i == {i}u) {{ {} }}", picked.join(" ")));
    }
    m.line(format!("let row_in = y * {high}u + i;"));
    match sorted {
        None => m.open(format!("if (top_row + row_in < {rows})")),
        Some(_) => m.open("if (row_in < count)"),
    }
    let row = match sorted {
        None => "(top_row + row_in)".to_string(),
        Some(s) => {
            let place = m.element(s.order, "top_row + row_in");
            m.line(format!("let own = u32({place});"));
            "own".to_string()
        }
    };
    let names = m.split(&row, &named(k, &r.rows));
    r.rows.iter().zip(names).for_each(|(l, c)| counters[*l] = c);
    m.open(format!("for (var j = 0u; j < {own}u; j++)"));
    m.line(format!("let column = left_column + x * {own}u + j;"));
    m.open(format!("if (column < {columns})"));
    let names = m.split("column", &named(k, &r.columns));
    r.columns.iter().zip(names).for_each(|(l, c)| counters[*l] = c);
    m.line("let total = select(sum0_, sum1_, j >= 4u)[j % 4u];");
    let mut nest = Nest::new(m, k, counters);
    nest.know(sum, "total");
    let value = nest.finish(sum);
    let mut place = nest.place();
    if let Some(c) = cut {
        let step = m.times("part", c.stride);
        place = format!("{place} + {step}");
    }
    if let Some(s) = segmented {
        let step = m.times("group", &s.stride);
        place = format!("{place} + {step}");
    }
    m.store(k.store.buffer, &place, &value);
    (0..4).for_each(|_| m.close());
    grid
}
