//! A walk through what stands in a file, as its words are seen: which scope opens where, what each declares, and which words are
//! mentioned in it. Nothing is resolved; whoever walks decides what a word means.
//!
//! Members of nets and models are seen in their whole net and are declared before anything is mentioned; locals are seen from
//! their statement on.

use super::ast::{
    ArrayDecl, AxisExpr, Binder, Binders, Block, Bound, Each, Else, Expr, ExprKind, FnDef, ForExpr, FormalKind, Ident, Index,
    ModelDef, Name, NetDef, ParamDecl, Path, PathPart, Place, PlacePart, Relation, Signature, Slot, Stmt, StmtKind, SubDecl,
    Type, TypeKind, TypedName, Within,
};
use crate::source::Span;

/// What a declaration makes of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// An argument of a net or function.
    Argument,
    Const,
    Input,
    Condition,
    Param,
    /// A net: `sub`, `form`.
    Sub,
    /// The copies of an `each`.
    Each,
    Let,
    Var,
    Draw,
    Output,
    Loss,
    /// A number of compile time: `sub f[l < n]`, `each .. at l`, the sizes of an `each`, `[p in tree.*]`.
    Number,
    /// An index of a binder; an axis may stand there under its own name.
    Index,
    /// An index on the left side of a relation or an assignment, bound there if it is free.
    Slot,
    /// The variable of a `for`.
    Round,
}

/// Who walks.
pub trait Visit {
    fn open(&mut self) {}
    fn close(&mut self) {}
    fn declare(&mut self, name: &Ident, what: What);
    /// A word whose value is read.
    fn mention(&mut self, word: &Name, span: Span);
    /// A word that is written to, or spoken of, without being read: the left side of a relation, `freeze`.
    fn place(&mut self, word: &Ident) {
        let _ = word;
    }
    /// A word of a signature's argument: a size, if it is one, else an axis of the signature.
    fn axis(&mut self, word: &Name, span: Span) {
        self.mention(word, span);
    }
    /// A part of what an expression gives: `base.name`.
    fn dotted(&mut self, base: &Expr, name: &Ident) {
        let _ = base;
        self.field(name);
    }
    /// A value or net under indices.
    fn indexed(&mut self, base: &Expr, indices: &[Index]) {
        let _ = (base, indices);
    }
    /// A tensor of a file, by the pattern of its name.
    fn stored(&mut self, pattern: &str, span: Span) {
        let _ = (pattern, span);
    }
    /// A part of a value or net.
    fn field(&mut self, name: &Ident) {
        let _ = name;
    }
}

/// A function.
pub fn function(def: &FnDef, v: &mut dyn Visit) {
    v.open();
    signature(&def.signature, v);
    v.close();
}

/// A net.
pub fn net(def: &NetDef, v: &mut dyn Visit) {
    v.open();
    for f in &def.formals {
        v.declare(&f.name, What::Argument);
        if let FormalKind::List { length: Some(n), .. } = &f.kind {
            size_or_axis(n, v);
        }
        f.default.iter().for_each(|e| expr(e, v));
    }
    members(&def.members, v);
    v.close();
}

/// A model.
pub fn model(def: &ModelDef, v: &mut dyn Visit) {
    v.open();
    members(&def.body.stmts, v);
    v.close();
}

/// The `if` that a statement among members is, if what stands in it are members themselves: it declares something, and computes nothing.
pub fn choice(s: &Stmt) -> Option<&Expr> {
    let StmtKind::Expr(e) = &s.kind else { return None };
    let (mut declares, mut computes) = (false, false);
    each_inside(e, &mut |s| match &s.kind {
        StmtKind::Const(_) | StmtKind::ConstDraw(_) | StmtKind::Param(_) | StmtKind::Sub(_) | StmtKind::Relation(_) => {
            declares = true
        }
        StmtKind::Each(_) | StmtKind::Input { .. } | StmtKind::Condition { .. } | StmtKind::Output { .. } => declares = true,
        StmtKind::Assign { .. } | StmtKind::Update { .. } | StmtKind::Yield(_) | StmtKind::Var { .. } => computes = true,
        StmtKind::Let { .. } | StmtKind::Loss { .. } | StmtKind::Draw { .. } | StmtKind::Seed(_) => {}
        StmtKind::Signature(_) | StmtKind::Expr(_) => {}
    });
    (declares && !computes).then_some(e)
}

