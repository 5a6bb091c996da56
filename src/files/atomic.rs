//! Writing a file all at once.
//!
//! In: a path and bytes. Out: the file has them, or is as it was before. Promised: no reader sees half a file, and a
//! full disk or a kill leaves the old one (a temporary file in the same folder, fsync, rename). Temporary files are called
//! `.hnet-PROCESS-*.part`: those of a process that is interrupted go ([`abandon`]), those of one that was killed go when the next file is
//! written beside them.

use crate::diag::{Code, Diagnostic};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

/// Replaces `path` by a file with these bytes.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Diagnostic> {
    write_with(path, |file| file.write_all(bytes))
}

/// Replaces `path` by what `fill` writes.
pub fn write_with(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Diagnostic> {
    try_write(path, fill).map_err(|e| {
        let kept = if path.exists() { "the file that was there is untouched" } else { "nothing was left behind" };
        cannot(path, &e).note(kept)
    })
}

/// A file or folder that cannot be written, and why in words.
pub fn cannot(path: &Path, e: &io::Error) -> Diagnostic {
    let why = match e.kind() {
        io::ErrorKind::StorageFull => "the disk is full".to_string(),
        io::ErrorKind::NotFound => "its folder does not exist".to_string(),
        _ => e.to_string(),
    };
    Diagnostic::plain(Code::H0003, format!("cannot write `{}`: {why}", path.display()))
}

fn try_write(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    if path.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
    }
    // A device such as /dev/null or /dev/stdout is written to, not replaced.
    if path.exists() && !path.is_file() {
        let mut file = File::options().write(true).open(path)?;
        fill(&mut file)?;
        return file.flush();
    }
    let path = &std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let folder = parent(path);
    sweep_once(folder);
    let mut temp = Part::file(folder)?;
    {
        let mut buffered = io::BufWriter::new(temp.file.as_file_mut());
        fill(&mut buffered)?;
        buffered.flush()?;
    }
    match std::fs::metadata(path) {
        Ok(old) => temp.file.as_file().set_permissions(old.permissions())?,
        Err(_) => ordinary(temp.file.as_file())?,
    }
    temp.file.as_file().sync_all()?;
    temp.persist(path)?;
    // The rename itself lasts once the folder is on disk; not every system can sync one.
    let _ = File::open(folder).and_then(|f| f.sync_all());
    Ok(())
}

/// The folder that a path is in.
pub fn parent(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Temporary files and folders of this process.
static PARTS: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn parts() -> MutexGuard<'static, Vec<PathBuf>> {
    PARTS.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// How the name of a temporary file begins: it says whose it is.
fn prefix() -> String {
    format!(".hnet-{}-", std::process::id())
}

const SUFFIX: &str = ".part";

/// A temporary file that is noted while it is there.
struct Part {
    file: tempfile::NamedTempFile,
}

impl Part {
    fn file(folder: &Path) -> io::Result<Part> {
        // Noted before anybody can interrupt: the list is held meanwhile.
        let mut list = parts();
        let file = tempfile::Builder::new().prefix(&prefix()).suffix(SUFFIX).tempfile_in(folder)?;
        list.push(file.path().to_path_buf());
        Ok(Part { file })
    }

    fn persist(self, path: &Path) -> io::Result<()> {
        let (mut list, own) = (parts(), self.file.path().to_path_buf());
        list.retain(|p| *p != own);
        self.file.persist(path).map(drop).map_err(|e| e.error)
    }
}

/// A temporary folder beside others, noted until it is given another name.
pub struct PartFolder(Option<PathBuf>);

impl PartFolder {
    pub fn new(beside: &Path) -> io::Result<PartFolder> {
        sweep(beside);
        let mut list = parts();
        let folder = tempfile::Builder::new().prefix(&prefix()).suffix(SUFFIX).tempdir_in(beside)?.keep();
        list.push(folder.clone());
        Ok(PartFolder(Some(folder)))
    }

    pub fn path(&self) -> &Path {
        self.0.as_deref().unwrap_or(Path::new(""))
    }

    /// Puts it in the place of a folder, which is then what this one was, or of nothing.
    pub fn exchange(mut self, place: &Path) -> io::Result<()> {
        let mut list = parts();
        let Some(own) = self.0.take() else { return Ok(()) };
        let done = match place.exists() {
            true => swap(&own, place),
            false => std::fs::rename(&own, place),
        };
        if done.is_err() || own.exists() {
            let _ = std::fs::remove_dir_all(&own);
        }
        list.retain(|p| *p != own);
        done
    }
}

impl Drop for PartFolder {
    fn drop(&mut self) {
        let Some(own) = self.0.take() else { return };
        let mut list = parts();
        let _ = std::fs::remove_dir_all(&own);
        list.retain(|p| *p != own);
    }
}

/// Exchanges two folders in one step.
#[cfg(target_os = "linux")]
fn swap(a: &Path, b: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE) {
        // Some file systems cannot.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::OPNOTSUPP) => swap_in_turn(a, b),
        done => Ok(done?),
    }
}

