//! A tensor as it lies in a file, and its conversion to what a model wants.
//!
//! In: an element type, a shape, bytes. Out: [`Data`] of one of the model's three types. Promised: a conversion loses
//! nothing but rounding of f64, and what cannot be converted is a diagnostic that says where.

use crate::diag::{Code, Diagnostic};
use crate::ir::{DType, Data, Tensor, type_text};
use half::{bf16, f16};
use std::fs::File;
use std::io::ErrorKind;
use std::ops::Range;
use std::sync::Mutex;

/// Element types of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    F32,
    F16,
    Bf16,
    F64,
    /// Eight bits: four of exponent, three of mantissa, no infinities (`float8_e4m3fn`).
    F8E4M3,
    /// Eight bits: five of exponent, two of mantissa, as IEEE 754 would have it.
    F8E5M2,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    Bool,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Kind::F32 => "f32",
            Kind::F16 => "f16",
            Kind::Bf16 => "bf16",
            Kind::F64 => "f64",
            Kind::F8E4M3 => "f8_e4m3",
            Kind::F8E5M2 => "f8_e5m2",
            Kind::I8 => "i8",
            Kind::I16 => "i16",
            Kind::I32 => "i32",
            Kind::I64 => "i64",
            Kind::U8 => "u8",
            Kind::U16 => "u16",
            Kind::U32 => "u32",
            Kind::U64 => "u64",
            Kind::Bool => "bool",
        }
    }

    /// Whole numbers, which a model has as i32.
    pub fn is_whole(self) -> bool {
        match self {
            Kind::I8 | Kind::I16 | Kind::I32 | Kind::I64 | Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 => true,
            Kind::F32 | Kind::F16 | Kind::Bf16 | Kind::F64 | Kind::F8E4M3 | Kind::F8E5M2 | Kind::Bool => false,
        }
    }

    /// Bytes of one element.
    pub fn width(self) -> usize {
        match self {
            Kind::F64 | Kind::I64 | Kind::U64 => 8,
            Kind::F32 | Kind::I32 | Kind::U32 => 4,
            Kind::F16 | Kind::Bf16 | Kind::I16 | Kind::U16 => 2,
            Kind::F8E4M3 | Kind::F8E5M2 | Kind::I8 | Kind::U8 | Kind::Bool => 1,
        }
    }
}

/// A tensor in a file.
#[derive(Clone, Debug)]
pub struct Stored<'a> {
    pub name: &'a str,
    /// The file, as the user wrote it.
    pub file: &'a str,
    pub kind: Kind,
    pub shape: &'a [usize],
    /// Little-endian, row-major, exactly as many as kind and shape say.
    pub place: Place<'a>,
}

/// Where the bytes of a tensor are.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    Memory(&'a [u8]),
    File { file: &'a Mutex<File>, start: u64 },
}

impl Place<'_> {
    /// Some of the bytes; `name` is the file's.
    pub fn read(&self, name: &str, from: usize, length: usize) -> Result<Vec<u8>, Diagnostic> {
        let lost = |why: String| Diagnostic::plain(Code::H0608, format!("`{name}` cannot be read to its end")).note(why);
        match self {
            Place::Memory(bytes) => {
                let part = bytes.get(from..from + length);
                part.map(<[u8]>::to_vec).ok_or_else(|| lost("there are fewer bytes than it says".into()))
            }
            Place::File { file, start } => {
                let mut out = Vec::new();
                out.try_reserve_exact(length).map_err(|_| no_memory(name, length))?;
                out.resize(length, 0);
                let mut file = file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                fill(&mut file, start + from as u64, &mut out).map_err(|e| match e.kind() {
                    ErrorKind::UnexpectedEof => lost("it was cut short while it was read".into()),
                    _ => lost(e.to_string()),
                })?;
                Ok(out)
            }
        }
    }
}

/// Reads from a place in a file, in one call where the system has one.
fn fill(file: &mut File, start: u64, out: &mut [u8]) -> std::io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_exact_at(file, out, start);
    #[cfg(not(unix))]
    {
        use std::io::{Read, Seek, SeekFrom};
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(out)
    }
}

