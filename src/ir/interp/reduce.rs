//! Pointwise functions, folds, contractions, running sums.

use super::nest::{Rows, Walk};
use crate::ir::scalar::{Scalar, binary, larger, smaller};
use crate::ir::{DType, Fold, Map};

/// An operand as a loop nest reads it: elements, and one stride for each loop.
pub struct Read<'a> {
    pub data: &'a [f64],
    pub strides: Vec<usize>,
    pub dtype: DType,
}

fn all_strides(reads: &[Read], from: usize) -> Vec<Vec<usize>> {
    reads.iter().map(|r| r.strides[from..].to_vec()).collect()
}

/// A scalar function at every point.
pub fn map(map: Map, reads: &[Read], shape: &[usize], out: &mut Vec<f64>) {
    // The condition of a select says nothing about its type; every other first operand does.
    let function = map.meaning(reads[0].dtype);
    let Rows { outer, extent, steps } = Rows::new(shape, all_strides(reads, 0));
    outer.each(|w| match &function {
        Scalar::One(f) => {
            let (a, s) = (&reads[0].data, steps[0]);
            out.extend((0..extent).map(|j| f(a[w.at[0] + j * s])));
        }
        Scalar::Two(f) => {
            let (a, b) = (&reads[0].data, &reads[1].data);
            out.extend((0..extent).map(|j| f(a[w.at[0] + j * steps[0]], b[w.at[1] + j * steps[1]])));
        }
        Scalar::Select => out.extend((0..extent).map(|j| {
            let of = |n: usize| reads[n].data[w.at[n] + j * steps[n]];
            if of(0) != 0.0 { of(1) } else { of(2) }
        })),
    });
}

/// What a fold starts with, and how it goes on.
pub(super) fn rule(fold: Fold, dtype: DType) -> (f64, fn(f64, f64) -> f64) {
    let (least, most) = match dtype {
        DType::I32 => (f64::from(i32::MIN), f64::from(i32::MAX)),
        DType::F32 | DType::Bool => (f64::NEG_INFINITY, f64::INFINITY),
    };
    match fold {
        Fold::Sum => (0.0, binary(Map::Add, dtype)),
        Fold::Prod => (1.0, binary(Map::Mul, dtype)),
        Fold::Max => (least, larger),
        Fold::Min => (most, smaller),
        // The first NaN is the best there is.
        Fold::Argmax => (least, |acc, x| if x > acc || (x.is_nan() && !acc.is_nan()) { x } else { acc }),
        Fold::Argmin => (most, |acc, x| if x < acc || (x.is_nan() && !acc.is_nan()) { x } else { acc }),
        Fold::Any => (0.0, binary(Map::Or, dtype)),
        Fold::All => (1.0, binary(Map::And, dtype)),
    }
}

/// A product of any number of factors: no part of it leaves what a number can hold.
struct Scaled {
    /// In 0.5..1, or 0, or not finite.
    part: f64,
    power: i64,
}

impl Scaled {
    fn times(&mut self, x: f64) {
        let (part, power) = libm::frexp(self.part * x);
        *self = Scaled { part, power: self.power + i64::from(power) };
    }

    fn value(&self) -> f64 {
        libm::ldexp(self.part, self.power.clamp(-3000, 3000) as i32)
    }
}

/// The product of real factors over the inner loops.
fn product(read: &Read, shape: &[usize], inner: &[usize], out: &mut Vec<f64>) {
    let mut terms = Walk::new(inner, vec![read.strides[shape.len()..].to_vec()]);
    Walk::new(shape, vec![read.strides.clone()]).each(|w| {
        let mut all = Scaled { part: 1.0, power: 0 };
        let mut more = terms.start(&w.at);
        while more {
            all.times(read.data[terms.at[0]]);
            more = terms.step();
        }
        out.push(all.value());
    });
}

/// Folds one operand over the inner loops.
pub fn fold(fold: Fold, read: &Read, shape: &[usize], inner: &[usize], out: &mut Vec<f64>) {
    if fold == Fold::Prod && read.dtype == DType::F32 {
        return product(read, shape, inner, out);
    }
    let (start, step) = rule(fold, read.dtype);
    let counts = match fold {
        Fold::Argmax | Fold::Argmin => true,
        Fold::Sum | Fold::Prod | Fold::Max | Fold::Min | Fold::Any | Fold::All => false,
    };
    let Rows { outer: mut rows, extent, steps } = Rows::new(inner, vec![read.strides[shape.len()..].to_vec()]);
    Walk::new(shape, vec![read.strides.clone()]).each(|w| {
        let (mut acc, mut best) = (start, 0);
        let mut more = rows.start(&w.at);
        while more {
            for j in 0..extent {
                let next = step(acc, read.data[rows.at[0] + j * steps[0]]);
                if counts && next.to_bits() != acc.to_bits() {
                    best = j;
                }
                acc = next;
            }
            more = rows.step();
        }
        out.push(if counts { best as f64 } else { acc });
    });
}

/// From this extent on, the last loop of a contraction's result goes inside the loops that are summed.
const ROW: usize = 8;

/// The product of all operands, summed over the inner loops, in their order.
pub fn contract(reads: &[Read], shape: &[usize], inner: &[usize], out: &mut Vec<f64>) {
    match shape.last() {
        Some(n) if *n >= ROW && reads[0].dtype == DType::F32 => contract_rows(reads, shape, inner, out),
        Some(_) | None => contract_points(reads, shape, inner, out),
    }
}

