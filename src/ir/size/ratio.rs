//! Rational numbers of 128 bits: exact, or nothing.

/// A rational number in lowest terms, the denominator positive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ratio {
    pub(super) num: i128,
    pub(super) den: i128,
}

impl PartialOrd for Ratio {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ratio {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        match (self.num.checked_mul(other.den), other.num.checked_mul(self.den)) {
            (Some(a), Some(b)) => a.cmp(&b),
            // Both sides are far beyond what 53 bits tell apart only where they are nearly equal.
            _ => self.to_f64().total_cmp(&other.to_f64()).then(self.num.cmp(&other.num)).then(self.den.cmp(&other.den)),
        }
    }
}

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a.saturating_abs() } else { gcd(b, a.checked_rem(b).unwrap_or(0)) }
}

impl Ratio {
    pub(super) const ZERO: Ratio = Ratio { num: 0, den: 1 };
    pub(super) const ONE: Ratio = Ratio { num: 1, den: 1 };

    /// In lowest terms; `None` where that needs more than 128 bits. `den` is not zero.
    pub(super) fn new(num: i128, den: i128) -> Option<Ratio> {
        let g = gcd(num, den).max(1);
        let s: i128 = if den < 0 { -1 } else { 1 };
        let fits = |n: i128| (n.unsigned_abs() < 1 << 126).then_some(n);
        Some(Ratio { num: fits(num)?.checked_div(g)?.checked_mul(s)?, den: fits(den)?.checked_div(g)?.checked_mul(s)? })
    }

    pub(super) fn whole(n: i64) -> Ratio {
        Ratio { num: n.into(), den: 1 }
    }

    pub(super) fn plus(self, o: Ratio) -> Option<Ratio> {
        let num = self.num.checked_mul(o.den)?.checked_add(o.num.checked_mul(self.den)?)?;
        Ratio::new(num, self.den.checked_mul(o.den)?)
    }

    pub(super) fn times(self, o: Ratio) -> Option<Ratio> {
        // Crosswise first, so that what cancels does not overflow.
        let (a, b) = (gcd(self.num, o.den).max(1), gcd(o.num, self.den).max(1));
        let num = (self.num / a).checked_mul(o.num / b)?;
        Ratio::new(num, (self.den / b).checked_mul(o.den / a)?)
    }

    /// `1 / self`; of zero nothing.
    pub(super) fn inverse(self) -> Option<Ratio> {
        if self.num == 0 { None } else { Ratio::new(self.den, self.num) }
    }

    /// By repeated squaring.
    pub(super) fn power(self, mut n: u32) -> Option<Ratio> {
        let (mut out, mut square) = (Ratio::ONE, self);
        loop {
            if n & 1 == 1 {
                out = out.times(square)?;
            }
            n >>= 1;
            if n == 0 {
                return Some(out);
            }
            square = square.times(square)?;
        }
    }

    pub(super) fn floor(self) -> Ratio {
        Ratio { num: self.num.div_euclid(self.den), den: 1 }
    }

    pub(super) fn ceil(self) -> Ratio {
        Ratio { num: -(-self.num).div_euclid(self.den), den: 1 }
    }

    pub(super) fn to_f64(self) -> f64 {
        self.num as f64 / self.den as f64
    }
}
