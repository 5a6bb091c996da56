//! Runs a model from a program: read a file, draw or load its weights, compile it once, call it again and again.
//!
//!     cargo run --example run_model

use hnet::bind::inputs::{Request, gather};
use hnet::bind::params;
use hnet::diag::Diagnostic;
use hnet::exec::session::{self, Options, Session};
use hnet::files::archive::Archive;
use hnet::pipeline;
use hnet::source::Sources;
use std::path::Path;
use std::process::ExitCode;

fn run() -> Result<(), Vec<Diagnostic>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let one = |d: Diagnostic| vec![d];

    // Text to a checked model. Its graph, parameters and inputs are all there to look at.
    let mut sources = Sources::default();
    let file = pipeline::read(&mut sources, &folder.join("task_digits.hnet")).map_err(one)?;
    let checked = pipeline::check(&mut sources, file, &[]);
    let Some(model) = checked.models.first().filter(|_| checked.is_fine()) else { return Err(checked.diagnostics) };
    println!("{}: {} parameters, {} inputs", model.name, model.params.len(), model.inputs.len());

    // What it is run on: images and labels from a file; `task` is said here.
    let mut request = Request { files: vec![folder.join("task_digits.inputs.safetensors")], ..Request::default() };
    request.conditions.push(("task".into(), "3".into()));
    let given = gather(model, &request)?;

    // Trained weights, checked against the model.
    let weights = Archive::open(&folder.join("task_digits.params.safetensors")).map_err(one)?;
    let weights = params::load(model, &[weights], &given.sizes, 0)?.tensors;

    // Compiled for this machine, for all outputs that these inputs are enough for.
    let (outputs, _) = session::computable(model, &given);
    let mut session = Session::new(model, &outputs, &Options::default()).map_err(one)?;
    let mut bindings = session::bindings(weights, given, 0);
    for task in ["3", "0"] {
        request.conditions[0].1 = task.into();
        session::rebind(&mut bindings, gather(model, &request)?);
        let results = session.run(&bindings).map_err(one)?;
        for (name, tensor) in session.names().iter().zip(results).filter(|(_, t)| t.len() == 1) {
            println!("as task {task}, on {}: {name} = {:.4}", session.backend(), tensor.get(0));
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(list) => {
            list.iter().for_each(|d| eprintln!("{}: {}", d.code, d.message));
            ExitCode::FAILURE
        }
    }
}
