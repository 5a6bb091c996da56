//! Makes the table of error pages: every `docs/errors/H*.md`, in order.

use std::fmt::Write;
use std::{env, fs, path::Path};

fn main() {
    println!("cargo::rerun-if-changed=docs/errors");
    println!("cargo::rerun-if-changed=build.rs");
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let folder = Path::new(&root).join("docs/errors");
    let names = fs::read_dir(&folder).into_iter().flatten().flatten().map(|e| e.file_name().to_string_lossy().into_owned());
    let mut codes: Vec<String> =
        names.filter_map(|n| n.strip_suffix(".md").map(String::from)).filter(|n| n.starts_with('H')).collect();
    codes.sort();
    let mut text = String::from("pub const PAGES: &[(&str, &str)] = &[\n");
    for code in &codes {
        writeln!(text, "    ({code:?}, include_str!({:?})),", folder.join(format!("{code}.md"))).expect("a string takes all");
    }
    text.push_str("];\n");
    let out = env::var("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&out).join("pages.rs"), text).expect("the build folder is writable");
}
