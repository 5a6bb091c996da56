//! The graph: what a model means, in about thirty primitives.
//!
//! # What a graph means
//!
//! A node is a loop nest. Its `shape` lists the loops that make the result, its `inner` the loops that a reduction closes.
//! Loop `k` is `shape[k]` for `k < rank`, and `inner[k - rank]` after that. An operand is read through *subscripts*: for each
//! dimension of the operand, the loop whose counter indexes it. So transposing, broadcasting, repeating and taking a diagonal
//! are no operations; they are how an operand is read:
//!
//! ```text
//! %7: f32[b, o=10] = sum(i=32) %3[b, i] * %5[i, o]          a product of any number of factors
//! %8: f32[b, o=10] = add %7[b, o], %6[o]                     broadcasting is a missing subscript
//! %9: f32[k=10]    = copy %4[k, k]                           a diagonal
//! ```
//!
//! A loop's extent equals the extent of every operand dimension that it indexes (the verifier checks this), except where an
//! op says otherwise. Values are reals in the meaning (the interpreter computes in f64), f32 in compiled code; `I32` values
//! are exact, `Bool` is 0 or 1.
//!
//! - **source**: a value that comes from outside, a constant, a counter, a size, random bits.
//! - **pointwise** ([`Map`]): a scalar function at every point.
//! - **reduce** ([`Fold`]): folds one operand over the inner loops.
//! - **contract**: sums the product of its operands over the inner loops. Products stay n-ary until the planner picks an order.
//!   What a filter leaves out is no term of the sum: a factor that has the filter's axes is 0 there, and where another may be NaN
//!   or infinite at a place that is left out, the filter itself is the last operand, a *guard*.
//! - **index**: gather and scatter, and the demand that an index stays inside.
//! - **move**: concatenation, row-major reshape.
//! - **order**: sorting, running sums, assignment.
//! - **loop**: a body graph, run a number of rounds.
//!
//! # Outside of an axis
//!
//! A gather makes no fuss: outside of its source it takes what its text says. That an index *must* be inside, because nobody said what
//! lies outside and nothing proves it, is a node of its own on the way to the gather, [`Op::Inside`]. It hands the index on, and is
//! about this value alone: no pass has to know where the value is used, what nobody uses is not demanded, and equal demands are one.
//! Where it is broken, the run gives an error instead of results (H0617). An index that a condition keeps from being used may
//! hold anything: the condition is an operand of the node. The interpreter notes what is outside while it goes; a plan computes for every
//! demand one whole number beside the outputs (`plan::outside`), so code and shaders know nothing of it.
//!
//! Sizes make demands, too: that a slice fits, that there are as many elements as an order gives. They follow from the
//! nodes (`needs`), and are looked at when the sizes are known, before anything runs (H0618).
//!
//! # What is no number
//!
//! NaN stays NaN and infinities are what IEEE 754 makes of them; where IEEE leaves a choice, this holds on every backend:
//!
//! - Arithmetic on NaN gives NaN. `Max(a, b)` and `Min(a, b)` are NaN if either is, and so is a fold by them if any element is.
//!   `Sign` of NaN is NaN. Which zero `Max` and `Min` give of two is not said.
//! - Comparisons with NaN are false, `Ne` is true.
//! - `Argmax` and `Argmin` give the first NaN if there is one, else the first of the best.
//! - Orders put NaN last, whether they ascend or descend. Ties go to the lower index.
//! - `ToI32` cuts towards zero, stops at the ends of i32, and makes the least i32 of NaN: no axis has that place.
//! - `Pow` is C's: `x^0` and `1^x` are 1 for every `x`, NaN too; `inf^0.5` and `(-inf)^0.5` are infinite, `(-2)^2` is 4 and
//!   `(-2)^0.5` is NaN.
//! - `0 * inf` is NaN: a pass drops a factor of 0, or what a 0 is multiplied with, only where that is finite for sure.
//!
//! A fold over nothing: `Sum` 0, `Prod` 1, `Max` minus infinity and `Min` infinity (of whole numbers the ends of i32), `Any` false,
//! `All` true, `Argmax` and `Argmin` 0.
//!
//! # Sums
//!
//! Every sum (`Sum`, `Contract`, `Scatter`, `Scan`) keeps f32's digits whatever its length and the shape of its loops: it is off by no
//! more than a millionth of the sum of magnitudes at 10^7 terms, and `Prod` by no more than a millionth of itself: no part of it
//! leaves the range of numbers, be the factors large first or small. In which order the terms are summed depends on the graph and the
//! sizes alone, never on threads. The sign of a sum that is zero is not said. Where the sum of magnitudes is beyond f32, the sum may be
//! infinite or NaN.
//! A product of several factors may be summed factor by factor, or multiplied out: where that meets an infinite factor, or a part of
//! it is beyond f32, NaN may stand for an infinity, never another finite number.

