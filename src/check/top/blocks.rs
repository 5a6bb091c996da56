//! Blocks beside a model: `eval` here, the names in those that do not run yet in `train`.

use crate::check::model::{DataFile, Eval, InputKind, Model, Rows};
use crate::check::report::Report;
use crate::check::value::{Label, Num, Tens, Value};
use crate::check::word::Meaning;
use crate::check::{Checker, Options, Res};
use crate::diag::{Code, Diagnostic, listed, suggest};
use crate::ir::verify::verify;
use crate::ir::{DType, Size};
use crate::syntax::ast::{self, ClauseKind, ItemKind};
use std::collections::{BTreeSet, HashMap};

impl<'a> Checker<'a> {
    /// `eval` and `train` blocks of this model, and `weights`.
    pub(super) fn model_blocks(&mut self, def: &'a ast::ModelDef) {
        let program = self.program;
        let root = self.root.clone();
        for n in root.blocks.get(&def.name.name).into_iter().flatten() {
            match &program.files[0].ast.items[*n].kind {
                ItemKind::Eval(e) => {
                    if let Ok(eval) = self.eval_block(e).and_then(|eval| self.lift_conditions(def, e, eval)) {
                        self.out.model.evals.push(eval);
                    }
                }
                ItemKind::Train(t) => {
                    let before = self.report.faults();
                    self.train_block(t);
                    if self.report.faults() == before
                        && let Ok(train) = self.phase(def, t)
                    {
                        self.out.model.trains.push(train);
                    }
                }
                _ => {}
            }
        }
        self.weights_blocks(def);
    }

    /// A condition that the data bind and nothing groups by varies over the batch: the model is checked once more with it lifted.
    fn lift_conditions(&mut self, def: &'a ast::ModelDef, e: &'a ast::EvalDef, mut eval: Eval) -> Res<Eval> {
        let Some((dim, _, _)) = eval.rows.batch.first() else { return Ok(eval) };
        let grouped = |name: &str| eval.rows.batch.iter().any(|(_, _, by)| by.as_deref() == Some(name));
        let bound = eval.rows.data.iter().flat_map(|d| &d.columns).map(|(name, _)| name);
        let lift: Vec<(String, String)> = bound
            .filter(|n| {
                !grouped(n) && self.out.model.inputs.iter().any(|i| i.condition && i.name == **n && i.kind == InputKind::Tensor)
            })
            .map(|n| (n.clone(), dim.to_string()))
            .collect();
        if lift.is_empty() {
            return Ok(eval);
        }
        let options = Options { lift, ..self.options.clone() };
        let mut checker = Checker::new(self.program, &options, Report::default());
        let mut again = None;
        let whole = checker.model(def, None, |c| again = c.eval_block(e).ok());
        // Other outputs may not make sense when lifted; what is reported must.
        let lifted = whole.or_else(|| {
            let mut model = std::mem::take(&mut checker.out.model);
            model.graph.outputs.retain(|o| eval.report.iter().any(|n| **n == *o.name));
            verify(&model.graph).is_ok().then_some(model)
        });
        let one = |m: &Model, n: &String| m.graph.output(n).is_some_and(|o| m.graph.node(o.node).rank() == 0);
        if let (Some(lifted), Some(again)) = (lifted, again)
            && eval.report.iter().all(|n| one(&lifted, n))
        {
            eval.rows = again.rows;
            eval.lifted = Some(Box::new(lifted));
            return Ok(eval);
        }
        match self.adopt_lifted(vary(&options.lift, e.clauses.iter()), checker.report) {
            Some(said) => Err(said),
            None => self.report.bug(eval.rows.span, "what is reported is no number where conditions vary"),
        }
    }

    /// Blocks about a model that is not there.
    pub(super) fn blocks_of_unknown_models(&mut self) {
        let program = self.program;
        let models: BTreeSet<&str> = program.files[0]
            .ast
            .items
            .iter()
            .filter_map(|i| match &i.kind {
                ItemKind::Model(m) => Some(&*m.name.name),
                _ => None,
            })
            .collect();
        for item in &program.files[0].ast.items {
            let name = match &item.kind {
                ItemKind::Eval(e) => &e.model,
                ItemKind::Train(t) => &t.model,
                ItemKind::Weights(ast::Weights::Model { model, .. }) => model,
                _ => continue,
            };
            if !models.contains(&*name.name) {
                let mut d = Diagnostic::error(Code::H0701, name.span, format!("no model is called `{}`", name.name));
                if let Some(near) = suggest(&name.name, models.iter().copied()) {
                    d = d.meant(&name.name, name.span, near);
                }
                self.report.say(d);
            }
        }
    }

