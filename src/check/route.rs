//! Routing: experts chosen by data, seats, mixtures of parameters.

use super::builtin::Call;
use super::filter::Filter;
use super::index::IndexValue;
use super::model::RouteInfo;
use super::value::{Label, NameId, NetVal, Pick, Tens, Value};
use super::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::size::SizeFn;
use crate::ir::{DType, Fold, Map, Node, Op, Operand, Size};
use crate::source::Span;
use crate::syntax::ast::{self, Index, RouteExpr};

/// How many seats there are.
enum SeatsOf {
    /// So many at each expert.
    All(Size),
    /// One number, or one for each example; at each expert.
    Each(Tens),
    /// A number for each expert, and where the experts are chosen.
    Expert(Tens, Span),
}

/// A capacity factor that is beyond all numbers of experts.
const MANY: f64 = 1e9;

/// What chooses experts: their numbers, their weights, who has a seat where seats are counted, how many slots there are.
struct Slots {
    index: Tens,
    /// Where the numbers are written.
    at: Span,
    weight: Tens,
    admitted: Option<Filter>,
    count: Option<Size>,
}

impl<'a> Checker<'a> {
    /// An array of nets that is not indexed yet.
    fn open_array(&mut self, value: Value<'a>, at: Span) -> Res<(NetVal, NameId)> {
        let Value::Net(net) = value else {
            let message = format!("an array of nets is wanted here, and this is {}", value.kind());
            let d = Diagnostic::error(Code::H0351, at, message);
            let d = if matches!(value, Value::Family(_)) {
                d.help("nets that data chooses must be equal: `sub expert[n] = ..`")
            } else {
                d
            };
            return self.fail(d);
        };
        match self.nets.open_arrays(&net).as_slice() {
            [axis] => Ok((net, *axis)),
            [] => self.error(Code::H0351, at, "this is one net; an array of nets is wanted here"),
            _ => self.error(Code::H0351, at, "this net stands in several arrays; index all but one of them"),
        }
    }

