//! Shapes and stored values of parameters.

use super::{ParamId, foreign_type};
use crate::check::scope::Binding;
use crate::check::value::{Label, Tens, Value};
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic, suggest};
use crate::ir::{DType, Node, Op, Origin, Size};
use crate::syntax::ast::{self, Name};

impl<'a> Checker<'a> {
    /// Labels and extents of a parameter, arrays first.
    pub fn param_shape(&mut self, p: ParamId) -> Res<Vec<(Label, Size)>> {
        if let Some(shape) = &self.nets[p].shape {
            return Ok(shape.clone());
        }
        let (inst, decl, leaf) = (self.nets[p].inst, self.nets[p].decl, self.nets[p].leaf.clone());
        let mut frame = self.nets.inst_frame(inst);
        frame.span = decl.name.span;
        if let Some((word, leaf, size)) = &leaf {
            frame.scopes.push([(word.clone(), Binding::Value(Value::LeafName(leaf.clone(), size.clone())))].into());
        }
        let mut shape: Vec<(Label, Size)> =
            self.nets[inst].arrays.clone().into_iter().map(|a| (Label::Named(a), self.axes.size_of(a))).collect();
        let (_, axes) = self.outside(frame, |c| c.tensor_type(&decl.ty))?;
        shape.extend(axes);
        self.nets[p].shape = Some(shape.clone());
        Ok(shape)
    }

    /// The stored value of a parameter, before any relation.
    pub fn param_source(&mut self, p: ParamId) -> Res<Tens> {
        if self.scopes.stores() {
            let (inst, at) = (self.nets[p].inst, self.scopes.place());
            if self.nets[inst].form {
                let message = format!("`{}` is not stored: a form has a layout and no parameters", self.nets[p].path);
                return self.error(Code::H0402, at, message);
            }
            self.nets[p].kept = true;
        }
        if let Some(t) = &self.nets[p].source {
            return Ok(t.clone());
        }
        let shape = self.param_shape(p)?;
        let param = &self.nets[p];
        let origin = match param.decl.kind {
            ast::ParamKind::Param => Origin::Param,
            ast::ParamKind::State => Origin::State,
            ast::ParamKind::Load => Origin::Load,
        };
        let dtype = match &param.decl.ty.kind {
            ast::TypeKind::Tensor { scalar: Some(ast::Scalar::I32), .. } => DType::I32,
            ast::TypeKind::Tensor { scalar: Some(ast::Scalar::Bool), .. } => DType::Bool,
            _ => DType::F32,
        };
        let path: Name = param.path.as_str().into();
        let (name, span) = (param.decl.name.name.clone(), param.decl.name.span);
        let axes = shape.iter().enumerate().map(|(i, (l, s))| self.axes.axis(*l, &format!("d{i}"), s.clone())).collect();
        let labels = shape.iter().map(|(l, _)| *l).collect();
        let mut node = Node::new(Op::Source { origin, path }, dtype, axes);
        node.name = Some(name);
        let t = self.at_level(0, |c| c.emit(node, labels, vec![]));
        self.build.at_mut(&t).span = span;
        self.nets[p].source = Some(t.clone());
        Ok(t)
    }

    /// Declared scalar kind and axes.
    pub fn tensor_type(&mut self, ty: &'a ast::Type) -> Res<(DType, Vec<(Label, Size)>)> {
        let ast::TypeKind::Tensor { scalar, axes } = &ty.kind else {
            return self.no_type(ty);
        };
        let dtype = match scalar {
            None | Some(ast::Scalar::F32) => DType::F32,
            Some(ast::Scalar::I32 | ast::Scalar::Size) => DType::I32,
            Some(ast::Scalar::Bool) => DType::Bool,
        };
        let mut out = Vec::new();
        for axis in axes {
            match axis {
                ast::AxisExpr::Lifted(span) => {
                    return self.error(
                        Code::H0219,
                        *span,
                        "`*` stands for the lifted axes, and only a draw has them in its type",
                    );
                }
                ast::AxisExpr::Expr(e) => out.push(self.declared_axis(e)?),
            }
        }
        Ok((dtype, out))
    }

    /// Says that a type is none that a tensor has.
    pub fn no_type<T>(&mut self, ty: &ast::Type) -> Res<T> {
        let d = match &ty.kind {
            ast::TypeKind::Tree(path) if matches!(self.meaning(&path.root.name), crate::check::word::Meaning::Nothing) => {
                foreign_type(path)
            }
            _ => Diagnostic::error(Code::H0218, ty.span, "a tensor's type is wanted here").help("`f32`, `i32[b]`, `[b, 64]`"),
        };
        self.fail(d)
    }

    /// One entry of a declared type: an axis, or a size.
    pub fn declared_axis(&mut self, e: &'a ast::Expr) -> Res<(Label, Size)> {
        if let ast::ExprKind::Name(word) = &*e.kind
            && let Some(n) = self.axis_word(word)
        {
            return Ok((Label::Named(n), self.axes.size_of(n)));
        }
        if let ast::ExprKind::Name(word) = &*e.kind
            && self.scopes.frame().sees_dims
            && matches!(self.meaning(word), crate::check::word::Meaning::Nothing)
            && !self.report.is_full()
            && suggest(word, self.visible_words().iter().map(|n| &**n)).is_none()
            && !matches!(&**word, "true" | "false" | "training" | "self")
        {
            return self.fail(
                Diagnostic::error(Code::H0201, e.span, format!("nothing here is called `{word}`"))
                    .help(format!("an axis is declared in the file: `dim {word}`, or `dim {word} = 16` of known length")),
            );
        }
        Ok((Label::Sized, self.size_of_expr(e)?))
    }
}
