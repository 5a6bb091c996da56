//! `hnet bench`: how long a model takes, run after run.

use super::choices::Ways;
use super::given::Values;
use super::open::{self, Opened, Which};
use super::profile::time;
use super::run::How;
use super::talk::{self, Exit, Talk};
use crate::bind::inputs::{self, Given, Request};
use crate::diag::{Code, Diagnostic, suggest};
use crate::exec::bench::{Times, measure};
use crate::exec::session::{self, Session};
use crate::ir::{Bindings, type_text};
use crate::source::Sources;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

/// Measure how long a model takes
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hnet bench tasks.hnet --runs 100
  hnet bench tasks.hnet --dim b=64 --backend cpu --threads 1 --json

Inputs are found as by `hnet run`; those that are not there are drawn. What depends on parameters and conditions alone is computed
once, as in a server; what is timed is a run on the inputs, with the results read back. The spread is the middle half of all runs.")]
pub struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    values: Values,
    #[command(flatten)]
    how: How,
    /// Only this output; may be repeated
    #[arg(long, value_name = "NAME")]
    output: Vec<String>,
    #[command(flatten)]
    ways: Ways,
    /// Runs that are timed
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    runs: u32,
    /// Runs before them that are not
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    warmup: u32,
    /// One JSON object, times in seconds
    #[arg(long)]
    json: bool,
}

pub fn main(args: &Args) -> Result<(), Exit> {
    let talk = Talk::json(args.json);
    args.values.once()?;
    open::once_each("--output", &args.output)?;
    let mut options = args.how.options(talk).map_err(|d| talk.fail(&Sources::default(), d))?;
    let opened = open::model(&args.which, talk)?;
    let one = |d: Diagnostic| opened.fail(talk, &[d]);
    let model = &opened.model;
    let Ready { outputs, early, late, shapes } = ready(&opened, &args.values, &args.output, talk)?;
    options.terms.pins = args.ways.pins(&opened, Some(&early.sizes), &options, talk)?;
    let mut session = Session::new(model, &outputs, &options).map_err(one)?;
    let bar = progress(args.runs);
    let times =
        measure(&mut session, &early, &late, (args.warmup as usize, args.runs as usize), &mut || bar.inc(1)).map_err(one)?;
    bar.finish_and_clear();
    talk.say(&opened.sources, &session.warnings)?;
    if args.json {
        let mut value = as_json(&model.name, &session, &times, &shapes);
        value["params"] = json!(opened.weights_from(&args.values.params));
        talk::print(&format!("{value}\n"));
    } else {
        talk::print(&shown(&model.name, &session, &times, &shapes));
    }
    Ok(())
}

/// What a model is timed on.
pub(super) struct Ready {
    pub outputs: Vec<usize>,
    /// Parameters and conditions.
    pub early: Bindings,
    /// What comes with every run.
    pub late: Bindings,
    /// Of what is given, for people.
    pub shapes: Vec<(String, String)>,
}

/// Finds what is given, draws what is not, and says what was chosen. `output`: only these.
pub(super) fn ready(opened: &Opened, values: &Values, output: &[String], talk: Talk) -> Result<Ready, Exit> {
    let model = &opened.model;
    let one = |d: Diagnostic| opened.fail(talk, &[d]);
    let given = given(opened, values, talk)?;
    talk.say(&opened.sources, &given.warnings)?;
    for (dim, n) in &given.chosen {
        talk.note(&format!("{dim} = {n} (choose with --dim {dim}=N)"));
    }
    let (can, left) = session::computable(model, &given);
    let outputs = chosen(output, model, &can).map_err(one)?;
    if outputs.is_empty() {
        return Err(one(session::nothing_to_run(model, &left)));
    }
    inputs::indices(model, &outputs, &given).map_err(one)?;
    let params = opened.params(&values.params, &given.sizes, values.seed, talk)?;
    let shapes = given.tensors.iter().map(|(n, t)| (n.clone(), type_text(t.dtype().word(), &t.shape))).collect();
    let sizes = given.sizes.clone();
    let all = session::bindings(params, given, values.seed);
    let (late, early) =
        all.sources.into_iter().partition(|(name, _)| model.inputs.iter().any(|i| i.name == *name && !i.condition));
    let (early, late) = (Bindings { sources: early, sizes: sizes.clone() }, Bindings { sources: late, sizes });
    Ok(Ready { outputs, early, late, shapes })
}

