//! Event files, as TensorBoard reads them.
//!
//! In: records. Out: a file `events.out.tfevents.*` in a folder, an event for each record. Promised: each event goes out whole and at once. A
//! run that goes on begins a new file with a mark that says where, and the reader drops what older files have from there on.
//!
//! A file is a list of frames (length, its checksum, bytes, their checksum); an event is a message of protocol buffers, of which four
//! fields are written here: 1 time, 2 step, 3 version, 5 summary of tagged numbers, 7 mark of a session.

use super::record::Record;
use crate::diag::Diagnostic;
use crate::files::atomic;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// An event file that is being written.
#[derive(Debug)]
pub struct Board {
    path: PathBuf,
    file: File,
}

impl Board {
    /// A new file in a folder, which is made if it is not there. `from`: the first step that a run that goes on will tell of; what
    /// older files tell of it and of later ones is dropped.
    pub fn start(folder: &Path, from: Option<u64>) -> Result<Board, Diagnostic> {
        std::fs::create_dir_all(folder).map_err(|e| atomic::cannot(folder, &e))?;
        let (path, file) = fresh(folder)?;
        let mut board = Board { path, file };
        let mut first = Message::default();
        first.double(1, now());
        first.bytes(3, b"brain.Event:2");
        board.write(&first)?;
        if let Some(step) = from {
            let mut session = Message::default();
            session.varint(1, 1);
            let mut mark = Message::default();
            mark.double(1, now());
            mark.varint(2, step);
            mark.bytes(7, &session.0);
            board.write(&mark)?;
        }
        Ok(board)
    }

    /// Writes what a record says.
    pub fn append(&mut self, record: &Record) -> Result<(), Diagnostic> {
        let mut summary = Message::default();
        for (tag, value) in tags(record) {
            let mut one = Message::default();
            one.bytes(1, tag.as_bytes());
            one.float(2, value as f32);
            summary.bytes(1, &one.0);
        }
        let mut event = Message::default();
        event.double(1, now());
        event.varint(2, record.step);
        event.bytes(5, &summary.0);
        self.write(&event)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn write(&mut self, event: &Message) -> Result<(), Diagnostic> {
        self.file.write_all(&frame(&event.0)).map_err(|e| atomic::cannot(&self.path, &e))
    }
}

/// The event files of a folder that are ours.
pub(super) fn files(folder: &Path) -> Result<Vec<PathBuf>, Diagnostic> {
    let listed = std::fs::read_dir(folder).and_then(|list| list.collect::<Result<Vec<_>, _>>());
    let own = |path: &PathBuf| {
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        name.starts_with("events.out.tfevents.") && name.contains(".hnet.")
    };
    Ok(listed.map_err(|e| atomic::cannot(folder, &e))?.into_iter().map(|e| e.path()).filter(own).collect())
}

/// A file of a name that no other has; names in the order of time, which is the order of reading.
fn fresh(folder: &Path) -> Result<(PathBuf, File), Diagnostic> {
    let (time, process) = (now(), std::process::id());
    for number in 0.. {
        let path = folder.join(format!("events.out.tfevents.{time:017.6}.hnet.{process}.{number}"));
        match File::options().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(atomic::cannot(&path, &e)),
        }
    }
    unreachable!("numbers do not end")
}

/// Numbers of a record by what the board calls them.
fn tags(r: &Record) -> Vec<(String, f64)> {
    let mut out = vec![("gradient norm".to_string(), r.norm)];
    if r.seconds > 0.0 {
        out.push(("rows a second".into(), r.rows as f64 / r.seconds));
    }
    let task = r.by.as_ref().map(|(name, v)| format!(" by {name}/{v}"));
    for (name, v) in &r.losses {
        out.push((format!("loss/{name}"), *v));
        out.extend(task.iter().map(|t| (format!("{name}{t}"), *v)));
    }
    out.extend(r.rates.iter().map(|(name, v)| (format!("rate/{name}"), *v)));
    for (name, shares) in &r.loads {
        out.extend(shares.iter().enumerate().map(|(e, v)| (format!("load of {name}/{e}"), *v)));
    }
    out.extend(r.dropped.iter().map(|(name, v)| (format!("dropped/{name}"), *v)));
    out.extend(r.scores.iter().map(|(name, v)| (format!("validation/{name}"), *v)));
    out
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |d| d.as_secs_f64())
}

