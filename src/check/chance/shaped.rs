//! Distributions that are made of uniform and normal numbers: by inverting their chances, by the largest of noisy values, by trying a few
//! candidates at once.
//!
//! In: arguments, and where the numbers stand. Out: values that are a function of the bits alone, in few steps and without a loop. What has no
//! useful derivative by its arguments (categories, orders, shapes) has none.

use super::distribution::Given;
use super::{Random, fnv};
use crate::check::builtin::Distribution;
use crate::check::value::{Label, NameId, Tens};
use crate::check::{Checker, Res};
use crate::diag::{Code, Diagnostic};
use crate::ir::{DType, Dist, Fold, Map, Size};
use crate::source::Span;

/// Candidates for one number of a gamma distribution: each is taken with a chance above 0.95, so that none of them is in 1 of 10^20.
const CANDIDATES: i64 = 16;

/// The error function of the root of two: the chance that a normal number is within two of its mean.
const WITHIN_TWO: f64 = 0.954_499_736_103_641_6;

impl<'a> Checker<'a> {
    /// A draw from one of these distributions; `None`: it is none of them.
    pub(super) fn shaped(
        &mut self,
        what: Distribution,
        args: &Given<'a>,
        want: DType,
        random: &Random,
        span: Span,
    ) -> Res<Option<Tens>> {
        let t = match what {
            Distribution::Exponential => {
                let rate = self.draw_arg(args, "rate", 1.0)?;
                let waited = self.waiting(random)?;
                self.map(Map::Div, DType::F32, &[(&waited, span), (&rate, span)], "`exponential`", span)?
            }
            Distribution::Gumbel => {
                let g = self.gumbel(random)?;
                self.scaled(g, args, ("scale", "loc"), span)?
            }
            Distribution::TruncatedNormal => {
                let z = self.within_two(random)?;
                self.scaled(z, args, ("std", "mean"), span)?
            }
            Distribution::Gamma => {
                self.wanted(args, "shape", span)?;
                let (shape, rate) = (self.draw_arg(args, "shape", 1.0)?, self.draw_arg(args, "rate", 1.0)?);
                let log = self.log_gamma(&shape, random, false, span)?;
                let g = self.pointwise(Map::Exp, &[&log])?;
                self.map(Map::Div, DType::F32, &[(&g, span), (&rate, span)], "`gamma`", span)?
            }
            Distribution::Beta => {
                self.wanted(args, "a", span)?;
                self.wanted(args, "b", span)?;
                let (a, b) = (self.draw_arg(args, "a", 1.0)?, self.draw_arg(args, "b", 1.0)?);
                let x = self.log_gamma(&a, &random.other(3), false, span)?;
                let y = self.log_gamma(&b, &random.other(4), false, span)?;
                let odds = self.map(Map::Sub, DType::F32, &[(&x, span), (&y, span)], "`beta`", span)?;
                self.pointwise(Map::Sigmoid, &[&odds])?
            }
            Distribution::Dirichlet => {
                self.wanted(args, "alpha", span)?;
                let alpha = self.draw_arg(args, "alpha", 1.0)?;
                let log = self.log_gamma(&alpha, random, true, span)?;
                self.along_last(&log, random, span, |c, t, n| c.softmax(t, &[n]))?
            }
            Distribution::Categorical => {
                let t = self.categorical(args, random, span)?;
                return Ok(Some(if want == DType::F32 { self.to_f32(&t) } else { t }));
            }
            Distribution::Permutation => {
                let u = self.random(Dist::Uniform, random);
                let t = self.along_last(&u, random, span, |c, t, n| {
                    let dim = t.find(n).expect("named");
                    let extent = c.axes.size_of(n);
                    let order = c.order(t, dim, extent, false);
                    Ok(c.dim_to_name(&order, dim, n))
                })?;
                return Ok(Some(if want == DType::F32 { self.to_f32(&t) } else { t }));
            }
            _other => return Ok(None),
        };
        Ok(Some(t))
    }

