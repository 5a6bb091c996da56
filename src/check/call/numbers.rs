//! Functions of numbers, `fn gelu(x: f32) -> f32`: elementwise over all axes of what they are given, like an operator.
//!
//! A net is lifted over names and never over sizes. Here the sizes get names for the call, and are sizes again in its result.

use super::Renamed;
use crate::check::value::{FnVal, Label, NameId, Num, Tens, Value};
use crate::check::{Checker, Res};
use crate::source::Span;
use crate::syntax::ast::{self, Scalar, TypeKind};

/// A type without axes.
fn is_number(ty: &ast::Type) -> bool {
    match &ty.kind {
        TypeKind::Tensor { axes, .. } => axes.is_empty(),
        TypeKind::Record(fields) => fields.iter().all(|f| is_number(&f.ty)),
        TypeKind::Seed | TypeKind::Tree(_) => false,
    }
}

/// Whether an argument may bring sizes along: a number, but none that is a size itself.
fn takes_sizes(ty: &ast::Type) -> bool {
    matches!(&ty.kind, TypeKind::Tensor { scalar, axes } if axes.is_empty() && *scalar != Some(Scalar::Size))
}

/// Whether a signature is one of numbers only; a seed brings no axes along.
fn of_numbers(signature: &ast::Signature) -> bool {
    let scalar = |ty: &ast::Type| is_number(ty) || matches!(ty.kind, TypeKind::Seed);
    is_number(&signature.result) && signature.args.iter().all(|a| scalar(&a.ty))
}

impl<'a> Checker<'a> {
    /// Calls a function of numbers with values that have sizes; `None`: it is none, or no argument has sizes.
    pub(super) fn call_of_numbers(
        &mut self,
        f: FnVal<'a>,
        args: &[(Value<'a>, Span)],
        renamed: &mut [Renamed],
        span: Span,
    ) -> Res<Option<Value<'a>>> {
        let signature = &f.def.signature;
        if !of_numbers(signature) || args.len() != signature.args.len() {
            return Ok(None);
        }
        if let [(Value::Tree(tree), at), rest @ ..] = args
            && rest.iter().all(|(v, _)| matches!(v, Value::Num(_) | Value::Bool(_)))
            && takes_sizes(&signature.args[0].ty)
        {
            let out = self.tree_map(tree, &mut |c, leaf| {
                let args = [&[(Value::Tensor(leaf.clone()), *at)], rest].concat();
                let v = c.call_fn(f, args, &mut [], span)?;
                c.as_tens(v, span)
            })?;
            return Ok(Some(Value::Tree(out.into())));
        }
        let sized: Vec<(Tens, Span)> = signature
            .args
            .iter()
            .zip(args)
            .filter_map(|(arg, (v, at))| match v {
                Value::Tensor(t) if takes_sizes(&arg.ty) && !t.sized().is_empty() => Some((t.clone(), *at)),
                _ => None,
            })
            .collect();
        let Some((first, _)) = sized.first() else { return Ok(None) };
        let operands: Vec<(&Tens, Span)> = sized.iter().map(|(t, at)| (t, *at)).collect();
        self.align(&operands, &format!("`{}`", f.def.name.name), span)?;
        let names: Vec<NameId> = first
            .sized()
            .into_iter()
            .map(|d| {
                let axis = self.build.at(first).shape[d].clone();
                self.axes.new_name(&axis.name, axis.size, Some(span))
            })
            .collect();
        let named = args
            .iter()
            .map(|(v, at)| match v {
                Value::Tensor(t) => (Value::Tensor(sizes_to_names(t, &names)), *at),
                other => (other.clone(), *at),
            })
            .collect();
        let out = self.call_plain_fn(f, named, renamed, span)?;
        self.sized_again(out, &signature.result, &names, span).map(Some)
    }

    /// The sizes back in a result, which may not depend on the arguments.
    fn sized_again(&mut self, v: Value<'a>, ty: &ast::Type, names: &[NameId], span: Span) -> Res<Value<'a>> {
        if let (Value::Record(fields), TypeKind::Record(types)) = (&v, &ty.kind) {
            let mut out = vec![];
            for (name, v) in fields.iter() {
                let Some(field) = types.iter().find(|t| t.name.name == *name) else { continue };
                out.push((name.clone(), self.sized_again(v.clone(), &field.ty, names, span)?));
            }
            return Ok(Value::Record(out.into()));
        }
        let real = matches!(&ty.kind, TypeKind::Tensor { scalar: None | Some(Scalar::F32), .. });
        let t = match v {
            Value::Num(n) if real => self.num_f32(&n),
            Value::Num(Num::Real(v)) => self.constant(v.trunc(), crate::ir::DType::I32),
            v => self.as_tens(v, span)?,
        };
        Ok(Value::Tensor(self.names_to_sizes(t, names)))
    }
}

/// The sized dimensions under these names.
fn sizes_to_names(t: &Tens, names: &[NameId]) -> Tens {
    let mut next = names.iter();
    let labels = t
        .labels
        .iter()
        .map(|l| match l {
            Label::Sized => next.next().map_or(Label::Sized, |n| Label::Named(*n)),
            named => *named,
        })
        .collect();
    Tens { labels, ..t.clone() }
}
