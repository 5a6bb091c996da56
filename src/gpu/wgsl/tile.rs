//! Products tile by tile: a workgroup computes 64 rows by 64 columns (32 rows where there are few), each thread 8 by 8 of them (4 by
//! 8) in registers; both factors come through workgroup memory, 16 steps of the sum at a time, with zeros beyond the edges. They
//! lie there as vectors of four rows or columns, so that a thread reads 4 vectors for 64 multiplications.
//!
//! A grouped product takes its rows in the order of their groups (`sort`), so that a tile needs one matrix only.

use super::super::program::Grid;
use super::kernel::Nest;
use super::module::Module;
use super::roles::{extent, load, roles};
use super::segments::Segmented;
use super::sort::Sorted;
use super::special::share;
use crate::ir::{Size, size::SizeFn};
use crate::plan::{Access, Kernel};

/// Threads of a workgroup: 8 by 8.
pub(super) const THREADS: u32 = 64;
/// Columns of a tile.
const WIDTH: i64 = 64;
/// Steps of the sum in workgroup memory.
const DEEP: i64 = 16;
/// Steps of a sum that are added up before they go to the sum of all (in f32 every addition rounds); a multiple of `DEEP`.
const CHAIN: i64 = 64;
/// Steps from which on what the sum of all rounds away is kept, too, where the sum is not cut in stretches.
const KEPT: i64 = 2048;
/// Steps that are written out.
const UNROLL: i64 = 2;
/// Components of a vector.
const PARTS: [&str; 4] = ["x", "y", "z", "w"];

/// Rows of a tile where there are so many in all, or in a group on average.
pub(super) fn height(rows: i64) -> i64 {
    if rows <= 40 { 32 } else { 64 }
}

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

fn steps(a: &Access, loops: &[usize]) -> bool {
    loops.last().is_some_and(|l| a.terms.iter().any(|t| t.0 == *l && t.1.is(1)))
}

/// One factor's way into workgroup memory.
struct Side<'k> {
    access: &'k Access,
    /// The variable in workgroup memory: `DEEP` stretches of `lines` elements.
    store: String,
    lines: i64,
    /// Rows or columns, and where the tile's first one is.
    loops: &'k [usize],
    first: &'k str,
    count: String,
    /// What does not change along the sum.
    base: String,
    /// For grouped rows: where the addresses of the tile's rows lie, and how many there are.
    listed: Option<(String, String)>,
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

