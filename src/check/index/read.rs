//! What indices do to the dimensions that they are for: at most one gather for all of them.

use super::IndexValue;
use crate::check::model::{Allowed, InputKind};
use crate::check::report::Said;
use crate::check::value::{Label, NameId, Num, Tens, Value};
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::{Axis, DType, Map, Node, Op, Size, needs, outside};
use crate::source::Span;
use crate::syntax::ast::{Expr, ExprKind, Index};

/// What is done to one dimension.
pub(super) enum Action {
    Name(NameId),
    Data(Tens, Span),
    /// from, length
    Range(Size, Size, Span),
    Split(Vec<NameId>),
}

/// What is known of the place of an index.
#[derive(Clone, Copy)]
struct Place {
    /// What lies outside has a value.
    filled: bool,
    /// It cannot be meant for another axis.
    sure: bool,
}

impl<'a> Checker<'a> {
    pub(super) fn index_tens_by(
        &mut self,
        t: Tens,
        base: Span,
        indices: &'a [Index],
        otherwise: Option<&'a Expr>,
        span: Span,
    ) -> Res<Tens> {
        let dims = self.assign(&t, indices, base)?;
        // Each indexed dimension gets a handle, so that it can be found again when dimensions move.
        let mut labels = t.labels.clone();
        let mut plan = Vec::new();
        for (index, &dim) in indices.iter().zip(&dims) {
            let extent = self.extent(&t, dim);
            let own = t.labels[dim];
            let handle = self.axes.new_name(&self.axes.axis_text(own, outside::UNNAMED), extent.clone(), None);
            let place = Place { filled: otherwise.is_some(), sure: self.has_sizes_alone(&t) };
            let action = self.action(index, own, &extent, place)?;
            if let Action::Name(n) = &action
                && own == Label::Named(*n)
            {
                continue;
            }
            labels[dim] = Label::Named(handle);
            plan.push((handle, action));
        }
        let mut t = Tens { labels, ..t };
        for (handle, action) in &plan {
            if let Action::Split(parts) = action {
                t = self.split(&t, *handle, parts);
            }
        }
        for (handle, action) in &plan {
            if let Action::Name(n) = action {
                let dim = t.find(*handle).expect("a handle stays");
                t = self.dim_to_name(&t, dim, *n);
            }
        }
        self.read_all(t, plan, otherwise, span)
    }

    /// The reads along dimensions: one gather for all of them.
    fn read_all(&mut self, t: Tens, plan: Vec<(NameId, Action)>, otherwise: Option<&'a Expr>, span: Span) -> Res<Tens> {
        let mut picks = Vec::new();
        let mut inside: Option<Tens> = None;
        let mut stretches = Vec::new();
        for (handle, action) in plan {
            let dim = match action {
                Action::Data(..) | Action::Range(..) => t.find(handle).expect("a handle stays"),
                Action::Name(..) | Action::Split(..) => continue,
            };
            let extent = self.extent(&t, dim);
            match action {
                Action::Data(index, at) => {
                    let mut index = index;
                    if otherwise.is_none() {
                        index = self.inside(&index, Some(handle), &extent, at)?;
                    } else {
                        let mask = self.within(&index, &extent)?;
                        inside = Some(match inside {
                            Some(m) => self.pointwise(Map::And, &[&m, &mask])?,
                            None => mask,
                        });
                    }
                    picks.push((dim, index));
                }
                Action::Range(from, length, at) => {
                    if !extent.sub(&from.add(&length)).at_least(0, 0) {
                        stretches.push(at);
                    }
                    let mut index = self.range_index(&from, length)?;
                    // Where nothing keeps it from being read, an axis that is too short is found when sizes are known.
                    if otherwise.is_none() && !self.scopes.guards().is_empty() {
                        index = self.inside(&index, Some(handle), &extent, at)?;
                    }
                    picks.push((dim, index));
                }
                Action::Name(..) | Action::Split(..) => {}
            }
        }
        if picks.is_empty() {
            return Ok(t);
        }
        let Some(otherwise) = otherwise else {
            // Places side by side that a condition keeps inside are no slice: nobody asks for all of them.
            let side_by_side = |c: &Self, t: &Tens| needs::stretch(c.build.graph(t.level), t.node).is_some();
            let kept = !self.scopes.guards().is_empty() && picks.iter().any(|(_, index)| side_by_side(self, index));
            let read = self.gather(&t, &picks, kept.then_some(0.0))?;
            if let Some(at) = stretches.first() {
                self.build.at_mut(&read).span = *at;
            }
            return Ok(read);
        };
        let value = self.expr(otherwise)?;
        let constant = matches!(&value, Value::Num(n) if n.known().is_some());
        if let Some(at) = stretches.first().filter(|_| !constant) {
            return self.fail(
                Diagnostic::error(Code::H0316, *at, "this range may reach outside, where only a number can be said to lie")
                    .help("read place by place: `let w[i < 4] = (v[i] else ..)`"),
            );
        }
        self.or_else(t, picks, inside, (value, otherwise.span), span)
    }

