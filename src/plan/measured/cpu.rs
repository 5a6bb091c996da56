//! What the kernels of the CPU go by. The second cache, where one is named, is a core's own.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Terms of a sum that are taken in f32 alone; longer ones are added up in f64, stretch by stretch. A rule of digits, not of speed; kernels
/// are chosen by it.
pub(crate) const F32_TERMS: usize = super::plan::F32_TERMS as usize;

// Threads.

/// Multiply-adds of a step below which another thread costs more than it gives: ten microseconds or less. On what that was measured is not noted.
pub(crate) const SPLITS_FROM: f64 = 3e5;
/// Multiply-adds of the steps of a run, of those that may be split, from which on it enters the pool: to do so takes about twenty
/// microseconds. On what that was measured is not noted.
pub(crate) const ENTERS_FROM: f64 = 2e6;
/// How long a thread waits awake for the next step that is split. By reasoning: to wake one up takes about as long.
pub(crate) const AWAKE: Duration = Duration::from_micros(100);
/// Multiply-adds of a product by the library or by few rows, from which on threads share it. A rule.
pub(crate) const PRODUCT_SPLITS_FROM: usize = 1 << 20;
/// Multiply-adds that an element of a kernel counts as for each dear function in it, where work is compared with these. A rule.
pub(crate) const DEAR_WORK: f64 = 5.0;
/// Likewise for each other value of a kernel. A rule.
pub(crate) const PLAIN_WORK: f64 = 0.25;
/// Panels for each thread from which on threads take panels; with fewer they take rows or matrices. A rule.
pub(crate) const PANELS_EACH: usize = 2;
/// Rows of which a tile has a whole number. By reasoning: products take twelve at a time.
pub(crate) const TILE_STEP: i64 = 12;
/// Tiles of chosen rows for each thread from which on threads take tiles; with fewer each step of a tile is split. By reasoning: one full tile and a
/// rest would take one thread each.
pub(crate) const TILES_EACH: i64 = 2;

// Products of matrices as they lie.

/// Elements of a result that are summed in f64 at a time. A rule: they take 768 KiB, in f32 and in f64.
pub(crate) const SUMMED_TILE: usize = 64 << 10;
/// Rows up to which a large matrix is read as it lies; products of more are the library's. With fewer the library spends more on packing the
/// matrix than on the product (measured, AVX-512: 76 GFLOP/s against 49 at 8 × 1024 × 1024, 98 against 67 with 32 rows, 100 against 110 with 64;
/// AVX2: 59 against 19, 62 against 30, 60 against 70).
pub(crate) const SWEPT_ROWS: usize = 48;
/// Terms of a sum for each row from which on it is: the shorter the sums, the sooner the library has made up for packing. Measured: at so many
/// times as many terms as rows both are as fast.
pub(crate) const SWEPT_TERMS: usize = 8;
/// Elements of a matrix beyond which it is large. By reasoning: so many fill a second cache of 1 MiB.
pub(crate) const SWEPT_FROM: usize = 256 << 10;
/// Steps of the sums that all columns of a large matrix take together: as many of its rows are read side by side. Measured beside 32, sums of 256 to
/// 4,096 terms, matrices of 1 Mi to 16 Mi elements: one row or two 1.0 to 2.4 times as fast, more rows with vectors of eight 1.3 to 2.4 times.
pub(crate) const SWEPT_STEPS: usize = 8;
/// As [`SWEPT_STEPS`], for more rows than [`SWEPT_SINGLE`] where a vector is a whole cache line. Measured beside 8, 4 to 32 rows: 1.0 to 1.3 times as
/// fast, but 0.5 to 0.8 where four rows or eight meet a matrix of 16 Mi elements.
pub(crate) const SWEPT_STEPS_OF_LINES: usize = 32;
/// Rows whose sums are few enough that they wait for the matrix alone. Measured with [`SWEPT_STEPS`].
pub(crate) const SWEPT_SINGLE: usize = 2;
/// Rows up to which the own kernel takes a matrix that stays in the second cache; those of more are the library's. Measured with [`SWEPT_ROWS`].
pub(crate) const ROWS_FEW: usize = 4;
/// Multiply-adds of a product for which a call of the library costs more than it gives. A rule.
pub(crate) const ROWS_SMALL: usize = 16 << 10;
/// Sums on their way at a time, up to which they wait for themselves: then those of even and of odd steps are taken apart. By reasoning: a
/// multiply-add takes several cycles, and another begins in each.
pub(crate) const SUMS_FEW: usize = 4;
/// Columns up to which the library spends more on laying out the rows than on the product (measured, AVX-512: 65,536 rows of 64 with three
/// columns, 1.9 ms against 0.8).
pub(crate) const THIN_COLUMNS: usize = 8;
/// Lengths of the sums of products with so few columns. A rule; the upper end is one of digits.
pub(crate) const THIN_TERMS: RangeInclusive<usize> = 32..=F32_TERMS;

