//! A tree without what does not matter.
//!
//! In: a tree. Out: the same tree without spans, parentheses and documentation, so that two programs that differ in nothing
//! else are equal by `==`.

use super::ast::*;
use crate::source::Span;

/// Clears all spans and documentation of a tree and removes its parentheses.
pub fn strip(file: &mut File) {
    file.doc = None;
    file.items.strip();
}

/// What has spans, parentheses or documentation inside.
trait Strip {
    fn strip(&mut self);
}

impl Strip for Span {
    fn strip(&mut self) {
        *self = Span::default();
    }
}

impl<T: Strip> Strip for Vec<T> {
    fn strip(&mut self) {
        self.iter_mut().for_each(Strip::strip);
    }
}

impl<T: Strip> Strip for Option<T> {
    fn strip(&mut self) {
        self.iter_mut().for_each(Strip::strip);
    }
}

impl<T: Strip> Strip for Box<T> {
    fn strip(&mut self) {
        (**self).strip();
    }
}

impl<A: Strip, B: Strip> Strip for (A, B) {
    fn strip(&mut self) {
        self.0.strip();
        self.1.strip();
    }
}

impl<A: Strip, B: Strip, C: Strip> Strip for (A, B, C) {
    fn strip(&mut self) {
        self.0.strip();
        self.1.strip();
        self.2.strip();
    }
}

/// Strips the named fields.
macro_rules! fields {
    ($($ty:ident { $($field:ident),* })*) => {
        $(impl Strip for $ty {
            fn strip(&mut self) {
                $(self.$field.strip();)*
            }
        })*
    };
}

fields! {
    Ident { span }
    Import { from, names }
    ConstDef { name, value }
    ConstDraw { name, ty, value }
    FnDef { name, signature }
    NetDef { name, formals, members }
    Formal { name, kind, default }
    Signature { args, result, body, span }
    TypedName { name, ty, default }
    ModelDef { name, body }
    Type { kind, span }
    ParamDecl { name, over, ty, init }
    SubDecl { name, array, net, args }
    Each { name, item, sizes, at, within, body }
    Path { root, parts, span }
    Place { root, parts, span }
    Bound { name, range }
    Binders { items, filter, span }
    Block { stmts, span }
    Arg { name, value }
    Setting { path, value, span }
    ForExpr { var, from, to, until, at_most, body }
    RouteExpr { value, over, at, by, options }
    RouteOption { name, value, per }
    TrainDef { model, phase, after, each, clauses }
    EvalDef { model, phase, clauses }
    Clause { kind, span }
    Column { name, column }
    BatchItem { dim, size, by }
    SetItem { place, value }
    WeightLine { kind, span }
    Pin { what, of, way, span }
    Quoted { span }
    Stored { span, slots }
}

/// Strips the fields that each variant binds.
macro_rules! variants {
    ($($ty:ident { $($pattern:pat => ($($field:ident),*)),* $(,)? })*) => {
        $(impl Strip for $ty {
            fn strip(&mut self) {
                use $ty::*;
                match self {
                    $($pattern => { $($field.strip();)* })*
                }
            }
        })*
    };
}

