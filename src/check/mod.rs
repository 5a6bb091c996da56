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
//! | `names` | that a word has one meaning |
//! | `scope` | what a word means at a place |
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
//! | `control` | `if`, `for` |
//! | `chance` | draws |
//! | `builtin` | functions that are primitives |
//! | `block` | statements |
//! | `top` | models, `eval` and `train` blocks |
//! | `unused` | what nobody reads |

mod axes;
mod block;
mod bounds;
mod builtin;
mod call;
mod chance;
mod control;
mod expr;
mod filter;
mod generic;
mod index;
mod instance;
pub mod model;
mod names;
mod number;
mod reduce;
mod relation;
mod route;
mod scope;
mod top;
mod tree;
mod unused;
mod value;

use crate::diag::{Diagnostic, Sink};
use crate::ir::{Axis, DType, Graph, Node, NodeId, Op, Operand, Size, Sym};
use crate::program::Program;
use crate::source::Span;
use crate::syntax::ast::Name;
use instance::{Inst, Param};
pub use model::Model;
use scope::{FileScope, Frame};
use std::collections::{BTreeMap, HashMap};
use value::{Label, NameId, Tens};

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

/// Something failed and was said.
#[derive(Clone, Copy, Debug)]
pub struct Said;

/// What a step of the checker gives.
type Res<T> = Result<T, Said>;

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

/// A graph under construction: the model's, or the body of a loop.
#[derive(Default)]
struct Level {
    graph: Graph,
    /// Outer node → argument of the body (captures), with its labels.
    captured: Vec<(Tens, NodeId)>,
    iotas: HashMap<NameId, NodeId>,
    /// Constants by their bits, extents by their sizes, so that one number is one node.
    constants: HashMap<(u64, DType), NodeId>,
    extents: HashMap<Size, NodeId>,
    /// The loop's round, for draws.
    round: Option<NodeId>,
    trips: Option<Size>,
    seed: Option<NodeId>,
}

/// The walk.
struct Checker<'a> {
    program: &'a Program,
    options: &'a Options,
    sink: &'a mut Sink,
    files: Vec<FileScope<'a>>,
    names: Vec<AxisName>,
    insts: Vec<Inst<'a>>,
    params: Vec<Param<'a>>,
    relations: Vec<relation::Rel<'a>>,
    levels: Vec<Level>,
    level: usize,
    frames: Vec<Frame<'a>>,
    /// Parameters replaced by relations in blocks and by `net{..}`; the last one wins.
    overrides: Vec<(instance::ParamId, Tens)>,
    /// Overrides below this are not seen (a member of a model knows nothing of the block that asks for it).
    hidden: usize,
    /// Sizes that were found for `?n`.
    solved: BTreeMap<Sym, Size>,
    /// Conditions that hold here.
    guards: Vec<Tens>,
    /// Indices to be proved inside their axes once all ranges are known.
    checks: Vec<bounds::Check>,
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
    losses: Vec<(String, Tens, Span)>,
    updates: Vec<(String, Tens)>,
    out: Model,
    /// With unknown numbers: what needs a known one is not an error.
    generic: bool,
    /// Trees are asked for their shapes, not their values.
    shapes_only: bool,
    depth: usize,
    /// Calls, rounds and nets so far.
    entered: usize,
    model_seed: Size,
    /// Nets and functions that were called, by the places of their names.
    used: std::collections::HashSet<Span>,
}

/// Nodes that one model may have.
const MAX_NODES: usize = 2_000_000;

/// Calls, written-out rounds and nets that one model may have.
const MAX_ENTERED: usize = 2_000_000;

impl<'a> Checker<'a> {
    /// Says an error and gives the token of having said it.
    fn fail<T>(&mut self, diagnostic: Diagnostic) -> Res<T> {
        self.sink.push(diagnostic);
        Err(Said)
    }

    fn error<T>(&mut self, code: &'static str, span: Span, message: impl Into<String>) -> Res<T> {
        self.fail(Diagnostic::error(code, span, message))
    }

    /// Something needs a known number; with unknown numbers that is nobody's fault.
    fn unknown<T>(&mut self, span: Span, what: &str) -> Res<T> {
        if self.generic {
            return Err(Said);
        }
        self.error("H0320", span, format!("{what} must be a number that is known when the model is compiled"))
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
        for _ in 0..64 {
            if !size.symbols().iter().any(|s| self.solved.contains_key(s)) {
                break;
            }
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
            let symbols = x.symbols();
            if let [s] = symbols.as_slice()
                && s.starts_with('?')
                && Size::sym(s.clone()) == *x
                && !y.symbols().contains(s)
            {
                self.solved.insert(s.clone(), y.clone());
                return true;
            }
        }
        false
    }

