//! Every page of `hnet explain` tells the truth: its failing examples give exactly its code, its mended ones none.
//!
//! What is said about a failing example is kept in `tests/messages/CODE.txt`, so that every message is read in a review;
//! `HNET_ACCEPT=1 cargo test --test language pages` writes what is said now.

use hnet::diag::explain::{Block, PAGES, blocks};
use hnet::files::archive;
use hnet::ir::{Data, Tensor};
use std::path::Path;
use std::process::Command;

/// A file of the page's example: a line for each tensor, `w: f32[3, 4] = 0.5`.
fn write_tensors(path: &Path, text: &str) {
    let tensor = |line: &str| {
        let (name, rest) = line.split_once(':').expect("`name: type`");
        let (ty, fill) = rest.split_once('=').unwrap_or((rest, "0"));
        let (word, sizes) = ty.trim().trim_end_matches(']').split_once('[').unwrap_or((ty.trim(), ""));
        let shape: Vec<usize> =
            sizes.split(',').filter(|s| !s.trim().is_empty()).map(|s| s.trim().parse().expect("a size")).collect();
        let (n, value) = (shape.iter().product(), fill.trim());
        let data = match word {
            "f32" => Data::F32(vec![value.parse().expect("a number"); n]),
            "i32" => Data::I32(vec![value.parse().expect("a whole number"); n]),
            "bool" => Data::Bool(vec![u8::from(value == "true"); n]),
            other => panic!("no type {other}"),
        };
        (name.trim().to_string(), Tensor::new(shape, data))
    };
    let tensors: Vec<_> = text.lines().filter(|l| !l.trim().is_empty()).map(tensor).collect();
    archive::save(path, &tensors).expect("it can be written");
}

/// What hnet prints about a block: as JSON on the stream that the command has for messages, or as text on stderr.
fn printed(folder: &Path, block: &Block, json: bool) -> String {
    std::fs::write(folder.join("m.hnet"), &block.text).unwrap();
    let mut words = block.info.split_whitespace().filter(|w| *w != "hnet" && *w != "fail");
    let command = words.next().unwrap_or("check");
    let mut hnet = Command::new(env!("CARGO_BIN_EXE_hnet"));
    hnet.current_dir(folder).args([command, "m.hnet"]).args(words).args(json.then_some("--json"));
    let output = hnet.env("NO_COLOR", "1").output().expect("hnet starts");
    let on_stdout = json && command == "check";
    String::from_utf8_lossy(if on_stdout { &output.stdout } else { &output.stderr }).into_owned()
}

/// Codes of the messages that a block gives, warnings too.
fn codes(folder: &Path, block: &Block) -> Vec<String> {
    let text = printed(folder, block, true);
    let code =
        |line: &str| serde_json::from_str::<serde_json::Value>(line).ok().and_then(|v| v["code"].as_str().map(String::from));
    text.lines().map(|l| code(l).unwrap_or_else(|| format!("no code: {l}"))).collect()
}

/// Compares what is said about the `number`-th failing example of a page with what was agreed.
fn agreed(page: &str, number: usize, text: &str) -> Result<(), String> {
    let name = if number == 0 { page.to_string() } else { format!("{page}_{}", number + 1) };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/messages").join(format!("{name}.txt"));
    if std::env::var_os("HNET_ACCEPT").is_some() {
        std::fs::create_dir_all(path.parent().expect("a folder"))
            .and_then(|()| std::fs::write(&path, text))
            .expect("it can be written");
    }
    let same = std::fs::read_to_string(&path).is_ok_and(|old| old == text);
    if same { Ok(()) } else { Err(format!("{name} (HNET_ACCEPT=1 accepts):\n{text}")) }
}

#[test]
fn every_example_gives_what_its_page_says() {
    let mut wrong = Vec::new();
    for (page, text) in PAGES {
        let mut failing = 0;
        let folder = tempfile::tempdir().unwrap();
        for block in blocks(text) {
            if let Some(name) = block.info.strip_prefix("tensors ") {
                write_tensors(&folder.path().join(name.trim()), &block.text);
            } else if let Some(name) = block.info.strip_prefix("file ") {
                std::fs::write(folder.path().join(name.trim()), &block.text).unwrap();
            } else if block.info.starts_with("hnet") {
                let fail = block.info.split_whitespace().any(|w| w == "fail");
                let mut found = codes(folder.path(), &block);
                found.dedup();
                let wanted: Vec<String> = if fail { vec![page.to_string()] } else { vec![] };
                if found != wanted {
                    wrong.push(format!("{page}, ```{}: {found:?}, wanted {wanted:?}", block.info));
                }
                if fail {
                    wrong.extend(agreed(page, failing, &printed(folder.path(), &block, false)).err());
                    failing += 1;
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
