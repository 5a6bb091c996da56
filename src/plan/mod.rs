//! Graph → plan: which loops run, in what order, on which memory.
//!
//! In: a graph, the wanted nodes and the value of every size. Out: a [`Plan`]: buffers and steps, the first `prepared` of which
//! depend on no input. A plan is written in symbolic sizes; the values decide between strategies only, and every decision
//! shows in the text. So two size bindings whose plans read alike share one plan and its compiled code.
//!
//! A [`Kernel`] is one fused loop nest: an expression over loads, whose reductions may stand anywhere in it. A [`Product`]
//! is the sum of products of two strided operands. What a view can say (transposes, slices, reshapes) costs no step.

mod added;
mod asked;
mod attend;
mod build;
mod contract;
mod decide;
mod equal;
mod expand;
mod finished;
mod foreseen;
mod formula;
mod fuse;
mod granted;
mod grow;
mod hard;
mod heads;
mod kept;
mod kernel;
mod lines;
pub mod measured;
mod memory;
mod names;
mod narrow;
mod needed;
mod order;
mod outside;
mod prices;
pub mod rewrite;
mod segments;
mod shared;
mod sizes;
mod tables;
mod taps;
mod text;
mod tile;
mod together;
mod told;
mod tree;
mod uses;
pub mod verify;
mod view;
mod weigh;
mod written;

use crate::ir::{DType, Dist, Fold, Map, Rate, Size};
pub use added::{Row, row};
pub use attend::{Around, Attention, Pair, attention};
pub use build::{plan, plan_anywhere, plan_on};
#[cfg(any(feature = "cpu", feature = "gpu"))]
pub(crate) use decide::Choices;
pub use decide::{Asked, By, Decision, Fate, Pins, Place, Site, Terms, Way, What, Wish};
pub use equal::{Equal, equal};
pub use finished::{Finish, finish};
#[cfg(test)]
pub use formula::Softmax;
pub use granted::Granted;
pub use kernel::heavy;
pub use lines::{Lines, Pane};
pub use memory::{Layout, PAGE, PAGED, of_conditions, place, place_in, room};
pub use names::Fresh;
pub use outside::{Arrival, Demand, Demands};
pub use prices::{Level, Prices};
pub use sizes::complete;
use std::sync::Arc;
pub use taps::{Along, Batch, Copied, Geometry, geometry};
pub use together::{Attend, Biased, Finished, Kept, Taps, Tile, Written};
pub use told::{Told, told};
pub use written::{Writing, writing};

/// The values of the sizes that are unknown in the graph.
pub use crate::ir::sizes::Sizes;

/// What runs.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The machine that it was made for, where that is no fixed one: its name and the mark of its prices.
    pub machine: Option<String>,
    pub buffers: Vec<Buffer>,
    pub steps: Vec<Step>,
    /// So many steps depend on no input: they run once, in `prepare`.
    pub prepared: usize,
    /// The buffers of the wanted nodes, in order; then one word for each computed demand, that it is kept or by what it is broken.
    pub outputs: Vec<usize>,
    /// Indices that must lie inside.
    pub demands: Demands,
    /// Runs of steps that go through their first axis tile by tile: [first, last) and the extent of that axis.
    pub tiles: Vec<Tile>,
    /// Gathers of windows that an executor may leave out, with the product of each.
    pub taps: Vec<Taps>,
    /// Chains of steps whose results an executor may compute without what lies between.
    pub attends: Vec<Attend>,
    /// Products over windows whose results are finished as they are written.
    pub finished: Vec<Finished>,
    /// Products that an executor computes together with what is added to them.
    pub biased: Vec<Biased>,
    /// Products that an executor computes together with what writes their matrices.
    pub written: Vec<Written>,
    /// For each step the places in the source that it computes.
    pub places: Vec<Vec<crate::source::Span>>,
    /// What each step is made for.
    pub about: Vec<Place>,
    /// On what terms it was made, and what the source pins: for what a device decides beyond it.
    pub terms: Terms,
    pub pins: Vec<crate::ir::Pin>,
    /// What was decided, in bodies of loops, too.
    pub decisions: Vec<Decision>,
    /// What became of each pin of the graph.
    pub fates: Vec<Fate>,
    /// Where the plan is right at other sizes than those it was made for: there all of this holds. It speaks for bodies of loops, too.
    pub granted: Vec<Granted>,
}

/// Where a buffer comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Given by the user under a path.
    Source(Arc<str>),
    /// Argument of a loop body.
    Arg(usize),
    Temp,
    /// A wanted result.
    Output,
}