pub mod interp;
pub mod needs;
pub mod outside;
pub mod random;
pub mod read;
pub mod scalar;
pub mod size;
pub mod sizes;
mod tensor;
pub mod text;
mod tokens;
pub mod verify;
mod words;

use crate::source::Span;
use petgraph::Direction;
use petgraph::graph::DiGraph;
pub use petgraph::graph::NodeIndex as NodeId;
pub use scalar::Map;
pub use size::{Size, Sym};
use std::sync::Arc;
pub use tensor::{Bindings, Data, Tensor, type_text};

/// What an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    F32,
    I32,
    Bool,
}

impl DType {
    /// The word in texts.
    pub fn word(self) -> &'static str {
        match self {
            DType::F32 => "f32",
            DType::I32 => "i32",
            DType::Bool => "bool",
        }
    }
}

/// How often a value changes. What depends on no more than the conditions is prepared once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rate {
    Constant,
    Parameter,
    Condition,
    Input,
}

/// One loop: its extent, and the name that people know it by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Axis {
    pub name: Arc<str>,
    pub size: Size,
}

impl Axis {
    pub fn new(name: impl Into<Arc<str>>, size: impl Into<Size>) -> Axis {
        Axis { name: name.into(), size: size.into() }
    }
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// Given with every run.
    Input,
    /// Given, but changes rarely.
    Condition,
    /// Learned, stored.
    Param,
    /// Stored and updated, not learned.
    State,
    /// Loaded, never learned.
    Load,
    /// The seed of a run (`--seed`), an i32 scalar called `seed`.
    Seed,
}

/// Folds over the inner loops. `Argmax` and `Argmin` have exactly one inner loop and give its i32 counter (0 when it is empty).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Fold {
    Sum,
    Prod,
    Max,
    Min,
    Any,
    All,
    Argmax,
    Argmin,
}

/// How one dimension of a gather's source is indexed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pick {
    /// By a loop's counter.
    Loop(usize),
    /// By the value of operand number `n` (from 1: operand 0 is the source), an i32.
    Operand(usize),
}

/// Distribution of random values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dist {
    /// In [0, 1), a multiple of 2^-24.
    Uniform,
    /// Mean 0, variance 1 (Box and Muller on two words).
    Normal,
}

/// The primitives.
#[derive(Clone, Debug)]
pub enum Op {
    // source
    /// A value from outside under its dotted path.
    Source {
        origin: Origin,
        path: Arc<str>,
    },
    /// One number, rank 0.
    Const(f64),
    /// Rank 1: the counter of its only loop, i32.
    Iota,
    /// Rank 0: the value of a size. An i32 holds it or the run is refused; an f32 is the exact value, rounded once.
    Extent(Size),
    /// Philox4x32-10 (Salmon et al. 2011): counter (position, round, position / 2^32, 0), key (seed, `key`), where position counts
    /// the node's loops row-major. Operand 0: seed, operand 1: round, both i32 and read through subscripts.
    Random {
        dist: Dist,
        key: u32,
    },
    // pointwise
    Map(Map),
    // reduce, contract
    /// Operand 0 folded over the inner loops.
    Fold(Fold),
    /// The product of the factors (one or more), summed over the inner loops. The last operands may be bools: guards. Where one
    /// is false there is no term, whatever the factors are.
    Contract,
    // index
    /// Operand 0 is the source (its subscripts are empty), indexed by one pick for each of its dimensions; loops that
    /// pick nothing broadcast. Outside the source: `fill`, or the nearest element where `fill` is `None`; from an empty source 0.
    Gather {
        picks: Vec<Pick>,
        fill: Option<f64>,
    },
    /// Operand 0: i32 index, operand 1: value, both read through subscripts. `out[p]` sums the values over the inner loops
    /// where the index equals the counter of loop `axis`.
    Scatter {
        axis: usize,
    },
    /// Operand 0, an i32 index, as it is: it must lie on this axis, in `[0, size)`, wherever operand 1 (a bool; none: everywhere)
    /// holds. Otherwise the run fails. Both are read through subscripts.
    Inside(Axis),
    // move
    /// Operands joined along loop `axis`, in order; their subscripts name all loops that they have, `axis` among them, with
    /// an extent of their own there.
    Concat {
        axis: usize,
    },
    /// The same elements in row-major order under another shape. The operand's subscripts are empty.
    Reshape,
    // order
    /// Operand 0, read with one inner loop (the ordered one): the i32 indices that sort it, `shape[axis]` many of them.
    Order {
        axis: usize,
        descending: bool,
    },
    /// Running sum, itself included, along loop `axis`.
    Scan {
        axis: usize,
    },
    /// The permutation of least total cost for a square matrix (Hungarian method): the last loop is the row, the only inner
    /// loop the column; gives the column of each row, i32.
    Assign,
    // loop
    /// Runs a body; its results are read by `Result`. Shape and inner are empty.
    Loop(Box<Body>),
    /// Number `k` of a loop's results: final carries, then stacked yields (a leading axis of the number of rounds).
    Result(usize),
    /// In a body: its argument number `k`.
    Arg(usize),
}