/// Terms of a sum up to which a function of it takes the sum where it is made. By reasoning: a plan leaves so many to loop nests, and so many rows of a
/// matrix stay in registers.
pub(crate) const SHALLOW_TERMS: usize = 4;
/// Columns from which on it does. A rule: half a vector.
pub(crate) const SHALLOW_COLUMNS: i64 = 8;
/// Elements of a row that is repeated where rows are short. By reasoning: of so many the last vector, which may not be whole, is few.
pub(crate) const APPLY_REPEATED: usize = 512;
/// Sums that are made at a time. A rule: 16 KiB, half of a first cache.
pub(crate) const SHALLOW_ROOM: usize = 4 << 10;

// Products with a matrix in panels.

/// The part of the memory that a plan may take of which panels of parameters take no more: one of so many. A rule.
pub(crate) const PANEL_SHARE: usize = 4;
/// Steps of a sum that are taken in registers; what they come to is added in memory. A rule: 16 KiB to 32 KiB of a panel.
pub(crate) const PANEL_STEPS: usize = 512;
/// Rows that are packed at a time. By reasoning: with [`PANEL_STEPS`] they are 240 KiB, a part of the second cache.
pub(crate) const PANEL_ROWS: usize = 120;
/// Rows that are multiplied at a time up to which panels pay. With more, what the library spends on laying it out is little: measured (AVX-512, and
/// as AVX2, sums of 64 to 1,024 terms), with 512 rows panels are 0 to 8 % faster for 256 columns or more, with 1,024 -5 to 5 %, with 16,384 -16
/// to 10 %.
pub(crate) const PANEL_FOR_ROWS: usize = 512;
/// Rows up to which panels of a matrix never pay: it is read once, and as it lies it comes from memory as fast. Of several matrices, each for rows of
/// its own, those are fewer: measured, 96 rows for 64 matrices of 128 Ki elements 2.1 times as fast in panels, 6 rows 0.8.
pub(crate) const PANEL_SINGLE: usize = 2;
/// Rows up to which they pay for large matrices alone, and of how many elements in all. Measured (AVX-512, and as AVX2): with 16 Mi elements 1.7 to
/// 2.3 times as fast for three rows to five, with 4 Mi 1.4 to 3.6, with 1 Mi 1.0 to 3.2, with less than 256 Ki 0.8 to 1.2.
pub(crate) const PANEL_FEW: usize = 5;
pub(crate) const PANEL_FEW_FROM: usize = 256 << 10;
/// Lengths of sums for which they pay: with shorter ones packing the rows takes as long as the product. By reasoning; the upper end is a rule of
/// digits.
pub(crate) const PANEL_FOR_TERMS: RangeInclusive<usize> = 64..=F32_TERMS;
/// Panels up to which rows are read where they lie: packing them is a part of the work that counts. Measured (AVX-512, and as AVX2; 8, 192 and 512
/// rows, sums of 64 to 512 terms): 20 % with two panels or four, 3 to 6 % with eight or sixteen, nothing with 32.
pub(crate) const PANELS_FEW: usize = 16;
/// As [`PANELS_FEW`], where more rows than the first cache has ways begin at the same place of a page. Measured there, sums of 1,024 to 4,096 terms:
/// 17 % with two panels, -4 % with eight, -8 % with sixteen.
pub(crate) const PANELS_FEW_MEETING: usize = 4;
/// Ways of a first cache. By reasoning: what most have.
pub(crate) const WAYS: usize = 8;
/// Elements of a page of memory: rows so far apart fall into the same set of a first cache. By reasoning: 4 KiB.
pub(crate) const PAGE: i64 = 1024;
/// Elements that should stay in the second cache: panels that are written, and what they are multiplied with or written from. By reasoning:
/// 1.1 MiB.
pub(crate) const WRITTEN_CACHE: usize = 288 << 10;
/// Groups of matrices whose panels are written at a time, at most. A rule.
pub(crate) const WRITTEN_GROUPS: usize = 4;
/// Elements ahead of what is read that a head is asked for. A rule: it is read in less time than it takes to arrive.
pub(crate) const WRITTEN_AHEAD: usize = 1 << 10;
/// Likewise of a matrix that few rows meet. Measured: 16 tokens among 8 experts 1.9 to 2.0 ms so, with a quarter 2.1 to 2.3, with four times as much
/// 2.1 to 2.4; among 64 experts 2.6, 3.1, and 3.0 (EPYC with AVX-512).
pub(crate) const FEW_AHEAD: usize = 1 << 11;

