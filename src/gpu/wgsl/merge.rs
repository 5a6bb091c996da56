//! Long rows in order, by as many workgroups as they fill: blocks are sorted by counting, then merged sixteen at a time, a dispatch
//! each time that the sorted stretches grow so. Stable: equal keys keep their order.
//!
//! The dispatches are there for every length; those that a row is too short for have no workgroups.

use super::super::program::{Buffer, Grid, Item, Kind};
use super::Emitter;
use super::module::Module;
use super::special::{self, loops, product};
use crate::ir::size::SizeFn;
use crate::ir::{DType, Size};
use crate::plan::Window;
use crate::plan::measured::gpu::MERGED as WAYS;
use crate::source::Span;

/// Elements of a block, and threads of a workgroup.
pub(super) const BLOCK: u32 = 256;

/// The text of the key (a `u32`) of element `j` of the row at some counters.
pub(super) type Key<'k> = &'k dyn Fn(&mut Module, &[String], &str) -> String;

/// Rows to be sorted by a key.
pub(super) struct Rows<'k> {
    pub shape: Vec<Size>,
    pub along: Size,
    pub key: Key<'k>,
    pub early: bool,
    pub places: &'k [Span],
}

impl Emitter<'_> {
    /// Sorts rows; gives the buffer with the numbers of their elements, twice as long as needed: [`half`] says which half holds
    /// the result.
    pub(super) fn sort_rows(&mut self, name: &str, rows: &Rows, out: &mut Vec<Item>) -> usize {
        let along = &rows.along;
        let all = product(&rows.shape).mul(along);
        self.buffers.push(Buffer {
            name: format!("{name}_sorted"),
            dtype: DType::I32,
            shape: vec![all.mul(&Size::from(2i64))],
            kind: Kind::Temp,
            early: rows.early,
            half: false,
        });
        let sorted = self.buffers.len() - 1;
        let none = Size::from(0i64);
        out.push(self.shader(&format!("{name}_blocks"), BLOCK, rows.places, none.clone(), &|m| blocks(m, rows, sorted)));
        let longest = along.constant().unwrap_or(1 << 31);
        let mut run = i64::from(BLOCK);
        while run < longest {
            let last = along.sub(&Size::from(1i64));
            let longer = last.int_div(&Size::from(run)).expect("a run has a length");
            let active = Size::apply(SizeFn::Min, vec![longer, Size::from(1i64)]);
            let name = format!("{name}_merge");
            out.push(self.shader(&name, special::LANES, rows.places, none.clone(), &|m| merge(m, rows, sorted, run, &active)));
            run *= WAYS;
        }
        sorted
    }

    /// An order whose rows are long.
    pub(super) fn long_order(
        &mut self,
        (input, to, axis): (&Window, &Window, usize),
        descending: bool,
        dtype: DType,
        places: &[Span],
        out: &mut Vec<Item>,
    ) {
        let (along, shape) = input.shape.split_last().expect("an order has a row");
        let name = self.buffers[to.view.buffer].name.clone();
        let early = self.buffers[to.view.buffer].early;
        let key = |m: &mut Module, row: &[String], j: &str| {
            let counters: Vec<String> = row.iter().cloned().chain([j.to_string()]).collect();
            let address = special::at(m, &input.view, &counters);
            special::key(m, input, &address, dtype, descending)
        };
        let rows = Rows { shape: shape.to_vec(), along: along.clone(), key: &key, early, places };
        let sorted = self.sort_rows(&name, &rows, out);
        let item = self.shader(&name, special::LANES, places, Size::from(0i64), &|m| {
            m.reserve("at rank");
            let count = product(&to.shape);
            let item = m.threads(&count, special::LANES);
            let mut dims = loops(shape, "row");
            dims.push(("rank".to_string(), to.shape[axis].clone()));
            let mut counters = m.split(&item, &dims);
            let at = half(m, shape, along, &counters[..shape.len()]);
            let rank = counters.pop().expect("a rank");
            let value = m.element(sorted, &format!("{at} + {rank}"));
            counters.insert(axis, rank);
            let place = special::at(m, &to.view, &counters);
            m.store(to.view.buffer, &place, &value);
            Grid::Work { count, per: special::LANES }
        });
        out.push(item);
    }
}

/// The number of a row among all.
fn number(m: &mut Module, shape: &[Size], counters: &[String]) -> String {
    m.address(
        &Size::from(0i64),
        &counters.iter().cloned().zip(special::row_major(shape)).filter(|c| c.0 != "0u").collect::<Vec<_>>(),
    )
}

