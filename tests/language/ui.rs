//! Known-bad programs and what is said about them: `tests/ui/NAME.hnet` and `NAME.stderr` beside it.
//!
//! `HNET_ACCEPT=1 cargo test --test language ui` writes what is said now; read it before you commit it.

use hnet::diag::Diagnostic;
use hnet::diag::explain::{PAGES, blocks};
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
    (render_plain(&sources, &checked.diagnostics), checked.diagnostics.iter().map(|d| d.code.as_str()).collect())
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

/// The text with the edits made, from the last to the first.
fn edited(text: &str, edits: &[(hnet::source::Span, String)]) -> String {
    let mut edits: Vec<_> = edits.to_vec();
    edits.sort_by_key(|(span, _)| std::cmp::Reverse(span.start));
    edits.iter().fold(text.to_string(), |text, (span, new)| {
        let (from, to) = (span.start as usize, span.end as usize);
        [&text[..from], new, &text[to..]].concat()
    })
}

/// Programs to mend: the known-bad ones, and what the pages of the codes show as failing.
fn to_mend() -> Vec<(String, String)> {
    let file = |p: PathBuf| (p.display().to_string(), std::fs::read_to_string(&p).expect("a text"));
    let block = |page: &str, text: &str| {
        let fails = blocks(text).into_iter().filter(|b| b.info == "hnet fail");
        fails.map(|b| (page.to_string(), b.text)).collect::<Vec<_>>()
    };
    programs().into_iter().map(file).chain(PAGES.iter().flat_map(|(page, text)| block(page, text))).collect()
}

#[test]
fn an_edit_mends_what_it_claims_to_mend() {
    let (mut wrong, mut made) = (Vec::new(), 0);
    for (name, text) in to_mend() {
        let check = |text: &str| {
            let mut sources = Sources::default();
            let root = sources.add("m.hnet", None, text);
            let found = pipeline::check_with(&mut sources, &NoFiles, root, &[]).diagnostics;
            let shown = render_plain(&sources, &found);
            (found, shown)
        };
        let (before, shown) = check(&text);
        for d in &before {
            let Some(help) = d.help.as_ref().filter(|h| !h.edits.is_empty()) else { continue };
            made += 1;
            let after = edited(&text, &help.edits);
            let (left, now) = check(&after);
            let of = |list: &[Diagnostic]| list.iter().filter(|o| o.code == d.code).count();
            // A mistake of the syntax hides those of the meaning: what comes to light was there before.
            let syntax = d.code.stage() == "01";
            let worse = !syntax && left.len() >= before.len();
            if of(&left) >= of(&before) || worse {
                wrong.push(format!("{name}: `{}`\n{shown}\nbecomes\n{after}\n{now}", help.text));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {made}:\n{}", wrong.len(), wrong.join("\n----\n"));
    assert!(made > 40, "only {made} edits");
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
