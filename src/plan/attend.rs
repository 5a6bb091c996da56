//! Attention that needs no memory for its scores: a product of queries with keys, a softmax of that along the keys, and a product of the
//! weights with values.
//!
//! In: a plan. Out: such chains of steps ([`Attend`]), and how each is computed at these sizes ([`Attention`]). What lies between the two
//! products is read as one formula of a score ([`super::formula`]); it has to be a softmax over all keys, or over those up to the query's own
//! place. An executor may then go through the queries some at a time, and leave out the keys that none of these looks at.

use super::formula::{self, Reader, Softmax};
use super::measured::plan::{ATTEND_KEYS, ATTEND_QUERIES, F32_TERMS};
use super::uses::Uses;
use super::view::value;
use super::{Attend, Kind, Plan, Product, Sizes, Step};
use crate::ir::{DType, Size};
use std::collections::BTreeMap;

/// A loop around it all: how often it runs, and how far it moves each tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Around {
    pub n: i64,
    pub q: i64,
    pub k: i64,
    pub v: i64,
    pub out: i64,
}

/// A loop that moves two tensors: how often it runs, and how far it moves the first and the second of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair(pub i64, pub i64, pub i64);

/// How attention is computed. Places are in elements.
#[derive(Clone, Debug, PartialEq)]
pub struct Attention {
    /// Buffers, each with its first place.
    pub q: (usize, i64),
    pub k: (usize, i64),
    pub v: (usize, i64),
    pub out: (usize, i64),
    /// The loops that move keys and values come first.
    pub around: Vec<Around>,
    /// Moves `q` and `out`.
    pub queries: Pair,
    /// Moves `k` and `v`.
    pub keys: Pair,
    /// What scores are summed over; moves `q` and `k`.
    pub inner: Pair,
    /// What a value holds; moves `v` and `out`.
    pub width: Pair,
    pub softmax: Softmax,
}

/// A softmax is cut into no more kernels.
const LINKS: usize = 4;

/// All chains of a plan; steps that `taken` says are not looked at.
pub(super) fn find(plan: &Plan, sizes: &Sizes, taken: &dyn Fn(usize) -> bool) -> Vec<Attend> {
    let uses = Uses::of(plan);
    let chain = |(result, step): (usize, &Step)| {
        let Step::Product(p) = step else { return None };
        let found = [p.a.0, p.b.0].into_iter().find_map(|weights| uses.chain(plan, weights, result))?;
        let fits = |k: usize| !taken(k) && (k < plan.prepared) == (result < plan.prepared);
        let fits = fits(found.scores) && fits(result) && found.between.iter().all(|k| fits(*k));
        (fits && attention(plan, &found, sizes).is_some()).then_some(found)
    };
    plan.steps.iter().enumerate().filter_map(chain).collect()
}

impl Uses {
    /// The only kernel or product that writes a buffer which only `reader` and steps before it read.
    fn writer(&self, plan: &Plan, buffer: usize) -> Option<usize> {
        let [writer] = self.writers[buffer][..] else { return None };
        let own = plan.buffers[buffer].kind == Kind::Temp && plan.buffers[buffer].dtype == DType::F32;
        (own && matches!(plan.steps[writer], Step::Kernel(_) | Step::Product(_))).then_some(writer)
    }

    /// The steps that make these weights, of which `result` makes something; nobody else reads what is between.
    fn chain(&self, plan: &Plan, weights: usize, result: usize) -> Option<Attend> {
        let (mut scores, mut between, mut buffers, mut todo) = (None, Vec::new(), Vec::new(), vec![weights]);
        while let Some(buffer) = todo.pop() {
            if buffers.contains(&buffer) {
                continue;
            }
            buffers.push(buffer);
            let writer = self.writer(plan, buffer)?;
            if let Step::Kernel(k) = &plan.steps[writer] {
                between.push(writer);
                todo.extend(k.body.iter().filter_map(|e| e.access()).map(|a| a.buffer));
            } else if scores.replace(writer).is_some() {
                return None;
            }
            if between.len() > LINKS {
                return None;
            }
        }
        between.sort();
        let inside = |b: &usize| self.readers[*b].iter().all(|r| *r == result || between.contains(r));
        let fits = !between.is_empty() && buffers.iter().all(inside);
        let scores = scores.filter(|_| fits)?;
        Some(Attend { scores, between, result, buffers })
    }
}

