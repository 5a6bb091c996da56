//! What a run costs, in nanoseconds.
//!
//! All constants of the choice among orders stand here, each with its unit. They are a fixed generic machine's, so that a plan does not
//! depend on where it is made: ratios were measured on one core with AVX2, 32 KiB, 512 KiB and 32 MiB of cache.

/// A multiplication with its addition in a matrix product, in nanoseconds: 80 GFLOP/s.
pub(super) const MULTIPLY: f64 = 0.025;

/// Writing an element and reading it again: nanoseconds an element within the first cache, and what each one more costs beyond so many
/// elements (2 MiB: the third cache; 32 MiB: memory).
const TOUCH: f64 = 0.1;
const BEYOND: [(f64, f64); 2] = [((2 << 20) as f64 / 4.0, 0.1), ((32 << 20) as f64 / 4.0, 0.6)];

/// Runs that share what is prepared for a condition: a request's worth, as none says how many there will be.
const RUNS: f64 = 32.0;

/// Bytes that a prepared value may take when what it is made of takes less.
const KEPT: f64 = 256e6;

/// Writing so many elements and reading them again. It grows smoothly: no size costs much more than its neighbour.
pub(super) fn touch(elements: f64) -> f64 {
    BEYOND.iter().fold(TOUCH * elements, |ns, (from, more)| ns + more * (elements - from).max(0.0))
}

/// Reading so many elements that lie ready.
pub(super) fn read(elements: f64) -> f64 {
    touch(elements) / 2.0
}

/// What a step of so many nanoseconds adds to each run when it is prepared.
pub(super) fn shared(ns: f64) -> f64 {
    ns / RUNS
}

/// Whether a value of so many elements may be kept for what `parts` elements say as well.
pub(super) fn may_keep(elements: f64, parts: f64) -> bool {
    elements <= parts || 4.0 * elements <= KEPT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_dearer_than_cache_and_no_size_jumps() {
        assert_eq!(touch(1000.0), 100.0);
        let large = f64::from(64 << 20);
        assert!(touch(large) / large > 0.7, "{}", touch(large) / large);
        for power in 0..120 {
            let n = 1.2f64.powi(power);
            // A little more of it costs a little more, and never less.
            assert!((1.0..1.9).contains(&(touch(1.2 * n) / touch(n))), "{n}");
        }
    }

    #[test]
    fn what_is_kept_is_bounded_by_what_says_it() {
        assert!(may_keep(1e9, 2e9) && may_keep(1e6, 10.0) && !may_keep(1e9, 1e6));
    }
}
