//! What each primitive asks of its operands and its result.

use super::{Rule, Type, check, ensure, may_equal, sizes};
use crate::ir::scalar::Types;
use crate::ir::{Body, DType, Fold, Map, Op, Pick, Size};

const NUMBERS: &[DType] = &[DType::F32, DType::I32];
const REALS: &[DType] = &[DType::F32];
const BOOLS: &[DType] = &[DType::Bool];
const WHOLE: &[DType] = &[DType::I32];
const ANY: &[DType] = &[DType::F32, DType::I32, DType::Bool];

impl Rule<'_> {
    /// Everything that depends on the op.
    pub(super) fn op(&self) -> Result<(), String> {
        match &self.node.op {
            Op::Source { .. } => self.count(0).and(self.inner(0)),
            Op::Const(value) => self.count(0).and(self.rank(0)).and(self.inner(0)).and(self.holds(*value)),
            Op::Iota => self.count(0).and(self.rank(1)).and(self.inner(0)).and(self.result(DType::I32)),
            Op::Extent(_) => {
                let number = NUMBERS.contains(&self.node.dtype);
                self.count(0).and(self.rank(0)).and(self.inner(0))?;
                ensure(number, || "a size is no truth value".into())
            }
            Op::Random { .. } => {
                self.count(2).and(self.inner(0)).and(self.result(DType::F32))?;
                self.reads_all(0).and(self.takes(0, WHOLE)).and(self.takes(1, WHOLE))
            }
            Op::Map(map) => self.map(*map),
            Op::Fold(fold) => self.fold(*fold),
            Op::Contract => {
                self.reads_all(0)?;
                let factors = self.graph.factors(self.id).0.len();
                ensure(factors > 0, || "takes at least one factor".into())?;
                self.alike(factors, NUMBERS)
            }
            Op::Gather { picks, fill } => self.gather(picks).and(fill.map_or(Ok(()), |v| self.holds(v))),
            Op::Inside(_) => {
                let count = self.operands.len();
                ensure(count == 1 || count == 2, || format!("has {count} operands, and takes an index and perhaps a condition"))?;
                self.inner(0).and(self.reads_all(0)).and(self.takes(0, WHOLE)).and(self.result(DType::I32))?;
                if count == 2 { self.takes(1, BOOLS) } else { Ok(()) }
            }
            Op::Scatter { axis, fold } => {
                ensure(matches!(fold, Fold::Sum | Fold::Max | Fold::Min), || format!("does not scatter by {}", fold.word()))?;
                self.count(2).and(self.axis(*axis)).and(self.reads_all(0))?;
                self.takes(0, WHOLE).and(self.takes(1, NUMBERS)).and(self.result(self.operand(1).dtype))?;
                self.avoids(0, *axis).and(self.avoids(1, *axis))
            }
            Op::Concat { axis } => self.concat(*axis),
            Op::Reshape => self.reshape(),
            Op::Order { axis, .. } => {
                self.count(1).and(self.axis(*axis)).and(self.inner(1)).and(self.reads_all(0))?;
                self.takes(0, NUMBERS).and(self.avoids(0, *axis)).and(self.result(DType::I32))
            }
            Op::Scan { axis } => {
                self.count(1).and(self.axis(*axis)).and(self.inner(0)).and(self.reads_all(0))?;
                self.takes(0, NUMBERS).and(self.result(self.operand(0).dtype))
            }
            Op::Assign => {
                self.count(1).and(self.inner(1)).and(self.reads_all(0))?;
                self.takes(0, REALS)?;
                let row = self.node.shape.last().ok_or("has no rows")?;
                ensure(row.size == self.node.inner[0].size, || "its matrix is not square".into())?;
                self.result(DType::I32)
            }
            Op::Loop(body) => self.looped(body),
            Op::Result(k) => self.of_loop(*k),
            Op::Arg(k) => self.arg(*k),
        }
    }

    /// All operands have one element type among these, the result's.
    fn all_alike(&self, allowed: &[DType]) -> Result<(), String> {
        self.alike(self.operands.len(), allowed)
    }

    /// Likewise the first `count` operands.
    fn alike(&self, count: usize, allowed: &[DType]) -> Result<(), String> {
        (0..count).try_for_each(|n| self.takes(n, allowed))?;
        let first = self.operand(0).dtype;
        (1..count).try_for_each(|n| self.takes(n, &[first]))?;
        self.result(first)
    }

    /// All operands have one element type; the result is a bool.
    fn compares(&self, allowed: &[DType]) -> Result<(), String> {
        self.takes(0, allowed).and(self.takes(1, &[self.operand(0).dtype])).and(self.result(DType::Bool))
    }

    fn map(&self, map: Map) -> Result<(), String> {
        self.count(map.arity()).and(self.inner(0))?;
        self.reads_all(0)?;
        match map.types() {
            Types::Same(of) => self.all_alike(of),
            Types::Cast(to) => self.result(to),
            Types::Test(of) => self.compares(of),
            Types::Choice => {
                self.takes(0, BOOLS).and(self.takes(2, &[self.operand(1).dtype])).and(self.result(self.operand(1).dtype))
            }
        }
    }

    fn fold(&self, fold: Fold) -> Result<(), String> {
        self.count(1).and(self.reads_all(0))?;
        match fold {
            Fold::Sum | Fold::Prod | Fold::Max | Fold::Min => self.all_alike(NUMBERS),
            Fold::Any | Fold::All => self.all_alike(BOOLS),
            Fold::Argmax | Fold::Argmin => self.inner(1).and(self.takes(0, NUMBERS)).and(self.result(DType::I32)),
        }
    }

    /// A number that is written in the graph must be one that the result can hold.
    fn holds(&self, value: f64) -> Result<(), String> {
        let held = match self.node.dtype {
            DType::F32 => true,
            DType::I32 => value.fract() == 0.0 && (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&value),
            DType::Bool => value == 0.0 || value == 1.0,
        };
        ensure(held, || format!("holds {value}, which is no {}", self.node.dtype.word()))
    }

    fn gather(&self, picks: &[Pick]) -> Result<(), String> {
        ensure(!self.operands.is_empty(), || "has no source".into())?;
        self.inner(0).and(self.whole(0)).and(self.reads_all(1)).and(self.result(self.operand(0).dtype))?;
        (1..self.operands.len()).try_for_each(|n| self.takes(n, WHOLE))?;
        let source = &self.operand(0).shape;
        ensure(picks.len() == source.len(), || format!("picks {} of {} dimensions", picks.len(), source.len()))?;
        for (pick, axis) in picks.iter().zip(source) {
            match pick {
                Pick::Loop(k) => {
                    ensure(*k < self.node.rank(), || format!("picks by loop {k}, which is not there"))?;
                    let extent = &self.node.shape[*k].size;
                    ensure(*extent == axis.size, || {
                        format!("the source has {} along `{}`, loop {k} has {extent}", axis.size, axis.name)
                    })?;
                }
                Pick::Operand(n) => {
                    ensure((1..self.operands.len()).contains(n), || format!("picks by operand {n}, which is not there"))?;
                }
            }
        }
        Ok(())
    }

    fn concat(&self, axis: usize) -> Result<(), String> {
        ensure(!self.operands.is_empty(), || "joins nothing".into())?;
        self.inner(0).and(self.axis(axis)).and(self.all_alike(ANY))?;
        let mut joined = Size::from(0i64);
        for (n, o) in self.operands.iter().enumerate() {
            self.reads(n, Some(axis))?;
            let mut along = o.subscripts.iter().zip(&self.operand(n).shape).filter(|(k, _)| **k == axis);
            let (_, part) = along.next().ok_or_else(|| format!("operand {n} has nothing to join"))?;
            ensure(along.next().is_none(), || format!("operand {n} names the joined loop twice"))?;
            joined = joined.add(&part.size);
        }
        let extent = &self.node.shape[axis].size;
        ensure(may_equal(&joined, extent), || format!("its parts join to {joined}, not {extent}"))
    }

    fn reshape(&self) -> Result<(), String> {
        self.count(1).and(self.inner(0))?;
        self.whole(0).and(self.all_alike(ANY))?;
        let product = |axes: &[crate::ir::Axis]| axes.iter().fold(Size::from(1i64), |p, a| p.mul(&a.size));
        let (from, to) = (product(&self.operand(0).shape), product(&self.node.shape));
        ensure(may_equal(&from, &to) && !differ(&from, &to), || format!("{from} and {to} elements differ"))
    }

    fn looped(&self, body: &Body) -> Result<(), String> {
        self.rank(0).and(self.inner(0))?;
        ensure(self.operands.len() >= body.carries, || {
            format!("has {} carries, {} operands", body.carries, self.operands.len())
        })?;
        let mut args = vec![Type { dtype: DType::I32, shape: vec![] }];
        for (n, o) in self.operands.iter().enumerate() {
            let identity = o.subscripts.iter().copied().eq(0..self.operand(n).rank());
            ensure(identity, || format!("operand {n} is not read as it is"))?;
            args.push(Type::of(self.operand(n)));
        }
        check(&body.graph, Some(&args)).map_err(|e| format!("in its body: {e}"))?;
        let outputs = &body.graph.outputs;
        let wanted = body.carries + usize::from(body.stop) + body.yields;
        ensure(outputs.len() == wanted, || format!("its body gives {} values, not {wanted}", outputs.len()))?;
        for (n, (output, arg)) in outputs.iter().zip(&args[1..]).enumerate().take(body.carries) {
            ensure(Type::of(body.graph.node(output.node)) == *arg, || format!("carry {n} changes its type"))?;
        }
        if body.stop {
            let stop = body.graph.node(outputs[body.carries].node);
            ensure(stop.rank() == 0 && stop.dtype == DType::Bool, || "its stop is not one bool".into())?;
        }
        Ok(())
    }

    fn of_loop(&self, k: usize) -> Result<(), String> {
        self.count(1).and(self.inner(0))?;
        self.whole(0)?;
        let Op::Loop(body) = &self.operand(0).op else { return Err("its operand is not a loop".into()) };
        ensure(k < body.carries + body.yields, || format!("the loop has no result {k}"))?;
        let place = if k < body.carries { k } else { k + usize::from(body.stop) };
        let output = body.graph.outputs.get(place).ok_or("the loop has too few results")?;
        let mut expected = Type::of(body.graph.node(output.node));
        if k >= body.carries {
            expected.shape.insert(0, body.trips.clone());
        }
        ensure(Type::of(self.node) == expected, || format!("result {k} of the loop has another type"))
    }

    fn arg(&self, k: usize) -> Result<(), String> {
        self.count(0).and(self.inner(0))?;
        let args = self.args.ok_or("stands outside a loop")?;
        let arg = args.get(k).ok_or_else(|| format!("the loop has no argument {k}"))?;
        let same = arg.dtype == self.node.dtype && arg.shape == sizes(&self.node.shape);
        ensure(same, || format!("argument {k} of the loop has another type"))
    }
}

/// Whether two products of sizes differ for sure although their difference has unknowns: one is a numeric multiple of the other.
fn differ(a: &Size, b: &Size) -> bool {
    let ratio = a.div(b).and_then(|q| q.number());
    ratio.is_some_and(|r| r != 1.0 && r != 0.0)
}
