//! `if` among members: what a net is made of may depend on what is known when the model is compiled.
//!
//! The members of the side that holds are the net's, in the place where they are written; those of the other side are not there, and
//! whoever reads one is told so.

use super::{InstId, MemberRef, Thunk};
use crate::check::scope::Frame;
use crate::check::value::Value;
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{Else, Expr, ExprKind, Ident, Name, Stmt, StmtKind};
use crate::syntax::walk;

/// Whose members are declared: that decides what may stand among them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    Net,
    Model,
    Each,
}

impl<'a> Checker<'a> {
    /// Declares members, first those that are there whatever holds.
    pub fn declare_members(&mut self, id: InstId, stmts: &'a [Stmt], whose: Whose) {
        let mut choices = vec![];
        for stmt in stmts {
            self.note_pins(stmt);
            match walk::choice(stmt) {
                Some(choice) => choices.push(choice),
                None => self.declare_member(id, stmt, whose),
            }
        }
        if whose == Whose::Model {
            self.declare_ports(id, stmts);
        }
        if choices.is_empty() {
            return;
        }
        for choice in choices {
            self.declare_choice(id, choice, whose);
        }
        // In the order in which they are written.
        let place = |c: &Self, member: MemberRef| match member {
            MemberRef::Param(p) => c.nets[p].decl.name.span.start,
            MemberRef::Sub(n) => c.nets[id].subs[n].name.span.start,
            MemberRef::LeafParams(n) => {
                c.nets[id].over_leaves.iter().find(|(k, _)| *k == n).map_or(0, |(_, decl)| decl.name.span.start)
            }
            MemberRef::Thunk(_) | MemberRef::Match(_) => 0,
        };
        let mut order = std::mem::take(&mut self.nets[id].order);
        order.sort_by_key(|(_, member)| place(self, *member));
        self.nets[id].order = order;
    }

    fn declare_member(&mut self, id: InstId, stmt: &'a Stmt, whose: Whose) {
        if self.nets.declare(id, stmt) {
            return;
        }
        match (&stmt.kind, whose) {
            (StmtKind::Signature(_), Whose::Net) => {}
            (
                StmtKind::Let { name, .. } | StmtKind::Draw { name, .. } | StmtKind::Loss { name, .. },
                Whose::Model | Whose::Each,
            ) => {
                self.nets.add_thunk(id, name, Thunk::Let(stmt));
            }
            (StmtKind::Output { name, .. }, Whose::Model) => self.nets.add_thunk(id, name, Thunk::Let(stmt)),
            (StmtKind::Var { name, .. }, Whose::Model) => self.nets.add_thunk(id, name, Thunk::Waiting),
            // Inputs and conditions follow; what is no member is run.
            (_, Whose::Model) => {}
            (_, Whose::Net) => {
                self.report.say(
                    Diagnostic::error(Code::H0211, stmt.span, "this cannot stand among the members of a net")
                        .help("computations stand in the signature's body"),
                );
            }
            (_, Whose::Each) => {
                self.report.say(
                    Diagnostic::error(Code::H0211, stmt.span, "this cannot stand in an `each`")
                        .help("its members are parameters, nets, constants, `let`s and relations"),
                );
            }
        }
    }

    /// Declares the side of an `if` that holds.
    fn declare_choice(&mut self, id: InstId, choice: &'a Expr, whose: Whose) {
        let ExprKind::If { cond, then, otherwise } = &*choice.kind else { return };
        match self.holds(id, cond) {
            Ok(true) => {
                self.nets[id].sides.insert(choice.span, true);
                otherwise.iter().for_each(|e| walk::else_members(e, &mut |name| self.absent(id, name, cond.span)));
                self.declare_members(id, &then.stmts, whose);
            }
            Ok(false) => {
                self.nets[id].sides.insert(choice.span, false);
                walk::block_members(then, &mut |name| self.absent(id, name, cond.span));
                match otherwise {
                    Some(Else::Block(b)) => self.declare_members(id, &b.stmts, whose),
                    Some(Else::If(e)) => self.declare_choice(id, e, whose),
                    None => {}
                }
            }
            // What stands in it is not judged.
            Err(said) => walk::choice_members(choice, &mut |name| {
                self.nets.add_thunk(id, name, Thunk::Done(Value::Poison(said)));
            }),
        }
    }

    fn absent(&mut self, id: InstId, name: &Ident, because: Span) {
        self.nets[id].absent.insert(name.name.clone(), because);
    }

    /// Whether what decides about members holds.
    fn holds(&mut self, id: InstId, cond: &'a Expr) -> Res<bool> {
        let frame = Frame { span: cond.span, ..self.nets.inst_frame(id) };
        match self.outside(frame, |c| c.expr(cond))? {
            Value::Bool(b) => Ok(b),
            // With unknown numbers nobody knows which members there are.
            Value::Tensor(t) if self.report.is_generic() && self.of_sizes_alone(&t) => self.report.again(),
            v => {
                let message = format!("what is there is decided when the model is compiled, and this is {}", v.kind());
                let d = Diagnostic::error(Code::H0228, cond.span, message);
                self.fail(d.help("compare arguments and constants, or take `name: bool` as an argument; what data decide is computed with `if` in a body"))
            }
        }
    }

    /// The statements of the side that holds, of an `if` among the members.
    pub fn side_of(&self, id: InstId, choice: &'a Expr) -> &'a [Stmt] {
        let ExprKind::If { then, otherwise, .. } = &*choice.kind else { return &[] };
        match (self.nets[id].sides.get(&choice.span), otherwise) {
            (Some(true), _) => &then.stmts,
            (Some(false), Some(Else::Block(b))) => &b.stmts,
            (Some(false), Some(Else::If(e))) => self.side_of(id, e),
            (Some(false), None) | (None, _) => &[],
        }
    }

    /// Says that a member is not there because its `if` does not hold.
    pub fn is_absent<T>(&mut self, name: &Name, span: Span, because: Span) -> Res<T> {
        let message = format!("`{name}` is not there: the `if` that declares it does not hold");
        let d = Diagnostic::error(Code::H0229, span, message).label(because, "this decides");
        self.fail(d.help("read it under an `if` that asks the same, or declare it on the other side, too"))
    }
}