/// How a chain is computed at these sizes. `None`: step by step.
pub fn attention(plan: &Plan, at: &Attend, sizes: &Sizes) -> Option<Attention> {
    let (Step::Product(s), Step::Product(y)) = (&plan.steps[at.scores], &plan.steps[at.result]) else { return None };
    let weights = *at.buffers.first()?;
    let second = Sides::of(y, y.b.0 == weights && y.a.0 != weights, sizes);
    let length: i64 = plan.buffers[weights].shape.iter().map(|s| value(s, sizes)).product();
    if second.first.1 != 0 || y.a.0 == y.b.0 || value(&s.out.1, sizes) != 0 {
        return None;
    }
    // Loops of the second product: keys, what a value holds, and those around.
    let keys = second.only(|l| l.out.is_none())?;
    let width = second.only(|l| l.first.is_none() && l.out.is_some())?;
    let (stride, count) = (keys.first?, keys.n);
    let softmax = formula::softmax(&Reader { plan, sizes, scores: s.out.0, keys: (stride, count), length }, weights)?;
    let key = |l: &Move| l.out == Some(stride) && l.n == count;
    // The keys are on that side of the first product which the loop over keys moves.
    let turned = Sides::of(s, false, sizes).only(key)?.first.is_some();
    let first = Sides::of(s, turned, sizes);
    let along = first.only(key)?;
    let inner = first.only(|l| l.out.is_none())?;
    if along.first.is_some() || inner.first.is_none() || inner.second.is_none() {
        return None;
    }
    // By their place among the scores the other loops of both are the same.
    let rest = |sides: &Sides, of: &dyn Fn(&Move) -> Option<i64>, not: &[&Move]| -> Option<BTreeMap<i64, Move>> {
        let others: Vec<&Move> = sides.moves.iter().filter(|l| !not.contains(l)).collect();
        let map: BTreeMap<i64, Move> = others.iter().filter_map(|l| Some((of(l)?, **l))).collect();
        (map.len() == others.len()).then_some(map)
    };
    let scores = rest(&first, &|l| l.out, &[along, inner])?;
    let mixed = rest(&second, &|l| l.first, &[keys, width])?;
    let mut around = Vec::new();
    let mut rows: Option<(i64, Around)> = None;
    for ((place, s), (at, y)) in scores.iter().zip(&mixed) {
        let out = y.out.filter(|_| place == at && s.n == y.n)?;
        let one = Around { n: s.n, q: s.first.unwrap_or(0), k: s.second.unwrap_or(0), v: y.second.unwrap_or(0), out };
        let asked = softmax.causal.is_none_or(|c| c == (*place, s.n));
        let free = one.k == 0 && one.v == 0 && asked;
        if free && rows.is_none_or(|(_, r)| r.n < one.n) {
            around.extend(rows.replace((*place, one)).map(|r| r.1));
        } else {
            around.push(one);
        }
    }
    let (_, rows) = rows.filter(|_| scores.len() == mixed.len())?;
    around.sort_by_key(|a| a.k == 0 && a.v == 0);
    let pays = rows.n >= ATTEND_QUERIES && count >= ATTEND_KEYS && inner.n <= F32_TERMS;
    pays.then(|| Attention {
        q: first.first,
        k: first.second,
        v: second.second,
        out: (y.out.0, value(&y.out.1, sizes)),
        around,
        queries: Pair(rows.n, rows.q, rows.out),
        keys: Pair(count, along.second.unwrap_or(0), keys.second.unwrap_or(0)),
        inner: Pair(inner.n, inner.first.unwrap_or(0), inner.second.unwrap_or(0)),
        width: Pair(width.n, width.second.unwrap_or(0), width.out.unwrap_or(0)),
        softmax,
    })
}

/// A loop of a product: how often it runs, and how it moves both operands and the result.
#[derive(Clone, Copy, PartialEq)]
struct Move {
    n: i64,
    first: Option<i64>,
    second: Option<i64>,
    out: Option<i64>,
}

/// A product with its operands in the order that is asked for. Loops that run once are left out.
struct Sides {
    first: (usize, i64),
    second: (usize, i64),
    moves: Vec<Move>,
}

impl Sides {
    fn of(p: &Product, turned: bool, sizes: &Sizes) -> Sides {
        let n = |s: &Size| value(s, sizes);
        let side = |o: &(usize, Size)| (o.0, n(&o.1));
        let (a, b) = (side(&p.a), side(&p.b));
        let of = |s: &super::Span| {
            let (a, b) = (s.a.as_ref().map(n), s.b.as_ref().map(n));
            let (first, second) = if turned { (b, a) } else { (a, b) };
            Move { n: n(&s.size), first, second, out: s.out.as_ref().map(n) }
        };
        let moves = p.spans.iter().map(of).filter(|m| m.n != 1).collect();
        if turned { Sides { first: b, second: a, moves } } else { Sides { first: a, second: b, moves } }
    }

    /// The loop for which this holds, if it is one.
    fn only(&self, holds: impl Fn(&Move) -> bool) -> Option<&Move> {
        let mut all = self.moves.iter().filter(|l| holds(l));
        all.next().filter(|_| all.next().is_none())
    }
}
