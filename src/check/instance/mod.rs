//! Nets in a model: one [`Inst`] for each `sub`, with its parameters, its parts and its constants. An array of nets is one
//! instance whose parameters have one more axis, which has a name of its own until somebody indexes it.

mod choice;
mod given;
mod make;
mod member;
mod nets;
mod param;
mod trees;

pub use super::value::{InstId, ParamId};
pub use choice::Whose;
pub use nets::{Nets, Rel, Target, fixed_slots};

use super::Res;
use super::report::Said;
use super::value::{Label, NameId, NetVal, Plan, Tens, Value};
use crate::diag::{Code, Diagnostic, suggest};
use crate::ir::Size;
use crate::source::Span;
use crate::syntax::ast::{self, Name};
use std::collections::HashMap;
use std::rc::Rc;

/// A member by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberRef {
    /// Computed when asked for.
    Thunk(usize),
    Param(ParamId),
    Sub(usize),
    /// `param p[q in tree.*]`
    LeafParams(usize),
    /// In an `each`: the parameter that it stands at.
    Match(usize),
}

/// Something that is computed once, when it is first asked for.
pub enum Thunk<'a> {
    Const(&'a ast::Expr, Name),
    Let(&'a ast::Stmt),
    Draw(&'a ast::ConstDraw),
    /// A `var` before its statement.
    Waiting,
    Running,
    Done(Value<'a>),
    /// A `var` from its statement on, and its type, if that is declared.
    Var(Value<'a>, Option<&'a ast::Type>),
}

impl Thunk<'_> {
    /// That its value was tried, and what was said of it.
    pub fn failed(&self) -> Option<Said> {
        match self {
            Thunk::Done(Value::Poison(said)) => Some(*said),
            _ => None,
        }
    }
}

/// What the nets of a `sub` are made from.
#[derive(Clone)]
pub enum SubFrom<'a> {
    Decl(&'a ast::SubDecl),
    /// An argument: a net that was not made yet.
    Given(Rc<Plan<'a>>),
}

/// A `sub` or `form`, or a net that is an argument.
pub struct Sub<'a> {
    pub name: &'a ast::Ident,
    pub from: SubFrom<'a>,
    pub state: SubState,
    /// The nets of a family as a value, once somebody has asked.
    pub family: Option<Rc<Vec<(Name, NetVal)>>>,
}

impl Sub<'_> {
    /// The nets that are made.
    pub fn made(&self) -> Vec<InstId> {
        match &self.state {
            SubState::Done(Ok(Parts::One(s) | Parts::Array(s, _))) => vec![*s],
            SubState::Done(Ok(Parts::Family(nets))) => nets.iter().map(|(_, s)| *s).collect(),
            SubState::Waiting | SubState::Running | SubState::Done(Err(_)) => vec![],
        }
    }
}

/// How far the nets of a `sub` are made.
pub enum SubState {
    Waiting,
    Running,
    Done(Res<Parts>),
}

/// The nets of a `sub`.
#[derive(Clone)]
pub enum Parts {
    One(InstId),
    Array(InstId, NameId),
    Family(Rc<Vec<(Name, InstId)>>),
}

/// A net (or model, or copy of an `each`) with its members.
pub struct Inst<'a> {
    pub file: usize,
    /// `None` for a model and for a copy of an `each`: then words are looked up in `parent` too.
    pub net: Option<&'a ast::NetDef>,
    pub parent: Option<InstId>,
    pub path: String,
    pub form: bool,
    /// It is an argument of the net that has it.
    pub given: bool,
    /// What says that it is made.
    pub decl: Option<&'a ast::SubDecl>,
    pub sees_dims: bool,
    /// Arrays that it stands in, outermost first.
    pub arrays: Vec<NameId>,
    pub members: HashMap<Name, MemberRef>,
    /// Members of the sides of an `if` that do not hold: who reads them is told.
    pub absent: HashMap<Name, Span>,
    /// Which side of each `if` among the members holds, by its place.
    pub sides: HashMap<Span, bool>,
    /// Parameters and parts in declaration order.
    pub order: Vec<(Name, MemberRef)>,
    pub thunks: Vec<Thunk<'a>>,
    pub subs: Vec<Sub<'a>>,
    pub leaf_params: Vec<Vec<(Name, ParamId)>>,
    /// Parameters over a tree whose leaves are not looked up yet.
    pub over_leaves: Vec<(usize, &'a ast::ParamDecl)>,
    pub matches: Vec<Target>,
    pub signature: Option<&'a ast::Signature>,
    pub relations: Vec<&'a ast::Relation>,
    pub eaches: Vec<&'a ast::Each>,
    pub span: Span,
}

impl Inst<'_> {
    /// What says that it is made, for messages.
    pub fn made_by(&self) -> String {
        let Some(decl) = self.decl else { return "this".into() };
        let args: Vec<String> = decl
            .args
            .iter()
            .map(|a| match &a.name {
                Some(name) => format!("{}: {}", name.name, crate::syntax::print_expr(&a.value)),
                None => crate::syntax::print_expr(&a.value),
            })
            .collect();
        let word = if decl.form { "form" } else { "sub" };
        format!("`{word} {} = {}({})`", decl.name.name, decl.net.name, args.join(", "))
    }
}

