//! Writing a file all at once.
//!
//! In: a path and bytes. Out: the file has them, or is as it was before. Promised: no reader sees half a file, and a
//! full disk or a kill leaves the old one (a temporary file in the same folder, fsync, rename).

use crate::diag::Diagnostic;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Replaces `path` by a file with these bytes.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Diagnostic> {
    write_with(path, |file| file.write_all(bytes))
}

/// Replaces `path` by what `fill` writes.
pub fn write_with(path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Diagnostic> {
    try_write(path, fill).map_err(|e| {
        let kept = if path.exists() { "the file that was there is untouched" } else { "nothing was left behind" };
        let why = match e.kind() {
            io::ErrorKind::StorageFull => "the disk is full".to_string(),
            io::ErrorKind::NotFound => "its folder does not exist".to_string(),
            _ => e.to_string(),
        };
        Diagnostic::plain("H0003", format!("cannot write `{}`: {why}", path.display())).note(kept)
    })
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
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut temp = tempfile::Builder::new().prefix(".hnet-").suffix(".part").tempfile_in(folder)?;
    {
        let mut buffered = io::BufWriter::new(temp.as_file_mut());
        fill(&mut buffered)?;
        buffered.flush()?;
    }
    match std::fs::metadata(path) {
        Ok(old) => temp.as_file().set_permissions(old.permissions())?,
        Err(_) => ordinary(temp.as_file())?,
    }
    temp.as_file().sync_all()?;
    temp.persist(path).map_err(|e| e.error)?;
    // The rename itself lasts once the folder is on disk; not every system can sync one.
    let _ = File::open(folder).and_then(|f| f.sync_all());
    Ok(())
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
}
