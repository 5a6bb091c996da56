//! Nets and functions that no model uses, checked with unknown numbers.
//!
//! Only what is wrong for every choice of numbers is said; what depends on them is left to the place that chooses.

use super::instance::Made;
use super::scope::Frame;
use super::top::Shared;
use super::value::{FnVal, Label, NetVal, Tens, Value};
use super::word::FileItem;
use super::{Checker, MAX_IN_ALL, MAX_UNUSED, Options, Report, Res};
use crate::diag::Sink;
use crate::ir::{DType, Node, Op, Origin, Size};
use crate::program::Program;
use crate::source::Span;
use crate::syntax::ast::{self, ItemKind};
use std::collections::HashSet;

/// Checks what is not in `used`, as long as there is room beside the `entered` calls and nets of the models.
pub fn check<'a>(
    program: &'a Program,
    options: &'a Options,
    used: &HashSet<Span>,
    shared: &Shared<'a>,
    mut entered: usize,
    sink: &mut Sink,
) {
    for item in &program.files[0].ast.items {
        let name = match &item.kind {
            ItemKind::Net(net) => &net.name,
            ItemKind::Fn(f) => &f.name,
            _ => continue,
        };
        if used.contains(&name.span) {
            continue;
        }
        let own = {
            let most = MAX_UNUSED.min(MAX_IN_ALL - entered);
            let mut checker = Checker::with(program, options, Report::generic(), shared.clone(), most);
            // What went wrong was said.
            let _ = match &item.kind {
                ItemKind::Net(net) => checker.generic_net(net),
                ItemKind::Fn(f) => checker.generic_fn(f),
                _ => Ok(()),
            };
            entered = MAX_IN_ALL.min(entered + checker.scopes.entered());
            checker.report.into_sink()
        };
        own.list().iter().for_each(|d| sink.push(d.clone()));
    }
}

impl<'a> Checker<'a> {
    fn generic_net(&mut self, net: &'a ast::NetDef) -> Res<()> {
        let Some(FileItem::Net(file, _)) = self.files[0].items.get(&net.name.name).copied() else { return Ok(()) };
        let mut args = vec![];
        for f in &net.formals {
            match Value::of_unknown(f) {
                Some(v) => args.push((f.name.name.clone(), v)),
                // A default is as good as anything.
                None if f.default.is_some() => {}
                None => return Ok(()),
            }
        }
        let span = net.name.span;
        let made =
            Made { file, net, parent: None, path: String::new(), form: false, given: false, decl: None, arrays: vec![], span };
        let id = self.instantiate(made, args)?;
        self.make_all(id);
        self.register_all(id);
        self.in_frame(self.nets.inst_frame(id), |c| c.generic_call(id, net))
    }

    fn generic_call(&mut self, id: super::instance::InstId, net: &'a ast::NetDef) -> Res<()> {
        let Some(signature) = self.nets[id].signature else { return Ok(()) };
        let args = self.generic_args(signature)?;
        self.call_net(NetVal { inst: id, picks: vec![], with: vec![] }, args, &mut [], net.name.span)?;
        Ok(())
    }

    fn generic_fn(&mut self, f: &'a ast::FnDef) -> Res<()> {
        self.in_frame(Frame::new(0, None), |c| {
            let args = c.generic_args(&f.signature)?;
            c.call_fn(FnVal { file: 0, def: f }, args, &mut [], f.name.span).map(|_| ())
        })
    }

    /// Arguments of the declared types, with unknown sizes.
    fn generic_args(&mut self, signature: &'a ast::Signature) -> Res<Vec<(Value<'a>, Span)>> {
        self.in_scope(|c| c.generic_args_here(signature))
    }

    fn generic_args_here(&mut self, signature: &'a ast::Signature) -> Res<Vec<(Value<'a>, Span)>> {
        for arg in &signature.args {
            if matches!(&arg.ty.kind, ast::TypeKind::Tensor { scalar: Some(ast::Scalar::Size), .. }) {
                let v = Value::from(Size::sym(arg.name.name.clone()));
                self.define(&arg.name, super::scope::Binding::Value(v))?;
            }
        }
        let mut out = vec![];
        for arg in &signature.args {
            out.push((self.generic_value(&arg.name, &arg.ty)?, arg.name.span));
        }
        Ok(out)
    }

    fn generic_value(&mut self, name: &'a ast::Ident, ty: &'a ast::Type) -> Res<Value<'a>> {
        match &ty.kind {
            ast::TypeKind::Tensor { scalar: Some(ast::Scalar::Size), .. } => Ok(Value::from(Size::sym(name.name.clone()))),
            ast::TypeKind::Tensor { scalar, axes } => {
                let dtype = match scalar {
                    Some(ast::Scalar::I32 | ast::Scalar::Size) => DType::I32,
                    Some(ast::Scalar::Bool) => DType::Bool,
                    None | Some(ast::Scalar::F32) => DType::F32,
                };
                let mut shape = vec![];
                for a in axes {
                    let ast::AxisExpr::Expr(e) = a else { continue };
                    let free = match &*e.kind {
                        ast::ExprKind::Name(w) if matches!(self.meaning(w), super::word::Meaning::Nothing) => Some(w.clone()),
                        _ => None,
                    };
                    let size = match free {
                        // A second copy is as long as the first.
                        Some(w) => Size::sym(w.trim_end_matches('\'')),
                        None => self.size_of_expr(e)?,
                    };
                    shape.push(crate::ir::Axis { name: "d".into(), size });
                }
                let labels = vec![Label::Sized; shape.len()];
                let node = Node::new(Op::Source { origin: Origin::Input, path: name.name.clone() }, dtype, shape);
                let t: Tens = self.emit(node, labels, vec![]);
                Ok(Value::Tensor(t))
            }
            ast::TypeKind::Seed => Ok(Value::from(Size::from(0i64))),
            ast::TypeKind::Tree(path) => {
                if path.parts.is_empty() {
                    return self.no_type(ty);
                }
                let tree = self.shape_path(path)?;
                Ok(Value::Tree(tree.into()))
            }
            ast::TypeKind::Record(fields) => {
                let mut out = vec![];
                for f in fields {
                    out.push((f.name.name.clone(), self.generic_value(&f.name, &f.ty)?));
                }
                Ok(Value::Record(out.into()))
            }
        }
    }
}
