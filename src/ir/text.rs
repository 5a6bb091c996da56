//! Graphs as text.
//!
//! In: a graph. Out: a text, the same every time, that [`super::read`] reads back. One line for each node:
//!
//! ```text
//! %7 logits: f32[b, o=10] = sum(i=32) %3[b, i] * %5[i, o]
//! ```
//!
//! number, name if any, element type and loops of the result, op, loops that it closes, operands with their subscripts. An axis
//! without a size is the free size of that name. A name that stands twice in a node gets a number. Outputs and measured sizes
//! come last; the body of a loop stands in braces. Spans are not written.

use super::{Axis, Body, Fold, Graph, Node, NodeId, Op, Operand, Pick, Size};
use std::fmt;

impl fmt::Display for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        graph(f, self, 0)
    }
}

/// The first word of an op.
pub fn word(op: &Op) -> &'static str {
    match op {
        Op::Source { origin, .. } => origin.word(),
        Op::Const(_) => "const",
        Op::Iota => "iota",
        Op::Extent(_) => "extent",
        Op::Random { .. } => "random",
        Op::Map(map) => map.word(),
        Op::Fold(_) => "fold",
        Op::Contract => "sum",
        Op::Gather { .. } => "gather",
        Op::Inside(_) => "inside",
        Op::Scatter { .. } => "scatter",
        Op::Concat { .. } => "concat",
        Op::Reshape => "reshape",
        Op::Order { .. } => "order",
        Op::Scan { .. } => "scan",
        Op::Assign => "assign",
        Op::Loop(_) => "loop",
        Op::Result(_) => "result",
        Op::Arg(_) => "arg",
    }
}

/// A name as it is, or in quotes where it is not one word.
pub fn quoted(name: &str) -> String {
    let starts = name.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
    let plain = starts && name.chars().all(super::tokens::in_word);
    if plain { name.to_string() } else { format!("{name:?}") }
}

/// A number that reads back as the same bits (but for the payload of a NaN).
pub fn number(x: f64) -> String {
    if x.is_nan() {
        return "nan".into();
    }
    let text = format!("{x:?}");
    text.strip_suffix(".0").map(str::to_string).unwrap_or(text)
}

/// The text of one node, as in the whole graph's text, without the body of a loop.
pub fn line(graph: &Graph, id: NodeId) -> String {
    let node = graph.node(id);
    let names = names(node);
    let mut out = format!("%{}", id.index());
    if let Some(name) = &node.name {
        out += &format!(" {}", quoted(name));
    }
    out += &format!(": {}", node.dtype.word());
    if !node.shape.is_empty() {
        out += &format!("[{}]", axes(&node.shape, &names));
    }
    let (before, after) = attributes(node, &names);
    out += &format!(" = {}{before}", word(&node.op));
    let contract = matches!(node.op, Op::Contract);
    if !node.inner.is_empty() || contract {
        out += &format!("({})", axes(&node.inner, &names[node.shape.len()..]));
    }
    let reads = reads(node, graph.operands(id), &names);
    let joined = reads.join(if contract { " * " } else { ", " });
    for part in [after, joined, last(&node.op)] {
        if !part.is_empty() {
            out += &format!(" {part}");
        }
    }
    out
}

/// A name for every loop, each only once.
fn names(node: &Node) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for axis in node.shape.iter().chain(&node.inner) {
        let mut name = axis.name.to_string();
        let mut n = 1;
        while names.contains(&name) {
            n += 1;
            name = format!("{}_{n}", axis.name);
        }
        names.push(name);
    }
    names
}

fn axes(axes: &[Axis], names: &[String]) -> String {
    let one = |(axis, name): (&Axis, &String)| {
        let implied = axis.size == Size::sym(name.as_str());
        if implied { quoted(name) } else { format!("{}={}", quoted(name), axis.size) }
    };
    axes.iter().zip(names).map(one).collect::<Vec<_>>().join(", ")
}

fn loop_name(names: &[String], k: usize) -> String {
    names.get(k).map_or_else(|| format!("?{k}"), |n| quoted(n))
}

fn subscripted(o: &Operand, names: &[String]) -> String {
    let list: Vec<String> = o.subscripts.iter().map(|k| loop_name(names, *k)).collect();
    if list.is_empty() { format!("%{}", o.node.index()) } else { format!("%{}[{}]", o.node.index(), list.join(", ")) }
}

