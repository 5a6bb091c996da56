//! What a product costs in its best order of pairs.

use super::Product;
use crate::ir::Axis;

/// What an unknown size is taken for.
const UNKNOWN: i64 = 32;

fn extent(axis: &Axis) -> f64 {
    axis.size.eval(&|_| Some(UNKNOWN)).unwrap_or(UNKNOWN).max(0) as f64
}

/// How many points loops have.
pub fn points(axes: &[Axis]) -> f64 {
    axes.iter().map(extent).product()
}

/// Multiplications of the best order of pairs (all are tried). What is made of factors that are `prepared` alone is free.
pub fn cost(p: &Product, prepared: &[bool]) -> f64 {
    let extents: Vec<f64> = p.loops.iter().map(extent).collect();
    let n = p.factors.len();
    let own: Vec<u32> = p.factors.iter().map(|f| f.subscripts.iter().fold(0, |m, k| m | 1 << k)).collect();
    let union = |set: usize| (0..n).filter(|i| set >> i & 1 == 1).fold(0, |m, i| m | own[i]);
    let size = |loops: u32| extents.iter().enumerate().filter(|(k, _)| loops >> k & 1 == 1).map(|(_, e)| e).product::<f64>();
    let all = (1usize << n) - 1;
    let outside = (1u32 << p.rank) - 1;
    // The loops that a partial product still has: those of the result, and those that other factors have too.
    let kept: Vec<u32> = (0..=all).map(|set| union(set) & (outside | union(all & !set))).collect();
    let free = |set: usize| (0..n).all(|i| set >> i & 1 == 0 || prepared[i]);
    let mut best = vec![0.0; all + 1];
    for set in 1..=all {
        if free(set) {
            continue;
        }
        if set.is_power_of_two() {
            best[set] = if kept[set] == union(set) { 0.0 } else { size(union(set)) };
            continue;
        }
        let mut least = f64::INFINITY;
        let mut part = (set - 1) & set;
        while part > 0 {
            let rest = set & !part;
            if part < rest {
                least = least.min(best[part] + best[rest] + size(kept[part] | kept[rest]));
            }
            part = (part - 1) & set;
        }
        best[set] = least;
    }
    best[all]
}
