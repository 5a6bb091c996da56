//! Instances from declarations.

use super::choice::Whose;
use super::{InstId, Made, MemberRef, Parts, SubFrom, SubState, Thunk, join};
use crate::check::library::Wanted;
use crate::check::scope::{Binding, Frame};
use crate::check::value::{Plan, Value};
use crate::check::word::FileItem;
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::Size;
use crate::syntax::ast::{self, Name};

/// Nets that may stand in one another.
const MAX_DEPTH: usize = 100;

impl<'a> Checker<'a> {
    /// Makes a net: its arguments bound, its members declared, nothing computed.
    pub fn instantiate(&mut self, made: Made<'a>, args: Vec<(Name, Value<'a>)>) -> Res<InstId> {
        // A net has no way to stop: what contains itself once does so for ever. A net that is an argument was chosen from outside: there
        // only what is declared in itself, at one place, goes on for ever.
        let (mut above, mut depth, mut own) = (made.parent, 0, !made.given);
        while let Some(id) = above {
            depth += 1;
            let same = self.nets[id].net.is_some_and(|n| std::ptr::eq(n, made.net));
            if same && (own || self.nets[id].span == made.span) {
                let name = &made.net.name.name;
                return self.fail(
                    Diagnostic::error(Code::H0215, made.span, format!("`{name}` contains itself"))
                        .label(made.net.name.span, format!("`{name}` is declared here"))
                        .help("for nets one after the other, take an array, `sub layer[n] = ..`, and a `for`"),
                );
            }
            own &= !self.nets[id].given;
            above = self.nets[id].parent;
        }
        if depth > MAX_DEPTH {
            return self.fail(
                Diagnostic::limit(Code::H0821, made.span, format!("more than {MAX_DEPTH} nets stand in one another here"))
                    .help("nets one after the other are an array, `sub layer[n] = ..`, and a `for`"),
            );
        }
        self.nested(made.span, |c| c.declare_net(made, args))
    }

    fn declare_net(&mut self, made: Made<'a>, args: Vec<(Name, Value<'a>)>) -> Res<InstId> {
        // A net is more than a call.
        self.scopes.count(9);
        let id = self.nets.new_inst(made.file, made.parent, made.path, made.span);
        self.nets[id].net = Some(made.net);
        self.nets[id].form |= made.form;
        self.nets[id].given = made.given;
        self.nets[id].decl = made.decl;
        self.nets[id].arrays = made.arrays;
        self.bind_formals(id, made.net, args)?;
        for stmt in &made.net.members {
            let ast::StmtKind::Signature(signature) = &stmt.kind else { continue };
            if self.nets[id].signature.is_some() {
                self.report.say(
                    Diagnostic::error(Code::H0210, signature.span, format!("`{}` has a second signature", made.net.name.name))
                        .help("a net is called in one way; write a second net for the other"),
                );
                continue;
            }
            self.nets[id].signature = Some(signature);
        }
        self.declare_members(id, &made.net.members, Whose::Net);
        Ok(id)
    }

    /// The net that a `sub` names.
    pub(super) fn net_def(&mut self, file: usize, name: &ast::Ident, args: &'a [ast::Arg]) -> Res<(usize, &'a ast::NetDef)> {
        match self.files[file].items.get(&name.name) {
            Some(FileItem::Net(at, def)) => Ok((*at, def)),
            Some(_) => self.error(Code::H0214, name.span, format!("`{}` is no net", name.name)),
            None if self.report.is_full() => self.error(Code::H0201, name.span, ""),
            None => {
                if let Some(said) = self.files[file].missing.get(&name.name) {
                    return Err(*said);
                }
                let d = Diagnostic::error(Code::H0201, name.span, format!("no net is called `{}`", name.name));
                if let Some(says) = crate::check::habit::of_net(&name.name) {
                    return self.fail(d.help(says));
                }
                let nets = self.files[file].items.iter().filter(|(_, i)| matches!(i, FileItem::Net(..)));
                let mut known: Vec<&str> = nets.map(|(n, _)| &**n).collect();
                known.sort_unstable();
                let d = self.unknown_word(d, (&name.name, name.span), &known, Wanted::Net(args), file).unwrap_or_else(|d| d);
                self.fail(d)
            }
        }
    }

    /// A form of a file.
    pub fn file_form(&mut self, file: usize, decl: &'a ast::SubDecl) -> Res<InstId> {
        if let Some(known) = self.nets.known_form(decl.name.span) {
            return Ok(known);
        }
        let (at, net) = self.net_def(file, &decl.net, &decl.args)?;
        let frame = Frame::new(file, None);
        let args = self.outside(frame, |c| c.actuals(net, &decl.args, decl.name.span))?;
        let made = Made {
            file: at,
            net,
            parent: None,
            path: decl.name.name.to_string(),
            form: true,
            given: false,
            decl: Some(decl),
            arrays: vec![],
            span: decl.name.span,
        };
        self.instantiate(made, args)
    }

    /// The parts that a `sub` declares, made when first asked for.
    pub fn sub(&mut self, id: InstId, n: usize) -> Res<Parts> {
        let (from, name) = (self.nets[id].subs[n].from.clone(), self.nets[id].subs[n].name);
        match &self.nets[id].subs[n].state {
            SubState::Running => {
                return self.fail(
                    Diagnostic::error(Code::H0215, name.span, format!("`{}` contains itself", name.name))
                        .help("what a net is made of cannot depend on the net"),
                );
            }
            SubState::Waiting => {}
            SubState::Done(made) => return made.clone(),
        }
        self.nets[id].subs[n].state = SubState::Running;
        let made = match from {
            SubFrom::Decl(decl) => self.make_sub(id, decl),
            SubFrom::Given(plan) => self.make_given(id, name, &plan),
        };
        self.nets[id].subs[n].state = SubState::Done(made.clone());
        made
    }

    /// A net that is an argument, as a part of the net that has it.
    fn make_given(&mut self, id: InstId, name: &ast::Ident, plan: &Plan<'a>) -> Res<Parts> {
        let inst = &self.nets[id];
        let made = Made {
            file: plan.file,
            net: plan.net,
            parent: Some(id),
            path: join(&inst.path, &name.name),
            form: inst.form,
            given: true,
            decl: None,
            arrays: inst.arrays.clone(),
            span: plan.span,
        };
        Ok(Parts::One(self.instantiate(made, plan.args.clone())?))
    }

    fn make_sub(&mut self, id: InstId, decl: &'a ast::SubDecl) -> Res<Parts> {
        let file = self.nets[id].file;
        let (at, net) = self.net_def(file, &decl.net, &decl.args)?;
        let mut frame = self.nets.inst_frame(id);
        frame.span = decl.name.span;
        let path = join(&self.nets[id].path, &decl.name.name);
        let arrays = self.nets[id].arrays.clone();
        let form = decl.form || self.nets[id].form;
        let span = decl.name.span;
        let made = |path: String, arrays| Made {
            file: at,
            net,
            parent: Some(id),
            path,
            form,
            given: false,
            decl: Some(decl),
            arrays,
            span,
        };
        match &decl.array {
            ast::ArrayDecl::One => {
                let args = self.outside(frame, |c| c.actuals(net, &decl.args, decl.net.span))?;
                Ok(Parts::One(self.instantiate(made(path, arrays), args)?))
            }
            ast::ArrayDecl::Array(count) => {
                let (n, args) =
                    self.outside(frame, |c| Ok((c.size_of_expr(count)?, c.actuals(net, &decl.args, decl.net.span)?)))?;
                let axis = self.axes.new_name(&decl.name.name, n, Some(count.span));
                let arrays = [arrays, vec![axis]].concat();
                Ok(Parts::Array(self.instantiate(made(format!("{path}.*"), arrays), args)?, axis))
            }
            ast::ArrayDecl::Family { index, count } => {
                let n = self.outside(frame.clone(), |c| c.size_of_expr(count))?;
                let Some(n) = n.constant() else { return self.unknown(count.span, "the length of a family") };
                if n > 4096 {
                    return self.fail(Diagnostic::limit(Code::H0812, count.span, format!("a family of {n} nets is too long")));
                }
                let mut nets = Vec::new();
                for l in 0..n {
                    let mut frame = frame.clone();
                    frame.scopes.push([(index.name.clone(), Binding::Value(Value::from(Size::from(l))))].into());
                    let args = self.outside(frame, |c| c.actuals(net, &decl.args, decl.net.span))?;
                    nets.push((Name::from(l.to_string()), self.instantiate(made(format!("{path}.{l}"), arrays.clone()), args)?));
                }
                Ok(Parts::Family(nets.into()))
            }
            ast::ArrayDecl::Leaves { index, tree } => {
                let leaves = self.outside(frame.clone(), |c| c.leaf_names(tree))?;
                let mut nets = Vec::new();
                for (leaf, size) in leaves {
                    let mut frame = frame.clone();
                    let value = Value::LeafName(leaf.clone(), size);
                    frame.scopes.push([(index.name.clone(), Binding::Value(value))].into());
                    let args = self.outside(frame, |c| c.actuals(net, &decl.args, decl.net.span))?;
                    nets.push((leaf.clone(), self.instantiate(made(format!("{path}.{leaf}"), arrays.clone()), args)?));
                }
                Ok(Parts::Family(nets.into()))
            }
        }
    }

    /// Whether a member can be read for what kind of thing it is without computing anything: a net, or the parameters over a tree.
    pub fn is_made(&self, id: InstId, member: MemberRef) -> bool {
        match member {
            MemberRef::Sub(n) => !matches!(self.nets[id].subs[n].state, SubState::Running),
            MemberRef::LeafParams(_) => true,
            MemberRef::Thunk(n) => {
                matches!(&self.nets[id].thunks[n], Thunk::Done(Value::Net(_) | Value::Family(_) | Value::Leaves(_)))
            }
            MemberRef::Param(_) | MemberRef::Match(_) => false,
        }
    }

    /// Makes all parts of a net, so that relations find them.
    pub fn make_all(&mut self, id: InstId) {
        for (n, decl) in std::mem::take(&mut self.nets[id].over_leaves) {
            let Some((word, tree)) = &decl.over else { continue };
            let leaves = self.outside(self.nets.inst_frame(id), |c| c.leaf_names(tree)).unwrap_or_default();
            for (leaf, size) in leaves {
                let p = self.nets.new_param(id, decl, Some((word.name.clone(), leaf.clone(), size)));
                self.nets[id].leaf_params[n].push((leaf, p));
            }
        }
        for n in 0..self.nets[id].subs.len() {
            let _ = self.sub(id, n);
            let made = self.nets[id].subs[n].made();
            made.iter().for_each(|s| self.make_all(*s));
        }
    }
}
