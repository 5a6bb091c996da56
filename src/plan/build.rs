//! Goes through the graph in order and writes the steps down.

use super::asked::{asked, check_sizes};
use super::decide::{Choices, Place, Terms};
use super::fuse::{Fusion, How, fuse, squeeze};
use super::needed::Only;
use super::prices::Prices;
use super::view::{affine, row_major, value, window};
use super::{Buffer, Granted, Kind, Plan, Sizes, Step, View, Window};
use crate::diag::{Code, Diagnostic};
use crate::ir::{DType, Graph, NodeId, Op, Pick, Rate, Size, needs, verify::verify};
use crate::source::Span;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A step: whether it depends on no input, the places in the source that it computes, the node that it is made for, and where its rows are needed.
type Made = (bool, Step, Vec<Span>, Place, Vec<(View, bool)>);

/// State of planning one graph.
pub(super) struct Planner<'a> {
    pub graph: &'a Graph,
    pub sizes: &'a Sizes,
    pub choices: &'a Choices<'a>,
    pub rates: Vec<Rate>,
    pub fusion: Fusion,
    pub views: Vec<Option<View>>,
    pub buffers: Vec<Buffer>,
    steps: Vec<Made>,
    /// The node under way.
    under_way: Option<NodeId>,
    /// Where the rows are needed that the next steps make, if all of them make rows.
    pub rows: Vec<(View, bool)>,
    /// Places in the source that the next step computes.
    touched: RefCell<BTreeSet<Span>>,
    wanted: Vec<NodeId>,
    names: RefCell<super::names::Names>,
}

/// Makes the plan that computes `wanted`. Errors: a size without a value, or a negative one; a graph that is not well-formed.
pub fn plan(graph: &Graph, wanted: &[NodeId], sizes: &Sizes) -> Result<Plan, Diagnostic> {
    plan_on(graph, wanted, sizes, &Terms::default())
}

/// As [`plan`], with some decisions taken already, or for another machine.
pub fn plan_on(graph: &Graph, wanted: &[NodeId], sizes: &Sizes, terms: &Terms) -> Result<Plan, Diagnostic> {
    asked(graph, wanted, sizes)?;
    let mut plan = decided(graph, wanted, sizes, terms)?;
    let needs = needs::all(graph, &graph.reachable(wanted.iter().copied())).into_iter();
    let needs = needs.map(|n| Granted { least: n.least, most: n.most }).filter(|g| !g.always());
    // In order, each once.
    plan.granted = plan.granted.into_iter().chain(needs).collect::<BTreeSet<Granted>>().into_iter().collect();
    Ok(plan)
}

/// As [`plan`], for somebody who runs the plan at other sizes: what the graph asks of these is not looked at, and not noted (a page asks for it
/// itself, output by output).
pub fn plan_anywhere(graph: &Graph, wanted: &[NodeId], sizes: &Sizes) -> Result<Plan, Diagnostic> {
    decided(graph, wanted, sizes, &Terms::default())
}

fn decided(graph: &Graph, wanted: &[NodeId], sizes: &Sizes, terms: &Terms) -> Result<Plan, Diagnostic> {
    if let Err(what) = verify(graph) {
        let message = format!("the graph is not well-formed: {what}");
        return Err(Diagnostic::plain(Code::H0899, message).note("this is a bug in hnet"));
    }
    let choices = Choices::new(terms, graph);
    let mut plan = match super::outside::watch(graph, wanted) {
        Some(watched) => {
            let mut plan = whole(&watched.graph, &watched.wanted, sizes, &choices)?;
            plan.demands = watched.demands;
            plan
        }
        None => whole(graph, wanted, sizes, &choices)?,
    };
    let prices = choices.prices();
    plan.machine = (*prices != Prices::generic()).then(|| format!("{} {}", prices.machine, prices.mark()));
    let (decisions, fates, relied) = choices.into_made();
    (plan.decisions, plan.fates) = (decisions, fates);
    terms.carried(&mut plan, &graph.pins);
    plan.granted = relied.into_all();
    super::verify::insist(&plan, sizes);
    Ok(plan)
}

/// The plan of a graph that is no body of a loop.
fn whole(graph: &Graph, wanted: &[NodeId], sizes: &Sizes, choices: &Choices) -> Result<Plan, Diagnostic> {
    check_sizes(graph, &reachable(graph, wanted), sizes)?;
    // Whoever runs it asks for these, too: the plan itself is for rows that may differ.
    super::equal::decided(graph, wanted, sizes, choices);
    match super::tables::by_rows(graph, wanted, sizes, choices) {
        Some((graph, wanted)) => plan_with(&graph, &wanted, sizes, &Graph::rates, choices),
        None => plan_with(graph, wanted, sizes, &Graph::rates, choices),
    }
}

