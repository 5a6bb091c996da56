//! `train` blocks: what they ask for, as nodes of a model's graph.
//!
//! In: a block whose words are known. Out: a [`Train`]. For each of its arms the model is checked once more, with `training` true and the
//! conditions lifted that its data bind row by row; what the clauses say is made in that model's graph. *Not looked at:* files, and
//! how a step is computed.

use super::blocks::vary;
use crate::check::kind::kind_of;
use crate::check::model::{Arm, Average, Clip, Every, InputKind, Objective, Rows, Set, Train, Watch};
use crate::check::report::{Report, Said};
use crate::check::scope::Binding;
use crate::check::value::{FnVal, Label, Tens, Value};
use crate::check::{Checker, Options, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::{DType, Node, Op, Origin, Size};
use crate::source::Span;
use crate::syntax::ast::{self, Clause, ClauseKind, Expr, ItemKind, Name};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What one arm asks for: how many steps in a turn, and the clauses that hold in it.
struct Part<'a> {
    turns: u64,
    clauses: Vec<&'a Clause>,
}

/// An arm without its model; what is set stands in the first.
#[derive(Default)]
struct Asked {
    rows: Rows,
    objectives: Vec<Objective>,
    clip: Option<Clip>,
    accumulate: u64,
    average: Option<f64>,
    sets: Vec<Set>,
    every: Vec<Every>,
}

/// An `over` and a `with` that belong together.
#[derive(Default)]
pub(super) struct Pair<'a> {
    pub over: Option<&'a Clause>,
    pub with: Option<&'a Expr>,
}

impl<'a> Checker<'a> {
    /// The block of the model under way, all of whose words are known.
    pub(super) fn phase(&mut self, def: &'a ast::ModelDef, t: &'a ast::TrainDef) -> Res<Train> {
        let (mut steps, mut seed, mut watch) = (None, 0, None);
        for clause in &t.clauses {
            match &clause.kind {
                ClauseKind::Steps(e) => steps = Some(self.count_of(e, "the number of steps", 0)?),
                ClauseKind::Seed(e) => seed = self.seed_of(e)?,
                ClauseKind::Validate { block, interval, patience } => {
                    let interval = self.count_of(interval, "an interval", 1)?;
                    let patience = match patience {
                        Some(e) => Some(self.count_of(e, "patience", 1)?),
                        None => None,
                    };
                    watch = Some(Watch { block: block.name.to_string(), interval, patience });
                }
                _ => {}
            }
        }
        let Some(steps) = steps else {
            let d = Diagnostic::error(Code::H0725, t.model.span, "this block does not say how many steps it takes");
            return self.fail(d.help("`steps 1000`"));
        };
        let each = match &t.each {
            None => None,
            Some((word, from, to)) => {
                let (from, to) = (self.size_of_expr(from)?, self.size_of_expr(to)?);
                match (from.constant(), to.constant()) {
                    (Some(from), Some(to)) => Some((word.name.to_string(), from, to)),
                    _ => return self.unknown(word.span, "the range of the rounds"),
                }
            }
        };
        let parts = self.arms_of(t)?;
        let mut out = Train {
            phase: t.phase.as_ref().map(|p| p.name.to_string()),
            after: t.after.as_ref().map(|p| p.name.to_string()),
            each,
            arms: vec![],
            sets: vec![],
            every: vec![],
            watch,
            steps,
            seed,
            span: t.model.span,
        };
        for (k, part) in parts.iter().enumerate() {
            let (asked, model) = self.arm(def, t, part, steps, k == 0)?;
            out.sets.extend(asked.sets);
            out.every.extend(asked.every);
            out.arms.push(Arm {
                turns: part.turns,
                model: Arc::new(model),
                rows: asked.rows,
                objectives: asked.objectives,
                clip: asked.clip,
                accumulate: asked.accumulate.max(1),
                average: asked.average.map(|factor| Average { factor, of: vec![] }),
            });
        }
        all_averaged(&mut out.arms);
        Ok(out)
    }

