//! The file of metrics: a line of JSON for each record.
//!
//! In: records. Out: a file that others read while it grows. Promised: a line goes out whole and at once, so that a kill leaves at most
//! the last one torn, and a torn one is not read; a run that goes on cuts off what came after the state it goes on from.

use super::record::Record;
use crate::diag::{Code, Diagnostic};
use crate::disk;
use crate::files::{atomic, memory};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Bytes that a line may have.
const LONGEST: u64 = 1 << 24;

/// A file of metrics that is being written.
#[derive(Debug)]
pub struct Metrics {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Metrics {
    /// A new file; what stood there is gone.
    pub fn create(path: &Path) -> Result<Metrics, Diagnostic> {
        let file = File::create(path).map_err(|e| atomic::cannot(path, &e))?;
        Ok(Metrics { path: path.to_path_buf(), file, length: 0 })
    }

    /// The file as it was when it had this many bytes; later lines are cut off.
    pub fn resume(path: &Path, length: u64) -> Result<Metrics, Diagnostic> {
        let (_, found) = disk::open(path).map_err(|e| disk::cannot_read(&path.display().to_string(), &e))?;
        if found < length {
            return Err(other(path, format!("it has {found} bytes, and had {length} when the checkpoint was written")));
        }
        let cut = || {
            let mut file = File::options().write(true).open(path)?;
            file.set_len(length)?;
            file.seek(SeekFrom::End(0))?;
            Ok(file)
        };
        let file = cut().map_err(|e: io::Error| atomic::cannot(path, &e))?;
        Ok(Metrics { path: path.to_path_buf(), file, length })
    }

    /// Writes a line.
    pub fn append(&mut self, record: &Record) -> Result<(), Diagnostic> {
        let mut line = serde_json::to_vec(record).expect("a record is what JSON can say");
        line.push(b'\n');
        match self.file.write_all(&line) {
            Ok(()) => {
                self.length += line.len() as u64;
                Ok(())
            }
            Err(e) => {
                // Half a line must not be in the way of the next one, should there be room again.
                let _ = self.file.set_len(self.length).and_then(|()| self.file.seek(SeekFrom::Start(self.length)));
                Err(atomic::cannot(&self.path, &e))
            }
        }
    }

    /// Bytes of the lines so far: what a checkpoint notes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Waits until all lines are on the disk, so that what a checkpoint notes is there even where the machine stops.
    pub fn sync(&self) -> Result<(), Diagnostic> {
        self.file.sync_data().map_err(|e| atomic::cannot(&self.path, &e))
    }
}

/// All records of a file. A last line that is torn is left out.
pub fn read(path: &Path) -> Result<Vec<Record>, Diagnostic> {
    let lost = |e: io::Error| disk::cannot_read(&path.display().to_string(), &e);
    let (file, length) = disk::open(path).map_err(lost)?;
    // A record takes a few times the bytes of its line.
    memory::room_for(&format!("`{}`", path.display()), 4.0 * length as f64)?;
    let mut from = BufReader::new(file.take(length));
    let (mut out, mut line) = (Vec::new(), Vec::new());
    for number in 1.. {
        line.clear();
        (&mut from).take(LONGEST).read_until(b'\n', &mut line).map_err(lost)?;
        if line.is_empty() {
            break;
        }
        match serde_json::from_slice(&line) {
            Ok(record) => out.push(record),
            Err(_) if !line.ends_with(b"\n") && (line.len() as u64) < LONGEST => break,
            Err(e) => return Err(other(path, format!("line {number} is no record of a step: {e}"))),
        }
    }
    Ok(out)
}

fn other(path: &Path, why: String) -> Diagnostic {
    Diagnostic::plain(Code::H0631, format!("`{}` is not the file of metrics that training left", path.display())).note(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(step: u64) -> Record {
        Record { step, losses: vec![("loss".into(), 1.0 / step as f64)], ..Record::default() }
    }

    fn steps(path: &Path) -> Vec<u64> {
        read(path).unwrap().iter().map(|r| r.step).collect()
    }

    #[test]
    fn a_run_that_goes_on_leaves_the_bytes_of_one_that_was_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (whole, cut) = (folder.path().join("whole.jsonl"), folder.path().join("cut.jsonl"));
        let mut metrics = Metrics::create(&whole).unwrap();
        (1..=9).for_each(|k| metrics.append(&step(k)).unwrap());
        let mut metrics = Metrics::create(&cut).unwrap();
        (1..=4).for_each(|k| metrics.append(&step(k)).unwrap());
        let length = metrics.length();
        metrics.sync().unwrap();
        (5..=6).for_each(|k| metrics.append(&step(k)).unwrap());
        // A kill in the middle of a line.
        File::options().append(true).open(&cut).unwrap().write_all(b"{\"phase\":\"\",\"st").unwrap();
        assert_eq!(steps(&cut), [1, 2, 3, 4, 5, 6]);
        let mut metrics = Metrics::resume(&cut, length).unwrap();
        assert_eq!(steps(&cut), [1, 2, 3, 4]);
        (5..=9).for_each(|k| metrics.append(&step(k)).unwrap());
        assert_eq!(std::fs::read(&cut).unwrap(), std::fs::read(&whole).unwrap());
        assert_eq!(metrics.length(), std::fs::metadata(&cut).unwrap().len());
    }

    #[test]
    fn a_file_of_another_run_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.jsonl");
        assert_eq!(Metrics::resume(&path, 0).unwrap_err().code, Code::H0001);
        std::fs::write(&path, "{\"step\":1}\n").unwrap();
        let said = Metrics::resume(&path, 12).unwrap_err();
        assert_eq!((said.code, said.notes[0].contains("11 bytes, and had 12")), (Code::H0631, true));
        assert_eq!(steps(&path), [1]);
        std::fs::write(&path, "{\"step\":1}\nno\n{\"step\":2}\n").unwrap();
        let said = read(&path).unwrap_err();
        assert!(said.code == Code::H0631 && said.notes[0].starts_with("line 2"), "{:?}", said.notes);
        assert_eq!(Metrics::create(&folder.path().join("no/m.jsonl")).unwrap_err().code, Code::H0003);
    }

    #[test]
    fn a_last_line_counts_when_it_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.jsonl");
        for (text, wanted) in [("", vec![]), ("{\"step\":3}", vec![3]), ("{\"step\":3}\n{\"step\"", vec![3]), ("{", vec![])] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(steps(&path), wanted);
        }
        std::fs::write(&path, b"{\"step\":3}\n\xff\xfe").unwrap();
        assert_eq!(steps(&path), [3]);
    }
}
