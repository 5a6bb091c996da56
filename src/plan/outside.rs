//! Demands that indices lie inside, as results.
//!
//! In: a graph with `Inside` nodes. Out: the same graph without them, in which every demand is one whole number more that is wanted:
//! the greatest code of what is outside (`ir::outside`), or that nothing is. A loop carries the number from round to round, so what a
//! round that does not run would have read does not count. Backends compute it like anything else, and bring it back
//! with the results. Only what is asked of a source as it is needs no step: that is looked at where it is given.

use super::Sizes;
use crate::diag::Diagnostic;
use crate::ir::outside::{Found, NOTHING, Site, arriving, worst};
use crate::ir::size::SizeFn;
use crate::ir::sizes::known;
use crate::ir::{Axis, Body, DType, Fold, Graph, Map, Node, NodeId, Op, Operand, Output, OutputKind, Size, Tensor};
use crate::source::Span;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An index that must lie on an axis, and where the source says so.
#[derive(Clone, Debug, PartialEq)]
pub struct Demand {
    pub axis: Axis,
    pub span: Span,
    /// Which wanted nodes ask for it.
    pub by: Vec<usize>,
}

/// A source that must lie on an axis as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    pub path: Arc<str>,
    pub demand: Demand,
}

/// All that must lie inside.
#[derive(Clone, Debug, Default)]
pub struct Demands {
    /// Each has a word of its own after the wanted results.
    pub computed: Vec<Demand>,
    pub arriving: Vec<Arrival>,
}

impl Demands {
    /// Says what is broken: `words` are the results beyond the wanted ones, `given` is what was bound under a path.
    pub fn report<'t>(
        &self,
        words: &[Tensor],
        given: &dyn Fn(&str) -> Option<&'t Tensor>,
        sizes: &Sizes,
    ) -> Result<(), Diagnostic> {
        if self.computed.is_empty() && self.arriving.is_empty() {
            return Ok(());
        }
        let mut found = Found::default();
        let site = |d: &Demand| Site { span: d.span, name: d.axis.name.clone(), size: known(&d.axis.size, sizes) };
        for (demand, word) in self.computed.iter().zip(words) {
            found.note(site(demand), word.get(0) as i32);
        }
        for arrival in &self.arriving {
            let site = site(&arrival.demand);
            let code = given(&arrival.path).map_or(NOTHING, |t| worst(t, site.size));
            found.note(site, code);
        }
        found.report()
    }
}

/// A graph whose demands are wanted.
pub(super) struct Watched {
    pub graph: Graph,
    /// What was wanted, then a word for each demand.
    pub wanted: Vec<NodeId>,
    pub demands: Demands,
}

/// Makes results of the demands that the wanted nodes have. `None` where they have none.
pub(super) fn watch(graph: &Graph, wanted: &[NodeId]) -> Option<Watched> {
    let reach = super::build::reachable(graph, wanted);
    if !demanding(graph, &reach) {
        return None;
    }
    let mut lowered = lower(graph, &reach);
    for (k, w) in wanted.iter().enumerate() {
        let own = super::build::reachable(graph, &[*w]);
        lowered.words.iter_mut().filter(|(d, _)| own[d.at.index()]).for_each(|(d, _)| d.demand.by.push(k));
        lowered.arriving.iter_mut().filter(|(at, _)| own[at.index()]).for_each(|(_, a)| a.demand.by.push(k));
    }
    let words = lowered.words.iter().map(|(_, word)| *word);
    Some(Watched {
        wanted: wanted.iter().map(|w| lowered.found[w.index()]).chain(words).collect(),
        demands: Demands {
            computed: lowered.words.iter().map(|(d, _)| d.demand.clone()).collect(),
            arriving: lowered.arriving.into_iter().map(|(_, a)| a).collect(),
        },
        graph: lowered.graph,
    })
}

fn demanding(graph: &Graph, reach: &[bool]) -> bool {
    graph.ids().filter(|id| reach[id.index()]).any(|id| match &graph.node(id).op {
        Op::Inside(_) => true,
        Op::Loop(body) => demanding(&body.graph, &needed(body)),
        _other => false,
    })
}

/// What a body needs in every round.
fn needed(body: &Body) -> Vec<bool> {
    let outputs: Vec<NodeId> = body.graph.outputs.iter().map(|o| o.node).collect();
    super::build::reachable(&body.graph, &outputs)
}

/// A graph without `Inside`.
struct Lowered {
    graph: Graph,
    /// Where each old node is.
    found: Vec<NodeId>,
    words: Vec<(Asked, NodeId)>,
    /// What is asked of sources, and at which old nodes.
    arriving: Vec<(NodeId, Arrival)>,
}

/// A demand, and the old node that it stands at (of a body, the loop).
struct Asked {
    demand: Demand,
    at: NodeId,
}

