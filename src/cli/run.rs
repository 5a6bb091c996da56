//! `hnet run`: computes a model's outputs.

use super::choices::Ways;
use super::expect;
use super::given::Values;
use super::machine::Machine;
use super::open::{self, Opened, Which};
use super::probe;
use super::profile;
use super::quiet::quietly;
use super::table::{short, table};
use super::talk::{self, Exit, Talk, usage};
use crate::bind::inputs::{self, Given};
use crate::diag::{Code, Diagnostic, suggest};
use crate::exec::session::{self, Backend, LeftOut, Options, Session};
use crate::files::{archive, atomic};
use crate::gpu;
use crate::ir::{Data, Tensor, type_text};
use crate::source::Sources;
use clap::builder::RangedU64ValueParser;
use serde_json::{Value, json};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Run a model and show or store its outputs
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hnet run tasks.hnet --condition task=3 --inputs digits.safetensors --out logits.safetensors
  hnet run tasks.hnet --random-inputs --dim b=17 --seed 1

`tasks.params.safetensors` and `tasks.inputs.safetensors` beside the file are found by themselves; for a file that is
called model.hnet also `params.safetensors` and `inputs.safetensors`. Without weights they are drawn with the seed.")]
pub struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    values: Values,
    /// Draws the inputs that are not given
    #[arg(long)]
    random_inputs: bool,
    /// Writes the inputs and conditions that it runs on, given and drawn: safetensors
    #[arg(long, value_name = "F")]
    save_inputs: Option<PathBuf>,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    ways: Ways,
    /// Only this output; may be repeated
    #[arg(long, value_name = "NAME")]
    output: Vec<String>,
    /// Shows a value on the way, by its path: `logits`, `block.h`; may be repeated. Without `--output` nothing else is computed
    #[arg(long, value_name = "PATH")]
    probe: Vec<String>,
    /// Compares the outputs with those of a file: safetensors, or .npy for a single one; exit code 1 where they differ
    #[arg(long, value_name = "F")]
    expect: Option<PathBuf>,
    /// How far an element may be from the one that is expected, beside it or beside the root of the mean square of its output, whichever is larger
    #[arg(long, value_name = "T", default_value_t = 1e-5, requires = "expect", value_parser = tolerance)]
    tol: f64,
    /// Where the outputs go: safetensors, or .npy for a single one
    #[arg(long, short, value_name = "F")]
    out: Option<PathBuf>,
    /// Also shows where the time goes, kernel by kernel
    #[arg(long)]
    profile: bool,
    /// Writes when each kernel ran: a trace for chrome://tracing or ui.perfetto.dev
    #[arg(long, value_name = "F")]
    trace: Option<PathBuf>,
    /// The outputs as JSON
    #[arg(long)]
    json: bool,
}

/// Where to compute.
#[derive(clap::Args)]
pub struct Where {
    /// What computes
    #[arg(long, value_enum, default_value_t)]
    backend: Device,
    /// Threads of the CPU's code; 0 means all. The interpreter and a graphics device take no notice
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = RangedU64ValueParser::<usize>::new().range(0..=512))]
    threads: usize,
    #[command(flatten)]
    machine: Machine,
}

/// Where to compute, and with which parameters: where nothing of them is kept.
#[derive(clap::Args)]
pub struct How {
    #[command(flatten)]
    place: Where,
    /// Keep the parameters in 16 bits on the graphics device; sums stay in 32
    #[arg(long)]
    f16: bool,
}

/// The backends as the command line names them.
#[derive(Clone, Copy, Default, clap::ValueEnum)]
enum Device {
    /// A graphics card where there is one, else the CPU
    #[default]
    Auto,
    /// The reference interpreter, in f64
    Interp,
    /// Code compiled for this machine
    Cpu,
    /// A graphics device: Vulkan, Metal or DirectX 12
    Gpu,
}

