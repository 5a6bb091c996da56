//! Products over windows to each of whose columns a number is added, or of whose results the greater of each and a number is read: convolutions
//! with a bias, rectified ones. Both are one step, and what lies between needs no memory.

use super::taps::geometry;
use super::uses::Uses;
use super::view::value;
use super::{Access, Expr, Finished, Kernel, Plan, Sizes, Step, Taps};
use crate::ir::{DType, Map, Size};

/// What is done with each result before it is written.
#[derive(Clone, Debug, PartialEq)]
pub struct Finish {
    /// The buffer that it is written into.
    pub out: usize,
    /// What is added to each column: the buffer, and a place for each.
    pub bias: Option<(usize, Vec<i64>)>,
    /// No result is less.
    pub least: Option<f32>,
}

/// All such pairs, of steps that `may` be one.
pub(super) fn find(plan: &Plan, sizes: &Sizes, taps: &[Taps], may: &dyn Fn(usize) -> bool) -> Vec<Finished> {
    let uses = Uses::of(plan);
    let pair = |t: &Taps| {
        let buffer = plan.steps[t.product].writes()[0];
        let found = Finished { taps: *t, kernel: uses.only_reader(plan, t.product, buffer)?, buffer };
        (may(found.kernel) && finish(plan, &found, sizes).is_some()).then_some(found)
    };
    taps.iter().filter_map(pair).collect()
}

/// What a kernel makes of what it reads of a buffer: what is added, and the least that comes out.
pub(super) fn made(k: &Kernel, buffer: usize) -> Option<(&Access, Option<&Access>, Option<f64>)> {
    let (mut e, mut least, mut count) = (k.value, None, 1);
    if let Expr::Map(Map::Max, args) = &k.body[e]
        && let Expr::Const(c) = k.body[args[1]]
    {
        (e, least, count) = (args[0], Some(c), 3);
    }
    let (made, bias) = if let Expr::Load(a) = &k.body[e] {
        (a, None)
    } else if let Expr::Map(Map::Add, args) = &k.body[e]
        && let (Expr::Load(a), Expr::Load(b)) = (&k.body[args[0]], &k.body[args[1]])
    {
        count += 2;
        if a.buffer == buffer { (a, Some(b)) } else { (b, Some(a)) }
    } else {
        return None;
    };
    let own = made.buffer == buffer && bias.is_none_or(|b| b.buffer != buffer);
    let float = k.types.iter().all(|t| *t == DType::F32) && k.outer == k.loops.len();
    let plain = own && float && k.body.len() == count && least.is_none_or(|c: f64| !c.is_nan());
    (plain && (bias.is_some() || least.is_some())).then_some((made, bias, least))
}

/// What is done at these sizes. `None`: something else.
pub fn finish(plan: &Plan, at: &Finished, sizes: &Sizes) -> Option<Finish> {
    let (Step::Product(p), Step::Kernel(k)) = (&plan.steps[at.taps.product], &plan.steps[at.kernel]) else { return None };
    let n = |s: &Size| value(s, sizes);
    let (made, bias, least) = made(k, at.buffer)?;
    let moving = |a: &Access| -> Vec<(usize, i64)> {
        let all = a.terms.iter().filter(|(l, _)| n(&k.loops[*l].size) != 1);
        let mut all: Vec<(usize, i64)> = all.map(|(l, s)| (*l, n(s))).filter(|t| t.1 != 0).collect();
        all.sort();
        all
    };
    let points: i64 = k.loops.iter().map(|l| n(&l.size)).product();
    let all: i64 = plan.buffers[at.buffer].shape.iter().map(n).product();
    let same = moving(made) == moving(&k.store) && n(&made.offset) == 0 && n(&k.store.offset) == 0;
    if !same || points != all || n(&p.out.1) != 0 {
        return None;
    }
    let mut added = None;
    if let Some(bias) = bias {
        let [(along, step)] = moving(bias)[..] else { return None };
        let apart = moving(made).iter().find(|m| m.0 == along)?.1;
        // The columns are that loop, one after the other.
        let columns = geometry(plan, &at.taps, sizes)?.columns;
        let own = columns.iter().enumerate().all(|(j, (_, place))| *place == j as i64 * apart);
        if !own || columns.len() as i64 != n(&k.loops[along].size) {
            return None;
        }
        added = Some((bias.buffer, (0..columns.len() as i64).map(|j| n(&bias.offset) + j * step).collect()));
    }
    Some(Finish { out: k.store.buffer, bias: added, least: least.map(|c| c as f32) })
}
