//! What the library has that a file does not import.
//!
//! In: a word that means nothing, and the names that are known where it stands. Out: the message with what may have been meant: an import,
//! or a name that is near. Promised: an edit is offered only where it does not decide for the writer: a word of the library is
//! imported as it is written, and a near name takes its place only where letters alone are wrong ([`Diagnostic::meant`]) and the
//! net's arguments are such as are given. Everything else is said, and left to the writer.

use super::Checker;
use crate::diag::{Diagnostic, Sink, nearest};
use crate::program::{LIBRARY, Loaded};
use crate::source::{FileId, Span};
use crate::syntax::ast::{self, Formal, ImportFrom, ItemKind};
use std::sync::OnceLock;

/// Letters of a word that is hardly near to a name of the library by chance.
const LONG: usize = 6;

/// So many letters may be wrong: with more, another net may have been meant (`MultiheadAttention` is no slip of `LinearAttention`).
const SLIPS: usize = 2;

/// What a word stands for where it is unknown.
#[derive(Clone, Copy)]
pub(super) enum Wanted<'a> {
    /// A net, with what it is given.
    Net(&'a [ast::Arg]),
    /// A function or a constant.
    Value,
}

/// A name of the library.
pub(super) struct Export {
    pub module: &'static str,
    item: ast::Item,
}

impl Export {
    pub fn name(&self) -> &str {
        match &self.item.kind {
            ItemKind::Net(def) => &def.name.name,
            ItemKind::Fn(def) => &def.name.name,
            ItemKind::Const(defs) => defs.first().map_or("", |d| &d.name.name),
            _ => "",
        }
    }

    pub fn is(&self, wanted: Wanted) -> bool {
        matches!(wanted, Wanted::Net(_)) == matches!(self.item.kind, ItemKind::Net(_))
    }

    /// What is said of it: a net with the order of its arguments.
    pub fn shown(&self) -> String {
        let import = format!("`import std.{} {{ {} }}`", self.module, self.name());
        match &self.item.kind {
            ItemKind::Net(def) => format!("{import}; its arguments are `{}`", order(def)),
            _ => import,
        }
    }
}

/// Nets, functions and constants of all modules.
pub(super) fn exports() -> &'static [Export] {
    static ALL: OnceLock<Vec<Export>> = OnceLock::new();
    ALL.get_or_init(|| {
        let items = |(module, text): &(&'static str, &str)| {
            let module = *module;
            let file = crate::syntax::parse(FileId(0), text, &mut Sink::default());
            file.items.into_iter().map(move |item| Export { module, item })
        };
        LIBRARY.iter().flat_map(items).filter(|e| !e.name().is_empty()).collect()
    })
}

/// `Conv(k, c, o)`; arguments with defaults are left out.
pub(super) fn order(def: &ast::NetDef) -> String {
    let needed = def.formals.iter().filter(|f| f.default.is_none());
    let mut words: Vec<&str> = needed.map(|f| &*f.name.name).collect();
    if words.len() < def.formals.len() {
        words.push("..");
    }
    format!("{}({})", def.name.name, words.join(", "))
}

/// Whether a net with these arguments may be given these.
fn takes(formals: &[Formal], args: &[ast::Arg]) -> bool {
    let named = |f: &Formal| args.iter().any(|a| a.name.as_ref().is_some_and(|n| n.name == f.name.name));
    let known = args.iter().filter_map(|a| a.name.as_ref()).all(|n| formals.iter().any(|f| f.name.name == n.name));
    let free: Vec<&Formal> = formals.iter().filter(|f| !named(f)).collect();
    let given = args.iter().filter(|a| a.name.is_none()).count();
    known && given <= free.len() && free[given..].iter().all(|f| f.default.is_some())
}

