//! Values of batches that come together.
//!
//! In: tensors, batch by batch. Out: one tensor. Promised: sums are of 64 bits; NaN stays NaN in extremes, too; what cannot be
//! brought together has no value instead of a wrong one.

use super::cut::Join;
use super::rows::Combine;
use crate::ir::{DType, Data, Tensor};

/// What has come together so far.
#[derive(Clone, Debug)]
pub struct Joined {
    join: Join,
    first: Option<(DType, Vec<usize>, Vec<f64>)>,
    /// Two batches that cannot be one.
    apart: bool,
}

impl Joined {
    pub fn new(join: Join) -> Joined {
        Joined { join, first: None, apart: false }
    }

    /// Takes what one batch gave.
    pub fn take(&mut self, t: &Tensor) {
        let Some((_, shape, values)) = &mut self.first else {
            self.first = Some((t.dtype(), t.shape.clone(), t.to_f64()));
            return;
        };
        if *shape != t.shape {
            self.apart = true;
            return;
        }
        let pairs = values.iter_mut().zip((0..t.len()).map(|i| t.get(i)));
        match self.join {
            Join::By(how) => pairs.for_each(|(a, b)| *a = combine(how, *a, b)),
            Join::Same => {
                let same = pairs.into_iter().all(|(a, b)| *a == b || (a.is_nan() && b.is_nan()));
                self.apart |= !same;
            }
            Join::Once => self.apart = true,
        }
    }

    /// The value; none where there is no single one.
    pub fn tensor(&self) -> Option<Tensor> {
        let (dtype, shape, values) = self.first.as_ref().filter(|_| !self.apart)?;
        let data = match dtype {
            DType::F32 => Data::F64(values.clone()),
            // A sum that no whole number of 32 bits holds has no value as one.
            DType::I32 => Data::I32(values.iter().map(|v| whole(*v)).collect::<Option<_>>()?),
            DType::Bool => Data::Bool(values.iter().map(|v| u8::from(*v != 0.0)).collect()),
        };
        Some(Tensor::new(shape.clone(), data))
    }
}

fn whole(v: f64) -> Option<i32> {
    (v >= f64::from(i32::MIN) && v <= f64::from(i32::MAX)).then_some(v as i32)
}

fn combine(how: Combine, a: f64, b: f64) -> f64 {
    match how {
        Combine::Add => a + b,
        Combine::Mul => a * b,
        Combine::Max if a.is_nan() || b.is_nan() => f64::NAN,
        Combine::Min if a.is_nan() || b.is_nan() => f64::NAN,
        Combine::Max => a.max(b),
        Combine::Min => a.min(b),
        Combine::Any => f64::from(a != 0.0 || b != 0.0),
        Combine::All => f64::from(a != 0.0 && b != 0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(join: Join, values: &[f64]) -> Option<f64> {
        let mut joined = Joined::new(join);
        values.iter().for_each(|v| joined.take(&Tensor::new(vec![], Data::F64(vec![*v]))));
        joined.tensor().map(|t| t.get(0))
    }

    #[test]
    fn each_comes_together_in_its_way() {
        let by = |how| all(Join::By(how), &[3.0, -1.0, 2.0]);
        assert_eq!(by(Combine::Add), Some(4.0));
        assert_eq!(by(Combine::Mul), Some(-6.0));
        assert_eq!((by(Combine::Max), by(Combine::Min)), (Some(3.0), Some(-1.0)));
        assert!(all(Join::By(Combine::Max), &[f64::NAN, 1.0]).unwrap().is_nan());
        assert!(all(Join::By(Combine::Min), &[1.0, f64::NAN]).unwrap().is_nan());
        assert_eq!((all(Join::Same, &[2.0, 2.0]), all(Join::Same, &[2.0, 3.0])), (Some(2.0), None));
        assert_eq!((all(Join::Once, &[2.0]), all(Join::Once, &[2.0, 2.0])), (Some(2.0), None));
        let mut counts = Joined::new(Join::By(Combine::Add));
        let one = Tensor::new(vec![1], Data::I32(vec![i32::MAX]));
        counts.take(&one);
        assert_eq!(counts.tensor(), Some(one.clone()));
        counts.take(&one);
        assert_eq!(counts.tensor(), None);
    }
}
