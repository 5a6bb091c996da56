//! Functions at every point: of numbers that are known, of tensors, of each leaf of a tree.

use super::table::Call;
use crate::check::value::{Num, Tens, Value};
use crate::check::{Checker, Res};
use crate::ir::scalar::{Law, Types};
use crate::ir::size::SizeFn;
use crate::ir::{DType, Map, Size};
use crate::source::Span;

/// A function of one tensor.
type OfTensor<'f, 'a> = &'f mut dyn FnMut(&mut Checker<'a>, Tens) -> Res<Tens>;

impl<'a> Checker<'a> {
    /// A primitive at every point.
    pub(super) fn point(&mut self, map: Map, call: Call<'a>) -> Res<Value<'a>> {
        let what = format!("`{}`", call.function.word);
        let mut values = self.list(call.args)?;
        if let Some(n) = self.of_numbers(map, &values) {
            return Ok(Value::Num(n));
        }
        if values.len() == 1 {
            let (v, at) = values.remove(0);
            return self.each_leaf(v, at, &mut |c, t| c.primitive(map, &[(t, at)], &what, call.span));
        }
        let operands = self.operands(values)?;
        self.primitive(map, &operands, &what, call.span).map(Value::Tensor)
    }

    /// A primitive of tensors: of whole numbers if it has a meaning there and all are whole, else of real ones.
    fn primitive(&mut self, map: Map, operands: &[(Tens, Span)], what: &str, span: Span) -> Res<Tens> {
        for (t, at) in operands {
            self.arithmetic(t, *at)?;
        }
        let whole = operands.iter().all(|(t, _)| t.dtype == DType::I32);
        let takes_whole = matches!(map.types(), Types::Same(of) if of.contains(&DType::I32));
        if whole && !takes_whole && map.law() == Law::Settles {
            // Rounding a whole number.
            return Ok(operands[0].0.clone());
        }
        let dtype = if whole && takes_whole { DType::I32 } else { DType::F32 };
        let operands: Vec<(Tens, Span)> =
            operands.iter().map(|(t, at)| (if dtype == DType::F32 { self.to_f32(t) } else { t.clone() }, *at)).collect();
        let with: Vec<(&Tens, Span)> = operands.iter().map(|(t, at)| (t, *at)).collect();
        self.map(map, map.gives(dtype), &with, what, span)
    }

    /// Values as tensors; numbers are real ones, unless all tensors are whole.
    fn operands(&mut self, values: Vec<(Value<'a>, Span)>) -> Res<Vec<(Tens, Span)>> {
        let real = values.iter().any(|(v, _)| matches!(v, Value::Tensor(t) if t.dtype == DType::F32));
        let mut out = vec![];
        for (v, at) in values {
            let t = match v {
                Value::Num(n) if real => self.num_f32(&n),
                v => self.as_tens(v, at)?,
            };
            out.push((t, at));
        }
        Ok(out)
    }

    /// A function of a tensor, of a number as a tensor, or of each leaf of a tree.
    fn each_leaf(&mut self, v: Value<'a>, at: Span, f: OfTensor<'_, 'a>) -> Res<Value<'a>> {
        match v {
            Value::Tree(tree) => Ok(Value::Tree(self.tree_map(&tree, &mut |c, leaf| f(c, leaf.clone()))?.into())),
            Value::Num(n) => {
                let t = self.num_f32(&n);
                f(self, t).map(Value::Tensor)
            }
            v => {
                let t = self.as_tens(v, at)?;
                f(self, t).map(Value::Tensor)
            }
        }
    }

    /// `max(a, c)`, `min(a, c)`
    pub fn extreme(&mut self, map: Map, values: [(Value<'a>, Span); 2], span: Span) -> Res<Value<'a>> {
        if let Some(n) = self.of_numbers(map, &values) {
            return Ok(Value::Num(n));
        }
        let operands = self.operands(values.into())?;
        self.primitive(map, &operands, &format!("`{}`", map.word()), span).map(Value::Tensor)
    }

    /// `relu(x)`
    pub(super) fn relu(&mut self, call: Call<'a>) -> Res<Value<'a>> {
        let [(v, at)] = self.values(call.args)?;
        let zero = Num::Exact(Size::from(0i64));
        if let Value::Num(n) = &v
            && let Some(n) = self.num_function(Map::Max, &[n.clone(), zero])
        {
            return Ok(Value::Num(n));
        }
        self.each_leaf(v, at, &mut |c, t| {
            c.arithmetic(&t, at)?;
            let zero = c.constant(0.0, t.dtype);
            c.pointwise(Map::Max, &[&t, &zero])
        })
    }

    /// `atan(x)`
    pub(super) fn atan(&mut self, call: Call<'a>) -> Res<Value<'a>> {
        let [(v, at)] = self.values(call.args)?;
        let one = Num::Exact(Size::from(1i64));
        if let Value::Num(n) = &v
            && let Some(n) = self.num_function(Map::Atan2, &[n.clone(), one])
        {
            return Ok(Value::Num(n));
        }
        self.each_leaf(v, at, &mut |c, t| {
            c.arithmetic(&t, at)?;
            let (t, one) = (c.to_f32(&t), c.constant(1.0, DType::F32));
            c.pointwise(Map::Atan2, &[&t, &one])
        })
    }

    /// `clamp(x, low, high)`
    pub(super) fn clamp(&mut self, call: Call<'a>) -> Res<Value<'a>> {
        let [x, low, high] = self.values(call.args)?;
        if let (Value::Tree(tree), at) = &x {
            let out = self.tree_map(tree, &mut |c, leaf| {
                let v = c.clamped((Value::Tensor(leaf.clone()), *at), low.clone(), high.clone(), call.span)?;
                c.as_tens(v, *at)
            })?;
            return Ok(Value::Tree(out.into()));
        }
        self.clamped(x, low, high, call.span)
    }

    fn clamped(&mut self, x: (Value<'a>, Span), low: (Value<'a>, Span), high: (Value<'a>, Span), span: Span) -> Res<Value<'a>> {
        let at = x.1;
        let raised = self.extreme(Map::Max, [x, low], span)?;
        self.extreme(Map::Min, [(raised, at), high], span)
    }

    /// `log2(x)`: exact of a power of two.
    pub(super) fn log2(&mut self, call: Call<'a>) -> Res<Value<'a>> {
        let [(v, at)] = self.values(call.args)?;
        if let Value::Num(Num::Exact(s)) = &v {
            let s = self.axes.resolve(s);
            let folded = Size::apply(SizeFn::Log2, vec![s.clone()]);
            if folded.constant().is_some() || s.number().is_none() {
                return Ok(Value::Num(Num::Exact(folded)));
            }
        }
        if let Value::Num(n) = &v
            && let Some(x) = self.resolved(n).known()
        {
            return Ok(Value::Num(Num::Real(libm::log2(x))));
        }
        self.each_leaf(v, at, &mut |c, t| {
            c.arithmetic(&t, at)?;
            let t = c.to_f32(&t);
            let log = c.pointwise(Map::Log, &[&t])?;
            let base = c.constant(std::f64::consts::LN_2, DType::F32);
            c.pointwise(Map::Div, &[&log, &base])
        })
    }

    /// `number(x)`: a truth value is 0 or 1.
    pub(super) fn number(&mut self, call: Call<'a>) -> Res<Value<'a>> {
        let [(v, at)] = self.values(call.args)?;
        match v {
            Value::Num(n) => Ok(Value::Num(self.resolved(&n))),
            Value::Bool(b) => Ok(Value::from(Size::from(i64::from(b)))),
            v => self.each_leaf(v, at, &mut |c, t| Ok(c.to_f32(&t))),
        }
    }

    /// `int(x)`: cut towards zero.
    pub(super) fn int(&mut self, call: Call<'a>) -> Res<Value<'a>> {
        let [(v, at)] = self.values(call.args)?;
        if let Value::Num(n) = &v
            && let Some(x) = self.resolved(n).known()
        {
            return Ok(Value::Num(crate::check::word::exact(x.trunc())));
        }
        self.each_leaf(v, at, &mut |c, t| if t.dtype == DType::I32 { Ok(t) } else { c.pointwise(Map::ToI32, &[&t]) })
    }

    /// A primitive of numbers alone, where its result is known or exact.
    fn of_numbers(&mut self, map: Map, values: &[(Value<'a>, Span)]) -> Option<Num> {
        let numbers: Option<Vec<Num>> = values
            .iter()
            .map(|(v, _)| match v {
                Value::Num(n) => Some(n.clone()),
                _ => None,
            })
            .collect();
        self.num_function(map, &numbers?)
    }
}
