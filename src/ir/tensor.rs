//! Dense tensors, row-major, as they come from files and go to people.

use super::{DType, Sym};
use crate::diag::{Code, Diagnostic};
use std::collections::BTreeMap;
use std::ops::Range;

/// The elements. The interpreter gives `F64` for values that the graph calls f32.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    F32(Vec<f32>),
    F64(Vec<f64>),
    I32(Vec<i32>),
    /// 0 or 1
    Bool(Vec<u8>),
}

impl Data {
    /// The elements as words of 32 bits, as compiled code wants them: f64 rounded to f32, a bool as 0 or 1.
    pub fn words(&self) -> Vec<u32> {
        match self {
            Data::F32(v) => v.iter().map(|x| x.to_bits()).collect(),
            Data::F64(v) => v.iter().map(|x| (*x as f32).to_bits()).collect(),
            Data::I32(v) => v.iter().map(|x| *x as u32).collect(),
            Data::Bool(v) => v.iter().map(|x| u32::from(*x != 0)).collect(),
        }
    }

    /// The elements `range`.
    pub fn slice(&self, range: Range<usize>) -> Data {
        match self {
            Data::F32(v) => Data::F32(v[range].to_vec()),
            Data::F64(v) => Data::F64(v[range].to_vec()),
            Data::I32(v) => Data::I32(v[range].to_vec()),
            Data::Bool(v) => Data::Bool(v[range].to_vec()),
        }
    }

    /// Adds elements of the same type at the end.
    pub fn append(&mut self, from: Data) {
        match (self, from) {
            (Data::F32(to), Data::F32(from)) => to.extend(from),
            (Data::F64(to), Data::F64(from)) => to.extend(from),
            (Data::I32(to), Data::I32(from)) => to.extend(from),
            (Data::Bool(to), Data::Bool(from)) => to.extend(from),
            _ => unreachable!("both sides have one type"),
        }
    }

    /// Adds some elements of another of the same type at the end.
    pub fn append_part(&mut self, from: &Data, range: Range<usize>) {
        match (self, from) {
            (Data::F32(to), Data::F32(from)) => to.extend_from_slice(&from[range]),
            (Data::F64(to), Data::F64(from)) => to.extend_from_slice(&from[range]),
            (Data::I32(to), Data::I32(from)) => to.extend_from_slice(&from[range]),
            (Data::Bool(to), Data::Bool(from)) => to.extend_from_slice(&from[range]),
            _ => unreachable!("both sides have one type"),
        }
    }

    /// Room for so many more elements, where there is memory; else they come as they come.
    pub fn reserve(&mut self, more: usize) {
        let _ = match self {
            Data::F32(v) => v.try_reserve_exact(more),
            Data::F64(v) => v.try_reserve_exact(more),
            Data::I32(v) => v.try_reserve_exact(more),
            Data::Bool(v) => v.try_reserve_exact(more),
        };
    }

    /// Overwrites elements from `at` on; both have the same type.
    pub fn put(&mut self, at: usize, from: &Data) {
        match (self, from) {
            (Data::F32(to), Data::F32(from)) => to[at..at + from.len()].copy_from_slice(from),
            (Data::F64(to), Data::F64(from)) => to[at..at + from.len()].copy_from_slice(from),
            (Data::I32(to), Data::I32(from)) => to[at..at + from.len()].copy_from_slice(from),
            (Data::Bool(to), Data::Bool(from)) => to[at..at + from.len()].copy_from_slice(from),
            _ => unreachable!("both sides have one type"),
        }
    }
}

/// A type as people read it: `f32[3, 4]`, `i32`.
pub fn type_text(word: &str, shape: &[impl std::fmt::Display]) -> String {
    if shape.is_empty() {
        return word.to_string();
    }
    let sizes: Vec<String> = shape.iter().map(ToString::to_string).collect();
    format!("{word}[{}]", sizes.join(", "))
}

/// A dense tensor, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    pub shape: Vec<usize>,
    pub data: Data,
}

impl Tensor {
    /// Panics unless the number of elements fits the shape.
    pub fn new(shape: Vec<usize>, data: Data) -> Tensor {
        let tensor = Tensor { shape, data };
        assert_eq!(tensor.shape.iter().product::<usize>(), tensor.len(), "a tensor's data fits its shape");
        tensor
    }

    pub fn len(&self) -> usize {
        match &self.data {
            Data::F32(v) => v.len(),
            Data::F64(v) => v.len(),
            Data::I32(v) => v.len(),
            Data::Bool(v) => v.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element type; f64 counts as f32.
    pub fn dtype(&self) -> DType {
        match &self.data {
            Data::F32(_) | Data::F64(_) => DType::F32,
            Data::I32(_) => DType::I32,
            Data::Bool(_) => DType::Bool,
        }
    }

    /// Element `i` in row-major order.
    pub fn get(&self, i: usize) -> f64 {
        match &self.data {
            Data::F32(v) => v[i].into(),
            Data::F64(v) => v[i],
            Data::I32(v) => v[i].into(),
            Data::Bool(v) => v[i].into(),
        }
    }

    /// The value that is given for a source. Errors: there is none, or it has another type or shape than the source.
    pub fn given<'a>(path: &str, value: Option<&'a Tensor>, dtype: DType, shape: &[usize]) -> Result<&'a Tensor, Diagnostic> {
        let Some(t) = value else {
            return Err(Diagnostic::plain(Code::H0601, format!("no value is given for `{path}`")));
        };
        if t.dtype() != dtype || t.shape != shape {
            let (wanted, got) = (type_text(dtype.word(), shape), type_text(t.dtype().word(), &t.shape));
            return Err(Diagnostic::plain(Code::H0602, format!("`{path}` is {wanted}, but the value given is {got}")));
        }
        Ok(t)
    }

    /// Whether both have the same type, shape and bits: a NaN is the same as itself, and 0 differs from -0.
    pub fn same_bits(&self, other: &Tensor) -> bool {
        self.shape == other.shape
            && match (&self.data, &other.data) {
                (Data::F32(a), Data::F32(b)) => {
                    // Some at a time, which takes vectors: parameters are compared before each run.
                    let differ = |(a, b): (&[f32], &[f32])| a.iter().zip(b).fold(0, |d, (a, b)| d | (a.to_bits() ^ b.to_bits()));
                    a.len() == b.len() && a.chunks(256).zip(b.chunks(256)).all(|pair| differ(pair) == 0)
                }
                (Data::F64(a), Data::F64(b)) => a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits()),
                (Data::I32(a), Data::I32(b)) => a == b,
                (Data::Bool(a), Data::Bool(b)) => a == b,
                (Data::F32(_) | Data::F64(_) | Data::I32(_) | Data::Bool(_), _) => false,
            }
    }

    pub fn to_f64(&self) -> Vec<f64> {
        (0..self.len()).map(|i| self.get(i)).collect()
    }
}

/// What a graph is run on: a tensor for each source by its path (`seed` among them where the graph draws), and the free dims.
#[derive(Clone, Debug, Default)]
pub struct Bindings {
    pub sources: BTreeMap<String, Tensor>,
    pub sizes: BTreeMap<Sym, i64>,
}
