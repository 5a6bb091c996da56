//! What a place on the left of a relation means: parameters, instances, and single nets of arrays.

use crate::check::instance::{InstId, MemberRef, Parts, Target, Thunk};
use crate::check::scope::Binding;
use crate::check::value::{NameId, NetVal, Pick, Value};
use crate::check::word::Meaning;
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic, suggest};
use crate::ir::Size;
use crate::source::Span;
use crate::syntax::ast::{self, Ident, Name, PathPart, PlacePart, Slot};

/// A step of a path or of a left side.
#[derive(Clone, Copy)]
pub(super) enum Step<'a> {
    Field(&'a Ident),
    Star(Span),
    Index(&'a [ast::Index], Span),
    Slots(&'a [Slot], Span),
}

/// Where a walk along a path stands.
#[derive(Clone)]
pub(super) enum Cursor {
    /// `family`: one net of a family, whose number the path has not named yet; it is a component of the path, too.
    Net {
        inst: InstId,
        elems: Vec<(NameId, Pick)>,
        pending: Option<NameId>,
        family: bool,
    },
    Param(Target),
}

/// What a walk finds.
#[derive(Default)]
pub(in crate::check) struct Found<'a> {
    pub(super) targets: Vec<Target>,
    pub(super) bound: Vec<(Name, NameId)>,
    pub(super) slots: Option<&'a [Slot]>,
    /// The net under a final `.*`.
    pub(super) under: Option<NetVal>,
    /// A free name that picks of a family, and how many nets that has: what was found is for its first net.
    pub(super) family: Option<(Name, usize)>,
}

impl<'a> Found<'a> {
    /// The parameters, each with the nets of arrays that are picked.
    pub(in crate::check) fn into_targets(self) -> Vec<Target> {
        self.targets
    }

    /// The indices behind the parameter.
    pub(in crate::check) fn element_slots(&self) -> Option<&'a [Slot]> {
        self.slots
    }

    /// A free name that stands for all nets of an array or a family.
    pub(in crate::check) fn free_word(&self) -> Option<&Name> {
        self.bound.first().map(|(w, _)| w).or(self.family.as_ref().map(|(w, _)| w))
    }
}

impl<'a> Checker<'a> {
    /// How many nets the free name of a place stands for.
    pub(in crate::check) fn free_count(&self, found: &Found) -> Size {
        match (found.bound.first(), &found.family) {
            (Some((_, axis)), _) => self.axes.size_of(*axis),
            (None, Some((_, count))) => Size::from(*count),
            (None, None) => Size::from(1i64),
        }
    }

    fn start(&mut self, root: &Ident) -> Res<Vec<Cursor>> {
        match self.meaning(&root.name) {
            Meaning::Member(inst, member) => self.cursors(inst, member, vec![], root.span),
            Meaning::Local(Binding::Value(Value::Net(net))) => {
                Ok(vec![Cursor::Net { inst: net.inst, elems: net.picks, pending: None, family: false }])
            }
            Meaning::Item(crate::check::word::FileItem::Form(file, decl)) => {
                let inst = self.file_form(file, decl)?;
                Ok(vec![Cursor::Net { inst, elems: vec![], pending: None, family: false }])
            }
            Meaning::Nothing => self.no_root(root),
            _ => self.error(Code::H0406, root.span, format!("`{}` is no net and no parameter", root.name)),
        }
    }

    /// A path that begins with a word which means nothing: a member was meant, no function.
    fn no_root<T>(&mut self, root: &Ident) -> Res<T> {
        let members = self.visible_members();
        if let Some(near) = suggest(&root.name, members.iter().map(|n| &**n)).filter(|_| self.is_unknown(&root.name)) {
            let d = Diagnostic::error(Code::H0201, root.span, format!("nothing here is called `{}`", root.name));
            return self.fail(d.meant(&root.name, root.span, near));
        }
        // A word of the language has a value all the same.
        let _ = self.word(&root.name, root.span)?;
        self.error(Code::H0406, root.span, format!("`{}` is no net and no parameter", root.name))
    }

