//! A file and everything that it imports, parsed.
//!
//! In: a root file and a [`Loader`]. Out: [`Program`], files in the order in which they were first met (the root first),
//! imports resolved to file numbers.

use crate::diag::{Code, Diagnostic, Sink, suggest};
use crate::disk;
use crate::source::{FileId, Sources, Span};
use crate::syntax::{ast, doc, parse};
use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Reads texts; the only way in which the front end touches files.
pub trait Loader {
    /// The text of a file.
    fn read(&self, path: &Path) -> io::Result<String>;

    /// Whether a program may read this file at all.
    fn allows(&self, _path: &Path) -> bool {
        true
    }
}

/// Reads from the file system.
pub struct Disk;

/// Reads what lies in one folder or below it, and nothing that a link in there leads to outside: for programs of strangers.
pub struct Inside(PathBuf);

impl Inside {
    /// The folder of this file.
    pub fn of(file: &Path) -> Inside {
        let folder = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Inside(folder.to_path_buf())
    }
}

impl Loader for Inside {
    fn read(&self, path: &Path) -> io::Result<String> {
        Disk.read(path)
    }

    fn allows(&self, path: &Path) -> bool {
        // By its words first: what lies elsewhere is not even looked for.
        let below = clean(path).strip_prefix(clean(&self.0)).map(Path::to_path_buf);
        let mut parts = below.iter().flat_map(|p| p.components());
        if below.is_err() || parts.any(|c| !matches!(c, std::path::Component::Normal(_))) {
            return false;
        }
        match (std::fs::canonicalize(path), std::fs::canonicalize(&self.0)) {
            (Ok(path), Ok(folder)) => path.starts_with(folder),
            // It is not there, which reading it says.
            (Err(_), _) | (_, Err(_)) => true,
        }
    }
}

/// A file that a program names and may not read.
pub fn outside(path: &Path, span: Span) -> Diagnostic {
    Diagnostic::error(Code::H0008, span, format!("`{}` lies outside of the program's folder", path.display()))
        .here("it is not read")
        .help("put it into the folder of the program; `--allow-outside` reads it where it is")
}

/// Bytes that a source file may have.
pub const MAX_SOURCE: u64 = 4 << 20;

impl Loader for Disk {
    fn read(&self, path: &Path) -> io::Result<String> {
        disk::text(path, MAX_SOURCE)
    }
}

/// Finds nothing: for texts without imports of files.
pub struct NoFiles;

impl Loader for NoFiles {
    fn read(&self, path: &Path) -> io::Result<String> {
        Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no file `{}` here", path.display())))
    }
}

/// The standard library, part of the binary: module name and text.
pub static LIBRARY: &[(&str, &str)] = &[
    ("adapter", include_str!("../std/adapter.hnet")),
    ("attention", include_str!("../std/attention.hnet")),
    ("conv", include_str!("../std/conv.hnet")),
    ("diffusion", include_str!("../std/diffusion.hnet")),
    ("embed", include_str!("../std/embed.hnet")),
    ("film", include_str!("../std/film.hnet")),
    ("graph", include_str!("../std/graph.hnet")),
    ("hyper", include_str!("../std/hyper.hnet")),
    ("linalg", include_str!("../std/linalg.hnet")),
    ("linear", include_str!("../std/linear.hnet")),
    ("lora", include_str!("../std/lora.hnet")),
    ("loss", include_str!("../std/loss.hnet")),
    ("math", include_str!("../std/math.hnet")),
    ("mlp", include_str!("../std/mlp.hnet")),
    ("moe", include_str!("../std/moe.hnet")),
    ("norm", include_str!("../std/norm.hnet")),
    ("position", include_str!("../std/position.hnet")),
    ("prompt", include_str!("../std/prompt.hnet")),
    ("recurrent", include_str!("../std/recurrent.hnet")),
    ("relax", include_str!("../std/relax.hnet")),
    ("scan", include_str!("../std/scan.hnet")),
    ("schedule", include_str!("../std/schedule.hnet")),
    ("siren", include_str!("../std/siren.hnet")),
    ("spectral", include_str!("../std/spectral.hnet")),
    ("transformer", include_str!("../std/transformer.hnet")),
];

/// The page of a module of the library.
pub fn library_page(module: &str) -> Option<String> {
    let (name, text) = LIBRARY.iter().find(|(name, _)| *name == module)?;
    let file = parse(FileId(0), text, &mut Sink::default());
    Some(doc::page(&format!("std.{name}"), text, &file))
}

/// The whole library as one page.
pub fn library_book() -> String {
    let head = "# The library\n\nEvery module of `std`, as its files say it; `hnet doc std.moe` shows one, `hnet doc Moe` a net. Nets are compared with\nreferences from elsewhere (`tests/library`), or with plain arithmetic written down a second time. The page is printed from the sources.\n\nParameters stand in a file of weights under the path of their net: those of `sub fc = Linear(8, 4)` are `fc.w` and `fc.bias`, those of\n`sub block[2] = ..` begin with `block.0.` and `block.1.`.\n";
    let pages = LIBRARY.iter().filter_map(|(name, _)| library_page(name)).map(|page| format!("\n#{page}"));
    [head.to_string()].into_iter().chain(pages).collect()
}

/// One parsed file.
#[derive(Debug)]
pub struct Loaded {
    pub id: FileId,
    pub text: Arc<str>,
    /// Whether it is of the library.
    pub library: bool,
    pub ast: ast::File,
    /// For each import, in the order of the items: the number of the file, if it was found.
    pub imports: Vec<Option<usize>>,
}

