//! What the planner goes by.

use std::ops::RangeInclusive;

/// Terms of a sum that are taken in f32 alone, by those steps that look at it. A rule of digits, not of speed; kernels are chosen by it.
pub(crate) const F32_TERMS: i64 = 4096;

/// Runs that share what is prepared for a condition. A rule: a request's worth, as none says how many there will be.
pub(crate) const PREPARED_RUNS: f64 = 32.0;
/// Bytes that a prepared value may take when what it is made of takes less. A rule.
pub(crate) const PREPARED_BYTES: f64 = 256e6;
/// Bytes that parameters may take once more, laid out for the products that read them. A rule.
pub(crate) const PANEL_BYTES: usize = 256 << 20;
/// Nanoseconds that a step takes, however little it does (measured on one core of a Xeon: gathers and products of few elements).
pub(crate) const STEP_NS: f64 = 300.0;

/// Multiply-adds under a condition below which choosing rows is no gain: of all rows. A rule.
pub(crate) const CHOSEN_WORK: f64 = (1 << 18) as f64;
/// Likewise for each row. A rule.
pub(crate) const CHOSEN_WORK_OF_ROW: f64 = 2048.0;
/// Rows of a tile of rows that a condition chose. A product has to prepare its matrix for every tile: that is little beside so many rows. By
/// reasoning.
pub(crate) const CHOSEN_ROWS: i64 = 512;
/// Elements that such a tile may hold in all. A rule.
pub(crate) const CHOSEN_HELD: i64 = 4 << 20;
/// Multiply-adds that bringing an element to its place and back costs. A rule.
pub(crate) const CHOSEN_MOVED: i64 = 64;

/// Elements that the rows of a tile should hold together. By reasoning: 384 KiB, which a core's own cache takes.
pub(crate) const TILE_CACHE: i64 = 96 << 10;
/// Elements that the rows of a tile may hold together, however many rows a product in it would like. A rule: 256 MiB. With a quarter of that, 1,024
/// matrices of 512 by 512 that are written one for each row took 1.4 times as long (EPYC with AVX-512).
pub(crate) const TILE_HELD: i64 = 64 << 20;
/// Elements that the results of a run have to hold before tiles pay. By reasoning: twice what a core's own cache takes.
pub(crate) const TILE_LARGE: i64 = 192 << 10;
/// Rows that a tile has at least where a product stands in it, which has to prepare its matrix for every tile. A rule.
pub(crate) const TILE_ROWS: i64 = 192;
/// Elements that a tile of a run of kernels has at least, which go element by element. A rule.
pub(crate) const TILE_FLAT: i64 = 1024;

/// Queries from which on attention goes by blocks: fewer do not make up for laying the keys out. A rule.
pub(crate) const ATTEND_QUERIES: i64 = 8;
/// Keys from which on it does: fewer need little memory for their scores. A rule.
pub(crate) const ATTEND_KEYS: i64 = 16;

/// Rows of each matrix for which it pays to write it where it is read: a matrix for one is better not written at all, and with very many the
/// product is all that counts. Measured (EPYC with AVX-512): 32 matrices of 512 by 512, codes of 8 numbers, 2 to 6 rows: 6.4 ms written down, 2.2 to
/// 2.6 so.
pub(crate) const WRITTEN_ROWS: RangeInclusive<i64> = 2..=512;
/// Lengths of the sums of a product whose matrices are written so. A rule; the upper end is one of digits.
pub(crate) const WRITTEN_SUMS: RangeInclusive<i64> = 64..=F32_TERMS;
/// Numbers of a code of which matrices are written so: with few, writing is a matter of memory; with more it is a product like others, which
/// is faster by itself (measured; on what is not noted: 16 matrices of 256 by 256 for 64 rows each, codes of 64 numbers:
/// 2.2 ms against 2.8; eight experts of 256 by 512 for 32 sequences: 6 % slower).
pub(crate) const WRITTEN_CODES: RangeInclusive<i64> = 2..=16;
/// Columns of a matrix from which on it is written so. By reasoning: so many are written at a time.
pub(crate) const WRITTEN_COLUMNS: i64 = 32;