/// As the user said, else as the file beside the model has it, else drawn. A size that somebody asks for counts more than a file that
/// happens to be there.
fn given(opened: &Opened, values: &Values, talk: Talk) -> Result<Given, Exit> {
    let model = &opened.model;
    let beside = opened.beside("inputs").filter(|_| values.inputs.is_empty() && !values.dim.is_empty());
    if let Some(file) = beside {
        let drawn = values.request(opened, false, true, talk);
        let read = Request { files: vec![file.clone()], ..drawn.clone() };
        let other = inputs::gather(model, &read).is_err_and(|list| list.iter().all(|d| d.code == Code::H0602));
        if let (true, Ok(drawn)) = (other, inputs::gather(model, &drawn)) {
            talk.note(&format!("{} has other sizes: it is not read, and inputs are drawn", file.display()));
            return Ok(drawn);
        }
    }
    inputs::gather(model, &values.request(opened, true, true, talk)).map_err(|list| opened.fail(talk, &list))
}

/// The numbers of the outputs that are asked for; all that can be computed unless said. Errors: there is no such output, or it cannot be.
fn chosen(asked: &[String], model: &crate::check::model::Model, can: &[usize]) -> Result<Vec<usize>, Diagnostic> {
    if asked.is_empty() {
        return Ok(can.to_vec());
    }
    let outputs = &model.graph.outputs;
    let mut out = Vec::new();
    for name in asked {
        let Some(k) = can.iter().find(|k| *outputs[**k].name == **name) else {
            let d = Diagnostic::plain(Code::H0612, format!("`{}` has no output `{name}` that can be computed", model.name));
            let names: Vec<&str> = can.iter().map(|k| &*outputs[*k].name).collect();
            return Err(match suggest(name, names.iter().copied()) {
                Some(near) => d.help(format!("there is `{near}`")),
                None => d.help(format!("it has {}", names.join(", "))),
            });
        };
        out.push(*k);
    }
    Ok(out)
}

fn progress(runs: u32) -> ProgressBar {
    let bar = ProgressBar::new(u64::from(runs));
    bar.set_style(ProgressStyle::with_template("run {pos} of {len} {wide_bar}").unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

fn shown(model: &str, session: &Session, times: &Times, shapes: &[(String, String)]) -> String {
    let inputs: Vec<String> = shapes.iter().map(|(name, ty)| format!("{name}: {ty}")).collect();
    let [low, q1, median, q3, high] = [0.0, 0.25, 0.5, 0.75, 1.0].map(|part| time(times.quantile(part)).trim_end().to_string());
    let runs = times.runs.len();
    format!(
        "{model} on {}, {}\n\
         prepared in  {}\n\
         median       {median} of {runs} {}\n\
         spread       {q1} to {q3}\n\
         range        {low} to {high}\n",
        session.backend(),
        if inputs.is_empty() { "no inputs".to_string() } else { inputs.join(", ") },
        time(times.prepare).trim_end(),
        if runs == 1 { "run" } else { "runs" },
    )
}

fn as_json(model: &str, session: &Session, times: &Times, shapes: &[(String, String)]) -> serde_json::Value {
    let q = |part: f64| times.quantile(part);
    json!({
        "model": model,
        "backend": session.backend(),
        "outputs": session.names(),
        "inputs": shapes.iter().map(|(name, ty)| json!({ "name": name, "type": ty })).collect::<Vec<_>>(),
        "prepare": times.prepare,
        "runs": times.runs.len(),
        "median": q(0.5),
        "quartiles": [q(0.25), q(0.75)],
        "min": q(0.0),
        "max": q(1.0),
        "mean": times.mean(),
    })
}
