//! graph → graph: what a row of a table decides is computed once for each row, where that is cheaper than for each that asks for one.
//!
//! Samples that say which of five tasks is theirs have five networks, however many samples there are; and the networks depend on no input, so
//! they are prepared. What a table has more rows than anybody asks for, or what a low-rank product says more cheaply, stays.
//!
//! In: a graph, what is wanted of it, all sizes. Out: a graph of the same meaning, and where the wanted nodes are; none where all stays as it is.

use super::Sizes;
use super::build::reachable;
use super::decide::{Choices, Decision, Place, Way, What};
use super::names::called;
use super::prices::{may_keep, shared};
use super::rewrite::expanded;
use super::view::value;
use super::weigh::weigh;
use crate::ir::pin::{EACH_ASKING, EACH_ROW, JOINS, MULTIPLIED_OUT};
use crate::ir::{Graph, Node, NodeId, Op, Operand, Origin, Output, OutputKind, Rate, Size};
use crate::opt::{Apiece, Request, Rows, apiece, settle};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// Beyond so many tables each that is left is asked as the model says it.
const TABLES: usize = 16;

pub(super) fn by_rows(graph: &Graph, wanted: &[NodeId], sizes: &Sizes, choices: &Choices) -> Option<(Graph, Vec<NodeId>)> {
    let whole = choices.silent();
    let as_it_is = taken(graph, wanted, Rows::All, sizes, &whole);
    if !as_it_is.possible {
        return None;
    }
    let mut all = vec![(as_it_is, whole)];
    // What a row decides may be a part of a product, and a part of a sum alone, as an update of low rank is.
    let apart = choices.silent();
    all.push((taken(graph, wanted, Rows::Apart, sizes, &apart), apart));
    for rows in [Rows::All, Rows::Apart] {
        let out = choices.silent();
        if let Some((graph, wanted)) = expanded(graph, wanted, &Graph::rates, sizes, &out) {
            all.push((taken(&graph, &wanted, rows, sizes, &out), out));
        }
    }
    // The one that saves most; the first where nothing does.
    let mut best = 0;
    for (k, (found, _)) in all.iter().enumerate() {
        if found.saves > all[best].0.saves {
            best = k;
        }
    }
    let (found, noted) = all.swap_remove(best);
    // What is left as it is will be decided once more.
    let changed = |d: &Decision| d.site.what == What::Tables || [MULTIPLIED_OUT, JOINS].contains(&&*d.ways[d.taken].text);
    choices.take_over(noted, &changed);
    found.graph
}

/// What came of a graph as it stands.
struct Taken {
    /// Another graph, and what is wanted of it, where it computes by rows.
    graph: Option<(Graph, Vec<NodeId>)>,
    /// Nanoseconds of a run that this saves; less than nothing where it is pinned, and nothing at all where the graph stays.
    saves: f64,
    /// Whether rows are asked for of which there are fewer than askers.
    possible: bool,
}