/// In a loop body the captures are still; only the round and the carries move.
pub(super) fn body_rates(graph: &Graph, moving: usize) -> Vec<Rate> {
    let mut rates: Vec<Rate> = Vec::with_capacity(graph.len());
    for id in graph.ids() {
        let own = match &graph.node(id).op {
            Op::Arg(k) if *k < moving => Rate::Input,
            Op::Arg(_) | Op::Source { .. } => Rate::Condition,
            Op::Const(_) | Op::Iota | Op::Extent(_) | Op::Random { .. } | Op::Map(_) | Op::Fold(_) | Op::Contract => {
                Rate::Constant
            }
            Op::Gather { .. } | Op::Scatter { .. } | Op::Inside(_) | Op::Concat { .. } | Op::Reshape => Rate::Constant,
            Op::Order { .. } | Op::Scan { .. } | Op::Assign | Op::Loop(_) | Op::Result(_) => Rate::Constant,
        };
        rates.push(graph.operands(id).iter().map(|o| rates[o.node.index()]).fold(own, Rate::max));
    }
    rates
}

/// How often each value of a graph changes.
pub(super) type Rates<'a> = &'a dyn Fn(&Graph) -> Vec<Rate>;

pub(super) fn plan_with(
    graph: &Graph,
    wanted: &[NodeId],
    sizes: &Sizes,
    rates: Rates,
    choices: &Choices,
) -> Result<Plan, Diagnostic> {
    check_sizes(graph, &reachable(graph, wanted), sizes)?;
    let expanded = super::rewrite::expanded(graph, wanted, rates, sizes, choices);
    let (graph, wanted) = expanded.as_ref().map_or((graph, wanted), |(graph, wanted)| (graph, wanted.as_slice()));
    let rates = rates(graph);
    match super::shared::shared(graph, wanted, &rates, sizes, choices) {
        Some((graph, wanted, rates)) => planned(&graph, &wanted, sizes, rates, choices),
        None => planned(graph, wanted, sizes, rates, choices),
    }
}

fn planned(graph: &Graph, wanted: &[NodeId], sizes: &Sizes, rates: Vec<Rate>, choices: &Choices) -> Result<Plan, Diagnostic> {
    let reach = reachable(graph, wanted);
    let fusion = fuse(graph, wanted, &reach, &rates, sizes, choices);
    let mut p = Planner {
        graph,
        sizes,
        choices,
        rates,
        fusion,
        views: vec![None; graph.len()],
        buffers: Vec::new(),
        steps: Vec::new(),
        under_way: None,
        rows: Vec::new(),
        touched: RefCell::default(),
        wanted: wanted.to_vec(),
        names: RefCell::default(),
    };
    // Results first: nothing on the way to them takes their names.
    wanted.iter().for_each(|w| drop(p.name(*w)));
    for id in graph.ids().filter(|id| reach[id.index()]) {
        match p.fusion.how[id.index()] {
            How::Unused | How::Inline => {}
            How::View => p.view(id)?,
            How::Memory => p.memory(id)?,
        }
    }
    let outputs = wanted.iter().map(|w| p.output(*w)).collect();
    let (first, second): (Vec<_>, Vec<_>) = p.steps.into_iter().partition(|(early, ..)| *early);
    let prepared = first.len();
    let all = first.into_iter().chain(second).map(|(_, step, places, made, rows)| ((step, places), (made, rows)));
    let (steps, made): (Vec<_>, Vec<_>) = all.unzip();
    let (steps, places) = steps.into_iter().unzip();
    let (made, rows): (Vec<Place>, Vec<_>) = made.into_iter().unzip();
    let mut plan = Plan { buffers: p.buffers, steps, prepared, outputs, places, ..Plan::default() };
    super::tile::tile(&mut plan, sizes, &rows, &made, choices);
    plan.about = made;
    Ok(plan)
}

/// What is needed for the values; measured sizes are known already.
pub(super) fn reachable(graph: &Graph, wanted: &[NodeId]) -> Vec<bool> {
    let mut seen = vec![false; graph.len()];
    let mut todo = wanted.to_vec();
    while let Some(id) = todo.pop() {
        if !std::mem::replace(&mut seen[id.index()], true) {
            todo.extend(graph.operands(id).iter().map(|o| o.node));
        }
    }
    seen
}