/// The statements of all sides of an `if`, and of those that stand in it.
fn each_inside(e: &Expr, f: &mut dyn FnMut(&Stmt)) {
    let ExprKind::If { then, otherwise, .. } = &*e.kind else { return };
    let mut block = |b: &Block| {
        for s in &b.stmts {
            f(s);
            if let StmtKind::Expr(inner) = &s.kind {
                each_inside(inner, f);
            }
        }
    };
    block(then);
    match otherwise {
        Some(Else::Block(b)) => block(b),
        Some(Else::If(e)) => each_inside(e, f),
        None => {}
    }
}

/// The names that an `if` among members declares on any of its sides.
pub fn choice_members(e: &Expr, f: &mut dyn FnMut(&Ident)) {
    each_inside(e, &mut |s| names_of(s, f));
}

/// The names that a block of members declares.
pub fn block_members(b: &Block, f: &mut dyn FnMut(&Ident)) {
    for s in &b.stmts {
        match &s.kind {
            StmtKind::Expr(e) => choice_members(e, f),
            _ => names_of(s, f),
        }
    }
}

/// The names that what follows `else` declares.
pub fn else_members(e: &Else, f: &mut dyn FnMut(&Ident)) {
    match e {
        Else::Block(b) => block_members(b, f),
        Else::If(e) => choice_members(e, f),
    }
}

/// The names that a statement declares.
fn names_of(s: &Stmt, f: &mut dyn FnMut(&Ident)) {
    struct Names<'f>(&'f mut dyn FnMut(&Ident));
    impl Visit for Names<'_> {
        fn declare(&mut self, name: &Ident, _: What) {
            (self.0)(name);
        }
        fn mention(&mut self, _: &Name, _: Span) {}
    }
    declared(s, &mut Names(f));
}

/// Members: all are declared, then what they say is walked.
pub fn members(stmts: &[Stmt], v: &mut dyn Visit) {
    declared_members(stmts, &[], v);
    members_inside(stmts, v);
}

/// Declares members. Both sides of an `if` may declare one name: there is one of them.
fn declared_members(stmts: &[Stmt], known: &[Name], v: &mut dyn Visit) {
    for s in stmts {
        match choice(s) {
            Some(e) => declared_sides(e, known, v),
            None => {
                let mut twice = false;
                names_of(s, &mut |n| twice |= known.contains(&n.name));
                if !twice {
                    declared(s, v);
                }
            }
        }
    }
}

fn declared_sides(e: &Expr, known: &[Name], v: &mut dyn Visit) {
    let ExprKind::If { then, otherwise, .. } = &*e.kind else { return };
    declared_members(&then.stmts, known, v);
    let mut known = known.to_vec();
    block_members(then, &mut |n| known.push(n.name.clone()));
    match otherwise {
        Some(Else::Block(b)) => declared_members(&b.stmts, &known, v),
        Some(Else::If(e)) => declared_sides(e, &known, v),
        None => {}
    }
}

fn sides_inside(e: &Expr, v: &mut dyn Visit) {
    let ExprKind::If { cond, then, otherwise } = &*e.kind else { return };
    expr(cond, v);
    members_inside(&then.stmts, v);
    match otherwise {
        Some(Else::Block(b)) => members_inside(&b.stmts, v),
        Some(Else::If(e)) => sides_inside(e, v),
        None => {}
    }
}

/// What members say.
fn members_inside(stmts: &[Stmt], v: &mut dyn Visit) {
    for s in stmts {
        if let Some(e) = choice(s) {
            sides_inside(e, v);
            continue;
        }
        match &s.kind {
            StmtKind::Signature(s) => {
                v.open();
                signature(s, v);
                v.close();
            }
            _ => inside(s, v),
        }
    }
}

