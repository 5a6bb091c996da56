//! Kinds of elements: what is declared holds. `i32` becomes `f32` by itself, and nothing else does.

use super::instance::ParamId;
use super::value::{Num, Tens, Value};
use super::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::{DType, Size};
use crate::source::Span;
use crate::syntax::ast::{self, Scalar};

/// The kind that a type declares, where it declares one of elements.
pub fn kind_of(ty: &ast::Type) -> Option<Scalar> {
    match &ty.kind {
        ast::TypeKind::Tensor { scalar, .. } => *scalar,
        ast::TypeKind::Seed | ast::TypeKind::Tree(_) | ast::TypeKind::Record(_) => None,
    }
}

/// The elements of a kind; a type without one has real numbers.
pub fn elements(kind: Option<Scalar>) -> DType {
    match kind {
        None | Some(Scalar::F32) => DType::F32,
        Some(Scalar::I32 | Scalar::Size) => DType::I32,
        Some(Scalar::Bool) => DType::Bool,
    }
}

/// A number where a real one is declared: whole no longer, if its value is known.
pub fn real(n: Num) -> Num {
    n.known().map_or(n, Num::Real)
}

impl<'a> Checker<'a> {
    /// Elements of the declared kind.
    pub fn scalar_kind(&mut self, t: Tens, scalar: Option<Scalar>, at: Span, declared: Span) -> Res<Tens> {
        let want = elements(scalar);
        if t.dtype == want {
            return Ok(t);
        }
        if want == DType::F32 && t.dtype == DType::I32 {
            return Ok(self.to_f32(&t));
        }
        let shown = self.show_kind(&t);
        self.other_kind(&shown, want, at, declared)
    }

    /// A number that is known when the model is compiled, where a kind is declared: it stays known.
    pub fn number_kind(&mut self, n: Num, scalar: Option<Scalar>, at: Span, declared: Span) -> Res<Num> {
        match elements(scalar) {
            DType::F32 => Ok(real(n)),
            DType::I32 => match &n {
                Num::Real(v) if v.fract() == 0.0 && v.abs() < 9e15 => Ok(Num::Exact(Size::from(*v as i64))),
                Num::Exact(s) if self.axes.resolve(s).is_whole() => Ok(n),
                Num::Real(_) | Num::Exact(_) => self.other_kind(&self.show_number(&n), DType::I32, at, declared),
            },
            DType::Bool => self.other_kind(&self.show_number(&n), DType::Bool, at, declared),
        }
    }

    fn show_number(&self, n: &Num) -> String {
        match (n.known(), n) {
            (Some(v), _) => v.to_string(),
            (None, Num::Exact(s)) => self.axes.show_size(s),
            (None, Num::Real(v)) => v.to_string(),
        }
    }

    fn other_kind<T>(&mut self, shown: &str, want: DType, at: Span, declared: Span) -> Res<T> {
        let message = format!("this is {shown}, and {} is declared", want.word());
        let help = match want {
            DType::F32 => "`number(..)` makes 1 of true and 0 of false",
            DType::I32 => "`int(..)` casts to whole numbers, `div` divides them; or declare `f32`",
            DType::Bool => "compare: `> 0.5`, `!= 0`",
        };
        self.fail(Diagnostic::error(Code::H0336, at, message).label(declared, "declared here").help(help))
    }

    /// A value for a parameter or state: its elements are of the kind that is declared there.
    pub fn for_param(&mut self, value: Value<'a>, p: ParamId, at: Span) -> Res<Tens> {
        let ty = &self.nets[p].decl.ty;
        let (scalar, declared) = (kind_of(ty), ty.span);
        let t = match value {
            Value::Num(n) => match self.number_kind(n, scalar, at, declared)? {
                n if elements(scalar) == DType::F32 => self.num_f32(&n),
                n => self.num_tens(&n),
            },
            v => self.as_tens(v, at)?,
        };
        self.scalar_kind(t, scalar, at, declared)
    }
}
