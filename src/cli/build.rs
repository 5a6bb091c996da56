//! `hnet build`: what every stage makes of a model, or a folder for the web.

use super::explain::{Look, pins};
use super::machine::Machine;
use super::open::{self, Opened, Which};
use super::talk::{self, Exit, Talk, usage};
use crate::bind::known::Known;
use crate::diag::{Code, Diagnostic};
use crate::emit::{self, Artifact, STAGES, Stage};
use crate::files::archive::Archive;
use crate::files::atomic;
use crate::gpu::{self, locator};
use crate::pipeline;
use crate::plan::{Sizes, Terms};
use crate::train::course;
use crate::web;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use std::path::{Path, PathBuf};

/// Compile a model and write what the stages make of it
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hnet build tasks.hnet -o out                      an object and a header, for C programs: docs/c.md
  hnet build tasks.hnet --output logits -o out      .. that computes this output alone
  hnet build tasks.hnet --emit ir,opt,plan -o out
  hnet build tasks.hnet --emit opt --print-after fold
  hnet build tasks.hnet --target web -o site        a folder for any web server: WebGPU runs the model in the page
  hnet build tasks.hnet --target web --train tasks -o site      and trains it there, as its train block says")]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// What to write
    #[arg(long, value_parser = stages(), value_delimiter = ',', default_value = "obj")]
    emit: Vec<Stage>,
    /// Writes everything that is needed to run it there, instead of what the stages make
    #[arg(long, value_enum, conflicts_with_all = ["emit", "print_after", "dim"], requires = "out")]
    target: Option<Target>,
    /// The weights, for a target: safetensors; found beside the file, or drawn
    #[arg(long, value_name = "F", requires = "target")]
    params: Vec<PathBuf>,
    /// Seed of drawn weights, for a target; 0, or that of the train block. With `--train`, of all that training draws
    #[arg(long, value_name = "N", requires = "target", allow_negative_numbers = true)]
    seed: Option<i32>,
    /// The page also trains, as this train block says: its name, or the model's where it has none. It begins with drawn weights, or with --params
    #[arg(long, value_name = "NAME", requires = "target")]
    train: Option<String>,
    /// Only this output, for a target or an object; may be repeated
    #[arg(long, value_name = "NAME")]
    output: Vec<String>,
    /// The size of a free dim that code is tuned for; may be repeated
    #[arg(long, value_name = "DIM=N", value_parser = open::whole)]
    dim: Vec<(String, i64)>,
    /// The folder; it is made. Without it, texts go to stdout and objects to the present folder; `-` is stdout for one text
    #[arg(long, short, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Takes another way than the cheapest at a place, by its number or its words as `hnet explain` has them: `sum@8:24=made`; may be repeated
    #[arg(long, value_name = "WHAT@LINE:COLUMN=WAY")]
    pin: Vec<String>,
    /// Also prints the graph after this pass; `all` prints it after each
    #[arg(long, value_name = "PASS")]
    print_after: Option<String>,
    #[command(flatten)]
    machine: Machine,
}

/// A stage by its word.
fn stages() -> impl TypedValueParser<Value = Stage> {
    let words = STAGES.iter().map(|(_, word, _, about)| PossibleValue::new(*word).help(*about));
    PossibleValuesParser::new(words).map(|word| Stage::called(&word).expect("one of those words"))
}

/// Where a model is to run.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Target {
    /// Browsers with WebGPU: a static folder
    Web,
}

