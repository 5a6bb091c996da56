//! What was prepared stays for conditions that come back.
//!
//! A placement that is to be prepared for another condition first lays aside what it has; where that condition was there before it takes up what
//! was prepared then, and computes nothing. Memory changes hands whole, nothing is copied, and where conditions never change nothing is kept.
//! All of it is for the parameters of the moment: with others it goes. What was used least lately goes where the bound is reached.

use super::backend::Aside;
use super::conditions::Conditions;
use super::ready::{Prepared, Ready};
use super::stored::Stored;
use crate::diag::Diagnostic;
use crate::files::memory;
use crate::ir::Tensor;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Which conditions there were, and how much may be kept for them.
pub(super) struct Kept {
    conditions: Conditions,
    /// The age of the youngest parameter for which things are kept.
    parameters: u64,
    pub bound: usize,
    /// How often something was prepared by computing it.
    pub preparations: u64,
}

impl Kept {
    /// `paths` of the sources whose values make a condition.
    pub fn new(paths: Vec<Arc<str>>, bound: usize) -> Kept {
        Kept { conditions: Conditions::new(paths), parameters: 0, bound, preparations: 0 }
    }

    /// The sources whose values make a condition.
    pub fn paths(&self) -> &[Arc<str>] {
        self.conditions.paths()
    }

    /// Bytes that are kept besides what placements hold as they are: of values, and of what was prepared for them.
    pub fn bytes(&self, ready: &[Ready]) -> usize {
        self.conditions.bytes() + ready.iter().map(Ready::bytes).sum::<usize>()
    }

    /// Other values are `given` than were `stored`.
    pub fn turn(&mut self, ready: &mut [Ready], stored: &Stored, outdated: &BTreeSet<String>, given: &BTreeMap<String, Tensor>) {
        let before = self.conditions.now();
        let somebodys = self.bound > 0 && ready.iter().any(|r| r.holds(before));
        if self.conditions.turn(stored, outdated, given, somebodys) {
            self.release(ready, before);
            self.room(ready, 0, None);
        }
    }

    /// Parameters are of this age now.
    pub fn of_parameters(&mut self, ready: &mut [Ready], age: u64) {
        if std::mem::replace(&mut self.parameters, age) != age {
            self.clear(ready);
        }
    }

    /// What is bound to sources was changed from within: what is prepared is no condition's any more.
    pub fn changed(&mut self, ready: &mut [Ready]) {
        self.clear(ready);
        ready.iter_mut().for_each(|r| r.prepared = None);
        self.conditions.renew();
    }

    /// Drops all that is kept.
    fn clear(&mut self, ready: &mut [Ready]) {
        ready.iter_mut().for_each(|r| r.aside.clear());
        while let Some(number) = self.conditions.oldest() {
            self.conditions.forget(number);
        }
    }

    /// Keeps no more than so many bytes from now on.
    pub fn keep(&mut self, ready: &mut [Ready], bytes: usize) {
        self.bound = bytes;
        self.room(ready, 0, None);
    }

    /// Makes placement `at`, whose early sources are bound, prepared for the condition of the moment.
    pub fn prepare(&mut self, ready: &mut [Ready], at: usize) -> Result<(), Diagnostic> {
        let now = Prepared { parameters: self.parameters, condition: self.conditions.now() };
        let own = &mut ready[at];
        let changing = own.placed.changing();
        // Of other parameters nothing is of use.
        let before = own.prepared.take().filter(|p| p.parameters == now.parameters);
        // Where nothing is made of conditions it is the same for all of them.
        if before.is_some_and(|p| p.condition == now.condition || changing == Some(0)) {
            own.prepared = Some(now);
        } else {
            let back = own.aside.remove(&now.condition).filter(|_| before.is_some());
            let computed = back.is_none();
            self.exchange(ready, at, before.map(|p| p.condition), back);
            if computed {
                self.preparations += 1;
                ready[at].placed.prepare(now.parameters)?;
            }
            ready[at].prepared = Some(now);
        }
        if let Some(p) = before {
            self.release(ready, p.condition);
        }
        Ok(())
    }

    /// Lays aside what placement `at` has of condition `before`, where that may be kept, and takes up what is to come `back`.
    fn exchange(&mut self, ready: &mut [Ready], at: usize, before: Option<u64>, back: Option<Aside>) {
        let known = before.filter(|number| self.conditions.knows(*number));
        let Some(number) = known.filter(|_| ready[at].placed.changing().is_some()) else {
            if let Some(back) = back {
                ready[at].placed.exchange(Some(back));
            }
            return;
        };
        let other = match back {
            Some(back) => Some(back),
            None => match self.room(ready, ready[at].placed.changing().unwrap_or(0), Some((at, number))) {
                Some(spare) => spare,
                None => return,
            },
        };
        if let Some(own) = ready[at].placed.exchange(other) {
            ready[at].aside.insert(number, own);
        }
    }

    /// Drops what was used least lately, until so many bytes more may be kept: of a placement, for a condition, which stays. Gives memory of that
    /// placement that became free, if some did; `None`: they may not be kept.
    fn room(&mut self, ready: &mut [Ready], more: usize, of: Option<(usize, u64)>) -> Option<Option<Aside>> {
        let least = of.map_or(0, |(_, number)| self.conditions.bytes_of(number));
        if more > self.bound.saturating_sub(least) {
            return None;
        }
        let mut spare = None;
        while self.bytes(ready) + more > self.bound {
            let oldest = self.conditions.oldest().filter(|number| of.is_none_or(|(_, n)| n != *number))?;
            self.conditions.forget(oldest);
            for (k, r) in ready.iter_mut().enumerate() {
                let gone = r.aside.remove(&oldest);
                spare = spare.or(gone.filter(|_| of.is_some_and(|(at, _)| at == k)));
            }
        }
        if spare.is_none() && memory::room_for("what is kept", more as f64).is_err() {
            return None;
        }
        Some(spare)
    }

    /// A placement went, with all that it held.
    pub fn gone(&mut self, ready: &[Ready], gone: &Ready) {
        let own = gone.prepared.map(|p| p.condition);
        gone.aside.keys().copied().chain(own).for_each(|number| self.release(ready, number));
    }

    /// Forgets a condition's values where nothing is prepared for it any more.
    fn release(&mut self, ready: &[Ready], number: u64) {
        if number != self.conditions.now() && !ready.iter().any(|r| r.holds(number)) {
            self.conditions.forget(number);
        }
    }
}
