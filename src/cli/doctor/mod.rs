//! `hnet doctor`: what this machine can do, and whether every backend computes what it should.

mod answers;
mod given;
mod measure;
pub(super) use measure::name as processor;

use super::machine;
use super::open;
use super::quiet::quietly;
use super::talk::{self, BOLD, DIM, Exit, Talk, usage};
use crate::diag::Diagnostic;
use crate::exec::Engine;
use crate::gpu;
use crate::plan::Prices;
use crate::source::Sources;
use answers::{Answer, answers};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;

/// Measure this machine, and compare every kind of kernel with the interpreter
#[derive(clap::Args)]
#[command(after_help = "Examples:
  hnet doctor                          this processor, and a graphics device where there is one
  hnet doctor --backend gpu            the device alone; exit code 3 where there is none
  hnet doctor -o box.json              and keeps what was measured, for `--machine box.json`
  hnet explain M.hnet --machine here   what would be decided on this machine

What was measured is kept where programs keep such things; `--machine here` reads it. Exit code 3 where an answer is wrong.")]
pub struct Args {
    /// Only this backend
    #[arg(long, value_enum)]
    backend: Option<Which>,
    /// Where the prices are written, instead of where `--machine here` looks
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
enum Which {
    /// Code compiled for this machine
    Cpu,
    /// A graphics device: Vulkan, Metal or DirectX 12
    Gpu,
}

/// What was found of a backend.
struct Found {
    name: &'static str,
    answers: Vec<Answer>,
}

pub fn main(args: &Args) -> Result<(), Exit> {
    let talk = Talk::json(args.json);
    if let Some(out) = &args.out {
        if open::is_stdout(out) {
            return Err(usage("`-` is stdout: `--json` prints what was measured, `-o FILE` keeps it"));
        }
        if args.backend == Some(Which::Gpu) {
            return Err(usage("`-o` keeps what the processor charges, and `--backend gpu` does not look at it"));
        }
        open::ends(out, &["json"])?;
    }
    let fail = |d: Diagnostic| talk.fail(&Sources::default(), d);
    let wants = |w: Which| args.backend.is_none_or(|b| b == w);
    let device = match (wants(Which::Gpu), quietly(gpu::Device::shared)) {
        (false, _) => None,
        (true, Ok(device)) => Some(device),
        (true, Err(d)) if args.backend == Some(Which::Gpu) => return Err(fail(d)),
        (true, Err(_)) => None,
    };
    let (mut prices, mut of_device, mut found) = (None, None, vec![]);
    if wants(Which::Cpu) {
        let made = measured_with(talk).map_err(fail)?;
        let file = args.out.clone().or_else(machine::stored);
        if let Some(file) = &file {
            machine::write(file, &made).map_err(fail)?;
            talk.note(&format!("wrote {}", file.display()));
        }
        prices = Some(made);
        found.push(compared("cpu", &|t| Engine::cpu(&t.graph, &t.wanted(), 0)).map_err(fail)?);
    }
    if let Some(device) = &device {
        let bar = bar("measuring the device", measure::DEVICE);
        of_device = Some(measure::device(device, &|| bar.inc(1)).map_err(fail)?);
        bar.finish_and_clear();
        found.push(compared("gpu", &|t| Ok(on_device(device, t))).map_err(fail)?);
    }
    match args.json {
        true => talk::print(&format!("{}\n", as_json(prices.as_ref(), of_device.as_ref(), &found))),
        false => talk::print(&shown(prices.as_ref(), of_device.as_ref(), &found)),
    }
    let right = found.iter().all(|f| f.answers.iter().all(Answer::is_right));
    if right { Ok(()) } else { Err(Exit::Device) }
}

/// This machine's prices, measured and kept.
pub(super) fn measured(talk: Talk) -> Result<Prices, Diagnostic> {
    let prices = measured_with(talk)?;
    if let Some(file) = machine::stored() {
        machine::write(&file, &prices)?;
        talk.note(&format!("measured this machine: {}", file.display()));
    }
    Ok(prices)
}

fn measured_with(talk: Talk) -> Result<Prices, Diagnostic> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let bar = if talk == Talk::Text { bar("measuring the processor", measure::PROCESSOR) } else { ProgressBar::hidden() };
    let prices = measure::processor(threads, &|| bar.inc(1));
    bar.finish_and_clear();
    prices
}

