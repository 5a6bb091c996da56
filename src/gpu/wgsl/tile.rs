//! Products tile by tile: a workgroup computes 64 rows by 64 columns, each thread 4 by 4 of them in registers; both factors come
//! through workgroup memory, 16 steps of the sum at a time, with zeros beyond the edges.
//!
//! A grouped product takes its rows in the order of their groups (`sort`), so that a tile needs one matrix only.

use super::super::program::Grid;
use super::kernel::Nest;
use super::module::Module;
use super::sort::Sorted;
use crate::ir::{Size, size::SizeFn};
use crate::plan::{Access, Expr, Kernel};

/// Threads of a workgroup.
pub(super) const THREADS: u32 = 256;
/// Rows and columns of a tile.
pub(super) const SIDE: i64 = 64;
/// Steps of the sum in workgroup memory.
const DEEP: i64 = 16;
/// Steps that are written out.
const UNROLL: i64 = 4;

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
    match &k.body[e] {
        Expr::Load(a) | Expr::Pick { access: a, .. } => a.terms.iter().any(|t| t.0 == l),
        _ => false,
    }
}

fn load(k: &Kernel, e: usize) -> &Access {
    match &k.body[e] {
        Expr::Load(a) | Expr::Pick { access: a, .. } => a,
        _ => unreachable!("the factors of a product are loads"),
    }
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

/// `ceil(n / SIDE)`
pub(super) fn tiles(n: &Size) -> Size {
    Size::apply(SizeFn::Ceil, vec![n.mul(&Size::fraction(1, SIDE))])
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
    /// The variable in workgroup memory: `DEEP` lines of `SIDE`.
    store: String,
    /// Rows or columns, and where the tile's first one is.
    loops: &'k [usize],
    first: &'k str,
    count: String,
    /// What does not change along the sum.
    base: String,
    /// For grouped rows: where the addresses of the tile's rows lie, and how many there are.
    listed: Option<(String, String)>,
}

pub(super) fn emit(m: &mut Module, k: &Kernel, sum: usize, sorted: Option<&Sorted>) -> Grid {
    m.reserve("tile left_column top_row count starts row base_left base_right x y at i line value sums row_in column own total");
    let r = roles(k, sum, sorted.is_some());
    let (a, b) = (load(k, 0), load(k, if sorted.is_some() { 2 } else { 1 }));
    let (row_count, column_count, depth) = (extent(k, &r.rows), extent(k, &r.columns), extent(k, &r.sums));
    let (rows, columns, deep) = (m.size(&row_count), m.size(&column_count), m.size(&depth));
    let (left, right) =
        (m.shared("left", &format!("array<f32, {}>", SIDE * DEEP)), m.shared("right", &format!("array<f32, {}>", SIDE * DEEP)));
    let grid;
    let mut counters = vec![String::new(); k.loops.len()];
    let mut listed = None;
    let mut base = [m.size(&a.offset), m.size(&b.offset)];
    match sorted {
        None => {
            let across = tiles(&column_count);
            let down = tiles(&row_count);
            let count = across.mul(&down).mul(&extent(k, &r.batch));
            m.line("let tile = wg.y * 65535u + wg.x;");
            let all = m.size(&count);
            m.line(format!("if (tile >= {all}) {{ return; }}"));
            let (x, y) = (m.size(&across), m.size(&down));
            m.line(format!("let left_column = tile % {x} * {SIDE}u;"));
            m.line(format!("let top_row = tile / {x} % {y} * {SIDE}u;"));
            let names = m.split(&format!("(tile / ({x} * {y}))"), &named(k, &r.batch));
            for (n, x) in [a, b].into_iter().enumerate() {
                let more = part(m, x, &r.batch, &names);
                base[n] = format!("{} + {more}", base[n]);
            }
            r.batch.iter().zip(names).for_each(|(l, c)| counters[*l] = c);
            grid = Grid::Work { count, per: 1 };
        }
        Some(s) => {
            m.line("let tile = wg.z * 65535u + wg.x;");
            m.line(format!("let left_column = wg.y * {SIDE}u;"));
            let mut word = |n: u32| m.element(s.table, &format!("tile * 3u + {n}u"));
            let (group, from, to) = (word(0), word(1), word(2));
            m.line(format!("let group = u32({group});"));
            m.line(format!("let top_row = u32({from});"));
            m.line(format!("let count = u32({to}) - top_row;"));
            let stride = m.size(&s.stride);
            base[1] = format!("{} + group * {stride}", base[1]);
            // Where each row of the tile starts in the first factor.
            let list = m.shared("starts", &format!("array<u32, {SIDE}>"));
            m.open(format!("if (lane < {SIDE}u)"));
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
    m.line("let x = lane % 16u;");
    m.line("let y = lane / 16u;");
    for i in 0..4 {
        m.line(format!("var c{i}_ = vec4<f32>(0.0);"));
    }
    let none = sorted.filter(|s| !s.clamp).map(|s| {
        let n = m.size(&s.count);
        format!("group < {n}")
    });
    m.open(format!("for (var at = 0u; at < {deep}; at += {DEEP}u)"));
    let l =
        Side { access: a, store: left, loops: &r.rows, first: "top_row", count: rows.clone(), base: "base_left".into(), listed };
    fill(m, k, &l, &r.sums, &deep, None);
    let s = Side {
        access: b,
        store: right,
        loops: &r.columns,
        first: "left_column",
        count: columns.clone(),
        base: "base_right".into(),
        listed: None,
    };
    fill(m, k, &s, &r.sums, &deep, none.as_deref());
    m.line("workgroupBarrier();");
    m.open(format!("for (var i = 0u; i < {DEEP}u; i += {UNROLL}u)"));
    for u in 0..UNROLL {
        let four = |store: &str, lane: &str| {
            let at = |n: i64| format!("{store}[i * {SIDE}u + {lane} * 4u + {}u]", u * SIDE + n);
            format!("vec4<f32>({}, {}, {}, {})", at(0), at(1), at(2), at(3))
        };
        m.line(format!("let a{u}_ = {};", four(&l.store, "y")));
        m.line(format!("let b{u}_ = {};", four(&s.store, "x")));
        for (i, lane) in ["x", "y", "z", "w"].iter().enumerate() {
            m.line(format!("c{i}_ = fma(vec4<f32>(a{u}_.{lane}), b{u}_, c{i}_);"));
        }
    }
    m.close();
    m.line("workgroupBarrier();");
    m.close();
    m.line("var sums = array<vec4<f32>, 4>(c0_, c1_, c2_, c3_);");
    m.open("for (var i = 0u; i < 16u; i++)");
    m.line("let row_in = y * 4u + i / 4u;");
    m.line("let column = left_column + x * 4u + i % 4u;");
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
    m.line("let total = sums[i / 4u][i % 4u];");
    let mut nest = Nest::new(m, k, counters);
    nest.know(sum, "total");
    let value = nest.finish(sum);
    let place = nest.place();
    m.store(k.store.buffer, &place, &value);
    m.close();
    m.close();
    grid
}

/// Brings `SIDE` rows (or columns) of `DEEP` steps into workgroup memory, four elements a thread, neighbours in memory to
/// neighbouring threads.
fn fill(m: &mut Module, k: &Kernel, s: &Side, sums: &[usize], deep: &str, more: Option<&str>) {
    let along = steps(s.access, sums) || !steps(s.access, s.loops);
    for n in 0..SIDE * DEEP / i64::from(THREADS) {
        m.line("{");
        let from = n * i64::from(THREADS);
        let (line, step) =
            if along { (format!("/ {DEEP}u"), format!("% {DEEP}u")) } else { (format!("% {SIDE}u"), format!("/ {SIDE}u")) };
        m.line(format!("let line = (lane + {from}u) {line};"));
        m.line(format!("let step = (lane + {from}u) {step};"));
        m.line("var value = 0.0;");
        let inside = match &s.listed {
            Some((_, count)) => format!("line < {count}"),
            None => format!("{} + line < {}", s.first, s.count),
        };
        let more = more.map_or(String::new(), |t| format!(" && {t}"));
        m.open(format!("if ({inside} && at + step < {deep}{more})"));
        let own = match &s.listed {
            Some((list, _)) => format!("{list}[line]"),
            None => {
                let names = m.split(&format!("({} + line)", s.first), &named(k, s.loops));
                part(m, s.access, s.loops, &names)
            }
        };
        let names = m.split("(at + step)", &named(k, sums));
        let deeper = part(m, s.access, sums, &names);
        let value = m.load(s.access.buffer, &format!("{} + {own} + {deeper}", s.base));
        m.line(format!("value = {value};"));
        m.close();
        m.line(format!("{}[step * {SIDE}u + line] = value;", s.store));
        m.line("}");
    }
}
