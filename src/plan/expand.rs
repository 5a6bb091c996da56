//! graph → graph: sums in products are multiplied out, and what is prepared joins the product that reads it, where that is cheaper.
//!
//! `sum(i) x[b, i] * (w[i, o] + sum(r) a[b, i, r] * u[b, r, o])` is `sum(i) x w + sum(i, r) x a u` where the sum in the parentheses would be
//! larger than all that it is made of and the price says so, or a weight with an update of smaller parts. What else is added to a value of
//! the sum's own size stays, for rounding is worse when it is multiplied out (`(x - mean(x)) @ w`).
//!
//! In: a graph, what is wanted of it, its rates, all sizes. Out: a graph of the same meaning to within rounding, and where the wanted nodes
//! are; none where all stays as it is.

use super::Sizes;
use super::decide::{Choices, Decision, Place, Way, What};
use super::names::called;
use super::order::{Search, bits};
use super::prices::shared;
use super::view;
use crate::ir::pin::{JOINS, MADE, MADE_ONCE, MULTIPLIED_OUT};
use crate::ir::{Axis, Graph, Map, Node, NodeId, Op, Operand, Output, OutputKind, Rate};
use crate::opt::{Facts, Product, Rebuild, rebuild};
use std::collections::BTreeMap;

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
                let apart = Way::priced(MADE_ONCE, self.price(&p) + shared(self.making(factor)));
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
        let ways = (Way::priced(MADE, whole), Way::priced(MULTIPLIED_OUT, out));
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
        (!parts.whole || !parts.loose).then_some(parts.ns)
    }

    fn addend(&self, made: NodeId, parts: &mut Parts) -> Option<()> {
        let graph = self.facts.graph;
        let (own, once) = (self.shape(made), self.facts.is_read_once(made));
        if once && matches!(graph.node(made).op, Op::Map(Map::Add | Map::Sub)) {
            parts.ns += self.choices.prices().touch(own);
            return graph.operands(made).iter().try_for_each(|o| self.addend(o.node, parts));
        }
        if let Some(p) = Product::of(graph, made).filter(|p| once && p.fits()) {
            parts.ns += self.price(&p);
            let largest = p.factors.iter().map(|f| self.shape(f.node)).fold(0.0, f64::max);
            parts.loose |= largest == parts.size;
            return (largest <= parts.size).then_some(());
        }
        let whole = own >= parts.size;
        *(if whole { &mut parts.whole } else { &mut parts.loose }) = true;
        (!whole || self.is_weight(made)).then_some(())
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
mod tests {
    use super::*;
    use crate::ir::interp::evaluate;
    use crate::ir::read::read;
    use crate::ir::verify::verify;
    use crate::ir::{Bindings, DType, Data, Tensor};
    use crate::plan::decide::Terms;

    /// The graph that a text becomes where `b` is so long, and what of it is wanted; none where it stays. Its meaning stays, too.
    fn at(text: &str, b: i64) -> Option<String> {
        let graph = read(text).unwrap_or_else(|e| panic!("{text}{e:?}"));
        let sizes: Sizes = [("b".into(), b)].into();
        let wanted: Vec<NodeId> = graph.outputs.iter().map(|o| o.node).collect();
        let (new, places) = expand(&graph, &wanted, &graph.rates(), &sizes, &Choices::new(&Terms::default(), &graph))?;
        verify(&new).unwrap_or_else(|e| panic!("{e}\n{new}"));
        let mut bound = Bindings { sizes: sizes.clone(), ..Bindings::default() };
        for (k, id) in graph.ids().enumerate() {
            let Op::Source { path, .. } = &graph.node(id).op else { continue };
            let shape: Vec<usize> = graph.node(id).shape.iter().map(|a| view::value(&a.size, &sizes) as usize).collect();
            let count: usize = shape.iter().product();
            let number = |n: usize| ((n * 37 + k * 11) % 101) as f64 / 50.0 - 1.0;
            let data = match graph.node(id).dtype {
                DType::I32 => Data::I32((0..count).map(|n| (n * 7 % 4) as i32).collect()),
                DType::F32 | DType::Bool => Data::F64((0..count).map(number).collect()),
            };
            bound.sources.insert(path.to_string(), Tensor::new(shape, data));
        }
        let (before, after) = (evaluate(&graph, &bound, &wanted).unwrap(), evaluate(&new, &bound, &places).unwrap());
        for (a, b) in before.iter().zip(&after) {
            assert_eq!(a.shape, b.shape);
            let largest = a.to_f64().iter().fold(1.0f64, |m, x| m.max(x.abs()));
            assert!(a.to_f64().iter().zip(b.to_f64()).all(|(x, y)| (x - y).abs() <= 1e-12 * largest));
        }
        let ops: Vec<String> = new.to_string().lines().filter(|l| l.contains("sum(")).map(str::to_string).collect();
        Some(ops.join("\n"))
    }

    #[test]
    fn an_update_of_each_sample_is_multiplied_out() {
        let text = "%0: f32[b, i=64] = input \"x\"
             %1: f32[i=64, o=64] = param \"w\"
             %2: f32[b, i=64, r=4] = input \"a\"
             %3: f32[b, r=4, o=64] = input \"u\"
             %4: f32[b, i=64, o=64] = sum(r=4) %2[b, i, r] * %3[b, r, o]
             %5: f32[b, i=64, o=64] = add %1[i, o], %4[b, i, o]
             %6 y: f32[b, o=64] = sum(i=64) %0[b, i] * %5[b, i, o]
             output y = %6";
        for b in [1, 2, 3, 64, 1000] {
            assert_eq!(
                at(text, b).as_deref(),
                Some(
                    "%4: f32[b, o=64] = sum(i=64) %0[b, i] * %1[i, o]\n\
                     %5: f32[b, o=64] = sum(i=64, r=4) %0[b, i] * %2[b, i, r] * %3[b, r, o]"
                ),
                "{b}"
            );
        }
        // Nobody is there to have an update.
        assert_eq!(at(text, 0), None);
    }

    #[test]
    fn an_update_that_many_samples_share_is_made_once() {
        let text = "%0: f32[b, i=64] = input \"x\"
             %1: f32[i=64, o=64] = param \"w\"
             %2: f32[i=64, r=4] = input \"a\"
             %3: f32[r=4, o=64] = input \"u\"
             %4: f32[i=64, o=64] = sum(r=4) %2[i, r] * %3[r, o]
             %5: f32[i=64, o=64] = add %1[i, o], %4[i, o]
             %6 y: f32[b, o=64] = sum(i=64) %0[b, i] * %5[i, o]
             output y = %6";
        assert!(at(text, 1).is_some() && at(text, 4).is_some());
        assert!(at(text, 1000).is_none() && at(text, 100_000).is_none());
    }

    #[test]
    fn two_updates_and_a_scale_are_multiplied_out() {
        let text = "%0: f32[b, i=64] = input \"x\"
             %1: f32[i=64, o=64] = param \"w\"
             %2: f32[b, i=64] = input \"s\"
             %3: f32[b, o=64] = input \"t\"
             %4: f32[b, i=64, o=64] = mul %1[i, o], %2[b, i]
             %5: f32[b, i=64, o=64] = mul %2[b, i], %3[b, o]
             %6: f32[b, i=64, o=64] = add %1[i, o], %4[b, i, o]
             %7: f32[b, i=64, o=64] = sub %6[b, i, o], %5[b, i, o]
             %8: f32[b, o=64] = sum(i=64) %0[b, i] * %7[b, i, o]
             output y = %8";
        let found = at(text, 32).unwrap();
        assert_eq!(found.lines().count(), 3, "{found}");
        assert!(!found.contains("f32[b, i=64, o=64]"), "{found}");
    }

    #[test]
    fn a_centred_value_is_not_multiplied_out() {
        let text = "%0: f32[b, i=64] = input \"x\"
             %1: f32[b] = input \"mean\"
             %2: f32[b, i=64] = sub %0[b, i], %1[b]
             %3: f32[i=64, o=8] = param \"w\"
             %4: f32[b, o=8] = sum(i=64) %2[b, i] * %3[i, o]
             output y = %4";
        assert_eq!([1, 7, 1000].map(|b| at(text, b)), [None, None, None]);
    }

    #[test]
    fn an_update_of_a_weight_that_data_pick_is_multiplied_out() {
        let text = "%0: f32[b, i=32] = input \"x\"
             %1: i32[b] = input \"e\"
             %2: f32[n=4, i=32, o=16] = param \"w\"
             %3: f32[b, i=32, o=16] = gather %2[%1[b], i, o]
             %4: f32[n=4, i=32, r=2] = param \"a\"
             %5: f32[b, i=32, r=2] = gather %4[%1[b], i, r]
             %6: f32[n=4, r=2, o=16] = param \"u\"
             %7: f32[b, r=2, o=16] = gather %6[%1[b], r, o]
             %8: f32[b, i=32, o=16] = sum(r=2) %5[b, i, r] * %7[b, r, o]
             %9: f32[b, i=32, o=16] = add %3[b, i, o], %8[b, i, o]
             %10: f32[b, o=16] = sum(i=32) %0[b, i] * %9[b, i, o]
             output y = %10";
        for b in [1, 3, 100] {
            let found = at(text, b).unwrap();
            assert!(found.lines().count() == 2 && !found.contains("f32[b, i=32, o=16] = sum"), "{found}");
        }
    }

    #[test]
    fn a_centred_weight_is_not_multiplied_out() {
        let text = "%0: f32[b, i=64] = input \"x\"
             %1: f32[i=64, o=8] = param \"w\"
             %2: f32[o=8] = fold sum(i=64) %1[i, o]
             %3: f32 = const 0.015625
             %4: f32[o=8] = mul %2[o], %3
             %5: f32[i=64, o=8] = sub %1[i, o], %4[o]
             %6: f32[b, o=8] = sum(i=64) %0[b, i] * %5[i, o]
             output y = %6";
        assert_eq!([1, 2, 1000].map(|b| at(text, b)), [None, None, None]);
        let read_twice = format!("{text}\n output mean = %4");
        assert_eq!([1, 2, 1000].map(|b| at(&read_twice, b)), [None, None, None]);
    }

    #[test]
    fn weights_of_each_condition_are_kept_only_where_that_is_cheaper() {
        let text = |n: i64, codes: &str| {
            format!(
                "%0: f32[b, i={n}] = input \"x\"
             %1: f32[{codes}z=16] = condition \"z\"
             %2: f32[z=16, i={n}, r={n}] = param \"g\"
             %3: f32[r={n}, o={n}] = param \"u\"
             %4: f32[{codes}i={n}, o={n}] = sum(z=16, r={n}) %1[{}z] * %2[z, i, r] * %3[r, o]
             %5: f32[b, o={n}] = sum(i={n}) %0[b, i] * %4[{}i, o]
             output y = %5",
                codes.replace(' ', "").replace(',', ", "),
                codes.replace(' ', "").replace(',', ", "),
            )
        };
        // One condition for all rows: the matrix is made once. One for each row: what it is made of is.
        assert_eq!(at(&text(64, ""), 1000), None);
        assert!(at(&text(48, "b, "), 96).is_some());
    }
}
