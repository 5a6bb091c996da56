//! Models, and the blocks that speak of them.

use super::instance::{InstId, MemberRef, Thunk};
use super::model::{Allowed, Dim, Eval, EvalData, Input, InputKind, Instance, Model, Param};
use super::scope::{FileItem, FileScope, Frame, Meaning};
use super::value::{FnVal, Label, NetVal, Num, Tens, Value};
use super::{AxisName, Checker, Level, Options, Res, Said};
use crate::diag::{Diagnostic, Sink, suggest};
use crate::ir::{DType, Graph, Node, Op, Origin, Output, OutputKind, Size};
use crate::program::Program;
use crate::source::Span;
use crate::syntax::ast::{self, ClauseKind, ItemKind, StmtKind};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Checks the root file: every model, every block, and the nets that no model uses.
pub fn check(program: &Program, options: &Options, sink: &mut Sink) -> Vec<Model> {
    let mut models = vec![];
    let mut used = HashSet::new();
    let root = &program.files[0].ast;
    let mut any = false;
    for item in &root.items {
        let ItemKind::Model(def) = &item.kind else { continue };
        any = true;
        let mut checker = Checker::new(program, options, sink);
        let model = checker.model(def, item.doc.clone());
        used.extend(checker.used.iter().copied());
        models.extend(model);
    }
    let mut checker = Checker::new(program, options, sink);
    checker.blocks_of_unknown_models();
    if !any {
        checker.sees_constants();
    }
    checker.unknown_settings();
    super::generic::check(program, options, &used, sink);
    models
}

