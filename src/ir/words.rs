//! The words of the primitives in texts, and how many operands a scalar function takes.

use super::{Dist, Fold, Map, Origin, OutputKind};

impl Map {
    /// All scalar functions.
    pub const ALL: &[Map] = &[
        Map::Copy,
        Map::Neg,
        Map::Not,
        Map::Exp,
        Map::Log,
        Map::Sqrt,
        Map::Abs,
        Map::Sin,
        Map::Cos,
        Map::Tan,
        Map::Tanh,
        Map::Sigmoid,
        Map::Softplus,
        Map::Erf,
        Map::Floor,
        Map::Ceil,
        Map::Round,
        Map::Sign,
        Map::ToF32,
        Map::ToI32,
        Map::Add,
        Map::Sub,
        Map::Mul,
        Map::Div,
        Map::Pow,
        Map::Min,
        Map::Max,
        Map::IntDiv,
        Map::Mod,
        Map::Eq,
        Map::Ne,
        Map::Lt,
        Map::Le,
        Map::And,
        Map::Or,
        Map::Select,
    ];

    /// The word in texts.
    pub fn word(self) -> &'static str {
        match self {
            Map::Copy => "copy",
            Map::Neg => "neg",
            Map::Not => "not",
            Map::Exp => "exp",
            Map::Log => "log",
            Map::Sqrt => "sqrt",
            Map::Abs => "abs",
            Map::Sin => "sin",
            Map::Cos => "cos",
            Map::Tan => "tan",
            Map::Tanh => "tanh",
            Map::Sigmoid => "sigmoid",
            Map::Softplus => "softplus",
            Map::Erf => "erf",
            Map::Floor => "floor",
            Map::Ceil => "ceil",
            Map::Round => "round",
            Map::Sign => "sign",
            Map::ToF32 => "to_f32",
            Map::ToI32 => "to_i32",
            Map::Add => "add",
            Map::Sub => "sub",
            Map::Mul => "mul",
            Map::Div => "div",
            Map::Pow => "pow",
            Map::Min => "min",
            Map::Max => "max",
            Map::IntDiv => "int_div",
            Map::Mod => "mod",
            Map::Eq => "eq",
            Map::Ne => "ne",
            Map::Lt => "lt",
            Map::Le => "le",
            Map::And => "and",
            Map::Or => "or",
            Map::Select => "select",
        }
    }

    /// How many operands it takes.
    pub fn arity(self) -> usize {
        match self {
            Map::Copy | Map::Neg | Map::Not | Map::Exp | Map::Log | Map::Sqrt | Map::Abs | Map::Sin | Map::Cos | Map::Tan => 1,
            Map::Tanh | Map::Sigmoid | Map::Softplus | Map::Erf | Map::Floor | Map::Ceil | Map::Round | Map::Sign => 1,
            Map::ToF32 | Map::ToI32 => 1,
            Map::Add | Map::Sub | Map::Mul | Map::Div | Map::Pow | Map::Min | Map::Max | Map::IntDiv | Map::Mod => 2,
            Map::Eq | Map::Ne | Map::Lt | Map::Le | Map::And | Map::Or => 2,
            Map::Select => 3,
        }
    }
}

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
