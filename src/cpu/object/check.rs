//! The function that every other one begins with: from the free sizes to all sizes, and how much memory they need.
//!
//! It gives the bytes of the workspace, or 0 where sizes are bad: negative, not allowed, not what the plan is right for, or more than
//! can be counted.

use super::code::Code;
use super::memory::{From, Memory};
use super::table::{Counter, Table};
use super::{Face, NUMBERS, rounded};
use crate::ir::{DType, Size};
use crate::plan::{self, Expr, Kernel, Plan, Step};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Bytes that may be read of what has no elements.
const SPARE: i64 = 64;
/// A page, and from how many bytes on something begins with one.
const PAGE: i64 = 4 * plan::PAGE as i64;
const PAGED: i64 = 4 * plan::PAGED as i64;
const MOST: i64 = i32::MAX as i64;

/// What lies at an index in something that may be empty, and how far from its start others would read.
pub(super) struct Picked {
    pub item: usize,
    reach: Size,
}

/// What is asked of sizes.
#[derive(Default)]
struct Asked {
    /// They count places of one axis.
    axes: BTreeSet<Size>,
    /// They count something.
    counts: BTreeSet<Size>,
    /// They are numbers of 32 bits.
    whole: BTreeSet<Size>,
}

/// Everything that is picked from buffers that may be empty.
pub(super) fn picked(plan: &Plan, kernels: &dyn Fn(&Step) -> Option<Kernel>, own: &super::memory::Own) -> Vec<Picked> {
    let mut out = Vec::new();
    for (step, more) in plan.steps.iter().zip(&own.steps) {
        if let (Step::Rounds(r), Some(body)) = (step, &more.body) {
            out.extend(picked(&r.body, kernels, body));
        }
        let Some(k) = kernels(step) else { continue };
        for e in &k.body {
            let Expr::Pick { access, .. } = e else { continue };
            if plan.buffers[access.buffer].len().constant().is_some_and(|n| n > 0) {
                continue;
            }
            let one = Size::from(1i64);
            let last = |(l, s): &(usize, Size)| k.loops[*l].size.sub(&one).mul(s);
            let reach = access.terms.iter().map(last).fold(access.offset.add(&one), |n, m| n.add(&m));
            out.push(Picked { item: own.first + access.buffer, reach });
        }
    }
    out
}

impl Asked {
    fn plan(&mut self, plan: &Plan) {
        self.axes.extend(plan.buffers.iter().flat_map(|b| b.shape.iter().cloned()));
        for step in &plan.steps {
            match step {
                Step::Kernel(k) => {
                    self.counts.extend(k.loops.iter().map(|l| l.size.clone()));
                    self.axes.extend(k.loops.iter().skip(k.outer).map(|l| l.size.clone()));
                    let of = |(e, t): (&Expr, &DType)| {
                        if let (Expr::Size(s), DType::I32 | DType::Bool) = (e, t) { Some(s.clone()) } else { None }
                    };
                    self.whole.extend(k.body.iter().zip(&k.types).filter_map(of));
                }
                Step::Product(p) => self.axes.extend(p.spans.iter().map(|s| s.size.clone())),
                Step::Grouped(g) => self.axes.extend(g.product.spans.iter().map(|s| s.size.clone())),
                Step::Segments(s) => self.axes.extend(s.product.spans.iter().map(|s| s.size.clone())),
                Step::Rounds(r) => {
                    self.axes.insert(r.trips.clone());
                    self.plan(&r.body);
                }
                Step::Order { .. } | Step::Scan { .. } | Step::Assign { .. } => {}
                Step::Scatter { .. } | Step::Random { .. } => {}
            }
        }
    }
}

/// What sizes have to be besides whole numbers of their stretches: those that must not be negative, and those that must be whole. What
/// is so whatever the free sizes are is left out.
pub(super) fn conditions(plan: &Plan) -> (Vec<Size>, Vec<Size>) {
    let mut asked = Asked::default();
    asked.plan(plan);
    let all: BTreeSet<Size> = asked.axes.into_iter().chain(asked.counts).filter(|s| s.constant().is_none()).collect();
    let falls = |s: &&Size| s.parts().any(|((num, _), _)| num < 0);
    (all.iter().filter(falls).cloned().collect(), all.iter().filter(|s| !s.is_whole()).cloned().collect())
}

