//! `hnet export`: writes what the `weights to` blocks of a model say.

use super::given::Values;
use super::open::{self, Opened, Which};
use super::run::Where;
use super::talk::{Exit, Talk, usage};
use crate::bind::inputs;
use crate::bind::weights::layout::{self, Adapter};
use crate::check::model::Model;
use crate::check::model::weights::Block;
use crate::diag::Diagnostic;
use crate::exec::session::{self, Session};
use crate::files::{archive, atomic};
use crate::ir::Tensor;
use crate::pipeline;
use crate::program::outside;
use crate::source::Sources;
use std::path::{Path, PathBuf};

/// Write weights in another layout, as the `weights to` blocks say
#[derive(clap::Args)]
#[command(after_help = "Example:
  hnet export writer.hnet --params writer.params.safetensors --inputs document.safetensors

What a relation generates is computed first, from the inputs and conditions that it depends on. A file that is called
adapter_model.safetensors and has the names of PEFT gets its adapter_config.json.")]
pub struct Args {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    values: Values,
    /// Where it goes instead, for a model with one block: safetensors or .npz
    #[arg(long, short, value_name = "F")]
    out: Option<PathBuf>,
    #[command(flatten)]
    place: Where,
}

pub fn main(args: &Args) -> Result<(), Exit> {
    let talk = Talk::Text;
    args.values.once()?;
    let options = args.place.options(talk).map_err(|d| talk.fail(&Sources::default(), d))?;
    let opened = open::model(&args.which, talk)?;
    let blocks: Vec<&Block> = opened.model.weights.iter().filter(|b| b.writes).collect();
    if blocks.is_empty() {
        return Err(usage("the model has no `weights to` block: `weights to \"F\" { block[l].w -> \"layers.{l}.weight\" }`"));
    }
    let places = places(args, &opened, &blocks, talk)?;
    let mut texts = opened.sources.clone();
    let (made, said) = pipeline::written(&mut texts, &*opened.loader(), opened.root, &opened.set, &opened.model.name);
    talk.say(&texts, &said)?;
    let Some((model, lines)) = made else { return Err(Exit::Program) };
    let first = model.graph.outputs.len() - lines.len();
    let tensors = computed(args, &opened, &model, first, options, talk)?;
    for (k, (place, block)) in places.iter().zip(&blocks).enumerate() {
        let mine = lines.iter().zip(&tensors).filter(|(l, _)| l.block == k);
        let named = layout::names(mine, block.span).map_err(|d| opened.fail(talk, &[d]))?;
        store(place, &named, &opened, talk)?;
    }
    Ok(())
}

/// Where the blocks write to; refuses what they may not.
fn places(args: &Args, opened: &Opened, blocks: &[&Block], talk: Talk) -> Result<Vec<PathBuf>, Exit> {
    if let Some(out) = &args.out {
        if blocks.len() > 1 {
            return Err(usage(&format!("`--out` is one file, and the model has {} `weights to` blocks", blocks.len())));
        }
        open::ends(out, &["safetensors", "npz"])?;
        opened.spare(out, &args.values.params)?;
        return Ok(vec![out.clone()]);
    }
    let mut out = vec![];
    for block in blocks {
        let path = opened.folder().join(&block.file);
        if !opened.may_read(&path) {
            return Err(opened.fail(talk, &[outside(&path, block.span)]));
        }
        open::ends(&path, &["safetensors", "npz"])?;
        opened.spare(&path, &args.values.params)?;
        out.push(path);
    }
    Ok(out)
}

/// The value of each line.
fn computed(
    args: &Args,
    opened: &Opened,
    model: &Model,
    first: usize,
    options: session::Options,
    talk: Talk,
) -> Result<Vec<Tensor>, Exit> {
    let request = args.values.request(opened, true, false, talk);
    let fail = |list: &[Diagnostic]| opened.fail(talk, list);
    let given = inputs::gather(model, &request).map_err(|list| fail(&list))?;
    talk.say(&opened.sources, &given.warnings)?;
    let wanted: Vec<usize> = (first..model.graph.outputs.len()).collect();
    let (can, left) = session::computable(model, &given);
    if let Some(k) = wanted.iter().find(|k| !can.contains(k)) {
        let name = &*model.graph.outputs[*k].name;
        let absent: Vec<_> = left.into_iter().filter(|l| l.name == name).collect();
        // Nothing is drawn here: what is written goes to others.
        let help = "give a file with `--inputs F`, or a condition with `--condition name=value`";
        return Err(fail(&[session::nothing_to_run(model, &absent).help(help)]));
    }
    inputs::indices(model, &wanted, &given).map_err(|d| fail(&[d]))?;
    let params = opened.params(&args.values.params, &given.sizes, args.values.seed, talk)?;
    let mut session = Session::new(model, &wanted, &options).map_err(|d| fail(&[d]))?;
    let bound = session::bindings(params, given, args.values.seed);
    session.run(&bound).map_err(|d| fail(&[d]))
}

/// Writes one file, and what else a folder of PEFT has.
fn store(place: &Path, named: &[(String, Tensor)], opened: &Opened, talk: Talk) -> Result<(), Exit> {
    let fail = |d: Diagnostic| opened.fail(talk, &[d]);
    let folder = atomic::parent(place);
    if !folder.exists() {
        std::fs::create_dir(folder).map_err(|e| fail(atomic::cannot(folder, &e)))?;
    }
    archive::save(place, named).map_err(fail)?;
    talk.note(&format!("{} tensors written to {}", named.len(), place.display()));
    if place.file_name().is_some_and(|n| n == "adapter_model.safetensors")
        && let Some(adapter) = Adapter::of(named)
    {
        let config = folder.join("adapter_config.json");
        if config.exists() {
            talk.note(&format!("{} is left as it is", config.display()));
            return Ok(());
        }
        atomic::write(&config, adapter.config().as_bytes()).map_err(fail)?;
        talk.note(&format!("{} says rank {} and a factor of 1", config.display(), adapter.rank()));
    }
    Ok(())
}
