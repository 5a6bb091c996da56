//! graph → graph: sums in products are multiplied out, and what is prepared joins the product that reads it, where that is cheaper.
//!
//! `sum(i) x[b, i] * (w[i, o] + sum(r) a[b, i, r] * u[b, r, o])` is `sum(i) x w + sum(i, r) x a u` where the sum in the parentheses would be
//! larger than all that it is made of and the price says so, or a weight with an update. What else is added to a value of the sum's own size
//! stays, for rounding is worse when it is multiplied out (`(x - mean(x)) @ w`), and so do a difference of two values that lie there, and an update
//! that sums what the weight is made of.
//!
//! In: a graph, what is wanted of it, its rates, all sizes. Out: a graph of the same meaning to within rounding, and where the wanted nodes
//! are; none where all stays as it is.

use super::Sizes;
use super::decide::{Choices, Decision, Place, Way, What};
use super::measured::plan::JOINED_GAIN;
use super::names::called;
use super::order::{Search, bits};
use super::prices::shared;
use super::view;
use crate::ir::pin::{JOINS, MADE, MADE_ONCE, MULTIPLIED_OUT};
use crate::ir::{Axis, Graph, Map, Node, NodeId, Op, Operand, Output, OutputKind, Rate};
use crate::opt::{Facts, Product, Rebuild, rebuild};
use std::collections::{BTreeMap, BTreeSet};

mod squares;

/// How deep sums in products are multiplied out.
const DEPTH: usize = 4;

/// What a sum of products becomes.
enum Form {
    One(Product),
    Two(Map, Box<[Form; 2]>),
}

/// A form, and what was decided on the way to it.
struct Formed {
    form: Form,
    notes: Vec<Decision>,
}

pub(super) fn expand(
    graph: &Graph,
    wanted: &[NodeId],
    rates: &[Rate],
    sizes: &Sizes,
    choices: &Choices,
) -> Option<(Graph, Vec<NodeId>)> {
    let known = Known { facts: Facts::new(graph, wanted.iter().copied(), rates.to_vec()), sizes, choices };
    let reach = super::build::reachable(graph, wanted);
    let forms: BTreeMap<NodeId, Form> =
        graph.ids().filter(|id| reach[id.index()]).filter_map(|id| Some((id, known.decide(id)?))).collect();
    if forms.is_empty() {
        return None;
    }
    let mut kept = graph.clone();
    let name: std::sync::Arc<str> = "wanted".into();
    kept.outputs = wanted.iter().map(|node| Output { name: name.clone(), kind: OutputKind::Output, node: *node }).collect();
    // Bodies are planned by themselves.
    let mut new = rebuild(&kept, Graph::clone, |r, id| match forms.get(&id) {
        Some(form) => emit(r, id, form),
        None => r.keep(id),
    });
    new = crate::opt::settle(&new);
    let places = std::mem::take(&mut new.outputs).into_iter().map(|o| o.node).collect();
    Some((new, places))
}

/// Which of some values nobody makes any more when sums are multiplied out and products joined: they are factors of what reads them, at a gain.
pub(super) fn unmade(
    graph: &Graph,
    wanted: &[NodeId],
    rates: &[Rate],
    sizes: &Sizes,
    choices: &Choices,
    made: &[NodeId],
) -> Vec<bool> {
    let known = Known { facts: Facts::new(graph, wanted.iter().copied(), rates.to_vec()), sizes, choices };
    let mut forms = BTreeMap::new();
    let mut left = vec![false; graph.len()];
    let mut open = wanted.to_vec();
    let mut dear = BTreeSet::new();
    while let Some(id) = open.pop() {
        if std::mem::replace(&mut left[id.index()], true) {
            continue;
        }
        match forms.entry(id).or_insert_with(|| known.decide(id)) {
            Some(form) => {
                dear.extend(known.joined_at_a_loss(id, form, made));
                form.factors(&mut |f| open.push(f));
            }
            None => open.extend(graph.operands(id).iter().map(|o| o.node)),
        }
    }
    made.iter().map(|id| !left[id.index()] && !dear.contains(id)).collect()
}

impl Form {
    fn factors(&self, f: &mut dyn FnMut(NodeId)) {
        match self {
            Form::One(p) => p.factors.iter().for_each(|o| f(o.node)),
            Form::Two(_, parts) => parts.iter().for_each(|p| p.factors(f)),
        }
    }
}

struct Known<'g> {
    facts: Facts<'g>,
    sizes: &'g Sizes,
    choices: &'g Choices<'g>,
}

