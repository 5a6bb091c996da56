//! `for`: written out where its length is known and small, a loop of the graph else.
//!
//! Writing out is cheap here, and all that a round's number decides is decided: sizes, nets, sides of an `if`, keys of draws. What would be dear
//! behind the checker is made a loop again where rounds are alike (`opt/roll`); that changes no meaning, so it need not be decided here.

use crate::diag::Code;
mod data;

use super::scope::Binding;
use super::value::{NameId, Tens, Value};
use super::{Checker, Res};
use crate::ir::Size;
use crate::source::Span;
use crate::syntax::ast::{self, Block, Else, ForExpr, Name};

/// Rounds up to which a loop of known length is written out.
const UNROLL: i64 = 512;

impl<'a> Checker<'a> {
    /// `for`: written out where its length is known and small, a loop of the graph else. `named`: the axis that its yields get.
    pub fn for_expr(&mut self, f: &'a ForExpr, named: Option<NameId>, span: Span) -> Res<Value<'a>> {
        let from = self.expr(&f.from)?;
        let from = self.whole(from, f.from.span)?;
        let to = self.expr(&f.to)?;
        if let Some(most) = &f.at_most {
            let trips = self.size_of_expr(most)?;
            let end = self.index_tens(to, f.to.span)?;
            return self.data_loop(f, from, trips, Some(end), named, span);
        }
        let to = self.whole(to, f.to.span)?;
        let trips = to.sub(&from);
        if trips.constant().is_some_and(|n| n < 0) {
            return self.error(
                Code::H0512,
                f.from.span.to(f.to.span),
                format!("this runs from {from} to {to}: backwards; say `rev {to}..{from}`"),
            );
        }
        match (from.constant(), trips.constant()) {
            // Without a round nobody would know what it yields.
            (Some(a), Some(n)) if n <= UNROLL && f.until.is_none() && !(n == 0 && yields(&f.body)) => {
                self.unrolled(f, a, n, named, span)
            }
            _ => self.data_loop(f, from, trips, None, named, span),
        }
    }

    fn round_binding(&mut self, f: &ForExpr, value: Value<'a>) -> Binding<'a> {
        match self.axis_word(&f.var.name) {
            Some(n) => Binding::Round(value, n),
            None => Binding::Value(value),
        }
    }

    fn unrolled(&mut self, f: &'a ForExpr, from: i64, n: i64, named: Option<NameId>, span: Span) -> Res<Value<'a>> {
        if matches!(self.scopes.local(&f.var.name), Some(Binding::Index(i)) if named != Some(*i)) {
            return self.error(Code::H0203, f.var.span, format!("`{}` is already an index here", f.var.name));
        }
        let mut collected = vec![];
        for round in 0..n {
            self.nested(span, |_| Ok(()))?;
            let k = from + if f.rev { n - 1 - round } else { round };
            let binding = self.round_binding(f, Value::from(Size::from(k)));
            let (result, list) = self.collecting((f.var.name.clone(), binding), |c| c.block(&f.body));
            // One round's errors are every round's errors.
            result?;
            collected.push((k, list));
        }
        collected.sort_by_key(|(k, _)| *k);
        let all: Vec<Value<'a>> = collected.into_iter().flat_map(|(_, l)| l).collect();
        if all.is_empty() {
            return Ok(Value::Unit);
        }
        self.stack_values(all, named, span)
    }

    /// Yields, one below the other.
    pub fn stack_values(&mut self, all: Vec<Value<'a>>, named: Option<NameId>, span: Span) -> Res<Value<'a>> {
        if let Value::Record(first) = &all[0] {
            let words: Vec<Name> = first.iter().map(|(n, _)| n.clone()).collect();
            let mut columns: Vec<Vec<Value<'a>>> = vec![vec![]; words.len()];
            for v in &all {
                let Some(row) = fields_in_order(v, &words) else {
                    let message = format!("the first round yields {}, and another one does not", words.join(", "));
                    return self.error(Code::H0508, span, message);
                };
                columns.iter_mut().zip(row).for_each(|(column, v)| column.push(v));
            }
            let mut out = Vec::new();
            for (w, column) in words.into_iter().zip(columns) {
                out.push((w, self.stack_values(column, named, span)?));
            }
            return Ok(Value::Record(out.into()));
        }
        let mut parts = vec![];
        for v in all {
            parts.push((self.as_tens(v, span)?, span));
        }
        let t = self.stack(parts, span)?;
        self.name_rounds(t, named, span).map(Value::Tensor)
    }

    /// The leading size of stacked yields becomes the axis that the left side names.
    fn name_rounds(&mut self, t: Tens, named: Option<NameId>, span: Span) -> Res<Tens> {
        let Some(n) = named else { return Ok(t) };
        let dim = t.sized()[0];
        let (a, b) = (self.extent(&t, dim), self.axes.size_of(n));
        if !self.axes.same(&a, &b) {
            return self.range_error(n, &a, span, "rounds");
        }
        Ok(self.dim_to_name(&t, dim, n))
    }
}

/// Whether a loop's body yields.
fn yields(block: &Block) -> bool {
    block.stmts.iter().any(|s| match &s.kind {
        ast::StmtKind::Yield(_) => true,
        ast::StmtKind::Expr(e) => match &*e.kind {
            ast::ExprKind::If { then, otherwise, .. } => yields(then) || matches!(otherwise, Some(Else::Block(b)) if yields(b)),
            _ => false,
        },
        _ => false,
    })
}

/// The fields of a record that has these and no others.
fn fields_in_order<'a>(v: &Value<'a>, words: &[Name]) -> Option<Vec<Value<'a>>> {
    let Value::Record(fields) = v else { return None };
    let field = |w: &Name| fields.iter().find(|(n, _)| n == w).map(|(_, v)| v.clone());
    if fields.len() == words.len() { words.iter().map(field).collect() } else { None }
}
