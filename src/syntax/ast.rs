//! The program as written: every construct of the grammar, each with its span.
//!
//! Nothing is resolved here. A word may be a size, an axis, an index or a value; which one it is the checker decides.
//! Two trees that differ only in spans, parentheses and comments mean the same program.

use crate::source::Span;
use std::sync::Arc;

/// An interned-by-reference name; cheap to clone.
pub type Name = Arc<str>;

/// A name at a place.
#[derive(Clone, Debug, PartialEq)]
pub struct Ident {
    /// The word, primes included (`t'`).
    pub name: Name,
    /// Where it stands.
    pub span: Span,
}

/// A whole file.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct File {
    /// The `//!` lines, without the mark, joined by newlines.
    pub doc: Option<String>,
    /// Its items in order.
    pub items: Vec<Item>,
}

/// One item of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// The `///` lines above it.
    pub doc: Option<String>,
    /// What it is.
    pub kind: ItemKind,
    /// From its first word to its last.
    pub span: Span,
}

/// The kinds of items.
#[derive(Clone, Debug, PartialEq)]
pub enum ItemKind {
    /// `import std.moe { Moe }`
    Import(Import),
    /// `dim t = 16`
    Dim { name: Ident, size: Option<Expr> },
    /// `const d = 64, h = 2 * d`
    Const(Vec<ConstDef>),
    /// `const basis: [n, m] = normal()`
    ConstDraw(ConstDraw),
    /// `fn gelu(x: [n]) -> [n] { .. }`
    Fn(FnDef),
    /// `net Linear(i, o) { .. }`
    Net(NetDef),
    /// `model M { .. }`
    Model(ModelDef),
    /// `form target = Mlp(2, 4, 1)` outside nets
    Form(SubDecl),
    /// `weights from ..`
    Weights(Weights),
    /// `train M { .. }`
    Train(TrainDef),
    /// `eval M { .. }`
    Eval(EvalDef),
}

/// What an import names.
#[derive(Clone, Debug, PartialEq)]
pub enum ImportFrom {
    /// `std.moe`
    Library(Vec<Ident>),
    /// `"./blocks.hnet"`
    File { path: String, span: Span },
}

/// An import.
#[derive(Clone, Debug, PartialEq)]
pub struct Import {
    pub from: ImportFrom,
    pub names: Vec<Ident>,
}

/// `name = value` of a `const`.
#[derive(Clone, Debug, PartialEq)]
pub struct ConstDef {
    pub name: Ident,
    pub value: Expr,
}

/// A drawn constant: never learned, never stored.
#[derive(Clone, Debug, PartialEq)]
pub struct ConstDraw {
    pub name: Ident,
    pub ty: Type,
    pub value: Expr,
}

/// A function: a net without parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct FnDef {
    pub name: Ident,
    pub signature: Signature,
}

/// A net.
#[derive(Clone, Debug, PartialEq)]
pub struct NetDef {
    pub name: Ident,
    pub formals: Vec<Formal>,
    /// Members in order; at most one is a signature (the parser keeps all, the checker complains).
    pub members: Vec<Stmt>,
}

/// A net's argument: known when the model is compiled.
#[derive(Clone, Debug, PartialEq)]
pub struct Formal {
    pub name: Ident,
    pub kind: FormalKind,
    /// What it is where nothing is given.
    pub default: Option<Expr>,
}

/// What a net's argument is.
#[derive(Clone, Debug, PartialEq)]
pub enum FormalKind {
    /// `n`, `n: size`
    Size,
    /// `eps: f32`
    Real,
    /// `shift: i32`
    Whole,
    /// `causal: bool`
    Truth,
    /// `width: list` (then there is no scalar), `width: size[n]`, `scale: f32[3]`
    List { scalar: Option<Scalar>, length: Option<Expr> },
    /// `target: form`
    Form,
    /// `inner: net`
    Net,
}

/// `(x: [t, d]) -> [t, d] { .. }`
#[derive(Clone, Debug, PartialEq)]
pub struct Signature {
    pub args: Vec<TypedName>,
    pub result: Type,
    pub body: Block,
    /// From the opening parenthesis to the end of the result type.
    pub span: Span,
}

/// `x: [t, d]`, `base: f32 = 10000`
#[derive(Clone, Debug, PartialEq)]
pub struct TypedName {
    pub name: Ident,
    pub ty: Type,
    /// What an argument is where nothing is given; a result has none.
    pub default: Option<Expr>,
}

/// A model.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelDef {
    pub name: Ident,
    pub body: Block,
}

