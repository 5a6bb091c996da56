//! Opening files for reading: ordinary ones only.
//!
//! In: a path. Out: an open file and how long it is. Promised: a folder, a device or a pipe is refused before anything is read, so that nothing
//! waits for ever for a writer and nothing that has no end is read; a text has no more bytes than its reader allows.

use crate::diag::{Code, Diagnostic, suggest};
use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Opens an ordinary file; its length as it is now.
pub fn open(path: &Path) -> io::Result<(File, u64)> {
    ordinary(&std::fs::metadata(path)?)?;
    let file = waiting_for_nobody().read(true).open(path)?;
    // What was opened, should another file stand there by now.
    let about = file.metadata()?;
    ordinary(&about)?;
    Ok((file, about.len()))
}

#[cfg(target_os = "linux")]
fn waiting_for_nobody() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32);
    options
}

#[cfg(not(target_os = "linux"))]
fn waiting_for_nobody() -> OpenOptions {
    OpenOptions::new()
}

fn ordinary(about: &std::fs::Metadata) -> io::Result<()> {
    if about.is_file() {
        return Ok(());
    }
    if about.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
    }
    Err(io::Error::other("it is a device or a pipe, and only files are read"))
}

/// The text of a file of at most `most` bytes.
pub fn text(path: &Path, most: u64) -> io::Result<String> {
    let (file, length) = open(path)?;
    if length > most {
        return Err(too_long(length, most));
    }
    limited(file, most)
}

/// The text that a reader gives, of at most `most` bytes.
pub fn limited(from: impl Read, most: u64) -> io::Result<String> {
    let mut bytes = Vec::new();
    // Files of the system say that they are empty and are not.
    from.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!("it has more bytes than a text may have ({most})")));
    }
    String::from_utf8(bytes).map_err(|e| io::Error::other(format!("not UTF-8 text (byte {})", e.utf8_error().valid_up_to())))
}

fn too_long(length: u64, most: u64) -> io::Error {
    io::Error::other(format!("{length} bytes is more than a text may have ({most})"))
}

/// A file that cannot be read, and why in words.
pub fn cannot_read(name: &str, e: &io::Error) -> Diagnostic {
    let why = match e.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_string(),
        io::ErrorKind::IsADirectory => "it is a folder".to_string(),
        io::ErrorKind::PermissionDenied => "you may not read it".to_string(),
        io::ErrorKind::InvalidData => "it is not UTF-8 text".to_string(),
        _ => e.to_string(),
    };
    let d = Diagnostic::plain(Code::H0001, format!("cannot read `{name}`: {why}"));
    if e.kind() != io::ErrorKind::NotFound {
        return d;
    }
    let path = Path::new(name);
    let pickle = path.extension().is_some_and(|e| ["pt", "pth", "ckpt", "bin", "pkl"].iter().any(|p| e.eq_ignore_ascii_case(p)));
    match near(path) {
        Some(other) => d.help(format!("there is `{}`", other.display())),
        None if pickle => d.help("weights are safetensors or .npz: `safetensors.torch.save_file(model.state_dict(), \"model.safetensors\")` writes such"),
        None => d,
    }
}

/// Names of a folder that are looked at for a near one.
const LOOKED_AT: usize = 1000;

/// A file of the same folder whose name is near, or the same but for its end.
fn near(path: &Path) -> Option<PathBuf> {
    let folder = path.parent()?;
    let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let wanted = path.file_name()?.to_str()?;
    let files = std::fs::read_dir(here).ok()?.take(LOOKED_AT).filter_map(|f| f.ok()?.file_name().into_string().ok());
    let mut names: Vec<String> = files.filter(|n| n != wanted).collect();
    names.sort();
    let stem = |n: &str| Path::new(n).file_stem().map(|s| s.to_owned());
    let weights = |n: &&String| n.ends_with(".safetensors") || n.ends_with(".npz");
    let same = names.iter().filter(weights).find(|n| path.extension().is_some() && stem(n) == stem(wanted));
    let found = same.map(String::as_str).or_else(|| suggest(wanted, names.iter().map(String::as_str)))?;
    Some(folder.join(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ordinary_files_of_some_length_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "four").unwrap();
        assert_eq!(text(&path, 4).unwrap(), "four");
        assert!(text(&path, 3).unwrap_err().to_string().contains("4 bytes is more"));
        assert!(open(folder.path()).unwrap_err().to_string().contains("folder"));
        if cfg!(target_os = "linux") {
            assert!(open(Path::new("/dev/zero")).unwrap_err().to_string().contains("device"));
            assert!(text(Path::new("/dev/stdin"), 9).is_err());
            assert!(text(Path::new("/proc/self/status"), 1 << 20).unwrap().contains("Pid"));
        }
    }
}
