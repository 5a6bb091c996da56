//! The words of the primitives in texts; those of the scalar functions stand in their table (`scalar`).

use super::{Dist, Fold, Origin, OutputKind};

impl Fold {
    /// All folds.
    pub const ALL: &[Fold] = &[Fold::Sum, Fold::Prod, Fold::Max, Fold::Min, Fold::Any, Fold::All, Fold::Argmax, Fold::Argmin];

    /// The word in texts.
    pub fn word(self) -> &'static str {
        match self {
            Fold::Sum => "sum",
            Fold::Prod => "prod",
            Fold::Max => "max",
            Fold::Min => "min",
            Fold::Any => "any",
            Fold::All => "all",
            Fold::Argmax => "argmax",
            Fold::Argmin => "argmin",
        }
    }
}

impl Origin {
    /// All origins.
    pub const ALL: &[Origin] = &[Origin::Input, Origin::Condition, Origin::Param, Origin::State, Origin::Load, Origin::Seed];

    /// The word in texts.
    pub fn word(self) -> &'static str {
        match self {
            Origin::Input => "input",
            Origin::Condition => "condition",
            Origin::Param => "param",
            Origin::State => "state",
            Origin::Load => "load",
            Origin::Seed => "seed",
        }
    }
}

impl OutputKind {
    /// All kinds.
    pub const ALL: &[OutputKind] = &[OutputKind::Output, OutputKind::Loss, OutputKind::Update];

    /// The word in texts.
    pub fn word(self) -> &'static str {
        match self {
            OutputKind::Output => "output",
            OutputKind::Loss => "loss",
            OutputKind::Update => "update",
        }
    }
}

impl Dist {
    /// All distributions.
    pub const ALL: &[Dist] = &[Dist::Uniform, Dist::Normal];

    /// The word in texts.
    pub fn word(self) -> &'static str {
        match self {
            Dist::Uniform => "uniform",
            Dist::Normal => "normal",
        }
    }
}