impl<'a> Checker<'a> {
    pub fn new(program: &'a Program, options: &'a Options, sink: &'a mut Sink) -> Checker<'a> {
        let mut c = Checker {
            program,
            options,
            sink,
            files: vec![],
            names: vec![],
            insts: vec![],
            params: vec![],
            relations: vec![],
            levels: vec![Level::default()],
            level: 0,
            frames: vec![],
            overrides: vec![],
            hidden: 0,
            solved: BTreeMap::new(),
            guards: vec![],
            checks: vec![],
            draws: HashMap::new(),
            file_draws: HashMap::new(),
            asking: vec![],
            each_copies: vec![],
            losses: vec![],
            updates: vec![],
            out: Model {
                name: String::new(),
                doc: None,
                graph: Graph::default(),
                dims: vec![],
                params: vec![],
                inputs: vec![],
                instances: vec![],
                relations: vec![],
                routes: vec![],
                evals: vec![],
            },
            generic: false,
            shapes_only: false,
            depth: 0,
            entered: 0,
            model_seed: Size::from(0i64),
            used: HashSet::new(),
        };
        c.file_scopes();
        c
    }

    /// What each file defines, then what it imports.
    fn file_scopes(&mut self) {
        let program = self.program;
        for (n, file) in program.files.iter().enumerate() {
            let mut scope = FileScope::default();
            for item in &file.ast.items {
                self.define_item(n, item, &mut scope);
            }
            self.files.push(scope);
        }
        for (n, file) in program.files.iter().enumerate() {
            let imports = file.ast.items.iter().filter_map(|i| match &i.kind {
                ItemKind::Import(import) => Some(import),
                _ => None,
            });
            for (import, from) in imports.zip(&file.imports) {
                let Some(from) = *from else {
                    // The file is missing, which was said; its names are not missing, too.
                    continue;
                };
                for name in &import.names {
                    match self.files[from].items.get(&name.name).copied() {
                        Some(item) => {
                            if self.files[n].items.insert(name.name.clone(), item).is_some() {
                                self.sink.push(Diagnostic::error(
                                    "H0203",
                                    name.span,
                                    format!("`{}` is defined twice in this file", name.name),
                                ));
                            }
                        }
                        None => {
                            self.no_import(from, name);
                            self.files[n].missing.insert(name.name.clone());
                        }
                    }
                }
            }
        }
        self.dim_sizes();
    }

    fn no_import(&mut self, from: usize, name: &ast::Ident) {
        let mut known: Vec<ast::Name> = self.files[from].items.keys().cloned().collect();
        known.sort();
        let mut d = Diagnostic::error("H0207", name.span, format!("this file has no `{}`", name.name));
        d = match suggest(&name.name, known.iter().map(|k| &**k)) {
            Some(near) => d.fix(format!("`{near}` is near"), name.span, near),
            None => d.help(format!("it has {}", known.join(", "))),
        };
        self.sink.push(d);
    }

    fn define_item(&mut self, n: usize, item: &'a ast::Item, scope: &mut FileScope<'a>) {
        let mut put = |c: &mut Self, name: &'a ast::Ident, what: FileItem<'a>| {
            if scope.items.insert(name.name.clone(), what).is_some() {
                c.sink.push(
                    Diagnostic::error("H0203", name.span, format!("`{}` is defined twice in this file", name.name))
                        .here("a second meaning"),
                );
            }
        };
        match &item.kind {
            ItemKind::Dim { name, .. } => {
                let size = Size::sym(name.name.clone());
                self.names.push(AxisName { text: name.name.clone(), size, ranged: Some(name.span) });
                let id = super::value::NameId(self.names.len() as u32 - 1);
                put(self, name, FileItem::Dim(id));
            }
            ItemKind::Const(defs) => defs.iter().for_each(|d| put(self, &d.name, FileItem::Const(&d.value, n))),
            ItemKind::ConstDraw(draw) => put(self, &draw.name, FileItem::ConstDraw(draw, n)),
            ItemKind::Fn(def) => put(self, &def.name, FileItem::Fn(FnVal { file: n, def })),
            ItemKind::Net(def) => put(self, &def.name, FileItem::Net(n, def)),
            ItemKind::Model(def) => put(self, &def.name, FileItem::Model),
            ItemKind::Form(decl) => put(self, &decl.name, FileItem::Form(n, decl)),
            ItemKind::Import(_) | ItemKind::Weights(_) | ItemKind::Train(_) | ItemKind::Eval(_) => {}
        }
    }

    /// `dim t = 16`
    fn dim_sizes(&mut self) {
        let program = self.program;
        for (n, file) in program.files.iter().enumerate() {
            for item in &file.ast.items {
                let ItemKind::Dim { name, size } = &item.kind else { continue };
                let Some(FileItem::Dim(id)) = self.files[n].items.get(&name.name).copied() else { continue };
                if let Some(size) = size
                    && let Ok(s) = self.outside(Frame::new(n, None), |c| c.size_of_expr(size))
                {
                    self.names[id.0 as usize].size = s;
                }
            }
        }
    }

    fn sees_constants(&mut self) {
        let program = self.program;
        for item in &program.files[0].ast.items {
            if let ItemKind::Const(defs) = &item.kind {
                for d in defs {
                    let _ = self.outside(Frame::new(0, None), |c| c.expr(&d.value));
                }
            }
        }
    }

    /// `--set` of something that is no constant.
    fn unknown_settings(&mut self) {
        let mut known: Vec<ast::Name> = vec![];
        for item in &self.program.files[0].ast.items {
            match &item.kind {
                ItemKind::Const(defs) => known.extend(defs.iter().map(|d| d.name.name.clone())),
                ItemKind::Model(m) => {
                    for s in &m.body.stmts {
                        if let StmtKind::Const(defs) = &s.kind {
                            known.extend(defs.iter().map(|d| d.name.name.clone()));
                        }
                    }
                }
                _ => {}
            }
        }
        for (name, _) in &self.options.set {
            if known.iter().any(|k| **k == **name) {
                continue;
            }
            let mut d = Diagnostic::plain("H0208", format!("`--set {name}=..`: this file has no constant `{name}`"));
            d = match suggest(name, known.iter().map(|k| &**k)) {
                Some(near) => d.help(format!("`{near}` is near")),
                None if known.is_empty() => d.help("it has no constants"),
                None => d.help(format!("it has {}", known.join(", "))),
            };
            self.sink.push(d);
        }
    }

    /// Checks one model.
    fn model(&mut self, def: &'a ast::ModelDef, doc: Option<String>) -> Option<Model> {
        self.out.name = def.name.name.to_string();
        self.out.doc = doc;
        let id = self.new_inst(0, None, String::new(), def.name.span);
        self.insts[id.0].sees_dims = true;
        let before = self.sink.list().iter().filter(|d| d.is_fatal()).count();
        self.declare_model(id, def);
        self.make_all(id);
        if self.sink.list().iter().any(|d| d.code == "H0811") {
            return None;
        }
        self.register_all(id);
        let frame = self.inst_frame(id);
        self.frames.push(frame);
        self.run_model(id, def);
        self.ask_all(id);
        self.prove(0);
        self.collect(id);
        self.model_blocks(def);
        self.frames.pop();
        self.finish();
        let after = self.sink.list().iter().filter(|d| d.is_fatal()).count();
        (before == after).then(|| self.out.clone())
    }

    fn declare_model(&mut self, id: InstId, def: &'a ast::ModelDef) {
        for stmt in &def.body.stmts {
            if self.declare(id, stmt) {
                continue;
            }
            match &stmt.kind {
                StmtKind::Let { name, .. }
                | StmtKind::Draw { name, .. }
                | StmtKind::Loss { name, .. }
                | StmtKind::Output { name, .. } => self.add_thunk(id, name, Thunk::Let(stmt)),
                StmtKind::Var { name, .. } => self.add_thunk(id, name, Thunk::Waiting),
                _ => {}
            }
        }
        for stmt in &def.body.stmts {
            let frame = Frame { span: stmt.span, ..self.inst_frame(id) };
            let done = match &stmt.kind {
                StmtKind::Seed(e) => self.outside(frame, |c| c.size_of_expr(e)).map(|s| self.model_seed = s),
                StmtKind::Input { name, ty } => {
                    let v = self.outside(frame, |c| c.input(name, ty, stmt.span));
                    self.add_thunk(id, name, Thunk::Done(v.unwrap_or(Value::Poison)));
                    Ok(())
                }
                StmtKind::Condition { name, ty, within, default } => {
                    let v = self.outside(frame, |c| c.condition(name, ty, within.as_ref(), default.as_ref()));
                    self.add_thunk(id, name, Thunk::Done(v.unwrap_or(Value::Poison)));
                    Ok(())
                }
                _ => Ok(()),
            };
            // What went wrong was said.
            let _: Res<()> = done;
        }
    }

    fn source(&mut self, name: &ast::Ident, origin: Origin, dtype: DType, shape: &[(Label, Size)]) -> Tens {
        let axes = shape.iter().enumerate().map(|(i, (l, s))| self.axis(*l, &format!("d{i}"), s.clone())).collect();
        let mut node = Node::new(Op::Source { origin, path: name.name.clone() }, dtype, axes);
        node.name = Some(name.name.clone());
        self.emit(node, shape.iter().map(|(l, _)| *l).collect(), vec![])
    }

    fn named_shape(&self, shape: &[(Label, Size)]) -> Vec<(Option<ast::Name>, Size)> {
        shape
            .iter()
            .map(|(l, s)| match l {
                Label::Named(n) => (Some(self.name_text(*n).into()), s.clone()),
                Label::Sized => (None, s.clone()),
            })
            .collect()
    }

    fn input(&mut self, name: &'a ast::Ident, ty: &'a ast::Type, span: Span) -> Res<Value<'a>> {
        if matches!(&ty.kind, ast::TypeKind::Tensor { scalar: Some(ast::Scalar::Size), .. } | ast::TypeKind::Seed) {
            return self.fail(
                Diagnostic::error("H0223", ty.span, "a size or a seed is decided by a condition, not by an input").fix(
                    "make it a condition",
                    Span { end: span.start + 5, ..span },
                    "condition",
                ),
            );
        }
        let (dtype, shape) = self.tensor_type(ty)?;
        let shape_names = self.named_shape(&shape);
        self.out.inputs.push(Input {
            name: name.name.to_string(),
            condition: false,
            kind: InputKind::Tensor,
            dtype,
            shape: shape_names,
            default: None,
            below: None,
            span: name.span,
        });
        Ok(Value::Tensor(self.source(name, Origin::Input, dtype, &shape)))
    }

