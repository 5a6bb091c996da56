//! Visits the statement lists and the expressions of a tree, outermost first.

use crate::syntax::ast::*;

/// What is called for each list of statements and each expression.
pub trait Visit {
    fn stmts(&mut self, _list: &mut Vec<Stmt>) {}
    fn expr(&mut self, _e: &mut Expr) {}
}

pub fn file(f: &mut File, v: &mut dyn Visit) {
    for item in &mut f.items {
        match &mut item.kind {
            ItemKind::Fn(d) => block(&mut d.signature.body, v),
            ItemKind::Net(d) => stmts(&mut d.members, v),
            ItemKind::Model(m) => block(&mut m.body, v),
            ItemKind::Dim { size: Some(e), .. } => expr(e, v),
            ItemKind::Const(list) => list.iter_mut().for_each(|c| expr(&mut c.value, v)),
            _ => {}
        }
    }
}

fn block(b: &mut Block, v: &mut dyn Visit) {
    stmts(&mut b.stmts, v);
}

fn stmts(list: &mut Vec<Stmt>, v: &mut dyn Visit) {
    v.stmts(list);
    for s in list {
        stmt(s, v);
    }
}

fn ty(t: &mut Type, v: &mut dyn Visit) {
    match &mut t.kind {
        TypeKind::Tensor { axes, .. } => {
            for a in axes {
                if let AxisExpr::Expr(e) = a {
                    expr(e, v);
                }
            }
        }
        TypeKind::Record(list) => list.iter_mut().for_each(|n| ty(&mut n.ty, v)),
        _ => {}
    }
}

fn stmt(s: &mut Stmt, v: &mut dyn Visit) {
    match &mut s.kind {
        StmtKind::Const(list) => list.iter_mut().for_each(|c| expr(&mut c.value, v)),
        StmtKind::ConstDraw(c) => ty(&mut c.ty, v),
        StmtKind::Param(p) => {
            ty(&mut p.ty, v);
            p.init.iter_mut().for_each(|e| expr(e, v));
        }
        StmtKind::Sub(d) => {
            if let ArrayDecl::Array(e) | ArrayDecl::Family { count: e, .. } = &mut d.array {
                expr(e, v);
            }
            d.args.iter_mut().for_each(|a| expr(&mut a.value, v));
        }
        StmtKind::Relation(r) => match r {
            Relation::Generate { value, .. }
            | Relation::Adapt { value, .. }
            | Relation::Scale { value, .. }
            | Relation::Tie { value, .. }
            | Relation::Init { value, .. } => expr(value, v),
            Relation::Freeze { .. } => {}
        },
        StmtKind::Each(e) => block(&mut e.body, v),
        StmtKind::Signature(s) => {
            s.args.iter_mut().for_each(|a| ty(&mut a.ty, v));
            ty(&mut s.result, v);
            block(&mut s.body, v);
        }
        StmtKind::Let { binders: b, value, .. } => {
            b.iter_mut().for_each(|b| binders(b, v));
            expr(value, v);
        }
        StmtKind::Var { value, .. }
        | StmtKind::Assign { value, .. }
        | StmtKind::Loss { value, .. }
        | StmtKind::Update { value, .. } => {
            expr(value, v);
        }
        StmtKind::Input { ty: t, .. } | StmtKind::Condition { ty: t, .. } => ty(t, v),
        StmtKind::Output { binders: b, ty: t, value, .. } => {
            b.iter_mut().for_each(|b| binders(b, v));
            ty(t, v);
            expr(value, v);
        }
        StmtKind::Draw { ty: t, value, .. } => {
            ty(t, v);
            expr(value, v);
        }
        StmtKind::Yield(e) | StmtKind::Seed(e) | StmtKind::Expr(e) => expr(e, v),
    }
}

fn index(i: &mut Index, v: &mut dyn Visit) {
    match i {
        Index::Along { value, .. } => index(value, v),
        Index::At(value) => expr(value, v),
        Index::Range { from, to } => {
            expr(from, v);
            expr(to, v);
        }
        Index::Merged(list, _) => list.iter_mut().for_each(|e| expr(e, v)),
        Index::Rename { .. } | Index::Lifted(_) => {}
    }
}

fn binders(b: &mut Binders, v: &mut dyn Visit) {
    for item in &mut b.items {
        match item {
            Binder::Bound(b) => b.range.iter_mut().for_each(|e| expr(e, v)),
            Binder::Along { parts: list, .. } | Binder::Merged(list, _) => {
                list.iter_mut().flat_map(|b| b.range.iter_mut()).for_each(|e| expr(e, v))
            }
            Binder::Lifted(_) => {}
        }
    }
    b.filter.iter_mut().for_each(|e| expr(e, v));
}

fn expr(e: &mut Expr, v: &mut dyn Visit) {
    v.expr(e);
    match &mut *e.kind {
        ExprKind::Number { .. } | ExprKind::Name(_) | ExprKind::Stored(_) | ExprKind::ReductionName(_) => {}
        ExprKind::Unary { arg: a, .. } | ExprKind::Field { base: a, .. } | ExprKind::Tree { base: a } | ExprKind::Paren(a) => {
            expr(a, v)
        }
        ExprKind::Binary { left: a, right: b, .. } | ExprKind::Pipe { value: a, stage: b } => {
            expr(a, v);
            expr(b, v);
        }
        ExprKind::Reduce { binders: b, body, .. } => {
            binders(b, v);
            expr(body, v);
        }
        ExprKind::Call { callee, args } => {
            expr(callee, v);
            args.iter_mut().for_each(|a| expr(&mut a.value, v));
        }
        ExprKind::Index { base, indices, otherwise, .. } => {
            expr(base, v);
            indices.iter_mut().for_each(|i| index(i, v));
            otherwise.iter_mut().for_each(|e| expr(e, v));
        }
        ExprKind::With { base, settings } => {
            expr(base, v);
            settings.iter_mut().for_each(|s| expr(&mut s.value, v));
        }
        ExprKind::Record(list) => list.iter_mut().for_each(|(_, e)| expr(e, v)),
        ExprKind::List(list) => list.iter_mut().for_each(|e| expr(e, v)),
        ExprKind::If { cond, then, otherwise } => {
            expr(cond, v);
            block(then, v);
            match otherwise {
                Some(Else::Block(b)) => block(b, v),
                Some(Else::If(e)) => expr(e, v),
                None => {}
            }
        }
        ExprKind::For(f) => {
            expr(&mut f.from, v);
            expr(&mut f.to, v);
            f.until.iter_mut().chain(&mut f.at_most).for_each(|e| expr(e, v));
            block(&mut f.body, v);
        }
        ExprKind::Route(r) => {
            [&mut r.value, &mut r.over, &mut r.at, &mut r.by].into_iter().for_each(|e| expr(e, v));
            r.options.iter_mut().for_each(|o| expr(&mut o.value, v));
        }
    }
}

/// The expressions right below one.
pub fn children(e: &Expr) -> Vec<Expr> {
    struct First(Vec<Expr>, usize);
    impl Visit for First {
        fn expr(&mut self, e: &mut Expr) {
            self.1 += 1;
            if self.1 > 1 && self.0.len() < 12 {
                self.0.push(e.clone());
            }
        }
    }
    let mut first = First(vec![], 0);
    expr(&mut e.clone(), &mut first);
    first.0
}
