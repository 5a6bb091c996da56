//! Results of folds that loops further inside read are computed before these, once.
//!
//! Cranelift moves a pure value to where it is first used, and out of loops again only as far as its operands come from outside of any. The
//! accumulators of a fold come from the fold's own loop, so what is made of them (lanes brought together, the root and the quotient of
//! a norm) would be computed anew for every element that reads it. A value that was read from memory stays where it was read.

use super::r#gen::{Gen, Val, flags};
use crate::plan::{Expr, Kernel};
use cranelift_codegen::ir::types::{F32, F32X4, I32, I32X4, Type};
use cranelift_codegen::ir::{InstBuilder, StackSlotData, StackSlotKind, Value};

/// For each value whether loops that it does not depend on read it.
pub(super) fn read_inside(k: &Kernel, deps: &[u128]) -> Vec<bool> {
    let outer = (1u128 << k.outer) - 1;
    let mut inside: Vec<bool> = deps.iter().map(|_| false).collect();
    inside[k.value] = outer & !deps[k.value] != 0;
    for (e, x) in k.body.iter().enumerate().rev() {
        let mut read = |of: usize| inside[of] |= inside[e] || deps[e] & !deps[of] != 0;
        match x {
            Expr::Const(_) | Expr::Counter(_) | Expr::Size(_) | Expr::Load(_) => {}
            Expr::Pick { at, .. } => at.iter().for_each(|i| read(i.value)),
            Expr::Map(_, args) => args.iter().for_each(|a| read(*a)),
            Expr::Reduce { loops, value, .. } => {
                read(*value);
                inside[*value] |= loops.iter().any(|l| deps[*value] >> l & 1 == 0);
            }
            Expr::Mend { of, value, .. } => [*of, *value].into_iter().for_each(read),
        }
    }
    inside
}

impl Gen<'_> {
    /// The result of a fold as a value of this place.
    pub(super) fn settled(&mut self, e: usize, v: Val) -> Val {
        match v {
            v if !self.inside[e] => v,
            Val::One(v) => Val::One(self.by_memory(v)),
            Val::Many(parts) => Val::Many(parts.into_iter().map(|v| self.by_memory(v)).collect()),
        }
    }

    /// Written and read again, under another type: as the same type, the compiler would see through it.
    fn by_memory(&mut self, v: Value) -> Value {
        let ty = self.b.func.dfg.value_type(v);
        let other: Type = match ty {
            F32 => I32,
            I32 => F32,
            F32X4 => I32X4,
            I32X4 => F32X4,
            _ => return v,
        };
        let bytes = ty.bytes();
        let slot =
            self.b.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, bytes, bytes.trailing_zeros() as u8));
        let at = self.b.ins().stack_addr(cranelift_codegen::ir::types::I64, slot, 0);
        self.b.ins().store(flags(), v, at, 0);
        let read = self.b.ins().load(other, flags(), at, 0);
        if ty == F32 || ty == F32X4 { self.from_bits(read) } else { self.bits(read) }
    }
}
