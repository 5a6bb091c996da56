//! Values of a kernel's body: loads, gathers, counters.

use super::r#gen::{Gen, Val, flags, four, single, stride_of};
use crate::ir::scalar::Law;
use crate::ir::{DType, Map};
use crate::plan::{Access, Expr, Index};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I32X4, I64};
use cranelift_codegen::ir::{InstBuilder, Value};

/// An index that is `at + step * lane` (`step` 0 or 1), or a value for each lane.
enum Lanes {
    Line(Value, i64),
    Each(Vec<Value>),
}

impl Gen<'_> {
    /// Generates value `e` at the present place.
    pub(super) fn value(&mut self, e: usize) -> Val {
        let k = self.k;
        let dtype = k.types[e];
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
            Expr::Reduce { fold, loops, value } => self.reduce(e, *fold, loops, *value),
            Expr::Mend { of, loops, value } => self.mend(e, *of, loops, *value),
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
        let of = args.iter().skip(usize::from(map == Map::Select)).map(|a| k.types[*a]).reduce(|a, b| {
            if a == b {
                a
            } else if a == DType::F32 || b == DType::F32 {
                DType::F32
            } else {
                DType::I32
            }
        });
        let of = of.unwrap_or(DType::F32);
        let aligned = |g: &mut Self, n: usize, v: Value| {
            let want = if n == 0 && map == Map::Select { DType::Bool } else { of };
            g.convert(v, k.types[args[n]], want)
        };
        let power = match k.body.get(*args.last().unwrap_or(&0)) {
            Some(Expr::Const(c))
                if map == Map::Pow && of == DType::F32 && c.fract() == 0.0 && (1.0..=16.0).contains(&c.abs()) =>
            {
                Some(*c as i32)
            }
            _ => None,
        };
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

    /// Coefficient of loop `l` in a whole-number value, where it is 0 or 1 and the rest does not depend on `l`.
    fn slope(&self, e: usize, l: usize) -> Option<i64> {
        if self.deps[e] >> l & 1 == 0 {
            return Some(0);
        }
        match &self.k.body[e] {
            Expr::Counter(_) => Some(1),
            Expr::Map(map, v) => match map.law() {
                Law::Sum => Some(self.slope(v[0], l)? + self.slope(v[1], l)?),
                Law::Difference => Some(self.slope(v[0], l)? - self.slope(v[1], l)?),
                Law::Undoes => Some(-self.slope(v[0], l)?),
                Law::None | Law::Identity | Law::Cast | Law::Settles | Law::Extreme | Law::Commutes | Law::Product => None,
                Law::Quotient | Law::Power | Law::Both | Law::Either | Law::Choice => None,
            },
            Expr::Const(_) | Expr::Size(_) | Expr::Load(_) | Expr::Pick { .. } | Expr::Reduce { .. } | Expr::Mend { .. } => None,
        }
    }

    fn lanes_of(&mut self, i: &Index, l: usize) -> Lanes {
        if self.varies(i.value).is_none() {
            let v = self.one(i.value);
            return Lanes::Line(self.b.ins().sextend(I64, v), 0);
        }
        let Val::Many(parts) = self.got(i.value) else { return Lanes::Each(Vec::new()) };
        if self.slope(i.value, l) == Some(1) {
            let v = self.b.ins().extractlane(parts[0], 0);
            return Lanes::Line(self.b.ins().sextend(I64, v), 1);
        }
        let mut lanes = Vec::new();
        for p in parts {
            for lane in 0..4u8 {
                let v = self.b.ins().extractlane(p, lane);
                lanes.push(self.b.ins().sextend(I64, v));
            }
        }
        Lanes::Each(lanes)
    }

    /// The index inside its dimension, and whether it was inside.
    fn inside(&mut self, i: Value, extent: Value, clamp: bool) -> (Value, Option<Value>) {
        let zero = self.b.ins().iconst(I64, 0);
        if clamp {
            let one = self.b.ins().iconst(I64, 1);
            let last = self.b.ins().isub(extent, one);
            let high = self.b.ins().smin(i, last);
            return (self.b.ins().smax(high, zero), None);
        }
        let fine = self.b.ins().icmp(IntCC::UnsignedLessThan, i, extent);
        (self.b.ins().select(fine, i, zero), Some(fine))
    }

    /// One place: its address and whether it lies inside.
    fn place(&mut self, at: Value, index: &[(Value, &Index)], clamp: bool) -> (Value, Option<Value>) {
        let (mut at, mut fine) = (at, None);
        for (i, dim) in index {
            let extent = self.size(&dim.extent);
            let (i, ok) = self.inside(*i, extent, clamp);
            at = self.moved(at, i, &dim.stride);
            fine = match (fine, ok) {
                (Some(a), Some(b)) => Some(self.b.ins().band(a, b)),
                (a, b) => a.or(b),
            };
        }
        (at, fine)
    }

    fn pick_one(&mut self, at: Value, index: &[(Value, &Index)], fill: Option<f64>, dtype: DType) -> Value {
        let (p, fine) = self.place(at, index, fill.is_none());
        let v = self.b.ins().load(single(dtype), flags(), p, 0);
        let v = self.opened(v, dtype);
        match (fine, fill) {
            (Some(ok), Some(c)) => {
                let other = self.constant(c, dtype);
                self.b.ins().select(ok, v, other)
            }
            _ => v,
        }
    }

    fn pick(&mut self, e: usize, a: &Access, dims: &[Index], fill: Option<f64>) -> Val {
        let dtype = self.k.types[e];
        let at = self.address(a);
        let wide = self.varies(e).zip(self.wide.map(|w| w.0));
        let Some((u, l)) = wide else {
            let mut index = Vec::new();
            for d in dims {
                let v = self.one(d.value);
                index.push((self.b.ins().sextend(I64, v), d));
            }
            return Val::One(self.pick_one(at, &index, fill, dtype));
        };
        let stride = stride_of(a, l);
        let lanes: Vec<Lanes> = dims.iter().map(|d| self.lanes_of(d, l)).collect();
        let moving: Vec<usize> = (0..dims.len()).filter(|d| !matches!(lanes[*d], Lanes::Line(_, 0))).collect();
        if moving.is_empty() && stride.is(1) {
            return self.pick_row(at, dims, &lanes, fill, dtype, u);
        }
        let single_line =
            matches!(moving.as_slice(), [d] if matches!(lanes[*d], Lanes::Line(_, 1)) && dims[*d].stride.is(1)) && stride.is(0);
        if single_line {
            return self.pick_line(at, dims, &lanes, moving[0], fill, dtype, u);
        }
        let mut parts = Vec::new();
        for n in 0..u {
            parts.push(self.pick_lanes(at, (dims, &lanes, &stride), n, fill, dtype));
        }
        Val::Many(parts)
    }

    /// All lanes at the same indices, side by side in memory.
    fn pick_row(&mut self, at: Value, dims: &[Index], lanes: &[Lanes], fill: Option<f64>, dtype: DType, u: usize) -> Val {
        let index: Vec<(Value, &Index)> = lanes
            .iter()
            .zip(dims)
            .filter_map(|(x, d)| match x {
                Lanes::Line(v, _) => Some((*v, d)),
                Lanes::Each(_) => None,
            })
            .collect();
        let (p, fine) = self.place(at, &index, fill.is_none());
        let mut parts = Vec::new();
        for n in 0..u {
            let v = self.b.ins().load(four(dtype), flags(), p, 16 * n as i32);
            let v = self.opened(v, dtype);
            parts.push(match (fine, fill) {
                (Some(ok), Some(c)) => {
                    let c = self.constant(c, dtype);
                    let other = self.b.ins().splat(four(dtype), c);
                    self.b.ins().select(ok, v, other)
                }
                _ => v,
            });
        }
        Val::Many(parts)
    }

    /// Each lane by itself.
    fn pick_lanes(
        &mut self,
        at: Value,
        (dims, lanes, stride): (&[Index], &[Lanes], &crate::ir::Size),
        n: usize,
        fill: Option<f64>,
        dtype: DType,
    ) -> Value {
        let mut out = None;
        for lane in 0..4usize {
            let c = self.b.ins().iconst(I64, (4 * n + lane) as i64);
            let at = if stride.is(0) { at } else { self.moved(at, c, stride) };
            let mut index = Vec::new();
            for (x, d) in lanes.iter().zip(dims) {
                let i = match x {
                    Lanes::Line(v, 0) => *v,
                    Lanes::Line(v, _) => self.b.ins().iadd(*v, c),
                    Lanes::Each(v) => v[4 * n + lane],
                };
                index.push((i, d));
            }
            let v = self.pick_one(at, &index, fill, dtype);
            out = Some(match out {
                None => self.b.ins().splat(four(dtype), v),
                Some(o) => self.b.ins().insertlane(o, v, lane as u8),
            });
        }
        out.unwrap_or(at)
    }

    /// One index runs along memory: whole vectors where all lanes are inside, else lane by lane.
    fn pick_line(
        &mut self,
        at: Value,
        dims: &[Index],
        lanes: &[Lanes],
        line: usize,
        fill: Option<f64>,
        dtype: DType,
        u: usize,
    ) -> Val {
        let others: Vec<(Value, &Index)> = lanes
            .iter()
            .zip(dims)
            .enumerate()
            .filter_map(|(n, (x, d))| match x {
                Lanes::Line(v, _) if n != line => Some((*v, d)),
                _ => None,
            })
            .collect();
        let Lanes::Line(first, _) = lanes[line] else { return Val::Many(Vec::new()) };
        let (fast, slow, done) = (self.b.create_block(), self.b.create_block(), self.b.create_block());
        for _ in 0..u {
            self.b.append_block_param(done, four(dtype));
        }
        let extent = self.size(&dims[line].extent);
        let reach = self.b.ins().iconst(I64, 4 * u as i64 - 1);
        let last = self.b.ins().iadd(first, reach);
        let a = self.b.ins().icmp(IntCC::UnsignedLessThan, first, extent);
        let b = self.b.ins().icmp(IntCC::UnsignedLessThan, last, extent);
        let all = self.b.ins().band(a, b);
        self.b.ins().brif(all, fast, &[], slow, &[]);
        self.b.switch_to_block(fast);
        let (p, fine) = self.place(at, &others, fill.is_none());
        let p = self.moved(p, first, &dims[line].stride);
        let mut parts = Vec::new();
        for n in 0..u {
            let v = self.b.ins().load(four(dtype), flags(), p, 16 * n as i32);
            let v = self.opened(v, dtype);
            let v = match (fine, fill) {
                (Some(ok), Some(c)) => {
                    let c = self.constant(c, dtype);
                    let other = self.b.ins().splat(four(dtype), c);
                    self.b.ins().select(ok, v, other)
                }
                _ => v,
            };
            parts.push(v.into());
        }
        self.b.ins().jump(done, &parts);
        self.b.switch_to_block(slow);
        let stride = crate::ir::Size::from(0i64);
        let mut parts = Vec::new();
        for n in 0..u {
            parts.push(self.pick_lanes(at, (dims, lanes, &stride), n, fill, dtype).into());
        }
        self.b.ins().jump(done, &parts);
        self.b.switch_to_block(done);
        Val::Many(self.b.block_params(done).to_vec())
    }
}
