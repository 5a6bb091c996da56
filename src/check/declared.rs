//! Values of declared types.

use super::kind::{elements, kind_of};
use super::value::{Label, NameId, Value};
use super::word::Meaning;
use super::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::{DType, Size};
use crate::source::Span;
use crate::syntax::ast::{self, Expr, ExprKind};

impl<'a> Checker<'a> {
    /// `zeros()`, `ones()`, `fill(x)` where a type is declared.
    pub fn filled(&mut self, ty: &'a ast::Type, value: &'a Expr) -> Res<Option<Value<'a>>> {
        let ExprKind::Call { callee, args } = &*value.kind else { return Ok(None) };
        let ExprKind::Name(word) = &*callee.kind else { return Ok(None) };
        if !matches!(self.meaning(word), Meaning::Nothing) {
            return Ok(None);
        }
        let number = match (&**word, args.as_slice()) {
            ("zeros", []) => Value::from(Size::from(0i64)),
            ("ones", []) => Value::from(Size::from(1i64)),
            ("fill", [x]) => self.expr(&x.value)?,
            _ => return Ok(None),
        };
        let (dtype, shape) = self.tensor_type(ty)?;
        let known = match &number {
            Value::Num(n) => n.known(),
            _ => None,
        };
        let t = match (number, dtype) {
            (Value::Num(n), DType::F32) => self.num_f32(&n),
            (Value::Num(_), DType::Bool) if known == Some(0.0) || known == Some(1.0) => {
                self.constant(known.unwrap_or(0.0), dtype)
            }
            (v, _) => {
                let t = self.as_tens(v, value.span)?;
                self.scalar_kind(t, kind_of(ty), value.span, ty.span)?
            }
        };
        let labels: Vec<Label> = shape.iter().map(|(l, _)| *l).collect();
        let axes = shape.iter().enumerate().map(|(i, (l, s))| self.axes.axis(*l, &format!("d{i}"), s.clone())).collect();
        Ok(Some(Value::Tensor(self.copy(&t, labels, axes, vec![]))))
    }

    /// Checks a value against a declared type in the present scope.
    pub fn declared_value(&mut self, ty: &'a ast::Type, value: Value<'a>, at: Span) -> Res<Value<'a>> {
        let ast::TypeKind::Tensor { scalar, .. } = &ty.kind else { return Ok(value) };
        let (_, shape) = self.tensor_type(ty)?;
        let t = match value {
            Value::Num(n) => match self.number_kind(n, *scalar, at, ty.span)? {
                n if shape.is_empty() => return Ok(Value::Num(n)),
                n if elements(*scalar) == DType::F32 => self.num_f32(&n),
                n => self.num_tens(&n),
            },
            v => self.as_tens(v, at)?,
        };
        let t = self.scalar_kind(t, *scalar, at, ty.span)?;
        let own = self.sized_extents(&t);
        let want: Vec<_> = shape.iter().filter(|(l, _)| *l == Label::Sized).map(|(_, s)| s.clone()).collect();
        let names: Vec<_> = shape
            .iter()
            .filter_map(|(l, _)| match l {
                Label::Named(n) => Some(*n),
                Label::Sized => None,
            })
            .collect();
        if own.len() != want.len() || !own.iter().zip(&want).all(|(a, b)| self.axes.same(a, b)) {
            let shown: Vec<String> = want.iter().map(|s| self.axes.show_size(s)).collect();
            let names: Vec<&str> = names.iter().map(|n| self.axes.name_text(*n)).collect();
            let declared = if names.is_empty() {
                format!("[{}]", shown.join(", "))
            } else {
                format!("{{{}}}[{}]", names.join(", "), shown.join(", "))
            };
            let message = format!("{declared} is declared, and this is {}", self.show(&t));
            return self.fail(Diagnostic::error(Code::H0345, at, message).label(ty.span, "declared here"));
        }
        let extra: Vec<&str> = t
            .names()
            .filter(|n| !names.contains(n) && self.is_axis(*n) && !self.is_lifted_axis(*n))
            .map(|n| self.axes.name_text(n))
            .collect();
        if !extra.is_empty() {
            let message = format!("this varies over `{}`, which the type does not name", extra.join("`, `"));
            return self.fail(
                Diagnostic::error(Code::H0346, at, message)
                    .label(ty.span, "declared here")
                    .help(format!("declare it, or reduce it: `mean[{}] ..`", extra[0])),
            );
        }
        Ok(Value::Tensor(self.spread(&t, &names)))
    }

    /// An output without a type: says which one its value has.
    pub fn without_a_type<T>(&mut self, at: Span, value: Value<'a>) -> Res<T> {
        let d = Diagnostic::error(Code::H0132, at, "expected `:` and a type after the name of an output");
        let t = match value {
            Value::Poison(said) => return Err(said),
            Value::Num(n) => match n.known() {
                Some(v) if v.fract() == 0.0 => self.num_tens(&n),
                Some(_) | None => self.num_f32(&n),
            },
            Value::Tensor(t) => t,
            other => {
                let help = format!("its value is {}; an output is one tensor, as in `y: [b, 64]`", other.kind());
                return self.fail(d.help(help));
            }
        };
        let sizes = self.extents(&t);
        let names = t.names().map(|n| self.axes.name_text(n).to_string());
        let sized = t.sized().into_iter().map(|i| self.axes.show_size(&sizes[i]));
        let axes: Vec<String> = names.chain(sized).collect();
        let text = match (axes.is_empty(), t.dtype) {
            (true, dtype) => dtype.word().to_string(),
            (false, DType::F32) => format!("[{}]", axes.join(", ")),
            (false, dtype) => format!("{}[{}]", dtype.word(), axes.join(", ")),
        };
        self.fail(d.fix("this is what its value is; the order of the axes is the order in files", at, format!(": {text}")))
    }

    /// Whether a step of training goes along this axis over conditions that otherwise are one value: then what is computed from them goes
    /// along it, whatever its type says.
    pub fn is_lifted_axis(&self, n: NameId) -> bool {
        self.options.training && self.options.lift.iter().any(|(_, dim)| self.axis_word(dim) == Some(n))
    }

    /// Whether a name is a visible axis of the signature or the file.
    pub fn is_axis(&self, n: NameId) -> bool {
        self.axis_word(self.axes.name_text(n)) == Some(n)
    }
}
