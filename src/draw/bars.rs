//! Things that were decided, each with what every way costs: bars on one scale, in which ten times as dear is one step further.

use super::layout::CHAR;
use super::svg::{MARGIN, TITLE, escape, opened};
use std::fmt::Write;

/// One way.
pub struct Bar {
    pub text: String,
    /// What it costs by the planner's prices, and what a run took, in nanoseconds.
    pub ns: Option<f64>,
    pub measured: Option<f64>,
    pub taken: bool,
}

/// One decision.
pub struct Group {
    pub title: String,
    /// Where it stands, how long it holds, who pinned it.
    pub about: String,
    pub bars: Vec<Bar>,
}

const LINE: f64 = 18.0;
const GAP: f64 = 16.0;
/// The scale's width, and that of what stands behind a bar.
const SCALE: f64 = 360.0;
const BEHIND: f64 = 190.0;
/// Letters of a way; longer ones are cut.
const LETTERS: usize = 52;
/// How much wider loud letters are.
const LOUD: f64 = 1.1;
/// The words below.
const LEGEND: f64 = 30.0;

/// `1.2 ms`
pub fn time(ns: f64) -> String {
    match ns {
        ns if ns < 1e3 => format!("{ns:.0} ns"),
        ns if ns < 1e6 => format!("{:.1} µs", ns / 1e3),
        ns if ns < 1e9 => format!("{:.1} ms", ns / 1e6),
        ns => format!("{:.1} s", ns / 1e9),
    }
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LETTERS { text.into() } else { text.chars().take(LETTERS - 1).chain(['…']).collect() }
}

/// The picture as SVG.
pub fn write(title: &str, groups: &[Group]) -> String {
    let bars = || groups.iter().flat_map(|g| &g.bars);
    let times = || bars().flat_map(|b| [b.ns, b.measured]).flatten().filter(|ns| ns.is_finite() && *ns >= 1.0);
    let (least, most) = times().fold((f64::INFINITY, 10.0f64), |(low, high), ns| (low.min(ns), high.max(ns)));
    let low = if least.is_finite() { least.log10().floor() } else { 0.0 };
    let high = most.log10().ceil().max(low + 1.0);
    let along = |ns: f64| (ns.max(1.0).log10().clamp(low, high) - low) / (high - low) * SCALE;
    let words = groups.iter().flat_map(|g| [g.title.chars().count() + g.about.chars().count() + 2]).max().unwrap_or(0);
    let before = bars().map(|b| cut(&b.text).chars().count()).max().unwrap_or(0) as f64 * CHAR * LOUD + 3.0 * CHAR;
    let width = (before + SCALE + BEHIND).max(words as f64 * CHAR).max(420.0) + 2.0 * MARGIN;
    let tall: f64 = groups.iter().map(|g| LINE * (g.bars.len() + 1) as f64 + GAP).sum();
    let is_measured = bars().any(|b| b.measured.is_some());
    let mut out = opened(title, width, tall + TITLE + LEGEND + 2.0 * MARGIN + LINE);
    // One line for each power of ten, with its time.
    let mut decade = low;
    while decade <= high {
        let x = before + along(10f64.powf(decade));
        let _ = writeln!(out, r#"<path class="edge faint" d="M{x:.1} {LINE:.0}V{:.1}"/>"#, tall + LINE);
        let _ =
            writeln!(out, r#"<text class="about" x="{x:.1}" y="12" text-anchor="middle">{}</text>"#, time(10f64.powf(decade)));
        decade += 1.0;
    }
    let mut y = LINE;
    for g in groups {
        y += LINE;
        let name = escape(&g.title);
        let _ = writeln!(out, r#"<text class="name" x="0" y="{:.1}">{name}</text>"#, y - 5.0);
        let x = (g.title.chars().count() + 2) as f64 * CHAR;
        let _ = writeln!(out, r#"<text class="about" x="{x:.1}" y="{:.1}">{}</text>"#, y - 5.0, escape(&g.about));
        for b in &g.bars {
            bar(&mut out, b, (before, y), &along);
            y += LINE;
        }
        y += GAP;
    }
    let _ = writeln!(out, "</g>");
    let legend = match is_measured {
        true => "filled: taken; the bar: by the planner's prices, of what differs; the mark: a whole run, measured",
        false => "filled: taken; the bar: by the planner's prices, of what differs between the ways",
    };
    let _ = writeln!(out, r#"<text class="about" x="{MARGIN}" y="{:.0}">{legend}</text>"#, tall + TITLE + 2.0 * MARGIN + LINE);
    out.push_str("</svg>\n");
    out
}

fn bar(out: &mut String, b: &Bar, (before, y): (f64, f64), along: &dyn Fn(f64) -> f64) {
    let text = escape(&cut(&b.text));
    let class = if b.taken { "name" } else { "about" };
    let x = 2.0 * CHAR;
    let _ = writeln!(
        out,
        r#"<g><title>{}</title><text class="{class}" x="{x:.1}" y="{:.1}">{text}</text>"#,
        escape(&b.text),
        y + 12.0
    );
    let end = b.ns.map_or(0.0, along).max(2.0);
    if b.ns.is_some() {
        let fill = if b.taken { "input" } else { "parameter" };
        let _ =
            writeln!(out, r#"<rect class="box {fill}" x="{before:.1}" y="{:.1}" width="{end:.1}" height="12" rx="2"/>"#, y + 2.0);
    }
    if let Some(ns) = b.measured {
        let at = before + along(ns);
        let _ = writeln!(out, r#"<path class="edge relation generate" d="M{at:.1} {:.1}v16"/>"#, y);
    }
    let far = before + end.max(b.measured.map_or(0.0, along)) + 6.0;
    let measured = b.measured.map_or(String::new(), |ns| format!(", a run took {}", time(ns)));
    let price = b.ns.map_or("no price".into(), time);
    let _ = writeln!(out, r#"<text class="about" x="{far:.1}" y="{:.1}">{price}{measured}</text></g>"#, y + 12.0);
}
