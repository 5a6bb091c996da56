//! `hnet eval`: measures a model as its `eval` blocks say.

use super::choices::Ways;
use super::open::{self, Which};
use super::run::How;
use super::table::{short, table};
use super::talk::{self, Exit, Talk};
use crate::diag::{Code, Diagnostic};
use crate::exec::eval::{Report, Row, Setting, run};
use crate::ir::sizes::Sizes;
use crate::source::Sources;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Measure a model on data, as its `eval` blocks say
#[derive(clap::Args)]
#[command(after_help = "Example:\n  hnet eval tasks.hnet --params tasks.params.safetensors\n\n\
A table has a row for each group and one for all rows of the data.")]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// The weights: safetensors
    #[arg(long, value_name = "F")]
    params: Vec<PathBuf>,
    /// Only the block of this name
    #[arg(long, value_name = "NAME")]
    phase: Option<String>,
    /// Seed of all that is drawn
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    seed: i32,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    ways: Ways,
    /// One JSON object for each block
    #[arg(long)]
    json: bool,
}

pub fn main(args: &Args) -> Result<(), Exit> {
    let talk = Talk::json(args.json);
    let mut options = args.how.options(talk).map_err(|d| talk.fail(&Sources::default(), d))?;
    let opened = open::model(&args.which, talk)?;
    // A block without a name is called as its model.
    let called = |e: &crate::check::model::Eval| e.phase.clone().unwrap_or_else(|| opened.model.name.clone());
    let wanted = |e: &&crate::check::model::Eval| args.phase.as_ref().is_none_or(|p| *p == called(e));
    let blocks: Vec<_> = opened.model.evals.iter().filter(wanted).collect();
    if blocks.is_empty() {
        let d = Diagnostic::plain(
            Code::H0006,
            format!("`{}` has no eval block{}", opened.model.name, if args.phase.is_some() { " of that name" } else { "" }),
        );
        let names: Vec<String> = opened.model.evals.iter().map(|e| format!("`{}`", called(e))).collect();
        let help = match names.is_empty() {
            true => format!("add `eval {} {{ data .. batch .. report .. }}`", opened.model.name),
            false => format!("there are {}", names.join(", ")),
        };
        return Err(opened.fail(talk, &[d.help(help)]));
    }
    opened.allow_data(&blocks, talk)?;
    let fixed = opened.model.dims.iter().filter_map(|d| Some((d.name.clone(), d.size?)));
    let params = opened.params(&args.params, &fixed.collect::<Sizes>(), args.seed, talk)?;
    options.terms.pins = args.ways.pins(&opened, None, &options, talk)?;
    let setting = Setting { model: &opened.model, params: &params, folder: opened.folder(), options, seed: args.seed };
    for (k, block) in blocks.iter().enumerate() {
        let bar = bar(block.phase.as_deref().unwrap_or(&opened.model.name));
        let mut progress = |done: usize, all: usize| {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
        };
        let report = run(&setting, block, &mut progress).map_err(|d| opened.fail(talk, &[d]))?;
        bar.finish_and_clear();
        talk.say(&opened.sources, &report.warnings)?;
        if args.json {
            let mut value = as_json(&report);
            value["params"] = json!(opened.weights_from(&args.params));
            talk::print(&format!("{value}\n"));
        } else {
            talk::print(&format!("{}{}", if k > 0 { "\n" } else { "" }, as_table(&report)));
        }
        report.notes.iter().for_each(|n| talk.note(n));
    }
    Ok(())
}

fn bar(name: &str) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style).with_message(name.to_string())
}

pub fn as_table(report: &Report) -> String {
    let group = report.group.as_deref().unwrap_or("");
    let mut head = vec![group, "rows"];
    head.extend(report.columns.iter().map(String::as_str));
    let line = |r: &Row| {
        let mut cells = vec![r.group.map_or("all".to_string(), |g| g.to_string()), r.rows.to_string()];
        cells.extend(r.values.iter().map(|v| short(*v)));
        cells
    };
    let title = report.phase.as_ref().map_or(String::new(), |p| format!("{p}\n"));
    title + &table(&head, &report.rows.iter().map(line).collect::<Vec<_>>(), 1)
}

pub fn as_json(report: &Report) -> Value {
    let line = |r: &Row| {
        let values = report.columns.iter().zip(&r.values).map(|(c, v)| (c.clone(), json!(v)));
        json!({ "group": r.group, "rows": r.rows, "values": values.collect::<serde_json::Map<_, _>>() })
    };
    json!({
        "model": report.model,
        "phase": report.phase,
        "by": report.group,
        "backend": report.backend,
        "rows": report.rows.iter().map(line).collect::<Vec<_>>(),
    })
}