/// What a statement declares in the scope in which it stands.
fn declared(s: &Stmt, v: &mut dyn Visit) {
    match &s.kind {
        StmtKind::Const(defs) => defs.iter().for_each(|d| v.declare(&d.name, What::Const)),
        StmtKind::ConstDraw(d) => v.declare(&d.name, What::Const),
        StmtKind::Param(d) => v.declare(&d.name, What::Param),
        StmtKind::Sub(d) => v.declare(&d.name, What::Sub),
        StmtKind::Each(e) => v.declare(&e.name, What::Each),
        StmtKind::Let { name, .. } => v.declare(name, What::Let),
        StmtKind::Var { name, .. } => v.declare(name, What::Var),
        StmtKind::Input { name, .. } => v.declare(name, What::Input),
        StmtKind::Condition { name, .. } => v.declare(name, What::Condition),
        StmtKind::Output { name, .. } => v.declare(name, What::Output),
        StmtKind::Loss { name, .. } => v.declare(name, What::Loss),
        StmtKind::Draw { name, .. } => v.declare(name, What::Draw),
        StmtKind::Relation(_)
        | StmtKind::Signature(_)
        | StmtKind::Assign { .. }
        | StmtKind::Update { .. }
        | StmtKind::Yield(_)
        | StmtKind::Seed(_)
        | StmtKind::Expr(_) => {}
    }
}

/// What a statement mentions.
fn inside(s: &Stmt, v: &mut dyn Visit) {
    match &s.kind {
        StmtKind::Const(defs) => defs.iter().for_each(|d| expr(&d.value, v)),
        StmtKind::ConstDraw(d) => {
            type_words(&d.ty, v);
            expr(&d.value, v);
        }
        StmtKind::Param(d) => param(d, v),
        StmtKind::Sub(d) => sub(d, v),
        StmtKind::Relation(r) => relation(r, v),
        StmtKind::Each(e) => each(e, v),
        StmtKind::Signature(s) => signature(s, v),
        StmtKind::Let { binders, value, .. } => match binders {
            Some(b) => bound(b, value, v),
            None => expr(value, v),
        },
        StmtKind::Var { ty, value, .. } => {
            ty.iter().for_each(|t| type_words(t, v));
            expr(value, v);
        }
        StmtKind::Assign { name, slots: parts, value } => {
            v.place(name);
            v.open();
            parts.iter().flatten().for_each(|s| slot(s, v));
            expr(value, v);
            v.close();
        }
        StmtKind::Input { ty, .. } => type_words(ty, v),
        StmtKind::Condition { ty, within, default, .. } => {
            type_words(ty, v);
            match within {
                Some(Within::Range(a, b)) => [a, b].into_iter().for_each(|e| expr(e, v)),
                Some(Within::List(items, _)) => items.iter().for_each(|e| expr(e, v)),
                None => {}
            }
            default.iter().for_each(|e| expr(e, v));
        }
        StmtKind::Output { binders, ty, value, .. } => {
            type_words(ty, v);
            match binders {
                Some(b) => bound(b, value, v),
                None => expr(value, v),
            }
        }
        StmtKind::Loss { value, .. } | StmtKind::Yield(value) | StmtKind::Seed(value) | StmtKind::Expr(value) => expr(value, v),
        StmtKind::Update { place: p, value } => {
            v.open();
            place(p, v);
            expr(value, v);
            v.close();
        }
        StmtKind::Draw { ty, value, by, .. } => {
            type_words(ty, v);
            expr(value, v);
            by.iter().for_each(|e| expr(e, v));
        }
    }
}

/// `{ .. }` in a scope of its own.
pub fn block(b: &Block, v: &mut dyn Visit) {
    v.open();
    for s in &b.stmts {
        inside(s, v);
        declared(s, v);
    }
    v.close();
}

fn signature(s: &Signature, v: &mut dyn Visit) {
    s.args.iter().for_each(|a| v.declare(&a.name, What::Argument));
    s.args.iter().for_each(|a| argument(a, v));
    s.args.iter().filter_map(|a| a.default.as_ref()).for_each(|e| expr(e, v));
    type_words(&s.result, v);
    block(&s.body, v);
}

