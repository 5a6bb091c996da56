//! `.npz`, NumPy's archive of arrays: a zip of `.npy` files.
//!
//! In: an open file. Out: where each array lies, stored as it is or unpacked; and the bytes of an archive of tensors (stored, which NumPy
//! reads). Promised: what a damaged or hostile archive claims is compared with how long it is before memory is taken.

use super::inflate::inflate;
use super::memory;
use super::npy;
use crate::diag::Diagnostic;
use crate::ir::Tensor;

/// An array of an archive.
#[derive(Debug)]
pub struct Member {
    pub name: String,
    /// `Err`: its elements are of this type, which is not read.
    pub array: Result<(npy::Header, Bytes), String>,
}

/// Where the elements of an array are, little-endian and row-major.
#[derive(Debug)]
pub enum Bytes {
    /// In the archive, from here on.
    Stored(u64),
    /// Here, from here on.
    Unpacked(Vec<u8>, usize),
}

/// What is wrong: with the archive, in words, or with the machine.
pub enum Wrong {
    Archive(String),
    Machine(Diagnostic),
}

impl From<String> for Wrong {
    fn from(why: String) -> Wrong {
        Wrong::Archive(why)
    }
}

impl From<&str> for Wrong {
    fn from(why: &str) -> Wrong {
        Wrong::Archive(why.into())
    }
}

/// An entry of the archive's directory.
struct Entry {
    name: String,
    packed: bool,
    size: u64,
    unpacked: u64,
    at: u64,
    /// The CRC-32 of what is unpacked.
    check: u32,
}

/// Bytes at the end among which the directory's own record is found.
const TAIL: u64 = 22 + 0xffff;
/// Bytes that a directory may have.
const LONGEST: u64 = 64 << 20;
/// Deflate makes at most so many bytes of one.
const MOST: u64 = 1032;

/// The arrays of an archive of `length` bytes; `read` gives bytes of it.
pub fn members(length: u64, read: &dyn Fn(u64, usize) -> Result<Vec<u8>, Diagnostic>) -> Result<Vec<Member>, Wrong> {
    let get = |at: u64, n: u64| match at.checked_add(n).filter(|end| *end <= length) {
        Some(_) => read(at, n as usize).map_err(Wrong::Machine),
        None => Err("it ends within its tables".into()),
    };
    let mut out = vec![];
    for entry in directory(length, &get)? {
        let Some(name) = entry.name.strip_suffix(".npy") else {
            return Err(format!("`{}` in it is no .npy", entry.name).into());
        };
        let local = get(entry.at, 30)?;
        if !local.starts_with(b"PK\x03\x04") {
            return Err(format!("`{}` is not where its table says", entry.name).into());
        }
        let start = entry.at + 30 + u64::from(word(&local, 26)) + u64::from(word(&local, 28));
        if entry.packed {
            if entry.unpacked / MOST > entry.size {
                return Err(format!("`{}` says that it has {} bytes, which cannot be", entry.name, entry.unpacked).into());
            }
            memory::enough(&entry.name, entry.unpacked as f64).map_err(Wrong::Machine)?;
            let packed = get(start, entry.size)?;
            let whole = inflate(&packed, entry.unpacked as usize).ok_or(format!("`{}` cannot be unpacked", entry.name))?;
            same(&entry, checked(0, &whole))?;
            let array = one(&entry, npy::read(&whole, entry.unpacked))?.map(|header| {
                let bytes = match header.is_straight() {
                    true => Bytes::Unpacked(whole, header.start),
                    false => Bytes::Unpacked(header.straight(whole[header.start..].to_vec()), 0),
                };
                (header, bytes)
            });
            out.push(Member { name: name.to_string(), array });
            continue;
        }
        if start.checked_add(entry.size).is_none_or(|end| end > length) {
            return Err(format!("it ends within `{}`", entry.name).into());
        }
        let mut check = 0;
        for at in (start..start + entry.size).step_by(PIECE as usize) {
            check = checked(check, &get(at, PIECE.min(start + entry.size - at))?);
        }
        same(&entry, check)?;
        let wrong = |why: String| format!("`{}`: {why}", entry.name);
        let head = npy::head(&get(start, entry.size.min(16))?).map_err(wrong)? as u64;
        let array = match one(&entry, npy::read(&get(start, head.min(entry.size))?, entry.size))? {
            Ok(header) if header.is_straight() => Ok((Bytes::Stored(start + header.start as u64), header)),
            Ok(header) => {
                // Twice: as it is, and as it is wanted.
                memory::enough(&entry.name, 2.0 * header.bytes() as f64).map_err(Wrong::Machine)?;
                let bytes = header.straight(get(start + header.start as u64, header.bytes() as u64)?);
                Ok((Bytes::Unpacked(bytes, 0), header))
            }
            Err(kind) => Err(kind),
        };
        out.push(Member { name: name.to_string(), array: array.map(|(bytes, header)| (header, bytes)) });
    }
    Ok(out)
}