// Attention.

/// Scores that a block of queries has at most. By reasoning: 128 KiB, which stay in cache until the values are summed.
pub(crate) const ATTEND_SCORES: i64 = 32 << 10;
/// The fewest queries of a block. By reasoning: a multiple of what kernels take at a time.
pub(crate) const ATTEND_FEWEST: i64 = 12;
/// The most queries of a block. By reasoning, likewise.
pub(crate) const ATTEND_MOST: i64 = 48;

// Products over windows.

/// Panels of places that meet a part of the weights while it is in the second cache, at most. A rule.
pub(crate) const SPREAD_MOST: usize = 16;
/// Panels that meet it at least, however many sums they have. A rule.
pub(crate) const SPREAD_FEW: usize = 4;
/// Sums that these panels have together. By reasoning: 512 KiB, half of a second cache of 1 MiB.
pub(crate) const SPREAD_SUMS: usize = 128 << 10;
/// Columns as which laying a panel of places out counts; with fewer, strips are taken. A rule.
pub(crate) const SPREAD_LAYING: usize = 12;
/// Columns that one thread takes at a time of strips. A rule.
pub(crate) const STRIP_COLUMNS: usize = 32;
/// Windows, read where they lie, that are taken together at most. A rule.
pub(crate) const LINES_MOST: usize = 240;
/// Windows that are taken together at least, however many sums they have. A rule.
pub(crate) const LINES_FEW: usize = 48;
/// Sums that these windows have together. By reasoning: 512 KiB, half of a second cache of 1 MiB.
pub(crate) const LINES_SUMS: usize = 128 << 10;
/// Elements of a stretch of channels below which windows are packed. By reasoning: to follow shorter ones takes as long as what is done with them.
pub(crate) const LINES_NEAR: usize = 8;
/// Rows whose columns are taken apart together. By reasoning: so many stay in the first cache.
pub(crate) const APART_ROWS: usize = 16;

// Loop nests.

