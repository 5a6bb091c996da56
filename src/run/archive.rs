//! Named tensors in a file: safetensors, or `.npy` for a single one.
//!
//! In: a path. Out: [`Archive`], a map of the file whose header was checked: every entry lies within the file, none
//! overlaps another, every length fits its shape. Nothing is read but the header until an entry is asked for.
//! Promised: a damaged file is a diagnostic (H0608), never a panic and never a huge allocation.

use super::atomic;
use super::map::Mapped;
use super::npy;
use super::stored::{Kind, Stored};
use crate::diag::Diagnostic;
use crate::ir::{Data, Tensor};
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView};
use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

#[derive(Debug)]
struct Entry {
    kind: Kind,
    shape: Vec<usize>,
    bytes: Range<usize>,
}

/// An open file of tensors.
#[derive(Debug)]
pub struct Archive {
    path: PathBuf,
    /// As the user wrote it.
    name: String,
    map: Mapped,
    entries: BTreeMap<String, Entry>,
    /// Entries of a type that no model wants: name, type.
    unread: Vec<(String, String)>,
    single: bool,
}

impl Archive {
    /// Maps a file and checks its header. A `.npy` file has one entry, called like the file.
    pub fn open(path: &Path) -> Result<Archive, Diagnostic> {
        let name = path.display().to_string();
        let map = Mapped::open(path).map_err(|e| cannot_read(&name, &e))?;
        let single = map.bytes().starts_with(npy::MAGIC) || path.extension().is_some_and(|e| e == "npy");
        let mut archive = Archive { path: path.to_path_buf(), name, map, entries: BTreeMap::new(), unread: Vec::new(), single };
        if single {
            archive.index_npy()?;
        } else {
            archive.index()?;
        }
        Ok(archive)
    }

    fn index_npy(&mut self) -> Result<(), Diagnostic> {
        let header = npy::read(self.map.bytes()).map_err(|why| damaged(&self.name, ".npy", &why))?;
        let bytes = header.start..self.map.bytes().len();
        let stem = self.path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
        self.entries.insert(stem, Entry { kind: header.kind, shape: header.shape, bytes });
        Ok(())
    }

    fn index(&mut self) -> Result<(), Diagnostic> {
        let file = self.map.bytes();
        let (header, metadata) =
            SafeTensors::read_metadata(file).map_err(|e| damaged(&self.name, "safetensors", &why(&e, file)))?;
        for (name, info) in metadata.tensors() {
            let Some(kind) = kind(info.dtype) else {
                self.unread.push((name, format!("{:?}", info.dtype).to_lowercase()));
                continue;
            };
            let start = header + 8;
            let bytes = start + info.data_offsets.0..start + info.data_offsets.1;
            let length = info.shape.iter().try_fold(kind.width(), |n, s| n.checked_mul(*s));
            if bytes.end > file.len() || bytes.start > bytes.end || length != Some(bytes.len()) {
                return Err(damaged(&self.name, "safetensors", &format!("the place of `{name}` does not fit its shape")));
            }
            self.entries.insert(name, Entry { kind, shape: info.shape.clone(), bytes });
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

    /// The entry of this name.
    pub fn get(&self, name: &str) -> Option<Stored<'_>> {
        let (name, e) = self.entries.get_key_value(name)?;
        Some(Stored { name, file: &self.name, kind: e.kind, shape: &e.shape, bytes: &self.map.bytes()[e.bytes.clone()] })
    }
}

/// Writes tensors as safetensors, all or nothing; f64 as f32. The bytes depend on names and values only.
pub fn save(path: &Path, tensors: &[(String, Tensor)]) -> Result<(), Diagnostic> {
    let whole = bytes(tensors);
    let whole = whole.map_err(|e| Diagnostic::plain("H0003", format!("cannot write `{}`: {e}", path.display())))?;
    atomic::write(path, &whole)
}

/// The bytes of such a file.
pub fn bytes(tensors: &[(String, Tensor)]) -> Result<Vec<u8>, SafeTensorError> {
    let bytes: Vec<Vec<u8>> = tensors.iter().map(|(_, t)| npy::bytes(t)).collect();
    let views: Result<Vec<_>, SafeTensorError> = tensors
        .iter()
        .zip(&bytes)
        .map(|((name, t), b)| Ok((name.as_str(), TensorView::new(dtype(t), t.shape.clone(), b)?)))
        .collect();
    views.and_then(|v| safetensors::serialize(v, None))
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

fn kind(dtype: Dtype) -> Option<Kind> {
    Some(match dtype {
        Dtype::F32 => Kind::F32,
        Dtype::F16 => Kind::F16,
        Dtype::BF16 => Kind::Bf16,
        Dtype::F64 => Kind::F64,
        Dtype::I32 => Kind::I32,
        Dtype::I64 => Kind::I64,
        Dtype::U8 => Kind::U8,
        Dtype::BOOL => Kind::Bool,
        _ => return None,
    })
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
    Diagnostic::plain("H0001", format!("cannot read `{name}`: {why}"))
}

fn damaged(name: &str, format: &str, why: &str) -> Diagnostic {
    Diagnostic::plain("H0608", format!("`{name}` is not a whole {format} file")).note(why)
}

fn why(e: &SafeTensorError, file: &[u8]) -> String {
    match e {
        SafeTensorError::HeaderTooSmall => format!("it has {} bytes; the header alone has at least 8", file.len()),
        SafeTensorError::HeaderTooLarge => {
            "its first 8 bytes, the length of the header, are not one of a safetensors file".into()
        }
        SafeTensorError::InvalidHeaderLength => "it ends within its header".into(),
        SafeTensorError::InvalidHeader(_) => "its header is not text".into(),
        SafeTensorError::InvalidHeaderDeserialization(e) => format!("its header is not what it should be: {e}"),
        SafeTensorError::InvalidOffset(name) => {
            format!("the place of `{name}` overlaps another, leaves a gap or lies outside the file")
        }
        SafeTensorError::TensorInvalidInfo => "the place of a tensor does not fit its shape".into(),
        SafeTensorError::ValidationOverflow => "a shape is larger than any memory".into(),
        SafeTensorError::MetadataIncompleteBuffer => {
            "its length is not what its header says: cut short, or with something after it".into()
        }
        other => other.to_string(),
    }
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
            assert_eq!(try_one(&whole[..end]).unwrap_err().code, "H0608", "cut at {end}");
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
        assert_eq!(said(&one("[4]", 0, 8), 8), "H0608");
        assert_eq!(said(&one("[2]", 8, 0), 8), "H0608");
        assert_eq!(said(&one("[2]", 0, u64::MAX), 8), "H0608");
        assert_eq!(said(&one("[4294967296, 4294967296, 4294967296]", 0, 8), 8), "H0608");
        let two =
            r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#;
        assert_eq!(said(two, 12), "H0608");
        assert_eq!(Archive::open(&folder.path().join("none")).unwrap_err().code, "H0001");
        assert_eq!(Archive::open(folder.path()).unwrap_err().code, "H0001");
    }
}
