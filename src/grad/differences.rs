//! Whether a slope is what differences show.
//!
//! In: a slope along some direction, and what a value is so far along it. Out: a [`Verdict`]. Promised: a slope that is off by more than
//! [`NEAR`] of itself is not taken for right where differences can tell, and one that they cannot judge, for the value has a corner or a jump in
//! reach of all of them, is said to be such.

/// How near a slope is to differences, relative to itself.
pub const NEAR: f64 = 1e-6;

/// How far both values of a difference are apart, what serves most often first. Far ones have more digits, near ones meet fewer corners.
const STEPS: [f64; 4] = [1e-4, 1e-5, 1e-3, 1e-6];

/// What differences say of a slope.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Verdict {
    /// It is right; so far off, relative to itself.
    Alike(f64),
    /// There is a corner, a jump, or no number, however near one looks.
    Corner,
    /// It is wrong: this is the slope.
    Apart(f64),
}

/// Compares a slope with differences; `at` gives the value so far along the direction, if there is one.
pub fn compare(slope: f64, mut at: impl FnMut(f64) -> Option<f64>) -> Verdict {
    let Some(here) = finite(at(0.0)) else { return Verdict::Corner };
    let mut others: Vec<(f64, f64)> = Vec::new();
    for h in STEPS {
        let mut difference = |h: f64| {
            let (up, down) = (finite(at(h))?, finite(at(-h))?);
            Some(((up - down) / (2.0 * h), ((up - here) - (here - down)) / h))
        };
        let (Some((wide, far)), Some((narrow, near))) = (difference(h), difference(h / 2.0)) else { continue };
        // Of fourth order (Richardson).
        let limit = (4.0 * narrow - wide) / 3.0;
        let (off, scale) = ((limit - slope).abs(), limit.abs().max(slope.abs()));
        // What differences of two rounded values can show at all.
        let floor = 64.0 * f64::EPSILON * here.abs() / h;
        if off <= NEAR * scale + floor {
            return Verdict::Alike(if scale > 0.0 { off / scale } else { 0.0 });
        }
        // The slopes on both sides of a corner differ by as much, whatever the distance; those of a curve in proportion to it.
        let bend = (2.0 * near - far).abs();
        if off > 2.0 * (bend + (wide - narrow).abs()) {
            others.push((limit, off));
        }
    }
    // Of many small corners on both sides each distance meets others; what is no corner looks the same from two of them.
    let agrees = |(limit, off): &(f64, f64)| others.iter().filter(|(other, _)| (limit - other).abs() <= 0.1 * off).count() > 1;
    others.iter().rfind(|o| agrees(o)).map_or(Verdict::Corner, |(limit, _)| Verdict::Apart(*limit))
}

fn finite(x: Option<f64>) -> Option<f64> {
    x.filter(|x| x.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(slope: f64, f: impl Fn(f64) -> f64) -> Verdict {
        compare(slope, |t| Some(f(t)))
    }

    #[test]
    fn right_and_wrong_slopes() {
        for (slope, f) in [(1.0, f64::exp as fn(f64) -> f64), (0.0, f64::cos), (200.0, |t| (200.0 * t).sin()), (0.0, |_| 7.0)] {
            assert!(matches!(verdict(slope, f), Verdict::Alike(off) if off <= NEAR), "{slope}");
            for wrong in [slope + 1e-5 * slope.max(1.0), slope - 1.0, 2.0 * slope + 1.0] {
                assert!(matches!(verdict(wrong, f), Verdict::Apart(_)), "{slope} taken for {wrong}");
            }
        }
        assert!(matches!(verdict(1e-9, |t| 1e3 + 1e-9 * t), Verdict::Alike(_)), "what rounding hides");
        assert!(matches!(verdict(1.0 + 1e-5, f64::exp), Verdict::Apart(_)));
    }

    #[test]
    fn corners_are_said() {
        assert_eq!(verdict(1.0, f64::abs), Verdict::Corner);
        assert_eq!(verdict(0.0, |t| t.max(0.0)), Verdict::Corner);
        assert_eq!(verdict(0.0, |t| if t > 0.0 { 1.0 } else { 0.0 }), Verdict::Corner);
        assert_eq!(verdict(0.5, |t| t.sqrt()), Verdict::Corner);
        assert_eq!(verdict(1.25, |t| 1.25 * t + 0.01 * t.max(0.0)), Verdict::Corner);
        // One beside it is not met by near differences.
        assert!(matches!(verdict(1.0, |t| t + (t - 2e-5).max(0.0)), Verdict::Alike(_)));
        assert!(matches!(verdict(0.5, |t| t + (t - 2e-5).max(0.0)), Verdict::Apart(_)));
        // Many small ones on both sides, whose bends cancel.
        let corner = |t: f64, at: f64| 1e-5 * ((t - at).max(0.0) - (-t - at).max(0.0));
        let many = move |t: f64| t + [1e-7, 3e-7, 2e-6, 8e-6, 5e-5, 1e-4].iter().map(|at| corner(t, *at)).sum::<f64>();
        assert_eq!(verdict(1.0, many), Verdict::Corner);
    }
}
