//! A kernel of the plan → one Cranelift function.
//!
//! The function takes (buffers, sizes, start, end): a table of pointers in the order of [`Made::params`], a table of i64 in the
//! order of [`Made::sizes`], and which part of loop 0 to run. Values are computed in the outermost loop in which they are known. One
//! loop of each nest runs four lanes at a time, several vectors wide, with a scalar rest.

use super::passes::{Pass, Passes};
use super::settle::read_inside;
use super::whole::Whole;
use crate::ir::{DType, Map, Size};
use crate::plan::{Access, Expr, Kernel, Sizes};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{F32, F32X4, I32, I32X4, I64};
use cranelift_codegen::ir::{AbiParam, FuncRef, Function, InstBuilder, MemFlagsData, Signature, Type, Value};
use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use std::collections::BTreeMap;

/// Functions that compiled code calls for single values, for rows of them in place, and for folds of whole rows and down columns.
#[derive(Clone)]
pub(super) struct Calls {
    pub sin: FuncRef,
    pub cos: FuncRef,
    pub tan: FuncRef,
    pub pow: FuncRef,
    pub whole: FuncRef,
    pub rows: Vec<(Map, FuncRef)>,
    pub wholes: Vec<(Whole, FuncRef)>,
    pub downs: Vec<(Whole, FuncRef)>,
    /// Of rows that the code computes one after the other: what takes one, and what ends the fold.
    pub takes: Vec<(Whole, FuncRef)>,
    pub ends: Vec<(Whole, FuncRef)>,
}

/// Where a kernel finds its buffers and sizes in the tables that it is given, by their numbers in [`Made`].
#[derive(Clone, Copy)]
pub(super) struct Slots<'a> {
    pub buffer: &'a dyn Fn(usize, usize) -> usize,
    pub size: &'a dyn Fn(usize, &Size) -> usize,
}

/// What a kernel is generated for.
pub(super) struct Around<'a> {
    pub calls: Calls,
    pub has_fma: bool,
    pub hints: &'a Sizes,
    pub config: TargetFrontendConfig,
    pub slots: Slots<'a>,
}

/// What a compiled kernel expects.
#[derive(Clone, Debug)]
pub struct Made {
    /// Buffers of the plan, in the order of the pointer table.
    pub params: Vec<usize>,
    pub sizes: Vec<Size>,
}

/// A value of the body: one for all lanes, or vectors of four.
#[derive(Clone, Debug)]
pub(super) enum Val {
    One(Value),
    Many(Vec<Value>),
}

/// Code generation for one kernel.
pub(super) struct Gen<'f> {
    pub b: FunctionBuilder<'f>,
    pub k: &'f Kernel,
    pub calls: Calls,
    pub has_fma: bool,
    pub bases: BTreeMap<usize, Value>,
    sizes: Vec<(Size, Value)>,
    range: (Value, Value),
    /// For each value the loops that it depends on.
    pub deps: Vec<u128>,
    /// Whether loops inside read it.
    pub inside: Vec<bool>,
    pub counters: Vec<Option<Value>>,
    pub vals: Vec<Option<Val>>,
    /// The loop whose lanes run side by side, and in how many vectors.
    pub wide: Option<(usize, usize)>,
    /// The outer loop that is vectorised, and how wide.
    pub lanes: Option<(usize, usize)>,
    /// Where it goes block by block: how, and what is computed at present.
    pub passes: Option<Passes>,
    pub pass: Option<Pass>,
}

pub(super) fn signature(conv: CallConv) -> Signature {
    let mut s = Signature::new(conv);
    s.params = vec![AbiParam::new(I64); 4];
    s
}

pub(super) fn flags() -> MemFlagsData {
    MemFlagsData::new().with_notrap()
}

/// The type of one element.
pub(super) fn single(dtype: DType) -> Type {
    match dtype {
        DType::F32 => F32,
        DType::I32 | DType::Bool => I32,
    }
}

/// The type of four elements.
pub(super) fn four(dtype: DType) -> Type {
    match dtype {
        DType::F32 => F32X4,
        DType::I32 | DType::Bool => I32X4,
    }
}

/// What a kernel needs from outside.
pub(super) fn needs(k: &Kernel) -> Made {
    let mut made = Made { params: vec![k.store.buffer], sizes: Vec::new() };
    let mut size = |s: &Size| {
        if s.constant().is_none() && !made.sizes.contains(s) {
            made.sizes.push(s.clone());
        }
    };
    k.loops.iter().for_each(|l| size(&l.size));
    let mut accesses: Vec<&Access> = vec![&k.store];
    for e in &k.body {
        match e {
            Expr::Size(s) => size(s),
            Expr::Load(a) => accesses.push(a),
            Expr::Pick { access, at, .. } => {
                accesses.push(access);
                at.iter().for_each(|i| {
                    size(&i.extent);
                    size(&i.stride);
                });
            }
            Expr::Const(_) | Expr::Counter(_) | Expr::Map(..) | Expr::Reduce { .. } | Expr::Mend { .. } => {}
        }
    }
    for a in accesses {
        size(&a.offset);
        a.terms.iter().for_each(|t| size(&t.1));
        if !made.params.contains(&a.buffer) {
            made.params.push(a.buffer);
        }
    }
    made
}

