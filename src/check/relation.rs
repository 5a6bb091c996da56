//! Relations: where a parameter comes from.
//!
//! A relation is found by its targets before anything is computed; its value is computed when a target is first read, at
//! the outermost level, in the scope of the net that states it. What is read while it is being computed is a cycle.

use super::instance::{Effective, InstId, MemberRef, ParamId, SubState, Thunk, join};
use super::model::{RelationInfo, RelationKind};
use super::reduce::Bound2;
use super::scope::{Binding, Frame, Meaning};
use super::value::{Label, NameId, NetVal, Pick, Tens, Tree, Value};
use super::{Checker, Res, Said};
use crate::diag::Diagnostic;
use crate::ir::{DType, Map, Size};
use crate::source::Span;
use crate::syntax::ast::{self, Expr, ExprKind, Ident, Name, PathPart, PlacePart, Relation, Slot};

/// A parameter, possibly of single nets of its arrays.
#[derive(Clone, Debug)]
pub struct Target {
    pub param: ParamId,
    pub elems: Vec<(NameId, Pick)>,
}

/// A relation with its targets.
pub struct Rel<'a> {
    pub kind: RelationKind,
    pub place: &'a ast::Place,
    pub value: &'a Expr,
    pub owner: InstId,
    pub targets: Vec<Target>,
    /// Array indices bound on the left.
    bound: Vec<(Name, NameId)>,
    /// Element indices on the left.
    slots: Option<&'a [Slot]>,
    /// The left side ends in `.*`: the value is a tree or a flat vector.
    tree: Option<Tree>,
    with_self: bool,
    /// Values for all targets, when they do not depend on `self`.
    values: Option<Result<Vec<Tens>, Said>>,
}