fn lower(graph: &Graph, reach: &[bool]) -> Lowered {
    let found = Vec::with_capacity(graph.len());
    let mut out = Lowered { graph: Graph::default(), found, words: Vec::new(), arriving: Vec::new() };
    // For each loop that carries words: after how many results, and how many.
    let mut more: BTreeMap<NodeId, (usize, usize)> = BTreeMap::new();
    for id in graph.ids() {
        let mut node = graph.node(id).clone();
        let mut operands: Vec<Operand> =
            graph.operands(id).iter().map(|o| Operand::new(out.found[o.node.index()], o.subscripts.clone())).collect();
        let mut carried = None;
        match &mut node.op {
            Op::Inside(axis) => {
                let axis = axis.clone();
                match arriving(graph, id) {
                    Some((path, _)) if reach[id.index()] => {
                        let demand = Demand { axis, span: node.span, by: Vec::new() };
                        out.arriving.push((id, Arrival { path: path.clone(), demand }));
                    }
                    None if reach[id.index()] => out.demand(id, &node, axis, &operands),
                    Some(_) | None => {}
                }
                operands.truncate(1);
                if operands[0].subscripts.iter().copied().eq(0..node.rank()) && node.rank() == out.rank(&operands[0]) {
                    out.found.push(operands[0].node);
                    continue;
                }
                node.op = Op::Map(Map::Copy);
            }
            Op::Loop(body) if demanding(&body.graph, &needed(body)) => {
                let at = body.carries;
                let (body, demands) = looped(body);
                let start = out.constant(f64::from(NOTHING));
                operands.splice(at..at, demands.iter().map(|_| Operand::new(start, Vec::new())));
                node.op = Op::Loop(Box::new(body));
                carried = Some((at, demands));
            }
            Op::Result(k) => {
                *k += more.get(&operands[0].node).filter(|(at, _)| *k >= *at).map_or(0, |(_, count)| *count);
            }
            _other => {}
        }
        let made = out.graph.add(node, operands);
        out.found.push(made);
        if let Some((at, demands)) = carried {
            more.insert(made, (at, demands.len()));
            if reach[id.index()] {
                for (k, demand) in demands.into_iter().enumerate() {
                    let result = Node::new(Op::Result(at + k), DType::I32, Vec::new());
                    let word = out.graph.add(result, vec![Operand::new(made, Vec::new())]);
                    out.words.push((Asked { demand, at: id }, word));
                }
            }
        }
    }
    out.graph.measured = graph.measured.iter().map(|(s, n)| (s.clone(), out.found[n.index()])).collect();
    out.graph.outputs = graph.outputs.iter().map(|o| Output { node: out.found[o.node.index()], ..o.clone() }).collect();
    out
}

/// A body that carries the words of its demands from round to round, after all else that it carries.
fn looped(body: &Body) -> (Body, Vec<Demand>) {
    let Lowered { mut graph, words, .. } = lower(&body.graph, &needed(body));
    let (at, count) = (body.carries, words.len());
    for id in graph.ids() {
        if let Op::Arg(k) = &mut graph.node_mut(id).op
            && *k > at
        {
            *k += count;
        }
    }
    let mut next = Vec::new();
    for (k, (_, word)) in words.iter().enumerate() {
        let before = graph.add(Node::new(Op::Arg(1 + at + k), DType::I32, Vec::new()), Vec::new());
        let both = [before, *word].map(|n| Operand::new(n, Vec::new()));
        let node = graph.add(Node::new(Op::Map(Map::Max), DType::I32, Vec::new()), both.into());
        next.push(Output { name: format!("inside{k}").into(), kind: OutputKind::Output, node });
    }
    graph.outputs.splice(at..at, next);
    let body = Body { graph, carries: at + count, ..body.clone() };
    (body, words.into_iter().map(|(asked, _)| asked.demand).collect())
}

impl Lowered {
    fn rank(&self, o: &Operand) -> usize {
        self.graph.node(o.node).rank()
    }

    /// A whole number.
    fn constant(&mut self, x: f64) -> NodeId {
        self.graph.add(Node::new(Op::Const(x), DType::I32, Vec::new()), Vec::new())
    }

    fn size(&mut self, size: &Size) -> NodeId {
        match size.constant() {
            Some(n) => self.constant(n as f64),
            None => self.graph.add(Node::new(Op::Extent(size.clone()), DType::I32, Vec::new()), Vec::new()),
        }
    }

    /// The greatest code of an index that is outside where it is needed.
    fn demand(&mut self, at: NodeId, node: &Node, axis: Axis, operands: &[Operand]) {
        let one = Size::from(1i64);
        let scalar = |n: NodeId| Operand::new(n, Vec::new());
        let own = |n: NodeId| Operand::new(n, (0..node.rank()).collect());
        let zero = scalar(self.constant(0.0));
        let nothing = scalar(self.constant(f64::from(NOTHING)));
        let end = scalar(self.size(&axis.size));
        let shift = scalar(self.size(&Size::apply(SizeFn::Max, vec![axis.size.clone(), one])));
        let index = operands[0].clone();
        let mut point = |map, dtype, operands: Vec<Operand>| {
            let made = Node { op: Op::Map(map), dtype, name: None, ..node.clone() };
            own(self.graph.add(made, operands))
        };
        let low = point(Map::Lt, DType::Bool, vec![index.clone(), zero]);
        let high = point(Map::Le, DType::Bool, vec![end, index.clone()]);
        let below = point(Map::Add, DType::I32, vec![index.clone(), shift]);
        let above = point(Map::Select, DType::I32, vec![high, index, nothing.clone()]);
        let mut code = point(Map::Select, DType::I32, vec![low, below, above]);
        if let Some(needed) = operands.get(1) {
            code = point(Map::Select, DType::I32, vec![needed.clone(), code, nothing]);
        }
        let word = match node.rank() {
            0 => code.node,
            _ => {
                let fold =
                    Node { op: Op::Fold(Fold::Max), shape: Vec::new(), inner: node.shape.clone(), name: None, ..node.clone() };
                self.graph.add(fold, vec![code])
            }
        };
        self.words.push((Asked { demand: Demand { axis, span: node.span, by: Vec::new() }, at }, word));
    }
}
