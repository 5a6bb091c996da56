//! What is declared and never read: inputs, conditions, parameters, values of `let`, `var` and `draw`, indices.
//!
//! In: files that check. Out: warnings. A word that begins with `_` says that it is not meant to be read. A parameter of a net
//! may be read from outside of it, by a path.

use crate::diag::{Code, Diagnostic, Sink};
use crate::program::Program;
use crate::source::Span;
use crate::syntax::ast::{Clause, ClauseKind, Ident, ItemKind, ModelDef, Name, NetDef, SetItem, StmtKind};
use crate::syntax::walk::{self, Visit, What};
use std::collections::{HashMap, HashSet};

/// A declaration, and whether it is read.
struct Declared {
    name: Name,
    span: Span,
    what: What,
    read: bool,
}

#[derive(Default)]
struct Walk {
    scopes: Vec<HashMap<Name, Declared>>,
    /// Parts of values and nets that anything in the program names.
    fields: HashSet<Name>,
    /// Names of the file that are axes, constants, functions: an index spelled so declares nothing.
    items: HashSet<Name>,
    unread: Vec<Declared>,
}

/// Warnings of one file that are said.
const MOST: usize = 100;

/// Warns of what nobody reads.
pub fn check(program: &Program, sink: &mut Sink) {
    let mut fields = HashSet::new();
    for file in &program.files {
        let mut walk = Walk { fields: std::mem::take(&mut fields), ..Walk::default() };
        file.ast.items.iter().for_each(|i| every(&i.kind, &mut walk));
        fields = walk.fields;
    }
    let mut blocks: HashMap<&str, Vec<&ItemKind>> = HashMap::new();
    for item in &program.files[0].ast.items {
        match &item.kind {
            ItemKind::Train(t) => blocks.entry(&t.model.name).or_default().push(&item.kind),
            ItemKind::Eval(e) => blocks.entry(&e.model.name).or_default().push(&item.kind),
            _ => {}
        }
    }
    for file in &program.files {
        let items = file.ast.items.iter().filter_map(|i| axis_of(&i.kind)).collect();
        let mut walk = Walk { fields: std::mem::take(&mut fields), items, ..Walk::default() };
        for item in &file.ast.items {
            match &item.kind {
                ItemKind::Fn(def) => walk::function(def, &mut walk),
                ItemKind::Net(def) if has_signature(def) => walk::net(def, &mut walk),
                ItemKind::Model(def) => {
                    let about = blocks.get(&*def.name.name).map_or(&[][..], Vec::as_slice);
                    model(def, about, &mut walk);
                }
                _ => {}
            }
        }
        fields = std::mem::take(&mut walk.fields);
        walk.unread.sort_by_key(|d| d.span);
        walk.unread.iter().take(MOST).for_each(|d| sink.push(warning(d)));
    }
}

fn axis_of(item: &ItemKind) -> Option<Name> {
    match item {
        ItemKind::Dim { name, .. } => Some(name.name.clone()),
        _ => None,
    }
}

/// A net without one is a layout: others read it.
fn has_signature(def: &NetDef) -> bool {
    def.members.iter().any(|m| matches!(m.kind, StmtKind::Signature(_)))
}

fn every(item: &ItemKind, walk: &mut Walk) {
    match item {
        ItemKind::Fn(def) => walk::function(def, walk),
        ItemKind::Net(def) => walk::net(def, walk),
        ItemKind::Model(def) => walk::model(def, walk),
        ItemKind::Train(t) => clauses(&t.clauses, walk),
        ItemKind::Eval(e) => clauses(&e.clauses, walk),
        _ => {}
    }
    walk.unread.clear();
}

/// A model, and what the blocks about it read.
fn model(def: &ModelDef, blocks: &[&ItemKind], walk: &mut Walk) {
    walk.open();
    walk::members(&def.body.stmts, walk);
    for block in blocks {
        match block {
            ItemKind::Train(t) => {
                t.each.iter().for_each(|(word, _, _)| walk.mention(&word.name, word.span));
                clauses(&t.clauses, walk);
            }
            ItemKind::Eval(e) => clauses(&e.clauses, walk),
            _ => {}
        }
    }
    walk.close();
}

