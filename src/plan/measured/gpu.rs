//! What is decided for a device beyond the plan.

// What shares a shader.

/// Elements of a fold up to which it is usually computed again by each thread: cheaper than written and read. A rule.
pub(crate) const FOLD_AGAIN: i64 = 4;
/// Multiply-adds of a row beyond which a product gets a shader of its own. A rule.
pub(crate) const ROW_HEAVY: i64 = 1 << 18;
/// Elements of a matrix that stays the same for all rows, beyond which each workgroup would read too much. A rule.
pub(crate) const ROW_STILL: i64 = 1 << 16;
/// Work that one workgroup does alone, in multiply-adds of a stage. A rule.
pub(crate) const GROUP_STAGE: i64 = 1 << 15;
/// Likewise of all stages that share it. A rule.
pub(crate) const GROUP_ALL: i64 = 4 * GROUP_STAGE;
/// Rows below which a product wants the whole device for its columns. A rule.
pub(crate) const ROWS_FEW: i64 = 16;
/// Multiply-adds of each of so few rows beyond which it gets a shader of its own. A rule.
pub(crate) const ROWS_FEW_HEAVY: i64 = GROUP_STAGE / 2;
/// Multiply-adds of a product from which on its rows must share what they read: several rows a workgroup, or tiles. A rule.
pub(crate) const LARGE_WORK: i64 = 1 << 22;
/// Rows and columns that such a product has at least. A rule.
pub(crate) const LARGE_SIDE: i64 = 16;
/// Elements of a stage that a workgroup computes at once, where its rows allow. A rule.
pub(crate) const GROUP_ELEMENTS: i64 = 2048;
/// Workgroups that a device should have at least, before they take more rows. A rule.
pub(crate) const GROUPS: i64 = 32;
/// Elements of a row that are ordered by counting within a workgroup. A rule.
pub(crate) const ORDERED: i64 = 1 << 9;
/// Stages of one shader, at most. A rule.
pub(crate) const STAGES: usize = 16;
/// Likewise where a processor plays the device: the time that its compiler takes grows faster than the barriers of a shader. Measured (llvmpipe of
/// Mesa 22.3): with sixteen stages a decoder of two layers started in 3.9 s, with eight in 1.7, and ran as fast.
pub(crate) const STAGES_PLAYED: usize = 8;

// Folds that several threads share, in a workgroup with rows.

/// Steps of a fold from which on threads share it. A rule.
pub(crate) const SHARED_FOLD: i64 = 16;
/// Steps that each of these threads has at least. A rule.
pub(crate) const SHARED_STEPS: i64 = 4;
/// Threads that share a fold, at most. A rule.
pub(crate) const SHARED_THREADS: u32 = 64;
/// Steps of a fold from which on a stage alone shares its folds among threads. A rule.
pub(crate) const ALONE_FOLD: i64 = 64;
/// Elements of a row from which on it does not: then each thread has elements of its own. A rule.
pub(crate) const ALONE_WIDTH: i64 = 64;
/// Elements of a stage from which on it does not. A rule.
pub(crate) const ALONE_COUNT: i64 = 1 << 16;
/// The part of a workgroup's threads that has work where each takes several rows of a product: at least one of so many. A rule.
pub(crate) const BLOCKED_THREADS: i64 = 4;
/// Likewise where each takes several columns, too. A rule.
pub(crate) const ACROSS_THREADS: i64 = 8;
/// Steps of a product's sum that are written out there. A rule.
pub(crate) const ROWS_UNROLL: i64 = 2;

// Long folds.

/// Elements of a fold beyond which it is cut into parts. A rule: the threads of an element fold so many, and software devices end a
/// thread's loops after some ten thousand rounds.
pub(crate) const LONG_FOLD: i64 = 1 << 14;
/// Rounds of one thread for all folds of an element, beyond which the longest is taken out. A rule, likewise.
pub(crate) const LONG_TOGETHER: i64 = 2 * LONG_FOLD;
/// Elements of a part, at least and at most; between them as many as leave [`PART_THREADS`] something to do. A rule.
pub(crate) const PART: (i64, i64) = (128, 8192);
/// Threads that should have a part. A rule.
pub(crate) const PART_THREADS: i64 = 1 << 17;
/// Times that long parts are as long as short ones, if these are not the shortest. A rule.
pub(crate) const PART_LONGER: i64 = 4;
/// Steps of the sum of a product in tiles, in one part: where there are few tiles, and where there are many. A rule.
pub(crate) const TILED_PART: (i64, i64) = (512, 2048);
/// Tiles of all parts below which they are few. A rule.
pub(crate) const TILED_FEW: i64 = 64;
/// Factors of a product beyond which the threads of a workgroup share it. A rule.
pub(crate) const FACTORS_SHARED: i64 = 1 << 12;
/// Factors beyond which the workgroup is as large as any may be: software devices end a thread's loops after some ten thousand rounds. A rule.
pub(crate) const FACTORS_MANY: i64 = 1 << 20;

// Products tile by tile.

/// Rows and columns from which on tiles pay. A rule.
pub(crate) const TILE_SIDE: i64 = 16;
/// Terms of a sum from which on they do. A rule.
pub(crate) const TILE_TERMS: i64 = 8;
/// Multiply-adds from which on they do where rows have to be sorted by their groups first. A rule.
pub(crate) const TILE_GROUPED: i64 = 1 << 20;
/// Rows up to which a tile is low. By reasoning: low tiles waste less on few.
pub(crate) const TILE_LOW: i64 = 40;
/// Steps of the sum in workgroup memory; what is added up before rounding is made good is a multiple of it. A rule: 8 KiB for both
/// factors, half of what every device has.
pub(crate) const TILE_STEPS: i64 = 16;
/// Steps of the sum that are written out. A rule.
pub(crate) const TILE_UNROLL: i64 = 2;
/// Elements of each result of sums by groups from which on tiles pay. A rule.
pub(crate) const SEGMENT_ELEMENTS: i64 = 256;
/// Multiply-adds, over all rows for every group, from which on they do. A rule.
pub(crate) const SEGMENT_WORK: i64 = 1 << 24;

// Scatters, orders, running sums.

/// Values of a scatter that are walked by one thread. A rule.
pub(crate) const SCATTER_WALKED: i64 = 256;
/// Comparisons that are cheaper than sorting the values of a scatter. A rule.
pub(crate) const SCATTER_CHEAP: i64 = 1 << 22;
/// Sorted values of a block. A rule.
pub(crate) const SCATTER_BLOCK: u32 = 256;
/// Sorted stretches that become one with each dispatch. A rule.
pub(crate) const MERGED: i64 = 16;
/// Elements of a row whose running sum one thread goes over. A rule.
pub(crate) const SCAN_SHORT: i64 = 64;
/// Elements of a row for which one workgroup is enough. A rule.
pub(crate) const SCAN_LONG: i64 = 1 << 14;
/// Elements of a block of a longer one. A rule.
pub(crate) const SCAN_BLOCK: u32 = 4096;

// What is kept.

/// Pipelines that are kept for another use. A rule.
pub(crate) const PIPELINES: usize = 512;
