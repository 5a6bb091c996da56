//! The primitives, and the words for what they are made of.

use super::{Axis, Graph, Map, Size};
use std::sync::Arc;

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
    /// Operand 0: i32 index, operand 1: value, both read through subscripts. `out[p]` folds (`Sum`, `Max` or `Min`) the values over the
    /// inner loops where the index equals the counter of loop `axis`.
    Scatter {
        axis: usize,
        fold: Fold,
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