pub fn main(args: &Args) -> Result<(), Exit> {
    let talk = Talk::Text;
    open::once("--dim", &args.dim)?;
    open::once_each("--output", &args.output)?;
    plans(args)?;
    let opened = open::model(&args.which, talk)?;
    if let (Some(Target::Web), Some(folder)) = (args.target, &args.out) {
        opened.spare(folder, &[])?;
        return site(args, &opened, folder, talk);
    }
    let fail = |d: Diagnostic| opened.fail(talk, &[d]);
    let folder = args.out.as_ref().filter(|f| !open::is_stdout(f));
    let file = args.which.file.as_path();
    let late = args.emit.iter().any(is_planned);
    if !late && !args.dim.is_empty() {
        talk.note("`--dim` does nothing here: sizes are chosen from the plan on");
    }
    let sizes = opened.sizes(&args.dim, late, talk)?;
    let locate = locator(&opened.sources, opened.folder());
    let after = args.print_after.as_ref().map(|pass| pipeline::print_after(&opened.model, pass).map_err(fail)).transpose()?;
    let terms = args.machine.terms(talk).map_err(fail)?;
    let look = Look { opened: &opened, sizes: Some(&sizes), terms: &terms, on: None };
    let pinned = pins(&look, &args.pin, talk)?;
    pinned.at_others(None, talk);
    let terms = Terms { pins: pinned.pins(), ..terms.clone() };
    let mut made = Vec::new();
    if !args.output.is_empty() && !args.emit.contains(&Stage::Obj) {
        return Err(usage("`--output` chooses what a target or an object computes: the stages have all outputs"));
    }
    for stage in &args.emit {
        let artifacts = match stage {
            Stage::Obj if !args.output.is_empty() => chosen(args, &opened, &sizes, &terms, &locate),
            stage => emit::emit(&opened.model, file, *stage, &sizes, &terms, &locate),
        };
        made.extend(artifacts.map_err(fail)?.into_iter().map(|a| (*stage, a)));
    }
    if args.out.is_some() && folder.is_none() {
        one_text(&made, after.iter().len())?;
    }
    after.iter().for_each(|text| talk::print(text));
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder)
            .map_err(|e| fail(Diagnostic::plain(Code::H0003, format!("cannot make the folder `{}`: {e}", folder.display()))))?;
    }
    for (stage, (end, artifact)) in made {
        match (folder, artifact) {
            (None, Artifact::Text(text)) if stage != Stage::Obj => talk::print(&text),
            (folder, artifact) => {
                let path = folder.cloned().unwrap_or_default().join(format!("{}.{end}", opened.model.name));
                opened.spare(&path, &[])?;
                atomic::write(&path, artifact.bytes()).map_err(fail)?;
                talk.note(&format!("wrote {}", path.display()));
            }
        }
    }
    if args.emit.contains(&Stage::Obj) {
        let name = &opened.model.name;
        talk.note(&format!("the header says how a C program calls it: cc main.c {name}.o -lm"));
    }
    Ok(())
}

/// Whether a stage is made of a plan.
fn is_planned(stage: &Stage) -> bool {
    !matches!(stage, Stage::Ast | Stage::Model | Stage::Ir | Stage::Opt)
}

/// Refuses a machine or pins where nothing is planned for them.
fn plans(args: &Args) -> Result<(), Exit> {
    let pin = Some("--pin").filter(|_| !args.pin.is_empty());
    let Some(word) = args.machine.given().or(pin) else { return Ok(()) };
    if args.target.is_some() {
        return Err(usage(&match word {
            "--pin" => "`--pin` does nothing here: a page plans for many lengths; a pin in the source holds there".to_string(),
            word => format!("`{word}` does nothing here: a page is made for every device that opens it"),
        }));
    }
    if !args.emit.iter().any(is_planned) {
        let same = "what these stages make is the same for every machine and every plan";
        return Err(usage(&format!("`{word}` does nothing here: {same}")));
    }
    Ok(())
}

/// The object of some outputs.
fn chosen(
    args: &Args,
    opened: &Opened,
    sizes: &Sizes,
    terms: &Terms,
    locate: gpu::Locate,
) -> Result<Vec<(String, Artifact)>, Diagnostic> {
    let (object, header) = emit::object(&opened.model, sizes, terms, &args.output, locate)?;
    Ok(vec![("o".into(), Artifact::Bytes(object)), ("h".into(), Artifact::Text(header))])
}

