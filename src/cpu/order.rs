//! Sorting rows: stable, NaN last, ties to the lower index.

use super::call::Ptr;
use super::runtime::{Pane, walk};
use crate::ir::DType;
use crate::plan::measured::cpu::{ORDER_FEW, ORDER_PART};
use std::cmp::Ordering;

/// A float as an i32 that sorts the same way, both zeros alike and NaN last.
fn key(x: f32, descending: bool) -> i32 {
    if x.is_nan() {
        return i32::MAX;
    }
    let x = if descending { -x } else { x } + 0.0;
    let b = x.to_bits() as i32;
    if b < 0 { b ^ i32::MAX } else { b }
}

/// The first `out.shape[axis]` indices that sort each row; the input's last dimension is the row.
pub(super) fn order(ptrs: &[Ptr], input: &Pane, out: &Pane, axis: usize, descending: bool, dtype: DType) {
    let Some((n, outer)) = input.shape.split_last() else { return };
    let along = input.strides[outer.len()] as usize;
    let taken = out.shape[axis].min(*n) as usize;
    let mut home = out.strides.clone();
    let step = home.remove(axis) as usize;
    let words = input.read::<u32>(ptrs);
    let to = out.write::<i32>(ptrs);
    if taken == 0 {
        return;
    }
    let mut rows: Vec<(i32, u32)> = Vec::with_capacity(*n as usize);
    walk(outer, [&input.strides[..outer.len()], &home], &mut |_, [from, at]| {
        let element = |i: usize| {
            let w = words[from.wrapping_add(i.wrapping_mul(along))];
            match dtype {
                DType::F32 => key(f32::from_bits(w), descending),
                DType::I32 | DType::Bool if descending => !(w as i32),
                DType::I32 | DType::Bool => w as i32,
            }
        };
        if taken <= ORDER_FEW {
            return few(*n as usize, taken, &element, &mut |k, i| to[at + k * step] = i as i32);
        }
        rows.clear();
        rows.extend((0..*n as usize).map(|i| (element(i), i as u32)));
        if taken * ORDER_PART < rows.len() {
            rows.select_nth_unstable(taken - 1);
            rows.truncate(taken);
        }
        rows.sort_unstable();
        for (k, row) in rows.iter().take(taken).enumerate() {
            to[at + k * step] = row.1 as i32;
        }
    });
}

/// The few first of a row, by insertion.
fn few(n: usize, taken: usize, element: &dyn Fn(usize) -> i32, put: &mut dyn FnMut(usize, usize)) {
    let mut best: [(i32, usize); ORDER_FEW] = [(i32::MAX, usize::MAX); ORDER_FEW];
    for i in 0..n {
        let mut new = (element(i), i);
        for slot in best.iter_mut().take(taken) {
            if new.cmp(slot) == Ordering::Less {
                std::mem::swap(slot, &mut new);
            }
        }
    }
    for (k, b) in best.iter().enumerate().take(taken) {
        put(k, b.1);
    }
}
