//! Checkpoints: all that training needs to go on.
//!
//! In: tensors by name, and the state of the run as JSON. Out: a safetensors file that has both, so that everybody can read its tensors.
//! Promised: a file is whole or not there, whatever happens while it is written; it comes back to the last bit; what is torn, of another
//! kind or of another version is a message. What a run was made from is compared in [`super::identity`].

use crate::diag::{Code, Diagnostic};
use crate::files::archive::Archive;
use crate::files::stored::{Kind, Stored};
use crate::files::{atomic, memory};
use crate::ir::{DType, Data, Tensor};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The name in the header under which the state stands.
const KEY: &str = "hnet.checkpoint";

/// The version of what stands there.
const VERSION: u64 = 1;

/// What a run is at a step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    /// Parameters, moments, states.
    pub tensors: BTreeMap<String, Tensor>,
    /// Counters, phase, loss scale, scores, identity.
    pub meta: Value,
}

impl Checkpoint {
    /// Writes it in the place of what stands there.
    pub fn save(&self, path: &Path) -> Result<(), Diagnostic> {
        atomic::write_with(path, |file| self.write(file))
    }

    /// The bytes of its file, which hang on names and values only.
    fn write(&self, to: &mut dyn Write) -> io::Result<()> {
        // Wide elements first: then each tensor begins where its elements may.
        let mut order: Vec<(&String, &Tensor)> = self.tensors.iter().collect();
        order.sort_by_key(|(_, t)| std::cmp::Reverse(kind(t).1));
        let about = json!({ "version": VERSION, "state": self.meta }).to_string();
        let mut header = Map::new();
        header.insert("__metadata__".into(), json!({ KEY: about }));
        let mut at = 0;
        for (name, t) in &order {
            let (word, width) = kind(t);
            let end = at + t.len() * width;
            header.insert((*name).clone(), json!({ "dtype": word, "shape": t.shape, "data_offsets": [at, end] }));
            at = end;
        }
        let mut header = Value::Object(header).to_string();
        header.extend(std::iter::repeat_n(' ', header.len().wrapping_neg() % 8));
        to.write_all(&(header.len() as u64).to_le_bytes())?;
        to.write_all(header.as_bytes())?;
        order.iter().try_for_each(|(_, t)| elements(t, to))
    }

    /// Reads one whole.
    pub fn load(path: &Path) -> Result<Checkpoint, Diagnostic> {
        let archive = Archive::open(path)?;
        let refused = |why: &str| Diagnostic::plain(Code::H0632, format!("`{}` is no checkpoint", path.display())).note(why);
        let Some(text) = archive.about().get(KEY) else {
            return Err(refused("it has tensors, and no state of a run"));
        };
        let state: Option<Value> = serde_json::from_str(text).ok();
        let Some(Value::Object(mut state)) = state else {
            return Err(refused("its state cannot be read"));
        };
        match state.get("version").and_then(Value::as_u64) {
            Some(VERSION) => {}
            Some(v) => {
                return Err(refused(&format!("its state has version {v}, and this hnet knows version {VERSION}"))
                    .help("go on with the hnet that wrote it"));
            }
            None => return Err(refused("its state does not say its version")),
        }
        if let Some((name, kind)) = archive.unread().first() {
            return Err(refused(&format!("`{name}` has type {kind}, which no checkpoint has")));
        }
        let stored = || archive.names().filter_map(|n| archive.get(n));
        let bytes: f64 = stored().map(|s| s.len() as f64 * s.kind.width() as f64).sum();
        memory::room_for(&format!("`{}`", path.display()), bytes)?;
        let read = |s: Stored| Ok((s.name.to_string(), tensor(&s, &refused)?));
        let tensors = stored().map(read).collect::<Result<_, Diagnostic>>()?;
        Ok(Checkpoint { tensors, meta: state.remove("state").unwrap_or_default() })
    }
}

