//! Makes two tables of the error pages, every `docs/errors/H*.md` in order: their texts, and the codes as an enum, so that a code
//! without a page does not compile.

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
    let mut pages = String::from("pub const PAGES: &[(&str, &str)] = &[\n");
    let mut variants = String::new();
    let mut words = String::new();
    for code in &codes {
        let page = folder.join(format!("{code}.md"));
        let title =
            fs::read_to_string(&page).unwrap_or_default().lines().next().unwrap_or("").trim_start_matches("# ").to_string();
        // From the root as it is when the table is compiled: a build folder may move with its checkout, or serve another.
        let text = format!("include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \"/docs/errors/{code}.md\"))");
        writeln!(pages, "    ({code:?}, {text}),").expect("a string takes all");
        writeln!(variants, "    /// {title}\n    {code},").expect("a string takes all");
        writeln!(words, "            Code::{code} => {code:?},").expect("a string takes all");
    }
    pages.push_str("];\n");
    let enumeration = format!(
        "/// The code of a message. Each is the name of a page in `docs/errors`.\n\
         #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]\npub enum Code {{\n{variants}}}\n\n\
         impl Code {{\n    /// `H0301`\n    pub const fn as_str(self) -> &'static str {{\n        match self {{\n{words}        }}\n    }}\n}}\n"
    );
    let out = env::var("OUT_DIR").expect("cargo sets it");
    let out = Path::new(&out);
    fs::write(out.join("pages.rs"), pages).expect("the build folder is writable");
    fs::write(out.join("codes.rs"), enumeration).expect("the build folder is writable");
}