/// The type of an argument: its bare words are sizes or axes of the signature.
fn argument(a: &TypedName, v: &mut dyn Visit) {
    match &a.ty.kind {
        TypeKind::Tensor { axes, .. } => {
            for axis in axes {
                if let AxisExpr::Expr(e) = axis {
                    size_or_axis(e, v);
                }
            }
        }
        TypeKind::Record(fields) => fields.iter().for_each(|f| argument(f, v)),
        TypeKind::Seed | TypeKind::Tree(_) => type_words(&a.ty, v),
    }
}

/// A size, or a word that is one from here on.
fn size_or_axis(e: &Expr, v: &mut dyn Visit) {
    match &*e.kind {
        ExprKind::Name(word) => v.axis(word, e.span),
        _ => expr(e, v),
    }
}

fn type_words(ty: &Type, v: &mut dyn Visit) {
    match &ty.kind {
        TypeKind::Tensor { axes, .. } => axes.iter().for_each(|a| axis_words(a, v)),
        TypeKind::Tree(p) => path(p, v),
        TypeKind::Record(fields) => fields.iter().for_each(|f| type_words(&f.ty, v)),
        TypeKind::Seed => {}
    }
}

fn axis_words(a: &AxisExpr, v: &mut dyn Visit) {
    if let AxisExpr::Expr(e) = a {
        expr(e, v);
    }
}

fn param(d: &ParamDecl, v: &mut dyn Visit) {
    v.open();
    if let Some((leaf, tree)) = &d.over {
        path(tree, v);
        v.declare(leaf, What::Number);
        v.mention(&leaf.name, leaf.span);
    }
    type_words(&d.ty, v);
    d.init.iter().for_each(|e| expr(e, v));
    v.close();
}

fn sub(d: &SubDecl, v: &mut dyn Visit) {
    v.open();
    match &d.array {
        ArrayDecl::One => {}
        ArrayDecl::Array(n) => expr(n, v),
        ArrayDecl::Family { index, count } => {
            expr(count, v);
            v.declare(index, What::Number);
        }
        ArrayDecl::Leaves { index, tree } => {
            path(tree, v);
            v.declare(index, What::Number);
        }
    }
    d.args.iter().for_each(|a| expr(&a.value, v));
    v.close();
}

fn each(e: &Each, v: &mut dyn Visit) {
    v.open();
    for path in &e.within {
        v.place(&path.root);
        parts_of(path, v);
    }
    v.declare(&e.item, What::Number);
    e.sizes.iter().for_each(|s| v.declare(s, What::Number));
    e.at.iter().for_each(|a| v.declare(a, What::Number));
    members(&e.body.stmts, v);
    v.close();
}

fn relation(r: &Relation, v: &mut dyn Visit) {
    match r {
        Relation::Generate { place: p, value }
        | Relation::Adapt { place: p, value }
        | Relation::Scale { place: p, value }
        | Relation::Tie { place: p, value }
        | Relation::Init { place: p, value } => {
            v.open();
            place(p, v);
            expr(value, v);
            v.close();
        }
        Relation::Freeze { paths } => {
            for p in paths {
                v.place(&p.root);
                parts_of(p, v);
            }
        }
    }
}

/// A path that is read.
pub fn path(p: &Path, v: &mut dyn Visit) {
    v.mention(&p.root.name, p.root.span);
    parts_of(p, v);
}

/// What stands behind the root of a path.
pub fn parts_of(p: &Path, v: &mut dyn Visit) {
    for part in &p.parts {
        match part {
            PathPart::Field(name) => v.field(name),
            PathPart::Star(_) => {}
            PathPart::Index(list, _) => list.iter().for_each(|i| index(i, v)),
        }
    }
}

/// A left side: its root is written to, its free indices are bound.
pub fn place(p: &Place, v: &mut dyn Visit) {
    v.place(&p.root);
    for part in &p.parts {
        match part {
            PlacePart::Field(name) => v.field(name),
            PlacePart::Star(_) => {}
            PlacePart::Slots(list, _) => list.iter().for_each(|s| slot(s, v)),
        }
    }
}

/// One entry of a left side.
pub fn slot(s: &Slot, v: &mut dyn Visit) {
    match s {
        Slot::Bound(b) => bound_name(b, What::Slot, v),
        Slot::Merged(list, _) => list.iter().for_each(|b| bound_name(b, What::Slot, v)),
        Slot::Index(i) => index(i, v),
    }
}