fn no_memory(name: &str, length: usize) -> Diagnostic {
    Diagnostic::plain(Code::H0801, format!("there is no memory for `{name}`"))
        .note(format!("{length} bytes of it are wanted at once"))
}

/// Elements that are read and converted at a time.
const STRETCH: usize = 1 << 20;

impl Stored<'_> {
    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `f16[3, 4]`
    pub fn describe(&self) -> String {
        type_text(self.kind.word(), self.shape)
    }

    /// The whole tensor as the model wants it.
    pub fn load(&self, want: DType) -> Result<Tensor, Diagnostic> {
        Ok(Tensor::new(self.shape.to_vec(), self.part(want, 0..self.len())?))
    }

    /// Elements `range` (row-major) as the model wants them.
    pub fn part(&self, want: DType, range: Range<usize>) -> Result<Data, Diagnostic> {
        let mut out = super::memory::zeros(self.name, want, vec![range.len()])?.data;
        let mut at = range.start;
        while at < range.end {
            let end = range.end.min(at + STRETCH);
            out.put(at - range.start, &self.stretch(want, at..end)?);
            at = end;
        }
        Ok(out)
    }

    fn stretch(&self, want: DType, range: Range<usize>) -> Result<Data, Diagnostic> {
        let width = self.kind.width();
        let bytes = &self.place.read(self.file, range.start * width, range.len() * width)?;
        let first = range.start;
        Ok(match want {
            DType::F32 => Data::F32(self.floats(bytes, first)?),
            DType::I32 => Data::I32(self.whole(bytes, want, first, |v| i32::try_from(v).ok())?),
            DType::Bool => Data::Bool(self.whole(bytes, want, first, |v| u8::try_from(v).ok().filter(|v| *v < 2))?),
        })
    }

    /// The given rows of the first axis, in this order; runs of neighbours are read at once.
    pub fn rows(&self, want: DType, rows: &[usize]) -> Result<Tensor, Diagnostic> {
        let each: usize = self.shape[1..].iter().product();
        let mut out = super::memory::zeros(self.name, want, [&[rows.len()], &self.shape[1..]].concat())?;
        let mut done = 0;
        while done < rows.len() {
            let run = (done + 1..rows.len()).find(|k| rows[*k] != rows[done] + k - done).unwrap_or(rows.len()) - done;
            let part = self.part(want, rows[done] * each..(rows[done] + run) * each)?;
            out.data.put(done * each, &part);
            done += run;
        }
        Ok(out)
    }

    fn floats(&self, bytes: &[u8], first: usize) -> Result<Vec<f32>, Diagnostic> {
        Ok(match self.kind {
            Kind::F32 => words(bytes).map(f32::from_le_bytes).collect(),
            Kind::F16 => words(bytes).map(|w| f16::from_le_bytes(w).to_f32()).collect(),
            Kind::Bf16 => words(bytes).map(|w| bf16::from_le_bytes(w).to_f32()).collect(),
            Kind::F64 => {
                let fits = |(i, v): (usize, f64)| match v as f32 {
                    x if x.is_infinite() && v.is_finite() => Err(self.does_not_fit(DType::F32, first + i, &format!("{v:e}"))),
                    x => Ok(x),
                };
                words(bytes).map(f64::from_le_bytes).enumerate().map(fits).collect::<Result<_, _>>()?
            }
            Kind::F8E4M3 => bytes.iter().map(|b| small_float(*b, 4, false)).collect(),
            Kind::F8E5M2 => bytes.iter().map(|b| small_float(*b, 5, true)).collect(),
            Kind::I8 | Kind::I16 | Kind::I32 | Kind::I64 | Kind::U8 | Kind::U16 | Kind::U32 | Kind::U64 | Kind::Bool => {
                let exact = |v: i64| ((v as f32) as i64 == v && v.unsigned_abs() < 1 << 60).then_some(v as f32);
                self.whole(bytes, DType::F32, first, exact)?
            }
        })
    }

    fn whole<T>(
        &self,
        bytes: &[u8],
        want: DType,
        first: usize,
        convert: impl Fn(i64) -> Option<T>,
    ) -> Result<Vec<T>, Diagnostic> {
        let check = |(i, v): (usize, i64)| convert(v).ok_or_else(|| self.does_not_fit(want, first + i, &v.to_string()));
        match self.kind {
            Kind::I8 => bytes.iter().map(|v| i64::from(*v as i8)).enumerate().map(check).collect(),
            Kind::I16 => words(bytes).map(|w| i16::from_le_bytes(w).into()).enumerate().map(check).collect(),
            Kind::U16 => words(bytes).map(|w| u16::from_le_bytes(w).into()).enumerate().map(check).collect(),
            Kind::U32 => words(bytes).map(|w| u32::from_le_bytes(w).into()).enumerate().map(check).collect(),
            Kind::U64 => {
                let far = |v: u64| i64::try_from(v).unwrap_or(i64::MAX);
                words(bytes).map(|w| far(u64::from_le_bytes(w))).enumerate().map(check).collect()
            }
            Kind::I32 => words(bytes).map(|w| i32::from_le_bytes(w).into()).enumerate().map(check).collect(),
            Kind::I64 => words(bytes).map(i64::from_le_bytes).enumerate().map(check).collect(),
            Kind::U8 => bytes.iter().map(|v| i64::from(*v)).enumerate().map(check).collect(),
            Kind::Bool => bytes.iter().map(|v| i64::from(*v != 0)).enumerate().map(check).collect(),
            Kind::F32 | Kind::F16 | Kind::Bf16 | Kind::F64 | Kind::F8E4M3 | Kind::F8E5M2 => Err(self.wrong_type(want)),
        }
    }

    fn does_not_fit(&self, want: DType, at: usize, value: &str) -> Diagnostic {
        let place = position(self.shape, at);
        Diagnostic::plain(Code::H0606, format!("`{}` in `{}` has a value that {} cannot hold", self.name, self.file, want.word()))
            .note(format!("{value} at {place} of {}", self.describe()))
    }

    fn wrong_type(&self, want: DType) -> Diagnostic {
        let shape = type_text(want.word(), self.shape);
        Diagnostic::plain(Code::H0616, format!("`{}` in `{}` has the wrong type", self.name, self.file))
            .note(format!("the file has  {}", self.describe()))
            .note(format!("the model wants {shape}"))
    }
}