/// A type.
#[derive(Clone, Debug, PartialEq)]
pub struct Type {
    pub kind: TypeKind,
    pub span: Span,
}

impl Type {
    /// What an output without a type has at its place: the checker says which one was meant.
    pub fn missing(at: Span) -> Type {
        Type { kind: TypeKind::Tensor { scalar: None, axes: vec![AxisExpr::Lifted(at)] }, span: at }
    }

    pub fn is_missing(&self) -> bool {
        let lifted = matches!(&self.kind, TypeKind::Tensor { axes, .. } if matches!(axes.as_slice(), [AxisExpr::Lifted(_)]));
        lifted && self.span.start == self.span.end
    }
}

/// The kinds of types.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeKind {
    /// `f32`, `i32[b]`, `[b, 64]` (then `scalar` is `None`, which means f32)
    Tensor { scalar: Option<Scalar>, axes: Vec<AxisExpr> },
    /// `seed`
    Seed,
    /// `target.*`
    Tree(Path),
    /// `(mu: [d], spread: [d])`
    Record(Vec<TypedName>),
}

/// The scalar words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scalar {
    F32,
    I32,
    Bool,
    Size,
}

/// One entry of an axes list.
#[derive(Clone, Debug, PartialEq)]
pub enum AxisExpr {
    /// `*`: the lifted axes (in a draw only)
    Lifted(Span),
    /// A dim, a signature name or a size.
    Expr(Expr),
}

/// A statement or member. Nets, models, bodies and blocks share them; the checker says which may stand where.
#[derive(Clone, Debug, PartialEq)]
pub struct Stmt {
    pub doc: Option<String>,
    /// What is said in front of it about how it is computed.
    pub pins: Vec<Pin>,
    pub kind: StmtKind,
    /// From its first word, behind the pins, to its last.
    pub span: Span,
}

/// `order = "(x · a) · u"`, `sum of "base_add" = "made"`, in `@pin(..)`
#[derive(Clone, Debug, PartialEq)]
pub struct Pin {
    pub what: Ident,
    pub of: Option<Quoted>,
    pub way: Quoted,
    pub span: Span,
}

/// A text in quotes, without them.
#[derive(Clone, Debug, PartialEq)]
pub struct Quoted {
    pub text: String,
    pub span: Span,
}

impl Stmt {
    /// The name that it gives its value.
    pub fn gives(&self) -> Option<Name> {
        match &self.kind {
            StmtKind::Let { name, .. }
            | StmtKind::Var { name, .. }
            | StmtKind::Assign { name, .. }
            | StmtKind::Output { name, .. }
            | StmtKind::Loss { name, .. }
            | StmtKind::Draw { name, .. } => Some(name.name.clone()),
            _ => None,
        }
    }
}

/// The kinds of statements.
#[derive(Clone, Debug, PartialEq)]
pub enum StmtKind {
    Const(Vec<ConstDef>),
    ConstDraw(ConstDraw),
    /// `param`, `state`, `load`
    Param(ParamDecl),
    /// `sub`, `form`
    Sub(SubDecl),
    Relation(Relation),
    Each(Each),
    /// The signature of a net (only as a member of a net).
    Signature(Signature),
    Let {
        name: Ident,
        binders: Option<Binders>,
        value: Expr,
    },
    Var {
        name: Ident,
        ty: Option<Type>,
        value: Expr,
    },
    Assign {
        name: Ident,
        slots: Option<Vec<Slot>>,
        value: Expr,
    },
    Input {
        name: Ident,
        ty: Type,
    },
    Condition {
        name: Ident,
        ty: Type,
        within: Option<Within>,
        default: Option<Expr>,
    },
    Output {
        name: Ident,
        binders: Option<Binders>,
        ty: Type,
        value: Expr,
    },
    Loss {
        name: Ident,
        value: Expr,
    },
    Update {
        place: Place,
        value: Expr,
    },
    Draw {
        name: Ident,
        ty: Type,
        value: Expr,
        by: Option<Expr>,
    },
    Yield(Expr),
    Seed(Expr),
    Expr(Expr),
}

/// `in 8..256`, `in [16, 32, 64]`
#[derive(Clone, Debug, PartialEq)]
pub enum Within {
    Range(Expr, Expr),
    List(Vec<Expr>, Span),
}

/// Which word declared a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamKind {
    Param,
    State,
    Load,
}

