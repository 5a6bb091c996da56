//! Named tensors in a file: safetensors, `.npz`, or `.npy` for a single one.
//!
//! In: a path. Out: [`Archive`], an open file whose header was checked: every entry lies within the file, none
//! overlaps another, every length fits its shape. Nothing is read but the header until an entry is asked for, and
//! arrays of NumPy that are column-major or big-endian.
//! Promised: a damaged file is a diagnostic (H0608), never a panic and never a huge allocation, also where it is cut short while it
//! is read: elements are read, not mapped.

use super::stored::{Kind, Place, Stored};
use super::{atomic, header, memory, npy, npz};
use crate::diag::{Code, Diagnostic};
use crate::disk;
use crate::ir::{Data, Tensor};
use safetensors::tensor::{Dtype, SafeTensorError, TensorView};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

#[derive(Debug)]
struct Entry {
    kind: Kind,
    shape: Vec<usize>,
    at: At,
}

/// Where elements begin.
#[derive(Debug)]
enum At {
    File(u64),
    /// In what was unpacked of it, or put straight.
    Memory(Vec<u8>, usize),
}

/// An open file of tensors.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    /// As the user wrote it.
    name: String,
    file: Mutex<File>,
    entries: BTreeMap<String, Entry>,
    /// Entries of a type that no model wants: name, type.
    unread: Vec<(String, String)>,
    about: BTreeMap<String, String>,
    single: bool,
}

/// Bytes that tell what kind of file it is.
const FIRST: usize = 64;

impl Archive {
    /// Opens a file and checks its header. A `.npy` file has one entry, called like the file.
    pub fn open(path: &Path) -> Result<Archive, Diagnostic> {
        let name = path.display().to_string();
        let broken = |e: io::Error| disk::cannot_read(&name, &e);
        let (mut file, length) = disk::open(path).map_err(broken)?;
        let mut first = Vec::new();
        (&mut file).take(FIRST as u64).read_to_end(&mut first).map_err(broken)?;
        if let Some(other) = foreign(&first, path) {
            return Err(other);
        }
        let single = first.starts_with(npy::MAGIC) || path.extension().is_some_and(|e| e == "npy");
        let (entries, unread, about) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        let mut archive = Archive { path: path.to_path_buf(), name, file: Mutex::new(file), entries, unread, about, single };
        if single {
            archive.index_npy(&first, length)?;
        } else if is_npz(&first, path) {
            archive.index_npz(length)?;
        } else {
            archive.index(&first, length)?;
        }
        Ok(archive)
    }

    /// Bytes of the file.
    fn read(&self, at: u64, length: usize) -> Result<Vec<u8>, Diagnostic> {
        Place::File { file: &self.file, start: at }.read(&self.name, 0, length)
    }

    fn index_npy(&mut self, first: &[u8], length: u64) -> Result<(), Diagnostic> {
        let wrong = |why: String| damaged(&self.name, ".npy", &why);
        let head = npy::head(first).map_err(wrong)?;
        let text = self.read(0, head.min(length as usize))?;
        let header = npy::read(&text, length).map_err(|fault| match fault {
            npy::Fault::Damaged(why) => damaged(&self.name, ".npy", &why),
            npy::Fault::Unread(kind) => {
                let message = format!("the elements of `{}` are {kind}, which is not read", self.name);
                Diagnostic::plain(Code::H0616, message).help("save it as numbers: `x.astype('f4')`, or `x.astype('i4')`")
            }
        })?;
        let at = match header.is_straight() {
            true => At::File(header.start as u64),
            false => {
                // Twice: as it is, and as it is wanted.
                memory::enough(&self.name, 2.0 * header.bytes() as f64)?;
                At::Memory(header.straight(self.read(header.start as u64, header.bytes())?), 0)
            }
        };
        let stem = self.path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        self.entries.insert(stem, Entry { kind: header.kind, shape: header.shape, at });
        Ok(())
    }

    fn index_npz(&mut self, length: u64) -> Result<(), Diagnostic> {
        let found = npz::members(length, &|at, n| self.read(at, n)).map_err(|wrong| match wrong {
            npz::Wrong::Archive(why) => damaged(&self.name, ".npz", &why),
            npz::Wrong::Machine(d) => d,
        })?;
        for m in found {
            match m.array {
                Ok((header, bytes)) => {
                    let at = match bytes {
                        npz::Bytes::Stored(start) => At::File(start),
                        npz::Bytes::Unpacked(bytes, start) => At::Memory(bytes, start),
                    };
                    self.entries.insert(m.name, Entry { kind: header.kind, shape: header.shape, at });
                }
                Err(kind) => self.unread.push((m.name, kind)),
            }
        }
        self.unread.sort();
        Ok(())
    }