/// A number of eight bits with so many bits of exponent. `whole`: the highest exponent is for infinities and NaN; else NaN alone has all bits.
fn small_float(byte: u8, exponent: u32, whole: bool) -> f32 {
    let mantissa = 7 - exponent;
    let (e, m) = (i32::from(byte & 0x7f) >> mantissa, f32::from(byte & ((1 << mantissa) - 1)) / (1 << mantissa) as f32);
    let (most, bias) = ((1 << exponent) - 1, (1 << (exponent - 1)) - 1);
    let size = match e {
        _ if whole && e == most => {
            if m == 0.0 {
                f32::INFINITY
            } else {
                f32::NAN
            }
        }
        _ if !whole && byte & 0x7f == 0x7f => f32::NAN,
        0 => m * 2f32.powi(1 - bias),
        e => (1.0 + m) * 2f32.powi(e - bias),
    };
    if byte & 0x80 == 0 { size } else { -size }
}

/// The index along each axis of element `at` in row-major order.
pub fn coordinates(shape: &[usize], at: usize) -> Vec<usize> {
    let mut rest = at;
    let mut out = Vec::new();
    for n in shape.iter().rev() {
        out.push(rest % (*n).max(1));
        rest /= (*n).max(1);
    }
    out.reverse();
    out
}

/// The position of element `at` in row-major order: `[2, 0, 7]`.
pub fn position(shape: &[usize], at: usize) -> String {
    place(&coordinates(shape, at))
}

