//! Compile-time numbers and sizes.

use super::value::{Num, Tens, Value};
use super::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::scalar::{Nature, Scalar};
use crate::ir::size::SizeFn;
use crate::ir::{DType, Map, Op, Origin, Size};
use crate::source::Span;
use crate::syntax::ast::{self, BinaryOp};

impl<'a> Checker<'a> {
    /// An expression that is a size.
    pub fn size_of_expr(&mut self, e: &'a ast::Expr) -> Res<Size> {
        let value = self.expr(e)?;
        let size = self.whole(value, e.span)?;
        if size.constant().is_some_and(|n| n < 0) {
            return self.error(Code::H0303, e.span, format!("a size cannot be {size}"));
        }
        if size.constant().is_some_and(|n| n > 1 << 40) {
            return self.error(Code::H0303, e.span, format!("{size} is too large for a size"));
        }
        Ok(size)
    }

    /// A whole number: of compile time, or one that a condition decides.
    pub fn whole(&mut self, value: Value<'a>, span: Span) -> Res<Size> {
        match value {
            Value::Num(Num::Exact(s)) => {
                let s = self.axes.resolve(&s);
                if s.number().is_some() && s.constant().is_none() || !s.is_whole() {
                    return self.fail(
                        Diagnostic::error(Code::H0304, span, format!("this is {}, and a size is a whole number", s))
                            .help("choose numbers that divide, or round with `ceil(..)`, `floor(..)` or `div`"),
                    );
                }
                Ok(s)
            }
            Value::Num(Num::Real(v)) => {
                if v.fract() == 0.0 && v.abs() < 9e15 {
                    return Ok(Size::from(v as i64));
                }
                self.fail(
                    Diagnostic::error(Code::H0304, span, format!("this is {v}, and a size is a whole number"))
                        .help("round with `ceil(..)` or `floor(..)`"),
                )
            }
            Value::Tensor(t) => self.measured(&t, span),
            Value::Poison(said) => Err(said),
            other => {
                let message = format!("this is {}; a whole number is wanted", other.kind());
                self.error(Code::H0303, span, message)
            }
        }
    }

    /// A size that a value decides.
    fn measured(&mut self, t: &Tens, span: Span) -> Res<Size> {
        if !t.labels.is_empty() {
            let message = format!("a size is one whole number, and this is {}", self.show(t));
            let d = Diagnostic::error(Code::H0303, span, message);
            let axis = t.names().next().map(|n| self.axes.name_text(n).to_string());
            return self.fail(match axis {
                Some(axis) => d.help(format!("a dim is a place on its axis; how long the axis is says `count[{axis}]`")),
                None => d,
            });
        }
        if let Op::Extent(s) = &self.build.at(t).op {
            return Ok(s.clone());
        }
        if let Some(size) = self.size_form(t) {
            return Ok(size);
        }
        if t.level > 0 {
            return self.fail(
                Diagnostic::limit(Code::H0813, span, "a size cannot change from round to round of this loop")
                    .help("compute it before the loop"),
            );
        }
        if let Some(input) = self.depends_on_input(t) {
            return self.fail(
                Diagnostic::error(Code::H0306, span, format!("a size depends on the input `{input}`"))
                    .help("what a condition decides may be a size; declare it `condition`"),
            );
        }
        let node = t.node;
        if let Some((s, _)) = self.build.graph(0).measured.iter().find(|(_, n)| *n == node) {
            return Ok(Size::sym(s.clone()));
        }
        let text = self.build.at(t).name.clone().unwrap_or_else(|| "n".into());
        let taken = |c: &Self, s: &str| c.build.graph(0).measured.iter().any(|(m, _)| **m == *s);
        let mut name = format!("{text}#");
        let mut k = 1;
        while taken(self, &name) {
            k += 1;
            name = format!("{text}#{k}");
        }
        self.build.graph_mut(0).measured.push((name.as_str().into(), node));
        Ok(Size::sym(name))
    }

    /// An input (not a condition) that a value depends on by its values.
    fn depends_on_input(&self, t: &Tens) -> Option<String> {
        let graph = self.build.graph(t.level);
        let need = graph.reachable([t.node]);
        graph.ids().filter(|id| need[id.index()]).find_map(|id| match &graph.node(id).op {
            Op::Source { origin: Origin::Input, path } => Some(path.to_string()),
            _ => None,
        })
    }

    /// Whether a value is made of numbers and sizes: it is decided when those are known.
    pub fn of_sizes_alone(&self, t: &Tens) -> bool {
        let graph = self.build.graph(t.level);
        let need = graph.reachable([t.node]);
        graph.ids().filter(|id| need[id.index()]).all(|id| matches!(graph.node(id).op, Op::Const(_) | Op::Extent(_) | Op::Map(_)))
    }