variants! {
    ItemKind {
        Import(a) => (a),
        Dim { name, size } => (name, size),
        Const(a) => (a),
        ConstDraw(a) => (a),
        Fn(a) => (a),
        Net(a) => (a),
        Model(a) => (a),
        Form(a) => (a),
        Weights(a) => (a),
        Train(a) => (a),
        Eval(a) => (a),
    }
    FormalKind {
        Size => (),
        Real => (),
        Whole => (),
        Truth => (),
        List { length, scalar: _ } => (length),
        Form => (),
        Net => (),
    }
    ImportFrom { Library(a) => (a), File { span, path: _ } => (span) }
    TypeKind { Tensor { axes, scalar: _ } => (axes), Seed => (), Tree(a) => (a), Record(a) => (a) }
    AxisExpr { Lifted(a) => (a), Expr(a) => (a) }
    StmtKind {
        Const(a) => (a),
        ConstDraw(a) => (a),
        Param(a) => (a),
        Sub(a) => (a),
        Relation(a) => (a),
        Each(a) => (a),
        Signature(a) => (a),
        Let { name, binders, value } => (name, binders, value),
        Var { name, ty, value } => (name, ty, value),
        Assign { name, slots, value } => (name, slots, value),
        Input { name, ty } => (name, ty),
        Condition { name, ty, within, default } => (name, ty, within, default),
        Output { name, binders, ty, value } => (name, binders, ty, value),
        Loss { name, value } => (name, value),
        Update { place, value } => (place, value),
        Draw { name, ty, value, by } => (name, ty, value, by),
        Yield(a) => (a),
        Seed(a) => (a),
        Expr(a) => (a),
    }
    Within { Range(a, b) => (a, b), List(a, b) => (a, b) }
    ArrayDecl {
        One => (),
        Array(a) => (a),
        Family { index, count } => (index, count),
        Leaves { index, tree } => (index, tree),
    }
    Relation {
        Generate { place, value } => (place, value),
        Adapt { place, value } => (place, value),
        Scale { place, value } => (place, value),
        Tie { place, value } => (place, value),
        Init { place, value } => (place, value),
        Freeze { paths } => (paths),
    }
    PathPart { Field(a) => (a), Star(a) => (a), Index(a, b) => (a, b) }
    PlacePart { Field(a) => (a), Star(a) => (a), Slots(a, b) => (a, b) }
    Slot { Bound(a) => (a), Merged(a, b) => (a, b), Index(a) => (a) }
    Binder {
        Lifted(a) => (a),
        Bound(a) => (a),
        Merged(a, b) => (a, b),
        Along { axis, parts, span } => (axis, parts, span),
    }
    ExprKind {
        Number { .. } => (),
        Name(_) => (),
        Stored(_) => (),
        ReductionName(_) => (),
        Unary { arg, op: _ } => (arg),
        Binary { op_span, left, right, op: _ } => (op_span, left, right),
        Pipe { value, stage } => (value, stage),
        Reduce { op_span, binders, body, op: _ } => (op_span, binders, body),
        Call { callee, args } => (callee, args),
        Index { base, indices, list_span, otherwise } => (base, indices, list_span, otherwise),
        With { base, settings } => (base, settings),
        Field { base, name } => (base, name),
        Tree { base } => (base),
        Paren(a) => (a),
        Record(a) => (a),
        List(a) => (a),
        If { cond, then, otherwise } => (cond, then, otherwise),
        For(a) => (a),
        Route(a) => (a),
    }
    Else { Block(a) => (a), If(a) => (a) }
    Index {
        Along { axis, value } => (axis, value),
        Rename { axis, to } => (axis, to),
        Lifted(a) => (a),
        Range { from, to } => (from, to),
        Merged(a, b) => (a, b),
        At(a) => (a),
    }
    ClauseKind {
        Data { file_span, columns, file: _ } => (file_span, columns),
        Batch(a) => (a),
        Feed { name, binders, value } => (name, binders, value),
        Minimize(a) => (a),
        Over { paths, except, all: _ } => (paths, except),
        With(a) => (a),
        Steps(a) => (a),
        Seed(a) => (a),
        Set(a) => (a),
        Every { interval, when, sets } => (interval, when, sets),
        Alternate(a) => (a),
        Clip { limit, each: _ } => (limit),
        Accumulate(a) => (a),
        Average(a) => (a),
        Validate { block, interval, patience } => (block, interval, patience),
        Report(a) => (a),
    }
    Weights {
        From { span, lines, file: _ } => (span, lines),
        To { span, lines, file: _ } => (span, lines),
        Model { model, sets } => (model, sets),
    }
    WeightLineKind {
        Read { value, place, back: _, layout: _, optional: _ } => (value, place),
        Write { value, name, back: _, layout: _ } => (value, name),
        Prefix(_, a) => (a),
        Drop { list, optional: _ } => (list),
    }
    Dropped { Stored(_, a) => (a), Params(a) => (a) }
}

impl Strip for Item {
    fn strip(&mut self) {
        self.doc = None;
        self.kind.strip();
        self.span.strip();
    }
}

impl Strip for Stmt {
    fn strip(&mut self) {
        self.doc = None;
        self.pins.strip();
        self.kind.strip();
        self.span.strip();
    }
}

impl Strip for Expr {
    fn strip(&mut self) {
        while let ExprKind::Paren(inner) = &mut *self.kind {
            let empty = Expr { kind: Box::new(ExprKind::List(Vec::new())), span: Span::default() };
            *self = std::mem::replace(inner, empty);
        }
        self.kind.strip();
        self.span.strip();
    }
}
