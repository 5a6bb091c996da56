//! Operands that are indexed by values: gathers, lane by lane or along memory.

use crate::cpu::r#gen::{Gen, Val, flags, four, single};
use crate::cpu::lanes::stride_of;
use crate::ir::DType;
use crate::ir::scalar::Law;
use crate::plan::{Access, Expr, Index};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, Value};

/// An index that is `at + step * lane` (`step` 0 or 1), or a value for each lane.
enum Lanes {
    Line(Value, i64),
    Each(Vec<Value>),
}

impl Gen<'_> {
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

    pub(super) fn pick(&mut self, e: usize, a: &Access, dims: &[Index], fill: Option<f64>) -> Val {
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