fn clauses(list: &[Clause], walk: &mut Walk) {
    for clause in list {
        match &clause.kind {
            ClauseKind::Data { .. } | ClauseKind::Over { .. } => {}
            ClauseKind::Batch(items) => {
                items.iter().flat_map(|i| &i.by).for_each(|by| walk.mention(&by.name, by.span));
            }
            ClauseKind::Feed { value, .. } => walk::expr(value, walk),
            ClauseKind::Minimize(e) | ClauseKind::With(e) | ClauseKind::Steps(e) | ClauseKind::Seed(e) => walk::expr(e, walk),
            ClauseKind::Clip { limit: e, .. } | ClauseKind::Accumulate(e) | ClauseKind::Average(e) => walk::expr(e, walk),
            ClauseKind::Validate { interval, patience, .. } => {
                [interval].into_iter().chain(patience).for_each(|e| walk::expr(e, walk));
            }
            ClauseKind::Set(items) => sets(items, walk),
            ClauseKind::Every { interval, when, sets: items } => {
                [interval].into_iter().chain(when).for_each(|e| walk::expr(e, walk));
                sets(items, walk);
            }
            ClauseKind::Alternate(parts) => parts.iter().for_each(|(_, c)| clauses(c, walk)),
            ClauseKind::Report(names) => names.iter().for_each(|n| walk.mention(&n.name, n.span)),
        }
    }
}

fn sets(items: &[SetItem], walk: &mut Walk) {
    for s in items {
        walk.open();
        walk::place(&s.place, walk);
        walk::expr(&s.value, walk);
        walk.close();
    }
}

fn warning(d: &Declared) -> Diagnostic {
    let what = match d.what {
        What::Input => "this input",
        What::Condition => "this condition",
        What::Param => "this parameter",
        What::Sub => "this net",
        What::Index => "this index",
        _ => "this value",
    };
    Diagnostic::warning(Code::H0226, d.span, format!("nothing reads `{}`", d.name))
        .here(format!("{what} has no use"))
        .help(format!("leave it out; or say that it is meant, `_{}`", d.name))
}

impl Walk {
    fn find(&mut self, word: &str) -> Option<&mut Declared> {
        self.scopes.iter_mut().rev().find_map(|s| s.get_mut(word))
    }
}

impl Visit for Walk {
    fn open(&mut self) {
        self.scopes.push(HashMap::new());
    }

    fn close(&mut self) {
        for d in self.scopes.pop().unwrap_or_default().into_values() {
            let judged = match d.what {
                What::Input | What::Condition | What::Let | What::Var | What::Draw | What::Index => true,
                What::Param | What::Sub => !self.fields.contains(&d.name),
                // Copies of an `each` adapt what they stand at; a loop may only count its rounds.
                What::Each | What::Argument | What::Const | What::Output => false,
                What::Loss | What::Number | What::Slot | What::Round => false,
            };
            if judged && !d.read && !d.name.starts_with('_') {
                self.unread.push(d);
            }
        }
    }

    fn declare(&mut self, name: &Ident, what: What) {
        if matches!(what, What::Index | What::Slot | What::Round) {
            if self.items.contains(&name.name) {
                return;
            }
            if let Some(known) = self.find(&name.name) {
                known.read = true;
                return;
            }
        }
        let d = Declared { name: name.name.clone(), span: name.span, what, read: false };
        if let Some(scope) = self.scopes.last_mut() {
            scope.insert(name.name.clone(), d);
        }
    }

    fn mention(&mut self, word: &Name, _: Span) {
        if let Some(d) = self.find(word) {
            d.read = true;
        }
    }

    fn axis(&mut self, word: &Name, span: Span) {
        match self.find(word) {
            Some(d) => d.read = true,
            None => {
                if let Some(scope) = self.scopes.last_mut() {
                    scope.insert(word.clone(), Declared { name: word.clone(), span, what: What::Number, read: true });
                }
            }
        }
    }

    fn field(&mut self, name: &Ident) {
        self.fields.insert(name.name.clone());
    }
}