/// `param w: [i, o] = normal()`
#[derive(Clone, Debug, PartialEq)]
pub struct ParamDecl {
    pub kind: ParamKind,
    pub name: Ident,
    /// `param p[q in tree.*]: ..`: one for each leaf.
    pub over: Option<(Ident, Path)>,
    pub ty: Type,
    pub init: Option<Expr>,
}

/// `sub expert[n] = SwiGlu(d, h)`
#[derive(Clone, Debug, PartialEq)]
pub struct SubDecl {
    /// `form`: layout without parameters.
    pub form: bool,
    pub name: Ident,
    pub array: ArrayDecl,
    pub net: Ident,
    pub args: Vec<Arg>,
}

/// How many nets a `sub` declares.
#[derive(Clone, Debug, PartialEq)]
pub enum ArrayDecl {
    /// One net.
    One,
    /// `[n]`: equal nets.
    Array(Expr),
    /// `[l < n]`: unequal nets, indexed by compile-time numbers.
    Family { index: Ident, count: Expr },
    /// `[p in target.*]`: one for each leaf.
    Leaves { index: Ident, tree: Path },
}

/// A relation between parameters.
#[derive(Clone, Debug, PartialEq)]
pub enum Relation {
    Generate { place: Place, value: Expr },
    Adapt { place: Place, value: Expr },
    Scale { place: Place, value: Expr },
    Tie { place: Place, value: Expr },
    Init { place: Place, value: Expr },
    Freeze { paths: Vec<Path> },
}

/// `each lora(w: [i, o]) at l in base.*.w, head.w { .. }`
#[derive(Clone, Debug, PartialEq)]
pub struct Each {
    pub name: Ident,
    /// What a match is called inside.
    pub item: Ident,
    /// Names of its sizes.
    pub sizes: Vec<Ident>,
    pub at: Option<Ident>,
    pub within: Vec<Path>,
    pub body: Block,
}

/// `a.b.*[i]`
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    pub root: Ident,
    pub parts: Vec<PathPart>,
    pub span: Span,
}

/// A step of a path.
#[derive(Clone, Debug, PartialEq)]
pub enum PathPart {
    Field(Ident),
    Star(Span),
    Index(Vec<Index>, Span),
}

/// A left side: a path whose free index names are bound there.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    pub root: Ident,
    pub parts: Vec<PlacePart>,
    pub span: Span,
}

/// A step of a left side.
#[derive(Clone, Debug, PartialEq)]
pub enum PlacePart {
    Field(Ident),
    Star(Span),
    Slots(Vec<Slot>, Span),
}

/// An index on a left side. A bare name is `Bound`; whether it is free the checker decides.
#[derive(Clone, Debug, PartialEq)]
pub enum Slot {
    Bound(Bound),
    Merged(Vec<Bound>, Span),
    Index(Index),
}

/// `i`, `i < n`
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    pub name: Ident,
    pub range: Option<Expr>,
}

/// `[i, (a < 2, e), * where ..]`
#[derive(Clone, Debug, PartialEq)]
pub struct Binders {
    pub items: Vec<Binder>,
    pub filter: Option<Expr>,
    pub span: Span,
}

/// One entry of a binder list.
#[derive(Clone, Debug, PartialEq)]
pub enum Binder {
    /// `*`: every axis that the net was lifted over.
    Lifted(Span),
    Bound(Bound),
    Merged(Vec<Bound>, Span),
    /// `axis: (i, j < 2)`, `axis: i`: what is bound makes up this axis.
    Along {
        axis: Ident,
        parts: Vec<Bound>,
        span: Span,
    },
}

/// `{ .. }`: statements; its value is an expression that stands last.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    pub stmts: Vec<Stmt>,
    /// From brace to brace.
    pub span: Span,
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    pub kind: Box<ExprKind>,
    pub span: Span,
}

/// The reductions: prefix binders before a touching `[`, ordinary functions elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reduction {
    Sum,
    Mean,
    Max,
    Min,
    Prod,
    Any,
    All,
    Argmax,
    Argmin,
    Logsumexp,
    Softmax,
}

impl Reduction {
    /// All, in the order of the grammar.
    pub const ALL: [Reduction; 11] = [
        Reduction::Sum,
        Reduction::Mean,
        Reduction::Max,
        Reduction::Min,
        Reduction::Prod,
        Reduction::Any,
        Reduction::All,
        Reduction::Argmax,
        Reduction::Argmin,
        Reduction::Logsumexp,
        Reduction::Softmax,
    ];

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Reduction::Sum => "sum",
            Reduction::Mean => "mean",
            Reduction::Max => "max",
            Reduction::Min => "min",
            Reduction::Prod => "prod",
            Reduction::Any => "any",
            Reduction::All => "all",
            Reduction::Argmax => "argmax",
            Reduction::Argmin => "argmin",
            Reduction::Logsumexp => "logsumexp",
            Reduction::Softmax => "softmax",
        }
    }

    /// The reduction that a word names.
    pub fn from_word(word: &str) -> Option<Reduction> {
        Reduction::ALL.into_iter().find(|r| r.word() == word)
    }
}