/// Generates the function.
pub(super) fn generate(k: &Kernel, func: &mut Function, context: &mut FunctionBuilderContext, around: Around) -> Made {
    let Around { calls, has_fma, hints, config, slots } = around;
    let made = needs(k);
    let mut b = FunctionBuilder::new(func, context);
    let entry = b.create_block();
    b.append_block_params_for_function_params(entry);
    b.switch_to_block(entry);
    let args = b.block_params(entry).to_vec();
    let mut word = |table: Value, slot: usize| b.ins().load(I64, flags(), table, 8 * slot as i32);
    let bases = made.params.iter().enumerate().map(|(n, p)| (*p, word(args[0], (slots.buffer)(n, *p)))).collect();
    let sizes = made.sizes.iter().enumerate().map(|(n, s)| (s.clone(), word(args[1], (slots.size)(n, s)))).collect();
    let deps = k.dependencies();
    let mut g = Gen {
        b,
        k,
        calls,
        has_fma,
        bases,
        sizes,
        range: (args[2], args[3]),
        inside: read_inside(k, &deps),
        deps,
        counters: vec![None; k.loops.len()],
        vals: vec![None; k.body.len()],
        wide: None,
        lanes: None,
        passes: None,
        pass: None,
    };
    g.passes = g.passes(hints);
    g.lanes = g.choose_lanes(hints);
    g.scope(None);
    g.nest(0, (k.value, &k.store));
    g.b.ins().return_(&[]);
    g.b.seal_all_blocks();
    g.b.finalize(config);
    made
}

