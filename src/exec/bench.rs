//! How long a model takes: many runs of one session on the same inputs.
//!
//! In: a session, what stays (parameters, conditions), what comes with every run (inputs). Out: the seconds of the preparation and of each
//! run. Compiling for these sizes belongs to the preparation; runs before the first that counts warm caches and clocks.

use super::session::Session;
use crate::diag::Diagnostic;
use crate::ir::Bindings;
use std::time::Instant;

/// What was measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Times {
    /// Seconds for what depends on no input, code and the first run included.
    pub prepare: f64,
    /// Seconds of each run, from the shortest.
    pub runs: Vec<f64>,
}

impl Times {
    /// The time that this part of the runs stays below, between neighbours in proportion: 0.5 is the median.
    pub fn quantile(&self, part: f64) -> f64 {
        let Some(last) = self.runs.len().checked_sub(1) else { return f64::NAN };
        let at = part.clamp(0.0, 1.0) * last as f64;
        let (low, high) = (at.floor() as usize, at.ceil() as usize);
        self.runs[low] + (self.runs[high] - self.runs[low]) * (at - low as f64)
    }

    /// The mean.
    pub fn mean(&self) -> f64 {
        self.runs.iter().sum::<f64>() / self.runs.len() as f64
    }
}

/// Runs `warm` times, then `runs` times by the clock. `step` hears of each run.
pub fn measure(
    session: &mut Session,
    early: &Bindings,
    late: &Bindings,
    (warm, runs): (usize, usize),
    step: &mut dyn FnMut(),
) -> Result<Times, Diagnostic> {
    let begin = Instant::now();
    session.prepare(early)?;
    session.run_prepared(early, late)?;
    let prepare = begin.elapsed().as_secs_f64();
    for _ in 0..warm {
        session.run_prepared(early, late)?;
    }
    let mut out = Times { prepare, runs: Vec::with_capacity(runs) };
    for _ in 0..runs {
        let begin = Instant::now();
        session.run_prepared(early, late)?;
        out.runs.push(begin.elapsed().as_secs_f64());
        step();
    }
    out.runs.sort_by(f64::total_cmp);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_neighbours() {
        let times = |runs: &[f64]| Times { prepare: 0.0, runs: runs.to_vec() };
        let four = times(&[1.0, 2.0, 4.0, 8.0]);
        assert_eq!([0.0, 0.25, 0.5, 0.75, 1.0].map(|p| four.quantile(p)), [1.0, 1.75, 3.0, 5.0, 8.0]);
        assert_eq!(four.mean(), 3.75);
        let one = times(&[3.0]);
        assert_eq!([0.0, 0.5, 1.0].map(|p| one.quantile(p)), [3.0; 3]);
        assert!(times(&[]).quantile(0.5).is_nan());
    }
}