/// Prefix operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    Neg,
    Not,
}

/// Infix operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BinaryOp {
    Or,
    And,
    Eq,
    Ne,
    Lt,
    Gt,
    Le,
    Ge,
    Add,
    Sub,
    Mul,
    Div,
    /// `@`
    Matmul,
    /// `div`
    IntDiv,
    /// `mod`
    Mod,
    Pow,
}

/// The kinds of expressions.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A number as written; `whole` when it has neither a dot nor an exponent.
    Number {
        value: f64,
        whole: bool,
        text: String,
    },
    Name(Name),
    /// `"model.layers.{l}.w"`: a tensor of a file, in a `weights` block
    Stored(String),
    /// A reduction word used as an ordinary function or value.
    ReductionName(Reduction),
    Unary {
        op: UnaryOp,
        arg: Expr,
    },
    Binary {
        op: BinaryOp,
        op_span: Span,
        left: Expr,
        right: Expr,
    },
    /// `value |> stage`
    Pipe {
        value: Expr,
        stage: Expr,
    },
    /// `sum[i where ..] body`
    Reduce {
        op: Reduction,
        op_span: Span,
        binders: Binders,
        body: Expr,
    },
    Call {
        callee: Expr,
        args: Vec<Arg>,
    },
    /// `base[..]`, with `else` for what lies outside
    Index {
        base: Expr,
        indices: Vec<Index>,
        list_span: Span,
        otherwise: Option<Expr>,
    },
    /// `net{* = theta}`
    With {
        base: Expr,
        settings: Vec<Setting>,
    },
    Field {
        base: Expr,
        name: Ident,
    },
    /// `base.*`
    Tree {
        base: Expr,
    },
    Paren(Expr),
    Record(Vec<(Ident, Expr)>),
    List(Vec<Expr>),
    If {
        cond: Expr,
        then: Block,
        otherwise: Option<Else>,
    },
    For(Box<ForExpr>),
    Route(Box<RouteExpr>),
}

/// What follows `else`.
#[derive(Clone, Debug, PartialEq)]
pub enum Else {
    Block(Block),
    /// `else if ..`: an expression of kind `If`.
    If(Box<Expr>),
}

/// An argument of a call or an instance.
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    pub name: Option<Ident>,
    pub value: Expr,
}

/// One entry of an index list.
#[derive(Clone, Debug, PartialEq)]
pub enum Index {
    /// `axis: value`, `axis: a..b`, `axis: (i, j)`
    Along {
        axis: Ident,
        value: Box<Index>,
    },
    /// `t = patch`, of a call: the net's axis `t` is the argument's axis `patch`
    Rename {
        axis: Ident,
        to: Ident,
    },
    /// `*`
    Lifted(Span),
    /// `a..b`
    Range {
        from: Expr,
        to: Expr,
    },
    /// `(a, b)`
    Merged(Vec<Expr>, Span),
    At(Expr),
}

/// `* = tree`, `fc1.w = w`
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// `None` for `*`.
    pub path: Option<Path>,
    pub value: Expr,
    pub span: Span,
}

/// `for l in rev 0..n until done { .. }`
#[derive(Clone, Debug, PartialEq)]
pub struct ForExpr {
    pub var: Ident,
    pub rev: bool,
    pub from: Expr,
    pub to: Expr,
    pub until: Option<Expr>,
    pub at_most: Option<Expr>,
    pub body: Block,
}

/// `route x over expert at index by weight { capacity: 1.25 per [*] }`
#[derive(Clone, Debug, PartialEq)]
pub struct RouteExpr {
    pub value: Expr,
    pub over: Expr,
    pub at: Expr,
    pub by: Expr,
    pub options: Vec<RouteOption>,
}

/// `capacity: 1.25 per [*]`
#[derive(Clone, Debug, PartialEq)]
pub struct RouteOption {
    pub name: Ident,
    pub value: Expr,
    pub per: Option<Vec<AxisExpr>>,
}

