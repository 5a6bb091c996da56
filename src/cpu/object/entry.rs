//! The functions that a program calls: checks, pointers, and step after step.

use super::code::Code;
use super::memory::{From, Memory, Own};
use super::{Built, Codes, Face, MARK, NUMBERS, One};
use crate::cpu::r#gen::flags;
use crate::ir::outside::NOTHING;
use crate::ir::{DType, Size};
use crate::plan::measured::cpu::OBJECT_MANY;
use crate::plan::{Buffer, Kind, Plan, Rounds};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{F32, I32, I64};
use cranelift_codegen::ir::{FuncRef, InstBuilder, Value};
use cranelift_module::FuncId;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// What the functions are made from.
pub(super) struct Entry<'a> {
    pub plan: &'a Plan,
    pub face: &'a Face,
    pub memory: &'a Memory,
    pub built: &'a Built,
    /// Things that are read at indices although they may be empty.
    pub picked: &'a BTreeSet<usize>,
    /// Parameters, in the order of their struct.
    pub params: &'a [usize],
    /// Inputs, in the order of theirs.
    pub inputs: &'a [usize],
    pub refs: BTreeMap<FuncId, FuncRef>,
}

/// Where a caller's structs are.
#[derive(Clone, Copy)]
pub(super) struct Given {
    pub sizes: Value,
    pub params: Value,
    pub inputs: Value,
}

