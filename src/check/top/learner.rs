//! Who learns from a loss, by which rule; and the numbers of a `train` block.

use super::chosen::Chosen;
use super::learn::Pair;
use crate::check::model::{Group, Learner, Method, Optimizer};
use crate::check::value::Value;
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::{DType, NodeId};
use crate::source::Span;
use crate::syntax::ast::Expr;

impl<'a> Checker<'a> {
    /// Who learns from a loss, by which rule.
    pub(super) fn groups(&mut self, loss: NodeId, at: Span, mut pairs: Vec<Pair<'a>>) -> Res<Vec<Group>> {
        if pairs.is_empty() {
            pairs.push(Pair::default());
        }
        let mut left = self.learned().take(&self.read(loss));
        let mut out = vec![];
        // Those that say whom they mean come first: without a word it is all the others.
        let (named, rest): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|p| p.over.is_some());
        for pair in named.into_iter().chain(rest) {
            let optimizer = match pair.with {
                Some(e) => self.optimizer(e)?,
                None => self.usual_optimizer(at),
            };
            let mine = match pair.over {
                Some(clause) => {
                    let chosen = self.named(clause)?;
                    left.take(&chosen)
                }
                None => std::mem::take(&mut left),
            };
            let learners = self.learners(mine);
            self.suits(&optimizer, &learners)?;
            if !learners.is_empty() {
                out.push(Group { learners, optimizer });
            } else if let Some(clause) = pair.over {
                let d = Diagnostic::error(Code::H0722, clause.span, "nothing that is named here learns from this loss")
                    .label(at, "the loss")
                    .help("frozen parameters, those that the loss is not computed from, and those that a line before took learn nothing");
                return self.fail(d);
            }
        }
        if out.is_empty() {
            let d =
                Diagnostic::error(Code::H0722, at, "nothing learns from this: it is computed from no parameter that may change");
            return self.fail(d.help("frozen and loaded parameters do not learn, and nothing flows through `stop_gradient`"));
        }
        Ok(out)
    }

    /// The parameters that learn, in the model's order.
    fn learners(&self, mine: Chosen) -> Vec<Learner> {
        let params = self.out.model.params.iter().enumerate();
        params.filter_map(|(param, p)| Some(Learner { param, nets: mine.nets(&p.path)? })).collect()
    }

    fn usual_optimizer(&mut self, span: Span) -> Optimizer {
        let row = super::optimizer::OPTIMIZERS.iter().find(|r| r.word == "adam").expect("the table has it");
        let rate = self.constant(row.rate, DType::F32).node;
        Optimizer { method: row.method, rate, settings: row.settings.to_vec(), span }
    }

    /// Whether an optimizer can change these parameters.
    fn suits(&mut self, optimizer: &Optimizer, learners: &[Learner]) -> Res<()> {
        if optimizer.method != Method::Muon {
            return Ok(());
        }
        let flat = learners.iter().map(|l| &self.out.model.params[l.param]).find(|p| p.shape.len() - p.arrays() != 2);
        let Some(p) = flat else { return Ok(()) };
        let d = Diagnostic::error(Code::H0724, optimizer.span, format!("muon is for matrices, and `{}` is none", p.path))
            .label(p.span, "declared here")
            .help("give the others a rule of their own: `over net.w with muon(lr: 1e-3)`, then `over net.b with adam(lr: 1e-3)`");
        self.fail(d)
    }

    /// A number of a clause that is known here and at least `least`.
    pub(super) fn count_of(&mut self, e: &'a Expr, what: &str, least: i64) -> Res<u64> {
        match self.size_of_expr(e)?.constant() {
            Some(n) if n >= least => Ok(n as u64),
            _ => {
                let d = Diagnostic::error(
                    Code::H0726,
                    e.span,
                    format!("{what} is a whole number that is known here, {least} or more"),
                );
                self.fail(d)
            }
        }
    }

    pub(super) fn seed_of(&mut self, e: &'a Expr) -> Res<i32> {
        match self.size_of_expr(e)?.constant().and_then(|n| i32::try_from(n).ok()) {
            Some(n) => Ok(n),
            None => self.error(Code::H0726, e.span, "a seed is a whole number of 32 bits"),
        }
    }

    pub(super) fn positive(&mut self, e: &'a Expr, what: &str) -> Res<f64> {
        let known = match self.expr(e)? {
            Value::Num(n) => n.known(),
            _ => None,
        };
        match known.filter(|v| *v > 0.0 && v.is_finite()) {
            Some(v) => Ok(v),
            None => self.error(Code::H0726, e.span, format!("{what} is a number above 0 that is known here")),
        }
    }

    /// A number above 0 and below 1.
    pub(super) fn share(&mut self, e: &'a Expr, what: &str) -> Res<f64> {
        let v = self.positive(e, what)?;
        if v < 1.0 {
            return Ok(v);
        }
        self.error(Code::H0726, e.span, format!("{what} is below 1: what stays of the mean in each step"))
    }

    /// An expression that is one real number.
    pub(super) fn one_number(&mut self, e: &'a Expr, what: &str) -> Res<NodeId> {
        let v = self.expr(e)?;
        self.number_of(v, e.span, what)
    }

    /// A learning rate; not one that is known to be negative.
    pub(super) fn rate(&mut self, e: &'a Expr) -> Res<NodeId> {
        let v = self.expr(e)?;
        if let Value::Num(n) = &v
            && n.known().is_some_and(|n| n < 0.0)
        {
            let d = Diagnostic::error(Code::H0723, e.span, "a learning rate is not negative");
            return self.fail(d.help("what is to be large is minimized with its sign turned: `minimize -score`"));
        }
        self.number_of(v, e.span, "a learning rate")
    }

    fn number_of(&mut self, v: Value<'a>, span: Span, what: &str) -> Res<NodeId> {
        let t = match v {
            Value::Num(n) => self.num_f32(&n),
            v => self.as_tens(v, span)?,
        };
        let t = self.to_f32(&t);
        if t.labels.is_empty() && t.level == 0 {
            return Ok(t.node);
        }
        let message = format!("{what} is one number, and this is {}", self.show(&t));
        self.fail(Diagnostic::error(Code::H0721, span, message).help("take a mean or a sum of it: `mean[b] ..`"))
    }

    pub(super) fn one_truth(&mut self, e: &'a Expr) -> Res<NodeId> {
        let v = self.expr(e)?;
        let t = self.as_tens(v, e.span)?;
        if t.dtype == DType::Bool && t.labels.is_empty() && t.level == 0 {
            return Ok(t.node);
        }
        let message = format!("`when` wants one truth value, and this is {}", self.show(&t));
        self.error(Code::H0721, e.span, message)
    }
}