/// Whether a parameter's value was asked for.
pub enum Asked {
    Not,
    Now,
    Done(Res<Effective>),
}

impl Asked {
    pub fn is_under_way(&self) -> bool {
        matches!(self, Asked::Now)
    }
}

/// A parameter's value after all relations.
#[derive(Clone)]
pub enum Effective {
    Whole(Tens),
    /// Nets of its (only) array one by one.
    Each(NameId, Vec<Tens>),
}

/// A declared parameter.
pub struct Param<'a> {
    pub inst: InstId,
    pub path: String,
    pub decl: &'a ast::ParamDecl,
    /// Labels and extents, arrays first; found when first asked for.
    pub shape: Option<Vec<(Label, Size)>>,
    /// In `[p in tree.*]`: the word, the leaf's path, how many values that has.
    pub leaf: Option<(Name, Name, Size)>,
    pub source: Option<Tens>,
    /// Relations in order: number, and which of its targets this is.
    pub relations: Vec<(usize, usize)>,
    pub effective: Asked,
    /// Nets of its array whose values were made one by one, by number, and those that are being made.
    pub single: HashMap<i64, Tens>,
    pub singly: Vec<i64>,
    pub init: Option<(usize, usize)>,
    /// Which nets of its arrays are frozen, row-major; empty: none.
    pub frozen: Vec<bool>,
    /// Its stored value is read, whatever writes it.
    pub kept: bool,
}

/// What an instance is made from.
pub struct Made<'a> {
    pub file: usize,
    pub net: &'a ast::NetDef,
    pub parent: Option<InstId>,
    pub path: String,
    pub form: bool,
    pub given: bool,
    pub decl: Option<&'a ast::SubDecl>,
    pub arrays: Vec<NameId>,
    pub span: Span,
}

/// A word that is a type elsewhere, and what it is here.
pub fn foreign_type(path: &ast::Path) -> Diagnostic {
    let (word, span) = (&*path.root.name, path.root.span);
    let d = Diagnostic::error(Code::H0218, span, format!("there is no type `{word}`"));
    let own = match word.to_lowercase().as_str() {
        "float" | "float32" | "float64" | "f64" | "f16" | "bf16" | "double" | "real" | "number" | "num" => "f32",
        "int" | "integer" | "int32" | "int64" | "i64" | "u32" | "u8" | "usize" | "long" | "index" => "i32",
        "boolean" | "truth" => "bool",
        "tensor" | "array" | "vector" | "matrix" | "list" | "ndarray" => {
            return d.help("the type of a tensor is its axes in brackets: `[b, 64]`, `i32[b]`");
        }
        _ => match suggest(word, ["f32", "i32", "bool", "size", "seed"]) {
            Some(near) => near,
            None => return d.help("there are `f32`, `i32`, `bool`, with axes as in `i32[b]` or `[b, 64]`; `size` and `seed`"),
        },
    };
    d.fix(format!("`{own}` is the word here"), span, own)
}

/// `a.b`
pub fn join(a: &str, b: &str) -> String {
    if a.is_empty() { b.to_string() } else { format!("{a}.{b}") }
}

/// `1 number`, `2 numbers`
pub fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
