//! The language reference and the page on training tell the truth: their examples compile, and those that must fail fail.
//!
//! A block marked `hnet` is a whole file. `hnet model` is what stands in a model, `hnet train` blocks beside one: they are wrapped as [`wrapped`] says. With `fail`
//! it is rejected. Blocks of other kinds are not looked at.

use hnet::diag::explain::{Block, blocks};
use hnet::diag::render::render_plain;
use hnet::pipeline;
use hnet::program::NoFiles;
use hnet::source::Sources;

const LANGUAGE: &str = include_str!("../../docs/language.md");
const TRAINING: &str = include_str!("../../docs/training.md");
const FROM_PYTORCH: &str = include_str!("../../docs/from_pytorch.md");
const README: &str = include_str!("../../README.md");

#[test]
fn the_page_of_functions_is_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/functions.md");
    let text = hnet::check::reference();
    if std::env::var_os("HNET_ACCEPT").is_some() {
        std::fs::write(path, &text).expect("written");
    }
    let agreed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(agreed == text, "docs/functions.md is another one; HNET_ACCEPT=1 writes it");
}

#[test]
fn the_page_of_the_library_is_the_library() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/library.md");
    let text = hnet::program::library_book();
    if std::env::var_os("HNET_ACCEPT").is_some() {
        std::fs::write(path, &text).expect("written");
    }
    let agreed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(agreed == text, "docs/library.md is another one; HNET_ACCEPT=1 writes it");
    let bare = text.split("```text\n").skip(1).filter(|part| {
        let (head, rest) = part.split_once("\n```\n").unwrap_or_default();
        !head.starts_with("const") && (rest.trim().is_empty() || rest.trim_start().starts_with("```"))
    });
    let bare: Vec<&str> = bare.filter_map(|part| part.lines().next()).collect();
    assert!(bare.is_empty(), "nothing is said of {bare:?}");
}

#[test]
fn the_reference_of_the_language_names_every_function() {
    let named = |word: &&str| LANGUAGE.split(|c: char| !c.is_alphanumeric() && c != '_').any(|w| w == *word);
    let missing: Vec<&str> = hnet::check::words().into_iter().filter(|w| !named(w)).collect();
    assert!(missing.is_empty(), "docs/language.md does not name {missing:?}");
}

#[test]
fn the_program_of_the_readme_checks() {
    let all = blocks(README);
    let block = all.iter().find(|b| b.info == "hnet").expect("the README shows a program");
    let mut sources = Sources::default();
    let root = sources.add("readme.hnet", None, block.text.clone());
    let checked = pipeline::check_with(&mut sources, &NoFiles, root, &[]);
    assert!(checked.diagnostics.is_empty(), "{}", render_plain(&sources, &checked.diagnostics));
}

/// The model of the blocks of the page on training that have none.
const TRAINED: &str = "import std.mlp { Mlp }
import std.math { cross_entropy }
dim b
model M {
    condition task: i32
    input x: [b, 64]
    input label: i32[b]
    param embed: [5, 16] = normal(std: 0.1)
    sub hyper  = Mlp(16, 32, size(target.*))
    sub target = Mlp(64, 32, 10)
    generate target.* from hyper(embed[task])
    output logits: [b, 10] = target(x)
    output accuracy: f32   = mean[b] number(argmax(logits) == label)
    loss   nll = mean[b] cross_entropy(logits, label)
}
";

/// The file that a block stands for.
fn wrapped(block: &Block) -> String {
    if block.info.split(' ').any(|w| w == "train") {
        return format!("{TRAINED}{}", block.text);
    }
    if !block.info.split(' ').any(|w| w == "model") {
        return block.text.clone();
    }
    format!("import std.linear {{ Linear }}\nimport std.mlp {{ Mlp }}\ndim b\ndim t\nmodel M {{\n{}}}\n", block.text)
}

#[test]
fn every_example_of_the_reference_does_what_it_says() {
    let mut wrong = Vec::new();
    let mut count = 0;
    let pages = [LANGUAGE, TRAINING, FROM_PYTORCH].map(blocks).concat();
    for block in pages.iter().filter(|b| b.info.split(' ').next() == Some("hnet")) {
        count += 1;
        let mut sources = Sources::default();
        let root = sources.add("example.hnet", None, wrapped(block));
        let checked = pipeline::check_with(&mut sources, &NoFiles, root, &[]);
        let fails = block.info.split(' ').any(|w| w == "fail");
        // An example that is right has no warning either.
        let warned = !fails && !checked.diagnostics.is_empty();
        if checked.is_fine() == fails || warned {
            wrong.push(format!("```{}\n{}```\n{}", block.info, block.text, render_plain(&sources, &checked.diagnostics)));
        }
    }
    assert!(wrong.is_empty(), "{} of {count}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 50, "only {count} examples");
}
