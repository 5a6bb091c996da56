//! Blocks in files with several models: which of these they are about, and those that read from another model.

use super::super::blocks::Near;
use super::super::train::words;
use crate::check::Checker;
use crate::diag::{Code, Diagnostic};
use crate::syntax::ast::{self, Ident, ItemKind, ModelDef, StmtKind, WeightLineKind, Weights};
use crate::syntax::walk;
use std::collections::BTreeSet;

impl<'a> Checker<'a> {
    fn all_models(&self) -> Vec<&'a ModelDef> {
        let models = self.program.files[0].ast.items.iter().filter_map(|i| match &i.kind {
            ItemKind::Model(m) => Some(m),
            _ => None,
        });
        models.collect()
    }

    /// Whether a model has all that an expression mentions, as far as models have it.
    pub(super) fn is_of(&self, def: &ModelDef, value: &'a ast::Expr) -> bool {
        let declared = |m: &ModelDef| m.body.stmts.iter().filter_map(declares).map(|n| n.name.clone()).collect::<BTreeSet<_>>();
        let own = declared(def);
        let free = words(|w| walk::expr(value, w)).free;
        free.iter().all(|(word, _)| own.contains(word) || !self.all_models().iter().any(|m| declared(m).contains(word)))
    }

    /// Blocks that read from another model, and those whose places no model has.
    pub(super) fn blocks_beside(&mut self, def: &'a ModelDef) {
        let models = self.all_models();
        for item in &self.program.files[0].ast.items {
            match &item.kind {
                ItemKind::Weights(Weights::From { lines: Some(lines), .. }) if models.len() > 1 => {
                    if models[0].name.name != def.name.name {
                        continue;
                    }
                    for line in lines {
                        if let WeightLineKind::Read { place, .. } = &line.kind {
                            self.known_in_any(&place.root, &models);
                        }
                    }
                }
                ItemKind::Weights(Weights::Model { model, sets }) if model.name == def.name.name => {
                    for s in sets {
                        let others = models.iter().copied().filter(|m| models.len() == 1 || m.name.name != model.name);
                        self.known_in_any(&s.place.root, &others.collect::<Vec<_>>());
                        self.known_words(words(|w| {
                            walk::place(&s.place, w);
                            walk::expr(&s.value, w);
                        }));
                    }
                    self.no_file(model);
                }
                _ => {}
            }
        }
    }

    /// A model's parameters are in a file or in none: which one is meant, a program does not say.
    fn no_file(&mut self, model: &Ident) {
        let message = format!("`{}` is a model, and weights come from a file", model.name);
        let d = Diagnostic::error(Code::H0630, model.span, message)
            .help("`weights to \"F\" { .. }` and `hnet export` write expressions of its parameters under the names of the other model, which reads `F`");
        self.report.say(d);
    }

    /// A parameter or net of one of these models.
    fn known_in_any(&mut self, root: &Ident, models: &[&ModelDef]) {
        let known: Vec<&str> = models.iter().flat_map(|m| members(m)).map(|n| &*n.name).collect();
        if !known.contains(&&*root.name) {
            let d = Diagnostic::error(Code::H0201, root.span, format!("no net and no parameter is called `{}`", root.name));
            self.report.say(d.near(root, &known, ""));
        }
    }
}

/// What a model has that has parameters.
pub(super) fn members(def: &ModelDef) -> impl Iterator<Item = &Ident> {
    def.body.stmts.iter().filter_map(|s| match &s.kind {
        StmtKind::Param(d) => Some(&d.name),
        StmtKind::Sub(d) => Some(&d.name),
        StmtKind::Each(d) => Some(&d.name),
        _ => None,
    })
}

/// The name that a statement of a model gives a meaning.
fn declares(s: &ast::Stmt) -> Option<&Ident> {
    match &s.kind {
        StmtKind::Param(d) => Some(&d.name),
        StmtKind::Sub(d) => Some(&d.name),
        StmtKind::Each(d) => Some(&d.name),
        StmtKind::Input { name, .. } | StmtKind::Condition { name, .. } | StmtKind::Output { name, .. } => Some(name),
        StmtKind::Let { name, .. } | StmtKind::Var { name, .. } | StmtKind::Draw { name, .. } => Some(name),
        _ => None,
    }
}
