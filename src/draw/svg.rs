//! A placed scene as SVG: readable on light and dark grounds, text as text.

use super::facts::rate;
use super::layout::{CHAR, Placed, Rect, STACK};
use super::scene::{Edge, Item, Kind, Link, Scene};
use crate::ir::Rate;
use std::fmt::Write;

pub(super) const MARGIN: f64 = 24.0;
pub(super) const TITLE: f64 = 40.0;
const LEGEND: f64 = 64.0;

/// Shapes of lines and letters.
const STYLE: &str = "
text { font-size: 12px; font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; }
.about { font-size: 11px; } .title { font-size: 16px; font-weight: 600; } .name { font-weight: 600; }
.box { stroke-width: 1; } .form { stroke-dasharray: 3 3; } .loss { stroke-width: 2; } .outer { fill-opacity: 0.35; }
.edge { fill: none; stroke-width: 1.4; } .generate { stroke-width: 2.2; } .adapt { stroke-width: 2; stroke-dasharray: 7 4; }
.scale { stroke-width: 2; stroke-dasharray: 2 3; } .tie { stroke-width: 1.6; stroke-dasharray: 9 3 2 3; }
.blend { stroke-width: 2; stroke-dasharray: 12 3; } .faint { stroke-opacity: 0.35; stroke-dasharray: 2 3; }
.word { font-size: 11px; stroke-width: 3; paint-order: stroke; }
";

/// Colours of one ground. Plain colours, no variables: not every program that shows an SVG knows those.
struct Colours {
    ground: &'static str,
    ink: &'static str,
    quiet: &'static str,
    line: &'static str,
    parameter: &'static str,
    condition: &'static str,
    input: &'static str,
    relation: &'static str,
}

const LIGHT: Colours = Colours {
    ground: "#ffffff",
    ink: "#1d2433",
    quiet: "#667085",
    line: "#98a2b3",
    parameter: "#eef0f4",
    condition: "#fdf0d5",
    input: "#dceafd",
    relation: "#b5471b",
};

const DARK: Colours = Colours {
    ground: "#12161f",
    ink: "#e6e9ef",
    quiet: "#98a2b3",
    line: "#667085",
    parameter: "#262c38",
    condition: "#4a3a14",
    input: "#17365e",
    relation: "#f0945f",
};

impl Colours {
    fn rules(&self) -> String {
        let Colours { ground, ink, quiet, line, parameter, condition, input, relation } = self;
        format!(
            ".ground {{ fill: {ground}; }} text {{ fill: {ink}; }} .about {{ fill: {quiet}; }} .box {{ stroke: {line}; }}
.constant, .parameter {{ fill: {parameter}; }} .condition {{ fill: {condition}; }} .input {{ fill: {input}; }}
.edge {{ stroke: {line}; }} .relation {{ stroke: {relation}; }} .tip {{ fill: {line}; }}
.tip.relation {{ fill: {relation}; stroke: none; }} .word {{ fill: {relation}; stroke: {ground}; }}"
        )
    }
}

