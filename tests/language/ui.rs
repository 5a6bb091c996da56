//! Known-bad programs and what is said about them: `tests/ui/NAME.hnet` and `NAME.stderr` beside it.
//!
//! `HNET_ACCEPT=1 cargo test --test language ui` writes what is said now; read it before you commit it.

use hnet::diag::render::render_plain;
use hnet::pipeline;
use hnet::program::NoFiles;
use hnet::source::Sources;
use std::path::{Path, PathBuf};

/// All programs, in order.
fn programs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    let files = std::fs::read_dir(folder).expect("the folder is there").map(|f| f.expect("a file").path());
    let mut out: Vec<PathBuf> = files.filter(|p| p.extension().is_some_and(|e| e == "hnet")).collect();
    out.sort();
    out
}

/// What is said about a program, with its codes.
fn said(path: &Path) -> (String, Vec<&'static str>) {
    let name = path.file_name().expect("a name").to_string_lossy().into_owned();
    let text = std::fs::read_to_string(path).expect("a text");
    let mut sources = Sources::default();
    let root = sources.add(name, None, text);
    let checked = pipeline::check_with(&mut sources, &NoFiles, root, &[]);
    (render_plain(&sources, &checked.diagnostics), checked.diagnostics.iter().map(|d| d.code).collect())
}

#[test]
fn every_known_mistake_is_said_as_it_was_agreed() {
    let accept = std::env::var_os("HNET_ACCEPT").is_some();
    let mut wrong = Vec::new();
    for path in programs() {
        let (text, _) = said(&path);
        let beside = path.with_extension("stderr");
        if accept {
            std::fs::write(&beside, &text).expect("it can be written");
        } else if std::fs::read_to_string(&beside).ok().as_deref() != Some(&text) {
            wrong.push(format!("{}:\n{text}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "HNET_ACCEPT=1 accepts:\n{}", wrong.join("\n"));
}

#[test]
fn one_mistake_gives_one_message() {
    for path in programs() {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let (text, codes) = said(&path);
        let many = name.starts_with("several_");
        assert!(if many { codes.len() > 1 } else { codes.len() == 1 }, "{name}: {codes:?}\n{text}");
    }
}

#[test]
fn nothing_of_the_compiler_shows() {
    for path in programs() {
        let (text, _) = said(&path);
        for inner in ["?0", "?1", "?2", "?3", "NodeId", "Tens", "Value::", "d0", "`index`"] {
            assert!(!text.contains(inner), "{}: `{inner}` in\n{text}", path.display());
        }
    }
}

#[test]
fn there_are_many() {
    assert!(programs().len() >= 70);
}
