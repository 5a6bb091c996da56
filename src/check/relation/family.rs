//! Nets of a family on a left side: unequal, so that a number of compile time picks one, or a leaf of the tree that they stand over. A free name
//! means each of them.

use super::find::{Cursor, Found, Step};
use crate::check::instance::MemberRef;
use crate::check::scope::Binding;
use crate::check::value::{Pick, Value};
use crate::check::word::Meaning;
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::Size;
use crate::syntax::ast::{self, Slot};

impl<'a> Checker<'a> {
    /// Of the nets of a family the one that a number picks, and the rest of the path.
    pub(super) fn picked<'s>(
        &mut self,
        nets: Vec<Cursor>,
        steps: &'s [Step<'a>],
        out: &mut Found<'a>,
    ) -> Res<(Vec<Cursor>, &'s [Step<'a>])> {
        let family = matches!(nets.first(), Some(Cursor::Net { family: true, .. }));
        let Some((step, rest)) = steps.split_first().filter(|_| family) else { return Ok((nets, steps)) };
        let (pick, span) = match step {
            Step::Field(_) | Step::Star(_) => return Ok((nets, steps)),
            Step::Index([ast::Index::At(e)], span) | Step::Slots([Slot::Index(ast::Index::At(e))], span) => {
                match self.leaf_of_family(e, &nets)? {
                    Some(k) => (Pick::Number(Size::from(k)), *span),
                    None => (Self::as_pick(self.index_value(e)?), *span),
                }
            }
            Step::Slots([Slot::Bound(b)], span)
                if b.range.is_none() && !matches!(self.meaning(&b.name.name), Meaning::Nothing) =>
            {
                let value = self.word(&b.name.name, b.name.span)?;
                match self.leaf_among(&value, &nets) {
                    Some(k) => (Pick::Number(Size::from(k)), *span),
                    None => (Pick::Data(self.index_tens(value, b.name.span)?), *span),
                }
            }
            // A free name means each net of the family.
            Step::Slots([Slot::Bound(b)], span) if matches!(self.meaning(&b.name.name), Meaning::Nothing) => {
                if let Some(range) = &b.range {
                    let given = self.size_of_expr(range)?;
                    if !given.is(nets.len() as i64) {
                        let message = format!("`{}` ranges over {given}, and there are {} nets here", b.name.name, nets.len());
                        return self.error(Code::H0305, *span, message);
                    }
                }
                if out.family.is_none() {
                    out.family = Some((b.name.name.clone(), nets.len()));
                }
                // What is behind it need not be in all of them.
                let first = nets.iter().position(|n| self.leads(n, rest)).unwrap_or(0);
                (Pick::Number(Size::from(first)), *span)
            }
            Step::Index(_, span) | Step::Slots(_, span) => {
                let d = Diagnostic::error(Code::H0407, *span, "the nets of a family are unequal: a number picks one of them");
                return self.fail(d.help("`*` in the place of the number is all of them"));
            }
        };
        let Pick::Number(number) = self.number_pick(pick) else {
            return self.error(Code::H0407, span, "the nets of a family are unequal: a number of compile time picks one of them");
        };
        let chosen = number.constant().and_then(|k| nets.get(usize::try_from(k).ok()?).cloned());
        match chosen {
            Some(Cursor::Net { inst, elems, pending, .. }) => {
                Ok((vec![Cursor::Net { inst, elems, pending, family: false }], rest))
            }
            Some(Cursor::Param(_)) | None => {
                let message = format!("there is no net {number}: the family has {}, counted from 0", nets.len());
                self.error(Code::H0315, span, message)
            }
        }
    }

    /// Whether a net has the members that a path names.
    fn leads(&mut self, at: &Cursor, steps: &[Step<'a>]) -> bool {
        let (Cursor::Net { inst, .. }, Some((Step::Field(name), rest))) = (at, steps.split_first()) else { return true };
        match self.nets[*inst].members.get(&name.name).copied() {
            None => false,
            Some(member @ MemberRef::Sub(_)) => {
                // Why a net cannot be made was said, and is no matter of names.
                let Ok(nets) = self.cursors(*inst, member, vec![], name.span) else { return true };
                let rest = if let Some(Step::Slots(..) | Step::Index(..)) = rest.first() { &rest[1..] } else { rest };
                nets.iter().any(|n| self.leads(n, rest))
            }
            Some(MemberRef::Param(_) | MemberRef::LeafParams(_) | MemberRef::Match(_) | MemberRef::Thunk(_)) => true,
        }
    }

    /// The number of a net over a tree's leaves, where an index is a leaf.
    fn leaf_of_family(&mut self, e: &'a ast::Expr, nets: &[Cursor]) -> Res<Option<usize>> {
        if let ast::ExprKind::Name(word) = &*e.kind
            && matches!(self.meaning(word), Meaning::Local(Binding::Value(Value::LeafName(..))))
        {
            let value = self.word(word, e.span)?;
            return Ok(self.leaf_among(&value, nets));
        }
        Ok(None)
    }

    fn leaf_among(&self, value: &Value<'a>, nets: &[Cursor]) -> Option<usize> {
        let Value::LeafName(leaf, _) = value else { return None };
        nets.iter().position(|c| match c {
            Cursor::Net { inst, .. } => self.nets[*inst].path.ends_with(&format!(".{leaf}")),
            Cursor::Param(_) => false,
        })
    }
}