/// What the header of an entry says; inside `Err`: its type is not read.
fn one(entry: &Entry, read: Result<npy::Header, npy::Fault>) -> Result<Result<npy::Header, String>, Wrong> {
    match read {
        Ok(header) => Ok(Ok(header)),
        Err(npy::Fault::Unread(kind)) => Ok(Err(kind)),
        Err(npy::Fault::Damaged(why)) => Err(format!("`{}`: {why}", entry.name).into()),
    }
}

/// Bytes that are read at a time to be checked.
const PIECE: u64 = 1 << 20;

/// Whether an array is what was written.
fn same(entry: &Entry, check: u32) -> Result<(), Wrong> {
    match check == entry.check {
        true => Ok(()),
        false => {
            Err(format!("`{}` is damaged: its bytes are not those that were written (their CRC-32 is another)", entry.name)
                .into())
        }
    }
}

type Get<'a> = &'a dyn Fn(u64, u64) -> Result<Vec<u8>, Wrong>;

/// The entries of the archive's directory.
fn directory(length: u64, get: Get) -> Result<Vec<Entry>, Wrong> {
    let from = length.saturating_sub(TAIL);
    let tail = get(from, length - from)?;
    let end = (0..tail.len().saturating_sub(21)).rev().find(|k| tail[*k..].starts_with(b"PK\x05\x06"));
    let end = end.ok_or("its directory is not at its end: it is cut short, or no zip archive")?;
    let (mut count, mut size, mut at) = (u64::from(word(&tail, end + 10)), long(&tail, end + 12), long(&tail, end + 16));
    // Where a number does not fit, another record before this one has it.
    if at == 0xffff_ffff || count == 0xffff || size == 0xffff_ffff {
        let locator = (from + end as u64).checked_sub(20).ok_or("its directory is not where it says")?;
        let locator = get(locator, 20)?;
        let record = get(huge(&locator, 8), 56)?;
        if !locator.starts_with(b"PK\x06\x07") || !record.starts_with(b"PK\x06\x06") {
            return Err("its directory is not where it says".into());
        }
        (count, size, at) = (huge(&record, 32), huge(&record, 40), huge(&record, 48));
    }
    if size > LONGEST {
        return Err(format!("its directory has {size} bytes").into());
    }
    let table = get(at, size)?;
    let mut out: Vec<Entry> = vec![];
    let mut k = 0;
    while (out.len() as u64) < count {
        let head = table.get(k..k + 46).filter(|h| h.starts_with(b"PK\x01\x02")).ok_or("its directory is damaged")?;
        let (name, extra, remark) = (word(head, 28) as usize, word(head, 30) as usize, word(head, 32) as usize);
        let rest = table.get(k + 46..k + 46 + name + extra).ok_or("its directory is damaged")?;
        let text = std::str::from_utf8(&rest[..name]).map_err(|_| "a name in it is no text".to_string())?.to_string();
        if word(head, 8) & 1 == 1 {
            return Err(format!("`{text}` is encrypted").into());
        }
        let packed = match word(head, 10) {
            0 => false,
            8 => true,
            n => return Err(format!("`{text}` is packed in a way that is not read (method {n})").into()),
        };
        let mut sizes = [long(head, 24), long(head, 20), long(head, 42)];
        large_sizes(&rest[name..], &mut sizes).ok_or("its directory is damaged")?;
        let [unpacked, size, at] = sizes;
        if !packed && size != unpacked {
            return Err(format!("`{text}` has two lengths").into());
        }
        if out.iter().any(|e| e.name == text) {
            return Err(format!("`{text}` stands in it twice").into());
        }
        out.push(Entry { name: text, packed, size, unpacked, at, check: long(head, 16) as u32 });
        k += 46 + name + extra + remark;
    }
    Ok(out)
}

/// Numbers that do not fit stand in a part of their own.
fn large_sizes(mut extra: &[u8], sizes: &mut [u64; 3]) -> Option<()> {
    while extra.len() >= 4 {
        let (id, n) = (word(extra, 0), word(extra, 2) as usize);
        let body = extra.get(4..4 + n)?;
        if id == 1 {
            let mut parts = body.chunks_exact(8);
            for size in sizes.iter_mut().filter(|s| **s == 0xffff_ffff) {
                *size = huge(parts.next()?, 0);
            }
        }
        extra = &extra[4 + n..];
    }
    Some(())
}

fn word(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u32::from_le_bytes(std::array::from_fn(|k| bytes[at + k])).into()
}

