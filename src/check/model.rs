//! The typed model: what the checker hands over.
//!
//! Everything about names, axes, sizes, and who owns, generates or adapts a parameter is decided here. What is left to be
//! known at run time are the sizes of free dims, the numbers that conditions carry, and the values.

pub mod families;
pub mod weights;

mod starts;
mod training;

use crate::ir::{DType, Graph, NodeId, Origin, Size, Sym};
use crate::source::Span;
pub use training::*;

/// One model of a file, checked.
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub name: String,
    /// Its `///` lines.
    pub doc: Option<String>,
    /// What it computes. Sources are named as in `params` and `inputs`; outputs, losses and updates by their dotted names.
    pub graph: Graph,
    /// Named axes that the model mentions, in order of declaration.
    pub dims: Vec<Dim>,
    /// Stored values (`param`, `state`, `load`), in declaration order.
    pub params: Vec<Param>,
    /// Inputs and conditions, in declaration order.
    pub inputs: Vec<Input>,
    /// Nets and their parts, for people.
    pub instances: Vec<Instance>,
    /// Who writes whose parameters, for people.
    pub relations: Vec<RelationInfo>,
    /// Routes and blends, for people.
    pub routes: Vec<RouteInfo>,
    /// The `eval` blocks of this model.
    pub evals: Vec<Eval>,
    /// The `train` blocks of this model, in the order of the file.
    pub trains: Vec<Train>,
    /// The `weights` blocks about this model that name files, in the order of the file.
    pub weights: Vec<weights::Block>,
}

/// A named axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Dim {
    pub name: Sym,
    /// `dim t = 16`
    pub size: Option<i64>,
    pub span: Span,
}

/// A stored value.
#[derive(Clone, Debug)]
pub struct Param {
    /// Dotted; `*` stands for the number of a net in an array: `block.*.moe.expert.*.w1`.
    pub path: String,
    pub origin: Origin,
    pub dtype: DType,
    /// One leading entry for each `*`, then the declared axes in order.
    pub shape: Vec<Size>,
    /// `None`: must come from a file.
    pub init: Option<Init>,
    /// Which nets of its arrays are frozen, row-major; empty: none.
    pub frozen: Vec<bool>,
    /// Numbers along the leading axes (of each `*`) that a relation provides: not stored, not asked for.
    pub provided: Vec<Vec<usize>>,
    pub span: Span,
}

impl Param {
    /// Whether all of it is frozen.
    pub fn is_frozen(&self) -> bool {
        !self.frozen.is_empty() && !self.frozen.contains(&false)
    }

    /// How many of the leading entries of its shape count nets of an array.
    pub fn arrays(&self) -> usize {
        self.path.matches('*').count().min(self.shape.len())
    }
}

/// An initialiser.
#[derive(Clone, Debug, PartialEq)]
pub enum Init {
    Fill(f64),
    Normal {
        mean: f64,
        std: f64,
    },
    /// Normal, redrawn outside two standard deviations.
    TruncatedNormal {
        mean: f64,
        std: f64,
    },
    Uniform {
        from: f64,
        to: f64,
    },
    Bernoulli {
        p: f64,
    },
    /// Whole numbers below `n`.
    RandInt {
        n: f64,
    },
    /// Orthonormal rows or columns over the last two axes, times `gain` (Saxe et al. 2014).
    Orthogonal {
        gain: f64,
    },
    /// The last two axes have `gain` on their diagonal.
    Eye {
        gain: f64,
    },
    /// The columns of the last axis, each with a deviation of its own.
    Columns {
        parts: Vec<Columns>,
        uniform: bool,
    },
    /// A node of the model's graph of the same shape.
    Node(NodeId),
}

impl Init {
    /// Normal or uniform of mean 0 and one standard deviation.
    pub fn spread(uniform: bool, std: f64) -> Init {
        if uniform {
            let b = std * 3f64.sqrt();
            Init::Uniform { from: -b, to: b }
        } else {
            Init::Normal { mean: 0.0, std }
        }
    }
}

