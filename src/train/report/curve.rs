//! Points of a curve: smooth ones, and as many as a screen has.
//!
//! In: a number for each of many steps. Out: points. Promised: of a stretch that many steps share, the least and the greatest are kept at their
//! own steps, so that no spike is lost; what is no finite number leaves a gap and is pulled into nothing.

use serde::Serialize;

/// Points of a curve that are drawn.
pub const POINTS: usize = 1000;

/// Steps and numbers side by side, as the page reads them: `null` for what is not finite.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Points {
    pub x: Vec<u64>,
    pub y: Vec<Option<f64>>,
}

impl Points {
    fn push(&mut self, (x, y): (u64, f64)) {
        self.x.push(x);
        self.y.push(y.is_finite().then(|| rounded(y)));
    }
}

/// Six digits: more than a curve can show.
fn rounded(v: f64) -> f64 {
    format!("{v:.5e}").parse().unwrap_or(v)
}

/// At most [`POINTS`] of them: all, or the least and the greatest of each stretch.
pub fn thin(all: &[(u64, f64)]) -> Points {
    let mut out = Points::default();
    if all.len() <= POINTS {
        all.iter().for_each(|p| out.push(*p));
        return out;
    }
    // The ends are where a reader looks.
    let (ends, inner) = ((all[0], all[all.len() - 1]), &all[1..all.len() - 1]);
    out.push(ends.0);
    for part in stretches(inner, POINTS / 2 - 1) {
        let finite = || part.iter().filter(|(_, y)| y.is_finite());
        let least = finite().min_by(|a, b| a.1.total_cmp(&b.1));
        let most = finite().max_by(|a, b| a.1.total_cmp(&b.1));
        let mut both: Vec<(u64, f64)> = least.into_iter().chain(most).copied().collect();
        // A gap is shown, too: it takes the place of the lesser of two, or stands alone.
        if let Some(gap) = part.iter().find(|(_, y)| !y.is_finite()) {
            both.truncate(1);
            both.push(*gap);
        }
        both.sort_by_key(|p| p.0);
        both.dedup_by_key(|p| p.0);
        both.into_iter().for_each(|p| out.push(p));
    }
    out.push(ends.1);
    out
}

/// Stretches of what is stacked, where a spike is noise.
pub const BROAD: usize = 200;

/// Means of stretches, for what is stacked: every layer has its points at the same steps.
pub fn means(all: &[(u64, f64)]) -> Points {
    let mut out = Points::default();
    for part in stretches(all, BROAD.min(all.len())) {
        let finite: Vec<f64> = part.iter().map(|p| p.1).filter(|y| y.is_finite()).collect();
        out.push((part[part.len() / 2].0, finite.iter().sum::<f64>() / finite.len() as f64));
    }
    out
}

/// A list in `n` parts of one length, to within one.
fn stretches<T>(all: &[T], n: usize) -> impl Iterator<Item = &[T]> {
    (0..n).map(move |k| &all[k * all.len() / n..(k + 1) * all.len() / n])
}

/// A running mean whose memory is a fortieth of the run, not pulled to where it began; `None` for runs too short to need one.
pub fn smooth(all: &[(u64, f64)]) -> Option<Vec<(u64, f64)>> {
    if all.len() < 40 {
        return None;
    }
    let keep = 1.0 - 1.0 / (all.len() as f64 / 40.0).max(4.0);
    let (mut sum, mut weight) = (0.0, 0.0);
    let step = |&(x, y): &(u64, f64)| {
        if !y.is_finite() {
            return (x, f64::NAN);
        }
        (sum, weight) = (keep * sum + (1.0 - keep) * y, keep * weight + (1.0 - keep));
        (x, sum / weight)
    };
    Some(all.iter().map(step).collect())
}
