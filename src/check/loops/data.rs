//! A loop whose length is known when data arrives: a node of the graph with a body of its own.
//!
//! What the body assigns is carried from round to round. Which names a variable varies over is found by trying: the body is made,
//! and made again with wider variables, until they no longer grow.

use crate::check::relation::assigned_in_block;
use crate::check::value::{Label, NameId, Tens, Value};
use crate::check::{Checker, Res};
use crate::diag::Code;
use crate::ir::{Axis, Body, DType, Fold, Graph, Map, Node, Op, Operand, Output, OutputKind, Size};
use crate::source::Span;
use crate::syntax::ast::{ForExpr, Name};
use std::collections::BTreeSet;

/// A loop that is tried.
struct Loop<'a> {
    f: &'a ForExpr,
    from: Size,
    trips: Size,
    /// Where each example's rounds end, before all trips are made.
    end: Option<Tens>,
    /// Variables that the body assigns, with their values before it.
    carries: Vec<(Name, Tens)>,
    /// What says which examples are done, once it is known that somebody asks inside.
    gone: Option<(Vec<Label>, Vec<Axis>)>,
    span: Span,
}

/// Names that each variable needs besides its own, and its kind of element.
type Wider = Vec<(Vec<NameId>, DType)>;

enum Tried {
    Wider(Wider),
    Made(Made),
}

/// What the rounds of a body know of each other.
struct Rounds {
    counter: Tens,
    /// The variables as a round begins.
    args: Vec<Tens>,
    /// Which examples go on: those whose bound is not reached. The others' rounds are for nobody.
    active: Option<Tens>,
    /// Which were done before, where the body asks.
    was: Option<Tens>,
}

/// What a round ends with.
struct Ended<'a> {
    /// What is carried, and what that starts from.
    new: Vec<Tens>,
    starts: Vec<Tens>,
    /// No round follows.
    stop: Option<Tens>,
    /// Whose yields count.
    running: Option<Tens>,
    yields: Vec<Value<'a>>,
}

/// A body that is made.
struct Made {
    graph: Graph,
    captured: Vec<Tens>,
    starts: Vec<Tens>,
    stop: bool,
    /// Shapes, labels and kinds of the results.
    results: Vec<(Vec<Axis>, Vec<Label>, DType)>,
    yielded: Vec<Name>,
    record: bool,
}