impl How {
    /// As [`Where::options`]; H0007 where 16 bits are asked for and nothing keeps them.
    pub fn options(&self, talk: Talk) -> Result<Options, Diagnostic> {
        match self.place.backend {
            Device::Interp | Device::Cpu if self.f16 => Err(Diagnostic::plain(
                Code::H0007,
                "`--f16` does nothing here: only a graphics device keeps parameters in 16 bits",
            )
            .help("leave it out, or run with `--backend gpu`")),
            Device::Auto if self.f16 && quietly(gpu::Device::hardware).is_none() => {
                talk.warn("`--f16` does nothing on the CPU, which computes here: there is no graphics card");
                self.place.options(talk)
            }
            Device::Auto | Device::Gpu | Device::Interp | Device::Cpu => {
                Ok(Options { half: self.f16, ..self.place.options(talk)? })
            }
        }
    }
}

impl Where {
    /// The options; H0901 where there is no such device, H0007 where plans are asked for that nobody makes. Somebody who watches is told
    /// what was chosen.
    pub fn options(&self, talk: Talk) -> Result<Options, Diagnostic> {
        let backend = match self.backend {
            Device::Auto => {
                // Drivers that are looked for here say nothing later.
                let found = quietly(gpu::Device::hardware);
                if std::io::stderr().is_terminal() {
                    talk.note(&match found {
                        Some(device) => format!("on {}", device.describe()),
                        None => "on the CPU: there is no graphics card".to_string(),
                    });
                }
                Backend::Auto
            }
            Device::Interp => {
                if let Some(word) = self.machine.given() {
                    let message = format!("`{word}` does nothing here: the interpreter has no plan");
                    return Err(Diagnostic::plain(Code::H0007, message).help("leave it out, or run with `--backend cpu`"));
                }
                Backend::Interp
            }
            Device::Cpu => Backend::Cpu,
            Device::Gpu => {
                quietly(gpu::Device::shared)?;
                Backend::Gpu
            }
        };
        Ok(Options { backend, threads: self.threads, half: false, terms: self.machine.terms(talk)? })
    }
}

pub fn main(args: &Args) -> Result<(), Exit> {
    let talk = Talk::json(args.json);
    args.values.once()?;
    open::once_each("--output", &args.output)?;
    let mut options = args.how.options(talk).map_err(|d| talk.fail(&Sources::default(), d))?;
    let mut opened = open::model(&args.which, talk)?;
    probe::add(&mut opened, &args.probe, talk)?;
    let request = args.values.request(&opened, !args.random_inputs, args.random_inputs, talk);
    writable(args, &opened)?;
    let given = inputs::gather(&opened.model, &request).map_err(|list| opened.fail(talk, &list))?;
    talk.say(&opened.sources, &given.warnings)?;
    for (dim, n) in &given.chosen {
        talk.note(&format!("{dim} = {n} (choose with --dim {dim}=N)"));
    }
    let (chosen, left) = choose(args, &opened, &given, talk)?;
    let one = |d: Diagnostic| opened.fail(talk, &[d]);
    if let Some(path) = &args.save_inputs {
        let all: Vec<(String, Tensor)> = given.tensors.iter().map(|(n, t)| (n.clone(), t.clone())).collect();
        archive::save(path, &all).map_err(one)?;
        talk.note(&format!("the inputs were written to {}", path.display()));
    }
    inputs::indices(&opened.model, &chosen, &given).map_err(one)?;
    let params = opened.params(&args.values.params, &given.sizes, args.values.seed, talk)?;
    options.terms.pins = args.ways.pins(&opened, Some(&given.sizes), &options, talk)?;
    let bar = talk::spinner(&format!("compiling {}", opened.model.name));
    let mut session = Session::new(&opened.model, &chosen, &options).map_err(one)?;
    talk.say(&opened.sources, &session.warnings)?;
    bar.set_message(format!("running {}", opened.model.name));
    let bound = session::bindings(params, given, args.values.seed);
    let said = session.warnings.len();
    let tensors = session.run(&bound).map_err(one)?;
    talk.say(&opened.sources, &session.warnings[said..])?;
    let measured = match args.profile || args.trace.is_some() {
        true => Some(session.profile(&bound).map_err(one)?),
        false => None,
    };
    bar.finish_and_clear();
    if let (Some(path), Some(p)) = (&args.trace, &measured) {
        atomic::write(path, profile::trace(p, &opened.model.name).as_bytes()).map_err(one)?;
        talk.note(&format!("a trace was written to {}", path.display()));
    }
    let measured = measured.filter(|_| args.profile);
    let named: Vec<(String, Tensor)> = session.names().iter().cloned().zip(tensors).collect();
    if let Some(out) = &args.out {
        store(out, &named, talk, &opened)?;
    }
    let compared = match &args.expect {
        Some(file) => Some(expect::compare(file, &named, args.tol).map_err(one)?),
        None => None,
    };
    let verdict = if compared.as_ref().is_none_or(|c| c.is_fine()) { Ok(()) } else { Err(Exit::Program) };
    if args.json {
        let mut value = as_json(&opened, session.backend(), &named, &left, args.out.as_deref());
        value["params"] = serde_json::json!(opened.weights_from(&args.values.params));
        if let Some(p) = &measured {
            value["profile"] = profile::as_json(p);
        }
        if let Some(c) = &compared {
            value["expected"] = c.as_json();
        }
        talk::print(&format!("{value}\n"));
        return verdict;
    }
    match &compared {
        Some(c) => talk::print(&c.shown()),
        None if args.out.is_none() => show(&named),
        None => {}
    }
    if let Some(p) = &measured {
        talk::print(&format!("\n{}", profile::shown(p)));
    }
    say_left_out(&left, talk);
    verdict
}

