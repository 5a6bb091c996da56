//! What a run was made from, and whether it still is that.
//!
//! In: the texts of a model, the files of its data, a backend. Out: [`Identity`], which a checkpoint keeps. Promised: where nothing that
//! decides the bits of a run has changed, no difference is found, wherever the files lie by now; where something has, it is named.

use crate::diag::{Code, Diagnostic};
use crate::disk;
use crate::source::Sources;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::Path;

/// A text or a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// As messages call it.
    pub name: String,
    /// Bytes.
    pub length: u64,
    /// SHA-256 of its content.
    pub hash: String,
}

impl Part {
    pub fn text(name: &str, text: &str) -> Part {
        Part { name: name.to_string(), length: text.len() as u64, hash: hex(&Sha256::digest(text)) }
    }

    /// A file, which is read to its end.
    pub fn file(path: &Path) -> Result<Part, Diagnostic> {
        let name = path.display().to_string();
        let lost = |e| disk::cannot_read(&name, &e);
        let (mut file, _) = disk::open(path).map_err(lost)?;
        let (mut hash, mut length, mut part) = (Sha256::new(), 0, vec![0; 1 << 18]);
        loop {
            match file.read(&mut part).map_err(lost)? {
                0 => break,
                n => {
                    hash.update(&part[..n]);
                    length += n as u64;
                }
            }
        }
        Ok(Part { name, length, hash: hex(&hash.finalize()) })
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// What decides the bits of a run, besides what its checkpoint holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    pub sources: Vec<Part>,
    pub data: Vec<Part>,
    /// Of hnet.
    pub version: String,
    /// The backend, and the width of its numbers if it is not the usual one.
    pub backend: String,
    /// What the command line sets (`--set d=48`, `--seed 3`), in its words.
    pub settings: Vec<String>,
}

impl Identity {
    /// Of the texts that a model was read from, and files of data.
    pub fn new(sources: &Sources, data: &[&Path], backend: &str, settings: Vec<String>) -> Result<Identity, Diagnostic> {
        let sources = sources.iter().map(|(_, s)| Part::text(&s.name, &s.text)).collect();
        let data = data.iter().map(|p| Part::file(p)).collect::<Result<_, _>>()?;
        Ok(Identity { sources, data, version: env!("CARGO_PKG_VERSION").into(), backend: backend.into(), settings })
    }

    /// What is not as it was, in words; nothing where all is.
    pub fn changes(&self, now: &Identity) -> Vec<String> {
        let mut out = parts(&self.sources, &now.sources);
        out.extend(parts(&self.data, &now.data));
        if self.version != now.version {
            out.push(format!("it was hnet {}, and is hnet {}", self.version, now.version));
        }
        if self.backend != now.backend {
            out.push(format!("it ran on `{}`, and is to run on `{}`", self.backend, now.backend));
        }
        if self.settings != now.settings {
            let said = |list: &[String]| if list.is_empty() { "nothing".to_string() } else { format!("`{}`", list.join(" ")) };
            out.push(format!("it was started with {}, and now with {}", said(&self.settings), said(&now.settings)));
        }
        out
    }

    /// Refuses to go on from a checkpoint of another model, other data, or another backend.
    pub fn agree(&self, now: &Identity, checkpoint: &Path) -> Result<(), Diagnostic> {
        let changes = self.changes(now);
        if changes.is_empty() {
            return Ok(());
        }
        let message = format!("what `{}` was made from has changed", checkpoint.display());
        let d = changes.into_iter().fold(Diagnostic::plain(Code::H0633, message), Diagnostic::note);
        Err(d.help("`--force` goes on all the same: the result is that of neither run"))
    }
}

/// Texts or files that are not as they were. A file may lie elsewhere by now: its content is what counts.
fn parts(before: &[Part], now: &[Part]) -> Vec<String> {
    let (had, has) = (|p: &&Part| before.iter().any(|q| q.hash == p.hash), |p: &&Part| now.iter().any(|q| q.hash == p.hash));
    let changed: Vec<&Part> = now.iter().filter(|p| !had(p)).collect();
    let gone = before.iter().filter(|p| !has(p) && !changed.iter().any(|q| q.name == p.name));
    let mut out: Vec<String> = Vec::new();
    for p in &changed {
        out.push(match before.iter().find(|q| q.name == p.name) {
            Some(q) if q.length != p.length => {
                format!("`{}` has changed: it had {} bytes, and has {}", p.name, q.length, p.length)
            }
            Some(_) => format!("`{}` has changed", p.name),
            None => format!("`{}` was not read then", p.name),
        });
    }
    out.extend(gone.map(|p| format!("`{}` was read then, and is not read now", p.name)));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: &[(&str, &str)]) -> Identity {
        let mut sources = Sources::default();
        for (name, text) in list {
            sources.add(*name, None, *text);
        }
        Identity::new(&sources, &[], "cpu", vec![]).unwrap()
    }

    #[test]
    fn hashes_are_those_of_others() {
        let text = Part::text("t", "abc");
        assert_eq!(text.hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        for length in [0, 3, 1 << 18, (1 << 18) + 1] {
            let text: String = "abc".chars().cycle().take(length).collect();
            std::fs::write(&path, &text).unwrap();
            let file = Part::file(&path).unwrap();
            assert_eq!((file.length, file.hash), (length as u64, Part::text("", &text).hash));
        }
        assert_eq!(Part::file(folder.path()).unwrap_err().code, Code::H0001);
        assert_eq!(Part::file(&folder.path().join("none")).unwrap_err().code, Code::H0001);
    }

    #[test]
    fn what_has_changed_is_named() {
        let old = texts(&[("a.hnet", "one"), ("lib.hnet", "two")]);
        assert!(old.changes(&old).is_empty());
        assert!(old.changes(&texts(&[("sub/a.hnet", "one"), ("lib.hnet", "two")])).is_empty());
        let said = |list: &[(&str, &str)]| old.changes(&texts(list)).join("; ");
        assert_eq!(said(&[("a.hnet", "ten"), ("lib.hnet", "two")]), "`a.hnet` has changed");
        assert_eq!(said(&[("a.hnet", "1"), ("lib.hnet", "two")]), "`a.hnet` has changed: it had 3 bytes, and has 1");
        assert_eq!(said(&[("a.hnet", "one")]), "`lib.hnet` was read then, and is not read now");
        assert_eq!(
            said(&[("a.hnet", "one"), ("new.hnet", "3")]),
            "`new.hnet` was not read then; `lib.hnet` was read then, and is not read now"
        );
        let mut now = Identity { backend: "gpu".into(), settings: vec!["--seed 3".into()], ..old.clone() };
        now.version = "9.0".into();
        let said = old.agree(&now, Path::new("run/x")).unwrap_err();
        assert_eq!((said.code, said.notes.len()), (Code::H0633, 3));
        assert!(said.notes[2].contains("started with nothing, and now with `--seed 3`"));
        let text = serde_json::to_string(&old).unwrap();
        assert_eq!(serde_json::from_str::<Identity>(&text).unwrap(), old);
    }
}
