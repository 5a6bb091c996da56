//! Values of a kernel's body: loads, gathers, counters.

mod pick;

use super::r#gen::{Gen, Val, flags, four, single};
use super::lanes::stride_of;
use crate::ir::{DType, Map};
use crate::plan::{Access, Expr, measured::cpu};
use cranelift_codegen::ir::types::{I32X4, I64};
use cranelift_codegen::ir::{InstBuilder, Value};

impl Gen<'_> {
    /// Generates value `e` at the present place.
    pub(super) fn value(&mut self, e: usize) -> Val {
        let k = self.k;
        let dtype = k.types[e];
        if let Some(block) = self.lies_in(e) {
            return self.load(e, &block, dtype);
        }
        match &k.body[e] {
            Expr::Const(c) => Val::One(self.constant(*c, dtype)),
            Expr::Size(s) => {
                let v = self.size(s);
                Val::One(match dtype {
                    DType::F32 => self.b.ins().fcvt_from_sint(single(dtype), v),
                    DType::I32 | DType::Bool => self.b.ins().ireduce(single(DType::I32), v),
                })
            }
            Expr::Counter(l) => self.counter(*l),
            Expr::Load(a) => self.load(e, a, dtype),
            Expr::Pick { access, at, fill } => self.pick(e, access, at, *fill),
            Expr::Map(m, args) => self.apply(e, *m, args),
            Expr::Reduce { fold, loops, value } => {
                let v = self.reduce(e, *fold, loops, *value);
                self.settled(e, v)
            }
            Expr::Mend { of, loops, value } => {
                let v = self.mend(e, *of, loops, *value);
                self.settled(e, v)
            }
        }
    }

    fn constant(&mut self, c: f64, dtype: DType) -> Value {
        match dtype {
            DType::F32 => self.b.ins().f32const(c as f32),
            DType::I32 => self.b.ins().iconst(single(dtype), i64::from(c as i32)),
            DType::Bool => self.b.ins().iconst(single(dtype), if c != 0.0 { -1 } else { 0 }),
        }
    }

    fn counter(&mut self, l: usize) -> Val {
        let c = self.counters[l].unwrap_or_else(|| unreachable!("the loop runs"));
        let c = self.b.ins().ireduce(single(DType::I32), c);
        match self.wide.filter(|w| w.0 == l) {
            None => Val::One(c),
            Some((_, u)) => {
                let s = self.b.ins().splat(I32X4, c);
                let parts = (0..u).map(|n| {
                    let base = 4 * n as u32;
                    let bytes: Vec<u8> = (base..base + 4).flat_map(u32::to_le_bytes).collect();
                    let lanes = self.b.func.dfg.constants.insert(bytes.into());
                    let lanes = self.b.ins().vconst(I32X4, lanes);
                    self.b.ins().iadd(s, lanes)
                });
                Val::Many(parts.collect())
            }
        }
    }

    /// What memory holds → what registers hold.
    fn opened(&mut self, v: Value, dtype: DType) -> Value {
        if dtype == DType::Bool { self.b.ins().ineg(v) } else { v }
    }

    fn load(&mut self, e: usize, a: &Access, dtype: DType) -> Val {
        let at = self.address(a);
        let Some((u, l)) = self.varies(e).zip(self.wide.map(|w| w.0)) else {
            let v = self.b.ins().load(single(dtype), flags(), at, 0);
            return Val::One(self.opened(v, dtype));
        };
        let stride = stride_of(a, l);
        let mut parts = Vec::new();
        for n in 0..u {
            let v = if stride.is(1) {
                self.b.ins().load(four(dtype), flags(), at, 16 * n as i32)
            } else {
                let mut places = Vec::new();
                for lane in 0..4 {
                    let c = self.b.ins().iconst(I64, 4 * n as i64 + lane);
                    places.push(self.moved(at, c, &stride));
                }
                self.collect(&places, dtype)
            };
            parts.push(self.opened(v, dtype));
        }
        Val::Many(parts)
    }

    /// Loads four places into one vector.
    fn collect(&mut self, places: &[Value], dtype: DType) -> Value {
        let first = self.b.ins().load(single(dtype), flags(), places[0], 0);
        let mut v = self.b.ins().splat(four(dtype), first);
        for (lane, p) in places.iter().enumerate().skip(1) {
            let x = self.b.ins().load(single(dtype), flags(), *p, 0);
            v = self.b.ins().insertlane(v, x, lane as u8);
        }
        v
    }

    fn got(&self, e: usize) -> Val {
        self.vals[e].clone().unwrap_or_else(|| unreachable!("operands come first"))
    }

    /// The scalar of a value that is the same for all lanes.
    fn one(&self, e: usize) -> Value {
        match self.got(e) {
            Val::One(v) => v,
            Val::Many(v) => v[0],
        }
    }

    fn apply(&mut self, e: usize, map: Map, args: &[usize]) -> Val {
        let k = self.k;
        let of = k.operand_type(map, args);
        let aligned = |g: &mut Self, n: usize, v: Value| {
            let want = if n == 0 && map == Map::Select { DType::Bool } else { of };
            g.convert(v, k.types[args[n]], want)
        };
        let power = k.whole_power(map, args);
        let number = |a: &usize| matches!(k.body[*a], Expr::Const(c) if !c.is_nan());
        let bounded = matches!(map, Map::Max | Map::Min) && of == DType::F32 && number(&args[1]);
        let compute = |g: &mut Self, v: &[Value]| match power {
            Some(n) => g.whole_power(v[0], n),
            None if bounded => g.bounded(map, v[0], v[1]),
            None => g.map(map, v, of, k.types[e]),
        };
        match self.varies(e) {
            None => {
                let v: Vec<Value> = args
                    .iter()
                    .enumerate()
                    .map(|(n, a)| {
                        let x = self.one(*a);
                        aligned(self, n, x)
                    })
                    .collect();
                Val::One(compute(self, &v))
            }
            Some(u) => {
                let mut columns = Vec::new();
                for (n, a) in args.iter().enumerate() {
                    // What is the same for all lanes is converted once.
                    let column = match self.got(*a) {
                        Val::One(v) => {
                            let v = aligned(self, n, v);
                            let want = if n == 0 && map == Map::Select { DType::Bool } else { of };
                            self.many(&Val::One(v), want, u)
                        }
                        Val::Many(v) => v.into_iter().map(|v| aligned(self, n, v)).collect(),
                    };
                    columns.push(column);
                }
                if let (Some(row), true) = (self.row_of(map), u >= cpu::ROW_FEWEST) {
                    return Val::Many(self.in_row(row, &columns[0]));
                }
                let parts = (0..u).map(|p| {
                    let v: Vec<Value> = columns.iter().map(|c| c[p]).collect();
                    compute(self, &v)
                });
                Val::Many(parts.collect())
            }
        }
    }

    /// `x^n` by repeated squaring, `n` not 0.
    fn whole_power(&mut self, x: Value, n: i32) -> Value {
        let (mut left, mut square, mut product) = (n.unsigned_abs(), x, None);
        while left > 0 {
            if left & 1 == 1 {
                product = Some(product.map_or(square, |p| self.b.ins().fmul(p, square)));
            }
            left >>= 1;
            if left > 0 {
                square = self.b.ins().fmul(square, square);
            }
        }
        let product = product.unwrap_or(x);
        if n > 0 {
            return product;
        }
        let one = self.float(1.0, x);
        self.b.ins().fdiv(one, product)
    }
}
