//! Nets in a model: one [`Inst`] for each `sub`, with its parameters, its parts and its constants. An array of nets is one
//! instance whose parameters have one more axis, which has a name of its own until somebody indexes it.

use super::scope::{Binding, FileItem, Frame};
use super::value::{Label, NameId, NetVal, Pick, Tens, Tree, Value};
use super::{Checker, Res, Said};
use crate::diag::{Diagnostic, suggest};
use crate::ir::{DType, Node, Op, Origin, Size};
use crate::source::Span;
use crate::syntax::ast::{self, Name};
use std::collections::HashMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstId(pub usize);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParamId(pub usize);

/// A member by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberRef {
    /// Computed when asked for.
    Thunk(usize),
    Param(ParamId),
    Sub(usize),
    /// `param p[q in tree.*]`
    LeafParams(usize),
    /// In an `each`: the parameter that it stands at.
    Match(usize),
}

/// Something that is computed once, when it is first asked for.
pub enum Thunk<'a> {
    Const(&'a ast::Expr, Name),
    Let(&'a ast::Stmt),
    Draw(&'a ast::ConstDraw),
    /// A `var` before its statement.
    Waiting,
    Running,
    Done(Value<'a>),
    Var(Value<'a>),
}

/// A `sub` or `form`.
pub struct Sub<'a> {
    pub decl: &'a ast::SubDecl,
    pub state: SubState,
}

#[derive(Clone)]
pub enum SubState {
    Waiting,
    Running,
    Failed,
    One(InstId),
    Array(InstId, NameId),
    Family(Vec<(Name, InstId)>),
}

/// A net (or model, or copy of an `each`) with its members.
pub struct Inst<'a> {
    pub file: usize,
    /// `None` for a model and for a copy of an `each`: then words are looked up in `parent` too.
    pub net: Option<&'a ast::NetDef>,
    pub parent: Option<InstId>,
    pub path: String,
    pub form: bool,
    pub sees_dims: bool,
    /// Arrays that it stands in, outermost first.
    pub arrays: Vec<NameId>,
    pub members: HashMap<Name, MemberRef>,
    /// Parameters and parts in declaration order.
    pub order: Vec<(Name, MemberRef)>,
    pub thunks: Vec<Thunk<'a>>,
    pub subs: Vec<Sub<'a>>,
    pub leaf_params: Vec<Vec<(Name, ParamId)>>,
    /// Parameters over a tree whose leaves are not looked up yet.
    pub over_leaves: Vec<(usize, &'a ast::ParamDecl)>,
    pub matches: Vec<super::relation::Target>,
    pub signature: Option<&'a ast::Signature>,
    pub relations: Vec<&'a ast::Relation>,
    pub eaches: Vec<&'a ast::Each>,
    pub span: Span,
}

/// How far a parameter's value is known.
#[derive(Clone)]
pub enum Effective {
    Unasked,
    Running,
    Whole(Tens),
    /// Nets of its (only) array one by one.
    Each(NameId, Vec<Tens>),
    Failed,
}

/// A declared parameter.
pub struct Param<'a> {
    pub inst: InstId,
    pub path: String,
    pub decl: &'a ast::ParamDecl,
    /// Labels and extents, arrays first; found when first asked for.
    pub shape: Option<Vec<(Label, Size)>>,
    /// In `[p in tree.*]`: the word, the leaf's path, how many values that has.
    pub leaf: Option<(Name, Name, Size)>,
    pub source: Option<Tens>,
    /// Relations in order: number, and which of its targets this is.
    pub relations: Vec<(usize, usize)>,
    pub effective: Effective,
    pub init: Option<(usize, usize)>,
    pub frozen: bool,
}

impl<'a> Checker<'a> {
    /// A frame in which an instance's members are computed.
    pub fn inst_frame(&self, id: InstId) -> Frame<'a> {
        let inst = &self.insts[id.0];
        let mut frame = Frame::new(inst.file, Some(id));
        frame.sees_dims = inst.sees_dims;
        frame.path = inst.path.clone();
        frame.span = inst.span;
        frame.picks = inst.arrays.iter().map(|a| (*a, Pick::Name(*a))).collect();
        frame
    }

    /// An empty instance.
    pub fn new_inst(&mut self, file: usize, parent: Option<InstId>, path: String, span: Span) -> InstId {
        let arrays = parent.map_or(vec![], |p| self.insts[p.0].arrays.clone());
        let (form, sees_dims) = parent.map_or((false, false), |p| (self.insts[p.0].form, false));
        self.insts.push(Inst {
            file,
            net: None,
            parent,
            path,
            form,
            sees_dims,
            arrays,
            members: HashMap::new(),
            order: vec![],
            thunks: vec![],
            subs: vec![],
            leaf_params: vec![],
            over_leaves: vec![],
            matches: vec![],
            signature: None,
            relations: vec![],
            eaches: vec![],
            span,
        });
        InstId(self.insts.len() - 1)
    }

    /// Adds a member; a second one of the same name is an error.
    pub fn add_member(&mut self, id: InstId, name: &ast::Ident, member: MemberRef) {
        if self.insts[id.0].members.contains_key(&name.name) {
            self.sink.push(
                Diagnostic::error("H0203", name.span, format!("`{}` is declared twice", name.name))
                    .here("a second meaning")
                    .help("nothing is shadowed in hnet: choose another name"),
            );
            return;
        }
        self.insts[id.0].members.insert(name.name.clone(), member);
        if !matches!(member, MemberRef::Thunk(_) | MemberRef::Match(_)) {
            self.insts[id.0].order.push((name.name.clone(), member));
        }
    }

    pub fn add_thunk(&mut self, id: InstId, name: &ast::Ident, thunk: Thunk<'a>) {
        self.insts[id.0].thunks.push(thunk);
        let n = self.insts[id.0].thunks.len() - 1;
        self.add_member(id, name, MemberRef::Thunk(n));
    }

    /// Takes a declaration that may stand anywhere as a member. `false`: it is none.
    pub fn declare(&mut self, id: InstId, stmt: &'a ast::Stmt) -> bool {
        match &stmt.kind {
            ast::StmtKind::Const(defs) => {
                for def in defs {
                    self.add_thunk(id, &def.name, Thunk::Const(&def.value, def.name.name.clone()));
                }
            }
            ast::StmtKind::ConstDraw(draw) => self.add_thunk(id, &draw.name, Thunk::Draw(draw)),
            ast::StmtKind::Param(decl) => self.declare_param(id, decl),
            ast::StmtKind::Sub(decl) => {
                self.insts[id.0].subs.push(Sub { decl, state: SubState::Waiting });
                let n = self.insts[id.0].subs.len() - 1;
                self.add_member(id, &decl.name, MemberRef::Sub(n));
            }
            ast::StmtKind::Relation(relation) => self.insts[id.0].relations.push(relation),
            ast::StmtKind::Each(each) => self.insts[id.0].eaches.push(each),
            _ => return false,
        }
        true
    }

    fn declare_param(&mut self, id: InstId, decl: &'a ast::ParamDecl) {
        if decl.over.is_some() {
            // The tree may be declared below: its leaves are looked up when all parts are made.
            self.insts[id.0].leaf_params.push(vec![]);
            let n = self.insts[id.0].leaf_params.len() - 1;
            self.insts[id.0].over_leaves.push((n, decl));
            self.add_member(id, &decl.name, MemberRef::LeafParams(n));
            return;
        }
        let param = self.new_param(id, decl, None);
        self.add_member(id, &decl.name, MemberRef::Param(param));
    }

    fn new_param(&mut self, id: InstId, decl: &'a ast::ParamDecl, leaf: Option<(Name, Name, Size)>) -> ParamId {
        let own = match &leaf {
            Some((_, leaf, _)) => format!("{}.{leaf}", decl.name.name),
            None => decl.name.name.to_string(),
        };
        let path = join(&self.insts[id.0].path, &own);
        self.params.push(Param {
            inst: id,
            path,
            decl,
            shape: None,
            leaf,
            source: None,
            relations: vec![],
            effective: Effective::Unasked,
            init: None,
            frozen: false,
        });
        ParamId(self.params.len() - 1)
    }

    /// Makes a net: its numbers bound, its members declared, nothing computed.
    pub fn instantiate(&mut self, made: Made<'a>, args: Vec<(Name, Value<'a>)>) -> Res<InstId> {
        // A net has no way to stop: what contains itself once does so for ever.
        let mut above = made.parent;
        while let Some(id) = above {
            if self.insts[id.0].net.is_some_and(|n| std::ptr::eq(n, made.net)) {
                let name = &made.net.name.name;
                return self.fail(
                    Diagnostic::error("H0215", made.span, format!("`{name}` contains itself"))
                        .label(made.net.name.span, format!("`{name}` is declared here"))
                        .help("for nets one after the other, take an array, `sub layer[n] = ..`, and a `for`"),
                );
            }
            above = self.insts[id.0].parent;
        }
        self.enter(made.span)?;
        // A net is more than a call.
        self.entered += 9;
        let id = self.new_inst(made.file, made.parent, made.path, made.span);
        self.insts[id.0].net = Some(made.net);
        self.insts[id.0].form |= made.form;
        self.insts[id.0].arrays = made.arrays;
        for (formal, (_, value)) in made.net.formals.iter().zip(args) {
            self.add_thunk(id, &formal.name, Thunk::Done(value));
        }
        for stmt in &made.net.members {
            if let ast::StmtKind::Signature(signature) = &stmt.kind {
                if self.insts[id.0].signature.is_some() {
                    self.sink.push(
                        Diagnostic::error("H0210", signature.span, format!("`{}` has a second signature", made.net.name.name))
                            .help("a net is called in one way; write a second net for the other"),
                    );
                    continue;
                }
                self.insts[id.0].signature = Some(signature);
            } else if !self.declare(id, stmt) {
                self.sink.push(
                    Diagnostic::error("H0211", stmt.span, "this cannot stand among the members of a net")
                        .help("computations stand in the signature's body"),
                );
            }
        }
        self.depth -= 1;
        Ok(id)
    }

    /// Numbers and layouts for a net's arguments.
    fn actuals(&mut self, net: &'a ast::NetDef, args: &'a [ast::Arg], span: Span) -> Res<Vec<(Name, Value<'a>)>> {
        if args.len() != net.formals.len() {
            let names: Vec<&str> = net.formals.iter().map(|f| &*f.name.name).collect();
            let message = format!(
                "`{}` takes {} ({}), and {} given",
                net.name.name,
                count(names.len(), "number"),
                names.join(", "),
                if args.len() == 1 { "1 is".to_string() } else { format!("{} are", args.len()) }
            );
            return self.fail(Diagnostic::error("H0212", span, message).label(net.name.span, "declared here"));
        }
        let mut out = Vec::new();
        for (i, arg) in args.iter().enumerate() {
            let formal = match &arg.name {
                None => &net.formals[i],
                Some(name) => match net.formals.iter().find(|f| f.name.name == name.name) {
                    Some(f) => f,
                    None => {
                        return self.error("H0212", name.span, format!("`{}` has no argument `{}`", net.name.name, name.name));
                    }
                },
            };
            let value = self.expr(&arg.value)?;
            let value = match (formal.form, value) {
                (true, v @ Value::Net(_)) => v,
                (true, v) => {
                    let message = format!("`{}` wants a layout (a net or form), and this is {}", formal.name.name, v.kind());
                    return self.error("H0213", arg.value.span, message);
                }
                (false, v) => Value::from(self.whole(v, arg.value.span)?),
            };
            out.push((formal.name.name.clone(), value));
        }
        let order = |n: &Name| net.formals.iter().position(|f| f.name.name == *n);
        out.sort_by_key(|(n, _)| order(n));
        Ok(out)
    }

    /// The net that a `sub` names.
    fn net_def(&mut self, file: usize, name: &ast::Ident) -> Res<(usize, &'a ast::NetDef)> {
        match self.files[file].items.get(&name.name) {
            Some(FileItem::Net(at, def)) => Ok((*at, def)),
            Some(_) => self.error("H0214", name.span, format!("`{}` is no net", name.name)),
            None => {
                let nets: Vec<Name> = self.files[file]
                    .items
                    .iter()
                    .filter(|(_, i)| matches!(i, FileItem::Net(..)))
                    .map(|(n, _)| n.clone())
                    .collect();
                let mut sorted = nets;
                sorted.sort();
                if self.files[file].missing.contains(&name.name) {
                    return Err(Said);
                }
                let mut d = Diagnostic::error("H0201", name.span, format!("no net is called `{}`", name.name));
                if let Some(near) = suggest(&name.name, sorted.iter().map(|n| &**n)) {
                    d = d.fix(format!("`{near}` is near"), name.span, near);
                } else if let Some((module, _)) =
                    crate::program::LIBRARY.iter().find(|(_, t)| t.contains(&format!("net {}(", name.name)))
                {
                    d = d.help(format!("the library has it: `import std.{module} {{ {} }}`", name.name));
                }
                self.fail(d)
            }
        }
    }

    /// A form of a file.
    pub fn file_form(&mut self, file: usize, decl: &'a ast::SubDecl) -> Res<InstId> {
        let known = self.insts.iter().position(|i| i.form && i.span == decl.name.span && i.parent.is_none());
        if let Some(n) = known {
            return Ok(InstId(n));
        }
        let (at, net) = self.net_def(file, &decl.net)?;
        let frame = Frame::new(file, None);
        let args = self.outside(frame, |c| c.actuals(net, &decl.args, decl.name.span))?;
        let made = Made {
            file: at,
            net,
            parent: None,
            path: decl.name.name.to_string(),
            form: true,
            arrays: vec![],
            span: decl.name.span,
        };
        self.instantiate(made, args)
    }

    /// The parts that a `sub` declares, made when first asked for.
    pub fn sub(&mut self, id: InstId, n: usize) -> Res<SubState> {
        let decl = self.insts[id.0].subs[n].decl;
        match &self.insts[id.0].subs[n].state {
            SubState::Failed => return Err(Said),
            SubState::Running => {
                return self.fail(
                    Diagnostic::error("H0215", decl.name.span, format!("`{}` contains itself", decl.name.name))
                        .help("what a net is made of cannot depend on the net"),
                );
            }
            SubState::Waiting => {}
            done => return Ok(done.clone()),
        }
        self.insts[id.0].subs[n].state = SubState::Running;
        let made = self.make_sub(id, decl);
        self.insts[id.0].subs[n].state = made.clone().unwrap_or(SubState::Failed);
        made
    }

    fn make_sub(&mut self, id: InstId, decl: &'a ast::SubDecl) -> Res<SubState> {
        let file = self.insts[id.0].file;
        let (at, net) = self.net_def(file, &decl.net)?;
        let mut frame = self.inst_frame(id);
        frame.span = decl.name.span;
        let path = join(&self.insts[id.0].path, &decl.name.name);
        let arrays = self.insts[id.0].arrays.clone();
        let form = decl.form || self.insts[id.0].form;
        let made = |path: String, arrays| Made { file: at, net, parent: Some(id), path, form, arrays, span: decl.name.span };
        match &decl.array {
            ast::ArrayDecl::One => {
                let args = self.outside(frame, |c| c.actuals(net, &decl.args, decl.net.span))?;
                Ok(SubState::One(self.instantiate(made(path, arrays), args)?))
            }
            ast::ArrayDecl::Array(count) => {
                let (n, args) =
                    self.outside(frame, |c| Ok((c.size_of_expr(count)?, c.actuals(net, &decl.args, decl.net.span)?)))?;
                let axis = self.new_name(&decl.name.name, n, Some(count.span));
                let arrays = [arrays, vec![axis]].concat();
                Ok(SubState::Array(self.instantiate(made(format!("{path}.*"), arrays), args)?, axis))
            }
            ast::ArrayDecl::Family { index, count } => {
                let n = self.outside(frame.clone(), |c| c.size_of_expr(count))?;
                let Some(n) = n.constant() else { return self.unknown(count.span, "the length of a family") };
                if n > 4096 {
                    return self.fail(Diagnostic::limit("H0812", count.span, format!("a family of {n} nets is too long")));
                }
                let mut nets = Vec::new();
                for l in 0..n {
                    let mut frame = frame.clone();
                    frame.scopes.push(vec![(index.name.clone(), Binding::Value(Value::from(Size::from(l))))]);
                    let args = self.outside(frame, |c| c.actuals(net, &decl.args, decl.net.span))?;
                    nets.push((Name::from(l.to_string()), self.instantiate(made(format!("{path}.{l}"), arrays.clone()), args)?));
                }
                Ok(SubState::Family(nets))
            }
            ast::ArrayDecl::Leaves { index, tree } => {
                let leaves = self.outside(frame.clone(), |c| c.leaf_names(tree))?;
                let mut nets = Vec::new();
                for (leaf, size) in leaves {
                    let mut frame = frame.clone();
                    let value = Value::LeafName(leaf.clone(), size);
                    frame.scopes.push(vec![(index.name.clone(), Binding::Value(value))]);
                    let args = self.outside(frame, |c| c.actuals(net, &decl.args, decl.net.span))?;
                    nets.push((leaf.clone(), self.instantiate(made(format!("{path}.{leaf}"), arrays.clone()), args)?));
                }
                Ok(SubState::Family(nets))
            }
        }
    }

    /// Makes all parts of a net, so that relations find them.
    pub fn make_all(&mut self, id: InstId) {
        for (n, decl) in std::mem::take(&mut self.insts[id.0].over_leaves) {
            let Some((word, tree)) = &decl.over else { continue };
            let leaves = self.outside(self.inst_frame(id), |c| c.leaf_names(tree)).unwrap_or_default();
            for (leaf, size) in leaves {
                let p = self.new_param(id, decl, Some((word.name.clone(), leaf.clone(), size)));
                self.insts[id.0].leaf_params[n].push((leaf, p));
            }
        }
        for n in 0..self.insts[id.0].subs.len() {
            let Ok(state) = self.sub(id, n) else { continue };
            match state {
                SubState::One(s) | SubState::Array(s, _) => self.make_all(s),
                SubState::Family(nets) => nets.iter().for_each(|(_, s)| self.make_all(*s)),
                SubState::Waiting | SubState::Running | SubState::Failed => {}
            }
        }
    }

    /// Nets below an instance, itself first.
    pub fn below(&self, id: InstId) -> Vec<InstId> {
        let mut out = vec![id];
        for sub in &self.insts[id.0].subs {
            match &sub.state {
                SubState::One(s) | SubState::Array(s, _) => out.extend(self.below(*s)),
                SubState::Family(nets) => nets.iter().for_each(|(_, s)| out.extend(self.below(*s))),
                SubState::Waiting | SubState::Running | SubState::Failed => {}
            }
        }
        out
    }

    /// The value of a member, seen from inside the instance.
    pub fn member_value(&mut self, id: InstId, member: MemberRef, span: Span) -> Res<Value<'a>> {
        let picks = self.frame_ref().picks.clone();
        self.member(NetVal { inst: id, picks, with: vec![] }, member, span)
    }

    /// The value of a member of a net.
    pub fn member(&mut self, net: NetVal, member: MemberRef, span: Span) -> Res<Value<'a>> {
        match member {
            MemberRef::Thunk(n) => {
                let value = self.force(net.inst, n, span)?;
                self.pick_value(value, &net.picks, span)
            }
            MemberRef::Param(p) => Ok(Value::Tensor(self.net_param(&net, p, span)?)),
            MemberRef::LeafParams(n) => {
                let params = self.insts[net.inst.0].leaf_params[n].clone();
                let mut out = Vec::new();
                for (leaf, p) in params {
                    out.push((leaf, Value::Tensor(self.net_param(&net, p, span)?)));
                }
                Ok(Value::Leaves(out.into()))
            }
            MemberRef::Sub(n) => {
                let part = |inst| NetVal { inst, picks: net.picks.clone(), with: net.with.clone() };
                match self.sub(net.inst, n)? {
                    SubState::One(s) | SubState::Array(s, _) => Ok(Value::Net(part(s))),
                    SubState::Family(nets) => {
                        Ok(Value::Family(nets.into_iter().map(|(n, s)| (n, part(s))).collect::<Vec<_>>().into()))
                    }
                    SubState::Waiting | SubState::Running | SubState::Failed => Err(Said),
                }
            }
            MemberRef::Match(n) => {
                let target = self.insts[net.inst.0].matches[n].clone();
                let whole = self.param_value(target.param, span)?;
                let mut picks: Vec<(NameId, Pick)> = net.picks.clone();
                picks.extend(target.elems.iter().cloned());
                Ok(Value::Tensor(self.pick_all(whole, &picks, span)?))
            }
        }
    }

    fn net_param(&mut self, net: &NetVal, p: ParamId, span: Span) -> Res<Tens> {
        let whole = match net.with.iter().rev().find(|(q, _)| *q == p) {
            Some((_, t)) => t.clone(),
            None => match self.single_element(p, &net.picks) {
                Some(t) => t,
                None => self.param_value(p, span)?,
            },
        };
        let picked = self.pick_all(whole, &net.picks, span)?;
        let arrays = self.insts[self.params[p.0].inst.0].arrays.clone();
        let open: Vec<NameId> = arrays.into_iter().filter(|a| !net.picks.iter().any(|(n, _)| n == a)).collect();
        if open.is_empty() { Ok(picked) } else { Ok(self.names_to_sizes(picked, &open)) }
    }

    /// A net's parameter out of an array whose nets have values one by one.
    fn single_element(&mut self, p: ParamId, picks: &[(NameId, Pick)]) -> Option<Tens> {
        if self.overrides[self.hidden..].iter().any(|(q, _)| *q == p) {
            return None;
        }
        let span = self.frame_ref().span;
        let Ok(Effective::Each(axis, list)) = self.effective(p, span) else { return None };
        let (_, Pick::Number(n)) = picks.iter().find(|(a, _)| *a == axis)? else { return None };
        list.get(usize::try_from(n.constant()?).ok()?).cloned()
    }

    /// Computes a thunk.
    fn force(&mut self, id: InstId, n: usize, span: Span) -> Res<Value<'a>> {
        let thunk = std::mem::replace(&mut self.insts[id.0].thunks[n], Thunk::Running);
        let frame = self.inst_frame(id);
        let value = match thunk {
            Thunk::Done(v) | Thunk::Var(v) if matches!(v, Value::Poison) => Err(Said),
            Thunk::Done(v) => {
                self.insts[id.0].thunks[n] = Thunk::Done(v.clone());
                return Ok(v);
            }
            Thunk::Var(v) => {
                self.insts[id.0].thunks[n] = Thunk::Var(v.clone());
                return Ok(v);
            }
            Thunk::Running => {
                let own = self.insts[id.0].members.iter().find(|(_, m)| **m == MemberRef::Thunk(n)).map(|(w, _)| w.clone());
                let own = own.map_or("this value".to_string(), |w| format!("`{w}`"));
                self.fail(
                    Diagnostic::error("H0216", span, format!("{own} depends on itself"))
                        .help("the order of members does not matter, but they must not go in a circle"),
                )
            }
            Thunk::Waiting => {
                self.insts[id.0].thunks[n] = Thunk::Waiting;
                return self.fail(
                    Diagnostic::error("H0217", span, "this `var` is read before its statement")
                        .help("a variable has a value from its statement on; use `let` for what never changes"),
                );
            }
            Thunk::Const(expr, word) => self.const_value(id, frame, expr, &word),
            Thunk::Let(stmt) => {
                self.outside(Frame { span: stmt.span, member: stmt.gives(), ..frame }, |c| c.member_statement(stmt))
            }
            Thunk::Draw(draw) => {
                let frame = Frame { span: draw.name.span, member: Some(draw.name.name.clone()), ..frame };
                self.outside(frame, |c| c.const_draw(draw))
            }
        };
        self.insts[id.0].thunks[n] = Thunk::Done(value.clone().unwrap_or(Value::Poison));
        value
    }

    fn const_value(&mut self, id: InstId, frame: Frame<'a>, expr: &'a ast::Expr, word: &Name) -> Res<Value<'a>> {
        if self.insts[id.0].sees_dims
            && let Some((_, v)) = self.options.set.iter().find(|(n, _)| **n == **word)
        {
            return Ok(Value::Num(super::scope::exact(*v)));
        }
        self.outside(Frame { span: expr.span, member: Some(word.clone()), ..frame }, |c| c.expr(expr))
    }

    /// Labels and extents of a parameter, arrays first.
    pub fn param_shape(&mut self, p: ParamId) -> Res<Vec<(Label, Size)>> {
        if let Some(shape) = &self.params[p.0].shape {
            return Ok(shape.clone());
        }
        let (inst, decl, leaf) = (self.params[p.0].inst, self.params[p.0].decl, self.params[p.0].leaf.clone());
        let mut frame = self.inst_frame(inst);
        frame.span = decl.name.span;
        if let Some((word, leaf, size)) = &leaf {
            frame.scopes.push(vec![(word.clone(), Binding::Value(Value::LeafName(leaf.clone(), size.clone())))]);
        }
        let mut shape: Vec<(Label, Size)> =
            self.insts[inst.0].arrays.clone().into_iter().map(|a| (Label::Named(a), self.size_of(a))).collect();
        let (_, axes) = self.outside(frame, |c| c.tensor_type(&decl.ty))?;
        shape.extend(axes);
        self.params[p.0].shape = Some(shape.clone());
        Ok(shape)
    }

    /// The stored value of a parameter, before any relation.
    pub fn param_source(&mut self, p: ParamId) -> Res<Tens> {
        if let Some(t) = &self.params[p.0].source {
            return Ok(t.clone());
        }
        let shape = self.param_shape(p)?;
        let param = &self.params[p.0];
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
        let axes = shape.iter().enumerate().map(|(i, (l, s))| self.axis(*l, &format!("d{i}"), s.clone())).collect();
        let labels = shape.iter().map(|(l, _)| *l).collect();
        let level = std::mem::replace(&mut self.level, 0);
        let mut node = Node::new(Op::Source { origin, path }, dtype, axes);
        node.name = Some(name);
        let t = self.emit(node, labels, vec![]);
        self.levels[0].graph.node_mut(t.node).span = span;
        self.level = level;
        self.params[p.0].source = Some(t.clone());
        Ok(t)
    }

    /// The tree of an instance's parameters.
    pub fn inst_tree(&mut self, net: &NetVal, span: Span) -> Res<Tree> {
        let mut parts = Vec::new();
        for (name, member) in self.insts[net.inst.0].order.clone() {
            match member {
                MemberRef::Param(p) => {
                    let kind = self.params[p.0].decl.kind;
                    if kind == ast::ParamKind::Param {
                        parts.push((name, Tree::Leaf(self.tree_leaf(net, p, span)?)));
                    }
                }
                MemberRef::LeafParams(n) => {
                    for (leaf, p) in self.insts[net.inst.0].leaf_params[n].clone() {
                        parts.push((format!("{name}.{leaf}").into(), Tree::Leaf(self.tree_leaf(net, p, span)?)));
                    }
                }
                MemberRef::Sub(n) => parts.push((name, self.sub_tree(net, n, span)?)),
                MemberRef::Thunk(_) | MemberRef::Match(_) => {}
            }
        }
        Ok(Tree::Node(parts))
    }

    fn sub_tree(&mut self, net: &NetVal, n: usize, span: Span) -> Res<Tree> {
        let part = |inst| NetVal { inst, picks: net.picks.clone(), with: net.with.clone() };
        match self.sub(net.inst, n)? {
            SubState::One(s) => self.inst_tree(&part(s), span),
            SubState::Array(s, axis) => {
                let mut inner = part(s);
                inner.picks.push((axis, Pick::Name(axis)));
                Ok(Tree::Array { axis, item: Box::new(self.inst_tree(&inner, span)?) })
            }
            SubState::Family(nets) => {
                let mut parts = Vec::new();
                for (name, s) in nets {
                    parts.push((name, self.inst_tree(&part(s), span)?));
                }
                Ok(Tree::Node(parts))
            }
            SubState::Waiting | SubState::Running | SubState::Failed => Err(Said),
        }
    }

    /// The tree of an instance's parameters by their shapes alone: no relation is asked for a value.
    pub fn shape_tree(&mut self, value: Value<'a>, span: Span) -> Res<Tree> {
        let before = std::mem::replace(&mut self.shapes_only, true);
        let tree = self.tree_of(value, span);
        self.shapes_only = before;
        tree
    }

    fn tree_leaf(&mut self, net: &NetVal, p: ParamId, span: Span) -> Res<Tens> {
        if self.shapes_only {
            let whole = self.param_source(p)?;
            return self.pick_all(whole, &net.picks, span);
        }
        let whole = match net.with.iter().rev().find(|(q, _)| *q == p) {
            Some((_, t)) => t.clone(),
            None => self.param_value(p, span)?,
        };
        self.pick_all(whole, &net.picks, span)
    }

    /// Number of values below a net (or in one parameter), from shapes alone: no parameter is read.
    pub fn tree_size(&mut self, net: &NetVal) -> Res<Size> {
        let mut total = Size::from(0i64);
        for p in self.leaf_params_of(net.inst)? {
            let mut size = Size::from(1i64);
            for (label, extent) in self.param_shape(p)? {
                let picked = matches!(label, Label::Named(n) if net.picks.iter().any(|(a, _)| *a == n));
                if !picked {
                    size = size.mul(&extent);
                }
            }
            total = total.add(&size);
        }
        Ok(self.resolve(&total))
    }

    /// Parameters below an instance, in declaration order; states and loads are not among them.
    pub fn leaf_params_of(&mut self, id: InstId) -> Res<Vec<ParamId>> {
        let mut out = Vec::new();
        for (_, member) in self.insts[id.0].order.clone() {
            match member {
                MemberRef::Param(p) if self.params[p.0].decl.kind == ast::ParamKind::Param => out.push(p),
                MemberRef::LeafParams(n) => out.extend(self.insts[id.0].leaf_params[n].iter().map(|(_, p)| *p)),
                MemberRef::Sub(n) => match self.sub(id, n)? {
                    SubState::One(s) | SubState::Array(s, _) => out.extend(self.leaf_params_of(s)?),
                    SubState::Family(nets) => {
                        for (_, s) in nets {
                            out.extend(self.leaf_params_of(s)?);
                        }
                    }
                    SubState::Waiting | SubState::Running | SubState::Failed => return Err(Said),
                },
                MemberRef::Param(_) | MemberRef::Thunk(_) | MemberRef::Match(_) => {}
            }
        }
        Ok(out)
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
                    return self.error("H0219", *span, "`*` stands for the lifted axes, and only a draw has them in its type");
                }
                ast::AxisExpr::Expr(e) => out.push(self.declared_axis(e)?),
            }
        }
        Ok((dtype, out))
    }

    /// Says that a type is none that a tensor has.
    pub fn no_type<T>(&mut self, ty: &ast::Type) -> Res<T> {
        let d = match &ty.kind {
            ast::TypeKind::Tree(path) if matches!(self.meaning(&path.root.name), super::scope::Meaning::Nothing) => {
                foreign_type(path)
            }
            _ => Diagnostic::error("H0218", ty.span, "a tensor's type is wanted here").help("`f32`, `i32[b]`, `[b, 64]`"),
        };
        self.fail(d)
    }

    /// One entry of a declared type: an axis, or a size.
    pub fn declared_axis(&mut self, e: &'a ast::Expr) -> Res<(Label, Size)> {
        if let ast::ExprKind::Name(word) = &*e.kind
            && let Some(n) = self.axis_word(word)
        {
            return Ok((Label::Named(n), self.size_of(n)));
        }
        if let ast::ExprKind::Name(word) = &*e.kind
            && self.frame_ref().sees_dims
            && matches!(self.meaning(word), super::scope::Meaning::Nothing)
            && suggest(word, self.visible_words().iter().map(|n| &**n)).is_none()
            && !matches!(&**word, "true" | "false" | "training" | "self")
        {
            return self.fail(
                Diagnostic::error("H0201", e.span, format!("nothing here is called `{word}`"))
                    .help(format!("an axis is declared in the file: `dim {word}`, or `dim {word} = 16` of known length")),
            );
        }
        Ok((Label::Sized, self.size_of_expr(e)?))
    }
}