/// The beginning of a picture of this size, up to what lies below its title.
pub(super) fn opened(title: &str, width: f64, height: f64) -> String {
    let title = escape(title);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" \
         role=\"img\" aria-label=\"{title}\">\n"
    );
    let (light, dark) = (LIGHT.rules(), DARK.rules());
    let style = format!("{STYLE}{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n");
    let _ = writeln!(out, "<style>{style}</style>\n<rect class=\"ground\" width=\"100%\" height=\"100%\"/>");
    let _ = writeln!(out, r#"<text class="title" x="{MARGIN}" y="{:.0}">{title}</text>"#, MARGIN + 14.0);
    let _ = writeln!(out, r#"<g transform="translate({MARGIN} {:.0})">"#, MARGIN + TITLE);
    out
}

/// Writes the picture.
pub fn write(scene: &Scene, placed: &Placed) -> String {
    let legend = legend(scene);
    let width = (placed.width + 2.0 * MARGIN).max(legend.1 + 2.0 * MARGIN).max(240.0);
    let height = placed.height + TITLE + LEGEND + 2.0 * MARGIN;
    let mut out = opened(&scene.title, width, height);
    // Outer boxes first, so that what lies in them is seen.
    let mut order: Vec<usize> = (0..scene.items.len()).collect();
    order.sort_by_key(|k| depth(scene, *k));
    for k in &order {
        item(&mut out, scene, *k, placed.boxes[*k]);
    }
    for (k, e) in scene.edges.iter().enumerate() {
        edge(&mut out, scene, e, placed, k);
    }
    let _ = writeln!(out, "</g>\n<g transform=\"translate({MARGIN} {:.0})\">\n{}</g>\n</svg>", height - LEGEND, legend.0);
    out
}

fn depth(scene: &Scene, k: usize) -> usize {
    scene.items[k].parent.map_or(0, |p| 1 + depth(scene, p))
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn class(item: &Item, outer: bool) -> String {
    let kind = match item.kind {
        Kind::Form => " form",
        Kind::Loss => " loss",
        _ => "",
    };
    format!("box {}{kind}{}", rate(item.rate), if outer { " outer" } else { "" })
}

fn item(out: &mut String, scene: &Scene, k: usize, r: Rect) {
    let item = &scene.items[k];
    let outer = scene.items.iter().any(|t| t.parent == Some(k));
    let class = class(item, outer);
    let round = match item.kind {
        Kind::Input | Kind::Condition | Kind::Output | Kind::Loss => r.h / 2.0,
        Kind::Router => 2.0,
        Kind::Param => 0.0,
        Kind::Net | Kind::Form => 6.0,
    };
    let _ = writeln!(out, "<g><title>{}</title>", escape(&tooltip(item)));
    if item.count.is_some() {
        for off in [STACK, STACK / 2.0] {
            let _ = writeln!(
                out,
                r#"<rect class="{class}" x="{:.1}" y="{:.1}" width="{:.1}" height="{:.1}" rx="{round:.0}"/>"#,
                r.x + off,
                r.y - off,
                r.w,
                r.h
            );
        }
    }
    if item.kind == Kind::Router {
        let (x, y, w, h) = (r.x, r.y, r.w, r.h);
        let _ = writeln!(
            out,
            r#"<path class="{class}" d="M{:.1} {:.1}L{:.1} {:.1}L{:.1} {:.1}L{:.1} {:.1}L{:.1} {:.1}L{:.1} {:.1}Z"/>"#,
            x + 12.0,
            y,
            x + w - 12.0,
            y,
            x + w,
            y + h / 2.0,
            x + w - 12.0,
            y + h,
            x + 12.0,
            y + h,
            x,
            y + h / 2.0
        );
    } else {
        let _ = writeln!(
            out,
            r#"<rect class="{class}" x="{:.1}" y="{:.1}" width="{:.1}" height="{:.1}" rx="{round:.0}"/>"#,
            r.x, r.y, r.w, r.h
        );
    }
    let count = item.count.as_ref().map_or(String::new(), |c| format!(" {c}"));
    let x = r.x + r.w / 2.0;
    let lines = if item.about.is_empty() { 27.0 } else { 19.0 };
    let _ = writeln!(
        out,
        r#"<text class="name" text-anchor="middle" x="{x:.1}" y="{:.1}">{}{}</text>"#,
        r.y + lines,
        escape(&item.name),
        escape(&count)
    );
    if !item.about.is_empty() {
        let _ = writeln!(
            out,
            r#"<text class="about" text-anchor="middle" x="{x:.1}" y="{:.1}">{}</text>"#,
            r.y + 34.0,
            escape(&item.about)
        );
    }
    out.push_str("</g>\n");
}

fn tooltip(item: &Item) -> String {
    let word = match item.kind {
        Kind::Input => "input",
        Kind::Condition => "condition",
        Kind::Param => "parameter",
        Kind::Net => "net",
        Kind::Form => "form",
        Kind::Router => "router",
        Kind::Output => "output",
        Kind::Loss => "loss",
    };
    format!("{word} {}, rate {}", item.path.trim_start_matches("output "), rate(item.rate))
}

fn classes(link: Link) -> &'static str {
    match link {
        Link::Flow => "",
        Link::Generate => " relation generate",
        Link::Adapt => " relation adapt",
        Link::Scale => " relation scale",
        Link::Tie => " relation tie",
        Link::Blend => " relation blend",
        Link::Route => "",
    }
}

fn edge(out: &mut String, scene: &Scene, e: &Edge, placed: &Placed, k: usize) {
    let points = &placed.paths[k];
    let [.., before, end] = points[..] else { return };
    if e.link == Link::Route {
        return fan(out, scene, e, points[0], placed.boxes[e.to]);
    }
    let classes = classes(e.link);
    // The tip is 7 long, and the line ends where it begins.
    let ahead = if before.0 <= end.0 { 1.0 } else { -1.0 };
    let mut line = points.clone();
    line.push((end.0 - 7.0 * ahead, end.1));
    line.swap_remove(points.len() - 1);
    let _ = writeln!(out, r#"<path class="edge{classes}" d="{}"/>"#, curve(&line));
    let tip = format!("M{:.1} {:.1}l{:.0} -4v8z", end.0, end.1, -8.0 * ahead);
    let _ = writeln!(out, r#"<path class="tip{}" d="{tip}"/>"#, if classes.is_empty() { "" } else { " relation" });
    if !classes.is_empty() {
        let text = e.link.word();
        let (x, y) = word(&points[placed.words[k].min(points.len() - 2)..], text.len() as f64 * CHAR);
        let _ = writeln!(out, r#"<text class="word" text-anchor="middle" x="{x:.1}" y="{:.1}">{text}</text>"#, y - 5.0);
    }
}

/// Where the word of an edge stands: in the middle of the first stretch that has room for it.
fn word(points: &[(f64, f64)], width: f64) -> (f64, f64) {
    let wide = points.windows(2).find(|p| (p[1].0 - p[0].0).abs() > width).or_else(|| points.windows(2).next());
    wide.map_or(points[0], |p| ((p[0].0 + p[1].0) / 2.0, (p[0].1 + p[1].1) / 2.0))
}

/// A smooth line that leaves and enters each stretch levelly.
fn curve(points: &[(f64, f64)]) -> String {
    let mut path = format!("M{:.1} {:.1}", points[0].0, points[0].1);
    for pair in points.windows(2) {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        if (y0 - y1).abs() < 0.05 {
            let _ = write!(path, "L{x1:.1} {y1:.1}");
        } else {
            let x = (x0 + x1) / 2.0;
            let _ = write!(path, "C{x:.1} {y0:.1} {x:.1} {y1:.1} {x1:.1} {y1:.1}");
        }
    }
    path
}

/// One line for each net of a routed array (eight at most): the slots solid, the others faint.
fn fan(out: &mut String, scene: &Scene, e: &Edge, from: (f64, f64), b: Rect) {
    const LINES: usize = 8;
    let mut words = scene.items[e.from].name.split(" of ").map(|w| w.parse::<usize>().ok());
    let slots = words.next().flatten().unwrap_or(1);
    let lines = words.next().flatten().unwrap_or(LINES).clamp(1, LINES);
    for i in 0..lines {
        let y = b.y + b.h * (i as f64 + 0.5) / lines as f64;
        let faint = if i < slots { "" } else { " faint" };
        let path = curve(&[from, (b.x - 2.0, y)]);
        let _ = writeln!(out, r#"<path class="edge{faint}" d="{path}"/>"#);
    }
}

/// The legend and its width: the rates and the kinds of edges that are in the picture.
fn legend(scene: &Scene) -> (String, f64) {
    let mut out = String::from("<text class=\"about\" x=\"0\" y=\"4\">rate</text>\n");
    let mut x = 48.0;
    for r in [Rate::Parameter, Rate::Condition, Rate::Input] {
        let used = |i: &Item| i.rate == r || (r == Rate::Parameter && i.rate == Rate::Constant);
        if !scene.items.iter().any(used) {
            continue;
        }
        let word = rate(r);
        let _ = writeln!(
            out,
            r#"<rect class="box {word}" x="{x:.0}" y="-7" width="16" height="14" rx="3"/><text class="about" x="{:.0}" y="4">{word}</text>"#,
            x + 22.0
        );
        x += 22.0 + word.len() as f64 * CHAR + 18.0;
    }
    let mut links: Vec<Link> = scene.edges.iter().map(|e| e.link).filter(|l| *l != Link::Flow).collect();
    links.sort();
    links.dedup();
    if links.is_empty() {
        return (out, x);
    }
    let mut at = 48.0;
    out.push_str("<text class=\"about\" x=\"0\" y=\"28\">edges</text>\n");
    for link in links {
        let word = link.word();
        let _ = writeln!(
            out,
            r#"<path class="edge{}" d="M{at:.0} 24h28"/><text class="about" x="{:.0}" y="28">{word}</text>"#,
            classes(link),
            at + 34.0
        );
        at += 34.0 + word.len() as f64 * CHAR + 18.0;
    }
    (out, x.max(at))
}
