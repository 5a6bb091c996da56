//! Variables: their values, whole and in part.

use super::instance::{MemberRef, Thunk};
use super::scope::Binding;
use super::value::{Label, NameId, Tens, Value};
use super::word::Meaning;
use super::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::{DType, Map, Size};
use crate::source::Span;
use crate::syntax::ast::{self, Expr};
use std::collections::BTreeSet;

impl<'a> Checker<'a> {
    /// What a variable begins with: `var v = value`, `var v: type = value`.
    pub fn var_value(&mut self, ty: Option<&'a ast::Type>, value: &'a Expr) -> Res<Value<'a>> {
        let Some(ty) = ty else {
            return match self.expr(value)? {
                Value::List(list) => self.list_tens(&list).map(Value::Tensor),
                v => Ok(v),
            };
        };
        if let Some(v) = self.filled(ty, value)? {
            return Ok(v);
        }
        let v = self.expr(value)?;
        self.declared_value(ty, v, value.span)
    }

    /// `v = value`, `v[i, 0] = value`
    pub fn assign_var(&mut self, name: &'a ast::Ident, slots: Option<&'a [ast::Slot]>, value: &'a Expr) -> Res<()> {
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
                    Diagnostic::error(Code::H0502, name.span, format!("`{}` cannot be assigned", name.name))
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
            Value::Num(n) if a.dtype == DType::F32 => self.num_f32(&n),
            v => self.as_tens(v, span)?,
        };
        let (p, q) = (self.sized_extents(a), self.sized_extents(&t));
        if p.len() != q.len() || !p.iter().zip(&q).all(|(x, y)| self.axes.same(x, y)) {
            let message = format!("the variable is {}, and this is {}", self.show(a), self.show(&t));
            return self.error(Code::H0503, span, message);
        }
        if a.dtype == DType::F32 && t.dtype == DType::I32 {
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
            return self.error(Code::H0502, value.span, "only a part of a tensor can be assigned");
        };
        let extents = self.sized_extents(&old);
        if slots.len() > extents.len() {
            return self.error(
                Code::H0410,
                value.span,
                format!("there are more indices than sizes: this is {}", self.show(&old)),
            );
        }
        let (names, mask, v) = self.in_scope(|c| {
            let (names, mask) = c.part_slots(&extents, slots, value.span)?;
            Ok((names, mask, c.expr(value)?))
        })?;
        let t = match v {
            Value::Num(n) if old.dtype == DType::F32 => self.num_f32(&n),
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
            t = self.pointwise(Map::Select, &[&m, &t, &was])?;
        }
        Ok(Value::Tensor(self.names_to_sizes(t, &names)))
    }

    /// Names for the sizes of a variable, and where the part is, as far as numbers say it.
    fn part_slots(&mut self, extents: &[Size], slots: &'a [ast::Slot], at: Span) -> Res<(Vec<NameId>, Option<Tens>)> {
        let mut names = vec![];
        let mut mask: Option<Tens> = None;
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
                    return self.error(Code::H0407, at, "a part of a variable is named by indices and numbers");
                }
            };
            if let Some(index) = fixed {
                let index = self.inside(&index, None, extent, at)?;
                let counter = self.iota(n);
                let here = self.pointwise(Map::Eq, &[&counter, &index])?;
                mask = Some(match mask {
                    None => here,
                    Some(m) => self.pointwise(Map::And, &[&m, &here])?,
                });
            }
        }
        Ok((names, mask))
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