impl<'a> Checker<'a> {
    /// The message about an unknown word, with what it may have been.
    pub(super) fn unknown_word(
        &self,
        d: Diagnostic,
        (word, span): (&str, Span),
        known: &[&str],
        wanted: Wanted<'a>,
        file: usize,
    ) -> Result<Diagnostic, Diagnostic> {
        // A net stands for a value where it is an argument.
        let of_this = |e: &&Export| e.name() == word && (e.is(wanted) || matches!(wanted, Wanted::Value));
        let exact: Vec<&Export> = exports().iter().filter(of_this).collect();
        match exact.as_slice() {
            [] => {}
            [one] => {
                let edits = self.import_of(file, one.module, word).into_iter().collect();
                return Ok(d.fixes(format!("the library has it: {}", one.shown()), edits));
            }
            several => {
                let all: Vec<String> = several.iter().map(|e| e.shown()).collect();
                return Ok(d.help(format!("the library has several: {}", all.join(", or "))));
            }
        }
        let here = nearest(word, known.iter().copied());
        let there = nearest(word, exports().iter().filter(|e| e.is(wanted) && !known.contains(&e.name())).map(Export::name));
        let near_here = |d: Diagnostic, near: &str| match (wanted, self.files[file].items.get(near)) {
            (Wanted::Net(args), Some(super::word::FileItem::Net(_, def))) if !takes(&def.formals, args) => {
                d.help(format!("`{near}` is near, and its arguments are `{}`", order(def)))
            }
            (Wanted::Net(_) | Wanted::Value, _) => d.meant(word, span, near),
        };
        match (here, there) {
            (Some((a, near)), Some((b, _))) if a < b => Ok(near_here(d, near)),
            (Some((_, near)), None) => Ok(near_here(d, near)),
            (None, None) => Err(d),
            (here, Some((b, near))) => {
                let one = exports().iter().find(|e| e.name() == near && e.is(wanted));
                let Some(one) = one else { return Err(d) };
                let tie = here.filter(|(a, _)| *a == b).map(|(_, n)| format!(", and `{n}` is near")).unwrap_or_default();
                let help = format!("the library has `{near}`: {}{tie}", one.shown());
                let fits = match (&one.item.kind, wanted) {
                    (ItemKind::Net(def), Wanted::Net(args)) => takes(&def.formals, args),
                    _ => true,
                };
                // Among so many names a short word is near to one by chance.
                let long = b == 0 || word.len() >= LONG;
                let sure = tie.is_empty() && fits && long && b <= SLIPS && crate::diag::is_slip(word, near);
                match self.import_of(file, one.module, near).filter(|_| sure) {
                    Some(import) => Ok(d.fixes(help, vec![import, (span, near.to_string())])),
                    None => Ok(d.help(help)),
                }
            }
        }
    }

    /// A function or constant that the library alone has: what is said of it, and the edit that imports it.
    pub(super) fn exported(&self, word: &str, file: usize) -> Option<(String, Option<(Span, String)>)> {
        let mut all = exports().iter().filter(|e| e.name() == word && e.is(Wanted::Value));
        let (one, None) = (all.next()?, all.next()) else { return None };
        let import = if self.files[file].items.contains_key(word) { None } else { self.import_of(file, one.module, word) };
        Some((format!("the library has it: {}", one.shown()), import))
    }

    /// The edit that imports a name of the library.
    fn import_of(&self, file: usize, module: &str, word: &str) -> Option<(Span, String)> {
        import_of(&self.program.files[file], module, word)
    }

    /// What a message about a net's arguments says besides: their order, and what they were.
    pub(super) fn with_order(&self, d: Diagnostic) -> Diagnostic {
        let inst = self.scopes.frame().inst.map(|id| &self.nets[id]);
        match inst.and_then(|i| Some((i.net?, i))) {
            Some((def, inst)) if def.formals.len() > 1 && inst.decl.is_some() => {
                d.note(format!("{} made it: the arguments are `{}`", inst.made_by(), order(def)))
            }
            _ => d,
        }
    }
}

/// The edit that imports a name of the library: into the list of an import of its module, or a line behind the other imports.
pub(super) fn import_of(loaded: &Loaded, module: &str, word: &str) -> Option<(Span, String)> {
    if loaded.library {
        return None;
    }
    let mut imports = loaded.ast.items.iter().filter_map(|i| match &i.kind {
        ItemKind::Import(import) => Some((i, import)),
        _ => None,
    });
    let of_it = imports.clone().find(|(_, i)| match &i.from {
        ImportFrom::Library(words) => words.len() == 2 && &*words[0].name == "std" && &*words[1].name == module,
        ImportFrom::File { .. } => false,
    });
    if let Some(last) = of_it.and_then(|(_, i)| i.names.last()) {
        return Some((Span { start: last.span.end, ..last.span }, format!(", {word}")));
    }
    let line = format!("import std.{module} {{ {word} }}");
    if let Some((item, _)) = imports.next_back() {
        return Some((Span { start: item.span.end, ..item.span }, format!("\n{line}")));
    }
    // Behind what the file says of itself.
    let head: usize = loaded.text.split_inclusive('\n').take_while(|l| l.starts_with("//!")).map(str::len).sum();
    let rest = &loaded.text[head..];
    let gap = if rest.starts_with('\n') { "" } else { "\n" };
    let before = if head > 0 { "\n" } else { "" };
    Some((Span::new(loaded.id, head, head), format!("{before}{line}\n{gap}")))
}
