//! The tour of the language runs, and means the same in compiled code.

use hnet::bind::init;
use hnet::bind::inputs::{Request, gather};
use hnet::exec::session::{self, Backend, Options, Session};
use hnet::pipeline;
use hnet::source::Sources;
use std::path::Path;

#[test]
fn the_tour_runs() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let mut steps = 0;
    for entry in std::fs::read_dir(folder).unwrap().flatten().filter(|e| e.path().extension().is_some_and(|x| x == "hnet")) {
        let who = entry.path().display().to_string();
        let mut sources = Sources::default();
        let file = pipeline::read(&mut sources, &entry.path()).unwrap();
        let checked = pipeline::check(&mut sources, file, &[]);
        assert!(checked.diagnostics.is_empty(), "{who}: {:#?}", checked.diagnostics);
        for model in &checked.models {
            for n in [1, 5] {
                let dims = model.dims.iter().filter(|d| d.size.is_none()).map(|d| (d.name.to_string(), n)).collect();
                let given = gather(model, &Request { random: true, dims, ..Request::default() }).unwrap();
                let (can, left) = session::computable(model, &given);
                assert!(left.is_empty(), "{who}: {left:?}");
                let params = init::initialise_all(model, &given.sizes, 0).unwrap();
                let bound = session::bindings(params, given, 0);
                let run = |backend| {
                    let mut session =
                        Session::new(model, &can, &Options { backend, threads: 1, half: false, ..Options::default() }).unwrap();
                    session.run(&bound).unwrap_or_else(|d| panic!("{who}: {d:#?}"))
                };
                for (k, (got, want)) in run(Backend::Cpu).iter().zip(run(Backend::Interp)).enumerate() {
                    assert_eq!(got.shape, want.shape, "{who}");
                    let name = &model.graph.outputs[can[k]].name;
                    let largest = want.to_f64().iter().fold(0.0f64, |m, v| m.max(v.abs()));
                    for (a, b) in got.to_f64().iter().zip(want.to_f64()) {
                        let same = *a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 2e-4 * largest;
                        assert!(same, "{who}, {name}, {n} rows: {a}, not {b} (of {largest:.1e})");
                    }
                }
            }
        }
        steps += 1;
    }
    assert_eq!(steps, 12);
}

/// What hnet brings along is written as it tells others to: no warning, but of what does not run yet.
#[test]
fn the_library_and_the_shipped_models_give_no_warning() {
    let mut text = String::new();
    for (module, source) in hnet::program::LIBRARY {
        let first =
            source.lines().find_map(|l| l.strip_prefix("net ").or_else(|| l.strip_prefix("fn "))).expect("something to import");
        text.push_str(&format!("import std.{module} {{ {} }}\n", first.split('(').next().unwrap_or_default()));
    }
    let mut sources = Sources::default();
    let root = sources.add("all.hnet", None, text);
    let checked = pipeline::check_with(&mut sources, &hnet::program::NoFiles, root, &[]);
    assert!(checked.diagnostics.is_empty(), "{:#?}", checked.diagnostics);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    for entry in std::fs::read_dir(folder).unwrap().flatten().filter(|e| e.path().extension().is_some_and(|x| x == "hnet")) {
        let mut sources = Sources::default();
        let file = pipeline::read(&mut sources, &entry.path()).unwrap();
        let said = pipeline::check(&mut sources, file, &[]).diagnostics;
        assert!(said.is_empty(), "{}: {said:#?}", entry.path().display());
    }
}
