//! Which box hands values to which, read off the graph.
//!
//! In: the model, and a scene with its boxes. Out: the edges of values and relations, and the rate of every net. A node of the graph says in
//! which net's body it was made, and of which parameter it is the value by a relation. What a net without parts makes is its own; what a
//! net with parts, or the model, makes of its parts' values is no box: it has the boxes that it was made from ([`Trace::from`]). Parameters
//! are known apart ([`Trace::weights`]) until something else is made of them. Bodies of loops are walked like the rest, twice, so that what one
//! round hands to the next is seen.

use super::scene::{Kind, Link, Scene, plain};
use crate::check::model::{Model, RelationInfo, RelationKind};
use crate::ir::{Graph, Map, NodeId, Op, Origin, OutputKind, Rate, Written};
use std::collections::{BTreeMap, BTreeSet};

/// Where a value comes from.
#[derive(Clone)]
struct Trace {
    from: BTreeSet<usize>,
    /// Boxes whose parameters it is, as they are.
    weights: BTreeSet<usize>,
    rate: Rate,
}

impl Trace {
    fn none(rate: Rate) -> Trace {
        Trace { from: BTreeSet::new(), weights: BTreeSet::new(), rate }
    }
}

/// The results of loops, in the order in which `Result` counts them.
type Results = BTreeMap<NodeId, Vec<Trace>>;

struct Walk<'m> {
    model: &'m Model,
    scene: &'m mut Scene,
    /// Arrays of which data choose.
    routed: Vec<usize>,
}

/// Adds the edges, and finds the rate of every net.
pub fn trace(model: &Model, scene: &mut Scene) {
    let routed = model.routes.iter().filter_map(|r| scene.net_of(&plain(&r.over))).collect();
    let mut walk = Walk { model, scene, routed };
    let traces = walk.graph(&model.graph, &[], &model.graph.rates());
    for o in model.graph.outputs.iter().filter(|o| o.kind != OutputKind::Update) {
        if let Some(to) = walk.scene.output(&o.name) {
            let t = &traces[o.node.index()];
            let mut from = t.from.clone();
            from.extend(walk.scene.together(&t.weights));
            from.into_iter().for_each(|f| walk.scene.link(f, to, Link::Flow));
        }
    }
}

