//! hnet's side: a model file at given sizes, with drawn parameters and inputs.

use crate::Result;
use crate::timing::Side;
use hnet::check::model::Model;
use hnet::diag::Diagnostic;
use hnet::exec::Engine;
use hnet::gpu::{self, Device};
use hnet::bind::inputs::{self, Request};
use hnet::ir::{Bindings, Data, Tensor};
use hnet::bind::init;
use hnet::{pipeline, source::Sources};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

pub struct Ours {
    engine: Engine,
    /// Parameters and conditions: what is prepared.
    early: Bindings,
    /// The input of a run.
    late: Bindings,
}

pub fn error(d: Diagnostic) -> Box<dyn Error> {
    format!("{}: {}", d.code, d.message).into()
}

fn errors(all: Vec<Diagnostic>) -> Box<dyn Error> {
    all.iter().map(|d| format!("{}: {}", d.code, d.message)).collect::<Vec<_>>().join("\n").into()
}

impl Ours {
    /// `file` is a path from the root of the repository; `set` replaces constants, `dims` gives lengths to free dims.
    pub fn new(device: &Arc<Device>, file: &str, set: &[(&str, f64)], dims: &[(&str, i64)]) -> Result<Ours> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
        let set: Vec<(String, f64)> = set.iter().map(|(n, v)| (n.to_string(), *v)).collect();
        let mut sources = Sources::default();
        let root = pipeline::read(&mut sources, &path).map_err(error)?;
        let checked = pipeline::check(&mut sources, root, &set);
        let Some(model) = checked.models.first() else { return Err(errors(checked.diagnostics)) };
        let (early, late) = drawn(model, dims)?;
        let mut engine = Engine::gpu(device, &model.graph, &[model.graph.outputs[0].node], gpu::Options::default());
        // Inputs, too: a run without transfers finds them on the device.
        let mut all = early.clone();
        all.sources.extend(late.sources.clone());
        engine.prepare(&all).map_err(error)?;
        Ok(Ours { engine, early, late })
    }

    /// A parameter or an input, and its shape.
    pub fn tensor(&self, path: &str) -> Result<(&[f32], &[usize])> {
        match self.early.sources.get(path).or_else(|| self.late.sources.get(path)) {
            Some(Tensor { shape, data: Data::F32(numbers) }) => Ok((numbers, shape)),
            _ => Err(format!("the model has no f32 tensor called {path}").into()),
        }
    }
}

/// What changes rarely, and what comes with each run.
fn drawn(model: &Model, dims: &[(&str, i64)]) -> Result<(Bindings, Bindings)> {
    let dims = dims.iter().map(|(n, v)| (n.to_string(), *v)).collect();
    let given = inputs::gather(model, &Request { random: true, seed: 1, dims, ..Request::default() }).map_err(errors)?;
    let (mut early, mut late) = (Bindings::default(), Bindings::default());
    early.sources = init::initialise_all(model, &given.sizes, 0).map_err(errors)?;
    early.sizes = given.sizes.clone();
    late.sizes = given.sizes;
    for (name, tensor) in given.tensors {
        let condition = model.inputs.iter().any(|i| i.name == name && i.condition);
        if condition { &mut early } else { &mut late }.sources.insert(name, tensor);
    }
    Ok((early, late))
}

impl Side for Ours {
    fn name(&self) -> &'static str {
        "hnet"
    }

    fn run(&mut self) -> Result<()> {
        self.engine.run_unread(&Bindings::default()).map_err(error)
    }

    fn with_transfers(&mut self) -> Result<Vec<f32>> {
        // The peer has to copy the numbers into a tensor of its own, so this side does too.
        let inputs = self.late.clone();
        match &self.engine.run_prepared(&inputs).map_err(error)?[0].data {
            Data::F32(numbers) => Ok(numbers.clone()),
            other => Err(format!("{} words, but not f32", other.words().len()).into()),
        }
    }
}