/// A `train` block. Its clauses are parsed, formatted and name-checked.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainDef {
    pub model: Ident,
    pub phase: Option<Ident>,
    pub after: Option<Ident>,
    /// `for task in 0..5`
    pub each: Option<(Ident, Expr, Expr)>,
    pub clauses: Vec<Clause>,
}

/// An `eval` block: `data`, `batch`, `feed` and `report` clauses.
#[derive(Clone, Debug, PartialEq)]
pub struct EvalDef {
    pub model: Ident,
    pub phase: Option<Ident>,
    pub clauses: Vec<Clause>,
}

/// A clause of a `train` or `eval` block.
#[derive(Clone, Debug, PartialEq)]
pub struct Clause {
    pub kind: ClauseKind,
    pub span: Span,
}

/// The kinds of clauses.
#[derive(Clone, Debug, PartialEq)]
pub enum ClauseKind {
    /// `data "f.safetensors" { x, label: y }`
    Data {
        file: String,
        file_span: Span,
        columns: Vec<Column>,
    },
    /// `batch b = 64 by task, t = 64`
    Batch(Vec<BatchItem>),
    Feed {
        name: Ident,
        binders: Option<Binders>,
        value: Expr,
    },
    Minimize(Expr),
    /// `over *` has no paths and `all`
    Over {
        all: bool,
        paths: Vec<Path>,
        except: Vec<Path>,
    },
    With(Expr),
    Steps(Expr),
    Seed(Expr),
    Set(Vec<SetItem>),
    Every {
        interval: Expr,
        when: Option<Expr>,
        sets: Vec<SetItem>,
    },
    /// `alternate 2 { .. } 1 { .. }`
    Alternate(Vec<(Expr, Vec<Clause>)>),
    Report(Vec<Ident>),
    /// `clip 1.0`; `clip value 0.5`
    Clip {
        each: bool,
        limit: Expr,
    },
    /// `accumulate 4`
    Accumulate(Expr),
    /// `average 0.999`
    Average(Expr),
    /// `validate held every 100 patience 5`
    Validate {
        block: Ident,
        interval: Expr,
        patience: Option<Expr>,
    },
}

/// `x` or `x: column`
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    pub name: Ident,
    pub column: Option<Ident>,
}

/// `b = 64 by task`; `all` is a plain name here
#[derive(Clone, Debug, PartialEq)]
pub struct BatchItem {
    pub dim: Ident,
    pub size: Expr,
    pub by: Option<Ident>,
}

/// `place = value` of a `set`
#[derive(Clone, Debug, PartialEq)]
pub struct SetItem {
    pub place: Place,
    pub value: Expr,
}

/// `weights from ..`, `weights to ..`
#[derive(Clone, Debug, PartialEq)]
pub enum Weights {
    /// `weights from "f"`: equal names; with braces, as their lines say
    From { file: String, span: Span, lines: Option<Vec<WeightLine>> },
    /// `weights to "f" { .. }`
    To { file: String, span: Span, lines: Vec<WeightLine> },
    /// `weights from Small { alpha[l] <- 2 * alpha[l] }`
    Model { model: Ident, sets: Vec<SetItem> },
}

/// A line of a `weights` block.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightLine {
    pub kind: WeightLineKind,
    pub span: Span,
}

/// What a line of a `weights` block says.
#[derive(Clone, Debug, PartialEq)]
pub enum WeightLineKind {
    /// `"layers.{l}.w" -> block[l].w transposed`; or, with the arrow pointing back, `block[l].w[i, o] <- "layers.{l}.w"[o, i]`
    Read { value: Expr, place: Place, back: bool, layout: Layout, optional: bool },
    /// `block[l].w -> "layers.{l}.w" transposed`; or `"layers.{l}.w"[o, i] <- block[l].w[i, o]`
    Write { value: Expr, name: Stored, back: bool, layout: Layout },
    /// `prefix "model."`: stands before each name that a line of the block reads or writes
    Prefix(String, Span),
    /// `drop "lm_head.weight", hyper.*`: tensors that nobody takes, by their full names, and parameters that nothing gives
    Drop { list: Vec<Dropped>, optional: bool },
}

/// The name of a tensor that is written, and its indices.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    pub pattern: String,
    pub span: Span,
    pub slots: Option<(Vec<Slot>, Span)>,
}

/// What a `drop` leaves out.
#[derive(Clone, Debug, PartialEq)]
pub enum Dropped {
    Stored(String, Span),
    Params(Path),
}

/// Which way round a tensor lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Whichever fits; where both do, it must be said.
    Unsaid,
    /// `transposed`: its last two axes are exchanged
    Transposed,
    /// `not transposed`
    Straight,
}