impl Gen<'_> {
    /// The innermost loop that a value depends on.
    pub(super) fn home(&self, e: usize) -> Option<usize> {
        let d = self.deps[e];
        (d != 0).then(|| 127 - d.leading_zeros() as usize)
    }

    pub(super) fn size(&mut self, s: &Size) -> Value {
        match s.constant() {
            Some(n) => self.b.ins().iconst(I64, n),
            None => self.sizes.iter().find(|x| x.0 == *s).map_or_else(|| unreachable!("sizes are collected first"), |x| x.1),
        }
    }

    /// `x * s`, `x` an i64.
    fn scaled(&mut self, x: Value, s: &Size) -> Value {
        match s.constant() {
            Some(1) => x,
            Some(n) => {
                let n = self.b.ins().iconst(I64, n);
                self.b.ins().imul(x, n)
            }
            None => {
                let n = self.size(s);
                self.b.ins().imul(x, n)
            }
        }
    }

    /// The address of an access at the present counters, outer loops first, so that what is known early is computed early.
    pub(super) fn address(&mut self, a: &Access) -> Value {
        let mut at = self.bases[&a.buffer];
        if !a.offset.is(0) {
            let o = self.size(&a.offset);
            at = self.step(at, o);
        }
        for (l, s) in &a.terms {
            let c = self.counters[*l].unwrap_or_else(|| unreachable!("the loop runs"));
            let x = self.scaled(c, s);
            at = self.step(at, x);
        }
        at
    }

    /// `at + 4 * n`.
    fn step(&mut self, at: Value, n: Value) -> Value {
        let two = self.b.ins().iconst(I64, 2);
        let bytes = self.b.ins().ishl(n, two);
        self.b.ins().iadd(at, bytes)
    }

    /// `at` moved by an index along a dimension.
    pub(super) fn moved(&mut self, at: Value, index: Value, stride: &Size) -> Value {
        let x = self.scaled(index, stride);
        self.step(at, x)
    }

    /// Computes everything whose innermost loop is `l`.
    pub(super) fn scope(&mut self, l: Option<usize>) {
        for e in 0..self.k.body.len() {
            if self.home(e) == l && self.vals[e].is_none() && self.is_wanted(e) {
                let v = self.value(e);
                self.vals[e] = Some(v);
            }
        }
    }

    /// Outer loop `level` and what is inside, for a value that is stored.
    pub(super) fn nest(&mut self, level: usize, (value, to): (usize, &Access)) {
        if level == self.k.outer {
            return self.store(value, to);
        }
        if self.in_passes(level) {
            return;
        }
        let u = self.lanes.filter(|l| l.0 == level).map(|l| l.1);
        self.run(level, u, &mut |g: &mut Self| g.nest(level + 1, (value, to)));
    }

    /// From where to where loop `l` runs.
    pub(super) fn bounds(&mut self, l: usize) -> (Value, Value) {
        if l == 0 && self.k.outer > 0 {
            return self.range;
        }
        let zero = self.b.ins().iconst(I64, 0);
        (zero, self.size(&self.k.loops[l].size.clone()))
    }

    /// Runs loop `l`: `u` vectors at a time, then one, then element by element.
    pub(super) fn run(&mut self, l: usize, u: Option<usize>, body: &mut dyn FnMut(&mut Self)) {
        let (low, high) = self.bounds(l);
        let known = self.k.loops[l].size.constant().filter(|_| l > 0 || self.k.outer == 0);
        let i = self.b.declare_var(I64);
        self.b.def_var(i, low);
        self.strips(l, i, (high, known), u, body);
    }

    /// As [`Gen::run`], for a loop inside with so few steps that each is written out.
    pub(super) fn run_through(&mut self, l: usize, steps: i64, body: &mut dyn FnMut(&mut Self)) {
        for step in 0..steps {
            let now = self.b.ins().iconst(I64, step);
            self.one_step(l, now, None, body);
        }
    }

    /// Computes what changes with loop `l` at this step, and the body.
    fn one_step(&mut self, l: usize, now: Value, w: Option<usize>, body: &mut dyn FnMut(&mut Self)) {
        let saved = (self.vals.clone(), self.wide, self.counters[l]);
        self.counters[l] = Some(now);
        if let Some(w) = w {
            self.wide = Some((l, w));
        }
        self.scope(Some(l));
        body(self);
        (self.vals, self.wide, self.counters[l]) = saved;
    }

    /// As [`Gen::run`], for a loop inside, in blocks of `span` steps, a multiple of the widest stride: `between` comes after each, after
    /// the last one only where it is asked for.
    pub(super) fn run_blocks(
        &mut self,
        l: usize,
        u: Option<usize>,
        (span, always): (i64, bool),
        between: &mut dyn FnMut(&mut Self),
        body: &mut dyn FnMut(&mut Self),
    ) {
        let zero = self.b.ins().iconst(I64, 0);
        let extent = self.size(&self.k.loops[l].size.clone());
        let i = self.b.declare_var(I64);
        self.b.def_var(i, zero);
        let (head, after) = (self.b.create_block(), self.b.create_block());
        self.b.ins().jump(head, &[]);
        self.b.switch_to_block(head);
        let now = self.b.use_var(i);
        let span = self.b.ins().iconst(I64, span);
        let next = self.b.ins().iadd(now, span);
        let stop = self.b.ins().smin(next, extent);
        self.strips(l, i, (stop, self.k.loops[l].size.constant()), u, body);
        let more = self.b.ins().icmp(IntCC::SignedLessThan, stop, extent);
        if always {
            between(self);
            self.b.ins().brif(more, head, &[], after, &[]);
        } else {
            let pause = self.b.create_block();
            self.b.ins().brif(more, pause, &[], after, &[]);
            self.b.switch_to_block(pause);
            between(self);
            self.b.ins().jump(head, &[]);
        }
        self.b.switch_to_block(after);
    }

    /// Runs loop `l` from `i` up to `high`: `u` vectors at a time, then one, then element by element; `left` is what is known of how many.
    pub(super) fn strips(
        &mut self,
        l: usize,
        i: cranelift_frontend::Variable,
        (high, mut left): (Value, Option<i64>),
        u: Option<usize>,
        body: &mut dyn FnMut(&mut Self),
    ) {
        if let Some(u) = u {
            let mut widths = vec![u];
            if u > 1 {
                widths.push(1);
            }
            for w in widths {
                let step = 4 * w as i64;
                if left.is_none_or(|n| n >= step) {
                    self.strip(l, i, high, Some(w), body);
                    left = left.map(|n| n % step);
                }
            }
        }
        if left != Some(0) {
            self.strip(l, i, high, None, body);
        }
    }

    fn strip(
        &mut self,
        l: usize,
        i: cranelift_frontend::Variable,
        high: Value,
        w: Option<usize>,
        body: &mut dyn FnMut(&mut Self),
    ) {
        let step = w.map_or(1, |w| 4 * w as i64);
        let (head, inside, after) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        self.b.ins().jump(head, &[]);
        self.b.switch_to_block(head);
        let now = self.b.use_var(i);
        let step_value = self.b.ins().iconst(I64, step);
        let next = self.b.ins().iadd(now, step_value);
        let go = self.b.ins().icmp(IntCC::SignedLessThanOrEqual, next, high);
        self.b.ins().brif(go, inside, &[], after, &[]);
        self.b.switch_to_block(inside);
        self.one_step(l, now, w, body);
        self.b.def_var(i, next);
        self.b.ins().jump(head, &[]);
        self.b.switch_to_block(after);
    }
}