/// A row of the result at a time: every sum of it takes one more product, then all the next. Each element's sum has the same
/// order as point by point, but none waits for another.
fn contract_rows(reads: &[Read], shape: &[usize], inner: &[usize], out: &mut Vec<f64>) {
    let Rows { outer, extent, steps } = Rows::new(shape, all_strides(reads, 0));
    let mut summed = Walk::new(inner, all_strides(reads, shape.len()));
    outer.each(|w| {
        let start = out.len();
        out.resize(start + extent, 0.0);
        let row = &mut out[start..];
        let mut more = summed.start(&w.at);
        while more {
            let at = &summed.at;
            match reads {
                [a, b] => add_products(row, (&a.data[at[0]..], steps[0]), (&b.data[at[1]..], steps[1])),
                _ => row.iter_mut().enumerate().for_each(|(j, sum)| {
                    let factors = reads.iter().zip(at).zip(&steps);
                    *sum += factors.map(|((r, at), step)| r.data[at + j * step]).product::<f64>();
                }),
            }
            more = summed.step();
        }
    });
}

/// Adds to each sum of a row the product of what lies so many steps on in each factor. Most of what an oracle does, it does here.
fn add_products(row: &mut [f64], (a, s): (&[f64], usize), (b, t): (&[f64], usize)) {
    let n = row.len();
    match (s, t) {
        (0, 1) => row.iter_mut().zip(&b[..n]).for_each(|(sum, b)| *sum += a[0] * b),
        (1, 0) => row.iter_mut().zip(&a[..n]).for_each(|(sum, a)| *sum += a * b[0]),
        (1, 1) => row.iter_mut().zip(&a[..n]).zip(&b[..n]).for_each(|((sum, a), b)| *sum += a * b),
        _ => row.iter_mut().enumerate().for_each(|(j, sum)| *sum += a[j * s] * b[j * t]),
    }
}

/// A point of the result at a time.
fn contract_points(reads: &[Read], shape: &[usize], inner: &[usize], out: &mut Vec<f64>) {
    let Rows { outer: mut rows, extent, steps } = Rows::new(inner, all_strides(reads, shape.len()));
    let whole = reads[0].dtype == DType::I32;
    Walk::new(shape, all_strides(reads, 0)).each(|w| {
        let mut sum = 0.0;
        let mut more = rows.start(&w.at);
        while more {
            let at = &rows.at;
            sum = match reads {
                _ if whole => whole_row(reads, at, &steps, extent, sum),
                [a] => (0..extent).fold(sum, |s, j| s + a.data[at[0] + j * steps[0]]),
                [a, b] => (0..extent).fold(sum, |s, j| s + a.data[at[0] + j * steps[0]] * b.data[at[1] + j * steps[1]]),
                _ => (0..extent).fold(sum, |s, j| {
                    let factors = reads.iter().zip(at).zip(&steps);
                    s + factors.map(|((r, at), step)| r.data[at + j * step]).product::<f64>()
                }),
            };
            more = rows.step();
        }
        out.push(sum);
    });
}

/// A point of the result at a time, without the terms where a guard is false: their factors are not multiplied.
pub fn contract_guarded(reads: &[Read], shape: &[usize], inner: &[usize], out: &mut Vec<f64>) {
    let numbers = reads.iter().filter(|r| r.dtype != DType::Bool).count();
    let (numbers, guards) = reads.split_at(numbers);
    let mut terms = Walk::new(inner, all_strides(reads, shape.len()));
    let steps = vec![0; numbers.len()];
    let whole = numbers[0].dtype == DType::I32;
    Walk::new(shape, all_strides(reads, 0)).each(|w| {
        let mut sum = 0.0;
        let mut more = terms.start(&w.at);
        while more {
            let (at, held) = terms.at.split_at(numbers.len());
            if guards.iter().zip(held).all(|(g, at)| g.data[*at] != 0.0) {
                sum = match whole {
                    true => whole_row(numbers, at, &steps, 1, sum),
                    false => sum + numbers.iter().zip(at).map(|(r, at)| r.data[*at]).product::<f64>(),
                };
            }
            more = terms.step();
        }
        out.push(sum);
    });
}

/// A row of products of whole numbers, wrapping at 32 bits.
fn whole_row(reads: &[Read], at: &[usize], steps: &[usize], extent: usize, sum: f64) -> f64 {
    let mut sum = sum as i32;
    for j in 0..extent {
        let factors = reads.iter().zip(at).zip(steps);
        let product = factors.fold(1i32, |p, ((r, at), step)| p.wrapping_mul(r.data[at + j * step] as i32));
        sum = sum.wrapping_add(product);
    }
    f64::from(sum)
}

/// Running sum along loop `axis`.
pub fn scan(axis: usize, read: &Read, shape: &[usize], out: &mut Vec<f64>) {
    let add = binary(Map::Add, read.dtype);
    let back: usize = shape[axis + 1..].iter().product();
    Walk::new(shape, vec![read.strides.clone()]).each(|w| {
        let here = read.data[w.at[0]];
        let sum = if w.counter[axis] == 0 { here } else { add(out[out.len() - back], here) };
        out.push(sum);
    });
}