    pub(super) fn known_input(&mut self, name: &ast::Ident) -> Res<()> {
        if self.out.input(&name.name).is_some() {
            return Ok(());
        }
        if self.report.is_full() {
            return self.error(Code::H0702, name.span, "");
        }
        // An input that could not be made was said where it stands.
        if let (Some(said), Meaning::Member(..)) = (self.report.said(), self.meaning(&name.name)) {
            return Err(said);
        }
        let known: Vec<String> = self.out.model.inputs.iter().map(|i| i.name.clone()).collect();
        let mut d = Diagnostic::error(Code::H0702, name.span, format!("the model has no input or condition `{}`", name.name));
        d = match suggest(&name.name, known.iter().map(String::as_str)) {
            Some(near) => d.meant(&name.name, name.span, near),
            None if known.is_empty() => d.help("it has none: `input x: [b, 4]` declares one"),
            None => d.help(format!("it has {}", listed(&known))),
        };
        self.fail(d)
    }

    fn eval_block(&mut self, e: &'a ast::EvalDef) -> Res<Eval> {
        let mut out = Eval {
            phase: e.phase.as_ref().map(|p| p.name.to_string()),
            rows: Rows { span: e.model.span, ..Rows::default() },
            report: vec![],
            lifted: None,
        };
        self.said_once(&e.clauses);
        let mut failed = Ok(());
        for clause in &e.clauses {
            failed = failed.and(self.eval_clause(clause, &mut out));
        }
        if out.report.is_empty() && failed.is_ok() {
            return self.fail(
                Diagnostic::error(Code::H0704, e.model.span, "this block reports nothing")
                    .help("`report accuracy, nll` names outputs and losses that are one number"),
            );
        }
        failed.map(|()| out)
    }

    fn eval_clause(&mut self, clause: &'a ast::Clause, out: &mut Eval) -> Res<()> {
        if let ClauseKind::Report(names) = &clause.kind {
            let ranks = self.ranks();
            for n in names {
                self.reported(n, ranks.get(&n.name).copied())?;
                out.report.push(n.name.to_string());
            }
            return Ok(());
        }
        self.rows_clause(&clause.kind, &mut out.rows)
    }

    /// `data`, `batch`, `feed`; another clause says nothing of rows.
    pub(super) fn rows_clause(&mut self, clause: &'a ClauseKind, out: &mut Rows) -> Res<()> {
        if let ClauseKind::Data { file, file_span, columns } = clause {
            let mut list = vec![];
            for c in columns {
                self.known_input(&c.name)?;
                let column = c.column.as_ref().unwrap_or(&c.name);
                list.push((c.name.name.to_string(), column.name.to_string()));
            }
            out.data.push(DataFile { file: file.clone(), columns: list, span: *file_span });
        }
        if let ClauseKind::Batch(items) = clause {
            for i in items {
                self.known_dim(&i.dim)?;
                let all = matches!(&*i.size.kind, ast::ExprKind::Name(w) if &**w == "all");
                let size = if all {
                    None
                } else {
                    match self.size_of_expr(&i.size)?.constant() {
                        Some(n) if n > 0 => Some(n as usize),
                        _ => return self.error(Code::H0705, i.size.span, "a batch has a positive number of rows, or `all`"),
                    }
                };
                if let Some(by) = &i.by {
                    self.known_input(by)?;
                    self.groups_rows(by)?;
                }
                out.batch.push((i.dim.name.clone(), size, i.by.as_ref().map(|b| b.name.to_string())));
            }
        }
        if let ClauseKind::Feed { name, binders, value } = clause {
            self.known_input(name)?;
            if self.options.training {
                let t = self.fed_value(name, binders.as_ref(), value)?;
                out.feeds.push((name.name.to_string(), t.node));
                return Ok(());
            }
            let v = match binders {
                Some(b) => self.bound_value(b, value)?,
                None => self.feed_value(name, value)?,
            };
            let t = match v {
                Value::Num(n) => self.fed_number(name, n),
                v => self.as_tens(v, value.span)?,
            };
            // One number, or truth value, goes everywhere.
            let (_, shape) = self.fed_shape(name)?;
            let t = if t.labels.is_empty() { self.laid_out(&t, &shape, value.span)? } else { t };
            out.feeds.push((name.name.to_string(), t.node));
        }
        Ok(())
    }

    /// The type and the axes of an input or a condition.
    fn fed_shape(&mut self, name: &ast::Ident) -> Res<(DType, Vec<(Label, Size)>)> {
        let own = self.word(&name.name, name.span)?;
        let own = self.as_tens(own, name.span)?;
        let sizes: Vec<Size> = self.build.at(&own).shape.iter().map(|a| a.size.clone()).collect();
        Ok((own.dtype, own.labels.iter().copied().zip(sizes).collect()))
    }

    /// What an input or condition gets in each step, laid out as it is.
    pub(super) fn fed_value(&mut self, name: &ast::Ident, binders: Option<&'a ast::Binders>, value: &'a ast::Expr) -> Res<Tens> {
        let (dtype, shape) = self.fed_shape(name)?;
        let v = match (is_draw(value), binders) {
            (true, _) => self.fed_draw(name, value, Some(shape.clone()))?,
            (false, Some(b)) => self.bound_to(b, &shape, value)?,
            (false, None) => self.expr(value)?,
        };
        let t = match v {
            Value::Num(n) => self.fed_number(name, n),
            v => self.as_tens(v, value.span)?,
        };
        let t = if dtype == DType::F32 { self.to_f32(&t) } else { t };
        if t.dtype != dtype {
            let message = format!("`{}` is {}, and this is {}", name.name, dtype.word(), self.show(&t));
            return self.error(Code::H0346, value.span, message);
        }
        self.laid_out(&t, &shape, value.span)
    }

