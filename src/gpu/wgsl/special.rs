//! Steps that are no loop nests: short orders, assignment, random values, and what loops need.

use super::super::flatten::{Move, Word};
use super::super::program::Grid;
use super::module::Module;
use crate::ir::{DType, Dist, Size};
use crate::plan::{View, Window};

/// Threads of a workgroup where one thread makes one element.
pub(super) const LANES: u32 = 64;
/// Threads of a workgroup that shares one row.
pub(super) const WIDE: u32 = 256;

pub(super) fn product(shape: &[Size]) -> Size {
    shape.iter().fold(Size::from(1i64), |n, s| n.mul(s))
}

pub(super) fn loops(shape: &[Size], name: &str) -> Vec<(String, Size)> {
    shape.iter().enumerate().map(|(k, s)| (format!("{name}{k}_"), s.clone())).collect()
}

pub(super) fn at(m: &mut Module, view: &View, counters: &[String]) -> String {
    let terms: Vec<(String, Size)> = counters.iter().cloned().zip(view.strides.iter().cloned()).collect();
    m.address(&view.offset, &terms)
}

pub(in crate::gpu) fn row_major(shape: &[Size]) -> Vec<Size> {
    let mut strides = vec![Size::from(1i64); shape.len()];
    for k in (0..shape.len().saturating_sub(1)).rev() {
        strides[k] = strides[k + 1].mul(&shape[k + 1]);
    }
    strides
}

/// `n` shared among threads.
pub(in crate::gpu) fn share(n: &Size, threads: u32) -> Size {
    let up = n.add(&Size::from(i64::from(threads) - 1));
    up.int_div(&Size::from(i64::from(threads))).expect("there are threads")
}

/// The key by which an element sorts, a u32.
pub(super) fn key(m: &mut Module, input: &Window, address: &str, dtype: DType, descending: bool) -> String {
    let bits = m.bits(input.view.buffer, address);
    match dtype {
        DType::F32 => format!("{}({bits}, {descending})", m.function("sort_key")),
        DType::I32 | DType::Bool if descending => format!("~({bits} ^ 0x80000000u)"),
        DType::I32 | DType::Bool => format!("({bits} ^ 0x80000000u)"),
    }
}

/// Every element counts how many stand before it, and goes there: stable, ties to the lower index, nothing waits for anything.
pub(super) fn order(m: &mut Module, input: &Window, out: &Window, axis: usize, descending: bool, dtype: DType) -> Grid {
    m.reserve("mine rank j theirs");
    let (along, rows) = input.shape.split_last().expect("an order has a row");
    let count = product(&input.shape);
    let item = m.threads(&count, LANES);
    let mut all = loops(rows, "row");
    all.push(("i".to_string(), along.clone()));
    let counters = m.split(&item, &all);
    rank(m, (input, out, axis), descending, dtype, &counters, &counters);
    Grid::Work { count, per: LANES }
}

/// The same for the element at `counters` (the last one along the row); `local` are those for workgroup memory.
pub(super) fn rank(
    m: &mut Module,
    (input, out, axis): (&Window, &Window, usize),
    descending: bool,
    dtype: DType,
    counters: &[String],
    local: &[String],
) {
    let pick = |m: &Module, b: usize| if m.private.contains_key(&b) { local.to_vec() } else { counters.to_vec() };
    let mut here = pick(m, input.view.buffer);
    let own = at(m, &input.view, &here);
    let mine = key(m, input, &own, dtype, descending);
    m.line(format!("let mine = {mine};"));
    m.line("var rank = 0u;");
    let along = &input.shape[input.shape.len() - 1];
    m.rounds(along);
    let n = m.size(along);
    m.open(format!("for (var j = 0u; j < {n}; j++)"));
    let i = std::mem::replace(here.last_mut().expect("a row"), "j".to_string());
    let there = at(m, &input.view, &here);
    let theirs = key(m, input, &there, dtype, descending);
    m.line(format!("let theirs = {theirs};"));
    m.line(format!("rank += select(0u, 1u, theirs < mine || (theirs == mine && j < {i}));"));
    m.close();
    let taken = m.size(&out.shape[axis]);
    m.open(format!("if (rank < {taken})"));
    let mut place = pick(m, out.view.buffer);
    place.pop();
    place.insert(axis, "rank".to_string());
    let to = at(m, &out.view, &place);
    m.store(out.view.buffer, &to, &format!("i32({i})"));
    m.close();
}

