//! ast → model: names, dims, axes, sizes, rates, who owns or generates each parameter.
//!
//! In: a [`Program`]. Out: a [`Model`] for each `model` item of its root file, or diagnostics.
//!
//! Checking and lowering are one walk, because the rule that types an expression is the rule that lifts it: the value of
//! an expression is a node of the graph together with what its dimensions are called ([`value::Tens`]). A net is checked
//! once for each instance, with its numbers known, and once with unknown numbers when nobody uses it.
//!
//! | file | what it decides |
//! |---|---|
//! | `report` | what was said |
//! | `build` | the graph under construction |
//! | `names` | that a word has one meaning |
//! | `scope`, `locals` | the bodies under way, and what holds in them |
//! | `word` | what a word means at a place |
//! | `number` | compile-time numbers, sizes, constants |
//! | `instance` | nets, arrays, families, their parameters |
//! | `relation` | who generates, adapts, ties, freezes a parameter |
//! | `axes` | alignment by name, equal sizes, broadcasting |
//! | `index` | index notation |
//! | `bounds` | that an index stays inside its axis |
//! | `reduce` | reductions and binders |
//! | `filter` | what a filter or a missing seat leaves out |
//! | `call` | calls of nets and functions |
//! | `route` | routing, capacity, blends |
//! | `control`, `loops` | `if`, `for` |
//! | `chance` | draws |
//! | `builtin` | functions that are primitives |
//! | `block` | statements |
//! | `top` | models, `eval` and `train` blocks |
//! | `unused` | what nobody reads |

mod axes;
mod block;
mod bounds;
mod build;
mod builtin;
mod call;
mod chance;
mod control;
mod expr;
mod filter;
mod generic;
mod index;
mod instance;
mod locals;
mod loops;
pub mod model;
mod names;
mod number;
mod reduce;
mod relation;
mod report;
mod route;
mod scope;
mod top;
mod tree;
mod unused;
mod value;
mod word;

use crate::diag::{Diagnostic, Sink};
use crate::ir::{Axis, DType, Node, Op, Operand, Size, Sym};
use crate::program::Program;
use crate::source::Span;
use crate::syntax::ast::Name;
use build::Build;
pub use builtin::{described, reference, words};
use instance::{Inst, Param};
pub use model::Model;
use report::{Report, Res};
use scope::Scopes;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use top::RootItems;
use value::{Label, NameId, Tens, Value};
use word::FileScope;

/// What the command line decides.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// `--set d=48`: replaces a file's or model's constant.
    pub set: Vec<(String, f64)>,
    /// Conditions that vary over a dim: a block binds them to a column of the batch.
    pub lift: Vec<(String, String)>,
    /// Checks the side of `training` that learns, too.
    pub training: bool,
}

/// Checks the root file of a program; gives its models in order.
pub fn check(program: &Program, options: &Options, sink: &mut Sink) -> Vec<Model> {
    top::check(program, options, sink)
}

/// What is known about an axis name.
#[derive(Clone, Debug)]
struct AxisName {
    text: Name,
    size: Size,
    /// Where its range came from.
    ranged: Option<Span>,
}

/// The walk.
struct Checker<'a> {
    program: &'a Program,
    options: &'a Options,
    report: Report,
    files: Rc<Vec<FileScope<'a>>>,
    names: Vec<AxisName>,
    /// What is looked up in the root file for every model.
    root: Rc<RootItems>,
    /// Constants of files that were computed, by file and place.
    file_consts: HashMap<(usize, u32), Res<Value<'a>>>,
    insts: Vec<Inst<'a>>,
    params: Vec<Param<'a>>,
    relations: Vec<relation::Rel<'a>>,
    build: Build,
    scopes: Scopes<'a>,
    /// Sizes that were found for `?n`.
    solved: BTreeMap<Sym, Size>,
    /// Steps that the present proof may still take.
    patience: std::cell::Cell<u32>,
    /// Calls of draws by dotted path.
    draws: HashMap<String, u32>,
    /// Drawn constants of files, by file and place.
    file_draws: HashMap<(usize, u32), Tens>,
    /// Parameters whose values are being computed.
    asking: Vec<instance::ParamId>,
    /// Copies that `each` made.
    each_copies: Vec<instance::InstId>,
    /// Places of inputs and conditions in `out.inputs`, by name.
    inputs: HashMap<Name, usize>,
    losses: Vec<(String, Tens, Span)>,
    updates: Vec<(String, Tens)>,
    out: Model,
    /// Calls, rounds and nets so far, and how many there may be.
    entered: usize,
    most_entered: usize,
    model_seed: Size,
    /// Nets and functions that were called, by the places of their names.
    used: std::collections::HashSet<Span>,
}

/// A number or a size that has outgrown what is computed with.
fn too_long(span: Span) -> Diagnostic {
    Diagnostic::limit("H0820", span, "this number becomes too large")
        .here("more than 37 digits, or a formula of more than four thousand terms")
        .help("a number with a dot, `1.0`, is rounded and may be as large as an `f32`")
}

/// Nodes that one model may have.
const MAX_NODES: usize = 500_000;

/// Single nets of an array, and parameters that one path matches: each is written out.
const MAX_MATCHES: usize = 4096;

