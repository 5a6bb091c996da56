//! Loops, memory and calls in Cranelift, for what is no kernel.

use super::table::Table;
use crate::cpu::r#gen::flags;
use crate::ir::Size;
use crate::plan;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{F32, F64, I32, I64};
use cranelift_codegen::ir::{FuncRef, Function, InstBuilder, MemFlagsData, StackSlot, Type, Value};
use cranelift_codegen::isa::TargetFrontendConfig;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use std::cell::RefCell;

/// A function under construction, with the tables that it is given.
pub(super) struct Code<'f, 't> {
    pub b: FunctionBuilder<'f>,
    pub args: Vec<Value>,
    pub config: TargetFrontendConfig,
    /// Where pointers and sizes lie.
    pub pointers: Value,
    pub numbers: Value,
    table: &'t RefCell<Table>,
}

/// A strided window: its first element, and for each axis how long it is and how far apart its places lie.
pub(super) struct Pane {
    pub base: Value,
    pub dims: Vec<(Value, Value)>,
}

impl<'f, 't> Code<'f, 't> {
    /// Begins a function whose first two arguments are the tables, unless they are set later.
    pub fn new(
        func: &'f mut Function,
        context: &'f mut FunctionBuilderContext,
        config: TargetFrontendConfig,
        table: &'t RefCell<Table>,
    ) -> Code<'f, 't> {
        let mut b = FunctionBuilder::new(func, context);
        let entry = b.create_block();
        b.append_block_params_for_function_params(entry);
        b.switch_to_block(entry);
        let args = b.block_params(entry).to_vec();
        let (pointers, numbers) = (args[0], args[args.len().min(2) - 1]);
        Code { b, args, config, pointers, numbers, table }
    }

    /// Ends the function.
    pub fn finish(mut self, results: &[Value]) {
        self.b.ins().return_(results);
        self.b.seal_all_blocks();
        self.b.finalize(self.config);
    }

    pub fn int(&mut self, n: i64) -> Value {
        self.b.ins().iconst(I64, n)
    }

    /// The value of a size.
    pub fn size(&mut self, size: &Size) -> Value {
        match size.constant() {
            Some(n) => self.int(n),
            None => {
                let slot = self.table.borrow_mut().slot(size);
                self.b.ins().load(I64, flags(), self.numbers, 8 * slot as i32)
            }
        }
    }

    /// Where a thing in memory begins.
    pub fn item(&mut self, item: usize) -> Value {
        self.b.ins().load(I64, flags(), self.pointers, 8 * item as i32)
    }

    /// Sets where a thing in memory begins.
    pub fn set_item(&mut self, item: usize, at: Value) {
        self.b.ins().store(flags(), at, self.pointers, 8 * item as i32);
    }

    /// The place `n` elements of `bytes` after another.
    pub fn place(&mut self, base: Value, n: Value, bytes: i64) -> Value {
        let by = self.b.ins().imul_imm_s(n, bytes);
        self.b.ins().iadd(base, by)
    }

    pub fn load(&mut self, ty: Type, base: Value, n: Value) -> Value {
        let at = self.place(base, n, i64::from(ty.bytes()));
        self.b.ins().load(ty, flags(), at, 0)
    }

    pub fn store(&mut self, x: Value, base: Value, n: Value) {
        let bytes = self.b.func.dfg.value_type(x).bytes();
        let at = self.place(base, n, i64::from(bytes));
        self.b.ins().store(flags(), x, at, 0);
    }

    pub fn bits(&mut self, ty: Type, x: Value) -> Value {
        self.b.ins().bitcast(ty, MemFlagsData::new(), x)
    }

    /// A variable that begins as this.
    pub fn var(&mut self, x: Value) -> Variable {
        let v = self.b.declare_var(self.b.func.dfg.value_type(x));
        self.b.def_var(v, x);
        v
    }

    pub fn get(&mut self, v: Variable) -> Value {
        self.b.use_var(v)
    }

    pub fn set(&mut self, v: Variable, x: Value) {
        self.b.def_var(v, x);
    }

    /// Runs `body` for 0, 1, .. below `n`.
    pub fn each(&mut self, n: Value, body: &mut dyn FnMut(&mut Self, Value)) {
        let zero = self.int(0);
        let i = self.var(zero);
        self.while_(
            &mut |c| {
                let now = c.get(i);
                c.b.ins().icmp(IntCC::SignedLessThan, now, n)
            },
            &mut |c| {
                let now = c.get(i);
                body(c, now);
                let next = c.b.ins().iadd_imm_s(now, 1);
                c.set(i, next);
            },
        );
    }

