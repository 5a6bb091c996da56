//! What a generated program knows at a place: sizes, axis names, values, indices; and expressions with their types.
//!
//! Every expression carries how large it may get and how much rounding it may have gathered, so that what is compared later
//! is compared where f32 is sane.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;

pub type Names = BTreeSet<String>;

/// A length: a number (perhaps written as a constant's word), or a multiple of a net's formal.
#[derive(Clone, Debug)]
pub struct Size {
    pub factor: i64,
    pub formal: Option<String>,
    pub word: Option<String>,
}

impl Size {
    pub fn of(n: i64) -> Size {
        Size { factor: n, formal: None, word: None }
    }

    pub fn formal(name: &str) -> Size {
        Size { factor: 1, formal: Some(name.into()), word: None }
    }

    /// The number, when it is one.
    pub fn known(&self) -> Option<i64> {
        self.formal.is_none().then_some(self.factor)
    }

    pub fn same(&self, other: &Size) -> bool {
        self.factor == other.factor && self.formal == other.formal
    }

    /// Whether it is surely not 0 (formals are at least 1).
    pub fn positive(&self) -> bool {
        self.factor > 0
    }

    /// An estimate for magnitudes.
    pub fn guess(&self) -> f64 {
        if self.formal.is_some() { 6.0 * self.factor as f64 } else { self.factor as f64 }
    }

    /// As it is written where a sum may stand.
    pub fn text(&self) -> String {
        match (&self.word, &self.formal) {
            (Some(w), _) => w.clone(),
            (None, None) => self.factor.to_string(),
            (None, Some(f)) if self.factor == 1 => f.clone(),
            (None, Some(f)) => format!("{} * {f}", self.factor),
        }
    }

    /// With sizes in the place of formals.
    pub fn with(&self, formals: &[(String, Size)]) -> Size {
        let Some(name) = &self.formal else { return self.clone() };
        match formals.iter().find(|(n, _)| n == name) {
            Some((_, s)) if self.factor == 1 => s.clone(),
            Some((_, s)) => Size { factor: self.factor * s.factor, formal: s.formal.clone(), word: None },
            None => self.clone(),
        }
    }
}

/// Equal lists of sizes.
pub fn same(a: &[Size], b: &[Size]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(x, y)| x.same(y))
}

/// What a value holds.
#[derive(Clone, Debug)]
pub enum Kind {
    Float,
    /// Whole numbers below a size; any where there is none.
    Int(Option<Size>),
    Bool,
}

/// A named value.
#[derive(Clone, Debug)]
pub struct Var {
    pub text: String,
    pub kind: Kind,
    pub names: Names,
    pub sizes: Vec<Size>,
    pub mag: f64,
    pub err: f64,
}

/// What an index runs over.
#[derive(Clone, Debug)]
pub enum Range {
    Size(Size),
    /// The axis of this name, or a copy of it.
    Axis(String),
}

/// A bound index.
#[derive(Clone, Debug)]
pub struct Index {
    pub name: String,
    pub range: Range,
    /// Whether it stands bare somewhere, which gives it its range.
    pub bare: Rc<Cell<bool>>,
    /// Its range is to be written, whatever it indexes.
    pub said: Rc<Cell<bool>>,
}

/// A named axis.
#[derive(Clone, Debug)]
pub struct Dim {
    pub name: String,
    pub size: Option<i64>,
}

impl Dim {
    /// Its length cannot be 0.
    pub fn positive(&self) -> bool {
        self.size.is_some_and(|n| n > 0)
    }
}

/// Something to call.
#[derive(Clone, Debug)]
pub struct Callable {
    pub text: String,
    pub args: Vec<(Names, Vec<Size>)>,
    /// Fields with their types; one without a name for a plain result.
    pub results: Vec<(String, Names, Vec<Size>)>,
    pub mag: f64,
    pub err: f64,
    /// Number of nets, for an array that is not indexed; then `text` stands without its index.
    pub array: Option<Size>,
    /// Names that its parameters vary over.
    pub names: Names,
    /// Works only where it is lifted over an axis.
    pub lifted: bool,
}

/// What is visible.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    pub vars: Vec<Var>,
    pub calls: Vec<Callable>,
    pub indices: Vec<Index>,
    /// Axes that exist here.
    pub dims: Vec<Dim>,
    /// Names that a result may vary over.
    pub allowed: Names,
    /// Axes that a loop walks along: the word is a number that goes home.
    pub rounds: Vec<String>,
    /// Rounds of loops around this place.
    pub counters: Vec<String>,
    /// Values that are known when compiling: a condition made of these alone leaves one side out.
    pub known: Names,
    /// Inside a net or a function: `*` means something, formals are sizes.
    pub net: bool,
}

impl Scope {
    pub fn dim(&self, name: &str) -> Option<&Dim> {
        self.dims.iter().find(|d| d.name == name)
    }

    /// With another index open.
    pub fn with(&self, index: Index) -> Scope {
        let mut s = self.clone();
        s.allowed.insert(index.name.clone());
        s.indices.push(index);
        s
    }
}

/// How tightly an expression binds; larger is tighter.
pub mod level {
    pub const PIPE: u8 = 0;
    pub const OR: u8 = 1;
    pub const AND: u8 = 2;
    pub const NOT: u8 = 3;
    pub const COMPARE: u8 = 4;
    pub const SUM: u8 = 5;
    pub const PRODUCT: u8 = 6;
    pub const UNARY: u8 = 7;
    pub const POWER: u8 = 8;
    pub const POSTFIX: u8 = 9;
}

/// An expression.
#[derive(Clone, Debug)]
pub struct E {
    pub text: String,
    pub level: u8,
    pub names: Names,
    pub sizes: Vec<Size>,
    /// No element is larger, roughly.
    pub mag: f64,
    /// Rounding that it may have gathered, in units of the last place of 1.
    pub err: f64,
}

impl E {
    pub fn new(text: impl Into<String>, level: u8) -> E {
        E { text: text.into(), level, names: Names::new(), sizes: vec![], mag: 1.0, err: 1.0 }
    }

    /// The text where an operator of this level stands.
    pub fn at(&self, level: u8) -> String {
        if self.level >= level { self.text.clone() } else { format!("({})", self.text) }
    }

    pub fn typed(mut self, names: Names, sizes: Vec<Size>) -> E {
        self.names = names;
        self.sizes = sizes;
        self
    }

    pub fn bounded(mut self, mag: f64, err: f64) -> E {
        self.mag = mag;
        self.err = err;
        self
    }
}

/// The union of names.
pub fn union(a: &Names, b: &Names) -> Names {
    a.union(b).cloned().collect()
}