impl Walk<'_> {
    /// Walks a graph; `args` are the values of a body's arguments, `rates` those of the model's own nodes.
    fn graph(&mut self, graph: &Graph, args: &[Trace], rates: &[Rate]) -> Vec<Trace> {
        let mut traces: Vec<Trace> = Vec::with_capacity(graph.len());
        let mut results = Results::new();
        for id in graph.ids() {
            let operands: Vec<&Trace> = graph.operands(id).iter().map(|o| &traces[o.node.index()]).collect();
            let rate = operands
                .iter()
                .map(|t| t.rate)
                .max()
                .unwrap_or(Rate::Constant)
                .max(rates.get(id.index()).copied().unwrap_or(Rate::Constant));
            let node = graph.node(id);
            let mut trace = match &node.op {
                Op::Source { origin, path } => self.source(*origin, path, rate),
                Op::Arg(k) => args.get(*k).cloned().unwrap_or_else(|| Trace::none(rate)),
                Op::Loop(body) => {
                    let starts: Vec<Trace> = operands.iter().map(|t| (*t).clone()).collect();
                    results.insert(id, self.rounds(&body.graph, body.carries, body.stop, &starts));
                    Trace::none(rate)
                }
                Op::Result(k) => {
                    let known = graph.operands(id).first().and_then(|o| results.get(&o.node)?.get(*k));
                    known.cloned().unwrap_or_else(|| Trace::none(rate))
                }
                op => {
                    let own = node.writes.as_ref().and_then(|w| self.scene.find(&plain(&w.path)));
                    let net = self.scene.net_of(&plain(node.net.as_deref().unwrap_or("")));
                    match op {
                        // What chooses among the values of a form.
                        Op::Gather { .. } if self.forms(operands[0]) => self.chosen(&operands, rate),
                        // A net that mixes its own parameters makes no value yet.
                        _ if own.is_some() && own == net => self.made(None, false, &operands, rate),
                        _ => self.made(net, matches!(op, Op::Map(Map::Add)), &operands, rate),
                    }
                }
            };
            if let Some(written) = &node.writes {
                trace = self.written(written, &operands, trace);
            }
            traces.push(trace);
        }
        traces
    }

    /// Walks the body of a loop; its results.
    fn rounds(&mut self, body: &Graph, carries: usize, stop: bool, starts: &[Trace]) -> Vec<Trace> {
        let mut args: Vec<Trace> = std::iter::once(Trace::none(Rate::Constant)).chain(starts.iter().cloned()).collect();
        let mut ends = vec![];
        for _ in 0..2 {
            let traces = self.graph(body, &args, &[]);
            ends = body.outputs.iter().map(|o| traces[o.node.index()].clone()).collect();
            for k in 0..carries.min(ends.len()) {
                let (start, end) = (&starts[k], &mut ends[k]);
                if end.from.is_empty() && end.weights.is_empty() {
                    (end.from, end.weights) = (start.from.clone(), start.weights.clone());
                }
                end.rate = end.rate.max(start.rate);
                args[1 + k] = end.clone();
            }
        }
        if stop && carries < ends.len() {
            ends.remove(carries);
        }
        ends
    }

    fn source(&self, origin: Origin, path: &str, rate: Rate) -> Trace {
        let mut out = Trace::none(rate);
        let here = self.scene.find(&plain(path));
        match origin {
            Origin::Seed => {}
            Origin::Input | Origin::Condition => out.from.extend(here),
            Origin::Param | Origin::State | Origin::Load => out.weights.extend(here),
        }
        out
    }

    /// A value that is made in a net's body of these.
    fn made(&mut self, net: Option<usize>, sum: bool, operands: &[&Trace], rate: Rate) -> Trace {
        let mut out = Trace::none(rate);
        for o in operands {
            out.from.extend(&o.from);
            out.weights.extend(&o.weights);
        }
        match net.filter(|k| !self.scene.has_parts(*k)) {
            Some(net) => self.applied(net, out),
            None => {
                if out.from.is_empty() {
                    return out;
                }
                out.from.append(&mut std::mem::take(&mut out.weights));
                self.without_detours(sum, &mut out.from);
                out
            }
        }
    }

    /// Whether a value is parameters of forms and nothing else.
    fn forms(&self, t: &Trace) -> bool {
        t.from.is_empty() && !t.weights.is_empty() && t.weights.iter().all(|k| self.scene.items[*k].kind == Kind::Form)
    }

    /// One of the values that a form has: whatever chooses it hands it something.
    fn chosen(&mut self, operands: &[&Trace], rate: Rate) -> Trace {
        let by: BTreeSet<usize> = operands[1..].iter().flat_map(|o| o.from.iter().copied()).collect();
        for form in &operands[0].weights {
            by.iter().filter(|f| !self.scene.comes_from(**f, *form)).copied().collect::<Vec<_>>().into_iter().for_each(|f| {
                self.scene.link(f, *form, Link::Flow);
            });
        }
        Trace { rate, ..operands[0].clone() }
    }

    /// A net without parts makes something of its parameters and of what it is given.
    fn applied(&mut self, net: usize, made: Trace) -> Trace {
        let mut given: Vec<usize> = made.from.iter().copied().filter(|f| *f != net).collect();
        let tied = |f: &usize| self.scene.edges.iter().any(|e| e.from == *f && e.to == net && e.link == Link::Tie);
        given.extend(made.weights.iter().copied().filter(|f| *f != net && !tied(f)));
        for f in &given {
            // An edge back is the next round of an array or a loop; the array's count says as much.
            if !self.scene.comes_from(*f, net) {
                self.scene.link(*f, net, Link::Flow);
            }
        }
        self.scene.raise(net, made.rate);
        let own = BTreeSet::from([net]);
        match made.from.is_empty() && given.is_empty() {
            true => Trace { weights: own, ..Trace::none(made.rate) },
            false => Trace { from: own, ..Trace::none(made.rate) },
        }
    }

    /// What is only handed past another one is no source of its own: `x + f(x)` is the value of `f`, and whoever chooses among
    /// the nets of an array and weighs what they give is seen at the array.
    fn without_detours(&self, sum: bool, from: &mut BTreeSet<usize>) {
        let scene = &self.scene;
        let chosen = |k: usize, o: usize| {
            self.routed.iter().any(|r| scene.within(o, *r) && scene.edges.iter().any(|e| e.from == k && scene.within(e.to, *r)))
        };
        let round = |k: usize, o: usize| scene.comes_from(o, k) && !scene.comes_from(k, o) && (sum || chosen(k, o));
        let all = from.clone();
        from.retain(|k| !all.iter().any(|o| o != k && round(*k, *o)));
    }

    /// The value of a parameter by a relation: edges from what it was made of.
    fn written(&mut self, written: &Written, operands: &[&Trace], trace: Trace) -> Trace {
        let Some(own) = self.scene.find(&plain(&written.path)) else { return trace };
        let says = |r: &&RelationInfo| r.kind.word() == written.by && r.params.contains(&written.path);
        let relation = self.model.relations.iter().find(says);
        let link = match (written.by, relation) {
            ("blend", _) => Link::Blend,
            ("value", _) if self.scene.items[own].kind != Kind::Form => return trace,
            ("value", _) => Link::Flow,
            (_, r) => r.and_then(|r| Link::of(r.kind)).unwrap_or(Link::Generate),
        };
        let whole = relation.filter(|r| r.target.ends_with(".*")).and_then(|r| self.scene.find(&plain(&r.target)));
        let to = whole.filter(|w| self.scene.within(own, *w)).unwrap_or(own);
        // What is changed keeps what it was; the rest of the operands changes it.
        let sources: BTreeSet<usize> = match link {
            Link::Adapt | Link::Scale | Link::Blend => {
                let mut all: BTreeSet<usize> = operands.iter().flat_map(|o| o.from.union(&o.weights).copied()).collect();
                all.remove(&own);
                all
            }
            _ => trace.from.union(&trace.weights).copied().collect(),
        };
        sources.into_iter().for_each(|f| self.scene.link(f, to, link));
        self.scene.raise(own, trace.rate);
        Trace { weights: BTreeSet::from([own]), ..Trace::none(trace.rate) }
    }
}

/// Relations of which the graph knows no value: nobody reads what they write.
pub fn unread(model: &Model, scene: &mut Scene) {
    for r in model.relations.iter().filter(|r| r.kind != RelationKind::Tie) {
        let Some(link) = Link::of(r.kind) else { continue };
        let targets: Vec<usize> = r.params.iter().filter_map(|p| scene.find(&plain(p))).collect();
        let drawn = |k: &usize| scene.edges.iter().any(|e| e.link == link && (scene.within(*k, e.to) || scene.within(e.to, *k)));
        if targets.is_empty() || targets.iter().all(drawn) {
            continue;
        }
        let to = scene.find(&plain(&r.target)).unwrap_or(targets[0]);
        let sources: Vec<usize> = r.sources.iter().filter_map(|s| scene.find(&plain(s))).collect();
        let nets = sources.iter().any(|k| scene.items[*k].is_net());
        for from in sources {
            if !nets || scene.items[from].is_net() {
                scene.link(from, to, link);
            }
        }
    }
}
