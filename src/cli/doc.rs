//! `hnet doc`: what a module of the library, a net of it, or a file says of itself.

use super::talk::{self, BOLD, Exit, Talk, usage};
use crate::diag::{Sink, suggest};
use crate::pipeline;
use crate::program::{LIBRARY, library_page};
use crate::source::{FileId, Sources};
use crate::syntax::{ast, doc, parse};
use std::path::Path;

/// Say what a module of the library has, what a net or function of it is, or what a file says of itself
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  hnet doc\n  hnet doc std.moe\n  hnet doc Moe\n  hnet doc blocks.hnet")]
pub struct Args {
    /// A module, `std.moe`; a net or function of one, `Moe`; a file. Without it: all modules
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

pub fn main(args: &Args) -> Result<(), Exit> {
    let modules: Vec<(String, &str, ast::File)> =
        LIBRARY.iter().map(|(name, text)| (format!("std.{name}"), *text, parse(FileId(0), text, &mut Sink::default()))).collect();
    let Some(name) = &args.name else {
        for (title, _, file) in &modules {
            talk::print(&format!("{BOLD}{title}{BOLD:#}  {}\n", doc::summary(title, file)));
        }
        return Ok(());
    };
    if name.ends_with(".hnet") {
        return of_file(Path::new(name));
    }
    let word = name.strip_prefix("std.").unwrap_or(name);
    if let Some(page) = library_page(word) {
        talk::print(&page);
        return Ok(());
    }
    let mut found = false;
    for (title, text, file) in &modules {
        if let Some(entry) = doc::entry(name, text, file) {
            talk::print(&format!("{BOLD}{title}{BOLD:#}\n\n{entry}"));
            found = true;
        }
    }
    if found {
        return Ok(());
    }
    let known: Vec<&str> = modules.iter().flat_map(|(title, _, file)| [&**title].into_iter().chain(doc::names(file))).collect();
    let near = suggest(name, known).map_or(String::new(), |n| format!("; there is {n}"));
    Err(usage(&format!("the library has no `{name}`{near} (`hnet doc` lists its modules)")))
}

fn of_file(path: &Path) -> Result<(), Exit> {
    let talk = Talk::Text;
    let mut sources = Sources::default();
    let file = pipeline::read(&mut sources, path).map_err(|d| talk.fail(&sources, d))?;
    let text = sources.get(file).text.clone();
    let mut sink = Sink::default();
    let tree = parse(file, &text, &mut sink);
    talk::print(&doc::page(&sources.get(file).name, &text, &tree));
    talk.say(&sources, sink.list())
}