/// The body of a loop.
///
/// Arguments: 0 is the round (i32; counts down when `reverse`), then the carries, then the captured values. Outputs: the
/// next carries, then (when `stop`) one bool scalar that ends the loop after this round, then the yields. The loop node's operands
/// are the first carries and the captures, read with identity subscripts. A yield of round `r` is stacked at `r`; rounds that did not run give 0.
#[derive(Clone, Debug)]
pub struct Body {
    pub graph: Graph,
    pub trips: Size,
    pub reverse: bool,
    pub carries: usize,
    pub yields: usize,
    pub stop: bool,
}

/// A node.
#[derive(Clone, Debug)]
pub struct Node {
    pub op: Op,
    pub dtype: DType,
    /// Loops of the result.
    pub shape: Vec<Axis>,
    /// Loops that are closed.
    pub inner: Vec<Axis>,
    /// What the source calls it.
    pub name: Option<Arc<str>>,
    /// The net's path and the statement's name that it is part of: `hyper.trunk`, `logits`.
    pub within: Option<Arc<str>>,
    /// Where it comes from.
    pub span: Span,
}

impl Node {
    pub fn new(op: Op, dtype: DType, shape: Vec<Axis>) -> Node {
        Node { op, dtype, shape, inner: Vec::new(), name: None, within: None, span: Span::default() }
    }

    /// Number of dimensions of the result.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// Loop `k`.
    pub fn axis(&self, k: usize) -> &Axis {
        if k < self.shape.len() { &self.shape[k] } else { &self.inner[k - self.shape.len()] }
    }
}

/// An operand of a node.
#[derive(Clone, Debug, PartialEq)]
pub struct Operand {
    pub node: NodeId,
    /// For each dimension of `node`, the loop that indexes it.
    pub subscripts: Vec<usize>,
}

impl Operand {
    pub fn new(node: NodeId, subscripts: Vec<usize>) -> Operand {
        Operand { node, subscripts }
    }
}

/// What an output is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum OutputKind {
    Output,
    Loss,
    /// The next value of a state, applied once per training step.
    Update,
}

/// A named result.
#[derive(Clone, Debug)]
pub struct Output {
    pub name: Arc<str>,
    pub kind: OutputKind,
    pub node: NodeId,
}

/// What the graph keeps at a node. Edges say who reads whom; in which order, and how, stands here, so that it can be lent.
#[derive(Clone, Debug)]
struct Place {
    node: Node,
    operands: Box<[Operand]>,
}

/// A directed graph without cycles; operands come before their users in node order.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    inner: DiGraph<Place, ()>,
    pub outputs: Vec<Output>,
    /// Sizes that a value decides: the scalar node (rate condition or lower) whose rounded value the unknown takes.
    pub measured: Vec<(Sym, NodeId)>,
}

impl Graph {
    /// Adds a node; its operands exist already.
    pub fn add(&mut self, node: Node, operands: Vec<Operand>) -> NodeId {
        let sources: Vec<NodeId> = operands.iter().map(|o| o.node).collect();
        let id = self.inner.add_node(Place { node, operands: operands.into() });
        for source in sources {
            self.inner.add_edge(source, id, ());
        }
        id
    }

    pub fn node(&self, id: NodeId) -> &Node {
        &self.inner[id].node
    }

