//! `.npy`, NumPy's file for one array.
//!
//! In: bytes. Out: element type, shape, where the elements begin and how they lie; and back. The format is described in
//! `numpy.lib.format`. Elements may be big-endian or column-major, which [`Header::straight`] undoes; the length is exactly as the header
//! says. Types that are not read are told apart from damage: the file is whole, and its other arrays are of use.

use super::stored::Kind;
use crate::ir::{Data, Tensor};

/// The first bytes of every such file.
pub const MAGIC: &[u8] = b"\x93NUMPY";

/// What the header says; the elements are the bytes from `start` on.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    pub kind: Kind,
    pub shape: Vec<usize>,
    pub start: usize,
    /// Its elements have their high byte first.
    swapped: bool,
    /// Its first index runs fastest.
    columns: bool,
}

/// Why an array is not read.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// In words.
    Damaged(String),
    /// Its elements are of this type.
    Unread(String),
}

impl From<String> for Fault {
    fn from(why: String) -> Fault {
        Fault::Damaged(why)
    }
}

impl From<&str> for Fault {
    fn from(why: &str) -> Fault {
        Fault::Damaged(why.into())
    }
}

impl Header {
    /// Whether the elements lie as they are wanted: little-endian, row-major.
    pub fn is_straight(&self) -> bool {
        !self.swapped && !self.columns
    }

    /// Bytes of all elements.
    pub fn bytes(&self) -> usize {
        self.shape.iter().product::<usize>() * self.kind.width()
    }

    /// The elements as they are wanted.
    pub fn straight(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        let width = self.kind.width();
        if self.swapped {
            bytes.chunks_exact_mut(width).for_each(<[u8]>::reverse);
        }
        if !self.columns {
            return bytes;
        }
        // How far apart neighbours along each axis lie.
        let mut apart = vec![1; self.shape.len()];
        for k in 1..apart.len() {
            apart[k] = apart[k - 1] * self.shape[k - 1];
        }
        let mut out = Vec::with_capacity(bytes.len());
        let mut index = vec![0; self.shape.len()];
        for _ in 0..bytes.len() / width {
            let at: usize = index.iter().zip(&apart).map(|(i, n)| i * n).sum::<usize>() * width;
            out.extend_from_slice(&bytes[at..at + width]);
            for (i, n) in index.iter_mut().zip(&self.shape).rev() {
                *i += 1;
                if *i < *n {
                    break;
                }
                *i = 0;
            }
        }
        out
    }
}

/// Bytes that a header may have: shapes have a few sizes, and names of fields are not read.
const LONGEST: usize = 1 << 20;

/// Where the elements begin, from the first bytes of a file.
pub fn head(first: &[u8]) -> Result<usize, String> {
    let short = || "it ends within its header".to_string();
    if !first.starts_with(MAGIC) {
        return Err("it does not begin with the mark of a .npy file".into());
    }
    let size = first.get(8..10).ok_or_else(short)?;
    let start = match *first.get(6).ok_or_else(short)? {
        1 => 10 + usize::from(u16::from_le_bytes([size[0], size[1]])),
        2 | 3 => {
            let size = first.get(8..12).and_then(|b| b.first_chunk::<4>()).ok_or_else(short)?;
            (u32::from_le_bytes(*size) as usize).saturating_add(12)
        }
        v => return Err(format!("version {v} of the format is not known")),
    };
    if start > LONGEST { Err(format!("its header has {start} bytes")) } else { Ok(start) }
}

/// Reads the header, which is all of `bytes` or its beginning, and checks the length of the file; `Err` says what is wrong in words.
pub fn read(bytes: &[u8], length: u64) -> Result<Header, Fault> {
    let short = || "it ends within its header".to_string();
    let start = head(bytes)?;
    let from = if bytes[6] == 1 { 10 } else { 12 };
    let text = bytes.get(from..start).ok_or_else(short)?;
    let text = std::str::from_utf8(text).map_err(|_| "its header is not text".to_string())?;
    // Fields of a type may be called like what else the header has: it comes first, as NumPy sorts it.
    let (kind, swapped) = element(value(text, "descr")?).map_err(Fault::Unread)?;
    let columns = match value(text, "fortran_order")?.split([',', '}']).next().map(str::trim) {
        Some("False") => false,
        Some("True") => true,
        _ => return Err("its header does not say the order of the elements".into()),
    };
    let shape = sizes(value(text, "shape")?)?;
    // An array of one axis lies the same way in both orders.
    let columns = columns && shape.len() > 1;
    let wanted = shape.iter().try_fold(kind.width(), |n, s| n.checked_mul(*s)).ok_or("its shape is larger than any memory")?;
    let found = length.saturating_sub(start as u64);
    if wanted as u64 != found {
        return Err(format!("its shape {shape:?} needs {wanted} bytes and {found} follow the header").into());
    }
    Ok(Header { kind, shape, start, swapped, columns })
}

/// The text after `'key':`.
fn value<'a>(header: &'a str, key: &str) -> Result<&'a str, String> {
    let at = header.find(&format!("'{key}'")).ok_or_else(|| format!("its header has no '{key}'"))?;
    let rest = header[at + key.len() + 2..].trim_start();
    rest.strip_prefix(':').map(str::trim_start).ok_or_else(|| format!("its header is damaged after '{key}'"))
}

