//! A scene for Graphviz.

use super::scene::{Item, Kind, Link, Scene};
use crate::ir::Rate;
use std::fmt::Write;

/// Writes the scene in the DOT language; nets with parts are clusters.
pub fn write(scene: &Scene) -> String {
    let mut out = format!("digraph {} {{\n", quoted(&scene.title));
    out.push_str("    rankdir=LR; compound=true; node [fontname=\"monospace\", fontsize=11, style=filled]; edge [fontname=\"monospace\", fontsize=10];\n");
    inside(&mut out, scene, None, 1);
    for e in &scene.edges {
        let (from, to) = (anchor(scene, e.from), anchor(scene, e.to));
        let mut with: Vec<String> = vec![style(e.link).to_string()];
        if e.link != Link::Flow {
            with.push(format!("label={}", quoted(e.link.word())));
        }
        if from != e.from {
            with.push(format!("ltail=cluster_{}", e.from));
        }
        if to != e.to {
            with.push(format!("lhead=cluster_{}", e.to));
        }
        with.retain(|w| !w.is_empty());
        let _ = writeln!(out, "    n{from} -> n{to} [{}];", with.join(", "));
    }
    out.push_str("}\n");
    out
}

fn inside(out: &mut String, scene: &Scene, parent: Option<usize>, depth: usize) {
    let indent = "    ".repeat(depth);
    for (k, item) in scene.items.iter().enumerate().filter(|(_, i)| i.parent == parent) {
        if scene.items.iter().any(|i| i.parent == Some(k)) {
            let _ = writeln!(out, "{indent}subgraph cluster_{k} {{\n{indent}    label={};", quoted(&label(item)));
            inside(out, scene, Some(k), depth + 1);
            let _ = writeln!(out, "{indent}}}");
        } else {
            let _ = writeln!(
                out,
                "{indent}n{k} [label={}, shape={}, fillcolor=\"{}\"];",
                quoted(&label(item)),
                shape(item.kind),
                colour(item.rate)
            );
        }
    }
}

/// A box with parts is no node: edges end at its first part.
fn anchor(scene: &Scene, k: usize) -> usize {
    scene.items.iter().position(|i| i.parent == Some(k)).map_or(k, |first| anchor(scene, first))
}

fn label(item: &Item) -> String {
    let count = item.count.as_ref().map_or(String::new(), |c| format!(" {c}"));
    let about = if item.about.is_empty() { String::new() } else { format!("\n{}", item.about) };
    format!("{}{count}{about}", item.name)
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

fn shape(kind: Kind) -> &'static str {
    match kind {
        Kind::Input | Kind::Condition | Kind::Output => "ellipse",
        Kind::Loss => "doublecircle",
        Kind::Param => "box",
        Kind::Net => "box",
        Kind::Form => "component",
        Kind::Router => "hexagon",
    }
}

fn colour(rate: Rate) -> &'static str {
    match rate {
        Rate::Constant | Rate::Parameter => "#eef0f4",
        Rate::Condition => "#fdf0d5",
        Rate::Input => "#dceafd",
    }
}

fn style(link: Link) -> &'static str {
    match link {
        Link::Flow | Link::Route => "",
        Link::Generate => "color=\"#b5471b\", penwidth=2",
        Link::Adapt => "color=\"#b5471b\", style=dashed",
        Link::Scale => "color=\"#b5471b\", style=dotted",
        Link::Tie | Link::Blend => "color=\"#b5471b\", style=bold",
    }
}