/// `side`: rows of a tile.
pub(super) fn emit(m: &mut Module, k: &Kernel, sum: usize, side: i64, form: Form) -> Grid {
    let sorted = if let Form::Rows(s) = form { Some(s) } else { None };
    let cut = if let Form::Cut(c) = form { Some(c) } else { None };
    let segmented = if let Form::Sums(s) = form { Some(s) } else { None };
    m.reserve("part begin end chunk group place");
    m.reserve("tile left_column top_row count starts row base_left base_right x y at i e line value source sums row_in column own total");
    let r = roles(k, sum, sorted.is_some());
    let (a, b) = (load(k, 0), load(k, if sorted.is_some() { 2 } else { 1 }));
    let (row_count, column_count, depth) = (extent(k, &r.rows), extent(k, &r.columns), extent(k, &r.sums));
    let (rows, columns, deep) = (m.size(&row_count), m.size(&column_count), m.size(&depth));
    let (mut begin, mut end) = ("0u".to_string(), deep.clone());
    let steps = cut.map_or(depth.clone(), |c| Size::from(c.deep));
    let mut store = |name: &str, lines: i64| m.shared(name, &format!("array<vec4<f32>, {}>", lines / 4 * DEEP));
    let (left, right) = (store("left", side), store("right", WIDTH));
    // Both fills and the products of each stretch of the sum, then the elements.
    let fills = (side + WIDTH) / 4 * DEEP / i64::from(THREADS);
    let stretch = Size::from(1 + fills + DEEP / UNROLL);
    m.rounds(&share(&steps, DEEP as u32).mul(&stretch).add(&Size::from(side * WIDTH / i64::from(THREADS))));
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
                for (word, next) in [("begin", ""), ("end", " + 1u")] {
                    let row = m.element(s.starts, &format!("{first} + group{next}"));
                    m.line(format!("let {word} = u32({row});"));
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
            base[1] = format!("{} + group * {stride}", base[1]);
            // Where each row of the tile starts in the first factor.
            let list = m.shared("starts", &format!("array<u32, {side}>"));
            m.open(format!("if (lane < {side}u)"));
            let place = m.element(s.order, "top_row + min(lane, count - 1u)");
            m.line(format!("let row = u32({place});"));
            let names = m.split("row", &named(k, &r.rows));
            let at = part(m, a, &r.rows, &names);
            m.line(format!("{list}[lane] = {at};"));
            m.close();
            m.line("workgroupBarrier();");
            listed = Some((list, "count".to_string()));
            grid = Grid::Indirect { buffer: s.grids, at: s.number * 3 };
        }
    }
    let [base_a, base_b] = base;
    m.line(format!("let base_left = {base_a};"));
    m.line(format!("let base_right = {base_b};"));
    m.line("let x = lane % 8u;");
    m.line("let y = lane / 8u;");
    // So many rows and vectors of columns a thread has.
    let (high, wide) = (side / 8, WIDTH / 8 / 4);
    let all: Vec<String> = (0..high).flat_map(|i| (0..wide).map(move |j| format!("c{i}_{j}_"))).collect();
    let chained = m.measure(&steps) > CHAIN;
    let kept = m.measure(&steps) > KEPT;
    if chained {
        let kind = if kept { "mat2x4<f32>" } else { "vec4<f32>" };
        m.line(format!("var sums = array<{kind}, {}>();", all.len()));
        m.open(format!("for (var chunk = {begin}; chunk < {end}; chunk += {CHAIN}u)"));
    }
    for c in &all {
        m.line(format!("var {c} = vec4<f32>(0.0);"));
    }
    let order = segmented.map(|s| s.order);
    let none = sorted.filter(|s| !s.clamp).map(|s| {
        let n = m.size(&s.count);
        format!("group < {n}")
    });
    match chained {
        true => m.open(format!("for (var at = chunk; at < min(chunk + {CHAIN}u, {end}); at += {DEEP}u)")),
        false => m.open(format!("for (var at = {begin}; at < {end}; at += {DEEP}u)")),
    }
    let l = Side {
        access: a,
        store: left,
        lines: side,
        loops: &r.rows,
        first: "top_row",
        count: rows.clone(),
        base: "base_left".into(),
        listed,
    };
    fill(m, k, &l, (&r.sums, order), &end, None);
    let s = Side {
        access: b,
        store: right,
        lines: WIDTH,
        loops: &r.columns,
        first: "left_column",
        count: columns.clone(),
        base: "base_right".into(),
        listed: None,
    };
    fill(m, k, &s, (&r.sums, order), &end, none.as_deref());
    m.line("workgroupBarrier();");
    m.open(format!("for (var i = 0u; i < {DEEP}u; i += {UNROLL}u)"));
    for u in 0..UNROLL {
        let vectors = |s: &Side, lane: &str, count: i64, n: i64| {
            let (all, first) = (s.lines / 4, u * s.lines / 4 + n);
            format!("{}[i * {all}u + {lane} * {count}u + {first}u]", s.store)
        };
        for n in 0..high / 4 {
            m.line(format!("let a{u}_{n}_ = {};", vectors(&l, "y", high / 4, n)));
        }
        for n in 0..wide {
            m.line(format!("let b{u}_{n}_ = {};", vectors(&s, "x", wide, n)));
        }
        for i in 0..high {
            for j in 0..wide {
                let row = format!("a{u}_{}_.{}", i / 4, PARTS[i as usize % 4]);
                m.line(format!("c{i}_{j}_ = fma(vec4<f32>({row}), b{u}_{j}_, c{i}_{j}_);"));
            }
        }
    }
    m.close();
    m.line("workgroupBarrier();");
    m.close();
    match chained {
        true => {
            for (n, c) in all.iter().enumerate() {
                if kept {
                    let (whole, zero) = (m.function("kept_four"), m.number(0, "zero"));
                    m.line(format!("sums[{n}] = {whole}(sums[{n}], {c}, {zero});"));
                } else {
                    m.line(format!("sums[{n}] += {c};"));
                }
            }
            m.close();
        }
        false => m.line(format!("var sums = array<vec4<f32>, {}>({});", all.len(), all.join(", "))),
    }
    let own = wide * 4;
    m.open(format!("for (var i = 0u; i < {}u; i++)", high * own));
    m.line(format!("let row_in = y * {high}u + i / {own}u;"));
    m.line(format!("let column = left_column + x * {own}u + i % {own}u;"));
    match sorted {
        None => m.open(format!("if (top_row + row_in < {rows} && column < {columns})")),
        Some(_) => m.open(format!("if (row_in < count && column < {columns})")),
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
    let names = m.split("column", &named(k, &r.columns));
    r.columns.iter().zip(names).for_each(|(l, c)| counters[*l] = c);
    m.line(format!("let total = sums[i / 4u]{}[i % 4u];", if kept { "[0]" } else { "" }));
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
    m.close();
    m.close();
    grid
}

/// Brings the tile's rows (or columns) of `DEEP` steps into workgroup memory, neighbours in memory to neighbouring threads.
/// Where `order` is given, steps of the sum are places in it.
fn fill(m: &mut Module, k: &Kernel, s: &Side, (sums, order): (&[usize], Option<usize>), deep: &str, more: Option<&str>) {
    let vectors = s.lines / 4;
    m.open(format!("for (var e = lane; e < {}u; e += {THREADS}u)", vectors * DEEP));
    if order.is_none() && steps(s.access, sums) || !steps(s.access, s.loops) {
        m.line(format!("let line = e / {DEEP}u * 4u;"));
        m.line(format!("let step = e % {DEEP}u;"));
    } else {
        m.line(format!("let line = e % {vectors}u * 4u;"));
        m.line(format!("let step = e / {vectors}u;"));
    }
    m.line("var value = vec4<f32>(0.0);");
    let more = more.map_or(String::new(), |t| format!(" && {t}"));
    m.open(format!("if (at + step < {deep}{more})"));
    let step = match order {
        None => "(at + step)".to_string(),
        Some(order) => {
            let place = m.element(order, "at + step");
            m.line(format!("let place = u32({place});"));
            "place".to_string()
        }
    };
    let names = m.split(&step, &named(k, sums));
    let deeper = part(m, s.access, sums, &names);
    m.line(format!("let source = {} + {deeper};", s.base));
    for (n, component) in PARTS.iter().enumerate() {
        match &s.listed {
            Some((_, count)) => m.open(format!("if (line + {n}u < {count})")),
            None => m.open(format!("if ({} + line + {n}u < {})", s.first, s.count)),
        }
        let own = match &s.listed {
            Some((list, _)) => format!("{list}[line + {n}u]"),
            None => {
                let names = m.split(&format!("({} + line + {n}u)", s.first), &named(k, s.loops));
                part(m, s.access, s.loops, &names)
            }
        };
        let x = m.load(s.access.buffer, &format!("source + {own}"));
        m.line(format!("value.{component} = {x};"));
        m.close();
    }
    m.close();
    m.line(format!("{}[step * {vectors}u + line / 4u] = value;", s.store));
    m.close();
}
