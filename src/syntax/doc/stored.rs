//! What a net stores: the names under which its parameters stand in a file of weights.
//!
//! In: the text and the tree of a net. Out: one sentence with its parameters and their types, its states, and the nets that it has, whose
//! parameters stand below theirs. What an `if` among the members declares says under which condition it is there.

use crate::source::Span;
use crate::syntax::ast::{ArrayDecl, Else, Expr, ExprKind, FormalKind, NetDef, ParamKind, Stmt, StmtKind};

/// `Parameters: `w: [i, o]`, `bias: [o]`.`; none where the net stores nothing.
pub(super) fn stored(text: &str, net: &NetDef) -> Option<String> {
    let mut walk = Walk { text, parts: vec![] };
    for formal in net.formals.iter().filter(|f| f.kind == FormalKind::Net) {
        walk.parts.push(format!("`{0}.*` of the net `{0}`", formal.name.name));
    }
    walk.members(&net.members, "");
    (!walk.parts.is_empty()).then(|| format!("Parameters: {}.", walk.parts.join(", ")))
}

struct Walk<'t> {
    text: &'t str,
    parts: Vec<String>,
}

impl<'t> Walk<'t> {
    fn slice(&self, span: Span) -> &'t str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or_default()
    }

    /// The parts that statements declare; `when`: on which condition.
    fn members(&mut self, stmts: &[Stmt], when: &str) {
        for stmt in stmts {
            match &stmt.kind {
                StmtKind::Param(p) => {
                    let word = match p.kind {
                        ParamKind::Param => "",
                        ParamKind::State => "state ",
                        ParamKind::Load => "load ",
                    };
                    let over = p.over.as_ref().map_or(String::new(), |_| "[..]".to_string());
                    self.parts.push(format!("{word}`{}{over}: {}`{when}", p.name.name, self.slice(p.ty.span)));
                }
                StmtKind::Sub(s) if !s.form => {
                    let array = match &s.array {
                        ArrayDecl::One => String::new(),
                        ArrayDecl::Array(n) => format!("[{}]", self.slice(n.span)),
                        ArrayDecl::Family { index, count } => format!("[{} < {}]", index.name, self.slice(count.span)),
                        ArrayDecl::Leaves { .. } => "[..]".to_string(),
                    };
                    let net = self.slice(stmt.span).split_once('=').map_or("", |(_, net)| net.trim());
                    self.parts.push(format!("`{}{array}.*` of `{net}`{when}", s.name.name));
                }
                StmtKind::Expr(e) => self.choice(e, when),
                _ => {}
            }
        }
    }

    fn choice(&mut self, e: &Expr, when: &str) {
        let ExprKind::If { cond, then, otherwise } = &*e.kind else { return };
        let and = |more: String| if when.is_empty() { format!(" where {more}") } else { format!("{when} and {more}") };
        let cond = self.slice(cond.span);
        self.members(&then.stmts, &and(format!("`{cond}`")));
        let other = and(format!("not `{cond}`"));
        match otherwise {
            Some(Else::Block(b)) => self.members(&b.stmts, &other),
            Some(Else::If(e)) => self.choice(e, &other),
            None => {}
        }
    }
}
