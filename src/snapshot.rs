//! What the graphics backend makes of a model, as texts that are kept beside it: a change of a shader shows in a review.
//!
//! In: a checked model and sizes. Out: [`Shot`]s (each shader, the plan, the list of dispatches), and how they differ from the
//! files that are there ([`Folder::compare`]). The files are those of the crate `insta`: `snapshots/NAME.snap`, a header in
//! YAML, the text; a change that waits for a decision is `NAME.snap.new`, which `cargo insta review` finds.

use crate::check::model::Model;
use crate::diag::{Code, Diagnostic};
use crate::disk;
use crate::disk::cannot_read;
use crate::emit;
use crate::files::atomic;
use crate::gpu::Locate;
use crate::plan::{Sizes, Terms};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Bytes that a snapshot may have.
const LONGEST: u64 = 256 << 20;

/// One text with the name of its file.
#[derive(Clone, Debug, PartialEq)]
pub struct Shot {
    /// `inr__shader_hidden`
    pub name: String,
    pub text: String,
}

/// How a snapshot differs from its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// There is no file yet.
    New,
    Changed,
    /// There is a file, and nothing that it is of.
    Gone,
}

impl State {
    pub fn word(self) -> &'static str {
        match self {
            State::New => "new",
            State::Changed => "changed",
            State::Gone => "gone",
        }
    }
}

/// A snapshot that is not as its file has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    pub state: State,
    pub name: String,
    /// Empty where there is none.
    pub old: String,
    pub new: String,
}

/// What the names of a model's snapshots begin with: the file's, and for a model that is not its first that model's, too.
pub fn prefix(file: &Path, model: &str, first: bool) -> String {
    let stem = file.file_stem().map_or_else(|| "model".into(), |s| s.to_string_lossy());
    emit::plain(&if first { stem.to_string() } else { format!("{stem}-{model}") })
}

/// All texts of a model, each name once. Errors: the planner's limits.
pub fn shots(model: &Model, prefix: &str, sizes: &Sizes, terms: &Terms, locate: Locate) -> Result<Vec<Shot>, Diagnostic> {
    let (plan, program) = emit::shaders_on(model, sizes, terms, locate)?;
    let names = emit::file_names(program.shaders.iter().map(|s| s.name.as_str()));
    let shot = |what: &str, text: &str| Shot { name: format!("{prefix}__{what}"), text: text.trim_end().to_string() };
    let mut out = vec![shot("plan", &plan.to_string()), shot("dispatches", &program.listing(&names, locate))];
    out.extend(names.iter().zip(&program.shaders).map(|(name, s)| shot(&format!("shader_{name}"), &s.code)));
    Ok(out)
}

/// The places that a shader's text names in its first lines: `inr.hnet:19: image(xy)`.
pub fn places(text: &str) -> Vec<&str> {
    let comments = text.lines().map_while(|l| l.strip_prefix("// "));
    comments.filter(|l| l.contains(".hnet:")).collect()
}

/// The folder `snapshots` beside a model, as far as it belongs to that model.
pub struct Folder {
    pub path: PathBuf,
    /// The model's file, for the headers.
    source: String,
    prefix: String,
}

impl Folder {
    pub fn of(file: &Path, prefix: &str) -> Folder {
        let path = file.parent().unwrap_or(Path::new("")).join("snapshots");
        let source = file.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
        Folder { path, source, prefix: prefix.to_string() }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.snap"))
    }