/// One thread a matrix: shortest augmenting paths (Jonker and Volgenant 1987), in memory of its own. `scratch` holds 7 (n + 1)
/// words a matrix.
pub(super) fn assign(m: &mut Module, input: &Window, out: usize, scratch: usize) -> Grid {
    m.reserve("n base own of_row of_column reach row_of back done largest i c beyond row column turn here next given cost reduced previous");
    let rank = input.shape.len();
    let outer = input.shape[..rank - 2].to_vec();
    let count = product(&outer);
    let item = m.threads(&count, LANES);
    let counters = m.split(&item, &loops(&outer, "row"));
    let base = at(m, &View { strides: input.view.strides[..rank - 2].to_vec(), ..input.view.clone() }, &counters);
    let side = &input.shape[rank - 1];
    let n = m.size(side);
    // At worst every row's path goes through all columns, twice over all of them each time.
    m.rounds(&side.mul(side).mul(side).mul(&Size::from(2i64)));
    let down = m.size(&input.view.strides[rank - 2]);
    let along = m.size(&input.view.strides[rank - 1]);
    let (w, from, to) = (m.named(scratch, true), m.named(input.view.buffer, false), m.named(out, true));
    let (nan, bits) = (m.function("is_nan"), m.function("from_bits"));
    m.line(format!("let n = {n};"));
    m.line(format!("let base = {base};"));
    m.line(format!("let own = {item} * 7u * (n + 1u);"));
    // Stretches of n + 1 words: potentials of rows and columns, reach, then whole numbers: the row of a column, from, done.
    for (k, name) in ["of_row", "of_column", "reach", "row_of", "back", "done"].iter().enumerate() {
        m.line(format!("let {name} = own + {k}u * (n + 1u);"));
    }
    m.line("var largest = 0.0;");
    m.open("for (var i = 0u; i < n * n; i++)");
    m.line(format!("let c = abs({from}[base + (i / n) * {down} + (i % n) * {along}]);"));
    m.line(format!("largest = select(largest, c, c > largest && (bitcast<u32>(c) < 0x7f800000u) && !{nan}(c));"));
    m.close();
    m.line("let beyond = min(4.0 * (f32(n) + 1.0) * (largest + 1.0), 1e37);");
    m.open("for (var c = 0u; c <= n; c++)");
    m.line(format!("{w}[of_row + c] = 0.0; {w}[of_column + c] = 0.0; {w}[row_of + c] = 0.0;"));
    m.close();
    m.open("for (var row = 1u; row <= n; row++)");
    m.line(format!("{w}[row_of] = f32(row);"));
    m.open("for (var c = 0u; c <= n; c++)");
    m.line(format!("{w}[reach + c] = {bits}(0x7f800000u); {w}[back + c] = 0.0; {w}[done + c] = 0.0;"));
    m.close();
    m.line("var column = 0u;");
    m.open("for (var turn = 0u; turn <= n; turn++)");
    m.line(format!("if ({w}[row_of + column] == 0.0) {{ break; }}"));
    m.line(format!("{w}[done + column] = 1.0;"));
    m.line(format!("let here = u32({w}[row_of + column]);"));
    m.line(format!("var step = {bits}(0x7f800000u);"));
    m.line("var next = 0u;");
    m.open("for (var c = 1u; c <= n; c++)");
    m.line(format!("if ({w}[done + c] != 0.0) {{ continue; }}"));
    m.line(format!("let given = {from}[base + (here - 1u) * {down} + (c - 1u) * {along}];"));
    m.line(format!(
        "let cost = select(select(select(given, beyond, given > beyond), -beyond, given < -beyond), beyond, {nan}(given));"
    ));
    m.line(format!("let reduced = cost - {w}[of_row + here] - {w}[of_column + c];"));
    m.line(format!("if (reduced < {w}[reach + c]) {{ {w}[reach + c] = reduced; {w}[back + c] = f32(column); }}"));
    m.line(format!("if ({w}[reach + c] < step) {{ step = {w}[reach + c]; next = c; }}"));
    m.close();
    m.open("for (var c = 0u; c <= n; c++)");
    m.open(format!("if ({w}[done + c] != 0.0)"));
    m.line(format!("{w}[of_row + u32({w}[row_of + c])] += step;"));
    m.line(format!("{w}[of_column + c] -= step;"));
    m.otherwise();
    m.line(format!("{w}[reach + c] -= step;"));
    m.close();
    m.close();
    m.line("column = next;");
    m.close();
    m.open("for (var turn = 0u; turn <= n; turn++)");
    m.line("if (column == 0u) { break; }");
    m.line(format!("let previous = u32({w}[back + column]);"));
    m.line(format!("{w}[row_of + column] = {w}[row_of + previous];"));
    m.line("column = previous;");
    m.close();
    m.close();
    m.open("for (var c = 1u; c <= n; c++)");
    m.line(format!("{to}[{item} * n + u32({w}[row_of + c]) - 1u] = i32(c) - 1;"));
    m.close();
    Grid::Work { count, per: LANES }
}

