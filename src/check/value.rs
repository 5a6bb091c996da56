//! What an expression is while it is checked: a compile-time number, a tensor of the graph with its type, a record, a tree
//! of parameters, or a net.

use super::report::Said;
use crate::ir::{DType, NodeId, Size};
use crate::source::Span;
use crate::syntax::ast::{self, Name};
use std::cell::OnceCell;
use std::rc::Rc;

/// An axis name in some scope; two nets that both say `t` have two of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NameId(pub u32);

/// A net of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstId(pub usize);

/// A parameter of a net.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ParamId(pub usize);

/// What a dimension of a tensor is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    Named(NameId),
    Sized,
}

/// A tensor: a node of the graph at some loop level, with a label for each dimension.
#[derive(Clone, Debug)]
pub struct Tens {
    pub level: usize,
    pub node: NodeId,
    pub labels: Vec<Label>,
    pub dtype: DType,
}

impl Tens {
    /// Position of a name.
    pub fn find(&self, name: NameId) -> Option<usize> {
        self.labels.iter().position(|l| *l == Label::Named(name))
    }

    /// Names, in order.
    pub fn names(&self) -> impl Iterator<Item = NameId> + '_ {
        self.labels.iter().filter_map(|l| match l {
            Label::Named(n) => Some(*n),
            Label::Sized => None,
        })
    }

    /// Positions of the sized dimensions, in order.
    pub fn sized(&self) -> Vec<usize> {
        (0..self.labels.len()).filter(|&i| self.labels[i] == Label::Sized).collect()
    }
}

/// A compile-time number: exact where it is a quotient of sizes.
#[derive(Clone, Debug, PartialEq)]
pub enum Num {
    Exact(Size),
    Real(f64),
}

impl Num {
    /// Its value where nothing is unknown.
    pub fn known(&self) -> Option<f64> {
        match self {
            Num::Exact(s) => s.number(),
            Num::Real(r) => Some(*r),
        }
    }

    /// The exact number or size.
    pub fn exact(&self) -> Option<Size> {
        match self {
            Num::Exact(s) => Some(s.clone()),
            Num::Real(_) => None,
        }
    }
}

/// A parameter tree: leaves and the structure above them.
#[derive(Clone, Debug)]
pub enum Tree {
    Leaf(Tens),
    /// A net: its parts in declaration order.
    Node(Vec<(Name, Tree)>),
    /// An array of equal nets: leaves inside carry the array's name as a label.
    Array {
        axis: NameId,
        item: Box<Tree>,
    },
}

impl Tree {
    /// All leaves with their dotted paths; an array's number is `*`.
    pub fn leaves(&self) -> Vec<(String, &Tens)> {
        let mut out = Vec::new();
        self.walk(String::new(), &mut out);
        out
    }

    fn walk<'t>(&'t self, path: String, out: &mut Vec<(String, &'t Tens)>) {
        let join = |p: &str| if path.is_empty() { p.to_string() } else { format!("{path}.{p}") };
        match self {
            Tree::Leaf(t) => out.push((path, t)),
            Tree::Node(parts) => parts.iter().for_each(|(n, t)| t.walk(join(n), out)),
            Tree::Array { item, .. } => item.walk(join("*"), out),
        }
    }
}

/// How an array of nets is indexed.
#[derive(Clone, Debug)]
pub enum Pick {
    /// By a compile-time number.
    Number(Size),
    /// By an axis or an index.
    Name(NameId),
    /// By data.
    Data(Tens),
    /// Not one net, but a mixture with these weights (`blend`): a sized axis of the array's length.
    Mix(Tens),
}

/// A net, an array of nets, or a net out of an array.
#[derive(Clone, Debug)]
pub struct NetVal {
    pub inst: InstId,
    /// For each array that it stands in: how that is indexed; arrays that are not named here are not indexed yet.
    pub picks: Vec<(NameId, Pick)>,
    /// Parameters that stand in for its own.
    pub with: Vec<(ParamId, Tens)>,
}

/// A function of a file.
#[derive(Clone, Copy, Debug)]
pub struct FnVal<'a> {
    pub file: usize,
    pub def: &'a ast::FnDef,
}

/// A net that is not made yet, with its arguments: whoever takes it has it as a part.
#[derive(Debug)]
pub struct Plan<'a> {
    pub file: usize,
    pub net: &'a ast::NetDef,
    pub args: Vec<(Name, Value<'a>)>,
    pub span: Span,
}

/// A list of numbers, truth values or lists of them, which is a tensor where one is wanted.
#[derive(Debug)]
pub struct List<'a> {
    pub items: Vec<Value<'a>>,
    pub span: Span,
    /// The tensor, once somebody has asked for it.
    pub made: OnceCell<Tens>,
}

/// The value of an expression.
#[derive(Clone, Debug)]
pub enum Value<'a> {
    Num(Num),
    Bool(bool),
    Tensor(Tens),
    Record(Rc<Vec<(Name, Value<'a>)>>),
    Tree(Rc<Tree>),
    Net(NetVal),
    /// A family or the nets over a tree's leaves: indexed by compile-time numbers or leaf names.
    Family(Rc<Vec<(Name, NetVal)>>),
    /// A net that is not made yet: an argument of the net that will have it.
    Plan(Rc<Plan<'a>>),
    Fn(FnVal<'a>),
    /// A function or reduction of the language, as an argument.
    Builtin(&'static str),
    /// A list of what is known when the model is compiled.
    List(Rc<List<'a>>),
    /// A member of each leaf of a tree: indexed by the leaf.
    Leaves(Rc<Vec<(Name, Value<'a>)>>),
    /// The name of a leaf, in a `[p in tree.*]`.
    LeafName(Name, Size),
    /// A statement's value.
    Unit,
    /// Something failed; it was said.
    Poison(Said),
}

impl Value<'_> {
    /// What messages call it.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Num(_) => "a number",
            Value::Bool(_) => "a truth value",
            Value::Tensor(_) => "a tensor",
            Value::Record(_) => "several results",
            Value::Tree(_) => "a parameter tree",
            Value::Net(_) => "a net",
            Value::Family(_) => "a family of nets",
            Value::Plan(_) => "a net that is not made yet",
            Value::Fn(_) | Value::Builtin(_) => "a function",
            Value::List(_) => "a list",
            Value::Leaves(_) => "one value for each leaf",
            Value::LeafName(..) => "a leaf of a tree",
            Value::Unit => "no value",
            Value::Poison(_) => "an error",
        }
    }
}

impl From<Size> for Value<'_> {
    fn from(s: Size) -> Self {
        Value::Num(Num::Exact(s))
    }
}
