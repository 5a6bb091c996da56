//! Compile-time numbers as tensors.

use crate::check::Checker;
use crate::check::value::{Num, Tens};
use crate::ir::{self, DType, Map, Op, Size};

impl<'a> Checker<'a> {
    /// The same values as f32.
    #[expect(clippy::wrong_self_convention, reason = "it converts a tensor, not the checker")]
    pub fn to_f32(&mut self, t: &Tens) -> Tens {
        if t.dtype == DType::F32 {
            return t.clone();
        }
        if t.labels.is_empty()
            && let Op::Const(v) = self.build.at(t).op
        {
            return self.constant(v, DType::F32);
        }
        if let Op::Extent(size) = &self.build.at(t).op {
            let size = size.clone();
            return self.extent_value(&size, DType::F32);
        }
        self.pointwise(Map::ToF32, &[t]).expect("one operand aligns")
    }

    /// A number as a tensor: i32 where it is a size, f32 else.
    pub fn num_tens(&mut self, n: &Num) -> Tens {
        match n {
            Num::Real(v) => self.constant(*v, DType::F32),
            Num::Exact(s) => {
                let s = self.axes.resolve(s);
                match s.number() {
                    Some(v) if v.fract() != 0.0 => self.constant(v, DType::F32),
                    None if !surely_whole(&s) => self.num_f32(n),
                    Some(_) | None => self.size_value(&s),
                }
            }
        }
    }

    /// A number as an f32 scalar; unknown quotients are computed.
    pub fn num_f32(&mut self, n: &Num) -> Tens {
        match n {
            Num::Real(v) => self.constant(*v, DType::F32),
            Num::Exact(s) => {
                let s = self.axes.resolve(s);
                match s.number() {
                    Some(v) => self.constant(v, DType::F32),
                    None => {
                        let (top, bottom) = quotient(&s);
                        let integral =
                            |s: &Size| s.parts().all(|((_, d), f)| d == 1 && f.iter().all(|(a, p)| *p > 0 && !is_fractional(a)));
                        if !integral(&top) || !integral(&bottom) {
                            return self.num_parts(&s);
                        }
                        let a = self.extent_value(&top, DType::F32);
                        if bottom.is(1) {
                            return a;
                        }
                        let b = self.extent_value(&bottom, DType::F32);
                        self.pointwise(Map::Div, &[&a, &b]).expect("scalars align")
                    }
                }
            }
        }
    }

    /// A number term by term, for one that holds `max(n / 2, 1)`: no size is a fraction.
    fn num_parts(&mut self, s: &Size) -> Tens {
        use ir::size::{Atom, SizeFn};
        let mut sum = self.constant(0.0, DType::F32);
        for ((top, bottom), factors) in s.parts().map(|(c, f)| (c, f.to_vec())).collect::<Vec<_>>() {
            let mut term = self.constant(top as f64 / bottom as f64, DType::F32);
            for (atom, power) in factors {
                let base = match &atom {
                    Atom::Apply(f @ (SizeFn::Max | SizeFn::Min), args) if is_fractional(&atom) => {
                        let map = if *f == SizeFn::Max { Map::Max } else { Map::Min };
                        let values: Vec<Tens> = args.iter().map(|a| self.num_f32(&Num::Exact(a.clone()))).collect();
                        self.pointwise(map, &[&values[0], &values[1]]).expect("scalars align")
                    }
                    Atom::Apply(SizeFn::Group, args) => self.num_f32(&Num::Exact(args[0].clone())),
                    Atom::Apply(f, args) => self.num_f32(&Num::Exact(Size::apply(*f, args.clone()))),
                    Atom::Sym(n) => self.num_f32(&Num::Exact(Size::sym(n.clone()))),
                };
                let map = if power > 0 { Map::Mul } else { Map::Div };
                for _ in 0..power.abs() {
                    term = self.pointwise(map, &[&term, &base]).expect("scalars align");
                }
            }
            sum = self.pointwise(Map::Add, &[&sum, &term]).expect("scalars align");
        }
        sum
    }
}

/// Whether a size is whole whatever its unknowns are.
fn surely_whole(s: &Size) -> bool {
    s.parts().all(|((_, d), f)| d == 1 && f.iter().all(|x| x.1 > 0 && !is_fractional(&x.0)))
}

/// The larger or smaller of two sizes, one of which may be a fraction.
fn is_fractional(atom: &ir::size::Atom) -> bool {
    use ir::size::{Atom, SizeFn};
    matches!(atom, Atom::Apply(SizeFn::Max | SizeFn::Min, args) if args.len() == 2 && args.iter().any(|a| !surely_whole(a)))
}

/// A quotient of two sizes without fractions, for terms that share one denominator.
fn quotient(s: &Size) -> (Size, Size) {
    let mut bottom = Size::from(1i64);
    for ((_, den), factors) in s.parts() {
        let mut own = Size::from(i64::try_from(den).unwrap_or(1));
        for (atom, power) in factors.iter().filter(|f| f.1 < 0) {
            let base = match atom {
                ir::size::Atom::Sym(n) => Size::sym(n.clone()),
                ir::size::Atom::Apply(ir::size::SizeFn::Group, args) => args[0].clone(),
                ir::size::Atom::Apply(f, args) => Size::apply(*f, args.clone()),
            };
            for _ in 0..-power {
                own = own.mul(&base);
            }
        }
        let whole = bottom.div(&own).is_some_and(|q| q.parts().all(|((_, d), f)| d == 1 && f.iter().all(|x| x.1 > 0)));
        if !whole {
            bottom = bottom.mul(&own);
        }
    }
    (s.mul(&bottom), bottom)
}