/// Writes the function: its arguments are the free sizes and the table.
pub(super) fn check(c: &mut Code, (plan, face): (&Plan, &Face), memory: &Memory, table: &Table, picked: &[Picked]) -> Value {
    let (given, numbers) = (c.args[0], c.args[1]);
    let mut free = BTreeMap::new();
    for (k, f) in face.sizes.iter().enumerate() {
        free.insert(f.size.clone(), c.b.ins().load(I64, crate::cpu::r#gen::flags(), given, 8 * k as i32));
    }
    let mut n = Counter::new(c, &free);
    for f in &face.sizes {
        allowed(&mut n, free[&f.size], &f.allowed);
    }
    for (k, size) in table.all().iter().enumerate() {
        let value = n.value(size);
        n.c.b.ins().store(crate::cpu::r#gen::flags(), value, numbers, 8 * (table.first() + k) as i32);
    }
    let mut asked = Asked::default();
    asked.plan(plan);
    let unknown = |s: &&Size| s.constant().is_none_or(|n| !(0..=MOST).contains(&n));
    for size in asked.axes.iter().filter(unknown) {
        let value = n.value(size);
        within(&mut n, value, 0, MOST);
    }
    for size in asked.counts.iter().filter(unknown) {
        let value = n.value(size);
        within(&mut n, value, 0, i64::MAX);
    }
    for size in &asked.whole {
        let value = n.value(size);
        within(&mut n, value, i32::MIN.into(), MOST);
    }
    for g in &plan.granted {
        let (least, most) = (n.value(&g.least), n.value(&g.most));
        let broken = n.c.b.ins().icmp(IntCC::SignedGreaterThan, least, most);
        n.spoil(broken);
    }
    let total = places(&mut n, memory, table, picked, numbers);
    let (bad, zero) = (n.is_bad(), n.c.int(0));
    n.c.b.ins().select(bad, zero, total)
}

fn within(n: &mut Counter, value: Value, from: i64, to: i64) {
    let less = n.c.b.ins().icmp_imm_s(IntCC::SignedLessThan, value, from);
    n.spoil(less);
    if to < i64::MAX {
        let more = n.c.b.ins().icmp_imm_s(IntCC::SignedGreaterThan, value, to);
        n.spoil(more);
    }
}

/// A free size is one of the stretches.
fn allowed(n: &mut Counter, value: Value, stretches: &[(i64, i64)]) {
    within(n, value, 0, MOST);
    let mut outside = None;
    for (from, to) in stretches {
        let less = n.c.b.ins().icmp_imm_s(IntCC::SignedLessThan, value, *from);
        let more = n.c.b.ins().icmp_imm_s(IntCC::SignedGreaterThan, value, *to);
        let here = n.c.b.ins().bor(less, more);
        outside = Some(outside.map_or(here, |o| n.c.b.ins().band(o, here)));
    }
    if let Some(outside) = outside {
        n.spoil(outside);
    }
}

/// Notes where each slot begins in the workspace; gives where it ends.
fn places(n: &mut Counter, memory: &Memory, table: &Table, picked: &[Picked], numbers: Value) -> Value {
    let mut at = n.c.int(rounded(NUMBERS + 8 * (memory.items.len() + table.len()) as i64));
    let mut spare = n.c.int(SPARE);
    for p in picked {
        let (length, reach) = (n.value(&memory.items[p.item].elements), n.value(&p.reach));
        let four = n.c.int(4);
        let (none, zero) = (n.c.b.ins().icmp_imm_s(IntCC::Equal, length, 0), n.c.int(0));
        let reach = n.c.b.ins().select(none, reach, zero);
        let bytes = n.times(reach, four);
        spare = n.c.b.ins().smax(spare, bytes);
    }
    let mut room = vec![spare];
    for slot in &memory.slots {
        let mut most = n.c.int(0);
        let kinds: BTreeSet<(Size, i64)> =
            slot.iter().map(|k| (memory.items[*k].elements.clone(), memory.items[*k].bytes)).collect();
        for (elements, bytes) in kinds {
            let (elements, bytes) = (n.value(&elements), n.c.int(bytes));
            let need = n.times(elements, bytes);
            most = n.c.b.ins().smax(most, need);
        }
        room.push(most);
    }
    for (k, bytes) in room.into_iter().enumerate() {
        // What is large begins with a page of the workspace, as it does where this program runs a model.
        let (begin, page) = (n.c.int(PAGE - 1), n.c.int(-PAGE));
        let begin = n.plus(at, begin);
        let begin = n.c.b.ins().band(begin, page);
        let large = n.c.b.ins().icmp_imm_s(IntCC::SignedGreaterThanOrEqual, bytes, PAGED);
        at = n.c.b.ins().select(large, begin, at);
        n.c.b.ins().store(crate::cpu::r#gen::flags(), at, numbers, 8 * k as i32);
        let more = n.c.int(63 + SPARE);
        let end = n.plus(bytes, more);
        let end = n.c.b.ins().band_imm_s(end, !63);
        at = n.plus(at, end);
    }
    // What the caller holds is counted with 64 bits, too.
    for item in memory.items.iter().filter(|i| matches!(i.from, From::Source(_) | From::Result(_))) {
        let (elements, four) = (n.value(&item.elements), n.c.int(4));
        n.times(elements, four);
    }
    at
}
