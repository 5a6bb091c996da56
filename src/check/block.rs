//! Statements of bodies and blocks.

use super::report::Said;
use super::scope::Binding;
use super::value::{NameId, Tens, Value};
use super::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::syntax::ast::{self, Block, Expr, ExprKind, Name, Stmt, StmtKind, UnaryOp};

/// What is said where a line that begins with `-` is a statement of its own.
pub const WENT_ON: &str = "a line that begins with `-` does not go on with the one before: put the `-` at the end of that line";

/// Whether a statement is an expression that begins with `-`.
pub fn is_negative(stmt: &Stmt) -> bool {
    let StmtKind::Expr(e) = &stmt.kind else { return false };
    let mut e = e;
    loop {
        match &*e.kind {
            ExprKind::Unary { op: UnaryOp::Neg, .. } => return true,
            ExprKind::Binary { left, .. } => e = left,
            _ => return false,
        }
    }
}

impl<'a> Checker<'a> {
    /// Runs a block in a scope of its own; its value is an expression that stands last. A statement that fails is passed
    /// over, so that the others are checked, too.
    pub fn block(&mut self, block: &'a Block) -> Res<Value<'a>> {
        self.block_along(&[], block)
    }

    /// As [`Checker::block`]; a loop that stands last gives the axis back that it is called like, if it is `given`.
    pub fn block_along(&mut self, given: &[NameId], block: &'a Block) -> Res<Value<'a>> {
        self.in_block(|c| c.statements_along(given, &block.stmts))
    }

    /// Statements in the present scope.
    pub fn statements(&mut self, stmts: &'a [Stmt]) -> Res<Value<'a>> {
        self.statements_along(&[], stmts)
    }

    fn statements_along(&mut self, given: &[NameId], stmts: &'a [Stmt]) -> Res<Value<'a>> {
        let mut value = Value::Unit;
        let mut failed = None;
        for (i, stmt) in stmts.iter().enumerate() {
            let done = match &stmt.kind {
                StmtKind::Expr(e) if i + 1 == stmts.len() && !given.is_empty() => {
                    self.stating(stmt, |c| c.rounds_along(given, e))
                }
                _ => self.stating(stmt, |c| c.statement(stmt)),
            };
            match done {
                Ok(v) => {
                    if i + 1 == stmts.len() {
                        value = v;
                    } else {
                        self.idle(stmt, stmts.get(i + 1), &v);
                    }
                }
                Err(said) => {
                    failed = Some(said);
                    self.poison(stmt, said);
                }
            }
        }
        failed.map_or(Ok(value), Err)
    }

    /// An expression whose value nobody takes, and the statement after it.
    fn idle(&mut self, stmt: &Stmt, next: Option<&Stmt>, v: &Value<'a>) {
        let StmtKind::Expr(e) = &stmt.kind else { return };
        if !matches!(v, Value::Unit) && !matches!(&*e.kind, ExprKind::For(_) | ExprKind::If { .. }) {
            let help = if is_negative(stmt) || next.is_some_and(is_negative) {
                WENT_ON
            } else {
                "a body's value is its last expression; name others with `let`"
            };
            self.say(Diagnostic::error(Code::H0220, stmt.span, "the value of this expression is not used").help(help));
        }
    }

    /// Later uses of a name whose statement failed are not errors of their own.
    fn poison(&mut self, stmt: &'a Stmt, said: Said) {
        let name = match &stmt.kind {
            StmtKind::Let { name, .. }
            | StmtKind::Draw { name, .. }
            | StmtKind::Loss { name, .. }
            | StmtKind::Input { name, .. }
            | StmtKind::Condition { name, .. }
            | StmtKind::Output { name, .. } => name,
            StmtKind::Param(decl) => &decl.name,
            StmtKind::Sub(decl) => &decl.name,
            StmtKind::Each(each) => &each.name,
            StmtKind::Var { name, .. } => {
                return self.scopes.name(&name.name, Binding::Var(Value::Poison(said), None));
            }
            _ => return,
        };
        self.scopes.name(&name.name, Binding::Value(Value::Poison(said)));
    }

    fn statement(&mut self, stmt: &'a Stmt) -> Res<Value<'a>> {
        match &stmt.kind {
            StmtKind::Let { name, binders, value } => {
                let v = self.let_value(binders.as_ref(), value, name)?;
                self.define(name, Binding::Value(v))?;
            }
            StmtKind::Const(defs) => {
                for def in defs {
                    let v = self.expr(&def.value)?;
                    self.define(&def.name, Binding::Value(v))?;
                }
            }
            StmtKind::ConstDraw(draw) => {
                let v = self.const_draw(draw)?;
                self.define(&draw.name, Binding::Value(v))?;
            }
            StmtKind::Var { name, ty, value } => {
                let v = self.var_value(ty.as_ref(), value)?;
                self.define(name, Binding::Var(v, ty.as_ref()))?;
            }
            StmtKind::Assign { name, slots, value } => self.assign_var(name, slots.as_deref(), value)?,
            StmtKind::Relation(r) => self.block_relation(r)?,
            StmtKind::Loss { name, value } => {
                let v = self.loss(name, value)?;
                self.define(name, Binding::Value(v))?;
            }
            StmtKind::Update { place, value } => self.update(place, value)?,
            StmtKind::Draw { name, ty, value, by } => {
                let v = self.draw(name, ty, value, by.as_ref())?;
                self.define(name, Binding::Value(v))?;
            }
            StmtKind::Yield(e) => {
                let v = self.expr(e)?;
                match &mut self.scopes.frame_mut().yields {
                    Some(list) => list.push(v),
                    None => {
                        return self.error(Code::H0501, stmt.span, "`yield` stands in a `for`, and there is none here");
                    }
                }
            }
            StmtKind::Expr(e) => return self.expr(e),
            StmtKind::Param(_) | StmtKind::Sub(_) | StmtKind::Each(_) => {
                return self.fail(
                    Diagnostic::error(Code::H0211, stmt.span, "what a net is made of stands among its members, not in a body")
                        .help("move the declaration above the signature"),
                );
            }
            StmtKind::Input { .. } | StmtKind::Condition { .. } | StmtKind::Output { .. } | StmtKind::Seed(_) => {
                return self.error(Code::H0221, stmt.span, "this stands in a model only");
            }
            // The parser reads signatures directly in a net only.
            StmtKind::Signature(_) => {}
        }
        Ok(Value::Unit)
    }

    /// A `let`, `draw` or `loss` among the members of a model or an `each`.
    pub fn member_statement(&mut self, stmt: &'a Stmt) -> Res<Value<'a>> {
        match &stmt.kind {
            StmtKind::Let { name, binders, value } => self.let_value(binders.as_ref(), value, name),
            StmtKind::Draw { name, ty, value, by } => self.draw(name, ty, value, by.as_ref()),
            StmtKind::Loss { name, value } => self.loss(name, value),
            StmtKind::Output { binders, ty, value, .. } => {
                let v = match binders {
                    Some(b) => self.bound_value(b, value)?,
                    None => self.expr(value)?,
                };
                if ty.is_missing() {
                    return self.without_a_type(ty.span, v);
                }
                self.declared_value(ty, v, value.span)
            }
            _ => self.report.bug(stmt.span, "this is no value of a member"),
        }
    }

    /// `let name[binders] = value`
    pub fn let_value(&mut self, binders: Option<&'a ast::Binders>, value: &'a Expr, name: &ast::Ident) -> Res<Value<'a>> {
        let v = match binders {
            None => self.expr(value)?,
            Some(b) => self.bound_value(b, value)?,
        };
        if let Value::Tensor(t) = &v {
            self.call(t, &name.name);
        }
        Ok(v)
    }

    /// Gives a value the name that the source has for it, unless it has one.
    pub fn call(&mut self, t: &Tens, name: &Name) {
        let within = match self.scopes.net_path() {
            Some(path) if !path.is_empty() => format!("{path}.{name}").into(),
            _ => name.clone(),
        };
        let node = self.build.at_mut(t);
        if node.name.is_none() {
            (node.name, node.within) = (Some(name.clone()), Some(within));
        }
    }
}
