//! What may run in a range of sizes: its own program, and where that is not right everywhere, others.

use super::guards::{Guard, Range, Taken};
use crate::ir::size::{Size, Sym};
use crate::plan::Sizes;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// A program, and where it is right within a range.
pub struct Way {
    pub program: usize,
    pub guard: Guard,
}

/// Programs that are asked in turn at most.
const WAYS: usize = 4;

/// What was made at a point: the program, and what its plan takes for granted.
pub type Made = (usize, Rc<Taken>);

/// A combination of ranges.
pub struct Cell {
    pub range: Range,
    /// Where its program was made.
    pub point: Vec<i64>,
    /// What that is made for, and for whatever is smaller: who is made for small sizes is right for them for reasons that nobody notes.
    pub largest: Vec<i64>,
    pub made: Option<Made>,
}

/// Programs of a range, the one that was made for it first. Each is asked what its plans take for granted, and those that were made for
/// other ranges that sizes are no larger than theirs.
pub fn ways(dims: &[Sym], cells: &[Cell], points: &BTreeMap<Vec<i64>, Option<Made>>, cell: usize) -> Vec<Way> {
    let here = &cells[cell];
    let Some((own, takes)) = &here.made else { return vec![] };
    let plan = |largest: &[i64], takes: &Taken| {
        let smaller = |(dim, (n, here)): (&Sym, (&i64, &i64))| (n < here).then(|| Size::from(*n).sub(&Size::sym(dim.clone())));
        let mut all = takes.clone();
        all.extend(dims.iter().zip(largest.iter().zip(&here.largest)).filter_map(smaller));
        all
    };
    let reaches = |sizes: &[i64]| sizes.iter().zip(&here.largest).all(|(n, here)| n >= here);
    let mut plans: Vec<(usize, Taken)> = vec![(*own, takes.to_vec())];
    plans.extend(cells.iter().filter_map(|c| c.made.as_ref().map(|(number, takes)| (*number, plan(&c.largest, takes)))));
    let probed = points.iter().filter(|(at, _)| reaches(at)).filter_map(|(_, made)| made.as_ref());
    plans.extend(probed.map(|(number, takes)| (*number, takes.to_vec())));
    let guard = |number: usize| Guard::of(plans.iter().filter(|p| p.0 == number).map(|p| &p.1), &here.range);
    let mut out = vec![Way { program: *own, guard: guard(*own) }];
    for number in cells.iter().filter_map(|c| Some(c.made.as_ref()?.0)) {
        if out.len() == WAYS || out.iter().any(|w| w.guard.always()) {
            break;
        }
        let guard = guard(number);
        let known: Vec<&Guard> = out.iter().map(|w| &w.guard).collect();
        if !guard.adds_nothing(&known, &here.range) {
            out.push(Way { program: number, guard });
        }
    }
    out
}

/// Sizes of a range at which none of its programs is right, the largest first, of those that are probed: one dim at a time has another size,
/// while the others are as large or as small as they can be. None that was tried before.
pub fn gap(
    dims: &[Sym],
    cell: &Cell,
    ways: &[Way],
    values: &[Vec<i64>],
    fixed: &Sizes,
    tried: &BTreeSet<Vec<i64>>,
) -> Option<Vec<i64>> {
    if ways.is_empty() || ways.iter().any(|w| w.guard.always()) {
        return None;
    }
    let inside = |dim: usize| {
        let least = cell.range.get(&dims[dim]).and_then(|b| b.least).unwrap_or(0);
        values[dim].iter().copied().filter(move |n| (least..=cell.largest[dim]).contains(n))
    };
    let least: Vec<i64> = (0..dims.len()).map(|dim| inside(dim).min().unwrap_or(cell.point[dim])).collect();
    let samples = [&cell.point, &least].into_iter().flat_map(|base| {
        (0..dims.len()).flat_map(move |dim| {
            let mut some: Vec<i64> = inside(dim).collect();
            some.sort_unstable_by(|a, b| b.cmp(a));
            some.into_iter().map(move |n| {
                let mut at = base.clone();
                at[dim] = n;
                at
            })
        })
    });
    let open = |at: &Vec<i64>| {
        let mut sizes = fixed.clone();
        sizes.extend(dims.iter().cloned().zip(at.iter().copied()));
        !tried.contains(at) && !ways.iter().any(|w| w.guard.holds(&sizes))
    };
    samples.into_iter().find(open)
}