/// The type of the elements, and whether their high byte comes first; `Err`: one that is not read, by its name.
fn element(text: &str) -> Result<(Kind, bool), String> {
    let Some((word, _)) = text.strip_prefix('\'').and_then(|t| t.split_once('\'')) else {
        return Err("of several fields".into());
    };
    let kind = match word.trim_start_matches(['<', '>', '|']) {
        "f4" => Kind::F32,
        "f2" => Kind::F16,
        "f8" => Kind::F64,
        "i1" => Kind::I8,
        "i2" => Kind::I16,
        "i4" => Kind::I32,
        "i8" => Kind::I64,
        "u1" => Kind::U8,
        "u2" => Kind::U16,
        "u4" => Kind::U32,
        "u8" => Kind::U64,
        "b1" => Kind::Bool,
        _ => return Err(word.to_string()),
    };
    match word.as_bytes()[0] {
        b'<' => Ok((kind, false)),
        b'>' => Ok((kind, true)),
        b'|' if kind.width() == 1 => Ok((kind, false)),
        _ => Err(word.to_string()),
    }
}

fn sizes(text: &str) -> Result<Vec<usize>, String> {
    let inner = text.strip_prefix('(').and_then(|t| t.split_once(')')).map(|(i, _)| i).ok_or("its header has no shape")?;
    let parts = inner.split(',').map(str::trim).filter(|p| !p.is_empty());
    parts.map(|p| p.parse().map_err(|_| format!("its shape has the entry '{p}'"))).collect()
}

/// The bytes of a file with this tensor; f64 is written as f32.
pub fn write(tensor: &Tensor) -> Vec<u8> {
    let word = match &tensor.data {
        Data::F32(_) | Data::F64(_) => "<f4",
        Data::I32(_) => "<i4",
        Data::Bool(_) => "|b1",
    };
    let sizes: String = tensor.shape.iter().map(|n| format!("{n},")).collect();
    let mut header = format!("{{'descr': '{word}', 'fortran_order': False, 'shape': ({sizes}), }}");
    while !(10 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let mut out = MAGIC.to_vec();
    out.extend([1, 0]);
    out.extend((header.len() as u16).to_le_bytes());
    out.extend(header.as_bytes());
    out.extend(bytes(tensor));
    out
}

/// The elements as a file has them: f32, i32 or bool.
pub fn bytes(tensor: &Tensor) -> Vec<u8> {
    match &tensor.data {
        Data::F32(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Data::F64(v) => v.iter().flat_map(|x| (*x as f32).to_le_bytes()).collect(),
        Data::I32(v) => v.iter().flat_map(|x| x.to_le_bytes()).collect(),
        Data::Bool(v) => v.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_no_mutation_panics() {
        for shape in [vec![], vec![3], vec![2, 0], vec![2, 3]] {
            let n = shape.iter().product();
            let whole = write(&Tensor::new(shape.clone(), Data::F32(vec![1.5; n])));
            let header = read(&whole, whole.len() as u64).unwrap();
            assert_eq!((header.kind, header.shape, header.start % 64), (Kind::F32, shape, 0));
            for i in 0..whole.len() {
                assert!(read(&whole[..i], i as u64).is_err());
                for b in [0, 0xff, b'9', b'\'', b')', whole[i] ^ 1] {
                    let mut wrong = whole.clone();
                    wrong[i] = b;
                    let _ = read(&wrong, wrong.len() as u64);
                }
            }
        }
    }

    fn changed(from: &str, to: &str, tensor: &Tensor) -> Vec<u8> {
        let whole = write(tensor);
        let at = whole.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
        let mut out = whole.clone();
        out.splice(at..at + from.len(), to.bytes());
        out
    }

    #[test]
    fn what_is_not_read_says_why() {
        let with = |from: &str, to: &str| {
            let out = changed(from, to, &Tensor::new(vec![2, 3], Data::F32(vec![0.0; 6])));
            read(&out, out.len() as u64).unwrap_err()
        };
        assert_eq!(with("(2,3,)", "(2,4,)"), "its shape [2, 4] needs 32 bytes and 24 follow the header".into());
        assert_eq!(with("<f4", "<c8"), Fault::Unread("<c8".into()));
        assert_eq!(with("<f4", "|f4"), Fault::Unread("|f4".into()));
    }

    #[test]
    fn other_orders_of_bytes_and_elements_are_put_straight() {
        let tensor = Tensor::new(vec![2, 3], Data::I32(vec![1, 2, 3, 4, 5, 6]));
        let elements = |whole: &[u8]| {
            let header = read(whole, whole.len() as u64).unwrap();
            let straight = header.straight(whole[header.start..].to_vec());
            straight.chunks_exact(4).map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect::<Vec<_>>()
        };
        assert_eq!(elements(&changed("<i4", "<i4", &tensor)), [1, 2, 3, 4, 5, 6]);
        assert_eq!(elements(&changed("False", "True ", &tensor)), [1, 3, 5, 2, 4, 6]);
        assert_eq!(elements(&changed("<i4", ">i4", &tensor))[1], 2 << 24);
        let flat = Tensor::new(vec![3], Data::I32(vec![1, 2, 3]));
        assert_eq!(elements(&changed("False", "True ", &flat)), [1, 2, 3]);
        let deep = Tensor::new(vec![2, 1, 3, 2], Data::I32((0..12).collect()));
        assert_eq!(elements(&changed("False", "True ", &deep)), [0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11]);
    }
}