    pub(super) fn cursors(
        &mut self,
        inst: InstId,
        member: MemberRef,
        elems: Vec<(NameId, Pick)>,
        span: Span,
    ) -> Res<Vec<Cursor>> {
        match member {
            MemberRef::Param(param) => Ok(vec![Cursor::Param(Target { param, elems })]),
            MemberRef::LeafParams(n) => Ok(self.nets[inst].leaf_params[n]
                .iter()
                .map(|(_, p)| Cursor::Param(Target { param: *p, elems: elems.clone() }))
                .collect()),
            MemberRef::Match(n) => {
                let mut target = self.nets[inst].matches[n].clone();
                target.elems.extend(elems);
                Ok(vec![Cursor::Param(target)])
            }
            MemberRef::Sub(n) => Ok(match self.sub(inst, n)? {
                Parts::One(inst) => vec![Cursor::Net { inst, elems, pending: None, family: false }],
                Parts::Array(inst, axis) => vec![Cursor::Net { inst, elems, pending: Some(axis), family: false }],
                Parts::Family(nets) => nets
                    .iter()
                    .map(|(_, inst)| Cursor::Net { inst: *inst, elems: elems.clone(), pending: None, family: true })
                    .collect(),
            }),
            MemberRef::Thunk(n) => match &self.nets[inst].thunks[n] {
                Thunk::Done(Value::Net(net)) => {
                    Ok(vec![Cursor::Net { inst: net.inst, elems: net.picks.clone(), pending: None, family: false }])
                }
                Thunk::Done(Value::Family(nets)) => Ok(nets
                    .iter()
                    .map(|(_, n)| Cursor::Net { inst: n.inst, elems: n.picks.clone(), pending: None, family: true })
                    .collect()),
                _ => self.error(Code::H0406, span, "this is a value; a relation is about parameters"),
            },
        }
    }