    /// Two numbers.
    pub fn num_binary(&mut self, op: BinaryOp, a: &Num, b: &Num, span: Span) -> Res<Value<'a>> {
        if let (Num::Exact(x), Num::Exact(y)) = (a, b) {
            let (x, y) = (self.axes.resolve(x), self.axes.resolve(y));
            if let Some(v) = self.exact_binary(op, &x, &y, span)? {
                return Ok(v);
            }
        }
        let (Some(x), Some(y)) = (a.known(), b.known()) else {
            // An unknown size: computed at run time.
            let (p, q) = (self.num_f32(a), self.num_f32(b));
            return self.tens_binary(op, &p, &q, span, span, span);
        };
        let real = |v: f64| Ok(Value::Num(Num::Real(v)));
        match op {
            BinaryOp::Add => real(x + y),
            BinaryOp::Sub => real(x - y),
            BinaryOp::Mul => real(x * y),
            BinaryOp::Div => real(x / y),
            BinaryOp::Pow => real(libm::pow(x, y)),
            BinaryOp::IntDiv => real(if y == 0.0 { 0.0 } else { (x / y).floor() }),
            BinaryOp::Mod => real(if y == 0.0 { 0.0 } else { x - y * (x / y).floor() }),
            BinaryOp::Eq => Ok(Value::Bool(x == y)),
            BinaryOp::Ne => Ok(Value::Bool(x != y)),
            BinaryOp::Lt => Ok(Value::Bool(x < y)),
            BinaryOp::Gt => Ok(Value::Bool(x > y)),
            BinaryOp::Le => Ok(Value::Bool(x <= y)),
            BinaryOp::Ge => Ok(Value::Bool(x >= y)),
            BinaryOp::And | BinaryOp::Or => {
                self.error(Code::H0307, span, "`and` and `or` join truth values, and these are numbers")
            }
            BinaryOp::Matmul => self.error(Code::H0308, span, "`@` multiplies vectors and matrices, and these are numbers"),
        }
    }

    /// Exact results; `None` where the result is real or only known later.
    fn exact_binary(&mut self, op: BinaryOp, x: &Size, y: &Size, span: Span) -> Res<Option<Value<'a>>> {
        let exact = |s: Size| Ok(Some(Value::Num(Num::Exact(s))));
        let zero = y.is(0);
        match op {
            BinaryOp::Add => exact(x.add(y)),
            BinaryOp::Sub => exact(x.sub(y)),
            BinaryOp::Mul => exact(x.mul(y)),
            BinaryOp::Div | BinaryOp::IntDiv | BinaryOp::Mod if zero => self.error(Code::H0309, span, "division by zero"),
            BinaryOp::Div => Ok(x.div(y).map(|s| Value::Num(Num::Exact(s)))),
            BinaryOp::IntDiv => Ok(x.int_div(y).map(|s| Value::Num(Num::Exact(s)))),
            BinaryOp::Mod => Ok(x.modulo(y).map(|s| Value::Num(Num::Exact(s)))),
            BinaryOp::Pow => {
                let fits = match (x.number(), y.constant()) {
                    (Some(b), Some(n)) => n.unsigned_abs() <= 62 && libm::pow(b.abs().max(1.0), n.abs() as f64) < 1e15,
                    (None, Some(n)) => (0..=8).contains(&n),
                    (_, None) => y.number().is_none() && x.constant().is_some(),
                };
                if fits { exact(Size::apply(SizeFn::Pow, vec![x.clone(), y.clone()])) } else { Ok(None) }
            }
            BinaryOp::Eq | BinaryOp::Ne => {
                if x == y {
                    return Ok(Some(Value::Bool(op == BinaryOp::Eq)));
                }
                Ok(x.sub(y).number().map(|d| Value::Bool((d == 0.0) == (op == BinaryOp::Eq))))
            }
            BinaryOp::Lt | BinaryOp::Gt | BinaryOp::Le | BinaryOp::Ge => Ok(x.sub(y).number().map(|d| {
                Value::Bool(match op {
                    BinaryOp::Lt => d < 0.0,
                    BinaryOp::Gt => d > 0.0,
                    BinaryOp::Le => d <= 0.0,
                    _ => d >= 0.0,
                })
            })),
            BinaryOp::And | BinaryOp::Or | BinaryOp::Matmul => Ok(None),
        }
    }

    /// A primitive of numbers, where its result is known or exact; `None`: it is computed.
    pub fn num_function(&mut self, map: Map, args: &[Num]) -> Option<Num> {
        let args: Vec<Num> = args.iter().map(|n| self.resolved(n)).collect();
        let exact: Option<Vec<Size>> = args.iter().map(Num::exact).collect();
        let symbolic = match map {
            Map::Ceil => Some(SizeFn::Ceil),
            Map::Floor => Some(SizeFn::Floor),
            Map::Max => Some(SizeFn::Max),
            Map::Min => Some(SizeFn::Min),
            _other => None,
        };
        if let (Some(f), Some(sizes)) = (symbolic, exact) {
            return Some(Num::Exact(Size::apply(f, sizes)));
        }
        let known: Option<Vec<f64>> = args.iter().map(Num::known).collect();
        let v = match (map.meaning(DType::F32), known?.as_slice()) {
            (Scalar::One(f), [x]) => f(*x),
            (Scalar::Two(f), [x, y]) => f(*x, *y),
            (Scalar::One(_) | Scalar::Two(_) | Scalar::Select, _) => return None,
        };
        let whole = match map.nature() {
            Nature::Steps => true,
            // Of whole numbers a whole one.
            Nature::Handed => args.iter().all(|n| n.exact().is_some()),
            Nature::Exact | Nature::Smooth | Nature::Rough => false,
        };
        Some(if whole { super::word::exact(v) } else { Num::Real(v) })
    }

    /// A number with all sizes put in that were found.
    pub fn resolved(&self, n: &Num) -> Num {
        match n {
            Num::Exact(s) => Num::Exact(self.axes.resolve(s)),
            Num::Real(v) => Num::Real(*v),
        }
    }

    /// An i32 tensor for an index; other numbers are refused.
    pub fn index_tens(&mut self, value: Value<'a>, span: Span) -> Res<Tens> {
        if let Value::Num(n) = &value {
            let size = self.whole(Value::Num(n.clone()), span)?;
            return Ok(self.size_value(&size));
        }
        let t = self.as_tens(value, span)?;
        if t.dtype != DType::I32 {
            return self.fail(
                Diagnostic::error(Code::H0310, span, format!("an index is a whole number, and this is {}", self.show_kind(&t)))
                    .help("`int(..)` casts, `div` divides whole numbers"),
            );
        }
        Ok(t)
    }
}
