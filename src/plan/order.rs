//! In which order the factors of a product meet: exact search over their subsets.
//!
//! In: how long each loop is, which loops each factor has, and which factors depend on no input. Out: for each subset the cheapest way
//! to make it, in nanoseconds of a run. A step costs its multiplications, and its result being written and read; one that depends on no
//! input costs its share of each run, but its result is read in every run, and may not outgrow memory.

use super::prices::{Prices, may_keep, shared};

/// A product to be ordered.
pub(super) struct Search<'a> {
    pub prices: &'a Prices,
    pub extents: &'a [f64],
    /// Loops of the result, as bits.
    pub result: u64,
    /// Loops of each factor.
    pub masks: Vec<u64>,
    /// Factors that depend on no input: what is made of them alone is made once.
    pub early: &'a [bool],
}

/// The cheapest way to make a subset of the factors.
#[derive(Clone, Copy)]
pub(super) struct Best {
    pub ns: f64,
    /// The part that is split off; none of a single factor.
    pub rest: usize,
}

/// What is known of each set of factors.
struct Sets {
    /// Loops that are left of it, how many points they have, and whether it depends on no input.
    keep: Vec<u64>,
    kept: Vec<f64>,
    early: Vec<bool>,
}

impl Sets {
    /// What a step that makes a set adds to each run.
    fn own(&self, set: usize, ns: f64) -> f64 {
        if self.early[set] { shared(ns) } else { ns }
    }
}

pub(super) fn bits(loops: &[usize]) -> u64 {
    loops.iter().fold(0, |m, l| m | 1 << l)
}