    pub fn while_(&mut self, holds: &mut dyn FnMut(&mut Self) -> Value, body: &mut dyn FnMut(&mut Self)) {
        let (head, inside, after) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        self.b.ins().jump(head, &[]);
        self.b.switch_to_block(head);
        let go = holds(self);
        self.b.ins().brif(go, inside, &[], after, &[]);
        self.b.switch_to_block(inside);
        body(self);
        self.b.ins().jump(head, &[]);
        self.b.switch_to_block(after);
    }

    pub fn when(&mut self, holds: Value, body: &mut dyn FnMut(&mut Self)) {
        let (inside, after) = (self.b.create_block(), self.b.create_block());
        self.b.ins().brif(holds, inside, &[], after, &[]);
        self.b.switch_to_block(inside);
        body(self);
        self.b.ins().jump(after, &[]);
        self.b.switch_to_block(after);
    }

    /// Leaves the function with a code where this holds.
    pub fn leave(&mut self, holds: Value, code: i64) {
        let (inside, after) = (self.b.create_block(), self.b.create_block());
        self.b.ins().brif(holds, inside, &[], after, &[]);
        self.b.switch_to_block(inside);
        let code = self.b.ins().iconst(I32, code);
        self.b.ins().return_(&[code]);
        self.b.switch_to_block(after);
    }

    /// Leaves the function with this code unless it is 0.
    pub fn pass(&mut self, code: Value) {
        let (inside, after) = (self.b.create_block(), self.b.create_block());
        self.b.ins().brif(code, inside, &[], after, &[]);
        self.b.switch_to_block(inside);
        self.b.ins().return_(&[code]);
        self.b.switch_to_block(after);
    }

    /// What the function `check` gives for sizes, 0 where there are none although there should be; it fills a stack slot.
    pub fn workspace(&mut self, sizes: Value, none: bool, slot: StackSlot, check: FuncRef) -> Value {
        let zero = self.int(0);
        let bytes = self.var(zero);
        let some = if none { self.int(1) } else { sizes };
        self.when(some, &mut |c| {
            let numbers = c.b.ins().stack_addr(I64, slot, 0);
            let call = c.b.ins().call(check, &[sizes, numbers]);
            let total = c.b.inst_results(call)[0];
            c.set(bytes, total);
        });
        self.get(bytes)
    }

    /// Goes through all points, row-major, with the places that they have.
    pub fn walk(&mut self, dims: &[(Value, Vec<Value>)], at: &[Value], body: &mut dyn FnMut(&mut Self, &[Value])) {
        let Some(((n, strides), rest)) = dims.split_first() else { return body(self, at) };
        self.each(*n, &mut |c, i| {
            let mut here = Vec::new();
            for (a, s) in at.iter().zip(strides) {
                let by = c.b.ins().imul(i, *s);
                here.push(c.b.ins().iadd(*a, by));
            }
            c.walk(rest, &here, body);
        });
    }

    /// A window on the buffer that begins at `base`.
    pub fn pane(&mut self, base: Value, w: &plan::Window) -> Pane {
        let offset = self.size(&w.view.offset);
        let base = self.place(base, offset, 4);
        let dims = w.shape.iter().zip(&w.view.strides).map(|(n, s)| (self.size(n), self.size(s))).collect();
        Pane { base, dims }
    }

    /// Row-major strides.
    pub fn row_major(&mut self, shape: &[Value]) -> Vec<Value> {
        let mut strides = vec![self.int(1); shape.len()];
        for k in (0..shape.len().saturating_sub(1)).rev() {
            strides[k] = self.b.ins().imul(strides[k + 1], shape[k + 1]);
        }
        strides
    }

    pub fn clear(&mut self, at: Value, bytes: Value) {
        let zero = self.b.ins().iconst(I32, 0);
        self.b.call_memset(self.config, at, zero, bytes);
    }

    pub fn copy(&mut self, to: Value, from: Value, elements: Value) {
        let bytes = self.b.ins().imul_imm_s(elements, 4);
        self.b.call_memcpy(self.config, to, from, bytes);
    }

    /// Whether a whole number of 32 bits is one of `0 .. end`; and it as 64 bits.
    pub fn inside(&mut self, index: Value, end: Value) -> (Value, Value) {
        let wide = self.b.ins().sextend(I64, index);
        (self.b.ins().icmp(IntCC::UnsignedLessThan, wide, end), wide)
    }

    /// Rounds so many numbers of 64 bits at `from` to f32 at `to`.
    pub fn narrow(&mut self, from: Value, to: Value, n: Value) {
        self.each(n, &mut |c, i| {
            let x = c.load(F64, from, i);
            let x = c.b.ins().fdemote(F32, x);
            c.store(x, to, i);
        });
    }
}