    pub fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.inner[id].node
    }

    /// Operands in order.
    pub fn operands(&self, id: NodeId) -> &[Operand] {
        &self.inner[id].operands
    }

    /// Makes a node read only the first `count` of its operands.
    pub fn truncate_operands(&mut self, id: NodeId, count: usize) {
        let kept: Vec<Operand> = self.operands(id).iter().take(count).cloned().collect();
        while let Some(edge) = self.inner.first_edge(id, Direction::Incoming) {
            self.inner.remove_edge(edge);
        }
        for o in &kept {
            self.inner.add_edge(o.node, id, ());
        }
        self.inner[id].operands = kept.into();
    }

    /// The operands of a node; the guards of a contraction, which come last, apart.
    pub fn factors(&self, id: NodeId) -> (&[Operand], &[Operand]) {
        let operands = self.operands(id);
        let guard = |o: &&Operand| matches!(self.node(id).op, Op::Contract) && self.node(o.node).dtype == DType::Bool;
        operands.split_at(operands.len() - operands.iter().rev().take_while(guard).count())
    }

    /// Whether a node is a contraction that leaves terms out.
    pub fn is_guarded(&self, id: NodeId) -> bool {
        !self.factors(id).1.is_empty()
    }

    /// Nodes that read `id`, each once, in order.
    pub fn users(&self, id: NodeId) -> Vec<NodeId> {
        let mut users: Vec<_> = self.inner.neighbors_directed(id, Direction::Outgoing).collect();
        users.sort();
        users.dedup();
        users
    }

    /// All nodes, operands before users.
    pub fn ids(&self) -> impl DoubleEndedIterator<Item = NodeId> + use<> {
        (0..self.inner.node_count()).map(NodeId::new)
    }

    pub fn len(&self) -> usize {
        self.inner.node_count()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The output of this name.
    pub fn output(&self, name: &str) -> Option<&Output> {
        self.outputs.iter().find(|o| &*o.name == name)
    }

    /// Which nodes the given roots need, measured sizes of needed nodes included.
    pub fn reachable(&self, roots: impl IntoIterator<Item = NodeId>) -> Vec<bool> {
        let mut seen = vec![false; self.len()];
        let mut todo: Vec<NodeId> = roots.into_iter().collect();
        while let Some(id) = todo.pop() {
            if std::mem::replace(&mut seen[id.index()], true) {
                continue;
            }
            todo.extend(self.operands(id).iter().map(|o| o.node));
            for s in self.symbols_of(id) {
                todo.extend(self.measured.iter().filter(|(m, _)| *m == s).map(|(_, n)| *n));
            }
        }
        seen
    }

    /// Unknown sizes that a node mentions itself.
    pub fn symbols_of(&self, id: NodeId) -> Vec<Sym> {
        let node = self.node(id);
        let mut out: Vec<Sym> = node.shape.iter().chain(&node.inner).flat_map(|a| a.size.symbols()).collect();
        match &node.op {
            Op::Extent(s) => out.extend(s.symbols()),
            Op::Inside(axis) => out.extend(axis.size.symbols()),
            Op::Loop(body) => {
                out.extend(body.trips.symbols());
                out.extend(body.graph.ids().flat_map(|n| body.graph.symbols_of(n)));
            }
            Op::Source { .. } | Op::Const(_) | Op::Iota | Op::Random { .. } | Op::Map(_) | Op::Fold(_) | Op::Contract => {}
            Op::Gather { .. } | Op::Scatter { .. } | Op::Concat { .. } | Op::Reshape | Op::Order { .. } | Op::Scan { .. } => {}
            Op::Assign | Op::Result(_) | Op::Arg(_) => {}
        }
        out.sort();
        out.dedup();
        out
    }

    /// Paths of the sources that are no inputs: what `prepare` takes.
    pub fn early_paths(&self) -> Vec<Arc<str>> {
        let rates = self.rates();
        let path = |id: NodeId| {
            let Op::Source { path, .. } = &self.node(id).op else { return None };
            (rates[id.index()] < Rate::Input).then(|| path.clone())
        };
        self.ids().filter_map(path).collect()
    }

    /// The rate of every node.
    pub fn rates(&self) -> Vec<Rate> {
        let mut rates: Vec<Rate> = Vec::with_capacity(self.len());
        for id in self.ids() {
            let own = match &self.node(id).op {
                Op::Source { origin, .. } => match origin {
                    Origin::Input | Origin::Seed => Rate::Input,
                    Origin::Condition => Rate::Condition,
                    Origin::Param | Origin::State | Origin::Load => Rate::Parameter,
                },
                Op::Arg(_) => Rate::Input,
                Op::Const(_) | Op::Iota | Op::Extent(_) | Op::Random { .. } | Op::Map(_) | Op::Fold(_) | Op::Contract => {
                    Rate::Constant
                }
                Op::Gather { .. } | Op::Scatter { .. } | Op::Inside(_) | Op::Concat { .. } | Op::Reshape => Rate::Constant,
                Op::Order { .. } | Op::Scan { .. } | Op::Assign | Op::Loop(_) | Op::Result(_) => Rate::Constant,
            };
            let sizes = self.symbols_of(id).into_iter().map(|s| {
                self.measured
                    .iter()
                    .find(|(m, _)| *m == s)
                    .map_or(Rate::Input, |(_, n)| rates.get(n.index()).copied().unwrap_or(Rate::Input))
            });
            let rate = sizes.chain(self.operands(id).iter().map(|o| rates[o.node.index()])).fold(own, Rate::max);
            rates.push(rate);
        }
        rates
    }
}