impl Search<'_> {
    /// How many points the loops of a mask have.
    pub fn points(&self, mask: u64) -> f64 {
        self.extents.iter().enumerate().filter(|(l, _)| mask >> l & 1 == 1).map(|(_, n)| *n).product()
    }

    /// All factors.
    pub fn full(&self) -> usize {
        (1usize << self.masks.len()) - 1
    }

    /// Loops that the product of a set of factors still needs.
    pub fn keep(&self, set: usize) -> u64 {
        let (mut inside, mut outside) = (0, self.result);
        for (f, m) in self.masks.iter().enumerate() {
            if set >> f & 1 == 1 { inside |= m } else { outside |= m }
        }
        inside & outside
    }

    fn is_early(&self, set: usize) -> bool {
        self.early.iter().enumerate().all(|(f, early)| set >> f & 1 == 0 || *early)
    }

    /// What one loop nest over everything costs. What is ready lies in memory, and is read in every run, as for the other orders.
    pub fn nest(&self) -> f64 {
        let everything = self.points(self.masks.iter().fold(0, |a, b| a | b));
        let late = !self.is_early(self.full());
        let ready = self.masks.iter().zip(self.early).filter(|(_, early)| late && **early);
        let read: f64 = ready.map(|(mask, _)| self.prices.read(self.points(*mask))).sum();
        self.prices.multiply(everything * (self.masks.len() - 1) as f64) + read
    }

    /// What it costs to write the product of a set of factors down and to read it again.
    pub fn writing(&self, set: usize) -> f64 {
        let ns = self.prices.touch(self.points(self.keep(set)));
        if self.is_early(set) { shared(ns) } else { ns }
    }

    /// Elements of the largest part that is made on the way to a set of factors.
    pub fn largest(&self, best: &[Best], set: usize) -> f64 {
        let rest = best[set].rest;
        let part = |part: usize| match part.is_power_of_two() {
            true => 0.0,
            false => self.points(self.keep(part)).max(self.largest(best, part)),
        };
        if set.is_power_of_two() { 0.0 } else { part(set & !rest).max(part(rest)) }
    }

    /// The cheapest way to make all.
    pub fn least(&self, free: &[usize]) -> f64 {
        self.run(free)[self.full()].ns
    }

    /// The cheapest way to make each set of factors. Those sets are there already that are `free`.
    pub fn run(&self, free: &[usize]) -> Vec<Best> {
        let full = self.full();
        let sets = self.sets();
        let mut best = vec![Best { ns: f64::INFINITY, rest: 0 }; full + 1];
        for set in 1..=full {
            if free.contains(&set) {
                best[set].ns = 0.0;
                continue;
            }
            if set.is_power_of_two() {
                let all = self.masks[set.trailing_zeros() as usize];
                let lost = sets.keep[set] != all;
                let ns = self.prices.multiply(self.points(all)) + self.prices.touch(sets.kept[set]);
                best[set].ns = if lost { sets.own(set, ns) } else { 0.0 };
                continue;
            }
            for way in self.splits(&sets, set) {
                let ns = self.split(&sets, &best, set, way);
                if ns < best[set].ns {
                    best[set] = Best { ns, rest: set & !way };
                }
            }
        }
        best
    }

    /// The cheapest of all orders that begin at the end with each of these two parts, the cheapest first. `best` is what [`Search::run`] gave.
    pub fn ways(&self, best: &[Best]) -> Vec<Best> {
        let (full, sets) = (self.full(), self.sets());
        let all = self.splits(&sets, full).map(|part| Best { ns: self.split(&sets, best, full, part), rest: full & !part });
        let mut out: Vec<Best> = all.filter(|b| b.ns.is_finite()).collect();
        out.sort_by(|a, b| a.ns.total_cmp(&b.ns));
        out
    }

    /// What is known of each set where some are made in this way: each with its rest, parts before what they are parts of. None: it takes what
    /// may not be kept.
    pub fn along(&self, best: &[Best], steps: &[(usize, usize)]) -> Option<Vec<Best>> {
        let (sets, mut best) = (self.sets(), best.to_vec());
        for (set, rest) in steps {
            // Parts are named by the one that has the last factor.
            let part = (set & !rest).max(*rest);
            if !self.splits(&sets, *set).any(|p| p == part) {
                return None;
            }
            best[*set] = Best { ns: self.split(&sets, &best, *set, part), rest: set & !part };
        }
        Some(best).filter(|b| b[self.full()].ns.is_finite())
    }

    fn sets(&self) -> Sets {
        let all = 0..=self.full();
        let keep: Vec<u64> = all.clone().map(|set| self.keep(set)).collect();
        let kept = keep.iter().map(|mask| self.points(*mask)).collect();
        Sets { keep, kept, early: all.map(|set| self.is_early(set)).collect() }
    }

    /// The parts that a set may be split in, each named by the one that has its last factor; none of what may not be kept.
    fn splits(&self, sets: &Sets, set: usize) -> impl Iterator<Item = usize> + use<> {
        let refused = sets.early[set] && !sets.early[self.full()] && !may_keep(sets.kept[set], self.said(set));
        let first = if refused { 0 } else { (set - 1) & set };
        let parts = std::iter::successors(Some(first).filter(|p| *p > 0), move |p| Some((p - 1) & set).filter(|p| *p > 0));
        parts.filter(move |part| *part > set & !part)
    }

    /// What a set costs that is made of this part and the rest.
    fn split(&self, sets: &Sets, best: &[Best], set: usize, part: usize) -> f64 {
        let rest = set & !part;
        let write = if set == self.full() { 0.0 } else { self.prices.touch(sets.kept[set]) };
        // What is ready lies in memory, and is read in every run.
        let ready = |part: usize| if sets.early[part] && !sets.early[set] { self.prices.read(sets.kept[part]) } else { 0.0 };
        let step = self.prices.multiply(self.points(sets.keep[part] | sets.keep[rest])) + write;
        best[part].ns + best[rest].ns + ready(part) + ready(rest) + sets.own(set, step)
    }

    /// Elements of the factors of a set.
    fn said(&self, set: usize) -> f64 {
        self.masks.iter().enumerate().filter(|(f, _)| set >> f & 1 == 1).map(|(_, m)| self.points(*m)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `sum(r, z) p[i, r] z[z] g[z, i, r] u[r, o]`: loops i, o, r, z.
    fn generated(n: f64, rank: f64, code: f64) -> (f64, f64) {
        let extents = [n, n, rank, code];
        let masks = vec![0b0101, 0b1000, 0b1101, 0b0110];
        let early = [true, false, true, true];
        let search = Search { prices: &Prices::generic(), extents: &extents, result: 0b0011, masks, early: &early };
        let best = search.run(&[]);
        let split = best[search.full()].rest;
        assert!(split > 0 && split < search.full());
        // The larger of all that is kept on the way.
        let mut sets = vec![search.full()];
        let mut kept = 0.0f64;
        while let Some(set) = sets.pop().filter(|s| *s > 0) {
            let rest = best[set].rest;
            if set != search.full() {
                kept = kept.max(search.points(search.keep(set)));
            }
            if rest > 0 {
                sets.extend([rest, set & !rest]);
            }
        }
        (best[search.full()].ns, kept)
    }

    #[test]
    fn a_code_that_is_a_little_wider_costs_a_little_more() {
        for n in [16.0, 64.0, 512.0, 2048.0] {
            for rank in [1.0, 8.0, 64.0, 256.0, 1024.0] {
                let mut last = generated(n, rank, 16.0).0;
                for step in 2..60 {
                    let code = f64::from(step * 16);
                    let now = generated(n, rank, code).0;
                    // Twice the work ratio is the bound; within this range the ratio is that of the codes.
                    let ratio = code / (code - 16.0);
                    assert!(now <= last * 2.0 * ratio && now >= last / 2.0, "{n} {rank} {code}: {last} then {now}");
                    last = now;
                }
            }
        }
    }

    #[test]
    fn nothing_is_prepared_that_outweighs_what_it_is_made_of() {
        for code in [64.0, 264.0, 272.0] {
            for n in [512.0, 2048.0] {
                let (_, kept) = generated(n, 256.0, code);
                assert!(kept <= code * n * 256.0, "{n} {code}: {kept} elements");
            }
        }
    }

    #[test]
    fn a_nest_reads_what_lies_ready_as_a_product_does() {
        // `sum(i) x[i] s[i] w[i, o]`: a row that is scaled, and a matrix.
        let extents = [256.0, 1024.0];
        let search = |early| {
            Search { prices: &Prices::generic(), extents: &extents, result: 0b10, masks: vec![0b01, 0b01, 0b11], early }.nest()
        };
        let (late, ready) = (search(&[false; 3]), search(&[false, true, true]));
        assert_eq!(ready - late, Prices::generic().read(256.0 * 1024.0) + Prices::generic().read(256.0));
        // Of what is made once nothing is read in each run.
        assert_eq!(search(&[true; 3]), late);
    }

    #[test]
    fn a_weight_of_few_parts_is_prepared() {
        // `x[b, i] a[i, r] c[r, o]` with a wide rank: `a c` is smaller than what it is made of.
        let extents = [64.0, 64.0, 64.0, 512.0];
        let search = Search {
            prices: &Prices::generic(),
            extents: &extents,
            result: 0b0011,
            masks: vec![0b0101, 0b1100, 0b1010],
            early: &[false, true, true],
        };
        let best = search.run(&[]);
        assert_eq!(search.keep(0b110), 0b0110);
        assert!(best[0b111].rest == 0b001 || best[0b111].rest == 0b110);
    }
}
