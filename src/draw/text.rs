//! A checked model as text: what `hnet build --emit model` writes.

use crate::bind::known::{axis, declared};
use crate::check::model::{Allowed, Columns, Init, Input, InputKind, Model, Param};
use crate::ir::{Axis, Origin, OutputKind, Rate, type_text};
use std::fmt::Write;

/// The word for a rate.
pub fn rate(rate: Rate) -> &'static str {
    match rate {
        Rate::Constant => "constant",
        Rate::Parameter => "parameter",
        Rate::Condition => "condition",
        Rate::Input => "input",
    }
}

/// The axes of a value of the graph: `b, o=10`.
fn axes(shape: &[Axis]) -> Vec<String> {
    shape.iter().map(|a| if a.size.constant().is_some() { a.size.to_string() } else { axis(Some(&a.name), &a.size) }).collect()
}

/// The whole model: dims, parameters, inputs, outputs with types and rates, nets, relations, routes.
pub fn model(m: &Model) -> String {
    let mut out = String::new();
    for line in m.doc.iter().flat_map(|d| d.lines()) {
        let _ = writeln!(out, "/// {line}");
    }
    let _ = writeln!(out, "model {}", m.name);
    section(&mut out, "dims", m.dims.iter().map(|d| (d.name.to_string(), d.size.map_or("free".into(), |n| n.to_string()))));
    section(&mut out, "inputs", m.inputs.iter().map(|i| (i.name.clone(), input(i))));
    section(&mut out, "parameters", m.params.iter().map(|p| (p.path.clone(), param(p))));
    let rates = m.graph.rates();
    let outputs = m.graph.outputs.iter().map(|o| {
        let node = m.graph.node(o.node);
        let kind = match o.kind {
            OutputKind::Output => "",
            OutputKind::Loss => ", loss",
            OutputKind::Update => ", next value of a state",
        };
        let ty = type_text(node.dtype.word(), &axes(&node.shape));
        (o.name.to_string(), format!("{ty}, rate {}{kind}", rate(rates[o.node.index()])))
    });
    section(&mut out, "outputs", outputs);
    let nets = m.instances.iter().map(|i| {
        let count = i.count.as_ref().map_or(String::new(), |n| format!(", {n} of them"));
        (i.path.clone(), format!("{}{}{count}", if i.form { "form of " } else { "" }, i.net))
    });
    section(&mut out, "nets", nets);
    let relations = m.relations.iter().map(|r| {
        let from = if r.sources.is_empty() { String::new() } else { format!("from {}", r.sources.join(", ")) };
        (format!("{} {}", r.kind.word(), r.target), from)
    });
    section(&mut out, "relations", relations);
    let routes = m.routes.iter().map(|r| {
        let slots = r.slots.as_ref().map_or("a mixture of all".to_string(), |k| format!("{k} of them for each example"));
        let capacity = r.capacity.map_or(String::new(), |c| format!(", capacity {c}"));
        (r.over.clone(), format!("{} experts, {slots}{capacity}", r.experts))
    });
    section(&mut out, "routes", routes);
    let _ = writeln!(out, "\ngraph: {} nodes", m.graph.len());
    out
}

fn section(out: &mut String, title: &str, rows: impl Iterator<Item = (String, String)>) {
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return;
    }
    let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let _ = writeln!(out, "\n{title}");
    for (name, what) in rows {
        let line = format!("    {name:<width$}  {what}");
        let _ = writeln!(out, "{}", line.trim_end());
    }
}

fn input(i: &Input) -> String {
    let mut out = declared(i);
    match &i.kind {
        InputKind::Tensor => {}
        InputKind::Seed => out = "seed".into(),
        InputKind::Size(allowed) => {
            out = format!("size{}", out.strip_prefix("i32").unwrap_or(""));
            match allowed {
                Allowed::Any => {}
                Allowed::Range(from, to) => out.push_str(&format!(" in {from}..{to}")),
                Allowed::List(list) => out.push_str(&format!(" in {list:?}")),
            }
        }
    }
    if let Some(n) = &i.below {
        out.push_str(&format!(", below {n}"));
    }
    if i.condition {
        out.push_str(", condition");
    }
    if let Some(d) = &i.default {
        out.push_str(&format!(" = {}", init(d)));
    }
    out
}

fn param(p: &Param) -> String {
    let mut out = type_text(p.dtype.word(), &p.shape);
    match p.origin {
        Origin::State => out.push_str(", state"),
        Origin::Load => out.push_str(", loaded"),
        _ => {}
    }
    if p.frozen {
        out.push_str(", frozen");
    }
    match &p.init {
        Some(i) => out.push_str(&format!(" = {}", init(i))),
        None => out.push_str(", from a file"),
    }
    match p.provided.len() {
        0 => {}
        n => out.push_str(&format!(", {n} provided by relations")),
    }
    out
}

fn columns(list: &[Columns]) -> String {
    let one = |c: &Columns| match c {
        Columns::Alike { count, std } => format!("{count} of std {std}"),
        Columns::Times { count, each } => format!("{count} times ({})", columns(each)),
    };
    list.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn init(i: &Init) -> String {
    match i {
        Init::Fill(v) => format!("{v}"),
        Init::Normal { mean, std } => format!("normal(mean: {mean}, std: {std})"),
        Init::TruncatedNormal { mean, std } => format!("truncated_normal(mean: {mean}, std: {std})"),
        Init::Uniform { from, to } => format!("uniform({from}, {to})"),
        Init::Bernoulli { p } => format!("bernoulli({p})"),
        Init::RandInt { n } => format!("randint({n})"),
        Init::Orthogonal { gain } => format!("orthogonal(gain: {gain})"),
        Init::Eye { gain } => format!("eye(gain: {gain})"),
        Init::Columns { parts, uniform } => {
            format!("{} columns ({})", if *uniform { "uniform" } else { "normal" }, columns(parts))
        }
        Init::Node(n) => format!("%{}", n.index()),
    }
}
