//! What an element costs besides where it does not lie near.

use super::BYTES;
use crate::plan::measured::plan::{READ_PART, WRITTEN_PART};
use crate::plan::prices::Prices;

/// By how many bytes went by since an element was touched: nanoseconds that reading it takes more, and writing it.
pub(super) struct Memory {
    reads: Vec<(f64, f64)>,
    writes: Vec<(f64, f64)>,
}

impl Memory {
    /// As the machine was measured, or by the levels of its memory where it was not.
    pub fn of(prices: &Prices) -> Memory {
        let measured = |what: &str| -> Option<Vec<(f64, f64)>> {
            let list = prices.also.as_ref()?[what].as_array()?;
            let pair = |p: &serde_json::Value| Some((p[0].as_f64().filter(|b| *b > 0.0)?, p[1].as_f64()?));
            let mut list: Vec<(f64, f64)> = list.iter().map(pair).collect::<Option<_>>()?;
            list.sort_by(|a, b| a.0.total_cmp(&b.0));
            // Larger values are never dearer to leave out than smaller ones.
            let near = list.first()?.1;
            let mut most = 0.0f64;
            for p in &mut list {
                most = most.max(p.1 - near);
                p.1 = most;
            }
            Some(list)
        };
        // A price of a level is that of writing and of reading, of which the first is the larger part.
        let levels = |part: f64| {
            let mut out = vec![(BYTES, 0.0)];
            let mut more = 0.0;
            for l in &prices.levels {
                out.push((l.beyond_bytes.max(BYTES), more));
                more += part * l.more_ns;
                out.push((2.0 * l.beyond_bytes.max(BYTES), more));
            }
            out
        };
        Memory {
            reads: measured("reads_ns").unwrap_or_else(|| levels(READ_PART)),
            writes: measured("writes_ns").unwrap_or_else(|| levels(1.0 - READ_PART)),
        }
    }

    /// Nanoseconds that an element takes more, where so many bytes went by.
    pub fn more(&self, since: f64, written: bool) -> f64 {
        if written { WRITTEN_PART * between(&self.writes, since) } else { between(&self.reads, since) }
    }
}

/// On a line of points, by the logarithm of the bytes.
fn between(points: &[(f64, f64)], bytes: f64) -> f64 {
    let after = points.iter().position(|p| p.0 >= bytes);
    match after {
        Some(0) => points[0].1,
        Some(k) => {
            let ((from, low), (to, high)) = (points[k - 1], points[k]);
            low + (high - low) * (bytes / from).ln() / (to / from).ln().max(f64::MIN_POSITIVE)
        }
        None => points.last().map_or(0.0, |p| p.1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_farther_costs_no_less() {
        let mut prices = Prices::generic();
        for also in [
            None,
            Some(json!({ "reads_ns": [[48e3, 0.03], [8e6, 0.02], [64e6, 0.2]], "writes_ns": [[48e3, 0.1]] })),
            Some(json!({ "reads_ns": "none", "writes_ns": [[0, 1], [1]] })),
        ] {
            prices.also = also;
            let memory = Memory::of(&prices);
            for written in [false, true] {
                let costs: Vec<f64> = (0..60).map(|p| memory.more(1.7f64.powi(p), written)).collect();
                assert!(
                    costs[0] == 0.0 && costs.windows(2).all(|w| w[0] <= w[1]) && costs.iter().all(|c| c.is_finite()),
                    "{costs:?}"
                );
                assert_eq!(memory.more(f64::INFINITY, written), costs[59]);
            }
        }
    }

    #[test]
    fn between_two_points_it_is_between_their_costs() {
        let prices = Prices { also: Some(json!({ "reads_ns": [[1e6, 0.1], [1e8, 0.5]] })), ..Prices::generic() };
        let memory = Memory::of(&prices);
        assert!((memory.more(1e7, false) - 0.2).abs() < 1e-9 && (memory.more(1e9, false) - 0.4).abs() < 1e-9);
    }
}