    fn index(&mut self, first: &[u8], length: u64) -> Result<(), Diagnostic> {
        let wrong = |why: String| damaged(&self.name, "safetensors", &why);
        let Some(size) = first.first_chunk::<8>().map(|b| u64::from_le_bytes(*b)) else {
            return Err(wrong(format!("it has {length} bytes; the header alone has at least 8")));
        };
        if size > header::LONGEST {
            return Err(wrong("its first 8 bytes, the length of the header, are not one of a safetensors file".into()));
        }
        let Some(data) = length.checked_sub(8 + size) else {
            return Err(wrong("it ends within its header".into()));
        };
        let text = self.read(8, size as usize)?;
        let (entries, about) = header::read(&text, data).map_err(wrong)?;
        self.about = about;
        for e in entries {
            let place = e.place();
            match e.kind() {
                Some(kind) => {
                    let at = At::File(8 + size + place.start);
                    self.entries.insert(e.name, Entry { kind, shape: e.shape, at });
                }
                None => self.unread.push((e.name, e.dtype)),
            }
        }
        self.unread.sort();
        Ok(())
    }

    /// The path as the user wrote it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is a `.npy`, whose only entry has no name of its own.
    pub fn is_single(&self) -> bool {
        self.single
    }

    /// Names of all entries, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Entries whose type no model wants (name, type), in order.
    pub fn unread(&self) -> &[(String, String)] {
        &self.unread
    }

    /// Texts that its header has beside the tensors, by name.
    pub fn about(&self) -> &BTreeMap<String, String> {
        &self.about
    }

    /// Whether its names are those of a model's parameters, by what it says of itself.
    pub fn is_own(&self) -> bool {
        self.about.get(OWN.0).is_some_and(|names| names == OWN.1)
    }

    /// The type of an entry that no model wants.
    pub fn kind_unread(&self, name: &str) -> Option<&str> {
        self.unread.iter().find(|(n, _)| n == name).map(|(_, kind)| kind.as_str())
    }

    /// The entry of this name.
    pub fn get(&self, name: &str) -> Option<Stored<'_>> {
        let (name, e) = self.entries.get_key_value(name)?;
        let place = match &e.at {
            At::File(start) => Place::File { file: &self.file, start: *start },
            At::Memory(bytes, start) => Place::Memory(&bytes[*start..]),
        };
        Some(Stored { name, file: &self.name, kind: e.kind, shape: &e.shape, place })
    }
}

/// Writes tensors as safetensors, or as `.npz` where the path ends so, all or nothing; f64 as f32. The bytes depend on names and values only.
pub fn save(path: &Path, tensors: &[(String, Tensor)]) -> Result<(), Diagnostic> {
    save_about(path, tensors, None)
}

fn save_about(path: &Path, tensors: &[(String, Tensor)], about: Option<HashMap<String, String>>) -> Result<(), Diagnostic> {
    let whole = match path.extension().is_some_and(|e| e == "npz") {
        true => npz::write(tensors),
        false => bytes_with(tensors, about).map_err(|e| e.to_string()),
    };
    let whole = whole.map_err(|e| Diagnostic::plain(Code::H0003, format!("cannot write `{}`: {e}", path.display())))?;
    atomic::write(path, &whole)
}

/// As [`save`], of a model's parameters under its own names: the header says so.
pub fn save_params(path: &Path, tensors: &[(String, Tensor)]) -> Result<(), Diagnostic> {
    let about = [(OWN.0.to_string(), OWN.1.to_string())].into();
    save_about(path, tensors, Some(about))
}

/// What the header of a file says whose names are a model's own.
const OWN: (&str, &str) = ("names", "hnet");

/// The bytes of such a file.
pub fn bytes(tensors: &[(String, Tensor)]) -> Result<Vec<u8>, SafeTensorError> {
    bytes_with(tensors, None)
}

fn bytes_with(tensors: &[(String, Tensor)], about: Option<HashMap<String, String>>) -> Result<Vec<u8>, SafeTensorError> {
    let bytes: Vec<Vec<u8>> = tensors.iter().map(|(_, t)| npy::bytes(t)).collect();
    let views: Result<Vec<_>, SafeTensorError> = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, t), b)| Ok((name.as_str(), TensorView::new(dtype(t), t.shape.clone(), b)?)))
        .collect();
    views.and_then(|v| safetensors::serialize(v, about))
}

/// Writes one tensor as `.npy`, all or nothing.
pub fn save_npy(path: &Path, tensor: &Tensor) -> Result<(), Diagnostic> {
    atomic::write(path, &npy::write(tensor))
}

fn dtype(tensor: &Tensor) -> Dtype {
    match tensor.data {
        Data::F32(_) | Data::F64(_) => Dtype::F32,
        Data::I32(_) => Dtype::I32,
        Data::Bool(_) => Dtype::BOOL,
    }
}

fn damaged(name: &str, format: &str, why: &str) -> Diagnostic {
    Diagnostic::plain(Code::H0608, format!("`{name}` is not a whole {format} file")).note(why)
}