impl<'a> Checker<'a> {
    pub(super) fn data_loop(
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
            carries.push((n.clone(), self.as_tens(v.clone(), span)?));
        }
        let mut l = Loop { f, from, trips, end, carries, gone: None, span };
        // The names that a variable varies over grow until they no longer do.
        for _ in 0..16 + 4 * l.carries.len() {
            let draws = self.draws.mark();
            let losses = self.out.losses.len();
            let tried = self.try_loop(&mut l);
            if !matches!(tried, Ok(Tried::Made(_))) {
                // What the body assigned is gone with it.
                for (n, v) in &before {
                    self.set_var(n, v.clone());
                }
            }
            match tried? {
                Tried::Made(made) => return self.place_loop(&l, made, named),
                Tried::Wider(wider) => {
                    self.draws.back_to(draws);
                    self.out.losses.truncate(losses);
                    for ((_, t), (names, dtype)) in l.carries.iter_mut().zip(wider) {
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

    /// One try, in a level of its own: the body, or what its variables lack.
    fn try_loop(&mut self, l: &mut Loop<'a>) -> Res<Tried> {
        let around = self.build.level();
        let round = self.build.open_loop(l.trips.clone());
        let tried = self.try_body(l, round);
        self.build.leave_to(around);
        tried
    }

    fn try_body(&mut self, l: &mut Loop<'a>, round: Tens) -> Res<Tried> {
        let (rounds, guards) = self.rounds(l, round)?;
        let binding = self.round_binding(l.f, Value::Tensor(rounds.counter.clone()));
        let named = (l.f.var.name.clone(), binding);
        let (ended, yields) = self.assuming(guards, |c| c.collecting(named, |c| c.round(l)));
        let (done, mut new) = ended?;
        // Backwards, the rounds beyond the bound come first, and end nothing.
        let done = match (done, &rounds.active) {
            (Some(d), Some(active)) => Some(self.pointwise(Map::And, &[&d, active])?),
            (d, _) => d,
        };
        if let Some(active) = &rounds.active {
            for (t, old) in new.iter_mut().zip(&rounds.args) {
                *t = self.map(Map::Select, t.dtype, &[(active, l.span), (t, l.span), (old, l.span)], "this loop", l.span)?;
            }
        }
        let wider = lacking(&new, &rounds.args);
        if wider.iter().zip(&rounds.args).any(|((names, dtype), a)| !names.is_empty() || *dtype != a.dtype) {
            return Ok(Tried::Wider(wider));
        }
        for (t, a) in new.iter_mut().zip(&rounds.args) {
            *t = self.like(t, a);
        }
        let starts = l.carries.iter().map(|(_, t)| t.clone()).collect();
        let mut ended = Ended { new, starts, stop: None, running: rounds.active.clone(), yields };
        match done {
            // An example that is done keeps its values: `done` joins the carries.
            Some(done) if !done.labels.is_empty() => {
                if let Some(wider) = self.keep_done(l, &rounds, done, &mut ended)? {
                    return Ok(Tried::Wider(wider));
                }
            }
            done => ended.stop = done,
        }
        if let (Some(active), Some(end), false) = (&rounds.active, &l.end, l.f.rev) {
            ended.stop = Some(self.or_over(ended.stop, &rounds.counter, end, active)?);
        }
        self.close_body(l, ended).map(Tried::Made)
    }

    /// How the rounds begin, and what holds in them.
    fn rounds(&mut self, l: &Loop<'a>, round: Tens) -> Res<(Rounds, Vec<Tens>)> {
        let mut args = vec![];
        for (k, (n, t)) in l.carries.iter().enumerate() {
            let mut node = Node::new(Op::Arg(k + 1), t.dtype, self.build.at(t).shape.clone());
            node.name = Some(n.clone());
            let arg = self.emit(node, t.labels.clone(), vec![]);
            self.set_var(n, Value::Tensor(arg.clone()));
            args.push(arg);
        }
        let counter = match l.from.is(0) {
            true => round,
            false => {
                let start = self.size_value(&l.from);
                self.pointwise(Map::Add, &[&round, &start])?
            }
        };
        let active = match &l.end {
            Some(end) => {
                let end = self.build.here(end);
                Some(self.pointwise(Map::Lt, &[&counter, &end])?)
            }
            None => None,
        };
        let mut guards: Vec<Tens> = active.iter().cloned().collect();
        // An example that is done looks nothing up any more.
        let mut was = None;
        if let Some((labels, axes)) = l.gone.clone() {
            let done = self.emit(Node::new(Op::Arg(l.carries.len() + 1), DType::Bool, axes), labels, vec![]);
            guards.push(self.pointwise(Map::Not, &[&done])?);
            was = Some(done);
        }
        Ok((Rounds { counter, args, active, was }, guards))
    }

    /// One round: whether it is the last, and the variables after it.
    fn round(&mut self, l: &Loop<'a>) -> Res<(Option<Tens>, Vec<Tens>)> {
        self.block(&l.f.body)?;
        let done = match &l.f.until {
            Some(u) => {
                let t = self.tens(u)?;
                self.truth(&t, u.span)?;
                Some(t)
            }
            None => None,
        };
        let mut new = vec![];
        for (n, _) in &l.carries {
            let Some(v) = self.variable(n) else { return self.report.bug(l.span, "a variable has gone") };
            new.push(self.as_tens(v, l.span)?);
        }
        Ok((done, new))
    }

    /// Examples end one by one: those that are done keep their values. What the variables or the body lack for that, if anything.
    fn keep_done(&mut self, l: &mut Loop<'a>, rounds: &Rounds, done: Tens, ended: &mut Ended<'a>) -> Res<Option<Wider>> {
        let Rounds { args, active, was, .. } = rounds;
        let lacks = |a: &Tens| done.names().filter(|n| a.find(*n).is_none()).collect::<Vec<_>>();
        if args.iter().any(|a| !lacks(a).is_empty()) {
            return Ok(Some(args.iter().map(|a| (lacks(a), a.dtype)).collect()));
        }
        let (level, axes) = (self.build.level(), self.build.at(&done).shape.clone());
        let known = l.gone.as_ref().is_some_and(|(labels, _)| *labels == done.labels);
        if !known && (l.gone.is_some() || demanding(self.build.graph(level))) {
            l.gone = Some((done.labels.clone(), axes));
            return Ok(Some(args.iter().map(|a| (vec![], a.dtype)).collect()));
        }
        let was = match was.as_ref().filter(|_| known) {
            Some(was) => was.clone(),
            None => {
                let arg = Node::new(Op::Arg(ended.starts.len() + 1), DType::Bool, axes.clone());
                self.emit(arg, done.labels.clone(), vec![])
            }
        };
        for (t, a) in ended.new.iter_mut().zip(args) {
            let kept = self.map(Map::Select, t.dtype, &[(&was, l.span), (a, l.span), (t, l.span)], "this loop", l.span)?;
            *t = self.like(&kept, a);
        }
        let goes = self.pointwise(Map::Not, &[&was])?;
        ended.running = Some(match active {
            Some(active) => self.pointwise(Map::And, &[&goes, active])?,
            None => goes,
        });
        let now = self.pointwise(Map::Or, &[&was, &done])?;
        let now = self.like(&now, &was);
        let names: Vec<NameId> = now.names().collect();
        ended.stop = Some(self.fold(Fold::All, &now, &names));
        ended.new.push(now);
        let start = self.at_level(level - 1, |c| {
            let no = c.constant(0.0, DType::Bool);
            c.copy(&no, done.labels.clone(), axes, vec![])
        });
        ended.starts.push(start);
        Ok(None)
    }

    /// No round follows where a loop stops, or where the next one is beyond the bound of every example.
    fn or_over(&mut self, stop: Option<Tens>, counter: &Tens, end: &Tens, active: &Tens) -> Res<Tens> {
        let one = self.constant(1.0, DType::I32);
        let next = self.pointwise(Map::Add, &[counter, &one])?;
        let end = self.build.here(end);
        let more = self.pointwise(Map::Lt, &[&next, &end])?;
        let names: Vec<NameId> = active.names().collect();
        let any = if names.is_empty() { more } else { self.fold(Fold::Any, &more, &names) };
        let over = self.pointwise(Map::Not, &[&any])?;
        match stop {
            Some(stop) => self.pointwise(Map::Or, &[&stop, &over]),
            None => Ok(over),
        }
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

    /// The results of a body, and the body.
    fn close_body(&mut self, l: &Loop<'a>, ended: Ended<'a>) -> Res<Made> {
        if ended.yields.len() > 1 {
            return self.error(Code::H0508, l.span, "this loop yields more than once a round; yield one record");
        }
        let (fields, record) = match ended.yields.into_iter().next() {
            None => (vec![], false),
            Some(Value::Record(fields)) => (fields.to_vec(), true),
            Some(v) => (vec![(Name::from("yield"), v)], false),
        };
        let mut yielded = vec![];
        let mut columns = vec![];
        for (n, v) in fields {
            let t = self.as_tens(v, l.span)?;
            // An example whose rounds are over yields 0, whether or not others go on.
            let t = match &ended.running {
                Some(running) => {
                    let zero = self.constant(0.0, t.dtype);
                    self.map(Map::Select, t.dtype, &[(running, l.span), (&t, l.span), (&zero, l.span)], "this loop", l.span)?
                }
                None => t,
            };
            yielded.push(n);
            columns.push(self.build.here(&t));
        }
        let stop = ended.stop.is_some();
        let outputs: Vec<Tens> = ended.new.into_iter().chain(ended.stop).chain(columns).collect();
        let level = self.build.level();
        for (i, t) in outputs.iter().enumerate() {
            let node = self.build.node(t);
            self.build.graph_mut(level).outputs.push(Output { name: format!("r{i}").into(), kind: OutputKind::Output, node });
        }
        self.prove(level);
        let results = outputs.iter().map(|t| (self.build.at(t).shape.clone(), t.labels.clone(), t.dtype)).collect();
        let (graph, captured) = self.build.take_body(ended.starts.len());
        Ok(Made { graph, captured, starts: ended.starts, stop, results, yielded, record })
    }

    /// The loop as a node, the variables after it, and what it yields.
    fn place_loop(&mut self, l: &Loop<'a>, made: Made, named: Option<NameId>) -> Res<Value<'a>> {
        let Made { graph, captured, starts, stop, results, yielded, record } = made;
        let carries = starts.len();
        let body = Body { graph, trips: l.trips.clone(), reverse: l.f.rev, carries, yields: yielded.len(), stop };
        let uses =
            starts.iter().chain(&captured).map(|t| Operand::new(self.build.node(t), (0..t.labels.len()).collect())).collect();
        let all = self.emit(Node::new(Op::Loop(Box::new(body)), DType::F32, vec![]), vec![], uses);
        let mut results = results.into_iter();
        for (k, ((n, _), (axes, labels, dtype))) in l.carries.iter().zip(results.by_ref()).enumerate() {
            let mut node = Node::new(Op::Result(k), dtype, axes);
            node.name = Some(n.clone());
            let t = self.emit(node, labels, vec![Operand::new(all.node, vec![])]);
            self.set_var(n, Value::Tensor(t));
        }
        // What says who is done, and the stop, are nobody's values.
        let columns = results.skip(carries - l.carries.len() + usize::from(stop));
        let mut out = vec![];
        for (k, (n, (mut axes, mut labels, dtype))) in yielded.into_iter().zip(columns).enumerate() {
            axes.insert(0, Axis { name: l.f.var.name.clone(), size: l.trips.clone() });
            labels.insert(0, Label::Sized);
            let t = self.emit(Node::new(Op::Result(carries + k), dtype, axes), labels, vec![Operand::new(all.node, vec![])]);
            let t = self.name_rounds(t, named, l.span)?;
            out.push((n, Value::Tensor(t)));
        }
        if record {
            return Ok(Value::Record(out.into()));
        }
        Ok(out.pop().map_or(Value::Unit, |(_, v)| v))
    }
}

/// What variables vary over after a round that they do not before it, and their kinds of element.
fn lacking(new: &[Tens], args: &[Tens]) -> Wider {
    let one = |(t, a): (&Tens, &Tens)| {
        let names = t.names().filter(|n| a.find(*n).is_none()).collect();
        (names, if t.dtype == DType::F32 { DType::F32 } else { a.dtype })
    };
    new.iter().zip(args).map(one).collect()
}

/// Whether some index in a body must be inside.
fn demanding(graph: &Graph) -> bool {
    graph.ids().any(|id| match &graph.node(id).op {
        Op::Inside(_) => true,
        Op::Loop(body) => demanding(&body.graph),
        _other => false,
    })
}