/// Calls, written-out rounds and nets that one model may have.
const MAX_ENTERED: usize = 2_000_000;

/// As many for all models of a program together, and for nets and functions that none of them uses.
const MAX_IN_ALL: usize = 8_000_000;

/// As many for one net or function that no model uses: it is only looked at.
const MAX_UNUSED: usize = 100_000;

impl<'a> Checker<'a> {
    /// Says an error in the place of a value.
    fn fail<T>(&mut self, diagnostic: Diagnostic) -> Res<T> {
        self.report.fail(diagnostic)
    }

    fn error<T>(&mut self, code: &'static str, span: Span, message: impl Into<String>) -> Res<T> {
        self.report.fail(Diagnostic::error(code, span, message))
    }

    // names

    fn new_name(&mut self, text: &str, size: Size, ranged: Option<Span>) -> NameId {
        self.names.push(AxisName { text: text.into(), size, ranged });
        NameId(self.names.len() as u32 - 1)
    }

    /// A name whose range is to be found from what it indexes.
    fn open_name(&mut self, text: &str) -> NameId {
        let unknown = Size::sym(format!("?{}", self.names.len()));
        self.new_name(text, unknown, None)
    }

    fn name_text(&self, name: NameId) -> &str {
        &self.names[name.0 as usize].text
    }

    fn size_of(&self, name: NameId) -> Size {
        self.resolve(&self.names[name.0 as usize].size)
    }

    /// A size with all that was found put in.
    fn resolve(&self, size: &Size) -> Size {
        let mut size = size.clone();
        // What is found may hold unknowns that are found later; no chain of them is a circle.
        while size.mentions(&|s| s.starts_with('?') && self.solved.contains_key(s)) {
            size = size.substitute(&|s| self.solved.get(s).cloned());
        }
        size
    }

    /// Whether two sizes are the same, finding open ranges on the way.
    fn same(&mut self, a: &Size, b: &Size) -> bool {
        let (a, b) = (self.resolve(a), self.resolve(b));
        if a == b {
            return true;
        }
        for (x, y) in [(&a, &b), (&b, &a)] {
            if let Some(s) = x.single()
                && s.starts_with('?')
                && !y.mentions(&|t| t == &**s)
            {
                self.solved.insert(s.clone(), y.clone());
                return true;
            }
        }
        false
    }

    // nodes

    /// Does something at another level.
    fn at_level<T>(&mut self, level: usize, work: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.build.go_to(level);
        let out = work(self);
        self.build.go_to(before);
        out
    }

    /// Extents of a tensor's dimensions.
    fn extents(&self, t: &Tens) -> Vec<Size> {
        self.build.at(t).shape.iter().map(|a| self.resolve(&a.size)).collect()
    }

    fn extent(&self, t: &Tens, dim: usize) -> Size {
        self.resolve(&self.build.at(t).shape[dim].size)
    }

    /// Adds a node whose dimensions have these labels.
    fn emit(&mut self, node: Node, labels: Vec<Label>, operands: Vec<Operand>) -> Tens {
        node.shape.iter().chain(&node.inner).for_each(|a| self.kept(&a.size));
        let (span, within) = (self.scopes.place(), self.scopes.place_name());
        self.build.add(Node { span, within, ..node }, labels, operands)
    }

    /// The text that a dimension is known by.
    fn axis_text(&self, label: Label, fallback: &str) -> Name {
        match label {
            Label::Named(n) => self.names[n.0 as usize].text.clone(),
            Label::Sized => fallback.into(),
        }
    }

    /// An axis for a label, named for people.
    fn axis(&self, label: Label, fallback: &str, size: Size) -> Axis {
        Axis { name: self.axis_text(label, fallback), size }
    }

    fn constant(&mut self, value: f64, dtype: DType) -> Tens {
        if dtype == DType::I32 && value as i32 as f64 != value.trunc() {
            let span = self.scopes.place();
            self.report.say(crate::diag::beyond_i32(span, value));
        }
        self.build.constant(value, dtype)
    }

    /// A size as an i32 scalar.
    fn size_value(&mut self, size: &Size) -> Tens {
        self.extent_value(size, DType::I32)
    }

    /// A size as a number, which may be larger than an i32.
    fn extent_value(&mut self, size: &Size, dtype: DType) -> Tens {
        let size = self.resolve(size);
        self.kept(&size);
        if let Some(n) = size.constant() {
            return self.constant(n as f64, dtype);
        }
        let span = self.scopes.place();
        self.build.extent(size, dtype, span)
    }

    /// Says that a size could not be kept.
    fn kept(&mut self, size: &Size) {
        if size.is_lost() {
            let d = too_long(self.scopes.place());
            self.report.say(d);
        }
    }

    /// The counter of a name: 0, 1, .. along it.
    fn iota(&mut self, name: NameId) -> Tens {
        if let Some(known) = self.build.iota(name) {
            return known;
        }
        let axis = self.axis(Label::Named(name), "", self.size_of(name));
        let t = self.emit(Node::new(Op::Iota, DType::I32, vec![axis]), vec![Label::Named(name)], vec![]);
        self.build.note_iota(name, &t);
        t
    }
}
