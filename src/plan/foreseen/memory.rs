//! What an element costs besides where it does not lie near.

use super::{BYTES, How, Touched};
use crate::plan::measured::plan::{
    APART_BYTES, APART_NS, CHOSEN_LINE_NS, MADE_FARTHER, NEXT_BYTES, READ_PART, READ_PRICE, ROWS_NS, WRITTEN_PRICE,
};
use crate::plan::prices::Prices;

/// By how many bytes went by since an element was touched: nanoseconds that reading it takes more.
pub(super) struct Memory {
    reads: Vec<(f64, f64)>,
}

/// Nanoseconds that elements take more than where they lie near: beside computing, and while nothing else goes on.
#[derive(Default)]
pub(super) struct Far {
    pub meanwhile: f64,
    pub alone: f64,
}

impl Memory {
    /// As the machine was measured, or by the levels of its memory where it was not.
    pub fn of(prices: &Prices) -> Memory {
        let measured = || -> Option<Vec<(f64, f64)>> {
            let list = prices.also.as_ref()?["reads_ns"].as_array()?;
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
        let levels = || {
            let mut out = vec![(BYTES, 0.0)];
            let mut more = 0.0;
            for l in &prices.levels {
                out.push((l.beyond_bytes.max(BYTES), more));
                more += READ_PART * l.more_ns;
                out.push((2.0 * l.beyond_bytes.max(BYTES), more));
            }
            out
        };
        Memory { reads: measured().unwrap_or_else(levels) }
    }

    /// What elements cost that were touched so many bytes ago; `made`: a run writes them.
    pub fn far(&self, t: &Touched, since: f64, made: bool) -> Far {
        let behind = if made { MADE_FARTHER * since } else { since };
        let each = between(&self.reads, behind);
        let (meanwhile, alone) = match t.how {
            How::Read => (t.elements * READ_PRICE * each, 0.0),
            How::Few => (0.0, t.elements * READ_PRICE * each),
            How::Written => (t.elements * WRITTEN_PRICE * each, 0.0),
            How::Rows => (t.elements * (READ_PRICE * each + ROWS_NS * reached(behind, NEXT_BYTES)), 0.0),
            How::Apart => (t.elements * READ_PRICE * each, t.elements * APART_NS * reached(since, APART_BYTES)),
            How::Chosen(lines) => (lines * CHOSEN_LINE_NS * reached(behind, NEXT_BYTES), 0.0),
        };
        Far { meanwhile, alone }
    }
}

/// How much of what memory waits for is felt, 0 to 1, where so many bytes went by.
fn reached(bytes: f64, (none, all): (f64, f64)) -> f64 {
    ((bytes.max(1.0) / none).ln() / (all / none).ln()).clamp(0.0, 1.0)
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

    const HOW: [How; 6] = [How::Read, How::Few, How::Rows, How::Apart, How::Chosen(2.0), How::Written];

    #[test]
    fn what_is_farther_costs_no_less() {
        let mut prices = Prices::generic();
        for also in
            [None, Some(json!({ "reads_ns": [[48e3, 0.03], [8e6, 0.02], [64e6, 0.2]] })), Some(json!({ "reads_ns": "none" }))]
        {
            prices.also = also;
            let memory = Memory::of(&prices);
            for (how, made) in HOW.into_iter().flat_map(|how| [(how, false), (how, true)]) {
                let touched = Touched { buffer: 0, elements: 7.0, how };
                let cost = |since: f64| {
                    let far = memory.far(&touched, since, made);
                    far.meanwhile + far.alone
                };
                let costs: Vec<f64> = (0..60).map(|p| cost(1.7f64.powi(p))).collect();
                let rises = costs.windows(2).all(|w| w[0] <= w[1]) && costs[59] > 0.0;
                assert!(costs[0] == 0.0 && rises && costs.iter().all(|c| c.is_finite()), "{costs:?}");
                assert_eq!(cost(f64::INFINITY), costs[59]);
            }
        }
    }

    #[test]
    fn between_two_points_it_is_between_their_costs() {
        let prices = Prices { also: Some(json!({ "reads_ns": [[1e6, 0.1], [1e8, 0.5]] })), ..Prices::generic() };
        let memory = Memory::of(&prices);
        let read =
            |since: f64| memory.far(&Touched { buffer: 0, elements: 1.0, how: How::Read }, since, false).meanwhile / READ_PRICE;
        assert!((read(1e7) - 0.2).abs() < 1e-9 && (read(1e9) - 0.4).abs() < 1e-9);
    }
}
