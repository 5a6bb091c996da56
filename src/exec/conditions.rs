//! Which condition it is. Conditions have numbers, and values that were there before have the number that they had.
//!
//! A condition is the values of all sources that change with no input, but are no parameters; a source without a value counts, too. Values are
//! compared in full, bit by bit: a NaN is the same as itself, and 0 differs from -0.

use super::stored::Stored;
use crate::ir::{Data, Tensor};
use crate::plan::measured::exec::CONDITION_LOOKS;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The condition of the moment, and those of before that somebody may want back.
pub(super) struct Conditions {
    paths: Vec<Arc<str>>,
    now: u64,
    /// Counts up with each new number, and with each use.
    clock: u64,
    known: BTreeMap<u64, Known>,
    /// Known ones by their marks, and by their last use.
    marks: BTreeSet<(u64, u64)>,
    uses: BTreeSet<(u64, u64)>,
    bytes: usize,
}

/// The values of a condition, in the order of the paths.
struct Known {
    values: Vec<Option<Tensor>>,
    mark: u64,
    used: u64,
    bytes: usize,
}

fn alike(a: Option<&Tensor>, b: Option<&Tensor>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.same_bits(b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// A number that alike values share. Others may share it, too: it only saves looking at most of those that differ.
fn mark<'a>(values: impl Iterator<Item = Option<&'a Tensor>>) -> u64 {
    let mut mark = 0xcbf2_9ce4_8422_2325u64;
    let mut mix = |word: u64| mark = (mark ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(29);
    for t in values {
        let n = t.map_or(0, Tensor::len);
        mix(n as u64);
        let Some(t) = t else { continue };
        for i in (0..n).step_by(n.div_ceil(CONDITION_LOOKS).max(1)) {
            mix(match &t.data {
                Data::F32(v) => u64::from(v[i].to_bits()),
                Data::F64(v) => v[i].to_bits(),
                Data::I32(v) => u64::from(v[i] as u32),
                Data::Bool(v) => u64::from(v[i]),
            });
        }
    }
    mark
}

/// Bytes that a value takes.
fn bytes(t: &Tensor) -> usize {
    let each = match &t.data {
        Data::F32(_) | Data::I32(_) => 4,
        Data::F64(_) => 8,
        Data::Bool(_) => 1,
    };
    t.len() * each + t.shape.len() * size_of::<usize>()
}

impl Conditions {
    /// `paths` of the sources whose values make a condition; all are without a value yet.
    pub fn new(paths: Vec<Arc<str>>) -> Conditions {
        let (known, marks, uses) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        Conditions { paths, now: 0, clock: 0, known, marks, uses, bytes: 0 }
    }

    /// The sources whose values make a condition.
    pub fn paths(&self) -> &[Arc<str>] {
        &self.paths
    }

    /// The number of the condition of the moment.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// Whether a condition's values are known: then it has the same number when it comes back.
    pub fn knows(&self, number: u64) -> bool {
        self.known.contains_key(&number)
    }

    /// Bytes that all known values take, or those of one condition.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn bytes_of(&self, number: u64) -> usize {
        self.known.get(&number).map_or(0, |k| k.bytes)
    }

    /// The known one whose last use is longest ago.
    pub fn oldest(&self) -> Option<u64> {
        self.uses.first().map(|(_, number)| *number)
    }

    /// Makes what is `given` the condition of the moment, instead of what is `stored`. Where that is somebody's it is `remembered`; what is
    /// `outdated` of it nobody knows. Gives whether it is another one.
    pub fn turn(
        &mut self,
        stored: &Stored,
        outdated: &BTreeSet<String>,
        given: &BTreeMap<String, Tensor>,
        remembered: bool,
    ) -> bool {
        let far = |p: &Arc<str>| outdated.contains(&**p);
        if self.paths.iter().all(|p| !far(p) && alike(stored.get(p), given.get(&**p))) {
            return false;
        }
        if remembered && !self.knows(self.now) && !self.paths.iter().any(far) {
            self.remember(self.paths.iter().map(|p| stored.get(p).cloned()).collect());
        }
        let values: Vec<Option<&Tensor>> = self.paths.iter().map(|p| given.get(&**p)).collect();
        match self.find(&values) {
            Some(number) => self.now = number,
            None => self.renew(),
        }
        self.used();
        true
    }

    /// The condition of the moment is one that there was not before.
    pub fn renew(&mut self) {
        self.clock += 1;
        self.now = self.clock;
    }

    fn remember(&mut self, values: Vec<Option<Tensor>>) {
        let mark = mark(values.iter().map(Option::as_ref));
        let values_bytes: usize = values.iter().flatten().map(bytes).sum();
        let bytes = values_bytes + values.len() * size_of::<Option<Tensor>>() + size_of::<Known>();
        self.bytes += bytes;
        self.marks.insert((mark, self.now));
        self.known.insert(self.now, Known { values, mark, used: 0, bytes });
        self.used();
    }

    /// The condition of the moment was used now.
    fn used(&mut self) {
        if let Some(known) = self.known.get_mut(&self.now) {
            self.clock += 1;
            self.uses.remove(&(known.used, self.now));
            known.used = self.clock;
            self.uses.insert((known.used, self.now));
        }
    }

    /// The known one that has these values.
    fn find(&self, values: &[Option<&Tensor>]) -> Option<u64> {
        if self.known.is_empty() {
            return None;
        }
        let mark = mark(values.iter().copied());
        let same = |k: &Known| k.values.iter().zip(values).all(|(a, b)| alike(a.as_ref(), *b));
        let marked = self.marks.range((mark, 0)..=(mark, u64::MAX)).map(|(_, number)| *number);
        marked.into_iter().find(|number| self.known.get(number).is_some_and(same))
    }

    /// Forgets the values of a condition: should they come back, it has another number.
    pub fn forget(&mut self, number: u64) {
        if let Some(known) = self.known.remove(&number) {
            self.bytes -= known.bytes;
            self.marks.remove(&(known.mark, number));
            self.uses.remove(&(known.used, number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(values: &[f32]) -> BTreeMap<String, Tensor> {
        BTreeMap::from([("z".to_string(), Tensor::new(vec![values.len()], Data::F32(values.to_vec())))])
    }

    /// The number of each of these conditions, one after the other, all of them remembered.
    fn numbers(all: &[&[f32]]) -> Vec<u64> {
        let mut conditions = Conditions::new(vec!["z".into()]);
        let (mut stored, none) = (Stored::default(), BTreeSet::new());
        let mut number = |values: &&[f32]| {
            conditions.turn(&stored, &none, &given(values), true);
            stored.replace(given(values).iter(), &none);
            conditions.now()
        };
        all.iter().map(&mut number).collect()
    }

    #[test]
    fn the_same_bits_have_the_same_number() {
        let quiet = f32::from_bits(0x7fc0_0001);
        let all = numbers(&[&[0.0], &[-0.0], &[f32::NAN], &[quiet], &[0.0, 0.0], &[], &[0.0], &[-0.0], &[f32::NAN], &[quiet]]);
        assert_eq!(all[..4], all[6..]);
        assert_eq!(BTreeSet::from_iter(all).len(), 6);
    }

    /// Two of which no mark can tell that they differ.
    #[test]
    fn values_are_compared_in_full() {
        let n = 3 * CONDITION_LOOKS;
        let long = vec![1.0f32; n];
        let mut other = long.clone();
        other[n - 1] = 2.0;
        assert_eq!(mark(given(&long).values().map(Some)), mark(given(&other).values().map(Some)));
        let all = numbers(&[&long, &other, &long, &other]);
        assert!(all[0] != all[1] && all[..2] == all[2..]);
    }

    #[test]
    fn what_is_forgotten_has_another_number() {
        let mut conditions = Conditions::new(vec!["z".into()]);
        let (mut stored, none) = (Stored::default(), BTreeSet::new());
        let mut turn = |conditions: &mut Conditions, z: f32, remembered| {
            conditions.turn(&stored, &none, &given(&[z]), remembered);
            stored.replace(given(&[z]).iter(), &none);
            conditions.now()
        };
        let a = turn(&mut conditions, 1.0, true);
        let b = turn(&mut conditions, 2.0, true);
        assert!(conditions.knows(a) && !conditions.knows(b) && turn(&mut conditions, 2.0, true) == b);
        assert_eq!(turn(&mut conditions, 1.0, true), a);
        assert_eq!(conditions.oldest(), Some(0));
        conditions.forget(0);
        assert_eq!(conditions.oldest(), Some(b));
        conditions.forget(a);
        assert!(turn(&mut conditions, 2.0, false) == b && turn(&mut conditions, 1.0, false) != a);
        conditions.forget(b);
        assert_eq!((conditions.bytes(), conditions.oldest()), (0, None));
    }
}