    /// Says that an argument is missing.
    fn wanted(&mut self, args: &Given<'a>, name: &str, span: Span) -> Res<()> {
        if args.iter().any(|(n, _, _)| *n == name) {
            return Ok(());
        }
        self.error(Code::H0509, span, format!("`{name}` is missing"))
    }

    /// `t * scale + shift`
    fn scaled(&mut self, t: Tens, args: &Given<'a>, (scale, shift): (&str, &str), span: Span) -> Res<Tens> {
        let (scale, shift) = (self.draw_arg(args, scale, 1.0)?, self.draw_arg(args, shift, 0.0)?);
        let scaled = self.map(Map::Mul, DType::F32, &[(&t, span), (&scale, span)], "a draw", span)?;
        self.map(Map::Add, DType::F32, &[(&scaled, span), (&shift, span)], "a draw", span)
    }

    /// How long one waits for what happens once a unit of time: minus the logarithm of a number above 0 and up to 1.
    fn waiting(&mut self, random: &Random) -> Res<Tens> {
        let u = self.random(Dist::Uniform, random);
        let one = self.constant(1.0, DType::F32);
        let left = self.pointwise(Map::Sub, &[&one, &u])?;
        let log = self.pointwise(Map::Log, &[&left])?;
        self.pointwise(Map::Neg, &[&log])
    }

    /// `-log(-log u)`, `u` moved off zero by half a step.
    fn gumbel(&mut self, random: &Random) -> Res<Tens> {
        let u = self.random(Dist::Uniform, random);
        let least = self.constant((-25f64).exp2(), DType::F32);
        let u = self.pointwise(Map::Max, &[&u, &least])?;
        let log = self.pointwise(Map::Log, &[&u])?;
        let waited = self.pointwise(Map::Neg, &[&log])?;
        let log = self.pointwise(Map::Log, &[&waited])?;
        self.pointwise(Map::Neg, &[&log])
    }

    /// A normal number between -2 and 2: the inverse of its chances at an even number, by the polynomial of Giles ("Approximating the erfinv
    /// function", 2012), which is good for single precision and needs one branch here.
    fn within_two(&mut self, random: &Random) -> Res<Tens> {
        const TERMS: [f64; 9] = [
            2.810_226_36e-8,
            3.432_739_39e-7,
            -3.523_387_7e-6,
            -4.391_506_54e-6,
            2.185_808_7e-4,
            -1.253_725_03e-3,
            -4.177_681_64e-3,
            0.246_640_727,
            1.501_409_41,
        ];
        let u = self.random(Dist::Uniform, random);
        // The middle of the step that `u` begins, as a number between -1 and 1.
        let (two, off) = (self.constant(2.0 * WITHIN_TWO, DType::F32), self.constant(WITHIN_TWO, DType::F32));
        let spread = self.pointwise(Map::Mul, &[&u, &two])?;
        let x = self.pointwise(Map::Sub, &[&spread, &off])?;
        let one = self.constant(1.0, DType::F32);
        let (below, above) = (self.pointwise(Map::Sub, &[&one, &x])?, self.pointwise(Map::Add, &[&one, &x])?);
        let product = self.pointwise(Map::Mul, &[&below, &above])?;
        let log = self.pointwise(Map::Log, &[&product])?;
        let shift = self.constant(2.5, DType::F32);
        let w = self.pointwise(Map::Neg, &[&log])?;
        let w = self.pointwise(Map::Sub, &[&w, &shift])?;
        let mut sum = self.constant(TERMS[0], DType::F32);
        for term in &TERMS[1..] {
            let term = self.constant(*term, DType::F32);
            let product = self.pointwise(Map::Mul, &[&sum, &w])?;
            sum = self.pointwise(Map::Add, &[&product, &term])?;
        }
        let root = self.constant(std::f64::consts::SQRT_2, DType::F32);
        let z = self.pointwise(Map::Mul, &[&sum, &x])?;
        self.pointwise(Map::Mul, &[&z, &root])
    }

