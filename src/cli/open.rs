//! From a path on the command line to a checked model.

use super::bug;
use super::talk::{Exit, Talk, usage};
use crate::check::model::{DataFile, Eval, Model};
use crate::diag::{Code, Diagnostic, suggest};
use crate::disk;
use crate::pipeline;
use crate::plan;
use crate::program::{Disk, Inside, Loader, MAX_SOURCE, outside};
use crate::source::{FileId, Sources};
use std::fmt::Display;
use std::path::{Path, PathBuf};

/// Which model: shared by the commands that take one.
#[derive(clap::Args)]
pub struct Which {
    /// The file
    #[arg(value_name = "M.hnet")]
    pub file: PathBuf,
    /// The model; the first of the file unless said
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Replaces a constant; may be repeated
    #[arg(long, value_name = "CONST=NUMBER", value_parser = number)]
    pub set: Vec<(String, f64)>,
    #[command(flatten)]
    pub outside: Outside,
}

/// Whether a program may name files outside of its folder: shared by all commands that read one.
#[derive(clap::Args, Clone, Copy)]
pub struct Outside {
    /// Also reads imports and data that lie outside of the program's folder
    #[arg(long)]
    allow_outside: bool,
}

impl Outside {
    /// Whether the program in `file` may read a file that it names.
    pub fn allows(self, file: &Path, path: &Path) -> bool {
        self.allow_outside || Inside::of(file).allows(path)
    }

    /// What reads the files of the program in `file`.
    pub fn loader(self, file: &Path) -> Box<dyn Loader + Sync> {
        if self.allow_outside { Box::new(Disk) } else { Box::new(Inside::of(file)) }
    }
}

/// Refuses an option that gives two values to one name.
pub fn once<T: Display>(option: &str, given: &[(String, T)]) -> Result<(), Exit> {
    for (k, (name, value)) in given.iter().enumerate() {
        if let Some((_, first)) = given[..k].iter().find(|(n, _)| n == name) {
            return Err(usage(&format!(
                "`{option}` says `{name}` twice: `{option} {name}={first}` and `{option} {name}={value}`"
            )));
        }
    }
    Ok(())
}

/// Refuses an option that names one thing twice.
pub fn once_each(option: &str, names: &[String]) -> Result<(), Exit> {
    match names.iter().enumerate().find(|(k, n)| names[..*k].contains(n)) {
        Some((_, name)) => Err(usage(&format!("`{option} {name}` is given twice"))),
        None => Ok(()),
    }
}

/// Whether two paths are one file.
fn same(a: &Path, b: &Path) -> bool {
    #[cfg(unix)]
    if let (Ok(a), Ok(b)) = (std::fs::metadata(a), std::fs::metadata(b)) {
        use std::os::unix::fs::MetadataExt;
        return (a.dev(), a.ino()) == (b.dev(), b.ino());
    }
    matches!((std::fs::canonicalize(a), std::fs::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

/// Whether a file to write to is `-`: standard output, as everywhere.
pub fn is_stdout(out: &Path) -> bool {
    out.as_os_str() == "-"
}

/// How a file is to end, for what is written to it: one of these, or in no way at all. The message names what can be written.
pub fn ends(out: &Path, ends: &[&str]) -> Result<(), Exit> {
    let Some(end) = out.extension().map(|e| e.to_string_lossy().into_owned()) else { return Ok(()) };
    if ends.iter().any(|e| *e == end) {
        return Ok(());
    }
    let all: Vec<String> = ends.iter().map(|e| format!(".{e}")).collect();
    let all = match all.as_slice() {
        [first @ .., last] if !first.is_empty() => format!("{} and {last}", first.join(", ")),
        few => few.concat(),
    };
    Err(usage(&format!("`{}`: no .{end} file is written; {all} can be", out.display())))
}

/// A checked file and the chosen model.
pub struct Opened {
    pub sources: Sources,
    pub model: Model,
    /// Whether it is the file's first model.
    pub first: bool,
    pub file: PathBuf,
    pub root: FileId,
    /// `--set`
    pub set: Vec<(String, f64)>,
    outside: Outside,
}

/// `name=value`
pub fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_string(), value.trim().to_string())),
        _ => Err("it is written name=value".into()),
    }
}

