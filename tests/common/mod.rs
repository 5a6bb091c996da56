//! What several test programs need: the shipped models with their files, drawn weights, how close is close, and the device.
#![allow(dead_code)]

pub mod make;

use hnet::bind::inputs::Given;
use hnet::bind::{init, params};
use hnet::check::model::{Init, Model};
use hnet::files::archive::Archive;
use hnet::gpu::Device;
use hnet::ir::{Data, Tensor};
use hnet::pipeline;
use hnet::source::Sources;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The device; none: the caller skips, and says so on stderr, unless `HNET_REQUIRE_GPU=1` demands one.
pub fn device(test: &str) -> Option<Arc<Device>> {
    match Device::shared() {
        Ok(device) => Some(device),
        Err(d) if std::env::var_os("HNET_REQUIRE_GPU").is_some_and(|v| v == "1") => panic!("{test}: {}", d.message),
        Err(d) => {
            // Not `eprintln`: that of a test which passes is kept from people.
            let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {}", d.message);
            None
        }
    }
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The `.hnet` files below a folder, in order.
pub fn files(folder: &str) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut open = vec![root().join(folder)];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "hnet") {
                out.push(path);
            }
        }
    }
    out.sort();
    out
}

pub fn models(path: &Path) -> Vec<Model> {
    let mut sources = Sources::default();
    let file = pipeline::read(&mut sources, path).unwrap();
    let checked = pipeline::check(&mut sources, file, &[]);
    assert!(checked.is_fine(), "{}: {:#?}", path.display(), checked.diagnostics);
    checked.models
}

pub fn beside(path: &Path, what: &str) -> Option<PathBuf> {
    Some(path.with_extension(format!("{what}.safetensors"))).filter(|p| p.is_file())
}

pub fn weights(path: &Path, model: &Model, given: &Given) -> BTreeMap<String, Tensor> {
    match beside(path, "params") {
        None => init::initialise_all(model, &given.sizes, 0).unwrap(),
        Some(file) => {
            let loaded = params::load(model, &[Archive::open(&file).unwrap()], &given.sizes, 0).unwrap();
            assert!(loaded.warnings.is_empty(), "{}: {:#?}", path.display(), loaded.warnings);
            loaded.tensors
        }
    }
}

/// Parameters drawn by their initialisers; what must come from a file, and what starts as zeros, is drawn too.
pub fn drawn(model: &Model, given: &Given) -> BTreeMap<String, Tensor> {
    let one = |k: usize, known: &BTreeMap<String, Tensor>| {
        let p = &model.params[k];
        let shape = params::shape(p, &given.sizes).unwrap();
        let how = match &p.init {
            Some(init) if !matches!(init, Init::Fill(v) if *v == 0.0) => init.clone(),
            _ => Init::Normal { mean: 0.0, std: 0.1 },
        };
        match &how {
            Init::Node(_) => init::initialise(model, p, &given.sizes, 1, known),
            how => init::draw(how, &p.path, p.dtype, shape, 1),
        }
    };
    init::each(model, one).unwrap()
}

/// How far two tensors are apart, measured by the largest number in the second.
pub fn gap(got: &Tensor, want: &Tensor) -> f64 {
    assert_eq!(got.shape, want.shape);
    let largest = want.to_f64().iter().filter(|v| v.is_finite()).fold(0.0f64, |m, v| m.max(v.abs()));
    // A NaN on one side only is as far as can be.
    let apart = |(a, b): (f64, f64)| match (a - b).abs() {
        _ if a == b || (a.is_nan() && b.is_nan()) => 0.0,
        d if d.is_nan() => f64::INFINITY,
        d => d,
    };
    let most = got.to_f64().into_iter().zip(want.to_f64()).map(apart).fold(0.0, f64::max);
    if most == 0.0 { 0.0 } else { most / largest }
}

pub fn close(who: &str, got: &Tensor, want: &Tensor, limit: f64) {
    let gap = gap(got, want);
    assert!(gap <= limit, "{who}: off by {gap:.1e}, more than {limit:.0e}");
}

/// The bits of all elements: equal only for runs that agree to the last one.
pub fn bits(t: &Tensor) -> Vec<u64> {
    match &t.data {
        Data::F32(v) => v.iter().map(|x| x.to_bits().into()).collect(),
        Data::F64(v) => v.iter().map(|x| x.to_bits()).collect(),
        Data::I32(v) => v.iter().map(|x| *x as u32 as u64).collect(),
        Data::Bool(v) => v.iter().map(|x| (*x).into()).collect(),
    }
}

pub fn name(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}
