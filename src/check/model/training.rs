//! What `train` blocks ask for, checked: phases, their arms, who learns from which loss by which rule.

use super::{Model, Rows};
use crate::ir::NodeId;
use crate::source::Span;
use std::sync::Arc;

/// A `train` block: a phase of training.
#[derive(Clone, Debug)]
pub struct Train {
    pub phase: Option<String>,
    /// The phase that comes before it.
    pub after: Option<String>,
    /// `for task in 0..5`: the condition and its values; all steps are taken for each of them.
    pub each: Option<(String, i64, i64)>,
    /// What is learned in turns; one, where nothing alternates.
    pub arms: Vec<Arm>,
    /// Set before the first step (of each round); nodes of the first arm's model.
    pub sets: Vec<Set>,
    /// Set now and then; nodes of the first arm's model.
    pub every: Vec<Every>,
    /// Measured now and then.
    pub watch: Option<Watch>,
    /// Steps in all (in a round).
    pub steps: u64,
    pub seed: i32,
    pub span: Span,
}

/// What one step of a train block does.
#[derive(Clone, Debug)]
pub struct Arm {
    /// Steps of it that follow each other.
    pub turns: u64,
    /// The model as it is in training, its conditions lifted over the batch where the data bind them.
    pub model: Arc<Model>,
    pub rows: Rows,
    /// Each learns from what the parameters were before the step.
    pub objectives: Vec<Objective>,
    pub clip: Option<Clip>,
    /// Batches whose gradients one step takes the mean of.
    pub accumulate: u64,
    pub average: Option<Average>,
}

/// Running averages.
#[derive(Clone, Debug)]
pub struct Average {
    /// The share that an average keeps in each step.
    pub factor: f64,
    /// Paths of what learns in any arm of the block: all their averages move in every step, whoever learns in it.
    pub of: Vec<String>,
}

/// A loss, and who learns from it.
#[derive(Clone, Debug)]
pub struct Objective {
    /// One number of the arm's model.
    pub loss: NodeId,
    pub groups: Vec<Group>,
    pub span: Span,
}

/// Parameters with an optimizer.
#[derive(Clone, Debug)]
pub struct Group {
    pub learners: Vec<Learner>,
    pub optimizer: Optimizer,
}

/// A parameter that learns.
#[derive(Clone, Debug)]
pub struct Learner {
    /// Its place in the model's list of parameters.
    pub param: usize,
    /// Which nets of its arrays do, row-major over the arrays' axes; `None`: all.
    pub nets: Option<Vec<bool>>,
}

/// Which rule changes parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Sgd,
    Adam,
    AdamW,
    RmsProp,
    Adagrad,
    Lion,
    Muon,
}

/// An optimizer and its settings.
#[derive(Clone, Debug)]
pub struct Optimizer {
    pub method: Method,
    /// The learning rate, a number of the arm's model.
    pub rate: NodeId,
    /// By name, in the order of the method's table; truth values are 0 and 1.
    pub settings: Vec<(&'static str, f64)>,
    pub span: Span,
}

impl Optimizer {
    /// A setting that the method has.
    pub fn setting(&self, name: &str) -> f64 {
        self.settings.iter().find(|(n, _)| *n == name).map_or(0.0, |(_, v)| *v)
    }
}

/// How gradients are kept short.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clip {
    /// The norm of all of them together.
    Norm(f64),
    /// Each number.
    Value(f64),
}

/// A parameter, state or condition that gets a value.
#[derive(Clone, Debug)]
pub struct Set {
    pub path: String,
    pub node: NodeId,
    pub span: Span,
}

/// `every 100 when .. set ..`
#[derive(Clone, Debug)]
pub struct Every {
    pub interval: u64,
    pub when: Option<NodeId>,
    pub sets: Vec<Set>,
}

/// `validate held every 100 patience 5`
#[derive(Clone, Debug)]
pub struct Watch {
    /// The phase of an `eval` block.
    pub block: String,
    pub interval: u64,
    /// Measurements without progress after which training stops.
    pub patience: Option<u64>,
}