/// Says where the sorted row of some counters starts; every merge that ran changed the half.
pub(super) fn half(m: &mut Module, shape: &[Size], along: &Size, counters: &[String]) -> String {
    m.reserve("run other sorted_from");
    let (n, all) = (m.size(along), m.size(&product(shape)));
    let row = number(m, shape, counters);
    m.line("var other = 0u;");
    m.line(format!("for (var run = {BLOCK}u; run > 0u && run < {n}; run *= {WAYS}u) {{ other = 1u - other; }}"));
    m.line(format!("let sorted_from = (other * {all} + {row}) * {n};"));
    "sorted_from".to_string()
}

/// One workgroup a block: every element counts how many of its block stand before it.
fn blocks(m: &mut Module, rows: &Rows, sorted: usize) -> Grid {
    m.reserve("group block row i j mine rank first last");
    let count = product(&rows.shape);
    let n = m.size(&rows.along);
    let across = special::share(&rows.along, BLOCK);
    let keys = m.shared("keys", &format!("array<u32, {BLOCK}>"));
    let (blocks, all) = (m.size(&across), m.size(&count.mul(&across)));
    m.line("let group = wg.y * 65535u + wg.x;");
    m.line(format!("if (group >= {all}) {{ return; }}"));
    m.line(format!("let row = group / {blocks};"));
    m.line(format!("let first = group % {blocks} * {BLOCK}u;"));
    let counters = m.split("row", &loops(&rows.shape, "row"));
    m.line("let i = first + lane;");
    m.line(format!("let last = min({n} - first, {BLOCK}u);"));
    m.open("if (lane < last)");
    let key = (rows.key)(m, &counters, "i");
    m.line(format!("{keys}[lane] = {key};"));
    m.close();
    m.line("workgroupBarrier();");
    m.open("if (lane < last)");
    m.line(format!("let mine = {keys}[lane];"));
    m.line("var rank = 0u;");
    m.open("for (var j = 0u; j < last; j++)");
    m.line(format!("rank += select(0u, 1u, {keys}[j] < mine || ({keys}[j] == mine && j < lane));"));
    m.close();
    m.put(sorted, &format!("row * {n} + first + rank"), "i32(i)");
    m.close();
    Grid::Work { count: count.mul(&across), per: 1 }
}

/// One thread an element: its place in the merged stretch is its place in its own and how many of each other stand before it.
fn merge(m: &mut Module, rows: &Rows, sorted: usize, run: i64, active: &Size) -> Grid {
    m.reserve("row i base to mine key start own place way low high first between theirs other_key before");
    let all = product(&rows.shape).mul(&rows.along);
    let count = all.mul(active);
    let item = m.threads(&all, special::LANES);
    let n = m.size(&rows.along);
    let run_word = m.number(run, "run");
    let odd = (run / i64::from(BLOCK)).ilog(WAYS) % 2;
    let total = m.size(&all);
    let from = m.number(i64::from(odd), "half");
    m.line(format!("let row = {item} / {n};"));
    m.line(format!("let i = {item} % {n};"));
    m.line(format!("let base = {from} * {total} + row * {n};"));
    m.line(format!("let to = (1u - {from}) * {total} + row * {n};"));
    let counters = m.split("row", &loops(&rows.shape, "row"));
    let mine = m.element(sorted, "base + i");
    m.line(format!("let mine = u32({mine});"));
    let key = (rows.key)(m, &counters, "mine");
    m.line(format!("let key = {key};"));
    m.line(format!("let start = i / {run_word} / {WAYS}u * {WAYS}u * {run_word};"));
    m.line(format!("let own = (i - start) / {run_word};"));
    m.line(format!("var place = i - own * {run_word};"));
    m.open(format!("for (var way = 0u; way < {WAYS}u; way++)"));
    m.line("if (way == own) { continue; }");
    m.line(format!("let first = min(start + way * {run_word}, {n});"));
    m.line("var low = first;");
    m.line(format!("var high = min(first + {run_word}, {n});"));
    m.open("while (low < high)");
    m.line("let between = (low + high) / 2u;");
    let theirs = m.element(sorted, "base + between");
    m.line(format!("let theirs = u32({theirs});"));
    let other = (rows.key)(m, &counters, "theirs");
    m.line(format!("let other_key = {other};"));
    m.line("let before = other_key < key || (other_key == key && way < own);");
    m.line("low = select(low, between + 1u, before);");
    m.line("high = select(between, high, before);");
    m.close();
    m.line("place += low - first;");
    m.close();
    m.put(sorted, "to + place", "i32(mine)");
    Grid::Work { count, per: special::LANES }
}