/// The word for a tensor's elements and how many bytes each has.
fn kind(t: &Tensor) -> (&'static str, usize) {
    match &t.data {
        Data::F32(_) => ("F32", 4),
        Data::F64(_) => ("F64", 8),
        Data::I32(_) => ("I32", 4),
        Data::Bool(_) => ("BOOL", 1),
    }
}

fn elements(t: &Tensor, to: &mut dyn Write) -> io::Result<()> {
    /// A part at a time, so that no tensor stands in memory twice.
    fn words<T: Copy, const N: usize>(v: &[T], bytes: impl Fn(T) -> [u8; N], to: &mut dyn Write) -> io::Result<()> {
        v.chunks(1 << 14).try_for_each(|part| to.write_all(&part.iter().flat_map(|x| bytes(*x)).collect::<Vec<u8>>()))
    }
    match &t.data {
        Data::F32(v) => words(v, f32::to_le_bytes, to),
        Data::F64(v) => words(v, f64::to_le_bytes, to),
        Data::I32(v) => words(v, i32::to_le_bytes, to),
        Data::Bool(v) => to.write_all(v),
    }
}

/// A tensor as it was when it was written.
fn tensor(stored: &Stored, refused: &impl Fn(&str) -> Diagnostic) -> Result<Tensor, Diagnostic> {
    let other = || Err(refused(&format!("`{}` has type {}, which no checkpoint has", stored.name, stored.kind.word())));
    let dtype = match stored.kind {
        Kind::F32 => DType::F32,
        Kind::I32 => DType::I32,
        Kind::Bool => DType::Bool,
        Kind::F64 => {
            let bytes = stored.place.read(stored.file, 0, 8 * stored.len())?;
            let values = bytes.chunks_exact(8).map(|w| f64::from_le_bytes(w.try_into().expect("chunks have this length")));
            return Ok(Tensor::new(stored.shape.to_vec(), Data::F64(values.collect())));
        }
        Kind::F16 | Kind::Bf16 | Kind::F8E4M3 | Kind::F8E5M2 => return other(),
        Kind::I8 | Kind::I16 | Kind::I64 | Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 => return other(),
    };
    stored.load(dtype)
}

/// Where the checkpoint of a step lies in a folder.
pub fn place(folder: &Path, step: u64) -> PathBuf {
    folder.join(format!("step-{step:010}.safetensors"))
}

/// Where the checkpoint with the best score lies: no step's name, so it stays while others go.
pub fn best(folder: &Path) -> PathBuf {
    folder.join("best.safetensors")
}

/// The checkpoints of steps in a folder, the oldest first.
pub fn steps(folder: &Path) -> Vec<(u64, PathBuf)> {
    let step = |path: &Path| path.file_name()?.to_str()?.strip_prefix("step-")?.strip_suffix(".safetensors")?.parse().ok();
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path());
    let mut out: Vec<(u64, PathBuf)> = files.filter_map(|p| Some((step(&p)?, p))).collect();
    out.sort();
    out
}

