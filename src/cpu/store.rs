//! What becomes of a value: it is stored, element by element where they do not lie side by side.

use super::r#gen::{Gen, Val, flags};
use super::lanes::stride_of;
use crate::ir::{DType, Size};
use crate::plan::Access;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, Value};

impl Gen<'_> {
    /// Stores a value at the present place.
    pub(super) fn store(&mut self, value: usize, to: &Access) {
        let at = self.address(to);
        let dtype = self.k.types[value];
        let value = self.vals[value].clone().unwrap_or_else(|| unreachable!("the body is computed"));
        let out = |g: &mut Self, v: Value| if dtype == DType::Bool { g.convert(v, DType::Bool, DType::I32) } else { v };
        let stride = self.wide.map_or(Size::from(0i64), |(l, _)| stride_of(to, l));
        match (value, self.wide) {
            (Val::One(v), None) => {
                let v = out(self, v);
                self.b.ins().store(flags(), v, at, 0);
            }
            (value, wide) => {
                let u = wide.map_or(1, |w| w.1);
                for (n, v) in self.many(&value, dtype, u).into_iter().enumerate() {
                    let v = out(self, v);
                    if stride.is(1) {
                        self.b.ins().store(flags(), v, at, 16 * n as i32);
                        continue;
                    }
                    for lane in 0..4u8 {
                        let x = self.b.ins().extractlane(v, lane);
                        let c = self.b.ins().iconst(I64, 4 * n as i64 + i64::from(lane));
                        let p = self.moved(at, c, &stride);
                        self.b.ins().store(flags(), x, p, 0);
                    }
                }
            }
        }
    }
}
