//! Functions of angles on one f32 or on four at a time, and the angle of a point; about 1 to 2 ulp.
//!
//! Sources: a three-part Cody–Waite reduction, N. Juffa's published minimax polynomials for the cosine; fits of our own for the sine and for
//! atan2. Arguments that the reduction cannot take go to the platform's own functions, one by one.

use super::r#gen::Gen;
use super::poly::{ATAN, COSINE, HALF, MAGIC, QUARTER, SINE, SINE_QUARTER, TURNS};
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::{InstBuilder, Value};

impl Gen<'_> {
    /// The sine, or the cosine.
    pub(super) fn angle(&mut self, x: Value, cosine: bool) -> Value {
        let ty = self.b.func.dfg.value_type(x);
        let a = self.fabs(x);
        let limit = self.float(TURNS, x);
        let each = self.fcmp(FloatCC::GreaterThan, a, limit);
        let far = if ty.is_vector() { self.b.ins().vany_true(each) } else { self.b.ins().icmp_imm_s(IntCC::NotEqual, each, 0) };
        let (slow, fast, done) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        self.b.append_block_param(done, ty);
        self.b.set_cold_block(slow);
        self.b.ins().brif(far, slow, &[], fast, &[]);
        self.b.switch_to_block(slow);
        let call = if cosine { self.calls.cos } else { self.calls.sin };
        let r = self.each_lane(x, |g, v| g.call(call, &[v]));
        // Beside one that is far away the others are what they are elsewhere.
        let near = self.near_angle(x, cosine);
        let r = self.choose(each, r, near);
        self.b.ins().jump(done, &[r.into()]);
        self.b.switch_to_block(fast);
        let r = self.near_angle(x, cosine);
        self.b.ins().jump(done, &[r.into()]);
        self.b.switch_to_block(done);
        self.b.block_params(done)[0]
    }

    fn near_angle(&mut self, x: Value, cosine: bool) -> Value {
        if cosine { self.near_cosine(x) } else { self.near_sine(x) }
    }

    /// An angle in turns of `1 / per`: the bits that tell how many there are, and what is left.
    fn reduced(&mut self, x: Value, per: f32, turn: [f32; 3]) -> (Value, Value) {
        let (per, magic) = (self.float(per, x), self.float(MAGIC, x));
        let t = self.fma(x, per, magic);
        let n = self.b.ins().fsub(t, magic);
        let mut r = x;
        for part in turn {
            let part = self.float(part, x);
            r = self.fma(n, part, r);
        }
        (self.bits(t), r)
    }

    /// By halves of a turn.
    fn near_sine(&mut self, x: Value) -> Value {
        let (n, r) = self.reduced(x, std::f32::consts::FRAC_1_PI, HALF);
        let s = self.b.ins().fmul(r, r);
        let p = self.poly(s, &SINE);
        let cube = self.b.ins().fmul(r, s);
        let size = self.fma(cube, p, r);
        // A sum of two zeros has lost the sign of -0.
        let (half, r) = (self.b.ins().ishl_imm_s(n, 31), self.bits(r));
        let sign = self.b.ins().bxor(r, half);
        let sign = self.from_bits(sign);
        self.signed(size, sign)
    }

    /// By quarters: bit 0 of how many there are chooses the function, bit 1 the sign.
    fn near_cosine(&mut self, x: Value) -> Value {
        let (n, r) = self.reduced(x, std::f32::consts::FRAC_2_PI, QUARTER);
        let s = self.b.ins().fmul(r, r);
        let cosine = self.poly(s, &COSINE);
        let p = self.poly(s, &SINE_QUARTER);
        let sine = self.b.ins().fmul(r, p);
        let k = self.int(1, n);
        let q = self.b.ins().iadd(n, k);
        let odd = self.b.ins().ishl_imm_s(q, 31);
        let odd = self.b.ins().sshr_imm_s(odd, 31);
        let r = self.choose(odd, cosine, sine);
        let sign = self.b.ins().ishl_imm_s(q, 30);
        let top = self.int(i32::MIN, q);
        let sign = self.b.ins().band(sign, top);
        let r = self.bits(r);
        let r = self.b.ins().bxor(r, sign);
        self.from_bits(r)
    }

    /// The angle of the point (`x`, `y`): that of the smaller side over the larger one, turned to where the point lies.
    pub(super) fn atan2(&mut self, y: Value, x: Value) -> Value {
        let (a, b) = (self.fabs(y), self.fabs(x));
        let steep = self.fcmp(FloatCC::GreaterThan, a, b);
        let (large, small) = (self.choose(steep, a, b), self.choose(steep, b, a));
        let (zero, one) = (self.float(0.0, x), self.float(1.0, x));
        // Both zero or both infinite.
        let nothing = self.fcmp(FloatCC::Equal, large, zero);
        let level = self.choose(nothing, zero, one);
        let q = self.b.ins().fdiv(small, large);
        let alike = self.fcmp(FloatCC::Equal, a, b);
        let q = self.choose(alike, level, q);
        let z = self.b.ins().fmul(q, q);
        let p = self.poly(z, &ATAN);
        let p = self.b.ins().fmul(p, z);
        let r = self.fma(p, q, q);
        let r = self.folded(steep, r, 1.0);
        let top = self.bits(x);
        let behind = self.b.ins().sshr_imm_s(top, 31);
        let r = self.folded(behind, r, 2.0);
        self.signed(r, y)
    }

    /// Where the mask holds, so many right angles less `r`.
    fn folded(&mut self, mask: Value, r: Value, quarters: f32) -> Value {
        let (high, low) = (self.float(quarters * std::f32::consts::FRAC_PI_2, r), self.float(quarters * -4.371_139e-8, r));
        let rest = self.b.ins().fsub(r, low);
        let other = self.b.ins().fsub(high, rest);
        self.choose(mask, other, r)
    }
}