fn taken(graph: &Graph, wanted: &[NodeId], how: Rows, sizes: &Sizes, choices: &Choices) -> Taken {
    let (reach, rates) = (reachable(graph, wanted), graph.rates());
    let n = |size: &Size| value(size, sizes).max(0) as f64;
    // Of each request who asks and how many rows there are; those that have both in common are one.
    let asked: RefCell<BTreeMap<NodeId, (NodeId, Size)>> = RefCell::default();
    let possible = |r: &Request| {
        // What nobody wants may have sizes that nobody knows.
        if !reach[r.gather.index()] {
            return false;
        }
        let asking: f64 = graph.node(r.index).shape.iter().map(|a| n(&a.size)).product();
        let table = graph.operands(r.gather)[0].node;
        let ready = rates[table.index()] < Rate::Input && rates[r.index.index()] == Rate::Input;
        let rows = if ready { shared(n(&r.axis.size)) } else { n(&r.axis.size) };
        let possible = n(&r.axis.size) >= 1.0 && rows < asking;
        if possible {
            asked.borrow_mut().insert(r.gather, (r.index, r.axis.size.clone()));
        }
        possible
    };
    let all = apiece(graph, how, &possible);
    let tables: BTreeSet<NodeId> = all.made.iter().map(|m| m.gather).collect();
    let asked = asked.into_inner();
    let asking = Asking { graph, wanted, reach: &reach, rates: &rates, how, all: &all };
    let (mut taken, mut saves) = (BTreeSet::new(), 0.0);
    for first in tables.into_iter().take(TABLES) {
        let asks: BTreeSet<NodeId> = asked.iter().filter(|a| *a.1 == asked[&first]).map(|a| *a.0).collect();
        let Some(priced) = asking.priced(first, &asks, sizes, choices) else { continue };
        let mut ways = vec![Way::priced(EACH_ROW, priced.by_rows), Way::priced(EACH_ASKING, priced.asking)];
        ways.sort_by(|a, b| a.ns.unwrap_or(0.0).total_cmp(&b.ns.unwrap_or(0.0)));
        let table = graph.operands(first)[0].node;
        let decision = choices.choose(What::Tables, Place::of(graph.node(first)), &called(graph, table), ways);
        if decision.ways[decision.taken].text == EACH_ROW {
            taken.extend(asks);
            saves += priced.asking - priced.by_rows;
        }
        choices.note([decision]);
    }
    let possible = !asked.is_empty();
    if taken.is_empty() {
        return Taken { graph: None, saves: f64::NEG_INFINITY, possible };
    }
    let Apiece { graph: mut new, places, .. } = apiece(graph, how, &|r| taken.contains(&r.gather));
    let name: std::sync::Arc<str> = "wanted".into();
    let output = |w: &NodeId| Output { name: name.clone(), kind: OutputKind::Output, node: places[w.index()] };
    new.outputs = wanted.iter().map(output).collect();
    let mut new = settle(&new);
    let places = std::mem::take(&mut new.outputs).into_iter().map(|o| o.node).collect();
    Taken { graph: Some((new, places)), saves, possible }
}

/// What a run costs where what the rows of a table decide is computed once for each of them, and where it is for each that asks.
#[derive(Clone, Copy)]
pub(super) struct Priced {
    pub by_rows: f64,
    pub asking: f64,
}

/// A graph that asks for rows of tables.
pub(super) struct Asking<'a> {
    pub graph: &'a Graph,
    pub wanted: &'a [NodeId],
    /// Of each node, whether it is wanted, and how often it changes.
    pub reach: &'a [bool],
    pub rates: &'a [Rate],
    /// What may be computed by rows, and in which way.
    pub how: Rows,
    pub all: &'a Apiece,
}

impl Asking<'_> {
    /// Of the table that is read by `first` and others that ask the same. None: nothing is made by rows, or it may not be kept.
    pub fn priced(&self, first: NodeId, asks: &BTreeSet<NodeId>, sizes: &Sizes, choices: &Choices) -> Option<Priced> {
        let n = |size: &Size| value(size, sizes).max(0) as f64;
        let part = excerpt(self.graph, self.wanted, self.reach, self.rates, self.all, first);
        let rows = apiece(&part.graph, self.how, &|r| asks.contains(&part.old[r.gather.index()]));
        let wanted_by_rows: Vec<NodeId> = part.wanted.iter().map(|w| rows.places[w.index()]).collect();
        let kept: f64 = rows.made.iter().map(|m| rows.graph.node(m.node).shape.iter().map(|a| n(&a.size)).product::<f64>()).sum();
        let asking = weigh(&part.graph, &part.wanted, sizes, choices);
        let by_rows = weigh(&rows.graph, &wanted_by_rows, sizes, choices);
        let priced = !rows.made.is_empty() && may_keep(kept, 0.0) && by_rows.is_finite() && asking.is_finite();
        priced.then_some(Priced { by_rows, asking })
    }
}