/// A root file with all its imports.
#[derive(Debug)]
pub struct Program {
    pub files: Vec<Loaded>,
    /// The number of `std.schedule`, whose functions every `train` block knows.
    pub schedules: Option<usize>,
}

#[derive(Clone, PartialEq, Eq, Hash)]
enum Key {
    Library(String),
    File(PathBuf),
}

/// Parses `root` and all that it imports.
pub fn load(sources: &mut Sources, loader: &dyn Loader, root: FileId, sink: &mut Sink) -> Program {
    let mut files = Vec::new();
    let mut known: HashMap<Key, usize> = HashMap::new();
    let mut queue = vec![(root, false)];
    if let Some(path) = &sources.get(root).path {
        known.insert(Key::File(clean(path)), 0);
    }
    let mut next = 0;
    let mut schedules = None;
    while next < queue.len() {
        let (id, library) = queue[next];
        next += 1;
        let text = sources.get(id).text.clone();
        let ast = parse(id, &text, sink);
        let mut imports = Vec::new();
        for item in &ast.items {
            let ast::ItemKind::Import(import) = &item.kind else { continue };
            imports.push(find(sources, loader, id, &import.from, &mut known, &mut queue, sink));
        }
        if let Some(train) = ast.items.iter().find(|i| files.is_empty() && matches!(i.kind, ast::ItemKind::Train(_))) {
            let word = |name: &str| ast::Ident { name: name.into(), span: train.span };
            let what = ast::ImportFrom::Library(vec![word("std"), word("schedule")]);
            schedules = find(sources, loader, id, &what, &mut known, &mut queue, sink);
        }
        files.push(Loaded { id, text, library, ast, imports });
    }
    Program { files, schedules }
}

fn find(
    sources: &mut Sources,
    loader: &dyn Loader,
    from: FileId,
    what: &ast::ImportFrom,
    known: &mut HashMap<Key, usize>,
    queue: &mut Vec<(FileId, bool)>,
    sink: &mut Sink,
) -> Option<usize> {
    let (key, span) = match what {
        ast::ImportFrom::Library(words) => {
            let span = words.first()?.span.to(words.last()?.span);
            let text = words.iter().map(|w| &*w.name).collect::<Vec<_>>().join(".");
            (Key::Library(text), span)
        }
        ast::ImportFrom::File { path, span } => {
            let base = sources.get(from).path.as_deref().and_then(Path::parent).unwrap_or(Path::new(""));
            (Key::File(clean(&base.join(path))), *span)
        }
    };
    if let Some(&n) = known.get(&key) {
        return Some(n);
    }
    let id = match &key {
        Key::Library(name) => library(sources, name, span, sink)?,
        Key::File(path) if !loader.allows(path) => {
            sink.push(outside(path, span));
            return None;
        }
        Key::File(path) => match loader.read(path) {
            Ok(text) => sources.add(path.display().to_string(), Some(path), text),
            Err(error) => {
                sink.push(
                    Diagnostic::error(Code::H0001, span, format!("cannot read `{}`: {error}", path.display()))
                        .help("a path is relative to the file that imports; the standard library is `import std.linear { .. }`"),
                );
                return None;
            }
        },
    };
    queue.push((id, matches!(key, Key::Library(_))));
    known.insert(key, queue.len() - 1);
    Some(queue.len() - 1)
}

fn library(sources: &mut Sources, name: &str, span: Span, sink: &mut Sink) -> Option<FileId> {
    let module = name.strip_prefix("std.");
    if let Some((_, text)) = LIBRARY.iter().find(|(m, _)| Some(*m) == module) {
        return Some(sources.add(name, None, *text));
    }
    let names: Vec<String> = LIBRARY.iter().map(|(m, _)| format!("std.{m}")).collect();
    let mut diagnostic = Diagnostic::error(Code::H0002, span, format!("no library module is called `{name}`"));
    diagnostic = match suggest(name, names.iter().map(String::as_str)) {
        Some(near) => diagnostic.meant(name, span, near),
        None => diagnostic.help(format!("there are {}", names.join(", "))),
    };
    sink.push(diagnostic);
    None
}

/// A path without `.` and with `..` taken back where that is certain, so that one file has one key.
fn clean(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir if out.file_name().is_some() => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_reads_what_lies_in_its_folder() {
        let here = tempfile::tempdir().unwrap();
        let own = here.path().join("own");
        std::fs::create_dir_all(own.join("parts")).unwrap();
        std::fs::write(here.path().join("secret"), "").unwrap();
        std::fs::write(own.join("parts/a.hnet"), "").unwrap();
        let inside = Inside::of(&own.join("m.hnet"));
        let allows = |path: &str| inside.allows(&own.join(path));
        assert!(allows("parts/a.hnet") && allows("./parts/../parts/a.hnet") && allows("none.hnet"));
        assert!(!allows("../secret") && !allows("parts/../../secret") && !allows("/etc/passwd") && !allows("../own2/a"));
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(here.path().join("secret"), own.join("link.hnet")).unwrap();
            std::os::unix::fs::symlink(here.path(), own.join("up")).unwrap();
            assert!(!allows("link.hnet") && !allows("up/secret"));
            assert!(!Inside::of(Path::new("m.hnet")).allows(Path::new("../m.hnet")));
        }
    }
}
