//! Functions of rows, of whole rows and down columns, in vectors of the processor, that compiled kernels call by name.

use super::super::whole::Whole;
#[cfg(target_arch = "x86_64")]
use super::super::width::vectors;
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use super::super::{down, down::Taken, whole, wide};
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use super::{Ptr, slice, slice_mut};
use crate::ir::Map;

/// The list of functions for the widest vectors that the processor has; an empty one where it is not known to have any.
macro_rules! for_vectors {
    ($list:ident) => {{
        #[cfg(target_arch = "x86_64")]
        {
            return match vectors() {
                (true, true) => $list!(avx512),
                (true, false) => $list!(avx2),
                (false, _) => Vec::new(),
            };
        }
        #[cfg(target_arch = "aarch64")]
        return $list!(neon);
        #[allow(unreachable_code, reason = "of other machines")]
        Vec::new()
    }};
}

/// Functions of a row in place, for one vector width.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! in_rows {
    ($width:ident) => {{
        macro_rules! row {
            ($name:ident) => {{
                extern "C" fn call(at: *mut f32, n: usize) {
                    // SAFETY: who calls names n elements of its own stack; the symbol is given only where the processor has the features.
                    unsafe { wide::$name::$width(std::slice::from_raw_parts_mut(at, n)) };
                }
                call as *const u8
            }};
        }
        vec![
            (Map::Exp, "hnet_exp_row", row!(exp_row)),
            (Map::Log, "hnet_log_row", row!(log_row)),
            (Map::Tanh, "hnet_tanh_row", row!(tanh_row)),
            (Map::Sigmoid, "hnet_sigmoid_row", row!(sigmoid_row)),
            (Map::Softplus, "hnet_softplus_row", row!(softplus_row)),
            (Map::Erf, "hnet_erf_row", row!(erf_row)),
            (Map::Sin, "hnet_sin_row", row!(sin_row)),
            (Map::Cos, "hnet_cos_row", row!(cos_row)),
        ]
    }};
}

/// The functions that compute a row of values in place, by name; none where the machine is not known to have vectors for them.
pub(in crate::cpu) fn row_symbols() -> Vec<(Map, &'static str, *const u8)> {
    for_vectors!(in_rows)
}

/// Functions of whole rows, for one vector width.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! of_rows {
    ($width:ident) => {{
        macro_rules! row {
            ($name:ident) => {{
                #[allow(unused_unsafe, reason = "where all processors have the features")]
                extern "C" fn call(a: Ptr, b: Ptr, n: usize) -> f32 {
                    // SAFETY: the symbol is given only where the processor has the features.
                    unsafe { whole::$name::$width(slice(a, n), slice(b, n)) }
                }
                call as *const u8
            }};
        }
        vec![
            (Whole::Sum, "hnet_whole_sum", row!(whole_sum)),
            (Whole::Dot, "hnet_whole_dot", row!(whole_dot)),
            (Whole::Max, "hnet_whole_max", row!(whole_max)),
            (Whole::Min, "hnet_whole_min", row!(whole_min)),
        ]
    }};
}

/// The functions that fold whole rows, by name; none where there are none that compute rows.
pub(in crate::cpu) fn whole_symbols() -> Vec<(Whole, &'static str, *const u8)> {
    for_vectors!(of_rows)
}

/// Folds down columns, for one vector width.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! down_columns {
    ($width:ident) => {{
        macro_rules! fold {
            ($name:ident) => {{
                #[allow(unused_unsafe, reason = "where all processors have the features")]
                extern "C" fn call(out: Ptr, columns: usize, at: Ptr, step: i64, other: Ptr, other_step: i64, count: usize) {
                    let rows = down::Rows { at: [at, other], step: [step, other_step], count };
                    // SAFETY: the symbol is given only where the processor has the features.
                    unsafe { down::$name::$width(rows, slice_mut(out, columns)) };
                }
                call as *const u8
            }};
        }
        vec![
            (Whole::Sum, "hnet_sum_down", fold!(sum_down)),
            (Whole::Dot, "hnet_dot_down", fold!(dot_down)),
            (Whole::Max, "hnet_max_down", fold!(max_down)),
            (Whole::Min, "hnet_min_down", fold!(min_down)),
        ]
    }};
}

/// The functions that fold down columns, by name; none where there are none that compute rows.
pub(in crate::cpu) fn down_symbols() -> Vec<(Whole, &'static str, *const u8)> {
    for_vectors!(down_columns)
}

/// Folds of rows that are computed one after the other, for one vector width: what takes a row, and what ends the fold.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
macro_rules! taken_rows {
    ($width:ident) => {{
        macro_rules! take {
            ($name:ident) => {{
                #[allow(unused_unsafe, reason = "where all processors have the features")]
                extern "C" fn call(state: *mut Taken, row: Ptr, columns: usize, number: usize) {
                    // SAFETY: who calls names such a state on its own stack; the symbol is given only where the processor has the features.
                    unsafe { down::$name::$width(&mut *state, slice(row, columns), number) };
                }
                call as *const u8
            }};
        }
        macro_rules! end {
            ($name:ident) => {{
                #[allow(unused_unsafe, reason = "where all processors have the features")]
                extern "C" fn call(state: *mut Taken, columns: usize, count: usize) {
                    // SAFETY: who calls names such a state on its own stack; the symbol is given only where the processor has the features.
                    unsafe { down::$name::$width(&mut *state, columns, count) };
                }
                call as *const u8
            }};
        }
        vec![
            (Whole::Sum, ["hnet_sum_taken", "hnet_sum_ended"], [take!(sum_taken), end!(sum_ended)]),
            (Whole::Product, ["hnet_product_taken", "hnet_product_ended"], [take!(product_taken), end!(product_ended)]),
            (Whole::Max, ["hnet_max_taken", "hnet_max_ended"], [take!(max_taken), end!(max_ended)]),
            (Whole::Min, ["hnet_min_taken", "hnet_min_ended"], [take!(min_taken), end!(min_ended)]),
        ]
    }};
}

/// Functions for what rows have come to, by name: what takes one, and what ends the fold; none where there are none that compute rows.
pub(in crate::cpu) fn taken_symbols() -> Vec<(Whole, [&'static str; 2], [*const u8; 2])> {
    for_vectors!(taken_rows)
}