impl Known<'_> {
    fn points(&self, axes: &[Axis]) -> f64 {
        axes.iter().map(|a| self.extent(a)).product()
    }

    fn extent(&self, axis: &Axis) -> f64 {
        view::value(&axis.size, self.sizes).max(0) as f64
    }

    fn shape(&self, id: NodeId) -> f64 {
        self.points(&self.facts.graph.node(id).shape)
    }

    /// Another form of a sum of products that is cheaper than itself.
    fn decide(&self, id: NodeId) -> Option<Form> {
        let product = Product::of_sum(self.facts.graph, id).filter(Product::fits)?;
        if self.points(&product.loops) == 0.0 {
            return None;
        }
        let Formed { form, notes } = self.form(id, product.clone(), DEPTH);
        self.choices.note(notes);
        match form {
            Form::One(p) if p == product => None,
            form => Some(form),
        }
    }

    fn form(&self, id: NodeId, product: Product, depth: usize) -> Formed {
        let mut notes = vec![];
        let flat = self.prepared(id, self.facts.flatten(id, product), &mut notes);
        let flat = self.squares(flat, &mut notes);
        for at in (0..flat.factors.len()).filter(|_| depth > 0) {
            if let Some(form) = self.multiply_out(id, &flat, at, depth, &mut notes) {
                return Formed { form, notes };
            }
        }
        Formed { form: Form::One(flat), notes }
    }

    /// Whether the other way is taken, where one is as it stands; notes it.
    fn takes_other(&self, what: What, about: NodeId, (now, other): (Way, Way), notes: &mut Vec<Decision>) -> bool {
        let cheaper = other.ns < now.ns;
        let place = Place::of(self.facts.graph.node(about));
        let ways = if cheaper { vec![other, now] } else { vec![now, other] };
        let decision = self.choices.choose(what, place, &called(self.facts.graph, about), ways);
        let first = decision.taken == 0;
        notes.push(decision);
        first == cheaper
    }

    /// Which of some values a product reads that has none of them in another form, and is no cheaper in it than with them made.
    fn joined_at_a_loss(&self, id: NodeId, form: &Form, made: &[NodeId]) -> Vec<NodeId> {
        let (Form::One(flat), Some(product)) = (form, Product::of_sum(self.facts.graph, id)) else { return Vec::new() };
        let read = product.factors.iter().map(|f| f.node).filter(|f| made.contains(f));
        let making = |f: NodeId| {
            let inner = Product::of(self.facts.graph, f).map(|p| self.facts.flatten(f, p));
            inner.map_or(0.0, |p| self.price(&p)) + self.choices.prices().touch(self.shape(f))
        };
        let gains = |f: &NodeId| self.price(flat) < (1.0 - JOINED_GAIN) * (self.price(&product) + making(*f));
        read.filter(|f| !gains(f)).collect()
    }

    /// What computing a product costs each time that it is computed.
    fn price(&self, p: &Product) -> f64 {
        let extents: Vec<f64> = p.loops.iter().map(|a| self.extent(a)).collect();
        let early: Vec<bool> = p.factors.iter().map(|f| self.facts.is_early(f.node)).collect();
        let masks = p.factors.iter().map(|f| bits(&f.subscripts)).collect();
        Search { prices: self.choices.prices(), extents: &extents, result: (1 << p.rank) - 1, masks, early: &early }.least(&[])
    }

    fn price_of(&self, id: NodeId, form: &Form) -> f64 {
        let written = self.choices.prices().touch(self.shape(id));
        match form {
            Form::One(p) => self.price(p),
            Form::Two(_, parts) => parts.iter().map(|p| self.price_of(id, p)).sum::<f64>() + written,
        }
    }

    /// Opens factors that are prepared where the product becomes cheaper by more than preparing them costs.
    fn prepared(&self, id: NodeId, mut p: Product, notes: &mut Vec<Decision>) -> Product {
        let mut at = 0;
        while at < p.factors.len() {
            let factor = p.factors[at].node;
            let opened = self.facts.open(&p, at).filter(|_| self.facts.is_prepared(factor, id));
            let taken = opened.filter(|opened| {
                let apart = Way::priced(MADE_ONCE, self.price(&p) + shared(self.making(factor))).holding(self.shape(factor));
                let joined = self.price(opened);
                let ways = (apart, Way::priced(JOINS, joined));
                joined.is_finite() && self.takes_other(What::Prepared, factor, ways, notes)
            });
            match taken {
                Some(opened) => p = opened,
                None => at += 1,
            }
        }
        p
    }

    /// What computing the value of a product costs by itself.
    fn making(&self, id: NodeId) -> f64 {
        let inner = Product::of(self.facts.graph, id).filter(|_| self.facts.is_read_once(id));
        inner.map_or(0.0, |p| self.price(&p) + self.choices.prices().touch(self.shape(id)))
    }

    /// The two products that stand for one whose factor `at` is a sum of two, when that is cheaper.
    fn multiply_out(&self, id: NodeId, p: &Product, at: usize, depth: usize, notes: &mut Vec<Decision>) -> Option<Form> {
        let factor = p.factors[at].node;
        let node = self.facts.graph.node(factor);
        let Op::Map(map @ (Map::Add | Map::Sub)) = node.op else { return None };
        if !p.fits() || !self.facts.is_read_once(factor) {
            return None;
        }
        let making = self.avoided(factor)?;
        let once = self.facts.is_early(factor) && !self.facts.is_early(id);
        let whole = self.price(p) + if once { shared(making) } else { making };
        let addends = self.facts.graph.operands(factor);
        let parts = [0, 1].map(|n| self.form(id, p.put(at, &addends[n]), depth - 1));
        let below = parts.iter().flat_map(|p| p.notes.clone()).collect::<Vec<_>>();
        let form = Form::Two(map, Box::new(parts.map(|p| p.form)));
        let out = self.price_of(id, &form);
        let ways = (Way::priced(MADE, whole).holding(self.shape(factor)), Way::priced(MULTIPLIED_OUT, out));
        if !out.is_finite() || !self.takes_other(What::Sum, factor, ways, notes) {
            return None;
        }
        notes.extend(below);
        Some(form)
    }

    /// What making the value of a node costs that multiplying out would not make; `None` where it had better be made.
    fn avoided(&self, made: NodeId) -> Option<f64> {
        let mut parts = Parts { size: self.shape(made), ..Parts::default() };
        self.addend(made, &mut parts)?;
        let fine = (!parts.whole || !parts.loose) && parts.bare <= 1 && !self.cancels(&parts);
        fine.then_some(parts.ns)
    }

    /// Whether an addend that sums larger values is made of what another one is made of, too: then they may nearly be opposites.
    fn cancels(&self, parts: &Parts) -> bool {
        let graph = self.facts.graph;
        let is_source = |id: &NodeId| matches!(graph.node(*id).op, Op::Source { .. });
        let made_of = |id: &NodeId| graph.needs_of(*id).into_iter().filter(is_source).collect::<BTreeSet<_>>();
        let others = |large: &NodeId| parts.addends.iter().filter(|a| *a != large).map(made_of).collect::<Vec<_>>();
        parts.large.iter().any(|large| {
            let own = made_of(large);
            others(large).iter().any(|other| !own.is_disjoint(other))
        })
    }

    fn addend(&self, made: NodeId, parts: &mut Parts) -> Option<()> {
        let graph = self.facts.graph;
        let (own, once) = (self.shape(made), self.facts.is_read_once(made));
        if once && matches!(graph.node(made).op, Op::Map(Map::Add | Map::Sub)) {
            parts.ns += self.choices.prices().touch(own);
            return graph.operands(made).iter().try_for_each(|o| self.addend(o.node, parts));
        }
        parts.addends.push(made);
        if let Some(p) = Product::of(graph, made).filter(|p| once && p.fits()) {
            parts.bare += usize::from(self.is_bare(made, &p));
            parts.ns += self.price(&p);
            let largest = p.factors.iter().map(|f| self.shape(f.node)).fold(0.0, f64::max);
            parts.loose |= largest == parts.size;
            parts.large.extend((largest > parts.size).then_some(made));
            return Some(());
        }
        parts.bare += 1;
        let whole = own >= parts.size;
        *(if whole { &mut parts.whole } else { &mut parts.loose }) = true;
        (!whole || self.is_weight(made)).then_some(())
    }

    /// Whether a product is a value and its scale, which need not be rounded.
    fn is_bare(&self, id: NodeId, p: &Product) -> bool {
        let flat = self.facts.flatten(id, p.clone());
        let summed = |f: &Operand| matches!(self.facts.graph.node(f.node).op, Op::Contract | Op::Fold(_));
        let mut large = flat.factors.iter().filter(|f| self.shape(f.node) > 1.0);
        flat.loops.len() == flat.rank && large.next().is_none_or(|f| !summed(f)) && large.next().is_none()
    }

    /// Whether a value lies there before any input is known: a parameter, or those of it that data pick.
    fn is_weight(&self, id: NodeId) -> bool {
        let graph = self.facts.graph;
        let picked = matches!(graph.node(id).op, Op::Gather { .. }) && self.facts.is_early(graph.operands(id)[0].node);
        picked || self.facts.is_early(id)
    }
}

/// What a sum in a product is made of.
#[derive(Default)]
struct Parts {
    /// Elements of the sum.
    size: f64,
    /// What making it costs.
    ns: f64,
    /// Whether there is a value of its own size that lies there: a weight, to which something is added.
    whole: bool,
    /// Whether there is one beside which a value may nearly vanish: a mean.
    loose: bool,
    /// Addends that lie there. What is computed was rounded by as much as it may lose where others nearly are its opposite; of two values that lie
    /// there the difference has digits that neither of their sums has.
    bare: usize,
    /// What is added, and which of it are sums over values larger than the whole.
    addends: Vec<NodeId>,
    large: Vec<NodeId>,
}

/// Builds a form in the place of node `id`.
fn emit(r: &mut Rebuild, id: NodeId, form: &Form) -> Operand {
    match form {
        Form::One(p) => p.emit(r, id),
        Form::Two(map, parts) => {
            let operands = parts.iter().map(|p| emit(r, id, p)).collect();
            let node = Node { op: Op::Map(*map), inner: Vec::new(), name: None, ..r.old.node(id).clone() };
            r.add(node, operands)
        }
    }
}

#[cfg(test)]
mod tests;
