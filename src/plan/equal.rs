//! graph → graph: rows of a batch that are equal, and what they decide computed once for all of them.
//!
//! Of 64 requests with a code each often some have the same. Whoever runs a graph finds the rows that differ, and gives them as a table, and for
//! each row of the batch which of the table's it is. The graph that takes them like that means the same, and [`super::tables`] decides as for any
//! table what is computed once for each of its rows. What a code and a style decide together is the same where both are: several sources may be
//! looked at as one. How many rows differ nobody knows before it runs: this says of which sources it is worth finding out.

use super::Sizes;
use super::build::reachable;
use super::decide::{By, Choices, Place, Terms, Way, What};
use super::measured::plan::EQUAL_ROWS;
use super::names::called;
use super::rewrite::expanded;
use super::tables::{Asking, Priced};
use super::view::value;
use crate::ir::pin::{FOR_EACH_ROW, ONCE_IF_EQUAL};
use crate::ir::{Axis, DType, Graph, Node, NodeId, Op, Operand, Origin, Output, Pick, Rate, Size, Sym};
use crate::opt::{Rows, apiece};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A graph that takes the rows of sources as tables, and which of them each is.
#[derive(Clone, Debug)]
pub struct Equal {
    pub graph: Graph,
    /// Where the wanted nodes are in it.
    pub wanted: Vec<NodeId>,
    /// The sources: what each has along its first axis are the rows of its table. Two rows of a batch are equal where they are in all of them.
    pub paths: Vec<Arc<str>>,
    /// How many there are.
    pub rows: Sym,
    /// The source that says for each row of the batch, as an i32, which of the tables' it is.
    pub index: Arc<str>,
    gathers: Vec<NodeId>,
    /// Somebody asks for it, whatever it costs.
    pinned: bool,
}

/// Sets of sources that are looked at, at most: those that decide the largest values.
const SETS: usize = 8;
/// Sources of a batch that are told apart.
const TOLD: usize = 32;

/// For each set of sources whose equal rows are worth finding, the graph that takes them so; those that save most come first.
pub fn equal(graph: &Graph, wanted: &[NodeId], sizes: &Sizes, terms: &Terms) -> Vec<Equal> {
    let mut found = decided(graph, wanted, sizes, &Choices::new(terms, graph));
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    found.into_iter().map(|(equal, _)| equal).collect()
}

/// Likewise, with what each saves of a run in which one row of so many differs. Each decision is noted.
pub(super) fn decided(graph: &Graph, wanted: &[NodeId], sizes: &Sizes, choices: &Choices) -> Vec<(Equal, f64)> {
    sets(graph, wanted, sizes).into_iter().filter_map(|set| one(graph, wanted, &set, sizes, choices)).collect()
}

/// Sources of one batch that alone decide something which is larger than they are together.
fn sets(graph: &Graph, wanted: &[NodeId], sizes: &Sizes) -> Vec<Vec<NodeId>> {
    let reach = reachable(graph, wanted);
    let batch = |id: NodeId| graph.node(id).shape.first().map(|a| &a.size);
    let sources: Vec<NodeId> = graph.ids().filter(|id| reach[id.index()] && comes_late(graph, *id)).collect();
    let candidates: Vec<NodeId> = sources.iter().copied().filter(|id| is_candidate(graph, *id, sizes)).collect();
    let mut out: Vec<(f64, Vec<NodeId>)> = Vec::new();
    let mut batches: Vec<&Size> = candidates.iter().filter_map(|id| batch(*id)).collect();
    batches.sort();
    batches.dedup();
    for size in batches {
        let told: Vec<NodeId> = sources.iter().copied().filter(|id| batch(*id) == Some(size)).take(TOLD).collect();
        // Which of them each value hangs on, a bit each.
        let mut on = vec![0u32; graph.len()];
        let mut largest: BTreeMap<u32, f64> = BTreeMap::new();
        for id in graph.ids().filter(|id| reach[id.index()]) {
            let own = told.iter().position(|s| *s == id).map_or(0, |k| 1 << k);
            on[id.index()] = graph.operands(id).iter().fold(own, |m, o| m | on[o.node.index()]);
            let known = largest.entry(on[id.index()]).or_default();
            *known = known.max(elements(graph, id, sizes));
        }
        for (mask, largest) in largest {
            let set: Vec<NodeId> = told.iter().enumerate().filter(|(k, _)| mask >> k & 1 == 1).map(|(_, id)| *id).collect();
            let rows: f64 = set.iter().map(|id| elements(graph, *id, sizes)).sum();
            if largest > rows && !set.is_empty() && set.iter().all(|id| candidates.contains(id)) {
                out.push((largest, set));
            }
        }
    }
    out.sort_by(|a, b| b.0.total_cmp(&a.0));
    out.into_iter().take(SETS).map(|(_, set)| set).collect()
}

