//! What a model is run on, as options of the command line: shared by all commands that compute outputs or weights.

use super::open::{self, Opened};
use super::talk::{Exit, Talk};
use crate::bind::inputs::Request;
use std::path::PathBuf;

/// Weights, inputs, sizes, and the seed of what is drawn.
#[derive(clap::Args)]
pub struct Values {
    /// The weights of the model: safetensors, .npz, a folder or an index; may be repeated
    #[arg(long, value_name = "F")]
    pub params: Vec<PathBuf>,
    /// Inputs and conditions: safetensors, or .npy called like the input; may be repeated
    #[arg(long, value_name = "F")]
    pub inputs: Vec<PathBuf>,
    /// A condition or input: `task=3`, `lam=0.3,0.7`, `code=@file.npy`; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = open::pair)]
    pub condition: Vec<(String, String)>,
    /// The size of a free dim; may be repeated
    #[arg(long, value_name = "DIM=N", value_parser = open::whole)]
    pub dim: Vec<(String, i64)>,
    /// Seed of all that is drawn
    #[arg(long, value_name = "N", default_value_t = 0, allow_negative_numbers = true)]
    pub seed: i32,
}

impl Values {
    /// What is asked for: the files that are named, or (where `beside`) the one beside the model. Where `random`, what nobody gives is drawn.
    pub fn request(&self, opened: &Opened, beside: bool, random: bool, talk: Talk) -> Request {
        let mut files = self.inputs.clone();
        if files.is_empty() && beside {
            opened.tell_beside("inputs", talk);
            files.extend(opened.beside("inputs"));
        }
        Request { files, conditions: self.condition.clone(), dims: self.dim.clone(), random, seed: self.seed }
    }

    /// The files that these come from, those beside the model, too.
    pub fn read(&self, opened: &Opened) -> Vec<PathBuf> {
        let or_beside = |files: &[PathBuf], what: &str| match files.is_empty() {
            true => opened.beside(what).into_iter().collect(),
            false => files.to_vec(),
        };
        let values = self.condition.iter().filter_map(|(_, text)| text.strip_prefix('@')).map(PathBuf::from);
        or_beside(&self.params, "params").into_iter().chain(or_beside(&self.inputs, "inputs")).chain(values).collect()
    }

    /// Refuses what is said twice.
    pub fn once(&self) -> Result<(), Exit> {
        open::once("--condition", &self.condition)?;
        open::once("--dim", &self.dim)
    }
}
