//! Weights that lie in several files: a folder, or an index that says which file has which tensor.
//!
//! In: a path. Out: the files to open, in order. Promised: an index names files of its own folder only, each of which is there, and every
//! tensor that it lists is looked for in the file that it names.

use super::archive::Archive;
use crate::diag::{Code, Diagnostic};
use crate::disk;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Bytes that an index may have.
const LONGEST: u64 = 100 << 20;

/// How the name of an index ends.
const INDEX: &str = ".safetensors.index.json";

/// Opens a file of tensors, or all files of a checkpoint that lies in several.
pub fn open(path: &Path) -> Result<Vec<Archive>, Diagnostic> {
    open_where(path, &|_| Ok(()))
}

/// As [`open`]; `may` refuses files that are not to be read.
pub fn open_where(path: &Path, may: &dyn Fn(&Path) -> Result<(), Diagnostic>) -> Result<Vec<Archive>, Diagnostic> {
    may(path)?;
    let index = if path.is_dir() { index_of(path)? } else { Some(path.to_path_buf()).filter(|p| is_index(p)) };
    let (files, map) = match (&index, path.is_dir()) {
        (Some(index), _) => {
            may(index)?;
            let map = read_index(index)?;
            let folder = crate::files::atomic::parent(index);
            (map.values().cloned().collect::<BTreeSet<_>>().into_iter().map(|f| folder.join(f)).collect(), map)
        }
        (None, true) => (safetensors_in(path)?, BTreeMap::new()),
        (None, false) => (vec![path.to_path_buf()], BTreeMap::new()),
    };
    let mut out = vec![];
    for file in &files {
        may(file)?;
        out.push(Archive::open(file)?);
    }
    if let Some(index) = index {
        listed_are_there(&index, &map, &out)?;
    }
    Ok(out)
}

fn is_index(path: &Path) -> bool {
    path.file_name().is_some_and(|n| n.to_string_lossy().ends_with(INDEX))
}

/// The names in a folder, sorted.
fn names_in(folder: &Path) -> Result<Vec<PathBuf>, Diagnostic> {
    let entries = std::fs::read_dir(folder).map_err(|e| disk::cannot_read(&folder.display().to_string(), &e))?;
    let mut out: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).collect();
    out.sort();
    Ok(out)
}

/// The index of a folder, where it has one.
fn index_of(folder: &Path) -> Result<Option<PathBuf>, Diagnostic> {
    let found: Vec<PathBuf> = names_in(folder)?.into_iter().filter(|p| is_index(p)).collect();
    match found.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one.clone())),
        [one, other, ..] => {
            let (one, other) = (one.display(), other.display());
            Err(Diagnostic::plain(Code::H0608, format!("`{}` has two indices of tensors", folder.display()))
                .note(format!("`{one}` and `{other}`"))
                .help("name the one that is meant"))
        }
    }
}

fn safetensors_in(folder: &Path) -> Result<Vec<PathBuf>, Diagnostic> {
    let all = names_in(folder)?;
    let ends = |p: &PathBuf, end: &str| p.extension().is_some_and(|e| e == end);
    let files: Vec<PathBuf> = all.iter().filter(|p| ends(p, "safetensors")).cloned().collect();
    if !files.is_empty() {
        return Ok(files);
    }
    // What other libraries keep says how it is converted.
    if let Some(other) = all.iter().find(|p| ends(p, "bin") || ends(p, "pt") || ends(p, "pth")) {
        return Err(Archive::open(other).err().unwrap_or_else(|| nothing(folder)));
    }
    Err(nothing(folder))
}

fn nothing(folder: &Path) -> Diagnostic {
    Diagnostic::plain(Code::H0001, format!("the folder `{}` has no .safetensors file", folder.display()))
}

/// Which file has which tensor.
fn read_index(path: &Path) -> Result<BTreeMap<String, String>, Diagnostic> {
    let name = path.display().to_string();
    let text = disk::text(path, LONGEST).map_err(|e| disk::cannot_read(&name, &e))?;
    let wrong = |why: String| Diagnostic::plain(Code::H0608, format!("`{name}` is no index of tensors")).note(why);
    let value: serde_json::Value = serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?;
    let map = value.get("weight_map").and_then(|m| m.as_object()).ok_or_else(|| wrong("it has no `weight_map`".into()))?;
    let mut out = BTreeMap::new();
    for (tensor, file) in map {
        let file = file.as_str().unwrap_or("");
        let plain = Path::new(file).components().count() == 1 && Path::new(file).file_name().is_some_and(|f| f == file);
        if !plain {
            return Err(wrong(format!("`{tensor}` is said to be in `{file}`, which is no file of its folder")));
        }
        out.insert(tensor.clone(), file.to_string());
    }
    Ok(out)
}

fn listed_are_there(index: &Path, map: &BTreeMap<String, String>, files: &[Archive]) -> Result<(), Diagnostic> {
    let order: Vec<&String> = map.values().collect::<BTreeSet<_>>().into_iter().collect();
    for (tensor, file) in map {
        let at = order.iter().position(|f| *f == file);
        let has = at.and_then(|k| files.get(k)).is_some_and(|a| a.get(tensor).is_some() || a.kind_unread(tensor).is_some());
        if !has {
            let d = Diagnostic::plain(
                Code::H0608,
                format!("`{}` says that `{tensor}` is in `{file}`, and it is not", index.display()),
            );
            return Err(d.help("the checkpoint was not stored whole, or its files are of two checkpoints: fetch it again"));
        }
    }
    Ok(())
}
