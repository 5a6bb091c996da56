//! Lists: `[16, 32]`. What is known when the model is compiled stays so, and may be picked out by a number that is known, too; where a
//! tensor is wanted a list is one.

use super::value::{List, Num, Tens, Value};
use super::{Checker, Res};
use crate::diag::Code;
use crate::source::Span;
use crate::syntax::ast::{Expr, Index};
use std::cell::OnceCell;
use std::rc::Rc;

impl<'a> Checker<'a> {
    /// `[a, c, ..]`
    pub fn list_value(&mut self, values: Vec<(Value<'a>, Span)>, span: Span) -> Res<Value<'a>> {
        if values.iter().all(|(v, _)| matches!(v, Value::Num(_) | Value::Bool(_) | Value::List(_))) {
            let items = values.into_iter().map(|(v, _)| v).collect();
            return Ok(Value::List(Rc::new(List { items, span, made: OnceCell::new() })));
        }
        let mut parts = Vec::new();
        for (value, at) in values {
            parts.push((self.as_tens(value, at)?, at));
        }
        Ok(Value::Tensor(self.stack(parts, span)?))
    }

    /// A list as a tensor: one for all who ask.
    pub fn list_tens(&mut self, list: &List<'a>) -> Res<Tens> {
        if let Some(t) = list.made.get() {
            return Ok(t.clone());
        }
        let t = self.at_level(0, |c| {
            let mut parts = Vec::new();
            for item in &list.items {
                parts.push((c.as_tens(item.clone(), list.span)?, list.span));
            }
            c.stack(parts, list.span)
        })?;
        Ok(list.made.get_or_init(|| t).clone())
    }

    /// What a list has at a place that is known when the model is compiled, or between two of them; `None`: its tensor is asked.
    pub(super) fn of_list(&mut self, list: &List<'a>, index: &'a Index) -> Res<Option<Value<'a>>> {
        match index {
            Index::At(e) => {
                let Some(at) = self.known_place(e)? else { return Ok(None) };
                let inside = usize::try_from(at).ok().and_then(|k| list.items.get(k));
                match inside {
                    Some(v) => Ok(Some(v.clone())),
                    None => {
                        let message =
                            format!("this is index {at}, and the list has {} places, numbered from 0", list.items.len());
                        self.error(Code::H0316, e.span, message)
                    }
                }
            }
            Index::Range { from, to } => {
                let (Some(a), Some(b)) = (self.known_place(from)?, self.known_place(to)?) else { return Ok(None) };
                let range = usize::try_from(a).ok().zip(usize::try_from(b).ok());
                match range.filter(|(a, b)| a < b && *b <= list.items.len()) {
                    Some((a, b)) => {
                        let items = list.items[a..b].to_vec();
                        Ok(Some(Value::List(Rc::new(List { items, span: list.span, made: OnceCell::new() }))))
                    }
                    // What is wrong with it the tensor's index says.
                    None => Ok(None),
                }
            }
            Index::Along { .. } | Index::Rename { .. } | Index::Lifted(_) | Index::Merged(..) => Ok(None),
        }
    }

    /// The whole number that an index is, where that is known when the model is compiled.
    fn known_place(&mut self, e: &'a Expr) -> Res<Option<i64>> {
        if self.is_bare_index(e) {
            return Ok(None);
        }
        Ok(match self.expr(e)? {
            Value::Num(n @ Num::Exact(_)) => self.resolved(&n).exact().and_then(|s| s.constant()),
            _ => None,
        })
    }
}
