//! Statements of bodies and blocks.

use super::instance::{MemberRef, Thunk, join};
use super::reduce::BoundNames;
use super::report::Said;
use super::scope::Binding;
use super::value::{Label, Tens, Value};
use super::word::Meaning;
use super::{Checker, Res};
use crate::diag::Diagnostic;
use crate::source::Span;
use crate::syntax::ast::{self, Block, Expr, ExprKind, Name, Stmt, StmtKind};
use std::collections::BTreeSet;

impl<'a> Checker<'a> {
    /// Runs a block in a scope of its own; its value is an expression that stands last. A statement that fails is passed
    /// over, so that the others are checked, too.
    pub fn block(&mut self, block: &'a Block) -> Res<Value<'a>> {
        self.in_block(|c| c.statements(&block.stmts))
    }

    /// Statements in the present scope.
    pub fn statements(&mut self, stmts: &'a [Stmt]) -> Res<Value<'a>> {
        let mut value = Value::Unit;
        let mut failed = None;
        for (i, stmt) in stmts.iter().enumerate() {
            match self.stating(stmt, |c| c.statement(stmt)) {
                Ok(v) => {
                    if i + 1 == stmts.len() {
                        value = v;
                    } else {
                        self.idle(stmt, &v);
                    }
                }
                Err(said) => {
                    failed = Some(said);
                    self.poison(stmt, said);
                }
            }
        }
        failed.map_or(Ok(value), Err)
    }

    /// An expression whose value nobody takes.
    fn idle(&mut self, stmt: &Stmt, v: &Value<'a>) {
        let StmtKind::Expr(e) = &stmt.kind else { return };
        if !matches!(v, Value::Unit) && !matches!(&*e.kind, ExprKind::For(_) | ExprKind::If { .. }) {
            self.report.say(
                Diagnostic::error("H0220", stmt.span, "the value of this expression is not used")
                    .help("a body's value is its last expression; name others with `let`"),
            );
        }
    }

    /// Later uses of a name whose statement failed are not errors of their own.
    fn poison(&mut self, stmt: &'a Stmt, said: Said) {
        let name = match &stmt.kind {
            StmtKind::Let { name, .. }
            | StmtKind::Draw { name, .. }
            | StmtKind::Loss { name, .. }
            | StmtKind::Input { name, .. }
            | StmtKind::Condition { name, .. }
            | StmtKind::Output { name, .. } => name,
            StmtKind::Param(decl) => &decl.name,
            StmtKind::Sub(decl) => &decl.name,
            StmtKind::Each(each) => &each.name,
            StmtKind::Var { name, .. } => {
                return self.scopes.name(&name.name, Binding::Var(Value::Poison(said)));
            }
            _ => return,
        };
        self.scopes.name(&name.name, Binding::Value(Value::Poison(said)));
    }

    fn statement(&mut self, stmt: &'a Stmt) -> Res<Value<'a>> {
        match &stmt.kind {
            StmtKind::Let { name, binders, value } => {
                let v = self.let_value(binders.as_ref(), value, name)?;
                self.define(name, Binding::Value(v))?;
            }
            StmtKind::Const(defs) => {
                for def in defs {
                    let v = self.expr(&def.value)?;
                    self.define(&def.name, Binding::Value(v))?;
                }
            }
            StmtKind::ConstDraw(draw) => {
                let v = self.const_draw(draw)?;
                self.define(&draw.name, Binding::Value(v))?;
            }
            StmtKind::Var { name, ty, value } => {
                let v = self.var_value(ty.as_ref(), value)?;
                self.define(name, Binding::Var(v))?;
            }
            StmtKind::Assign { name, slots, value } => self.assign_var(name, slots.as_deref(), value)?,
            StmtKind::Relation(r) => self.block_relation(r)?,
            StmtKind::Loss { name, value } => {
                let v = self.loss(name, value)?;
                self.define(name, Binding::Value(v))?;
            }
            StmtKind::Update { place, value } => self.update(place, value)?,
            StmtKind::Draw { name, ty, value, by } => {
                let v = self.draw(name, ty, value, by.as_ref())?;
                self.define(name, Binding::Value(v))?;
            }
            StmtKind::Yield(e) => {
                let v = self.expr(e)?;
                match &mut self.scopes.frame_mut().yields {
                    Some(list) => list.push(v),
                    None => {
                        return self.error("H0501", stmt.span, "`yield` stands in a `for`, and there is none here");
                    }
                }
            }
            StmtKind::Expr(e) => return self.expr(e),
            StmtKind::Param(_) | StmtKind::Sub(_) | StmtKind::Each(_) => {
                return self.fail(
                    Diagnostic::error("H0211", stmt.span, "what a net is made of stands among its members, not in a body")
                        .help("move the declaration above the signature"),
                );
            }
            StmtKind::Input { .. } | StmtKind::Condition { .. } | StmtKind::Output { .. } | StmtKind::Seed(_) => {
                return self.error("H0221", stmt.span, "this stands in a model only");
            }
            // The parser reads signatures directly in a net only.
            StmtKind::Signature(_) => {}
        }
        Ok(Value::Unit)
    }

    /// A `let`, `draw` or `loss` among the members of a model or an `each`.
    pub fn member_statement(&mut self, stmt: &'a Stmt) -> Res<Value<'a>> {
        match &stmt.kind {
            StmtKind::Let { name, binders, value } => self.let_value(binders.as_ref(), value, name),
            StmtKind::Draw { name, ty, value, by } => self.draw(name, ty, value, by.as_ref()),
            StmtKind::Loss { name, value } => self.loss(name, value),
            StmtKind::Output { ty, value, .. } => {
                let v = self.expr(value)?;
                self.declared_value(ty, v, value.span)
            }
            _ => self.report.bug(stmt.span, "this is no value of a member"),
        }
    }

    /// `let name[binders] = value`
    pub fn let_value(&mut self, binders: Option<&'a ast::Binders>, value: &'a Expr, name: &ast::Ident) -> Res<Value<'a>> {
        let v = match binders {
            None => self.expr(value)?,
            Some(b) => self.bound_value(b, value)?,
        };
        if let Value::Tensor(t) = &v {
            self.call(t, &name.name);
        }
        Ok(v)
    }

    /// Gives a value the name that the source has for it, unless it has one.
    pub fn call(&mut self, t: &Tens, name: &Name) {
        let within = self.scopes.net_path();
        let within = if within.is_empty() { name.clone() } else { format!("{within}.{name}").into() };
        let node = self.build.at_mut(t);
        if node.name.is_none() {
            (node.name, node.within) = (Some(name.clone()), Some(within));
        }
    }

    /// A value under indices that are bound on the left.
    pub fn bound_value(&mut self, b: &'a ast::Binders, value: &'a Expr) -> Res<Value<'a>> {
        let (v, bound) = self.under_binders(b, true, |c, bound| {
            if let Some(filter) = &b.filter {
                return c.fail(
                    Diagnostic::error("H0324", filter.span, "`where` filters a reduction; on the left nothing is left out")
                        .help("say what stands there otherwise: `if cond { .. } else { 0 }`"),
                );
            }
            c.bound_inner(bound, value)
        })?;
        self.ranges_known(&bound)?;
        self.bind_value(v, &bound, value.span)
    }

    fn bound_inner(&mut self, bound: &BoundNames, value: &'a Expr) -> Res<Value<'a>> {
        // `let out[t] = for t in ..` gives the axis back.
        if let ExprKind::For(f) = &*value.kind
            && let Some(&first) = bound.groups.first().and_then(|g| g.first())
            && *self.axes.name_text(first) == *f.var.name
        {
            return self.for_expr(f, Some(first), value.span);
        }
        self.expr(value)
    }

    /// Turns the bound names into leading sizes (an axis under its own name stays one).
    pub fn bind_value(&mut self, v: Value<'a>, bound: &BoundNames, span: Span) -> Res<Value<'a>> {
        match v {
            Value::Record(fields) => {
                let mut out = Vec::new();
                for (n, v) in fields.iter() {
                    out.push((n.clone(), self.bind_value(v.clone(), bound, span)?));
                }
                Ok(Value::Record(out.into()))
            }
            Value::Tree(tree) => {
                let out = self.tree_map(&tree, &mut |c, leaf| {
                    let v = c.bind_value(Value::Tensor(leaf.clone()), bound, span)?;
                    c.as_tens(v, span)
                })?;
                Ok(Value::Tree(out.into()))
            }
            v => {
                let t = match v {
                    Value::Num(n) => self.num_f32(&n),
                    v => self.as_tens(v, span)?,
                };
                // Axes that were bound under their own names stay names.
                let temporary = |n: &super::value::NameId| bound.fresh.iter().any(|(f, _)| f == n) || !self.is_axis(*n);
                let groups: Vec<Vec<_>> =
                    bound.groups.iter().filter(|g| g.len() > 1 || g.iter().all(temporary)).cloned().collect();
                let kept: Vec<_> =
                    bound.groups.iter().filter(|g| g.len() == 1 && !g.iter().all(temporary)).flatten().copied().collect();
                let t = self.spread(&t, &kept);
                let part = BoundNames { groups, fresh: vec![] };
                Ok(Value::Tensor(self.bind_groups(t, &part)))
            }
        }
    }

    /// Whether a name is a visible axis of the signature or the file.
    fn is_axis(&self, n: super::value::NameId) -> bool {
        self.axis_word(self.axes.name_text(n)) == Some(n)
    }

    fn var_value(&mut self, ty: Option<&'a ast::Type>, value: &'a Expr) -> Res<Value<'a>> {
        let Some(ty) = ty else { return self.expr(value) };
        if let Some(v) = self.filled(ty, value)? {
            return Ok(v);
        }
        let v = self.expr(value)?;
        self.declared_value(ty, v, value.span)
    }

    /// `zeros()`, `ones()`, `fill(x)` where a type is declared.
    pub fn filled(&mut self, ty: &'a ast::Type, value: &'a Expr) -> Res<Option<Value<'a>>> {
        let ExprKind::Call { callee, args } = &*value.kind else { return Ok(None) };
        let ExprKind::Name(word) = &*callee.kind else { return Ok(None) };
        if !matches!(self.meaning(word), Meaning::Nothing) {
            return Ok(None);
        }
        let number = match (&**word, args.as_slice()) {
            ("zeros", []) => Value::from(crate::ir::Size::from(0i64)),
            ("ones", []) => Value::from(crate::ir::Size::from(1i64)),
            ("fill", [x]) => self.expr(&x.value)?,
            _ => return Ok(None),
        };
        let (dtype, shape) = self.tensor_type(ty)?;
        let known = match &number {
            Value::Num(n) => n.known(),
            _ => None,
        };
        let t = match (number, dtype) {
            (Value::Num(n), crate::ir::DType::F32) => self.num_f32(&n),
            (Value::Num(_), crate::ir::DType::Bool) if known == Some(0.0) || known == Some(1.0) => {
                self.constant(known.unwrap_or(0.0), dtype)
            }
            (v, _) => {
                let scalar = match &ty.kind {
                    ast::TypeKind::Tensor { scalar, .. } => *scalar,
                    _ => None,
                };
                let t = self.as_tens(v, value.span)?;
                self.scalar_kind(t, scalar, value.span, ty.span)?
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
        if shape.is_empty() && matches!(value, Value::Num(_)) {
            return Ok(value);
        }
        let t = match value {
            Value::Num(n) if !matches!(scalar, Some(ast::Scalar::I32 | ast::Scalar::Size)) => self.num_f32(&n),
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
            return self.fail(Diagnostic::error("H0345", at, message).label(ty.span, "declared here"));
        }
        let extra: Vec<&str> =
            t.names().filter(|n| !names.contains(n) && self.is_axis(*n)).map(|n| self.axes.name_text(n)).collect();
        if !extra.is_empty() {
            let message = format!("this varies over `{}`, which the type does not name", extra.join("`, `"));
            return self.fail(
                Diagnostic::error("H0346", at, message)
                    .label(ty.span, "declared here")
                    .help(format!("declare it, or reduce it: `mean[{}] ..`", extra[0])),
            );
        }
        Ok(Value::Tensor(self.spread(&t, &names)))
    }

    /// Where a variable stands.
    fn assign_var(&mut self, name: &'a ast::Ident, slots: Option<&'a [ast::Slot]>, value: &'a Expr) -> Res<()> {
        let old = match self.meaning(&name.name) {
            Meaning::Local(Binding::Var(v)) => v,
            Meaning::Member(id, MemberRef::Thunk(n)) if matches!(self.nets[id].thunks[n], Thunk::Var(_)) => {
                self.member_value(id, MemberRef::Thunk(n), name.span)?
            }
            meaning => {
                if let Meaning::Nothing = meaning {
                    // A word of the language has a value all the same.
                    self.word(&name.name, name.span)?;
                }
                return self.fail(
                    Diagnostic::error("H0502", name.span, format!("`{}` cannot be assigned", name.name))
                        .help("only a `var` changes: `var x = ..`"),
                );
            }
        };
        let new = match slots {
            None => {
                let v = self.expr(value)?;
                self.keep_type(&old, v, value.span)?
            }
            Some(slots) => self.assign_part(&old, slots, value)?,
        };
        self.set_var(&name.name, new);
        Ok(())
    }

    /// A variable keeps its kind of element and its sizes; names may join.
    fn keep_type(&mut self, old: &Value<'a>, new: Value<'a>, span: Span) -> Res<Value<'a>> {
        let Value::Tensor(a) = old else { return Ok(new) };
        let t = match new {
            Value::Num(n) if a.dtype == crate::ir::DType::F32 => self.num_f32(&n),
            v => self.as_tens(v, span)?,
        };
        let (p, q) = (self.sized_extents(a), self.sized_extents(&t));
        if p.len() != q.len() || !p.iter().zip(&q).all(|(x, y)| self.axes.same(x, y)) {
            let message = format!("the variable is {}, and this is {}", self.show(a), self.show(&t));
            return self.error("H0503", span, message);
        }
        if a.dtype == crate::ir::DType::F32 && t.dtype == crate::ir::DType::I32 {
            return Ok(Value::Tensor(self.to_f32(&t)));
        }
        Ok(Value::Tensor(t))
    }

    /// Sets a variable wherever it was declared.
    pub fn set_var(&mut self, name: &str, value: Value<'a>) {
        if self.scopes.local(name).is_some() {
            self.scopes.assign(name, value);
        } else if let Meaning::Member(id, MemberRef::Thunk(n)) = self.meaning(name) {
            self.nets[id].thunks[n] = Thunk::Var(value);
        }
    }

    /// `v[i, 0] = ..`: a part of a variable.
    fn assign_part(&mut self, old: &Value<'a>, slots: &'a [ast::Slot], value: &'a Expr) -> Res<Value<'a>> {
        let Value::Tensor(old) = old.clone() else {
            return self.error("H0502", value.span, "only a part of a tensor can be assigned");
        };
        let extents = self.sized_extents(&old);
        if slots.len() > extents.len() {
            return self.error("H0410", value.span, format!("there are more indices than sizes: this is {}", self.show(&old)));
        }
        let (names, mask, v) = self.in_scope(|c| {
            let (names, mask) = c.part_slots(&extents, slots, value.span)?;
            Ok((names, mask, c.expr(value)?))
        })?;
        let t = match v {
            Value::Num(n) if old.dtype == crate::ir::DType::F32 => self.num_f32(&n),
            v => self.as_tens(v, value.span)?,
        };
        let mut t = t;
        for (d, n) in t.sized().into_iter().zip(&names[slots.len()..]) {
            t = self.dim_to_name(&t, d, *n);
        }
        let mut was = old.clone();
        for (d, n) in old.sized().into_iter().zip(&names) {
            was.labels[d] = Label::Named(*n);
        }
        if let Some(m) = mask {
            t = self.pointwise(crate::ir::Map::Select, &[&m, &t, &was])?;
        }
        Ok(Value::Tensor(self.names_to_sizes(t, &names)))
    }

    /// Names for the sizes of a variable, and where the part is, as far as numbers say it.
    fn part_slots(
        &mut self,
        extents: &[crate::ir::Size],
        slots: &'a [ast::Slot],
        at: Span,
    ) -> Res<(Vec<super::value::NameId>, Option<super::value::Tens>)> {
        let mut names = vec![];
        let mut mask: Option<super::value::Tens> = None;
        for (i, extent) in extents.iter().enumerate() {
            let n = self.axes.new_name(&format!("d{i}"), extent.clone(), None);
            names.push(n);
            let fixed = match slots.get(i) {
                None => None,
                Some(ast::Slot::Bound(b)) => match self.meaning(&b.name.name) {
                    Meaning::Nothing => {
                        self.define(&b.name, Binding::Index(n))?;
                        None
                    }
                    _ => {
                        let v = self.word(&b.name.name, b.name.span)?;
                        Some(self.index_tens(v, b.name.span)?)
                    }
                },
                Some(ast::Slot::Index(ast::Index::At(e))) => {
                    let v = self.expr(e)?;
                    Some(self.index_tens(v, e.span)?)
                }
                Some(ast::Slot::Index(_) | ast::Slot::Merged(..)) => {
                    return self.error("H0407", at, "a part of a variable is named by indices and numbers");
                }
            };
            if let Some(index) = fixed {
                let index = self.inside(&index, None, extent, at)?;
                let counter = self.iota(n);
                let here = self.pointwise(crate::ir::Map::Eq, &[&counter, &index])?;
                mask = Some(match mask {
                    None => here,
                    Some(m) => self.pointwise(crate::ir::Map::And, &[&m, &here])?,
                });
            }
        }
        Ok((names, mask))
    }

    /// `loss name = value`
    fn loss(&mut self, name: &'a ast::Ident, value: &'a Expr) -> Res<Value<'a>> {
        let v = self.expr(value)?;
        let t = match v {
            Value::Num(n) => self.num_f32(&n),
            v => self.as_tens(v, value.span)?,
        };
        let t = self.to_f32(&t);
        if !t.sized().is_empty() {
            let message = format!("a loss is one number, and this is {}", self.show(&t));
            return self.fail(
                Diagnostic::error("H0504", value.span, message)
                    .help("reduce it: `sum(v)` or `mean(v)` for one sized axis, `sum[i, j] v[i, j]` for more"),
            );
        }
        if t.level > 0 {
            return self.fail(
                Diagnostic::limit("H0814", name.span, "a loss inside a loop over data does not work yet")
                    .help("collect it with `yield` and take the loss of that"),
            );
        }
        // Nets of an array add up; any other name is left by mistake.
        let frame = self.scopes.frame();
        let inst = frame.inst;
        let arrays: Vec<_> = inst.map_or(vec![], |i| self.nets[i].arrays.clone());
        let picked: Vec<_> = frame
            .picks
            .iter()
            .filter_map(|(_, p)| match p {
                super::value::Pick::Name(n) => Some(*n),
                _ => None,
            })
            .collect();
        let names: Vec<_> = t.names().collect();
        let (summed, left): (Vec<_>, Vec<_>) = names.into_iter().partition(|n| arrays.contains(n) || picked.contains(n));
        if let Some(n) = left.first() {
            let text = self.axes.name_text(*n).to_string();
            let message = format!("a loss is one number, and this varies over `{text}`");
            return self.fail(Diagnostic::error("H0504", value.span, message).help(match self.scopes.frame().sees_dims {
                true => format!("reduce it: `mean[{text}] ..`"),
                false => "reduce it: `mean[*] ..` takes all axes that the net was lifted over".to_string(),
            }));
        }
        let total = if summed.is_empty() { t.clone() } else { self.fold(crate::ir::Fold::Sum, &t, &summed) };
        let path = join(&self.scopes.frame().path.clone(), &name.name);
        self.out.losses.push((path, total.clone(), name.span));
        Ok(Value::Tensor(total))
    }

    /// The sum of what a net's loss was in all calls so far.
    pub fn loss_value(&mut self, net: &super::value::NetVal, name: &str, _span: Span) -> Res<Option<Value<'a>>> {
        let path = join(&self.nets[net.inst].path, name);
        let found: Vec<_> = self.out.losses.iter().filter(|(p, _, _)| *p == path).map(|(_, t, _)| t.clone()).collect();
        let Some(first) = found.first().cloned() else { return Ok(None) };
        let mut total = first;
        for t in &found[1..] {
            total = self.pointwise(crate::ir::Map::Add, &[&total, t])?;
        }
        Ok(Some(Value::Tensor(total)))
    }

    /// `update place = value`: kept for training, checked now.
    fn update(&mut self, place: &'a ast::Place, value: &'a Expr) -> Res<()> {
        let v = self.expr(value)?;
        let t = match v {
            Value::Num(n) => self.num_f32(&n),
            v => self.as_tens(v, value.span)?,
        };
        let Meaning::Member(_, MemberRef::Param(p)) = self.meaning(&place.root.name) else {
            return self.error("H0413", place.span, format!("`{}` is no state", place.root.name));
        };
        if self.nets[p].decl.kind != ast::ParamKind::State {
            return self.fail(
                Diagnostic::error("H0413", place.span, format!("`{}` is no state", place.root.name))
                    .label(self.nets[p].decl.name.span, "declared here")
                    .help("declare it with `state`; parameters change by training only"),
            );
        }
        if place.parts.is_empty() {
            let shape = self.param_shape(p)?;
            let t = self.fit(t, &shape, &[], value.span)?;
            if t.level == 0 {
                let path = self.nets[p].path.clone();
                self.out.updates.push((path, t));
            }
        }
        Ok(())
    }

    /// The value that a variable has now.
    pub fn variable(&self, name: &str) -> Option<Value<'a>> {
        if let Some(binding) = self.scopes.local(name) {
            return if let Binding::Var(v) = binding { Some(v.clone()) } else { None };
        }
        let (id, MemberRef::Thunk(n)) = self.member_named(name)? else { return None };
        if let Thunk::Var(v) = &self.nets[id].thunks[n] { Some(v.clone()) } else { None }
    }

    /// Those of these names that are variables, with their values now: locals in the order of their statements, outer blocks first, then
    /// members by name.
    pub fn variables(&self, names: &BTreeSet<ast::Name>) -> Vec<(ast::Name, Value<'a>)> {
        let scopes = &self.scopes.frame().scopes;
        let place = |n: &str| scopes.iter().enumerate().rev().find_map(|(k, s)| Some((k, s.place(n)?)));
        let place = |n: &str| place(n).unwrap_or((usize::MAX, 0));
        let mut out: Vec<_> = names.iter().filter_map(|n| Some((place(n), n.clone(), self.variable(n)?))).collect();
        out.sort_by_key(|(at, _, _)| *at);
        out.into_iter().map(|(_, n, v)| (n, v)).collect()
    }
}