/// A word that is a type elsewhere, and what it is here.
pub fn foreign_type(path: &ast::Path) -> Diagnostic {
    let (word, span) = (&*path.root.name, path.root.span);
    let d = Diagnostic::error("H0218", span, format!("there is no type `{word}`"));
    let own = match word.to_lowercase().as_str() {
        "float" | "float32" | "float64" | "f64" | "f16" | "bf16" | "double" | "real" | "number" | "num" => "f32",
        "int" | "integer" | "int32" | "int64" | "i64" | "u32" | "u8" | "usize" | "long" | "index" => "i32",
        "boolean" | "truth" => "bool",
        "tensor" | "array" | "vector" | "matrix" | "list" | "ndarray" => {
            return d.help("the type of a tensor is its axes in brackets: `[b, 64]`, `i32[b]`");
        }
        _ => match suggest(word, ["f32", "i32", "bool", "size", "seed"]) {
            Some(near) => near,
            None => return d.help("there are `f32`, `i32`, `bool`, with axes as in `i32[b]` or `[b, 64]`; `size` and `seed`"),
        },
    };
    d.fix(format!("`{own}` is the word here"), span, own)
}

/// What an instance is made from.
pub struct Made<'a> {
    pub file: usize,
    pub net: &'a ast::NetDef,
    pub parent: Option<InstId>,
    pub path: String,
    pub form: bool,
    pub arrays: Vec<NameId>,
    pub span: Span,
}

/// `a.b`
pub fn join(a: &str, b: &str) -> String {
    if a.is_empty() { b.to_string() } else { format!("{a}.{b}") }
}

/// `1 number`, `2 numbers`
pub fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