    /// A read that has a value where it reaches outside.
    fn or_else(
        &mut self,
        t: Tens,
        picks: Vec<(usize, Tens)>,
        inside: Option<Tens>,
        (value, at): (Value<'a>, Span),
        span: Span,
    ) -> Res<Tens> {
        // Beside whole numbers something real makes all of it real, as in `if`.
        let t = if t.dtype == DType::I32 && is_real(&value) { self.to_f32(&t) } else { t };
        if let Value::Num(n) = &value
            && let Some(v) = n.known()
            && t.dtype != DType::Bool
        {
            if t.dtype == DType::I32 {
                self.as_tens(value.clone(), at)?;
            }
            return self.gather(&t, &picks, Some(v));
        }
        let fill = match value {
            Value::Num(n) if t.dtype == DType::F32 => self.num_f32(&n),
            v => self.as_tens(v, at)?,
        };
        let fill = if t.dtype == DType::F32 && fill.dtype == DType::I32 { self.to_f32(&fill) } else { fill };
        if t.dtype != fill.dtype {
            let message = format!("this is {}, and what lies outside is {}", self.show(&t), self.show(&fill));
            return self.error(Code::H0506, at, message);
        }
        let Some(mask) = inside else { return self.gather(&t, &picks, None) };
        let read = self.gather(&t, &picks, Some(0.0))?;
        let spans = [(&mask, span), (&read, span), (&fill, at)];
        self.map(Map::Select, read.dtype, &spans, "`else`", span)
    }

    /// 0 <= index < extent
    fn within(&mut self, index: &Tens, extent: &Size) -> Res<Tens> {
        let zero = self.constant(0.0, DType::I32);
        let end = self.size_value(extent);
        let low = self.pointwise(Map::Le, &[&zero, index])?;
        let high = self.pointwise(Map::Lt, &[index, &end])?;
        self.pointwise(Map::And, &[&low, &high])
    }

    /// from, from + 1, .. as a vector.
    fn range_index(&mut self, from: &Size, length: Size) -> Res<Tens> {
        let axis = Axis::new("i", length);
        let counter = self.emit(Node::new(Op::Iota, DType::I32, vec![axis]), vec![Label::Sized], vec![]);
        if from.is(0) {
            return Ok(counter);
        }
        let start = self.size_value(from);
        self.pointwise(Map::Add, &[&counter, &start])
    }

    fn action(&mut self, index: &'a Index, own: Label, extent: &Size, place: Place) -> Res<Action> {
        let filled = place.filled;
        match index {
            Index::Along { value, .. } => {
                let sure = self.scopes.frame().sees_dims;
                self.action(value, own, extent, Place { sure, ..place })
            }
            Index::At(e) => {
                if let ExprKind::Record(_) = &*e.kind {
                    return self.error(Code::H0314, e.span, "this is no index");
                }
                match self.index_value(e)? {
                    IndexValue::Name(n) => {
                        if own == Label::Named(n) {
                            return Ok(Action::Name(n));
                        }
                        let (size, open) = (self.axes.size_of(n), self.axes.is_open(n));
                        if !self.axes.same(&size, extent) {
                            // What lies outside has a value: the index goes on over its own range.
                            if filled && !open {
                                return Ok(Action::Data(self.iota(n), e.span));
                            }
                            return self.range_error(n, extent, e.span, "places");
                        }
                        if filled && open {
                            self.axes.note_soft(n);
                        }
                        self.axes.note_range(n, e.span);
                        Ok(Action::Name(n))
                    }
                    IndexValue::Tens(t) => {
                        if let Op::Const(v) = self.build.at(&t).op
                            && t.labels.is_empty()
                            && !filled
                            && extent.constant().is_some_and(|n| v < 0.0 || v >= n as f64)
                        {
                            return Err(self.beyond(v, extent, e.span, place.sure));
                        }
                        Ok(Action::Data(t, e.span))
                    }
                }
            }
            Index::Range { from, to } => {
                let (a, b) = (self.size_of_expr(from)?, self.size_of_expr(to)?);
                let length = b.sub(&a);
                let bad = length.constant().is_some_and(|n| n < 0) || extent.sub(&b).constant().is_some_and(|n| n < 0);
                if bad {
                    let message = format!(
                        "`{}..{}` does not fit an axis of {}",
                        self.axes.show_size(&a),
                        self.axes.show_size(&b),
                        self.axes.show_size(extent)
                    );
                    return self.error(Code::H0316, from.span.to(to.span), message);
                }
                if let Some((name, n)) = self.outgrown(&extent.sub(&b)) {
                    let message = format!("this does not fit an axis of {} where `{name}` is {n}", self.axes.show_size(extent));
                    return self.error(Code::H0316, from.span.to(to.span), message);
                }
                Ok(Action::Range(a, length, from.span.to(to.span)))
            }
            Index::Merged(parts, at) => self.merged(parts, extent, *at),
            Index::Lifted(at) => {
                self.error(Code::H0314, *at, "`*` indexes nothing; it stands for lifted axes in reductions and draws")
            }
            Index::Rename { axis, .. } => {
                self.error(Code::H0314, axis.span, "an axis is renamed where a net is called: `net[t = patch](x)`")
            }
        }
    }

    /// Says that a number is no place of an axis.
    fn beyond(&mut self, v: f64, extent: &Size, at: Span, sure: bool) -> Said {
        let places = self.axes.show_size(extent);
        let message = format!("this is index {v}, and the axis has {places} places, numbered from 0");
        let d = Diagnostic::error(Code::H0316, at, message);
        let help = "the end is counted from the start";
        self.report.say(match extent.constant().filter(|n| v < 0.0 && -v <= *n as f64) {
            Some(n) if sure => d.fix(help, at, (n + v as i64).to_string()),
            Some(n) => d.help(format!(
                "{help}: the last place of this axis is {}; of an axis with a name it is `x[t: count[t] - 1]`",
                n - 1
            )),
            None => d,
        })
    }

    /// A size condition, and a value which it may have, for which there would be less than no `room`.
    fn outgrown(&self, room: &Size) -> Option<(String, i64)> {
        let (room, graph) = (self.axes.resolve(room), self.build.graph(0));
        self.out.model.inputs.iter().find_map(|input| {
            let values = match &input.kind {
                InputKind::Size(Allowed::List(list)) => list.clone(),
                InputKind::Size(Allowed::Range(a, b)) if a < b => vec![*a, b - 1],
                _ => return None,
            };
            let is = |s: &str| {
                graph
                    .measured
                    .iter()
                    .any(|(m, n)| **m == *s && matches!(&graph.node(*n).op, Op::Source { path, .. } if **path == *input.name))
            };
            let at = |n: i64| room.eval(&|s| is(s).then_some(n));
            let n = values.into_iter().find(|n| at(*n).is_some_and(|left| left < 0))?;
            Some((input.name.clone(), n))
        })
    }
}

/// Whether a value is no whole number, and no truth value.
fn is_real(value: &Value<'_>) -> bool {
    match value {
        Value::Tensor(t) => t.dtype == DType::F32,
        Value::Num(Num::Real(_)) => true,
        Value::Num(n) => n.known().is_some_and(|v| v.fract() != 0.0),
        _ => false,
    }
}
