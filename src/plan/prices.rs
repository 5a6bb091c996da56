//! What a machine charges for what a run does, in nanoseconds.
//!
//! The numbers of [`Prices::generic`] are a fixed machine's, so that a plan does not depend on where it is made; `hnet doctor` measures another's.
//! What else a choice goes by stands in [`super::measured`].

use super::measured::plan::{PREPARED_BYTES, PREPARED_RUNS};
use serde::{Deserialize, Serialize};

/// A memory that is slower than what lies nearer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// Values of more bytes than that do not fit in what lies nearer.
    pub beyond_bytes: f64,
    /// What an f32 beyond it costs more, to write and to read again.
    pub more_ns: f64,
}

/// A machine's prices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// What the machine is called.
    pub machine: String,
    /// A multiplication with its addition in a matrix product.
    pub multiply_ns: f64,
    /// Writing an f32 and reading it again within the first cache.
    pub touch_ns: f64,
    /// From the nearest.
    pub levels: Vec<Level>,
    /// What else was measured there, for people: no plan asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub also: Option<serde_json::Value>,
}

/// Bytes of an element.
const BYTES: f64 = 4.0;

impl Default for Prices {
    fn default() -> Prices {
        Prices::generic()
    }
}

impl Prices {
    /// Ratios that were measured on one core with AVX2 at 80 GFLOP/s, 2 MiB of cache nearby, and 32 MiB in all.
    pub fn generic() -> Prices {
        let mib = |n: u32| f64::from(n << 20);
        let levels = vec![Level { beyond_bytes: mib(2), more_ns: 0.1 }, Level { beyond_bytes: mib(32), more_ns: 0.6 }];
        Prices { machine: "generic".into(), multiply_ns: 0.025, touch_ns: 0.1, levels, also: None }
    }

    /// Why these cannot be prices, if they cannot.
    pub fn wrong(&self) -> Option<String> {
        let all = [("multiply_ns", self.multiply_ns), ("touch_ns", self.touch_ns)];
        let positive = all.into_iter().find(|(_, ns)| !(ns.is_finite() && *ns > 0.0));
        if let Some((name, ns)) = positive {
            return Some(format!("`{name}` is {ns}, and has to be a number above 0"));
        }
        let level = self
            .levels
            .iter()
            .find(|l| !(l.beyond_bytes.is_finite() && l.beyond_bytes >= 0.0 && l.more_ns.is_finite() && l.more_ns >= 0.0));
        if let Some(l) = level {
            return Some(format!(
                "the level beyond {} bytes that costs {} more is none: both have to be numbers from 0 on",
                l.beyond_bytes, l.more_ns
            ));
        }
        let ascending = self.levels.windows(2).all(|w| w[0].beyond_bytes < w[1].beyond_bytes);
        (!ascending).then(|| "`levels` are not in the order of their sizes".into())
    }

    /// Eight digits that other prices do not have.
    pub fn mark(&self) -> String {
        use sha2::{Digest, Sha256};
        let numbers =
            [self.multiply_ns, self.touch_ns].into_iter().chain(self.levels.iter().flat_map(|l| [l.beyond_bytes, l.more_ns]));
        let mut hash = Sha256::new();
        numbers.for_each(|n| hash.update(n.to_le_bytes()));
        hash.finalize().iter().take(4).map(|b| format!("{b:02x}")).collect()
    }

    /// So many multiplications with their additions.
    pub(super) fn multiply(&self, count: f64) -> f64 {
        self.multiply_ns * count
    }

    /// Writing so many elements and reading them again. It grows smoothly: no size costs much more than its neighbour.
    pub(super) fn touch(&self, elements: f64) -> f64 {
        let more = |l: &Level| l.more_ns * (elements - l.beyond_bytes / BYTES).max(0.0);
        self.touch_ns * elements + self.levels.iter().map(more).sum::<f64>()
    }

    /// Writing so many elements and reading them again where they stay in the first cache.
    pub(super) fn near(&self, elements: f64) -> f64 {
        self.touch_ns * elements
    }

    /// Reading so many elements that lie ready.
    pub(super) fn read(&self, elements: f64) -> f64 {
        self.touch(elements) / 2.0
    }
}

/// What a step of so many nanoseconds adds to each run when it is prepared.
pub(super) fn shared(ns: f64) -> f64 {
    ns / PREPARED_RUNS
}

/// Whether a value of so many elements may be kept for what `parts` elements say as well.
pub(super) fn may_keep(elements: f64, parts: f64) -> bool {
    elements <= parts || BYTES * elements <= PREPARED_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_dearer_than_cache_and_no_size_jumps() {
        let prices = Prices::generic();
        assert_eq!(prices.touch(1000.0), 100.0);
        let large = f64::from(64 << 20);
        assert!(prices.touch(large) / large > 0.7, "{}", prices.touch(large) / large);
        for power in 0..120 {
            let n = 1.2f64.powi(power);
            // A little more of it costs a little more, and never less.
            assert!((1.0..1.9).contains(&(prices.touch(1.2 * n) / prices.touch(n))), "{n}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded_by_what_says_it() {
        assert!(may_keep(1e9, 2e9) && may_keep(1e6, 10.0) && !may_keep(1e9, 1e6));
    }

    #[test]
    fn prices_are_positive_and_have_a_mark() {
        let prices = Prices::generic();
        assert_eq!(prices.wrong(), None);
        assert!(Prices { multiply_ns: 0.0, ..prices.clone() }.wrong().is_some_and(|w| w.contains("multiply_ns")));
        assert!(Prices { touch_ns: f64::NAN, ..prices.clone() }.wrong().is_some());
        assert!(Prices { levels: vec![prices.levels[1], prices.levels[0]], ..prices.clone() }.wrong().is_some());
        let named = Prices { machine: "another".into(), ..prices.clone() };
        assert_eq!(named.mark(), prices.mark());
        assert_ne!(Prices { touch_ns: 0.2, ..prices.clone() }.mark(), prices.mark());
    }
}