/// A message of protocol buffers.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, field: u8, v: u64) {
        self.0.push(field << 3);
        self.number(v);
    }

    fn double(&mut self, field: u8, v: f64) {
        self.0.push(field << 3 | 1);
        self.0.extend(v.to_le_bytes());
    }

    fn bytes(&mut self, field: u8, v: &[u8]) {
        self.0.push(field << 3 | 2);
        self.number(v.len() as u64);
        self.0.extend(v);
    }

    fn float(&mut self, field: u8, v: f32) {
        self.0.push(field << 3 | 5);
        self.0.extend(v.to_le_bytes());
    }

    /// Seven bits a byte, the lowest first; the eighth bit says that more follow.
    fn number(&mut self, mut v: u64) {
        while v >= 0x80 {
            self.0.push(v as u8 | 0x80);
            v >>= 7;
        }
        self.0.push(v as u8);
    }
}

/// An event as it stands in the file.
fn frame(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    [&length, &masked(&length).to_le_bytes()[..], data, &masked(data).to_le_bytes()].concat()
}

/// The checksum as the format wants it: turned and moved, since checksums of data that hold checksums are weak.
fn masked(data: &[u8]) -> u32 {
    crc32c(data).rotate_right(15).wrapping_add(0xA282_EAD8)
}

/// CRC-32C (Castagnoli), bit by bit: an event has a few hundred bytes.
fn crc32c(data: &[u8]) -> u32 {
    let byte = |crc: u32, b: &u8| (0..8).fold(crc ^ u32::from(*b), |c, _| (c >> 1) ^ (0x82F6_3B78 & (c & 1).wrapping_neg()));
    !data.iter().fold(!0, byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_checksums_hold() {
        // From RFC 3720, B.4.
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c(&[0xff; 32]), 0x62a8_ab43);
        assert_eq!(crc32c(&(0..32).collect::<Vec<u8>>()), 0x46dd_794e);
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    #[test]
    fn an_event_has_the_bytes_that_the_format_says() {
        let mut value = Message::default();
        value.bytes(1, b"loss/a");
        value.float(2, 0.5);
        assert_eq!(value.0, [b"\x0a\x06loss/a\x15", &0.5f32.to_le_bytes()[..]].concat());
        let mut step = Message::default();
        step.varint(2, 300);
        assert_eq!(step.0, [0x10, 0xac, 0x02]);
        assert_eq!(frame(&step.0)[..8], [3, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(frame(&step.0).len(), 8 + 4 + 3 + 4);
    }

    /// Lengths of the frames, which have to fill the file.
    fn frames(path: &Path) -> usize {
        let bytes = std::fs::read(path).unwrap();
        let (mut at, mut count) = (0, 0);
        while at < bytes.len() {
            let length = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize;
            let data = &bytes[at + 12..at + 12 + length];
            assert_eq!(masked(data).to_le_bytes(), bytes[at + 12 + length..at + 16 + length]);
            (at, count) = (at + 16 + length, count + 1);
        }
        count
    }

    #[test]
    fn a_run_that_goes_on_begins_a_file_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("board");
        let record = Record { step: 3, losses: vec![("loss".into(), f64::NAN)], ..Record::default() };
        let mut first = Board::start(&at, None).unwrap();
        first.append(&record).unwrap();
        let mut second = Board::start(&at, Some(3)).unwrap();
        second.append(&record).unwrap();
        assert!(first.path() < second.path());
        assert_eq!((frames(first.path()), frames(second.path())), (2, 3));
    }

    #[test]
    fn every_number_of_a_record_has_a_tag() {
        let one = |name: &str| vec![(name.to_string(), 0.5)];
        let record = Record {
            losses: one("loss"),
            rates: one("adam"),
            rows: 10,
            seconds: 2.0,
            loads: vec![("pick".into(), vec![0.25, 0.75])],
            dropped: one("pick"),
            scores: one("accuracy"),
            by: Some(("task".into(), 3)),
            ..Record::default()
        };
        let names: Vec<String> = tags(&record).into_iter().map(|(tag, _)| tag).collect();
        let wanted = [
            "gradient norm",
            "rows a second",
            "loss/loss",
            "loss by task/3",
            "rate/adam",
            "load of pick/0",
            "load of pick/1",
            "dropped/pick",
            "validation/accuracy",
        ];
        assert_eq!(names, wanted);
    }
}