fn on_device(device: &Arc<gpu::Device>, task: &given::Task) -> Engine {
    Engine::gpu(device, &task.graph, &task.wanted(), gpu::Options::default())
}

fn compared(name: &'static str, engine: &dyn Fn(&given::Task) -> Result<Engine, Diagnostic>) -> Result<Found, Diagnostic> {
    let spinner = talk::spinner(&format!("comparing {name} with the interpreter"));
    let answers = answers(engine, &|| spinner.tick())?;
    spinner.finish_and_clear();
    Ok(Found { name, answers })
}

fn bar(what: &'static str, count: usize) -> ProgressBar {
    let bar = ProgressBar::new(count as u64).with_message(what);
    bar.set_style(ProgressStyle::with_template("{msg} {wide_bar}").unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

fn as_json(prices: Option<&Prices>, device: Option<&Value>, found: &[Found]) -> Value {
    let answers: serde_json::Map<String, Value> =
        found.iter().map(|f| (f.name.into(), f.answers.iter().map(Answer::json).collect())).collect();
    json!({ "machine": prices, "device": device, "answers": answers })
}

fn shown(prices: Option<&Prices>, device: Option<&Value>, found: &[Found]) -> String {
    let mut out = String::new();
    if let Some(p) = prices {
        let also = p.also.clone().unwrap_or_default();
        let number = |name: &str| also[name].as_f64().unwrap_or(f64::NAN);
        out.push_str(&format!("{BOLD}{}{BOLD:#}\n", p.machine));
        out.push_str(&line("products", &format!("{:.0} GFLOP/s on one thread", number("gflops"))));
        out.push_str(&line("an element", &format!("{:.3} ns, written and read again, in the first cache", p.touch_ns)));
        for l in &p.levels {
            let size = bytesize::ByteSize(l.beyond_bytes as u64).display().iec();
            out.push_str(&line("", &format!("{:.3} ns more beyond {size}", l.more_ns)));
        }
        let functions: Vec<String> = also["functions_ns"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, ns)| format!("{name} {:.2}", ns.as_f64().unwrap_or(f64::NAN)))
            .collect();
        out.push_str(&line("functions", &format!("{} ns", functions.join(", "))));
        let threads = also["threads"].as_u64().unwrap_or(1);
        let fork = number("fork_and_join_ns") / 1e3;
        out.push_str(&line("threads", &format!("{threads}; {fork:.1} µs to hand work to them and wait")));
    }
    if let Some(d) = device {
        let number = |name: &str| d[name].as_f64().unwrap_or(f64::NAN);
        out.push_str(&format!("{BOLD}{}{BOLD:#}\n", d["device"].as_str().unwrap_or("a device")));
        out.push_str(&line("a run", &format!("{:.0} µs with nothing to do", number("call_ns") / 1e3)));
        out.push_str(&line("moving", &format!("{:.1} GB/s there and back", number("there_and_back_gb_per_s"))));
        let (product, peak) = (number("product_gflops"), number("peak_gflops"));
        out.push_str(&line("products", &format!("{product:.0} GFLOP/s at 256 × 256 × 256, of {peak:.0} at most")));
        out.push_str(&line("memory", &format!("{:.0} GB/s", number("memory_gb_per_s"))));
    }
    out.push_str(&format!("{BOLD}answers{BOLD:#} {DIM}beside the interpreter's{DIM:#}\n"));
    for f in found {
        let right = f.answers.iter().filter(|a| a.is_right()).count();
        out.push_str(&line(f.name, &format!("{right} of {} right", f.answers.len())));
        f.answers.iter().filter_map(Answer::fault).for_each(|fault| out.push_str(&line("", &fault)));
    }
    out
}

fn line(name: &str, text: &str) -> String {
    format!("  {name:<12}{text}\n")
}