    // nodes

    fn graph(&mut self) -> &mut Graph {
        let level = self.level;
        &mut self.levels[level].graph
    }

    fn at(&self, t: &Tens) -> &Node {
        self.levels[t.level].graph.node(t.node)
    }

    /// Extents of a tensor's dimensions.
    fn extents(&self, t: &Tens) -> Vec<Size> {
        self.at(t).shape.iter().map(|a| self.resolve(&a.size)).collect()
    }

    fn extent(&self, t: &Tens, dim: usize) -> Size {
        self.resolve(&self.at(t).shape[dim].size)
    }

    /// The node of a tensor at the present level: itself, or an argument of the loop's body that stands for it.
    fn node(&mut self, t: &Tens) -> NodeId {
        if t.level == self.level {
            return t.node;
        }
        assert!(t.level < self.level, "a value does not leave its loop");
        let mut here = t.clone();
        for level in t.level + 1..=self.level {
            here = self.capture(level, here);
        }
        here.node
    }

    fn capture(&mut self, level: usize, t: Tens) -> Tens {
        if let Some((_, arg)) = self.levels[level].captured.iter().find(|(c, _)| c.node == t.node) {
            return Tens { level, node: *arg, ..t };
        }
        let outer = self.at(&t).clone();
        // Numbers need no capture.
        let copy = match outer.op {
            Op::Const(_) | Op::Extent(_) => Some(outer.op.clone()),
            _ => None,
        };
        let arg = match copy {
            Some(op) => self.levels[level].graph.add(Node { op, ..outer }, vec![]),
            None => {
                let number = usize::MAX - self.levels[level].captured.len();
                self.levels[level].graph.add(Node { op: Op::Arg(number), inner: vec![], ..outer }, vec![])
            }
        };
        if matches!(self.levels[level].graph.node(arg).op, Op::Arg(_)) {
            self.levels[level].captured.push((t.clone(), arg));
        }
        Tens { level, node: arg, ..t }
    }

    /// Adds a node whose dimensions have these labels.
    fn emit(&mut self, node: Node, labels: Vec<Label>, operands: Vec<Operand>) -> Tens {
        debug_assert_eq!(node.shape.len(), labels.len());
        let dtype = node.dtype;
        let level = self.level;
        let span = self.frames.last().map_or(Span::default(), |f| f.span);
        let within = self.place_name();
        let node = self.graph().add(Node { span, within, ..node }, operands);
        Tens { level, node, labels, dtype }
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
        let level = self.level;
        let key = (value.to_bits(), dtype);
        let node = match self.levels[level].constants.get(&key) {
            Some(n) => *n,
            None => {
                let n = self.graph().add(Node::new(Op::Const(value), dtype, vec![]), vec![]);
                self.levels[level].constants.insert(key, n);
                n
            }
        };
        Tens { level, node, labels: vec![], dtype }
    }

    /// A size as an i32 scalar.
    fn size_value(&mut self, size: &Size) -> Tens {
        let size = self.resolve(size);
        if let Some(n) = size.constant() {
            return self.constant(n as f64, DType::I32);
        }
        let level = self.level;
        let node = match self.levels[level].extents.get(&size) {
            Some(n) => *n,
            None => {
                let n = self.graph().add(Node::new(Op::Extent(size.clone()), DType::I32, vec![]), vec![]);
                self.levels[level].extents.insert(size, n);
                n
            }
        };
        Tens { level, node, labels: vec![], dtype: DType::I32 }
    }

    /// The counter of a name: 0, 1, .. along it.
    fn iota(&mut self, name: NameId) -> Tens {
        let level = self.level;
        let labels = vec![Label::Named(name)];
        if let Some(&node) = self.levels[level].iotas.get(&name) {
            return Tens { level, node, labels, dtype: DType::I32 };
        }
        let axis = self.axis(Label::Named(name), "", self.size_of(name));
        let t = self.emit(Node::new(Op::Iota, DType::I32, vec![axis]), labels, vec![]);
        self.levels[level].iotas.insert(name, t.node);
        t
    }
}
