//! What a model gives: outputs, losses, and the list of what it stores.

use crate::check::instance::{InstId, MemberRef, Thunk};
use crate::check::model::{Dim, Instance, Param};
use crate::check::value::{Label, NetVal, Tens, Value};
use crate::check::word::FileItem;
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::{DType, Origin, Output, OutputKind, Size};
use crate::syntax::ast::{self, ItemKind};
use std::collections::HashMap;

/// Numbers that one parameter may have.
const MAX_NUMBERS: f64 = (1u64 << 55) as f64;

impl<'a> Checker<'a> {
    /// An output, its dimensions in declared order.
    pub(super) fn output(&mut self, name: &'a ast::Ident, ty: &'a ast::Type, v: Value<'a>) -> Res<()> {
        let (dtype, shape) = self.tensor_type(ty)?;
        let t = match v {
            Value::Num(n) if dtype == DType::F32 => self.num_f32(&n),
            v => self.as_tens(v, name.span)?,
        };
        let own = |n| shape.iter().any(|(l, _)| *l == Label::Named(n));
        if t.names().any(|n| !own(n) && self.is_lifted_axis(n)) {
            // What a step goes along, nobody who runs the model does.
            return Ok(());
        }
        let mut sized = t.sized().into_iter();
        let order: Option<Vec<usize>> = shape
            .iter()
            .map(|(l, _)| match l {
                Label::Named(n) => t.find(*n),
                Label::Sized => sized.next(),
            })
            .collect();
        let Some(order) = order.filter(|o| o.len() == t.labels.len()) else {
            let message = format!("the output is {}, which is not what its type says", self.show(&t));
            return self.error(Code::H0345, ty.span, message);
        };
        let t = self.permute(&t, &order);
        self.call(&t, &name.name);
        let output = Output { name: name.name.clone(), kind: OutputKind::Output, node: t.node };
        self.build.graph_mut(0).outputs.push(output);
        Ok(())
    }

    /// Asks for every parameter, so that relations which nobody reads are checked, too.
    pub(super) fn ask_all(&mut self, id: InstId) {
        let mut params = self.nets.params_by_net();
        for inst in self.nets.all_below(id) {
            if self.nets[inst].form {
                continue;
            }
            for p in params.remove(&inst).unwrap_or_default() {
                let span = self.nets[p].decl.name.span;
                // Constants of nets and sizes of types are checked by asking, as well.
                if self.param_shape(p).is_ok() {
                    let _ = self.effective(p, span);
                }
            }
            for n in 0..self.nets[inst].thunks.len() {
                if matches!(self.nets[inst].thunks[n], Thunk::Const(..)) {
                    let span = self.nets[inst].span;
                    let _ = self.member(NetVal { inst, picks: vec![], with: vec![] }, MemberRef::Thunk(n), span);
                }
            }
        }
    }

    /// Stored values, losses, updates, dims, instances.
    pub(super) fn collect(&mut self, id: InstId) {
        let insts = self.nets.all_below(id);
        let root = self.root.clone();
        for inst in insts {
            self.instance_info(inst);
            if self.nets[inst].form {
                continue;
            }
            for (_, member) in self.nets[inst].order.clone() {
                let list = match member {
                    MemberRef::Param(p) => vec![p],
                    MemberRef::LeafParams(n) => self.nets[inst].leaf_params[n].iter().map(|(_, p)| *p).collect(),
                    MemberRef::Sub(_) | MemberRef::Thunk(_) | MemberRef::Match(_) => vec![],
                };
                for p in list {
                    let _: Res<()> = self.stored(p, root.has_weights);
                }
            }
        }
        self.collect_losses();
        for (path, t) in std::mem::take(&mut self.out.updates) {
            let output = Output { name: path.into(), kind: OutputKind::Update, node: t.node };
            self.build.graph_mut(0).outputs.push(output);
        }
        let program = self.program;
        for n in &root.dims {
            let ItemKind::Dim { name, .. } = &program.files[0].ast.items[*n].kind else { continue };
            if let Some(FileItem::Dim(n)) = self.files[0].items.get(&name.name) {
                let size = self.axes.size_of(*n).constant();
                self.out.model.dims.push(Dim { name: name.name.clone(), size, span: name.span });
            }
        }
    }

