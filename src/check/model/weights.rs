//! What `weights` blocks say: which tensors of files become which parts of parameters.

use crate::files::stored::Kind;
use crate::ir::{Graph, NodeId};
use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet};

/// What stands before the name of a tensor of a file where it is a source of a graph.
pub const STORED: &str = "file:";

/// A block that names a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// As written, relative to the model's file.
    pub file: String,
    pub span: Span,
    /// `weights to`
    pub writes: bool,
}

/// A tensor of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// `None`: a type that is not read.
    pub kind: Option<Kind>,
    /// `f32[64, 128]`
    pub text: String,
    pub shape: Vec<usize>,
}

/// The tensors that a block finds, by name.
#[derive(Clone, Debug, Default)]
pub struct Shelf {
    /// What messages call it.
    pub name: String,
    pub tensors: BTreeMap<String, Listed>,
}

/// What the blocks that read come to, once it is known what the files have.
#[derive(Clone, Debug, Default)]
pub struct Mapping {
    pub moves: Vec<Move>,
    /// For each shelf: names that a `drop` names.
    pub dropped: Vec<BTreeSet<String>>,
    /// Parameters that a `drop` names, by their places in the model's list, and the numbers of the net where it names one.
    pub begun: Vec<(usize, Vec<Option<usize>>)>,
    /// Lines that came to nothing.
    pub failed: bool,
}

/// Tensors that become a part of a parameter.
#[derive(Clone, Debug)]
pub struct Move {
    pub shelf: usize,
    /// The line that says so; the block where no line does.
    pub line: Span,
    /// Place in the model's list of parameters.
    pub param: usize,
    /// For each axis of the parameter, those of arrays first: where along it.
    pub part: Vec<Places>,
    pub how: How,
    /// Names of the tensors.
    pub names: Vec<String>,
}

impl Move {
    /// The shape of the part.
    pub fn shape(&self) -> Vec<usize> {
        self.part.iter().filter_map(|p| p.length()).collect()
    }
}

/// Where along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Places {
    At(usize),
    /// So many, this far from each other.
    Along {
        from: usize,
        step: usize,
        count: usize,
    },
}

impl Places {
    /// All of an axis.
    pub fn all(count: usize) -> Places {
        Places::Along { from: 0, step: 1, count }
    }

    fn length(&self) -> Option<usize> {
        match self {
            Places::At(_) => None,
            Places::Along { count, .. } => Some(*count),
        }
    }

    /// How many, and the k-th of them.
    pub fn count(&self) -> usize {
        self.length().unwrap_or(1)
    }

    pub fn place(&self, k: usize) -> usize {
        match self {
            Places::At(at) => *at,
            Places::Along { from, step, .. } => from + step * k,
        }
    }

    /// Whether two have no place in common.
    pub fn apart(&self, other: &Places) -> bool {
        let (few, many) = if self.count() <= other.count() { (self, other) } else { (other, self) };
        (0..few.count()).all(|k| !many.has(few.place(k)))
    }

    fn has(&self, at: usize) -> bool {
        match self {
            Places::At(own) => *own == at,
            Places::Along { from, step, count } => {
                at >= *from && (at - from).is_multiple_of(*step) && (at - from) / step < *count
            }
        }
    }
}

/// A line of a block that writes: an output of the model under this name.
#[derive(Clone, Debug)]
pub struct Written {
    /// Which of the blocks that write.
    pub block: usize,
    /// Its name, with the words of its numbers in braces.
    pub pattern: String,
    /// How many of the value's first axes are numbers in the name.
    pub numbers: usize,
    pub span: Span,
}

/// A path with numbers for its `*`s, where they are known: `block.3.expert.*.w1`.
pub fn numbered(path: &str, numbers: &[Option<usize>]) -> String {
    let mut numbers = numbers.iter();
    let one = |part: &str| match part {
        "*" => numbers.next().copied().flatten().map_or("*".to_string(), |n| n.to_string()),
        part => part.to_string(),
    };
    path.split('.').map(one).collect::<Vec<_>>().join(".")
}

/// What a part is made of.
#[derive(Clone, Debug)]
pub enum How {
    /// A tensor as it lies, or with its last two axes exchanged.
    Stored { transposed: bool },
    /// A node of a graph whose sources are tensors of the file.
    Computed(Box<(Graph, NodeId)>),
}