/// Places of all windows from which on they are not written down: fewer are left to the product. A rule.
pub(crate) const WINDOW_PLACES: usize = 48;
/// Columns of their weights from which on they are not. A rule.
pub(crate) const WINDOW_COLUMNS: usize = 4;
/// Terms of a window's sum from which on they are not. A rule.
pub(crate) const WINDOW_TERMS: usize = 8;
/// Places of the copy of an image for each place of a window, at most: (so many, for so many). What lies between windows is computed, too, and
/// left out. A rule.
pub(crate) const WINDOW_GAPS: (i64, i64) = (3, 2);
/// Columns of weights from which on windows are read where they lie. By reasoning: fewer leave most of a panel empty.
pub(crate) const LINE_COLUMNS: usize = 12;

/// Multiply-adds of outer products that an index sorts, below which a scatter of their values is as good. A rule.
pub(crate) const SEGMENT_WORK: f64 = 1024.0;

/// Rows of a batch for each that differs, as the price of finding equal ones has it before anybody knows how many there are. A rule.
pub(crate) const EQUAL_ROWS: i64 = 8;

/// Share of what contractions cost that they have to save before a part that they have in common is computed once. A rule.
pub(crate) const SHARED_GAIN: f64 = 0.05;
/// Nanoseconds that it has to save in all. A rule.
pub(crate) const SHARED_NS: f64 = 400.0;

/// Share of the price that a product has to save before a row that a head writes is taken apart for it. A rule: one product makes all of a row as
/// well.
pub(crate) const JOINED_GAIN: f64 = 0.05;

/// Terms of a sum beyond which a pair of factors is a matrix product, not a loop nest. A rule.
pub(crate) const PRODUCT_TERMS: f64 = 4.0;
/// Multiply-adds from which on it is. A rule.
pub(crate) const PRODUCT_WORK: f64 = 64.0;
/// Multiply-adds from which on a factor that an index chose is read in place. A rule.
pub(crate) const GROUPED_WORK: f64 = 64.0;

/// Values of a loop nest beyond which nothing that costs more than one operation is drawn into it. A rule.
pub(crate) const NEST_VALUES: usize = 220;
/// Loops of a nest beyond which nothing of that kind is. A rule.
pub(crate) const NEST_LOOPS: usize = 100;
/// Steps of a fold, for all that read it, up to which it is computed where it is read. A rule.
pub(crate) const FOLD_STEPS: f64 = 64.0;
/// Folds of one nest, one inside the other, at most. A rule: code may double with each.
pub(crate) const FOLDS_DEEP: usize = 4;
/// Operations of an element, and how often it is computed where it is used, beyond which nobody doubts that it is written down: nothing is left to
/// decide. A rule.
pub(crate) const DOUBTFUL_PRICE: f64 = 16.0;
pub(crate) const DOUBTFUL_TIMES: f64 = 16.0;
/// Price of an element beyond which what depends on no input is written down for who does. In operations, as prices of functions are. A
/// rule.
pub(crate) const EARLY_PRICE: f64 = 3.0;
/// Price of a function from which on it is a long polynomial in compiled code. In operations, as prices of functions are. A rule.
pub(crate) const HEAVY_PRICE: f64 = 10.0;
/// Operations that writing an element down and reading it again counts as, where fusing is weighed. A rule.
pub(crate) const STORE_PRICE: f64 = 2.0;
/// Operations that reading an element counts as there. A rule.
pub(crate) const LOAD_PRICE: f64 = 1.0;
/// Operations that picking an element at an index counts as there. A rule.
pub(crate) const PICK_PRICE: f64 = 2.0;
/// Operations that a number or a counter counts as there. A rule.
pub(crate) const NUMBER_PRICE: f64 = 0.25;
/// Operations that a power with a fixed exponent counts as there. A rule.
pub(crate) const POWER_PRICE: f64 = 3.0;

// How long a step should take, for people. What an element costs is said in prices of writing one and reading it again, near by. All of these were
// fitted together to 243 steps of the benchmarks, on one core of an EPYC with AVX-512; `benches/foreseen.py` says how well they do.

