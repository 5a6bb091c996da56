//! A program without what its conditions decide: relations that were applied, and what nobody reads any more.

use crate::ir::Tensor;
use crate::source::FileId;
use crate::syntax::ast::{
    ArrayDecl, ConstDef, Expr, File, Ident, Item, ItemKind, ParamDecl, ParamKind, Relation, Scalar, Stmt, StmtKind, Type,
    TypeKind,
};
use crate::syntax::{parse, places, print};
use std::collections::{BTreeMap, BTreeSet};

/// What is cut out of a program.
pub(super) struct Cut<'a> {
    pub model: &'a str,
    /// Values of constants that were set from outside.
    pub set: &'a [(String, f64)],
    /// Conditions and their values.
    pub conditions: &'a BTreeMap<String, Tensor>,
    /// Relations that stay, by their numbers.
    pub kept: &'a BTreeSet<usize>,
}

/// A text, and what became of its parts.
pub(super) struct Left {
    pub text: String,
    /// Relations that were applied, as they were written.
    pub applied: Vec<String>,
    /// Conditions that are parameters now.
    pub stored: Vec<String>,
}

/// A relation that may be applied.
pub(super) struct Applicable {
    /// Its place among the statements of the model.
    pub number: usize,
    /// The member that it writes to.
    pub member: String,
    /// It adds to what is there, so that it does not matter what else is added first.
    pub adds: bool,
}

/// The relations of a model that give parameters their values, in order.
pub(super) fn applicable(text: &str, model: &str) -> Vec<Applicable> {
    let mut file = parsed(text);
    keep_alone(&mut file, model);
    let mut out = vec![];
    for (number, stmt) in bodies(&file).flat_map(|stmts| stmts.iter().enumerate()) {
        if let StmtKind::Relation(r) = &stmt.kind
            && let Some(member) = written_by(r)
        {
            out.push(Applicable { number, member: member.to_string(), adds: matches!(r, Relation::Adapt { .. }) });
        }
    }
    out
}

/// The member that a relation gives values to.
fn written_by(r: &Relation) -> Option<&str> {
    match r {
        Relation::Generate { place, .. } | Relation::Adapt { place, .. } | Relation::Scale { place, .. } => {
            Some(&place.root.name)
        }
        _ => None,
    }
}

fn bodies(file: &File) -> impl Iterator<Item = &Vec<Stmt>> {
    file.items.iter().filter_map(|i| if let ItemKind::Model(m) = &i.kind { Some(&m.body.stmts) } else { None })
}

/// A model by itself: no other one, nothing that trains, measures or loads it, and without these statements.
pub(super) fn alone(text: &str, model: &str, without: &BTreeSet<usize>) -> String {
    let mut file = parsed(text);
    keep_alone(&mut file, model);
    for item in &mut file.items {
        if let ItemKind::Model(m) = &mut item.kind {
            let mut number = 0..;
            m.body.stmts.retain(|_| !number.next().is_some_and(|n| without.contains(&n)));
        }
    }
    print(&file)
}

fn keep_alone(file: &mut File, model: &str) {
    file.items.retain(|i| match &i.kind {
        ItemKind::Model(m) => m.name.name.as_ref() == model,
        ItemKind::Train(_) | ItemKind::Eval(_) | ItemKind::Weights(_) => false,
        _ => true,
    });
}