/// Removes all but the last `k` steps; one stays in any case.
pub fn keep(folder: &Path, k: usize) -> Result<(), Diagnostic> {
    let all = steps(folder);
    let old = all.len().saturating_sub(k.max(1));
    for (_, path) in &all[..old] {
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(atomic::cannot(path, &e)),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(step: i64) -> Checkpoint {
        let one = |data: Data, shape: &[usize]| Tensor::new(shape.to_vec(), data);
        let tensors = [
            ("a.w", one(Data::F32(vec![f32::MIN_POSITIVE / 4.0, -0.0, f32::NAN, 1.0 / 3.0, f32::INFINITY, 7.0]), &[2, 3])),
            ("b", one(Data::Bool(vec![1, 0, 1]), &[3])),
            ("c", one(Data::F64(vec![0.1]), &[])),
            ("d", one(Data::I32(vec![i32::MIN, i32::MAX]), &[2, 1])),
            ("e", one(Data::F32(vec![]), &[0, 5])),
        ];
        let tensors = tensors.into_iter().map(|(n, t)| (n.to_string(), t)).collect();
        Checkpoint { tensors, meta: json!({ "step": step, "scale": 0.1 + 0.2, "phase": "ma\u{ef}n \"x\"" }) }
    }

    #[test]
    fn it_comes_back_to_the_last_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.safetensors");
        for checkpoint in [some(3), Checkpoint::default()] {
            checkpoint.save(&path).unwrap();
            let back = Checkpoint::load(&path).unwrap();
            assert_eq!(back.meta, checkpoint.meta);
            assert_eq!(back.tensors.len(), checkpoint.tensors.len());
            assert!(back.tensors.iter().all(|(name, t)| t.same_bits(&checkpoint.tensors[name])));
            let bytes = std::fs::read(&path).unwrap();
            back.save(&path).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), bytes);
        }
        // Others read it, too.
        some(3).save(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(safetensors::SafeTensors::deserialize(&bytes).unwrap().tensor("d").unwrap().shape(), [2, 1]);
    }

    #[test]
    fn what_is_torn_or_foreign_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.safetensors");
        let said = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            let d = Checkpoint::load(&path).unwrap_err();
            (d.code, d.notes.join(" "))
        };
        let mut whole = Vec::new();
        some(3).write(&mut whole).unwrap();
        for cut in 0..whole.len() {
            assert_eq!(said(&whole[..cut]).0, Code::H0608, "{cut}");
        }
        // No tensors: their places would lie outside.
        Checkpoint { meta: json!(1), ..Checkpoint::default() }.save(&path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let changed = |from: &str, to: &str| {
            let text = String::from_utf8_lossy(&whole[8..]);
            let end = text.find("}}").unwrap();
            let header = text[..end + 2].replace(from, to);
            [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat()
        };
        assert!(said(&changed("version\\\":1", "version\\\":2")).1.contains("version 2"));
        assert!(said(&changed("hnet.checkpoint", "other")).1.contains("no state"));
        assert!(said(&changed("{\\\"version", "[\\\"version")).1.contains("cannot be read"));
        assert_eq!(said(&changed("\\\"version", "\\\"aversion")).0, Code::H0632);
        assert_eq!(Checkpoint::load(&folder.path().join("none")).unwrap_err().code, Code::H0001);
    }

    /// A disk that has no more room after some bytes.
    struct Full<'a>(&'a mut dyn Write, usize);

    impl Write for Full<'_> {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.1 == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            let n = self.0.write(&bytes[..bytes.len().min(self.1)])?;
            self.1 -= n;
            Ok(n)
        }

        fn flush(&mut self) -> io::Result<()> {
            self.0.flush()
        }
    }

    #[test]
    fn a_full_disk_leaves_the_old_one_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.safetensors");
        some(3).save(&path).unwrap();
        let old = std::fs::read(&path).unwrap();
        for room in (0..old.len()).step_by(7) {
            let said = atomic::write_with(&path, |file| some(4).write(&mut Full(file, room))).unwrap_err();
            assert!(said.message.contains("full") && said.notes[0].contains("untouched"));
            assert_eq!(std::fs::read(&path).unwrap(), old);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let gone = folder.path().join("gone/c.safetensors");
        assert!(some(4).save(&gone).unwrap_err().message.contains("its folder does not exist"));
    }

    #[test]
    fn the_last_steps_and_the_best_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        for step in [9, 10, 100, 2_000_000_000_000] {
            some(step).save(&place(folder.path(), step as u64)).unwrap();
        }
        some(9).save(&best(folder.path())).unwrap();
        std::fs::write(folder.path().join("step-notes.safetensors"), "").unwrap();
        keep(folder.path(), 2).unwrap();
        let left = |folder: &Path| steps(folder).into_iter().map(|(step, _)| step).collect::<Vec<_>>();
        assert_eq!(left(folder.path()), [100, 2_000_000_000_000]);
        keep(folder.path(), 0).unwrap();
        assert_eq!(left(folder.path()), [2_000_000_000_000]);
        assert_eq!(Checkpoint::load(&best(folder.path())).unwrap().meta, some(9).meta);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
        assert!(steps(&folder.path().join("none")).is_empty());
    }
}
