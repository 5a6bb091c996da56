//! What the files of a program define, and what they import from each other.

use crate::check::Checker;
use crate::check::report::Said;
use crate::check::scope::Frame;
use crate::check::value::FnVal;
use crate::check::word::{FileItem, FileScope};
use crate::diag::{Code, Diagnostic, listed, suggest};
use crate::ir::Size;
use crate::source::Span;
use crate::syntax;
use crate::syntax::ast::{self, ItemKind, StmtKind};
use std::collections::BTreeSet;

/// Places that one message edits.
const MOST_EDITS: usize = 64;

impl<'a> Checker<'a> {
    /// What each file defines, then what it imports.
    pub(super) fn file_scopes(&mut self) {
        let program = self.program;
        let mut files = vec![];
        for (n, file) in program.files.iter().enumerate() {
            let mut scope = FileScope::default();
            for item in &file.ast.items {
                self.define_item(n, item, &mut scope);
            }
            files.push(scope);
        }
        for (n, file) in program.files.iter().enumerate() {
            let imports = file.ast.items.iter().filter_map(|i| match &i.kind {
                ItemKind::Import(import) => Some(import),
                _ => None,
            });
            for (import, from) in imports.zip(&file.imports) {
                let Some(from) = *from else {
                    // The file is missing, which was said; its names are not missing, too.
                    continue;
                };
                for name in &import.names {
                    match files[from].items.get(&name.name).copied() {
                        Some(item) => {
                            files[n].items.insert(name.name.clone(), item);
                            if let Some(first) = files[n].places.insert(name.name.clone(), name.span) {
                                self.report.say(twice(name, first));
                            }
                        }
                        None => {
                            let said = self.no_import(n, &files[from], name);
                            files[n].missing.insert(name.name.clone(), said);
                        }
                    }
                }
            }
        }
        self.files = files.into();
        self.dim_sizes();
        self.one_space_of_names();
    }

    fn no_import(&mut self, into: usize, from: &FileScope<'a>, name: &ast::Ident) -> Said {
        let mut known: Vec<ast::Name> = from.items.keys().filter(|_| !self.report.is_full()).cloned().collect();
        known.sort();
        let mut d = Diagnostic::error(Code::H0207, name.span, format!("this file has no `{}`", name.name));
        d = match suggest(&name.name, known.iter().map(|k| &**k)) {
            Some(near) => {
                // The name is wrong wherever the file says it.
                let file = &self.program.files[into];
                let places = syntax::places(file.id, &file.text, &name.name);
                let text = format!("`{near}` is near");
                match places.len() {
                    0..=MOST_EDITS if crate::diag::is_slip(&name.name, near) => {
                        d.fixes(text, places.into_iter().map(|span| (span, near.to_string())).collect())
                    }
                    _ => d.help(text),
                }
            }
            None => d.help(format!("it has {}", listed(&known))),
        };
        self.report.say(d)
    }

    fn define_item(&mut self, n: usize, item: &'a ast::Item, scope: &mut FileScope<'a>) {
        let mut put = |c: &mut Self, name: &'a ast::Ident, what: FileItem<'a>| {
            scope.items.insert(name.name.clone(), what);
            if let Some(first) = scope.places.insert(name.name.clone(), name.span) {
                c.report.say(twice(name, first));
            }
        };
        match &item.kind {
            ItemKind::Dim { name, .. } => {
                let size = Size::sym(name.name.clone());
                let id = self.axes.new_name(&name.name, size, Some(name.span));
                put(self, name, FileItem::Dim(id));
            }
            ItemKind::Const(defs) => defs.iter().for_each(|d| put(self, &d.name, FileItem::Const(&d.value, n))),
            ItemKind::ConstDraw(draw) => put(self, &draw.name, FileItem::ConstDraw(draw, n)),
            ItemKind::Fn(def) => put(self, &def.name, FileItem::Fn(FnVal { file: n, def })),
            ItemKind::Net(def) => put(self, &def.name, FileItem::Net(n, def)),
            ItemKind::Model(def) => put(self, &def.name, FileItem::Model),
            ItemKind::Form(decl) => put(self, &decl.name, FileItem::Form(n, decl)),
            ItemKind::Import(_) | ItemKind::Weights(_) | ItemKind::Train(_) | ItemKind::Eval(_) => {}
        }
    }

    /// `dim t = 16`
    fn dim_sizes(&mut self) {
        let program = self.program;
        for (n, file) in program.files.iter().enumerate() {
            for item in &file.ast.items {
                let ItemKind::Dim { name, size } = &item.kind else { continue };
                let Some(FileItem::Dim(id)) = self.files[n].items.get(&name.name).copied() else { continue };
                if let Some(size) = size
                    && let Ok(s) = self.outside(Frame::new(n, None), |c| c.size_of_expr(size))
                {
                    self.axes.set_size(id, s);
                }
            }
        }
    }

    pub(super) fn sees_constants(&mut self) {
        let program = self.program;
        for item in &program.files[0].ast.items {
            if let ItemKind::Const(defs) = &item.kind {
                for d in defs {
                    let _ = self.outside(Frame::new(0, None), |c| c.expr(&d.value));
                }
            }
        }
    }

    /// `--set` of something that is no constant.
    pub(super) fn unknown_settings(&mut self) {
        let mut known: BTreeSet<ast::Name> = BTreeSet::new();
        for item in &self.program.files[0].ast.items {
            match &item.kind {
                ItemKind::Const(defs) => known.extend(defs.iter().map(|d| d.name.name.clone())),
                ItemKind::Model(m) => {
                    for s in &m.body.stmts {
                        if let StmtKind::Const(defs) = &s.kind {
                            known.extend(defs.iter().map(|d| d.name.name.clone()));
                        }
                    }
                }
                _ => {}
            }
        }
        for (name, _) in &self.options.set {
            if known.contains(&**name) {
                continue;
            }
            let mut d = Diagnostic::plain(Code::H0208, format!("`--set {name}=..`: this file has no constant `{name}`"));
            d = match suggest(name, known.iter().map(|k| &**k)) {
                Some(near) => d.help(format!("`{near}` is near")),
                None if known.is_empty() => d.help("it has no constants"),
                None => d.help(format!("it has {}", listed(&known.iter().collect::<Vec<_>>()))),
            };
            self.report.say(d);
        }
    }
}

/// Two items, or an item and an import, of one name.
fn twice(name: &ast::Ident, first: Span) -> Diagnostic {
    Diagnostic::error(Code::H0203, name.span, format!("`{}` is defined twice in this file", name.name))
        .here("a second meaning")
        .label(first, "the first")
}