/// A stretch of memory; elements are four bytes each (a bool is the i32 0 or 1).
#[derive(Clone, Debug)]
pub struct Buffer {
    pub name: String,
    pub dtype: DType,
    pub shape: Vec<Size>,
    pub kind: Kind,
    pub rate: Rate,
}

impl Buffer {
    /// Number of elements.
    pub fn len(&self) -> Size {
        self.shape.iter().fold(Size::from(1i64), |n, s| n.mul(s))
    }
}

/// A strided window on a buffer: one stride per dimension, in elements.
#[derive(Clone, Debug, PartialEq)]
pub struct View {
    pub buffer: usize,
    pub offset: Size,
    pub strides: Vec<Size>,
}

/// A loop of a kernel.
#[derive(Clone, Debug)]
pub struct Loop {
    pub name: Arc<str>,
    pub size: Size,
}

/// An address: a buffer, an offset, and a stride for each loop that moves it. In elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Access {
    pub buffer: usize,
    pub offset: Size,
    pub terms: Vec<(usize, Size)>,
}

/// An index that a value decides.
#[derive(Clone, Debug, PartialEq)]
pub struct Index {
    pub value: usize,
    pub extent: Size,
    pub stride: Size,
}

/// A value in a kernel; operands are numbers of earlier values.
#[derive(Clone, Debug)]
pub enum Expr {
    Const(f64),
    Counter(usize),
    Size(Size),
    Load(Access),
    /// A load at indices that may lie outside: then `fill`, or the nearest element.
    Pick {
        access: Access,
        at: Vec<Index>,
        fill: Option<f64>,
    },
    Map(Map, Vec<usize>),
    /// Folds `value` over loops that are its own.
    Reduce {
        fold: Fold,
        loops: Vec<usize>,
        value: usize,
    },
    /// `of`; where that is NaN, the sum of `value` over loops that are its own. They run nowhere else.
    Mend {
        of: usize,
        loops: Vec<usize>,
        value: usize,
    },
}

/// Equal are two that compute the same: numbers by their bits, for 0 and -0 are two numbers, and NaN is one.
impl PartialEq for Expr {
    fn eq(&self, other: &Expr) -> bool {
        match (self, other) {
            (Expr::Const(a), Expr::Const(b)) => a.to_bits() == b.to_bits(),
            (Expr::Counter(a), Expr::Counter(b)) => a == b,
            (Expr::Size(a), Expr::Size(b)) => a == b,
            (Expr::Load(a), Expr::Load(b)) => a == b,
            (Expr::Pick { access, at, fill }, Expr::Pick { access: other, at: places, fill: or }) => {
                (access, at, fill.map(f64::to_bits)) == (other, places, or.map(f64::to_bits))
            }
            (Expr::Map(a, args), Expr::Map(b, others)) => (a, args) == (b, others),
            (Expr::Reduce { fold, loops, value }, Expr::Reduce { fold: other, loops: over, value: of }) => {
                (fold, loops, value) == (other, over, of)
            }
            (Expr::Mend { of, loops, value }, Expr::Mend { of: other, loops: over, value: by }) => {
                (of, loops, value) == (other, over, by)
            }
            (Expr::Const(_) | Expr::Counter(_) | Expr::Size(_) | Expr::Load(_), _) => false,
            (Expr::Pick { .. } | Expr::Map(..) | Expr::Reduce { .. } | Expr::Mend { .. }, _) => false,
        }
    }
}

/// One fused loop nest.
#[derive(Clone, Debug)]
pub struct Kernel {
    pub name: String,
    /// The first `outer` loops run over the result; the others belong to reductions. Inner loops have higher numbers.
    pub loops: Vec<Loop>,
    pub outer: usize,
    pub body: Vec<Expr>,
    pub types: Vec<DType>,
    pub store: Access,
    pub value: usize,
    /// Steps of loop 0 for each step of the result's first axis (more than one where axes were joined).
    pub unit: Size,
}

/// A loop of a product and its stride in each operand and the result; `None`: it does not move there.
#[derive(Clone, Debug)]
pub struct Span {
    pub name: Arc<str>,
    pub size: Size,
    pub a: Option<Size>,
    pub b: Option<Size>,
    pub out: Option<Size>,
}

/// `out = Σ a · b` over the loops that `out` lacks.
#[derive(Clone, Debug)]
pub struct Product {
    pub name: String,
    pub spans: Vec<Span>,
    pub a: (usize, Size),
    pub b: (usize, Size),
    pub out: (usize, Size),
    /// The loop that may be cut into tiles: the result's first axis.
    pub lead: Option<usize>,
}