fn elements(graph: &Graph, id: NodeId, sizes: &Sizes) -> f64 {
    // What nobody wants may have sizes that nobody knows.
    graph.node(id).shape.iter().map(|a| value(&a.size, sizes).max(0) as f64).product()
}

/// Whether it is a source that comes with a condition or a run.
fn comes_late(graph: &Graph, id: NodeId) -> bool {
    matches!(graph.node(id).op, Op::Source { origin: Origin::Input | Origin::Condition, .. })
}

/// Whether it is a batch of values, and nobody asks for its rows by number yet.
fn is_candidate(graph: &Graph, id: NodeId, sizes: &Sizes) -> bool {
    let node = graph.node(id);
    let Some(batch) = node.shape.first().filter(|_| node.dtype == DType::F32) else { return false };
    let by_number = |user: &NodeId| match &graph.node(*user).op {
        Op::Gather { picks, .. } => graph.operands(*user)[0].node == id && matches!(picks[0], Pick::Operand(_)),
        _other => false,
    };
    value(&batch.size, sizes) >= 2 && !graph.users(id).iter().all(by_number)
}

fn one(graph: &Graph, wanted: &[NodeId], sources: &[NodeId], sizes: &Sizes, choices: &Choices) -> Option<(Equal, f64)> {
    let mut equal = Equal::of(graph, wanted, sources);
    if !equal.conditions(sizes) {
        return None;
    }
    let node = graph.node(*sources.first()?);
    let batch = value(&node.shape[0].size, sizes).max(0);
    let priced = equal.priced(&equal.with(sizes, (batch / EQUAL_ROWS).max(1)), choices)?;
    let mut ways = [(ONCE_IF_EQUAL, priced.by_rows), (FOR_EACH_ROW, priced.asking)];
    if ways[1].1 <= ways[0].1 {
        ways.reverse();
    }
    let texts = ways.iter().map(|(text, ns)| Way::priced(*text, *ns)).collect();
    let names: Vec<String> = sources.iter().map(|id| called(graph, *id)).collect();
    let decision = choices.choose(What::Equal, Place::of(node), &names.join(" · "), texts);
    let taken = ways[decision.taken].0 == ONCE_IF_EQUAL;
    equal.pinned = decision.by != By::Planner;
    choices.note([decision]);
    taken.then_some((equal, priced.asking - priced.by_rows))
}

impl Equal {
    /// All sizes, where so many rows differ.
    pub fn with(&self, sizes: &Sizes, rows: i64) -> Sizes {
        let mut sizes = sizes.clone();
        sizes.insert(self.rows.clone(), rows);
        sizes
    }

    /// Whether it is the better way at these sizes, or the one that somebody pins.
    pub fn pays(&self, sizes: &Sizes, terms: &Terms) -> bool {
        let choices = Choices::new(terms, &self.graph);
        self.pinned || self.priced(sizes, &choices).is_some_and(|p| p.by_rows < p.asking)
    }

    /// Whether a row decides more than it says, for something else that its sample brings: a code does so for weights, and a sample itself for nothing.
    /// Nobody asks of all that comes with a run whether it is there twice.
    fn conditions(&self, sizes: &Sizes) -> bool {
        let graph = &self.graph;
        let all = apiece(graph, Rows::All, &|r| self.gathers.contains(&r.gather));
        let (reach, rates) = (reachable(graph, &self.wanted), graph.rates());
        // What nobody wants may have sizes that nobody knows.
        let known: BTreeSet<NodeId> = all.known.iter().map(|(id, _)| *id).filter(|id| reach[id.index()]).collect();
        let brought = |o: &Operand| !known.contains(&o.node) && rates[o.node.index()] == Rate::Input;
        let meets = |id: &NodeId| {
            let readers = graph.users(*id).into_iter().filter(|u| reach[u.index()] && !known.contains(u));
            readers.into_iter().any(|u| graph.operands(u).iter().any(brought))
        };
        let said = self.said(sizes);
        known.iter().filter(|id| elements(graph, **id, sizes) > said).any(meets)
    }

    /// What a run costs with a table, reading every row once more and comparing it among that, and what without. None: nothing is made by rows.
    fn priced(&self, sizes: &Sizes, choices: &Choices) -> Option<Priced> {
        // As tables have it: whole, or an update of low rank by itself, as it is multiplied out.
        let out = expanded(&self.graph, &self.wanted, &Graph::rates, sizes, &choices.silent());
        let graphs = [Some((&self.graph, &self.wanted)), out.as_ref().map(|(graph, wanted)| (graph, wanted))];
        let ways = graphs.into_iter().flatten().flat_map(|g| [Rows::All, Rows::Apart].map(|how| (g, how)));
        let all = ways.filter_map(|((graph, wanted), how)| self.priced_as(graph, wanted, how, sizes, choices));
        let priced = all.max_by(|a, b| (a.asking - a.by_rows).total_cmp(&(b.asking - b.by_rows)))?;
        Some(Priced { by_rows: priced.by_rows + choices.prices().touch(self.said(sizes)), ..priced })
    }