    /// The arms of a block: what stands around `alternate` holds in all of them.
    fn arms_of(&mut self, t: &'a ast::TrainDef) -> Res<Vec<Part<'a>>> {
        let common = || t.clauses.iter().filter(|c| !matches!(c.kind, ClauseKind::Alternate(_)));
        let mut out = vec![];
        for clause in &t.clauses {
            let ClauseKind::Alternate(list) = &clause.kind else { continue };
            for (turns, clauses) in list {
                let turns = self.count_of(turns, "the steps of a turn", 1)?;
                out.push(Part { turns, clauses: common().chain(clauses).collect() });
            }
        }
        if out.is_empty() {
            out.push(Part { turns: 1, clauses: common().collect() });
        }
        Ok(out)
    }

    /// Checks the model for one arm, and makes what the arm asks for in it.
    fn arm(
        &mut self,
        def: &'a ast::ModelDef,
        t: &'a ast::TrainDef,
        part: &Part<'a>,
        steps: u64,
        first: bool,
    ) -> Res<(Asked, crate::check::model::Model)> {
        let lift = self.lifted_in(t, &part.clauses);
        let options = Options { lift, training: true, ..self.options.clone() };
        let mut checker = Checker::new(self.program, &options, Report::default());
        let mut asked = None;
        let model = checker.model(def, None, |c| {
            let made = c.in_training(steps, |c| c.asked(part, first));
            c.prove(0);
            asked = made.ok();
        });
        match (model, asked) {
            (Some(model), Some(asked)) => Ok((asked, model)),
            _ => match self.adopt_lifted(vary(&options.lift, part.clauses.iter().copied()), checker.report) {
                Some(said) => Err(said),
                None => self.report.bug(t.model.span, "a train block came to nothing, and nobody said why"),
            },
        }
    }

    /// Takes over what was said of the model with its conditions lifted.
    pub(super) fn adopt_lifted(&mut self, notes: Vec<String>, report: Report) -> Option<Said> {
        self.report.in_the_light_of(notes);
        let said = self.report.adopt(report);
        self.report.in_the_light_of(vec![]);
        said
    }

    /// Conditions that vary in a batch, and the dims over which: those that the data bind row by row, and those that are fed for dims of
    /// their own.
    fn lifted_in(&self, t: &ast::TrainDef, clauses: &[&Clause]) -> Vec<(String, String)> {
        let condition =
            |name: &str| self.out.model.inputs.iter().any(|i| i.condition && i.name == name && i.kind == InputKind::Tensor);
        let mut fixed: Vec<&Name> = t.each.iter().map(|(word, _, _)| &word.name).collect();
        let mut dim = None;
        for c in clauses {
            if let ClauseKind::Batch(items) = &c.kind {
                dim = dim.or(items.first().map(|i| i.dim.name.to_string()));
                fixed.extend(items.iter().filter_map(|i| i.by.as_ref()).map(|by| &by.name));
            }
        }
        let mut out = vec![];
        for c in clauses {
            match (&c.kind, &dim) {
                (ClauseKind::Data { columns, .. }, Some(dim)) => {
                    let bound = columns.iter().map(|c| &c.name.name).filter(|n| condition(n) && !fixed.contains(n));
                    out.extend(bound.map(|n| (n.to_string(), dim.clone())));
                }
                (ClauseKind::Feed { name, binders: Some(b), .. }, _) if condition(&name.name) => {
                    let known =
                        self.out.input(&name.name).map_or(vec![], |i| i.shape.iter().filter_map(|s| s.0.clone()).collect());
                    let known: Vec<Name> = known;
                    let own = b.items.iter().filter_map(|s| match s {
                        ast::Binder::Bound(b) if !known.contains(&b.name.name) => Some(&b.name.name),
                        _ => None,
                    });
                    let dims = own.filter(|n| self.axis_word(n).is_some());
                    out.extend(dims.map(|d| (name.name.to_string(), d.to_string())));
                }
                _ => {}
            }
        }
        out
    }

    /// What the words of a train block mean, while `work` is done.
    fn in_training<T>(&mut self, steps: u64, work: impl FnOnce(&mut Self) -> T) -> T {
        let program = self.program;
        self.in_scope(|c| {
            for (file, item) in program.schedules.iter().flat_map(|f| program.files[*f].ast.items.iter().map(move |i| (*f, i))) {
                if let ItemKind::Fn(def) = &item.kind {
                    c.scopes.name(&def.name.name, Binding::Value(Value::Fn(FnVal { file, def })));
                }
            }
            let step = Node::new(Op::Source { origin: Origin::Input, path: "step".into() }, DType::I32, vec![]);
            let step = c.emit(step, vec![], vec![]);
            c.scopes.name(&"step".into(), Binding::Value(Value::Tensor(step)));
            c.scopes.name(&"steps".into(), Binding::Value(Size::from(steps as i64).into()));
            if let Some(load) = c.max_load() {
                c.scopes.name(&"max_load".into(), Binding::Value(Value::Tensor(load)));
            }
            work(c)
        })
    }

    /// Makes what the clauses of an arm ask for.
    fn asked(&mut self, part: &Part<'a>, first: bool) -> Res<Asked> {
        let mut out = Asked::default();
        let mut losses: Vec<(&'a Expr, Vec<Pair<'a>>)> = vec![];
        let mut before: Vec<Pair<'a>> = vec![];
        for clause in &part.clauses {
            self.scopes.frame_mut().span = clause.span;
            let pairs = losses.last_mut().map_or(&mut before, |l| &mut l.1);
            match &clause.kind {
                ClauseKind::Data { .. } | ClauseKind::Batch(_) | ClauseKind::Feed { .. } => {
                    self.rows_clause(&clause.kind, &mut out.rows)?;
                }
                ClauseKind::Minimize(e) => losses.push((e, std::mem::take(&mut before))),
                ClauseKind::Over { .. } => match pairs.last_mut().filter(|p| p.over.is_none() && p.with.is_none()) {
                    Some(pair) => pair.over = Some(clause),
                    None => pairs.push(Pair { over: Some(clause), with: None }),
                },
                ClauseKind::With(e) => match pairs.last_mut().filter(|p| p.with.is_none()) {
                    Some(pair) => pair.with = Some(e),
                    None => pairs.push(Pair { over: None, with: Some(e) }),
                },
                ClauseKind::Set(items) if first => out.sets.extend(self.sets(items)?),
                ClauseKind::Every { interval, when, sets } if first => {
                    let interval = self.count_of(interval, "an interval", 1)?;
                    let when = match when {
                        Some(e) => Some(self.one_truth(e)?),
                        None => None,
                    };
                    out.every.push(Every { interval, when, sets: self.sets(sets)? });
                }
                ClauseKind::Clip { each, limit } => {
                    let limit = self.positive(limit, "a limit")?;
                    out.clip = Some(if *each { Clip::Value(limit) } else { Clip::Norm(limit) });
                }
                ClauseKind::Accumulate(e) => out.accumulate = self.count_of(e, "the number of batches", 1)?,
                ClauseKind::Average(e) => out.average = Some(self.share(e, "the factor of an average")?),
                ClauseKind::Set(_) | ClauseKind::Every { .. } | ClauseKind::Alternate(_) | ClauseKind::Report(_) => {}
                ClauseKind::Steps(_) | ClauseKind::Seed(_) | ClauseKind::Validate { .. } => {}
            }
        }
        if losses.is_empty() {
            let place = out.rows.data.first().map_or(self.scopes.place(), |d| d.span);
            let d = Diagnostic::error(Code::H0725, place, "this block does not say what is made small");
            return self.fail(d.help("`minimize nll` names a loss, or a sum of losses"));
        }
        out.rows.span = losses[0].0.span;
        self.feeds_in_order(&out.rows)?;
        for (loss, pairs) in losses {
            let node = self.one_number(loss, "what is made small")?;
            let groups = self.groups(node, loss.span, pairs)?;
            out.objectives.push(Objective { loss: node, groups, span: loss.span });
        }
        Ok(out)
    }

    /// Says where what is fed is computed from what it feeds.
    fn feeds_in_order(&mut self, rows: &Rows) -> Res<()> {
        let graph = self.build.graph(0);
        let mut needs: Vec<BTreeSet<usize>> = vec![];
        for (_, node) in &rows.feeds {
            let reach = graph.reachable([*node]);
            let read = graph.ids().filter(|id| reach[id.index()]).filter_map(|id| match &graph.node(id).op {
                Op::Source { path, .. } => rows.feeds.iter().position(|(name, _)| **name == **path),
                _ => None,
            });
            needs.push(read.collect());
        }
        // Feeds that need nothing that is left are taken away until nothing changes: what stays is a circle.
        let mut left: BTreeSet<usize> = (0..needs.len()).collect();
        while let Some(k) = left.iter().copied().find(|k| needs[*k].is_disjoint(&left)) {
            left.remove(&k);
        }
        let Some(k) = left.first() else { return Ok(()) };
        let (name, node) = &rows.feeds[*k];
        let at = graph.node(*node).span;
        let d = Diagnostic::error(Code::H0727, at, format!("what is fed to `{name}` is computed from `{name}`"));
        self.fail(d.help("`feed` may read parameters, draws, and inputs that are not computed from this one"))
    }

    /// `set place = value, ..`
    fn sets(&mut self, items: &'a [ast::SetItem]) -> Res<Vec<Set>> {
        let mut out = vec![];
        for s in items {
            if self.out.input(&s.place.root.name).is_some() && s.place.parts.is_empty() {
                let t = self.fed_value(&s.place.root, None, &s.value)?;
                out.push(Set { path: s.place.root.name.to_string(), node: t.node, span: s.place.span });
                continue;
            }
            for (p, t) in self.placed_values(&s.place, &s.value)? {
                let shape = self.param_shape(p)?;
                let ty = &self.nets[p].decl.ty;
                let t = self.scalar_kind(t, kind_of(ty), s.value.span, ty.span)?;
                let t = self.laid_out(&t, &shape, s.value.span)?;
                out.push(Set { path: self.nets[p].path.clone(), node: t.node, span: s.place.span });
            }
        }
        Ok(out)
    }

    /// A value whose dimensions are those of a source, in its order; what it does not vary over is repeated.
    pub(in crate::check) fn laid_out(&mut self, t: &Tens, shape: &[(Label, Size)], at: Span) -> Res<Tens> {
        let mut sized = t.sized().into_iter();
        let order: Vec<Option<usize>> = shape
            .iter()
            .map(|(l, _)| match l {
                Label::Named(n) => t.find(*n),
                Label::Sized => sized.next(),
            })
            .collect();
        let used = order.iter().flatten().count();
        let whole = t.sized().is_empty() || t.sized().len() == shape.iter().filter(|(l, _)| *l == Label::Sized).count();
        if used != t.labels.len() || !whole || t.level > 0 {
            let message = format!("this is {}, which is not what is set", self.show(t));
            return self.error(Code::H0401, at, message);
        }
        Ok(self.turned(t, shape, &order))
    }
}

/// Notes what learns in arms that have averages.
fn all_averaged(arms: &mut [Arm]) {
    let groups = |a: &Arm| -> Vec<String> {
        let learners = a.objectives.iter().flat_map(|o| &o.groups).flat_map(|g| &g.learners);
        learners.map(|l| a.model.params[l.param].path.clone()).collect()
    };
    let learned: BTreeSet<String> = arms.iter().filter(|a| a.average.is_some()).flat_map(groups).collect();
    for average in arms.iter_mut().filter_map(|a| a.average.as_mut()) {
        average.of = learned.iter().cloned().collect();
    }
}