/// `d=48`
pub fn number(text: &str) -> Result<(String, f64), String> {
    let (name, value) = pair(text)?;
    let value = value.parse().map_err(|_| format!("`{value}` is not a number"))?;
    Ok((name, value))
}

/// `512MB`, `2GiB`
pub fn size(text: &str) -> Result<bytesize::ByteSize, String> {
    text.parse().map_err(|_| format!("`{text}` is no size; one is like 512MB, 2GiB or 100000"))
}

/// `b=17`
pub fn whole(text: &str) -> Result<(String, i64), String> {
    let (name, value) = pair(text)?;
    let value = value.parse().map_err(|_| format!("`{value}` is not a whole number"))?;
    Ok((name, value))
}

/// Reads, parses and checks; says what is wrong.
pub fn models(file: &Path, set: &[(String, f64)], outside: Outside, talk: Talk) -> Result<(Sources, FileId, Vec<Model>), Exit> {
    once("--set", set)?;
    let mut sources = Sources::default();
    let root = match pipeline::read(&mut sources, file) {
        Ok(root) => root,
        Err(d) => return Err(talk.fail(&sources, d)),
    };
    bug::remember(&sources.get(root).name, &sources.get(root).text);
    let checked = pipeline::check_with(&mut sources, &*outside.loader(file), root, set);
    talk.say(&sources, &checked.diagnostics)?;
    Ok((sources, root, checked.models))
}

/// The chosen model of a file.
pub fn model(which: &Which, talk: Talk) -> Result<Opened, Exit> {
    let (sources, root, models) = models(&which.file, &which.set, which.outside, talk)?;
    let names: Vec<String> = models.iter().map(|m| m.name.clone()).collect();
    let file = which.file.clone();
    match models.into_iter().enumerate().find(|(_, m)| which.model.as_ref().is_none_or(|n| *n == m.name)) {
        Some((k, model)) => {
            Ok(Opened { sources, model, first: k == 0, file, root, set: which.set.clone(), outside: which.outside })
        }
        None => Err(talk.fail(&sources, no_model(&file, which.model.as_deref(), &names))),
    }
}

fn no_model(file: &Path, wanted: Option<&str>, names: &[String]) -> Diagnostic {
    let file = file.display();
    let Some(wanted) = wanted.filter(|_| !names.is_empty()) else {
        return Diagnostic::plain(Code::H0005, format!("`{file}` has no model")).help("a model is `model Name { .. }`");
    };
    let d = Diagnostic::plain(Code::H0004, format!("`{file}` has no model `{wanted}`"));
    match suggest(wanted, names.iter().map(String::as_str)) {
        Some(near) => d.help(format!("there is `{near}`")),
        None => d.help(format!("it has {}", names.join(", "))),
    }
}

impl Opened {
    /// The folder that relative paths in the file start from.
    pub fn folder(&self) -> &Path {
        self.file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
    }

    /// What the `//!` lines at the top of the file say, as one paragraph.
    pub fn about(&self) -> String {
        let Ok(text) = disk::text(&self.file, MAX_SOURCE) else { return String::new() };
        let lines = text.lines().take_while(|l| l.starts_with("//!"));
        lines.map(|l| l.trim_start_matches("//!").trim()).collect::<Vec<_>>().join(" ")
    }

    /// The file that belongs to the model by its name: `M.params.safetensors` or `M.params.npz` beside `M.hnet`, without the `M.`
    /// beside `model.hnet`.
    pub fn beside(&self, what: &str) -> Option<PathBuf> {
        self.all_beside(what).into_iter().next()
    }