/// What stands between the word and the inner loops, and what between them and the operands.
fn attributes(node: &Node, names: &[String]) -> (String, String) {
    let none = String::new;
    match &node.op {
        Op::Source { path, .. } => (none(), format!("{path:?}")),
        Op::Const(x) => (none(), number(*x)),
        Op::Extent(size) => (none(), size.to_string()),
        Op::Inside(axis) => (none(), format!("({})", axes(std::slice::from_ref(axis), &[axis.name.to_string()]))),
        Op::Random { dist, key } => (format!(" {}", dist.word()), key.to_string()),
        Op::Fold(fold) => (format!(" {}", fold.word()), none()),
        Op::Scatter { axis, fold } => {
            let word = if *fold == Fold::Sum { none() } else { format!(" {}", fold.word()) };
            (word, format!("into {}", loop_name(names, *axis)))
        }
        Op::Concat { axis } | Op::Scan { axis } => (none(), format!("along {}", loop_name(names, *axis))),
        Op::Order { axis, descending } => {
            let way = if *descending { "descending" } else { "ascending" };
            (none(), format!("{way} into {}", loop_name(names, *axis)))
        }
        Op::Loop(body) => (none(), rounds(body)),
        Op::Result(k) | Op::Arg(k) => (none(), k.to_string()),
        Op::Iota | Op::Map(_) | Op::Contract | Op::Gather { .. } | Op::Reshape | Op::Assign => (none(), none()),
    }
}

fn rounds(body: &Body) -> String {
    let mut out = body.trips.to_string();
    for (set, word) in [(body.reverse, " reverse"), (body.stop, " stop")] {
        if set {
            out += word;
        }
    }
    out + &format!(" carry {} yield {}", body.carries, body.yields)
}

/// Operands in order; a gather is one text, its indices in the place that they pick.
fn reads(node: &Node, operands: &[Operand], names: &[String]) -> Vec<String> {
    match &node.op {
        Op::Gather { picks, .. } => {
            let place = |pick: &Pick| match pick {
                Pick::Loop(k) => loop_name(names, *k),
                Pick::Operand(n) => operands.get(*n).map_or_else(|| "?".into(), |o| subscripted(o, names)),
            };
            let list: Vec<String> = picks.iter().map(place).collect();
            let source = operands.first().map_or_else(|| "?".into(), |o| format!("%{}", o.node.index()));
            vec![if list.is_empty() { source } else { format!("{source}[{}]", list.join(", ")) }]
        }
        Op::Loop(_) => operands.iter().map(|o| format!("%{}", o.node.index())).collect(),
        Op::Source { .. }
        | Op::Const(_)
        | Op::Iota
        | Op::Extent(_)
        | Op::Random { .. }
        | Op::Map(_)
        | Op::Fold(_)
        | Op::Contract
        | Op::Inside(_)
        | Op::Scatter { .. }
        | Op::Concat { .. }
        | Op::Reshape
        | Op::Order { .. }
        | Op::Scan { .. }
        | Op::Assign
        | Op::Result(_)
        | Op::Arg(_) => operands.iter().map(|o| subscripted(o, names)).collect(),
    }
}

/// What stands after the operands.
fn last(op: &Op) -> String {
    match op {
        Op::Gather { fill: Some(x), .. } => format!("else {}", number(*x)),
        Op::Loop(_) => "{".into(),
        Op::Source { .. }
        | Op::Const(_)
        | Op::Iota
        | Op::Extent(_)
        | Op::Random { .. }
        | Op::Map(_)
        | Op::Fold(_)
        | Op::Contract
        | Op::Gather { .. }
        | Op::Inside(_)
        | Op::Scatter { .. }
        | Op::Concat { .. }
        | Op::Reshape
        | Op::Order { .. }
        | Op::Scan { .. }
        | Op::Assign
        | Op::Result(_)
        | Op::Arg(_) => String::new(),
    }
}

fn graph(f: &mut fmt::Formatter<'_>, g: &Graph, depth: usize) -> fmt::Result {
    let indent = "  ".repeat(depth);
    for id in g.ids() {
        writeln!(f, "{indent}{}", line(g, id))?;
        if let Op::Loop(body) = &g.node(id).op {
            graph(f, &body.graph, depth + 1)?;
            writeln!(f, "{indent}}}")?;
        }
    }
    for o in &g.outputs {
        writeln!(f, "{indent}{} {} = %{}", o.kind.word(), quoted(&o.name), o.node.index())?;
    }
    for (sym, node) in &g.measured {
        writeln!(f, "{indent}size {} = %{}", quoted(sym), node.index())?;
    }
    Ok(())
}
