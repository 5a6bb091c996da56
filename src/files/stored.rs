//! A tensor as it lies in a file, and its conversion to what a model wants.
//!
//! In: an element type, a shape, bytes. Out: [`Data`] of one of the model's three types. Promised: a conversion loses
//! nothing but rounding of f64, and what cannot be converted is a diagnostic that says where.

use crate::diag::{Code, Diagnostic};
use crate::ir::{DType, Data, Tensor, type_text};
use half::{bf16, f16};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Mutex;

/// Element types of files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    F32,
    F16,
    Bf16,
    F64,
    I32,
    I64,
    U8,
    Bool,
}

impl Kind {
    pub fn word(self) -> &'static str {
        match self {
            Kind::F32 => "f32",
            Kind::F16 => "f16",
            Kind::Bf16 => "bf16",
            Kind::F64 => "f64",
            Kind::I32 => "i32",
            Kind::I64 => "i64",
            Kind::U8 => "u8",
            Kind::Bool => "bool",
        }
    }

    /// Bytes of one element.
    pub fn width(self) -> usize {
        match self {
            Kind::F64 | Kind::I64 => 8,
            Kind::F32 | Kind::I32 => 4,
            Kind::F16 | Kind::Bf16 => 2,
            Kind::U8 | Kind::Bool => 1,
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
                let mut file = file.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                file.seek(SeekFrom::Start(start + from as u64)).map_err(|e| lost(e.to_string()))?;
                (&mut *file).take(length as u64).read_to_end(&mut out).map_err(|e| lost(e.to_string()))?;
                match out.len() == length {
                    true => Ok(out),
                    false => Err(lost("it was cut short while it was read".into())),
                }
            }
        }
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
            Kind::I32 | Kind::I64 | Kind::U8 | Kind::Bool => {
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
            Kind::I32 => words(bytes).map(|w| i32::from_le_bytes(w).into()).enumerate().map(check).collect(),
            Kind::I64 => words(bytes).map(i64::from_le_bytes).enumerate().map(check).collect(),
            Kind::U8 => bytes.iter().map(|v| i64::from(*v)).enumerate().map(check).collect(),
            Kind::Bool => bytes.iter().map(|v| i64::from(*v != 0)).enumerate().map(check).collect(),
            Kind::F32 | Kind::F16 | Kind::Bf16 | Kind::F64 => Err(self.wrong_type(want)),
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

/// The position of element `at` in row-major order: `[2, 0, 7]`.
pub fn position(shape: &[usize], at: usize) -> String {
    let mut rest = at;
    let mut out: Vec<String> = Vec::new();
    for n in shape.iter().rev() {
        out.push((rest % (*n).max(1)).to_string());
        rest /= (*n).max(1);
    }
    out.reverse();
    format!("[{}]", out.join(", "))
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