    fn pending(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}.snap.new"))
    }

    /// The snapshots that are there. Errors: a folder or a file that cannot be read.
    fn stored(&self) -> Result<BTreeMap<String, String>, Diagnostic> {
        let mut out = BTreeMap::new();
        let entries = match std::fs::read_dir(&self.path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(out),
            Err(e) => return Err(cannot_read(&self.path.display().to_string(), &e)),
            Ok(entries) => entries,
        };
        for entry in entries.flatten() {
            let file = entry.file_name().to_string_lossy().into_owned();
            let Some(name) = file.strip_suffix(".snap").filter(|n| self.owns(n)) else { continue };
            let text = disk::text(&entry.path(), LONGEST).map_err(|e| cannot_read(&entry.path().display().to_string(), &e))?;
            out.insert(name.to_string(), body(&text).to_string());
        }
        Ok(out)
    }

    fn owns(&self, name: &str) -> bool {
        let what = name.strip_prefix(&self.prefix).and_then(|n| n.strip_prefix("__"));
        what.is_some_and(|w| w == "plan" || w == "dispatches" || w.starts_with("shader_"))
    }

    /// What is not as the files have it, by name; empty: nothing changed. `true`: there are no files at all yet.
    pub fn compare(&self, shots: &[Shot]) -> Result<(Vec<Difference>, bool), Diagnostic> {
        let mut stored = self.stored()?;
        let first = stored.is_empty();
        let mut out = Vec::new();
        for shot in shots {
            let (name, new) = (shot.name.clone(), shot.text.clone());
            match stored.remove(&shot.name) {
                Some(old) if old == new => {}
                Some(old) => out.push(Difference { state: State::Changed, name, old, new }),
                None => out.push(Difference { state: State::New, name, old: String::new(), new }),
            }
        }
        let gone = stored.into_iter().map(|(name, old)| Difference { state: State::Gone, name, old, new: String::new() });
        out.extend(gone);
        out.sort_by(|a, b| a.name.cmp(&b.name));
        Ok((out, first))
    }

    /// Writes new and changed ones, removes those that are gone, and what waited for a decision on any of them.
    pub fn accept(&self, differences: &[Difference]) -> Result<(), Diagnostic> {
        for d in differences {
            match d.state {
                State::Gone => remove(&self.file(&d.name))?,
                State::New | State::Changed => self.write(&self.file(&d.name), &d.new)?,
            }
        }
        self.settle()
    }

    /// Writes changed ones beside the old ones, where `cargo insta review` finds them.
    pub fn propose(&self, differences: &[Difference]) -> Result<(), Diagnostic> {
        self.settle()?;
        differences.iter().filter(|d| d.state != State::Gone).try_for_each(|d| self.write(&self.pending(&d.name), &d.new))
    }

    /// Removes what waited for a decision.
    pub fn settle(&self) -> Result<(), Diagnostic> {
        let Ok(entries) = std::fs::read_dir(&self.path) else { return Ok(()) };
        for entry in entries.flatten() {
            let file = entry.file_name().to_string_lossy().into_owned();
            if file.strip_suffix(".snap.new").is_some_and(|n| self.owns(n)) {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }

    fn write(&self, path: &Path, text: &str) -> Result<(), Diagnostic> {
        std::fs::create_dir_all(&self.path)
            .map_err(|e| Diagnostic::plain(Code::H0003, format!("cannot make the folder `{}`: {e}", self.path.display())))?;
        // A string of JSON is one of YAML.
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let header = format!("---\nsource: {}\nexpression: {}\n---\n", quoted(&self.source), quoted("hnet snapshot"));
        atomic::write(path, format!("{header}{text}\n").as_bytes())
    }
}

fn remove(path: &Path) -> Result<(), Diagnostic> {
    std::fs::remove_file(path).map_err(|e| Diagnostic::plain(Code::H0003, format!("cannot remove `{}`: {e}", path.display())))
}

/// A snapshot without its header.
fn body(text: &str) -> &str {
    let text = text.strip_prefix("---\n").and_then(|t| t.split_once("\n---\n")).map_or(text, |(_, body)| body);
    text.trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_even_without_case() {
        assert_eq!(emit::file_names(["y", "Y", "a/b", "y"].into_iter()), ["y", "Y_2", "a_b", "y_3"]);
        assert_eq!(prefix(Path::new("models/inr.hnet"), "Inr", true), "inr");
        assert_eq!(prefix(Path::new("inr.hnet"), "Other", false), "inr-Other");
    }

    #[test]
    fn new_changed_and_gone_snapshots_are_told_apart_and_accepted() {
        let here = tempfile::tempdir().unwrap();
        let folder = Folder::of(&here.path().join("m.hnet"), "m");
        let shot = |name: &str, text: &str| Shot { name: name.into(), text: text.into() };
        let first = [shot("m__plan", "a"), shot("m__shader_x", "b\n\n---\nc")];
        let (found, empty) = folder.compare(&first).unwrap();
        assert!(empty && found.iter().all(|d| d.state == State::New));
        folder.accept(&found).unwrap();
        assert_eq!(folder.compare(&first).unwrap(), (vec![], false));
        std::fs::write(folder.file("other__plan"), "not ours").unwrap();
        let (found, _) = folder.compare(&[shot("m__plan", "z"), shot("m__shader_y", "b")]).unwrap();
        assert_eq!(found.iter().map(|d| d.state).collect::<Vec<_>>(), [State::Changed, State::Gone, State::New]);
        folder.propose(&found).unwrap();
        assert!(folder.pending("m__plan").is_file() && folder.file("m__shader_x").is_file());
        folder.accept(&found).unwrap();
        assert!(!folder.pending("m__plan").exists() && !folder.file("m__shader_x").exists());
        assert!(folder.file("other__plan").is_file());
    }
}