/// A step of a path or of a left side.
#[derive(Clone, Copy)]
enum Step<'a> {
    Field(&'a Ident),
    Star(Span),
    Index(&'a [ast::Index], Span),
    Slots(&'a [Slot], Span),
}

/// Where a walk along a path stands.
#[derive(Clone)]
enum Cursor {
    Net { inst: InstId, elems: Vec<(NameId, Pick)>, pending: Option<NameId> },
    Param(Target),
}

/// What a walk finds.
#[derive(Default)]
struct Found<'a> {
    targets: Vec<Target>,
    bound: Vec<(Name, NameId)>,
    slots: Option<&'a [Slot]>,
    /// The net under a final `.*`.
    under: Option<NetVal>,
}

impl<'a> Checker<'a> {
    // finding

    fn start(&mut self, root: &Ident) -> Res<Vec<Cursor>> {
        match self.meaning(&root.name) {
            Meaning::Member(inst, member) => self.cursors(inst, member, vec![], root.span),
            Meaning::Local(Binding::Value(Value::Net(net))) => {
                Ok(vec![Cursor::Net { inst: net.inst, elems: net.picks, pending: None }])
            }
            Meaning::Item(super::scope::FileItem::Form(file, decl)) => {
                let inst = self.file_form(file, decl)?;
                Ok(vec![Cursor::Net { inst, elems: vec![], pending: None }])
            }
            Meaning::Nothing => self.word(&root.name, root.span).and(Err(Said)),
            _ => self.error("H0406", root.span, format!("`{}` is no net and no parameter", root.name)),
        }
    }

    fn cursors(&mut self, inst: InstId, member: MemberRef, elems: Vec<(NameId, Pick)>, span: Span) -> Res<Vec<Cursor>> {
        match member {
            MemberRef::Param(param) => Ok(vec![Cursor::Param(Target { param, elems })]),
            MemberRef::LeafParams(n) => Ok(self.insts[inst.0].leaf_params[n]
                .iter()
                .map(|(_, p)| Cursor::Param(Target { param: *p, elems: elems.clone() }))
                .collect()),
            MemberRef::Match(n) => {
                let mut target = self.insts[inst.0].matches[n].clone();
                target.elems.extend(elems);
                Ok(vec![Cursor::Param(target)])
            }
            MemberRef::Sub(n) => Ok(match self.sub(inst, n)? {
                SubState::One(inst) => vec![Cursor::Net { inst, elems, pending: None }],
                SubState::Array(inst, axis) => vec![Cursor::Net { inst, elems, pending: Some(axis) }],
                SubState::Family(nets) => {
                    nets.into_iter().map(|(_, inst)| Cursor::Net { inst, elems: elems.clone(), pending: None }).collect()
                }
                SubState::Waiting | SubState::Running | SubState::Failed => return Err(Said),
            }),
            MemberRef::Thunk(n) => match &self.insts[inst.0].thunks[n] {
                Thunk::Done(Value::Net(net)) => Ok(vec![Cursor::Net { inst: net.inst, elems: net.picks.clone(), pending: None }]),
                Thunk::Done(Value::Family(nets)) => {
                    Ok(nets.iter().map(|(_, n)| Cursor::Net { inst: n.inst, elems: n.picks.clone(), pending: None }).collect())
                }
                _ => self.error("H0406", span, "this is a value; a relation is about parameters"),
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
                    let span = self.frame_ref().span;
                    let name = self.insts[inst.0].path.clone();
                    self.fail(
                        Diagnostic::error("H0406", span, format!("`{name}` is a net and no parameter"))
                            .help(format!("all its parameters are `{name}.*`")),
                    )
                }
            };
        };
        match (*step, at) {
            (Step::Field(name), Cursor::Net { inst, elems, .. }) => {
                let Some(member) = self.insts[inst.0].members.get(&name.name).copied() else {
                    return if under_star { Ok(()) } else { self.no_member(inst, name) };
                };
                for c in self.cursors(inst, member, elems, name.span)? {
                    self.walk(c, rest, under_star, out)?;
                }
                Ok(())
            }
            (Step::Field(name), Cursor::Param(_)) => {
                if under_star {
                    return Ok(());
                }
                self.error("H0205", name.span, "a parameter has no parts")
            }
            (Step::Star(_), Cursor::Param(_)) if under_star => Ok(()),
            (Step::Star(span), Cursor::Param(_)) => self.error("H0205", span, "a parameter has no parts"),
            (Step::Star(_), Cursor::Net { inst, elems, .. }) if rest.is_empty() => {
                for p in self.leaf_params_of(inst)? {
                    out.targets.push(Target { param: p, elems: elems.clone() });
                }
                // Arrays with a bound index are those of the value, not of the tree.
                let bound = out.bound.iter().map(|(_, n)| (*n, Pick::Name(*n)));
                out.under = Some(NetVal { inst, picks: elems.into_iter().chain(bound).collect(), with: vec![] });
                Ok(())
            }
            (Step::Star(span), Cursor::Net { inst, elems, pending: Some(axis) }) => {
                let Some(n) = self.size_of(axis).constant() else { return self.unknown(span, "the number of nets under `*`") };
                for k in 0..n {
                    let elems = [elems.clone(), vec![(axis, Pick::Number(Size::from(k)))]].concat();
                    self.walk(Cursor::Net { inst, elems, pending: None }, rest, true, out)?;
                }
                Ok(())
            }
            (Step::Star(span), Cursor::Net { inst, elems, pending: None }) => {
                for (_, member) in self.insts[inst.0].order.clone() {
                    for c in self.cursors(inst, member, elems.clone(), span)? {
                        self.walk(c, rest, true, out)?;
                    }
                }
                Ok(())
            }
            (Step::Slots(slots, _), Cursor::Param(t)) => {
                if !rest.is_empty() {
                    return Ok(());
                }
                out.slots = Some(slots);
                out.targets.push(t);
                Ok(())
            }
            (Step::Slots(slots, span), Cursor::Net { inst, elems, pending }) => {
                let (pick, axis) = self.slot_pick(slots, pending, span, out)?;
                let elems = match pick {
                    Some(p) => [elems, vec![(axis, p)]].concat(),
                    None => elems,
                };
                self.walk(Cursor::Net { inst, elems, pending: None }, rest, under_star, out)
            }
            (Step::Index(_, span), Cursor::Param(_)) => self.error("H0407", span, "a path ends at a parameter"),
            (Step::Index(indices, span), Cursor::Net { inst, elems, pending }) => {
                let (Some(axis), [ast::Index::At(e)]) = (pending, indices) else {
                    return self.error("H0315", span, "this is no array of nets");
                };
                let pick = Self::as_pick(self.index_value(e)?);
                let pick = self.number_pick(pick);
                let elems = [elems, vec![(axis, pick)]].concat();
                self.walk(Cursor::Net { inst, elems, pending: None }, rest, under_star, out)
            }
        }
    }

    fn number_pick(&self, pick: Pick) -> Pick {
        if let Pick::Data(t) = &pick
            && let crate::ir::Op::Const(v) = self.at(t).op
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
            return self.error("H0315", span, "this is no array of nets, or there are too many indices");
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
                            let (given, own) = (self.size_of_expr(range)?, self.size_of(axis));
                            if !self.same(&given, &own) {
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
            Slot::Merged(_, s) => self.error("H0407", *s, "an array of nets has one number"),
            Slot::Index(i) => self.error("H0407", super::index::index_span(i), "an array of nets has one number"),
        }
    }

    fn find_place(&mut self, place: &'a ast::Place) -> Res<Found<'a>> {
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

    fn find_path(&mut self, path: &'a ast::Path) -> Res<Found<'a>> {
        let steps = path_steps(path);
        self.find(&path.root, &steps, path.span)
    }

    fn find(&mut self, root: &'a Ident, steps: &[Step<'a>], span: Span) -> Res<Found<'a>> {
        let mut out = Found::default();
        let starts = self.start(root)?;
        let many = starts.len() > 1;
        let before = std::mem::replace(&mut self.frame().span, span);
        let result = starts.into_iter().try_for_each(|c| match (c, steps.first()) {
            // The number of a family's net is a component, too.
            (c @ Cursor::Net { .. }, Some(Step::Star(_))) if many && steps.len() > 1 => self.walk(c, &steps[1..], true, &mut out),
            (c, _) => self.walk(c, steps, many, &mut out),
        });
        self.frame().span = before;
        result?;
        if out.targets.is_empty() {
            return self.fail(
                Diagnostic::error("H0408", span, "no parameter matches this path")
                    .help("`*` in the middle is one component; a final `.*` is all below"),
            );
        }
        Ok(out)
    }

    /// Parameters that a path inside a net names.
    pub fn find_targets(&mut self, net: Value<'a>, path: &'a ast::Path) -> Res<Vec<Target>> {
        let Value::Net(net) = net else { return Err(Said) };
        let mut out = Found::default();
        let mut steps = vec![Step::Field(&path.root)];
        steps.extend(path_steps(path));
        let start = Cursor::Net { inst: net.inst, elems: net.picks, pending: None };
        self.walk(start, &steps, false, &mut out)?;
        Ok(out.targets)
    }

    // registering

    /// Finds the targets of all relations below an instance, inner nets first.
    pub fn register_all(&mut self, id: InstId) {
        for sub in 0..self.insts[id.0].subs.len() {
            match self.insts[id.0].subs[sub].state.clone() {
                SubState::One(s) | SubState::Array(s, _) => self.register_all(s),
                SubState::Family(nets) => nets.iter().for_each(|(_, s)| self.register_all(*s)),
                SubState::Waiting | SubState::Running | SubState::Failed => {}
            }
        }
        self.register(id);
    }

    /// The relations and `each`es of one instance, in the order written.
    pub fn register(&mut self, id: InstId) {
        let relations = self.insts[id.0].relations.clone();
        let eaches = self.insts[id.0].eaches.clone();
        let mut all: Vec<(u32, Result<&'a Relation, &'a ast::Each>)> =
            relations.into_iter().map(|r| (relation_span(r).start, Ok(r))).collect();
        all.extend(eaches.into_iter().map(|e| (e.name.span.start, Err(e))));
        all.sort_by_key(|(s, _)| *s);
        for (_, item) in all {
            let frame = self.inst_frame(id);
            // What went wrong was said.
            let _ = match item {
                Ok(r) => self.outside(frame, |c| c.register_relation(id, r)),
                Err(e) => self.outside(frame, |c| c.register_each(id, e)),
            };
        }
    }

    fn register_relation(&mut self, id: InstId, relation: &'a Relation) -> Res<()> {
        let (kind, place, value) = match relation {
            Relation::Generate { place, value } => (RelationKind::Generate, place, value),
            Relation::Adapt { place, value } => (RelationKind::Adapt, place, value),
            Relation::Scale { place, value } => (RelationKind::Scale, place, value),
            Relation::Tie { place, value } => (RelationKind::Tie, place, value),
            Relation::Init { place, value } => (RelationKind::Init, place, value),
            Relation::Freeze { paths } => {
                for path in paths {
                    let found = self.find_path(path)?;
                    self.out.relations.push(RelationInfo {
                        kind: RelationKind::Freeze,
                        target: join(&self.insts[id.0].path, &print_path(path)),
                        sources: vec![],
                        span: path.span,
                    });
                    for t in found.targets {
                        self.params[t.param.0].frozen = true;
                    }
                }
                return Ok(());
            }
        };
        let found = self.find_place(place)?;
        let tree = match &found.under {
            Some(net) => Some(self.shape_tree(Value::Net(net.clone()), place.span)?),
            None => None,
        };
        let mut sources = vec![];
        self.mentions(value, &mut sources);
        self.out.relations.push(RelationInfo {
            kind,
            target: join(&self.insts[id.0].path, &print_place(place)),
            sources: sources.into_iter().map(|s| join(&self.insts[id.0].path, &s)).collect(),
            span: place.span,
        });
        let number = self.relations.len();
        for (k, t) in found.targets.iter().enumerate() {
            if kind == RelationKind::Init {
                self.params[t.param.0].init = Some((number, k));
            } else {
                self.params[t.param.0].relations.push((number, k));
            }
        }
        self.relations.push(Rel {
            kind,
            place,
            value,
            owner: id,
            targets: found.targets,
            bound: found.bound,
            slots: found.slots,
            tree,
            with_self: mentions_self(value),
            values: None,
        });
        Ok(())
    }

    /// Members that an expression mentions, for people.
    fn mentions(&self, e: &Expr, out: &mut Vec<String>) {
        walk_names(e, &mut |word| {
            if let Meaning::Member(_, MemberRef::Sub(_) | MemberRef::Param(_)) = self.meaning(word)
                && !out.iter().any(|o| **o == **word)
            {
                out.push(word.to_string());
            }
        });
    }

    fn register_each(&mut self, id: InstId, each: &'a ast::Each) -> Res<()> {
        let found = self.find_path(&each.within)?;
        let file = self.insts[id.0].file;
        let mut copies = vec![];
        for (k, target) in found.targets.into_iter().enumerate() {
            let path = join(&self.insts[id.0].path, &format!("{}.{k}", each.name.name));
            let copy = self.new_inst(file, Some(id), path, each.name.span);
            let shape = self.param_shape(target.param)?;
            let sizes: Vec<Size> = shape
                .iter()
                .filter(
                    |(l, _)| !matches!(l, Label::Named(n) if self.insts[self.params[target.param.0].inst.0].arrays.contains(n)),
                )
                .map(|(_, s)| s.clone())
                .collect();
            if sizes.len() != each.sizes.len() {
                let message = format!(
                    "`{}` has {}, and the match `{}` has {}",
                    each.item.name,
                    super::instance::count(each.sizes.len(), "size"),
                    self.params[target.param.0].path,
                    super::instance::count(sizes.len(), "size")
                );
                return self.fail(
                    Diagnostic::error("H0409", each.item.span, message)
                        .label(each.within.span, "matched here")
                        .help("narrow the path to parameters with equally many sizes, `in base.*.w`"),
                );
            }
            for (word, size) in each.sizes.iter().zip(sizes) {
                self.add_thunk(copy, word, Thunk::Done(Value::from(size)));
            }
            if let Some(at) = &each.at {
                self.add_thunk(copy, at, Thunk::Done(Value::from(Size::from(k))));
            }
            self.insts[copy.0].matches.push(target);
            self.add_member(copy, &each.item, MemberRef::Match(0));
            self.declare_block(copy, &each.body);
            self.make_all(copy);
            copies.push((Name::from(k.to_string()), NetVal { inst: copy, picks: vec![], with: vec![] }));
        }
        let family = copies.clone();
        self.add_thunk(id, &each.name, Thunk::Done(Value::Family(family.into())));
        for (_, net) in copies {
            self.register_all(net.inst);
            self.each_copies.push(net.inst);
        }
        Ok(())
    }

    /// Members of an `each`: declarations, and `let`s that are computed when asked for.
    fn declare_block(&mut self, id: InstId, body: &'a ast::Block) {
        for stmt in &body.stmts {
            if self.declare(id, stmt) {
                continue;
            }
            match &stmt.kind {
                ast::StmtKind::Let { name, .. } | ast::StmtKind::Draw { name, .. } | ast::StmtKind::Loss { name, .. } => {
                    self.add_thunk(id, name, Thunk::Let(stmt));
                }
                _ => self.sink.push(
                    Diagnostic::error("H0211", stmt.span, "this cannot stand in an `each`")
                        .help("its members are parameters, nets, constants, `let`s and relations"),
                ),
            }
        }
    }

    // values

    /// What a parameter is here: replaced by a block, or its value after all relations.
    pub fn param_value(&mut self, p: ParamId, span: Span) -> Res<Tens> {
        if let Some((_, t)) = self.overrides[self.hidden..].iter().rev().find(|(q, _)| *q == p) {
            return Ok(t.clone());
        }
        match self.effective(p, span)? {
            Effective::Whole(t) => Ok(t),
            Effective::Each(axis, list) => self.join_elements(axis, &list),
            Effective::Unasked | Effective::Running | Effective::Failed => Err(Said),
        }
    }

    fn join_elements(&mut self, axis: NameId, list: &[Tens]) -> Res<Tens> {
        let level = std::mem::replace(&mut self.level, 0);
        let span = self.frame_ref().span;
        let stacked = self.stack(list.iter().map(|t| (t.clone(), span)).collect(), span);
        self.level = level;
        let stacked = stacked?;
        let dim = stacked.sized()[0];
        Ok(self.dim_to_name(&stacked, dim, axis))
    }

    pub fn effective(&mut self, p: ParamId, span: Span) -> Res<Effective> {
        match &self.params[p.0].effective {
            Effective::Unasked => {}
            Effective::Failed => return Err(Said),
            Effective::Running => return self.cycle(p, span),
            known => return Ok(known.clone()),
        }
        self.params[p.0].effective = Effective::Running;
        self.asking.push(p);
        let value = self.relate(p, span);
        self.asking.pop();
        self.params[p.0].effective = value.clone().unwrap_or(Effective::Failed);
        value
    }

    fn cycle<T>(&mut self, p: ParamId, span: Span) -> Res<T> {
        let from = self.asking.iter().position(|q| *q == p).unwrap_or(0);
        let mut path: Vec<String> = self.asking[from..].iter().map(|q| format!("`{}`", self.params[q.0].path)).collect();
        path.push(format!("`{}`", self.params[p.0].path));
        let mut written = vec![];
        for q in &self.asking[from..] {
            if let Some((r, _)) = self.params[q.0].relations.first() {
                written.push((self.relations[*r].place.span, format!("`{}` is written here", self.params[q.0].path)));
            }
        }
        // A circle is met from each of its sides; it is one mistake.
        let known = |d: &Diagnostic| d.code == "H0405" && d.primary.iter().any(|l| written.iter().any(|(at, _)| *at == l.span));
        if self.sink.list().iter().any(known) {
            return Err(Said);
        }
        let message = format!("parameters are made from themselves: {}", path.join(" needs "));
        let mut written = written.into_iter();
        let (at, text) = written.next().unwrap_or((span, String::new()));
        let mut d = Diagnostic::error("H0405", at, message).here(text);
        for (at, text) in written {
            d = d.label(at, text);
        }
        self.fail(d.help("one of them must be learned, or be made from something else"))
    }

    /// A parameter's relations as they apply: what writes it comes first, the rest in the order written.
    fn in_order(&self, p: ParamId) -> Vec<(usize, usize)> {
        let mut all = self.params[p.0].relations.clone();
        all.sort_by_key(|(r, _)| self.keeps(*r));
        all
    }

    /// Applies a parameter's relations in order.
    fn relate(&mut self, p: ParamId, span: Span) -> Res<Effective> {
        let relations = self.in_order(p);
        let inst = self.params[p.0].inst;
        if relations.is_empty() {
            if self.insts[inst.0].form && !self.shapes_only {
                let message = format!("nothing writes `{}`: a form has a layout and no parameters", self.params[p.0].path);
                // The call that lacks them stands in the root file, however deep the parameter is read.
                let call =
                    self.frames.iter().rev().find(|f| f.file == 0 && f.span.file == self.program.files[0].id).map(|f| f.span);
                let mut d = Diagnostic::error("H0402", call.unwrap_or(span), message);
                if call.is_some_and(|c| c.file != span.file) {
                    d = d.label(span, "read here");
                }
                return self.fail(
                    d.help("give them with the call, `target{* = theta}(x)`, or with a relation, `generate target.* from ..`"),
                );
            }
            return Ok(Effective::Whole(self.param_source(p)?));
        }
        let mut whole: Option<Tens> = None;
        let mut parts: Option<(NameId, Vec<Option<Tens>>)> = None;
        let mut written: Option<(Span, Vec<i64>)> = None;
        for (r, k) in relations {
            let elems = self.relations[r].targets[k].elems.clone();
            let keeps = self.keeps(r);
            let at = self.relations[r].place.span;
            let number = |pick: &Pick| match pick {
                Pick::Number(n) => n.constant(),
                Pick::Name(_) | Pick::Data(_) | Pick::Mix(_) => None,
            };
            let single = match elems.as_slice() {
                [(axis, pick)] => number(pick).map(|n| (*axis, n)),
                _ => None,
            };
            if !keeps {
                let clash = match (&written, single) {
                    (Some((at, _)), None) => Some(*at),
                    (Some((at, list)), Some((_, n))) if list.is_empty() || list.contains(&n) => Some(*at),
                    _ => None,
                };
                let own = self.params[p.0].path.clone();
                if let Some(first) = clash {
                    return self.fail(
                        Diagnostic::error("H0403", at, format!("`{own}` has two sources"))
                            .here("written again here")
                            .label(first, "written here first")
                            .help("a second relation may change what the first one wrote: `adapt`, `scale`, or an expression with `self`"),
                    );
                }
                let list = written.as_ref().map_or(vec![], |w| w.1.clone());
                written = Some((at, [list, single.map(|s| vec![s.1]).unwrap_or_default()].concat()));
            }
            match single {
                Some((axis, n)) => {
                    let count = self.size_of(axis).constant();
                    let Some(count) = count else { return self.unknown(at, "the number of nets") };
                    if n < 0 || n >= count {
                        return self.error(
                            "H0316",
                            at,
                            format!("there are {count} nets here, numbered from 0, and this is number {n}"),
                        );
                    }
                    let before = whole.clone();
                    let list = &mut parts.get_or_insert_with(|| (axis, vec![None; count as usize])).1;
                    let own = list[n as usize].clone();
                    let own = match (own, keeps) {
                        (Some(t), _) => Some(t),
                        (None, false) => None,
                        (None, true) => Some(self.element(p, before, axis, n)?),
                    };
                    let value = self.relation_value(r, k, own, span)?;
                    parts.as_mut().expect("just made").1[n as usize] = Some(value);
                }
                None => {
                    if let Some((axis, list)) = parts.take() {
                        whole = Some(self.join_parts(p, axis, list, whole)?);
                    }
                    let own = match (whole.clone(), keeps || !elems.is_empty()) {
                        (Some(t), _) => Some(t),
                        (None, true) => Some(self.param_source(p)?),
                        (None, false) => None,
                    };
                    let value = self.relation_value(r, k, own.clone(), span)?;
                    whole = Some(if elems.is_empty() { value } else { self.place_elements(value, own, &elems)? });
                }
            }
        }
        match parts {
            Some((axis, list)) => {
                let mut out = vec![];
                for (n, t) in list.into_iter().enumerate() {
                    out.push(match t {
                        Some(t) => t,
                        None => self.element(p, whole.clone(), axis, n as i64)?,
                    });
                }
                Ok(Effective::Each(axis, out))
            }
            None => Ok(Effective::Whole(whole.expect("there is a relation"))),
        }
    }

    fn join_parts(&mut self, p: ParamId, axis: NameId, list: Vec<Option<Tens>>, whole: Option<Tens>) -> Res<Tens> {
        let mut out = vec![];
        for (n, t) in list.into_iter().enumerate() {
            out.push(match t {
                Some(t) => t,
                None => self.element(p, whole.clone(), axis, n as i64)?,
            });
        }
        self.join_elements(axis, &out)
    }

    /// One net's value out of a whole one (the stored one where there is none yet).
    fn element(&mut self, p: ParamId, whole: Option<Tens>, axis: NameId, n: i64) -> Res<Tens> {
        let whole = match whole {
            Some(t) => t,
            None => self.param_source(p)?,
        };
        let level = std::mem::replace(&mut self.level, 0);
        let span = self.frame_ref().span;
        let t = self.pick_all(whole, &[(axis, Pick::Number(Size::from(n)))], span);
        self.level = level;
        t
    }

    /// A value for some nets in the place of theirs.
    fn place_elements(&mut self, value: Tens, own: Option<Tens>, elems: &[(NameId, Pick)]) -> Res<Tens> {
        let Some(own) = own else { return Ok(value) };
        let mut mask: Option<Tens> = None;
        for (axis, pick) in elems {
            let counter = self.iota(*axis);
            let index = match pick {
                Pick::Number(n) => self.size_value(n),
                Pick::Data(t) => t.clone(),
                Pick::Name(n) if n == axis => continue,
                Pick::Name(n) => self.iota(*n),
                Pick::Mix(_) => continue,
            };
            let same = self.pointwise(Map::Eq, &[&counter, &index])?;
            mask = Some(match mask {
                None => same,
                Some(m) => self.pointwise(Map::And, &[&m, &same])?,
            });
        }
        match mask {
            None => Ok(value),
            Some(m) => self.pointwise(Map::Select, &[&m, &value, &own]),
        }
    }

    /// Whether a relation builds on what was there before.
    fn keeps(&self, r: usize) -> bool {
        let rel = &self.relations[r];
        matches!(rel.kind, RelationKind::Adapt | RelationKind::Scale) || rel.with_self || self.fixed_slots(rel.slots)
    }

    /// Whether a left side writes only a part of a parameter.
    fn fixed_slots(&self, slots: Option<&[Slot]>) -> bool {
        slots.is_some_and(|s| s.iter().any(|s| matches!(s, Slot::Index(_))))
    }

    /// The value that a relation gives target `k`.
    fn relation_value(&mut self, r: usize, k: usize, own: Option<Tens>, span: Span) -> Res<Tens> {
        let alone = !self.relations[r].with_self && !self.fixed_slots(self.relations[r].slots);
        if alone && let Some(known) = &self.relations[r].values {
            let value = known.clone()?.get(k).cloned().ok_or(Said)?;
            return self.combine(
                self.relations[r].kind,
                own,
                value,
                self.relations[r].value.span,
                self.relations[r].targets[k].param,
            );
        }
        let rel = &self.relations[r];
        let (kind, value, slots, owner) = (rel.kind, rel.value, rel.slots, rel.owner);
        let (targets, tree) = (rel.targets.clone(), rel.tree.clone());
        let mut frame = self.inst_frame(owner);
        frame.span = rel.place.span;
        frame.member = Some(print_place(rel.place).trim_end_matches(".*").into());
        frame.scopes.push(rel.bound.iter().map(|(w, n)| (w.clone(), Binding::Index(*n))).collect());
        let _ = span;
        if alone {
            let values = self.outside(frame, |c| c.place_values(value, slots, &targets, tree));
            self.relations[r].values = Some(values.clone());
            let v = values?.get(k).cloned().ok_or(Said)?;
            return self.combine(kind, own, v, value.span, targets[k].param);
        }
        frame.own = own.clone().map(Value::Tensor);
        let one = [targets[k].clone()];
        let values = self.outside(frame, |c| match c.fixed_slots(slots) {
            true => c.partial_value(value, slots.unwrap_or(&[]), &one[0], own.clone()).map(|t| vec![t]),
            false => c.place_values(value, slots, &one, None),
        })?;
        let v = values.into_iter().next().ok_or(Said)?;
        self.combine(if self.fixed_slots(slots) { RelationKind::Generate } else { kind }, own, v, value.span, targets[k].param)
    }

    fn combine(&mut self, kind: RelationKind, own: Option<Tens>, value: Tens, span: Span, p: ParamId) -> Res<Tens> {
        let shape = self.param_shape(p)?;
        let level = std::mem::replace(&mut self.level, value.level);
        let out = match (kind, own) {
            (RelationKind::Adapt, Some(own)) => self.map(Map::Add, DType::F32, &[(&own, span), (&value, span)], "`adapt`", span),
            (RelationKind::Scale, Some(own)) => self.map(Map::Mul, DType::F32, &[(&own, span), (&value, span)], "`scale`", span),
            _ => Ok(self.everywhere(value, &shape)),
        };
        self.level = level;
        out
    }

    /// One number for all places of a parameter.
    fn everywhere(&mut self, t: Tens, shape: &[(Label, Size)]) -> Tens {
        let sizes: Vec<Size> = shape.iter().filter(|(l, _)| *l == Label::Sized).map(|(_, s)| s.clone()).collect();
        if sizes.is_empty() || !t.sized().is_empty() {
            return t;
        }
        let mut axes = self.at(&t).shape.clone();
        let mut labels = t.labels.clone();
        let subscripts = (0..axes.len()).collect();
        for (i, s) in sizes.into_iter().enumerate() {
            axes.push(crate::ir::Axis::new(format!("d{i}"), s));
            labels.push(Label::Sized);
        }
        self.copy(&t, labels, axes, subscripts)
    }

    /// The right side of a relation as one value for each target.
    fn place_values(
        &mut self,
        value: &'a Expr,
        slots: Option<&'a [Slot]>,
        targets: &[Target],
        tree: Option<Tree>,
    ) -> Res<Vec<Tens>> {
        if let Some(slots) = slots {
            let mut out = vec![];
            for t in targets {
                out.push(self.slot_value(value, slots, t)?);
            }
            return Ok(out);
        }
        let v = self.expr(value)?;
        let one = match &v {
            Value::Num(n) => Some(self.num_f32(n)),
            Value::Tensor(t) if t.sized().is_empty() => Some(self.to_f32(t)),
            _ => None,
        };
        if let Some(t) = one {
            // One number is for every value of every target.
            return Ok(vec![t; targets.len()]);
        }
        if let Some(like) = tree {
            let tree = self.tree_or_flat(v, &like, value.span)?;
            let mut leaves = vec![];
            self.tree_zip(&like, &tree, value.span, &mut |_, _, got| {
                leaves.push(got.clone());
                Ok(got.clone())
            })?;
            let mut out = vec![];
            for (t, leaf) in targets.iter().zip(leaves) {
                let shape = self.param_shape(t.param)?;
                out.push(self.fit(leaf, &shape, &t.elems, value.span)?);
            }
            return Ok(out);
        }
        let t = match v {
            Value::Num(n) => self.num_f32(&n),
            v => self.as_tens(v, value.span)?,
        };
        let mut out = vec![];
        for target in targets {
            let shape = self.param_shape(target.param)?;
            out.push(self.fit(t.clone(), &shape, &target.elems, value.span)?);
        }
        Ok(out)
    }

    /// A value for a parameter: its sizes are the declared ones.
    pub fn fit(&mut self, t: Tens, shape: &[(Label, Size)], _elems: &[(NameId, Pick)], span: Span) -> Res<Tens> {
        let t = self.to_f32(&t);
        let own = self.sized_extents(&t);
        let want: Vec<Size> = shape.iter().filter(|(l, _)| *l == Label::Sized).map(|(_, s)| s.clone()).collect();
        if own.is_empty() {
            return Ok(t);
        }
        let fits = own.len() == want.len() && own.iter().zip(&want).all(|(a, b)| self.same(a, b));
        if fits {
            return Ok(t);
        }
        let total = want.iter().fold(Size::from(1i64), |p, s| p.mul(s));
        let declared: Vec<String> = want.iter().map(|s| self.show_size(s)).collect();
        let message = format!("the parameter is [{}], and this is {}", declared.join(", "), self.show(&t));
        let mut d = Diagnostic::error("H0401", span, message).here(format!("this is {}", self.show(&t)));
        if own.len() == 1 && self.same(&own[0].clone(), &total) {
            d = d.help("cut the vector up with a merged index: `generate p[i, o] from v[(i, o)]`");
        }
        self.fail(d)
    }

    /// `place[i, (p, c)] .. value`: the indices are bound on the left.
    fn slot_value(&mut self, value: &'a Expr, slots: &'a [Slot], target: &Target) -> Res<Tens> {
        let shape = self.param_shape(target.param)?;
        let axes: Vec<(Label, Size)> = shape
            .into_iter()
            .filter(|(l, _)| !matches!(l, Label::Named(n) if self.insts[self.params[target.param.0].inst.0].arrays.contains(n)))
            .collect();
        if slots.len() != axes.len() {
            let span = slot_span(&slots[0]);
            let message = format!(
                "`{}` has {}, and {} bound here",
                self.params[target.param.0].path,
                super::instance::count(axes.len(), "axis").replace("axiss", "axes"),
                super::instance::count(slots.len(), "index").replace("indexs", "indices are").replace("1 index", "1 index is")
            );
            return self.error("H0410", span, message);
        }
        self.push_scope();
        let mut bound = Bound2 { groups: vec![], fresh: vec![] };
        let mut spans = vec![];
        for (slot, (_, size)) in slots.iter().zip(&axes) {
            spans.push(slot_span(slot));
            match slot {
                Slot::Bound(b) => {
                    let n = self.new_name(&b.name.name, size.clone(), Some(b.name.span));
                    self.define(&b.name, Binding::Index(n))?;
                    if let Some(range) = &b.range {
                        let given = self.size_of_expr(range)?;
                        if !self.same(&given, size) {
                            return self.range_error(n, &given, range.span, "places");
                        }
                    }
                    bound.groups.push(vec![n]);
                }
                Slot::Merged(parts, _) => {
                    let mut group = vec![];
                    for b in parts {
                        group.push(self.open_bound(b, false, &mut bound)?);
                    }
                    bound.groups.push(group);
                }
                Slot::Index(i) => {
                    let at = super::index::index_span(i);
                    return self.error("H0407", at, "a number cannot stand on this left side");
                }
            }
        }
        let v = self.expr(value)?;
        for ((group, (_, size)), span) in bound.groups.iter().zip(&axes).zip(&spans) {
            if group.len() > 1 {
                self.divide_range(group, size, *span)?;
            }
        }
        let t = match v {
            Value::Num(n) => self.num_f32(&n),
            v => self.as_tens(v, value.span)?,
        };
        let t = self.to_f32(&t);
        self.close_binders(&bound)?;
        if !t.sized().is_empty() {
            let message = format!("the indices on the left name all axes, and this still has sizes: it is {}", self.show(&t));
            return self.error("H0401", value.span, message);
        }
        Ok(self.bind_groups(t, &bound))
    }

    /// A part of a parameter (`place[0, j]`, `place[0..n]`) in the place of what was there.
    fn partial_value(&mut self, value: &'a Expr, slots: &'a [Slot], target: &Target, own: Option<Tens>) -> Res<Tens> {
        let own = match own {
            Some(t) => t,
            None => self.param_source(target.param)?,
        };
        let extents = self.sized_extents(&own);
        if slots.len() > extents.len() {
            return self.error("H0410", slot_span(&slots[extents.len()]), "there are more indices than axes");
        }
        self.push_scope();
        let mut names = vec![];
        let mut masks = vec![];
        let mut moves: Vec<(NameId, NameId, Size)> = vec![];
        for (i, extent) in extents.iter().enumerate() {
            let n = self.new_name(&format!("d{i}"), extent.clone(), None);
            names.push(n);
            match slots.get(i) {
                None => {}
                Some(Slot::Bound(b)) => {
                    self.frame().scopes.last_mut().expect("a scope").push((b.name.name.clone(), Binding::Index(n)))
                }
                Some(Slot::Index(ast::Index::At(e))) => {
                    let v = self.expr(e)?;
                    let index = self.index_tens(v, e.span)?;
                    let counter = self.iota(n);
                    masks.push(self.pointwise(Map::Eq, &[&counter, &index])?);
                }
                Some(Slot::Index(ast::Index::Range { from, to })) => {
                    let (a, b) = (self.size_of_expr(from)?, self.size_of_expr(to)?);
                    let (low, high) = (self.size_value(&a), self.size_value(&b));
                    let counter = self.iota(n);
                    masks.push(self.pointwise(Map::Le, &[&low, &counter])?);
                    masks.push(self.pointwise(Map::Lt, &[&counter, &high])?);
                    let inner = self.new_name(&format!("r{i}"), b.sub(&a), None);
                    moves.push((n, inner, a));
                }
                Some(other) => return self.error("H0407", slot_span(other), "this cannot stand on this left side"),
            }
        }
        let v = self.expr(value)?;
        self.pop_scope();
        let t = match v {
            Value::Num(n) => self.num_f32(&n),
            v => self.as_tens(v, value.span)?,
        };
        let mut t = self.to_f32(&t);
        // Sizes that the value still has are those of ranges and of axes that are not mentioned, in order.
        let free: Vec<usize> = (0..extents.len())
            .filter(|i| !matches!(slots.get(*i), Some(Slot::Bound(_) | Slot::Index(ast::Index::At(_)))))
            .collect();
        let dims = t.sized();
        if !dims.is_empty() {
            if dims.len() != free.len() {
                let message = format!("{} sizes are open on the left, and this is {}", free.len(), self.show(&t));
                return self.error("H0401", value.span, message);
            }
            for (d, i) in dims.into_iter().zip(free) {
                let name = names[i];
                match moves.iter().find(|(n, _, _)| *n == name).cloned() {
                    None => t = self.dim_to_name(&t, d, name),
                    Some((_, inner, from)) => {
                        t = self.dim_to_name(&t, d, inner);
                        let counter = self.iota(name);
                        let start = self.size_value(&from);
                        let index = self.pointwise(Map::Sub, &[&counter, &start])?;
                        let dim = t.find(inner).expect("named");
                        t = self.gather(&t, &[(dim, index)], Some(0.0))?;
                    }
                }
            }
        }
        let mut old = own.clone();
        for (d, n) in own.sized().into_iter().zip(&names) {
            old.labels[d] = Label::Named(*n);
        }
        let mut out = t;
        if let Some(first) = masks.first().cloned() {
            let mut mask = first;
            for m in &masks[1..] {
                mask = self.pointwise(Map::And, &[&mask, m])?;
            }
            out = self.pointwise(Map::Select, &[&mask, &out, &old])?;
        }
        Ok(self.names_to_sizes(out, &names))
    }

    /// Ranges of merged names on a left side.
    pub fn divide_range(&mut self, group: &[NameId], size: &Size, span: Span) -> Res<()> {
        let open: Vec<NameId> = group.iter().copied().filter(|n| self.is_open(*n)).collect();
        let known = group.iter().filter(|n| !open.contains(n)).fold(Size::from(1i64), |p, n| p.mul(&self.size_of(*n)));
        match open.as_slice() {
            [] if !self.same(&known, size) => {
                let message =
                    format!("the parts cover {} places, and the axis has {}", self.show_size(&known), self.show_size(size));
                self.error("H0311", span, message)
            }
            [one] => {
                let q = size.div(&known).filter(|q| q.is_whole() && (q.number().is_none() || q.constant().is_some()));
                let Some(q) = q else {
                    let message =
                        format!("an axis of {} does not divide into parts of {}", self.show_size(size), self.show_size(&known));
                    return self.error("H0311", span, message);
                };
                let own = self.size_of(*one);
                self.same(&own, &q);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Names of binders become sizes, merged ones one size.
    pub fn bind_groups(&mut self, t: Tens, bound: &Bound2) -> Tens {
        let names = bound.names();
        let mut t = self.names_to_sizes(t, &names);
        if bound.groups.iter().any(|g| g.len() > 1) {
            let extents = self.sized_extents(&t);
            let mut sizes = vec![];
            let mut at = 0;
            for g in &bound.groups {
                sizes.push(extents[at..at + g.len()].iter().fold(Size::from(1i64), |p, s| p.mul(s)));
                at += g.len();
            }
            sizes.extend(extents[at..].iter().cloned());
            t = self.reshape(&t, sizes);
        }
        t
    }

    /// A relation in a body or block: it holds to the end of the block.
    pub fn block_relation(&mut self, relation: &'a Relation) -> Res<()> {
        let (kind, place, value) = match relation {
            Relation::Generate { place, value } => (RelationKind::Generate, place, value),
            Relation::Adapt { place, value } => (RelationKind::Adapt, place, value),
            Relation::Scale { place, value } => (RelationKind::Scale, place, value),
            Relation::Tie { place, value } => (RelationKind::Tie, place, value),
            Relation::Init { place, .. } => {
                return self.error("H0412", place.span, "`init` is about what is stored; it stands among the members");
            }
            Relation::Freeze { paths } => {
                return self.error("H0412", paths[0].span, "`freeze` is about what is learned; it stands among the members");
            }
        };
        let found = self.find_place(place)?;
        let frame_picks = self.frame_ref().picks.clone();
        let tree = match &found.under {
            Some(net) => Some(self.shape_tree(Value::Net(net.clone()), place.span)?),
            None => None,
        };
        self.push_scope();
        let scope: Vec<_> = found.bound.iter().map(|(w, n)| (w.clone(), Binding::Index(*n))).collect();
        self.frame().scopes.last_mut().expect("a scope").extend(scope);
        let result = self.block_values(kind, value, found, tree, &frame_picks);
        self.pop_scope();
        self.overrides.extend(result?);
        Ok(())
    }

    fn block_values(
        &mut self,
        kind: RelationKind,
        value: &'a Expr,
        found: Found<'a>,
        tree: Option<Tree>,
        picks: &[(NameId, Pick)],
    ) -> Res<Vec<(ParamId, Tens)>> {
        let mut out = vec![];
        let with_self = mentions_self(value);
        let together = match with_self || self.fixed_slots(found.slots) {
            true => None,
            false => Some(self.place_values(value, found.slots, &found.targets, tree)?),
        };
        for (k, target) in found.targets.iter().enumerate() {
            let needs = kind == RelationKind::Adapt || kind == RelationKind::Scale || with_self || self.fixed_slots(found.slots);
            let whole = if needs || !target.elems.is_empty() { Some(self.param_value(target.param, value.span)?) } else { None };
            let all: Vec<(NameId, Pick)> = picks.iter().chain(&target.elems).cloned().collect();
            let own = match &whole {
                Some(t) => Some(self.pick_all(t.clone(), &all, value.span)?),
                None => None,
            };
            let v = match &together {
                Some(list) => list[k].clone(),
                None => {
                    let before = std::mem::replace(&mut self.frame().own, own.clone().map(Value::Tensor));
                    let one = [target.clone()];
                    let v = match self.fixed_slots(found.slots) {
                        true => self.partial_value(value, found.slots.unwrap_or(&[]), target, own.clone()),
                        false => self.place_values(value, found.slots, &one, None).and_then(|l| l.into_iter().next().ok_or(Said)),
                    };
                    self.frame().own = before;
                    v?
                }
            };
            let v = if self.fixed_slots(found.slots) { v } else { self.combine(kind, own, v, value.span, target.param)? };
            let elems: Vec<_> = target.elems.iter().filter(|(a, p)| !matches!(p, Pick::Name(n) if n == a)).cloned().collect();
            let v = if elems.is_empty() { v } else { self.place_elements(v, whole, &elems)? };
            out.push((target.param, v));
        }
        Ok(out)
    }

    /// The initialiser that a relation or a declaration gives a parameter.
    pub fn param_init(&mut self, p: ParamId) -> Res<Option<super::model::Init>> {
        let shape = self.param_shape(p)?;
        if let Some((r, k)) = self.params[p.0].init {
            let rel = &self.relations[r];
            let (value, slots, owner, target) = (rel.value, rel.slots, rel.owner, rel.targets[k].clone());
            let frame = self.inst_frame(owner);
            return match slots {
                None => self.outside(frame, |c| c.initialiser(value, &shape)).map(Some),
                Some(slots) => {
                    let t = self.outside(frame, |c| c.slot_value(value, slots, &target))?;
                    self.outside(self.inst_frame(owner), |c| c.init_node(t, &shape)).map(Some)
                }
            };
        }
        let param = &self.params[p.0];
        let Some(init) = &param.decl.init else { return Ok(None) };
        let mut frame: Frame<'a> = self.inst_frame(param.inst);
        frame.span = param.decl.name.span;
        if let Some((word, leaf, size)) = &param.leaf {
            frame.scopes.push(vec![(word.clone(), Binding::Value(Value::LeafName(leaf.clone(), size.clone())))]);
        }
        self.outside(frame, |c| c.initialiser(init, &shape)).map(Some)
    }

    /// Whether a relation writes a parameter (or which single nets' parts) without needing what is stored.
    pub fn provided(&self, p: ParamId) -> (bool, Vec<Vec<usize>>) {
        let mut single = vec![];
        for (r, k) in &self.in_order(p) {
            if self.keeps(*r) {
                // What is kept must be there: stored, unless it was written before.
                if single.is_empty() {
                    return (false, vec![]);
                }
                continue;
            }
            let elems = &self.relations[*r].targets[*k].elems;
            if elems.is_empty() {
                return (true, vec![]);
            }
            let numbers: Option<Vec<usize>> = elems
                .iter()
                .map(|(_, p)| match p {
                    Pick::Number(n) => n.constant().map(|n| n as usize),
                    Pick::Name(_) | Pick::Data(_) | Pick::Mix(_) => None,
                })
                .collect();
            let arrays = &self.insts[self.params[p.0].inst.0].arrays;
            if let Some(n) = numbers
                && n.len() == arrays.len()
            {
                single.push(n);
            }
        }
        let all: usize = self.insts[self.params[p.0].inst.0]
            .arrays
            .iter()
            .map(|a| self.size_of(*a).constant().unwrap_or(i64::MAX) as usize)
            .product();
        (!single.is_empty() && single.len() == all, single)
    }
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

/// Where a relation stands.
pub fn relation_span(r: &Relation) -> Span {
    match r {
        Relation::Generate { place, .. }
        | Relation::Adapt { place, .. }
        | Relation::Scale { place, .. }
        | Relation::Tie { place, .. }
        | Relation::Init { place, .. } => place.span,
        Relation::Freeze { paths } => paths.first().map_or(Span::default(), |p| p.span),
    }
}

fn slot_span(slot: &Slot) -> Span {
    match slot {
        Slot::Bound(b) => b.name.span,
        Slot::Merged(_, s) => *s,
        Slot::Index(i) => super::index::index_span(i),
    }
}

/// The dotted form of a path, indices left out.
pub fn print_path(path: &ast::Path) -> String {
    let mut out = path.root.name.to_string();
    for p in &path.parts {
        match p {
            PathPart::Field(f) => out = format!("{out}.{}", f.name),
            PathPart::Star(_) => out.push_str(".*"),
            PathPart::Index(..) => out.push_str(".*"),
        }
    }
    out
}

fn print_place(place: &ast::Place) -> String {
    let mut out = place.root.name.to_string();
    for p in &place.parts {
        match p {
            PlacePart::Field(f) => out = format!("{out}.{}", f.name),
            PlacePart::Star(_) => out.push_str(".*"),
            PlacePart::Slots(..) => {}
        }
    }
    out
}

fn mentions_self(e: &Expr) -> bool {
    let mut found = false;
    walk_names(e, &mut |w| found |= &**w == "self");
    found
}

/// All names in an expression, blocks included.
pub fn walk_names(e: &Expr, f: &mut dyn FnMut(&Name)) {
    fn block(b: &ast::Block, f: &mut dyn FnMut(&Name)) {
        for s in &b.stmts {
            match &s.kind {
                ast::StmtKind::Let { value, .. }
                | ast::StmtKind::Var { value, .. }
                | ast::StmtKind::Loss { value, .. }
                | ast::StmtKind::Output { value, .. }
                | ast::StmtKind::Draw { value, .. }
                | ast::StmtKind::Yield(value)
                | ast::StmtKind::Seed(value)
                | ast::StmtKind::Expr(value) => walk_names(value, f),
                ast::StmtKind::Assign { name, value, .. } => {
                    f(&name.name);
                    walk_names(value, f);
                }
                _ => {}
            }
        }
    }
    match &*e.kind {
        ExprKind::Number { .. } | ExprKind::ReductionName(_) => {}
        ExprKind::Name(n) => f(n),
        ExprKind::Unary { arg, .. } => walk_names(arg, f),
        ExprKind::Binary { left, right, .. } => {
            walk_names(left, f);
            walk_names(right, f);
        }
        ExprKind::Pipe { value, stage } => {
            walk_names(value, f);
            walk_names(stage, f);
        }
        ExprKind::Reduce { binders, body, .. } => {
            if let Some(filter) = &binders.filter {
                walk_names(filter, f);
            }
            walk_names(body, f);
        }
        ExprKind::Call { callee, args } => {
            walk_names(callee, f);
            args.iter().for_each(|a| walk_names(&a.value, f));
        }
        ExprKind::Index { base, indices, otherwise, .. } => {
            walk_names(base, f);
            for i in indices {
                match i {
                    ast::Index::At(e) | ast::Index::Along { value: e, .. } => walk_names(e, f),
                    ast::Index::Range { from, to } => {
                        walk_names(from, f);
                        walk_names(to, f);
                    }
                    ast::Index::Merged(parts, _) => parts.iter().for_each(|p| walk_names(p, f)),
                    ast::Index::Rename { .. } | ast::Index::Lifted(_) => {}
                }
            }
            if let Some(o) = otherwise {
                walk_names(o, f);
            }
        }
        ExprKind::With { base, settings } => {
            walk_names(base, f);
            settings.iter().for_each(|s| walk_names(&s.value, f));
        }
        ExprKind::Field { base, .. } | ExprKind::Tree { base } => walk_names(base, f),
        ExprKind::Paren(inner) => walk_names(inner, f),
        ExprKind::Record(fields) => fields.iter().for_each(|(_, v)| walk_names(v, f)),
        ExprKind::List(items) => items.iter().for_each(|v| walk_names(v, f)),
        ExprKind::If { cond, then, otherwise } => {
            walk_names(cond, f);
            block(then, f);
            match otherwise {
                Some(ast::Else::Block(b)) => block(b, f),
                Some(ast::Else::If(e)) => walk_names(e, f),
                None => {}
            }
        }
        ExprKind::For(l) => {
            walk_names(&l.from, f);
            walk_names(&l.to, f);
            if let Some(u) = &l.until {
                walk_names(u, f);
            }
            if let Some(m) = &l.at_most {
                walk_names(m, f);
            }
            block(&l.body, f);
        }
        ExprKind::Route(r) => {
            for e in [&r.value, &r.over, &r.at, &r.by] {
                walk_names(e, f);
            }
            r.options.iter().for_each(|o| walk_names(&o.value, f));
        }
    }
}
