//! Nets of an array that relations write one by one: each has a value of its own, which may be made from that of another one.

use crate::check::instance::{Effective, ParamId};
use crate::check::value::{NameId, Pick, Tens};
use crate::check::{Checker, Res};

impl<'a> Checker<'a> {
    /// The single net of an array that a relation writes, by its number.
    pub(super) fn single(&self, r: usize, k: usize) -> Option<(NameId, i64)> {
        match self.nets.relations[r].targets[k].elems.as_slice() {
            [(axis, Pick::Number(n))] => Some((*axis, n.constant()?)),
            _ => None,
        }
    }

    /// Whether all relations of a parameter are about single nets of this array.
    pub(super) fn only_singles(&self, p: ParamId, axis: NameId) -> bool {
        self.nets.in_order(p).into_iter().all(|(r, k)| self.single(r, k).is_some_and(|(a, _)| a == axis))
    }

    /// The value of one net, after the relations that are about it.
    pub(super) fn single_value(&mut self, p: ParamId, axis: NameId, n: i64) -> Res<Tens> {
        if let Some(t) = self.nets[p].single.get(&n) {
            return Ok(t.clone());
        }
        self.nets[p].singly.push(n);
        let value = self.unguarded(|c| c.relate_one(p, axis, n));
        self.nets[p].singly.pop();
        let value = value?;
        self.nets[p].single.insert(n, value.clone());
        Ok(value)
    }

    fn relate_one(&mut self, p: ParamId, axis: NameId, n: i64) -> Res<Tens> {
        let mut value = None;
        for (r, k) in self.nets.in_order(p) {
            if self.single(r, k) != Some((axis, n)) {
                continue;
            }
            let own = match (value.take(), self.nets.keeps(r)) {
                (Some(t), _) => Some(t),
                (None, false) => None,
                (None, true) => Some(self.element(p, None, axis, n)?),
            };
            let at = self.nets.relations[r].place.span;
            value = Some(self.relating(at, |c| c.relation_value(r, k, own))?);
        }
        match value {
            Some(t) => Ok(t),
            None => self.element(p, None, axis, n),
        }
    }

    /// A parameter of the net that is picked out of an array whose nets have values one by one; nothing: they have not.
    pub fn single_element(&mut self, p: ParamId, picks: &[(NameId, Pick)]) -> Res<Option<Tens>> {
        if self.scopes.replaced(p).is_some() || self.scopes.by_shapes() {
            return Ok(None);
        }
        let number = |of: NameId| {
            picks.iter().find(|(a, _)| *a == of).and_then(|(_, pick)| match pick {
                Pick::Number(n) => n.constant(),
                Pick::Name(_) | Pick::Data(_) | Pick::Mix(_) => None,
            })
        };
        // While one of them is made, another one may be asked for.
        if let Some((axis, _)) = self.nets.in_order(p).first().and_then(|(r, k)| self.single(*r, *k))
            && self.nets[p].effective.is_under_way()
        {
            return match number(axis) {
                Some(n) if self.only_singles(p, axis) && !self.nets[p].singly.contains(&n) => {
                    self.single_value(p, axis, n).map(Some)
                }
                Some(_) | None => Ok(None),
            };
        }
        let span = self.scopes.frame().span;
        let Effective::Each(axis, list) = self.effective(p, span)? else { return Ok(None) };
        let at = number(axis).and_then(|n| usize::try_from(n).ok());
        Ok(at.and_then(|n| list.get(n).cloned()))
    }
}