impl Entry<'_> {
    fn wanted(&self) -> usize {
        self.face.outputs.len()
    }

    /// Finds the tables in the workspace, which has to be one.
    fn open(&self, c: &mut Code, workspace: Value) {
        self.aligned(c, workspace);
        c.pointers = c.b.ins().iadd_imm_s(workspace, 8);
        c.numbers = c.b.ins().iadd_imm_s(workspace, NUMBERS + 8 * self.memory.items.len() as i64);
    }

    fn aligned(&self, c: &mut Code, workspace: Value) {
        let none = c.b.ins().icmp_imm_s(IntCC::Equal, workspace, 0);
        let low = c.b.ins().band_imm_u(workspace, 15);
        let off = c.b.ins().icmp_imm_s(IntCC::NotEqual, low, 0);
        let bad = c.b.ins().bor(none, off);
        c.leave(bad, Codes::MISSING);
    }

    fn present(&self, c: &mut Code, at: Value) {
        let none = c.b.ins().icmp_imm_s(IntCC::Equal, at, 0);
        c.leave(none, Codes::MISSING);
    }

    fn mark(&self, c: &mut Code, workspace: Value) -> Value {
        let mark = c.int(MARK);
        c.b.ins().bxor(workspace, mark)
    }

    /// `prepare`
    pub fn prepare(&self, c: &mut Code, given: Given, workspace: Value, [bytes, check]: [FuncRef; 2]) -> Value {
        if !self.face.sizes.is_empty() {
            self.present(c, given.sizes);
        }
        // For bad sizes nobody has a workspace: nothing is written before they are known to be good.
        let call = c.b.ins().call(bytes, &[given.sizes]);
        let total = c.b.inst_results(call)[0];
        let bad = c.b.ins().icmp_imm_s(IntCC::Equal, total, 0);
        c.leave(bad, Codes::SIZES);
        self.open(c, workspace);
        c.b.ins().call(check, &[given.sizes, c.numbers]);
        let nothing = c.int(0);
        c.b.ins().store(flags(), nothing, workspace, 0);
        let spare = self.spare(c, workspace);
        for (k, item) in self.memory.items.iter().enumerate() {
            let From::Slot(slot) = item.from else { continue };
            let by = c.b.ins().load(I64, flags(), c.numbers, 8 * (slot as i32 + 1));
            let mut at = c.b.ins().iadd(workspace, by);
            if self.picked.contains(&k) {
                at = self.unless_empty(c, &item.elements, at, spare);
            }
            c.set_item(k, at);
        }
        self.sources(c, given, workspace, true);
        self.steps(c, self.plan, &self.memory.own, self.built, 0..self.plan.prepared);
        let mark = self.mark(c, workspace);
        c.b.ins().store(flags(), mark, workspace, 0);
        c.b.ins().iconst(I32, Codes::FINE)
    }

    /// `run_prepared`
    pub fn run(&self, c: &mut Code, given: Given, outputs: Value, workspace: Value) -> Value {
        if !self.face.sizes.is_empty() {
            self.present(c, given.sizes);
        }
        self.present(c, outputs);
        self.open(c, workspace);
        let (mark, own) = (self.mark(c, workspace), c.b.ins().load(I64, flags(), workspace, 0));
        let stale = c.b.ins().icmp(IntCC::NotEqual, mark, own);
        c.leave(stale, Codes::UNPREPARED);
        for (k, free) in self.face.sizes.iter().enumerate() {
            let now = c.b.ins().load(I64, flags(), given.sizes, 8 * k as i32);
            let then = c.size(&Size::sym(free.size.clone()));
            let other = c.b.ins().icmp(IntCC::NotEqual, now, then);
            c.leave(other, Codes::UNPREPARED);
        }
        self.sources(c, given, workspace, false);
        let spare = self.spare(c, workspace);
        let mut places = Vec::new();
        for k in 0..self.wanted() {
            let at = c.b.ins().load(I64, flags(), outputs, 8 * k as i32);
            let item = self.result(k);
            let at = self.unless_empty(c, &self.memory.items[item].elements, at, spare);
            self.present(c, at);
            places.push(at);
            if self.memory.items[item].from == From::Result(k) {
                c.set_item(item, at);
            }
        }
        self.steps(c, self.plan, &self.memory.own, self.built, self.plan.prepared..self.plan.steps.len());
        for (k, to) in places.into_iter().enumerate() {
            let item = self.result(k);
            if self.memory.items[item].from != From::Result(k) {
                let (from, n) = (c.item(item), c.size(&self.memory.items[item].elements));
                c.copy(to, from, n);
            }
        }
        for k in 0..self.plan.demands.computed.len() {
            let at = c.item(self.result(self.wanted() + k));
            let word = c.b.ins().load(I32, flags(), at, 0);
            let broken = c.b.ins().icmp_imm_s(IntCC::NotEqual, word, i64::from(NOTHING));
            c.leave(broken, Codes::OUTSIDE + k as i64);
        }
        c.b.ins().iconst(I32, Codes::FINE)
    }

    /// The thing in memory that is result `k`.
    fn result(&self, k: usize) -> usize {
        self.memory.own.first + self.plan.outputs[k]
    }

    fn spare(&self, c: &mut Code, workspace: Value) -> Value {
        let by = c.b.ins().load(I64, flags(), c.numbers, 0);
        c.b.ins().iadd(workspace, by)
    }

    /// What has no elements needs no address: nobody reads more than a few bytes of the one that it gets.
    fn unless_empty(&self, c: &mut Code, elements: &Size, at: Value, spare: Value) -> Value {
        if elements.constant().is_some_and(|n| n > 0) {
            return at;
        }
        let n = c.size(elements);
        c.b.ins().select(n, at, spare)
    }

    /// Points at what the caller gives: all of it, or what `prepare` reads; what is new is looked at.
    fn sources(&self, c: &mut Code, given: Given, workspace: Value, early: bool) {
        let spare = self.spare(c, workspace);
        let fields = self.params.iter().enumerate().map(|(k, b)| (given.params, k, *b));
        let inputs = self.inputs.iter().enumerate().map(|(k, b)| (given.inputs, k, *b));
        let mut asked = Vec::new();
        for (base, field, b) in fields.chain(inputs) {
            let buffer = &self.plan.buffers[b];
            let is_early = buffer.rate < crate::ir::Rate::Input;
            if early && !is_early {
                continue;
            }
            if !asked.contains(&base) {
                self.present(c, base);
                asked.push(base);
            }
            let at = c.b.ins().load(I64, flags(), base, 8 * field as i32);
            let at = self.unless_empty(c, &buffer.len(), at, spare);
            self.present(c, at);
            c.set_item(self.memory.own.first + b, at);
            if early == is_early {
                self.look(c, buffer, at);
            }
        }
    }

    /// Whether a value may be what it is.
    fn look(&self, c: &mut Code, buffer: &Buffer, at: Value) {
        let Kind::Source(path) = &buffer.kind else { return };
        let n = c.size(&buffer.len());
        if buffer.dtype == DType::Bool {
            self.below(c, (at, n), &Size::from(2i64), Codes::VALUE);
        }
        for free in self.face.sizes.iter().filter(|f| f.condition.as_deref() == Some(path)) {
            let size = c.size(&Size::sym(free.size.clone()));
            let wide = match buffer.dtype {
                DType::F32 => {
                    let x = c.b.ins().load(F32, flags(), at, 0);
                    c.b.ins().fcvt_to_sint_sat(I64, x)
                }
                DType::I32 | DType::Bool => {
                    let x = c.b.ins().load(I32, flags(), at, 0);
                    c.b.ins().sextend(I64, x)
                }
            };
            let other = c.b.ins().icmp(IntCC::NotEqual, wide, size);
            c.leave(other, Codes::SIZES);
        }
        let demands = &self.plan.demands;
        for (k, arrival) in demands.arriving.iter().enumerate().filter(|(_, a)| a.path == *path) {
            self.below(c, (at, n), &arrival.demand.axis.size, Codes::OUTSIDE + (demands.computed.len() + k) as i64);
        }
    }

    /// Leaves with a code where one of the numbers is not `0 .. end`.
    fn below(&self, c: &mut Code, (at, n): (Value, Value), end: &Size, code: i64) {
        let end = c.size(end);
        let none = c.int(0);
        let broken = c.var(none);
        c.each(n, &mut |c, i| {
            let x = c.load(I32, at, i);
            let (fine, _) = c.inside(x, end);
            let old = c.get(broken);
            let one = c.int(1);
            let now = c.b.ins().select(fine, old, one);
            c.set(broken, now);
        });
        let broken = c.get(broken);
        c.leave(broken, code);
    }

    fn steps(&self, c: &mut Code, plan: &Plan, own: &Own, built: &Built, range: Range<usize>) {
        for k in range {
            match (&built.steps[k], &plan.steps[k]) {
                (One::Call(f, extent), _) => {
                    let (zero, extent) = (c.int(0), c.size(extent));
                    c.b.ins().call(self.refs[f], &[c.pointers, c.numbers, zero, extent]);
                }
                (One::Either { few, many, rows, extent }, _) => {
                    let (zero, extent, rows) = (c.int(0), c.size(extent), c.size(rows));
                    let is_few = c.b.ins().icmp_imm_s(IntCC::SignedLessThan, rows, OBJECT_MANY);
                    let is_many = c.b.ins().bxor_imm_u(is_few, 1);
                    for (holds, f) in [(is_few, few), (is_many, many)] {
                        c.when(holds, &mut |c| {
                            c.b.ins().call(self.refs[f], &[c.pointers, c.numbers, zero, extent]);
                        });
                    }
                }
                (One::Loop(body), crate::plan::Step::Rounds(r)) => self.rounds(c, r, own, k, body),
                (One::Loop(_), _) => unreachable!("only loops have bodies"),
            }
        }
    }

    fn rounds(&self, c: &mut Code, r: &Rounds, own: &Own, step: usize, built: &Built) {
        let more = &own.steps[step];
        let body = more.body.as_ref().unwrap_or_else(|| unreachable!("a loop has a body"));
        let count = r.carries;
        let made = |k: usize| body.first + r.body.outputs[k];
        let length = |k: usize| r.body.buffers[r.body.outputs[k]].len();
        let operand = |c: &mut Code, k: usize| {
            let (base, by) = (c.item(own.first + r.operands[k].0), c.size(&r.operands[k].1));
            c.place(base, by, 4)
        };
        for k in 0..count {
            let (to, from, n) = (c.item(more.carries[k + 1]), operand(c, k), c.size(&length(k)));
            c.copy(to, from, n);
        }
        for (b, buffer) in r.body.buffers.iter().enumerate() {
            let Kind::Arg(k) = buffer.kind else { continue };
            let at = if k <= count { c.item(more.carries[k]) } else { operand(c, k - 1) };
            c.set_item(body.first + b, at);
        }
        for b in &r.results[count..] {
            let item = own.first + b;
            let (at, n) = (c.item(item), c.size(&self.memory.items[item].elements));
            let bytes = c.b.ins().imul_imm_s(n, 4);
            c.clear(at, bytes);
        }
        let trips = c.size(&r.trips);
        let some = c.b.ins().icmp_imm_s(IntCC::SignedGreaterThan, trips, 0);
        c.when(some, &mut |c| self.steps(c, &r.body, body, built, 0..r.body.prepared));
        let zero = c.int(0);
        let (turn, end) = (c.var(zero), c.var(trips));
        c.while_(
            &mut |c| {
                let (now, end) = (c.get(turn), c.get(end));
                c.b.ins().icmp(IntCC::SignedLessThan, now, end)
            },
            &mut |c| {
                let now = c.get(turn);
                let round = match r.reverse {
                    true => {
                        let left = c.b.ins().isub(trips, now);
                        c.b.ins().iadd_imm_s(left, -1)
                    }
                    false => now,
                };
                let (word, at) = (c.b.ins().ireduce(I32, round), c.item(more.carries[0]));
                c.b.ins().store(flags(), word, at, 0);
                self.steps(c, &r.body, body, built, r.body.prepared..r.body.steps.len());
                for k in 0..count {
                    let (to, from, n) = (c.item(more.carries[k + 1]), c.item(made(k)), c.size(&length(k)));
                    c.copy(to, from, n);
                }
                for (y, b) in r.results[count..].iter().enumerate() {
                    let k = count + usize::from(r.stop) + y;
                    let (base, from, n) = (c.item(own.first + b), c.item(made(k)), c.size(&length(k)));
                    let by = c.b.ins().imul(round, n);
                    let to = c.place(base, by, 4);
                    c.copy(to, from, n);
                }
                let next = c.b.ins().iadd_imm_s(now, 1);
                c.set(turn, next);
                if r.stop {
                    let at = c.item(made(count));
                    let stop = c.b.ins().load(I32, flags(), at, 0);
                    let last = c.get(end);
                    // No round comes after this one.
                    let last = c.b.ins().select(stop, next, last);
                    c.set(end, last);
                }
            },
        );
        for (k, b) in r.results[..count].iter().enumerate() {
            let (to, from, n) = (c.item(own.first + b), c.item(more.carries[k + 1]), c.size(&length(k)));
            c.copy(to, from, n);
        }
    }
}
