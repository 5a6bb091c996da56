//! Variables: their values, whole and in part.

use super::instance::{MemberRef, Thunk};
use super::kind::{elements, kind_of};
use super::scope::Binding;
use super::value::{Label, NameId, Num, Tens, Value};
use super::word::Meaning;
use super::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::{DType, Map, Size};
use crate::source::Span;
use crate::syntax::ast::{self, Expr, Slot};
use std::collections::BTreeSet;

/// A part of a variable.
struct Part {
    /// Names for its sizes, in order.
    names: Vec<NameId>,
    /// How many of them the left side mentions.
    given: usize,
    /// Where the part is, along these and along axes with names.
    mask: Option<Tens>,
}

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
        match self.declared_value(ty, v, value.span)? {
            Value::Num(n) => Ok(self.real_var(n, ty)),
            v => Ok(v),
        }
    }

    /// `v = value`, `v[i, 0] = value`
    pub fn assign_var(&mut self, name: &'a ast::Ident, slots: Option<&'a [Slot]>, value: &'a Expr) -> Res<()> {
        let meaning = self.meaning(&name.name);
        if let Meaning::Member(id, MemberRef::Thunk(n)) = &meaning
            && let Some(said) = self.nets[*id].thunks[*n].failed()
        {
            return Err(said);
        }
        let (old, ty) = match meaning {
            Meaning::Local(Binding::Var(v, ty)) => (v, ty),
            Meaning::Member(id, MemberRef::Thunk(n)) if matches!(self.nets[id].thunks[n], Thunk::Var(..)) => {
                let ty = if let Thunk::Var(_, ty) = self.nets[id].thunks[n] { ty } else { None };
                (self.member_value(id, MemberRef::Thunk(n), name.span)?, ty)
            }
            meaning => {
                if let Meaning::Nothing = meaning {
                    let own = matches!(&*name.name, "true" | "false" | "training" | "self");
                    let free = !own && crate::check::builtin::find(&name.name).is_none();
                    if slots.is_none() && free && !self.report.is_full() {
                        let d = Diagnostic::error(Code::H0201, name.span, format!("nothing here is called `{}`", name.name));
                        let known = self.visible_words();
                        let near = crate::diag::suggest(&name.name, known.iter().map(|n| &**n));
                        let before = Span { end: name.span.start, ..name.span };
                        return self.fail(match near {
                            Some(near) => d.meant(&name.name, name.span, near),
                            None => d.fix("a value gets its name with `let`, one that changes with `var`", before, "let "),
                        });
                    }
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
                self.keep_type(&old, ty, v, value.span)?
            }
            Some(slots) => self.assign_part(&old, ty, slots, value)?,
        };
        self.set_var(&name.name, new);
        Ok(())
    }

    /// A variable keeps its kind of element and its sizes; names may join. Only one that begins with a whole number and has no type
    /// becomes real with what it is assigned.
    fn keep_type(&mut self, old: &Value<'a>, ty: Option<&'a ast::Type>, new: Value<'a>, span: Span) -> Res<Value<'a>> {
        let new = match (new, ty) {
            (Value::List(list), _) => Value::Tensor(self.list_tens(&list)?),
            (Value::Num(n), Some(ty)) => {
                let n = self.number_kind(n, kind_of(ty), span, ty.span)?;
                self.real_var(n, ty)
            }
            (v, _) => v,
        };
        let a = match old {
            Value::Tensor(a) => a.clone(),
            Value::Num(_) | Value::Bool(_) => {
                let was = self.as_tens(old.clone(), span)?;
                let known = matches!((old, &new), (Value::Num(_), Value::Num(_)) | (Value::Bool(_), Value::Bool(_)));
                if known || ty.is_none() && is_truth(old) == is_truth(&new) {
                    return Ok(new);
                }
                was
            }
            _ => return Ok(new),
        };
        let t = match new {
            Value::Num(n) if a.dtype == DType::F32 => self.num_f32(&n),
            v => self.as_tens(v, span)?,
        };
        let t = self.keep_kind(&a, ty, t, span)?;
        let (p, q) = (self.sized_extents(&a), self.sized_extents(&t));
        if p.len() != q.len() || !p.iter().zip(&q).all(|(x, y)| self.axes.same(x, y)) {
            let message = format!("the variable is {}, and this is {}", self.show(&a), self.show(&t));
            return self.error(Code::H0503, span, message);
        }
        Ok(Value::Tensor(t))
    }

    /// Elements for a variable, of the kind that it has.
    fn keep_kind(&mut self, old: &Tens, ty: Option<&'a ast::Type>, t: Tens, span: Span) -> Res<Tens> {
        if let Some(ty) = ty {
            return self.scalar_kind(t, kind_of(ty), span, ty.span);
        }
        if (old.dtype == DType::Bool) != (t.dtype == DType::Bool) {
            let message = format!("the variable is {}, and this is {}", self.show_kind(old), self.show_kind(&t));
            let help =
                if t.dtype == DType::Bool { "`number(..)` makes 1 of true and 0 of false" } else { "compare: `> 0.5`, `!= 0`" };
            return self.fail(Diagnostic::error(Code::H0503, span, message).help(help));
        }
        Ok(if old.dtype == DType::F32 { self.to_f32(&t) } else { t })
    }

    /// A number that is known, as a variable of this type: what meets it is real from the start, where real is declared.
    fn real_var(&mut self, n: Num, ty: &ast::Type) -> Value<'a> {
        match n {
            Num::Exact(_) if elements(kind_of(ty)) == DType::F32 => Value::Tensor(self.num_f32(&n)),
            n => Value::Num(n),
        }
    }

    /// Sets a variable wherever it was declared.
    pub fn set_var(&mut self, name: &str, value: Value<'a>) {
        if self.scopes.local(name).is_some() {
            self.scopes.assign(name, value);
        } else if let Meaning::Member(id, MemberRef::Thunk(n)) = self.meaning(name) {
            let ty = if let Thunk::Var(_, ty) = self.nets[id].thunks[n] { ty } else { None };
            self.nets[id].thunks[n] = Thunk::Var(value, ty);
        }
    }

    /// `v[i, 0] = ..`: a part of a variable.
    fn assign_part(&mut self, old: &Value<'a>, ty: Option<&'a ast::Type>, slots: &'a [Slot], value: &'a Expr) -> Res<Value<'a>> {
        let Value::Tensor(old) = old.clone() else {
            return self.error(Code::H0502, value.span, "only a part of a tensor can be assigned");
        };
        let (part, v) = self.in_scope(|c| {
            let part = c.part_slots(&old, slots, value.span)?;
            Ok((part, c.expr(value)?))
        })?;
        let t = match v {
            Value::Num(n) if old.dtype == DType::F32 => self.num_f32(&n),
            v => self.as_tens(v, value.span)?,
        };
        let mut t = self.keep_kind(&old, ty, t, value.span)?;
        // What begins whole and gets real parts is real.
        let old = if t.dtype == DType::F32 { self.to_f32(&old) } else { old };
        for (d, n) in t.sized().into_iter().zip(&part.names[part.given..]) {
            t = self.dim_to_name(&t, d, *n);
        }
        let mut was = old.clone();
        for (d, n) in old.sized().into_iter().zip(&part.names) {
            was.labels[d] = Label::Named(*n);
        }
        if let Some(m) = part.mask {
            t = self.pointwise(Map::Select, &[&m, &t, &was])?;
        }
        Ok(Value::Tensor(self.names_to_sizes(t, &part.names)))
    }

    /// Names for the sizes of a variable, and where the part is, as far as numbers and data say it.
    fn part_slots(&mut self, old: &Tens, slots: &'a [Slot], at: Span) -> Res<Part> {
        let extents = self.sized_extents(old);
        let mut part = Part { names: vec![], given: 0, mask: None };
        for slot in slots {
            // A slot goes home to an axis with a name, or to the next size.
            let home = match slot {
                Slot::Index(ast::Index::Along { axis, value }) => {
                    let dim = self.along(old, axis)?;
                    let ast::Index::At(e) = &**value else {
                        return self.error(Code::H0407, at, "a part of a variable is named by indices and numbers");
                    };
                    let v = self.expr(e)?;
                    Some((dim, Some((self.index_tens(v, e.span)?, e.span))))
                }
                Slot::Bound(b) => match self.meaning(&b.name.name) {
                    Meaning::Axis(n) | Meaning::Local(Binding::Index(n)) => old.find(n).map(|dim| (dim, None)),
                    Meaning::Local(Binding::Round(v, n)) => match old.find(n) {
                        Some(dim) => Some((dim, Some((self.index_tens(v, b.name.span)?, b.name.span)))),
                        None => None,
                    },
                    _ => None,
                },
                Slot::Index(_) | Slot::Merged(..) => None,
            };
            match home {
                Some((_, None)) => {}
                Some((dim, Some((index, span)))) => {
                    let Label::Named(n) = old.labels[dim] else { continue };
                    self.narrow(&mut part, n, &index, span)?;
                }
                None => self.sized_slot(&mut part, &extents, slot, old, at)?,
            }
        }
        part.given = part.names.len();
        for (i, extent) in extents.iter().enumerate().skip(part.given) {
            part.names.push(self.axes.new_name(&format!("d{i}"), extent.clone(), None));
        }
        Ok(part)
    }

    /// A slot for the next size.
    fn sized_slot(&mut self, part: &mut Part, extents: &[Size], slot: &'a Slot, old: &Tens, at: Span) -> Res<()> {
        let i = part.names.len();
        let Some(extent) = extents.get(i) else {
            return self.error(Code::H0410, at, format!("there are more indices than sizes: this is {}", self.show(old)));
        };
        let n = self.axes.new_name(&format!("d{i}"), extent.clone(), None);
        part.names.push(n);
        let (index, span) = match slot {
            Slot::Bound(b) => match self.meaning(&b.name.name) {
                Meaning::Nothing => {
                    if let Some(range) = &b.range {
                        let given = self.size_of_expr(range)?;
                        if !self.axes.same(&given, extent) {
                            return self.range_error(n, &given, range.span, "places");
                        }
                    }
                    return self.define(&b.name, Binding::Index(n));
                }
                _ => {
                    let v = self.word(&b.name.name, b.name.span)?;
                    (self.index_tens(v, b.name.span)?, b.name.span)
                }
            },
            Slot::Index(ast::Index::At(e)) => {
                let v = self.expr(e)?;
                (self.index_tens(v, e.span)?, e.span)
            }
            Slot::Index(_) | Slot::Merged(..) => {
                return self.error(Code::H0407, at, "a part of a variable is named by indices and numbers");
            }
        };
        self.narrow(part, n, &index, span)
    }

    /// The part is at this place along a name.
    fn narrow(&mut self, part: &mut Part, n: NameId, index: &Tens, span: Span) -> Res<()> {
        let extent = self.axes.size_of(n);
        let index = self.inside(index, None, &extent, span)?;
        let counter = self.iota(n);
        let here = self.pointwise(Map::Eq, &[&counter, &index])?;
        part.mask = Some(match part.mask.take() {
            None => here,
            Some(m) => self.pointwise(Map::And, &[&m, &here])?,
        });
        Ok(())
    }

    /// The value that a variable has now.
    pub fn variable(&self, name: &str) -> Option<Value<'a>> {
        if let Some(binding) = self.scopes.local(name) {
            return if let Binding::Var(v, _) = binding { Some(v.clone()) } else { None };
        }
        let (id, MemberRef::Thunk(n)) = self.member_named(name)? else { return None };
        if let Thunk::Var(v, _) = &self.nets[id].thunks[n] { Some(v.clone()) } else { None }
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

/// Whether a value is true or false.
fn is_truth(v: &Value<'_>) -> bool {
    matches!(v, Value::Bool(_)) || matches!(v, Value::Tensor(t) if t.dtype == DType::Bool)
}