impl Cut<'_> {
    /// The program that is left of a text that has no mistakes.
    pub fn apply(&self, text: &str) -> Left {
        let mut file = parsed(text);
        keep_alone(&mut file, self.model);
        let (mut applied, mut stored, mut sizes) = (vec![], vec![], vec![]);
        for item in &mut file.items {
            match &mut item.kind {
                ItemKind::Const(defs) => self.constants(defs),
                ItemKind::Net(n) => n.members.iter_mut().for_each(from_file),
                ItemKind::Model(m) => {
                    let mut stmts = vec![];
                    for (number, stmt) in std::mem::take(&mut m.body.stmts).into_iter().enumerate() {
                        match self.statement(number, stmt) {
                            Became::Same(stmt) => stmts.push(*stmt),
                            Became::Applied(text) => applied.push(text),
                            Became::Param(stmt, name) => {
                                stmts.push(*stmt);
                                stored.push(name);
                            }
                            Became::Size(item) => sizes.push(*item),
                            Became::Nothing => {}
                        }
                    }
                    stmts.iter_mut().for_each(from_file);
                    m.body.stmts = stmts;
                }
                _ => {}
            }
        }
        let model = file.items.iter().position(|i| matches!(i.kind, ItemKind::Model(_))).unwrap_or(0);
        file.items.splice(model..model, sizes);
        self.unread(&mut file);
        let text = print(&file);
        stored.retain(|name| places(FileId::default(), &text, name).len() > 1);
        Left { text, applied, stored }
    }

    fn constants(&self, defs: &mut [ConstDef]) {
        for def in defs {
            if let Some((_, value)) = self.set.iter().find(|(name, _)| *name == *def.name.name) {
                def.value = number(*value);
            }
        }
    }

    fn statement(&self, place: usize, mut stmt: Stmt) -> Became {
        match &mut stmt.kind {
            StmtKind::Const(defs) => self.constants(defs),
            StmtKind::Relation(Relation::Init { .. } | Relation::Freeze { .. }) => return Became::Nothing,
            StmtKind::Relation(r) if written_by(r).is_some() && !self.kept.contains(&place) => {
                return Became::Applied(said(stmt));
            }
            StmtKind::Condition { name, ty, .. } => {
                let Some(value) = self.conditions.get(name.name.as_ref()) else { return Became::Same(Box::new(stmt)) };
                if is_size(ty) {
                    let value = number(value.get(0));
                    let kind = ItemKind::Const(vec![ConstDef { name: name.clone(), value }]);
                    return Became::Size(Box::new(Item { doc: stmt.doc, kind, span: stmt.span }));
                }
                let (name, ty) = (name.clone(), ty.clone());
                let word = name.name.to_string();
                let param = ParamDecl { kind: ParamKind::Load, name, over: None, ty, init: None };
                return Became::Param(Box::new(Stmt { kind: StmtKind::Param(param), ..stmt }), word);
            }
            _ => {}
        }
        Became::Same(Box::new(stmt))
    }

    /// Takes out what nobody names, until all that is left is named.
    fn unread(&self, file: &mut File) {
        loop {
            let before = print(file).len();
            let of = |keep: &dyn Fn(&ItemKind) -> bool| {
                let items = file.items.iter().filter(|i| keep(&i.kind)).cloned().collect();
                print(&File { doc: None, items })
            };
            // A member may be called like a module, and an argument of a net like a member.
            let inside = of(&|kind| matches!(kind, ItemKind::Model(_)));
            let below = of(&|kind| !matches!(kind, ItemKind::Import(_)));
            let times = |text: &str, name: &Ident| places(FileId::default(), text, &name.name).len();
            for item in &mut file.items {
                match &mut item.kind {
                    ItemKind::Model(m) => m.body.stmts.retain(|s| declared(s).is_none_or(|name| times(&inside, name) > 1)),
                    ItemKind::Import(i) => i.names.retain(|name| times(&below, name) > 0),
                    _ => {}
                }
            }
            file.items.retain(|i| match &i.kind {
                ItemKind::Import(i) => !i.names.is_empty(),
                ItemKind::Dim { name, .. } => times(&below, name) > 1,
                ItemKind::Const(defs) => defs.iter().any(|d| times(&below, &d.name) > 1),
                ItemKind::Net(n) => times(&below, &n.name) > 1,
                ItemKind::Fn(f) => times(&below, &f.name) > 1,
                _ => true,
            });
            if print(file).len() == before {
                return;
            }
        }
    }
}

/// What a statement became.
enum Became {
    Same(Box<Stmt>),
    /// It is said by the parameters that are written.
    Applied(String),
    Param(Box<Stmt>, String),
    Size(Box<Item>),
    Nothing,
}

/// The name of a member that may go when nobody says it.
fn declared(s: &Stmt) -> Option<&Ident> {
    match &s.kind {
        StmtKind::Param(p) if p.kind != ParamKind::State && p.over.is_none() => Some(&p.name),
        StmtKind::Sub(s) if !matches!(s.array, ArrayDecl::Leaves { .. }) => Some(&s.name),
        StmtKind::Let { name, .. } => Some(name),
        StmtKind::Const(defs) if defs.len() == 1 => Some(&defs[0].name),
        _ => None,
    }
}

/// A parameter that nothing starts was written by a relation. Now the file has it, and to be a program by itself the text starts it.
fn from_file(s: &mut Stmt) {
    if let StmtKind::Param(p) = &mut s.kind
        && p.kind == ParamKind::Param
        && p.init.is_none()
    {
        p.init = Some(expression("zeros()"));
    }
}

fn is_size(ty: &Type) -> bool {
    matches!(&ty.kind, TypeKind::Tensor { scalar: Some(Scalar::Size), .. })
}

fn parsed(text: &str) -> File {
    parse(FileId::default(), text, &mut crate::diag::Sink::default())
}

fn number(value: f64) -> Expr {
    expression(&value.to_string())
}

fn expression(text: &str) -> Expr {
    match parsed(&format!("const x = {text}")).items.pop().map(|i| i.kind) {
        Some(ItemKind::Const(mut defs)) if !defs.is_empty() => defs.remove(0).value,
        _ => unreachable!("`{text}` is an expression"),
    }
}

/// A statement as it is written, in one line.
fn said(stmt: Stmt) -> String {
    let item = parsed("model M {\n    input x: f32\n}\n").items.pop();
    let Some(Item { doc, kind: ItemKind::Model(mut m), span }) = item else { return String::new() };
    m.body.stmts = vec![Stmt { doc: None, pins: vec![], ..stmt }];
    let text = print(&File { doc: None, items: vec![Item { doc, kind: ItemKind::Model(m), span }] });
    let inside = text.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}')).map_or("", |(inside, _)| inside);
    inside.split_whitespace().collect::<Vec<_>>().join(" ")
}
