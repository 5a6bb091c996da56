//! What people mean who write an option as other programs call it.
//!
//! In: the arguments. Out: the command; or clap's message, with a line of ours where the word is known from elsewhere, and its exit code.

use super::Cli;
use super::talk::{BOLD, tell};
use clap::Parser;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};
use std::process::ExitCode;

/// Options of other programs, and what to write here.
const OPTIONS: &[(&str, &str)] = &[
    ("--device", "`--backend auto|gpu|cpu|interp` says where to run"),
    ("--cuda", "`--backend gpu` runs on a graphics device"),
    ("--gpu", "`--backend gpu` runs on a graphics device"),
    ("--cpu", "`--backend cpu` runs on the processor"),
    ("--batch", "the batch is a dim of the model: `--dim b=4`; for `eval` its block says it: `batch b = 4`"),
    ("--batch-size", "the batch is a dim of the model: `--dim b=4`; for `eval` its block says it: `batch b = 4`"),
    ("--weights", "weights are given with `--params F`"),
    ("--checkpoint", "weights are given with `--params F`"),
    ("--ckpt", "weights are given with `--params F`"),
    ("--input", "inputs are given with `--inputs F`"),
    ("--data", "inputs are given with `--inputs F`; for `eval` its block names the data"),
    ("--fp16", "`--f16` keeps parameters in 16 bits on a graphics device"),
    ("--half", "`--f16` keeps parameters in 16 bits on a graphics device"),
    (
        "--f16",
        "`--f16` is for running a model (`run`, `bench`, `eval`): what is trained or written keeps 32 bits (`train --mixed` reads them in 16)",
    ),
    ("--save", "outputs are written with `--out F`"),
    ("--jobs", "`--threads N` says how many threads compute"),
];

/// Names of devices as other programs call them.
const DEVICES: &[&str] = &["cuda", "rocm", "hip", "metal", "mps", "vulkan", "dx12", "opencl", "webgpu", "wgpu", "directx"];

/// The command, or what to end with.
pub fn parse() -> Result<Cli, ExitCode> {
    Cli::try_parse().map_err(|e| {
        match hint(&e) {
            // What is said better by us stands in the place of its guesses.
            Some(text) => {
                let said = e.render().to_string();
                let first = said.lines().next().unwrap_or_default();
                tell(&format!("{BOLD}{first}{BOLD:#}\n\n  {text}\n\nFor more information, try '--help'.\n"));
            }
            // Nobody is left to tell if that fails.
            None => drop(e.print()),
        }
        ExitCode::from(e.exit_code() as u8)
    })
}

fn hint(e: &Error) -> Option<&'static str> {
    let text = |kind| match e.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        Some(_) | None => None,
    };
    match e.kind() {
        ErrorKind::UnknownArgument => {
            let word = text(ContextKind::InvalidArg)?.split('=').next()?;
            OPTIONS.iter().find(|(option, _)| *option == word).map(|(_, hint)| *hint)
        }
        ErrorKind::InvalidValue if text(ContextKind::InvalidArg)?.starts_with("--backend") => {
            let word = text(ContextKind::InvalidValue)?.to_lowercase();
            let device = DEVICES.iter().any(|d| word.starts_with(d));
            device.then_some("`--backend gpu` is any graphics device: through Vulkan, Metal or DirectX 12, whoever made it")
        }
        _ => None,
    }
}
