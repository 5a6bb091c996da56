//! The report of a run: one page of HTML that needs nothing else, no network among it.
//!
//! In: what the run was ([`Head`]), its records, what its `eval` blocks found. Out: a text. Promised: the page shows every kind of figure that the
//! records have, in curves that keep their extremes however long the run was, and in a table for those who see no curves; a name
//! of a model cannot break it.
//!
//! What is drawn is decided here ([`panel`]); the page's script only draws it.

mod curve;
mod figures;
mod panel;

use super::record::Record;
use crate::exec::eval;

const PAGE: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// What a run was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Head {
    pub model: String,
    pub seed: i64,
    pub backend: String,
    /// Numbers that are learned.
    pub parameters: u64,
    /// How it ended, where it did not simply come to its end: in words.
    pub ended: Option<String>,
}

/// The page.
pub fn html(head: &Head, records: &[Record], evals: &[eval::Report]) -> String {
    let records = &told_once(records);
    let panels = panel::panels(records);
    // No text inside may end the script that holds it.
    let data = serde_json::to_string(&panels).expect("panels are what JSON can say").replace('<', "\\u003c");
    let parts = [
        ("{{title}}", escaped(&head.model)),
        ("{{style}}", STYLE.to_string()),
        ("{{head}}", figures::head(head, records)),
        ("{{evals}}", evals.iter().map(figures::eval).collect()),
        ("{{figures}}", figures::all(records)),
        ("{{data}}", data),
        ("{{script}}", SCRIPT.to_string()),
    ];
    filled(PAGE, &parts)
}

/// Records in which what is made small is not shown a second time where it is one of the model's losses.
fn told_once(records: &[Record]) -> Vec<Record> {
    let value = |r: &Record, name: &str| r.losses.iter().find(|(n, _)| n == name).map(|(_, v)| v.to_bits());
    let mut others: Vec<&String> = records.iter().flat_map(|r| &r.losses).map(|(n, _)| n).filter(|n| *n != "loss").collect();
    others.sort();
    others.dedup();
    let same = others.iter().any(|n| records.iter().all(|r| value(r, "loss") == value(r, n)));
    let mut out = records.to_vec();
    if same {
        out.iter_mut().for_each(|r| r.losses.retain(|(n, _)| n != "loss"));
    }
    out
}

/// A text with its places filled; what fills one is not looked at again.
fn filled(page: &str, parts: &[(&str, String)]) -> String {
    let mut out = String::new();
    let mut rest = page;
    while let Some((at, mark, text)) =
        parts.iter().filter_map(|(mark, text)| Some((rest.find(mark)?, *mark, text))).min_by_key(|(at, _, _)| *at)
    {
        out.push_str(&rest[..at]);
        out.push_str(text);
        rest = &rest[at + mark.len()..];
    }
    out + rest
}

/// A text as HTML shows it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests;