    /// `route x over experts at index by weight { capacity: c per [axes] }`
    pub fn route_expr(&mut self, r: &'a RouteExpr, span: Span) -> Res<Value<'a>> {
        let x = self.expr(&r.value)?;
        let over = self.expr(&r.over)?;
        let (net, axis) = self.open_array(over, r.over.span)?;
        let index = self.expr(&r.at)?;
        let index = self.index_tens(index, r.at.span)?;
        let weight = match self.expr(&r.by)? {
            Value::Num(n) => self.num_f32(&n),
            v => self.as_tens(v, r.by.span)?,
        };
        self.arithmetic(&weight, r.by.span)?;
        let weight = self.to_f32(&weight);
        if index.sized().len() > 1 {
            let message = format!("`at` wants the numbers of the chosen experts, [k], and this is {}", self.show(&index));
            return self.error(Code::H0352, r.at.span, message);
        }
        let slots = index.sized().first().map(|d| self.extent(&index, *d));
        let own = self.sized_extents(&weight);
        let fits = match (&slots, own.as_slice()) {
            (Some(k), [n]) => self.axes.same(k, n),
            (None, []) | (Some(_), []) => true,
            _ => false,
        };
        if !fits {
            let message = format!("`by` wants a weight for each slot, and this is {}", self.show(&weight));
            return self.fail(
                Diagnostic::error(Code::H0352, r.by.span, message).label(r.at.span, format!("the slots: {}", self.show(&index))),
            );
        }
        let experts = self.axes.size_of(axis);
        let mut capacity = None;
        let mut admitted = None;
        for option in &r.options {
            if &*option.name.name != "capacity" {
                return self.fail(
                    Diagnostic::error(Code::H0353, option.name.span, format!("a route has no option `{}`", option.name.name))
                        .help("there is `capacity: c per [axes]`"),
                );
            }
            let (seats, group, c) = self.seats(option, &slots, &experts)?;
            capacity = Some(c);
            admitted = Some((self.admitted(&index, SeatsOf::All(seats), &group, Some(&experts))?, option.name.span));
        }
        let seated = admitted.as_ref().map(|(mask, _): &(Tens, Span)| mask);
        let outside = index.level == 0 && seated.is_none_or(|s| s.level == 0 && s.labels == index.labels);
        let chosen = outside.then(|| (index.node, seated.map(|s| s.node)));
        self.out.model.routes.push(RouteInfo {
            chosen,
            over: self.nets[net.inst].path.clone(),
            experts,
            slots: Some(slots.clone().unwrap_or(Size::from(1i64))),
            capacity,
            span,
        });
        let slots = Slots { index, at: r.at.span, weight, admitted, count: slots };
        self.routed(x, r.value.span, net, axis, slots, span)
    }

    /// sum[s where admitted[s]] weight[s] * expert[index[s]](x)
    fn routed(&mut self, x: Value<'a>, at: Span, mut net: NetVal, axis: NameId, mut slots: Slots, span: Span) -> Res<Value<'a>> {
        let slot = slots.count.take().map(|k| self.axes.new_name("slot", k, Some(span)));
        if let Some(s) = slot {
            let mut name = |t: &Tens| t.sized().first().map_or_else(|| t.clone(), |d| self.dim_to_name(t, *d, s));
            slots.index = name(&slots.index);
            slots.weight = name(&slots.weight);
            slots.admitted = slots.admitted.map(|(mask, at)| (name(&mask), at));
        }
        // Who has no seat needs no expert: his number may be any, and what an index picks for him may lie anywhere.
        let seated = slots.admitted.as_ref().map(|(mask, _)| mask.clone());
        let y = self.assuming(seated, |c| {
            c.chosen(&slots, &mut net, axis)?;
            c.call_net(net, vec![(x, at)], &mut [], span)
        })?;
        self.weigh(y, &slots, slot, span)
    }

    /// Picks the expert of each slot.
    fn chosen(&mut self, slots: &Slots, net: &mut NetVal, axis: NameId) -> Res<()> {
        let experts = self.axes.size_of(axis);
        let index = self.inside(&slots.index, Some(axis), &experts, slots.at)?;
        net.picks.push((axis, Pick::Data(index)));
        Ok(())
    }

    fn weigh(&mut self, y: Value<'a>, slots: &Slots, slot: Option<NameId>, span: Span) -> Res<Value<'a>> {
        if let Value::Record(fields) = y {
            let mut out = Vec::new();
            for (n, v) in fields.iter() {
                out.push((n.clone(), self.weigh(v.clone(), slots, slot, span)?));
            }
            return Ok(Value::Record(out.into()));
        }
        let t = self.as_tens(y, span)?;
        let t = self.to_f32(&t);
        let Some(s) = slot else {
            let y = self.map(Map::Mul, DType::F32, &[(&slots.weight, span), (&t, span)], "`route`", span)?;
            return match &slots.admitted {
                Some(admitted) => self.zero_outside(&y, span, admitted, span).map(Value::Tensor),
                None => Ok(Value::Tensor(y)),
            };
        };
        let mut factors = [(self.spread(&slots.weight, &[s]), span), (t, span)];
        let guard = match &slots.admitted {
            Some(admitted) => self.guard_product(&mut factors, admitted, span)?,
            None => None,
        };
        let factors: Vec<&Tens> = factors.iter().map(|(t, _)| t).chain(&guard).collect();
        self.contract(&factors, &[s], span).map(Value::Tensor)
    }

    /// Seats of each expert, the axes that they are for, and the factor as written.
    fn seats(&mut self, option: &'a ast::RouteOption, slots: &Option<Size>, experts: &Size) -> Res<(Size, Vec<NameId>, f64)> {
        let Some(per) = &option.per else {
            return self.fail(
                Diagnostic::error(Code::H0354, option.name.span, "a capacity is counted among examples: among which?")
                    .help("`capacity: 1.25 per [*]` counts all that the call is lifted over; `per [t]` counts along `t`"),
            );
        };
        let mut group = vec![];
        for axis in per {
            match axis {
                ast::AxisExpr::Lifted(_) => group.extend(self.scopes.frame().lifted.clone()),
                ast::AxisExpr::Expr(e) => {
                    let name = match &*e.kind {
                        ast::ExprKind::Name(w) => match self.meaning(w) {
                            super::word::Meaning::Axis(n) => Some(n),
                            super::word::Meaning::Local(super::scope::Binding::Index(n)) => Some(n),
                            _ => None,
                        },
                        _ => None,
                    };
                    match name {
                        Some(n) => group.push(n),
                        None => return self.error(Code::H0318, e.span, "this is no axis here"),
                    }
                }
            }
        }
        if group.is_empty() {
            return self.fail(
                Diagnostic::error(Code::H0354, option.name.span, "a capacity wants axes, and there are none here")
                    .help("it is counted among examples: name the axes that they lie along, `per [b, t]`"),
            );
        }
        let factor = self.expr(&option.value)?;
        let Value::Num(factor) = factor else {
            return self.error(Code::H0354, option.value.span, "a capacity factor is a number");
        };
        let Some(c) = factor.known() else { return self.unknown(option.value.span, "a capacity factor") };
        if c.is_nan() || c < 0.0 {
            return self.error(Code::H0354, option.value.span, "a capacity factor is not negative");
        }
        let n = group.iter().fold(Size::from(1i64), |p, n| p.mul(&self.axes.size_of(*n)));
        let k = slots.clone().unwrap_or(Size::from(1i64));
        let slots = n.mul(&k);
        // Each could take everybody; beyond, the product of the factor and the slots is no number that can be counted with.
        if experts.constant().map_or(c >= MANY, |n| c >= n as f64) {
            return Ok((slots, group, c));
        }
        // A decimal is the fraction that was written, so that `ceil` is exact.
        let (num, den) = fraction(c);
        let all = slots.mul(&Size::fraction(num, den));
        let Some(share) = all.div(experts) else { return self.error(Code::H0351, option.value.span, "there are no experts") };
        Ok((Size::apply(SizeFn::Ceil, vec![share]), group, c))
    }

    /// `admitted[*](index, seats)`
    pub fn admitted_call(&mut self, call: Call<'a>) -> Res<Value<'a>> {
        let (at, axes) = (call.at, call.axes);
        let [(index, index_at), (seats, seats_at)] = self.values(call.args)?;
        let index = self.index_tens(index, index_at)?;
        let seats = match seats {
            Value::Num(n) => SeatsOf::All(self.whole(Value::Num(n), seats_at)?),
            v => {
                let t = self.index_tens(v, seats_at)?;
                match t.sized().len() {
                    0 => SeatsOf::Each(t),
                    1 => SeatsOf::Expert(t, index_at),
                    _ => {
                        let message = format!("seats are one number, or a number for each net, and this is {}", self.show(&t));
                        return self.fail(
                            Diagnostic::error(Code::H0359, seats_at, message).help(
                                "a name, such as `b`, gives each example a number of its own; a size gives one to each net",
                            ),
                        );
                    }
                }
            }
        };
        let mut group = vec![];
        for a in axes {
            match a {
                Index::Lifted(_) => group.extend(self.scopes.frame().lifted.clone()),
                Index::At(e) => match self.index_value(e)? {
                    IndexValue::Name(n) => group.push(n),
                    IndexValue::Tens(_) => return self.error(Code::H0318, e.span, "this is no axis here"),
                },
                other => return self.error(Code::H0318, super::index::index_span(other), "this is no axis here"),
            }
        }
        if group.is_empty() {
            return self.fail(
                Diagnostic::error(Code::H0354, at, "`admitted` wants axes: among which examples are the seats?")
                    .help("`admitted[*](..)` counts all that the call is lifted over"),
            );
        }
        if index.sized().len() > 1 {
            let message = format!("this is {}; the numbers of the chosen experts are one vector", self.show(&index));
            return self.error(Code::H0352, index_at, message);
        }
        let experts = match &seats {
            SeatsOf::Expert(t, _) => Some(self.extent(t, t.sized()[0])),
            SeatsOf::All(_) | SeatsOf::Each(_) => None,
        };
        self.admitted(&index, seats, &group, experts.as_ref()).map(Value::Tensor)
    }

    /// Who has a seat: slot 0 of all examples first, in order of position.
    fn admitted(&mut self, index: &Tens, seats: SeatsOf, group: &[NameId], experts: Option<&Size>) -> Res<Tens> {
        let index = self.spread(index, group);
        let slot = index.sized().first().map(|d| (*d, self.axes.new_name("slot", self.extent(&index, *d), None)));
        let index = match slot {
            Some((d, s)) => self.dim_to_name(&index, d, s),
            None => index,
        };
        // One queue: slots outermost, then the axes in order.
        let queue: Vec<NameId> = slot.iter().map(|(_, s)| *s).chain(group.iter().copied()).collect();
        let length = queue.iter().fold(Size::from(1i64), |p, n| p.mul(&self.axes.size_of(*n)));
        let lined = self.names_to_sizes(index.clone(), &queue);
        let lined = self.reshape(&lined, vec![length.clone()]);
        let place = self.axes.new_name("queue", length.clone(), None);
        let dim = lined.sized()[0];
        let lined = self.dim_to_name(&lined, dim, place);
        let rank = match experts {
            Some(n) => self.rank_by_scan(&lined, place, n)?,
            None => self.rank_by_pairs(&lined, place, length.clone())?,
        };
        // Back to the slots and axes.
        let rank = self.names_to_sizes(rank, &[place]);
        let sizes: Vec<Size> = queue.iter().map(|n| self.axes.size_of(*n)).collect();
        let mut rank = self.reshape(&rank, sizes);
        for n in queue.iter().rev() {
            let dim = *rank.sized().last().expect("a size for each");
            rank = self.dim_to_name(&rank, dim, *n);
        }
        let seats = match seats {
            // More seats than a queue can be long are enough for everybody.
            SeatsOf::All(n) => self.size_value(&n.constant().map_or(n, |k| Size::from(k.min(i64::from(i32::MAX))))),
            SeatsOf::Each(t) => t,
            SeatsOf::Expert(t, at) => {
                let dim = t.sized()[0];
                let extent = self.extent(&t, dim);
                let index = self.inside(&index, None, &extent, at)?;
                self.gather(&t, &[(dim, index)], None)?
            }
        };
        let has = self.pointwise(Map::Le, &[&rank, &seats])?;
        match slot {
            Some((_, s)) => Ok(self.names_to_sizes(has, &[s])),
            None => Ok(has),
        }
    }

    /// For each place of a queue, how many up to it chose the same expert: a running count for each expert.
    fn rank_by_scan(&mut self, lined: &Tens, place: NameId, experts: &Size) -> Res<Tens> {
        let e = self.axes.new_name("expert", experts.clone(), None);
        let number = self.iota(e);
        let same = self.pointwise(Map::Eq, &[lined, &number])?;
        let ones = self.pointwise(Map::ToI32, &[&same])?;
        let axes = self.build.at(&ones).shape.clone();
        let axis = ones.find(place).expect("in line");
        let operand = self.build.node(&ones);
        let identity = (0..axes.len()).collect();
        let counts =
            self.emit(Node::new(Op::Scan { axis }, DType::I32, axes), ones.labels.clone(), vec![Operand::new(operand, identity)]);
        let dim = counts.find(e).expect("an expert");
        // Who asks for an expert that is not there is the first to do so: with a seat, that is a mistake.
        let first = (!self.lies_inside(lined, experts)).then_some(1.0);
        self.gather(&counts, &[(dim, lined.clone())], first)
    }

    /// The same without the number of experts: every place is compared with all that come before it.
    fn rank_by_pairs(&mut self, lined: &Tens, place: NameId, length: Size) -> Res<Tens> {
        let other = self.axes.new_name("before", length, None);
        let them = self.relabel(lined, place, Label::Named(other));
        let same = self.pointwise(Map::Eq, &[lined, &them])?;
        let (mine, theirs) = (self.iota(place), self.iota(other));
        let earlier = self.pointwise(Map::Le, &[&theirs, &mine])?;
        let both = self.pointwise(Map::And, &[&same, &earlier])?;
        let ones = self.pointwise(Map::ToI32, &[&both])?;
        Ok(self.fold(Fold::Sum, &ones, &[other]))
    }

    /// `blend(experts, p)`: one net whose parameters are the mixture.
    pub fn blend(&mut self, call: Call<'a>) -> Res<Value<'a>> {
        let span = call.span;
        let [(over, over_at), (p, p_at)] = self.values(call.args)?;
        let (mut net, axis) = self.open_array(over, over_at)?;
        let p = match p {
            Value::Num(n) => {
                return self.error(Code::H0355, p_at, format!("one number, {}, is no mixture", n.known().unwrap_or(0.0)));
            }
            v => self.as_tens(v, p_at)?,
        };
        self.arithmetic(&p, p_at)?;
        let p = self.to_f32(&p);
        let n = self.axes.size_of(axis);
        let own = self.sized_extents(&p);
        let fits = matches!(own.as_slice(), [k] if self.axes.same(k, &n));
        if !fits {
            let message =
                format!("a mixture of {} nets wants as many weights, and this is {}", self.axes.show_size(&n), self.show(&p));
            return self.error(Code::H0355, p_at, message);
        }
        self.out.model.routes.push(RouteInfo {
            chosen: None,
            over: self.nets[net.inst].path.clone(),
            experts: n,
            slots: None,
            capacity: None,
            span,
        });
        net.picks.push((axis, Pick::Mix(p)));
        Ok(Value::Net(net))
    }
}

/// A decimal as written, as a fraction.
fn fraction(v: f64) -> (i64, i64) {
    let mut den = 1i64;
    let mut x = v;
    while (x - x.round()).abs() > 1e-9 * x.abs().max(1.0) && den < 1_000_000_000 {
        den *= 10;
        x = v * den as f64;
    }
    (x.round() as i64, den)
}
