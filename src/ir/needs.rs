//! What a node asks of sizes that data give.
//!
//! In: a node. Out: the [`Need`]s that it has besides those that the verifier knows: a slice must fit its axis, and an order cannot give
//! more elements than there are. They are told apart from the graph, so that no pass has to take them along, and looked at by
//! everybody who learns the sizes: the planner, the interpreter, and pages.

use super::{Graph, Map, NodeId, Op, Pick, Size};
use crate::diag::{Code, Diagnostic};
use crate::source::Span;

/// `least <= most`.
#[derive(Clone, Debug, PartialEq)]
pub struct Need {
    pub least: Size,
    pub most: Size,
    pub kind: Kind,
    pub span: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// So many are asked for.
    First,
    /// A slice ends here.
    End,
    /// A slice begins here.
    Start,
}

impl Need {
    /// What is wrong at these sizes; nothing where one of them is not known.
    pub fn check(&self, size: &dyn Fn(&str) -> Option<i64>) -> Result<(), Diagnostic> {
        let (Some(least), Some(most)) = (self.least.eval(size), self.most.eval(size)) else { return Ok(()) };
        if least <= most { Ok(()) } else { Err(self.message(&least.to_string(), &most.to_string())) }
    }

    /// The message, with the numbers as texts.
    pub fn words(&self, least: &str, most: &str) -> String {
        match self.kind {
            Kind::First => format!("this asks for the first {least} of an axis that has {most}"),
            Kind::End => format!("this slice goes to place {least} of an axis that has {most}"),
            Kind::Start => format!("this slice begins at place {most}"),
        }
    }

    fn message(&self, least: &str, most: &str) -> Diagnostic {
        let d = Diagnostic::error(Code::H0618, self.span, self.words(least, most));
        match self.kind {
            Kind::First => d.help("ask for no more than there are, or give more"),
            Kind::End | Kind::Start => d.help(
                "take no more than there are, or read place by place with an index and say what lies outside, `v[i - 1] else 0`",
            ),
        }
    }
}

/// What node `id` asks for, without what always holds.
pub fn needs(graph: &Graph, id: NodeId) -> Vec<Need> {
    let node = graph.node(id);
    let mut out = Vec::new();
    let mut need = |least: Size, most: Size, kind| {
        if !most.sub(&least).at_least(0, 0) {
            out.push(Need { least, most, kind, span: node.span });
        }
    };
    match &node.op {
        Op::Order { axis, .. } => need(node.shape[*axis].size.clone(), node.inner[0].size.clone(), Kind::First),
        Op::Gather { picks, fill: None } => {
            let operands = graph.operands(id);
            let source = graph.node(operands[0].node);
            for (pick, axis) in picks.iter().zip(&source.shape) {
                let Pick::Operand(n) = pick else { continue };
                let Some((start, length)) = stretch(graph, operands[*n].node) else { continue };
                need(start.add(&length), axis.size.clone(), Kind::End);
                need(Size::from(0i64), start, Kind::Start);
            }
        }
        Op::Source { .. } | Op::Const(_) | Op::Iota | Op::Extent(_) | Op::Random { .. } | Op::Map(_) | Op::Fold(_) => {}
        Op::Contract | Op::Gather { .. } | Op::Inside(_) | Op::Scatter { .. } | Op::Concat { .. } | Op::Reshape => {}
        Op::Scan { .. } | Op::Assign | Op::Loop(_) | Op::Result(_) | Op::Arg(_) => {}
    }
    out
}

/// What the nodes ask for that are marked, and the bodies of their loops.
pub fn all(graph: &Graph, marked: &[bool]) -> Vec<Need> {
    let mut out = Vec::new();
    for id in graph.ids().filter(|id| marked[id.index()]) {
        out.extend(needs(graph, id));
        if let Op::Loop(body) = &graph.node(id).op {
            out.extend(all(&body.graph, &body.graph.reachable(body.graph.outputs.iter().map(|o| o.node))));
        }
    }
    out
}

/// The start and length of places side by side: one place that a size says, a counter, or one moved by a size.
pub fn stretch(graph: &Graph, id: NodeId) -> Option<(Size, Size)> {
    if let Some(place) = number(graph, id) {
        return Some((place, Size::from(1i64)));
    }
    let node = graph.node(id);
    match &node.op {
        Op::Iota => Some((Size::from(0i64), node.shape[0].size.clone())),
        Op::Map(Map::Copy) => stretch(graph, graph.operands(id)[0].node),
        Op::Map(Map::Add) => {
            let operands = graph.operands(id);
            let (a, b) = (operands[0].node, operands[1].node);
            let moved = |s: Option<(Size, Size)>, by: Option<Size>| s.zip(by).map(|((start, n), by)| (start.add(&by), n));
            moved(stretch(graph, a), number(graph, b)).or_else(|| moved(stretch(graph, b), number(graph, a)))
        }
        _other => None,
    }
}

fn number(graph: &Graph, id: NodeId) -> Option<Size> {
    match &graph.node(id).op {
        Op::Const(x) if x.fract() == 0.0 && x.abs() < 1e9 => Some(Size::from(*x as i64)),
        Op::Extent(size) => Some(size.clone()),
        _other => None,
    }
}