/// Steps of a fold that is written out, and computed wherever it is read. A rule.
pub(crate) const FOLD_BRIEF: i64 = 4;
/// Steps of a fold that is soon over: its sums need no register for long. A rule.
pub(crate) const FOLD_SOON: i64 = 4;
/// Steps of a fold from which on it may run in lanes itself, where the loop outside is shorter than [`LINE_SHORT`]. A rule.
pub(crate) const FOLD_LONG: i64 = 64;
/// Steps of the loop outside below which a long fold inside it runs in lanes. A rule.
pub(crate) const LINE_SHORT: i64 = 8;
/// Elements of a row from which on a fold of it is a call. By reasoning: shorter ones are not worth one.
pub(crate) const WHOLE_FROM: i64 = 64;
/// Elements of a block, at most, that goes through one dear function after the other. By reasoning: its first vectors
/// are written when they are read again.
pub(crate) const PASS_BLOCK: i64 = 512;
/// Elements of one step of the loop that is cut into blocks, at most. By reasoning: a block has eight steps at least.
pub(crate) const PASS_INSIDE: i64 = PASS_BLOCK / 8;
/// Steps of a fold down columns from which on it is a call. Measured: 64 to 1,024 columns, with eight steps 0.8 to 1.2 times as fast, with 16 as fast or
/// faster (EPYC with AVX-512).
pub(crate) const DOWN_FROM: i64 = 16;
/// Columns from which on a fold of what is computed may go row by row, and steps, if something in it is dear. Measured: `sigmoid(x)`, 70,000 by 63, takes
/// 25 ms otherwise and 6 so; with 16 columns it gains nothing (EPYC with AVX-512).
pub(crate) const ROWS_FEWEST: i64 = 24;
pub(crate) const ROWS_DEAR: i64 = 4;
/// Steps, and columns, if nothing is: many, or some that no vectors divide evenly. Measured: `x + y`, 1,024 by 1,024 takes 0.6, 8,192 by 256 0.4, 64 by
/// 4,096 0.9 of the time; 4,096 by 64 and 20 by 1,000 more than before; `x - y`, 70,000 by 127, 15 ms otherwise and 3 so; 10 times 1,000 by 40 more than before (as above).
pub(crate) const ROWS_LONG: i64 = 64;
pub(crate) const ROWS_WIDE: i64 = 128;
pub(crate) const ROWS_ODD: i64 = 48;
/// Columns of a block where all folds go row by row. A row of so many lies in few pieces, of which memory brings the next ones before they are asked
/// for: with blocks of [`PASS_BLOCK`], `min (x - y)`, 20,000 by 640, takes twice as long (EPYC with AVX-512).
pub(crate) const ROWS_BLOCK: i64 = 2048;
/// Elements of a kernel below which blocks are not worth a call. A rule.
pub(crate) const PASS_FEW: i64 = 64;
/// Vectors that make a row that is worth a call of a dear function. A rule.
pub(crate) const ROW_FEWEST: usize = 4;
/// Vectors that a row has at most. A rule.
pub(crate) const ROW_MOST: usize = 16;
/// Operations besides, up to which a row has so many vectors; with more it has half of them. A rule.
pub(crate) const ROW_BESIDES: usize = 24;
/// Operations besides, beyond which there is no row. A rule.
pub(crate) const ROW_CROWDED: usize = 4 * ROW_BESIDES;
/// Operations up to which four vectors go through a kernel at a time. A rule.
pub(crate) const FOUR_VECTORS: usize = 12;
/// Operations up to which two vectors do. A rule.
pub(crate) const TWO_VECTORS: usize = 30;
/// Operations that a dear function counts as there. A rule.
pub(crate) const DEAR_WEIGHT: usize = 40;
/// Operations that picking an element at an index counts as there. A rule.
pub(crate) const PICK_WEIGHT: usize = 8;
/// Operations that a power with a fixed exponent counts as there. A rule.
pub(crate) const POWER_WEIGHT: usize = 4;
/// Elements that are looked through for large angles at a time. A rule.
pub(crate) const ANGLES: usize = 512;

// Orders.

/// Elements of a row's order, at most, that are found by insertion. A rule.
pub(crate) const ORDER_FEW: usize = 4;
/// Times that a row has to be longer than what is taken of its order, before that is selected first. A rule.
pub(crate) const ORDER_PART: usize = 4;

// Objects for C.

/// Rows from which on a product goes in blocks; with fewer it is a loop nest. A rule.
pub(crate) const OBJECT_MANY: i64 = 4;
/// Rows, columns and terms, likely ones, from which on there is a function for blocks. A rule: with fewer a loop nest is as good.
pub(crate) const OBJECT_LEAST: i64 = 8;
/// Rows up to which a panel is read where it lies, if it can be. By reasoning: bringing it together is as much work.
pub(crate) const OBJECT_IN_PLACE: i64 = 8;