    fn condition(
        &mut self,
        name: &'a ast::Ident,
        ty: &'a ast::Type,
        within: Option<&'a ast::Within>,
        default: Option<&'a ast::Expr>,
    ) -> Res<Value<'a>> {
        let (dtype, shape, kind) = match &ty.kind {
            ast::TypeKind::Seed => (DType::I32, vec![], InputKind::Seed),
            ast::TypeKind::Tensor { scalar: Some(ast::Scalar::Size), .. } => {
                let (_, shape) = self.tensor_type(ty)?;
                (DType::I32, shape, InputKind::Size(self.allowed(within)?))
            }
            _ => {
                let (dtype, shape) = self.tensor_type(ty)?;
                if within.is_some() {
                    return self.error("H0224", name.span, "`in` lists the values of a size: declare it `size`");
                }
                (dtype, shape, InputKind::Tensor)
            }
        };
        let value = default;
        let lifted = self.options.lift.iter().find(|(n, _)| **n == *name.name).and_then(|(_, dim)| self.axis_word(dim));
        let mut shape = shape;
        if let Some(n) = lifted {
            shape.insert(0, (Label::Named(n), self.size_of(n)));
        }
        let default = match default {
            None => None,
            Some(e) => Some(self.initialiser(e, &shape)?),
        };
        if let (InputKind::Size(allowed), Some(e)) = (&kind, value)
            && let Ok(n) = self.size_of_expr(e)
            && let Some(n) = n.constant()
        {
            let (fine, shown) = match allowed {
                Allowed::Any => (true, String::new()),
                Allowed::Range(a, b) => ((*a..*b).contains(&n), format!("{a}..{b}, the end left out")),
                Allowed::List(list) => (list.contains(&n), list.iter().map(i64::to_string).collect::<Vec<_>>().join(", ")),
            };
            if !fine {
                return self.fail(
                    Diagnostic::error("H0225", e.span, format!("{n} is none of the values that `{}` may have", name.name))
                        .help(format!("it may be {shown}")),
                );
            }
        }
        let shape_names = self.named_shape(&shape);
        self.out.inputs.push(Input {
            name: name.name.to_string(),
            condition: lifted.is_none(),
            kind,
            dtype,
            shape: shape_names,
            default,
            below: None,
            span: name.span,
        });
        Ok(Value::Tensor(self.source(name, if lifted.is_some() { Origin::Input } else { Origin::Condition }, dtype, &shape)))
    }

    fn allowed(&mut self, within: Option<&'a ast::Within>) -> Res<Allowed> {
        let known = |c: &mut Self, e: &'a ast::Expr| match c.size_of_expr(e)?.constant() {
            Some(n) => Ok(n),
            None => c.unknown(e.span, "this"),
        };
        Ok(match within {
            None => Allowed::Any,
            Some(ast::Within::Range(a, b)) => Allowed::Range(known(self, a)?, known(self, b)?),
            Some(ast::Within::List(items, _)) => {
                let mut out = vec![];
                for e in items {
                    out.push(known(self, e)?);
                }
                Allowed::List(out)
            }
        })
    }

    /// Statements in order.
    fn run_model(&mut self, id: InstId, def: &'a ast::ModelDef) {
        for stmt in &def.body.stmts {
            self.frame().span = stmt.span;
            // A statement that fails was said; the others are checked all the same.
            let _ = self.model_statement(id, stmt);
        }
    }

    fn model_statement(&mut self, id: InstId, stmt: &'a ast::Stmt) -> Res<()> {
        match &stmt.kind {
            StmtKind::Let { name, .. } | StmtKind::Draw { name, .. } | StmtKind::Loss { name, .. } => {
                self.model_member(id, name)?;
            }
            StmtKind::Output { name, ty, .. } => {
                let v = self.model_member(id, name)?;
                self.output(name, ty, v)?;
            }
            StmtKind::Var { name, ty, value } => {
                let v = match ty {
                    None => self.expr(value),
                    Some(ty) => match self.filled(ty, value) {
                        Ok(Some(v)) => Ok(v),
                        Ok(None) => self.expr(value).and_then(|v| self.declared_value(ty, v, value.span)),
                        Err(e) => Err(e),
                    },
                };
                if let Some(MemberRef::Thunk(n)) = self.insts[id.0].members.get(&name.name).copied() {
                    self.insts[id.0].thunks[n] = Thunk::Var(v.clone().unwrap_or(Value::Poison));
                }
                v?;
            }
            StmtKind::Expr(_) | StmtKind::Assign { .. } | StmtKind::Update { .. } | StmtKind::Yield(_) => {
                let one = std::slice::from_ref(stmt);
                let v = self.statements(one)?;
                if !matches!(v, Value::Unit) {
                    self.sink.push(
                        Diagnostic::error("H0220", stmt.span, "the value of this expression is not used")
                            .help("`output name: type = ..` gives it to the caller; `let` names it"),
                    );
                }
            }
            StmtKind::Const(defs) => {
                for d in defs {
                    self.model_member(id, &d.name)?;
                }
            }
            StmtKind::ConstDraw(d) => {
                self.model_member(id, &d.name)?;
            }
            StmtKind::Param(_)
            | StmtKind::Sub(_)
            | StmtKind::Relation(_)
            | StmtKind::Each(_)
            | StmtKind::Signature(_)
            | StmtKind::Input { .. }
            | StmtKind::Condition { .. }
            | StmtKind::Seed(_) => {}
        }
        Ok(())
    }

    fn model_member(&mut self, id: InstId, name: &ast::Ident) -> Res<Value<'a>> {
        match self.insts[id.0].members.get(&name.name).copied() {
            Some(m) => self.member_value(id, m, name.span),
            None => Err(Said),
        }
    }

    /// An output, its dimensions in declared order.
    fn output(&mut self, name: &'a ast::Ident, ty: &'a ast::Type, v: Value<'a>) -> Res<()> {
        let (dtype, shape) = self.tensor_type(ty)?;
        let t = match v {
            Value::Num(n) if dtype == DType::F32 => self.num_f32(&n),
            v => self.as_tens(v, name.span)?,
        };
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
            return self.error("H0345", ty.span, message);
        };
        let t = self.permute(&t, &order);
        self.call(&t, &name.name);
        let output = Output { name: name.name.clone(), kind: OutputKind::Output, node: t.node };
        self.levels[0].graph.outputs.push(output);
        Ok(())
    }

    /// Asks for every parameter, so that relations which nobody reads are checked, too.
    fn ask_all(&mut self, id: InstId) {
        let mut all = self.below(id);
        for copy in self.each_copies.clone() {
            all.extend(self.below(copy));
        }
        let mut params: HashMap<InstId, Vec<usize>> = HashMap::new();
        for (n, p) in self.params.iter().enumerate() {
            params.entry(p.inst).or_default().push(n);
        }
        for inst in all {
            if self.insts[inst.0].form {
                continue;
            }
            for p in params.remove(&inst).unwrap_or_default() {
                let span = self.params[p].decl.name.span;
                let p = super::instance::ParamId(p);
                // Constants of nets and sizes of types are checked by asking, as well.
                if self.param_shape(p).is_ok() {
                    let _ = self.effective(p, span);
                }
            }
            for n in 0..self.insts[inst.0].thunks.len() {
                if matches!(self.insts[inst.0].thunks[n], Thunk::Const(..)) {
                    let span = self.insts[inst.0].span;
                    let _ = self.member(NetVal { inst, picks: vec![], with: vec![] }, MemberRef::Thunk(n), span);
                }
            }
        }
    }

    /// Stored values, losses, updates, dims, instances.
    fn collect(&mut self, id: InstId) {
        let mut insts = self.below(id);
        let copies = self.each_copies.clone();
        for copy in copies {
            insts.extend(self.below(copy));
        }
        let has_weights = self.program.files[0].ast.items.iter().any(|i| matches!(i.kind, ItemKind::Weights(_)));
        for inst in &insts {
            self.instance_info(*inst);
            if self.insts[inst.0].form {
                continue;
            }
            for (_, member) in self.insts[inst.0].order.clone() {
                let list = match member {
                    MemberRef::Param(p) => vec![p],
                    MemberRef::LeafParams(n) => self.insts[inst.0].leaf_params[n].iter().map(|(_, p)| *p).collect(),
                    MemberRef::Sub(_) | MemberRef::Thunk(_) | MemberRef::Match(_) => vec![],
                };
                for p in list {
                    let _: Res<()> = self.stored(p, has_weights);
                }
            }
        }
        self.collect_losses();
        for (path, t) in std::mem::take(&mut self.updates) {
            let output = Output { name: path.into(), kind: OutputKind::Update, node: t.node };
            self.levels[0].graph.outputs.push(output);
        }
        let program = self.program;
        for item in &program.files[0].ast.items {
            let ItemKind::Dim { name, .. } = &item.kind else { continue };
            if let Some(FileItem::Dim(n)) = self.files[0].items.get(&name.name) {
                let size = self.size_of(*n).constant();
                self.out.dims.push(Dim { name: name.name.clone(), size, span: name.span });
            }
        }
    }

    fn collect_losses(&mut self) {
        let losses = std::mem::take(&mut self.losses);
        let mut done: Vec<String> = vec![];
        for (path, t, _) in &losses {
            if done.contains(path) {
                continue;
            }
            done.push(path.clone());
            let mut total = t.clone();
            for (_, u, _) in losses.iter().filter(|(p, u, _)| p == path && u.node != t.node) {
                if let Ok(sum) = self.pointwise(crate::ir::Map::Add, &[&total, u]) {
                    total = sum;
                }
            }
            let names: Vec<_> = total.names().collect();
            let total = if names.is_empty() { total } else { self.sum_over(&total, &names) };
            self.call(&total, &path.as_str().into());
            let output = Output { name: path.as_str().into(), kind: OutputKind::Loss, node: total.node };
            self.levels[0].graph.outputs.push(output);
        }
    }

    fn instance_info(&mut self, inst: InstId) {
        let i = &self.insts[inst.0];
        let Some(net) = i.net else { return };
        let own = i.parent.is_some_and(|p| self.insts[p.0].arrays.len() < i.arrays.len());
        let count = if own { i.arrays.last().map(|a| self.size_of(*a)) } else { None };
        let info = Instance { path: i.path.clone(), net: net.name.name.to_string(), form: i.form, count, span: i.span };
        self.out.instances.push(info);
    }

    /// A parameter for the list of what is stored.
    fn stored(&mut self, p: super::instance::ParamId, has_weights: bool) -> Res<()> {
        let (all, provided) = self.provided(p);
        if all {
            return Ok(());
        }
        let shape = self.param_shape(p)?;
        let init = self.param_init(p)?;
        let param = &self.params[p.0];
        let origin = match param.decl.kind {
            ast::ParamKind::Param => Origin::Param,
            ast::ParamKind::State => Origin::State,
            ast::ParamKind::Load => Origin::Load,
        };
        let (name, path, frozen) = (param.decl.name.clone(), param.path.clone(), param.frozen);
        if init.is_none() && origin == Origin::Param && !has_weights {
            return self.fail(
                Diagnostic::error("H0404", name.span, format!("`{path}` comes from nowhere"))
                    .here("no initial value, and no relation writes it")
                    .help(
                        "give it one, `= normal(std: 0.02)`; or write it, `generate`, `tie`; or load it, `load`, `weights from`",
                    ),
            );
        }
        let dtype = match &self.params[p.0].decl.ty.kind {
            ast::TypeKind::Tensor { scalar: Some(ast::Scalar::I32), .. } => DType::I32,
            ast::TypeKind::Tensor { scalar: Some(ast::Scalar::Bool), .. } => DType::Bool,
            _ => DType::F32,
        };
        let shape = shape.iter().map(|(_, s)| self.resolve(s)).collect();
        self.out.params.push(Param { path, origin, dtype, shape, init, frozen, provided, span: name.span });
        Ok(())
    }

    /// `eval` and `train` blocks of this model, and `weights`.
    fn model_blocks(&mut self, def: &'a ast::ModelDef) {
        if !self.options.lift.is_empty() {
            return;
        }
        let program = self.program;
        for item in &program.files[0].ast.items {
            match &item.kind {
                ItemKind::Eval(e) if e.model.name == def.name.name => {
                    if let Ok(eval) = self.eval_block(e).and_then(|eval| self.lift_conditions(def, eval)) {
                        self.out.evals.push(eval);
                    }
                }
                ItemKind::Train(t) if t.model.name == def.name.name => {
                    if let Some((word, _, _)) = &t.each {
                        let _ = self.known_input(word);
                    }
                    self.clauses(&t.clauses);
                }
                _ => {}
            }
        }
    }

    /// A condition that the data bind and nothing groups by varies over the batch: the model is checked once more with it lifted.
    fn lift_conditions(&mut self, def: &'a ast::ModelDef, mut eval: Eval) -> Res<Eval> {
        let Some((dim, _, _)) = eval.batch.first() else { return Ok(eval) };
        let grouped = |name: &str| eval.batch.iter().any(|(_, _, by)| by.as_deref() == Some(name));
        let bound = eval.data.iter().flat_map(|d| &d.columns).map(|(name, _)| name);
        let lift: Vec<(String, String)> = bound
            .filter(|n| {
                !grouped(n) && self.out.inputs.iter().any(|i| i.condition && i.name == **n && i.kind == InputKind::Tensor)
            })
            .map(|n| (n.clone(), dim.to_string()))
            .collect();
        // What is fed is computed in the model as it is, which has no such axis.
        if lift.is_empty() || !eval.feeds.is_empty() {
            return Ok(eval);
        }
        let options = Options { lift, ..self.options.clone() };
        let mut sink = Sink::default();
        let mut checker = Checker::new(self.program, &options, &mut sink);
        checker.model(def, None);
        let lifted = checker.out;
        let one = |n: &String| lifted.graph.output(n).is_some_and(|o| lifted.graph.node(o.node).rank() == 0);
        if eval.report.iter().all(one) {
            eval.lifted = Some(Box::new(lifted));
            return Ok(eval);
        }
        // Other outputs may not make sense when lifted; what is reported must.
        sink.list().iter().filter(|d| d.is_fatal()).for_each(|d| self.sink.push(d.clone()));
        Err(Said)
    }

    /// Blocks about a model that is not there.
    fn blocks_of_unknown_models(&mut self) {
        let program = self.program;
        let models: Vec<&str> = program.files[0]
            .ast
            .items
            .iter()
            .filter_map(|i| match &i.kind {
                ItemKind::Model(m) => Some(&*m.name.name),
                _ => None,
            })
            .collect();
        for item in &program.files[0].ast.items {
            let name = match &item.kind {
                ItemKind::Eval(e) => &e.model,
                ItemKind::Train(t) => &t.model,
                ItemKind::Weights(ast::Weights::Model { model, .. }) => model,
                _ => continue,
            };
            if !models.contains(&&*name.name) {
                let mut d = Diagnostic::error("H0701", name.span, format!("no model is called `{}`", name.name));
                if let Some(near) = suggest(&name.name, models.iter().copied()) {
                    d = d.fix(format!("`{near}` is near"), name.span, near);
                }
                self.sink.push(d);
            }
        }
    }

    fn known_input(&mut self, name: &ast::Ident) -> Res<()> {
        if self.out.inputs.iter().any(|i| *i.name == *name.name) {
            return Ok(());
        }
        let known: Vec<String> = self.out.inputs.iter().map(|i| i.name.clone()).collect();
        let mut d = Diagnostic::error("H0702", name.span, format!("the model has no input or condition `{}`", name.name));
        d = match suggest(&name.name, known.iter().map(String::as_str)) {
            Some(near) => d.fix(format!("`{near}` is near"), name.span, near),
            None => d.help(format!("it has {}", known.join(", "))),
        };
        self.fail(d)
    }

    /// Name-checks the clauses of a `train` block; it does not run yet.
    fn clauses(&mut self, clauses: &'a [ast::Clause]) {
        let fed: Vec<ast::Name> = clauses
            .iter()
            .filter_map(|c| match &c.kind {
                ClauseKind::Batch(items) => Some(items.iter().map(|i| i.dim.name.clone()).collect::<Vec<_>>()),
                _ => None,
            })
            .flatten()
            .collect();
        for clause in clauses {
            match &clause.kind {
                ClauseKind::Data { columns, .. } => columns.iter().for_each(|c| {
                    let _ = self.known_input(&c.name);
                }),
                ClauseKind::Batch(items) => {
                    for i in items {
                        let _ = self.known_dim(&i.dim);
                        if let Some(by) = &i.by {
                            let _ = self.known_input(by);
                        }
                    }
                }
                ClauseKind::Feed { name, .. } => {
                    let _ = self.known_input(name);
                }
                ClauseKind::Minimize(e) => self.known_words(e, &fed),
                ClauseKind::Over { paths, except, .. } => {
                    for path in paths.iter().chain(except) {
                        self.known_root(&path.root);
                    }
                }
                ClauseKind::Set(items) | ClauseKind::Every { sets: items, .. } => {
                    for s in items {
                        self.known_root(&s.place.root);
                    }
                }
                ClauseKind::Alternate(parts) => parts.iter().for_each(|(_, c)| self.clauses(c)),
                ClauseKind::With(_) | ClauseKind::Steps(_) | ClauseKind::Seed(_) | ClauseKind::Report(_) => {}
            }
        }
    }

    fn known_dim(&mut self, name: &ast::Ident) -> Res<()> {
        if matches!(self.files[0].items.get(&name.name), Some(FileItem::Dim(_))) {
            return Ok(());
        }
        let mut known: Vec<ast::Name> =
            self.files[0].items.iter().filter(|(_, i)| matches!(i, FileItem::Dim(_))).map(|(n, _)| n.clone()).collect();
        known.sort();
        let mut d = Diagnostic::error("H0703", name.span, format!("no dim is called `{}`", name.name));
        d = match suggest(&name.name, known.iter().map(|k| &**k)) {
            Some(near) => d.fix(format!("`{near}` is near"), name.span, near),
            None => d.help(format!("there are {}", known.join(", "))),
        };
        self.fail(d)
    }

    fn known_root(&mut self, name: &ast::Ident) {
        let condition = self.out.inputs.iter().any(|i| *i.name == *name.name);
        if !condition && matches!(self.meaning(&name.name), Meaning::Nothing) {
            let _ = self.word(&name.name, name.span);
        }
    }

    /// Words of an expression in a training block: losses, parameters, dims, `step`.
    fn known_words(&mut self, e: &'a ast::Expr, more: &[ast::Name]) {
        let mut unknown = vec![];
        super::relation::walk_names(e, &mut |w| {
            let schedule = matches!(&**w, "step" | "steps" | "cosine" | "linear" | "warmup" | "max_load");
            let local = e_binds(e, w) || more.contains(w);
            if !schedule && !local && !super::builtin::WORDS.contains(&&**w) && matches!(self.meaning(w), Meaning::Nothing) {
                unknown.push(w.clone());
            }
        });
        for w in unknown {
            if !matches!(&*w, "true" | "false" | "training") {
                let _ = self.word(&w, e.span);
            }
        }
    }

    fn eval_block(&mut self, e: &'a ast::EvalDef) -> Res<Eval> {
        let mut out = Eval {
            phase: e.phase.as_ref().map(|p| p.name.to_string()),
            data: vec![],
            batch: vec![],
            feeds: vec![],
            report: vec![],
            lifted: None,
            span: e.model.span,
        };
        let mut failed = false;
        for clause in &e.clauses {
            failed |= self.eval_clause(clause, &mut out).is_err();
        }
        if out.report.is_empty() && !failed {
            return self.fail(
                Diagnostic::error("H0704", e.model.span, "this block reports nothing")
                    .help("`report accuracy, nll` names outputs and losses that are one number"),
            );
        }
        if failed { Err(Said) } else { Ok(out) }
    }

    fn eval_clause(&mut self, clause: &'a ast::Clause, out: &mut Eval) -> Res<()> {
        match &clause.kind {
            ClauseKind::Data { file, file_span, columns } => {
                let mut list = vec![];
                for c in columns {
                    self.known_input(&c.name)?;
                    let column = c.column.as_ref().unwrap_or(&c.name);
                    list.push((c.name.name.to_string(), column.name.to_string()));
                }
                out.data.push(EvalData { file: file.clone(), columns: list, span: *file_span });
            }
            ClauseKind::Batch(items) => {
                for i in items {
                    self.known_dim(&i.dim)?;
                    let all = matches!(&*i.size.kind, ast::ExprKind::Name(w) if &**w == "all");
                    let size = if all {
                        None
                    } else {
                        match self.size_of_expr(&i.size)?.constant() {
                            Some(n) if n > 0 => Some(n as usize),
                            _ => return self.error("H0705", i.size.span, "a batch has a positive number of rows, or `all`"),
                        }
                    };
                    if let Some(by) = &i.by {
                        self.known_input(by)?;
                    }
                    out.batch.push((i.dim.name.clone(), size, i.by.as_ref().map(|b| b.name.to_string())));
                }
            }
            ClauseKind::Feed { name, binders, value } => {
                self.known_input(name)?;
                let v = match binders {
                    Some(b) => self.bound_value(b, value)?,
                    None => self.feed_value(name, value)?,
                };
                let t = match v {
                    Value::Num(n) => self.fed_number(name, n),
                    v => self.as_tens(v, value.span)?,
                };
                out.feeds.push((name.name.to_string(), t.node));
            }
            ClauseKind::Report(names) => {
                for n in names {
                    self.reported(n)?;
                    out.report.push(n.name.to_string());
                }
            }
            // The parser lets nothing else stand here.
            _ => {}
        }
        Ok(())
    }

    fn fed_number(&mut self, name: &ast::Ident, n: Num) -> Tens {
        let whole = self.out.inputs.iter().any(|i| *i.name == *name.name && i.dtype == DType::I32);
        if whole { self.num_tens(&n) } else { self.num_f32(&n) }
    }

    /// A value without binders: a draw has the input's shape.
    fn feed_value(&mut self, name: &ast::Ident, value: &'a ast::Expr) -> Res<Value<'a>> {
        if let ast::ExprKind::Call { callee, .. } = &*value.kind
            && let ast::ExprKind::Name(w) = &*callee.kind
            && super::chance::DISTRIBUTIONS.contains(&&**w)
        {
            return self.fed_draw(name, value);
        }
        self.expr(value)
    }

    /// One number that `report` may name.
    fn reported(&mut self, name: &ast::Ident) -> Res<()> {
        let graph = &self.levels[0].graph;
        let found = graph.output(&name.name).map(|o| graph.node(o.node).rank());
        match found {
            Some(0) => Ok(()),
            Some(_) => self.fail(
                Diagnostic::error("H0707", name.span, format!("`{}` is not one number", name.name))
                    .help("report a mean of it: `output m: f32 = mean[b] ..`"),
            ),
            None => {
                let known: Vec<String> = graph.outputs.iter().map(|o| o.name.to_string()).collect();
                let mut d = Diagnostic::error("H0708", name.span, format!("the model has no output or loss `{}`", name.name));
                d = match suggest(&name.name, known.iter().map(String::as_str)) {
                    Some(near) => d.fix(format!("`{near}` is near"), name.span, near),
                    None => d.help(format!("it has {}", known.join(", "))),
                };
                self.fail(d)
            }
        }
    }

    /// Puts found ranges into the graph, and hands it over.
    fn finish(&mut self) {
        let mut graph = std::mem::take(&mut self.levels[0].graph);
        self.settle(&mut graph);
        self.out.graph = graph;
    }

    fn settle(&self, graph: &mut Graph) {
        for id in graph.ids() {
            let node = graph.node_mut(id);
            for axis in node.shape.iter_mut().chain(&mut node.inner) {
                axis.size = self.resolve(&axis.size);
            }
            match &mut node.op {
                Op::Extent(s) => *s = self.resolve(s),
                Op::Loop(body) => {
                    body.trips = self.resolve(&body.trips);
                    self.settle(&mut body.graph);
                }
                _ => {}
            }
        }
    }
}

/// Whether an expression binds a word itself (an index of a reduction).
fn e_binds(e: &ast::Expr, word: &str) -> bool {
    let text = crate::syntax::print_expr(e);
    // Good enough for a name check: the word stands in brackets of a binder somewhere.
    text.contains(&format!("[{word}")) || text.contains(&format!(", {word}]")) || text.contains(&format!("({word}"))
}