fn bound_name(b: &Bound, what: What, v: &mut dyn Visit) {
    b.range.iter().for_each(|e| expr(e, v));
    v.declare(&b.name, what);
}

/// An expression under binders, in a scope of its own.
pub fn bound(b: &Binders, body: &Expr, v: &mut dyn Visit) {
    v.open();
    for item in &b.items {
        match item {
            Binder::Lifted(_) => {}
            Binder::Bound(b) => bound_name(b, What::Index, v),
            Binder::Merged(list, _) => list.iter().for_each(|b| bound_name(b, What::Index, v)),
            Binder::Along { axis, parts, .. } => {
                v.mention(&axis.name, axis.span);
                parts.iter().for_each(|b| bound_name(b, What::Index, v));
            }
        }
    }
    b.filter.iter().for_each(|e| expr(e, v));
    expr(body, v);
    v.close();
}

/// An expression.
pub fn expr(e: &Expr, v: &mut dyn Visit) {
    match &*e.kind {
        ExprKind::Number { .. } | ExprKind::ReductionName(_) => {}
        ExprKind::Stored(pattern) => v.stored(pattern, e.span),
        ExprKind::Name(word) => v.mention(word, e.span),
        ExprKind::Unary { arg, .. } | ExprKind::Paren(arg) | ExprKind::Tree { base: arg } => expr(arg, v),
        ExprKind::Binary { left, right, .. } => [left, right].into_iter().for_each(|e| expr(e, v)),
        ExprKind::Pipe { value, stage } => [value, stage].into_iter().for_each(|e| expr(e, v)),
        ExprKind::Reduce { binders, body, .. } => bound(binders, body, v),
        ExprKind::Call { callee, args } => {
            expr(callee, v);
            args.iter().for_each(|a| expr(&a.value, v));
        }
        ExprKind::Index { base, indices, otherwise, .. } => {
            v.indexed(base, indices);
            expr(base, v);
            indices.iter().for_each(|i| index(i, v));
            otherwise.iter().for_each(|e| expr(e, v));
        }
        ExprKind::With { base, settings } => {
            expr(base, v);
            for s in settings {
                if let Some(p) = &s.path {
                    v.field(&p.root);
                    parts_of(p, v);
                }
                expr(&s.value, v);
            }
        }
        ExprKind::Field { base, name } => {
            expr(base, v);
            v.dotted(base, name);
        }
        ExprKind::Record(fields) => fields.iter().for_each(|(_, e)| expr(e, v)),
        ExprKind::List(items) => items.iter().for_each(|e| expr(e, v)),
        ExprKind::If { cond, then, otherwise } => {
            expr(cond, v);
            block(then, v);
            match otherwise {
                Some(Else::Block(b)) => block(b, v),
                Some(Else::If(e)) => expr(e, v),
                None => {}
            }
        }
        ExprKind::For(f) => for_expr(f, v),
        ExprKind::Route(r) => {
            [&r.value, &r.over, &r.at, &r.by].into_iter().for_each(|e| expr(e, v));
            for o in &r.options {
                expr(&o.value, v);
                o.per.iter().flatten().for_each(|a| axis_words(a, v));
            }
        }
    }
}

fn for_expr(f: &ForExpr, v: &mut dyn Visit) {
    [&f.from, &f.to].into_iter().chain(&f.at_most).for_each(|e| expr(e, v));
    v.open();
    v.declare(&f.var, What::Round);
    f.until.iter().for_each(|e| expr(e, v));
    block(&f.body, v);
    v.close();
}

/// One index of a list.
pub fn index(i: &Index, v: &mut dyn Visit) {
    match i {
        Index::Along { axis, value } => {
            v.mention(&axis.name, axis.span);
            index(value, v);
        }
        Index::Rename { to, .. } => v.mention(&to.name, to.span),
        Index::Lifted(_) => {}
        Index::Range { from, to } => [from, to].into_iter().for_each(|e| expr(e, v)),
        Index::Merged(parts, _) => parts.iter().for_each(|e| expr(e, v)),
        Index::At(e) => expr(e, v),
    }
}
