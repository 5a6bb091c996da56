//! `if` and `for`.

use super::relation::{assigned_in, assigned_in_block};
use super::scope::Binding;
use super::value::{Label, NameId, Num, Tens, Value};
use super::{Checker, Level, Res};
use crate::diag::Diagnostic;
use crate::ir::{Axis, Body, DType, Fold, Graph, Map, Node, Op, Operand, Output, OutputKind, Size};
use crate::source::Span;
use crate::syntax::ast::{self, Block, Else, Expr, ForExpr, Name};
use std::collections::BTreeSet;

/// Rounds up to which a loop of known length is written out.
const UNROLL: i64 = 512;

impl<'a> Checker<'a> {
    /// `if cond { .. } else { .. }`
    pub fn if_expr(&mut self, cond: &'a Expr, then: &'a Block, otherwise: Option<&'a Else>, span: Span) -> Res<Value<'a>> {
        let c = match self.expr(cond)? {
            Value::Bool(b) => {
                return match (b, otherwise) {
                    (true, _) => self.block(then),
                    (false, Some(e)) => self.else_value(e),
                    (false, None) => Ok(Value::Unit),
                };
            }
            v => self.as_tens(v, cond.span)?,
        };
        self.truth(&c, cond.span)?;
        if !c.sized().is_empty() {
            let message = format!("`if` takes one truth value per example, and this is {}", self.show(&c));
            return self
                .fail(Diagnostic::error("H0505", cond.span, message).help("index it: `let y[i] = if c[i] { .. } else { .. }`"));
        }
        let mut assigned = BTreeSet::new();
        assigned_in_block(then, &mut assigned);
        match otherwise {
            Some(Else::Block(b)) => assigned_in_block(b, &mut assigned),
            Some(Else::If(e)) => assigned_in(e, &mut assigned),
            None => {}
        }
        let before = self.variables(&assigned);
        self.guards.push(c.clone());
        let a = self.block(then);
        self.guards.pop();
        let after_then = self.variables(&assigned);
        for (n, v) in &before {
            self.set_var(n, v.clone());
        }
        let b = match otherwise {
            Some(e) => {
                let not = self.pointwise(Map::Not, &[&c])?;
                self.guards.push(not);
                let b = self.else_value(e);
                self.guards.pop();
                b
            }
            None => Ok(Value::Unit),
        };
        let (a, b) = (a?, b?);
        let after_else = self.variables(&assigned);
        for ((n, x), (_, y)) in after_then.into_iter().zip(after_else) {
            if !same_value(&x, &y) {
                let merged = self.choose(&c, x, y, cond.span, span)?;
                self.set_var(&n, merged);
            }
        }
        if otherwise.is_none() {
            if !matches!(a, Value::Unit) {
                return self
                    .fail(Diagnostic::error("H0506", span, "this `if` has a value on one side only").help("add `else { .. }`"));
            }
            return Ok(Value::Unit);
        }
        self.choose(&c, a, b, cond.span, span)
    }

    fn else_value(&mut self, e: &'a Else) -> Res<Value<'a>> {
        match e {
            Else::Block(b) => self.block(b),
            Else::If(e) => self.expr(e),
        }
    }

    /// One of two values per example.
    pub fn choose(&mut self, c: &Tens, a: Value<'a>, b: Value<'a>, at: Span, span: Span) -> Res<Value<'a>> {
        match (a, b) {
            (Value::Unit, Value::Unit) => Ok(Value::Unit),
            (Value::Record(x), Value::Record(y)) => {
                let mut out = Vec::new();
                for (n, v) in x.iter() {
                    let Some((_, w)) = y.iter().find(|(m, _)| m == n) else {
                        return self.error("H0506", span, format!("only one side gives `{n}`"));
                    };
                    out.push((n.clone(), self.choose(c, v.clone(), w.clone(), at, span)?));
                }
                Ok(Value::Record(out.into()))
            }
            (Value::Tree(x), Value::Tree(y)) => {
                let tree = self.tree_zip(&x, &y, span, &mut |s, p, q| {
                    s.map(Map::Select, p.dtype, &[(c, at), (p, span), (q, span)], "`if`", span)
                })?;
                Ok(Value::Tree(tree.into()))
            }
            (Value::Unit, _) | (_, Value::Unit) => self.error("H0506", span, "only one side of this `if` has a value"),
            (a, b) => {
                let float = |v: &Value<'_>| {
                    matches!(v, Value::Tensor(t) if t.dtype == DType::F32) || matches!(v, Value::Num(Num::Real(_)))
                };
                let any = float(&a) || float(&b) || matches!((&a, &b), (Value::Num(_), Value::Num(_)));
                let side = |s: &mut Self, v: Value<'a>| match v {
                    Value::Num(n) if any => Ok(s.num_f32(&n)),
                    v => s.as_tens(v, span),
                };
                let x = side(self, a)?;
                let y = side(self, b)?;
                let (x, y) = if x.dtype == y.dtype {
                    (x, y)
                } else if x.dtype != DType::Bool && y.dtype != DType::Bool {
                    (self.to_f32(&x), self.to_f32(&y))
                } else {
                    let message = format!("one side is {}, the other {}", self.show(&x), self.show(&y));
                    return self.error("H0506", span, message);
                };
                self.map(Map::Select, x.dtype, &[(c, at), (&x, span), (&y, span)], "`if`", span).map(Value::Tensor)
            }
        }
    }

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
                "H0512",
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
        if matches!(self.local(&f.var.name), Some(Binding::Index(i)) if named != Some(*i)) {
            return self.error("H0203", f.var.span, format!("`{}` is already an index here", f.var.name));
        }
        let outer = self.frame().yields.replace(vec![]);
        let mut collected = vec![];
        let mut failed = Ok(());
        for round in 0..n {
            self.enter(span)?;
            self.depth -= 1;
            let k = from + if f.rev { n - 1 - round } else { round };
            let binding = self.round_binding(f, Value::from(Size::from(k)));
            self.frame().scopes.push([(f.var.name.clone(), binding)].into());
            let result = self.block(&f.body);
            self.frame().scopes.pop();
            let list = self.frame().yields.replace(vec![]).unwrap_or_default();
            collected.push((k, list));
            if let Err(said) = result {
                failed = Err(said);
                // One round's errors are every round's errors.
                break;
            }
        }
        self.frame().yields = outer;
        failed?;
        collected.sort_by_key(|(k, _)| *k);
        let all: Vec<Value<'a>> = collected.into_iter().flat_map(|(_, l)| l).collect();
        if all.is_empty() {
            return Ok(Value::Unit);
        }
        self.stack_values(all, named, span)
    }

    /// Yields, one below the other.
    fn stack_values(&mut self, all: Vec<Value<'a>>, named: Option<NameId>, span: Span) -> Res<Value<'a>> {
        if let Value::Record(first) = &all[0] {
            let words: Vec<Name> = first.iter().map(|(n, _)| n.clone()).collect();
            let mut columns: Vec<Vec<Value<'a>>> = vec![vec![]; words.len()];
            for v in &all {
                let Some(row) = fields_in_order(v, &words) else {
                    let message = format!("the first round yields {}, and another one does not", words.join(", "));
                    return self.error("H0508", span, message);
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
            let t = match v {
                Value::Num(n) => self.num_f32(&n),
                v => self.as_tens(v, span)?,
            };
            parts.push((t, span));
        }
        let t = self.stack(parts, span)?;
        self.name_rounds(t, named, span).map(Value::Tensor)
    }

    /// The leading size of stacked yields becomes the axis that the left side names.
    fn name_rounds(&mut self, t: Tens, named: Option<NameId>, span: Span) -> Res<Tens> {
        let Some(n) = named else { return Ok(t) };
        let dim = t.sized()[0];
        let (a, b) = (self.extent(&t, dim), self.size_of(n));
        if !self.same(&a, &b) {
            return self.range_error(n, &a, span, "rounds");
        }
        Ok(self.dim_to_name(&t, dim, n))
    }

    /// A loop whose length is known when data arrives.
    fn data_loop(
        &mut self,
        f: &'a ForExpr,
        from: Size,
        trips: Size,
        end: Option<Tens>,
        named: Option<NameId>,
        span: Span,
    ) -> Res<Value<'a>> {
        let mut assigned = BTreeSet::new();
        assigned_in_block(&f.body, &mut assigned);
        let before = self.variables(&assigned);
        let mut carries: Vec<(Name, Tens)> = vec![];
        for (n, v) in &before {
            let t = match v.clone() {
                Value::Num(x) => self.num_f32(&x),
                v => self.as_tens(v, span)?,
            };
            carries.push((n.clone(), t));
        }
        // The names that a variable varies over grow until they no longer do.
        // What says which examples are done, once it is known that somebody asks inside.
        let mut gone = None;
        for _ in 0..16 + 4 * carries.len() {
            let draws = self.draws.clone();
            let losses = self.losses.len();
            let tried = self.loop_once(f, &from, &trips, end.as_ref(), named, &carries, &mut gone, span);
            if !matches!(tried, Ok(Ok(_))) {
                // What the body assigned is gone with it.
                for (n, v) in &before {
                    self.set_var(n, v.clone());
                }
            }
            match tried? {
                Ok(value) => return Ok(value),
                Err(wider) => {
                    self.draws = draws;
                    self.losses.truncate(losses);
                    for ((_, t), (names, dtype)) in carries.iter_mut().zip(wider) {
                        if dtype == DType::F32 {
                            *t = self.to_f32(t);
                        }
                        *t = self.spread(t, &names);
                    }
                }
            }
        }
        self.report.bug(span, "the types of this loop's variables do not settle")
    }

    /// One try: the loop, or the names that its variables need.
    fn loop_once(
        &mut self,
        f: &'a ForExpr,
        from: &Size,
        trips: &Size,
        end: Option<&Tens>,
        named: Option<NameId>,
        carries: &[(Name, Tens)],
        gone: &mut Option<(Vec<Label>, Vec<Axis>)>,
        span: Span,
    ) -> Res<Result<Value<'a>, Vec<(Vec<NameId>, DType)>>> {
        let outer_level = self.level;
        self.levels.truncate(outer_level + 1);
        self.levels.push(Level::default());
        self.level += 1;
        let level = self.level;
        let round = self.graph().add(Node::new(Op::Arg(0), DType::I32, vec![]), vec![]);
        self.levels[level].round = Some(round);
        self.levels[level].trips = Some(trips.clone());
        let round = Tens { level, node: round, labels: vec![], dtype: DType::I32 };
        let mut args = vec![];
        for (k, (n, t)) in carries.iter().enumerate() {
            let mut node = Node::new(Op::Arg(k + 1), t.dtype, self.at(t).shape.clone());
            node.name = Some(n.clone());
            let arg = self.emit(node, t.labels.clone(), vec![]);
            self.set_var(n, Value::Tensor(arg.clone()));
            args.push(arg);
        }
        let counter = match from.is(0) {
            true => round.clone(),
            false => {
                let start = self.size_value(from);
                self.pointwise(Map::Add, &[&round, &start])?
            }
        };
        // Which examples go on: those whose bound is not reached. The others' rounds are for nobody.
        let active = match end {
            Some(end) => {
                let end = Tens { node: self.node(end), level, ..end.clone() };
                Some(self.pointwise(Map::Lt, &[&counter, &end])?)
            }
            None => None,
        };
        let guards = self.guards.len();
        self.guards.extend(active.clone());
        // An example that is done looks nothing up any more.
        let mut was_done = None;
        if let Some((labels, axes)) = gone.clone() {
            let was = self.emit(Node::new(Op::Arg(carries.len() + 1), DType::Bool, axes), labels, vec![]);
            let goes = self.pointwise(Map::Not, &[&was])?;
            self.guards.push(goes);
            was_done = Some(was);
        }
        let binding = self.round_binding(f, Value::Tensor(counter.clone()));
        self.frame().scopes.push([(f.var.name.clone(), binding)].into());
        let outer = self.frame().yields.replace(vec![]);
        let ran = self.block(&f.body);
        let stop = match (&ran, &f.until) {
            (Ok(_), Some(u)) => Some(self.tens(u).and_then(|t| self.truth(&t, u.span).map(|()| t))),
            _ => None,
        };
        let yields = std::mem::replace(&mut self.frame().yields, outer).unwrap_or_default();
        self.frame().scopes.pop();
        self.guards.truncate(guards);
        let finished = ran.and(stop.transpose()).and_then(|done| {
            let mut new = vec![];
            for (n, _) in carries {
                let Some(v) = self.variable(n) else { return self.report.bug(span, "a variable has gone") };
                new.push(match v {
                    Value::Num(x) => self.num_f32(&x),
                    v => self.as_tens(v, span)?,
                });
            }
            Ok((done, new))
        });
        let (done, mut new) = match finished {
            Ok(x) => x,
            Err(e) => {
                self.leave_level(outer_level);
                return Err(e);
            }
        };
        // Backwards, the rounds beyond the bound come first, and end nothing.
        let done = match (done, &active) {
            (Some(d), Some(active)) => Some(self.pointwise(Map::And, &[&d, active])?),
            (d, _) => d,
        };
        if let Some(active) = &active {
            for (t, old) in new.iter_mut().zip(&args) {
                *t = self.map(Map::Select, t.dtype, &[(active, span), (t, span), (old, span)], "this loop", span)?;
            }
        }
        let wider: Vec<(Vec<NameId>, DType)> = new
            .iter()
            .zip(&args)
            .map(|(t, a)| {
                let names = t.names().filter(|n| a.find(*n).is_none()).collect();
                (names, if t.dtype == DType::F32 { DType::F32 } else { a.dtype })
            })
            .collect();
        let grown = wider.iter().zip(&args).any(|((names, dtype), a)| !names.is_empty() || *dtype != a.dtype);
        let per_example = done.as_ref().is_some_and(|d| !d.labels.is_empty());
        if grown {
            self.leave_level(outer_level);
            return Ok(Err(wider));
        }
        for (t, a) in new.iter_mut().zip(&args) {
            *t = self.like(t, a);
        }
        // An example that is done keeps its values: `done` joins the carries.
        let mut starts: Vec<Tens> = carries.iter().map(|(_, t)| t.clone()).collect();
        let mut stop_node = None;
        let mut running = active.clone();
        if let Some(done) = done {
            if per_example {
                for (t, a) in new.iter().zip(&args) {
                    let missing: Vec<NameId> = done.names().filter(|n| a.find(*n).is_none()).collect();
                    let _ = t;
                    if !missing.is_empty() {
                        let all =
                            args.iter().map(|b| (done.names().filter(|n| b.find(*n).is_none()).collect(), b.dtype)).collect();
                        self.leave_level(outer_level);
                        return Ok(Err(all));
                    }
                }
                let axes = self.at(&done).shape.clone();
                let known = gone.as_ref().is_some_and(|(labels, _)| *labels == done.labels);
                if !known && (gone.is_some() || demanding(&self.levels[level].graph)) {
                    *gone = Some((done.labels.clone(), axes));
                    let same = args.iter().map(|b| (vec![], b.dtype)).collect();
                    self.leave_level(outer_level);
                    return Ok(Err(same));
                }
                let was = was_done.take().filter(|_| known);
                let was = was.unwrap_or_else(|| {
                    self.emit(Node::new(Op::Arg(starts.len() + 1), DType::Bool, axes.clone()), done.labels.clone(), vec![])
                });
                for (t, a) in new.iter_mut().zip(&args) {
                    let kept = self.map(Map::Select, t.dtype, &[(&was, span), (a, span), (t, span)], "this loop", span)?;
                    *t = self.like(&kept, a);
                }
                let goes = self.pointwise(Map::Not, &[&was])?;
                running = Some(match &running {
                    Some(active) => self.pointwise(Map::And, &[&goes, active])?,
                    None => goes,
                });
                let now = self.pointwise(Map::Or, &[&was, &done])?;
                let now = self.like(&now, &was);
                let names: Vec<NameId> = now.names().collect();
                stop_node = Some(self.fold(Fold::All, &now, &names));
                new.push(now);
                self.level = outer_level;
                let no = self.constant(0.0, DType::Bool);
                starts.push(self.copy(&no, done.labels.clone(), axes, vec![]));
                self.level = level;
            } else {
                stop_node = Some(done);
            }
        }
        if let (Some(active), Some(end), false) = (&active, end, f.rev) {
            let one = self.constant(1.0, DType::I32);
            let next = self.pointwise(Map::Add, &[&counter, &one])?;
            let end = Tens { node: self.node(end), level, ..end.clone() };
            let more = self.pointwise(Map::Lt, &[&next, &end])?;
            let names: Vec<NameId> = active.names().collect();
            let any = if names.is_empty() { more } else { self.fold(Fold::Any, &more, &names) };
            let over = self.pointwise(Map::Not, &[&any])?;
            stop_node = Some(match stop_node {
                Some(stop) => self.pointwise(Map::Or, &[&stop, &over])?,
                None => over,
            });
        }
        if yields.len() > 1 {
            self.leave_level(outer_level);
            return self.error("H0508", span, "this loop yields more than once a round; yield one record");
        }
        let (fields, record) = match yields.into_iter().next() {
            None => (vec![], false),
            Some(Value::Record(fields)) => (fields.to_vec(), true),
            Some(v) => (vec![(Name::from("yield"), v)], false),
        };
        let mut yielded = vec![];
        for (n, v) in fields {
            let t = match v {
                Value::Num(x) => self.num_f32(&x),
                v => self.as_tens(v, span)?,
            };
            // An example whose rounds are over yields 0, whether or not others go on.
            let t = match &running {
                Some(running) => {
                    let zero = self.constant(0.0, t.dtype);
                    self.map(Map::Select, t.dtype, &[(running, span), (&t, span), (&zero, span)], "this loop", span)?
                }
                None => t,
            };
            let node = self.node(&t);
            yielded.push((n, Tens { node, level, ..t }));
        }
        let mut outputs: Vec<Tens> = new.clone();
        outputs.extend(stop_node.clone());
        outputs.extend(yielded.iter().map(|(_, t)| t.clone()));
        self.close_loop(f, trips, starts, carries, outputs, yielded, record, stop_node.is_some(), named, span).map(Ok)
    }

    fn leave_level(&mut self, level: usize) {
        self.checks.retain(|c| !c.is_at(level + 1));
        self.level = level;
        self.levels.truncate(level + 1);
    }

    /// The same value with dimensions in the order of another one.
    fn like(&mut self, t: &Tens, a: &Tens) -> Tens {
        let names: Vec<NameId> = a.names().collect();
        let t = self.spread(t, &names);
        let mut sized = t.sized().into_iter();
        let order: Vec<usize> = a
            .labels
            .iter()
            .map(|l| match l {
                Label::Named(n) => t.find(*n).expect("spread"),
                Label::Sized => sized.next().expect("the same sizes"),
            })
            .collect();
        self.permute(&t, &order)
    }

    #[expect(clippy::too_many_arguments, reason = "all that one loop has found out")]
    fn close_loop(
        &mut self,
        f: &'a ForExpr,
        trips: &Size,
        starts: Vec<Tens>,
        carries: &[(Name, Tens)],
        outputs: Vec<Tens>,
        yielded: Vec<(Name, Tens)>,
        record: bool,
        stop: bool,
        named: Option<NameId>,
        span: Span,
    ) -> Res<Value<'a>> {
        let level = self.level;
        for (i, t) in outputs.iter().enumerate() {
            let node = self.node(t);
            let output = Output { name: format!("r{i}").into(), kind: OutputKind::Output, node };
            self.levels[level].graph.outputs.push(output);
        }
        self.prove(level);
        let shapes: Vec<(Vec<Axis>, Vec<Label>, DType)> =
            outputs.iter().map(|t| (self.at(t).shape.clone(), t.labels.clone(), t.dtype)).collect();
        let captured = std::mem::take(&mut self.levels[level].captured).list;
        for (k, (_, arg)) in captured.iter().enumerate() {
            self.levels[level].graph.node_mut(*arg).op = Op::Arg(1 + starts.len() + k);
        }
        let graph = std::mem::take(&mut self.levels[level].graph);
        self.leave_level(level - 1);
        let body = Body { graph, trips: trips.clone(), reverse: f.rev, carries: starts.len(), yields: yielded.len(), stop };
        let operands: Vec<Tens> = starts.iter().cloned().chain(captured.into_iter().map(|(t, _)| t)).collect();
        let uses = operands.iter().map(|t| Operand::new(self.node(t), (0..t.labels.len()).collect())).collect();
        let all = self.emit(Node::new(Op::Loop(Box::new(body)), DType::F32, vec![]), vec![], uses);
        for (k, (n, _)) in carries.iter().enumerate() {
            let (axes, labels, dtype) = shapes[k].clone();
            let mut node = Node::new(Op::Result(k), dtype, axes);
            node.name = Some(n.clone());
            let t = self.emit(node, labels, vec![Operand::new(all.node, vec![])]);
            self.set_var(n, Value::Tensor(t));
        }
        let first = starts.len() + usize::from(stop);
        let mut out = vec![];
        for (k, (n, _)) in yielded.iter().enumerate() {
            let (mut axes, mut labels, dtype) = shapes[first + k].clone();
            axes.insert(0, Axis { name: f.var.name.clone(), size: trips.clone() });
            labels.insert(0, Label::Sized);
            let t = self.emit(Node::new(Op::Result(starts.len() + k), dtype, axes), labels, vec![Operand::new(all.node, vec![])]);
            let t = self.name_rounds(t, named, span)?;
            out.push((n.clone(), Value::Tensor(t)));
        }
        if record {
            return Ok(Value::Record(out.into()));
        }
        Ok(out.pop().map_or(Value::Unit, |(_, v)| v))
    }
}

/// Whether some index in a body must be inside.
fn demanding(graph: &Graph) -> bool {
    graph.ids().any(|id| match &graph.node(id).op {
        Op::Inside(_) => true,
        Op::Loop(body) => demanding(&body.graph),
        _other => false,
    })
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

/// Whether two values are one.
fn same_value(a: &Value<'_>, b: &Value<'_>) -> bool {
    match (a, b) {
        (Value::Tensor(x), Value::Tensor(y)) => x.node == y.node && x.level == y.level && x.labels == y.labels,
        (Value::Num(x), Value::Num(y)) => x == y,
        (Value::Bool(x), Value::Bool(y)) => x == y,
        (Value::Record(x), Value::Record(y)) => std::rc::Rc::ptr_eq(x, y),
        (Value::Tree(x), Value::Tree(y)) => std::rc::Rc::ptr_eq(x, y),
        (Value::Unit, Value::Unit) | (Value::Poison(_), Value::Poison(_)) => true,
        _ => false,
    }
}