    /// The logarithm of a gamma number of this shape (Marsaglia and Tsang 2000): of some candidates the first that is taken. Below a shape of 1
    /// it is that of one more, times a power of an even number, which may be too small for anything but its logarithm.
    /// `along`: a shape with one size is for the last axis of the draw.
    fn log_gamma(&mut self, shape: &Tens, random: &Random, along: bool, span: Span) -> Res<Tens> {
        // Sizes are told apart by names, since candidates are read along one.
        let mut random = random.other(0);
        let mut names = vec![];
        for (label, size) in &mut random.shape {
            if *label == Label::Sized {
                let n = self.axes.new_name("i", size.clone(), Some(span));
                *label = Label::Named(n);
                names.push(n);
            }
        }
        let shape = self.in_places(shape, &names, along, span)?;
        let log = self.log_gamma_of(&shape, &random, span)?;
        Ok(self.names_to_sizes(log, &names))
    }

    /// The sizes of an argument under the names that those of the draw have.
    fn in_places(&mut self, t: &Tens, names: &[NameId], along: bool, span: Span) -> Res<Tens> {
        let sized = t.sized();
        let places = match (sized.len(), names) {
            (0, _) => return Ok(t.clone()),
            (1, [.., last]) if along => vec![*last],
            (n, _) if n == names.len() => names.to_vec(),
            _ => vec![],
        };
        let fits = !places.is_empty() && sized.iter().zip(&places).all(|(d, n)| self.extent(t, *d) == self.axes.size_of(*n));
        if !fits {
            let sizes: Vec<String> = names.iter().map(|n| self.axes.show_size(&self.axes.size_of(*n))).collect();
            let message = format!("an argument is {}, and [{}] is drawn", self.show(t), sizes.join(", "));
            return self.error(Code::H0301, span, message);
        }
        let mut labels = t.labels.clone();
        sized.iter().zip(&places).for_each(|(d, n)| labels[*d] = Label::Named(*n));
        Ok(Tens { labels, ..t.clone() })
    }

    fn log_gamma_of(&mut self, shape: &Tens, random: &Random, span: Span) -> Res<Tens> {
        let (one, third, nine) =
            (self.constant(1.0, DType::F32), self.constant(1.0 / 3.0, DType::F32), self.constant(9.0, DType::F32));
        let small = self.pointwise(Map::Lt, &[shape, &one])?;
        let more = self.pointwise(Map::Add, &[shape, &one])?;
        let whole = self.pointwise(Map::Select, &[&small, &more, shape])?;
        let d = self.pointwise(Map::Sub, &[&whole, &third])?;
        let slope = self.pointwise(Map::Mul, &[&nine, &d])?;
        let slope = self.pointwise(Map::Sqrt, &[&slope])?;
        let c = self.pointwise(Map::Div, &[&one, &slope])?;
        let k = self.axes.new_name("candidate", Size::from(CANDIDATES), None);
        let mut many = random.other(1);
        many.shape.push((Label::Named(k), Size::from(CANDIDATES)));
        let x = self.random(Dist::Normal, &many);
        let waited = self.waiting(&many.other(2))?;
        let grown = self.map(Map::Mul, DType::F32, &[(&x, span), (&c, span)], "`gamma`", span)?;
        let v = self.pointwise(Map::Add, &[&grown, &one])?;
        let square = self.pointwise(Map::Mul, &[&v, &v])?;
        let cube = self.pointwise(Map::Mul, &[&square, &v])?;
        let least = self.constant(1e-30, DType::F32);
        let positive = self.pointwise(Map::Lt, &[&least, &cube])?;
        let cube = self.pointwise(Map::Max, &[&cube, &least])?;
        let log_v = self.pointwise(Map::Log, &[&cube])?;
        // log u < x^2 / 2 + d (1 - v + log v)
        let half = self.constant(0.5, DType::F32);
        let squared = self.pointwise(Map::Mul, &[&x, &x])?;
        let squared = self.pointwise(Map::Mul, &[&squared, &half])?;
        let room = self.pointwise(Map::Sub, &[&one, &cube])?;
        let room = self.pointwise(Map::Add, &[&room, &log_v])?;
        let room = self.pointwise(Map::Mul, &[&room, &d])?;
        let room = self.pointwise(Map::Add, &[&room, &squared])?;
        let log_u = self.pointwise(Map::Neg, &[&waited])?;
        let taken = self.pointwise(Map::Lt, &[&log_u, &room])?;
        let taken = self.pointwise(Map::And, &[&taken, &positive])?;
        let taken = self.to_f32(&taken);
        let first = self.fold(Fold::Argmax, &taken, &[k]);
        let dim = log_v.find(k).expect("each has candidates");
        let log_v = self.gather(&log_v, &[(dim, first)], None)?;
        let log_d = self.pointwise(Map::Log, &[&d])?;
        let log = self.pointwise(Map::Add, &[&log_v, &log_d])?;
        let waited = self.waiting(&random.other(5))?;
        let power = self.map(Map::Div, DType::F32, &[(&waited, span), (shape, span)], "`gamma`", span)?;
        let zero = self.constant(0.0, DType::F32);
        let power = self.pointwise(Map::Select, &[&small, &power, &zero])?;
        let log = self.pointwise(Map::Sub, &[&log, &power])?;
        self.without_slope(&log)
    }