/// A part of a graph, where what it begins with lies there.
struct Part {
    graph: Graph,
    wanted: Vec<NodeId>,
    /// The old node of each.
    old: Vec<NodeId>,
}

/// What differs between the ways for one table: all that is known by its rows, and who reads that.
fn excerpt(graph: &Graph, wanted: &[NodeId], reach: &[bool], rates: &[Rate], all: &Apiece, first: NodeId) -> Part {
    let mut inside: BTreeSet<NodeId> =
        all.known.iter().filter(|(id, by)| *by == first && reach[id.index()]).map(|(id, _)| *id).collect();
    let readers: Vec<NodeId> =
        inside.iter().flat_map(|id| graph.users(*id)).filter(|u| reach[u.index()] && weighed(graph.node(*u))).collect();
    inside.extend(readers);
    let mut out = Part { graph: graph.successor(), wanted: vec![], old: vec![] };
    let mut places = BTreeMap::new();
    for id in inside.iter().flat_map(|id| graph.operands(*id).iter().map(|o| o.node).chain([*id])).collect::<BTreeSet<_>>() {
        let node = graph.node(id);
        let (node, operands) = if inside.contains(&id) || graph.operands(id).is_empty() {
            let moved = graph.operands(id).iter().map(|o| Operand::new(places[&o.node], o.subscripts.clone()));
            (node.clone(), moved.collect())
        } else {
            let origin = match rates[id.index()] {
                Rate::Constant | Rate::Parameter => Origin::Param,
                Rate::Condition => Origin::Condition,
                Rate::Input => Origin::Input,
            };
            let path = format!("#{}", id.index()).into();
            (Node { op: Op::Source { origin, path }, inner: vec![], ..node.clone() }, vec![])
        };
        places.insert(id, out.graph.add(node, operands));
        out.old.push(id);
    }
    let last = |id: &NodeId| wanted.contains(id) || graph.users(*id).iter().any(|u| reach[u.index()] && !inside.contains(u));
    out.wanted = inside.iter().filter(|id| last(id)).map(|id| places[id]).collect();
    out
}