/// Plain operations, in such prices.
pub(crate) const PLAIN_TOUCHES: f64 = 0.42;
/// An element that is read beside its neighbours, one for all lanes, and one that lies apart from them.
pub(crate) const READ_TOUCHES: f64 = 0.4;
pub(crate) const CONSTANT_TOUCHES: f64 = 0.2;
pub(crate) const APART_TOUCHES: f64 = 0.5;
/// One that is read where a value says, another for each lane; and nanoseconds for each run of the innermost loop in which some are.
pub(crate) const CHOSEN_TOUCHES: f64 = 6.0;
pub(crate) const CHOSEN_NS: f64 = 2.0;
/// One that is written beside its neighbours, or apart from them.
pub(crate) const STORE_TOUCHES: f64 = 0.17;
pub(crate) const STREWN_TOUCHES: f64 = 4.0;
/// A step of a sum in lanes, and one of a sum alone.
pub(crate) const SUMMED_TOUCHES: f64 = 0.11;
pub(crate) const FOLDED_TOUCHES: f64 = 0.32;
/// Of what a function was measured to take, and besides; and where it goes block by block.
pub(crate) const FUNCTION_PART: f64 = 0.85;
pub(crate) const FUNCTION_TOUCHES: f64 = 0.47;
pub(crate) const BLOCK_TOUCHES: f64 = 5.4;
/// Nanoseconds that each run of the innermost loop takes besides, each fold alone, each product of many of which each has its own matrix, each matrix
/// of those that an index chooses, and each element that is ordered.
pub(crate) const RUN_NS: f64 = 0.05;
pub(crate) const FOLD_NS: f64 = 23.0;
pub(crate) const BATCH_NS: f64 = 28.0;
pub(crate) const GROUP_NS: f64 = 155.0;
pub(crate) const ORDER_NS: f64 = 6.5;
/// Rows for each matrix of those that an index chooses, up to which nothing goes on while it arrives.
pub(crate) const FEW_ROWS: f64 = 8.0;
/// Of what multiplications cost where they cost least.
pub(crate) const PRODUCT_PRICE: f64 = 1.04;
/// An element of a product's result, one more where rows were chosen, and one of a matrix that is read for a few rows.
pub(crate) const STORED_TOUCHES: f64 = 1.04;
pub(crate) const STREWN_PART: f64 = 0.2;
pub(crate) const WALKED_TOUCHES: f64 = 0.7;
/// Columns or terms up to which vectors are not full, and how much dearer multiplications are then; rows from which on panels are.
pub(crate) const THIN_SIDE: f64 = 16.0;
pub(crate) const FEW_PRICE: f64 = 2.4;
pub(crate) const SHORT_PRICE: f64 = 1.4;
pub(crate) const PANEL_HIGH: f64 = 12.0;
/// Columns up to which a processor lays them out, for rows that are more; an element of them, and one of those rows; nanoseconds for each sum.
pub(crate) const TURNED_COLUMNS: f64 = 8.0;
pub(crate) const TURNED_TOUCHES: f64 = 7.0;
pub(crate) const THIN_TOUCHES: f64 = 0.42;
pub(crate) const THIN_NS: f64 = 0.9;
/// An element of a row for one column, and nanoseconds for each row.
pub(crate) const DOT_TOUCHES: f64 = 0.75;
pub(crate) const DOT_NS: f64 = 5.0;
/// How computing and waiting for memory make up a time: 1, one after the other; a large number, the longer of both.
pub(crate) const MEANWHILE: f64 = 3.0;
/// Of what reading alone waits for memory: what reads wait in a step, and writes.
pub(crate) const READ_PRICE: f64 = 1.1;
pub(crate) const WRITTEN_PRICE: f64 = 0.88;
/// What a run writes is found as if so many times as much had gone by since: it has to be brought back to memory before it can be read.
pub(crate) const MADE_FARTHER: f64 = 5.2;
/// Bytes that went by from which on memory is waited for, and from which on all of it is felt: where a line is waited for, and of rows that steps go
/// across.
pub(crate) const NEXT_BYTES: (f64, f64) = (1e6, 16e6);
pub(crate) const APART_BYTES: (f64, f64) = (4e6, 32e6);
/// Nanoseconds that are waited then: for each element of rows that are read some at a time, for each of those that steps go across, and for a line
/// that a value chose.
pub(crate) const ROWS_NS: f64 = 0.32;
pub(crate) const APART_NS: f64 = 0.16;
pub(crate) const CHOSEN_LINE_NS: f64 = 11.5;
/// Of a price of memory, which is that of writing and reading, what reading alone costs.
pub(crate) const READ_PART: f64 = 0.3;
/// Bytes that went by between steps that run tile by tile.
pub(crate) const NEAR_BYTES: f64 = 96e3;
