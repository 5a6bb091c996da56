//! Which rows a step takes.
//!
//! In: how many rows there are, how many a step takes, its number, a seed, a phase. Out: the rows. Promised: the number alone decides, so
//! nothing is kept between steps and a run that goes on takes what it would have taken; every row is taken once before any is taken
//! again; and the bits never change from version to version. Batches are always full: an epoch may end within one.
//!
//! An order is a keyed bijection of 0..n: a Feistel network over the fewest bits that hold n, whose keys are words of Philox, and what falls
//! outside of n is sent through it again until it falls inside (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002).

use crate::ir::random::philox;

/// Rounds: of the longer halves twice what suffices; a half of a few bits has few functions, and takes more of them to reach every order.
const ROUNDS: usize = 12;
const ROUNDS_OF_SHORT: usize = 24;
/// Bits of what is short.
const SHORT: u32 = 8;

/// What is ordered: each has keys of its own.
#[derive(Clone, Copy, Debug)]
enum What {
    Rows,
    /// The list of an epoch's batches, where each has rows of one group.
    Batches,
    /// The rows of a group.
    Group(usize),
}

/// An order of 0..n.
#[derive(Clone, Debug)]
pub struct Permutation {
    n: u64,
    /// Bits of the lower half, and of the upper one, which has as many or one less.
    low: u32,
    high: u32,
    keys: [u64; ROUNDS_OF_SHORT],
    rounds: usize,
}

impl Permutation {
    /// The order of all rows in an epoch; `phase` is the hash of the phase's name.
    pub fn new(n: u64, seed: i32, phase: u32, epoch: u64) -> Permutation {
        Permutation::of(What::Rows, n, seed, phase, epoch)
    }

    fn of(what: What, n: u64, seed: i32, phase: u32, epoch: u64) -> Permutation {
        let stream = match what {
            What::Rows => 0,
            What::Batches => 1,
            What::Group(g) => (g as u32).wrapping_add(2),
        };
        let bits = u64::BITS - n.saturating_sub(1).leading_zeros();
        let rounds = if bits <= SHORT { ROUNDS_OF_SHORT } else { ROUNDS };
        let mut keys = [0; ROUNDS_OF_SHORT];
        for (k, pair) in keys[..rounds].chunks_exact_mut(2).enumerate() {
            let [a, b, c, d] = philox([epoch as u32, (epoch >> 32) as u32, stream, k as u32], [seed as u32, phase]);
            pair.copy_from_slice(&[u64::from(a) << 32 | u64::from(b), u64::from(c) << 32 | u64::from(d)]);
        }
        Permutation { n, low: bits.div_ceil(2), high: bits / 2, keys, rounds }
    }

    /// What stands at place `i`, which is below n.
    pub fn at(&self, i: u64) -> u64 {
        assert!(i < self.n, "an order has {} places, and {i} is none of them", self.n);
        // Place `i` lies on a circle that comes back to it, so that something below n is met.
        let mut x = self.through(i);
        while x >= self.n {
            x = self.through(x);
        }
        x
    }

    /// Through the network: each half is changed by what a function makes of the other, which can be undone, whatever the function.
    fn through(&self, x: u64) -> u64 {
        let (low, high) = ((1 << self.low) - 1, (1 << self.high) - 1);
        let (mut a, mut b) = (x & low, x >> self.low);
        for pair in self.keys[..self.rounds].chunks_exact(2) {
            a ^= mixed(b ^ pair[0]) & low;
            b ^= mixed(a ^ pair[1]) & high;
        }
        b << self.low | a
    }
}

/// Every bit of the result hangs on every bit of the word.
fn mixed(word: u64) -> u64 {
    let x = (word ^ (word >> 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 29)).wrapping_mul(0xD2B7_4407_B1CE_6E93);
    x ^ (x >> 32)
}

/// The rows of step `step` (from 0) of `n` rows, `batch` a step. None where there are no rows.
pub fn rows(n: usize, batch: usize, step: u64, seed: i32, phase: u32) -> Vec<usize> {
    stream(What::Rows, n, batch, u128::from(step), seed, phase)
}