#[cfg(not(target_os = "linux"))]
fn swap(a: &Path, b: &Path) -> io::Result<()> {
    swap_in_turn(a, b)
}

fn swap_in_turn(a: &Path, b: &Path) -> io::Result<()> {
    let old = a.with_extension("old.part");
    std::fs::rename(b, &old)?;
    if let Err(e) = std::fs::rename(a, b) {
        std::fs::rename(&old, b)?;
        return Err(e);
    }
    std::fs::rename(&old, a)
}

/// Removes what is half written. Nothing else is begun: the list stays held.
pub fn abandon() {
    let Ok(list) = PARTS.try_lock().map(std::mem::ManuallyDrop::new) else { return };
    for path in list.iter() {
        let _ = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    }
}

/// As [`abandon`], after what is being done with the list: for a thread that nobody waits for.
pub fn abandon_soon() {
    drop(parts());
    abandon();
}

/// As [`sweep`], for a folder that is written to again and again.
fn sweep_once(folder: &Path) {
    static SWEPT: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    if SWEPT.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(folder.to_path_buf()) {
        sweep(folder);
    }
}

/// Removes what processes that were killed left in a folder.
fn sweep(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str().and_then(|n| n.strip_prefix(".hnet-")?.strip_suffix(SUFFIX)) else { continue };
        let Some(process) = name.split_once('-').and_then(|(p, _)| p.parse::<u32>().ok()) else { continue };
        if is_gone(process) {
            let path = entry.path();
            let _ = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        }
    }
}

/// Whether no such process runs, as far as one can tell.
fn is_gone(process: u32) -> bool {
    let all = Path::new("/proc");
    all.join("self").exists() && !all.join(process.to_string()).exists()
}

/// Temporary files are private; a new file should be as readable as any other.
#[cfg(unix)]
fn ordinary(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn ordinary(_: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_keeps_the_old_file_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.bin");
        write(&path, b"old").unwrap();
        let full = |out: &mut dyn Write| {
            out.write_all(&[0; 100_000])?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        };
        let said = write_with(&path, full).unwrap_err();
        assert!(said.message.contains("the disk is full"), "{}", said.message);
        assert!(said.notes[0].contains("untouched"));
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        write(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn a_missing_folder_is_said() {
        let said = write(Path::new("/no/such/folder/x"), b"").unwrap_err();
        assert!(said.message.contains("its folder does not exist"), "{}", said.message);
    }

    #[test]
    fn what_a_killed_process_left_goes_and_what_a_living_one_writes_stays() {
        let folder = tempfile::tempdir().unwrap();
        let name = |process: u32| folder.path().join(format!(".hnet-{process}-x.part"));
        // No process has this number: Linux gives none beyond 4194304.
        std::fs::write(name(4_000_000_000), "").unwrap();
        std::fs::write(name(std::process::id()), "").unwrap();
        write(&folder.path().join("a"), b"").unwrap();
        assert!(name(std::process::id()).exists());
        assert_eq!(name(4_000_000_000).exists(), !Path::new("/proc/self").exists());
    }

    #[test]
    fn folders_are_exchanged() {
        let here = tempfile::tempdir().unwrap();
        let place = here.path().join("site");
        for text in ["one", "two"] {
            let part = PartFolder::new(here.path()).unwrap();
            std::fs::write(part.path().join("f"), text).unwrap();
            part.exchange(&place).unwrap();
            assert_eq!(std::fs::read_to_string(place.join("f")).unwrap(), text);
            assert_eq!(std::fs::read_dir(here.path()).unwrap().count(), 1);
        }
        drop(PartFolder::new(here.path()).unwrap());
        assert_eq!(std::fs::read_dir(here.path()).unwrap().count(), 1);
    }
}