/// A product whose `b` is chosen by an index: `b` starts at `stride * index`, the index clamped to `count`, or `b` is 0 for that row.
#[derive(Clone, Debug)]
pub struct Grouped {
    pub product: Product,
    /// The i32 index; its strides stand beside the loops that move it.
    pub index: Access,
    pub count: Size,
    pub stride: Size,
    pub clamp: bool,
}

/// `out[g] = Σ a · b` over the rows whose index is `g`; a row whose index is none of the groups goes nowhere. Loops that `out` lacks
/// are rows; the groups' own loop is none of the product's.
#[derive(Clone, Debug)]
pub struct Segments {
    pub product: Product,
    /// The i32 index; its strides stand beside the loops that move it.
    pub index: Access,
    /// Groups, and how far apart they lie in `out`.
    pub count: Size,
    pub stride: Size,
}

/// A view with the extents of its dimensions.
#[derive(Clone, Debug)]
pub struct Window {
    pub view: View,
    pub shape: Vec<Size>,
}

/// A loop that runs a body plan.
#[derive(Clone, Debug)]
pub struct Rounds {
    pub name: String,
    pub body: Plan,
    pub trips: Size,
    pub reverse: bool,
    pub stop: bool,
    /// First carries, then captures: contiguous buffers with their offsets.
    pub operands: Vec<(usize, Size)>,
    pub carries: usize,
    /// Final carries, then stacked yields.
    pub results: Vec<usize>,
}

/// One thing to do.
#[derive(Clone, Debug)]
pub enum Step {
    Kernel(Kernel),
    Product(Product),
    Grouped(Grouped),
    Segments(Segments),
    /// The permutation that sorts each row; `input`'s last dimension is ordered, `out`'s dimension `axis` takes it.
    Order {
        input: Window,
        out: Window,
        axis: usize,
        descending: bool,
        dtype: DType,
    },
    Scan {
        input: Window,
        out: usize,
        axis: usize,
        dtype: DType,
    },
    Assign {
        input: Window,
        out: usize,
    },
    /// Windows over all loops (result loops, then inner ones): index and value; `out` over the result loops.
    Scatter {
        index: Window,
        value: Window,
        out: Window,
        axis: usize,
        /// `Sum`, `Max` or `Min`.
        fold: Fold,
        dtype: DType,
    },
    Random {
        dist: Dist,
        key: u32,
        seed: Window,
        round: Window,
        out: usize,
    },
    Rounds(Box<Rounds>),
}

impl Step {
    /// Buffers that it reads.
    pub fn reads(&self) -> Vec<usize> {
        match self {
            Step::Kernel(k) => k
                .body
                .iter()
                .filter_map(|e| match e {
                    Expr::Load(a) | Expr::Pick { access: a, .. } => Some(a.buffer),
                    Expr::Const(_)
                    | Expr::Counter(_)
                    | Expr::Size(_)
                    | Expr::Map(..)
                    | Expr::Reduce { .. }
                    | Expr::Mend { .. } => None,
                })
                .collect(),
            Step::Product(p) => vec![p.a.0, p.b.0],
            Step::Grouped(g) => vec![g.product.a.0, g.product.b.0, g.index.buffer],
            Step::Segments(s) => vec![s.product.a.0, s.product.b.0, s.index.buffer],
            Step::Order { input, .. } | Step::Scan { input, .. } | Step::Assign { input, .. } => vec![input.view.buffer],
            Step::Scatter { index, value, .. } => vec![index.view.buffer, value.view.buffer],
            Step::Random { seed, round, .. } => vec![seed.view.buffer, round.view.buffer],
            Step::Rounds(r) => r.operands.iter().map(|o| o.0).collect(),
        }
    }

    /// Buffers that it writes.
    pub fn writes(&self) -> Vec<usize> {
        match self {
            Step::Kernel(k) => vec![k.store.buffer],
            Step::Product(p) => vec![p.out.0],
            Step::Grouped(g) => vec![g.product.out.0],
            Step::Segments(s) => vec![s.product.out.0],
            Step::Order { out, .. } | Step::Scatter { out, .. } => vec![out.view.buffer],
            Step::Scan { out, .. } | Step::Assign { out, .. } | Step::Random { out, .. } => vec![*out],
            Step::Rounds(r) => r.results.clone(),
        }
    }
}
