//! Members of instances, computed when they are first read.

use super::{InstId, MemberRef, ParamId, Parts, Thunk};
use crate::check::scope::Frame;
use crate::check::value::{NameId, NetVal, Pick, Tens, Value};
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::Written;
use crate::source::Span;
use crate::syntax::ast::{self, Name};
use std::rc::Rc;

impl<'a> Checker<'a> {
    /// The value of a member, seen from inside the instance.
    pub fn member_value(&mut self, id: InstId, member: MemberRef, span: Span) -> Res<Value<'a>> {
        let picks = self.scopes.frame().picks.clone();
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
                let params = self.nets[net.inst].leaf_params[n].clone();
                let mut out = Vec::new();
                for (leaf, p) in params {
                    out.push((leaf, Value::Tensor(self.net_param(&net, p, span)?)));
                }
                Ok(Value::Leaves(out.into()))
            }
            MemberRef::Sub(n) => {
                let part = |inst| NetVal { inst, picks: net.picks.clone(), with: net.with.clone() };
                match self.sub(net.inst, n)? {
                    Parts::One(s) | Parts::Array(s, _) => Ok(Value::Net(part(s))),
                    Parts::Family(nets) => {
                        let plain = net.picks.is_empty() && net.with.is_empty();
                        let known = &self.nets[net.inst].subs[n].family;
                        if let Some(known) = known.as_ref().filter(|_| plain) {
                            return Ok(Value::Family(known.clone()));
                        }
                        let made = Rc::new(nets.iter().map(|(n, s)| (n.clone(), part(*s))).collect::<Vec<_>>());
                        if plain {
                            self.nets[net.inst].subs[n].family = Some(made.clone());
                        }
                        Ok(Value::Family(made))
                    }
                }
            }
            MemberRef::Match(n) => {
                let target = self.nets[net.inst].matches[n].clone();
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
            None => match self.single_element(p, &net.picks)? {
                Some(t) => t,
                None => self.param_value(p, span)?,
            },
        };
        let picked = self.pick_all(whole, &net.picks, span)?;
        if net.picks.iter().any(|(_, pick)| matches!(pick, Pick::Mix(_))) {
            let path = self.nets[p].path.clone();
            self.build.at_mut(&picked).writes = Some(Written { by: "blend", path }.into());
        }
        let arrays = self.nets[self.nets[p].inst].arrays.clone();
        let open: Vec<NameId> = arrays.into_iter().filter(|a| !net.picks.iter().any(|(n, _)| n == a)).collect();
        if open.is_empty() { Ok(picked) } else { Ok(self.names_to_sizes(picked, &open)) }
    }

    /// Computes a thunk.
    fn force(&mut self, id: InstId, n: usize, span: Span) -> Res<Value<'a>> {
        let of_self = self.of_self(id, n);
        let own = self.scopes.frame().own.clone().filter(|_| of_self);
        let thunk = std::mem::replace(&mut self.nets[id].thunks[n], Thunk::Running);
        let frame = Frame { own, ..self.nets.inst_frame(id) };
        let value = match thunk {
            Thunk::Done(Value::Poison(said)) | Thunk::Var(Value::Poison(said), _) => Err(said),
            Thunk::Done(v) => {
                self.nets[id].thunks[n] = Thunk::Done(v.clone());
                return Ok(v);
            }
            Thunk::Var(v, ty) => {
                self.nets[id].thunks[n] = Thunk::Var(v.clone(), ty);
                return Ok(v);
            }
            Thunk::Running => {
                let own = self.nets[id].members.iter().find(|(_, m)| **m == MemberRef::Thunk(n)).map(|(w, _)| w.clone());
                let own = own.map_or("this value".to_string(), |w| format!("`{w}`"));
                self.fail(
                    Diagnostic::error(Code::H0216, span, format!("{own} depends on itself"))
                        .help("the order of members does not matter, but they must not go in a circle"),
                )
            }
            Thunk::Waiting => {
                self.nets[id].thunks[n] = Thunk::Waiting;
                return self.fail(
                    Diagnostic::error(Code::H0217, span, "this `var` is read before its statement")
                        .help("a variable has a value from its statement on; use `let` for what never changes"),
                );
            }
            Thunk::Const(expr, word) => self.const_value(id, frame, expr, &word),
            Thunk::Let(stmt) => {
                let made = self.outside(Frame { span: stmt.span, member: stmt.gives(), ..frame }, |c| c.member_statement(stmt));
                if of_self {
                    // The next relation has another `self`.
                    self.nets[id].thunks[n] = Thunk::Let(stmt);
                    return made;
                }
                made
            }
            Thunk::Draw(draw) => {
                let frame = Frame { span: draw.name.span, member: Some(draw.name.name.clone()), ..frame };
                self.outside(frame, |c| c.const_draw(draw))
            }
        };
        self.nets[id].thunks[n] = Thunk::Done(value.clone().unwrap_or_else(Value::Poison));
        value
    }

    fn const_value(&mut self, id: InstId, frame: Frame<'a>, expr: &'a ast::Expr, word: &Name) -> Res<Value<'a>> {
        if self.nets[id].sees_dims
            && let Some(v) = self.root.setting(word)
        {
            return Ok(Value::Num(crate::check::word::exact(v)));
        }
        self.outside(Frame { span: expr.span, member: Some(word.clone()), ..frame }, |c| c.expr(expr))
    }
}
