//! One space of names: in a net, function or model a word has one meaning.
//!
//! In: the files' scopes. Out: an error with both places for every second meaning, once for each declaration, however many
//! instances it has. What the walk of the checker still finds (an index bound twice, say) it says itself.
//!
//! What repeats rightly: an index or the variable of a loop spelled like an axis is that axis; an argument of a net or function
//! may be called like a constant of its file, which it then hides, because it is written beside its use.

use super::Checker;
use super::word::{FileItem, FileScope};
use crate::diag::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{Ident, ItemKind, Name};
use crate::syntax::walk::{self, Visit, What};
use std::collections::HashMap;
use std::rc::Rc;

/// What a word means in a scope.
#[derive(Clone, Copy)]
struct Known {
    span: Span,
    /// `None`: an axis of a signature.
    what: Option<What>,
}

/// A second meaning.
struct Clash {
    name: Name,
    second: Span,
    first: Span,
    was: &'static str,
    /// Which of the two a value means nobody can say: one is a `dim`, or both are members.
    spoils: bool,
}

struct Walk<'s, 'a> {
    file: &'s FileScope<'a>,
    scopes: Vec<HashMap<Name, Known>>,
    clashes: Vec<Clash>,
    /// Where something that is stored is called as files call what describes them.
    reserved: Vec<Span>,
}

impl<'a> Checker<'a> {
    /// Says every second meaning of a word. A word that is a dim and something else, or two members, is spoilt: what
    /// mentions it is not judged.
    pub(super) fn one_space_of_names(&mut self) {
        let program = self.program;
        for (n, file) in program.files.iter().enumerate() {
            let mut walk = Walk { file: &self.files[n], scopes: vec![], clashes: vec![], reserved: vec![] };
            for item in &file.ast.items {
                match &item.kind {
                    ItemKind::Fn(def) => walk::function(def, &mut walk),
                    ItemKind::Net(def) => walk::net(def, &mut walk),
                    ItemKind::Model(def) => walk::model(def, &mut walk),
                    ItemKind::Import(_)
                    | ItemKind::Dim { .. }
                    | ItemKind::Const(_)
                    | ItemKind::ConstDraw(_)
                    | ItemKind::Form(_)
                    | ItemKind::Weights(_)
                    | ItemKind::Train(_)
                    | ItemKind::Eval(_) => {}
                }
            }
            let Walk { clashes, reserved, .. } = walk;
            for span in reserved {
                self.report.say(
                    Diagnostic::error(Code::H0227, span, "safetensors keeps the name `__metadata__` for itself")
                        .here("a tensor of this name could not be stored")
                        .help("choose another name"),
                );
            }
            for clash in clashes {
                let mut d = Diagnostic::error(Code::H0203, clash.second, format!("`{}` is already {}", clash.name, clash.was))
                    .here("a second meaning")
                    .label(clash.first, "the first");
                d = d.help("nothing is shadowed in hnet: choose another name");
                let said = self.report.say(d);
                let scope = &mut Rc::get_mut(&mut self.files).expect("nobody shares the files yet")[n];
                if clash.spoils {
                    scope.spoilt.insert(clash.name.clone(), said);
                }
                scope.doubled.insert(clash.name, said);
            }
        }
    }
}

impl Walk<'_, '_> {
    fn find(&self, word: &str) -> Option<Known> {
        self.scopes.iter().rev().find_map(|s| s.get(word)).copied()
    }

    fn put(&mut self, name: &Name, span: Span, what: Option<What>) {
        if let Some(scope) = self.scopes.last_mut() {
            scope.entry(name.clone()).or_insert(Known { span, what });
        }
    }

    fn clash(&mut self, name: &Ident, first: Span, was: &'static str, spoils: bool) {
        self.clashes.push(Clash { name: name.name.clone(), second: name.span, first, was, spoils });
    }

    /// A declaration under a word of the file. After a clash the file's meaning stays.
    fn beside_item(&mut self, name: &Ident, what: What) {
        let before = self.clashes.len();
        self.judge_item(name, what);
        if self.clashes.len() == before {
            self.put(&name.name, name.span, Some(what));
        }
    }

    fn judge_item(&mut self, name: &Ident, what: What) {
        let Some(item) = self.file.items.get(&name.name) else { return };
        let Some(&first) = self.file.places.get(&name.name) else { return };
        let axis_may_stand = matches!(what, What::Index | What::Slot | What::Round);
        match item {
            FileItem::Dim(_) if axis_may_stand => {}
            FileItem::Dim(_) => self.clash(name, first, "an axis of this file", true),
            FileItem::Const(..) | FileItem::ConstDraw(..) if what == What::Argument => {}
            FileItem::Const(..) | FileItem::ConstDraw(..) => self.clash(name, first, "a constant of this file", false),
            FileItem::Fn(_) if what == What::Argument => {}
            FileItem::Fn(_) => self.clash(name, first, "a function of this file", false),
            FileItem::Form(..) => self.clash(name, first, "a layout of this file", false),
            // Nets and models are no values: no word of a body can mean one.
            FileItem::Net(..) | FileItem::Model => {}
        }
    }
}

impl Visit for Walk<'_, '_> {
    fn open(&mut self) {
        self.scopes.push(HashMap::new());
    }

    fn close(&mut self) {
        self.scopes.pop();
    }

    fn declare(&mut self, name: &Ident, what: What) {
        let stored = matches!(what, What::Input | What::Condition | What::Output | What::Loss | What::Param | What::Sub);
        if stored && &*name.name == "__metadata__" {
            self.reserved.push(name.span);
        }
        match self.find(&name.name) {
            // A slot that is a value is an index, no declaration.
            Some(_) if what == What::Slot => return,
            // An axis or an outer index under its own name.
            Some(Known { what: None | Some(What::Index | What::Slot | What::Round), .. })
                if matches!(what, What::Index | What::Round) => {}
            Some(Known { span, what: was }) => {
                let was = match was {
                    None => "an axis of the signature",
                    Some(What::Argument) => "an argument",
                    Some(What::Index | What::Slot) => "an index",
                    Some(What::Round) => "the variable of a loop",
                    Some(What::Let | What::Var | What::Draw | What::Loss | What::Number) => "a name of this body",
                    Some(What::Const) => "a constant",
                    Some(What::Input | What::Condition | What::Param | What::Sub | What::Each | What::Output) => "a member",
                };
                let members = was == "a member" && self.scopes.len() == 1;
                self.clash(name, span, was, members);
            }
            None if what == What::Slot && self.file.items.contains_key(&name.name) => return,
            None => return self.beside_item(name, what),
        }
        self.put(&name.name, name.span, Some(what));
    }

    fn mention(&mut self, _: &Name, _: Span) {}

    fn axis(&mut self, word: &Name, span: Span) {
        let item = self.file.items.get(word);
        let axis = matches!(item, None | Some(FileItem::Dim(_) | FileItem::Net(..) | FileItem::Model));
        if axis && self.find(word).is_none() {
            self.put(word, span, None);
        }
    }
}