/// A tolerance of the command line.
fn tolerance(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(t) if t >= 0.0 => Ok(t),
        Ok(_) | Err(_) => Err("a tolerance is a number, 0 or more".to_string()),
    }
}

/// Refuses to write what cannot be written so, or over what is read.
fn writable(args: &Args, opened: &Opened) -> Result<(), Exit> {
    let read = args.values.read(opened);
    let files: [(&str, &Option<PathBuf>, &[&str]); 3] = [
        ("--out", &args.out, &["safetensors", "npz", "npy"]),
        ("--trace", &args.trace, &["json"]),
        ("--save-inputs", &args.save_inputs, &["safetensors", "npz"]),
    ];
    for (k, (option, out, ends)) in files.iter().enumerate() {
        let Some(out) = out else { continue };
        opened.spare(out, &read)?;
        open::ends(out, ends)?;
        if let Some((first, _, _)) = files[..k].iter().find(|(_, o, _)| o.as_ref() == Some(out)) {
            return Err(usage(&format!("`{first}` and `{option}` both write `{}`", out.display())));
        }
    }
    Ok(())
}

/// The outputs to compute: those asked for, or all that can be.
fn choose(args: &Args, opened: &Opened, given: &Given, talk: Talk) -> Result<(Vec<usize>, Vec<LeftOut>), Exit> {
    let (can, mut left) = session::computable(&opened.model, given);
    if args.output.is_empty() && !args.probe.is_empty() {
        // What was asked for stands behind the model's own outputs.
        let first = opened.model.graph.outputs.len() - args.probe.len();
        let absent = |l: &&LeftOut| args.probe.contains(&l.name);
        if let Some(l) = left.iter().find(absent) {
            return Err(opened.fail(talk, &[session::nothing_to_run(&opened.model, std::slice::from_ref(l))]));
        }
        return Ok((can.into_iter().filter(|k| *k >= first).collect(), vec![]));
    }
    if args.output.is_empty() {
        if can.is_empty() {
            return Err(opened.fail(talk, &[session::nothing_to_run(&opened.model, &left)]));
        }
        return Ok((can, left));
    }
    let outputs = &opened.model.graph.outputs;
    let mut chosen = Vec::new();
    for name in args.output.iter().chain(&args.probe) {
        if let Some(k) = can.iter().find(|k| *outputs[**k].name == **name) {
            chosen.push(*k);
        } else if let Some(absent) = left.iter().find(|l| l.name == *name) {
            return Err(opened.fail(talk, &[session::nothing_to_run(&opened.model, std::slice::from_ref(absent))]));
        } else {
            let d = Diagnostic::plain(Code::H0612, format!("`{}` has no output `{name}`", opened.model.name));
            let names: Vec<&str> = outputs.iter().map(|o| &*o.name).collect();
            let d = match suggest(name, names.iter().copied()) {
                Some(near) => d.help(format!("there is `{near}`")),
                None => d.help(format!("it has {}", names.join(", "))),
            };
            return Err(opened.fail(talk, &[d]));
        }
    }
    left.clear();
    Ok((chosen, left))
}