impl Planner<'_> {
    pub(super) fn n(&self, size: &Size) -> i64 {
        value(size, self.sizes)
    }

    pub(super) fn shape(&self, id: NodeId) -> Vec<Size> {
        self.graph.node(id).shape.iter().map(|a| a.size.clone()).collect()
    }

    pub(super) fn early(&self, id: NodeId) -> bool {
        self.rates[id.index()] < Rate::Input
    }

    pub(super) fn push(&mut self, early: bool, step: Step) {
        let places = self.touched.take().into_iter().collect();
        let made = self.under_way.map(|id| Place::of(self.graph.node(id))).unwrap_or_default();
        self.steps.push((early, step, places, made, self.rows.clone()));
    }

    /// Notes that the next step computes this node.
    pub(super) fn touch(&self, id: NodeId) {
        let span = self.graph.node(id).span;
        if span.start < span.end {
            self.touched.borrow_mut().insert(span);
        }
    }

    /// The name that people know a node by, which no other node of this graph has.
    pub(super) fn name(&self, id: NodeId) -> String {
        self.names.borrow_mut().of(self.graph, id)
    }

    pub(super) fn buffer(&mut self, name: String, dtype: DType, shape: Vec<Size>, kind: Kind, rate: Rate) -> usize {
        self.buffers.push(Buffer { name, dtype, shape, kind, rate });
        self.buffers.len() - 1
    }

    /// Memory for a node: row-major, or as its users go through it.
    pub(super) fn own(&mut self, id: NodeId) -> View {
        let node = self.graph.node(id);
        let (shape, kind) = (self.shape(id), if self.wanted.contains(&id) { Kind::Output } else { Kind::Temp });
        let mut strides = row_major(&shape);
        let layout = self.fusion.layouts[id.index()].clone().filter(|_| kind == Kind::Temp);
        if let Some(order) = layout {
            let sizes: Vec<Size> = order.iter().map(|d| shape[*d].clone()).collect();
            order.iter().zip(row_major(&sizes)).for_each(|(d, s)| strides[*d] = s);
        }
        let buffer = self.buffer(self.name(id), node.dtype, shape, kind, self.rates[id.index()]);
        let view = View { buffer, offset: Size::from(0i64), strides };
        self.views[id.index()] = Some(view.clone());
        view
    }

    /// Where a node's value lies; the fusion decided that it lies somewhere.
    pub(super) fn at(&self, id: NodeId) -> View {
        self.views[id.index()].clone().unwrap_or(View { buffer: 0, offset: Size::from(0i64), strides: Vec::new() })
    }

    /// An operand as a window over the loops of its user.
    pub(super) fn window(&self, node: NodeId, subscripts: &[usize], axes: &[Size]) -> Window {
        Window { view: self.at(node).permuted(subscripts, axes.len()), shape: axes.to_vec() }
    }

    /// A node's value in row-major memory: its buffer and offset.
    pub(super) fn packed(&mut self, id: NodeId) -> (usize, Size) {
        let view = self.at(id);
        if view.contiguous(&self.shape(id), self.sizes, &self.choices.relied) {
            return (view.buffer, view.offset);
        }
        (self.copy(id, Kind::Temp), Size::from(0i64))
    }

    /// Copies a node's value into row-major memory.
    fn copy(&mut self, id: NodeId, kind: Kind) -> usize {
        let shape = self.shape(id);
        let name = format!("{}_copy", self.name(id));
        let buffer = self.buffer(name, self.graph.node(id).dtype, shape.clone(), kind, self.rates[id.index()]);
        let target = View { buffer, offset: Size::from(0i64), strides: row_major(&shape) };
        self.kernel_copy(id, target);
        buffer
    }

    /// The buffer of a wanted node.
    fn output(&mut self, id: NodeId) -> usize {
        let view = self.at(id);
        if self.buffers[view.buffer].kind == Kind::Output && self.fusion.how[id.index()] == How::Memory {
            return view.buffer;
        }
        let buffer = self.copy(id, Kind::Output);
        self.fusion.how[id.index()] = How::Memory;
        self.views[id.index()] = Some(View { buffer, offset: Size::from(0i64), strides: row_major(&self.shape(id)) });
        buffer
    }

    fn view(&mut self, id: NodeId) -> Result<(), Diagnostic> {
        let graph = self.graph;
        let operands = graph.operands(id);
        let source = operands[0].node;
        let from = self.at(source);
        let view = match &graph.node(id).op {
            Op::Reshape => {
                let (old, new) = (self.shape(source), self.shape(id));
                match from.reshaped(&old, &new, self.sizes, &self.choices.relied) {
                    Some(view) => view,
                    None => {
                        let buffer = self.copy(source, Kind::Temp);
                        View { buffer, offset: Size::from(0i64), strides: row_major(&new) }
                    }
                }
            }
            Op::Gather { picks, .. } => self.slice(id, &from, picks),
            // Only copies are views besides.
            _copy => from.permuted(&operands[0].subscripts, graph.node(id).rank()),
        };
        self.views[id.index()] = Some(view);
        Ok(())
    }

    fn slice(&self, id: NodeId, from: &View, picks: &[Pick]) -> View {
        let mut view = View {
            buffer: from.buffer,
            offset: from.offset.clone(),
            strides: vec![Size::from(0i64); self.graph.node(id).rank()],
        };
        for (d, index) in
            window(self.graph, id, self.sizes, &self.choices.relied).unwrap_or_default().iter().enumerate().take(picks.len())
        {
            view.offset = view.offset.add(&index.offset.mul(&from.strides[d]));
            for (l, s) in &index.terms {
                view.strides[*l] = view.strides[*l].add(&s.mul(&from.strides[d]));
            }
        }
        view
    }

    fn memory(&mut self, id: NodeId) -> Result<(), Diagnostic> {
        let graph = self.graph;
        let node = graph.node(id);
        self.touch(id);
        self.under_way = Some(id);
        self.rows = self.needed_rows(id);
        match &node.op {
            Op::Source { path, .. } => self.given(id, Kind::Source(path.clone())),
            Op::Arg(k) => self.given(id, Kind::Arg(*k)),
            Op::Map(_) | Op::Gather { .. } | Op::Const(_) | Op::Iota | Op::Extent(_) | Op::Fold(_) | Op::Reshape => {
                self.kernel(id)
            }
            // The demand itself is a result of its own.
            Op::Inside(_) => self.kernel(id),
            Op::Contract => self.contract(id),
            Op::Concat { axis } => self.concat(id, *axis),
            Op::Scatter { axis, fold } => self.scatter(id, *axis, *fold),
            Op::Random { dist, key } => self.random(id, *dist, *key),
            Op::Order { axis, descending } => self.order(id, *axis, *descending),
            Op::Scan { axis } => self.scan(id, *axis),
            Op::Assign => self.assign(id),
            Op::Loop(body) => self.rounds(id, body)?,
            Op::Result(_) => {}
        }
        self.rows.clear();
        self.under_way = None;
        Ok(())
    }

    /// Where rows of a node are needed, if it lies in memory row after row and that is known by now.
    fn needed_rows(&self, id: NodeId) -> Vec<(View, bool)> {
        if self.fusion.layouts[id.index()].as_ref().is_some_and(|order| order[0] != 0) {
            return Vec::new();
        }
        let at = |only: &Only| Some((self.views[only.condition.index()].clone()?, only.holds));
        self.fusion.needed[id.index()].iter().map(at).collect::<Option<_>>().unwrap_or_default()
    }

    fn given(&mut self, id: NodeId, kind: Kind) {
        let node = self.graph.node(id);
        let shape = self.shape(id);
        let strides = row_major(&shape);
        let name = match &kind {
            Kind::Source(path) => path.to_string(),
            Kind::Arg(k) => format!("arg_{k}"),
            Kind::Temp | Kind::Output => self.name(id),
        };
        let known = self.buffers.iter().position(|b| b.kind == kind);
        let buffer = known.unwrap_or_else(|| self.buffer(name, node.dtype, shape, kind, self.rates[id.index()]));
        self.views[id.index()] = Some(View { buffer, offset: Size::from(0i64), strides });
    }

    /// Static index terms of a gather dimension, when it stays inside the source for certain.
    pub(super) fn inside(&self, id: NodeId, dim: usize, pick: Pick) -> Option<(Size, BTreeMap<usize, Size>)> {
        let node = self.graph.node(id);
        let operands = self.graph.operands(id);
        let index = match pick {
            Pick::Loop(l) => super::view::Affine { offset: Size::from(0i64), terms: BTreeMap::from([(l, Size::from(1i64))]) },
            Pick::Operand(k) => affine(self.graph, operands[k].node)?.through(&operands[k].subscripts),
        };
        let (low, high) = index.range(&|l| self.n(&node.shape[l].size), self.sizes)?;
        let extent = &self.graph.node(operands[0].node).shape[dim].size;
        if low < 0 || high >= self.n(extent) {
            return None;
        }
        index.stays(&|l| node.shape[l].size.clone(), extent, self.sizes, &self.choices.relied);
        Some((index.offset, index.terms))
    }

    pub(super) fn squeezed(&self, id: NodeId) -> Option<Vec<Option<usize>>> {
        squeeze(self.graph, id, self.sizes, &self.choices.relied)
    }

    pub(super) fn loop_name(name: &Arc<str>) -> Arc<str> {
        name.clone()
    }
}