    /// Elements of the rows of a batch.
    fn said(&self, sizes: &Sizes) -> f64 {
        self.gathers.iter().map(|id| elements(&self.graph, *id, sizes)).sum()
    }

    fn priced_as(&self, graph: &Graph, wanted: &[NodeId], how: Rows, sizes: &Sizes, choices: &Choices) -> Option<Priced> {
        let asks = |id: NodeId| matches!(&graph.node(id).op, Op::Source { path, .. } if *path == self.index);
        let all = apiece(graph, how, &|r| asks(r.index));
        let all_of: BTreeSet<NodeId> = all.made.iter().map(|m| m.gather).collect();
        let first = *all_of.first()?;
        let (reach, rates) = (reachable(graph, wanted), graph.rates());
        let asking = Asking { graph, wanted, reach: &reach, rates: &rates, how, all: &all };
        asking.priced(first, &all_of, sizes, choices)
    }

    fn of(graph: &Graph, wanted: &[NodeId], sources: &[NodeId]) -> Equal {
        let mut new = graph.successor();
        let mut places: Vec<NodeId> = Vec::with_capacity(graph.len());
        let path = |id: NodeId| match &graph.node(id).op {
            Op::Source { path, .. } => path.clone(),
            _other => unreachable!("candidates are sources"),
        };
        let paths: Vec<Arc<str>> = sources.iter().map(|id| path(*id)).collect();
        let (rows, index) = (free_size(graph, &paths[0]), free_path(graph, &paths[0]));
        // What comes with a run decides when it is known which rows are equal.
        let is_late = |id: &&NodeId| matches!(graph.node(**id).op, Op::Source { origin: Origin::Input, .. });
        let latest = graph.node(*sources.iter().find(is_late).unwrap_or(&sources[0]));
        let Op::Source { origin, .. } = latest.op else { unreachable!("candidates are sources") };
        let op = Op::Source { origin, path: index.clone() };
        let at = new.add(Node { span: latest.span, ..Node::new(op, DType::I32, latest.shape[..1].to_vec()) }, vec![]);
        let mut gathers = Vec::new();
        for id in graph.ids() {
            let operands = graph.operands(id).iter().map(|o| Operand::new(places[o.node.index()], o.subscripts.clone()));
            let (operands, node) = (operands.collect(), graph.node(id));
            if !sources.contains(&id) {
                places.push(new.add(node.clone(), operands));
                continue;
            }
            let first = Axis { name: rows.clone(), size: Size::sym(rows.clone()) };
            let shape = [first].into_iter().chain(node.shape[1..].iter().cloned()).collect();
            let table = new.add(Node { shape, ..node.clone() }, vec![]);
            let picks = [Pick::Operand(1)].into_iter().chain((1..node.rank()).map(Pick::Loop)).collect();
            let op = Op::Gather { picks, fill: None };
            let gather = new.add(Node { op, ..node.clone() }, vec![Operand::new(table, vec![]), Operand::new(at, vec![0])]);
            gathers.push(gather);
            places.push(gather);
        }
        let outputs = graph.outputs.iter().cloned().map(|o| Output { node: places[o.node.index()], ..o });
        new.outputs.extend(outputs);
        new.measured.extend(graph.measured.iter().map(|(sym, n)| (sym.clone(), places[n.index()])));
        let wanted = wanted.iter().map(|w| places[w.index()]).collect();
        Equal { graph: new, wanted, paths, rows, index, gathers, pinned: false }
    }
}

/// A size's name that the graph does not have.
fn free_size(graph: &Graph, path: &str) -> Sym {
    let axes = graph.ids().flat_map(|id| graph.node(id).shape.iter().chain(&graph.node(id).inner));
    let known: BTreeSet<Sym> = axes.flat_map(|a| a.size.symbols()).collect();
    let plain: String = path.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    free(format!("{plain}_rows"), &|name| known.contains(name))
}

/// A path that no source has.
fn free_path(graph: &Graph, path: &str) -> Arc<str> {
    let taken = |name: &str| graph.ids().any(|id| matches!(&graph.node(id).op, Op::Source { path, .. } if **path == *name));
    free(format!("{path}_which"), &taken)
}

fn free(mut name: String, taken: &dyn Fn(&str) -> bool) -> Arc<str> {
    while taken(&name) {
        name.push('_');
    }
    name.into()
}
