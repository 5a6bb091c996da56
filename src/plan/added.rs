//! Products to whose rows a step adds the same row, a bias: both are one step, and what lies between needs no memory.

use super::uses::Uses;
use super::view::value;
use super::{Access, Biased, Expr, Kernel, Plan, Product, Sizes, Step};
use crate::ir::{DType, Map, Size};
use std::collections::BTreeSet;

/// The row that is added: its buffer, where it starts, and how far apart its elements lie.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    pub buffer: usize,
    pub at: i64,
    pub step: i64,
}

/// All such pairs, of those that `may` be one step.
pub(super) fn find(plan: &Plan, sizes: &Sizes, may: &dyn Fn(usize, usize) -> bool) -> Vec<Biased> {
    let pair = |(product, kernel, buffer): (usize, usize, usize)| {
        let found = Biased { product, kernel, buffer };
        (may(product, kernel) && row(plan, &found, sizes).is_some()).then_some(found)
    };
    let mut found: Vec<Biased> = Uses::of(plan).pairs(plan).filter_map(pair).collect();
    // Of two products that are added up, one row each, one is what is added to the other.
    let mut kernels = BTreeSet::new();
    found.retain(|b| kernels.insert(b.kernel));
    found
}

/// What is added at these sizes. `None`: nothing of the kind.
pub fn row(plan: &Plan, at: &Biased, sizes: &Sizes) -> Option<Row> {
    let (Step::Product(p), Step::Kernel(k)) = (&plan.steps[at.product], &plan.steps[at.kernel]) else { return None };
    let n = |s: &Size| value(s, sizes);
    let (made, added) = sum(k, at.buffer)?;
    let f32 = |a: &Access| plan.buffers[a.buffer].dtype == DType::F32;
    // The sum lies as the product does.
    let moving = |a: &Access| -> Vec<(usize, i64)> {
        let all = a.terms.iter().filter(|(l, _)| n(&k.loops[*l].size) != 1);
        let mut all: Vec<(usize, i64)> = all.map(|(l, s)| (*l, n(s))).filter(|t| t.1 != 0).collect();
        all.sort();
        all
    };
    let same = moving(made) == moving(&k.store) && n(&made.offset) == n(&k.store.offset) && f32(added) && f32(&k.store);
    let points: i64 = k.loops[..k.outer].iter().map(|l| n(&l.size)).product();
    let all: i64 = plan.buffers[at.buffer].shape.iter().map(n).product();
    if !same || points != all || n(&p.out.1) != 0 || n(&made.offset) != 0 {
        return None;
    }
    let columns = columns(p, &n)?;
    let [(along, step)] = moving(added)[..] else { return None };
    let fits = n(&k.loops[along].size) == columns && moving(made).contains(&(along, 1));
    fits.then(|| Row { buffer: added.buffer, at: n(&added.offset), step })
}

/// The operands of a kernel that adds something to what is read of a buffer.
fn sum(k: &Kernel, buffer: usize) -> Option<(&Access, &Access)> {
    let Expr::Map(Map::Add, args) = &k.body[k.value] else { return None };
    let (Expr::Load(a), Expr::Load(b)) = (&k.body[args[0]], &k.body[args[1]]) else { return None };
    let float = k.types.iter().all(|t| *t == DType::F32) && k.body.len() == 3 && k.outer == k.loops.len();
    match (a.buffer == buffer, b.buffer == buffer) {
        (true, false) if float => Some((a, b)),
        (false, true) if float => Some((b, a)),
        _ => None,
    }
}

/// How many columns lie side by side in a result, where they are one loop that moves one operand alone, and no other loop moves just that.
fn columns(p: &Product, n: &dyn Fn(&Size) -> i64) -> Option<i64> {
    let moves = |s: &Option<Size>| s.as_ref().map_or(0, n) != 0;
    let outer: Vec<_> = p.spans.iter().filter(|s| s.out.is_some() && n(&s.size) != 1).collect();
    let along = outer.iter().find(|s| s.out.as_ref().map(n) == Some(1))?;
    let sides = (moves(&along.a), moves(&along.b));
    let alone = outer.iter().filter(|s| (moves(&s.a), moves(&s.b)) == sides).count() == 1;
    (alone && sides.0 != sides.1).then(|| n(&along.size))
}