/// Whether a file is an archive of NumPy's.
fn is_npz(first: &[u8], path: &Path) -> bool {
    let ends = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("npz"));
    let zip = first.starts_with(b"PK\x03\x04") || first.starts_with(b"PK\x05\x06");
    zip && (ends || first.windows(4).any(|w| w == b".npy"))
}

/// A file of another kind, which one, and how to make of it one that is read.
fn foreign(first: &[u8], path: &Path) -> Option<Diagnostic> {
    // After its length, which may look like anything, the header begins so.
    if first.get(8) == Some(&b'{') {
        return None;
    }
    let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let name = path.display();
    let torch = format!("safetensors.torch.save_file(torch.load('{name}', weights_only=True), '{stem}.safetensors')");
    let (what, how) = match first {
        _ if is_npz(first, path) => return None,
        [b'P', b'K', 3, 4, ..] => ("a zip archive, as PyTorch saves", torch),
        [0x80, 2..=5, ..] => ("a pickle, as Python saves", torch),
        [0x89, b'H', b'D', b'F', ..] => {
            ("an HDF5 file", "h5py reads it, and safetensors.numpy.save_file writes what it gives".into())
        }
        [b'G', b'G', b'U', b'F', ..] => {
            ("a GGUF file", "convert its tensors to safetensors with f16, bf16 or f32 elements".into())
        }
        _ if path.extension().is_some_and(|e| ["csv", "tsv"].iter().any(|t| e.eq_ignore_ascii_case(t))) => {
            ("a text", format!("numpy.savez('{stem}.npz', x=x, label=label) writes an array for each column"))
        }
        _ => return None,
    };
    let d =
        Diagnostic::plain(Code::H0608, format!("`{name}` is {what}, and tensors are read from safetensors, .npz and .npy files"));
    Some(d.help(format!("in Python: {how}").replace("in Python: convert", "convert")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(folder: &Path) -> PathBuf {
        let path = folder.join("a.safetensors");
        let tensors = [
            ("w".to_string(), Tensor::new(vec![2, 3], Data::F32((0..6).map(|i| i as f32).collect()))),
            ("label".to_string(), Tensor::new(vec![2], Data::I32(vec![4, 5]))),
            ("ok".to_string(), Tensor::new(vec![], Data::Bool(vec![1]))),
        ];
        save(&path, &tensors).unwrap();
        path
    }

    #[test]
    fn what_is_saved_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let archive = Archive::open(&sample(folder.path())).unwrap();
        assert_eq!(archive.names().collect::<Vec<_>>(), ["label", "ok", "w"]);
        assert_eq!(archive.get("w").unwrap().describe(), "f32[2, 3]");
        assert_eq!(archive.get("label").unwrap().load(crate::ir::DType::I32).unwrap().data, Data::I32(vec![4, 5]));
        assert!(archive.get("v").is_none());
    }

    #[test]
    fn no_truncation_and_no_mutation_of_the_header_panics() {
        let folder = tempfile::tempdir().unwrap();
        let whole = std::fs::read(sample(folder.path())).unwrap();
        let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
        let path = folder.path().join("b.safetensors");
        let try_one = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let archive = Archive::open(&path)?;
            for name in archive.names() {
                for want in [crate::ir::DType::F32, crate::ir::DType::I32, crate::ir::DType::Bool] {
                    let _ = archive.get(name).unwrap().load(want);
                }
            }
            Ok::<(), Diagnostic>(())
        };
        for end in 0..whole.len() {
            assert_eq!(try_one(&whole[..end]).unwrap_err().code, Code::H0608, "cut at {end}");
        }
        for at in 0..header {
            for new in [0, 1, 0x7f, 0xff, b'0', b'9', b'"', b'-', b']', whole[at] ^ 2] {
                let mut wrong = whole.clone();
                wrong[at] = new;
                let _ = try_one(&wrong);
            }
        }
    }

    #[test]
    fn lying_headers_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.safetensors");
        let said = |header: &str, data: usize| {
            let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
            bytes.extend(header.bytes());
            bytes.extend(vec![0; data]);
            std::fs::write(&path, bytes).unwrap();
            Archive::open(&path).unwrap_err().code
        };
        let one = |shape: &str, from: u64, to: u64| {
            format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":[{from},{to}]}}}}"#)
        };
        assert_eq!(said(&one("[4]", 0, 8), 8), Code::H0608);
        assert_eq!(said(&one("[2]", 8, 0), 8), Code::H0608);
        assert_eq!(said(&one("[2]", 0, u64::MAX), 8), Code::H0608);
        assert_eq!(said(&one("[4294967296, 4294967296, 4294967296]", 0, 8), 8), Code::H0608);
        let two =
            r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#;
        assert_eq!(said(two, 12), Code::H0608);
        assert_eq!(Archive::open(&folder.path().join("none")).unwrap_err().code, Code::H0001);
        assert_eq!(Archive::open(folder.path()).unwrap_err().code, Code::H0001);
    }
}