/// Refuses to write several texts to `-`, where nobody could tell them apart, or an object. `more` texts are written besides.
fn one_text(made: &[(Stage, (String, Artifact))], more: usize) -> Result<(), Exit> {
    let objects = made.iter().filter(|(stage, _)| *stage == Stage::Obj).count();
    match made.len() + more - objects {
        _ if objects > 0 => {
            Err(usage("`-o -` writes one text to stdout, and an object is none: name a folder, or another `--emit`"))
        }
        1 => Ok(()),
        n => Err(usage(&format!(
            "`-o -` writes one text to stdout, and there are {n}: name a folder, or leave `-o` out to see them all"
        ))),
    }
}

/// `--target web`
fn site(args: &Args, opened: &Opened, folder: &Path, talk: Talk) -> Result<(), Exit> {
    let fail = |d: Diagnostic| opened.fail(talk, &[d]);
    // The page's examples come from the first block.
    opened.allow_data(&opened.model.evals.iter().take(1).collect::<Vec<_>>(), talk)?;
    let train = args.train.as_ref().map(|name| course::phase(&opened.model, name)).transpose().map_err(fail)?;
    let sizes = Known::of(&opened.model).sizes();
    let params = match train {
        Some(train) => {
            opened.allow_files(&train.arms.iter().flat_map(|a| &a.rows.data).collect::<Vec<_>>(), talk)?;
            // As `hnet train` begins.
            let seed = args.seed.unwrap_or_else(|| opened.model.trains.first().map_or(0, |t| t.seed));
            opened.begin(&args.params, &sizes, seed, talk)?
        }
        None => opened.params(&args.params, &sizes, args.seed.unwrap_or(0), talk)?,
    };
    opened.tell_beside("inputs", talk);
    let inputs = opened.beside("inputs").map(|f| Archive::open(&f)).transpose().map_err(fail)?;
    let locate = locator(&opened.sources, opened.folder());
    let request = web::Request {
        locate: &locate,
        model: &opened.model,
        params,
        about: opened.about(),
        folder: opened.folder(),
        inputs: inputs.as_ref(),
        outputs: &args.output,
        train,
        seed: args.seed,
    };
    let bar = talk::spinner(&format!("compiling {} for the web", opened.model.name));
    let bundle = web::bundle(&request).map_err(fail)?;
    bar.finish_and_clear();
    bundle.notes.iter().for_each(|n| talk.note(n));
    web::write(&bundle, folder).map_err(fail)?;
    let size = |pick: &dyn Fn(&str) -> bool| bundle.files.iter().filter(|f| pick(&f.path)).map(|f| f.bytes.len()).sum::<usize>();
    let shaders = bundle.files.iter().filter(|f| f.path.starts_with("wgsl/")).count();
    let rows = [
        ("model.js, runtime.js", size(&|p| p == "model.js" || p == "runtime.js")),
        ("programs.json", size(&|p| p == "programs.json")),
        ("weights.safetensors", size(&|p| p == "weights.safetensors")),
        ("test.js, known.json", size(&|p| p == "test.js" || p == "known.json")),
        ("train.js, order.js", size(&|p| p == "train.js" || p == "order.js")),
        ("rows.safetensors", size(&|p| p == "rows.safetensors")),
        ("index.html, demo.*", size(&|p| ["index.html", "learn.js", "held.safetensors"].contains(&p) || p.starts_with("demo."))),
    ];
    talk.note(&format!("wrote {}", folder.display()));
    for (what, n) in rows.into_iter().filter(|(_, n)| *n > 0) {
        talk.note(&format!("  {what:22} {:>9.1} KB", n as f64 / 1000.0));
    }
    talk.note(&format!(
        "  wgsl: {:16} {:>9.1} KB",
        format!("{shaders} shaders"),
        size(&|p| p.starts_with("wgsl/")) as f64 / 1000.0
    ));
    talk.note(&format!("serve it over http: python3 -m http.server -d {}", folder.display()));
    Ok(())
}
