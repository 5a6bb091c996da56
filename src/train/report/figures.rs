//! The page's words and numbers: what the run was, and its figures as tables.

use super::{Head, escaped};
use crate::exec::eval;
use crate::train::record::Record;
use std::fmt::Write;

/// A number for people: four digits or a few more.
fn short(v: f64) -> String {
    match v {
        v if v.is_nan() => "NaN".into(),
        v if v.is_infinite() => if v > 0.0 { "∞" } else { "−∞" }.into(),
        0.0 => "0".into(),
        v if v.abs() < 1e-3 || v.abs() >= 1e6 => format!("{v:.3e}").replace('-', "−"),
        v if v.fract() == 0.0 => format!("{v}").replace('-', "−"),
        v => format!("{v:.digits$}", digits = if v.abs() >= 100.0 { 1 } else { 4 }).replace('-', "−"),
    }
}

/// A whole number with its thousands apart.
fn whole(v: u64) -> String {
    let digits = v.to_string();
    let mut out = String::new();
    for (k, c) in digits.chars().enumerate() {
        if k > 0 && (digits.len() - k).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

fn time(seconds: f64) -> String {
    let s = seconds.round() as u64;
    match s {
        0..60 => format!("{seconds:.1} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        _ => format!("{} h {} min", s / 3600, s / 60 % 60),
    }
}

/// Title and facts.
pub fn head(head: &Head, records: &[Record]) -> String {
    let mut phases: Vec<&str> = Vec::new();
    for r in records {
        if !r.phase.is_empty() && !phases.contains(&r.phase.as_str()) {
            phases.push(&r.phase);
        }
    }
    let mut facts =
        vec![("parameters", whole(head.parameters)), ("backend", head.backend.clone()), ("seed", head.seed.to_string())];
    if !phases.is_empty() {
        facts.insert(0, (if phases.len() == 1 { "phase" } else { "phases" }, phases.join(", ")));
    }
    if let Some(last) = records.last() {
        facts.push(("steps", whole(last.step)));
        facts.push(("rows", whole(last.rows)));
        facts.push(("time", time(last.seconds)));
        if last.seconds > 0.0 {
            facts.push(("rows a second", whole((last.rows as f64 / last.seconds).round() as u64)));
        }
    }
    let mut out = format!("<h1>{}</h1>\n", escaped(&head.model));
    if let Some(how) = &head.ended {
        let _ = writeln!(out, "<p class=\"ended\">{}</p>", escaped(how));
    }
    out.push_str("<dl>\n");
    for (name, value) in facts {
        let _ = writeln!(out, "<div><dt>{name}</dt><dd>{}</dd></div>", escaped(&value));
    }
    out.push_str("</dl>\n");
    if records.is_empty() {
        out.push_str("<p>No step was taken.</p>\n");
    }
    out
}

/// A table; the first cell of a row names it.
fn table(caption: &str, columns: &[String], rows: &[Vec<String>], notes: &[String]) -> String {
    let mut out = format!("<div class=\"card scrolls\"><table><caption>{}</caption>\n<thead><tr>", escaped(caption));
    columns.iter().for_each(|c| out.push_str(&format!("<th scope=\"col\">{}</th>", escaped(c))));
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        let mut cells = row.iter();
        let name = cells.next().map(String::as_str).unwrap_or("");
        let _ = write!(out, "<tr><th scope=\"row\">{}</th>", escaped(name));
        cells.for_each(|c| out.push_str(&format!("<td>{}</td>", escaped(c))));
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody></table>\n");
    notes.iter().for_each(|n| out.push_str(&format!("<p class=\"note\">{}</p>\n", escaped(n))));
    out + "</div>\n"
}

/// What an `eval` block found.
pub fn eval(report: &eval::Report) -> String {
    let group = report.group.clone().unwrap_or_default();
    let columns: Vec<String> = [group, "rows".into()].into_iter().chain(report.columns.iter().cloned()).collect();
    let row = |r: &eval::Row| {
        let name = r.group.map_or("all".to_string(), |g| g.to_string());
        [name, whole(r.rows as u64)].into_iter().chain(r.values.iter().map(|v| short(*v))).collect()
    };
    let rows: Vec<Vec<String>> = report.rows.iter().map(row).collect();
    let phase = report.phase.as_ref().map(|p| format!(", {p}")).unwrap_or_default();
    table(&format!("eval {}{phase}", report.model), &columns, &rows, &report.notes)
}

/// What a list of numbers comes to: first, last, least, greatest, the mean of the last tenth.
fn summary(name: String, values: &[(u64, f64)]) -> Vec<String> {
    let finite = || values.iter().filter(|(_, v)| v.is_finite());
    let at = |p: Option<&(u64, f64)>| p.map_or("–".to_string(), |(x, v)| format!("{} at {}", short(*v), whole(*x)));
    let tail = &values[values.len() - values.len().div_ceil(10)..];
    let mean = tail.iter().map(|p| p.1).sum::<f64>() / tail.len() as f64;
    let end = |p: Option<&(u64, f64)>| p.map_or("–".to_string(), |(_, v)| short(*v));
    vec![
        name,
        end(values.first()),
        end(values.last()),
        at(finite().min_by(|a, b| a.1.total_cmp(&b.1))),
        at(finite().max_by(|a, b| a.1.total_cmp(&b.1))),
        short(mean),
    ]
}

/// The name of one of several; the only one may have none of its own.
fn called(what: &str, name: &str) -> String {
    if what.ends_with(name) { what.to_string() } else { format!("{what} {name}") }
}

/// The figures of all curves.
pub fn all(records: &[Record]) -> String {
    let mut list: Vec<(String, Vec<(u64, f64)>)> = Vec::new();
    let mut add = |name: String, step: u64, v: f64| match list.iter_mut().find(|(n, _)| *n == name) {
        Some((_, values)) => values.push((step, v)),
        None => list.push((name, vec![(step, v)])),
    };
    for r in records {
        r.losses.iter().for_each(|(n, v)| add(called("loss", n), r.step, *v));
        r.scores.iter().for_each(|(n, v)| add(format!("validation {n}"), r.step, *v));
        r.rates.iter().for_each(|(n, v)| add(called("learning rate", n), r.step, *v));
        if !r.losses.is_empty() {
            add("gradient norm".into(), r.step, r.norm);
        }
        for (route, shares) in &r.loads {
            // How unequal they are in one number: 0 where all are equal.
            let mean = shares.iter().sum::<f64>() / shares.len() as f64;
            let spread = (shares.iter().map(|s| (s - mean).powi(2)).sum::<f64>() / shares.len() as f64).sqrt() / mean;
            add(format!("load of {route}, deviation / mean"), r.step, spread);
        }
        r.dropped.iter().for_each(|(n, v)| add(format!("dropped {n}"), r.step, *v));
    }
    if list.is_empty() {
        return String::new();
    }
    let columns = ["", "first", "last", "least", "greatest", "mean of the last tenth"].map(String::from);
    let rows: Vec<Vec<String>> = list.into_iter().map(|(name, values)| summary(name, &values)).collect();
    table("Figures", &columns, &rows, &[])
}