    fn fed_number(&mut self, name: &ast::Ident, n: Num) -> Tens {
        let whole = self.out.model.inputs.iter().any(|i| *i.name == *name.name && i.dtype == DType::I32);
        if whole { self.num_tens(&n) } else { self.num_f32(&n) }
    }

    /// Says where rows are grouped by what are no whole numbers.
    fn groups_rows(&mut self, by: &ast::Ident) -> Res<()> {
        let Some(input) = self.out.model.inputs.iter().find(|i| *i.name == *by.name).filter(|i| i.dtype != DType::I32) else {
            return Ok(());
        };
        let (word, at) = (input.dtype.word(), input.span);
        let d =
            Diagnostic::error(Code::H0614, by.span, format!("rows are grouped by whole numbers, and `{}` is {word}", by.name));
        self.fail(d.label(at, "declared here").help("declare it `i32`; or leave `by` out: each row has a value of its own then"))
    }

    /// A value without binders: a draw has the input's shape.
    fn feed_value(&mut self, name: &ast::Ident, value: &'a ast::Expr) -> Res<Value<'a>> {
        if is_draw(value) {
            return self.fed_draw(name, value, None);
        }
        self.expr(value)
    }

    /// Ranks of outputs and losses by name; the first of an equal name is the one that is meant.
    pub(super) fn ranks(&self) -> HashMap<ast::Name, usize> {
        let graph = self.build.graph(0);
        graph.outputs.iter().rev().map(|o| (o.name.clone(), graph.node(o.node).rank())).collect()
    }

    /// One number that `report` may name.
    pub(super) fn reported(&mut self, name: &ast::Ident, rank: Option<usize>) -> Res<()> {
        let graph = self.build.graph(0);
        match rank {
            Some(0) => Ok(()),
            Some(_) => self.fail(
                Diagnostic::error(Code::H0707, name.span, format!("`{}` is not one number", name.name))
                    .help("report a mean of it: `output m: f32 = mean[b] ..`"),
            ),
            None => {
                // What the model declares and could not make was said where it stands.
                if let (Some(said), Meaning::Member(..)) = (self.report.said(), self.meaning(&name.name)) {
                    return Err(said);
                }
                let known: Vec<String> = graph.outputs.iter().map(|o| o.name.to_string()).collect();
                let mut d = Diagnostic::error(Code::H0708, name.span, format!("the model has no output or loss `{}`", name.name));
                d = match suggest(&name.name, known.iter().map(String::as_str)) {
                    Some(near) => d.meant(&name.name, name.span, near),
                    None if known.is_empty() => d.help("it has none: `output y: f32 = ..` declares one"),
                    None => d.help(format!("it has {}", listed(&known))),
                };
                self.fail(d)
            }
        }
    }
}

/// Whether an expression is a call of a distribution.
fn is_draw(value: &ast::Expr) -> bool {
    let ast::ExprKind::Call { callee, .. } = &*value.kind else { return false };
    matches!(&*callee.kind, ast::ExprKind::Name(w) if crate::check::builtin::distribution(w).is_some())
}

/// What a mistake in a block says besides, where it comes of conditions that vary: the model alone may be right.
pub(super) fn vary<'c>(lift: &[(String, String)], clauses: impl Iterator<Item = &'c ast::Clause> + Clone) -> Vec<String> {
    let bound = |name: &str| {
        let binds = |c: &ast::Clause| matches!(&c.kind, ClauseKind::Data { columns, .. } if columns.iter().any(|c| *c.name.name == *name));
        clauses.clone().any(binds)
    };
    let one = |(name, dim): &(String, String)| match bound(name) {
        true => format!(
            "the data bind `{name}`, which has a value for each `{dim}` here; `batch {dim} = all by {name}` has one for a batch"
        ),
        false => format!("`{name}` has a value for each `{dim}` here"),
    };
    lift.iter().map(one).collect()
}

/// Help for a word that is not among those that there are.
pub(in crate::check) trait Near {
    /// The near one, or all, or `else_help`.
    fn near(self, wrong: &ast::Ident, known: &[&str], else_help: &str) -> Self;
}

impl Near for Diagnostic {
    fn near(self, wrong: &ast::Ident, known: &[&str], else_help: &str) -> Self {
        match suggest(&wrong.name, known.iter().copied()) {
            Some(near) => self.meant(&wrong.name, wrong.span, near),
            None if known.is_empty() && else_help.is_empty() => self,
            None if known.is_empty() => self.help(else_help),
            None if known.len() == 1 => self.help(format!("there is {}", known[0])),
            None => self.help(format!("there are {}", known.join(", "))),
        }
    }
}