/// One thread a value.
pub(super) fn random(m: &mut Module, dist: Dist, number: u32, seed: &Window, round: &Window, out: usize) -> Grid {
    m.reserve("w u k quarter angle part");
    let count = product(&seed.shape);
    let item = m.threads(&count, LANES);
    let counters = m.split(&item, &loops(&seed.shape, "o"));
    let from = at(m, &seed.view, &counters);
    let s = m.load(seed.view.buffer, &from);
    let from = at(m, &round.view, &counters);
    let r = m.load(round.view.buffer, &from);
    let philox = m.function("philox");
    let key = m.start(&Size::from(i64::from(number)));
    m.line(format!("let w = {philox}(vec4<u32>({item}, u32({r}), 0u, 0u), vec2<u32>(u32({s}), {key}));"));
    let x = match dist {
        Dist::Uniform => "f32(w.x >> 8u) * 5.9604645e-8".to_string(),
        Dist::Normal => {
            let (log, sin, cos) = (m.function("log_"), m.function("sin_"), m.function("cos_"));
            m.line("let u = (f32(w.x >> 8u) + 1.0) * 5.9604645e-8;");
            // The angle is a whole number of 2^24 parts of a turn: its quarter is exact, and what is left of it is small.
            m.line("let k = w.y >> 8u;");
            m.line("let quarter = (k + 2097152u) >> 22u;");
            m.line("let angle = f32(i32(k) - i32(quarter << 22u)) * 3.7450703e-7;");
            m.line(format!("let part = select({cos}(angle), {sin}(angle), (quarter & 1u) != 0u);"));
            format!("sqrt(-2.0 * {log}(u)) * select(part, -part, ((quarter + 1u) & 2u) != 0u)")
        }
    };
    m.store(out, &item, &x);
    Grid::Work { count, per: LANES }
}

/// Copies words, several stretches at a time: thread `i` copies word `i` of each.
pub(super) fn moves(m: &mut Module, moves: &[Move]) -> Grid {
    m.reserve("i");
    // A copy of the longest stretch; the others stop earlier.
    let count = moves.iter().fold(Size::from(0i64), |n, v| n.add(&v.len));
    let item = m.threads(&count, LANES);
    if let Some(flag) = moves.iter().find_map(|v| v.unless) {
        let stopped = m.load(flag, "0u");
        m.line(format!("if ({stopped} != 0) {{ return; }}"));
    }
    m.line(format!("var i = {item};"));
    for (k, v) in moves.iter().enumerate() {
        let n = m.size(&v.len);
        m.open(format!("if (i < {n})"));
        let from = m.address(&v.from.1, &[("i".to_string(), Size::from(1i64))]);
        let x = m.element(v.from.0, &from);
        let to = match v.round {
            Some(r) => {
                let r = m.load(r, "0u");
                format!("u32({r}) * {n} + i")
            }
            None => "i".to_string(),
        };
        m.put(v.to, &to, &x);
        m.line("return;");
        m.close();
        if k + 1 < moves.len() {
            m.line(format!("i -= {n};"));
        }
    }
    Grid::Work { count, per: LANES }
}

pub(super) fn fill(m: &mut Module, buffer: usize, value: &Word) -> Grid {
    let count = m.buffers[buffer].len();
    let item = m.threads(&count, LANES);
    let real = m.buffers[buffer].dtype == DType::F32;
    let text = match value {
        Word::Zero => if real { "0.0" } else { "0" }.to_string(),
        Word::Size(n) => {
            let n = m.size(n);
            format!("i32({n})")
        }
    };
    m.put(buffer, &item, &text);
    Grid::Work { count, per: LANES }
}

pub(super) fn turn(m: &mut Module, round: usize, reverse: bool, stop: Option<(usize, usize)>) -> Grid {
    m.line("if (lane != 0u) { return; }");
    let now = m.element(round, "0u");
    m.put(round, "0u", &format!("{now} {} 1", if reverse { "-" } else { "+" }));
    if let Some((flag, stopped)) = stop {
        let (flag, before) = (m.element(flag, "0u"), m.element(stopped, "0u"));
        m.put(stopped, "0u", &format!("select({before}, 1, {flag} != 0)"));
    }
    Grid::Work { count: Size::from(1i64), per: 1 }
}