    fn collect_losses(&mut self) {
        let losses = std::mem::take(&mut self.out.losses);
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut calls: Vec<(&str, Vec<&Tens>)> = vec![];
        for (path, t, _) in &losses {
            let at = *places.entry(path).or_insert_with(|| {
                calls.push((path, vec![]));
                calls.len() - 1
            });
            calls[at].1.push(t);
        }
        for (path, parts) in calls {
            let mut total = parts[0].clone();
            for u in parts[1..].iter().filter(|u| u.node != parts[0].node) {
                if let Ok(sum) = self.pointwise(crate::ir::Map::Add, &[&total, u]) {
                    total = sum;
                }
            }
            self.out.totals.insert(path.to_string(), total.clone());
            let names: Vec<_> = total.names().collect();
            if names.iter().any(|n| self.is_lifted_axis(*n)) {
                continue;
            }
            let total = if names.is_empty() { total } else { self.sum_over(&total, &names) };
            self.call(&total, &path.into());
            let output = Output { name: path.into(), kind: OutputKind::Loss, node: total.node };
            self.build.graph_mut(0).outputs.push(output);
        }
    }

    fn instance_info(&mut self, inst: InstId) {
        let i = &self.nets[inst];
        let Some(net) = i.net else { return };
        let own = i.parent.is_some_and(|p| self.nets[p].arrays.len() < i.arrays.len());
        let count = if own { i.arrays.last().map(|a| self.axes.size_of(*a)) } else { None };
        let info = Instance { path: i.path.clone(), net: net.name.name.to_string(), form: i.form, count, span: i.span };
        self.out.model.instances.push(info);
    }

    /// A parameter for the list of what is stored.
    fn stored(&mut self, p: crate::check::instance::ParamId, has_weights: bool) -> Res<()> {
        let (all, provided) = if self.nets[p].kept { (false, vec![]) } else { self.provided(p) };
        if all {
            return Ok(());
        }
        let shape = self.param_shape(p)?;
        let init = self.param_init(p)?;
        let param = &self.nets[p];
        let origin = match param.decl.kind {
            ast::ParamKind::Param => Origin::Param,
            ast::ParamKind::State => Origin::State,
            ast::ParamKind::Load => Origin::Load,
        };
        let (name, path, frozen) = (param.decl.name.clone(), param.path.clone(), param.frozen.clone());
        if init.is_none() && origin == Origin::Param && !has_weights {
            return self.fail(
                Diagnostic::error(Code::H0404, name.span, format!("`{path}` comes from nowhere"))
                    .here("no initial value, and no relation writes it")
                    .help(
                        "give it one, `= normal(std: 0.02)`; or write it, `generate`, `tie`; or load it, `load`, `weights from`",
                    ),
            );
        }
        let dtype = match &self.nets[p].decl.ty.kind {
            ast::TypeKind::Tensor { scalar: Some(ast::Scalar::I32), .. } => DType::I32,
            ast::TypeKind::Tensor { scalar: Some(ast::Scalar::Bool), .. } => DType::Bool,
            _ => DType::F32,
        };
        let shape: Vec<Size> = shape.iter().map(|(_, s)| self.axes.resolve(s)).collect();
        let total = shape.iter().fold(Size::from(1i64), |n, s| n.mul(s));
        if total.is_lost() || total.number().is_some_and(|n| n > MAX_NUMBERS) {
            let total = if total.is_lost() { "more than 10^37".to_string() } else { total.to_string() };
            return self.fail(
                Diagnostic::limit(Code::H0823, name.span, format!("`{path}` has {total} numbers"))
                    .here("more than any machine stores"),
            );
        }
        self.out.model.params.push(Param { path, origin, dtype, shape, init, frozen, provided, span: name.span });
        Ok(())
    }
}
