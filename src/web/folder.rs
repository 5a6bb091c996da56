//! Writing a bundle to its folder.
//!
//! In: files, a folder. Out: the folder has them, and what else was there. Promised: whoever looks sees all of the old folder or all of the new
//! one, also where this is killed midway: the new one is made beside the old, and the two are exchanged. A list in the folder
//! ([`LIST`]) says what was written; nothing else is removed or replaced.

use super::Bundle;
use crate::diag::{Code, Diagnostic};
use crate::files::atomic::{PartFolder, cannot, parent};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// The list of what was written: a line for each file, the mark of its bytes and its path.
const LIST: &str = "hnet-files.txt";

/// Writes a bundle. Errors: the folder cannot be written, or has files of somebody else under the names of the bundle.
pub fn write(bundle: &Bundle, folder: &Path) -> Result<(), Diagnostic> {
    let fail = |e: io::Error| cannot(folder, &e);
    if let Some(above) = folder.parent() {
        std::fs::create_dir_all(above).map_err(fail)?;
    }
    let place = if folder.exists() { std::fs::canonicalize(folder).map_err(fail)? } else { folder.to_path_buf() };
    if std::env::current_dir().is_ok_and(|here| here.starts_with(&place)) {
        return Err(Diagnostic::plain(
            Code::H0003,
            format!("cannot replace `{}`: it is the folder that you are in", folder.display()),
        )
        .help("name a folder in it: `-o site`"));
    }
    let others = others(&place).map_err(fail)?;
    let wanted = |path: &Path| bundle.files.iter().any(|f| Path::new(&f.path) == path) || path == Path::new(LIST);
    if let Some(taken) = others.iter().find(|path| wanted(path)) {
        return Err(Diagnostic::plain(
            Code::H0003,
            format!("cannot write `{}`: it is not from a build", place.join(taken).display()),
        )
        .note("a build replaces what builds wrote, as long as nobody has changed it since")
        .help("move it away, or choose another folder"));
    }
    let new = PartFolder::new(parent(&place)).map_err(fail)?;
    fill(bundle, new.path()).map_err(fail)?;
    others.iter().try_for_each(|path| keep(&place, new.path(), path)).map_err(fail)?;
    readable(new.path(), &place).map_err(fail)?;
    new.exchange(&place).map_err(fail)
}

fn fill(bundle: &Bundle, folder: &Path) -> io::Result<()> {
    let mut list = String::new();
    for f in &bundle.files {
        let path = folder.join(&f.path);
        std::fs::create_dir_all(parent(&path))?;
        std::fs::write(&path, &f.bytes)?;
        list += &format!("{:016x} {}\n", mark(&f.bytes), f.path);
    }
    std::fs::write(folder.join(LIST), list)
}

/// Files, links and empty folders that no build wrote, or that were changed since; paths below the folder.
fn others(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let list = crate::disk::text(&folder.join(LIST), 1 << 24).unwrap_or_default();
    let ours: BTreeMap<&Path, &str> = list.lines().filter_map(|l| l.split_once(' ')).map(|(m, p)| (Path::new(p), m)).collect();
    let mut out = Vec::new();
    let mut open = vec![PathBuf::new()];
    while let Some(below) = open.pop() {
        let entries = match std::fs::read_dir(folder.join(&below)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        let mut empty = true;
        for entry in entries {
            let entry = entry?;
            let path = below.join(entry.file_name());
            empty = false;
            if entry.file_type()?.is_dir() {
                open.push(path);
            } else if (ours.is_empty() || path != Path::new(LIST)) && !is_ours(folder, &path, &ours) {
                out.push(path);
            }
        }
        if empty && !below.as_os_str().is_empty() {
            out.push(below);
        }
    }
    out.sort();
    Ok(out)
}

fn is_ours(folder: &Path, path: &Path, ours: &BTreeMap<&Path, &str>) -> bool {
    let Some(mark_then) = ours.get(path) else { return false };
    let whole = folder.join(path);
    let plain = whole.symlink_metadata().is_ok_and(|m| m.is_file());
    plain && std::fs::read(whole).is_ok_and(|bytes| format!("{:016x}", mark(&bytes)) == **mark_then)
}

/// Takes over what is not ours: the same file under the same name.
fn keep(from: &Path, to: &Path, path: &Path) -> io::Result<()> {
    let (from, to) = (from.join(path), to.join(path));
    std::fs::create_dir_all(parent(&to))?;
    let about = from.symlink_metadata()?;
    if about.is_dir() {
        return std::fs::create_dir_all(to);
    }
    #[cfg(unix)]
    if about.is_symlink() {
        return std::os::unix::fs::symlink(std::fs::read_link(from)?, to);
    }
    if std::fs::hard_link(&from, &to).is_err() {
        std::fs::copy(&from, &to)?;
    }
    Ok(())
}

/// Temporary folders are private; this one is as readable as the one in its place, or as any other.
#[cfg(unix)]
fn readable(folder: &Path, place: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let old = std::fs::metadata(place).map(|m| m.permissions());
    std::fs::set_permissions(folder, old.unwrap_or_else(|_| std::fs::Permissions::from_mode(0o755)))
}

#[cfg(not(unix))]
fn readable(_: &Path, _: &Path) -> io::Result<()> {
    Ok(())
}

/// FNV-1a, 64 bits (Fowler, Noll and Vo).
fn mark(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::super::File;
    use super::*;

    fn bundle(files: &[(&str, &str)]) -> Bundle {
        let file = |(path, text): &(&str, &str)| File { path: path.to_string(), bytes: text.as_bytes().to_vec() };
        Bundle { files: files.iter().map(file).collect(), notes: vec![] }
    }

    #[test]
    fn a_build_replaces_what_builds_wrote_and_nothing_else() {
        let here = tempfile::tempdir().unwrap();
        let site = here.path().join("site");
        let text = |path: &str| std::fs::read_to_string(site.join(path)).ok();
        write(&bundle(&[("index.html", "one"), ("wgsl/a.wgsl", "a")]), &site).unwrap();
        std::fs::write(site.join("wgsl/own.wgsl"), "mine").unwrap();
        std::fs::create_dir_all(site.join("empty")).unwrap();
        write(&bundle(&[("index.html", "two"), ("wgsl/b.wgsl", "b")]), &site).unwrap();
        assert_eq!(
            (text("index.html").as_deref(), text("wgsl/a.wgsl"), text("wgsl/b.wgsl").as_deref()),
            (Some("two"), None, Some("b"))
        );
        assert_eq!(text("wgsl/own.wgsl").as_deref(), Some("mine"));
        assert!(site.join("empty").is_dir());
        // Changed since: it is not ours any more.
        std::fs::write(site.join("index.html"), "changed").unwrap();
        let said = write(&bundle(&[("index.html", "three")]), &site).unwrap_err();
        assert!(said.message.contains("index.html") && said.message.contains("not from a build"), "{}", said.message);
        assert_eq!(text("index.html").as_deref(), Some("changed"));
        assert_eq!(std::fs::read_dir(here.path()).unwrap().count(), 1);
        let own = here.path().join("own");
        std::fs::create_dir(&own).unwrap();
        std::fs::write(own.join("weights.safetensors"), "mine").unwrap();
        assert!(write(&bundle(&[("weights.safetensors", "new")]), &own).is_err());
        assert_eq!(std::fs::read_to_string(own.join("weights.safetensors")).unwrap(), "mine");
    }
}
