//! Derivatives in the language: `grad`, and the marks that it heeds.

use super::table::Call;
use crate::check::value::{Label, NameId, Tens, Value};
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::grad;
use crate::ir::{DType, Map, Node, NodeId, Op, Operand};
use crate::source::Span;

impl<'a> Checker<'a> {
    /// `surrogate(forward, backward)`: the one value with the other's derivative.
    pub(super) fn surrogate(&mut self, call: Call<'a>) -> Res<Value<'a>> {
        let [(forward, front), (backward, back)] = self.values(call.args)?;
        let (forward, backward) = (self.as_tens(forward, front)?, self.as_tens(backward, back)?);
        let (forward, backward) = (self.to_f32(&forward), self.to_f32(&backward));
        let made = self.map(Map::Surrogate, DType::F32, &[(&forward, front), (&backward, back)], "`surrogate`", call.span)?;
        Ok(Value::Tensor(made))
    }

    /// `stop_gradient(x)`: a value or a tree through which no derivative flows.
    pub(super) fn stop_gradient(&mut self, call: Call<'a>) -> Res<Value<'a>> {
        let [(v, at)] = self.values(call.args)?;
        match v {
            Value::Tree(tree) => Ok(Value::Tree(self.tree_map(&tree, &mut |c, leaf| c.without_slope(leaf))?.into())),
            Value::Num(_) | Value::Bool(_) | Value::List(_) => Ok(v),
            v => {
                let t = self.as_tens(v, at)?;
                Ok(Value::Tensor(self.without_slope(&t)?))
            }
        }
    }

    /// The same value, through which no derivative flows.
    pub fn without_slope(&mut self, t: &Tens) -> Res<Tens> {
        if t.dtype == DType::F32 { self.pointwise(Map::Cut, &[t]) } else { Ok(t.clone()) }
    }

    /// `grad(y, x)`: typed like `x`, with the names of `y` in front. Each place of `y` is derived by itself.
    pub(super) fn grad(&mut self, call: Call<'a>) -> Res<Value<'a>> {
        let at = call.at;
        let [(y, y_at), (x, x_at)] = self.values(call.args)?;
        let y = self.as_tens(y, y_at)?;
        if !y.sized().is_empty() || y.dtype != DType::F32 {
            let message = format!("a derivative is of one real number per example, and this is {}", self.show(&y));
            let help = match y.dtype {
                DType::F32 => "sum it, `grad(sum(y), x)`, or derive each place under an index, `grad(y[i], x)`",
                DType::I32 | DType::Bool => "whole numbers and truth values have no slope; `surrogate` gives one to a choice",
            };
            return self.fail(Diagnostic::error(Code::H0356, y_at, message).help(help));
        }
        match x {
            Value::Num(_) | Value::Bool(_) | Value::List(_) => self.by_no_value(x_at),
            Value::Tree(tree) => {
                let leaves: Vec<Tens> = tree.leaves().into_iter().map(|(_, t)| t.clone()).collect();
                let mut made = self.slopes(&y, &leaves, at, x_at)?.into_iter();
                let next = &mut |_: &mut Self, _: &Tens| Ok(made.next().expect("one for each leaf"));
                Ok(Value::Tree(self.tree_map(&tree, next)?.into()))
            }
            v => {
                let t = self.as_tens(v, x_at)?;
                Ok(Value::Tensor(self.slopes(&y, &[t], at, x_at)?.remove(0)))
            }
        }
    }

    /// The derivatives of `y` by each of these.
    fn slopes(&mut self, y: &Tens, by: &[Tens], at: Span, by_at: Span) -> Res<Vec<Tens>> {
        if let Some(whole) = by.iter().find(|t| t.dtype != DType::F32) {
            let message = format!("a derivative is by real numbers, and this is {}", self.show(whole));
            return self.fail(Diagnostic::error(Code::H0356, by_at, message).help("whole numbers and truth values do not move"));
        }
        if by.iter().any(|t| matches!(self.build.at(t).op, Op::Const(_) | Op::Extent(_))) {
            return self.by_no_value(by_at);
        }
        let level = y.level;
        let places: Vec<Option<NodeId>> = by.iter().map(|t| self.build.captured_at(t, level)).collect();
        for t in by {
            self.reaches_out(y, t, at)?;
        }
        let reach = self.build.graph(level).reachable([y.node]);
        if !by.is_empty() && !places.iter().flatten().any(|n| reach[n.index()]) {
            return self.fail(
                Diagnostic::error(Code::H0361, by_at, "the first value was not computed from this one")
                    .here("an element, a net out of an array and an expression are values of their own")
                    .help("derive by the whole and take the part, `grad(y, x)[0]`, or name the part first: `let a = x[0]`, then `grad(a^2, a)`"),
            );
        }
        // Sizes that were found meanwhile are the same for the rules, too.
        let mut graph = std::mem::take(self.build.graph_mut(level));
        self.settle(&mut graph);
        let names: Vec<NameId> = y.names().collect();
        let known: Vec<(usize, NodeId)> = places.iter().enumerate().filter_map(|(k, n)| Some((k, (*n)?))).collect();
        let nodes: Vec<NodeId> = known.iter().map(|(_, n)| *n).collect();
        // Only an axis of this name is the same axis.
        let may_tie = |n: usize, q: usize, d: usize| by[known[n].0].labels.get(d) == Some(&Label::Named(names[q]));
        let found = grad::derivatives_tied(&mut graph, y.node, &nodes, &may_tie);
        *self.build.graph_mut(level) = graph;
        let mut out: Vec<Option<Tens>> = vec![None; by.len()];
        for ((k, _), found) in known.iter().zip(found) {
            let Some(found) = found else { continue };
            let free = names.iter().zip(&found.tied).filter(|(_, t)| t.is_none()).map(|(n, _)| *n);
            let free: Vec<NameId> = free.collect();
            if let Some(mixed) = free.iter().find(|n| by[*k].find(**n).is_some()) {
                return self.mixed(*mixed, at);
            }
            let labels = free.iter().map(|n| Label::Named(*n)).chain(by[*k].labels.iter().copied()).collect();
            out[*k] = Some(Tens { level, node: found.node, labels, dtype: DType::F32 });
        }
        // What does not depend on a value has the derivative 0 by it.
        Ok(out.into_iter().zip(by).map(|(found, t)| found.unwrap_or_else(|| self.nothing(y, t))).collect())
    }

    /// Zeros of the type of a derivative of `y` by `t`.
    fn nothing(&mut self, y: &Tens, t: &Tens) -> Tens {
        let names: Vec<NameId> = y.names().filter(|n| t.find(*n).is_none()).collect();
        let mut axes: Vec<_> = y.labels.iter().zip(self.build.at(y).shape.clone()).collect::<Vec<_>>();
        axes.retain(|(l, _)| matches!(l, Label::Named(n) if names.contains(n)));
        let mut shape: Vec<_> = axes.into_iter().map(|(_, a)| a).collect();
        shape.extend(self.build.at(t).shape.iter().cloned());
        let labels = names.into_iter().map(Label::Named).chain(t.labels.iter().copied()).collect();
        let zero = self.constant(0.0, DType::F32);
        let zero = self.build.node(&zero);
        self.emit(Node::new(Op::Map(Map::Copy), DType::F32, shape), labels, vec![Operand::new(zero, vec![])])
    }

    fn by_no_value<T>(&mut self, at: Span) -> Res<T> {
        let d = Diagnostic::error(Code::H0356, at, "a derivative is by a value, and this is a constant");
        self.fail(d.help("make it a `param`, an `input` or a `condition`"))
    }

    fn mixed<T>(&mut self, name: NameId, at: Span) -> Res<T> {
        let text = self.axes.name_text(name).to_string();
        self.fail(
            Diagnostic::error(
                Code::H0360,
                at,
                format!("along `{text}` a place of the first depends on other places of the second"),
            )
            .here(format!("a derivative for each place of `{text}`"))
            .help(format!(
                "derive one number, `grad(sum[{text}] .., ..)`, or keep `{text}` apart: nothing on the way may run along it"
            )),
        )
    }

    /// Says where a derivative would have to leave the round that it is taken in: a value from around the loop, or one that rounds before
    /// left, may depend on `x`, too.
    fn reaches_out(&mut self, y: &Tens, x: &Tens, at: Span) -> Res<()> {
        for level in x.level + 1..=y.level {
            let graph = self.build.graph(level);
            // At levels between, all values count; at that of `y`, what it reads smoothly.
            let reach = if level == y.level { graph.reachable([y.node]) } else { vec![true; graph.len()] };
            let own = self.build.captured_at(x, level);
            let Some(from) = self.build.captured_at(x, level - 1) else { continue };
            let active = grad::depends(self.build.graph(level - 1), &[from]);
            let around = |id: NodeId| self.build.outer(level, id).is_some_and(|o| active[o.node.index()]);
            let carried = |id: NodeId| {
                let node = graph.node(id);
                let is_carry = matches!(node.op, Op::Arg(_)) && node.dtype == DType::F32 && self.build.outer(level, id).is_none();
                // Through what is cut it does not count.
                is_carry && grad::depends(graph, &[id])[y.node.index()]
            };
            let through = graph
                .ids()
                .find(|id| reach[id.index()] && Some(*id) != own && (around(*id) || (level == y.level && carried(*id))));
            if let Some(id) = through {
                let why = match self.build.outer(level, id) {
                    Some(_) => "a value from around the loop depends on the second, too",
                    None => "what rounds before this one left may depend on the second, too",
                };
                return self.fail(
                    Diagnostic::limit(Code::H0816, at, "this derivative would reach out of the round that it is taken in")
                        .here(why)
                        .help("take the derivative outside of the loop, or say `stop_gradient(..)` of that value"),
                );
            }
        }
        Ok(())
    }
}
