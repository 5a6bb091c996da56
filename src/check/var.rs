//! Variables: their values, whole and in part.

use super::instance::{MemberRef, Thunk};
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
        let scalar = match &ty.kind {
            ast::TypeKind::Tensor { scalar, .. } => *scalar,
            _ => None,
        };
        match self.declared_value(ty, v, value.span)? {
            // A number is of the declared kind, though it is still known.
            Value::Num(n) if matches!(scalar, None | Some(ast::Scalar::F32)) => match self.resolved(&n).known() {
                Some(v) => Ok(Value::Num(Num::Real(v))),
                None => Ok(Value::Tensor(self.num_f32(&n))),
            },
            Value::Num(n) => self.whole(Value::Num(n), value.span).map(Value::from),
            v => Ok(v),
        }
    }

    /// `v = value`, `v[i, 0] = value`
    pub fn assign_var(&mut self, name: &'a ast::Ident, slots: Option<&'a [Slot]>, value: &'a Expr) -> Res<()> {
        let old = match self.meaning(&name.name) {
            Meaning::Local(Binding::Var(v)) => v,
            Meaning::Member(id, MemberRef::Thunk(n)) if matches!(self.nets[id].thunks[n], Thunk::Var(_)) => {
                self.member_value(id, MemberRef::Thunk(n), name.span)?
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
                            Some(near) => d.fix(format!("`{near}` is near"), name.span, near),
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
    fn assign_part(&mut self, old: &Value<'a>, slots: &'a [Slot], value: &'a Expr) -> Res<Value<'a>> {
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
        let mut t = t;
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