fn store(out: &Path, named: &[(String, Tensor)], talk: Talk, opened: &Opened) -> Result<(), Exit> {
    let npy = out.extension().is_some_and(|e| e == "npy");
    let done = match named {
        [(_, one)] if npy => archive::save_npy(out, one),
        many if npy => {
            let names: Vec<&str> = many.iter().map(|(n, _)| n.as_str()).collect();
            return Err(usage(&format!(
                "a .npy file holds one tensor and there are {}: choose one with --output ({}), or write .safetensors",
                many.len(),
                names.join(", ")
            )));
        }
        many => archive::save(out, many),
    };
    done.map_err(|d| opened.fail(talk, &[d]))?;
    talk.note(&format!("{} written to {}", named.iter().map(|(n, _)| n.as_str()).collect::<Vec<_>>().join(", "), out.display()));
    Ok(())
}

fn show(named: &[(String, Tensor)]) {
    let rows: Vec<Vec<String>> = named.iter().map(|(name, t)| row(name, t)).collect();
    talk::print(&table(&["output", "type", "values", "min", "mean", "max"], &rows, 3));
}

fn row(name: &str, t: &Tensor) -> Vec<String> {
    const FIRST: usize = 4;
    let values: Vec<f64> = t.to_f64();
    let word = |v: &f64| match t.data {
        Data::Bool(_) => (*v != 0.0).to_string(),
        _ => short(*v),
    };
    let mut first = values.iter().take(FIRST).map(word).collect::<Vec<_>>().join(" ");
    if values.len() > FIRST {
        first.push_str(" …");
    }
    let mut out = vec![name.to_string(), type_text(t.dtype().word(), &t.shape), first];
    if values.len() < 2 {
        out.extend([String::new(), String::new(), String::new()]);
        return out;
    }
    let fold = |f: fn(f64, f64) -> f64, from: f64| short(values.iter().copied().fold(from, f));
    out.push(fold(f64::min, f64::INFINITY));
    out.push(short(values.iter().sum::<f64>() / values.len() as f64));
    out.push(fold(f64::max, f64::NEG_INFINITY));
    out
}

fn say_left_out(left: &[LeftOut], talk: Talk) {
    for l in left {
        talk.note(&format!("left out: {} (needs {})", l.name, l.needs().join(", ")));
    }
}

fn as_json(opened: &Opened, backend: &str, named: &[(String, Tensor)], left: &[LeftOut], out: Option<&Path>) -> Value {
    let one = |(name, t): &(String, Tensor)| {
        let mut value = json!({ "name": name, "type": t.dtype().word(), "shape": t.shape });
        // What went to a file is not repeated.
        if out.is_none() {
            value["data"] = match &t.data {
                Data::F32(v) => json!(v),
                Data::F64(v) => json!(v),
                Data::I32(v) => json!(v),
                Data::Bool(v) => v.iter().map(|b| *b != 0).collect(),
            };
        }
        value
    };
    let absent = |l: &LeftOut| json!({ "name": l.name, "needs": l.needs() });
    json!({
        "model": opened.model.name,
        "backend": backend,
        "outputs": named.iter().map(one).collect::<Vec<_>>(),
        "left_out": left.iter().map(absent).collect::<Vec<_>>(),
        "file": out,
    })
}
