//! Who learns from a loss, by which rule; and the numbers of a `train` block.

use super::learn::Pair;
use crate::check::model::{Group, Method, Optimizer};
use crate::check::value::Value;
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::{DType, NodeId, Op, Origin};
use crate::source::Span;
use crate::syntax::ast::{Clause, ClauseKind, Expr, Name, Path};
use std::collections::BTreeSet;

impl<'a> Checker<'a> {
    /// Who learns from a loss, by which rule.
    pub(super) fn groups(&mut self, loss: NodeId, at: Span, mut pairs: Vec<Pair<'a>>) -> Res<Vec<Group>> {
        if pairs.is_empty() {
            pairs.push(Pair::default());
        }
        let reach = self.build.graph(0).reachable([loss]);
        let read: BTreeSet<Name> = self
            .build
            .graph(0)
            .ids()
            .filter(|id| reach[id.index()])
            .filter_map(|id| match &self.build.graph(0).node(id).op {
                Op::Source { path, origin: Origin::Param } => Some(path.clone()),
                _ => None,
            })
            .collect();
        let mut taken: BTreeSet<usize> = BTreeSet::new();
        let mut out = vec![];
        // Those that say whom they mean come first: without a word it is all the others.
        let (named, rest): (Vec<_>, Vec<_>) = pairs.into_iter().partition(|p| p.over.is_some());
        for pair in named.into_iter().chain(rest) {
            let optimizer = match pair.with {
                Some(e) => self.optimizer(e)?,
                None => self.usual_optimizer(at),
            };
            let chosen = self.named_paths(pair.over)?;
            let params = &self.out.model.params;
            let learned = |k: &usize| {
                let p = &params[*k];
                p.origin == Origin::Param && !p.frozen && p.dtype == DType::F32 && read.contains(&*p.path)
            };
            let mine: Vec<usize> = (0..params.len())
                .filter(|k| chosen.as_ref().is_none_or(|c| c.contains(&params[*k].path)))
                .filter(|k| learned(k) && !taken.contains(k))
                .collect();
            taken.extend(&mine);
            self.suits(&optimizer, &mine)?;
            if !mine.is_empty() {
                out.push(Group { params: mine, optimizer });
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

    /// Paths that `over` names; none: all.
    fn named_paths(&mut self, over: Option<&'a Clause>) -> Res<Option<BTreeSet<String>>> {
        let Some(ClauseKind::Over { all, paths, except }) = over.map(|c| &c.kind) else { return Ok(None) };
        let mut out: BTreeSet<String> = match all {
            true => self.out.model.params.iter().map(|p| p.path.clone()).collect(),
            false => self.paths_of(paths)?,
        };
        for path in self.paths_of(except)? {
            out.remove(&path);
        }
        Ok(Some(out))
    }

    /// The stored paths that these name.
    fn paths_of(&mut self, paths: &'a [Path]) -> Res<BTreeSet<String>> {
        let mut out = BTreeSet::new();
        for path in paths {
            let (params, part) = self.find_path(path)?.params();
            if part {
                let d = Diagnostic::limit(Code::H0816, path.span, "single nets of an array do not learn apart from the others");
                return self.fail(d.help("name the array, `expert.*`; or make them nets of their own"));
            }
            out.extend(params.into_iter().map(|p| self.nets[p].path.clone()));
        }
        Ok(out)
    }

    fn usual_optimizer(&mut self, span: Span) -> Optimizer {
        let row = super::optimizer::OPTIMIZERS.iter().find(|r| r.word == "adam").expect("the table has it");
        let rate = self.constant(row.rate, DType::F32).node;
        Optimizer { method: row.method, rate, settings: row.settings.to_vec(), span }
    }

    /// Whether an optimizer can change these parameters.
    fn suits(&mut self, optimizer: &Optimizer, params: &[usize]) -> Res<()> {
        if optimizer.method != Method::Muon {
            return Ok(());
        }
        let flat = params.iter().map(|k| &self.out.model.params[*k]).find(|p| p.shape.len() - p.path.matches('*').count() != 2);
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

    /// An expression that is one real number.
    pub(super) fn one_number(&mut self, e: &'a Expr, what: &str) -> Res<NodeId> {
        let t = match self.expr(e)? {
            Value::Num(n) => self.num_f32(&n),
            v => self.as_tens(v, e.span)?,
        };
        let t = self.to_f32(&t);
        if t.labels.is_empty() && t.level == 0 {
            return Ok(t.node);
        }
        let message = format!("{what} is one number, and this is {}", self.show(&t));
        self.fail(Diagnostic::error(Code::H0721, e.span, message).help("take a mean or a sum of it: `mean[b] ..`"))
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