    /// All files that could be it; the first is taken.
    fn all_beside(&self, what: &str) -> Vec<PathBuf> {
        let Some(stem) = self.file.file_stem().map(|s| s.to_string_lossy().into_owned()) else { return vec![] };
        let begins = [Some(format!("{stem}.{what}")), (stem == "model").then(|| what.to_string())];
        let names = begins.iter().flatten().flat_map(|begin| ["safetensors", "npz"].map(|end| format!("{begin}.{end}")));
        let there = |p: &PathBuf| p.is_file() && self.outside.allows(&self.file, p);
        names.map(|name| self.folder().join(name)).filter(there).collect()
    }

    /// Says which file beside the model is taken, and which are not.
    pub fn tell_beside(&self, what: &str, talk: Talk) {
        let all = self.all_beside(what);
        let Some((taken, others)) = all.split_first() else { return };
        let noun = if what == "params" { "weights" } else { what };
        if others.is_empty() {
            return talk.note(&format!("the {noun} are those of {}", taken.display()));
        }
        let others: Vec<String> = others.iter().map(|p| format!("`{}`", p.display())).collect();
        let (lie, are) = if others.len() == 1 { ("lies", "is") } else { ("lie", "are") };
        talk.warn(&format!(
            "the {noun} are those of `{}`; {} {lie} there, too, and {are} not read: `--{what}` names the file that is meant",
            taken.display(),
            others.join(" and ")
        ));
    }

    /// Whether the program may read this file.
    pub fn may_read(&self, path: &Path) -> bool {
        self.outside.allows(&self.file, path)
    }

    /// What reads the program's files.
    pub fn loader(&self) -> Box<dyn Loader + Sync> {
        self.outside.loader(&self.file)
    }

    /// Refuses data of an `eval` block that lie where the program may not read.
    pub fn allow_data(&self, evals: &[&Eval], talk: Talk) -> Result<(), Exit> {
        self.allow_files(&evals.iter().flat_map(|e| &e.rows.data).collect::<Vec<_>>(), talk)
    }

    /// Refuses files of data that lie where the program may not read.
    pub fn allow_files(&self, files: &[&DataFile], talk: Talk) -> Result<(), Exit> {
        let paths = files.iter().map(|d| (self.folder().join(&d.file), d.span));
        let said: Vec<Diagnostic> =
            paths.filter(|(path, _)| !self.outside.allows(&self.file, path)).map(|(path, span)| outside(&path, span)).collect();
        talk.say(&self.sources, &said)
    }

    /// Refuses to write over a program, or over a file that this run reads; and `-`, where what is written is no text.
    pub fn spare(&self, out: &Path, read: &[PathBuf]) -> Result<(), Exit> {
        if is_stdout(out) {
            return Err(usage("`-` is stdout, and what is written here does not go there: name a file (`./-` is one)"));
        }
        if out.extension().is_some_and(|e| e == "hnet") {
            return Err(usage(&format!("`{}` is the name of a program: nothing is written over it", out.display())));
        }
        let sources = self.sources.iter().filter_map(|(_, s)| s.path.as_deref());
        match sources.chain(read.iter().map(PathBuf::as_path)).find(|path| same(path, out)) {
            Some(path) if out.is_file() => {
                let one = if path == out { String::new() } else { format!(" (it is `{}`)", path.display()) };
                Err(usage(&format!("`{}` is read here{one}: write to another file", out.display())))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A number for every unknown size; says which were chosen here, if `say` does.
    pub fn sizes(&self, dims: &[(String, i64)], say: bool, talk: Talk) -> Result<plan::Sizes, Exit> {
        let (sizes, chosen) = pipeline::sizes(&self.model, dims).map_err(|d| self.fail(talk, &[d]))?;
        for (name, n) in chosen.iter().filter(|_| say) {
            talk.note(&format!("{name} = {n} (choose with --dim {name}=N)"));
        }
        Ok(sizes)
    }

    /// Says messages of which one is fatal.
    pub fn fail(&self, talk: Talk, list: &[Diagnostic]) -> Exit {
        talk.say(&self.sources, list).err().unwrap_or(Exit::Usage)
    }
}