/// `[2, 0, 7]`
pub fn place(coordinates: &[usize]) -> String {
    format!("[{}]", coordinates.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
}

fn words<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes.chunks_exact(N).map(|w| w.try_into().expect("chunks have this length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored<'a>(kind: Kind, shape: &'a [usize], bytes: &'a [u8]) -> Stored<'a> {
        Stored { name: "x", file: "f", kind, shape, place: Place::Memory(bytes) }
    }

    #[test]
    fn numbers_of_eight_bits_are_those_of_the_tables() {
        let four = |b| small_float(b, 4, false);
        let five = |b| small_float(b, 5, true);
        assert_eq!(
            [four(0x38), four(0x7e), four(0x01), four(0x08), four(0xb8)],
            [1.0, 448.0, 2f32.powi(-9), 2f32.powi(-6), -1.0]
        );
        assert!(four(0x7f).is_nan() && four(0xff).is_nan() && four(0x78) == 256.0 && four(0x80).is_sign_negative());
        assert_eq!(
            [five(0x3c), five(0x7b), five(0x01), five(0x7c), five(0xfc)],
            [1.0, 57344.0, 2f32.powi(-16), f32::INFINITY, f32::NEG_INFINITY]
        );
        assert!(five(0x7d).is_nan() && five(0x7f).is_nan());
        let whole = [0x80u8, 0xff, 0x7f];
        assert_eq!(stored(Kind::I8, &[3], &whole).load(DType::I32).unwrap().data, Data::I32(vec![-128, -1, 127]));
        assert_eq!(stored(Kind::I16, &[1], &whole[..2]).load(DType::F32).unwrap().data, Data::F32(vec![-128.0]));
        assert_eq!(stored(Kind::U16, &[1], &whole[..2]).load(DType::I32).unwrap().data, Data::I32(vec![65408]));
        assert_eq!(stored(Kind::U64, &[1], &[0xff; 8]).load(DType::I32).unwrap_err().code, Code::H0606);
        assert_eq!(stored(Kind::F8E4M3, &[1], &[0x38]).load(DType::F32).unwrap().data, Data::F32(vec![1.0]));
    }

    #[test]
    fn what_fits_is_converted_and_what_does_not_says_where() {
        let bytes: Vec<u8> = [1i64, -2, 1 << 40].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(stored(Kind::I64, &[2], &bytes[..16]).load(DType::I32).unwrap().data, Data::I32(vec![1, -2]));
        let said = stored(Kind::I64, &[1, 3], &bytes).load(DType::I32).unwrap_err();
        assert_eq!((said.code, said.notes[0].as_str()), (Code::H0606, "1099511627776 at [0, 2] of i64[1, 3]"));
        assert_eq!(stored(Kind::I64, &[3], &bytes).load(DType::F32).unwrap().get(2), (1u64 << 40) as f64);
        let half: Vec<u8> = [f16::from_f32(0.5), f16::from_f32(-3.0)].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(stored(Kind::F16, &[2], &half).load(DType::F32).unwrap().data, Data::F32(vec![0.5, -3.0]));
        assert_eq!(stored(Kind::F16, &[2], &half).load(DType::I32).unwrap_err().code, Code::H0616);
        assert_eq!(stored(Kind::U8, &[2], &[0, 2]).load(DType::Bool).unwrap_err().code, Code::H0606);
        let large: Vec<u8> = [1e30, -1e300].iter().flat_map(|v: &f64| v.to_le_bytes()).collect();
        let said = stored(Kind::F64, &[2], &large).load(DType::F32).unwrap_err();
        assert_eq!((said.code, said.notes[0].as_str()), (Code::H0606, "-1e300 at [1] of f64[2]"));
        let kept: Vec<u8> = [1e30, f64::INFINITY].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(stored(Kind::F64, &[2], &kept).load(DType::F32).unwrap().data, Data::F32(vec![1e30, f32::INFINITY]));
        assert_eq!(stored(Kind::U8, &[2], &[0, 2]).load(DType::F32).unwrap().data, Data::F32(vec![0.0, 2.0]));
    }
}