/// The rows that a step takes where all rows of a step are of one group: the group, and places within it.
///
/// An epoch has as many batches of a group as the group fills, and one of a group that fills none (it goes round); their list
/// is shuffled by epoch. So a group has its share by its size. What an epoch leaves over is among what the next one takes: at the end of
/// each, no row of a group was taken two times more than another. `None`: there are no rows.
pub fn grouped(lengths: &[usize], batch: usize, step: u64, seed: i32, phase: u32) -> Option<(usize, Vec<usize>)> {
    let each = |n: usize| if n == 0 { 0 } else { (n / batch.max(1)).max(1) as u64 };
    let all: u64 = lengths.iter().map(|n| each(*n)).sum();
    if all == 0 {
        return None;
    }
    let epoch = step / all;
    let mut at = Permutation::of(What::Batches, all, seed, phase, epoch).at(step % all);
    let group = lengths.iter().position(|n| match at.checked_sub(each(*n)) {
        Some(rest) => {
            at = rest;
            false
        }
        None => true,
    })?;
    let n = lengths[group];
    let number = u128::from(epoch) * u128::from(each(n)) + u128::from(at);
    Some((group, stream(What::Group(group), n, batch, number, seed, phase)))
}

/// Batch `number` of an endless stream of epochs.
fn stream(what: What, n: usize, batch: usize, number: u128, seed: i32, phase: u32) -> Vec<usize> {
    if n == 0 {
        return Vec::new();
    }
    let mut order: Option<(u64, Permutation)> = None;
    let first = number * batch as u128;
    let row = |j: usize| {
        let q = first + j as u128;
        let epoch = (q / n as u128) as u64;
        let known = order.take().filter(|(e, _)| *e == epoch);
        let now = known.unwrap_or_else(|| (epoch, Permutation::of(what, n as u64, seed, phase, epoch)));
        order.insert(now).1.at((q % n as u128) as u64) as usize
    };
    (0..batch).map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn order(n: u64, seed: i32, epoch: u64) -> Vec<u64> {
        let p = Permutation::new(n, seed, 7, epoch);
        (0..n).map(|i| p.at(i)).collect()
    }

    #[test]
    fn an_order_has_everything_once() {
        for n in (0..70).chain([127, 128, 129, 1000, (1 << 20) + 7]) {
            for seed in [0, -1] {
                let mut seen = order(n, seed, 3);
                seen.sort_unstable();
                assert!(seen.iter().enumerate().all(|(k, v)| k as u64 == *v), "{n}");
            }
        }
    }

    #[test]
    fn more_than_can_be_counted_is_ordered_too() {
        for n in [u64::MAX, (1 << 63) + 1, 1 << 63, (1 << 32) + 1, (1 << 40) - 1] {
            let p = Permutation::new(n, 1, 2, u64::MAX);
            let seen: std::collections::BTreeSet<u64> = (0..5000).map(|i| p.at(n - 1 - i)).collect();
            assert_eq!(seen.len(), 5000);
            assert!(seen.iter().all(|v| *v < n));
            // Half of them lie in each half.
            let lower = seen.iter().filter(|v| **v < n / 2).count();
            assert!((2300..2700).contains(&lower), "{n}: {lower}");
        }
    }

    /// Chi squared of counts that should be equal, as standard deviations from what chance gives.
    fn surprise(counts: impl Iterator<Item = u64> + Clone, freedom: f64) -> f64 {
        let (cells, all) = (counts.clone().count() as f64, counts.clone().sum::<u64>() as f64);
        let chi: f64 = counts.map(|c| (c as f64 - all / cells).powi(2) / (all / cells)).sum();
        (chi - freedom) / (2.0 * freedom).sqrt()
    }

    #[test]
    fn every_order_of_a_few_is_as_likely() {
        for (n, orders) in [(2, 2), (3, 6), (4, 24), (5, 120)] {
            let mut counts: BTreeMap<Vec<u64>, u64> = BTreeMap::new();
            for epoch in 0..300 * orders {
                *counts.entry(order(n, 5, epoch)).or_default() += 1;
            }
            assert_eq!(counts.len() as u64, orders);
            let off = surprise(counts.values().copied(), (orders - 1) as f64);
            assert!(off < 4.0, "{n}: {off}");
        }
    }

    #[test]
    fn every_row_is_as_likely_at_every_place() {
        for n in [6, 7, 10, 16, 33] {
            let mut counts = vec![0; (n * n) as usize];
            for epoch in 0..4000 {
                for (place, row) in order(n, -3, epoch).into_iter().enumerate() {
                    counts[place * n as usize + row as usize] += 1;
                }
            }
            let off = surprise(counts.iter().copied(), ((n - 1) * (n - 1)) as f64);
            assert!(off.abs() < 4.0, "{n}: {off}");
        }
    }

    #[test]
    fn neighbours_do_not_stay_neighbours() {
        // How far the next one is, in each of 16 parts of the circle.
        let n = 1009;
        let mut counts = [0; 16];
        for epoch in 0..200 {
            let all = order(n, 11, epoch);
            all.windows(2).for_each(|w| counts[((w[1] + n - w[0]) % n * 16 / n) as usize] += 1);
        }
        assert!(surprise(counts.iter().copied(), 15.0).abs() < 4.0, "{counts:?}");
    }

    #[test]
    fn seed_phase_and_epoch_each_give_another_order() {
        let one = |seed, phase, epoch| (0..50).map(|i| Permutation::new(50, seed, phase, epoch).at(i)).collect::<Vec<_>>();
        let all = [one(0, 0, 0), one(1, 0, 0), one(0, 1, 0), one(0, 0, 1), one(0, 0, 1 << 32)];
        assert!((0..5).all(|a| (0..a).all(|b| all[a] != all[b])));
    }

    #[test]
    fn an_epoch_takes_every_row_once_wherever_its_batches_end() {
        for (n, batch) in [(10, 4), (1, 3), (7, 7), (3, 10), (64, 64), (5, 1)] {
            let taken: Vec<usize> = (0..40).flat_map(|step| rows(n, batch, step, 9, 1)).collect();
            assert_eq!(taken.len(), 40 * batch);
            for epoch in taken.chunks_exact(n) {
                let mut seen = epoch.to_vec();
                seen.sort_unstable();
                assert_eq!(seen, (0..n).collect::<Vec<_>>());
            }
        }
        assert!(rows(0, 4, 0, 0, 0).is_empty() && rows(4, 0, 3, 0, 0).is_empty());
        assert_eq!(rows(5, 1000, u64::MAX, 0, 0).len(), 1000);
    }

    #[test]
    fn each_batch_has_one_group_by_its_size() {
        let lengths = [10, 0, 25, 3, 0];
        let (batch, epoch) = (4, 2 + 6 + 1);
        let mut taken = vec![Vec::new(); 5];
        for step in 0..epoch * 30 {
            let (group, places) = grouped(&lengths, batch, step, 2, 8).unwrap();
            assert_eq!(places.len(), batch);
            taken[group].extend(places);
            if (step + 1) % epoch == 0 {
                let all = (step + 1) / epoch;
                let counts: Vec<u64> = taken.iter().map(|t: &Vec<usize>| (t.len() / batch) as u64).collect();
                assert_eq!(counts, [2 * all, 0, 6 * all, all, 0]);
                // What an epoch leaves, the next takes: no row is ahead of another by more than one.
                for (rows, n) in taken.iter().zip(lengths) {
                    let often = |row: usize| rows.iter().filter(|r| **r == row).count();
                    let (least, most) = ((0..n).map(often).min(), (0..n).map(often).max());
                    assert!(most <= least.map(|k| k + 1), "{rows:?}");
                }
            }
        }
        let list = |epochs: u64| (0..9).map(|k| grouped(&lengths, batch, epochs * 9 + k, 2, 8).unwrap().0).collect::<Vec<_>>();
        assert_ne!(list(0), list(1));
        assert_eq!(grouped(&[], 4, 0, 0, 0), None);
        assert_eq!(grouped(&[0, 0], 4, 5, 0, 0), None);
        assert_eq!(grouped(&[0, 1], 2, u64::MAX, 0, 0), Some((1, vec![0, 0])));
        assert_eq!(grouped(&[3], 0, 5, 0, 0), Some((0, vec![])));
    }

    #[test]
    fn the_bits_are_those_of_the_first_version() {
        assert_eq!(order(12, 0, 0), [8, 5, 4, 2, 0, 10, 6, 3, 11, 9, 1, 7]);
        assert_eq!(rows(1797, 8, 1000, 42, 0xdead_beef), [452, 165, 392, 421, 554, 1292, 1169, 719]);
        assert_eq!(grouped(&[100, 200, 300], 6, 77, 42, 1), Some((1, vec![89, 57, 58, 31, 90, 100])));
        assert_eq!(Permutation::new(u64::MAX, 3, 4, 5).at(6), 7_684_555_994_554_557_478);
    }
}
