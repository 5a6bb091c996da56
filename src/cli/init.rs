//! `hnet init`: draws the parameters of a model and writes them.

use super::open::{self, Which};
use super::talk::{Exit, Talk};
use crate::bind::known::Known;
use crate::bind::{init, params};
use crate::files::archive;
use std::path::PathBuf;

/// Draw the parameters of a model and write them
#[derive(clap::Args)]
#[command(after_help = "Example:\n  hnet init tasks.hnet -o tasks.params.safetensors --seed 1\n\n\
The same seed gives the same numbers on every machine. An array of nets has one tensor for each net.")]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// Where they go: safetensors or .npz
    #[arg(long, short, value_name = "F")]
    out: PathBuf,
    /// Seed of all that is drawn
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    seed: i32,
}

pub fn main(args: &Args) -> Result<(), Exit> {
    let talk = Talk::Text;
    let opened = open::model(&args.which, talk)?;
    opened.spare(&args.out, &[])?;
    open::ends(&args.out, &["safetensors", "npz"])?;
    let sizes = Known::of(&opened.model).sizes();
    let drawn = init::initialise_all(&opened.model, &sizes, args.seed).map_err(|list| opened.fail(talk, &list))?;
    let stored = params::split(&opened.model, &drawn);
    archive::save_params(&args.out, &stored).map_err(|d| opened.fail(talk, &[d]))?;
    let numbers: usize = stored.iter().map(|(_, t)| t.len()).sum();
    let word = if stored.len() == 1 { "tensor" } else { "tensors" };
    talk.note(&format!("{} {word}, {numbers} numbers, written to {}", stored.len(), args.out.display()));
    Ok(())
}
