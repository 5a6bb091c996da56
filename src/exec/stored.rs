//! What `prepare` was given, and since when each value is what it is: who holds a value takes it anew only where it changed.

use crate::ir::Tensor;
use std::collections::{BTreeMap, BTreeSet};

/// Values by path, each with its age: a number that no other state of it has, and no other value of that time. 0 is nobody's.
#[derive(Default)]
pub(super) struct Stored {
    values: BTreeMap<String, Tensor>,
    ages: BTreeMap<String, u64>,
    /// The last age that was given out.
    clock: u64,
}

impl Stored {
    pub fn get(&self, path: &str) -> Option<&Tensor> {
        self.values.get(path)
    }

    /// Whoever changes its elements says so by [`Stored::touch`].
    pub fn get_mut(&mut self, path: &str) -> Option<&mut Tensor> {
        self.values.get_mut(path)
    }

    pub fn values(&self) -> &BTreeMap<String, Tensor> {
        &self.values
    }

    /// Since when the value is what it is; 0 where there is none.
    pub fn age(&self, path: &str) -> u64 {
        self.ages.get(path).copied().unwrap_or(0)
    }

    /// Since when all of these are what they are.
    pub fn newest<'a>(&self, paths: impl Iterator<Item = &'a str>) -> u64 {
        paths.map(|p| self.age(p)).max().unwrap_or(0)
    }

    /// The value is another one now. Gives its age.
    pub fn touch(&mut self, path: &str) -> u64 {
        self.clock += 1;
        self.ages.insert(path.to_string(), self.clock);
        self.clock
    }

    /// These values and no others. One with the bits that it has already stays in memory where it is, with its age, unless what is here is
    /// `outdated`.
    pub fn replace<'a>(&mut self, given: impl Iterator<Item = (&'a String, &'a Tensor)>, outdated: &BTreeSet<String>) {
        let mut before = self.take();
        self.clock += 1;
        for (path, value) in given {
            let same = |old: &Tensor| !outdated.contains(path) && old.same_bits(value);
            let (value, age) = match before.remove_entry(path).filter(|(_, (old, _))| same(old)) {
                Some((_, kept)) => kept,
                None => (value.clone(), self.clock),
            };
            self.values.insert(path.clone(), value);
            self.ages.insert(path.clone(), age);
        }
    }

    /// As [`Stored::replace`], where all others stay.
    pub fn put<'a>(&mut self, given: impl Iterator<Item = (&'a String, &'a Tensor)>, outdated: &BTreeSet<String>) {
        self.clock += 1;
        for (path, value) in given {
            let same = self.values.get(path).is_some_and(|old| !outdated.contains(path) && old.same_bits(value));
            if !same {
                self.values.insert(path.clone(), value.clone());
                self.ages.insert(path.clone(), self.clock);
            }
        }
    }

    /// Gives all away.
    fn take(&mut self) -> BTreeMap<String, (Tensor, u64)> {
        let mut ages = std::mem::take(&mut self.ages);
        std::mem::take(&mut self.values)
            .into_iter()
            .map(|(p, v)| {
                let age = ages.remove(&p).unwrap_or(0);
                (p, (v, age))
            })
            .collect()
    }

    /// Gives the values away.
    pub fn take_values(&mut self) -> BTreeMap<String, Tensor> {
        self.ages.clear();
        std::mem::take(&mut self.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ir::Data;

    #[test]
    fn only_what_changed_is_younger() {
        let of = |x: f32| Tensor::new(vec![1], Data::F32(vec![x]));
        let given = |a: f32, b: f32| BTreeMap::from([("a".to_string(), of(a)), ("b".to_string(), of(b))]);
        let mut stored = Stored::default();
        let none = BTreeSet::new();
        assert_eq!(stored.age("a"), 0);
        stored.replace(given(1.0, f32::NAN).iter(), &none);
        let (a, b) = (stored.age("a"), stored.age("b"));
        assert!(a > 0 && b > 0);
        stored.replace(given(2.0, f32::NAN).iter(), &none);
        assert!(stored.age("a") > a && stored.age("b") == b && stored.get("a") == Some(&of(2.0)));
        assert_eq!(stored.newest(["a", "b"].into_iter()), stored.age("a"));
        // What is elsewhere is taken anew, and what was touched is another value, whatever comes later.
        stored.replace(given(2.0, f32::NAN).iter(), &BTreeSet::from(["b".to_string()]));
        assert!(stored.age("b") > b);
        let touched = stored.touch("b");
        stored.replace(given(2.0, f32::NAN).iter().take(1), &none);
        assert!(touched > stored.age("a") && stored.age("b") == 0 && stored.values().len() == 1);
        stored.replace(given(2.0, f32::NAN).iter(), &none);
        assert!(stored.age("b") > touched);
    }
}
