//! What a word means at a place: locals, then members, then the file, then primitives.

use super::habit;
use super::instance::{InstId, MemberRef};
use super::library::Wanted;
use super::locals::Locals;
use super::report::Said;
use super::scope::{Binding, Frame};
use super::value::{FnVal, NameId, NetVal, Num, Tens, Value};
use super::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::Size;
use crate::source::Span;
use crate::syntax::ast::{self, Ident, Name};
use std::collections::HashMap;

/// What a file's items define.
#[derive(Default)]
pub struct FileScope<'a> {
    pub items: HashMap<Name, FileItem<'a>>,
    /// Where each is written in this file.
    pub places: HashMap<Name, Span>,
    /// Names that were imported from a file that does not have them, which was said.
    pub missing: HashMap<Name, Said>,
    /// Words with a second meaning somewhere in this file, which was said.
    pub doubled: HashMap<Name, Said>,
    /// Those of them of which nobody can say what a value means by them: it is not judged.
    pub spoilt: HashMap<Name, Said>,
}

/// An item by its name.
#[derive(Clone, Copy)]
pub enum FileItem<'a> {
    Dim(NameId),
    Const(&'a ast::Expr, usize),
    ConstDraw(&'a ast::ConstDraw, usize),
    Fn(FnVal<'a>),
    Net(usize, &'a ast::NetDef),
    Model,
    Form(usize, &'a ast::SubDecl),
}

/// Constants of files that were computed, by file and place.
#[derive(Default)]
pub struct FileConstants<'a> {
    pub computed: HashMap<(usize, u32), Res<Value<'a>>>,
    pub drawn: HashMap<(usize, u32), Tens>,
}

/// What a word means.
pub enum Meaning<'a> {
    Local(Binding<'a>),
    Member(InstId, MemberRef),
    Item(FileItem<'a>),
    /// A visible axis that is no index here.
    Axis(NameId),
    Nothing,
}

impl<'a> Checker<'a> {
    /// Defines a local; shadowing is an error.
    pub fn define(&mut self, name: &Ident, binding: Binding<'a>) -> Res<()> {
        let taken = match self.meaning(&name.name) {
            Meaning::Local(Binding::Index(n)) if self.axis_word(&name.name) == Some(n) => None,
            Meaning::Local(_) => Some("a name of this body"),
            Meaning::Member(..) => Some("a member"),
            Meaning::Item(FileItem::Dim(_)) | Meaning::Axis(_) => Some("an axis"),
            Meaning::Item(_) | Meaning::Nothing => None,
        };
        let said = self.files[self.scopes.frame().file].doubled.get(&name.name).copied();
        // The new meaning is what the following lines want.
        self.scopes.name(&name.name, binding);
        match (taken, said) {
            (None, _) => Ok(()),
            (Some(_), Some(said)) => Err(said),
            (Some(what), None) => self.fail(
                Diagnostic::error(Code::H0203, name.span, format!("`{}` is already {what}", name.name))
                    .here("a second meaning")
                    .help("nothing is shadowed in hnet: choose another name"),
            ),
        }
    }

    /// The visible axis of this name: of the signature, or (in a model) a dim.
    pub fn axis_word(&self, word: &str) -> Option<NameId> {
        let frame = self.scopes.frame();
        if let Some((_, n)) = frame.axes.iter().rev().find(|(t, _)| &**t == word) {
            return Some(*n);
        }
        if !frame.sees_dims {
            return None;
        }
        match self.files[frame.file].items.get(word) {
            Some(FileItem::Dim(n)) => Some(*n),
            _ => self.axes.copy_of(self.dim_word(word.trim_end_matches('\''))?, word),
        }
    }

    /// The dim of the file of this name.
    fn dim_word(&self, word: &str) -> Option<NameId> {
        match self.files[self.scopes.frame().file].items.get(word) {
            Some(FileItem::Dim(n)) => Some(*n),
            _ => None,
        }
    }

    /// A second copy of a dim, `n'`, that a type declares: an axis of its own, as long as the first.
    pub fn declare_copies(&mut self, ty: &'a ast::Type) {
        let ast::TypeKind::Tensor { axes, .. } = &ty.kind else { return };
        for axis in axes {
            let ast::AxisExpr::Expr(e) = axis else { continue };
            let ast::ExprKind::Name(word) = &*e.kind else { continue };
            let base = word.trim_end_matches('\'');
            if base.len() < word.len()
                && let Some(n) = self.dim_word(base)
            {
                self.axes.declare_copy(n, word);
            }
        }
    }

    /// What a word means here.
    pub fn meaning(&self, word: &str) -> Meaning<'a> {
        if let Some(binding) = self.scopes.local(word) {
            return Meaning::Local(binding.clone());
        }
        let frame = self.scopes.frame();
        if let Some(n) = self.axis_word(word) {
            return Meaning::Axis(n);
        }
        if let Some((id, member)) = self.member_named(word) {
            return Meaning::Member(id, member);
        }
        match self.files[frame.file].items.get(word) {
            Some(FileItem::Dim(_)) if !frame.sees_dims => Meaning::Nothing,
            Some(item) => Meaning::Item(*item),
            None => Meaning::Nothing,
        }
    }

    /// The member of this name that is seen from the net under way.
    pub fn member_named(&self, word: &str) -> Option<(InstId, MemberRef)> {
        self.nets.seen_from(self.scopes.frame().inst, word)
    }

    /// The value of a word.
    pub fn word(&mut self, word: &Name, span: Span) -> Res<Value<'a>> {
        if let Some(said) = self.files[self.scopes.frame().file].spoilt.get(word) {
            return Err(*said);
        }
        match self.meaning(word) {
            Meaning::Local(Binding::Value(v) | Binding::Var(v, _) | Binding::Round(v, _)) => Ok(v),
            Meaning::Local(Binding::Index(n)) | Meaning::Axis(n) => Ok(Value::Tensor(self.iota(n))),
            Meaning::Member(inst, member) => self.member_value(inst, member, span),
            Meaning::Item(item) => self.item_value(item, word, span),
            Meaning::Nothing => self.plain_word(word, span),
        }
    }

    fn item_value(&mut self, item: FileItem<'a>, word: &Name, span: Span) -> Res<Value<'a>> {
        match item {
            FileItem::Dim(n) => Ok(Value::Tensor(self.iota(n))),
            FileItem::Const(expr, file) => self.file_const(word, expr, file, span),
            FileItem::ConstDraw(draw, file) => self.file_draw(draw, file),
            FileItem::Fn(f) => Ok(Value::Fn(f)),
            FileItem::Form(file, decl) => {
                let inst = self.file_form(file, decl)?;
                Ok(Value::Net(NetVal { inst, picks: vec![], with: vec![] }))
            }
            FileItem::Net(..) => self.fail(
                Diagnostic::error(Code::H0204, span, format!("`{word}` is a net; it is used through a `sub`"))
                    .help(format!("declare one, `sub name = {word}(..)`, and call that")),
            ),
            FileItem::Model => self.error(Code::H0204, span, format!("`{word}` is a model and no value")),
        }
    }

    fn plain_word(&mut self, word: &Name, span: Span) -> Res<Value<'a>> {
        match &**word {
            "true" => return Ok(Value::Bool(true)),
            "false" => return Ok(Value::Bool(false)),
            "training" => return Ok(Value::Bool(self.options.training)),
            "self" => {
                if let Some(own) = self.scopes.frame().own.clone() {
                    return Ok(own);
                }
                return self.error(Code::H0411, span, "`self` is the value before a relation; there is no relation here");
            }
            _ => {}
        }
        if let Some(because) = self.nets.absent_from(self.scopes.frame().inst, word) {
            return self.is_absent(word, span, because);
        }
        let frame = self.scopes.frame();
        let hidden = !frame.sees_dims && matches!(self.files[frame.file].items.get(word), Some(FileItem::Dim(_)));
        if hidden {
            return self.fail(
                Diagnostic::error(Code::H0202, span, format!("a net cannot see the model's axis `{word}`"))
                    .here("nets are closed")
                    .help(format!("name it in the signature, `(x: [{word}, ..])`, or leave it to lifting")),
            );
        }
        if let Some(said) = self.files[self.scopes.frame().file].missing.get(word) {
            return Err(*said);
        }
        if self.report.is_full() {
            return self.error(Code::H0201, span, "");
        }
        let d = Diagnostic::error(Code::H0201, span, format!("nothing here is called `{word}`"));
        if let Some(d) = habit::of_word(d.clone(), word, span) {
            return self.fail(d);
        }
        let known = self.visible_words();
        let known: Vec<&str> = known.iter().map(|n| &**n).collect();
        let file = self.scopes.frame().file;
        let d = self.unknown_word(d, (word, span), &known, Wanted::Value, file).unwrap_or_else(|d| d);
        self.fail(d)
    }

    /// Whether a word that means nothing is one of which nothing else is said: the language does not have it, and no mistake took it away.
    pub fn is_unknown(&self, word: &str) -> bool {
        let frame = self.scopes.frame();
        let file = &self.files[frame.file];
        let language = matches!(word, "true" | "false" | "training" | "self") || super::builtin::find(word).is_some();
        let taken = file.spoilt.contains_key(word) || file.missing.contains_key(word) || file.items.contains_key(word);
        !language && !taken && self.nets.absent_from(frame.inst, word).is_none() && !self.report.is_full()
    }

    /// The members that are seen from here.
    pub fn visible_members(&self) -> Vec<Name> {
        let mut out = vec![];
        let mut inst = self.scopes.frame().inst;
        while let Some(id) = inst {
            out.extend(self.nets[id].members.keys().cloned());
            inst = if self.nets[id].net.is_none() { self.nets[id].parent } else { None };
        }
        out.sort();
        out
    }

    /// All words that mean something here, for suggestions.
    pub fn visible_words(&self) -> Vec<Name> {
        let frame = self.scopes.frame();
        let mut out: Vec<Name> = frame.scopes.iter().flat_map(Locals::iter).map(|(n, _)| n.clone()).collect();
        out.extend(frame.axes.iter().map(|(n, _)| n.clone()));
        out.extend(self.visible_members());
        let values = self.files[frame.file].items.iter().filter(|(_, i)| !matches!(i, FileItem::Model));
        out.extend(values.map(|(n, _)| n.clone()));
        out.extend(super::builtin::all().map(|f| Name::from(f.word)));
        out.extend(ast::Reduction::ALL.iter().map(|r| Name::from(r.word())));
        out.sort();
        out.dedup();
        out
    }

    /// A constant of a file; `--set` wins.
    fn file_const(&mut self, word: &Name, expr: &'a ast::Expr, file: usize, span: Span) -> Res<Value<'a>> {
        if file == 0
            && let Some(v) = self.root.setting(word)
        {
            return Ok(Value::Num(exact(v)));
        }
        // The value of a constant is under way where its expression's frame is.
        if self.scopes.frames().any(|f| f.span == expr.span && f.inst.is_none()) {
            return self.fail(
                Diagnostic::error(Code::H0216, span, format!("`{word}` depends on itself"))
                    .help("the order of constants does not matter, but they must not go in a circle"),
            );
        }
        let key = (file, expr.span.start);
        if let Some(known) = self.constants.computed.get(&key) {
            return known.clone();
        }
        let frame = Frame { span: expr.span, ..Frame::new(file, None) };
        let value = self.nested(span, |c| Ok(c.outside(frame, |c| c.expr(expr))))?;
        self.constants.computed.insert(key, value.clone());
        value
    }

    /// A scalar tensor for a number where a tensor is wanted.
    pub fn as_tens(&mut self, value: Value<'a>, span: Span) -> Res<Tens> {
        match value {
            Value::Tensor(t) => Ok(t),
            Value::Num(n) => Ok(self.num_tens(&n)),
            Value::Bool(b) => Ok(self.constant(f64::from(u8::from(b)), crate::ir::DType::Bool)),
            Value::List(list) => self.list_tens(&list),
            Value::Poison(said) => Err(said),
            Value::Record(fields) => {
                let names: Vec<&str> = fields.iter().map(|f| &*f.0).collect();
                let message = format!("this has several results ({}); one value is wanted", names.join(", "));
                self.fail(Diagnostic::error(Code::H0302, span, message).help(format!("take one: `.{}`", names[0])))
            }
            other => {
                let message = format!("this is {}; a value is wanted", other.kind());
                self.error(Code::H0302, span, message)
            }
        }
    }
}

/// Exact where it is whole.
pub fn exact(v: f64) -> Num {
    if v.fract() == 0.0 && v.abs() < 9e15 { Num::Exact(Size::from(v as i64)) } else { Num::Real(v) }
}