    /// A place among as many as there are logits: that of the largest logit with Gumbel's noise.
    fn categorical(&mut self, args: &Given<'a>, random: &Random, span: Span) -> Res<Tens> {
        let Some((_, value, at)) = args.first() else { return self.error(Code::H0509, span, "`logits` is missing") };
        let logits = self.as_tens(value.clone(), *at)?;
        let logits = self.to_f32(&logits);
        let Some(dim) = logits.sized().last().copied() else {
            let message = format!("`categorical` chooses along the last size of its logits, and this is {}", self.show(&logits));
            return self.error(Code::H0509, *at, message);
        };
        let extent = self.extent(&logits, dim);
        let k = self.axes.new_name("category", extent.clone(), Some(*at));
        let mut many = random.other(0);
        many.shape.push((Label::Named(k), extent));
        let noise = self.gumbel(&many)?;
        let logits = self.dim_to_name(&logits, dim, k);
        let noisy = self.map(Map::Add, DType::F32, &[(&noise, span), (&logits, *at)], "`categorical`", span)?;
        Ok(self.fold(Fold::Argmax, &noisy, &[k]))
    }

    /// Does something along the last axis that the type of a draw declares.
    fn along_last(
        &mut self,
        t: &Tens,
        random: &Random,
        span: Span,
        work: impl FnOnce(&mut Self, &Tens, NameId) -> Res<Tens>,
    ) -> Res<Tens> {
        match random.shape.last() {
            Some((Label::Named(n), _)) => work(self, t, *n),
            Some((Label::Sized, _)) => {
                // All sizes have names meanwhile, so that they keep their order.
                let mut named = t.clone();
                let mut names = vec![];
                for dim in t.sized() {
                    let n = self.axes.new_name("i", self.extent(t, dim), Some(span));
                    named.labels[dim] = Label::Named(n);
                    names.push(n);
                }
                let Some(last) = names.last() else { return self.report.bug(span, "a draw has lost its axes") };
                let out = work(self, &named, *last)?;
                Ok(self.names_to_sizes(out, &names))
            }
            None => self.fail(
                Diagnostic::error(Code::H0509, span, "this is drawn along an axis, and one number is declared")
                    .help("declare its axes, `i32[8]`; it goes along the last of them"),
            ),
        }
    }
}

impl Random {
    /// Other bits for the same places.
    fn other(&self, which: u32) -> Random {
        Random { shape: self.shape.clone(), seed: self.seed.clone(), key: fnv(&format!("{}/{which}", self.key)) }
    }
}
