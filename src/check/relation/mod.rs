//! Relations: where a parameter comes from.
//!
//! A relation is found by its targets before anything is computed; its value is computed when a target is first read, at
//! the outermost level, in the scope of the net that states it. What is read while it is being computed is a cycle.

mod block;
mod effective;
mod find;
mod value;

use super::instance::{InstId, MemberRef, Rel, Thunk, Whose, join};
use super::model::{RelationInfo, RelationKind};
use super::value::{Label, NetVal, Value};
use super::word::Meaning;
use super::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::Size;
use crate::source::Span;
use crate::syntax::ast::{self, Expr, ExprKind, Name, PathPart, PlacePart, Relation};
use std::collections::BTreeSet;

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
                    self.out.model.relations.push(RelationInfo {
                        kind: RelationKind::Freeze,
                        target: join(&self.nets[id].path, &print_path(path)),
                        sources: vec![],
                        span: path.span,
                    });
                    for t in found.targets {
                        self.nets[t.param].frozen = true;
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
        self.out.model.relations.push(RelationInfo {
            kind,
            target: join(&self.nets[id].path, &print_place(place)),
            sources: sources.into_iter().map(|s| join(&self.nets[id].path, &s)).collect(),
            span: place.span,
        });
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
        let file = self.nets[id].file;
        let mut copies = vec![];
        for (k, target) in found.targets.into_iter().enumerate() {
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
                        .label(each.within.span, "matched here")
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

fn mentions_self(e: &Expr) -> bool {
    let mut found = false;
    walk_names(e, &mut |w| found |= &**w == "self");
    found
}

/// All names in an expression, blocks included.
pub fn walk_names(e: &Expr, f: &mut dyn FnMut(&Name)) {
    walk(e, &mut |name, _| f(name));
}

/// Names that a block assigns, at any depth.
pub fn assigned_in_block(b: &ast::Block, out: &mut BTreeSet<Name>) {
    walk_block(b, &mut |name, assigned| {
        if assigned {
            out.insert(name.clone());
        }
    });
}

/// Names that the blocks in an expression assign.
pub fn assigned_in(e: &Expr, out: &mut BTreeSet<Name>) {
    walk(e, &mut |name, assigned| {
        if assigned {
            out.insert(name.clone());
        }
    });
}

fn walk_block(b: &ast::Block, f: &mut dyn FnMut(&Name, bool)) {
    for s in &b.stmts {
        match &s.kind {
            ast::StmtKind::Let { value, .. }
            | ast::StmtKind::Var { value, .. }
            | ast::StmtKind::Loss { value, .. }
            | ast::StmtKind::Output { value, .. }
            | ast::StmtKind::Draw { value, .. }
            | ast::StmtKind::Update { value, .. }
            | ast::StmtKind::Yield(value)
            | ast::StmtKind::Seed(value)
            | ast::StmtKind::Expr(value) => walk(value, f),
            ast::StmtKind::Const(defs) => defs.iter().for_each(|d| walk(&d.value, f)),
            ast::StmtKind::ConstDraw(draw) => walk(&draw.value, f),
            ast::StmtKind::Relation(r) => match r {
                Relation::Generate { value, .. }
                | Relation::Adapt { value, .. }
                | Relation::Scale { value, .. }
                | Relation::Tie { value, .. }
                | Relation::Init { value, .. } => walk(value, f),
                Relation::Freeze { .. } => {}
            },
            ast::StmtKind::Assign { name, value, .. } => {
                f(&name.name, true);
                walk(value, f);
            }
            ast::StmtKind::Param(_)
            | ast::StmtKind::Sub(_)
            | ast::StmtKind::Each(_)
            | ast::StmtKind::Input { .. }
            | ast::StmtKind::Condition { .. }
            | ast::StmtKind::Signature(_) => {}
        }
    }
}

/// Every name, and whether it is assigned there.
fn walk(e: &Expr, f: &mut dyn FnMut(&Name, bool)) {
    match &*e.kind {
        ExprKind::Number { .. } | ExprKind::ReductionName(_) => {}
        ExprKind::Name(n) => f(n, false),
        ExprKind::Unary { arg, .. } => walk(arg, f),
        ExprKind::Binary { left, right, .. } => {
            walk(left, f);
            walk(right, f);
        }
        ExprKind::Pipe { value, stage } => {
            walk(value, f);
            walk(stage, f);
        }
        ExprKind::Reduce { binders, body, .. } => {
            if let Some(filter) = &binders.filter {
                walk(filter, f);
            }
            walk(body, f);
        }
        ExprKind::Call { callee, args } => {
            walk(callee, f);
            args.iter().for_each(|a| walk(&a.value, f));
        }
        ExprKind::Index { base, indices, otherwise, .. } => {
            walk(base, f);
            for i in indices {
                match i {
                    ast::Index::At(e) | ast::Index::Along { value: e, .. } => walk(e, f),
                    ast::Index::Range { from, to } => {
                        walk(from, f);
                        walk(to, f);
                    }
                    ast::Index::Merged(parts, _) => parts.iter().for_each(|p| walk(p, f)),
                    ast::Index::Rename { .. } | ast::Index::Lifted(_) => {}
                }
            }
            if let Some(o) = otherwise {
                walk(o, f);
            }
        }
        ExprKind::With { base, settings } => {
            walk(base, f);
            settings.iter().for_each(|s| walk(&s.value, f));
        }
        ExprKind::Field { base, .. } | ExprKind::Tree { base } => walk(base, f),
        ExprKind::Paren(inner) => walk(inner, f),
        ExprKind::Record(fields) => fields.iter().for_each(|(_, v)| walk(v, f)),
        ExprKind::List(items) => items.iter().for_each(|v| walk(v, f)),
        ExprKind::If { cond, then, otherwise } => {
            walk(cond, f);
            walk_block(then, f);
            match otherwise {
                Some(ast::Else::Block(b)) => walk_block(b, f),
                Some(ast::Else::If(e)) => walk(e, f),
                None => {}
            }
        }
        ExprKind::For(l) => {
            walk(&l.from, f);
            walk(&l.to, f);
            if let Some(u) = &l.until {
                walk(u, f);
            }
            if let Some(m) = &l.at_most {
                walk(m, f);
            }
            walk_block(&l.body, f);
        }
        ExprKind::Route(r) => {
            for e in [&r.value, &r.over, &r.at, &r.by] {
                walk(e, f);
            }
            r.options.iter().for_each(|o| walk(&o.value, f));
        }
    }
}
