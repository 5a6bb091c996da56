//! Relations: where a parameter comes from.
//!
//! A relation is found by its targets before anything is computed; its value is computed when a target is first read, at
//! the outermost level, in the scope of the net that states it. What is read while it is being computed is a cycle.

mod block;
mod effective;
mod family;
mod find;
mod single;
mod value;
mod words;

pub(super) use find::{Found, slot_span};
pub use words::{assigned_in, assigned_in_block, walk_names};

use super::instance::{InstId, MemberRef, Rel, Target, Thunk, Whose, join};
use super::model::{RelationInfo, RelationKind};
use super::scope::Binding;
use super::value::{Label, NetVal, Value};
use super::word::Meaning;
use super::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::Size;
use crate::source::Span;
use crate::syntax::ast::{self, Expr, Name, PathPart, PlacePart, Relation};

impl<'a> Checker<'a> {
    /// Finds the targets of all relations below an instance, inner nets first.
    pub fn register_all(&mut self, id: InstId) {
        for sub in 0..self.nets[id].subs.len() {
            let made = self.nets[id].subs[sub].made();
            made.iter().for_each(|s| self.register_all(*s));
        }
        self.register(id);
    }

    /// The relations and `each`es of one instance, in the order written.
    pub fn register(&mut self, id: InstId) {
        let relations = self.nets[id].relations.clone();
        let eaches = self.nets[id].eaches.clone();
        let mut all: Vec<(u32, Result<&'a Relation, &'a ast::Each>)> =
            relations.into_iter().map(|r| (relation_span(r).start, Ok(r))).collect();
        all.extend(eaches.into_iter().map(|e| (e.name.span.start, Err(e))));
        all.sort_by_key(|(s, _)| *s);
        for (_, item) in all {
            let frame = self.nets.inst_frame(id);
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
                    let target = join(&self.nets[id].path, &print_path(path));
                    self.note_relation(RelationKind::Freeze, target, &found.targets, vec![], path.span);
                    for t in found.targets {
                        let nets = self.picked_nets(&t, path.span)?;
                        let own = &mut self.nets[t.param].frozen;
                        own.resize(nets.len(), false);
                        own.iter_mut().zip(nets).for_each(|(a, b)| *a |= b);
                    }
                }
                return Ok(());
            }
        };
        self.register_place(id, kind, place, value, vec![])
    }

    /// A relation for what its left side names; one for each net of a family that a free name means.
    fn register_place(
        &mut self,
        id: InstId,
        kind: RelationKind,
        place: &'a ast::Place,
        value: &'a Expr,
        numbers: Vec<(Name, Binding<'a>)>,
    ) -> Res<()> {
        let found = self.find_place(place)?;
        if let Some((word, count)) = &found.family {
            for k in 0..*count {
                let binding = Binding::Value(Value::from(Size::from(k)));
                let numbers = [numbers.clone(), vec![(word.clone(), binding.clone())]].concat();
                self.in_scope(|c| {
                    c.scopes.name(word, binding);
                    c.register_place(id, kind, place, value, numbers)
                })?;
            }
            return Ok(());
        }
        let tree = match &found.under {
            Some(net) => Some(self.shape_tree(Value::Net(net.clone()), place.span)?),
            None => None,
        };
        let mut sources = vec![];
        self.mentions(value, &mut sources);
        let path = &self.nets[id].path;
        let sources = sources.into_iter().map(|s| join(path, &s)).collect();
        self.note_relation(kind, join(path, &print_place(place)), &found.targets, sources, place.span);
        let number = self.nets.relations.len();
        for (k, t) in found.targets.iter().enumerate() {
            if kind == RelationKind::Init {
                self.nets[t.param].init = Some((number, k));
            } else {
                self.nets[t.param].relations.push((number, k));
            }
        }
        self.nets.relations.push(Rel {
            kind,
            place,
            value,
            owner: id,
            targets: found.targets,
            bound: found.bound,
            numbers,
            slots: found.slots,
            tree,
            with_self: self.mentions_self(id, value),
            values: None,
        });
        Ok(())
    }

    /// Keeps a relation for people, once: a body is made more than once.
    fn note_relation(&mut self, kind: RelationKind, target: String, targets: &[Target], sources: Vec<String>, span: Span) {
        let params: Vec<String> = targets.iter().map(|t| self.nets[t.param].path.clone()).collect();
        let relations = &mut self.out.model.relations;
        if !relations.iter().any(|r| r.kind == kind && r.span == span && r.target == target && r.params == params) {
            relations.push(RelationInfo { kind, target, params, sources, span });
        }
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
        let mut targets = vec![];
        for path in &each.within {
            targets.extend(self.find_path(path)?.targets.into_iter().map(|t| (t, path.span)));
        }
        let file = self.nets[id].file;
        let mut copies = vec![];
        for (k, (target, matched)) in targets.into_iter().enumerate() {
            let path = join(&self.nets[id].path, &format!("{}.{k}", each.name.name));
            let copy = self.nets.new_inst(file, Some(id), path, each.name.span);
            let shape = self.param_shape(target.param)?;
            let sizes: Vec<Size> = shape
                .iter()
                .filter(|(l, _)| !matches!(l, Label::Named(n) if self.nets[self.nets[target.param].inst].arrays.contains(n)))
                .map(|(_, s)| s.clone())
                .collect();
            if sizes.len() != each.sizes.len() {
                let message = format!(
                    "`{}` has {}, and the match `{}` has {}",
                    each.item.name,
                    super::instance::count(each.sizes.len(), "size"),
                    self.nets[target.param].path,
                    super::instance::count(sizes.len(), "size")
                );
                return self.fail(
                    Diagnostic::error(Code::H0409, each.item.span, message)
                        .label(matched, "matched here")
                        .help("narrow the path to parameters with equally many sizes, `in base.*.w`"),
                );
            }
            for (word, size) in each.sizes.iter().zip(sizes) {
                self.nets.add_thunk(copy, word, Thunk::Done(Value::from(size)));
            }
            if let Some(at) = &each.at {
                self.nets.add_thunk(copy, at, Thunk::Done(Value::from(Size::from(k))));
            }
            self.nets[copy].matches.push(target);
            self.nets.add_member(copy, &each.item, MemberRef::Match(0));
            self.declare_members(copy, &each.body.stmts, Whose::Each);
            self.make_all(copy);
            copies.push((Name::from(k.to_string()), NetVal { inst: copy, picks: vec![], with: vec![] }));
        }
        let family = copies.clone();
        self.nets.add_thunk(id, &each.name, Thunk::Done(Value::Family(family.into())));
        for (_, net) in copies {
            self.register_all(net.inst);
            self.nets.each_copies.push(net.inst);
        }
        Ok(())
    }
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

impl<'a> Checker<'a> {
    /// Whether an expression mentions `self`, perhaps by a `let` of the `each` in which it stands.
    fn mentions_self(&self, id: InstId, e: &Expr) -> bool {
        self.reaches_self(id, e, &mut vec![])
    }

    fn reaches_self(&self, id: InstId, e: &Expr, seen: &mut Vec<usize>) -> bool {
        let mut words = vec![];
        walk_names(e, &mut |w| words.push(w.clone()));
        words.iter().any(|w| match self.nets[id].members.get(w) {
            _ if &**w == "self" => true,
            Some(MemberRef::Thunk(n)) => self.let_reaches_self(id, *n, seen),
            _ => false,
        })
    }

    fn let_reaches_self(&self, id: InstId, n: usize, seen: &mut Vec<usize>) -> bool {
        let Thunk::Let(stmt) = &self.nets[id].thunks[n] else { return false };
        let ast::StmtKind::Let { value, .. } = &stmt.kind else { return false };
        let each = self.nets[id].net.is_none() && self.nets[id].parent.is_some();
        if !each || seen.contains(&n) {
            return false;
        }
        seen.push(n);
        self.reaches_self(id, value, seen)
    }

    /// Whether a member is a `let` of an `each` that mentions `self`: it has a value for each relation that reads it.
    pub fn of_self(&self, id: InstId, n: usize) -> bool {
        self.let_reaches_self(id, n, &mut vec![])
    }
}
