//! Which relations a specialized model keeps: those whose values depend on inputs, and what comes after them.

use super::cut::Applicable;
use crate::cli::talk::Exit;
use std::collections::BTreeSet;

/// The relations that stay.
#[derive(Clone)]
pub(super) struct Kept<'a> {
    relations: &'a [Applicable],
    pub numbers: BTreeSet<usize>,
}

impl<'a> Kept<'a> {
    pub fn none(relations: &'a [Applicable]) -> Kept<'a> {
        Kept { relations, numbers: BTreeSet::new() }
    }

    fn of<'s>(&'s self, member: &'s str) -> impl DoubleEndedIterator<Item = &'s Applicable> {
        self.relations.iter().filter(move |r| r.member == member)
    }

    /// Whether all that gives to a member stays.
    pub fn wholly(&self, member: &str) -> bool {
        self.of(member).count() > 0 && self.of(member).all(|r| self.numbers.contains(&r.number))
    }

    /// Those whose members have others that are applied: they come after these.
    pub fn left_out(&self) -> BTreeSet<usize> {
        let out = self.relations.iter().filter(|r| self.numbers.contains(&r.number) && !self.wholly(&r.member));
        out.map(|r| r.number).collect()
    }

    /// Keeps one more relation of a member whose values depend on inputs: the one without which they do not, where there is one that may
    /// be applied last; else the last. False: all stay already.
    pub fn keep(&mut self, member: &str, computable: &dyn Fn(&Kept) -> Result<bool, Exit>) -> Result<bool, Exit> {
        let open: Vec<&Applicable> =
            self.relations.iter().filter(|r| r.member == member && !self.numbers.contains(&r.number)).collect();
        let Some(last) = open.last() else { return Ok(false) };
        for r in open.iter().rev() {
            // Nothing but sums may change places.
            if r.number != last.number && !open.iter().all(|o| o.number < r.number || o.adds) {
                break;
            }
            let mut tried = self.clone();
            tried.numbers.insert(r.number);
            if open.len() > 1 && computable(&tried)? {
                *self = tried;
                return Ok(true);
            }
        }
        self.numbers.insert(last.number);
        Ok(true)
    }
}