/// Whether a node that reads what is known by rows is a part of the price.
fn weighed(node: &Node) -> bool {
    match node.op {
        Op::Contract | Op::Fold(_) | Op::Map(_) | Op::Gather { .. } | Op::Reshape | Op::Concat { .. } | Op::Scan { .. } => true,
        Op::Source { .. } | Op::Const(_) | Op::Iota | Op::Extent(_) | Op::Random { .. } => false,
        Op::Scatter { .. } | Op::Inside(_) | Op::Order { .. } | Op::Assign => false,
        Op::Loop(_) | Op::Result(_) | Op::Arg(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::read::read;
    use crate::ir::verify::verify;
    use crate::plan::decide::Terms;

    /// What stands before the last line, where so many ask and a table has so many rows; none where the graph stays.
    fn at(text: &str, b: i64, k: i64) -> Option<Graph> {
        let graph = read(&text.replace("k=K", &format!("k={k}"))).unwrap_or_else(|e| panic!("{text}{e:?}"));
        let wanted: Vec<NodeId> = graph.outputs.iter().map(|o| o.node).collect();
        let (new, _) = by_rows(&graph, &wanted, &[("b".into(), b)].into(), &Choices::new(&Terms::default(), &graph))?;
        verify(&new).unwrap_or_else(|e| panic!("{e}\n{new}"));
        Some(new)
    }

    const GENERATED: &str = "%0: f32[k=K, z=16] = param \"table\"
         %1: i32[b] = input \"at\"
         %2: f32[b, z=16] = gather %0[%1[b], z]
         %3: f32[z=16, i=64, o=32] = param \"head\"
         %4: f32[b, i=64, o=32] = sum(z=16) %2[b, z] * %3[z, i, o]
         %5: f32[b, i=64, o=32] = tanh %4[b, i, o]
         %6: f32[b, i=64] = input \"x\"
         %7: f32[b, o=32] = sum(i=64) %6[b, i] * %5[b, i, o]
         output y = %7";

    #[test]
    fn few_rows_are_prepared_and_many_are_not() {
        // What is prepared is shared by 32 runs.
        for (b, k, whether) in
            [(256, 5, true), (4, 5, true), (1, 5, true), (1, 20, true), (1, 40, false), (256, 100_000, false), (0, 5, false)]
        {
            assert_eq!(at(GENERATED, b, k).is_some(), whether, "{b} {k}");
        }
        let new = at(GENERATED, 256, 5).unwrap();
        let tanh = new.ids().find(|id| matches!(new.node(*id).op, Op::Map(crate::ir::Map::Tanh))).unwrap();
        assert!(new.rates()[tanh.index()] < Rate::Input, "{new}");
    }

    #[test]
    fn a_low_rank_product_stays_what_it_is() {
        let text = "%0: f32[k=K, i=256, r=4] = param \"down\"
             %1: f32[k=K, r=4, o=256] = param \"up\"
             %2: i32[b] = input \"at\"
             %3: f32[b, i=256, r=4] = gather %0[%2[b], i, r]
             %4: f32[b, r=4, o=256] = gather %1[%2[b], r, o]
             %5: f32[b, i=256] = input \"x\"
             %6: f32[b, o=256] = sum(i=256, r=4) %5[b, i] * %3[b, i, r] * %4[b, r, o]
             output y = %6";
        for b in [1, 64, 2048] {
            assert!(at(text, b, 4).is_none(), "{b}");
        }
    }

    /// The update alone is known by rows; with the weight that it is added to it would be a matrix for each of them.
    #[test]
    fn factors_that_a_network_writes_are_made_for_each_row() {
        let text = "%0: f32[k=K, z=64] = param \"table\"
             %1: i32[b] = input \"at\"
             %2: f32[b, z=64] = gather %0[%1[b], z]
             %3: f32[z=64, i=256, r=8] = param \"down\"
             %4: f32[z=64, r=8, o=256] = param \"up\"
             %5: f32[b, i=256, r=8] = sum(z=64) %2[b, z] * %3[z, i, r]
             %6: f32[b, i=256, r=8] = tanh %5[b, i, r]
             %7: f32[b, r=8, o=256] = sum(z=64) %2[b, z] * %4[z, r, o]
             %8: f32[b, r=8, o=256] = tanh %7[b, r, o]
             %9: f32[b, i=256, o=256] = sum(r=8) %6[b, i, r] * %8[b, r, o]
             %10: f32[i=256, o=256] = param \"w\"
             %11: f32[b, i=256, o=256] = add %10[i, o], %9[b, i, o]
             %12: f32[b, i=256] = input \"x\"
             %13: f32[b, o=256] = sum(i=256) %12[b, i] * %11[b, i, o]
             output y = %13";
        // Whether it is a value by itself or a part of a product of five factors.
        let bare = text.replace("tanh %5", "copy %5").replace("tanh %7", "copy %7");
        for text in [text, &crate::opt::optimize(&read(&bare.replace("k=K", "k=16")).unwrap(), &mut |_, _| {}).to_string()] {
            let new = at(text, 1024, 16).expect("it is less work");
            // Neither an update nor a weight for each row or sample.
            let wide = |id| new.node(id).shape.iter().filter(|a| a.size.is(256)).count();
            assert!(new.ids().all(|id| new.node(id).rank() < 3 || wide(id) < 2), "{new}");
        }
        assert!(at(text, 4, 100_000).is_none());
    }

    #[test]
    fn a_table_that_a_run_brings_has_to_be_shorter_than_those_who_ask() {
        let text = GENERATED.replace("param \"table\"", "input \"table\"");
        assert!(at(&text, 4, 5).is_none() && at(&text, 5, 5).is_none() && at(&text, 64, 5).is_some());
    }
}
