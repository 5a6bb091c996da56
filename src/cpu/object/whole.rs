//! Whole powers: by squaring, wrapping; a negative exponent gives the truncated quotient.

use super::code::Code;
use super::table::Table;
use crate::cpu::compile::{Writer, failed};
use crate::diag::Diagnostic;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I32;
use cranelift_codegen::ir::{AbiParam, InstBuilder};
use cranelift_module::{Linkage, Module};
use cranelift_object::ObjectModule;
use std::cell::RefCell;

/// Defines the function that kernels call by this name, for this object alone.
pub(super) fn define(w: &mut Writer<ObjectModule>, name: &str) -> Result<(), Diagnostic> {
    let mut s = w.module.make_signature();
    s.params = vec![AbiParam::new(I32); 2];
    s.returns = vec![AbiParam::new(I32)];
    let id = w.module.declare_function(name, Linkage::Local, &s).map_err(failed)?;
    let nothing = RefCell::new(Table::new(0));
    w.define(id, name, s, &mut |w, func| {
        let config = w.module.target_config();
        let mut c = Code::new(func, &mut w.builder, config, &nothing);
        let (base, exponent) = (c.args[0], c.args[1]);
        let one = c.b.ins().iconst(I32, 1);
        let zero = c.b.ins().iconst(I32, 0);
        let (product, square, left) = (c.var(one), c.var(base), c.var(exponent));
        c.while_(
            &mut |c| {
                let left = c.get(left);
                c.b.ins().icmp(IntCC::SignedGreaterThan, left, zero)
            },
            &mut |c| {
                let (all, factor, count) = (c.get(product), c.get(square), c.get(left));
                let odd = c.b.ins().band_imm_u(count, 1);
                let more = c.b.ins().imul(all, factor);
                let all = c.b.ins().select(odd, more, all);
                let factor = c.b.ins().imul(factor, factor);
                let count = c.b.ins().ushr_imm_u(count, 1);
                c.set(product, all);
                c.set(square, factor);
                c.set(left, count);
            },
        );
        let power = c.get(product);
        // 1 over it: 0, but for 1 and -1.
        let odd = c.b.ins().band_imm_u(exponent, 1);
        let minus = c.b.ins().iconst(I32, -1);
        let sign = c.b.ins().select(odd, minus, one);
        let (is_one, is_minus) = (c.b.ins().icmp_imm_s(IntCC::Equal, base, 1), c.b.ins().icmp_imm_s(IntCC::Equal, base, -1));
        let quotient = c.b.ins().select(is_minus, sign, zero);
        let quotient = c.b.ins().select(is_one, one, quotient);
        let below = c.b.ins().icmp(IntCC::SignedLessThan, exponent, zero);
        let result = c.b.ins().select(below, quotient, power);
        c.finish(&[result]);
        Ok(())
    })
}
