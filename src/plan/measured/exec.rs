//! What the engine goes by.

/// Bytes that may be kept of what was prepared for conditions, unless somebody says otherwise. A rule: hundreds of generated networks
/// of a size that goes with a request, and little beside the memory of a machine that runs large ones.
pub(crate) const CONDITION_BYTES: usize = 256 << 20;
/// Elements of a condition that its mark looks at. A rule: all are looked at only where marks are equal.
pub(crate) const CONDITION_LOOKS: usize = 64;

/// Bindings of sizes for which compiled code stays placed. A rule.
#[cfg(feature = "cpu")]
pub(crate) const PLACED_NATIVE: usize = 16;
/// Bindings of sizes for which shaders stay placed, each with an arena on the device. A rule.
#[cfg(feature = "gpu")]
pub(crate) const PLACED_ON_DEVICE: usize = 8;

/// Bytes that the columns of a table may take in memory. A rule.
pub(crate) const COLUMN_BYTES: usize = 256 << 20;
/// Reads of a batch beyond which its column is read whole and kept. A rule: so few are no trouble.
pub(crate) const COLUMN_READS: usize = 2;

/// Rows of a batch for each that differs, below which equal ones are not looked for any further. A rule: with two of each, half of what there is to
/// save is saved.
pub(crate) const EQUAL_LEAST: usize = 2;
/// Bindings of sizes for which is known where to look for equal rows. A rule.
pub(crate) const EQUAL_KNOWN: usize = 32;