    /// Walks a path; what does not match under a star is passed over.
    fn walk(&mut self, at: Cursor, steps: &[Step<'a>], under_star: bool, out: &mut Found<'a>) -> Res<()> {
        let Some((step, rest)) = steps.split_first() else {
            return match at {
                Cursor::Param(t) => {
                    out.targets.push(t);
                    Ok(())
                }
                Cursor::Net { .. } if under_star => Ok(()),
                Cursor::Net { inst, .. } => {
                    let span = self.scopes.frame().span;
                    let name = self.nets[inst].path.clone();
                    self.fail(
                        Diagnostic::error(Code::H0406, span, format!("`{name}` is a net and no parameter"))
                            .help(format!("all its parameters are `{name}.*`")),
                    )
                }
            };
        };
        match (*step, at) {
            (Step::Field(name), Cursor::Net { inst, elems, .. }) => {
                let Some(member) = self.nets[inst].members.get(&name.name).copied() else {
                    return if under_star { Ok(()) } else { self.no_member(inst, name) };
                };
                let nets = self.cursors(inst, member, elems, name.span)?;
                let (nets, rest) = self.picked(nets, rest, out)?;
                nets.into_iter().try_for_each(|c| self.walk(c, rest, under_star, out))
            }
            (Step::Field(name), Cursor::Param(_)) => {
                if under_star {
                    return Ok(());
                }
                self.error(Code::H0205, name.span, "a parameter has no parts")
            }
            (Step::Star(span), at) => self.walk_star(at, span, rest, under_star, out),
            (Step::Slots(slots, _), Cursor::Param(t)) => {
                if !rest.is_empty() {
                    return Ok(());
                }
                out.slots = Some(slots);
                out.targets.push(t);
                Ok(())
            }
            (Step::Slots(slots, span), Cursor::Net { inst, elems, pending, .. }) => {
                let (pick, axis) = self.slot_pick(slots, pending, span, out)?;
                let elems = match pick {
                    Some(p) => [elems, vec![(axis, p)]].concat(),
                    None => elems,
                };
                self.walk(Cursor::Net { inst, elems, pending: None, family: false }, rest, under_star, out)
            }
            (Step::Index(_, span), Cursor::Param(_)) => self.error(Code::H0407, span, "a path ends at a parameter"),
            (Step::Index(indices, span), Cursor::Net { inst, elems, pending, .. }) => {
                let (Some(axis), [ast::Index::At(e)]) = (pending, indices) else {
                    return self.fail(not_one_net(pending.is_some(), span));
                };
                let pick = Self::as_pick(self.index_value(e)?);
                let pick = self.number_pick(pick);
                let elems = [elems, vec![(axis, pick)]].concat();
                self.walk(Cursor::Net { inst, elems, pending: None, family: false }, rest, under_star, out)
            }
        }
    }

    /// All below a net, or (in the middle of a path) one component of whatever name.
    fn walk_star(&mut self, at: Cursor, span: Span, rest: &[Step<'a>], under_star: bool, out: &mut Found<'a>) -> Res<()> {
        match at {
            Cursor::Param(_) if under_star => Ok(()),
            Cursor::Param(_) => {
                let d = Diagnostic::error(Code::H0205, span, "a parameter has no parts");
                self.fail(if rest.is_empty() { d.fix("it is named alone", span, "") } else { d })
            }
            Cursor::Net { inst, elems, .. } if rest.is_empty() => {
                for p in self.leaf_params_of(inst)? {
                    out.targets.push(Target { param: p, elems: elems.clone() });
                }
                // Arrays with a bound index are those of the value, not of the tree.
                let bound = out.bound.iter().map(|(_, n)| (*n, Pick::Name(*n)));
                out.under = Some(NetVal { inst, picks: elems.into_iter().chain(bound).collect(), with: vec![] });
                Ok(())
            }
            Cursor::Net { inst, elems, pending, family: true } => {
                self.walk(Cursor::Net { inst, elems, pending, family: false }, rest, true, out)
            }
            Cursor::Net { inst, elems, pending: Some(axis), .. } => {
                let Some(n) = self.axes.size_of(axis).constant() else {
                    return self.unknown(span, "the number of nets under `*`");
                };
                let room = crate::check::MAX_MATCHES.saturating_sub(out.targets.len());
                if n > room as i64 {
                    return self.fail(super::effective::written_out(span, n));
                }
                for k in 0..n {
                    let elems = [elems.clone(), vec![(axis, Pick::Number(Size::from(k)))]].concat();
                    self.walk(Cursor::Net { inst, elems, pending: None, family: false }, rest, true, out)?;
                }
                Ok(())
            }
            Cursor::Net { inst, elems, pending: None, .. } => {
                for (_, member) in self.nets[inst].order.clone() {
                    for c in self.cursors(inst, member, elems.clone(), span)? {
                        self.walk(c, rest, true, out)?;
                    }
                }
                Ok(())
            }
        }
    }

    pub(super) fn number_pick(&self, pick: Pick) -> Pick {
        if let Pick::Data(t) = &pick
            && let crate::ir::Op::Const(v) = self.build.at(t).op
        {
            return Pick::Number(Size::from(v as i64));
        }
        pick
    }

    /// The index of an array on a left side: a free name ranges over all its nets.
    fn slot_pick(
        &mut self,
        slots: &'a [Slot],
        pending: Option<NameId>,
        span: Span,
        out: &mut Found<'a>,
    ) -> Res<(Option<Pick>, NameId)> {
        let (Some(axis), [slot]) = (pending, slots) else {
            return self.fail(not_one_net(pending.is_some(), span));
        };
        match slot {
            Slot::Bound(b) => {
                if let Some((_, known)) = out.bound.iter().find(|(n, _)| *n == b.name.name) {
                    let known = *known;
                    if known == axis {
                        return Ok((None, axis));
                    }
                    return Ok((Some(Pick::Name(known)), axis));
                }
                match self.meaning(&b.name.name) {
                    Meaning::Nothing => {
                        if let Some(range) = &b.range {
                            let (given, own) = (self.size_of_expr(range)?, self.axes.size_of(axis));
                            if !self.axes.same(&given, &own) {
                                return self.range_error(axis, &given, range.span, "nets");
                            }
                        }
                        out.bound.push((b.name.name.clone(), axis));
                        Ok((None, axis))
                    }
                    Meaning::Local(Binding::Index(n)) | Meaning::Axis(n) => Ok((Some(Pick::Name(n)), axis)),
                    _ => {
                        let value = self.word(&b.name.name, b.name.span)?;
                        let t = self.index_tens(value, b.name.span)?;
                        Ok((Some(self.number_pick(Pick::Data(t))), axis))
                    }
                }
            }
            Slot::Index(ast::Index::At(e)) => {
                let value = self.index_value(e)?;
                Ok((Some(self.number_pick(Self::as_pick(value))), axis))
            }
            Slot::Merged(_, s) => self.error(Code::H0407, *s, "an array of nets has one number"),
            Slot::Index(i) => self.error(Code::H0407, crate::check::index::index_span(i), "an array of nets has one number"),
        }
    }

    pub(in crate::check) fn find_place(&mut self, place: &'a ast::Place) -> Res<Found<'a>> {
        let steps: Vec<Step<'a>> = place
            .parts
            .iter()
            .map(|p| match p {
                PlacePart::Field(f) => Step::Field(f),
                PlacePart::Star(s) => Step::Star(*s),
                PlacePart::Slots(slots, s) => Step::Slots(slots, *s),
            })
            .collect();
        self.find(&place.root, &steps, place.span)
    }

    pub(in crate::check) fn find_path(&mut self, path: &'a ast::Path) -> Res<Found<'a>> {
        let steps = path_steps(path);
        self.find(&path.root, &steps, path.span)
    }

    fn find(&mut self, root: &'a Ident, steps: &[Step<'a>], span: Span) -> Res<Found<'a>> {
        let mut out = Found::default();
        let starts = self.start(root)?;
        let (starts, steps) = self.picked(starts, steps, &mut out)?;
        let many = starts.len() > 1;
        self.placed(span, |c| starts.into_iter().try_for_each(|start| c.walk(start, steps, many, &mut out)))?;
        if out.targets.is_empty() {
            return self.fail(
                Diagnostic::error(Code::H0408, span, "no parameter matches this path")
                    .help("`*` in the middle is one component; a final `.*` is all below"),
            );
        }
        Ok(out)
    }

    /// Parameters that a path inside a net names.
    pub fn find_targets(&mut self, net: NetVal, path: &'a ast::Path) -> Res<Vec<Target>> {
        let mut out = Found::default();
        let mut steps = vec![Step::Field(&path.root)];
        steps.extend(path_steps(path));
        let start = Cursor::Net { inst: net.inst, elems: net.picks, pending: None, family: false };
        self.walk(start, &steps, false, &mut out)?;
        Ok(out.targets)
    }
}

/// What is in these brackets does not pick one net.
fn not_one_net(array: bool, span: Span) -> Diagnostic {
    if array {
        return Diagnostic::error(Code::H0315, span, "one number picks a net of an array").help(
            "`expert[3].*` is one net, `expert.*` all; some are listed one by one, `expert[0].*, expert[1].*`; arrays in arrays have \
             brackets of their own, `block[0].expert[1].*`",
        );
    }
    Diagnostic::error(Code::H0315, span, "this is no array of nets")
        .help("a net that is no array has no number: leave the brackets out")
}

fn path_steps(path: &ast::Path) -> Vec<Step<'_>> {
    path.parts
        .iter()
        .map(|p| match p {
            PathPart::Field(f) => Step::Field(f),
            PathPart::Star(s) => Step::Star(*s),
            PathPart::Index(i, s) => Step::Index(i, *s),
        })
        .collect()
}

pub(in crate::check) fn slot_span(slot: &Slot) -> Span {
    match slot {
        Slot::Bound(b) => b.name.span,
        Slot::Merged(_, s) => *s,
        Slot::Index(i) => crate::check::index::index_span(i),
    }
}
