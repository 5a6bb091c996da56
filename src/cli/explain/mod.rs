//! `hnet explain`: what a code means, what a function of the language gives, or what the planner decided for a model.

mod measure;
mod on;
mod picture;
mod pin;
mod plan;
mod short;
mod words;

use super::given::Values;
use super::machine::Machine;
use super::open::{self, Outside, Which};
use super::talk::{self, BOLD, DIM, Exit, Talk, usage};
use crate::check;
use crate::diag::explain::{PAGES, full, page, title};
use crate::diag::suggest;
use crate::source::Sources;
use on::Backends;
pub(super) use on::On;
pub(super) use pin::{Look, Pinned, named, pins};
pub(super) use plan::at_sizes;
use std::path::PathBuf;

/// Say what the code of a message means, with an example and its remedy, what a function gives, or what was decided for a model
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  hnet explain H0301\n  hnet explain top_k\n  hnet explain lora.hnet --dim b=64      what is computed in which order, and what else there was\n  hnet explain lora.hnet -o lora.svg      the same as a picture\n  hnet explain --list\n  hnet explain --functions"
)]
pub struct Args {
    /// The code: H0301, or 301; or the word of a function: softplus; or a model: tasks.hnet
    #[arg(required_unless_present_any = ["list", "functions"], conflicts_with_all = ["list", "functions"])]
    code: Option<String>,
    /// All codes with their titles
    #[arg(long)]
    list: bool,
    /// All functions of the language
    #[arg(long, conflicts_with = "list")]
    functions: bool,
    /// The model; the first of the file unless said
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Replaces a constant; may be repeated
    #[arg(long, value_name = "CONST=NUMBER", value_parser = open::number)]
    set: Vec<(String, f64)>,
    #[command(flatten)]
    values: Values,
    /// For what is decided: code for this processor, or shaders for the graphics device
    #[arg(long, value_enum, default_value_t)]
    backend: Backends,
    /// Runs the model in each of the ways, on one thread of the CPU or on the device, says how long that took, and whether the numbers agree
    #[arg(long)]
    measure: bool,
    /// Keeps the ways that were measured to be faster than the usual ones, for `--choices` of `hnet run` and `hnet bench`: a JSON file that says on
    /// which device it was measured, and with which driver
    #[arg(long, value_name = "F", requires = "measure")]
    keep: Option<PathBuf>,
    /// Shows what is decided where another way than the cheapest is taken at a place, by its number or its words: `sum@8:24=2`,
    /// `sum@8:24=made`; may be repeated
    #[arg(long, value_name = "WHAT@LINE:COLUMN=WAY")]
    pin: Vec<String>,
    /// The decisions as one JSON object
    #[arg(long)]
    json: bool,
    /// Draws the decisions: F.svg, F.png, F.pdf
    #[arg(long, short, value_name = "F")]
    out: Option<PathBuf>,
    #[command(flatten)]
    machine: Machine,
    #[command(flatten)]
    outside: Outside,
}

pub fn main(args: &Args) -> Result<(), Exit> {
    let model = args.code.as_ref().is_some_and(|c| c.ends_with(".hnet"));
    let of_models = [
        ("--backend", args.backend != Backends::default()),
        ("--keep", args.keep.is_some()),
        (args.machine.given().unwrap_or("--machine"), args.machine.given().is_some()),
        ("--measure", args.measure),
        ("--model", args.model.is_some()),
        ("--out", args.out.is_some()),
        ("--pin", !args.pin.is_empty()),
        ("--set", !args.set.is_empty()),
    ];
    if let Some((word, _)) = of_models.iter().find(|(_, given)| *given && !model) {
        return Err(usage(&format!("`{word}` is about what was decided for a model: `hnet explain M.hnet {word} ..`")));
    }
    if args.functions {
        talk::print(&styled(&check::reference()));
        return Ok(());
    }
    let Some(code) = args.code.as_deref().filter(|_| !args.list) else {
        for (code, text) in PAGES {
            talk::print(&format!("{BOLD}{code}{BOLD:#}  {}\n", title(text)));
        }
        return Ok(());
    };
    if model {
        args.values.once()?;
        let which = Which { file: code.into(), model: args.model.clone(), set: args.set.clone(), outside: args.outside };
        let talk = Talk::json(args.json);
        let terms = args.machine.terms(talk).map_err(|d| talk.fail(&Sources::default(), d))?;
        let (values, pins, measure, json) = (&args.values, args.pin.as_slice(), args.measure, args.json);
        let on = On::new(args.backend, measure).map_err(|d| talk.fail(&Sources::default(), d))?;
        let (out, keep) = (args.out.as_deref(), args.keep.as_deref());
        return plan::main(&plan::Asked { which: &which, values, terms: &terms, pins, measure, on: &on, keep, json, out });
    }
    if let Some(text) = page(code) {
        talk::print(&styled(text));
    } else if let Some(text) = check::described(code) {
        talk::print(&format!("{text}\n"));
    } else if let Some(text) = words::section(code) {
        talk::print(&styled(text));
    } else {
        let all = check::words().into_iter().chain(words::words());
        let near = suggest(&full(code), PAGES.iter().map(|(c, _)| *c)).or_else(|| suggest(code, all));
        let near = near.map_or(String::new(), |c| format!("; there is {c}"));
        let all = "`hnet explain --list` has all codes, `--functions` all functions";
        return Err(usage(&format!("there is no page for `{code}`{near} ({all})")));
    }
    Ok(())
}

/// A page with its headings loud and its fences quiet.
fn styled(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let shown = if line.starts_with('#') {
            format!("{BOLD}{}{BOLD:#}", line.trim_start_matches('#').trim_start())
        } else if line.starts_with("```") {
            format!("{DIM}{line}{DIM:#}")
        } else {
            line.to_string()
        };
        out.push_str(&shown);
        out.push('\n');
    }
    out
}
