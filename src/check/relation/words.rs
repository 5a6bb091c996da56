//! The names that stand in an expression, and which of them are assigned there.

use crate::syntax::ast::{self, Expr, ExprKind, Name, Relation};
use std::collections::BTreeSet;

/// All names in an expression, blocks included.
pub fn walk_names(e: &Expr, f: &mut dyn FnMut(&Name)) {
    walk(e, &mut |name, _| f(name));
}

/// Names that a block assigns, at any depth.
pub fn assigned_in_block(b: &ast::Block, out: &mut BTreeSet<Name>) {
    walk_block(b, &mut |name, assigned| {
        if assigned {
            out.insert(name.clone());
        }
    });
}

/// Names that the blocks in an expression assign.
pub fn assigned_in(e: &Expr, out: &mut BTreeSet<Name>) {
    walk(e, &mut |name, assigned| {
        if assigned {
            out.insert(name.clone());
        }
    });
}

fn walk_block(b: &ast::Block, f: &mut dyn FnMut(&Name, bool)) {
    for s in &b.stmts {
        match &s.kind {
            ast::StmtKind::Let { value, .. }
            | ast::StmtKind::Var { value, .. }
            | ast::StmtKind::Loss { value, .. }
            | ast::StmtKind::Output { value, .. }
            | ast::StmtKind::Draw { value, .. }
            | ast::StmtKind::Update { value, .. }
            | ast::StmtKind::Yield(value)
            | ast::StmtKind::Seed(value)
            | ast::StmtKind::Expr(value) => walk(value, f),
            ast::StmtKind::Const(defs) => defs.iter().for_each(|d| walk(&d.value, f)),
            ast::StmtKind::ConstDraw(draw) => walk(&draw.value, f),
            ast::StmtKind::Relation(r) => match r {
                Relation::Generate { value, .. }
                | Relation::Adapt { value, .. }
                | Relation::Scale { value, .. }
                | Relation::Tie { value, .. }
                | Relation::Init { value, .. } => walk(value, f),
                Relation::Freeze { .. } => {}
            },
            ast::StmtKind::Assign { name, value, .. } => {
                f(&name.name, true);
                walk(value, f);
            }
            ast::StmtKind::Param(_)
            | ast::StmtKind::Sub(_)
            | ast::StmtKind::Each(_)
            | ast::StmtKind::Input { .. }
            | ast::StmtKind::Condition { .. }
            | ast::StmtKind::Signature(_) => {}
        }
    }
}

fn walk_index(i: &ast::Index, f: &mut dyn FnMut(&Name, bool)) {
    match i {
        ast::Index::At(e) => walk(e, f),
        ast::Index::Along { value, .. } => walk_index(value, f),
        ast::Index::Range { from, to } => {
            walk(from, f);
            walk(to, f);
        }
        ast::Index::Merged(parts, _) => parts.iter().for_each(|p| walk(p, f)),
        ast::Index::Rename { .. } | ast::Index::Lifted(_) => {}
    }
}

/// Every name, and whether it is assigned there.
fn walk(e: &Expr, f: &mut dyn FnMut(&Name, bool)) {
    match &*e.kind {
        ExprKind::Number { .. } | ExprKind::Stored(_) | ExprKind::ReductionName(_) => {}
        ExprKind::Name(n) => f(n, false),
        ExprKind::Unary { arg, .. } => walk(arg, f),
        ExprKind::Binary { left, right, .. } => {
            walk(left, f);
            walk(right, f);
        }
        ExprKind::Pipe { value, stage } => {
            walk(value, f);
            walk(stage, f);
        }
        ExprKind::Reduce { binders, body, .. } => {
            if let Some(filter) = &binders.filter {
                walk(filter, f);
            }
            walk(body, f);
        }
        ExprKind::Call { callee, args } => {
            walk(callee, f);
            args.iter().for_each(|a| walk(&a.value, f));
        }
        ExprKind::Index { base, indices, otherwise, .. } => {
            walk(base, f);
            indices.iter().for_each(|i| walk_index(i, f));
            if let Some(o) = otherwise {
                walk(o, f);
            }
        }
        ExprKind::With { base, settings } => {
            walk(base, f);
            settings.iter().for_each(|s| walk(&s.value, f));
        }
        ExprKind::Field { base, .. } | ExprKind::Tree { base } => walk(base, f),
        ExprKind::Paren(inner) => walk(inner, f),
        ExprKind::Record(fields) => fields.iter().for_each(|(_, v)| walk(v, f)),
        ExprKind::List(items) => items.iter().for_each(|v| walk(v, f)),
        ExprKind::If { cond, then, otherwise } => {
            walk(cond, f);
            walk_block(then, f);
            match otherwise {
                Some(ast::Else::Block(b)) => walk_block(b, f),
                Some(ast::Else::If(e)) => walk(e, f),
                None => {}
            }
        }
        ExprKind::For(l) => {
            walk(&l.from, f);
            walk(&l.to, f);
            if let Some(u) = &l.until {
                walk(u, f);
            }
            if let Some(m) = &l.at_most {
                walk(m, f);
            }
            walk_block(&l.body, f);
        }
        ExprKind::Route(r) => {
            for e in [&r.value, &r.over, &r.at, &r.by] {
                walk(e, f);
            }
            r.options.iter().for_each(|o| walk(&o.value, f));
        }
    }
}
