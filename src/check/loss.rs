//! Losses, and what is updated in training.

use super::instance::{MemberRef, join};
use super::value::{Label, NetVal, ParamId, Pick, Tens, Value};
use super::word::Meaning;
use super::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::{Fold, Map, Size};
use crate::source::Span;
use crate::syntax::ast::{self, Expr};

impl<'a> Checker<'a> {
    /// `loss name = value`
    pub fn loss(&mut self, name: &'a ast::Ident, value: &'a Expr) -> Res<Value<'a>> {
        let v = self.expr(value)?;
        let t = match v {
            Value::Num(n) => self.num_f32(&n),
            v => self.as_tens(v, value.span)?,
        };
        let t = self.to_f32(&t);
        if !t.sized().is_empty() {
            let message = format!("a loss is one number, and this is {}", self.show(&t));
            return self.fail(
                Diagnostic::error(Code::H0504, value.span, message)
                    .help("reduce it: `sum(v)` or `mean(v)` for one sized axis, `sum[i, j] v[i, j]` for more"),
            );
        }
        if t.level > 0 {
            return self.fail(
                Diagnostic::limit(Code::H0814, name.span, "a loss inside a loop over data does not work yet")
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
                Pick::Name(n) => Some(*n),
                _ => None,
            })
            .collect();
        let names: Vec<_> = t.names().collect();
        let (summed, left): (Vec<_>, Vec<_>) = names.into_iter().partition(|n| arrays.contains(n) || picked.contains(n));
        if let Some(n) = left.iter().find(|n| !self.is_lifted_axis(**n)) {
            let text = self.axes.name_text(*n).to_string();
            let message = format!("a loss is one number, and this varies over `{text}`");
            return self.fail(Diagnostic::error(Code::H0504, value.span, message).help(match self.scopes.frame().sees_dims {
                true => format!("reduce it: `mean[{text}] ..`"),
                false => "reduce it: `mean[*] ..` takes all axes that the net was lifted over".to_string(),
            }));
        }
        let total = if summed.is_empty() { t.clone() } else { self.fold(Fold::Sum, &t, &summed) };
        let path = join(&self.scopes.frame().path.clone(), &name.name);
        self.out.losses.push((path, total.clone(), name.span));
        Ok(Value::Tensor(total))
    }

    /// The sum of what a net's loss was in all calls so far.
    pub fn loss_value(&mut self, net: &NetVal, name: &str, _span: Span) -> Res<Option<Value<'a>>> {
        let path = join(&self.nets[net.inst].path, name);
        if let Some(total) = self.out.totals.get(&path) {
            return Ok(Some(Value::Tensor(total.clone())));
        }
        let found: Vec<_> = self.out.losses.iter().filter(|(p, _, _)| *p == path).map(|(_, t, _)| t.clone()).collect();
        let Some(first) = found.first().cloned() else { return Ok(None) };
        let mut total = first;
        for t in &found[1..] {
            total = self.pointwise(Map::Add, &[&total, t])?;
        }
        Ok(Some(Value::Tensor(total)))
    }

    /// `update place = value`: kept for training, checked now.
    pub fn update(&mut self, place: &'a ast::Place, value: &'a Expr) -> Res<()> {
        if !place.parts.is_empty() {
            return self.update_part(place, value);
        }
        let v = self.expr(value)?;
        let Meaning::Member(_, MemberRef::Param(p)) = self.meaning(&place.root.name) else {
            return self.error(Code::H0413, place.span, format!("`{}` is no state", place.root.name));
        };
        if self.nets[p].decl.kind != ast::ParamKind::State {
            return self.fail(
                Diagnostic::error(Code::H0413, place.span, format!("`{}` is no state", place.root.name))
                    .label(self.nets[p].decl.name.span, "declared here")
                    .help("declare it with `state`; parameters change by training only"),
            );
        }
        let t = self.fit(v, p, value.span)?;
        let shape = self.param_shape(p)?;
        self.updated(p, t, &shape, value.span)
    }

    /// `update mu[i] = value`
    fn update_part(&mut self, place: &'a ast::Place, value: &'a Expr) -> Res<()> {
        for (p, t) in self.placed_values(place, value)? {
            if self.nets[p].decl.kind != ast::ParamKind::State {
                let d = Diagnostic::error(Code::H0413, place.span, format!("`{}` is no state", place.root.name));
                return self.fail(d.label(self.nets[p].decl.name.span, "declared here").help("declare it with `state`"));
            }
            let shape = self.param_shape(p)?;
            self.updated(p, t, &shape, value.span)?;
        }
        Ok(())
    }

    /// Keeps the next value of a state. A state has one: where a net is called twice, nobody could say which.
    fn updated(&mut self, p: ParamId, t: Tens, shape: &[(Label, Size)], at: Span) -> Res<()> {
        if t.level > 0 {
            return self.fail(
                Diagnostic::limit(Code::H0814, at, "an update inside a loop over data does not work yet")
                    .help("collect what it needs with `yield`, and update behind the loop"),
            );
        }
        // Only a step of training needs it laid out as it is stored.
        let t = if self.options.training { self.laid_out(&t, shape, at)? } else { t };
        let path = self.nets[p].path.clone();
        if self.options.training && self.out.updates.iter().any(|(known, u)| *known == path && u.node != t.node) {
            return self.fail(
                Diagnostic::limit(Code::H0816, at, format!("`{path}` gets two new values in one step"))
                    .help("its net is called twice: give each call a net of its own, or update in one of them only"),
            );
        }
        self.out.updates.push((path, t));
        Ok(())
    }
}
