//! The scale of losses in mixed precision (Micikevicius et al. 2018; the numbers are PyTorch's).
//!
//! A gradient that is too small for 16 bits is 0 there. So what is differentiated is the loss times a scale, and gradients are divided by it. The
//! scale doubles after many steps that went well, and is halved by a step whose gradients were not finite. That step is skipped.

use serde::{Deserialize, Serialize};

const FIRST: f64 = 65_536.0;
const LARGEST: f64 = 16_777_216.0 * 65_536.0;
/// Steps that go well until the scale doubles.
const PATIENCE: u64 = 2000;

/// A scale, and how long it has served.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scaling {
    /// A power of two.
    pub scale: f64,
    /// Steps since it changed.
    pub served: u64,
    /// For each arm, the steps of this round that were skipped.
    pub skipped: Vec<u64>,
}

impl Default for Scaling {
    fn default() -> Scaling {
        Scaling { scale: FIRST, served: 0, skipped: vec![] }
    }
}

impl Scaling {
    /// After a step that went well.
    pub fn good(&mut self) {
        self.served += 1;
        if self.served >= PATIENCE {
            self.scale = (2.0 * self.scale).min(LARGEST);
            self.served = 0;
        }
    }

    /// After a step of an arm that was skipped. `false`: the scale was 1, so it is not to blame.
    pub fn bad(&mut self, arm: usize) -> bool {
        if self.scale <= 1.0 {
            return false;
        }
        self.scale /= 2.0;
        self.served = 0;
        if self.skipped.len() <= arm {
            self.skipped.resize(arm + 1, 0);
        }
        self.skipped[arm] += 1;
        true
    }

    /// How many steps of an arm were skipped in this round.
    pub fn skipped(&self, arm: usize) -> u64 {
        self.skipped.get(arm).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_doubles_after_two_thousand_and_halves_at_once() {
        let mut s = Scaling::default();
        (0..1999).for_each(|_| s.good());
        assert_eq!((s.scale, s.served), (FIRST, 1999));
        assert!(s.bad(1));
        assert_eq!((s.scale, s.served, s.skipped(0), s.skipped(1)), (FIRST / 2.0, 0, 0, 1));
        (0..2000).for_each(|_| s.good());
        assert_eq!((s.scale, s.served), (FIRST, 0));
        while s.scale > 1.0 {
            assert!(s.bad(0));
        }
        assert!(!s.bad(0));
        assert_eq!((s.scale, s.skipped(0)), (1.0, 16));
    }
}