fn huge(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|k| bytes[at + k]))
}

/// The bytes of an archive with these tensors; `Err`: they are more than one holds.
pub fn write(tensors: &[(String, Tensor)]) -> Result<Vec<u8>, String> {
    let mut out: Vec<u8> = vec![];
    let mut table: Vec<u8> = vec![];
    for (name, tensor) in tensors {
        let name = format!("{name}.npy");
        let bytes = npy::write(tensor);
        let at = u32::try_from(out.len()).ok();
        let (Some(at), Ok(n), Ok(length)) = (at, u32::try_from(bytes.len()), u16::try_from(name.len())) else {
            return Err("more than 4 GB do not go into one .npz: write .safetensors".into());
        };
        // Version, flags, method (none), time and day (the first that there is), check, sizes, length of the name.
        let mut about: Vec<u8> = [20u16, 0, 0, 0, 0x21].iter().flat_map(|w| w.to_le_bytes()).collect();
        about.extend([checked(0, &bytes), n, n].iter().flat_map(|w| w.to_le_bytes()));
        about.extend([length, 0].iter().flat_map(|w| w.to_le_bytes()));
        out.extend(b"PK\x03\x04");
        out.extend(&about);
        out.extend(name.as_bytes());
        out.extend(&bytes);
        table.extend(b"PK\x01\x02\x14\x00");
        table.extend(&about);
        table.extend([0; 10]);
        table.extend(at.to_le_bytes());
        table.extend(name.as_bytes());
    }
    let (Ok(at), Ok(size), Ok(count)) = (u32::try_from(out.len()), u32::try_from(table.len()), u16::try_from(tensors.len()))
    else {
        return Err("more than 4 GB, or than 65,535 tensors, do not go into one .npz: write .safetensors".into());
    };
    out.extend(&table);
    out.extend(b"PK\x05\x06\0\0\0\0");
    out.extend([count, count].iter().flat_map(|w| w.to_le_bytes()));
    out.extend([size, at].iter().flat_map(|w| w.to_le_bytes()));
    out.extend([0, 0]);
    Ok(out)
}

/// What each byte adds to a CRC-32.
const CHECKS: [u32; 256] = {
    let mut table = [0; 256];
    let mut k = 0;
    while k < 256 {
        let (mut c, mut bit) = (k as u32, 0);
        while bit < 8 {
            c = if c & 1 == 1 { 0xedb8_8320 ^ (c >> 1) } else { c >> 1 };
            bit += 1;
        }
        table[k] = c;
        k += 1;
    }
    table
};

/// CRC-32 as zip archives have it, of what `before` is that of and these bytes.
fn checked(before: u32, bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!before, |c, b| CHECKS[usize::from(c as u8 ^ b)] ^ (c >> 8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Data;

    fn open(bytes: &[u8]) -> Result<Vec<Member>, String> {
        let read = |at: u64, n: usize| Ok(bytes[at as usize..at as usize + n].to_vec());
        members(bytes.len() as u64, &read).map_err(|w| match w {
            Wrong::Archive(why) => why,
            Wrong::Machine(d) => d.message,
        })
    }

    #[test]
    fn what_is_written_is_read_and_no_damage_panics() {
        let one = |v: Vec<f32>| Tensor::new(vec![v.len()], Data::F32(v));
        let whole = write(&[("a.b".into(), one(vec![1.0, 2.0])), ("c".into(), one(vec![]))]).unwrap();
        let found = open(&whole).unwrap();
        let header = |m: &Member| m.array.as_ref().unwrap().0.clone();
        assert_eq!(found.iter().map(|m| (m.name.as_str(), header(m).shape[0])).collect::<Vec<_>>(), [("a.b", 2), ("c", 0)]);
        assert_eq!(checked(0, b"123456789"), 0xcbf4_3926);
        assert_eq!(checked(checked(0, b"1234"), b"56789"), 0xcbf4_3926);
        for end in 0..whole.len() {
            assert!(open(&whole[..end]).is_err(), "cut at {end}");
        }
        // No byte of an array can be another.
        let Ok((first, Bytes::Stored(elements))) = &found[0].array else { panic!("it is stored") };
        for at in *elements as usize - first.start..*elements as usize + 8 {
            for bit in 0..8 {
                let mut wrong = whole.clone();
                wrong[at] ^= 1 << bit;
                assert!(open(&wrong).unwrap_err().contains("CRC-32"), "bit {bit} of byte {at}");
            }
        }
        for at in 0..whole.len() {
            for new in [0, 1, 0x7f, 0xff, whole[at] ^ 8] {
                let mut wrong = whole.clone();
                wrong[at] = new;
                let _ = open(&wrong);
            }
        }
    }
}
