//! What decides how something is computed: from which size on something pays, how much is taken at a time, how much is kept.
//!
//! Each number stands here with its unit, what it decides, and where it comes from: what was measured and on what; by which reasoning it was
//! set; or that it is a rule, for which no measurement is noted. Whoever comes to another machine looks here first.
//!
//! What does not stand here: prices in nanoseconds ([`Prices`](super::Prices)), tiles of registers and of workgroups that texts and layouts
//! follow, limits of a device or against endless input, and how many terms are summed before rounding is made good, which no machine changes.

#[cfg(feature = "cpu")]
pub mod cpu;
pub mod exec;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod plan;
