//! Files as memory: the only place of this folder that needs `unsafe`.
#![allow(unsafe_code)]

use memmap2::Mmap;
use std::fs::File;
use std::io;
use std::path::Path;

/// The bytes of a file, mapped where there are any.
#[derive(Debug)]
pub struct Mapped(Option<Mmap>);

impl Mapped {
    /// Maps a file for reading.
    pub fn open(path: &Path) -> io::Result<Mapped> {
        let file = File::open(path)?;
        let about = file.metadata()?;
        if about.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
        }
        if about.len() == 0 {
            return Ok(Mapped(None));
        }
        // SAFETY: the map is private and read-only, and bytes that another process changes are only ever taken for numbers:
        // the header is copied out and validated before its offsets are used. What remains is a file that is cut
        // short while it is read (a bus error); hnet's own writes replace files by renaming and never cut them.
        let map = unsafe { Mmap::map(&file)? };
        Ok(Mapped(Some(map)))
    }

    pub fn bytes(&self) -> &[u8] {
        self.0.as_deref().unwrap_or(&[])
    }
}
