//! Clauses of a block that say one thing twice: which of them counts, nobody could tell.

use crate::check::Checker;
use crate::diag::{Code, Diagnostic};
use crate::source::Span;
use crate::syntax::ast::{Clause, ClauseKind};

/// What a clause says that may be said once, each with its place. What several may say together is not among it.
fn said(clause: &Clause) -> Vec<(String, Span)> {
    let one = |what: &str| vec![(what.to_string(), clause.span)];
    match &clause.kind {
        ClauseKind::Steps(_) => one("`steps`"),
        ClauseKind::Seed(_) => one("`seed`"),
        ClauseKind::Clip { .. } => one("`clip`"),
        ClauseKind::Accumulate(_) => one("`accumulate`"),
        ClauseKind::Average(_) => one("`average`"),
        ClauseKind::Validate { .. } => one("`validate`"),
        ClauseKind::Alternate(_) => one("`alternate`"),
        ClauseKind::Feed { name, .. } => vec![(format!("`feed {}`", name.name), name.span)],
        ClauseKind::Batch(items) => items.iter().map(|i| (format!("`batch {}`", i.dim.name), i.dim.span)).collect(),
        ClauseKind::Report(names) => names.iter().map(|n| (format!("`report {}`", n.name), n.span)).collect(),
        ClauseKind::Data { columns, .. } => {
            columns.iter().map(|c| (format!("the column of `{}`", c.name.name), c.name.span)).collect()
        }
        ClauseKind::Minimize(_) | ClauseKind::Over { .. } | ClauseKind::With(_) => vec![],
        ClauseKind::Set(_) | ClauseKind::Every { .. } => vec![],
    }
}

impl Checker<'_> {
    /// Says what stands twice among these clauses. Those of an arm may say otherwise than those around it.
    pub(super) fn said_once(&mut self, clauses: &[Clause]) {
        let mut known: Vec<(String, Span)> = vec![];
        for (what, at) in clauses.iter().flat_map(said) {
            match known.iter().find(|k| k.0 == what) {
                Some((_, first)) => {
                    let d = Diagnostic::error(Code::H0729, at, format!("{what} stands twice in this block"));
                    self.report.say(d.label(*first, "the first").help("leave one of them away"));
                }
                None => known.push((what, at)),
            }
        }
        for clause in clauses {
            if let ClauseKind::Alternate(arms) = &clause.kind {
                arms.iter().for_each(|(_, clauses)| self.said_once(clauses));
            }
        }
    }
}
