//! Types, axes and argument lists.

use super::{Mark, Parse, Parser};
use crate::syntax::ast::{AxisExpr, Scalar, Type, TypeKind, TypedName};
use crate::syntax::lex::Kind;

impl Parser<'_, '_> {
    /// `f32`, `i32[b]`, `[t, d]`, `seed`, `target.*`, `(mu: [d], spread: [d])`
    pub(super) fn ty(&mut self) -> Parse<Type> {
        let start = self.at;
        if self.breaks() {
            return self.no_type();
        }
        let kind = match self.kind() {
            Kind::LBracket => TypeKind::Tensor { scalar: None, axes: self.axes()? },
            Kind::LParen => {
                self.enter()?;
                let entries = self.list(Self::typed_name)?;
                self.nesting -= 1;
                TypeKind::Record(entries)
            }
            Kind::Name => match scalar(self.word(self.at)) {
                Some(scalar) => {
                    self.advance_as(Mark::Keyword);
                    let axes = if self.sees_tight(Kind::LBracket) { self.axes()? } else { Vec::new() };
                    TypeKind::Tensor { scalar: Some(scalar), axes }
                }
                None if self.word(self.at) == "seed" && !matches!(self.peek(1), Kind::Dot | Kind::DotStar) => {
                    self.advance_as(Mark::Keyword);
                    TypeKind::Seed
                }
                None => TypeKind::Tree(self.path("a type")?),
            },
            _ => return self.no_type(),
        };
        Ok(Type { kind, span: self.since(start) })
    }

    /// `[t, *, 2 * d]`
    pub(super) fn axes(&mut self) -> Parse<Vec<AxisExpr>> {
        if self.kind() != Kind::LBracket {
            return self.no_axes();
        }
        self.list(|p| match p.kind() {
            Kind::Star => Ok(AxisExpr::Lifted(p.star())),
            _ => Ok(AxisExpr::Expr(p.sum()?)),
        })
    }

    /// `(x: [t, d], base: f32 = 10000)`; only arguments have a default.
    pub(super) fn args(&mut self) -> Parse<Vec<TypedName>> {
        if !self.sees(Kind::LParen) {
            return self.expected("`(`", "before the arguments");
        }
        self.list(|p| {
            let mut arg = p.typed_name()?;
            if p.eat(Kind::Assign) {
                arg.default = Some(p.expr()?);
            }
            Ok(arg)
        })
    }

    /// `x: [t, d]`
    fn typed_name(&mut self) -> Parse<TypedName> {
        let name = self.name("an argument")?;
        self.expect(Kind::Colon, "between an argument and its type")?;
        Ok(TypedName { name, ty: self.ty()?, default: None })
    }
}

/// The scalar that a word names.
pub(super) fn scalar(word: &str) -> Option<Scalar> {
    Some(match word {
        "f32" => Scalar::F32,
        "i32" => Scalar::I32,
        "bool" => Scalar::Bool,
        "size" => Scalar::Size,
        _ => return None,
    })
}