/// Neighbouring columns of a matrix, and the standard deviation that they start with.
#[derive(Clone, Debug, PartialEq)]
pub enum Columns {
    Alike { count: u64, std: f64 },
    Times { count: u64, each: Vec<Columns> },
}

/// What kind of thing an input is.
#[derive(Clone, Debug, PartialEq)]
pub enum InputKind {
    Tensor,
    /// A size that a condition decides; the values allowed.
    Size(Allowed),
    /// A seed: a whole number.
    Seed,
}

/// Values that a size condition may take.
#[derive(Clone, Debug, PartialEq)]
pub enum Allowed {
    Any,
    /// from, to (not included)
    Range(i64, i64),
    List(Vec<i64>),
}

/// An input or a condition.
#[derive(Clone, Debug)]
pub struct Input {
    pub name: String,
    pub condition: bool,
    /// A condition that the data of a block bind: here it has a value for each row, its first axis.
    pub lifted: bool,
    pub kind: InputKind,
    pub dtype: DType,
    /// Axis names where named (`None` for a sized axis) and sizes, in declared order.
    pub shape: Vec<(Option<Sym>, Size)>,
    pub default: Option<Init>,
    /// It indexes an axis of this size: values in `0..size` are good for every output. Which outputs ask for that stands in the graph.
    pub below: Option<Size>,
    pub span: Span,
}

/// A net in the model.
#[derive(Clone, Debug)]
pub struct Instance {
    /// `block.*.moe`
    pub path: String,
    /// `Moe`
    pub net: String,
    /// Declared as `form`.
    pub form: bool,
    /// How many, for an array.
    pub count: Option<Size>,
    pub span: Span,
}

/// What a relation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RelationKind {
    Generate,
    Adapt,
    Scale,
    Tie,
    Freeze,
    Init,
}

impl RelationKind {
    pub fn word(self) -> &'static str {
        match self {
            RelationKind::Generate => "generate",
            RelationKind::Adapt => "adapt",
            RelationKind::Scale => "scale",
            RelationKind::Tie => "tie",
            RelationKind::Freeze => "freeze",
            RelationKind::Init => "init",
        }
    }
}

/// A relation, for people.
#[derive(Clone, Debug)]
pub struct RelationInfo {
    pub kind: RelationKind,
    /// Path of the parameters that it writes, as its left side says it.
    pub target: String,
    /// The parameters themselves.
    pub params: Vec<String>,
    /// Nets and parameters that its expression mentions.
    pub sources: Vec<String>,
    pub span: Span,
}

/// A route or a blend, for people.
#[derive(Clone, Debug)]
pub struct RouteInfo {
    /// Path of the array of nets.
    pub over: String,
    pub experts: Size,
    /// Slots of a route; `None` for a blend.
    pub slots: Option<Size>,
    pub capacity: Option<f64>,
    /// The numbers of the chosen experts, and who of them has a seat; where they are computed outside of loops.
    pub chosen: Option<(NodeId, Option<NodeId>)>,
    pub span: Span,
}

/// Which rows of which files a block takes at once.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    pub data: Vec<DataFile>,
    /// dim, rows in a batch (`None`: all), grouped by this column
    pub batch: Vec<(Sym, Option<usize>, Option<String>)>,
    /// input or condition, node that computes it
    pub feeds: Vec<(String, NodeId)>,
    pub span: Span,
}

/// An `eval` block.
#[derive(Clone, Debug)]
pub struct Eval {
    pub phase: Option<String>,
    pub rows: Rows,
    /// Outputs and losses that are one number.
    pub report: Vec<String>,
    /// The model with its conditions lifted over the batch, where the data bind one that nothing groups by.
    pub lifted: Option<Box<Model>>,
}

/// A data file of a block.
#[derive(Clone, Debug)]
pub struct DataFile {
    /// As written, relative to the model's file.
    pub file: String,
    /// name in the model, column in the file
    pub columns: Vec<(String, String)>,
    pub span: Span,
}
